"""Regression with losses other than the squared one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fastreg import validation
from fastreg.models.base import LinearRegressor, fit_problems, one_response
from fastreg.path import Problem
from fastreg.selection.cross_validation import poisson_deviance

if TYPE_CHECKING:
    from typing import Any, Literal, Self

    from numpy.typing import ArrayLike

    from fastreg._types import Floats, Loss, MatrixLike, Reals


class LossRegressor(LinearRegressor):
    """A regression at one alpha by the path of its loss."""

    alpha: float
    l1_ratio: float
    fit_intercept: bool
    standardize: bool
    penalty_factor: ArrayLike | None
    lower_bounds: ArrayLike | None
    upper_bounds: ArrayLike | None
    tol: float
    max_iter: int
    warm_start: bool
    verbose: int
    n_jobs: int | None
    intercept_: float | Reals
    dual_gap_: float | Floats
    n_iter_: int | list[int]

    def _responses(self, y: ArrayLike, n: int) -> tuple[Floats, int]:
        """y as (k, n), and the dimension of what it is published with."""
        return validation.as_responses(y, n)

    def _fit_loss(
        self,
        loss: Loss,
        X: MatrixLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None,
        offset: ArrayLike | None,
        **more: Any,
    ) -> Self:
        """Check, solve and store; `more` are further arguments of a `Problem`."""
        warm_start = validation.as_bool(self.warm_start, "warm_start")
        n_jobs, verbose = validation.as_n_jobs(self.n_jobs), validation.as_verbose(self.verbose)
        alpha = validation.as_alpha(self.alpha)
        X, names = validation.as_matrix(X)
        n, p = X.shape
        rows, y_ndim = self._responses(y, n)
        problem = Problem(
            rows.T,
            loss=loss,
            alphas=[alpha],
            l1_ratio=self.l1_ratio,
            fit_intercept=self.fit_intercept,
            standardize=self.standardize,
            sample_weight=sample_weight,
            offset=offset,
            penalty_factor=self.penalty_factor,
            lower_bounds=self.lower_bounds,
            upper_bounds=self.upper_bounds,
            tol=self.tol,
            max_iter=self.max_iter,
            coef_init=self._previous_coef(len(rows), p) if warm_start else None,
            **more,
        )
        paths = fit_problems(X, names, [problem], n_jobs, verbose)

        single = len(paths) == 1
        coef = np.vstack([path.coefs.toarray().T for path in paths])
        intercept = np.array([path.intercepts[0] for path in paths], dtype=X.dtype)
        dual_gap = np.array([path.dual_gaps[0] for path in paths])
        n_iter = [int(path.n_iter[0]) for path in paths]
        self._store_columns(p, names)
        self._store_coef(coef[0] if single else coef, X.dtype)
        self.intercept_ = intercept[0] if y_ndim == 1 else intercept
        self.dual_gap_ = float(dual_gap[0]) if single else dual_gap
        self.n_iter_ = n_iter[0] if single else n_iter
        return self


class PoissonModel(LinearRegressor):
    """A linear model of the logarithms of expected counts."""

    def predict(self, X: MatrixLike, offset: ArrayLike | None = None) -> Reals:
        """The expected count of each row.

        Parameters
        ----------
        X : array-like, DataFrame or sparse matrix of shape (m, p)
        offset : array-like of shape (m,), default=None
            As in `fit`.

        Returns
        -------
        ndarray of shape (m,)
        """
        return np.exp(super().predict(X, offset))

    def score(
        self, X: MatrixLike, y: ArrayLike, sample_weight: ArrayLike | None = None, offset: ArrayLike | None = None
    ) -> float:
        """The share of the deviance that the model explains, 1 at best.

        Parameters
        ----------
        X : array-like, DataFrame or sparse matrix of shape (m, p)
        y : array-like of shape (m,)
        sample_weight : array-like of shape (m,), default=None
        offset : array-like of shape (m,), default=None
            As in `fit`, also of the constant model that the share refers to.

        Returns
        -------
        float
        """
        z = super().predict(X, offset).astype(np.float64, copy=False)
        y, weights = counts_of(y, len(z), depth=2), validation.as_weights(sample_weight, len(z))
        level: Any = np.zeros(len(z)) if offset is None else validation.as_offset(offset, len(z))
        mean, expected = np.average(y, weights=weights), np.average(np.exp(level), weights=weights)
        if mean == 0:
            return 0.0
        deviance, null = poisson_deviance(y, np.column_stack([z, level + np.log(mean / expected)]), weights)
        return float(1.0 - deviance / null) if null > 0 else 0.0

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = False
        tags.target_tags.positive_only = True
        return tags


def counts_of(y: ArrayLike, n: int, depth: int) -> Floats:
    """Counts or rates as (n,); `depth` counts the calls from here to the user's."""
    counts = one_response(y, n, depth + 1)
    validation.check_counts(counts)
    return counts


