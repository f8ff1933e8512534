#include <math.h>
#include "nn/graph_private.h"
#include "tensor/alloc.h"

static int support_count(enum wf_support_kind kind)
{
    return kind == WF_NO_GRAPH ? 0 : kind == WF_DUAL_RANDOM_WALK ? 2 : 1;
}

static enum wf_diffusion recursion(enum wf_compat compat)
{
    switch (compat) {
    case WF_COMPAT_PGT:
        return WF_DIFFUSION_FIXED;
    case WF_COMPAT_DCRNN:
    case WF_COMPAT_DCRNN_REVERSED:
        return WF_DIFFUSION_CARRY;
    case WF_COMPAT_NONE:
        break;
    }
    return WF_DIFFUSION;
}

/* Fills edge[entry] with the edge whose weight stands at that entry of the pattern. A column of a
 * pattern is one source of diffusion; with `reversed` the weights of each column stand in reverse
 * order. */
static void entry_edges(const struct wf_csr *A, const struct wf_entries *en, const int *entry_of,
                        bool reversed, int *edge)
{
    for (int k = 0; k < A->nnz; k++) edge[entry_of[k]] = en->edge[k];
    for (int c = 0; reversed && c < A->cols; c++)
        for (int lo = A->tptr[c], hi = A->tptr[c + 1] - 1; lo < hi; lo++, hi--) {
            int a = A->tperm[lo], b = A->tperm[hi], t = edge[a];
            edge[a] = edge[b];
            edge[b] = t;
        }
}

/* PyTorch Geometric Temporal sorts the backward edges by (target, source) but not their factors:
 * the e-th of them takes the factor of the e-th edge as given. The transpose of to_source lists the
 * edges by target, and those of a target by source, which is just that order. */
static void misaligned_nodes(const struct wf_csr *to_source, const int *source, int *node)
{
    for (int e = 0; e < to_source->nnz; e++) node[to_source->tperm[e]] = source[e];
}

/* Fills gr->loop: 1 at every entry from a node to itself. */
static enum wf_status put_loops(struct wf_graph *gr, const struct wf_entries *en,
                                const int *entry_of, struct wf_error *err)
{
    wf_real *loop = wf_malloc((size_t)en->count * sizeof *loop);
    if (!loop) return wf_fail(err, WF_ENOMEM, "no memory for %d edges", en->count);
    for (int k = 0; k < en->count; k++) loop[entry_of[k]] = en->source[k] == en->target[k];
    enum wf_status s = wf_tensor_alloc(&gr->loop, gr->be, 1, &en->count, err);
    if (s == WF_OK) s = wf_tensor_upload(&gr->loop, loop);
    wf_free(loop);
    return s;
}

/* Builds the pattern of support d and the order of its entries; scratch holds two ints per entry.
 * The lists of the order are made on the host from a pattern in host memory, so for a device
 * backend the pattern is built twice. */
static enum wf_status direction(struct wf_graph *gr, int d, const struct wf_entries *en,
                                int *scratch, struct wf_error *err)
{
    struct wf_csr *A = d ? &gr->to_source : &gr->to_target, host;
    const int *row = d ? en->source : en->target, *col = d ? en->target : en->source;
    int n = en->count, N = gr->nodes, *entry_of = scratch, *edge = scratch + n;
    WF_TRY(wf_csr_from_pairs(A, gr->be, N, N, n, row, col, entry_of, err));
    WF_TRY(wf_csr_from_pairs(&host, wf_backend_cpu(), N, N, n, row, col, entry_of, err));
    entry_edges(&host, en, entry_of, gr->cfg.compat == WF_COMPAT_DCRNN_REVERSED, edge);
    int range = gr->edges + wf_graph_spectral(gr);
    enum wf_status s = wf_index_init(&gr->order[d], gr->be, range, n, edge, err);
    if (s == WF_OK && d == 1 && gr->cfg.compat == WF_COMPAT_PGT) {
        misaligned_nodes(&host, en->source, edge);
        s = wf_index_init(&gr->misaligned, gr->be, N, n, edge, err);
    }
    if (s == WF_OK && wf_graph_adds_loops(&gr->cfg)) s = put_loops(gr, en, entry_of, err);
    wf_csr_free(&host);
    return s;
}

