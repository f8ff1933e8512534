/* traj.h - compares training trajectories: their losses and their updates. */
#ifndef WF_PARITY_TRAJ_H
#define WF_PARITY_TRAJ_H

#include "nn/optim.h"
#include "tests/parity/parity.h"

enum { MAXSTEP = 4096 };

/* Returns the masked MAE of out * std + mean with target, which is in the data's units. */
struct wf_tensor *traj_loss(struct wf_tape *g, struct wf_tensor *out, struct wf_tensor *mean,
                            struct wf_tensor *std, struct wf_tensor *target);
/* Computes gradients and makes one update; *value gets the loss. */
enum wf_status traj_update(struct run *r, struct wf_optim *o, int step, struct wf_tensor *loss,
                           double *value);
enum wf_status traj_losses(struct run *r, const char *path, const double *got, int n);

#endif
