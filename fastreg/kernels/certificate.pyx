"""Duality gaps from full gradients: what the products of one round say of each lane's solution.

With the residual r of the solution w, c = X'r / S and theta = kappa (r - d) / S a dual point that is feasible,

    gap = ( (1 - kappa)^2 r'r + kappa (2 - kappa) d'd ) / (2 S)
          + sum_j ( l1_j |w_j| + l2_j / 2 w_j^2 - kappa x_j'(r - d) / S w_j + h_j*(kappa x_j'(r - d) / S) )

is a sum of terms none of which is negative, so nothing cancels (Fenchel-Young, coordinate by coordinate).  h_j* is the
conjugate of penalty and bounds: finite wherever l2_j > 0 or a bound stops w_j, else kappa <= 1 scales theta down to
where it is zero.  d is the projection of r on the unpenalised columns, which theta must be orthogonal to; others know
of it by the Cauchy-Schwarz bound on x_j'd.
"""
from libc.math cimport INFINITY, fabs
from libc.string cimport memset

from ._simd cimport simd


def scan(
    const double[:, :, ::1] C,        # in   (panels, p, lanes)  X'R
    Py_ssize_t panel,                 # in   lanes first..first+k-1 of this panel
    Py_ssize_t lane,
    Py_ssize_t first,                 # in   features first..stop-1
    Py_ssize_t stop,
    double scale,                     # in   1 / S
    const double[::1] l1,             # in   (k,)
    const double[::1] l2,             # in   (k,)
    const double[::1] f1,             # in   (p,) or None: ones; 0: left to the caller, inf: excluded
    const double[::1] f2,             # in   (p,) or None: ones
    const double[::1] lower,          # in   (p,) or None: unbounded
    const double[::1] upper,
    const double[::1] norm,           # in   (p,) or None  |x_j| / sqrt(S)
    const double[::1] off,            # in   (k,)  |d| / sqrt(S)
    const int[::1] place,             # in   (p,)  negative: the feature was screened out
    double[::1] largest,              # out  (k,)  max_j |c_j| / f1_j where nothing stops w_j
    double[::1] conjugate,            # out  (k,)  sum_j h_j*(c_j) elsewhere
    unsigned char[::1] missed,        # out  (p,)  1: screened out, yet its gradient exceeds its penalty in some lane
):
    """What one block of features adds to the certificates of one problem's lanes."""
    cdef Py_ssize_t j = first, k, n = l1.shape[0]
    cdef double c, f, excess, bound, ridge, w
    cdef double limit[24]
    cdef double top[24]
    cdef bint over, plain = lower is None and norm is None and 0 < n <= 24
    with nogil:
        for k in range(n):
            largest[k] = conjugate[k] = 0.0
        for k in range(n if plain else 0):  # a last digit less: which way a feature goes is all they decide
            limit[k], top[k] = (1.0 - 1e-15) * l1[k] / scale, INFINITY if l2[k] > 0.0 else 0.0
        memset(&missed[first], 0, stop - first)
        while True:
            if plain and j < stop:  # most features are within their penalty, and not the largest, in all lanes
                j += simd.quiet(
                    &C[panel, j, lane], C.shape[2], stop - j, n, NULL if f1 is None else &f1[j], limit, top
                )
            if j >= stop:
                break
            f = 1.0 if f1 is None else f1[j]
            over = False
            for k in range(0 if f == 0.0 or f == INFINITY else n):
                c = C[panel, j, lane + k] * scale
                bound = INFINITY
                if lower is not None:
                    bound = upper[j] if c > 0.0 else -lower[j]
                c = fabs(c)
                if norm is not None:
                    c += off[k] * norm[j]
                excess = c - l1[k] * f
                if bound == 0.0:
                    continue
                if excess > 0.0:
                    over = True
                if l2[k] > 0.0:
                    if excess > 0.0:
                        ridge = l2[k] * (1.0 if f2 is None else f2[j])
                        w = min(excess / ridge, bound)
                        conjugate[k] += w * (excess - 0.5 * ridge * w)
                elif bound < INFINITY:
                    conjugate[k] += max(excess, 0.0) * bound
                elif c > largest[k] * f:
                    largest[k] = c / f
                    if plain:
                        top[k] = (1.0 - 1e-15) * largest[k] / scale
            missed[j] = over and place[j] < 0
            j += 1


def scale(double l1, double largest):
    """What makes a dual point feasible whose largest gradient, over its factor, is `largest`."""
    return l1 / largest if largest > l1 else 1.0


def squared_part(double kappa, double squares, double off):
    """The loss's part of a gap, for the squared loss: r'r / S and d'd / S, weighted."""
    return 0.5 * (1.0 - kappa) * (1.0 - kappa) * squares + 0.5 * kappa * (2.0 - kappa) * off


def gap(
    const Py_ssize_t[::1] feature,    # in   (a,)  nonzero features
    const double[::1] w,              # in   (a,)
    const double[::1] c,              # in   (a,)  X'(r - d) / S of those
    double l1,
    double l2,
    const double[::1] f1,             # in   (p,) or None
    const double[::1] f2,             # in   (p,) or None
    double loss,                      # in   the loss's part of the gap
    double kappa,                     # in   what the dual point is scaled by
    double conjugate,                 # in   from `scan`, over all features
    double off,                       # in   d'd / S, weighted
    const double[::1] norm,           # in   (p,) or None
):
    """Duality gap of one solution, never negative."""
    cdef Py_ssize_t i, j
    cdef double total = loss + conjugate, slack = kappa * off**0.5, f
    for i in range(feature.shape[0]):
        j = feature[i]
        f = 1.0 if f1 is None else f1[j]
        total += l1 * f * fabs(w[i]) - kappa * c[i] * w[i]
        total += 0.5 * l2 * (1.0 if f2 is None else f2[j]) * w[i] * w[i]
        if norm is not None and f > 0.0:
            total += slack * norm[j] * fabs(w[i])
    return max(total, 0.0)
