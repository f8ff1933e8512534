/* bench_memory - what a series of PEMS-BAY's size (52,116 x 325) adds to the process before the
 * model: index-batching against its float32 copy, and base mode against its formula.
 *
 * Peaks are the kernel's own (VmHWM) over the resident size before loading, each in a process of
 * its own. Lines: name, MiB, floor in MiB, ratio. Usage: bench_memory [folder for the file] */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "data/dataset.h"
#include "data/file.h"
#include "data/series_file.h"

enum { E = 52116, N = 325, T = 12, BATCH = 64 };

static void must(enum wf_status s, const struct wf_error *err)
{
    if (s == WF_OK) return;
    fprintf(stderr, "bench_memory: %s\n", err->message);
    exit(1);
}

static void write_series(const char *path)
{
    struct wf_error err = { 0 };
    struct wf_series_writer *w;
    struct wf_series_file head = { .E = E, .N = N, .C = 1, .interval_s = 300 };
    static float row[N];
    must(wf_series_writer_open(&w, path, &head, &err), &err);
    for (int e = 0; e < E; e++) {
        for (int n = 0; n < N; n++) row[n] = (float)(40 + (e * 31 + n * 17) % 300 / 10.0);
        must(wf_series_writer_rows(w, 1, row, &err), &err);
    }
    must(wf_series_writer_commit(w, &err), &err);
}

/* Loads, fits the scaler, makes the windows and one batch, as training does. */
static void measure(const char *path, bool base)
{
    struct wf_error err = { 0 };
    struct wf_dataset d;
    struct wf_split split;
    struct wf_scaler scaler;
    struct wf_windows w;
    struct wf_batch b;
    struct wf_dataset_source src = wf_dataset_defaults();
    struct wf_window_config wc = wf_window_defaults();
    double share[3] = { 0.7, 0.1, 0.2 }, before = wf_file_kib("/proc/self/status", "VmRSS") / 1024;
    int start[BATCH] = { 0 };
    snprintf(src.data, sizeof src.data, "%.255s", path);
    src.graph_optional = true;
    wc.base = base;
    must(wf_dataset_load(&d, wf_backend_cpu(), &src, &err), &err);
    must(wf_split_make(&split, &d.series, T, T, share, &err), &err);
    must(wf_scaler_fit(&scaler, &d.series, &split, T, false, &err), &err);
    must(wf_windows_init(&w, &d.series, wc, &scaler, BATCH, &err), &err);
    must(wf_windows_batch(&w, &b, start, BATCH), &err);
    double series = (double)E * N * 4 / 1048576,
           added = wf_file_kib("/proc/self/status", "VmHWM") / 1024 - before;
    double floor = base ? (double)wf_windows_base_bytes(&d.series, T, T) / 1048576 : series;
    if (base) added -= series; /* the windows alone */
    printf("%-40s %10.1f MiB %10.1f %8.3f\n",
           base ? "base mode: windows" : "index-batching: all before the model", added, floor,
           added / floor);
    wf_windows_free(&w);
    wf_dataset_free(&d);
}

int main(int argc, char **argv)
{
    char path[600];
    snprintf(path, sizeof path, "%s/bench_memory-%d.h5", argc > 1 ? argv[1] : "/tmp",
             (int)getpid());
    write_series(path);
    printf("%-40s %10s     %10s %8s\n", "what", "added", "floor", "ratio");
    fflush(stdout);
    for (int base = 0; base < 2; base++) {
        pid_t child = fork();
        if (child == 0) {
            measure(path, base);
            fflush(stdout);
            _exit(0);
        }
        int status;
        if (child < 0 || waitpid(child, &status, 0) < 0 || status != 0) exit(1);
    }
    remove(path);
    return 0;
}
