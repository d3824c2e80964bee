"""Which penalty, and what does it buy: the same rows, folds and certificate for four ways to fit."""

import math
from dataclasses import dataclass
from time import perf_counter

import numpy as np

from fastreg.report.data import DataError
from fastreg.solve.ridge import fit_ridge
from fastreg.solve.ridge_data import RidgeData, spreads


@dataclass(frozen=True, slots=True)
class Curve:
    """Solutions along alphas; the part of a RegularizationPath that choosing and plotting need."""

    alphas: np.ndarray
    coefs: np.ndarray  # (p, L), dense here, CSC in a RegularizationPath
    intercepts: np.ndarray
    relative_gaps: np.ndarray
    feature_names: np.ndarray

    @property
    def n_nonzero(self):
        return np.count_nonzero(self.coefs, axis=0)


@dataclass(frozen=True, slots=True)
class Entry:
    """One way to fit, its alpha chosen by cross-validation within the training rows.

    Attributes
    ----------
    penalty : str
    alpha : float
        0 for least squares.
    coef : ndarray of shape (p,), float64
    intercept : float
    cv_rmse, test_rmse, test_r2 : float
        Root mean squared error over the folds; the same and R^2 (about the mean of the held-out rows) on the
        held-out rows.
    test_errors : ndarray of shape (m,), float64
        Absolute errors on the held-out rows.
    certificate : float
        Duality gap over the objective of the null model; for least squares the norm of the gradient relative to its
        norm at zero.
    edge : bool
        The chosen alpha is the first or the last of its grid.
    seconds : float
        Cross-validation and the fit on all training rows.
    path : RegularizationPath or Curve
        The fit on all training rows.
    """

    penalty: str
    alpha: float
    coef: np.ndarray
    intercept: float
    cv_rmse: float
    test_rmse: float
    test_r2: float
    test_errors: np.ndarray
    certificate: float
    edge: bool
    seconds: float
    path: object

    @property
    def n_features(self):
        return int(np.count_nonzero(self.coef))


@dataclass(frozen=True, slots=True)
class Comparison:
    """Least squares first, then the penalties, all on the same split."""

    data: object
    n_train: int
    n_test: int
    folds: int
    seed: int
    scale: np.ndarray  # (p,) standard deviations of the training columns
    entries: tuple


def compare(data, *, test_size=0.25, folds=10, seed=0, progress=None):
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

    train, test = split(data.X.shape[0], test_size, folds, seed)
    X, y = data.X[train], data.y[train]
    scale = X.std(axis=0)
    if y.min() == y.max():
        raise DataError(f"the target '{data.target}' is constant in the training rows: try another --seed")
    if not (X.min(axis=0) < X.max(axis=0)).any():
        raise DataError("no feature varies in the training rows: there is nothing to predict from")

    parts = np.array_split(np.random.default_rng([seed, 1]).permutation(len(y)), folds)
    ways = {
        "none (least squares)": _Ridge(np.zeros(1), data.feature_names),
        # Eigenvalues of a correlation matrix lie between 0 and p: above them everything is shrunk, far below nothing.
        "L2 (ridge)": _Ridge(np.geomspace(100, 1e-7, 100) * X.shape[1], data.feature_names),
        "L1 (lasso)": _Sparse(1.0),
        "L1 + L2 (elastic net)": _Sparse(0.5),
    }
    total, done = len(ways) * (folds + 1), 0
    entries = []

    def fitted():
        nonlocal done
        done += 1
        if progress is not None:
            progress(done, total)

    for penalty, way in ways.items():
        start = perf_counter()
        path, squares = way.search(X, y, parts, fitted)
        best = int(squares.argmin())  # of equals the largest alpha
        seconds = perf_counter() - start
        errors = np.abs(data.y[test] - _predict(path, data.X[test])[:, best])
        spread = ((data.y[test] - data.y[test].mean()) ** 2).sum()
        entries.append(
            Entry(
                penalty=penalty,
                alpha=float(path.alphas[best]),
                coef=_column(path.coefs, best),
                intercept=float(path.intercepts[best]),
                cv_rmse=math.sqrt(squares[best] / len(y)),
                test_rmse=math.sqrt((errors**2).mean()),
                test_r2=1 - float((errors**2).sum() / spread) if spread > 0 else math.nan,
                test_errors=errors,
                certificate=float(path.relative_gaps[best]),
                edge=len(squares) > 1 and best in (0, len(squares) - 1),
                seconds=seconds,
                path=path,
            )
        )
    return Comparison(data, len(train), len(test), folds, seed, scale, tuple(entries))


