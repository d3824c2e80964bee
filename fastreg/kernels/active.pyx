"""Exact solution of the elastic net in a `SignCell`, one alpha after the other.

The active set A is guessed with its signs, the equations of that sign cell are solved, features of the wrong sign
leave, features whose gradient exceeds their penalty enter (a primal-dual active set, as in Hintermueller, Ito & Kunisch
2002, started by coordinate descent on the entrants).  Where that does not settle, monotone steps take over: coordinate
descent with covariance updates, then a Newton step on the signed support with an exact line search through the kinks
(Lee et al. 2007, feature-sign search).
"""
from libc.math cimport INFINITY, fabs
from libc.stdlib cimport qsort
from libc.string cimport memcpy, memset

from ._simd cimport simd
from .cell cimport NEGATIVE, POSITIVE, Kink, SignCell, by_t, shuffle
from .factor cimport factor_solve
from .parts cimport Part

cdef enum:
    ROUNDS = 40            # guesses of the active set for one alpha before monotone steps take over

cdef double SLACK = 1e-11      # of the penalty: a gradient off it by less is on it


cdef inline double shrink(double z, double l1, int sides) noexcept nogil:
    """Soft threshold of z, kept to the allowed signs."""
    if z > l1 and sides & POSITIVE:
        return z - l1
    if z < -l1 and sides & NEGATIVE:
        return z + l1
    return 0.0


