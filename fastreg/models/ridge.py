"""Ridge regression at one alpha, and at the alpha that cross-validation chooses."""

import warnings
from dataclasses import dataclass
from inspect import signature
from typing import Any

import numpy as np
from scipy.linalg import LinAlgWarning
from sklearn.base import BaseEstimator, RegressorMixin, is_classifier
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.metrics import check_scoring
from sklearn.model_selection import check_cv
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted, validate_data

from fastreg import validation
from fastreg.accumulator import GramAccumulator
from fastreg.models.base import LinearRegressor
from fastreg.models.ridge_fits import Terms, cross_validate, fit_problem, leave_one_out, r2_scores
from fastreg.solve import n_threads
from fastreg.solve.ridge_data import RidgeData, predict


class RidgeModel:
    """The parameters of Ridge and RidgeClassifier, and what they do with them."""

    def _options(self):
        """The parameters that need no data, checked."""
        validation.as_bool(self.copy_X, "copy_X")
        validation.as_seed("cyclic", self.random_state)
        positive = validation.as_bool(self.positive, "positive")
        return {
            "alpha": validation.as_target_alphas(self.alpha),
            "fit_intercept": validation.as_bool(self.fit_intercept, "fit_intercept"),
            "max_iter": 10_000 if self.max_iter is None else validation.as_max_iter(self.max_iter),
            "tol": validation.as_tol(self.tol),
            "solver": validation.as_ridge_solver(self.solver, positive),
            "positive": positive,
            "standardize": validation.as_bool(self.standardize, "standardize"),
            "n_jobs": validation.as_n_jobs(self.n_jobs),
        }

    def _fit_rows(self, X, names, rows, weights, options):
        """The fit of checked responses (k, n)."""
        p = X.shape[1]
        alphas = validation.match_alphas(options["alpha"], len(rows))
        lower, upper = validation.as_bounds(self.lower_bounds, self.upper_bounds, options["positive"], p)
        validation.check_one_penalty(
            self.penalty_factor, self.penalty_matrix, options["standardize"], lower is not None
        )
        factor = validation.as_penalty_factor(self.penalty_factor, p)
        matrix = validation.as_penalty_matrix(self.penalty_matrix, p)
        terms = Terms(options["standardize"], factor, matrix, lower, upper)
        data = RidgeData(X, rows.T, weights, options["fit_intercept"], jobs=n_threads(options["n_jobs"]))
        return fit_problem(
            data, names, alphas, terms, options["solver"], options["tol"], options["max_iter"], options["n_jobs"]
        )

    def _store_fit(self, fit, names, dtype, y_ndim):
        """Publish the results, after everything else."""
        store_coefficients(self, fit, names, dtype, y_ndim)
        self.n_iter_ = fit.n_iter
        self.solver_ = fit.solver if self.solver in ("auto", "svd", "cholesky") else self.solver


def store_coefficients(model, fit, names, dtype, y_ndim):
    """`coef_`, `intercept_` and the certificates; scikit-learn's shapes."""
    coef = np.ascontiguousarray(fit.coefs.T.astype(dtype))
    single = len(coef) == 1
    model._store_columns(coef.shape[1], names)
    model.coef_ = coef[0] if single else coef
    if model.fit_intercept:
        intercepts = fit.intercepts.astype(dtype)
        model.intercept_ = intercepts[0] if y_ndim == 1 else intercepts
    else:
        model.intercept_ = 0.0
    model.dual_gap_ = float(fit.dual_gaps[0]) if single else fit.dual_gaps
    model.residual_ = float(fit.residuals[0]) if single else fit.residuals


def warn_if_singular(fit):
    """Called by `fit`: the warning points at the code that called it."""
    if fit.rank is not None:
        warnings.warn(
            f"Singular matrix: the {len(fit.coefs)} columns of X (less their means, if there is an intercept) have "
            f"rank {fit.rank} only, so that the solution is not unique; the one of minimum norm was taken. Use an "
            "alpha > 0, penalise all features, or drop columns.",
            LinAlgWarning,
            stacklevel=3,
        )


