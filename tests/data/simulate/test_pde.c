/* These tests check series that solve differential equations: what is conserved, the orders and
 * bounds of the schemes, and planar graphs. */
#include "data/simulate/pde.h"
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include "data/dataset.h"
#include "data/formats/h5.h"
#include "data/simulate/pde_grid_private.h"
#include "data/simulate/planar_private.h"
#include "data/simulate/road_private.h"
#include "data/formats/series_file.h"
#include "data/simulate/simulate_file.h"
#include "tests/kit/leaks.h"
#include "tests/kit/outcome.h"
#include "tests/kit/scratch.h"

#define PI 3.14159265358979323846

static struct wf_error err;

static struct wf_pde_config named(const char *name)
{
    struct wf_pde_config c;
    cr_assert(wf_pde_named(&c, name), "%s", name);
    return c;
}

static struct wf_pde *begin(struct wf_pde_config c)
{
    struct wf_pde *p;
    ok(wf_pde_begin(&p, &c, &err));
    return p;
}

/* ---- shapes and graphs ---- */

static double side(const struct wf_sensor_graph *g, int a, int b, int c)
{
    return (g->x[b] - g->x[a]) * (g->y[c] - g->y[a]) - (g->y[b] - g->y[a]) * (g->x[c] - g->x[a]);
}

static bool cross(const struct wf_sensor_graph *g, int a, int b, int c, int d)
{
    if (a == c || a == d || b == c || b == d) return false;
    return side(g, a, b, c) * side(g, a, b, d) < 0 && side(g, c, d, a) * side(g, c, d, b) < 0;
}

static void expect_planar(const struct wf_sensor_graph *g)
{
    for (int a = 0; a < g->N; a++)
        for (ptrdiff_t k = g->first[a]; k < g->first[a + 1]; k++)
            for (int c = a; c < g->N; c++)
                for (ptrdiff_t m = g->first[c]; m < g->first[c + 1]; m++)
                    cr_assert(!cross(g, a, g->to[k], c, g->to[m]), "%d-%d and %d-%d cross", a,
                              g->to[k], c, g->to[m]);
}

static void expect_symmetric(const struct wf_sensor_graph *g)
{
    for (int a = 0; a < g->N; a++) {
        for (ptrdiff_t k = g->first[a]; k < g->first[a + 1]; k++) {
            int b = g->to[k];
            ptrdiff_t m = g->first[b];
            cr_assert(b != a && (k == g->first[a] || b > g->to[k - 1]));
            while (m < g->first[b + 1] && g->to[m] != a) m++;
            cr_assert(m < g->first[b + 1] && g->weight[m] == g->weight[k], "%d-%d", a, b);
            cr_assert(g->weight[k] > 0 && g->weight[k] < 1);
            cr_assert_float_eq(g->distance[k], hypot(g->x[a] - g->x[b], g->y[a] - g->y[b]), 1e-12);
        }
    }
}

static void expect_connected(const struct wf_sensor_graph *g)
{
    static int queue[2000];
    static bool seen[2000];
    int n = 1;
    memset(seen, 0, sizeof seen);
    queue[0] = 0;
    seen[0] = true;
    for (int i = 0; i < n; i++)
        for (ptrdiff_t k = g->first[queue[i]]; k < g->first[queue[i] + 1]; k++)
            if (!seen[g->to[k]]) {
                seen[g->to[k]] = true;
                queue[n++] = g->to[k];
            }
    cr_assert_eq(n, g->N);
}

Test(pde, each_set_has_its_shape_and_a_planar_connected_graph)
{
    const struct {
        const char *name;
        int nodes, edges, rows, channels;
    } sets[] = { { "si-diffusion", 400, 2088, 9100, 2 },
                 { "advection-diffusion", 400, 2088, 4320, 1 },
                 { "wave-equation", 325, 1858, 1728, 1 } };
    for (int i = 0; i < 3; i++) {
        struct wf_pde *p = begin(named(sets[i].name));
        const struct wf_sensor_graph *g = wf_pde_graph(p);
        cr_assert(g->N == sets[i].nodes && g->first[g->N] == sets[i].edges);
        cr_assert(wf_pde_rows(p) == sets[i].rows && wf_pde_channels(p) == sets[i].channels);
        expect_symmetric(g);
        expect_planar(g);
        expect_connected(g);
        wf_pde_end(p);
    }
    struct wf_pde_config none;
    cr_assert(!wf_pde_named(&none, "heat"));
    expect_no_leaks();
}

