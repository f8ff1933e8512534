#include "models/mpnnlstm.h"
#include <stdio.h>

void wf_mpnnlstm_cell_init(struct wf_mpnnlstm_cell *l, struct wf_params *ps, const char *name,
                           int in, int hidden)
{
    char path[WF_NAME_TEXT];
    l->hidden = hidden;
    l->dropout = 0;
    for (int k = 0; k < 2; k++) {
        char part[24];
        snprintf(part, sizeof part, "conv.%d", k);
        wf_gcn_init(&l->conv[k], ps, wf_params_path(path, name, part), k ? hidden : in, hidden,
                    true);
        snprintf(part, sizeof part, "norm.%d", k);
        wf_batch_norm_init(&l->norm[k], ps, wf_params_path(path, name, part), hidden, 0.1);
    }
    wf_lstm_stack_init(&l->lstm, ps, wf_params_path(path, name, "lstm"), 2 * hidden, hidden, 2);
}

/* Y1 and Y2, for every step by itself: y[k] [.., nodes, hidden] */
static void message_passing(struct wf_tape *g, const struct wf_mpnnlstm_cell *l,
                            const struct wf_supports *S, struct wf_tensor *x,
                            struct wf_tensor *y[2])
{
    for (int k = 0; k < 2; k++) {
        x = wf_relu(g, wf_gcn(g, &l->conv[k], S, x));
        x = y[k] = wf_dropout(g, wf_batch_norm(g, &l->norm[k], x, -1), l->dropout);
    }
}

/* All channels of the first step, then the last channel of every later step: [B, N, C + T - 1] */
static struct wf_tensor *skip(struct wf_tape *g, struct wf_tensor *x)
{
    int T = x->shape[1], C = x->shape[3];
    struct wf_tensor *first = wf_select(g, x, 1, 0); /* [B, N, C] */
    if (T == 1) return first;
    struct wf_tensor *last = wf_select(g, wf_slice(g, x, 1, 1, T), -1, C - 1); /* [B, T - 1, N] */
    return wf_concat(g, first, wf_permute(g, last, 0, 2, 1));
}

struct wf_tensor *wf_mpnnlstm(struct wf_tape *g, const struct wf_mpnnlstm_cell *l,
                              const struct wf_supports *S, struct wf_tensor *x)
{
    char text[WF_SHAPE_TEXT];
    struct wf_tensor *y[2], *h[2] = { NULL, NULL }, *c[2] = { NULL, NULL };
    if (g->error.status != WF_OK) return &g->poison;
    int B = x->shape[0], T = x->shape[1], N = x->ndim == 4 ? x->shape[2] : 0;
    if (N == 0 || S->nodes % N != 0 || B * T * N % S->nodes != 0)
        return wf_tape_fail(g, WF_EINVAL, "mpnnlstm: x %s, graph of %d nodes: want [B, T, N, C]",
                            wf_tensor_shape_text(x, text), S->nodes);
    struct wf_tensor *all = x; /* a graph that differs by sample has the nodes of one step */
    if (!wf_supports_vary(S)) all = wf_reshape(g, x, 3, wf_dims(-1, S->nodes, x->shape[3]));
    message_passing(g, l, S, all, y);
    struct wf_tensor *both =
        wf_reshape(g, wf_concat(g, y[0], y[1]), 4, wf_dims(B, T, N, 2 * l->hidden));
    wf_lstm_stack(g, &l->lstm, both, h, c);
    if (g->error.status != WF_OK) return &g->poison;
    return wf_concat_n(g, (struct wf_tensor *[]){ h[0], h[1], skip(g, x) }, 3, -1);
}

void wf_mpnnlstm_cell_names(struct wf_renames *t, const char *theirs, const char *ours)
{
    char path[WF_NAME_TEXT], mine[WF_NAME_TEXT], a[WF_NAME_TEXT], b[WF_NAME_TEXT];
    for (int k = 0; k < 2; k++) {
        snprintf(a, sizeof a, "_convolution_%d", k + 1);
        snprintf(b, sizeof b, "conv.%d", k);
        wf_gcn_names(t, wf_params_path(path, theirs, a), wf_params_path(mine, ours, b), 0, true);
        snprintf(a, sizeof a, "_batch_norm_%d", k + 1);
        snprintf(b, sizeof b, "norm.%d", k);
        wf_batch_norm_names(t, wf_params_path(path, theirs, a), wf_params_path(mine, ours, b));
        snprintf(a, sizeof a, "_recurrent_%d", k + 1);
        snprintf(b, sizeof b, "lstm.%d", k);
        wf_lstm_names(t, wf_params_path(path, theirs, a), wf_params_path(mine, ours, b), "_l0");
    }
}

/* ---- the model ---- */

struct wf_mpnnlstm_config wf_mpnnlstm_defaults(void)
{
    return (struct wf_mpnnlstm_config){ .hidden = 64, .dropout = 0.5 };
}

void wf_mpnnlstm_init(struct wf_mpnnlstm *m, struct wf_params *ps, struct wf_mpnnlstm_config cfg,
                      const struct wf_task *task)
{
    *m = (struct wf_mpnnlstm){ .cfg = cfg, .task = *task };
    wf_mpnnlstm_cell_init(&m->cell, ps, "cell", task->channels, cfg.hidden);
    m->cell.dropout = cfg.dropout;
    wf_horizon_init(&m->head, ps, 2 * cfg.hidden + task->channels + task->T - 1, task);
}

struct wf_tensor *wf_mpnnlstm_forward(struct wf_tape *g, const struct wf_mpnnlstm *m,
                                      const struct wf_batch *b)
{
    struct wf_tensor *y = wf_mpnnlstm(g, &m->cell, b->supports, wf_batch_x(g, b));
    return wf_horizon(g, &m->head, &m->task, y);
}

/* The names in the examples of PyTorch Geometric Temporal. */
static void names(const void *model, struct wf_renames *t)
{
    (void)model;
    wf_mpnnlstm_cell_names(t, "recurrent", "cell");
    wf_linear_names(t, "linear", "head");
}

static const struct wf_field fields[] = {
    WF_MODEL_FIELD(mpnnlstm, hidden, INT, 1, 4096, "units of a convolution and of an LSTM layer"),
    WF_MODEL_FIELD(mpnnlstm, dropout, DOUBLE, 0, 0.99, "share of channels dropped while training"),
    { 0 }
};
WF_MODEL_TYPE(mpnnlstm, "mpnnlstm",
              "graph convolutions, then LSTMs over the window (Panagopoulos et al. 2021)", fields,
              .graph = WF_GCN, .names = names);
