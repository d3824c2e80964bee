"""What the linear models have in common."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse
from sklearn.base import BaseEstimator, ClassifierMixin, MultiOutputMixin, RegressorMixin
from sklearn.exceptions import DataConversionWarning
from sklearn.utils import check_consistent_length, column_or_1d
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from fastreg import validation
from fastreg.path import as_path, solve, tasks_of
from fastreg.result import linear_predictor

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import ArrayLike, DTypeLike, NDArray

    from fastreg._types import ClassWeight, Floats, Ints, Matrix, MatrixLike, Names, Reals
    from fastreg.path import Problem
    from fastreg.result import RegularizationPath


class LinearModel(BaseEstimator):
    """`coef_` and `intercept_`, and the record of the columns they belong to."""

    coef_: Reals
    intercept_: Any
    n_features_in_: int
    feature_names_in_: NDArray[np.object_]
    _exact_coef: Floats | None

    @property
    def sparse_coef_(self) -> sparse.csr_matrix:
        """`coef_` as a sparse CSR matrix of shape (1, p) or (k, p)."""
        return sparse.csr_matrix(np.atleast_2d(self.coef_))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    def _predict_linear(self, X: MatrixLike) -> Any:
        """X w + b, (m,) or (m, k), for an X with the columns of the fit."""
        check_is_fitted(self)
        given = X
        X, names = validation.as_matrix(X)
        if names is not None or hasattr(self, "feature_names_in_") or X.shape[1] != self.n_features_in_:
            named = given if names is not None else X
            validate_data(self, named, reset=False, skip_check_array=True)  # scikit-learn's errors and warnings
        validation.check_finite(X, names)
        return linear_predictor(X, self.coef_.T, self.intercept_)

    def _store_columns(self, n_features: int, names: Names) -> None:
        self.n_features_in_ = n_features
        if names is not None:
            self.feature_names_in_ = names
        else:
            self.__dict__.pop("feature_names_in_", None)

    def _store_coef(self, coef: Floats, dtype: DTypeLike) -> None:
        """Publish coefficients in the dtype of X; `coef_` has their shape."""
        rounded = coef.astype(dtype, copy=False)
        self._exact_coef = coef if rounded.dtype != coef.dtype else None
        self.coef_ = rounded

    def _previous_coef(self, k: int, p: int) -> Reals | None:
        """The coefficients of the last fit as (k, p), to start from, or None before the first."""
        if not hasattr(self, "coef_"):
            return None
        exact = getattr(self, "_exact_coef", None)
        shown = np.atleast_2d(self.coef_)
        if exact is not None and np.array_equal(np.atleast_2d(exact).astype(shown.dtype, copy=False), shown):
            shown = np.atleast_2d(exact)  # float32 `coef_` is rounded, and nobody has set another one since
        if shown.shape != (k, p):
            raise ValueError(
                f"warm_start=True: the previous coefficients have shape {shown.shape}, this fit needs ({k}, {p}). Set "
                "warm_start=False, or use a new estimator."
            )
        return shown


class LinearRegressor(MultiOutputMixin, RegressorMixin, LinearModel):
    """A linear model of numbers."""

    def predict(self, X: MatrixLike, offset: ArrayLike | None = None) -> Reals:
        """Predict with the fitted coefficients.

        Parameters
        ----------
        X : array-like, DataFrame or sparse matrix of shape (m, p)
        offset : array-like of shape (m,), default=None
            Added to the prediction of each row.

        Returns
        -------
        ndarray of shape (m,), or (m, k) after a fit of k > 1 responses
        """
        prediction = self._predict_linear(X)
        offset = validation.as_offset(offset, len(prediction))
        if offset is None:
            return prediction
        return prediction + (offset if prediction.ndim == 1 else offset[:, None])


class LinearClassifier(ClassifierMixin, LinearModel):
    """A linear model of labels `classes_`, or with `_multilabel` of k labels that each hold or not."""

    classes_: NDArray[Any]
    intercept_: Reals
    _multilabel: bool

    def decision_function(self, X: MatrixLike) -> Reals:
        """The linear predictor of each class.

        Parameters
        ----------
        X : array-like, DataFrame or sparse matrix of shape (m, p)

        Returns
        -------
        ndarray of shape (m,) for two classes, positive for ``classes_[1]``, or else (m, k)
        """
        return self._predict_linear(X)

    def predict(self, X: MatrixLike) -> NDArray[Any]:
        """The class with the largest decision value, or for labels that each hold or not, those with a positive one.

        Parameters
        ----------
        X : array-like, DataFrame or sparse matrix of shape (m, p)

        Returns
        -------
        ndarray of shape (m,) of `classes_`, or of shape (m, k) of 0 and 1
        """
        return labels_of(self.decision_function(X), self.classes_, self._multilabel)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags


class SingleLabelClassifier(LinearClassifier):
    """A linear model of one label for each row; `coef_` has the shape (1, p) for two classes."""

    _multilabel = False

    def decision_function(self, X: MatrixLike) -> Reals:
        decision = super().decision_function(X)
        return decision[:, 0] if decision.shape[1] == 1 else decision

    decision_function.__doc__ = LinearClassifier.decision_function.__doc__

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = False
        return tags


@dataclass
class Labels:
    """Labels of two or more classes, and what their rows weigh."""

    classes: NDArray[Any]  # (k,)
    codes: Ints  # (n,) which of them each row has
    sample_weight: Floats | None  # (n,)
    factors: Floats | None  # (k,) weights of the classes

    @property
    def weights(self) -> Floats | None:
        """(n,) sample weights times class weights, or None for ones."""
        if self.factors is None:
            return self.sample_weight
        factors = self.factors[self.codes]
        return factors if self.sample_weight is None else self.sample_weight * factors


def read_labels(X: Matrix, y: ArrayLike, sample_weight: ArrayLike | None, class_weight: ClassWeight) -> Labels:
    """Check labels and weights.

    Parameters
    ----------
    X : checked matrix of shape (n, p)
    y, sample_weight : as in `fit`
    class_weight : None, "balanced" or dict

    Returns
    -------
    Labels

    Raises
    ------
    ValueError, TypeError
        If an argument is not as it must be, y has fewer than two classes, or some class weighs nothing.
    """
    n = X.shape[0]
    validation.check_labels(y)
    check_consistent_length(X, y)
    check_classification_targets(y)
    classes, codes = validation.as_labels(column_or_1d(y, warn=True), n)
    weights = validation.as_counts(sample_weight, n)
    class_weight = validation.as_class_weight(class_weight)
    counts = np.bincount(codes, weights)
    validation.check_classes(classes, counts)
    factors = None
    if class_weight is not None:
        if isinstance(class_weight, str):
            factors = counts.sum() / (len(classes) * counts)
        else:
            factors = validation.as_class_factors(class_weight, classes)
        validation.check_classes(classes, counts * factors)
    return Labels(classes, codes, weights, factors)


def one_response(y: ArrayLike, n: int, depth: int) -> Floats:
    """A single response as (n,); `depth` counts the calls from here to the user's, for a warning."""
    rows, y_ndim = validation.as_responses(y, n)
    if len(rows) > 1:
        raise ValueError(
            f"y must be 1-d; it has {len(rows)} columns. Fit one model for each; `fit_path` and `cross_validate_paths` "
            "take several."
        )
    if y_ndim == 2:
        warnings.warn("A column-vector y was passed when a 1d array was expected; y.ravel() is used.",
                      DataConversionWarning, stacklevel=depth + 1)  # fmt: skip
    return rows[0]


