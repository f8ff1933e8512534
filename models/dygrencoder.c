#include "models/dygrencoder.h"

void wf_dygrencoder_cell_init(struct wf_dygrencoder_cell *l, struct wf_params *ps, const char *name,
                              struct wf_dygrencoder_config cfg)
{
    char path[WF_NAME_TEXT];
    wf_gated_graph_init(&l->conv, ps, wf_params_path(path, name, "conv"), cfg.layers, cfg.channels,
                        cfg.aggr);
    wf_lstm_init(&l->lstm, ps, wf_params_path(path, name, "lstm"), cfg.channels, cfg.hidden);
}

/* y = gated graph convolution of x;  h', c' = LSTM(y, h, c), node by node */
void wf_dygrencoder_cell(struct wf_tape *g, const struct wf_dygrencoder_cell *l,
                         const struct wf_supports *S, struct wf_tensor *x, struct wf_tensor **h,
                         struct wf_tensor **c)
{
    if (S->count != 1) {
        wf_tape_fail(g, WF_EINVAL, "dygrencoder: the graph has %d supports, want 1", S->count);
        return;
    }
    struct wf_tensor *y = wf_gated_graph(g, &l->conv, S->pattern[0], S->value[0], x);
    wf_lstm(g, &l->lstm, y, h, c); /* y [.., N, channels] */
}

void wf_dygrencoder_cell_names(struct wf_renames *t, const char *theirs, const char *ours)
{
    char a[WF_NAME_TEXT], b[WF_NAME_TEXT];
    wf_gated_graph_names(t, wf_params_path(a, theirs, "conv_layer"),
                         wf_params_path(b, ours, "conv"));
    wf_lstm_names(t, wf_params_path(a, theirs, "recurrent_layer"), wf_params_path(b, ours, "lstm"),
                  "_l0");
}
