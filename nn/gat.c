#include "nn/gat.h"
#include "tensor/alloc.h"

/* ---- graph ---- */

/* Lists the ends of every entry of the pattern and the edge that the entry comes from, number E for
 * a loop that was added; returns the number of entries. With `loops` given loops are left out. */
static int list_entries(const struct wf_edges *ed, bool loops, int *target, int *source, int *edge)
{
    int n = 0;
    for (int e = 0; e < ed->count; e++) {
        if (loops && ed->source[e] == ed->target[e]) continue;
        target[n] = ed->target[e];
        source[n] = ed->source[e];
        edge[n++] = e;
    }
    for (int i = 0; loops && i < ed->nodes; i++) {
        target[n] = source[n] = i;
        edge[n++] = ed->count;
    }
    return n;
}

/* scratch has room for four lists of E + N numbers. */
static enum wf_status build(struct wf_gat_graph *G, struct wf_backend *be,
                            const struct wf_edges *ed, bool loops, int *scratch,
                            struct wf_error *err)
{
    int most = ed->count + ed->nodes, N = ed->nodes;
    int *target = scratch, *source = target + most, *edge = source + most, *entry = edge + most;
    int n = list_entries(ed, loops, target, source, edge), *order = target;
    WF_TRY(wf_csr_from_pairs(&G->pattern, be, N, N, n, target, source, entry, err));
    WF_TRY(wf_tensor_alloc(&G->loop, be, 1, &n, err));
    wf_real *loop = wf_malloc((size_t)n * sizeof *loop);
    if (!loop) return wf_fail(err, WF_ENOMEM, "no memory for %d edges", n);
    for (int k = 0; k < n; k++) {
        order[entry[k]] = edge[k];
        loop[entry[k]] = edge[k] == ed->count;
    }
    enum wf_status s = wf_index_init(&G->order, be, ed->count + 1, n, order, err);
    if (!s && wf_tensor_upload(&G->loop, loop))
        s = wf_fail(err, WF_EDEVICE, "cannot upload %d edges to %s", n, be->name);
    wf_free(loop);
    return s;
}

enum wf_status wf_gat_graph_init(struct wf_gat_graph *G, struct wf_backend *be,
                                 const struct wf_edges *ed, bool loops, struct wf_error *err)
{
    *G = (struct wf_gat_graph){ 0 };
    int *scratch = wf_malloc(4 * (size_t)(ed->count + ed->nodes) * sizeof *scratch);
    if (!scratch) return wf_fail(err, WF_ENOMEM, "no memory for %d edges", ed->count);
    enum wf_status s = build(G, be, ed, loops, scratch, err);
    wf_free(scratch);
    if (s) wf_gat_graph_free(G);
    return s;
}

void wf_gat_graph_free(struct wf_gat_graph *G)
{
    wf_csr_free(&G->pattern);
    wf_index_free(&G->order);
    wf_tensor_free(&G->loop);
    *G = (struct wf_gat_graph){ 0 };
}

/* ---- layer ---- */

struct wf_gat_config wf_gat_defaults(int in, int channels)
{
    return (struct wf_gat_config){ .in = in, .channels = channels, .heads = 1, .slope = 0.2 };
}

void wf_gat_init(struct wf_gat *l, struct wf_params *ps, const char *name, struct wf_gat_config cfg)
{
    char path[WF_NAME_TEXT];
    struct wf_init glorot = { .kind = WF_INIT_XAVIER_UNIFORM, .gain = 1 }, zero = { 0 };
    int H = cfg.heads, C = cfg.channels, D = cfg.edge_channels;
    *l = (struct wf_gat){ .cfg = cfg };
    l->weight =
        wf_params_add(ps, wf_params_path(path, name, "weight"), 2, wf_dims(cfg.in, H * C), glorot);
    l->source = wf_params_add(ps, wf_params_path(path, name, "source"), 2, wf_dims(H, C), glorot);
    l->target = wf_params_add(ps, wf_params_path(path, name, "target"), 2, wf_dims(H, C), glorot);
    if (!cfg.no_bias)
        l->bias = wf_params_add(ps, wf_params_path(path, name, "bias"), 1,
                                wf_dims(cfg.mean ? C : H * C), zero);
    if (!D) return;
    l->edge_weight =
        wf_params_add(ps, wf_params_path(path, name, "edge_weight"), 2, wf_dims(D, H * C), glorot);
    l->edge = wf_params_add(ps, wf_params_path(path, name, "edge"), 2, wf_dims(H, C), glorot);
}