Test(pde, a_graph_goes_from_one_edge_to_a_triangulation)
{
    struct wf_sensor_graph g;
    ok(wf_planar_graph(&g, 50, 2, 3, &err));
    cr_assert_eq(g.first[50], 2);
    wf_sensor_graph_free(&g);
    fails(wf_planar_graph(&g, 50, 300, 3, &err), WF_EINVAL, "edges is 300, expected at most");
    int most = 0;
    cr_assert_eq(sscanf(strstr(err.message, "most"), "most %d", &most), 1);
    ok(wf_planar_graph(&g, 50, most, 3, &err));
    /* A triangulation of n places, h of them on the hull, has 3n - 3 - h edges. */
    cr_assert(most / 2 <= 3 * 50 - 6 && most / 2 >= 3 * 50 - 3 - 25, "%d", most);
    expect_planar(&g);
    wf_sensor_graph_free(&g);
    fails(wf_planar_graph(&g, 50, 3, 3, &err), WF_EINVAL, "edges is 3, expected an even number");
    fails(wf_planar_graph(&g, 2, 2, 3, &err), WF_EINVAL, "nodes is 2");
    expect_no_leaks();
}

/* ---- the sets ---- */

static struct wf_pde_config small(const char *name)
{
    struct wf_pde_config c = named(name);
    c.nodes = 30;
    c.edges = 120;
    c.runs = 3;
    c.rows = 4;
    return c;
}

Test(pde, the_same_seed_gives_the_same_bits_and_each_run_begins_anew)
{
    static const char *const names[] = { "si-diffusion", "advection-diffusion", "wave-equation" };
    for (int i = 0; i < 3; i++) {
        struct wf_pde_config c = small(names[i]);
        struct wf_pde *a = begin(c), *b = begin(c);
        c.seed++;
        struct wf_pde *other = begin(c);
        float x[60] = { 0 }, y[60] = { 0 }, z[60] = { 0 }, first[60];
        for (int t = 0; t < 12; t++) {
            wf_pde_step(a, x);
            wf_pde_step(b, y);
            wf_pde_step(other, z);
            cr_assert_eq(memcmp(x, y, sizeof x), 0);
            cr_assert_neq(memcmp(x, z, sizeof x), 0);
            if (t == 0) memcpy(first, x, sizeof x);
            if (t % 4 == 0 && t) cr_assert_neq(memcmp(x, first, sizeof x), 0);
        }
        wf_pde_end(a);
        wf_pde_end(b);
        wf_pde_end(other);
    }
    expect_no_leaks();
}

Test(pde, everybody_is_susceptible_infected_or_recovered)
{
    struct wf_pde_config c = named("si-diffusion");
    c.runs = 2;
    c.rows = 120;
    struct wf_pde *p = begin(c);
    const struct wf_pde_grid *g = wf_pde_state(p);
    float row[800];
    double before = 1;
    for (int t = 0; t < 240; t++) {
        wf_pde_step(p, row);
        int cells = g->n * g->n;
        /* Rounding errors add up over some 2000 steps with a few roundings each. */
        for (int k = 0; k < cells; k++) {
            double S = g->u[k], I = g->u[cells + k], R = g->u[2 * cells + k];
            cr_assert_float_eq(S + I + R, 1, 1e-12);
            cr_assert(S >= 0 && S <= 1 && I >= 0 && I <= 1 && R >= 0 && R <= 1);
        }
        for (int i = 0; i < 400; i++)
            cr_assert(row[2 * i] >= 0 && row[2 * i + 1] >= 0 &&
                      row[2 * i] + row[2 * i + 1] < 1.000001F);
        if (t % 120) cr_assert_lt(wf_pde_sum(g, 0), before);
        before = wf_pde_sum(g, 0);
        if (t % 120 == 119) cr_assert_lt(before, 0.95, "nobody falls ill: %g", before);
    }
    wf_pde_end(p);
}

