/* These tests run the submit scripts with stand-ins for a cluster's commands, and netns.sh. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "tests/kit/program.h"
#include "tests/kit/scratch.h"

#define SUBMIT WEFT_SOURCE_DIR "/apps/submit/"

static void command(const char *name, const char *text)
{
    char file[64];
    scratch_folder("bin");
    snprintf(file, sizeof file, "bin/%s", name);
    scratch_file(file, text, strlen(text));
    cr_assert_eq(chmod(scratch(file), 0755), 0);
}

/* A stand-in writes one line per call, with each word of its command line in brackets. The one
 * that starts a monitor runs until it is told to end. */
#define NOTE "for word; do line=\"$line [$word]\"; done; echo \"$line\" >>../calls\n"
#define LAUNCHER                                                                                   \
    "#!/bin/sh\nline=\"${0##*/} $OMP_NUM_THREADS\"\n" NOTE "case \"$line\" in *worker_monitor*)\n" \
    "  trap 'echo monitor ended >>../calls; exit' TERM; echo x >../watches\n"                      \
    "  i=0; while [ $i -lt 400 ]; do sleep 0.05; i=$((i + 1)); done\n"                             \
    "  echo monitor forgotten >>../calls ;;\n"                                                     \
    "*) while [ ! -e ../watches ]; do sleep 0.02; done; rm ../watches; exit ${STUB_STATUS:-0} "    \
    ";;\n"                                                                                         \
    "esac\n"

/* Submitting runs the job at once from a copy in another folder, as the cluster would later. */
static void cluster(void)
{
    char path[1200];
    command("srun", LAUNCHER);
    command("mpirun", LAUNCHER);
    command("sbatch", "#!/bin/sh\nline=sbatch\n" NOTE "for last; do :; done\ncp \"$last\" ../job\n"
                      "SLURM_JOB_ID=7 SLURM_SUBMIT_DIR=$PWD exec bash ../job\n");
    command("qsub", "#!/bin/sh\nline=qsub\n" NOTE "for last; do :; done\ncp \"$last\" ../job\n"
                    "printf 'n1\\nn1\\nn2\\nn2\\n' >../nodes\n"
                    "PBS_JOBID=7.host PBS_NODEFILE=../nodes PBS_O_WORKDIR=$PWD exec bash ../job\n");
    scratch_folder("work");
    snprintf(path, sizeof path, "%s:%s", scratch("bin"), getenv("PATH"));
    setenv("PATH", path, 1);
    unsetenv("SLURM_JOB_ID");
    unsetenv("PBS_JOBID");
}

/* Runs a submit script with these variables; returns how the cluster's commands were called. */
static const char *calls(const char *script, const char *variables, int status)
{
    static char text[8192];
    char arguments[3000];
    remove(scratch("calls"));
    snprintf(arguments, sizeof arguments, "-c 'cd work && %s " SUBMIT "%s'", variables, script);
    cr_assert_eq(program_run("/bin/sh", "%s", arguments), status, "%s", program_complained);
    cr_assert_str_empty(program_complained);
    scratch_read("calls", text, sizeof text);
    return text;
}

static void expect_line(const char *text, const char *line)
{
    const char *at = strstr(text, line);
    cr_expect(at && (at == text || at[-1] == '\n') && at[strlen(line)] == '\n',
              "want the line '%s' in: %s", line, text);
}

Test(scripts, slurm_gets_a_rank_for_each_gpu_and_a_monitor_for_each_node)
{
    cluster();
    const char *text = calls("slurm.sh", "NODES=3 BIN=b", 0);
    char line[1200];
    snprintf(line, sizeof line,
             "sbatch [--job-name=pems_ddp-index] [--nodes=3] [--ntasks-per-node=4] "
             "[--cpus-per-task=8] [--gpus-per-node=4] [--time=01:00:00] [--signal=TERM@120] "
             "[--output=results/pems_ddp-index/slurm-%%j.log] [%s]",
             SUBMIT "slurm.sh");
    expect_line(text, line);
    expect_line(text, "srun 8 [--overlap] [--nodes=3] [--ntasks-per-node=1] [--cpus-per-task=1] "
                      "[--gpus-per-node=4] [b/worker_monitor] [--append] [True] [--out] "
                      "[results/pems_ddp-index/nodes/%h.csv]");
    expect_line(text, "srun 8 [--mpi=pmix] [--nodes=3] [--ntasks-per-node=4] [--cpus-per-task=8] "
                      "[--gpus-per-node=4] [--cpu-bind=cores] [b/pems_ddp] [--mode] [index] "
                      "[--dataset] [pems] [--out] [results/pems_ddp-index] [--gpu] [True] "
                      "[--resume] [True]");
    expect_line(text, "monitor ended");
}

