/* These tests check simulated road traffic: conservation of vehicles, queues, days and graphs. */
#include "data/simulate/traffic.h"
#include "data/simulate/road_private.h"
#include "tensor/alloc.h"
#include "tests/kit/rows.h"
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

static struct wf_traffic_config small(void)
{
    struct wf_traffic_config c = wf_traffic_defaults();
    c.nodes = 20;
    c.days = 2;
    return c;
}

static struct wf_traffic *begin(struct wf_traffic_config c)
{
    struct wf_traffic *s;
    struct wf_error e = { 0 };
    cr_assert_eq(wf_traffic_begin(&s, &c, &e), WF_OK, "%s", e.message);
    return s;
}

static struct wf_traffic_data run(struct wf_traffic_config c)
{
    struct wf_traffic_data d;
    struct wf_error e = { 0 };
    cr_assert_eq(wf_traffic_run(&c, &d, &e), WF_OK, "%s", e.message);
    return d;
}

static size_t bytes(const struct wf_traffic_data *d)
{
    return (size_t)d->E * (size_t)d->N * sizeof *d->values;
}

Test(synth, the_same_seed_gives_the_same_bits)
{
    struct wf_traffic_config c = small();
    struct wf_traffic_data a = run(c), b = run(c);
    c.seed++;
    struct wf_traffic_data other = run(c);
    cr_assert_eq(memcmp(a.values, b.values, bytes(&a)), 0);
    cr_assert_neq(memcmp(a.values, other.values, bytes(&a)), 0);
    cr_assert_eq(memcmp(a.adjacency, b.adjacency, (size_t)(a.N * a.N) * sizeof(float)), 0);
    wf_traffic_data_free(&a);
    wf_traffic_data_free(&b);
    wf_traffic_data_free(&other);
    cr_assert_eq(wf_alloc_live(), 0);
}

Test(synth, rows_one_by_one_equal_the_whole)
{
    struct wf_traffic_config c = small();
    struct wf_traffic_data d = run(c);
    struct wf_traffic *s = begin(c);
    cr_assert_eq(wf_traffic_rows(s), 2 * 288);
    cr_assert_eq(d.E, 2 * 288);
    cr_assert_eq(d.t0, wf_traffic_t0());
    float row[20];
    for (ptrdiff_t t = 0; t < d.E; t++) {
        wf_traffic_step(s, row);
        cr_assert_eq(memcmp(row, d.values + t * d.N, sizeof row), 0, "row %td", t);
    }
    const struct wf_sensor_graph *g = wf_traffic_graph(s);
    cr_assert_eq(memcmp(g->x, d.x, 20 * sizeof *d.x), 0);
    cr_assert_eq(memcmp(g->y, d.y, 20 * sizeof *d.y), 0);
    for (int i = 0; i < 20; i++)
        for (int j = 0, k = (int)g->first[i]; j < 20; j++) {
            bool edge = k < g->first[i + 1] && g->to[k] == j;
            cr_assert_eq(d.distance[i * 20 + j], edge ? g->distance[k] : INFINITY);
            cr_assert_eq(d.adjacency[i * 20 + j], edge ? g->weight[k] : 0);
            k += edge;
        }
    wf_traffic_end(s);
    wf_traffic_data_free(&d);
    cr_assert_eq(wf_alloc_live(), 0);
}

Test(synth, the_first_row_is_a_monday_midnight)
{
    cr_assert_eq(wf_traffic_t0() % 86400, 0);
    cr_assert_eq((wf_traffic_t0() / 86400 + 3) % 7, 0, "1970 began on a Thursday");
}

Test(synth, no_vehicle_is_lost_or_made)
{
    struct wf_traffic_config c = small();
    c.nodes = 60;
    struct wf_traffic *s = begin(c);
    float row[60];
    double fullest = 0;
    for (ptrdiff_t t = 0; t < wf_traffic_rows(s); t++) {
        wf_traffic_step(s, row);
        struct wf_traffic_balance b = wf_traffic_balance(s);
        fullest = fmax(fullest, b.stored);
        cr_assert_geq(b.stored, 0);
        cr_assert_leq(fabs(b.entered - b.left - b.stored), 1e-9 * b.entered, "row %td: %g - %g, %g",
                      t, b.entered, b.left, b.stored);
    }
    cr_assert_gt(fullest, 1000);
    wf_traffic_end(s);
}

