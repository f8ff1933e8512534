/* bench_dconv - time of the diffusion convolution at the shapes of DCRNN (METR-LA, 207 sensors) and
 * of batched DCRNN (PEMS-BAY, 325 sensors), as a share of the FMA peak measured beside it.
 * Usage: bench_dconv [repetitions] [first letters of the shapes' names] */
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "tensor/backend.h"
#include "tests/bench/peak.h"

enum { SETS = 6, MAX_REPS = 200 }; /* operands in turn, so that they come from memory */

struct shape {
    const char *name;
    int model, N, nnz, C0, C1, O, calls; /* calls per training iteration */
    bool first;                          /* the input needs no gradient */
    enum wf_act act;
};

static const char *const models[] = { "METR-LA DCRNN, hidden 64", "batched DCRNN, hidden 64",
                                      "batched DCRNN, hidden 2" };

static const struct shape shapes[] = {
    { "encoder 1 gates", 0, 207, 1722, 2, 64, 128, 12, true, WF_ACT_SIGMOID },
    { "encoder 1 state", 0, 207, 1722, 2, 64, 64, 12, true, WF_ACT_TANH },
    { "encoder 2 gates", 0, 207, 1722, 64, 64, 128, 12, false, WF_ACT_SIGMOID },
    { "encoder 2 state", 0, 207, 1722, 64, 64, 64, 12, false, WF_ACT_TANH },
    { "decoder 1 gates", 0, 207, 1722, 1, 64, 128, 12, false, WF_ACT_SIGMOID },
    { "decoder 1 state", 0, 207, 1722, 1, 64, 64, 12, false, WF_ACT_TANH },
    { "decoder 2 gates", 0, 207, 1722, 64, 64, 128, 12, false, WF_ACT_SIGMOID },
    { "decoder 2 state", 0, 207, 1722, 64, 64, 64, 12, false, WF_ACT_TANH },
    { "hidden 64 gates", 1, 325, 2694, 2, 64, 128, 12, true, WF_ACT_SIGMOID },
    { "hidden 64 state", 1, 325, 2694, 2, 64, 64, 12, true, WF_ACT_TANH },
    { "hidden 2 gates", 2, 325, 2694, 2, 2, 4, 12, true, WF_ACT_SIGMOID },
    { "hidden 2 state", 2, 325, 2694, 2, 2, 2, 12, true, WF_ACT_TANH },
};
enum { SHAPES = sizeof shapes / sizeof *shapes, BATCH = 64 };

static uint64_t state = 1;

static double uniform(void)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (double)(state >> 40) / (1 << 24) - 0.5;
}

static struct wf_tensor array(struct wf_backend *be, int ndim, const int *dims)
{
    struct wf_tensor t;
    struct wf_error err = { 0 };
    if (wf_tensor_alloc(&t, be, ndim, dims, &err) != WF_OK) {
        fprintf(stderr, "bench_dconv: %s\n", err.message);
        exit(1);
    }
    for (ptrdiff_t i = 0; i < wf_tensor_count(&t); i++) t.data[i] = (wf_real)(0.3 * uniform());
    return t;
}

struct set {
    struct wf_tensor x[2], dx[2], y, dy;
};

struct bench {
    struct wf_backend *be;
    struct wf_supports S;
    struct wf_csr A[2];
    struct wf_tensor value[2], w, b, dw, db;
    struct set set[SETS];
};

static void graph(struct bench *z, const struct shape *s)
{
    int *row = malloc(sizeof(int) * (size_t)s->nnz), *col = malloc(sizeof(int) * (size_t)s->nnz);
    struct wf_error err = { 0 };
    for (int e = 0; e < s->nnz; e++) {
        row[e] = e < s->N ? e : (int)((uniform() + 0.5) * s->N);
        col[e] = e < s->N ? e : (row[e] + (int)(uniform() * 40) + s->N) % s->N;
    }
    for (int i = 0; i < 2; i++) {
        if (wf_csr_from_pairs(&z->A[i], z->be, s->N, s->N, s->nnz, i ? col : row, i ? row : col,
                              NULL, &err) != WF_OK)
            exit(1);
        z->value[i] = array(z->be, 1, wf_dims(s->nnz));
        z->S.pattern[i] = &z->A[i];
        z->S.value[i] = &z->value[i];
    }
    z->S.count = 2;
    z->S.nodes = s->N;
    wf_supports_terms(&z->S, 2, s->model ? WF_DIFFUSION_FIXED : WF_DIFFUSION);
    free(row);
    free(col);
}

