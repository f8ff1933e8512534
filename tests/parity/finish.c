/* This is the end of a comparison: it checks losses, outputs and gradients against the file's. */
#include <stdio.h>
#include <string.h>
#include "tests/parity/parity.h"

/* Calls visit for every array of a group of the case; a case without the group has none. */
static enum wf_status each(struct run *r, const char *group,
                           enum wf_status (*visit)(struct run *r, const char *path))
{
    char full[PATH_TEXT];
    struct wf_names list;
    if (!has(r, group)) return WF_OK;
    WF_TRY(wf_h5_list(r->h5, in_case(r, full, group), &list, &r->err));
    enum wf_status s = WF_OK;
    for (ptrdiff_t i = 0; i < list.count && !s; i++) {
        char path[PATH_TEXT];
        snprintf(path, sizeof path, "%s/%s", group, list.name[i]);
        s = visit(r, path);
    }
    wf_names_free(&list);
    return s;
}

static enum wf_status visit_output(struct run *r, const char *path)
{
    int i = 0;
    while (i < r->outputs && strcmp(r->output[i].path, path) != 0) i++;
    if (i == r->outputs) return wf_fail(&r->err, WF_EINVAL, "%s is not computed", path);
    if (!r->output[i].value) return WF_OK;
    struct wf_tensor *t = wf_contiguous(&r->g, r->output[i].value);
    WF_TRY(tape_status(r));
    return compare_tensor(r, path, t);
}

/* grad_inputs/X belongs to the leaf inputs/X; a leaf that the case does not use has a gradient of
 * zeros, as the file has. */
static enum wf_status visit_grad(struct run *r, const char *path)
{
    const char *name = path + strlen("grad_");
    leaf(r, name);
    WF_TRY(tape_status(r));
    for (int i = 0; i < r->leaves; i++)
        if (strcmp(r->leaf[i].path, name) == 0) return compare_tensor(r, path, &r->leaf[i].grad);
    return wf_fail(&r->err, WF_EINVAL, "%s is not computed", path);
}

/* Returns the sum over the outputs of sum(output * cotangent). */
static enum wf_status backward(struct run *r)
{
    struct wf_tape *g = &r->g;
    struct wf_tensor *loss = NULL;
    for (int i = 0; i < r->outputs; i++) {
        char path[PATH_TEXT];
        const char *slash = strchr(r->output[i].path, '/');
        struct wf_tensor *y = r->output[i].value;
        snprintf(path, sizeof path, "cotangents%s", slash);
        if (!y || !has(r, path)) continue;
        struct wf_tensor *c = wf_reshape(g, leaf(r, path), y->ndim, y->shape);
        struct wf_tensor *part = wf_sum_all(g, wf_mul(g, y, c));
        loss = loss ? wf_add(g, loss, part) : part;
    }
    WF_TRY(tape_status(r));
    if (!loss) return wf_fail(&r->err, WF_EFORMAT, "no output has a cotangent");
    wf_tape_backward(g, loss);
    return tape_status(r);
}

enum wf_status finish(struct run *r)
{
    WF_TRY(tape_status(r));
    WF_TRY(each(r, "outputs", visit_output));
    if (!r->params_elsewhere) WF_TRY(each(r, "buffers_after", visit_output));
    WF_TRY(backward(r));
    WF_TRY(each(r, "grad_inputs", visit_grad));
    return r->params_elsewhere ? WF_OK : each(r, "grad_params", visit_grad);
}
