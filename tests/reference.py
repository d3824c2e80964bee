"""Slow, obvious NumPy twin of the engine: the weighted elastic net by cyclic coordinate descent, and its certificate.

    minimise over (b, w)
        1/(2 S) sum_i s_i (y_i - b - x_i' w)^2  +  alpha sum_j ( l1_ratio |u_j| + (1 - l1_ratio)/2 u_j^2 )

with u_j = w_j sd_j under `standardize` and u_j = w_j otherwise, S = sum_i s_i, and w >= 0 if `positive`.
Everything is float64, everything is dense, and nothing is screened.
"""

from dataclasses import dataclass

import numpy as np


@dataclass
class Normalised:
    """The problem in the variables u: weights that sum to one, X and y centred if there is an intercept."""

    Z: np.ndarray  # (n, p)
    y: np.ndarray  # (n,)
    s: np.ndarray  # (n,)
    scale: np.ndarray  # (p,) w = u / scale; inf for a constant column under standardize
    x_mean: np.ndarray  # (p,) zero without an intercept
    y_mean: float


def normalise(X, y, *, fit_intercept=True, standardize=False, weights=None):
    X, y = np.asarray(X, dtype=np.float64), np.asarray(y, dtype=np.float64)
    n, p = X.shape
    s = np.ones(n) if weights is None else np.asarray(weights, dtype=np.float64)
    s = s / s.sum()
    mean = s @ X
    sd = np.sqrt(s @ (X - mean) ** 2)
    constant = sd <= 1e-14 * np.max(np.abs(X), axis=0, initial=0.0)
    scale = np.where(constant, np.inf, sd) if standardize else np.ones(p)
    x_mean = mean if fit_intercept else np.zeros(p)
    y_mean = float(s @ y) if fit_intercept else 0.0
    Z = X - x_mean
    if fit_intercept:
        Z[:, constant] = 0.0  # what is left there is rounding
    return Normalised(Z / scale, y - y_mean, s, scale, x_mean, y_mean)


def soft_threshold(z, threshold, positive):
    if positive:
        return max(z - threshold, 0.0)
    return np.sign(z) * max(abs(z) - threshold, 0.0)


def penalty(u, l1, l2):
    return np.sum(l1 * np.abs(u) + 0.5 * l2 * u**2)


def normalised_gap(problem, u, l1, l2, positive):
    """P(u) - D(theta) with theta = c r, r the residual of u and c the best factor for which theta is feasible."""
    Z, y, s = problem.Z, problem.y, problem.s
    r = y - Z @ u
    z = Z.T @ (s * r)
    primal = 0.5 * s @ r**2 + penalty(u, l1, l2)
    largest = np.max(z if positive else np.abs(z), initial=0.0)
    if l2 == 0.0:  # the conjugate of l1 |u| is the indicator of |z| <= l1
        best = (s @ (y * r)) / max(s @ r**2, 1e-300)
        limit = l1 / largest if largest > 0 else np.inf
        c = np.clip(best, 0.0 if positive else -limit, limit)
        conjugate = 0.0
    else:
        c = 1.0
        excess = np.maximum((z if positive else np.abs(z)) - l1, 0.0)
        conjugate = np.sum(excess**2) / (2 * l2)
    theta = c * r
    dual = s @ (y * theta) - 0.5 * s @ theta**2 - conjugate
    return primal - dual


def null_objective(X, y, *, fit_intercept=True, weights=None):
    """Objective of the model with zero coefficients and, if there is one, a fitted intercept."""
    problem = normalise(X, y, fit_intercept=fit_intercept, weights=weights)
    return 0.5 * problem.s @ problem.y**2


def alpha_max(X, y, *, l1_ratio=1.0, fit_intercept=True, standardize=False, positive=False, weights=None):
    """The smallest alpha at which every coefficient is zero."""
    problem = normalise(X, y, fit_intercept=fit_intercept, standardize=standardize, weights=weights)
    z = problem.Z.T @ (problem.s * problem.y)
    return max(np.max(z if positive else np.abs(z)), 0.0) / l1_ratio


