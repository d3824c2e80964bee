"""A dense X as kernels read it, and copies of tiles of it."""
from ._simd cimport Matrix, prefetch, real

cdef enum:
    AHEAD = 4              # columns that are asked for before they are packed
    GRAM_ROWS = 128        # rows of a tile: so many that it stays in L2 for all panels
    GRAM_STRIDE = 136      # between its columns where they are copied; a power of two would strain the cache


cdef class Source:
    cdef Matrix M
    cdef object held


cdef inline bint by_rows(const Matrix* M) noexcept nogil:
    return max(M.row_stride, -M.row_stride) > max(M.col_stride, -M.col_stride)


cdef inline void ask_for(const Matrix* M, Py_ssize_t j, Py_ssize_t row, Py_ssize_t rows) noexcept nogil:
    """Have some entries of a column fetched from memory."""
    cdef const char* at = M.data + j * M.col_stride + row * M.row_stride
    cdef const char* end = at + rows * M.row_stride
    while at < end:
        prefetch(at)
        at += max(<Py_ssize_t>64, M.row_stride)


cdef Matrix as_matrix(const real[:, :] X, const double[::1] shift) noexcept nogil
cdef void pack(const Matrix* M, Py_ssize_t row, Py_ssize_t rows, const Py_ssize_t* idx, Py_ssize_t first,
               Py_ssize_t count, double* tile) noexcept nogil
cdef void copy_columns(const Matrix* M, Py_ssize_t row, Py_ssize_t rows, const Py_ssize_t* idx, Py_ssize_t first,
                       Py_ssize_t count, double* tile) noexcept nogil
cdef void meet_packed(const double* tile, Py_ssize_t rows, Py_ssize_t count, const double* R, int lanes,
                      double* out) noexcept nogil
