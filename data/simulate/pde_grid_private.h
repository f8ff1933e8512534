/* pde_grid_private.h - finite volumes for the equations of pde.h.
 *
 * The unit square is cut into n x n cells of side h, and nothing flows through its sides:
 *
 *     du/dt = L u = -div(v u) + div(D grad u)
 *
 * The flux through a face between cells a and b is
 *
 *     v (u_a + u_b) / 2 - D (u_b - u_a) / h
 *
 * which is of second order in h. What leaves a cell enters another, so the sum over cells stays. v
 * comes from a stream function by its differences along the faces, so that no cell gains or loses
 * volume. Where |v| h / D <= 2 on every face and dt is not above wf_pde_grid_step, a step of
 * Euler's method takes each cell to a mean of itself and its neighbours: nothing leaves the range
 * it was in.
 *
 *     wf_pde_advance   strong-stability-preserving Runge-Kutta of third order (Shu and Osher 1988):
 *                      averages of Euler's steps, so the bound on them holds
 *     wf_pde_swing     d2u/dt2 = L u with v = 0, by the leapfrog (velocity Verlet), which keeps the
 *                      energy to second order in dt for ever; dt up to sqrt(2 wf_pde_grid_step)
 *
 * With infection, three fields S, I, R stand one behind another and react besides:
 *     dS/dt = L S - r S I,   dI/dt = L I + r S I - a I,   dR/dt = L R + a I
 * Euler's step then keeps each in [0, 1] and S + I + R = 1, if dt is at most
 * 1 / (1 / wf_pde_grid_step + max(r, a)).
 *
 * Free with wf_pde_grid_free. */
#ifndef WF_PDE_GRID_PRIVATE_H
#define WF_PDE_GRID_PRIVATE_H

#include "tensor/status.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { WF_PDE_FIELDS = 3 }; /* S, I and R */

struct wf_pde_grid {
    int n, fields;
    double h;
    double *pool;               /* holds the arrays */
    double *u;                  /* [fields, n, n] the state, row after row in y */
    double *velocity;           /* [n, n] du/dt, for wf_pde_swing */
    double *x_wind, *x_diffuse; /* [n, n + 1] v / 2h and D / h^2 at the faces across x */
    double *y_wind, *y_diffuse; /* [n + 1, n] the same at the faces across y */
    double *x_flux, *y_flux;    /* fluxes through these faces, divided by h */
    double *rate, *stage;       /* [fields, n, n] L u, and a step of Runge-Kutta */
    double *infect;             /* [n, n] r, used with three fields */
    double recover;             /* a */
};

/* A function of a place in the square. */
typedef double wf_pde_function(void *ctx, double x, double y);

/* Makes a grid of n x n cells, n from 2 to 2048, with 1 or 3 fields; state and coefficients are 0.
 * WF_EINVAL, WF_ENOMEM. */
enum wf_status wf_pde_grid_init(struct wf_pde_grid *g, int n, int fields, struct wf_error *e);
void wf_pde_grid_free(struct wf_pde_grid *g);

/* Sets D, which is asked for at the middle of each face. */
void wf_pde_grid_diffusion(struct wf_pde_grid *g, wf_pde_function *D, void *ctx);
/* Sets v = (dpsi/dy, -dpsi/dx) from a stream function. */
void wf_pde_grid_wind(struct wf_pde_grid *g, wf_pde_function *psi, void *ctx);
/* Fills cells [n, n] with the values of f at the middle of each cell. */
void wf_pde_grid_fill(const struct wf_pde_grid *g, double *cells, wf_pde_function *f, void *ctx);

/* Returns the longest step of Euler's method, see above. */
double wf_pde_grid_step(const struct wf_pde_grid *g);
/* Returns the largest |v| h / D. */
double wf_pde_grid_mixed(const struct wf_pde_grid *g);

/* Take a step of dt, see above. */
void wf_pde_advance(struct wf_pde_grid *g, double dt);
void wf_pde_swing(struct wf_pde_grid *g, double dt);

/* Returns the integral of a field over the square. */
double wf_pde_sum(const struct wf_pde_grid *g, int field);
/* Returns the energy, kinetic and elastic: the integrals of velocity^2 / 2 and D |grad u|^2 / 2. */
double wf_pde_energy(const struct wf_pde_grid *g);

#ifdef __cplusplus
}
#endif
#endif
