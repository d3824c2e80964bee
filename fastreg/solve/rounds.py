"""The rounds of a batch: every unfinished problem solves its next alphas, then one product with X judges them all."""

import numpy as np

from ..design.blocks import aligned, parallel_for
from ..kernels import panels
from .outcome import Outcome
from .regime import EACH
from .run import Run
from .sample import Sample

BRIDGED = 2e7  # multiplications of all lanes with all features that are worth looking for fewer
LONG = 1 << 16  # features that keep threads busy with one look at all of them
HUGE = 1e300  # stands for the length of a column whose squares overflow


def sum_of_squares(r, weights):
    """Not by BLAS: its threads, once woken, keep a core busy for a while, and its rounding depends on their number."""
    return (r * r).sum() if weights is None else (weights * r * r).sum()


def coefficients(entries, lanes):
    """(features in use, their coefficients (1, k, lanes)) of the solutions of one panel."""
    columns = [run.sample.features[places] for run, _, places, _ in entries]
    place = np.full(entries[0][0].sample.design.p, -1, np.int32)
    for features in columns:
        place[features] = 0
    used = np.flatnonzero(place == 0)
    place[used] = np.arange(len(used))
    W = np.zeros((1, len(used), lanes))
    for (_, lane, _, values), features in zip(entries, columns, strict=True):
        W[0, place[features], lane] = values
    return used, W


def by_sample(runs):
    """The runs in lists of those with the same sample, which only one thread at a time may change."""
    parts = {}
    for run in runs:
        parts.setdefault(run.sample, []).append(run)
    return list(parts.values())


def panel_lanes(design, count):
    width = design.panel_width(count)
    return -(-count // width) * width


class Batch:
    """Buffers and products that the problems of a batch share."""

    def __init__(self, design, targets, plan, jobs):
        self.design, (self.Y, self.means), self.plan, self.jobs = design, targets, plan, jobs
        self.least = min(plan.lanes, 24)  # lanes that there is room for from the start
        self.short_jobs = jobs if design.p >= LONG else 1  # threads with short tasks wait for Python's lock
        self.passes = 0
        self.spreads = {}
        self.buffers = {}
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

    def panels(self, lanes, least=0, of="all"):
        """Room for R and C with at least `lanes` lanes: arrays (panels, n, width), (panels, p, width)."""
        width, n, p = self.design.panel_width(lanes), self.design.n, self.design.p
        count = -(-lanes // width)
        if of not in self.buffers or self.buffers[of][0].size < count * width * n:
            size = max(count * width, least)
            self.buffers[of] = aligned(size * n), aligned(size * p)
        R, C = self.buffers[of]
        return R[: count * n * width].reshape(count, n, width), C[: count * p * width].reshape(count, p, width)

    def begin(self, runs):
        """First pass: the gradient at zero of every problem."""
        at_once = self.plan.lanes
        for start in range(0, len(runs), at_once):
            some = runs[start : start + at_once]
            R, C = self.panels(len(some), self.least)
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
                run.anchor = R[lane // width, :, lane % width].copy()
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
        """Products with X: gaps, missed features and gradients for the lanes of all runs."""
        R, C, squares = self.residuals(runs)
        late = any(len(run.free) for run in runs)  # their certificates need the products with those features first
        full = None if late else self.full_lanes(runs)
        P, products = (R, C) if full is None else self.copies(runs, full, R)
        outcomes = self.with_all_features(runs, R, P, products, full, late)
        if full is not None:
            self.with_some(outcomes, R, C)
        self.passes += 1
        parts = by_sample(runs)
        outcome_of = dict(zip(runs, outcomes, strict=True))

        def judge(k):
            for run in parts[k]:
                run.judge(outcome_of[run], squares)

        parallel_for(judge, len(parts), self.short_jobs)

    def full_lanes(self, runs):
        """For each run the numbers of the lanes that are to meet all features; None: all of them."""
        count = sum(len(run.lanes) for run in runs)
        if not self.design.bridges or count * self.design.pass_work < BRIDGED:
            return None
        full, spare = [], 8 // len(runs)
        for run in runs:
            k = len(run.lanes)
            each = max(1, min(spare, k // 3))
            full.append(sorted({k - 1 - k * i // each for i in range(each)}) if k else [])
        return full if panel_lanes(self.design, sum(map(len, full))) < panel_lanes(self.design, count) else None

    def copies(self, runs, full, R):
        """(panels of copies of these lanes of R, room for their products with X)"""
        lanes = [
            R[panel, :, lane]
            for run, some in zip(runs, full, strict=True)
            for panel, lane in (run.segments[n] for n in some)
        ]
        P, C = self.panels(len(lanes), of="copies")
        width = P.shape[2]
        P[:] = 0.0
        for k, lane in enumerate(lanes):
            P[k // width, :, k % width] = lane
        return P, C

    def with_all_features(self, runs, R, P, C, full, late):
        """What the products C of the residuals in the panels P, in the order of the runs, say of each of these."""
        lanes, outcomes, at = P.shape[0] * P.shape[2], [], 0
        for k, run in enumerate(runs):
            some = list(range(len(run.lanes))) if full is None else full[k]
            where = [divmod(at + i, P.shape[2]) for i in range(len(some))]
            outcomes.append(Outcome(run, self.design, R, C, where, some))
            at += len(some)
        if at == 0:
            return outcomes

        def reduce(k, first, stop):
            for outcome in outcomes:
                outcome.scan(k, first, stop)

        self.design.correlate(P, C, self.jobs, None if late else reduce)
        if late:
            for outcome in outcomes:
                outcome.look_at_free()
            for k, (first, stop) in enumerate(self.design.blocks(lanes)):
                reduce(k, first, stop)
        for outcome in outcomes:
            outcome.sum_up()
        return outcomes

    def with_some(self, outcomes, R, C):
        """Let the other lanes meet the features that may exceed their penalty."""
        outcomes = [outcome for outcome in outcomes if outcome.between]
        spreads = [self.spread(outcome.run.sample.centred) for outcome in outcomes]
        parallel_for(lambda k: outcomes[k].bridge(*spreads[k]), len(outcomes), self.short_jobs)
        doubtful = np.zeros((len(R), self.design.p), bool)
        for outcome in outcomes:
            for panel in {panel for panel, _ in outcome.run.segments}:
                doubtful[panel] |= outcome.doubtful
        columns = [np.flatnonzero(some) for some in doubtful]
        self.design.correlate_some(columns, R, C, self.jobs)
        parallel_for(lambda k: outcomes[k].scan_some(columns, C), len(outcomes), self.short_jobs)

    def spread(self, centred):
        """(lengths (p,) of the columns, less their means if `centred`; the largest mean over such a length)"""
        if centred not in self.spreads:
            every = np.arange(self.design.p, dtype=np.intp)
            mean, square, _ = self.design.moments(every, None, float(self.design.n), centred, self.jobs)
            norm = np.sqrt(np.maximum(square, 0.0))
            varies = norm > 0
            reach = float((np.abs(mean[varies]) / norm[varies]).max(initial=0.0))
            self.spreads[centred] = np.nan_to_num(norm, nan=HUGE, posinf=HUGE), reach
        return self.spreads[centred]

    def lay_out(self, runs):
        """Give the lanes of all runs a place in panels.

        Returns R and room for X'R, uninitialised; zeros (panels, width); the rows of Y that lanes start from; for each
        panel its (run, lane, places, values).
        """
        count = sum(len(run.lanes) for run in runs)
        R, C = self.panels(count, self.least)
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
