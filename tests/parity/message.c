/* message.c - compares PyTorch Geometric's GAT, GraphSAGE, RGCN, gated graph and top-k pooling. */
#include "nn/message.h"
#include <math.h>
#include <string.h>
#include "nn/gat.h"
#include "tensor/alloc.h"
#include "tests/parity/edges.h"
#include "tests/parity/parity.h"

enum wf_status read_edges(struct run *r, const char *path, int nodes, struct wf_edges *ed)
{
    struct wf_array ix;
    *ed = (struct wf_edges){ .nodes = nodes };
    WF_TRY(read_case(r, path, WF_I64, &ix));
    int E = ix.ndim == 2 && ix.dim[0] == 2 ? (int)ix.dim[1] : -1;
    int *end = E < 0 ? NULL : wf_malloc(2 * (size_t)E * sizeof *end);
    for (int e = 0; e < 2 * E && end; e++) end[e] = (int)ix.i64[e];
    wf_array_free(&ix);
    if (E < 0) return wf_fail(&r->err, WF_EFORMAT, "%s is not [2, E]", path);
    if (!end) return wf_fail(&r->err, WF_ENOMEM, "no memory for %d edges", E);
    ed->count = E;
    ed->source = end;
    ed->target = end + E;
    return WF_OK;
}

void free_edges(struct wf_edges *ed)
{
    wf_free((int *)ed->source);
}

enum wf_status read_pattern(struct run *r, const char *path, int targets, int sources,
                            struct wf_csr *A)
{
    struct wf_edges ed;
    WF_TRY(read_edges(r, path, sources, &ed));
    enum wf_status s = wf_csr_from_pairs(A, r->g.be, targets, sources, ed.count, ed.target,
                                         ed.source, NULL, &r->err);
    free_edges(&ed);
    return s;
}

enum wf_status read_relations(struct run *r, int nodes, int relations, struct wf_csr *A)
{
    struct wf_edges ed;
    struct wf_array a = { 0 };
    WF_TRY(read_edges(r, "inputs/edge_index", nodes, &ed));
    int *type = wf_malloc((size_t)ed.count * sizeof *type);
    enum wf_status s = type ? WF_OK : wf_fail(&r->err, WF_ENOMEM, "no memory for edges");
    if (!s) s = read_case(r, "inputs/edge_type", WF_I64, &a);
    if (!s && a.count != ed.count)
        s = wf_fail(&r->err, WF_EFORMAT, "%td types of %d edges", a.count, ed.count);
    for (int e = 0; e < ed.count && !s; e++) type[e] = (int)a.i64[e];
    if (!s) s = wf_relation_pattern(A, r->g.be, &ed, type, relations, &r->err);
    wf_free(type);
    wf_array_free(&a);
    free_edges(&ed);
    return s;
}

enum wf_aggr aggr_of(struct run *r, const char *attr)
{
    return text_is(r, attr, "max")   ? WF_AGGR_MAX
           : text_is(r, attr, "add") ? WF_AGGR_ADD
                                     : WF_AGGR_MEAN;
}

/* ---- attention ---- */

static enum wf_status gat(struct run *r, struct wf_params *ps, struct wf_renames *names,
                          struct wf_gat_graph *G)
{
    struct wf_gat l;
    struct wf_edges ed;
    struct wf_tensor *X = leaf(r, "inputs/X");
    bool edges = has(r, "inputs/edge_attr");
    WF_TRY(tape_status(r));
    struct wf_gat_config cfg =
        wf_gat_defaults(integer(r, "in_channels", 0), integer(r, "out_channels", 0));
    cfg.heads = integer(r, "heads", 1);
    cfg.edge_channels = integer(r, "edge_dim", 0);
    cfg.mean = integer(r, "concat", 1) == 0;
    cfg.slope = number(r, "negative_slope", 0.2);
    wf_gat_init(&l, ps, "gat", cfg);
    wf_gat_names(names, "", "gat", &l);
    WF_TRY(load_named(r, ps, names));
    WF_TRY(read_edges(r, "inputs/edge_index", X->shape[0], &ed));
    enum wf_status s =
        wf_gat_graph_init(G, r->g.be, &ed, integer(r, "add_self_loops", 1) != 0, &r->err);
    free_edges(&ed);
    if (s) return s;
    struct wf_tensor *a = edges ? leaf(r, "inputs/edge_attr") : NULL;
    output(r, "outputs/out", wf_gat(&r->g, &l, G, NULL, X, a));
    return finish_named(r, ps, names);
}

enum wf_status run_pyg_gatconv(struct run *r)
{
    struct wf_params ps;
    struct wf_renames names = { 0 };
    struct wf_gat_graph G = { 0 };
    wf_params_init(&ps, r->g.be);
    enum wf_status s = gat(r, &ps, &names, &G);
    wf_gat_graph_free(&G);
    wf_renames_free(&names);
    wf_params_free(&ps);
    return s;
}

/* ---- layers on one pattern ---- */

/* A case has parameters, their published names and the graph's sparsity pattern. */
struct layer {
    struct wf_params ps;
    struct wf_renames names;
    struct wf_csr A;
};

static enum wf_status with_layer(struct run *r,
                                 enum wf_status (*body)(struct run *r, struct layer *c))
{
    struct layer c = { .names = { 0 } };
    wf_params_init(&c.ps, r->g.be);
    enum wf_status s = body(r, &c);
    wf_csr_free(&c.A);
    wf_renames_free(&c.names);
    wf_params_free(&c.ps);
    return s;
}

