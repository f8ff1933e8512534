/* chnsh.c - compares the cell and the whole DCRNN model of chnsh/DCRNN_PyTorch. */
#include <stdio.h>
#include "models/dcrnn_names.h"
#include "tensor/alloc.h"
#include "tests/parity/parity.h"

enum wf_status chnsh_graph(struct run *r, const char *path)
{
    struct wf_array a;
    WF_TRY(read_case(r, path, WF_F32, &a));
    struct wf_graph_config cfg = { .hops = integer(r, "max_diffusion_step", 0),
                                   .compat = WF_COMPAT_DCRNN_REVERSED };
    if (text_is(r, "filter_type", "random_walk")) cfg.kind = WF_RANDOM_WALK;
    enum wf_status s = WF_OK;
    if (a.ndim != 2 || a.dim[0] != a.dim[1])
        s = wf_fail(&r->err, WF_EFORMAT, "%s is not [N, N]", path);
    else
        s = wf_graph_from_dense(&r->graph, r->g.be, (int)a.dim[0], a.f32, &cfg, &r->err);
    wf_array_free(&a);
    return s;
}

/* A graph keeps float weights; the double build needs those of the file. */
struct wf_supports chnsh_supports(struct run *r, const char *path)
{
    struct wf_tensor *A = leaf(r, path);
    if (r->g.error.status) return r->graph.supports;
    ptrdiff_t n = wf_tensor_count(A);
    wf_real *host = wf_malloc((size_t)n * sizeof *host);
    if (!host || wf_tensor_download(A, host)) {
        wf_tape_fail(&r->g, WF_ENOMEM, "no memory for %td weights", n);
        wf_free(host);
        return r->graph.supports;
    }
    int E = 0;
    for (ptrdiff_t i = 0; i < n; i++)
        if (host[i] != 0) host[E++] = host[i];
    struct wf_tensor *w = wf_input(&r->g, host, 1, &E);
    wf_free(host);
    return wf_graph_supports(&r->g, &r->graph, w);
}

/* ---- the cell ---- */

/* The reference rounds its Laplacian to float32 on the way, so it is taken from the file. */
static enum wf_status laplacian(struct run *r, struct wf_csr *A, struct wf_supports *S)
{
    struct wf_array a;
    WF_TRY(read_real(r, "outputs/support0", &a));
    int N = (int)a.dim[0], E = 0;
    const wf_real *x = a.data;
    int *end = wf_malloc(2 * (size_t)a.count * sizeof *end);
    wf_real *w = wf_malloc((size_t)a.count * sizeof *w);
    for (int i = 0; i < a.count && end && w; i++)
        if (x[i] != 0) {
            end[E] = i / N;
            end[a.count + E] = i % N;
            w[E++] = x[i];
        }
    enum wf_status s = WF_ENOMEM;
    if (end && w) s = wf_csr_from_pairs(A, r->g.be, N, N, E, end, end + a.count, NULL, &r->err);
    if (!s) {
        *S = (struct wf_supports){ .count = 1, .nodes = N, .pattern = { A } };
        S->value[0] = wf_input(&r->g, w, 1, &E);
        s = wf_supports_terms(S, integer(r, "max_diffusion_step", 0), WF_DIFFUSION_CARRY);
    }
    wf_free(end);
    wf_free(w);
    wf_array_free(&a);
    return s ? wf_fail(&r->err, s, "no memory or no terms for the Laplacian") : WF_OK;
}

/* Returns support d as a dense matrix, by multiplying it with the identity. */
static struct wf_tensor *dense(struct wf_tape *g, const struct wf_supports *S, int d)
{
    return wf_spmm(g, S->pattern[d], S->value[d], wf_identity(g, S->nodes), false);
}

/* Row c * M + m of the published weight is row m * C + c of ours. */
static struct wf_dconv dconv(struct run *r, int rows, int out, int terms)
{
    char path[PATH_TEXT];
    struct wf_tape *g = &r->g;
    struct wf_dconv l;
    snprintf(path, sizeof path, "params/cell.gconv_weight_(%d, %d)", rows, out);
    struct wf_tensor *w =
        wf_reshape(g, leaf(r, path), 3, wf_dims(rows / terms, terms, out)); /* [C, M, O] */
    l.weight = wf_reshape(g, wf_permute(g, w, 1, 0, 2), 2, wf_dims(rows, out));
    snprintf(path, sizeof path, "params/cell.gconv_biases_%d", out);
    l.bias = leaf(r, path);
    return l;
}

