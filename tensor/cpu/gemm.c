/* gemm.c - dense products of groups of matrices, cut into pieces for the threads. */
#include "tensor/cpu/cpu_private.h"
#include "tensor/cpu/tile_private.h"

/* A product is cut into blocks of C of at most ROWS rows and PANELS panels of columns. Where there
 * are fewer than FEW blocks and the sum is long, the sum is cut as well, into at most CHUNKS
 * partial sums of at least DEPTH terms. */
enum { ROWS = 224, PANELS = 4, DEPTH = 512, CHUNKS = 16, FEW = 8 };

/* Describes a group of matrices of one shape, which lie `stride` numbers apart. */
struct group {
    struct wf_matrix m;
    ptrdiff_t stride;
};

static struct group group_of(const struct wf_tensor *t)
{
    return (struct group){ { t->data, t->stride[1], t->stride[2] }, t->stride[0] };
}

static int least(int a, int b)
{
    return a < b ? a : b;
}

struct job {
    struct group a, b, c;
    int G, M, N, K;
    int sum;                /* groups that are summed into one product; then G is 1 */
    int rows, cols, chunks; /* pieces of M, of N, and of K or the groups that are summed */
    wf_real beta;
    wf_real *part; /* [chunks, G, M, N] when chunks > 1 */
};

/* Describes the range of an axis that one of n pieces covers. */
struct range {
    int from, size;
};

static struct range range_of(int i, int n, int size, int unit)
{
    int units = wf_blocks(size, unit), from = wf_block_from(i, n, units) * unit;
    return (struct range){ from, least(wf_block_from(i + 1, n, units) * unit, size) - from };
}

/* Computes piece `i` of the product: one block of C over one range of the sum. Both depend only on
 * the shapes. */
static void piece(const struct job *j, int i)
{
    struct range col = range_of(i % j->cols, j->cols, j->N, WF_PANEL);
    struct range row = range_of(i / j->cols % j->rows, j->rows, j->M, 1);
    int chunk = i / j->cols / j->rows % j->chunks, g = i / j->cols / j->rows / j->chunks;
    struct range part = range_of(chunk, j->chunks, j->sum > 1 ? j->sum : j->K, 1);
    struct range k = j->sum > 1 ? (struct range){ 0, j->K } : part;
    struct range h = j->sum > 1 ? part : (struct range){ g, 1 };
    struct wf_matrix a = j->a.m, b = j->b.m;
    wf_real *c = j->c.m.data + g * j->c.stride + row.from * j->c.m.row + col.from, beta = j->beta;
    ptrdiff_t ldc = j->c.m.row;
    if (j->chunks > 1) {
        c = j->part + (((ptrdiff_t)chunk * j->G + g) * j->M + row.from) * j->N + col.from;
        ldc = j->N;
        beta = 0;
    }
    a.data += h.from * j->a.stride + row.from * a.row + k.from * a.col;
    b.data += h.from * j->b.stride + k.from * b.row + col.from * b.col;
    for (int s = 0; s < h.size; s++, a.data += j->a.stride, b.data += j->b.stride)
        wf_cpu_product(row.size, col.size, k.size, a, b, s ? 1 : beta, c, ldc);
}

/* Sets c to beta c + the partial sums, which are added in their order. */
static void sum_up(const struct job *j)
{
    ptrdiff_t count = (ptrdiff_t)j->G * j->M * j->N;
#pragma omp parallel for
    for (ptrdiff_t r = 0; r < (ptrdiff_t)j->G * j->M; r++) {
        wf_real *c = j->c.m.data + r / j->M * j->c.stride + r % j->M * j->c.m.row;
        const wf_real *part = j->part + r * j->N;
        for (int n = 0; n < j->N; n++) {
            wf_real s = j->beta == 0 ? 0 : j->beta * c[n];
            for (int k = 0; k < j->chunks; k++) s += part[k * count + n];
            c[n] = s;
        }
    }
}

/* Treats groups as one product where it can. Groups that share b and whose rows are evenly strided
 * across groups become one matrix; groups that are summed and whose terms are evenly strided across
 * groups become one longer sum. */
static void merge_groups(struct job *j)
{
    bool even = j->a.stride == j->M * j->a.m.row && j->c.stride == j->M * j->c.m.row;
    if (j->sum > 1 && j->a.stride == j->K * j->a.m.col && j->b.stride == j->K * j->b.m.row &&
        (ptrdiff_t)j->sum * j->K <= 1 << 30) {
        j->K *= j->sum;
        j->sum = 1;
    }
    if (j->G == 1 || j->b.stride != 0 || !even || (ptrdiff_t)j->G * j->M > 1 << 30) return;
    j->M *= j->G;
    j->G = 1;
}

enum wf_status wf_cpu_gemm(struct wf_backend *be, struct wf_tensor *c, const struct wf_tensor *a,
                           const struct wf_tensor *b, double beta)
{
    struct job j = { .a = group_of(a), .b = group_of(b), .c = group_of(c) };
    j.G = c->shape[0];
    j.M = c->shape[1];
    j.N = c->shape[2];
    j.K = a->shape[2];
    j.beta = (wf_real)beta;
    j.sum = 1;
    if (c->stride[0] == 0 && j.G > 1) {
        j.sum = j.G;
        j.G = 1;
    }
    if (j.G == 0 || j.M == 0 || j.N == 0) return WF_OK;
    merge_groups(&j);
    j.rows = wf_blocks(j.M, ROWS);
    j.cols = wf_blocks(j.N, PANELS * WF_PANEL);
    j.chunks = 1;
    if ((ptrdiff_t)j.G * j.rows * j.cols < FEW && (j.sum > 1 || j.K >= 2 * DEPTH)) {
        j.chunks = least(CHUNKS, j.sum > 1 ? j.sum : j.K / DEPTH);
        size_t count = (size_t)j.chunks * (size_t)j.G * (size_t)j.M * (size_t)j.N;
        j.part = wf_cpu_scratch(be, count * sizeof(wf_real));
        if (j.part == NULL) return WF_ENOMEM;
    }
    int pieces = j.G * j.rows * j.cols * j.chunks;
    /* Each thread of the parallel region calls BLAS, which must not start threads of its own. */
#pragma omp parallel for schedule(static)
    for (int i = 0; i < pieces; i++) piece(&j, i);
    if (j.chunks > 1) sum_up(&j);
    return WF_OK;
}
