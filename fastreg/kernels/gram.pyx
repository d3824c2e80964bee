"""Weighted Gram matrices and moments of columns of a dense X, which is read where it lies."""
from libc.stdlib cimport free
from libc.string cimport memset

from ._simd cimport FR_TILE, Matrix, column, row_of, simd
from .panels cimport AHEAD, GRAM_ROWS, GRAM_STRIDE, Source, ask_for, by_rows, copy_columns, meet_packed, pack
from .parts cimport Part, reserve

cdef enum:
    MOMENT_GROUP = 8       # neighbouring columns that share a row's cache line

GRAM_TILE = GRAM_ROWS      # rows of a tile of `whole_gram` and `narrow_gram`, for their callers

cdef double SHARE = 0.01   # of what is taken off a sum of squares: if less than that is left, its digits are gone


cdef class Gram(Part):
    """A block of the weighted Gram matrix of some columns of X: to both halves, symmetric to the bit.

    gram[i, j] = scale * sum_r weights[r] (X[r, rows[i]] - means[i]) (X[r, rows[j]] - means[j])
    """
    cdef Source source
    cdef const double[::1] weights, means
    cdef const Py_ssize_t[::1] rows
    cdef Py_ssize_t first, stop, start, end
    cdef int lanes
    cdef double scale
    cdef double[:, ::1] gram

    def __init__(
        self,
        Source source,
        const double[::1] weights,      # in   (n,) or None: ones
        const Py_ssize_t[::1] rows,     # in   (m,)  columns of X
        const double[::1] means,        # in   (m,)
        Py_ssize_t first,               # in   rows i = first..stop-1 of the matrix, first < stop <= end,
        Py_ssize_t stop,
        Py_ssize_t start,               # in   and, on or above the diagonal, its columns j = start..end-1,
        Py_ssize_t end,
        int lanes,                      # in   in panels of so many
        double scale,
        double[:, ::1] gram,            # out  (m or more, m or more), that block and the other half
    ):
        self.source, self.weights, self.rows, self.means = source, weights, rows, means
        self.first, self.stop, self.start, self.end = first, stop, start, end
        self.lanes, self.scale, self.gram = lanes, scale, gram

    cdef int run(self) noexcept nogil:
        return gram_block(
            &self.source.M, NULL if self.weights is None else &self.weights[0], &self.rows[0], &self.means[0],
            self.first, self.stop, self.start, self.end, self.lanes, self.scale, &self.gram[0, 0], self.gram.shape[1],
        )


