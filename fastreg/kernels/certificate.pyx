"""Duality gaps from full gradients: what the products of one round say of each lane's solution.

With the residual r of the solution w, c = X'r / S and theta = kappa r / S, kappa <= 1 such that theta is dual feasible,

    gap = (1 - kappa)^2 / (2 S) r'r + sum_j ( l1_j |w_j| + l2_j / 2 w_j^2 - kappa c_j w_j + h_j*(kappa c_j) )

is a sum of terms none of which is negative, so nothing cancels (Fenchel-Young, coordinate by coordinate).  For l2 > 0 the
conjugate h* is finite everywhere and kappa = 1.
"""
from libc.math cimport fabs


def scan(
    const double[:, :, ::1] C,        # in   (panels, p, lanes)  X'R
    Py_ssize_t panel,                 # in   lanes first..first+k-1 of this panel
    Py_ssize_t lane,
    Py_ssize_t first,                 # in   features first..stop-1
    Py_ssize_t stop,
    double scale,                     # in   1 / S
    const double[::1] l1,             # in   (k,)
    const double[::1] l2,             # in   (k,)
    const double[::1] f1,             # in   (p,) or None: ones; inf where a feature is excluded
    const double[::1] f2,             # in   (p,) or None: ones
    bint positive,                    # in   only w >= 0 allowed
    const int[::1] place,             # in   (p,)  negative: the feature was screened out
    double[::1] largest,              # out  (k,)  max_j |c_j| / f1_j
    double[::1] conjugate,            # out  (k,)  sum_j h_j*(c_j) where l2 > 0
    unsigned char[::1] missed,        # out  (p,)  1: screened out, yet its gradient exceeds its penalty in some lane
):
    """What one block of features adds to the certificates of one problem's lanes."""
    cdef Py_ssize_t j, k, n = l1.shape[0]
    cdef double c, f, excess
    cdef bint over
    with nogil:
        for k in range(n):
            largest[k] = conjugate[k] = 0.0
        for j in range(first, stop):
            f = 1.0 if f1 is None else f1[j]
            over = False
            for k in range(n):
                c = C[panel, j, lane + k] * scale
                if c < 0.0:
                    c = 0.0 if positive else -c
                if c > largest[k] * f:
                    largest[k] = c / f
                excess = c - l1[k] * f
                if excess > 0.0:
                    over = True
                    if l2[k] > 0.0:
                        conjugate[k] += excess * excess / (2.0 * l2[k] * (1.0 if f2 is None else f2[j]))
            missed[j] = over and place[j] < 0


def gap(
    const Py_ssize_t[::1] feature,    # in   (a,)  nonzero features
    const double[::1] w,              # in   (a,)
    const double[::1] c,              # in   (a,)  X'r / S of those
    double l1,
    double l2,
    const double[::1] f1,             # in   (p,) or None
    const double[::1] f2,             # in   (p,) or None
    double squares,                   # in   r'r / S, weighted
    double largest,                   # in   from `scan`, over all features
    double conjugate,
):
    """Duality gap of one solution, never negative."""
    cdef Py_ssize_t i, j
    cdef double kappa = 1.0, total
    if l2 == 0.0 and largest > l1:
        kappa = l1 / largest
    total = 0.5 * (1.0 - kappa) * (1.0 - kappa) * squares + (conjugate if l2 > 0.0 else 0.0)
    for i in range(feature.shape[0]):
        j = feature[i]
        total += l1 * (1.0 if f1 is None else f1[j]) * fabs(w[i]) - kappa * c[i] * w[i]
        total += 0.5 * l2 * (1.0 if f2 is None else f2[j]) * w[i] * w[i]
    return max(total, 0.0)
