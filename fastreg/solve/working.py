"""The working set of a problem that is not quadratic: its columns, and quadratic models of its loss."""

import numpy as np

from ..design.blocks import parallel_for, watch
from ..design.dense import Dense
from ..design.lines import COPY_WORK, ENTRY_WORK
from ..kernels import working
from ..kernels.active import ActiveSet
from ..kernels.columns import ColumnSet
from ..kernels.residual import ResidualSet
from .run import BUDGET
from .sample import Sample, grow_gram, with_room

PIECE = 400_000  # multiplications worth another thread's while
BLOCKED = 8.0  # multiplications of a Gram matrix in the time of one of a product
REBUILT = 3.0  # products in the time of a new model that has no Gram matrix
CACHED = 1 << 18  # entries of X that stay in the cache from product to product
BENT = ("squared_hinge", "huber")  # losses with rows without curvature
FLOOR = 1e-6  # of the mean curvature: rows with less count with so much in a model


class Store:
    """Columns of a design for products with vectors, shared by the problems of a batch; copied only if they must be."""

    def __init__(self, design, jobs):
        self.design, self.jobs = design, jobs
        X = design.X
        self.in_place = not design.dense or (
            X.dtype == np.float64 and X.strides[0] == 8 and X.strides[1] == 8 * design.n and design.shift is None
        )
        if design.dense:
            self.rows = X.T if self.in_place else np.empty((0, design.n))
        self.number = np.arange(design.p) if self.in_place else np.full(design.p, -1)
        self.held = 0

    def bring(self, features):
        """Make sure that these columns are there."""
        if self.in_place:
            return
        new = features[self.number[features] < 0]
        first, stop = self.held, self.held + len(new)
        self.rows = with_room(self.rows, first, stop)
        self.design.columns(new, np.zeros(len(new)), self.rows[first:stop])
        self.number[new], self.held = np.arange(first, stop), stop

    def dots(self, features, r):
        """(k,) products of columns with r."""
        columns, numbers, out = self.columns(features), self.numbers(features), np.empty(len(features))
        count, size = self.share(self.work(features), len(features))
        pieces = [slice(k * size, (k + 1) * size) for k in range(count)]
        parallel_for(lambda k: working.dots(columns, numbers[pieces[k]], r, out[pieces[k]]), count, self.jobs)
        return out

    def add(self, features, w, out):
        """out += the columns' sum with weights w."""
        columns, numbers, n = self.columns(features), self.numbers(features), self.design.n
        count, size = self.share(self.work(features), n) if self.design.dense else (1, n)
        parallel_for(
            lambda k: working.add(columns, numbers, w, k * size, min(n, (k + 1) * size), out), count, self.jobs
        )

    def columns(self, features):
        """A `ColumnSet` that reads these columns where they are."""
        columns = ColumnSet(self.design.n)
        self.read(features, columns)
        return columns

    def numbers(self, features):
        """Their numbers in it."""
        return self.number[features].astype(np.int32)

    def work(self, features):
        """Multiplications of a product with them, or what takes as long."""
        return len(features) * self.design.n if self.design.dense else ENTRY_WORK * self.entries(features)

    def read(self, features, columns):
        """Let a `ColumnSet` read these columns where they are."""
        if self.design.dense:
            columns.read_packed(self.rows)
        else:
            starts, stops, index, value = self.design.entries(features)
            columns.read_sparse(np.ascontiguousarray(starts), np.ascontiguousarray(stops), index, value)

    def entries(self, features):
        return float(self.design.counts[features].sum())

    def share(self, work, length):
        """(how many, how long) the pieces are in which so much work is shared out."""
        count = int(min(16, max(1, work // PIECE)))
        size = -(-length // count)
        return -(-length // size) if size else 1, size

    def product_work(self, features):
        """As `work`, times what columns that do not stay in the cache take."""
        work = self.work(features)
        return 2.0 * work if self.design.dense and work > CACHED else work

    def gram_work(self, features):
        """What their Gram matrix takes, and its factor."""
        k, work = len(features), self.work(features)
        if self.design.dense:
            return k * (work / BLOCKED + k * k / 6)
        entries = self.entries(features)
        return entries * (entries / self.design.n + COPY_WORK) + k**3 / 6

    def part(self, features):
        """(design, numbers in it) from which the columns are best read for Gram matrices and moments."""
        if self.in_place:
            return self.design, features
        return Dense(self.rows[: self.held].T), self.number[features]


class Pool(Sample):
    """The features that one problem has met, their columns in a `Store`."""

    def __init__(self, store, weights, centred):
        self.store = store
        super().__init__(store.design, weights, centred, store.jobs, keeps_gram=False)

    @property
    def jobs(self):
        return self.store.jobs

    @jobs.setter
    def jobs(self, jobs):
        self.store.jobs = jobs

    def pack(self, new, mean):
        self.store.bring(new)


class Model:
    """A quadratic model of the loss on some features: curvatures h of the rows, the intercept eliminated.

    Parameters
    ----------
    run : GlmRun
    places : ndarray of shape (k,)
        The features, by their places in the run's sample.
    """

    def __init__(self, run, places):
        self.run, self.pool, self.places = run, run.sample, places[:0]
        self.h = self.curvatures()
        self.total = self.h.sum()
        self.start()
        self.extend(places)

    def curvatures(self):
        h, weights = self.run.h.copy(), self.run.task.weights
        floor = FLOOR * h.sum() / len(h)
        if h.min() <= floor:
            present = slice(None) if weights is None else weights > 0
            if floor > 0.0:
                h[present] = np.maximum(h[present], floor)
            else:  # no curvature at all: that of the parabola above the loss that touches it here
                size = np.maximum(np.abs(self.run.task.y - self.run.z), FLOOR)
                h[present] = (np.maximum(np.abs(self.run.r), FLOOR) / size)[present]
        return h

    def moments(self, places):
        """Means and centred sums of squares under the model's weights."""
        design, numbers = self.pool.store.part(self.pool.features[places])
        mean, square, _ = design.moments(numbers, self.h, self.total, self.pool.centred, self.pool.jobs)
        return mean, square

    def take_in(self, places):
        """Append features to what is known of them row by row: their numbers, penalties and bounds."""
        run = self.run
        self.places = np.concatenate([self.places, places])
        self.features = self.pool.features[self.places]
        self.f1, self.f2, self.curvature = run.f1[self.places], run.f2[self.places], run.curvature[self.places]
        self.low, self.high = run.low[self.places], run.high[self.places]
        self.numbers = self.pool.store.numbers(self.features)
        self.moving, self.room = np.empty(len(self.places), np.int32), np.empty((4, len(self.places)))

    def begin(self):
        """Take over coefficients and gradients from the run."""
        self.w, self.g = self.run.w[self.places], self.run.g[self.places]

    def step(self, l1, l2):
        """(coefficients, change of the intercept) at the minimum of the model with its penalties."""
        run = self.run
        target = self.target(l1, l2)
        if not self.pool.centred:
            return target, 0.0
        return target, run.ahead * run.total / self.total - float((self.means * (target - self.w)).sum())


class GramModel(Model):
    """By the weighted Gram matrix of the features."""

    def costs(self):
        """(a product with the features, a new model of them) in multiplications of a product."""
        return self.pool.store.product_work(self.features), self.pool.store.gram_work(self.features)

    def start(self):
        self.active = ActiveSet(self.run.seed, self.pool.design.p + 64)
        self.active.size = self.run.size
        self.gram, self.means, self.known = np.empty((0, 0)), np.empty(0), 0

    def extend(self, places):
        """More features, at the same curvatures."""
        means, _ = self.moments(places) if self.pool.centred else (np.zeros(len(places)), None)
        old, k = self.known, len(places)
        self.means = np.concatenate([self.means, means])
        self.take_in(places)
        design, numbers = self.pool.store.part(self.features)
        if old + k > len(self.gram):
            grown = np.empty((old + k, old + k) if old == 0 else (2 * (old + k), 2 * (old + k)))
            grown[:old, :old] = self.gram[:old, :old]
            self.gram = grown
        grow_gram(self.gram, design, numbers, k, self.means, self.h, 1.0 / self.run.total, self.pool.jobs)
        self.known = old + k
        self.active.extend(np.zeros(k), self.f1[old:], self.f2[old:], self.low[old:], self.high[old:])

    def target(self, l1, l2):
        run, target = self.run, np.empty(self.known)
        # curvatures have changed since, most of all by a common factor
        scale = 1.0 if run.task.loss in BENT else run.sum_h / self.total
        self.active.propose(self.gram, self.g, self.means, run.ahead, self.w, scale, l1, l2, run.task.max_iter, target)
        return target


class ResidualModel(Model):
    """By products with the columns alone."""

    def costs(self):
        """As for `GramModel`."""
        product = self.pool.store.product_work(self.features)
        return product, REBUILT * product

    def start(self):
        self.response = np.empty(self.pool.design.n)
        self.known = 0

    def extend(self, places):
        self.take_in(places)
        self.means, squares = self.moments(self.places)
        self.set = ResidualSet(self.response, self.h, self.total, self.run.seed, watch)
        self.set.extend(self.means, squares / self.total, self.f1, self.f2, self.low, self.high)
        store, features = self.pool.store, self.features
        if self.pool.design.dense:
            numbers = store.number[features]
            first, together = numbers[0] if len(numbers) else 0, (np.diff(numbers) == 1).all()
            # rows that lie side by side are read where they are
            self.set.read_packed(store.rows[first : first + len(numbers)] if together else store.rows[numbers])
        else:
            starts, stops, index, value = store.design.entries(features)
            self.set.read_sparse(
                index, value, starts[features].astype(np.int64), stops[features].astype(np.int64), True
            )  # fmt: skip
        self.known = len(self.places)

    def target(self, l1, l2):
        run, w = self.run, self.w
        z = self.response
        np.divide(run.r, self.h, out=z, where=self.h > 0)
        z[self.h == 0] = 0.0
        used = np.flatnonzero(w)
        self.pool.store.add(self.features[used], w[used], z)
        if self.pool.centred:
            z -= (self.h * z).sum() / self.total
            z -= (self.h * z).sum() / self.total
        scale = run.total / self.total
        index, value, stops = np.empty(2 * self.known, np.int32), np.empty(2 * self.known), np.zeros(2, np.intp)
        self.set.carried = 0
        self.set.goal = max(0.1 * run.goal, 0.01 * run.inner_gap) * scale
        self.set.place(used.astype(np.int32), w[used])
        self.set.join(run.team)
        self.set.solve(
            np.array([l1 * scale]), np.array([l2 * scale]), np.zeros(1, np.uint8), run.task.max_iter, BUDGET, index,
            value, stops, np.zeros(1, np.int64),
        )  # fmt: skip
        new = np.zeros(self.known)
        new[index[: stops[1]]] = value[: stops[1]]
        return new
