#include "apps/scaling/scaling.h"
#include <math.h>
#include <string.h>
#include "data/file.h"
#include "tensor/alloc.h"

const char *const wf_scaling_names[] = { "ddp", "index", "partitioned", "ddp-batch", NULL };

/* ---- parameters ---- */

enum { MOST = 2000000000 }; /* the largest count */

/* A field whose least value is above its default, 0, has to be set. */
static const struct wf_field machine_fields[] = {
    WF_FIELD(wf_scaling, "title", TEXT, title, 0, 0, NULL, "title of tables and pictures"),
    WF_FIELD(wf_scaling, "ranks-per-node", INT, ranks_per_node, 1, MOST, NULL,
             "the most ranks on a node"),
    WF_FIELD(wf_scaling, "units-per-node", INT, units_per_node, 1, MOST, NULL,
             "GPUs or cores of a node; more ranks than these share them"),
    WF_FIELD(wf_scaling, "latency", DOUBLE, latency, 0, 10, NULL,
             "latency of a message between nodes, s"),
    WF_FIELD(wf_scaling, "bandwidth", DOUBLE, bandwidth, 1, 1e15, NULL,
             "bandwidth of a node's links, which its ranks share, bytes/s"),
    WF_FIELD(wf_scaling, "node-latency", DOUBLE, node_latency, 0, 10, NULL,
             "latency of a message inside a node, s"),
    WF_FIELD(wf_scaling, "node-bandwidth", DOUBLE, node_bandwidth, 1, 1e15, NULL,
             "bandwidth from one rank to another inside a node, bytes/s"),
    WF_FIELD(wf_scaling, "fetch-latency", DOUBLE, fetch_latency, 0, 10, NULL,
             "a rank's own time for each window it fetches, s"),
    WF_FIELD(wf_scaling, "upload-bandwidth", DOUBLE, upload_bandwidth, 0, 1e15, NULL,
             "bandwidth of a rank from host to GPU, bytes/s; 0: windows are used where they are"),
    WF_FIELD(wf_scaling, "copy-bandwidth", DOUBLE, copy_bandwidth, 1, 1e15, NULL,
             "bandwidth at which a rank writes materialised windows, bytes/s"),
    WF_FIELD(wf_scaling, "file-bandwidth", DOUBLE, file_bandwidth, 1, 1e15, NULL,
             "bandwidth of one rank that reads the file, bytes/s"),
    WF_FIELD(wf_scaling, "file-cap", DOUBLE, file_cap, 1, 1e15, NULL,
             "bandwidth of all ranks together that read the file, bytes/s"),
    WF_FIELD(wf_scaling, "start", DOUBLE, start, 0, 1e6, NULL,
             "time in which the processes and MPI start, s"),
    WF_FIELD(wf_scaling, "start-rank", DOUBLE, start_rank, 0, 1e3, NULL,
             "time that each rank adds to the start, s"),
    WF_FIELD(wf_scaling, "contention", DOUBLE, contention, 0, 100, NULL,
             "share by which a step is longer when all units of a node are busy"),
    WF_FIELD(wf_scaling, "shared-copy", BOOL, shared_copy, 0, 1, NULL,
             "in index mode the ranks of a node read and hold one copy together"),
    { 0 }
};
static const struct wf_field work_fields[] = {
    WF_FIELD(wf_scaling, "rows", INT, rows, 1, MOST, NULL, "time steps of the series"),
    WF_FIELD(wf_scaling, "sensors", INT, nodes, 1, MOST, NULL, "N: nodes of the graph"),
    WF_FIELD(wf_scaling, "channels", INT, channels, 1, MOST, NULL,
             "C: values of a node at a time step"),
    WF_FIELD(wf_scaling, "value-bytes", INT, value_bytes, 1, MOST, NULL,
             "bytes of a value in memory"),
    WF_FIELD(wf_scaling, "input-steps", INT, T, 1, MOST, NULL,
             "T: time steps that a forecast sees"),
    WF_FIELD(wf_scaling, "horizon", INT, Q, 1, MOST, NULL, "Q: time steps to forecast"),
    WF_FIELD(wf_scaling, "windows", INT, windows, 1, MOST, NULL, "windows to train on"),
    WF_FIELD(wf_scaling, "valid-windows", INT, valid_windows, 0, MOST, NULL,
             "windows to validate on, each epoch"),
    WF_FIELD(wf_scaling, "batch-size", INT, batch, 1, MOST, NULL, "windows of a rank in a step"),
    WF_FIELD(wf_scaling, "epochs", INT, epochs, 1, MOST, NULL, "epochs of the whole run"),
    WF_FIELD(wf_scaling, "buckets", INT, buckets, 1, MOST, NULL,
             "messages in which the gradient is sent"),
    WF_FIELD(wf_scaling, "step", DOUBLE, step, 1e-9, 1e6, NULL,
             "computing time of a training step of a batch, measured, s"),
    WF_FIELD(wf_scaling, "valid-step", DOUBLE, valid_step, 0, 1e6, NULL,
             "computing time of a validation step of a batch, s"),
    WF_FIELD(wf_scaling, "fixed-share", DOUBLE, fixed_share, 0, 1, NULL,
             "share of a step's time that does not shrink with the batch"),
    WF_FIELD(wf_scaling, "epoch-fixed", DOUBLE, epoch_fixed, 0, 1e6, NULL,
             "time of an epoch that does not depend on the ranks, such as its checkpoint's, s"),
    WF_FIELD(wf_scaling, "gradient-bytes", DOUBLE, gradient_bytes, 1, 1e12, NULL,
             "bytes of the gradient: parameters times the bytes of each"),
    WF_FIELD(wf_scaling, "file-bytes", DOUBLE, file_bytes, 1, 1e15, NULL,
             "bytes of the series in its file"),
    { 0 }
};

