/* traj_chnsh.c - compares two epochs of chnsh's DCRNN, batch after batch, with clipping. */
#include <stdio.h>
#include "models/dcrnn_names.h"
#include "tensor/alloc.h"
#include "tests/parity/traj.h"

struct traj {
    struct run *r;
    struct wf_dcrnn m;
    struct wf_params ps;
    struct wf_optim o;
    struct wf_array X, Y; /* [samples, T or Q, N, C] as double */
    double mean, std;     /* of feature 0 */
    int steps, B;         /* steps done so far, batch size */
    double *losses, *norms;
};

/* Compares a published set of parameters with our parameters, or with our gradients. */
static enum wf_status compare_set(struct traj *t, const char *group, bool grad)
{
    struct run *r = t->r;
    struct wf_params want;
    struct wf_dcrnn same;
    char full[PATH_TEXT];
    wf_params_init(&want, r->g.be);
    wf_dcrnn_init(&same, &want, t->m.cfg, &t->m.task);
    enum wf_status s = wf_params_commit(&want, 0, &r->err);
    if (!s)
        s = wf_model_load(&wf_dcrnn_type, &same, &want, r->file, in_case(r, full, group), &r->err);
    if (!s) s = compare_params(r, group, &t->ps, grad, &want);
    wf_params_free(&want);
    return s;
}

/* Makes a batch of samples first .. first + n - 1: x has all features, and the targets (feature 0)
 * are in the data's units: multiplied, rounded, then added, so that zeros come back as zeros. */
static struct wf_tensor *batch(struct traj *t, struct wf_batch *b, int first, int n)
{
    struct wf_tape *g = &t->r->g;
    const struct wf_task *k = &t->m.task;
    int N = k->nodes, C = k->channels, CY = (int)t->Y.dim[3];
    ptrdiff_t nx = (ptrdiff_t)n * k->T * N * C, ny = (ptrdiff_t)n * k->Q * N;
    wf_real *host = wf_malloc((size_t)(nx > ny ? nx : ny) * sizeof *host);
    if (!host) return wf_tape_fail(g, WF_ENOMEM, "no memory for a batch");
    for (ptrdiff_t i = 0; i < nx; i++)
        host[i] = (wf_real)t->X.f64[(ptrdiff_t)first * k->T * N * C + i];
    *b = (struct wf_batch){ .B = n, .T = k->T, .Q = k->Q, .N = N, .C = C };
    b->x = *wf_input(g, host, 4, wf_dims(n, k->T, N, C));
    for (ptrdiff_t i = 0; i < ny; i++) {
        double y = t->Y.f64[((ptrdiff_t)first * k->Q * N + i) * CY] * t->std;
        host[i] = (wf_real)(y + t->mean);
    }
    struct wf_tensor *y = wf_input(g, host, 4, wf_dims(n, k->Q, N, 1));
    wf_free(host);
    return y;
}

static enum wf_status one_step(struct traj *t, int first, int n)
{
    struct run *r = t->r;
    struct wf_tape *g = &r->g;
    struct wf_batch b;
    wf_real norm;
    wf_tape_reset(g);
    if (t->steps == MAXSTEP) return wf_fail(&r->err, WF_EFORMAT, "more than %d steps", MAXSTEP);
    struct wf_tensor *y = batch(t, &b, first, n);
    struct wf_supports S = chnsh_supports(r, "adj_mx");
    b.supports = &S;
    WF_TRY(tape_status(r));
    struct wf_tensor *out = wf_dcrnn_forward(g, &t->m, &b); /* [B, Q, N, 1] */
    if (t->steps == 0) {
        struct wf_tensor *p = wf_contiguous(g, wf_permute(g, wf_select(g, out, 3, 0), 1, 0, 2));
        WF_TRY(tape_status(r));
        WF_TRY(compare_tensor(r, "out_step1", p));
    }
    struct wf_tensor *loss =
        traj_loss(g, out, wf_full(g, t->mean, 1, wf_dims(1)), wf_full(g, t->std, 1, wf_dims(1)), y);
    WF_TRY(traj_update(r, &t->o, t->steps, loss, &t->losses[t->steps]));
    WF_TRY(wf_tensor_download(&t->o.norm, &norm));
    t->norms[t->steps] = (double)norm;
    return t->steps++ == 0 ? compare_set(t, "grad_step1", true) : WF_OK;
}

static enum wf_status train(struct traj *t)
{
    struct run *r = t->r;
    int samples = (int)t->X.dim[0];
    for (int epoch = 0; epoch < 2; epoch++)
        for (int at = 0; at < samples; at += t->B)
            WF_TRY(one_step(t, at, samples - at < t->B ? samples - at : t->B));
    WF_TRY(compare_set(t, "param_end", false));
    WF_TRY(traj_losses(r, "losses", t->losses, t->steps));
    return traj_losses(r, "grad_norms", t->norms, t->steps);
}

static enum wf_status prepare(struct traj *t)
{
    struct run *r = t->r;
    char full[PATH_TEXT];
    struct wf_task task = { .nodes = integer(r, "num_nodes", 0),
                            .channels = integer(r, "input_dim", 0),
                            .targets = integer(r, "output_dim", 0),
                            .T = integer(r, "seq_len", 0),
                            .Q = integer(r, "horizon", 0),
                            .terms = r->graph.supports.terms };
    struct wf_dcrnn_config cfg = { integer(r, "rnn_units", 0), integer(r, "num_rnn_layers", 0),
                                   false };
    struct wf_optim_config oc = wf_optim_defaults();
    oc.lr = number(r, "lr", oc.lr);
    oc.eps = number(r, "eps", oc.eps);
    oc.clip = number(r, "max_grad_norm", 0);
    wf_dcrnn_init(&t->m, &t->ps, cfg, &task);
    WF_TRY(wf_params_commit(&t->ps, 0, &r->err));
    WF_TRY(
        wf_model_load(&wf_dcrnn_type, &t->m, &t->ps, r->file, in_case(r, full, "param0"), &r->err));
    WF_TRY(wf_optim_init(&t->o, &t->ps, oc, &r->err));
    t->mean = number(r, "mean", 0);
    t->std = number(r, "std", 1);
    t->B = integer(r, "batch_size", 1);
    WF_TRY(read_case(r, "X", WF_F64, &t->X));
    WF_TRY(read_case(r, "Y", WF_F64, &t->Y));
    if (t->B < 1 || t->X.ndim != 4 || t->Y.ndim != 4 || t->X.dim[1] != task.T ||
        t->X.dim[2] != task.nodes || t->X.dim[3] != task.channels || t->Y.dim[1] != task.Q)
        return wf_fail(&r->err, WF_EFORMAT, "X and Y do not have the sizes of the attributes");
    return WF_OK;
}

enum wf_status run_traj_chnsh(struct run *r)
{
    struct traj t = { .r = r };
    WF_TRY(chnsh_graph(r, "adj_mx"));
    wf_params_init(&t.ps, r->g.be);
    t.losses = wf_malloc(MAXSTEP * sizeof *t.losses);
    t.norms = wf_malloc(MAXSTEP * sizeof *t.norms);
    enum wf_status s = t.losses && t.norms ? prepare(&t) : WF_ENOMEM;
    if (!s) s = train(&t);
    wf_free(t.losses);
    wf_free(t.norms);
    wf_array_free(&t.X);
    wf_array_free(&t.Y);
    wf_optim_free(&t.o);
    wf_params_free(&t.ps);
    return s;
}
