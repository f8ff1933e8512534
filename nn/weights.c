#include "nn/weights.h"
#include <stdio.h>
#include <string.h>
#include "data/file.h"
#include "data/h5.h"
#include "data/npy.h"
#include "tensor/alloc.h"

static const enum wf_elem elem = sizeof(wf_real) == sizeof(float) ? WF_F32 : WF_F64;

/* An open file; one of the two. */
struct source {
    struct wf_h5 *h5;
    struct wf_npz *npz;
    const char *group;
};

/* What the blocks will be, and which elements have been filled; [0] parameters, [1] state. */
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

/* Every array in the file is in the table. */
static enum wf_status check_names(const struct source *src, const struct wf_rename *table, int rows,
                                  struct wf_error *err)
{
    struct wf_names list;
    enum wf_status s = WF_OK;
    WF_TRY(source_list(src, &list, err));
    for (ptrdiff_t i = 0; i < list.count && !s; i++) {
        int k = 0;
        while (k < rows && strcmp(table[k].theirs, list.name[i]) != 0) k++;
        if (k == rows)
            s = wf_fail(err, WF_EINVAL, "holds '%s', which is not in the table of names",
                        list.name[i]);
    }
    wf_names_free(&list);
    return s;
}

/* Whether array a has the shape of the last-axis slice of t that the row names. */
static bool fits(const struct wf_array *a, const struct wf_tensor *t, const struct wf_rename *row)
{
    bool turned = row->layout == WF_LAYOUT_TRANSPOSED;
    if (a->ndim != t->ndim || (row->layout != WF_LAYOUT_SAME && t->ndim != 2)) return false;
    if (row->layout == WF_LAYOUT_TERM_LAST && (row->terms < 1 || t->shape[0] % row->terms != 0))
        return false;
    for (int i = 0; i < t->ndim; i++) {
        ptrdiff_t theirs = a->dim[turned ? 1 - i : i];
        if (i + 1 < t->ndim ? theirs != t->shape[i]
                            : row->first < 0 || theirs > t->shape[i] - row->first)
            return false;
    }
    return t->ndim > 0 || row->first == 0;
}

/* The row of theirs that becomes row i of ours. */
static ptrdiff_t their_row(const struct wf_rename *row, ptrdiff_t i, ptrdiff_t height)
{
    if (row->layout != WF_LAYOUT_TERM_LAST) return i;
    ptrdiff_t channels = height / row->terms;
    return i % channels * row->terms + i / channels;
}

static enum wf_status place(wf_real *out, bool *seen, const struct wf_array *a,
                            const struct wf_tensor *t, const struct wf_rename *row,
                            struct wf_error *err)
{
    bool turned = row->layout == WF_LAYOUT_TRANSPOSED;
    const wf_real *in = a->data;
    ptrdiff_t width = t->ndim ? t->shape[t->ndim - 1] : 1;
    ptrdiff_t cols = t->ndim ? a->dim[turned ? 0 : t->ndim - 1] : 1;
    ptrdiff_t height = wf_tensor_count(t) / width;
    for (ptrdiff_t i = 0; i < height; i++) {
        ptrdiff_t from = their_row(row, i, height);
        for (ptrdiff_t j = 0; j < cols; j++) {
            ptrdiff_t at = i * width + row->first + j;
            if (seen[at])
                return wf_fail(err, WF_EINVAL, "'%s' goes where '%s' is filled already",
                               row->theirs, row->ours);
            seen[at] = true;
            out[at] = in[turned ? j * height + from : from * cols + j];
        }
    }
    return WF_OK;
}

static enum wf_status take_row(struct stage *st, const struct wf_params *ps,
                               const struct source *src, const struct wf_rename *row,
                               struct wf_error *err)
{
    char have[96], want[WF_SHAPE_TEXT];
    struct wf_array a;
    WF_TRY(source_read(src, row->theirs, &a, err));
    const struct wf_param *p = row->ours ? wf_params_find(ps, row->ours) : NULL;
    enum wf_status s = WF_OK;
    if (!row->ours)
        s = WF_OK;
    else if (!p)
        s = wf_fail(err, WF_EINVAL, "'%s' goes to '%s', which the model does not have", row->theirs,
                    row->ours);
    else if (!fits(&a, &p->value, row))
        s = wf_fail(err, WF_EINVAL, "'%s' has shape %s, expected to fit%s into '%s' %s from %d on",
                    row->theirs, wf_array_shape(have, sizeof have, a.ndim, a.dim),
                    row->layout == WF_LAYOUT_TRANSPOSED ? ", transposed," : "", row->ours,
                    wf_tensor_shape_text(&p->value, want), row->first);
    else
        s = place(st->host[p->state] + wf_params_offset(ps, p),
                  st->seen[p->state] + wf_params_offset(ps, p), &a, &p->value, row, err);
    wf_array_free(&a);
    return s;
}

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

static enum wf_status load_all(struct stage *st, struct wf_params *ps, const struct source *src,
                               const struct wf_rename *table, int rows, struct wf_error *err)
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
    WF_TRY(check_names(src, table, rows, err));
    for (int i = 0; i < rows; i++) WF_TRY(take_row(st, ps, src, &table[i], err));
    WF_TRY(check_filled(st, ps, err));
    for (int b = 0; b < 2 && !s; b++) s = wf_tensor_upload(block[b], st->host[b]);
    return s ? wf_fail(err, s, "cannot upload the parameters to %s", ps->be->name) : WF_OK;
}

enum wf_status wf_weights_load(struct wf_params *ps, const char *path, const char *group,
                               const struct wf_rename *table, int rows, struct wf_error *err)
{
    struct source src;
    struct stage st = { 0 };
    if (!ps->value.data)
        return wf_fail(err, WF_EINVAL, "%s: the parameters are not committed", path);
    WF_TRY(wf_file_context(source_open(&src, path, group, err), path, err));
    enum wf_status s = load_all(&st, ps, &src, table, rows, err);
    for (int b = 0; b < 2; b++) {
        wf_free(st.host[b]);
        wf_free(st.seen[b]);
    }
    source_close(&src);
    return wf_file_context(s, path, err);
}
