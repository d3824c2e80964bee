"""Fits of ridge problems: by equations or, under bounds and for huge sparse X, by the engine; and cross-validation."""

from __future__ import annotations

import functools
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from scipy.linalg import LinAlgError, eigh

from fastreg import validation
from fastreg.path import solve
from fastreg.solve import Task
from fastreg.solve.krylov import Krylov
from fastreg.solve.ridge import (
    MOST_FACTORS,
    SATURATED,
    ask,
    decompose,
    fit_ridge,
    generalized_cross_validation,
    gradients,
    products,
)
from fastreg.solve.ridge_data import RidgeData, dense, pick, predict, spreads
from fastreg.solve.sums import Sums
from fastreg.solve.systems import (
    UNREFINED,
    ByFeatures,
    Decomposed,
    TooLarge,
    by_features,
    check_size,
    single_will_do,
    system_for,
)
from fastreg.solve.threads import one_blas_thread

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any, Literal

    from fastreg._types import Floats, Ints, Names, Splits

T = TypeVar("T")

OVERFLOW = "X, y or sample_weight hold values so large that their products overflow: scale them down."
TOL, MAX_ITER = 1e-10, 10_000
LOST = 1e-6  # share of a column's squares below which a difference of sums has lost its digits
KEPT_BYTES = 256 << 20  # of the sums of all folds
REACHED = 1e-10  # relative residual that an iterative solution has to have
SMALL = 1_000  # rows or columns of a matrix up to which one thread of a BLAS is enough
EPS = np.finfo(float).eps


@dataclass(slots=True)
class Terms:
    """What a problem says of the coefficients; checked."""

    standardize: bool = False
    factor: Floats | None = None  # (p,)
    matrix: Floats | None = None  # (p, p), instead
    lower: Floats | Any = None
    upper: Floats | Any = None

    def on(self, data: RidgeData) -> Floats | None:
        """The penalty P for these rows, as `RidgeData` takes it."""
        if self.matrix is not None:
            return self.matrix
        return self.scaled(spreads(data) ** 2) if self.standardize else self.factor

    def scaled(self, variances: Floats) -> Floats:
        """Factors of the penalty under `standardize`: columns that are constant are excluded."""
        if not np.isfinite(variances).all():
            raise ValueError(OVERFLOW)
        factor = np.ones(len(variances)) if self.factor is None else self.factor
        with np.errstate(invalid="ignore"):
            return np.where(variances > 0, factor * variances, np.inf)


@dataclass(slots=True)
class Fit:
    """Solutions of the k columns of a problem's Y."""

    data: RidgeData | Any  # None without a factorization
    alphas: Floats  # (k,)
    coefs: Floats  # (p, k)
    intercepts: Floats  # (k,)
    dual_gaps: Floats  # (k,) NaN where unknown
    residuals: Floats  # (k,)
    solver: str
    n_iter: Ints | None = None  # (k,)
    system: Any = None  # the factorization, if there is one
    rotation: Floats | None = None  # (p, p) what its features have to be multiplied with to be X's coefficients
    rank: int | None = None  # of X, where that is too little for a unique solution


def _on_one_blas_thread(fit: Callable[..., T]) -> Callable[..., T]:
    """Have a function of ridge data keep BLAS to one thread, unless its matrices are so large that more are faster."""

    @functools.wraps(fit)
    def calm(data: RidgeData, *arguments: Any, **named: Any) -> T:
        with one_blas_thread(min(data.X.shape) <= SMALL):
            return fit(data, *arguments, **named)

    return calm


