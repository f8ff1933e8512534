/* edges.h - reads the edges of a case as lists and as sparsity patterns (message.c). */
#ifndef WF_PARITY_EDGES_H
#define WF_PARITY_EDGES_H

#include "nn/message.h"
#include "tests/parity/parity.h"

/* Reads the edge list "edge_index" [2, E] at path. Free it with free_edges(). */
enum wf_status read_edges(struct run *r, const char *path, int nodes, struct wf_edges *ed);
void free_edges(struct wf_edges *ed);

/* Builds the sparsity pattern of the list, where a row is an edge's target. */
enum wf_status read_pattern(struct run *r, const char *path, int targets, int sources,
                            struct wf_csr *A);

/* Reads inputs/edge_index and inputs/edge_type as a pattern for relational convolutions. */
enum wf_status read_relations(struct run *r, int nodes, int relations, struct wf_csr *A);

/* Reads the aggregation "mean", "add" or "max"; mean is the default. */
enum wf_aggr aggr_of(struct run *r, const char *attr);

#endif
