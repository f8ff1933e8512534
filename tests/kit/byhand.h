/* byhand.h - runs a model on synthetic inputs and finds its parameters by name, for tests that
 * compute the formulas of the model's paper in plain loops. */
#ifndef WF_TEST_BYHAND_H
#define WF_TEST_BYHAND_H

#include "models/model.h"
#include "tests/kit/dense.h"

struct byhand {
    struct dense d;
    struct wf_model model;
    struct wf_task task;
    struct wf_graph graph;
    struct wf_batch batch;
    struct wf_tensor *y; /* the forecast in inference mode, [B, Q, N, targets] */
};

/* Fills all parameters and running moments with synthetic numbers. Measured inputs are noise; the
 * time of day and the day of the week advance from step to step, and start elsewhere in every
 * sample. If edges is NULL, the model gets no graph. */
void byhand_init(struct byhand *m, const char *model, const char *options, struct wf_task task,
                 const struct wf_edges *edges);
void byhand_free(struct byhand *m);

enum { BYHAND_BATCH = 2, BYHAND_NODES = 3 };
/* A graph for BYHAND_NODES nodes, and its two random walks. S[0] is what a node takes along its
 * in-edges, divided by the weight of all edges that leave their source; S[1] is what it takes along
 * its out-edges, divided by the weight of all edges that enter their target. */
extern const struct wf_edges byhand_edges;
void byhand_walks(double S[2][BYHAND_NODES][BYHAND_NODES]);

double byhand_x(const struct byhand *m, int b, int t, int n, int c);
double byhand_y(const struct byhand *m, int b, int q, int n); /* of the first target */
const wf_real *byhand_param(const struct byhand *m, const char *layer, const char *name);
/* The row of a table of `rows` rows that channel c, a time, selects at step t of sample b. */
int byhand_row(const struct byhand *m, int b, int t, int c, int rows);

/* Computes y[out] = x[in] W + b of the linear layer `name`. */
void byhand_linear(const struct byhand *m, const char *name, const double *x, int in, int out,
                   double *y);
double byhand_sigmoid(double x);
void byhand_expect(double got, double want);

/* The number of parameters at the size of METR-LA: 207 nodes, 12 steps of 5 minutes in and out, two
 * supports of two hops. The channels are speed, time of day and, with `week`, day of the week. */
ptrdiff_t byhand_metr_la(const char *model, bool week);

/* Asserts that the model with this configuration is refused with `why` for a small task. */
void byhand_refuses(const char *model, const void *cfg, const char *why);

#endif
