/* pde.h - series that solve partial differential equations, seen at places in a plane.
 *
 * Stand-ins of the three sets of Arndt et al. (2025), by name, of the same shape and number of
 * edges; places, coefficients and initial states are our own and come from the seed. Several runs
 * follow one another, each from its own initial state, which is its first row. The unit of length
 * is the side of a square that nothing enters or leaves.
 *
 *     si-diffusion         25 runs of 364 quarter days, 400 places; channels S and I:
 *                              dS/dt = div(D grad S) - r S I
 *                              dI/dt = div(D grad I) + r S I - a I
 *                          a = 0.22 a day; r, 0.54 .. 1.1 a day, and D, 1.25e-4 .. 4.4e-4, differ
 *                          from run to run and place to place; there are one to three outbreaks.
 *                          The rest, R, have recovered: S + I + R = 1
 *     advection-diffusion  54 runs of 80 rows, 400 places:
 *                              dc/dt = -div(v c) + div(D grad c)
 *                          D = 0.006; a puff in one, two or four gyres whose fastest wind, 0.5 .. 1
 *                          by run, crosses the square in 80 .. 160 rows. Mass stays
 *     wave-equation        3 runs of 576 rows, 325 places:
 *                              d2u/dt2 = div(c^2 grad u)
 *                          c^2 falls from 1 at sea to 0.2 at the coast; a hump falls and runs; 96
 *                          rows are a unit of time. Energy stays
 *
 * They are solved by finite volumes on a grid that is finer than the places (pde_grid_private.h has
 * the schemes and their bounds), and read off at the places by bilinear interpolation. The same
 * configuration gives the same bits. Whoever begins ends. */
#ifndef WF_PDE_H
#define WF_PDE_H

#include <stdbool.h>
#include <stdint.h>
#include "data/simulate/sensor_graph.h"

#ifdef __cplusplus
extern "C" {
#endif

enum wf_pde_kind { WF_PDE_SI, WF_PDE_ADVECTION, WF_PDE_WAVE };

struct wf_pde_config {
    enum wf_pde_kind kind;
    int nodes;      /* N, 3 .. 2000 */
    int edges;      /* directed edges, an even number; at most those of a triangulation */
    int runs, rows; /* runs, and rows of each; E = runs * rows */
    int cells;      /* cells along a side of the grid; 8 .. 1024, with advection at least 84 */
    uint64_t seed;
    struct wf_simulate_watch watch; /* who watches wf_simulate_pde() */
};

/* Fills in the configuration of a set by its name, with seed 1. False: there is no such set. */
bool wf_pde_named(struct wf_pde_config *out, const char *name);

struct wf_pde;
/* Begins a simulation; end it with wf_pde_end, which accepts NULL. The graph belongs to the
 * simulation. WF_EINVAL: a field out of its range; WF_ENOMEM. */
enum wf_status wf_pde_begin(struct wf_pde **out, const struct wf_pde_config *cfg,
                            struct wf_error *e);
void wf_pde_end(struct wf_pde *p);
const struct wf_sensor_graph *wf_pde_graph(const struct wf_pde *p);
int wf_pde_channels(const struct wf_pde *p);   /* C */
ptrdiff_t wf_pde_rows(const struct wf_pde *p); /* E */

/* Writes the next row [N, C]. Stepping past the configured runs goes on with further ones. */
void wf_pde_step(struct wf_pde *p, float *row);

struct wf_pde_grid;
/* Returns the whole grid behind the last row, for checks. */
const struct wf_pde_grid *wf_pde_state(const struct wf_pde *p);

#ifdef __cplusplus
}
#endif
#endif