def split(n, test_size, folds, seed):
    """Seeded split of n rows into training and held-out rows, both sorted.

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
    return np.sort(order[held_out:]), np.sort(order[:held_out])


def reading(comparison):
    """One sentence that says which penalty the numbers favour and what it buys, or that none does.

    The choice is the one of cross-validation; the held-out rows only report. Two fits are told apart by the sign test:
    one has to be closer on clearly more rows (two standard deviations), since a mean of squares can hang on one row.

    Parameters
    ----------
    comparison : Comparison

    Returns
    -------
    str
    """
    plain, *penalized = comparison.entries
    n, p = comparison.n_test, comparison.data.X.shape[1]
    best = min(comparison.entries, key=lambda entry: entry.cv_rmse)
    if best is plain:
        other = min(penalized, key=lambda entry: entry.cv_rmse)
        return (f"No penalty helps here: cross-validation prefers plain least squares, whose error on the {n} "
                f"held-out rows is {plain.test_rmse:.4g}; the best penalty, {other.penalty}, "
                f"has {other.test_rmse:.4g}.")  # fmt: skip

    z, wins = _sign_test(best, plain)
    numbers = f"{best.test_rmse:.4g} against {plain.test_rmse:.4g} without a penalty"
    lower = best.test_rmse < plain.test_rmse
    if lower and z >= 2:
        less = f"{1 - best.test_rmse / plain.test_rmse:.0%} less" if plain.test_rmse < 100 * best.test_rmse else (
            f"{plain.test_rmse / best.test_rmse:.3g} times less")  # fmt: skip
        verdict = f"its error on the {n} held-out rows is {numbers} ({less}, and closer on {wins} of them)"
    elif not lower and z <= -2:
        verdict = f"but on the {n} held-out rows it is worse, {numbers}, so here the penalty does not help"
    else:
        verdict = (f"but the {n} held-out rows do not settle that it predicts better: {numbers}, "
                   f"and closer on {wins} of them")  # fmt: skip
    parts = [f"Cross-validation favours {best.penalty}", verdict]
    if best.n_features < plain.n_features:
        parts.append(f"it keeps {best.n_features} of {p} features")
    close = [entry.penalty for entry in penalized if entry is not best and abs(_sign_test(entry, best)[0]) < 2]
    if close:
        parts.append(f"{' and '.join(close)} {'is' if len(close) == 1 else 'are'} within chance of it")
    if best.test_r2 <= 0:
        parts.append("yet it predicts no better than the mean of the target")
    return parts[0] + (", " if verdict.startswith("but") else ": ") + "; ".join(parts[1:]) + "."


def _sign_test(entry, other):
    """Standard score and number of held-out rows on which `entry` is closer than `other`."""
    wins = int((entry.test_errors < other.test_errors).sum())
    losses = int((entry.test_errors > other.test_errors).sum())
    return (wins - losses) / math.sqrt(max(wins + losses, 1)), wins


class _Sparse:
    """L1 or elastic net."""

    def __init__(self, l1_ratio):
        self._l1_ratio = l1_ratio

    def search(self, X, y, parts, fitted):
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

    def __init__(self, alphas, feature_names):
        self._alphas, self._feature_names = alphas, feature_names

    def fit(self, X, y):
        data = RidgeData(X, y[:, None])
        spread = spreads(data)
        data.factor = np.where(spread > 0, spread**2, np.inf)
        solution = fit_ridge(data, len(y) * self._alphas, np.zeros(len(self._alphas), np.intp))
        # At alpha = 0 the gap is undefined and the gradient certifies.
        null = ((y - y.mean()) ** 2).sum() or 1.0
        certificate = np.where(self._alphas > 0, solution.dual_gaps / null, solution.residuals)
        return Curve(self._alphas, solution.coefs, solution.intercepts, certificate, self._feature_names)

    def search(self, X, y, parts, fitted):
        """As that of `_Sparse`."""
        path = self.fit(X, y)
        fitted()
        squares = np.zeros(len(path.alphas))
        for part in parts:
            fold = self.fit(np.delete(X, part, axis=0), np.delete(y, part))
            squares += ((y[part, None] - _predict(fold, X[part])) ** 2).sum(axis=0)
            fitted()
        return path, squares


def _predict(path, X):
    return X @ path.coefs + path.intercepts


def _column(coefs, k):
    column = coefs[:, [k]]
    return (column.toarray() if hasattr(column, "toarray") else column).ravel()
