"""Products of a sparse X with panels of residuals, Gram columns and column moments; X is read where it lies.

A sparse matrix is a list of lines (columns of CSC, rows of CSR), each a run start..stop-1 of entries (index, value), in
any order, duplicates adding up.  Panels are C-ordered arrays (n, 8).  Nothing here allocates, raises or warns.
"""
from libc.stdint cimport int64_t
from libc.string cimport memset

from ._simd cimport Entries, integer, real, simd


cdef Entries as_entries(const integer[::1] index, const real[::1] value) noexcept nogil:
    cdef Entries X
    X.index = <const void*>(&index[0] if index.shape[0] else NULL)
    X.value = <const void*>(&value[0] if value.shape[0] else NULL)
    X.wide, X.single = integer is int64_t, real is float
    return X


def correlate_columns(
    const integer[:] starts,        # in   (p,)  entries of column j: starts[j]..stops[j]-1
    const integer[:] stops,
    const integer[::1] index,       # in   (nnz,)  their rows
    const real[::1] value,          # in   (nnz,)
    Py_ssize_t first,               # in   columns first..stop-1
    Py_ssize_t stop,
    const double[:, :, ::1] R,      # in   (panels, n, 8)
    double[:, :, ::1] out,          # out  (panels, p, 8), rows first..stop-1: X' R
):
    """out[k, j, :] = sum_i X[i, j] R[k, i, :] for a block of columns."""
    cdef Entries X = as_entries(index, value)
    cdef Py_ssize_t j, k
    with nogil:
        for k in range(R.shape[0]):
            memset(&out[k, first, 0], 0, (stop - first) * 8 * sizeof(double))
            for j in range(first, stop):
                simd.gather8(&X, starts[j], stops[j], &R[k, 0, 0], &out[k, j, 0])


def correlate_rows(
    const integer[::1] indptr,      # in   (n + 1,)
    const integer[::1] index,       # in   (nnz,)  columns
    const real[::1] value,          # in   (nnz,)
    const double[:, ::1] R,         # in   (n, 8)
    double[:, ::1] out,             # out  (p, 8)
):
    """out[j, :] = sum_i X[i, j] R[i, :] for all columns of a matrix of rows."""
    cdef Entries X = as_entries(index, value)
    cdef Py_ssize_t i
    with nogil:
        memset(&out[0, 0], 0, out.shape[0] * 8 * sizeof(double))
        for i in range(R.shape[0]):
            simd.scatter8(&X, indptr[i], indptr[i + 1], &R[i, 0], &out[0, 0])


def residuals(
    const integer[:] starts,        # in   (p,)  entries of column j: starts[j]..stops[j]-1
    const integer[:] stops,
    const integer[::1] index,       # in   (nnz,)
    const real[::1] value,          # in   (nnz,)
    const double[:, ::1] Y,         # in   (targets, n)
    const Py_ssize_t[::1] target,   # in   (8,)  row of Y that a lane starts from; -1: zeros
    const Py_ssize_t[::1] columns,  # in   (a,)  columns of X in use
    double[:, ::1] W,               # in   (a, 8)  their coefficients; their signs are turned
    const double[::1] weights,      # in   (n,) or None: ones
    double[:, ::1] R,               # out  (n, 8)  Y - X W
    double[::1] sums,               # out  (8,)  weighted column sums of R
):
    """Residuals of eight coefficient vectors."""
    cdef Entries X = as_entries(index, value)
    cdef Py_ssize_t i, l, c, j
    cdef double s = 1.0
    cdef bint weighted = weights is not None
    with nogil:
        for l in range(8):
            sums[l] = 0.0
            if target[l] < 0:
                for i in range(R.shape[0]):
                    R[i, l] = 0.0
            else:
                for i in range(R.shape[0]):
                    R[i, l] = Y[target[l], i]
        for c in range(columns.shape[0]):
            j = columns[c]
            for l in range(8):
                W[c, l] = -W[c, l]
            simd.scatter8(&X, starts[j], stops[j], &W[c, 0], &R[0, 0])
        for i in range(R.shape[0]):
            if weighted:
                s = weights[i]
            for l in range(8):
                sums[l] += s * R[i, l]


