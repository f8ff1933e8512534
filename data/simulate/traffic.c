#include "data/simulate/traffic.h"
#include <math.h>
#include <string.h>
#include "data/simulate/road_private.h"
#include "tensor/alloc.h"

#define DAY                86400
#define HOUR               3600
#define WEEK               604800
#define MOST_DAYS          10000
#define LONGEST_STEP       20.0 /* seconds: a vehicle must not cross a whole cell in one step */
#define TICK_STEPS         3 /* demand and incidents change every so many steps, about a minute */
#define RAMP_PRIORITY      0.25
#define EXIT_LANE          0.25 /* share of those leaving who get past a queue */
#define DROP               0.08 /* share of capacity that is lost where a queue stands */
#define INCIDENTS_PER_LINK 6    /* most of them on a day, the bottleneck among them */
#define BLOCKS             16
#define OUTAGE_S           7200.0 /* mean length of an outage */

/* These numbers make days differ; deviations are shares unless they name a unit. Queues are to be
 * long, slow and different every day: their tails then move a few miles an hour, and a sensor's
 * neighbours know half an hour ahead what its own past does not. */
#define DAY_SPREAD    0.08   /* deviation of all demand from day to day */
#define SOURCE_SPREAD 0.12   /* deviation of one source's demand from day to day */
#define LATE_H        0.5    /* hours: deviation of the peaks' time from day to day */
#define SURGES        0.15   /* chance that a source has a surge today */
#define DRIFT         0.05   /* deviation of a source's demand within a day */
#define DRIFT_S       2400.0 /* seconds that the drift takes to forget */
#define NARROW        0.53   /* least share of capacity at a bottleneck */
#define NARROW_MORE   0.2    /* most that is added to this share */
#define FLUTTER       0.05   /* deviation of what a narrow place lets through */
#define FLUTTER_S     1500.0 /* seconds that the flutter takes to forget */
#define CRASH         0.25   /* least share of capacity beside an incident */
#define CRASH_MORE    0.3    /* most that is added to this share */

struct incident {
    int cell;
    double from, to; /* seconds since the start */
    double share;    /* share of capacity that is left */
};

/* What today holds for one source. */
struct today {
    double level;                   /* factor of all its demand */
    double morning, evening, surge; /* hours of the day at which its demand peaks */
    double surge_size;              /* 0: it has no surge today */
};

struct wf_traffic {
    struct wf_traffic_config cfg;
    struct wf_roads roads;
    struct wf_sensor_graph graph;
    struct wf_traffic_balance balance;
    int interval_s;
    int steps, hours; /* steps in a row, and hours, of which there is at least 1 */
    double dt;        /* seconds of a step */
    ptrdiff_t row;
    uint32_t tick;
    double *pool; /* holds the arrays of numbers below */
    double *vehicles, *capacity, *critical, *room, *share, *send, *receive, *in, *out; /* [cells] */
    double *waiting, *arriving, *drift; /* [sources] */
    double *moved, *present;            /* [N] */
    double *flutter;                    /* [links * INCIDENTS_PER_LINK] */
    struct today *today;                /* [sources] */
    unsigned char *down;                /* [N] */
    struct incident *incident;          /* [links * INCIDENTS_PER_LINK], of today */
    struct incident block[BLOCKS];
    int incidents, blocks;
};

struct wf_traffic_config wf_traffic_defaults(void)
{
    return (struct wf_traffic_config){ .nodes = 48,
                                       .days = 28,
                                       .interval_s = 300,
                                       .channels = 1,
                                       .seed = 1,
                                       .missing = 0.02,
                                       .noise_mph = 1,
                                       .demand = 1,
                                       .incidents = 0.1 };
}

/* Returns the seconds of a row. */
static int interval_of(const struct wf_traffic_config *c)
{
    return c->interval_s ? c->interval_s : HOUR;
}

static enum wf_status check_time(const struct wf_traffic_config *c, struct wf_error *e)
{
    int s = interval_of(c);
    bool within = s >= 60 && s <= HOUR && DAY % s == 0;
    if (!within && !(s >= HOUR && s <= WEEK && s % HOUR == 0))
        return wf_fail(
            e, WF_EINVAL,
            "synth: interval_s is %d, expected 60 to 3600, dividing a day, or a multiple "
            "of 3600 up to a week",
            s);
    if (c->rows < 0 || c->rows > (int64_t)MOST_DAYS * DAY / s)
        return wf_fail(e, WF_EINVAL, "synth: rows is %lld, expected 1 to those of %d days",
                       (long long)c->rows, MOST_DAYS);
    if (c->rows > 0) return WF_OK;
    if (c->days < 1 || c->days > MOST_DAYS || (int64_t)c->days * DAY < s)
        return wf_fail(e, WF_EINVAL, "synth: days is %d, expected 1 to %d and a row at least",
                       c->days, MOST_DAYS);
    return WF_OK;
}

