#include "models/aagcn_block.h"

enum { GRAPHS = WF_AAGCN_GRAPHS, REACH = 9 }; /* REACH: steps that a convolution over time sees */

static void init_attention(struct wf_aagcn_block *l, struct wf_params *ps, const char *name)
{
    char path[WF_NAME_TEXT];
    int O = l->sizes.out, N = l->sizes.nodes, reach = N % 2 ? N : N - 1;
    struct wf_conv_config over_nodes = { .kernel = { reach }, .padding = { (reach - 1) / 2 } };
    struct wf_conv_config over_steps = { .kernel = { REACH }, .padding = { REACH / 2 } };
    wf_conv_init(&l->nodes, ps, wf_params_path(path, name, "nodes"), O, 1, over_nodes);
    wf_conv_init(&l->steps, ps, wf_params_path(path, name, "steps"), O, 1, over_steps);
    wf_linear_init(&l->squeeze, ps, wf_params_path(path, name, "squeeze"), O, O / 2);
    wf_linear_init(&l->excite, ps, wf_params_path(path, name, "excite"), O / 2, O);
}

static void init_graphs(struct wf_aagcn_block *l, struct wf_params *ps, const char *name)
{
    char path[WF_NAME_TEXT];
    struct wf_aagcn_sizes s = l->sizes;
    struct wf_init small = { .kind = WF_INIT_CONSTANT, .gain = 1e-6 }, zero = { .gain = 0 };
    l->A = wf_params_add(ps, wf_params_path(path, name, "A"), 3, wf_dims(GRAPHS, s.nodes, s.nodes),
                         small);
    l->alpha = wf_params_add(ps, wf_params_path(path, name, "alpha"), 1, wf_dims(1), zero);
    wf_linear_init(&l->embed, ps, wf_params_path(path, name, "embed"), s.in,
                   2 * GRAPHS * (s.out / 4));
}

void wf_aagcn_block_init(struct wf_aagcn_block *l, struct wf_params *ps, const char *name,
                         struct wf_aagcn_sizes s)
{
    char path[WF_NAME_TEXT];
    struct wf_conv_config over_steps = { .kernel = { REACH },
                                         .stride = { s.stride, 1 },
                                         .padding = { REACH / 2 } };
    *l = (struct wf_aagcn_block){ .sizes = s };
    if (s.out < 4 || s.out % 4) {
        wf_params_refuse(ps, "aagcn: %d channels, want a multiple of 4", s.out);
        return;
    }
    if (!s.fixed) init_graphs(l, ps, name);
    wf_conv_init(&l->mix, ps, wf_params_path(path, name, "mix"), GRAPHS * s.in, s.out,
                 (struct wf_conv_config){ .no_bias = true });
    l->bias = wf_params_add(ps, wf_params_path(path, name, "mix.bias"), 2, wf_dims(GRAPHS, s.out),
                            (struct wf_init){ .kind = WF_INIT_CONSTANT });
    wf_batch_norm_init(&l->norm, ps, wf_params_path(path, name, "norm"), s.out, 0.1);
    if (s.in != s.out) {
        wf_linear_init(&l->down, ps, wf_params_path(path, name, "down"), s.in, s.out);
        wf_batch_norm_init(&l->down_norm, ps, wf_params_path(path, name, "down.norm"), s.out, 0.1);
    }
    if (!s.no_attention) init_attention(l, ps, name);
    wf_conv_init(&l->time, ps, wf_params_path(path, name, "time"), s.out, s.out, over_steps);
    wf_batch_norm_init(&l->time_norm, ps, wf_params_path(path, name, "time.norm"), s.out, 0.1);
    if (s.no_residual || (s.in == s.out && s.stride == 1)) return;
    wf_conv_init(&l->residual, ps, wf_params_path(path, name, "residual"), s.in, s.out,
                 (struct wf_conv_config){ .stride = { s.stride, 1 } });
    wf_batch_norm_init(&l->residual_norm, ps, wf_params_path(path, name, "residual.norm"), s.out,
                       0.1);
}

/* The learned part of the graphs, A_k + alpha tanh(theta_k^T phi_k / (Ci T)), each transposed, one
 * below the other: [B, 3 N, N] */
static struct wf_tensor *learned(struct wf_tape *g, const struct wf_aagcn_block *l,
                                 struct wf_tensor *x)
{
    int B = x->shape[0], T = x->shape[1], N = x->shape[2], Ci = l->sizes.out / 4;
    struct wf_tensor *e = wf_linear(g, &l->embed, x), *part[2]; /* [B, T, N, 6 Ci] */
    for (int i = 0; i < 2; i++) {                               /* [3 B, N, T Ci] */
        struct wf_tensor *p = wf_slice(g, e, -1, i * GRAPHS * Ci, (i + 1) * GRAPHS * Ci);
        p = wf_permute(g, wf_reshape(g, p, 5, wf_dims(B, T, N, GRAPHS, Ci)), 0, 3, 2, 1, 4);
        part[i] = wf_reshape(g, p, 3, wf_dims(B * GRAPHS, N, T * Ci));
    }
    /* phi_v . theta_u at [v, u] is the transpose of what the formula has */
    struct wf_tensor *s = wf_matmul(g, part[1], wf_permute(g, part[0], 0, 2, 1));
    s = wf_tanh(g, wf_affine(g, s, 1.0 / ((double)Ci * T), 0));
    s = wf_mul(g, wf_reshape(g, s, 4, wf_dims(B, GRAPHS, N, N)), l->alpha);
    s = wf_add(g, s, wf_permute(g, l->A, 0, 2, 1));
    return wf_reshape(g, s, 3, wf_dims(B, GRAPHS * N, N));
}