def fit(
    X,
    y,
    alpha,
    *,
    l1_ratio=1.0,
    fit_intercept=True,
    standardize=False,
    positive=False,
    weights=None,
    tol=1e-13,
    max_sweeps=200_000,
    coef_init=None,
):
    """Coefficients (p,), intercept and the number of sweeps, until gap <= tol * null objective."""
    problem = normalise(X, y, fit_intercept=fit_intercept, standardize=standardize, weights=weights)
    Z, y, s = problem.Z, problem.y, problem.s
    p = Z.shape[1]
    l1, l2 = alpha * l1_ratio, alpha * (1 - l1_ratio)
    target = tol * (0.5 * s @ y**2)
    squared_norms = s @ Z**2
    usable = np.flatnonzero(squared_norms)
    u = np.zeros(p)
    if coef_init is not None:
        u[usable] = coef_init[usable] * problem.scale[usable]
    sweeps = 0
    if alpha == 0.0 and not positive:
        root = np.sqrt(s)
        u = np.linalg.lstsq(root[:, None] * Z, root * y, rcond=None)[0]
    else:
        r = y - Z @ u
        while normalised_gap(problem, u, l1, l2, positive) > target and sweeps < max_sweeps:
            for _ in range(10):
                for j in usable:
                    old = u[j]
                    z = Z[:, j] @ (s * r) + squared_norms[j] * old
                    u[j] = soft_threshold(z, l1, positive) / (squared_norms[j] + l2)
                    if u[j] != old:
                        r += Z[:, j] * (old - u[j])
                sweeps += 1
            r = y - Z @ u
    coef = u / problem.scale
    return coef, problem.y_mean - float(problem.x_mean @ coef), sweeps


def objective(
    X, y, coef, intercept, alpha, *, l1_ratio=1.0, fit_intercept=True, standardize=False, positive=False, weights=None
):
    """The primal objective at (intercept, coef), as the module's docstring writes it."""
    X, y = np.asarray(X, dtype=np.float64), np.asarray(y, dtype=np.float64)
    s = np.ones(len(y)) if weights is None else np.asarray(weights, dtype=np.float64)
    s = s / s.sum()
    sd = np.sqrt(s @ (X - s @ X) ** 2) if standardize else 1.0
    residual = y - intercept - X @ coef
    return 0.5 * s @ residual**2 + penalty(coef * sd, alpha * l1_ratio, alpha * (1 - l1_ratio))


def gap(
    X, y, coef, intercept, alpha, *, l1_ratio=1.0, fit_intercept=True, standardize=False, positive=False, weights=None
):
    """A bound on how far the objective at (intercept, coef) lies above the minimum."""
    problem = normalise(X, y, fit_intercept=fit_intercept, standardize=standardize, weights=weights)
    usable = np.isfinite(problem.scale)
    u = np.where(usable, coef * np.where(usable, problem.scale, 0.0), 0.0)
    best_intercept = problem.y_mean - problem.x_mean @ coef
    miss = 0.5 * (intercept - best_intercept) ** 2  # the intercept is not penalised, so this is all it costs
    return miss + normalised_gap(problem, u, alpha * l1_ratio, alpha * (1 - l1_ratio), positive)


def kkt_residual(
    X, y, coef, intercept, alpha, *, l1_ratio=1.0, fit_intercept=True, standardize=False, positive=False, weights=None
):
    """The largest violation of the optimality conditions, in units of the gradient."""
    problem = normalise(X, y, fit_intercept=fit_intercept, standardize=standardize, weights=weights)
    usable = np.isfinite(problem.scale)
    u = np.where(usable, coef * np.where(usable, problem.scale, 0.0), 0.0)
    residual = problem.y - problem.Z @ u
    gradient = problem.Z.T @ (problem.s * residual) - alpha * (1 - l1_ratio) * u
    at_zero = np.maximum((gradient if positive else np.abs(gradient)) - alpha * l1_ratio, 0.0)
    violation = np.where(u == 0, at_zero, np.abs(gradient - alpha * l1_ratio * np.sign(u)))
    intercept_violation = abs(problem.y_mean - problem.x_mean @ coef - intercept)
    return max(np.max(violation, initial=0.0), intercept_violation)


