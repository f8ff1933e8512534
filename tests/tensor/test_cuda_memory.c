/* Memory, copies and recordings of the CUDA backend. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "autograd/ops.h"
#include "tests/kit/device.h"
#include "tests/kit/leaks.h"

#define WORKS(call) cr_assert_eq((call), WF_OK, "%s: %s", #call, be->reason)

enum { MANY = 3 * 1024 * 1024 + 40 }; /* bytes: more than a page of the device */

static unsigned char *pattern(size_t bytes, unsigned seed)
{
    unsigned char *p = malloc(bytes);
    cr_assert(p);
    for (size_t i = 0; i < bytes; i++) p[i] = (unsigned char)((i * 31 + i / 251 + seed) % 253);
    return p;
}

static void expect_bytes(struct wf_backend *be, const void *at, const unsigned char *want,
                         size_t bytes, const char *what)
{
    unsigned char *got = malloc(bytes);
    cr_assert(got);
    WORKS(be->download(be, got, at, bytes));
    cr_expect_eq(memcmp(got, want, bytes), 0, "%s", what);
    free(got);
}

Test(cuda, memory_is_zeroed_copied_and_given_back)
{
    static const size_t size[] = { 1, 5, 48, 64, 65, 4096, MANY };
    struct wf_backend *be = device_open();
    size_t before, after, total;
    be->memory(be, &before, &total);
    cr_expect(before > 0 && total >= before);
    for (size_t k = 0; k < sizeof size / sizeof *size; k++) {
        unsigned char *p = be->alloc(be, size[k] + 3), *out = pattern(size[k], 7);
        unsigned char *zero = calloc(size[k] + 3, 1);
        cr_assert(p && zero);
        expect_bytes(be, p, zero, size[k] + 3, "fresh memory");
        WORKS(be->upload(be, p + 1, out, size[k]));
        expect_bytes(be, p + 1, out, size[k], "copied there and back");
        expect_bytes(be, p, zero, 1, "before it");
        expect_bytes(be, p + 1 + size[k], zero, 2, "behind it");
        be->free(be, p, size[k] + 3);
        free(out);
        free(zero);
    }
    be->memory(be, &after, &total);
    cr_expect_gt(after + ((size_t)16 << 20), before, "%zu bytes free, %zu before", after, before);
    wf_backend_close(be);
    expect_no_leaks();
}

Test(cuda, moves_may_overlap_either_way)
{
    struct wf_backend *be = device_open();
    unsigned char *p = be->alloc(be, MANY), *was = pattern(MANY, 1), *now = malloc(MANY);
    cr_assert(p && now);
    static const int move[][2] = { { 0, 16 }, { 16, 0 }, { 100, 103 }, { 5, MANY / 2 } };
    for (int k = 0; k < 4; k++) {
        size_t n = MANY / 2 - 200;
        WORKS(be->upload(be, p, was, MANY));
        WORKS(be->move(be, p + move[k][0], p + move[k][1], n));
        memcpy(now, was, MANY);
        memmove(now + move[k][0], now + move[k][1], n);
        expect_bytes(be, p, now, MANY, "moved");
    }
    be->free(be, p, MANY);
    free(was);
    free(now);
    wf_backend_close(be);
    expect_no_leaks();
}

/* A range of addresses gets more memory in place, and keeps the bytes that it holds. */
Test(cuda, a_range_of_addresses_is_backed_bit_by_bit)
{
    struct wf_backend *be = device_open();
    size_t room = (size_t)1 << 32;
    unsigned char *base = be->reserve(be, room), *a = pattern(MANY, 2), *b = pattern(MANY, 3);
    cr_assert(base, "%s", be->reason);
    cr_assert(be->commit(be, base, 0, MANY));
    WORKS(be->upload(be, base, a, MANY));
    cr_assert(be->commit(be, base, MANY, (size_t)3 * MANY));
    WORKS(be->upload(be, base + 2 * (size_t)MANY, b, MANY));
    expect_bytes(be, base, a, MANY, "what was there");
    expect_bytes(be, base + 2 * (size_t)MANY, b, MANY, "what came later");
    cr_expect(!be->commit(be, base, 3 * (size_t)MANY, room + 1), "more than was reserved");
    be->unreserve(be, base, room);
    cr_expect(be->reserve(be, SIZE_MAX / 2) == NULL, "half of all addresses");
    cr_expect(be->alloc(be, (size_t)1 << 50) == NULL, "a PiB");
    free(a);
    free(b);
    wf_backend_close(be);
    expect_no_leaks();
}

/* A batch is copied beside the queue of kernels, while these still read the batch before it. */
Test(cuda, fetched_bytes_are_there_for_what_is_queued_then)
{
    enum { BATCHES = 6 };
    struct wf_backend *be = device_open();
    unsigned char *host[2], *slot[2], *sum = be->alloc(be, BATCHES * MANY);
    for (int k = 0; k < 2; k++) {
        host[k] = be->device->host_alloc(be, MANY);
        slot[k] = be->alloc(be, MANY);
        cr_assert(host[k] && slot[k] && sum);
    }
    for (int i = 0; i <= BATCHES; i++) {
        if (i > 0) WORKS(be->device->fetched(be));
        if (i < BATCHES) {
            unsigned char *next = pattern(MANY, (unsigned)i);
            memcpy(host[i % 2], next, MANY);
            free(next);
            WORKS(be->device->fetch(be, slot[i % 2], host[i % 2], MANY));
        }
        if (i > 0) WORKS(be->move(be, sum + (i - 1) * (size_t)MANY, slot[(i - 1) % 2], MANY));
    }
    WORKS(be->sync(be));
    for (int i = 0; i < BATCHES; i++) {
        unsigned char *want = pattern(MANY, (unsigned)i);
        expect_bytes(be, sum + i * (size_t)MANY, want, MANY, "a batch");
        free(want);
    }
    for (int k = 0; k < 2; k++) {
        be->device->host_free(be, host[k]);
        be->free(be, slot[k], MANY);
    }
    be->free(be, sum, BATCHES * MANY);
    wf_backend_close(be);
    expect_no_leaks();
}