def gram_columns(
    const integer[:] starts,        # in   (p,)  entries of column j: starts[j]..stops[j]-1
    const integer[:] stops,
    const integer[::1] index,       # in   (nnz,)
    const real[::1] value,          # in   (nnz,)
    const double[::1] weights,      # in   (n,) or None: ones
    double total,                   # in   sum of the weights
    const Py_ssize_t[::1] rows_of,  # in   (m,)  columns of X: the rows of the result
    const Py_ssize_t[::1] new,      # in   (k,)  columns of X, k <= 8
    const double[::1] means,        # in   (k,)  what is taken off the new columns ...
    const double[::1] row_means,    # in   (m,)  ... and off the others
    bint dense,                     # in   take the means off before the products, not after: for nearly full columns
    double[:, ::1] panel,           # in/out (n, 8)  zeros
    double[:, ::1] out,             # out  (m, 8)
):
    """out[i, l] = sum_r weights[r] (X[r, rows_of[i]] - row_means[i]) (X[r, new[l]] - means[l]); others: 0."""
    cdef Entries X = as_entries(index, value)
    cdef Py_ssize_t i, j, k, l, n = panel.shape[0]
    cdef double sums[8]
    cdef bint weighted = weights is not None
    with nogil:
        memset(sums, 0, sizeof(sums))
        memset(&out[0, 0], 0, out.shape[0] * 8 * sizeof(double))
        for l in range(new.shape[0]):
            j = new[l]
            if dense:
                for i in range(n):
                    panel[i, l] = -means[l]
            for k in range(starts[j], stops[j]):
                i = index[k]
                panel[i, l] += value[k] * (weights[i] if weighted and not dense else 1.0)
            sums[l] = 0.0 if dense else total * means[l]
            if dense:
                for i in range(n):
                    if weighted:
                        panel[i, l] *= weights[i]
                    sums[l] += panel[i, l]
        for i in range(rows_of.shape[0]):
            j = rows_of[i]
            simd.gather8(&X, starts[j], stops[j], &panel[0, 0], &out[i, 0])
            for l in range(new.shape[0]):
                out[i, l] -= row_means[i] * sums[l]
        if dense:
            memset(&panel[0, 0], 0, n * 8 * sizeof(double))
        else:
            for l in range(new.shape[0]):
                j = new[l]
                for k in range(starts[j], stops[j]):
                    panel[index[k], l] = 0.0


def count(
    const integer[:] starts,        # in   (p,)  entries of column j: starts[j]..stops[j]-1
    const integer[:] stops,
    const integer[::1] index,       # in   (nnz,)
    const Py_ssize_t[::1] columns,  # in   (m,)  columns of X
    Py_ssize_t[::1] counts,         # in/out (n,)
):
    """Add up how many entries the given columns have in each row."""
    cdef Py_ssize_t c, k
    with nogil:
        for c in range(columns.shape[0]):
            for k in range(starts[columns[c]], stops[columns[c]]):
                counts[index[k]] += 1


def transpose(
    const integer[:] starts,        # in   (p,)  entries of column j: starts[j]..stops[j]-1
    const integer[:] stops,
    const integer[::1] index,       # in   (nnz,)
    const real[::1] value,          # in   (nnz,)
    const Py_ssize_t[::1] columns,  # in   (m,)  columns of X
    Py_ssize_t[::1] ends,           # out  (n,)  where a row of the result ends; it begins where the last one ended
    int[::1] places,                # out  the entries by rows: their places in `columns`, ascending
    double[::1] values,             # out
):
    """The given columns of X, row by row."""
    cdef Py_ssize_t c, j, k, i, some, held = 0
    ends[:] = 0
    count(starts, stops, index, columns, ends)
    with nogil:
        for i in range(ends.shape[0]):
            some = ends[i]
            ends[i] = held
            held += some
        for c in range(columns.shape[0]):
            j = columns[c]
            for k in range(starts[j], stops[j]):
                i = index[k]
                places[ends[i]] = <int>c
                values[ends[i]] = value[k]
                ends[i] += 1