# --- twins of the kernels: whole arrays instead of tiles -------------------------------------------------------------


def correlate(X, R):
    """X'R for panels R (panels, n, lanes)."""
    return np.array([X.T.astype(np.float64) @ panel for panel in R])


def residuals(X, Y, target, columns, W, weights):
    """Y[target] - X[:, columns] W, targets -1 being zeros, and its weighted column sums (panels, lanes)."""
    s = np.ones(X.shape[0]) if weights is None else weights
    R = []
    for rows, coef in zip(target, W, strict=True):
        start = np.where(rows[:, None] < 0, 0.0, Y[rows]).T
        R.append(start - X[:, columns].astype(np.float64) @ coef)
    return np.array(R), np.array([s @ panel for panel in R])


def gram_columns(X, weights, rows, new, row_means, means):
    """Weighted inner products of shifted columns: features `rows` against features `new`."""
    s = np.ones(X.shape[0]) if weights is None else weights
    left, right = X[:, rows].astype(np.float64) - row_means, X[:, new].astype(np.float64) - means
    return (left * s[:, None]).T @ right


def moments(X, weights, columns, centred):
    """Weighted means (or zeros), sums of squares about them, and raw sums of squares."""
    s = np.ones(X.shape[0]) if weights is None else weights
    Z = X[:, columns].astype(np.float64)
    origin = Z[0]  # so that a large common value does not swallow the mean
    mean = origin + s @ (Z - origin) / s.sum() if centred else np.zeros(len(columns))
    return mean, s @ (Z - mean) ** 2, s @ Z**2


def primal_minus_dual(w, c, squares, l1, l2, f1, f2, positive):
    """Gap at w from its gradient c = X'r / S and r'r / S, at the dual point kappa r with the largest kappa <= 1 that is
    feasible (kappa = 1 where every point is); the null model's objective cancels, so y is not asked for."""
    size = np.maximum(c, 0.0) if positive else np.abs(c)
    largest = np.max(size / f1, initial=0.0)
    kappa = min(1.0, l1 / largest) if l2 == 0.0 and largest > 0 else 1.0
    used = w != 0
    primal = 0.5 * squares + penalty(w[used], l1 * f1[used], l2 * f2[used])
    conjugate = 0.0
    if l2 > 0.0:
        in_use = np.isfinite(f1)
        conjugate = np.sum(np.maximum(size - l1 * f1, 0.0)[in_use] ** 2 / (2 * l2 * f2[in_use]))
    dual = kappa * (squares + c @ w) - 0.5 * kappa**2 * squares - conjugate  # y'theta = kappa (r + X w)'r / S
    return primal - dual


def elastic_net_on_gram(G, q, l1, l2, sides, sweeps=20_000):
    """Minimiser of 1/2 w'G w - q'w + sum_j ( l1_j |w_j| + l2_j/2 w_j^2 ); sides 1 allow w_j > 0, 2 w_j < 0, 3 both."""
    w = np.zeros(len(q))
    for _ in range(sweeps):
        before = w.copy()
        for j in range(len(q)):
            z = q[j] - G[j] @ w + G[j, j] * w[j]
            step = soft_threshold(z, l1[j], False)
            allowed = sides[j] & (1 if step > 0 else 2)
            w[j] = step / (G[j, j] + l2[j]) if allowed else 0.0
        if np.max(np.abs(w - before)) <= 1e-15 * max(1.0, np.max(np.abs(w))):
            break
    return w


def dense_of(starts, stops, index, value, length):
    """The lines of a sparse matrix as the columns of a dense one (length, lines), duplicates adding up in float64."""
    X = np.zeros((length, len(starts)))
    for j, (start, stop) in enumerate(zip(starts, stops, strict=True)):
        for k in range(start, stop):
            X[index[k], j] += np.float64(value[k])
    return X
