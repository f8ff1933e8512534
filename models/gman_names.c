#include "models/gman_names.h"
#include <stdio.h>

static void fc_names(const struct wf_gman_fc *l, struct wf_renames *t, const char *theirs,
                     const char *ours, int stage)
{
    char from[WF_NAME_TEXT], to[WF_NAME_TEXT], part[WF_NAME_TEXT];
    snprintf(part, sizeof part, "_conv2ds.%d._conv2d", stage);
    wf_conv_names(t, wf_params_path(from, theirs, part), ours, &l->map, "2310");
    snprintf(part, sizeof part, "_conv2ds.%d._batch_norm", stage);
    wf_batch_norm_names(t, wf_params_path(from, theirs, part), wf_params_path(to, ours, "norm"));
}

static void pair_names(const struct wf_gman_fc l[2], struct wf_renames *t, const char *theirs,
                       const char *ours)
{
    for (int i = 0; i < 2; i++) {
        char path[WF_NAME_TEXT];
        fc_names(&l[i], t, theirs, wf_params_path(path, ours, i ? "1" : "0"), i);
    }
}

void wf_gman_attention_names(const struct wf_gman_attention *l, struct wf_renames *t,
                             const char *theirs, const char *ours)
{
    char from[WF_NAME_TEXT], to[WF_NAME_TEXT];
    fc_names(&l->q, t, wf_params_path(from, theirs, "_fully_connected_q"),
             wf_params_path(to, ours, "q"), 0);
    fc_names(&l->k, t, wf_params_path(from, theirs, "_fully_connected_k"),
             wf_params_path(to, ours, "k"), 0);
    fc_names(&l->v, t, wf_params_path(from, theirs, "_fully_connected_v"),
             wf_params_path(to, ours, "v"), 0);
    fc_names(&l->out, t, wf_params_path(from, theirs, "_fully_connected"),
             wf_params_path(to, ours, "out"), 0);
}

static void block_names(const struct wf_gman_block *l, struct wf_renames *t, const char *theirs,
                        const char *ours)
{
    char fusion[WF_NAME_TEXT], from[WF_NAME_TEXT], to[WF_NAME_TEXT];
    wf_params_path(fusion, theirs, "_gated_fusion");
    wf_gman_attention_names(&l->space, t, wf_params_path(from, theirs, "_spatial_attention"),
                            wf_params_path(to, ours, "space"));
    wf_gman_attention_names(&l->time, t, wf_params_path(from, theirs, "_temporal_attention"),
                            wf_params_path(to, ours, "time"));
    fc_names(&l->gate_space, t, wf_params_path(from, fusion, "_fully_connected_xs"),
             wf_params_path(to, ours, "gate.space"), 0);
    fc_names(&l->gate_time, t, wf_params_path(from, fusion, "_fully_connected_xt"),
             wf_params_path(to, ours, "gate.time"), 0);
    pair_names(l->out, t, wf_params_path(from, fusion, "_fully_connected_h"),
               wf_params_path(to, ours, "out"));
}

void wf_gman_net_names(const struct wf_gman_net *l, struct wf_renames *t, const char *theirs,
                       const char *ours)
{
    char from[WF_NAME_TEXT], to[WF_NAME_TEXT], part[WF_NAME_TEXT];
    pair_names(l->embedding.place, t,
               wf_params_path(from, theirs, "_st_embedding._fully_connected_se"),
               wf_params_path(to, ours, "place"));
    pair_names(l->embedding.moment, t,
               wf_params_path(from, theirs, "_st_embedding._fully_connected_te"),
               wf_params_path(to, ours, "moment"));
    pair_names(l->in, t, wf_params_path(from, theirs, "_fully_connected_1"),
               wf_params_path(to, ours, "in"));
    pair_names(l->out, t, wf_params_path(from, theirs, "_fully_connected_2"),
               wf_params_path(to, ours, "out"));
    wf_gman_attention_names(&l->bridge, t, wf_params_path(from, theirs, "_transform_attention"),
                            wf_params_path(to, ours, "bridge"));
    for (int i = 0; i < l->sizes.blocks; i++) {
        snprintf(part, sizeof part, "_st_att_block1.%d", i);
        wf_params_path(from, theirs, part);
        snprintf(part, sizeof part, "past.%d", i);
        block_names(&l->past[i], t, from, wf_params_path(to, ours, part));
        snprintf(part, sizeof part, "_st_att_block2.%d", i);
        wf_params_path(from, theirs, part);
        snprintf(part, sizeof part, "future.%d", i);
        block_names(&l->future[i], t, from, wf_params_path(to, ours, part));
    }
}
