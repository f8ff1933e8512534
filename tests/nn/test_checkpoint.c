/* Training runs in files: what is saved is loaded, and a file that does not fit changes nothing. */
#include <criterion/criterion.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include "data/file.h"
#include "data/formats/h5.h"
#include "nn/checkpoint.h"
#include "tensor/alloc.h"
#include "tests/kit/scratch.h"

/* A small model with an optimizer and a position; fill() gives it values that depend on salt. */
struct run {
    struct wf_params ps;
    struct wf_optim o;
    struct wf_train_state train;
};

enum variant { PLAIN, OTHER_SHAPE, OTHER_RANK, MORE, FEWER, OTHER_STATE, SGD, AMSGRAD };

static void run_init(struct run *r, enum variant v)
{
    const struct wf_init init = { .kind = WF_INIT_NORMAL, .gain = 1 };
    struct wf_optim_config cfg = wf_optim_defaults();
    *r = (struct run){ 0 };
    cfg.amsgrad = v == AMSGRAD;
    if (v == SGD) cfg.kind = WF_SGD;
    wf_params_init(&r->ps, wf_backend_cpu());
    wf_params_add(&r->ps, "cell.gates.weight", 2, wf_dims(3, v == OTHER_SHAPE ? 7 : 5), init);
    wf_params_add_state(&r->ps, "norm.mean", 1, wf_dims(v == OTHER_STATE ? 2 : 3), 0);
    if (v != FEWER) wf_params_add(&r->ps, "cell.gates.bias", v == OTHER_RANK, wf_dims(1), init);
    wf_params_add(&r->ps, "head", 3, wf_dims(2, 20, 3), init);
    if (v == MORE) wf_params_add(&r->ps, "tail", 1, wf_dims(2), init);
    cr_assert_eq(wf_params_commit(&r->ps, 5, NULL), WF_OK);
    cr_assert_eq(wf_optim_init(&r->o, &r->ps, cfg, NULL), WF_OK);
}

static void run_free(struct run *r)
{
    wf_optim_free(&r->o);
    wf_params_free(&r->ps);
}

static void fill(struct run *r, double salt)
{
    struct wf_tensor *block[] = { &r->o.m, &r->o.v, &r->o.vmax };
    for (int i = 0; i < r->ps.count; i++) {
        struct wf_param *p = r->ps.param[i];
        ptrdiff_t at = wf_params_offset(&r->ps, p);
        for (ptrdiff_t k = 0; k < wf_tensor_count(&p->value); k++) {
            p->value.data[k] = (wf_real)sin(salt + i + (double)k / 3);
            for (int b = 0; b < 3 && !p->state; b++)
                if (block[b]->data) block[b]->data[at + k] = (wf_real)(salt / (1 + b + (double)k));
        }
    }
    r->train = (struct wf_train_state){ .seed = 0xfedcba9876543210u,
                                        .step = ((int64_t)1 << 40) + (int)salt,
                                        .seconds = salt * 3,
                                        .epoch = 3,
                                        .seen = 17,
                                        .ranks = 3,
                                        .loss_sum = salt / 7,
                                        .loss_count = 1e15,
                                        .best = INFINITY,
                                        .patience = -1 };
}

static struct wf_checkpoint all_of(struct run *r)
{
    return (struct wf_checkpoint){ &r->ps, &r->o, &r->train, "gcgru", "hidden=3\nlr=0.001\n" };
}

static bool same_block(const struct wf_tensor *a, const struct wf_tensor *b)
{
    if (!a->data || !b->data) return a->data == b->data;
    return wf_tensor_same_shape(a, b) &&
           memcmp(a->data, b->data, (size_t)wf_tensor_count(a) * sizeof *a->data) == 0;
}

