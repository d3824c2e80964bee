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
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#if defined(__GNUC__)
#define FR_RESTRICT __restrict__
#define FR_INLINE static inline __attribute__((always_inline))
#define FR_PREFETCH(address) __builtin_prefetch((const void *)(address), 0, 3)
#define FR_ALIGNED __attribute__((aligned(64)))
#else
#define FR_RESTRICT
#define FR_INLINE static inline
#define FR_PREFETCH(address) ((void)0)
#define FR_ALIGNED
#endif

#define FR_TILE 512       /* rows of a tile: long enough for the prefetcher; its part of the panel stays in L2 */
#define FR_FEW_ROWS 8     /* rows of a row-major X that are read side by side, as many streams as prefetchers follow */
#define FR_STRIP 480      /* columns whose sums stay in L2 meanwhile; a multiple of every register tile */
#define FR_SHORT 128      /* rows of a column, or columns of a row, that are widened at a time: what fits in L1 */
#define FR_MAX_GROUP 8    /* most columns that one register tile takes, over all instruction sets */

/* A dense matrix as it lies in memory; strides in bytes, entries float (single) or double.  Where `shift` is given, it
 * stands for X - shift: what is taken off the columns whose mean would swallow their digits. */
typedef struct {
    const char *data;
    ptrdiff_t n, p, row_stride, col_stride;
    int single;
    const double *shift;
} fr_matrix;

/* The entries of a sparse matrix: row (or column) numbers and values, of either width. */
typedef struct {
    const void *index, *value;
    int wide, single; /* 64-bit numbers; float values */
} fr_entries;

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

/* The entries (i, columns) of X as doubles, side by side. */
FR_INLINE void fr_row(const fr_matrix *X, ptrdiff_t i, const ptrdiff_t *idx, ptrdiff_t first, ptrdiff_t ncols,
                      double *FR_RESTRICT buffer)
{
    const char *from = X->data + i * X->row_stride;
    const ptrdiff_t step = X->col_stride, size = X->single ? (ptrdiff_t)sizeof(float) : (ptrdiff_t)sizeof(double);
    ptrdiff_t j;
    if (!idx && step == size) {
        from += first * size;
        if (X->single) for (j = 0; j < ncols; j++) buffer[j] = ((const float *)from)[j];
        else memcpy(buffer, from, (size_t)ncols * sizeof(double));
    } else {
        for (j = 0; j < ncols; j++) {
            const char *at = from + (idx ? idx[j] : first + j) * step;
            buffer[j] = X->single ? *(const float *)at : *(const double *)at;
        }
    }
    if (X->shift)
        for (j = 0; j < ncols; j++) buffer[j] -= X->shift[idx ? idx[j] : first + j];
}

