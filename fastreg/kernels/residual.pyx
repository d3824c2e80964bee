"""Solution of the elastic net on a residual, one alpha after the other: no Gram matrix, X itself is read.

For features that are sparse, or more than there are rows.  Coordinate descent on the active features finds the signed
support; a Newton step by preconditioned conjugate gradients with an exact line search through the kinks finishes
(Nocedal & Wright 2006, 5.1; Lee et al. 2007, feature-sign search).

    minimise over w    1/(2 S) sum_i s_i r_i^2 + sum_j ( l1 f1_j |w_j| + l2 f2_j / 2 w_j^2 ),   lower <= w <= upper

with r = y - sum_j w_j (x_j - mean_j).  What is kept of r is t_i = s_i (r_i - offset): an update then costs the entries
of its column only, the means enter by the scalar offset.
"""
from libc.math cimport INFINITY, fabs, sqrt
from libc.stdint cimport int64_t
from libc.stdlib cimport qsort
from libc.string cimport memcpy, memset

from ._simd cimport integer, real, simd
from .by_rows cimport RowSet
from .cell cimport Kink, by_t, shuffle
from .columns cimport (
    MOST_PARTS, Columns, Shares, axpy, combine, copy, correlate, dot, entries_of, fetch, share_out, square
)
from .parts cimport Team

import numpy as np


cdef enum:
    MOST_PRODUCTS = 1000   # of a Newton step,
    ROUGH_PRODUCTS = 100   # and while features still enter
    COPIES = 5 << 17       # entries of columns copied to be near each other, or a sixteenth of X if that is more

cdef double WATCH = 4e8        # entries read between two calls of `watch`

cdef double SLACK = 1e-11      # of the penalty: a gradient off it by less is on it
cdef double SINGULAR = 1e-12  # of the diagonal: a curvature below is rounding noise
cdef double FINE = 0.7         # of the goal: how exact the last step is
cdef double NEAR = 0.8         # of the penalty: a gradient below is looked at last
cdef double MANY = 0.1         # of the features in use: if so many enter, sweeps sort out which of them stay,
cdef double SETTLED = 5e-3     # until one sends fewer to zero
cdef double ROUGH = 3e-2       # of the gap: how exact a Newton step is while features still enter


