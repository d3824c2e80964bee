"""The object that holds a regularization path."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from fastreg import validation
from fastreg.design import as_design
from fastreg.loss import probabilities, respond
from fastreg.solve import certify, n_threads

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Literal, Self

    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike, NDArray
    from pandas import DataFrame
    from scipy import sparse

    from fastreg._types import Floats, Ints, Loss, Matrix, MatrixLike, Names
    from fastreg.selection.criteria import Criterion
    from fastreg.solve import SupportCertificate, Task

# Relative distance within which an alpha counts as the end of the grid (alphas are often recomputed by the caller).
_GRID_SLACK = 1e-12


def linear_predictor(X: Matrix, coef: Any, intercept: Any) -> Any:
    """``X @ coef + intercept`` without a converted copy of X.

    Parameters
    ----------
    X : ndarray of shape (n, p), float32 or float64
    coef : ndarray of shape (p,) or (p, k), float32 or float64
    intercept : float or array-like of shape (k,)

    Returns
    -------
    ndarray of shape (n,) or (n, k), of the wider of the two dtypes
    """
    if X.dtype.itemsize < coef.dtype.itemsize:  # the product would widen all of X: take the columns that count
        used = np.flatnonzero(coef if coef.ndim == 1 else coef.any(axis=1))
        X, coef = _take(X, used), coef[used]
    return X @ coef + intercept


def _take(X: Matrix, used: Ints) -> Any:
    return X if len(used) == X.shape[1] else X[:, used]


@dataclass(eq=False, repr=False)
class RegularizationPath:
    """Solutions along a grid of L alphas, each with its certificate.

    Attributes
    ----------
    alphas : ndarray of shape (L,)
        In descending order.
    coefs : scipy.sparse.csc_array of shape (p, L), float64
        One column for each alpha. A list of K such for ``loss="multinomial"`` with K classes.
    intercepts : ndarray of shape (L,), or (L, K)
    dual_gaps : ndarray of shape (L,)
        In units of the objective: how far each solution's objective can lie above the minimum.
    null_objective : float
        Objective of the model without penalised features.
    null_intercept : float
        Intercept of that model.
    alpha_max : float
        The smallest alpha at which all penalised coefficients are zero; inf for ``l1_ratio=0``.
    deviance_ratio : ndarray of shape (L,)
        Fraction of the deviance of the constant model that the solution explains; for the squared loss of the weighted
        variance of y.
    n_iter : ndarray of shape (L,)
        Coordinate-descent sweeps plus Newton steps.
    n_passes : int
        Full passes over X, of all problems that were solved together.
    feature_names : ndarray of shape (p,) of str, or None
        The column names of X if it was a data frame.
    null_coef : ndarray of shape (p,), or None
        Coefficients of the model without penalised features; None if all features are penalised.
    loss : str
        As in `fit_path`.
    classes : ndarray of shape (K,), or None
        For losses of classes the labels; of two, positive linear predictors speak for the second.
    relative_gaps : ndarray of shape (L,)
        `dual_gaps` over `null_objective`; zero where that is zero (constant y).
    n_nonzero : ndarray of shape (L,)
        Number of non-zero coefficients.
    """

    alphas: Floats
    coefs: sparse.csc_array | Any
    intercepts: Floats
    dual_gaps: Floats
    null_objective: float
    null_intercept: float | Floats
    alpha_max: float
    deviance_ratio: Floats
    n_iter: Ints
    n_passes: int
    feature_names: Names = None
    null_coef: Floats | None = None
    loss: Loss = "squared"
    classes: NDArray[Any] | None = None
    # X as it was given and the task: what a certificate is computed from.
    _source: tuple[Matrix, Task] | None = field(default=None)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_source": None}  # a pickle of a path does not carry X

    @property
    def relative_gaps(self) -> Floats:
        if self.null_objective == 0:
            return np.zeros_like(self.dual_gaps)
        return self.dual_gaps / self.null_objective

    @property
    def n_nonzero(self) -> Ints:
        return np.diff(self._used().indptr)

    @property
    def n_features(self) -> int:
        return self.parts[0].shape[0]

    @property
    def parts(self) -> list[Any]:
        """The coefficients as a list of csc_arrays (p, L), one for each class of ``loss="multinomial"``."""
        return self.coefs if isinstance(self.coefs, list) else [self.coefs]

    def _used(self) -> Any:
        """(p, L) csc_array of the features with a coefficient that is not zero, in any class."""
        used = sum(abs(part) for part in self.parts)
        used.eliminate_zeros()
        return used

    def coef_at(self, alpha: float) -> tuple[Floats, float | Floats]:
        """Coefficients and intercept at one alpha.

        Exact at the alphas of the grid and linear in alpha between them; above a grid that starts at the null model
        (as every automatic grid does) it is the null model.

        Parameters
        ----------
        alpha : float

        Returns
        -------
        coef : ndarray of shape (p,), or (p, K) for ``loss="multinomial"``
        intercept : float, or ndarray of shape (K,)

        Raises
        ------
        ValueError
            If alpha lies below the grid, or above it and below alpha_max.
        """
        alpha = validation.as_alpha(alpha)
        parts = self.parts
        if alpha >= self.alpha_max:
            shape = (self.n_features, len(parts)) if isinstance(self.coefs, list) else self.n_features
            return np.zeros(shape) if self.null_coef is None else self.null_coef.copy(), self.null_intercept
        coef, intercept = np.zeros((self.n_features, len(parts))), 0.0
        for i, weight in self._interpolate(alpha):
            for k, part in enumerate(parts):
                start, stop = part.indptr[i], part.indptr[i + 1]
                coef[part.indices[start:stop], k] += weight * part.data[start:stop]
            intercept = intercept + weight * self.intercepts[i]
        return (coef, intercept) if isinstance(self.coefs, list) else (coef[:, 0], float(intercept))

    def _interpolate(self, alpha: float) -> list[tuple[int, float]]:
        """[(index, weight)] of the solutions whose weighted sum is the solution at alpha."""
        top, bottom = self.alphas[0], self.alphas[-1]
        if alpha < bottom * (1 - _GRID_SLACK):
            raise ValueError(
                f"alpha={alpha:.6g} lies below the path, which ends at {bottom:.6g}; fit a path that reaches it "
                "(smaller eps, or your own alphas)."
            )
        if alpha > top * (1 + _GRID_SLACK):
            raise ValueError(
                f"alpha={alpha:.6g} lies above the path, which starts at {top:.6g}, and below alpha_max, "
                f"{self.alpha_max:.6g}; fit a path that reaches it."
            )
        if alpha >= top:
            return [(0, 1.0)]
        if alpha <= bottom:
            return [(len(self.alphas) - 1, 1.0)]
        i = int(np.searchsorted(-self.alphas, -alpha))  # the first alpha of the grid that is not above this one
        if self.alphas[i] == alpha:
            return [(i, 1.0)]
        share = float((alpha - self.alphas[i]) / (self.alphas[i - 1] - self.alphas[i]))
        return [(i - 1, share), (i, 1.0 - share)]

    def predict(self, X: MatrixLike, alpha: float | None = None, offset: ArrayLike | None = None) -> NDArray[Any]:
        """Predictions for new rows: class labels, expected counts, or the linear predictor.

        Parameters
        ----------
        X : array-like, DataFrame or sparse matrix of shape (m, p)
        alpha : float, default=None
            None predicts at every alpha of the path; other values are taken as in `coef_at`.
        offset : array-like of shape (m,), default=None
            Added to the linear predictor of each row.

        Returns
        -------
        ndarray of shape (m,), or (m, L) if alpha is None

        Raises
        ------
        ValueError
            If X has another number of columns or other column names than in the fit, or NaN or infinity in a column
            that the prediction uses.
        """
        return respond(self.loss, self.decision_function(X, alpha, offset), self.classes)

    def decision_function(self, X: MatrixLike, alpha: float | None = None, offset: ArrayLike | None = None) -> Floats:
        """Linear predictors for new rows; arguments and errors as in `predict`.

        Returns
        -------
        ndarray of shape (m,), or (m, L) if alpha is None; for ``loss="multinomial"`` with a last axis of K classes
        """
        X, names = validation.as_matrix(X)
        validation.check_columns(X, names, self.n_features, self.feature_names)
        if alpha is not None:
            coef, intercept = self.coef_at(alpha)
            used = np.flatnonzero(coef if coef.ndim == 1 else coef.any(axis=1))
            prediction = linear_predictor(_take(X, used), coef[used], intercept)
        else:
            used = np.unique(np.concatenate([part.indices for part in self.parts]))
            part, levels = _take(X, used), self.intercepts.reshape(len(self.alphas), -1).T
            prediction = [
                linear_predictor(part, coefs[used].toarray(), level)
                for coefs, level in zip(self.parts, levels, strict=True)
            ]
            prediction = np.stack(prediction, axis=-1) if isinstance(self.coefs, list) else prediction[0]
        if not np.isfinite(prediction).all():
            validation.check_finite(X, names)
        offset = validation.as_offset(offset, X.shape[0])
        if offset is not None:
            prediction = prediction + (offset if prediction.ndim == 1 else offset[:, None])
        return prediction

    def predict_proba(self, X: MatrixLike, alpha: float | None = None, offset: ArrayLike | None = None) -> Floats:
        """Probabilities of the classes, for ``loss="logistic"`` and "multinomial"; otherwise as `predict`.

        Returns
        -------
        ndarray of shape (m, K), or (m, L, K) if alpha is None
        """
        if self.loss not in ("logistic", "multinomial"):
            raise ValueError(
                f"predict_proba needs a path of loss='logistic' or 'multinomial'; this one has loss={self.loss!r}."
            )
        return probabilities(self.loss, self.decision_function(X, alpha, offset))

    def _data(self, wanted: str, losses: tuple[str, ...]) -> tuple[Matrix, Task]:
        """X and the task of the fit, for a method that needs them and one of some losses."""
        if self.loss not in losses:
            raise ValueError(f"{wanted} is for paths of loss={' or '.join(map(repr, losses))}, not {self.loss!r}.")
        if self._source is None:
            raise ValueError("this path has no X at hand (it was pickled, or made from sums); fit it again.")
        return self._source

    def certificate(self, alpha: float, n_jobs: int | None = None) -> SupportCertificate:
        """Which features are proved to be zero, or not to be, in every optimal solution at one alpha.

        From the coefficients of `coef_at`, their duality gap and one product with X, which the path refers to: the
        gap-safe sphere (Ndiaye et al. 2017) proves zeros, strong convexity on the features that are left proves
        non-zeros. The smaller the gap, the fewer features stay undecided.

        Parameters
        ----------
        alpha : float > 0
            As in `coef_at`.
        n_jobs : int, default=None

        Returns
        -------
        SupportCertificate
            With `alpha`, `gap` and the feature numbers `zero`, `nonzero`, `undecided`.

        Raises
        ------
        ValueError
            If alpha is 0 or out of the range of `coef_at`, or if the path has no X at hand: it was pickled, it is of
            ridge regression, or it comes from sums of rows.
        """
        alpha = validation.as_alpha(alpha)
        if alpha == 0:
            raise ValueError("alpha must be positive: at alpha=0 no penalty makes a coefficient zero.")
        X, task = self._data("certificate", ("squared",))
        coef, _ = self.coef_at(alpha)
        return certify(as_design(X), task, alpha, coef, n_threads(validation.as_n_jobs(n_jobs)))

    def select(
        self,
        criterion: Literal["aic", "aicc", "bic", "ebic"] = "bic",
        noise_variance: float | None = None,
        gamma: float = 1.0,
    ) -> float:
        """The alpha of the grid that an information criterion prefers.

        Parameters
        ----------
        criterion : {"aic", "aicc", "bic", "ebic"}, default="bic"
        noise_variance : float, default=None
            Variance of y about its expectation. None estimates it from the path by the organic lasso (Yu & Bien 2019),
            which is valid for p > n too.
        gamma : float in [0, 1], default=1.0
            Of EBIC; 0 is BIC.

        Returns
        -------
        float
            See `information_criterion` for the values along the path.

        Raises
        ------
        ValueError
            If an argument is not as described, or if the path has no X at hand (see `certificate`).
        """
        return self.information_criterion(criterion, noise_variance, gamma).alpha

    def information_criterion(
        self,
        criterion: Literal["aic", "aicc", "bic", "ebic"] = "bic",
        noise_variance: float | None = None,
        gamma: float = 1.0,
    ) -> Criterion:
        """An information criterion along the path; arguments as in `select`.

        Returns
        -------
        Criterion
            With `alphas`, `values` and `degrees_of_freedom` (L,), `noise_variance` and `alpha`, that of the smallest
            value. The value is the residual sum of squares over the noise variance plus the price of the degrees of
            freedom k: 2 k (AIC), 2 k n / (n - k - 1) (AICc), k log n (BIC), and for EBIC 2 gamma log C(p, m) more for m
            features.
        """
        from fastreg.selection.criteria import CRITERIA, information_criterion

        name = validation.one_of(criterion, "criterion", CRITERIA)
        noise_variance = validation.as_positive(noise_variance, "noise_variance")
        gamma = validation.as_share(gamma, "gamma")
        X, task = self._data("information_criterion", ("squared", "logistic", "multinomial", "poisson"))
        return information_criterion(self, as_design(X), task, name, noise_variance, gamma)

    def relax(self, gamma: float = 0.0) -> Self:
        """The relaxed path: each solution blended with least squares on the features that it has chosen.

        Parameters
        ----------
        gamma : float in [0, 1], default=0.0
            Share of the penalised solution: 1 is this path, 0 least squares (of minimum norm) on its supports, which
            takes the shrinkage off what is chosen.

        Returns
        -------
        RegularizationPath
            On the same alphas. `dual_gaps` remain those of this path: they certify the supports, the blend has none. It
            has no X at hand.

        Raises
        ------
        ValueError
            If gamma is out of range, the path has bounds, or no X at hand (see `certificate`).

        References
        ----------
        N. Meinshausen, "Relaxed lasso", Computational Statistics & Data Analysis 52 (2007).
        """
        from fastreg.selection.relaxed import relaxed

        gamma = validation.as_share(gamma, "gamma")
        X, task = self._data("relax", ("squared",))
        if task.lower is not None:
            raise ValueError("a path with bounds cannot be relaxed: least squares on its supports may leave them.")
        coefs, intercepts, ratios = relaxed(self, X, task, gamma, n_threads(None))
        return replace(self, coefs=coefs, intercepts=intercepts, deviance_ratio=ratios, _source=None)

    def plot(
        self,
        ax: Axes | Sequence[Axes] | NDArray[Any] | None = None,
        n_labels: int = 8,
        *,
        scale: ArrayLike | None = None,
    ) -> Any:
        """Draw the coefficients against alpha, for ``loss="multinomial"`` in a panel for each class; needs matplotlib.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, or sequence of K of them for ``loss="multinomial"``, default=None
            None makes a new figure.
        n_labels : int, default=8
            How many of the largest coefficients are labelled.
        scale : array-like of shape (p,), default=None
            Factors for the coefficients, such as the standard deviations of the columns.

        Returns
        -------
        matplotlib.axes.Axes, or ndarray of shape (K,) of them
        """
        from fastreg.report.plots import plot_path

        return plot_path(self, ax=ax, n_labels=n_labels, scale=scale)

    def summary(self) -> str:
        """A text table with one line for each alpha: non-zero coefficients, deviance ratio, relative gap, iterations.

        Returns
        -------
        str
        """
        lines = [f"{'alpha':>12}{'non-zero':>10}{'dev. ratio':>12}{'rel. gap':>10}{'iterations':>12}"]
        columns = zip(self.alphas, self.n_nonzero, self.deviance_ratio, self.relative_gaps, self.n_iter, strict=True)
        for alpha, nonzero, ratio, gap, iterations in columns:
            lines.append(f"{alpha:>12.6g}{nonzero:>10d}{ratio:>12.6f}{gap:>10.1e}{iterations:>12d}")
        return "\n".join(lines)

    def to_frame(self) -> DataFrame:
        """The path as a pandas DataFrame: a row for each alpha, a column for the intercept and each entering feature.

        Features are called by their names if X had any and by their column numbers otherwise; those that are zero all
        along the path are left out. For ``loss="multinomial"`` the columns have the class above them.

        Returns
        -------
        pandas.DataFrame

        Raises
        ------
        ImportError
            If pandas is not installed.
        """
        try:
            import pandas as pd
        except ImportError as error:
            raise ImportError(
                "to_frame needs pandas; install it, or use the arrays alphas, intercepts, coefs."
            ) from error
        if isinstance(self.coefs, list):
            frames = [
                replace(self, coefs=coefs, intercepts=level).to_frame()
                for coefs, level in zip(self.coefs, self.intercepts.T, strict=True)
            ]
            return pd.concat(frames, axis=1, keys=self.classes, names=["class", None])
        entering = np.unique(self.coefs.indices[self.coefs.data != 0])
        names = entering if self.feature_names is None else self.feature_names[entering]
        values = np.column_stack([self.intercepts, self.coefs[entering].toarray().T])
        return pd.DataFrame(values, index=pd.Index(self.alphas, name="alpha"), columns=["(intercept)", *names])

    def __repr__(self) -> str:
        counts = self.n_nonzero
        return (
            f"RegularizationPath({len(self.alphas)} alphas from {self.alphas[0]:.4g} to {self.alphas[-1]:.4g}, "
            f"{self.n_features} features, {counts[0]} to {counts[-1]} non-zero, "
            f"largest relative gap {self.relative_gaps.max():.1e})"
        )
