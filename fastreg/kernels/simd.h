/* Loops that must run at the machine's full vector width: products of X with panels of 8 or 24 residuals, and the
 * vector operations of the active-set solver.
 *
 * The second half of this file is included once per instruction set; fr_simd_init() picks one at import, by cpuid or by
 * FASTREG_SIMD=baseline|avx2|avx512.  Every sum runs over rows in a fixed order, tile by tile, so results do not depend
 * on how columns are shared out among threads.  X may be float32: it is widened on load, all sums are float64.
 */
#ifndef FR_LEVEL
#ifndef FASTREG_SIMD_H
#define FASTREG_SIMD_H

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#if defined(__GNUC__)
#define FR_RESTRICT __restrict__
#define FR_INLINE static inline __attribute__((always_inline))
#define FR_PREFETCH(address) __builtin_prefetch((const void *)(address), 0, 3)
#else
#define FR_RESTRICT
#define FR_INLINE static inline
#define FR_PREFETCH(address) ((void)0)
#endif

#define FR_TILE 256                                     /* most rows of a tile */
#define FR_TILE_ROWS(lanes) ((lanes) == 24 ? 128 : 256) /* a tile of the panel fills most of L1 */
#define FR_MAX_GROUP 24  /* most columns that one register tile takes, over all instruction sets */

/* A dense matrix as it lies in memory; strides in bytes, entries float (single) or double.  Where `shift` is given, it
 * stands for X - shift: what is taken off the columns whose mean would swallow their digits. */
typedef struct {
    const char *data;
    ptrdiff_t n, p, row_stride, col_stride;
    int single;
    const double *shift;
} fr_matrix;

/* The entries (row..row+count-1, j) of X as doubles: X itself where they lie side by side, else gathered into `buffer`. */
FR_INLINE const double *fr_column(const fr_matrix *X, ptrdiff_t j, ptrdiff_t row, ptrdiff_t count, double *buffer)
{
    const char *from = X->data + j * X->col_stride + row * X->row_stride;
    ptrdiff_t step = X->row_stride;
    if (X->shift && X->shift[j] != 0.0) {
        const double shift = X->shift[j];
        for (ptrdiff_t i = 0; i < count; i++, from += step)
            buffer[i] = (X->single ? *(const float *)from : *(const double *)from) - shift;
        return buffer;
    }
    if (X->single) {
        if (step == (ptrdiff_t)sizeof(float))
            for (ptrdiff_t i = 0; i < count; i++) buffer[i] = ((const float *)from)[i];
        else
            for (ptrdiff_t i = 0; i < count; i++) buffer[i] = *(const float *)(from + i * step);
        return buffer;
    }
    if (step == (ptrdiff_t)sizeof(double)) return (const double *)from;
    for (ptrdiff_t i = 0; i < count; i++) buffer[i] = *(const double *)(from + i * step);
    return buffer;
}

/* What one instruction set offers.  `idx` NULL means the columns first, first + 1, ... */
typedef struct {
    const char *name;
    /* out[c, lane] += sum over rows of X[row + i, idx[c]] * R[i, lane]; out has `lanes` doubles a column */
    void (*xt_tile)(const fr_matrix *X, ptrdiff_t row, ptrdiff_t rows, const ptrdiff_t *idx, ptrdiff_t first,
                    ptrdiff_t ncols, const double *R, int lanes, double *out);
    /* R[i, lane] -= sum over c of X[row + i, idx[c]] * W[c, lane] */
    void (*xw_tile)(const fr_matrix *X, ptrdiff_t row, ptrdiff_t rows, const ptrdiff_t *idx, ptrdiff_t ncols,
                    const double *W, int lanes, double *R);
    double (*dot)(ptrdiff_t n, const double *x, const double *y);
    void (*axpy)(ptrdiff_t n, double a, const double *x, double *y);
    /* y += a[0] x[0] + ... + a[3] x[3] */
    void (*axpy4)(ptrdiff_t n, const double *a, const double *const *x, double *y);
    /* out[k] = x[k]'y for k < 4 */
    void (*dot4)(ptrdiff_t n, const double *const *x, const double *y, double *out);
    /* V[i, 0:8] -= sum over k < 4 of x[k][i] * B[k, 0:8] */
    void (*panel4)(ptrdiff_t n, const double *const *x, const double *B, double *V);
    /* (x, y) <- (c x + s y, c y - s x) */
    void (*rotate)(ptrdiff_t n, double c, double s, double *x, double *y);
} fr_table;

