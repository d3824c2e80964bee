"""Cross-validation of paths: folds are problems over one X, in which held-out rows have a weight of zero."""

from dataclasses import dataclass, replace

import numpy as np

from fastreg import validation
from fastreg.design import as_design
from fastreg.path import solve
from fastreg.solve import grids_of


@dataclass(slots=True)
class CrossValidation:
    """What a search over l1_ratios (R,) and alphas (R, L) found in K folds.

    Attributes
    ----------
    alphas : ndarray of shape (R, L)
    scores : ndarray of shape (R, L, K)
        Errors of the held-out rows; smaller is better. NaN where all of these weigh nothing.
    relative_gaps : ndarray of shape (R, L, K)
        Duality gaps of the fits without the fold, over the objectives of their null models.
    fold_weights : ndarray of shape (K,)
        Weights of the held-out rows, added up.
    paths : list of R Solution
        On all rows.
    """

    alphas: np.ndarray
    scores: np.ndarray
    relative_gaps: np.ndarray
    fold_weights: np.ndarray
    paths: list

    @property
    def mean(self):
        """(R, L) mean over the folds that hold something, each counting once, as in scikit-learn."""
        return self.scores[:, :, self.fold_weights > 0].mean(axis=2)

    @property
    def standard_error(self):
        """(R, L) standard deviation of the folds' means over sqrt(K), the folds weighted by the rows that they hold."""
        held = self.fold_weights > 0
        scores, share = self.scores[:, :, held], self.fold_weights[held] / self.fold_weights.sum()
        centre = (scores * share).sum(axis=2, keepdims=True)
        return np.sqrt(((scores - centre) ** 2 * share).sum(axis=2) / max(1, len(share) - 1))

    def best(self):
        """(r, i) of the smallest mean error; of equal ones the first, which has the largest alpha."""
        mean = self.mean
        r = int(mean.min(axis=1).argmin())
        return r, int(mean[r].argmin())

    def within_one_se(self, r=None):
        """(r, i): the largest alpha, at this r (None: the best), with an error within a standard error of the least."""
        r = self.best()[0] if r is None else r
        mean, i = self.mean[r], int(self.mean[r].argmin())
        return r, int(np.flatnonzero(mean <= mean[i] + self.standard_error[r, i])[0])


def cross_validate(X, names, whole, splits, score, *, offset=None, precompute="auto", n_jobs=None, verbose=0):
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
    score : callable(y, prediction (t, L), weights or None, rows) -> (L,)
        Error of held-out rows.
    offset : ndarray of shape (n,) or None
        What was taken off y, and belongs to the predictions.

    Returns
    -------
    CrossValidation

    Raises
    ------
    ValueError
        If a fold has no row of positive weight to fit, all of them have none to be judged by, or an error is NaN.
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
    fold_weights = np.array([len(test) if base is None else base[test].sum() for _, test in splits])
    validation.check_folds(weights, fold_weights)
    tasks = whole + [replace(one, weights=w) for w in weights for one in whole]
    solutions = solve(X, names, tasks, precompute=precompute, n_jobs=n_jobs, verbose=verbose)
    R, L, K = len(whole), len(whole[0].alphas), len(splits)
    scores, gaps = np.empty((R, L, K)), np.empty((R, L, K))
    for k, (_, test) in enumerate(splits):
        rows = np.asarray(test)
        held = None if base is None else base[rows]
        for r in range(R):
            solution = solutions[R * (k + 1) + r]
            gaps[r, :, k] = solution.dual_gaps / (solution.null_objective or 1.0)
            if held is not None and not held.any():
                scores[r, :, k] = np.nan
                continue
            y, prediction = whole[r].y[rows], predict_rows(X, rows, solution)
            if offset is not None:
                y, prediction = y + offset[rows], prediction + offset[rows, None]
            scores[r, :, k] = score(y, prediction, held, rows)
    validation.check_scores(scores, fold_weights)
    return CrossValidation(np.array([one.alphas for one in whole]), scores, gaps, fold_weights, solutions[:R])


def predict_rows(X, rows, solution):
    """(t, L) predictions of some rows at every alpha; only the features in use are looked at."""
    used = np.unique(solution.indices)
    if hasattr(X, "format"):
        part = X[rows][:, used] if X.format == "csr" else X[:, used][rows]
    else:
        part = X[np.ix_(rows, used)].astype(np.float64, copy=False)
    return part @ solution.coefs[used].toarray() + solution.intercepts


def squared_error(y, prediction, weights, rows):
    return np.average((y[:, None] - prediction) ** 2, axis=0, weights=weights)


def absolute_error(y, prediction, weights, rows):
    return np.average(np.abs(y[:, None] - prediction), axis=0, weights=weights)
