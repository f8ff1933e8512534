/* convolutional.c - compares PyTorch Geometric Temporal's layers of convolutions over time. */
#include "models/aagcn_names.h"
#include "models/stgcn.h"
#include "tests/parity/spectral.h"

static enum wf_status temporal(struct run *r, struct named *n)
{
    struct wf_temporal_conv l;
    wf_temporal_conv_init(&l, &n->ps, "conv", integer(r, "in_channels", 0),
                          integer(r, "out_channels", 0), integer(r, "kernel_size", 0));
    wf_temporal_conv_names(&l, &n->names, NULL, "conv");
    WF_TRY(load_named(r, &n->ps, &n->names));
    output(r, "outputs/out", wf_temporal_conv(&r->g, &l, leaf(r, "inputs/X")));
    return finish_named(r, &n->ps, &n->names);
}

static enum wf_status st_conv(struct run *r, struct named *n)
{
    struct wf_st_conv l;
    struct wf_st_sizes s = { .nodes = integer(r, "num_nodes", 0),
                             .in = integer(r, "in_channels", 0),
                             .hidden = integer(r, "hidden_channels", 0),
                             .out = integer(r, "out_channels", 0),
                             .kernel = integer(r, "kernel_size", 0),
                             .terms = integer(r, "K", 0) };
    WF_TRY(cheb_graph(r, s.nodes));
    wf_st_conv_init(&l, &n->ps, "block", s);
    wf_st_conv_names(&l, &n->names, NULL, "block");
    WF_TRY(load_named(r, &n->ps, &n->names));
    struct wf_supports S = case_supports(r, "inputs/");
    output(r, "outputs/out", wf_st_conv(&r->g, &l, &S, leaf(r, "inputs/X")));
    return finish_named(r, &n->ps, &n->names);
}

/* The loaded matrix replaces the whole graph, except where the graph is fixed. */
static enum wf_status aagcn(struct run *r, struct named *n)
{
    struct wf_tape *g = &r->g;
    struct wf_aagcn_block l;
    struct wf_aagcn_sizes s = { .nodes = integer(r, "num_nodes", 0),
                                .in = integer(r, "in_channels", 0),
                                .out = integer(r, "out_channels", 0),
                                .stride = integer(r, "stride", 1),
                                .fixed = !integer(r, "adaptive", 1),
                                .no_attention = !integer(r, "attention", 1),
                                .no_residual = !integer(r, "residual", 1) };
    struct wf_graph_config cfg = { .kind = s.fixed ? WF_DUAL_RANDOM_WALK : WF_NO_GRAPH };
    WF_TRY(case_graph(r, "inputs/", s.nodes, &cfg));
    wf_aagcn_block_init(&l, &n->ps, "block", s);
    wf_aagcn_block_names(&l, &n->names, NULL, "block");
    WF_TRY(load_named(r, &n->ps, &n->names));
    struct wf_tensor *x = wf_permute(g, leaf(r, "inputs/X"), 0, 2, 3, 1); /* from [B, C, T, N] */
    struct wf_tensor *y = wf_aagcn_block(g, &l, &r->graph.supports, x);
    output(r, "outputs/out", wf_permute(g, y, 0, 3, 1, 2));
    return finish_named(r, &n->ps, &n->names);
}

enum wf_status run_temporalconv(struct run *r)
{
    return with_params(r, temporal);
}

enum wf_status run_stconv(struct run *r)
{
    return with_params(r, st_conv);
}

enum wf_status run_aagcn(struct run *r)
{
    return with_params(r, aagcn);
}
