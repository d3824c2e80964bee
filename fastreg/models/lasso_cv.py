"""LassoCV and ElasticNetCV: alpha, l1_ratio and relaxation by cross-validation."""

import warnings
from dataclasses import replace

import numpy as np
from sklearn.exceptions import DataConversionWarning
from sklearn.metrics import get_scorer

from fastreg import validation
from fastreg.models.base import Given, LinearRegressor
from fastreg.models.search import PathSearch
from fastreg.path import as_path, enet_path, lasso_path
from fastreg.selection.cross_validation import absolute_error, cross_validate, squared_error
from fastreg.solve import Task

_ERRORS = {None: squared_error, "mse": squared_error, "deviance": squared_error, "mae": absolute_error}


class ElasticNetCV(PathSearch, LinearRegressor):
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

    path = staticmethod(enet_path)
    _axes = ("l1_ratio", "relax")
    _error_names = {None: "mean squared error", "mse": "mean squared error", "deviance": "mean squared error",
                    "mae": "mean absolute error"}  # fmt: skip

    def __init__(
        self,
        *,
        l1_ratio=0.5,
        eps=1e-3,
        alphas=100,
        fit_intercept=True,
        precompute="auto",
        max_iter=10_000,
        tol=1e-10,
        cv=None,
        copy_X=True,
        verbose=0,
        n_jobs=None,
        positive=False,
        random_state=None,
        selection="cyclic",
        standardize=False,
        penalty_factor=None,
        lower_bounds=None,
        upper_bounds=None,
        selection_rule="min",
        scoring=None,
        relax=1.0,
    ):
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

    def fit(self, X, y, sample_weight=None, offset=None, **params):
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
        verbose = validation.as_verbose(self.verbose)
        precompute = validation.as_precompute(self.precompute)
        if isinstance(precompute, np.ndarray):
            raise ValueError("precompute must be 'auto', True or False: each fold has a Gram matrix of its own.")
        n_jobs = validation.as_n_jobs(self.n_jobs)
        positive = validation.as_bool(self.positive, "positive")
        rule = validation.one_of(self.selection_rule, "selection_rule", ("min", "1se"))
        ratios = np.atleast_1d(self.l1_ratio)
        if ratios.ndim != 1 or len(ratios) == 0:
            raise ValueError(f"l1_ratio must be a number or a sequence of numbers; it is {self.l1_ratio!r}.")
        ratios = [validation.as_l1_ratio(ratio) for ratio in ratios.tolist()]
        X, names = validation.as_matrix(X)
        n, p = X.shape
        rows, y_ndim = validation.as_responses(y, n)
        if len(rows) > 1:
            raise ValueError(
                f"y must be 1-d; it has {len(rows)} columns. Fit one model for each, or search with `fit_paths`."
            )
        if y_ndim == 2:
            warnings.warn("A column-vector y was passed when a 1d array was expected; y.ravel() is used.",
                          DataConversionWarning, stacklevel=2)  # fmt: skip
        response, offset = rows[0], validation.as_offset(offset, n)
        lower, upper = validation.as_bounds(self.lower_bounds, self.upper_bounds, positive, p)
        gammas = validation.as_relax(self.relax, lower is not None)
        task = Task(
            y=response if offset is None else response - offset,
            weights=validation.as_weights(sample_weight, n),
            fit_intercept=validation.as_bool(self.fit_intercept, "fit_intercept"),
            standardize=validation.as_bool(self.standardize, "standardize"),
            l1_ratio=1.0,
            alphas=validation.as_alphas(self.alphas),
            eps=validation.as_eps(self.eps),
            tol=validation.as_tol(self.tol),
            max_iter=validation.as_max_iter(self.max_iter),
            coef_init=None,
            random_state=validation.as_seed(self.selection, self.random_state),
            penalty_factor=validation.as_penalty_factor(self.penalty_factor, p),
            lower=lower,
            upper=upper,
        )
        for ratio in ratios:
            validation.check_grid(task.alphas, ratio, task.penalty_factor)
        error = self._error()
        validation.check_finite(X, names)
        splits = self._splits(X, response, params)
        whole = [replace(task, l1_ratio=ratio) for ratio in ratios]
        found = cross_validate(
            X, names, whole, splits, error, gammas=gammas, offset=offset, precompute=precompute, n_jobs=n_jobs,
            verbose=verbose,
        )  # fmt: skip

        best, one_se = found.best(), found.within_one_se()
        curve, i = best if rule == "min" else one_se
        r, g = divmod(curve, len(gammas))
        path = as_path(X, whole[r], found.paths[r], names)
        path = path if gammas[g] == 1.0 else path.relax(gammas[g])
        coef = np.zeros(p)
        part = slice(path.coefs.indptr[i], path.coefs.indptr[i + 1])
        coef[path.coefs.indices[part]] = path.coefs.data[part]
        self._store_columns(p, names)
        self.coef_ = coef.astype(X.dtype, copy=False)
        self.intercept_ = float(path.intercepts[i])
        self.alpha_, self.relax_ = float(found.alphas[r, i]), gammas[g]
        self.alpha_min_, self.alpha_1se_ = float(found.alphas[r, best[1]]), float(found.alphas[r, one_se[1]])
        self.dual_gap_, self.n_iter_ = float(path.dual_gaps[i]), int(path.n_iter[i])
        self.alphas_ = found.alphas if len(ratios) > 1 and not isinstance(task.alphas, np.ndarray) else found.alphas[0]
        self.path_ = path
        if not isinstance(self, LassoCV):
            self.l1_ratio_ = ratios[r]
        self.cv_results_ = _results(found, ratios, gammas)
        self.mse_path_ = self.cv_results_["errors"]
        return self

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = False
        return tags

    def _error(self):
        """The error to minimise, as `cross_validate` calls it."""
        if self.scoring is None or self.scoring in ("mse", "mae", "deviance"):
            return _ERRORS[self.scoring]
        scorer = get_scorer(self.scoring) if isinstance(self.scoring, str) else self.scoring
        if not callable(scorer):
            raise ValueError(f"scoring={self.scoring!r} must be None, 'mse', 'mae', 'deviance', or a scorer.")

        def error(y, prediction, weights, rows):
            more = {} if weights is None else {"sample_weight": weights}
            return np.array([-scorer(Given(), column, y, **more) for column in prediction.T])

        return error


