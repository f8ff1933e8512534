/* standardize.c - normalisation by mean and variance, and its gradient. */
#include <math.h>
#include "tensor/cpu/cpu_private.h"

/* x [A, C, D] is read in one of two ways: as rows [A C, D] with moments per row (weights per d), or
 * as columns [A, C D] with moments per group of D columns (weights per c). Sums over rows are cut
 * into pieces of ROWS x COLS that stay in cache, and the pieces of a column add up in order. */
enum { ROWS = 128, COLS = 128 };

struct grid {
    ptrdiff_t rows, cols, chunks, blocks;
    double *part[2]; /* [chunks, cols] each */
};

static bool grid_init(struct grid *g, struct wf_backend *be, ptrdiff_t rows, ptrdiff_t cols)
{
    *g = (struct grid){ .rows = rows, .cols = cols };
    g->chunks = (rows + ROWS - 1) / ROWS;
    g->blocks = (cols + COLS - 1) / COLS;
    size_t n = (size_t)(g->chunks * cols);
    g->part[0] = wf_cpu_scratch(be, (2 * n + 1) * sizeof(double));
    if (g->part[0]) g->part[1] = g->part[0] + n;
    return g->part[0] != NULL;
}

struct piece {
    ptrdiff_t r0, r1, c0, n, at; /* rows [r0, r1), n columns from c0; sums go to part[][at] */
};

static struct piece piece_of(const struct grid *g, ptrdiff_t job)
{
    ptrdiff_t chunk = job / g->blocks, r0 = chunk * ROWS, c0 = job % g->blocks * COLS;
    ptrdiff_t r1 = r0 + ROWS < g->rows ? r0 + ROWS : g->rows;
    ptrdiff_t n = c0 + COLS < g->cols ? COLS : g->cols - c0;
    return (struct piece){ r0, r1, c0, n, chunk * g->cols + c0 };
}

static void keep(struct wf_tensor *stat, ptrdiff_t c, double mean, double var, double eps)
{
    stat->data[c] = (wf_real)mean;
    stat->data[stat->shape[1] + c] = (wf_real)(1 / sqrt(var + eps));
}

/* ---- forward ---- */

/* Computes the mean and the sum of squared deviations of each column of each piece. */
static void column_pieces(const struct grid *g, const wf_real *x)
{
#pragma omp parallel for schedule(static) if (g->rows * g->cols > 16384)
    for (ptrdiff_t job = 0; job < g->chunks * g->blocks; job++) {
        struct piece p = piece_of(g, job);
        double mean[COLS] = { 0 }, square[COLS] = { 0 };
        for (ptrdiff_t r = p.r0; r < p.r1; r++)
            for (ptrdiff_t j = 0; j < p.n; j++) mean[j] += (double)x[r * g->cols + p.c0 + j];
        for (ptrdiff_t j = 0; j < p.n; j++) mean[j] /= (double)(p.r1 - p.r0);
        for (ptrdiff_t r = p.r0; r < p.r1; r++)
            for (ptrdiff_t j = 0; j < p.n; j++) {
                double d = (double)x[r * g->cols + p.c0 + j] - mean[j];
                square[j] += d * d;
            }
        for (ptrdiff_t j = 0; j < p.n; j++) {
            g->part[0][p.at + j] = mean[j];
            g->part[1][p.at + j] = square[j];
        }
    }
}

/* Moves the running moments of channel c towards the moments of a batch of n numbers. */
static void follow(const struct wf_norm_in *in, ptrdiff_t c, double mean, double var, double n)
{
    double a = in->momentum < 0 ? 1 / (double)in->count->data[0] : in->momentum;
    wf_real *m = in->mean->data + c, *v = in->var->data + c;
    *m = (wf_real)((1 - a) * (double)*m + a * mean);
    *v = (wf_real)((1 - a) * (double)*v + a * var * n / (n - 1));
}

/* Merges the pieces of each channel one by one (Chan et al. 1983): n and m numbers, each with their
 * mean and sum of squared deviations, become n + m numbers. */
