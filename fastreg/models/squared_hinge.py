"""Linear classification by the squared hinge loss."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fastreg import validation
from fastreg.models.base import SingleLabelClassifier, fit_problems, read_labels
from fastreg.path import Problem

if TYPE_CHECKING:
    from typing import Any, Self

    from numpy.typing import ArrayLike, NDArray

    from fastreg._types import ClassWeight, Floats, MatrixLike
    from fastreg.models.base import Labels


class SquaredHingeClassifier(SingleLabelClassifier):
    """Linear support vector machine with the squared hinge loss and L1 and L2 penalties.

    With the weights s_i, sample weights times class weights, S = sum_i s_i, penalty factors v_j, and t_i = 1 for the
    second of two classes, -1 for the first, minimises over the intercept b and the coefficients w::

        1/(2 S) sum_i s_i max(0, 1 - t_i (b + x_i' w))^2
            +  1/(2 C S) sum_j v_j ( l1_ratio |w_j| + (1 - l1_ratio)/2 w_j^2 )
        subject to  lower_bounds <= w <= upper_bounds

    which is the objective of scikit-learn's LinearSVC over 2 C S, with an intercept that is not penalised. More classes
    are one problem for each against the others, solved together; the class with the largest decision value wins.

    Parameters
    ----------
    C : float > 0, default=1.0
        Weight of the loss against the penalty; inf for no penalty.
    l1_ratio : float in [0, 1], default=0.0
        Share of the L1 penalty.
    fit_intercept : bool, default=True
    class_weight : dict, "balanced" or None, default=None
        Weights of the classes, as in `LogisticRegression`. For more than two classes, that of a class multiplies the
        weights of its rows in its own problem, and of no others, as in LinearSVC.
    max_iter : int, default=10_000
        Limit on coordinate-descent sweeps plus Newton steps.
    tol : float, default=1e-10
        The duality gap is to be at most `tol` times the objective of the model without penalised features.
    warm_start : bool, default=False
        Start from the coefficients of the previous fit.
    verbose : int, default=0
        Above 0, report progress on stderr.
    standardize, penalty_factor, lower_bounds, upper_bounds, n_jobs
        As in `LogisticRegression`.

    Attributes
    ----------
    classes_ : ndarray of shape (k,)
    coef_ : ndarray of shape (1, p) for two classes, or else (k, p)
        float32 if X is, float64 otherwise.
    intercept_ : ndarray of shape (1,) or (k,)
    n_iter_ : ndarray of shape (1,) or (k,)
        Coordinate-descent sweeps plus Newton steps.
    dual_gap_ : ndarray of shape (1,) or (k,)
        How far the objective of each problem can lie above its minimum.
    sparse_coef_, n_features_in_, feature_names_in_
        As in `LogisticRegression`.

    See Also
    --------
    fastreg.fit_path : all penalties at once, with ``loss="squared_hinge"``.

    Examples
    --------
    >>> from fastreg import SquaredHingeClassifier
    >>> model = SquaredHingeClassifier().fit([[0.0], [1.0], [2.0], [3.0]], ["no", "no", "yes", "yes"])
    >>> model.predict([[0.5], [2.5]]).tolist()
    ['no', 'yes']
    """

    dual_gap_: Floats
    n_iter_: NDArray[np.int32]

    def __init__(
        self,
        C: float = 1.0,
        *,
        l1_ratio: float = 0.0,
        fit_intercept: bool = True,
        class_weight: ClassWeight = None,
        max_iter: int = 10_000,
        tol: float = 1e-10,
        warm_start: bool = False,
        verbose: int = 0,
        standardize: bool = False,
        penalty_factor: ArrayLike | None = None,
        lower_bounds: ArrayLike | None = None,
        upper_bounds: ArrayLike | None = None,
        n_jobs: int | None = None,
    ) -> None:
        self.C = C
        self.l1_ratio = l1_ratio
        self.fit_intercept = fit_intercept
        self.class_weight = class_weight
        self.max_iter = max_iter
        self.tol = tol
        self.warm_start = warm_start
        self.verbose = verbose
        self.standardize = standardize
        self.penalty_factor = penalty_factor
        self.lower_bounds = lower_bounds
        self.upper_bounds = upper_bounds
        self.n_jobs = n_jobs

    def fit(self, X: MatrixLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Fit the model.

        Parameters
        ----------
        X : array-like, DataFrame or sparse matrix of shape (n, p)
            As in `LogisticRegression.fit`.
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
            Once, if a gap is above `tol` after `max_iter` iterations.
        """
        C = validation.as_C(self.C)
        warm_start = validation.as_bool(self.warm_start, "warm_start")
        n_jobs, verbose = validation.as_n_jobs(self.n_jobs), validation.as_verbose(self.verbose)
        X, names = validation.as_matrix(X)
        n, p = X.shape
        labels = read_labels(X, y, sample_weight, self.class_weight)
        targets = one_against_the_others(labels)
        start = self._previous_coef(len(targets), p) if warm_start else None
        problems = [
            Problem(
                target,
                loss="squared_hinge",
                alphas=[validation.alpha_of(C, 2.0 * (n if weights is None else weights.sum()))],
                l1_ratio=self.l1_ratio,
                fit_intercept=self.fit_intercept,
                standardize=self.standardize,
                sample_weight=weights,
                penalty_factor=self.penalty_factor,
                lower_bounds=self.lower_bounds,
                upper_bounds=self.upper_bounds,
                tol=self.tol,
                max_iter=self.max_iter,
                coef_init=None if start is None else start[k],
            )
            for k, (target, weights) in enumerate(targets)
        ]
        paths = fit_problems(X, names, problems, n_jobs, verbose)

        self._store_columns(p, names)
        self._store_coef(np.vstack([path.coefs.toarray().T for path in paths]), X.dtype)
        self.intercept_ = np.array([path.intercepts[0] for path in paths], dtype=X.dtype)
        self.classes_ = labels.classes
        self.dual_gap_ = np.array([path.dual_gaps[0] for path in paths])
        self.n_iter_ = np.array([path.n_iter[0] for path in paths], dtype=np.int32)
        return self


def one_against_the_others(labels: Labels) -> list[tuple[NDArray[Any], Floats | None]]:
    """[(which rows are of the class (n,), their weights (n,) or None)], a single pair for two classes."""
    if len(labels.classes) == 2:
        return [(labels.codes, labels.weights)]
    targets, weights = [labels.codes == k for k in range(len(labels.classes))], labels.sample_weight
    if labels.factors is None:
        return [(own, weights) for own in targets]
    base = np.ones(len(labels.codes)) if weights is None else weights
    return [(own, np.where(own, factor * base, base)) for own, factor in zip(targets, labels.factors, strict=True)]
