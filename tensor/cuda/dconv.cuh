/* dconv.cuh - a diffusion convolution by tiles of samples, for kernels that do more with a tile. */
#ifndef WF_CUDA_DCONV_CUH
#define WF_CUDA_DCONV_CUH

#include "tensor/cuda/hops.cuh"

/* Some samples: x [count, N, C_i], y and dy [count, N, O]; y is contiguous, and blend says what it
 * is blended to. A tensor without data is not there, or not wanted. dx[1] may lie where dy does. */
struct wf_dconv_tile {
    int count;
    struct wf_tensor x[2], y, dy, dx[2];
    struct wf_blend blend;
};

/* The plan of a convolution, or with `grad` of its gradient. `in` and `grad` tell which of x, y and
 * their gradients there are, and their shapes; their addresses come with each tile. */
struct wf_device_dconv_plan {
    struct wf_backend *be;
    const struct wf_dconv_in *in;
    const struct wf_dconv_grad *grad;
    int B, N, C, O, M;
    int C1;           /* columns of x[1], which comes first: mostly the wide and aligned one */
    int Cx;           /* number of leading columns whose gradient is wanted */
    int pc, po, px;   /* C, O and Cx, padded to whole vectors */
    bool mix_outside; /* the order is mix first, or mix last (dconv.cu) */
    bool want_x, want_w, want_value;
    bool add[2];             /* whether to add to dx[0], to dx[1]; true after init */
    int tile;                /* samples at a time */
    struct wf_dconv_tile at; /* the tile at hand */
    int sum_rows, pieces;    /* rows of sum, pieces of part */
    wf_real *pack;           /* weights, packed for the product with them */
    wf_real *terms;          /* terms of X or of D; E when those of X are not needed (any more) */
    wf_real *e;              /* E */
    wf_real *x, *d;          /* X or dX, and D, where they are not the first of the terms */
    wf_real *part, *sum;     /* partial sums of dW and db */
};

void wf_device_dconv_plan_init(struct wf_device_dconv_plan *d, struct wf_backend *be,
                               const struct wf_dconv_in *in, const struct wf_dconv_grad *grad);

/* Takes scratch memory for one or two plans of one batch that run one after the other, and for temp
 * [tile, N, width], which stays beside them. Afterwards the plans have tiles of one size. */
enum wf_status wf_dconv_allocate(struct wf_device_dconv_plan *d, int plans, int width,
                                 wf_real **temp);

/* count: how many samples the tile has that begins with sample `first`. of: its part of t, without
 * data where t is NULL. */
int wf_dconv_tile_count(const struct wf_device_dconv_plan *d, int first);
struct wf_tensor wf_dconv_tile_of(const struct wf_tensor *t, int first);

enum wf_status wf_dconv_forward(struct wf_device_dconv_plan *d, const struct wf_dconv_tile *tile);
/* Adds to dx and dvalue. wf_dconv_sum() then adds to dw and db, for all plans of the tile. */
enum wf_status wf_dconv_backward(struct wf_device_dconv_plan *d, const struct wf_dconv_tile *tile);
enum wf_status wf_dconv_sum(const struct wf_device_dconv_plan *d, int plans);

#endif
