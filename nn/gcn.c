#include "nn/gcn.h"
#include <stdio.h>
#include "nn/layers.h"

static struct wf_tensor *add_weight(struct wf_params *ps, const char *name, int ndim,
                                    const int *shape, int in, int out)
{
    char path[WF_NAME_TEXT];
    struct wf_init glorot = {
        .kind = WF_INIT_XAVIER_UNIFORM, .gain = 1, .fan_in = in, .fan_out = out
    };
    return wf_params_add(ps, wf_params_path(path, name, "weight"), ndim, shape, glorot);
}

static struct wf_tensor *add_bias(struct wf_params *ps, const char *name, int out, bool bias)
{
    char path[WF_NAME_TEXT];
    if (!bias) return NULL;
    return wf_params_add(ps, wf_params_path(path, name, "bias"), 1, wf_dims(out),
                         (struct wf_init){ .kind = WF_INIT_CONSTANT });
}

/* The layers of this file read S->pattern[0]; this checks that it is the only one. */
static bool one_support(struct wf_tape *g, const char *layer, const struct wf_supports *S)
{
    if (S->count == 1) return g->error.status == WF_OK;
    wf_tape_fail(g, WF_EINVAL, "%s: the graph has %d supports, want 1", layer, S->count);
    return false;
}

void wf_gcn_init(struct wf_gcn *l, struct wf_params *ps, const char *name, int in, int out,
                 bool bias)
{
    l->weight = add_weight(ps, name, 2, wf_dims(in, out), in, out);
    l->bias = add_bias(ps, name, out, bias);
}

/* As P (X W) = (P X) W, the sparse product is taken on the side that has fewer channels. */
struct wf_tensor *wf_gcn(struct wf_tape *g, const struct wf_gcn *l, const struct wf_supports *S,
                         struct wf_tensor *x)
{
    if (!one_support(g, "gcn", S)) return &g->poison;
    if (l->weight->shape[0] <= l->weight->shape[1])
        return wf_linear_op(g, wf_spmm(g, S->pattern[0], S->value[0], x, false), l->weight,
                            l->bias);
    x = wf_spmm(g, S->pattern[0], S->value[0], wf_matmul(g, x, l->weight), false);
    return l->bias ? wf_add(g, x, l->bias) : x;
}

void wf_gcn_names(struct wf_renames *t, const char *theirs, const char *ours, int first, bool bias)
{
    struct wf_rename b = { .theirs = "bias", .ours = "bias", .first = first };
    wf_renames_add(t, theirs, ours,
                   (struct wf_rename){
                       .theirs = "lin.weight", .ours = "weight", .axes = "10", .first = first });
    if (bias) wf_renames_add(t, theirs, ours, b);
}

void wf_cheb_init(struct wf_cheb *l, struct wf_params *ps, const char *name, int in, int out,
                  int terms, bool bias)
{
    l->weight = add_weight(ps, name, 2, wf_dims(terms * in, out), in, out);
    l->bias = add_bias(ps, name, out, bias);
}

struct wf_tensor *wf_cheb(struct wf_tape *g, const struct wf_cheb *l, const struct wf_supports *S,
                          struct wf_tensor *x, enum wf_act act)
{
    char text[WF_SHAPE_TEXT];
    int shape[WF_MAXDIM], n = x->ndim;
    if (g->error.status != WF_OK) return &g->poison;
    if (n < 2)
        return wf_tape_fail(g, WF_EINVAL, "cheb: x is %s, want [.., N, C]",
                            wf_tensor_shape_text(x, text));
    struct wf_dconv conv = { l->weight, l->bias };
    if (wf_supports_vary(S)) return wf_dconv(g, &conv, S, x, NULL, act);
    for (int i = 0; i < n; i++) shape[i] = i + 1 < n ? x->shape[i] : l->weight->shape[1];
    if (n != 3) x = wf_reshape(g, x, 3, wf_dims(-1, x->shape[n - 2], x->shape[n - 1]));
    return wf_reshape(g, wf_dconv(g, &conv, S, x, NULL, act), n, shape);
}

void wf_cheb_names(struct wf_renames *t, const char *theirs, const char *ours,
                   struct wf_cheb_place p)
{
    char name[WF_NAME_TEXT];
    struct wf_rename w = { .theirs = name, .ours = "weight", .axes = "10", .first = p.first };
    struct wf_rename b = { .theirs = "bias", .ours = p.bias, .first = p.first };
    for (int k = 0; k < p.terms; k++) {
        snprintf(name, sizeof name, "lins.%d.weight", k);
        w.row = k * p.channels + p.row;
        wf_renames_add(t, theirs, ours, w);
    }
    if (p.bias) wf_renames_add(t, theirs, ours, b);
}

void wf_cheb_pair_init(struct wf_cheb_pair *l, struct wf_params *ps, const char *name, int in,
                       int hidden, int out, int terms)
{
    char path[WF_NAME_TEXT];
    l->in = in;
    l->hidden = hidden;
    l->terms = terms;
    wf_cheb_init(&l->conv, ps, name, in + hidden, out, terms, true);
    l->bias_h = wf_params_add(ps, wf_params_path(path, name, "bias_h"), 1, wf_dims(out),
                              (struct wf_init){ .kind = WF_INIT_CONSTANT });
}

struct wf_tensor *wf_cheb_pair(struct wf_tape *g, const struct wf_cheb_pair *l,
                               const struct wf_supports *S, struct wf_tensor *x,
                               struct wf_tensor *h, enum wf_act act)
{
    struct wf_dconv conv = { l->conv.weight, wf_add(g, l->conv.bias, l->bias_h) };
    return wf_dconv(g, &conv, S, x, h, act);
}

