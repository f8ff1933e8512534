#include "models/astgcn.h"

void wf_astgcn_attention_init(struct wf_astgcn_attention *l, struct wf_params *ps, const char *name,
                              const struct wf_st_block_sizes *s, bool nodes)
{
    char path[WF_NAME_TEXT];
    int I = nodes ? s->nodes : s->steps, J = nodes ? s->steps : s->nodes, C = s->in;
    struct wf_init glorot = { .kind = WF_INIT_XAVIER_UNIFORM, .gain = 1 }, row = glorot;
    row.fan_out = 1;
    row.fan_in = J;
    l->sizes = *s;
    l->nodes = nodes;
    l->U1 = wf_params_add(ps, wf_params_path(path, name, "U1"), 1, wf_dims(J), row);
    l->U2 = wf_params_add(ps, wf_params_path(path, name, "U2"), 2, wf_dims(C, J), glorot);
    row.fan_in = C;
    l->U3 = wf_params_add(ps, wf_params_path(path, name, "U3"), 1, wf_dims(C), row);
    l->V = wf_params_add(ps, wf_params_path(path, name, "V"), 2, wf_dims(I, I), glorot);
    l->bias = wf_params_add(ps, wf_params_path(path, name, "bias"), 2, wf_dims(I, I), glorot);
}

static bool fits(struct wf_tape *g, const struct wf_st_block_sizes *s, const struct wf_tensor *x)
{
    char text[WF_SHAPE_TEXT];
    if (g->error.status != WF_OK) return false;
    if (x->ndim == 4 && x->shape[1] == s->steps && x->shape[2] == s->nodes && x->shape[3] == s->in)
        return true;
    wf_tape_fail(g, WF_EINVAL, "astgcn: x is %s, want [B, %d, %d, %d]",
                 wf_tensor_shape_text(x, text), s->steps, s->nodes, s->in);
    return false;
}

/* The formula is computed transposed, so that V is a weight on the right. Element [i, j] of the
 * result is the weight of j for i, and each row sums to 1. In the published code, whose softmax
 * runs over the first axis, each column sums to 1 instead. */
struct wf_tensor *wf_astgcn_attention(struct wf_tape *g, const struct wf_astgcn_attention *l,
                                      struct wf_tensor *x)
{
    if (!fits(g, &l->sizes, x)) return &g->poison;
    int B = x->shape[0], T = x->shape[1], N = x->shape[2], C = x->shape[3];
    int I = l->nodes ? N : T, J = l->nodes ? T : N, groups = B * (l->nodes ? 1 : T);
    struct wf_tensor *U1 = wf_expand(g, l->U1, 3, wf_dims(groups, 1, J));
    struct wf_tensor *U3 = wf_reshape(g, l->U3, 2, wf_dims(C, 1));
    struct wf_tensor *left = wf_matmul(g, U1, wf_reshape(g, x, 3, wf_dims(groups, J, -1)));
    left = wf_matmul(g, wf_reshape(g, left, 3, wf_dims(B, I, C)), l->U2); /* [B, I, J] */
    struct wf_tensor *right = wf_reshape(g, wf_matmul(g, x, U3), 3, wf_dims(B, T, N));
    if (l->nodes) right = wf_permute(g, right, 0, 2, 1);                     /* [B, I, J] */
    struct wf_tensor *a = wf_matmul(g, right, wf_permute(g, left, 0, 2, 1)); /* [B, I, I] */
    a = wf_matmul(g, wf_sigmoid(g, wf_add(g, a, l->bias)), l->V);
    return wf_permute(g, wf_softmax(g, a, l->sizes.published ? -1 : 1), 0, 2, 1);
}

void wf_astgcn_attention_names(const struct wf_astgcn_attention *l, struct wf_renames *t,
                               const char *theirs, const char *ours)
{
    static const char *const name[2][5] = { { "_U1", "_U2", "_U3", "_Ve", "_be" },
                                            { "_W1", "_W2", "_W3", "_Vs", "_bs" } };
    static const char *const own[5] = { "U1", "U2", "U3", "V", "bias" };
    static const char *const axes[5] = { NULL, NULL, NULL, "10", "021" };
    for (int i = 0; i < 5; i++)
        wf_renames_add(
            t, theirs, ours,
            (struct wf_rename){ .theirs = name[l->nodes][i], .ours = own[i], .axes = axes[i] });
}

/* ---- the block ---- */

void wf_astgcn_block_init(struct wf_astgcn_block *l, struct wf_params *ps, const char *name,
                          struct wf_st_block_sizes s)
{
    char path[WF_NAME_TEXT];
    l->sizes = s;
    wf_astgcn_attention_init(&l->steps, ps, wf_params_path(path, name, "steps"), &s, false);
    wf_astgcn_attention_init(&l->nodes, ps, wf_params_path(path, name, "nodes"), &s, true);
    wf_cheb_attention_init(&l->graph, ps, wf_params_path(path, name, "graph"), s.in, s.hidden,
                           s.terms);
    l->graph.every_term = !s.published;
    wf_st_block_end_init(&l->end, ps, name, &s);
}

