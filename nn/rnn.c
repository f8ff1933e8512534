#include "nn/rnn.h"
#include <stdio.h>

void wf_lstm_init(struct wf_lstm *l, struct wf_params *ps, const char *name, int in, int hidden)
{
    char path[WF_NAME_TEXT];
    l->hidden = hidden;
    wf_linear_init(&l->input, ps, wf_params_path(path, name, "input"), in, 4 * hidden);
    wf_linear_init(&l->state, ps, wf_params_path(path, name, "state"), hidden, 4 * hidden);
}

void wf_lstm_step(struct wf_tape *g, const struct wf_lstm *l, struct wf_tensor *a,
                  struct wf_tensor **h, struct wf_tensor **c)
{
    *h = wf_lstm_update(g, a, wf_linear(g, &l->state, *h), NULL, c);
}

void wf_lstm(struct wf_tape *g, const struct wf_lstm *l, struct wf_tensor *x, struct wf_tensor **h,
             struct wf_tensor **c)
{
    wf_lstm_step(g, l, wf_linear(g, &l->input, x), h, c);
}

/* ---- over time ---- */

/* The number of layers if it fits; otherwise 0, and ps has the error. */
static int layer_count(struct wf_params *ps, const char *name, int layers)
{
    if (layers >= 1 && layers <= WF_MAXLAYERS) return layers;
    wf_params_refuse(ps, "'%s' has %d layers, expected 1 to %d", name, layers, WF_MAXLAYERS);
    return 0;
}

/* "name.k" */
static const char *layer_path(char text[WF_NAME_TEXT], const char *name, int k)
{
    char number[16];
    snprintf(number, sizeof number, "%d", k);
    return wf_params_path(text, name, number);
}

/* Checks x [B, T, .., C], and fills the initial states that the caller left NULL with zeros. */
static bool begin(struct wf_tape *g, const struct wf_tensor *x, struct wf_tensor **h, int layers,
                  int hidden)
{
    char text[WF_SHAPE_TEXT];
    int shape[WF_MAXDIM];
    if (g->error.status != WF_OK) return false;
    if (x->ndim < 3) {
        wf_tape_fail(g, WF_EINVAL, "recurrent layers: x is %s, want [B, T, .., C]",
                     wf_tensor_shape_text(x, text));
        return false;
    }
    for (int i = 0, n = 0; i < x->ndim; i++)
        if (i != 1) shape[n++] = x->shape[i];
    shape[x->ndim - 2] = hidden;
    for (int k = 0; k < layers; k++)
        if (!h[k]) h[k] = wf_zeros(g, x->ndim - 1, shape);
    return g->error.status == WF_OK;
}

/* The states of all steps of a layer are listed before they become one tensor [B, T, .., H]. */
enum { MAXSTEPS = 4096 };
static bool fits_steps(struct wf_tape *g, int T)
{
    if (T <= MAXSTEPS) return true;
    wf_tape_fail(g, WF_EINVAL, "recurrent layers: %d steps, want at most %d", T, MAXSTEPS);
    return false;
}

void wf_gru_stack_init(struct wf_gru_stack *l, struct wf_params *ps, const char *name, int in,
                       int hidden, int layers)
{
    char path[WF_NAME_TEXT];
    l->layers = layer_count(ps, name, layers);
    for (int k = 0; k < l->layers; k++)
        wf_gru_init(&l->cell[k], ps, layer_path(path, name, k), k ? hidden : in, hidden);
}

struct wf_tensor *wf_gru_stack(struct wf_tape *g, const struct wf_gru_stack *l, struct wf_tensor *x,
                               struct wf_tensor **h)
{
    struct wf_tensor *state[MAXSTEPS];
    if (!begin(g, x, h, l->layers, l->cell[0].hidden) || !fits_steps(g, x->shape[1]))
        return &g->poison;
    int T = x->shape[1];
    for (int k = 0; k < l->layers; k++) {
        struct wf_tensor *a = wf_linear(g, &l->cell[k].input, x); /* [B, T, .., 3H] */
        for (int t = 0; t < T; t++)
            state[t] = h[k] = wf_gru_step(g, &l->cell[k], wf_select(g, a, 1, t), h[k]);
        x = wf_stack(g, state, T, 1);
    }
    return x;
}

void wf_lstm_stack_init(struct wf_lstm_stack *l, struct wf_params *ps, const char *name, int in,
                        int hidden, int layers)
{
    char path[WF_NAME_TEXT];
    l->layers = layer_count(ps, name, layers);
    for (int k = 0; k < l->layers; k++)
        wf_lstm_init(&l->cell[k], ps, layer_path(path, name, k), k ? hidden : in, hidden);
}

struct wf_tensor *wf_lstm_stack(struct wf_tape *g, const struct wf_lstm_stack *l,
                                struct wf_tensor *x, struct wf_tensor **h, struct wf_tensor **c)
{
    struct wf_tensor *state[MAXSTEPS];
    if (!begin(g, x, h, l->layers, l->cell[0].hidden) ||
        !begin(g, x, c, l->layers, l->cell[0].hidden) || !fits_steps(g, x->shape[1]))
        return &g->poison;
    int T = x->shape[1];
    for (int k = 0; k < l->layers; k++) {
        struct wf_tensor *a = wf_linear(g, &l->cell[k].input, x); /* [B, T, .., 4H] */
        for (int t = 0; t < T; t++) {
            wf_lstm_step(g, &l->cell[k], wf_select(g, a, 1, t), &h[k], &c[k]);
            state[t] = h[k];
        }
        x = wf_stack(g, state, T, 1);
    }
    return x;
}

/* ---- names ---- */

/* state: our name of the layer that reads the state. */
static void cell_names(struct wf_renames *t, const char *theirs, const char *ours,
                       const char *after, const char *state)
{
    static const char *const from[] = { "weight_ih", "bias_ih", "weight_hh", "bias_hh" };
    for (int i = 0; i < 4; i++) {
        char their_name[WF_NAME_TEXT], our_name[WF_NAME_TEXT];
        snprintf(their_name, sizeof their_name, "%s%s", from[i], after);
        snprintf(our_name, sizeof our_name, "%s.%s", i < 2 ? "input" : state,
                 i % 2 ? "bias" : "weight");
        wf_renames_add(t, theirs, ours,
                       (struct wf_rename){
                           .theirs = their_name, .ours = our_name, .axes = i % 2 ? NULL : "10" });
    }
}

void wf_gru_names(struct wf_renames *t, const char *theirs, const char *ours, const char *after)
{
    cell_names(t, theirs, ours, after, "hidden");
}

void wf_lstm_names(struct wf_renames *t, const char *theirs, const char *ours, const char *after)
{
    cell_names(t, theirs, ours, after, "state");
}
