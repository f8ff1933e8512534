#include "models/gconvgru.h"
#include <stdio.h>

void wf_gconvgru_cell_init(struct wf_gconvgru_cell *l, struct wf_params *ps, const char *name,
                           int in, int hidden, int terms)
{
    char path[WF_NAME_TEXT];
    wf_cheb_pair_init(&l->gates, ps, wf_params_path(path, name, "gates"), in, hidden, 2 * hidden,
                      terms);
    wf_cheb_pair_init(&l->cand, ps, wf_params_path(path, name, "cand"), in, hidden, hidden, terms);
}

struct wf_tensor *wf_gconvgru_step(struct wf_tape *g, const struct wf_gconvgru_cell *l,
                                   const struct wf_supports *S, struct wf_tensor *x,
                                   struct wf_tensor *h)
{
    int H = l->gates.hidden;
    struct wf_tensor *rz = wf_cheb_pair(g, &l->gates, S, x, h, WF_ACT_SIGMOID); /* [B, N, 2H] */
    struct wf_tensor *r = wf_slice(g, rz, -1, 0, H), *z = wf_slice(g, rz, -1, H, 2 * H);
    struct wf_tensor *c = wf_cheb_pair(g, &l->cand, S, x, wf_mul(g, r, h), WF_ACT_TANH);
    return wf_lerp(g, c, h, z);
}

void wf_gconvgru_cell_names(const struct wf_gconvgru_cell *l, struct wf_renames *t,
                            const char *theirs, const char *ours)
{
    static const char gate[] = "rzh";
    char x[WF_NAME_TEXT], h[WF_NAME_TEXT], mine[WF_NAME_TEXT], name[WF_NAME_TEXT];
    for (int k = 0; k < 3; k++) {
        snprintf(name, sizeof name, "conv_x_%c", gate[k]);
        wf_params_path(x, theirs, name);
        snprintf(name, sizeof name, "conv_h_%c", gate[k]);
        wf_params_path(h, theirs, name);
        wf_params_path(mine, ours, k < 2 ? "gates" : "cand");
        wf_cheb_pair_names(t, k < 2 ? &l->gates : &l->cand, x, h, mine, k % 2 * l->gates.hidden);
    }
}
