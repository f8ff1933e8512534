/* edges.h - the edges of a case as lists and as patterns (message.c). */
#ifndef WF_PARITY_EDGES_H
#define WF_PARITY_EDGES_H

#include "nn/message.h"
#include "tests/parity/parity.h"

/* "edge_index" [2, E] at path. Free with free_edges(). */
enum wf_status read_edges(struct run *r, const char *path, int nodes, struct wf_edges *ed);
void free_edges(struct wf_edges *ed);

/* Its pattern, row = target. */
enum wf_status read_pattern(struct run *r, const char *path, int targets, int sources,
                            struct wf_csr *A);

/* The pattern of inputs/edge_index and inputs/edge_type for relational convolutions. */
enum wf_status read_relations(struct run *r, int nodes, int relations, struct wf_csr *A);

/* "mean", "add" or "max"; absent: mean. */
enum wf_aggr aggr_of(struct run *r, const char *attr);

#endif