static enum wf_status run_cell(struct run *r, const struct wf_supports *S)
{
    struct wf_tape *g = &r->g;
    struct wf_tensor *x = leaf(r, "inputs/inputs"), *h = leaf(r, "inputs/hx"); /* [B, N * F] */
    WF_TRY(tape_status(r));
    int B = x->shape[0], N = S->nodes, F = x->shape[1] / N, U = integer(r, "num_units", 0);
    int rows = (F + U) * S->terms;
    struct wf_dcgru cell = { dconv(r, rows, 2 * U, S->terms), dconv(r, rows, U, S->terms), U };
    x = wf_reshape(g, x, 3, wf_dims(B, N, F));
    h = wf_reshape(g, h, 3, wf_dims(B, N, U));
    output(r, "outputs/out", wf_reshape(g, wf_dcgru(g, &cell, S, x, h), 2, wf_dims(B, N * U)));
    return finish(r);
}

enum wf_status run_chnsh_dcgrucell(struct run *r)
{
    struct wf_supports S;
    struct wf_csr A = { 0 };
    if (text_is(r, "filter_type", "laplacian")) {
        enum wf_status s = laplacian(r, &A, &S);
        output(r, "outputs/support0", NULL);
        if (!s) s = run_cell(r, &S);
        wf_csr_free(&A);
        return s;
    }
    WF_TRY(chnsh_graph(r, "inputs/adj_mx"));
    S = chnsh_supports(r, "inputs/adj_mx");
    WF_TRY(tape_status(r));
    output(r, "outputs/support0", dense(&r->g, &S, 0));
    if (S.count > 1) output(r, "outputs/support1", dense(&r->g, &S, 1));
    return run_cell(r, &S);
}

/* ---- the model ---- */

static enum wf_status run_model(struct run *r, const struct wf_dcrnn *m, struct wf_params *ps,
                                const struct wf_renames *names)
{
    WF_TRY(load_named(r, ps, names));
    struct wf_tape *g = &r->g;
    const struct wf_task *t = &m->task;
    struct wf_tensor *x = leaf(r, "inputs/inputs"), *y = leaf(r, "inputs/labels");
    struct wf_supports S = chnsh_supports(r, "inputs/adj_mx");
    WF_TRY(tape_status(r));
    int B = x->shape[1], N = t->nodes;
    x = wf_reshape(g, x, 4, wf_dims(t->T, B, N, t->channels));
    y = wf_reshape(g, y, 4, wf_dims(t->Q, B, N, t->targets));
    x = wf_permute(g, x, 1, 0, 2, 3);
    y = wf_permute(g, y, 1, 0, 2, 3);
    WF_TRY(tape_status(r));
    struct wf_batch b = { .B = B, .T = t->T, .Q = t->Q, .N = N, .C = t->channels, .valid = B };
    b.x = *x;
    b.y_std = *y;
    b.supports = &S;
    wf_tape_set_step(g, &(struct wf_step){ .teach = 1 });
    struct wf_tensor *out = wf_permute(g, wf_dcrnn_forward(g, m, &b), 1, 0, 2, 3);
    output(r, "outputs/out", wf_reshape(g, out, 3, wf_dims(t->Q, B, N * t->targets)));
    return finish_named(r, ps, names);
}

/* The decoder reads labels in every step when the case says so, otherwise never. */
enum wf_status run_chnsh_dcrnn(struct run *r)
{
    struct wf_dcrnn m;
    struct wf_params ps;
    struct wf_renames names = { 0 };
    WF_TRY(chnsh_graph(r, "inputs/adj_mx"));
    struct wf_task task = { .nodes = integer(r, "num_nodes", 0),
                            .channels = integer(r, "input_dim", 0),
                            .targets = integer(r, "output_dim", 0),
                            .T = integer(r, "seq_len", 0),
                            .Q = integer(r, "horizon", 0),
                            .terms = r->graph.supports.terms };
    struct wf_dcrnn_config cfg = { integer(r, "rnn_units", 0), integer(r, "num_rnn_layers", 0),
                                   integer(r, "use_curriculum_learning", 0) != 0 };
    wf_params_init(&ps, r->g.be);
    wf_dcrnn_init(&m, &ps, cfg, &task);
    wf_dcrnn_names(&m, &names);
    enum wf_status s = run_model(r, &m, &ps, &names);
    wf_renames_free(&names);
    wf_params_free(&ps);
    return s;
}
