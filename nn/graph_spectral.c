/* graph_spectral.c - the supports of GCN and of Chebyshev polynomials, and the eigenvalue that
 * scales a Laplacian. */
#include <math.h>
#include "nn/graph_private.h"
#include "tensor/alloc.h"
#include "tensor/eigen.h"

/* Whether Lt has entries on the diagonal. L = I - .. has 1 there; with lambda_max = 2 the diagonal
 * of Lt is 2/2 - 1 = 0. */
static bool has_diagonal(const struct wf_graph_config *cfg)
{
    bool two = cfg->lambda_max == 0 || cfg->lambda_max == 2;
    return cfg->laplacian == WF_LAPLACIAN_NONE || !two;
}

/* Lists the entries of the support; loop [N] is scratch. An edge with an end outside 0..N-1 is
 * kept, so that wf_csr_from_pairs() refuses it. */
static void put_entries(struct wf_entries *en, const struct wf_edges *ed,
                        const struct wf_graph_config *cfg, int *loop)
{
    int N = ed->nodes, E = ed->count, n = 0;
    bool cheb = cfg->kind == WF_CHEB, gcn = wf_graph_adds_loops(cfg);
    for (int i = 0; i < N; i++) loop[i] = E;
    for (int e = 0; e < E; e++) {
        int i = ed->source[e];
        if ((cheb || gcn) && i == ed->target[e] && i >= 0 && i < N) {
            if (gcn) loop[i] = e;
            continue;
        }
        en->source[n] = i;
        en->target[n] = ed->target[e];
        en->edge[n++] = e;
    }
    if (gcn || (cheb && has_diagonal(cfg)))
        for (int i = 0; i < N; i++) {
            en->source[n] = en->target[n] = i;
            en->edge[n++] = loop[i];
        }
    en->count = n;
}

enum wf_status wf_entries_init(struct wf_entries *en, const struct wf_edges *ed,
                               const struct wf_graph_config *cfg, struct wf_error *err)
{
    size_t N = (size_t)ed->nodes, most = (size_t)ed->count + N;
    int *block = wf_malloc((3 * most + N) * sizeof *block);
    if (!block) return wf_fail(err, WF_ENOMEM, "no memory for %d edges", ed->count);
    *en = (struct wf_entries){ 0, block, block + most, block + 2 * most };
    put_entries(en, ed, cfg, block + 3 * most);
    return WF_OK;
}

void wf_entries_free(struct wf_entries *en)
{
    wf_free(en->source);
}

/* weight [.., E] at the entries of the support, and the number `loop` at each loop that was
 * added. */
static struct wf_tensor *at_entries(struct wf_tape *g, const struct wf_graph *gr,
                                    struct wf_tensor *weight, double loop)
{
    const int *one = weight->ndim == 1 ? wf_dims(1) : wf_dims(weight->shape[0], 1);
    struct wf_tensor *all = wf_concat(g, weight, wf_full(g, loop, weight->ndim, one));
    return wf_at_entries(g, all, &gr->order[0]); /* of [.., E + 1] */
}

/* d[row] w d[column] at every entry of A, for d [.., N]. */
static struct wf_tensor *both_sides(struct wf_tape *g, const struct wf_csr *A, struct wf_tensor *w,
                                    struct wf_tensor *d)
{
    struct wf_tensor *left = wf_edge_spread(g, A, d, false), *right = wf_edge_spread(g, A, d, true);
    return wf_mul(g, left, wf_mul(g, w, right));
}

static struct wf_tensor *gcn(struct wf_tape *g, const struct wf_graph *gr, struct wf_tensor *weight)
{
    const struct wf_csr *A = &gr->to_target;
    double loop = gr->cfg.improved ? 2 : 1;
    struct wf_tensor *w = at_entries(g, gr, weight, loop), *there = NULL;
    if (gr->cfg.raw) return w;
    if (wf_graph_adds_loops(&gr->cfg)) there = wf_present(g, w);
    if (there) { /* In a sample without the node's own loop, the node gets one, too. */
        struct wf_tensor *none = wf_affine(g, there, -loop, loop);
        w = wf_add(g, w, wf_mul(g, none, wf_tape_view(g, gr->loop)));
    }
    return both_sides(g, A, w, wf_rsqrt0(g, wf_edge_sum(g, A, w, false)));
}

/* The largest of d [N], or of every row of d [B, N]: [1] or [B, 1]. */
static struct wf_tensor *largest(struct wf_tape *g, struct wf_tensor *d)
{
    if (g->error.status != WF_OK) return &g->poison;
    if (d->ndim == 1) return wf_max_all(g, d);
    struct wf_tensor *top = wf_pick(g, wf_unsqueeze(g, d, 2), wf_topk(g, d, 1)); /* [B, 1, 1] */
    return wf_reshape(g, top, 2, wf_dims(d->shape[0], 1));
}

