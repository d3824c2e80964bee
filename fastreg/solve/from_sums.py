"""Problems of which only sums over rows are known: a design that has the same sums, and what their rounding costs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.linalg import lapack, solve_triangular

from .ridge import MOST_FACTORS, fit_ridge
from .ridge_data import RidgeData
from .systems import ByFeatures

if TYPE_CHECKING:
    from typing import Any

    from .._types import Floats, Ints

EPS = np.finfo(float).eps
CONSTANT = 1e-15  # standard deviations of a column, over its mean, that are rounding
CONSTANT_Y = 1e-14  # the same for a response
TELLING = 1e-11  # correlation of a dependent column with a response that is no rounding error


@dataclass(slots=True)
class Moments:
    """Sums of squares and products of p features and k responses, about their means if there is an intercept.

    Attributes
    ----------
    total : float
        Sum of the weights, S.
    mean : ndarray of shape (p,)
    level : ndarray of shape (k,)
        Means of the features and of the responses; zeros without an intercept.
    gram : ndarray of shape (p, p)
    cross : ndarray of shape (p, k)
    squares : ndarray of shape (k,)
    spread : ndarray of shape (p,)
        Standard deviations about the means, with or without an intercept; zero for a constant column.
    size_x : ndarray of shape (p,)
    size_y : ndarray of shape (k,)
        Roots of the largest sums of squares that went into the above, which is what they are rounded to.
    rounding : float
        An entry of `gram` is off by no more than ``rounding * size_x[i] * size_x[j]``; likewise the others.
    """

    total: float
    mean: Floats
    level: Floats
    gram: Floats
    cross: Floats
    squares: Floats
    spread: Floats
    size_x: Floats
    size_y: Floats
    rounding: float


def moments_of(sums: Any, largest_x: Floats, largest_y: Floats, depth: int, fit_intercept: bool) -> Moments:
    """What `Sums` say of a problem.

    Parameters
    ----------
    sums : Sums
        Of at least one row.
    largest_x : ndarray of shape (p,)
    largest_y : ndarray of shape (k,)
        The largest sums of squares that there were, also before rows were taken away.
    depth : int
        The most rows that were added at a time.
    fit_intercept : bool

    Returns
    -------
    Moments

    Notes
    -----
    Rounding errors of a sum of m terms grow as the square root of m with a probability close to one (Higham and Mary
    2019); between blocks the sums are compensated.  The factorization of `stand_in` adds its own p terms.
    """
    total = float(sums.weight)
    rounding = 2.0 * EPS * (8.0 + np.sqrt(depth) + np.sqrt(sums.p))
    mean, level, gram, cross, squares = sums.centred(True)
    variance = np.diag(gram).copy()
    constant = variance <= np.maximum(CONSTANT**2 * total * mean * mean, rounding * largest_x)
    constant_y = squares <= np.maximum(CONSTANT_Y**2 * total * level * level, EPS * EPS * largest_y)
    spread = np.where(constant, 0.0, np.sqrt(np.maximum(variance, 0.0) / total))
    if fit_intercept:
        gram[constant], gram[:, constant], cross[constant], cross[:, constant_y] = 0.0, 0.0, 0.0, 0.0
        squares[constant_y] = 0.0
    else:
        mean, level, gram, cross, squares = sums.centred(False)
    return Moments(
        total, mean, level, gram, cross, squares, spread, np.sqrt(np.maximum(largest_x, np.diag(gram))),
        np.sqrt(np.maximum(largest_y, squares)), rounding,
    )  # fmt: skip


def stand_in(moments: Moments) -> tuple[Floats, Floats, float]:
    """A design and responses with few rows and the same sums: X (r + k, p), Y (k, r + k), and how well they are met.

    With the Gram matrix G = R'R, of rank r, X is R above one more row for each response, and Y is R'^-1 times the cross
    products, next to what is left of the squares.  The further rows of X hold what a column that counts as dependent
    still has in common with a response, no more than the root of a rounding error.  The last result is the largest
    difference from given cross products, over the norms of its columns: what is too small to tell from rounding is left
    out, lest least squares make much of it.

    References
    ----------
    N. J. Higham, "Analysis of the Cholesky decomposition of a semi-definite matrix", in: Reliable Numerical Computation
    (1990), for complete pivoting, which finds the rank.
    """
    p, k = moments.cross.shape
    tolerance = 0.5 * moments.rounding
    norm, size = np.sqrt(np.maximum(np.diag(moments.gram), 0.0)), np.sqrt(np.maximum(moments.squares, 0.0))
    inverse, inverse_size = (np.divide(1.0, a, out=np.zeros_like(a), where=a > 0) for a in (norm, size))
    scaled = np.asfortranarray(moments.gram * inverse[:, None] * inverse)
    c = moments.cross * inverse[:, None] * inverse_size
    R, order, rank, _ = lapack.dpstrf(scaled, tol=tolerance, lower=0, overwrite_a=1)
    rank, order = (int(rank) if norm.any() else 0), order - 1
    X, Y = np.zeros((rank + k, p)), np.zeros((k, rank + k))
    X[:rank, order] = np.triu(R[:rank])
    if rank:
        known = solve_triangular(R[:rank, :rank], c[order[:rank]], trans="T", check_finite=False)
        Y[:, :rank] = known.T
    rest = np.sqrt(np.maximum((size > 0) - (Y * Y).sum(axis=1), 0.0))
    left = c - X[:rank].T @ Y[:, :rank].T
    shared = (np.abs(left) > TELLING) & (rest > np.sqrt(tolerance))
    np.divide(left, rest, out=X[rank:].T, where=shared)
    Y[np.arange(k), rank + np.arange(k)] = rest
    lost = float(np.abs(left - X[rank:].T * rest).max(initial=0.0))
    return X * norm, Y * size[:, None], lost


def add_rounding(
    moments: Moments, k: int, gaps: Floats, null: float, W: Floats, l1: Floats, l2: Floats, v1: Floats, v2: Floats
) -> Floats:
    """Duality gaps (L,) of the sums, and what the rounding of these can add to them.

    Where all sums are off by no more than a share u of their sizes e_j (features), e (response), the squares of the
    residuals at w are off by u t^2, with t = e + sum_j e_j |w_j|, and the gradients by d_j = u e_j t; where features
    are unpenalised, u grows by the condition of their Gram matrix.  The dual point that gave the gap, shrunk until it
    is feasible for all such gradients, or with the conjugate that these cost, whichever is less, gives the bound.
    Shrinking by a share h costs h (w'X'r + (1 - kappa + h / 2) r'r), kappa being what made the point feasible before.

    Parameters
    ----------
    moments : Moments
    k : int
        The response.
    gaps : ndarray of shape (L,)
        In units of the objective with 1/(2 S); those at alpha = 0 are squared relative residuals of the normal
        equations times `null`.
    null : float
    W : ndarray of shape (p, L)
    l1, l2 : ndarray of shape (L,)
        Weights of the two penalties ...
    v1, v2 : ndarray of shape (p,)
        ... and their factors; 0 and inf as in `Task`.

    Returns
    -------
    ndarray of shape (L,)
    """
    S, e = moments.total, moments.size_x
    t = moments.size_y[k] + e @ np.abs(W)
    u = moments.rounding * (1.0 + condition(moments, np.flatnonzero(v1 == 0)))
    bound = 2.0 * u * t * t / S
    some = np.flatnonzero((v1 > 0) & np.isfinite(v1) & (e > 0))
    if len(some):
        d = np.multiply.outer(e[some], u * t / S)
        gradient = moments.cross[:, k, None] - moments.gram @ W
        inner, largest = np.abs((W * gradient).sum(axis=0)), np.abs(gradient[some] / v1[some, None]).max(axis=0) / S
        with np.errstate(divide="ignore", invalid="ignore"):
            share = (d / v1[some, None]).max(axis=0) / l1
            room = 1.0 - np.minimum(1.0, l1 / largest) + 0.5 * share
            shrinking = share * (inner + room * moments.size_y[k] ** 2) / S
            conjugate = (np.abs(W[some]) * d).sum(axis=0) + (d * d / v2[some, None]).sum(axis=0) / (2.0 * l2)
        bound += np.where(l1 > 0, np.where(l2 > 0, np.minimum(shrinking, conjugate), shrinking), conjugate)
    plain = (l1 == 0) & (l2 == 0)
    if plain.any():
        size = np.linalg.norm(moments.cross[np.isfinite(v1), k])
        residual = np.sqrt(gaps[plain] / null) if null > 0 else 0.0
        bound[plain] = null * (residual + u * t[plain] * np.linalg.norm(e) / (size or 1.0)) ** 2 - gaps[plain]
    return gaps + bound


def condition(moments: Moments, free: Ints) -> float:
    """By how much residuals are more off where these features are projected out of them."""
    size = np.sqrt(np.diag(moments.gram)[free])
    free, size = free[size > 0], size[size > 0]
    if len(free) == 0:
        return 0.0
    values = np.linalg.eigvalsh(moments.gram[np.ix_(free, free)] / np.outer(size, size))
    return float(np.sqrt(len(free) / values[values > moments.rounding].min()))


def null_model(moments: Moments, free: Ints) -> tuple[Floats, Floats]:
    """(coefficients (p, k), squares left (k,)) of least squares on these features alone, of minimum norm."""
    coefs = np.zeros(moments.cross.shape)
    size = np.sqrt(np.diag(moments.gram)[free])
    free, size = free[size > 0], size[size > 0]
    if len(free) == 0:
        return coefs, moments.squares.copy()
    G, c = moments.gram[np.ix_(free, free)] / np.outer(size, size), moments.cross[free] / size[:, None]
    scaled = np.linalg.lstsq(G, c, rcond=moments.rounding)[0]
    coefs[free] = scaled / size[:, None]
    return coefs, np.maximum(moments.squares - ((2.0 * c - G @ scaled) * scaled).sum(axis=0), 0.0)


def ridge_from_sums(
    sums: Any, moments: Moments, fit_intercept: bool, alphas: Floats, factor: Floats
) -> tuple[Floats, Floats]:
    """Coefficients (p, k, L) and gaps (k, L) of ridge problems, in units of ||y - Xw||^2 + alpha w'Pw.

    The gap is the objective's exact distance from its minimum, g'H^-1 g with g half its gradient and H half its second
    derivative; where H is singular to working precision, the solution and its certificate are those of `stand_in`.

    Parameters
    ----------
    sums : Sums
    moments : Moments
        Of these sums.
    fit_intercept : bool
    alphas : ndarray of shape (L,)
    factor : ndarray of shape (p,)
        Diagonal of P; inf excludes a feature.
    """
    p, k = moments.cross.shape
    system = ByFeatures(sums, fit_intercept, factor)
    many = len(alphas) > MOST_FACTORS
    penalty = np.where(np.isfinite(factor), factor, 0.0)[:, None]
    coefs, gaps, singular = np.zeros((p, k, len(alphas))), np.zeros((k, len(alphas))), []

    def judge(W: Floats) -> tuple[Any, Floats]:
        """The step to the minimum, and how far above it the objective is."""
        gradient = moments.cross - moments.gram @ W - alpha * penalty * W
        gradient[np.isinf(factor)] = 0.0
        step = system.solve(alpha, gradient, many)
        return step, np.maximum((gradient * step).sum(axis=0), 0.0)

    for i, alpha in enumerate(alphas):
        W = system.solve(alpha, moments.cross, many)
        if W is None:
            singular.append(i)
            continue
        step, gap = judge(W)
        refined = W + step
        after = judge(refined)[1]
        better = after < gap
        coefs[:, :, i], gaps[:, i] = np.where(better, refined, W), np.minimum(gap, after)
    if singular:
        X, Y, lost = stand_in(moments)
        moments.rounding += lost
        which, some = np.tile(np.arange(k), len(singular)), np.repeat(alphas[singular], k)
        fit = fit_ridge(RidgeData(X, np.ascontiguousarray(Y.T), None, False, factor), some, which)
        null = null_model(moments, np.flatnonzero(factor == 0))[1][which]
        gap = np.where(np.isfinite(fit.dual_gaps), fit.dual_gaps, fit.residuals**2 * null)
        coefs[:, :, singular] = fit.coefs.reshape(p, len(singular), k).transpose(0, 2, 1)
        gaps[:, singular] = gap.reshape(len(singular), k).T
    return coefs, gaps
