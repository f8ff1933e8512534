/* spectral.c - GCN and Chebyshev convolutions of PyTorch Geometric, and the one with attention. */
#include <stdio.h>
#include "nn/gcn.h"
#include "tests/parity/parity.h"

static bool flag(struct run *r, const char *attr, bool absent)
{
    return integer(r, attr, absent) != 0;
}

/* Without weights PyTorch Geometric ignores `improved`. */
static enum wf_status gcn_graph(struct run *r, int nodes)
{
    struct wf_graph_config cfg = { .kind = WF_GCN,
                                   .improved =
                                       flag(r, "improved", false) && has(r, "inputs/edge_weight"),
                                   .no_loops = !flag(r, "add_self_loops", true),
                                   .raw = !flag(r, "normalize", true) };
    return case_graph(r, "inputs/", nodes, &cfg);
}

static enum wf_status cheb_graph(struct run *r, int nodes)
{
    struct wf_graph_config cfg = { .kind = WF_CHEB,
                                   .hops = integer(r, "K", 1) - 1,
                                   .lambda_max = number(r, "lambda_max", 0) };
    if (text_is(r, "normalization", "rw")) cfg.laplacian = WF_LAPLACIAN_RW;
    if (text_is(r, "normalization", "None")) cfg.laplacian = WF_LAPLACIAN_NONE;
    return case_graph(r, "inputs/", nodes, &cfg);
}

enum wf_status run_pyg_gcnconv(struct run *r)
{
    struct wf_tensor *X = leaf(r, "inputs/X"); /* [.., N, in] */
    struct wf_gcn l = { .weight = wf_permute(&r->g, leaf(r, "params/lin.weight"), 1, 0),
                        .bias = has(r, "params/bias") ? leaf(r, "params/bias") : NULL };
    WF_TRY(tape_status(r));
    WF_TRY(gcn_graph(r, X->shape[X->ndim - 2]));
    struct wf_supports S = case_supports(r, "inputs/");
    output(r, "outputs/out", wf_gcn(&r->g, &l, &S, X));
    return finish(r);
}

/* Their one matrix [out, in] per term as one [K * in, out]. */
static struct wf_tensor *terms(struct run *r, int K)
{
    struct wf_tensor *w[WF_MAXTERM];
    if (K < 1 || K > WF_MAXTERM) return wf_tape_fail(&r->g, WF_EFORMAT, "%d terms", K);
    for (int k = 0; k < K; k++) {
        char path[PATH_TEXT];
        snprintf(path, sizeof path, "params/lins.%d.weight", k);
        w[k] = wf_permute(&r->g, leaf(r, path), 1, 0);
    }
    return wf_concat_n(&r->g, w, K, 0);
}

enum wf_status run_pyg_chebconv(struct run *r)
{
    struct wf_tensor *X = leaf(r, "inputs/X"); /* [.., N, in] */
    struct wf_cheb l = { terms(r, integer(r, "K", 1)), leaf(r, "params/bias") };
    WF_TRY(tape_status(r));
    WF_TRY(cheb_graph(r, X->shape[X->ndim - 2]));
    struct wf_supports S = case_supports(r, "inputs/");
    output(r, "outputs/out", wf_cheb(&r->g, &l, &S, X, WF_ACT_NONE));
    return finish(r);
}

enum wf_status run_chebconvattention(struct run *r)
{
    struct wf_tensor *X = leaf(r, "inputs/X"); /* [B, N, in] */
    struct wf_cheb_attention l = { leaf(r, "params/_weight"), leaf(r, "params/_bias") };
    WF_TRY(tape_status(r));
    WF_TRY(cheb_graph(r, X->shape[X->ndim - 2]));
    struct wf_supports S = case_supports(r, "inputs/");
    output(r, "outputs/out", wf_cheb_attention(&r->g, &l, &S, X, leaf(r, "inputs/S")));
    return finish(r);
}