Test(pde, a_puff_keeps_its_mass_and_its_sign)
{
    struct wf_pde_config c = named("advection-diffusion");
    c.runs = 3; /* the runs have one, two and four gyres */
    struct wf_pde *p = begin(c);
    const struct wf_pde_grid *g = wf_pde_state(p);
    float row[400];
    double mass = 0, most = 0;
    for (int t = 0; t < 240; t++) {
        wf_pde_step(p, row);
        if (t % 80 == 0) {
            mass = wf_pde_sum(g, 0);
            most = 1;
            cr_assert(wf_pde_grid_mixed(g) <= 2 && wf_pde_grid_mixed(g) > 0.5);
        }
        double highest = 0;
        for (int k = 0; k < g->n * g->n; k++) {
            cr_assert_geq(g->u[k], 0);
            highest = fmax(highest, g->u[k]);
        }
        cr_assert_leq(highest, most * (1 + 1e-12));
        most = highest;
        cr_assert_float_eq(wf_pde_sum(g, 0), mass, 1e-12 * mass);
    }
    wf_pde_end(p);
}

Test(pde, a_wave_keeps_its_energy)
{
    struct wf_pde_config c = named("wave-equation");
    c.runs = 1;
    struct wf_pde *p = begin(c);
    const struct wf_pde_grid *g = wf_pde_state(p);
    float row[325];
    double first = 0, early = 0, late = 0, mean = 0;
    for (int t = 0; t < 576; t++) {
        wf_pde_step(p, row);
        double energy = wf_pde_energy(g);
        if (t == 0) first = energy;
        if (t == 0) mean = wf_pde_sum(g, 0);
        early += t < 144 ? energy / 144 : 0;
        late += t >= 432 ? energy / 144 : 0;
        /* The leapfrog's own energy differs by (dt w)^2 / 8 at most, w the highest frequency: dt w
         * is 1 here, and the hump's is a tenth of that. */
        cr_assert_float_eq(energy, first, 0.01 * first, "row %d: %g, %g", t, energy, first);
        cr_assert_float_eq(wf_pde_sum(g, 0), mean, 1e-10);
    }
    cr_assert_float_eq(late, early, 1e-3 * first, "drifts: %g, %g of %g", early, late, first);
    wf_pde_end(p);
}

/* ---- the schemes on known solutions ---- */

static double number(void *ctx, double x, double y)
{
    (void)x, (void)y;
    return *(double *)ctx;
}

static double mode(void *ctx, double x, double y)
{
    return *(double *)ctx * cos(PI * x) * cos(2 * PI * y);
}

static struct wf_pde_grid grid(int n, int fields, double D)
{
    struct wf_pde_grid g;
    ok(wf_pde_grid_init(&g, n, fields, &err));
    wf_pde_grid_diffusion(&g, number, &D);
    return g;
}

/* Returns the root mean square difference from f. */
static double error(const struct wf_pde_grid *g, wf_pde_function *f, void *ctx)
{
    double sum = 0;
    for (int j = 0; j < g->n; j++)
        for (int i = 0; i < g->n; i++) {
            double d = g->u[j * g->n + i] - f(ctx, (i + 0.5) * g->h, (j + 0.5) * g->h);
            sum += d * d;
        }
    return sqrt(sum) * g->h;
}

