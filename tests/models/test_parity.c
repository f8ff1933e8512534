/* These tests run the program `parity` on files with published implementations' values. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "data/formats/h5.h"
#include "tests/kit/scratch.h"

#ifdef WEFT_SOURCE_DIR
#define OWN WEFT_SOURCE_DIR "/tests/fixtures"
#else
#define OWN "tests/fixtures"
#endif

/* Runs the program of this precision over a folder; `last` gets its last line, and `failed` the
 * lines of the failed cases. Returns the exit status. */
static int parity(const char *dir, char last[256], char fails[1024])
{
    char command[1024], line[1024];
    snprintf(command, sizeof command, "'%s' '%s' 2>&1", WEFT_PARITY, dir);
    FILE *out = popen(command, "r");
    cr_assert(out, "cannot run %s", command);
    last[0] = fails[0] = 0;
    while (fgets(line, sizeof line, out)) {
        snprintf(last, 256, "%.255s", line);
        if (strstr(line, " fail ")) strncat(fails, line, 1023 - strlen(fails));
    }
    int status = pclose(out);
    cr_assert(WIFEXITED(status), "%s was killed", command);
    return WEXITSTATUS(status);
}

static void expect_all_pass(const char *dir, int at_least)
{
    char last[256], fails[1024];
    int passed, failed, other;
    int status = parity(dir, last, fails);
    cr_expect_eq(status, 0, "%s: %s", dir, fails);
    cr_assert_eq(sscanf(last, "%d passed, %d failed, %d not covered", &passed, &failed, &other), 3,
                 "%s", last);
    cr_expect_geq(passed, at_least, "%s", last);
    cr_expect_eq(failed, 0, "%s", last);
}

Test(parity, holds_for_the_own_reference_values)
{
    expect_all_pass(OWN, 115);
}

Test(parity, holds_for_the_published_implementations)
{
    NEED_SHARED();
    expect_all_pass(shared("fixtures"), 1);
}

static void copy_attr(struct wf_h5 *to, const struct wf_h5 *from, const char *object,
                      const char *attr)
{
    int64_t v;
    if (!wf_h5_has_attr(from, object, attr)) return;
    cr_assert_eq(wf_h5_attr_int(from, object, attr, &v, NULL), WF_OK);
    cr_assert_eq(wf_h5_set_int(to, object, attr, v, NULL), WF_OK);
}

/* Copies a group and what is below it; multiplies the largest value of array `change` by `by`. */
static void copy_group(struct wf_h5 *to, const struct wf_h5 *from, const char *group,
                       const char *change, double by)
{
    struct wf_names list;
    cr_assert_eq(wf_h5_group(to, group, NULL), WF_OK);
    cr_assert_eq(wf_h5_list(from, group, &list, NULL), WF_OK);
    copy_attr(to, from, group, "K");
    for (ptrdiff_t i = 0; i < list.count; i++) {
        char name[256];
        struct wf_array a;
        snprintf(name, sizeof name, "%s/%s", group, list.name[i]);
        if (wf_h5_kind(from, name) == WF_H5_GROUP) {
            copy_group(to, from, name, change, by);
            continue;
        }
        cr_assert_eq(wf_h5_read(from, name, strstr(name, "edge_index") ? WF_I64 : WF_F64, &a, NULL),
                     WF_OK, "%s", name);
        if (strcmp(name, change) == 0) {
            double *top = a.f64;
            for (ptrdiff_t k = 0; k < a.count; k++)
                if (a.f64[k] * a.f64[k] > *top * *top) top = &a.f64[k];
            *top *= by;
        }
        cr_assert_eq(wf_h5_write(to, name, &a, NULL), WF_OK, "%s", name);
        wf_array_free(&a);
    }
    wf_names_free(&list);
}

static int parity_of_changed(const char *change, double by, char fails[1024])
{
    struct wf_h5 *from, *to;
    struct wf_error err = { 0 };
    char last[256], dir[512];
    snprintf(dir, sizeof dir, "%s", scratch("set"));
    mkdir(dir, 0700);
    char path[600];
    snprintf(path, sizeof path, "%s/dconv.h5", dir);
    cr_assert_eq(wf_h5_open(&from, OWN "/dconv.h5", &err), WF_OK, "%s", err.message);
    cr_assert_eq(wf_h5_create(&to, path, &err), WF_OK, "%s", err.message);
    copy_group(to, from, "K3", change, by);
    cr_assert_eq(wf_h5_commit(to, &err), WF_OK, "%s", err.message);
    wf_h5_close(from);
    int status = parity(dir, last, fails);
    remove(path);
    return status;
}

Test(parity, fails_when_one_value_is_off_by_one_per_cent)
{
    static const char *const change[] = { "K3/outputs/out",        "K3/grad_inputs/X",
                                          "K3/params/weight",      "K3/grad_inputs/edge_weight",
                                          "K3/inputs/edge_weight", "K3/grad_params/bias" };
    char fails[1024];
    cr_assert_eq(parity_of_changed("none", 1, fails), 0, "%s", fails);
    for (size_t i = 0; i < sizeof change / sizeof *change; i++) {
        cr_expect_eq(parity_of_changed(change[i], 1.01, fails), 1, "%s", change[i]);
        cr_expect(strstr(fails, "K3"), "%s: %s", change[i], fails);
    }
    rmdir(scratch("set"));
}

Test(parity, fails_without_files_and_with_a_damaged_one)
{
    char last[256], fails[1024], dir[512];
    snprintf(dir, sizeof dir, "%s", scratch("set"));
    cr_expect_eq(parity(dir, last, fails), 1);
    cr_expect(strstr(last, "no .h5 file"), "%s", last);
    mkdir(dir, 0700);
    const char *path = scratch_file("set/dconv.h5", "not HDF5", 8);
    cr_expect_eq(parity(dir, last, fails), 1);
    cr_expect_str_eq(last, "0 passed, 1 failed, 0 not covered\n");
    remove(path);
    rmdir(dir);
}