/* G_k^T x of all graphs, side by side: [B, T, N, 3 C] */
static struct wf_tensor *spread(struct wf_tape *g, const struct wf_aagcn_block *l,
                                const struct wf_supports *S, struct wf_tensor *x)
{
    int B = x->shape[0], T = x->shape[1], N = x->shape[2], C = x->shape[3];
    struct wf_tensor *z = NULL, *walk;
    if (!l->sizes.fixed) {
        struct wf_tensor *flat = wf_reshape(g, wf_permute(g, x, 0, 2, 1, 3), 3, wf_dims(B, N, -1));
        z = wf_matmul(g, learned(g, l, x), flat); /* [B, 3 N, T C] */
        z = wf_permute(g, wf_reshape(g, z, 5, wf_dims(B, GRAPHS, N, T, C)), 0, 3, 2, 1, 4);
        if (S->count == 0) return wf_reshape(g, z, 4, wf_dims(B, T, N, GRAPHS * C));
    }
    if (S->count != 2)
        return wf_tape_fail(g, WF_EINVAL, "aagcn: %d supports, want the two random walks%s",
                            S->count, l->sizes.fixed ? "" : " or none");
    /* support 1 is A D_I^-1 = P_1, support 0 is A^T D_O^-1 = P_2 */
    struct wf_tensor *list[GRAPHS] = { x, wf_spmm(g, S->pattern[1], S->value[1], x, true),
                                       wf_spmm(g, S->pattern[0], S->value[0], x, true) };
    walk = wf_concat_n(g, list, GRAPHS, -1);
    return z ? wf_add(g, walk, wf_reshape(g, z, 4, wf_dims(B, T, N, GRAPHS * C))) : walk;
}

/* y (1 + s(a)), where a has the axes of y, some of size 1, and s is the logistic function */
static struct wf_tensor *scaled(struct wf_tape *g, struct wf_tensor *y, struct wf_tensor *a)
{
    return wf_mul(g, y, wf_affine(g, wf_sigmoid(g, a), 1, 1));
}

/* y <- y (1 + s(.)) over nodes, then steps, then channels */
static struct wf_tensor *attend(struct wf_tape *g, const struct wf_aagcn_block *l,
                                struct wf_tensor *y)
{
    struct wf_tensor *a = wf_permute(g, wf_mean(g, y, 1, true), 0, 2, 1, 3); /* [B, N, 1, O] */
    y = scaled(g, y, wf_permute(g, wf_conv(g, &l->nodes, a), 0, 2, 1, 3));   /* by [B, 1, N, 1] */
    y = scaled(g, y, wf_conv(g, &l->steps, wf_mean(g, y, 2, true)));         /* by [B, T, 1, 1] */
    a = wf_mean(g, wf_mean(g, y, 2, true), 1, true);                         /* [B, 1, 1, O] */
    return scaled(g, y, wf_linear(g, &l->excite, wf_relu(g, wf_linear(g, &l->squeeze, a))));
}

static bool fits(struct wf_tape *g, const struct wf_aagcn_block *l, const struct wf_tensor *x)
{
    char text[WF_SHAPE_TEXT];
    if (g->error.status != WF_OK) return false;
    if (x->ndim == 4 && x->shape[2] == l->sizes.nodes && x->shape[3] == l->sizes.in) return true;
    wf_tape_fail(g, WF_EINVAL, "aagcn: x is %s, want [B, T, %d, %d]", wf_tensor_shape_text(x, text),
                 l->sizes.nodes, l->sizes.in);
    return false;
}

/* y = relu(BN(sum_k D_k(G_k^T x)) + down(x)), attended to; relu(BN(C(y)) + residual(x)) */
struct wf_tensor *wf_aagcn_block(struct wf_tape *g, const struct wf_aagcn_block *l,
                                 const struct wf_supports *S, struct wf_tensor *x)
{
    if (!fits(g, l, x)) return &g->poison;
    struct wf_tensor *bias = wf_sum(g, l->bias, 0, false);
    struct wf_tensor *y = wf_linear_op(g, spread(g, l, S, x), l->mix.weight, bias);
    struct wf_tensor *down = x;
    y = wf_batch_norm(g, &l->norm, y, -1); /* [B, T, N, O] */
    if (l->down.weight) down = wf_batch_norm(g, &l->down_norm, wf_linear(g, &l->down, x), -1);
    y = wf_relu(g, wf_add(g, y, down));
    if (!l->sizes.no_attention) y = attend(g, l, y);
    y = wf_batch_norm(g, &l->time_norm, wf_conv(g, &l->time, y), -1); /* [B, T', N, O] */
    if (l->residual.weight)
        x = wf_batch_norm(g, &l->residual_norm, wf_conv(g, &l->residual, x), -1);
    return wf_relu(g, l->sizes.no_residual ? y : wf_add(g, y, x));
}
