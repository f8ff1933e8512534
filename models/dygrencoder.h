/* dygrencoder.h - DyGrEncoder: Taheri, Gimpel, Berger-Wolf, "Learning to Represent the Evolution of
 * Dynamic Graphs with Recurrent Models", WWW 2019 (companion): a gated graph convolution reads each
 * snapshot, an LSTM follows every node through time. */
#ifndef WF_DYGRENCODER_H
#define WF_DYGRENCODER_H

#include "nn/message.h"
#include "nn/rnn.h"

#ifdef __cplusplus
extern "C" {
#endif

struct wf_dygrencoder_config {
    int channels, layers, hidden; /* of the convolution; units of the LSTM */
    enum wf_aggr aggr;
};

/* Parameters name.conv, name.lstm. */
struct wf_dygrencoder_cell {
    struct wf_gated_graph conv;
    struct wf_lstm lstm;
};
void wf_dygrencoder_cell_init(struct wf_dygrencoder_cell *l, struct wf_params *ps, const char *name,
                              struct wf_dygrencoder_config cfg);

/* One step: x [.., N, at most channels]; h and c [.., N, hidden], which are replaced. S is one
 * support whose values weigh the messages, as WF_GCN with `raw` makes it. */
void wf_dygrencoder_cell(struct wf_tape *g, const struct wf_dygrencoder_cell *l,
                         const struct wf_supports *S, struct wf_tensor *x, struct wf_tensor **h,
                         struct wf_tensor **c);

/* PyTorch Geometric Temporal's DyGrEncoder with one layer of LSTM. */
void wf_dygrencoder_cell_names(struct wf_renames *t, const char *theirs, const char *ours);

#ifdef __cplusplus
}
#endif
#endif
