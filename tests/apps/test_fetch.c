/* These tests download from a server on the loopback that breaks connections in many ways. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include "apps/dataset/fetch.h"
#include "dist/clock.h"
#include "tests/kit/leaks.h"
#include "tests/kit/outcome.h"
#include "tests/kit/program.h"
#include "tests/kit/scratch.h"
#include "tests/kit/server.h"

enum { SIZE = 300000, HALF = SIZE / 2 };

static struct wf_error err;
static struct wf_fetched got;

static void fill(struct server *s, size_t size, unsigned seed)
{
    s->size = size;
    for (size_t i = 0; i < size; i++)
        s->body[i] = (char)((seed = seed * 1664525U + 1013904223U) >> 24);
}

/* Starts a server with a file of version "1", whose content is arbitrary. */
static struct server *start(void)
{
    struct server *s = server_start();
    fill(s, SIZE, 1);
    strcpy(s->version, "\"1\"");
    return s;
}

static enum wf_status fetch(const struct server *s)
{
    struct wf_fetch f = { .url = server_url(s, "f.bin"), .path = scratch("f.bin"), .stall_s = 20 };
    return wf_fetch_file(&got, &f, &err);
}

static long size_of(const char *name)
{
    struct stat st;
    return stat(scratch(name), &st) == 0 ? (long)st.st_size : -1;
}

static void expect_whole(const struct server *s)
{
    static char bytes[sizeof s->body + 1];
    size_t n = scratch_read("f.bin", bytes, sizeof bytes);
    cr_assert_eq(n, s->size);
    cr_assert(memcmp(bytes, s->body, n) == 0);
    cr_assert_eq(got.size, (int64_t)s->size);
    cr_assert_eq(scratch_count(), 1, "something is left beside the file");
}

static void expect_part(long size)
{
    cr_assert_eq(size_of("f.bin"), -1);
    cr_assert_eq(size_of("f.bin.part"), size);
    cr_assert_eq(scratch_count(), size < 0 ? 0 : 2);
}

/* The first half of the file is there, since the connection broke. */
static void cut_in_half(struct server *s)
{
    s->cut = HALF;
    fails(fetch(s), WF_EIO, "bytes are kept, the same call goes on from there");
    expect_part(HALF);
    s->cut = 0;
    s->sent = 0;
    s->asked = 0;
}

Test(fetch, a_file_is_whole_and_asked_for_once)
{
    struct server *s = start();
    ok(fetch(s));
    expect_whole(s);
    cr_assert(!got.kept && got.first == 0 && s->asked == 1 && !s->range[0]);
    ok(fetch(s));
    expect_whole(s);
    cr_assert(got.kept && s->asked == 1);
    s->size = 0;
    unlink(scratch("f.bin"));
    ok(fetch(s));
    expect_whole(s);
    expect_no_leaks();
}

Test(fetch, a_broken_download_goes_on)
{
    struct server *s = start();
    cut_in_half(s);
    ok(fetch(s));
    expect_whole(s);
    cr_expect_eq(got.first, HALF);
    cr_expect_eq(s->sent, SIZE - HALF);
    cr_expect_str_eq(s->range, "bytes=150000-");
}

/* The connection ends many times, and the file has a date instead of an entity tag. */
Test(fetch, a_download_that_breaks_often_comes_to_an_end)
{
    struct server *s = start();
    strcpy(s->version, "Mon, 06 Jan 2025 10:00:00 GMT");
    s->dated = true;
    s->cut = SIZE / 7;
    int calls = 1;
    for (; fetch(s) != WF_OK; calls++) cr_assert(calls < 10, "%s", err.message);
    expect_whole(s);
    cr_expect_eq(calls, 7 + (SIZE % 7 > 0));
    cr_expect_eq(s->sent, SIZE);
}

Test(fetch, a_server_without_ranges_sends_all_again)
{
    struct server *s = start();
    cut_in_half(s);
    s->no_ranges = true;
    ok(fetch(s));
    expect_whole(s);
    cr_expect_eq(got.first, 0);
    cr_expect_eq(s->sent, SIZE);
}

Test(fetch, a_file_that_changed_is_taken_anew)
{
    struct server *s = start();
    for (int no_if = 0; no_if < 2; no_if++) { /* the second server ignores If-Range */
        cut_in_half(s);
        fill(s, SIZE + 1000 * no_if, 2);
        strcpy(s->version, no_if ? "\"3\"" : "\"2\"");
        s->no_if = no_if;
        ok(fetch(s));
        expect_whole(s);
        cr_expect_eq(got.first, 0);
        cr_expect_eq(s->asked, 1 + no_if);
        unlink(scratch("f.bin"));
    }
}

