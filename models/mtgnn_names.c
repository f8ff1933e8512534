#include "models/mtgnn_names.h"
#include <stdio.h>

void wf_mixprop_names(struct wf_renames *t, const char *theirs, const char *ours)
{
    char from[WF_NAME_TEXT];
    wf_pointwise_names(t, wf_params_path(from, theirs, "_mlp._mlp"), ours);
}

void wf_inception_names(const struct wf_inception *l, struct wf_renames *t, const char *theirs,
                        const char *ours)
{
    for (int i = 0; i < l->cfg.widths; i++) {
        char from[WF_NAME_TEXT], to[WF_NAME_TEXT], a[32], b[32];
        snprintf(a, sizeof a, "_time_conv.%d", i);
        snprintf(b, sizeof b, "%d", i);
        wf_conv_names(t, wf_params_path(from, theirs, a), wf_params_path(to, ours, b),
                      &l->branch[i], "3210");
    }
}

void wf_graph_learner_names(const struct wf_graph_learner *l, struct wf_renames *t,
                            const char *theirs, const char *ours)
{
    char from[WF_NAME_TEXT], to[WF_NAME_TEXT];
    for (int i = 0; i < 2; i++) {
        struct wf_rename r = { .theirs = i ? "_embedding2.weight" : "_embedding1.weight",
                               .ours = i ? "E.1" : "E.0" };
        if (!l->cfg.features) wf_renames_add(t, theirs, ours, r);
        wf_linear_names(t, wf_params_path(from, theirs, i ? "_linear2" : "_linear1"),
                        wf_params_path(to, ours, i ? "map.1" : "map.0"));
    }
}

/* Adds names of parameters that the published network has and never uses: they are read past. */
static void unused(struct wf_renames *t, const char *theirs, const char *const *names)
{
    for (; *names; names++) wf_renames_add(t, theirs, NULL, (struct wf_rename){ .theirs = *names });
}

static void layer_names(const struct wf_mtgnn_layer *l, struct wf_renames *t, const char *theirs,
                        const char *ours)
{
    char from[WF_NAME_TEXT], to[WF_NAME_TEXT];
    wf_inception_names(&l->filter, t, wf_params_path(from, theirs, "_filter_conv"),
                       wf_params_path(to, ours, "filter"));
    wf_inception_names(&l->gate, t, wf_params_path(from, theirs, "_gate_conv"),
                       wf_params_path(to, ours, "gate"));
    wf_conv_names(t, wf_params_path(from, theirs, "_skip_conv"), wf_params_path(to, ours, "skip"),
                  &l->skip, "3210");
    if (l->residual.weight) {
        wf_pointwise_names(t, wf_params_path(from, theirs, "_residual_conv"),
                           wf_params_path(to, ours, "residual"));
    } else {
        unused(t, theirs, (const char *[]){ "_residual_conv.weight", "_residual_conv.bias", NULL });
        wf_mixprop_names(t, wf_params_path(from, theirs, "_mixprop_conv1"),
                         wf_params_path(to, ours, "from"));
        wf_mixprop_names(t, wf_params_path(from, theirs, "_mixprop_conv2"),
                         wf_params_path(to, ours, "to"));
    }
    if (!l->norm.weight) return;
    wf_params_path(from, theirs, "_normalization");
    wf_params_path(to, ours, "norm");
    wf_renames_add(t, from, to, (struct wf_rename){ "_weight", "weight", .axes = "210" });
    wf_renames_add(t, from, to, (struct wf_rename){ "_bias", "bias", .axes = "210" });
}

void wf_mtgnn_net_names(const struct wf_mtgnn_net *l, struct wf_renames *t, const char *theirs,
                        const char *ours)
{
    static const char *const learner[] = { "_embedding1.weight",
                                           "_embedding2.weight",
                                           "_linear1.weight",
                                           "_linear1.bias",
                                           "_linear2.weight",
                                           "_linear2.bias",
                                           NULL };
    static const char *const point[3][2] = { { "_start_conv", "start" },
                                             { "_end_conv_1", "end" },
                                             { "_end_conv_2", "head" } };
    char from[WF_NAME_TEXT], to[WF_NAME_TEXT], name[32];
    for (int i = 0; i < 3; i++)
        wf_pointwise_names(t, wf_params_path(from, theirs, point[i][0]),
                           wf_params_path(to, ours, point[i][1]));
    wf_conv_names(t, wf_params_path(from, theirs, "_skip_conv_0"),
                  wf_params_path(to, ours, "first"), &l->first, "3210");
    wf_conv_names(t, wf_params_path(from, theirs, "_skip_conv_E"), wf_params_path(to, ours, "last"),
                  &l->last, "3210");
    wf_params_path(from, theirs, "_graph_constructor");
    if (l->sizes.given_graph || l->sizes.no_graph)
        unused(t, from, learner + (l->sizes.features ? 2 : 0));
    else
        wf_graph_learner_names(&l->graph, t, from, wf_params_path(to, ours, "graph"));
    for (int j = 0; j < l->sizes.cfg.layers; j++) {
        snprintf(name, sizeof name, "_mtgnn_layers.%d", j);
        wf_params_path(from, theirs, name);
        snprintf(name, sizeof name, "layer.%d", j);
        layer_names(&l->layer[j], t, from, wf_params_path(to, ours, name));
    }
}
