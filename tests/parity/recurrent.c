/* recurrent.c - compares PyTorch Geometric Temporal's recurrent cells on spectral convolutions. */
#include "models/a3tgcn.h"
#include "models/agcrn.h"
#include "models/gclstm.h"
#include "models/gconvgru.h"
#include "models/gconvlstm.h"
#include "models/mpnnlstm.h"
#include "tests/parity/spectral.h"

enum { MAXT = 256 };

/* A cell's state[0] is h, and state[1] is c where it has two states. */
struct cell {
    const void *layer;
    void (*step)(struct wf_tape *g, const void *layer, const struct wf_supports *S,
                 struct wf_tensor *x, struct wf_tensor **state);
    int hidden, states;
    bool batched; /* X is [T, B, N, F] or [B, N, F]; if false, a given H says whether */
};

static int in_channels(struct run *r)
{
    return integer(r, "in_channels", 0);
}

static int out_channels(struct run *r)
{
    return integer(r, "out_channels", 0);
}

/* Reads X and its number of nodes, which is axis `axis` from the end. */
static struct wf_tensor *input(struct run *r, int axis, int *nodes)
{
    struct wf_tensor *X = leaf(r, "inputs/X");
    *nodes = r->g.error.status || X->ndim < axis ? 0 : X->shape[X->ndim - axis];
    return X;
}

/* Runs a cell over the sequence or one step, from the given states or from zero. */
static enum wf_status roll(struct run *r, struct named *n, const struct cell *c,
                           const struct wf_supports *S)
{
    static const char *const given[2] = { "inputs/H", "inputs/C" };
    struct wf_tape *g = &r->g;
    struct wf_tensor *X = leaf(r, "inputs/X"), *state[2], *y[MAXT];
    WF_TRY(tape_status(r));
    bool batched = c->batched || (has(r, given[0]) && leaf(r, given[0])->ndim == 3);
    bool sequence = X->ndim == 3 + batched;
    int T = sequence ? X->shape[0] : 1, N = X->shape[X->ndim - 2], F = X->shape[X->ndim - 1];
    int B = batched ? X->shape[X->ndim - 3] : 1, H = c->hidden;
    if (T > MAXT) return wf_fail(&r->err, WF_EFORMAT, "%d steps: want at most %d", T, MAXT);
    for (int k = 0; k < c->states; k++)
        state[k] = has(r, given[k]) ? wf_reshape(g, leaf(r, given[k]), 3, wf_dims(B, N, H))
                                    : wf_zeros(g, 3, wf_dims(B, N, H));
    for (int t = 0; t < T; t++) {
        struct wf_tensor *x = sequence ? wf_select(g, X, 0, t) : X;
        c->step(g, c->layer, S, wf_reshape(g, x, 3, wf_dims(B, N, F)), state);
        y[t] = batched ? state[0] : wf_select(g, state[0], 0, 0);
    }
    struct wf_tensor *all = sequence ? wf_stack(g, y, T, 0) : y[0];
    if (c->states == 1) {
        output(r, "outputs/out", all);
    } else {
        output(r, sequence ? "outputs/H" : "outputs/out0", all);
        output(r, sequence ? "outputs/C" : "outputs/out1",
               batched ? state[1] : wf_select(g, state[1], 0, 0));
    }
    return finish_named(r, &n->ps, &n->names);
}

/* ---- T-GCN ---- */

static void tgcn_step(struct wf_tape *g, const void *layer, const struct wf_supports *S,
                      struct wf_tensor *x, struct wf_tensor **state)
{
    state[0] = wf_tgcn_step(g, layer, S, x, state[0]);
}

static enum wf_status tgcn(struct run *r, struct named *n, bool batched)
{
    struct wf_tgcn_cell l;
    int N;
    input(r, 2, &N);
    WF_TRY(tape_status(r));
    WF_TRY(gcn_graph(r, N));
    wf_tgcn_cell_init(&l, &n->ps, "cell", in_channels(r), out_channels(r));
    wf_tgcn_cell_names(&l, &n->names, NULL, "cell");
    WF_TRY(load_named(r, &n->ps, &n->names));
    struct wf_supports S = case_supports(r, "inputs/");
    struct wf_tgcn_weights w = wf_tgcn_bind(&r->g, &l);
    return roll(r, n, &(struct cell){ &w, tgcn_step, l.hidden, 1, batched }, &S);
}

