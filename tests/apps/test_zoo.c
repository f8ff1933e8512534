/* These tests train every model as users do, with a program on real data. They run in the float
 * build alone, since the programs are in float. */
#include <criterion/criterion.h>
#ifndef WF_DOUBLE
#include <criterion/parameterized.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "models/model.h"
#include "tests/kit/program.h"
#include "tests/kit/scratch.h"

enum { MOST = 64, EPOCHS = 3, TEXT = 8192 };

/* Returns the table of a run's test errors, and each epoch's mean loss and validation error. */
struct trained {
    char errors[TEXT];
    double loss[EPOCHS], validation[EPOCHS];
};

/* Trains in the folder `out`, for just enough steps to show whether a model learns. */
static struct trained train(const char *out, const char *model, const char *threads)
{
    struct trained r = { 0 };
    char name[64], text[TEXT], *line = text;
    setenv("OMP_NUM_THREADS", threads, 1);
    program_works("chickenpox",
                  "--data '%s' --out '%s' --model %s --input-steps 12 --horizon 12 --epochs %d "
                  "--batch-size 8 --epoch-batches 8 "
                  "--lr 0.003 --seed 1 --pictures False",
                  shared("data/pgt/chickenpox.json"), scratch(out), model, EPOCHS);
    snprintf(name, sizeof name, "%s/metrics.csv", out);
    cr_assert_gt(scratch_read(name, r.errors, sizeof r.errors), 0);
    snprintf(name, sizeof name, "%s/per_epoch_stats.csv", out);
    cr_assert_gt(scratch_read(name, text, sizeof text), 0);
    for (int i = 0; i < EPOCHS; i++) {
        line = strchr(line, '\n') + 1;
        int n = sscanf(line, "%*d,%*f,%lf,%lf", &r.loss[i], &r.validation[i]);
        cr_assert_eq(n, 2, "epoch %d: %s", i, line);
    }
    return r;
}

ParameterizedTestParameters(zoo, every_model_learns_chickenpox_to_the_same_bits)
{
    static int row[MOST];
    int n = 0;
    for (; n < MOST && wf_model_types()[n]; n++) row[n] = n;
    return cr_make_param_array(int, row, (size_t)n);
}
ParameterizedTest(int *row, zoo, every_model_learns_chickenpox_to_the_same_bits)
{
    const char *model = wf_model_types()[*row]->name;
    NEED_SHARED();
    static struct trained a, b;
    a = train("a", model, "1");
    b = train("b", model, "2");
    cr_expect_str_eq(a.errors, b.errors, "%s: other errors in a second run, on two threads", model);
    cr_expect(strstr(a.errors, model) && !strstr(a.errors, "nan"), "%s: %s", model, a.errors);
    for (int i = 0; i < EPOCHS; i++) {
        cr_expect(isfinite(a.loss[i]) && a.loss[i] == b.loss[i], "%s: loss %.9g, then %.9g", model,
                  a.loss[i], b.loss[i]);
        cr_expect(isfinite(a.validation[i]) && a.validation[i] == b.validation[i],
                  "%s: validation error %.9g, then %.9g", model, a.validation[i], b.validation[i]);
    }
    cr_expect_lt(a.loss[EPOCHS - 1], a.loss[0], "%s: the loss went from %g to %g", model, a.loss[0],
                 a.loss[EPOCHS - 1]);
}
#endif
