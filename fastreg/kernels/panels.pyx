"""Products of a dense X with panels of residuals; X is read where it lies.

A panel is a C-ordered array (n, lanes) with lanes = 8 or 24: one row of X meets one short row of the panel.  Every
function works on one block of rows or columns, so that threads can share the blocks out; within a block the sums run
over row tiles in a fixed order.
"""
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy, memset

from ._simd cimport FR_TILE, Matrix, column, real, row_of, simd
from .parts cimport Part, reserve

simd_level = simd.name.decode()

cdef enum:
    COLUMN_BLOCK = 480     # columns whose sums stay in L2 while all row tiles pass
    COPY_PANELS = 5        # panels for which it pays to copy a tile that cannot be read in place


cdef Matrix as_matrix(const real[:, :] X, const double[::1] shift) noexcept nogil:
    cdef Matrix M
    M.shift = NULL if shift is None else <double*>&shift[0]
    M.n, M.p = X.shape[0], X.shape[1]
    M.data = <const char*>&X[0, 0]
    M.row_stride, M.col_stride = X.strides[0], X.strides[1]
    M.single = real is float
    return M


cdef void pack(const Matrix* M, Py_ssize_t row, Py_ssize_t rows, const Py_ssize_t* idx, Py_ssize_t first,
               Py_ssize_t count, double* tile) noexcept nogil:
    """Some columns of a few rows, widened: strips of 24 columns side by side, GRAM_ROWS rows from one to the next."""
    cdef Py_ssize_t i, j, some
    cdef double* to
    for i in range(rows):
        for j in range(0, count, 24):
            to, some = tile + j * GRAM_ROWS + i * 24, min(<Py_ssize_t>24, count - j)
            row_of(M, row + i, NULL if idx == NULL else idx + j, first + j, some, to)
            if some < 24:
                memset(to + some, 0, (24 - some) * sizeof(double))


cdef void meet_packed(const double* tile, Py_ssize_t rows, Py_ssize_t count, const double* R, int lanes,
                      double* out) noexcept nogil:
    """out[c, :] += sum over the rows of a packed tile of column c times R[row, :], for `count` columns."""
    cdef Py_ssize_t j
    for j in range(0, count, 24):
        simd.xt_packed(tile + j * GRAM_ROWS, 24, rows, min(<Py_ssize_t>24, count - j), R, lanes, out + j * lanes)


cdef void copy_columns(const Matrix* M, Py_ssize_t row, Py_ssize_t rows, const Py_ssize_t* idx, Py_ssize_t first,
                       Py_ssize_t count, double* tile) noexcept nogil:
    """A few rows of some columns, each on its own, widened; GRAM_STRIDE from one to the next."""
    cdef Py_ssize_t j
    cdef const double* x
    for j in range(count):
        if j + AHEAD < count:
            ask_for(M, first + j + AHEAD if idx == NULL else idx[j + AHEAD], row, rows)
        x = column(M, first + j if idx == NULL else idx[j], row, rows, tile + j * GRAM_STRIDE)
        if x != tile + j * GRAM_STRIDE:
            memcpy(tile + j * GRAM_STRIDE, x, rows * sizeof(double))


cdef class Source:
    """An X as kernels read it: (n, p), less the shift (p,) of its columns, if there is one."""


def source(const real[:, :] X, const double[::1] shift):
    """Its `Source`."""
    cdef Source it = Source()
    it.M, it.held = as_matrix(X, shift), (X, shift)
    return it


