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
/* The names of PyTorch Geometric's GCNConv, lin.weight [out, in] and bias. Its columns become ours
 * from column `first` on. */
void wf_gcn_names(struct wf_renames *t, const char *theirs, const char *ours, int first, bool bias);

/* Y = act(sum_k T_k(Lt^T) X W_k + b), k = 0 .. terms - 1 (Defferrard et al. 2016, eq. 4), x [.., N,
 * in] -> [.., N, out]. With one term the graph has no influence. Parameters name.weight [terms *
 * in, out], term-major, each term Glorot-uniform, and, when bias, name.bias [out], zero. */
struct wf_cheb {
    struct wf_tensor *weight, *bias; /* bias may be NULL */
};
void wf_cheb_init(struct wf_cheb *l, struct wf_params *ps, const char *name, int in, int out,
                  int terms, bool bias);
struct wf_tensor *wf_cheb(struct wf_tape *g, const struct wf_cheb *l, const struct wf_supports *S,
                          struct wf_tensor *x, enum wf_act act);

/* Where a ChebConv of PyTorch Geometric stands in a layer of ours, which may be wider because it
 * joins several. */
struct wf_cheb_place {
    int terms;
    int channels;     /* rows that our weight has per term */
    int row, first;   /* where theirs begins: the row within each term, and the column */
    const char *bias; /* our name of their bias; NULL: there is none */
};
/* The names of PyTorch Geometric's ChebConv: lins.k.weight [out, in] and bias. */
void wf_cheb_names(struct wf_renames *t, const char *theirs, const char *ours,
                   struct wf_cheb_place p);

/* act(C_x(x) + C_h(h)): a convolution of the input and one of the state, as the gates of a
 * recurrent cell have them, computed as one. x [B, N, in], h [B, N, hidden] -> [B, N, out].
 * Parameters name.weight [terms * (in + hidden), out]; name.bias and name.bias_h [out], which are
 * added: there are two so that published weights have a place each. */
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
/* The names of two ChebConvs, their_x of x and their_h of h, which become the columns of ours from
 * `first` on. */
void wf_cheb_pair_names(struct wf_renames *t, const struct wf_cheb_pair *l, const char *their_x,
                        const char *their_h, const char *ours, int first);

/* Chebyshev convolution whose operator is weighted by an attention between nodes, one matrix A per
 * sample: what node i takes from node j is multiplied by A[i, j] (ASTGCN, Guo et al. 2019, eq. 5).
 * With every_term
 *     Y = sum_k (T_k(Lt^T) * A) X W_k + b
 * and without it, as PyTorch Geometric Temporal has it, where edges run backwards and terms from
 * the third on do not see A:
 *     T_0 = diag(A) X,  T_1 = (Lt * A) T_0,  T_k = 2 Lt T_{k-1} - T_{k-2}
 *     Y = sum_k T_k W_k + b
 * x [B, N, in] -> [B, N, out], or [B, T, N, in] -> [B, T, N, out] with the same A for all steps;
 * A [B, N, N]. Parameters name.weight [terms, in, out], Glorot-uniform; name.bias [out], zero. */
struct wf_cheb_attention {
    struct wf_tensor *weight, *bias;
    bool every_term; /* false after init; the caller may set it */
};
void wf_cheb_attention_init(struct wf_cheb_attention *l, struct wf_params *ps, const char *name,
                            int in, int out, int terms);
struct wf_tensor *wf_cheb_attention(struct wf_tape *g, const struct wf_cheb_attention *l,
                                    const struct wf_supports *S, struct wf_tensor *x,
                                    struct wf_tensor *A);
/* The names of PyTorch Geometric Temporal's ChebConvAttention. */
void wf_cheb_attention_names(struct wf_renames *t, const char *theirs, const char *ours);

#ifdef __cplusplus
}
#endif
#endif