/* Some sizes are beyond what one launch carries, some beyond what is quicker without a copy. */
Test(cuda, a_recording_keeps_what_is_uploaded)
{
    enum { N = 20000 };
    static wf_real v[N], w[N];
    struct wf_backend *be = device_open();
    struct wf_recording *rec;
    struct wf_error err = { 0 };
    struct wf_tensor x;
    cr_assert_eq(wf_tensor_alloc(&x, be, 1, wf_dims(N), &err), WF_OK, "%s", err.message);
    for (int n = 1; n <= N; n = n < 700 ? 13 * n : 5 * n) {
        for (int i = 0; i < n; i++) v[i] = (wf_real)(i + n);
        WORKS(be->device->record(be));
        WORKS(be->upload(be, x.data, v, (size_t)n * sizeof *v));
        WORKS(be->device->recorded(be, &rec));
        memset(v, 0, sizeof v);
        WORKS(be->upload(be, x.data, v, (size_t)n * sizeof *v));
        WORKS(be->device->replay(be, rec));
        WORKS(be->download(be, w, x.data, (size_t)n * sizeof *w));
        for (int i = 0; i < n; i++) cr_assert_eq(w[i], (wf_real)(i + n), "%d of %d", i, n);
        be->device->forget(be, rec);
    }
    wf_tensor_free(&x);
    wf_backend_close(be);
    expect_no_leaks();
}

/* A recording cannot repeat a call that reads device memory on the host: it fails, and calls after
 * it work. */
Test(cuda, a_recording_refuses_to_wait)
{
    struct wf_backend *be = device_open();
    struct wf_recording *rec;
    struct wf_error err = { 0 };
    struct wf_tensor x;
    wf_real v[8], w[8] = { 0 };
    cr_assert_eq(wf_tensor_alloc(&x, be, 1, wf_dims(8), &err), WF_OK, "%s", err.message);
    for (int k = 0; k < 2; k++) {
        WORKS(be->device->record(be));
        WORKS(wfk_fill(be, &x, 3));
        enum wf_status s = k ? be->sync(be) : be->download(be, v, x.data, sizeof v);
        cr_expect_eq(s, WF_EDEVICE, "%s", k ? "sync" : "download");
        cr_expect_eq(be->device->recorded(be, &rec), WF_EDEVICE);
        cr_expect(rec == NULL && be->reason[0]);
        WORKS(wfk_fill(be, &x, 5));
        WORKS(wf_tensor_download(&x, v));
        cr_expect(v[0] == 5 && v[7] == 5);
    }
    WORKS(be->device->record(be));
    WORKS(wfk_fill(be, &x, 9));
    WORKS(be->device->recorded(be, &rec));
    WORKS(wf_tensor_download(&x, v));
    cr_expect_eq(v[0], 5, "what is recorded does not run");
    for (int i = 0; i < 3; i++) {
        WORKS(wf_tensor_upload(&x, w));
        WORKS(be->device->replay(be, rec));
        WORKS(wf_tensor_download(&x, v));
        cr_expect(v[0] == 9 && v[7] == 9);
    }
    be->device->forget(be, rec);
    be->device->forget(be, NULL);
    wf_tensor_free(&x);
    wf_backend_close(be);
    expect_no_leaks();
}

Test(cuda, marks_measure_the_time_between_them)
{
    struct wf_backend *be = device_open();
    struct wf_error err = { 0 };
    struct wf_tensor x;
    cr_assert_eq(wf_tensor_alloc(&x, be, 1, wf_dims(1 << 20), &err), WF_OK, "%s", err.message);
    WORKS(be->device->mark(be, 0));
    for (int i = 0; i < 8; i++) WORKS(wfk_fill(be, &x, i));
    WORKS(be->device->mark(be, 200));
    WORKS(wfk_fill(be, &x, 9));
    WORKS(be->device->mark(be, 1));
    WORKS(be->sync(be));
    double first = be->device->seconds(be, 0, 200), second = be->device->seconds(be, 200, 1);
    cr_expect(first > 0 && second > 0 && first < 60 && second < 60, "%g s, %g s", first, second);
    cr_expect_float_eq(be->device->seconds(be, 0, 1), first + second, 1e-4);
    wf_tensor_free(&x);
    wf_backend_close(be);
    expect_no_leaks();
}

/* Device numbers beyond the last start again at the first, so that the processes of a machine share
 * its devices evenly. */
Test(cuda, devices_are_counted_round_and_round)
{
    struct wf_error err = { 0 };
    struct wf_backend *be = device_open(), *other;
    wf_backend_close(be);
    cr_expect_eq(wf_backend_cuda(&other, (struct wf_device_config){ .index = 1000 }, &err), WF_OK,
                 "%s", err.message);
    wf_backend_close(other);
    cr_expect_eq(wf_backend_cuda(&other, (struct wf_device_config){ .index = -1 }, &err),
                 WF_EDEVICE);
    cr_expect(strstr(err.message, "device -1"), "%s", err.message);
    expect_no_leaks();
}
