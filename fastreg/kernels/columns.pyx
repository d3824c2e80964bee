"""The columns that a residual solver reads, sparse or packed, and products with them in parts that a team takes.

What the parts are depends on the columns alone, so that the bits do not depend on who helps.
"""
from libc.stdint cimport int32_t, int64_t
from libc.string cimport memset

from ._simd cimport integer, real, simd
from .by_rows cimport combine_rows, copy_columns, correlate_rows, square_rows
from .columns cimport MOST_PARTS, Columns, Shares
from .parts cimport Team, run_parts

PARTS = MOST_PARTS

cdef extern from *:
    Py_ssize_t PY_SSIZE_T_MAX

cdef enum:
    PART = 15_000           # sparse entries that are worth a part of their own, for sums also n rows,
    DENSE_PART = 200_000    # and entries of packed columns
    ROWS = 1024             # of packed columns at a time: their sum stays in L1


cdef class ColumnSet:
    """Columns of length n for kernels that one thread calls at a time."""

    def __cinit__(self, Py_ssize_t n, double[:, ::1] sums=None):
        """`sums` (PARTS - 1, n) is room for sums of sparse columns in parts; None: they are one part."""
        memset(&self.x, 0, sizeof(Columns))
        self.x.n, self.held = n, {"sums": sums}
        if sums is not None:
            self.x.sums = &sums[0, 0]

    def read_packed(self, const double[:, ::1] columns):
        """Columns are the rows of an array."""
        self.x.packed = &columns[0, 0] if columns.shape[0] else NULL
        self.held["columns"] = columns

    def read_sparse(self, const integer[::1] starts, const integer[::1] stops, const integer[::1] index,
                    const real[::1] value):
        """Entries of column j: starts[j]..stops[j]-1."""
        self.x.packed, self.x.short_places = NULL, integer is int32_t
        self.x.starts, self.x.stops = <void*>&starts[0], <void*>&stops[0]
        self.x.X.index = <const void*>(&index[0] if index.shape[0] else NULL)
        self.x.X.value = <const void*>(&value[0] if value.shape[0] else NULL)
        self.x.X.wide, self.x.X.single = integer is int64_t, real is float
        self.held["entries"] = starts, stops, index, value

    def join(self, Team team):
        """Let the helpers of a team take part, or nobody (None)."""
        self.x.team = NULL if team is None else &team.state
        self.held["team"] = team


# -------------------------------------------------------------------- one column

cdef inline bint is_near(const Columns* x, int j) noexcept nogil:
    return x.copied != NULL and x.copied[j]


cdef double dot(const Columns* x, int j, const double* r) noexcept nogil:
    if x.packed != NULL:
        return simd.dot(x.n, x.packed + j * x.n, r)
    return simd.gather1(&x.near if is_near(x, j) else &x.X, start_of(x, j), stop_of(x, j), r)


cdef void axpy(const Columns* x, int j, double a, const double* s, double* r) noexcept nogil:
    """r += a s x_j; s NULL: ones."""
    cdef const double* column
    cdef Py_ssize_t i
    if x.packed == NULL:
        simd.scatter1(&x.near if is_near(x, j) else &x.X, start_of(x, j), stop_of(x, j), a, s, r)
    elif s == NULL:
        simd.axpy(x.n, a, x.packed + j * x.n, r)
    else:
        column = x.packed + j * x.n
        for i in range(x.n):
            r[i] += a * s[i] * column[i]


cdef void copy(Columns* x, int j) noexcept nogil:
    """Put the entries of a column next to those of the columns before it, if there is room; places have 64 bits."""
    cdef Py_ssize_t k, start = start_of(x, j), count = stop_of(x, j) - start
    if x.copied[j] or x.used + count > x.room:
        return
    for k in range(count):
        x.near_index[x.used + k], x.near_value[x.used + k] = <int>entry_row(x, start + k), entry_value(x, start + k)
    x.copied[j] = True
    (<int64_t*>x.starts)[j], (<int64_t*>x.stops)[j] = x.used, x.used + count
    x.used += count


