#include "models/recurrent.h"

struct wf_tensor *wf_recurrent_forecast(struct wf_tape *g, const struct wf_recurrent *m,
                                        const struct wf_batch *b)
{
    struct wf_tensor *state[WF_MAXSTATE];
    if (m->states > WF_MAXSTATE)
        return wf_tape_fail(g, WF_EINVAL, "recurrent: %d states, want at most %d", m->states,
                            WF_MAXSTATE);
    for (int k = 0; k < m->states; k++)
        state[k] = wf_zeros(g, 3, wf_dims(b->B, m->task->nodes, m->hidden));
    struct wf_tensor *all = wf_batch_x(g, b); /* [B, T, N, C] */
    struct wf_mark mark = wf_tape_mark(g);
    for (int t = 0; t < b->T; t++) {
        struct wf_tensor *x = wf_select(g, all, 1, t); /* [B, N, C] */
        m->step(g, m->cell, wf_batch_supports(g, b, t), x, state);
        wf_tape_release(g, mark, state, m->states);
    }
    return wf_horizon(g, m->head, m->task, state[0]);
}

void wf_horizon_init(struct wf_linear *head, struct wf_params *ps, int hidden,
                     const struct wf_task *task)
{
    wf_linear_init(head, ps, "head", hidden, task->Q * task->targets);
}

struct wf_tensor *wf_horizon(struct wf_tape *g, const struct wf_linear *head,
                             const struct wf_task *task, struct wf_tensor *h)
{
    struct wf_tensor *y = wf_linear(g, head, h); /* [B, N, Q * targets] */
    if (g->error.status != WF_OK) return &g->poison;
    y = wf_reshape(g, y, 4, wf_dims(y->shape[0], y->shape[1], task->Q, task->targets));
    return wf_contiguous(g, wf_permute(g, y, 0, 2, 1, 3));
}

struct wf_tensor *wf_sampled(struct wf_tape *g, const struct wf_batch *b, struct wf_tensor *y,
                             int q)
{
    if (!g->training) return y;
    struct wf_tensor *truth = wf_select(g, wf_tape_view(g, b->y_std), 1, q);
    return wf_add(g, y, wf_mul(g, wf_coin(g), wf_sub(g, truth, y)));
}