@_on_one_blas_thread
def fit_problem(
    data: RidgeData,
    names: Names,
    alphas: Floats,
    terms: Terms,
    solver: str = "auto",
    tol: float = TOL,
    max_iter: int = MAX_ITER,
    n_jobs: int | None = None,
    system: Any = None,
) -> Fit:
    """Fit the columns of Y, each at its alpha.

    Parameters
    ----------
    data : RidgeData
        Its penalty is set here.
    names : ndarray of shape (p,) or None
        For messages.
    alphas : ndarray of shape (k,)
    terms : Terms
    solver, tol, max_iter, n_jobs
        As in `Ridge`.
    system : System or None
        A factorization of this problem, if there is one.
    """
    if terms.lower is not None:
        return _descend(data, names, alphas, terms, tol, max_iter, n_jobs)
    try:
        return _factorize(data, names, alphas, terms, solver == "svd", system)
    except TooLarge as error:
        for name, given in (("solver='svd'", solver == "svd"), ("a penalty_matrix", terms.matrix is not None)):
            if given:
                raise ValueError(f"{error}, which {name} needs.") from error
        return _iterate(data, names, alphas, terms) or _descend(data, names, alphas, terms, tol, max_iter, n_jobs)


def _iterate(data: RidgeData, names: Names, alphas: Floats, terms: Terms) -> Fit | None:
    """By conjugate gradients that all alphas share; None where these do not get there."""
    data.factor = terms.on(data)
    if alphas.min() == 0 or (data.factor is not None and not (data.factor > 0).all()):
        return None
    with _named_nonfinite(data, names):
        solution = fit_ridge(data, alphas, system=Krylov(data, np.unique(alphas)))
    if not (solution.residuals <= REACHED).all():
        return None
    return Fit(
        data=None,
        alphas=alphas,
        coefs=solution.coefs,
        intercepts=solution.intercepts,
        dual_gaps=solution.dual_gaps,
        residuals=solution.residuals,
        solver="sparse_cg",
    )


def _factorize(data: RidgeData, names: Names, alphas: Floats, terms: Terms, decomposed: bool, system: Any) -> Fit:
    with _named_nonfinite(data, names):
        if system is None:
            data.factor = terms.on(data)
            if decomposed and terms.matrix is None:
                system = decompose(data)
            elif alphas.min() > 0:
                system = system_for(data, single_will_do(data, alphas))
                if system.single and not (_is_finite(system) and np.trace(_matrix(system)) > TINY * min(data.X.shape)):
                    data.known_size = None  # what overflows, or vanishes, in single precision may not in double
                    system = system_for(data)
                _check(system)
        try:
            solution, rotation = fit_ridge(data, alphas, system=system), None
        except LinAlgError:
            if terms.matrix is None:
                raise
            validation.check_finite(data.X, names)
            twin, rotation = _rotated(data)
            solution = fit_ridge(twin, alphas)
        coefs = solution.coefs if rotation is None else rotation @ solution.coefs
        if not np.isfinite(coefs.sum() + solution.intercepts.sum() + solution.residuals.sum()):
            raise ValueError(OVERFLOW)
    return Fit(
        data=data,
        alphas=alphas,
        coefs=coefs,
        intercepts=solution.intercepts,
        dual_gaps=solution.dual_gaps,
        residuals=solution.residuals,
        solver="svd" if isinstance(solution.system, Decomposed) else "cholesky",
        system=solution.system,
        rotation=rotation,
        rank=_rank_if_short(solution.system, alphas),
    )


@contextmanager
def _named_nonfinite(data: RidgeData, names: Names) -> Iterator[None]:
    """Errors that come from NaN or infinity in X name the place instead."""
    validation.check_finite_if_small(data.X, names)
    try:
        with np.errstate(invalid="ignore", over="ignore", divide="ignore"):
            yield
    except TooLarge:
        raise
    except ValueError:
        validation.check_finite(data.X, names)
        raise


TINY = 1e-30  # mean diagonal of a matrix below which products may have vanished in single precision


def _is_finite(system: Any) -> bool:
    return bool(np.isfinite(np.trace(_matrix(system)) + system.mean.sum()))


def _check(system: Any) -> Any:
    """The system, if its matrix is finite: before time is lost on factorizations of anything else."""
    if not _is_finite(system):
        raise ValueError(OVERFLOW)
    return system


