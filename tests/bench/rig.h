/* rig.h - a model with everything its trainer wants, on any backend, and what a backend can do at
 * most. For the benchmarks: an error ends the program.
 *
 * Graph and series come from a file or are made of x' = 1664525 x + 1013904223 mod 2^32, x = 1 at
 * first (peers.py makes the same graph). The series lives where the model does, one day's values
 * over and over; a step's windows start at random. */
#ifndef WF_BENCH_RIG_H
#define WF_BENCH_RIG_H

#include "apps/kit/cli.h"
#include "dist/device.h"
#include "dist/trainer.h"
#include "nn/graph.h"
#include "tests/bench/count.h"

enum { RIG_STEPS = 12, RIG_HOPS = 2, RIG_BATCH = 1024, RIG_GROUPS = 200, RIG_DAY = 288 };

/* Options of every benchmark on a backend, --device and --precision. */
extern const struct wf_field rig_fields[];
struct rig_device {
    enum wf_device device;
    enum wf_precision precision;
};

/* What a backend can do at most, per second: the yardstick. On the CPU multiply-adds in registers
 * and a triad; on a device a large product at the precision asked for and a large move, bytes read
 * and written. gemm: of the largest square product that is worth its time. */
struct rig_peak {
    double flops, bytes, gemm;
    bool device;
    size_t available; /* bytes of memory that are free */
};
/* Prints it too, and what computes. */
struct rig_peak rig_measure(const struct rig_device *d);

struct rig_work {
    const char *model, *settings; /* "name=value\n", other than the model's defaults */
    int nodes, edges, batch, rows;
    enum wf_compat compat;
    const struct wf_model_type *type; /* of a model that has no name; else NULL */
    const char *data; /* a file with series and graph, of nodes and rows as above; NULL: made */
};

struct rig {
    struct wf_backend *be;
    struct wf_series series;
    struct wf_graph graph;
    struct wf_split split;
    struct wf_windows windows;
    struct wf_model model;
    struct wf_params params;
    struct wf_trainer trainer;
    int start[RIG_BATCH];
    uint32_t draw;
    size_t before, with_series; /* bytes the backend had free then */
};

void rig_need(enum wf_status s, const struct wf_error *err);

/* Sets rig_fields of d and the fields of work from the command line; ends the program after an
 * error, or after --help. */
void rig_options(int argc, char **argv, struct rig_device *d, const struct wf_field *fields,
                 void *work, struct wf_cli *cli);

/* One day's values over and over, by a clock of RIG_DAY steps a day. */
void rig_fill(struct wf_series *s);

void rig_open(struct rig *r, const struct rig_work *w, const struct rig_device *d);
void rig_close(struct rig *r);

/* One step of the trainer, on windows drawn anew. A device may still be at work on it. */
void rig_step(struct rig *r);
void rig_sync(struct rig *r);

/* The median seconds of a step, over so many groups of steps between two syncs, on a device of so
 * many steps at least in all; on the CPU a group is one step. Call after the first two steps: from
 * the third on a device replays. */
double rig_time(struct rig *r, int groups, int steps);

/* What the kernels of a step do, one by one: a step that is not replayed. On a device, which gets
 * work to do meanwhile, the host runs ahead, so that kernels follow each other without gaps. */
struct count rig_counted(struct rig *r, const struct rig_peak *peak);

/* Bytes held: on a device everything since rig_open began; on the CPU parameters, gradients and
 * moments, and the most the tape held. */
double rig_bytes(const struct rig *r);

#endif
