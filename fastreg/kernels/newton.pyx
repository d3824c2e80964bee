"""Newton's method on the working set of one problem whose loss is not quadratic.

A step goes to the minimum of a quadratic model of the loss with the penalties as they are, as far as the true objective
allows.  A model is kept, and only the gradient renewed, while steps on it still gain enough.
"""
from libc.math cimport INFINITY, fabs, log
from libc.string cimport memcpy, memset

from .columns cimport ColumnSet, accumulate, combine, correlate
from .features cimport Features, gap_parts, point_to, stretch_of, widened
from .losses cimport Change, Rows, diverge, everywhere, search
from .model cimport Model
from .parts cimport Part

import numpy as np

cdef enum:                      # what `go` comes back for:
    NOTHING                     # the end,
    MODEL                       # a model of the features `wanted`,
    MINIMUM                     # the minimum of a model without a Gram matrix,
    PAUSE                       # a look at the keyboard; `Descents` also for
    PLACE                       # the point to start from, and before
    START

DONE, WANTS_MODEL, WANTS_MINIMUM, WANTS_PLACE = NOTHING, MODEL, MINIMUM, PLACE

cdef enum:                      # what comes next
    JUDGE, CHOOSE, BEGIN, RESUME, STEP, MOVE, END

cdef enum:
    LOGISTIC = 0                # as in `losses.NUMBERS`
    REALS = 16                  # rows of the table of features
    INTEGERS = 6

cdef double FAR = 0.85          # of the penalty: a gradient below is looked at last
cdef double FRESH = 0.003       # what a step on a new model leaves of the gap
cdef double INNER = 0.01        # of the gap: how exact a working set is solved before other features are looked at
cdef double DRIFT = 1e-13       # of the loss: a change below is rounding
cdef double FLAT = 1e-100       # mean curvature below which there is none
cdef double MOST = 1e300        # stands for an infinite penalty factor where it meets a zero
cdef double STEP_WORK = 4e6     # multiplications in the time of a step, its products aside,
cdef double ROW_WORK = 40.0     # and for each row
cdef double SAFE = 1e-3         # of a secant's curvature: what rows on the wrong side have, until steps fall short
cdef double FAR_OFF = 2.0       # linear predictors beyond are far on the wrong side
cdef double SHORT = 0.25        # steps of less of their length
cdef double QUADRATIC = 0.5     # of the loss: a part of the gap that curvatures make larger has to be computed
cdef double BUDGET = 4e8        # multiplications between two looks at the keyboard

ROW, SAFE_SHARE, SHORT_STEP = ROW_WORK, SAFE, SHORT


