"""Slow, obvious NumPy twin of the engine: the weighted elastic net by cyclic coordinate descent, and its certificate.

    minimise over (b, w)
        1/(2 S) sum_i s_i (y_i - b - x_i' w)^2  +  alpha sum_j ( l1_ratio |u_j| + (1 - l1_ratio)/2 u_j^2 )

with u_j = w_j sd_j under `standardize` and u_j = w_j otherwise, S = sum_i s_i, and w >= 0 if `positive`.
Everything is float64, everything is dense, and nothing is screened.
"""

from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit, logsumexp, softmax, xlogy


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


# --- losses that are not quadratic -----------------------------------------------------------------------------------
#
#     minimise over (b, w)   1/S sum_i s_i f(y_i, o_i + b + x_i' w)  +  sum_j ( l1_j |w_j| + l2_j/2 w_j^2 )
#     subject to             lower_j <= w_j <= upper_j
#
# for y in {0, 1} where f is a loss of two classes; `Softmax` is for several.


def loss_value(loss, y, z, delta=1.35):
    """f(y, z) of each row."""
    if loss == "logistic":
        return np.logaddexp(0.0, z) - y * z
    if loss == "poisson":
        return np.exp(z) - y * z - (y - xlogy(y, y))
    if loss == "squared_hinge":
        return 0.5 * np.maximum(1.0 - (2.0 * y - 1.0) * z, 0.0) ** 2
    far = np.abs(y - z)
    return np.where(far <= delta, 0.5 * far**2, delta * (far - 0.5 * delta))


def loss_slope(loss, y, z, delta=1.35):
    """f'(y, z), by z."""
    if loss == "logistic":
        return np.where(y == 1, -expit(-z), expit(z))
    if loss == "poisson":
        return np.exp(z) - y
    if loss == "squared_hinge":
        t = 2.0 * y - 1.0
        return -t * np.maximum(1.0 - t * z, 0.0)
    return np.clip(z - y, -delta, delta)


def loss_curvature(loss, y, z, delta=1.35):
    """f''(y, z), by z."""
    if loss == "logistic":
        return expit(z) * expit(-z)
    if loss == "poisson":
        return np.exp(z)
    if loss == "squared_hinge":
        return np.where((2.0 * y - 1.0) * z < 1.0, 1.0, 0.0)
    return np.where(np.abs(y - z) <= delta, 1.0, 0.0)


def loss_conjugate(loss, y, v, delta=1.35):
    """f*(y, v) = sup_z v z - f(y, z); a v that is outside of its domain by rounding counts as on the edge."""
    if loss == "logistic":
        t = np.clip(v + y, 0.0, 1.0)
        value, outside = xlogy(t, t) + xlogy(1.0 - t, 1.0 - t), np.abs(v + y - t)
    elif loss == "poisson":
        t = np.maximum(v + y, 0.0)
        value, outside = xlogy(t, t) - t + y - xlogy(y, y), t - v - y
    elif loss == "squared_hinge":
        a = np.minimum((2.0 * y - 1.0) * v, 0.0)
        value, outside = a + 0.5 * a**2, (2.0 * y - 1.0) * v - a
    else:
        value, outside = 0.5 * v**2 + v * y, np.maximum(np.abs(v) - delta, 0.0)
    return np.where(outside <= 1e-12 * (1.0 + np.abs(y)), value, np.inf)


