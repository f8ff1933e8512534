/* cli.h - what the command lines of all programs share: options, the message of an error, signals.
 *
 * Options come from configuration tables (data/config.h) and are parsed by getopt_long_only: every
 * field is an option, --name VALUE or -name VALUE. */
#ifndef WF_CLI_H
#define WF_CLI_H

#include <signal.h>
#include <stdbool.h>
#include "data/config.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A short name of an option, as -bs for --batch-size. A list ends with a NULL alias. */
struct wf_alias {
    const char *alias, *name;
};

/* Another word for a value of an option, as dask for --mode ddp. A list ends with a NULL option. */
struct wf_word {
    const char *option, *theirs, *ours;
};

enum { WF_CLI_POSITIONAL = 8 };
struct wf_cli {
    /* The caller fills these; both may be NULL. */
    const struct wf_alias *aliases;
    const struct wf_word *words;
    /* wf_cli_parse fills these. */
    bool help;                                 /* -h or --help was given */
    int positionals;                           /* arguments that are no options */
    const char *positional[WF_CLI_POSITIONAL]; /* they point into argv */
};

/* Sets fields of the n tables c from argv[1..argc). WF_EINVAL: the message names the option and
 * what it accepts. */
enum wf_status wf_cli_parse(int argc, char **argv, const struct wf_config *c, int n,
                            struct wf_cli *cli, struct wf_error *err);

/* Prints "PROGRAM: message" on stderr. Returns the program's exit code, 1. */
int wf_cli_fail(const char *program, const struct wf_error *err);

/* From now on SIGINT, SIGTERM and SIGUSR1 (which batch systems send before time is up) only set a
 * flag; the same signal a second time ends the program at once. Clears the flag. */
void wf_cli_catch_signals(void);
/* Returns the number of the signal that has come since then; 0: none has. */
int wf_cli_stopped(void);
/* Returns the flag itself, for code that is given a pointer to look at: it is non-zero once
 * wf_cli_stopped() is. */
const volatile sig_atomic_t *wf_cli_stop_flag(void);

#ifdef __cplusplus
}
#endif
#endif
