/* gman_layers.h - what GMAN is made of: FC, attention over nodes or steps, and the embedding of
 * place and time. models/gman.h has the formulas and their source. Nothing here is freed. */
#ifndef WF_GMAN_LAYERS_H
#define WF_GMAN_LAYERS_H

#include "nn/conv.h"
#include "nn/norm.h"

#ifdef __cplusplus
extern "C" {
#endif

/* One layer of FC: BN(x W + b), x [.., in] -> [.., out]. sizes are in and out; momentum is the
 * share of a new batch in the running moments. Parameters name.weight [in, out], name.bias,
 * name.norm. */
struct wf_gman_fc {
    struct wf_conv map;
    struct wf_batch_norm norm;
};
void wf_gman_fc_init(struct wf_gman_fc *l, struct wf_params *ps, const char *name,
                     const int sizes[2], bool no_bias, double momentum);
struct wf_tensor *wf_gman_fc(struct wf_tape *g, const struct wf_gman_fc *l, struct wf_tensor *x);

/* Two layers of FC with relu between them; sizes are in, D and out. Parameters name.0, name.1. */
void wf_gman_pair_init(struct wf_gman_fc l[2], struct wf_params *ps, const char *name,
                       const int sizes[3], double momentum);
struct wf_tensor *wf_gman_pair(struct wf_tape *g, const struct wf_gman_fc l[2],
                               struct wf_tensor *x);

/* Attention over nodes or over steps. Parameters name.q, name.k, name.v [in, D] and name.out [D,
 * D], each one layer of FC. */
struct wf_gman_attention_config {
    int in, channels, heads; /* channels: D */
    bool steps;              /* steps attend to steps; otherwise nodes attend to nodes */
    bool causal;             /* no step attends to a later one */
    double scale;            /* factor of the scores; 0: 1 / sqrt(D / heads) */
    double momentum;
};
struct wf_gman_attention {
    struct wf_gman_attention_config cfg;
    struct wf_gman_fc q, k, v, out;
};
void wf_gman_attention_init(struct wf_gman_attention *l, struct wf_params *ps, const char *name,
                            struct wf_gman_attention_config cfg);
/* q [B, P, N, in], k and v [B, T, N, in] -> [B, P, N, D]. Over nodes, P must be T. */
struct wf_tensor *wf_gman_attention(struct wf_tape *g, const struct wf_gman_attention *l,
                                    struct wf_tensor *q, struct wf_tensor *k, struct wf_tensor *v);

/* The embedding STE. Parameters name.place and name.moment, each two layers of FC: the first layers
 * are [D, D] and [7 + steps_per_day, D] (without the 7 rows where the day of the week is not
 * known), the second ones [D, D]. */
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
/* STE [B, P, N, D] from the embedding of the places [N, D], the time of day `time` [B, P] in days,
 * which may run on into the next days, and the weekday `day` [B, P] in weeks on which that time
 * began (not read without cfg.days). */
struct wf_tensor *wf_gman_embed(struct wf_tape *g, const struct wf_gman_embedding *l,
                                struct wf_tensor *places, struct wf_tensor *time,
                                struct wf_tensor *day);

#ifdef __cplusplus
}
#endif
#endif
