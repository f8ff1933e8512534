/* table.h - a table of texts, written as CSV and as Markdown.
 *
 * Errors stick: out of memory is told by wf_table_write(). */
#ifndef WF_TABLE_H
#define WF_TABLE_H

#include <stdbool.h>
#include <stdio.h>
#include "tensor/status.h"

#ifdef __cplusplus
extern "C" {
#endif

struct wf_table {
    int columns, cells, room; /* cells so far, row by row, the first row are the names */
    char **cell;
    bool lost; /* a cell for which there was no memory */
};
void wf_table_init(struct wf_table *t, int columns);
void wf_table_free(struct wf_table *t);
void wf_table_cell(struct wf_table *t, const char *format, ...) WF_PRINTF(2, 3);

/* FOLDER/NAME.csv and FOLDER/NAME.md, the latter below a title and above notes; and the Markdown
 * on log too, which may be NULL. Numbers stand to the right. */
enum wf_status wf_table_write(const struct wf_table *t, const char *folder, const char *name,
                              const char *title, const char *notes, FILE *log,
                              struct wf_error *err);

#ifdef __cplusplus
}
#endif
#endif