@dataclass
class Glm:
    """A problem with everything that modifies it, per row and per column."""

    X: np.ndarray  # (n, p)
    y: np.ndarray  # (n,)
    s: np.ndarray  # (n,) weights that sum to one
    offset: np.ndarray  # (n,)
    loss: str
    delta: float
    fit_intercept: bool
    l1: np.ndarray  # (p,) for alpha = 1
    l2: np.ndarray  # (p,)
    lower: np.ndarray  # (p,) both are zero for a column that cannot be used
    upper: np.ndarray  # (p,)

    def predictor(self, coef, intercept):
        return self.offset + intercept + self.X @ coef

    def slope(self, z):
        return self.s * loss_slope(self.loss, self.y, z, self.delta)

    def objective(self, coef, intercept, alpha):
        value = self.s @ loss_value(self.loss, self.y, self.predictor(coef, intercept), self.delta)
        return value + penalty(coef, alpha * self.l1, alpha * self.l2)

    def kkt_residual(self, coef, intercept, alpha):
        """The largest distance of a partial derivative from what penalty and bounds allow, over the largest possible
        derivative at zero; with an intercept, of the derivative by the intercept too."""
        r = -self.slope(self.predictor(coef, intercept))
        mean = self.s @ self.X if self.fit_intercept else 0.0
        gradient = (self.X - mean).T @ r - alpha * self.l2 * coef
        above = gradient - np.where(coef < 0, -alpha * self.l1, alpha * self.l1)
        below = np.where(coef > 0, alpha * self.l1, -alpha * self.l1) - gradient
        above[coef >= self.upper] = 0.0
        below[coef <= self.lower] = 0.0
        start = self.slope(self.offset)
        size = np.max(np.abs(self.X - mean), axis=0) * np.abs(start).sum()
        size[(self.lower == self.upper) | (size == 0)] = 1.0
        worst = np.max(np.maximum(above, below) / size, initial=0.0)
        return max(worst, abs(r.sum()) / max(np.abs(start).sum(), 1e-300) if self.fit_intercept else 0.0)

    def gap(self, coef, intercept, alpha):
        """P - D at the slopes of the loss, moved so that they add up to zero against the intercept and all columns
        without a penalty, then scaled until the L1 penalties allow them."""
        X, s, l1, l2 = self.X, self.s, alpha * self.l1, alpha * self.l2
        z = self.predictor(coef, intercept)
        v = loss_slope(self.loss, self.y, z, self.delta)
        held = (coef == self.lower) | (coef == self.upper)
        free = X[:, (l1 == 0) & (l2 == 0) & ~held]
        Z = np.column_stack([np.ones(len(s)), free]) if self.fit_intercept else free
        if Z.shape[1]:  # a change in proportion to the curvature keeps v in the conjugate's domain
            h = loss_curvature(self.loss, self.y, z, self.delta)
            size = np.sqrt(np.maximum((s * h) @ Z**2, 1e-300))
            for _ in range(2):
                M = ((Z / size).T * (s * h)) @ (Z / size)
                v = v - h * ((Z / size) @ np.linalg.lstsq(M, (Z / size).T @ (s * v), rcond=1e-13)[0])
        c = -X.T @ (s * v)
        bound = np.where(c > 0, self.upper, -self.lower)
        excess = np.maximum(np.abs(c) - l1, 0.0)
        tight = (excess > 0) & (l2 == 0) & np.isinf(bound)
        rounding = 1e-13 * (np.abs(X).T @ (s * np.abs(v)))
        tight &= (l1 > 0) | (excess > rounding)  # what is left of an unpenalised column's product is rounding
        kappa = np.min((l1 / np.maximum(np.abs(c), 1e-300))[tight], initial=1.0)
        excess = np.where(tight, 0.0, np.maximum(kappa * np.abs(c) - l1, 0.0))
        excess[(l1 == 0) & (l2 == 0) & np.isinf(bound)] = 0.0
        with np.errstate(divide="ignore", invalid="ignore"):
            at = np.where(excess > 0, np.minimum(excess / l2, bound), 0.0)
        conjugate = np.sum(excess * at - 0.5 * l2 * at**2)
        dual = -s @ (loss_conjugate(self.loss, self.y, kappa * v, self.delta) - kappa * v * self.offset) - conjugate
        return self.objective(coef, intercept, alpha) - dual

    def fit(self, alpha):
        """(coefficients, intercept, objective) by L-BFGS-B on positive and negative parts: half of all digits."""
        p = self.X.shape[1]
        l1, l2 = alpha * self.l1, alpha * self.l2

        def value_and_slope(point):
            up, down, b = point[:p], point[p : 2 * p], point[2 * p]
            w = up - down
            z = self.predictor(w, b)
            value = self.s @ loss_value(self.loss, self.y, z, self.delta) + l1 @ (up + down) + 0.5 * l2 @ w**2
            r = self.slope(z)
            g = self.X.T @ r + l2 * w
            return value, np.concatenate([g + l1, l1 - g, [r.sum() if self.fit_intercept else 0.0]])

        box = [(0, high) for high in self.upper] + [(0, -low) for low in self.lower] + [(None, None)]
        found = minimize_in_box(value_and_slope, np.zeros(2 * p + 1), box)
        return found.x[:p] - found.x[p : 2 * p], found.x[2 * p], found.fun

    def null(self):
        """(coefficients, intercept, objective) of the model without penalised features."""
        kept = (self.l1 == 0) & (self.l2 == 0)
        bounds = {"lower": np.where(kept, self.lower, 0.0), "upper": np.where(kept, self.upper, 0.0)}
        return replace(self, **bounds).fit(0.0)


