/* mtgnn.c - compares MTGNN of PyTorch Geometric Temporal, whose last axis is time. */
#include "models/mtgnn_names.h"
#include <stdio.h>
#include <string.h>
#include "tensor/alloc.h"
#include "tests/parity/spectral.h"

/* Reads the kernel widths, such as "[2, 3]"; returns how many there are. */
static int widths(struct run *r, int width[WF_INCEPTION_WIDTHS])
{
    char *text;
    int n = 0;
    if (wf_h5_attr_text(r->h5, r->name, "kernel_set", &text, &r->err) != WF_OK) return 0;
    for (const char *at = strpbrk(text, "[,"); at && n < WF_INCEPTION_WIDTHS;
         at = strpbrk(at + 1, ","))
        if (sscanf(at + 1, "%d", &width[n]) == 1) n++;
    wf_free(text);
    return n;
}

static struct wf_tensor *turned(struct run *r, struct wf_tensor *x)
{
    return wf_permute(&r->g, x, 0, 3, 2, 1); /* [B, C, N, T] and [B, T, N, C] */
}

static enum wf_status mixprop(struct run *r, struct named *n)
{
    struct wf_mixprop l;
    wf_mixprop_init(&l, &n->ps, "mp",
                    (struct wf_mixprop_config){ integer(r, "c_in", 0), integer(r, "c_out", 0),
                                                integer(r, "gdep", 0), number(r, "alpha", 0) });
    wf_mixprop_names(&n->names, NULL, "mp");
    WF_TRY(load_named(r, &n->ps, &n->names));
    struct wf_tensor *x = turned(r, leaf(r, "inputs/X"));
    output(r, "outputs/out", turned(r, wf_mixprop(&r->g, &l, leaf(r, "inputs/A"), x)));
    return finish_named(r, &n->ps, &n->names);
}

static enum wf_status inception(struct run *r, struct named *n)
{
    struct wf_inception l;
    struct wf_inception_config cfg = { .in = integer(r, "c_in", 0),
                                       .out = integer(r, "c_out", 0),
                                       .dilation = integer(r, "dilation_factor", 1) };
    cfg.widths = widths(r, cfg.width);
    wf_inception_init(&l, &n->ps, "tc", cfg);
    wf_inception_names(&l, &n->names, NULL, "tc");
    WF_TRY(load_named(r, &n->ps, &n->names));
    struct wf_tensor *x = turned(r, leaf(r, "inputs/X"));
    output(r, "outputs/out", turned(r, wf_inception(&r->g, &l, x)));
    return finish_named(r, &n->ps, &n->names);
}

/* Reads inputs/idx where the case has it; free it with wf_index_free. */
static enum wf_status nodes_of(struct run *r, int range, struct wf_index *ix)
{
    struct wf_array a;
    int *idx;
    WF_TRY(read_case(r, "inputs/idx", WF_I64, &a));
    enum wf_status s = WF_ENOMEM;
    if ((idx = wf_calloc((size_t)a.count, sizeof *idx))) {
        for (ptrdiff_t i = 0; i < a.count; i++) idx[i] = (int)a.i64[i];
        s = wf_index_init(ix, r->g.be, range, (int)a.count, idx, &r->err);
    }
    wf_free(idx);
    wf_array_free(&a);
    return s;
}

static enum wf_status learner(struct run *r, struct named *n)
{
    struct wf_graph_learner l;
    struct wf_index only;
    struct wf_graph_learner_config cfg = { .nodes = integer(r, "nnodes", 0),
                                           .dim = integer(r, "dim", 0),
                                           .features = integer(r, "xd", 0),
                                           .neighbours = integer(r, "k", 0),
                                           .saturation = number(r, "alpha", 0) };
    wf_graph_learner_init(&l, &n->ps, "graph", cfg);
    wf_graph_learner_names(&l, &n->names, NULL, "graph");
    WF_TRY(load_named(r, &n->ps, &n->names));
    WF_TRY(nodes_of(r, cfg.nodes, &only));
    struct wf_tensor *FE = cfg.features ? leaf(r, "inputs/FE") : NULL;
    output(r, "outputs/out", wf_graph_learner(&r->g, &l, FE, &only));
    enum wf_status s = finish_named(r, &n->ps, &n->names);
    wf_index_free(&only);
    return s;
}

static struct wf_mtgnn_sizes sizes_of(struct run *r)
{
    struct wf_mtgnn_config c = { .channels = integer(r, "residual_channels", 0),
                                 .skip = integer(r, "skip_channels", 0),
                                 .end = integer(r, "end_channels", 0),
                                 .layers = integer(r, "layers", 0),
                                 .dilation = integer(r, "dilation_exponential", 1),
                                 .depth = integer(r, "gcn_depth", 0),
                                 .neighbours = integer(r, "subgraph_size", 0),
                                 .embedding = integer(r, "node_dim", 0),
                                 .keep = number(r, "propalpha", 0),
                                 .saturation = number(r, "tanhalpha", 0) };
    struct wf_mtgnn_sizes s = { .cfg = c,
                                .nodes = integer(r, "num_nodes", 0),
                                .in = integer(r, "in_dim", 0),
                                .out = integer(r, "out_dim", 0),
                                .T = integer(r, "seq_length", 0),
                                .hidden = integer(r, "conv_channels", 0),
                                .features = integer(r, "xd", 0),
                                .given_graph = !integer(r, "build_adj", 1),
                                .no_graph = !integer(r, "gcn_true", 1),
                                .plain_norm = !integer(r, "layer_norm_affline", 1) };
    s.widths = widths(r, s.width);
    return s;
}

static enum wf_status net(struct run *r, struct named *n)
{
    struct wf_mtgnn m;
    struct wf_mtgnn_sizes s = sizes_of(r);
    struct wf_index only = { 0 };
    WF_TRY(r->err.status);
    wf_mtgnn_net_init(&m.net, &n->ps, NULL, s);
    wf_mtgnn_type.names(&m, &n->names);
    WF_TRY(load_named(r, &n->ps, &n->names));
    if (has(r, "inputs/idx")) WF_TRY(nodes_of(r, s.nodes, &only));
    struct wf_mtgnn_input in = { .x = turned(r, leaf(r, "inputs/X")),
                                 .A = s.given_graph ? leaf(r, "inputs/A") : NULL,
                                 .features = s.features ? leaf(r, "inputs/FE") : NULL,
                                 .only = has(r, "inputs/idx") ? &only : NULL };
    output(r, "outputs/out", turned(r, wf_mtgnn_net(&r->g, &m.net, in)));
    enum wf_status rc = finish_named(r, &n->ps, &n->names);
    if (in.only) wf_index_free(&only);
    return rc;
}

enum wf_status run_mtgnn(struct run *r)
{
    static const struct {
        const char *prefix;
        named_runner *run;
    } row[] = { { "mixprop", mixprop },
                { "dilated_inception", inception },
                { "graph_constructor", learner },
                { "net_", net } };
    for (size_t i = 0; i < sizeof row / sizeof *row; i++)
        if (strncmp(r->name, row[i].prefix, strlen(row[i].prefix)) == 0)
            return with_params(r, row[i].run);
    r->covered = false;
    return WF_OK;
}
