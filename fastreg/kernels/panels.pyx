"""Products of a dense X with panels of residuals, Gram columns and column moments; X is read where it lies.

A panel is a C-ordered array (n, lanes) with lanes = 8 or 24: one row of X meets one short row of the panel.  Every
function works on one block of rows or columns, so that threads can share the blocks out; within a block the sums run
over row tiles in a fixed order.  Nothing here allocates, raises or warns.
"""
from libc.string cimport memcpy, memset

from ._simd cimport FR_TILE, Matrix, column, real, simd, simd_init

if simd_init() != 0:
    raise ImportError("FASTREG_SIMD must be baseline, avx2 or avx512, and this machine must have it")

simd_level = simd.name.decode()

cdef enum:
    COLUMN_BLOCK = 480     # columns whose sums stay in L2 while all row tiles pass
    GRAM_ROWS = 128        # rows of a tile for Gram columns: so many that it stays in L2 for all panels
    GRAM_STRIDE = 136      # between its columns where they are copied; a power of two would strain the cache
    MOMENT_GROUP = 8       # neighbouring columns that share a row's cache line

cdef double SHARE = 0.01   # of what is taken off a sum of squares: if less than that is left, its digits are gone


cdef Matrix as_matrix(const real[:, :] X, const double[::1] shift) noexcept nogil:
    cdef Matrix M
    M.shift = NULL if shift is None else <double*>&shift[0]
    M.n, M.p = X.shape[0], X.shape[1]
    M.data = <const char*>&X[0, 0]
    M.row_stride, M.col_stride = X.strides[0], X.strides[1]
    M.single = real is float
    return M


def correlate(
    const real[:, :] X,             # in   (n, p)
    const double[::1] shift,        # in   (p,) taken off its columns, or None
    Py_ssize_t first,               # in   columns first..stop-1 of X
    Py_ssize_t stop,
    const double[:, :, ::1] R,      # in   (panels, n, lanes)
    double[:, :, ::1] out,          # out  (panels, p, lanes), rows first..stop-1: X' R
):
    """out[k, j, :] = sum_i X[i, j] R[k, i, :] for the columns of one block."""
    cdef Matrix M = as_matrix(X, shift)
    cdef int lanes = <int>R.shape[2]
    cdef Py_ssize_t k, j, row, rows, count
    with nogil:
        j = first
        while j < stop:
            count = min(<Py_ssize_t>COLUMN_BLOCK, stop - j)
            for k in range(R.shape[0]):
                memset(&out[k, j, 0], 0, count * lanes * sizeof(double))
            row = 0
            while row < M.n:
                rows = min(<Py_ssize_t>FR_TILE, M.n - row)
                for k in range(R.shape[0]):
                    simd.xt_tile(&M, row, rows, NULL, j, count, &R[k, row, 0], lanes, &out[k, j, 0])
                row += FR_TILE
            j += COLUMN_BLOCK


def residuals(
    const real[:, :] X,             # in   (n, p)
    const double[::1] shift,        # in   (p,) taken off its columns, or None
    Py_ssize_t first,               # in   rows first..stop-1 of X
    Py_ssize_t stop,
    const double[:, ::1] Y,         # in   (targets, n)
    const Py_ssize_t[:, ::1] target,  # in (panels, lanes)  row of Y that a lane starts from; -1: zeros
    const Py_ssize_t[::1] columns,  # in   (a,)  columns of X in use
    const double[:, :, ::1] W,      # in   (panels, a, lanes)  their coefficients
    const double[::1] weights,      # in   (n,) or None: ones
    double[:, :, ::1] R,            # out  (panels, n, lanes), rows first..stop-1: Y - X W
    double[:, ::1] sums,            # out  (panels, lanes)  weighted column sums of R over the block
):
    """Residuals of a batch of coefficient vectors on one block of rows."""
    cdef Matrix M = as_matrix(X, shift)
    cdef int lanes = <int>R.shape[2]
    cdef Py_ssize_t k, i, l, row, rows
    cdef double s = 1.0
    cdef bint weighted = weights is not None
    with nogil:
        for k in range(R.shape[0]):
            row = first
            while row < stop:
                rows = min(<Py_ssize_t>FR_TILE, stop - row)
                for l in range(lanes):
                    if target[k, l] < 0:
                        for i in range(row, row + rows):
                            R[k, i, l] = 0.0
                    else:
                        for i in range(row, row + rows):
                            R[k, i, l] = Y[target[k, l], i]
                if columns.shape[0] > 0:
                    simd.xw_tile(&M, row, rows, &columns[0], columns.shape[0], &W[k, 0, 0], lanes, &R[k, row, 0])
                row += FR_TILE
            for l in range(lanes):
                sums[k, l] = 0.0
            for i in range(first, stop):
                if weighted:
                    s = weights[i]
                for l in range(lanes):
                    sums[k, l] += s * R[k, i, l]


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


