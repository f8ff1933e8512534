#include "apps/experiment/experiment.h"
#include <stdlib.h>
#include <string.h>
#include "data/file.h"
#include "tensor/alloc.h"

static const char *const graph_names[] = {
    "model", "dual", "forward", "none", "gcn", "cheb", NULL
};
static const char *const exchange_names[] = { "mpi", "nccl", NULL };
static const char *const compat_names[] = { "none", "pgt", NULL };

static const struct wf_field experiment_fields[] = {
    WF_FIELD(wf_experiment_config, "preset", TEXT, preset, 0, 0, NULL,
             "settings to start from, by name; other options win over them"),
    WF_FIELD(wf_experiment_config, "model", TEXT, model, 0, 0, NULL,
             "model to train, by name; --help lists all"),
    WF_FIELD(wf_experiment_config, "out", TEXT, out, 0, 0, NULL,
             "folder for checkpoints, tables and pictures"),
    WF_FIELD(
        wf_experiment_config, "mode", ENUM, mode, 0, 0, wf_mode_names,
        "how windows are held; index cuts them out of the series, base materialises all of them, "
        "the others are for several ranks"),
    WF_FIELD(wf_experiment_config, "device", ENUM, device, 0, 0, wf_device_names,
             "device that computes; auto takes a GPU where there is one"),
    WF_FIELD(wf_experiment_config, "precision", ENUM, precision, 0, 0, wf_precision_names,
             "precision of products on a GPU; sums and weights are float32 always"),
    WF_FIELD(wf_experiment_config, "exchange", ENUM, exchange, 0, 0, exchange_names,
             "library that adds up the gradients of several GPUs"),
    WF_FIELD(wf_experiment_config, "gpu", BOOL, gpu, 0, 1, NULL,
             "keep the series on the GPU; else batches are copied there"),
    WF_FIELD(wf_experiment_config, "dry-run", BOOL, dry_run, 0, 1, NULL,
             "say how much memory the run will take, and stop"),
    WF_FIELD(wf_experiment_config, "debug", BOOL, debug, 0, 1, NULL,
             "train one epoch of a few batches"),
    WF_FIELD(wf_experiment_config, "stats", BOOL, stats, 0, 1, NULL,
             "print what the ranks exchanged and hold"),
    WF_FIELD(wf_experiment_config, "dataset", TEXT, dataset, 0, 0, NULL,
             "data set by name, with its settings; `dataset list` shows the names"),
    WF_FIELD(wf_experiment_config, "data-folder", TEXT, data_folder, 0, 0, NULL,
             "folder where data sets by name are looked for"),
    WF_FIELD(wf_experiment_config, "dist", BOOL, dist, 0, 1, NULL,
             "accepted, without effect; mpirun -n starts ranks"),
    WF_FIELD(wf_experiment_config, "npar", INT, npar, 1, 4096, NULL,
             "accepted, without effect; mpirun -n starts ranks"),
    WF_FIELD(wf_experiment_config, "input-steps", INT, T, 1, 4096, NULL,
             "time steps that a forecast sees"),
    WF_FIELD(wf_experiment_config, "horizon", INT, Q, 1, 500, NULL, "time steps to forecast"),
    WF_FIELD(wf_experiment_config, "hops", INT, hops, 0, 15, NULL,
             "K: diffusion steps per direction"),
    WF_FIELD(wf_experiment_config, "graph", ENUM, graph, 0, 0, graph_names,
             "supports of the graph: those that the model is made for, or others"),
    WF_FIELD(wf_experiment_config, "compat", ENUM, compat, 0, 0, compat_names,
             "pgt computes with the reference's statistics, mask, targets and supports"),
    WF_FIELD(wf_experiment_config, "train-share", DOUBLE, train_share, 0, 1, NULL,
             "share of the windows, the earliest, to train on"),
    WF_FIELD(wf_experiment_config, "valid-share", DOUBLE, valid_share, 0, 1, NULL,
             "share of the windows, the next, to validate on; the rest is tested on"),
    WF_FIELD(wf_experiment_config, "time-of-day", BOOL, time_of_day, 0, 1, NULL,
             "give the model the time of day as an input"),
    WF_FIELD(wf_experiment_config, "day-of-week", BOOL, day_of_week, 0, 1, NULL,
             "give the model the day of the week as an input"),
    WF_FIELD(wf_experiment_config, "residual", BOOL, residual, 0, 1, NULL,
             "let the model forecast the change from the last value"),
    WF_FIELD(wf_experiment_config, "baselines", BOOL, baselines, 0, 1, NULL,
             "compare with simple forecasts"),
    WF_FIELD(wf_experiment_config, "pictures", BOOL, pictures, 0, 1, NULL,
             "draw pictures of the results, with gnuplot"),
    WF_FIELD(wf_experiment_config, "quantity", TEXT, quantity, 0, 0, NULL,
             "name of what is forecast, for the pictures"),
    WF_FIELD(wf_experiment_config, "units", TEXT, units, 0, 0, NULL,
             "units of what is forecast, for the pictures"),
    { 0 }
};

