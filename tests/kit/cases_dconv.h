/* cases_dconv.h - the builders of the rows of diffusion convolutions. */
#ifndef WF_CASES_DCONV_H
#define WF_CASES_DCONV_H

#include "tests/kit/cases.h"

/* The square or the huge pattern, whichever has as many nodes as x. */
const struct wf_csr *case_square(const struct case_graph *G, const struct wf_tensor *x);

typedef struct wf_tensor *case_build(struct wf_tape *g, const struct case_graph *G,
                                     struct wf_tensor **in);
/* in holds x, h, weights, bias and values; `fast` has no values. */
case_build case_dconv_none, case_dconv_carry, case_dconv_carry_sum, case_dconv_fixed,
    case_dconv_itself, case_dconv_fast;
/* in holds x, h, weights and bias of the gates, those of the candidate, and values, which only the
 * first two builders read. For `steps` it holds x and the two weights. */
case_build case_dcgru_learned, case_dcgru_carry, case_dcgru_constant, case_dcgru_steps,
    case_dcgru_itself;

#endif
