"""Ridge regression at the alpha that cross-validation chooses."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from inspect import signature
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import is_classifier
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.metrics import check_scoring
from sklearn.model_selection import check_cv

from fastreg import validation
from fastreg.models.base import Given, LinearRegressor
from fastreg.models.ridge import Smoother, store_coefficients, warn_if_singular
from fastreg.models.ridge_fits import Terms, cross_validate, fit_problem, gcv, leave_one_out, r2_scores
from fastreg.solve import n_threads
from fastreg.solve.ridge_data import RidgeData

if TYPE_CHECKING:
    from typing import Literal, Self

    from numpy.typing import ArrayLike, NDArray

    from fastreg._types import Floats, Folds, Ints, Matrix, MatrixLike, Names, Reals, Scoring, Splits
    from fastreg.models.ridge_fits import Fit


@dataclass
class Judge:
    """Scores predictions for some rows; higher is better."""

    y: NDArray[Any]  # (n,) or (n, k): what they are compared with
    flat: bool  # whether scorers know a single column of predictions as 1-d
    scorer: Any  # None: R^2
    stand_in: Any  # the estimator that a scorer gets to see
    weights: Floats | None  # (n,)

    def __post_init__(self) -> None:
        if self.weights is None or self.scorer is None:
            return
        if "sample_weight" not in signature(getattr(self.scorer, "_score_func", self.scorer)).parameters:
            self.weights = None
            warnings.warn(f"scores are not weighted: {self.scorer} takes no sample_weight.", UserWarning, stacklevel=4)

    def __call__(self, predictions: Floats, rows: slice | Ints = slice(None), column: int | None = None) -> float:
        """The score of predictions (m, k), or of one column of them."""
        y = self.y[rows]
        metadata = {} if self.weights is None else {"sample_weight": self.weights[rows]}
        if column is not None:
            y, predictions = y[:, column], predictions[:, column]
        elif self.flat:
            predictions = predictions[:, 0]
        return float(self.scorer(self.stand_in, predictions, y, **metadata))

    def across(self, predictions: Floats, rows: Ints) -> Floats:
        """(L,) scores of predictions (L, m, k)."""
        if self.scorer is None:
            weights = None if self.weights is None else self.weights[rows]
            return r2_scores(self.y[rows].reshape(len(rows), -1), predictions, weights)
        return np.array([self(one, rows) for one in predictions])


class RidgeSearch:
    """The parameters of RidgeCV and RidgeClassifierCV, and the choice among their alphas."""

    alphas: ArrayLike
    fit_intercept: bool
    scoring: Scoring
    cv: Folds | Literal["gcv"]
    store_cv_results: bool
    standardize: bool
    penalty_factor: ArrayLike | None
    n_jobs: int | None
    alpha_: float | Floats
    best_score_: float | Floats
    cv_results_: Reals
    dual_gap_: float | Floats
    residual_: float | Floats

    def _options(self) -> dict[str, Any]:
        """The parameters that need no data, checked."""
        store = validation.as_bool(self.store_cv_results, "store_cv_results")
        per_target = validation.as_bool(getattr(self, "alpha_per_target", False), "alpha_per_target")
        method = validation.as_cv_method(self.cv)
        for name, given in (("store_cv_results", store), ("alpha_per_target", per_target)):
            if method == "folds" and given:
                raise ValueError(
                    f"cv!=None and {name}=True are incompatible for folds: leave-one-out (cv=None) and generalized "
                    "cross-validation (cv='gcv') can do it."
                )
        if self.scoring is not None and not isinstance(self.scoring, str) and not callable(self.scoring):
            raise TypeError(f"scoring must be None, the name of a scorer or a scorer; it is {self.scoring!r}.")
        if self.scoring is not None and method == "gcv":
            raise ValueError(
                "scoring must be None with cv='gcv', which predicts no row that a scorer could judge: for a scorer "
                "pass cv=None (leave-one-out), or cv=5 for five folds."
            )
        return {
            "method": method,
            "alphas": validation.as_candidates(self.alphas, with_zero=method != "loo"),
            "fit_intercept": validation.as_bool(self.fit_intercept, "fit_intercept"),
            "scorer": None if self.scoring is None else check_scoring(self, scoring=self.scoring),
            "svd": validation.as_gcv_mode(getattr(self, "gcv_mode", None)) == "svd",
            "per_target": per_target,
            "standardize": validation.as_bool(self.standardize, "standardize"),
            "n_jobs": validation.as_n_jobs(self.n_jobs),
        }

    def _search(
        self,
        X: Matrix,
        names: Names,
        rows: Floats,
        weights: Floats | None,
        judge: Judge,
        groups: ArrayLike | None,
        options: dict[str, Any],
    ) -> tuple[Fit, dict[str, Any]]:
        """(fit at the best alpha, what is to be published besides) for checked responses (k, n)."""
        alphas, n_jobs = options["alphas"], options["n_jobs"]
        data = RidgeData(X, rows.T, weights, options["fit_intercept"], jobs=n_threads(n_jobs))
        terms = Terms(options["standardize"], validation.as_penalty_factor(self.penalty_factor, X.shape[1]))
        found: dict[str, Any]
        each, found = options["per_target"] and len(rows) > 1, {}
        if options["method"] == "loo":
            errors, system = leave_one_out(data, names, alphas, terms, options["svd"])
            scores, results = self._left_out_scores(data, errors, judge, each)
            if self.store_cv_results:
                found["cv_results_"] = np.ascontiguousarray(results.transpose(1, 2, 0), dtype=X.dtype)
        elif options["method"] == "gcv":
            criterion, system = gcv(data, names, alphas, terms, options["svd"])
            scores = -criterion if each else -criterion.mean(axis=1)
            if self.store_cv_results:
                found["cv_results_"] = np.ascontiguousarray(criterion.T)
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

    def _left_out_scores(self, data: RidgeData, errors: Floats, judge: Judge, each: bool) -> tuple[Floats, Floats]:
        """Scores from errors (L, n, k), and what those become: weighted squares or predictions.

        (L, k) scores for `each` response, or (L,) for all.
        """
        if judge.scorer is None:
            squares = np.square(errors, out=errors)
            if data.weights is not None:
                squares *= data.weights[:, None]
            return -squares.mean(axis=1 if each else (1, 2)), squares
        predictions = np.subtract(data.Y, errors, out=errors)
        scores: list[Any]
        if each:
            scores = [[judge(one, column=j) for j in range(one.shape[1])] for one in predictions]
        else:
            scores = [judge(one) for one in predictions]
        return np.array(scores), predictions

    def _splits(self, X: Matrix, y: NDArray[Any], weights: Floats | None, groups: ArrayLike | None) -> Splits:
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

    By leave-one-out (the default) or generalized cross-validation, exact for all alphas and all columns of y from a
    single factorization, or by folds. The model is that of `Ridge` at the alpha with the best score.

    Parameters
    ----------
    alphas : float or array-like of shape (L,), default=(0.1, 1.0, 10.0)
        Candidates, > 0 for leave-one-out and >= 0 otherwise, with the scaling of `Ridge`. Of those with the same score
        the first is chosen.
    fit_intercept : bool, default=True
        The intercept is not penalised.
    scoring : str, callable or None, default=None
        A scorer. None is the mean of the negative squared errors, each times its sample weight, for leave-one-out, and
        R^2 for folds. For leave-one-out the predictions of all rows are scored together; folds are scored one by one
        and all count the same. A scorer gets the sample weights if it takes them. Must be None for ``cv="gcv"``.
    cv : "gcv", int, cross-validation generator, iterable of (train, test) or None, default=None
        None is leave-one-out; "gcv" generalized cross-validation (see Notes); an integer the number of folds of
        consecutive rows.
    gcv_mode : {"auto", "svd", "eigen"} or None, default=None
        "svd" decomposes X itself in leave-one-out and generalized cross-validation, which "auto", None and "eigen" do
        only where X is so close to singular that it is needed.
    store_cv_results : bool, default=False
        Keep `cv_results_`. Not for folds.
    alpha_per_target : bool, default=False
        Choose an alpha for each column of y. Not for folds.
    standardize, penalty_factor, n_jobs
        As in `Ridge`. The standard deviations are those of the training rows in folds, of all rows otherwise.

    Attributes
    ----------
    alpha_ : float, or ndarray of shape (k,) with ``alpha_per_target=True`` and k > 1
    best_score_ : float, or ndarray of shape (k,)
        For ``cv="gcv"`` the negative criterion, averaged over the columns of y that share an alpha.
    cv_results_ : ndarray of shape (n, L) or (n, k, L); for ``cv="gcv"`` of shape (L,) or (k, L)
        With ``store_cv_results=True``: squared left-out errors times sample weights, or with a `scoring` the left-out
        predictions; for ``cv="gcv"`` the criterion, of which the least is best.
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

    Generalized cross-validation (Golub, Heath and Wahba 1979) puts the mean leverage in the place of each; its
    criterion for residuals r_i and weights s_i is::

        V(alpha)  =  (sum_i s_i r_i^2 / sum_i s_i)  /  (1 - df / n)^2

    df is the trace of the matrix that maps y to its fit, with the intercept and unpenalised features counted, and n the
    number of rows of positive weight: rows of weight zero are absent. V has the units of y squared, and does not change
    where all weights and alphas are multiplied by a constant. A row counts once in n whatever its weight, as it is left
    out once: to write a row twice leaves the mean square and df as with its weight doubled, but n is larger by one.

    References
    ----------
    D. M. Allen, "The relationship between variable selection and data augmentation and a method for prediction",
    Technometrics 16 (1974).

    G. H. Golub, M. Heath and G. Wahba, "Generalized cross-validation as a method for choosing a good ridge parameter",
    Technometrics 21 (1979).

    Examples
    --------
    >>> from fastreg import RidgeCV
    >>> model = RidgeCV(alphas=[0.01, 1.0, 100.0]).fit([[0.0], [1.0], [2.0], [3.0]], [0.0, 2.0, 4.0, 6.5])
    >>> model.alpha_
    0.01
    """

    intercept_: float | Reals

    def __init__(
        self,
        alphas: ArrayLike = (0.1, 1.0, 10.0),
        *,
        fit_intercept: bool = True,
        scoring: Scoring = None,
        cv: Folds | Literal["gcv"] = None,
        gcv_mode: Literal["auto", "svd", "eigen"] | None = None,
        store_cv_results: bool = False,
        alpha_per_target: bool = False,
        standardize: bool = False,
        penalty_factor: ArrayLike | None = None,
        n_jobs: int | None = None,
    ) -> None:
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

    def fit(
        self, X: MatrixLike, y: ArrayLike, sample_weight: ArrayLike | None = None, groups: ArrayLike | None = None
    ) -> Self:
        """Choose alpha and fit the model.

        Parameters
        ----------
        X : array-like, DataFrame or sparse matrix of shape (n, p)
            As in `Ridge.fit`.
        y : array-like of shape (n,) or (n, k)
        sample_weight : float or array-like of shape (n,), default=None
            Weights >= 0, as in `Ridge.fit`. A row is left out, and counted, once whatever its weight.
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
            there are no folds, if a row cannot be left out, or if for ``cv="gcv"`` a fit leaves no degrees of freedom.
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


def store_choice(model: Any, found: dict[str, Any], y_ndim: int) -> None:
    """`alpha_`, `best_score_` and, if wanted, `cv_results_`."""
    model.__dict__.pop("cv_results_", None)
    if "cv_results_" in found and y_ndim == 1:
        found["cv_results_"] = np.ascontiguousarray(found["cv_results_"][..., 0, :])
    for name, value in found.items():
        setattr(model, name, value)