class PoissonRegressor(PoissonModel, LossRegressor):
    """Poisson regression of counts or rates, with L1 and L2 penalties.

    With sample weights s_i, S = sum_i s_i, offsets o_i, penalty factors v_j and the unit deviance
    d(y, mu) = 2 (y log(y / mu) - y + mu), minimises over the intercept b and the coefficients w::

        1/(2 S) sum_i s_i d(y_i, exp(o_i + b + x_i' w))  +  alpha sum_j v_j ( l1_ratio |w_j| + (1 - l1_ratio)/2 w_j^2 )
        subject to  lower_bounds <= w <= upper_bounds

    Parameters
    ----------
    alpha : float >= 0, default=1.0
        Strength of the penalty.
    fit_intercept : bool, default=True
        The intercept is not penalised.
    solver : {"lbfgs", "newton-cholesky"}, default="lbfgs"
        Checked, and without effect: there is one solver.
    max_iter : int, default=10_000
        Limit on coordinate-descent sweeps plus Newton steps.
    tol : float, default=1e-10
        The duality gap is to be at most `tol` times the objective of the model without penalised features.
    warm_start : bool, default=False
        Start from the coefficients of the previous fit.
    verbose : int, default=0
        Above 0, report progress on stderr.
    l1_ratio : float in [0, 1], default=0.0
        Share of the L1 penalty.
    standardize, penalty_factor, lower_bounds, upper_bounds, n_jobs
        As in `ElasticNet`.

    Attributes
    ----------
    coef_ : ndarray of shape (p,)
        float32 if X is, float64 otherwise.
    intercept_ : float
    n_iter_ : int
        Coordinate-descent sweeps plus Newton steps.
    dual_gap_ : float
        How far the objective can lie above its minimum.
    sparse_coef_ : scipy.sparse.csr_matrix of shape (1, p)
    n_features_in_, feature_names_in_
        As in `ElasticNet`.

    See Also
    --------
    PoissonRegressorCV : chooses alpha.
    fastreg.fit_path : all alphas at once, with ``loss="poisson"``.

    Examples
    --------
    >>> from fastreg import PoissonRegressor
    >>> model = PoissonRegressor(alpha=0.01).fit([[0.0], [1.0], [2.0]], [1, 3, 7])
    >>> model.predict([[1.0]]).round(2).tolist()
    [2.81]
    """

    def __init__(
        self,
        *,
        alpha: float = 1.0,
        fit_intercept: bool = True,
        solver: Literal["lbfgs", "newton-cholesky"] = "lbfgs",
        max_iter: int = 10_000,
        tol: float = 1e-10,
        warm_start: bool = False,
        verbose: int = 0,
        l1_ratio: float = 0.0,
        standardize: bool = False,
        penalty_factor: ArrayLike | None = None,
        lower_bounds: ArrayLike | None = None,
        upper_bounds: ArrayLike | None = None,
        n_jobs: int | None = None,
    ) -> None:
        self.alpha = alpha
        self.fit_intercept = fit_intercept
        self.solver = solver
        self.max_iter = max_iter
        self.tol = tol
        self.warm_start = warm_start
        self.verbose = verbose
        self.l1_ratio = l1_ratio
        self.standardize = standardize
        self.penalty_factor = penalty_factor
        self.lower_bounds = lower_bounds
        self.upper_bounds = upper_bounds
        self.n_jobs = n_jobs

    def fit(
        self, X: MatrixLike, y: ArrayLike, sample_weight: ArrayLike | None = None, offset: ArrayLike | None = None
    ) -> Self:
        """Fit the model.

        Parameters
        ----------
        X : array-like, DataFrame or sparse matrix of shape (n, p)
            As in `ElasticNet.fit`.
        y : array-like of shape (n,)
            Counts or rates >= 0, not all zero.
        sample_weight : float or array-like of shape (n,), default=None
            Weights >= 0, on any scale; the exposures, where y are rates.
        offset : array-like of shape (n,), default=None
            Added to the linear predictor: the logarithms of the exposures, where y are counts.

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
            If the gap is above `tol` after `max_iter` iterations.
        """
        validation.one_of(self.solver, "solver", ("lbfgs", "newton-cholesky"))
        return self._fit_loss("poisson", X, y, sample_weight, offset)

    def _responses(self, y: ArrayLike, n: int) -> tuple[Floats, int]:
        return counts_of(y, n, depth=4)[None], 1