/* Vectors v_h that give the scores without the hidden values, as a score is linear in what the
 * weight w [in, H * C] reads: att_h . (x w)_h = x v_h. Returns v, [in, H]. */
static struct wf_tensor *score_weights(struct wf_tape *g, const struct wf_gat *l,
                                       struct wf_tensor *w, struct wf_tensor *att)
{
    w = wf_reshape(g, w, 3, wf_dims(-1, l->cfg.heads, l->cfg.channels)); /* [in, H, C] */
    return wf_sum(g, wf_mul(g, w, att), -1, false);
}

/* 1 for every entry that is there, else 0, [B, entries]; NULL where all are. A loop that was added
 * is always there. */
static struct wf_tensor *present(struct wf_tape *g, const struct wf_gat_graph *G,
                                 struct wf_tensor *weight)
{
    if (!weight || weight->ndim < 2) return NULL;
    weight = wf_reshape(g, weight, 2, wf_dims(-1, weight->shape[weight->ndim - 1]));
    if (g->error.status != WF_OK) return NULL;
    struct wf_tensor *loop = wf_full(g, 1, 2, wf_dims(weight->shape[0], 1));
    return wf_present(g, wf_at_entries(g, wf_concat(g, weight, loop), &G->order));
}

/* What the edge attributes a [E, edge_channels] add to the scores, [.., H, entries]. A loop that
 * was added has the mean attributes of the edges into its node; as scores are linear in attributes,
 * its score is the mean of their scores. */
static struct wf_tensor *edge_scores(struct wf_tape *g, const struct wf_gat *l,
                                     const struct wf_gat_graph *G, struct wf_tensor *there,
                                     struct wf_tensor *a)
{
    struct wf_tensor *loop = wf_tape_view(g, G->loop), *part[2];
    part[0] = wf_matmul(g, a, score_weights(g, l, l->edge_weight, l->edge)); /* [E, H] */
    part[1] = wf_zeros(g, 2, wf_dims(1, l->cfg.heads));
    struct wf_tensor *s = wf_take(g, wf_concat_n(g, part, 2, 0), &G->order); /* [entries, H] */
    s = wf_permute(g, s, 1, 0);
    struct wf_tensor *given = wf_affine(g, loop, -1, 1), *counted = s; /* [entries] */
    if (there) {
        given = wf_unsqueeze(g, wf_mul(g, there, given), 1); /* [B, 1, entries] */
        counted = wf_mul(g, s, given);                       /* [B, H, entries] */
    }
    struct wf_tensor *n = wf_edge_sum(g, &G->pattern, given, false);     /* [N] or [B, 1, N] */
    struct wf_tensor *sum = wf_edge_sum(g, &G->pattern, counted, false); /* [.., H, N] */
    struct wf_tensor *mean = wf_mul(g, sum, wf_recip0(g, n));            /* [.., H, N] */
    return wf_add(g, s, wf_mul(g, loop, wf_edge_spread(g, &G->pattern, mean, false)));
}

/* Softmax of the scores over the edges into each node, [B, H, entries], for x [B, N, in]. A node
 * none of whose edges is there attends to nothing: its weights are 0. */