const char *wf_preset_text(const char *name)
{
#define PRESET(n, text)                                                                            \
    if (strcmp(name, n) == 0) return text;
#include "apps/experiment/presets.def"
#undef PRESET
    return NULL;
}

static enum wf_status take_model(struct wf_experiment *x, const char *name, struct wf_error *err)
{
    const struct wf_model_type *type = wf_model_find(name);
    if (!type) {
        char known[300] = "";
        for (int i = 0; wf_model_types()[i]; i++) {
            size_t used = strlen(known);
            snprintf(known + used, sizeof known - used, "%s%s", i ? ", " : "",
                     wf_model_types()[i]->name);
        }
        return wf_fail(err, WF_EINVAL, "--model %s: want one of %s", name, known);
    }
    wf_model_free(&x->model);
    WF_TRY(wf_model_new(&x->model, type, err));
    x->tables[3] = (struct wf_config){ type->fields, x->model.cfg, type->about };
    strcpy(x->cfg.model, name);
    return WF_OK;
}

static enum wf_status apply(struct wf_experiment *x, const char *lines, struct wf_error *err)
{
    struct wf_setting s;
    char model[WF_CONFIG_TEXT];
    if (wf_setting_find(lines, "model", &s)) {
        WF_TRY(wf_setting_copy(&s, model, sizeof model, err));
        WF_TRY(take_model(x, model, err));
    }
    return wf_config_parse(x->tables, WF_EXPERIMENT_TABLES, lines, err);
}

enum wf_status wf_experiment_init(struct wf_experiment *x, const char *preset, struct wf_error *err)
{
    *x = (struct wf_experiment){ .cfg = { .model = "dcrnn",
                                          .out = "results/run",
                                          .mode = WF_MODE_BASE,
                                          .data_folder = "data",
                                          .npar = 1,
                                          .T = 12,
                                          .Q = 12,
                                          .hops = 2,
                                          .train_share = 0.7,
                                          .valid_share = 0.1,
                                          .time_of_day = true,
                                          .baselines = true,
                                          .pictures = true },
                                 .source = wf_dataset_defaults(),
                                 .train = wf_train_defaults() };
    x->tables[0] = (struct wf_config){ experiment_fields, &x->cfg, "Experiment" };
    x->tables[1] = (struct wf_config){ wf_dataset_fields, &x->source, "Data" };
    x->tables[2] = (struct wf_config){ wf_train_fields, &x->train, "Training" };
    WF_TRY(take_model(x, "dcrnn", err));
    return apply(x, preset, err);
}

void wf_experiment_free(struct wf_experiment *x)
{
    if (x->trainer.params) wf_trainer_free(&x->trainer);
    wf_params_free(&x->params);
    wf_model_free(&x->model);
    wf_windows_free(&x->windows);
    wf_graph_free(&x->graph);
    wf_dataset_free(&x->data);
    wf_placement_free(&x->place);
    wf_backend_close(x->be);
    free(x->text); /* from open_memstream */
    *x = (struct wf_experiment){ 0 };
}

static enum wf_status make_text(struct wf_experiment *x, struct wf_error *err)
{
    size_t size;
    FILE *f = open_memstream(&x->text, &size);
    if (!f) return wf_fail(err, WF_ENOMEM, "no memory for the configuration");
    wf_config_print(x->tables, WF_EXPERIMENT_TABLES, f);
    return fclose(f) == 0 ? WF_OK : wf_fail(err, WF_ENOMEM, "no memory for the configuration");
}

static struct wf_graph_config graph_config(const struct wf_experiment *x)
{
    if (!x->cfg.graph) return wf_model_graph(x->model.type);
    return (struct wf_graph_config){ .kind = (enum wf_support_kind)(x->cfg.graph - 1) };
}

static enum wf_status open_graph(struct wf_experiment *x, struct wf_error *err)
{
    const struct wf_dataset *d = &x->data;
    struct wf_edges ed = { d->series.N, d->edges, d->source, d->target, d->weight };
    struct wf_graph_config gc = graph_config(x);
    gc.hops = x->cfg.hops;
    gc.compat = x->cfg.compat == WF_EXPERIMENT_PGT ? WF_COMPAT_PGT : WF_COMPAT_NONE;
    if (d->weights.values) gc.dominant = false; /* each step has another eigenvalue */
    return wf_graph_init(&x->graph, x->be, &ed, &gc, err);
}

