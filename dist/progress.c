#include "dist/progress.h"
#include <unistd.h>
#include "dist/clock.h"

void wf_progress_start(struct wf_progress *p, FILE *out, int first, int total)
{
    *p = (struct wf_progress){ .out = out, .started = wf_now(), .first = first, .total = total };
    p->terminal = out && isatty(fileno(out));
}

void wf_progress_show(struct wf_progress *p, int done, const char *text)
{
    enum { WIDTH = 30 };
    double now = wf_now();
    if (!p->terminal || now - p->drawn < 0.1) return;
    p->drawn = now;
    char bar[WIDTH + 1];
    int full = p->total > 0 ? (int)((double)done / p->total * WIDTH) : WIDTH;
    for (int i = 0; i < WIDTH; i++) bar[i] = i < full ? '#' : '.';
    bar[WIDTH] = 0;
    int here = done - p->first;
    int left = here > 0 ? (int)((now - p->started) / here * (p->total - done) + 0.5) : 0;
    fprintf(p->out, "\r\033[K[%s] %s, ETA %d:%02d", bar, text, left / 60, left % 60);
    fflush(p->out);
}

void wf_progress_line(struct wf_progress *p, const char *text)
{
    if (!p->out) return;
    fprintf(p->out, "%s%s\n", p->terminal ? "\r\033[K" : "", text);
    fflush(p->out);
}