/* Looks every weight up in the table [0, 1], at a scale so large that every weight but 0 falls on
 * the 1. */
struct wf_tensor *wf_present(struct wf_tape *g, struct wf_tensor *weight)
{
    if (!weight || weight->ndim < 2) return NULL;
    struct wf_tensor *table = wf_slice(g, wf_identity(g, 2), 1, 1, 2); /* [2, 1] */
    struct wf_tensor *there = wf_lookup(g, table, weight, 1e50);       /* [.., E, 1] */
    return wf_reshape(g, there, weight->ndim, weight->shape);
}

/* wf_take() takes rows, so weights [B, E] are turned to have a row per edge, and turned back. */
struct wf_tensor *wf_at_entries(struct wf_tape *g, struct wf_tensor *weight,
                                const struct wf_index *order)
{
    if (g->error.status != WF_OK) return &g->poison;
    if (weight->ndim == 1) return wf_take(g, weight, order);
    struct wf_tensor *rows = wf_take(g, wf_permute(g, weight, 1, 0), order); /* [entries, B] */
    return wf_contiguous(g, wf_permute(g, rows, 1, 0));
}

/* Whether supports can be made of `weight`; if not, the tape fails. */
static bool weight_fits(struct wf_tape *g, const struct wf_graph *gr,
                        const struct wf_tensor *weight)
{
    char text[WF_SHAPE_TEXT];
    const struct wf_graph_config *c = &gr->cfg;
    const char *why = NULL;
    if (g->error.status != WF_OK) return false;
    if ((weight->ndim != 1 && weight->ndim != 2) || weight->shape[weight->ndim - 1] != gr->edges) {
        wf_tape_fail(g, WF_EINVAL, "graph: weights %s, want [%d] or [B, %d]",
                     wf_tensor_shape_text(weight, text), gr->edges, gr->edges);
        return false;
    }
    if (c->kind == WF_CHEB && c->dominant) why = "the dominant eigenvalue is computed only once";
    if (c->compat == WF_COMPAT_DCRNN_REVERSED || (c->compat == WF_COMPAT_PGT && gr->to_source.nnz))
        why = "this compat goes by the order of all edges";
    if (weight->ndim == 1 || !why) return true;
    wf_tape_fail(g, WF_EINVAL, "graph: weights %s of every sample its own: %s",
                 wf_tensor_shape_text(weight, text), why);
    return false;
}

/* The values of support d of a random walk: (D_O^-1 A)^T for d = 0, (D_I^-1 A^T)^T for d = 1. With
 * WF_COMPAT_PGT an entry is 1 / degree without the weight. */
static struct wf_tensor *walk(struct wf_tape *g, const struct wf_graph *gr, int d,
                              struct wf_tensor *weight)
{
    const struct wf_csr *A = gr->supports.pattern[d];
    struct wf_tensor *w = wf_at_entries(g, weight, &gr->order[d]);    /* [.., E] */
    struct wf_tensor *inv = wf_recip0(g, wf_edge_sum(g, A, w, true)); /* [.., N] */
    if (gr->cfg.compat != WF_COMPAT_PGT) return wf_mul(g, w, wf_edge_spread(g, A, inv, true));
    if (d) return wf_take(g, inv, &gr->misaligned);
    struct wf_tensor *there = wf_present(g, w);
    inv = wf_edge_spread(g, A, inv, true);
    return there ? wf_mul(g, inv, there) : inv;
}

struct wf_supports wf_graph_supports(struct wf_tape *g, const struct wf_graph *gr,
                                     struct wf_tensor *weight)
{
    struct wf_supports S = gr->supports;
    bool fits = S.count == 0 || weight_fits(g, gr, weight);
    for (int d = 0; d < S.count; d++)
        S.value[d] = !fits                   ? &g->poison
                     : wf_graph_spectral(gr) ? wf_spectral_values(g, gr, weight)
                                             : walk(g, gr, d, weight);
    return S;
}

