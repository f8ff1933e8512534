/* ranks - the program that tests/dist/test_ranks.c starts on several ranks: an experiment of a few
 * steps.
 *
 *     ranks first   OUT 1 LINES..   does one step; writes loss and gradient to the text file OUT
 *     ranks train   OUT K LINES..   does K steps (0: all epochs); writes loss and parameters
 *     ranks joined  OUT K LINES..   does K steps on one rank in place of P = npar, in the order in
 *                                   which P partitioned ranks do them
 *     ranks windows OUT 1 LINES..   counts the windows of an epoch, on a series whose values are
 *                                   row numbers: every window must come once
 *     ranks KIND    OUT K LINES..   does K steps, and then has a fault: kill, disk or memory; with
 *                                   KIND file, a rank finds half of the data at the start
 *
 * LINES are settings, name=value. On an error it prints the message and exits with 1. */
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include "apps/experiment/experiment.h"
#include "dist/trainer_private.h"
#include "tensor/alloc.h"

static volatile sig_atomic_t always = 1; /* makes a run of the trainer end after one step */

static enum wf_status write_block(FILE *f, const struct wf_tensor *block)
{
    for (ptrdiff_t i = 0; i < wf_tensor_count(block); i++)
        fprintf(f, "%.17g\n", (double)block->data[i]);
    return ferror(f) ? WF_EIO : WF_OK;
}

/* Rank 0 writes the loss, and then the parameters or gradients in `block`. */
static enum wf_status write_out(const struct wf_experiment *x, const char *path, double loss,
                                const struct wf_tensor *block, struct wf_error *err)
{
    if (x->dist->rank != 0) return WF_OK;
    FILE *f = fopen(path, "w");
    if (!f) return wf_fail(err, WF_EIO, "%s: cannot be written", path);
    fprintf(f, "%.17g\n", loss);
    enum wf_status s = write_block(f, block);
    if (fclose(f) != 0) s = WF_EIO;
    return s == WF_OK ? s : wf_fail(err, s, "%s: cannot be written", path);
}

static enum wf_status one_step(struct wf_trainer *t, struct wf_error *err)
{
    struct wf_draw d;
    wf_sampler_epoch(&t->engine->sampler, t->state.epoch);
    if (!wf_sampler_draw(&t->engine->sampler, t->state.seen, t->engine->start, &d))
        return wf_fail(err, WF_EINVAL, "the epoch has no more steps");
    t->stop = &always;
    enum wf_status s = wf_trainer_run(t, err);
    t->stop = NULL;
    return s == WF_EINTR ? WF_OK : s;
}

static enum wf_status steps(struct wf_experiment *x, int count, struct wf_error *err)
{
    struct wf_trainer *t = &x->trainer;
    bool same;
    if (count == 0) {
        t->stop = NULL;
        WF_TRY(wf_trainer_run(t, err));
    }
    for (int64_t until = t->state.step + count; t->state.step < until;) WF_TRY(one_step(t, err));
    WF_TRY(wf_dist_same(x->dist, &x->params.value, &same, err));
    return same ? WF_OK : wf_fail(err, WF_ENUMERIC, "the ranks' parameters differ");
}

static enum wf_status train(struct wf_experiment *x, const char *out, int count,
                            struct wf_error *err)
{
    WF_TRY(steps(x, count, err));
    const struct wf_train_state *st = &x->trainer.state;
    double loss = count ? st->loss_sum / st->loss_count : st->best;
    return write_out(x, out, loss, &x->params.value, err);
}

static enum wf_status first(struct wf_experiment *x, const char *out, struct wf_error *err)
{
    WF_TRY(one_step(&x->trainer, err));
    const struct wf_train_state *st = &x->trainer.state;
    return write_out(x, out, st->loss_sum / st->loss_count, &x->params.grad, err);
}

