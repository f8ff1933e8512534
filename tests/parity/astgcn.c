/* astgcn.c - compares PyTorch Geometric Temporal's ASTGCN and MSTGCN, on one graph or several. */
#include "models/astgcn.h"
#include <stdio.h>
#include <stdlib.h>
#include "tensor/alloc.h"
#include "tests/parity/edges.h"
#include "tests/parity/spectral.h"

enum { GRAPHS = 16 };

/* Holds the one graph, or the graphs of the steps. */
struct graphs {
    int count;
    struct wf_graph graph[GRAPHS];
    struct wf_supports S[GRAPHS];
};

static enum wf_status add_graph(struct run *r, struct graphs *gs, const char *path, bool plain)
{
    struct wf_edges ed;
    struct wf_graph_config cfg = { .kind = WF_CHEB,
                                   .hops = integer(r, "K", 1) - 1,
                                   .laplacian = plain ? WF_LAPLACIAN_NONE : WF_LAPLACIAN_SYM,
                                   .dominant = plain };
    struct wf_tensor *X = leaf(r, "inputs/X"); /* [B, N, F, T] */
    WF_TRY(tape_status(r));
    WF_TRY(read_edges(r, path, X->shape[1], &ed));
    enum wf_status s = wf_graph_init(&gs->graph[gs->count], r->g.be, &ed, &cfg, &r->err);
    free_edges(&ed);
    if (s) return s;
    gs->S[gs->count] = gs->graph[gs->count].supports;
    gs->count++;
    return WF_OK;
}

/* Compares the largest eigenvalue, or the list of them, which is stored as text. */
static enum wf_status check_lambda(struct run *r, const struct graphs *gs)
{
    char *text = NULL;
    if (gs->count == 1 || wf_h5_attr_text(r->h5, r->name, "lambda_max_computed", &text, NULL)) {
        double have = gs->graph[0].cfg.dominant ? gs->graph[0].cfg.lambda_max : 2;
        return compare_number(r, "lambda_max_computed", have, number(r, "lambda_max_computed", -1));
    }
    enum wf_status s = WF_OK;
    char *at = text + 1; /* the text is "[4.4, 4.2, ..]" */
    for (int t = 0; t < gs->count && !s; t++) {
        s = compare_number(r, "lambda_max_computed", gs->graph[t].cfg.lambda_max, strtod(at, &at));
        while (*at == ',' || *at == ' ') at++;
    }
    wf_free(text);
    return s;
}

static enum wf_status open_graphs(struct run *r, struct graphs *gs, bool plain)
{
    gs->count = 0;
    if (has(r, "inputs/edge_index")) {
        WF_TRY(add_graph(r, gs, "inputs/edge_index", plain));
    } else
        while (gs->count < GRAPHS) {
            char path[PATH_TEXT];
            snprintf(path, sizeof path, "inputs/edge_index_%d", gs->count);
            if (!has(r, path)) break;
            WF_TRY(add_graph(r, gs, path, plain));
        }
    return has_attr(r, "", "lambda_max_computed") ? check_lambda(r, gs) : WF_OK;
}

/* Permutes [B, N, F, T] to [B, T, N, F], and back. */
static struct wf_tensor *time_first(struct run *r, struct wf_tensor *X)
{
    return wf_permute(&r->g, X, 0, 3, 1, 2);
}

static struct wf_tensor *time_last(struct run *r, struct wf_tensor *y)
{
    return wf_permute(&r->g, y, 0, 2, 3, 1);
}

static struct wf_st_block_sizes block_sizes(struct run *r)
{
    return (struct wf_st_block_sizes){ .nodes = integer(r, "num_of_vertices", 0),
                                       .steps = integer(r, "num_of_timesteps", 0),
                                       .in = integer(r, "in_channels", 0),
                                       .hidden = integer(r, "nb_chev_filter", 0),
                                       .out = integer(r, "nb_time_filter", 0),
                                       .terms = integer(r, "K", 0),
                                       .stride = integer(r, "time_strides", 1),
                                       .published = true };
}

static struct wf_task net_task(struct run *r)
{
    struct wf_tensor *X = leaf(r, "inputs/X");
    return (struct wf_task){ .nodes = X->shape[1],
                             .channels = integer(r, "in_channels", 0),
                             .targets = 1,
                             .T = integer(r, "len_input", 0),
                             .Q = integer(r, "num_for_predict", 0),
                             .terms = integer(r, "K", 0) };
}

/* y [B, Q, N, 1] of a net is [B, N, Q] in the file */
static enum wf_status finish_net(struct run *r, struct named *n, struct wf_tensor *y)
{
    output(r, "outputs/out", wf_select(&r->g, time_last(r, y), 2, 0));
    return finish_named(r, &n->ps, &n->names);
}

