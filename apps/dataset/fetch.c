#include "apps/dataset/fetch.h"
#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include "data/file.h"

enum { PATH = 4096, VERSION = 256, STALL_S = 60, REDIRECTS = 10 };

struct download {
    const struct wf_fetch *f;
    struct wf_error *err;
    CURL *h;
    int fd;             /* the part, open for writing */
    int64_t have;       /* bytes in the part, all of one version */
    int64_t first;      /* bytes that were in the part before this call */
    int64_t total;      /* bytes of the whole file; 0: not known */
    bool begun;         /* the answer to this request has been looked at */
    bool anew;          /* the part is of no use: the file is asked for again from byte 0 */
    enum wf_status bad; /* why on_bytes gave up; the message is in err */
    char version[VERSION];
    char part[PATH], tag[PATH];
    char said[CURL_ERROR_SIZE];
};

/* ---- digests ---- */

enum { HEX = 2 * EVP_MAX_MD_SIZE + 1 };

static bool told_to_stop(const struct wf_fetch *f, int64_t done, int64_t total)
{
    return f->tell && !f->tell(f->ctx, done, total);
}

static enum wf_status hash(EVP_MD_CTX *c, int fd, int64_t size, const struct wf_fetch *f,
                           struct wf_error *err)
{
    static const char failed[] = "OpenSSL cannot compute the digest";
    char bytes[1 << 14];
    for (int64_t at = 0; at < size;) {
        ssize_t n = pread(fd, bytes, sizeof bytes, (off_t)at);
        if (n <= 0)
            return wf_fail(err, WF_EIO, "%s: %s", f->path, n ? strerror(errno) : "was cut short");
        if (!EVP_DigestUpdate(c, bytes, (size_t)n)) return wf_fail(err, WF_ENOMEM, "%s", failed);
        if (told_to_stop(f, size, 0))
            return wf_fail(err, WF_EINTR, "%s: stopped while its digest was checked", f->path);
        at += n;
    }
    return WF_OK;
}

/* Computes the digest of the file's bytes, by the method that the published one names. */
static enum wf_status digest_of(char hex[HEX], int fd, int64_t size, const struct wf_fetch *f,
                                struct wf_error *err)
{
    unsigned char sum[EVP_MAX_MD_SIZE];
    unsigned int n = 0;
    char method[16];
    snprintf(method, sizeof method, "%.*s", (int)strcspn(f->digest, ":"), f->digest);
    const EVP_MD *type = EVP_get_digestbyname(method);
    if (!type || !strchr(f->digest, ':'))
        return wf_fail(err, WF_EINVAL, "%s: digest '%s': want sha256:HEX or md5:HEX", f->path,
                       f->digest);
    EVP_MD_CTX *c = EVP_MD_CTX_new();
    enum wf_status s;
    if (c && EVP_DigestInit_ex(c, type, NULL))
        s = hash(c, fd, size, f, err);
    else
        s = wf_fail(err, WF_EINVAL, "%s: OpenSSL offers no %s here", f->path, method);
    if (s == WF_OK && !EVP_DigestFinal_ex(c, sum, &n))
        s = wf_fail(err, WF_EINVAL, "%s: OpenSSL cannot compute %s", f->path, method);
    EVP_MD_CTX_free(c);
    hex[0] = 0;
    for (unsigned int i = 0; i < n; i++) snprintf(hex + 2 * i, 3, "%02x", sum[i]);
    return s;
}

/* Returns WF_EFORMAT where the digest is not the published one; the message has both. */
static enum wf_status check_digest(int fd, int64_t size, const struct wf_fetch *f,
                                   struct wf_error *err)
{
    char hex[HEX];
    if (!f->digest) return WF_OK;
    WF_TRY(digest_of(hex, fd, size, f, err));
    const char *want = strchr(f->digest, ':') + 1;
    if (strcasecmp(hex, want) == 0) return WF_OK;
    return wf_fail(err, WF_EFORMAT, "%s: %.*s is %s, expected %s", f->path,
                   (int)(want - 1 - f->digest), f->digest, hex, want);
}

/* ---- a file that is there ---- */

static enum wf_status check_kept(struct wf_fetched *out, const struct wf_fetch *f,
                                 struct wf_error *err)
{
    int fd;
    size_t size;
    if (access(f->path, F_OK) != 0) return WF_OK;
    WF_TRY(wf_file_open(&fd, &size, f->path, err));
    enum wf_status s = check_digest(fd, (int64_t)size, f, err);
    close(fd);
    if (s == WF_EFORMAT && err) {
        struct wf_error why = *err;
        return wf_fail(err, s, "%s; remove the file to download it again", why.message);
    }
    if (s == WF_OK) *out = (struct wf_fetched){ .kept = true, .size = (int64_t)size };
    return s;
}

