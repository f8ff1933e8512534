/* fetch.h - files from the web, whole or not at all.
 *
 * A file grows beside its place, as PATH.part, and what the server says of its version is kept in
 * PATH.part.tag; when it is complete, and its digest is the published one, it is renamed to PATH.
 * Whatever stops a download, the next call goes on from the bytes that are there, unless the server
 * has another version by then or cannot send parts. Redirects are followed, never from https to
 * http; certificates are checked; proxies are those of the environment (curl(1)). */
#ifndef WF_FETCH_H
#define WF_FETCH_H

#include <stdbool.h>
#include <stdint.h>
#include "data/catalog.h"

#ifdef __cplusplus
extern "C" {
#endif

struct wf_fetch {
    const char *url, *path; /* the folder of path exists */
    const char *digest;     /* "sha256:HEX", "md5:HEX"; NULL: none is known */
    int stall_s;            /* gives up after so long without a byte; 0: 60 */
    /* May be NULL. Called often: `done` of `total` bytes are there (total 0: not
     * known). Returns false to stop. */
    bool (*tell)(void *ctx, int64_t done, int64_t total);
    void *ctx;
};

struct wf_fetched {
    bool kept;     /* it was there already; nothing was asked of the server */
    int64_t size;  /* of the file */
    int64_t first; /* bytes of an earlier call it went on from */
};

/* WF_EFORMAT: not the published digest; the bytes are dropped. WF_EINTR: tell() said so. WF_EIO:
 * all else, with URL and path; what came so far stays. A file at path that has another digest is
 * left alone and refused. out may be NULL. */
enum wf_status wf_fetch_file(struct wf_fetched *out, const struct wf_fetch *f,
                             struct wf_error *err);

/* The address of file i of a set in url: BASE/NAME where base is not NULL, else the catalog's.
 * WF_EINVAL, and how to get it, where there is none, or it is too long. */
enum wf_status wf_fetch_url(char *url, size_t size, const struct wf_catalog_entry *entry, int i,
                            const char *base, struct wf_error *err);

#ifdef __cplusplus
}
#endif
#endif
