/* Training that is killed or stopped, and resumed, ends with the same bits. */
#include <criterion/criterion.h>
#include <math.h>
#include <omp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "tests/kit/leaks.h"
#include "tests/kit/outcome.h"
#include "tests/kit/scratch.h"
#include "tests/kit/tiny.h"

static const struct tiny_config dcrnn = { .model = "dcrnn",
                                          .options = "hidden=5\nlayers=2\n",
                                          .seed = 4 };
enum { MOST = 8192 };

/* Trains, and puts the parameters into p. Returns their number. */
static int train(struct tiny_config cfg, const char *out, bool resume, wf_real p[MOST])
{
    struct tiny t;
    struct wf_error err = { 0 };
    tiny_init(&t, cfg, out);
    t.trainer.cfg.resume = resume;
    tiny_trainer(&t);
    ok(wf_trainer_run(&t.trainer, &err));
    int n = (int)wf_tensor_count(&t.params.value);
    cr_assert(n <= MOST);
    ok(wf_tensor_download(&t.params.value, p));
    tiny_free(&t);
    return n;
}

static void expect_same(const wf_real *a, const wf_real *b, int n, const char *what)
{
    cr_expect_arr_eq(a, b, (size_t)n * sizeof *a, "%s: other bits", what);
}

Test(trainer, training_lowers_the_error_below_the_mean_forecast)
{
    tiny_expect_to_learn(dcrnn);
}

Test(trainer, the_same_seed_gives_the_same_bits)
{
    static wf_real a[MOST], b[MOST];
    int n = train(dcrnn, scratch_folder("a"), false, a);
    train(dcrnn, scratch_folder("b"), false, b);
    expect_same(a, b, n, "second run");
    struct tiny_config other = dcrnn;
    other.seed = 5;
    train(other, scratch_folder("c"), false, b);
    cr_expect(memcmp(a, b, (size_t)n * sizeof *a) != 0, "another seed, the same bits");
    expect_no_leaks();
}

Test(trainer, a_residual_forecast_is_a_change_from_the_last_value)
{
    struct tiny t;
    struct wf_error err = { 0 };
    struct wf_batch b;
    int start[16];
    for (int i = 0; i < 16; i++) start[i] = 3 * i;
    tiny_init(&t, dcrnn, scratch_folder("run"));
    tiny_trainer(&t);
    struct wf_tape *g = wf_trainer_tape(&t.trainer);
    t.model.residual = true;
    ok(wf_windows_batch(&t.windows, &b, start, 16));
    wf_batch_bind(g, &b, &t.graph);
    g->training = false;
    struct wf_tensor *y = wf_model_forecast(g, &t.model, &b);
    struct wf_tensor *own = t.model.type->forward(g, t.model.layers, &b);
    cr_assert_eq(g->error.status, WF_OK, "%s", g->error.message);
    for (int i = 0; i < 16 * TINY_Q * TINY_NODES; i++) {
        int sample = i / (TINY_Q * TINY_NODES), n = i % TINY_NODES;
        wf_real last = b.x.data[((sample * TINY_T + TINY_T - 1) * TINY_NODES + n) * b.C];
        cr_assert_eq(y->data[i], own->data[i] + last, "sample %d, node %d", sample, n);
    }
    tiny_free(&t);
    expect_no_leaks();
}

Test(trainer, residual_forecasts_learn_too)
{
    struct tiny_config cfg = dcrnn;
    cfg.residual = true;
    tiny_expect_to_learn(cfg);
}

Test(trainer, bits_do_not_depend_on_the_number_of_threads)
{
    static wf_real a[MOST], b[MOST];
    omp_set_num_threads(1);
    int n = train(dcrnn, scratch_folder("a"), false, a);
    for (int threads = 2; threads <= 3; threads++) {
        omp_set_num_threads(threads);
        train(dcrnn, scratch_folder(threads == 2 ? "b" : "c"), false, b);
        expect_same(a, b, n, "more threads");
    }
}

Test(trainer, base_and_index_mode_train_the_same_bits)
{
    static wf_real a[MOST], b[MOST];
    struct tiny_config base = dcrnn;
    base.base = true;
    int n = train(dcrnn, scratch_folder("a"), false, a);
    train(base, scratch_folder("b"), false, b);
    expect_same(a, b, n, "base mode");
}

