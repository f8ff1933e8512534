/* These tests check what the program `dataset` makes, describes, converts and refuses. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "tests/kit/program.h"
#include "tests/kit/scratch.h"
#include "tests/kit/tiny.h"

static void works(const char *arguments)
{
    program_works("dataset", "%s", arguments);
}

static void refuses(const char *arguments, const char *text)
{
    program_refuses(text, "dataset", "%s", arguments);
    cr_assert(!program_said[0], "%s: %s", arguments, program_said);
}

static void write_text(const char *name, const char *text)
{
    scratch_file(name, text, strlen(text));
}

Test(dataset_app, a_simulated_set_is_described_and_converted)
{
    const char *said = program_said;
    works("synth t.h5 --nodes 8 --days 2 --interval 600 --seed 5");
    works("info t.h5");
    cr_assert(strstr(said, "288 steps, 8 nodes") && strstr(said, "every 600 s; no gaps"));
    cr_assert(strstr(said, "graph      8 nodes"), "%s", said);
    works("convert t.h5 t.csv");
    cr_assert(strstr(said, "left out"));
    works("info t.csv");
    cr_assert(strstr(said, "288 steps, 8 nodes with names") && strstr(said, "graph      none"));
}

Test(dataset_app, a_stand_in_by_name_has_the_shape_of_the_set)
{
    const char *said = program_said;
    works("synth pedalme");
    works("info data/pedalme.h5");
    cr_assert(strstr(said, "35 steps, 15 nodes, 1 channel;"), "%s", said);
    cr_assert(strstr(said, "15 nodes, 225 edges, 15 of them self-loops"), "%s", said);
    works("synth --days 7 chickenpox --data-folder made/here --interval 900 --edges 0");
    works("info made/here/chickenpox.h5");
    cr_assert(strstr(said, "672 steps, 20 nodes") && strstr(said, "every 900 s; no gaps"));
    cr_assert(!strstr(said, "102 edges"), "%s", said);
    works("synth wave-equation");
    works("info data/wave-equation.h5");
    cr_assert(strstr(said, "1728 steps, 325 nodes, 1 channel;"), "%s", said);
    cr_assert(strstr(said, "time       not in the file"), "%s", said);
    cr_assert(strstr(said, "325 nodes, 1858 edges, 0 of them self-loops; symmetric"), "%s", said);
}

Test(dataset_app, an_interrupted_simulation_leaves_the_old_file)
{
    static char text[64];
    write_text("big.h5", "old");
    /* A shell's background job ignores SIGINT, and so would all that it starts; without --foreground
     * the program would get a second one, which ends it at once. */
    int status = program_run("/usr/bin/env",
                             "--default-signal=INT timeout --foreground --preserve-status -s INT 1 "
                             "'%s/bin/dataset' synth big.h5 "
                             "--nodes 500 --days 1000",
                             program_folder());
    cr_assert_eq(status, 1);
    cr_assert(strstr(program_complained, "big.h5: interrupted after "), "%s", program_complained);
    cr_assert(strstr(program_complained, " of 288000 rows"), "%s", program_complained);
    scratch_read("big.h5", text, sizeof text);
    cr_assert_str_eq(text, "old");
    cr_assert(access(scratch("big.h5.tmp"), F_OK) != 0);
}

Test(dataset_app, a_graph_that_changes_is_described_and_not_converted)
{
    tiny_snapshots("s.json");
    works("info s.json");
    cr_assert(strstr(program_said, "80 steps, 6 nodes"), "%s", program_said);
    cr_assert(strstr(program_said, "graph      6 nodes, 6 edges, 0 of them self-loops"));
    cr_assert(strstr(program_said, "it changes: these are of all steps, of which one has 4 to 5"),
              "%s", program_said);
    refuses("convert s.json s.h5", "s.h5: HDF5 holds no graph that changes");
    cr_assert(access(scratch("s.h5"), F_OK) != 0);
    works("convert s.json s.csv");
    cr_assert(strstr(program_said, "left out"));
}

Test(dataset_app, help_is_on_stdout)
{
    works("--help");
    cr_assert(strstr(program_said, "usage: dataset") && strstr(program_said, "--adjacency"));
    cr_assert(!program_complained[0]);
    works("synth --help");
    cr_assert(strstr(program_said, "--nodes") && !program_complained[0]);
}

Test(dataset_app, wrong_calls_are_refused_in_one_line)
{
    refuses("", "no command");
    refuses("draw x", "unknown command draw");
    refuses("info", "0 files given, want info NAME|FILE");
    refuses("convert a.h5", "1 files given, want convert IN OUT");
    refuses("info a.h5 --nodes 3", "unknown option --nodes");
    refuses("info a.h5 --key", "option --key wants a value");
    refuses("synth a.h5 --nodes many", "--nodes many: want an integer");
    refuses("synth i.h5 --interval 77", "77");
    refuses("synth i.h5 --edges 9999", "edges is 9999, expected 0 to 2304");
    refuses("synth pemz", "no data set pemz is known; want its name, or OUT.h5");
    refuses("synth si-diffusion --nodes 3", "unknown option --nodes");
    refuses("synth chickenpox --data-folder /proc/no", "/proc/no: cannot make the folder");
    refuses("info /no/such/file.h5", "/no/such/file.h5: No such file");
    refuses("convert a.h5 a.txt", "a.txt: cannot write this kind");
    refuses("convert a.h5 a.csv --adjacency a.pkl", "CSV holds no graph");
    refuses("synth /no/such/folder/a.h5 --days 1", "/no/such/folder/a.h5: cannot create");
}

Test(dataset_app, damaged_files_are_refused_in_one_line)
{
    static char bytes[1 << 20];
    works("synth t.h5 --nodes 4 --days 1");
    size_t size = scratch_read("t.h5", bytes, sizeof bytes);
    cr_assert(size > 0 && size < sizeof bytes - 1);
    for (size_t n = 1; n < size; n += size / 7) {
        scratch_file("cut.h5", bytes, n);
        refuses("info cut.h5", "cut.h5");
        refuses("convert cut.h5 out.h5", "cut.h5");
        cr_assert(access(scratch("out.h5"), F_OK) != 0);
    }
    refuses("info t.h5 --key speed", "'speed' is no pandas DataFrame");
    write_text("a.csv", "1,0\n0,1\n");
    refuses("info t.h5 --adjacency a.csv", "is 2 x 2, series");
    write_text("a.csv", "1,0,0,0\n0,nan,0,0\n0,0,1,0\n0,0,0,1\n");
    refuses("info t.h5 --adjacency a.csv", "weight [1, 1] is nan");
    write_text("a.csv", "1,0,0,0\n0,inf,0,0\n0,0,1,0\n0,0,0,1\n");
    refuses("info t.h5 --adjacency a.csv", "line 2, column 2: 'inf'");
    refuses("convert t.h5 /no/such/folder/out.h5", "cannot create the file");
    refuses("convert t.h5 /no/such/folder/out.csv", "No such file");
}

Test(dataset_app, a_failed_conversion_leaves_the_old_file)
{
    static char text[64];
    write_text("out.h5", "old");
    write_text("bad.csv", "1,2\n3,x\n");
    refuses("convert bad.csv out.h5", "'x'");
    scratch_read("out.h5", text, sizeof text);
    cr_assert_str_eq(text, "old");
}
