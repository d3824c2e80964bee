"""A quadratic model of a loss on some features: curvatures of the rows, the intercept eliminated.

Its minimum comes from the weighted Gram matrix of the features.  A small one is made here, without the GIL; of a large
one the caller makes the new columns, with threads; a model without one leaves the minimum to the caller.
"""
from libc.math cimport INFINITY
from libc.string cimport memset

import numpy as np

from ._simd cimport Matrix, simd
from .active cimport ActiveSet
from .columns cimport ColumnSet, Columns, correlate, dot, entries_of, entry_row, entry_value, start_of, stop_of
from .features cimport Features, point_to, widened
from .gram cimport gram_block

cdef enum:
    TILE = 128                  # rows of packed columns that stay in L1 while they meet
    LANES = 8                   # new columns at a time
    REALS = 9                   # rows of the table
    INTEGERS = 2
    MORE = 64                   # features that there is room for at least
    MOST_PANELS = 5             # of new columns, and
    MOST_ROWS = 480             # of the Gram matrix, that are best made together

cdef double FLOOR = 1e-6        # of the mean curvature: rows with less count with so much in a model
cdef double BLOCKED = 8.0       # multiplications of a Gram matrix in the time of one of a product
cdef double REBUILT = 3.0       # products in the time of a new model that has no Gram matrix
cdef double CACHED = 1 << 18    # entries of X that stay in the cache from product to product
cdef double LIGHT = 4e6         # multiplications for new columns that are not worth the caller's while,
cdef double HEAVY = 4e8         # or if nobody is there who could help
cdef double FULL = 0.5          # share of entries from which on the mean is taken off a sparse column itself


