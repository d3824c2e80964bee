"""The end of a path at alpha = 0: least squares, of minimum norm where it is not unique."""

import numpy as np
from scipy.sparse import issparse

from .ridge import ridge_path


def least_squares(X, y, task):
    """Coefficients, intercept and relative residual of the normal equations, for one task at alpha = 0.

    With `positive` the problem is non-negative least squares (Lawson & Hanson 1974) on a centred copy of X, and the
    residual counts only the gradient that a feature could follow.
    """
    if issparse(X):
        return _sparse(X, y, task)
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


def _sparse(X, y, task):
    """`least_squares` for a sparse X, by conjugate gradients on the normal equations (Fong & Saunders 2011, LSMR).

    LSMR goes to the solution of minimum norm; a bounded problem is solved by a trust-region method that calls it.
    """
    from scipy.optimize import lsq_linear
    from scipy.sparse.linalg import LinearOperator, lsmr

    n, p = X.shape
    share = np.full(n, 1.0 / n) if task.weights is None else task.weights / task.weights.sum()
    root = np.sqrt(share)
    mean, level = (X.T @ share, share @ y) if task.fit_intercept else (np.zeros(p), 0.0)
    scale = np.ones(p)
    if task.standardize:
        centre = X.T @ share
        spread = np.sqrt(np.maximum(X.multiply(X).T @ share - centre**2, 0.0))
        scale = np.divide(1.0, spread, out=np.zeros(p), where=spread > 1e-12 * np.abs(centre))
    Z = LinearOperator(
        (n, p),
        matvec=lambda w: root * (X @ (scale * w.ravel()) - mean @ (scale * w.ravel())),
        rmatvec=lambda r: scale * (X.T @ (root * r.ravel()) - mean * (root @ r.ravel())),
        dtype=np.float64,
    )
    t = root * (y - level)
    if task.positive:
        w = lsq_linear(Z, t, bounds=(0.0, np.inf), tol=1e-14, lsmr_tol=1e-14, max_iter=task.max_iter).x
    else:
        w = lsmr(Z, t, atol=1e-16, btol=1e-16, conlim=0.0, maxiter=max(task.max_iter, 4 * min(n, p)))[0]
    gradient = Z.rmatvec(t - Z.matvec(w))
    if task.positive:
        gradient = np.where(w > 0, gradient, np.maximum(gradient, 0.0))
    residual = np.linalg.norm(gradient) / (np.linalg.norm(Z.rmatvec(t)) or 1.0)
    w = scale * w
    return w, float(level - mean @ w), float(residual)
