/* torch.c - PyTorch's own layers and losses. */
#include <stdio.h>
#include "nn/layers.h"
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

static struct wf_gru gru(struct run *r, const char *sfx)
{
    struct wf_gru l = { .input = linear(r, "weight_ih", "bias_ih", sfx),
                        .state = linear(r, "weight_hh", "bias_hh", sfx) };
    l.hidden = r->g.error.status ? 0 : l.state.weight->shape[0];
    return l;
}

/* X [T, B, I], H [layers, B, H]: layer after layer over all steps. */
static enum wf_status gru_layers(struct run *r, struct wf_tensor *X, struct wf_tensor *H)
{
    enum { MAXT = 256, MAXL = 16 };
    struct wf_tensor *x[MAXT], *last[MAXL];
    int T = X->shape[0], L = integer(r, "num_layers", 1);
    if (T > MAXT || L < 1 || L > MAXL)
        return wf_fail(&r->err, WF_EFORMAT, "%d steps, %d layers: want at most %d, %d", T, L, MAXT,
                       MAXL);
    for (int t = 0; t < T; t++) x[t] = wf_select(&r->g, X, 0, t);
    for (int l = 0; l < L; l++) {
        char sfx[16];
        snprintf(sfx, sizeof sfx, "_l%d", l);
        struct wf_gru cell = gru(r, sfx);
        last[l] = wf_select(&r->g, H, 0, l);
        for (int t = 0; t < T; t++) x[t] = last[l] = wf_gru(&r->g, &cell, x[t], last[l]);
    }
    output(r, "outputs/out0", wf_stack(&r->g, x, T, 0));
    output(r, "outputs/out1", wf_stack(&r->g, last, L, 0));
    return finish(r);
}

enum wf_status run_torch_grucell(struct run *r)
{
    struct wf_tensor *X = leaf(r, "inputs/X"), *H = leaf(r, "inputs/H");
    WF_TRY(tape_status(r));
    if (X->ndim == 3) return gru_layers(r, X, H);
    struct wf_gru cell = gru(r, "");
    output(r, "outputs/out", wf_gru(&r->g, &cell, X, H));
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
