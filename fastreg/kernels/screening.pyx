"""Which features the next alphas may need: a guess, which a product with X checks later."""
from libc.math cimport INFINITY

cdef double STEEP = 1e-3        # least difference of two slopes


def candidates(
    const double[::1] gradient,     # in   (p,)  minus the derivatives of the loss at the alpha `top`,
    const double[::1] slope,        # in   (p,)  and their change by alpha
    double top,                     # in
    double l1_ratio,                # in   positive
    double gamma,                   # in   how much faster than its slope says a gradient may grow
    const double[::1] factor,       # in   (p,) of the penalties, or None: ones; inf: excluded
    const double[::1] lower,        # in   (p,) or None: unbounded
    const double[::1] upper,        # in
    const int[::1] place,           # in   (p,)  negative: not known yet
    double least,                   # in   an alpha
    Py_ssize_t[::1] found,          # out  (p,)  the features not known that may be active at `least` or above,
    double[::1] needed,             # out  (p,)  and the largest alpha at which each may be
):
    """How many of these there are.

    The gradient is followed along its last slope.  With a slope of zero and gamma 1 this is the strong rule
    (R. Tibshirani et al., "Strong rules for discarding predictors in lasso-type problems", JRSS B 74, 2012).
    """
    cdef Py_ssize_t j, count = 0
    cdef double f, steep, ahead, rise, room, alpha
    with nogil:
        for j in range(gradient.shape[0]):
            f = 1.0 if factor is None else factor[j]
            if place[j] >= 0 or f == INFINITY:
                continue
            f = l1_ratio * f if f > 0.0 else l1_ratio
            steep = slope[j] / f
            ahead = gradient[j] / f - top * steep       # the gradient is ahead + alpha steep
            alpha = -1.0
            rise, room = ahead + gamma * top, max(1.0 + gamma - steep, STEEP)
            if rise >= least * room and (upper is None or upper[j] != 0.0):
                alpha = rise / room
            rise, room = gamma * top - ahead, max(1.0 + gamma + steep, STEEP)
            if rise >= least * room and (lower is None or lower[j] != 0.0):
                alpha = max(alpha, rise / room)
            if alpha >= least:
                found[count], needed[count] = j, alpha
                count += 1
    return count
