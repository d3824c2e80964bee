"""Cross-validation of paths: folds are problems over one X, in which held-out rows have a weight of zero."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from fastreg import validation
from fastreg.design import as_design
from fastreg.loss import respond, unit_deviances
from fastreg.path import solve
from fastreg.selection.refit import refit
from fastreg.solve import grids_of, n_threads
from fastreg.solve.ridge_data import pick, predict

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from fastreg._types import Error, Floats, Ints, Matrix, Names, Precompute, Splits
    from fastreg.solve import Task


@dataclass(slots=True)
class CrossValidation:
    """What a search over R problems (l1_ratios, say), alphas (R, L) and G shares of the paths found in K folds.

    Each problem and share has a curve of errors: R G of them, those of the first problem first.

    Attributes
    ----------
    alphas : ndarray of shape (R, L)
    scores : ndarray of shape (R G, L, K)
        Errors of the held-out rows; smaller is better. NaN where all of these weigh nothing.
    relative_gaps : ndarray of shape (R, L, K)
        Duality gaps of the fits without the fold, over the objectives of their null models.
    fold_weights : ndarray of shape (K,)
        Weights of the held-out rows, added up.
    paths : list of R Solution
        On all rows, not relaxed.
    folds : list of K lists of R Solution
        Without each fold.
    """

    alphas: Floats
    scores: Floats
    relative_gaps: Floats
    fold_weights: Floats
    paths: list[Any]
    folds: list[list[Any]]

    @property
    def mean(self) -> Floats:
        """(R G, L) mean over the folds that hold something, each counting once, as in scikit-learn."""
        return self.scores[:, :, self.fold_weights > 0].mean(axis=2)

    @property
    def standard_error(self) -> Floats:
        """(R G, L) standard deviation of the folds' means over sqrt(K), the folds weighted by the rows they hold."""
        held = self.fold_weights > 0
        scores, share = self.scores[:, :, held], self.fold_weights[held] / self.fold_weights.sum()
        centre = (scores * share).sum(axis=2, keepdims=True)
        with np.errstate(invalid="ignore"):  # NaN where expected counts overflow
            return np.sqrt(((scores - centre) ** 2 * share).sum(axis=2) / max(1, len(share) - 1))

    def best(self) -> tuple[int, int]:
        """(c, i) of the smallest mean error; of equal ones the first, which has the largest alpha."""
        mean = self.mean
        c = int(mean.min(axis=1).argmin())
        return c, int(mean[c].argmin())

    def within_one_se(self, c: Any = None) -> tuple[int, int]:
        """(c, i): the largest alpha of a curve (None: the best), with an error within a standard error of its least."""
        c = self.best()[0] if c is None else c
        mean, i = self.mean[c], int(self.mean[c].argmin())
        return c, int(np.flatnonzero(~(mean > mean[i] + self.standard_error[c, i]))[0])


