#include "data/simulate/pde.h"
#include <math.h>
#include <string.h>
#include "data/simulate/pde_grid_private.h"
#include "data/simulate/planar_private.h"
#include "tensor/alloc.h"
#include "tensor/rng.h"

#define PI        3.14159265358979323846
#define STREAM    UINT32_C(0x70646573)
#define RECOVER   0.22  /* a, per day */
#define DIFFUSION 0.006 /* D of the puff */
#define STEADY    0.5   /* share of the leapfrog's longest step */

/* One corner of the cell that a place lies in, and where in it. */
struct place {
    int cell;
    double x, y;
};

struct wf_pde {
    struct wf_pde_config cfg;
    struct wf_sensor_graph graph;
    struct wf_pde_grid grid;
    struct place *place; /* [N] */
    int64_t row;
    int steps; /* steps of the grid in a row of the current run */
    double dt; /* length of such a step */
};

/* What a run draws. */
struct run {
    double u[24];
    int winds; /* 0, 1 or 2: one, two or four gyres */
};

static const struct {
    const char *name;
    struct wf_pde_config cfg;
    double row; /* time between rows */
    int channels, fields;
} sets[] = {
    [WF_PDE_SI] = { "si-diffusion",
                    { WF_PDE_SI, 400, 2088, 25, 364, 96, 1, { NULL, NULL } },
                    0.25,
                    2,
                    3 },
    [WF_PDE_ADVECTION] = { "advection-diffusion",
                           { WF_PDE_ADVECTION, 400, 2088, 54, 80, 96, 1, { NULL, NULL } },
                           1.0 / 80,
                           1,
                           1 },
    [WF_PDE_WAVE] = { "wave-equation",
                      { WF_PDE_WAVE, 325, 1858, 3, 576, 128, 1, { NULL, NULL } },
                      1.0 / 96,
                      1,
                      1 },
};
enum { SETS = sizeof sets / sizeof *sets };

bool wf_pde_named(struct wf_pde_config *out, const char *name)
{
    for (int i = 0; i < SETS; i++) {
        if (strcmp(sets[i].name, name) != 0) continue;
        *out = sets[i].cfg;
        return true;
    }
    return false;
}

/* ---- coefficients and initial states ---- */

static double bell(double x, double y, double cx, double cy, double width)
{
    return exp(-((x - cx) * (x - cx) + (y - cy) * (y - cy)) / (2 * width * width));
}

/* A pattern between -1 and 1 with one or two waves to a side. */
static double swell(const double u[4], double x, double y)
{
    return sin(PI * (2 + 2 * u[0]) * x + 2 * PI * u[1]) *
           sin(PI * (2 + 2 * u[2]) * y + 2 * PI * u[3]);
}

static double spread(void *ctx, double x, double y)
{
    const struct run *r = ctx;
    return (1.5e-4 + 2.25e-4 * r->u[0]) * (1 + swell(r->u + 1, x, y) / 6);
}

static double infection(void *ctx, double x, double y)
{
    const struct run *r = ctx;
    return (0.6 + 0.4 * r->u[5]) * (1 + swell(r->u + 6, x, y) / 10);
}

/* The infected at the start, from independent outbreaks: nobody is infected twice. */
static double outbreaks(void *ctx, double x, double y)
{
    const struct run *r = ctx;
    double well = 1;
    for (int k = 0, n = 1 + (int)(3 * r->u[10]); k < n; k++)
        well *=
            1 - 0.3 * bell(x, y, 0.1 + 0.8 * r->u[11 + 2 * k], 0.1 + 0.8 * r->u[12 + 2 * k], 0.03);
    return 1 - well;
}

static double puff(void *ctx, double x, double y)
{
    const struct run *r = ctx;
    return (0.5 + 0.5 * r->u[0]) * bell(x, y, 0.15 + 0.7 * r->u[1], 0.15 + 0.7 * r->u[2], 0.05);
}

/* The stream function of gyres that turn either way round, with a fastest wind of 0.5 .. 1. It is 0
 * along the sides. */
static double gyres(void *ctx, double x, double y)
{
    const struct run *r = ctx;
    int nx = r->winds > 0 ? 2 : 1, ny = r->winds > 1 ? 2 : 1;
    double speed = (r->u[4] < 0.5 ? -1 : 1) * (0.5 + 0.5 * r->u[3]);
    return speed * sin(PI * nx * x) * sin(PI * ny * y) / (PI * (nx > ny ? nx : ny));
}

static double constant(void *ctx, double x, double y)
{
    (void)x, (void)y;
    return *(double *)ctx;
}

static double depth(void *ctx, double x, double y)
{
    const struct run *r = ctx;
    return 0.3 + 0.6 * y + 0.1 * swell(r->u + 4, x, y);
}

static double hump(void *ctx, double x, double y)
{
    const struct run *r = ctx;
    return (0.8 + 0.2 * r->u[0]) * bell(x, y, 0.2 + 0.6 * r->u[1], 0.5 + 0.3 * r->u[2], 0.05);
}

static void infect(struct wf_pde_grid *g, struct run *r)
{
    ptrdiff_t cells = (ptrdiff_t)g->n * g->n;
    wf_pde_grid_diffusion(g, spread, r);
    wf_pde_grid_fill(g, g->infect, infection, r);
    g->recover = RECOVER;
    wf_pde_grid_fill(g, g->u + cells, outbreaks, r);
    for (ptrdiff_t c = 0; c < cells; c++) {
        g->u[c] = 1 - g->u[cells + c];
        g->u[2 * cells + c] = 0;
    }
}