class HuberElasticNet(LossRegressor):
    """Linear regression with the Huber loss and L1 and L2 penalties: outliers count by their distance, not its square.

    With sample weights s_i, S = sum_i s_i, offsets o_i, penalty factors v_j and h(r) = r^2 / 2 for abs(r) <= delta,
    delta (abs(r) - delta / 2) beyond, minimises over the intercept b and the coefficients w::

        1/S sum_i s_i h(y_i - o_i - b - x_i' w)  +  alpha sum_j v_j ( l1_ratio |w_j| + (1 - l1_ratio)/2 w_j^2 )
        subject to  lower_bounds <= w <= upper_bounds

    For a large delta this is `ElasticNet`. scikit-learn's HuberRegressor estimates a scale along with the
    coefficients, which its epsilon refers to; here delta is given, in units of y.

    Parameters
    ----------
    alpha : float >= 0, default=1.0
        Strength of the penalty.
    delta : float > 0, default=1.35
        Residual, in units of y, beyond which the loss is linear.
    l1_ratio : float in [0, 1], default=0.5
        Share of the L1 penalty; 0 is ridge regression.
    fit_intercept : bool, default=True
        The intercept is not penalised.
    max_iter : int, default=10_000
        Limit on coordinate-descent sweeps plus Newton steps.
    tol : float, default=1e-10
        The duality gap is to be at most `tol` times the objective of the model without penalised features.
    warm_start : bool, default=False
        Start from the coefficients of the previous fit.
    verbose : int, default=0
        Above 0, report progress on stderr.
    standardize, penalty_factor, lower_bounds, upper_bounds, n_jobs
        As in `ElasticNet`.

    Attributes
    ----------
    coef_, intercept_, n_iter_, dual_gap_, sparse_coef_, n_features_in_, feature_names_in_
        As in `ElasticNet`.

    See Also
    --------
    HuberElasticNetCV : chooses alpha.
    fastreg.fit_path : all alphas at once, with ``loss="huber"``.

    References
    ----------
    P. J. Huber, "Robust estimation of a location parameter", Annals of Mathematical Statistics 35 (1964).

    Examples
    --------
    >>> from fastreg import HuberElasticNet
    >>> model = HuberElasticNet(alpha=0.01).fit([[0.0], [1.0], [2.0], [3.0], [4.0]], [0.0, 1.0, 2.0, 30.0, 4.0])
    >>> bool(model.coef_[0] < 1.5)
    True
    """

    def __init__(
        self,
        alpha: float = 1.0,
        *,
        delta: float = 1.35,
        l1_ratio: float = 0.5,
        fit_intercept: bool = True,
        max_iter: int = 10_000,
        tol: float = 1e-10,
        warm_start: bool = False,
        verbose: int = 0,
        standardize: bool = False,
        penalty_factor: ArrayLike | None = None,
        lower_bounds: ArrayLike | None = None,
        upper_bounds: ArrayLike | None = None,
        n_jobs: int | None = None,
    ) -> None:
        self.alpha = alpha
        self.delta = delta
        self.l1_ratio = l1_ratio
        self.fit_intercept = fit_intercept
        self.max_iter = max_iter
        self.tol = tol
        self.warm_start = warm_start
        self.verbose = verbose
        self.standardize = standardize
        self.penalty_factor = penalty_factor
        self.lower_bounds = lower_bounds
        self.upper_bounds = upper_bounds
        self.n_jobs = n_jobs

    def fit(
        self, X: MatrixLike, y: ArrayLike, sample_weight: ArrayLike | None = None, offset: ArrayLike | None = None
    ) -> Self:
        """Fit the model.

        Parameters
        ----------
        X : array-like, DataFrame or sparse matrix of shape (n, p)
            As in `ElasticNet.fit`.
        y : array-like of shape (n,) or (n, k)
            Each of k columns is a problem of its own; all are solved together.
        sample_weight : float or array-like of shape (n,), default=None
            Weights >= 0, on any scale. Rows of weight zero count as absent.
        offset : array-like of shape (n,), default=None
            Added to the linear predictor of each row, with a coefficient of one.

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
        return self._fit_loss("huber", X, y, sample_weight, offset, delta=self.delta)