#define FR_PASTE2(a, b) a##_##b
#define FR_PASTE(a, b) FR_PASTE2(a, b)
#define FN(name) FR_PASTE(name, FR_LEVEL)

#define FR_LEVEL baseline
#define FR_TARGET
#if defined(__GNUC__)
#define FR_VL 2
#else
#define FR_VL 1
#endif
#define FR_COLS8 2
#define FR_COLS24 1
#define FR_ROWS8 4
#define FR_ROWS24 4
#include "simd.h"

#if defined(__GNUC__) && (defined(__x86_64__) || defined(__i386__))
#define FR_LEVEL avx2
#define FR_TARGET __attribute__((target("avx2,fma")))
#define FR_VL 4
#define FR_COLS8 4
#define FR_COLS24 2
#define FR_ROWS8 4
#define FR_ROWS24 6
#include "simd.h"

#define FR_LEVEL avx512
#define FR_TARGET __attribute__((target("avx512f,avx512vl,avx512dq,avx2,fma")))
#define FR_VL 8
#define FR_COLS8 8
#define FR_COLS24 6
#define FR_ROWS8 8
#define FR_ROWS24 12
#include "simd.h"
#endif

static fr_table fr_simd = {0};

/* Choose the instruction set; returns 0, or -1 if FASTREG_SIMD names one that this machine or build does not have. */
static int fr_simd_init(void)
{
    const char *wish = getenv("FASTREG_SIMD");
    if (wish && !*wish) wish = NULL;
#if defined(__GNUC__) && (defined(__x86_64__) || defined(__i386__))
    __builtin_cpu_init();
    int has_avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    int has_avx512 = has_avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
                     __builtin_cpu_supports("avx512dq");
    if (wish ? !strcmp(wish, "avx512") : has_avx512) {
        fr_simd = fr_table_avx512;
        return has_avx512 ? 0 : -1;
    }
    if (wish ? !strcmp(wish, "avx2") : has_avx2) {
        fr_simd = fr_table_avx2;
        return has_avx2 ? 0 : -1;
    }
#endif
    fr_simd = fr_table_baseline;
    return !wish || !strcmp(wish, "baseline") ? 0 : -1;
}

#endif /* FASTREG_SIMD_H */

#else /* FR_LEVEL: the code of one instruction set */

#if FR_VL > 1
typedef double FN(vd) __attribute__((vector_size(8 * FR_VL)));
typedef float FN(vf) __attribute__((vector_size(4 * FR_VL)));
typedef double FN(vdu) __attribute__((vector_size(8 * FR_VL), aligned(8)));
typedef float FN(vfu) __attribute__((vector_size(4 * FR_VL), aligned(4)));
#define VD FN(vd)
#define LOAD(p) (*(const FN(vdu) *)(p))
#define STORE(p, v) (*(FN(vdu) *)(p) = (v))
#define WIDEN(p) __builtin_convertvector(*(const FN(vfu) *)(p), VD)
#if FR_VL == 2
#define SPLAT(x) ((VD){(x), (x)})
#elif FR_VL == 4
#define SPLAT(x) ((VD){(x), (x), (x), (x)})
#else
#define SPLAT(x) ((VD){(x), (x), (x), (x), (x), (x), (x), (x)})
#endif
#define UNROLL _Pragma("GCC unroll 32")
/* Holds a vector in its register: else the compiler loads it anew for every use, and the load units are the limit. */
#if FR_VL == 8
#define HOLD(v) __asm__("" : "+v"(v))
#elif FR_VL == 4
#define HOLD(v) __asm__("" : "+x"(v))
#else
#define HOLD(v)
#endif
#else
#define VD double
#define LOAD(p) (*(p))
#define STORE(p, v) (*(p) = (v))
#define WIDEN(p) ((double)*(p))
#define SPLAT(x) (x)
#define UNROLL
#define HOLD(v)
#endif
#define NV8 (8 / FR_VL)
#define NV24 (24 / FR_VL)

