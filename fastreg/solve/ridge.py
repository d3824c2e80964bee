"""Ridge regression: coefficients to rounding, certified from X itself."""

from dataclasses import dataclass

import numpy as np

from ..design import as_design
from ..design.blocks import aligned
from .krylov import Krylov
from .ridge_data import correlate, predict
from .systems import EXACT, REFINEMENTS, TINY, ByFeatures, ByRows, Decomposed, System, TooLarge, check_size, system_for

MOST_FACTORS = 20  # about as many Cholesky factorizations cost as much as one eigendecomposition
REFINED = 1e-13  # relative residual to which refinement makes up for single precision
SHORT = 1e-13  # relative length of a step that is not worth another look at X
MOST_ENTRIES = 1 << 28  # of a sparse X that is made dense to be decomposed
LANES = 24  # residuals at a time
ONE_PASS = 8  # residuals that are made and used while a few rows of X are in the cache
SATURATED = 1e-6  # what is left of one by a leverage, or df / n, for whose residuals a Gram matrix has too few digits


@dataclass(slots=True)
class RidgeSolution:
    """Solutions of m ridge problems over one X.

    Attributes
    ----------
    coefs : ndarray of shape (p, m)
    intercepts : ndarray of shape (m,)
    residuals : ndarray of shape (m,)
        Norm of the gradient at the coefficients, relative to its norm at zero; computed from X itself.
    dual_gaps : ndarray of shape (m,)
        In units of ||y - Xw||^2 + alpha w'Pw; NaN where alpha is 0 or P is not diagonal and positive, where `residuals`
        is the certificate.
    system : System
        The factorization, for more.
    """

    coefs: np.ndarray
    intercepts: np.ndarray
    residuals: np.ndarray
    dual_gaps: np.ndarray
    system: System


def fit_ridge(data, alphas, responses=None, system=None):
    """Solve ridge problems over one X, each with its alpha and its response, to rounding.

    With Z and t the rows of X and y times the roots of their weights, centred if there is an intercept,
    (Z'Z + alpha P) w = Z't, or w = P^-1 Z'u with (Z P^-1 Z' + alpha I) u = t.  The smaller matrix is built once, and
    factorized for each alpha, or diagonalized if there are many.  Where it is close to singular, Z itself is
    decomposed.  Gradients that are computed from X then refine the solution.

    Parameters
    ----------
    data : RidgeData
    alphas : ndarray of shape (m,)
        Non-negative.  At 0: least squares, of minimum norm if it is not unique, which is the limit for alpha to 0.
    responses : ndarray of shape (m,) or None
        Columns of Y; None: each once.
    system : System or None
        A factorization of the same problem, if there is one.

    Returns
    -------
    RidgeSolution

    Raises
    ------
    TooLarge
        If X is sparse, neither side of it is small enough for a factorization, and not every feature is penalised.

    Notes
    -----
    With g = Z'(t - Zw) - alpha P w, the dual point t - Zw gives the gap g'P^-1 g / alpha without further work.

    References
    ----------
    A. E. Hoerl and R. W. Kennard, "Ridge regression: biased estimation for nonorthogonal problems", Technometrics 12
    (1970).  The dual form: C. Saunders, A. Gammerman and V. Vovk, "Ridge regression learning algorithm in dual
    variables", ICML 1998.
    """
    alphas = np.asarray(alphas, dtype=np.float64)
    responses = np.arange(data.Y.shape[1]) if responses is None else np.asarray(responses)
    values = np.unique(alphas)
    if values[0] == 0.0 and not isinstance(system, Decomposed):  # squaring would lose half of the digits
        system = decompose(data)
    elif system is None:
        try:
            system = system_for(data)
        except TooLarge:
            if data.factor is not None and not (data.factor > 0).all():
                raise
            system = Krylov(data, values)
    solution = solve(data, alphas, responses, system)
    if system.single and (solution is None or not (solution.residuals <= REFINED).all()):
        data.known_size = None
        solution = solve(data, alphas, responses, system_for(data))
    return solution


