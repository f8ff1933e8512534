/* worker_monitor - writes what this node uses to a CSV file while something runs on it. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "apps/kit/cli.h"
#include "apps/kit/machine.h"
#include "apps/kit/process.h"

struct job {
    char out[WF_CONFIG_TEXT];
    double interval;
    int pid;
    bool append;
    char **command; /* what follows "--"; NULL: nothing does */
};
static const struct wf_field fields[] = {
    WF_FIELD(job, "out", TEXT, out, 0, 0, NULL, "CSV file to write; %h stands for the host's name"),
    WF_FIELD(job, "interval", DOUBLE, interval, 0.01, 86400, NULL, "seconds between lines"),
    WF_FIELD(job, "append", BOOL, append, 0, 1, NULL, "add to the lines that are in the file"),
    WF_FIELD(job, "pid", INT, pid, 0, 2147483647, NULL, "process with which to end; 0: none"),
    { 0 }
};

/* Puts the host's name in place of each %h. */
static enum wf_status file_name(char *path, size_t size, const char *pattern, struct wf_error *err)
{
    char host[256] = "";
    size_t used = 0;
    if (gethostname(host, sizeof host - 1) != 0)
        return wf_fail(err, WF_EIO, "the host has no name: %s", strerror(errno));
    path[0] = 0;
    for (const char *c = pattern; *c && used + 1 < size; c++) {
        if (c[0] == '%' && c[1] == 'h') {
            used += (size_t)snprintf(path + used, size - used, "%s", host);
            c++;
        } else {
            path[used++] = *c;
            path[used] = 0;
        }
    }
    return used + 1 < size ? WF_OK : wf_fail(err, WF_EINVAL, "--out %s: too long", pattern);
}

/* Waits for what is watched. *code becomes the exit status of the command, if there is one. */
static enum wf_status follow(const struct job *j, int *code, struct wf_error *err)
{
    pid_t child;
    if (j->pid && !wf_process_runs(j->pid))
        return wf_fail(err, WF_EINVAL, "--pid %d: there is no such process", j->pid);
    if (!j->command) {
        wf_process_watch(j->pid);
        return WF_OK;
    }
    WF_TRY(wf_process_start(&child, j->command, err));
    *code = wf_process_wait(child);
    return WF_OK;
}

static enum wf_status watch(const struct job *j, int *code, struct wf_error *err)
{
    char path[2 * WF_CONFIG_TEXT];
    struct wf_machine *node;
    struct wf_monitor_source source;
    WF_TRY(file_name(path, sizeof path, j->out, err));
    WF_TRY(wf_machine_open(&node, &source, err));
    struct wf_monitor m = {
        .every_s = j->interval, .append = j->append, .source = &source, .ctx = node
    };
    enum wf_status s = wf_monitor_start(&m, path, err);
    if (s == WF_OK) {
        s = follow(j, code, err);
        struct wf_error late = { 0 };
        if (wf_monitor_stop(&m, &late) != WF_OK && s == WF_OK)
            s = wf_fail(err, late.status, "%s: %s", path, late.message);
    }
    wf_machine_close(node);
    return s;
}

/* Cuts the command line at "--"; what follows is the command. */
static int own_arguments(int argc, char **argv, struct job *j)
{
    int i = 1;
    while (i < argc && strcmp(argv[i], "--") != 0) i++;
    if (i + 1 < argc) j->command = argv + i + 1;
    return i;
}

int main(int argc, char **argv)
{
    struct job j = { .interval = 1 };
    const struct wf_config c = { fields, &j, "Options" };
    struct wf_cli cli = { 0 };
    struct wf_error err = { 0 };
    int code = 0, own = own_arguments(argc, argv, &j);
    enum wf_status s = wf_cli_parse(own, argv, &c, 1, &cli, &err);
    if (s == WF_OK && cli.help) {
        printf(
            "usage: worker_monitor --out FILE [--OPTION VALUE ..] [-- COMMAND ARGUMENTS]\n\n"
            "Writes a line at each interval until SIGINT or SIGTERM, until the process of --pid "
            "ends, or until\nthe command ends, to which SIGTERM is passed on and whose exit status "
            "it returns.\n");
        wf_config_help(&c, 1, stdout);
        return 0;
    }
    if (s == WF_OK && cli.positionals)
        s = wf_fail(&err, WF_EINVAL, "'%s': want options, then -- and a command",
                    cli.positional[0]);
    if (s == WF_OK && own < argc && !j.command)
        s = wf_fail(&err, WF_EINVAL, "want a command after --");
    if (s == WF_OK && !j.out[0]) s = wf_fail(&err, WF_EINVAL, "want --out FILE");
    if (s == WF_OK && j.pid && j.command)
        s = wf_fail(&err, WF_EINVAL, "want either --pid or a command");
    if (s == WF_OK) {
        wf_cli_catch_signals();
        s = watch(&j, &code, &err);
    }
    return s == WF_OK ? code : wf_cli_fail(argv[0], &err);
}