/* out[c, :] += sum_i col[c][i] R[i, :] for C columns and V vectors of lanes, all sums in registers. */
#define FR_XT_KERNEL(NAME, C, V)                                                                                       \
    FR_TARGET static void FN(NAME)(const double *const *col, ptrdiff_t rows, const double *FR_RESTRICT R,              \
                                   double *FR_RESTRICT out, const double *const *ahead)                                \
    {                                                                                                                  \
        VD acc[C][V];                                                                                                  \
        UNROLL for (int c = 0; c < C; c++) UNROLL for (int v = 0; v < V; v++) acc[c][v] = SPLAT(0.0);                  \
        for (ptrdiff_t start = 0; start < rows; start += 8) {                                                          \
            const ptrdiff_t stop = start + 8 < rows ? start + 8 : rows;                                                \
            if (ahead) UNROLL for (int c = 0; c < C; c++) FR_PREFETCH(ahead[c] + start);           \
            for (ptrdiff_t i = start; i < stop; i++, R += V * FR_VL) {                                                 \
                VD x[C];                                                                                               \
                UNROLL for (int c = 0; c < C; c++) x[c] = SPLAT(col[c][i]);                                            \
                UNROLL for (int v = 0; v < V; v++) {                                                                   \
                    VD r = LOAD(R + v * FR_VL);                                                                        \
                    HOLD(r);                                                                                           \
                    UNROLL for (int c = 0; c < C; c++) acc[c][v] += x[c] * r;                                          \
                }                                                                                                      \
            }                                                                                                          \
        }                                                                                                              \
        UNROLL for (int c = 0; c < C; c++) UNROLL for (int v = 0; v < V; v++) {                                        \
            double *o = out + (c * V + v) * FR_VL;                                                                     \
            STORE(o, LOAD(o) + acc[c][v]);                                                                             \
        }                                                                                                              \
    }

FR_XT_KERNEL(xt8, FR_COLS8, NV8)
FR_XT_KERNEL(xt24, FR_COLS24, NV24)
FR_XT_KERNEL(xt8_one, 1, NV8)
FR_XT_KERNEL(xt24_one, 1, NV24)
#undef FR_XT_KERNEL

/* Columns taken as they come, each one contiguous (or widened into a buffer first). */
FR_TARGET static void FN(xt_columns)(const fr_matrix *X, ptrdiff_t row, ptrdiff_t rows, const ptrdiff_t *idx,
                                     ptrdiff_t first, ptrdiff_t ncols, const double *R, int lanes, double *out)
{
    double buffer[FR_MAX_GROUP * FR_TILE];
    const double *col[FR_MAX_GROUP], *ahead[FR_MAX_GROUP];
    const int wide = lanes == 24, group = wide ? FR_COLS24 : FR_COLS8;
    const int in_place = !X->single && !X->shift && X->row_stride == (ptrdiff_t)sizeof(double);
    for (ptrdiff_t j = 0; j < ncols; j += group, out += (ptrdiff_t)group * lanes) {
        const int count = ncols - j < group ? (int)(ncols - j) : group;
        const int more = in_place && j + 2 * group <= ncols;
        for (int c = 0; c < count; c++)
            col[c] = fr_column(X, idx ? idx[j + c] : first + j + c, row, rows, buffer + c * FR_TILE);
        if (more)
            for (int c = 0; c < group; c++)
                ahead[c] = fr_column(X, idx ? idx[j + group + c] : first + j + group + c, row, rows, buffer);
        if (count == group)
            (wide ? FN(xt24) : FN(xt8))(col, rows, R, out, more ? ahead : NULL);
        else
            for (int c = 0; c < count; c++)
                (wide ? FN(xt24_one) : FN(xt8_one))(col + c, rows, R, out + (ptrdiff_t)c * lanes, NULL);
    }
}

