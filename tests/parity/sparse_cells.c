/* sparse_cells.c - compares PyTorch Geometric Temporal's message-passing cells: LRGCN,
 * DyGrEncoder, EvolveGCN and HeteroGCLSTM. */
#include <stdio.h>
#include <string.h>
#include "models/dygrencoder.h"
#include "models/evolvegcn.h"
#include "models/heterogclstm.h"
#include "models/lrgcn.h"
#include "tests/parity/edges.h"
#include "tests/parity/parity.h"

enum { MAXT = 256 };

/* A case has parameters, their published names and the patterns of its relations. */
struct cell {
    struct wf_params ps;
    struct wf_renames names;
    struct wf_csr A[WF_HETERO_RELATIONS];
    struct wf_tensor *X; /* [T, N, C] */
    int T, N;
};

static enum wf_status sequence(struct run *r, const char *path, struct wf_tensor **X, int *T)
{
    *X = leaf(r, path);
    WF_TRY(tape_status(r));
    *T = (*X)->shape[0];
    if ((*X)->ndim != 3 || *T > MAXT)
        return wf_fail(&r->err, WF_EFORMAT, "%s is not [T, N, C] with T <= %d", path, MAXT);
    return WF_OK;
}

static enum wf_status with_cell(struct run *r, bool one_type,
                                enum wf_status (*body)(struct run *r, struct cell *c))
{
    struct cell c = { .names = { 0 } };
    wf_params_init(&c.ps, r->g.be);
    enum wf_status s = one_type ? sequence(r, "inputs/X", &c.X, &c.T) : WF_OK;
    if (!s && one_type) c.N = c.X->shape[1];
    if (!s) s = body(r, &c);
    for (int k = 0; k < WF_HETERO_RELATIONS; k++) wf_csr_free(&c.A[k]);
    wf_renames_free(&c.names);
    wf_params_free(&c.ps);
    return s;
}

/* ---- LRGCN ---- */

static enum wf_status lrgcn(struct run *r, struct cell *c)
{
    struct wf_tape *g = &r->g;
    struct wf_lrgcn_cell l;
    struct wf_tensor *y[MAXT];
    struct wf_lrgcn_sizes cfg = { c->X->shape[2], integer(r, "out_channels", 0),
                                  integer(r, "num_relations", 0), integer(r, "num_bases", 0) };
    wf_lrgcn_cell_init(&l, &c->ps, "cell", cfg);
    wf_lrgcn_cell_names(&c->names, "", "cell", &l);
    WF_TRY(load_named(r, &c->ps, &c->names));
    WF_TRY(read_relations(r, c->N, cfg.relations, &c->A[0]));
    struct wf_tensor *h = wf_zeros(g, 2, wf_dims(c->N, cfg.hidden)), *s = h;
    for (int t = 0; t < c->T; t++) {
        wf_lrgcn_cell(g, &l, &c->A[0], NULL, wf_select(g, c->X, 0, t), &h, &s);
        y[t] = h;
    }
    output(r, "outputs/H", wf_stack(g, y, c->T, 0));
    output(r, "outputs/C", s);
    return finish_named(r, &c->ps, &c->names);
}

enum wf_status run_lrgcn(struct run *r)
{
    return with_cell(r, true, lrgcn);
}

/* ---- DyGrEncoder ---- */