cdef class Correlate(Part):
    """out = X'R for the columns of one block.

    Lanes stay together, out (panels, p, lanes), or each goes to a row of its own, out (panels * lanes, p, 1).
    """
    cdef Source source
    cdef Py_ssize_t first, stop
    cdef const double[:, :, ::1] R
    cdef double[:, :, ::1] out

    def __init__(
        self,
        Source source,
        Py_ssize_t first,               # in   columns first..stop-1 of X
        Py_ssize_t stop,
        const double[:, :, ::1] R,      # in   (panels, n, lanes)
        double[:, :, ::1] out,          # out  columns first..stop-1
    ):
        self.source, self.first, self.stop, self.R, self.out = source, first, stop, R, out

    cdef int run(self) noexcept nogil:
        cdef Matrix* M = &self.source.M
        cdef Py_ssize_t panels = self.R.shape[0], lanes = self.R.shape[2], k, j = self.first, i, l, count, size = 0
        cdef bint in_place = not by_rows(M) and not M.single and M.shift == NULL and M.row_stride == sizeof(double)
        cdef bint apart = self.out.shape[2] != lanes
        cdef double* room
        cdef double* sums
        cdef double* to
        cdef void* raw
        if panels >= COPY_PANELS and not in_place:
            size = GRAM_STRIDE * (COLUMN_BLOCK + 24)
        raw = reserve(&room, size + (panels * COLUMN_BLOCK * lanes if apart else 0))
        if raw == NULL:
            return -1
        while j < self.stop:
            count = min(<Py_ssize_t>COLUMN_BLOCK, self.stop - j)
            if not apart:
                meet_panels(M, j, count, self.R, &self.out[0, j, 0], M.p * lanes, room if size else NULL)
            else:
                sums = room + size
                meet_panels(M, j, count, self.R, sums, COLUMN_BLOCK * lanes, room if size else NULL)
                for k in range(panels):
                    for l in range(lanes):
                        to = &self.out[k * lanes + l, j, 0]
                        for i in range(count):
                            to[i] = sums[(k * COLUMN_BLOCK + i) * lanes + l]
            j += COLUMN_BLOCK
        free(raw)
        return 0


cdef void meet_panels(const Matrix* M, Py_ssize_t j, Py_ssize_t count, const double[:, :, ::1] R, double* out,
                      Py_ssize_t apart, double* work) noexcept nogil:
    """out[k * apart + i * lanes + l] = sum of X[:, j + i] R[k, :, l] for i < count; `work`: read from copies there."""
    cdef int lanes = <int>R.shape[2]
    cdef Py_ssize_t k, row = 0, rows
    cdef Matrix tile
    cdef bint rowwise = by_rows(M)
    for k in range(R.shape[0]):
        memset(out + k * apart, 0, count * lanes * sizeof(double))
    while row < M.n and work != NULL:
        rows = min(<Py_ssize_t>GRAM_ROWS, M.n - row)
        if rowwise:
            pack(M, row, rows, NULL, j, count, work)
        else:
            copy_columns(M, row, rows, NULL, j, count, work)
            tile = Matrix(<const char*>work, rows, count, sizeof(double), GRAM_STRIDE * sizeof(double), 0, NULL)
        for k in range(R.shape[0]):
            if rowwise:
                meet_packed(work, rows, count, &R[k, row, 0], lanes, out + k * apart)
            else:
                simd.xt_tile(&tile, 0, rows, NULL, 0, count, &R[k, row, 0], lanes, out + k * apart)
        row += GRAM_ROWS
    while row < M.n:
        rows = min(<Py_ssize_t>FR_TILE, M.n - row)
        for k in range(R.shape[0]):
            simd.xt_tile(M, row, rows, NULL, j, count, &R[k, row, 0], lanes, out + k * apart)
        row += FR_TILE


cdef class CorrelateSome(Part):
    """As `Correlate`, for some columns and one panel."""
    cdef Source source
    cdef const Py_ssize_t[::1] columns
    cdef const double[:, ::1] R
    cdef double[:, ::1] out

    def __init__(
        self,
        Source source,
        const Py_ssize_t[::1] columns,  # in   (k,)  columns of X
        const double[:, ::1] R,         # in   (n, lanes)
        double[:, ::1] out,             # out  (k, lanes)  X[:, columns]'R
    ):
        self.source, self.columns, self.R, self.out = source, columns, R, out

    cdef int run(self) noexcept nogil:
        cdef Matrix* M = &self.source.M
        cdef Py_ssize_t row = 0, count = self.columns.shape[0]
        if count:
            memset(&self.out[0, 0], 0, count * self.out.shape[1] * sizeof(double))
        while row < M.n and count:
            simd.xt_tile(
                M, row, min(<Py_ssize_t>FR_TILE, M.n - row), &self.columns[0], 0, count, &self.R[row, 0],
                <int>self.R.shape[1], &self.out[0, 0]
            )
            row += FR_TILE
        return 0