class Smoother:
    """What is known of coefficients that are linear in y; needs the data of the fit, which are not pickled."""

    @property
    def df_(self):
        """Effective degrees of freedom, the trace of the matrix that maps y to its fit; the intercept counts.

        A float, or (k,) for k > 1 responses; computed at each use, from the factorization that the fit left.
        """
        fit = self._linear_fit("df_")
        known = {alpha: fit.system.freedom(alpha) for alpha in np.unique(fit.alphas)}
        df = np.array([known[alpha] for alpha in fit.alphas])
        return float(df[0]) if len(df) == 1 else df

    def standard_errors(self):
        """Standard errors of the coefficients, for responses with independent errors of variance sigma^2 / s_i.

        The square roots of the diagonal of sigma^2 A^-1 Z'Z A^-1, where Z are the rows of X times the roots of their
        weights s_i (about the means if there is an intercept), A = Z'Z + alpha P, and sigma^2 is the weighted residual
        sum of squares over the number of rows of positive weight less `df_`. The bias that the penalty brings is not
        in it.

        Returns
        -------
        ndarray of shape (p,), or (k, p) for k > 1 responses
            At alpha = 0 those of least squares. Zero for excluded features.

        Raises
        ------
        AttributeError
            If the fit was bounded, or of an X too large for a factorization, or the model comes from a pickle.
        ValueError
            If no degrees of freedom are left to estimate sigma^2.

        References
        ----------
        A. E. Hoerl and R. W. Kennard, "Ridge regression: biased estimation for nonorthogonal problems", Technometrics
        12 (1970).
        """
        fit = self._linear_fit("standard_errors")
        data = fit.data
        residuals = data.Y - fit.intercepts - predict(data.X, fit.coefs)
        weights = np.ones(len(residuals)) if data.weights is None else data.weights
        df = np.atleast_1d(self.df_)
        left = np.count_nonzero(weights) - df
        if (left < 1e-9 * len(weights)).any():
            raise ValueError(
                f"no degrees of freedom are left for the variance of the errors: {np.count_nonzero(weights)} rows of "
                f"positive weight, {df.max():.6g} degrees of freedom in the fit. Use a larger alpha."
            )
        sigma = np.sqrt((weights[:, None] * residuals**2).sum(axis=0) / left)
        errors = np.empty(fit.coefs.T.shape)
        for alpha in np.unique(fit.alphas):
            F = fit.system.influence(alpha)
            F = F if fit.rotation is None else fit.rotation @ F
            errors[fit.alphas == alpha] = np.sqrt((F * F).sum(axis=1))
        errors *= sigma[:, None]
        return errors[0] if len(errors) == 1 else errors

    def _linear_fit(self, name):
        check_is_fitted(self)
        fit = getattr(self, "_fit", None)
        if fit is None:
            raise AttributeError(
                f"{name} needs the factorization of the fit, which pickles and copies do not carry: fit again."
            )
        if fit.system is None:
            raise AttributeError(
                f"{name} needs a factorization: there is none under bounds, nor for a sparse X with too many rows and "
                "columns."
            )
        return fit

    def __getstate__(self):
        return {name: value for name, value in super().__getstate__().items() if name != "_fit"}


def _sums_will_do(model):
    """Whether a model is one of sums of rows, for `partial_fit`."""
    for name in ("penalty_matrix", "lower_bounds", "upper_bounds"):
        if getattr(model, name) is not None:
            raise AttributeError(f"{name} is not for partial_fit, which knows sums of rows alone; use fit.")
    if model.positive:
        raise AttributeError("positive=True is not for partial_fit, which knows sums of rows alone; use fit.")
    return True


