"""Weighted Gram matrices of columns of a dense X."""
from ._simd cimport Matrix


cdef int gram_block(const Matrix* M, const double* weights, const Py_ssize_t* index, const double* means,
                    Py_ssize_t first, Py_ssize_t stop, Py_ssize_t start, Py_ssize_t end, int lanes, double scale,
                    double* gram, Py_ssize_t ld) noexcept nogil
