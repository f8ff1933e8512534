/* These tests check DCRNN's published number of parameters, and that sizes that do not fit fail. */
#include <criterion/criterion.h>
#include <string.h>
#include "models/dcrnn.h"
#include "tests/kit/leaks.h"

Test(dcrnn, the_paper_model_has_the_published_number_of_parameters)
{
    struct wf_params ps;
    struct wf_dcrnn m;
    struct wf_task task = {
        .nodes = 207, .channels = 2, .targets = 1, .T = 12, .Q = 12, .terms = 5
    };
    wf_params_init(&ps, wf_backend_cpu());
    wf_dcrnn_init(&m, &ps, wf_dcrnn_defaults(), &task);
    cr_expect_eq(wf_params_size(&ps), 372353, "%td parameters", wf_params_size(&ps));
    wf_params_free(&ps);
    expect_no_leaks();
}

Test(dcrnn, sizes_that_do_not_fit_are_refused)
{
    struct wf_params ps;
    struct wf_dcrnn_pgt m;
    struct wf_error err = { 0 };
    struct wf_task task = { .nodes = 5, .channels = 2, .targets = 1, .T = 12, .Q = 6, .terms = 5 };
    wf_params_init(&ps, wf_backend_cpu());
    wf_dcrnn_pgt_init(&m, &ps, wf_dcrnn_pgt_defaults(), &task);
    cr_expect_eq(wf_params_commit(&ps, 0, &err), WF_EINVAL);
    cr_expect(strstr(err.message, "T is 12, Q is 6"), "message: %s", err.message);
    wf_params_free(&ps);
    expect_no_leaks();
}
