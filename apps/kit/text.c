#include "apps/kit/text.h"
#include <errno.h>
#include <math.h>
#include <string.h>
#include <unistd.h>
#include "data/file.h"
#include "tensor/alloc.h"

static void release(struct wf_text *t)
{
    wf_free(t->path);
    wf_free(t->temporary);
    *t = (struct wf_text){ 0 };
}

enum wf_status wf_text_open(struct wf_text *t, const char *path, struct wf_error *err)
{
    *t = (struct wf_text){ .path = wf_strdup(path), .temporary = wf_file_temporary(path) };
    enum wf_status s = WF_OK;
    if (!t->path || !t->temporary)
        s = wf_fail(err, WF_ENOMEM, "%s: no memory for its name", path);
    else if (!(t->f = fopen(t->temporary, "we")))
        s = wf_fail(err, WF_EIO, "%s: %s", t->temporary, strerror(errno));
    if (s != WF_OK) release(t);
    return s;
}

enum wf_status wf_text_close(struct wf_text *t, struct wf_error *err)
{
    enum wf_status s;
    errno = 0;
    int lost = ferror(t->f);
    lost |= fclose(t->f);
    if (lost) {
        s = wf_fail(err, WF_EIO, "%s: %s", t->path, errno ? strerror(errno) : "a write failed");
        unlink(t->temporary);
    } else {
        s = wf_file_commit(t->temporary, t->path, err);
    }
    release(t);
    return s;
}

void wf_text_drop(struct wf_text *t)
{
    fclose(t->f);
    unlink(t->temporary);
    release(t);
}

void wf_text_field(FILE *f, const char *s)
{
    if (!strpbrk(s, ",\"\r\n")) {
        fputs(s, f);
        return;
    }
    putc('"', f);
    for (; *s; s++) {
        if (*s == '"') putc('"', f);
        putc(*s, f);
    }
    putc('"', f);
}

void wf_text_number(FILE *f, double x)
{
    if (isnan(x))
        fputs("nan", f); /* printf may put a sign in front */
    else
        fprintf(f, "%.9g", x);
}

char *wf_text_path(const char *folder, const char *name, const char *end)
{
    size_t size = strlen(folder) + strlen(name) + strlen(end) + 2;
    char *p = wf_malloc(size);
    if (p) snprintf(p, size, "%s/%s%s", folder, name, end);
    return p;
}
