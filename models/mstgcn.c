#include "models/mstgcn.h"

void wf_mstgcn_block_init(struct wf_mstgcn_block *l, struct wf_params *ps, const char *name,
                          struct wf_st_block_sizes s)
{
    char path[WF_NAME_TEXT];
    l->sizes = s;
    wf_cheb_init(&l->graph, ps, wf_params_path(path, name, "graph"), s.in, s.hidden, s.terms, true);
    wf_st_block_end_init(&l->end, ps, name, &s);
}

/* The convolution as the published code computes it. That code reads the memory of [C, B, N, T] as
 * [N, C, T B], and the result [T B, N, ..] as [B, T, N, ..]: channels, nodes and samples are
 * mixed. */
static struct wf_tensor *mixed(struct wf_tape *g, const struct wf_mstgcn_block *l,
                               const struct wf_supports *S, struct wf_tensor *x)
{
    int B = x->shape[0], T = x->shape[1], N = x->shape[2], C = x->shape[3];
    x = wf_reshape(g, wf_permute(g, x, 3, 0, 2, 1), 3, wf_dims(N, C, T * B));
    x = wf_cheb(g, &l->graph, S, wf_permute(g, x, 2, 0, 1), WF_ACT_RELU); /* [T B, N, hidden] */
    return wf_reshape(g, x, 4, wf_dims(B, T, N, l->sizes.hidden));
}

/* relu(Cheb(x)), x [B, T, N, in] -> [B, T, N, hidden] */
static struct wf_tensor *spread(struct wf_tape *g, const struct wf_mstgcn_block *l,
                                const struct wf_supports *S, int graphs, struct wf_tensor *x)
{
    struct wf_tensor *step[WF_ST_GRAPHS]; /* [B, N, hidden] */
    if (graphs == 1 && l->sizes.published) return mixed(g, l, S, x);
    if (graphs == 1) return wf_cheb(g, &l->graph, S, x, WF_ACT_RELU);
    for (int t = 0; t < graphs; t++)
        step[t] = wf_cheb(g, &l->graph, &S[t], wf_select(g, x, 1, t), WF_ACT_RELU);
    return wf_stack(g, step, graphs, 1);
}

struct wf_tensor *wf_mstgcn_block(struct wf_tape *g, const struct wf_mstgcn_block *l,
                                  const struct wf_supports *S, int graphs, struct wf_tensor *x)
{
    char text[WF_SHAPE_TEXT];
    if (g->error.status != WF_OK) return &g->poison;
    if (x->ndim != 4 || x->shape[3] != l->sizes.in)
        return wf_tape_fail(g, WF_EINVAL, "mstgcn: x is %s, want [B, T, N, %d]",
                            wf_tensor_shape_text(x, text), l->sizes.in);
    if (graphs != 1 && (graphs != x->shape[1] || graphs > WF_ST_GRAPHS))
        return wf_tape_fail(g, WF_EINVAL, "mstgcn: %d graphs for %d steps, want 1 or as many",
                            graphs, x->shape[1]);
    return wf_st_block_end(g, &l->end, spread(g, l, S, graphs, x), x);
}

void wf_mstgcn_block_names(const struct wf_mstgcn_block *l, struct wf_renames *t,
                           const char *theirs, const char *ours)
{
    char from[WF_NAME_TEXT], to[WF_NAME_TEXT];
    struct wf_cheb_place place = { l->sizes.terms, l->sizes.in, 0, 0, "bias" };
    wf_cheb_names(t, wf_params_path(from, theirs, "_cheb_conv"), wf_params_path(to, ours, "graph"),
                  place);
    wf_st_block_end_names(&l->end, t, theirs, ours, "conv");
}

/* ---- the model ---- */

struct wf_mstgcn_config wf_mstgcn_defaults(void)
{
    return (struct wf_mstgcn_config){ .hidden = 64, .channels = 64, .blocks = 2, .stride = 1 };
}

static void init_block(void *block, struct wf_params *ps, const char *name,
                       struct wf_st_block_sizes s)
{
    wf_mstgcn_block_init(block, ps, name, s);
}

static struct wf_tensor *run_block(struct wf_tape *g, const void *block,
                                   const struct wf_supports *S, int graphs, struct wf_tensor *x)
{
    return wf_mstgcn_block(g, block, S, graphs, x);
}

static void name_block(const void *block, struct wf_renames *t, const char *theirs,
                       const char *ours)
{
    wf_mstgcn_block_names(block, t, theirs, ours);
}

static const struct wf_st_block_type type = { .model = "mstgcn",
                                              .size = sizeof(struct wf_mstgcn_block),
                                              .init = init_block,
                                              .forward = run_block,
                                              .names = name_block };

void wf_mstgcn_init(struct wf_mstgcn *m, struct wf_params *ps, struct wf_mstgcn_config cfg,
                    const struct wf_task *task)
{
    struct wf_st_block_sizes first = { .nodes = task->nodes,
                                       .steps = task->T,
                                       .in = task->channels,
                                       .hidden = cfg.hidden,
                                       .out = cfg.channels,
                                       .terms = task->terms,
                                       .stride = cfg.stride,
                                       .published = cfg.published };
    *m = (struct wf_mstgcn){ .cfg = cfg, .task = *task };
    int steps = wf_st_net_init(&type, m->block, ps, cfg.blocks, first);
    if (steps > 0) wf_horizon_init(&m->head, ps, steps * cfg.channels, task);
}

static struct wf_st_net net_of(const struct wf_mstgcn *m)
{
    return (struct wf_st_net){ &type, m->block, m->cfg.blocks, &m->head, &m->task };
}

struct wf_tensor *wf_mstgcn(struct wf_tape *g, const struct wf_mstgcn *m,
                            const struct wf_supports *S, int graphs, struct wf_tensor *x)
{
    struct wf_st_net net = net_of(m);
    return wf_st_net(g, &net, S, graphs, x);
}

struct wf_tensor *wf_mstgcn_forward(struct wf_tape *g, const struct wf_mstgcn *m,
                                    const struct wf_batch *b)
{
    struct wf_st_net net = net_of(m);
    return wf_st_net_forward(g, &net, b);
}

static void names(const void *model, struct wf_renames *t)
{
    struct wf_st_net net = net_of(model);
    wf_st_net_names(&net, t);
}

static const struct wf_field fields[] = {
    WF_MODEL_FIELD(mstgcn, hidden, INT, 1, 4096, "channels of the convolutions over the graph"),
    WF_MODEL_FIELD(mstgcn, channels, INT, 1, 4096, "channels of the convolutions over time"),
    WF_MODEL_FIELD(mstgcn, blocks, INT, 1, WF_ST_BLOCKS, "blocks of graph and time"),
    WF_MODEL_FIELD(mstgcn, stride, INT, 1, 64, "stride of the first block along time"),
    WF_MODEL_FIELD(mstgcn, published, BOOL, 0, 1,
                   "mix nodes and samples as PyTorch Geometric Temporal does"),
    { 0 }
};
WF_MODEL_TYPE(mstgcn, "mstgcn", "graph and time convolutions (MSTGCN, Guo et al. 2019)", fields,
              .graph = WF_CHEB, .laplacian = WF_LAPLACIAN_NONE, .names = names);
