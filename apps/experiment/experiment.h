/* experiment.h - everything between a command line and a table of results.
 *
 * An experiment is a data set, a graph, windows, a model and a trainer put together from one
 * configuration, which is printed at the start and stored in every checkpoint, so that a checkpoint
 * alone says how to forecast with it. Each experiment program is a preset of this. The caller owns
 * the struct; wf_experiment_free frees what is in it. */
#ifndef WF_EXPERIMENT_H
#define WF_EXPERIMENT_H

#include "data/catalog.h"
#include "apps/kit/cli.h"
#include "dist/device.h"
#include "dist/placement.h"
#include "dist/trainer.h"
#include "models/model.h"
#include "nn/graph.h"

#ifdef __cplusplus
extern "C" {
#endif

enum wf_experiment_compat { WF_EXPERIMENT_RIGHT, WF_EXPERIMENT_PGT };

struct wf_experiment_config {
    char preset[WF_CONFIG_TEXT], model[WF_CONFIG_TEXT], out[WF_CONFIG_TEXT];
    enum wf_mode mode;
    char dataset[WF_CONFIG_TEXT];     /* a name of data/catalog.def */
    char data_folder[WF_CONFIG_TEXT]; /* where the files of named data sets are */
    enum wf_device device;
    enum wf_precision precision;
    enum { WF_EXCHANGE_MPI, WF_EXCHANGE_NCCL } exchange; /* what adds up gradients of GPUs */
    bool gpu; /* the series lives on the device; else each batch is copied there */
    bool dry_run, debug, stats, dist;
    int npar;
    int T, Q, hops;
    int graph; /* 0: the supports that the model is made for; else enum wf_support_kind plus 1 */
    enum wf_experiment_compat compat;
    double train_share, valid_share; /* shares of the windows; the rest is tested on */
    bool time_of_day, day_of_week;
    bool residual; /* the model forecasts the change from the last value */
    bool baselines, pictures;
    char quantity[WF_CONFIG_TEXT], units[WF_CONFIG_TEXT]; /* what is forecast, for the pictures */
};

/* The tables of one experiment: 0 experiment, 1 data, 2 training, 3 model. */
enum { WF_EXPERIMENT_TABLES = 4 };

struct wf_experiment {
    struct wf_experiment_config cfg;
    struct wf_dataset_source source;
    const struct wf_catalog_entry *named; /* the data set of --dataset; NULL: --data was given */
    struct wf_train_config train;
    struct wf_config tables[WF_EXPERIMENT_TABLES];
    struct wf_dist *dist, alone; /* dist is the caller's; NULL: this process is the only rank */
    struct wf_backend *be;       /* the backend that computes */
    struct wf_placement place;
    struct wf_dataset data; /* the rows that this rank keeps */
    struct wf_graph graph;
    struct wf_split split; /* windows as this rank numbers them; see dist/placement.h */
    struct wf_scaler scaler;
    struct wf_windows windows;
    struct wf_model model;
    struct wf_params params;
    /* [C], the scaler's. They are state slots of params, so that every checkpoint holds them. */
    struct wf_tensor *mean, *std;
    struct wf_trainer trainer;
    char *text; /* the configuration as name=value lines */
};

/* Sets all defaults, then what the lines "option=value" of `preset` say, the model among it.
 * WF_EINVAL names the option and what it accepts. */
enum wf_status wf_experiment_init(struct wf_experiment *x, const char *preset,
                                  struct wf_error *err);
void wf_experiment_free(struct wf_experiment *x);

/* Where the data are given by name, finds their files and fills x->source. Does nothing where
 * --data is given too. */
enum wf_status wf_experiment_locate(struct wf_experiment *x, struct wf_error *err);

/* Loads the data and builds everything up to a trainer. Says what it found on `log`. Collective. */
enum wf_status wf_experiment_open(struct wf_experiment *x, FILE *log, struct wf_error *err);

/* The steps of wf_experiment_open, for those who do not train. */
/* Loads the whole series and the graph, on the CPU. */
enum wf_status wf_experiment_load(struct wf_experiment *x, struct wf_error *err);
/* What a window of the loaded data is. */
struct wf_window_config wf_experiment_windows(const struct wf_experiment *x);
/* What the data ask of a model, once x->windows are made. */
struct wf_task wf_experiment_task(const struct wf_experiment *x);
/* Builds the model and draws its parameters, once x->windows are made. */
enum wf_status wf_experiment_build(struct wf_experiment *x, struct wf_error *err);

/* Returns the lines "option=value" of the preset of that name (presets.def); NULL: there is
 * none. */
const char *wf_preset_text(const char *name);

/* What makes a program of all this. */
struct wf_app {
    const char *about;             /* one line for --help */
    const char *preset;            /* name of the preset it starts from; NULL: the defaults */
    const char *settings;          /* lines "option=value" that are set on top of the preset */
    const struct wf_config *extra; /* options of the program's own; may be NULL */
    const struct wf_word *words;   /* other words for values; may be NULL */
    /* Called before the data are loaded, on rank 0, with extra->at; may be NULL. */
    enum wf_status (*prepare)(void *at, FILE *log, struct wf_error *err);
};

/* The main() of a program: takes app's preset and settings, then the command line's options;
 * trains, tests and reports. Returns the exit code. */
int wf_experiment_main(int argc, char **argv, const struct wf_app *app);

#ifdef __cplusplus
}
#endif
#endif
