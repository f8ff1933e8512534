#include "models/dcrnn_names.h"
#include <limits.h>
#include <stdio.h>
#include "data/formats/npy.h"

/* The published code names a weight by its shape alone: gconv_weight_(rows, columns). */
static void add_dconv(struct wf_renames *t, const char *theirs, const char *ours,
                      const struct wf_dconv *l, int terms)
{
    char name[WF_NAME_TEXT];
    int out = l->weight->shape[1];
    snprintf(name, sizeof name, "gconv_weight_(%d, %d)", l->weight->shape[0], out);
    wf_renames_add(t, theirs, ours,
                   (struct wf_rename){ .theirs = name, .ours = "weight", .terms = terms });
    snprintf(name, sizeof name, "gconv_biases_%d", out);
    wf_renames_add(t, theirs, ours, (struct wf_rename){ .theirs = name, .ours = "bias" });
}

static void add_stack(struct wf_renames *t, const char *stack, const struct wf_dcgru *cell,
                      int layers, int terms)
{
    for (int l = 0; l < layers; l++) {
        char theirs[WF_NAME_TEXT], ours[WF_NAME_TEXT];
        snprintf(theirs, sizeof theirs, "%s_model.dcgru_layers.%d", stack, l);
        snprintf(ours, sizeof ours, "%s.%d.gates", stack, l);
        add_dconv(t, theirs, ours, &cell[l].gates, terms);
        snprintf(ours, sizeof ours, "%s.%d.cand", stack, l);
        add_dconv(t, theirs, ours, &cell[l].cand, terms);
    }
}

void wf_dcrnn_names(const struct wf_dcrnn *m, struct wf_renames *t)
{
    add_stack(t, "encoder", m->encoder, m->cfg.layers, m->task.terms);
    add_stack(t, "decoder", m->decoder, m->cfg.layers, m->task.terms);
    wf_linear_names(t, "decoder_model.projection_layer", "head");
}

/* How many layers the encoder has, and how many rows the weight of its first layer. */
static void encoder_shape(const struct wf_names *names, int *layers, int *rows)
{
    *layers = *rows = 0;
    for (ptrdiff_t i = 0; i < names->count; i++) {
        int l, r;
        if (sscanf(names->name[i], "encoder_model.dcgru_layers.%3d.gconv_weight_(%8d,", &l, &r) !=
            2)
            continue;
        if (l >= *layers) *layers = l + 1;
        if (l == 0) *rows = r;
    }
}

/* A weight has one row for each term of each input channel and of each unit. */
enum wf_status wf_dcrnn_sizes(const char *path, struct wf_dcrnn_config *cfg, struct wf_task *task,
                              struct wf_error *err)
{
    struct wf_npz *z;
    struct wf_names names = { 0 };
    struct wf_array head = { 0 };
    int rows = 0;
    WF_TRY(wf_npz_open(&z, path, err));
    enum wf_status s = wf_npz_list(z, &names, err);
    if (s == WF_OK) s = wf_npz_read(z, "decoder_model.projection_layer.weight", WF_F32, &head, err);
    if (s == WF_OK && (head.ndim != 2 || head.count < 1 || head.count > INT_MAX / 2))
        s = wf_fail(err, WF_EFORMAT, "%s: the projection layer is no matrix", path);
    if (s == WF_OK) {
        encoder_shape(&names, &cfg->layers, &rows);
        task->targets = (int)head.dim[0];
        cfg->hidden = (int)head.dim[1];
        int width = task->channels + cfg->hidden;
        task->terms = rows / width;
        if (rows < width || rows % width)
            s = wf_fail(err, WF_EINVAL,
                        "%s: the first layer has %d rows, want a multiple of %d: %d channels and "
                        "%d units",
                        path, rows, width, task->channels, cfg->hidden);
    }
    wf_array_free(&head);
    wf_names_free(&names);
    wf_npz_close(z);
    return s;
}
