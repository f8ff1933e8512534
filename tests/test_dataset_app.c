#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "tests/scratch.h"

#ifndef WEFT_BUILD_DIR
#define WEFT_BUILD_DIR "build/release"
#endif

static char said[4096], complained[4096];

static void slurp(const char *path, char *text, size_t size)
{
    FILE *f = fopen(path, "rb");
    size_t n = f ? fread(text, 1, size - 1, f) : 0;
    text[n] = 0;
    if (f) fclose(f);
}

/* A path in the test's folder that stays valid, unlike scratch()'s own. */
struct path {
    char text[512];
};

static struct path in_folder(const char *name)
{
    struct path p;
    snprintf(p.text, sizeof p.text, "%s", scratch(name));
    return p;
}

/* Runs "dataset ARGUMENTS" and returns its exit status, -1 when a signal ended it. */
static int run(const char *arguments)
{
    const char *build = getenv("WEFT_BUILD_DIR");
    char command[2048];
    snprintf(command, sizeof command, "%s/bin/dataset %s >'%s' 2>'%s'",
             build ? build : WEFT_BUILD_DIR, arguments, scratch("stdout"), scratch("stderr"));
    int status = system(command);
    slurp(scratch("stdout"), said, sizeof said);
    slurp(scratch("stderr"), complained, sizeof complained);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* One line on stderr that contains the text, nothing on stdout, exit status 1. */
static void refuses(const char *arguments, const char *text)
{
    cr_assert_eq(run(arguments), 1, "%s: %s", arguments, complained);
    cr_assert(strstr(complained, text), "%s: %s", arguments, complained);
    cr_assert_eq(strchr(complained, '\n') - complained, (ptrdiff_t)strlen(complained) - 1);
    cr_assert(strncmp(complained, "dataset: ", 9) == 0 && !said[0]);
}

static const char *with(const char *format, const char *a, const char *b)
{
    static char text[4][1200];
    static int turn;
    char *p = text[turn++ % 4];
    snprintf(p, sizeof text[0], format, a, b);
    return p;
}

static void write_text(const char *name, const char *text)
{
    scratch_file(name, text, strlen(text));
}

Test(dataset_app, a_simulated_set_is_described_and_converted)
{
    const struct path t = in_folder("t.h5"), c = in_folder("t.csv");
    const char *h5 = t.text, *csv = c.text;
    cr_assert_eq(run(with("synth %s --nodes 8 --days 2 --interval 600 --seed 5%s", h5, "")), 0,
                 "%s", complained);
    cr_assert_eq(run(with("info %s%s", h5, "")), 0, "%s", complained);
    cr_assert(strstr(said, "288 steps, 8 nodes") && strstr(said, "every 600 s; no gaps"));
    cr_assert(strstr(said, "graph      8 nodes"), "%s", said);
    cr_assert_eq(run(with("convert %s %s", h5, csv)), 0, "%s", complained);
    cr_assert(strstr(said, "left out"));
    cr_assert_eq(run(with("info %s%s", csv, "")), 0, "%s", complained);
    cr_assert(strstr(said, "288 steps, 8 nodes with names") && strstr(said, "graph      none"));
}

Test(dataset_app, help_is_on_stdout)
{
    cr_assert_eq(run("--help"), 0);
    cr_assert(strstr(said, "usage: dataset") && strstr(said, "--adjacency") && !complained[0]);
    cr_assert_eq(run("synth --help"), 0);
    cr_assert(strstr(said, "--nodes") && !complained[0]);
}

Test(dataset_app, wrong_calls_are_refused_in_one_line)
{
    refuses("", "no command");
    refuses("draw x", "unknown command draw");
    refuses("info", "0 files given, want info FILE");
    refuses("convert a.h5", "1 files given, want convert IN OUT");
    refuses("info a.h5 --nodes 3", "unknown option --nodes");
    refuses("info a.h5 --key", "option --key wants a value");
    refuses("synth a.h5 --nodes many", "--nodes many: want an integer");
    refuses(with("synth %s --interval 77%s", scratch("i.h5"), ""), "77");
    refuses("info /no/such/file.h5", "/no/such/file.h5: No such file");
    refuses("convert a.h5 a.txt", "a.txt: cannot write this kind");
    refuses("convert a.h5 a.csv --adjacency a.pkl", "CSV holds no graph");
    refuses("synth /no/such/folder/a.h5 --days 1", "/no/such/folder/a.h5: cannot create");
}

Test(dataset_app, damaged_files_are_refused_in_one_line)
{
    static char bytes[1 << 20];
    const struct path t = in_folder("t.h5"), c = in_folder("cut.h5"), a = in_folder("a.csv"),
                      o = in_folder("out.h5");
    const char *h5 = t.text, *cut = c.text, *adj = a.text;
    cr_assert_eq(run(with("synth %s --nodes 4 --days 1%s", h5, "")), 0, "%s", complained);
    FILE *f = fopen(h5, "rb");
    cr_assert(f);
    size_t size = fread(bytes, 1, sizeof bytes, f);
    fclose(f);
    cr_assert_lt(size, sizeof bytes);
    for (size_t n = 1; n < size; n += size / 7) {
        scratch_file("cut.h5", bytes, n);
        refuses(with("info %s%s", cut, ""), "cut.h5");
        refuses(with("convert %s %s", cut, o.text), "cut.h5");
        cr_assert(access(o.text, F_OK) != 0);
    }
    refuses(with("info %s --key %s", h5, "speed"), "'speed' is no pandas DataFrame");
    write_text("a.csv", "1,0\n0,1\n");
    refuses(with("info %s --adjacency %s", h5, adj), "is 2 x 2, series");
    write_text("a.csv", "1,0,0,0\n0,nan,0,0\n0,0,1,0\n0,0,0,1\n");
    refuses(with("info %s --adjacency %s", h5, adj), "weight [1, 1] is nan");
    write_text("a.csv", "1,0,0,0\n0,inf,0,0\n0,0,1,0\n0,0,0,1\n");
    refuses(with("info %s --adjacency %s", h5, adj), "line 2, column 2: 'inf'");
    refuses(with("convert %s %s", h5, "/no/such/folder/out.h5"), "cannot create the file");
    refuses(with("convert %s %s", h5, "/no/such/folder/out.csv"), "No such file");
}

Test(dataset_app, a_failed_conversion_leaves_the_old_file)
{
    static char text[64];
    write_text("out.h5", "old");
    write_text("bad.csv", "1,2\n3,x\n");
    refuses(with("convert %s %s", scratch("bad.csv"), scratch("out.h5")), "'x'");
    slurp(scratch("out.h5"), text, sizeof text);
    cr_assert_str_eq(text, "old");
}