Test(synth, speeds_stay_within_bounds_and_both_ends_occur)
{
    struct wf_traffic_config c = wf_traffic_defaults();
    c.days = 14;
    struct wf_traffic_data d = run(c);
    ptrdiff_t jammed = 0, n = 0;
    for (ptrdiff_t k = 0; k < d.E * d.N; k++) {
        float v = d.values[k];
        if (isnan(v)) continue;
        cr_assert(v >= 1 && v <= WF_ROAD_FREE + 3.47 * c.noise_mph, "%g", (double)v);
        n++;
        jammed += v < 25;
    }
    cr_assert_gt(jammed, n / 20);
    cr_assert_lt(jammed, n / 2);
    wf_traffic_data_free(&d);
}

/* Returns the mean over the sensors of one day's readings between two hours. */
static double mean_speed(const struct wf_traffic_data *d, int day, int from, int to)
{
    double sum = 0;
    ptrdiff_t per_hour = 3600 / d->interval_s, n = 0;
    for (ptrdiff_t t = (day * 24 + from) * per_hour; t < (day * 24 + to) * per_hour; t++)
        for (int i = 0; i < d->N; i++, n++) sum += (double)d->values[t * d->N + i];
    return sum / (double)n;
}

Test(synth, peaks_are_slow_nights_and_weekends_are_not)
{
    struct wf_traffic_config c = wf_traffic_defaults();
    c.days = 7;
    c.missing = 0;
    struct wf_traffic_data d = run(c);
    double peak = 0, weekend = 0;
    for (int day = 0; day < 5; day++) peak += mean_speed(&d, day, 16, 19) / 5;
    for (int day = 5; day < 7; day++) weekend += mean_speed(&d, day, 16, 19) / 2;
    cr_assert_lt(peak, weekend - 3, "%g, %g", peak, weekend);
    cr_assert_lt(peak, mean_speed(&d, 3, 3, 5) - 10);
    wf_traffic_data_free(&d);
}

Test(synth, the_share_of_missing_readings_is_kept_in_stretches)
{
    struct wf_traffic_config c = wf_traffic_defaults();
    c.days = 14;
    c.missing = 0.2;
    struct wf_traffic_data d = run(c);
    double missing = 0, starts = 0;
    for (ptrdiff_t k = 0; k < d.E * d.N; k++) {
        bool now = isnan(d.values[k]), before = k >= d.N && isnan(d.values[k - d.N]);
        missing += now;
        starts += now && !before;
    }
    /* Some 1600 outages have 24 rows on average, so 10 % is four deviations of their sum. */
    cr_assert_float_eq(missing / (double)(d.E * d.N), 0.2, 0.02);
    cr_assert_float_eq(missing / starts, 24, 2.4);
    wf_traffic_data_free(&d);
    c.missing = 0;
    d = run(c);
    for (ptrdiff_t k = 0; k < d.E * d.N; k++) cr_assert(!isnan(d.values[k]));
    wf_traffic_data_free(&d);
}

/* Finds the first row after a block where the sensor is 10 mph slower than without it, or -1. */
static void slowed_at(int first[], struct wf_traffic_config c, int blocked, double *worst_ahead)
{
    struct wf_traffic *free_road = begin(c), *s = begin(c);
    float a[48], b[48];
    for (int t = 0; t < 11 * 12; t++) {
        wf_traffic_step(free_road, a);
        wf_traffic_step(s, b);
    }
    cr_assert_eq(wf_traffic_block(s, blocked, 0.02, 7200, NULL), WF_OK);
    const struct wf_sensor_graph *g = wf_traffic_graph(s);
    for (int i = 0; i < c.nodes; i++) first[i] = -1;
    *worst_ahead = 0;
    for (int t = 0; t < 24; t++) {
        wf_traffic_step(free_road, a);
        wf_traffic_step(s, b);
        for (int i = 0; i < c.nodes; i++) {
            cr_assert_gt(a[i], 50, "sensor %d without the block", i);
            if (b[i] < a[i] - 10 && first[i] < 0) first[i] = t;
        }
        for (ptrdiff_t k = g->first[blocked]; k < g->first[blocked + 1]; k++)
            if (g->distance[k] > 0)
                *worst_ahead = fmax(*worst_ahead, (double)(a[g->to[k]] - b[g->to[k]]));
    }
    wf_traffic_end(free_road);
    wf_traffic_end(s);
}