static enum wf_status tgcn_one(struct run *r, struct named *n)
{
    return tgcn(r, n, false);
}

static enum wf_status tgcn_batch(struct run *r, struct named *n)
{
    return tgcn(r, n, true);
}

enum wf_status run_tgcn(struct run *r)
{
    return with_params(r, tgcn_one);
}

enum wf_status run_tgcn2(struct run *r)
{
    return with_params(r, tgcn_batch);
}

/* X is [N, F, T] or [B, N, F, T]. */
static enum wf_status a3tgcn(struct run *r, struct named *n)
{
    struct wf_a3tgcn_cell l;
    struct wf_tape *g = &r->g;
    int N;
    struct wf_tensor *X = input(r, 3, &N);
    WF_TRY(tape_status(r));
    bool one = X->ndim == 3;
    int B = one ? 1 : X->shape[0], H = out_channels(r);
    WF_TRY(gcn_graph(r, N));
    wf_a3tgcn_cell_init(&l, &n->ps, "cell", in_channels(r), H, integer(r, "periods", 0));
    wf_a3tgcn_cell_names(&l, &n->names, NULL, "cell");
    WF_TRY(load_named(r, &n->ps, &n->names));
    l.restart = true;
    struct wf_supports S = case_supports(r, "inputs/");
    struct wf_tensor *x = wf_permute(g, one ? wf_unsqueeze(g, X, 0) : X, 0, 3, 1, 2);
    struct wf_tensor *h = wf_zeros(g, 3, wf_dims(B, N, H));
    if (has(r, "inputs/H")) h = wf_reshape(g, leaf(r, "inputs/H"), 3, wf_dims(B, N, H));
    struct wf_tensor *y = wf_a3tgcn(g, &l, &S, x, h);
    output(r, "outputs/out", one ? wf_select(g, y, 0, 0) : y);
    return finish_named(r, &n->ps, &n->names);
}

enum wf_status run_a3tgcn(struct run *r)
{
    return with_params(r, a3tgcn);
}

enum wf_status run_a3tgcn2(struct run *r)
{
    return with_params(r, a3tgcn);
}

/* ---- on Chebyshev convolutions ---- */

static void gconvgru_step(struct wf_tape *g, const void *layer, const struct wf_supports *S,
                          struct wf_tensor *x, struct wf_tensor **state)
{
    state[0] = wf_gconvgru_step(g, layer, S, x, state[0]);
}

static enum wf_status gconvgru(struct run *r, struct named *n)
{
    struct wf_gconvgru_cell l;
    int N, H = out_channels(r);
    input(r, 2, &N);
    WF_TRY(cheb_graph(r, N));
    wf_gconvgru_cell_init(&l, &n->ps, "cell", in_channels(r), H, integer(r, "K", 1));
    wf_gconvgru_cell_names(&l, &n->names, NULL, "cell");
    WF_TRY(load_named(r, &n->ps, &n->names));
    struct wf_supports S = case_supports(r, "inputs/");
    return roll(r, n, &(struct cell){ &l, gconvgru_step, H, 1, false }, &S);
}

enum wf_status run_gconvgru(struct run *r)
{
    return with_params(r, gconvgru);
}

static void gconvlstm_step(struct wf_tape *g, const void *layer, const struct wf_supports *S,
                           struct wf_tensor *x, struct wf_tensor **state)
{
    wf_gconvlstm_step(g, layer, S, x, &state[0], &state[1]);
}

static enum wf_status gconvlstm(struct run *r, struct named *n)
{
    struct wf_gconvlstm_cell l;
    int N, H = out_channels(r);
    input(r, 2, &N);
    WF_TRY(cheb_graph(r, N));
    wf_gconvlstm_cell_init(&l, &n->ps, "cell", in_channels(r), H, integer(r, "K", 1));
    wf_gconvlstm_cell_names(&l, &n->names, NULL, "cell");
    WF_TRY(load_named(r, &n->ps, &n->names));
    struct wf_supports S = case_supports(r, "inputs/");
    return roll(r, n, &(struct cell){ &l, gconvlstm_step, H, 2, false }, &S);
}

enum wf_status run_gconvlstm(struct run *r)
{
    return with_params(r, gconvlstm);
}

