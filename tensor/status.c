#include "tensor/status.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *wf_status_text(enum wf_status s)
{
    switch (s) {
#define X(name, text)                                                                              \
    case WF_##name:                                                                                \
        return text;
        WF_STATUS_MAP(X)
#undef X
    }
    return "unknown status";
}

enum wf_status wf_fail(struct wf_error *e, enum wf_status s, const char *fmt, ...)
{
    if (e) {
        va_list ap;
        e->status = s;
        va_start(ap, fmt);
        vsnprintf(e->message, sizeof e->message, fmt, ap);
        va_end(ap);
    }
    return s;
}

enum wf_status wf_fail_in(struct wf_error *e, const char *fmt, ...)
{
    char where[sizeof e->message];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(where, sizeof where, fmt, ap);
    va_end(ap);
    if (n < 0 || (size_t)n >= sizeof where) n = sizeof where - 1;
    int room = (int)sizeof where - n - 3;
    snprintf(where + n, sizeof where - (size_t)n, ": %.*s", room > 0 ? room : 0, e->message);
    memcpy(e->message, where, sizeof where);
    return e->status;
}

void wf_check_failed(const char *cond, const char *file, int line)
{
    fprintf(stderr, "weft: broken invariant at %s:%d: %s\n", file, line, cond);
    abort();
}
