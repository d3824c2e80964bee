"""Exact solution of the elastic net on a set of features whose Gram matrix is known.

    minimise over w    1/2 v'G v - q'v + sum_j ( l1 f1_j |w_j| + l2 f2_j / 2 w_j^2 ),     v = w - base,
                       sides say which signs w_j may have; base is zero but for iterative refinement

The active set A is guessed with its signs, the equations of that sign cell are solved by a Cholesky factor that is kept
from one alpha to the next, features of the wrong sign leave, features whose gradient exceeds their penalty enter
(a primal-dual active set, as in Hintermueller, Ito & Kunisch 2002, started by coordinate descent on the entrants).  Where
that does not settle, monotone steps take over: coordinate descent with covariance updates, then a Newton step on the
signed support with an exact line search through the kinks (Lee et al. 2007, feature-sign search).
"""
from libc.math cimport INFINITY, fabs, sqrt
from libc.stdlib cimport qsort
from libc.string cimport memcpy, memset

from ._simd cimport simd, simd_init
from .factor cimport BLOCK, Factor, factor_append, factor_drop, factor_solve

import numpy as np

if simd_init() != 0:
    raise ImportError("FASTREG_SIMD must be baseline, avx2 or avx512, and this machine must have it")

cdef enum:
    POSITIVE = 1           # sides: w_j > 0 allowed
    NEGATIVE = 2           #        w_j < 0 allowed; 0: the feature stays at zero
    ROUNDS = 40            # guesses of the active set for one alpha before monotone steps take over

cdef double SLACK = 1e-11      # of the penalty: a gradient above it by less is taken to be on it
cdef double ROUNDING = 1e-15   # of a sum of products, relative to their size
cdef double TINY = 1e-11       # of the diagonal: a pivot below is rounding noise


cdef struct Kink:
    double t
    int place


cdef int by_t(const void* left, const void* right) noexcept nogil:
    cdef double a = (<const Kink*>left).t, b = (<const Kink*>right).t
    return (a > b) - (a < b)


cdef inline double shrink(double z, double l1, int sides) noexcept nogil:
    """Soft threshold of z, kept to the allowed signs."""
    if z > l1 and sides & POSITIVE:
        return z - l1
    if z < -l1 and sides & NEGATIVE:
        return z + l1
    return 0.0


