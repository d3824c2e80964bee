"""Which features the next alphas may need: a guess, which a product with X checks later."""
from libc.math cimport INFINITY

from .parts cimport Part

cdef double STEEP = 1e-3        # least difference of two slopes


cdef class Candidates(Part):
    """The features not known yet that may be active at some alpha or above it; `count` is how many there are.

    The gradient is followed along its last slope.  With a slope of zero and gamma 1 this is the strong rule
    (R. Tibshirani et al., "Strong rules for discarding predictors in lasso-type problems", JRSS B 74, 2012).
    """
    cdef const double[::1] gradient, slope, factor, lower, upper
    cdef double top, l1_ratio, gamma, least
    cdef const int[::1] place
    cdef Py_ssize_t[::1] found
    cdef double[::1] needed
    cdef readonly Py_ssize_t count

    def __init__(
        self,
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
        Py_ssize_t[::1] found,          # out  (p,)  the features, as many as there are,
        double[::1] needed,             # out  (p,)  and the largest alpha at which each may be active
    ):
        self.gradient, self.slope, self.top, self.l1_ratio, self.gamma = gradient, slope, top, l1_ratio, gamma
        self.factor, self.lower, self.upper, self.place, self.least = factor, lower, upper, place, least
        self.found, self.needed, self.count = found, needed, 0

    cdef int run(self) noexcept nogil:
        cdef Py_ssize_t j, count = 0
        cdef double f, steep, ahead, rise, room, alpha, top = self.top, gamma = self.gamma, least = self.least
        cdef const double* gradient = &self.gradient[0]
        cdef const double* slope = &self.slope[0]
        cdef const int* place = &self.place[0]
        for j in range(self.gradient.shape[0]):
            f = 1.0 if self.factor is None else self.factor[j]
            if place[j] >= 0 or f == INFINITY:
                continue
            f = self.l1_ratio * f if f > 0.0 else self.l1_ratio
            steep = slope[j] / f
            ahead = gradient[j] / f - top * steep       # the gradient is ahead + alpha steep
            alpha = -1.0
            rise, room = ahead + gamma * top, max(1.0 + gamma - steep, STEEP)
            if rise >= least * room and (self.upper is None or self.upper[j] != 0.0):
                alpha = rise / room
            rise, room = gamma * top - ahead, max(1.0 + gamma + steep, STEEP)
            if rise >= least * room and (self.lower is None or self.lower[j] != 0.0):
                alpha = max(alpha, rise / room)
            if alpha >= least:
                self.found[count], self.needed[count] = j, alpha
                count += 1
        self.count = count
        return 0
