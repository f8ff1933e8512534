#include "nn/message.h"
#include <math.h>
#include "nn/rnn.h"
#include "tensor/alloc.h"

static const struct wf_init glorot = { .kind = WF_INIT_XAVIER_UNIFORM, .gain = 1 };
static const struct wf_init zero = { .kind = WF_INIT_CONSTANT };

static struct wf_init uniform(int fan)
{
    return (struct wf_init){ .kind = WF_INIT_UNIFORM, .gain = 1 / sqrt(fan > 0 ? fan : 1) };
}

/* Weights that turn a sum into a mean, in the order of the entries: weight_e divided by the number
 * of edges into the target of e. */
static struct wf_tensor *mean_weights(struct wf_tape *g, const struct wf_csr *A,
                                      struct wf_tensor *weight)
{
    struct wf_tensor *there = wf_present(g, weight);
    if (!there) there = wf_full(g, 1, 1, &A->nnz);
    struct wf_tensor *count = wf_edge_sum(g, A, there, false);                /* [.., targets] */
    struct wf_tensor *inv = wf_edge_spread(g, A, wf_recip0(g, count), false); /* [.., E] */
    return weight ? wf_mul(g, weight, inv) : inv;
}

struct wf_tensor *wf_aggregate(struct wf_tape *g, const struct wf_csr *A, struct wf_tensor *weight,
                               struct wf_tensor *x, enum wf_aggr aggr)
{
    char text[WF_SHAPE_TEXT];
    if (aggr == WF_AGGR_MEAN) return wf_spmm(g, A, mean_weights(g, A, weight), x, false);
    if (aggr == WF_AGGR_MAX && weight && weight->ndim > 1)
        return wf_tape_fail(g, WF_EINVAL,
                            "aggregate: the largest message with weights %s, want [%d]",
                            wf_tensor_shape_text(weight, text), A->nnz);
    if (!weight) weight = wf_full(g, 1, 1, &A->nnz);
    return aggr == WF_AGGR_MAX ? wf_edge_max(g, A, weight, x) : wf_spmm(g, A, weight, x, false);
}

/* The 2-norm of x along `axis`, which becomes 1 long; at least 1e-12. The bound is applied to the
 * square, because the slope of the root at 0 is infinite. */
static struct wf_tensor *norm2(struct wf_tape *g, struct wf_tensor *x, int axis)
{
    struct wf_tensor *square = wf_sum(g, wf_square(g, x), axis, true);
    return wf_sqrt(g, wf_max(g, square, wf_full(g, 1e-24, 1, wf_dims(1))));
}

/* ---- GraphSAGE ---- */

void wf_sage_init(struct wf_sage *l, struct wf_params *ps, const char *name,
                  struct wf_sage_config cfg)
{
    char path[WF_NAME_TEXT], part[WF_NAME_TEXT];
    if (!cfg.target) cfg.target = cfg.source;
    *l = (struct wf_sage){ .cfg = cfg };
    wf_params_path(path, name, "neighbour");
    l->neighbour.weight = wf_params_add(ps, wf_params_path(part, path, "weight"), 2,
                                        wf_dims(cfg.source, cfg.out), uniform(cfg.source));
    if (!cfg.no_bias)
        l->neighbour.bias = wf_params_add(ps, wf_params_path(part, path, "bias"), 1,
                                          wf_dims(cfg.out), uniform(cfg.source));
    if (!cfg.no_root)
        l->root = wf_params_add(ps, wf_params_path(path, name, "root"), 2,
                                wf_dims(cfg.target, cfg.out), uniform(cfg.target));
}

struct wf_tensor *wf_sage(struct wf_tape *g, const struct wf_sage *l, const struct wf_csr *A,
                          struct wf_tensor *weight, struct wf_tensor *x, struct wf_tensor *t)
{
    struct wf_tensor *there = wf_present(g, weight);
    struct wf_tensor *y = wf_linear(g, &l->neighbour, wf_aggregate(g, A, there, x, l->cfg.aggr));
    if (l->root) y = wf_add(g, y, wf_matmul(g, t, l->root)); /* [.., targets, out] */
    return l->cfg.normalize ? wf_div(g, y, norm2(g, y, -1)) : y;
}

void wf_sage_names(struct wf_renames *t, const char *theirs, const char *ours,
                   const struct wf_sage *l, int first)
{
    struct wf_rename row[] = {
        { .theirs = "lin_l.weight", .ours = "neighbour.weight", .axes = "10", .first = first },
        { .theirs = "lin_l.bias", .ours = "neighbour.bias", .first = first },
        { .theirs = "lin_r.weight", .ours = "root", .axes = "10", .first = first },
    };
    const struct wf_tensor *param[] = { l->neighbour.weight, l->neighbour.bias, l->root };
    for (int i = 0; i < 3; i++)
        if (param[i]) wf_renames_add(t, theirs, ours, row[i]);
}

