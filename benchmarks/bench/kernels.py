"""The kernels, on one thread: products of X with batches of residuals, Gram matrices, and what is solved on them.

Those that read X are called through its design, which gives them their blocks and workspace.
"""

import time

import numpy as np

from . import problems
from .measured import Timed

SHAPES = {"20000x1000": (20_000, 1_000), "200x20000": (200, 20_000)}
FEATURES = {"few": 50, "many": 500}
ROWS = 100_000


def make_matrix(shape, order, dtype):
    """A random matrix laid out in `order` without a copy on the way."""
    rng = np.random.default_rng(0)
    X = rng.random(shape if order == "C" else shape[::-1], dtype=dtype)
    X -= 0.5
    return X if order == "C" else X.T


def best_of(repeats, *functions):
    """Shortest time of each function in seconds, the functions taking turns so that all see the same machine."""
    best = [np.inf] * len(functions)
    for _ in range(repeats):
        for i, function in enumerate(functions):
            start = time.perf_counter()
            function()
            best[i] = min(best[i], time.perf_counter() - start)
    return best


class Correlations(Timed):
    """`Dense.correlations`: X'R for k residuals in one pass; numpy's `X.T @ r` is the unit."""

    params = [list(SHAPES), ["C", "F"], ["float64", "float32"], [8, 24]]
    param_names = ["shape", "order", "dtype", "k"]

    def setup(self, shape, order, dtype, k):
        from fastreg.design import Dense

        if not hasattr(self, "X"):
            self.X = make_matrix(SHAPES[shape], order, dtype)
        self.R = np.random.default_rng(2).standard_normal((len(self.X), k))
        self.r = self.R[:, 0].astype(dtype)
        self.design = Dense(self.X)

    def time_correlations(self, *parameters):
        self.design.correlations(self.R, 1)

    def track_gemvs(self, *parameters):
        one, batch = best_of(5, lambda: self.X.T @ self.r, lambda: self.design.correlations(self.R, 1))
        return batch / one

    track_gemvs.unit = "GEMVs"


class SparseCorrelations(Timed):
    """The same of a sparse X, by columns or by rows."""

    params = [["csc", "csr"]]
    param_names = ["storage"]

    def setup(self, storage):
        from fastreg.design import as_design

        X, _ = problems.make("text")
        self.design = as_design(X.asformat(storage))
        self.R = np.random.default_rng(2).standard_normal((3, X.shape[0], 8))
        self.out = np.zeros((3, X.shape[1], 8))

    def time_correlate(self, storage):
        self.design.correlate(self.R, self.out, 1)


class Gram(Timed):
    """Entries of the Gram matrix: of new features with those already there, and of all features of a tall X."""

    params = [["wide", "tall"], ["C", "F"], ["new", "all"]]
    param_names = ["problem", "order", "features"]

    def setup(self, problem, order, features):
        from fastreg.design import Dense

        X, _ = problems.make(problem)
        self.design = Dense(np.asarray(X, order=order))
        self.rows = np.arange(min(200, X.shape[1]))
        self.new = len(self.rows) if features == "all" else min(24, len(self.rows))
        self.means = X[:, : len(self.rows)].mean(axis=0)
        self.gram = np.empty((len(self.rows), len(self.rows)))

    def time_columns(self, *parameters):
        from fastreg.design.blocks import do_all

        do_all(self.design.gram_parts(self.gram, self.rows, self.new, self.means, None, 1.0), 1)


class Gradients(Timed):
    """`Dense.gradients`: residuals and their products with a tall X while its rows are in the cache."""

    params = [["C", "F"]]
    param_names = ["order"]

    def setup(self, order):
        from fastreg.design import Dense

        if not hasattr(Dense, "gradients"):
            raise NotImplementedError("not in this version")
        X, y = problems.make("tall")
        self.design, self.Y = Dense(np.asarray(X, order=order)), np.ascontiguousarray(y[:, None])
        self.W, self.level = np.zeros((X.shape[1], 1)), np.zeros(1)

    def time_gradients(self, order):
        self.design.gradients(self.W, self.Y, self.level, None)


class LeaveOneOut(Timed):
    """`panels.rotated_sums`: leave-one-out errors of all rows for a panel of alphas, once X is rotated."""

    def setup(self):
        from fastreg.kernels import panels

        if not hasattr(panels, "rotated_sums"):
            raise NotImplementedError("not in this version")
        rng = np.random.default_rng(0)
        Z, centre = rng.standard_normal((8, 1_000, 24)), np.zeros((8, 24))
        S, Q = rng.standard_normal((2, 8 * 24, 24))[:, None]
        linear, square = np.empty((2, 1, 1_000, 24))
        self.sums = lambda: panels.rotated_sums(Z, centre, None, S, Q, linear, square)

    def time_sums(self):
        self.sums()


class ActiveSet(Timed):
    """A path of 20 alphas on a Gram matrix: the screened features of a wide problem, and all of a tall one."""

    params = [["wide", "tall"]]
    param_names = ["problem"]

    def setup(self, problem):
        from fastreg.kernels import active

        X, y = problems.make(problem)
        y = y - y.mean()
        best = np.argsort(-np.abs(X.T @ y), kind="stable")[:200]
        X = X[:, best] - X[:, best].mean(axis=0)
        self.G, self.q = X.T @ X / len(y), X.T @ y / len(y)
        self.make, self.l1 = active.ActiveSet, np.abs(self.q).max() * np.geomspace(1.0, 0.01, 20)

    def time_path(self, problem):
        m, count = len(self.q), len(self.l1)
        solver, ones = self.make(), np.ones(m)
        solver.extend(self.q, ones, ones, np.full(m, -np.inf), np.full(m, np.inf))
        room = (count + 1) * m
        solver.solve(
            self.G,
            self.l1,
            np.zeros(count),
            np.zeros(count, np.uint8),
            10_000,
            1e12,
            np.empty(room, np.int32),
            np.empty(room),
            np.zeros(count + 1, np.intp),
            np.zeros(count, np.int64),
            np.zeros(count, np.int64),
        )


class Factor(Timed):
    """A Cholesky factor and one solution with it."""

    params = [list(FEATURES)]
    param_names = ["features"]
    repeat = (10, 30, 0.5)

    def setup(self, features):
        from fastreg.kernels import factor

        if not hasattr(factor, "factorize"):
            raise NotImplementedError("not in this version")
        m = FEATURES[features]
        X = np.random.default_rng(0).standard_normal((2 * m, m))
        self.factor, self.H, self.every, self.work = factor, X.T @ X, np.arange(m, dtype=np.int32), np.empty(8 * m)
        self.Lt, self.b = np.linalg.cholesky(self.H).T.copy(), np.ones((1, m))
        self.into = np.zeros((m, m))

    def time_factorize(self, features):
        self.factor.factorize(self.H, self.every, self.work, self.into)

    def time_solve(self, features):
        self.factor.solve(self.Lt, self.b)


class Loss(Timed):
    """Sum, slopes and curvatures of a loss over the rows."""

    params = [["logistic", "poisson", "huber"]]
    param_names = ["loss"]

    def setup(self, loss):
        from fastreg.kernels import losses

        rng = np.random.default_rng(0)
        y, z = (rng.random(ROWS) > 0.5).astype(float), rng.standard_normal(ROWS)
        r, h = np.empty((2, ROWS))
        number = losses.NUMBERS[loss]
        self.evaluate = lambda: losses.evaluate(number, 1.35, y, None, z, r, h)

    def time_evaluate(self, loss):
        self.evaluate()
