/* loss.c - masked losses. */
#include "autograd/ops_private.h"

static void loss_vjp(struct wf_tape *g, const struct wf_node *n)
{
    struct wf_tensor *dp = wf_tape_grad(g, n->in[0]);
    struct wf_loss_rule rule = { (enum wf_loss_kind)n->i[0], (enum wf_mask)n->i[1] };
    if (dp) WF_RUN(g, wfk_loss_bwd(g->be, dp, rule, n->in[0], n->ptr, n->out, n->out->grad));
}

struct wf_tensor *wf_loss_counted(struct wf_tape *g, struct wf_tensor *p, struct wf_tensor *t,
                                  enum wf_loss_kind kind, enum wf_mask mask)
{
    static const struct wf_op op = { "loss", loss_vjp };
    if (g->error.status != WF_OK) return &g->poison;
    if (!wf_tensor_same_shape(p, t))
        return wf_shape_error(g, op.name, p, t, "prediction and target must be equal");
    p = wf_contiguous(g, p);
    struct wf_tensor *flat = wf_contiguous(g, t), *y = wf_tape_new(g, 1, wf_dims(2));
    if (g->error.status != WF_OK) return &g->poison;
    WF_RUN(g, wfk_loss(g->be, y, (struct wf_loss_rule){ kind, mask }, p, flat));
    struct wf_node n = {
        .op = &op, .out = y, .in = { p }, .ptr = flat, .i = { (int)kind, (int)mask }
    };
    wf_tape_record(g, n);
    return y;
}

struct wf_tensor *wf_loss(struct wf_tape *g, struct wf_tensor *p, struct wf_tensor *t,
                          enum wf_loss_kind kind, enum wf_mask mask)
{
    return wf_slice(g, wf_loss_counted(g, p, t, kind, mask), 0, 0, 1);
}
