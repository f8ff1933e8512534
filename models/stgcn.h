/* stgcn.h - STGCN: Yu, Yin, Zhu, "Spatio-Temporal Graph Convolutional Networks: A Deep Learning
 * Framework for Traffic Forecasting", IJCAI 2018. Nothing recurs: gated convolutions over time
 * stand before and behind a Chebyshev convolution over the graph.
 *
 *     TC(x) = relu(P sigmoid(Q) + R),  [P Q R] = convolution of x over k steps         (eq. 6)
 *     ST(x) = BN(TC_2(relu(Cheb(TC_1(x)))))                                            (eq. 8)
 *
 * k steps become one, so that each TC shortens the sequence by k - 1. */
#ifndef WF_STGCN_H
#define WF_STGCN_H

#include "models/recurrent.h"
#include "nn/conv.h"
#include "nn/gcn.h"
#include "nn/norm.h"

#ifdef __cplusplus
extern "C" {
#endif

/* TC: x [B, T, N, in] -> [B, T - k + 1, N, out]. Parameters name.weight [k * in, 3 out] and
 * name.bias, both with columns P, Q, R. */
struct wf_temporal_conv {
    struct wf_conv conv;
    int out;
};
void wf_temporal_conv_init(struct wf_temporal_conv *l, struct wf_params *ps, const char *name,
                           int in, int out, int kernel);
struct wf_tensor *wf_temporal_conv(struct wf_tape *g, const struct wf_temporal_conv *l,
                                   struct wf_tensor *x);
/* The names of TemporalConv of PyTorch Geometric Temporal. */
void wf_temporal_conv_names(const struct wf_temporal_conv *l, struct wf_renames *t,
                            const char *theirs, const char *ours);

/* ST: x [B, T, N, in] -> [B, T - 2 (k - 1), N, out], on S with one support, of WF_CHEB. BN counts
 * the nodes as channels. Parameters name.temporal1, name.graph, name.temporal2, name.norm. */
struct wf_st_sizes {
    int nodes, in, hidden, out; /* hidden: channels of the graph convolution */
    int kernel, terms;          /* k, Chebyshev terms */
};
struct wf_st_conv {
    struct wf_temporal_conv before, after;
    struct wf_cheb graph;
    struct wf_batch_norm norm;
    struct wf_st_sizes sizes;
};
void wf_st_conv_init(struct wf_st_conv *l, struct wf_params *ps, const char *name,
                     struct wf_st_sizes sizes);
struct wf_tensor *wf_st_conv(struct wf_tape *g, const struct wf_st_conv *l,
                             const struct wf_supports *S, struct wf_tensor *x);
/* The names of STConv of PyTorch Geometric Temporal. */
void wf_st_conv_names(const struct wf_st_conv *l, struct wf_renames *t, const char *theirs,
                      const char *ours);

/* The forecasting model: `blocks` times ST, a TC over all steps that are left, and a linear layer
 * for all Q steps. */
enum { WF_STGCN_BLOCKS = 8 };
struct wf_stgcn_config {
    int channels, hidden, kernel, blocks; /* channels of TC, of Cheb; k; number of ST */
};
struct wf_stgcn_config wf_stgcn_defaults(void);

struct wf_stgcn {
    struct wf_stgcn_config cfg;
    struct wf_task task;
    struct wf_st_conv block[WF_STGCN_BLOCKS];
    struct wf_temporal_conv last;
    struct wf_linear head; /* channels -> Q * targets, per node */
};
void wf_stgcn_init(struct wf_stgcn *m, struct wf_params *ps, struct wf_stgcn_config cfg,
                   const struct wf_task *task);
/* b->x [B, T, N, C] -> forecast [B, Q, N, targets], standardised. */
struct wf_tensor *wf_stgcn_forward(struct wf_tape *g, const struct wf_stgcn *m,
                                   const struct wf_batch *b);

#ifdef __cplusplus
}
#endif
#endif
