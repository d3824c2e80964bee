"""A quadratic model of a loss on some features: curvatures of the rows, the intercept eliminated."""

from .active cimport ActiveSet
from .columns cimport ColumnSet
from .features cimport Features


cdef class Model:
    cdef ColumnSet columns
    cdef readonly ActiveSet active
    cdef readonly Py_ssize_t size       # features in it
    cdef readonly bint without_gram     # its minimum is found by the caller
    cdef readonly object table, gram    # of the features, and their Gram matrix; both with room to spare
    cdef object integers, held
    cdef bint centred, bent
    cdef double total                   # what sums over rows are divided by
    cdef readonly double sum            # of the curvatures
    cdef double entries                 # of the columns
    cdef double work, copy_work
    cdef readonly int failed            # whether there was no memory for it
    cdef Py_ssize_t n, capacity
    cdef unsigned long long seed
    cdef double* h                      # (n,) curvatures
    cdef double* panel                  # (n, 8) zeros for sparse columns, else (TILE, 8)
    cdef double* products               # (capacity, 8)
    cdef Features x
    cdef double* target
    cdef double* means
    cdef int* places                    # of the features among those that the problem knows
    cdef int* numbers                   # and in `columns`
    cdef Py_ssize_t* index              # the same
    cdef double* G
    cdef Py_ssize_t ld

    cdef void make_room(self, Py_ssize_t size) noexcept nogil
    cdef void clear(self, bint without_gram) noexcept nogil
    cdef bint bend(self, const double* h, const double* s) noexcept nogil
    cdef void take_in(self, const Features* x, const int* number, const int* some, Py_ssize_t count) noexcept nogil
    cdef bint light(self, const int* number, const int* some, Py_ssize_t count, bint anew) noexcept nogil
    cdef void grow(self, Py_ssize_t count) noexcept nogil
    cdef void tiled_columns(self, Py_ssize_t first) noexcept nogil
    cdef void packed_columns(self, Py_ssize_t first, Py_ssize_t last) noexcept nogil
    cdef void sparse_columns(self, Py_ssize_t first, Py_ssize_t last) noexcept nogil
    cdef void store(self, Py_ssize_t first, Py_ssize_t last, const double* sums) noexcept nogil
    cdef void minimum(self, double l1, double l2, double ahead, double sum_h, long max_iter) noexcept nogil
    cdef double product_work(self) noexcept nogil
    cdef double renewal_work(self) noexcept nogil
