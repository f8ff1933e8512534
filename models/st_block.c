#include "models/st_block.h"
#include <stdio.h>

void wf_st_block_end_init(struct wf_st_block_end *l, struct wf_params *ps, const char *name,
                          const struct wf_st_block_sizes *s)
{
    char path[WF_NAME_TEXT];
    struct wf_conv_config time = { .kernel = { 3 }, .stride = { s->stride }, .padding = { 1 } };
    struct wf_conv_config point = { .stride = { s->stride } };
    wf_conv_init(&l->time, ps, wf_params_path(path, name, "time"), s->hidden, s->out, time);
    wf_conv_init(&l->residual, ps, wf_params_path(path, name, "residual"), s->in, s->out, point);
    wf_layer_norm_init(&l->norm, ps, wf_params_path(path, name, "norm"), 1, wf_dims(s->out));
}

struct wf_tensor *wf_st_block_end(struct wf_tape *g, const struct wf_st_block_end *l,
                                  struct wf_tensor *u, struct wf_tensor *x)
{
    x = wf_conv(g, &l->residual, x); /* [B, ceil(T / stride), N, out] */
    x = wf_add(g, x, wf_conv(g, &l->time, u));
    return wf_layer_norm(g, &l->norm, wf_relu(g, x));
}

void wf_st_block_end_names(const struct wf_st_block_end *l, struct wf_renames *t,
                           const char *theirs, const char *ours, const char *conv)
{
    char name[WF_NAME_TEXT], from[WF_NAME_TEXT], to[WF_NAME_TEXT];
    snprintf(name, sizeof name, "_time_%s", conv);
    wf_conv_names(t, wf_params_path(from, theirs, name), wf_params_path(to, ours, "time"), &l->time,
                  "3210");
    snprintf(name, sizeof name, "_residual_%s", conv);
    wf_conv_names(t, wf_params_path(from, theirs, name), wf_params_path(to, ours, "residual"),
                  &l->residual, "3210");
    wf_layer_norm_names(t, wf_params_path(from, theirs, "_layer_norm"),
                        wf_params_path(to, ours, "norm"));
}

/* ---- the network ---- */

int wf_st_net_init(const struct wf_st_block_type *type, void *block, struct wf_params *ps,
                   int blocks, struct wf_st_block_sizes s)
{
    if (blocks < 1 || blocks > WF_ST_BLOCKS) {
        wf_params_refuse(ps, "%s: %d blocks, want 1 to %d", type->model, blocks, WF_ST_BLOCKS);
        return 0;
    }
    for (int i = 0; i < blocks; i++) {
        char name[WF_NAME_TEXT];
        snprintf(name, sizeof name, "block.%d", i);
        type->init((char *)block + (size_t)i * type->size, ps, name, s);
        s.steps = (s.steps + s.stride - 1) / s.stride;
        s.stride = 1;
        s.in = s.out;
    }
    return s.steps;
}

static const void *block_at(const struct wf_st_net *m, int i)
{
    return (const char *)m->block + (size_t)i * m->type->size;
}

/* [B, T, N, C] as [B, N, T C] */
static struct wf_tensor *all_steps(struct wf_tape *g, struct wf_tensor *x)
{
    if (g->error.status != WF_OK) return &g->poison;
    int B = x->shape[0], N = x->shape[2];
    return wf_reshape(g, wf_permute(g, x, 0, 2, 1, 3), 3, wf_dims(B, N, -1));
}

struct wf_tensor *wf_st_net(struct wf_tape *g, const struct wf_st_net *m,
                            const struct wf_supports *S, int graphs, struct wf_tensor *x)
{
    struct wf_mark mark = wf_tape_mark(g);
    for (int i = 0; i < m->blocks; i++) {
        x = m->type->forward(g, block_at(m, i), S, graphs, x);
        wf_tape_release(g, mark, &x, 1);
    }
    return wf_horizon(g, m->head, m->task, all_steps(g, x));
}

struct wf_tensor *wf_st_net_forward(struct wf_tape *g, const struct wf_st_net *m,
                                    const struct wf_batch *b)
{
    if (!b->weights.data) return wf_st_net(g, m, b->supports, 1, wf_batch_x(g, b));
    struct wf_supports *S = wf_tape_host(g, (size_t)b->T * sizeof *S);
    if (!S) return &g->poison;
    for (int t = 0; t < b->T; t++) S[t] = *wf_batch_supports(g, b, t);
    return wf_st_net(g, m, S, b->T, wf_batch_x(g, b));
}

void wf_st_net_names(const struct wf_st_net *m, struct wf_renames *t)
{
    for (int i = 0; i < m->blocks; i++) {
        char theirs[WF_NAME_TEXT], ours[WF_NAME_TEXT];
        snprintf(theirs, sizeof theirs, "_blocklist.%d", i);
        snprintf(ours, sizeof ours, "block.%d", i);
        m->type->names(block_at(m, i), t, theirs, ours);
    }
    wf_renames_add(t, "_final_conv", "head",
                   (struct wf_rename){ "weight", "weight", .axes = "1230" });
    wf_renames_add(t, "_final_conv", "head",
                   (struct wf_rename){ .theirs = "bias", .ours = "bias" });
}
