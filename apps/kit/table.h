/* table.h - a table of texts, written as CSV and as Markdown.
 *
 * Cells are copied, and freed by wf_table_free. Adding one cannot fail: when memory has run out,
 * wf_table_write says so. */
#ifndef WF_TABLE_H
#define WF_TABLE_H

#include <stdbool.h>
#include <stdio.h>
#include "tensor/status.h"

#ifdef __cplusplus
extern "C" {
#endif

struct wf_table {
    int columns, cells, room; /* cells so far, row by row; the first row has the names */
    char **cell;
    bool lost; /* there was no memory for a cell */
};
void wf_table_init(struct wf_table *t, int columns);
void wf_table_free(struct wf_table *t);
/* Adds a cell: the next of the row, or the first of a new one. Cut after 511 characters. */
void wf_table_cell(struct wf_table *t, const char *format, ...) WF_PRINTF(2, 3);

/* Writes FOLDER/NAME.csv and, with a title above and notes below the table, FOLDER/NAME.md; prints
 * the Markdown on log, which may be NULL. Numbers are aligned right. WF_ENOMEM, WF_EIO. */
enum wf_status wf_table_write(const struct wf_table *t, const char *folder, const char *name,
                              const char *title, const char *notes, FILE *log,
                              struct wf_error *err);

#ifdef __cplusplus
}
#endif
#endif
