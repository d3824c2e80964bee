"""Data that do not fit in memory, or come in pieces: models from sums that are added up block by block."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse import csc_array

from fastreg import validation
from fastreg.path import solve
from fastreg.result import RegularizationPath
from fastreg.solve import Task, n_threads
from fastreg.solve.from_sums import add_rounding, moments_of, null_model, ridge_from_sums, stand_in
from fastreg.solve.sums import Sums

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from typing import Any, Self

    from numpy.typing import ArrayLike

    from fastreg._types import Floats, MatrixLike, Names
    from fastreg.solve.from_sums import Moments

_SERIAL = 1_000_000  # multiplications of a block that are not worth waking another thread
_SLACK = 1e-8  # share of a sum that taking away its rows may leave


class GramAccumulator:
    """Sums over the rows of X and y, from which ridge, lasso and elastic-net models are fitted.

    Squared loss needs no more of the data than sums of products of columns. Rows are added in blocks, in any order and
    on any machine, and taken away again; accumulators of different rows are merged. The number of features and of
    targets, and the column names, are those of the first block. Memory is that of a few (p, p) matrices and one block.

    Attributes
    ----------
    n_rows_ : int
        Rows of positive weight.
    total_weight_ : float
    n_features_in_ : int, or None before the first block
    n_targets_ : int, or None before the first block
    feature_names_in_ : ndarray of shape (p,) of str, or None
        Column names, if the first block was a data frame.
    x_mean_, x_std_ : ndarray of shape (p,)
        Weighted means and 1/S standard deviations of the features; exactly 0 for a constant column's deviation.
    y_mean_, y_std_ : ndarray of shape (k,)
        The same for the targets.

    Notes
    -----
    Sums are kept about an origin near the means and compensated for rounding, so that neither a mean of 1e6 standard
    deviations nor a billion rows costs digits.  Methods are not to be called from several threads at once.

    References
    ----------
    T. F. Chan, G. H. Golub and R. J. LeVeque, "Algorithms for computing the sample variance", The American
    Statistician 37 (1983).

    Examples
    --------
    >>> import numpy as np
    >>> from fastreg import GramAccumulator
    >>> rng = np.random.default_rng(0)
    >>> sums = GramAccumulator()
    >>> for _ in range(10):
    ...     X = rng.standard_normal((1000, 3))
    ...     sums = sums.add(X, X @ [1.0, -1.0, 2.0])
    >>> sums.n_rows_
    10000
    >>> sums.fit_path(alphas=[0.5, 0.0]).coefs[:, 1].toarray().round(6)
    array([ 1., -1.,  2.])
    """

    n_features_in_: int | Any  # None before the first rows
    n_targets_: int | Any
    feature_names_in_: Names
    _sums: Sums | Any
    _largest: Any
    _depth: int

    def __init__(self) -> None:
        self.n_features_in_ = self.n_targets_ = self.feature_names_in_ = None
        self._sums = None
        self._largest = None  # (squares of the features (p,), of the targets (k,)) at their largest
        self._depth = 0  # most rows added at a time

    # ------------------------------------------------------------------ rows in, rows out

    def add(self, X: MatrixLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Add a block of rows.

        Parameters
        ----------
        X : array-like, DataFrame or sparse matrix of shape (m, p)
            As in `fit_path`; the blocks need not be alike in storage or dtype.
        y : array-like of shape (m,) or (m, k)
        sample_weight : float or array-like of shape (m,), default=None
            Weights >= 0, on a scale that all blocks share; None is 1. Rows of weight zero count as absent.

        Returns
        -------
        GramAccumulator
            This object.

        Raises
        ------
        ValueError, TypeError
            If an argument is not as described, holds NaN or infinity, or does not match the blocks before it. Nothing
            is added then.
        """
        block, names = self._read(X, y, sample_weight)
        if self._sums is None:
            self.n_features_in_, self.n_targets_, self.feature_names_in_ = block.p, block.k, names
            self._clear()
        self._depth = max(self._depth, block.rows)
        self._take(block)
        return self

    def remove(self, X: MatrixLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Take rows away that were added before, with the weights that they had then; they need not be one block.

        What rounding leaves is relative to the sums before, not to what remains.

        Parameters
        ----------
        X, y, sample_weight
            As in `add`.

        Returns
        -------
        GramAccumulator
            This object.

        Raises
        ------
        ValueError, TypeError
            As in `add`, and if these rows cannot be among those that were added. Nothing is taken away then.
        """
        validation.check_has_rows(self.n_rows_)
        block, _ = self._read(X, y, sample_weight)
        sums = self._sums
        if block.rows > sums.rows:
            raise ValueError(f"X has {block.rows} rows of positive weight; there are only {sums.rows} to take away.")
        parts = block.about(sums.origin_x, sums.origin_y)
        left = sums.weight - parts["weight"]
        possible = left >= -_SLACK * sums.weight and (abs(left) <= _SLACK * sums.weight) == (block.rows == sums.rows)
        for whole, part, origin in (
            (np.diag(sums.xx), np.diag(parts["xx"]), sums.origin_x),
            (sums.yy, parts["yy"], sums.origin_y),
        ):
            possible &= bool((part <= (1.0 + _SLACK) * whole + _SLACK**3 * sums.weight * origin**2).all())
        if not possible:
            raise ValueError(
                "X, y and sample_weight are not rows that were added: their sums are larger than those of all rows. "
                "Pass the rows, with their weights, as they were given to add."
            )
        if block.rows == sums.rows:
            self._clear()
        else:
            sums.merge(block, -1.0)
        return self

    def merge(self, other: GramAccumulator) -> Self:
        """Add the rows of another accumulator, which stays as it is.

        Parameters
        ----------
        other : GramAccumulator
            Of the same columns and targets.

        Returns
        -------
        GramAccumulator
            This object.

        Raises
        ------
        ValueError, TypeError
            If `other` is something else.
        """
        if not isinstance(other, GramAccumulator):
            raise TypeError(f"other must be a GramAccumulator; it is a {type(other).__name__}.")
        if other._sums is None:
            return self
        if self._sums is None:
            self.__dict__.update(copy.deepcopy(other.__dict__))
            return self
        validation.check_accumulators(self, other)
        self._depth = max(self._depth, other._depth)
        self._largest = tuple(map(np.maximum, self._largest, other._largest))
        if other.n_rows_:
            self._take(other._sums)
        return self

    def __iadd__(self, other: GramAccumulator) -> Self:
        return self.merge(other) if isinstance(other, GramAccumulator) else NotImplemented

    def __add__(self, other: GramAccumulator) -> GramAccumulator:
        return copy.deepcopy(self).merge(other) if isinstance(other, GramAccumulator) else NotImplemented

    def _read(self, X: MatrixLike, y: ArrayLike, sample_weight: ArrayLike | None) -> tuple[Sums, Names]:
        """Sums of a block that has passed all checks, and its column names."""
        X, names = validation.as_matrix(X)
        rows, _ = validation.as_responses(y, X.shape[0])
        if self._sums is not None:
            known = self.n_features_in_, self.feature_names_in_, self.n_targets_
            validation.check_block(X, names, len(rows), *known)
        weights = validation.as_block_weights(sample_weight, X.shape[0])
        validation.check_finite(X, names)
        Y = np.ascontiguousarray(rows.T)
        if weights is not None and not weights.all():  # the values of an absent row may overflow
            present = np.flatnonzero(weights)
            X, Y, weights = X[present], Y[present], weights[present]
        m, p = X.shape
        block = Sums(p, Y.shape[1])
        if m == 0:
            return block, names
        if self._sums is not None:
            block.origin_x = self._sums.origin_x
        with np.errstate(over="ignore", invalid="ignore"):
            block.add(X, Y, weights, n_threads(None) if m * p * p > _SERIAL else 1)
        if not all(np.isfinite(part).all() for part in block.high.values()):
            raise ValueError("X or y holds values so large that their products overflow: scale X, or y, down.")
        return block, names

    def _take(self, block: Sums) -> None:
        if block.rows:
            self._sums.merge(block)
            squares = np.diag(self._sums.high["xx"]), self._sums.high["yy"]
            self._largest = tuple(map(np.maximum, self._largest, squares))

    def _clear(self) -> None:
        """No rows."""
        self._sums = Sums(self.n_features_in_, self.n_targets_)
        self._largest = np.zeros(self.n_features_in_), np.zeros(self.n_targets_)

    # ------------------------------------------------------------------ what is known

    @property
    def n_rows_(self) -> int:
        return 0 if self._sums is None else self._sums.rows

    @property
    def total_weight_(self) -> float:
        return 0.0 if self._sums is None else float(self._sums.weight)

    @property
    def x_mean_(self) -> Floats:
        return self._moments().mean

    @property
    def y_mean_(self) -> Floats:
        return self._moments().level

    @property
    def x_std_(self) -> Floats:
        return self._moments().spread

    @property
    def y_std_(self) -> Floats:
        moments = self._moments()
        return np.sqrt(moments.squares / moments.total)

    def _moments(self, fit_intercept: bool = True) -> Moments:
        validation.check_has_rows(self.n_rows_)
        return moments_of(self._sums, *self._largest, self._depth, fit_intercept)  # type: ignore[call-arg]  # a pair

    def __repr__(self) -> str:
        if self._sums is None:
            return "GramAccumulator(no rows)"
        p, k = self.n_features_in_, self.n_targets_
        return f"GramAccumulator({self.n_rows_} rows, {p} feature{'s' * (p != 1)}, {k} target{'s' * (k != 1)})"

    # ------------------------------------------------------------------ models

    def ridge(
        self,
        alphas: ArrayLike,
        *,
        fit_intercept: bool = True,
        standardize: bool = False,
        penalty_factor: ArrayLike | None = None,
    ) -> Any:
        """Ridge regression for each alpha, on the scale of scikit-learn's Ridge.

        Minimises ``sum_i s_i (y_i - b - x_i' w)^2 + alpha sum_j v_j w_j^2``: alpha is S = sum_i s_i times that of
        `fit_path` with ``l1_ratio=0``.

        Parameters
        ----------
        alphas : array-like of shape (L,)
            Values >= 0, sorted in descending order. At 0: least squares, of minimum norm if it is not unique.
        fit_intercept : bool, default=True
        standardize : bool, default=False
            Penalise w_j * sd_j in place of w_j; constant columns get 0.
        penalty_factor : array-like of shape (p,), default=None
            Factors v_j >= 0; 0 leaves a feature unpenalised, inf excludes it.

        Returns
        -------
        RegularizationPath, or a list of k of them for k > 1 targets
            Dual gaps and null objective are in units of the objective above.  The gaps are those of the sums, plus a
            bound on what the rounding of the sums can change; see `fit_path`.

        Raises
        ------
        ValueError, TypeError
            If an argument is not as described, or no rows were added.
        """
        alphas = validation.as_penalties(alphas)
        fit_intercept = validation.as_bool(fit_intercept, "fit_intercept")
        standardize = validation.as_bool(standardize, "standardize")
        validation.check_has_rows(self.n_rows_)
        factor = validation.as_penalty_factor(penalty_factor, self.n_features_in_)
        moments = self._moments(fit_intercept)
        factor = np.ones(self.n_features_in_) if factor is None else factor.copy()
        if fit_intercept or standardize:
            factor[moments.spread == 0] = np.inf
        if standardize:
            factor *= np.where(moments.spread > 0, moments.spread**2, 1.0)
        coefs, gaps = ridge_from_sums(self._sums, moments, fit_intercept, alphas, factor)
        free = np.flatnonzero(factor == 0)
        null_coefs, null = null_model(moments, free)
        none, S = np.zeros(len(alphas)), moments.total
        paths = []
        for k in range(self.n_targets_):
            W = coefs[:, k]
            # the bound is for an objective of 1/(2 S) times the squares
            gap = add_rounding(moments, k, gaps[k] / (2 * S), null[k] / (2 * S), W, none, alphas / S, factor, factor)
            squares = moments.squares[k] - ((2 * moments.cross[:, k, None] - moments.gram @ W) * W).sum(axis=0)
            path = RegularizationPath(
                alphas=alphas.copy(),
                coefs=csc_array(W),
                intercepts=moments.level[k] - moments.mean @ W,
                dual_gaps=gap * 2 * S,
                null_objective=float(null[k]),
                null_intercept=float(moments.level[k] - moments.mean @ null_coefs[:, k]),
                alpha_max=np.inf,
                deviance_ratio=1.0 - squares / moments.squares[k] if moments.squares[k] > 0 else np.zeros(len(alphas)),
                n_iter=np.ones(len(alphas), dtype=np.int64),
                n_passes=0,
                feature_names=self.feature_names_in_,
                null_coef=null_coefs[:, k].copy() if len(free) else None,
            )
            paths.append(path)
        return paths[0] if len(paths) == 1 else paths

    def fit_path(
        self,
        *,
        l1_ratio: float = 1.0,
        alphas: int | ArrayLike = 100,
        eps: float | None = None,
        fit_intercept: bool = True,
        standardize: bool = False,
        positive: bool = False,
        penalty_factor: ArrayLike | None = None,
        lower_bounds: ArrayLike | None = None,
        upper_bounds: ArrayLike | None = None,
        dfmax: int | None = None,
        tol: float = 1e-10,
        max_iter: int = 10_000,
        n_jobs: int | None = None,
    ) -> Any:
        """The lasso or elastic net along a whole grid of penalties, as `fastreg.fit_path` fits it to the rows.

        Parameters
        ----------
        l1_ratio, alphas, eps, fit_intercept, standardize, positive, penalty_factor, lower_bounds, upper_bounds, \
dfmax, tol, max_iter, n_jobs
            As in `fastreg.fit_path`; rows of weight zero do not count for the default of `eps`.

        Returns
        -------
        RegularizationPath, or a list of k of them for k > 1 targets
            `n_passes` is 0.  The path does not refer to an X, so that it has no `certificate`.

        Raises
        ------
        ValueError, TypeError
            If an argument is not as described, or no rows were added.

        Warns
        -----
        ConvergenceWarning
            As in `fastreg.fit_path`.

        Notes
        -----
        The solver is given a design of at most p + k rows that has the same sums, from the Cholesky factor of their
        Gram matrix.  Dual gaps are those of the sums, plus a bound on what rounding can add: with u = 2 eps (8 +
        sqrt(m) + sqrt(p)) for blocks of m rows, each sum is within u times the root of the sums of squares of its two
        columns about the origin, near the means, that they are taken about.  The part sqrt(m) holds with a probability
        close to one (Higham and Mary 2019).

        References
        ----------
        N. J. Higham and T. Mary, "A new approach to probabilistic rounding error analysis", SIAM Journal on Scientific
        Computing 41 (2019).
        """
        problem = self._checked(
            l1_ratio=l1_ratio, alphas=alphas, eps=eps, fit_intercept=fit_intercept, standardize=standardize,
            positive=positive, penalty_factor=penalty_factor, lower_bounds=lower_bounds, upper_bounds=upper_bounds,
            dfmax=dfmax, tol=tol, max_iter=max_iter,
        )  # fmt: skip
        paths = self._fit(problem, [problem["alphas"]] * self.n_targets_, validation.as_n_jobs(n_jobs))
        return paths[0] if len(paths) == 1 else paths

    def _checked(
        self,
        *,
        l1_ratio: float,
        alphas: int | ArrayLike,
        eps: float | None,
        fit_intercept: bool,
        standardize: bool,
        positive: bool,
        penalty_factor: ArrayLike | None,
        lower_bounds: ArrayLike | None,
        upper_bounds: ArrayLike | None,
        dfmax: int | None,
        tol: float,
        max_iter: int,
    ) -> dict[str, Any]:
        """The arguments of a `Task`, those that depend on the rows aside."""
        validation.check_has_rows(self.n_rows_)
        p = self.n_features_in_
        positive = validation.as_bool(positive, "positive")
        lower, upper = validation.as_bounds(lower_bounds, upper_bounds, positive, p)
        problem: dict[str, Any] = {
            "fit_intercept": validation.as_bool(fit_intercept, "fit_intercept"),
            "standardize": validation.as_bool(standardize, "standardize"),
            "l1_ratio": validation.as_l1_ratio(l1_ratio),
            "alphas": validation.as_alphas(alphas),
            "eps": validation.as_eps(eps) or (1e-3 if self.n_rows_ >= p else 1e-2),
            "tol": validation.as_tol(tol),
            "max_iter": validation.as_max_iter(max_iter),
            "penalty_factor": validation.as_penalty_factor(penalty_factor, p),
            "lower": lower,
            "upper": upper,
            "dfmax": validation.as_dfmax(dfmax),
        }
        validation.check_grid(problem["alphas"], problem["l1_ratio"], problem["penalty_factor"])
        return problem

    def _fit(
        self, problem: dict[str, Any], grids: Sequence[int | Floats], n_jobs: int | None
    ) -> list[RegularizationPath]:
        """The paths of one problem, with a grid for each target."""
        p, share = self.n_features_in_, problem["l1_ratio"]
        centred, standardize = problem["fit_intercept"], problem["standardize"]
        moments = self._moments(centred)
        v = np.ones(p) if problem["penalty_factor"] is None else problem["penalty_factor"].copy()
        if centred or standardize:
            v[moments.spread == 0] = np.inf
        scale = np.where(moments.spread > 0, moments.spread, 1.0) if standardize else np.ones(p)
        X, Y, lost = stand_in(moments)
        moments.rounding += lost
        root = np.sqrt(len(X) / moments.total)  # the solver's objective is a mean over rows
        X, Y = np.asfortranarray(X * (root / scale)), Y * root
        task = {**problem, "fit_intercept": False, "standardize": False, "weights": None, "coef_init": None}
        task["penalty_factor"] = None if (v == 1).all() else v
        if problem["lower"] is not None:
            task["lower"], task["upper"] = problem["lower"] * scale, problem["upper"] * scale
        tasks = [Task(**{**task, "y": y, "alphas": grid}) for y, grid in zip(Y, grids, strict=True)]
        paths = []
        for k, solution in enumerate(solve(X, None, tasks, precompute="auto", n_jobs=n_jobs)):
            coefs = solution.coefs
            coefs.data /= scale[coefs.indices]
            null_coef = None if solution.null_coef is None else solution.null_coef / scale
            penalties = solution.alphas * share, solution.alphas * (1.0 - share)
            gaps, null = solution.dual_gaps, solution.null_objective
            gaps = add_rounding(moments, k, gaps, null, coefs.toarray(), *penalties, v * scale, v * scale**2)
            path = RegularizationPath(
                alphas=solution.alphas,
                coefs=coefs,
                intercepts=moments.level[k] - coefs.T @ moments.mean,
                dual_gaps=gaps,
                null_objective=null,
                null_intercept=float(moments.level[k] - (0.0 if null_coef is None else moments.mean @ null_coef)),
                alpha_max=solution.alpha_max,
                deviance_ratio=solution.deviance_ratio,
                n_iter=solution.n_iter,
                n_passes=0,
                feature_names=self.feature_names_in_,
                null_coef=null_coef,
            )
            paths.append(path)
        return paths


@dataclass(eq=False)
class BlockCrossValidation:
    """Errors of paths on blocks of rows that they have not seen.

    Attributes
    ----------
    alphas : ndarray of shape (L,)
    mse : ndarray of shape (K, L)
        Weighted mean squared error on each block, of the path fitted to all others.
    mean : ndarray of shape (L,)
        Over the blocks, each counting once.
    standard_error : ndarray of shape (L,)
        Standard deviation of the blocks' errors over sqrt(K), the blocks weighted by the rows that they hold.
    alpha_min : float
        Of the smallest mean.
    alpha_1se : float
        The largest alpha whose mean is within one standard error of the smallest.
    path : RegularizationPath
        Fitted to all blocks.
    """

    alphas: Floats
    mse: Floats
    mean: Floats
    standard_error: Floats
    alpha_min: float
    alpha_1se: float
    path: RegularizationPath


def cross_validate_blocks(
    blocks: Iterable[GramAccumulator],
    *,
    l1_ratio: float = 1.0,
    alphas: int | ArrayLike = 100,
    eps: float | None = None,
    fit_intercept: bool = True,
    standardize: bool = False,
    positive: bool = False,
    penalty_factor: ArrayLike | None = None,
    lower_bounds: ArrayLike | None = None,
    upper_bounds: ArrayLike | None = None,
    tol: float = 1e-10,
    max_iter: int = 10_000,
    n_jobs: int | None = None,
) -> Any:
    """Choose alpha by cross-validation over blocks of rows, from their sums alone.

    Parameters
    ----------
    blocks : sequence of K GramAccumulator
        One for each fold; K >= 2.
    l1_ratio, alphas, eps, fit_intercept, standardize, positive, penalty_factor, lower_bounds, upper_bounds, tol, \
max_iter, n_jobs
        As in `GramAccumulator.fit_path`.  An automatic grid is that of all rows, for every fold.

    Returns
    -------
    BlockCrossValidation, or a list of k of them for k > 1 targets

    Raises
    ------
    ValueError, TypeError
        If an argument is not as described, or the blocks do not agree.

    Warns
    -----
    ConvergenceWarning
        As in `fastreg.fit_path`, for each fold.

    Notes
    -----
    With the sums of squares and products of the held-out rows about the training means, G, c and q, the squared errors
    of coefficients w add up to ``q - 2 c'w + w'Gw``.  Sums of training rows are added up, never subtracted.
    """
    blocks = validation.as_blocks(blocks, GramAccumulator)
    n_jobs = validation.as_n_jobs(n_jobs)
    total = _merged(blocks)
    problem = total._checked(
        l1_ratio=l1_ratio, alphas=alphas, eps=eps, fit_intercept=fit_intercept, standardize=standardize,
        positive=positive, penalty_factor=penalty_factor, lower_bounds=lower_bounds, upper_bounds=upper_bounds,
        dfmax=None, tol=tol, max_iter=max_iter,
    )  # fmt: skip
    paths = total._fit(problem, [problem["alphas"]] * total.n_targets_, n_jobs)
    grids = [path.alphas for path in paths]
    mse = np.empty((len(paths), len(blocks), len(grids[0])))
    for i, (block, training) in enumerate(zip(blocks, _complements(blocks), strict=True)):
        moments = training._moments(fit_intercept)
        for k, path in enumerate(training._fit(problem, grids, n_jobs)):
            mse[k, i] = _errors(block, path, moments, k)
    results = []
    share = np.array([block.total_weight_ for block in blocks]) / total.total_weight_
    for path, errors in zip(paths, mse, strict=True):
        mean = errors.mean(axis=0)
        error = np.sqrt(share @ (errors - share @ errors) ** 2 / (len(blocks) - 1))
        best = int(mean.argmin())
        within = int(np.argmax(mean <= mean[best] + error[best]))
        chosen = float(path.alphas[best]), float(path.alphas[within])
        results.append(BlockCrossValidation(path.alphas, errors, mean, error, *chosen, path))
    return results[0] if len(results) == 1 else results


def _merged(blocks: Iterable[GramAccumulator]) -> GramAccumulator:
    total = GramAccumulator()
    for block in blocks:
        total.merge(block)
    return total


def _complements(blocks: list[GramAccumulator], others: GramAccumulator | None = None) -> Iterator[Any]:
    """For each block the sums of all others, in K log K merges."""
    if len(blocks) == 1:
        yield others
        return
    half = len(blocks) // 2
    for some, rest in ((blocks[:half], blocks[half:]), (blocks[half:], blocks[:half])):
        yield from _complements(some, _merged(rest if others is None else [others, *rest]))


def _errors(block: GramAccumulator, path: RegularizationPath, moments: Moments, k: int) -> Floats:
    """(L,) mean squared errors on the rows of a block."""
    parts, W = block._sums.about(moments.mean, moments.level), path.coefs.toarray()
    squares = parts["yy"][k] - ((2.0 * parts["xy"][:, k, None] - parts["xx"] @ W) * W).sum(axis=0)
    return np.maximum(squares, 0.0) / parts["weight"]