static enum wf_status column_moments(struct wf_backend *be, struct wf_tensor *stat,
                                     const struct wf_norm_in *in)
{
    ptrdiff_t A = in->x->shape[0], C = in->x->shape[1], D = in->x->shape[2];
    struct grid g;
    if (!grid_init(&g, be, A, C * D)) return WF_ENOMEM;
    column_pieces(&g, in->x->data);
    if (in->update) in->count->data[0] += 1;
#pragma omp parallel for schedule(static) if (g.chunks * g.cols > 16384)
    for (ptrdiff_t c = 0; c < C; c++) {
        double n = 0, mean = 0, square = 0;
        for (ptrdiff_t k = 0; k < g.chunks; k++) {
            double m = (double)((k + 1 < g.chunks ? (k + 1) * ROWS : A) - k * ROWS);
            for (ptrdiff_t d = c * D; d < (c + 1) * D; d++) {
                double delta = g.part[0][k * g.cols + d] - mean;
                square += g.part[1][k * g.cols + d] + delta * delta * n * m / (n + m);
                mean += delta * m / (n + m);
                n += m;
            }
        }
        keep(stat, c, mean, square / n, in->eps);
        if (in->update) follow(in, c, mean, square / n, n);
    }
    return WF_OK;
}

static void apply_columns(struct wf_tensor *y, const struct wf_tensor *stat,
                          const struct wf_norm_in *in)
{
    ptrdiff_t A = in->x->shape[0], C = in->x->shape[1], D = in->x->shape[2];
    const wf_real *mean = stat->data, *rstd = stat->data + C;
#pragma omp parallel for schedule(static) if (A * C * D > 16384)
    for (ptrdiff_t a = 0; a < A; a++) {
        const wf_real *x = in->x->data + a * C * D, *w = in->w ? in->w->data : NULL;
        const wf_real *b = in->b ? in->b->data : NULL;
        wf_real *out = y->data + a * C * D;
        if (D == 1 && w && b) {
#pragma omp simd
            for (ptrdiff_t c = 0; c < C; c++) out[c] = (x[c] - mean[c]) * (rstd[c] * w[c]) + b[c];
            continue;
        }
        for (ptrdiff_t c = 0; c < C; c++) {
            wf_real m = mean[c], k = w ? rstd[c] * w[c] : rstd[c], shift = b ? b[c] : 0;
            for (ptrdiff_t d = c * D; d < (c + 1) * D; d++) out[d] = (x[d] - m) * k + shift;
        }
    }
}

static void standardize_rows(struct wf_tensor *y, struct wf_tensor *stat,
                             const struct wf_norm_in *in)
{
    ptrdiff_t rows = (ptrdiff_t)in->x->shape[0] * in->x->shape[1], D = in->x->shape[2];
#pragma omp parallel for schedule(static) if (rows * D > 16384)
    for (ptrdiff_t r = 0; r < rows; r++) {
        const wf_real *x = in->x->data + r * D, *w = in->w ? in->w->data : NULL;
        const wf_real *b = in->b ? in->b->data : NULL;
        wf_real *out = y->data + r * D;
        double sum = 0, square = 0;
#pragma omp simd reduction(+ : sum)
        for (ptrdiff_t d = 0; d < D; d++) sum += (double)x[d];
        double mean = sum / (double)D;
#pragma omp simd reduction(+ : square)
        for (ptrdiff_t d = 0; d < D; d++) {
            double v = (double)x[d] - mean;
            square += v * v;
        }
        keep(stat, r, mean, square / (double)D, in->eps);
        wf_real m = (wf_real)mean, k = stat->data[rows + r];
        if (w && b)
            for (ptrdiff_t d = 0; d < D; d++) out[d] = (x[d] - m) * k * w[d] + b[d];
        else
            for (ptrdiff_t d = 0; d < D; d++)
                out[d] = (x[d] - m) * k * (w ? w[d] : 1) + (b ? b[d] : 0);
    }
}

