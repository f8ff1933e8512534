/* dygrencoder.h - DyGrEncoder: Taheri, Gimpel, Berger-Wolf, "Learning to Represent the Evolution of
 * Dynamic Graphs with Recurrent Models", WWW 2019 (companion). A gated graph convolution reads the
 * graph of each step, and an LSTM follows every node through time:
 *
 *     y = GatedGraph(x),  h', c' = LSTM(y, h, c) */
#ifndef WF_DYGRENCODER_H
#define WF_DYGRENCODER_H

#include "models/recurrent.h"
#include "nn/message.h"
#include "nn/rnn.h"

#ifdef __cplusplus
extern "C" {
#endif

struct wf_dygrencoder_sizes {
    int channels, layers; /* channels and layers of the convolution */
    int hidden;           /* units of the LSTM */
    enum wf_aggr aggr;
};

/* The cell. Parameters name.conv, name.lstm. */
struct wf_dygrencoder_cell {
    struct wf_gated_graph conv;
    struct wf_lstm lstm;
};
void wf_dygrencoder_cell_init(struct wf_dygrencoder_cell *l, struct wf_params *ps, const char *name,
                              struct wf_dygrencoder_sizes sizes);

/* One step: x [.., N, at most channels]; *h and *c [.., N, hidden] are replaced. S has one support,
 * whose values weigh the messages, such as WF_GCN with `raw` makes it. */
void wf_dygrencoder_cell(struct wf_tape *g, const struct wf_dygrencoder_cell *l,
                         const struct wf_supports *S, struct wf_tensor *x, struct wf_tensor **h,
                         struct wf_tensor **c);

/* The names of PyTorch Geometric Temporal's DyGrEncoder with one layer of LSTM. */
void wf_dygrencoder_cell_names(struct wf_renames *t, const char *theirs, const char *ours);

/* The forecasting model: models/recurrent.h around the cell. WF_AGGR_MAX is refused where the graph
 * changes with time (nn/message.h). */
struct wf_dygrencoder_config {
    int channels, layers, hidden; /* as in struct wf_dygrencoder_sizes */
    enum wf_aggr aggr;
};
struct wf_dygrencoder_config wf_dygrencoder_defaults(void);

struct wf_dygrencoder {
    struct wf_dygrencoder_config cfg;
    struct wf_task task;
    struct wf_dygrencoder_cell cell;
    struct wf_linear head; /* hidden -> Q * targets, per node */
};
void wf_dygrencoder_init(struct wf_dygrencoder *m, struct wf_params *ps,
                         struct wf_dygrencoder_config cfg, const struct wf_task *task);
/* b->x [B, T, N, C] -> forecast [B, Q, N, targets], standardised. */
struct wf_tensor *wf_dygrencoder_forward(struct wf_tape *g, const struct wf_dygrencoder *m,
                                         const struct wf_batch *b);

#ifdef __cplusplus
}
#endif
#endif