static enum wf_status sage(struct run *r, struct layer *c)
{
    struct wf_sage l;
    bool two = has(r, "inputs/Xs");
    struct wf_tensor *x = leaf(r, two ? "inputs/Xs" : "inputs/X");
    struct wf_tensor *t = two ? leaf(r, "inputs/Xd") : x;
    WF_TRY(tape_status(r));
    wf_sage_init(&l, &c->ps, "sage",
                 (struct wf_sage_config){ .source = x->shape[1],
                                          .target = t->shape[1],
                                          .out = integer(r, "out_channels", 0),
                                          .aggr = aggr_of(r, "aggr"),
                                          .no_root = !integer(r, "root_weight", 1),
                                          .no_bias = !integer(r, "bias", 1),
                                          .normalize = integer(r, "normalize", 0) != 0 });
    wf_sage_names(&c->names, "", "sage", &l, 0);
    WF_TRY(load_named(r, &c->ps, &c->names));
    WF_TRY(read_pattern(r, "inputs/edge_index", t->shape[0], x->shape[0], &c->A));
    output(r, "outputs/out", wf_sage(&r->g, &l, &c->A, NULL, x, t));
    return finish_named(r, &c->ps, &c->names);
}

enum wf_status run_pyg_sageconv(struct run *r)
{
    return with_layer(r, sage);
}

static enum wf_status rgcn(struct run *r, struct layer *c)
{
    struct wf_rgcn l;
    struct wf_tensor *X = leaf(r, "inputs/X");
    WF_TRY(tape_status(r));
    wf_rgcn_init(&l, &c->ps, "rgcn",
                 (struct wf_rgcn_config){ .in = integer(r, "in_channels", 0),
                                          .out = integer(r, "out_channels", 0),
                                          .relations = integer(r, "num_relations", 0),
                                          .bases = integer(r, "num_bases", 0) });
    wf_rgcn_names(&c->names, "", "rgcn", &l, 0);
    WF_TRY(load_named(r, &c->ps, &c->names));
    WF_TRY(read_relations(r, X->shape[0], l.cfg.relations, &c->A));
    output(r, "outputs/out", wf_rgcn(&r->g, &l, &c->A, NULL, X));
    return finish_named(r, &c->ps, &c->names);
}

enum wf_status run_pyg_rgcnconv(struct run *r)
{
    return with_layer(r, rgcn);
}

static enum wf_status gated_graph(struct run *r, struct layer *c)
{
    struct wf_gated_graph l;
    struct wf_tensor *X = leaf(r, "inputs/X");
    WF_TRY(tape_status(r));
    wf_gated_graph_init(&l, &c->ps, "conv", integer(r, "num_layers", 0),
                        integer(r, "out_channels", 0), aggr_of(r, "aggr"));
    wf_gated_graph_names(&c->names, "", "conv");
    WF_TRY(load_named(r, &c->ps, &c->names));
    struct wf_graph_config raw = { .kind = WF_GCN, .raw = true };
    WF_TRY(case_graph(r, "inputs/", X->shape[0], &raw));
    struct wf_supports S = case_supports(r, "inputs/");
    output(r, "outputs/out", wf_gated_graph(&r->g, &l, S.pattern[0], S.value[0], X));
    return finish_named(r, &c->ps, &c->names);
}

enum wf_status run_pyg_gatedgraphconv(struct run *r)
{
    return with_layer(r, gated_graph);
}

/* ---- pooling ---- */

/* Returns the edges that pooling keeps, as node numbers [2, E]. */
static enum wf_status kept_edges(struct run *r, const struct wf_edges *ed,
                                 const struct wf_tensor *perm, struct wf_tensor **out)
{
    enum { MOST = 256 };
    int k = perm->shape[0], place[MOST], source[MOST], target[MOST];
    wf_real number_of[2 * MOST];
    if (k > MOST || ed->count > MOST) return wf_fail(&r->err, WF_EFORMAT, "more than %d", MOST);
    if (wf_tensor_download(perm, number_of)) return wf_fail(&r->err, WF_EDEVICE, "no download");
    for (int i = 0; i < k; i++) place[i] = (int)number_of[i];
    int n = wf_topk_edges(ed, k, place, source, target);
    if (n < 0) return wf_fail(&r->err, WF_ENOMEM, "no memory for edges");
    for (int e = 0; e < n; e++) {
        number_of[e] = (wf_real)source[e];
        number_of[n + e] = (wf_real)target[e];
    }
    *out = wf_input(&r->g, number_of, 2, wf_dims(2, n));
    return tape_status(r);
}

static enum wf_status topk(struct run *r, struct layer *c)
{
    struct wf_topk_pool l;
    struct wf_edges ed;
    struct wf_tensor *X = leaf(r, "inputs/X"), *edges = NULL;
    WF_TRY(tape_status(r));
    wf_topk_pool_init(&l, &c->ps, "pool", integer(r, "in_channels", 0));
    wf_topk_pool_names(&c->names, "", "pool");
    WF_TRY(load_named(r, &c->ps, &c->names));
    int N = X->shape[0];
    struct wf_pooled p = wf_topk_pool(&r->g, &l, X, (int)ceil(number(r, "ratio", 0.5) * N));
    WF_TRY(tape_status(r));
    WF_TRY(read_edges(r, "inputs/edge_index", N, &ed));
    enum wf_status s = kept_edges(r, &ed, p.perm, &edges);
    free_edges(&ed);
    if (s) return s;
    output(r, "outputs/x", p.x);
    output(r, "outputs/score", p.score);
    output(r, "outputs/perm", p.perm);
    output(r, "outputs/edge_index", edges);
    return finish_named(r, &c->ps, &c->names);
}

enum wf_status run_pyg_topkpooling(struct run *r)
{
    return with_layer(r, topk);
}