/* Builds the supports of the constant weights, once, at init. */
static enum wf_status bake(struct wf_graph *gr, struct wf_error *err)
{
    struct wf_tape g;
    WF_TRY(wf_tape_init(&g, gr->be, err));
    g.recording = false;
    struct wf_supports S = wf_graph_supports(&g, gr, &gr->weight);
    for (int d = 0; d < S.count && g.error.status == WF_OK; d++) {
        enum wf_status s = wf_tensor_alloc(&gr->value[d], gr->be, 1, &S.pattern[d]->nnz, err);
        if (s != WF_OK) {
            wf_tape_free(&g);
            return s;
        }
        WF_RUN(&g, wfk_copy(gr->be, &gr->value[d], S.value[d], false));
        gr->supports.value[d] = &gr->value[d];
    }
    struct wf_error e = g.error;
    wf_tape_free(&g);
    return e.status == WF_OK ? WF_OK : wf_fail(err, e.status, "%s", e.message);
}

/* Checks the weights and copies them into gr->weight. */
static enum wf_status put_weights(struct wf_graph *gr, const struct wf_edges *ed,
                                  struct wf_error *err)
{
    wf_real *w = wf_malloc((size_t)ed->count * sizeof *w);
    if (!w) return wf_fail(err, WF_ENOMEM, "no memory for %d edge weights", ed->count);
    enum wf_status s = wf_tensor_alloc(&gr->weight, gr->be, 1, &ed->count, err);
    for (int e = 0; e < ed->count && s == WF_OK; e++) {
        w[e] = ed->weight ? (wf_real)ed->weight[e] : 1;
        if (!isfinite((double)w[e]) || w[e] < 0)
            s = wf_fail(err, WF_EINVAL, "edge %d (%d -> %d) has weight %g, want a number >= 0", e,
                        ed->source[e], ed->target[e], (double)w[e]);
    }
    if (s == WF_OK) s = wf_tensor_upload(&gr->weight, w);
    wf_free(w);
    return s;
}

static enum wf_status build(struct wf_graph *gr, const struct wf_edges *ed, struct wf_error *err)
{
    struct wf_entries en;
    struct wf_graph_config *cfg = &gr->cfg;
    WF_TRY(put_weights(gr, ed, err));
    if (cfg->kind == WF_CHEB && cfg->dominant)
        WF_TRY(wf_dominant_eigenvalue(ed, cfg, &cfg->lambda_max, err));
    WF_TRY(wf_entries_init(&en, ed, &gr->cfg, err));
    int *scratch = wf_malloc(2 * (size_t)en.count * sizeof *scratch);
    enum wf_status s = WF_OK;
    if (!scratch) s = wf_fail(err, WF_ENOMEM, "no memory for %d edges", ed->count);
    for (int d = 0; d < gr->supports.count && s == WF_OK; d++) {
        s = direction(gr, d, &en, scratch, err);
        gr->supports.pattern[d] = d ? &gr->to_source : &gr->to_target;
    }
    wf_free(scratch);
    wf_entries_free(&en);
    return s == WF_OK ? bake(gr, err) : s;
}

enum wf_status wf_graph_init(struct wf_graph *gr, struct wf_backend *be,
                             const struct wf_edges *edges, const struct wf_graph_config *cfg,
                             struct wf_error *err)
{
    *gr = (struct wf_graph){ .be = be, .cfg = *cfg, .nodes = edges->nodes, .edges = edges->count };
    gr->supports.nodes = edges->nodes;
    gr->supports.count = support_count(cfg->kind);
    if (wf_graph_spectral(gr)) gr->cfg.compat = WF_COMPAT_NONE;
    if (!(cfg->lambda_max >= 0) || isinf(cfg->lambda_max))
        return wf_fail(err, WF_EINVAL, "lambda_max is %g, want a number >= 0", cfg->lambda_max);
    if (wf_supports_terms(&gr->supports, cfg->hops, recursion(gr->cfg.compat)) != WF_OK)
        return wf_fail(err, WF_EINVAL, "%d hops on %d supports: want 0 to %d terms", cfg->hops,
                       gr->supports.count, WF_MAXTERM);
    enum wf_status s = build(gr, edges, err);
    if (s != WF_OK) wf_graph_free(gr);
    return s;
}