cdef int fetch(Columns* x, const int* F, int count) noexcept nogil:
    """Have columns where they can be read one by one: the first of a list, as many as is said, at least one.

    Out of a matrix of rows they are copied, in place of others if there is no room beside them.
    """
    cdef Py_ssize_t size
    cdef int k, j, some = 0
    cdef bint missing = False
    if x.rows == NULL:
        return count
    while some < count:
        j = F[some]
        size = 0 if x.copied[j] else stop_of(x, j) - start_of(x, j)
        if x.used + size > x.room:
            if some > 0:
                break
            memset(x.copied, 0, x.m)
            x.used = 0
        if not x.copied[j]:
            x.rows.fill[x.rows.number[j]] = <int>x.used
            x.copied[j] = missing = True
            (<int64_t*>x.starts)[j], (<int64_t*>x.stops)[j] = x.used, x.used + size
            x.used += size
        some += 1
    if missing:
        copy_columns(x.rows, x.near_index, x.near_value)
        for k in range(some):
            x.rows.fill[x.rows.number[F[k]]] = -1
    return some


# -------------------------------------------------------------------- many of them, in parts

ctypedef struct Work:
    const Columns* x
    const int* F                    # the columns
    int count
    const double* v                 # in: a residual, or weights of the columns
    const double* s
    double* out
    double level
    Shares shares


cdef Py_ssize_t entries_of(const Columns* x, const int* F, int count) noexcept nogil:
    """How many entries some columns have."""
    cdef Py_ssize_t total = 0
    cdef int k
    if x.packed != NULL:
        return count * x.n
    for k in range(count):
        total += stop_of(x, F[k]) - start_of(x, F[k])
    return total


cdef void share_out(const Columns* x, const int* F, int count, Shares* dots, Shares* sums) noexcept nogil:
    """Cut columns into parts of about as many entries, for products with each and for sums of them; or NULL: not."""
    cdef Py_ssize_t total = entries_of(x, F, count)
    if dots != NULL:
        cut(x, F, count, total, PART if x.packed == NULL else DENSE_PART, dots)
    if sums != NULL:
        cut(x, F, count, total, max(<Py_ssize_t>PART, x.n) if x.sums != NULL else PY_SSIZE_T_MAX, sums)