/* The graph convolution: x [B, T, N, in], A [B, N, N] -> [B, T, N, hidden] */
static struct wf_tensor *spread(struct wf_tape *g, const struct wf_astgcn_block *l,
                                const struct wf_supports *S, int graphs, struct wf_tensor *x,
                                struct wf_tensor *A)
{
    struct wf_tensor *step[WF_ST_GRAPHS]; /* [B, N, hidden] */
    if (graphs == 1) return wf_cheb_attention(g, &l->graph, S, x, A);
    for (int t = 0; t < graphs; t++)
        step[t] = wf_cheb_attention(g, &l->graph, &S[t], wf_select(g, x, 1, t), A);
    return wf_stack(g, step, graphs, 1);
}

struct wf_tensor *wf_astgcn_block(struct wf_tape *g, const struct wf_astgcn_block *l,
                                  const struct wf_supports *S, int graphs, struct wf_tensor *x)
{
    if (!fits(g, &l->sizes, x)) return &g->poison;
    int B = x->shape[0], T = x->shape[1], N = x->shape[2], C = x->shape[3];
    if (graphs != 1 && (graphs != T || graphs > WF_ST_GRAPHS))
        return wf_tape_fail(g, WF_EINVAL, "astgcn: %d graphs for %d steps, want 1 or as many",
                            graphs, T);
    struct wf_tensor *E = wf_astgcn_attention(g, &l->steps, x); /* [B, T, T] */
    struct wf_tensor *flat = wf_reshape(g, x, 3, wf_dims(B, T, N * C));
    struct wf_tensor *seen = wf_matmul(g, wf_permute(g, E, 0, 2, 1), flat);
    seen = wf_reshape(g, seen, 4, wf_dims(B, T, N, C));
    struct wf_tensor *A = wf_astgcn_attention(g, &l->nodes, seen); /* [B, N, N] */
    struct wf_tensor *u = spread(g, l, S, graphs, l->sizes.published ? x : seen, A);
    return wf_st_block_end(g, &l->end, wf_relu(g, u), x);
}

void wf_astgcn_block_names(const struct wf_astgcn_block *l, struct wf_renames *t,
                           const char *theirs, const char *ours)
{
    char from[WF_NAME_TEXT], to[WF_NAME_TEXT];
    wf_astgcn_attention_names(&l->steps, t, wf_params_path(from, theirs, "_temporal_attention"),
                              wf_params_path(to, ours, "steps"));
    wf_astgcn_attention_names(&l->nodes, t, wf_params_path(from, theirs, "_spatial_attention"),
                              wf_params_path(to, ours, "nodes"));
    wf_cheb_attention_names(t, wf_params_path(from, theirs, "_chebconv_attention"),
                            wf_params_path(to, ours, "graph"));
    wf_st_block_end_names(&l->end, t, theirs, ours, "convolution");
}

/* ---- the model ---- */

struct wf_astgcn_config wf_astgcn_defaults(void)
{
    return (struct wf_astgcn_config){ .hidden = 64, .channels = 64, .blocks = 2, .stride = 1 };
}

static void init_block(void *block, struct wf_params *ps, const char *name,
                       struct wf_st_block_sizes s)
{
    wf_astgcn_block_init(block, ps, name, s);
}

static struct wf_tensor *run_block(struct wf_tape *g, const void *block,
                                   const struct wf_supports *S, int graphs, struct wf_tensor *x)
{
    return wf_astgcn_block(g, block, S, graphs, x);
}

static void name_block(const void *block, struct wf_renames *t, const char *theirs,
                       const char *ours)
{
    wf_astgcn_block_names(block, t, theirs, ours);
}

static const struct wf_st_block_type type = { .model = "astgcn",
                                              .size = sizeof(struct wf_astgcn_block),
                                              .init = init_block,
                                              .forward = run_block,
                                              .names = name_block };

void wf_astgcn_init(struct wf_astgcn *m, struct wf_params *ps, struct wf_astgcn_config cfg,
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
    *m = (struct wf_astgcn){ .cfg = cfg, .task = *task };
    int steps = wf_st_net_init(&type, m->block, ps, cfg.blocks, first);
    if (steps > 0) wf_horizon_init(&m->head, ps, steps * cfg.channels, task);
}

static struct wf_st_net net_of(const struct wf_astgcn *m)
{
    return (struct wf_st_net){ &type, m->block, m->cfg.blocks, &m->head, &m->task };
}

struct wf_tensor *wf_astgcn(struct wf_tape *g, const struct wf_astgcn *m,
                            const struct wf_supports *S, int graphs, struct wf_tensor *x)
{
    struct wf_st_net net = net_of(m);
    return wf_st_net(g, &net, S, graphs, x);
}

struct wf_tensor *wf_astgcn_forward(struct wf_tape *g, const struct wf_astgcn *m,
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
    WF_MODEL_FIELD(astgcn, hidden, INT, 1, 4096, "channels of the convolutions over the graph"),
    WF_MODEL_FIELD(astgcn, channels, INT, 1, 4096, "channels of the convolutions over time"),
    WF_MODEL_FIELD(astgcn, blocks, INT, 1, WF_ST_BLOCKS, "blocks of attention, graph and time"),
    WF_MODEL_FIELD(astgcn, stride, INT, 1, 64, "stride of the first block along time"),
    WF_MODEL_FIELD(astgcn, published, BOOL, 0, 1,
                   "compute as PyTorch Geometric Temporal does, not as the paper"),
    { 0 }
};
WF_MODEL_TYPE(astgcn, "astgcn", "attention over steps and nodes (ASTGCN, Guo et al. 2019)", fields,
              .graph = WF_CHEB, .laplacian = WF_LAPLACIAN_NONE, .names = names);
