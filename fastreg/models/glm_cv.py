"""PoissonRegressorCV and HuberElasticNetCV: alpha and l1_ratio by cross-validation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastreg.models.alpha_search import AlphaSearch
from fastreg.models.glm import PoissonModel, counts_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, Self

    from numpy.typing import ArrayLike

    from fastreg._types import Floats, Folds, MatrixLike, Rule, Scoring


class PoissonRegressorCV(PoissonModel, AlphaSearch):
    """Poisson regression with alpha and l1_ratio chosen by cross-validation.

    All folds, all values of l1_ratio and the fits on all rows are problems over one X, solved together, as in
    `ElasticNetCV`. The objective is that of `PoissonRegressor`.

    Parameters
    ----------
    l1_ratio : float in (0, 1], or sequence of R such, default=0.5
        0 needs the values of `alphas`.
    eps : float in (0, 1), default=1e-3
        Ratio of the ends of an automatic grid.
    alphas : int or array-like of shape (L,), default=100
        Length of an automatic grid for each l1_ratio, from the smallest alpha at which no feature is in the model of
        all rows, or its values.
    fit_intercept : bool, default=True
        With it, every fold must leave some y > 0 to fit.
    max_iter : int, default=10_000
    tol : float, default=1e-10
        As in `PoissonRegressor`, for every fold.
    cv : int, splitter or iterable of (train, test), default=None
        None is 5 contiguous folds.
    verbose : bool or int, default=0
    n_jobs : int, default=None
        Number of threads; None and -1 are all cores at hand. The result does not depend on it.
    standardize, penalty_factor, lower_bounds, upper_bounds
        As in `PoissonRegressor`.
    selection_rule : {"min", "1se"}, default="min"
        "min" takes the alpha of the smallest mean error, "1se" the largest alpha, at the same l1_ratio, whose mean
        error is at most one standard error above it.
    scoring : str, callable or None, default=None
        None and "deviance" are the mean deviance of the held-out rows, "mse" and "mae" the mean squared and absolute
        errors of their expected counts; another name, or a scorer of scikit-learn, is maximised.

    Attributes
    ----------
    alpha_, l1_ratio_ : float
        As chosen by `selection_rule`.
    alpha_min_, alpha_1se_ : float
        As chosen by either.
    coef_ : ndarray of shape (p,)
        float32 if X is, float64 otherwise.
    intercept_ : float
    mse_path_ : ndarray of shape (L, K) or (R, L, K)
        Errors of the held-out rows in each of K folds, by `scoring` (a scorer's with a minus): deviances by default,
        for all the name, which is that of `ElasticNetCV`. An axis only for R > 1 values of l1_ratio.
    alphas_ : ndarray of shape (L,) or (R, L)
    dual_gap_ : float
        Of the final fit, in units of the objective.
    n_iter_ : int
    path_ : RegularizationPath
        On all rows, at the chosen l1_ratio.
    cv_results_ : dict of ndarray
        "l1_ratio", "alpha", "mean_error", "standard_error", "n_features" with the axes of `mse_path_` but the last;
        "errors", "relative_gaps" with a last axis of K folds.
    sparse_coef_, n_features_in_, feature_names_in_
        As in `PoissonRegressor`.

    Notes
    -----
    The standard error is that of `ElasticNetCV`.

    See Also
    --------
    PoissonRegressor : at a given alpha.

    Examples
    --------
    >>> import numpy as np
    >>> from fastreg import PoissonRegressorCV
    >>> rng = np.random.default_rng(0)
    >>> X = rng.standard_normal((200, 8))
    >>> model = PoissonRegressorCV(l1_ratio=1.0, selection_rule="1se").fit(X, rng.poisson(np.exp(X[:, 0])))
    >>> np.flatnonzero(np.abs(model.coef_) > 0.5).tolist()
    [0]
    """

    def __init__(
        self,
        *,
        l1_ratio: float | Sequence[float] = 0.5,
        eps: float = 1e-3,
        alphas: int | ArrayLike = 100,
        fit_intercept: bool = True,
        max_iter: int = 10_000,
        tol: float = 1e-10,
        cv: Folds = None,
        verbose: int = 0,
        n_jobs: int | None = None,
        standardize: bool = False,
        penalty_factor: ArrayLike | None = None,
        lower_bounds: ArrayLike | None = None,
        upper_bounds: ArrayLike | None = None,
        selection_rule: Rule = "min",
        scoring: Scoring = None,
    ) -> None:
        self.l1_ratio = l1_ratio
        self.eps = eps
        self.alphas = alphas
        self.fit_intercept = fit_intercept
        self.max_iter = max_iter
        self.tol = tol
        self.cv = cv
        self.verbose = verbose
        self.n_jobs = n_jobs
        self.standardize = standardize
        self.penalty_factor = penalty_factor
        self.lower_bounds = lower_bounds
        self.upper_bounds = upper_bounds
        self.selection_rule = selection_rule
        self.scoring = scoring

    def fit(
        self,
        X: MatrixLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        offset: ArrayLike | None = None,
        **params: Any,
    ) -> Self:
        """Search, and fit with what was found.

        Parameters
        ----------
        X : array-like, DataFrame or sparse matrix of shape (n, p)
        y : array-like of shape (n,)
            Counts or rates >= 0.
        sample_weight : float or array-like of shape (n,), default=None
            Weights >= 0, in the fits and in the errors of held-out rows; the exposures, where y are rates.
        offset : array-like of shape (n,), default=None
            Added to the linear predictor, of held-out rows too: the logarithms of the exposures, where y are counts.
        **params : dict
            Such as `groups`, for the splitter; by metadata routing where that is enabled.

        Returns
        -------
        self
            Unchanged if the fit is interrupted or fails.

        Raises
        ------
        ValueError, TypeError
            If an argument or a parameter is not as described.

        Warns
        -----
        ConvergenceWarning
            Once, if a gap is above `tol` after `max_iter` iterations.
        """
        return self._search("poisson", X, y, sample_weight, offset, params)

    def _response(self, y: ArrayLike, n: int) -> Floats:
        return counts_of(y, n, depth=4)


class HuberElasticNetCV(AlphaSearch):
    """Linear regression with the Huber loss, alpha and l1_ratio chosen by cross-validation.

    All folds, all values of l1_ratio and the fits on all rows are problems over one X, solved together, as in
    `ElasticNetCV`. The objective is that of `HuberElasticNet`.

    Parameters
    ----------
    delta : float > 0, default=1.35
        Residual, in units of y, beyond which the loss is linear; not searched, as it sets what an error counts.
    l1_ratio, eps, alphas, fit_intercept, max_iter, tol, cv, verbose, n_jobs, standardize, penalty_factor, \
lower_bounds, upper_bounds, selection_rule
        As in `PoissonRegressorCV`, for this loss.
    scoring : str, callable or None, default=None
        None is the mean Huber loss of the held-out rows, "deviance" twice that, which a large delta makes the mean
        squared error; "mse" and "mae" are the mean squared and absolute errors; another name, or a scorer of
        scikit-learn, is maximised.

    Attributes
    ----------
    alpha_, l1_ratio_, alpha_min_, alpha_1se_, coef_, intercept_, alphas_, dual_gap_, n_iter_, path_, cv_results_, \
sparse_coef_, n_features_in_, feature_names_in_
        As in `PoissonRegressorCV`.
    mse_path_ : ndarray of shape (L, K) or (R, L, K)
        Errors of the held-out rows in each of K folds, by `scoring` (a scorer's with a minus): Huber losses by default,
        for all the name, which is that of `ElasticNetCV`. An axis only for R > 1 values of l1_ratio.

    See Also
    --------
    HuberElasticNet : at a given alpha.

    Examples
    --------
    >>> import numpy as np
    >>> from fastreg import HuberElasticNetCV
    >>> rng = np.random.default_rng(0)
    >>> X = rng.standard_normal((200, 8))
    >>> model = HuberElasticNetCV(l1_ratio=1.0).fit(X, X[:, 0] + 0.1 * rng.standard_t(1, 200))
    >>> np.flatnonzero(np.abs(model.coef_) > 0.5).tolist()
    [0]
    """

    _error_names = AlphaSearch._error_names | {None: "mean Huber loss"}

    def __init__(
        self,
        *,
        delta: float = 1.35,
        l1_ratio: float | Sequence[float] = 0.5,
        eps: float = 1e-3,
        alphas: int | ArrayLike = 100,
        fit_intercept: bool = True,
        max_iter: int = 10_000,
        tol: float = 1e-10,
        cv: Folds = None,
        verbose: int = 0,
        n_jobs: int | None = None,
        standardize: bool = False,
        penalty_factor: ArrayLike | None = None,
        lower_bounds: ArrayLike | None = None,
        upper_bounds: ArrayLike | None = None,
        selection_rule: Rule = "min",
        scoring: Scoring = None,
    ) -> None:
        self.delta = delta
        self.l1_ratio = l1_ratio
        self.eps = eps
        self.alphas = alphas
        self.fit_intercept = fit_intercept
        self.max_iter = max_iter
        self.tol = tol
        self.cv = cv
        self.verbose = verbose
        self.n_jobs = n_jobs
        self.standardize = standardize
        self.penalty_factor = penalty_factor
        self.lower_bounds = lower_bounds
        self.upper_bounds = upper_bounds
        self.selection_rule = selection_rule
        self.scoring = scoring

    def fit(
        self,
        X: MatrixLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        offset: ArrayLike | None = None,
        **params: Any,
    ) -> Self:
        """Search, and fit with what was found.

        Parameters
        ----------
        X : array-like, DataFrame or sparse matrix of shape (n, p)
        y : array-like of shape (n,)
        sample_weight : float or array-like of shape (n,), default=None
            Weights >= 0, in the fits and in the errors of held-out rows.
        offset : array-like of shape (n,), default=None
            Added to the linear predictor of each row, of held-out rows too.
        **params : dict
            Such as `groups`, for the splitter; by metadata routing where that is enabled.

        Returns
        -------
        self
            Unchanged if the fit is interrupted or fails.

        Raises
        ------
        ValueError, TypeError
            If an argument or a parameter is not as described.

        Warns
        -----
        ConvergenceWarning
            Once, if a gap is above `tol` after `max_iter` iterations.
        """
        return self._search("huber", X, y, sample_weight, offset, params, delta=self.delta)
