/* product.c - a dense product on one thread: in vectors of 16 floats, or by BLAS. */
#include "tensor/cpu/cpu_private.h"
#include "tensor/cpu/tile_private.h"

#if WF_VEC_FAST

/* C is made of blocks of ROWS x 32 that stay in registers over DEPTH terms of the sum. B is copied
 * panel by panel, [DEPTH, 32], into the first cache, whatever its order in memory; A is read where
 * it lies, one number at a time. The terms of an element always add up in the same order, wherever
 * the product is cut. */
enum { ROWS = 14, DEPTH = 256 };

/* Memory is asked for early: C's lines before a sum of LONG terms or more, and with every term one
 * line of A: AHEAD terms on, where those lie in other lines, else from the rows of the next block,
 * which have at most as many lines as the sum has terms. */
enum { LONG = 32, AHEAD = 48 };

struct ahead {
    const wf_real *at;
    ptrdiff_t step, turn; /* to the next line; at the end of a row, turn is added */
    int lines, left;      /* lines of a row; those of this row yet to ask for */
};

WF_INLINE struct ahead ahead_of(struct wf_matrix a, int K, int R)
{
    int lines = wf_blocks(K, WF_LANES);
    if (a.col != 1) return (struct ahead){ a.data + AHEAD * a.col, a.col, 0, K, K };
    return (struct ahead){ a.data + R * a.row, WF_LANES, a.row - (ptrdiff_t)lines * WF_LANES, lines,
                           lines };
}

WF_INLINE void ask(struct ahead *f)
{
    vec_prefetch(f->at);
    f->at += f->step;
    if (--f->left > 0) return;
    f->at += f->turn;
    f->left = f->lines;
}

/* Computes at most 32 columns of C. */
struct strip {
    wf_real *c;
    ptrdiff_t ld;
    int cols;
    wf_real beta;
};

WF_INLINE void finish(wf_real *c, wf_vec sum, wf_real beta, int n)
{
    if (beta != 0) sum = vec_fma(vec_set(beta), vec_load_some(c, n), sum);
    vec_store_some(c, sum, n);
}

/* Computes R rows and V vectors of columns of C. */
WF_INLINE void block(struct strip o, struct wf_matrix a, const wf_real *b, int K, int R, int V)
{
    wf_vec s[ROWS][2];
    struct ahead ahead = ahead_of(a, K, R);
    WF_UNROLL for (int i = 0; i < R; i++)
    {
        s[i][0] = s[i][1] = vec_set(0);
        if (K >= LONG) vec_prefetch(o.c + i * o.ld);
        if (K >= LONG && V > 1) vec_prefetch(o.c + i * o.ld + WF_LANES);
    }
    for (int k = 0; k < K; k++, a.data += a.col, b += WF_PANEL) {
        ask(&ahead);
        wf_vec b0 = vec_load(b), b1 = V > 1 ? vec_load(b + WF_LANES) : b0;
        WF_UNROLL for (int i = 0; i < R; i++)
        {
            wf_vec x = vec_set(a.data[i * a.row]);
            s[i][0] = vec_fma(x, b0, s[i][0]);
            if (V > 1) s[i][1] = vec_fma(x, b1, s[i][1]);
        }
    }
    WF_UNROLL for (int i = 0; i < R; i++, o.c += o.ld)
    {
        finish(o.c, s[i][0], o.beta, o.cols < WF_LANES ? o.cols : WF_LANES);
        if (V > 1) finish(o.c + WF_LANES, s[i][1], o.beta, o.cols - WF_LANES);
    }
}

static void block_of(struct strip o, struct wf_matrix a, const wf_real *b, int K, int R)
{
    switch (2 * R + (o.cols > WF_LANES)) {
#define X(R)                                                                                       \
    case 2 * R:                                                                                    \
        block(o, a, b, K, R, 1);                                                                   \
        break;                                                                                     \
    case 2 * R + 1:                                                                                \
        block(o, a, b, K, R, 2);                                                                   \
        break;
        X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12) X(13) X(14)
#undef X
    }
}

void wf_cpu_pack(wf_real *to, struct wf_matrix b, int K, int cols)
{
    int first = cols < WF_LANES ? cols : WF_LANES;
    if (b.col != 1 && b.row == 1) {
        for (int k = 0; k < K; k += WF_LANES) {
            int n = K - k < WF_LANES ? K - k : WF_LANES;
            wf_real *at = to + (ptrdiff_t)k * WF_PANEL;
            vec_transpose(at, WF_PANEL, b.data + k, b.col, first, n);
            if (cols > WF_LANES)
                vec_transpose(at + WF_LANES, WF_PANEL, b.data + k + WF_LANES * b.col, b.col,
                              cols - WF_LANES, n);
        }
        return;
    }
    for (int k = 0; k < K; k++, to += WF_PANEL, b.data += b.row) {
        if (b.col != 1) { /* b has one row, or one column, whose stride means nothing */
            for (int j = 0; j < WF_PANEL; j++) to[j] = j < cols ? b.data[j * b.col] : 0;
            continue;
        }
        vec_store(to, vec_load_some(b.data, first));
        if (cols > WF_LANES)
            vec_store(to + WF_LANES, vec_load_some(b.data + WF_LANES, cols - WF_LANES));
    }
}