Test(synth, a_blocked_road_slows_those_behind_one_after_another_and_nobody_ahead)
{
    struct wf_traffic_config c = wf_traffic_defaults();
    c.noise_mph = c.missing = c.incidents = 0;
    c.demand = 0.65; /* traffic flows freely at eleven, so that only the block makes a queue */
    struct wf_traffic *s = begin(c);
    const struct wf_sensor_graph *g = wf_traffic_graph(s);
    int tried = 0;
    for (int j = 0; j < c.nodes; j++) {
        int near = -1, far = -1, first[48];
        double ahead, near_miles = 0;
        for (int i = 0; i < c.nodes; i++)
            for (ptrdiff_t k = g->first[i]; k < g->first[i + 1]; k++) {
                if (g->to[k] != j) continue;
                if (g->distance[k] > 0.7 && g->distance[k] < 1.3)
                    near = i, near_miles = g->distance[k];
                if (g->distance[k] > 2 && g->distance[k] < 2.6) far = i;
            }
        if (near < 0 || far < 0 || g->first[j + 1] - g->first[j] < 4) continue;
        slowed_at(first, c, j, &ahead);
        cr_assert_lt(ahead, 1, "blocked %d, ahead slower by %g mph", j, ahead);
        cr_assert_geq(first[near], 1, "blocked %d, %d at %g miles", j, near, near_miles);
        cr_assert(first[far] < 0 || first[far] > first[near], "blocked %d: %d in row %d, %d in %d",
                  j, near, first[near], far, first[far]);
        tried += first[far] > first[near];
    }
    cr_assert_geq(tried, 3);
    wf_traffic_end(s);
    cr_assert_eq(wf_alloc_live(), 0);
}

Test(synth, a_block_of_no_sensor_or_no_time_is_refused)
{
    struct wf_traffic *s = begin(small());
    struct wf_error e = { 0 };
    cr_assert_eq(wf_traffic_block(s, -1, 0.5, 60, &e), WF_EINVAL);
    cr_assert_eq(wf_traffic_block(s, 20, 0.5, 60, &e), WF_EINVAL);
    cr_assert(strstr(e.message, "20"), "%s", e.message);
    cr_assert_eq(wf_traffic_block(s, 0, 1.5, 60, &e), WF_EINVAL);
    cr_assert_eq(wf_traffic_block(s, 0, NAN, 60, &e), WF_EINVAL);
    cr_assert_eq(wf_traffic_block(s, 0, 0.5, 0, &e), WF_EINVAL);
    for (int i = 0; i < 16; i++) cr_assert_eq(wf_traffic_block(s, i, 0.5, 300, &e), WF_OK);
    cr_assert_eq(wf_traffic_block(s, 0, 0.5, 60, &e), WF_EINVAL);
    float row[20];
    wf_traffic_step(s, row);
    cr_assert_eq(wf_traffic_block(s, 0, 0.5, 60, &e), WF_OK, "those that ended make room");
    wf_traffic_end(s);
}

