/* These tests load the weights of published implementations by name into this library's models. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "data/formats/h5.h"
#include "models/model.h"
#include "nn/graph.h"
#include "tests/kit/leaks.h"
#include "tests/kit/outcome.h"
#include "tests/kit/scratch.h"

/* C is the number of input channels. */
enum { C = 3, OUT = 4, NODES = 5, STEPS = 4 };

/* clang-format off */
/* These are the arrays of the published layers, one per line, as "name dimension ..". */
#define LINEAR(name, in, out) name ".weight " #out " " #in "\n" name ".bias " #out "\n"
#define POINT(name, in, out) name ".weight " #out " " #in " 1 1\n" name ".bias " #out "\n"
#define GCN(name, in, out) name ".lin.weight " #out " " #in "\n" name ".bias " #out "\n"
#define CHEB(name, in, out) \
    name ".lins.0.weight " #out " " #in "\n" name ".lins.1.weight " #out " " #in "\n" \
    name ".lins.2.weight " #out " " #in "\n" name ".bias " #out "\n"
#define RGCN(name, in, out) \
    name ".weight 1 " #in " " #out "\n" name ".root " #in " " #out "\n" name ".bias " #out "\n"
#define DCONV(name, in, out) name ".weight 2 3 " #in " " #out "\n" name ".bias " #out "\n"
#define DCONV3(name, in, out) DCONV(name, in, 3)
#define POOL(name, in, out) name ".weights_pool 2 2 " #in " " #out "\n" name ".bias_pool 2 " #out "\n"
#define ROW(name, in, out) name " " #in " " #out "\n"
#define NORM(name, width) name ".weight " #width "\n" name ".bias " #width "\n"
#define RNN(name, after, in, units, gates) \
    name ".weight_ih" after " " #gates " " #in "\n" name ".bias_ih" after " " #gates "\n" \
    name ".weight_hh" after " " #gates " " #units "\n" name ".bias_hh" after " " #gates "\n"
#define GATES(LAYER, name, in) LAYER(name "z", in, 2) LAYER(name "r", in, 2) LAYER(name "h", in, 2)
#define GATES4(LAYER, name, in) \
    LAYER(name "i", in, 2) LAYER(name "f", in, 2) LAYER(name "c", in, 2) LAYER(name "o", in, 2)
