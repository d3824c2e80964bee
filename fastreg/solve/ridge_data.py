"""What a ridge problem is made of, and products with its X in float64 that make no wide copy of it."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..design import as_design
from .sample import Sample
from .sums import far_means

FAR = 10.0  # standard deviations: products lose two digits to a mean of so many
BLOCK = 1 << 22  # residuals held at once


@dataclass(slots=True)
class RidgeData:
    """One ridge problem without its alphas: minimise sum_i s_i (y_i - b - x_i' w)^2 + alpha w'Pw for each column of Y.

    Attributes
    ----------
    X : checked ndarray, or sparse matrix in CSC or CSR, of shape (n, p)
    Y : ndarray of shape (n, k), float64
    weights : ndarray of shape (n,) or None
    fit_intercept : bool
    factor : ndarray of shape (p,), or of shape (p, p), or None
        The diagonal of P (0: unpenalised, inf: excluded), or P itself, positive semidefinite; None: ones.
    jobs : int
    far : bool
        Whether some mean is so many times the spread that products have to be taken about it.
    known_means, known_size, known_apart
        What `means`, the system and `apart` have found: the last, and the norms (k,) of X'S(y - mean).
    """

    X: Any
    Y: np.ndarray
    weights: np.ndarray | None = None
    fit_intercept: bool = True
    factor: np.ndarray | None = None
    jobs: int = 1
    known_means: tuple | None = None
    known_size: np.ndarray | None = None
    known_apart: tuple | None = None
    far: bool = False

    @property
    def total(self):
        return float(self.X.shape[0]) if self.weights is None else float(self.weights.sum())

    @property
    def root(self):
        return np.ones(self.X.shape[0]) if self.weights is None else np.sqrt(self.weights)

    @property
    def counted(self):
        """Number of rows of positive weight."""
        return self.X.shape[0] if self.weights is None else int(np.count_nonzero(self.weights))

    def penalised(self, W):
        """P W for W of shape (p, k)."""
        if self.factor is None:
            return W
        if self.factor.ndim == 2:
            return self.factor @ W
        return np.where(np.isfinite(self.factor), self.factor, 0.0)[:, None] * W

    def means(self):
        """(means of the columns (p,), means of Y (k,)), weighted; zeros without an intercept."""
        if self.known_means is None:
            self.known_means = self.find_means() if self.fit_intercept else tuple(map(np.zeros, self.shape))
        return self.known_means

    def apart(self):
        """(nearly full columns of a sparse X that are far from zero, these about their means (n, f)).

        None without an intercept, or where there are none.
        """
        if self.known_apart is None and self.fit_intercept and hasattr(self.X, "format"):
            far = np.flatnonzero(far_means(self.X, self.weights))
            self.known_apart = far, self.X[:, far].toarray() - self.means()[0][far]
        return self.known_apart if self.known_apart is not None and len(self.known_apart[0]) else None

    @property
    def shape(self):
        """(p, k)"""
        return self.X.shape[1], self.Y.shape[1]

    def find_means(self):
        share = np.full(len(self.Y), 1.0 / self.total) if self.weights is None else self.weights / self.total
        origin = self.Y[0]
        level = origin + share @ (self.Y - origin)
        if hasattr(self.X, "format"):
            return self.X.T @ share, level
        every = np.arange(self.X.shape[1], dtype=np.intp)
        mean, square, _ = as_design(self.X).moments(every, self.weights, self.total, True, self.jobs)
        self.far = is_far(mean, square / self.total)
        return mean, level


def is_far(mean, variance):
    """Whether a column has a mean of many standard deviations; a constant one, of many of the largest."""
    spread = np.where(variance > 0, variance, variance.max(initial=0.0))
    return bool((mean * mean > FAR * FAR * spread).any())


def spreads(data):
    """(p,) weighted 1/S standard deviations of the columns about their means; zero where they are constant."""
    return Sample(as_design(data.X), data.weights, True, data.jobs, keeps_gram=False).standard_deviations()


def dense(X):
    return X.toarray() if hasattr(X, "format") else np.asarray(X, dtype=np.float64)


def predict(X, W, jobs=1):
    """X W in float64, without a widened copy of X."""
    return X @ W if hasattr(X, "format") else as_design(X.T).correlations(np.ascontiguousarray(W), jobs)


def pick(X, rows, columns=None):
    """Rows of X, or some of their columns; of all columns a view where the rows are consecutive."""
    if len(rows) and rows[-1] - rows[0] == len(rows) - 1 and (np.diff(rows) == 1).all():
        part = X[rows[0] : rows[-1] + 1]
        return part if columns is None else part[:, columns]
    return X[rows] if columns is None else X[np.ix_(rows, columns)]


def residual_squares(data, W, responses=slice(None)):
    """Weighted residual sums of squares (m,) of these columns of Y under coefficients (p, m), from X itself."""
    mean, level = data.means()
    n, p = data.X.shape
    left = np.zeros(W.shape[1])
    step = max(1, BLOCK // (max(p, W.shape[1]) if data.far else W.shape[1]))
    for start in range(0, n, step):
        part = slice(start, start + step)
        X = data.X if step >= n else data.X[part]
        fitted = (X - mean) @ W if data.far else predict(X, W, data.jobs) - mean @ W
        squares = ((data.Y[part] - level)[:, responses] - fitted) ** 2
        left += squares.sum(axis=0) if data.weights is None else data.weights[part] @ squares
    return left


def correlate(data, R):
    """X'R in float64, without a widened copy of X, for R (n, k) whose columns add up to zero with an intercept."""
    X = data.X
    return X.T @ R if hasattr(X, "format") else as_design(X).correlations(np.ascontiguousarray(R), data.jobs)