struct wf_scaling wf_scaling_defaults(void)
{
    return (struct wf_scaling){
        .title = "Predicted scaling",
        .value_bytes = 4,
        .T = 12,
        .Q = 12,
        .batch = 64,
        .epochs = 30,
        .buckets = 1,
    };
}

void wf_scaling_tables(struct wf_config tables[WF_SCALING_TABLES], struct wf_scaling *s)
{
    tables[0] = (struct wf_config){ machine_fields, s, "Machine" };
    tables[1] = (struct wf_config){ work_fields, s, "Work" };
}

enum wf_status wf_scaling_read(struct wf_scaling *s, const char *path, struct wf_error *err)
{
    struct wf_config tables[WF_SCALING_TABLES];
    char *text;
    size_t size;
    WF_TRY(wf_file_read(path, &text, &size, err));
    wf_scaling_tables(tables, s);
    enum wf_status rc = strlen(text) == size
                            ? wf_config_parse(tables, WF_SCALING_TABLES, text, err)
                            : wf_fail(err, WF_EFORMAT, "%s: holds a NUL, is no text", path);
    wf_free(text);
    return wf_file_context(rc, path, err);
}

static double value_of(const struct wf_field *f, const struct wf_scaling *s)
{
    const char *at = (const char *)s + f->offset;
    if (f->type == WF_FIELD_INT) return *(const int *)at;
    if (f->type == WF_FIELD_DOUBLE) return *(const double *)at;
    return f->min;
}

enum wf_status wf_scaling_check(const struct wf_scaling *s, struct wf_error *err)
{
    const struct wf_field *const tables[] = { machine_fields, work_fields };
    for (int i = 0; i < WF_SCALING_TABLES; i++)
        for (const struct wf_field *f = tables[i]; f->name; f++)
            if (!(value_of(f, s) >= f->min && value_of(f, s) <= f->max))
                return wf_fail(err, WF_EINVAL, "%s is %g: want a number from %g to %g (%s)",
                               f->name, value_of(f, s), f->min, f->max, f->help);
    double all = (double)s->rows - s->T - s->Q + 1;
    if ((double)s->windows + s->valid_windows > all)
        return wf_fail(err, WF_EINVAL,
                       "%d windows to train on and %d to validate on: %d rows give %g", s->windows,
                       s->valid_windows, s->rows, all > 0 ? all : 0);
    return WF_OK;
}

/* ---- the network ---- */

static int least(int a, int b)
{
    return a < b ? a : b;
}

static int ceil_div(int a, int b)
{
    return a / b + (a % b != 0);
}

/* Ring: P - 1 messages of a P-th each scatter the sums, as many more gather them. */
static double ring(double bytes, int P, double latency, double bandwidth)
{
    return 2 * (P - 1) * (latency + bytes / P / bandwidth);
}

/* Recursive doubling: each rank sends everything to a partner at distance 1, 2, 4, ..; where P is
 * no power of 2, two more messages are needed. */
static double doubling(double bytes, int P, double latency, double bandwidth)
{
    int rounds = 0;
    while (P >> (rounds + 1)) rounds++;
    if (P != 1 << rounds) rounds += 2;
    return rounds * (latency + bytes / bandwidth);
}

/* Brings the sum inside a node to where the nodes exchange it, and back: by parts that all ranks
 * send on side by side, or by a tree to one rank. */
static double to_leader_and_back(double bytes, int P, double latency, double bandwidth)
{
    int rounds = 0;
    while (1 << rounds < P) rounds++;
    return fmin(ring(bytes, P, latency, bandwidth), 2 * rounds * (latency + bytes / bandwidth));
}

double wf_scaling_allreduce(const struct wf_scaling *s, double bytes, int ranks)
{
    int inside = least(ranks, s->ranks_per_node), nodes = ceil_div(ranks, s->ranks_per_node);
    if (ranks == 1) return 0;
    if (nodes == 1)
        return fmin(ring(bytes, ranks, s->node_latency, s->node_bandwidth),
                    doubling(bytes, ranks, s->node_latency, s->node_bandwidth));
    return to_leader_and_back(bytes, inside, s->node_latency, s->node_bandwidth) +
           fmin(ring(bytes, nodes, s->latency, s->bandwidth),
                doubling(bytes, nodes, s->latency, s->bandwidth));
}

static double window_bytes(const struct wf_scaling *s)
{
    return (double)(s->T + s->Q) * s->nodes * s->channels * s->value_bytes;
}