def solve(data, alphas, responses, system):
    """As `fit_ridge`; None where a system in single precision has no solution."""
    values = np.unique(alphas)
    many = len(values) > MOST_FACTORS or getattr(system, "spectrum", None) is not None
    if len(alphas) == 1 and isinstance(system, ByRows):
        found = system.refined(alphas[0], responses[0], many)
        if found is not None:
            W, residual, gap = found
            return RidgeSolution(W, system.intercepts(W, responses), np.array([residual]), np.array([gap]), system)
    W = np.empty((data.X.shape[1], len(alphas)))
    for alpha in values:
        these = np.flatnonzero(alphas == alpha)
        some = system.coefs(alpha, responses[these], many)
        if system.single and (some is None or system.weak(alpha)):
            return None
        if some is None:
            system = decompose(data)
            some = system.coefs(alpha, responses[these])
        W[:, these] = some
    gradient, residuals = refine(data, system, W, alphas, responses, many)
    intercepts = system.intercepts(W, responses)
    return RidgeSolution(W, intercepts, residuals, gaps(data, gradient, alphas), system)


def decompose(data):
    """The singular value decomposition, of a copy of X."""
    check_size(data.X, MOST_ENTRIES)
    return Decomposed(data)


def ask(data, system, question, saturated):
    """(answer of `question(system)`, the system that gave it).

    X itself is decomposed where a Gram matrix has no answer (None), or has lost the digits of a `saturated` one.
    Raises TooLarge if there is no answer because X cannot be decomposed.
    """
    answer = question(system)
    if answer is None or (isinstance(system, ByFeatures) and saturated(answer)):
        try:
            system = decompose(data)
        except TooLarge:
            if answer is None:
                raise
        else:
            answer = question(system)
    return answer, system


