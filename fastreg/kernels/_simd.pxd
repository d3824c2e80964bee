"""The C header of wide loops, as Cython sees it, and `simd`, the loops that this machine runs, for all kernels."""

from libc.stdint cimport int32_t, int64_t


ctypedef fused integer:
    int32_t
    int64_t

ctypedef fused real:
    float
    double


cdef extern from "simd.h" nogil:
    enum: FR_TILE

    ctypedef struct Matrix "fr_matrix":
        const char* data
        Py_ssize_t n
        Py_ssize_t p
        Py_ssize_t row_stride
        Py_ssize_t col_stride
        int single
        const double* shift

    ctypedef struct Entries "fr_entries":
        const void* index
        const void* value
        int wide
        int single

    ctypedef struct SimdTable "fr_table":
        const char* name
        void (*xt_tile)(const Matrix*, Py_ssize_t row, Py_ssize_t rows, const Py_ssize_t* idx, Py_ssize_t first,
                        Py_ssize_t ncols, const double* R, int lanes, double* out) noexcept nogil
        void (*xt_packed)(const double* tile, Py_ssize_t stride, Py_ssize_t rows, Py_ssize_t ncols, const double* R,
                          int lanes, double* out) noexcept nogil
        void (*xt_single)(const float* tile, Py_ssize_t rows, const float* R, double* out) noexcept nogil
        void (*xw_tile)(const Matrix*, Py_ssize_t row, Py_ssize_t rows, const Py_ssize_t* idx, Py_ssize_t ncols,
                        const double* W, int lanes, double* R) noexcept nogil
        void (*gather8)(const Entries*, Py_ssize_t start, Py_ssize_t stop, const double* R, double* out) noexcept nogil
        void (*scatter8)(const Entries*, Py_ssize_t start, Py_ssize_t stop, const double* w, double* R) noexcept nogil
        double (*gather1)(const Entries*, Py_ssize_t start, Py_ssize_t stop, const double* r) noexcept nogil
        void (*scatter1)(const Entries*, Py_ssize_t start, Py_ssize_t stop, double a, const double* s,
                         double* r) noexcept nogil
        double (*dot)(Py_ssize_t n, const double* x, const double* y) noexcept nogil
        void (*axpy)(Py_ssize_t n, double a, const double* x, double* y) noexcept nogil
        void (*axpy4)(Py_ssize_t n, const double* a, const double** x, double* y) noexcept nogil
        void (*dot4)(Py_ssize_t n, const double** x, const double* y, double* out) noexcept nogil
        void (*panel4)(Py_ssize_t n, const double** x, const double* B, double* V) noexcept nogil
        void (*moments)(Py_ssize_t n, const double* x, const double* s, double origin, double lift,
                        double* out) noexcept nogil
        void (*rotate)(Py_ssize_t n, double c, double s, double* x, double* y) noexcept nogil
        Py_ssize_t (*quiet)(const double* C, Py_ssize_t stride, Py_ssize_t count, Py_ssize_t n, const double* f,
                            const double* a, const double* b) noexcept nogil
        void (*doubt)(Py_ssize_t n, double s, const double* a, double t, const double* b, double rest,
                      const double* norm, double limit, const double* f, double* marks) noexcept nogil
        void (*exp)(Py_ssize_t n, const double* x, double* out) noexcept nogil
        void (*log1p)(Py_ssize_t n, const double* x, double* out) noexcept nogil

    void prefetch "FR_PREFETCH"(const void* address)
    void row_of "fr_row"(const Matrix*, Py_ssize_t i, const Py_ssize_t* idx, Py_ssize_t first, Py_ssize_t count,
                         double* buffer)
    const double* column "fr_column"(const Matrix*, Py_ssize_t j, Py_ssize_t row, Py_ssize_t count, double* buffer)


cdef SimdTable simd
