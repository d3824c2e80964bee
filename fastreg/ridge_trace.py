"""The ridge trace: ridge regression at every alpha of a grid, as a path."""

import numpy as np
from scipy import sparse

from fastreg import validation
from fastreg.result import RegularizationPath
from fastreg.solve import n_threads
from fastreg.solve.ridge import fit_ridge
from fastreg.solve.ridge_data import RidgeData, predict, spreads

_BLOCK = 1 << 22  # predictions held at once


def ridge_path(
    X,
    y,
    alphas,
    *,
    fit_intercept=True,
    standardize=False,
    sample_weight=None,
    penalty_factor=None,
    n_jobs=None,
):
    """Ridge regression along a grid of alphas, from one factorization.

    With sample weights s_i and penalty factors v_j, minimises over the intercept b and the coefficients w, for each
    alpha, with the scaling of `Ridge`::

        sum_i s_i (y_i - b - x_i' w)^2  +  alpha sum_j v_j w_j^2

    (`fit_path` with ``l1_ratio=0`` has the mean of the squares, halved, there: its alpha is this one over sum_i s_i.)

    Parameters
    ----------
    X : array-like, DataFrame or sparse matrix of shape (n, p)
        Not copied as a whole, unless a factorization has to be of X itself (alpha = 0, or an X so close to singular
        that its Gram matrix would lose its digits).
    y : array-like of shape (n,) or (n, k)
    alphas : array-like of shape (L,)
        Non-negative; sorted into descending order, duplicates are refused. At 0: least squares of minimum norm.
    fit_intercept : bool, default=True
    standardize : bool, default=False
        Penalise w_j sd_j in place of w_j, sd_j the weighted 1/S standard deviation of column j.
    sample_weight : array-like of shape (n,), default=None
        Not rescaled: doubling the weights is doubling the rows.
    penalty_factor : array-like of shape (p,), default=None
        Factors v_j >= 0; 0 leaves a feature unpenalised, inf excludes it.
    n_jobs : int, default=None
        Number of threads; None and -1 are all cores at hand.

    Returns
    -------
    RegularizationPath, or a list of k of them for a 2-d y
        `dual_gaps` in units of the objective above; where alpha is 0 or a feature is unpenalised there is none, and
        the squared relative residual of the normal equations takes its place, times the null objective.

    Raises
    ------
    ValueError, TypeError
        If an argument is not as described; if X is sparse with so many rows and columns that no factorization fits
        (`fit_path` with ``l1_ratio=0`` solves it without one).

    References
    ----------
    A. E. Hoerl and R. W. Kennard, "Ridge regression: biased estimation for nonorthogonal problems", Technometrics 12
    (1970).

    Examples
    --------
    >>> import numpy as np
    >>> from fastreg import ridge_path
    >>> path = ridge_path([[0.0], [1.0], [2.0]], [0.0, 2.0, 4.0], alphas=[0.0, 2.0])
    >>> path.coefs.toarray().round(6).tolist()
    [[1.0, 2.0]]
    """
    fit_intercept = validation.as_bool(fit_intercept, "fit_intercept")
    standardize = validation.as_bool(standardize, "standardize")
    n_jobs = validation.as_n_jobs(n_jobs)
    alphas = validation.as_alphas(alphas)
    if not isinstance(alphas, np.ndarray):
        raise ValueError("alphas must be the values themselves: no coefficient of ridge regression is ever zero, so "
                         "there is no largest alpha for a grid to start at.")  # fmt: skip
    X, names = validation.as_matrix(X)
    n, p = X.shape
    rows, y_ndim = validation.as_responses(y, n)
    weights = validation.as_counts(sample_weight, n)
    factor = validation.as_penalty_factor(penalty_factor, p)
    validation.check_finite(X, names)
    data = RidgeData(X, np.ascontiguousarray(np.asarray(rows).T), weights, fit_intercept, factor, n_threads(n_jobs))
    if standardize:
        spread = spreads(data)
        v = np.ones(p) if factor is None else factor
        data.factor = np.full(p, np.inf)
        data.factor[spread > 0] = v[spread > 0] * spread[spread > 0] ** 2
    count, k = len(alphas), len(rows)
    solution = fit_ridge(data, np.tile(alphas, k), np.repeat(np.arange(k), count))
    left, null = squares(data, solution)
    paths = [
        _path(data, solution, slice(j * count, (j + 1) * count), alphas, left, float(null[j]), j, names)
        for j in range(k)
    ]
    return paths[0] if y_ndim == 1 else paths


def squares(data, solution):
    """(weighted sums of squares that each solution leaves (m,), those of each response about its level (k,))."""
    m, n = solution.coefs.shape[1], len(data.Y)
    responses = np.repeat(np.arange(data.Y.shape[1]), m // data.Y.shape[1])
    weights = np.ones(n) if data.weights is None else data.weights
    left, null = np.zeros(m), np.zeros(data.Y.shape[1])
    step = max(1, _BLOCK // m)
    for start in range(0, n, step):
        part = slice(start, start + step)
        r = data.Y[part][:, responses] - predict(data.X[part], solution.coefs) - solution.intercepts
        left += (weights[part, None] * r * r).sum(axis=0)
        null += (weights[part, None] * (data.Y[part] - data.means()[1]) ** 2).sum(axis=0)
    return left, null


def _path(data, solution, part, alphas, left, null, j, names):
    gaps = solution.dual_gaps[part]
    missing = np.isnan(gaps)
    gaps[missing] = solution.residuals[part][missing] ** 2 * null
    return RegularizationPath(
        alphas=alphas,
        coefs=sparse.csc_array(solution.coefs[:, part]),
        intercepts=solution.intercepts[part],
        dual_gaps=gaps,
        null_objective=null,
        null_intercept=float(data.means()[1][j]),
        alpha_max=np.inf,
        deviance_ratio=1.0 - left[part] / (null or 1.0),
        n_iter=np.zeros(len(alphas), dtype=np.int64),
        n_passes=0,
        feature_names=names,
    )
