/* These tests check that a trial runs only once, and the tables of trials. */
#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "apps/kit/cli.h"
#include "apps/kit/table.h"
#include "apps/reproduce/trial.h"
#include "tests/kit/leaks.h"
#include "tests/kit/outcome.h"
#include "tests/kit/scratch.h"

/* Makes a trial of a shell command, whose $0 is the trial's folder. */
static struct wf_trial shell(const char *script)
{
    struct wf_trial t;
    wf_trial_init(&t, "%s", scratch("run"));
    wf_trial_word(&t, "sh");
    wf_trial_word(&t, "-c");
    wf_trial_word(&t, "%s", script);
    wf_trial_word(&t, "%s", t.folder);
    return t;
}

static const char *lines_of(const char *name)
{
    static char text[4096];
    cr_assert(scratch_read(name, text, sizeof text) > 0, "no %s", name);
    return text;
}

Test(trial, what_is_done_is_not_done_again)
{
    struct wf_error err = { 0 };
    struct wf_trial t =
        shell("echo x >> $0/count; echo a,b > $0/stats.csv; echo 1,2 >> $0/stats.csv");
    cr_assert(!wf_trial_done(&t));
    ok(wf_trial_run(&t, &err));
    cr_assert(wf_trial_done(&t));
    ok(wf_trial_run(&t, &err));
    cr_expect_str_eq(lines_of("run/count"), "x\n");
    wf_trial_word(&t, "another"); /* another command has its own results */
    cr_assert(!wf_trial_done(&t));
    ok(wf_trial_run(&t, &err));
    cr_expect_str_eq(lines_of("run/count"), "x\nx\n");
    expect_no_leaks();
}

Test(trial, a_run_that_was_cut_short_goes_on_and_another_command_begins_anew)
{
    struct wf_error err = { 0 };
    struct wf_trial t = shell("echo half > $0/last.h5; echo \"at $*\" >> $0/log; exit 3");
    t.resumes = true;
    fails(wf_trial_run(&t, &err), WF_EIO, "run/log.txt: exit status 3");
    fails(wf_trial_run(&t, &err), WF_EIO, "exit status 3");
    cr_expect_str_eq(lines_of("run/log"), "at --resume True\nat --resume True\n");
    cr_expect_str_eq(lines_of("run/last.h5"), "half\n", "kept for the next time");
    t = shell("[ ! -e $0/last.h5 ] && : > $0/stats.csv");
    ok(wf_trial_run(&t, &err));
}

Test(trial, a_failure_is_told_by_its_last_line)
{
    struct wf_error err = { 0 };
    struct wf_trial t = shell("echo first; echo 'x: no such data' >&2; exit 1");
    fails(wf_trial_run(&t, &err), WF_EIO, "exit status 1: x: no such data");
    t = shell("kill -9 $$");
    fails(wf_trial_run(&t, &err), WF_EIO, "ended by signal 9: it said nothing");
    t = shell("true");
    fails(wf_trial_run(&t, &err), WF_EIO, "run/stats.csv: the program ended well, but");
    wf_trial_init(&t, "%s", scratch("run"));
    wf_trial_word(&t, "/no/such/program");
    fails(wf_trial_run(&t, &err), WF_EIO, "/no/such/program: ");
    for (int i = 0; i < WF_TRIAL_TEXT; i++) wf_trial_word(&t, "x");
    fails(wf_trial_run(&t, &err), WF_EINVAL, "too long");
    expect_no_leaks();
}

/* The signal goes to this process alone, as a batch system sends it; the child must be told. */
Test(trial, a_request_to_stop_is_passed_on, .timeout = TIME_LIMIT)
{
    struct wf_error err = { 0 };
    char script[200];
    snprintf(script, sizeof script,
             "trap 'echo told > $0/told; exit 1' TERM; kill -TERM %d; "
             "while :; do sleep 0.05; done",
             (int)getpid());
    struct wf_trial t = shell(script);
    wf_cli_catch_signals();
    fails(wf_trial_run(&t, &err), WF_EINTR, "stopped in ");
    cr_expect_str_eq(lines_of("run/told"), "told\n");
    fails(wf_trial_run(&t, &err), WF_EINTR, "stopped before ");
}

Test(trial, columns_are_found_by_name)
{
    static const char csv[] = "a,\"b, c\",d\n1.5,\"x, y\",zero\n";
    struct wf_error err = { 0 };
    struct wf_trial t;
    double x;
    char text[16];
    wf_trial_init(&t, "%s", scratch_folder("run"));
    scratch_file("run/stats.csv", csv, sizeof csv - 1);
    ok(wf_trial_number(&t, "stats.csv", "a", &x, &err));
    cr_expect_eq(x, 1.5);
    ok(wf_trial_text(&t, "stats.csv", "b, c", text, sizeof text, &err));
    cr_expect_str_eq(text, "x, y");
    fails(wf_trial_number(&t, "stats.csv", "d", &x, &err), WF_EFORMAT,
          "d is 'zero', want a number");
    fails(wf_trial_number(&t, "stats.csv", "e", &x, &err), WF_EFORMAT, "has no column e");
    fails(wf_trial_number(&t, "none.csv", "a", &x, &err), WF_EIO, "none.csv");
    scratch_file("run/stats.csv", csv, 4);
    fails(wf_trial_number(&t, "stats.csv", "a", &x, &err), WF_EFORMAT, "one of values");
}

Test(trial, options_are_lines)
{
    struct wf_trial t;
    wf_trial_init(&t, "folder");
    wf_trial_options(&t, "epochs=3\nout=a=b\n");
    cr_expect_str_eq(t.command, "--epochs\n3\n--out\na=b\n");
    cr_expect_str_eq(t.product, "folder/stats.csv");
}

Test(table, is_written_as_csv_and_markdown)
{
    struct wf_error err = { 0 };
    struct wf_table t;
    wf_table_init(&t, 2);
    wf_table_cell(&t, "set, name");
    wf_table_cell(&t, "MAE");
    wf_table_cell(&t, "pems");
    wf_table_cell(&t, "%.2f ± %.2f", 1.0, 0.5);
    ok(wf_table_write(&t, scratch_folder("."), "t", "A title", "Notes.\n", NULL, &err));
    cr_expect_str_eq(lines_of("t.csv"), "\"set, name\",MAE\npems,1.00 ± 0.50\n");
    cr_expect_str_eq(lines_of("t.md"),
                     "# A title\n\n| set, name | MAE |\n|---|---:|\n| pems | 1.00 ± 0.50 |\n\n"
                     "Notes.\n");
    fails(wf_table_write(&t, scratch("no"), "t", "", "", NULL, &err), WF_EIO, "no/t.csv");
    wf_table_free(&t);
    expect_no_leaks();
}