def _results(found, ratios, gammas):
    """`cv_results_`, with an axis for l1_ratio and for relax where there are several of them."""
    R, G, L = len(ratios), len(gammas), found.alphas.shape[1]
    results = {
        "l1_ratio": np.repeat(np.array(ratios), G * L).reshape(-1, L),
        "relax": np.tile(np.repeat(np.array(gammas), L), R).reshape(-1, L),
        "alpha": np.repeat(found.alphas, G, axis=0),
        "mean_error": found.mean,
        "standard_error": found.standard_error,
        "n_features": np.repeat([np.diff(path.indptr) for path in found.paths], G, axis=0),
        "errors": found.scores,
        "relative_gaps": np.repeat(found.relative_gaps, G, axis=0),
    }
    axes = [count for count in (R, G) if count > 1]
    return {name: values.reshape(*axes, *values.shape[1:]) for name, values in results.items()}


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

    def __init__(
        self,
        *,
        eps=1e-3,
        alphas=100,
        fit_intercept=True,
        precompute="auto",
        max_iter=10_000,
        tol=1e-10,
        copy_X=True,
        cv=None,
        verbose=0,
        n_jobs=None,
        positive=False,
        random_state=None,
        selection="cyclic",
        standardize=False,
        penalty_factor=None,
        lower_bounds=None,
        upper_bounds=None,
        selection_rule="min",
        scoring=None,
        relax=1.0,
    ):
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
