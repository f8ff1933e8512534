/* attention.h - scaled dot-product attention (Vaswani et al. 2017) along the last axis but one.
 * Attention over another axis is a permutation of the input. Nothing here is freed. */
#ifndef WF_ATTENTION_H
#define WF_ATTENTION_H

#include "autograd/ops.h"
#include "nn/params.h"

#ifdef __cplusplus
extern "C" {
#endif

/* softmax(q k^T * scale + mask) v, head by head: q [.., L, heads * d], k [.., S, heads * d],
 * v [.., S, heads * e] -> [.., L, heads * e]; head h owns channels h * d ..; mask [L, S] is added
 * to the scores, NULL: none. A row in which all is forbidden gives NaN. */
struct wf_tensor *wf_attention(struct wf_tape *g, struct wf_tensor *q, struct wf_tensor *k,
                               struct wf_tensor *v, struct wf_tensor *mask, int heads,
                               double scale);
/* The softmax alone: [.., heads, L, S]. */
struct wf_tensor *wf_attention_weights(struct wf_tape *g, struct wf_tensor *q, struct wf_tensor *k,
                                       struct wf_tensor *mask, int heads, double scale);
/* [L, L]: 0 up to the diagonal, -inf behind it. */
struct wf_tensor *wf_causal_mask(struct wf_tape *g, int L);

/* Multi-head attention as PyTorch's MultiheadAttention: [q k v] projected by name.in.weight
 * [E, 3E] (Xavier-uniform) and name.in.bias (0), the heads' results by name.out.weight [E, E],
 * name.out.bias (0). */
struct wf_mha {
    struct wf_tensor *in_weight, *in_bias, *out_weight, *out_bias;
    int heads;
};
/* embed must be a multiple of heads. */
void wf_mha_init(struct wf_mha *l, struct wf_params *ps, const char *name, int embed, int heads);
/* q [.., L, E], k and v [.., S, E] -> [.., L, E]; self-attention where all three are one tensor. */
struct wf_tensor *wf_mha(struct wf_tape *g, const struct wf_mha *l, struct wf_tensor *q,
                         struct wf_tensor *k, struct wf_tensor *v, struct wf_tensor *mask);
/* The weights of the same call averaged over heads: [.., L, S]. */
struct wf_tensor *wf_mha_weights(struct wf_tape *g, const struct wf_mha *l, struct wf_tensor *q,
                                 struct wf_tensor *k, struct wf_tensor *mask);

#ifdef __cplusplus
}
#endif
#endif