/* Compares whole blocks of memory, including the padding between parameters. */
static bool same(const struct run *a, const struct run *b)
{
    const struct wf_train_state *s = &a->train, *t = &b->train;
    return same_block(&a->ps.value, &b->ps.value) && same_block(&a->ps.state, &b->ps.state) &&
           same_block(&a->o.m, &b->o.m) && same_block(&a->o.v, &b->o.v) &&
           same_block(&a->o.vmax, &b->o.vmax) && s->seed == t->seed && s->step == t->step &&
           s->seconds == t->seconds && s->epoch == t->epoch && s->seen == t->seen &&
           s->ranks == t->ranks && s->loss_sum == t->loss_sum && s->loss_count == t->loss_count &&
           s->best == t->best && s->patience == t->patience;
}

static enum wf_status save(const char *path, struct run *r, struct wf_error *err)
{
    struct wf_checkpoint c = all_of(r);
    return wf_checkpoint_save(path, &c, err);
}

static enum wf_status load(const char *path, struct run *r, struct wf_error *err)
{
    struct wf_checkpoint c = all_of(r);
    return wf_checkpoint_load(path, &c, err);
}

/* Whether the message is one line that begins with the path. */
static bool clear_line(const struct wf_error *err, const char *path)
{
    return strncmp(err->message, path, strlen(path)) == 0 && !strchr(err->message, '\n') &&
           strlen(err->message) > strlen(path) + 10;
}

static void round_trip(enum variant v)
{
    struct run a, b;
    struct wf_error err = { 0 };
    const char *path = scratch("run.h5");
    run_init(&a, v);
    run_init(&b, v);
    fill(&a, 1);
    fill(&b, 2);
    a.ps.value.data[0] = NAN;
    a.ps.value.data[1] = (wf_real)-0.0;
    a.ps.value.data[2] = -INFINITY;
    cr_assert_eq(save(path, &a, &err), WF_OK, "%s", err.message);
    cr_assert_not(same(&a, &b));
    cr_assert_eq(load(path, &b, &err), WF_OK, "%s", err.message);
    cr_expect(same(&a, &b));
    cr_expect_eq(scratch_count(), 1);
    run_free(&a);
    run_free(&b);
    cr_assert_eq(wf_alloc_live(), 0);
}

Test(checkpoint, gives_back_every_bit)
{
    round_trip(PLAIN);
    round_trip(AMSGRAD);
    round_trip(SGD);
}

Test(checkpoint, may_hold_parameters_alone_or_be_loaded_in_part)
{
    struct run a, b;
    const char *path = scratch("best.h5");
    run_init(&a, PLAIN);
    run_init(&b, SGD);
    fill(&a, 1);
    fill(&b, 2);
    struct wf_tensor m = b.o.m;
    struct wf_checkpoint bare = { .params = &a.ps }, any = { .params = &b.ps };
    cr_assert_eq(wf_checkpoint_save(path, &bare, NULL), WF_OK);
    cr_expect_eq(wf_checkpoint_load(path, &any, NULL), WF_OK);
    cr_expect(same_block(&a.ps.value, &b.ps.value) && same_block(&a.ps.state, &b.ps.state));
    fill(&b, 2);
    cr_assert_eq(save(path, &a, NULL), WF_OK);
    cr_expect_eq(wf_checkpoint_load(path, &any, NULL), WF_OK);
    cr_expect(same_block(&a.ps.value, &b.ps.value) && same_block(&m, &b.o.m));
    run_free(&a);
    run_free(&b);
    cr_assert_eq(wf_alloc_live(), 0);
}

Test(checkpoint, tells_its_model_and_configuration)
{
    struct run a;
    char *model, *config, *big = calloc(1, 100001);
    const char *path = scratch("run.h5");
    run_init(&a, PLAIN);
    cr_assert_eq(save(path, &a, NULL), WF_OK);
    cr_assert_eq(wf_checkpoint_read_config(path, &model, &config, NULL), WF_OK);
    cr_expect_str_eq(model, "gcgru");
    cr_expect_str_eq(config, "hidden=3\nlr=0.001\n");
    wf_free(model);
    wf_free(config);

    memset(big, 'x', 100000); /* more than an attribute can hold */
    struct wf_checkpoint c = { .params = &a.ps, .config = big };
    cr_assert_eq(wf_checkpoint_save(path, &c, NULL), WF_OK);
    cr_assert_eq(wf_checkpoint_read_config(path, &model, &config, NULL), WF_OK);
    cr_expect_str_eq(model, "");
    cr_expect_str_eq(config, big);
    wf_free(model);
    wf_free(config);
    free(big);
    run_free(&a);
    cr_assert_eq(wf_alloc_live(), 0);
}

