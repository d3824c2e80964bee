"""A Cholesky factor that is kept while features enter and leave the active set."""

cdef enum:
    BLOCK = 8              # features appended together


cdef struct Factor:
    double* L              # lower triangle by columns, leading dimension ld
    Py_ssize_t ld
    Py_ssize_t size
    double* V              # work: ld x BLOCK


cdef int factor_append(Factor* f, const double* G, Py_ssize_t ldg, const int* A, const int* new, int k,
                       const double* ridge, double tiny, bint floor, bint* kept) noexcept nogil
cdef void factor_drop(Factor* f, Py_ssize_t k) noexcept nogil
cdef void factor_solve(Factor* f, double* x) noexcept nogil