cdef int gram_block(const Matrix* M, const double* weights, const Py_ssize_t* index, const double* means,
                    Py_ssize_t first, Py_ssize_t stop, Py_ssize_t start, Py_ssize_t end, int lanes, double scale,
                    double* gram, Py_ssize_t ld) noexcept nogil:
    """As `Gram`, for columns `index` of a matrix whose rows are `ld` apart; -1: there is no memory."""
    cdef Py_ssize_t m = stop - first, panels = (end - start + lanes - 1) // lanes, i, j
    cdef Py_ssize_t size = (GRAM_ROWS + 1) * panels * lanes + GRAM_STRIDE * (m + 24)
    cdef double* room
    cdef void* raw = reserve(&room, size + panels * m * lanes)
    cdef double* out = room + size
    cdef const double* at
    if raw == NULL:
        return -1
    multiply(M, weights, index, means, first, stop, start, end, lanes, panels, room, out)
    for j in range(start, end):
        at = out + ((j - start) // lanes * m) * lanes + (j - start) % lanes
        for i in range(first, min(stop, j + 1)):
            gram[j * ld + i] = scale * at[(i - first) * lanes]
        for i in range(first, min(stop, j)):
            gram[i * ld + j] = gram[j * ld + i]
    free(raw)
    return 0


cdef void multiply(const Matrix* M, const double* weights, const Py_ssize_t* index, const double* means_of,
                   Py_ssize_t first, Py_ssize_t stop, Py_ssize_t start, Py_ssize_t end, int lanes, Py_ssize_t panels,
                   double* room, double* out) noexcept nogil:
    """out[k, i, l] (panels, stop - first, lanes) <- the entries; what is not wanted, or beyond, is any number."""
    cdef Py_ssize_t m = stop - first
    cdef const Matrix* source = M
    cdef Matrix tile
    cdef int l
    cdef Py_ssize_t row = 0, rows, i, j, k, from_row, wanted, new = end - start
    cdef double s, buffer[FR_TILE]
    cdef double* sums = room + GRAM_ROWS * panels * lanes
    cdef double* copy = sums + panels * lanes
    cdef double* at
    cdef const double* x
    cdef const double* row_means = means_of + first
    cdef const double* means = means_of + start
    cdef const Py_ssize_t* idx = index + first
    cdef const Py_ssize_t* some = index + start
    cdef bint weighted = weights != NULL, rowwise = by_rows(M), in_order = True
    memset(room, 0, (GRAM_ROWS + 1) * panels * lanes * sizeof(double))
    memset(out, 0, panels * m * lanes * sizeof(double))
    for j in range(m):
        in_order &= idx[j] == idx[0] + j
    if not rowwise and (M.single or M.shift != NULL or M.row_stride != sizeof(double)):
        tile = Matrix(<const char*>copy, GRAM_ROWS, m, sizeof(double), GRAM_STRIDE * sizeof(double), 0, NULL)
        source = &tile                      # else every panel would widen or gather it anew
    while row < M.n:
        rows = min(<Py_ssize_t>GRAM_ROWS, M.n - row)
        if rowwise:                         # first: it streams X into the cache
            pack(M, row, rows, NULL if in_order else idx, idx[0], m, copy)
        for j in range(0 if rowwise else new):
            at = room + ((j // lanes) * GRAM_ROWS) * lanes + j % lanes
            x = column(M, some[j], row, rows, buffer)
            for i in range(rows):
                at[i * lanes] = x[i] - means[j]
        for i in range(rows):
            s = weights[row + i] if weighted else 1.0
            if rowwise:
                row_of(M, row + i, some, 0, new, buffer)
            for k in range(panels):
                at = room + (k * GRAM_ROWS + i) * lanes
                if rowwise:
                    for l in range(min(<Py_ssize_t>lanes, new - k * lanes)):
                        at[l] = buffer[k * lanes + l] - means[k * lanes + l]
                for l in range(lanes):
                    at[l] *= s
                    sums[k * lanes + l] += at[l]
        from_row = row
        if source == &tile:
            from_row = 0
            copy_columns(M, row, rows, idx, 0, m, copy)
        for k in range(panels):
            wanted = min(stop, start + min((k + 1) * lanes, new)) - first
            if wanted <= 0:
                continue
            at = room + k * GRAM_ROWS * lanes
            if rowwise:
                meet_packed(copy, rows, wanted, at, lanes, out + k * m * lanes)
            else:
                simd.xt_tile(
                    source, from_row, rows, NULL if source == &tile else idx, 0, wanted, at, lanes,
                    out + k * m * lanes,
                )
        row += GRAM_ROWS
    for k in range(panels):                 # the sums are zero but for rounding, which a large mean would magnify
        for i in range(m):
            for l in range(lanes):
                out[(k * m + i) * lanes + l] -= row_means[i] * sums[k * lanes + l]


def whole_gram(
    Source source,                  # in   X (n, p)
    const Py_ssize_t[::1] columns,  # in   (m,)  columns of X
    const double[::1] means,        # in   (m,)  taken off them
    const double[::1] level,        # in   (n,) taken off the rows, or None
    const double[::1] root,         # in   (n,) what the rows are then multiplied with, or None
    const double[:, :, ::1] right,  # in   (sets, n, lanes)  what the columns are multiplied with besides
    Py_ssize_t first,               # in   rows first..stop-1 of X
    Py_ssize_t stop,
    Py_ssize_t start,               # in   the first panel of 24 columns that is wanted
    double[:, :, ::1] work,         # work (panels, 128, 24), for the panels up to the last one that is wanted
    double[:, :, ::1] out,          # in/out (panels - start, panels * 24, 24)
    double[:, :, ::1] products,     # in/out (sets, (panels - start) * 24, lanes)
):
    """Add to out[k - start, i, l] the sum over these rows of z_i z_j, j = 24 k + l, for i < 24 (k + 1).

    z are the columns; the sums over z_j right[s, :, l] are added to products[s, j - 24 start, l].  A tile of rows is
    packed once and meets itself.
    """
    cdef const Matrix* M = &source.M
    cdef Py_ssize_t m = min(columns.shape[0], work.shape[0] * 24), panels = work.shape[0]
    cdef Py_ssize_t i, j, k, row = first, rows, count
    cdef double* at
    cdef bint rowwise = by_rows(M), in_order = True
    cdef int lanes = 24, beside = <int>right.shape[2]
    with nogil:
        for j in range(m):
            in_order &= columns[j] == columns[0] + j
        memset(&work[0, 0, 0], 0, panels * GRAM_ROWS * lanes * sizeof(double))
        while row < stop:
            rows = min(<Py_ssize_t>GRAM_ROWS, stop - row)
            for i in range(rows if rowwise else 0):
                for k in range((m + lanes - 1) // lanes):
                    j, count = k * lanes, min(<Py_ssize_t>lanes, m - k * lanes)
                    at = &work[k, i, 0]
                    row_of(M, row + i, NULL if in_order else &columns[j], columns[0] + j, count, at)
                    for j in range(count):
                        at[j] -= means[k * lanes + j]
            for j in range(0, 0 if rowwise else m, 4):
                count = min(<Py_ssize_t>4, m - j)
                turn(M, row, rows, &columns[j], count, m - j, &means[j], &work[j // lanes, 0, j % lanes])
            for k in range(panels):
                at, count = &work[k, 0, 0], min(<Py_ssize_t>lanes, m - k * lanes)
                for i in range(rows if level is not None else 0):
                    for j in range(count):
                        at[i * lanes + j] -= level[row + i]
                for i in range(rows if root is not None else 0):
                    for j in range(lanes):
                        at[i * lanes + j] *= root[row + i]
                for i in range(right.shape[0] if k >= start else 0):
                    simd.xt_packed(
                        at, lanes, rows, lanes, &right[i, row, 0], beside, &products[i, (k - start) * lanes, 0]
                    )
            for k in range(start, panels):
                for j in range(k + 1):
                    simd.xt_packed(
                        &work[j, 0, 0], lanes, rows, lanes, &work[k, 0, 0], lanes, &out[k - start, j * lanes, 0]
                    )
            row += GRAM_ROWS


def narrow_gram(
    Source source,                  # in   as for `whole_gram`, but for
    const Py_ssize_t[::1] columns,
    const double[::1] means,
    const double[::1] level,
    const double[::1] root,
    const double[:, ::1] right,     # in   (k, n)
    Py_ssize_t first,
    Py_ssize_t stop,
    Py_ssize_t start,
    float[:, :, ::1] work,          # work (panels, 128, 24)
    double[:, :, ::1] out,
    double[:, ::1] products,        # in/out (k, (panels - start) * 24)
):
    """As `whole_gram`, with a tile in single precision, summed in double; the products with `right` are in double."""
    cdef const Matrix* M = &source.M
    cdef Py_ssize_t m = min(columns.shape[0], work.shape[0] * 24), panels = work.shape[0]
    cdef Py_ssize_t j, k, row = first, rows
    cdef const double* levels = NULL
    cdef const double* roots = NULL
    cdef bint in_order = True, rowwise = by_rows(M)
    with nogil:
        for j in range(m):
            in_order &= columns[j] == columns[0] + j
        memset(&work[0, 0, 0], 0, panels * GRAM_ROWS * 24 * sizeof(float))
        while row < stop:
            rows = min(<Py_ssize_t>GRAM_ROWS, stop - row)
            if level is not None:
                levels = &level[row]
            if root is not None:
                roots = &root[row]
            if rowwise:
                narrow_rows(M, row, rows, NULL if in_order else &columns[0], columns[0], m, &means[0], levels, roots,
                            right, products, start, work)
            for j in range(0, 0 if rowwise else m, 4):
                narrow_columns(M, row, rows, &columns[j], min(<Py_ssize_t>4, m - j), m - j, &means[j], levels, roots,
                               right, products, j - 24 * start, &work[j // 24, 0, j % 24])
            for k in range(start, panels):
                for j in range(k + 1):
                    simd.xt_single(&work[j, 0, 0], rows, &work[k, 0, 0], &out[k - start, j * 24, 0])
            row += GRAM_ROWS


cdef void narrow_rows(const Matrix* M, Py_ssize_t row, Py_ssize_t rows, const Py_ssize_t* idx, Py_ssize_t first,
                      Py_ssize_t m, const double* means, const double* level, const double* root,
                      const double[:, ::1] right, double[:, ::1] products, Py_ssize_t start,
                      float[:, :, ::1] work) noexcept nogil:
    """A few rows into a tile, one after the other: they come from memory as they lie there."""
    cdef double z[24]
    cdef double off, times
    cdef float* to
    cdef Py_ssize_t i, j, c, s, count, at
    for i in range(rows):
        off, times = 0.0 if level == NULL else level[i], 1.0 if root == NULL else root[i]
        for j in range(0, m, 24):
            count, at, to = min(<Py_ssize_t>24, m - j), j - 24 * start, &work[j // 24, i, 0]
            row_of(M, row + i, NULL if idx == NULL else idx + j, first + j, count, z)
            for c in range(count):
                z[c] = (z[c] - means[j + c] - off) * times
                to[c] = <float>z[c]
            for s in range(right.shape[0] if at >= 0 else 0):
                for c in range(count):
                    products[s, at + c] += z[c] * right[s, row + i]


cdef void narrow_columns(const Matrix* M, Py_ssize_t row, Py_ssize_t rows, const Py_ssize_t* idx, Py_ssize_t count,
                         Py_ssize_t left, const double* means, const double* level, const double* root,
                         const double[:, ::1] right, double[:, ::1] products, Py_ssize_t at, float* to) noexcept nogil:
    """A few rows of up to four columns into a tile; `left` are yet to come.

    Their products are those from number `at` on, if it is not below 0.
    """
    cdef double buffer[4 * GRAM_ROWS]
    cdef const double* four[4]
    cdef const double* x
    cdef const double* x0
    cdef const double* x1
    cdef const double* x2
    cdef const double* x3
    cdef double* z
    cdef double sums[4]
    cdef double mean
    cdef Py_ssize_t i, c, s
    for c in range(4):
        z, four[c] = &buffer[c * GRAM_ROWS], &buffer[c * GRAM_ROWS]
        if c >= count:
            memset(z, 0, rows * sizeof(double))
            continue
        if c + AHEAD < left:
            ask_for(M, idx[c + AHEAD], row, rows)
        x, mean = column(M, idx[c], row, rows, z), means[c]
        if mean == 0.0 and level == NULL and root == NULL:
            four[c] = x
            continue
        for i in range(rows):
            z[i] = x[i] - mean
        for i in range(rows if level != NULL else 0):
            z[i] -= level[i]
        for i in range(rows if root != NULL else 0):
            z[i] *= root[i]
    for s in range(right.shape[0] if at >= 0 else 0):
        simd.dot4(rows, four, &right[s, row], sums)
        for c in range(count):
            products[s, at + c] += sums[c]
    x0, x1, x2, x3 = four[0], four[1], four[2], four[3]
    for i in range(rows):               # side by side: the columns that are not there are zeros
        to[24 * i], to[24 * i + 1] = <float>x0[i], <float>x1[i]
        to[24 * i + 2], to[24 * i + 3] = <float>x2[i], <float>x3[i]


cdef void turn(const Matrix* M, Py_ssize_t row, Py_ssize_t rows, const Py_ssize_t* idx, Py_ssize_t count,
               Py_ssize_t left, const double* means, double* to) noexcept nogil:
    """A few rows of up to four columns, less their means, side by side, 24 from row to row; `left` are yet to come."""
    cdef double buffer[4 * GRAM_ROWS]
    cdef const double* x[4]
    cdef double m0, m1, m2, m3
    cdef Py_ssize_t i, c
    for c in range(count):
        if c + AHEAD < left:
            ask_for(M, idx[c + AHEAD], row, rows)
        x[c] = column(M, idx[c], row, rows, &buffer[c * GRAM_ROWS])
    if count == 4:  # whole cache lines are written
        m0, m1, m2, m3 = means[0], means[1], means[2], means[3]
        for i in range(rows):
            to[24 * i] = x[0][i] - m0
            to[24 * i + 1] = x[1][i] - m1
            to[24 * i + 2] = x[2][i] - m2
            to[24 * i + 3] = x[3][i] - m3
        return
    for c in range(count):
        for i in range(rows):
            to[24 * i + c] = x[c][i] - means[c]


def mirror(double[:, ::1] gram, Py_ssize_t first, Py_ssize_t stop):
    """Copy the lower half of gram[first:stop, first:stop] to the upper, so that it is symmetric to the bit."""
    cdef Py_ssize_t i, j
    for i in range(first, stop):
        for j in range(first, i):
            gram[j, i] = gram[i, j]


cdef class Moments(Part):
    """Weighted mean and sums of squares of some columns.

    They are taken about the first entry, so that a constant column has a square of exactly zero; about the mean in a
    second turn where that loses digits.
    """
    cdef Source source
    cdef const double[::1] weights
    cdef double total
    cdef const Py_ssize_t[::1] columns
    cdef bint centred
    cdef double[::1] mean, square, raw

    def __init__(
        self,
        Source source,
        const double[::1] weights,      # in   (n,) or None: ones
        double total,                   # in   sum of the weights
        const Py_ssize_t[::1] columns,  # in   (k,)  columns of X
        bint centred,                   # in   False: means are taken as zero
        double[::1] mean,               # out  (k,)
        double[::1] square,             # out  (k,)  sum of weights * (x - mean)^2
        double[::1] raw,                # out  (k,)  sum of weights * x^2, before anything is taken off
    ):
        self.source, self.weights, self.total, self.columns = source, weights, total, columns
        self.centred, self.mean, self.square, self.raw = centred, mean, square, raw

    cdef int run(self) noexcept nogil:
        cdef Py_ssize_t j = 0
        while j < self.columns.shape[0]:
            self.group(j, min(<Py_ssize_t>MOMENT_GROUP, self.columns.shape[0] - j))
            j += MOMENT_GROUP
        return 0

    cdef void group(self, Py_ssize_t first, Py_ssize_t count) noexcept nogil:
        """Some columns: neighbours share cache lines."""
        cdef const Matrix* M = &self.source.M
        cdef const Py_ssize_t* columns = &self.columns[first]
        cdef double buffer[FR_TILE]
        cdef double origin[MOMENT_GROUP]
        cdef double off[MOMENT_GROUP]
        cdef double part[3]
        cdef double* mean = &self.mean[first]
        cdef double* square = &self.square[first]
        cdef double* raw = &self.raw[first]
        cdef const double* x
        cdef const double* s = NULL
        cdef double lift
        cdef Py_ssize_t c, row, rows
        cdef bint again
        for c in range(count):
            origin[c] = column(M, columns[c], 0, 1, buffer)[0] if self.centred else 0.0
        for _ in range(2):
            for c in range(count):
                off[c] = square[c] = raw[c] = 0.0
            row = 0
            while row < M.n:
                rows = min(<Py_ssize_t>FR_TILE, M.n - row)
                if self.weights is not None:
                    s = &self.weights[row]
                for c in range(count):
                    x = column(M, columns[c], row, rows, buffer)
                    lift = origin[c] if M.shift == NULL else origin[c] + M.shift[columns[c]]
                    simd.moments(rows, x, s, origin[c], lift, part)
                    off[c] += part[0]
                    square[c] += part[1]
                    raw[c] += part[2]
                row += FR_TILE
            again = False
            for c in range(count):
                mean[c] = origin[c] + off[c] / self.total if self.centred else 0.0
                if self.centred:
                    square[c] -= off[c] * (off[c] / self.total)
                    again |= square[c] < SHARE * off[c] * (off[c] / self.total)
                    origin[c] = mean[c]
            if not again:
                break