def cross_validate(
    X: Matrix,
    names: Names,
    whole: list[Task],
    splits: Splits,
    score: Error,
    *,
    gammas: Sequence[float] = (1.0,),
    offset: Floats | None = None,
    judged: Floats | None = None,
    of_sums: bool = False,
    precompute: Precompute = "auto",
    n_jobs: int | None = None,
    verbose: int = 0,
) -> CrossValidation:
    """Fit every problem on all rows and without each fold, in one batch.

    Parameters
    ----------
    X : checked matrix of shape (n, p)
    names : ndarray of shape (p,) or None
    whole : list of R Task
        The problems on all rows, with as many alphas each and the same weights: one response with several l1_ratios, or
        several responses.
    splits : list of K pairs of row indices (train, test)
        Rows in neither are left out of both; a row twice in `train` counts twice.
    score : callable(y, z (t, L) or (t, L, k), weights or None, rows) -> (L,)
        Error of held-out rows, from their linear predictors.
    gammas : sequence of G float in [0, 1]
        Shares of a path in its blends with least squares on its supports, that of the same rows. Below 1 for the
        squared loss without bounds only; for 1 nothing is fitted again.
    offset : ndarray of shape (n,) or None
        Belongs to the linear predictors; of the squared loss it was taken off y.
    judged : ndarray of shape (n,) or None
        Weights of held-out rows in the errors; None: those of the fits.
    of_sums : bool
        The penalties, whose alphas are values, belong to sums of losses over rows, not to means: without a fold, the
        alphas are larger by as much as the rows weigh less.

    Returns
    -------
    CrossValidation

    Raises
    ------
    ValueError
        If a fold has no row of positive weight to fit, or no count above 0 where these are fitted, all of them have no
        row to be judged by, or an error is NaN.
    """
    n = X.shape[0]
    base = whole[0].weights
    if not isinstance(whole[0].alphas, np.ndarray):
        grids = grids_of(as_design(X), whole, n_jobs)
        whole = [replace(one, alphas=grid) for one, grid in zip(whole, grids, strict=True)]
    weights = []
    for train, _ in splits:
        present = np.bincount(train, minlength=n).astype(np.float64)
        weights.append(present if base is None else present * base)
    judged = base if judged is None else judged
    fold_weights = np.array([len(test) if judged is None else judged[test].sum() for _, test in splits])
    validation.check_folds(weights, fold_weights)
    for one in whole:
        if one.loss == "poisson" and one.fit_intercept:
            validation.check_fold_counts(weights, one.y)
    total = n if base is None else base.sum()
    tasks = list(whole)
    for w in weights:
        factor = total / w.sum() if of_sums else 1.0
        tasks += [replace(one, weights=w, alphas=factor * one.alphas) for one in whole]
    solutions = solve(X, names, tasks, precompute=precompute, n_jobs=n_jobs, verbose=verbose)
    jobs = n_threads(n_jobs)
    R, L, K, G = len(whole), len(whole[0].alphas), len(splits), len(gammas)
    refits: list[Any] = [None] * len(tasks)
    if min(gammas) < 1.0:
        design = as_design(X)
        for k in range(R, len(tasks)):
            solution = solutions[k]
            values, intercepts, _ = refit(design, tasks[k], solution.indptr, solution.indices, jobs)
            refits[k] = replace(solution, values=values, intercepts=intercepts)
    scores: Floats
    gaps: Floats
    scores, gaps = np.empty((R, G, L, K)), np.empty((R, L, K))
    for k, (_, test) in enumerate(splits):
        rows = np.asarray(test)
        held = None if judged is None else judged[rows]
        for r in range(R):
            at = R * (k + 1) + r
            gaps[r, :, k] = solutions[at].dual_gaps / (solutions[at].null_objective or 1.0)
            if held is not None and not held.any():
                scores[r, :, :, k] = np.nan
                continue
            y, kept = whole[r].y[rows], predict_rows(X, rows, solutions[at], jobs)
            free = kept if refits[at] is None else predict_rows(X, rows, refits[at], jobs)
            if offset is not None:
                kept, free = kept + offset[rows, None], free + offset[rows, None]
                if whole[r].loss == "squared":
                    y = y + offset[rows]
            for g, gamma in enumerate(gammas):
                prediction = kept if gamma == 1.0 else gamma * kept + (1.0 - gamma) * free
                scores[r, g, :, k] = score(y, prediction, held, rows)
    scores = scores.reshape(R * G, L, K)
    validation.check_scores(scores, fold_weights)
    alphas = np.array([one.alphas for one in whole])
    folds = [solutions[R * (k + 1) : R * (k + 2)] for k in range(K)]
    return CrossValidation(alphas, scores, gaps, fold_weights, solutions[:R], folds)


def predict_rows(X: Any, rows: Ints, solution: Any, jobs: int) -> Floats:
    """(t, L) linear predictors of some rows at every alpha, or (t, L, k); only the features in use are looked at."""
    several = isinstance(solution.coefs, list)
    columns = solution.coefs if several else [solution.coefs]
    used = np.unique(np.concatenate([column.indices for column in columns]))
    part: Any
    if hasattr(X, "format"):
        part = X[rows][:, used] if X.format == "csr" else X[:, used][rows]
        values = [(column[used].T @ part.T).T.toarray() for column in columns]
    else:
        few = len(used) <= 0.5 * X.shape[1]
        part = pick(X, rows, used if few else None)
        used = used if few else np.arange(X.shape[1])
        values = [predict(part, column[used].toarray(), jobs) for column in columns]
    return (np.stack(values, axis=2) if several else values[0]) + solution.intercepts


def squared_error(y: Floats, prediction: Floats, weights: Floats | None, rows: Ints) -> Floats:
    return np.average((y[:, None] - prediction) ** 2, axis=0, weights=weights)


def absolute_error(y: Floats, prediction: Floats, weights: Floats | None, rows: Ints) -> Floats:
    return np.average(np.abs(y[:, None] - prediction), axis=0, weights=weights)


def poisson_deviance(y: Floats, z: Floats, weights: Floats | None, rows: Ints | None = None) -> Floats:
    """Of counts from linear predictors z."""
    return np.average(unit_deviances("poisson", y, z, None), axis=0, weights=weights)


def of_responses(error: Error, loss: str) -> Error:
    """An error of predictions as one of linear predictors."""

    def judge(y: Floats, z: Floats, weights: Floats | None, rows: Ints) -> Floats:
        with np.errstate(over="ignore"):
            return error(y, respond(loss, z, None), weights, rows)

    return judge


def error_of(task: Task, scoring: str | None) -> Error:
    """The error of held-out rows, from their linear predictors, that a name stands for.

    Parameters
    ----------
    task : Task
        With a loss of numbers.
    scoring : {None, "deviance", "mse", "mae"}
        None is the mean squared error, Poisson deviance or Huber loss; of the latter the deviance is twice the loss.

    Returns
    -------
    callable, as `cross_validate` wants it
    """
    if scoring in ("mse", "mae"):
        return of_responses({"mse": squared_error, "mae": absolute_error}[scoring], task.loss)
    if task.loss != "huber":
        return {"squared": squared_error, "poisson": poisson_deviance}[task.loss]  # type: ignore[return-value]  # joins them
    delta, share = task.parameter, 0.5 if scoring is None else 1.0

    def huber_error(y: Floats, z: Floats, weights: Floats | None, rows: Ints) -> Floats:
        return share * np.average(unit_deviances("huber", y, z, delta), axis=0, weights=weights)

    return huber_error