static void gclstm_step(struct wf_tape *g, const void *layer, const struct wf_supports *S,
                        struct wf_tensor *x, struct wf_tensor **state)
{
    wf_gclstm_step(g, layer, S, x, &state[0], &state[1]);
}

static enum wf_status gclstm(struct run *r, struct named *n)
{
    struct wf_gclstm_cell l;
    int N, H = out_channels(r);
    input(r, 2, &N);
    WF_TRY(cheb_graph(r, N));
    wf_gclstm_cell_init(&l, &n->ps, "cell", in_channels(r), H, integer(r, "K", 1));
    wf_gclstm_cell_names(&l, &n->names, NULL, "cell");
    WF_TRY(load_named(r, &n->ps, &n->names));
    struct wf_supports S = case_supports(r, "inputs/");
    return roll(r, n, &(struct cell){ &l, gclstm_step, H, 2, false }, &S);
}

enum wf_status run_gclstm(struct run *r)
{
    return with_params(r, gclstm);
}

/* ---- AGCRN ---- */

static void agcrn_step(struct wf_tape *g, const void *layer, const struct wf_supports *S,
                       struct wf_tensor *x, struct wf_tensor **state)
{
    (void)S;
    state[0] = wf_agcrn_step(g, layer, x, state[0]);
}

/* Cases named avwgcn_* are single convolutions. */
static enum wf_status agcrn(struct run *r, struct named *n)
{
    struct wf_avwgcn conv;
    struct wf_agcrn_cell l;
    struct wf_tape *g = &r->g;
    int K = integer(r, "K", 1), d = integer(r, "embedding_dimensions", 0);
    struct wf_agcrn_sizes sizes = { in_channels(r), out_channels(r), d, K };
    struct wf_tensor *X = leaf(r, "inputs/X"), *E = leaf(r, "inputs/E");
    bool single = has(r, "params/weights_pool");
    if (single) {
        wf_avwgcn_init(&conv, &n->ps, "conv", d, sizes.in, sizes.hidden, K);
        wf_avwgcn_names(&n->names, NULL, "conv");
        WF_TRY(load_named(r, &n->ps, &n->names));
        struct wf_avwgcn_nodes bound = wf_avwgcn_bind(g, &conv, E);
        output(r, "outputs/out", wf_avwgcn(g, &bound, wf_agcrn_graph(g, E), X));
        return finish_named(r, &n->ps, &n->names);
    }
    wf_agcrn_cell_init(&l, &n->ps, "cell", sizes);
    wf_agcrn_cell_names(&n->names, NULL, "cell");
    WF_TRY(load_named(r, &n->ps, &n->names));
    struct wf_agcrn_nodes bound = wf_agcrn_bind(g, &l, E, wf_agcrn_graph(g, E));
    return roll(r, n, &(struct cell){ &bound, agcrn_step, sizes.hidden, 1, true }, NULL);
}

enum wf_status run_agcrn(struct run *r)
{
    return with_params(r, agcrn);
}

/* ---- MPNN-LSTM ---- */

/* X is [B * window * N, F], and the graph has as many nodes as X has rows. */
static enum wf_status mpnnlstm(struct run *r, struct named *n)
{
    struct wf_mpnnlstm_cell l;
    int rows, N = integer(r, "num_nodes", 1), T = integer(r, "window", 1), F = in_channels(r);
    struct wf_tensor *X = input(r, 2, &rows);
    WF_TRY(gcn_graph(r, rows));
    wf_mpnnlstm_cell_init(&l, &n->ps, "cell", F, integer(r, "hidden_size", 0));
    wf_mpnnlstm_cell_names(&n->names, NULL, "cell");
    WF_TRY(load_named(r, &n->ps, &n->names));
    struct wf_supports S = case_supports(r, "inputs/");
    r->g.training = integer(r, "training", 0) != 0;
    X = wf_reshape(&r->g, X, 4, wf_dims(-1, T, N, F));
    struct wf_tensor *y = wf_mpnnlstm(&r->g, &l, &S, X); /* [B, N, ..] */
    WF_TRY(tape_status(r));
    output(r, "outputs/out", wf_reshape(&r->g, y, 2, wf_dims(-1, y->shape[2])));
    return finish_named(r, &n->ps, &n->names);
}

enum wf_status run_mpnnlstm(struct run *r)
{
    return with_params(r, mpnnlstm);
}