class Softmax(Glm):
    """A problem with K classes y in 0..K-1: coefficients are (p, K), intercepts (K,)."""

    @property
    def own(self):
        """(n, K) indicators of the rows' classes."""
        return np.eye(int(self.y.max()) + 1)[self.y.astype(int)]

    def predictor(self, coef, intercept):
        return self.X @ coef + intercept

    def slope(self, z):
        return self.s[:, None] * (softmax(z, axis=1) - self.own)

    def mean_loss(self, z):
        return self.s @ (logsumexp(z, axis=1) - (z * self.own).sum(axis=1))

    def objective(self, coef, intercept, alpha):
        value = self.mean_loss(self.predictor(coef, intercept))
        return value + penalty(coef, alpha * self.l1[:, None], alpha * self.l2[:, None])

    def kkt_residual(self, coef, intercept, alpha):
        l1, l2 = alpha * self.l1[:, None], alpha * self.l2[:, None]
        r = -self.slope(self.predictor(coef, intercept))
        mean = self.s @ self.X if self.fit_intercept else 0.0
        gradient = (self.X - mean).T @ r - l2 * coef
        above = gradient - np.where(coef < 0, -l1, l1)
        below = np.where(coef > 0, l1, -l1) - gradient
        above[coef >= self.upper[:, None]] = 0.0
        below[coef <= self.lower[:, None]] = 0.0
        start = np.abs(self.slope(np.zeros_like(r))).sum(axis=0)
        size = np.outer(np.max(np.abs(self.X - mean), axis=0), start)
        size[(self.lower == self.upper) | (size == 0).any(axis=1)] = 1.0
        worst = np.max(np.maximum(above, below) / size, initial=0.0)
        return max(worst, np.max(np.abs(r.sum(axis=0)) / start) if self.fit_intercept else 0.0)

    def gap(self, coef, intercept, alpha):
        """As for one predictor; own and the slopes together make a point of the simplex in each row."""
        X, s, own, l1, l2 = self.X, self.s, self.own, alpha * self.l1, alpha * self.l2
        P, K = softmax(self.predictor(coef, intercept), axis=1), own.shape[1]
        v = np.where(own == 1, -(P * (1 - own)).sum(axis=1, keepdims=True), P)
        unpenalised = np.flatnonzero((l1 == 0) & (l2 == 0))
        held = [(coef[j] == self.lower[j]) | (coef[j] == self.upper[j]) for j in unpenalised]
        columns = [(X[:, j], ~some) for j, some in zip(unpenalised, held, strict=True)]
        columns += [(np.ones(len(s)), np.ones(K, bool))] if self.fit_intercept else []
        ways = []  # directions (n, K) that the slopes have to be orthogonal to, as changes of the predictors
        for x, classes in columns:
            ways += [x[:, None] * np.eye(K)[k] for k in np.flatnonzero(classes)]
        if ways:  # a change by the curvature keeps the sums of the rows
            ways = np.array(ways)
            bent = s[:, None] * P * (ways - (ways * P).sum(axis=2, keepdims=True))
            M = np.einsum("aik,bik->ab", ways, bent)
            size = np.sqrt(np.maximum(np.diag(M), 1e-300))
            for _ in range(2):
                left = np.einsum("aik,ik->a", ways, s[:, None] * v) / size
                b = np.linalg.lstsq(M / np.outer(size, size), left, rcond=1e-13)[0] / size
                v -= np.tensordot(b, bent, 1) / s[:, None]
        c = -X.T @ (s[:, None] * v)
        bound = np.where(c > 0, self.upper[:, None], -self.lower[:, None])
        l1, l2 = np.broadcast_to(l1[:, None], c.shape), np.broadcast_to(l2[:, None], c.shape)
        excess = np.maximum(np.abs(c) - l1, 0.0)
        tight = (excess > 0) & (l2 == 0) & np.isinf(bound)
        rounding = 1e-13 * (np.abs(X).T @ (s[:, None] * np.abs(v)))
        tight &= (l1 > 0) | (excess > rounding)
        kappa = np.min((l1 / np.maximum(np.abs(c), 1e-300))[tight], initial=1.0)
        excess = np.where(tight, 0.0, np.maximum(kappa * np.abs(c) - l1, 0.0))
        excess[(l1 == 0) & (l2 == 0) & np.isinf(bound)] = 0.0
        with np.errstate(divide="ignore", invalid="ignore"):
            at = np.where(excess > 0, np.minimum(excess / l2, bound), 0.0)
        T = own + kappa * v
        entropy = xlogy(T, np.maximum(T, 0.0)).sum(axis=1) if T.min() >= -1e-12 else np.inf
        dual = -(s * entropy).sum() - np.sum(excess * at - 0.5 * l2 * at**2)
        return self.objective(coef, intercept, alpha) - dual

    def fit(self, alpha):
        """As for one predictor."""
        p, K = self.X.shape[1], self.own.shape[1]
        l1, l2 = np.repeat(alpha * self.l1, K), np.repeat(alpha * self.l2, K)

        def value_and_slope(point):
            up, down, b = np.split(point, [p * K, 2 * p * K])
            w = up - down
            z = self.predictor(w.reshape(p, K), b)
            r = self.slope(z)
            g = (self.X.T @ r).ravel() + l2 * w
            value = self.mean_loss(z) + l1 @ (up + down) + 0.5 * l2 @ w**2
            return value, np.concatenate([g + l1, l1 - g, r.sum(axis=0) * self.fit_intercept])

        box = [(0, high) for high in np.repeat(self.upper, K)] + [(0, -low) for low in np.repeat(self.lower, K)]
        found = minimize_in_box(value_and_slope, np.zeros((2 * p + 1) * K), box + [(None, None)] * K)
        up, down, b = np.split(found.x, [p * K, 2 * p * K])
        return (up - down).reshape(p, K), b, found.fun


