/* gman.c - compares PyTorch Geometric Temporal's GMAN. Its K and d mean d heads of K channels. */
#include "models/gman_names.h"
#include <math.h>
#include <string.h>
#include "tests/parity/spectral.h"

static struct wf_gman_sizes sizes_of(struct run *r)
{
    int K = integer(r, "K", 1), d = integer(r, "d", 1);
    return (struct wf_gman_sizes){ .in = 1,
                                   .out = 1,
                                   .channels = K * d,
                                   .heads = d,
                                   .blocks = integer(r, "L", 1),
                                   .steps_per_day = integer(r, "steps_per_day", 1),
                                   .days = true,
                                   .causal = integer(r, "mask", 0),
                                   .scale = 1 / sqrt(d),
                                   .momentum = number(r, "bn_decay", 0.1) };
}

static enum wf_status attention(struct run *r, struct named *n)
{
    struct wf_gman_sizes s = sizes_of(r);
    bool steps = strcmp(r->name, "temporal_attention") == 0;
    struct wf_gman_attention l;
    wf_gman_attention_init(&l, &n->ps, "attention",
                           (struct wf_gman_attention_config){ .in = 2 * s.channels,
                                                              .channels = s.channels,
                                                              .heads = s.heads,
                                                              .steps = steps,
                                                              .causal = steps && s.causal,
                                                              .scale = s.scale,
                                                              .momentum = s.momentum });
    wf_gman_attention_names(&l, &n->names, NULL, "attention");
    WF_TRY(load_named(r, &n->ps, &n->names));
    struct wf_tensor *x = wf_concat(&r->g, leaf(r, "inputs/X"), leaf(r, "inputs/STE"));
    output(r, "outputs/out", wf_gman_attention(&r->g, &l, x, x, x));
    return finish_named(r, &n->ps, &n->names);
}

static enum wf_status net(struct run *r, struct named *n)
{
    struct wf_tape *g = &r->g;
    struct wf_gman_sizes s = sizes_of(r);
    struct wf_gman_net l;
    wf_gman_net_init(&l, &n->ps, "net", s);
    wf_gman_net_names(&l, &n->names, NULL, "net");
    WF_TRY(load_named(r, &n->ps, &n->names));
    struct wf_tensor *TE = leaf(r, "inputs/TE"); /* [B, P, 2] */
    struct wf_tensor *day = wf_affine(g, wf_select(g, TE, 2, 0), 1.0 / 7, 0);
    struct wf_tensor *time = wf_affine(g, wf_select(g, TE, 2, 1), 1.0 / s.steps_per_day, 0);
    struct wf_tensor *STE = wf_gman_embed(g, &l.embedding, leaf(r, "inputs/SE"), time, day);
    struct wf_tensor *x = wf_unsqueeze(g, leaf(r, "inputs/X"), -1);
    output(r, "outputs/out", wf_select(g, wf_gman_net(g, &l, x, STE), -1, 0));
    return finish_named(r, &n->ps, &n->names);
}

enum wf_status run_gman(struct run *r)
{
    return with_params(r, has(r, "inputs/TE") ? net : attention);
}