cdef class ActiveSet(SignCell):
    """A problem that solves itself: `solve` does the work."""

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
        long long[::1] n_iter,                # out  (L,)
        long long[::1] version,               # out  (L,)  two solutions have the same signed support if it is the same
    ):
        """Solve for one pair of penalties after the other; returns how many were done (budget, or room in `index`)."""
        cdef Solve part = Solve(self, G, l1, l2, between, max_iter, budget, index, value, stops, n_iter, version)
        part.do()
        return part.done

    def propose(
        self,
        const double[:, ::1] G,          # in   (>= m, >= m)
        const double[::1] g,             # in   (m,)  gradient at w, with a minus
        const double[::1] means,         # in   (m,)  what an eliminated intercept adds to it,
        double ahead,                    # in   times this
        const double[::1] w,             # in   (m,)
        double scale,                    # in   G is to be multiplied by it
        double l1,
        double l2,
        long max_iter,
        double[::1] target,              # out  (m,)  the minimum
    ):
        """The minimum of a model around w; G and the factor stay as they are, but for their scale if l2 is zero."""
        if self.m == 0:
            return
        with nogil:
            self.propose_at(&G[0, 0], G.shape[1], &g[0], &means[0], ahead, &w[0], scale, l1, l2, max_iter, &target[0])

    cdef void propose_at(self, const double* G, Py_ssize_t ldg, const double* g, const double* means, double ahead,
                         const double* w, double scale, double l1, double l2, long max_iter,
                         double* target) noexcept nogil:
        """As `propose`."""
        cdef Py_ssize_t i, j, m = self.m
        cdef bint away = False
        self.G, self.ldg = G, ldg
        if l2 != 0.0:
            scale = 1.0
        self.l1, self.l2 = l1 / scale, l2
        for i in range(self.based):
            self.base[self.B[i]] = 0.0
        self.based = 0
        for j in range(m):
            self.q[j] = (g[j] - means[j] * ahead) / scale
            away |= self.w[j] != w[j]
            if w[j] != 0.0:
                self.B[self.based] = <int>j
                self.base[j] = w[j]
                self.based += 1
        if away:
            for j in range(m):
                self.w[j] = w[j] if self.sides[j] else 0.0
            self.adopt_support()
        self.carried = 0
        self.solve_one(max_iter)
        memcpy(target, self.w, m * sizeof(double))

    cdef Py_ssize_t write(self, int* index, double* value) noexcept nogil:
        """The nonzero features and their coefficients; returns how many."""
        cdef Py_ssize_t i, size = self.factor.size
        for i in range(size):
            index[i], value[i] = self.A[i], self.w[self.A[i]]
        for i in range(self.pinned):
            index[size + i], value[size + i] = self.P[i], self.w[self.P[i]]
        return size + self.pinned

    # ---------------------------------------------------------------- one alpha

    cdef long solve_one(self, long max_iter) noexcept nogil:
        """Solve for the current l1, l2 from the current w; returns sweeps plus Newton steps."""
        cdef long steps = 0
        cdef int guesses = 0, worse = 0, count, released, i
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
                count = self.leaving()
                if count == 0:
                    break
                self.drop(count)
                for i in range(count):
                    self.pin(self.kinks[i].place, self.kinks[i].t)
            if self.factor.size > 0 and count == 0:
                for i in range(self.factor.size):
                    self.w[self.A[i]] = self.x[i]
            self.gradient()
            steps += self.refine(max_iter - steps)
            released = self.release()
            if released:
                settled = self.append(released, False) == 0
            count = self.violators()
            if count == 0 and released == 0:
                return steps
            value = self.objective()
            if value < lowest:
                lowest = value
                memcpy(self.best, self.w, self.m * sizeof(double))
            else:
                worse += 1
            count = self.screen_entrants(count)
            # copies of features in A are refused, and not missed
            settled &= count == 0 or self.append(count, False) < count
        return self.descend(steps, max_iter)

    cdef int leaving(self) noexcept nogil:
        """`leave` <- places in A whose solution x has turned its sign or left its bounds, `kinks` <- where they go."""
        cdef Py_ssize_t i, j
        cdef int count = 0
        cdef double to
        for i in range(self.factor.size):
            j = self.A[i]
            if self.l1 * self.f1[j] > 0.0 and self.x[i] * self.sign[i] <= 0.0:
                to = 0.0
            elif self.x[i] >= self.upper[j]:
                to = self.upper[j]
            elif self.x[i] <= self.lower[j]:
                to = self.lower[j]
            else:
                continue
            self.leave[count] = <int>i
            self.kinks[count].t, self.kinks[count].place = to, <int>j
            count += 1
        return count

    cdef int refine(self, long most) noexcept nogil:
        """Newton steps within the cell while rounding of the last solve shows, at most `most`; returns how many."""
        cdef double before = INFINITY, now, w
        cdef Py_ssize_t i, j
        cdef int steps = 0
        while steps < min(most, 3):
            now = self.misfit()
            if now <= SLACK or now > 0.5 * before:
                break
            before = now
            factor_solve(&self.factor, self.x)
            for i in range(self.factor.size):
                j = self.A[i]
                w = self.w[j] + self.x[i]
                if (w * self.sign[i] > 0.0 or self.l1 * self.f1[j] == 0.0) and self.lower[j] < w < self.upper[j]:
                    self.w[j] = w
            self.gradient()
            steps += 1
        return steps

    cdef int screen_entrants(self, int count) noexcept nogil:
        """Coordinate descent among the entrants alone, A held fixed: those left at zero are no longer entrants."""
        cdef int k, t, n = 0, j
        cdef double new, delta, biggest, low, high
        cdef Py_ssize_t limit = max(<Py_ssize_t>16, self.factor.size)
        shuffle(self.V, count, &self.seed)
        for k in range(count):
            self.entry[k] = 0.0
            self.entry_g[k] = self.g[self.V[k]]
        for _ in range(2):
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
            for _ in range(20):
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

    # ---------------------------------------------------------------- monotone steps, where guessing does not settle

    cdef void sweep(self, int count) noexcept nogil:
        """One round of coordinate descent over V[:count]; keeps g of all features current."""
        cdef int k, j
        cdef double curvature, new, delta
        shuffle(self.V, count, &self.seed)
        for k in range(count):
            j = self.V[k]
            curvature = self.G[j * self.ldg + j]
            if not curvature > 0.0:
                continue
            new = shrink(self.g[j] + curvature * self.w[j], self.l1 * self.f1[j], self.sides[j])
            new = min(max(new / (curvature + self.l2 * self.f2[j]), self.lower[j]), self.upper[j])
            delta = new - self.w[j]
            if delta != 0.0:
                self.w[j] = new
                simd.axpy(self.m, -delta, self.G + j * self.ldg, self.g)

    cdef void newton(self) noexcept nogil:
        """A Newton step on the signed support, to the exact minimum along the line, through sign changes."""
        cdef Py_ssize_t i, j
        cdef int count = 0, k
        cdef double slope = 0.0, curvature = 0.0, t, far, stop = INFINITY, wall = INFINITY, edge
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
            if self.w[j] * self.d[i] < 0.0 and self.l1 * self.f1[j] > 0.0 and self.sides[j] == POSITIVE | NEGATIVE:
                t = -self.w[j] / self.d[i]
                if t <= far:
                    self.kinks[count].t, self.kinks[count].place = t, <int>i
                    count += 1
            edge = self.upper[j] if self.d[i] > 0.0 else self.lower[j]
            if self.d[i] != 0.0 and (edge - self.w[j]) / self.d[i] < wall:
                wall = (edge - self.w[j]) / self.d[i]
        qsort(self.kinks, count, sizeof(Kink), by_t)
        t = far
        for k in range(count):
            if slope + self.kinks[k].t * max(curvature, 0.0) >= 0.0 or self.kinks[k].t > wall:
                break
            i = self.kinks[k].place
            slope += 2.0 * self.l1 * self.f1[self.A[i]] * fabs(self.d[i])
            if slope + self.kinks[k].t * max(curvature, 0.0) >= 0.0:
                stop = self.kinks[k].t          # the minimum is at the kink
                break
            t = -slope / curvature if curvature > 0.0 else INFINITY
        t = min(min(t, far), min(stop, wall))
        if t == INFINITY:
            return
        for i in range(self.factor.size):
            j = self.A[i]
            edge = self.upper[j] if self.d[i] > 0.0 else self.lower[j]
            if t == stop and self.w[j] * self.d[i] < 0.0 and -self.w[j] / self.d[i] == stop:
                self.w[j] = 0.0
            elif t == wall and (edge - self.w[j]) / self.d[i] == wall:
                self.w[j] = edge
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
        """From the best point so far: Newton steps to the optimum of the signed support, then a step of coordinate
        descent on the worst violators, which join it; every step lowers the objective."""
        cdef int count = 0, released, entering = 1, stalled = 0
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
            released = self.release()
            if released:
                self.sweep(released)
                self.adopt_support()
            count = self.violators()
            if released == 0 and count == 0 and (self.factor.size == 0 or self.misfit() <= SLACK):
                break
            count = self.strongest(count, entering)
            self.sweep(count)
            self.adopt_support()
            value = self.objective()
            steps += 1
        return steps