static enum wf_status open_windows(struct wf_experiment *x, FILE *log, struct wf_error *err)
{
    const struct wf_experiment_config *c = &x->cfg;
    bool pgt = c->compat == WF_EXPERIMENT_PGT;
    struct wf_placement *p = &x->place;
    struct wf_series *s = &x->data.series;
    WF_TRY(wf_placement_scaler(p, &x->scaler, s, pgt, err));
    if (p->mode == WF_MODE_BASE)
        fprintf(log, "base mode materialises %d windows: %.1f MiB\n",
                x->split.count[0] + x->split.count[1] + x->split.count[2],
                (double)wf_windows_base_bytes(s, c->T, c->Q) / 1048576);
    return wf_placement_windows(p, &x->windows, s, wf_experiment_windows(x), &x->scaler,
                                x->train.batch_size, err);
}

struct wf_task wf_experiment_task(const struct wf_experiment *x)
{
    const struct wf_series *s = &x->data.series;
    return (struct wf_task){ .nodes = s->N,
                             .channels = x->windows.channels,
                             .targets = x->windows.cfg.targets,
                             .T = x->cfg.T,
                             .Q = x->cfg.Q,
                             .terms = x->graph.supports.terms,
                             .steps_per_day = s->interval_s > 0 ? 86400 / s->interval_s : 0,
                             .hops = x->cfg.hops,
                             .time_of_day = x->windows.cfg.time_of_day,
                             .day_of_week = x->windows.cfg.day_of_week };
}

enum wf_status wf_experiment_build(struct wf_experiment *x, struct wf_error *err)
{
    const struct wf_series *s = &x->data.series;
    struct wf_task task = wf_experiment_task(x);
    wf_params_init(&x->params, x->be);
    x->model.residual = x->cfg.residual;
    x->model.type->init(x->model.layers, &x->params, x->model.cfg, &task);
    x->mean = wf_params_add_state(&x->params, "scaler.mean", 1, &s->C, 0);
    x->std = wf_params_add_state(&x->params, "scaler.std", 1, &s->C, 1);
    WF_TRY(wf_params_commit(&x->params, x->train.seed, err));
    enum wf_status rc = wf_tensor_upload(x->mean, x->windows.scaler.mean);
    if (rc == WF_OK) rc = wf_tensor_upload(x->std, x->windows.scaler.std);
    return rc == WF_OK ? WF_OK : wf_fail(err, rc, "cannot copy the scaler to %s", x->be->name);
}

/* Returns how many windows an epoch trains on. A debugging run sees four batches. */
static int train_windows(struct wf_experiment *x)
{
    int n = x->place.all.count[WF_TRAIN], most = 4 * x->train.batch_size * x->dist->size;
    if (!x->cfg.debug || n <= most) return n;
    if (!x->place.windows_are_local) x->split.count[WF_TRAIN] = most;
    return most;
}

static enum wf_status open_trainer(struct wf_experiment *x, FILE *log, struct wf_error *err)
{
    struct wf_trainer t = { .cfg = x->train, .model = &x->model, .params = &x->params };
    if (x->cfg.compat == WF_EXPERIMENT_PGT) t.cfg.mask = WF_MASK_ZERO_PGT;
    t.windows = &x->windows;
    t.split = &x->split;
    t.dist = x->dist;
    t.windows_are_local = x->place.windows_are_local;
    t.train_windows = train_windows(x);
    t.graph = &x->graph;
    t.out = x->cfg.out;
    t.config_text = x->text;
    t.stop = wf_cli_stop_flag();
    t.log = log;
    enum wf_status s = wf_trainer_init(&t, err);
    if (s == WF_OK) x->trainer = t;
    return s;
}

enum wf_status wf_experiment_locate(struct wf_experiment *x, struct wf_error *err)
{
    bool zero_missing =
        x->source.zero_missing; /* set already, by the entry's settings or an option */
    if (x->source.data[0] || !x->cfg.dataset[0]) return WF_OK;
    WF_TRY(wf_catalog_need(&x->named, x->cfg.dataset, err));
    WF_TRY(wf_catalog_locate(x->named, x->cfg.data_folder, &x->source, err));
    x->source.zero_missing = zero_missing;
    return WF_OK;
}

static struct wf_dataset_source *source_of(struct wf_experiment *x)
{
    x->source.pgt = x->cfg.compat == WF_EXPERIMENT_PGT;
    x->source.day_channel = x->source.pgt && x->cfg.time_of_day;
    x->source.graph_optional = graph_config(x).kind == WF_NO_GRAPH;
    return &x->source;
}

