/* shades.c - the picture of a data set in characters. */
#include <math.h>
#include "apps/dataset/describe.h"

#define DAY_S 86400
enum { ROWS = 12, COLUMNS = 60, SHADES = 5 };

static const char *const shade[SHADES] = { " ", "\u2591", "\u2592", "\u2593", "\u2588" };

/* The cells of the picture: in each the sum of its values, and how many there are. */
struct cells {
    int rows, columns;
    bool day; /* columns are times of the day */
    double sum[ROWS][COLUMNS], min, max;
    int64_t count[ROWS][COLUMNS];
};

static int smaller(int64_t a, int b)
{
    return a < b ? (int)a : b;
}

static void lay_out(struct cells *c, const struct wf_series *s)
{
    *c = (struct cells){ .rows = smaller(s->N, ROWS), .min = INFINITY, .max = -INFINITY };
    c->day =
        s->time_s && s->interval_s <= DAY_S / 12 && s->time_s[s->E - 1] - s->time_s[0] >= 2 * DAY_S;
    c->columns = smaller(c->day ? DAY_S / s->interval_s : s->E, COLUMNS);
}

static void fill(struct cells *c, const struct wf_series *s)
{
    for (int64_t e = 0; e < s->E; e++) {
        int64_t x = c->day ? s->time_s[e] % DAY_S * c->columns / DAY_S : e * c->columns / s->E;
        for (int n = 0; n < s->N; n++) {
            double v = (double)s->values[(e * s->N + n) * s->C];
            int y = (int)((int64_t)n * c->rows / s->N);
            if (isnan(v)) continue;
            c->sum[y][x] += v;
            c->count[y][x]++;
        }
    }
}

/* Turns sums into means, NaN where a cell has no value. */
static void average(struct cells *c)
{
    for (int y = 0; y < c->rows; y++)
        for (int x = 0; x < c->columns; x++) {
            double mean = c->count[y][x] ? c->sum[y][x] / (double)c->count[y][x] : NAN;
            c->sum[y][x] = mean;
            c->min = fmin(c->min, mean);
            c->max = fmax(c->max, mean);
        }
}

/* Returns the shade of a mean; "?" where there is none. */
static const char *glyph(const struct cells *c, double mean)
{
    if (isnan(mean)) return "?";
    int k = c->max > c->min ? (int)((mean - c->min) / (c->max - c->min) * SHADES) : 0;
    return shade[k < SHADES ? k : SHADES - 1];
}

static void print_legend(const struct cells *c, FILE *out)
{
    fputs("shades    ", out);
    for (int k = 0; k < SHADES; k++)
        fprintf(out, " [%s] from %.3g%s", shade[k], c->min + (c->max - c->min) * k / SHADES,
                k < SHADES - 1 ? "," : "");
    fprintf(out, " to %.3g; [?] missing\n", c->max);
}

void wf_dataset_picture(const struct wf_dataset *ds, FILE *out)
{
    const struct wf_series *s = &ds->series;
    struct cells c;
    if (s->be != wf_backend_cpu() || s->E < 1) return;
    lay_out(&c, s);
    fill(&c, s);
    average(&c);
    if (!(c.max >= c.min)) return;
    fprintf(out, "picture    channel 0: %s from left to right, nodes 0 to %d from top to bottom\n",
            c.day ? "the mean day" : "all steps", s->N - 1);
    for (int y = 0; y < c.rows; y++) {
        fputs("           |", out);
        for (int x = 0; x < c.columns; x++) fputs(glyph(&c, c.sum[y][x]), out);
        fputs("|\n", out);
    }
    print_legend(&c, out);
}
