"""Cross-validation for many responses over one X."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse
from sklearn.model_selection import check_cv

from fastreg import validation
from fastreg.design import as_design
from fastreg.path import Problem, as_path, tasks_of
from fastreg.selection.cross_validation import cross_validate, error_of
from fastreg.solve import grids_of

if TYPE_CHECKING:
    from typing import Literal

    from numpy.typing import ArrayLike

    from fastreg._types import Floats, Folds, MatrixLike, Rule
    from fastreg.result import RegularizationPath


@dataclass(slots=True)
class ResponsesCV:
    """What cross-validation found for k responses.

    Attributes
    ----------
    alpha : ndarray of shape (k,)
        As chosen; all alike if one was asked for all responses.
    coefs : scipy.sparse.csc_array of shape (p, k)
    intercepts : ndarray of shape (k,)
    alphas : ndarray of shape (k, L)
    errors : ndarray of shape (k, L, K)
        Of the held-out rows of each fold.
    relative_gaps : ndarray of shape (k, L, K)
        Duality gaps of the fits without a fold, over the objectives of their null models.
    paths : list of k RegularizationPath
        On all rows.
    """

    alpha: Floats
    coefs: sparse.csc_array
    intercepts: Floats
    alphas: Floats
    errors: Floats
    relative_gaps: Floats
    paths: list[RegularizationPath]


def cross_validate_paths(
    X: MatrixLike,
    Y: ArrayLike,
    *,
    cv: Folds = None,
    groups: ArrayLike | None = None,
    alpha_per_response: bool = True,
    selection_rule: Rule = "min",
    scoring: Literal["mse", "mae", "deviance"] = "deviance",
    loss: Literal["squared", "poisson", "huber"] = "squared",
    delta: float = 1.35,
    l1_ratio: float = 1.0,
    alphas: int | ArrayLike = 100,
    eps: float = 1e-3,
    fit_intercept: bool = True,
    standardize: bool = False,
    sample_weight: ArrayLike | None = None,
    offset: ArrayLike | None = None,
    penalty_factor: ArrayLike | None = None,
    lower_bounds: ArrayLike | None = None,
    upper_bounds: ArrayLike | None = None,
    tol: float = 1e-10,
    max_iter: int = 10_000,
    n_jobs: int | None = None,
) -> ResponsesCV:
    """Choose alpha by cross-validation for each column of Y, or one for all of them, in one batch.

    All responses and folds are problems over one X; those of a fold share its weights, and with them means and Gram
    matrices.

    Parameters
    ----------
    X : array-like, DataFrame or sparse matrix of shape (n, p)
    Y : array-like of shape (n, k)
    cv : int, splitter or iterable of (train, test), default=None
        None is 5 contiguous folds.
    groups : array-like of shape (n,), default=None
        For the splitter.
    alpha_per_response : bool, default=True
        False chooses one alpha on one grid, by the mean over the responses of their errors, each relative to its
        smallest.
    selection_rule : {"min", "1se"}, default="min"
        As in `LassoCV`; "1se" needs an alpha per response.
    scoring : {"mse", "mae", "deviance"}, default="deviance"
        Mean squared or absolute error, or mean deviance of the held-out rows; of the squared loss that is the mean
        squared error, of the Huber loss twice the loss.
    loss : {"squared", "poisson", "huber"}, default="squared"
    delta, l1_ratio, alphas, eps, fit_intercept, standardize, sample_weight, offset, penalty_factor, lower_bounds, \
upper_bounds, tol, max_iter, n_jobs
        As in `fit_path`.

    Returns
    -------
    ResponsesCV

    Raises
    ------
    ValueError, TypeError
        If an argument is not as described.

    Warns
    -----
    ConvergenceWarning
        Once, if a gap is above `tol` after `max_iter` iterations.

    Examples
    --------
    >>> import numpy as np
    >>> from fastreg import cross_validate_paths
    >>> X = np.random.default_rng(0).standard_normal((50, 8))
    >>> found = cross_validate_paths(X, X[:, :3] + 1, alphas=20)
    >>> found.coefs.shape, found.alpha.shape
    ((8, 3), (3,))
    """
    per_response = validation.as_bool(alpha_per_response, "alpha_per_response")
    rule = validation.one_of(selection_rule, "selection_rule", ("min", "1se"))
    scoring = validation.one_of(scoring, "scoring", ("mse", "mae", "deviance"))
    loss = validation.one_of(loss, "loss", ("squared", "poisson", "huber"))
    if rule == "1se" and not per_response:
        raise ValueError("selection_rule='1se' needs alpha_per_response=True: errors of responses have no common unit.")
    n_jobs = validation.as_n_jobs(n_jobs)
    X, names = validation.as_matrix(X)
    n, p = X.shape
    problem = Problem(
        Y, loss=loss, delta=delta, l1_ratio=l1_ratio, alphas=alphas, eps=eps, fit_intercept=fit_intercept,
        standardize=standardize, sample_weight=sample_weight, offset=offset, penalty_factor=penalty_factor,
        lower_bounds=lower_bounds, upper_bounds=upper_bounds, tol=tol, max_iter=max_iter,
    )  # fmt: skip
    whole = tasks_of(X, problem, {})
    validation.check_finite(X, names)
    splits = [
        (validation.as_rows(train, n, "train"), validation.as_rows(test, n, "test"))
        for train, test in check_cv(cv).split(X, whole[0].y, groups)
    ]
    if not per_response and not isinstance(whole[0].alphas, np.ndarray):
        grids = grids_of(as_design(X), whole, n_jobs)
        top = max(grids, key=lambda grid: grid[0])
        whole = [replace(task, alphas=top) for task in whole]
    error, offset = error_of(whole[0], scoring), validation.as_offset(offset, n)
    found = cross_validate(X, names, whole, splits, error, offset=offset, n_jobs=n_jobs)

    mean = found.mean
    if per_response:
        chosen = [found.within_one_se(r)[1] if rule == "1se" else int(mean[r].argmin()) for r in range(len(whole))]
    else:
        least = mean.min(axis=1, keepdims=True)
        chosen = [int((mean / np.where(least > 0, least, 1.0)).mean(axis=0).argmin())] * len(whole)
    paths = [as_path(X, task, solution, names) for task, solution in zip(whole, found.paths, strict=True)]
    columns = [path.coefs[:, [i]] for path, i in zip(paths, chosen, strict=True)]
    return ResponsesCV(
        alpha=np.array([path.alphas[i] for path, i in zip(paths, chosen, strict=True)]),
        coefs=sparse.csc_array(sparse.hstack(columns, format="csc")),
        intercepts=np.array([path.intercepts[i] for path, i in zip(paths, chosen, strict=True)]),
        alphas=found.alphas,
        errors=found.scores,
        relative_gaps=found.relative_gaps,
        paths=paths,
    )