class Ridge(RidgeModel, Smoother, LinearRegressor):
    """Linear regression with an L2 penalty.

    With sample weights s_i, offsets o_i and penalty factors v_j, minimises over the intercept b and the coefficients w,
    with scikit-learn's scaling::

        sum_i s_i (y_i - o_i - b - x_i' w)^2  +  alpha sum_j v_j w_j^2
        subject to  lower_bounds <= w <= upper_bounds

    Without bounds the solution is that of linear equations, to rounding (see Notes).

    Parameters
    ----------
    alpha : float >= 0 or array-like of shape (k,), default=1.0
        Strength of the penalty, or one for each column of y. 0 is least squares, of minimum norm if it has several
        solutions, which a warning then says.
    fit_intercept : bool, default=True
        The intercept is not penalised.
    copy_X : bool, default=True
        Without effect: X is never written.
    max_iter : int, default=None
        Limit on iterations where there are any: under bounds, and for a sparse X with more than 6,000 rows and columns.
        None is 10_000.
    tol : float, default=1e-10
        There, the duality gap is to be at most `tol` times the objective of the model without features.
    solver : {"auto", "svd", "cholesky", "lsqr", "sparse_cg", "sag", "saga", "lbfgs"}, default="auto"
        "svd" decomposes X itself, at several times the cost, which "auto" does only where X is so close to singular
        that it is needed. The other names are scikit-learn's and change nothing; "lbfgs" goes with ``positive=True``.
    positive : bool, default=False
        Constrain the coefficients to be >= 0.
    random_state : int, RandomState or None, default=None
        Without effect: nothing is random.
    standardize : bool, default=False
        Penalise w_j * sd_j in place of w_j, sd_j the weighted 1/S standard deviation of column j about its mean,
        S = sum_i s_i. Coefficients are reported for the original columns; those of constant columns are zero.
    penalty_factor : array-like of shape (p,), default=None
        Factors v_j >= 0 of the penalty; 0 leaves a feature unpenalised, inf excludes it.
    penalty_matrix : array-like of shape (p, p), default=None
        A symmetric positive semidefinite P: the penalty is alpha w'Pw. D'D with a difference matrix D smooths the
        coefficients. Excludes bounds, `standardize` and `penalty_factor`.
    lower_bounds, upper_bounds : float or array-like of shape (p,), default=None
        Bounds of the coefficients, ``lower_bounds <= 0 <= upper_bounds``.
    n_jobs : int, default=None
        Number of threads; None and -1 are all cores at hand.

    Attributes
    ----------
    coef_ : ndarray of shape (p,) or (k, p)
        float32 if X is, float64 otherwise. One row for each of k > 1 responses.
    intercept_ : float or ndarray of shape (k,)
        0.0 without an intercept.
    dual_gap_ : float or ndarray of shape (k,)
        How far the objective can lie above its minimum; NaN where alpha is 0, or P not diagonal and positive.
    residual_ : float or ndarray of shape (k,)
        Norm of the gradient at the solution (under bounds, of the part that a coefficient could follow), relative to
        its norm at zero.
    df_ : float or ndarray of shape (k,)
        Effective degrees of freedom, the intercept counted. Not under bounds, and not after unpickling.
    n_iter_ : ndarray of shape (k,) or None
        Iterations, where there are any.
    solver_ : str
        What was done: "cholesky" (the equations solved), "svd" (X decomposed) or "coordinate_descent" (iterations);
        or the other name that `solver` was given.
    sparse_coef_ : scipy.sparse.csr_matrix of shape (1, p) or (k, p)
    n_features_in_ : int
    feature_names_in_ : ndarray of shape (p,)
        Only if X is a data frame with string column names.

    See Also
    --------
    RidgeCV : chooses alpha.
    fastreg.ElasticNet : with ``l1_ratio=0`` the same model, where alpha is this one over the sum of the weights.

    Notes
    -----
    The Gram matrix of the features, or of the rows of a wide X, is factorized, and gradients that are computed from X
    itself refine the solution (Hoerl and Kennard 1970; by rows Saunders, Gammerman and Vovk 1998). A fitted model keeps
    this factorization, and a reference to X, for `df_` and `standard_errors`; pickles and copies do not.

    Examples
    --------
    >>> from fastreg import Ridge
    >>> model = Ridge(alpha=1.0).fit([[0.0], [1.0], [2.0]], [0.0, 2.0, 4.0])
    >>> round(float(model.coef_[0]), 6)
    1.333333
    >>> round(model.df_, 6)
    1.666667
    """

    def __init__(
        self,
        alpha=1.0,
        *,
        fit_intercept=True,
        copy_X=True,
        max_iter=None,
        tol=1e-10,
        solver="auto",
        positive=False,
        random_state=None,
        standardize=False,
        penalty_factor=None,
        penalty_matrix=None,
        lower_bounds=None,
        upper_bounds=None,
        n_jobs=None,
    ):
        self.alpha = alpha
        self.fit_intercept = fit_intercept
        self.copy_X = copy_X
        self.max_iter = max_iter
        self.tol = tol
        self.solver = solver
        self.positive = positive
        self.random_state = random_state
        self.standardize = standardize
        self.penalty_factor = penalty_factor
        self.penalty_matrix = penalty_matrix
        self.lower_bounds = lower_bounds
        self.upper_bounds = upper_bounds
        self.n_jobs = n_jobs

    def fit(self, X, y, sample_weight=None, offset=None):
        """Fit the model.

        Parameters
        ----------
        X : array-like, DataFrame or sparse matrix of shape (n, p)
            float32 and float64 arrays, and sparse matrices in CSC or CSR, are used as they are, in any memory layout;
            other numbers become float64, other sparse formats CSC.
        y : array-like of shape (n,) or (n, k)
            Each of k columns is a problem of its own; all are solved together.
        sample_weight : float or array-like of shape (n,), default=None
            Weights >= 0. A weight of 2 is two rows, which count twice against alpha; 0 is none.
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
        scipy.linalg.LinAlgWarning
            If the solution is not unique.
        ConvergenceWarning
            If iterations did not reach `tol`.
        """
        options = self._options()
        X, names = validation.as_matrix(X)
        n = X.shape[0]
        rows, y_ndim = validation.as_responses(y, n)
        weights = validation.as_counts(sample_weight, n)
        offset = validation.as_offset(offset, n)
        if offset is not None:
            rows = rows - offset
        fit = self._fit_rows(X, names, rows, weights, options)
        warn_if_singular(fit)
        self._store_fit(fit, names, X.dtype, y_ndim)
        self._fit = fit
        self.__dict__.pop("_rows", None)
        return self

    @available_if(_sums_will_do)
    def partial_fit(self, X, y, sample_weight=None):
        """Add rows to those of earlier calls, and fit to all of them, from sums of p x p entries.

        What `fit` saw does not count; a call of `fit` starts afresh. There are no bounds, `penalty_matrix` or offsets
        here, and `df_` and `standard_errors` are not known afterwards.

        Parameters
        ----------
        X : array-like, DataFrame or sparse matrix of shape (m, p)
        y : array-like of shape (m,) or (m, k)
        sample_weight : float or array-like of shape (m,), default=None

        Returns
        -------
        self
            Unchanged if the rows are refused.

        Raises
        ------
        ValueError, TypeError
            If an argument or a parameter is not as described, or the rows do not match the earlier ones.
        """
        options = self._options()
        rows = getattr(self, "_rows", None) or GramAccumulator()
        matrix, names = validation.as_matrix(X)
        if rows.n_rows_:  # scikit-learn's errors
            validate_data(self, matrix if names is None else X, reset=False, skip_check_array=True)
        y_ndim = np.ndim(y)
        rows = rows + GramAccumulator().add(X, y, sample_weight)
        alphas = np.broadcast_to(options["alpha"], rows.n_targets_)
        values = np.unique(alphas)[::-1]
        paths = rows.ridge(
            values, fit_intercept=options["fit_intercept"], standardize=options["standardize"],
            penalty_factor=self.penalty_factor,
        )  # fmt: skip
        paths = paths if isinstance(paths, list) else [paths]
        at = [int(np.flatnonzero(values == alpha)[0]) for alpha in alphas]
        coef = np.array([path.coefs[:, [i]].toarray().ravel() for path, i in zip(paths, at, strict=True)])
        intercept = np.array([path.intercepts[i] for path, i in zip(paths, at, strict=True)])
        gap = np.array([path.dual_gaps[i] for path, i in zip(paths, at, strict=True)])
        single = y_ndim == 1
        self._store_columns(rows.n_features_in_, rows.feature_names_in_)
        self._rows, self._fit = rows, None
        self.coef_, self.intercept_ = (coef[0], float(intercept[0])) if single else (coef, intercept)
        self.dual_gap_ = float(gap[0]) if single else gap
        self.n_iter_, self.solver_ = None, "cholesky"
        self.__dict__.pop("residual_", None)
        return self


