/* commands.h - the program `dataset`: lists, describes, makes, fetches and converts data sets. */
#ifndef WF_COMMANDS_H
#define WF_COMMANDS_H

#ifdef __cplusplus
extern "C" {
#endif

/* Runs the command that argv[1] names. Returns the program's exit code: 0, or 1 after an error,
 * which one line on stderr describes. */
int wf_dataset_main(int argc, char **argv);

#ifdef __cplusplus
}
#endif
#endif