static enum wf_status attention(struct run *r, struct named *n, bool nodes)
{
    struct wf_astgcn_attention l;
    struct wf_st_block_sizes s = block_sizes(r);
    wf_astgcn_attention_init(&l, &n->ps, "attention", &s, nodes);
    wf_astgcn_attention_names(&l, &n->names, NULL, "attention");
    WF_TRY(load_named(r, &n->ps, &n->names));
    output(r, "outputs/out", wf_astgcn_attention(&r->g, &l, time_first(r, leaf(r, "inputs/X"))));
    return finish_named(r, &n->ps, &n->names);
}

static enum wf_status astgcn_block(struct run *r, struct named *n, const struct graphs *gs)
{
    struct wf_astgcn_block l;
    wf_astgcn_block_init(&l, &n->ps, "block", block_sizes(r));
    wf_astgcn_block_names(&l, &n->names, NULL, "block");
    WF_TRY(load_named(r, &n->ps, &n->names));
    struct wf_tensor *x = time_first(r, leaf(r, "inputs/X"));
    output(r, "outputs/out", time_last(r, wf_astgcn_block(&r->g, &l, gs->S, gs->count, x)));
    return finish_named(r, &n->ps, &n->names);
}

static enum wf_status astgcn_net(struct run *r, struct named *n, const struct graphs *gs)
{
    struct wf_astgcn m;
    struct wf_astgcn_config cfg = { integer(r, "nb_chev_filter", 0),
                                    integer(r, "nb_time_filter", 0), integer(r, "nb_block", 1),
                                    integer(r, "time_strides", 1), .published = true };
    struct wf_task task = net_task(r);
    WF_TRY(tape_status(r));
    wf_astgcn_init(&m, &n->ps, cfg, &task);
    wf_astgcn_type.names(&m, &n->names);
    WF_TRY(load_named(r, &n->ps, &n->names));
    struct wf_tensor *x = time_first(r, leaf(r, "inputs/X"));
    return finish_net(r, n, wf_astgcn(&r->g, &m, gs->S, gs->count, x));
}

static enum wf_status mstgcn_block(struct run *r, struct named *n, const struct graphs *gs)
{
    struct wf_mstgcn_block l;
    wf_mstgcn_block_init(&l, &n->ps, "block", block_sizes(r));
    wf_mstgcn_block_names(&l, &n->names, NULL, "block");
    WF_TRY(load_named(r, &n->ps, &n->names));
    struct wf_tensor *x = time_first(r, leaf(r, "inputs/X"));
    output(r, "outputs/out", time_last(r, wf_mstgcn_block(&r->g, &l, gs->S, gs->count, x)));
    return finish_named(r, &n->ps, &n->names);
}

static enum wf_status mstgcn_net(struct run *r, struct named *n, const struct graphs *gs)
{
    struct wf_mstgcn m;
    struct wf_mstgcn_config cfg = { integer(r, "nb_chev_filter", 0),
                                    integer(r, "nb_time_filter", 0), integer(r, "nb_block", 1),
                                    integer(r, "time_strides", 1), .published = true };
    struct wf_task task = net_task(r);
    WF_TRY(tape_status(r));
    wf_mstgcn_init(&m, &n->ps, cfg, &task);
    wf_mstgcn_type.names(&m, &n->names);
    WF_TRY(load_named(r, &n->ps, &n->names));
    struct wf_tensor *x = time_first(r, leaf(r, "inputs/X"));
    return finish_net(r, n, wf_mstgcn(&r->g, &m, gs->S, gs->count, x));
}

typedef enum wf_status graph_runner(struct run *r, struct named *n, const struct graphs *gs);

static enum wf_status with_graphs(struct run *r, struct named *n, graph_runner *f, bool plain)
{
    struct graphs gs;
    enum wf_status s = open_graphs(r, &gs, plain);
    if (!s) s = f(r, n, &gs);
    while (gs.count > 0) wf_graph_free(&gs.graph[--gs.count]);
    return s;
}

static enum wf_status astgcn(struct run *r, struct named *n)
{
    if (has(r, "params/_U1")) return attention(r, n, false);
    if (has(r, "params/_W1")) return attention(r, n, true);
    bool plain = text_is(r, "normalization", "None");
    return with_graphs(r, n, has_attr(r, "", "nb_block") ? astgcn_net : astgcn_block, plain);
}

static enum wf_status mstgcn(struct run *r, struct named *n)
{
    return with_graphs(r, n, has_attr(r, "", "nb_block") ? mstgcn_net : mstgcn_block, true);
}

enum wf_status run_astgcn(struct run *r)
{
    return with_params(r, astgcn);
}

enum wf_status run_mstgcn(struct run *r)
{
    return with_params(r, mstgcn);
}
