#include "tests/cases.h"

/* A directed graph with a self-loop, parallel edges (3 -> 1) and a node without edges (2). */
static const int square_row[] = { 0, 3, 1, 4, 3, 0, 1 }, square_col[] = { 1, 1, 4, 0, 1, 3, 1 };
static const int wide_row[] = { 3, 0, 1, 0, 3 }, wide_col[] = { 4, 2, 0, 1, 1 };
static const int index_rows[] = { 2, 0, 2, 4, 2, 1 };

enum wf_status case_graph_init(struct case_graph *G, struct wf_error *err)
{
    struct wf_backend *be = wf_backend_cpu();
    *G = (struct case_graph){ 0 };
    enum wf_status s =
        wf_csr_from_pairs(&G->square, be, 5, 5, 7, square_row, square_col, NULL, err);
    if (s == WF_OK) s = wf_csr_from_pairs(&G->wide, be, 4, 5, 5, wide_row, wide_col, NULL, err);
    if (s == WF_OK) s = wf_index_init(&G->index, be, 5, 6, index_rows, err);
    if (s != WF_OK) case_graph_free(G);
    return s;
}

void case_graph_free(struct case_graph *G)
{
    wf_csr_free(&G->square);
    wf_csr_free(&G->wide);
    wf_index_free(&G->index);
}

#define OP(name, ...)                                                                              \
    static struct wf_tensor *name(struct wf_tape *g, const struct case_graph *G,                   \
                                  struct wf_tensor **in)                                           \
    {                                                                                              \
        (void)G;                                                                                   \
        return __VA_ARGS__;                                                                        \
    }

OP(sigmoid, wf_sigmoid(g, in[0]))
OP(tanh_, wf_tanh(g, in[0]))
OP(relu, wf_relu(g, in[0]))
OP(exp_, wf_exp(g, in[0]))
OP(log_, wf_log(g, in[0]))
OP(sqrt_, wf_sqrt(g, in[0]))
OP(square, wf_square(g, in[0]))
OP(abs_, wf_abs(g, in[0]))
OP(recip0, wf_recip0(g, in[0]))
OP(rsqrt0, wf_rsqrt0(g, in[0]))
OP(leaky_relu, wf_leaky_relu(g, in[0], 0.2))
OP(affine, wf_affine(g, in[0], -1.5, 0.25))
OP(add, wf_add(g, in[0], in[1]))
OP(sub, wf_sub(g, in[0], in[1]))
OP(mul, wf_mul(g, in[0], in[1]))
OP(div_, wf_div(g, in[0], in[1]))
OP(max_, wf_max(g, in[0], in[1]))
OP(min_, wf_min(g, in[0], in[1]))
OP(lerp, wf_lerp(g, in[0], in[1], in[2]))
OP(dropout, wf_dropout(g, in[0], 0.4))
OP(coin, wf_mul(g, in[0], wf_coin(g)))
OP(slice, wf_slice(g, in[0], 1, 1, 3))
OP(slice_twice, wf_mul(g, wf_slice(g, in[0], -1, 0, 2), wf_slice(g, in[0], -1, 1, 3)))
OP(select_, wf_select(g, in[0], 1, 2))
OP(permute, wf_permute(g, in[0], 2, 0, 1))
OP(unsqueeze, wf_mul(g, wf_unsqueeze(g, in[0], 1), in[1]))
OP(reshape, wf_reshape(g, in[0], 2, wf_dims(-1, 6)))
OP(contiguous, wf_contiguous(g, wf_permute(g, in[0], 1, 0, 2)))
OP(expand, wf_expand(g, in[0], 3, wf_dims(2, 3, 4)))
OP(concat, wf_concat(g, in[0], in[1]))
OP(concat_n, wf_concat_n(g, (struct wf_tensor *[]){ in[0], in[1], in[0] }, 3, 1))
OP(identity, wf_mul(g, in[0], wf_identity(g, 4)))
OP(stack, wf_stack(g, (struct wf_tensor *[]){ in[0], in[1] }, 2, 1))
OP(take, wf_take(g, in[0], &G->index))
OP(lookup, wf_lookup(g, in[0], in[1], 2.5))
OP(sum, wf_sum(g, in[0], 1, false))
OP(mean, wf_mean(g, in[0], 0, true))
OP(sum_all, wf_sum_all(g, in[0]))
OP(mean_all, wf_mean_all(g, in[0]))
OP(max_all, wf_max_all(g, in[0]))
OP(softmax, wf_softmax(g, in[0], 1))
OP(matmul, wf_matmul(g, in[0], in[1]))
OP(linear, wf_linear_op(g, in[0], in[1], in[2]))
OP(spmm, wf_spmm(g, &G->wide, in[1], in[0], false))
OP(spmm_t, wf_spmm(g, &G->wide, in[1], in[0], true))
OP(edge_sum, wf_edge_sum(g, &G->square, in[0], true))
OP(edge_spread, wf_edge_spread(g, &G->wide, in[0], true))
OP(edge_softmax, wf_edge_softmax(g, &G->square, in[0]))
OP(edge_max, wf_edge_max(g, &G->square, in[1], in[0]))
OP(topk, wf_pick(g, in[0], wf_topk(g, in[1], 3)))
OP(pick,
   wf_pick(g, in[0], wf_topk(g, wf_reshape(g, wf_slice(g, in[0], -1, 0, 1), 2, wf_dims(2, 5)), 2)))
