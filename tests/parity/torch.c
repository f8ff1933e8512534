/* torch.c - PyTorch's own layers and losses. */
#include <stdio.h>
#include "nn/rnn.h"
#include "tests/parity/parity.h"

/* PyTorch's [out, in] weight and bias of the case as our linear; sfx follows both names. */
static struct wf_linear linear(struct run *r, const char *weight, const char *bias, const char *sfx)
{
    char w[PATH_TEXT], b[PATH_TEXT];
    snprintf(w, sizeof w, "params/%s%s", weight, sfx);
    snprintf(b, sizeof b, "params/%s%s", bias, sfx);
    return (struct wf_linear){ .weight = wf_permute(&r->g, leaf(r, w), 1, 0),
                               .bias = has(r, b) ? leaf(r, b) : NULL };
}

enum wf_status run_torch_linear(struct run *r)
{
    struct wf_linear l = linear(r, "weight", "bias", "");
    output(r, "outputs/out", wf_linear(&r->g, &l, leaf(r, "inputs/X")));
    return finish(r);
}

/* X [T, B, I], H (and C) [layers, B, H]: ours have the batch first and a state per layer. */
static int split_layers(struct run *r, const char *path, struct wf_tensor **h)
{
    struct wf_tensor *H = leaf(r, path);
    if (r->g.error.status || H->shape[0] > WF_MAXLAYERS) return 0;
    for (int k = 0; k < H->shape[0]; k++) h[k] = wf_select(&r->g, H, 0, k);
    return H->shape[0];
}

static enum wf_status gru_layers(struct run *r)
{
    struct wf_gru_stack l = { 0 };
    struct wf_tensor *h[WF_MAXLAYERS];
    l.layers = split_layers(r, "inputs/H", h);
    for (int k = 0; k < l.layers; k++) {
        char sfx[16];
        snprintf(sfx, sizeof sfx, "_l%d", k);
        l.cell[k].input = linear(r, "weight_ih", "bias_ih", sfx);
        l.cell[k].state = linear(r, "weight_hh", "bias_hh", sfx);
        l.cell[k].hidden = h[k]->shape[1];
    }
    struct wf_tensor *x = wf_permute(&r->g, leaf(r, "inputs/X"), 1, 0, 2);
    struct wf_tensor *y = wf_gru_stack(&r->g, &l, x, h);
    output(r, "outputs/out0", wf_permute(&r->g, y, 1, 0, 2));
    output(r, "outputs/out1", wf_stack(&r->g, h, l.layers, 0));
    return finish(r);
}

enum wf_status run_torch_grucell(struct run *r)
{
    struct wf_tensor *X = leaf(r, "inputs/X"), *H = leaf(r, "inputs/H");
    WF_TRY(tape_status(r));
    if (X->ndim == 3) return gru_layers(r);
    struct wf_gru cell = { .input = linear(r, "weight_ih", "bias_ih", ""),
                           .state = linear(r, "weight_hh", "bias_hh", ""),
                           .hidden = H->shape[1] };
    output(r, "outputs/out", wf_gru(&r->g, &cell, X, H));
    return finish(r);
}

static enum wf_status lstm_layers(struct run *r)
{
    struct wf_lstm_stack l = { 0 };
    struct wf_tensor *h[WF_MAXLAYERS], *c[WF_MAXLAYERS];
    l.layers = split_layers(r, "inputs/H", h);
    split_layers(r, "inputs/C", c);
    for (int k = 0; k < l.layers; k++) {
        char sfx[16];
        snprintf(sfx, sizeof sfx, "_l%d", k);
        l.cell[k].input = linear(r, "weight_ih", "bias_ih", sfx);
        l.cell[k].state = linear(r, "weight_hh", "bias_hh", sfx);
        l.cell[k].hidden = h[k]->shape[1];
    }
    struct wf_tensor *x = wf_permute(&r->g, leaf(r, "inputs/X"), 1, 0, 2);
    struct wf_tensor *y = wf_lstm_stack(&r->g, &l, x, h, c);
    output(r, "outputs/out0", wf_permute(&r->g, y, 1, 0, 2));
    output(r, "outputs/out10", wf_stack(&r->g, h, l.layers, 0));
    output(r, "outputs/out11", wf_stack(&r->g, c, l.layers, 0));
    return finish(r);
}

enum wf_status run_torch_lstmcell(struct run *r)
{
    struct wf_tensor *X = leaf(r, "inputs/X");
    struct wf_tensor *h = leaf(r, "inputs/H"), *c = leaf(r, "inputs/C");
    WF_TRY(tape_status(r));
    if (X->ndim == 3) return lstm_layers(r);
    struct wf_lstm cell = { .input = linear(r, "weight_ih", "bias_ih", ""),
                            .state = linear(r, "weight_hh", "bias_hh", ""),
                            .hidden = h->shape[1] };
    wf_lstm(&r->g, &cell, X, &h, &c);
    output(r, "outputs/out0", h);
    output(r, "outputs/out1", c);
    return finish(r);
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
