"""Which features may matter: a guess for the next alphas, and what follows for residuals between two others.

A residual r lies near the plane of two others whose products with X are known, r = s a + t b + e, and
Cauchy-Schwarz bounds what is left:

    |x_j'r| <= |s x_j'a + t x_j'b| + |x_j - m_j| |e| + |m_j| |sum(e)|

Where that is less than the penalty, feature j is out of the question: a sphere test (L. El Ghaoui, V. Viallon and
T. Rabbani, "Safe feature elimination", Pacific Journal of Optimization 8, 2012) about the nearest point of a plane.
"""
from libc.math cimport INFINITY, fabs, sqrt
from libc.string cimport memcpy, memset

from ._simd cimport simd
from .parts cimport Part

cdef enum:
    BLOCK = 256                 # features whose sign bits stay in L1 while all lanes pass

cdef double PARALLEL = 1e-8     # squared sine of the angle below which two residuals are one,
cdef double FAR = 8.0           # or else the third so much shorter than its parts
cdef double ROUNDING = 1e-11    # of the lengths: what dot products with them are off by
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


cdef class Bridge(Part):
    """What follows for one problem's lanes that have not met all features, each between two others that have.

    The first of these is an anchor from before all lanes.
    """
    cdef const double[:, :, ::1] R, C
    cdef const Py_ssize_t[::1] panel, lane, full, row
    cdef const double[::1] anchor, gradient, limit, f1, norm
    cdef double total, reach
    cdef double[:, ::1] residuals
    cdef Py_ssize_t[::1] left
    cdef double[:, ::1] chords
    cdef unsigned char[::1] marks

    def __init__(
        self,
        const double[:, :, ::1] R,      # in   (panels, n, lanes)  residuals
        const Py_ssize_t[::1] panel,    # in   (k,)  where the problem's lanes are there
        const Py_ssize_t[::1] lane,
        const Py_ssize_t[::1] full,     # in   (m,)  numbers of those that have met all features, the last among them
        const double[:, :, ::1] C,      # in   (rows, p, 1)  their products,
        const Py_ssize_t[::1] row,      # in   (m,)  and the rows that these are in
        const double[::1] anchor,       # in   (n,)  a residual
        const double[::1] gradient,     # in   (p,)  and its products with X, over `total`
        double total,                   # in
        double reach,                   # in   largest |m_j| / |x_j - m_j|
        const double[::1] limit,        # in   (k,)  penalties
        const double[::1] f1,           # in   (p,) or None: ones; inf: excluded
        const double[::1] norm,         # in   (p,)  finite |x_j - m_j|
        double[:, ::1] residuals,       # out  (k + 1, n)  the anchor, and all lanes
        Py_ssize_t[::1] left,           # out  (k,)  of a lane between others, how many full ones are before it
        double[:, ::1] chords,          # out  (3, k)  s, t and |e| + reach |sum(e)|, and what rounding may add
        unsigned char[::1] marks,       # out  (p,)  1: |x_j'r| may reach limit f1_j in some of these lanes
    ):
        self.R, self.panel, self.lane, self.full, self.C, self.row = R, panel, lane, full, C, row
        self.anchor, self.gradient, self.total, self.reach = anchor, gradient, total, reach
        self.limit, self.f1, self.norm = limit, f1, norm
        self.residuals, self.left, self.chords, self.marks = residuals, left, chords, marks

    cdef int run(self) noexcept nogil:
        cdef Py_ssize_t k, i, n = self.R.shape[1], m = 0
        cdef double* to
        memcpy(&self.residuals[0, 0], &self.anchor[0], n * sizeof(double))
        for k in range(self.panel.shape[0]):
            to = &self.residuals[k + 1, 0]
            for i in range(n):
                to[i] = self.R[self.panel[k], i, self.lane[k]]
        for k in range(self.panel.shape[0]):
            self.left[k] = -1
            if m < self.full.shape[0] and self.full[m] == k:
                m += 1
            else:
                self.left[k] = m
                self.span(k)
        self.doubt()
        return 0

    cdef const double* residual(self, Py_ssize_t m) noexcept nogil:
        """The m-th that has met all features; 0: the anchor."""
        return &self.residuals[0, 0] if m == 0 else &self.residuals[self.full[m - 1] + 1, 0]

    cdef const double* products(self, Py_ssize_t m) noexcept nogil:
        """Its products with X, over `size(m)`."""
        return &self.gradient[0] if m == 0 else &self.C[self.row[m - 1], 0, 0]

    cdef double size(self, Py_ssize_t m) noexcept nogil:
        return self.total if m == 0 else 1.0

    cdef void span(self, Py_ssize_t k) noexcept nogil:
        """How lane k follows from its neighbours."""
        cdef Py_ssize_t i, n = self.R.shape[1]
        cdef const double* a = self.residual(self.left[k])
        cdef const double* b = self.residual(self.left[k] + 1)
        cdef const double* r = &self.residuals[k + 1, 0]
        cdef double aa = simd.dot(n, a, a), ab = simd.dot(n, a, b), bb = simd.dot(n, b, b)
        cdef double ar = simd.dot(n, a, r), br = simd.dot(n, b, r), rr = simd.dot(n, r, r)
        cdef double det = aa * bb - ab * ab, s = 0.0, t = 0.0, d, total = 0.0, squares = 0.0
        if det > PARALLEL * aa * bb:
            s, t = (ar * bb - br * ab) / det, (br * aa - ar * ab) / det
        if not s * s * aa + t * t * bb <= FAR * FAR * rr or s == t == 0.0:
            s, t = 0.0, br / bb if bb > 0.0 else 0.0
        for i in range(n):
            d = r[i] - s * a[i] - t * b[i]
            total += d
            squares += d * d
        self.chords[0, k], self.chords[1, k] = s, t
        self.chords[2, k] = sqrt(squares) + self.reach * fabs(total)
        self.chords[2, k] += ROUNDING * (fabs(s) * sqrt(aa) + fabs(t) * sqrt(bb) + sqrt(rr))

    cdef void doubt(self) noexcept nogil:
        """Mark the features that are not out of the question."""
        cdef Py_ssize_t first = 0, count, k, j, m, p = self.norm.shape[0]
        cdef double signs[BLOCK]
        while first < p:
            count = min(<Py_ssize_t>BLOCK, p - first)
            memset(signs, 0, sizeof(signs))
            for k in range(self.left.shape[0]):
                m = self.left[k]
                if m >= 0:
                    simd.doubt(
                        count, self.chords[0, k] * self.size(m), self.products(m) + first, self.chords[1, k],
                        self.products(m + 1) + first, self.chords[2, k], &self.norm[first], self.limit[k],
                        NULL if self.f1 is None else &self.f1[first], signs
                    )
            for j in range(count):
                self.marks[first + j] = signs[j] < 0.0
            first += BLOCK

    cdef void residual_of(self, Py_ssize_t k, double* r) noexcept nogil:
        """That of lane k, or the nearest combination of others for which gradients are known."""
        cdef Py_ssize_t i, n = self.R.shape[1], m = self.left[k]
        cdef const double* a
        cdef const double* b
        if m < 0:
            memcpy(r, &self.residuals[k + 1, 0], n * sizeof(double))
            return
        a, b = self.residual(m), self.residual(m + 1)
        for i in range(n):
            r[i] = self.chords[0, k] * a[i] + self.chords[1, k] * b[i]

    cdef void gradient_of(self, Py_ssize_t k, double* gradient) noexcept nogil:
        """That of this residual; k = -1: of the anchor."""
        cdef Py_ssize_t j, p = self.gradient.shape[0], m = 0
        cdef const double* a
        cdef const double* b
        cdef double s, t
        if k < 0:
            memcpy(gradient, &self.gradient[0], p * sizeof(double))
        elif self.left[k] < 0:
            while self.full[m] != k:
                m += 1
            a, s = self.products(m + 1), 1.0 / self.total
            for j in range(p):
                gradient[j] = s * a[j]
        else:
            m = self.left[k]
            a, s = self.products(m), self.chords[0, k] * self.size(m) / self.total
            b, t = self.products(m + 1), self.chords[1, k] / self.total
            for j in range(p):
                gradient[j] = s * a[j] + t * b[j]


