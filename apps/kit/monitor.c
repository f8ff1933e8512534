#include "apps/kit/monitor.h"
#include <errno.h>
#include <math.h>
#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "data/formats/csv.h"
#include "data/file.h"
#include "dist/clock.h"
#include "tensor/alloc.h"

static const char time_names[] = "Timestamp,time_s,";
static const char process_names[] = "System_Memory_Used,System_Memory_Total,GPU_Memory_Used,"
                                    "GPU_Memory_Total,cpu_percent";
enum { PROCESS_VALUES = 5 };

static double cpu_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Returns the resident memory in MB; NaN where it cannot be read. */
static double resident_mb(void)
{
    long total, resident;
    FILE *f = fopen("/proc/self/statm", "re");
    if (!f) return NAN;
    int n = fscanf(f, "%ld %ld", &total, &resident);
    fclose(f);
    return n == 2 ? (double)resident * (double)sysconf(_SC_PAGESIZE) / 1048576.0 : NAN;
}

static void read_process(struct wf_monitor *m, double now, double value[WF_MONITOR_VALUES])
{
    double cpu = cpu_seconds(), passed = now - m->last_s;
    value[0] = resident_mb();
    value[1] = m->system_mb;
    value[2] = value[3] = 0;
    if (m->gpu && m->gpu(m->ctx, &value[2], &value[3])) m->gpu_total_mb = value[3];
    value[4] = passed > 0 ? 100 * (cpu - m->last_cpu_s) / passed : 0;
    m->last_s = now;
    m->last_cpu_s = cpu;
    m->max_system_mb = fmax(m->max_system_mb, value[0]);
    m->max_gpu_mb = fmax(m->max_gpu_mb, value[2]);
}

static void sample(struct wf_monitor *m)
{
    double value[WF_MONITOR_VALUES], now = wf_now();
    int count = m->source ? m->source->count : PROCESS_VALUES;
    if (m->source)
        m->source->read(m->ctx, value);
    else
        read_process(m, now, value);
    char date[32];
    time_t clock = time(NULL);
    struct tm tm;
    strftime(date, sizeof date, "%Y-%m-%d %H:%M:%S", localtime_r(&clock, &tm));
    bool lost = fprintf(m->out, "%s,%.3f", date, m->before_s + now - m->started) < 0;
    for (int i = 0; i < count; i++)
        lost |= (isnan(value[i]) ? fputs(",", m->out) : fprintf(m->out, ",%.2f", value[i])) < 0;
    lost |= putc('\n', m->out) == EOF;
    lost |= fflush(m->out) != 0;
    if (lost && !m->failure) m->failure = errno;
}

static void *work(void *arg)
{
    struct wf_monitor *m = arg;
    pthread_mutex_lock(&m->lock);
    double due = m->started;
    while (!m->stopping) {
        /* The next line is due by the clock, whenever the last one was written, so that times do
         * not drift; lines that a suspension of the machine has missed are left out. */
        double late = floor((wf_now() - due) / m->every_s);
        due += m->every_s * (1 + fmax(late, 0));
        struct timespec until = { .tv_sec = (time_t)due,
                                  .tv_nsec = (long)((due - floor(due)) * 1e9) };
        int rc = 0;
        while (!m->stopping && rc != ETIMEDOUT)
            rc = pthread_cond_timedwait(&m->wake, &m->lock, &until);
        if (m->stopping) break;
        sample(m);
    }
    pthread_mutex_unlock(&m->lock);
    return NULL;
}

static const char *names_of(const struct wf_monitor *m)
{
    return m->source ? m->source->names : process_names;
}

/* Takes time and maxima from the lines of an earlier run. */
static enum wf_status take_earlier(struct wf_monitor *m, const char *bytes, size_t size,
                                   struct wf_error *err)
{
    struct wf_csv csv;
    WF_TRY(wf_csv_parse(bytes, size, WF_CSV_YES, &csv, err));
    for (ptrdiff_t i = 0; i < csv.rows; i++) {
        const double *row = csv.values + i * csv.cols;
        m->before_s = fmax(m->before_s, row[0]);
        if (m->source) continue;
        m->max_system_mb = fmax(m->max_system_mb, row[1]);
        m->max_gpu_mb = fmax(m->max_gpu_mb, row[3]);
    }
    wf_csv_free(&csv);
    return WF_OK;
}