/* cos(pi x) cos(2 pi y) decays with 5 pi^2 D, or swings with the root of it. */
static double mode_error(int n, bool wave)
{
    double D = 0.05, T = 0.4, size = 1;
    struct wf_pde_grid g = grid(n, 1, D);
    double dt = wave ? 0.5 * sqrt(2 * wf_pde_grid_step(&g)) : wf_pde_grid_step(&g);
    int steps = (int)ceil(T / dt);
    wf_pde_grid_fill(&g, g.u, mode, &size);
    for (int k = 0; k < steps; k++) {
        if (wave)
            wf_pde_swing(&g, T / steps);
        else
            wf_pde_advance(&g, T / steps);
    }
    size = wave ? cos(sqrt(5 * D) * PI * T) : exp(-5 * PI * PI * D * T);
    double e = error(&g, mode, &size);
    wf_pde_grid_free(&g);
    return e;
}

Test(pde, diffusion_and_waves_are_of_second_order)
{
    for (int wave = 0; wave < 2; wave++) {
        double a = mode_error(16, wave), b = mode_error(32, wave), c = mode_error(64, wave);
        cr_assert(a / b > 3.8 && a / b < 4.2 && b / c > 3.8 && b / c < 4.2, "%g, %g, %g", a, b, c);
        cr_assert_lt(c, 1e-3);
    }
}

/* A round puff in a wind of solid rotation goes round and spreads. */
struct turning {
    double t, D;
};

static double turning(void *ctx, double x, double y)
{
    const struct turning *s = ctx;
    double start = 0.06 * 0.06, spread = start + 2 * s->D * s->t;
    double dx = x - 0.5 - 0.15 * cos(s->t), dy = y - 0.5 + 0.15 * sin(s->t);
    return start / spread * exp(-(dx * dx + dy * dy) / (2 * spread));
}

static double whirl(void *ctx, double x, double y)
{
    (void)ctx;
    return ((x - 0.5) * (x - 0.5) + (y - 0.5) * (y - 0.5)) / 2;
}

static double turning_error(int n)
{
    struct turning s = { 0, 5e-4 };
    struct wf_pde_grid g = grid(n, 1, s.D);
    wf_pde_grid_wind(&g, whirl, NULL);
    wf_pde_grid_fill(&g, g.u, turning, &s);
    /* The steps are so small that the grid makes the error. */
    int steps = 4 * n;
    for (int k = 0; k < steps; k++) wf_pde_advance(&g, 1.0 / steps);
    s.t = 1;
    double e = error(&g, turning, &s);
    wf_pde_grid_free(&g);
    return e;
}

Test(pde, a_turning_puff_is_of_second_order)
{
    double a = turning_error(32), b = turning_error(64), c = turning_error(128);
    cr_assert(a / b > 3.5 && a / b < 4.5 && b / c > 3.8 && b / c < 4.2, "%g, %g, %g", a, b, c);
    cr_assert_lt(c, 1e-3);
}

/* Computes S and I of a place that is like all others, after T days. */
static void epidemic(double *S, double *I, int steps)
{
    struct wf_pde_grid g = grid(4, 3, 1e-3);
    double r = 0.8, T = 10;
    wf_pde_grid_fill(&g, g.infect, number, &r);
    g.recover = 0.22;
    for (int k = 0; k < 16; k++) {
        g.u[k] = 0.9;
        g.u[16 + k] = 0.1;
    }
    for (int k = 0; k < steps; k++) wf_pde_advance(&g, T / steps);
    *S = g.u[5];
    *I = g.u[21];
    wf_pde_grid_free(&g);
}

Test(pde, an_epidemic_without_neighbours_is_of_third_order)
{
    double S[3], I[3], S_end, I_end;
    for (int k = 0; k < 3; k++) epidemic(&S[k], &I[k], 40 << k);
    epidemic(&S_end, &I_end, 4000);
    for (int k = 0; k < 2; k++) {
        double s = (S[k] - S_end) / (S[k + 1] - S_end), i = (I[k] - I_end) / (I[k + 1] - I_end);
        cr_assert(s > 7 && s < 9 && i > 6.5 && i < 9, "%g, %g", s, i);
    }
    /* ln S + (r / a) (1 - S - I) is conserved along the path of S and I. */
    cr_assert_float_eq(log(S_end) + 0.8 / 0.22 * (1 - S_end - I_end), log(0.9), 1e-8);
}