/* ---- the part ---- */

static enum wf_status failed(const struct download *d, const char *path)
{
    return wf_fail(d->err, WF_EIO, "%s: %s", path, strerror(errno));
}

/* Locks the part against a second download of the same file. */
static enum wf_status lock(struct download *d)
{
    struct stat held, there;
    bool taken = flock(d->fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK;
    if (fstat(d->fd, &held) != 0) return failed(d, d->part);
    if (!S_ISREG(held.st_mode)) return wf_fail(d->err, WF_EIO, "%s: not a regular file", d->part);
    d->have = d->first = (int64_t)held.st_size;
    /* The other process may have ended, and renamed the part, since the part was opened here. */
    if (!taken && stat(d->part, &there) == 0 && there.st_ino == held.st_ino) return WF_OK;
    return wf_fail(d->err, WF_EIO, "%s: another process is downloading it", d->part);
}

static void read_version(struct download *d)
{
    FILE *f = fopen(d->tag, "re");
    d->version[0] = 0;
    if (f && !fgets(d->version, sizeof d->version, f)) d->version[0] = 0;
    if (f) fclose(f);
    d->version[strcspn(d->version, "\r\n")] = 0;
}

static enum wf_status write_version(struct download *d)
{
    if (!d->version[0]) {
        unlink(d->tag);
        return WF_OK;
    }
    FILE *f = fopen(d->tag, "we");
    if (!f) return failed(d, d->tag);
    bool bad = fprintf(f, "%s\n", d->version) < 0;
    bad = fclose(f) != 0 || bad;
    return bad ? failed(d, d->tag) : WF_OK;
}

/* Empties the part. This comes before a new version is written, so that part and tag never belong
 * to two versions. */
static enum wf_status empty(struct download *d)
{
    d->have = d->first = 0;
    return ftruncate(d->fd, 0) == 0 ? WF_OK : failed(d, d->part);
}

static enum wf_status open_part(struct download *d)
{
    const char *path = d->f->path;
    if (snprintf(d->part, sizeof d->part, "%s.part", path) >= (int)sizeof d->part ||
        snprintf(d->tag, sizeof d->tag, "%s.part.tag", path) >= (int)sizeof d->tag)
        return wf_fail(d->err, WF_EINVAL, "%.60s..: the path is too long", path);
    d->fd = open(d->part, O_RDWR | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0666);
    if (d->fd < 0) return failed(d, d->part);
    WF_TRY(lock(d));
    read_version(d);
    return d->version[0] ? WF_OK : empty(d);
}

static void drop(struct download *d)
{
    unlink(d->part);
    unlink(d->tag);
}

/* ---- the answer ---- */

static const char *header(const struct download *d, const char *name)
{
    struct curl_header *found;
    return curl_easy_header(d->h, name, 0, CURLH_HEADER, -1, &found) == CURLHE_OK ? found->value
                                                                                  : NULL;
}

/* Takes from the answer what If-Range wants: a strong entity tag, else a date; empty where the
 * server gives neither. */
static void version_of(char version[VERSION], const struct download *d)
{
    const char *tag = header(d, "ETag"), *date = header(d, "Last-Modified");
    const char *best = tag && strncmp(tag, "W/", 2) != 0 ? tag : date ? date : "";
    snprintf(version, VERSION, "%s", strlen(best) < VERSION ? best : "");
}

static bool same_version(const struct download *d)
{
    char now[VERSION];
    version_of(now, d);
    return !now[0] || strcmp(now, d->version) == 0;
}

/* Returns whether the answer goes on where the part ends. Its Content-Range is "bytes 100-199/200",
 * with a star where the server does not know the total. */
static bool range_goes_on(struct download *d)
{
    const char *range = header(d, "Content-Range"), *slash = range ? strchr(range, '/') : NULL;
    long long first = -1;
    if (!slash || sscanf(range, "bytes %lld-", &first) != 1 || first != d->have) return false;
    d->total = strtoll(slash + 1, NULL, 10);
    return same_version(d);
}

/* Looks at the answer before its first byte is written. */
static enum wf_status begin(struct download *d)
{
    long status = 0;
    const char *type = NULL;
    curl_off_t length = -1;
    d->begun = true;
    curl_easy_getinfo(d->h, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(d->h, CURLINFO_CONTENT_TYPE, &type);
    curl_easy_getinfo(d->h, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
    if (status == 206 && d->have > 0) {
        d->anew = !range_goes_on(d);
        return d->anew ? WF_EIO : WF_OK;
    }
    if (status != 200)
        return wf_fail(d->err, WF_EIO, "%s: %s: HTTP status %ld", d->f->path, d->f->url, status);
    if (type && strncasecmp(type, "text/html", 9) == 0)
        return wf_fail(d->err, WF_EIO, "%s: %s: the server sends a page (%s), not the file",
                       d->f->path, d->f->url, type);
    d->total = length > 0 ? length : 0;
    WF_TRY(empty(d));
    version_of(d->version, d);
    return write_version(d);
}

static size_t on_bytes(char *bytes, size_t one, size_t n, void *ctx)
{
    struct download *d = ctx;
    (void)one;
    if (!d->begun && (d->bad = begin(d)) != WF_OK) return 0;
    for (size_t at = 0; at < n;) {
        ssize_t put = pwrite(d->fd, bytes + at, n - at, (off_t)d->have);
        if (put < 0 && errno == EINTR) continue;
        if (put < 0) {
            d->bad = wf_fail(d->err, WF_EIO, "%s: %s: %s", d->part, d->f->url, strerror(errno));
            return 0;
        }
        at += (size_t)put;
        d->have += put;
    }
    return n;
}

static int on_progress(void *ctx, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t e)
{
    const struct download *d = ctx;
    (void)a, (void)b, (void)c, (void)e;
    return told_to_stop(d->f, d->have, d->total);
}

/* ---- the request ---- */

#define SET(option, value) (curl_easy_setopt(d->h, option, value) == CURLE_OK)

static bool set_range(struct download *d, struct curl_slist **fields)
{
    char range[32], text[VERSION + 16];
    if (d->have == 0) return true;
    snprintf(range, sizeof range, "%lld-", (long long)d->have);
    snprintf(text, sizeof text, "If-Range: %s", d->version);
    *fields = curl_slist_append(NULL, text);
    /* CURLOPT_RESUME_FROM would fail where the server sends the whole file. */
    return *fields && SET(CURLOPT_RANGE, range) && SET(CURLOPT_HTTPHEADER, *fields);
}

static bool set_all(struct download *d)
{
    long stall = d->f->stall_s > 0 ? d->f->stall_s : STALL_S;
    bool https = strncasecmp(d->f->url, "https:", 6) == 0;
    return SET(CURLOPT_URL, d->f->url) && SET(CURLOPT_PROTOCOLS_STR, "http,https") &&
           SET(CURLOPT_REDIR_PROTOCOLS_STR, https ? "https" : "http,https") &&
           SET(CURLOPT_FOLLOWLOCATION, 1L) && SET(CURLOPT_MAXREDIRS, (long)REDIRECTS) &&
           SET(CURLOPT_FAILONERROR, 1L) && SET(CURLOPT_USERAGENT, "weft") &&
           SET(CURLOPT_CONNECTTIMEOUT, stall) && SET(CURLOPT_LOW_SPEED_LIMIT, 1L) &&
           SET(CURLOPT_LOW_SPEED_TIME, stall) && SET(CURLOPT_ERRORBUFFER, d->said) &&
           SET(CURLOPT_WRITEFUNCTION, on_bytes) && SET(CURLOPT_WRITEDATA, d) &&
           SET(CURLOPT_XFERINFOFUNCTION, on_progress) && SET(CURLOPT_XFERINFODATA, d) &&
           SET(CURLOPT_NOPROGRESS, 0L);
}

/* Status 416 says that the file ends before or where the part ends. Returns false where the part is
 * the whole file, as after a crash before the rename. */
static bool past_the_end(struct download *d)
{
    const char *range = header(d, "Content-Range");
    long long total = -1;
    if (range && sscanf(range, "bytes */%lld", &total) == 1 && total == d->have && same_version(d))
        return false;
    return true;
}

/* Says what came of a request, whose answer has ended. */
static enum wf_status judge(struct download *d, CURLcode code)
{
    long status = 0;
    curl_easy_getinfo(d->h, CURLINFO_RESPONSE_CODE, &status);
    if (code == CURLE_OK && !d->begun) return begin(d);
    if (code == CURLE_OK && (d->total == 0 || d->have == d->total)) return WF_OK;
    if (code == CURLE_OK)
        return wf_fail(d->err, WF_EIO, "%s: %s: ended at byte %lld of %lld", d->f->path, d->f->url,
                       (long long)d->have, (long long)d->total);
    if (d->bad != WF_OK) return d->bad;
    if (code == CURLE_ABORTED_BY_CALLBACK)
        return wf_fail(d->err, WF_EINTR, "%s: %s: stopped", d->f->path, d->f->url);
    if (code == CURLE_HTTP_RETURNED_ERROR && status == 416 && d->have > 0) {
        d->anew = past_the_end(d);
        return d->anew ? WF_EIO : WF_OK;
    }
    if (code == CURLE_HTTP_RETURNED_ERROR)
        return wf_fail(d->err, WF_EIO, "%s: %s: HTTP status %ld", d->f->path, d->f->url, status);
    return wf_fail(d->err, WF_EIO, "%s: %s: %s", d->f->path, d->f->url,
                   d->said[0] ? d->said : curl_easy_strerror(code));
}

static enum wf_status request(struct download *d)
{
    struct curl_slist *fields = NULL;
    d->begun = d->anew = false;
    d->bad = WF_OK;
    d->total = 0;
    d->said[0] = 0;
    d->h = curl_easy_init();
    enum wf_status s;
    if (d->h && set_all(d) && set_range(d, &fields))
        s = judge(d, curl_easy_perform(d->h));
    else
        s = wf_fail(d->err, WF_EINVAL, "%s: %s: libcurl takes no such request", d->f->path,
                    d->f->url);
    curl_slist_free_all(fields);
    curl_easy_cleanup(d->h);
    return s;
}

static enum wf_status transfer(struct download *d)
{
    enum wf_status s = request(d);
    if (!d->anew) return s;
    WF_TRY(empty(d));
    return request(d);
}

/* ---- all ---- */

/* Keeps the bytes that a next call can go on from, and adds that to the message. */
static enum wf_status give_up(struct download *d, enum wf_status s)
{
    if (d->have == 0 || !d->version[0]) {
        drop(d);
    } else if (d->err) {
        struct wf_error why = *d->err;
        wf_fail(d->err, s, "%s; %lld bytes are kept, the same call goes on from there", why.message,
                (long long)d->have);
    }
    return s;
}

static enum wf_status finish(struct download *d)
{
    enum wf_status s = check_digest(d->fd, d->have, d->f, d->err);
    if (s == WF_EFORMAT && d->err) {
        struct wf_error why = *d->err;
        wf_fail(d->err, s, "%s; from %s", why.message, d->f->url);
    }
    if (s == WF_EFORMAT) drop(d);
    if (s != WF_OK) return s;
    WF_TRY(wf_file_commit(d->part, d->f->path, d->err));
    unlink(d->tag);
    return WF_OK;
}

enum wf_status wf_fetch_file(struct wf_fetched *out, const struct wf_fetch *f, struct wf_error *err)
{
    struct wf_fetched none, *to = out ? out : &none;
    struct download d = { .f = f, .err = err, .fd = -1 };
    *to = (struct wf_fetched){ 0 };
    WF_TRY(check_kept(to, f, err));
    if (to->kept) return WF_OK;
    enum wf_status s = open_part(&d);
    if (s == WF_OK) {
        s = transfer(&d);
        s = s == WF_OK ? finish(&d) : give_up(&d, s);
        *to = (struct wf_fetched){ .size = d.have, .first = d.first };
    }
    if (d.fd >= 0) close(d.fd);
    return s;
}

enum wf_status wf_fetch_url(char *url, size_t size, const struct wf_catalog_entry *entry, int i,
                            const char *base, struct wf_error *err)
{
    const struct wf_catalog_file *file = &entry->file[i];
    if (!base && !file->url)
        return wf_fail(err, WF_EINVAL, "%s: %s cannot be downloaded: %s", entry->name, file->name,
                       entry->source);
    size_t n = base ? strlen(base) : 0;
    const char *slash = n && base[n - 1] != '/' ? "/" : "";
    int length = base ? snprintf(url, size, "%s%s%s", base, slash, file->name)
                      : snprintf(url, size, "%s", file->url);
    if (length >= 0 && (size_t)length < size) return WF_OK;
    return wf_fail(err, WF_EINVAL, "%s: the address of %s is too long", entry->name, file->name);
}