/* Rows contiguous: vectors run along S * FR_VL neighbouring columns, Q residuals at a time. */
#define FR_XT_ROWS(NAME, FLOAT, GET, S, Q)                                                                             \
    FR_TARGET static void FN(NAME)(const char *x, ptrdiff_t stride, ptrdiff_t rows, const double *FR_RESTRICT R,       \
                                   int lanes, double *FR_RESTRICT out)                                                 \
    {                                                                                                                  \
        for (int lane = 0; lane < lanes; lane += Q) {                                                                  \
            VD acc[Q][S];                                                                                              \
            double sums[Q][S * FR_VL];                                                                                 \
            UNROLL for (int k = 0; k < Q; k++) UNROLL for (int v = 0; v < S; v++) acc[k][v] = SPLAT(0.0);              \
            const char *at = x;                                                                                        \
            const double *r = R + lane;                                                                                \
            for (ptrdiff_t i = 0; i < rows; i++, at += stride, r += lanes) {                                           \
                VD c[S];                                                                                               \
                UNROLL for (int v = 0; v < S; v++) {                                                                   \
                    c[v] = GET((const FLOAT *)at + v * FR_VL);                                                         \
                    HOLD(c[v]);                                                                                        \
                }                                                                                                      \
                if (lane == 0) FR_PREFETCH(at + 2 * S * FR_VL * sizeof(FLOAT));                                 \
                UNROLL for (int k = 0; k < Q; k++) {                                                                   \
                    VD b = SPLAT(r[k]);                                                                                \
                    UNROLL for (int v = 0; v < S; v++) acc[k][v] += c[v] * b;                                          \
                }                                                                                                      \
            }                                                                                                          \
            UNROLL for (int k = 0; k < Q; k++) UNROLL for (int v = 0; v < S; v++) STORE(sums[k] + v * FR_VL, acc[k][v]);\
            for (int j = 0; j < S * FR_VL; j++)                                                                        \
                for (int k = 0; k < Q; k++) out[(ptrdiff_t)j * lanes + lane + k] += sums[k][j];                        \
        }                                                                                                              \
    }

FR_XT_ROWS(xt_rows8_f64, double, LOAD, 2, FR_ROWS8)
FR_XT_ROWS(xt_rows8_f32, float, WIDEN, 2, FR_ROWS8)
FR_XT_ROWS(xt_rows24_f64, double, LOAD, 2, FR_ROWS24)
FR_XT_ROWS(xt_rows24_f32, float, WIDEN, 2, FR_ROWS24)
#undef FR_XT_ROWS

FR_TARGET static void FN(xt_tile)(const fr_matrix *X, ptrdiff_t row, ptrdiff_t rows, const ptrdiff_t *idx,
                                  ptrdiff_t first, ptrdiff_t ncols, const double *R, int lanes, double *out)
{
    const ptrdiff_t size = X->single ? (ptrdiff_t)sizeof(float) : (ptrdiff_t)sizeof(double), group = 2 * FR_VL;
    ptrdiff_t j = 0;
    if (!idx && !X->shift && X->col_stride == size && X->row_stride != size)
        for (; j + group <= ncols; j += group) {
            const char *x = X->data + row * X->row_stride + (first + j) * size;
            if (lanes == 24)
                (X->single ? FN(xt_rows24_f32) : FN(xt_rows24_f64))(x, X->row_stride, rows, R, 24, out + j * 24);
            else
                (X->single ? FN(xt_rows8_f32) : FN(xt_rows8_f64))(x, X->row_stride, rows, R, 8, out + j * 8);
        }
    FN(xt_columns)(X, row, rows, idx, first + j, ncols - j, R, lanes, out + j * lanes);
}