static enum wf_status check_graph(const struct wf_traffic_config *c, struct wf_error *e)
{
    if (c->channels < 1 || c->channels > 3)
        return wf_fail(e, WF_EINVAL, "synth: channels is %d, expected 1 to 3", c->channels);
    if (c->edges < 0 || c->edges > (int64_t)c->nodes * c->nodes)
        return wf_fail(e, WF_EINVAL, "synth: edges is %d, expected 0 to %lld of %d nodes", c->edges,
                       (long long)c->nodes * c->nodes, c->nodes);
    return WF_OK;
}

static enum wf_status check(const struct wf_traffic_config *c, struct wf_error *e)
{
    if (c->nodes < 2 || c->nodes > 100000)
        return wf_fail(e, WF_EINVAL, "synth: nodes is %d, expected 2 to 100000", c->nodes);
    WF_TRY(check_time(c, e));
    WF_TRY(check_graph(c, e));
    if (!(c->missing >= 0 && c->missing < 1))
        return wf_fail(e, WF_EINVAL, "synth: missing is %g, expected [0, 1)", c->missing);
    if (!(c->noise_mph >= 0 && c->noise_mph <= 20))
        return wf_fail(e, WF_EINVAL, "synth: noise_mph is %g, expected 0 to 20", c->noise_mph);
    if (!(c->demand > 0 && c->demand <= 3))
        return wf_fail(e, WF_EINVAL, "synth: demand is %g, expected (0, 3]", c->demand);
    if (!(c->incidents >= 0 && c->incidents <= 10))
        return wf_fail(e, WF_EINVAL, "synth: incidents is %g, expected 0 to 10", c->incidents);
    return WF_OK;
}

/* Unlike fmin and fmax these are no calls, because no NaN needs to be honoured here. */
static double least(double a, double b)
{
    return a < b ? a : b;
}

static double most(double a, double b)
{
    return a > b ? a : b;
}

/* Returns the seconds since the start. */
static double now(const struct wf_traffic *s)
{
    return (double)s->row * s->interval_s;
}

static void plan_demand(struct wf_traffic *s, uint32_t day)
{
    uint64_t seed = s->cfg.seed;
    double all = 1 + DAY_SPREAD * wf_road_normal(seed, WF_DRAW_DAY, day, 0);
    double late = LATE_H * wf_road_normal(seed, WF_DRAW_DAY, day, 1);
    for (int i = 0; i < s->roads.sources; i++) {
        struct today *t = &s->today[i];
        double u[4], p[4];
        wf_road_uniform(u, seed, WF_DRAW_SURGE, day, (uint32_t)i);
        wf_road_uniform(p, seed, WF_DRAW_PEAK, day, (uint32_t)i);
        t->level =
            all * (1 + SOURCE_SPREAD * wf_road_normal(seed, WF_DRAW_LEVEL, day, (uint32_t)i));
        t->morning = 7.8 + late + p[0] - 0.5;
        t->evening = 17.3 + late + p[1] - 0.5;
        t->surge = 9 + 12 * u[1];
        t->surge_size = u[0] < SURGES ? 0.3 + 0.4 * u[2] : 0;
    }
}

/* Turns the uniform number u into a Poisson number, which is at most what there is room for. */
static int poisson(double mean, double u)
{
    double p = exp(-mean);
    int n = 0;
    for (; u >= p && n < INCIDENTS_PER_LINK - 1; n++) {
        u -= p;
        p *= mean / (n + 1);
    }
    return n;
}

static void add_incident(struct wf_traffic *s, int cell, double from, double seconds, double share)
{
    s->flutter[s->incidents] = 0;
    s->incident[s->incidents++] = (struct incident){ cell, from, from + seconds, share };
}