enum wf_status wf_graph_from_dense(struct wf_graph *gr, struct wf_backend *be, int nodes,
                                   const float *A, const struct wf_graph_config *cfg,
                                   struct wf_error *err)
{
    int count = 0;
    *gr = (struct wf_graph){ 0 };
    for (ptrdiff_t i = 0; i < (ptrdiff_t)nodes * nodes; i++) count += A[i] != 0;
    int *source = wf_malloc((size_t)count * sizeof *source);
    int *target = wf_malloc((size_t)count * sizeof *target);
    float *weight = wf_malloc((size_t)count * sizeof *weight);
    enum wf_status s = WF_ENOMEM;
    if (source && target && weight) {
        for (int i = 0, e = 0; i < nodes; i++)
            for (int j = 0; j < nodes; j++) {
                float w = A[(ptrdiff_t)i * nodes + j];
                if (w == 0) continue;
                source[e] = i;
                target[e] = j;
                weight[e++] = w;
            }
        struct wf_edges ed = { nodes, count, source, target, weight };
        s = wf_graph_init(gr, be, &ed, cfg, err);
    } else
        wf_fail(err, s, "no memory for %d edges", count);
    wf_free(source);
    wf_free(target);
    wf_free(weight);
    return s;
}

/* Makes support d from a dense matrix. It is read row by row, which is the order of a pattern's
 * entries, so the values need no rearrangement. */
static enum wf_status put_support(struct wf_graph *gr, int d, const float *S, struct wf_error *err)
{
    struct wf_csr *A = d ? &gr->to_source : &gr->to_target;
    int N = gr->nodes, count = 0, e = 0;
    for (ptrdiff_t i = 0; i < (ptrdiff_t)N * N; i++) count += S[i] != 0;
    int *row = wf_malloc((size_t)count * sizeof *row),
        *col = wf_malloc((size_t)count * sizeof *col);
    wf_real *value = wf_malloc((size_t)count * sizeof *value);
    enum wf_status s = WF_OK;
    if (!row || !col || !value) s = wf_fail(err, WF_ENOMEM, "no memory for %d entries", count);
    for (int i = 0; i < N && s == WF_OK; i++)
        for (int j = 0; j < N && s == WF_OK; j++) {
            float v = S[(ptrdiff_t)i * N + j];
            if (v == 0) continue;
            if (!isfinite(v))
                s = wf_fail(err, WF_ENUMERIC, "support %d: entry [%d, %d] is %g", d, i, j,
                            (double)v);
            row[e] = i;
            col[e] = j;
            value[e++] = (wf_real)v;
        }
    if (s == WF_OK) s = wf_csr_from_pairs(A, gr->be, N, N, count, row, col, NULL, err);
    if (s == WF_OK) s = wf_tensor_alloc(&gr->value[d], gr->be, 1, &count, err);
    if (s == WF_OK) s = wf_tensor_upload(&gr->value[d], value);
    gr->supports.pattern[d] = A;
    gr->supports.value[d] = &gr->value[d];
    if (count > gr->edges) gr->edges = count;
    wf_free(row);
    wf_free(col);
    wf_free(value);
    return s;
}

enum wf_status wf_graph_from_supports(struct wf_graph *gr, struct wf_backend *be, int nodes,
                                      const float *const S[2], int hops, enum wf_compat compat,
                                      struct wf_error *err)
{
    struct wf_graph_config cfg = { .hops = hops, .compat = compat };
    *gr = (struct wf_graph){ .be = be, .cfg = cfg, .nodes = nodes };
    gr->supports.nodes = nodes;
    gr->supports.count = 2;
    if (wf_supports_terms(&gr->supports, hops, recursion(compat)) != WF_OK)
        return wf_fail(err, WF_EINVAL, "%d hops on 2 supports: want 0 to %d terms", hops,
                       WF_MAXTERM);
    enum wf_status s = WF_OK;
    for (int d = 0; d < 2 && s == WF_OK; d++) s = put_support(gr, d, S[d], err);
    if (s != WF_OK) wf_graph_free(gr);
    return s;
}

void wf_graph_free(struct wf_graph *gr)
{
    wf_csr_free(&gr->to_target);
    wf_csr_free(&gr->to_source);
    for (int d = 0; d < 2; d++) {
        wf_index_free(&gr->order[d]);
        wf_tensor_free(&gr->value[d]);
    }
    wf_index_free(&gr->misaligned);
    wf_tensor_free(&gr->loop);
    wf_tensor_free(&gr->weight);
    *gr = (struct wf_graph){ 0 };
}
