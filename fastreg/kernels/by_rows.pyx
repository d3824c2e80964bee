"""Products with some columns of a sparse matrix of rows: all of it is read, and nothing is copied.

Columns are named by F[k]: feature j of a problem is column number[j].  Parts of a product are runs of rows,
cut by the matrix alone, so that the bits do not depend on who helps.
"""
from libc.stdint cimport int32_t, int64_t
from libc.string cimport memset

from ._simd cimport Entries, integer, real, simd
from .by_rows cimport MOST_RUNS, Rows
from .parts cimport TeamState, run_parts

import numpy as np


cdef enum:
    RUN = 15_000            # entries that are worth a part of their own,
    ACROSS = 8              # at least so many for each column, whose sum it has to itself


cdef class RowSet:
    """A matrix of rows, and room for products with its columns, of one thread at a time."""

    def __init__(self, indptr, index, value, Py_ssize_t p):
        """Entries (index, value) of row i: indptr[i]..indptr[i + 1] - 1, arrays of a CSR matrix; p columns."""
        cdef Py_ssize_t n = len(indptr) - 1, entries = indptr[n], k
        cdef int runs = <int>max(1, min(MOST_RUNS, entries // max(RUN, ACROSS * p)))
        edges = np.searchsorted(indptr, np.linspace(0, entries, runs + 1))
        pairs, fill = np.zeros((runs, 2 * p)), np.full(p, -1, np.int32)
        self.x.X.wide, self.x.X.single = index.dtype == np.int64, value.dtype == np.float32
        # addresses, not memoryviews: one kernel for each pair of types would be a quarter of a megabyte
        self.x.X.index, self.x.X.value = <const void*>address(index), <const void*>address(value)
        self.x.ends, self.x.n, self.x.p, self.x.runs = <const void*>address(indptr), n, p, runs
        for k in range(runs + 1):
            self.x.edges[k] = edges[k]
        self.x.edges[0], self.x.edges[runs] = 0, n
        self.x.pairs, self.x.fill = <double*>address(pairs), <int*>address(fill)
        self.held = {"X": (indptr, index, value), "pairs": pairs, "fill": fill}

    def residuals(
        self,
        Y,                              # in   (targets, n)
        target,                         # in   (8,)  row of Y that a lane starts from; -1: zeros
        place,                          # in   (p,)  int32, row of W that belongs to a column, or -1
        W,                              # in   (a, 8)
        weights,                        # in   (n,) or None: ones
        places,                         # out  int32, room for the entries of the longest row
        values,                         # out
        R,                              # out  (n, 8)  Y - X W
        sums,                           # out  (8,)  weighted column sums of R
    ):
        """Residuals of eight coefficient vectors, for any number of threads; reals are in float64, C-ordered."""
        cdef const double* s = NULL
        cdef const double* w = <const double*>address(W)
        cdef const double* y[8]
        cdef const int* row_of = <const int*>address(place)
        cdef double* r = <double*>address(R)
        cdef double* total = <double*>address(sums)
        cdef Entries row
        cdef Py_ssize_t i, at, held
        cdef int l
        cdef double fit[8]
        cdef int* found = <int*>address(places)
        cdef double* kept = <double*>address(values)
        row.index, row.value, row.wide, row.single = <const void*>found, <const void*>kept, False, False
        for l in range(8):
            at = target[l]
            y[l] = NULL
            if at >= 0:
                y[l] = <const double*>address(Y) + at * self.x.n
        if weights is not None:
            s = <const double*>address(weights)
        with nogil:
            memset(total, 0, 8 * sizeof(double))
            for i in range(self.x.n):
                memset(fit, 0, sizeof(fit))
                held = in_use(&self.x, i, row_of, found, kept)
                simd.gather8(&row, 0, held, w, fit)
                for l in range(8):
                    r[8 * i + l] = (0.0 if y[l] == NULL else y[l][i]) - fit[l]
                    total[l] += r[8 * i + l] * (1.0 if s == NULL else s[i])


cdef void* address(array) except? NULL:
    if not array.flags.c_contiguous:
        raise ValueError("an array is not contiguous")
    return <void*><size_t>array.ctypes.data


cdef Py_ssize_t keep(const integer* index, const real* value, Py_ssize_t count, const int* place, int* places,
                     double* values) noexcept nogil:
    cdef Py_ssize_t k, held = 0
    for k in range(count):
        places[held], values[held] = place[index[k]], value[k]
        held += places[held] >= 0
    return held


cdef Py_ssize_t in_use(const Rows* x, Py_ssize_t i, const int* place, int* places, double* values) noexcept nogil:
    """Copy the entries of row i whose columns have a place; returns how many."""
    cdef Py_ssize_t k, count
    if x.X.wide:
        k, count = (<const int64_t*>x.ends)[i], (<const int64_t*>x.ends)[i + 1] - (<const int64_t*>x.ends)[i]
        if x.X.single:
            return keep(<const int64_t*>x.X.index + k, <const float*>x.X.value + k, count, place, places, values)
        return keep(<const int64_t*>x.X.index + k, <const double*>x.X.value + k, count, place, places, values)
    k, count = (<const int32_t*>x.ends)[i], (<const int32_t*>x.ends)[i + 1] - (<const int32_t*>x.ends)[i]
    if x.X.single:
        return keep(<const int32_t*>x.X.index + k, <const float*>x.X.value + k, count, place, places, values)
    return keep(<const int32_t*>x.X.index + k, <const double*>x.X.value + k, count, place, places, values)


ctypedef struct Work:
    const Rows* x
    const int* F
    const double* v
    const double* r
    const double* s
    double* out                     # (n,)
    double level
    int count
    bint sums


cdef void add_up(const Work* work, double* out) noexcept nogil:
    """The sums of all runs."""
    cdef const Rows* x = work.x
    cdef int k, run
    for k in range(work.count):
        out[k] = 0.0
        for run in range(x.runs):
            out[k] += x.pairs[2 * (run * x.p + x.number[work.F[k]]) + 1]


cdef double gather(const integer* index, const real* value, Py_ssize_t count, const double* pairs) noexcept nogil:
    cdef double a = 0.0, b = 0.0
    cdef Py_ssize_t k = 0
    while k + 2 <= count:
        a += value[k] * pairs[2 * <Py_ssize_t>index[k]]
        b += value[k + 1] * pairs[2 * <Py_ssize_t>index[k + 1]]
        k += 2
    if k < count:
        a += value[k] * pairs[2 * <Py_ssize_t>index[k]]
    return a + b


cdef void scatter(const integer* index, const real* value, Py_ssize_t count, double u, double* pairs) noexcept nogil:
    cdef Py_ssize_t k
    for k in range(count):
        pairs[2 * <Py_ssize_t>index[k] + 1] += u * value[k]


cdef void run_of(const Work* work, const integer* ends, const integer* index, const real* value, Py_ssize_t first,
                 Py_ssize_t stop, double* pairs) noexcept nogil:
    """For a run of rows: out = s (X v - level), if v is given, sums of X' out, or X' r."""
    cdef const Rows* x = work.x
    cdef Py_ssize_t i, k
    cdef double u
    memset(pairs, 0, 2 * x.p * sizeof(double))
    if work.v != NULL:
        for k in range(work.count):
            pairs[2 * x.number[work.F[k]]] = work.v[k]
    for i in range(first, stop):
        k = ends[i]
        if work.v == NULL:
            u = work.r[i]
        else:
            u = gather(index + k, value + k, ends[i + 1] - k, pairs) - work.level
            if work.s != NULL:
                u *= work.s[i]
            work.out[i] = u
        if work.sums:
            scatter(index + k, value + k, ends[i + 1] - k, u, pairs)


cdef void run_part(void* context, int part) noexcept nogil:
    cdef Work* work = <Work*>context
    cdef const Rows* x = work.x
    cdef double* pairs = x.pairs + 2 * part * x.p
    cdef Py_ssize_t first = x.edges[part], stop = x.edges[part + 1]
    if x.X.wide and x.X.single:
        run_of(work, <const int64_t*>x.ends, <const int64_t*>x.X.index, <const float*>x.X.value, first, stop, pairs)
    elif x.X.wide:
        run_of(work, <const int64_t*>x.ends, <const int64_t*>x.X.index, <const double*>x.X.value, first, stop, pairs)
    elif x.X.single:
        run_of(work, <const int32_t*>x.ends, <const int32_t*>x.X.index, <const float*>x.X.value, first, stop, pairs)
    else:
        run_of(work, <const int32_t*>x.ends, <const int32_t*>x.X.index, <const double*>x.X.value, first, stop, pairs)


cdef void combine_rows(const Rows* x, const int* F, int count, const double* v, double level, const double* s,
                       double* out, TeamState* team) noexcept nogil:
    """out = s (sum_k v[k] x_F[k] - level); s NULL: ones."""
    cdef Work work
    work.x, work.F, work.count, work.v, work.level, work.s, work.out, work.sums = x, F, count, v, level, s, out, False
    run_parts(team, run_part, &work, x.runs)


cdef void correlate_rows(const Rows* x, const int* F, int count, const double* r, double* out,
                         TeamState* team) noexcept nogil:
    """out[k] = x_F[k]'r."""
    cdef Work work
    work.x, work.F, work.count, work.v, work.r, work.sums = x, F, count, NULL, r, True
    run_parts(team, run_part, &work, x.runs)
    add_up(&work, out)


cdef void square_rows(const Rows* x, const int* F, int count, const double* v, double level, const double* s,
                      double* u, double* out, TeamState* team) noexcept nogil:
    """u = s (sum_k v[k] x_F[k] - level), out[k] = x_F[k]'u: a row that has been read is in the cache still."""
    cdef Work work
    work.x, work.F, work.count, work.v, work.level, work.s, work.out, work.sums = x, F, count, v, level, s, u, True
    run_parts(team, run_part, &work, x.runs)
    add_up(&work, out)


cdef void copy_some(const Rows* x, const integer* ends, const integer* index, const real* value, int* rows,
                    double* values) noexcept nogil:
    cdef Py_ssize_t i, k
    cdef int at
    for i in range(x.n):
        for k in range(ends[i], ends[i + 1]):
            at = x.fill[index[k]]
            if at >= 0:
                rows[at], values[at] = <int>i, value[k]
                x.fill[index[k]] = at + 1


cdef void copy_columns(const Rows* x, int* index, double* value) noexcept nogil:
    """Copy the columns whose `fill` is where their entries go; it is moved behind them."""
    if x.X.wide and x.X.single:
        copy_some[int64_t, float](x, <const int64_t*>x.ends, <const int64_t*>x.X.index, <const float*>x.X.value, index,
                                  value)
    elif x.X.wide:
        copy_some[int64_t, double](x, <const int64_t*>x.ends, <const int64_t*>x.X.index, <const double*>x.X.value,
                                   index, value)
    elif x.X.single:
        copy_some[int32_t, float](x, <const int32_t*>x.ends, <const int32_t*>x.X.index, <const float*>x.X.value, index,
                                  value)
    else:
        copy_some[int32_t, double](x, <const int32_t*>x.ends, <const int32_t*>x.X.index, <const double*>x.X.value,
                                   index, value)