static void setup(struct bench *z, const struct shape *s)
{
    *z = (struct bench){ .be = wf_backend_cpu() };
    graph(z, s);
    int M = z->S.terms, C = s->C0 + s->C1;
    z->w = array(z->be, 2, wf_dims(M * C, s->O));
    z->dw = array(z->be, 2, wf_dims(M * C, s->O));
    z->b = array(z->be, 1, wf_dims(s->O));
    z->db = array(z->be, 1, wf_dims(s->O));
    for (int i = 0; i < SETS; i++) {
        struct set *t = &z->set[i];
        for (int k = 0; k < 2; k++) {
            t->x[k] = array(z->be, 3, wf_dims(BATCH, s->N, k ? s->C1 : s->C0));
            t->dx[k] = array(z->be, 3, wf_dims(BATCH, s->N, k ? s->C1 : s->C0));
        }
        t->y = array(z->be, 3, wf_dims(BATCH, s->N, s->O));
        t->dy = array(z->be, 3, wf_dims(BATCH, s->N, s->O));
    }
}

static void teardown(struct bench *z)
{
    for (int i = 0; i < SETS; i++) {
        for (int k = 0; k < 2; k++) {
            wf_tensor_free(&z->set[i].x[k]);
            wf_tensor_free(&z->set[i].dx[k]);
        }
        wf_tensor_free(&z->set[i].y);
        wf_tensor_free(&z->set[i].dy);
    }
    for (int i = 0; i < 2; i++) {
        wf_csr_free(&z->A[i]);
        wf_tensor_free(&z->value[i]);
    }
    wf_tensor_free(&z->w);
    wf_tensor_free(&z->b);
    wf_tensor_free(&z->dw);
    wf_tensor_free(&z->db);
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Processor seconds per thread: on a machine with other work they tell more than the clock. */
static double processor_time(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return ((double)t.tv_sec + 1e-9 * (double)t.tv_nsec) / omp_get_max_threads();
}

/* Median and best seconds of one call, and best processor seconds. */
static void measure(struct bench *z, const struct shape *s, bool backward, int reps, double out[3])
{
    double t[MAX_REPS];
    out[2] = 1e9;
    for (int r = -2; r < reps; r++) {
        struct set *u = &z->set[(r + SETS) % SETS];
        struct wf_dconv_in in = { &z->S, { &u->x[0], &u->x[1] }, &z->w, &z->b, s->act };
        struct wf_dconv_grad grad = { .dx = { s->first ? NULL : &u->dx[0], &u->dx[1] },
                                      .dw = &z->dw,
                                      .db = &z->db };
        double from = omp_get_wtime(), used = processor_time();
        enum wf_status status = backward ? wfk_dconv_bwd(z->be, &grad, &in, &u->y, &u->dy)
                                         : wfk_dconv(z->be, &u->y, &in);
        if (r >= 0) t[r] = omp_get_wtime() - from;
        used = processor_time() - used;
        if (used < out[2]) out[2] = used;
        if (status != WF_OK) exit(1);
    }
    qsort(t, (size_t)reps, sizeof *t, compare);
    out[0] = t[reps / 2];
    out[1] = t[0];
}

int main(int argc, char **argv)
{
    int reps = argc > 1 ? atoi(argv[1]) : 15;
    if (reps < 1 || reps > MAX_REPS) reps = 15;
    double sum[3] = { 0 }, best[3] = { 0 }, cpu[3] = { 0 };
    printf("%d threads; median (best; processor) ms, useful GFLOP/s and share of the peak by the "
           "median\n",
           omp_get_max_threads());
    for (int i = 0; i < SHAPES; i++) {
        const struct shape *s = &shapes[i];
        if (argc > 2 && strncmp(s->name, argv[2], strlen(argv[2])) != 0) continue;
        static struct bench z;
        setup(&z, s);
        double f[3], b[3], C = s->C0 + s->C1, dC = s->first ? s->C1 : C, top = fma_peak(300000);
        measure(&z, s, false, reps, f);
        measure(&z, s, true, reps, b);
        double hop = 2.0 * BATCH * 4 * s->nnz, mix = 2.0 * BATCH * s->N * 5 * s->O;
        double narrow = C < s->O ? C : s->O;
        double fwd = mix * C + hop * narrow, bwd = mix * (C + dC) + hop * s->O;
        printf("%-16s %3d -> %3d  forward %7.3f (%7.3f; %7.3f) %5.1f %3.0f%%  "
               "backward %7.3f (%7.3f; %7.3f) %5.1f %3.0f%%  peak %5.1f\n",
               s->name, s->C0 + s->C1, s->O, 1e3 * f[0], 1e3 * f[1], 1e3 * f[2], 1e-9 * fwd / f[0],
               100 * fwd / f[0] / top, 1e3 * b[0], 1e3 * b[1], 1e3 * b[2], 1e-9 * bwd / b[0],
               100 * bwd / b[0] / top, 1e-9 * top);
        fflush(stdout);
        sum[s->model] += s->calls * (f[0] + b[0]);
        best[s->model] += s->calls * (f[1] + b[1]);
        cpu[s->model] += s->calls * (f[2] + b[2]);
        teardown(&z);
    }
    for (int m = 0; m < 3; m++)
        if (sum[m] > 0)
            printf("%s: %.3f s (best %.3f, processor %.3f) per training iteration\n", models[m],
                   sum[m], best[m], cpu[m]);
    return 0;
}