enum wf_status wf_cpu_standardize(struct wf_backend *be, struct wf_tensor *y,
                                  struct wf_tensor *stat, const struct wf_norm_in *in)
{
    if (in->per_d) {
        standardize_rows(y, stat, in);
        return WF_OK;
    }
    if (in->mean && !in->update)
        for (int c = 0; c < stat->shape[1]; c++)
            keep(stat, c, (double)in->mean->data[c], (double)in->var->data[c], in->eps);
    else
        WF_TRY(column_moments(be, stat, in));
    apply_columns(y, stat, in);
    return WF_OK;
}

/* ---- gradient ----
 * With z = (x - mean) rstd and e = dy w,
 *     dx = rstd (e - mean(e) - z mean(e z)),  dw = sum dy z,  db = sum dy
 * and dx = rstd e where the moments are given. */

/* Sums dy and dy z over every column of each piece. */
static void sum_pieces(const struct grid *g, const struct wf_norm_in *in,
                       const struct wf_tensor *stat, const wf_real *dy)
{
    const wf_real *mean = stat->data, *rstd = stat->data + stat->shape[1];
    ptrdiff_t D = in->x->shape[2];
#pragma omp parallel for schedule(static) if (g->rows * g->cols > 16384)
    for (ptrdiff_t job = 0; job < g->chunks * g->blocks; job++) {
        struct piece p = piece_of(g, job);
        double sum[COLS] = { 0 }, dot[COLS] = { 0 };
        wf_real m[COLS], k[COLS];
        for (ptrdiff_t j = 0; j < p.n && !in->per_d; j++) {
            m[j] = mean[(p.c0 + j) / D];
            k[j] = rstd[(p.c0 + j) / D];
        }
        for (ptrdiff_t r = p.r0; r < p.r1; r++) {
            const wf_real *x = in->x->data + r * g->cols + p.c0, *d = dy + r * g->cols + p.c0;
            wf_real mr = in->per_d ? mean[r] : 0, kr = in->per_d ? rstd[r] : 0;
            if (in->per_d)
#pragma omp simd
                for (ptrdiff_t j = 0; j < p.n; j++) {
                    sum[j] += (double)d[j];
                    dot[j] += (double)(d[j] * ((x[j] - mr) * kr));
                }
            else
#pragma omp simd
                for (ptrdiff_t j = 0; j < p.n; j++) {
                    sum[j] += (double)d[j];
                    dot[j] += (double)(d[j] * ((x[j] - m[j]) * k[j]));
                }
        }
        for (ptrdiff_t j = 0; j < p.n; j++) {
            g->part[0][p.at + j] = sum[j];
            g->part[1][p.at + j] = dot[j];
        }
    }
}

/* Adds up the pieces, in groups of `width` columns. The totals of group c replace the sums of
 * column c in the first piece, which have been read by then. */
static void weights_bwd(const struct grid *g, ptrdiff_t width, struct wf_tensor *dw,
                        struct wf_tensor *db)
{
    for (ptrdiff_t c = 0; c < g->cols / width; c++) {
        double sum = 0, dot = 0;
        for (ptrdiff_t k = 0; k < g->chunks; k++)
            for (ptrdiff_t j = c * width; j < (c + 1) * width; j++) {
                sum += g->part[0][k * g->cols + j];
                dot += g->part[1][k * g->cols + j];
            }
        if (dw) dw->data[c] += (wf_real)dot;
        if (db) db->data[c] += (wf_real)sum;
        g->part[0][c] = sum;
        g->part[1][c] = dot;
    }
}