def generalized_cross_validation(data, alphas, system):
    """The criterion of generalized cross-validation for all alphas and all columns of Y, from one factorization.

    With residuals r_i of the rows, weights s_i, the n rows of positive weight, and df the trace of the hat matrix,
    which counts the intercept: (sum_i s_i r_i^2 / sum_i s_i) / (1 - df / n)^2.

    Parameters
    ----------
    data : RidgeData
    alphas : ndarray of shape (L,)
        Non-negative.
    system : System
        A factorization of this problem.

    Returns
    -------
    criterion : ndarray of shape (L, k)
        NaN where no degrees of freedom are left.
    freedom : ndarray of shape (L,)
        Residual degrees of freedom, n - df.
    system : System
        The factorization that told it.

    References
    ----------
    G. H. Golub, M. Heath and G. Wahba, "Generalized cross-validation as a method for choosing a good ridge parameter",
    Technometrics 21 (1979).
    """
    n = data.counted
    (squares, freedom), system = ask(
        data, system, lambda one: one.residual_sums(alphas), lambda found: found[1].min() < SATURATED * n
    )
    freedom = np.maximum(freedom, 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        criterion = squares / data.total / (freedom / n)[:, None] ** 2
    return np.where(freedom[:, None] > 0, criterion, np.nan), freedom, system


def refine(data, system, W, alphas, responses, many):
    """Iterative refinement of W in place; returns (gradient (p, m), relative residuals (m,)) at the end."""
    gradient = gradients(data, W, alphas, responses)
    if data.known_size is None:
        k = data.Y.shape[1]
        data.known_size = np.linalg.norm(products(data, np.zeros((len(W), k)), np.arange(k)), axis=0)
    size = np.where(data.known_size > 0, data.known_size, 1.0)[responses]
    residuals = np.linalg.norm(gradient, axis=0) / size
    weak = np.array([system.weak(alpha) for alpha in alphas])
    left, last = np.flatnonzero((residuals > EXACT) | weak), np.full(len(alphas), np.inf)
    for _ in range(REFINEMENTS):
        steps = np.empty((len(W), len(left)))
        for alpha in np.unique(alphas[left]):
            these = alphas[left] == alpha
            step = system.correction(alpha, gradient[:, left[these]], many)
            if step is None:
                return gradient, residuals
            steps[:, these] = step
        length = np.linalg.norm(steps, axis=0) / np.maximum(np.linalg.norm(W[:, left], axis=0), TINY)
        worth = (length < 0.5 * last[left]) & ((length > SHORT) | (residuals[left] > EXACT))
        left, steps, length = left[worth], steps[:, worth], length[worth]
        if len(left) == 0:
            break
        tried = W[:, left] + steps
        new = gradients(data, tried, alphas[left], responses[left])
        now, before = np.linalg.norm(new, axis=0) / size[left], residuals[left]
        # of errors along weak directions the gradient's norm tells nothing below rounding, but steps do
        better = (now < before) | (weak[left] & (now <= EXACT))
        W[:, left[better]], gradient[:, left[better]] = tried[:, better], new[:, better]
        residuals[left[better]], last[left] = now[better], length
        left = left[better & (weak[left] | ((now > EXACT) & (now < 0.1 * before)))]
    return gradient, residuals


def gaps(data, gradient, alphas):
    """Duality gaps (m,) from gradients."""
    if data.factor is not None and (data.factor.ndim == 2 or (data.factor == 0).any()):
        return np.full(len(alphas), np.nan)
    weight = 1.0 if data.factor is None else (1.0 / data.factor)[:, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(alphas > 0, (gradient * gradient * weight).sum(axis=0) / alphas, np.nan)


def gradients(data, W, alphas, responses):
    """Minus half the gradient (p, m) at W, from X itself."""
    gradient = products(data, W, responses) - alphas * data.penalised(W)
    if data.factor is not None and data.factor.ndim == 1:
        gradient[np.isinf(data.factor)] = 0.0
    return gradient


def products(data, W, responses):
    """X'S(y - b - Xw) (p, m); with an intercept b the residuals are about their means."""
    mean, level = data.means()
    if data.far:
        return far_products(data, W, responses)
    if W.shape[1] > LANES:
        parts = [slice(i, i + LANES) for i in range(0, W.shape[1], LANES)]
        return np.hstack([products(data, W[:, part], responses[part]) for part in parts])
    if not hasattr(data.X, "format") and len(data.Y) > len(W) and len(responses) <= ONE_PASS and W.any():
        origin = level[responses] - (mean[:, None] * W).sum(axis=0)
        if len(responses) == 1:
            y = data.Y[:, responses[0]] - origin[0]
            out, r = as_design(data.X).gradient(np.ascontiguousarray(W[:, 0]), y, data.weights, data.jobs)
            return (out - mean * r.sum())[:, None]
        out, off = as_design(data.X).gradients(W, data.Y[:, responses], origin, data.weights, data.jobs)
        return out - mean[:, None] * off if data.fit_intercept else out
    R, apart = data.Y[:, responses] - level[responses], data.apart()
    if apart is not None:
        far, Z = apart
        R -= Z @ W[far]
        W, mean = W.copy(), mean.copy()
        W[far] = mean[far] = 0.0
    if W.any():
        R -= predict(data.X, W, data.jobs)
    if data.weights is not None:
        R *= data.weights[:, None]
    if data.fit_intercept:
        weights = 1.0 if data.weights is None else data.weights[:, None]
        R += weights * (mean[:, None] * W).sum(axis=0)
        R -= weights * (R.sum(axis=0) / data.total)
    out = correlate(data, R)
    if apart is not None:
        out[far] = Z.T @ R
    return out


def far_products(data, W, responses):
    """As `products`, for columns far from zero: about their means."""
    design = as_design(data.X)
    design.shift = data.means()[0]
    (n, p), m = data.X.shape, W.shape[1]
    width = design.panel_width(m)
    Y, every = np.ascontiguousarray((data.Y - data.means()[1]).T), np.arange(p, dtype=np.intp)
    out = np.empty((p, m))
    for start in range(0, m, width):
        some = min(width, m - start)
        target = np.full((1, width), -1, dtype=np.intp)
        target[0, :some] = responses[start : start + some]
        coefs, R, panel = np.zeros((1, p, width)), aligned((1, n, width)), aligned((1, p, width))
        coefs[0, :, :some] = W[:, start : start + some]
        design.residuals(Y, target, every, coefs, data.weights, data.fit_intercept, data.total, R, data.jobs)
        design.correlate(R, panel, data.jobs)
        out[:, start : start + some] = panel[0, :, :some]
    return out
