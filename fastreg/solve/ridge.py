"""Ridge regression along a grid of alphas: one Gram matrix; Cholesky for a few alphas, its spectrum for many."""

from dataclasses import dataclass

import numpy as np
from scipy.linalg import LinAlgError, cho_factor, cho_solve, eigh, lstsq

_BLOCK_BYTES = 1 << 24  # widened part of X that is held at once
_MOST_FACTORS = 30  # about as many Cholesky factorizations cost as much as one eigendecomposition


@dataclass(frozen=True, slots=True)
class RidgeSolution:
    """What `ridge_path` returns, one entry for each alpha, in the order in which they were given.

    Attributes
    ----------
    coefs : ndarray of shape (p, L), float64
        Coefficients on the scale of X.
    intercepts : ndarray of shape (L,), float64
        Zero without an intercept.
    residuals : ndarray of shape (L,), float64
        Norm of the gradient at the coefficients, relative to its norm at zero; computed from X itself.
    relative_gaps : ndarray of shape (L,), float64
        Duality gap over the objective of the null model. NaN at alpha = 0, where `residuals` is the certificate.
    """

    coefs: np.ndarray
    intercepts: np.ndarray
    residuals: np.ndarray
    relative_gaps: np.ndarray


def ridge_path(X, y, alphas, *, fit_intercept=True, standardize=False, sample_weight=None):
    """Fit ridge regression exactly for every alpha of a grid.

    Minimises over (b, w), with weights s_i that sum to S (ones: S = n),

        1/(2 S) sum_i s_i (y_i - b - x_i' w)^2  +  alpha/2 ||w||^2

    Let Z and t be X and y, centred if there is an intercept, their rows multiplied by sqrt(s_i / S). Then
    (Z'Z + alpha I) w = Z't, or w = Z'u with (ZZ' + alpha I) u = t; the smaller of the two matrices is built once,
    from blocks of X, and factorized for each alpha, or diagonalized once if there are many.

    Parameters
    ----------
    X : ndarray of shape (n, p), float32 or float64
        Any memory order; not written. Copied as a whole only if 0 is among the alphas (LAPACK needs it).
    y : ndarray of shape (n,), float64
    alphas : array_like of shape (L,)
        Non-negative, in any order. At 0: least squares, and if that is not unique the solution whose penalised
        norm is smallest, which is the limit of ridge for alpha to 0.
    fit_intercept : bool
        Add an unpenalised intercept.
    standardize : bool
        Penalise w_j times the weighted 1/S standard deviation of column j about its mean, instead of w_j.
        Constant columns get 0.
    sample_weight : ndarray of shape (n,) or None
        Non-negative, not all zero. Rows of weight zero count as absent.

    Returns
    -------
    RidgeSolution
        Coefficients, intercepts and two measures of how exact they are.

    Raises
    ------
    scipy.linalg.LinAlgError
        If the singular values (alpha = 0) or eigenvalues cannot be computed. The arguments are not checked here.

    Notes
    -----
    With g = Z'(t - Zw) - alpha w the dual point theta = t - Zw gives the gap ||g||^2 / (2 alpha) without further work.
    If alpha is lost in the rounding of the matrix, the spectrum replaces Cholesky too, without the directions that are
    zero up to rounding.

    References
    ----------
    A. E. Hoerl and R. W. Kennard, "Ridge regression: biased estimation for nonorthogonal problems",
    Technometrics 12 (1970). The dual form: C. Saunders, A. Gammerman and V. Vovk, "Ridge regression learning
    algorithm in dual variables", ICML 1998.
    """
    alphas = np.asarray(alphas, dtype=np.float64)
    design = _Scaled(X, fit_intercept, standardize, sample_weight)
    y_mean = design.weights @ y if fit_intercept else 0.0
    t = design.root * (y - y_mean)

    W = np.empty((X.shape[1], alphas.size))
    positive = alphas > 0
    if positive.any():
        W[:, positive] = _solve_all(design, t, alphas[positive])
    if not positive.all():
        Z = design.rows(slice(None))
        W[:, ~positive] = lstsq(Z, t, cond=max(Z.shape) * np.finfo(float).eps, overwrite_a=True)[0][:, None]

    gradient_at_zero, gradients = design.correlate(t[:, None])[:, 0], design.correlate(t[:, None] - design.predict(W))
    gradients -= alphas * W
    norms, norm_at_zero, null = np.linalg.norm(gradients, axis=0), np.linalg.norm(gradient_at_zero), t @ t / 2
    gaps = np.full(alphas.size, np.nan)
    gaps[positive] = norms[positive] ** 2 / (2 * alphas[positive])

    coefs = W * design.scale[:, None]
    intercepts = y_mean - design.mean @ coefs if fit_intercept else np.zeros(alphas.size)
    # A null model without error is the solution: nothing to be relative to.
    return RidgeSolution(coefs, intercepts, norms / (norm_at_zero or 1.0), gaps / (null or 1.0))


