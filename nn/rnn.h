/* rnn.h - recurrent cells, and stacks of them over time. The GRU cell itself is in nn/layers.h.
 * Nothing here is freed. */
#ifndef WF_RNN_H
#define WF_RNN_H

#include "nn/layers.h"

#ifdef __cplusplus
extern "C" {
#endif

/* LSTM cell as PyTorch's LSTMCell (Hochreiter & Schmidhuber 1997; Gers et al. 2000):
 *     [i f g o] = input(x) + state(h),  c' = s(f) c + s(i) tanh(g),  h' = s(o) tanh(c')
 * where s is the logistic function. Parameters name.input and name.state, linear layers to
 * [i f g o]. */
struct wf_lstm {
    struct wf_linear input, state;
    int hidden;
};
void wf_lstm_init(struct wf_lstm *l, struct wf_params *ps, const char *name, int in, int hidden);
/* One step: x [.., in]; *h and *c [.., hidden] are replaced by h' and c'. */
void wf_lstm(struct wf_tape *g, const struct wf_lstm *l, struct wf_tensor *x, struct wf_tensor **h,
             struct wf_tensor **c);
/* The same step from a = input(x) [.., 4 hidden], for a caller that computes input(x) for all steps
 * at once. */
void wf_lstm_step(struct wf_tape *g, const struct wf_lstm *l, struct wf_tensor *a,
                  struct wf_tensor **h, struct wf_tensor **c);

/* Stacks of cells over time, as PyTorch's GRU and LSTM: layer k + 1 reads the states of layer k at
 * all steps. x [B, T, .., in] -> states of the top layer [B, T, .., hidden]. h and c hold one
 * tensor [B, .., hidden] per layer: the initial states (NULL: zeros), which are replaced by the
 * last ones. Layer k has the parameters of its cell under name.k. */
enum { WF_MAXLAYERS = 8 };
struct wf_gru_stack {
    struct wf_gru cell[WF_MAXLAYERS];
    int layers;
};
void wf_gru_stack_init(struct wf_gru_stack *l, struct wf_params *ps, const char *name, int in,
                       int hidden, int layers);
struct wf_tensor *wf_gru_stack(struct wf_tape *g, const struct wf_gru_stack *l, struct wf_tensor *x,
                               struct wf_tensor **h);

struct wf_lstm_stack {
    struct wf_lstm cell[WF_MAXLAYERS];
    int layers;
};
void wf_lstm_stack_init(struct wf_lstm_stack *l, struct wf_params *ps, const char *name, int in,
                        int hidden, int layers);
struct wf_tensor *wf_lstm_stack(struct wf_tape *g, const struct wf_lstm_stack *l,
                                struct wf_tensor *x, struct wf_tensor **h, struct wf_tensor **c);

/* PyTorch's names, weight_ih and so on, each followed by `after`: "" for a cell, "_l0", "_l1" ..
 * for layer 0, 1 .. of a stack. */
void wf_gru_names(struct wf_renames *t, const char *theirs, const char *ours, const char *after);
void wf_lstm_names(struct wf_renames *t, const char *theirs, const char *ours, const char *after);

#ifdef __cplusplus
}
#endif
#endif