class Given(RegressorMixin, BaseEstimator):
    """Stands before a scorer in place of a fitted regressor: it predicts what it is given."""

    def predict(self, X):
        return X


@dataclass
class Judge:
    """Scores predictions for some rows; higher is better."""

    y: np.ndarray  # (n,) or (n, k): what they are compared with
    flat: bool  # whether scorers know a single column of predictions as 1-d
    scorer: Any  # None: R^2
    stand_in: Any  # the estimator that a scorer gets to see
    weights: np.ndarray | None  # (n,)

    def __post_init__(self):
        if self.weights is None or self.scorer is None:
            return
        if "sample_weight" not in signature(getattr(self.scorer, "_score_func", self.scorer)).parameters:
            self.weights = None
            warnings.warn(f"scores are not weighted: {self.scorer} takes no sample_weight.", UserWarning, stacklevel=4)

    def __call__(self, predictions, rows=slice(None), column=None):
        """The score of predictions (m, k), or of one column of them."""
        y = self.y[rows]
        metadata = {} if self.weights is None else {"sample_weight": self.weights[rows]}
        if column is not None:
            y, predictions = y[:, column], predictions[:, column]
        elif self.flat:
            predictions = predictions[:, 0]
        return float(self.scorer(self.stand_in, predictions, y, **metadata))

    def across(self, predictions, rows):
        """(L,) scores of predictions (L, m, k)."""
        if self.scorer is None:
            weights = None if self.weights is None else self.weights[rows]
            return r2_scores(self.y[rows].reshape(len(rows), -1), predictions, weights)
        return np.array([self(one, rows) for one in predictions])


