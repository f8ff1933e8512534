/* pde_grid.c - finite volumes on a square grid. */
#include "data/simulate/pde_grid_private.h"
#include <math.h>
#include <stddef.h>
#include <string.h>
#include "tensor/alloc.h"

enum wf_status wf_pde_grid_init(struct wf_pde_grid *g, int n, int fields, struct wf_error *e)
{
    *g = (struct wf_pde_grid){ .n = n, .fields = fields, .h = 1.0 / n };
    if (n < 2 || n > 2048) return wf_fail(e, WF_EINVAL, "pde: %d cells, expected 2 to 2048", n);
    if (fields != 1 && fields != WF_PDE_FIELDS)
        return wf_fail(e, WF_EINVAL, "pde: %d fields, expected 1 or 3", fields);
    size_t cells = (size_t)n * (size_t)n, faces = (size_t)n * ((size_t)n + 1), all = (size_t)fields;
    double **const part[] = { &g->x_wind,    &g->x_diffuse, &g->y_wind,
                              &g->y_diffuse, &g->x_flux,    &g->y_flux };
    g->pool = wf_calloc((3 * all + 2) * cells + 6 * faces, sizeof *g->pool);
    if (!g->pool) return wf_fail(e, WF_ENOMEM, "pde: no memory for %d x %d cells", n, n);
    g->u = g->pool;
    g->rate = g->u + all * cells;
    g->stage = g->rate + all * cells;
    g->velocity = g->stage + all * cells;
    g->infect = g->velocity + cells;
    for (size_t k = 0; k < 6; k++) *part[k] = g->infect + cells + k * faces;
    return WF_OK;
}

void wf_pde_grid_free(struct wf_pde_grid *g)
{
    wf_free(g->pool);
    *g = (struct wf_pde_grid){ 0 };
}

void wf_pde_grid_diffusion(struct wf_pde_grid *g, wf_pde_function *D, void *ctx)
{
    double h = g->h;
    for (int j = 0; j < g->n; j++) {
        for (int i = 1; i < g->n; i++) {
            g->x_diffuse[j * (g->n + 1) + i] = D(ctx, i * h, (j + 0.5) * h) / (h * h);
            g->y_diffuse[i * g->n + j] = D(ctx, (j + 0.5) * h, i * h) / (h * h);
        }
    }
}

void wf_pde_grid_wind(struct wf_pde_grid *g, wf_pde_function *psi, void *ctx)
{
    double h = g->h;
    for (int j = 0; j < g->n; j++) {
        for (int i = 1; i < g->n; i++) {
            double vx = (psi(ctx, i * h, (j + 1) * h) - psi(ctx, i * h, j * h)) / h;
            double vy = (psi(ctx, j * h, i * h) - psi(ctx, (j + 1) * h, i * h)) / h;
            g->x_wind[j * (g->n + 1) + i] = vx / (2 * h);
            g->y_wind[i * g->n + j] = vy / (2 * h);
        }
    }
}

void wf_pde_grid_fill(const struct wf_pde_grid *g, double *cells, wf_pde_function *f, void *ctx)
{
    for (int j = 0; j < g->n; j++)
        for (int i = 0; i < g->n; i++)
            cells[j * g->n + i] = f(ctx, (i + 0.5) * g->h, (j + 0.5) * g->h);
}

double wf_pde_grid_step(const struct wf_pde_grid *g)
{
    double most = 0;
    for (int j = 0; j < g->n; j++) {
        for (int i = 0; i < g->n; i++) {
            const double *x = g->x_diffuse + j * (g->n + 1) + i, *y = g->y_diffuse + j * g->n + i;
            most = fmax(most, x[0] + x[1] + y[0] + y[g->n]);
        }
    }
    return 1 / most;
}

double wf_pde_grid_mixed(const struct wf_pde_grid *g)
{
    double most = 0;
    for (int k = 0; k < g->n * (g->n + 1); k++) {
        if (g->x_wind[k] != 0) most = fmax(most, fabs(g->x_wind[k]) / g->x_diffuse[k]);
        if (g->y_wind[k] != 0) most = fmax(most, fabs(g->y_wind[k]) / g->y_diffuse[k]);
    }
    return 2 * most;
}