static void plan_incidents(struct wf_traffic *s, uint32_t day)
{
    double start = (double)day * DAY, u[4];
    uint64_t seed = s->cfg.seed;
    s->incidents = 0;
    for (uint32_t k = 0; k < (uint32_t)s->roads.links; k++) {
        const struct wf_road_link *l = &s->roads.link[k];
        wf_road_uniform(u, seed, WF_DRAW_NARROW, day, k);
        add_incident(s, l->narrow, start, DAY, NARROW + NARROW_MORE * u[0]);
        int n = poisson(s->cfg.incidents * l->cells * WF_ROAD_CELL, u[1]);
        for (uint32_t i = 0; i < (uint32_t)n; i++) {
            wf_road_uniform(u, seed, WF_DRAW_INCIDENT, day, INCIDENTS_PER_LINK * k + i);
            add_incident(s, l->first + (int)(u[0] * l->cells), start + 3600 * (6 + 14 * u[1]),
                         600 + 3000 * u[2], CRASH + CRASH_MORE * u[3]);
        }
    }
}

static double bump(double hour, double centre, double width)
{
    double z = (hour - centre) / width;
    return exp(-z * z);
}

/* Returns the share of its rate that a source sends at an hour; day is a plateau from 6 to 21. */
static double profile(const struct today *t, bool inbound, bool weekend, double hour, double day)
{
    double surge = t->surge_size > 0 ? t->surge_size * bump(hour, t->surge, 0.6) : 0;
    if (weekend) return 0.08 + 0.32 * day + 0.25 * bump(hour, t->evening - 3, 2.5) + surge;
    double am = bump(hour, t->morning, 1.3), pm = bump(hour, t->evening, 1.6);
    double light = WF_ROAD_LIGHT - 0.6;
    return 0.08 + 0.52 * day + surge + am * (inbound ? 0.4 : light) + pm * (inbound ? light : 0.4);
}

/* Sets how many vehicles arrive at each source: its demand wanders about its plan, and forgets over
 * some 40 minutes. */
static void set_demand(struct wf_traffic *s, double seconds)
{
    double hour = fmod(seconds / 3600, 24), keep = exp(-s->dt * TICK_STEPS / DRIFT_S);
    double day = 1 / ((1 + exp((6 - hour) / 0.5)) * (1 + exp((hour - 21) / 0.8)));
    bool weekend = (int)(seconds / DAY) % 7 >= 5;
    for (int i = 0; i < s->roads.sources; i++) {
        const struct wf_road_source *src = &s->roads.source[i];
        double z = wf_road_normal(s->cfg.seed, WF_DRAW_DRIFT, s->tick, (uint32_t)i);
        s->drift[i] = keep * s->drift[i] + sqrt(1 - keep * keep) * z;
        double share = profile(&s->today[i], src->inbound, weekend, hour, day);
        double rate = s->cfg.demand * src->rate * s->today[i].level * share;
        s->arriving[i] = most(0, rate * (1 + DRIFT * s->drift[i])) * s->dt / 3600;
    }
}

static void close_lanes(struct wf_traffic *s, const struct incident *i, double seconds, double more)
{
    if (seconds >= i->from && seconds < i->to)
        s->share[i->cell] = least(s->share[i->cell], most(0.1, i->share * (1 + more)));
}

/* Sets the share of its capacity that each cell has. What gets through a narrow place varies, and
 * every change runs back through its queue. */
static void set_incidents(struct wf_traffic *s, double seconds)
{
    double keep = exp(-s->dt * TICK_STEPS / FLUTTER_S), push = sqrt(1 - keep * keep);
    for (int c = 0; c < s->roads.cells; c++) s->share[c] = 1;
    for (int i = 0; i < s->incidents; i++) {
        double z = wf_road_normal(s->cfg.seed, WF_DRAW_FLUTTER, s->tick, (uint32_t)i);
        s->flutter[i] = keep * s->flutter[i] + push * z;
        close_lanes(s, &s->incident[i], seconds, FLUTTER * s->flutter[i]);
    }
    for (int i = 0; i < s->blocks; i++) close_lanes(s, &s->block[i], seconds, 0);
}

/* Computes what each cell could send and could take in this step (Daganzo 1994, eq. 3). */
static void set_limits(struct wf_traffic *s)
{
    double go = WF_ROAD_FREE * s->dt / (3600 * WF_ROAD_CELL);
    double wave = WF_ROAD_WAVE * s->dt / (3600 * WF_ROAD_CELL);
    const double *restrict vehicles = s->vehicles, *restrict capacity = s->capacity;
    const double *restrict critical = s->critical, *restrict room = s->room;
    const double *restrict share = s->share;
    double *restrict send = s->send, *restrict receive = s->receive;
#pragma omp simd
    for (int c = 0; c < s->roads.cells; c++) {
        double most_now = capacity[c] * share[c], n = vehicles[c];
        double fill = n / critical[c], queue = most(0, least(1, fill - 1));
        double free = go * n * (1 - WF_ROAD_SLOW * least(1, fill * fill));
        send[c] = least(free, most_now * (1 - DROP * queue));
        receive[c] = most(0, least(most_now, wave * (room[c] - n)));
    }
}

