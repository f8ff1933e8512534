#include "apps/kit/table.h"
#include <stdarg.h>
#include <string.h>
#include "apps/kit/text.h"
#include "tensor/alloc.h"

void wf_table_init(struct wf_table *t, int columns)
{
    *t = (struct wf_table){ .columns = columns };
}

void wf_table_free(struct wf_table *t)
{
    for (int i = 0; i < t->cells; i++) wf_free(t->cell[i]);
    wf_free(t->cell);
    *t = (struct wf_table){ 0 };
}

void wf_table_cell(struct wf_table *t, const char *format, ...)
{
    char text[512];
    va_list ap;
    va_start(ap, format);
    vsnprintf(text, sizeof text, format, ap);
    va_end(ap);
    if (t->cells == t->room) {
        int room = t->room ? 2 * t->room : 64;
        char **cell = wf_realloc(t->cell, (size_t)room * sizeof *cell);
        t->lost |= !cell;
        if (!cell) return;
        t->cell = cell;
        t->room = room;
    }
    char *copy = wf_strdup(text);
    t->lost |= !copy;
    if (copy) t->cell[t->cells++] = copy;
}

static void write_csv(const struct wf_table *t, FILE *f)
{
    for (int i = 0; i < t->cells; i++) {
        wf_text_field(f, t->cell[i]);
        putc((i + 1) % t->columns ? ',' : '\n', f);
    }
}

/* Returns whether the first value of a column begins like a number. */
static bool is_number(const struct wf_table *t, int column)
{
    const char *first = column + t->columns < t->cells ? t->cell[column + t->columns] : "";
    return strchr("0123456789+-.", first[0]) && first[0];
}

static void write_markdown(const struct wf_table *t, FILE *f)
{
    for (int i = 0; i < t->cells; i++) {
        int column = i % t->columns;
        fprintf(f, "%s %s %s", column ? "" : "|", t->cell[i], "|");
        if (column + 1 < t->columns) continue;
        putc('\n', f);
        if (i >= t->columns) continue;
        putc('|', f);
        for (int k = 0; k < t->columns; k++) fputs(is_number(t, k) ? "---:|" : "---|", f);
        putc('\n', f);
    }
}

enum wf_status wf_table_write(const struct wf_table *t, const char *folder, const char *name,
                              const char *title, const char *notes, FILE *log, struct wf_error *err)
{
    if (t->lost) return wf_fail(err, WF_ENOMEM, "%s/%s: no memory for the table", folder, name);
    for (int kind = 0; kind < 2; kind++) {
        struct wf_text text;
        char *path = wf_text_path(folder, name, kind ? ".md" : ".csv");
        enum wf_status s = path ? wf_text_open(&text, path, err)
                                : wf_fail(err, WF_ENOMEM, "%s: no memory for its name", name);
        wf_free(path);
        WF_TRY(s);
        if (kind) {
            fprintf(text.f, "# %s\n\n", title);
            write_markdown(t, text.f);
            fprintf(text.f, "\n%s", notes);
        } else {
            write_csv(t, text.f);
        }
        WF_TRY(wf_text_close(&text, err));
    }
    if (!log) return WF_OK;
    fprintf(log, "\n%s\n\n", title);
    write_markdown(t, log);
    fprintf(log, "\n%s", notes);
    return WF_OK;
}
