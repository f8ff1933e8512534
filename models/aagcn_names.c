#include "models/aagcn_names.h"
#include <stdio.h>

/* Where a published weight [O, C, 1, 1] and its bias [O] begin in ours. */
struct place {
    int row, bias_row, first;
};

static void add_tap(struct wf_renames *t, const char *theirs, const char *ours, struct place p)
{
    wf_renames_add(
        t, theirs, ours,
        (struct wf_rename){ "weight", "weight", .axes = "2310", .row = p.row, .first = p.first });
    wf_renames_add(t, theirs, ours,
                   (struct wf_rename){ "bias", "bias", .row = p.bias_row, .first = p.first });
}

static void graph_names(const struct wf_aagcn_block *l, struct wf_renames *t, const char *theirs,
                        const char *ours)
{
    char from[WF_NAME_TEXT], to[WF_NAME_TEXT], name[WF_NAME_TEXT];
    int Ci = l->sizes.out / 4;
    for (int k = 0; k < WF_AAGCN_GRAPHS; k++) {
        snprintf(name, sizeof name, "conv_d.%d", k);
        add_tap(t, wf_params_path(from, theirs, name), wf_params_path(to, ours, "mix"),
                (struct place){ k * l->sizes.in, k, 0 });
    }
    if (l->sizes.fixed) return;
    for (int i = 0; i < 2 * WF_AAGCN_GRAPHS; i++) {
        snprintf(name, sizeof name, "conv_%c.%d", i < WF_AAGCN_GRAPHS ? 'a' : 'b',
                 i % WF_AAGCN_GRAPHS);
        add_tap(t, wf_params_path(from, theirs, name), wf_params_path(to, ours, "embed"),
                (struct place){ 0, 0, i * Ci });
    }
    wf_renames_add(t, theirs, ours, (struct wf_rename){ .theirs = "PA", .ours = "A" });
    wf_renames_add(t, theirs, ours, (struct wf_rename){ .theirs = "alpha", .ours = "alpha" });
}

static void attention_names(const struct wf_aagcn_block *l, struct wf_renames *t,
                            const char *theirs, const char *ours)
{
    char from[WF_NAME_TEXT], to[WF_NAME_TEXT];
    wf_conv_names(t, wf_params_path(from, theirs, "conv_sa"), wf_params_path(to, ours, "nodes"),
                  &l->nodes, "210");
    wf_conv_names(t, wf_params_path(from, theirs, "conv_ta"), wf_params_path(to, ours, "steps"),
                  &l->steps, "210");
    wf_linear_names(t, wf_params_path(from, theirs, "fc1c"), wf_params_path(to, ours, "squeeze"));
    wf_linear_names(t, wf_params_path(from, theirs, "fc2c"), wf_params_path(to, ours, "excite"));
}

void wf_aagcn_block_names(const struct wf_aagcn_block *l, struct wf_renames *t, const char *theirs,
                          const char *ours)
{
    char gcn[WF_NAME_TEXT], from[WF_NAME_TEXT], to[WF_NAME_TEXT];
    wf_params_path(gcn, theirs, "gcn1");
    graph_names(l, t, gcn, ours);
    wf_batch_norm_names(t, wf_params_path(from, gcn, "bn"), wf_params_path(to, ours, "norm"));
    if (l->down.weight) {
        wf_pointwise_names(t, wf_params_path(from, gcn, "down.0"),
                           wf_params_path(to, ours, "down"));
        wf_batch_norm_names(t, wf_params_path(from, gcn, "down.1"),
                            wf_params_path(to, ours, "down.norm"));
    }
    if (!l->sizes.no_attention) attention_names(l, t, gcn, ours);
    wf_conv_names(t, wf_params_path(from, theirs, "tcn1.conv"), wf_params_path(to, ours, "time"),
                  &l->time, "2310");
    wf_batch_norm_names(t, wf_params_path(from, theirs, "tcn1.bn"),
                        wf_params_path(to, ours, "time.norm"));
    if (!l->residual.weight) return;
    wf_conv_names(t, wf_params_path(from, theirs, "residual.conv"),
                  wf_params_path(to, ours, "residual"), &l->residual, "2310");
    wf_batch_norm_names(t, wf_params_path(from, theirs, "residual.bn"),
                        wf_params_path(to, ours, "residual.norm"));
}