cdef class ResidualSet:
    """Coefficients and residual of one problem on the features that `extend` brought, numbered in that order."""

    cdef readonly Py_ssize_t m
    cdef public long carried        # sweeps and steps spent on the way to the next alpha
    cdef public double goal         # duality gap to reach on these features
    cdef Py_ssize_t n, capacity
    cdef Py_ssize_t seen            # features that the last prediction knew
    cdef dict arrays
    cdef Columns x
    cdef const double* y
    cdef const double* s            # weights, or NULL: ones
    cdef double total, offset, older_offset, l1, l2, last_l1, older_l1
    cdef double *w
    cdef double *g
    cdef double *older              # solution before the last, with its gradients and residual
    cdef double *older_g
    cdef double *older_t
    cdef double *mean
    cdef double *norm               # (m,) sum s (x - mean)^2 / S
    cdef double *f1
    cdef double *f2
    cdef double *lower
    cdef double *upper
    cdef double *b                  # (f,) gradient on the free features, and what conjugate gradients leave of it
    cdef double *d
    cdef double *z
    cdef double *h
    cdef double *t                  # (n,)
    cdef double *u                  # (n,) weights * X z, centred, for the last direction z ...
    cdef double *v                  # ... and for the sum of all steps, d
    cdef int *A
    cdef int active, free
    cdef int *F
    cdef Shares dots, sums          # of F
    cdef Kink *kinks
    cdef unsigned long long seed    # 0: cyclic order
    cdef double read                # entries since the last call of `watch`
    cdef object watch               # what raises where the work is to end
    cdef object reason              # what it raised
    cdef bint interrupted
    cdef bint rough                 # whether the last Newton step was less exact than the goal
    cdef bint known                 # whether t and g are those at w
    cdef object held                # what the pointers into arrays of others rest on

    def __init__(self, const double[::1] y, const double[::1] weights, double total, unsigned long long seed=0,
                 watch=None):
        self.n = self.x.n = weights.shape[0] if y is None else y.shape[0]
        self.y, self.s = NULL if y is None else &y[0], NULL if weights is None else &weights[0]
        self.total, self.seed = total, seed
        self.held = [y, weights]
        t = np.zeros((4, self.n))
        cdef double[:, ::1] rows = t
        self.t, self.u, self.v, self.older_t = &rows[0, 0], &rows[1, 0], &rows[2, 0], &rows[3, 0]
        self.x.sums, self.x.team = NULL, NULL
        self.arrays = {"t": t, "near_index": np.empty(1, np.int32), "near_value": np.empty(1)}
        self.x.room, self.x.short_places, self.x.near.wide, self.x.near.single = 1, False, False, False
        self.goal = self.read = 0.0
        self.watch, self.interrupted, self.known = watch, False, False
        self.last_l1 = self.older_l1 = 0.0
        self.reserve(8)

    def reserve(self, Py_ssize_t capacity):
        """Make room for `capacity` features."""
        if capacity <= self.capacity:
            return
        capacity = max(capacity, 2 * self.capacity)

        def room(name, dtype):
            array = np.zeros(capacity, dtype)
            if name in self.arrays:
                array[: self.m] = self.arrays[name][: self.m]
            self.arrays[name] = array
            return array

        cdef double[::1] reals
        cdef int[::1] ints
        cdef int64_t[::1] places
        cdef unsigned char[::1] raw
        reals = room("w", np.float64); self.w = &reals[0]
        reals = room("g", np.float64); self.g = &reals[0]
        reals = room("older", np.float64); self.older = &reals[0]
        reals = room("older_g", np.float64); self.older_g = &reals[0]
        reals = room("mean", np.float64); self.mean = &reals[0]
        reals = room("norm", np.float64); self.norm = &reals[0]
        reals = room("f1", np.float64); self.f1 = &reals[0]
        reals = room("f2", np.float64); self.f2 = &reals[0]
        reals = room("lower", np.float64); self.lower = &reals[0]
        reals = room("upper", np.float64); self.upper = &reals[0]
        reals = room("b", np.float64); self.b = &reals[0]
        reals = room("d", np.float64); self.d = &reals[0]
        reals = room("z", np.float64); self.z = &reals[0]
        reals = room("h", np.float64); self.h = &reals[0]
        places = room("starts", np.int64); self.x.starts = <void*>&places[0]
        places = room("stops", np.int64); self.x.stops = <void*>&places[0]
        raw = room("copied", np.uint8); self.x.copied = &raw[0]
        ints = room("A", np.int32); self.A = &ints[0]
        ints = room("F", np.int32); self.F = &ints[0]
        kinks = np.empty(2 * capacity * sizeof(Kink), np.uint8)
        raw = kinks
        self.arrays["kinks"], self.kinks = kinks, <Kink*>&raw[0]
        self.capacity = capacity

    def extend(self, const double[::1] mean, const double[::1] norm, const double[::1] f1, const double[::1] f2,
               const double[::1] lower, const double[::1] upper):
        """Append features: their means, norms (zero: constant), penalty factors and bounds."""
        cdef Py_ssize_t k = mean.shape[0], j, at
        self.reserve(self.m + k)
        for j in range(k):
            at = self.m + j
            self.mean[at], self.norm[at], self.f1[at], self.f2[at] = mean[j], norm[j], f1[j], f2[j]
            self.lower[at], self.upper[at] = lower[j], upper[j]
            self.w[at] = self.older[at] = 0.0
        self.m += k

    def read_sparse(self, const integer[::1] index, const real[::1] value, const int64_t[::1] starts,
                    const int64_t[::1] stops, bint scattered):
        """Where the entries of all features are; `scattered`: among those of many others."""
        self.x.X.index = <const void*>(&index[0] if index.shape[0] else NULL)
        self.x.X.value = <const void*>(&value[0] if value.shape[0] else NULL)
        self.x.X.wide, self.x.X.single = integer is int64_t, real is float
        self.x.packed, self.x.rows = NULL, NULL
        memcpy(self.x.starts, &starts[0], self.m * sizeof(int64_t))
        memcpy(self.x.stops, &stops[0], self.m * sizeof(int64_t))
        memset(self.x.copied, 0, self.m)
        cdef Py_ssize_t room = max(COPIES, value.shape[0] // 16) if scattered else 0
        room = min(room, (np.asarray(stops) - np.asarray(starts)).sum())
        if room > self.x.room:
            self.arrays["near_index"], self.arrays["near_value"] = np.empty(room, np.int32), np.empty(room)
            self.x.room = room
        cdef double[:, ::1] sums
        if self.x.sums == NULL:
            sums = self.arrays["sums"] = np.empty((MOST_PARTS - 1, self.n))
            self.x.sums = &sums[0, 0]
        cdef int[::1] near_index = self.arrays["near_index"]
        cdef double[::1] near_value = self.arrays["near_value"]
        self.x.near_index, self.x.near_value, self.x.used = &near_index[0], &near_value[0], 0
        self.x.near.index, self.x.near.value = self.x.near_index, self.x.near_value
        self.held = [*self.held[:2], index, value]

    def read_rows(self, RowSet rows, const int[::1] number, const int64_t[::1] counts, Py_ssize_t room):
        """All features out of a matrix of rows: their columns there, and how many entries each has.

        Columns are copied for as long as they are swept over, `room` entries of them at a time, or the longest one.
        """
        rows.x.number = &number[0]
        self.x.rows, self.x.packed, self.x.m = &rows.x, NULL, self.m
        memset(self.x.starts, 0, self.m * sizeof(int64_t))
        memcpy(self.x.stops, &counts[0], self.m * sizeof(int64_t))
        self.forget_copies()
        self.x.room, self.x.sums = max(room, np.max(counts)), NULL
        self.arrays.pop("sums", None)               # of columns in parts
        self.held = [*self.held[:2], rows, number]

    cdef void forget_copies(self):
        """Nothing is kept of a matrix of rows from one call of `solve` to the next."""
        self.arrays["near_index"] = self.arrays["near_value"] = None
        memset(self.x.copied, 0, self.m)
        self.x.used = 0

    cdef void make_room(self):
        cdef int[::1] near_index = np.empty(self.x.room, np.int32)
        cdef double[::1] near_value = np.empty(self.x.room)
        self.arrays["near_index"], self.arrays["near_value"] = near_index, near_value
        self.x.near_index, self.x.near_value = &near_index[0], &near_value[0]
        self.x.near.index, self.x.near.value = self.x.near_index, self.x.near_value

    def read_packed(self, const double[:, ::1] columns):
        """All features as rows (m, n), their means taken off."""
        self.x.packed = &columns[0, 0] if columns.shape[0] else NULL
        self.held = [*self.held[:2], columns]

    def join(self, Team team):
        """Let the helpers of a team take part in products, or nobody (None)."""
        self.x.team = NULL if team is None else &team.state
        self.arrays["team"] = team

    def place(self, const int[::1] index, const double[::1] value):
        """Move to the point w[index] = value, zero elsewhere."""
        cdef Py_ssize_t i
        for i in range(self.m):
            self.w[i] = 0.0
        for i in range(index.shape[0]):
            if self.norm[index[i]] > 0.0:
                self.w[index[i]] = value[i]
        self.last_l1 = self.older_l1 = 0.0
        self.known = False

    def arrive(self, const double[::1] w, const double[::1] t, double offset, const double[::1] g):
        """Move to the point w (m,) at which t (n,), the offset and the gradients g (m,) are known; y is not needed."""
        cdef Py_ssize_t j
        for j in range(self.m):
            self.w[j], self.g[j] = w[j] if self.norm[j] > 0.0 else 0.0, g[j]
        if self.n:
            memcpy(self.t, &t[0], self.n * sizeof(double))
        self.offset = offset
        self.last_l1 = self.older_l1 = 0.0
        self.known = True

    def solve(
        self,
        const double[::1] l1,            # in   (L,)
        const double[::1] l2,            # in   (L,)
        const unsigned char[::1] between,  # in  (L,)  1: a step on the way, whose work counts for the alpha after it
        long max_iter,                   # in   sweeps plus Newton steps an alpha
        double budget,                   # in   stop after the alpha that brings steps times rows above this
        int[::1] index,                  # out  nonzero features of the solutions, one after the other
        double[::1] value,               # out  their coefficients
        Py_ssize_t[::1] stops,           # out  (L + 1,)  where each solution ends
        long long[::1] n_iter,           # out  (L,)
    ):
        """Solve for one pair of penalties after the other; returns how many were done (budget, or room in `index`)."""
        cdef Py_ssize_t k = 0, j, filled = 0
        cdef double spent = 0.0
        stops[0] = 0
        if self.x.rows != NULL:
            self.make_room()
        with nogil:
            if not self.known:
                self.recompute()
                self.look(False)
            while k < l1.shape[0] and spent <= budget and filled + self.m <= index.shape[0]:
                self.predict(l1[k])
                self.l1, self.l2 = l1[k], l2[k]
                n_iter[k] = self.solve_one(max(0, max_iter - self.carried))
                self.carried = self.carried + n_iter[k] if between[k] else 0
                for j in range(self.m):
                    if self.w[j] != 0.0:
                        index[filled] = <int>j
                        value[filled] = self.w[j]
                        filled += 1
                spent += <double>n_iter[k] * self.n * 20
                k += 1
                stops[k] = filled
                if self.interrupted:
                    break
        self.known = False                          # a later call starts from scratch: nothing has cancelled then
        if self.x.rows != NULL:
            self.forget_copies()
        if self.interrupted:
            reason, self.reason, self.interrupted = self.reason, None, False
            raise reason
        return k

    cdef void count_reading(self, double entries) noexcept nogil:
        """After so much of it, let `watch` say whether the work is to end."""
        self.read += entries
        if self.read < WATCH or self.watch is None:
            return
        self.read = 0.0
        with gil:
            try:
                self.watch()
            except BaseException as reason:
                self.reason, self.interrupted = reason, True

    def gradients(self, const double[::1] w):
        """(m,) derivatives of the loss at the point w, with a minus."""
        cdef Py_ssize_t j
        for j in range(self.m):
            self.w[j] = w[j]
        self.recompute()
        self.look(False)
        return np.array(<double[:self.m]>self.g)

    # ---------------------------------------------------------------- columns

    cdef inline double gradient(self, int j) noexcept nogil:
        return dot(&self.x, j, self.t) / self.total + self.offset * self.mean[j]

    cdef void recompute(self) noexcept nogil:
        """t from w, from scratch, with an offset of zero: nothing cancels but what moves from here on."""
        cdef Py_ssize_t i
        cdef int j, count = 0
        cdef double level = 0.0, y
        for j in range(<int>self.m):
            if self.w[j] != 0.0:
                self.F[count], self.h[count] = j, self.w[j]
                count += 1
                level += self.w[j] * self.mean[j]
        combine(&self.x, self.F, count, self.h, level, self.s, self.t)
        for i in range(self.n):
            y = self.y[i] if self.s == NULL else self.s[i] * self.y[i]
            self.t[i] = y - self.t[i]
        self.offset = 0.0

    cdef double squares(self) noexcept nogil:
        """r'r, weighted, over the total weight."""
        cdef double a = 0.0, r
        cdef Py_ssize_t i
        for i in range(self.n):
            if self.s == NULL:
                r = self.t[i] + self.offset
                a += r * r
            elif self.s[i] > 0.0:
                r = self.t[i] / self.s[i] + self.offset
                a += self.s[i] * r * r
        return a / self.total

    # ---------------------------------------------------------------- one alpha

    cdef void predict(self, double l1) noexcept nogil:
        """Follow the line through the last two solutions, signs kept; gradients and residual are on it too."""
        cdef Py_ssize_t j, i
        cdef int off = 0
        cdef double share = 0.0, w, new
        self.known &= self.older_l1 <= self.last_l1     # there is a line to follow
        if self.older_l1 > self.last_l1 > l1:
            share = min(2.0, (self.last_l1 - l1) / (self.older_l1 - self.last_l1))
        for i in range(self.n):
            w = self.t[i]
            self.t[i] += share * (w - self.older_t[i])
            self.older_t[i] = w
        w = self.offset
        self.offset += share * (w - self.older_offset)
        self.older_offset = w
        for j in range(self.m):
            w, new = self.g[j], self.w[j] + share * (self.w[j] - self.older[j])
            if j < self.seen:
                self.g[j] += share * (w - self.older_g[j])
            self.older_g[j] = w
            w, self.older[j] = self.w[j], self.w[j]
            self.w[j] = min(max(new, self.lower[j]), self.upper[j])
            if self.w[j] * w <= 0.0:
                self.w[j] = 0.0
            if self.w[j] != new:
                self.F[off], self.b[off] = <int>j, new - self.w[j]
                off += 1
        self.take_back(off)
        self.older_l1, self.last_l1, self.seen = self.last_l1, l1, self.m

    cdef long solve_one(self, long max_iter) noexcept nogil:
        """Solve for the current l1, l2 from the current w and g; returns sweeps plus Newton steps."""
        cdef long steps = 0
        cdef int worse = 0, turned = 0
        cdef double gap = self.judge(), value, lowest = INFINITY
        cdef bint settling
        if gap <= self.goal:
            gap = self.look(False)                  # predicted gradients are no proof
        while gap > self.goal and steps < max_iter and not self.interrupted:
            value = self.objective()
            worse += not value < lowest
            lowest = min(value, lowest)
            if worse > 1:
                return self.descend(steps, max_iter)
            settling = self.active > MANY * self.free
            self.sweep()
            steps += 1
            while settling and steps < max_iter and not self.interrupted:
                settling = self.settle()
                steps += 1
            turned = 1
            while turned > 0 and steps < max_iter and not self.interrupted:
                turned = self.newton(gap, False)
                steps += 1
            gap = self.look(self.rough)
        return steps

    cdef bint settle(self) noexcept nogil:
        """A sweep over the features in use; whether it sends so many to zero that another one pays."""
        cdef int j, k, left = 0
        self.active = 0
        for j in range(<int>self.m):
            if self.w[j] != 0.0 and self.lower[j] < self.w[j] < self.upper[j]:
                self.A[self.active] = j
                self.active += 1
        self.sweep()
        for k in range(self.active):
            left += self.w[self.A[k]] == 0.0
        self.count_reading(2.0 * entries_of(&self.x, self.A, self.active))
        return left > SETTLED * self.active

    cdef long descend(self, long steps, long max_iter) noexcept nogil:
        """Where guesses of the support do not settle: steps each of which lowers the objective."""
        cdef int j
        cdef double gap
        while True:
            gap = self.look(False)
            if gap <= self.goal or steps >= max_iter or self.interrupted:
                return steps
            for j in range(<int>self.m):
                if self.w[j] != 0.0 and not self.enters(j):
                    self.A[self.active] = j
                    self.active += 1
            self.sweep()
            steps += 1
            if steps < max_iter:
                self.newton(gap, True)
                steps += 1

    cdef double look(self, bint nearby) noexcept nogil:
        """Gradients of all features, or of those alone that are not far from leaving zero; then as `judge`."""
        cdef int j, k, count = 0
        for j in range(<int>self.m):
            if not (nearby and fabs(self.g[j]) < NEAR * self.l1 * self.f1[j]):
                self.F[count] = j
                count += 1
        correlate(&self.x, self.F, count, self.t, self.h)
        self.count_reading(entries_of(&self.x, self.F, count))
        for k in range(count):
            j = self.F[k]
            self.g[j] = self.h[k] / self.total + self.offset * self.mean[j]
        self.known = not nearby
        return self.judge()

    cdef double judge(self) noexcept nogil:
        """A <- features that should leave zero or a bound; returns the duality gap."""
        cdef int j
        self.active = 0
        for j in range(<int>self.m):
            if self.norm[j] > 0.0 and self.enters(j):
                self.A[self.active] = j
                self.active += 1
        return self.gap()

    cdef bint enters(self, int j) noexcept nogil:
        """Whether a coefficient at zero or at a bound should move."""
        cdef double l1 = self.l1 * self.f1[j], w = self.w[j], slack = SLACK * l1
        cdef double up = self.g[j] - self.l2 * self.f2[j] * w - (l1 if w >= 0.0 else -l1)
        cdef double down = self.g[j] - self.l2 * self.f2[j] * w - (l1 if w > 0.0 else -l1)
        if w != 0.0 and self.lower[j] < w < self.upper[j]:
            return False
        return up > slack and w < self.upper[j] or down < -slack and w > self.lower[j]

    cdef double objective(self) noexcept nogil:
        cdef Py_ssize_t j
        cdef double total = 0.5 * self.squares()
        for j in range(self.m):
            total += self.l1 * self.f1[j] * fabs(self.w[j]) + 0.5 * self.l2 * self.f2[j] * self.w[j] * self.w[j]
        return total

    cdef double gap(self) noexcept nogil:
        """Duality gap on the features at hand, from g; what unpenalised ones lack enters by a bound."""
        cdef Py_ssize_t j
        cdef double kappa = 1.0, total = 0.0, off = 0.0, excess, bound, c, l1, l2
        for j in range(self.m):
            l1, l2 = self.l1 * self.f1[j], self.l2 * self.f2[j]
            bound = self.upper[j] if self.g[j] > 0.0 else -self.lower[j]
            excess = fabs(self.g[j]) - l1
            if excess <= 0.0 or self.norm[j] == 0.0:
                continue
            if l1 == 0.0 and l2 == 0.0:
                if self.w[j] == (self.upper[j] if self.g[j] > 0.0 else self.lower[j]):
                    continue                        # a bound holds it
                off += excess * excess / self.norm[j]
            elif bound == 0.0:
                continue
            elif l2 > 0.0:
                c = min(excess / l2, bound)
                total += c * (excess - 0.5 * l2 * c)
            elif bound < INFINITY:
                total += excess * bound
            elif fabs(self.g[j]) * kappa > l1:
                kappa = l1 / fabs(self.g[j])
        if kappa < 1.0:
            total += 0.5 * (1.0 - kappa) * (1.0 - kappa) * self.squares()
        for j in range(self.m):
            if self.w[j] != 0.0:
                l1, l2 = self.l1 * self.f1[j], self.l2 * self.f2[j]
                if l1 > 0.0 or l2 > 0.0:
                    total += l1 * fabs(self.w[j]) + 0.5 * l2 * self.w[j] * self.w[j] - kappa * self.g[j] * self.w[j]
                    total += sqrt(off * self.norm[j]) * fabs(self.w[j])
        return total + off

    cdef inline double reach(self, int j) noexcept nogil:
        return self.f1[j] if self.f1[j] > 0.0 else 1.0

    cdef void sweep(self) noexcept nogil:
        """One round of coordinate descent over A."""
        cdef int k, j, at_hand = 0
        cdef double g, z, new, l1, delta
        shuffle(self.A, self.active, &self.seed)
        self.known &= self.active == 0
        for k in range(self.active):
            if k == at_hand:
                at_hand += fetch(&self.x, self.A + k, self.active - k)
            j = self.A[k]
            g = self.gradient(j)
            l1 = self.l1 * self.f1[j]
            z = g + self.norm[j] * self.w[j]
            new = z - l1 if z > l1 else z + l1 if z < -l1 else 0.0
            new = min(max(new / (self.norm[j] + self.l2 * self.f2[j]), self.lower[j]), self.upper[j])
            delta = new - self.w[j]
            if delta != 0.0:
                self.w[j] = new
                axpy(&self.x, j, -delta, self.s, self.t)
                self.offset += delta * self.mean[j]

    cdef void product(self, const double* v) noexcept nogil:
        """h <- H v on the free features, u <- X v less its weighted mean, times the weights."""
        cdef int k
        cdef double level = 0.0
        for k in range(self.free):
            level += v[k] * self.mean[self.F[k]]
        square(&self.x, self.F, self.free, v, level, self.s, self.u, self.h, &self.sums, &self.dots)
        for k in range(self.free):
            self.h[k] = self.h[k] / self.total + self.l2 * self.f2[self.F[k]] * v[k]

    cdef int newton(self, double gap, bint careful) noexcept nogil:
        """A Newton step on the free features; returns how many left them.

        It need not be exact, next to the present gap, if features have just entered or are going to turn; else it meets
        the goal.

        The whole step, those whose sign turns going to zero, or, if `careful`, to the exact minimum along the line.
        """
        cdef int k, j, products = 0
        cdef double rz = 0.0, rz_new, step, curvature, l1, size = 0.0, left = INFINITY, scale
        cdef double goal = FINE * self.goal, target = max(goal, ROUGH * gap), entries = 0.0
        cdef bint turning = False
        self.free = 0
        for j in range(<int>self.m):
            l1 = self.l1 * self.f1[j]
            if self.norm[j] > 0.0 and (self.w[j] != 0.0 or l1 == 0.0) and self.lower[j] < self.w[j] < self.upper[j]:
                if self.x.packed == NULL and self.x.rows == NULL:
                    copy(&self.x, j)
                self.F[self.free] = j
                self.free += 1
                size += self.reach(j) * fabs(self.w[j])
        share_out(&self.x, self.F, self.free, &self.dots, &self.sums)
        if not self.known:
            correlate(&self.x, self.F, self.free, self.t, self.h, &self.dots)
        for k in range(self.free):
            j = self.F[k]
            l1 = self.l1 * self.f1[j]
            self.b[k] = self.g[j] if self.known else self.h[k] / self.total + self.offset * self.mean[j]
            self.b[k] -= self.l2 * self.f2[j] * self.w[j]
            self.b[k] -= l1 if self.w[j] > 0.0 else -l1
        # the gap is of first order in the gradient: its largest entry over the penalty, times the penalty of w
        for k in range(self.free):
            j = self.F[k]
            self.d[k] = 0.0
            self.z[k] = self.b[k] / (self.norm[j] + self.l2 * self.f2[j])
            rz += self.b[k] * self.z[k]
        memset(self.v, 0, self.n * sizeof(double))
        entries = entries_of(&self.x, self.F, self.free)
        # `z` is the direction from here on; `b` the residual of the linear system
        while rz > 0.0 and products < (MOST_PRODUCTS if target == goal else ROUGH_PRODUCTS):
            if left * size <= target:
                if self.active > 0 or turning or target == goal:
                    break
                target = goal
                for k in range(self.free):
                    j = self.F[k]
                    turning |= self.l1 * self.f1[j] > 0.0 and (self.w[j] + self.d[k]) * self.w[j] <= 0.0
                if turning or left * size <= target:
                    break
            self.product(self.z)
            products += 1
            self.count_reading(2.0 * entries)
            if self.interrupted:
                break
            curvature = 0.0
            for k in range(self.free):
                curvature += self.z[k] * self.h[k]
            scale = 0.0
            for k in range(self.free):
                j = self.F[k]
                scale += self.z[k] * self.z[k] * (self.norm[j] + self.l2 * self.f2[j])
            if not curvature > SINGULAR * scale:    # downhill for ever, but for the kinks
                careful = True
                simd.axpy(self.free, rz / (SINGULAR * scale), self.z, self.d)
                simd.axpy(self.n, rz / (SINGULAR * scale), self.u, self.v)
                break
            step = rz / curvature
            simd.axpy(self.n, step, self.u, self.v)
            rz_new = left = 0.0
            for k in range(self.free):
                j = self.F[k]
                self.d[k] += step * self.z[k]
                self.b[k] -= step * self.h[k]
                left = max(left, fabs(self.b[k]) / self.reach(j))
                rz_new += self.b[k] * self.b[k] / (self.norm[j] + self.l2 * self.f2[j])
            for k in range(self.free):
                j = self.F[k]
                self.z[k] = self.b[k] / (self.norm[j] + self.l2 * self.f2[j]) + (rz_new / rz) * self.z[k]
            rz = rz_new
        self.rough = target > goal
        if products == 0:
            return 0
        self.known = False
        return self.move_carefully() if careful else self.move()

    cdef void advance(self, double t) noexcept nogil:
        """Residual after w += t d."""
        cdef Py_ssize_t i
        for i in range(self.n):
            self.t[i] -= t * self.v[i]

    cdef int move(self) noexcept nogil:
        """The whole step; those that turn go to zero, those that leave their bounds to the bound; returns how many."""
        cdef int k, j, turned = 0
        cdef double new, held
        self.advance(1.0)
        for k in range(self.free):
            j = self.F[k]
            new = held = self.w[j] + self.d[k]
            if self.l1 * self.f1[j] > 0.0 and new * self.w[j] <= 0.0:
                held = 0.0
            held = min(max(held, self.lower[j]), self.upper[j])
            self.w[j] = held
            if held != new:
                self.F[turned], self.b[turned] = j, new - held     # both have been read as far as this
                turned += 1
        self.take_back(turned)
        return turned

    cdef void take_back(self, int count) noexcept nogil:
        """The residual is to know that features F went less far than it was told, by b."""
        cdef int k
        for k in range(count):
            self.offset -= self.b[k] * self.mean[self.F[k]]
            if self.x.rows == NULL:
                axpy(&self.x, self.F[k], self.b[k], self.s, self.t)
        if self.x.rows != NULL and count > 0:
            combine(&self.x, self.F, count, self.b, 0.0, self.s, self.u)
            simd.axpy(self.n, 1.0, self.u, self.t)

    cdef int move_carefully(self) noexcept nogil:
        """Go along d to the minimum; returns how many kinks there were."""
        cdef int k, j, count = 0
        cdef double slope = 0.0, curvature = 0.0, t, far, stop = INFINITY, w, l1, g
        self.product(self.d)                        # h = H d
        correlate(&self.x, self.F, self.free, self.t, self.b, &self.dots)
        for k in range(self.free):
            j = self.F[k]
            w, l1 = self.w[j], self.l1 * self.f1[j]
            g = self.b[k] / self.total + self.offset * self.mean[j]
            slope -= self.d[k] * (g - self.l2 * self.f2[j] * w - (l1 if w > 0.0 else -l1))
            curvature += self.d[k] * self.h[k]
        if not (slope < 0.0 and curvature > 0.0):
            return 0
        far = -slope / curvature
        for k in range(self.free):
            j = self.F[k]
            if self.l1 * self.f1[j] > 0.0 and self.w[j] * self.d[k] < 0.0 and -self.w[j] / self.d[k] <= far:
                self.kinks[count].t, self.kinks[count].place = -self.w[j] / self.d[k], k
                count += 1
            t = INFINITY
            if self.d[k] != 0.0:
                t = ((self.upper[j] if self.d[k] > 0.0 else self.lower[j]) - self.w[j]) / self.d[k]
            if t <= far:
                self.kinks[count].t, self.kinks[count].place = t, -1 - k
                count += 1
        qsort(self.kinks, count, sizeof(Kink), by_t)
        t = far
        for k in range(count):
            if slope + self.kinks[k].t * curvature >= 0.0:
                break
            if self.kinks[k].place < 0:
                slope = INFINITY                    # a bound: no further
            else:
                slope += 2.0 * self.l1 * self.f1[self.F[self.kinks[k].place]] * fabs(self.d[self.kinks[k].place])
            if slope + self.kinks[k].t * curvature >= 0.0:
                stop = self.kinks[k].t
                break
            t = -slope / curvature
        t = min(t, stop)
        for k in range(self.free):
            j = self.F[k]
            w = self.w[j]
            self.w[j] += t * self.d[k]
            if self.l1 * self.f1[j] > 0.0 and w * self.d[k] < 0.0 and -w / self.d[k] == t:
                self.w[j] = 0.0
            self.w[j] = min(max(self.w[j], self.lower[j]), self.upper[j])
        self.advance(t)
        return count