/* R[i, :] -= sum over 4 columns of col[c][i] W[c, :] */
#define FR_XW_KERNEL(NAME, V)                                                                                          \
    FR_TARGET static void FN(NAME)(const double *const *col, ptrdiff_t rows, const double *FR_RESTRICT W,              \
                                   double *FR_RESTRICT R)                                                              \
    {                                                                                                                  \
        const double *c0 = col[0], *c1 = col[1], *c2 = col[2], *c3 = col[3];                                           \
        for (ptrdiff_t i = 0; i < rows; i++, R += V * FR_VL) {                                                         \
            VD x0 = SPLAT(c0[i]), x1 = SPLAT(c1[i]), x2 = SPLAT(c2[i]), x3 = SPLAT(c3[i]);                             \
            UNROLL for (int v = 0; v < V; v++) {                                                                       \
                const double *w = W + v * FR_VL;                                                                       \
                VD r = LOAD(R + v * FR_VL);                                                                            \
                r -= x0 * LOAD(w);                                                                                     \
                r -= x1 * LOAD(w + V * FR_VL);                                                                         \
                r -= x2 * LOAD(w + 2 * V * FR_VL);                                                                     \
                r -= x3 * LOAD(w + 3 * V * FR_VL);                                                                     \
                STORE(R + v * FR_VL, r);                                                                               \
            }                                                                                                          \
        }                                                                                                              \
    }

FR_XW_KERNEL(xw8, NV8)
FR_XW_KERNEL(xw24, NV24)
#undef FR_XW_KERNEL

FR_TARGET static void FN(xw_tile)(const fr_matrix *X, ptrdiff_t row, ptrdiff_t rows, const ptrdiff_t *idx,
                                  ptrdiff_t ncols, const double *W, int lanes, double *R)
{
    static const double zeros[FR_TILE];
    double buffer[4 * FR_TILE], last[4 * 24];
    const double *col[4];
    for (ptrdiff_t j = 0; j < ncols; j += 4, W += 4 * lanes) {
        const double *w = W;
        for (int c = 0; c < 4; c++)
            col[c] = j + c < ncols ? fr_column(X, idx[j + c], row, rows, buffer + c * FR_TILE) : zeros;
        if (ncols - j < 4) {
            memset(last, 0, sizeof last);
            memcpy(last, W, (size_t)((ncols - j) * lanes) * sizeof(double));
            w = last;
        }
        (lanes == 24 ? FN(xw24) : FN(xw8))(col, rows, w, R);
    }
}

FR_TARGET static double FN(dot)(ptrdiff_t n, const double *x, const double *y)
{
    VD acc[4] = {SPLAT(0.0), SPLAT(0.0), SPLAT(0.0), SPLAT(0.0)};
    ptrdiff_t i = 0;
    double sum = 0.0, part[FR_VL];
    for (; i + 4 * FR_VL <= n; i += 4 * FR_VL)
        UNROLL for (int k = 0; k < 4; k++) acc[k] += LOAD(x + i + k * FR_VL) * LOAD(y + i + k * FR_VL);
    for (; i + FR_VL <= n; i += FR_VL) acc[0] += LOAD(x + i) * LOAD(y + i);
    STORE(part, (acc[0] + acc[1]) + (acc[2] + acc[3]));
    for (int k = 0; k < FR_VL; k++) sum += part[k];
    for (; i < n; i++) sum += x[i] * y[i];
    return sum;
}

FR_TARGET static void FN(dot4)(ptrdiff_t n, const double *const *x, const double *y, double *out)
{
    const double *x0 = x[0], *x1 = x[1], *x2 = x[2], *x3 = x[3];
    VD acc[4] = {SPLAT(0.0), SPLAT(0.0), SPLAT(0.0), SPLAT(0.0)};
    double part[4][FR_VL];
    ptrdiff_t i = 0;
    for (; i + FR_VL <= n; i += FR_VL) {
        VD v = LOAD(y + i);
        acc[0] += LOAD(x0 + i) * v;
        acc[1] += LOAD(x1 + i) * v;
        acc[2] += LOAD(x2 + i) * v;
        acc[3] += LOAD(x3 + i) * v;
    }
    for (int k = 0; k < 4; k++) {
        STORE(part[k], acc[k]);
        out[k] = 0.0;
        for (int l = 0; l < FR_VL; l++) out[k] += part[k][l];
        for (ptrdiff_t l = i; l < n; l++) out[k] += x[k][l] * y[l];
    }
}