/* One rank has the samplers of P ranks, and does each step on the windows that they draw. */
static enum wf_status joined(struct wf_experiment *x, const char *out, int count,
                             struct wf_error *err)
{
    enum { MOST = 8 };
    int P = x->cfg.npar, B = x->train.batch_size / P, start[MOST * 64], all = 0;
    struct wf_sampler s[MOST] = { 0 };
    struct wf_step_result r = { 0 };
    double sum = 0, windows = 0;
    for (int p = 0; p < P; p++) {
        int lo, hi, n = x->place.all.count[WF_TRAIN];
        wf_share(n, P, p, &lo, &hi);
        s[p] = (struct wf_sampler){ .shuffle = true,
                                    .windows_are_local = true,
                                    .ranks = P,
                                    .rank = p,
                                    .batch = B,
                                    .windows = n,
                                    .first = lo,
                                    .seed = x->train.seed };
        WF_TRY(wf_sampler_init(&s[p], err));
        wf_sampler_epoch(&s[p], 0);
    }
    for (int k = 0; k < count; k++, all = 0) {
        for (int p = 0; p < P; p++) {
            struct wf_draw d;
            wf_sampler_draw(&s[p], k * P * B, start + all, &d);
            all += d.valid;
        }
        WF_TRY(wf_trainer_step(&x->trainer, start, all, all, &r, err));
        sum += r.loss * r.windows;
        windows += r.windows;
    }
    for (int p = 0; p < P; p++) wf_sampler_free(&s[p]);
    return write_out(x, out, sum / windows, &x->params.value, err);
}

/* ---- windows ---- */

/* Returns the number of the window that is sample i of a batch, or -1 if a value is not the number
 * of its row. */
static int window_of(const struct wf_experiment *x, const struct wf_batch *b, int i)
{
    const wf_real *X = b->x.data, *Y = b->y.data;
    const struct wf_scaler *sc = &x->windows.scaler;
    int T = b->T, Q = b->Q, N = b->N, C = b->C;
    int start = (int)lrint((double)Y[(ptrdiff_t)i * Q * N]) - T;
    for (int q = 0; q < Q; q++)
        for (int n = 0; n < N; n++)
            if ((double)Y[((ptrdiff_t)i * Q + q) * N + n] != start + T + q) return -1;
    for (int t = 0; t < T; t++)
        for (int n = 0; n < N; n++) {
            const wf_real *v = X + (((ptrdiff_t)i * T + t) * N + n) * C;
            double row = (double)v[0] * (double)sc->std[0] + (double)sc->mean[0];
            double day = fmod((start + t) * 300.0 / 86400, 1);
            if (fabs(row - (start + t)) > 0.01 || fabs((double)v[1] - day) > 1e-6) return -1;
        }
    return start;
}

static enum wf_status count_batch(struct wf_experiment *x, const struct wf_draw *d, double *seen,
                                  struct wf_error *err)
{
    struct wf_batch b;
    struct wf_trainer *t = &x->trainer;
    wf_real pad = (wf_real)NAN;
    WF_TRY(wf_windows_batch_padded(&x->windows, &b, t->engine->start, d->n, d->valid, pad));
    for (int i = 0; i < d->n; i++) {
        const wf_real *y = b.y.data + (ptrdiff_t)i * b.Q * b.N;
        int w = i < d->valid ? window_of(x, &b, i) : 0;
        if (i >= d->valid && y[0] == y[0]) return wf_fail(err, WF_EINVAL, "padding counts");
        if (w < 0) return wf_fail(err, WF_EINVAL, "sample %d of a batch is no window", i);
        if (i < d->valid) seen[w]++;
    }
    return WF_OK;
}

/* Counts the windows that this rank sees in an epoch, and in the validation and test parts. */
static enum wf_status count_windows(struct wf_experiment *x, double *seen, struct wf_error *err)
{
    struct wf_trainer *t = &x->trainer;
    struct wf_draw d;
    int at = 0, lo = 0, hi;
    wf_sampler_epoch(&t->engine->sampler, 3);
    while (wf_sampler_draw(&t->engine->sampler, at, t->engine->start, &d)) {
        WF_TRY(count_batch(x, &d, seen, err));
        at += d.taken;
    }
    for (int part = WF_VALID; part <= WF_TEST; part++) {
        hi = x->split.count[part];
        lo = 0;
        if (!x->place.windows_are_local) wf_share(hi, x->dist->size, x->dist->rank, &lo, &hi);
        for (int i = lo; i < hi; i++) {
            t->engine->start[0] = x->split.first[part] + i;
            WF_TRY(count_batch(x, &(struct wf_draw){ 1, 1, 1 }, seen, err));
        }
    }
    return WF_OK;
}