cdef class Spread(Part):
    """The coefficients of one panel's solutions as a matrix; `count` features are in use."""
    cdef const Py_ssize_t[::1] feature, stops, lane
    cdef const double[::1] value
    cdef Py_ssize_t p
    cdef Py_ssize_t[::1] columns
    cdef double[:, ::1] W
    cdef readonly Py_ssize_t count

    def __init__(
        self,
        const Py_ssize_t[::1] feature,  # in   (a,)  nonzero features of the solutions, one after the other,
        const double[::1] value,        # in   (a,)  their coefficients,
        const Py_ssize_t[::1] stops,    # in   (k,)  where each ends,
        const Py_ssize_t[::1] lane,     # in   (k,)  and the lane that it belongs to
        Py_ssize_t p,                   # in   features in all
        Py_ssize_t[::1] columns,        # out  (a,)  features in use, in order, as many as there are
        double[:, ::1] W,               # out  (a, lanes)  their coefficients
    ):
        self.feature, self.value, self.stops, self.lane, self.p = feature, value, stops, lane, p
        self.columns, self.W, self.count = columns, W, 0

    cdef int run(self) noexcept nogil:
        cdef Py_ssize_t i, j, k, start = 0
        cdef int* place = <int*>calloc(self.p, sizeof(int))
        if place == NULL:
            return -1
        for i in range(self.feature.shape[0]):
            place[self.feature[i]] = 1
        for j in range(self.p):
            if place[j]:
                place[j] = <int>self.count
                self.columns[self.count] = j
                self.count += 1
        if self.count:
            memset(&self.W[0, 0], 0, self.count * self.W.shape[1] * sizeof(double))
        for k in range(self.stops.shape[0]):
            for i in range(start, self.stops[k]):
                self.W[place[self.feature[i]], self.lane[k]] = self.value[i]
            start = self.stops[k]
        free(place)
        return 0


cdef class Residuals(Part):
    """Residuals Y - X W of a batch of coefficient vectors on one block of rows."""
    cdef Source source
    cdef Py_ssize_t first, stop
    cdef const double[:, ::1] Y
    cdef const Py_ssize_t[:, ::1] target
    cdef const Py_ssize_t[::1] columns
    cdef const double[:, :, ::1] W
    cdef const double[::1] weights
    cdef double[:, :, ::1] R
    cdef double[:, ::1] sums

    def __init__(
        self,
        Source source,
        Py_ssize_t first,               # in   rows first..stop-1 of X
        Py_ssize_t stop,
        const double[:, ::1] Y,         # in   (targets, n)
        const Py_ssize_t[:, ::1] target,  # in (panels, lanes)  row of Y that a lane starts from; -1: zeros
        const Py_ssize_t[::1] columns,  # in   (a,)  columns of X in use
        const double[:, :, ::1] W,      # in   (panels, a, lanes)  their coefficients
        const double[::1] weights,      # in   (n,) or None: ones
        double[:, :, ::1] R,            # out  (panels, n, lanes), rows first..stop-1
        double[:, ::1] sums,            # out  (panels, lanes)  weighted column sums of R over the block, or None
    ):
        self.source, self.first, self.stop, self.Y, self.target = source, first, stop, Y, target
        self.columns, self.W, self.weights, self.R, self.sums = columns, W, weights, R, sums

    cdef int run(self) noexcept nogil:
        cdef Py_ssize_t k
        for k in range(self.R.shape[0]):
            self.fill(k)
            if self.sums is not None:
                self.sum_up(k)
        return 0

    cdef void fill(self, Py_ssize_t k) noexcept nogil:
        cdef Py_ssize_t lanes = self.R.shape[2], row = self.first, rows, i, l
        cdef double* to
        cdef const double* y
        while row < self.stop:
            rows = min(<Py_ssize_t>FR_TILE, self.stop - row)
            to = &self.R[k, row, 0]
            for l in range(lanes):
                if self.target[k, l] < 0:
                    for i in range(rows):
                        to[i * lanes + l] = 0.0
                else:
                    y = &self.Y[self.target[k, l], row]
                    for i in range(rows):
                        to[i * lanes + l] = y[i]
            if self.columns.shape[0] > 0:
                simd.xw_tile(
                    &self.source.M, row, rows, &self.columns[0], self.columns.shape[0], &self.W[k, 0, 0], <int>lanes, to
                )
            row += FR_TILE

    cdef void sum_up(self, Py_ssize_t k) noexcept nogil:
        cdef Py_ssize_t i, l
        cdef double s = 1.0
        for l in range(self.R.shape[2]):
            self.sums[k, l] = 0.0
        for i in range(self.first, self.stop):
            if self.weights is not None:
                s = self.weights[i]
            for l in range(self.R.shape[2]):
                self.sums[k, l] += s * self.R[k, i, l]