class RidgeSearch:
    """The parameters of RidgeCV and RidgeClassifierCV, and the choice among their alphas."""

    def _options(self):
        """The parameters that need no data, checked."""
        store = validation.as_bool(self.store_cv_results, "store_cv_results")
        per_target = validation.as_bool(getattr(self, "alpha_per_target", False), "alpha_per_target")
        for name, given in (("store_cv_results", store), ("alpha_per_target", per_target)):
            if self.cv is not None and given:
                raise ValueError(f"cv!=None and {name}=True are incompatible: only leave-one-out (cv=None) can do it.")
        if self.scoring is not None and not isinstance(self.scoring, str) and not callable(self.scoring):
            raise TypeError(f"scoring must be None, the name of a scorer or a scorer; it is {self.scoring!r}.")
        return {
            "alphas": validation.as_candidates(self.alphas, with_zero=self.cv is not None),
            "fit_intercept": validation.as_bool(self.fit_intercept, "fit_intercept"),
            "scorer": None if self.scoring is None else check_scoring(self, scoring=self.scoring),
            "svd": validation.as_gcv_mode(getattr(self, "gcv_mode", None)) == "svd",
            "per_target": per_target,
            "standardize": validation.as_bool(self.standardize, "standardize"),
            "n_jobs": validation.as_n_jobs(self.n_jobs),
        }

    def _search(self, X, names, rows, weights, judge, groups, options):
        """(fit at the best alpha, what is to be published besides) for checked responses (k, n)."""
        alphas, n_jobs = options["alphas"], options["n_jobs"]
        data = RidgeData(X, rows.T, weights, options["fit_intercept"], jobs=n_threads(n_jobs))
        terms = Terms(options["standardize"], validation.as_penalty_factor(self.penalty_factor, X.shape[1]))
        found = {}
        if self.cv is None:
            errors, system = leave_one_out(data, names, alphas, terms, options["svd"])
            scores, results = self._left_out_scores(data, errors, judge, options)
            if self.store_cv_results:
                found["cv_results_"] = np.ascontiguousarray(results.transpose(1, 2, 0), dtype=X.dtype)
        else:
            splits = self._splits(X, judge.y, weights, groups)
            scores, system = cross_validate(data, names, alphas, terms, splits, judge.across, n_jobs)
            scores = scores.mean(axis=0)
        valid = np.where(np.isnan(scores), -np.inf, scores)
        if not np.isfinite(valid).any():
            warnings.warn(
                f"No alpha has a finite score, and the first, {alphas[0]:.6g}, was taken. R^2, the default for folds, "
                "is not defined for a single row: pass scoring='neg_mean_squared_error', or cv=None for leave-one-out.",
                UndefinedMetricWarning,
                stacklevel=3,
            )
        best = valid.argmax(axis=0)  # the first of those that are as good
        found["alpha_"] = alphas[best] if best.ndim else float(alphas[best])
        found["best_score_"] = scores[best, np.arange(len(best))] if best.ndim else float(scores[best])
        chosen = np.broadcast_to(alphas[best], len(rows)).copy()
        return fit_problem(data, names, chosen, terms, n_jobs=n_jobs, system=system), found

    def _left_out_scores(self, data, errors, judge, options):
        """Scores (L,) or (L, k) from errors (L, n, k), and what those become: weighted squares or predictions."""
        each = options["per_target"] and errors.shape[2] > 1
        if options["scorer"] is None:
            squares = np.square(errors, out=errors)
            if data.weights is not None:
                squares *= data.weights[:, None]
            return -squares.mean(axis=1 if each else (1, 2)), squares
        predictions = np.subtract(data.Y, errors, out=errors)
        if each:
            scores = [[judge(one, column=j) for j in range(one.shape[1])] for one in predictions]
        else:
            scores = [judge(one) for one in predictions]
        return np.array(scores), predictions

    def _splits(self, X, y, weights, groups):
        """The folds, as a list of (train, test) row numbers."""
        every = np.arange(X.shape[0])
        splitter = check_cv(self.cv, y, classifier=is_classifier(self))
        splits = [(every[train], every[test]) for train, test in splitter.split(X, y, groups)]
        if not splits:
            raise ValueError("cv yields no split of the rows into training and test rows.")
        for part in (part for split in splits for part in split):
            if len(part) == 0 or (weights is not None and not weights[part].any()):
                raise ValueError("cv yields a split without a training or without a test row (of positive weight).")
        return splits


