/* traj.c - holds what the two training trajectories share, and chooses between them. */
#include "tests/parity/traj.h"
#include <stdio.h>
#include <string.h>

enum wf_status run_train_traj(struct run *r)
{
    if (strncmp(r->name, "batcheddcrnn", strlen("batcheddcrnn")) == 0) return run_traj_pgt(r);
    if (strncmp(r->name, "chnsh_dcrnn", strlen("chnsh_dcrnn")) == 0) return run_traj_chnsh(r);
    r->covered = false;
    return WF_OK;
}

/* Reference and library use the same formula for the mask, but only the reference applies it in
 * plain double, so the caller gives the target in the data's units. */
struct wf_tensor *traj_loss(struct wf_tape *g, struct wf_tensor *out, struct wf_tensor *mean,
                            struct wf_tensor *std, struct wf_tensor *target)
{
    struct wf_tensor *p = wf_add(g, wf_mul(g, out, std), mean);
    return wf_loss(g, p, target, WF_MAE, WF_MASK_ZERO_PGT);
}

enum wf_status traj_update(struct run *r, struct wf_optim *o, int step, struct wf_tensor *loss,
                           double *value)
{
    wf_real v;
    WF_TRY(tape_status(r));
    WF_TRY(wf_tensor_download(loss, &v));
    *value = (double)v;
    if (wf_params_zero_grad(o->ps)) return wf_fail(&r->err, WF_EDEVICE, "no gradients");
    wf_tape_backward(&r->g, loss);
    wf_tape_set_step(&r->g, &(struct wf_step){ .step = (uint64_t)step, .lr = o->cfg.lr });
    WF_TRY(tape_status(r));
    if (wf_optim_step(o, r->g.step)) return wf_fail(&r->err, WF_EDEVICE, "the update failed");
    return WF_OK;
}

enum wf_status traj_losses(struct run *r, const char *path, const double *got, int n)
{
    struct wf_array want;
    WF_TRY(read_case(r, path, WF_F64, &want));
    enum wf_status s = WF_OK;
    if (want.count != n)
        s = wf_fail(&r->err, WF_EFORMAT, "%s has %td entries, there were %d steps", path,
                    want.count, n);
    for (int i = 0; i < n && !s; i++) {
        char where[64];
        snprintf(where, sizeof where, "%s[%d]", path, i);
        s = compare_number(r, where, got[i], want.f64[i]);
    }
    wf_array_free(&want);
    return s;
}
