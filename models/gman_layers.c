#include "models/gman_layers.h"
#include <math.h>

enum { WEEK = 7 };

void wf_gman_fc_init(struct wf_gman_fc *l, struct wf_params *ps, const char *name,
                     const int sizes[2], bool no_bias, double momentum)
{
    char path[WF_NAME_TEXT];
    wf_conv_init(&l->map, ps, name, sizes[0], sizes[1],
                 (struct wf_conv_config){ .no_bias = no_bias });
    wf_batch_norm_init(&l->norm, ps, wf_params_path(path, name, "norm"), sizes[1], momentum);
}

struct wf_tensor *wf_gman_fc(struct wf_tape *g, const struct wf_gman_fc *l, struct wf_tensor *x)
{
    return wf_batch_norm(g, &l->norm, wf_linear_op(g, x, l->map.weight, l->map.bias), -1);
}

void wf_gman_pair_init(struct wf_gman_fc l[2], struct wf_params *ps, const char *name,
                       const int sizes[3], double momentum)
{
    char path[WF_NAME_TEXT];
    wf_gman_fc_init(&l[0], ps, wf_params_path(path, name, "0"), &sizes[0], false, momentum);
    wf_gman_fc_init(&l[1], ps, wf_params_path(path, name, "1"), &sizes[1], false, momentum);
}

struct wf_tensor *wf_gman_pair(struct wf_tape *g, const struct wf_gman_fc l[2], struct wf_tensor *x)
{
    return wf_gman_fc(g, &l[1], wf_relu(g, wf_gman_fc(g, &l[0], x)));
}

/* ---- attention ---- */

void wf_gman_attention_init(struct wf_gman_attention *l, struct wf_params *ps, const char *name,
                            struct wf_gman_attention_config c)
{
    char path[WF_NAME_TEXT];
    int D = c.channels, in[2] = { c.in, D }, square[2] = { D, D };
    *l = (struct wf_gman_attention){ .cfg = c };
    if (c.heads < 1 || D % c.heads) {
        wf_params_refuse(ps, "gman: %d heads of %d channels", c.heads, D);
        return;
    }
    if (c.scale == 0) l->cfg.scale = 1 / sqrt((double)(D / c.heads));
    wf_gman_fc_init(&l->q, ps, wf_params_path(path, name, "q"), in, false, c.momentum);
    wf_gman_fc_init(&l->k, ps, wf_params_path(path, name, "k"), in, false, c.momentum);
    wf_gman_fc_init(&l->v, ps, wf_params_path(path, name, "v"), in, false, c.momentum);
    wf_gman_fc_init(&l->out, ps, wf_params_path(path, name, "out"), square, false, c.momentum);
}

/* relu(FC(x)), with the axis to attend over moved to the last but one place */
static struct wf_tensor *project(struct wf_tape *g, const struct wf_gman_fc *l, struct wf_tensor *x,
                                 bool steps)
{
    x = wf_relu(g, wf_gman_fc(g, l, x)); /* [B, T, N, D] */
    return steps ? wf_permute(g, x, 0, 2, 1, 3) : x;
}

struct wf_tensor *wf_gman_attention(struct wf_tape *g, const struct wf_gman_attention *l,
                                    struct wf_tensor *q, struct wf_tensor *k, struct wf_tensor *v)
{
    const struct wf_gman_attention_config *c = &l->cfg;
    struct wf_tensor *mask = NULL;
    q = project(g, &l->q, q, c->steps);
    k = project(g, &l->k, k, c->steps);
    v = project(g, &l->v, v, c->steps);
    if (g->error.status != WF_OK) return &g->poison;
    if (c->causal) mask = wf_causal_mask(g, q->shape[2]); /* [T, T] */
    struct wf_tensor *y = wf_attention(g, q, k, v, mask, c->heads, c->scale);
    if (c->steps) y = wf_permute(g, y, 0, 2, 1, 3);
    return wf_relu(g, wf_gman_fc(g, &l->out, y)); /* [B, P, N, D] */
}

/* ---- the embedding of place and time ---- */

void wf_gman_embedding_init(struct wf_gman_embedding *l, struct wf_params *ps, const char *name,
                            struct wf_gman_embedding_config c)
{
    char path[WF_NAME_TEXT];
    int D = c.channels, place[3] = { D, D, D };
    int moment[3] = { (c.days ? WEEK : 0) + c.steps_per_day, D, D };
    *l = (struct wf_gman_embedding){ .cfg = c };
    wf_gman_pair_init(l->place, ps, wf_params_path(path, name, "place"), place, c.momentum);
    wf_gman_pair_init(l->moment, ps, wf_params_path(path, name, "moment"), moment, c.momentum);
}

/* Rows floor(x * n) mod n of w [n, D] for x [B, P] with 0 <= x < last, which is the product of w
 * with one-hot vectors. */
static struct wf_tensor *one_hot(struct wf_tape *g, struct wf_tensor *w, struct wf_tensor *x,
                                 int last)
{
    enum { MOST = 16 };
    struct wf_tensor *again[MOST];
    if (g->error.status != WF_OK) return &g->poison;
    if (last > MOST) return wf_tape_fail(g, WF_EINVAL, "gman: %d days ahead", last);
    for (int i = 0; i < last; i++) again[i] = w;
    return wf_lookup(g, wf_concat_n(g, again, last, 0), x, w->shape[0]);
}

/* FC(place) + FC(one-hot of the day and of the step of the day) */
struct wf_tensor *wf_gman_embed(struct wf_tape *g, const struct wf_gman_embedding *l,
                                struct wf_tensor *places, struct wf_tensor *time,
                                struct wf_tensor *day)
{
    const struct wf_gman_fc *first = &l->moment[0];
    struct wf_tensor *w = first->map.weight, *y; /* [7 + steps_per_day, D] */
    int days = l->cfg.days ? WEEK : 0, S = l->cfg.steps_per_day;
    if (g->error.status != WF_OK) return &g->poison;
    int ahead = 2 + time->shape[1] / S; /* no time reaches so many days ahead */
    y = one_hot(g, wf_slice(g, w, 0, days, days + S), time, ahead); /* [B, P, D] */
    if (days) {
        /* Half a step is added against rounding: a small error must not fall back to the day
         * before. */
        struct wf_tensor *at = wf_affine(g, time, 1.0 / WEEK, 0.5 / (WEEK * S));
        at = wf_add(g, day, at);
        y = wf_add(g, y, one_hot(g, wf_slice(g, w, 0, 0, WEEK), at, 2 + ahead / WEEK));
    }
    y = wf_batch_norm(g, &first->norm, wf_add(g, y, first->map.bias), -1);
    y = wf_gman_fc(g, &l->moment[1], wf_relu(g, y));                            /* [B, P, D] */
    return wf_add(g, wf_unsqueeze(g, y, 2), wf_gman_pair(g, l->place, places)); /* [B, P, N, D] */
}
