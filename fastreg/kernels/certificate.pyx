"""Duality gaps from full gradients: what the products of one round say of each lane's solution.

With the residual r of the solution w, c = X'r / S and theta = kappa (r - d) / S a dual point that is feasible,

    gap = ( (1 - kappa)^2 r'r + kappa (2 - kappa) d'd ) / (2 S)
          + sum_j ( l1_j |w_j| + l2_j / 2 w_j^2 - kappa x_j'(r - d) / S w_j + h_j*(kappa x_j'(r - d) / S) )

is a sum of terms none of which is negative, so nothing cancels (Fenchel-Young, coordinate by coordinate).  h_j* is the
conjugate of penalty and bounds: finite wherever l2_j > 0 or a bound stops w_j, else kappa <= 1 scales theta down to
where it is zero.  d is the projection of r on the unpenalised columns, which theta must be orthogonal to; others know
of it by the Cauchy-Schwarz bound on x_j'd.
"""
from libc.math cimport INFINITY, fabs, sqrt
from libc.stdlib cimport free, malloc

from ._simd cimport simd
from .parts cimport Part

cdef enum:
    MOST_LANES = 24


cdef class Scan(Part):
    """What one block of features adds to the certificates of one problem's lanes."""
    cdef const double[:, :, ::1] C
    cdef const Py_ssize_t[::1] panel, lane, columns
    cdef Py_ssize_t first, stop
    cdef double scale
    cdef const double[::1] l1, l2, f1, f2, lower, upper, norm, off
    cdef const int[::1] place
    cdef double[::1] largest, conjugate
    cdef unsigned char[::1] missed

    def __init__(
        self,
        const double[:, :, ::1] C,        # in   (panels, rows, lanes)  X'R
        const Py_ssize_t[::1] panel,      # in   (k,)  where the problem's lanes are there
        const Py_ssize_t[::1] lane,
        Py_ssize_t first,                 # in   rows first..stop-1 of the panels
        Py_ssize_t stop,
        const Py_ssize_t[::1] columns,    # in   (rows,) their features, or None: in order
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
        unsigned char[::1] missed,        # in/out (p,)  1: screened out, yet its gradient exceeds its penalty somewhere
    ):
        self.C, self.panel, self.lane, self.columns, self.scale, self.place = C, panel, lane, columns, scale, place
        self.first, self.stop = first, stop
        self.l1, self.l2, self.f1, self.f2, self.norm, self.off = l1, l2, f1, f2, norm, off
        self.lower, self.upper = lower, upper
        self.largest, self.conjugate, self.missed = largest, conjugate, missed

    cdef int run(self) noexcept nogil:
        cdef Py_ssize_t i = 0, n, k = self.panel.shape[0]
        while i < k:
            n = 1                       # lanes side by side
            while (i + n < k and n < MOST_LANES and self.panel[i + n] == self.panel[i]
                   and self.lane[i + n] == self.lane[i] + n):
                n += 1
            self.scan(i, n)
            i += n
        return 0

    cdef void scan(self, Py_ssize_t i, Py_ssize_t n) noexcept nogil:
        """Lanes i..i+n-1, which lie side by side."""
        cdef Py_ssize_t r = self.first, j, k, apart = self.C.shape[2]
        cdef double c, f, excess, bound, ridge, w
        cdef double limit[MOST_LANES]
        cdef double top[MOST_LANES]
        cdef const double* at = &self.C[self.panel[i], 0, self.lane[i]]
        cdef const double* l1 = &self.l1[i]
        cdef const double* l2 = &self.l2[i]
        cdef double* largest = &self.largest[i]
        cdef double* conjugate = &self.conjugate[i]
        cdef bint over, plain = self.lower is None and self.norm is None
        plain &= self.columns is None or self.f1 is None
        for k in range(n):
            largest[k] = conjugate[k] = 0.0
            # a last digit less: which way a feature goes is all they decide
            limit[k], top[k] = (1.0 - 1e-15) * l1[k] / self.scale, INFINITY if l2[k] > 0.0 else 0.0
        while True:
            if plain and r < self.stop:  # most features are within their penalty, and not the largest, in all lanes
                r += simd.quiet(
                    at + r * apart, apart, self.stop - r, n, NULL if self.f1 is None else &self.f1[r], limit, top
                )
            if r >= self.stop:
                break
            j = r if self.columns is None else self.columns[r]
            f = 1.0 if self.f1 is None else self.f1[j]
            over = False
            for k in range(0 if f == 0.0 or f == INFINITY else n):
                c = at[r * apart + k] * self.scale
                bound = INFINITY
                if self.lower is not None:
                    bound = self.upper[j] if c > 0.0 else -self.lower[j]
                c = fabs(c)
                if self.norm is not None:
                    c += self.off[i + k] * self.norm[j]
                excess = c - l1[k] * f
                if bound == 0.0:
                    continue
                if excess > 0.0:
                    over = True
                if l2[k] > 0.0:
                    if excess > 0.0:
                        ridge = l2[k] * (1.0 if self.f2 is None else self.f2[j])
                        w = min(excess / ridge, bound)
                        conjugate[k] += w * (excess - 0.5 * ridge * w)
                elif bound < INFINITY:
                    conjugate[k] += max(excess, 0.0) * bound
                elif c > largest[k] * f:
                    largest[k] = c / f
                    if plain:
                        top[k] = (1.0 - 1e-15) * largest[k] / self.scale
            if over and self.place[j] < 0:
                self.missed[j] = 1
            r += 1


def scale(double l1, double largest):
    """What makes a dual point feasible whose largest gradient, over its factor, is `largest`."""
    return l1 / largest if largest > l1 else 1.0