Test(synth, distances_follow_the_road_and_weights_the_kernel)
{
    struct wf_traffic_data d = run(wf_traffic_defaults());
    double sum = 0, squares = 0;
    int n = 0, one_way = 0, linked = 0;
    for (int k = 0; k < d.N * d.N; k++) {
        if (isinf(d.distance[k])) continue;
        cr_assert(d.distance[k] >= 0 && d.distance[k] <= 7);
        sum += d.distance[k];
        squares += d.distance[k] * d.distance[k];
        n++;
    }
    double sigma = sqrt(squares / n - sum / n * (sum / n));
    for (int i = 0; i < d.N; i++) {
        for (int j = 0; j < d.N; j++) {
            double miles = d.distance[i * d.N + j], w = exp(-miles * miles / (sigma * sigma));
            cr_assert_eq(miles == 0, i == j);
            cr_assert_float_eq((double)d.adjacency[i * d.N + j], w < 0.1 ? 0 : w, 1e-6);
            one_way += isfinite(miles) && isinf(d.distance[j * d.N + i]);
            linked += i != j && w >= 0.1;
            if (isinf(miles)) continue;
            /* Roads are straight except for sides, cell rounding and at most two bends. */
            cr_assert_leq(hypot(d.x[i] - d.x[j], d.y[i] - d.y[j]), miles + 1.5);
        }
    }
    cr_assert_gt(one_way, d.N);
    cr_assert(linked > 3 * d.N / 2 && linked < 10 * d.N, "%d edges", linked);
    wf_traffic_data_free(&d);
}

Test(synth, junctions_pass_on_everything_and_turn_nobody_back)
{
    struct wf_roads r;
    cr_assert_eq(wf_roads_build(&r, 300, 5, NULL), WF_OK);
    cr_assert_eq(r.links, 2 * (r.junctions - 1), "a tree of two-way roads");
    for (int v = 0; v < r.junctions; v++) {
        const struct wf_road_junction *j = &r.junction[v];
        for (int i = 0; i < j->legs; i++) {
            double sum = 0;
            for (int o = 0; o < j->legs; o++) sum += j->split[i][o];
            cr_assert_eq(j->split[i][i], 0);
            cr_assert_eq(r.link[j->in[i]].to, v);
            cr_assert_eq(r.link[j->out[i]].from, v);
            cr_assert_float_eq(sum, j->legs > 1, 1e-12);
        }
    }
    for (int i = 1; i < r.sensors; i++) cr_assert_lt(r.sensor[i - 1], r.sensor[i]);
    for (int i = 0; i < r.sources; i++) {
        int cell = r.source[i].cell;
        cr_assert(r.source[i].opens || r.leave[cell - 1] == 0, "an off-ramp before an on-ramp");
    }
    for (int k = 0; k < r.links; k++)
        cr_assert_eq(r.leave[r.link[k].first + r.link[k].cells - 1], 0);
    cr_assert_lt(r.sensor[r.sensors - 1], r.cells);
    struct wf_sensor_graph g;
    cr_assert_eq(wf_roads_graph(&g, &r, 0, NULL), WF_OK);
    cr_assert_eq(g.N, 300);
    wf_sensor_graph_free(&g);
    wf_roads_free(&r);
    cr_assert_eq(wf_alloc_live(), 0);
}

Test(synth, draws_are_uniform_and_normal)
{
    double u[4], mean = 0, z1 = 0, z2 = 0;
    int n = 20000;
    for (int i = 0; i < n; i++) {
        wf_road_uniform(u, 7, WF_DRAW_NOISE, (uint32_t)i, 3);
        double z = wf_road_normal(7, WF_DRAW_NOISE, (uint32_t)i, 4);
        for (int k = 0; k < 4; k++) cr_assert(u[k] >= 0 && u[k] < 1);
        mean += u[0] / n;
        z1 += z / n;
        z2 += z * z / n;
    }
    /* The tolerance is five standard deviations of a mean of n. */
    cr_assert_float_eq(mean, 0.5, 5 * 0.289 / sqrt(n));
    cr_assert_float_eq(z1, 0, 5 / sqrt(n));
    cr_assert_float_eq(z2, 1, 5 * 1.3 / sqrt(n));
}

/* The listed pairs are the nearest: no pair of the roads that is left out is shorter. */
static void expect_nearest(const struct wf_sensor_graph *g, const struct wf_sensor_graph *roads,
                           bool loops)
{
    double farthest = 0;
    for (ptrdiff_t k = 0; k < g->first[g->N]; k++) farthest = fmax(farthest, g->distance[k]);
    for (int i = 0; i < g->N; i++) {
        ptrdiff_t k = g->first[i];
        for (ptrdiff_t r = roads->first[i]; r < roads->first[i + 1]; r++) {
            while (k < g->first[i + 1] && g->to[k] < roads->to[r]) k++;
            bool listed = k < g->first[i + 1] && g->to[k] == roads->to[r];
            if (listed) cr_assert_eq(g->distance[k], roads->distance[r]);
            if (!listed && roads->to[r] != i) cr_assert_geq(roads->distance[r], farthest);
            if (roads->to[r] == i) cr_assert_eq(listed, loops);
        }
    }
}