/* What one instruction set offers.  `idx` NULL means the columns first, first + 1, ... */
typedef struct {
    const char *name;
    /* out[c, lane] += sum over rows of X[row + i, idx[c]] * R[i, lane]; out has `lanes` doubles a column */
    void (*xt_tile)(const fr_matrix *X, ptrdiff_t row, ptrdiff_t rows, const ptrdiff_t *idx, ptrdiff_t first,
                    ptrdiff_t ncols, const double *R, int lanes, double *out);
    /* the same for a tile of rows `stride` doubles apart, which is in the cache and padded to whole groups of columns */
    void (*xt_packed)(const double *tile, ptrdiff_t stride, ptrdiff_t rows, ptrdiff_t ncols, const double *R, int lanes,
                      double *out);
    /* out[c, lane] += sum over rows of tile[i, c] * R[i, lane], 24 columns and 24 lanes, summed in single precision */
    void (*xt_single)(const float *tile, ptrdiff_t rows, const float *R, double *out);
    /* R[i, lane] -= sum over c of X[row + i, idx[c]] * W[c, lane] */
    void (*xw_tile)(const fr_matrix *X, ptrdiff_t row, ptrdiff_t rows, const ptrdiff_t *idx, ptrdiff_t ncols,
                    const double *W, int lanes, double *R);
    /* out[0:8] += sum over entries k of value[k] * R[index[k], 0:8] */
    void (*gather8)(const fr_entries *X, ptrdiff_t start, ptrdiff_t stop, const double *R, double *out);
    /* R[index[k], 0:8] += value[k] * w[0:8] */
    void (*scatter8)(const fr_entries *X, ptrdiff_t start, ptrdiff_t stop, const double *w, double *R);
    /* sum over entries of value[k] * r[index[k]] */
    double (*gather1)(const fr_entries *X, ptrdiff_t start, ptrdiff_t stop, const double *r);
    /* r[index[k]] += a * s[index[k]] * value[k]; s NULL: ones */
    void (*scatter1)(const fr_entries *X, ptrdiff_t start, ptrdiff_t stop, double a, const double *s, double *r);
    double (*dot)(ptrdiff_t n, const double *x, const double *y);
    void (*axpy)(ptrdiff_t n, double a, const double *x, double *y);
    /* y += a[0] x[0] + ... + a[3] x[3] */
    void (*axpy4)(ptrdiff_t n, const double *a, const double *const *x, double *y);
    /* out[k] = x[k]'y for k < 4 */
    void (*dot4)(ptrdiff_t n, const double *const *x, const double *y, double *out);
    /* V[i, 0:8] -= sum over k < 4 of x[k][i] * B[k, 0:8] */
    void (*panel4)(ptrdiff_t n, const double *const *x, const double *B, double *V);
    /* sums of s d, s d^2 and s (d + lift)^2 for d = x - origin; s NULL: ones */
    void (*moments)(ptrdiff_t n, const double *x, const double *s, double origin, double lift, double *out);
    /* (x, y) <- (c x + s y, c y - s x) */
    void (*rotate)(ptrdiff_t n, double c, double s, double *x, double *y);
    /* how many of the first rows, `stride` apart, of C have |C[j, k]| <= f[j] min(a[k], b[k]) for all k < n; f NULL: ones */
    ptrdiff_t (*quiet)(const double *C, ptrdiff_t stride, ptrdiff_t count, ptrdiff_t n, const double *f,
                       const double *a, const double *b);
    /* marks[j] < 0 where f[j] limit < |s a[j] + t b[j]| + rest norm[j], else as it is; f NULL: ones */
    void (*doubt)(ptrdiff_t n, double s, const double *a, double t, const double *b, double rest, const double *norm,
                  double limit, const double *f, double *marks);
    /* out = exp(x), to an ulp or two; x is kept to [-708, 709] */
    void (*exp)(ptrdiff_t n, const double *x, double *out);
    /* out = log(1 + x), to an ulp or two, for x in [0, 1] */
    void (*log1p)(ptrdiff_t n, const double *x, double *out);
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
#define FR_FLOATS (2 * FR_VL)
#define FR_COLS_SINGLE 2
#include "simd.h"

#if defined(__GNUC__) && (defined(__x86_64__) || defined(__i386__))
#define FR_LEVEL avx2
#define FR_TARGET __attribute__((target("avx2,fma")))
#define FR_VL 4
#define FR_COLS8 4
#define FR_COLS24 2
#define FR_FLOATS 8
#define FR_COLS_SINGLE 4
#include "simd.h"

#define FR_LEVEL avx512
#define FR_TARGET __attribute__((target("avx512f,avx512vl,avx512dq,avx2,fma")))
#define FR_VL 8
#define FR_COLS8 8
#define FR_COLS24 6
#define FR_FLOATS 8
#define FR_COLS_SINGLE 8
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
typedef double FN(vdu) __attribute__((vector_size(8 * FR_VL), aligned(8)));
typedef float FN(vf) __attribute__((vector_size(4 * FR_FLOATS)));
typedef float FN(vfu) __attribute__((vector_size(4 * FR_FLOATS), aligned(4)));
#define VD FN(vd)
#define VF FN(vf)
#define LOAD(p) (*(const FN(vdu) *)(p))
#define LOAD_F(p) (*(const FN(vfu) *)(p))
typedef int64_t FN(vi) __attribute__((vector_size(8 * FR_VL)));
#define OR(x, y) ((VD)((FN(vi))(x) | (FN(vi))(y)))
#define STORE_F(p, v) (*(FN(vfu) *)(p) = (v))
#if FR_FLOATS == 4
#define SPLAT_F(x) ((VF){(x), (x), (x), (x)})
#else
#define SPLAT_F(x) ((VF){(x), (x), (x), (x), (x), (x), (x), (x)})
#endif
#define STORE(p, v) (*(FN(vdu) *)(p) = (v))
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
#define VF float
#undef FR_FLOATS
#define FR_FLOATS 1
#define LOAD(p) (*(p))
#define LOAD_F(p) (*(p))
#define OR(x, y) ((x) < 0.0 ? (x) : (y))
#define STORE(p, v) (*(p) = (v))
#define STORE_F(p, v) (*(p) = (v))
#define SPLAT(x) (x)
#define SPLAT_F(x) (x)
#define UNROLL
#define HOLD(v)
#endif
#define NV8 (8 / FR_VL)
#define NV24 (24 / FR_VL)

/* out[c, :] += sum_i X(c, i) R[i, :] for C columns and V vectors of lanes, all sums in registers.  X(c, i) comes from
 * columns that lie each on its own, or from rows that lie `stride` bytes apart. */
#define FR_XT_KERNEL(NAME, C, V, SOURCE, ENTRY, AHEAD)                                                                 \
    FR_TARGET static void FN(NAME)(SOURCE, ptrdiff_t rows, const double *FR_RESTRICT R, double *FR_RESTRICT out)       \
    {                                                                                                                  \
        VD acc[C][V];                                                                                                  \
        UNROLL for (int c = 0; c < C; c++) UNROLL for (int v = 0; v < V; v++) acc[c][v] = SPLAT(0.0);                  \
        for (ptrdiff_t start = 0; start < rows; start += 8) {                                                          \
            const ptrdiff_t stop = start + 8 < rows ? start + 8 : rows;                                                \
            AHEAD                                                                                                      \
            for (ptrdiff_t i = start; i < stop; i++, R += V * FR_VL) {                                                 \
                VD x[C];                                                                                               \
                UNROLL for (int c = 0; c < C; c++) x[c] = SPLAT(ENTRY);                                                \
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
/* `next` are the columns that come after, NULL if there are none. */
#define FR_COLUMNS const double *const *col, const double *const *next
#define FR_COLUMNS_AHEAD(C)                                                                                            \
    if (next) UNROLL for (int c = 0; c < C; c++) {                                                                     \
        FR_PREFETCH(next[c] + start);                                                                                  \
        if (stop == rows) FR_PREFETCH(next[c] + rows - 1);                                                             \
    }
#define FR_ROWS const char *at, ptrdiff_t stride
#define FR_ROWS_ENTRY ((const double *)(at + i * stride))[c]
#define FR_ROWS_AHEAD for (ptrdiff_t i = start; i < stop; i++) FR_PREFETCH(at + (i + FR_FEW_ROWS) * stride);
FR_XT_KERNEL(xt8, FR_COLS8, NV8, FR_COLUMNS, col[c][i], FR_COLUMNS_AHEAD(FR_COLS8))
FR_XT_KERNEL(xt24, FR_COLS24, NV24, FR_COLUMNS, col[c][i], FR_COLUMNS_AHEAD(FR_COLS24))
FR_XT_KERNEL(xt8_rows, FR_COLS8, NV8, FR_ROWS, FR_ROWS_ENTRY, FR_ROWS_AHEAD)
FR_XT_KERNEL(xt24_rows, FR_COLS24, NV24, FR_ROWS, FR_ROWS_ENTRY, FR_ROWS_AHEAD)
#undef FR_XT_KERNEL
#undef FR_COLUMNS
#undef FR_COLUMNS_AHEAD
#undef FR_ROWS
#undef FR_ROWS_ENTRY
#undef FR_ROWS_AHEAD

/* Columns that lie each on its own: read in place, or widened and gathered into a buffer first. */
FR_TARGET static void FN(xt_columns)(const fr_matrix *X, ptrdiff_t row, ptrdiff_t rows, const ptrdiff_t *idx,
                                     ptrdiff_t first, ptrdiff_t ncols, const double *R, int lanes, double *out)
{
    FR_ALIGNED double buffer[FR_MAX_GROUP * (FR_SHORT + 8)]; /* 8 more: columns 4 KB apart meet in one cache set */
    FR_ALIGNED double rest[FR_MAX_GROUP * 24];
    const double *col[FR_MAX_GROUP], *next[FR_MAX_GROUP];
    const int wide = lanes == 24, group = wide ? FR_COLS24 : FR_COLS8;
    const int in_place = !X->single && !X->shift && X->row_stride == (ptrdiff_t)sizeof(double);
    const ptrdiff_t most = in_place ? rows : FR_SHORT;
    for (ptrdiff_t i = 0; i < rows; i += most)
        for (ptrdiff_t j = 0; j < ncols; j += group) {
            const ptrdiff_t few = rows - i < most ? rows - i : most;
            const int count = ncols - j < group ? (int)(ncols - j) : group;
            const int more = j + 2 * group <= ncols;
            double *to = count == group ? out + j * lanes : rest;
            for (int c = 0; c < count; c++)
                col[c] = fr_column(X, idx ? idx[j + c] : first + j + c, row + i, few, buffer + c * (FR_SHORT + 8));
            for (int c = count; c < group; c++) col[c] = col[0];
            if (more)
                for (int c = 0; c < group; c++) {
                    const char *at = X->data + (idx ? idx[j + group + c] : first + j + group + c) * X->col_stride +
                                     (row + i) * X->row_stride;
                    next[c] = (const double *)at;
                    if (!in_place)
                        for (ptrdiff_t k = 0; k < few * X->row_stride; k += 64) FR_PREFETCH(at + k);
                }
            if (count < group) memcpy(rest, out + j * lanes, (size_t)(count * lanes) * sizeof(double));
            (wide ? FN(xt24) : FN(xt8))(col, more && in_place ? next : NULL, few, R + i * lanes, to);
            if (count < group) memcpy(out + j * lanes, rest, (size_t)(count * lanes) * sizeof(double));
        }
}

/* Rows that lie each on its own, a few at a time: read in place, or widened and gathered into a buffer first. */
FR_TARGET static void FN(xt_rows)(const fr_matrix *X, ptrdiff_t row, ptrdiff_t rows, const ptrdiff_t *idx,
                                  ptrdiff_t first, ptrdiff_t ncols, const double *R, int lanes, double *out)
{
    FR_ALIGNED double buffer[FR_FEW_ROWS * FR_SHORT];
    const int wide = lanes == 24, group = wide ? FR_COLS24 : FR_COLS8;
    const int in_place = !X->single && !X->shift && !idx && X->col_stride == (ptrdiff_t)sizeof(double);
    const ptrdiff_t most = in_place ? FR_STRIP : FR_SHORT / 24 * 24;
    for (ptrdiff_t j = 0; j < ncols; j += most) {
        const ptrdiff_t strip = ncols - j < most ? ncols - j : most;
        for (ptrdiff_t i = 0; i < rows; i += FR_FEW_ROWS) {
            const ptrdiff_t few = rows - i < FR_FEW_ROWS ? rows - i : FR_FEW_ROWS;
            const char *from = X->data + (row + i) * X->row_stride + (first + j) * X->col_stride;
            ptrdiff_t stride = X->row_stride;
            if (!in_place) {
                const ptrdiff_t bytes = idx ? 0 : strip * X->col_stride;
                for (ptrdiff_t k = 0; k < few; k++) {
                    for (ptrdiff_t at = 0; at < bytes; at += 64) FR_PREFETCH(from + (k + FR_FEW_ROWS) * stride + at);
                    fr_row(X, row + i + k, idx ? idx + j : NULL, first + j, strip, buffer + k * FR_SHORT);
                }
                from = (const char *)buffer;
                stride = FR_SHORT * sizeof(double);
            }
            for (ptrdiff_t k = 0; k + group <= strip; k += group)
                (wide ? FN(xt24_rows) : FN(xt8_rows))(from + k * (ptrdiff_t)sizeof(double), stride, few, R + i * lanes,
                                                      out + (j + k) * lanes);
        }
    }
    const ptrdiff_t done = ncols / group * group;
    if (done < ncols)
        FN(xt_columns)(X, row, rows, idx ? idx + done : NULL, first + done, ncols - done, R, lanes, out + done * lanes);
}

FR_TARGET static void FN(xt_tile)(const fr_matrix *X, ptrdiff_t row, ptrdiff_t rows, const ptrdiff_t *idx,
                                  ptrdiff_t first, ptrdiff_t ncols, const double *R, int lanes, double *out)
{
    const ptrdiff_t down = X->row_stride < 0 ? -X->row_stride : X->row_stride;
    const ptrdiff_t across = X->col_stride < 0 ? -X->col_stride : X->col_stride;
    (down > across ? FN(xt_rows) : FN(xt_columns))(X, row, rows, idx, first, ncols, R, lanes, out);
}

FR_TARGET static void FN(xt_packed)(const double *tile, ptrdiff_t stride, ptrdiff_t rows, ptrdiff_t ncols,
                                    const double *R, int lanes, double *out)
{
    FR_ALIGNED double rest[FR_MAX_GROUP * 24];
    const int wide = lanes == 24, group = wide ? FR_COLS24 : FR_COLS8;
    for (ptrdiff_t j = 0; j < ncols; j += group) {
        const size_t bytes = (size_t)((ncols - j < group ? ncols - j : group) * lanes) * sizeof(double);
        double *to = ncols - j < group ? memcpy(rest, out + j * lanes, bytes) : out + j * lanes;
        (wide ? FN(xt24_rows) : FN(xt8_rows))((const char *)(tile + j), stride * (ptrdiff_t)sizeof(double), rows, R, to);
        if (to == rest) memcpy(out + j * lanes, rest, bytes);
    }
}

/* The lanes of R stay in registers and each entry of the tile meets them: one register more would not be there. */
FR_TARGET static void FN(xt_single)(const float *tile, ptrdiff_t rows, const float *R, double *FR_RESTRICT out)
{
    enum { C = FR_COLS_SINGLE, V = 24 / FR_FLOATS };
    for (int j = 0; j < 24; j += C) {
        const float *at = tile + j, *r = R;
        float part[24];
        VF acc[C][V];
        UNROLL for (int c = 0; c < C; c++) UNROLL for (int v = 0; v < V; v++) acc[c][v] = SPLAT_F(0.0f);
        for (ptrdiff_t i = 0; i < rows; i++, at += 24, r += 24) {
            VF lane[V];
            UNROLL for (int v = 0; v < V; v++) {
                lane[v] = LOAD_F(r + v * FR_FLOATS);
                HOLD(lane[v]);
            }
            UNROLL for (int c = 0; c < C; c++) {
                VF x = SPLAT_F(at[c]);
                HOLD(x);
                UNROLL for (int v = 0; v < V; v++) acc[c][v] += x * lane[v];
            }
        }
        UNROLL for (int c = 0; c < C; c++) {
            UNROLL for (int v = 0; v < V; v++) STORE_F(part + v * FR_FLOATS, acc[c][v]);
            for (int l = 0; l < 24; l++) out[(j + c) * 24 + l] += part[l];
        }
    }
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

/* A row of eight lanes is one cache line, and a gather touches all of it anyway; lines are asked for 16 entries ahead. */
#define FR_SPARSE(NAME, INT, FLOAT)                                                                                    \
    FR_TARGET static void FN(gather8_##NAME)(const INT *index, const FLOAT *value, ptrdiff_t count,                     \
                                             const double *FR_RESTRICT R, double *FR_RESTRICT out)                     \
    {                                                                                                                  \
        VD acc[4][NV8];                                                                                                \
        ptrdiff_t k = 0;                                                                                               \
        UNROLL for (int u = 0; u < 4; u++) UNROLL for (int v = 0; v < NV8; v++) acc[u][v] = SPLAT(0.0);                \
        for (; k + 4 <= count; k += 4) {                                                                               \
            if (k + 20 <= count) UNROLL for (int u = 16; u < 20; u++) FR_PREFETCH(R + 8 * (ptrdiff_t)index[k + u]);     \
            UNROLL for (int u = 0; u < 4; u++) {                                                                       \
                const double *r = R + 8 * (ptrdiff_t)index[k + u];                                                     \
                const VD x = SPLAT((double)value[k + u]);                                                              \
                UNROLL for (int v = 0; v < NV8; v++) acc[u][v] += x * LOAD(r + v * FR_VL);                             \
            }                                                                                                          \
        }                                                                                                              \
        for (; k < count; k++) {                                                                                       \
            const double *r = R + 8 * (ptrdiff_t)index[k];                                                             \
            const VD x = SPLAT((double)value[k]);                                                                      \
            UNROLL for (int v = 0; v < NV8; v++) acc[0][v] += x * LOAD(r + v * FR_VL);                                 \
        }                                                                                                              \
        UNROLL for (int v = 0; v < NV8; v++)                                                                           \
            STORE(out + v * FR_VL, LOAD(out + v * FR_VL) + ((acc[0][v] + acc[1][v]) + (acc[2][v] + acc[3][v])));       \
    }                                                                                                                  \
    FR_TARGET static void FN(scatter8_##NAME)(const INT *index, const FLOAT *value, ptrdiff_t count,                    \
                                              const double *FR_RESTRICT w, double *FR_RESTRICT R)                      \
    {                                                                                                                  \
        VD to[NV8];                                                                                                    \
        UNROLL for (int v = 0; v < NV8; v++) to[v] = LOAD(w + v * FR_VL);                                              \
        for (ptrdiff_t k = 0; k < count; k++) {                                                                        \
            double *r = R + 8 * (ptrdiff_t)index[k];                                                                   \
            const VD x = SPLAT((double)value[k]);                                                                      \
            if (k + 16 < count) FR_PREFETCH(R + 8 * (ptrdiff_t)index[k + 16]);                                         \
            UNROLL for (int v = 0; v < NV8; v++) STORE(r + v * FR_VL, LOAD(r + v * FR_VL) + x * to[v]);                \
        }                                                                                                              \
    }
#define FR_SPARSE_ONE(NAME, INT, FLOAT)                                                                                \
    FR_TARGET static double FN(gather1_##NAME)(const INT *index, const FLOAT *value, ptrdiff_t count, const double *r) \
    {                                                                                                                  \
        double acc[4] = {0.0, 0.0, 0.0, 0.0};                                                                          \
        ptrdiff_t k = 0;                                                                                               \
        for (; k + 4 <= count; k += 4)                                                                                 \
            UNROLL for (int u = 0; u < 4; u++) acc[u] += (double)value[k + u] * r[index[k + u]];                       \
        for (; k < count; k++) acc[0] += (double)value[k] * r[index[k]];                                               \
        return (acc[0] + acc[1]) + (acc[2] + acc[3]);                                                                  \
    }                                                                                                                  \
    FR_TARGET static void FN(scatter1_##NAME)(const INT *index, const FLOAT *value, ptrdiff_t count, double a,         \
                                              const double *s, double *r)                                              \
    {                                                                                                                  \
        if (s)                                                                                                         \
            for (ptrdiff_t k = 0; k < count; k++) r[index[k]] += a * s[index[k]] * (double)value[k];                   \
        else                                                                                                           \
            for (ptrdiff_t k = 0; k < count; k++) r[index[k]] += a * (double)value[k];                                 \
    }
FR_SPARSE(if, int32_t, float)
FR_SPARSE(id, int32_t, double)
FR_SPARSE(lf, int64_t, float)
FR_SPARSE(ld, int64_t, double)
FR_SPARSE_ONE(if, int32_t, float)
FR_SPARSE_ONE(id, int32_t, double)
FR_SPARSE_ONE(lf, int64_t, float)
FR_SPARSE_ONE(ld, int64_t, double)
#undef FR_SPARSE
#undef FR_SPARSE_ONE

#define FR_BY_TYPE(THEN, NAME, ...)                                                                                     \
    if (X->wide) {                                                                                                     \
        const int64_t *index = (const int64_t *)X->index + start;                                                      \
        if (X->single) THEN FN(NAME##_lf)(index, (const float *)X->value + start, __VA_ARGS__);                             \
        else THEN FN(NAME##_ld)(index, (const double *)X->value + start, __VA_ARGS__);                                      \
    } else {                                                                                                           \
        const int32_t *index = (const int32_t *)X->index + start;                                                      \
        if (X->single) THEN FN(NAME##_if)(index, (const float *)X->value + start, __VA_ARGS__);                             \
        else THEN FN(NAME##_id)(index, (const double *)X->value + start, __VA_ARGS__);                                      \
    }

FR_TARGET static void FN(gather8)(const fr_entries *X, ptrdiff_t start, ptrdiff_t stop, const double *R, double *out)
{
    FR_BY_TYPE(, gather8, stop - start, R, out)
}

FR_TARGET static void FN(scatter8)(const fr_entries *X, ptrdiff_t start, ptrdiff_t stop, const double *w, double *R)
{
    FR_BY_TYPE(, scatter8, stop - start, w, R)
}

FR_TARGET static double FN(gather1)(const fr_entries *X, ptrdiff_t start, ptrdiff_t stop, const double *r)
{
    FR_BY_TYPE(return, gather1, stop - start, r)
}

FR_TARGET static void FN(scatter1)(const fr_entries *X, ptrdiff_t start, ptrdiff_t stop, double a, const double *s,
                                   double *r)
{
    FR_BY_TYPE(, scatter1, stop - start, a, s, r)
}
#undef FR_BY_TYPE

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

FR_TARGET static void FN(moments)(ptrdiff_t n, const double *x, const double *s, double origin, double lift, double *out)
{
    VD sum[3][4];
    double part[FR_VL];
    const VD from = SPLAT(origin), up = SPLAT(lift);
    ptrdiff_t i = 0;
    UNROLL for (int m = 0; m < 3; m++) UNROLL for (int k = 0; k < 4; k++) sum[m][k] = SPLAT(0.0);
    for (; i + 4 * FR_VL <= n; i += 4 * FR_VL)
        UNROLL for (int k = 0; k < 4; k++) {
            const VD d = LOAD(x + i + k * FR_VL) - from, e = d + up, w = s ? LOAD(s + i + k * FR_VL) : SPLAT(1.0);
            sum[0][k] += w * d;
            sum[1][k] += w * d * d;
            sum[2][k] += w * e * e;
        }
    for (int m = 0; m < 3; m++) {
        STORE(part, (sum[m][0] + sum[m][1]) + (sum[m][2] + sum[m][3]));
        out[m] = 0.0;
        for (int k = 0; k < FR_VL; k++) out[m] += part[k];
    }
    for (; i < n; i++) {
        const double d = x[i] - origin, e = d + lift, w = s ? s[i] : 1.0;
        out[0] += w * d;
        out[1] += w * d * d;
        out[2] += w * e * e;
    }
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

/* The sign bits of the differences are collected; the last vector overlaps the one before. */
FR_TARGET static ptrdiff_t FN(quiet)(const double *C, ptrdiff_t stride, ptrdiff_t count, ptrdiff_t n, const double *f,
                                     const double *a, const double *b)
{
    double least[24];
    if (n > 24) return 0;
    for (ptrdiff_t k = 0; k < n; k++) least[k] = a[k] < b[k] ? a[k] : b[k];
    ptrdiff_t j = 0;
    if (n == 1 && stride == 1) /* in short runs, the last of which is looked at again */
        for (; j + 32 <= count; j += 32, C += 32) {
            int64_t beyond = 0;
            for (int k = 0; k < 32; k++) {
                const double size = C[k] < 0.0 ? -C[k] : C[k];
                beyond |= size > least[0] * (f ? f[j + k] : 1.0);
            }
            if (beyond) break;
        }
    for (; j < count; j++, C += stride) {
        const double factor = f ? f[j] : 1.0;
        int beyond = 0;
        if (n < FR_VL)
            for (ptrdiff_t k = 0; k < n; k++) beyond |= (C[k] < 0.0 ? -C[k] : C[k]) > least[k] * factor;
        else {
            double part[FR_VL];
            const VD times = SPLAT(factor);
            VD any = SPLAT(0.0);
            for (ptrdiff_t k = 0; k < n; k += FR_VL) {
                const ptrdiff_t at = k + FR_VL <= n ? k : n - FR_VL;
                const VD x = LOAD(C + at), limit = LOAD(least + at) * times;
                any = OR(any, OR(limit - x, limit + x));
            }
            STORE(part, any);
            for (int k = 0; k < FR_VL; k++) {
                int64_t bits;
                memcpy(&bits, part + k, sizeof bits);
                beyond |= bits < 0;
            }
        }
        if (beyond) return j;
    }
    return count;
}

/* The least of the differences would not tell of NaN; f may be infinite. */
FR_TARGET static void FN(doubt)(ptrdiff_t n, double s, const double *a, double t, const double *b, double rest,
                                const double *norm, double limit, const double *f, double *FR_RESTRICT marks)
{
    for (ptrdiff_t j = 0; j < n; j++) {
        const double c = s * a[j] + t * b[j], u = (c < 0.0 ? -c : c) + rest * norm[j];
        const int within = u < limit * (f ? f[j] : 1.0);
        marks[j] = within ? marks[j] : -1.0;
    }
}

/* exp(x) = 2^k exp(r), |r| <= log(2) / 2, and the Taylor series of degree 13, whose remainder is below 1e-17. */
FR_TARGET static void FN(exp)(ptrdiff_t n, const double *FR_RESTRICT x, double *FR_RESTRICT out)
{
    const double whole = 6755399441055744.0; /* 1.5 * 2^52: what is added to it is rounded to an integer */
    for (ptrdiff_t i = 0; i < n; i++) {
        double v = x[i], k, r, p;
        uint64_t bits;
        v = v < -708.0 ? -708.0 : v;
        v = v > 709.0 ? 709.0 : v;
        k = v * 1.4426950408889634 + whole;
        memcpy(&bits, &k, sizeof bits);
        k -= whole;
        r = v - k * 6.93147180369123816490e-01;
        r -= k * 1.90821492927058770002e-10;
        p = 1.0 / 6227020800.0;
        p = p * r + 1.0 / 479001600.0;
        p = p * r + 1.0 / 39916800.0;
        p = p * r + 1.0 / 3628800.0;
        p = p * r + 1.0 / 362880.0;
        p = p * r + 1.0 / 40320.0;
        p = p * r + 1.0 / 5040.0;
        p = p * r + 1.0 / 720.0;
        p = p * r + 1.0 / 120.0;
        p = p * r + 1.0 / 24.0;
        p = p * r + 1.0 / 6.0;
        p = p * r + 0.5;
        p = p * r + 1.0;
        p = p * r + 1.0;
        bits = (bits + 1023) << 52;
        memcpy(&k, &bits, sizeof bits);
        out[i] = p * k;
    }
}

/* log(1 + x) = 2 artanh(s) with s = x / (2 + x) <= 1/3, whose series is cut where s^2k falls below 1e-16. */
FR_TARGET static void FN(log1p)(ptrdiff_t n, const double *FR_RESTRICT x, double *FR_RESTRICT out)
{
    for (ptrdiff_t i = 0; i < n; i++) {
        const double s = x[i] / (2.0 + x[i]), q = s * s;
        double p = 1.0 / 33.0;
        p = p * q + 1.0 / 31.0;
        p = p * q + 1.0 / 29.0;
        p = p * q + 1.0 / 27.0;
        p = p * q + 1.0 / 25.0;
        p = p * q + 1.0 / 23.0;
        p = p * q + 1.0 / 21.0;
        p = p * q + 1.0 / 19.0;
        p = p * q + 1.0 / 17.0;
        p = p * q + 1.0 / 15.0;
        p = p * q + 1.0 / 13.0;
        p = p * q + 1.0 / 11.0;
        p = p * q + 1.0 / 9.0;
        p = p * q + 1.0 / 7.0;
        p = p * q + 1.0 / 5.0;
        p = p * q + 1.0 / 3.0;
        out[i] = 2.0 * s + 2.0 * s * (p * q);
    }
}

static const fr_table FN(fr_table) = {
    /* the level's name is only for messages */
#define FR_STR2(x) #x
#define FR_STR(x) FR_STR2(x)
    FR_STR(FR_LEVEL), FN(xt_tile), FN(xt_packed), FN(xt_single), FN(xw_tile), FN(gather8), FN(scatter8), FN(gather1), FN(scatter1), FN(dot), FN(axpy), FN(axpy4), FN(dot4), FN(panel4), FN(moments), FN(rotate),
    FN(quiet), FN(doubt), FN(exp), FN(log1p)};
#undef FR_STR
#undef FR_STR2

#undef VD
#undef VF
#undef LOAD
#undef LOAD_F
#undef OR
#undef STORE
#undef STORE_F
#undef SPLAT
#undef SPLAT_F
#undef UNROLL
#undef HOLD
#undef NV8
#undef NV24
#undef FR_LEVEL
#undef FR_TARGET
#undef FR_VL
#undef FR_COLS8
#undef FR_COLS24
#undef FR_FLOATS
#undef FR_COLS_SINGLE
#endif /* FR_LEVEL */
