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
    const char *digest;     /* "sha256:HEX" or "md5:HEX"; NULL: none is published */
    int stall_s;            /* seconds without a byte after which to give up; 0: 60 */
    /* Called often with the bytes that are there and those of the whole file (0: not known);
     * returns false to stop. May be NULL. */
    bool (*tell)(void *ctx, int64_t done, int64_t total);
    void *ctx;
};

struct wf_fetched {
    bool kept;     /* the file was there already; no server was asked */
    int64_t size;  /* bytes of the file */
    int64_t first; /* bytes that an earlier call had left */
};

/* Downloads f->url to f->path. A file that is there already is kept if it has the digest; else it
 * is left alone and refused. WF_EFORMAT: the digest is not the published one, and the bytes that
 * came are dropped; WF_EINTR: tell() said so; WF_EIO: all else, with URL and path. What came before
 * an error of the last two kinds stays for the next call. out may be NULL. */
enum wf_status wf_fetch_file(struct wf_fetched *out, const struct wf_fetch *f,
                             struct wf_error *err);

/* Writes the address of file i of a data set into url: BASE/NAME where base is not NULL, else
 * the catalog's. WF_EINVAL: there is none, and the message says how to get the file; or it is
 * too long. */
enum wf_status wf_fetch_url(char *url, size_t size, const struct wf_catalog_entry *entry, int i,
                            const char *base, struct wf_error *err);

#ifdef __cplusplus
}
#endif
#endif
