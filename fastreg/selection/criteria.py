"""Choice of alpha without cross-validation: AIC, AICc, BIC and EBIC along a path."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import gammaln

from fastreg.loss import unit_deviances

if TYPE_CHECKING:
    from typing import Any

    from fastreg._types import Floats, Ints
    from fastreg.result import RegularizationPath
    from fastreg.solve import Task

CRITERIA = ("aic", "aicc", "bic", "ebic")


@dataclass(frozen=True, slots=True)
class Criterion:
    """A criterion along a path.

    Attributes
    ----------
    name : str
    alphas : ndarray of shape (L,)
    values : ndarray of shape (L,)
        Residual sum of squares over the noise variance, or deviance, plus the price of the degrees of freedom. Smaller
        is better.
    degrees_of_freedom : ndarray of shape (L,)
    noise_variance : float
    alpha : float
        Of the smallest value; of equal ones the largest alpha.
    """

    name: str
    alphas: Floats
    values: Floats
    degrees_of_freedom: Floats
    noise_variance: float

    @property
    def alpha(self) -> float:
        return float(self.alphas[int(self.values.argmin())])


def information_criterion(
    path: RegularizationPath,
    design: Any,
    task: Task,
    name: str,
    noise_variance: float | None = None,
    gamma: float = 1.0,
) -> Criterion:
    """Evaluate a criterion along a path.

    Parameters
    ----------
    path : RegularizationPath
    design : Dense, Columns or Rows
        X of the fit.
    task : Task
        Of the fit.
    name : {"aic", "aicc", "bic", "ebic"}
    noise_variance : float or None
        None: the organic lasso's estimate from the path.
    gamma : float
        Of EBIC.

    Returns
    -------
    Criterion

    Notes
    -----
    With n rows of positive weight, k degrees of freedom and the noise variance s2, the value is RSS / s2 plus 2 k for
    AIC, 2 k n / (n - k - 1) for AICc (infinite where n - k - 1 is not positive), k log n for BIC, and for EBIC besides
    2 gamma log C(p, m), m the number of features in the model (J. Chen and Z. Chen, Biometrika 95, 2008).  A variance
    from the residuals of the model itself would vanish where a model saturates, so it is one for the whole path.

    The degrees of freedom of the lasso are its features (H. Zou, T. Hastie and R. Tibshirani, Annals of Statistics 35,
    2007); of the elastic net the trace of its smoother on these features.  The intercept counts one.

    For the logistic, multinomial and Poisson losses the deviance takes the place of RSS / s2, and the degrees of
    freedom are the coefficients that are not zero.
    """
    n = design.n if task.weights is None else int(np.count_nonzero(task.weights))
    if task.loss != "squared":
        noise_variance, rss = 1.0, n * deviance(path, design, task)
        classes = len(task.classes) - 1 if task.loss == "multinomial" else 1
        freedom = sum((part != 0).sum(axis=0) for part in path.parts) + float(task.fit_intercept * classes)
    else:
        rss = squares_left(path, design, task) * n
        if noise_variance is None:
            noise_variance = organic_variance(path, design, task)
        freedom = degrees_of_freedom(path, design, task)
    fit = rss / noise_variance if noise_variance > 0 else np.where(rss > 0, np.inf, 0.0)
    if name == "aic":
        price = 2.0 * freedom
    elif name == "aicc":
        left = n - freedom - 1.0
        price = np.full(len(freedom), np.inf)
        price[left > 0] = 2.0 * freedom[left > 0] * n / left[left > 0]
    else:
        price = np.log(n) * freedom
        if name == "ebic":
            p, m = design.p, path.n_nonzero
            price = price + 2.0 * gamma * (gammaln(p + 1) - gammaln(m + 1) - gammaln(p - m + 1))
    return Criterion(name, path.alphas, fit + price, freedom, float(noise_variance))


def deviance(path: RegularizationPath, design: Any, task: Task) -> Floats:
    """(L,) weighted mean deviances of a path for a loss that is a likelihood."""
    share = np.full(design.n, 1.0 / design.n) if task.weights is None else task.weights / task.weights.sum()
    z = path.decision_function(design.X, offset=task.offset)
    return share @ unit_deviances(task.loss, task.y, z, None)


def squares_left(path: RegularizationPath, design: Any, task: Task) -> Floats:
    """(L,) weighted mean squares of the residuals."""
    y = task.y
    share = np.full(len(y), 1.0 / len(y)) if task.weights is None else task.weights / task.weights.sum()
    level = (share * y).sum() if task.fit_intercept else 0.0
    return (1.0 - path.deviance_ratio) * (share * (y - level) ** 2).sum()


def spreads(design: Any, task: Task) -> Floats:
    """(p,) weighted 1/S standard deviations of the columns (root mean squares without an intercept)."""
    total = float(design.n) if task.weights is None else float(task.weights.sum())
    every = np.arange(design.p, dtype=np.intp)
    return np.sqrt(design.moments(every, task.weights, total, task.fit_intercept)[1] / total)


def organic_variance(path: RegularizationPath, design: Any, task: Task) -> float:
    """The noise variance by the organic lasso, which needs no other estimate and no n > p.

    It is the least value of  mean squared residual + 2 a ||w||_1^2  with a = log(p) / n, columns in units of their
    standard deviations, over the solutions of the path: a bound of the estimate from above that is close to it on a
    fine grid (G. Yu and J. Bien, "Estimating the error variance in a high-dimensional linear model", Biometrika 106,
    2019).
    """
    n = design.n if task.weights is None else int(np.count_nonzero(task.weights))
    norm = abs(path.coefs).T @ spreads(design, task)
    return float((squares_left(path, design, task) + 2.0 * np.log(max(design.p, 2)) / n * norm**2).min())


def degrees_of_freedom(path: RegularizationPath, design: Any, task: Task) -> Floats:
    """(L,) effective degrees of freedom, the intercept counted."""
    freedom = path.n_nonzero.astype(float)
    if task.l1_ratio < 1.0:
        for k in range(len(freedom)):
            used = path.coefs.indices[path.coefs.indptr[k] : path.coefs.indptr[k + 1]]
            freedom[k] = smoother_trace(design, task, np.sort(used), (1.0 - task.l1_ratio) * path.alphas[k])
    return freedom + task.fit_intercept


def smoother_trace(design: Any, task: Task, used: Ints, l2: float) -> float:
    """Trace of Z (Z'Z + l2 P)^-1 Z' for the weighted, centred columns in use, over the total weight."""
    if len(used) == 0:
        return 0.0
    X = design.X[:, used]
    Z = X.toarray() if hasattr(X, "format") else np.asarray(X, dtype=np.float64)
    share = np.full(design.n, 1.0 / design.n) if task.weights is None else task.weights / task.weights.sum()
    if task.fit_intercept:
        Z = Z - share @ Z
    factor = np.ones(len(used)) if task.penalty_factor is None else task.penalty_factor[used]
    if task.standardize:
        mean = share @ Z
        factor = factor * (share @ (Z - mean) ** 2)
    Z = np.sqrt(share)[:, None] * Z
    G = Z.T @ Z
    return float(np.trace(np.linalg.lstsq(G + l2 * np.diag(factor), G, rcond=None)[0]))