cdef class Follow(Part):
    """The last lane whose gradient is known, or nearly, and the change of gradients from the lane before it."""
    cdef Bridge bridge
    cdef Py_ssize_t k
    cdef const Py_ssize_t[::1] columns
    cdef const double[:, ::1] products
    cdef double step
    cdef double[::1] anchor, gradient, slope

    def __init__(
        self,
        Bridge bridge,
        Py_ssize_t k,                       # in   number of a lane
        const Py_ssize_t[::1] columns,      # in   (m,)  features that the panel of lane k - 1 has met besides, or None
        const double[:, ::1] products,      # in   (m or more, lanes)  and the products
        double step,                        # in   what alpha falls by from lane k - 1, or the anchor, to lane k
        double[::1] anchor,                 # out  (n,)  the residual
        double[::1] gradient,               # out  (p,)  its gradient
        double[::1] slope,                  # out  (p,)  the change of gradients over that of alpha
    ):
        self.bridge, self.k, self.columns, self.products, self.step = bridge, k, columns, products, step
        self.anchor, self.gradient, self.slope = anchor, gradient, slope

    cdef int run(self) noexcept nogil:
        cdef Py_ssize_t j, i, k = self.k
        self.bridge.residual_of(k, &self.anchor[0])
        self.bridge.gradient_of(k, &self.gradient[0])
        self.bridge.gradient_of(k - 1, &self.slope[0])
        if k > 0 and self.bridge.left[k - 1] >= 0:
            for i in range(self.columns.shape[0]):
                self.slope[self.columns[i]] = self.products[i, self.bridge.lane[k - 1]] / self.bridge.total
        for j in range(self.slope.shape[0]):
            self.slope[j] = (self.slope[j] - self.gradient[j]) / self.step
        return 0
