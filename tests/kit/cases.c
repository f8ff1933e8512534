#include "tests/kit/cases.h"
#include "tests/kit/cases_dconv.h"
#include <math.h>
#include <string.h>
#include "tensor/alloc.h"
#include "tensor/rng.h"

/* A directed graph with a self-loop, parallel edges (3 -> 1) and a node without edges (2). */
static const int square_row[] = { 0, 3, 1, 4, 3, 0, 1 }, square_col[] = { 1, 1, 4, 0, 1, 3, 1 };
static const int wide_row[] = { 3, 0, 1, 0, 3 }, wide_col[] = { 4, 2, 0, 1, 1 };
static const int index_rows[] = { 2, 0, 2, 4, 2, 1 };

static enum wf_status small_graph(struct case_graph *G, struct wf_backend *be, struct wf_error *err)
{
    WF_TRY(wf_csr_from_pairs(&G->square, be, 5, 5, 7, square_row, square_col, NULL, err));
    WF_TRY(wf_csr_from_pairs(&G->wide, be, 4, 5, 5, wide_row, wide_col, NULL, err));
    return wf_index_init(&G->index, be, 5, 6, index_rows, err);
}

/* The square pattern has NODES nodes and EDGES edges, the wide one ROWS rows and ENTRIES entries,
 * the index PICKS rows, and the huge pattern HUGE nodes and LINKS edges. */
enum {
    NODES = 150,
    EDGES = 1400,
    ROWS = 90,
    ENTRIES = 600,
    PICKS = 400,
    HUGE = 4500,
    LINKS = 6000
};

/* Row 3 has a fifth of all entries, and the last rows have none. */
static enum wf_status large_graph(struct case_graph *G, struct wf_backend *be, struct wf_error *err)
{
    int row[EDGES], col[EDGES];
    struct wf_rng rng = { .seed = 17 };
    for (int e = 0; e < EDGES; e++) {
        row[e] = e % 5 == 0 ? 3 : (int)(wf_rng_uniform(&rng) * (ROWS - 5));
        col[e] = (int)(wf_rng_uniform(&rng) * NODES);
    }
    WF_TRY(wf_csr_from_pairs(&G->square, be, NODES, NODES, EDGES, row, col, NULL, err));
    WF_TRY(wf_csr_from_pairs(&G->wide, be, ROWS, NODES, ENTRIES, row, col, NULL, err));
    static int from[LINKS], to[LINKS];
    for (int e = 0; e < LINKS; e++) {
        from[e] = e % 7 ? (int)(wf_rng_uniform(&rng) * HUGE) : 5;
        to[e] = (int)(wf_rng_uniform(&rng) * HUGE);
    }
    WF_TRY(wf_csr_from_pairs(&G->huge, be, HUGE, HUGE, LINKS, from, to, NULL, err));
    return wf_index_init(&G->index, be, NODES, PICKS, col, err);
}

