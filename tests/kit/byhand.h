/* byhand.h - a model on made inputs, and its parameters by name: what a test needs that goes
 * through the paper's formulas in loops. */
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
    struct wf_tensor *y; /* the forecast: inference, [B, Q, N, targets] */
};

/* All parameters and running moments are made numbers; measured inputs are noise, the time of day
 * and the day of the week go on from step to step, another in every sample. edges NULL: no graph.
 */
void byhand_init(struct byhand *m, const char *model, const char *options, struct wf_task task,
                 const struct wf_edges *edges);
void byhand_free(struct byhand *m);

enum { BYHAND_BATCH = 2, BYHAND_NODES = 3 };
/* A graph for them, and its two random walks: S[0] is what a node takes along its in-edges, divided
 * by all that leaves their source; S[1] along its out-edges, divided by all that comes to their
 * target. */
extern const struct wf_edges byhand_edges;
void byhand_walks(double S[2][BYHAND_NODES][BYHAND_NODES]);

double byhand_x(const struct byhand *m, int b, int t, int n, int c);
double byhand_y(const struct byhand *m, int b, int q, int n); /* of the first target */
const wf_real *byhand_param(const struct byhand *m, const char *layer, const char *name);
/* Which row of a table of `rows` the channel of time `c` of a step asks for. */
int byhand_row(const struct byhand *m, int b, int t, int c, int rows);

/* y[out] = x[in] W + b of the linear layer `name`. */
void byhand_linear(const struct byhand *m, const char *name, const double *x, int in, int out,
                   double *y);
double byhand_sigmoid(double x);
void byhand_expect(double got, double want);

/* The number of parameters at METR-LA: 207 nodes, 12 steps of 5 minutes in and out, two supports of
 * two hops; speed, time of day and, with `week`, the day of the week. */
ptrdiff_t byhand_metr_la(const char *model, bool week);

/* The model, declared with this configuration for a small task, is refused with `why`. */
void byhand_refuses(const char *model, const void *cfg, const char *why);

#endif
