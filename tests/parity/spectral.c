/* spectral.c - compares PyTorch Geometric's GCN and Chebyshev convolutions, also with attention. */
#include "tests/parity/spectral.h"
#include "nn/gcn.h"

static bool flag(struct run *r, const char *attr, bool absent)
{
    return integer(r, attr, absent) != 0;
}

/* Without weights PyTorch Geometric ignores `improved`. */
enum wf_status gcn_graph(struct run *r, int nodes)
{
    struct wf_graph_config cfg = { .kind = WF_GCN,
                                   .improved =
                                       flag(r, "improved", false) && has(r, "inputs/edge_weight"),
                                   .no_loops = !flag(r, "add_self_loops", true),
                                   .raw = !flag(r, "normalize", true) };
    return case_graph(r, "inputs/", nodes, &cfg);
}

enum wf_status cheb_graph(struct run *r, int nodes)
{
    struct wf_graph_config cfg = { .kind = WF_CHEB,
                                   .hops = integer(r, "K", 1) - 1,
                                   .lambda_max = number(r, "lambda_max", 0) };
    if (text_is(r, "normalization", "rw")) cfg.laplacian = WF_LAPLACIAN_RW;
    if (text_is(r, "normalization", "None")) cfg.laplacian = WF_LAPLACIAN_NONE;
    return case_graph(r, "inputs/", nodes, &cfg);
}

/* X is [.., N, in]; the sizes come from the case's attributes. */
static enum wf_status run_gcn(struct run *r, struct named *n)
{
    struct wf_gcn l;
    struct wf_tensor *X = leaf(r, "inputs/X");
    bool bias = flag(r, "bias", true);
    WF_TRY(tape_status(r));
    WF_TRY(gcn_graph(r, X->shape[X->ndim - 2]));
    wf_gcn_init(&l, &n->ps, "gcn", integer(r, "in_channels", 0), integer(r, "out_channels", 0),
                bias);
    wf_gcn_names(&n->names, NULL, "gcn", 0, bias);
    WF_TRY(load_named(r, &n->ps, &n->names));
    struct wf_supports S = case_supports(r, "inputs/");
    output(r, "outputs/out", wf_gcn(&r->g, &l, &S, X));
    return finish_named(r, &n->ps, &n->names);
}

static enum wf_status run_cheb(struct run *r, struct named *n)
{
    struct wf_cheb l;
    struct wf_tensor *X = leaf(r, "inputs/X");
    int K = integer(r, "K", 1), C = integer(r, "in_channels", 0);
    WF_TRY(tape_status(r));
    WF_TRY(cheb_graph(r, X->shape[X->ndim - 2]));
    wf_cheb_init(&l, &n->ps, "cheb", C, integer(r, "out_channels", 0), K, true);
    wf_cheb_names(&n->names, NULL, "cheb", (struct wf_cheb_place){ K, C, 0, 0, "bias" });
    WF_TRY(load_named(r, &n->ps, &n->names));
    struct wf_supports S = case_supports(r, "inputs/");
    output(r, "outputs/out", wf_cheb(&r->g, &l, &S, X, WF_ACT_NONE));
    return finish_named(r, &n->ps, &n->names);
}

static enum wf_status run_attention(struct run *r, struct named *n)
{
    struct wf_cheb_attention l;
    struct wf_tensor *X = leaf(r, "inputs/X");
    WF_TRY(tape_status(r));
    WF_TRY(cheb_graph(r, X->shape[X->ndim - 2]));
    wf_cheb_attention_init(&l, &n->ps, "cheb", integer(r, "in_channels", 0),
                           integer(r, "out_channels", 0), integer(r, "K", 1));
    wf_cheb_attention_names(&n->names, NULL, "cheb");
    WF_TRY(load_named(r, &n->ps, &n->names));
    struct wf_supports S = case_supports(r, "inputs/");
    output(r, "outputs/out", wf_cheb_attention(&r->g, &l, &S, X, leaf(r, "inputs/S")));
    return finish_named(r, &n->ps, &n->names);
}

enum wf_status with_params(struct run *r, named_runner *f)
{
    struct named n = { 0 };
    wf_params_init(&n.ps, r->g.be);
    enum wf_status s = f(r, &n);
    wf_renames_free(&n.names);
    wf_params_free(&n.ps);
    return s;
}

enum wf_status run_pyg_gcnconv(struct run *r)
{
    return with_params(r, run_gcn);
}

enum wf_status run_pyg_chebconv(struct run *r)
{
    return with_params(r, run_cheb);
}

enum wf_status run_chebconvattention(struct run *r)
{
    return with_params(r, run_attention);
}