/* A rank fetches n windows in the given number of steps. With a global shuffle any rank has each
 * window with the same probability; all ranks of a node fetch at once through its links. */
static double fetch_s(const struct wf_scaling *s, int n, int steps, int P)
{
    int inside = least(P, s->ranks_per_node);
    double near = (double)n * (inside - 1) / P, far = (double)n * (P - inside) / P;
    double answer = 2 * (far > 0 ? s->latency : near > 0 ? s->node_latency : 0);
    return steps * answer + (near + far) * s->fetch_latency +
           window_bytes(s) * (near / s->node_bandwidth + far * inside / s->bandwidth);
}

/* ---- a rank's work ---- */

/* Returns how many times as long a step takes with `inside` ranks on the node. */
static double slowdown(const struct wf_scaling *s, int inside)
{
    int busy = least(inside, s->units_per_node);
    double idle_share = s->units_per_node > 1 ? (busy - 1.0) / (s->units_per_node - 1.0) : 0;
    return (double)inside / busy * (1 + s->contention * idle_share);
}

static double compute_s(const struct wf_scaling *s, double step, int n, int steps)
{
    return step * (s->fixed_share * steps + (1 - s->fixed_share) * n / s->batch);
}

static bool materialised(enum wf_scaling_placement p)
{
    return p == WF_SCALING_DDP || p == WF_SCALING_DDP_BATCH;
}

/* Finds what a rank owns of the series: its share of all windows (ddp), or its shares of those to
 * train, to validate and to test on, each with its halo. */
static void share_of(const struct wf_scaling *s, enum wf_scaling_placement p, int P, double *rows,
                     double *windows)
{
    double all = (double)s->rows - s->T - s->Q + 1, halo = s->T + s->Q - 1;
    double part[3] = { s->windows, s->valid_windows, all - s->windows - s->valid_windows };
    if (p == WF_SCALING_DDP) part[0] = all, part[1] = part[2] = 0;
    *rows = *windows = 0;
    for (int i = 0; i < 3; i++) {
        if (part[i] <= 0) continue;
        *windows += ceil(part[i] / P);
        *rows += ceil(part[i] / P) + halo;
    }
    *rows = fmin(*rows, s->rows);
    if (p == WF_SCALING_INDEX)
        *rows = s->shared_copy ? (double)s->rows / least(P, s->ranks_per_node) : s->rows;
}

static double data_bytes(const struct wf_scaling *s, enum wf_scaling_placement p, int P)
{
    double rows, windows;
    share_of(s, p, P, &rows, &windows);
    if (materialised(p)) return windows * window_bytes(s);
    return rows * s->nodes * s->channels * s->value_bytes;
}

/* Processes start, each reads its share of the file, windows are written out. */
static double once_s(const struct wf_scaling *s, enum wf_scaling_placement p, int P)
{
    double rows, windows;
    share_of(s, p, P, &rows, &windows);
    double read = s->file_bytes * rows / s->rows;
    double made = materialised(p) ? windows * window_bytes(s) / s->copy_bandwidth : 0;
    return s->start + s->start_rank * P + fmax(read / s->file_bandwidth, P * read / s->file_cap) +
           made;
}

/* The n windows that a rank needs come to where it computes. */
static double bring_s(const struct wf_scaling *s, enum wf_scaling_placement p, int n, int steps,
                      int P)
{
    double t = p == WF_SCALING_DDP ? fetch_s(s, n, steps, P) : 0;
    if (materialised(p) && s->upload_bandwidth > 0) t += n * window_bytes(s) / s->upload_bandwidth;
    return t;
}

static struct wf_scaling_cost cost_of(const struct wf_scaling *s, enum wf_scaling_placement p,
                                      int P)
{
    int n = ceil_div(s->windows, P), v = ceil_div(s->valid_windows, P);
    int steps = ceil_div(n, s->batch), valid_steps = ceil_div(v, s->batch);
    struct wf_scaling_cost c = { .nodes = ceil_div(P, s->ranks_per_node), .steps = steps };
    c.compute_s = slowdown(s, least(P, s->ranks_per_node)) *
                  (compute_s(s, s->step, n, steps) + compute_s(s, s->valid_step, v, valid_steps));
    c.reduce_s = steps * s->buckets * wf_scaling_allreduce(s, s->gradient_bytes / s->buckets, P);
    c.data_s = bring_s(s, p, n, steps, P) + bring_s(s, p, v, valid_steps, P);
    c.epoch_s = c.compute_s + c.reduce_s + c.data_s + s->epoch_fixed;
    c.once_s = once_s(s, p, P);
    c.total_s = c.once_s + s->epochs * c.epoch_s;
    c.data_bytes = data_bytes(s, p, P);
    return c;
}

struct wf_scaling_cost wf_scaling_predict(const struct wf_scaling *s, enum wf_scaling_placement p,
                                          int ranks)
{
    struct wf_scaling_cost c = cost_of(s, p, ranks);
    c.efficiency = cost_of(s, WF_SCALING_INDEX, 1).epoch_s / (ranks * c.epoch_s);
    return c;
}
