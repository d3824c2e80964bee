"""The columns that a residual solver reads, sparse or packed, and products with them in parts that a team takes."""

from libc.stdint cimport int32_t, int64_t

from ._simd cimport Entries
from .by_rows cimport Rows
from .parts cimport TeamState


cdef enum:
    MOST_PARTS = 8

ctypedef struct Columns:
    Py_ssize_t n, m
    const double* packed    # (m, n) columns; NULL: they are in X
    Entries X
    const Rows* rows        # or NULL: X is this matrix of rows, and only columns in `near` can be read one by one
    Entries near            # copies of some columns: side by side they are read in 2/3 of the time
    int* near_index
    double* near_value
    Py_ssize_t room         # entries of `near`
    Py_ssize_t used
    unsigned char* copied   # (m,) whether a column is in `near`, or NULL: none is
    void* starts            # (m,) places of entries, 64 bits or 32
    void* stops
    bint short_places
    double* sums            # (MOST_PARTS - 1, n) room, for sparse columns
    TeamState* team         # or NULL


cdef inline Py_ssize_t start_of(const Columns* x, int j) noexcept nogil:
    """Where the entries of a sparse column begin."""
    return (<const int32_t*>x.starts)[j] if x.short_places else (<const int64_t*>x.starts)[j]


cdef inline Py_ssize_t stop_of(const Columns* x, int j) noexcept nogil:
    return (<const int32_t*>x.stops)[j] if x.short_places else (<const int64_t*>x.stops)[j]


cdef inline Py_ssize_t entry_row(const Columns* x, Py_ssize_t k) noexcept nogil:
    """The row of an entry in X."""
    return (<const int64_t*>x.X.index)[k] if x.X.wide else (<const int32_t*>x.X.index)[k]


cdef inline double entry_value(const Columns* x, Py_ssize_t k) noexcept nogil:
    return (<const float*>x.X.value)[k] if x.X.single else (<const double*>x.X.value)[k]


ctypedef struct Shares:
    int parts
    int edges[MOST_PARTS + 1]   # where each part of a list of columns begins, and the last one ends


cdef class ColumnSet:
    cdef Columns x
    cdef dict held          # what the pointers rest on

cdef Py_ssize_t entries_of(const Columns* x, const int* F, int count) noexcept nogil
cdef double dot(const Columns* x, int j, const double* r) noexcept nogil
cdef void axpy(const Columns* x, int j, double a, const double* s, double* r) noexcept nogil
cdef void copy(Columns* x, int j) noexcept nogil
cdef int fetch(Columns* x, const int* F, int count) noexcept nogil
cdef void share_out(const Columns* x, const int* F, int count, Shares* dots, Shares* sums) noexcept nogil
cdef void correlate(const Columns* x, const int* F, int count, const double* r, double* out,
                    const Shares* shares=*) noexcept nogil
cdef void accumulate(const Columns* x, const int* F, int count, const double* v, Py_ssize_t first, Py_ssize_t stop,
                     double* out) noexcept nogil
cdef void combine(const Columns* x, const int* F, int count, const double* v, double level, const double* s,
                  double* out, const Shares* shares=*) noexcept nogil
cdef void square(const Columns* x, const int* F, int count, const double* v, double level, const double* s,
                 double* u, double* out, const Shares* sums, const Shares* dots) noexcept nogil