cdef class Solve(Part):
    """A call of `ActiveSet.solve`; `done` is what it returns."""
    cdef ActiveSet active
    cdef const double[:, ::1] G
    cdef const double[::1] l1, l2
    cdef const unsigned char[::1] between
    cdef long max_iter
    cdef double budget
    cdef int[::1] index
    cdef double[::1] value
    cdef Py_ssize_t[::1] stops
    cdef long long[::1] n_iter, version
    cdef readonly Py_ssize_t done

    def __init__(self, ActiveSet active, const double[:, ::1] G, const double[::1] l1, const double[::1] l2,
                 const unsigned char[::1] between, long max_iter, double budget, int[::1] index, double[::1] value,
                 Py_ssize_t[::1] stops, long long[::1] n_iter, long long[::1] version):
        self.active, self.G, self.l1, self.l2, self.between = active, G, l1, l2, between
        self.max_iter, self.budget = max_iter, budget
        self.index, self.value, self.stops, self.n_iter, self.version = index, value, stops, n_iter, version
        self.done = 0

    cdef int run(self) noexcept nogil:
        cdef Py_ssize_t k = 0, filled = 0
        cdef double spent = 0.0
        self.active.G = <double*>&self.G[0, 0] if self.G.shape[0] > 0 else NULL
        self.active.ldg = self.G.shape[1]
        self.stops[0] = 0
        while k < self.l1.shape[0] and spent <= self.budget and filled + self.active.m <= self.index.shape[0]:
            self.active.l1, self.active.l2 = self.l1[k], self.l2[k]
            self.n_iter[k] = self.active.solve_one(max(<long>0, self.max_iter - self.active.carried))
            self.version[k] = self.active.changes
            self.active.carried = self.active.carried + self.n_iter[k] if self.between[k] else 0
            filled += self.active.write(&self.index[filled], &self.value[filled])
            spent += self.n_iter[k] * <double>self.active.factor.size * (self.active.m + self.active.factor.size)
            k += 1
            self.stops[k] = filled
        self.done = k
        return 0