static const struct {
    enum variant model;
    const char *says;
} mismatch[] = {
    { OTHER_SHAPE, "'params/cell.gates.weight' has shape [3, 5], expected [3, 7]" },
    { OTHER_RANK, "'params/cell.gates.bias' has shape [], expected [1]" },
    { MORE, "'params/tail' is missing" },
    { FEWER, "holds 'params/cell.gates.bias', which the model does not have" },
    { OTHER_STATE, "'state/norm.mean' has shape [3], expected [2]" },
    { SGD, "optimizer is adam, expected sgd" },
    { AMSGRAD, "optimizer is adam, expected adam with amsgrad" },
};

Test(checkpoint, of_another_model_changes_nothing)
{
    struct run a;
    const char *path = scratch("run.h5");
    run_init(&a, PLAIN);
    fill(&a, 1);
    cr_assert_eq(save(path, &a, NULL), WF_OK);
    for (size_t i = 0; i < sizeof mismatch / sizeof *mismatch; i++) {
        struct run b, before;
        struct wf_error err = { 0 };
        run_init(&b, mismatch[i].model);
        run_init(&before, mismatch[i].model);
        fill(&b, 2);
        fill(&before, 2);
        cr_expect_eq(load(path, &b, &err), WF_EINVAL, "row %zu", i);
        cr_expect(clear_line(&err, path) && strstr(err.message, mismatch[i].says), "row %zu: %s", i,
                  err.message);
        cr_expect(same(&b, &before), "row %zu", i);
        run_free(&b);
        run_free(&before);
    }
    run_free(&a);
    cr_assert_eq(wf_alloc_live(), 0);
}

Test(checkpoint, refuses_what_it_does_not_hold)
{
    struct run a;
    struct wf_error err = { 0 };
    const char *path = scratch("best.h5");
    run_init(&a, PLAIN);
    struct wf_checkpoint c = { .params = &a.ps, .model = "gcgru" }, want = c;
    cr_assert_eq(wf_checkpoint_save(path, &c, NULL), WF_OK);
    want.optim = &a.o;
    cr_expect_eq(wf_checkpoint_load(path, &want, &err), WF_EINVAL);
    cr_expect(strstr(err.message, "no optimizer"), "%s", err.message);
    want = (struct wf_checkpoint){ .params = &a.ps, .train = &a.train };
    cr_expect_eq(wf_checkpoint_load(path, &want, &err), WF_EINVAL);
    cr_expect(strstr(err.message, "parameters alone"), "%s", err.message);
    want = (struct wf_checkpoint){ .params = &a.ps, .model = "dcrnn" };
    cr_expect_eq(wf_checkpoint_load(path, &want, &err), WF_EINVAL);
    cr_expect(strstr(err.message, "model is 'gcgru', expected 'dcrnn'"), "%s", err.message);
    run_free(&a);
    cr_assert_eq(wf_alloc_live(), 0);
}

Test(checkpoint, refuses_parameters_that_are_not_ready)
{
    struct run a, b;
    struct wf_params raw;
    struct wf_error err = { 0 };
    run_init(&a, PLAIN);
    run_init(&b, PLAIN);
    wf_params_init(&raw, wf_backend_cpu());
    struct wf_checkpoint c = { .params = &raw }, mixed = { .params = &a.ps, .optim = &b.o };
    cr_expect_eq(wf_checkpoint_save("x.h5", &c, &err), WF_EINVAL);
    cr_expect(strstr(err.message, "not committed"), "%s", err.message);
    cr_expect_eq(wf_checkpoint_load("x.h5", &mixed, &err), WF_EINVAL);
    cr_expect(strstr(err.message, "other parameters"), "%s", err.message);
    run_free(&a);
    run_free(&b);
    cr_assert_eq(wf_alloc_live(), 0);
}

