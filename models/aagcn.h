/* aagcn.h - a forecasting model made of AAGCN's blocks: Shi, Zhang, Cheng, Lu, "Skeleton-Based
 * Action Recognition with Multi-Stream Adaptive Graph Convolutional Networks", IEEE Transactions on
 * Image Processing 29, 2020. models/aagcn_block.h has the formulas of a block. With C a convolution
 * over all T steps,
 *
 *     y = relu(C(blocks(x))) W + b */
#ifndef WF_AAGCN_H
#define WF_AAGCN_H

#include "models/aagcn_block.h"
#include "models/recurrent.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { WF_AAGCN_BLOCKS = 10 };
struct wf_aagcn_config {
    int hidden, blocks; /* channels of a block, a multiple of 4; number of blocks */
    bool adaptive;      /* learn graphs besides the given one */
    bool attention;     /* weigh nodes, steps and channels */
};
struct wf_aagcn_config wf_aagcn_defaults(void);

struct wf_aagcn {
    struct wf_aagcn_config cfg;
    struct wf_task task;
    struct wf_aagcn_block block[WF_AAGCN_BLOCKS];
    struct wf_conv last;   /* C: hidden -> hidden */
    struct wf_linear head; /* hidden -> Q * targets, per node */
};
void wf_aagcn_init(struct wf_aagcn *m, struct wf_params *ps, struct wf_aagcn_config cfg,
                   const struct wf_task *task);
/* b->x [B, T, N, C] -> forecast [B, Q, N, targets], standardised. */
struct wf_tensor *wf_aagcn_forward(struct wf_tape *g, const struct wf_aagcn *m,
                                   const struct wf_batch *b);

#ifdef __cplusplus
}
#endif
#endif