def _matrix(system: Any) -> Floats:
    return system.gram if isinstance(system, ByFeatures) else system.matrix


def in_double(fit: Fit) -> Any:
    """The factorization of a fit; made anew, and kept, where the fit made do with a matrix in single precision."""
    if fit.system.single:
        system = system_for(fit.data)
        known, matrix = _matrix(fit.system), _matrix(system)
        if not np.abs(matrix - known).max() <= 1e-5 * np.abs(known).max():
            raise ValueError("X was changed in place after the fit, which looks at it again here: fit again")
        fit.system = system
    return fit.system


def _rotated(data: RidgeData) -> tuple[RidgeData, Floats]:
    """A problem with a penalty matrix in coordinates where that is diagonal, and the rotation back."""
    values, vectors = eigh(data.factor)
    values[values <= len(values) * EPS * values.max(initial=0.0)] = 0.0
    X = dense(data.X) @ vectors
    return RidgeData(X, data.Y, data.weights, data.fit_intercept, values, data.jobs), vectors


def _rank_if_short(system: Any, alphas: Floats) -> int | None:
    """The rank of the features that no penalty holds, plus those that one does, if it is less than their number."""
    if not isinstance(system, Decomposed):
        return None
    data = system.data
    factor = np.ones(data.X.shape[1]) if data.factor is None else data.factor
    free, penalised = np.count_nonzero(factor == 0), np.count_nonzero((factor > 0) & np.isfinite(factor))
    known = len(system.s) if alphas.min() == 0 else penalised
    rank = system.Q.shape[1] - data.fit_intercept + known
    return rank if rank < free + penalised else None


def _descend(
    data: RidgeData, names: Names, alphas: Floats, terms: Terms, tol: float, max_iter: int, n_jobs: int | None
) -> Fit:
    """By the engine, whose objective is this one over twice the sum of the weights."""
    total, k = data.total, data.Y.shape[1]
    tasks = _tasks(data, data.weights, total, [np.array([alpha]) for alpha in alphas], terms, tol, max_iter)
    solutions = solve(data.X, names, tasks, precompute="auto", n_jobs=n_jobs)
    coefs = np.hstack([solution.coefs.toarray() for solution in solutions])
    data.factor, every = terms.on(data), np.arange(k)
    gradient = gradients(data, coefs, alphas, every)
    if terms.lower is not None:  # what cannot be followed does not count
        lower, upper = terms.lower[:, None], terms.upper[:, None]
        gradient[((coefs <= lower) & (gradient < 0)) | ((coefs >= upper) & (gradient > 0))] = 0.0
    size = np.linalg.norm(products(data, np.zeros(coefs.shape), every), axis=0)
    gaps = np.array([solution.dual_gaps[0] for solution in solutions])
    return Fit(
        data=None,
        alphas=alphas,
        coefs=coefs,
        intercepts=np.array([solution.intercepts[0] for solution in solutions]),
        dual_gaps=np.where(alphas > 0, 2.0 * total * gaps, np.nan),
        residuals=np.linalg.norm(gradient, axis=0) / np.where(size > 0, size, 1.0),
        solver="coordinate_descent",
        n_iter=np.array([int(solution.n_iter[0]) for solution in solutions]),
    )


def _tasks(
    data: RidgeData, weights: Floats | None, total: float, alphas: list[Floats], terms: Terms, tol: float, max_iter: int
) -> list[Task]:
    """The engine's tasks for the columns of Y, each with its alphas in descending order."""
    return [
        Task(
            y=np.ascontiguousarray(y),
            weights=weights,
            fit_intercept=data.fit_intercept,
            standardize=terms.standardize,
            l1_ratio=0.0,
            alphas=some / total,
            eps=None,
            tol=tol,
            max_iter=max_iter,
            coef_init=None,
            penalty_factor=terms.factor,
            lower=terms.lower,
            upper=terms.upper,
        )
        for y, some in zip(data.Y.T, alphas, strict=True)
    ]


