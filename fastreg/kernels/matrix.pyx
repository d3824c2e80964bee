"""A dense X as kernels read it, whatever its strides and its precision, and copies of tiles of it."""
from libc.string cimport memcpy, memset

from ._simd cimport Matrix, column, real, row_of

cdef enum:
    AHEAD = 4              # columns that are asked for before they are packed


cdef Matrix as_matrix(const real[:, :] X, const double[::1] shift) noexcept nogil:
    cdef Matrix M
    M.shift = NULL if shift is None else <double*>&shift[0]
    M.n, M.p = X.shape[0], X.shape[1]
    M.data = <const char*>&X[0, 0]
    M.row_stride, M.col_stride = X.strides[0], X.strides[1]
    M.single = real is float
    return M


cdef void pack(const Matrix* M, Py_ssize_t row, Py_ssize_t rows, const Py_ssize_t* idx, Py_ssize_t first,
               Py_ssize_t count, double* tile) noexcept nogil:
    """Some columns of a few rows side by side, widened, with zeros up to the stride."""
    cdef Py_ssize_t i, stride = pack_stride(count)
    for i in range(rows):
        row_of(M, row + i, idx, first, count, tile + i * stride)
        memset(tile + i * stride + count, 0, (stride - count) * sizeof(double))


cdef void copy_columns(const Matrix* M, Py_ssize_t row, Py_ssize_t rows, const Py_ssize_t* idx, Py_ssize_t first,
                       Py_ssize_t count, double* tile) noexcept nogil:
    """A few rows of some columns, each on its own, widened; GRAM_STRIDE from one to the next."""
    cdef Py_ssize_t j
    cdef const double* x
    for j in range(count):
        if j + AHEAD < count:
            ask_for(M, first + j + AHEAD if idx == NULL else idx[j + AHEAD], row, rows)
        x = column(M, first + j if idx == NULL else idx[j], row, rows, tile + j * GRAM_STRIDE)
        if x != tile + j * GRAM_STRIDE:
            memcpy(tile + j * GRAM_STRIDE, x, rows * sizeof(double))


cdef class Source:
    """An X as kernels read it: (n, p), less the shift (p,) of its columns, if there is one."""


def source(const real[:, :] X, const double[::1] shift):
    """Its `Source`."""
    cdef Source it = Source()
    it.M, it.held = as_matrix(X, shift), (X, shift)
    return it