struct damage {
    struct run original, victim, before;
    char *bytes, *work;
    size_t size;
};

static void damage_init(struct damage *d)
{
    const char *path = scratch("whole.h5");
    run_init(&d->original, PLAIN);
    run_init(&d->victim, PLAIN);
    run_init(&d->before, PLAIN);
    fill(&d->original, 1);
    fill(&d->victim, 2);
    fill(&d->before, 2);
    cr_assert_eq(save(path, &d->original, NULL), WF_OK);
    cr_assert_eq(wf_file_read(path, &d->bytes, &d->size, NULL), WF_OK);
    d->work = malloc(d->size + 1);
}

static void damage_free(struct damage *d)
{
    run_free(&d->original);
    run_free(&d->victim);
    run_free(&d->before);
    wf_free(d->bytes);
    free(d->work);
}

static void expect_refused(struct damage *d, size_t size, const char *what, size_t at)
{
    struct wf_error err = { 0 };
    const char *path = scratch_file("damaged.h5", d->work, size);
    char *model, *config;
    long held = wf_alloc_live();
    cr_expect_eq(load(path, &d->victim, &err), WF_EFORMAT, "%s %zu", what, at);
    cr_expect(clear_line(&err, path), "%s", err.message);
    cr_expect(same(&d->victim, &d->before), "%s %zu", what, at);
    cr_expect_eq(wf_checkpoint_read_config(path, &model, &config, NULL), WF_EFORMAT);
    cr_expect(!model && !config);
    cr_expect_eq(wf_alloc_live(), held);
}

Test(checkpoint, with_any_byte_changed_is_refused)
{
    struct damage d;
    damage_init(&d);
    size_t step = d.size / 400 + 1;
    for (size_t at = 0; at < d.size; at += at + 40 < d.size ? step : 1) {
        memcpy(d.work, d.bytes, d.size);
        d.work[at] = (char)(d.work[at] ^ (1 << at % 8));
        expect_refused(&d, d.size, "byte", at);
    }
    damage_free(&d);
    cr_assert_eq(wf_alloc_live(), 0);
}

Test(checkpoint, cut_short_or_lengthened_is_refused)
{
    struct damage d;
    damage_init(&d);
    memcpy(d.work, d.bytes, d.size);
    d.work[d.size] = '\n';
    const size_t sizes[] = { 0,           1,          31,          32,          33,
                             d.size / 4,  d.size / 2, d.size - 33, d.size - 32, d.size - 31,
                             d.size - 16, d.size - 1, d.size + 1 };
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        expect_refused(&d, sizes[i], "length", sizes[i]);
    damage_free(&d);
    cr_assert_eq(wf_alloc_live(), 0);
}

/* Appends to a file the checksum of its bytes, which is computed here independently. */
static void append_checksum(const char *path)
{
    char *bytes;
    size_t size;
    cr_assert_eq(wf_file_read(path, &bytes, &size, NULL), WF_OK);
    uint64_t h = 0xcbf29ce484222325u;
    for (size_t i = 0; i < size; i++) {
        h ^= (unsigned char)bytes[i];
        h *= 0x100000001b3u;
    }
    wf_free(bytes);
    FILE *f = fopen(path, "ab");
    fprintf(f, "weft checkpoint %016llx", (unsigned long long)h);
    fclose(f);
}

