#include "models/dgcrn.h"
#include <stdio.h>

struct wf_dgcrn_config wf_dgcrn_defaults(void)
{
    return (struct wf_dgcrn_config){ .hidden = 64,
                                     .depth = 2,
                                     .embedding = 40,
                                     .hyper = 16,
                                     .inner = 2,
                                     .saturation = 3,
                                     .keep = 0.05,
                                     .learned = 0.95,
                                     .given = 0.95,
                                     .sampling = true };
}

static void cell_init(struct wf_dgcrn_cell *l, struct wf_params *ps, const char *name, int in,
                      const struct wf_dgcrn_config *c)
{
    char path[WF_NAME_TEXT], part[WF_NAME_TEXT];
    int all = (c->depth + 1) * (in + c->hidden);
    int width[4] = { all, c->hyper, c->inner, c->embedding };
    for (int i = 0; i < 12; i++) {
        int k = i % 3;
        snprintf(part, sizeof part, "hyper.%d.%d.%d", i / 6, i / 3 % 2, k);
        wf_linear_init(&l->hyper[i / 6][i / 3 % 2][k], ps, wf_params_path(path, name, part),
                       width[k], width[k + 1]);
    }
    wf_linear_init(&l->gates, ps, wf_params_path(path, name, "gates"), 2 * all, 2 * c->hidden);
    wf_linear_init(&l->candidate, ps, wf_params_path(path, name, "candidate"), 2 * all, c->hidden);
}

void wf_dgcrn_init(struct wf_dgcrn *m, struct wf_params *ps, struct wf_dgcrn_config cfg,
                   const struct wf_task *task)
{
    struct wf_init normal = { .kind = WF_INIT_NORMAL, .gain = 1 };
    int times = task->time_of_day + task->day_of_week;
    *m = (struct wf_dgcrn){ .cfg = cfg, .task = *task };
    if (cfg.depth < 0 || cfg.depth > WF_DGCRN_DEPTH || task->Q > WF_DGCRN_HORIZON) {
        wf_params_refuse(ps, "dgcrn: depth %d, horizon %d: want at most %d, %d", cfg.depth, task->Q,
                         WF_DGCRN_DEPTH, WF_DGCRN_HORIZON);
        return;
    }
    m->E[0] = wf_params_add(ps, "embedding.0", 2, wf_dims(task->nodes, cfg.embedding), normal);
    m->E[1] = wf_params_add(ps, "embedding.1", 2, wf_dims(task->nodes, cfg.embedding), normal);
    cell_init(&m->encoder, ps, "encoder", task->channels, &cfg);
    cell_init(&m->decoder, ps, "decoder", task->targets + times, &cfg);
    wf_linear_init(&m->head, ps, "head", cfg.hidden, task->targets);
}

/* A graph that a cell has made, for both directions d: to[d] [B, N, N] is A^T, A; degree[d] [B, N,
 * 1] has the sums of the rows of A + I, A^T + I. */
struct learned {
    struct wf_tensor *to[2], *degree[2];
};

/* P_d^T h = (A + I)^T D^-1 h, for h [B, N, C] */
static struct wf_tensor *learned_hop(struct wf_tape *g, const struct learned *P, int d,
                                     struct wf_tensor *h)
{
    struct wf_tensor *u = wf_div(g, h, P->degree[d]);
    return wf_add(g, wf_matmul(g, P->to[d], u), u);
}

/* G_d(x) for x [B, N, C]: [B, N, (depth + 1) * C]. P NULL leaves the learned graph out. */
static struct wf_tensor *propagate(struct wf_tape *g, const struct wf_dgcrn_config *c,
                                   const struct wf_supports *S, const struct learned *P, int d,
                                   struct wf_tensor *x)
{
    struct wf_tensor *h[WF_DGCRN_DEPTH + 1] = { x };
    struct wf_tensor *kept = wf_affine(g, x, c->keep, 0);
    for (int k = 1; k <= c->depth; k++) {
        h[k] = kept;
        if (P) h[k] = wf_add(g, h[k], wf_affine(g, learned_hop(g, P, d, h[k - 1]), c->learned, 0));
        if (d >= S->count) continue;
        struct wf_tensor *y = wf_spmm(g, S->pattern[d], S->value[d], h[k - 1], false);
        h[k] = wf_add(g, h[k], wf_affine(g, y, c->given, 0));
    }
    return wf_concat_n(g, h, c->depth + 1, -1);
}

/* The graph that cell l makes for this step from xh [B, N, in + hidden]. */
static struct learned learn(struct wf_tape *g, const struct wf_dgcrn *m,
                            const struct wf_dgcrn_cell *l, const struct wf_supports *S,
                            struct wf_tensor *xh)
{
    const struct wf_dgcrn_config *c = &m->cfg;
    struct wf_tensor *M[2], *F[2][2], *G[2];
    for (int d = 0; d < 2; d++) G[d] = propagate(g, c, S, NULL, d, xh);
    for (int i = 0; i < 2; i++) {
        for (int d = 0; d < 2; d++) {
            const struct wf_linear *mlp = l->hyper[i][d];
            F[i][d] = wf_sigmoid(g, wf_linear(g, &mlp[0], G[d]));
            F[i][d] = wf_linear(g, &mlp[2], wf_sigmoid(g, wf_linear(g, &mlp[1], F[i][d])));
        }
        M[i] = wf_mul(g, wf_add(g, F[i][0], F[i][1]), m->E[i]); /* [B, N, embedding] */
        M[i] = wf_tanh(g, wf_affine(g, M[i], c->saturation, 0));
    }
    struct wf_tensor *a = wf_matmul(g, M[0], wf_permute(g, M[1], 0, 2, 1)); /* [B, N, N] */
    a = wf_affine(g, wf_sub(g, a, wf_permute(g, a, 0, 2, 1)), c->saturation, 0);
    a = wf_relu(g, wf_tanh(g, a));
    struct wf_tensor *columns = wf_permute(g, wf_sum(g, a, 1, true), 0, 2, 1);
    return (struct learned){ .to = { wf_permute(g, a, 0, 2, 1), a },
                             .degree = { wf_affine(g, wf_sum(g, a, 2, true), 1, 1),
                                         wf_affine(g, columns, 1, 1) } };
}

