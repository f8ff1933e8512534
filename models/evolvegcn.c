#include "models/evolvegcn.h"
#include "nn/rnn.h"

void wf_evolvegcn_cell_init(struct wf_evolvegcn_cell *l, struct wf_params *ps, const char *name,
                            struct wf_evolvegcn_config cfg)
{
    char path[WF_NAME_TEXT];
    int F = cfg.channels;
    *l = (struct wf_evolvegcn_cell){ .cfg = cfg };
    l->weight = wf_params_add(ps, wf_params_path(path, name, "weight"), 2, wf_dims(F, F),
                              (struct wf_init){ .kind = WF_INIT_XAVIER_UNIFORM, .gain = 1 });
    wf_gru_init(&l->rnn, ps, wf_params_path(path, name, "rnn"), F, F);
    if (cfg.nodes) wf_topk_pool_init(&l->pool, ps, wf_params_path(path, name, "pool"), F);
}

/* W' = GRU(W, W) (-O) or GRU(top F nodes of x, W) (-H), row by row;  y = P x W' */
struct wf_tensor *wf_evolvegcn_cell(struct wf_tape *g, const struct wf_evolvegcn_cell *l,
                                    const struct wf_supports *S, struct wf_tensor *x,
                                    struct wf_tensor **weight)
{
    if (S->count != 1)
        return wf_tape_fail(g, WF_EINVAL, "evolvegcn: the graph has %d supports, want 1", S->count);
    struct wf_tensor *w = *weight ? *weight : l->weight, *in = w; /* [F, F] or [.., F, F] */
    if (l->cfg.nodes) {
        in = wf_topk_pool(g, &l->pool, x, l->cfg.channels).x; /* [.., F, F] */
        w = wf_expand(g, w, in->ndim, in->shape);
    }
    *weight = wf_gru(g, &l->rnn, in, w);
    return wf_spmm(g, S->pattern[0], S->value[0], wf_matmul(g, x, *weight), false);
}

void wf_evolvegcn_cell_names(struct wf_renames *t, const char *theirs, const char *ours,
                             const struct wf_evolvegcn_cell *l)
{
    char a[WF_NAME_TEXT], b[WF_NAME_TEXT];
    wf_renames_add(t, theirs, ours,
                   (struct wf_rename){ .theirs = "initial_weight", .ours = "weight" });
    wf_gru_names(t, wf_params_path(a, theirs, "recurrent_layer"), wf_params_path(b, ours, "rnn"),
                 "_l0");
    if (l->cfg.nodes)
        wf_topk_pool_names(t, wf_params_path(a, theirs, "pooling_layer"),
                           wf_params_path(b, ours, "pool"));
}