void wf_cheb_pair_names(struct wf_renames *t, const struct wf_cheb_pair *l, const char *their_x,
                        const char *their_h, const char *ours, int first)
{
    int C = l->in + l->hidden;
    wf_cheb_names(t, their_x, ours, (struct wf_cheb_place){ l->terms, C, 0, first, "bias" });
    wf_cheb_names(t, their_h, ours, (struct wf_cheb_place){ l->terms, C, l->in, first, "bias_h" });
}

void wf_cheb_attention_init(struct wf_cheb_attention *l, struct wf_params *ps, const char *name,
                            int in, int out, int terms)
{
    l->weight = add_weight(ps, name, 3, wf_dims(terms, in, out), in, out);
    l->bias = add_bias(ps, name, out, true);
    l->every_term = false;
}

/* The unit matrix, for products with the support: [N, N], or [B, N, N] as A where the support
 * differs from sample to sample. */
static struct wf_tensor *unit(struct wf_tape *g, const struct wf_supports *S,
                              const struct wf_tensor *A)
{
    struct wf_tensor *I = wf_identity(g, S->nodes);
    return wf_supports_vary(S) ? wf_expand(g, I, 3, A->shape) : I;
}

/* Terms T[0] = diag(A) x and T[k] = (M_k * A) x for x [B, N, D], where M_k = T_k(S) and the support
 * S is Lt^T. */
static void attended_terms(struct wf_tape *g, const struct wf_supports *S, struct wf_tensor *x,
                           struct wf_tensor *A, struct wf_tensor **T, int terms)
{
    struct wf_tensor *v = S->value[0], *M[WF_MAXTERM] = { unit(g, S, A) }; /* [.., N, N] */
    T[0] = wf_mul(g, wf_sum(g, wf_mul(g, A, M[0]), -1, true), x);
    for (int k = 1; k < terms; k++) {
        M[k] = wf_spmm(g, S->pattern[0], v, M[k - 1], false);
        if (k > 1) M[k] = wf_sub(g, wf_affine(g, M[k], 2, 0), M[k - 2]);
        T[k] = wf_matmul(g, wf_mul(g, A, M[k]), x);
    }
}

/* Terms as PyTorch Geometric Temporal has them (nn/gcn.h). The attention is dense, so Lt is made
 * dense for the product with it. The support is Lt^T, hence the transposed products. */
static void first_terms(struct wf_tape *g, const struct wf_supports *S, struct wf_tensor *x,
                        struct wf_tensor *A, struct wf_tensor **T, int terms)
{
    struct wf_tensor *v = S->value[0], *I = unit(g, S, A); /* [.., N, N] */
    T[0] = wf_mul(g, wf_sum(g, wf_mul(g, A, I), -1, true), x);
    if (terms > 1) {
        struct wf_tensor *L = wf_spmm(g, S->pattern[0], v, I, true); /* [.., N, N] */
        T[1] = wf_matmul(g, wf_mul(g, A, L), T[0]);
    }
    for (int k = 2; k < terms; k++) {
        T[k] = wf_spmm(g, S->pattern[0], v, T[k - 1], true);
        T[k] = wf_sub(g, wf_affine(g, T[k], 2, 0), T[k - 2]);
    }
}

/* The steps of x are put side by side as channels of a node, so that each term is one product per
 * sample. */
struct wf_tensor *wf_cheb_attention(struct wf_tape *g, const struct wf_cheb_attention *l,
                                    const struct wf_supports *S, struct wf_tensor *x,
                                    struct wf_tensor *A)
{
    int terms = l->weight->shape[0], in = l->weight->shape[1], out = l->weight->shape[2];
    int n = x->ndim, B = x->shape[0], N = S->nodes, steps = n == 4 ? x->shape[1] : 1;
    struct wf_tensor *T[WF_MAXTERM];
    char text[WF_SHAPE_TEXT];
    if (!one_support(g, "cheb_attention", S)) return &g->poison;
    if (terms > WF_MAXTERM)
        return wf_tape_fail(g, WF_EINVAL, "cheb_attention: %d terms, want at most %d", terms,
                            WF_MAXTERM);
    if (n < 3 || n > 4 || x->shape[n - 2] != N || x->shape[n - 1] != in)
        return wf_tape_fail(g, WF_EINVAL, "cheb_attention: x is %s, want [B, %d, %d] or [B, T, ..]",
                            wf_tensor_shape_text(x, text), N, in);
    if (n == 4) x = wf_reshape(g, wf_permute(g, x, 0, 2, 1, 3), 3, wf_dims(B, N, steps * in));
    (l->every_term ? attended_terms : first_terms)(g, S, x, A, T, terms);
    for (int k = 0; k < terms; k++) T[k] = wf_reshape(g, T[k], 4, wf_dims(B, N, steps, in));
    struct wf_tensor *w = wf_reshape(g, l->weight, 2, wf_dims(terms * in, out));
    struct wf_tensor *y = wf_linear_op(g, wf_concat_n(g, T, terms, -1), w, l->bias);
    return n == 4 ? wf_permute(g, y, 0, 2, 1, 3) : wf_reshape(g, y, 3, wf_dims(B, N, out));
}

void wf_cheb_attention_names(struct wf_renames *t, const char *theirs, const char *ours)
{
    wf_renames_add(t, theirs, ours, (struct wf_rename){ .theirs = "_weight", .ours = "weight" });
    wf_renames_add(t, theirs, ours, (struct wf_rename){ .theirs = "_bias", .ours = "bias" });
}