/* The linear layer l of [G_1 G_2](x). */
static struct wf_tensor *both(struct wf_tape *g, const struct wf_dgcrn *m,
                              const struct wf_linear *l, const struct wf_supports *S,
                              const struct learned *P, struct wf_tensor *x)
{
    struct wf_tensor *one = propagate(g, &m->cfg, S, P, 0, x);
    return wf_linear(g, l, wf_concat(g, one, propagate(g, &m->cfg, S, P, 1, x)));
}

/* One step of cell l: x [B, N, in], h [B, N, hidden] -> h' */
static struct wf_tensor *step(struct wf_tape *g, const struct wf_dgcrn *m,
                              const struct wf_dgcrn_cell *l, const struct wf_supports *S,
                              struct wf_tensor *x, struct wf_tensor *h)
{
    int H = m->cfg.hidden;
    struct wf_tensor *xh = wf_concat(g, x, h);
    struct learned P = learn(g, m, l, S, xh);
    struct wf_tensor *zr = wf_sigmoid(g, both(g, m, &l->gates, S, &P, xh)); /* [B, N, 2 hidden] */
    struct wf_tensor *z = wf_slice(g, zr, -1, 0, H), *r = wf_slice(g, zr, -1, H, 2 * H);
    x = wf_concat(g, x, wf_mul(g, r, h));
    return wf_lerp(g, wf_tanh(g, both(g, m, &l->candidate, S, &P, x)), h, z);
}

struct wf_tensor *wf_dgcrn_forward(struct wf_tape *g, const struct wf_dgcrn *m,
                                   const struct wf_batch *b)
{
    int N = m->task.nodes, Q = m->task.Q;
    struct wf_tensor *keep[1 + WF_DGCRN_HORIZON], **h = keep, **y = keep + 1;
    struct wf_tensor *all = wf_batch_x(g, b); /* [B, T, N, C] */
    *h = wf_zeros(g, 3, wf_dims(b->B, N, m->cfg.hidden));
    struct wf_tensor *x = wf_zeros(g, 3, wf_dims(b->B, N, m->task.targets)); /* the go symbol */
    struct wf_mark mark = wf_tape_mark(g);
    for (int t = 0; t < b->T; t++) {
        const struct wf_supports *S = wf_batch_supports(g, b, t);
        *h = step(g, m, &m->encoder, S, wf_select(g, all, 1, t), *h);
        wf_tape_release(g, mark, keep, 1);
    }
    for (int q = 0; q < Q; q++) {
        struct wf_tensor *when = wf_calendar_ahead(g, &m->task, all, q + 1);
        *h = step(g, m, &m->decoder, b->supports, when ? wf_concat(g, x, when) : x, *h);
        y[q] = wf_linear(g, &m->head, *h); /* [B, N, targets] */
        wf_tape_release(g, mark, keep, q + 2);
        x = m->cfg.sampling ? wf_sampled(g, b, y[q], q) : y[q];
    }
    return wf_stack(g, y, Q, 1); /* [B, Q, N, targets] */
}

static const struct wf_field fields[] = {
    WF_MODEL_FIELD(dgcrn, hidden, INT, 1, 4096, "units per cell"),
    WF_MODEL_FIELD(dgcrn, depth, INT, 0, WF_DGCRN_DEPTH, "hops of a graph convolution"),
    WF_MODEL_FIELD(dgcrn, embedding, INT, 1, 1024, "numbers that describe a node"),
    WF_MODEL_FIELD(dgcrn, hyper, INT, 1, 1024, "units of the first layer that makes the graph"),
    WF_MODEL_FIELD(dgcrn, inner, INT, 1, 1024, "units of the second layer that makes the graph"),
    WF_MODEL_FIELD(dgcrn, saturation, DOUBLE, 0, 100, "slope of the tanh that makes the graph"),
    WF_MODEL_FIELD(dgcrn, keep, DOUBLE, 0, 1, "share of the input in every hop"),
    WF_MODEL_FIELD(dgcrn, learned, DOUBLE, 0, 1, "share of the learned graph"),
    WF_MODEL_FIELD(dgcrn, given, DOUBLE, 0, 1, "share of the given graph"),
    WF_MODEL_FIELD(dgcrn, sampling, BOOL, 0, 1, "scheduled sampling while training"),
    { 0 }
};
WF_MODEL_TYPE(dgcrn, "dgcrn", "GRU with a new graph in every step (DGCRN, Li et al. 2023)", fields,
              .graph = WF_DUAL_RANDOM_WALK);