OP(scatter,
   wf_scatter(g, in[0],
              wf_topk(g, wf_reshape(g, wf_slice(g, in[1], -1, 0, 1), 2, wf_dims(2, 5)), 3), 5))
OP(row_normalize, wf_row_normalize(g, &G->square, in[0]))
OP(loss_counted, wf_slice(g, wf_loss_counted(g, in[0], in[1], WF_MAE, WF_MASK_NAN), 0, 0, 1))
OP(mae, wf_loss(g, in[0], in[1], WF_MAE, WF_MASK_NONE))
OP(mse, wf_loss(g, in[0], in[1], WF_MSE, WF_MASK_NAN))
OP(rmse, wf_loss(g, in[0], in[1], WF_RMSE, WF_MASK_NONE))
OP(mape, wf_loss(g, in[0], in[1], WF_MAPE, WF_MASK_NONE))
OP(huber, wf_loss(g, in[0], in[1], WF_HUBER, WF_MASK_NONE))

OP(layer_norm, wf_layer_norm_op(g, in[0], 1, in[1], in[2], 1e-5))
OP(layer_norm2, wf_layer_norm_op(g, in[0], 2, NULL, in[1], 1e-3))

/* The running moments are other numbers than the batch's. */
static struct wf_tensor *running(struct wf_tape *g, struct wf_tensor **in, int axis, bool training)
{
    const int *shape = in[1]->shape;
    struct wf_running run = { .mean = wf_full(g, 0.3, 1, shape),
                              .var = wf_full(g, 0.7, 1, shape),
                              .count = wf_full(g, 2, 1, wf_dims(1)),
                              .momentum = -1,
                              .eps = 1e-3 };
    bool before = g->training;
    g->training = training;
    struct wf_tensor *y = wf_batch_norm_op(g, in[0], axis, in[1], in[2], &run);
    g->training = before;
    return y;
}
OP(batch_norm, running(g, in, -1, true))
OP(batch_norm_nodes, running(g, in, 1, true))
OP(batch_norm_eval, running(g, in, 1, false))

/* Configurations must live until the tape is reset. */
static const struct wf_conv_config plain = { .kernel = { 3 }, .dilation = { 2 }, .padding = { 3 } },
                                   valid = { .kernel = { 2 } },
                                   wide = { .kernel = { 2, 3 },
                                            .stride = { 2, 1 },
                                            .dilation = { 1, 2 },
                                            .padding = { 1, 2 } };
OP(conv_plain, wf_conv_op(g, in[0], in[1], in[2], &plain))
OP(conv_slice, wf_conv_op(g, wf_slice(g, in[0], 1, 1, 4), in[1], NULL, &valid))
OP(conv_wide, wf_conv_op(g, in[0], in[1], in[2], &wide))

OP(attention, wf_attention(g, in[0], in[1], in[2], NULL, 2, 0.7))
OP(attention_causal, wf_attention(g, in[0], in[0], in[0], wf_causal_mask(g, 4), 1, 1))
OP(attention_mask, wf_attention(g, in[0], in[1], in[2], in[3], 2, 0.7))
OP(attention_weights, wf_attention_weights(g, in[0], in[1], in[2], 2, 0.7))

/* Supports of this row only; the tape wants them until it is reset, so they are static. */
static struct wf_tensor *dconv(struct wf_tape *g, const struct case_graph *G, struct wf_tensor **in,
                               enum wf_diffusion kind, enum wf_act act)
{
    static struct wf_supports S;
    S = (struct wf_supports){
        .count = 2, .nodes = 5, .pattern = { &G->square, &G->square }, .value = { in[4], in[5] }
    };
    WF_RUN(g, wf_supports_terms(&S, 3, kind));
    return wf_dconv_op(g, &S, in[0], in[1], in[2], in[3], act);
}
OP(dconv_none, dconv(g, G, in, WF_DIFFUSION, WF_ACT_NONE))
OP(dconv_carry, dconv(g, G, in, WF_DIFFUSION_CARRY, WF_ACT_SIGMOID))
OP(dconv_fixed, dconv(g, G, in, WF_DIFFUSION_FIXED, WF_ACT_TANH))