static enum wf_status columns_bwd(struct wf_backend *be, struct wf_tensor *dx, struct wf_tensor *dw,
                                  struct wf_tensor *db, const struct wf_norm_in *in,
                                  const struct wf_tensor *stat, const wf_real *dy)
{
    ptrdiff_t A = in->x->shape[0], C = in->x->shape[1], D = in->x->shape[2];
    const wf_real *mean = stat->data, *rstd = stat->data + C;
    bool given = in->mean && !in->update;
    struct grid g;
    if (!grid_init(&g, be, A, C * D)) return WF_ENOMEM;
    sum_pieces(&g, in, stat, dy);
    weights_bwd(&g, D, dw, db);
    if (!dx) return WF_OK;
    double n = (double)(A * D), *mean_e = g.part[0], *mean_ez = g.part[1];
    /* The totals that weights_bwd() left here become means; that of dy z is multiplied by rstd. */
    for (ptrdiff_t c = 0; c < C; c++) {
        mean_e[c] = given ? 0 : mean_e[c] / n;
        mean_ez[c] = given ? 0 : mean_ez[c] / n * (double)rstd[c];
    }
    const wf_real *w = in->w ? in->w->data : NULL;
    bool add = wf_grad_claim(dx);
#pragma omp parallel for schedule(static) if (A * C * D > 16384)
    for (ptrdiff_t a = 0; a < A; a++) {
        const wf_real *x = in->x->data + a * C * D, *d = dy + a * C * D;
        wf_real *out = dx->data + a * C * D;
        if (D == 1) {
#pragma omp simd
            for (ptrdiff_t c = 0; c < C; c++)
                out[c] = (add ? out[c] : 0) +
                         rstd[c] * (w ? w[c] : 1) *
                             (d[c] - (wf_real)mean_e[c] - (x[c] - mean[c]) * (wf_real)mean_ez[c]);
            continue;
        }
        for (ptrdiff_t c = 0; c < C; c++) {
            wf_real m = mean[c], kw = rstd[c] * (w ? w[c] : 1);
            wf_real e = (wf_real)mean_e[c], f = (wf_real)mean_ez[c];
#pragma omp simd
            for (ptrdiff_t j = c * D; j < (c + 1) * D; j++)
                out[j] = (add ? out[j] : 0) + kw * (d[j] - e - (x[j] - m) * f);
        }
    }
    return WF_OK;
}

static void rows_bwd(struct wf_tensor *dx, const struct wf_norm_in *in,
                     const struct wf_tensor *stat, const wf_real *dy)
{
    ptrdiff_t rows = stat->shape[1], D = in->x->shape[2];
    const wf_real *w = in->w ? in->w->data : NULL;
    bool add = wf_grad_claim(dx);
#pragma omp parallel for schedule(static) if (rows * D > 16384)
    for (ptrdiff_t r = 0; r < rows; r++) {
        const wf_real *x = in->x->data + r * D, *d = dy + r * D;
        wf_real m = stat->data[r], k = stat->data[rows + r], *out = dx->data + r * D;
        double sum = 0, dot = 0;
#pragma omp simd reduction(+ : sum, dot)
        for (ptrdiff_t j = 0; j < D; j++) {
            wf_real e = w ? d[j] * w[j] : d[j];
            sum += (double)e;
            dot += (double)(e * ((x[j] - m) * k));
        }
        wf_real e = (wf_real)(sum / (double)D), f = (wf_real)(dot / (double)D) * k;
#pragma omp simd
        for (ptrdiff_t j = 0; j < D; j++)
            out[j] = (add ? out[j] : 0) + k * ((w ? d[j] * w[j] : d[j]) - e - (x[j] - m) * f);
    }
}

enum wf_status wf_cpu_standardize_bwd(struct wf_backend *be, struct wf_tensor *dx,
                                      struct wf_tensor *dw, struct wf_tensor *db,
                                      const struct wf_norm_in *in, const struct wf_tensor *stat,
                                      const struct wf_tensor *dy)
{
    if (!in->per_d) return columns_bwd(be, dx, dw, db, in, stat, dy->data);
    if (dx) rows_bwd(dx, in, stat, dy->data);
    if (!dw && !db) return WF_OK;
    struct grid g;
    if (!grid_init(&g, be, stat->shape[1], in->x->shape[2])) return WF_ENOMEM;
    sum_pieces(&g, in, stat, dy->data);
    weights_bwd(&g, 1, dw, db);
    return WF_OK;
}