/* Begins the run that the next row is the first of. */
static void start(struct wf_pde *p)
{
    struct wf_pde_grid *g = &p->grid;
    int64_t number = p->row / p->cfg.rows;
    struct run r = { .winds = (int)(number * 3 / p->cfg.runs % 3) };
    for (int k = 0; k < 24; k++)
        r.u[k] = wf_philox(p->cfg.seed, STREAM, (uint64_t)number, (uint64_t)k).v[0] * 0x1p-32;
    double row = sets[p->cfg.kind].row, longest = 0, diffusion = DIFFUSION;
    switch (p->cfg.kind) {
    case WF_PDE_SI:
        infect(g, &r);
        longest = 1 / (1 / wf_pde_grid_step(g) + 1.1); /* r is at most 1.1, and a is less */
        break;
    case WF_PDE_ADVECTION:
        wf_pde_grid_diffusion(g, constant, &diffusion);
        wf_pde_grid_wind(g, gyres, &r);
        wf_pde_grid_fill(g, g->u, puff, &r);
        longest = wf_pde_grid_step(g);
        break;
    case WF_PDE_WAVE:
        wf_pde_grid_diffusion(g, depth, &r);
        wf_pde_grid_fill(g, g->u, hump, &r);
        memset(g->velocity, 0, (size_t)g->n * (size_t)g->n * sizeof *g->velocity);
        longest = STEADY * sqrt(2 * wf_pde_grid_step(g));
        break;
    }
    p->steps = (int)ceil(row / longest);
    p->dt = row / p->steps;
}

/* ---- rows ---- */

static enum wf_status check(const struct wf_pde_config *c, struct wf_error *e)
{
    if ((int)c->kind < 0 || (int)c->kind >= SETS)
        return wf_fail(e, WF_EINVAL, "pde: kind is %d, expected 0 to %d", (int)c->kind, SETS - 1);
    if (c->runs < 1 || c->rows < 1 || (int64_t)c->runs * c->rows > INT32_MAX)
        return wf_fail(e, WF_EINVAL, "pde: %d runs of %d rows, expected 1 or more and 2^31 in all",
                       c->runs, c->rows);
    /* The fastest wind needs so many: h / DIFFUSION <= 2 (pde_grid_private.h). */
    int least = c->kind == WF_PDE_ADVECTION ? 84 : 8;
    if (c->cells < least || c->cells > 1024)
        return wf_fail(e, WF_EINVAL, "pde: cells is %d, expected %d to 1024", c->cells, least);
    return WF_OK;
}

static enum wf_status find_places(struct wf_pde *p, struct wf_error *e)
{
    int n = p->cfg.cells;
    p->place = wf_malloc((size_t)p->cfg.nodes * sizeof *p->place);
    if (!p->place) return wf_fail(e, WF_ENOMEM, "pde: no memory for %d nodes", p->cfg.nodes);
    for (int i = 0; i < p->cfg.nodes; i++) {
        double x = fmax(0, p->graph.x[i] * n - 0.5), y = fmax(0, p->graph.y[i] * n - 0.5);
        int cx = (int)fmin(x, n - 2), cy = (int)fmin(y, n - 2);
        p->place[i] = (struct place){ cy * n + cx, fmin(x - cx, 1), fmin(y - cy, 1) };
    }
    return WF_OK;
}

enum wf_status wf_pde_begin(struct wf_pde **out, const struct wf_pde_config *cfg,
                            struct wf_error *e)
{
    *out = NULL;
    WF_TRY(check(cfg, e));
    struct wf_pde *p = wf_calloc(1, sizeof *p);
    if (!p) return wf_fail(e, WF_ENOMEM, "pde: no memory");
    p->cfg = *cfg;
    enum wf_status s = wf_planar_graph(&p->graph, cfg->nodes, cfg->edges, cfg->seed, e);
    if (s == WF_OK) s = wf_pde_grid_init(&p->grid, cfg->cells, sets[cfg->kind].fields, e);
    if (s == WF_OK) s = find_places(p, e);
    if (s == WF_OK)
        *out = p;
    else
        wf_pde_end(p);
    return s;
}

void wf_pde_end(struct wf_pde *p)
{
    if (!p) return;
    wf_sensor_graph_free(&p->graph);
    wf_pde_grid_free(&p->grid);
    wf_free(p->place);
    wf_free(p);
}

const struct wf_sensor_graph *wf_pde_graph(const struct wf_pde *p)
{
    return &p->graph;
}

int wf_pde_channels(const struct wf_pde *p)
{
    return sets[p->cfg.kind].channels;
}

ptrdiff_t wf_pde_rows(const struct wf_pde *p)
{
    return (ptrdiff_t)p->cfg.runs * p->cfg.rows;
}

const struct wf_pde_grid *wf_pde_state(const struct wf_pde *p)
{
    return &p->grid;
}

/* Returns the value at a place, by bilinear interpolation. */
static double at(const struct place *at, const double *u, int n)
{
    const double *c = u + at->cell;
    double below = c[0] + at->x * (c[1] - c[0]), above = c[n] + at->x * (c[n + 1] - c[n]);
    return below + at->y * (above - below);
}

void wf_pde_step(struct wf_pde *p, float *row)
{
    int n = p->grid.n, C = wf_pde_channels(p);
    if (p->row % p->cfg.rows == 0) {
        start(p);
    } else {
        for (int k = 0; k < p->steps; k++) {
            if (p->cfg.kind == WF_PDE_WAVE)
                wf_pde_swing(&p->grid, p->dt);
            else
                wf_pde_advance(&p->grid, p->dt);
        }
    }
    for (int i = 0; i < p->cfg.nodes; i++)
        for (int k = 0; k < C; k++)
            row[i * C + k] = (float)at(&p->place[i], p->grid.u + (ptrdiff_t)k * n * n, n);
    p->row++;
}