# --- cross-validation ------------------------------------------------------------------------------------------------


@contextmanager
def _one_factorization(data: RidgeData, names: Names, terms: Terms, decomposed: bool, method: str) -> Iterator[Any]:
    """The factorization that is to answer for all alphas and rows at once, which `method` needs."""
    if data.counted < 2:
        raise ValueError(f"{method} needs two rows of positive weight, here n_samples={data.counted}. Pass more rows.")
    with _named_nonfinite(data, names):
        data.factor = terms.on(data)
        try:
            yield decompose(data) if decomposed else _check(system_for(data))
        except TooLarge as error:
            raise ValueError(f"{error}, which {method} needs. Pass cv=5 for five folds.") from error


@_on_one_blas_thread
def leave_one_out(
    data: RidgeData, names: Names, alphas: Floats, terms: Terms, decomposed: bool = False
) -> tuple[Floats, Any]:
    """Errors (L, n, k) of the rows under fits without them, and the factorization that told them all.

    Raises a ValueError where a row cannot be left out, or X is too large.
    """
    with _one_factorization(data, names, terms, decomposed, "leave-one-out (cv=None)") as system:
        (errors, _), system = ask(
            data, system, lambda one: one.leave_one_out(alphas), lambda found: found[1].max() > 1.0 - SATURATED
        )
        lost = ~np.isfinite(errors).all(axis=(0, 2))
        if lost.any():
            raise ValueError(
                f"row {int(lost.argmax())} cannot be left out: it alone determines the coefficients of features that "
                "are not penalised. Penalise them, or pass cv=5 for five folds."
            )
    return errors, system


@_on_one_blas_thread
def gcv(data: RidgeData, names: Names, alphas: Floats, terms: Terms, decomposed: bool = False) -> tuple[Floats, Any]:
    """The criterion of generalized cross-validation (L, k), and the factorization that told it.

    Raises a ValueError where a fit leaves no degrees of freedom, or X is too large.
    """
    with _one_factorization(data, names, terms, decomposed, "generalized cross-validation (cv='gcv')") as system:
        criterion, freedom, system = generalized_cross_validation(data, alphas, system)
        if (freedom == 0).any():
            raise ValueError(
                f"alphas[{int((freedom == 0).argmax())}] == {alphas[freedom == 0][0]:.6g} leaves no degrees of freedom "
                f"for the errors of the {data.counted} rows of positive weight, which generalized cross-validation "
                "(cv='gcv') divides by: pass larger alphas, penalise all features, or pass more rows."
            )
        if not np.isfinite(criterion).all():
            raise ValueError(OVERFLOW)
    return criterion, system


@_on_one_blas_thread
def cross_validate(
    data: RidgeData,
    names: Names,
    alphas: Floats,
    terms: Terms,
    splits: Splits,
    judge: Callable[[Floats, Ints], Floats],
    n_jobs: int | None,
) -> tuple[Floats, Any]:
    """Scores of each alpha in each fold.

    The Gram matrix of a training set is that of all rows less the fold's. Where that is no way (a wide X, other splits,
    digits lost) the training rows are fitted by themselves, and for a huge sparse X by iterations.

    Parameters
    ----------
    splits : list of (train, test), each an ndarray of row numbers
    judge : callable(predictions (L, m, k), rows (m,)) -> (L,) scores

    Returns
    -------
    scores : ndarray of shape (folds, L)
    system : System or None
        The factorization of the whole problem, if one came with the folds.
    """
    with _named_nonfinite(data, names):
        try:
            folds = Folds(data, alphas, terms, splits)
            scores = [judge(folds.predictions(k), test) for k, (_, test) in enumerate(splits)]
            return np.array(scores), folds.system()
        except TooLarge:
            return np.array(list(_iterated_scores(data, names, alphas, terms, splits, judge, n_jobs))), None