/* The values of Lt^T: the entry of target j and source i is Lt[i, j], so columns of the pattern are
 * rows of L. As weights are >= 0, the largest entry of L stands on its diagonal. */
static struct wf_tensor *cheb(struct wf_tape *g, const struct wf_graph *gr,
                              struct wf_tensor *weight)
{
    const struct wf_csr *A = &gr->to_target;
    double lambda = gr->cfg.lambda_max;
    struct wf_tensor *w = at_entries(g, gr, weight, 0); /* [.., entries], 0 on the diagonal */
    struct wf_tensor *I = at_entries(g, gr, wf_zeros(g, 1, wf_dims(gr->edges)), 1);
    struct wf_tensor *d = wf_edge_sum(g, A, w, true); /* [.., N] */
    switch (gr->cfg.laplacian) {
    case WF_LAPLACIAN_SYM:
        w = wf_sub(g, I, both_sides(g, A, w, wf_rsqrt0(g, d)));
        break;
    case WF_LAPLACIAN_RW:
        w = wf_sub(g, I, wf_mul(g, w, wf_edge_spread(g, A, wf_recip0(g, d), true)));
        break;
    case WF_LAPLACIAN_NONE:
        w = wf_sub(g, wf_mul(g, I, wf_edge_spread(g, A, d, true)), w);
        if (lambda == 0) return wf_sub(g, wf_mul(g, w, wf_recip0(g, largest(g, d))), I);
        break;
    }
    return wf_sub(g, wf_affine(g, w, 2 / (lambda == 0 ? 2 : lambda), 0), I);
}

struct wf_tensor *wf_spectral_values(struct wf_tape *g, const struct wf_graph *gr,
                                     struct wf_tensor *weight)
{
    return gr->cfg.kind == WF_GCN ? gcn(g, gr, weight) : cheb(g, gr, weight);
}

/* ---- the eigenvalue that scales L ---- */

enum { MOST_NODES = 4096 }; /* L is dense: at this size it takes 128 MiB, and minutes */

/* The weight of edge e; 0 for a loop and for an edge with an end outside 0..N-1. */
static double weight_of(const struct wf_edges *ed, int e)
{
    int i = ed->source[e], j = ed->target[e], N = ed->nodes;
    bool kept = i >= 0 && i < N && j >= 0 && j < N && i != j;
    return !kept ? 0 : ed->weight ? (double)ed->weight[e] : 1;
}

/* Fills L [N, N] with the Laplacian and d [N] with the degrees; both are zero before. */
static void dense_laplacian(const struct wf_edges *ed, enum wf_laplacian kind, double *L, double *d)
{
    ptrdiff_t N = ed->nodes;
    for (int e = 0; e < ed->count; e++)
        if (weight_of(ed, e) > 0) d[ed->source[e]] += weight_of(ed, e);
    for (int e = 0; e < ed->count; e++) {
        double w = weight_of(ed, e);
        if (w == 0) continue;
        int i = ed->source[e], j = ed->target[e];
        if (kind == WF_LAPLACIAN_RW) w /= d[i];
        if (kind == WF_LAPLACIAN_SYM) w = d[j] > 0 ? w / sqrt(d[i] * d[j]) : 0;
        L[i * N + j] -= w;
    }
    for (ptrdiff_t i = 0; i < N; i++) L[i * N + i] = kind == WF_LAPLACIAN_NONE ? d[i] : 1;
}

enum wf_status wf_dominant_eigenvalue(const struct wf_edges *ed, const struct wf_graph_config *cfg,
                                      double *lambda, struct wf_error *err)
{
    size_t N = (size_t)ed->nodes;
    if (ed->nodes < 1 || ed->nodes > MOST_NODES)
        return wf_fail(err, WF_EINVAL,
                       "the dominant eigenvalue of a graph of %d nodes, want 1 to %d; "
                       "give lambda_max, or take the symmetric Laplacian",
                       ed->nodes, MOST_NODES);
    double *L = wf_calloc(N * (N + 3), sizeof *L), *re = L + N * N, *im = re + N, most = 0;
    if (!L) return wf_fail(err, WF_ENOMEM, "no memory for the Laplacian of %d nodes", ed->nodes);
    dense_laplacian(ed, cfg->laplacian, L, im + N);
    enum wf_status s = wf_eigenvalues(ed->nodes, L, re, im, err);
    *lambda = 0;
    for (size_t k = 0; k < N && s == WF_OK; k++)
        if (hypot(re[k], im[k]) > most) {
            most = hypot(re[k], im[k]);
            *lambda = re[k];
        }
    wf_free(L);
    return s;
}