Test(scripts, slurm_variables_reach_the_command_line)
{
    cluster();
    const char *text = calls("slurm.sh",
                             "NODES=1 GPUS_PER_NODE=0 RANKS_PER_NODE=2 CORES_PER_NODE=7 BIN=b "
                             "PARTITION=\"big one\" ACCOUNT=a1 PROGRAM=demo DATASET= MODE=ddp "
                             "OPTIONS=\"--epochs 3  --seed 4\" OUT=\"my run\" RESUME=False "
                             "WALLTIME=5 STUB_STATUS=9",
                             9);
    cr_expect(strstr(text, "[--ntasks-per-node=2] [--cpus-per-task=3] [--time=5] "
                           "[--partition=big one] [--account=a1] [--signal=TERM@120] "
                           "[--output=my run/slurm-%j.log]"),
              "%s", text);
    expect_line(text, "srun 3 [--mpi=pmix] [--nodes=1] [--ntasks-per-node=2] [--cpus-per-task=3] "
                      "[--cpu-bind=cores] [b/demo] [--mode] [ddp] [--out] [my run] [--gpu] [False] "
                      "[--resume] [False] [--epochs] [3] [--seed] [4]");
    expect_line(text, "monitor ended");
}

Test(scripts, pbs_gets_a_rank_for_each_gpu_and_a_monitor_for_each_node)
{
    cluster();
    const char *text = calls("pbs.sh", "BIN=b MODE=partitioned", 0);
    expect_line(text, "qsub [-V] [-N] [pems_ddp-partit] [-l] "
                      "[select=2:ncpus=32:mpiprocs=4:ompthreads=8:ngpus=4] [-l] [place=scatter] "
                      "[-l] [walltime=01:00:00] [-j] [oe] [-o] [results/pems_ddp-partitioned/] "
                      "[" SUBMIT "pbs.sh]");
    expect_line(text, "mpirun 8 [--hostfile] [results/pems_ddp-partitioned/hosts.7-host] [-np] [2] "
                      "[--map-by] [ppr:1:node] [--bind-to] [none] [b/worker_monitor] [--append] "
                      "[True] [--out] [results/pems_ddp-partitioned/nodes/%h.csv]");
    expect_line(text, "mpirun 8 [--hostfile] [results/pems_ddp-partitioned/hosts.7-host] [-np] [8] "
                      "[--map-by] [ppr:4:node:PE=8] [--bind-to] [core] [-x] [OMP_NUM_THREADS] "
                      "[b/pems_ddp] [--mode] [partitioned] [--dataset] [pems] [--out] "
                      "[results/pems_ddp-partitioned] [--gpu] [True] [--resume] [True]");
    expect_line(text, "monitor ended");
}

Test(scripts, pbs_variables_reach_the_command_line)
{
    cluster();
    const char *text = calls("pbs.sh",
                             "NODES=1 GPUS_PER_NODE=0 RANKS_PER_NODE=40 BIN=b QUEUE=q ACCOUNT=a1 "
                             "RESOURCES=filesystems=x:y PROGRAM=demo DATASET= OPTIONS=\"-e 3\" "
                             "OUT=o STUB_STATUS=9",
                             9);
    cr_expect(strstr(text, "[select=1:ncpus=32:mpiprocs=40:ompthreads=1] [-l] [place=scatter] [-l] "
                           "[walltime=01:00:00] [-l] [filesystems=x:y] [-q] [q] [-A] [a1] [-j]"),
              "%s", text);
    cr_expect(strstr(text, "[b/demo] [--mode] [index] [--out] [o] [--gpu] [False] [--resume] "
                           "[True] [-e] [3]\n"),
              "%s", text);
}

/* ---- several hosts ---- */

#define NETNS WEFT_SOURCE_DIR "/tests/scripts/netns.sh"

Test(scripts, namespaces_are_hosts_with_names_and_addresses)
{
    int status = program_run(NETNS, "-n 3 -r 2 sh -c 'ip -4 -o addr show dev net0 | "
                                    "sed \"s|.*inet |$(hostname) $1 |; s|/.*||\"' - 'two words'");
    if (status == 77) cr_skip_test("no namespaces");
    cr_assert_eq(status, 0, "%s", program_complained);
    for (int i = 1; i <= 3; i++) {
        char line[64];
        snprintf(line, sizeof line, "host%d two words 10.99.0.%d\n", i, i);
        const char *first = strstr(program_said, line);
        cr_expect(first && strstr(first + 1, line), "want '%s' twice in: %s", line, program_said);
    }
}

Test(scripts, namespaces_keep_the_exit_status_and_the_time)
{
    int status = program_run(NETNS, "sh -c 'exit 3'");
    if (status == 77) cr_skip_test("no namespaces");
    cr_expect_eq(status, 3, "%s", program_complained);
    cr_expect_neq(program_run(NETNS, "-t 1 sleep 30"), 0);
    cr_expect_eq(program_run(NETNS, "-n 0 true"), 2);
    cr_expect_eq(program_run(NETNS, "-n 2"), 2);
    cr_expect(strstr(program_complained, "usage: tests/scripts/netns.sh"));
}
