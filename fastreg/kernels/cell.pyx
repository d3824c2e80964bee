"""The state of one problem on the features whose Gram matrix is known.

    minimise over w    1/2 v'G v - q'v + sum_j ( l1 f1_j |w_j| + l2 f2_j / 2 w_j^2 ),     v = w - base,
                       lower <= w <= upper; base is zero but for iterative refinement

A lists the features in use, each with a sign; the equations of that sign cell are solved by a Cholesky factor that is
kept while features enter and leave.  P lists those that a bound holds, other than at zero.
"""
from libc.math cimport fabs, sqrt
from libc.string cimport memcpy

from ._simd cimport simd
from .factor cimport BLOCK, factor_append, factor_drop, factor_solve

import numpy as np


cdef double SLACK = 1e-11      # of the penalty: a gradient above it by less is taken to be on it
cdef double ROUNDING = 1e-15   # of a sum of products, relative to their size
cdef double TINY = 1e-11       # of the diagonal: a pivot below is rounding noise


cdef class SignCell:
    """Coefficients, gradient and factor of one problem.

    Features are numbered 0..m-1 in the order in which `extend` brought them; the Gram matrix has the same order.
    """

    def __init__(self, unsigned long long seed=0, Py_ssize_t most=1 << 40):
        self.m = self.capacity = 0
        self.most = most
        self.arrays = {}
        self.factor.size = 0
        self.factor_l2 = 0.0
        self.seed = seed
        self.reserve(32)

    def reserve(self, Py_ssize_t capacity):
        """Make room for `capacity` features."""
        cdef Py_ssize_t old = self.factor.ld, size = self.factor.size, j
        if capacity <= self.capacity:
            return
        capacity = max(capacity, 2 * self.capacity)

        def room(name, rows, dtype):
            table = np.zeros((rows, capacity), dtype)
            if name in self.arrays:
                before = self.arrays[name]
                table[:, : before.shape[1]] = before
            self.arrays[name] = table
            return table

        cdef double[:, ::1] real = room("real", 14, np.float64)
        cdef double[:, ::1] panel = room("panel", BLOCK, np.float64)
        cdef int[:, ::1] integer = room("integer", 6, np.int32)
        cdef signed char[:, ::1] small = room("small", 1, np.int8)
        cdef unsigned char[:, ::1] raw = room("raw", sizeof(Kink), np.uint8)
        self.w, self.g, self.q, self.f1, self.f2 = &real[0, 0], &real[1, 0], &real[2, 0], &real[3, 0], &real[4, 0]
        self.x, self.d, self.sign, self.entry, self.entry_g = (
            &real[5, 0], &real[6, 0], &real[7, 0], &real[8, 0], &real[9, 0]
        )
        self.base, self.lower, self.upper, self.best = &real[10, 0], &real[11, 0], &real[12, 0], &real[13, 0]
        self.A, self.P, self.where = &integer[0, 0], &integer[1, 0], &integer[2, 0]
        self.B, self.V, self.leave = &integer[3, 0], &integer[4, 0], &integer[5, 0]
        self.factor.V, self.sides, self.kinks = &panel[0, 0], &small[0, 0], <Kink*>&raw[0, 0]
        self.capacity = capacity
        capacity = min(capacity, self.most)
        if capacity == old:
            return
        triangle = np.empty(capacity * capacity)     # untouched pages cost nothing
        cdef double[::1] before, after = triangle
        if size:
            before = self.arrays["L"]
            for j in range(size):
                memcpy(&after[j * capacity + j], &before[j * old + j], (size - j) * sizeof(double))
        self.arrays["L"] = triangle
        self.factor.L, self.factor.ld = &after[0], capacity

    def extend(self, const double[::1] q, const double[::1] f1, const double[::1] f2, const double[::1] lower,
               const double[::1] upper):
        """Append features: their q, penalty factors and bounds."""
        cdef Py_ssize_t k = q.shape[0]
        self.reserve(self.m + k)
        if k:
            self.take_in(k, &q[0], &f1[0], &f2[0], &lower[0], &upper[0])

    cdef void take_in(self, Py_ssize_t count, const double* q, const double* f1, const double* f2, const double* lower,
                      const double* upper) noexcept nogil:
        """As `extend`, where there is room; q NULL: zeros."""
        cdef Py_ssize_t k, at
        for k in range(count):
            at = self.m + k
            self.q[at], self.f1[at], self.f2[at] = 0.0 if q == NULL else q[k], f1[k], f2[k]
            self.lower[at], self.upper[at] = lower[k], upper[k]
            self.sides[at] = (POSITIVE if upper[k] > 0.0 else 0) | (NEGATIVE if lower[k] < 0.0 else 0)
            self.w[at] = self.base[at] = 0.0
            self.where[at] = -1
        self.m += count

    cdef void clear(self, unsigned long long seed) noexcept nogil:
        """No features, as at the start."""
        self.m = self.factor.size = self.pinned = self.based = self.carried = 0
        self.factor_l2, self.floored, self.seed = 0.0, False, seed

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

    def place(self, const double[:, ::1] G, const int[::1] index, const double[::1] value, double l2):
        """Move to the point w[index] = value (zero elsewhere), the factor with it."""
        cdef Py_ssize_t i, j, m = self.m
        cdef int count = 0
        self.G, self.ldg = <double*>&G[0, 0] if G.shape[0] > 0 else NULL, G.shape[1]
        with nogil:
            if l2 != self.factor_l2:
                self.l2 = l2
                self.truncate(0)
            for j in range(m):
                self.w[j] = 0.0
            for i in range(index.shape[0]):
                if self.sides[index[i]]:        # a constant column stays at zero
                    self.w[index[i]] = min(max(value[i], self.lower[index[i]]), self.upper[index[i]])
            for i in range(self.factor.size):
                count += self.w[self.A[i]] == 0.0
            if 4 * count > self.factor.size:
                self.truncate(0)
            self.adopt_support()

    # ---------------------------------------------------------------- the factor and its list of features

    cdef int append(self, int count, bint floor) noexcept nogil:
        """Features V[:count] join A with the signs of `entry`; returns how many were refused, and set to zero."""
        cdef int start = 0, k, l, refused = 0, faults
        cdef double ridge[BLOCK]
        cdef bint kept[BLOCK]
        cdef Py_ssize_t at
        self.changes += 1
        while start < count:
            k = min(<int>BLOCK, count - start)
            if self.factor.size + k > self.factor.ld:       # more than X has rows: they would be refused anyway
                for l in range(start, count):
                    self.w[self.V[l]] = 0.0
                return refused + count - start
            for l in range(k):
                ridge[l] = self.l2 * self.f2[self.V[start + l]]
            at = self.factor.size
            faults = factor_append(&self.factor, self.G, self.ldg, self.A, self.V + start, k, ridge, TINY, floor, kept)
            if faults and floor:
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
        for i in range(self.pinned):
            j = self.P[i]
            simd.axpy(self.m, self.base[j] - self.w[j], self.G + j * self.ldg, self.g)
            self.noise += ROUNDING * fabs(self.w[j] - self.base[j]) * sqrt(self.G[j * self.ldg + j])
        for i in range(self.based):
            j = self.B[i]
            if self.where[j] == -1:
                simd.axpy(self.m, self.base[j], self.G + j * self.ldg, self.g)

    cdef double misfit(self) noexcept nogil:
        """x <- gradient within the sign cell, in the order of A; returns its largest share of the penalty."""
        cdef Py_ssize_t i, j
        cdef double worst = 0.0, share
        for i in range(self.factor.size):
            j = self.A[i]
            self.x[i] = self.g[j] - self.l1 * self.f1[j] * self.sign[i] - self.l2 * self.f2[j] * self.w[j]
            share = fabs(self.x[i]) - self.noise * sqrt(self.G[j * self.ldg + j])
            share /= self.l1 * self.f1[j] if self.l1 * self.f1[j] > 0.0 else self.size
            if share > worst:
                worst = share
        return worst

    cdef double objective(self) noexcept nogil:
        """Value at w, up to a constant; needs g."""
        cdef Py_ssize_t i, j
        cdef double total = 0.0, w
        for i in range(self.factor.size):
            j = self.A[i]
            w = self.w[j]
            total -= 0.5 * (w - self.base[j]) * (self.q[j] + self.g[j])
            total += self.l1 * self.f1[j] * fabs(w) + 0.5 * self.l2 * self.f2[j] * w * w
        for i in range(self.pinned):
            j = self.P[i]
            w = self.w[j]
            total -= 0.5 * (w - self.base[j]) * (self.q[j] + self.g[j])
            total += self.l1 * self.f1[j] * fabs(w) + 0.5 * self.l2 * self.f2[j] * w * w
        for i in range(self.based):
            j = self.B[i]
            if self.where[j] == -1:
                total += 0.5 * self.base[j] * (self.q[j] + self.g[j])
        return total

    cdef void solve_cell(self) noexcept nogil:
        """x <- the minimum for the signs of A, were they not to change."""
        cdef Py_ssize_t i, j, k
        for i in range(self.factor.size):
            j = self.A[i]
            self.x[i] = self.q[j] - self.l1 * self.f1[j] * self.sign[i] - self.l2 * self.f2[j] * self.base[j]
        for k in range(self.pinned):
            j = self.P[k]
            for i in range(self.factor.size):
                self.x[i] -= (self.w[j] - self.base[j]) * self.G[j * self.ldg + self.A[i]]
        for k in range(self.based):
            j = self.B[k]
            if self.where[j] == -1:
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
            if self.where[j] != -1 or not self.sides[j]:
                continue
            bound = self.l1 * self.f1[j] * (1.0 + SLACK)
            if fabs(self.g[j]) <= bound or not self.sides[j] & (POSITIVE if self.g[j] > 0.0 else NEGATIVE):
                continue
            if fabs(self.g[j]) > bound + self.noise * sqrt(self.G[j * self.ldg + j]):
                self.V[count] = <int>j
                count += 1
        return count

    # ---------------------------------------------------------------- bounds other than zero

    cdef void pin(self, Py_ssize_t j, double bound) noexcept nogil:
        """Hold a feature that is not in A at a bound."""
        self.w[j] = bound
        if bound != 0.0:
            self.where[j] = PINNED
            self.P[self.pinned] = <int>j
            self.pinned += 1
        self.changes += 1

    cdef void list_pinned(self) noexcept nogil:
        """P <- those of its features that are still pinned."""
        cdef Py_ssize_t i, n = 0
        for i in range(self.pinned):
            if self.where[self.P[i]] == PINNED:
                self.P[n] = self.P[i]
                n += 1
        self.pinned = n

    cdef int release(self) noexcept nogil:
        """V <- pinned features that want to go back inside, no longer pinned, their signs in `entry`."""
        cdef Py_ssize_t i, j
        cdef int count = 0
        cdef double rate, slack
        for i in range(self.pinned):
            j = self.P[i]
            rate = self.g[j] - self.l2 * self.f2[j] * self.w[j]
            rate = rate - self.l1 * self.f1[j] if self.w[j] > 0.0 else -rate - self.l1 * self.f1[j]
            slack = SLACK * self.l1 * self.f1[j] + self.noise * sqrt(self.G[j * self.ldg + j])
            if rate < -slack:
                self.where[j] = -1
                self.V[count], self.entry[count] = <int>j, self.w[j]
                count += 1
        if count:
            self.list_pinned()
        return count

    cdef void adopt_support(self) noexcept nogil:
        """A <- features with w != 0, signs from w, P <- those at a bound; pivots that are rounding noise are raised."""
        cdef Py_ssize_t i, j
        cdef int count = 0
        for i in range(self.factor.size):
            j = self.A[i]
            if self.w[j] == 0.0 or not self.lower[j] < self.w[j] < self.upper[j]:
                self.leave[count] = <int>i
                self.kinks[count].t, self.kinks[count].place = self.w[j], <int>j
                count += 1
            elif self.sign[i] * self.w[j] < 0.0:
                self.sign[i] = -self.sign[i]
                self.changes += 1
        if count:
            self.drop(count)
            for i in range(count):
                self.pin(self.kinks[i].place, self.kinks[i].t)
        count = 0
        for i in range(self.pinned):
            j = self.P[i]
            if self.w[j] == 0.0 or self.lower[j] < self.w[j] < self.upper[j]:
                self.where[j] = -1
                self.changes += 1
        self.list_pinned()
        for j in range(self.m):
            if self.w[j] != 0.0 and self.where[j] == -1:
                if not self.lower[j] < self.w[j] < self.upper[j]:
                    self.pin(j, self.w[j])
                    continue
                self.V[count], self.entry[count] = <int>j, self.w[j]
                count += 1
        if count:
            self.append(count, True)
