/* d2stgnn_graph.h - the graphs of D2STGNN (models/d2stgnn.h): P_d, which takes the place of a
 * support S_d and is made anew for each window of input, and A, which is learned. H is the width of
 * q and k:
 *
 *     f = [W_2 BN(relu(W_1 x)) + w  when  E_d],  q = f W_q,  k = f W_k
 *     P_d[i, j] = S_d[i, j] exp(q_i . k_j / sqrt(H)) / (the same, summed over j)
 *     A = softmax(relu(E_1 E_2^T))
 *
 * Powers of P_d and A are applied without their diagonals, because what a node keeps to itself is
 * no diffusion. Nothing here is freed. */
#ifndef WF_D2STGNN_GRAPH_H
#define WF_D2STGNN_GRAPH_H

#include "nn/layers.h"
#include "nn/norm.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { WF_D2STGNN_GRAPHS = 2 };
struct wf_d2stgnn_graph_config {
    int nodes, hidden, embedding; /* N, H, width of E_d */
    int window, times;            /* width of x, width of `when` */
    int hops;                     /* powers 1 .. hops of each graph are applied */
    bool given;                   /* the graph has supports, so there are P_d */
    double dropout;               /* behind BN */
};
/* Parameters name.embedding.0 and name.embedding.1; with supports also name.first, name.norm,
 * name.second and name.query_key. */
struct wf_d2stgnn_graph {
    struct wf_d2stgnn_graph_config cfg;
    struct wf_tensor *E[WF_D2STGNN_GRAPHS]; /* [N, embedding] */
    struct wf_linear first, second;         /* window -> 2 H -> H */
    struct wf_batch_norm norm;
    struct wf_tensor *query_key; /* [H + times + embedding, 2 H] */
};
/* The graphs of a batch. They are valid until the tape is reset. */
struct wf_d2stgnn_graphs {
    int count, hops;
    const struct wf_csr *pattern[WF_D2STGNN_GRAPHS];
    struct wf_tensor *value[WF_D2STGNN_GRAPHS]; /* [B, E]: P_d */
    struct wf_tensor *loops[WF_D2STGNN_GRAPHS]; /* [B, hops, N, 1]: diagonals of powers of P_d */
    struct wf_tensor *learned;                  /* [hops * N, N]: powers of A without diagonals */
};
void wf_d2stgnn_graph_init(struct wf_d2stgnn_graph *l, struct wf_params *ps, const char *name,
                           struct wf_d2stgnn_graph_config cfg);
/* Makes G from the inputs x [B, N, window] and the embeddings of the time, when [B, 1, times], or
 * NULL where times is 0. S has at most two supports. */
void wf_d2stgnn_graph(struct wf_tape *g, const struct wf_d2stgnn_graph *l,
                      const struct wf_supports *S, struct wf_tensor *x, struct wf_tensor *when,
                      struct wf_d2stgnn_graphs *G);

/* Writes the products of s [B, T, N, C] with the powers 1 .. hops of all graphs to term[], graph by
 * graph, A last; returns their number. */
enum { WF_D2STGNN_TERMS = (WF_D2STGNN_GRAPHS + 1) * WF_MAXTERM };
int wf_d2stgnn_terms(struct wf_tape *g, const struct wf_d2stgnn_graphs *G, struct wf_tensor *s,
                     struct wf_tensor *term[WF_D2STGNN_TERMS]);

#ifdef __cplusplus
}
#endif
#endif