def minimize_in_box(value_and_slope, start, box):
    """L-BFGS-B, started anew until that helps no more, as it may give up early."""
    options = {"maxiter": 20_000, "maxfun": 50_000, "maxcor": 50, "ftol": 1e-16, "gtol": 1e-10, "maxls": 50}
    arguments = {"jac": True, "method": "L-BFGS-B", "bounds": box, "options": options}
    found = minimize(value_and_slope, start, **arguments)
    for _ in range(50):
        last, found = found, minimize(value_and_slope, found.x, **arguments)
        if found.fun >= last.fun:
            break
    return found


def glm(
    X, y, loss, *, delta=1.35, l1_ratio=1.0, fit_intercept=True, standardize=False, positive=False, sample_weight=None,
    offset=None, penalty_factor=None, lower_bounds=-np.inf, upper_bounds=np.inf,
):  # fmt: skip
    """The problem of `fit_path` with these arguments, rows of weight zero left out."""
    X = np.asarray(X.toarray() if hasattr(X, "toarray") else X, dtype=np.float64)
    n, p = X.shape
    s = np.ones(n) if sample_weight is None else np.asarray(sample_weight, dtype=np.float64)
    rows = s > 0
    X, y, s = X[rows], np.asarray(y, dtype=np.float64)[rows], s[rows] / s.sum()
    offset = np.zeros(len(s)) if offset is None else np.asarray(offset, dtype=np.float64)[rows]
    origin = X[0] if len(X) else 0.0
    sd = np.sqrt(s @ (X - origin - s @ (X - origin)) ** 2)
    constant = sd <= 1e-14 * np.max(np.abs(X), axis=0, initial=0.0)
    v = np.ones(p) if penalty_factor is None else np.asarray(penalty_factor, dtype=np.float64)
    dead = np.isinf(v) | (constant & (standardize or fit_intercept))
    v = np.where(dead, 0.0, v)
    scale = sd if standardize else np.ones(p)
    lower = np.broadcast_to(0.0 if positive else lower_bounds, p)
    return (Softmax if loss == "multinomial" else Glm)(
        X, y, s, offset, loss, delta, fit_intercept, l1_ratio * v * scale, (1.0 - l1_ratio) * v * scale**2,
        np.where(dead, 0.0, lower), np.where(dead, 0.0, np.broadcast_to(upper_bounds, p)),
    )  # fmt: skip
