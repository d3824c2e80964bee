"""The rounds of a batch: every unfinished problem solves its next alphas, then one product with X judges them all."""

import numpy as np

from ..design.blocks import aligned, parallel_for
from ..kernels import certificate, panels
from .regime import EACH
from .run import Run
from .sample import Sample


def sum_of_squares(r, weights):
    """Not by BLAS: its threads, once woken, keep a core busy for a while, and its rounding depends on their number."""
    return (r * r).sum() if weights is None else (weights * r * r).sum()


def coefficients(entries, lanes):
    """(features in use, their coefficients (1, k, lanes)) of the solutions of one panel."""
    columns = [run.sample.features[places] for run, _, places, _ in entries]
    used = np.unique(np.concatenate(columns))
    W = np.zeros((1, len(used), lanes))
    for (_, lane, _, values), features in zip(entries, columns, strict=True):
        W[0, np.searchsorted(used, features), lane] = values
    return used, W


def by_sample(runs):
    """The runs in lists of those with the same sample, which only one thread at a time may change."""
    parts = {}
    for run in runs:
        parts.setdefault(run.sample, []).append(run)
    return list(parts.values())


class Batch:
    """Buffers and products that the problems of a batch share."""

    def __init__(self, design, targets, plan, jobs):
        self.design, (self.Y, self.means), self.plan, self.jobs = design, targets, plan, jobs
        self.passes = 0
        self.buffers = None
        self.whole = None  # a sample with all features, for the differences of others

    def new_sample(self, task):
        return Sample(self.design, task.weights, task.fit_intercept, self.jobs, self.plan.keeps_gram(task))

    def new_run(self, task, sample, target):
        return Run(task, sample, target, self.Y[target])

    def start(self, run):
        """(weighted residual, objective, level) of a problem's constant model."""
        y, weights = self.Y[run.target], run.task.weights
        objective = 0.5 * sum_of_squares(y, weights) / run.sample.total
        return y if weights is None else y * weights, objective, self.means[run.target]

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
            width, starts = R.shape[2], []
            for lane, run in enumerate(some):
                residual, *model = self.start(run)
                R[lane // width, :, lane % width] = residual
                starts.append(model)
            self.design.correlate(R, C, self.jobs)
            self.passes += 1
            for lane, run in enumerate(some):
                gradient = C[lane // width, :, lane % width] / run.sample.total
                if not np.isfinite(gradient).all():
                    self.design.refuse_nonfinite()
                run.begin(gradient, *starts[lane])
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
        lanes, parts = max(1, self.plan.lanes // len(runs)), by_sample(runs)

        def prepare(k):
            self.bring_in(parts[k], lanes)

        for run in runs:
            run.sample.jobs = self.jobs if len(parts) < self.jobs else 1
        parallel_for(prepare, len(parts), self.jobs)
        for run in runs:
            run.extend()
        each = self.jobs // len(runs)
        parallel_for(lambda k: runs[k].solve(each), len(runs), self.jobs)
        self.verify(runs)
        for run in runs:
            run.sample.jobs = self.jobs

    def bring_in(self, runs, lanes):
        """Let the sample of these runs have the features that they want for their next alphas."""
        sample, wanted = runs[0].sample, [run.plan(lanes, self.plan.round_cost) for run in runs]
        if not any(run.exact for run in self.runs if run.sample is sample and not run.done):
            sample.gram = None
        new = wanted[0] if len(wanted) == 1 else np.unique(np.concatenate(wanted))
        if len(new):
            sample.add(self.plan.rounded(sample, new, max(run.expected for run in runs)))

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
        totals, parts = {outcome.run: outcome.totals for outcome in outcomes}, by_sample(runs)

        def judge(k):
            for run in parts[k]:
                run.judge(C, run.segments, squares, *totals[run]())

        parallel_for(judge, len(parts), self.jobs)

    def lay_out(self, runs):
        """Give the lanes of all runs a place in panels.

        Returns R and room for X'R, uninitialised; zeros (panels, width); the rows of Y that lanes start from; for each
        panel its (run, lane, places, values).
        """
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
                members[panel].append((run, at, *run.solved[i]))
                lane += 1
        return R, C, np.zeros(target.shape), target, members

    def residuals(self, runs):
        """R, room for X'R, and the weighted squares (panels, width), for the lanes of all runs."""
        R, C, squares, target, members = self.lay_out(runs)
        alone = len(R) >= self.jobs  # each panel on a thread of its own, or all threads on one panel after the other

        def residuals(k):
            squares[k] = self.residual_panel(R[k : k + 1], target[k : k + 1], members[k], 1 if alone else self.jobs)

        parallel_for(residuals, len(R), self.jobs if alone else 1)
        return R, C, squares

    def residual_panel(self, R, target, entries, jobs):
        """Residuals of one panel's solutions; `entries` are (run, lane, places, values)."""
        samples = [entry[0].sample for entry in entries]
        used, W = coefficients(entries, R.shape[2])
        sample = samples[0]
        same = all(other is sample for other in samples)
        if same:
            return self.design.residuals(
                self.Y, target, used, W, sample.weights, sample.centred, sample.total, R, jobs
            )[0]
        squares, sums = np.zeros((2, R.shape[2]))
        self.design.residuals(self.Y, target, used, W, None, False, 1.0, R, jobs)
        starts = [k for k, one in enumerate(samples) if k == 0 or one is not samples[k - 1]]
        parts = [samples[k] for k in starts]
        edges = np.array([*starts, len(entries)], dtype=np.intp) + entries[0][1]
        weights = np.array([part.row_weights() for part in parts])
        panels.weight_parts(R[0], edges, weights, np.array([part.centred for part in parts], np.uint8), sums, squares)
        return squares


class Outcome:
    """What the blocks of one product say of one run."""

    def __init__(self, run, design, lanes):
        self.run = run
        blocks = len(design.blocks(lanes))
        self.missed = np.zeros(design.p, dtype=np.uint8)
        self.off = np.zeros(len(run.lanes))
        self.parts = []  # (panel, first lane in it, slice of run.lanes)
        for n, (panel, lane) in enumerate(run.segments):
            if self.parts and self.parts[-1][0] == panel:
                self.parts[-1][2] = slice(self.parts[-1][2].start, n + 1)
            else:
                self.parts.append([panel, lane, slice(n, n + 1)])
        l1, l2 = run.l1[run.lanes], run.l2[run.lanes]
        self.found = [np.zeros((2, blocks, part.stop - part.start)) for _, _, part in self.parts]
        self.penalties = [(l1[part], l2[part]) for _, _, part in self.parts]
        self.limits = run.factor1, run.factor2, run.task.lower, run.task.upper, run.norm

    def look_at_free(self, C):
        """What is left of the unpenalised features in each lane's residual."""
        run = self.run
        if len(run.free):
            for n, (panel, lane) in enumerate(run.segments):
                c = C[panel, run.free, lane] / run.sample.total
                self.off[n] = np.sqrt(run.projection(c, *run.solved[run.lanes[n]], n)[2])

    def scan(self, C, k, first, stop):
        run, several = self.run, len(self.parts) > 1
        missed = np.zeros_like(self.missed) if several else self.missed
        for (panel, lane, part), penalties, found in zip(self.parts, self.penalties, self.found, strict=True):
            certificate.scan(
                C, panel, lane, first, stop, 1.0 / run.sample.total, *penalties, *self.limits, self.off[part],
                run.sample.place, found[0, k], found[1, k], missed,
            )  # fmt: skip
            if several:
                self.missed[first:stop] |= missed[first:stop]

    def totals(self):
        """(largest (k,), conjugate (k,), missed features) for the lanes of the run."""
        found = np.concatenate(self.found, axis=2) if self.found else np.zeros((2, 1, 0))
        return found[0].max(axis=0), found[1].sum(axis=0), np.flatnonzero(self.missed)