cdef class Newton:
    """Rows of one problem, the features that it knows, and a model of the loss on some of them.

    Parameters
    ----------
    model : Model
        It knows the columns, whether there is an intercept, and what sums over rows are divided by.
    loss, parameter, y, weights
        As for `losses.evaluate`.
    most : int
        Features that a model has a Gram matrix for at most.
    max_iter : int
        Of the solution of a model.

    Notes
    -----
    Prox-Newton: J. D. Lee, Y. Sun and M. A. Saunders, SIAM Journal on Optimization 24 (2014).
    """

    cdef readonly Model model
    cdef public double intercept, value, ahead, sum_h, goal, kappa, others
    cdef readonly double inner_gap
    cdef readonly Py_ssize_t known          # features
    cdef readonly bint anew                 # whether the model that is wanted is a new one
    cdef readonly object table, rows        # of features: w, g, f1, f2, low, high, norm; of rows: see `row`
    cdef object integers, flags, held
    cdef ColumnSet columns
    cdef int loss
    cdef double parameter, total
    cdef const double* y
    cdef const double* s
    cdef Py_ssize_t n, capacity
    cdef bint centred, bent
    cdef long max_iter
    cdef Py_ssize_t most
    cdef readonly int here                  # which of two triples of rows is that at the present point
    cdef double* row                        # (7, n): z, r, h; the same ahead; the line between
    cdef double stretch                     # what a gap's loss part is made of; negative: not known
    cdef Features x                         # what is known
    cdef double* work                       # (4, capacity)
    cdef double* saved                      # (2, capacity) coefficients and gradients of the model before a step
    cdef double* trail                      # (2, capacity) the last two solutions
    cdef double* trail_z                    # (2, n)
    cdef double* products                   # (2, capacity)
    cdef double[2] trail_alpha
    cdef double[2] trail_level
    cdef int trailing, newest
    cdef int* number                        # of a feature in `columns`
    cdef int* inside                        # its place in the model, or -1
    cdef int* near                          # features that are looked at
    cdef int* chosen                        # for the next model
    cdef int* some
    cdef int* slots
    cdef Py_ssize_t count_near, count_chosen
    cdef unsigned char* current             # whether a gradient is that at the present r
    cdef unsigned char* allowed
    cdef int phase
    cdef double l1, l2, gap, gap_before, inner_goal, spent, shift
    cdef double guard                       # of a secant's curvature, that rows on the wrong side have at least
    cdef double reached                     # share of the last step
    cdef readonly long steps
    cdef long most_steps
    cdef bint moved, sure, all_near, restricted, fresh, looked, opened

    def __init__(self, Model model, int loss, double parameter, const double[::1] y, const double[::1] weights,
                 Py_ssize_t most, long max_iter):
        cdef Py_ssize_t n = y.shape[0]
        cdef double[:, ::1] rows = np.zeros((7, max(n, 1))), trails = np.empty((2, max(n, 1)))
        self.model, self.loss, self.parameter, self.n, self.most, self.max_iter = (
            model, loss, parameter, n, most, max_iter
        )
        self.columns, self.total, self.centred, self.bent = model.columns, model.total, model.centred, model.bent
        self.rows, self.held = np.asarray(rows), {"y": y, "weights": weights, "trails": trails}
        self.row, self.trail_z = &rows[0, 0], &trails[0, 0]
        self.y, self.s = &y[0] if n else NULL, NULL if weights is None else &weights[0]
        self.known = self.capacity = 0
        self.kappa, self.stretch, self.guard = 1.0, -1.0, SAFE
        self.reserve(32)

    def reserve(self, Py_ssize_t capacity):
        """Make room for features."""
        if capacity <= self.capacity:
            return
        capacity = max(capacity, 2 * self.capacity)
        self.table = widened(self.table, REALS, capacity, np.float64)
        self.integers = widened(self.integers, INTEGERS, capacity, np.int32)
        self.flags = widened(self.flags, 2, capacity, np.uint8)
        cdef double[:, ::1] table = self.table
        cdef int[:, ::1] integers = self.integers
        cdef unsigned char[:, ::1] flags = self.flags
        point_to(&self.x, table)
        self.work, self.saved, self.trail, self.products = &table[7, 0], &table[11, 0], &table[13, 0], &table[15, 0]
        self.number, self.inside, self.near = &integers[0, 0], &integers[1, 0], &integers[2, 0]
        self.chosen, self.some, self.slots = &integers[3, 0], &integers[4, 0], &integers[5, 0]
        self.current, self.allowed, self.capacity = &flags[0, 0], &flags[1, 0], capacity
        self.model.reserve(capacity)

    def extend(self, const double[::1] f1, const double[::1] f2, const double[::1] low, const double[::1] high,
               const double[::1] norm, const int[::1] number):
        """More features: their penalty factors, bounds, curvatures and numbers in the columns."""
        cdef Py_ssize_t k, at
        self.reserve(self.known + f1.shape[0])
        for k in range(f1.shape[0]):
            at = self.known + k
            self.x.w[at] = self.x.g[at] = 0.0
            self.x.f1[at], self.x.f2[at], self.x.low[at], self.x.high[at] = f1[k], f2[k], low[k], high[k]
            self.x.norm[at], self.number[at], self.inside[at], self.current[at] = norm[k], number[k], -1, False
            self.trail[at] = self.trail[self.capacity + at] = 0.0
        self.known += f1.shape[0]

    @property
    def wanted(self):
        """(k,) features that are to join the model, or make a new one."""
        return np.array(self.integers[3, : self.count_chosen])

    # ---------------------------------------------------------------- gradients and gaps

    def look_at(self, const int[::1] places):
        """Have the gradients of some features, or of all that are known (None)."""
        with nogil:
            self.look(NULL if places is None or places.shape[0] == 0 else &places[0],
                      self.known if places is None else places.shape[0])

    cdef void look(self, const int* places, Py_ssize_t count) noexcept nogil:
        cdef Py_ssize_t k, j
        cdef int new = 0
        for k in range(count):
            j = k if places == NULL else places[k]
            if not self.current[j]:
                self.some[new], self.slots[new] = self.number[j], <int>j
                self.current[j] = True
                new += 1
        if new:
            correlate(&self.columns.x, self.some, new, self.row_of(1), self.products)
        for k in range(new):
            self.x.g[self.slots[k]] = self.products[k] / self.total

    cdef inline double* row_of(self, int k) noexcept nogil:
        """z, r or h at the present point."""
        return self.row + (3 * self.here + k) * self.n

    cdef inline double* row_ahead(self, int k) noexcept nogil:
        """The same at a point that is tried."""
        return self.row + (3 * (1 - self.here) + k) * self.n

    def take_stock(self):
        """After z, r and h have been set: their sums; nothing is known of gradients."""
        cdef Py_ssize_t i
        cdef double sum_r = 0.0, sum_h = 0.0
        cdef const double* r = self.row_of(1)
        cdef const double* h = self.row_of(2)
        with nogil:
            for i in range(self.n):
                sum_r += r[i]
                sum_h += h[i]
            self.arrive(sum_r, sum_h)

    cdef void arrive(self, double sum_r, double sum_h) noexcept nogil:
        self.sum_h = max(sum_h, FLAT * self.total)
        self.ahead = sum_r / self.total if self.centred else 0.0
        self.stretch = -1.0
        if self.known:
            memset(self.current, 0, self.known)

    def gap_at(self, const int[::1] places, double l1, double l2):
        """Duality gap on some features, or on all that are known (None), at the gradients at hand."""
        self.l1, self.l2 = l1, l2
        with nogil:
            self.gap = self.gap_of(&self.x, NULL if places is None or places.shape[0] == 0 else &places[0],
                                   self.known if places is None else places.shape[0])
        return self.gap

    cdef double gap_of(self, const Features* x, const int* places, Py_ssize_t count) noexcept nogil:
        """The dual point scaled by kappa is feasible, but for unpenalised features; see `gap_parts`."""
        cdef double gap = gap_parts(x, places, count, self.l1, self.l2, &self.kappa), short = 1.0 - self.kappa
        if short > 0.0:
            gap += short * self.others
            if not self.bent and self.stretch < 0.0:
                self.stretch = stretch_of(self.row_of(1), self.row_of(2), self.n) / self.total
            # what rows without curvature add is of first order, and much less than next to none would make it
            if self.bent or 0.5 * short * short * self.stretch > QUADRATIC * self.value / self.total:
                gap += diverge(self.loss, self.parameter, self.n, self.y, self.s, self.row_of(0), self.row_of(1), NULL,
                               self.kappa) / self.total
            else:
                gap += 0.5 * short * short * self.stretch
        if self.ahead != 0.0:
            gap += self.ahead * self.ahead * self.total / self.sum_h
        return gap if self.l1 > 0.0 or self.l2 > 0.0 else min(gap, self.value / self.total)

    # ---------------------------------------------------------------- from one alpha to the next

    cdef void note(self, double alpha) noexcept nogil:
        """Keep the solution at hand for `follow`."""
        self.newest = 1 - self.newest
        memcpy(self.trail + self.newest * self.capacity, self.x.w, self.known * sizeof(double))
        memcpy(self.trail_z + self.newest * self.n, self.row_of(0), self.n * sizeof(double))
        self.trail_alpha[self.newest], self.trail_level[self.newest] = alpha, self.intercept
        self.trailing = min(2, self.trailing + 1)

    def forget(self):
        """What has been noted."""
        self.trailing = 0

    cdef void follow(self, double alpha, double l1, double l2) noexcept nogil:
        """Go along the line through the last two solutions, signs kept, if that is better than to stay.

        Then, or before, lists the features that are not far from leaving zero.
        """
        self.l1, self.l2 = l1, l2
        self.list_near()
        if self.trailing == 2 and l1 > 0.0 and self.go_along(alpha):
            self.list_near()                     # at the gradients of before
        self.look(self.near, self.count_near)

    def near_to(self, double l1):
        """(k,) the features that are not far from leaving zero."""
        self.l1 = l1
        self.list_near()
        return np.array(self.integers[2, : self.count_near])

    cdef void list_near(self) noexcept nogil:
        cdef Py_ssize_t j
        self.count_near = 0
        for j in range(self.known):
            if self.x.w[j] != 0.0 or fabs(self.x.g[j]) > FAR * self.l1 * min(self.x.f1[j], MOST):
                self.near[self.count_near] = <int>j
                self.count_near += 1

    cdef bint go_along(self, double alpha) noexcept nogil:
        """Whether it was worth it."""
        cdef int old = 1 - self.newest, moved = 0
        cdef const double* w0 = self.trail + old * self.capacity
        cdef const double* z0 = self.trail_z + old * self.n
        cdef const double* z = self.row_of(0)
        cdef double* tried = self.work
        cdef double* change = self.work + self.capacity
        cdef double* ahead = self.row_ahead(0)
        cdef double last = self.trail_alpha[self.newest], rise = 0.0, value, line, w, share
        cdef Py_ssize_t i, j
        cdef Rows rows
        share = min(1.0, (last - alpha) / (self.trail_alpha[old] - last))
        for j in range(self.known):
            w = self.x.w[j]
            line = w + share * (w - w0[j])
            tried[j] = min(max(line, self.x.low[j]), self.x.high[j])
            if tried[j] * w <= 0.0:
                tried[j] = 0.0
            if tried[j] != line:
                self.some[moved], change[moved] = self.number[j], tried[j] - line
                moved += 1
            if tried[j] != w:
                rise += self.l1 * min(self.x.f1[j], MOST) * (fabs(tried[j]) - fabs(w))
                rise += 0.5 * self.l2 * min(self.x.f2[j], MOST) * (tried[j] - w) * (tried[j] + w)
        for i in range(self.n):
            ahead[i] = z[i] + share * (z[i] - z0[i])
        if moved:
            accumulate(&self.columns.x, self.some, moved, change, 0, self.n, ahead)
        rows.loss, rows.parameter, rows.n, rows.line, rows.y, rows.s = (
            self.loss, self.parameter, self.n, NULL, self.y, self.s
        )
        rows.ahead, rows.r, rows.h = ahead, self.row_ahead(1), self.row_ahead(2)
        value = everywhere(&rows, self.columns.x.team)
        if not (value - self.value) / self.total + rise < 0.0:
            return False
        memcpy(self.x.w, tried, self.known * sizeof(double))
        self.intercept += share * (self.intercept - self.trail_level[old])
        self.here, self.value = 1 - self.here, value
        self.arrive(rows.sum_r[0], rows.sum_h[0])
        return True

    # ---------------------------------------------------------------- a descent

    def begin(self, double l1, double l2, double goal, long most, const int[::1] only, bint everything):
        """Be ready to solve for one pair of penalties, to a gap of `goal`, in so many steps.

        On `only` some features; or, None, on all that are known: first on those that `follow` has listed, unless
        `everything` is to be looked at from the start.
        """
        cdef Py_ssize_t k
        self.restricted = only is not None
        if self.restricted:
            memset(self.allowed, 0, self.known)
            self.count_near = only.shape[0]
            for k in range(self.count_near):
                self.near[k] = only[k]
                self.allowed[only[k]] = True
        self.get_ready(l1, l2, goal, most, everything)

    cdef void get_ready(self, double l1, double l2, double goal, long most, bint everything) noexcept nogil:
        self.l1, self.l2, self.goal, self.most_steps = l1, l2, goal, most
        self.all_near, self.sure = everything and not self.restricted, everything or self.restricted
        self.steps, self.moved, self.phase = 0, True, JUDGE
        self.gap = self.gap_near()

    cdef double gap_near(self) noexcept nogil:
        if self.all_near:
            return self.gap_of(&self.x, NULL, self.known)
        return self.gap_of(&self.x, self.near, self.count_near)

    def go(self):
        """Go on; returns DONE, or what the caller has to do first.

        WANTS_MODEL: call `renew`, then add what it leaves out.  WANTS_MINIMUM: write it into the model's table, where
        `target` is.  Anything else: nothing.
        """
        cdef int wish
        with nogil:
            wish = self.advance()
        if self.model.failed:
            raise MemoryError
        return wish

    cdef int advance(self) noexcept nogil:
        cdef double gap
        while True:
            if self.phase == JUDGE:
                if self.steps >= self.most_steps or (self.sure and (self.gap <= self.goal or not self.moved)):
                    return NOTHING
                if self.gap > self.goal and self.moved:
                    self.phase = CHOOSE
                else:                            # what was far from leaving zero may no longer be
                    gap = self.gap
                    self.look(NULL, self.known)
                    self.gap, self.sure = self.gap_of(&self.x, NULL, self.known), True
                    self.all_near |= self.gap > self.goal
                    self.moved |= self.gap > 2.0 * gap
            elif self.phase == CHOOSE:
                self.phase = BEGIN
                if self.choose() and not self.renew_here():
                    return MODEL
            elif self.phase == BEGIN:
                self.open_model()
                self.gap_before, self.inner_goal = self.gap, 0.5 * self.goal
                if self.gap < INFINITY:
                    self.inner_goal = max(self.inner_goal, INNER * self.gap)
                self.fresh = self.looked = False
                self.moved = True
                self.inner_gap = self.gap_of(&self.model.x, NULL, self.model.size)
                self.phase = STEP
            elif self.phase == RESUME:           # on a new model of what the last one has come to
                self.open_model()
                self.phase = STEP
            elif self.phase == STEP:
                if self.inner_gap <= self.inner_goal or not self.moved or self.steps >= self.most_steps:
                    self.phase = END
                elif self.spent > BUDGET:
                    self.spent = 0.0
                    return PAUSE
                else:
                    self.phase = MOVE
                    if self.model.without_gram:
                        return MINIMUM
                    self.model.minimum(self.l1, self.l2, self.ahead, self.sum_h, self.max_iter)
            elif self.phase == MOVE:
                self.phase = STEP
                if self.step():                  # a new model pays
                    self.close_model()
                    self.phase = RESUME
                    if not self.renew_here():
                        return MODEL
            else:
                self.close_model()
                self.look(NULL if self.all_near else self.near, self.known if self.all_near else self.count_near)
                self.gap = self.gap_near()
                self.sure = self.all_near or self.restricted
                self.moved |= self.gap < 0.5 * self.gap_before
                self.phase = JUDGE

    # ---------------------------------------------------------------- steps on the model

    cdef void open_model(self) noexcept nogil:
        """Let the model have coefficients and gradients."""
        cdef Py_ssize_t k
        for k in range(self.model.size):
            self.model.x.w[k] = self.x.w[self.model.places[k]]
            self.model.x.g[k] = self.x.g[self.model.places[k]]

    cdef void close_model(self) noexcept nogil:
        """Take them back."""
        cdef Py_ssize_t k, j
        for k in range(self.model.size):
            j = self.model.places[k]
            self.x.w[j], self.x.g[j] = self.model.x.w[k], self.model.x.g[k]
            self.current[j] |= self.looked

    cdef bint step(self) noexcept nogil:
        """A step towards the minimum of the model; returns whether a new model pays."""
        cdef Py_ssize_t size = self.model.size
        cdef double last = self.inner_gap, value = self.value, level = self.intercept, sum_h = self.sum_h
        cdef double ahead = self.ahead
        cdef bint stuck, looked = self.looked
        if size:
            memcpy(self.saved, self.model.x.w, size * sizeof(double))
            memcpy(self.saved + self.capacity, self.model.x.g, size * sizeof(double))
        self.spent += STEP_WORK + ROW_WORK * self.n + 3.0 * self.model.product_work()
        self.steps += 1
        self.moved = self.move()
        if self.guard < 1.0 and self.reached < SHORT and self.loss == LOGISTIC:
            self.guard = 1.0
            if not self.moved:                   # no way along this model: make a safer one
                self.moved = self.fresh = True
                self.choose_again()
                return True
        elif self.reached == 1.0:
            self.guard = max(SAFE, 0.1 * self.guard)
        if not self.moved:
            return False
        self.looked = True
        self.inner_gap = self.gap_of(&self.model.x, NULL, size)
        stuck = self.inner_gap >= last and fabs(self.value - value) <= DRIFT * fabs(self.value)
        if stuck:                                # nothing but rounding: back to the better point
            if size:
                memcpy(self.model.x.w, self.saved, size * sizeof(double))
                memcpy(self.model.x.g, self.saved + self.capacity, size * sizeof(double))
            self.value, self.intercept, self.sum_h, self.ahead, self.looked = value, level, sum_h, ahead, looked
            self.here, self.stretch, self.inner_gap, self.moved = 1 - self.here, -1.0, last, not self.fresh
        self.fresh = self.moved and (stuck or self.worn_out(self.inner_gap / last))
        if self.fresh:
            self.choose_again()
        return self.fresh

    cdef bint move(self) noexcept nogil:
        """As far towards `target` as the objective allows; False if not at all."""
        cdef Features* x = &self.model.x
        cdef const double* target = self.model.target
        cdef Py_ssize_t j, k = self.model.size, at = self.capacity
        cdef int count = 0
        cdef double shift = 0.0, slope, size = self.value / self.total, t
        cdef Rows rows
        cdef Change change
        self.reached = 1.0
        if self.n == 0:
            return False
        if self.centred:
            shift = self.ahead * self.total / self.model.sum
            for j in range(k):
                shift -= self.model.means[j] * (target[j] - x.w[j])
        slope = -self.ahead * shift
        change.w, change.d, change.f1, change.f2 = self.work, self.work + at, self.work + 2 * at, self.work + 3 * at
        for j in range(k):
            if x.w[j] != 0.0:
                size += self.l1 * x.f1[j] * fabs(x.w[j])
            if target[j] != x.w[j]:
                self.some[count] = self.model.numbers[j]
                self.work[count], self.work[at + count] = x.w[j], target[j] - x.w[j]
                self.work[2 * at + count], self.work[3 * at + count] = x.f1[j], x.f2[j]
                slope -= x.g[j] * (target[j] - x.w[j])
                count += 1
        if count == 0 and shift == 0.0:
            return False
        change.count, change.l1, change.l2, change.total = count, self.l1, self.l2, self.total
        combine(&self.columns.x, self.some, count, change.d, -shift, NULL, self.row + 6 * self.n)
        rows.loss, rows.parameter, rows.n, rows.y, rows.s = self.loss, self.parameter, self.n, self.y, self.s
        rows.z, rows.line = self.row_of(0), self.row + 6 * self.n
        rows.ahead, rows.r, rows.h = self.row_ahead(0), self.row_ahead(1), self.row_ahead(2)
        t = self.reached = search(&rows, self.columns.x.team, &change, self.value, slope, size)
        if t == 0.0:
            return False
        for j in range(k):
            x.w[j] = target[j] if t == 1.0 else x.w[j] + t * (target[j] - x.w[j])
        self.here, self.value = 1 - self.here, rows.total[0]
        self.intercept += t * shift
        self.arrive(rows.sum_r[0], rows.sum_h[0])
        if k:
            correlate(&self.columns.x, self.model.numbers, <int>k, self.row_of(1), x.g)
        for j in range(k):
            x.g[j] /= self.total
        return True

    cdef bint worn_out(self, double gain) noexcept nogil:
        """Whether a new model pays: the last step left a share `gain` of the gap, and the goal is further away."""
        cdef double wanted = self.goal / max(self.inner_gap, 1e-300), left, step
        if wanted >= 1.0:
            return False
        step, left = STEP_WORK + ROW_WORK * self.n + 3.0 * self.model.product_work(), log(1.0 / wanted)
        return (left / log(1.0 / min(max(gain, 1e-6), 0.999)) * step
                > self.model.renewal_work() + step * max(1.0, left / log(1.0 / FRESH)))

    # ---------------------------------------------------------------- which features a model has

    cdef bint choose(self) noexcept nogil:
        """Choose the features that are in use or want to be; False if the model has them all."""
        cdef Py_ssize_t j, k, new = 0, used = 0, every = 0
        cdef bint grows
        for j in range(self.known):
            used += self.x.w[j] != 0.0
            if not self.x.f1[j] < INFINITY or (self.restricted and not self.allowed[j]):
                continue
            if self.x.w[j] != 0.0 or fabs(self.x.g[j]) > self.l1 * self.x.f1[j]:
                self.chosen[every] = <int>j
                every += 1
                new += self.inside[j] < 0
        if self.opened and new == 0:
            return False
        k = self.model.size
        grows = self.opened and self.model.without_gram == (k + new > self.most)
        grows &= 3 * k < 4 * (new + used) + 64
        self.anew, self.count_chosen = not grows, every
        if grows:
            self.count_chosen = 0
            for k in range(every):
                if self.inside[self.chosen[k]] < 0:
                    self.chosen[self.count_chosen] = self.chosen[k]
                    self.count_chosen += 1
        return True

    cdef void choose_again(self) noexcept nogil:
        """Choose those of the model that are still of use."""
        cdef Py_ssize_t k
        self.anew, self.count_chosen = True, 0
        for k in range(self.model.size):
            if self.model.x.w[k] != 0.0 or fabs(self.model.x.g[k]) > self.l1 * self.model.x.f1[k]:
                self.chosen[self.count_chosen] = self.model.places[k]
                self.count_chosen += 1

    cdef bint renew_here(self) noexcept nogil:
        """Whether the model could be renewed, or extended, without the caller."""
        if self.count_chosen + (0 if self.anew else self.model.size) > self.most:
            return False
        if not self.model.light(self.number, self.chosen, self.count_chosen, self.anew):
            return False
        self.model.make_room(self.count_chosen + (0 if self.anew else self.model.size))
        if self.model.failed:
            return False
        if self.anew and not self.restart(False):
            return False
        self.take_in()
        self.model.grow(self.count_chosen)
        self.spent += self.model.entries * self.count_chosen
        return True

    cdef bint restart(self, bint without_gram) noexcept nogil:
        """A model without features, of the curvatures here; False if there are none."""
        cdef Py_ssize_t k
        for k in range(self.model.size):
            self.inside[self.model.places[k]] = -1
        self.model.clear(without_gram)
        self.opened = True
        if not self.model.bend(self.row_of(2), self.s):
            return False
        if self.loss == LOGISTIC:
            self.be_safe()
        return True

    cdef void be_safe(self) noexcept nogil:
        """Rows far on the wrong side have next to no curvature and a slope: a step would throw them to the other side.

        In the model they have a share of the curvature of a secant, the line of their slopes from here to z = 0.
        """
        cdef Py_ssize_t i
        cdef const double* z = self.row_of(0)
        cdef const double* r = self.row_of(1)
        cdef double secant
        for i in range(self.n):
            if z[i] * r[i] < -FAR_OFF * fabs(r[i]):
                secant = self.guard * (fabs(r[i]) - 0.5 * (1.0 if self.s == NULL else self.s[i])) / fabs(z[i])
                if secant > self.model.h[i]:
                    self.model.sum += secant - self.model.h[i]
                    self.model.h[i] = secant

    cdef void take_in(self) noexcept nogil:
        cdef Py_ssize_t k
        for k in range(self.count_chosen):
            self.inside[self.chosen[k]] = <int>(self.model.size + k)
        self.model.take_in(&self.x, self.number, self.chosen, self.count_chosen)

    def drop_model(self, const int[::1] places=None):
        """The next one is a new one; with `places`, it is wanted now, of these features."""
        self.opened = False
        if places is not None:
            self.anew, self.count_chosen = True, places.shape[0]
            if places.shape[0]:
                memcpy(self.chosen, &places[0], places.shape[0] * sizeof(int))

    def open(self):
        """Let the model have coefficients and gradients, and find its minimum without penalties, if it can."""
        self.open_model()
        if not self.model.without_gram:
            self.model.minimum(0.0, 0.0, self.ahead, self.sum_h, self.max_iter)

    def renew(self):
        """Let the model have the features that are wanted, without their Gram columns; False if it has no curvature."""
        cdef Py_ssize_t size = self.count_chosen + (0 if self.anew else self.model.size)
        cdef bint without_gram = size > self.most, bends = True
        if self.anew:
            bends = self.restart(without_gram)
        if not without_gram:
            self.model.reserve_gram(size)
        self.take_in()
        return bends

    cdef Py_ssize_t write(self, int* index, double* value) noexcept nogil:
        """The features in use and their coefficients; returns how many."""
        cdef Py_ssize_t j, count = 0
        for j in range(self.known):
            if self.x.w[j] != 0.0:
                index[count], value[count] = <int>j, self.x.w[j]
                count += 1
        return count