cdef class ActiveSet:
    """State of one problem: its features, coefficients, gradient and factor; `solve` does the work.

    Features are numbered 0..m-1 in the order in which `extend` brought them; the Gram matrix has the same order.
    """

    cdef readonly Py_ssize_t m
    cdef public long carried    # sweeps and steps spent on the way to the next alpha
    cdef Py_ssize_t capacity, ldg
    cdef dict arrays
    cdef const double* G
    cdef double *w
    cdef double *g
    cdef double *q
    cdef double *f1
    cdef double *f2
    cdef double *x              # (a,) solution on A, in the order of A
    cdef double *d
    cdef double *sign
    cdef double *entry          # (m,) trial values of entrants, and G d in a Newton step
    cdef double *entry_g
    cdef double *base           # (m,) where q is the gradient
    cdef int *B                 # its nonzero features
    cdef Py_ssize_t based       # how many
    cdef double *best           # (m,) the best point met while guessing
    cdef int *A
    cdef int *where             # place of a feature in A, or -1
    cdef int *V                 # entrants
    cdef int *leave
    cdef signed char *sides
    cdef Kink *kinks
    cdef Factor factor
    cdef double l1, l2, factor_l2
    cdef double noise           # rounding error of a gradient, per unit of its feature's norm
    cdef long changes           # how often A or a sign in it has changed
    cdef bint floored           # the factor holds raised pivots: it is a majorant, not H itself
    cdef unsigned long long seed    # 0: cyclic order

    def __init__(self, unsigned long long seed=0):
        self.m = self.capacity = 0
        self.arrays = {}
        self.factor.size = 0
        self.factor_l2 = 0.0
        self.seed = seed
        self.reserve(8)

    def reserve(self, Py_ssize_t capacity):
        """Make room for `capacity` features."""
        cdef Py_ssize_t old = self.factor.ld, size = self.factor.size, j
        if capacity <= self.capacity:
            return
        capacity = max(capacity, 2 * self.capacity)

        def room(name, dtype, width=1):
            array = np.zeros(capacity * width, dtype)
            if name in self.arrays:
                before = self.arrays[name]
                array[: len(before)] = before
            self.arrays[name] = array
            return array

        cdef double[::1] real
        cdef int[::1] integer
        cdef signed char[::1] small
        cdef unsigned char[::1] raw
        real = room("w", np.float64); self.w = &real[0]
        real = room("g", np.float64); self.g = &real[0]
        real = room("q", np.float64); self.q = &real[0]
        real = room("f1", np.float64); self.f1 = &real[0]
        real = room("f2", np.float64); self.f2 = &real[0]
        real = room("x", np.float64); self.x = &real[0]
        real = room("d", np.float64); self.d = &real[0]
        real = room("sign", np.float64); self.sign = &real[0]
        real = room("entry", np.float64); self.entry = &real[0]
        real = room("entry_g", np.float64); self.entry_g = &real[0]
        real = room("base", np.float64); self.base = &real[0]
        real = room("best", np.float64); self.best = &real[0]
        real = room("V8", np.float64, BLOCK); self.factor.V = &real[0]
        integer = room("A", np.int32); self.A = &integer[0]
        integer = room("where", np.int32); self.where = &integer[0]
        integer = room("B", np.int32); self.B = &integer[0]
        integer = room("V", np.int32); self.V = &integer[0]
        integer = room("leave", np.int32); self.leave = &integer[0]
        small = room("sides", np.int8); self.sides = &small[0]
        raw = room("kinks", np.uint8, sizeof(Kink)); self.kinks = <Kink*>&raw[0]
        triangle = np.empty(capacity * capacity)     # untouched pages cost nothing
        cdef double[::1] before, after = triangle
        if size:
            before = self.arrays["L"]
            for j in range(size):
                memcpy(&after[j * capacity + j], &before[j * old + j], (size - j) * sizeof(double))
        self.arrays["L"] = triangle
        self.factor.L, self.factor.ld = &after[0], capacity
        self.capacity = capacity

    def extend(self, const double[::1] q, const double[::1] f1, const double[::1] f2, const signed char[::1] sides):
        """Append features: their q, penalty factors and allowed signs."""
        cdef Py_ssize_t k = q.shape[0], j
        self.reserve(self.m + k)
        for j in range(k):
            self.q[self.m + j], self.f1[self.m + j], self.f2[self.m + j] = q[j], f1[j], f2[j]
            self.sides[self.m + j] = sides[j]
            self.w[self.m + j] = 0.0
            self.where[self.m + j] = -1
        self.m += k

    def rebase(self, const double[::1] q, const int[::1] index, const double[::1] value):
        """Count from the point w[index] = value (zero elsewhere), where the gradient of all features is q."""
        cdef Py_ssize_t i
        for i in range(self.based):
            self.base[self.B[i]] = 0.0
        self.based = index.shape[0]
        for i in range(self.based):
            self.B[i] = index[i]
            self.base[index[i]] = value[i]
        memcpy(self.q, &q[0], self.m * sizeof(double))

    # ---------------------------------------------------------------- the factor and its list of features

    cdef int append(self, int count, bint floor) noexcept nogil:
        """Features V[:count] join A with the signs of `entry`; returns how many were refused, and set to zero."""
        cdef int start = 0, k, l, refused = 0
        cdef double ridge[BLOCK]
        cdef bint kept[BLOCK]
        cdef Py_ssize_t at
        self.changes += 1
        while start < count:
            k = min(<int>BLOCK, count - start)
            for l in range(k):
                ridge[l] = self.l2 * self.f2[self.V[start + l]]
            at = self.factor.size
            if factor_append(&self.factor, self.G, self.ldg, self.A, self.V + start, k, ridge, TINY, floor, kept) and floor:
                self.floored = True
            for l in range(k):
                if kept[l]:
                    self.A[at] = self.V[start + l]
                    self.sign[at] = 1.0 if self.entry[start + l] > 0 else -1.0
                    self.where[self.V[start + l]] = <int>at
                    at += 1
                else:
                    self.w[self.V[start + l]] = 0.0
                    refused += 1
            start += BLOCK
        return refused

    cdef void truncate(self, Py_ssize_t size) noexcept nogil:
        """Shorten A, and the factor with it, to its first `size` features; w is left as it is."""
        cdef Py_ssize_t i
        self.changes += 1
        for i in range(size, self.factor.size):
            self.where[self.A[i]] = -1
        self.factor.size = size
        if size == 0:
            self.floored = False
            self.factor_l2 = self.l2

    cdef void drop(self, int count) noexcept nogil:
        """The features at places leave[:count] (ascending) go to zero and out of A."""
        cdef Py_ssize_t i, j, first = self.leave[0], behind = self.factor.size - first, size = self.factor.size
        cdef int k, n = 0
        self.changes += 1
        for k in range(count):
            self.w[self.A[self.leave[k]]] = 0.0
            self.where[self.A[self.leave[k]]] = -1
        if count > 8 and 6 * count > behind:       # cheaper to factor the rest anew
            for i in range(first, size):
                if self.where[self.A[i]] >= 0:
                    self.V[n] = self.A[i]
                    self.entry[n] = self.sign[i]
                    n += 1
            self.truncate(first)
            self.append(n, self.floored)
            return
        for k in range(count - 1, -1, -1):
            factor_drop(&self.factor, self.leave[k])
        j = first
        for i in range(first, size):
            if self.where[self.A[i]] >= 0:
                self.A[j], self.sign[j] = self.A[i], self.sign[i]
                self.where[self.A[j]] = <int>j
                j += 1

    cdef int refactor(self, bint floor) noexcept nogil:
        """Factor H anew for the same A; returns how many features were refused."""
        cdef Py_ssize_t i
        cdef int count = <int>self.factor.size
        for i in range(count):
            self.V[i], self.entry[i] = self.A[i], self.sign[i]
        self.truncate(0)
        return self.append(count, floor)

    # ---------------------------------------------------------------- gradients and entrants

    cdef void subtract_gram(self, const double* v, double* out) noexcept nogil:
        """out[0:m] -= G[:, A] v, with v in the order of A."""
        cdef const double* row[4]
        cdef double minus[4]
        cdef Py_ssize_t i = 0, k, a = self.factor.size
        while i + 4 <= a:
            for k in range(4):
                row[k] = self.G + self.A[i + k] * self.ldg
                minus[k] = -v[i + k]
            simd.axpy4(self.m, minus, row, out)
            i += 4
        while i < a:
            simd.axpy(self.m, -v[i], self.G + self.A[i] * self.ldg, out)
            i += 1

    cdef void gradient(self) noexcept nogil:
        """g = q - G (w - base), from scratch; all nonzero w are in A."""
        cdef Py_ssize_t i, j
        self.noise = 0.0
        for i in range(self.factor.size):
            j = self.A[i]
            self.d[i] = self.w[j] - self.base[j]
            self.noise += ROUNDING * fabs(self.d[i]) * sqrt(self.G[j * self.ldg + j])
        memcpy(self.g, self.q, self.m * sizeof(double))
        self.subtract_gram(self.d, self.g)
        for i in range(self.based):
            j = self.B[i]
            if self.where[j] < 0:
                simd.axpy(self.m, self.base[j], self.G + j * self.ldg, self.g)

    cdef double misfit(self) noexcept nogil:
        """x <- gradient within the sign cell, in the order of A; returns its largest share of the penalty."""
        cdef Py_ssize_t i, j
        cdef double worst = 0.0, share
        for i in range(self.factor.size):
            j = self.A[i]
            self.x[i] = self.g[j] - self.l1 * self.f1[j] * self.sign[i] - self.l2 * self.f2[j] * self.w[j]
            share = fabs(self.x[i]) - self.noise * sqrt(self.G[j * self.ldg + j])
            share /= self.l1 * self.f1[j]
            if share > worst:
                worst = share
        return worst

    cdef int refine(self, long most) noexcept nogil:
        """Newton steps within the cell while rounding of the last solve shows, at most `most`; returns how many."""
        cdef double before = INFINITY, now
        cdef Py_ssize_t i
        cdef int steps = 0
        while steps < min(most, 3):
            now = self.misfit()
            if now <= SLACK or now > 0.5 * before:
                break
            before = now
            factor_solve(&self.factor, self.x)
            for i in range(self.factor.size):
                if (self.w[self.A[i]] + self.x[i]) * self.sign[i] > 0:
                    self.w[self.A[i]] += self.x[i]
            self.gradient()
            steps += 1
        return steps

    cdef void solve_cell(self) noexcept nogil:
        """x <- the minimum for the signs of A, were they not to change."""
        cdef Py_ssize_t i, j, k
        for i in range(self.factor.size):
            j = self.A[i]
            self.x[i] = self.q[j] - self.l1 * self.f1[j] * self.sign[i] - self.l2 * self.f2[j] * self.base[j]
        for k in range(self.based):
            j = self.B[k]
            if self.where[j] < 0:
                for i in range(self.factor.size):
                    self.x[i] += self.base[j] * self.G[j * self.ldg + self.A[i]]
        factor_solve(&self.factor, self.x)
        for i in range(self.factor.size):
            self.x[i] += self.base[self.A[i]]

    cdef int violators(self) noexcept nogil:
        """V <- features outside A whose gradient exceeds their penalty."""
        cdef Py_ssize_t j
        cdef int count = 0
        cdef double bound
        for j in range(self.m):
            if self.where[j] >= 0 or not self.sides[j]:
                continue
            bound = self.l1 * self.f1[j] * (1.0 + SLACK)
            if fabs(self.g[j]) <= bound or not self.sides[j] & (POSITIVE if self.g[j] > 0.0 else NEGATIVE):
                continue
            if fabs(self.g[j]) > bound + self.noise * sqrt(self.G[j * self.ldg + j]):
                self.V[count] = <int>j
                count += 1
        return count

    cdef int screen_entrants(self, int count) noexcept nogil:
        """Coordinate descent among the entrants alone, A held fixed: those left at zero are no longer entrants."""
        cdef int sweep, k, t, n = 0, j
        cdef double new, delta, biggest, low, high
        cdef Py_ssize_t limit = max(<Py_ssize_t>16, self.factor.size)
        self.shuffle(count)
        for k in range(count):
            self.entry[k] = 0.0
            self.entry_g[k] = self.g[self.V[k]]
        for sweep in range(2):
            for k in range(count):
                j = self.V[k]
                delta = self.G[j * self.ldg + j]
                new = shrink(self.entry_g[k] + delta * self.entry[k], self.l1 * self.f1[j], self.sides[j])
                new /= delta + self.l2 * self.f2[j]
                delta = new - self.entry[k]
                if delta != 0.0:
                    self.entry[k] = new
                    for t in range(count):
                        self.entry_g[t] -= delta * self.G[j * self.ldg + self.V[t]]
        biggest = 0.0
        for k in range(count):
            self.entry_g[k] = fabs(self.entry[k]) * self.f1[self.V[k]]
            if self.entry[k] != 0.0:
                n += 1
                biggest = max(biggest, self.entry_g[k])
        low, high = 0.0, biggest
        if n > limit:                       # the strongest first: others may no longer be needed after them
            for sweep in range(20):
                new = 0.5 * (low + high)
                n = 0
                for k in range(count):
                    n += self.entry_g[k] > new
                if n > limit:
                    low = new
                else:
                    high = new
                    if 2 * n > limit:
                        break
            low = high if n else low
        n = 0
        for k in range(count):
            if self.entry[k] != 0.0 and (self.entry_g[k] > low or self.entry_g[k] == biggest):
                self.V[n], self.entry[n] = self.V[k], self.entry[k]
                n += 1
        return n

    cdef void shuffle(self, int count) noexcept nogil:
        """V[:count] in random order, if this set has a seed (xorshift64)."""
        cdef int k, other
        if self.seed == 0:
            return
        for k in range(count - 1, 0, -1):
            self.seed ^= self.seed << 13
            self.seed ^= self.seed >> 7
            self.seed ^= self.seed << 17
            other = <int>(self.seed % <unsigned long long>(k + 1))
            self.V[k], self.V[other] = self.V[other], self.V[k]

    # ---------------------------------------------------------------- one alpha

    cdef long solve_one(self, long max_iter) noexcept nogil:
        """Solve for the current l1, l2 from the current w; returns sweeps plus Newton steps."""
        cdef long steps = 0
        cdef int guesses = 0, worse = 0, count, i
        cdef Py_ssize_t j
        cdef double value, lowest = INFINITY
        cdef bint settled = True
        memcpy(self.best, self.w, self.m * sizeof(double))
        if self.floored or self.l2 != self.factor_l2:
            settled = self.refactor(False) == 0
        while settled and steps < max_iter and guesses < ROUNDS and worse < 2:
            guesses += 1
            count = 1
            while self.factor.size > 0 and steps < max_iter:
                self.solve_cell()
                steps += 1
                count = 0
                for i in range(self.factor.size):
                    if self.x[i] * self.sign[i] <= 0.0:
                        self.leave[count] = i
                        count += 1
                if count == 0:
                    break
                self.drop(count)
            if self.factor.size > 0 and count == 0:
                for i in range(self.factor.size):
                    self.w[self.A[i]] = self.x[i]
            self.gradient()
            steps += self.refine(max_iter - steps)
            count = self.violators()
            if count == 0:
                return steps
            value = self.objective()
            if value < lowest:
                lowest = value
                memcpy(self.best, self.w, self.m * sizeof(double))
            else:
                worse += 1
            count = self.screen_entrants(count)
            settled = self.append(count, False) < count     # copies of features in A are refused, and not missed
        return self.descend(steps, max_iter)

    # ---------------------------------------------------------------- monotone steps, where guessing does not settle

    cdef double objective(self) noexcept nogil:
        """Value at w, up to a constant; needs g."""
        cdef Py_ssize_t i, j
        cdef double total = 0.0, w
        for i in range(self.factor.size):
            j = self.A[i]
            w = self.w[j]
            total -= 0.5 * (w - self.base[j]) * (self.q[j] + self.g[j])
            total += self.l1 * self.f1[j] * fabs(w) + 0.5 * self.l2 * self.f2[j] * w * w
        for i in range(self.based):
            j = self.B[i]
            if self.where[j] < 0:
                total += 0.5 * self.base[j] * (self.q[j] + self.g[j])
        return total

    cdef void sweep(self, int count) noexcept nogil:
        """One round of coordinate descent over V[:count]; keeps g of all features current."""
        cdef int k, j
        cdef double curvature, new, delta
        self.shuffle(count)
        for k in range(count):
            j = self.V[k]
            curvature = self.G[j * self.ldg + j]
            if not curvature > 0.0:
                continue
            new = shrink(self.g[j] + curvature * self.w[j], self.l1 * self.f1[j], self.sides[j])
            new /= curvature + self.l2 * self.f2[j]
            delta = new - self.w[j]
            if delta != 0.0:
                self.w[j] = new
                simd.axpy(self.m, -delta, self.G + j * self.ldg, self.g)

    cdef void adopt_support(self) noexcept nogil:
        """A <- features with w != 0, signs from w; pivots that are rounding noise are raised."""
        cdef Py_ssize_t i, j
        cdef int count = 0
        for i in range(self.factor.size):
            j = self.A[i]
            if self.w[j] == 0.0:
                self.leave[count] = <int>i
                count += 1
            elif self.sign[i] * self.w[j] < 0.0:
                self.sign[i] = -self.sign[i]
                self.changes += 1
        if count:
            self.drop(count)
        count = 0
        for j in range(self.m):
            if self.w[j] != 0.0 and self.where[j] < 0:
                self.V[count], self.entry[count] = <int>j, self.w[j]
                count += 1
        if count:
            self.append(count, True)

    cdef void newton(self) noexcept nogil:
        """A Newton step on the signed support, to the exact minimum along the line, through sign changes."""
        cdef Py_ssize_t i, j
        cdef int count = 0, k
        cdef double slope = 0.0, curvature = 0.0, t, far, stop = INFINITY
        cdef double* Gd = self.entry
        self.misfit()
        memcpy(self.d, self.x, self.factor.size * sizeof(double))
        factor_solve(&self.factor, self.d)
        memset(Gd, 0, self.m * sizeof(double))
        self.subtract_gram(self.d, Gd)          # -G d
        for i in range(self.factor.size):
            j = self.A[i]
            slope -= self.x[i] * self.d[i]
            curvature += self.d[i] * (self.l2 * self.f2[j] * self.d[i] - Gd[j])
        if not slope < 0.0:
            return
        far = -slope / curvature if curvature > 0.0 else INFINITY
        for i in range(self.factor.size):
            j = self.A[i]
            if self.w[j] * self.d[i] < 0.0:
                t = -self.w[j] / self.d[i]
                if t <= far:
                    self.kinks[count].t, self.kinks[count].place = t, <int>i
                    count += 1
        qsort(self.kinks, count, sizeof(Kink), by_t)
        t = far
        for k in range(count):
            if slope + self.kinks[k].t * max(curvature, 0.0) >= 0.0:
                break
            i = self.kinks[k].place
            j = self.A[i]
            if self.sides[j] != POSITIVE | NEGATIVE:
                slope = INFINITY                # it may not change sign
            else:
                slope += 2.0 * self.l1 * self.f1[j] * fabs(self.d[i])
            if slope + self.kinks[k].t * max(curvature, 0.0) >= 0.0:
                stop = self.kinks[k].t          # the minimum is at the kink
                break
            t = -slope / curvature if curvature > 0.0 else INFINITY
        t = min(min(t, far), stop)
        if t == INFINITY:
            return
        for i in range(self.factor.size):
            j = self.A[i]
            if t == stop and self.w[j] * self.d[i] < 0.0 and -self.w[j] / self.d[i] == stop:
                self.w[j] = 0.0
            else:
                self.w[j] += t * self.d[i]
        simd.axpy(self.m, t, Gd, self.g)

    cdef int strongest(self, int count, int limit) noexcept nogil:
        """Reorder V so that its `limit` worst violators stand first; returns how many there are."""
        cdef int k, t, worst
        for k in range(min(count, limit)):
            worst = k
            for t in range(k + 1, count):
                if fabs(self.g[self.V[t]]) * self.f1[self.V[worst]] > fabs(self.g[self.V[worst]]) * self.f1[self.V[t]]:
                    worst = t
            self.V[k], self.V[worst] = self.V[worst], self.V[k]
        return min(count, limit)

    cdef long descend(self, long steps, long max_iter) noexcept nogil:
        """From the best point so far: Newton steps to the optimum of the signed support, then a step of coordinate descent
        on the worst violators, which join it; every step lowers the objective."""
        cdef int count = 0, entering = 1, stalled = 0
        cdef Py_ssize_t before
        cdef double value, new, before_value
        memcpy(self.w, self.best, self.m * sizeof(double))
        self.adopt_support()
        self.gradient()
        value = self.objective()
        while steps < max_iter and stalled < 3:
            before, before_value = self.factor.size, value
            while steps < max_iter and self.factor.size > 0 and self.misfit() > SLACK:
                self.newton()
                self.adopt_support()
                steps += 1
                new = self.objective()
                if not new < value - 1e-15 * fabs(value):
                    break
                value = new
            entering = max(1, entering // 2) if before - self.factor.size > entering // 4 else 2 * entering
            self.gradient()
            new = self.objective()
            stalled = 0 if new < before_value - 1e-15 * fabs(new) else stalled + 1
            value = new
            count = self.violators()
            if count == 0 and (self.factor.size == 0 or self.misfit() <= SLACK):
                break
            count = self.strongest(count, entering)
            self.sweep(count)
            self.adopt_support()
            value = self.objective()
            steps += 1
        return steps

    # ---------------------------------------------------------------- entry points

    def solve(
        self,
        const double[:, ::1] G,          # in   (>= m, >= m)  Gram matrix of the features
        const double[::1] l1,            # in   (L,)
        const double[::1] l2,            # in   (L,)
        const unsigned char[::1] between,  # in  (L,)  1: a step on the way, whose work counts for the alpha after it
        long max_iter,                   # in   sweeps plus Newton steps an alpha
        double budget,                   # in   stop after the alpha that brings the count of flops above this
        int[::1] index,                  # out  nonzero features of the solutions, one after the other
        double[::1] value,               # out  their coefficients
        Py_ssize_t[::1] stops,           # out  (L + 1,)  where each solution ends
        long[::1] n_iter,                # out  (L,)
        long[::1] version,               # out  (L,)  two solutions have the same signed support if it is the same
    ):
        """Solve for one pair of penalties after the other; returns how many were done (budget, or room in `index`)."""
        cdef Py_ssize_t k = 0, i, filled = 0
        cdef double spent = 0.0
        self.G, self.ldg = &G[0, 0], G.shape[1]
        stops[0] = 0
        with nogil:
            while k < l1.shape[0] and spent <= budget and filled + self.m <= index.shape[0]:
                self.l1, self.l2 = l1[k], l2[k]
                n_iter[k] = self.solve_one(max(0, max_iter - self.carried))
                version[k] = self.changes
                self.carried = self.carried + n_iter[k] if between[k] else 0
                for i in range(self.factor.size):
                    index[filled] = self.A[i]
                    value[filled] = self.w[self.A[i]]
                    filled += 1
                spent += <double>n_iter[k] * self.factor.size * (self.m + self.factor.size)
                k += 1
                stops[k] = filled
        return k

    def slope(self, double l1_share, double l2_share):
        """Features and values of the derivative of w by alpha, l1 = l1_share * alpha and l2 = l2_share * alpha."""
        cdef Py_ssize_t i, j, a = self.factor.size
        for i in range(a):
            j = self.A[i]
            self.x[i] = -l1_share * self.f1[j] * self.sign[i] - l2_share * self.f2[j] * self.w[j]
        with nogil:
            factor_solve(&self.factor, self.x)
        return self.arrays["A"][:a].copy(), self.arrays["x"][:a].copy()

    def place(self, const double[:, ::1] G, const int[::1] index, const double[::1] value, double l2):
        """Move to the point w[index] = value (zero elsewhere), the factor with it."""
        cdef Py_ssize_t i, j, m = self.m
        cdef int count = 0
        self.G, self.ldg = &G[0, 0], G.shape[1]
        with nogil:
            if l2 != self.factor_l2:
                self.l2 = l2
                self.truncate(0)
            for j in range(m):
                self.w[j] = 0.0
            for i in range(index.shape[0]):
                if self.sides[index[i]]:        # a constant column stays at zero
                    self.w[index[i]] = value[i]
            for i in range(self.factor.size):
                count += self.w[self.A[i]] == 0.0
            if 4 * count > self.factor.size:
                self.truncate(0)
            self.adopt_support()
