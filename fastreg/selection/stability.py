"""Stability selection: how often features are selected on halves of the rows, which are problems over one X."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse import csc_array

from fastreg.design import as_design
from fastreg.path import solve
from fastreg.solve import grids_of

if TYPE_CHECKING:
    from fastreg._types import Bools, Floats, Ints, Matrix, Names
    from fastreg.solve import Solution, Task


@dataclass(slots=True)
class Stability:
    """What the paths of B half-samples selected on a grid of L alphas.

    Attributes
    ----------
    alphas : ndarray of shape (L,)
    counts : csc_array of shape (p, L), int64
        Number of half-samples that select a feature at an alpha.
    n_selected : ndarray of shape (B,)
        Number of penalised features that a half-sample selects at one alpha or more.
    n_iter : int
        Most iterations for one solution.
    """

    alphas: Floats
    counts: csc_array
    n_selected: Ints
    n_iter: int


def half_samples(rows: Ints, n_pairs: int, complementary: bool, rng: np.random.Generator) -> list[Ints]:
    """Draw 2 n_pairs times half of the rows, without replacement.

    Parameters
    ----------
    rows : ndarray of shape (m,)
        Row numbers; one row, another one each time, is left over where m is odd.
    n_pairs : int
    complementary : bool
        Whether the halves 2 k and 2 k + 1 have no row in common, or are independent.
    rng : numpy.random.Generator

    Returns
    -------
    list of ndarray of shape (m // 2,)
    """
    half, halves = len(rows) // 2, []
    for _ in range(n_pairs):
        order = rng.permutation(rows)
        other = order[half:] if complementary else rng.permutation(rows)
        halves += [order[:half], other[:half]]
    return halves


def selection_counts(
    X: Matrix,
    names: Names,
    task: Task,
    halves: list[Ints],
    max_features: int | None = None,
    *,
    n_jobs: int | None = None,
) -> Stability:
    """Fit the path of every half-sample, in one batch, and count what is selected.

    Parameters
    ----------
    X : checked matrix of shape (n, p)
    names : ndarray of shape (p,) or None
    task : Task
        The problem on all rows, whose grid is used for every half.
    halves : list of B arrays of row numbers
    max_features : int or None
        At the first alpha where more penalised features than this have entered, and at those after it, a half-sample
        selects what it did before.

    Returns
    -------
    Stability
    """
    n, p = X.shape
    if not isinstance(task.alphas, np.ndarray):
        task = replace(task, alphas=grids_of(as_design(X), [task], n_jobs)[0])
    tasks = []
    for rows in halves:
        weights = np.zeros(n)
        weights[rows] = 1.0 if task.weights is None else task.weights[rows]
        tasks.append(replace(task, weights=weights, dfmax=max_features))
    solutions = solve(X, names, tasks, precompute="auto", n_jobs=n_jobs)
    penalised = np.ones(p, bool) if task.penalty_factor is None else task.penalty_factor > 0
    L = len(task.alphas)
    parts, n_selected = [], np.empty(len(halves), np.int64)  # numbers of entries of a matrix (L, p)
    for k, solution in enumerate(solutions):
        features, indptr, n_selected[k] = selected(solution, penalised, max_features, L)
        parts.append(np.repeat(np.arange(L) * p, np.diff(indptr)) + features)
    chosen, times = np.unique(np.concatenate(parts), return_counts=True)
    indptr = np.searchsorted(chosen, np.arange(L + 1) * p)
    counts = csc_array((times.astype(np.int64), chosen % p, indptr), shape=(p, L))
    return Stability(task.alphas, counts, n_selected, max(int(one.n_iter.max()) for one in solutions))


def selected(solution: Solution, penalised: Bools, max_features: int | None, L: int) -> tuple[Ints, Ints, int]:
    """What a path selects.

    Parameters
    ----------
    solution : Solution
        It may end before the grid does.
    penalised : ndarray of shape (p,) of bool
    max_features : int or None
    L : int
        Length of the grid.

    Returns
    -------
    features : ndarray
    indptr : ndarray of shape (L + 1,)
        ``features[indptr[i] : indptr[i + 1]]`` are selected at alpha i.
    n_selected : int
        Number of penalised features that are selected at one alpha or more.
    """
    stop = len(solution.alphas)
    used = solution.values != 0
    features = solution.indices[used]
    at = np.repeat(np.arange(stop), np.diff(solution.indptr))[used]
    entered, first = np.unique(features, return_index=True)
    entry = at[first[penalised[entered]]]
    if max_features is not None:
        stop = int(np.searchsorted(np.cumsum(np.bincount(entry, minlength=stop)), max_features, side="right"))
    indptr = np.searchsorted(at, np.arange(stop + 1))
    kept = features[: indptr[-1]]
    # What the last of these alphas selects stays; before the first, that is what no penalty holds back.
    last = kept[indptr[-2] :] if stop else features[(at == 0) & ~penalised[features]]
    rest = L - stop
    features = np.concatenate([kept, np.tile(last, rest)])
    indptr = np.concatenate([indptr, indptr[-1] + len(last) * np.arange(1, rest + 1)])
    return features, indptr, int(np.count_nonzero(entry < stop))
