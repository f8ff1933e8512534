#include "models/avwgcn.h"
#include <math.h>

void wf_avwgcn_init(struct wf_avwgcn *l, struct wf_params *ps, const char *name, int embedding,
                    int in, int out, int terms)
{
    char path[WF_NAME_TEXT];
    /* The weights of a node are sums over its embedding, which is N(0, 1); this gain gives these
     * sums the variance of Glorot. */
    struct wf_init glorot = { .kind = WF_INIT_XAVIER_UNIFORM,
                              .gain = 1 / sqrt(embedding > 0 ? embedding : 1),
                              .fan_in = terms * in,
                              .fan_out = out };
    l->weight = wf_params_add(ps, wf_params_path(path, name, "weight"), 4,
                              wf_dims(embedding, terms, in, out), glorot);
    l->bias = wf_params_add(ps, wf_params_path(path, name, "bias"), 2, wf_dims(embedding, out),
                            (struct wf_init){ .kind = WF_INIT_CONSTANT });
}

struct wf_avwgcn_nodes wf_avwgcn_bind(struct wf_tape *g, const struct wf_avwgcn *l,
                                      struct wf_tensor *E)
{
    const int *w = l->weight->shape; /* [d, terms, in, out] */
    int KC = w[1] * w[2], O = w[3];
    struct wf_tensor *pool = wf_reshape(g, l->weight, 2, wf_dims(w[0], KC * O));
    return (struct wf_avwgcn_nodes){
        .weight = wf_reshape(g, wf_matmul(g, E, pool), 3, wf_dims(-1, KC, O)),
        .bias = wf_unsqueeze(g, wf_matmul(g, E, l->bias), 1),
        .terms = w[1],
    };
}

struct wf_tensor *wf_agcrn_graph(struct wf_tape *g, struct wf_tensor *E)
{
    return wf_softmax(g, wf_relu(g, wf_matmul(g, E, wf_permute(g, E, 1, 0))), 1);
}

/* S x for x [N, B, C], as one product with all samples side by side. */
static struct wf_tensor *hop(struct wf_tape *g, struct wf_tensor *S, struct wf_tensor *x)
{
    if (g->error.status != WF_OK) return &g->poison;
    int N = x->shape[0], B = x->shape[1], C = x->shape[2];
    struct wf_tensor *y = wf_matmul(g, S, wf_reshape(g, x, 2, wf_dims(N, B * C)));
    return wf_reshape(g, y, 3, wf_dims(N, B, C));
}

struct wf_tensor *wf_avwgcn_by_node(struct wf_tape *g, const struct wf_avwgcn_nodes *l,
                                    struct wf_tensor *S, struct wf_tensor *x)
{
    char text[WF_SHAPE_TEXT];
    struct wf_tensor *T[WF_MAXTERM];
    int K = l->terms;
    if (g->error.status != WF_OK) return &g->poison;
    if (x->ndim != 3 || K > WF_MAXTERM)
        return wf_tape_fail(g, WF_EINVAL, "avwgcn: x %s, %d terms: want [N, B, C], at most %d",
                            wf_tensor_shape_text(x, text), K, WF_MAXTERM);
    T[0] = wf_contiguous(g, x);
    if (K == 1) T[0] = wf_add(g, T[0], hop(g, S, T[0]));
    for (int k = 1; k < K; k++) {
        T[k] = hop(g, S, T[k - 1]);
        if (k > 1) T[k] = wf_sub(g, wf_affine(g, T[k], 2, 0), T[k - 2]);
    }
    struct wf_tensor *y = wf_matmul(g, wf_concat_n(g, T, K, -1), l->weight); /* [N, B, O] */
    return wf_add(g, y, l->bias);
}

struct wf_tensor *wf_avwgcn(struct wf_tape *g, const struct wf_avwgcn_nodes *l, struct wf_tensor *S,
                            struct wf_tensor *x)
{
    return wf_nodes_first(g, wf_avwgcn_by_node(g, l, S, wf_nodes_first(g, x)));
}

struct wf_tensor *wf_nodes_first(struct wf_tape *g, struct wf_tensor *x)
{
    return wf_permute(g, x, 1, 0, 2);
}

void wf_avwgcn_names(struct wf_renames *t, const char *theirs, const char *ours)
{
    wf_renames_add(t, theirs, ours,
                   (struct wf_rename){ .theirs = "weights_pool", .ours = "weight" });
    wf_renames_add(t, theirs, ours, (struct wf_rename){ .theirs = "bias_pool", .ours = "bias" });
}
