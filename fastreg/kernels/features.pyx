"""What is known of the features of a problem whose loss is not quadratic, and the duality gap on them."""
from libc.math cimport INFINITY, fabs, sqrt

import numpy as np


cdef void point_to(Features* x, double[:, ::1] table) noexcept:
    """The first rows of a table are those of `x`."""
    x.w, x.g, x.f1, x.f2 = &table[0, 0], &table[1, 0], &table[2, 0], &table[3, 0]
    x.low, x.high, x.norm = &table[4, 0], &table[5, 0], &table[6, 0]


cdef object widened(object before, Py_ssize_t rows, Py_ssize_t capacity, object dtype):
    """A larger table (rows, capacity) that begins like the one before it, if there was one (else None)."""
    table = np.zeros((rows, capacity), dtype)
    if before is not None:
        table[:, : before.shape[1]] = before
    return table


cdef double gap_parts(const Features* x, const int* places, Py_ssize_t count, double l1, double l2,
                      double* scale) noexcept nogil:
    """Duality gap but for the loss's part; the dual point times `scale` is feasible, but for unpenalised features.

    What these lack enters by a bound that is of the right size, not proved.
    """
    cdef Py_ssize_t j, k
    cdef double kappa = 1.0, gap = 0.0, off = 0.0, excess, bound, c, a, b, size
    for k in range(count):
        j = k if places == NULL else places[k]
        size = fabs(x.g[j])
        excess = size - l1 * x.f1[j]
        if not excess > 0.0:                     # nor is that of an excluded feature, which may be NaN
            continue
        a, b = l1 * x.f1[j], l2 * x.f2[j]
        bound = x.high[j] if x.g[j] > 0.0 else -x.low[j]
        if a == 0.0 and b == 0.0:
            if x.norm[j] > 0.0 and x.w[j] != (x.high[j] if x.g[j] > 0.0 else x.low[j]):
                off += excess * excess / x.norm[j]
        elif bound == 0.0:
            continue
        elif b > 0.0:
            c = min(excess / b, bound)
            gap += c * (excess - 0.5 * b * c)
        elif bound < INFINITY:
            gap += excess * bound
        elif size * kappa > a:
            kappa = a / size
    for k in range(count):
        j = k if places == NULL else places[k]
        if x.w[j] != 0.0:
            a, b = l1 * x.f1[j], l2 * x.f2[j]
            if a > 0.0 or b > 0.0:
                gap += a * fabs(x.w[j]) + 0.5 * b * x.w[j] * x.w[j] - kappa * x.g[j] * x.w[j]
                gap += sqrt(off * x.norm[j]) * fabs(x.w[j])
    scale[0] = kappa
    return gap + off


cdef double stretch_of(const double* r, const double* h, Py_ssize_t n) noexcept nogil:
    """The sum of r^2 / h over rows with h > 0: twice a loss's part of a gap, over (1 - kappa)^2, to first order."""
    cdef Py_ssize_t i = 0, k
    cdef double strand[4]
    for k in range(4):
        strand[k] = 0.0
    while i + 4 <= n:
        for k in range(4):
            strand[k] += r[i + k] * r[i + k] / h[i + k] if h[i + k] > 0.0 else 0.0
        i += 4
    while i < n:
        strand[0] += r[i] * r[i] / h[i] if h[i] > 0.0 else 0.0
        i += 1
    return (strand[0] + strand[1]) + (strand[2] + strand[3])