/* ---- RGCN ---- */

void wf_rgcn_init(struct wf_rgcn *l, struct wf_params *ps, const char *name,
                  struct wf_rgcn_config cfg)
{
    char path[WF_NAME_TEXT];
    if (!cfg.parts) cfg.parts = 1;
    int P = cfg.parts, R = cfg.relations, K = cfg.bases, O = cfg.out;
    *l = (struct wf_rgcn){ .cfg = cfg };
    struct wf_init part = glorot; /* as for one of the convolutions alone */
    part.fan_in = cfg.in;
    part.fan_out = O / P;
    l->weight = wf_params_add(ps, wf_params_path(path, name, "weight"), 3,
                              wf_dims(K ? K : R, cfg.in, O), part);
    l->root = wf_params_add(ps, wf_params_path(path, name, "root"), 2, wf_dims(cfg.in, O), part);
    l->bias = wf_params_add(ps, wf_params_path(path, name, "bias"), 1, wf_dims(O), zero);
    part.fan_in = R;
    part.fan_out = K;
    if (K)
        l->comp = wf_params_add(ps, wf_params_path(path, name, "comp"), 2, wf_dims(R, P * K), part);
}

/* The matrices W_r of all relations, one below the other: [relations * in, out]. */
static struct wf_tensor *relation_weights(struct wf_tape *g, const struct wf_rgcn *l)
{
    int P = l->cfg.parts, R = l->cfg.relations, K = l->cfg.bases, in = l->cfg.in, O = l->cfg.out;
    if (!l->comp) return wf_reshape(g, l->weight, 2, wf_dims(R * in, O));
    struct wf_tensor *c = wf_reshape(g, l->comp, 3, wf_dims(R, P, K));
    struct wf_tensor *v = wf_reshape(g, l->weight, 4, wf_dims(K, in, P, O / P));
    c = wf_permute(g, c, 1, 0, 2);                                   /* [P, R, K] */
    v = wf_permute(g, v, 2, 0, 1, 3);                                /* [P, K, in, O / P] */
    v = wf_reshape(g, v, 3, wf_dims(P, K, -1));                      /* [P, K, in * O / P] */
    v = wf_reshape(g, wf_matmul(g, c, v), 4, wf_dims(P, R, in, -1)); /* [P, R, in, O / P] */
    return wf_reshape(g, wf_permute(g, v, 1, 2, 0, 3), 2, wf_dims(R * in, O));
}

struct wf_tensor *wf_rgcn(struct wf_tape *g, const struct wf_rgcn *l, const struct wf_csr *A,
                          struct wf_tensor *weight, struct wf_tensor *x)
{
    int R = l->cfg.relations, in = l->cfg.in, shape[WF_MAXDIM];
    char text[WF_SHAPE_TEXT];
    if (g->error.status != WF_OK) return &g->poison;
    if (x->ndim < 2 || A->rows != A->cols * R || x->shape[x->ndim - 1] != in)
        return wf_tape_fail(
            g, WF_EINVAL, "rgcn: x is %s, the pattern [%d, %d]: want [.., N, %d] and %d relations",
            wf_tensor_shape_text(x, text), A->rows, A->cols, in, R);
    struct wf_tensor *there = wf_present(g, weight);
    struct wf_tensor *y = wf_aggregate(g, A, there, x, WF_AGGR_MEAN); /* [.., N * R, in] */
    for (int i = 0; i < x->ndim; i++) shape[i] = x->shape[i];
    shape[x->ndim - 1] = R * in;
    y = wf_matmul(g, wf_reshape(g, y, x->ndim, shape), relation_weights(g, l)); /* [.., N, out] */
    return wf_add(g, y, wf_linear_op(g, x, l->root, l->bias));
}

void wf_rgcn_names(struct wf_renames *t, const char *theirs, const char *ours,
                   const struct wf_rgcn *l, int part)
{
    static const char *const name[] = { "weight", "root", "bias" };
    for (int i = 0; i < 3; i++)
        wf_renames_add(t, theirs, ours,
                       (struct wf_rename){ .theirs = name[i],
                                           .ours = name[i],
                                           .first = part * l->cfg.out / l->cfg.parts });
    if (l->comp)
        wf_renames_add(
            t, theirs, ours,
            (struct wf_rename){ .theirs = "comp", .ours = "comp", .first = part * l->cfg.bases });
}

enum wf_status wf_relation_pattern(struct wf_csr *A, struct wf_backend *be,
                                   const struct wf_edges *ed, const int *type, int relations,
                                   struct wf_error *err)
{
    *A = (struct wf_csr){ 0 };
    int *row = wf_malloc((size_t)ed->count * sizeof *row);
    if (!row) return wf_fail(err, WF_ENOMEM, "no memory for %d edges", ed->count);
    enum wf_status s = WF_OK;
    for (int e = 0; e < ed->count && !s; e++) {
        int i = ed->target[e];
        row[e] = i * relations + type[e];
        if (type[e] < 0 || type[e] >= relations || i < 0 || i >= ed->nodes)
            s = wf_fail(err, WF_EINVAL, "edge %d has type %d and target %d, outside %d and %d", e,
                        type[e], i, relations, ed->nodes);
    }
    if (!s)
        s = wf_csr_from_pairs(A, be, ed->nodes * relations, ed->nodes, ed->count, row, ed->source,
                              NULL, err);
    wf_free(row);
    return s;
}