/* Computes the fluxes, divided by h; those through the sides of the square stay 0. */
static void set_flux(struct wf_pde_grid *g, const double *u)
{
    int n = g->n;
    for (int j = 0; j < n; j++) {
        const double *row = u + j * n;
        double *x = g->x_flux + j * (n + 1), *y = g->y_flux + j * n;
        const double *cx = g->x_wind + j * (n + 1), *dx = g->x_diffuse + j * (n + 1);
        const double *cy = g->y_wind + j * n, *dy = g->y_diffuse + j * n;
        for (int i = 1; i < n; i++)
            x[i] = cx[i] * (row[i - 1] + row[i]) - dx[i] * (row[i] - row[i - 1]);
        if (j == 0) continue;
        for (int i = 0; i < n; i++)
            y[i] = cy[i] * (row[i - n] + row[i]) - dy[i] * (row[i] - row[i - n]);
    }
}

/* rate = L u of one field */
static void transport(struct wf_pde_grid *g, double *rate, const double *u)
{
    int n = g->n;
    set_flux(g, u);
    for (int j = 0; j < n; j++) {
        const double *x = g->x_flux + j * (n + 1), *y = g->y_flux + j * n;
        for (int i = 0; i < n; i++) rate[j * n + i] = (x[i] - x[i + 1]) + (y[i] - y[i + n]);
    }
}

/* Adds infections and recoveries to the rates of S, I and R. */
static void react(struct wf_pde_grid *g, const double *u)
{
    ptrdiff_t cells = (ptrdiff_t)g->n * g->n;
    double *S = g->rate, *I = S + cells, *R = I + cells;
    for (ptrdiff_t c = 0; c < cells; c++) {
        double infected = g->infect[c] * u[c] * u[cells + c];
        double recovered = g->recover * u[cells + c];
        S[c] -= infected;
        I[c] += infected - recovered;
        R[c] += recovered;
    }
}

/* out = keep * start + (1 - keep) * (u + dt * rate of u) */
static void euler(struct wf_pde_grid *g, double *out, double keep, const double *start,
                  const double *u, double dt)
{
    ptrdiff_t cells = (ptrdiff_t)g->n * g->n;
    for (int f = 0; f < g->fields; f++) transport(g, g->rate + f * cells, u + f * cells);
    if (g->fields == WF_PDE_FIELDS) react(g, u);
    for (ptrdiff_t c = 0; c < cells * g->fields; c++)
        out[c] = keep * start[c] + (1 - keep) * (u[c] + dt * g->rate[c]);
}

void wf_pde_advance(struct wf_pde_grid *g, double dt)
{
    euler(g, g->stage, 0, g->u, g->u, dt);
    euler(g, g->stage, 3.0 / 4, g->u, g->stage, dt);
    euler(g, g->u, 1.0 / 3, g->u, g->stage, dt);
}

static void kick(struct wf_pde_grid *g, double dt)
{
    ptrdiff_t cells = (ptrdiff_t)g->n * g->n;
    transport(g, g->rate, g->u);
    for (ptrdiff_t c = 0; c < cells; c++) g->velocity[c] += dt * g->rate[c];
}

void wf_pde_swing(struct wf_pde_grid *g, double dt)
{
    ptrdiff_t cells = (ptrdiff_t)g->n * g->n;
    kick(g, dt / 2);
    for (ptrdiff_t c = 0; c < cells; c++) g->u[c] += dt * g->velocity[c];
    kick(g, dt / 2);
}

double wf_pde_sum(const struct wf_pde_grid *g, int field)
{
    ptrdiff_t cells = (ptrdiff_t)g->n * g->n;
    double sum = 0;
    for (ptrdiff_t c = 0; c < cells; c++) sum += g->u[field * cells + c];
    return sum * g->h * g->h;
}

double wf_pde_energy(const struct wf_pde_grid *g)
{
    double sum = 0;
    int n = g->n;
    for (int j = 0; j < n; j++) {
        for (int i = 0; i < n; i++) {
            int c = j * n + i;
            double v = g->velocity[c];
            double x = i ? g->u[c] - g->u[c - 1] : 0, y = j ? g->u[c] - g->u[c - n] : 0;
            sum += v * v + g->x_diffuse[j * (n + 1) + i] * x * x + g->y_diffuse[c] * y * y;
        }
    }
    return sum * g->h * g->h / 2;
}
