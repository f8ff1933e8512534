#include "models/lrgcn.h"
#include "nn/rnn.h"

void wf_lrgcn_cell_init(struct wf_lrgcn_cell *l, struct wf_params *ps, const char *name,
                        struct wf_lrgcn_config cfg)
{
    char path[WF_NAME_TEXT];
    struct wf_rgcn_config gates = { cfg.in, 4 * cfg.hidden, cfg.relations, cfg.bases, 4 };
    wf_rgcn_init(&l->x, ps, wf_params_path(path, name, "x"), gates);
    gates.in = cfg.hidden;
    wf_rgcn_init(&l->h, ps, wf_params_path(path, name, "h"), gates);
}

/* [i f g o] = X(x) + H(h),  c' = s(f) c + s(i) tanh(g),  h' = s(o) tanh(c') */
void wf_lrgcn_cell(struct wf_tape *g, const struct wf_lrgcn_cell *l, const struct wf_csr *A,
                   struct wf_tensor *weight, struct wf_tensor *x, struct wf_tensor **h,
                   struct wf_tensor **c)
{
    struct wf_tensor *a = wf_rgcn(g, &l->x, A, weight, x), *b = wf_rgcn(g, &l->h, A, weight, *h);
    wf_lstm_gates(g, wf_add(g, a, b), h, c); /* [.., N, 4 hidden] */
}

void wf_lrgcn_cell_names(struct wf_renames *t, const char *theirs, const char *ours,
                         const struct wf_lrgcn_cell *l)
{
    const struct wf_rgcn *conv[] = { &l->x, &l->h };
    for (int k = 0; k < 2; k++)
        for (int gate = 0; gate < 4; gate++) {
            char name[] = "conv_x_i", a[WF_NAME_TEXT], b[WF_NAME_TEXT];
            name[5] = "xh"[k];
            name[7] = "ifco"[gate];
            wf_params_path(a, theirs, name);
            wf_params_path(b, ours, k ? "h" : "x");
            wf_rgcn_names(t, a, b, conv[k], gate);
        }
}
