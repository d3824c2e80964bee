"""Coordinate descent on a quadratic model whose Hessian is diagonal plus low rank, O(rank) for a coordinate.

    minimise over w   g'(w - x) + 1/2 (w - x)' (diag(D) + U diag(s) U') (w - x) + sum_j l1_j |w_j|,  lower <= w <= upper

s is 1 for the first `plus` columns of U and -1 for the others.  The products diag(s) U'(w - x) are kept current, from
which a coordinate's gradient takes one dot product (Scheinberg & Tang 2016, section 5).
"""
from libc.math cimport fabs

from ._simd cimport simd


def descend(
    const double[:, ::1] U,         # in   (k, r)
    Py_ssize_t plus,                # in   columns of U that count with a plus
    const double[::1] D,            # in   (k,)
    const double[::1] curvature,    # in   (k,)  diagonal of the Hessian, positive
    const double[::1] g,            # in   (k,)  gradient at x
    const double[::1] x,            # in   (k,)
    const double[::1] l1,           # in   (k,)
    const double[::1] lower,        # in   (k,)
    const double[::1] upper,        # in   (k,)
    long sweeps,                    # in   at most
    double goal,                    # in   stop after a sweep whose largest change of w_j times its curvature is below
    double[::1] w,                  # in/out (k,)  within the bounds
    double[::1] products,           # in/out (r,)  diag(s) U'(w - x)
):
    """Sweeps over all coordinates in order; returns the largest change of the last, times the curvature."""
    cdef Py_ssize_t k = w.shape[0], r = U.shape[1], minus = U.shape[1] - plus, j
    cdef long sweep = 0
    cdef double worst = 0.0, gradient, new, delta, threshold
    cdef const double* row
    cdef double* v = &products[0] if r else NULL
    with nogil:
        while sweep < sweeps:
            worst = 0.0
            for j in range(k):
                row = &U[0, 0] + j * r if r else NULL
                gradient = g[j] + D[j] * (w[j] - x[j]) + simd.dot(r, row, v)
                new = w[j] - gradient / curvature[j]
                threshold = l1[j] / curvature[j]
                if new > threshold:
                    new -= threshold
                elif new < -threshold:
                    new += threshold
                else:
                    new = 0.0
                new = min(max(new, lower[j]), upper[j])
                delta = new - w[j]
                if delta != 0.0:
                    w[j] = new
                    simd.axpy(plus, delta, row, v)
                    simd.axpy(minus, -delta, row + plus, v + plus)
                    worst = max(worst, fabs(delta) * curvature[j])
            sweep += 1
            if worst <= goal:
                break
    return worst