void wf_cpu_unpack(wf_real *c, ptrdiff_t ldc, const wf_real *panel, int K, int cols, bool add)
{
    _Alignas(64) wf_real turned[WF_LANES * WF_LANES];
    for (int j = 0; j < cols; j += WF_LANES)
        for (int k = 0; k < K; k += WF_LANES) {
            int n = K - k < WF_LANES ? K - k : WF_LANES;
            int rows = cols - j < WF_LANES ? cols - j : WF_LANES;
            vec_transpose(turned, WF_LANES, panel + (ptrdiff_t)k * WF_PANEL + j, WF_PANEL, n,
                          WF_LANES);
            for (int i = 0; i < rows; i++) {
                wf_real *to = c + (j + i) * ldc + k;
                wf_vec x = vec_load(turned + i * WF_LANES);
                vec_store_some(to, add ? vec_add(vec_load_some(to, n), x) : x, n);
            }
        }
}

static struct wf_matrix from(struct wf_matrix a, int row, int col)
{
    a.data += row * a.row + col * a.col;
    return a;
}

void wf_cpu_panel_product(int M, int cols, int K, struct wf_matrix a, const wf_real *panel,
                          wf_real beta, wf_real *c, ptrdiff_t ldc)
{
    int blocks = wf_blocks(M, ROWS);
    for (int i = 0; i < blocks; i++) {
        int m = wf_block_from(i, blocks, M), R = wf_block_from(i + 1, blocks, M) - m;
        block_of((struct strip){ c + m * ldc, ldc, cols, beta }, from(a, m, 0), panel, K, R);
    }
}

void wf_cpu_product(int M, int N, int K, struct wf_matrix a, struct wf_matrix b, wf_real beta,
                    wf_real *c, ptrdiff_t ldc)
{
    _Alignas(64) wf_real panel[DEPTH * WF_PANEL];
    int cuts = K > 0 ? wf_blocks(K, DEPTH) : 1;
    for (int cut = 0; cut < cuts; cut++) {
        int k = wf_block_from(cut, cuts, K), depth = wf_block_from(cut + 1, cuts, K) - k;
        for (int n = 0; n < N; n += WF_PANEL) {
            int cols = N - n < WF_PANEL ? N - n : WF_PANEL;
            wf_cpu_pack(panel, from(b, k, n), depth, cols);
            wf_cpu_panel_product(M, cols, depth, from(a, 0, k), panel, cut ? 1 : beta, c + n, ldc);
        }
    }
}

#else

#include <cblas.h>

/* Tells BLAS how to read a matrix. The stride of an axis of size 1 means nothing. */
static CBLAS_TRANSPOSE order(struct wf_matrix a, int rows, int cols, int *ld)
{
    bool plain = (cols == 1 || a.col == 1) && (rows == 1 || a.row >= cols);
    ptrdiff_t stride = plain ? a.row : a.col, least = plain ? cols : rows;
    *ld = (int)(stride < least ? least : stride);
    if (*ld < 1) *ld = 1;
    return plain ? CblasNoTrans : CblasTrans;
}

void wf_cpu_product(int M, int N, int K, struct wf_matrix a, struct wf_matrix b, wf_real beta,
                    wf_real *c, ptrdiff_t ldc)
{
    int lda, ldb, ld = (int)(ldc < N ? N : ldc);
    CBLAS_TRANSPOSE ta = order(a, M, K, &lda), tb = order(b, K, N, &ldb);
#ifdef WF_DOUBLE
    cblas_dgemm(CblasRowMajor, ta, tb, M, N, K, 1, a.data, lda, b.data, ldb, beta, c, ld);
#else
    cblas_sgemm(CblasRowMajor, ta, tb, M, N, K, 1, a.data, lda, b.data, ldb, beta, c, ld);
#endif
}

void wf_cpu_pack(wf_real *panel, struct wf_matrix b, int K, int cols)
{
    for (int k = 0; k < K; k++)
        for (int j = 0; j < WF_PANEL; j++)
            panel[(ptrdiff_t)k * WF_PANEL + j] = j < cols ? b.data[k * b.row + j * b.col] : 0;
}

void wf_cpu_unpack(wf_real *c, ptrdiff_t ldc, const wf_real *panel, int K, int cols, bool add)
{
    for (int j = 0; j < cols; j++)
        for (int k = 0; k < K; k++) {
            wf_real x = panel[(ptrdiff_t)k * WF_PANEL + j];
            c[j * ldc + k] = add ? c[j * ldc + k] + x : x;
        }
}

void wf_cpu_panel_product(int M, int cols, int K, struct wf_matrix a, const wf_real *panel,
                          wf_real beta, wf_real *c, ptrdiff_t ldc)
{
    struct wf_matrix b = { (wf_real *)panel, WF_PANEL, 1 };
    wf_cpu_product(M, cols, K, a, b, beta, c, ldc);
}

#endif
