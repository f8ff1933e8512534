/* parity.h - compares one case of a file of reference values with what this library computes.
 *
 * A runner (runners.def) builds the case on the tape from leaves, registers outputs and calls
 * finish(), which compares every output, buffer and gradient that the case holds; one the runner
 * did not compute is a failure. Leaves keep the published shapes; ops on the tape bring them into
 * ours, so that gradients come back under the published names. */
#ifndef WF_PARITY_H
#define WF_PARITY_H

#include "data/formats/h5.h"
#include "nn/graph.h"
#include "nn/params.h"
#include "nn/weights.h"

enum { OUTPUTS = 8, LEAVES = 64, PATH_TEXT = 512 };

/* A leaf is an array of the file that takes part in the computation; it owns its memory. */
struct leaf {
    char path[PATH_TEXT];
    struct wf_tensor value, grad;
};

struct output {
    const char *path;
    struct wf_tensor *value; /* NULL where the case took the array as an input */
};

struct check {
    char where[PATH_TEXT];
    double diff, peak; /* largest |a - b| and |b| */
};

struct run {
    const char *file, *name; /* path of the file, name of the case */
    struct wf_h5 *h5;
    struct wf_tape g;
    struct wf_graph graph;
    struct leaf leaf[LEAVES];
    int leaves, outputs, checks;
    struct output output[OUTPUTS];
    struct check *check;
    bool params_elsewhere; /* the runner compares grad_params and buffers itself */
    bool covered;          /* a runner clears it for a case it does not know */
    struct wf_error err;
};

typedef enum wf_status runner(struct run *r);

/* Writes the path of an array of the case inside the file into text, and returns text. */
const char *in_case(const struct run *r, char text[PATH_TEXT], const char *path);
bool has(const struct run *r, const char *path);
enum wf_status read_case(struct run *r, const char *path, enum wf_elem elem, struct wf_array *out);
enum wf_status read_real(struct run *r, const char *path, struct wf_array *out); /* as wf_real */

/* These read attributes of `object` inside the case ("" is the case itself). An absent attribute or
 * the text "None" has the default; any other that is no number fails the case. */
bool has_attr(const struct run *r, const char *object, const char *attr);
double number(struct run *r, const char *attr, double absent);
int integer(struct run *r, const char *attr, int absent);
bool text_is(struct run *r, const char *attr, const char *text);

/* Returns the array "inputs/X" as a tensor, with a gradient where the case has one for it. */
struct wf_tensor *leaf(struct run *r, const char *path);
void output(struct run *r, const char *path, struct wf_tensor *value);

/* A runner ends on a tape's error by WF_TRY(tape_status(r)). */
enum wf_status tape_status(struct run *r);

enum wf_status compare(struct run *r, const char *where, const wf_real *got, const double *want,
                       ptrdiff_t n);
enum wf_status compare_number(struct run *r, const char *where, double got, double want);
/* Compares a tensor with the array at path, shapes included. */
enum wf_status compare_tensor(struct run *r, const char *path, const struct wf_tensor *got);
/* Compares every parameter, or its gradient if grad, with the value of the same name in want. */
enum wf_status compare_params(struct run *r, const char *group, const struct wf_params *got,
                              bool grad, const struct wf_params *want);
enum wf_status finish(struct run *r);

/* These serve a layer that is declared into ps and whose published names are in table t.
 * load_named() commits ps and fills it with the case's params and buffers; finish_named() is
 * finish(), with gradients and buffers compared by name. */
enum wf_status load_named(struct run *r, struct wf_params *ps, const struct wf_renames *t);
enum wf_status finish_named(struct run *r, const struct wf_params *ps, const struct wf_renames *t);

/* case_graph() reads the edges of array group + "edge_index" as r->graph; case_supports() returns
 * its supports, with the leaf "edge_weight" beside that array where there is one. */
enum wf_status case_graph(struct run *r, const char *group, int nodes,
                          const struct wf_graph_config *cfg);
struct wf_supports case_supports(struct run *r, const char *group);
/* Builds the graph of PyTorch Geometric Temporal's DConv from the same edges, K - 1 hops. */
enum wf_status pgt_graph(struct run *r, const char *group, int nodes);

/* These build chnsh's graph of the dense matrix at path, and its supports with wf_real weights. */
enum wf_status chnsh_graph(struct run *r, const char *path);
struct wf_supports chnsh_supports(struct run *r, const char *path);

#define R(file) runner run_##file;
#include "tests/parity/runners.def"
#undef R
runner run_traj_pgt, run_traj_chnsh;

#endif