def weight_parts(
    double[:, ::1] R,               # in/out (n, lanes)
    const Py_ssize_t[::1] edges,    # in   (parts + 1,)  lanes edges[a]..edges[a + 1]-1 are part a
    const double[:, ::1] weights,   # in   (parts, n)
    const unsigned char[::1] centred,  # in (parts,)  whether the weighted mean of a lane is taken off first
    double[::1] sums,               # work (lanes,)
    double[::1] squares,            # out  (lanes,)  sum of weight * R^2, means taken off
):
    """R <- weight * (R - mean), where some lanes have other weights than others."""
    cdef Py_ssize_t a, i, l, n = R.shape[0]
    cdef double s, r, total
    cdef int turn
    with nogil:
        for a in range(weights.shape[0]):
            for l in range(edges[a], edges[a + 1]):
                squares[l] = 0.0
            total = 0.0
            for i in range(n):
                total += weights[a, i]
            for turn in range(2 if centred[a] else 0):  # the first mean is off by rounding
                for l in range(edges[a], edges[a + 1]):
                    sums[l] = 0.0
                for i in range(n):
                    s = weights[a, i]
                    for l in range(edges[a], edges[a + 1]):
                        sums[l] += s * R[i, l]
                for l in range(edges[a], edges[a + 1]):
                    sums[l] /= total
                for i in range(n):
                    for l in range(edges[a], edges[a + 1]):
                        R[i, l] -= sums[l]
            for i in range(n):
                s = weights[a, i]
                for l in range(edges[a], edges[a + 1]):
                    r = R[i, l]
                    squares[l] += s * r * r
                    R[i, l] = s * r


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


def gram_columns(
    const real[:, :] X,             # in   (n, p)
    const double[::1] shift,        # in   (p,) taken off its columns, or None
    const double[::1] weights,      # in   (n,) or None: ones
    const Py_ssize_t[::1] rows_of,  # in   (m,)  columns of X: the rows of the result
    const Py_ssize_t[::1] new,      # in   (k,)  columns of X, k <= panels * lanes
    const double[::1] means,        # in   (k,)  what is taken off the new columns ...
    const double[::1] row_means,    # in   (m,)  ... and off the others
    const Py_ssize_t[::1] wanted,   # in   (panels,)  how many rows of the result each panel needs
    double[::1] work,               # work (gram_work(panels * lanes, m),)
    double[:, :, ::1] out,          # out  (panels, m, lanes)
):
    """out[k, i, l] = sum_r weights[r] (X[r, rows_of[i]] - row_means[i]) (X[r, new[j]] - means[j]), j = k * lanes + l.

    Lanes beyond the new columns are zero, and so are rows that are not wanted.
    """
    cdef Matrix M = as_matrix(X, shift), tile
    cdef Matrix* source = &M
    cdef int lanes = <int>out.shape[2], panels = <int>out.shape[0]
    cdef Py_ssize_t m = rows_of.shape[0], row = 0, rows, i, j, k, l, start = 0
    cdef double buffer[FR_TILE]
    cdef double* panel = &work[0]
    cdef double* sums = panel + GRAM_ROWS * panels * lanes
    cdef double* copy = sums + panels * lanes
    cdef const double* x
    cdef const Py_ssize_t* idx = &rows_of[0]
    cdef bint weighted = weights is not None
    with nogil:
        memset(panel, 0, (GRAM_ROWS + 1) * panels * lanes * sizeof(double))
        memset(&out[0, 0, 0], 0, panels * m * lanes * sizeof(double))
        if M.single or M.shift != NULL or M.row_stride != sizeof(double):   # every panel would widen or gather it anew
            tile = Matrix(<const char*>copy, GRAM_ROWS, m, sizeof(double), GRAM_STRIDE * sizeof(double), 0, NULL)
            source, idx = &tile, NULL
        while row < M.n:
            rows = min(<Py_ssize_t>GRAM_ROWS, M.n - row)
            for j in range(new.shape[0]):
                k, l = j // lanes, j % lanes
                x = column(&M, new[j], row, rows, buffer)
                for i in range(rows):
                    panel[(k * GRAM_ROWS + i) * lanes + l] = x[i] - means[j]
                if weighted:
                    for i in range(rows):
                        panel[(k * GRAM_ROWS + i) * lanes + l] *= weights[row + i]
                for i in range(rows):
                    sums[j] += panel[(k * GRAM_ROWS + i) * lanes + l]
            if idx == NULL:
                for j in range(m):
                    x = column(&M, rows_of[j], row, rows, copy + j * GRAM_STRIDE)
                    if x != copy + j * GRAM_STRIDE:
                        memcpy(copy + j * GRAM_STRIDE, x, rows * sizeof(double))
                start = 0
            else:
                start = row
            for k in range(panels):
                simd.xt_tile(source, start, rows, idx, 0, wanted[k], panel + k * GRAM_ROWS * lanes, lanes, &out[k, 0, 0])
            row += GRAM_ROWS
        for k in range(panels):                 # the sums are zero but for rounding, which a large mean would magnify
            for i in range(wanted[k]):
                for l in range(lanes):
                    out[k, i, l] -= row_means[i] * sums[k * lanes + l]