/* Moves vehicles from a cell (-1: there is none) and from an on-ramp into the next cell; the two
 * share what it takes by priority (Daganzo 1995, eq. 9). */
static void pass(struct wf_traffic *s, int from, int src)
{
    int to = s->roads.source[src].cell;
    double straight = from < 0 ? 0 : s->send[from], take = s->receive[to];
    double go = least(straight, take), queue = least(s->waiting[src], s->capacity[to]);
    if (straight + queue > take) {
        go = least(straight, most(take - queue, (1 - RAMP_PRIORITY) * take));
        queue = least(queue, take - go);
    }
    s->waiting[src] -= queue;
    s->in[to] = queue + go;
    s->balance.entered += queue;
    if (from >= 0) s->out[from] = go;
}

/* Incoming roads share an outgoing one by weight; what one does not use goes to the others. */
static void merge(double got[], const double want[], const double weight[], int n, double take)
{
    bool full[WF_ROAD_LEGS] = { false };
    for (int round = 0; round < n; round++) {
        double sum = 0, left = take;
        for (int i = 0; i < n; i++) {
            if (full[i])
                left -= got[i];
            else
                sum += weight[i];
        }
        bool changed = false;
        for (int i = 0; i < n; i++) {
            if (full[i]) continue;
            got[i] = sum > 0 ? most(0, left) * weight[i] / sum : 0;
            if (got[i] < want[i]) continue;
            got[i] = want[i];
            changed = full[i] = true;
        }
        if (!changed) return;
    }
}

/* Moves vehicles across a junction, first in, first out: one that cannot enter its road holds up
 * those behind it, so the worst served of its directions sets the pace of a whole incoming road. */
static void cross(struct wf_traffic *s, const struct wf_road_junction *j)
{
    double pace[WF_ROAD_LEGS] = { 1, 1, 1, 1 };
    int last[WF_ROAD_LEGS];
    for (int i = 0; i < j->legs; i++)
        last[i] = s->roads.link[j->in[i]].first + s->roads.link[j->in[i]].cells - 1;
    for (int o = 0; o < j->legs; o++) {
        double got[WF_ROAD_LEGS], want[WF_ROAD_LEGS], weight[WF_ROAD_LEGS];
        for (int i = 0; i < j->legs; i++) {
            want[i] = s->send[last[i]] * j->split[i][o];
            weight[i] = s->capacity[last[i]] * j->split[i][o];
        }
        merge(got, want, weight, j->legs, s->receive[s->roads.link[j->out[o]].first]);
        for (int i = 0; i < j->legs; i++)
            if (want[i] > 0) pace[i] = least(pace[i], got[i] / want[i]);
    }
    for (int i = 0; i < j->legs; i++) {
        s->out[last[i]] = pace[i] * s->send[last[i]];
        for (int o = 0; o < j->legs; o++)
            s->in[s->roads.link[j->out[o]].first] += s->out[last[i]] * j->split[i][o];
    }
}

/* Moves vehicles from each cell into the next as if there were no on-ramps and no junctions, which
 * pass() and cross() then do over; no off-ramp lies right before one. */
static void pass_all(struct wf_traffic *s)
{
    const double *restrict leave = s->roads.leave, *restrict send = s->send;
    const double *restrict receive = s->receive + 1;
    double *restrict in = s->in + 1, *restrict out = s->out;
    double left = 0;
#pragma omp simd reduction(+ : left)
    for (int c = 0; c < s->roads.cells - 1; c++) {
        double straight = (1 - leave[c]) * send[c], go = least(straight, receive[c]);
        double exits = leave[c] * send[c] * (straight > 0 ? most(EXIT_LANE, go / straight) : 1);
        in[c] = go;
        out[c] = go + exits;
        left += exits;
    }
    s->balance.left += left;
}