cdef class Model:
    """A model without features.

    Parameters
    ----------
    columns : ColumnSet
        Of all features; each has a number there.
    n : int
        Rows.
    total : float
        What sums over rows are divided by.
    centred : bool
        Whether there is an intercept.
    bent : bool
        Whether curvatures do not all change by a common factor, from one step to the next.
    seed : int
        Of the order of coordinate descent; 0: cyclic.
    most : int
        Features that a factor has room for at most.
    sparse : bool
    work, copy_work : float
        Multiplications in the time of one entry of a product, and of copying one.
    """

    def __init__(self, ColumnSet columns, Py_ssize_t n, double total, bint centred, bint bent,
                 unsigned long long seed, Py_ssize_t most, bint sparse, double work, double copy_work):
        cdef double[::1] h = np.empty(n)
        cdef double[:, ::1] panel = np.zeros((n if sparse else min(n, TILE), LANES))
        self.columns, self.n, self.total, self.centred, self.bent = columns, n, total, centred, bent
        self.seed, self.work, self.copy_work = seed, work, copy_work
        self.active = ActiveSet(seed, most)
        self.h, self.panel, self.held = &h[0], &panel[0, 0], {"h": h, "panel": panel}
        self.size = self.capacity = self.ld = self.failed = 0
        self.gram = np.empty((0, 0))

    @property
    def curvatures(self):
        """(n,)"""
        return np.asarray(self.held["h"])

    def reserve(self, Py_ssize_t capacity):
        """Make room for features."""
        if capacity <= self.capacity:
            return
        capacity = max(capacity, 2 * self.capacity)
        self.table = widened(self.table, REALS, capacity, np.float64)
        self.integers = widened(self.integers, INTEGERS, capacity, np.int32)
        self.held["index"] = widened(self.held.get("index"), 1, capacity, np.intp)
        self.held["products"] = np.empty((capacity, LANES))
        cdef double[:, ::1] table = self.table, products = self.held["products"]
        cdef int[:, ::1] integers = self.integers
        cdef Py_ssize_t[:, ::1] index = self.held["index"]
        point_to(&self.x, table)
        self.target, self.means = &table[7, 0], &table[8, 0]
        self.places, self.numbers, self.index = &integers[0, 0], &integers[1, 0], &index[0, 0]
        self.products, self.capacity = &products[0, 0], capacity

    def reserve_gram(self, Py_ssize_t size):
        """Make room for the Gram matrix of so many features and some more, and in what solves with it."""
        if size <= self.ld:
            return
        size += size // 2 + MORE
        self.active.reserve(size)
        before, self.gram = self.gram, np.empty((size, size))
        self.gram[: self.size, : self.size] = before[: self.size, : self.size]
        cdef double[:, ::1] gram = self.gram
        self.G, self.ld = &gram[0, 0], size

    cdef void make_room(self, Py_ssize_t size) noexcept nogil:
        """As `reserve_gram`; where there is no memory, the model has `failed`."""
        if size > self.ld:
            with gil:
                try:
                    self.reserve_gram(size)
                except MemoryError:
                    self.failed = True

    def features(self):
        """(places (k,), numbers (k,)) of the features."""
        return self.integers[0, : self.size], self.integers[1, : self.size]

    cdef void clear(self, bint without_gram) noexcept nogil:
        """No features."""
        self.size, self.entries, self.without_gram = 0, 0.0, without_gram
        self.active.clear(self.seed)

    cdef bint bend(self, const double* h, const double* s) noexcept nogil:
        """Take over curvatures, not less than a floor where weights s are positive; False where there are none."""
        cdef Py_ssize_t i
        cdef double least = INFINITY, floor
        self.sum = 0.0
        for i in range(self.n):
            self.h[i] = h[i]
            self.sum += h[i]
            least = min(least, h[i])
        floor = FLOOR * self.sum / self.n
        if least > floor:
            return True
        if not floor > 0.0:
            return False
        self.sum = 0.0
        for i in range(self.n):
            if (s == NULL or s[i] > 0.0) and self.h[i] < floor:
                self.h[i] = floor
            self.sum += self.h[i]
        return True

    def sum_up(self):
        """After the curvatures have been set."""
        self.sum = float(self.curvatures.sum())

    cdef void take_in(self, const Features* x, const int* number, const int* some, Py_ssize_t count) noexcept nogil:
        """More features, of which there is no Gram matrix yet; there is room for them."""
        cdef Py_ssize_t k, at
        for k in range(count):
            at = self.size + k
            self.places[at], self.numbers[at], self.index[at] = some[k], number[some[k]], number[some[k]]
            self.x.f1[at], self.x.f2[at] = x.f1[some[k]], x.f2[some[k]]
            self.x.low[at], self.x.high[at] = x.low[some[k]], x.high[some[k]]
            self.x.norm[at] = x.norm[some[k]]
            self.means[at] = 0.0
        at = self.size
        self.entries += entries_of(&self.columns.x, self.numbers + at, <int>count)
        self.size += count
        if not self.without_gram:
            self.active.take_in(count, NULL, self.x.f1 + at, self.x.f2 + at, self.x.low + at, self.x.high + at)

    # ---------------------------------------------------------------- small Gram matrices

    cdef bint light(self, const int* number, const int* some, Py_ssize_t count, bint anew) noexcept nogil:
        """Whether features can join a Gram matrix, or make a new one, here and without delay."""
        cdef Py_ssize_t size = count if anew else self.size + count, k
        cdef double entries = 0.0 if anew else self.entries, more
        cdef const Columns* x = &self.columns.x
        for k in range(count):
            if x.packed == NULL:
                more = stop_of(x, number[some[k]]) - start_of(x, number[some[k]])
                if self.centred and more > FULL * self.n:
                    return False
                entries += more
        if x.packed != NULL:
            return <double>count * size * self.n <= (LIGHT if x.team != NULL else HEAVY)
        return (count + LANES - 1) // LANES * (LANES * entries) <= LIGHT

    cdef void grow(self, Py_ssize_t count) noexcept nogil:
        """Means and Gram columns of the last features."""
        cdef Py_ssize_t first = self.size - count, k, last
        if self.columns.x.packed != NULL and <double>count * self.size * self.n > LIGHT:
            self.tiled_columns(first)
            return
        for k in range(first, self.size if self.centred else first):
            self.means[k] = dot(&self.columns.x, self.numbers[k], self.h) / self.sum
        while first < self.size:
            last = min(first + LANES, self.size)
            if self.columns.x.packed != NULL:
                self.packed_columns(first, last)
            else:
                self.sparse_columns(first, last)
            first = last

    cdef void tiled_columns(self, Py_ssize_t first) noexcept nogil:
        """Those from `first` on, of packed columns, in blocks; the bits are those of `Dense.gram_parts`."""
        cdef Matrix M = Matrix(
            <const char*>self.columns.x.packed, self.n, 0, sizeof(double), self.n * sizeof(double), 0, NULL
        )
        cdef Py_ssize_t start = first, stop, row
        cdef int lanes
        if self.centred:
            correlate(&self.columns.x, self.numbers + first, <int>(self.size - first), self.h, self.means + first)
        for row in range(first, self.size):
            self.means[row] /= self.sum
        while start < self.size:
            lanes = 24 if self.size - start > 16 else 8
            stop = (self.size - start) // lanes
            stop = min(start + lanes * max(<Py_ssize_t>1, min(stop, <Py_ssize_t>MOST_PANELS)), self.size)
            row = 0
            while row < stop:
                self.failed |= gram_block(
                    &M, self.h, self.index, self.means, row, min(row + MOST_ROWS, stop), start, stop, lanes,
                    1.0 / self.total, self.G, self.ld,
                )
                row += MOST_ROWS
            start = stop

    cdef void packed_columns(self, Py_ssize_t first, Py_ssize_t last) noexcept nogil:
        cdef Matrix M = Matrix(
            <const char*>self.columns.x.packed, self.n, 0, sizeof(double), self.n * sizeof(double), 0, NULL
        )
        cdef double sums[LANES]
        cdef const double* x
        cdef double* panel = self.panel
        cdef Py_ssize_t row = 0, rows, i, l
        memset(sums, 0, sizeof(sums))
        memset(panel, 0, min(self.n, <Py_ssize_t>TILE) * LANES * sizeof(double))
        memset(self.products, 0, last * LANES * sizeof(double))
        while row < self.n:
            rows = min(<Py_ssize_t>TILE, self.n - row)
            for l in range(last - first):
                x = self.columns.x.packed + self.index[first + l] * self.n + row
                for i in range(rows):
                    panel[i * LANES + l] = self.h[row + i] * (x[i] - self.means[first + l])
                    sums[l] += panel[i * LANES + l]
            simd.xt_tile(&M, row, rows, self.index, 0, last, panel, LANES, self.products)
            row += TILE
        self.store(first, last, sums)

    cdef void sparse_columns(self, Py_ssize_t first, Py_ssize_t last) noexcept nogil:
        cdef const Columns* x = &self.columns.x
        cdef double sums[LANES]
        cdef double* panel = self.panel
        cdef Py_ssize_t k, i, l
        cdef int j
        memset(self.products, 0, last * LANES * sizeof(double))
        for l in range(last - first):
            j, sums[l] = self.numbers[first + l], self.sum * self.means[first + l]
            for k in range(start_of(x, j), stop_of(x, j)):
                i = entry_row(x, k)
                panel[i * LANES + l] += entry_value(x, k) * self.h[i]
        for i in range(last):
            j = self.numbers[i]
            simd.gather8(&x.X, start_of(x, j), stop_of(x, j), panel, self.products + i * LANES)
        for l in range(last - first):
            j = self.numbers[first + l]
            for k in range(start_of(x, j), stop_of(x, j)):
                panel[entry_row(x, k) * LANES + l] = 0.0
        self.store(first, last, sums)

    cdef void store(self, Py_ssize_t first, Py_ssize_t last, const double* sums) noexcept nogil:
        """The products of all features up to `last` with those from `first` on, means taken off: to both halves."""
        cdef Py_ssize_t i, l
        cdef double entry
        for i in range(last):
            for l in range(max(i - first, <Py_ssize_t>0), last - first):
                entry = (self.products[i * LANES + l] - self.means[i] * sums[l]) / self.total
                self.G[i * self.ld + first + l] = self.G[(first + l) * self.ld + i] = entry

    # ---------------------------------------------------------------- its minimum, and what that costs

    cdef void minimum(self, double l1, double l2, double ahead, double sum_h, long max_iter) noexcept nogil:
        """`target` <- the minimum with these penalties, from the Gram matrix."""
        # curvatures have changed since, most of all by a common factor
        self.active.propose_at(
            self.G, self.ld, self.x.g, self.means, ahead, self.x.w, 1.0 if self.bent else sum_h / self.sum, l1, l2,
            max_iter, self.target,
        )

    cdef double product_work(self) noexcept nogil:
        """Multiplications of a product with the features, or what takes as long."""
        cdef double work
        if self.columns.x.packed == NULL:
            return self.work * self.entries
        work = self.entries
        return 2.0 * work if work > CACHED else work

    cdef double renewal_work(self) noexcept nogil:
        """The same of a new model of them."""
        cdef double k = self.size
        if self.without_gram:
            return REBUILT * self.product_work()
        if self.columns.x.packed != NULL:
            return k * (self.entries / BLOCKED + k * k / 6.0)
        return self.entries * (self.entries / self.n + self.copy_work) + k * k * k / 6.0
