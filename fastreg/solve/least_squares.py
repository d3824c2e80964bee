"""The end of a path at alpha = 0: least squares, of minimum norm where it is not unique."""

import numpy as np
from scipy.sparse import issparse

from ..design.blocks import watch
from ..kernels.residual import ResidualSet
from .ridge import fit_ridge
from .ridge_data import RidgeData, spreads
from .sample import Sample

SMALL = 3e-23  # share of the null objective: the square root of a gap bounds the gradient
STEPS = 100


def least_squares(X, y, task):
    """Coefficients, intercept and relative residual of the normal equations, for one task at alpha = 0.

    Excluded features stay at zero.  Bounds, for a dense X only, make it a bounded problem (Lawson & Hanson 1974 for
    lower bounds of zero alone, else Stark & Parker 1995, or the trust region of Branch, Coleman & Li 1999 for a wide X)
    on a centred copy of X; the residual then counts only the gradient that a feature could follow.
    """
    kept = slice(None)
    if task.penalty_factor is not None and np.isinf(task.penalty_factor).any():
        kept = np.flatnonzero(np.isfinite(task.penalty_factor))
    w = np.zeros(X.shape[1])
    if not issparse(X) and task.lower is None:
        data = RidgeData(X[:, kept], y[:, None], task.weights, task.fit_intercept)
        if task.standardize:
            spread = spreads(data)
            data.factor = np.where(spread > 0, spread**2, np.inf)
        fit = fit_ridge(data, np.zeros(1))
        w[kept] = fit.coefs[:, 0]
        return w, float(fit.intercepts[0]), float(fit.residuals[0])
    some = X[:, kept]
    share = np.full(len(y), 1.0 / len(y)) if task.weights is None else task.weights / task.weights.sum()
    mean, level = (some.T @ share, share @ y) if task.fit_intercept else (np.zeros(some.shape[1]), 0.0)
    root = np.sqrt(share)
    if task.lower is None:
        w[kept] = _smallest(some, root, mean, root * (y - level), task)
    else:
        bounds = task.lower[kept], task.upper[kept]
        w[kept] = _bounded((some - mean) * root[:, None], root * (y - level), *bounds, task.max_iter)

    def correlate(r):
        return some.T @ (share * r) - mean * (share @ r)

    gradient = correlate(y - level - some @ w[kept] + mean @ w[kept])
    if task.lower is not None:
        free_up, free_down = w[kept] < task.upper[kept], w[kept] > task.lower[kept]
        gradient = np.where(free_up, np.maximum(gradient, 0.0), 0.0)
        gradient += np.where(free_down, np.minimum(gradient, 0.0), 0.0)
    residual = np.linalg.norm(gradient) / (np.linalg.norm(correlate(y - level)) or 1.0)
    return w, float(level - mean @ w[kept]), float(residual)


def _smallest(X, root, mean, t, task):
    """The solution of minimum norm for a sparse X (Fong & Saunders 2011, LSMR)."""
    from scipy.sparse.linalg import LinearOperator, lsmr

    scale = np.ones(X.shape[1])
    if task.standardize:
        centre = X.T @ root**2
        spread = np.sqrt(np.maximum(X.multiply(X).T @ root**2 - centre**2, 0.0))
        scale = np.divide(1.0, spread, out=np.zeros(len(spread)), where=spread > 1e-12 * np.abs(centre))
    Z = LinearOperator(
        X.shape,
        matvec=lambda w: root * (X @ (scale * w.ravel()) - mean @ (scale * w.ravel())),
        rmatvec=lambda r: scale * (X.T @ (root * r.ravel()) - mean * (root @ r.ravel())),
        dtype=np.float64,
    )
    most = max(task.max_iter, 4 * min(Z.shape))
    return scale * lsmr(Z, t, atol=1e-16, btol=1e-16, conlim=0.0, maxiter=most)[0]


def _bounded(Z, t, lower, upper, max_iter):
    from scipy.optimize import lsq_linear, nnls  # loads slowly, and is needed rarely

    if not lower.any() and np.isinf(upper).all():
        return nnls(Z, t)[0]
    w, movable = np.zeros(len(lower)), lower < upper
    some = Z[:, movable]
    method = "bvls" if some.shape[0] >= some.shape[1] else "trf"
    bounds = lower[movable], upper[movable]
    w[movable] = lsq_linear(some, t, bounds, method=method, tol=1e-14, max_iter=max_iter).x
    return np.clip(w, lower, upper)


def bounded_sparse(design, y, level, task, jobs):
    """What `least_squares` returns, for a sparse X with bounds: the engine's residual solver with nothing penalised."""
    p = design.p
    sample = Sample(design, task.weights, task.fit_intercept, jobs, keeps_gram=False)
    sample.add(np.arange(p, dtype=np.intp))
    active = ResidualSet(y - level, task.weights, sample.total, watch=watch)
    in_use = sample.norm > 0
    if task.penalty_factor is not None:
        in_use &= np.isfinite(task.penalty_factor)
    none = np.zeros(p)
    mean = sample.mean if task.fit_intercept else none
    active.extend(mean, np.where(in_use, sample.norm, 0.0), none, none, task.lower, task.upper)
    design.give_to(active, sample.features)
    start, coef = active.gradients(none), np.zeros(p)
    squares = y - level if task.weights is None else np.sqrt(task.weights) * (y - level)
    active.goal = SMALL * (squares * squares).sum() / (2.0 * sample.total)
    where, w, ends, count = np.empty(2 * p, np.int32), np.empty(2 * p), np.zeros(2, np.intp), np.zeros(1, np.int64)
    active.solve(np.ones(1), np.zeros(1), np.zeros(1, np.uint8), STEPS, np.inf, where, w, ends, count)
    coef[where[: ends[1]]] = w[: ends[1]]
    gradient = active.gradients(coef)
    gradient = np.where(coef < task.upper, np.maximum(gradient, 0), 0) + np.where(
        coef > task.lower, np.minimum(gradient, 0), 0
    )
    size = np.linalg.norm(start[in_use]) or 1.0
    return coef, float(level - mean @ coef), float(np.linalg.norm(gradient[in_use]) / size)