/* The same with constant supports: another path through the gradient. */
static struct wf_tensor *dconv_fast(struct wf_tape *g, const struct case_graph *G,
                                    struct wf_tensor **in)
{
    struct wf_tensor *v[6] = { in[0], in[1], in[2], in[3] };
    v[4] = wf_full(g, 0.5, 1, wf_dims(7));
    v[5] = wf_full(g, -0.25, 1, wf_dims(7));
    return dconv(g, G, v, WF_DIFFUSION, WF_ACT_TANH);
}

#define DCONV_IN                                                                                   \
    {                                                                                              \
        { 2, 5, 2 }, { 2, 5, 3 }, { 35, 4 }, { 4 }, { 7 },                                         \
        {                                                                                          \
            7                                                                                      \
        }                                                                                          \
    }

const struct op_case op_cases[] = {
    { "sigmoid", sigmoid, { { 2, 3, 4 } }, 0 },
    { "tanh", tanh_, { { 2, 3, 4 } }, 0 },
    { "relu", relu, { { 2, 3, 4 } }, 0 },
    { "exp", exp_, { { 2, 3, 4 } }, 0 },
    { "log", log_, { { 2, 3, 4 } }, 1.5 },
    { "sqrt", sqrt_, { { 2, 3, 4 } }, 1.5 },
    { "square", square, { { 2, 3, 4 } }, 0 },
    { "abs", abs_, { { 2, 3, 4 } }, 0 },
    { "recip0", recip0, { { 2, 3, 4 } }, 1.5 },
    { "rsqrt0", rsqrt0, { { 2, 3, 4 } }, 1.5 },
    { "leaky_relu", leaky_relu, { { 2, 3, 4 } }, 0 },
    { "affine", affine, { { 2, 3, 4 } }, 0 },
    { "add", add, { { 2, 3, 4 }, { 2, 3, 4 } }, 0 },
    { "add/broadcast", add, { { 2, 3, 4 }, { 4 } }, 0 },
    { "sub", sub, { { 3, 1 }, { 2, 3, 4 } }, 0 },
    { "mul", mul, { { 2, 3, 4 }, { 2, 3, 4 } }, 0 },
    { "mul/broadcast", mul, { { 2, 3, 4 }, { 2, 1, 1 } }, 0 },
    { "div", div_, { { 2, 3, 4 }, { 3, 4 } }, 2 },
    { "max", max_, { { 2, 3, 4 }, { 2, 3, 4 } }, 0 },
    { "min", min_, { { 2, 3, 4 }, { 3, 4 } }, 0 },
    { "lerp", lerp, { { 2, 3, 4 }, { 2, 3, 4 }, { 2, 3, 4 } }, 0 },
    { "dropout", dropout, { { 2, 3, 4 } }, 0 },
    { "coin", coin, { { 2, 3 } }, 0 },
    { "slice", slice, { { 2, 4, 3 } }, 0 },
    { "slice/overlapping", slice_twice, { { 2, 4, 3 } }, 0 },
    { "select", select_, { { 2, 4, 3 } }, 0 },
    { "permute", permute, { { 2, 4, 3 } }, 0 },
    { "unsqueeze", unsqueeze, { { 2, 3 }, { 4, 3 } }, 0 },
    { "reshape", reshape, { { 2, 3, 4 } }, 0 },
    { "contiguous", contiguous, { { 2, 3, 4 } }, 0 },
    { "expand", expand, { { 3, 1 } }, 0 },
    { "concat", concat, { { 2, 3, 4 }, { 2, 3, 2 } }, 0 },
    { "concat_n", concat_n, { { 2, 3, 2 }, { 2, 1, 2 } }, 0 },
    { "identity", identity, { { 4, 4 } }, 0 },
    { "stack", stack, { { 2, 3 }, { 2, 3 } }, 0 },
    { "take", take, { { 5, 3 } }, 0 },
    { "lookup", lookup, { { 4, 3 }, { 3, 5 } }, 0.6 },
    { "sum", sum, { { 2, 3, 4 } }, 0 },
    { "mean", mean, { { 2, 3, 4 } }, 0 },
    { "sum_all", sum_all, { { 2, 3, 4 } }, 0 },
    { "mean_all", mean_all, { { 2, 3, 4 } }, 0 },
    { "max_all", max_all, { { 3, 5 } }, 0 },
    { "softmax", softmax, { { 2, 3, 4 } }, 0 },
    { "matmul", matmul, { { 2, 3, 4 }, { 4, 5 } }, 0 },
    { "matmul/batched", matmul, { { 2, 3, 4 }, { 2, 4, 5 } }, 0 },
    { "linear_op", linear, { { 2, 3, 4 }, { 4, 5 }, { 5 } }, 0 },
    { "layer_norm_op", layer_norm, { { 2, 3, 4 }, { 4 }, { 4 } }, 0 },
    { "layer_norm_op/two axes", layer_norm2, { { 2, 3, 4 }, { 3, 4 } }, 0 },
    { "batch_norm_op", batch_norm, { { 4, 3, 2 }, { 2 }, { 2 } }, 0 },
    { "batch_norm_op/nodes", batch_norm_nodes, { { 3, 4, 2 }, { 4 }, { 4 } }, 0 },
    { "batch_norm_op/eval", batch_norm_eval, { { 3, 4, 2 }, { 4 }, { 4 } }, 0 },
    { "conv_op", conv_plain, { { 2, 6, 3, 2 }, { 6, 4 }, { 4 } }, 0 },
    { "conv_op/slice", conv_slice, { { 2, 5, 3, 2 }, { 4, 3 } }, 0 },
    { "conv_op/both axes", conv_wide, { { 2, 5, 6, 2 }, { 12, 3 }, { 3 } }, 0 },
    { "attention", attention, { { 2, 3, 4 }, { 2, 5, 4 }, { 2, 5, 6 } }, 0 },
    { "attention/causal", attention_causal, { { 3, 4, 2 } }, 0 },
    { "attention/learned mask",
      attention_mask,
      { { 2, 3, 4 }, { 2, 5, 4 }, { 2, 5, 6 }, { 3, 5 } },
      0 },
    { "attention_weights", attention_weights, { { 2, 3, 4 }, { 2, 5, 4 }, { 3, 5 } }, 0 },
    { "spmm", spmm, { { 2, 5, 3 }, { 5 } }, 0 },
    { "spmm/transposed", spmm_t, { { 2, 4, 3 }, { 5 } }, 0 },
    { "spmm/values per sample", spmm, { { 2, 5, 3 }, { 2, 5 } }, 0 },
    { "spmm/transposed, values per sample", spmm_t, { { 2, 4, 3 }, { 2, 5 } }, 0 },
    { "spmm/steps share the values of their sample", spmm, { { 2, 3, 5, 2 }, { 2, 5 } }, 0 },
    { "edge_sum", edge_sum, { { 7 } }, 0 },
    { "edge_sum/samples", edge_sum, { { 3, 7 } }, 0 },
    { "edge_spread", edge_spread, { { 5 } }, 0 },
    { "edge_spread/samples", edge_spread, { { 3, 5 } }, 0 },
    { "edge_softmax", edge_softmax, { { 2, 3, 7 } }, 0 },
    { "edge_max", edge_max, { { 2, 5, 3 }, { 7 } }, 0 },
    { "edge_max/values per sample", edge_max, { { 2, 5, 3 }, { 2, 7 } }, 0 },
    { "edge_max/steps share the values of their sample",
      edge_max,
      { { 2, 3, 5, 2 }, { 2, 7 } },
      0 },
    { "topk", topk, { { 2, 5, 3 }, { 2, 5 } }, 0 },
    { "pick", pick, { { 2, 5, 3 } }, 0 },
    { "scatter", scatter, { { 2, 3, 2 }, { 2, 5, 3 } }, 0 },
    { "row_normalize", row_normalize, { { 7 } }, 2 },
    { "dconv_op", dconv_none, DCONV_IN, 0 },
    { "dconv_op/carry", dconv_carry, DCONV_IN, 0 },
    { "dconv_op/fixed", dconv_fixed, DCONV_IN, 0 },
    { "dconv_op/constant", dconv_fast, { { 2, 5, 2 }, { 2, 5, 3 }, { 35, 4 }, { 4 } }, 0 },
    { "loss/mae", mae, { { 2, 3, 4 }, { 2, 3, 4 } }, 0 },
    { "loss/counted", loss_counted, { { 2, 3, 4 }, { 2, 3, 4 } }, 0 },
    { "loss/mse", mse, { { 2, 3, 4 }, { 2, 3, 4 } }, 0 },
    { "loss/rmse", rmse, { { 2, 3, 4 }, { 2, 3, 4 } }, 0 },
    { "loss/mape", mape, { { 2, 3, 4 }, { 2, 3, 4 } }, 2 },
    { "loss/huber", huber, { { 2, 3, 4 }, { 2, 3, 4 } }, 1 },
};
const int op_cases_count = sizeof op_cases / sizeof *op_cases;