def gradients(
    const real[:, :] X,             # in   (n, p)
    Py_ssize_t first,               # in   rows first..stop-1 of X
    Py_ssize_t stop,
    const double[:, ::1] W,         # in   (p, 8)
    const double[:, :] Y,           # in   (n, k), k <= 8
    const double[::1] level,        # in   (k,)
    const double[::1] weights,      # in   (n,) or None: ones
    double[:, ::1] R,               # work (tile, 8): so many rows are read from memory once
    double[:, ::1] out,             # out  (p, 8)
    double[::1] sums,               # out  (8,)  sums of the rows of R
):
    """out = X'R with R = weights (Y - level - X W) on one block of rows, for lanes k; the others are zero."""
    cdef const double[::1] nothing = None
    cdef Matrix M = as_matrix(X, nothing), across
    cdef Py_ssize_t p = X.shape[1], row = first, rows, i, j
    cdef int l
    cdef double s = 1.0
    cdef bint weighted = weights is not None
    with nogil:
        memset(&out[0, 0], 0, p * 8 * sizeof(double))
        memset(&sums[0], 0, 8 * sizeof(double))
        while row < stop:
            rows = min(R.shape[0], stop - row)
            memset(&R[0, 0], 0, rows * 8 * sizeof(double))
            across = Matrix(M.data + row * M.row_stride, p, rows, M.col_stride, M.row_stride, M.single, NULL)
            j = 0
            while j < p:
                simd.xt_tile(&across, j, min(<Py_ssize_t>FR_TILE, p - j), NULL, 0, rows, &W[j, 0], 8, &R[0, 0])
                j += FR_TILE
            for i in range(rows):
                if weighted:
                    s = weights[row + i]
                for l in range(<int>Y.shape[1]):
                    R[i, l] = s * (Y[row + i, l] - level[l] - R[i, l])
                    sums[l] += R[i, l]
            i = 0
            while i < rows:
                simd.xt_tile(&M, row + i, min(<Py_ssize_t>FR_TILE, rows - i), NULL, 0, p, &R[i, 0], 8, &out[0, 0])
                i += FR_TILE
            row += rows


def gradient(
    const real[:, :] X,             # in   (n, p)
    Py_ssize_t first,               # in   rows first..stop-1 of X
    Py_ssize_t stop,
    const double[::1] w,            # in   (p,)
    const double[::1] y,            # in   (n,)
    const double[::1] weights,      # in   (n,) or None: ones
    Py_ssize_t tile,                # in   so many rows are read from memory once
    double[::1] r,                  # out  (n,), rows first..stop-1: weights (y - X w)
    double[::1] out,                # out  (p,)  X'r on these rows
):
    """As `gradients`, for one response: columns, or rows, meet four at a time with one vector."""
    cdef const double[::1] nothing = None
    cdef Matrix M = as_matrix(X, nothing), across
    cdef Py_ssize_t p = X.shape[1], row, rows, i
    with nogil:
        memcpy(&r[first], &y[first], (stop - first) * sizeof(double))
        memset(&out[0], 0, p * sizeof(double))
        if by_rows(&M):
            across = Matrix(M.data, M.p, M.n, M.col_stride, M.row_stride, M.single, NULL)
            tile = 4
        row = first
        while row < stop:
            rows = min(tile, stop - row)
            if by_rows(&M):
                meet(&across, row, rows, 0, p, &w[0], -1.0, False, &r[row])
            else:
                meet(&M, 0, p, row, rows, &w[0], -1.0, True, &r[row])
            if weights is not None:
                for i in range(row, row + rows):
                    r[i] *= weights[i]
            if by_rows(&M):
                meet(&across, row, rows, 0, p, &r[row], 1.0, True, &out[0])
            else:
                meet(&M, 0, p, row, rows, &r[row], 1.0, False, &out[0])
            row += rows


