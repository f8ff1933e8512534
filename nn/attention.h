/* attention.h - multi-head attention (Vaswani et al. 2017) along the last axis but one; to attend
 * along another axis, permute the inputs. The attention without its projections is wf_attention()
 * of autograd/ops.h. Nothing here is freed. */
#ifndef WF_ATTENTION_H
#define WF_ATTENTION_H

#include "autograd/ops.h"
#include "nn/weights.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Multi-head attention as PyTorch's MultiheadAttention. name.in.weight [E, 3E] (Xavier-uniform) and
 * name.in.bias (0) project the inputs to [q k v]; name.out.weight [E, E] and name.out.bias (0)
 * project the results of the heads. */
struct wf_mha {
    struct wf_tensor *in_weight, *in_bias, *out_weight, *out_bias;
    int heads;
};
/* embed is E and must be a multiple of heads; otherwise ps refuses the layer. */
void wf_mha_init(struct wf_mha *l, struct wf_params *ps, const char *name, int embed, int heads);
/* q [.., L, E], k and v [.., S, E] -> [.., L, E]. Self-attention gives one tensor as all three,
 * which saves products. mask as wf_attention() takes it, or NULL. */
struct wf_tensor *wf_mha(struct wf_tape *g, const struct wf_mha *l, struct wf_tensor *q,
                         struct wf_tensor *k, struct wf_tensor *v, struct wf_tensor *mask);
/* The attention weights that wf_mha() would use, averaged over the heads: [.., L, S]. */
struct wf_tensor *wf_mha_weights(struct wf_tape *g, const struct wf_mha *l, struct wf_tensor *q,
                                 struct wf_tensor *k, struct wf_tensor *mask);

/* The names of PyTorch's MultiheadAttention, see nn/weights.h. */
void wf_mha_names(struct wf_renames *t, const char *theirs, const char *ours);

#ifdef __cplusplus
}
#endif
#endif
