"""LassoCV and ElasticNetCV: alpha, l1_ratio and relaxation by cross-validation."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fastreg import validation
from fastreg.models.alpha_search import AlphaSearch
from fastreg.path import enet_path, lasso_path

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any, ClassVar, Literal, Self

    from numpy.typing import ArrayLike

    from fastreg._types import Folds, MatrixLike, Random, Rule, Scoring, Selection


class ElasticNetCV(AlphaSearch):
    """Elastic net with alpha, l1_ratio and relaxation chosen by cross-validation.

    All folds, all values of l1_ratio and the fits on all rows are problems over one X, solved together: a fold is a set
    of rows of weight zero, means and standard deviations are its own, and X is not copied for it. The objective is that
    of `ElasticNet`.

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
    precompute : {"auto", True, False}, default="auto"
        As in `fastreg.fit_path`.
    max_iter : int, default=10_000
    tol : float, default=1e-10
        As in `ElasticNet`, for every fold.
    cv : int, splitter or iterable of (train, test), default=None
        None is 5 contiguous folds. Whatever rows the folds take, each fit is that of `ElasticNet` on its training rows.
    copy_X : bool, default=True
        Without effect: X is never written.
    verbose : bool or int, default=0
    n_jobs : int, default=None
        Number of threads; None and -1 are all cores at hand. The result does not depend on it.
    positive : bool, default=False
    random_state : int, RandomState or None, default=None
    selection : {"cyclic", "random"}, default="cyclic"
    standardize, penalty_factor, lower_bounds, upper_bounds
        As in `ElasticNet`.
    selection_rule : {"min", "1se"}, default="min"
        "min" takes the alpha of the smallest mean error, "1se" the largest alpha, at the same l1_ratio and relax, whose
        mean error is at most one standard error above it.
    scoring : str, callable or None, default=None
        None, "mse" and "deviance" are the mean squared error of the held-out rows, "mae" the mean absolute error;
        another name, or a scorer of scikit-learn, is maximised.
    relax : float in [0, 1], or sequence of G such, default=1.0
        Share of the penalised solution in its blend with least squares on the features it has chosen: 1 is the elastic
        net itself, 0 takes the shrinkage off, as `RegularizationPath.relax` does. Not below 1 with bounds.

    Attributes
    ----------
    alpha_, l1_ratio_, relax_ : float
        As chosen by `selection_rule`.
    alpha_min_, alpha_1se_ : float
        As chosen by either.
    coef_ : ndarray of shape (p,)
        float32 if X is, float64 otherwise.
    intercept_ : float
    mse_path_ : ndarray of shape (L, K), (R, L, K), (G, L, K) or (R, G, L, K)
        Axes only for R > 1 values of l1_ratio and G > 1 of relax, for alphas, and for folds.
        Errors of the held-out rows in each of K folds, by `scoring` (a scorer's with a minus).
    alphas_ : ndarray of shape (L,) or (R, L)
    dual_gap_ : float
        Of the final penalised fit, in units of the objective. A relaxed one has none: it is least squares on a support
        that this certifies.
    n_iter_ : int
    path_ : RegularizationPath
        On all rows, at the chosen l1_ratio, relaxed by `relax_` (see `RegularizationPath.relax`).
    cv_results_ : dict of ndarray
        "l1_ratio", "relax", "alpha", "mean_error", "standard_error", "n_features" with the axes of `mse_path_` but the
        last; "errors", "relative_gaps" with a last axis of K folds.
    n_features_in_, feature_names_in_
        As in `ElasticNet`.

    Notes
    -----
    The standard error of a mean error is the standard deviation of the folds' errors, each weighted by the rows it
    holds, over the root of K (L. Breiman et al., Classification and Regression Trees, 1984, for the rule).

    A fold's least squares is that of its training rows, on the supports of their path: the relaxed lasso of N.
    Meinshausen (Computational Statistics & Data Analysis 52, 2007), blended as by T. Hastie, R. Tibshirani and R.
    Tibshirani (Statistical Science 35, 2020).

    Examples
    --------
    >>> import numpy as np
    >>> from fastreg import ElasticNetCV
    >>> X = np.random.default_rng(0).standard_normal((50, 8))
    >>> model = ElasticNetCV(l1_ratio=[0.5, 1.0], alphas=20).fit(X, X[:, 0])
    >>> int(np.argmax(np.abs(model.coef_)))
    0
    """

    path: ClassVar[Callable[..., Any]] = staticmethod(enet_path)
    _axes: tuple[str, ...] = ("l1_ratio", "relax")
    _error_names = AlphaSearch._error_names | {None: "mean squared error", "deviance": "mean squared error"}

    def __init__(
        self,
        *,
        l1_ratio: float | Sequence[float] = 0.5,
        eps: float = 1e-3,
        alphas: int | ArrayLike = 100,
        fit_intercept: bool = True,
        precompute: Literal["auto"] | bool = "auto",
        max_iter: int = 10_000,
        tol: float = 1e-10,
        cv: Folds = None,
        copy_X: bool = True,
        verbose: int = 0,
        n_jobs: int | None = None,
        positive: bool = False,
        random_state: Random = None,
        selection: Selection = "cyclic",
        standardize: bool = False,
        penalty_factor: ArrayLike | None = None,
        lower_bounds: ArrayLike | None = None,
        upper_bounds: ArrayLike | None = None,
        selection_rule: Rule = "min",
        scoring: Scoring = None,
        relax: float | Sequence[float] = 1.0,
    ) -> None:
        self.l1_ratio = l1_ratio
        self.eps = eps
        self.alphas = alphas
        self.fit_intercept = fit_intercept
        self.precompute = precompute
        self.max_iter = max_iter
        self.tol = tol
        self.cv = cv
        self.copy_X = copy_X
        self.verbose = verbose
        self.n_jobs = n_jobs
        self.positive = positive
        self.random_state = random_state
        self.selection = selection
        self.standardize = standardize
        self.penalty_factor = penalty_factor
        self.lower_bounds = lower_bounds
        self.upper_bounds = upper_bounds
        self.selection_rule = selection_rule
        self.scoring = scoring
        self.relax = relax

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
            Added to the linear predictor of each row.
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
        validation.as_bool(self.copy_X, "copy_X")
        precompute = validation.as_precompute(self.precompute)
        if isinstance(precompute, np.ndarray):
            raise ValueError("precompute must be 'auto', True or False: each fold has a Gram matrix of its own.")
        seed = validation.as_seed(self.selection, self.random_state)
        return self._search(
            "squared", X, y, sample_weight, offset, params, relax=self.relax, seed=seed, precompute=precompute,
            positive=self.positive,
        )  # fmt: skip


class LassoCV(ElasticNetCV):
    """Lasso with alpha and relaxation chosen by cross-validation.

    `ElasticNetCV` with ``l1_ratio=1``; see there for how it is done.

    Parameters
    ----------
    eps, alphas, fit_intercept, precompute, max_iter, tol, copy_X, cv, verbose, n_jobs, positive, random_state, \
selection, standardize, penalty_factor, lower_bounds, upper_bounds, selection_rule, scoring, relax
        As in `ElasticNetCV`.

    Attributes
    ----------
    alpha_, relax_, alpha_min_, alpha_1se_, coef_, intercept_, mse_path_, alphas_, dual_gap_, n_iter_, path_, \
cv_results_, n_features_in_, feature_names_in_
        As in `ElasticNetCV`.

    Examples
    --------
    >>> import numpy as np
    >>> from fastreg import LassoCV
    >>> X = np.random.default_rng(0).standard_normal((50, 8))
    >>> model = LassoCV(alphas=20).fit(X, X[:, 0])
    >>> int(np.argmax(np.abs(model.coef_)))
    0
    """

    path = staticmethod(lasso_path)
    _axes = ("relax",)

    def __init__(
        self,
        *,
        eps: float = 1e-3,
        alphas: int | ArrayLike = 100,
        fit_intercept: bool = True,
        precompute: Literal["auto"] | bool = "auto",
        max_iter: int = 10_000,
        tol: float = 1e-10,
        copy_X: bool = True,
        cv: Folds = None,
        verbose: int = 0,
        n_jobs: int | None = None,
        positive: bool = False,
        random_state: Random = None,
        selection: Selection = "cyclic",
        standardize: bool = False,
        penalty_factor: ArrayLike | None = None,
        lower_bounds: ArrayLike | None = None,
        upper_bounds: ArrayLike | None = None,
        selection_rule: Rule = "min",
        scoring: Scoring = None,
        relax: float | Sequence[float] = 1.0,
    ) -> None:
        super().__init__(
            l1_ratio=1.0,
            eps=eps,
            alphas=alphas,
            fit_intercept=fit_intercept,
            precompute=precompute,
            max_iter=max_iter,
            tol=tol,
            cv=cv,
            copy_X=copy_X,
            verbose=verbose,
            n_jobs=n_jobs,
            positive=positive,
            random_state=random_state,
            selection=selection,
            standardize=standardize,
            penalty_factor=penalty_factor,
            lower_bounds=lower_bounds,
            upper_bounds=upper_bounds,
            selection_rule=selection_rule,
            scoring=scoring,
            relax=relax,
        )
