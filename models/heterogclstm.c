#include "models/heterogclstm.h"
#include <stdio.h>

static bool counts_fit(const struct wf_heterogclstm_config *c)
{
    bool ok = c->types >= 1 && c->types <= WF_HETERO_TYPES && c->relations >= 0 &&
              c->relations <= WF_HETERO_RELATIONS;
    for (int k = 0; k < c->relations && ok; k++) {
        const struct wf_relation *r = &c->relation[k];
        ok = r->source >= 0 && r->source < c->types && r->target >= 0 && r->target < c->types;
    }
    return ok;
}

/* "prefix." followed by the source type, the name and the target type of relation k, as `format`
 * joins the three. */
static const char *relation_path(char text[WF_NAME_TEXT], const char *format, const char *prefix,
                                 const struct wf_heterogclstm_config *c, int k)
{
    const struct wf_relation *r = &c->relation[k];
    char part[WF_NAME_TEXT];
    snprintf(part, sizeof part, format, c->type[r->source], r->name, c->type[r->target]);
    return wf_params_path(text, prefix, part);
}

void wf_heterogclstm_cell_init(struct wf_heterogclstm_cell *l, struct wf_params *ps,
                               const char *name, const struct wf_heterogclstm_config *cfg)
{
    char path[WF_NAME_TEXT], part[WF_NAME_TEXT];
    int H = cfg->hidden;
    *l = (struct wf_heterogclstm_cell){ .cfg = *cfg };
    if (!counts_fit(cfg)) {
        wf_params_refuse(
            ps,
            "'%s' has %d types of nodes and %d relations: want 1 to %d, at most %d, and "
            "relations between those types",
            name, cfg->types, cfg->relations, WF_HETERO_TYPES, WF_HETERO_RELATIONS);
        l->cfg.types = l->cfg.relations = 0;
    }
    for (int a = 0; a < l->cfg.types; a++) {
        struct wf_init gate = { .kind = WF_INIT_XAVIER_UNIFORM, .gain = 1, .fan_out = H };
        wf_params_path(part, "input", cfg->type[a]);
        wf_params_path(path, name, part);
        l->input[a].weight = wf_params_add(ps, wf_params_path(part, path, "weight"), 2,
                                           wf_dims(cfg->channels[a], 4 * H), gate);
        l->input[a].bias = wf_params_add(ps, wf_params_path(part, path, "bias"), 1, wf_dims(4 * H),
                                         (struct wf_init){ .kind = WF_INIT_CONSTANT });
    }
    for (int k = 0; k < l->cfg.relations; k++) {
        wf_params_path(part, name, "relation");
        wf_sage_init(&l->relation[k], ps, relation_path(path, "%s.%s.%s", part, cfg, k),
                     (struct wf_sage_config){ .source = H, .out = 4 * H });
    }
}

/* All gates read the old h, so h is replaced only after the gates of all types are computed. */
void wf_heterogclstm_cell(struct wf_tape *g, const struct wf_heterogclstm_cell *l,
                          const struct wf_csr *A, struct wf_tensor *const *x, struct wf_tensor **h,
                          struct wf_tensor **c)
{
    struct wf_tensor *gates[WF_HETERO_TYPES]; /* [.., N_a, 4 hidden] */
    for (int a = 0; a < l->cfg.types; a++) gates[a] = wf_linear(g, &l->input[a], x[a]);
    for (int k = 0; k < l->cfg.relations; k++) {
        int from = l->cfg.relation[k].source, to = l->cfg.relation[k].target;
        gates[to] = wf_add(g, gates[to], wf_sage(g, &l->relation[k], &A[k], NULL, h[from], h[to]));
    }
    for (int a = 0; a < l->cfg.types; a++) h[a] = wf_lstm_update(g, gates[a], NULL, NULL, &c[a]);
}

void wf_heterogclstm_cell_names(struct wf_renames *t, const char *theirs, const char *ours,
                                const struct wf_heterogclstm_cell *l)
{
    char a[WF_NAME_TEXT], b[WF_NAME_TEXT], part[WF_NAME_TEXT];
    for (int gate = 0; gate < 4; gate++) {
        int first = gate * l->cfg.hidden;
        for (int i = 0; i < 2 * l->cfg.types; i++) {
            bool bias = i % 2;
            snprintf(a, sizeof a, "%c_%c.%s", "Wb"[bias], "ifco"[gate], l -> cfg.type[i / 2]);
            snprintf(b, sizeof b, "input.%s.%s", l->cfg.type[i / 2], bias ? "bias" : "weight");
            wf_renames_add(t, theirs, ours,
                           (struct wf_rename){ .theirs = a, .ours = b, .first = first });
        }
        for (int k = 0; k < l->cfg.relations; k++) {
            char convs[] = "conv_i.convs";
            convs[5] = "ifco"[gate];
            wf_params_path(part, theirs, convs);
            relation_path(a, "<%s___%s___%s>", part, &l->cfg, k);
            wf_params_path(part, ours, "relation");
            relation_path(b, "%s.%s.%s", part, &l->cfg, k);
            wf_sage_names(t, a, b, &l->relation[k], first);
        }
    }
}
