"""A sparse matrix of rows, for products with columns that nobody has a copy of."""

from ._simd cimport Entries
from .parts cimport TeamState


cdef enum:
    MOST_RUNS = 8

ctypedef struct Rows:
    Entries X
    const void* ends        # (n + 1,) as `indptr`
    Py_ssize_t n, p
    const int* number       # (m,) column of each feature; set by who asks for products
    int runs                # of rows: parts of a product
    Py_ssize_t edges[MOST_RUNS + 1]
    double* pairs           # (runs, p, 2) of a run: what its rows are multiplied with, side by side with their sum
    int* fill               # (p,) -1 between two copies


cdef class RowSet:
    cdef Rows x
    cdef dict held          # what the pointers rest on

cdef void combine_rows(const Rows* x, const int* F, int count, const double* v, double level, const double* s,
                       double* out, TeamState* team) noexcept nogil
cdef void correlate_rows(const Rows* x, const int* F, int count, const double* r, double* out,
                         TeamState* team) noexcept nogil
cdef void square_rows(const Rows* x, const int* F, int count, const double* v, double level, const double* s,
                      double* u, double* out, TeamState* team) noexcept nogil
cdef void copy_columns(const Rows* x, int* index, double* value) noexcept nogil
