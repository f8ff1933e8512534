#include "apps/kit/cli.h"
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include "tensor/alloc.h"

static volatile sig_atomic_t stop; /* the number of the signal; 0: none has come */

static void on_signal(int number)
{
    stop = number;
    signal(number, SIG_DFL);
}

void wf_cli_catch_signals(void)
{
    struct sigaction a = { .sa_handler = on_signal };
    stop = 0;
    sigaction(SIGINT, &a, NULL);
    sigaction(SIGTERM, &a, NULL);
    sigaction(SIGUSR1, &a, NULL);
}

int wf_cli_stopped(void)
{
    return stop;
}

const volatile sig_atomic_t *wf_cli_stop_flag(void)
{
    return &stop;
}

int wf_cli_fail(const char *program, const struct wf_error *err)
{
    const char *slash = strrchr(program, '/');
    fflush(stdout);
    fprintf(stderr, "%s: %s\n", slash ? slash + 1 : program, err->message);
    return 1;
}

/* Builds the table of getopt: the fields in order, then the aliases, then help. val is 'o' for all
 * but help. NULL when out of memory. */
static struct option *options_of(const struct wf_config *c, int n, const struct wf_alias *aliases)
{
    size_t count = 3;
    for (int i = 0; i < n; i++)
        for (const struct wf_field *f = c[i].fields; f->name; f++) count++;
    for (const struct wf_alias *a = aliases; a && a->alias; a++) count++;
    struct option *o = wf_calloc(count, sizeof *o), *at = o;
    if (!o) return NULL;
    for (int i = 0; i < n; i++)
        for (const struct wf_field *f = c[i].fields; f->name; f++)
            *at++ = (struct option){ f->name, required_argument, NULL, 'o' };
    for (const struct wf_alias *a = aliases; a && a->alias; a++)
        *at++ = (struct option){ a->alias, required_argument, NULL, 'o' };
    *at++ = (struct option){ "help", no_argument, NULL, 'h' };
    return o;
}

/* Returns the name of the field that an option of this name, or alias, sets. */
static const char *field_name(const struct wf_alias *aliases, const char *name)
{
    for (const struct wf_alias *a = aliases; a && a->alias; a++)
        if (strcmp(a->alias, name) == 0) return a->name;
    return name;
}

static enum wf_status set(const struct wf_cli *cli, const struct wf_config *c, int n,
                          const char *option, const char *text, struct wf_error *err)
{
    for (const struct wf_word *w = cli->words; w && w->option; w++)
        if (strcmp(w->option, option) == 0 && strcmp(w->theirs, text) == 0) text = w->ours;
    return wf_config_set(c, n, option, text, err);
}

enum wf_status wf_cli_parse(int argc, char **argv, const struct wf_config *c, int n,
                            struct wf_cli *cli, struct wf_error *err)
{
    struct option *o = options_of(c, n, cli->aliases);
    if (!o) return wf_fail(err, WF_ENOMEM, "no memory for the options");
    enum wf_status s = WF_OK;
    int found, index;
    opterr = 0;
    optind = 1;
    while (s == WF_OK && (found = getopt_long_only(argc, argv, ":h", o, &index)) != -1) {
        if (found == 'h')
            cli->help = true;
        else if (found == 'o')
            s = set(cli, c, n, field_name(cli->aliases, o[index].name), optarg, err);
        else if (found == ':')
            s = wf_fail(err, WF_EINVAL, "option %s wants a value", argv[optind - 1]);
        else
            s = wf_fail(err, WF_EINVAL, "unknown option %s; --help lists them", argv[optind - 1]);
    }
    for (; s == WF_OK && optind < argc; optind++) {
        if (cli->positionals == WF_CLI_POSITIONAL)
            s = wf_fail(err, WF_EINVAL, "argument '%s' is one too many", argv[optind]);
        else
            cli->positional[cli->positionals++] = argv[optind];
    }
    wf_free(o);
    return s;
}