/* A weak entity tag promises the same meaning, not the same bytes. */
Test(fetch, without_a_version_nothing_is_gone_on_with)
{
    static const char *const versions[] = { "", "W/\"1\"" };
    struct server *s = start();
    for (int i = 0; i < 2; i++) {
        strcpy(s->version, versions[i]);
        s->cut = HALF;
        cr_assert_eq(fetch(s), WF_EIO);
        cr_expect(!strstr(err.message, "kept"), "%s", err.message);
        expect_part(-1);
        scratch_file("f.bin.part", "left", 4);
        s->cut = 0;
        s->sent = 0;
        ok(fetch(s));
        expect_whole(s);
        cr_expect_eq(s->sent, SIZE);
        unlink(scratch("f.bin"));
    }
}

Test(fetch, a_part_that_is_too_long_is_dropped_and_a_full_one_taken)
{
    static char bytes[2 * SIZE];
    struct server *s = start();
    scratch_file("f.bin.part", bytes, sizeof bytes);
    scratch_file("f.bin.part.tag", "\"1\"\n", 4);
    ok(fetch(s));
    expect_whole(s);
    cr_expect(s->asked == 2 && got.first == 0);
    unlink(scratch("f.bin"));
    scratch_file("f.bin.part", s->body, SIZE);
    scratch_file("f.bin.part.tag", "\"1\"\n", 4);
    s->sent = 0;
    ok(fetch(s));
    expect_whole(s);
    cr_expect(s->sent == 0 && got.first == SIZE);
}

/* ---- digests: those of the standards' examples ---- */

#define MILLION "sha256:cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"
#define ABC_MD5 "md5:900150983cd24fb0d6963f7d28e17f72"

static enum wf_status fetch_with(const struct server *s, const char *digest)
{
    struct wf_fetch f = { server_url(s, "f.bin"), scratch("f.bin"), digest, 20, NULL, NULL };
    return wf_fetch_file(&got, &f, &err);
}

Test(fetch, the_digest_decides)
{
    struct server *s = start();
    s->size = 1000000;
    memset(s->body, 'a', s->size);
    cut_in_half(s);
    ok(fetch_with(s, MILLION));
    expect_whole(s);
    cr_assert_eq(got.first, HALF);
    ok(fetch_with(s, MILLION));
    cr_assert(got.kept);
    fails(fetch_with(s, ABC_MD5), WF_EFORMAT,
          "f.bin: md5 is 7707d6ae4e027c70eea2a935c2296f21, expected "
          "900150983cd24fb0d6963f7d28e17f72; remove the file");
    cr_assert_eq(size_of("f.bin"), 1000000);
    unlink(scratch("f.bin"));
    s->body[7] = 'b';
    fails(fetch_with(s, MILLION), WF_EFORMAT, "expected cdc76e5c9914fb92");
    cr_assert(strstr(err.message, server_url(s, "f.bin")), "%s", err.message);
    expect_part(-1);
    s->size = 3;
    memcpy(s->body, "abc", 3);
    ok(fetch_with(s, ABC_MD5));
    fails(fetch_with(s, "crc:1"), WF_EINVAL, "want sha256:HEX or md5:HEX");
    fails(fetch_with(s, "sha256"), WF_EINVAL, "want sha256:HEX or md5:HEX");
    expect_no_leaks();
}

/* A wrong byte in the partial file shows at the end, and then all of the file is removed. */
Test(fetch, a_damaged_part_is_found_by_its_digest)
{
    struct server *s = start();
    s->size = 1000000;
    memset(s->body, 'a', s->size);
    cut_in_half(s);
    FILE *f = fopen(scratch("f.bin.part"), "r+");
    cr_assert(f && fputc('x', f) == 'x' && fclose(f) == 0);
    fails(fetch_with(s, MILLION), WF_EFORMAT, "sha256 is ");
    expect_part(-1);
    ok(fetch_with(s, MILLION));
    expect_whole(s);
}

/* ---- what stops a download ---- */