static void advance(struct wf_traffic *s)
{
    const struct wf_roads *r = &s->roads;
    set_limits(s);
    pass_all(s);
    for (int k = 0; k < r->links; k++) s->in[r->link[k].first] = 0;
    for (int i = 0; i < r->sources; i++) {
        s->waiting[i] += s->arriving[i];
        pass(s, r->source[i].opens ? -1 : r->source[i].cell - 1, i);
    }
    for (int v = 0; v < r->junctions; v++) {
        const struct wf_road_junction *j = &r->junction[v];
        if (j->legs > 1) {
            cross(s, j);
            continue;
        }
        int last = r->link[j->in[0]].first + r->link[j->in[0]].cells - 1;
        s->out[last] = s->send[last];
        s->balance.left += s->send[last];
    }
    for (int i = 0; i < r->sensors; i++) {
        s->moved[i] += s->out[r->sensor[i]];
        s->present[i] += s->vehicles[r->sensor[i]];
    }
    double *restrict vehicles = s->vehicles;
    const double *restrict in = s->in, *restrict out = s->out;
    for (int c = 0; c < r->cells; c++) vehicles[c] += in[c] - out[c];
}

/* Whether the sensor is down now. Up and down alternate so that it is down for the share `missing`
 * of the time. */
static bool is_down(struct wf_traffic *s, int i)
{
    const struct wf_traffic_config *c = &s->cfg;
    double u[4];
    double length = most(most(1, OUTAGE_S / s->interval_s), c->missing / (1 - c->missing));
    double fall = c->missing / (1 - c->missing) / length;
    wf_road_uniform(u, c->seed, WF_DRAW_OUTAGE, (uint32_t)s->row, (uint32_t)i);
    if (s->row == 0)
        s->down[i] = u[0] < c->missing;
    else
        s->down[i] = s->down[i] ? u[0] >= 1 / length : u[0] < fall;
    return s->down[i];
}

/* Returns the mean speed over time and vehicles, with the sensor's error. */
static double speed(const struct wf_traffic *s, int i)
{
    const struct wf_traffic_config *c = &s->cfg;
    double v = WF_ROAD_FREE;
    if (s->present[i] > 0) v = s->moved[i] / s->present[i] * WF_ROAD_CELL * 3600 / s->dt;
    v += c->noise_mph * wf_road_normal(c->seed, WF_DRAW_NOISE, (uint32_t)s->row, (uint32_t)i);
    return most(v, 1);
}

/* Reads one sensor's channels. Counts err by the share by which a free vehicle's speed does. */
static void read_sensor(struct wf_traffic *s, int i, float *out)
{
    const struct wf_traffic_config *c = &s->cfg;
    double value[3] = { speed(s, i), s->moved[i] * 3600 / s->interval_s,
                        s->present[i] / s->steps / WF_ROAD_CELL };
    bool down = is_down(s, i);
    for (int k = 0; k < c->channels; k++) {
        double z = 0;
        if (k)
            z = wf_road_normal(c->seed, WF_DRAW_COUNT, (uint32_t)s->row, 2 * (uint32_t)i + (k > 1));
        double v = value[k] * most(0, 1 + c->noise_mph / WF_ROAD_FREE * z);
        out[k] = down ? NAN : (float)v;
    }
}

/* Plans a day where one begins: at the start of a row, or of an hour in a row. */
static void plan_day(struct wf_traffic *s, int64_t second)
{
    if (second % DAY) return;
    plan_demand(s, (uint32_t)(second / DAY));
    plan_incidents(s, (uint32_t)(second / DAY));
}

void wf_traffic_step(struct wf_traffic *s, float *row)
{
    int N = s->roads.sensors;
    double start = now(s);
    memset(s->moved, 0, (size_t)N * sizeof *s->moved);
    memset(s->present, 0, (size_t)N * sizeof *s->present);
    for (int i = 0; i < s->steps; i++) {
        if (i % (s->steps / s->hours) == 0)
            plan_day(s, s->row * s->interval_s + i / (s->steps / s->hours) * HOUR);
        if (i % TICK_STEPS == 0) {
            set_demand(s, start + i * s->dt);
            set_incidents(s, start + i * s->dt);
            s->tick++;
        }
        advance(s);
    }
    for (int i = 0; i < N; i++) read_sensor(s, i, row + (ptrdiff_t)i * s->cfg.channels);
    s->row++;
}