Test(synth, a_graph_has_just_the_edges_asked_for)
{
    const struct {
        int nodes, edges;
        bool loops;
    } cases[] = { { 207, 1722, true }, { 325, 2694, true },      { 20, 102, true },
                  { 15, 225, true },   { 319, 319 * 319, true }, { 675, 690, false },
                  { 12, 1, false },    { 5, 20, true },          { 2, 3, true } };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct wf_traffic_config c = wf_traffic_defaults();
        c.nodes = cases[i].nodes;
        struct wf_traffic *roads = begin(c);
        c.edges = cases[i].edges;
        struct wf_traffic *s = begin(c);
        const struct wf_sensor_graph *g = wf_traffic_graph(s);
        cr_assert_eq(g->first[c.nodes], c.edges);
        for (int n = 0; n < c.nodes; n++)
            for (ptrdiff_t k = g->first[n]; k < g->first[n + 1]; k++) {
                cr_assert(k == g->first[n] || g->to[k] > g->to[k - 1]);
                cr_assert(g->weight[k] > 0 && g->weight[k] <= 1, "%d, edge %td", c.nodes, k);
            }
        expect_nearest(g, wf_traffic_graph(roads), cases[i].loops);
        wf_traffic_end(roads);
        wf_traffic_end(s);
    }
    cr_assert_eq(wf_alloc_live(), 0);
}

Test(synth, a_long_row_is_the_mean_of_its_hours)
{
    enum { HOURS = 5, ROWS = 12 }; /* rows begin at all hours, and days within rows */
    struct wf_traffic_config c = small();
    c.noise_mph = c.missing = 0;
    c.channels = 3;
    c.rows = HOURS * ROWS;
    c.interval_s = 3600;
    struct wf_traffic_data hours = run(c);
    c.rows = ROWS;
    c.interval_s = HOURS * 3600;
    struct wf_traffic_data d = run(c);
    cr_assert(hours.E == HOURS * ROWS && d.E == ROWS);
    for (ptrdiff_t k = 0; k < d.E * d.N; k++) {
        const float *hour = hours.values + (k / d.N * HOURS * d.N + k % d.N) * 3;
        double slowest = INFINITY, fastest = 0, sum[3] = { 0 };
        for (int h = 0; h < HOURS; h++, hour += d.N * 3) {
            slowest = fmin(slowest, (double)hour[0]);
            fastest = fmax(fastest, (double)hour[0]);
            for (int x = 0; x < 3; x++) sum[x] += (double)hour[x] / HOURS;
        }
        const float *row = d.values + k * 3;
        cr_assert(row[0] >= slowest - 1e-4 && row[0] <= fastest + 1e-4);
        for (int x = 1; x < 3; x++) cr_assert_float_eq((double)row[x], sum[x], 1e-5 * sum[x]);
        /* The flow is the density times its speed. */
        cr_assert_float_eq((double)row[1], (double)(row[0] * row[2]), 1e-5 * (double)row[1]);
    }
    wf_traffic_data_free(&hours);
    wf_traffic_data_free(&d);
}

Test(synth, further_channels_leave_the_first_as_it_is)
{
    struct wf_traffic_config c = small();
    struct wf_traffic_data one = run(c);
    c.channels = 3;
    struct wf_traffic_data three = run(c);
    for (ptrdiff_t k = 0; k < one.E * one.N; k++)
        for (int x = 0; x < 3; x++) {
            float v = three.values[3 * k + x];
            cr_assert_eq(isnan(one.values[k]), isnan(v));
            if (x == 0 && !isnan(v)) cr_assert_eq(one.values[k], v);
            if (x > 0 && !isnan(v)) cr_assert_geq(v, 0);
        }
    wf_traffic_data_free(&one);
    wf_traffic_data_free(&three);
}