def gram_work(Py_ssize_t lanes, Py_ssize_t m):
    """Doubles that `gram_columns` needs as work space for so many lanes and rows of the result."""
    return (GRAM_ROWS + 1) * lanes + GRAM_STRIDE * m


def mirror(double[:, ::1] gram, Py_ssize_t first, Py_ssize_t stop):
    """Copy the lower half of gram[first:stop, first:stop] to the upper, so that it is symmetric to the bit."""
    cdef Py_ssize_t i, j
    for i in range(first, stop):
        for j in range(first, i):
            gram[j, i] = gram[i, j]


def moments(
    const real[:, :] X,             # in   (n, p)
    const double[::1] shift,        # in   (p,) taken off its columns, or None
    const double[::1] weights,      # in   (n,) or None: ones
    double total,                   # in   sum of the weights
    const Py_ssize_t[::1] columns,  # in   (k,)  columns of X
    bint centred,                   # in   False: means are taken as zero
    double[::1] mean,               # out  (k,)
    double[::1] square,             # out  (k,)  sum of weights * (x - mean)^2
    double[::1] raw,                # out  (k,)  sum of weights * x^2, before anything is taken off
):
    """Weighted mean and sums of squares of some columns.

    They are taken about the first entry, so that a constant column has a square of exactly zero; about the mean in a
    second turn where that loses digits.
    """
    cdef Matrix M = as_matrix(X, shift)
    cdef double buffer[FR_TILE]
    cdef double origin[MOMENT_GROUP]
    cdef double off[MOMENT_GROUP]
    cdef double part[3]
    cdef const double* x
    cdef const double* s = NULL
    cdef double lift
    cdef Py_ssize_t j = 0, c, count, row, rows
    cdef bint again
    with nogil:
        while j < columns.shape[0]:
            count = min(<Py_ssize_t>MOMENT_GROUP, columns.shape[0] - j)
            for c in range(count):
                origin[c] = column(&M, columns[j + c], 0, 1, buffer)[0] if centred else 0.0
            for turn in range(2):
                for c in range(count):
                    off[c] = square[j + c] = raw[j + c] = 0.0
                row = 0
                while row < M.n:
                    rows = min(<Py_ssize_t>FR_TILE, M.n - row)
                    if weights is not None:
                        s = &weights[row]
                    for c in range(count):
                        x = column(&M, columns[j + c], row, rows, buffer)
                        lift = origin[c] if M.shift == NULL else origin[c] + M.shift[columns[j + c]]
                        simd.moments(rows, x, s, origin[c], lift, part)
                        off[c] += part[0]
                        square[j + c] += part[1]
                        raw[j + c] += part[2]
                    row += FR_TILE
                again = False
                for c in range(count):
                    mean[j + c] = origin[c] + off[c] / total if centred else 0.0
                    if centred:
                        square[j + c] -= off[c] * (off[c] / total)
                        again |= square[j + c] < SHARE * off[c] * (off[c] / total)
                        origin[c] = mean[j + c]
                if not again:
                    break
            j += MOMENT_GROUP
