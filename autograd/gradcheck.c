#include "autograd/gradcheck.h"
#include <math.h>
#include "autograd/ops.h"
#include "tensor/alloc.h"
#include "tensor/rng.h"

struct work {
    const struct wf_gradcheck *c;
    struct wf_tape *g;
    wf_real *v, *y, *x; /* cotangent, output, a leaf's values; each as large as needed */
    ptrdiff_t outputs;
};

static double draw(const struct wf_gradcheck *c, uint32_t stream, ptrdiff_t i)
{
    struct wf_rng r = { c->seed, (uint64_t)i, stream };
    return 2 * wf_rng_uniform(&r) - 1;
}

/* Runs build() and returns <v, y>; the tape holds the run afterwards. */
static double value(struct work *w, struct wf_tensor **out)
{
    struct wf_tape *g = w->g;
    wf_tape_reset(g);
    struct wf_tensor *y = wf_contiguous(g, w->c->build(g, w->c->ctx));
    *out = y;
    if (g->error.status != WF_OK) return 0;
    ptrdiff_t n = wf_tensor_count(y);
    if (n > w->outputs) {
        wf_real *more = wf_realloc(w->y, (size_t)n * sizeof *w->y);
        if (more) w->y = more;
        wf_real *v = wf_realloc(w->v, (size_t)n * sizeof *w->v);
        if (v) w->v = v;
        if (!more || !v) {
            wf_tape_fail(g, WF_ENOMEM, "gradcheck: no memory for %td outputs", n);
            return 0;
        }
        w->outputs = n;
        for (ptrdiff_t i = 0; i < n; i++) w->v[i] = (wf_real)draw(w->c, 1, i);
    }
    WF_RUN(g, wf_tensor_download(y, w->y));
    double sum = 0;
    for (ptrdiff_t i = 0; i < n; i++) sum += (double)w->y[i] * (double)w->v[i];
    return sum;
}

static void nudge(struct work *w, struct wf_tensor *leaf, uint32_t stream, double step)
{
    ptrdiff_t n = wf_tensor_count(leaf);
    wf_real *moved = w->x + n;
    for (ptrdiff_t i = 0; i < n; i++)
        moved[i] = (wf_real)((double)w->x[i] + step * draw(w->c, stream, i));
    WF_RUN(w->g, wf_tensor_upload(leaf, moved));
}

/* Returns |numeric - analytic| / (1 + |numeric|) for one leaf, whose gradient is in place. */
static double leaf_error(struct work *w, struct wf_tensor *leaf, uint32_t stream)
{
    struct wf_tape *g = w->g;
    struct wf_tensor *y;
    ptrdiff_t n = wf_tensor_count(leaf);
    double eps = w->c->eps > 0 ? w->c->eps : sizeof(wf_real) == 8 ? 1e-6 : 1e-3, exact = 0;
    WF_RUN(g, wf_tensor_download(leaf->grad, w->x));
    for (ptrdiff_t i = 0; i < n; i++) exact += (double)w->x[i] * draw(w->c, stream, i);
    WF_RUN(g, wf_tensor_download(leaf, w->x));
    nudge(w, leaf, stream, eps);
    double up = value(w, &y);
    struct wf_error first = g->error; /* value() resets the tape */
    nudge(w, leaf, stream, -eps);
    double down = first.status == WF_OK ? value(w, &y) : 0;
    if (first.status != WF_OK) g->error = first;
    wf_tensor_upload(leaf, w->x);
    double numeric = (up - down) / (2 * eps);
    return fabs(numeric - exact) / (1 + fabs(numeric));
}

static void run(struct work *w, double *worst, int *which)
{
    struct wf_tape *g = w->g;
    struct wf_tensor *y;
    ptrdiff_t largest = 1;
    for (int i = 0; i < w->c->leaves; i++) {
        struct wf_tensor *t = w->c->leaf[i];
        if (wf_tensor_count(t) > largest) largest = wf_tensor_count(t);
        if (t->needs_grad) WF_RUN(g, wfk_fill(g->be, t->grad, 0));
    }
    w->x = wf_malloc(2 * (size_t)largest * sizeof *w->x);
    if (!w->x) wf_tape_fail(g, WF_ENOMEM, "gradcheck: no memory for %td values", largest);
    if (g->error.status != WF_OK) return;
    value(w, &y);
    struct wf_tensor *dy = wf_tape_grad(g, y);
    if (g->error.status == WF_OK && !dy)
        wf_tape_fail(g, WF_EINVAL, "gradcheck: the output depends on no leaf");
    if (g->error.status != WF_OK) return;
    WF_RUN(g, wf_tensor_upload(dy, w->v));
    wf_tape_sweep(g);
    for (int i = 0; i < w->c->leaves && g->error.status == WF_OK; i++) {
        if (!w->c->leaf[i]->needs_grad) continue;
        double e = leaf_error(w, w->c->leaf[i], (uint32_t)(2 + i));
        if (*worst == *worst && !(e <= *worst)) { /* NaN counts as worst, and stays */
            *worst = e;
            *which = i;
        }
    }
}

enum wf_status wf_gradcheck_run(const struct wf_gradcheck *c, struct wf_backend *be, double *worst,
                                int *which, struct wf_error *err)
{
    struct wf_tape g;
    WF_TRY(wf_tape_init(&g, be, err));
    struct work w = { .c = c, .g = &g };
    *worst = 0;
    *which = 0;
    run(&w, worst, which);
    struct wf_error e = g.error;
    wf_free(w.v);
    wf_free(w.y);
    wf_free(w.x);
    wf_tape_free(&g);
    return e.status == WF_OK ? WF_OK : wf_fail(err, e.status, "%s", e.message);
}