static void graph_free(struct case_graph *G)
{
    wf_csr_free(&G->square);
    wf_csr_free(&G->wide);
    wf_csr_free(&G->huge);
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
OP(mul_itself, wf_mul(g, in[0], in[0]))
OP(mul_view, wf_mul(g, in[0], wf_reshape(g, in[0], 2, wf_dims(6, 4))))
OP(mul_views, wf_mul(g, wf_reshape(g, in[0], 1, wf_dims(-1)), wf_reshape(g, in[0], 1, wf_dims(-1))))
OP(add_itself, wf_add(g, in[0], in[0]))
OP(add_shared, wf_add(g, wf_tanh(g, in[0]), wf_sigmoid(g, in[0])))
OP(add_view, wf_add(g, wf_tanh(g, in[0]), wf_sigmoid(g, wf_reshape(g, in[0], 3, wf_dims(4, 3, 1)))))
OP(sub_part, wf_sub(g, wf_tanh(g, in[0]), wf_exp(g, wf_slice(g, in[0], 0, 1, 2))))
OP(lerp_itself, wf_lerp(g, in[0], in[0], in[0]))
OP(lerp_slices,
   wf_lerp(g, wf_slice(g, in[0], -1, 0, 2), wf_slice(g, in[0], -1, 1, 3), wf_sigmoid(g, in[1])))
OP(matmul_itself, wf_matmul(g, in[0], in[0]))
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

/* The running moments are set to other numbers than the moments of the batch. */
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
OP(attention_8, wf_attention(g, in[0], in[1], in[2], NULL, 8, 0.7))
OP(attention_fixed_mask, wf_attention(g, in[0], in[0], in[1], wf_causal_mask(g, 70), 4, 0.7))
OP(attention_blind, wf_attention(g, wf_zeros(g, 3, wf_dims(2, 3, 0)),
                                 wf_zeros(g, 3, wf_dims(2, 5, 0)), in[0], NULL, 2, 0.7))
OP(attention_mask, wf_attention(g, in[0], in[1], in[2], in[3], 2, 0.7))
OP(attention_weights, wf_attention_weights(g, in[0], in[1], in[2], 2, 0.7))

OP(spmm_square, wf_spmm(g, case_square(G, in[0]), in[1], in[0], false))

/* [h c] after two LSTM steps of the same inputs; b and p may be NULL. */
static struct wf_tensor *lstm(struct wf_tape *g, struct wf_tensor *a, struct wf_tensor *b,
                              struct wf_tensor *p, struct wf_tensor *c)
{
    struct wf_tensor *h = wf_lstm_update(g, a, b, p, &c);
    h = wf_add(g, h, wf_lstm_update(g, a, b, p, &c));
    return wf_concat(g, h, c);
}
OP(gru_update, wf_gru_update(g, in[0], in[1], in[2]))
/* Both ops that make up a GRU step, the reset and the blend; b and d may be NULL. */
static struct wf_tensor *gru_halves(struct wf_tape *g, struct wf_tensor **in, struct wf_tensor *b,
                                    struct wf_tensor *d)
{
    struct wf_tensor *z, *rh = wf_gru_reset(g, in[0], b, in[1], &z);
    return wf_concat(g, wf_gru_blend(g, in[2], d, z, in[1]), rh);
}
OP(gru_reset_blend, gru_halves(g, in, in[3], in[4]))
OP(gru_reset_blend_alone, gru_halves(g, in, NULL, NULL))
OP(gru_blend_itself, wf_gru_blend(g, in[0], in[0], in[0], wf_slice(g, in[1], -1, 1, 4)))
OP(gru_itself, wf_gru_update(g, in[0], in[0], wf_slice(g, in[0], -1, 1, 3)))
OP(lstm_update, lstm(g, in[0], in[1], NULL, in[2]))
OP(lstm_alone, lstm(g, in[0], NULL, NULL, in[1]))
OP(lstm_peephole, lstm(g, in[0], in[1], in[3], in[2]))
OP(lstm_peephole_alone, lstm(g, in[0], NULL, in[2], in[1]))
OP(lstm_itself, lstm(g, in[0], in[0], NULL, wf_slice(g, in[0], -1, 1, 3)))

#define DCGRU_IN                                                                                   \
    {                                                                                              \
        { 2, 5, 2 }, { 2, 5, 3 }, { 35, 6 }, { 6 }, { 35, 3 }, { 3 }, { 7 },                       \
        {                                                                                          \
            7                                                                                      \
        }                                                                                          \
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
    { "add/itself", add_itself, { { 2, 3, 4 } }, 0 },
    { "add/shared", add_shared, { { 2, 3, 4 } }, 0 },
    { "add/view", add_view, { { 4, 3, 1 } }, 0 },
    { "add/broadcast", add, { { 2, 3, 4 }, { 4 } }, 0 },
    { "sub", sub, { { 3, 1 }, { 2, 3, 4 } }, 0 },
    { "mul", mul, { { 2, 3, 4 }, { 2, 3, 4 } }, 0 },
    { "sub/part", sub_part, { { 3, 4 } }, 0 },
    { "mul/broadcast", mul, { { 2, 3, 4 }, { 2, 1, 1 } }, 0 },
    { "mul/itself", mul_itself, { { 2, 3, 4 } }, 0 },
    { "mul/view", mul_view, { { 6, 4 } }, 0 },
    { "mul/two views", mul_views, { { 2, 3, 4 } }, 0 },
    { "div", div_, { { 2, 3, 4 }, { 3, 4 } }, 2 },
    { "max", max_, { { 2, 3, 4 }, { 2, 3, 4 } }, 0 },
    { "min", min_, { { 2, 3, 4 }, { 3, 4 } }, 0 },
    { "lerp", lerp, { { 2, 3, 4 }, { 2, 3, 4 }, { 2, 3, 4 } }, 0 },
    { "lerp/itself", lerp_itself, { { 2, 3, 4 } }, 0 },
    { "lerp/overlapping", lerp_slices, { { 2, 4, 3 }, { 2, 4, 2 } }, 0 },
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
    { "matmul/itself", matmul_itself, { { 2, 4, 4 } }, 0 },
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
    { "attention/no channels", attention_blind, { { 2, 5, 6 } }, 0 },
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
    { "row_normalize/samples", row_normalize, { { 3, 7 } }, 2 },
    { "dconv_op", case_dconv_none, DCONV_IN, 0 },
    { "dconv_op/carry", case_dconv_carry, DCONV_IN, 0 },
    { "dconv_op/itself", case_dconv_itself, { { 2, 5, 3 }, { 28, 4 }, { 4 }, { 7 }, { 7 } }, 0 },
    { "dconv_op/fixed", case_dconv_fixed, DCONV_IN, 0 },
    { "dconv_op/constant", case_dconv_fast, { { 2, 5, 2 }, { 2, 5, 3 }, { 35, 4 }, { 4 } }, 0 },
    { "dcgru_op", case_dcgru_learned, DCGRU_IN, 0 },
    { "dcgru_op/carry", case_dcgru_carry, DCGRU_IN, 0 },
    { "dcgru_op/constant",
      case_dcgru_constant,
      { { 2, 5, 2 }, { 2, 5, 3 }, { 35, 6 }, { 6 }, { 35, 3 }, { 3 } },
      0 },
    { "dcgru_op/wide input",
      case_dcgru_constant,
      { { 2, 5, 9 }, { 2, 5, 2 }, { 77, 4 }, { 4 }, { 77, 2 }, { 2 } },
      0 },
    { "dcgru_op/steps", case_dcgru_steps, { { 2, 5, 2 }, { 42, 8 }, { 42, 4 } }, 0 },
    { "dcgru_op/itself", case_dcgru_itself, { { 2, 5, 3 }, { 28, 4 }, { 4 }, { 28, 2 } }, 0 },
    { "gru_update", gru_update, { { 2, 3, 15 }, { 2, 3, 15 }, { 2, 3, 5 } }, 0 },
    { "gru_reset, gru_blend",
      gru_reset_blend,
      { { 2, 3, 10 }, { 2, 3, 5 }, { 2, 3, 5 }, { 2, 3, 10 }, { 2, 3, 5 } },
      0 },
    { "gru_reset, gru_blend/one part", gru_reset_blend_alone, { { 4, 6 }, { 4, 3 }, { 4, 3 } }, 0 },
    { "gru_blend/itself", gru_blend_itself, { { 4, 3 }, { 4, 5 } }, 0 },
    { "gru_update/itself", gru_itself, { { 4, 6 } }, 0 },
    { "lstm_update", lstm_update, { { 2, 3, 12 }, { 2, 3, 12 }, { 2, 3, 3 } }, 0 },
    { "lstm_update/one part", lstm_alone, { { 4, 8 }, { 4, 2 } }, 0 },
    { "lstm_update/peepholes",
      lstm_peephole,
      { { 2, 3, 4, 20 }, { 2, 3, 4, 20 }, { 2, 3, 4, 5 }, { 3, 5 } },
      0 },
    { "lstm_update/peepholes, one unit", lstm_peephole_alone, { { 5, 4 }, { 5, 1 }, { 3, 1 } }, 0 },
    { "lstm_update/itself", lstm_itself, { { 3, 8 } }, 0 },
    { "loss/mae", mae, { { 2, 3, 4 }, { 2, 3, 4 } }, 0 },
    { "loss/counted", loss_counted, { { 2, 3, 4 }, { 2, 3, 4 } }, 0 },
    { "loss/mse", mse, { { 2, 3, 4 }, { 2, 3, 4 } }, 0 },
    { "loss/rmse", rmse, { { 2, 3, 4 }, { 2, 3, 4 } }, 0 },
    { "loss/mape", mape, { { 2, 3, 4 }, { 2, 3, 4 } }, 2 },
    { "loss/huber", huber, { { 2, 3, 4 }, { 2, 3, 4 } }, 1 },
};
const int op_cases_count = sizeof op_cases / sizeof *op_cases;

/* Inputs are shifted so that sums are of numbers around 1: sums of numbers around 0 cancel and lose
 * their precision. Carried diffusion grows to hundreds, where a sigmoid is flat and its slope is
 * only rounding. */
const struct op_case large_cases[] = {
    { "tanh", tanh_, { { 7, 300, 65 } }, 0 },
    { "mul/broadcast", mul, { { 7, 300, 65 }, { 65 } }, 1 },
    { "mul/broadcast vectors", mul, { { 7, 300, 64 }, { 64 } }, 1 },
    { "mul/vectors times numbers", mul, { { 7, 300, 64 }, { 300, 1 } }, 1 },
    { "mul/broadcast both", mul, { { 70, 1, 33 }, { 70, 40, 1 } }, 1 },
    { "div", div_, { { 7, 300, 65 }, { 300, 1 } }, 2 },
    { "lerp", lerp, { { 7, 300, 65 }, { 7, 300, 65 }, { 7, 300, 65 } }, 0 },
    { "dropout", dropout, { { 7, 300, 65 } }, 0 },
    { "contiguous", contiguous, { { 30, 40, 65 } }, 0 },
    { "concat", concat, { { 9, 300, 4 }, { 9, 300, 2 } }, 0 },
    { "take", take, { { NODES, 40 } }, 0 },
    { "take/wide", take, { { NODES, 300 } }, 0 },
    { "lookup", lookup, { { 160, 24 }, { 5, 900 } }, 60 },
    { "lookup/many rows", lookup, { { 1500, 4 }, { 2, 600 } }, 60 },
    { "lookup/wide", lookup, { { 10, 300 }, { 2, 200 } }, 2 },
    { "sum", sum, { { 7, 300, 65 } }, 1 },
    { "sum/few", sum, { { 3, 5000, 2 } }, 1 },
    { "mean", mean, { { 700, 9, 5 } }, 1 },
    { "sum_all", sum_all, { { 7, 300, 65 } }, 1 },
    { "max_all", max_all, { { 300, 50 } }, 0 },
    { "softmax", softmax, { { 200, 37, 5 } }, 0 },
    { "softmax/long", softmax, { { 3, 1500, 4 } }, 0 },
    { "matmul", matmul, { { 3, 130, 70 }, { 70, 90 } }, 0 },
    { "matmul/batched", matmul, { { 5, 67, 33 }, { 5, 33, 129 } }, 0 },
    { "linear_op", linear, { { 4, 150, 65 }, { 65, 130 }, { 130 } }, 0 },
    { "layer_norm_op", layer_norm, { { 6, 150, 64 }, { 64 }, { 64 } }, 0 },
    { "layer_norm_op/two axes", layer_norm2, { { 5, 150, 40 }, { 150, 40 } }, 0 },
    { "batch_norm_op", batch_norm, { { 64, 100, 33 }, { 33 }, { 33 } }, 0 },
    { "batch_norm_op/nodes", batch_norm_nodes, { { 6, 150, 12 }, { 150 }, { 150 } }, 0 },
    { "conv_op", conv_plain, { { 3, 24, 150, 8 }, { 24, 20 }, { 20 } }, 0 },
    { "conv_op/both axes", conv_wide, { { 2, 25, 60, 8 }, { 48, 33 }, { 33 } }, 0 },
    { "attention", attention, { { 2, 150, 32 }, { 2, 140, 32 }, { 2, 140, 48 } }, 0 },
    { "attention/long", attention, { { 1, 40, 8 }, { 1, 1100, 8 }, { 1, 1100, 6 } }, 0 },
    { "attention/many", attention, { { 90, 12, 64 }, { 90, 12, 64 }, { 90, 12, 64 } }, 0 },
    { "attention/heads of 8", attention_8, { { 1, 70, 64 }, { 1, 207, 64 }, { 1, 207, 64 } }, 0 },
    { "attention/heads of 8 and 12",
      attention_8,
      { { 1, 70, 64 }, { 1, 70, 64 }, { 1, 70, 96 } },
      0 },
    { "attention/heads of 8, steps",
      attention_8,
      { { 2, 3, 12, 64 }, { 2, 3, 12, 64 }, { 2, 3, 12, 64 } },
      0 },
    { "attention/heads of 8, causal", attention_fixed_mask, { { 2, 70, 32 }, { 2, 70, 32 } }, 0 },
    { "attention/heads of 38", attention, { { 1, 207, 76 }, { 1, 207, 76 }, { 1, 207, 76 } }, 0 },
    { "attention/learned mask",
      attention_mask,
      { { 2, 70, 32 }, { 2, 90, 32 }, { 2, 90, 24 }, { 70, 90 } },
      0 },
    { "spmm", spmm, { { 5, NODES, 40 }, { ENTRIES } }, 0 },
    { "spmm/transposed", spmm_t, { { 3, ROWS, 70 }, { ENTRIES } }, 0 },
    { "spmm/values per sample", spmm, { { 5, NODES, 40 }, { 5, ENTRIES } }, 0 },
    { "spmm/one channel", spmm, { { 5, NODES, 1 }, { ENTRIES } }, 0 },
    { "spmm/huge", spmm_square, { { 1, HUGE, 32 }, { LINKS } }, 0 },
    { "edge_sum", edge_sum, { { 3, EDGES } }, 1 },
    { "edge_spread", edge_spread, { { 3, NODES } }, 0 },
    { "edge_softmax", edge_softmax, { { 2, 3, EDGES } }, 0 },
    { "edge_max", edge_max, { { 3, NODES, 40 }, { EDGES } }, 0 },
    { "topk", topk, { { 5, 300, 17 }, { 5, 300 } }, 0 },
    { "topk/long", topk, { { 2, 2100, 3 }, { 2, 2100 } }, 0 },
    { "row_normalize", row_normalize, { { EDGES } }, 2 },
    { "dconv_op",
      case_dconv_none,
      { { 3, NODES, 5 }, { 3, NODES, 32 }, { 7 * 37, 64 }, { 64 }, { EDGES }, { EDGES } },
      0 },
    { "dconv_op/carry",
      case_dconv_carry_sum,
      { { 2, NODES, 2 }, { 2, NODES, 64 }, { 7 * 66, 20 }, { 20 }, { EDGES }, { EDGES } },
      0 },
    { "dconv_op/constant",
      case_dconv_fast,
      { { 3, NODES, 5 }, { 3, NODES, 32 }, { 7 * 37, 64 }, { 64 } },
      0 },
    { "dconv_op/huge",
      case_dconv_none,
      { { 2, HUGE, 1 }, { 2, HUGE, 4 }, { 7 * 5, 8 }, { 8 }, { LINKS }, { LINKS } },
      0 },
    { "dconv_op/huge, constant",
      case_dconv_fast,
      { { 2, HUGE, 1 }, { 2, HUGE, 4 }, { 7 * 5, 3 }, { 3 } },
      0 },
    { "dcgru_op",
      case_dcgru_learned,
      { { 3, NODES, 5 },
        { 3, NODES, 32 },
        { 7 * 37, 64 },
        { 64 },
        { 7 * 37, 32 },
        { 32 },
        { EDGES },
        { EDGES } },
      0 },
    { "dcgru_op/constant",
      case_dcgru_constant,
      { { 3, NODES, 5 }, { 3, NODES, 32 }, { 7 * 37, 64 }, { 64 }, { 7 * 37, 32 }, { 32 } },
      0 },
    { "dcgru_op/carry, narrow",
      case_dcgru_carry,
      { { 35, NODES, 2 },
        { 35, NODES, 2 },
        { 7 * 4, 4 },
        { 4 },
        { 7 * 4, 2 },
        { 2 },
        { EDGES },
        { EDGES } },
      0 },
    { "dcgru_op/constant, narrow",
      case_dcgru_constant,
      { { 35, NODES, 1 }, { 35, NODES, 3 }, { 7 * 4, 6 }, { 6 }, { 7 * 4, 3 }, { 3 } },
      0 },
    { "dcgru_op/huge, constant",
      case_dcgru_constant,
      { { 2, HUGE, 1 }, { 2, HUGE, 4 }, { 7 * 5, 8 }, { 8 }, { 7 * 5, 4 }, { 4 } },
      0 },
    { "gru_update", gru_update, { { 9, 207, 96 }, { 9, 207, 96 }, { 9, 207, 32 } }, 0 },
    { "gru_reset, gru_blend",
      gru_reset_blend,
      { { 9, 207, 64 }, { 9, 207, 32 }, { 9, 207, 32 }, { 9, 207, 64 }, { 9, 207, 32 } },
      0 },
    { "gru_reset, gru_blend/odd",
      gru_reset_blend,
      { { 9, 207, 14 }, { 9, 207, 7 }, { 9, 207, 7 }, { 9, 207, 14 }, { 9, 207, 7 } },
      0 },
    { "gru_update/odd", gru_update, { { 9, 207, 21 }, { 9, 207, 21 }, { 9, 207, 7 } }, 0 },
    { "lstm_update/peepholes",
      lstm_peephole,
      { { 9, 207, 128 }, { 9, 207, 128 }, { 9, 207, 32 }, { 3, 32 } },
      0 },
    { "lstm_update/peepholes, odd",
      lstm_peephole_alone,
      { { 9, 207, 28 }, { 9, 207, 7 }, { 3, 7 } },
      0 },
    { "lstm_update/peepholes, one unit",
      lstm_peephole_alone,
      { { 5, 300, 4 }, { 5, 300, 1 }, { 3, 1 } },
      0 },
    { "loss/mae", mae, { { 8, 12, 150 }, { 8, 12, 150 } }, 0 },
    { "loss/rmse", rmse, { { 8, 12, 150 }, { 8, 12, 150 } }, 0 },
};
const int large_cases_count = sizeof large_cases / sizeof *large_cases;

static enum wf_status fill(struct wf_tensor *t, uint32_t stream, double shift, struct wf_error *err)
{
    ptrdiff_t n = wf_tensor_count(t);
    struct wf_rng rng = { .seed = 11, .stream = stream };
    wf_real *v = wf_malloc((size_t)n * sizeof *v);
    if (!v) return wf_fail(err, WF_ENOMEM, "no memory for %td inputs", n);
    for (ptrdiff_t i = 0; i < n; i++) v[i] = (wf_real)(2 * wf_rng_uniform(&rng) - 1 + shift);
    enum wf_status s = wf_tensor_upload(t, v);
    wf_free(v);
    return s == WF_OK ? s : wf_fail(err, s, "upload: %s", t->be->reason);
}

enum wf_status case_run_init(struct case_run *r, struct wf_backend *be, const struct op_case *row,
                             enum case_inputs how, bool large, struct wf_error *err)
{
    *r = (struct case_run){ .row = row, .how = how };
    WF_TRY(large ? large_graph(&r->G, be, err) : small_graph(&r->G, be, err));
    for (int i = 0; i < CASE_INPUTS && row->shape[i][0]; i++, r->n++) {
        int nd = 0, shape[WF_MAXDIM];
        while (nd < WF_MAXDIM && row->shape[i][nd]) nd++;
        for (int k = 0; k < nd; k++) shape[k] = row->shape[i][how == CASE_STRIDED ? nd - 1 - k : k];
        WF_TRY(wf_tensor_alloc(&r->leaf[i], be, nd, shape, err));
        WF_TRY(wf_tensor_alloc(&r->grad[i], be, nd, shape, err));
        r->leaf[i].grad = &r->grad[i];
        r->leaf[i].needs_grad = i != 1 || strncmp(row->name, "loss", 4) != 0;
        r->list[i] = &r->leaf[i];
        WF_TRY(fill(&r->leaf[i], (uint32_t)i, row->shift, err));
    }
    return WF_OK;
}

void case_run_free(struct case_run *r)
{
    graph_free(&r->G);
    for (int i = 0; i < CASE_INPUTS; i++) {
        wf_tensor_free(&r->leaf[i]);
        wf_tensor_free(&r->grad[i]);
    }
}

static struct wf_tensor *reversed(struct wf_tape *g, struct wf_tensor *x)
{
    switch (x->ndim) {
    case 2:
        return wf_permute(g, x, 1, 0);
    case 3:
        return wf_permute(g, x, 2, 1, 0);
    case 4:
        return wf_permute(g, x, 3, 2, 1, 0);
    default:
        return x;
    }
}

/* Fills the memory that the tape allocates next with NaN. */
static void spoil(struct wf_tape *g)
{
    size_t used = g->mem.used;
    struct wf_tensor *t = wf_tape_new(g, 1, wf_dims((int)(2 * used / sizeof(wf_real)) + 4096));
    WF_RUN(g, wfk_fill(g->be, t, (double)NAN));
    wf_arena_release(&g->mem, used);
}

static struct wf_tensor *input(struct wf_tape *g, struct wf_tensor *leaf, enum case_inputs how)
{
    return how == CASE_STRIDED ? reversed(g, leaf)
           : how == CASE_FRESH ? wf_affine(g, leaf, 1, 0)
                               : leaf;
}

struct wf_tensor *case_run_build(struct wf_tape *g, void *run)
{
    struct case_run *r = run;
    struct wf_tensor *in[CASE_INPUTS];
    struct wf_step step = { .seed = 5, .teach = 0.6 };
    wf_tape_set_step(g, &step);
    for (int i = 0; i < r->n; i++) in[i] = input(g, r->list[i], r->how);
    struct wf_tensor *y = r->row->build(g, &r->G, in);
    if (r->how == CASE_FRESH) spoil(g);
    return y;
}
