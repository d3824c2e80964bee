"""The rounds of a batch: every unfinished problem solves its next alphas, then one product with X judges them all."""

import numpy as np

from ..design.blocks import aligned, parallel_for
from ..kernels import certificate, panels
from .problem import Solution
from .regime import EACH, Plan, worth_threads
from .run import Run
from .sample import Sample
from .threads import n_threads


def solve_tasks(design, tasks, *, precompute="auto", n_jobs=None, progress=None):
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
    gram, precompute = (precompute, True) if isinstance(precompute, np.ndarray) else (None, precompute)
    batch, target_of = batch_for(design, tasks, precompute, n_jobs)
    plan, targets, jobs = batch.plan, batch.Y, batch.jobs
    samples, solutions = {}, []
    for start in range(0, len(tasks), plan.at_once):
        runs, before, samples = [], samples, {}  # those of weights that do not come again may go
        for task, target in zip(tasks[start : start + plan.at_once], target_of[start:], strict=False):
            key = (id(task.weights), task.fit_intercept, plan.keeps_gram(task))
            if key not in samples and key in before:
                samples[key] = before[key]
            elif key not in samples:
                samples[key] = Sample(design, task.weights, task.fit_intercept, jobs, plan.keeps_gram(task))
                if gram is not None:
                    samples[key].adopt(gram)
            runs.append(Run(task, samples[key], target, targets[target]))
        stop = min(start + plan.at_once, len(tasks))
        batch.solve(runs, progress and (lambda share, a=start, b=stop: progress(a + share * (b - a), len(tasks))))
        solutions += [solution(run, design.p) for run in runs]
    for one in solutions:
        one.n_passes = batch.passes
    return solutions


def batch_for(design, tasks, precompute, n_jobs):
    """(the batch of these tasks, the row of its Y that each of them has)."""
    jobs = n_threads(n_jobs) if worth_threads(design, len(tasks)) else 1
    if all(task.fit_intercept for task in tasks):
        design.take_off_large_means(jobs)
    targets, target_of = distinct_targets(design, tasks)
    return Batch(design, targets, Plan(design, tasks, precompute), jobs), target_of


def grids_of(design, tasks, n_jobs=None):
    """The alphas of each task, automatic grids settled: one product with X, and nothing solved but the null models."""
    batch, target_of = batch_for(design, tasks, "auto", n_jobs)
    samples, runs = {}, []
    for task, target in zip(tasks, target_of, strict=True):
        key = id(task.weights), task.fit_intercept
        if key not in samples:
            samples[key] = Sample(design, task.weights, task.fit_intercept, batch.jobs, keeps_gram=False)
        runs.append(Run(task, samples[key], target, batch.Y[target]))
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


def sum_of_squares(r, weights):
    """Not by BLAS: its threads, once woken, keep a core busy for a while, and its rounding depends on their number."""
    return (r * r).sum() if weights is None else (weights * r * r).sum()


