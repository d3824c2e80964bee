"""Which penalty, and what does it buy: the same rows, folds and certificate for four ways to fit."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass, replace
from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np

from fastreg.loss import unit_deviances
from fastreg.report.data import DataError
from fastreg.report.loss_search import search_paths
from fastreg.report.losses import CLASS_LOSSES, check_classes, codes_of, null_deviances
from fastreg.solve.ridge import fit_ridge
from fastreg.solve.ridge_data import RidgeData, spreads

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from numpy.typing import NDArray

    from fastreg._types import Floats, Ints
    from fastreg.report.data import Dataset


@dataclass(frozen=True, slots=True)
class Curve:
    """Solutions along alphas; the part of a RegularizationPath that choosing and plotting need."""

    alphas: Floats
    coefs: Floats  # (p, L), dense here, CSC in a RegularizationPath
    intercepts: Floats
    relative_gaps: Floats
    feature_names: NDArray[Any]

    @property
    def n_nonzero(self) -> Any:
        return np.count_nonzero(self.coefs, axis=0)


@dataclass(frozen=True, slots=True)
class Entry:
    """One way to fit, its alpha chosen by cross-validation within the training rows.

    Attributes
    ----------
    penalty : str
    alpha : float
        0 for least squares.
    coef : ndarray of shape (p,), or (p, K) for the multinomial loss, float64
    intercept : float or ndarray of shape (K,)
    cv_error, test_error : float
        Over the folds and on the held-out rows, the root mean squared error for the squared loss, the mean deviance for
        others.
    test_share : float
        R^2 about the mean of the held-out rows; for other losses 1 less the deviance over that of the null model.
    accuracy : float or None
        Share of the held-out rows whose class is predicted.
    test_errors : ndarray of shape (m,), float64
        Deviances of the held-out rows, for the squared loss squared errors.
    certificate : float
        Duality gap over the objective of the null model; for alpha = 0 the norm of the gradient relative to its norm at
        zero if the loss is the squared one.
    edge : bool
        The chosen alpha is the first or the last of its grid.
    seconds : float
        Cross-validation and the fit on all training rows.
    path : RegularizationPath or Curve
        The fit on all training rows.
    """

    penalty: str
    alpha: float
    coef: Floats
    intercept: float
    cv_error: float
    test_error: float
    test_share: float
    accuracy: float | Any
    test_errors: Floats
    certificate: float
    edge: bool
    seconds: float
    path: Any

    @property
    def n_features(self) -> int:
        return int(np.count_nonzero(self.coef if self.coef.ndim == 1 else self.coef.any(axis=1)))


@dataclass(frozen=True, slots=True)
class Comparison:
    """No penalty first, then the penalties, all on the same split.

    `null_error` and `null_accuracy` are those of the null model of the training rows on the held-out rows.
    """

    data: Dataset
    n_train: int
    n_test: int
    folds: int
    seed: int
    scale: Floats  # (p,) standard deviations of the training columns
    null_error: float
    null_accuracy: float | None
    entries: tuple[Entry, ...]


def compare(
    data: Dataset,
    *,
    test_size: float = 0.25,
    folds: int = 10,
    seed: int = 0,
    progress: Callable[..., Any] | None = None,
) -> Comparison:
    """Hold out rows, choose alpha by cross-validation within the others, refit, score.

    Columns are standardized within each fit, so nothing of a fold or of the held-out rows enters it.

    Parameters
    ----------
    data : Dataset
    test_size : float
        Fraction of the rows that is held out, between 0 and 1.
    folds : int
        At least 2.
    seed : int
        Of the shuffles that make the split and the folds.
    progress : callable or None
        Called as ``progress(done, total)`` after each fit.

    Returns
    -------
    Comparison

    Raises
    ------
    DataError
        If there are too few rows, or nothing varies in the training rows.
    """
    import fastreg.models  # noqa: F401  # takes a while, which should not count as time of the first fit

    classes = data.loss in CLASS_LOSSES
    train, test = split(data.X.shape[0], test_size, folds, seed, data.y if classes else None)
    X, y = data.X[train], data.y[train]
    if classes:
        check_classes(data, train, folds)
    scale = X.std(axis=0)
    if y.min() == y.max():
        raise DataError(f"the target '{data.target}' is constant in the training rows: try another --seed")
    if not (X.min(axis=0) < X.max(axis=0)).any():
        raise DataError("no feature varies in the training rows: there is nothing to predict from")

    order = np.random.default_rng([seed, 1]).permutation(len(y))
    if classes:
        order = order[np.argsort(y[order], kind="stable")]
        parts = [order[k::folds] for k in range(folds)]  # of each class as many
    else:
        parts = np.array_split(order, folds)
    ways: dict[str, Any]
    if data.loss == "squared":
        ways = {
            "none (least squares)": _Ridge(np.zeros(1), data.feature_names),
            # Eigenvalues of a correlation matrix lie between 0 and p: above them everything is shrunk, far below
            # nothing.
            "L2 (ridge)": _Ridge(np.geomspace(100, 1e-7, 100) * X.shape[1], data.feature_names),
            "L1 (lasso)": _Sparse(1.0),
            "L1 + L2 (elastic net)": _Sparse(0.5),
        }
    else:
        rows = replace(data, X=X, y=y)
        ways = {
            "none": _Loss(rows, 1.0, np.zeros(1)),
            "L2 (ridge)": _Loss(rows, 0.0, 50),
            "L1 (lasso)": _Loss(rows, 1.0, 50),
            "L1 + L2 (elastic net)": _Loss(rows, 0.5, 50),
        }
    total, done = len(ways) * (folds + 1), 0
    entries = []

    def unit(mean: float) -> float:
        """A mean of errors as it is shown: of squares the root."""
        return math.sqrt(mean) if data.loss == "squared" else float(mean)

    def fitted() -> None:
        nonlocal done
        done += 1
        if progress is not None:
            progress(done, total)

    for penalty, way in ways.items():
        start = perf_counter()
        path, sums = way.search(X, y, parts, fitted)
        best = int(sums.argmin())  # of equals the largest alpha
        seconds = perf_counter() - start
        z = _predict(path, data.X[test], best)
        errors = unit_deviances(data.loss, data.y[test], z, data.delta)
        if data.loss == "squared":
            nulls = (data.y[test] - data.y[test].mean()) ** 2
        else:
            nulls = null_deviances(data.loss, data.y[test], path, data.delta)
        entries.append(
            Entry(
                penalty=penalty,
                alpha=float(path.alphas[best]),
                coef=_column(path.coefs, best),
                intercept=path.intercepts[best],
                cv_error=unit(sums[best] / len(y)),
                test_error=unit(errors.mean()),
                test_share=1 - float(errors.sum() / nulls.sum()) if nulls.any() else math.nan,
                accuracy=float((codes_of(data.loss, z) == data.y[test]).mean()) if classes else None,
                test_errors=errors,
                certificate=float(path.relative_gaps[best]),
                edge=len(sums) > 1 and best in (0, len(sums) - 1),
                seconds=seconds,
                path=path,
            )
        )
    most = float((data.y[test] == np.bincount(y.astype(np.intp)).argmax()).mean()) if classes else None
    return Comparison(
        data, len(train), len(test), folds, seed, scale, unit(nulls.mean()), most, tuple(entries)
    )  # fmt: skip


def split(n: int, test_size: float, folds: int, seed: int, codes: NDArray[Any] | None = None) -> tuple[Ints, Ints]:
    """Seeded split of n rows into training and held-out rows, both sorted; with codes (n,) in the same shares of each.

    Returns
    -------
    train, test : ndarray of int

    Raises
    ------
    DataError
        Unless two rows are held out and each fold holds two.
    """
    held_out = round(n * test_size)
    if held_out < 2 or n - held_out < 2 * folds:
        raise DataError(f"too few rows: {n} rows with --test-size {test_size:g} leave {held_out} to test on and "
                        f"{n - held_out} to train on; --folds {folds} needs {2 * folds}, the test 2")  # fmt: skip
    order = np.random.default_rng([seed, 0]).permutation(n)
    if codes is not None:
        order = order[np.argsort(codes[order], kind="stable")]
        chosen = ((np.arange(held_out) + 0.5) * n / held_out).astype(np.intp)
        return np.sort(np.delete(order, chosen)), np.sort(order[chosen])
    return np.sort(order[held_out:]), np.sort(order[:held_out])


def reading(comparison: Comparison) -> str:
    """One sentence that says which penalty the numbers favour and what it buys, or that none does.

    The choice is the one of cross-validation; the held-out rows only report. Two fits are told apart by the sign test:
    one has to be closer on clearly more rows (two standard deviations), since a mean of squares can hang on one row.
    Classifiers are told apart by the mean of their differences instead: one that is too sure of itself is closer on
    most rows, and all the worse on the others.

    Parameters
    ----------
    comparison : Comparison

    Returns
    -------
    str
    """
    plain, *penalized = comparison.entries
    n, p = comparison.n_test, comparison.data.X.shape[1]
    squared = comparison.data.loss == "squared"
    noun, without = ("error", "plain least squares") if squared else ("deviance", "the fit without one")
    best = min(comparison.entries, key=lambda entry: entry.cv_error)
    if best is plain:
        other = min(penalized, key=lambda entry: entry.cv_error)
        return (f"No penalty helps here: cross-validation prefers {without}, whose {noun} on the {n} "
                f"held-out rows is {plain.test_error:.4g}; the best penalty, {other.penalty}, "
                f"has {other.test_error:.4g}.")  # fmt: skip

    z, wins = _standard_score(best, plain)
    rows = f"closer on {wins} of them"
    if best.accuracy is not None:
        rows = f"right on {round(n * best.accuracy)} of them against {round(n * plain.accuracy)}"
    numbers = f"{best.test_error:.4g} against {plain.test_error:.4g} without a penalty"
    lower = best.test_error < plain.test_error
    if lower and z >= 2:
        less = f"{1 - best.test_error / plain.test_error:.0%} less" if plain.test_error < 100 * best.test_error else (
            f"{plain.test_error / best.test_error:.3g} times less")  # fmt: skip
        verdict = f"its {noun} on the {n} held-out rows is {numbers} ({less}, and {rows})"
    elif not lower and z <= -2:
        verdict = f"but on the {n} held-out rows it is worse, {numbers}, so here the penalty does not help"
    else:
        verdict = (f"but the {n} held-out rows do not settle that it predicts better: {numbers}, "
                   f"and {rows}")  # fmt: skip
    parts = [f"Cross-validation favours {best.penalty}", verdict]
    if best.n_features < plain.n_features:
        parts.append(f"it keeps {best.n_features} of {p} features")
    close = [entry.penalty for entry in penalized if entry is not best and abs(_standard_score(entry, best)[0]) < 2]
    if close:
        parts.append(f"{' and '.join(close)} {'is' if len(close) == 1 else 'are'} within chance of it")
    if best.test_share <= 0:
        parts.append(f"yet it predicts no better than {'the mean of the target' if squared else 'without features'}")
    return parts[0] + (", " if verdict.startswith("but") else ": ") + "; ".join(parts[1:]) + "."


def _standard_score(entry: Entry, other: Entry) -> tuple[float, int]:
    """Of `entry` being better than `other`, and the number of held-out rows on which it is closer."""
    difference = other.test_errors - entry.test_errors
    wins, losses = int((difference > 0).sum()), int((difference < 0).sum())
    if entry.accuracy is None:
        return (wins - losses) / math.sqrt(max(wins + losses, 1)), wins
    spread = difference.std()
    return (difference.mean() / spread * math.sqrt(len(difference)) if spread > 0 else 0.0), wins


class _Sparse:
    """L1 or elastic net."""

    def __init__(self, l1_ratio: float) -> None:
        self._l1_ratio = l1_ratio

    def search(self, X: Any, y: NDArray[Any], parts: list[Ints], fitted: Callable[[], Any]) -> tuple[Any, Floats]:
        """The path on all rows, and squared errors (L,) of each part by fits on the others, added up."""
        from fastreg.models import ElasticNetCV

        n, p = X.shape
        model = ElasticNetCV(
            l1_ratio=self._l1_ratio,
            eps=1e-3 if n >= p else 1e-2,
            standardize=True,
            cv=[(np.setdiff1d(np.arange(n), part), part) for part in parts],
        ).fit(X, y)
        for _ in range(len(parts) + 1):
            fitted()
        return model.path_, model.mse_path_ @ [len(part) for part in parts]


class _Ridge:
    """Ridge, or least squares if the only alpha is 0."""

    def __init__(self, alphas: Floats, feature_names: NDArray[Any]) -> None:
        self._alphas, self._feature_names = alphas, feature_names

    def fit(self, X: Any, y: NDArray[Any]) -> Curve:
        data = RidgeData(X, y[:, None])
        spread = spreads(data)
        data.factor = np.where(spread > 0, spread**2, np.inf)
        solution = fit_ridge(data, len(y) * self._alphas, np.zeros(len(self._alphas), np.intp))
        # At alpha = 0 the gap is undefined and the gradient certifies.
        null = ((y - y.mean()) ** 2).sum() or 1.0
        certificate = np.where(self._alphas > 0, solution.dual_gaps / null, solution.residuals)
        return Curve(self._alphas, solution.coefs, solution.intercepts, certificate, self._feature_names)

    def search(self, X: Any, y: NDArray[Any], parts: list[Ints], fitted: Callable[[], Any]) -> tuple[Curve, Floats]:
        """As that of `_Sparse`."""
        path = self.fit(X, y)
        fitted()
        squares = np.zeros(len(path.alphas))
        for part in parts:
            fold = self.fit(np.delete(X, part, axis=0), np.delete(y, part))
            squares += ((y[part, None] - X[part] @ fold.coefs - fold.intercepts) ** 2).sum(axis=0)
            fitted()
        return path, squares


class _Loss:
    """Another loss than the squared one, all folds in one batch."""

    def __init__(self, data: Dataset, l1_ratio: float, alphas: int | Floats) -> None:
        self._data, self._l1_ratio, self._alphas = data, l1_ratio, alphas

    def search(self, X: Any, y: NDArray[Any], parts: list[Ints], fitted: Callable[[], Any]) -> tuple[Any, Floats]:
        """As that of `_Sparse`, with deviances in place of squares."""
        splits = [(np.setdiff1d(np.arange(len(y)), part), part) for part in parts]
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "the classes are separable")  # the report says so
            search = search_paths(self._data, [self._l1_ratio], self._alphas, splits)
        for _ in range(len(parts) + 1):
            fitted()
        return search.paths[0], search.found.scores[0] @ search.found.fold_weights


def _predict(path: Any, X: Any, k: int) -> Floats:
    """Linear predictors at the k-th alpha of a path."""
    return X @ _column(path.coefs, k) + path.intercepts[k]


def _column(coefs: Any, k: int) -> Floats:
    """Coefficients (p,) or (p, K) at the k-th alpha."""
    if isinstance(coefs, list):
        return np.column_stack([_column(part, k) for part in coefs])
    column = coefs[:, [k]]
    return (column.toarray() if hasattr(column, "toarray") else column).ravel()
