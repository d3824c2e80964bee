"""Classification by ridge regression on coded labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.metrics import get_scorer
from sklearn.preprocessing import LabelBinarizer
from sklearn.utils import check_consistent_length, column_or_1d, compute_sample_weight
from sklearn.utils.multiclass import check_classification_targets

from fastreg import validation
from fastreg.models.base import LinearClassifier, labels_of
from fastreg.models.ridge import RidgeModel, store_coefficients, warn_if_singular
from fastreg.models.ridge_cv import Judge, RidgeSearch, store_choice

if TYPE_CHECKING:
    from typing import Any, Literal, Self

    from numpy.typing import ArrayLike, NDArray

    from fastreg._types import ClassWeight, Floats, Folds, Matrix, MatrixLike, Random, Scoring


@dataclass
class Coded:
    """Labels as responses."""

    y: NDArray[Any]  # (n,) labels, or (n, k) 0 and 1
    rows: Floats  # (k, n) -1 and 1; k = 1 for two classes
    classes: NDArray[Any]
    multilabel: bool
    weights: Floats | None  # (n,)


def code(X: Matrix, y: ArrayLike, sample_weight: ArrayLike | None, class_weight: ClassWeight) -> Coded:
    """Labels coded as -1 and 1, and sample weights times class weights."""
    validation.check_labels(y)
    check_consistent_length(X, y)
    check_classification_targets(y)
    binarizer = LabelBinarizer(neg_label=-1, pos_label=1)
    coded = binarizer.fit_transform(y)
    multilabel = binarizer.y_type_.startswith("multilabel")
    labels = (coded > 0).astype(int) if multilabel else column_or_1d(y, warn=True)
    weights = validation.as_counts(sample_weight, X.shape[0])
    if class_weight is not None:
        factor = compute_sample_weight(class_weight, labels)
        weights = validation.as_counts(factor if weights is None else weights * factor, X.shape[0])
    rows, _ = validation.as_responses(coded, X.shape[0])
    return Coded(labels, rows, binarizer.classes_, multilabel, weights)


class RidgeClassifier(RidgeModel, LinearClassifier):
    """Classification by ridge regression on labels coded as -1 and 1.

    Two classes are one regression, more are one for each class against the others, and so are labels that each hold or
    not (a 2-d y of 0 and 1). The class with the largest prediction wins.

    Parameters
    ----------
    alpha : float >= 0 or array-like of shape (k,), default=1.0
        Strength of the penalty, or one for each regression.
    class_weight : dict, "balanced" or None, default=None
        Weights of the classes, which multiply the sample weights; "balanced" is n over the number of classes and the
        rows of the class.
    fit_intercept, copy_X, max_iter, tol, solver, positive, random_state, standardize, penalty_factor, penalty_matrix, \
lower_bounds, upper_bounds, n_jobs
        As in `Ridge`.

    Attributes
    ----------
    coef_ : ndarray of shape (p,) or (k, p)
        1-d for two classes.
    intercept_ : float or ndarray of shape (1,) or (k,)
        0.0 without an intercept.
    classes_ : ndarray of shape (k,)
    dual_gap_, residual_, n_iter_, solver_, sparse_coef_, n_features_in_, feature_names_in_
        As in `Ridge`.

    See Also
    --------
    RidgeClassifierCV : chooses alpha.

    Examples
    --------
    >>> from fastreg import RidgeClassifier
    >>> model = RidgeClassifier().fit([[0.0], [1.0], [2.0], [3.0]], ["no", "no", "yes", "yes"])
    >>> model.predict([[0.5], [2.5]]).tolist()
    ['no', 'yes']
    """

    def __init__(
        self,
        alpha: float = 1.0,
        *,
        fit_intercept: bool = True,
        copy_X: bool = True,
        max_iter: int | None = None,
        tol: float = 1e-10,
        class_weight: ClassWeight = None,
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
        self.class_weight = class_weight
        self.solver = solver
        self.positive = positive
        self.random_state = random_state
        self.standardize = standardize
        self.penalty_factor = penalty_factor
        self.penalty_matrix = penalty_matrix
        self.lower_bounds = lower_bounds
        self.upper_bounds = upper_bounds
        self.n_jobs = n_jobs

    def fit(self, X: MatrixLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Fit the model.

        Parameters
        ----------
        X : array-like, DataFrame or sparse matrix of shape (n, p)
            As in `Ridge.fit`.
        y : array-like of shape (n,), or (n, k) of 0 and 1
            Labels, or for each of k labels whether it holds.
        sample_weight : float or array-like of shape (n,), default=None
            Weights >= 0, as in `Ridge.fit`.

        Returns
        -------
        self
            Unchanged if the fit is interrupted or fails.

        Raises
        ------
        ValueError, TypeError
            If an argument or a parameter is not as described.
        """
        options = self._options()
        class_weight = validation.as_class_weight(self.class_weight)
        X, names = validation.as_matrix(X)
        coded = code(X, y, sample_weight, class_weight)
        fit = self._fit_rows(X, names, coded.rows, coded.weights, options)
        warn_if_singular(fit)
        self._store_fit(fit, names, X.dtype, y_ndim=2)
        self._multilabel = coded.multilabel
        self.classes_ = coded.classes
        return self


