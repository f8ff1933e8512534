/* cases.h - a table with one row per op, which says how to build it and the shapes of its random
 * inputs. test_ops.c checks the gradient of every row with inputs of every kind, and lets every
 * allocation fail. */
#ifndef WF_CASES_H
#define WF_CASES_H

#include "autograd/ops.h"

enum { CASE_INPUTS = 8 };

/* Sparse patterns that the rows use. In small rows `square` has 5 nodes and `wide` is 4 x 5. In
 * large rows they have 150 nodes and 90 x 150, and `huge` has 4500 nodes, too many for the shared
 * memory of a device. */
struct case_graph {
    struct wf_csr square, wide, huge;
    struct wf_index index; /* selects from NODES rows, some several times */
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

/* Ops with so much work that a device divides it among several blocks. */
extern const struct op_case large_cases[];
extern const int large_cases_count;

/* The inputs of a row are leaves; or leaves stored with their axes reversed, and permuted back; or
 * outputs of another op, so that their gradients are fresh, in memory full of NaN. */
enum case_inputs { CASE_LEAVES, CASE_STRIDED, CASE_FRESH };

/* One row with its inputs, in the memory of a backend. With `large` the row is one of large_cases.
 * The target of a loss has no gradient. */
struct case_run {
    const struct op_case *row;
    struct case_graph G;
    struct wf_tensor leaf[CASE_INPUTS], grad[CASE_INPUTS], *list[CASE_INPUTS];
    int n;
    enum case_inputs how;
};
enum wf_status case_run_init(struct case_run *r, struct wf_backend *be, const struct op_case *row,
                             enum case_inputs how, bool large, struct wf_error *err);
void case_run_free(struct case_run *r);

/* Builds the output of the row; run is a struct case_run. */
struct wf_tensor *case_run_build(struct wf_tape *g, void *run);

#endif
