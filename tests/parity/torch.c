/* torch.c - compares PyTorch's own layers and losses. */
#include <stdio.h>
#include "nn/rnn.h"
#include "tests/parity/spectral.h"

enum wf_status run_torch_linear(struct run *r)
{
    struct wf_linear l = { .weight = wf_permute(&r->g, leaf(r, "params/weight"), 1, 0),
                           .bias = has(r, "params/bias") ? leaf(r, "params/bias") : NULL };
    output(r, "outputs/out", wf_linear(&r->g, &l, leaf(r, "inputs/X")));
    return finish(r);
}

/* X is [T, B, I], H and C are [layers, B, H]; ours have the batch first and a state per layer. */
static void split_layers(struct run *r, const char *path, int layers, struct wf_tensor **h)
{
    for (int k = 0; k < layers; k++) h[k] = wf_select(&r->g, leaf(r, path), 0, k);
}

static enum wf_status gru_layers(struct run *r, struct named *n, int in, int hidden)
{
    struct wf_gru_stack l;
    struct wf_tensor *h[WF_MAXLAYERS];
    wf_gru_stack_init(&l, &n->ps, "gru", in, hidden, integer(r, "num_layers", 1));
    for (int k = 0; k < l.layers; k++) {
        char ours[32], after[32];
        snprintf(ours, sizeof ours, "gru.%d", k);
        snprintf(after, sizeof after, "_l%d", k);
        wf_gru_names(&n->names, NULL, ours, after);
    }
    WF_TRY(load_named(r, &n->ps, &n->names));
    split_layers(r, "inputs/H", l.layers, h);
    struct wf_tensor *x = wf_permute(&r->g, leaf(r, "inputs/X"), 1, 0, 2);
    struct wf_tensor *y = wf_gru_stack(&r->g, &l, x, h);
    output(r, "outputs/out0", wf_permute(&r->g, y, 1, 0, 2));
    output(r, "outputs/out1", wf_stack(&r->g, h, l.layers, 0));
    return finish_named(r, &n->ps, &n->names);
}

static enum wf_status gru(struct run *r, struct named *n)
{
    struct wf_gru l;
    struct wf_tensor *x = leaf(r, "inputs/X"), *h = leaf(r, "inputs/H");
    WF_TRY(tape_status(r));
    int in = x->shape[x->ndim - 1], hidden = h->shape[h->ndim - 1];
    if (x->ndim == 3) return gru_layers(r, n, in, hidden);
    wf_gru_init(&l, &n->ps, "gru", in, hidden);
    wf_gru_names(&n->names, NULL, "gru", "");
    WF_TRY(load_named(r, &n->ps, &n->names));
    output(r, "outputs/out", wf_gru(&r->g, &l, x, h));
    return finish_named(r, &n->ps, &n->names);
}

static enum wf_status lstm_layers(struct run *r, struct named *n, int in, int hidden)
{
    struct wf_lstm_stack l;
    struct wf_tensor *h[WF_MAXLAYERS], *c[WF_MAXLAYERS];
    wf_lstm_stack_init(&l, &n->ps, "lstm", in, hidden, integer(r, "num_layers", 1));
    for (int k = 0; k < l.layers; k++) {
        char ours[32], after[32];
        snprintf(ours, sizeof ours, "lstm.%d", k);
        snprintf(after, sizeof after, "_l%d", k);
        wf_lstm_names(&n->names, NULL, ours, after);
    }
    WF_TRY(load_named(r, &n->ps, &n->names));
    split_layers(r, "inputs/H", l.layers, h);
    split_layers(r, "inputs/C", l.layers, c);
    struct wf_tensor *x = wf_permute(&r->g, leaf(r, "inputs/X"), 1, 0, 2);
    struct wf_tensor *y = wf_lstm_stack(&r->g, &l, x, h, c);
    output(r, "outputs/out0", wf_permute(&r->g, y, 1, 0, 2));
    output(r, "outputs/out10", wf_stack(&r->g, h, l.layers, 0));
    output(r, "outputs/out11", wf_stack(&r->g, c, l.layers, 0));
    return finish_named(r, &n->ps, &n->names);
}

static enum wf_status lstm(struct run *r, struct named *n)
{
    struct wf_lstm l;
    struct wf_tensor *x = leaf(r, "inputs/X"), *h = leaf(r, "inputs/H"), *c = leaf(r, "inputs/C");
    WF_TRY(tape_status(r));
    int in = x->shape[x->ndim - 1], hidden = h->shape[h->ndim - 1];
    if (x->ndim == 3) return lstm_layers(r, n, in, hidden);
    wf_lstm_init(&l, &n->ps, "lstm", in, hidden);
    wf_lstm_names(&n->names, NULL, "lstm", "");
    WF_TRY(load_named(r, &n->ps, &n->names));
    wf_lstm(&r->g, &l, x, &h, &c);
    output(r, "outputs/out0", h);
    output(r, "outputs/out1", c);
    return finish_named(r, &n->ps, &n->names);
}

enum wf_status run_torch_grucell(struct run *r)
{
    return with_params(r, gru);
}

enum wf_status run_torch_lstmcell(struct run *r)
{
    return with_params(r, lstm);
}

static enum wf_status loss(struct run *r, enum wf_loss_kind kind, enum wf_mask mask)
{
    struct wf_tensor *p = leaf(r, "inputs/y_pred"), *t = leaf(r, "inputs/y_true");
    output(r, "outputs/out", wf_loss(&r->g, p, t, kind, mask));
    return finish(r);
}

enum wf_status run_loss_masked_mae(struct run *r)
{
    return loss(r, WF_MAE, WF_MASK_ZERO_PGT);
}

enum wf_status run_loss_mse(struct run *r)
{
    return loss(r, WF_MSE, WF_MASK_NONE);
}
