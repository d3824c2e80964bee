"""Least squares on the supports of a path: nearly nested sets of features, with factors kept from one to the next.

Small problems come in great numbers here, each too small for the threads of BLAS, which would cost more than they save:
products with X are those of the designs, and short factors grow column by column.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.linalg import lapack

from fastreg.design import as_design
from fastreg.solve.ridge import MOST_ENTRIES, fit_ridge, products
from fastreg.solve.ridge_data import RidgeData
from fastreg.solve.sample import Sample
from fastreg.solve.systems import check_size

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    from fastreg._types import Bools, Floats, Ints
    from fastreg.solve import Task

PIVOT = 1e-12  # least squared pivot, where the diagonal is of ones, at which refinement makes up for the squaring
EXACT = 1e-15  # share of a solution that the next step would change
SHORT = 1e-11  # of a solution: a step that rounding explains
SLOW = 0.1  # ratio of two steps from which on refinement does not converge
STEPS = 4
HELD = 1 << 23  # entries of factors that wait for the refinement of their solutions
LONG = 512  # columns of a factor from which on it grows by blocks ...
WIDTH = 64  # ... of so many,
PANEL = 128  # by so many rows at a time
BLOCK_BYTES = 4 << 20  # of a block of rows in float64


def refit(design: Any, task: Task, indptr: Ints, indices: Ints, jobs: int = 1) -> tuple[Floats, Floats, Floats]:
    """Least squares, of minimum norm where it is not unique, on each support of a path.

    Supports of no more features than there are degrees of freedom are solved by the Gram matrix of the features, larger
    ones by that of the rows, both refined by residuals from X itself. What is singular to working precision is
    decomposed.

    Parameters
    ----------
    design : Dense, Columns or Rows
        Of all features.
    task : Task
        For y, the weights, and whether there is an intercept.
    indptr : ndarray of shape (L + 1,)
    indices : ndarray of shape (nnz,)
        The supports, as the columns of a csc matrix.
    jobs : int

    Returns
    -------
    values : ndarray of shape (nnz,)
        Coefficients, in the places of `indices`.
    intercepts : ndarray of shape (L,)
    ratios : ndarray of shape (L,)
        Deviance ratios.
    """
    rows = Present(design, task, jobs)
    supports = [indices[start:stop] for start, stop in zip(indptr[:-1], indptr[1:], strict=True)]
    new = [i for i, one in enumerate(supports) if len(one) and not (i and np.array_equal(one, supports[i - 1]))]
    found: dict[int, Any] = {}
    for solve, some in (
        (by_features, [i for i in new if len(supports[i]) <= rows.freedom]),
        (by_rows, [i for i in new if len(supports[i]) > rows.freedom]),
    ):
        if some:
            found.update(zip(some, solve(rows, [supports[i] for i in some]), strict=True))
    values, intercepts, ratios = np.empty(len(indices)), np.full(len(supports), rows.level), np.zeros(len(supports))
    total = rows.share @ rows.target**2
    for i, support in enumerate(supports):
        if len(support) == 0:
            continue
        if i in found:
            w, intercept, explained = found[i] or decomposed(rows, support)
        values[indptr[i] : indptr[i + 1]], intercepts[i] = w, intercept
        ratios[i] = explained / total if total > 0 else 0.0
    return values, intercepts, ratios


class Present:
    """The rows of positive weight, and y about its mean."""

    def __init__(self, design: Any, task: Task, jobs: int) -> None:
        self.design, self.X, self.task, self.jobs = design, design.X, task, jobs
        weights = np.ones(design.n) if task.weights is None else task.weights
        self.rows = np.flatnonzero(weights)
        self.total = weights.sum()
        self.share = weights / self.total
        self.level = self.share @ task.y if task.fit_intercept else 0.0
        self.target = task.y - self.level
        self.freedom = len(self.rows) - task.fit_intercept

    def columns(self, used: Ints, mean: Floats, rows: Ints) -> Floats:
        """(r, k) entries of a dense X, in these rows and columns, about the means of the columns."""
        X = self.X
        some = X[rows] if len(used) == X.shape[1] else X[np.ix_(rows, used)]
        return np.subtract(some, mean, dtype=np.float64)

    def gradient(self, used: Ints, mean: Floats) -> Callable[[Floats], Floats]:
        """The function from W (k, m) to Z'S(y - ZW) / sum(S), Z the columns `used` about their means, from X itself."""
        if hasattr(self.X, "format"):
            data = RidgeData(self.X[:, used], self.task.y[:, None], self.task.weights, self.task.fit_intercept)
            return lambda W: products(data, W, np.zeros(W.shape[1], dtype=np.intp)) / self.total
        step = max(1, BLOCK_BYTES // (8 * len(used)))
        blocks = [self.rows[start : start + step] for start in range(0, len(self.rows), step)]
        only = self.columns(used, mean, blocks[0]) if len(blocks) == 1 else None

        def gradient(W: Floats) -> Floats:
            out, W = np.zeros(W.shape), np.ascontiguousarray(W)
            for rows in blocks:
                Z = self.columns(used, mean, rows) if only is None else only
                left = self.target[rows, None] - as_design(Z.T).correlations(W, self.jobs)
                left *= self.share[rows, None]
                out += as_design(Z).correlations(left, self.jobs)
            return out

        return gradient


def by_features(rows: Present, supports: list[Ints]) -> list[Any]:
    """[(coefficients, intercept, explained variance)] for supports, None for singular ones."""
    used = np.unique(np.concatenate(supports)).astype(np.intp)
    places = [np.searchsorted(used, support) for support in supports]
    sample = Sample(rows.design, rows.task.weights, rows.task.fit_intercept, rows.jobs)
    sample.add(used)
    mean = sample.mean + sample.offset
    scale = np.divide(1.0, np.sqrt(sample.norm), out=np.zeros(len(used)), where=sample.norm > 0)[:, None]
    of_columns = rows.gradient(used, mean)

    def gradient(W: Floats) -> Floats:
        return scale * of_columns(scale * W)

    cross = gradient(np.zeros((len(used), 1)))
    found: list[Any]
    held: list[tuple[int, Ints, Floats]]
    found, held, entries = [None] * len(places), [], 0
    for i, factor in enumerate(follow(sample.gram * scale * scale.T, places)):
        last = i == len(places) - 1
        if factor is not None:
            features, R = factor
            entries += len(features) ** 2
            last = last or entries >= HELD
            held.append((i, features.copy(), R if last else R[: len(features)].copy(order="F")))
        if held and last:
            W, sound = refined([(features, R) for _, features, R in held], cross, gradient)
            explained = (cross * W).sum(axis=0)
            W *= scale
            intercepts = rows.level - (mean[:, None] * W).sum(axis=0)
            for k in np.flatnonzero(sound):
                at = held[k][0]
                found[at] = W[places[at], k], intercepts[k], explained[k]
            held, entries = [], 0
    return found


def refined(
    factors: list[tuple[Ints, Floats]], cross: Floats, gradient: Callable[[Floats], Floats]
) -> tuple[Floats, Bools]:
    """Solutions W (k, m) for m pairs (features, R), refined, and whether refinement has converged (m,)."""

    def solve(right: Floats, which: Ints) -> Floats:
        W = np.zeros((len(right), len(which)))
        for k, i in enumerate(which):
            features, R = factors[i]
            W[features, k] = solved(R, right[features, k])
        return W

    left = np.arange(len(factors))
    W = solve(np.broadcast_to(cross, (len(cross), len(left))), left)
    sound, length = np.zeros(len(left), dtype=bool), np.linalg.norm(W, axis=0)
    last = length
    for _ in range(STEPS):
        step = solve(gradient(W[:, left]), left)
        W[:, left] += step
        size = np.linalg.norm(step, axis=0)
        done, lost = judged(size, last, length[left])
        sound[left[done]] = True
        left, last = left[~done & ~lost], size[~done & ~lost]
        if len(left) == 0:
            break
    return W, sound


def judged(size: Any, last: Any, length: Any) -> tuple[Any, Any]:
    """Whether refinement is done, and whether it fails, after steps of this size, the last ones, and the solutions'."""
    done = (size * size <= EXACT * last * length) | (size <= SHORT * length)
    return done, ~done & (size > SLOW * last)


def follow(gram: Floats, supports: list[Ints]) -> Iterator[tuple[Ints, Floats] | None]:
    """Yield (features, R), gram[features, features] = R'R, for each support; None where that is singular.

    The factor is kept from one support to the next, up to the first feature that leaves; those that stay longest stand
    first. What is yielded are views, good until the next; of R (q, k) the first k rows count.

    Parameters
    ----------
    gram : ndarray of shape (k, k)
        With a diagonal of ones.
    supports : list of m arrays of indices
    """
    m = len(supports)
    member = np.zeros((m, len(gram)), dtype=bool)
    for i, support in enumerate(supports):
        member[i, support] = True
    leaves = np.full(member.shape, m)
    for i in range(m - 2, -1, -1):
        leaves[i] = np.where(member[i + 1], leaves[i + 1], i + 1)
    factor = Factor(gram, max(map(len, supports)))
    for i in range(m):
        stays = member[i, factor.features]
        if not stays.all():
            factor.size = int(stays.argmin())
        enters = member[i].copy()
        enters[factor.features] = False
        new = np.flatnonzero(enters)
        whole = factor.append(new[np.argsort(-leaves[i, new], kind="stable")])
        yield (factor.features, factor.R[:, : factor.size]) if whole else None


class Factor:
    """The upper triangular R with gram[features, features] = R'R, which grows at its end."""

    def __init__(self, gram: Floats, most: int) -> None:
        self.gram, self.size = gram, 0
        self.R, self.order = np.zeros((most, most), order="F"), np.empty(most, dtype=np.intp)

    @property
    def features(self) -> Ints:
        return self.order[: self.size]

    def append(self, new: Ints) -> bool:
        """Append features; False, with some of them left out, where the matrix is singular to working precision."""
        start = 0
        while start < len(new):
            some = new[start : start + (1 if self.size < LONG else WIDTH)]
            if not (self.append_one(some[0]) if len(some) == 1 else self.append_block(some)):
                return False
            start += len(some)
        return True

    def append_one(self, j: int) -> bool:
        R, size, row = self.R, self.size, self.gram[j]
        pivot = row[j]
        if size:
            R[:size, size] = above = forward(R[:, :size], row[self.features])
            pivot -= above @ above
        if not pivot > PIVOT:
            return False
        R[size, size] = np.sqrt(pivot)
        self.order[size] = j
        self.size += 1
        return True

    def append_block(self, some: Ints) -> bool:
        R, size, stop = self.R, self.size, self.size + len(some)
        above = self.gram[np.ix_(self.features, some)]
        for start in range(0, size, PANEL):
            panel = slice(start, min(start + PANEL, size))
            if start:
                above[panel] -= as_design(R[:start, panel]).correlations(above[:start])
            corner = np.asfortranarray(R[panel, panel])
            for j in range(len(some)):
                above[panel, j] = forward(corner, above[panel, j])
        block = self.gram[np.ix_(some, some)] - as_design(above).correlations(above)
        block, info = lapack.dpotrf(block, lower=0, clean=1)
        if info or not block.diagonal().min() ** 2 > PIVOT:
            return False
        R[:size, size:stop], R[size:stop, size:stop] = above, block
        self.order[size:stop] = some
        self.size = stop
        return True


def forward(R: Floats, right: Floats) -> Any:
    """(k,) solution of R'x = right, for R (m, k) of which the first k rows count."""
    return lapack.dtrtrs(R, right, trans=1)[0].ravel()


def solved(R: Floats, right: Floats) -> Any:
    """(k,) solution of R'Rx = right."""
    return lapack.dtrtrs(R, forward(R, right))[0].ravel()


def by_rows(rows: Present, supports: list[Ints]) -> list[Any]:
    """As `by_features`, for supports of more features than degrees of freedom: w = Z'u, where ZZ'u = t."""
    task, share = rows.task, rows.share[rows.rows]
    used = np.unique(np.concatenate(supports)).astype(np.intp)
    mean = rows.design.moments(used, task.weights, rows.total, task.fit_intercept, rows.jobs)[0]
    if hasattr(rows.X, "format"):
        some = rows.X[:, used]
        check_size(some, MOST_ENTRIES)
        Z = some.toarray()[rows.rows] - mean
    else:
        Z = rows.columns(used, mean, rows.rows)
    root = np.sqrt(share)
    Z *= root[:, None]
    t = root * rows.target[rows.rows]
    constant = np.outer(root, root) if task.fit_intercept else 0.0  # what centring leaves undetermined

    def squares(some: Bools) -> Floats:
        part = np.ascontiguousarray(Z[:, some].T)
        return as_design(part).correlations(part, rows.jobs)

    kernel, inside, found = np.zeros((len(t), len(t))), np.zeros(len(used), dtype=bool), []
    for support in supports:
        place, now = np.searchsorted(used, support), np.zeros(len(used), dtype=bool)
        now[place] = True
        for sign, some in ((1.0, now & ~inside), (-1.0, inside & ~now)):
            if some.any():
                kernel += sign * squares(some)
        inside = now
        w = shortest(kernel + kernel.trace() / len(t) * constant, Z[:, place], t)
        found.append(None if w is None else (w, rows.level - mean[place] @ w, t @ t))
    return found


def shortest(kernel: Floats, Z: Floats, t: Floats) -> Floats | None:
    """w (k,) of minimum norm with Zw = t, from the kernel ZZ'; None where that is singular to working precision."""
    if not kernel.diagonal().min() > 0.0:
        return None
    scale = 1.0 / np.sqrt(kernel.diagonal())
    factor = Factor(kernel * scale * scale[:, None], len(t))
    if not factor.append(np.arange(len(t))):
        return None
    u = scale * solved(factor.R, scale * t)
    w, length = np.einsum("nk,n->k", Z, u), np.linalg.norm(u)
    last = length
    for _ in range(STEPS):
        step = scale * solved(factor.R, scale * (t - np.einsum("nk,k->n", Z, w)))
        w += np.einsum("nk,n->k", Z, step)
        size = np.linalg.norm(step)
        done, lost = judged(size, last, length)
        if done or lost:
            return w if done else None
        last = size
    return None


def decomposed(rows: Present, support: Ints) -> tuple[Floats, float, float]:
    """(coefficients, intercept, explained variance) whatever the rank, by the singular value decomposition."""
    task, some = rows.task, rows.X[:, support]
    fit = fit_ridge(RidgeData(some, task.y[:, None], task.weights, task.fit_intercept), np.zeros(1))
    w, intercept = fit.coefs[:, 0], fit.intercepts[0]
    return w, intercept, rows.share @ (rows.target**2 - (task.y - intercept - some @ w) ** 2)
