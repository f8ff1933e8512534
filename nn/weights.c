#include "nn/weights.h"
#include <stdio.h>
#include <string.h>
#include "data/file.h"
#include "data/formats/h5.h"
#include "data/formats/npy.h"
#include "tensor/alloc.h"

static const enum wf_elem elem = sizeof(wf_real) == sizeof(float) ? WF_F32 : WF_F64;

/* "prefix.name", which the caller frees; NULL for lack of memory. */
static char *joined(const char *prefix, const char *name)
{
    size_t n = prefix ? strlen(prefix) : 0, size = n + strlen(name) + 2;
    char *text = wf_malloc(size);
    if (text) snprintf(text, size, "%s%s%s", n ? prefix : "", n ? "." : "", name);
    return text;
}

void wf_renames_add(struct wf_renames *t, const char *their_prefix, const char *our_prefix,
                    struct wf_rename r)
{
    if (t->error.status) return;
    if (t->rows == t->capacity) {
        int more = t->capacity ? 2 * t->capacity : 16;
        struct wf_rename *row = wf_realloc(t->row, (size_t)more * sizeof *row);
        if (row) t->row = row;
        if (row) t->capacity = more;
    }
    char *theirs = joined(their_prefix, r.theirs);
    char *ours = r.ours ? joined(our_prefix, r.ours) : NULL;
    if (t->rows < t->capacity && theirs && (ours || !r.ours)) {
        r.theirs = theirs;
        r.ours = ours;
        t->row[t->rows++] = r;
        return;
    }
    wf_free(theirs);
    wf_free(ours);
    wf_fail(&t->error, WF_ENOMEM, "no memory for the %d names of a model", t->rows + 1);
}

void wf_renames_free(struct wf_renames *t)
{
    for (int i = 0; i < t->rows; i++) {
        wf_free((char *)t->row[i].theirs);
        wf_free((char *)t->row[i].ours);
    }
    wf_free(t->row);
    *t = (struct wf_renames){ 0 };
}

/* An open file, which is either HDF5 or an archive; the other pointer is NULL. */
struct source {
    struct wf_h5 *h5;
    struct wf_npz *npz;
    const char *group;
};

/* The new contents of the blocks, and which elements have been filled; [0] parameters, [1]
 * state. */
struct stage {
    wf_real *host[2];
    bool *seen[2];
};

static enum wf_status source_open(struct source *src, const char *path, const char *group,
                                  struct wf_error *err)
{
    size_t n = strlen(path);
    *src = (struct source){ .group = group ? group : "/" };
    if (n < 4 || strcmp(path + n - 4, ".npz") != 0) return wf_h5_open(&src->h5, path, err);
    if (group) return wf_fail(err, WF_EINVAL, "group '%s' of an archive without groups", group);
    return wf_npz_open(&src->npz, path, err);
}

static void source_close(struct source *src)
{
    wf_h5_close(src->h5);
    if (src->npz) wf_npz_close(src->npz);
}

static enum wf_status source_list(const struct source *src, struct wf_names *out,
                                  struct wf_error *err)
{
    return src->npz ? wf_npz_list(src->npz, out, err) : wf_h5_list(src->h5, src->group, out, err);
}

static enum wf_status source_read(const struct source *src, const char *name, struct wf_array *out,
                                  struct wf_error *err)
{
    char full[512];
    if (src->npz) return wf_npz_read(src->npz, name, elem, out, err);
    int n = snprintf(full, sizeof full, "%s/%s", src->group, name);
    if (n < 0 || (size_t)n >= sizeof full)
        return wf_fail(err, WF_EINVAL, "'%s': a name of %d characters is too long", name, n);
    return wf_h5_read(src->h5, full, elem, out, err);
}

static bool listed(const struct wf_names *list, const char *name)
{
    for (ptrdiff_t i = 0; i < list->count; i++)
        if (strcmp(list->name[i], name) == 0) return true;
    return false;
}

/* Refuses a file with an array that is not in the table. */
static enum wf_status check_names(const struct wf_names *list, const struct wf_renames *table,
                                  struct wf_error *err)
{
    for (ptrdiff_t i = 0; i < list->count; i++) {
        int k = 0;
        while (k < table->rows && strcmp(table->row[k].theirs, list->name[i]) != 0) k++;
        if (k == table->rows)
            return wf_fail(err, WF_EINVAL, "holds '%s', which is not in the table of names",
                           list->name[i]);
    }
    return WF_OK;
}

/* Their array as our parameter wants it: its axes in our order, seen as a matrix whose columns are
 * the last axis. */
