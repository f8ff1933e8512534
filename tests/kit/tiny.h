/* tiny.h - a whole training run of a few milliseconds, for tests of models, the trainer and its
 * checkpoints: a small model on a wave that travels round a ring of nodes, with missing values. */
#ifndef WF_TINY_H
#define WF_TINY_H

#include "dist/trainer.h"
#include "nn/graph.h"
#include "tests/kit/rows.h"

enum { TINY_NODES = 6, TINY_ROWS = 160, TINY_T = 4, TINY_Q = 3, TINY_EDGES = 2 * TINY_NODES };

struct tiny_config {
    const char *model, *options; /* lines such as "hidden=5\n" */
    enum wf_compat compat;
    bool base, day_of_week, residual;
    uint64_t seed;
    bool dynamic;          /* edges and loops come and go from row to row */
    struct wf_backend *be; /* holds parameters and batches; NULL: the CPU */
    bool resident;         /* the series is in the memory of be too */
};

/* One of the small configurations of all models; .model is NULL behind the last. A model without a
 * small configuration is there with its defaults. */
struct tiny_config tiny_model(int row);
int tiny_model_count(void);
/* The same configuration on a graph that changes; false if the model reads no graph, or cannot read
 * one that changes. */
bool tiny_changing(int row, struct tiny_config *config);

/* Defines a test that runs once for each of these configurations. */
#define FOR_EVERY_MODEL(suite, test) TEST_ROWS(suite, test, tiny_model_count())

struct tiny {
    struct wf_series series, weights;
    struct wf_graph graph;
    struct wf_split split;
    struct wf_scaler scaler;
    struct wf_windows windows;
    struct wf_model model;
    struct wf_params params;
    struct wf_trainer trainer;
};

/* Writes the same wave for 80 rows on a ring whose edges come and go, in the JSON of PyTorch
 * Geometric Temporal that has an object for each step. Returns the file's path. */
const char *tiny_snapshots(const char *name);

/* Prepares everything up to a trainer that writes to folder `out`, and asserts that it works. The
 * trainer's settings may be changed before tiny_trainer(). */
void tiny_init(struct tiny *t, struct tiny_config cfg, const char *out);
void tiny_trainer(struct tiny *t);
void tiny_free(struct tiny *t);

/* Expects thirty epochs to halve the error that the untrained model has on the test windows, and
 * nothing to leak. */
void tiny_expect_to_learn(struct tiny_config cfg);

#endif