/* ---- gated graph ---- */

void wf_gated_graph_init(struct wf_gated_graph *l, struct wf_params *ps, const char *name,
                         int layers, int channels, enum wf_aggr aggr)
{
    char path[WF_NAME_TEXT];
    *l = (struct wf_gated_graph){ .layers = layers, .channels = channels, .aggr = aggr };
    l->weight = wf_params_add(ps, wf_params_path(path, name, "weight"), 3,
                              wf_dims(layers, channels, channels), uniform(channels));
    wf_gru_init(&l->rnn, ps, wf_params_path(path, name, "rnn"), channels, channels);
}

struct wf_tensor *wf_gated_graph(struct wf_tape *g, const struct wf_gated_graph *l,
                                 const struct wf_csr *A, struct wf_tensor *weight,
                                 struct wf_tensor *x)
{
    char text[WF_SHAPE_TEXT];
    int C = l->channels, shape[WF_MAXDIM], last = x->ndim - 1;
    if (g->error.status != WF_OK) return &g->poison;
    if (last < 1 || x->shape[last] > C)
        return wf_tape_fail(g, WF_EINVAL, "gated graph: x is %s, want [.., N, at most %d]",
                            wf_tensor_shape_text(x, text), C);
    for (int i = 0; i <= last; i++) shape[i] = x->shape[i];
    shape[last] = C - x->shape[last];
    if (shape[last] > 0) x = wf_concat(g, x, wf_zeros(g, last + 1, shape)); /* [.., N, C] */
    for (int k = 0; k < l->layers; k++) {
        struct wf_tensor *m = wf_matmul(g, x, wf_select(g, l->weight, 0, k));
        x = wf_gru(g, &l->rnn, wf_aggregate(g, A, weight, m, l->aggr), x);
    }
    return x;
}

void wf_gated_graph_names(struct wf_renames *t, const char *theirs, const char *ours)
{
    char a[WF_NAME_TEXT], b[WF_NAME_TEXT];
    wf_renames_add(t, theirs, ours, (struct wf_rename){ .theirs = "weight", .ours = "weight" });
    wf_gru_names(t, wf_params_path(a, theirs, "rnn"), wf_params_path(b, ours, "rnn"), "");
}

/* ---- pooling ---- */

void wf_topk_pool_init(struct wf_topk_pool *l, struct wf_params *ps, const char *name, int channels)
{
    char path[WF_NAME_TEXT];
    l->weight = wf_params_add(ps, wf_params_path(path, name, "weight"), 2, wf_dims(channels, 1),
                              uniform(channels));
}

struct wf_pooled wf_topk_pool(struct wf_tape *g, const struct wf_topk_pool *l, struct wf_tensor *x,
                              int k)
{
    struct wf_tensor *p = wf_div(g, l->weight, norm2(g, l->weight, 0)); /* [C, 1] */
    struct wf_tensor *y = wf_tanh(g, wf_matmul(g, x, p));               /* [.., N, 1] */
    struct wf_pooled out = { &g->poison, &g->poison, &g->poison };
    if (g->error.status != WF_OK) return out;
    out.perm = wf_topk(g, wf_reshape(g, y, y->ndim - 1, y->shape), k); /* [.., k] */
    y = wf_pick(g, y, out.perm);                                       /* [.., k, 1] */
    out.x = wf_mul(g, wf_pick(g, x, out.perm), y);                     /* [.., k, C] */
    out.score = g->error.status ? y : wf_reshape(g, y, y->ndim - 1, y->shape);
    return out;
}

void wf_topk_pool_names(struct wf_renames *t, const char *theirs, const char *ours)
{
    wf_renames_add(t, theirs, ours,
                   (struct wf_rename){ .theirs = "select.weight", .ours = "weight", .axes = "10" });
}

int wf_topk_edges(const struct wf_edges *ed, int k, const int *perm, int *source, int *target)
{
    int n = 0, *place = wf_malloc((size_t)ed->nodes * sizeof *place);
    if (!place) return -1;
    for (int i = 0; i < ed->nodes; i++) place[i] = -1;
    for (int i = 0; i < k; i++) place[perm[i]] = i;
    for (int e = 0; e < ed->count; e++) {
        int i = place[ed->source[e]], j = place[ed->target[e]];
        if (i < 0 || j < 0) continue;
        source[n] = i;
        target[n++] = j;
    }
    wf_free(place);
    return n;
}