cdef void cut(const Columns* x, const int* F, int count, Py_ssize_t total, Py_ssize_t least,
              Shares* shares) noexcept nogil:
    """Cut columns with `total` entries into parts of at least so many."""
    cdef Py_ssize_t held = 0
    cdef int k, part = 0
    shares.parts = <int>min(<Py_ssize_t>MOST_PARTS, max(<Py_ssize_t>1, total // least))
    for k in range(count):
        while part < shares.parts and held * shares.parts >= part * total:
            shares.edges[part] = k
            part += 1
        held += x.n if x.packed != NULL else stop_of(x, F[k]) - start_of(x, F[k])
    while part <= shares.parts:
        shares.edges[part] = count
        part += 1


cdef void correlate_part(void* context, int part) noexcept nogil:
    cdef Work* work = <Work*>context
    cdef const Columns* x = work.x
    cdef const double* four[4]
    cdef int k = work.shares.edges[part], stop = work.shares.edges[part + 1], l
    if x.packed != NULL:
        while k + 4 <= stop:
            for l in range(4):
                four[l] = x.packed + work.F[k + l] * x.n
            simd.dot4(x.n, four, work.v, &work.out[k])
            k += 4
    while k < stop:
        work.out[k] = dot(x, work.F[k], work.v)
        k += 1


cdef void correlate(const Columns* x, const int* F, int count, const double* r, double* out,
                    const Shares* shares=NULL) noexcept nogil:
    """out[k] = x_F[k]'r; `shares` as `share_out` cuts these columns, for those who know."""
    cdef Work work
    if x.rows != NULL:
        correlate_rows(x.rows, F, count, r, out, x.team)
        return
    work.x, work.F, work.count, work.v, work.out = x, F, count, r, out
    if shares != NULL:
        work.shares = shares[0]
    else:
        share_out(x, F, count, &work.shares, NULL)
    run_parts(x.team, correlate_part, &work, work.shares.parts)


cdef void accumulate(const Columns* x, const int* F, int count, const double* v, Py_ssize_t first, Py_ssize_t stop,
                     double* out) noexcept nogil:
    """out += sum_k v[k] x_F[k], of packed columns only rows first..stop-1."""
    cdef const double* four[4]
    cdef Py_ssize_t row = first, rows
    cdef int k, l
    if x.packed == NULL:
        for k in range(count):
            if v[k] != 0.0:
                axpy(x, F[k], v[k], NULL, out)
        return
    while row < stop:
        rows = min(<Py_ssize_t>ROWS, stop - row)
        k = 0
        while k + 4 <= count:
            for l in range(4):
                four[l] = x.packed + F[k + l] * x.n + row
            simd.axpy4(rows, &v[k], four, out + row)
            k += 4
        while k < count:
            simd.axpy(rows, v[k], x.packed + F[k] * x.n + row, out + row)
            k += 1
        row += rows


cdef void combine_packed(void* context, int part) noexcept nogil:
    """A share of the rows."""
    cdef Work* work = <Work*>context
    cdef Py_ssize_t n = work.x.n, first = part * n // work.shares.parts // 8 * 8
    cdef Py_ssize_t stop = (part + 1) * n // work.shares.parts // 8 * 8 if part + 1 < work.shares.parts else n
    memset(work.out + first, 0, (stop - first) * sizeof(double))
    accumulate(work.x, work.F, work.count, work.v, first, stop, work.out)
    finish_rows(work, first, stop)


cdef inline void finish_rows(Work* work, Py_ssize_t first, Py_ssize_t stop) noexcept nogil:
    """Take off the level, multiply by the weights."""
    cdef Py_ssize_t i
    if work.level != 0.0:
        for i in range(first, stop):
            work.out[i] -= work.level
    if work.s != NULL:
        for i in range(first, stop):
            work.out[i] *= work.s[i]


cdef void combine_part(void* context, int part) noexcept nogil:
    """A share of the columns, into sums of its own."""
    cdef Work* work = <Work*>context
    cdef double* out = work.out if part == 0 else work.x.sums + (part - 1) * work.x.n
    cdef int first = work.shares.edges[part]
    memset(out, 0, work.x.n * sizeof(double))
    accumulate(work.x, work.F + first, work.shares.edges[part + 1] - first, work.v + first, 0, work.x.n, out)


cdef void add_up_part(void* context, int part) noexcept nogil:
    """The sums of all parts, for a share of the rows."""
    cdef Work* work = <Work*>context
    cdef Py_ssize_t n = work.x.n, first = part * n // work.shares.parts, stop = (part + 1) * n // work.shares.parts
    cdef int k
    for k in range(work.shares.parts - 1):
        simd.axpy(stop - first, 1.0, work.x.sums + k * n + first, work.out + first)
    finish_rows(work, first, stop)


cdef void combine(const Columns* x, const int* F, int count, const double* v, double level, const double* s,
                  double* out, const Shares* shares=NULL) noexcept nogil:
    """out = s (sum_k v[k] x_F[k] - level); s NULL: ones."""
    cdef Work work
    if x.rows != NULL:
        combine_rows(x.rows, F, count, v, level, s, out, x.team)
        return
    work.x, work.F, work.count, work.v, work.s, work.level, work.out = x, F, count, v, s, level, out
    if x.packed != NULL or count == 0:
        work.shares.parts = <int>min(<Py_ssize_t>MOST_PARTS, max(<Py_ssize_t>1, count * x.n // DENSE_PART))
        run_parts(x.team, combine_packed, &work, work.shares.parts)
        return
    if shares != NULL:
        work.shares = shares[0]
    else:
        share_out(x, F, count, NULL, &work.shares)
    run_parts(x.team, combine_part, &work, work.shares.parts)
    run_parts(x.team, add_up_part, &work, work.shares.parts)


cdef void square(const Columns* x, const int* F, int count, const double* v, double level, const double* s,
                 double* u, double* out, const Shares* sums, const Shares* dots) noexcept nogil:
    """u = s (sum_k v[k] x_F[k] - level), out[k] = x_F[k]'u; shares as for the two products."""
    if x.rows != NULL:
        square_rows(x.rows, F, count, v, level, s, u, out, x.team)
        return
    combine(x, F, count, v, level, s, u, sums)
    correlate(x, F, count, u, out, dots)


# -------------------------------------------------------------------- for Python

def dots(
    ColumnSet columns,
    const int[::1] some,            # in   (k,)  numbers of columns
    const double[::1] r,            # in   (n,)
    double[::1] out,                # out  (k,)
):
    """out[i] = column some[i] times r."""
    if some.shape[0] == 0:
        return
    with nogil:
        correlate(&columns.x, &some[0], <int>some.shape[0], &r[0], &out[0])


def add(
    ColumnSet columns,
    const int[::1] some,            # in   (k,)
    const double[::1] w,            # in   (k,)
    Py_ssize_t first,               # in   rows first..stop-1; all of them for sparse columns
    Py_ssize_t stop,
    double[::1] out,                # in/out (n,)
):
    """out += sum_i w[i] times column some[i]."""
    if some.shape[0] == 0:
        return
    with nogil:
        accumulate(&columns.x, &some[0], <int>some.shape[0], &w[0], first, stop, &out[0])
