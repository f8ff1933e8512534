/* named.c - loads and compares a layer's parameters and state by their published names. */
#include <stdio.h>
#include <string.h>
#include "tests/parity/parity.h"

/* Returns the state slot that the published name belongs to, or NULL if there is none. */
static struct wf_param *slot(const struct wf_params *ps, const struct wf_renames *t,
                             const char *theirs)
{
    for (int i = 0; i < t->rows; i++)
        if (t->row[i].ours && strcmp(t->row[i].theirs, theirs) == 0) {
            struct wf_param *p = wf_params_find(ps, t->row[i].ours);
            return p && p->state ? p : NULL;
        }
    return NULL;
}

enum { LOAD, COMPARE };

/* Copies every array of a group of the case into its state slot, or compares the two. */
static enum wf_status each_slot(struct run *r, const char *group, const struct wf_params *ps,
                                const struct wf_renames *t, int what)
{
    char path[PATH_TEXT], full[PATH_TEXT];
    struct wf_names list;
    if (!has(r, group)) return WF_OK;
    WF_TRY(wf_h5_list(r->h5, in_case(r, full, group), &list, &r->err));
    enum wf_status s = WF_OK;
    for (ptrdiff_t i = 0; i < list.count && !s; i++) {
        struct wf_param *p = slot(ps, t, list.name[i]);
        struct wf_array a;
        snprintf(path, sizeof path, "%s/%s", group, list.name[i]);
        if (!p) {
            s = wf_fail(&r->err, WF_EINVAL, "%s belongs to no state slot", path);
        } else if (what == COMPARE) {
            s = compare_tensor(r, path, &p->value);
        } else if (!(s = read_real(r, path, &a))) {
            s = a.count == wf_tensor_count(&p->value)
                    ? wf_tensor_upload(&p->value, a.data)
                    : wf_fail(&r->err, WF_EINVAL, "%s does not fit %s", path, p->name);
            wf_array_free(&a);
        }
    }
    wf_names_free(&list);
    return s;
}

enum wf_status load_named(struct run *r, struct wf_params *ps, const struct wf_renames *t)
{
    char full[PATH_TEXT];
    WF_TRY(wf_params_commit(ps, 0, &r->err));
    WF_TRY(wf_weights_load(ps, r->file, in_case(r, full, "params"), t, &r->err));
    return each_slot(r, "buffers", ps, t, LOAD);
}

enum wf_status finish_named(struct run *r, const struct wf_params *ps, const struct wf_renames *t)
{
    char full[PATH_TEXT];
    struct wf_params want;
    r->params_elsewhere = true;
    WF_TRY(finish(r));
    WF_TRY(each_slot(r, "buffers_after", ps, t, COMPARE));
    wf_params_init(&want, r->g.be);
    for (int i = 0; i < ps->count; i++) {
        const struct wf_param *p = ps->param[i];
        if (p->state)
            wf_params_add_state(&want, p->name, p->value.ndim, p->value.shape, 0);
        else
            wf_params_add(&want, p->name, p->value.ndim, p->value.shape, p->init);
    }
    enum wf_status s = wf_params_commit(&want, 0, &r->err);
    if (!s) s = wf_weights_load(&want, r->file, in_case(r, full, "grad_params"), t, &r->err);
    if (!s) s = compare_params(r, "grad_params", ps, true, &want);
    wf_params_free(&want);
    return s;
}
