/* commands_private.h - between the commands of the program dataset: the options they take, and how
 * they show that they are at work. */
#ifndef WF_COMMANDS_PRIVATE_H
#define WF_COMMANDS_PRIVATE_H

#include "data/dataset.h"
#include "data/simulate/simulate_file.h"
#include "dist/progress.h"

struct wf_dataset_place {
    char folder[WF_CONFIG_TEXT]; /* --data-folder: data sets by name are below it */
};
struct wf_dataset_server {
    char url[WF_CONFIG_TEXT]; /* --url: files are there instead of where the catalog says */
    int stall_s;
};

/* What the command line says. A command uses what the options that it takes fill in. */
struct wf_dataset_job {
    struct wf_dataset_place here;
    struct wf_dataset_server from;
    struct wf_traffic_config traffic;
    struct wf_pde_config pde;
    struct wf_dataset_source source;
    int argc; /* of the command line without the program's name: argv[0] is the command */
    char **argv;
    const char *in, *out; /* its one or two arguments that are no options */
};
extern const struct wf_field wf_dataset_traffic_fields[], wf_dataset_place_fields[];

/* The commands. Each says on stdout what it did. */
enum wf_status wf_dataset_list(struct wf_dataset_job *j, struct wf_error *err);
enum wf_status wf_dataset_info(struct wf_dataset_job *j, struct wf_error *err);
enum wf_status wf_dataset_simulate(struct wf_dataset_job *j, struct wf_error *err);
enum wf_status wf_dataset_fetch(struct wf_dataset_job *j, struct wf_error *err);
enum wf_status wf_dataset_convert(struct wf_dataset_job *j, struct wf_error *err);

/* Progress on stderr: a bar where that is a terminal, else a line in the log now and then. */
enum { WF_BAR_LINE_S = 20 }; /* seconds between two lines of a log */
struct wf_bar {
    struct wf_progress p;
    double told; /* when the last line was written */
};
void wf_bar_start(struct wf_bar *b);

#endif
