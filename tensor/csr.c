#include "tensor/csr.h"
#include <string.h>
#include "tensor/alloc.h"
#include "tensor/backend.h"

/* A stable counting sort: order[k] becomes the k-th item by key, and ptr [range + 1] the positions
 * at which each key begins. */
static void sort_by_key(int n, int range, const int *key, const int *in, int *order, int *ptr)
{
    memset(ptr, 0, (size_t)(range + 1) * sizeof *ptr);
    for (int i = 0; i < n; i++) ptr[key[i] + 1]++;
    for (int r = 0; r < range; r++) ptr[r + 1] += ptr[r];
    for (int i = 0; i < n; i++) {
        int item = in ? in[i] : i;
        order[ptr[key[item]]++] = item;
    }
    for (int r = range; r > 0; r--) ptr[r] = ptr[r - 1];
    ptr[0] = 0;
}

/* Moves a host array of ints to the backend. */
static int *to_backend(struct wf_backend *be, const int *host, int n)
{
    size_t bytes = (size_t)n * sizeof *host;
    int *p = be->alloc(be, bytes);
    if (p && be->upload(be, p, host, bytes) != WF_OK) {
        be->free(be, p, bytes);
        p = NULL;
    }
    return p;
}

static void release(struct wf_backend *be, int *p, int n)
{
    if (p) be->free(be, p, (size_t)n * sizeof *p);
}

struct pairs {
    int nnz, rows, cols;
    const int *row, *col;
    int *by_col, *order, *ptr, *tptr, *idx, *tidx, *tperm, *entry;
};

static bool build(struct pairs *p)
{
    size_t n = (size_t)p->nnz;
    p->by_col = wf_malloc(n * sizeof(int));
    p->order = wf_malloc(n * sizeof(int));
    p->ptr = wf_malloc(((size_t)p->rows + 1) * sizeof(int));
    p->tptr = wf_malloc(((size_t)p->cols + 1) * sizeof(int));
    p->idx = wf_malloc(n * sizeof(int));
    p->tidx = wf_malloc(n * sizeof(int));
    p->tperm = wf_malloc(n * sizeof(int));
    p->entry = wf_malloc(n * sizeof(int));
    if (!p->by_col || !p->order || !p->ptr || !p->tptr || !p->idx || !p->tidx || !p->tperm ||
        !p->entry)
        return false;
    sort_by_key(p->nnz, p->cols, p->col, NULL, p->by_col, p->tptr);
    sort_by_key(p->nnz, p->rows, p->row, p->by_col, p->order, p->ptr);
    for (int e = 0; e < p->nnz; e++) {
        p->idx[e] = p->col[p->order[e]];
        p->entry[p->order[e]] = e;
    }
    int *at = p->by_col; /* by_col is no longer needed: it holds the next free place per column */
    for (int e = 0, c = 0; e < p->nnz && c < p->cols; c++)
        for (; e < p->tptr[c + 1]; e++) at[e] = p->tptr[c];
    for (int e = 0; e < p->nnz; e++) {
        int c = p->idx[e], k = at[p->tptr[c]]++;
        p->tperm[k] = e;
        p->tidx[k] = p->row[p->order[e]];
    }
    return true;
}

static void pairs_free(struct pairs *p)
{
    int *all[] = { p->by_col, p->order, p->ptr, p->tptr, p->idx, p->tidx, p->tperm, p->entry };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) wf_free(all[i]);
}