Test(checkpoint, refuses_other_files_and_other_formats)
{
    struct run a;
    struct wf_h5 *f;
    struct wf_error err = { 0 };
    const char *path = scratch("other.h5");
    run_init(&a, PLAIN);
    cr_assert_eq(wf_h5_create(&f, path, NULL), WF_OK);
    cr_assert_eq(wf_h5_set_int(f, "/", "format", 2, NULL), WF_OK);
    cr_assert_eq(wf_h5_commit(f, NULL), WF_OK);
    cr_expect_eq(load(path, &a, &err), WF_EFORMAT);
    cr_expect(strstr(err.message, "no checkpoint"), "%s", err.message);
    append_checksum(path);
    cr_expect_eq(load(path, &a, &err), WF_EFORMAT);
    cr_expect(strstr(err.message, "format 2, expected 1"), "%s", err.message);
    append_checksum(scratch_file("text", "hello", 5));
    cr_expect_eq(load(scratch("text"), &a, &err), WF_EFORMAT);
    cr_expect_eq(load(scratch("nowhere"), &a, &err), WF_EIO);
    cr_expect(clear_line(&err, scratch("nowhere")), "%s", err.message);
    run_free(&a);
    cr_assert_eq(wf_alloc_live(), 0);
}

Test(checkpoint, of_either_precision_is_read)
{
    struct run a;
    struct wf_h5 *f;
    struct wf_error err = { 0 };
    const char *path = scratch("double.h5");
    double w[3] = { 0.5, -2, 0.1 };
    float b = 3;
    struct wf_init init = { 0 };
    struct wf_array aw = { .elem = WF_F64, .ndim = 1, .dim = { 3 }, .count = 3, .data = w };
    struct wf_array ab = { .elem = WF_F32, .count = 1, .data = &b };
    wf_params_init(&a.ps, wf_backend_cpu());
    struct wf_tensor *tw = wf_params_add(&a.ps, "w", 1, wf_dims(3), init);
    struct wf_tensor *tb = wf_params_add(&a.ps, "b", 0, NULL, init);
    cr_assert_eq(wf_params_commit(&a.ps, 1, NULL), WF_OK);
    cr_assert_eq(wf_h5_create(&f, path, NULL), WF_OK);
    cr_assert_eq(wf_h5_set_int(f, "/", "format", 1, NULL), WF_OK);
    cr_assert_eq(wf_h5_write(f, "params/w", &aw, NULL), WF_OK);
    cr_assert_eq(wf_h5_write(f, "params/b", &ab, NULL), WF_OK);
    cr_assert_eq(wf_h5_group(f, "state", NULL), WF_OK);
    cr_assert_eq(wf_h5_commit(f, NULL), WF_OK);
    append_checksum(path);
    struct wf_checkpoint c = { .params = &a.ps };
    cr_assert_eq(wf_checkpoint_load(path, &c, &err), WF_OK, "%s", err.message);
    cr_expect_eq(tw->data[2], (wf_real)0.1);
    cr_expect_eq(tb->data[0], (wf_real)3);
    wf_params_free(&a.ps);
    cr_assert_eq(wf_alloc_live(), 0);
}

/* Expects that the old checkpoint is whole, and that its folder holds no other file. */
static void expect_old(const char *path, struct run *spare, const struct run *old)
{
    fill(spare, 9);
    cr_expect_eq(load(path, spare, NULL), WF_OK);
    cr_expect(same(spare, old));
    cr_expect_eq(scratch_count(), 1);
}

Test(checkpoint, survives_a_full_disk)
{
    struct run a, b, spare;
    struct stat st;
    const char *path = scratch("run.h5");
    run_init(&a, PLAIN);
    run_init(&b, PLAIN);
    run_init(&spare, PLAIN);
    fill(&a, 1);
    fill(&b, 2);
    cr_assert_eq(save(path, &a, NULL), WF_OK);
    cr_assert_eq(stat(path, &st), 0);
    signal(SIGXFSZ, SIG_IGN);
    struct rlimit limit;
    getrlimit(RLIMIT_FSIZE, &limit);
    /* The disk has room for nothing at first, and at last for all but the last byte, which belongs
     * to the checksum. */
    for (int i = 0; i <= 8; i++) {
        struct wf_error err = { 0 };
        struct rlimit low = limit;
        low.rlim_cur = (rlim_t)(i < 8 ? st.st_size * i / 8 : st.st_size - 1);
        setrlimit(RLIMIT_FSIZE, &low);
        enum wf_status s = save(path, &b, &err);
        setrlimit(RLIMIT_FSIZE, &limit);
        cr_expect_eq(s, WF_EIO, "limit %d", (int)low.rlim_cur);
        cr_expect(clear_line(&err, path), "limit %d: %s", (int)low.rlim_cur, err.message);
        expect_old(path, &spare, &a);
    }
    cr_expect_eq(save(path, &b, NULL), WF_OK);
    expect_old(path, &spare, &b);
    run_free(&a);
    run_free(&b);
    run_free(&spare);
    cr_assert_eq(wf_alloc_live(), 0);
}

