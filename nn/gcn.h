/* gcn.h - spectral graph convolutions: GCN, Chebyshev, and Chebyshev with spatial attention.
 *
 * Each works on the one support that wf_graph_init() makes for WF_GCN or WF_CHEB, with K - 1 hops
 * for K Chebyshev terms. Nothing here is freed; parameters belong to struct wf_params. */
#ifndef WF_GCN_H
#define WF_GCN_H

#include "autograd/ops.h"
#include "nn/params.h"
#include "nn/weights.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Y = P X W + b (Kipf and Welling 2017, eq. 2), x [.., N, in] -> [.., N, out]. Parameters
 * name.weight [in, out], Glorot-uniform, and, when bias, name.bias [out], zero. */
struct wf_gcn {
    struct wf_tensor *weight, *bias; /* bias may be NULL */
};
void wf_gcn_init(struct wf_gcn *l, struct wf_params *ps, const char *name, int in, int out,
                 bool bias);
struct wf_tensor *wf_gcn(struct wf_tape *g, const struct wf_gcn *l, const struct wf_supports *S,
                         struct wf_tensor *x);
/* PyTorch Geometric's GCNConv, lin.weight [out, in] and bias, from column `first` of ours on. */
void wf_gcn_names(struct wf_renames *t, const char *theirs, const char *ours, int first, bool bias);

/* Y = act(sum_k T_k(Lt^T) X W_k + b), k = 0 .. terms - 1 (Defferrard et al. 2016, eq. 4),
 * x [.., N, in] -> [.., N, out]; one term alone does not look at the graph. Parameters name.weight
 * [terms * in, out], term-major, each term Glorot-uniform, and, when bias, name.bias [out], zero.
 */
struct wf_cheb {
    struct wf_tensor *weight, *bias; /* bias may be NULL */
};
void wf_cheb_init(struct wf_cheb *l, struct wf_params *ps, const char *name, int in, int out,
                  int terms, bool bias);
struct wf_tensor *wf_cheb(struct wf_tape *g, const struct wf_cheb *l, const struct wf_supports *S,
                          struct wf_tensor *x, enum wf_act act);

/* PyTorch Geometric's ChebConv: lins.k.weight [out, in] and bias. Ours may be part of a wider one
 * with `channels` rows per term: theirs begin at row `row` of each and at column `first`. bias:
 * what their bias is called in ours, NULL: there is none. */
struct wf_cheb_place {
    int terms, channels, row, first;
    const char *bias;
};
void wf_cheb_names(struct wf_renames *t, const char *theirs, const char *ours,
                   struct wf_cheb_place p);

/* act(C_x(x) + C_h(h)), a convolution of the input and one of the state, as the gates of a
 * recurrent cell have them, in one. x [B, N, in], h [B, N, hidden] -> [B, N, out]. Parameters
 * name.weight [terms * (in + hidden), out]; name.bias and name.bias_h [out], whose sum counts. */
struct wf_cheb_pair {
    struct wf_cheb conv;
    struct wf_tensor *bias_h;
    int in, hidden, terms;
};
void wf_cheb_pair_init(struct wf_cheb_pair *l, struct wf_params *ps, const char *name, int in,
                       int hidden, int out, int terms);
struct wf_tensor *wf_cheb_pair(struct wf_tape *g, const struct wf_cheb_pair *l,
                               const struct wf_supports *S, struct wf_tensor *x,
                               struct wf_tensor *h, enum wf_act act);
/* Two ChebConvs, of x and of h, for the columns from `first` on. */
void wf_cheb_pair_names(struct wf_renames *t, const struct wf_cheb_pair *l, const char *their_x,
                        const char *their_h, const char *ours, int first);

/* Chebyshev convolution whose operator is weighted by an attention between nodes, a matrix for each
 * sample: what node i takes from node j counts A[i, j] (ASTGCN, Guo et al. 2019, eq. 5):
 *     Y = sum_k (T_k(Lt^T) * A) X W_k + b                                   (every_term)
 * or, as PyTorch Geometric Temporal has it, where terms from the second on do not see A and edges
 * run backwards:
 *     T_0 = diag(A) X,  T_1 = (Lt * A) T_0,  T_k = 2 Lt T_{k-1} - T_{k-2},  Y = sum_k T_k W_k + b
 * x [B, N, in], or [B, T, N, in] with the same A for all steps, A [B, N, N] -> [.., N, out].
 * Parameters name.weight [terms, in, out], Glorot-uniform; name.bias [out], zero. */
struct wf_cheb_attention {
    struct wf_tensor *weight, *bias;
    bool every_term; /* false until the caller says otherwise */
};
void wf_cheb_attention_init(struct wf_cheb_attention *l, struct wf_params *ps, const char *name,
                            int in, int out, int terms);
struct wf_tensor *wf_cheb_attention(struct wf_tape *g, const struct wf_cheb_attention *l,
                                    const struct wf_supports *S, struct wf_tensor *x,
                                    struct wf_tensor *A);
/* PyTorch Geometric Temporal's ChebConvAttention. */
void wf_cheb_attention_names(struct wf_renames *t, const char *theirs, const char *ours);

#ifdef __cplusplus
}
#endif
#endif
