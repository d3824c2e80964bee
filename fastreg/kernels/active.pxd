"""The solver of one problem on features with a known Gram matrix."""
from .cell cimport SignCell


cdef class ActiveSet(SignCell):
    cdef void propose_at(self, const double* G, Py_ssize_t ldg, const double* g, const double* means, double ahead,
                         const double* w, double scale, double l1, double l2, long max_iter,
                         double* target) noexcept nogil
    cdef Py_ssize_t write(self, int* index, double* value) noexcept nogil
    cdef long solve_one(self, long max_iter) noexcept nogil
    cdef int leaving(self) noexcept nogil
    cdef int refine(self, long most) noexcept nogil
    cdef int screen_entrants(self, int count) noexcept nogil
    cdef void sweep(self, int count) noexcept nogil
    cdef void newton(self) noexcept nogil
    cdef int strongest(self, int count, int limit) noexcept nogil
    cdef long descend(self, long steps, long max_iter) noexcept nogil