def gram_lines(
    const integer[:] starts,        # in   (p,)  entries of column j: starts[j]..stops[j]-1
    const integer[:] stops,
    const integer[::1] index,       # in   (nnz,)
    const real[::1] value,          # in   (nnz,)
    const double[::1] weights,      # in   (n,) or None: ones
    double total,                   # in   sum of the weights
    const Py_ssize_t[::1] ends,     # in   (n,)  the columns that are the rows of the result, as `transpose` gives them
    const int[::1] places,          # in
    const double[::1] values,       # in
    const Py_ssize_t[::1] new,      # in   (k,)  columns of X
    const double[::1] means,        # in   (k,)  what is taken off the new columns ...
    const double[::1] row_means,    # in   (m,)  ... and off the others
    double[:, ::1] out,             # out  (k, m)
):
    """As `gram_columns`, for columns of few entries: out[l] is a sum of rows of X, one for each entry of new[l]."""
    cdef Py_ssize_t l, i, k, j, q
    cdef double a
    cdef bint weighted = weights is not None
    with nogil:
        for l in range(new.shape[0]):
            for i in range(out.shape[1]):
                out[l, i] = -total * means[l] * row_means[i]
            j = new[l]
            for k in range(starts[j], stops[j]):
                i = index[k]
                a = value[k] * (weights[i] if weighted else 1.0)
                for q in range(ends[i - 1] if i > 0 else 0, ends[i]):
                    out[l, places[q]] += a * values[q]


cdef inline void gather(
    Py_ssize_t start, Py_ssize_t stop, const integer[::1] index, const real[::1] value, double[::1] column
) noexcept nogil:
    cdef Py_ssize_t k
    for k in range(start, stop):
        column[index[k]] += value[k]


def moments(
    const integer[:] starts,        # in   (p,)  entries of column j: starts[j]..stops[j]-1
    const integer[:] stops,
    const integer[::1] index,       # in   (nnz,)
    const real[::1] value,          # in   (nnz,)
    const double[::1] weights,      # in   (n,) or None: ones
    double total,                   # in   sum of the weights
    const Py_ssize_t[::1] columns,  # in   (k,)  columns of X
    bint centred,                   # in   False: means are taken as zero
    double[::1] column,             # in/out (n,)  zeros
    double[::1] mean,               # out  (k,)
    double[::1] square,             # out  (k,)  sum of weights * (x - mean)^2
    double[::1] raw,                # out  (k,)  sum of weights * x^2
):
    """Weighted mean and sums of squares of some columns.

    Where rows do not ascend, entries are summed into `column` first, where duplicates meet.  Means are taken about the
    first entry that counts, so that a column that is constant where there are weights has a square of (nearly) zero.
    """
    cdef Py_ssize_t c, j, k, i
    cdef double s = 1.0, d, x, origin, held, first, second
    cdef bint weighted = weights is not None, plain
    with nogil:
        for c in range(columns.shape[0]):
            j = columns[c]
            plain = True
            for k in range(starts[j] + 1, stops[j]):
                plain &= index[k] > index[k - 1]
            if not plain:
                gather(starts[j], stops[j], index, value, column)
            origin = held = first = second = 0.0
            for k in range(starts[j], stops[j]):
                if not weighted or weights[index[k]] > 0.0:
                    origin = value[k] if plain else column[index[k]]
                    break
            for k in range(starts[j], stops[j]):
                i = index[k]
                x = value[k] if plain else column[i]
                if x == 0.0:                        # an explicit zero, or a duplicate that has been counted
                    continue
                if not plain:
                    column[i] = 0.0
                if weighted:
                    s = weights[i]
                held += s
                second += s * x * x
                first += s * (x - origin)
            mean[c], square[c], raw[c] = 0.0, second, second
            if not centred:
                continue
            if held >= total * (1.0 - 1e-12):       # but for rounding, all of it
                held = total
            mean[c] = (first + held * origin) / total
            if not plain:
                gather(starts[j], stops[j], index, value, column)
            second = 0.0
            for k in range(starts[j], stops[j]):
                i = index[k]
                d = value[k] if plain else column[i]
                if d == 0.0:
                    continue
                if not plain:
                    column[i] = 0.0
                if weighted:
                    s = weights[i]
                d -= mean[c]
                second += s * d * d
            square[c] = second + (total - held) * mean[c] * mean[c]


def pack_columns(
    const integer[::1] indptr,      # in   (n + 1,)
    const integer[::1] index,       # in   (nnz,)  columns
    const real[::1] value,          # in   (nnz,)
    const unsigned char[::1] wanted,  # in (p,)  1: to be packed
    integer[::1] ends,              # in/out (p,)  where the next entry of a wanted column goes
    integer[::1] rows,              # out  the packed entries
    real[::1] values,               # out
):
    """Copy the wanted columns out of a matrix of rows."""
    cdef Py_ssize_t i, k, j
    with nogil:
        for i in range(indptr.shape[0] - 1):
            for k in range(indptr[i], indptr[i + 1]):
                j = index[k]
                if wanted[j]:
                    rows[ends[j]] = <integer>i
                    values[ends[j]] = value[k]
                    ends[j] += 1
