#include "apps/reproduce/trial.h"
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "data/file.h"
#include "apps/kit/cli.h"
#include "apps/experiment/experiment.h"
#include "apps/kit/spawn.h"
#include "apps/kit/text.h"
#include "tensor/alloc.h"

enum { MAXPATH = WF_CONFIG_TEXT + 32, MAXWORD = 128 };

void wf_trial_init(struct wf_trial *t, const char *folder_format, ...)
{
    va_list ap;
    *t = (struct wf_trial){ 0 };
    va_start(ap, folder_format);
    int n = vsnprintf(t->folder, sizeof t->folder, folder_format, ap);
    va_end(ap);
    int all = snprintf(t->product, sizeof t->product, "%s/stats.csv", t->folder);
    t->overflow = n < 0 || n >= (int)sizeof t->folder || all >= (int)sizeof t->product;
}

void wf_trial_word(struct wf_trial *t, const char *format, ...)
{
    va_list ap;
    size_t used = strlen(t->command), room = sizeof t->command - used;
    va_start(ap, format);
    int n = vsnprintf(t->command + used, room, format, ap);
    va_end(ap);
    if (n < 0 || (size_t)n + 1 >= room)
        t->overflow = true;
    else
        strcpy(t->command + used + n, "\n");
}

void wf_trial_options(struct wf_trial *t, const char *lines)
{
    for (struct wf_setting s; wf_setting_next(&lines, &s);) {
        WF_CHECK(s.value);
        wf_trial_word(t, "--%.*s", (int)s.name_length, s.name);
        wf_trial_word(t, "%.*s", (int)s.value_length, s.value);
    }
}

static void file_in(const struct wf_trial *t, const char *name, char path[MAXPATH])
{
    snprintf(path, MAXPATH, "%s/%s", t->folder, name);
}

static bool same_command(const struct wf_trial *t)
{
    char path[MAXPATH], *bytes;
    size_t size;
    struct wf_error none = { 0 };
    file_in(t, "command.txt", path);
    if (access(path, F_OK) != 0 || wf_file_read(path, &bytes, &size, &none) != WF_OK) return false;
    bool same = size == strlen(t->command) && memcmp(bytes, t->command, size) == 0;
    wf_free(bytes);
    return same;
}

bool wf_trial_done(const struct wf_trial *t)
{
    return access(t->product, F_OK) == 0 && same_command(t);
}

/* Removes what an earlier command left, which would be taken for this one's, and keeps the
 * command. */
static enum wf_status begin_anew(const struct wf_trial *t, struct wf_error *err)
{
    static const char *const left[] = { "per_epoch_stats.csv", "system_stats.csv", "last.h5",
                                        "best.h5" };
    char path[MAXPATH];
    struct wf_text text;
    if (unlink(t->product) != 0 && errno != ENOENT)
        return wf_fail(err, WF_EIO, "%s: %s", t->product, strerror(errno));
    for (size_t i = 0; i < sizeof left / sizeof *left; i++) {
        file_in(t, left[i], path);
        if (unlink(path) != 0 && errno != ENOENT)
            return wf_fail(err, WF_EIO, "%s: %s", path, strerror(errno));
    }
    file_in(t, "command.txt", path);
    WF_TRY(wf_text_open(&text, path, err));
    fputs(t->command, text.f);
    return wf_text_close(&text, err);
}

/* Cuts words at newlines; argv points into them. Returns false where there are too many or none. */
static bool split(char *words, char *argv[MAXWORD])
{
    int n = 0;
    for (char *at = words; *at; n++) {
        if (n + 1 == MAXWORD) return false;
        argv[n] = at;
        at += strcspn(at, "\n");
        if (*at) *at++ = 0;
    }
    argv[n] = NULL;
    return n > 0;
}

/* Waits for a process and returns its status. A signal is passed on once, as SIGTERM; one that came
 * from a terminal has reached both already. Signals are looked for now and then, because a wait
 * that began just after one would sleep through it. */
static int wait_for(pid_t pid)
{
    const struct timespec moment = { .tv_nsec = 20000000 };
    int status = -1;
    bool told = false;
    pid_t ended;
    while ((ended = waitpid(pid, &status, WNOHANG)) == 0 || (ended < 0 && errno == EINTR)) {
        if (wf_cli_stopped() && !told) kill(pid, SIGTERM);
        told = told || wf_cli_stopped();
        nanosleep(&moment, NULL);
    }
    return status;
}