TEST_ROWS(synth, any_number_of_sensors_and_any_interval_works, 8)
{
    const struct {
        int nodes, interval_s;
    } cases[] = { { 2, 300 },   { 3, 60 },      { 15, 100 },    { 16, 3600 },
                  { 207, 900 }, { 11160, 300 }, { 20, 604800 }, { 20, 25200 } };
    struct wf_traffic_config c = wf_traffic_defaults();
    c.nodes = cases[row].nodes;
    c.interval_s = cases[row].interval_s;
    c.days = c.interval_s > 86400 ? 7 : 1;
    c.missing = 0;
    struct wf_traffic *s = begin(c);
    cr_assert_eq(wf_traffic_rows(s), c.days * 86400 / c.interval_s);
    float *values = wf_malloc((size_t)c.nodes * sizeof *values);
    for (int t = 0; t < 10; t++) {
        wf_traffic_step(s, values);
        for (int i = 0; i < c.nodes; i++) cr_assert(values[i] >= 1 && values[i] < 70);
    }
    wf_free(values);
    wf_traffic_end(s);
    cr_assert_eq(wf_alloc_live(), 0);
}

TEST_ROWS(synth, a_bad_configuration_is_refused_by_name, 22)
{
    struct wf_traffic_config c[22];
    for (int i = 0; i < 22; i++) c[i] = wf_traffic_defaults();
    const char *name[22] = { "nodes",      "nodes",      "days",      "days",      "interval_s",
                             "interval_s", "interval_s", "missing",   "missing",   "missing",
                             "noise_mph",  "demand",     "incidents", "incidents", "interval_s",
                             "days",       "rows",       "rows",      "channels",  "channels",
                             "edges",      "edges" };
    c[0].nodes = 1;
    c[1].nodes = 100001;
    c[2].days = 0;
    c[3].days = 10001;
    c[4].interval_s = 30;
    c[5].interval_s = 5400;
    c[6].interval_s = 420;
    c[7].missing = -0.1;
    c[8].missing = 1;
    c[9].missing = NAN;
    c[10].noise_mph = -1;
    c[11].demand = 0;
    c[12].incidents = 11;
    c[13].incidents = NAN;
    c[14].interval_s = 604800 + 3600;
    c[15].interval_s = 604800;
    c[15].days = 6;
    c[16].rows = -1;
    c[17].rows = 10000 * 288 + 1;
    c[18].channels = 0;
    c[19].channels = 4;
    c[20].edges = -1;
    c[21].edges = 48 * 48 + 1;
    struct wf_error e = { 0 };
    struct wf_traffic_data d;
    struct wf_traffic *s;
    cr_assert_eq(wf_traffic_begin(&s, &c[row], &e), WF_EINVAL);
    cr_assert_null(s);
    cr_assert(strstr(e.message, name[row]), "%s", e.message);
    cr_assert_eq(wf_traffic_run(&c[row], &d, &e), WF_EINVAL);
    cr_assert_null(d.values);
    cr_assert_eq(wf_alloc_live(), 0);
}

Test(synth, every_failing_allocation_is_reported_and_leaves_nothing)
{
    struct wf_traffic_config c = small();
    c.days = 1;
    c.interval_s = 3600;
    enum wf_status status = WF_ENOMEM;
    int n = 0;
    for (; status != WF_OK; n++) {
        struct wf_traffic_data d;
        struct wf_error e = { 0 };
        wf_alloc_fail_after(n);
        status = wf_traffic_run(&c, &d, &e);
        wf_alloc_fail_after(-1);
        if (status == WF_OK) {
            wf_traffic_data_free(&d);
            break;
        }
        cr_assert_eq(status, WF_ENOMEM);
        cr_assert_eq(e.status, WF_ENOMEM);
        cr_assert_null(d.values);
        cr_assert_eq(wf_alloc_live(), 0, "allocation %d", n);
    }
    cr_assert_gt(n, 20);
    cr_assert_eq(wf_alloc_live(), 0);
}
