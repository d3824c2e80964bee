"""The end of a path at alpha = 0: least squares, of minimum norm where it is not unique."""

import numpy as np

from .ridge import ridge_path


def least_squares(X, y, task):
    """Coefficients, intercept and relative residual of the normal equations, for one task at alpha = 0.

    With `positive` the problem is non-negative least squares (Lawson & Hanson 1974) on a centred copy of X, and the
    residual counts only the gradient that a feature could follow.
    """
    if not task.positive:
        fit = ridge_path(
            X, y, np.zeros(1), fit_intercept=task.fit_intercept, standardize=task.standardize,
            sample_weight=task.weights,
        )  # fmt: skip
        return fit.coefs[:, 0], float(fit.intercepts[0]), float(fit.residuals[0])
    from scipy.optimize import nnls  # loads slowly, and is needed rarely

    weights = np.ones(len(y)) if task.weights is None else task.weights
    share = weights / weights.sum()
    mean, level = (share @ X, share @ y) if task.fit_intercept else (np.zeros(X.shape[1]), 0.0)
    Z, t = (X - mean) * np.sqrt(share)[:, None], (y - level) * np.sqrt(share)
    w = nnls(Z, t)[0]
    gradient = Z.T @ (t - Z @ w)
    residual = np.linalg.norm(np.where(w > 0, gradient, np.maximum(gradient, 0.0)))
    intercept = level - mean @ w
    return w, float(intercept), float(residual / (np.linalg.norm(Z.T @ t) or 1.0))