/* Reads the lines of an earlier run. The first *keep bytes of the file are whole lines. */
static enum wf_status read_earlier(struct wf_monitor *m, const char *path, size_t *keep,
                                   struct wf_error *err)
{
    char *bytes;
    size_t size;
    *keep = 0;
    if (access(path, F_OK) != 0) return WF_OK;
    WF_TRY(wf_file_read(path, &bytes, &size, err));
    while (size && bytes[size - 1] != '\n') size--; /* a machine that lost power tears a line */
    const char *names = names_of(m);
    size_t times = strlen(time_names), head = times + strlen(names) + 1;
    enum wf_status s = WF_OK;
    if (size) {
        if (size < head || strncmp(bytes, time_names, times) != 0 ||
            strncmp(bytes + times, names, head - times - 1) != 0 || bytes[head - 1] != '\n')
            s = wf_fail(err, WF_EFORMAT, "%s: does not begin with %s%.200s", path, time_names,
                        names);
        else if (size > head)
            s = take_earlier(m, bytes, size, err);
        *keep = size;
    }
    wf_free(bytes);
    return wf_file_context(s, path, err);
}

static enum wf_status open_file(struct wf_monitor *m, const char *path, struct wf_error *err)
{
    size_t keep = 0;
    if (m->append) WF_TRY(read_earlier(m, path, &keep, err));
    m->out = fopen(path, keep ? "ae" : "we");
    if (!m->out) return wf_fail(err, WF_EIO, "%s: %s", path, strerror(errno));
    if (keep ? ftruncate(fileno(m->out), (off_t)keep) == 0
             : fprintf(m->out, "%s%s\n", time_names, names_of(m)) >= 0)
        return WF_OK;
    enum wf_status s = wf_fail(err, WF_EIO, "%s: %s", path, strerror(errno));
    fclose(m->out);
    return s;
}

/* Signals are for the program's other threads: this one blocks them all. */
static int start_thread(struct wf_monitor *m)
{
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    int rc = pthread_create(&m->thread, NULL, work, m);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return rc;
}

enum wf_status wf_monitor_start(struct wf_monitor *m, const char *path, struct wf_error *err)
{
    if (m->running) return wf_fail(err, WF_EINVAL, "%s: the monitor runs already", path);
    if (!(m->every_s >= 0))
        return wf_fail(err, WF_EINVAL, "%s: a line every %g s", path, m->every_s);
    if (m->every_s == 0) m->every_s = 1;
    if (!m->source && isnan(resident_mb()))
        return wf_fail(err, WF_EIO, "/proc/self/statm: cannot be read");
    m->before_s = m->max_system_mb = m->max_gpu_mb = m->gpu_total_mb = 0;
    m->system_mb = wf_file_kib("/proc/meminfo", "MemTotal") / 1024;
    m->failure = 0;
    m->stopping = false;
    WF_TRY(open_file(m, path, err));
    m->started = m->last_s = wf_now();
    m->last_cpu_s = cpu_seconds();
    sample(m);
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&m->wake, &attr);
    pthread_condattr_destroy(&attr);
    pthread_mutex_init(&m->lock, NULL);
    int rc = start_thread(m);
    if (rc == 0) {
        m->running = true;
        return WF_OK;
    }
    pthread_mutex_destroy(&m->lock);
    pthread_cond_destroy(&m->wake);
    fclose(m->out);
    return wf_fail(err, WF_EIO, "%s: no thread to write it: %s", path, strerror(rc));
}

enum wf_status wf_monitor_stop(struct wf_monitor *m, struct wf_error *err)
{
    if (!m->running) return WF_OK;
    pthread_mutex_lock(&m->lock);
    m->stopping = true;
    pthread_cond_signal(&m->wake);
    pthread_mutex_unlock(&m->lock);
    pthread_join(m->thread, NULL);
    pthread_mutex_destroy(&m->lock);
    pthread_cond_destroy(&m->wake);
    m->running = false;
    sample(m);
    if (fclose(m->out) != 0 && !m->failure) m->failure = errno;
    if (m->failure)
        return wf_fail(err, WF_EIO, "monitor: lines were lost: %s", strerror(m->failure));
    return WF_OK;
}
