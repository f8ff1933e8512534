/* pgt.c - compares PyTorch Geometric Temporal's diffusion convolution and the cells made of it. */
#include "tests/parity/pgt.h"
#include <stdio.h>
#include <string.h>
#include "tensor/alloc.h"

enum wf_status case_graph(struct run *r, const char *group, int nodes,
                          const struct wf_graph_config *cfg)
{
    char path[PATH_TEXT];
    struct wf_array ix;
    snprintf(path, sizeof path, "%sedge_index", group);
    WF_TRY(read_case(r, path, WF_I64, &ix));
    int E = ix.ndim == 2 ? (int)ix.dim[1] : 0, *end = wf_malloc(2 * (size_t)E * sizeof *end);
    enum wf_status s = WF_OK;
    if (!end || ix.ndim != 2 || ix.dim[0] != 2)
        s = wf_fail(&r->err, WF_EFORMAT, "%s is not [2, E]", path);
    for (int e = 0; e < 2 * E && !s; e++) end[e] = (int)ix.i64[e];
    struct wf_edges ed = { nodes, E, end, end + E, NULL };
    if (!s) s = wf_graph_init(&r->graph, r->g.be, &ed, cfg, &r->err);
    wf_free(end);
    wf_array_free(&ix);
    return s;
}

enum wf_status pgt_graph(struct run *r, const char *group, int nodes)
{
    struct wf_graph_config cfg = { .hops = integer(r, "K", 1) - 1, .compat = WF_COMPAT_PGT };
    return case_graph(r, group, nodes, &cfg);
}

struct wf_supports case_supports(struct run *r, const char *group)
{
    char path[PATH_TEXT];
    snprintf(path, sizeof path, "%sedge_weight", group);
    if (!has(r, path)) return r->graph.supports;
    return wf_graph_supports(&r->g, &r->graph, leaf(r, path));
}

/* Takes weight [2, K, in, out] of one convolution to [M * in, out]: both matrices of order 0 apply
 * to X, then come the forward and the backward terms. */
static struct wf_tensor *joint(struct wf_tape *g, struct wf_tensor *w)
{
    if (g->error.status) return &g->poison;
    if (w->ndim != 4 || w->shape[0] != 2)
        return wf_tape_fail(g, WF_EFORMAT, "the weight of a convolution is not [2, K, in, out]");
    int K = w->shape[1], in = w->shape[2], out = w->shape[3], n = 1;
    struct wf_tensor *way[] = { wf_select(g, w, 0, 0), wf_select(g, w, 0, 1) }; /* [K, in, out] */
    struct wf_tensor *part[3] = { wf_add(g, wf_slice(g, way[0], 0, 0, 1),
                                         wf_slice(g, way[1], 0, 0, 1)) };
    for (int d = 0; d < 2 && K > 1; d++) part[n++] = wf_slice(g, way[d], 0, 1, K);
    return wf_reshape(g, wf_concat_n(g, part, n, 0), 2, wf_dims((2 * K - 1) * in, out));
}

static enum wf_status dconv(struct run *r)
{
    struct wf_tensor *X = leaf(r, "inputs/X"); /* [N, in] */
    struct wf_dconv l = { joint(&r->g, leaf(r, "params/weight")), leaf(r, "params/bias") };
    WF_TRY(tape_status(r));
    WF_TRY(pgt_graph(r, "inputs/", X->shape[0]));
    struct wf_supports S = case_supports(r, "inputs/");
    struct wf_tensor *y =
        wf_dconv(&r->g, &l, &S, wf_unsqueeze(&r->g, X, 0), NULL, WF_ACT_NONE); /* [1, N, out] */
    output(r, "outputs/out", wf_select(&r->g, y, 0, 0));
    return finish(r);
}

enum wf_status run_dconv(struct run *r)
{
    return dconv(r);
}

const char *const pgt_names[PGT_PARAMS] = { "conv_x_z.weight", "conv_x_z.bias",   "conv_x_r.weight",
                                            "conv_x_r.bias",   "conv_x_h.weight", "conv_x_h.bias" };

struct wf_dcgru pgt_cell(struct wf_tape *g, struct wf_tensor *const p[PGT_PARAMS])
{
    struct wf_dcgru cell = {
        .gates = { wf_concat(g, joint(g, p[2]), joint(g, p[0])), wf_concat(g, p[3], p[1]) },
        .cand = { joint(g, p[4]), p[5] },
    };
    cell.hidden = g->error.status ? 0 : p[5]->shape[0];
    return cell;
}

static struct wf_dcgru leaf_cell(struct run *r)
{
    struct wf_tensor *p[PGT_PARAMS];
    for (int i = 0; i < PGT_PARAMS; i++) {
        char path[PATH_TEXT];
        snprintf(path, sizeof path, "params/%s", pgt_names[i]);
        p[i] = leaf(r, path);
    }
    return pgt_cell(&r->g, p);
}

/* Runs the cell over X [T, N, in] from zero, or for one step on X [N, in] from H [N, out]. */
enum wf_status run_dcrnn(struct run *r)
{
    enum { MAXT = 256 };
    struct wf_tape *g = &r->g;
    struct wf_tensor *X = leaf(r, "inputs/X"), *y[MAXT];
    struct wf_dcgru cell = leaf_cell(r);
    WF_TRY(tape_status(r));
    bool step = X->ndim == 2;
    int T = step ? 1 : X->shape[0], N = X->shape[X->ndim - 2];
    if (T > MAXT) return wf_fail(&r->err, WF_EFORMAT, "%d steps: want at most %d", T, MAXT);
    WF_TRY(pgt_graph(r, "inputs/", N));
    struct wf_supports S = case_supports(r, "inputs/");
    struct wf_tensor *h = has(r, "inputs/H") ? wf_unsqueeze(g, leaf(r, "inputs/H"), 0)
                                             : wf_zeros(g, 3, wf_dims(1, N, cell.hidden));
    for (int t = 0; t < T; t++) {
        struct wf_tensor *x = step ? X : wf_select(g, X, 0, t);
        h = wf_dcgru(g, &cell, &S, wf_unsqueeze(g, x, 0), h);
        y[t] = wf_select(g, h, 0, 0); /* [N, out] */
    }
    output(r, "outputs/out", step ? y[0] : wf_stack(g, y, T, 0));
    return finish(r);
}

/* Cases named dconv_* are single convolutions; the others run X [B, T, N, in] from zero. */
enum wf_status run_batcheddcrnn(struct run *r)
{
    if (strncmp(r->name, "dconv", strlen("dconv")) == 0) return dconv(r);
    struct wf_tensor *X = leaf(r, "inputs/X");
    struct wf_dcrnn_pgt m = { .cell = leaf_cell(r) };
    WF_TRY(tape_status(r));
    if (X->ndim != 4) return wf_fail(&r->err, WF_EFORMAT, "inputs/X is not [B, T, N, C]");
    struct wf_batch b = { .B = X->shape[0], .T = X->shape[1], .Q = X->shape[1] };
    b.N = X->shape[2];
    b.C = X->shape[3];
    WF_TRY(pgt_graph(r, "inputs/", b.N));
    struct wf_supports S = case_supports(r, "inputs/");
    b.x = *X;
    b.supports = &S;
    m.task = (struct wf_task){ .nodes = b.N,
                               .channels = b.C,
                               .targets = m.cell.hidden,
                               .T = b.T,
                               .Q = b.Q,
                               .terms = S.terms };
    output(r, "outputs/out", wf_dcrnn_pgt_forward(&r->g, &m, &b));
    return finish(r);
}