FR_TARGET static void FN(axpy)(ptrdiff_t n, double a, const double *FR_RESTRICT x, double *FR_RESTRICT y)
{
    const VD va = SPLAT(a);
    ptrdiff_t i = 0;
    for (; i + FR_VL <= n; i += FR_VL) STORE(y + i, LOAD(y + i) + va * LOAD(x + i));
    for (; i < n; i++) y[i] += a * x[i];
}

FR_TARGET static void FN(axpy4)(ptrdiff_t n, const double *a, const double *const *x, double *FR_RESTRICT y)
{
    const double *x0 = x[0], *x1 = x[1], *x2 = x[2], *x3 = x[3];
    const VD a0 = SPLAT(a[0]), a1 = SPLAT(a[1]), a2 = SPLAT(a[2]), a3 = SPLAT(a[3]);
    ptrdiff_t i = 0;
    for (; i + FR_VL <= n; i += FR_VL) {
        VD v = LOAD(y + i);
        v += a0 * LOAD(x0 + i);
        v += a1 * LOAD(x1 + i);
        v += a2 * LOAD(x2 + i);
        v += a3 * LOAD(x3 + i);
        STORE(y + i, v);
    }
    for (; i < n; i++) y[i] += a[0] * x0[i] + a[1] * x1[i] + a[2] * x2[i] + a[3] * x3[i];
}

FR_TARGET static void FN(panel4)(ptrdiff_t n, const double *const *x, const double *FR_RESTRICT B,
                                 double *FR_RESTRICT V)
{
    VD b[4][NV8];
    UNROLL for (int k = 0; k < 4; k++) UNROLL for (int v = 0; v < NV8; v++) b[k][v] = LOAD(B + 8 * k + v * FR_VL);
    const double *x0 = x[0], *x1 = x[1], *x2 = x[2], *x3 = x[3];
    for (ptrdiff_t i = 0; i < n; i++, V += 8) {
        UNROLL for (int v = 0; v < NV8; v++) {
            VD s = LOAD(V + v * FR_VL);
            s -= SPLAT(x0[i]) * b[0][v];
            s -= SPLAT(x1[i]) * b[1][v];
            s -= SPLAT(x2[i]) * b[2][v];
            s -= SPLAT(x3[i]) * b[3][v];
            STORE(V + v * FR_VL, s);
        }
    }
}

FR_TARGET static void FN(rotate)(ptrdiff_t n, double c, double s, double *FR_RESTRICT x, double *FR_RESTRICT y)
{
    const VD vc = SPLAT(c), vs = SPLAT(s);
    ptrdiff_t i = 0;
    for (; i + FR_VL <= n; i += FR_VL) {
        VD a = LOAD(x + i), b = LOAD(y + i);
        STORE(x + i, vc * a + vs * b);
        STORE(y + i, vc * b - vs * a);
    }
    for (; i < n; i++) {
        double a = x[i], b = y[i];
        x[i] = c * a + s * b;
        y[i] = c * b - s * a;
    }
}

static const fr_table FN(fr_table) = {
    /* the level's name is only for messages */
#define FR_STR2(x) #x
#define FR_STR(x) FR_STR2(x)
    FR_STR(FR_LEVEL), FN(xt_tile), FN(xw_tile), FN(dot), FN(axpy), FN(axpy4), FN(dot4), FN(panel4), FN(rotate)};
#undef FR_STR
#undef FR_STR2

#undef VD
#undef LOAD
#undef STORE
#undef WIDEN
#undef SPLAT
#undef UNROLL
#undef HOLD
#undef NV8
#undef NV24
#undef FR_LEVEL
#undef FR_TARGET
#undef FR_VL
#undef FR_COLS8
#undef FR_COLS24
#undef FR_ROWS8
#undef FR_ROWS24
#endif /* FR_LEVEL */