Test(fetch, what_the_server_says_is_in_the_message)
{
    static const int status[] = { 404, 403, 500, 503, 204 };
    struct server *s = start();
    char want[400];
    for (size_t i = 0; i < sizeof status / sizeof *status; i++) {
        s->status = status[i];
        snprintf(want, sizeof want, "f.bin: %s: HTTP status %d", server_url(s, "f.bin"), status[i]);
        fails(fetch(s), WF_EIO, want);
        expect_part(-1);
    }
    s->status = 0;
    cut_in_half(s);
    s->status = 503;
    fails(fetch(s), WF_EIO, "HTTP status 503; 150000 bytes are kept");
    expect_part(HALF);
    s->status = 0;
    strcpy(s->type, "text/html; charset=utf-8");
    unlink(scratch("f.bin.part.tag"));
    fails(fetch(s), WF_EIO, "the server sends a page (text/html; charset=utf-8), not the file");
    expect_part(-1);
}

Test(fetch, redirects_are_followed_but_not_anywhere)
{
    struct server *s = start();
    struct wf_fetch f = { .url = server_url(s, "moved"), .path = scratch("f.bin") };
    strcpy(s->location, server_url(s, "f.bin"));
    cut_in_half(s);
    ok(wf_fetch_file(&got, &f, &err));
    expect_whole(s);
    cr_expect(got.first == HALF && s->asked == 2);
    unlink(scratch("f.bin"));
    strcpy(s->location, server_url(s, "moved"));
    fails(wf_fetch_file(&got, &f, &err), WF_EIO, "redirects");
    snprintf(s->location, sizeof s->location, "file://%s", scratch_file("secret", "x", 1));
    fails(wf_fetch_file(&got, &f, &err), WF_EIO, "rotocol");
    cr_assert_eq(scratch_count(), 1);
}

Test(fetch, servers_that_are_not_there_are_named)
{
    struct server *s = start();
    char host[100] = "http://", want[160];
    memset(host + 7, 'n', 70); /* is longer than a host name may be, so no resolver is asked */
    strcpy(host + 77, "/f.bin");
    const struct {
        const char *url, *says;
    } row[] = {
        { "http://127.0.0.1:1/f.bin", "127.0.0.1:1/f.bin: Failed to connect" },
        { host, "resolve" },
        { "https://127.0.0.1:1/f.bin", "https://127.0.0.1:1/f.bin: Failed to connect" },
        { "ftp://127.0.0.1/f.bin", "ftp://127.0.0.1/f.bin: " },
        { "no address", "no address: " },
    };
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        struct wf_fetch f = { .url = row[i].url, .path = scratch("f.bin") };
        fails(wf_fetch_file(&got, &f, &err), WF_EIO, row[i].says);
        expect_part(-1);
    }
    /* The server speaks no TLS, so it cannot prove that it is the host asked for. */
    snprintf(host, sizeof host, "https://127.0.0.1:%d/f.bin", s->port);
    struct wf_fetch f = { .url = host, .path = scratch("f.bin") };
    snprintf(want, sizeof want, "f.bin: %s: ", host);
    fails(wf_fetch_file(&got, &f, &err), WF_EIO, want);
    cr_expect(strstr(err.message, "SSL"), "%s", err.message);
    expect_part(-1);
}

Test(fetch, silence_is_not_waited_for, .timeout = TIME_LIMIT)
{
    struct server *s = start();
    s->cut = HALF;
    s->stall = true;
    struct wf_fetch f = { .url = server_url(s, "f.bin"), .path = scratch("f.bin"), .stall_s = 1 };
    double from = wf_now();
    fails(wf_fetch_file(NULL, &f, &err), WF_EIO, "too slow");
    cr_expect(wf_now() - from < 30);
    expect_part(HALF);
    s->cut = 0;
    ok(fetch(s));
    expect_whole(s);
}

/* A file without a length ends where the connection does. */
Test(fetch, a_length_is_not_needed)
{
    struct server *s = start();
    s->no_total = true;
    ok(fetch(s));
    expect_whole(s);
}

Test(fetch, a_full_disk_keeps_what_fits)
{
    struct server *s = start();
    struct rlimit limit;
    char want[300];
    snprintf(want, sizeof want, "f.bin.part: %s: File too large; 100000 bytes are kept",
             server_url(s, "f.bin"));
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &limit);
    setrlimit(RLIMIT_FSIZE, &(struct rlimit){ 100000, limit.rlim_max });
    fails(fetch(s), WF_EIO, want);
    expect_part(100000);
    fails(fetch(s), WF_EIO, want);
    setrlimit(RLIMIT_FSIZE, &limit);
    ok(fetch(s));
    expect_whole(s);
    cr_expect_eq(got.first, 100000);
}