cdef void meet(const Matrix* M, Py_ssize_t first, Py_ssize_t count, Py_ssize_t row, Py_ssize_t rows, const double* v,
               double sign, bint added, double* out) noexcept nogil:
    """Some rows of so many columns from the first, four at a time: out[j] += sign x_j'v, or out += sign sum_j v[j] x_j.

    The latter if they are to be `added`.  v and out start with the first column, or with the first row.
    """
    cdef double buffer[4 * FR_TILE]
    cdef const double* x[4]
    cdef double part[4]
    cdef Py_ssize_t j, i, c, some, few
    for j in range(0, count, 4):
        few, i = min(<Py_ssize_t>4, count - j), 0
        while i < rows:
            some = min(<Py_ssize_t>FR_TILE, rows - i)
            for c in range(4):
                x[c] = column(M, first + j + min(c, few - 1), row + i, some, buffer + c * FR_TILE)
            if added:
                for c in range(4):
                    part[c] = sign * v[j + c] if c < few else 0.0
                simd.axpy4(some, part, x, out + i)
            else:
                simd.dot4(some, x, v + i, part)
                for c in range(few):
                    out[j + c] += sign * part[c]
            i += FR_TILE


def shift_rows(
    double[:, :, ::1] R,            # in/out (panels, n, lanes), rows first..stop-1
    Py_ssize_t first,
    Py_ssize_t stop,
    const double[:, ::1] shift,     # in   (panels, lanes)  taken off every row
    const double[::1] weights,      # in   (n,) or None: ones
    double[:, ::1] sums,            # out  (panels, lanes)  sum of weight * (R - shift) over the block
):
    """R <- R - shift on one block of rows."""
    cdef Py_ssize_t k, i, l
    cdef double s = 1.0
    cdef bint weighted = weights is not None
    with nogil:
        for k in range(R.shape[0]):
            for l in range(R.shape[2]):
                sums[k, l] = 0.0
            for i in range(first, stop):
                if weighted:
                    s = weights[i]
                for l in range(R.shape[2]):
                    R[k, i, l] -= shift[k, l]
                    sums[k, l] += s * R[k, i, l]


cdef class WeightParts(Part):
    """R <- weight * (R - mean), where some lanes have other weights than others."""
    cdef double[:, ::1] R
    cdef const Py_ssize_t[::1] edges
    cdef const double[:, ::1] weights
    cdef const unsigned char[::1] centred
    cdef double[::1] sums, squares

    def __init__(
        self,
        double[:, ::1] R,               # in/out (n, lanes)
        const Py_ssize_t[::1] edges,    # in   (parts + 1,)  lanes edges[a]..edges[a + 1]-1 are part a
        const double[:, ::1] weights,   # in   (parts, n)
        const unsigned char[::1] centred,  # in (parts,)  whether the weighted mean of a lane is taken off first
        double[::1] sums,               # work (lanes,)
        double[::1] squares,            # out  (lanes,)  sum of weight * R^2, means taken off
    ):
        self.R, self.edges, self.weights, self.centred = R, edges, weights, centred
        self.sums, self.squares = sums, squares

    cdef int run(self) noexcept nogil:
        cdef Py_ssize_t a
        for a in range(self.weights.shape[0]):
            self.weigh(&self.weights[a, 0], self.edges[a], self.edges[a + 1], self.centred[a])
        return 0

    cdef void weigh(self, const double* weights, Py_ssize_t first, Py_ssize_t stop, bint centred) noexcept nogil:
        """Lanes first..stop-1."""
        cdef Py_ssize_t i, l, n = self.R.shape[0], lanes = self.R.shape[1]
        cdef double s, r, total = 0.0
        cdef double* R = &self.R[0, 0]
        cdef double* sums = &self.sums[0]
        cdef double* squares = &self.squares[0]
        for l in range(first, stop):
            squares[l] = 0.0
        for i in range(n):
            total += weights[i]
        for _ in range(2 if centred else 0):  # the first mean is off by rounding
            for l in range(first, stop):
                sums[l] = 0.0
            for i in range(n):
                s = weights[i]
                for l in range(first, stop):
                    sums[l] += s * R[i * lanes + l]
            for l in range(first, stop):
                sums[l] /= total
            for i in range(n):
                for l in range(first, stop):
                    R[i * lanes + l] -= sums[l]
        for i in range(n):
            s = weights[i]
            for l in range(first, stop):
                r = R[i * lanes + l]
                squares[l] += s * r * r
                R[i * lanes + l] = s * r


