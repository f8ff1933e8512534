/* cases.h - one row per op: how to build it, and the shapes of its random inputs. Every row is
 * checked for its gradient, with strided inputs, and for every failing allocation (test_ops.c). */
#ifndef WF_CASES_H
#define WF_CASES_H

#include "autograd/ops.h"

enum { CASE_INPUTS = 6 };

/* Graphs of 5 nodes and 4 x 5 matrices that the rows use, with constant values; learn[] are values
 * with a gradient, set by the test. */
struct case_graph {
    struct wf_csr square, wide; /* [5, 5] and [4, 5] */
    struct wf_index index;      /* 6 of 5 rows, one of them three times, one never */
};

struct op_case {
    const char *name;
    struct wf_tensor *(*build)(struct wf_tape *g, const struct case_graph *G,
                               struct wf_tensor **in);
    int shape[CASE_INPUTS][WF_MAXDIM]; /* ended by 0 */
    double shift;                      /* inputs are uniform in [-1, 1) + shift */
};
extern const struct op_case op_cases[];
extern const int op_cases_count;

enum wf_status case_graph_init(struct case_graph *G, struct wf_error *err);
void case_graph_free(struct case_graph *G);

#endif