static enum wf_status dygrencoder(struct run *r, struct cell *c)
{
    struct wf_tape *g = &r->g;
    struct wf_dygrencoder_cell l;
    struct wf_graph_config raw = { .kind = WF_GCN, .raw = true };
    struct wf_tensor *y[MAXT];
    struct wf_dygrencoder_sizes cfg = { integer(r, "conv_out_channels", 0),
                                        integer(r, "conv_num_layers", 0),
                                        integer(r, "lstm_out_channels", 0),
                                        aggr_of(r, "conv_aggr") };
    wf_dygrencoder_cell_init(&l, &c->ps, "cell", cfg);
    wf_dygrencoder_cell_names(&c->names, "", "cell");
    WF_TRY(load_named(r, &c->ps, &c->names));
    WF_TRY(case_graph(r, "inputs/", c->N, &raw));
    struct wf_supports S = case_supports(r, "inputs/");
    struct wf_tensor *h = wf_zeros(g, 2, wf_dims(c->N, cfg.hidden)), *s = h;
    for (int t = 0; t < c->T; t++) {
        wf_dygrencoder_cell(g, &l, &S, wf_select(g, c->X, 0, t), &h, &s);
        y[t] = h;
    }
    output(r, "outputs/H_tilde", wf_stack(g, y, c->T, 0));
    output(r, "outputs/H", h);
    output(r, "outputs/C", s);
    return finish_named(r, &c->ps, &c->names);
}

enum wf_status run_dygrencoder(struct run *r)
{
    return with_cell(r, true, dygrencoder);
}

/* ---- EvolveGCN ---- */

static enum wf_status evolvegcn(struct run *r, struct cell *c, bool nodes)
{
    struct wf_tape *g = &r->g;
    struct wf_evolvegcn_cell l;
    struct wf_graph_config graph = { .kind = WF_GCN, .raw = !integer(r, "normalize", 1) };
    struct wf_tensor *y[MAXT], *w = NULL;
    wf_evolvegcn_cell_init(&l, &c->ps, "cell",
                           (struct wf_evolvegcn_sizes){ c->X->shape[2], nodes });
    wf_evolvegcn_cell_names(&c->names, "", "cell", &l);
    WF_TRY(load_named(r, &c->ps, &c->names));
    WF_TRY(case_graph(r, "inputs/", c->N, &graph));
    struct wf_supports S = case_supports(r, "inputs/");
    for (int t = 0; t < c->T; t++)
        y[t] = wf_evolvegcn_cell(g, &l, &S, wf_select(g, c->X, 0, t), &w);
    output(r, "outputs/out", wf_stack(g, y, c->T, 0));
    return finish_named(r, &c->ps, &c->names);
}

static enum wf_status evolvegcn_o(struct run *r, struct cell *c)
{
    return evolvegcn(r, c, false);
}

static enum wf_status evolvegcn_h(struct run *r, struct cell *c)
{
    return evolvegcn(r, c, true);
}

enum wf_status run_evolvegcno(struct run *r)
{
    return with_cell(r, true, evolvegcn_o);
}

enum wf_status run_evolvegcnh(struct run *r)
{
    return with_cell(r, true, evolvegcn_h);
}

/* ---- HeteroGCLSTM ---- */

/* Writes what follows a prefix in a group's array names into text, which outlives the run. */
static enum wf_status names_after(struct run *r, const char *group, const char *prefix,
                                  char text[][64], int most, int *count)
{
    char full[PATH_TEXT];
    struct wf_names list;
    WF_TRY(wf_h5_list(r->h5, in_case(r, full, group), &list, &r->err));
    *count = 0;
    for (ptrdiff_t i = 0; i < list.count; i++) {
        size_t n = strlen(prefix);
        if (strncmp(list.name[i], prefix, n) != 0 || *count == most) continue;
        snprintf(text[(*count)++], 64, "%.63s", list.name[i] + n);
    }
    wf_names_free(&list);
    return WF_OK;
}

static int type_of(const struct wf_heterogclstm_config *cfg, const char *name)
{
    for (int a = 0; a < cfg->types; a++)
        if (strcmp(cfg->type[a], name) == 0) return a;
    return -1;
}

/* Reads node types from the arrays X_TYPE, and relations from edge_index.SOURCE__NAME__TARGET,
 * whose text is cut into its three parts. */
struct hetero {
    struct wf_heterogclstm_config cfg;
    char type[WF_HETERO_TYPES][64], relation[WF_HETERO_RELATIONS][64];
    struct wf_tensor *X[WF_HETERO_TYPES]; /* [T, N_a, C_a] */
    int T;
};