enum wf_status wf_experiment_load(struct wf_experiment *x, struct wf_error *err)
{
    x->be = wf_backend_cpu();
    WF_TRY(wf_dataset_load(&x->data, x->be, source_of(x), err));
    return open_graph(x, err);
}

/* Loads this rank's part of the data, and the graph. */
static enum wf_status load_placed(struct wf_experiment *x, struct wf_error *err)
{
    const struct wf_experiment_config *c = &x->cfg;
    x->place = (struct wf_placement){ .dist = x->dist, .mode = c->mode, .T = c->T, .Q = c->Q };
    x->place.share[WF_TRAIN] = c->train_share;
    x->place.share[WF_VALID] = c->valid_share;
    x->place.share[WF_TEST] = 1 - c->train_share - c->valid_share;
    struct wf_backend *home = c->gpu ? x->be : wf_backend_cpu();
    WF_TRY(wf_placement_load(&x->place, &x->data, home, source_of(x), err));
    x->split = x->place.split;
    enum wf_status s = WF_OK;
    if (x->named) s = wf_catalog_check(x->named, &x->data, x->source.data, err);
    if (s == WF_OK) s = open_graph(x, err);
    return wf_dist_agree(x->dist, s, err);
}

struct wf_window_config wf_experiment_windows(const struct wf_experiment *x)
{
    const struct wf_experiment_config *c = &x->cfg;
    bool pgt = c->compat == WF_EXPERIMENT_PGT;
    bool changes = x->data.weights.values && x->graph.supports.count > 0;
    return (struct wf_window_config){ .T = c->T,
                                      .Q = c->Q,
                                      .targets = pgt ? x->data.series.C : 1,
                                      .time_of_day = c->time_of_day && !pgt,
                                      .day_of_week = c->day_of_week,
                                      .to = x->be,
                                      .weights = changes ? &x->data.weights : NULL };
}

static enum wf_status open_device(struct wf_experiment *x, FILE *log, struct wf_error *err)
{
    const struct wf_experiment_config *c = &x->cfg;
    struct wf_device_choice choice = { c->device, c->precision, c->gpu, x->dist->node_rank };
    return wf_device_open(&x->be, &choice, log, err);
}

/* Rank 0 makes the folder; the others may not see that disk. */
static enum wf_status open_folder(struct wf_experiment *x, struct wf_error *err)
{
    enum wf_status s = x->dist->rank == 0 ? wf_make_folder(x->cfg.out, err) : WF_OK;
    return wf_dist_agree(x->dist, s, err);
}

enum wf_status wf_experiment_open(struct wf_experiment *x, FILE *log, struct wf_error *err)
{
    if (x->cfg.debug) x->train.epochs = 1;
    if (!x->dist) {
        x->alone = wf_dist_alone();
        x->dist = &x->alone;
    }
    WF_TRY(wf_dist_agree(x->dist, wf_experiment_locate(x, err), err));
    WF_TRY(make_text(x, err));
    WF_TRY(wf_dist_agree(x->dist, open_device(x, log, err), err));
    if (x->cfg.exchange == WF_EXCHANGE_NCCL && !x->cfg.dry_run)
        WF_TRY(wf_dist_join_devices(x->dist, x->be, err));
    WF_TRY(open_folder(x, err));
    WF_TRY(load_placed(x, err));
    WF_TRY(open_windows(x, log, err));
    WF_TRY(wf_dist_agree(x->dist, wf_experiment_build(x, err), err));
    WF_TRY(open_trainer(x, log, err));
    const struct wf_series *s = &x->data.series;
    const int *count = x->place.all.count;
    fprintf(log,
            "%s%s: %lld steps x %d nodes x %d channels, %d edges%s; windows: %d training, %d "
            "validation, %d test; %s: %td parameters\n",
            x->source.data, x->data.synthetic ? " (synthetic stand-in)" : "", (long long)x->place.E,
            s->N, s->C, x->graph.edges, x->windows.cfg.weights ? " that change" : "", count[0],
            count[1], count[2], x->model.type->name, wf_params_size(&x->params));
    if (x->dist->size > 1)
        fprintf(log, "%d ranks on %d machine%s, %s: batches of %d x %d windows\n", x->dist->size,
                x->dist->nodes, x->dist->nodes > 1 ? "s" : "", wf_mode_names[x->place.mode],
                x->dist->size, x->train.batch_size);
    else if (x->cfg.npar > 1)
        fprintf(log, "--npar %d: ranks are started by mpirun -n %d; this is the only one\n",
                x->cfg.npar, x->cfg.npar);
    return WF_OK;
}
