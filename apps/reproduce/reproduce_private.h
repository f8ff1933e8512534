/* reproduce_private.h - what the reproductions share: the data they run on, and their trials. */
#ifndef WF_REPRODUCE_PRIVATE_H
#define WF_REPRODUCE_PRIVATE_H

#include "apps/reproduce/reproduce.h"
#include "apps/kit/table.h"
#include "apps/reproduce/trial.h"

enum { WF_GRID_TRIALS = 128, WF_GRID_SEEDS = 16 };

/* A data set that runs use. */
struct wf_grid_set {
    const char *name;            /* its name in the catalog */
    char folder[WF_CONFIG_TEXT]; /* where it is: the programs' --data-folder */
};
enum { WF_GRID_CHICKENPOX, WF_GRID_WINDMILL, WF_GRID_BAY, WF_GRID_PEMS, WF_GRID_SETS };

/* Everything that one reproduction runs. */
struct wf_grid {
    const struct wf_reproduce *cfg;
    FILE *log;
    int seeds, count;                     /* runs of a row; trials so far */
    bool cuda;                            /* there is a GPU to compute with */
    struct wf_grid_set set[WF_GRID_SETS]; /* name NULL: no part has asked for the set */
    struct wf_trial trial[WF_GRID_TRIALS];
    char machine[160]; /* a line that describes this machine */
};

/* Adds a trial and returns it, so that its words can be added. A folder that is in the grid already
 * is the same trial, which has its words: *fresh is false then. */
struct wf_trial *wf_grid_add(struct wf_grid *g, const char *folder, bool *fresh);
/* Returns the trial of that folder; NULL: there is none. */
const struct wf_trial *wf_grid_find(const struct wf_grid *g, const char *folder);
/* Finds the data set `set` (WF_GRID_ ..), or adds the trial that simulates it. */
void wf_grid_need(struct wf_grid *g, int set);
/* Adds to a trial the words that all runs of an experiment program on a data set have. */
void wf_grid_experiment(struct wf_grid *g, struct wf_trial *t, const char *program, int set);

/* Finds out whether the data of a finished trial were simulated: *mark is " (simulated)", else
 * "". */
enum wf_status wf_grid_mark(const struct wf_trial *t, const char **mark, struct wf_error *err);

/* A part of the paper: plan adds its trials; when all trials are done, write makes the tables. */
struct wf_part_of_paper {
    void (*plan)(struct wf_grid *g);
    enum wf_status (*write)(struct wf_grid *g, struct wf_error *err);
};
extern const struct wf_part_of_paper wf_table3_part, wf_table4_part, wf_figure5_part,
    wf_figure7_part, wf_memory_part;

#endif