/* A child is killed at some instant, wherever it stands, and resumed until training is done. */
Test(trainer, a_killed_run_goes_on_to_the_same_bits, .timeout = TIME_LIMIT)
{
    static wf_real a[MOST], b[MOST];
    int killed = 0;
    omp_set_num_threads(1); /* a forked child has no other threads */
    int n = train(dcrnn, scratch_folder("a"), false, a);
    for (int k = 0; k < 12; k++) {
        pid_t child = fork();
        cr_assert(child >= 0);
        if (child == 0) {
            struct tiny t;
            struct wf_error err = { 0 };
            tiny_init(&t, dcrnn, scratch_folder("b"));
            t.trainer.cfg.resume = true;
            t.trainer.cfg.save_s = 0; /* saves after every step */
            tiny_trainer(&t);
            wf_trainer_run(&t.trainer, &err);
            _exit(0);
        }
        struct timespec wait = { 0, (11 + 13 * k % 47) * 1000000L };
        nanosleep(&wait, NULL);
        kill(child, SIGKILL);
        int status;
        waitpid(child, &status, 0);
        killed += WIFSIGNALED(status);
    }
    train(dcrnn, scratch_folder("b"), true, b);
    cr_expect(killed > 0, "no run was killed before its end");
    expect_same(a, b, n, "killed and resumed");
}

static volatile sig_atomic_t stop;
static void stop_after_first(void *ctx, const struct wf_epoch_stats *s)
{
    (void)ctx;
    stop = s->epoch == 0;
}

Test(trainer, a_stopped_run_saves_and_goes_on_to_the_same_bits)
{
    static wf_real a[MOST], b[MOST];
    struct tiny t;
    struct wf_error err = { 0 };
    int n = train(dcrnn, scratch_folder("a"), false, a);
    tiny_init(&t, dcrnn, scratch_folder("b"));
    t.trainer.stop = &stop;
    t.trainer.epoch_done = stop_after_first;
    tiny_trainer(&t);
    cr_assert_eq(wf_trainer_run(&t.trainer, &err), WF_EINTR);
    cr_expect(strstr(err.message, "epoch 2 after batch 1"), "message: %s", err.message);
    tiny_free(&t);
    train(dcrnn, scratch_folder("b"), true, b);
    expect_same(a, b, n, "stopped and resumed");
    expect_no_leaks();
}

Test(trainer, a_loss_that_is_no_number_is_an_error)
{
    struct tiny t;
    struct wf_error err = { 0 };
    tiny_init(&t, dcrnn, scratch_folder("a"));
    tiny_trainer(&t);
    t.params.value.data[0] = (wf_real)NAN;
    cr_expect_eq(wf_trainer_run(&t.trainer, &err), WF_ENUMERIC);
    cr_expect(strstr(err.message, "epoch 0, step 0: the loss is"), "message: %s", err.message);
    tiny_free(&t);
    expect_no_leaks();
}

Test(trainer, resuming_under_another_seed_is_refused)
{
    static wf_real a[MOST];
    struct tiny t;
    struct tiny_config other = dcrnn;
    struct wf_error err = { 0 };
    train(dcrnn, scratch_folder("a"), false, a);
    other.seed = 9;
    tiny_init(&t, other, scratch_folder("a"));
    t.trainer.cfg.resume = true;
    cr_expect_eq(wf_trainer_init(&t.trainer, &err), WF_EINVAL);
    cr_expect(strstr(err.message, "seed 4, asked is 9"), "message: %s", err.message);
    tiny_free(&t);
    expect_no_leaks();
}

Test(trainer, patience_ends_training_early)
{
    struct tiny t;
    struct wf_error err = { 0 };
    tiny_init(&t, dcrnn, scratch_folder("a"));
    t.trainer.cfg.lr = 0; /* the validation error never improves */
    t.trainer.cfg.epochs = 50;
    t.trainer.cfg.patience = 2;
    tiny_trainer(&t);
    ok(wf_trainer_run(&t.trainer, &err));
    cr_expect_eq(t.trainer.state.epoch, 3, "%d epochs", t.trainer.state.epoch);
    tiny_free(&t);
    expect_no_leaks();
}

Test(trainer, minutes_end_training_within_an_epoch_and_stay_spent)
{
    struct tiny t;
    struct wf_error err = { 0 };
    const char *out = scratch_folder("minutes");
    for (int run = 0; run < 2; run++) {
        tiny_init(&t, dcrnn, out);
        t.trainer.cfg.minutes = 1e-9;
        t.trainer.cfg.resume = run == 1;
        tiny_trainer(&t);
        ok(wf_trainer_run(&t.trainer, &err));
        /* Only the first step shows that time passes, so that training ends after the second. */
        cr_expect_eq(t.trainer.state.step, 2, "run %d: step %d", run, (int)t.trainer.state.step);
        cr_expect_eq(t.trainer.state.epoch, 1, "run %d: epoch %d", run, t.trainer.state.epoch);
        cr_expect(isfinite(t.trainer.state.best), "run %d: no validation", run);
        tiny_free(&t);
    }
    expect_no_leaks();
}

Test(trainer, a_folder_that_is_not_there_is_named)
{
    struct tiny t;
    struct wf_error err = { 0 };
    tiny_init(&t, dcrnn, "/nonexistent/folder");
    tiny_trainer(&t);
    cr_expect_eq(wf_trainer_run(&t.trainer, &err), WF_EIO);
    cr_expect(strstr(err.message, "/nonexistent/folder/best.h5"), "message: %s", err.message);
    tiny_free(&t);
    expect_no_leaks();
}