static enum wf_status read_hetero(struct run *r, struct hetero *m, struct wf_csr *A)
{
    char path[PATH_TEXT];
    struct wf_heterogclstm_config *cfg = &m->cfg;
    WF_TRY(names_after(r, "inputs", "X_", m->type, WF_HETERO_TYPES, &cfg->types));
    for (int a = 0; a < cfg->types; a++) {
        snprintf(path, sizeof path, "inputs/X_%s", m->type[a]);
        WF_TRY(sequence(r, path, &m->X[a], &m->T));
        cfg->type[a] = m->type[a];
        cfg->channels[a] = m->X[a]->shape[2];
    }
    WF_TRY(
        names_after(r, "inputs", "edge_index.", m->relation, WF_HETERO_RELATIONS, &cfg->relations));
    for (int k = 0; k < cfg->relations; k++) {
        snprintf(path, sizeof path, "inputs/edge_index.%s", m->relation[k]);
        char *name = strstr(m->relation[k], "__"), *target = name ? strstr(name + 2, "__") : NULL;
        if (!target) return wf_fail(&r->err, WF_EFORMAT, "%s is no relation", path);
        *name = *target = 0;
        cfg->relation[k] = (struct wf_relation){ name + 2, type_of(cfg, m->relation[k]),
                                                 type_of(cfg, target + 2) };
        int from = cfg->relation[k].source, to = cfg->relation[k].target;
        if (from < 0 || to < 0) return wf_fail(&r->err, WF_EFORMAT, "%s: no such type", path);
        WF_TRY(read_pattern(r, path, m->X[to]->shape[1], m->X[from]->shape[1], &A[k]));
    }
    return WF_OK;
}

/* Computes H_TYPE of all steps and C_TYPE of the last. */
static void steps(struct run *r, const struct wf_heterogclstm_cell *l, const struct hetero *m,
                  const struct wf_csr *A)
{
    static char path[WF_HETERO_TYPES][2][96]; /* outputs keep them */
    struct wf_tape *g = &r->g;
    struct wf_tensor *x[WF_HETERO_TYPES], *h[WF_HETERO_TYPES], *c[WF_HETERO_TYPES];
    struct wf_tensor *y[WF_HETERO_TYPES][MAXT];
    for (int a = 0; a < m->cfg.types; a++)
        h[a] = c[a] = wf_zeros(g, 2, wf_dims(m->X[a]->shape[1], m->cfg.hidden));
    for (int t = 0; t < m->T; t++) {
        for (int a = 0; a < m->cfg.types; a++) x[a] = wf_select(g, m->X[a], 0, t);
        wf_heterogclstm_cell(g, l, A, x, h, c);
        for (int a = 0; a < m->cfg.types; a++) y[a][t] = h[a];
    }
    for (int a = 0; a < m->cfg.types; a++) {
        snprintf(path[a][0], 96, "outputs/H_%s", m->type[a]);
        snprintf(path[a][1], 96, "outputs/C_%s", m->type[a]);
        output(r, path[a][0], wf_stack(g, y[a], m->T, 0));
        output(r, path[a][1], c[a]);
    }
}

static enum wf_status heterogclstm(struct run *r, struct cell *c)
{
    struct hetero m = { .cfg = { .hidden = integer(r, "out_channels", 0) } };
    struct wf_heterogclstm_cell l;
    WF_TRY(read_hetero(r, &m, c->A));
    wf_heterogclstm_cell_init(&l, &c->ps, "cell", &m.cfg);
    wf_heterogclstm_cell_names(&c->names, "", "cell", &l);
    WF_TRY(load_named(r, &c->ps, &c->names));
    steps(r, &l, &m, c->A);
    return finish_named(r, &c->ps, &c->names);
}

enum wf_status run_heterogclstm(struct run *r)
{
    return with_cell(r, false, heterogclstm);
}