struct view {
    int ndim;
    ptrdiff_t dim[WF_MAXDIM], stride[WF_MAXDIM]; /* strides in elements of their array */
    ptrdiff_t rows, cols;
};

/* False when `axes` are not the axes of a. */
static bool view_make(struct view *v, const struct wf_array *a, const char *axes)
{
    ptrdiff_t stride[WF_MAXDIM], step = 1;
    *v = (struct view){ .ndim = a->ndim, .rows = 1, .cols = 1 };
    if (a->ndim > WF_MAXDIM || (axes && strlen(axes) != (size_t)a->ndim)) return false;
    for (int i = a->ndim - 1; i >= 0; step *= a->dim[i--]) stride[i] = step;
    for (int i = 0; i < a->ndim; i++) {
        int from = axes ? axes[i] - '0' : i;
        v->dim[i] = a->dim[from];
        v->stride[i] = stride[from];
        *(i + 1 < a->ndim ? &v->rows : &v->cols) *= v->dim[i];
    }
    return true;
}

/* Whether their array fits into parameter t at the place that the table gives it. Inner axes must
 * agree; an array with another number of axes is compared as a matrix. Whether every element of t
 * is filled is checked at the end, by check_filled(). */
static bool fits(const struct view *v, const struct wf_tensor *t, const struct wf_rename *row)
{
    ptrdiff_t cols = t->ndim ? t->shape[t->ndim - 1] : 1, rows = wf_tensor_count(t) / cols;
    if (row->dual) {
        if (v->ndim != 4 || v->dim[0] != 2 || v->dim[1] != row->dual) return false;
        rows += v->dim[2];
    }
    if (row->terms < 0 || (row->terms && (v->ndim != 2 || v->rows % row->terms != 0))) return false;
    if (row->row < 0 || v->rows > rows - row->row) return false;
    if (row->first < 0 || v->cols > cols - row->first) return false;
    if (v->ndim != t->ndim) return true;
    for (int i = 1; i + 1 < t->ndim; i++)
        if (v->dim[i] != t->shape[i]) return false;
    return true;
}

/* Where element (i, j) of the view stands in their array. */
static ptrdiff_t their_place(const struct view *v, const struct wf_rename *row, ptrdiff_t i,
                             ptrdiff_t j)
{
    if (row->terms) {
        ptrdiff_t channels = v->rows / row->terms;
        i = i % channels * row->terms + i / channels;
    }
    ptrdiff_t at = v->ndim ? j * v->stride[v->ndim - 1] : 0;
    for (int k = v->ndim - 2; k >= 0; i /= v->dim[k--]) at += i % v->dim[k] * v->stride[k];
    return at;
}

/* The row of our parameter that row i of the view goes to, and whether it is added to what is there
 * already. */
static ptrdiff_t our_row(const struct view *v, const struct wf_rename *row, ptrdiff_t i, bool *adds)
{
    *adds = false;
    if (!row->dual) return row->row + i;
    ptrdiff_t K = row->dual, C = v->rows / K / 2, direction = i / C / K, term = i / C % K;
    *adds = direction > 0 && term == 0;
    return row->row + (term ? direction * (K - 1) + term : 0) * C + i % C;
}

/* Copies their array to where it goes in ours; refuses an element that has been filled before. */
static enum wf_status place(wf_real *out, bool *seen, const struct view *v, const wf_real *in,
                            const struct wf_tensor *t, const struct wf_rename *row,
                            struct wf_error *err)
{
    ptrdiff_t width = t->ndim ? t->shape[t->ndim - 1] : 1;
    for (ptrdiff_t i = 0; i < v->rows; i++)
        for (ptrdiff_t j = 0; j < v->cols; j++) {
            bool adds;
            ptrdiff_t at = our_row(v, row, i, &adds) * width + row->first + j;
            if (seen[at] && !adds)
                return wf_fail(err, WF_EINVAL, "'%s' goes where '%s' is filled already",
                               row->theirs, row->ours);
            seen[at] = true;
            out[at] = (adds ? out[at] : 0) + in[their_place(v, row, i, j)];
        }
    return WF_OK;
}

