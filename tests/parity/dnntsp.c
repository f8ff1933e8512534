/* dnntsp.c - compares DNNTSP of PyTorch Geometric Temporal; all samples share one graph. */
#include "models/dnntsp.h"
#include "tests/parity/spectral.h"

static enum wf_status dnntsp(struct run *r, struct named *n)
{
    struct wf_dnntsp l;
    struct wf_tensor *x = leaf(r, "inputs/X"); /* [B n, D] */
    struct wf_dnntsp_sizes s = { integer(r, "items_total", 1), integer(r, "item_embedding_dim", 0),
                                 integer(r, "n_heads", 1) };
    WF_TRY(tape_status(r));
    WF_TRY(gcn_graph(r, x->shape[0]));
    wf_dnntsp_init(&l, &n->ps, "net", s);
    wf_dnntsp_names(&l, &n->names, NULL, "net");
    WF_TRY(load_named(r, &n->ps, &n->names));
    struct wf_supports S = case_supports(r, "inputs/");
    x = wf_reshape(&r->g, x, 3, wf_dims(-1, s.items, s.channels));
    output(r, "outputs/out", wf_dnntsp(&r->g, &l, &S, x));
    return finish_named(r, &n->ps, &n->names);
}

enum wf_status run_dnntsp(struct run *r)
{
    return with_params(r, dnntsp);
}