def squared_part(double kappa, double squares, double off):
    """The loss's part of a gap, for the squared loss: r'r / S and d'd / S, weighted."""
    return 0.5 * (1.0 - kappa) * (1.0 - kappa) * squares + 0.5 * kappa * (2.0 - kappa) * off


cdef double terms(const Py_ssize_t* feature, const double* w, const double* c, Py_ssize_t count, double l1, double l2,
                  const double[::1] f1, const double[::1] f2, double kappa, double off,
                  const double[::1] norm) noexcept nogil:
    """What nonzero coefficients add to a gap, but for the loss's part."""
    cdef Py_ssize_t i, j
    cdef double total = 0.0, slack = kappa * sqrt(off), f
    for i in range(count):
        j = feature[i]
        f = 1.0 if f1 is None else f1[j]
        total += l1 * f * fabs(w[i]) - kappa * c[i] * w[i]
        total += 0.5 * l2 * (1.0 if f2 is None else f2[j]) * w[i] * w[i]
        if norm is not None and f > 0.0:
            total += slack * norm[j] * fabs(w[i])
    return total


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
    double conjugate,                 # in   from `Scan`, over all features
    double off,                       # in   d'd / S, weighted
    const double[::1] norm,           # in   (p,) or None
):
    """Duality gap of one solution, never negative."""
    cdef Py_ssize_t count = feature.shape[0]
    cdef double total = loss + conjugate
    if count:
        total += terms(&feature[0], &w[0], &c[0], count, l1, l2, f1, f2, kappa, off, norm)
    return max(total, 0.0)


cdef class Terms(Part):
    """What the coefficients of one problem's lanes add to their gaps, and take off their intercepts."""
    cdef const double[:, :, ::1] C, D
    cdef const Py_ssize_t[::1] panel, lane, first, stop, feature
    cdef const int[:, ::1] rows
    cdef const unsigned char[::1] full
    cdef const double[::1] value, l1, l2, f1, f2, lower, upper, norm, off, kappa, level
    cdef double scale
    cdef double[::1] out, shift

    def __init__(
        self,
        const double[:, :, ::1] C,        # in   (panels, p, lanes)  X'R of lanes that have met all features
        const double[:, :, ::1] D,        # in   (panels, rows, lanes)  or that have met some, or None
        const int[:, ::1] rows,           # in   (panels, p)  the rows there of these, or None
        const unsigned char[::1] full,    # in   (k,)  1: the lane is in C
        const Py_ssize_t[::1] panel,      # in   (k,)  where it is there, or in D
        const Py_ssize_t[::1] lane,
        double scale,                     # in   1 / S
        const Py_ssize_t[::1] feature,    # in   (a,)  nonzero features of solutions, one after the other,
        const double[::1] value,          # in   (a,)  their coefficients,
        const Py_ssize_t[::1] first,      # in   (k,)  and where those of each lane begin
        const Py_ssize_t[::1] stop,       # in   (k,)  and end
        const double[::1] l1,             # in   (k,)
        const double[::1] l2,             # in   (k,)
        const double[::1] f1,             # in   (p,) or None; 0: the column's x'(r - d) is zero, unless a bound holds w
        const double[::1] f2,             # in   (p,) or None
        const double[::1] lower,          # in   (p,) or None
        const double[::1] upper,
        const double[::1] norm,           # in   (p,) or None
        const double[::1] off,            # in   (k,)  d'd / S, weighted
        const double[::1] kappa,          # in   (k,)
        const double[::1] level,          # in   (a,)  what features are shifted by, or None: zero
        double[::1] out,                  # out  (k,)
        double[::1] shift,                # out  (k,)  sum of level * w
    ):
        self.C, self.D, self.rows, self.full, self.panel, self.lane, self.scale = C, D, rows, full, panel, lane, scale
        self.feature, self.value, self.first, self.stop = feature, value, first, stop
        self.l1, self.l2, self.f1, self.f2, self.lower, self.upper, self.norm = l1, l2, f1, f2, lower, upper, norm
        self.off, self.kappa, self.level, self.out, self.shift = off, kappa, level, out, shift

    cdef int run(self) noexcept nogil:
        cdef Py_ssize_t k, i, count, most = 1
        cdef double* c
        for k in range(self.first.shape[0]):
            most = max(most, self.stop[k] - self.first[k])
        c = <double*>malloc(most * sizeof(double))
        if c == NULL:
            return -1
        for k in range(self.first.shape[0]):
            self.out[k] = self.shift[k] = 0.0
            count = self.stop[k] - self.first[k]
            if count == 0:
                continue
            self.gradient(k, c)
            self.out[k] = terms(
                &self.feature[self.first[k]], &self.value[self.first[k]], c, count, self.l1[k], self.l2[k], self.f1,
                self.f2, self.kappa[k], self.off[k], self.norm,
            )
            if self.level is not None:
                for i in range(self.first[k], self.stop[k]):
                    self.shift[k] += self.level[i] * self.value[i]
        free(c)
        return 0

    cdef void gradient(self, Py_ssize_t k, double* c) noexcept nogil:
        """X'(r - d) / S of the features that lane k uses."""
        cdef Py_ssize_t i, j
        cdef double edge
        for i in range(self.stop[k] - self.first[k]):
            j = self.feature[self.first[k] + i]
            if self.full[k]:
                c[i] = self.C[self.panel[k], j, self.lane[k]] * self.scale
            else:
                c[i] = self.D[self.panel[k], self.rows[self.panel[k], j], self.lane[k]] * self.scale
            if self.f1 is not None and self.f1[j] == 0.0:
                edge = INFINITY
                if self.lower is not None:
                    edge = self.upper[j] if c[i] > 0.0 else self.lower[j]
                if fabs(edge) == INFINITY or self.value[self.first[k] + i] != edge:
                    c[i] = 0.0
