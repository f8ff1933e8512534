/* parity [--device D] [DIR] - runs every case of every reference file *.h5 in DIR and compares.
 *
 * A case prints one line: file, case, pass, fail or not-covered, the largest error and its array.
 * The error of an array is max |a - b| / max(max |b|, 0.01 x the largest value compared in its
 * case). */
#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "apps/kit/cli.h"
#include "dist/device.h"
#include "tensor/alloc.h"
#include "tests/parity/parity.h"

static const double bar = sizeof(wf_real) == sizeof(float) ? 1e-4 : 1e-9;

static const struct {
    const char *file;
    runner *run;
} table[] = {
#define R(file) { #file, run_##file },
#include "tests/parity/runners.def"
#undef R
};

struct total {
    int passed, failed, other;
};

static runner *find(const char *stem)
{
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (strcmp(table[i].file, stem) == 0) return table[i].run;
    return NULL;
}

static double worst(const struct run *r, const char **where)
{
    double peak = 0, most = 0;
    *where = "nothing compared";
    for (int i = 0; i < r->checks; i++)
        if (r->check[i].peak > peak) peak = r->check[i].peak;
    for (int i = 0; i < r->checks; i++) {
        const struct check *c = &r->check[i];
        double e = c->diff == 0 ? 0 : c->diff / fmax(c->peak, 0.01 * peak);
        if (e != e) e = INFINITY; /* the reference may be infinite */
        if (i && e <= most) continue;
        most = e;
        *where = c->where;
    }
    return most;
}

static void release(struct run *r)
{
    for (int i = 0; i < r->leaves; i++) {
        wf_tensor_free(&r->leaf[i].value);
        wf_tensor_free(&r->leaf[i].grad);
    }
    wf_free(r->check);
    wf_graph_free(&r->graph);
    wf_tape_free(&r->g);
}

static void run_case(struct wf_backend *be, struct wf_h5 *h5, const char *path, const char *stem,
                     const char *name, struct total *sum)
{
    static struct run r; /* the run's arrays of leaves are too large for the stack */
    const char *where;
    runner *run = find(stem);
    r = (struct run){ .file = path, .name = name, .h5 = h5, .covered = run != NULL };
    enum wf_status s = WF_OK;
    if (run) s = wf_tape_init(&r.g, be, &r.err);
    r.g.training = integer(&r, "training", 0) != 0;
    if (run && !s) s = run(&r);
    if (!s) s = r.err.status; /* an attribute that could not be read */
    double e = worst(&r, &where);
    if (!r.covered) {
        sum->other++;
        printf("%-20s %-28s not-covered\n", stem, name);
    } else if (s || r.checks == 0) {
        sum->failed++;
        printf("%-20s %-28s fail        %s\n", stem, name, s ? r.err.message : where);
    } else {
        bool pass = e <= bar;
        *(pass ? &sum->passed : &sum->failed) += 1;
        printf("%-20s %-28s %-11s %.1e at %s\n", stem, name, pass ? "pass" : "fail", e, where);
    }
    release(&r);
}

static void run_file(struct wf_backend *be, const char *path, const char *stem, struct total *sum)
{
    struct wf_h5 *h5;
    struct wf_error err = { 0 };
    struct wf_names cases = { 0 };
    if (wf_h5_open(&h5, path, &err) || wf_h5_list(h5, "/", &cases, &err) || cases.count == 0) {
        sum->failed++;
        printf("%-20s %-28s fail        %s\n", stem, "-", err.status ? err.message : "no cases");
    }
    for (ptrdiff_t i = 0; i < cases.count; i++) run_case(be, h5, path, stem, cases.name[i], sum);
    wf_names_free(&cases);
    wf_h5_close(h5);
}

static int is_h5(const struct dirent *e)
{
    size_t n = strlen(e->d_name);
    return n > 3 && strcmp(e->d_name + n - 3, ".h5") == 0;
}

static int run_folder(struct wf_backend *be, const char *dir)
{
    struct dirent **list = NULL;
    struct total sum = { 0 };
    int n = scandir(dir, &list, is_h5, alphasort);
    if (n <= 0) {
        fprintf(stderr, "parity: no .h5 file in '%s'\n", dir);
        return 1;
    }
    for (int i = 0; i < n; i++) {
        char path[PATH_TEXT], *stem = list[i]->d_name;
        snprintf(path, sizeof path, "%s/%s", dir, stem);
        stem[strlen(stem) - 3] = 0;
        run_file(be, path, stem, &sum);
        free(list[i]);
    }
    free(list);
    printf("%d passed, %d failed, %d not covered\n", sum.passed, sum.failed, sum.other);
    if (wf_alloc_live() != 0) fprintf(stderr, "parity: %ld blocks leak\n", wf_alloc_live());
    return sum.failed > 0 || wf_alloc_live() != 0;
}

int main(int argc, char **argv)
{
    static const struct wf_field fields[] = { WF_FIELD(wf_device_choice, "device", ENUM, device, 0,
                                                       0, wf_device_names, "what computes"),
                                              { 0 } };
    struct wf_device_choice choice = { .device = WF_DEVICE_CPU };
    struct wf_config options = { fields, &choice, "parity [--device D] [DIR]" };
    struct wf_cli cli = { 0 };
    struct wf_error err = { 0 };
    struct wf_backend *be;
    enum wf_status s = wf_cli_parse(argc, argv, &options, 1, &cli, &err);
    if (s == WF_OK && cli.positionals > 1) s = wf_fail(&err, WF_EINVAL, "want one folder");
    if (s == WF_OK && cli.help) {
        wf_config_help(&options, 1, stdout);
        return 0;
    }
    if (s == WF_OK) s = wf_device_open(&be, &choice, stdout, &err);
    if (s != WF_OK) return wf_cli_fail(argv[0], &err);
    int failed = run_folder(be, cli.positionals ? cli.positional[0] : "../shared/fixtures");
    wf_backend_close(be);
    return failed;
}
