/* dnntsp.h - the network of DNNTSP: Yu, Sun, Du, Liu, Xiong, Lv, "Predicting Temporal Sets with
 * Deep Neural Networks", KDD 2020, as PyTorch Geometric Temporal has it:
 *
 *     H = relu(BN(GCN(.))) twice,  Z = mean over heads of causal attention over the items of H
 *     out_i = (1 - alpha_i) E_i + alpha_i Z_i W
 *
 * It scores which items a coming set will hold. It does not read a series, so there is no
 * forecasting model with it. In the paper the attention runs over the sets of a user; here, as in
 * the code, item i attends to the items up to i. Nothing here is freed. */
#ifndef WF_DNNTSP_H
#define WF_DNNTSP_H

#include "nn/gcn.h"
#include "nn/norm.h"

#ifdef __cplusplus
extern "C" {
#endif

struct wf_dnntsp_sizes {
    int items, channels, heads; /* n; D, which every head has; heads */
};

/* Parameters name.gcn.0, .gcn.1, name.norm.0, .norm.1, name.attend [D, 3 heads D] (columns q, k,
 * v), name.mix [D, D], name.items [n, D] (E), name.alpha [n, 1]. */
struct wf_dnntsp {
    struct wf_dnntsp_sizes sizes;
    struct wf_gcn gcn[2];
    struct wf_batch_norm norm[2];
    struct wf_tensor *attend, *mix, *items, *alpha;
};
void wf_dnntsp_init(struct wf_dnntsp *l, struct wf_params *ps, const char *name,
                    struct wf_dnntsp_sizes sizes);
/* x [B, n, D] -> [B, n, D]. S has one support, of WF_GCN, either on the n items or on all B n items
 * of the batch, sample after sample. */
struct wf_tensor *wf_dnntsp(struct wf_tape *g, const struct wf_dnntsp *l,
                            const struct wf_supports *S, struct wf_tensor *x);
/* The names of DNNTSP of PyTorch Geometric Temporal. */
void wf_dnntsp_names(const struct wf_dnntsp *l, struct wf_renames *t, const char *theirs,
                     const char *ours);

#ifdef __cplusplus
}
#endif
#endif