class RidgeCV(RidgeSearch, Smoother, LinearRegressor):
    """Ridge regression that chooses alpha by cross-validation.

    By default by leave-one-out, exact for all alphas and all columns of y from a single factorization. The model is
    that of `Ridge` at the alpha with the best score.

    Parameters
    ----------
    alphas : float or array-like of shape (L,), default=(0.1, 1.0, 10.0)
        Candidates, > 0 for leave-one-out and >= 0 otherwise, with the scaling of `Ridge`. Of those with the same score
        the first is chosen.
    fit_intercept : bool, default=True
        The intercept is not penalised.
    scoring : str, callable or None, default=None
        A scorer. None is the mean of the negative squared errors, each times its sample weight, for leave-one-out, and
        R^2 otherwise. For leave-one-out the predictions of all rows are scored together; folds are scored one by one
        and all count the same. A scorer gets the sample weights if it takes them.
    cv : int, cross-validation generator, iterable of (train, test) or None, default=None
        None is leave-one-out; an integer the number of folds of consecutive rows.
    gcv_mode : {"auto", "svd", "eigen"} or None, default=None
        "svd" decomposes X itself in leave-one-out, which "auto", None and "eigen" do only where X is so close to
        singular that it is needed.
    store_cv_results : bool, default=False
        Keep `cv_results_`. Only for leave-one-out.
    alpha_per_target : bool, default=False
        Choose an alpha for each column of y. Only for leave-one-out.
    standardize, penalty_factor, n_jobs
        As in `Ridge`. The standard deviations are those of the training rows in folds, of all rows in leave-one-out.

    Attributes
    ----------
    alpha_ : float, or ndarray of shape (k,) with ``alpha_per_target=True`` and k > 1
    best_score_ : float, or ndarray of shape (k,)
    cv_results_ : ndarray of shape (n, L) or (n, k, L)
        With ``store_cv_results=True``: squared left-out errors times sample weights, or with a `scoring` the left-out
        predictions.
    coef_, intercept_, dual_gap_, residual_, df_, sparse_coef_, n_features_in_, feature_names_in_
        As in `Ridge`.

    See Also
    --------
    Ridge : at a given alpha.

    Notes
    -----
    The error of row i under a fit without it is its residual over 1 less its leverage (Allen 1974); the rows of an
    eigendecomposition give all leverages for all alphas. Folds of a long X cost one pass over it: the Gram matrix of a
    training set is that of all rows less the fold's.

    References
    ----------
    D. M. Allen, "The relationship between variable selection and data augmentation and a method for prediction",
    Technometrics 16 (1974).

    Examples
    --------
    >>> from fastreg import RidgeCV
    >>> model = RidgeCV(alphas=[0.01, 1.0, 100.0]).fit([[0.0], [1.0], [2.0], [3.0]], [0.0, 2.0, 4.0, 6.5])
    >>> model.alpha_
    0.01
    """

    def __init__(
        self,
        alphas=(0.1, 1.0, 10.0),
        *,
        fit_intercept=True,
        scoring=None,
        cv=None,
        gcv_mode=None,
        store_cv_results=False,
        alpha_per_target=False,
        standardize=False,
        penalty_factor=None,
        n_jobs=None,
    ):
        self.alphas = alphas
        self.fit_intercept = fit_intercept
        self.scoring = scoring
        self.cv = cv
        self.gcv_mode = gcv_mode
        self.store_cv_results = store_cv_results
        self.alpha_per_target = alpha_per_target
        self.standardize = standardize
        self.penalty_factor = penalty_factor
        self.n_jobs = n_jobs

    def fit(self, X, y, sample_weight=None, groups=None):
        """Choose alpha and fit the model.

        Parameters
        ----------
        X : array-like, DataFrame or sparse matrix of shape (n, p)
            As in `Ridge.fit`.
        y : array-like of shape (n,) or (n, k)
        sample_weight : float or array-like of shape (n,), default=None
            Weights >= 0, as in `Ridge.fit`. A row is left out with its whole weight.
        groups : array-like of shape (n,), default=None
            For a `cv` that splits by groups.

        Returns
        -------
        self
            Unchanged if the fit is interrupted or fails.

        Raises
        ------
        ValueError, TypeError
            If an argument or a parameter is not as described, if X is sparse with more than 6,000 rows and columns and
            ``cv=None``, or if a row cannot be left out.
        """
        options = self._options()
        X, names = validation.as_matrix(X)
        rows, y_ndim = validation.as_responses(y, X.shape[0])
        weights = validation.as_counts(sample_weight, X.shape[0])
        judge = Judge(rows[0] if y_ndim == 1 else rows.T, y_ndim == 1, options["scorer"], Given(), weights)
        fit, found = self._search(X, names, rows, weights, judge, groups, options)
        warn_if_singular(fit)
        store_coefficients(self, fit, names, X.dtype, y_ndim)
        store_choice(self, found, y_ndim)
        self._fit = fit
        return self


def store_choice(model, found, y_ndim):
    """`alpha_`, `best_score_` and, if wanted, `cv_results_`."""
    model.__dict__.pop("cv_results_", None)
    if "cv_results_" in found and y_ndim == 1:
        found["cv_results_"] = np.ascontiguousarray(found["cv_results_"][:, 0])
    for name, value in found.items():
        setattr(model, name, value)