class Folds:
    """Fits without each fold, from sums over rows where that is possible."""

    whole: Sums | Any
    parts: list[Sums] | Any

    def __init__(self, data: RidgeData, alphas: Floats, terms: Terms, splits: Splits) -> None:
        self.data, self.alphas, self.terms, self.splits = data, alphas, terms, splits
        n, p = data.X.shape
        self.whole = self.parts = None
        if p > n:
            return
        check_size(data.X)
        tests = np.sort(np.concatenate([test for _, test in splits]))
        self.whole = Sums(p, data.Y.shape[1])
        room = max(KEPT_BYTES, 8 * data.X.size)
        if np.array_equal(tests, np.arange(n)) and 16 * p * p * len(splits) <= room:
            self.parts = [self.sums_of(test) for _, test in splits]
            for part in self.parts:
                self.whole.merge(part)
        else:
            self.whole.add(data.X, data.Y, data.weights, data.jobs)

    def system(self) -> Any:
        """The factorization of the whole problem."""
        if self.whole is None:
            return None
        self.data.factor = self.terms.on(self.data)
        return _check(by_features(self.whole, self.data))

    def sums_of(self, rows: Ints) -> Sums:
        sums = Sums(self.whole.p, self.whole.k)
        data = self.data
        sums.add(pick(data.X, rows), data.Y[rows], None if data.weights is None else data.weights[rows], data.jobs)
        return sums

    def predictions(self, k: int) -> Floats:
        """(L, m, k) of the rows of fold k."""
        train, test = self.splits[k]
        found = None if self.whole is None else self.from_sums(k)
        coefs, intercepts = found or self.from_rows(train, self.alphas)
        fitted = predict(pick(self.data.X, test), coefs, self.data.jobs) + intercepts
        return fitted.reshape(len(test), len(self.alphas), -1).transpose(1, 0, 2)

    def from_rows(self, train: Ints, alphas: Floats) -> tuple[Floats, Floats]:
        """Coefficients (p, L k) and intercepts (L k,) for the training rows."""
        data = self.data
        weights = None if data.weights is None else data.weights[train]
        part = RidgeData(pick(data.X, train), data.Y[train], weights, data.fit_intercept, jobs=data.jobs)
        part.factor = self.terms.on(part)
        k = data.Y.shape[1]
        fit = fit_ridge(part, np.repeat(alphas, k), np.tile(np.arange(k), len(alphas)))
        return fit.coefs, fit.intercepts

    def from_sums(self, k: int) -> tuple[Floats, Floats] | None:
        """As `from_rows`, or None where that is better."""
        train, test = self.splits[k]
        if len(train) >= len(test) and is_rest(train, test, len(self.data.Y)):
            sums = self.whole.copy()
            sums.merge(self.sums_of(test) if self.parts is None else self.parts[k], sign=-1.0)
        else:
            sums = self.sums_of(train)
        factor = self.factor(sums, train)
        if factor is False:
            return None
        system = ByFeatures(sums, self.data.fit_intercept, factor)
        every, coefs, many = np.arange(sums.k), [], len(np.unique(self.alphas)) > MOST_FACTORS
        for alpha in self.alphas:
            # squares would lose half of the digits at 0
            some = system.coefs(alpha, every, many) if alpha > 0 else self.from_rows(train, np.zeros(1))[0]
            if some is None or (alpha > 0 and system.reciprocals[alpha] < UNREFINED):
                return None
            coefs.append(some)
        return np.hstack(coefs), np.concatenate([system.intercepts(some, every) for some in coefs])

    def factor(self, sums: Sums, train: Ints) -> Floats | Literal[False] | None:
        """The penalty for some training rows, or False where their sums have lost digits in a difference."""
        data, terms = self.data, self.terms
        centred = data.fit_intercept or terms.standardize
        square, total, origin = sums.xx.diagonal(), sums.weight, sums.origin_x
        if centred:
            square = square - sums.x**2 / total
        else:
            square = square + (2.0 * sums.x + total * origin) * origin
        lost = square <= LOST * self.whole.xx.diagonal()
        factor = terms.scaled(np.where(lost, 0.0, square / total)) if terms.standardize else terms.factor
        if not lost.any():
            return factor
        seen = train if data.weights is None else train[data.weights[train] > 0]
        columns = dense(data.X[:, np.flatnonzero(lost)][seen])
        if (columns != (columns[0] if centred else 0.0)).any():
            return False
        factor = np.ones(len(square)) if factor is None else factor.copy()
        factor[lost] = np.inf  # constant: what differences of sums leave of such columns is rounding
        return factor