Test(fetch, places_that_take_no_file_are_named)
{
    struct server *s = start();
    struct wf_fetch f = { .url = server_url(s, "f.bin"), .path = scratch("no/f.bin") };
    fails(wf_fetch_file(&got, &f, &err), WF_EIO, "no/f.bin.part: No such file or directory");
    f.path = scratch_folder("folder");
    fails(wf_fetch_file(&got, &f, &err), WF_EIO, "folder: not a regular file");
    scratch_folder("f.bin.part");
    fails(fetch(s), WF_EIO, "f.bin.part: Is a directory");
    rmdir(scratch("f.bin.part"));
    cr_assert_eq(mkfifo(scratch("f.bin.part"), 0600), 0);
    fails(fetch(s), WF_EIO, "f.bin.part: not a regular file");
    static char long_path[5000];
    memset(long_path, 'x', sizeof long_path - 1);
    f.path = long_path;
    fails(wf_fetch_file(&got, &f, &err), WF_EINVAL, "too long");
    cr_expect_eq(s->asked, 0);
}

Test(fetch, two_at_a_time_are_one_too_many)
{
    struct server *s = start();
    cut_in_half(s);
    int fd = open(scratch("f.bin.part"), O_RDWR);
    cr_assert(fd >= 0 && flock(fd, LOCK_EX) == 0);
    fails(fetch(s), WF_EIO, "f.bin.part: another process is downloading it");
    expect_part(HALF);
    cr_expect_eq(s->asked, 0);
    close(fd);
    ok(fetch(s));
    expect_whole(s);
}

static bool stop_at(void *ctx, int64_t done, int64_t total)
{
    cr_assert(total == 0 || (total == SIZE && done <= total));
    return done < *(int64_t *)ctx;
}

Test(fetch, the_caller_may_stop_it)
{
    struct server *s = start();
    int64_t most = 1;
    s->cut = HALF;
    s->stall = true;
    struct wf_fetch f = {
        .url = server_url(s, "f.bin"), .path = scratch("f.bin"), .tell = stop_at, .ctx = &most
    };
    fails(wf_fetch_file(&got, &f, &err), WF_EINTR, "stopped; ");
    cr_assert(got.size > 0 && got.size <= HALF);
    expect_part((long)got.size);
    int64_t first = got.size;
    s->cut = 0;
    most = SIZE + 1;
    ok(wf_fetch_file(&got, &f, &err));
    expect_whole(s);
    cr_expect_eq(got.first, first);
}

/* ---- dataset fetch ---- */

/* Finds the first set whose files (one at least) have an address and no digest, or no address. */
static const struct wf_catalog_entry *some_set(bool offered)
{
    const struct wf_catalog_entry *e;
    for (int i = 0; (e = wf_catalog_at(i)); i++) {
        bool all = e->file[0].name != NULL;
        for (int k = 0; k < WF_CATALOG_FILES && e->file[k].name; k++)
            all = all && (offered ? e->file[k].url && !e->file[k].digest : !e->file[k].url);
        if (all) return e;
    }
    cr_assert(false, "no such set");
    return NULL;
}

Test(fetch, addresses_are_the_catalogs_or_below_a_base)
{
    const struct wf_catalog_entry e = { .name = "set",
                                        .source = "ask its author",
                                        .file = { { .name = "a.h5", .url = "http://h/x?y" },
                                                  { .name = "b.pkl" } } };
    char url[40];
    ok(wf_fetch_url(url, sizeof url, &e, 0, NULL, &err));
    cr_expect_str_eq(url, "http://h/x?y");
    ok(wf_fetch_url(url, sizeof url, &e, 1, "http://mirror/d", &err));
    cr_expect_str_eq(url, "http://mirror/d/b.pkl");
    ok(wf_fetch_url(url, sizeof url, &e, 0, "http://mirror/d/", &err));
    cr_expect_str_eq(url, "http://mirror/d/a.h5");
    fails(wf_fetch_url(url, sizeof url, &e, 1, NULL, &err), WF_EINVAL,
          "set: b.pkl cannot be downloaded: ask its author");
    fails(wf_fetch_url(url, 12, &e, 0, NULL, &err), WF_EINVAL, "set: the address of a.h5 is too");
    fails(wf_fetch_url(url, 12, &e, 0, "http://m", &err), WF_EINVAL, "too long");
}

