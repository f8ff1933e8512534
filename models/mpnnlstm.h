/* mpnnlstm.h - MPNN-LSTM: Panagopoulos, Nikolentzos, Vazirgiannis, "Transfer Graph Neural Networks
 * for Pandemic Forecasting", AAAI 2021. Two graph convolutions at every step of a window, then two
 * LSTM layers over the window, node by node:
 *
 *     Y1 = BN(relu(GCN(x))),  Y2 = BN(relu(GCN(Y1))),  h1 = LSTM([Y1 Y2]),  h2 = LSTM(h1)
 *     out = [h1_T, h2_T, x_1, last channel of x_2 .. x_T]
 *
 * Batch normalisation takes its moments over the whole batch, padding included. */
#ifndef WF_MPNNLSTM_H
#define WF_MPNNLSTM_H

#include "models/recurrent.h"
#include "nn/gcn.h"
#include "nn/norm.h"
#include "nn/rnn.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The layers that make `out`. Parameters name.conv.K, name.norm.K and name.lstm.K, K = 0, 1. */
struct wf_mpnnlstm_cell {
    struct wf_gcn conv[2];
    struct wf_batch_norm norm[2];
    struct wf_lstm_stack lstm;
    int hidden;
    double dropout; /* after each normalisation */
};
void wf_mpnnlstm_cell_init(struct wf_mpnnlstm_cell *l, struct wf_params *ps, const char *name,
                           int in, int hidden);
/* x [B, T, N, in] -> out [B, N, 2 hidden + in + T - 1]. S has one support, of WF_GCN, on N nodes,
 * or on a multiple of N that divides B * T * N: several windows as one graph. */
struct wf_tensor *wf_mpnnlstm(struct wf_tape *g, const struct wf_mpnnlstm_cell *l,
                              const struct wf_supports *S, struct wf_tensor *x);
/* The names of MPNNLSTM of PyTorch Geometric Temporal. */
void wf_mpnnlstm_cell_names(struct wf_renames *t, const char *theirs, const char *ours);

/* The forecasting model: a linear layer makes all Q steps of a node out of its vector `out`. */
struct wf_mpnnlstm_config {
    int hidden;     /* units of a convolution and of an LSTM layer */
    double dropout; /* share of channels dropped after each normalisation, while training */
};
struct wf_mpnnlstm_config wf_mpnnlstm_defaults(void);

struct wf_mpnnlstm {
    struct wf_mpnnlstm_config cfg;
    struct wf_task task;
    struct wf_mpnnlstm_cell cell;
    struct wf_linear head;
};
void wf_mpnnlstm_init(struct wf_mpnnlstm *m, struct wf_params *ps, struct wf_mpnnlstm_config cfg,
                      const struct wf_task *task);
/* b->x [B, T, N, C] -> forecast [B, Q, N, targets], standardised. */
struct wf_tensor *wf_mpnnlstm_forward(struct wf_tape *g, const struct wf_mpnnlstm *m,
                                      const struct wf_batch *b);

#ifdef __cplusplus
}
#endif
#endif