def _solve_all(design, t, alphas):
    """Coefficients (p, L) of the scaled problem for positive alphas."""
    n, p = design.X.shape
    primal = n >= p
    matrix = design.gram() if primal else design.kernel()
    right = design.correlate(t[:, None])[:, 0] if primal else t
    size = matrix.shape[0]
    rounding = size * np.finfo(float).eps * np.trace(matrix)
    diagonal = np.arange(size)
    spectrum = eigh(matrix, driver="evd", check_finite=False) if alphas.size > _MOST_FACTORS else None
    solutions = np.empty((size, alphas.size))
    for k, alpha in enumerate(alphas):
        if spectrum is None and alpha > rounding:
            shifted = matrix.copy()
            shifted[diagonal, diagonal] += alpha
            try:
                factor = cho_factor(shifted, lower=True, overwrite_a=True, check_finite=False)
                solutions[:, k] = cho_solve(factor, right, check_finite=False)
                continue
            except LinAlgError:
                pass
        if spectrum is None:
            spectrum = eigh(matrix, driver="evd", check_finite=False)
        values, vectors = spectrum
        inverse = 1 / (np.maximum(values, 0) + alpha)
        if alpha <= rounding:
            inverse[values <= rounding] = 0
        solutions[:, k] = vectors @ (inverse * (right @ vectors))
    return solutions if primal else design.correlate(solutions)


class _Scaled:
    """X with weights, centring and scaling applied to one block at a time."""

    def __init__(self, X, center, standardize, sample_weight):
        n, p = X.shape
        self.X = X
        self.weights = np.full(n, 1 / n) if sample_weight is None else sample_weight / np.sum(sample_weight)
        self.root = np.sqrt(self.weights)
        self.mean, self.scale = np.zeros(p), np.ones(p)
        self._row_blocks, self._column_blocks = _blocks(n, p), _blocks(p, n)
        if not (center or standardize):
            return
        mean = sum(self.weights[b] @ X[b].astype(np.float64) for b in self._row_blocks)
        if standardize:
            variance = sum(self.weights[b] @ (X[b] - mean) ** 2 for b in self._row_blocks)
            sd = np.sqrt(variance)
            constant = sd <= 10 * np.finfo(np.float64).eps * np.abs(mean)  # the rounding of the mean itself
            self.scale = np.divide(1.0, sd, out=np.zeros(p), where=~constant)
        if center:
            self.mean = mean

    def rows(self, b):
        return (self.X[b] - self.mean) * self.scale * self.root[b, None]

    def columns(self, b):
        return (self.X[:, b] - self.mean[b]) * self.scale[b] * self.root[:, None]

    def gram(self):
        return sum(Z.T @ Z for Z in map(self.rows, self._row_blocks))

    def kernel(self):
        return sum(Z @ Z.T for Z in map(self.columns, self._column_blocks))

    def correlate(self, R):
        """Z'R for R of shape (n, k)."""
        return sum(self.rows(b).T @ R[b] for b in self._row_blocks)

    def predict(self, W):
        """ZW for W of shape (p, k)."""
        return np.concatenate([self.rows(b) @ W for b in self._row_blocks])


def _blocks(length, width):
    step = max(1, _BLOCK_BYTES // (8 * max(1, width)))
    return [slice(start, min(start + step, length)) for start in range(0, length, step)]