enum wf_status wf_csr_from_pairs(struct wf_csr *A, struct wf_backend *be, int rows, int cols,
                                 int nnz, const int *row, const int *col, int *entry_of,
                                 struct wf_error *err)
{
    *A = (struct wf_csr){ .be = be, .rows = rows, .cols = cols, .nnz = nnz };
    for (int i = 0; i < nnz; i++)
        if (row[i] < 0 || row[i] >= rows || col[i] < 0 || col[i] >= cols)
            return wf_fail(err, WF_EINVAL, "edge %d is (%d, %d), outside a %d x %d matrix", i,
                           row[i], col[i], rows, cols);
    struct pairs p = { .nnz = nnz, .rows = rows, .cols = cols, .row = row, .col = col };
    if (build(&p)) {
        A->ptr = to_backend(be, p.ptr, rows + 1);
        A->idx = to_backend(be, p.idx, nnz);
        A->tptr = to_backend(be, p.tptr, cols + 1);
        A->tidx = to_backend(be, p.tidx, nnz);
        A->tperm = to_backend(be, p.tperm, nnz);
        if (entry_of) memcpy(entry_of, p.entry, (size_t)nnz * sizeof *entry_of);
    }
    pairs_free(&p);
    if (A->ptr && A->idx && A->tptr && A->tidx && A->tperm) return WF_OK;
    wf_csr_free(A);
    return wf_fail(err, WF_ENOMEM, "no memory for a sparse matrix of %d entries", nnz);
}

void wf_csr_free(struct wf_csr *A)
{
    if (!A->be) return;
    release(A->be, A->ptr, A->rows + 1);
    release(A->be, A->idx, A->nnz);
    release(A->be, A->tptr, A->cols + 1);
    release(A->be, A->tidx, A->nnz);
    release(A->be, A->tperm, A->nnz);
    *A = (struct wf_csr){ 0 };
}

enum wf_status wf_index_init(struct wf_index *ix, struct wf_backend *be, int range, int n,
                             const int *idx, struct wf_error *err)
{
    *ix = (struct wf_index){ .be = be, .n = n, .range = range };
    for (int i = 0; i < n; i++)
        if (idx[i] < 0 || idx[i] >= range)
            return wf_fail(err, WF_EINVAL, "index %d is %d, outside 0..%d", i, idx[i], range - 1);
    int *ptr = wf_malloc(((size_t)range + 1) * sizeof *ptr);
    int *inv = wf_malloc((size_t)n * sizeof *inv);
    if (ptr && inv) {
        sort_by_key(n, range, idx, NULL, inv, ptr);
        ix->idx = to_backend(be, idx, n);
        ix->ptr = to_backend(be, ptr, range + 1);
        ix->inv = to_backend(be, inv, n);
    }
    wf_free(ptr);
    wf_free(inv);
    if (ix->idx && ix->ptr && ix->inv) return WF_OK;
    wf_index_free(ix);
    return wf_fail(err, WF_ENOMEM, "no memory for an index of %d entries", n);
}

void wf_index_free(struct wf_index *ix)
{
    if (!ix->be) return;
    release(ix->be, ix->idx, ix->n);
    release(ix->be, ix->ptr, ix->range + 1);
    release(ix->be, ix->inv, ix->n);
    *ix = (struct wf_index){ 0 };
}

enum wf_status wf_supports_terms(struct wf_supports *S, int hops, enum wf_diffusion kind)
{
    if (hops < 0 || S->count < 0 || 1 + S->count * hops > WF_MAXTERM) return WF_EINVAL;
    int m = 0, start = 0;
    for (int s = 0; s < S->count; s++) {
        int before = start, last = start;
        for (int k = 1; k <= hops; k++) {
            int sub = k == 1 ? -1 : kind == WF_DIFFUSION_FIXED ? 0 : before;
            S->hop[++m] = (struct wf_hop){ .support = s, .src = last, .sub = sub };
            before = last;
            last = m;
        }
        if (kind == WF_DIFFUSION_CARRY && hops > 0) start = before;
    }
    S->terms = m + 1;
    return WF_OK;
}

bool wf_supports_commute(const struct wf_supports *S)
{
    for (int m = 1; m < S->terms; m++) {
        const struct wf_hop *h = &S->hop[m];
        if (h->src > 0 && S->hop[h->src].support != h->support) return false;
        if (h->sub > 0 && S->hop[h->sub].support != h->support) return false;
    }
    return true;
}
