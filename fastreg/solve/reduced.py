"""Pure L2 penalties where features outnumber rows: the same problems with as many features as X has rows."""

from dataclasses import replace

import numpy as np
from scipy.linalg import lapack, solve_triangular
from scipy.sparse import csc_array, hstack

from ..design import as_design
from ..design.dense import Dense
from ..design.packs import dense_gram, full_gram
from ..kernels import losses
from .multinomial import Softmax
from .ridge_data import predict
from .run import penalty_factors
from .sample import Sample

MOST = 4_000  # rows of X
WIDE = 2  # features for each of them, at least
ROOM = 256 << 20  # bytes that matrices of its rows may take, or half of X if that is more
WORTH = 1 << 16  # multiplications of a product from which on it pays
MARGIN = 0.9  # of the tolerance, for the smaller problem: what comes back from it is rounded
LANES = 24  # solutions that are brought back at a time


def reducible(design, tasks):
    """Whether all tasks have nothing but L2 penalties, on an X with so many entries a row that fewer features pay."""
    n, p = design.n, design.p
    return (
        n <= MOST
        and p >= WIDE * n
        and design.pass_work >= max(WORTH, WIDE * n * n)
        and 24 * n * n <= max(ROOM, design.nbytes // 2)
        and all(
            task.loss != "squared"
            and task.l1_ratio == 0.0
            and task.lower is None
            and np.min(task.alphas) > 0.0
            and task.dfmax is None
            and (task.penalty_factor is None or (task.penalty_factor > 0).all())
            for task in tasks
        )
    )


class Reduction:
    """A matrix R whose rows have the inner products that those of X have in the metric of the penalty.

    With D the diagonal of penalty factors and X D^-1 X' = R R', coefficients v of R and w = D^-1 X'u with R'u = v have
    the same linear predictors and the same penalty, and a w that is not of this form is not optimal (the representer
    theorem).  R comes from a Cholesky factorization with pivots, and has no more columns than X has rank.

    Parameters
    ----------
    design : Dense, Columns or Rows
    factor : ndarray of shape (p,) or None
        The diagonal of D, positive; inf: an excluded feature.  None: ones.
    jobs : int

    Raises
    ------
    ValueError
        If an inner product overflows.
    """

    def __init__(self, design, factor, jobs):
        self.design, self.jobs, self.passes = design, jobs, 0  # products X'A
        self.inverse = np.ones(design.p) if factor is None else 1.0 / factor
        across, n = as_design(design.X.T), design.n
        if design.dense:
            root = None if factor is None else np.sqrt(self.inverse)
            kernel, _ = dense_gram(across, np.zeros(n), design.shift, root, jobs=jobs)
        else:
            kernel = full_gram(across, np.zeros(n), None if factor is None else self.inverse, jobs)
        size = np.diag(kernel).max(initial=0.0)
        if not np.isfinite(size):
            raise ValueError("X holds values so large that their products overflow: scale X down")
        lower, pivots, self.rank, _ = lapack.dpstrf(
            kernel.T, tol=n * np.finfo(float).eps * size, lower=1, overwrite_a=1
        )  # fmt: skip
        self.pivots, self.triangle = pivots[: self.rank] - 1, lower[: self.rank, : self.rank]
        R = np.zeros((n, self.rank), order="F")
        R[pivots - 1] = np.tril(lower)[:, : self.rank]
        self.small = Dense(R)

    def coefs(self, V):
        """(p, m) coefficients of X for those of R, (rank, m)."""
        U = np.zeros((self.design.n, V.shape[1]))
        U[self.pivots] = solve_triangular(self.triangle, V, lower=True, trans=1, check_finite=False)
        return self.inverse[:, None] * self.correlations(U)

    def correlations(self, A):
        """(p, m) X'A, columns of X as the design reads them."""
        self.passes += 1
        return self.design.correlations(A, self.jobs) if self.design.dense else self.design.X.T @ A

    def predictors(self, W):
        """(n, m) X W."""
        Z = predict(self.design.X, W, self.jobs)
        return Z if self.design.shift is None else Z - self.design.shift @ W

    def misfit(self, R, W, l2, total):
        """(m,) duality gaps at coefficients W (p, m) and the weighted residuals R (n, m) that go with them."""
        penalised = np.divide(W, self.inverse[:, None], out=np.zeros_like(W), where=W != 0.0)
        D = self.correlations(R) / total - l2 * penalised
        return (self.inverse[:, None] * D * D).sum(axis=0) / (2.0 * l2)


def solve_reduced(design, tasks, jobs, solve):
    """Solve tasks for which `reducible` holds; `solve(design, tasks)` solves smaller ones, or these as they are."""
    solutions, alike, passes = [None] * len(tasks), {}, 0
    for k, task in enumerate(tasks):
        key = id(task.penalty_factor), task.standardize, id(task.weights) if task.standardize else 0
        alike.setdefault(key, []).append(k)
    for some in alike.values():  # tasks with the same metric share a matrix
        first = tasks[some[0]]
        sample = Sample(design, first.weights, first.fit_intercept, jobs, keeps_gram=False)
        reduction = Reduction(design, penalty_factors(first, sample)[1], jobs)
        plain = {"standardize": False, "penalty_factor": None, "coef_init": None}
        small = [replace(tasks[k], tol=MARGIN * tasks[k].tol, **plain) for k in some]
        for k, solution in zip(some, solve(reduction.small, small), strict=True):
            task = tasks[k]
            bring = bring_classes_back if task.loss == "multinomial" else bring_back
            solutions[k] = bring(reduction, task, solution)
            bound = task.tol * solution.null_objective
            if ((solutions[k].dual_gaps > bound) & (solution.dual_gaps <= bound)).any():  # inner products lack digits
                solutions[k] = solve(design, [task])[0]
                reduction.passes += solutions[k].n_passes
        passes += reduction.passes
    for solution in solutions:
        solution.n_passes = passes
    return solutions


def bring_back(reduction, task, solution):
    """A `Solution` for X of one for R, its gaps from X itself."""
    design, small, number = reduction.design, solution.coefs, losses.NUMBERS[task.loss]
    levels, gaps, parts = solution.intercepts.copy(), np.empty(len(task.alphas)), []
    curvatures = np.empty(design.n)
    for start in range(0, len(gaps), LANES):
        at = slice(start, start + LANES)
        W = reduction.coefs(small[:, at].toarray())
        Z = reduction.predictors(W) + levels[at]
        R = np.empty(Z.shape)
        for i in range(W.shape[1]):
            z, r = Z[:, i] + (0.0 if task.offset is None else task.offset), np.empty(design.n)
            loss = number, task.parameter, task.y, task.weights, z, r, curvatures
            if task.fit_intercept:
                levels[start + i] += losses.level(*loss)[0]
            else:
                losses.evaluate(*loss)
            R[:, i] = r
        gaps[at] = reduction.misfit(R, W, task.alphas[at], total_weight(task))
        if design.shift is not None:
            levels[at] -= design.shift @ W
        parts.append(csc_array(W))
    coefs = hstack(parts, format="csc")
    return replace(
        solution, indptr=coefs.indptr, indices=coefs.indices, values=coefs.data, n_features=design.p, intercepts=levels,
        dual_gaps=gaps,
    )  # fmt: skip


def bring_classes_back(reduction, task, solution):
    """The same for a `MultinomialSolution`: one dual point for all classes."""
    design, K = reduction.design, len(task.classes)
    levels, gaps, parts = solution.intercepts.copy(), np.empty(len(task.alphas)), [[] for _ in range(K)]
    softmax = Softmax(design, task, reduction.jobs)
    for i in range(len(gaps)):
        W = reduction.coefs(np.column_stack([coefs[:, [i]].toarray() for coefs in solution.coefs]))
        softmax.intercepts = levels[i].copy()
        softmax.Z = reduction.predictors(W).T + levels[i][:, None]
        R = softmax.level()[2]
        gaps[i] = reduction.misfit(np.ascontiguousarray(R.T), W, task.alphas[i], softmax.total).sum()
        levels[i] = softmax.intercepts
        if design.shift is not None:
            levels[i] -= design.shift @ W
        if task.fit_intercept:  # a constant in all of them changes nothing
            levels[i] -= levels[i].mean()
        for part, w in zip(parts, W.T, strict=True):
            part.append(csc_array(w[:, None]))
    return replace(solution, coefs=[hstack(part, format="csc") for part in parts], intercepts=levels, dual_gaps=gaps)


def total_weight(task):
    return float(len(task.y)) if task.weights is None else float(task.weights.sum())