/* Copies the last line of a log that is not empty. */
static void last_line(const char *path, char *line, size_t size)
{
    char *bytes;
    size_t n;
    struct wf_error none = { 0 };
    snprintf(line, size, "it said nothing");
    if (wf_file_read(path, &bytes, &n, &none) != WF_OK) return;
    while (n && (bytes[n - 1] == '\n' || bytes[n - 1] == '\r')) n--;
    size_t from = n;
    while (from && bytes[from - 1] != '\n') from--;
    if (n > from) snprintf(line, size, "%.*s", (int)(n - from), bytes + from);
    wf_free(bytes);
}

static enum wf_status run_command(const struct wf_trial *t, struct wf_error *err)
{
    char words[WF_TRIAL_TEXT + 32], log[MAXPATH], line[300];
    char *argv[MAXWORD];
    pid_t pid;
    snprintf(words, sizeof words, "%s%s", t->command, t->resumes ? "--resume\nTrue\n" : "");
    if (t->overflow || !split(words, argv))
        return wf_fail(err, WF_EINVAL, "%s: the command is too long", t->folder);
    file_in(t, "log.txt", log);
    if (wf_cli_stopped()) return wf_fail(err, WF_EINTR, "stopped before %s", t->folder);
    int rc = wf_spawn(&pid, NULL, argv, log);
    if (rc != 0) return wf_fail(err, WF_EIO, "%s: %s", argv[0], strerror(rc));
    int status = wait_for(pid);
    if (wf_cli_stopped()) return wf_fail(err, WF_EINTR, "stopped in %s", t->folder);
    if (status == 0) return WF_OK;
    last_line(log, line, sizeof line);
    if (WIFSIGNALED(status))
        return wf_fail(err, WF_EIO, "%s: ended by signal %d: %s", log, WTERMSIG(status), line);
    return wf_fail(err, WF_EIO, "%s: exit status %d: %s", log, WEXITSTATUS(status), line);
}

enum wf_status wf_trial_run(const struct wf_trial *t, struct wf_error *err)
{
    if (wf_trial_done(t)) return WF_OK;
    WF_TRY(wf_make_folder(t->folder, err));
    if (!same_command(t)) WF_TRY(begin_anew(t, err));
    WF_TRY(run_command(t, err));
    if (access(t->product, F_OK) == 0) return WF_OK;
    return wf_fail(err, WF_EIO, "%s: the program ended well, but this file is not there",
                   t->product);
}

/* ---- what it left ---- */

/* Copies field k of a line, without quotes; returns false when there are fewer. */
static bool field(const char *line, int k, char *out, size_t size)
{
    bool quoted = false;
    size_t n = 0;
    for (; *line && *line != '\n'; line++) {
        if (*line == '"') {
            quoted = !quoted;
        } else if (*line == ',' && !quoted) {
            if (k-- == 0) break;
        } else if (k == 0 && n + 1 < size) {
            out[n++] = *line;
        }
    }
    out[n] = 0;
    return k <= 0;
}

enum wf_status wf_trial_text(const struct wf_trial *t, const char *file, const char *column,
                             char *text, size_t size, struct wf_error *err)
{
    char path[MAXPATH], head[4096], row[4096], name[128];
    file_in(t, file, path);
    FILE *f = fopen(path, "re");
    if (!f) return wf_fail(err, WF_EIO, "%s: %s", path, strerror(errno));
    bool there = fgets(head, sizeof head, f) && fgets(row, sizeof row, f);
    fclose(f);
    if (!there) return wf_fail(err, WF_EFORMAT, "%s: want a line of names and one of values", path);
    for (int k = 0; field(head, k, name, sizeof name) && name[0]; k++)
        if (strcmp(name, column) == 0 && field(row, k, text, size)) return WF_OK;
    return wf_fail(err, WF_EFORMAT, "%s: has no column %s", path, column);
}

enum wf_status wf_trial_number(const struct wf_trial *t, const char *file, const char *column,
                               double *x, struct wf_error *err)
{
    char text[64], *end;
    WF_TRY(wf_trial_text(t, file, column, text, sizeof text, err));
    *x = strtod(text, &end);
    if (end != text && !*end) return WF_OK;
    return wf_fail(err, WF_EFORMAT, "%s/%s: %s is '%s', want a number", t->folder, file, column,
                   text);
}