def fit_problems(
    X: Matrix, names: Names, problems: list[Problem], n_jobs: int | None, verbose: int = 0
) -> list[RegularizationPath]:
    """The paths of `fit_paths`, for an X that is checked already."""
    weights: dict[int, Floats | None] = {}
    tasks = [task for problem in problems for task in tasks_of(X, problem, weights)]
    solutions = solve(X, names, tasks, precompute="auto", n_jobs=n_jobs, verbose=verbose)
    return [as_path(X, task, solution, names) for task, solution in zip(tasks, solutions, strict=True)]


def labels_of(decision: Any, classes: NDArray[Any], multilabel: bool = False) -> NDArray[Any]:
    """The labels that decision values (m,) or (m, k) stand for."""
    if multilabel:
        return (decision > 0).astype(int)
    if decision.ndim == 2:
        return classes[decision.argmax(axis=1)]
    return classes[(decision > 0) * (len(classes) - 1)]


class Given(RegressorMixin, BaseEstimator):
    """Stands before a scorer in place of a fitted regressor: it predicts what it is given."""

    def predict(self, X: Any) -> Any:
        return X


class GivenDecisions(SingleLabelClassifier):
    """Stands before a scorer in place of a fitted classifier, whose decision values it is given."""

    def __init__(self, classes: NDArray[Any]) -> None:
        self.classes = classes

    @property
    def classes_(self) -> NDArray[Any]:  # type: ignore[override]  # nothing sets it
        return self.classes

    def decision_function(self, X: Any) -> Any:
        return X