#define TGCN(name) GATES(GCN, name "conv_", 3) GATES(LINEAR, name "linear_", 4)
#define FC(name, k, in, out) \
    POINT(name "._conv2ds." #k "._conv2d", in, out) NORM(name "._conv2ds." #k "._batch_norm", out)
#define FC2(name, in, out) FC(name, 0, in, 2) FC(name, 1, 2, out)
#define ATTENTION(name, in) \
    FC(name "._fully_connected_q", 0, in, 2) FC(name "._fully_connected_k", 0, in, 2) \
    FC(name "._fully_connected_v", 0, in, 2) FC(name "._fully_connected", 0, 2, 2)
#define BLOCK(name) \
    ATTENTION(name "._spatial_attention", 4) ATTENTION(name "._temporal_attention", 4) \
    name "._gated_fusion._fully_connected_xs._conv2ds.0._conv2d.weight 2 2 1 1\n" \
    NORM(name "._gated_fusion._fully_connected_xs._conv2ds.0._batch_norm", 2) \
    FC(name "._gated_fusion._fully_connected_xt", 0, 2, 2) \
    FC2(name "._gated_fusion._fully_connected_h", 2, 2)
#define ENCODER(name) \
    LINEAR(name ".attn.FC_Q", 8, 8) LINEAR(name ".attn.FC_K", 8, 8) LINEAR(name ".attn.FC_V", 8, 8) \
    LINEAR(name ".attn.out_proj", 8, 8) LINEAR(name ".feed_forward.0", 8, 6) \
    LINEAR(name ".feed_forward.2", 6, 8) NORM(name ".ln1", 8) NORM(name ".ln2", 8)

static const struct published {
    const char *model, *options, *head, *arrays[3];
} published[] = {
    { "dcrnn-pgt", "hidden=2\n", "linear",
      { GATES(DCONV, "recurrent.conv_x_", 5)
        LINEAR("linear", 2, 1) } },
    { "tgcn", "hidden=2\n", "linear",
      { TGCN("recurrent.")
        LINEAR("linear", 2, 4) } },
    { "a3tgcn", "hidden=2\n", "linear",
      { "tgnn._attention 4\n"
        TGCN("tgnn._base_tgcn.")
        LINEAR("linear", 2, 4) } },
    { "gconvgru", "hidden=2\n", "linear",
      { GATES(CHEB, "recurrent.conv_x_", 3)
        GATES(CHEB, "recurrent.conv_h_", 2)
        LINEAR("linear", 2, 4) } },
    { "gconvlstm", "hidden=2\n", "linear",
      { GATES4(CHEB, "recurrent.conv_x_", 3)
        GATES4(CHEB, "recurrent.conv_h_", 2)
        "recurrent.w_c_i 1 2\n" "recurrent.w_c_f 1 2\n" "recurrent.w_c_o 1 2\n"
        GATES4(ROW, "recurrent.b_", 1)
        LINEAR("linear", 2, 4) } },
    { "gclstm", "hidden=2\n", "linear",
      { GATES4(CHEB, "recurrent.conv_", 2)
        GATES4(ROW, "recurrent.W_", 3)
        GATES4(ROW, "recurrent.b_", 1)
        LINEAR("linear", 2, 4) } },
    { "mpnnlstm", "hidden=2\n", "linear",
      { GCN("recurrent._convolution_1", 3, 2)
        GCN("recurrent._convolution_2", 2, 2)
        NORM("recurrent._batch_norm_1", 2)
        NORM("recurrent._batch_norm_2", 2)
        RNN("recurrent._recurrent_1", "_l0", 4, 2, 8)
        RNN("recurrent._recurrent_2", "_l0", 2, 2, 8)
        LINEAR("linear", 10, 4) } },
    { "agcrn", "hidden=2\nlayers=2\nembedding=2\n", "end_conv",
      { "node_embeddings 5 2\n"
        POOL("encoder.dcrnn_cells.0.gate", 5, 4)
        POOL("encoder.dcrnn_cells.0.update", 5, 2)
        POOL("encoder.dcrnn_cells.1.gate", 4, 4)
        POOL("encoder.dcrnn_cells.1.update", 4, 2)
        "end_conv.weight 4 1 1 2\n" "end_conv.bias 4\n" } },
    { "stid", "embedding=2\nlayers=1\n", "regression_layer",
      { "node_emb 5 2\n" "time_in_day_emb 24 2\n" "day_in_week_emb 7 2\n"
        POINT("time_series_emb_layer", 12, 2)
        POINT("encoder.0.fc1", 8, 8)
        POINT("encoder.0.fc2", 8, 8)
        POINT("regression_layer", 8, 4) } },
    { "staeformer", "embedding=2\nadaptive-embedding=2\nfeedforward=6\nheads=2\nlayers=1\n", "output_proj",
      { LINEAR("input_proj", 3, 2)
        "tod_embedding.weight 24 2\n" "dow_embedding.weight 7 2\n" "adaptive_embedding 4 5 2\n"
        ENCODER("attn_layers_t.0")
        ENCODER("attn_layers_s.0")
        LINEAR("output_proj", 32, 4) } },
    { "gman", "heads=1\nwidth=2\nblocks=1\n", NULL,
      { "SE 5 2\n"
        FC2("_st_embedding._fully_connected_se", 2, 2)
        FC2("_st_embedding._fully_connected_te", 31, 2)
        FC2("_fully_connected_1", 1, 2)
        FC2("_fully_connected_2", 2, 1)
        ATTENTION("_transform_attention", 2),
        BLOCK("_st_att_block1.0"),
        BLOCK("_st_att_block2.0") } },
    { "evolvegcn-o", "lags=1\nlayers=1\n", "linear",
      { "recurrent.initial_weight 3 3\n"
        RNN("recurrent.recurrent_layer", "_l0", 3, 3, 9)
        LINEAR("linear", 3, 4) } },
    { "evolvegcn-h", "lags=1\nlayers=1\n", "linear",
      { "recurrent.initial_weight 3 3\n" "recurrent.pooling_layer.select.weight 1 3\n"
        RNN("recurrent.recurrent_layer", "_l0", 3, 3, 9)
        LINEAR("linear", 3, 4) } },
    { "dygrencoder", "channels=3\nlayers=1\nhidden=2\n", "linear",
      { "recurrent.conv_layer.weight 1 3 3\n"
        RNN("recurrent.conv_layer.rnn", "", 3, 3, 9)
        RNN("recurrent.recurrent_layer", "_l0", 3, 2, 8)
        LINEAR("linear", 2, 4) } },
    { "lrgcn", "hidden=2\n", "linear",
      { GATES4(RGCN, "recurrent.conv_x_", 3)
        GATES4(RGCN, "recurrent.conv_h_", 2)
        LINEAR("linear", 2, 4) } },
};
/* clang-format on */

/* Writes the arrays that `arrays` lists; element k of array i is 100 i + k. Returns the number of
 * the array `name`, or -1 where there is none. */
static int write_theirs(const char *const arrays[3], const char *name)
{
    struct wf_error err = { 0 };
    struct wf_h5 *f;
    char text[3 * 4096] = "", *rest = text, *line;
    int found = -1, i = 0;
    for (int k = 0; k < 3 && arrays[k]; k++) strcat(text, arrays[k]);
    ok(wf_h5_create(&f, scratch("theirs.h5"), &err));
    for (; (line = strtok_r(rest, "\n", &rest)) != NULL; i++) {
        struct wf_array a;
        ptrdiff_t dim[WF_MAXDIM];
        char *word = strtok_r(line, " ", &line), *size;
        int ndim = 0;
        while ((size = strtok_r(line, " ", &line)) != NULL) dim[ndim++] = atoi(size);
        ok(wf_array_alloc(&a, WF_F64, ndim, dim, &err));
        for (ptrdiff_t k = 0; k < a.count; k++) a.f64[k] = 100 * i + (double)k;
        ok(wf_h5_write(f, word, &a, &err));
        wf_array_free(&a);
        if (name && strcmp(word, name) == 0) found = i;
    }
    ok(wf_h5_commit(f, &err));
    return found;
}

struct net {
    struct wf_model m;
    struct wf_params ps;
};

/* Makes a network as a program does, with three terms of one support or of each of two. */
static void net_init(struct net *n, const char *model, const char *options)
{
    struct wf_error err = { 0 };
    ok(wf_model_new(&n->m, wf_model_find(model), &err));
    struct wf_config mc = { n->m.type->fields, n->m.cfg, "model" };
    ok(wf_config_parse(&mc, 1, options, &err));
    struct wf_task task = { .nodes = NODES,
                            .channels = C,
                            .targets = 1,
                            .T = STEPS,
                            .Q = OUT,
                            .terms = n->m.type->graph == WF_DUAL_RANDOM_WALK ? 5 : 3,
                            .steps_per_day = 24,
                            .hops = 2,
                            .time_of_day = true,
                            .day_of_week = true };
    wf_params_init(&n->ps, wf_backend_cpu());
    n->m.type->init(n->m.layers, &n->ps, n->m.cfg, &task);
    ok(wf_params_commit(&n->ps, 1, &err));
}

static void net_free(struct net *n)
{
    wf_params_free(&n->ps);
    wf_model_free(&n->m);
}

/* Every published array has a place, and every element of our model comes from one. */
Test(names, weights_of_published_implementations_are_loaded_by_name)
{
    struct wf_error err = { 0 };
    for (size_t k = 0; k < sizeof published / sizeof *published; k++) {
        const struct published *p = &published[k];
        struct net n;
        char head[64];
        snprintf(head, sizeof head, "%s.weight", p->head ? p->head : "");
        net_init(&n, p->model, p->options);
        int at = write_theirs(p->arrays, head);
        enum wf_status s =
            wf_model_load(n.m.type, n.m.layers, &n.ps, scratch("theirs.h5"), NULL, &err);
        cr_expect_eq(s, WF_OK, "%s: %s", p->model, err.message);
        if (p->head) {
            struct wf_tensor *W = &wf_params_find(&n.ps, "head.weight")->value;
            int in = W->shape[0], out = W->shape[1];
            for (int i = 0; i < in * out && s == WF_OK; i++)
                cr_expect_eq((double)W->data[i], 100 * at + i % out * in + i / out,
                             "%s: element %d of the last layer is %g", p->model, i,
                             (double)W->data[i]);
        }
        net_free(&n);
    }
    expect_no_leaks();
}

/* The published cell has one weight for X per direction; ours has one, which is their sum. */
Test(names, two_weights_of_the_input_become_one)
{
    enum { IN = C + C, K = 3 }; /* the hidden size equals the number of channels */
    struct wf_error err = { 0 };
    struct net n;
    net_init(&n, "dcrnn-pgt", "hidden=0\n");
    write_theirs((const char *[]){ GATES(DCONV3, "conv_x_", 6), NULL, NULL }, NULL);
    ok(wf_model_load(n.m.type, n.m.layers, &n.ps, scratch("theirs.h5"), NULL, &err));
    const wf_real *gates = wf_params_find(&n.ps, "cell.gates.weight")->value.data;
    const wf_real *cand = wf_params_find(&n.ps, "cell.cand.weight")->value.data;
    for (int array = 0; array < 6; array += 2) /* z, r, h */
        for (int term = 0; term < 2 * K - 1; term++)
            for (int i = 0; i < IN * C; i++) {
                int from = term < K ? term : term + 1; /* past the second direction's own X */
                double want = 100 * array + from * IN * C + i;
                if (term == 0) want += 100 * array + K * IN * C + i;
                int row = term * IN + i / C, column = i % C;
                double got = array == 4
                                 ? (double)cand[row * C + column]
                                 : (double)gates[row * 2 * C + (array == 0 ? C : 0) + column];
                cr_expect_eq(got, want, "array %d, term %d, %d: %g", array, term, i, got);
            }
    net_free(&n);
    write_theirs((const char *[]){ "conv_x_r.weight 2 2 6 3\n", NULL, NULL }, NULL);
    net_init(&n, "dcrnn-pgt", "hidden=0\n");
    cr_expect_eq(wf_model_load(n.m.type, n.m.layers, &n.ps, scratch("theirs.h5"), NULL, &err),
                 WF_EINVAL);
    cr_expect(strstr(err.message, "'conv_x_r.weight' has shape [2, 2, 6, 3]"), "%s", err.message);
    net_free(&n);
    expect_no_leaks();
}
