/* gconvgru.h - GConvGRU: the GRU counterpart of GConvLSTM in Seo, Defferrard, Vandergheynst,
 * Bresson, "Structured Sequence Modeling with Graph Convolutional Recurrent Networks", ICONIP 2018.
 * Every product of a GRU is a Chebyshev convolution:
 *
 *     [r z] = sigmoid(C_x(x) + C_h(h)),  c = tanh(C_xc(x) + C_hc(r*h)),  h' = z h + (1 - z) c
 */
#ifndef WF_GCONVGRU_H
#define WF_GCONVGRU_H

#include "models/recurrent.h"
#include "nn/gcn.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The cell. Parameters name.gates (columns r, z) and name.cand (c). */
struct wf_gconvgru_cell {
    struct wf_cheb_pair gates, cand;
};
void wf_gconvgru_cell_init(struct wf_gconvgru_cell *l, struct wf_params *ps, const char *name,
                           int in, int hidden, int terms);
/* One step: x [B, N, in], h [B, N, hidden] -> h'. S has one support, of WF_CHEB, with `terms`
 * terms. */
struct wf_tensor *wf_gconvgru_step(struct wf_tape *g, const struct wf_gconvgru_cell *l,
                                   const struct wf_supports *S, struct wf_tensor *x,
                                   struct wf_tensor *h);
/* The names of GConvGRU of PyTorch Geometric Temporal. */
void wf_gconvgru_cell_names(const struct wf_gconvgru_cell *l, struct wf_renames *t,
                            const char *theirs, const char *ours);

/* The forecasting model: models/recurrent.h around the cell. */
struct wf_gconvgru_config {
    int hidden; /* units of the cell */
};
struct wf_gconvgru_config wf_gconvgru_defaults(void);

struct wf_gconvgru {
    struct wf_gconvgru_config cfg;
    struct wf_task task;
    struct wf_gconvgru_cell cell;
    struct wf_linear head; /* hidden -> Q * targets, per node */
};
void wf_gconvgru_init(struct wf_gconvgru *m, struct wf_params *ps, struct wf_gconvgru_config cfg,
                      const struct wf_task *task);
/* b->x [B, T, N, C] -> forecast [B, Q, N, targets], standardised. */
struct wf_tensor *wf_gconvgru_forward(struct wf_tape *g, const struct wf_gconvgru *m,
                                      const struct wf_batch *b);

#ifdef __cplusplus
}
#endif
#endif
