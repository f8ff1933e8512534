/* optim.h - optimizers over the parameter block, gradient clipping, learning-rate schedules.
 *
 * Semantics are PyTorch's: weight decay is L2 (added to the gradient), clipping is by the 2-norm of
 * the whole gradient. The moments of an optimizer are blocks as those of the parameters, and are
 * saved with them (nn/checkpoint.h). Free with wf_optim_free(). */
#ifndef WF_OPTIM_H
#define WF_OPTIM_H

#include "nn/params.h"

#ifdef __cplusplus
extern "C" {
#endif

enum wf_optim_kind { WF_ADAM, WF_SGD };

struct wf_optim_config {
    enum wf_optim_kind kind;
    double lr, beta1, beta2, eps, weight_decay, momentum;
    double clip;  /* largest 2-norm of the gradient; 0: no clipping */
    bool amsgrad; /* divide by the largest second moment so far (Adam only) */
};
/* Adam with lr 1e-3, betas 0.9 and 0.999 and eps 1e-8; everything else is 0, that is, off. */
struct wf_optim_config wf_optim_defaults(void);

struct wf_optim {
    struct wf_optim_config cfg;
    struct wf_params *ps;
    struct wf_tensor m, v, vmax; /* [P] moments; data is NULL where the kind needs no such block */
    struct wf_tensor norm; /* [1] gradient norm of the last step, before clipping; with clip > 0 */
};

/* ps must be committed and outlive o. WF_EINVAL names a number that is out of range. eps must be
 * greater than 0 as a wf_real: otherwise parameters without a gradient, and the padding between
 * parameters, would become 0/0. Momentum is refused with Adam, amsgrad with SGD. */
enum wf_status wf_optim_init(struct wf_optim *o, struct wf_params *ps, struct wf_optim_config cfg,
                             struct wf_error *err);
void wf_optim_free(struct wf_optim *o);

/* One update from ps->grad with the learning rate and step number in *step (backend memory);
 * cfg.lr is only the base rate of a schedule. */
enum wf_status wf_optim_step(struct wf_optim *o, const struct wf_step *step);

enum wf_schedule_kind { WF_LR_CONSTANT, WF_LR_MULTISTEP, WF_LR_COSINE };
enum { WF_MAXMILESTONE = 16 };
struct wf_schedule {
    enum wf_schedule_kind kind;
    int milestones, milestone[WF_MAXMILESTONE]; /* MULTISTEP: lr * gamma^(milestones <= t) */
    double gamma;
    int period;    /* COSINE: lr falls to lr_min over t = 0..period and stays there */
    double lr_min; /* COSINE: the last learning rate */
};
/* The learning rate at time t, for a base rate lr; t counts epochs or steps, as the caller
 * likes. */
double wf_schedule_lr(const struct wf_schedule *s, double lr, int t);

#ifdef __cplusplus
}
#endif
#endif
