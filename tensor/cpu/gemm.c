#include <cblas.h>
#include "tensor/cpu/cpu.h"

/* Products are cut into blocks of C of this size; where those are few and the sum is long, the sum
 * is cut as well, into at most CHUNKS partial sums of at least DEPTH terms. */
enum { ROWS = 256, COLS = 512, DEPTH = 512, CHUNKS = 16, FEW = 8 };

void wf_cpu_blas(bool ta, bool tb, int m, int n, int k, const wf_real *a, int lda, const wf_real *b,
                 int ldb, wf_real beta, wf_real *c, int ldc)
{
    CBLAS_TRANSPOSE opa = ta ? CblasTrans : CblasNoTrans, opb = tb ? CblasTrans : CblasNoTrans;
#ifdef WF_DOUBLE
    cblas_dgemm(CblasRowMajor, opa, opb, m, n, k, 1, a, lda, b, ldb, beta, c, ldc);
#else
    cblas_sgemm(CblasRowMajor, opa, opb, m, n, k, 1, a, lda, b, ldb, beta, c, ldc);
#endif
}

/* A group of [rows, cols] matrices as BLAS wants them. */
struct matrix {
    wf_real *data;
    ptrdiff_t group, row, col; /* strides */
    bool transposed;
    int ld;
};

static struct matrix matrix_of(const struct wf_tensor *t)
{
    int rows = t->shape[1], cols = t->shape[2];
    struct matrix m = { .data = t->data, .group = t->stride[0] };
    m.row = t->stride[1];
    m.col = t->stride[2];
    /* the stride of an axis of size 1 means nothing */
    m.transposed = !((cols == 1 || m.col == 1) && (rows == 1 || m.row >= cols));
    ptrdiff_t ld = m.transposed ? m.col : m.row, least = m.transposed ? rows : cols;
    if (ld < least) ld = least;
    m.ld = (int)(ld < 1 ? 1 : ld);
    return m;
}

static int ceil_div(int a, int b)
{
    return (a + b - 1) / b;
}

static int least(int a, int b)
{
    return a < b ? a : b;
}

struct job {
    struct matrix a, b, c;
    int G, M, N, K;
    int sum;                /* groups that add up in one product; then G is 1 */
    int rows, cols, chunks; /* pieces of M, N and K, or of the groups that add up */
    wf_real beta;
    wf_real *part; /* [chunks, G, M, N] when chunks > 1 */
};

/* Piece `i` of the product: block of C and stretch of the sum, both fixed by the shape. */
static void piece(const struct job *j, int i)
{
    int col = i % j->cols * COLS, row = i / j->cols % j->rows * ROWS;
    int chunk = i / j->cols / j->rows % j->chunks, g = i / j->cols / j->rows / j->chunks;
    int terms = j->sum > 1 ? j->sum : j->K;
    int from = (int)((ptrdiff_t)terms * chunk / j->chunks);
    int to = (int)((ptrdiff_t)terms * (chunk + 1) / j->chunks);
    int k = j->sum > 1 ? 0 : from, K = j->sum > 1 ? j->K : to - from;
    int first = j->sum > 1 ? from : g, last = j->sum > 1 ? to : g + 1;
    const wf_real *a = j->a.data + row * j->a.row + k * j->a.col;
    const wf_real *b = j->b.data + k * j->b.row + col * j->b.col;
    wf_real *c = j->c.data + g * j->c.group + row * j->c.row + col, beta = j->beta;
    int ldc = j->c.ld;
    if (j->chunks > 1) {
        c = j->part + (((ptrdiff_t)chunk * j->G + g) * j->M + row) * j->N + col;
        ldc = j->N;
        beta = 0;
    }
    for (int h = first; h < last; h++)
        wf_cpu_blas(j->a.transposed, j->b.transposed, least(ROWS, j->M - row),
                    least(COLS, j->N - col), K, a + h * j->a.group, j->a.ld, b + h * j->b.group,
                    j->b.ld, h == first ? beta : 1, c, ldc);
}

/* c = beta c + the partial sums, in their order */
static void sum_up(const struct job *j)
{
    ptrdiff_t count = (ptrdiff_t)j->G * j->M * j->N;
#pragma omp parallel for
    for (ptrdiff_t r = 0; r < (ptrdiff_t)j->G * j->M; r++) {
        wf_real *c = j->c.data + r / j->M * j->c.group + r % j->M * j->c.row;
        const wf_real *part = j->part + r * j->N;
        for (int n = 0; n < j->N; n++) {
            wf_real s = j->beta == 0 ? 0 : j->beta * c[n];
            for (int k = 0; k < j->chunks; k++) s += part[k * count + n];
            c[n] = s;
        }
    }
}

/* Groups whose rows follow each other evenly and that share b are one matrix; groups that add up
 * and whose terms do so are one sum. */
static void merge_groups(struct job *j)
{
    bool even = j->a.group == j->M * j->a.row && j->c.group == j->M * j->c.row;
    if (j->sum > 1 && j->a.group == j->K * j->a.col && j->b.group == j->K * j->b.row &&
        (ptrdiff_t)j->sum * j->K <= 1 << 30) {
        j->K *= j->sum;
        j->sum = 1;
    }
    if (j->G == 1 || j->b.group != 0 || j->a.transposed || !even || j->a.ld != j->a.row ||
        j->c.ld != j->c.row || (ptrdiff_t)j->G * j->M > 1 << 30)
        return;
    j->M *= j->G;
    j->G = 1;
}

enum wf_status wf_cpu_gemm(struct wf_backend *be, struct wf_tensor *c, const struct wf_tensor *a,
                           const struct wf_tensor *b, double beta)
{
    struct job j = { .a = matrix_of(a), .b = matrix_of(b), .c = matrix_of(c) };
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
    j.rows = ceil_div(j.M, ROWS);
    j.cols = ceil_div(j.N, COLS);
    j.chunks = 1;
    if ((ptrdiff_t)j.G * j.rows * j.cols < FEW && (j.sum > 1 || j.K >= 2 * DEPTH)) {
        j.chunks = least(CHUNKS, j.sum > 1 ? j.sum : j.K / DEPTH);
        size_t count = (size_t)j.chunks * (size_t)j.G * (size_t)j.M * (size_t)j.N;
        j.part = wf_cpu_scratch(be, count * sizeof(wf_real));
        if (j.part == NULL) return WF_ENOMEM;
    }
    int pieces = j.G * j.rows * j.cols * j.chunks;
    /* BLAS runs alone inside a parallel region; it must not, and need not, start threads */
#pragma omp parallel for schedule(static)
    for (int i = 0; i < pieces; i++) piece(&j, i);
    if (j.chunks > 1) sum_up(&j);
    return WF_OK;
}