Test(pde, steps_within_the_bounds_are_stable_and_beyond_are_not)
{
    for (int over = 0; over < 2; over++) {
        for (int wave = 0; wave < 2; wave++) {
            struct wf_pde_grid g = grid(32, 1, 0.1);
            double bound = wf_pde_grid_step(&g);
            /* The third-order scheme itself bears 2.51 / 2 of Euler's. */
            double dt = wave ? sqrt(2 * bound) * (over ? 1.02 : 0.99) : bound * (over ? 1.3 : 1);
            for (int k = 0; k < 32 * 32; k++) g.u[k] = (k + k / 32) % 2;
            for (int k = 0; k < 500; k++) (wave ? wf_pde_swing : wf_pde_advance)(&g, dt);
            double most = 0;
            for (int k = 0; k < 32 * 32; k++) most = fmax(most, fabs(g.u[k]));
            cr_assert(over ? !(most < 1e3) : most < (wave ? 20 : 1), "%d, %d: %g", over, wave,
                      most);
            wf_pde_grid_free(&g);
        }
    }
    expect_no_leaks();
}

/* ---- refusals and files ---- */

Test(pde, a_bad_configuration_is_refused_by_name)
{
    struct wf_pde *p;
    struct wf_pde_config c = small("advection-diffusion");
    c.cells = 83;
    fails(wf_pde_begin(&p, &c, &err), WF_EINVAL, "cells is 83, expected 84 to 1024");
    c = small("wave-equation");
    c.cells = 7;
    fails(wf_pde_begin(&p, &c, &err), WF_EINVAL, "cells is 7");
    cr_assert_null(p);
    c = small("wave-equation");
    c.rows = 0;
    fails(wf_pde_begin(&p, &c, &err), WF_EINVAL, "3 runs of 0 rows");
    c = small("wave-equation");
    c.nodes = 2001;
    fails(wf_pde_begin(&p, &c, &err), WF_EINVAL, "nodes is 2001");
    c.kind = (enum wf_pde_kind)3;
    fails(wf_pde_begin(&p, &c, &err), WF_EINVAL, "kind is 3");
    struct wf_pde_grid g;
    fails(wf_pde_grid_init(&g, 1, 1, &err), WF_EINVAL, "1 cells");
    fails(wf_pde_grid_init(&g, 8, 2, &err), WF_EINVAL, "2 fields");
    expect_no_leaks();
}

static bool stop_at(void *ctx, ptrdiff_t done, ptrdiff_t total)
{
    cr_assert_eq(total, 12);
    return done < *(int *)ctx;
}

Test(pde, a_file_says_that_it_is_synthetic_and_is_whole_or_not_there)
{
    struct wf_pde_config c = small("si-diffusion");
    struct wf_series_file s;
    struct wf_h5 *f;
    int64_t mark = 0;
    int stop = 7;
    const char *path = scratch("si.h5");
    c.watch = (struct wf_simulate_watch){ stop_at, &stop };
    fails(wf_simulate_pde(path, &c, &err), WF_EINTR, "si.h5: interrupted after 7 of 12 rows");
    cr_assert_eq(scratch_count(), 0);
    stop = 13;
    ok(wf_simulate_pde(path, &c, &err));
    ok(wf_series_file_read(&s, path, NULL, NULL, &err));
    cr_assert(s.E == 12 && s.N == 30 && s.C == 2 && s.interval_s == 0 && !s.times_ns);
    struct wf_pde *p = begin(c);
    for (int t = 0; t < 12; t++) {
        float row[60];
        wf_pde_step(p, row);
        cr_assert_eq(memcmp(row, s.values + (ptrdiff_t)t * 60, sizeof row), 0);
    }
    wf_pde_end(p);
    wf_series_file_free(&s);
    ok(wf_h5_open(&f, path, &err));
    ok(wf_h5_attr_int(f, "/", "synthetic", &mark, &err));
    cr_assert_eq(mark, 1);
    wf_h5_close(f);
    EACH_ALLOCATION_FAILS(err, wf_simulate_pde(path, &c, &err), (void)0);
    expect_no_leaks();
}
