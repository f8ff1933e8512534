/* tiny.h - a whole training run of a few milliseconds: a wave that travels round a ring of nodes,
 * with gaps, and a small model. For tests of models, the trainer and its checkpoints. */
#ifndef WF_TINY_H
#define WF_TINY_H

#include "dist/trainer.h"
#include "nn/graph.h"
#include "tests/kit/rows.h"

enum { TINY_NODES = 6, TINY_ROWS = 160, TINY_T = 4, TINY_Q = 3, TINY_EDGES = 2 * TINY_NODES };

struct tiny_config {
    const char *model, *options; /* "hidden=5\n" */
    enum wf_compat compat;
    bool base, day_of_week, residual;
    uint64_t seed;
    bool dynamic; /* the graph is another in every row: some edges are not there, loops too */
    struct wf_backend *be; /* of parameters and batches; NULL: the CPU */
    bool resident;         /* the series lives there too */
};

/* One of the small configurations of all models; .model is NULL behind the last. A model that has
 * none of its own follows with its defaults. */
struct tiny_config tiny_model(int row);
int tiny_model_count(void);
/* The same on a graph that changes; false where the model reads no graph, or none of these. */
bool tiny_changing(int row, struct tiny_config *config);

/* A test of each of them. */
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

/* The same wave for 80 rows on a ring whose edges come and go, as a data set of PyTorch Geometric
 * Temporal with an object for each step; the file's path. */
const char *tiny_snapshots(const char *name);

/* Everything up to a trainer that writes to folder `out`; asserts that it works. The trainer's
 * settings may be changed before tiny_trainer(). */
void tiny_init(struct tiny *t, struct tiny_config cfg, const char *out);
void tiny_trainer(struct tiny *t);
void tiny_free(struct tiny *t);

/* Thirty epochs halve the error that the untrained model has on the windows for testing; and
 * nothing leaks. */
void tiny_expect_to_learn(struct tiny_config cfg);

#endif