Test(checkpoint, says_why_it_cannot_be_written)
{
    struct run a;
    struct wf_error err = { 0 };
    run_init(&a, PLAIN);
    const char *path = scratch("missing/run.h5");
    cr_expect_eq(save(path, &a, &err), WF_EIO);
    cr_expect(clear_line(&err, path), "%s", err.message);

    const char *folder = scratch("folder");
    mkdir(folder, 0700);
    cr_expect_eq(save(folder, &a, &err), WF_EIO);
    cr_expect(clear_line(&err, folder), "%s", err.message);
    cr_expect_eq(scratch_count(), 1);

    path = scratch("folder/run.h5");
    chmod(folder, 0500);
    if (geteuid() != 0) { /* root may write everywhere */
        cr_expect_eq(save(path, &a, &err), WF_EIO);
        cr_expect(clear_line(&err, path) && strstr(err.message, "ermission"), "%s", err.message);
    }
    run_free(&a);
    cr_assert_eq(wf_alloc_live(), 0);
}

Test(checkpoint, ignores_what_a_killed_save_left)
{
    struct run a, b, spare;
    const char *path = scratch("run.h5");
    run_init(&a, PLAIN);
    run_init(&b, PLAIN);
    run_init(&spare, PLAIN);
    fill(&a, 1);
    fill(&b, 2);
    fill(&spare, 3);
    cr_assert_eq(save(path, &a, NULL), WF_OK);
    scratch_file("run.h5.tmp", "half a file", 11);
    scratch_file("run.h5.tmp.tmp", "\211HDF\r\n\032\n and no more", 20);
    cr_expect_eq(load(path, &spare, NULL), WF_OK);
    cr_expect(same(&spare, &a));
    cr_expect_eq(save(path, &b, NULL), WF_OK);
    expect_old(path, &spare, &b);
    run_free(&a);
    run_free(&b);
    run_free(&spare);
    cr_assert_eq(wf_alloc_live(), 0);
}

Test(checkpoint, survives_every_failing_allocation)
{
    struct run a, b, old;
    struct wf_error err = { 0 };
    char *model, *config;
    const char *path = scratch("run.h5");
    run_init(&a, PLAIN);
    run_init(&b, PLAIN);
    run_init(&old, PLAIN);
    fill(&a, 1);
    fill(&b, 2);
    fill(&old, 2);
    EACH_ALLOCATION_FAILS(err, save(path, &a, &err), (void)0);
    cr_expect_eq(scratch_count(), 1);
    long held = wf_alloc_live();
    for (long n = 0;; n++) {
        wf_alloc_fail_after(n);
        enum wf_status s = load(path, &b, &err);
        wf_alloc_fail_after(-1);
        cr_assert_eq(wf_alloc_live(), held, "allocation %ld leaks", n);
        if (s == WF_OK) break;
        cr_assert_eq(s, WF_ENOMEM, "allocation %ld: %s", n, err.message);
        cr_assert(same(&b, &old), "allocation %ld", n);
    }
    cr_expect(same(&b, &a));
    EACH_ALLOCATION_FAILS(err, wf_checkpoint_read_config(path, &model, &config, &err),
                          (wf_free(model), wf_free(config)));
    run_free(&a);
    run_free(&b);
    run_free(&old);
    cr_assert_eq(wf_alloc_live(), 0);
}
