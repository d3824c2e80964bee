"""Ridge regression on a sparse X too large for a factorization: one Krylov space for all alphas and each response."""

from dataclasses import replace

import numpy as np

from .systems import System

EXACT = 1e-15  # of the right-hand side: what residuals are to fall to
MOST = 5_000  # products
FALLING = 100  # products in which the residual has to halve


class Krylov(System):
    """The solutions for some alphas by conjugate gradients that share their products with X.

    (X'SX + alpha P) spans the same Krylov space for all alphas, in coordinates in which P is the identity: iterates and
    residuals for larger alphas follow from those for the smallest by scalar recurrences (B. Jegerlehner, "Krylov space
    solvers for shifted linear systems", hep-lat/9612014, 1996). Responses, which are not multiples of each other, share
    the passes over X.

    Parameters
    ----------
    data : RidgeData
        Its penalty None or positive; inf excludes features.
    alphas : ndarray of shape (L,)
        Positive.
    """

    def __init__(self, data, alphas):
        self.data = data
        p, k = data.shape
        self.mean, self.level = data.means()
        self.scale = np.ones(p) if data.factor is None else 1.0 / np.sqrt(data.factor)
        self.alphas = np.sort(alphas)
        self.found = self.solve(self.correlations(data, np.zeros((p, k))), self.alphas)

    def correlations(self, data, W):
        """X'S(y - Xw) in the scaled coordinates."""
        from .ridge import products

        return self.scale[:, None] * products(data, self.scale[:, None] * W, np.arange(W.shape[1]))

    def solve(self, right, alphas):
        """Solutions (L, p, k) in the coordinates of X, for right-hand sides (p, k) and ascending alphas."""
        L = len(alphas)
        k = right.shape[1]
        zero = replace(self.data, Y=np.zeros((len(self.data.Y), k)), known_means=(self.mean, np.zeros(k)))
        shifts = alphas - alphas[0]
        W, D = np.zeros((L, *right.shape)), np.repeat(right[None], L, axis=0)
        r, d = right.copy(), right.copy()
        size = rho = (r * r).sum(axis=0)
        zeta, zeta_old = np.ones((2, L, k))
        beta_old, a = np.ones(k), np.zeros(k)
        lowest, since, active = np.inf, 0, list(range(L))
        with np.errstate(divide="ignore", invalid="ignore"):  # of columns that are zero
            for _ in range(MOST):
                q = alphas[0] * d - self.correlations(zero, d)
                beta = np.where(rho > 0, -rho / (d * q).sum(axis=0), 0.0)
                r += beta * q
                rho_new = (r * r).sum(axis=0)
                a_new = np.where(rho > 0, rho_new / rho, 0.0)
                for i in active:
                    below = beta * a * (zeta_old[i] - zeta[i]) + zeta_old[i] * beta_old * (1.0 - shifts[i] * beta)
                    new = np.where(below != 0.0, zeta[i] * zeta_old[i] * beta_old / below, 0.0)
                    step = np.where(zeta[i] != 0.0, beta * new / zeta[i], 0.0)
                    W[i] -= step * D[i]
                    D[i] *= np.where(zeta[i] * beta != 0.0, a_new * new * step / (zeta[i] * beta), 0.0)
                    D[i] += new * r
                    zeta_old[i], zeta[i] = zeta[i], new
                d *= a_new
                d += r
                rho, beta_old, a = rho_new, np.where(beta != 0.0, beta, 1.0), a_new
                active = [i for i in active if (zeta[i] ** 2 * rho > EXACT**2 * size).any()]
                left = float(np.sqrt((rho / np.where(size > 0, size, 1.0)).max()))
                lowest, since = (left, 0) if left < 0.5 * lowest else (lowest, since + 1)
                if not active or since > FALLING:
                    break
        return W * self.scale[:, None]

    def coefs(self, alpha, columns, many=False):
        return self.found[int(np.searchsorted(self.alphas, alpha))][:, columns]

    def correction(self, alpha, gradient, many=False):
        return self.solve(self.scale[:, None] * gradient, np.array([alpha]))[0]

    def weak(self, alpha):
        return False
