/* command_fetch.c - dataset fetch: downloads the files of a known data set. */
#include <stdio.h>
#include "apps/dataset/commands_private.h"
#include "apps/dataset/fetch.h"
#include "apps/kit/cli.h"
#include "data/file.h"
#include "dist/clock.h"

/* What is shown of one file's download. */
struct counter {
    struct wf_bar bar;
    const char *file;
    int64_t first; /* bytes that were there before this call; -1: not known yet */
};

/* Shows a bar on a terminal, or a line in a log every so often. Returns false to stop. */
static bool show_bytes(void *ctx, int64_t done, int64_t total)
{
    struct counter *d = ctx;
    struct wf_progress *p = &d->bar.p;
    char text[WF_CONFIG_TEXT];
    double now = wf_now();
    if (d->first < 0 || done < d->first) d->first = done;
    if (total == 0) return !wf_cli_stopped();
    snprintf(text, sizeof text, "%s %.1f of %.1f MB", d->file, 1e-6 * (double)done,
             1e-6 * (double)total);
    p->first = (int)(d->first >> 10);
    p->total = (int)(total >> 10);
    wf_progress_show(p, (int)(done >> 10), text);
    if (!p->terminal && now - d->bar.told > WF_BAR_LINE_S) {
        wf_progress_line(p, text);
        d->bar.told = now;
    }
    return !wf_cli_stopped();
}

static enum wf_status fetch_file(const char *path, const char *url,
                                 const struct wf_catalog_file *file, int stall_s,
                                 struct wf_error *err)
{
    struct counter d = { .file = file->name, .first = -1 };
    struct wf_fetched got;
    const struct wf_fetch f = { .url = url,
                                .path = path,
                                .digest = file->digest,
                                .stall_s = stall_s,
                                .tell = show_bytes,
                                .ctx = &d };
    wf_bar_start(&d.bar);
    enum wf_status s = wf_fetch_file(&got, &f, err);
    if (d.bar.p.drawn > 0) fputs("\r\033[K", stderr);
    if (s != WF_OK) return s;
    printf("%s: %lld bytes, ", path, (long long)got.size);
    if (got.first > 0) printf("from byte %lld on, ", (long long)got.first);
    printf("%s%s\n", got.kept ? "there already, " : "",
           file->digest ? "digest as published" : "no digest is published");
    return WF_OK;
}

struct place {
    char path[2 * WF_CONFIG_TEXT], url[1024]; /* url "": nothing is to be downloaded */
};

/* Finds where a file is from and where it goes. One that nobody offers may be there already. */
static enum wf_status find_place(struct place *to, const struct wf_dataset_job *j,
                                 const struct wf_catalog_entry *e, int i, struct wf_error *err)
{
    const char *base = j->from.url[0] ? j->from.url : NULL;
    snprintf(to->path, sizeof to->path, "%s/%s/%s", j->here.folder, e->name, e->file[i].name);
    to->url[0] = 0;
    if (!base && !e->file[i].url && wf_file_check(to->path, NULL) == WF_OK) return WF_OK;
    return wf_fetch_url(to->url, sizeof to->url, e, i, base, err);
}

enum wf_status wf_dataset_fetch(struct wf_dataset_job *j, struct wf_error *err)
{
    const struct wf_catalog_entry *e;
    struct place to[WF_CATALOG_FILES];
    char folder[WF_CONFIG_TEXT];
    int n = 0;
    WF_TRY(wf_catalog_need(&e, j->in, err));
    if (!e->file[0].name)
        return wf_fail(err, WF_EINVAL,
                       "%s: is nowhere to download; make it with `dataset synth %s`", e->name,
                       e->name);
    if (snprintf(folder, sizeof folder, "%s/%s", j->here.folder, e->name) >= (int)sizeof folder)
        return wf_fail(err, WF_EINVAL, "--data-folder %.40s..: too long", j->here.folder);
    for (; n < WF_CATALOG_FILES && e->file[n].name; n++) WF_TRY(find_place(&to[n], j, e, n, err));
    WF_TRY(wf_make_folder(folder, err));
    wf_cli_catch_signals();
    printf("%s: %s; licence: %s\n", e->name, e->about, e->licence);
    for (int i = 0; i < n; i++)
        if (to[i].url[0]) {
            WF_TRY(fetch_file(to[i].path, to[i].url, &e->file[i], j->from.stall_s, err));
        } else {
            printf("%s: there already\n", to[i].path);
        }
    return WF_OK;
}
