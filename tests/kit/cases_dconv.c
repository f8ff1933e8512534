#include "tests/kit/cases_dconv.h"

#define BUILD(name)                                                                                \
    struct wf_tensor *name(struct wf_tape *g, const struct case_graph *G, struct wf_tensor **in)

const struct wf_csr *case_square(const struct case_graph *G, const struct wf_tensor *x)
{
    return x->shape[1] == G->huge.rows ? &G->huge : &G->square;
}

/* The supports are of this row alone. They are static, because the tape reads them until reset. */
static struct wf_tensor *dconv(struct wf_tape *g, const struct case_graph *G, struct wf_tensor **in,
                               enum wf_diffusion kind, enum wf_act act)
{
    static struct wf_supports S;
    const struct wf_csr *A = case_square(G, in[0]);
    S = (struct wf_supports){
        .count = 2, .nodes = A->rows, .pattern = { A, A }, .value = { in[4], in[5] }
    };
    WF_RUN(g, wf_supports_terms(&S, 3, kind));
    return wf_dconv_op(g, &S, in[0], in[1], in[2], in[3], act);
}
BUILD(case_dconv_none)
{
    return dconv(g, G, in, WF_DIFFUSION, WF_ACT_NONE);
}
BUILD(case_dconv_carry)
{
    return dconv(g, G, in, WF_DIFFUSION_CARRY, WF_ACT_SIGMOID);
}
BUILD(case_dconv_carry_sum)
{
    return dconv(g, G, in, WF_DIFFUSION_CARRY, WF_ACT_NONE);
}
BUILD(case_dconv_fixed)
{
    return dconv(g, G, in, WF_DIFFUSION_FIXED, WF_ACT_TANH);
}

/* x and h are slices of one tensor: they overlap in one term and are the same in the other. */
BUILD(case_dconv_itself)
{
    struct wf_tensor *h = wf_slice(g, in[0], 2, 1, 3), *x = wf_slice(g, in[0], 2, 0, 2);
    struct wf_tensor *v[6] = { x, h, in[1], in[2], in[3], in[4] };
    struct wf_tensor *y = dconv(g, G, v, WF_DIFFUSION, WF_ACT_NONE);
    v[0] = h;
    return wf_add(g, y, dconv(g, G, v, WF_DIFFUSION, WF_ACT_TANH));
}

/* The supports are constants, so that the gradient takes another path than with learned values. */
BUILD(case_dconv_fast)
{
    struct wf_tensor *v[6] = { in[0], in[1], in[2], in[3] };
    const int *nnz = &case_square(G, in[0])->nnz;
    v[4] = wf_full(g, 0.5, 1, nnz);
    v[5] = wf_full(g, -0.25, 1, nnz);
    return dconv(g, G, v, WF_DIFFUSION, WF_ACT_TANH);
}

/* in holds x, h, weights and bias of the gates, those of the candidate, and the values of both
 * supports. Weights and values are scaled down, so that no gate saturates. */
static struct wf_tensor *dcgru(struct wf_tape *g, const struct case_graph *G, struct wf_tensor **in,
                               enum wf_diffusion kind)
{
    static struct wf_supports S;
    const struct wf_csr *A = case_square(G, in[0]);
    S = (struct wf_supports){ .count = 2,
                              .nodes = A->rows,
                              .pattern = { A, A },
                              .value = { wf_affine(g, in[6], 0.125, 0),
                                         wf_affine(g, in[7], 0.125, 0) } };
    WF_RUN(g, wf_supports_terms(&S, 3, kind));
    struct wf_tensor *w[] = { wf_affine(g, in[2], 0.25, 0), wf_affine(g, in[4], 0.25, 0) };
    return wf_dcgru_op(g, &S, in[0], in[1], w, (struct wf_tensor *const[]){ in[3], in[5] });
}
BUILD(case_dcgru_learned)
{
    return dcgru(g, G, in, WF_DIFFUSION);
}
BUILD(case_dcgru_carry)
{
    return dcgru(g, G, in, WF_DIFFUSION_CARRY);
}

BUILD(case_dcgru_constant)
{
    struct wf_tensor *v[8] = { in[0], in[1], in[2], in[3], in[4], in[5] };
    const int *nnz = &case_square(G, in[0])->nnz;
    v[6] = wf_full(g, 0.5, 1, nnz);
    v[7] = wf_full(g, -0.25, 1, nnz);
    return dcgru(g, G, v, WF_DIFFUSION);
}

/* Takes two steps without biases from a state that needs no gradient. */
BUILD(case_dcgru_steps)
{
    int B = in[0]->shape[0], N = in[0]->shape[1], H = in[2]->shape[1];
    struct wf_tensor *v[6] = { in[0], wf_zeros(g, 3, wf_dims(B, N, H)), in[1], NULL, in[2], NULL };
    v[1] = case_dcgru_constant(g, G, v);
    return case_dcgru_constant(g, G, v);
}

/* x and h are one tensor or overlap, and so do the biases. */
BUILD(case_dcgru_itself)
{
    struct wf_tensor *h = wf_slice(g, in[0], 2, 1, 3), *x = wf_slice(g, in[0], 2, 0, 2);
    struct wf_tensor *v[6] = { x, h, in[1], in[2], in[3], wf_slice(g, in[2], 0, 1, 3) };
    struct wf_tensor *y = case_dcgru_constant(g, G, v);
    v[0] = h;
    return wf_add(g, y, case_dcgru_constant(g, G, v));
}
