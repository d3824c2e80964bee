"""The working set of a problem that is not quadratic: its columns, and what its models need of all processors."""

import threading

import numpy as np

from ..design.blocks import do_all, parallel_for, watch
from ..design.dense import Dense
from ..design.lines import ENTRY_WORK
from ..kernels import columns as kernel
from ..kernels.columns import ColumnSet
from ..kernels.residual import ResidualSet
from .run import BUDGET
from .sample import Sample, with_room

PIECE = 400_000  # multiplications worth another thread's while
BENT = ("squared_hinge", "huber")  # losses with rows without curvature
W, G, F1, HIGH, TARGET, MEANS = 0, 1, 2, 5, 7, 8  # rows of a model's table


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
        self.held, self.lock = 0, threading.Lock()

    def bring(self, features):
        """Make sure that these columns are there."""
        if self.in_place:
            return
        with self.lock:
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
        parallel_for(lambda k: kernel.dots(columns, numbers[pieces[k]], r, out[pieces[k]]), count, self.jobs)
        return out

    def add(self, features, w, out):
        """out += the columns' sum with weights w."""
        columns, numbers, n = self.columns(features), self.numbers(features), self.design.n
        count, size = self.share(self.work(features), n) if self.design.dense else (1, n)
        parallel_for(lambda k: kernel.add(columns, numbers, w, k * size, min(n, (k + 1) * size), out), count, self.jobs)

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
        size = 4 * -(-length // (4 * count))  # columns meet a vector four at a time: no bits depend on the pieces
        return -(-length // size) if size else 1, size

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
        """Nothing: the batch decides for all of its problems."""

    def pack(self, new, mean):
        self.store.bring(new)


class Residual:
    """What finds the minimum of a model without a Gram matrix: conjugate gradients on products with its columns."""

    def __init__(self, run):
        self.run = run
        self.set = None

    def renew(self):
        """Take over the features of the run's model and its curvatures."""
        run, pool = self.run, self.run.sample
        model, store = run.newton.model, pool.store
        places, _ = model.features()
        features = pool.features[places]
        means, squares = moments(pool, features, model)
        model.table[MEANS, : model.size] = means
        table = model.table[:, : model.size]
        self.set = ResidualSet(None, model.curvatures, model.sum, run.seed, watch)
        self.set.extend(means, squares / model.sum, *table[F1 : HIGH + 1])
        if pool.design.dense:
            numbers = store.number[features]
            first, together = numbers[0] if len(numbers) else 0, (np.diff(numbers) == 1).all()
            # rows that lie side by side are read where they are
            self.set.read_packed(store.rows[first : first + len(numbers)] if together else store.rows[numbers])
        else:
            starts, stops, index, value = store.design.entries(features)
            self.set.read_sparse(
                index, value, starts[features].astype(np.int64), stops[features].astype(np.int64), True
            )  # fmt: skip

    def minimize(self, l1, l2):
        """Put the minimum with these penalties into the model."""
        run, newton, model = self.run, self.run.newton, self.run.newton.model
        scale = run.total / model.sum
        index, value, stops = np.empty(2 * model.size, np.int32), np.empty(2 * model.size), np.zeros(2, np.intp)
        self.set.carried = 0
        self.set.goal = max(0.1 * newton.goal, 0.01 * newton.inner_gap) * scale
        table = model.table[:, : model.size]
        gradient = scale * (table[G] - newton.ahead * table[MEANS])
        self.set.arrive(table[W], run.r, -scale * newton.ahead, gradient)
        self.set.join(run.team)
        self.set.solve(
            np.array([l1 * scale]), np.array([l2 * scale]), np.zeros(1, np.uint8), run.task.max_iter, BUDGET, index,
            value, stops, np.zeros(1, np.int64),
        )  # fmt: skip
        table[TARGET] = 0.0
        table[TARGET, index[: stops[1]]] = value[: stops[1]]


def moments(pool, features, model):
    """Means and centred sums of squares of features under a model's weights."""
    design, numbers = pool.store.part(features)
    mean, square, _ = design.moments(numbers, model.curvatures, model.sum, pool.centred, pool.jobs)
    return mean, square


def grow_model(pool, model, count):
    """Means and Gram columns of the last features of a model."""
    places, _ = model.features()
    features = pool.features[places]
    first = model.size - count
    if pool.centred:
        model.table[MEANS, first : model.size] = pool.store.dots(features[first:], model.curvatures) / model.sum
    design, numbers = pool.store.part(features)
    means = model.table[MEANS, : model.size]
    parts = design.gram_parts(model.gram, numbers, count, means, model.curvatures, 1.0 / pool.total, pool.jobs)
    do_all(parts, pool.jobs)
