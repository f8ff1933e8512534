/* gnuplot.c - writes data and a script for gnuplot, and runs it; gnuplot_private.h says how it is used. */
#include "apps/pictures/gnuplot_private.h"
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "data/file.h"
#include "apps/kit/spawn.h"
#include "tensor/alloc.h"

const char *const wf_colours[7] = { "#0072B2", "#D55E00", "#009E73", "#CC79A7",
                                    "#E69F00", "#56B4E9", "#666666" };

enum wf_status wf_plots_init(struct wf_plots *p, const char *folder, FILE *log,
                             struct wf_error *err)
{
    struct stat st;
    *p = (struct wf_plots){ .log = log };
    if (mkdir(folder, 0777) != 0 && errno != EEXIST)
        return wf_fail(err, WF_EIO, "%s: %s", folder, strerror(errno));
    if (stat(folder, &st) != 0 || !S_ISDIR(st.st_mode))
        return wf_fail(err, WF_EIO, "%s: not a folder", folder);
    p->folder = wf_strdup(folder);
    if (!p->folder) return wf_fail(err, WF_ENOMEM, "%s: no memory for its name", folder);
    return WF_OK;
}

void wf_plots_free(struct wf_plots *p)
{
    wf_free(p->folder);
    *p = (struct wf_plots){ 0 };
}

void wf_picture_string(FILE *script, const char *text)
{
    putc('\'', script);
    for (const char *c = text; *c; c++) {
        if (*c == '\'') putc('\'', script);
        putc((unsigned char)*c < ' ' ? ' ' : *c, script);
    }
    putc('\'', script);
}

/* Writes what every script begins with. PNG and SVG share it, so that they show the same. */
static void preamble(FILE *f, const char *name, const char *title)
{
    fprintf(f,
            "# Draws %s.png and %s.svg: gnuplot %s.gp\n"
            "if (!exists('suffix')) suffix = ''\n"
            "set encoding utf8\n"
            "set datafile separator comma\n"
            "do for [kind in 'png svg'] {\n"
            "reset\n"
            "set datafile separator comma\n"
            "if (kind eq 'png') { set terminal pngcairo size 1600,900 font 'sans,17' }\n"
            "if (kind eq 'svg') { set terminal svg size 1600,900 dynamic font 'sans-serif,17' "
            "fontscale 1.333 background '#ffffff' }\n"
            "set output '%s.'.kind.suffix\n"
            "set border 3 linewidth 1 linecolor '#888888'\n"
            "set tics nomirror out scale 0.5 textcolor '#444444'\n"
            "set grid back linetype 1 linewidth 1 linecolor '#e4e4e4'\n"
            "set format '%%g'\n"
            "set xlabel textcolor '#444444'\n"
            "set ylabel textcolor '#444444'\n"
            "set cblabel textcolor '#444444'\n"
            "set label 1 ",
            name, name, name, name);
    wf_picture_string(f, title);
    fputs(" at screen 0.07,0.955 left font ',24' noenhanced\n", f);
}

static enum wf_status open_text(struct wf_text *t, const struct wf_picture *pic, const char *end,
                                struct wf_error *err)
{
    char *path = wf_text_path(pic->plots->folder, pic->name, end);
    if (!path) return wf_fail(err, WF_ENOMEM, "%s: no memory for its name", pic->plots->folder);
    enum wf_status s = wf_text_open(t, path, err);
    wf_free(path);
    return s;
}

enum wf_status wf_picture_begin(struct wf_picture *pic, struct wf_plots *plots, const char *name,
                                const char *title, struct wf_error *err)
{
    *pic = (struct wf_picture){ .plots = plots, .name = name };
    WF_TRY(open_text(&pic->data, pic, ".csv", err));
    enum wf_status s = open_text(&pic->script, pic, ".gp", err);
    if (s != WF_OK)
        wf_text_drop(&pic->data);
    else
        preamble(pic->script.f, name, title);
    return s;
}

static enum wf_status run_gnuplot(struct wf_picture *pic, bool *drawn, struct wf_error *err)
{
    char script[64], log[64];
    pid_t pid;
    int status;
    const char *folder = pic->plots->folder;
    snprintf(script, sizeof script, "%s.gp", pic->name);
    snprintf(log, sizeof log, "%s.log", pic->name);
    char *const argv[] = { "gnuplot", "-d", "-e", "suffix='.tmp'", script, NULL };
    int rc = wf_spawn(&pid, folder, argv, log);
    *drawn = false;
    if (rc == ENOENT) {
        pic->plots->missing = true;
        if (pic->plots->log)
            fprintf(pic->plots->log,
                    "no gnuplot in PATH: pictures are skipped, their data are in %s "
                    "(Debian, Ubuntu: apt-get install gnuplot-nox)\n",
                    folder);
        return WF_OK;
    }
    if (rc != 0) return wf_fail(err, WF_EIO, "%s/%s: gnuplot: %s", folder, script, strerror(rc));
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return wf_fail(err, WF_EIO, "%s/%s: gnuplot: %s", folder, script, strerror(errno));
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        return wf_fail(err, WF_EIO, "%s/%s: gnuplot failed, its reason is in %s", folder, script,
                       log);
    *drawn = true;
    return WF_OK;
}

/* Puts the finished picture in place, or without `keep` removes what gnuplot has left of it. */
static enum wf_status place(struct wf_picture *pic, const char *end, bool keep,
                            struct wf_error *err)
{
    char *path = wf_text_path(pic->plots->folder, pic->name, end);
    char *temporary = path ? wf_file_temporary(path) : NULL;
    enum wf_status s = WF_OK;
    if (!temporary)
        s = wf_fail(err, WF_ENOMEM, "%s: no memory for its name", pic->plots->folder);
    else if (keep)
        s = wf_file_commit(temporary, path, err);
    else
        unlink(temporary);
    wf_free(temporary);
    wf_free(path);
    return s;
}

enum wf_status wf_picture_end(struct wf_picture *pic, struct wf_error *err)
{
    bool drawn = false;
    fputs("unset output\n}\n", pic->script.f);
    enum wf_status s = wf_text_close(&pic->data, err);
    enum wf_status s2 = wf_text_close(&pic->script, s == WF_OK ? err : NULL);
    if (s == WF_OK) s = s2;
    if (s != WF_OK || pic->plots->missing) return s;
    s = run_gnuplot(pic, &drawn, err);
    const char *const ends[] = { ".png", ".svg" };
    for (int i = 0; i < 2; i++) {
        s2 = place(pic, ends[i], drawn, s == WF_OK ? err : NULL);
        if (s == WF_OK) s = s2;
    }
    char *log = s == WF_OK ? wf_text_path(pic->plots->folder, pic->name, ".log") : NULL;
    if (log) unlink(log);
    wf_free(log);
    return s;
}