class Batch:
    """Buffers and products that the problems of a batch share."""

    def __init__(self, design, targets, plan, jobs):
        self.design, (self.Y, self.means), self.plan, self.jobs = design, targets, plan, jobs
        self.passes = 0
        self.buffers = None
        self.whole = None  # a sample with all features, for the differences of others

    def solve(self, runs, progress=None):
        """Round after round, until all runs are done; `progress(share)` is called after each."""
        self.runs = runs
        self.begin(runs)
        total = max(1, sum(len(run.ladder) for run in runs))
        if self.plan.full_gram():
            self.complete({id(run.sample): run.sample for run in runs if not run.done}.values())
        while unfinished := [run for run in runs if not run.done]:
            for group in self.groups(unfinished):
                self.round(group)
            if progress is not None:
                progress(sum(run.k if run.stopped is None else len(run.ladder) for run in runs) / total)
        for run in runs:
            run.finish(run.task.y)

    def complete(self, samples):
        """The Gram matrices of all features; those of folds by difference from that of all rows."""
        wanted = [sample for sample in samples if sample.gram is not None and not sample.complete]
        wanted.sort(key=lambda sample: -sample.total)
        for sample in wanted:
            whole = self.whole
            if whole is not None and whole.centred == sample.centred and len(sample.features) == 0:
                more = whole.row_weights() - sample.row_weights()
                rows = np.flatnonzero(more)
                if (more >= 0).all() and 2 * len(rows) < self.design.n and sample.take_from(whole, rows, more[rows]):
                    continue
            sample.add(np.flatnonzero(sample.place < 0))
            if whole is None:
                self.whole = sample

    def panels(self, lanes):
        """Room for R and C with at least `lanes` lanes: arrays (panels, n, width), (panels, p, width)."""
        width = self.design.panel_width(lanes)
        count = -(-lanes // width)
        if self.buffers is None or self.buffers[0].size < count * width * self.design.n:
            size = max(count * width, min(self.plan.lanes, 24))
            self.buffers = aligned(size * self.design.n), aligned(size * self.design.p)
        return tuple(
            buffer[: count * rows * width].reshape(count, rows, width)
            for buffer, rows in zip(self.buffers, (self.design.n, self.design.p), strict=True)
        )

    def begin(self, runs):
        """First pass: the gradient at zero of every problem."""
        at_once = self.plan.lanes
        for start in range(0, len(runs), at_once):
            some = runs[start : start + at_once]
            R, C = self.panels(len(some))
            R[:] = 0.0
            width = R.shape[2]
            for lane, run in enumerate(some):
                y = self.Y[run.target]
                R[lane // width, :, lane % width] = y if run.task.weights is None else y * run.task.weights
            self.design.correlate(R, C, self.jobs)
            self.passes += 1
            for lane, run in enumerate(some):
                gradient = C[lane // width, :, lane % width] / run.sample.total
                if not np.isfinite(gradient).all():
                    self.design.refuse_nonfinite()
                y = self.Y[run.target]
                squares = sum_of_squares(y, run.task.weights)
                run.begin(gradient, 0.5 * squares / run.sample.total, self.means[run.target])
        some = [run for run in runs if len(run.free)]
        for start in range(0, len(some), at_once):
            self.fit_null(some[start : start + at_once])

    def fit_null(self, runs):
        """The unpenalised features of each run, and the gradient of what they leave."""
        for run in runs:
            run.sample.add(run.free[run.sample.place[run.free] < 0])
        for run in runs:
            run.fit_null()
            run.lanes, run.solved = [0], [run.null_model]
        R, C, squares = self.residuals(runs)
        self.design.correlate(R, C, self.jobs)
        self.passes += 1
        for run in runs:
            panel, lane = run.segments[0]
            run.settle(C[panel, :, lane] / run.sample.total, 0.5 * squares[panel, lane] / run.sample.total)

    def groups(self, runs):
        """Runs that share a round: as many as there are lanes for."""
        size = max(1, self.plan.lanes // EACH)
        return [runs[i : i + size] for i in range(0, len(runs), size)]

    def round(self, runs):
        lanes = max(1, self.plan.lanes // len(runs))
        wishes = {}
        for run in runs:
            wishes.setdefault(run.sample, []).append(run.plan(lanes, self.plan.round_cost))
        for sample, wanted in wishes.items():
            if not any(run.exact for run in self.runs if run.sample is sample and not run.done):
                sample.gram = None
            new = wanted[0] if len(wanted) == 1 else np.unique(np.concatenate(wanted))
            if len(new):
                sample.add(self.plan.rounded(sample, new))
        for run in runs:
            run.extend()
        parallel_for(lambda k: runs[k].solve(), len(runs), self.jobs)
        self.verify(runs)

    def verify(self, runs):
        """One product with X: gaps, missed features and gradients for the lanes of all runs."""
        count = sum(len(run.lanes) for run in runs)
        if count == 0:
            for run in runs:
                run.judge(None, [], None, None, None, np.empty(0, np.intp))
            return
        R, C, squares = self.residuals(runs)
        outcomes = [Outcome(run, self.design, R.shape[0] * R.shape[2]) for run in runs]

        def reduce(k, first, stop):
            for outcome in outcomes:
                outcome.scan(C, k, first, stop)

        late = any(len(run.free) for run in runs)  # their certificates need the products with those features first
        self.design.correlate(R, C, self.jobs, None if late else reduce)
        if late:
            for outcome in outcomes:
                outcome.look_at_free(C)
            for k, (first, stop) in enumerate(self.design.blocks(R.shape[0] * R.shape[2])):
                reduce(k, first, stop)
        self.passes += 1
        for run, outcome in zip(runs, outcomes, strict=True):
            run.judge(C, run.segments, squares, *outcome.totals())

    def residuals(self, runs):
        """R, room for X'R, and the weighted squares (panels, width), for the lanes of all runs."""
        count = sum(len(run.lanes) for run in runs)
        R, C = self.panels(count)
        width = R.shape[2]
        target = np.full((R.shape[0], width), -1, dtype=np.intp)
        lane, members = 0, [[] for _ in range(R.shape[0])]
        for run in runs:
            run.segments = []
            for i in run.lanes:
                panel, at = divmod(lane, width)
                run.segments.append((panel, at))
                target[panel, at] = run.target
                members[panel].append((run.sample, at, *run.solved[i]))
                lane += 1
        squares = np.zeros((R.shape[0], width))
        alone = len(R) >= self.jobs  # each panel on a thread of its own, or all threads on one panel after the other

        def residuals(k):
            squares[k] = self.residual_panel(R[k : k + 1], target[k : k + 1], members[k], 1 if alone else self.jobs)

        parallel_for(residuals, len(R), self.jobs if alone else 1)
        return R, C, squares

    def residual_panel(self, R, target, entries, jobs):
        """Residuals of one panel's solutions; `entries` are (sample, lane, places, values)."""
        sample = entries[0][0]
        columns = [entry[0].features[entry[2]] for entry in entries]
        used = np.unique(np.concatenate(columns))
        W = np.zeros((1, len(used), R.shape[2]))
        for (_, lane, _, values), features in zip(entries, columns, strict=True):
            W[0, np.searchsorted(used, features), lane] = values
        same = all(entry[0] is sample for entry in entries)
        if same:
            return self.design.residuals(
                self.Y, target, used, W, sample.weights, sample.centred, sample.total, R, jobs
            )[0]
        squares, sums = np.zeros((2, R.shape[2]))
        self.design.residuals(self.Y, target, used, W, None, False, 1.0, R, jobs)
        starts = [k for k, entry in enumerate(entries) if k == 0 or entry[0] is not entries[k - 1][0]]
        parts = [entries[k][0] for k in starts]
        edges = np.array([*starts, len(entries)], dtype=np.intp) + entries[0][1]
        weights = np.array([part.row_weights() for part in parts])
        panels.weight_parts(R[0], edges, weights, np.array([part.centred for part in parts], np.uint8), sums, squares)
        return squares


class Outcome:
    """What the blocks of one product say of one run."""

    def __init__(self, run, design, lanes):
        self.run = run
        blocks = len(design.blocks(lanes))
        self.largest, self.conjugate = np.zeros((2, blocks, len(run.lanes)))
        self.missed = np.zeros(design.p, dtype=np.uint8)
        self.parts = []  # (panel, first lane in it, slice of run.lanes)
        for n, (panel, lane) in enumerate(run.segments):
            if self.parts and self.parts[-1][0] == panel:
                self.parts[-1][2] = slice(self.parts[-1][2].start, n + 1)
            else:
                self.parts.append([panel, lane, slice(n, n + 1)])
        self.l1, self.l2 = run.l1[run.lanes], run.l2[run.lanes]
        self.scratch = len(self.parts) > 1
        self.off = np.zeros(len(run.lanes))

    def look_at_free(self, C):
        """What is left of the unpenalised features in each lane's residual."""
        run = self.run
        if len(run.free):
            for n, (panel, lane) in enumerate(run.segments):
                c = C[panel, run.free, lane] / run.sample.total
                self.off[n] = np.sqrt(run.projection(c, *run.solved[run.lanes[n]])[2])

    def scan(self, C, k, first, stop):
        run = self.run
        missed = np.zeros_like(self.missed) if self.scratch else self.missed
        for panel, lane, part in self.parts:
            certificate.scan(
                C, panel, lane, first, stop, 1.0 / run.sample.total, self.l1[part], self.l2[part],
                run.factor1, run.factor2, run.task.lower, run.task.upper, run.norm, self.off[part], run.sample.place,
                self.largest[k, part], self.conjugate[k, part], missed,
            )  # fmt: skip
            if self.scratch:
                self.missed[first:stop] |= missed[first:stop]

    def totals(self):
        return self.largest.max(axis=0), self.conjugate.sum(axis=0), np.flatnonzero(self.missed)


def solution(run, p):
    """The path of a finished run."""
    indptr = np.zeros(len(run.alphas) + 1, dtype=np.int64)
    features, values = [np.empty(0, np.int64)], [np.empty(0)]
    for k, (index, w) in enumerate(run.pieces):
        order = np.argsort(index)
        features.append(index[order])
        values.append(w[order])
        indptr[k + 1] = indptr[k] + len(index)
    null_coef = None
    if len(run.free):
        null_coef = np.zeros(p)
        null_coef[run.sample.features[run.null_model[0]]] = run.null_model[1]
    indices = np.concatenate(features)
    if max(indptr[-1], p) < 2**31:
        indptr, indices = indptr.astype(np.int32), indices.astype(np.int32)
    return Solution(
        run.alphas, indptr, indices, np.concatenate(values), p, run.intercepts, run.gaps, float(run.alpha_max),
        float(run.null), float(run.level - run.level_of(*run.null_model)), null_coef, run.explained, run.n_iter, 0,
    )  # fmt: skip