def _iterated_scores(
    data: RidgeData,
    names: Names,
    alphas: Floats,
    terms: Terms,
    splits: Splits,
    judge: Callable[[Floats, Ints], Floats],
    n_jobs: int | None,
) -> Iterator[Floats]:
    """Fold by fold, all alphas at once where they are positive; rows of weight zero are absent."""
    n, k = data.Y.shape
    for train, test in splits:
        weights = np.zeros(n)
        weights[train] = 1.0 if data.weights is None else data.weights[train]
        fold = RidgeData(data.X, data.Y, weights, data.fit_intercept, jobs=data.jobs)
        fit = None
        if alphas.min() > 0:
            fold.factor = terms.on(fold)
            if fold.factor is None or (fold.factor > 0).all():
                fit = fit_ridge(fold, np.tile(alphas, k), np.repeat(np.arange(k), len(alphas)))
        if fit is None or not (fit.residuals <= REACHED).all():
            yield from _descended_scores(data, names, alphas, terms, [(train, test)], judge, n_jobs)
            continue
        fitted = (predict(pick(data.X, test), fit.coefs, data.jobs) + fit.intercepts).reshape(len(test), k, len(alphas))
        yield judge(fitted.transpose(2, 0, 1), test)


def _descended_scores(
    data: RidgeData,
    names: Names,
    alphas: Floats,
    terms: Terms,
    splits: Splits,
    judge: Callable[[Floats, Ints], Floats],
    n_jobs: int | None,
) -> Iterator[Floats]:
    """All folds in one batch over X: rows of weight zero are absent."""
    k, order = data.Y.shape[1], np.unique(alphas)[::-1]
    place = np.searchsorted(-order, -alphas)
    tasks = []
    for train, _ in splits:
        weights = np.zeros(len(data.Y))
        weights[train] = 1.0 if data.weights is None else data.weights[train]
        tasks += _tasks(data, weights, weights.sum(), [order] * k, terms, TOL, MAX_ITER)
    solutions = solve(data.X, names, tasks, precompute="auto", n_jobs=n_jobs)
    for i, (_, test) in enumerate(splits):
        X = pick(data.X, test)
        fitted = np.array([(X @ one.coefs).toarray() + one.intercepts for one in solutions[i * k : (i + 1) * k]])
        yield judge(fitted.transpose(2, 1, 0)[place], test)


def is_rest(train: Ints, test: Ints, n: int) -> bool:
    """Whether `train` and `test` are all rows, each once."""
    counts = np.bincount(np.concatenate([train, test]), minlength=n)
    return bool((counts == 1).all())


def r2_scores(y: Floats, predictions: Floats, weights: Floats | None = None) -> Floats:
    """(L,) coefficients of determination of predictions (L, m, k) for y (m, k), averaged over the columns.

    1 for a constant column that is predicted exactly, 0 for one that is not; NaN for a single row.
    """
    if len(y) < 2:
        return np.full(len(predictions), np.nan)
    s = np.ones(len(y)) if weights is None else weights
    squares = np.einsum("i,lik->lk", s, (predictions - y) ** 2)
    total = s @ (y - np.average(y, axis=0, weights=s)) ** 2
    constant = total == 0
    scores = np.where(constant, squares == 0, 1.0 - squares / np.where(constant, 1.0, total))
    return scores.mean(axis=1)