Test(fetch, the_program_puts_a_set_in_its_folder)
{
    struct server *s = start();
    const struct wf_catalog_entry *e = some_set(true);
    char path[200], want[300];
    for (int again = 0; again < 2; again++) {
        program_works("dataset", "fetch %s --data-folder d/e --url %s", e->name,
                      server_url(s, "x"));
        snprintf(want, sizeof want, "d/e/%s/%s: 300000 bytes, %sno digest", e->name,
                 e->file[0].name, again ? "there already, " : "");
        cr_expect(strstr(program_said, want), "%s", program_said);
        cr_expect(strstr(program_said, "licence: ") && !program_complained[0]);
    }
    snprintf(path, sizeof path, "d/e/%s/%s", e->name, e->file[0].name);
    cr_expect_eq(size_of(path), SIZE);
}

Test(fetch, the_program_refuses_in_one_line)
{
    struct server *s = start();
    const char *name = some_set(true)->name;
    program_refuses("'nothing'", "dataset", "fetch nothing");
    program_refuses("0 files given, want fetch NAME", "dataset", "fetch");
    program_refuses("--stall 0", "dataset", "fetch %s --stall 0", name);
    program_refuses("/proc/x", "dataset", "fetch %s --data-folder /proc/x", name);
    program_refuses("too long", "dataset", "fetch %s --data-folder %0250d", name, 1);
    program_refuses("Failed to connect", "dataset", "fetch %s --url http://127.0.0.1:1", name);
    s->status = 404;
    program_refuses("HTTP status 404", "dataset", "fetch %s --url %s", name, server_url(s, ""));
}

Test(fetch, the_program_says_how_to_get_what_nobody_offers)
{
    const struct wf_catalog_entry *e = some_set(false);
    char path[200], want[400];
    snprintf(want, sizeof want, "%s: %s cannot be downloaded: %s", e->name, e->file[0].name,
             e->source);
    program_refuses(want, "dataset", "fetch %s", e->name);
    cr_assert_eq(size_of("data"), -1);
    scratch_folder("data");
    snprintf(path, sizeof path, "data/%s", e->name);
    scratch_folder(path);
    for (int i = 0; i < WF_CATALOG_FILES && e->file[i].name; i++) {
        snprintf(path, sizeof path, "data/%s/%s", e->name, e->file[i].name);
        scratch_file(path, "x", 1);
    }
    program_works("dataset", "fetch %s", e->name);
    cr_expect(strstr(program_said, path) && strstr(program_said, ": there already\n"), "%s",
              program_said);
    for (int i = 0; (e = wf_catalog_at(i)); i++) {
        if (e->file[0].name) continue;
        snprintf(want, sizeof want, "%s: is nowhere to download; make it with", e->name);
        program_refuses(want, "dataset", "fetch %s", e->name);
    }
}

/* Half of the file is there, nothing more comes, and the program is interrupted. */
Test(fetch, the_program_goes_on_after_a_signal, .timeout = TIME_LIMIT)
{
    static const char *const signals[] = { "INT", "TERM" };
    struct server *s = start();
    const struct wf_catalog_entry *e = some_set(true);
    char command[600];
    for (int i = 0; i < 2; i++) {
        s->cut = HALF;
        s->stall = true;
        snprintf(command, sizeof command, "fetch %s --data-folder d%d --url %s", e->name, i,
                 server_url(s, ""));
        int status = program_run("dataset",
                                 "%s >said 2>complained & p=$!; n=0; while [ $n -lt 600 ] && "
                                 "[ \"$(stat -c %%s d%d/*/*.part 2>/dev/null)\" != %d ]; "
                                 "do sleep 0.05; n=$((n+1)); done; kill -%s $p; wait $p",
                                 command, i, HALF, signals[i]);
        scratch_read("said", program_said, sizeof program_said);
        scratch_read("complained", program_complained, sizeof program_complained);
        cr_assert_eq(status, 1, "%s", program_complained);
        cr_assert(strstr(program_complained, "stopped; 150000 bytes are kept, the same call"), "%s",
                  program_complained);
        s->cut = 0;
        s->sent = 0;
        program_works("dataset", "%s", command);
        cr_expect(strstr(program_said, "300000 bytes, from byte 150000 on, "), "%s", program_said);
        cr_expect(s->sent == SIZE - HALF || e->file[1].name);
    }
}
