/* lrgcn.h - LRGCN: Li, Han, Cheng, Su, Wang, Zhang, Pan, "Predicting Path Failure In Time-Evolving
 * Graphs", KDD 2019, section 4.2. An LSTM whose products are relational graph convolutions X and H
 * (struct wf_rgcn of nn/message.h):
 *
 *     [i f g o] = X(x) + H(h),  c' = s(f) c + s(i) tanh(g),  h' = s(o) tanh(c')
 *
 * s is the logistic function. */
#ifndef WF_LRGCN_H
#define WF_LRGCN_H

#include "models/recurrent.h"
#include "nn/message.h"

#ifdef __cplusplus
extern "C" {
#endif

struct wf_lrgcn_sizes {
    int in, hidden, relations, bases; /* bases 0: a matrix of its own for each relation */
};

/* The cell. Parameters name.x and name.h, convolutions whose gates [i f g o] are side by side. */
struct wf_lrgcn_cell {
    struct wf_rgcn x, h;
};
void wf_lrgcn_cell_init(struct wf_lrgcn_cell *l, struct wf_params *ps, const char *name,
                        struct wf_lrgcn_sizes sizes);

/* One step: x [.., N, in]; *h and *c [.., N, hidden] are replaced. A is the pattern of
 * wf_relation_pattern(); weight says which edges are there (nn/message.h). */
void wf_lrgcn_cell(struct wf_tape *g, const struct wf_lrgcn_cell *l, const struct wf_csr *A,
                   struct wf_tensor *weight, struct wf_tensor *x, struct wf_tensor **h,
                   struct wf_tensor **c);

/* The names of PyTorch Geometric Temporal's LRGCN. */
void wf_lrgcn_cell_names(struct wf_renames *t, const char *theirs, const char *ours,
                         const struct wf_lrgcn_cell *l);

/* The forecasting model: models/recurrent.h around the cell. It has one relation, the edges of the
 * graph, whose weights do not count. */
struct wf_lrgcn_config {
    int hidden; /* units of the cell */
};
struct wf_lrgcn_config wf_lrgcn_defaults(void);

struct wf_lrgcn {
    struct wf_lrgcn_config cfg;
    struct wf_task task;
    struct wf_lrgcn_cell cell;
    struct wf_linear head; /* hidden -> Q * targets, per node */
};
void wf_lrgcn_init(struct wf_lrgcn *m, struct wf_params *ps, struct wf_lrgcn_config cfg,
                   const struct wf_task *task);
/* b->x [B, T, N, C] -> forecast [B, Q, N, targets], standardised. */
struct wf_tensor *wf_lrgcn_forward(struct wf_tape *g, const struct wf_lrgcn *m,
                                   const struct wf_batch *b);

#ifdef __cplusplus
}
#endif
#endif
