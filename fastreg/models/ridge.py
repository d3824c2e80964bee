"""Ridge regression at one alpha."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np
from scipy.linalg import LinAlgWarning
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted, validate_data

from fastreg import validation
from fastreg.accumulator import GramAccumulator
from fastreg.models.base import LinearRegressor
from fastreg.models.ridge_fits import Terms, fit_problem, in_double
from fastreg.solve import n_threads
from fastreg.solve.ridge_data import RidgeData, predict

if TYPE_CHECKING:
    from typing import Any, Literal, Self

    from numpy.typing import ArrayLike, DTypeLike

    from fastreg._types import Floats, Ints, Matrix, MatrixLike, Names, Random, Reals
    from fastreg.models.ridge_fits import Fit


class RidgeModel:
    """The parameters of Ridge and RidgeClassifier, and what they do with them."""

    copy_X: bool
    random_state: Random
    positive: bool
    alpha: float | ArrayLike
    fit_intercept: bool
    max_iter: int | None
    tol: float
    solver: str
    standardize: bool
    n_jobs: int | None
    penalty_factor: ArrayLike | None
    penalty_matrix: MatrixLike | None
    lower_bounds: ArrayLike | None
    upper_bounds: ArrayLike | None
    n_iter_: Ints | None
    solver_: str
    dual_gap_: float | Floats
    residual_: float | Floats

    def _options(self) -> dict[str, Any]:
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

    def _fit_rows(self, X: Matrix, names: Names, rows: Floats, weights: Floats | None, options: dict[str, Any]) -> Fit:
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

    def _store_fit(self, fit: Fit, names: Names, dtype: DTypeLike, y_ndim: int) -> None:
        """Publish the results, after everything else."""
        store_coefficients(self, fit, names, dtype, y_ndim)
        self.n_iter_ = fit.n_iter
        self.solver_ = fit.solver if self.solver in ("auto", "svd", "cholesky") else self.solver


def store_coefficients(model: Any, fit: Fit, names: Names, dtype: DTypeLike, y_ndim: int) -> None:
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


def warn_if_singular(fit: Fit) -> None:
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

    _fit: Fit | None

    @property
    def df_(self) -> float | Floats:
        """Effective degrees of freedom, the trace of the matrix that maps y to its fit; the intercept counts.

        A float, or (k,) for k > 1 responses; computed at each use, from the factorization that the fit left. Raises
        ValueError where that has to be made anew and X was changed in place.
        """
        fit = self._linear_fit("df_")
        known = {alpha: in_double(fit).freedom(alpha) for alpha in np.unique(fit.alphas)}
        df = np.array([known[alpha] for alpha in fit.alphas])
        return float(df[0]) if len(df) == 1 else df

    def standard_errors(self) -> Floats:
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
        residuals = data.Y - fit.intercepts - predict(data.X, fit.coefs, data.jobs)
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
            F = in_double(fit).influence(alpha)
            F = F if fit.rotation is None else fit.rotation @ F
            errors[fit.alphas == alpha] = np.sqrt((F * F).sum(axis=1))
        errors *= sigma[:, None]
        return errors[0] if len(errors) == 1 else errors

    def _linear_fit(self, name: str) -> Fit:
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

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in super().__getstate__().items() if name != "_fit"}  # type: ignore[attr-defined]  # that of BaseEstimator is a dict


def _sums_will_do(model: Any) -> bool:
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
        What was done: "cholesky" (the equations solved), "svd" (X decomposed), "sparse_cg" (conjugate gradients, for
        huge sparse X) or "coordinate_descent"; or the other name that `solver` was given.
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
    itself refine the solution (Hoerl and Kennard 1970; by rows Saunders, Gammerman and Vovk 1998). For one response and
    data that are long and, on a sample, well-conditioned, the matrix is made in single precision, in half of the time;
    refinement in double precision makes up for it (Carson and Higham 2018). A fitted model keeps the factorization, and
    a reference to X, for `df_` and `standard_errors`, which make one of single precision anew; pickles and copies do
    not.

    References
    ----------
    A. E. Hoerl and R. W. Kennard, "Ridge regression: biased estimation for nonorthogonal problems", Technometrics 12
    (1970); C. Saunders, A. Gammerman and V. Vovk, "Ridge regression learning algorithm in dual variables", ICML 1998;
    E. Carson and N. J. Higham, "Accelerating the solution of linear systems by iterative refinement in three
    precisions", SIAM Journal on Scientific Computing 40 (2018).

    Examples
    --------
    >>> from fastreg import Ridge
    >>> model = Ridge(alpha=1.0).fit([[0.0], [1.0], [2.0]], [0.0, 2.0, 4.0])
    >>> round(float(model.coef_[0]), 6)
    1.333333
    >>> round(model.df_, 6)
    1.666667
    """

    intercept_: float | Reals
    _rows: GramAccumulator

    def __init__(
        self,
        alpha: float | ArrayLike = 1.0,
        *,
        fit_intercept: bool = True,
        copy_X: bool = True,
        max_iter: int | None = None,
        tol: float = 1e-10,
        solver: Literal["auto", "svd", "cholesky", "lsqr", "sparse_cg", "sag", "saga", "lbfgs"] = "auto",
        positive: bool = False,
        random_state: Random = None,
        standardize: bool = False,
        penalty_factor: ArrayLike | None = None,
        penalty_matrix: MatrixLike | None = None,
        lower_bounds: ArrayLike | None = None,
        upper_bounds: ArrayLike | None = None,
        n_jobs: int | None = None,
    ) -> None:
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

    def fit(
        self, X: MatrixLike, y: ArrayLike, sample_weight: ArrayLike | None = None, offset: ArrayLike | None = None
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

    @available_if(_sums_will_do)  # type: ignore[untyped-decorator]  # of scikit-learn
    def partial_fit(self, X: MatrixLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
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
