"""LogisticRegressionCV: C, and l1_ratio, by cross-validation."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from sklearn.metrics import get_scorer
from sklearn.utils.validation import check_is_fitted

from fastreg import validation
from fastreg.loss import unit_deviances
from fastreg.models.base import GivenDecisions, read_labels
from fastreg.models.logistic import LogisticModel, coefficients_at, loss_of
from fastreg.models.search import PathSearch
from fastreg.path import Problem, as_path, tasks_of
from fastreg.selection.cross_validation import cross_validate

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any, Literal, Self

    from numpy.typing import ArrayLike, NDArray

    from fastreg._types import ClassWeight, Floats, Folds, Ints, Matrix, MatrixLike, Random, Rule, Scoring, Splits
    from fastreg.models.base import Labels
    from fastreg.result import RegularizationPath
    from fastreg.selection.cross_validation import CrossValidation


def minus_accuracies(codes: Floats, z: Floats, weights: Floats | None, loss: str) -> Floats:
    """(L,) for decision values (m, L), or (m, L, k), at all alphas."""
    found = z.argmax(axis=2) if z.ndim == 3 else z > 0
    return -np.average(found == codes[:, None], axis=0, weights=weights)


def mean_deviances(codes: Floats, z: Floats, weights: Floats | None, loss: str) -> Floats:
    return np.average(unit_deviances(loss, codes, z, None), axis=0, weights=weights)


def log_losses(codes: Floats, z: Floats, weights: Floats | None, loss: str) -> Floats:
    return 0.5 * mean_deviances(codes, z, weights, loss)


# one call of a scorer takes as long as a fit
_OF_DECISIONS = {"accuracy": minus_accuracies, "deviance": mean_deviances, "neg_log_loss": log_losses}


def scorer_of(error: Callable[..., Floats]) -> Callable[..., float]:
    """A scorer, also where rows of a class are missing."""

    def score(model: Any, X: Any, y: ArrayLike, sample_weight: Any = None) -> float:
        codes, decisions = validation.as_codes(y, model.classes_), model.decision_function(X)[:, None]
        return -float(error(codes, decisions, sample_weight, loss_of(model.classes_))[0])

    return score


class GivenLogistic(GivenDecisions, LogisticModel):
    """`GivenDecisions` with probabilities."""


class LogisticRegressionCV(PathSearch, LogisticModel):
    """Logistic regression with C, and l1_ratio, chosen by cross-validation.

    All folds, all values of l1_ratio and the fits on all rows are problems over one X, solved together: a fold is a set
    of rows of weight zero. The objective of each is that of `LogisticRegression`, at the same C: its penalty is
    1/(C S), with S the weight of the fold's training rows.

    Parameters
    ----------
    Cs : int or array-like of shape (L,), default=10
        Candidates for C, each > 0, inf for no penalty; or how many from 1e-4 to 1e4, evenly on a logarithmic scale.
    l1_ratios : sequence of R floats in [0, 1] or None, default=None
        Shares of the L1 penalty to try. None leaves it to `penalty`, by default 0.
    fit_intercept : bool, default=True
    cv : int, splitter or iterable of (train, test), default=None
        None is 5 stratified folds. Every fold must leave rows of each class to fit.
    dual, solver, intercept_scaling, random_state
        Checked, and without effect, as in `LogisticRegression`.
    penalty : {"deprecated", "l1", "l2", "elasticnet"}, default="deprecated"
        As scikit-learn had it before 1.8; see `LogisticRegression`.
    scoring : str, callable or None, default=None
        A scorer of scikit-learn, which sees the labels; None is the accuracy. "deviance" is minus the mean deviance of
        the held-out rows.
    tol : float, default=1e-10
    max_iter : int, default=10_000
        As in `LogisticRegression`, for every fold.
    class_weight : dict, "balanced" or None, default=None
        As in `LogisticRegression`; from all rows, also in folds. Scores do not count it.
    n_jobs : int, default=None
        Number of threads; None and -1 are all cores at hand. The result does not depend on it.
    verbose : int, default=0
    refit : bool, default=True
        False averages, over the folds, the coefficients at the best C and l1_ratio of each, and these themselves.
    use_legacy_attributes : bool, default=True
        The shapes of `C_`, `l1_ratio_`, `scores_`, `coefs_paths_` and `n_iter_`, see there.
    standardize, penalty_factor, lower_bounds, upper_bounds
        As in `LogisticRegression`.
    selection_rule : {"min", "1se"}, default="min"
        "min" takes the C of the best mean score, of equal ones the smallest; "1se" the smallest C, at the same
        l1_ratio, whose mean score is at most one standard error below it.

    Attributes
    ----------
    classes_ : ndarray of shape (k,)
    coef_ : ndarray of shape (1, p) for two classes, or else (k, p)
        float32 if X is, float64 otherwise.
    intercept_ : ndarray of shape (1,) or (k,)
    Cs_ : ndarray of shape (L,)
        In their order.
    l1_ratios_ : ndarray of shape (R,)
    C_, l1_ratio_ : ndarray of shape (1,) or (k,), or float
        As chosen, the same for each class; a float without `use_legacy_attributes`.
    C_min_, C_1se_ : float
        As chosen by either rule.
    scores_ : dict of ndarray of shape (K, L) or (K, L, R), or ndarray of shape (K, R, L)
        Scores of the held-out rows of K folds, alike for each class; an array without `use_legacy_attributes`.
    coefs_paths_ : dict of ndarray of shape (K, L, d) or (K, L, R, d), or ndarray of shape (K, R, L, 1 or k, d)
        Coefficients, and last the intercept if there is one, without each fold; made when it is asked for.
    n_iter_ : ndarray of shape (1, K, L) or (1, K, L, R), or (K, R, L)
        Coordinate-descent sweeps plus Newton steps.
    dual_gap_ : float
        Of the final fit, in units of the objective. Only with `refit`.
    path_ : RegularizationPath
        On all rows, at the chosen l1_ratio, with ``alphas`` 1/(C S). Only with `refit`.
    cv_results_ : dict of ndarray
        In ascending order of C: "C", "l1_ratio", "alpha", "mean_error", "standard_error", "n_features" (R, L);
        "errors" (minus the scores), "relative_gaps" (R, L, K).
    n_features_in_, feature_names_in_
        As in `LogisticRegression`.

    Notes
    -----
    The arrays with an axis of R have none where `l1_ratios` is None. The standard error is that of `ElasticNetCV`.

    See Also
    --------
    LogisticRegression : at a given C.

    Examples
    --------
    >>> import numpy as np
    >>> from fastreg import LogisticRegressionCV
    >>> X = np.random.default_rng(0).standard_normal((100, 8))
    >>> model = LogisticRegressionCV(Cs=5, l1_ratios=(1.0,), scoring="deviance").fit(X, X[:, 0] + X[:, 1] ** 3 > 0)
    >>> np.flatnonzero(np.abs(model.coef_[0]) > 1).tolist()
    [0, 1]
    """

    Cs_: Floats
    l1_ratios_: Floats
    C_: float | Floats
    l1_ratio_: float | Floats
    C_min_: float
    C_1se_: float
    scores_: dict[Any, Floats] | Floats
    n_iter_: Ints
    dual_gap_: float
    path_: RegularizationPath

    _strength = "C"
    _error_names = {None: "minus accuracy", "deviance": "mean deviance"}

    def __init__(
        self,
        *,
        Cs: int | ArrayLike = 10,
        l1_ratios: Sequence[float] | None = None,
        fit_intercept: bool = True,
        cv: Folds = None,
        dual: bool = False,
        penalty: Literal["deprecated", "l1", "l2", "elasticnet"] = "deprecated",
        scoring: Scoring = None,
        solver: str = "lbfgs",
        tol: float = 1e-10,
        max_iter: int = 10_000,
        class_weight: ClassWeight = None,
        n_jobs: int | None = None,
        verbose: int = 0,
        refit: bool = True,
        intercept_scaling: float = 1.0,
        random_state: Random = None,
        use_legacy_attributes: bool = True,
        standardize: bool = False,
        penalty_factor: ArrayLike | None = None,
        lower_bounds: ArrayLike | None = None,
        upper_bounds: ArrayLike | None = None,
        selection_rule: Rule = "min",
    ) -> None:
        self.Cs = Cs
        self.l1_ratios = l1_ratios
        self.fit_intercept = fit_intercept
        self.cv = cv
        self.dual = dual
        self.penalty = penalty
        self.scoring = scoring
        self.solver = solver
        self.tol = tol
        self.max_iter = max_iter
        self.class_weight = class_weight
        self.n_jobs = n_jobs
        self.verbose = verbose
        self.refit = refit
        self.intercept_scaling = intercept_scaling
        self.random_state = random_state
        self.use_legacy_attributes = use_legacy_attributes
        self.standardize = standardize
        self.penalty_factor = penalty_factor
        self.lower_bounds = lower_bounds
        self.upper_bounds = upper_bounds
        self.selection_rule = selection_rule

    def fit(self, X: MatrixLike, y: ArrayLike, sample_weight: ArrayLike | None = None, **params: Any) -> Self:
        """Search, and fit with what was found.

        Parameters
        ----------
        X : array-like, DataFrame or sparse matrix of shape (n, p)
        y : array-like of shape (n,)
            Labels of any kind that can be put in order.
        sample_weight : float or array-like of shape (n,), default=None
            Weights >= 0, in the fits and in the scores of held-out rows.
        **params : dict
            Such as `groups`, for the splitter; by metadata routing where that is enabled.

        Returns
        -------
        self
            Unchanged if the fit is interrupted or fails.

        Raises
        ------
        ValueError, TypeError
            If an argument or a parameter is not as described, or if some class has no row of positive weight in a fit.

        Warns
        -----
        ConvergenceWarning
            Once, if a gap is above `tol` after `max_iter` iterations.
        UserWarning
            If `penalty` leaves `l1_ratios` without effect.
        """
        Cs = validation.as_Cs(self.Cs)
        ratios = validation.as_searched_ratios(self.penalty, self.l1_ratios)
        if self.l1_ratios is not None and self.penalty in ("l1", "l2"):
            warnings.warn(
                f"penalty={self.penalty!r} leaves l1_ratios without effect; pass one of the two.", stacklevel=2
            )
        rule = validation.one_of(self.selection_rule, "selection_rule", ("min", "1se"))
        refit = validation.as_bool(self.refit, "refit")
        legacy = validation.as_bool(self.use_legacy_attributes, "use_legacy_attributes")
        if not refit and rule == "1se":
            raise ValueError("selection_rule='1se' needs refit=True: without it each fold has its own best C.")
        options, n_jobs, verbose = self._options()
        scorer = self._scorer()
        X, names = validation.as_matrix(X)
        labels = read_labels(X, y, sample_weight, self.class_weight)
        classes, weights, rising = labels.classes, labels.weights, np.sort(Cs)
        alphas = validation.alpha_of(rising, X.shape[0] if weights is None else weights.sum(), "Cs")
        shared = {"loss": loss_of(classes), "alphas": alphas, "sample_weight": weights, **options}
        whole = [tasks_of(X, Problem(labels.codes, l1_ratio=ratio, **shared), {})[0] for ratio in ratios]
        splits = self._folds_of_classes(X, labels, params)
        validation.check_finite(X, names)

        def error(y: Floats, prediction: Floats, held: Floats | None, rows: Ints) -> Floats:
            if labels.sample_weight is None:
                held = None
            if self.scoring is None or isinstance(self.scoring, str) and self.scoring in _OF_DECISIONS:
                return _OF_DECISIONS[self.scoring or "accuracy"](y, prediction, held, shared["loss"])
            more = {} if held is None else {"sample_weight": held}
            given, stand_in = classes[labels.codes[rows]], GivenLogistic(classes)
            return np.array([-scorer(stand_in, decision, given, **more) for decision in np.moveaxis(prediction, 1, 0)])

        judged = labels.sample_weight
        if judged is None and weights is not None:
            judged = np.ones(X.shape[0])
        found = cross_validate(
            X, names, whole, splits, error, judged=judged, of_sums=True, n_jobs=n_jobs, verbose=verbose
        )

        mean = found.mean
        i, r = np.unravel_index(mean.T.argmin(), mean.T.shape)  # of equal ones the smallest C
        one_se = found.within_one_se(r)[1]
        chosen = i if rule == "min" else one_se
        if refit:
            (coef, intercept), C, ratio = coefficients_at(found.paths[r], chosen), rising[chosen], ratios[r]
            self.path_ = as_path(X, whole[r], found.paths[r], names)
            self.dual_gap_ = float(found.paths[r].dual_gaps[chosen])
        else:
            coef, intercept, C, ratio = average_of_best(found, rising, np.array(ratios))
            for name in ("path_", "dual_gap_"):
                self.__dict__.pop(name, None)
        self._store_columns(X.shape[1], names)
        self._store_coef(coef, X.dtype)
        self.intercept_ = intercept.astype(X.dtype, copy=False)
        self.classes_, self.Cs_, self.l1_ratios_ = classes, Cs, np.array(ratios)
        self.C_min_, self.C_1se_ = float(rising[i]), float(rising[one_se])
        self._layout = Layout(classes, np.searchsorted(rising, Cs), legacy, self.l1_ratios is not None)
        self._folds, self._with_intercept = found.folds, options["fit_intercept"]
        self.C_, self.l1_ratio_ = self._layout.chosen(C), self._layout.chosen(ratio)
        self.scores_ = self._layout.by_class(-np.moveaxis(found.scores, 2, 0)[..., None])
        self.n_iter_ = self._layout.iterations(np.array([[one.n_iter for one in fold] for fold in found.folds]))
        shape = found.alphas.shape
        results = {
            "C": np.broadcast_to(rising, shape),
            "l1_ratio": np.broadcast_to(np.array(ratios)[:, None], shape),
            "alpha": found.alphas,
            "mean_error": mean,
            "standard_error": found.standard_error,
            "n_features": np.array([coefficients(path, False).any(axis=1).sum(axis=1) for path in found.paths]),
            "errors": found.scores,
            "relative_gaps": found.relative_gaps,
        }
        self.cv_results_ = {name: value if self.l1_ratios is not None else value[0] for name, value in results.items()}
        return self

    def score(self, X: MatrixLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """The score by `scoring`.

        Parameters
        ----------
        X : array-like, DataFrame or sparse matrix of shape (m, p)
        y : array-like of shape (m,)
        sample_weight : array-like of shape (m,), default=None

        Returns
        -------
        float
        """
        more = {} if sample_weight is None else {"sample_weight": sample_weight}
        return self._scorer()(self, X, y, **more)

    @property
    def coefs_paths_(self) -> Any:
        check_is_fitted(self)
        values = np.array([[coefficients(solution, self._with_intercept) for solution in fold] for fold in self._folds])
        return self._layout.by_class(values)

    def _scorer(self) -> Callable[..., float]:
        if self.scoring is None:
            return get_scorer("accuracy")
        if isinstance(self.scoring, str):
            known = _OF_DECISIONS.get(self.scoring)
            return get_scorer(self.scoring) if known is None else scorer_of(known)
        if not callable(self.scoring):
            raise ValueError(f"scoring={self.scoring!r} must be None, 'deviance', or a scorer.")
        return self.scoring

    def _folds_of_classes(self, X: Matrix, labels: Labels, params: dict[str, Any]) -> Splits:
        """[(train, test)] row numbers; each fold has rows of every class to fit."""
        codes, weights = labels.codes, labels.weights
        splits = self._splits(X, labels.classes[codes], params, classifier=True)
        for k, (train, _) in enumerate(splits):
            counts = np.bincount(codes[train], None if weights is None else weights[train], len(labels.classes))
            validation.check_fold_classes(k, labels.classes, counts)
        return splits

    def _best_curve(self, found: dict[str, NDArray[Any]]) -> int:
        smallest = int(np.flatnonzero(found["C"][0] == self.C_min_)[0])
        return int(found["mean_error"][:, smallest].argmin())


def coefficients(path: Any, with_intercept: bool) -> Floats:
    """(L, 1 or k, p or p + 1) coefficients along a path, last the intercept if there is one."""
    columns = path.coefs if isinstance(path.coefs, list) else [path.coefs]
    values = np.stack([column.toarray().T for column in columns], axis=1)
    if not with_intercept:
        return values
    return np.concatenate([values, path.intercepts.reshape(*values.shape[:2], 1)], axis=2)


def average_of_best(found: CrossValidation, Cs: Floats, ratios: Floats) -> list[Any]:
    """Means over the folds of coefficients, intercepts, C and l1_ratio, each where the fold has its best score."""
    best = []
    for k in np.flatnonzero(found.fold_weights > 0):
        i, r = np.unravel_index(found.scores[:, :, k].T.argmin(), found.scores.shape[1::-1])
        best.append((*coefficients_at(found.folds[k][r], i), Cs[i], ratios[r]))
    return [np.mean(values, axis=0) for values in zip(*best, strict=True)]


@dataclass
class Layout:
    """The shapes that scikit-learn gives to what it found, from arrays (K, R, L, ...) in ascending order of C."""

    classes: NDArray[Any]
    order: Ints  # (L,) where each C, as it was given, stands in the arrays
    legacy: bool
    with_ratios: bool  # whether `l1_ratios` were given, which have an axis then

    def by_class(self, values: NDArray[Any]) -> Any:
        """(K, R, L, 1 or k) scores or (K, R, L, 1 or k, d) coefficients."""
        values = values[:, :, self.order]
        if not self.legacy:
            return values[..., 0] if values.ndim == 4 else values
        values = np.swapaxes(values, 1, 2) if self.with_ratios else values[:, 0]
        axis = 3 if self.with_ratios else 2
        kept = self.classes[1:] if len(self.classes) == 2 else self.classes
        shared = values.shape[axis] == 1
        return {label: values.take(0 if shared else c, axis) for c, label in enumerate(kept)}

    def iterations(self, values: NDArray[Any]) -> NDArray[Any]:
        values = values[:, :, self.order]
        if not self.legacy:
            return values
        return (np.swapaxes(values, 1, 2) if self.with_ratios else values[:, 0])[None]

    def chosen(self, value: float) -> Any:
        value = float(value)
        if not self.legacy:
            return value
        return np.full(1 if len(self.classes) == 2 else len(self.classes), value)
