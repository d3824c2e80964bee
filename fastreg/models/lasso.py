"""Lasso and ElasticNet at one alpha."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from sklearn.utils.metadata_routing import UNUSED

from fastreg import validation
from fastreg.models.base import LinearRegressor
from fastreg.path import enet_path, lasso_path, solve
from fastreg.solve import Task

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, ClassVar, Self

    from numpy.typing import ArrayLike

    from fastreg._types import Floats, MatrixLike, Precompute, Random, Reals, Selection


class ElasticNet(LinearRegressor):
    """Linear regression with L1 and L2 penalties.

    With sample weights s_i, S = sum_i s_i, offsets o_i and penalty factors v_j, minimises over the intercept b and the
    coefficients w::

        1/(2 S) sum_i s_i (y_i - o_i - b - x_i' w)^2  +  alpha sum_j v_j ( l1_ratio |w_j| + (1 - l1_ratio)/2 w_j^2 )
        subject to  lower_bounds <= w <= upper_bounds

    Parameters
    ----------
    alpha : float >= 0, default=1.0
        Strength of the penalty. 0 is least squares, of minimum norm if it has several solutions.
    l1_ratio : float in [0, 1], default=0.5
        Share of the L1 penalty; 0 is ridge regression.
    fit_intercept : bool, default=True
        The intercept is not penalised.
    precompute : {"auto", True, False} or array-like of shape (p, p), default=False
        Whether to work from the full Gram matrix of X, or that matrix itself, as in `fastreg.fit_path`. False leaves
        the choice to the solver's cost model, as "auto" does.
    max_iter : int, default=10_000
        Limit on coordinate-descent sweeps plus Newton steps.
    copy_X : bool, default=True
        Without effect: X is never written.
    tol : float, default=1e-10
        The duality gap is to be at most `tol` times the objective of the model without features.
    warm_start : bool, default=False
        Start from the coefficients of the previous fit.
    positive : bool, default=False
        Constrain the coefficients to be >= 0.
    random_state : int, RandomState or None, default=None
        For ``selection="random"``.
    selection : {"cyclic", "random"}, default="cyclic"
        Order in which the coordinates are updated.
    standardize : bool, default=False
        Penalise w_j * sd_j in place of w_j, sd_j the weighted 1/S standard deviation of column j. Coefficients are
        reported for the original columns.
    penalty_factor : array-like of shape (p,), default=None
        Factors v_j >= 0 of the penalty; 0 leaves a feature unpenalised, inf excludes it.
    lower_bounds, upper_bounds : float or array-like of shape (p,), default=None
        Bounds of the coefficients, ``lower_bounds <= 0 <= upper_bounds``.
    n_jobs : int, default=None
        Number of threads; None and -1 are all cores at hand. The result does not depend on it.

    Attributes
    ----------
    coef_ : ndarray of shape (p,) or (k, p)
        float32 if X is, float64 otherwise. One row for each of k > 1 responses.
    intercept_ : float or ndarray of shape (k,)
    n_iter_ : int or list of k int
        Coordinate-descent sweeps plus Newton steps.
    dual_gap_ : float or ndarray of shape (k,)
        How far the objective can lie above its minimum.
    sparse_coef_ : scipy.sparse.csr_matrix of shape (1, p) or (k, p)
    n_features_in_ : int
    feature_names_in_ : ndarray of shape (p,)
        Only if X is a data frame with string column names.

    See Also
    --------
    fastreg.fit_path : all alphas at once.

    Examples
    --------
    >>> from fastreg import ElasticNet
    >>> model = ElasticNet(alpha=0.1).fit([[0.0], [1.0], [2.0]], [0.0, 2.0, 4.0])
    >>> round(float(model.coef_[0]), 6)
    1.790698
    """

    intercept_: float | Reals
    dual_gap_: float | Floats
    n_iter_: int | list[int]

    # `check_input` is no metadata that a pipeline should pass around.
    __metadata_request__fit = {"check_input": UNUSED}

    path: ClassVar[Callable[..., Any]] = staticmethod(enet_path)

    def __init__(
        self,
        alpha: float = 1.0,
        *,
        l1_ratio: float = 0.5,
        fit_intercept: bool = True,
        precompute: Precompute = False,
        max_iter: int = 10_000,
        copy_X: bool = True,
        tol: float = 1e-10,
        warm_start: bool = False,
        positive: bool = False,
        random_state: Random = None,
        selection: Selection = "cyclic",
        standardize: bool = False,
        penalty_factor: ArrayLike | None = None,
        lower_bounds: ArrayLike | None = None,
        upper_bounds: ArrayLike | None = None,
        n_jobs: int | None = None,
    ) -> None:
        self.alpha = alpha
        self.l1_ratio = l1_ratio
        self.fit_intercept = fit_intercept
        self.precompute = precompute
        self.max_iter = max_iter
        self.copy_X = copy_X
        self.tol = tol
        self.warm_start = warm_start
        self.positive = positive
        self.random_state = random_state
        self.selection = selection
        self.standardize = standardize
        self.penalty_factor = penalty_factor
        self.lower_bounds = lower_bounds
        self.upper_bounds = upper_bounds
        self.n_jobs = n_jobs

    def fit(
        self,
        X: MatrixLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        check_input: bool = True,
        offset: ArrayLike | None = None,
    ) -> Self:
        """Fit the model.

        Parameters
        ----------
        X : array-like, DataFrame or sparse matrix of shape (n, p)
            float32 and float64 arrays, and sparse matrices in CSC or CSR, are used as they are, in any memory layout;
            other numbers become float64, other sparse formats CSC.
        y : array-like of shape (n,) or (n, k)
            Each of k columns is a problem of its own; all are solved together.
        sample_weight : float or array-like of shape (n,), default=None
            Weights >= 0, on any scale. Rows of weight zero count as absent.
        check_input : bool, default=True
            Without effect: the checks cost nothing.
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
        validation.as_bool(check_input, "check_input")
        validation.as_bool(self.copy_X, "copy_X")
        warm_start = validation.as_bool(self.warm_start, "warm_start")
        positive = validation.as_bool(self.positive, "positive")
        precompute = validation.as_precompute(self.precompute)
        precompute = "auto" if precompute is False else precompute
        n_jobs = validation.as_n_jobs(self.n_jobs)
        shared: dict[str, Any] = {
            "fit_intercept": validation.as_bool(self.fit_intercept, "fit_intercept"),
            "standardize": validation.as_bool(self.standardize, "standardize"),
            "l1_ratio": validation.as_l1_ratio(self.l1_ratio),
            "alphas": np.array([validation.as_alpha(self.alpha)]),
            "eps": None,
            "tol": validation.as_tol(self.tol),
            "max_iter": validation.as_max_iter(self.max_iter),
            "random_state": validation.as_seed(self.selection, self.random_state),
        }
        X, names = validation.as_matrix(X)
        n, p = X.shape
        rows, y_ndim = validation.as_responses(y, n)
        shared["weights"] = validation.as_weights(sample_weight, n)
        offset = validation.as_offset(offset, n)
        if offset is not None:
            rows = rows - offset
        lower, upper = validation.as_bounds(self.lower_bounds, self.upper_bounds, positive, p)
        shared["lower"], shared["upper"] = lower, upper
        shared["penalty_factor"] = validation.as_penalty_factor(self.penalty_factor, p)
        starts = None
        if warm_start:
            starts = validation.as_coef_init(self._previous_coef(len(rows), p), len(rows), p, lower, upper)

        tasks = [Task(y=row, coef_init=None if starts is None else starts[k], **shared) for k, row in enumerate(rows)]
        solutions = solve(X, names, tasks, precompute=precompute, n_jobs=n_jobs)

        coef = np.zeros((len(solutions), p))
        for k, solution in enumerate(solutions):
            coef[k, solution.indices] = solution.values
        intercept = np.array([solution.intercepts[0] for solution in solutions], dtype=X.dtype)
        dual_gap = np.array([solution.dual_gaps[0] for solution in solutions])
        n_iter = [int(solution.n_iter[0]) for solution in solutions]
        single = len(solutions) == 1
        self._store_columns(p, names)
        self._store_coef(coef[0] if single else coef, X.dtype)
        self.intercept_ = intercept[0] if y_ndim == 1 else intercept
        self.dual_gap_ = float(dual_gap[0]) if single else dual_gap
        self.n_iter_ = n_iter[0] if single else n_iter
        return self


class Lasso(ElasticNet):
    """Linear regression with an L1 penalty.

    With sample weights s_i and S = sum_i s_i, minimises ``1/(2 S) sum_i s_i (y_i - b - x_i' w)^2 + alpha ||w||_1`` over
    the intercept b and the coefficients w.

    Parameters
    ----------
    alpha : float >= 0, default=1.0
        Strength of the penalty. 0 is least squares, of minimum norm if it has several solutions.
    fit_intercept, precompute, copy_X, max_iter, tol, warm_start, positive, random_state, selection, standardize, \
penalty_factor, lower_bounds, upper_bounds, n_jobs
        As in `ElasticNet`.

    Attributes
    ----------
    coef_, intercept_, n_iter_, dual_gap_, sparse_coef_, n_features_in_, feature_names_in_
        As in `ElasticNet`.

    See Also
    --------
    fastreg.fit_path : all alphas at once.

    Examples
    --------
    >>> from fastreg import Lasso
    >>> model = Lasso(alpha=0.1).fit([[0.0], [1.0], [2.0]], [0.0, 2.0, 4.0])
    >>> round(float(model.coef_[0]), 6)
    1.85
    """

    path = staticmethod(lasso_path)

    def __init__(
        self,
        alpha: float = 1.0,
        *,
        fit_intercept: bool = True,
        precompute: Precompute = False,
        copy_X: bool = True,
        max_iter: int = 10_000,
        tol: float = 1e-10,
        warm_start: bool = False,
        positive: bool = False,
        random_state: Random = None,
        selection: Selection = "cyclic",
        standardize: bool = False,
        penalty_factor: ArrayLike | None = None,
        lower_bounds: ArrayLike | None = None,
        upper_bounds: ArrayLike | None = None,
        n_jobs: int | None = None,
    ) -> None:
        super().__init__(
            alpha=alpha,
            l1_ratio=1.0,
            fit_intercept=fit_intercept,
            precompute=precompute,
            max_iter=max_iter,
            copy_X=copy_X,
            tol=tol,
            warm_start=warm_start,
            positive=positive,
            random_state=random_state,
            selection=selection,
            standardize=standardize,
            penalty_factor=penalty_factor,
            lower_bounds=lower_bounds,
            upper_bounds=upper_bounds,
            n_jobs=n_jobs,
        )
