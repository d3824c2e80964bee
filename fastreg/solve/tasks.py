"""A batch of tasks from beginning to end: shared responses and samples, groups that fit in memory, solutions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .glm import GlmBatch
from .multinomial import Softmax
from .problem import Solution
from .reduced import reducible, solve_reduced
from .regime import Plan, worth_threads
from .rounds import Batch, even_parts
from .sample import find_spreads
from .threads import n_threads

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from .._types import Floats
    from .problem import MultinomialSolution, Task


def solve_tasks(
    design: Any,
    tasks: Sequence[Task],
    *,
    precompute: Any = "auto",
    n_jobs: int | None = None,
    progress: Callable[[float, int], Any] | None = None,
) -> list[Any]:
    """Solve a batch of tasks over one design.

    Parameters
    ----------
    design : Dense
    tasks : list of Task
    precompute : "auto", True, False or ndarray of shape (p, p)
        Whether the Gram matrix of all features is built at once; or that matrix.
    n_jobs : int or None
    progress : callable(done, total) or None

    Returns
    -------
    list of Solution

    Raises
    ------
    ValueError
        If X holds NaN or infinity, or a given Gram matrix is not that of X.
    """
    if reducible(design, tasks):
        jobs = jobs_for(design, tasks, n_jobs)
        return solve_reduced(
            design, tasks, jobs, lambda design, tasks: solve_directly(design, tasks, "auto", n_jobs, progress)
        )
    return solve_directly(design, tasks, precompute, n_jobs, progress)


def solve_directly(
    design: Any,
    tasks: Sequence[Task],
    precompute: Any,
    n_jobs: int | None,
    progress: Callable[[float, int], Any] | None,
) -> list[Any]:
    """As `solve_tasks`, for tasks as they are."""
    if tasks[0].loss == "multinomial":
        return solve_multinomial(design, tasks, n_jobs, progress)
    gram, precompute = (precompute, True) if isinstance(precompute, np.ndarray) else (None, precompute)
    batch, target_of = batch_for(design, tasks, precompute, n_jobs)
    plan = batch.plan
    samples: dict[tuple[Any, ...], Any]
    samples, solutions = {}, []
    for numbers in even_parts(range(len(tasks)), plan.at_once):
        start, stop = numbers.start, numbers.stop
        before, samples = samples, {}  # those of weights that do not come again go
        some = tasks[start:stop]
        keys = [(id(task.weights), task.fit_intercept, plan.keeps_gram(task)) for task in some]
        for key, task in zip(keys, some, strict=True):
            if key not in samples and key in before:
                samples[key] = before[key]
            elif key not in samples:
                samples[key] = batch.new_sample(task)
                if gram is not None:
                    samples[key].adopt(gram)
        before.clear()
        find_spreads({id(samples[key]): samples[key] for key, task in zip(keys, some, strict=True) if task.standardize})
        runs = [
            batch.new_run(task, samples[key], target)
            for key, task, target in zip(keys, some, target_of[start:], strict=False)
        ]
        batch.solve(runs, progress and (lambda share, a=start, b=stop: progress(a + share * (b - a), len(tasks))))  # type: ignore[misc]  # defaults
        solutions += [solution(run, design.p) for run in runs]
    for one in solutions:
        one.n_passes = batch.passes
    return solutions


def solve_multinomial(
    design: Any, tasks: Sequence[Task], n_jobs: int | None, progress: Callable[[float, int], Any] | None
) -> list[MultinomialSolution]:
    """As `solve_tasks`: one problem after the other, each a batch of its classes."""
    jobs = jobs_for(design, tasks, n_jobs)
    solutions = []
    for task in tasks:
        solutions.append(Softmax(design, task, jobs).solve())
        if progress is not None:
            progress(len(solutions), len(tasks))
    return solutions


def jobs_for(design, tasks, n_jobs):
    """How many threads are worth it; large means are taken off the columns, with them."""
    responses = len(tasks[0].classes) if tasks[0].loss == "multinomial" else len(tasks)
    jobs = n_threads(n_jobs) if worth_threads(design, responses) else 1
    if all(task.fit_intercept for task in tasks):
        design.take_off_large_means(jobs)
    return jobs


def batch_for(design, tasks, precompute, n_jobs):
    """(the batch of these tasks, the row of its Y that each of them has)."""
    jobs = jobs_for(design, tasks, n_jobs)
    kind = Batch if tasks[0].loss == "squared" else GlmBatch
    targets, target_of = distinct_targets(design, tasks)
    return kind(design, targets, Plan(design, tasks, precompute), jobs), target_of


def grids_of(design: Any, tasks: Sequence[Task], n_jobs: int | None = None) -> list[Floats]:
    """The alphas of each task, automatic grids settled: one product with X, and nothing solved but the null models."""
    batch, target_of = batch_for(design, tasks, "auto", n_jobs)
    samples, runs = {}, []
    for task, target in zip(tasks, target_of, strict=True):
        key = id(task.weights), task.fit_intercept
        if key not in samples:
            samples[key] = batch.new_sample(task)
        runs.append(batch.new_run(task, samples[key], target))
    batch.begin(runs)
    return [run.alphas for run in runs]


def distinct_targets(design, tasks):
    """Centred responses, one row for each distinct (y, weights, intercept), and the row of each task."""
    rows, row_of, seen = [], [], {}
    for task in tasks:
        key = (id(task.y), id(task.weights), task.fit_intercept)
        if key not in seen:
            seen[key] = len(rows)
            mean = average(task.y, task.weights) if task.fit_intercept else 0.0
            centred = task.y - mean
            if task.fit_intercept:
                centred -= average(centred, task.weights)
            if np.abs(centred).max(initial=0.0) <= 1e-14 * np.abs(task.y).max(initial=0.0):
                centred[:] = 0.0  # a constant response, whatever rounding of its mean says
            rows.append((centred, mean))
        row_of.append(seen[key])
    Y = np.array([centred for centred, _ in rows])
    return (Y, np.array([mean for _, mean in rows])), row_of


def average(y, weights):
    return y.sum() / len(y) if weights is None else (weights * y).sum() / weights.sum()


def solution(run, p):
    """The path of a finished run."""
    indptr = np.concatenate([[0], np.cumsum([len(index) for index, _ in run.pieces], dtype=np.int64)])
    width = np.int32 if max(indptr[-1], p) < 2**31 else np.int64
    indices, values = np.empty(indptr[-1], width), np.empty(indptr[-1])
    for k, (index, w) in enumerate(run.pieces):
        order, at = np.argsort(index), slice(indptr[k], indptr[k + 1])
        indices[at], values[at] = index[order], w[order]
        run.pieces[k] = None  # many paths, or a long one, need not be there twice
    null_coef = None
    if len(run.free):
        null_coef = np.zeros(p)
        null_coef[run.sample.features[run.null_model[0]]] = run.null_model[1]
    return Solution(
        run.alphas, indptr.astype(width), indices, values, p, run.intercepts, run.gaps, float(run.alpha_max),
        float(run.null), float(run.level - run.level_of(*run.null_model)), null_coef, run.explained, run.n_iter, 0,
    )  # fmt: skip