def weight_rows(
    double[:, :, ::1] R,            # in/out (panels, n, lanes), rows first..stop-1
    Py_ssize_t first,
    Py_ssize_t stop,
    const double[:, ::1] shift,     # in   (panels, lanes)  taken off every row
    const double[::1] weights,      # in   (n,) or None: ones
    double[:, ::1] squares,         # out  (panels, lanes)  sum of weight * (R - shift)^2 over the block
):
    """R <- weights * (R - shift) on one block of rows."""
    cdef Py_ssize_t k, i, l
    cdef double s = 1.0, r
    cdef bint weighted = weights is not None
    with nogil:
        for k in range(R.shape[0]):
            for l in range(R.shape[2]):
                squares[k, l] = 0.0
            for i in range(first, stop):
                if weighted:
                    s = weights[i]
                for l in range(R.shape[2]):
                    r = R[k, i, l] - shift[k, l]
                    squares[k, l] += s * r * r
                    R[k, i, l] = s * r


def rotated_sums(
    double[:, :, ::1] Z,            # in   (panels, m, lanes); lost
    const double[:, ::1] centre,    # in   (panels, lanes)  what is taken off each row of Z ...
    const double[::1] root,         # in   (m,) or None: ones; ... and what it is then multiplied with
    const double[:, :, ::1] S,      # in   (sets, panels * lanes, lanes)
    const double[:, :, ::1] Q,      # in   (others, panels * lanes, lanes)
    double[:, :, ::1] linear,       # out  (sets, m, lanes)  Z S
    double[:, :, ::1] square,       # out  (others, m, lanes)  (Z * Z) Q
):
    """Sums over the entries of each row, and over their squares, for a matrix that comes in panels of columns."""
    cdef int lanes = <int>Z.shape[2], l
    cdef Py_ssize_t m = Z.shape[1], i, k, a
    cdef double* at
    cdef Matrix M
    cdef double s = 1.0
    cdef bint weighted = root is not None
    with nogil:
        memset(&linear[0, 0, 0], 0, linear.shape[0] * m * lanes * sizeof(double))
        memset(&square[0, 0, 0], 0, square.shape[0] * m * lanes * sizeof(double))
        for k in range(Z.shape[0]):
            at = &Z[k, 0, 0]
            for i in range(m):
                if weighted:
                    s = root[i]
                for l in range(lanes):
                    at[i * lanes + l] = s * (at[i * lanes + l] - centre[k, l])
            M = Matrix(<const char*>at, lanes, m, sizeof(double), lanes * sizeof(double), 0, NULL)
            for a in range(linear.shape[0]):
                simd.xt_tile(&M, 0, lanes, NULL, 0, m, &S[a, k * lanes, 0], lanes, &linear[a, 0, 0])
            for i in range(m * lanes):
                at[i] *= at[i]
            for a in range(square.shape[0]):
                simd.xt_tile(&M, 0, lanes, NULL, 0, m, &Q[a, k * lanes, 0], lanes, &square[a, 0, 0])
