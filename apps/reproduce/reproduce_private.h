/* reproduce_private.h - between the reproductions: the data they run on and the trials they need.
 */
#ifndef WF_REPRODUCE_PRIVATE_H
#define WF_REPRODUCE_PRIVATE_H

#include "apps/reproduce/reproduce.h"
#include "apps/kit/table.h"
#include "apps/reproduce/trial.h"

enum { WF_GRID_TRIALS = 128, WF_GRID_SEEDS = 16 };

/* A data set as it is at hand. */
struct wf_grid_set {
    const char *name;            /* in the catalog */
    char folder[WF_CONFIG_TEXT]; /* --data-folder */
};
enum { WF_GRID_CHICKENPOX, WF_GRID_WINDMILL, WF_GRID_BAY, WF_GRID_PEMS, WF_GRID_SETS };

struct wf_grid {
    const struct wf_reproduce *cfg;
    FILE *log;
    int seeds, count;
    bool cuda;                            /* there is a GPU */
    struct wf_grid_set set[WF_GRID_SETS]; /* name NULL: nobody has asked for it */
    struct wf_trial trial[WF_GRID_TRIALS];
    char machine[160]; /* what it ran on */
};

/* The trial that is added last, for its words. A folder that is in the grid already is the same
 * trial: `fresh` is false then. */
struct wf_trial *wf_grid_add(struct wf_grid *g, const char *folder, bool *fresh);
const struct wf_trial *wf_grid_find(const struct wf_grid *g, const char *folder);
/* Finds the data set, or adds the trial that simulates it. */
void wf_grid_need(struct wf_grid *g, int set);
/* A run of an experiment program on a data set: words that all have. */
void wf_grid_experiment(struct wf_grid *g, struct wf_trial *t, const char *program, int set);

/* " (simulated)" where the data of a trial were made up, else "". */
enum wf_status wf_grid_mark(const struct wf_trial *t, const char **mark, struct wf_error *err);

/* Each reproduction adds its trials, and when these are done writes what comes of them. */
struct wf_part_of_paper {
    void (*plan)(struct wf_grid *g);
    enum wf_status (*write)(struct wf_grid *g, struct wf_error *err);
};
extern const struct wf_part_of_paper wf_table3_part, wf_table4_part, wf_figure5_part,
    wf_figure7_part, wf_memory_part;

#endif