/* Reads the array of one row of the table and places it. */
static enum wf_status take_row(struct stage *st, const struct wf_params *ps,
                               const struct source *src, const struct wf_rename *row,
                               struct wf_error *err)
{
    char have[96], want[WF_SHAPE_TEXT];
    struct wf_array a;
    struct view v;
    WF_TRY(source_read(src, row->theirs, &a, err));
    const struct wf_param *p = row->ours ? wf_params_find(ps, row->ours) : NULL;
    enum wf_status s = WF_OK;
    if (!row->ours)
        s = WF_OK;
    else if (!p)
        s = wf_fail(err, WF_EINVAL, "'%s' goes to '%s', which the model does not have", row->theirs,
                    row->ours);
    else if (!view_make(&v, &a, row->axes) || !fits(&v, &p->value, row))
        s = wf_fail(err, WF_EINVAL,
                    "'%s' has shape %s, expected to fit%s%s into '%s' %s from row %d, column %d on",
                    row->theirs, wf_array_shape(have, sizeof have, a.ndim, a.dim),
                    row->axes ? " with axes in the order " : "", row->axes ? row->axes : "",
                    row->ours, wf_tensor_shape_text(&p->value, want), row->row, row->first);
    else
        s = place(st->host[p->state] + wf_params_offset(ps, p),
                  st->seen[p->state] + wf_params_offset(ps, p), &v, a.data, &p->value, row, err);
    wf_array_free(&a);
    return s;
}

/* Refuses a parameter with elements that were not in the file. */
static enum wf_status check_filled(const struct stage *st, const struct wf_params *ps,
                                   struct wf_error *err)
{
    for (int i = 0; i < ps->count; i++) {
        const struct wf_param *p = ps->param[i];
        const bool *seen = st->seen[p->state] + wf_params_offset(ps, p);
        ptrdiff_t count = wf_tensor_count(&p->value), filled = 0;
        for (ptrdiff_t k = 0; k < count; k++) filled += seen[k];
        if (filled < count && !(p->state && filled == 0))
            return wf_fail(err, WF_EINVAL, "%td of %td elements of '%s' are in the file", filled,
                           count, p->name);
    }
    return WF_OK;
}

/* Reads every row of the table; only arrays of the state may be missing in the file. */
static enum wf_status take_rows(struct stage *st, const struct wf_params *ps,
                                const struct source *src, const struct wf_renames *table,
                                struct wf_error *err)
{
    struct wf_names list;
    WF_TRY(source_list(src, &list, err));
    enum wf_status s = check_names(&list, table, err);
    for (int i = 0; i < table->rows && !s; i++) {
        const struct wf_rename *row = &table->row[i];
        const struct wf_param *p = row->ours ? wf_params_find(ps, row->ours) : NULL;
        if (p && p->state && !listed(&list, row->theirs)) continue;
        s = take_row(st, ps, src, row, err);
    }
    wf_names_free(&list);
    return s;
}

static enum wf_status load_all(struct stage *st, struct wf_params *ps, const struct source *src,
                               const struct wf_renames *table, struct wf_error *err)
{
    struct wf_tensor *block[2] = { &ps->value, &ps->state };
    enum wf_status s = WF_OK;
    for (int b = 0; b < 2; b++) {
        size_t count = (size_t)wf_tensor_count(block[b]);
        st->host[b] = wf_calloc(count, sizeof *st->host[b]);
        st->seen[b] = wf_calloc(count, sizeof *st->seen[b]);
        if (!st->host[b] || !st->seen[b])
            return wf_fail(err, WF_ENOMEM, "no memory for %zu parameters", count);
        s = wf_tensor_download(block[b], st->host[b]);
        if (s) return wf_fail(err, s, "cannot download the parameters from %s", ps->be->name);
    }
    WF_TRY(take_rows(st, ps, src, table, err));
    WF_TRY(check_filled(st, ps, err));
    for (int b = 0; b < 2 && !s; b++) s = wf_tensor_upload(block[b], st->host[b]);
    return s ? wf_fail(err, s, "cannot upload the parameters to %s", ps->be->name) : WF_OK;
}

enum wf_status wf_weights_load(struct wf_params *ps, const char *path, const char *group,
                               const struct wf_renames *table, struct wf_error *err)
{
    struct source src;
    struct stage st = { 0 };
    if (!ps->value.data)
        return wf_fail(err, WF_EINVAL, "%s: the parameters are not committed", path);
    if (table->error.status) return wf_fail(err, table->error.status, "%s", table->error.message);
    WF_TRY(wf_file_context(source_open(&src, path, group, err), path, err));
    enum wf_status s = load_all(&st, ps, &src, table, err);
    for (int b = 0; b < 2; b++) {
        wf_free(st.host[b]);
        wf_free(st.seen[b]);
    }
    source_close(&src);
    return wf_file_context(s, path, err);
}