cdef class Descents(Part):
    """Solutions for one pair of penalties after the other, `done` so far.

    Where `wish` is not DONE, there is more to be done: first what it says, as after `Newton.go`, or for WANTS_PLACE a
    move to the point from which alpha number `done` is to start; then this part once more.
    """
    cdef Newton newton
    cdef const double[::1] alphas, l1, l2
    cdef const unsigned char[::1] between
    cdef double goal
    cdef long max_iter, patience
    cdef Py_ssize_t placed, arrived
    cdef int[::1] index
    cdef double[::1] value, levels
    cdef Py_ssize_t[::1] stops
    cdef long long[::1] steps
    cdef bint begun
    cdef readonly long carried
    cdef readonly Py_ssize_t done
    cdef readonly int wish

    def __init__(
        self,
        Newton newton,
        const double[::1] alphas,        # in   (L,)
        const double[::1] l1,            # in   (L,)
        const double[::1] l2,            # in   (L,)
        const unsigned char[::1] between,  # in  (L,)  1: a step on the way, whose work counts for the alpha after it
        double goal,                     # in   gap
        long max_iter,                   # in   steps for an alpha, of which some have been
        long carried,                    # in   made before,
        long patience,                   # in   and now
        Py_ssize_t placed,               # in   the caller says where the first ones start
        int[::1] index,                  # out  (L known,)  features in use, solution after solution,
        double[::1] value,               # out  (L known,)  and their coefficients
        Py_ssize_t[::1] stops,           # out  (L + 1,)  where each solution ends
        long long[::1] steps,            # out  (L,)
        double[::1] levels,              # out  (L,)  intercepts
    ):
        self.newton, self.alphas, self.l1, self.l2, self.between = newton, alphas, l1, l2, between
        self.goal, self.max_iter, self.carried, self.patience = goal, max_iter, carried, patience
        self.placed, self.arrived, self.begun, self.done, self.wish = placed, -1, False, 0, START
        self.index, self.value, self.stops, self.steps, self.levels = index, value, stops, steps, levels
        stops[0] = 0

    cdef int run(self) noexcept nogil:
        cdef Py_ssize_t k
        self.wish = NOTHING
        while self.done < self.alphas.shape[0]:
            k = self.done
            if not self.begun:
                if k < self.placed and self.arrived < k:
                    self.arrived, self.wish = k, PLACE
                    return 0
                self.newton.follow(self.alphas[k], self.l1[k], self.l2[k])
                self.newton.restricted = False
                self.newton.get_ready(
                    self.l1[k], self.l2[k], self.goal,
                    min(self.patience, max(<long>0, self.max_iter - self.carried)), self.l1[k] == 0.0,
                )
                self.begun = True
            self.wish = self.newton.advance()
            if self.newton.model.failed:
                return -1
            if self.wish != NOTHING:
                return 0
            self.newton.note(self.alphas[k])
            self.steps[k], self.levels[k] = self.newton.steps, self.newton.intercept
            self.carried = self.carried + self.newton.steps if self.between[k] else 0
            self.stops[k + 1] = self.stops[k] + self.newton.write(
                &self.index[self.stops[k]], &self.value[self.stops[k]]
            )
            self.begun = False
            self.done += 1
        return 0
