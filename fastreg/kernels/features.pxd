"""What is known of the features of a problem whose loss is not quadratic, and the duality gap on them."""


ctypedef struct Features:       # k of them
    double* w
    double* g                   # gradients of the loss, with a minus
    double* f1                  # penalty factors; inf: excluded
    double* f2
    double* low
    double* high
    double* norm                # curvatures at zero


cdef object widened(object before, Py_ssize_t rows, Py_ssize_t capacity, object dtype)
cdef void point_to(Features* x, double[:, ::1] table) noexcept
cdef double gap_parts(const Features* x, const int* places, Py_ssize_t count, double l1, double l2,
                      double* scale) noexcept nogil
cdef double stretch_of(const double* r, const double* h, Py_ssize_t n) noexcept nogil