static struct wf_tensor *attention(struct wf_tape *g, const struct wf_gat *l,
                                   const struct wf_gat_graph *G, struct wf_tensor *weight,
                                   struct wf_tensor *x, struct wf_tensor *a)
{
    int H = l->cfg.heads;
    struct wf_tensor *there = present(g, G, weight);
    struct wf_tensor *v = wf_concat(g, score_weights(g, l, l->weight, l->source),
                                    score_weights(g, l, l->weight, l->target)); /* [in, 2H] */
    struct wf_tensor *s = wf_permute(g, wf_matmul(g, x, v), 0, 2, 1);           /* [B, 2H, N] */
    struct wf_tensor *e =
        wf_add(g, wf_edge_spread(g, &G->pattern, wf_slice(g, s, 1, 0, H), true),
               wf_edge_spread(g, &G->pattern, wf_slice(g, s, 1, H, 2 * H), false));
    if (a) e = wf_add(g, e, edge_scores(g, l, G, there, a)); /* [B, H, entries] */
    e = wf_leaky_relu(g, e, l->cfg.slope);
    if (!there) return wf_edge_softmax(g, &G->pattern, e);
    there = wf_unsqueeze(g, there, 1);
    e = wf_add(g, e, wf_affine(g, there, 1e30, -1e30)); /* far below every score */
    return wf_mul(g, wf_edge_softmax(g, &G->pattern, e), there);
}

struct wf_tensor *wf_gat(struct wf_tape *g, const struct wf_gat *l, const struct wf_gat_graph *G,
                         struct wf_tensor *weight, struct wf_tensor *x, struct wf_tensor *a)
{
    char text[WF_SHAPE_TEXT];
    int N = G->pattern.cols, H = l->cfg.heads, C = l->cfg.channels, ndim = x->ndim;
    int shape[WF_MAXDIM];
    if (g->error.status != WF_OK) return &g->poison;
    if (ndim < 2 || x->shape[ndim - 2] != N || x->shape[ndim - 1] != l->cfg.in)
        return wf_tape_fail(g, WF_EINVAL, "gat: x is %s, want [.., %d, %d]",
                            wf_tensor_shape_text(x, text), N, l->cfg.in);
    if (a && !l->edge_weight)
        return wf_tape_fail(g, WF_EINVAL, "gat: edges have attributes %s, the layer reads none",
                            wf_tensor_shape_text(a, text));
    for (int i = 0; i < ndim; i++) shape[i] = x->shape[i];
    shape[ndim - 1] = l->cfg.mean ? C : H * C;
    x = wf_reshape(g, x, 3, wf_dims(-1, N, l->cfg.in)); /* [B, N, in] */
    struct wf_tensor *h = wf_reshape(g, wf_matmul(g, x, l->weight), 4, wf_dims(-1, N, H, C));
    h = wf_permute(g, h, 0, 2, 1, 3); /* [B, H, N, C] */
    struct wf_tensor *y = wf_spmm(g, &G->pattern, attention(g, l, G, weight, x, a), h, false);
    y = l->cfg.mean ? wf_mean(g, y, 1, false) : wf_permute(g, y, 0, 2, 1, 3);
    y = wf_reshape(g, y, ndim, shape);
    return l->bias ? wf_add(g, y, l->bias) : y;
}

void wf_gat_names(struct wf_renames *t, const char *theirs, const char *ours,
                  const struct wf_gat *l)
{
    static const struct wf_rename node[] = {
        { .theirs = "lin.weight", .ours = "weight", .axes = "10" },
        { .theirs = "att_src", .ours = "source" },
        { .theirs = "att_dst", .ours = "target" },
    };
    static const struct wf_rename edge[] = {
        { .theirs = "lin_edge.weight", .ours = "edge_weight", .axes = "10" },
        { .theirs = "att_edge", .ours = "edge" },
    };
    for (int i = 0; i < 3; i++) wf_renames_add(t, theirs, ours, node[i]);
    for (int i = 0; i < 2 && l->edge; i++) wf_renames_add(t, theirs, ours, edge[i]);
    if (l->bias)
        wf_renames_add(t, theirs, ours, (struct wf_rename){ .theirs = "bias", .ours = "bias" });
}
