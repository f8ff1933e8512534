/* a3tgcn.h - A3T-GCN: Bai et al., "A3T-GCN: Attention Temporal Graph Convolutional Network for
 * Traffic Forecasting", ISPRS International Journal of Geo-Information 10(7), 2021. Attention over
 * the states that T-GCN's cell has after each of T periods:
 *
 *     h_t = TGCN(x_t, h_{t-1}),  y = sum_t softmax(a)_t h_t
 */
#ifndef WF_A3TGCN_H
#define WF_A3TGCN_H

#include "models/tgcn.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The parameters are those of T-GCN's cell under `name`, and name.attention [periods] (a). */
struct wf_a3tgcn_cell {
    struct wf_tgcn_cell tgcn;
    struct wf_tensor *attention;
    int periods;
    /* h_t = TGCN(x_t, h_0), without recurrence, as PyTorch Geometric Temporal has it */
    bool restart;
};
void wf_a3tgcn_cell_init(struct wf_a3tgcn_cell *l, struct wf_params *ps, const char *name, int in,
                         int hidden, int periods);
/* x [B, periods, N, in], h [B, N, hidden] (h_0) -> y [B, N, hidden]. S has one support, of
 * WF_GCN. */
struct wf_tensor *wf_a3tgcn(struct wf_tape *g, const struct wf_a3tgcn_cell *l,
                            const struct wf_supports *S, struct wf_tensor *x, struct wf_tensor *h);
/* The names of A3TGCN and A3TGCN2 of PyTorch Geometric Temporal. */
void wf_a3tgcn_cell_names(const struct wf_a3tgcn_cell *l, struct wf_renames *t, const char *theirs,
                          const char *ours);

/* The forecasting model: the T input steps are the periods, and h_0 is 0. */
struct wf_a3tgcn_config {
    int hidden;   /* units of the cell */
    bool restart; /* as in struct wf_a3tgcn_cell */
};
struct wf_a3tgcn_config wf_a3tgcn_defaults(void);

struct wf_a3tgcn {
    struct wf_a3tgcn_config cfg;
    struct wf_task task;
    struct wf_a3tgcn_cell cell;
    struct wf_linear head; /* hidden -> Q * targets, per node */
};
void wf_a3tgcn_init(struct wf_a3tgcn *m, struct wf_params *ps, struct wf_a3tgcn_config cfg,
                    const struct wf_task *task);
/* b->x [B, T, N, C] -> forecast [B, Q, N, targets], standardised. */
struct wf_tensor *wf_a3tgcn_forward(struct wf_tape *g, const struct wf_a3tgcn *m,
                                    const struct wf_batch *b);

#ifdef __cplusplus
}
#endif
#endif
