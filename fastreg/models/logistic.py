"""Logistic regression at one C."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import log_expit, log_softmax

from fastreg import validation
from fastreg.loss import probabilities
from fastreg.models.base import SingleLabelClassifier, fit_problems, read_labels
from fastreg.path import Problem

if TYPE_CHECKING:
    from typing import Any, Literal, Self

    from numpy.typing import ArrayLike, NDArray

    from fastreg._types import ClassWeight, Floats, MatrixLike, Random


class LogisticModel(SingleLabelClassifier):
    """Probabilities, and the parameters that a search has too."""

    solver: str
    dual: bool
    intercept_scaling: float
    random_state: Random
    fit_intercept: bool
    standardize: bool
    penalty_factor: ArrayLike | None
    lower_bounds: ArrayLike | None
    upper_bounds: ArrayLike | None
    tol: float
    max_iter: int
    n_jobs: int | None
    verbose: int

    def predict_proba(self, X: MatrixLike) -> Floats:
        """The probability of each class.

        Parameters
        ----------
        X : array-like, DataFrame or sparse matrix of shape (m, p)

        Returns
        -------
        ndarray of shape (m, k)
        """
        decision = self.decision_function(X)
        return probabilities(loss_of(self.classes_), decision)

    def predict_log_proba(self, X: MatrixLike) -> Floats:
        """The logarithm of the probability of each class, finite where the probability underflows.

        Parameters
        ----------
        X : array-like, DataFrame or sparse matrix of shape (m, p)

        Returns
        -------
        ndarray of shape (m, k)
        """
        decision = self.decision_function(X)
        if decision.ndim == 1:
            return np.column_stack([log_expit(-decision), log_expit(decision)])
        return log_softmax(decision, axis=1)

    def _options(self) -> tuple[dict[str, Any], int | None, int]:
        """The checked parameters of a `Problem`, and the number of threads and `verbose`.

        Raises
        ------
        ValueError, TypeError
            Also for those of scikit-learn's parameters that have no effect here.
        """
        validation.as_logistic_solver(self.solver)
        validation.as_bool(self.dual, "dual")
        validation.as_positive(self.intercept_scaling, "intercept_scaling")
        validation.as_seed("cyclic", self.random_state)
        options = {
            "fit_intercept": validation.as_bool(self.fit_intercept, "fit_intercept"),
            "standardize": validation.as_bool(self.standardize, "standardize"),
            "penalty_factor": self.penalty_factor,
            "lower_bounds": self.lower_bounds,
            "upper_bounds": self.upper_bounds,
            "tol": validation.as_tol(self.tol),
            "max_iter": validation.as_max_iter(self.max_iter),
        }
        return options, validation.as_n_jobs(self.n_jobs), validation.as_verbose(self.verbose)


def loss_of(classes: NDArray[Any]) -> Literal["logistic", "multinomial"]:
    return "logistic" if len(classes) == 2 else "multinomial"


class LogisticRegression(LogisticModel):
    """Logistic regression with L1 and L2 penalties.

    With the weights s_i, sample weights times class weights, S = sum_i s_i, penalty factors v_j, and t_i = 1 for the
    second of two classes, -1 for the first, minimises over the intercept b and the coefficients w::

        1/S sum_i s_i log(1 + exp(-t_i (b + x_i' w)))
            +  1/(C S) sum_j v_j ( l1_ratio |w_j| + (1 - l1_ratio)/2 w_j^2 )
        subject to  lower_bounds <= w <= upper_bounds

    which is scikit-learn's objective over C S. For more classes the loss is the negative logarithm of the softmax
    probability of the row's class, and each class has coefficients and an intercept.

    Parameters
    ----------
    penalty : {"deprecated", "l1", "l2", "elasticnet", None}, default="deprecated"
        As scikit-learn had it before 1.8: "l1" and "l2" stand for ``l1_ratio=1`` and ``l1_ratio=0``, None for
        ``C=inf``. The default leaves it to `l1_ratio` and `C`.
    C : float > 0, default=1.0
        Weight of the loss against the penalty; inf for no penalty.
    l1_ratio : float in [0, 1] or None, default=0.0
        Share of the L1 penalty; None is 0.
    dual, intercept_scaling, solver, random_state
        Checked, and without effect: there is one solver, and the intercept is never penalised.
    tol : float, default=1e-10
        The duality gap is to be at most `tol` times the objective of the model without penalised features.
    fit_intercept : bool, default=True
    class_weight : dict, "balanced" or None, default=None
        Weights of the classes, which multiply the sample weights. "balanced" is the sum of the sample weights over the
        number of classes and that sum for the class.
    max_iter : int, default=10_000
        Limit on coordinate-descent sweeps plus Newton steps.
    verbose : int, default=0
        Above 0, report progress on stderr.
    warm_start : bool, default=False
        Start from the coefficients of the previous fit.
    n_jobs : int, default=None
        Number of threads; None and -1 are all cores at hand. The result does not depend on it.
    standardize : bool, default=False
        Penalise w_j * sd_j in place of w_j, sd_j the weighted 1/S standard deviation of column j. Coefficients are
        reported for the original columns.
    penalty_factor : array-like of shape (p,), default=None
        Factors v_j >= 0 of the penalty; 0 leaves a feature unpenalised, inf excludes it.
    lower_bounds, upper_bounds : float or array-like of shape (p,), default=None
        Bounds of the coefficients, ``lower_bounds <= 0 <= upper_bounds``.

    Attributes
    ----------
    classes_ : ndarray of shape (k,)
        The labels in ascending order.
    coef_ : ndarray of shape (1, p) for two classes, or else (k, p)
        float32 if X is, float64 otherwise.
    intercept_ : ndarray of shape (1,) or (k,)
    n_iter_ : ndarray of shape (1,)
        Coordinate-descent sweeps plus Newton steps.
    dual_gap_ : float
        How far the objective can lie above its minimum.
    sparse_coef_ : scipy.sparse.csr_matrix of shape (1, p) or (k, p)
    n_features_in_ : int
    feature_names_in_ : ndarray of shape (p,)
        Only if X is a data frame with string column names.

    See Also
    --------
    LogisticRegressionCV : chooses C.
    fastreg.fit_path : all penalties at once, with ``loss="logistic"``.

    Examples
    --------
    >>> from fastreg import LogisticRegression
    >>> model = LogisticRegression().fit([[0.0], [1.0], [2.0], [3.0]], ["no", "no", "yes", "yes"])
    >>> model.predict([[0.5], [2.5]]).tolist()
    ['no', 'yes']
    >>> model.predict_proba([[1.5]]).round(6).tolist()
    [[0.5, 0.5]]
    """

    dual_gap_: float
    n_iter_: NDArray[np.int32]

    def __init__(
        self,
        penalty: Literal["deprecated", "l1", "l2", "elasticnet"] | None = "deprecated",
        *,
        C: float = 1.0,
        l1_ratio: float | None = 0.0,
        dual: bool = False,
        tol: float = 1e-10,
        fit_intercept: bool = True,
        intercept_scaling: float = 1,
        class_weight: ClassWeight = None,
        random_state: Random = None,
        solver: str = "lbfgs",
        max_iter: int = 10_000,
        verbose: int = 0,
        warm_start: bool = False,
        n_jobs: int | None = None,
        standardize: bool = False,
        penalty_factor: ArrayLike | None = None,
        lower_bounds: ArrayLike | None = None,
        upper_bounds: ArrayLike | None = None,
    ) -> None:
        self.penalty = penalty
        self.C = C
        self.l1_ratio = l1_ratio
        self.dual = dual
        self.tol = tol
        self.fit_intercept = fit_intercept
        self.intercept_scaling = intercept_scaling
        self.class_weight = class_weight
        self.random_state = random_state
        self.solver = solver
        self.max_iter = max_iter
        self.verbose = verbose
        self.warm_start = warm_start
        self.n_jobs = n_jobs
        self.standardize = standardize
        self.penalty_factor = penalty_factor
        self.lower_bounds = lower_bounds
        self.upper_bounds = upper_bounds

    def fit(self, X: MatrixLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Fit the model.

        Parameters
        ----------
        X : array-like, DataFrame or sparse matrix of shape (n, p)
            float32 and float64 arrays, and sparse matrices in CSC or CSR, are used as they are, in any memory layout;
            other numbers become float64, other sparse formats CSC.
        y : array-like of shape (n,)
            Labels of any kind that can be put in order.
        sample_weight : float or array-like of shape (n,), default=None
            Weights >= 0, which multiply the loss as C does. Rows of weight zero count as absent.

        Returns
        -------
        self
            Unchanged if the fit is interrupted or fails.

        Raises
        ------
        ValueError, TypeError
            If an argument or a parameter is not as described, or if some class has no row of positive weight.

        Warns
        -----
        ConvergenceWarning
            If the gap is above `tol` after `max_iter` iterations.
        UserWarning
            If `penalty` leaves `C` or `l1_ratio` without effect.
        """
        C, l1_ratio = self._penalty()
        warm_start = validation.as_bool(self.warm_start, "warm_start")
        options, n_jobs, verbose = self._options()
        X, names = validation.as_matrix(X)
        n, p = X.shape
        labels = read_labels(X, y, sample_weight, self.class_weight)
        weights = labels.weights
        alpha = validation.alpha_of(C, n if weights is None else weights.sum())
        classes = labels.classes
        start = self._previous_coef(1 if len(classes) == 2 else len(classes), p) if warm_start else None
        problem = Problem(
            labels.codes,
            loss=loss_of(classes),
            alphas=[alpha],
            l1_ratio=l1_ratio,
            sample_weight=weights,
            coef_init=start,
            **options,
        )
        (path,) = fit_problems(X, names, [problem], n_jobs, verbose)

        coef, intercept = coefficients_at(path, 0)
        self._store_columns(p, names)
        self._store_coef(coef, X.dtype)
        self.intercept_ = intercept.astype(X.dtype, copy=False)
        self.classes_ = classes
        self.dual_gap_ = float(path.dual_gaps[0])
        self.n_iter_ = path.n_iter[:1].astype(np.int32)
        return self

    def _penalty(self) -> tuple[float, float]:
        """C and l1_ratio, once `penalty` has had its say."""
        C, l1_ratio = validation.as_C(self.C), validation.as_penalty_ratio(self.penalty, self.l1_ratio)
        if self.penalty in ("l1", "l2") and self.l1_ratio not in (None, 0.0, l1_ratio):
            warnings.warn(
                f"penalty={self.penalty!r} leaves l1_ratio={self.l1_ratio} without effect; pass one of the two.",
                stacklevel=3,
            )
        if self.penalty is None:
            if C not in (1.0, np.inf):
                warnings.warn(
                    f"penalty=None leaves C={C} without effect; leave penalty at its default to have one.", stacklevel=3
                )
            C = np.inf
        return C, l1_ratio


def coefficients_at(path: Any, i: int | np.integer[Any]) -> tuple[Floats, Floats]:
    """Coefficients (1, p) or (k, p) and intercepts (1,) or (k,) at the i-th alpha of a path."""
    columns = path.coefs if isinstance(path.coefs, list) else [path.coefs]
    return np.vstack([column[:, [i]].toarray().T for column in columns]), np.atleast_1d(path.intercepts[i])
