#include "nn/embedding.h"

void wf_embedding_init(struct wf_embedding *l, struct wf_params *ps, const char *name, int n, int d)
{
    char path[WF_NAME_TEXT];
    l->weight = wf_params_add(ps, wf_params_path(path, name, "weight"), 2, wf_dims(n, d),
                              (struct wf_init){ .kind = WF_INIT_NORMAL, .gain = 1 });
}

struct wf_tensor *wf_embedding(struct wf_tape *g, const struct wf_embedding *l, struct wf_tensor *x)
{
    return wf_lookup(g, l->weight, x, 1);
}