static enum wf_status windows(struct wf_experiment *x, struct wf_error *err)
{
    const int *count = x->place.all.count;
    int n = count[0] + count[1] + count[2];
    double *seen = wf_calloc((size_t)n, sizeof *seen);
    enum wf_status s = seen ? count_windows(x, seen, err) : WF_ENOMEM;
    s = wf_dist_agree(x->dist, s, err);
    if (s == WF_OK) s = wf_dist_sum(x->dist, seen, n, err);
    for (int w = 0; w < n && s == WF_OK; w++)
        if (seen[w] != 1) s = wf_fail(err, WF_EINVAL, "window %d came %g times", w, seen[w]);
    wf_free(seen);
    return s;
}

/* ---- faults ---- */

static void full_disk(const struct wf_experiment *x)
{
    char path[600];
    struct stat st;
    snprintf(path, sizeof path, "%s/last.h5", x->cfg.out);
    rlim_t most = stat(path, &st) == 0 ? (rlim_t)st.st_size / 2 : 1024;
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &(struct rlimit){ most, most });
}

static enum wf_status fault(struct wf_experiment *x, const char *kind, int count,
                            struct wf_error *err)
{
    bool last = x->dist->rank == x->dist->size - 1;
    WF_TRY(steps(x, count, err));
    if (strcmp(kind, "kill") == 0 && last) raise(SIGKILL);
    if (strcmp(kind, "memory") == 0 && last) wf_alloc_fail_after(0);
    if (strcmp(kind, "disk") == 0 && x->dist->rank == 0) full_disk(x);
    x->trainer.cfg.save_s = 0; /* rank 0 saves after every step */
    x->trainer.stop = NULL;
    return wf_trainer_run(&x->trainer, err);
}

/* ---- */

/* Makes this rank find only the beginning of the data file. */
static void cut_file(struct wf_experiment *x)
{
    char path[WF_CONFIG_TEXT + 8], command[2 * WF_CONFIG_TEXT + 80];
    snprintf(path, sizeof path, "%s.half", x->source.data);
    snprintf(command, sizeof command, "head -c 3000 '%s' >'%s'", x->source.data, path);
    if (system(command) == 0)
        snprintf(x->source.data, sizeof x->source.data, "%.*s", (int)sizeof x->source.data - 1,
                 path);
}

static enum wf_status run(struct wf_experiment *x, int argc, char **argv, struct wf_error *err)
{
    static char lines[4096] = "pictures=False\nbaselines=False\n";
    const char *kind = argv[1], *out = argv[2];
    int count = atoi(argv[3]);
    for (int i = 4; i < argc; i++) {
        size_t n = strlen(lines);
        snprintf(lines + n, sizeof lines - n, "%s\n", argv[i]);
    }
    struct wf_dist *d = x->dist;
    enum wf_status s = wf_experiment_init(x, lines, err);
    x->dist = d;
    if (strcmp(kind, "file") == 0 && d->rank == d->size - 1) cut_file(x);
    if (s == WF_OK) s = wf_experiment_open(x, stdout, err);
    WF_TRY(s);
    if (strcmp(kind, "first") == 0) return first(x, out, err);
    if (strcmp(kind, "train") == 0) return train(x, out, count, err);
    if (strcmp(kind, "joined") == 0) return joined(x, out, count, err);
    if (strcmp(kind, "windows") == 0) return windows(x, err);
    return fault(x, kind, count, err);
}

int main(int argc, char **argv)
{
    struct wf_experiment x = { 0 };
    struct wf_dist d;
    struct wf_error err = { 0 };
    if (argc < 4) return 2;
    enum wf_status s = wf_dist_init(&d, &err);
    x.dist = &d;
    if (s == WF_OK) s = run(&x, argc, argv, &err);
    if (s != WF_OK && d.rank == 0) fprintf(stderr, "ranks: %s\n", err.message);
    if (s == WF_ECOMM) wf_dist_abort(&d);
    wf_experiment_free(&x);
    wf_dist_free(&d);
    return s == WF_OK ? 0 : 1;
}