class GivenLabels(ClassifierMixin, BaseEstimator):
    """Stands before a scorer in place of a fitted classifier, whose decision values it is given."""

    def __init__(self, classes: NDArray[Any], multilabel: bool) -> None:
        self.classes, self.multilabel = classes, multilabel

    @property
    def classes_(self) -> NDArray[Any]:
        return self.classes

    def decision_function(self, X: Any) -> Any:
        return X

    def predict(self, X: Any) -> NDArray[Any]:
        return labels_of(X, self.classes, self.multilabel)


class RidgeClassifierCV(RidgeSearch, LinearClassifier):
    """Classification by ridge regression on coded labels that chooses alpha by cross-validation.

    Parameters
    ----------
    alphas : float or array-like of shape (L,), default=(0.1, 1.0, 10.0)
        Candidates, as in `RidgeCV`.
    fit_intercept : bool, default=True
        The intercept is not penalised.
    scoring : str, callable or None, default=None
        A scorer, which sees the labels. None is the mean of the negative squared errors of the coded labels, each times
        its sample weight, for leave-one-out, and the accuracy for folds. Must be None for ``cv="gcv"``.
    cv : "gcv", int, cross-validation generator, iterable of (train, test) or None, default=None
        None is leave-one-out; "gcv" generalized cross-validation of the coded labels, as in `RidgeCV`; an integer the
        number of folds, stratified for a 1-d y.
    class_weight : dict, "balanced" or None, default=None
        As in `RidgeClassifier`; from all rows, also in folds.
    store_cv_results : bool, default=False
        Keep `cv_results_`. Not for folds.
    standardize, penalty_factor, n_jobs
        As in `RidgeCV`.

    Attributes
    ----------
    alpha_ : float
    best_score_ : float
    cv_results_ : ndarray of shape (n, k, L); for ``cv="gcv"`` of shape (k, L)
        With ``store_cv_results=True``: squared left-out errors of the coded labels times sample weights, or with a
        `scoring` the left-out decision values; for ``cv="gcv"`` the criterion, of which the least is best.
    coef_, intercept_, classes_, dual_gap_, residual_, sparse_coef_, n_features_in_, feature_names_in_
        As in `RidgeClassifier`.

    See Also
    --------
    RidgeClassifier : at a given alpha.
    RidgeCV : how alphas are compared.

    Examples
    --------
    >>> from fastreg import RidgeClassifierCV
    >>> model = RidgeClassifierCV().fit([[0.0], [1.0], [2.0], [3.0]], ["no", "no", "yes", "yes"])
    >>> model.alpha_
    1.0
    """

    def __init__(
        self,
        alphas: ArrayLike = (0.1, 1.0, 10.0),
        *,
        fit_intercept: bool = True,
        scoring: Scoring = None,
        cv: Folds | Literal["gcv"] = None,
        class_weight: ClassWeight = None,
        store_cv_results: bool = False,
        standardize: bool = False,
        penalty_factor: ArrayLike | None = None,
        n_jobs: int | None = None,
    ) -> None:
        self.alphas = alphas
        self.fit_intercept = fit_intercept
        self.scoring = scoring
        self.cv = cv
        self.class_weight = class_weight
        self.store_cv_results = store_cv_results
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
        y : array-like of shape (n,), or (n, k) of 0 and 1
            Labels, or for each of k labels whether it holds.
        sample_weight : float or array-like of shape (n,), default=None
            Weights >= 0, as in `Ridge.fit`.
        groups : array-like of shape (n,), default=None
            For a `cv` that splits by groups.

        Returns
        -------
        self
            Unchanged if the fit is interrupted or fails.

        Raises
        ------
        ValueError, TypeError
            As for `RidgeCV.fit`.
        """
        options = self._options()
        class_weight = validation.as_class_weight(self.class_weight)
        X, names = validation.as_matrix(X)
        coded = code(X, y, sample_weight, class_weight)
        scorer = options["scorer"]
        if scorer is None and options["method"] == "folds":
            scorer = get_scorer("accuracy")
        stand_in = GivenLabels(coded.classes, coded.multilabel)
        judge = Judge(coded.y, len(coded.rows) == 1 and not coded.multilabel, scorer, stand_in, coded.weights)
        fit, found = self._search(X, names, coded.rows, coded.weights, judge, groups, options)
        warn_if_singular(fit)
        store_coefficients(self, fit, names, X.dtype, y_ndim=2)
        store_choice(self, found, y_ndim=2)
        self._multilabel = coded.multilabel
        self.classes_ = coded.classes
        return self
