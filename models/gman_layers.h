/* gman_layers.h - what GMAN is made of: FC, attention over nodes or steps, and the embedding of
 * place and time. Formulas and source are in models/gman.h. */
#ifndef WF_GMAN_LAYERS_H
#define WF_GMAN_LAYERS_H

#include "nn/conv.h"
#include "nn/norm.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A layer of FC: BN(x W + b), x [.., in] -> [.., out]. Parameters name.weight [in, out], name.bias,
 * name.norm. sizes: in, out. momentum: of the running moments. */
struct wf_gman_fc {
    struct wf_conv map;
    struct wf_batch_norm norm;
};
void wf_gman_fc_init(struct wf_gman_fc *l, struct wf_params *ps, const char *name,
                     const int sizes[2], bool no_bias, double momentum);
struct wf_tensor *wf_gman_fc(struct wf_tape *g, const struct wf_gman_fc *l, struct wf_tensor *x);

/* Two of them, with relu between; name.0, name.1. sizes: in, D, out. */
void wf_gman_pair_init(struct wf_gman_fc l[2], struct wf_params *ps, const char *name,
                       const int sizes[3], double momentum);
struct wf_tensor *wf_gman_pair(struct wf_tape *g, const struct wf_gman_fc l[2],
                               struct wf_tensor *x);

/* Parameters name.q, name.k, name.v [in, D] and name.out [D, D], each of FC. */
struct wf_gman_attention_config {
    int in, channels, heads; /* channels: D */
    bool steps, causal;      /* over steps, not nodes; no step attends to a later one */
    double scale;            /* of the scores; 0: 1 / sqrt(D / heads) */
    double momentum;
};
struct wf_gman_attention {
    struct wf_gman_attention_config cfg;
    struct wf_gman_fc q, k, v, out;
};
void wf_gman_attention_init(struct wf_gman_attention *l, struct wf_params *ps, const char *name,
                            struct wf_gman_attention_config cfg);
/* q [B, P, N, in], k and v [B, T, N, in] -> [B, P, N, D]; over nodes P = T. */
struct wf_tensor *wf_gman_attention(struct wf_tape *g, const struct wf_gman_attention *l,
                                    struct wf_tensor *q, struct wf_tensor *k, struct wf_tensor *v);

/* STE. Parameters name.place and name.moment [D, D] and [7 + steps_per_day, D], without the 7 rows
 * where the day of the week is not known, each with a second layer [D, D]. */
struct wf_gman_embedding_config {
    int channels, steps_per_day; /* channels: D */
    bool days;                   /* the day of the week is known */
    double momentum;
};
struct wf_gman_embedding {
    struct wf_gman_embedding_config cfg;
    struct wf_gman_fc place[2], moment[2];
};
void wf_gman_embedding_init(struct wf_gman_embedding *l, struct wf_params *ps, const char *name,
                            struct wf_gman_embedding_config cfg);
/* STE [B, P, N, D] of places [N, D], the time of day [B, P] in days, which may run on into the next
 * ones, and the day of the week when it began, [B, P] in weeks (not read without days). */
struct wf_tensor *wf_gman_embed(struct wf_tape *g, const struct wf_gman_embedding *l,
                                struct wf_tensor *places, struct wf_tensor *time,
                                struct wf_tensor *day);

#ifdef __cplusplus
}
#endif
#endif