static enum wf_status make_state(struct wf_traffic *s, struct wf_error *e)
{
    size_t cells = (size_t)s->roads.cells, sources = (size_t)s->roads.sources;
    size_t N = (size_t)s->roads.sensors, incidents = (size_t)s->roads.links * INCIDENTS_PER_LINK;
    s->pool = wf_calloc(9 * cells + 3 * sources + 2 * N + incidents, sizeof *s->pool);
    s->today = wf_calloc(sources, sizeof *s->today);
    s->down = wf_calloc(N, sizeof *s->down);
    s->incident = wf_calloc(incidents, sizeof *s->incident);
    if (!s->pool || !s->today || !s->down || !s->incident)
        return wf_fail(e, WF_ENOMEM, "synth: no memory for %d sensors", s->cfg.nodes);
    double *p = s->pool,
           **per_cell[] = { &s->vehicles, &s->capacity, &s->critical, &s->room, &s->share,
                            &s->send,     &s->receive,  &s->in,       &s->out };
    for (size_t i = 0; i < sizeof per_cell / sizeof *per_cell; i++, p += cells) *per_cell[i] = p;
    s->waiting = p;
    s->arriving = s->waiting + sources;
    s->drift = s->arriving + sources;
    s->moved = s->drift + sources;
    s->present = s->moved + N;
    s->flutter = s->present + N;
    for (size_t c = 0; c < cells; c++) {
        double q = s->roads.capacity[c];
        s->capacity[c] = q * s->dt / 3600;
        s->critical[c] = WF_ROAD_CELL * q / (WF_ROAD_FREE * (1 - WF_ROAD_SLOW));
        s->room[c] = s->critical[c] + WF_ROAD_CELL * q / WF_ROAD_WAVE;
    }
    return WF_OK;
}

enum wf_status wf_traffic_begin(struct wf_traffic **out, const struct wf_traffic_config *cfg,
                                struct wf_error *e)
{
    *out = NULL;
    WF_TRY(check(cfg, e));
    struct wf_traffic *s = wf_calloc(1, sizeof *s);
    if (!s) return wf_fail(e, WF_ENOMEM, "synth: no memory");
    s->cfg = *cfg;
    s->interval_s = interval_of(cfg);
    s->hours = s->interval_s > HOUR ? s->interval_s / HOUR : 1;
    s->steps = (int)ceil(s->interval_s / LONGEST_STEP);
    s->dt = (double)s->interval_s / s->steps;
    enum wf_status status = wf_roads_build(&s->roads, cfg->nodes, cfg->seed, e);
    if (status == WF_OK) status = wf_roads_graph(&s->graph, &s->roads, cfg->edges, e);
    if (status == WF_OK) status = make_state(s, e);
    if (status == WF_OK)
        *out = s;
    else
        wf_traffic_end(s);
    return status;
}

void wf_traffic_end(struct wf_traffic *s)
{
    if (!s) return;
    wf_roads_free(&s->roads);
    wf_sensor_graph_free(&s->graph);
    wf_free(s->pool);
    wf_free(s->today);
    wf_free(s->down);
    wf_free(s->incident);
    wf_free(s);
}

const struct wf_sensor_graph *wf_traffic_graph(const struct wf_traffic *s)
{
    return &s->graph;
}

int64_t wf_traffic_t0(void)
{
    return 1704067200; /* Monday 2024-01-01 00:00 */
}

ptrdiff_t wf_traffic_rows(const struct wf_traffic *s)
{
    if (s->cfg.rows) return (ptrdiff_t)s->cfg.rows;
    return (ptrdiff_t)s->cfg.days * DAY / s->interval_s;
}

enum wf_status wf_traffic_block(struct wf_traffic *s, int sensor, double share, double seconds,
                                struct wf_error *e)
{
    if (sensor < 0 || sensor >= s->cfg.nodes)
        return wf_fail(e, WF_EINVAL, "synth: block of sensor %d, expected 0 to %d", sensor,
                       s->cfg.nodes - 1);
    if (!(share >= 0 && share <= 1) || !(seconds > 0))
        return wf_fail(e, WF_EINVAL, "synth: block to %g for %g s, expected [0, 1] and above 0",
                       share, seconds);
    int n = 0;
    for (int i = 0; i < s->blocks; i++)
        if (s->block[i].to > now(s)) s->block[n++] = s->block[i];
    s->blocks = n;
    if (n == BLOCKS) return wf_fail(e, WF_EINVAL, "synth: %d blocks at once, expected fewer", n);
    s->block[s->blocks++] =
        (struct incident){ s->roads.sensor[sensor], now(s), now(s) + seconds, share };
    return WF_OK;
}

struct wf_traffic_balance wf_traffic_balance(const struct wf_traffic *s)
{
    struct wf_traffic_balance b = s->balance;
    for (int c = 0; c < s->roads.cells; c++) b.stored += s->vehicles[c];
    return b;
}
