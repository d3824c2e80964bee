"""StabilitySelection: the features that paths select on most halves of the rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.feature_selection import SelectorMixin
from sklearn.utils.validation import check_is_fitted

from fastreg import validation
from fastreg.models.base import one_response
from fastreg.selection.stability import half_samples, selection_counts
from fastreg.solve import Task

if TYPE_CHECKING:
    from typing import Any, Self

    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike, NDArray

    from fastreg._types import Bools, Floats, MatrixLike, Random

_DENSE = 2**24  # entries of `probabilities_` up to which it is an ndarray


class StabilitySelection(SelectorMixin, BaseEstimator):
    """Selection of the features that lasso or elastic-net paths select on most half-samples.

    The path is fitted to many halves of the rows, drawn without replacement. The probability of a feature at an alpha
    is the share of the halves on which its coefficient there is not zero; selected are the features whose probability
    reaches `threshold` somewhere on the grid. All halves are problems over one X, solved together: rows that are not
    drawn have a weight of zero, means and standard deviations are those of the half, and X is not copied.

    Parameters
    ----------
    l1_ratio : float in (0, 1], default=1.0
        1 is the lasso.
    alphas : int or array-like of shape (L,), default=50
        Length of an automatic grid, from the smallest alpha at which no feature is in the model of all rows, or its
        values, > 0, in the units of `ElasticNet`. Every half is fitted on the same grid.
    eps : float in (0, 1), default=0.05
        Ratio of the ends of an automatic grid.
    n_pairs : int, default=50
        Half the number B of half-samples.
    complementary_pairs : bool, default=True
        Draw the halves in pairs that have no row in common (Shah & Samworth); otherwise, all of them independently.
    threshold : float in (0.5, 1], default=0.6
        Least probability of a selected feature. It can be changed after the fit.
    max_features : int, default=None
        Most penalised features that a half may select. Where more have entered its path, it selects what it did at the
        alpha before. None for as many as the grid lets in.
    fit_intercept : bool, default=True
    standardize : bool, default=True
        Penalise coefficients times the standard deviations of their columns.
    penalty_factor : array-like of shape (p,), default=None
        Factors >= 0 of the penalty; 0 leaves a feature unpenalised, inf excludes it.
    tol : float, default=1e-10
        As in `ElasticNet`, for every half.
    max_iter : int, default=10_000
    random_state : int, RandomState, Generator or None, default=None
        For the halves. None draws a seed from numpy's global generator.
    n_jobs : int, default=None
        Number of threads; None and -1 are all cores at hand. The result does not depend on it.

    Attributes
    ----------
    alphas_ : ndarray of shape (L,)
        In descending order.
    probabilities_ : ndarray, or scipy.sparse.csc_array if that has more than 2**24 entries, of shape (p, L)
        Share of the halves that select a feature at an alpha.
    max_probabilities_ : ndarray of shape (p,)
        The largest of each feature.
    n_selected_mean_ : float
        Number q of penalised features that a half selects at one alpha or more, on average.
    error_bound_ : float
        ``q**2 / ((2 * threshold - 1) * p)``, p the number of penalised features: see Notes.
    n_iter_ : int
        Most coordinate-descent sweeps plus Newton steps that a solution took.
    n_features_in_ : int
    feature_names_in_ : ndarray of shape (p,)
        Only if X is a data frame with string column names.

    Notes
    -----
    `error_bound_` bounds the expected number of irrelevant features among the selected ones if these are exchangeable,
    and selected by the path no more often than by a guess (Meinshausen & Bühlmann, Theorem 1). With complementary pairs
    it holds without either condition for the number of selected features that a half selects with a probability of at
    most q / p (Shah & Samworth, Theorem 1). A small bound needs a small q: a larger `eps`, or `max_features`.

    References
    ----------
    N. Meinshausen, P. Bühlmann: Stability selection. Journal of the Royal Statistical Society B 72 (2010), 417-473.

    R. D. Shah, R. J. Samworth: Variable selection with error control: another look at stability selection. Journal of
    the Royal Statistical Society B 75 (2013), 55-80.

    Examples
    --------
    >>> import numpy as np
    >>> from fastreg import StabilitySelection
    >>> X = np.random.default_rng(0).standard_normal((60, 8))
    >>> y = X[:, 2] - X[:, 5] + np.random.default_rng(1).standard_normal(60)
    >>> StabilitySelection(threshold=0.9, max_features=3, random_state=0).fit(X, y).get_support(indices=True)
    array([2, 5])
    """

    alphas_: Floats
    probabilities_: Floats | Any
    max_probabilities_: Floats
    n_selected_mean_: float
    n_iter_: int
    n_features_in_: int
    feature_names_in_: NDArray[np.object_]
    _n_penalised: int | np.integer[Any]

    def __init__(
        self,
        *,
        l1_ratio: float = 1.0,
        alphas: int | ArrayLike = 50,
        eps: float = 0.05,
        n_pairs: int = 50,
        complementary_pairs: bool = True,
        threshold: float = 0.6,
        max_features: int | None = None,
        fit_intercept: bool = True,
        standardize: bool = True,
        penalty_factor: ArrayLike | None = None,
        tol: float = 1e-10,
        max_iter: int = 10_000,
        random_state: Random = None,
        n_jobs: int | None = None,
    ) -> None:
        self.l1_ratio = l1_ratio
        self.alphas = alphas
        self.eps = eps
        self.n_pairs = n_pairs
        self.complementary_pairs = complementary_pairs
        self.threshold = threshold
        self.max_features = max_features
        self.fit_intercept = fit_intercept
        self.standardize = standardize
        self.penalty_factor = penalty_factor
        self.tol = tol
        self.max_iter = max_iter
        self.random_state = random_state
        self.n_jobs = n_jobs

    def fit(self, X: MatrixLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Fit the paths of all half-samples, and count.

        Parameters
        ----------
        X : array-like, DataFrame or sparse matrix of shape (n, p)
            As in `ElasticNet`: used as it is, never copied and never written.
        y : array-like of shape (n,)
        sample_weight : float or array-like of shape (n,), default=None
            Weights >= 0, in the fits. Half of the rows of positive weight are drawn, each as likely as any other.

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
        n_pairs = validation.at_least_one(self.n_pairs, "n_pairs")
        complementary = validation.as_bool(self.complementary_pairs, "complementary_pairs")
        validation.as_majority(self.threshold, "threshold")
        most = None if self.max_features is None else validation.at_least_one(self.max_features, "max_features")
        n_jobs = validation.as_n_jobs(self.n_jobs)
        seed = validation.as_seed("random", self.random_state)
        X, names = validation.as_matrix(X)
        n, p = X.shape
        task = Task(
            y=one_response(y, n, depth=2),
            weights=validation.as_weights(sample_weight, n),
            fit_intercept=validation.as_bool(self.fit_intercept, "fit_intercept"),
            standardize=validation.as_bool(self.standardize, "standardize"),
            l1_ratio=validation.as_l1_ratio(self.l1_ratio),
            alphas=validation.as_alphas(self.alphas),
            eps=validation.as_eps(self.eps),
            tol=validation.as_tol(self.tol),
            max_iter=validation.as_max_iter(self.max_iter),
            coef_init=None,
            penalty_factor=validation.as_penalty_factor(self.penalty_factor, p),
        )
        validation.check_selects(task.alphas, task.l1_ratio)
        validation.check_grid(task.alphas, task.l1_ratio, task.penalty_factor)
        present = np.arange(n) if task.weights is None else np.flatnonzero(task.weights)
        validation.check_halves(len(present))
        validation.check_finite(X, names)
        halves = half_samples(present, n_pairs, complementary, np.random.default_rng(seed))
        found = selection_counts(X, names, task, halves, most, n_jobs=n_jobs)

        probabilities = found.counts / len(halves)
        factor = task.penalty_factor
        self.n_features_in_ = p
        if names is not None:
            self.feature_names_in_ = names
        else:
            self.__dict__.pop("feature_names_in_", None)
        self.alphas_ = found.alphas
        self.max_probabilities_ = probabilities.max(axis=1).toarray().ravel()
        self.probabilities_ = probabilities.toarray() if p * len(found.alphas) <= _DENSE else probabilities
        self.n_selected_mean_ = float(found.n_selected.mean())
        self.n_iter_ = found.n_iter
        self._n_penalised = p if factor is None else np.count_nonzero((factor > 0) & np.isfinite(factor))
        return self

    @property
    def error_bound_(self) -> float:
        """Bound of the expected number of irrelevant features among the selected ones."""
        check_is_fitted(self)
        excess = 2 * validation.as_majority(self.threshold, "threshold") - 1
        return self.n_selected_mean_**2 / (excess * max(1, self._n_penalised))

    def plot(self, ax: Axes | None = None, n_labels: int = 8) -> Axes:
        """Draw the probabilities against alpha; needs matplotlib.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            None makes a new figure.
        n_labels : int, default=8
            How many of the selected features, the most probable ones, are named.

        Returns
        -------
        matplotlib.axes.Axes
        """
        from fastreg.report.selection_plots import plot_stability

        check_is_fitted(self)
        return plot_stability(self, ax=ax, n_labels=n_labels)

    def _get_support_mask(self) -> Bools:
        check_is_fitted(self)
        return self.max_probabilities_ >= validation.as_majority(self.threshold, "threshold")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.target_tags.required = True
        return tags
