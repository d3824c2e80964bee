"""The rounds of a batch: every unfinished problem solves its next alphas, then one product with X judges them all."""

import math
from itertools import pairwise

import numpy as np

from ..design.blocks import aligned, complete, helpers, interleave, parallel_for
from ..kernels import panels
from .outcome import Outcome
from .regime import CACHE, EACH, FULL
from .run import Run
from .sample import Sample

BRIDGED = 2e7  # multiplications of all lanes with all features that are worth looking for fewer
LONG = 8_192  # rows from which on threads share those of a panel
MANY = 24  # problems that are worth two rounds side by side
LOOKED_AT = 1 << 21  # features that there is room to list candidates among
HUGE = 1e300  # stands for the length of a column whose squares overflow


def sum_of_squares(r, weights):
    """Not by BLAS: its threads, once woken, keep a core busy for a while, and its rounding depends on their number."""
    return (r * r).sum() if weights is None else (weights * r * r).sum()


def even_parts(items, most):
    """Parts of a list with at most so many items, as few as can be, and of the same length or nearly."""
    count = max(1, -(-len(items) // most))
    edges = [len(items) * k // count for k in range(count + 1)]
    return [items[first:stop] for first, stop in pairwise(edges)]


def panel_lanes(design, count):
    width = design.panel_width(count)
    return -(-count // width) * width


class Batch:
    """Buffers and products that the problems of a batch share."""

    def __init__(self, design, targets, plan, jobs):
        self.design, (self.Y, self.means), self.plan, self.jobs = design, targets, plan, jobs
        self.least = min(plan.lanes, 24)  # lanes that there is room for from the start
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
        with helpers(self.jobs):
            self.begin(runs)
            total = max(1, sum(len(run.ladder) for run in runs))
            if self.plan.full_gram():
                self.complete({id(run.sample): run.sample for run in runs if not run.done}.values())
            while unfinished := [run for run in runs if not run.done]:
                for groups in self.groups(unfinished):
                    interleave([self.round(group, half) for half, group in enumerate(groups)], self.jobs)
                if progress is not None:
                    progress(sum(run.k if run.stopped is None else len(run.ladder) for run in runs) / total)
            for run in runs:
                run.finish(run.task.y)
        self.runs = []  # what they hold goes before the next group's is built

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

    def room(self, name, *shape):
        """An uninitialised array, which is lost when the name is used again."""
        size = math.prod(shape)
        if name not in self.buffers or self.buffers[name].size < size:
            self.buffers[name] = aligned(max(size, self.least * shape[1]))
        return self.buffers[name][:size].reshape(shape)

    def panels(self, name, lanes, rows):
        """Such an array of panels (panels, rows, width) with at least `lanes` lanes."""
        width = self.design.panel_width(lanes)
        return self.room(name, -(-lanes // width), rows, width)

    def begin(self, runs):
        """First pass: the gradient at zero of every problem."""
        at_once = self.plan.lanes
        for start in range(0, len(runs), at_once):
            some = runs[start : start + at_once]
            R, C = (self.panels((name, 0), len(some), k) for name, k in (("R", self.design.n), ("C", self.design.p)))
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
            run.lanes = [0]
            run.hold(*run.null_model, np.array([0, len(run.null_model[0])]))
        R, squares = complete(self.residuals(runs), self.jobs)
        C = self.room(("C", 0), len(R), self.design.p, R.shape[2])
        self.design.correlate(R, C, self.jobs)
        self.passes += 1
        for run in runs:
            panel, lane = (int(where[0]) for where in run.segments)
            run.settle(C[panel, :, lane] / run.sample.total, 0.5 * squares[panel, lane] / run.sample.total)

    def groups(self, runs):
        """Runs that share a round, as many as there are lanes for; or half as many, for two rounds side by side.

        Returns lists of one such group or of two that have no sample in common.
        """
        bridged, samples = self.design.bridges and not any(len(run.free) for run in runs), {}
        most = max(1, self.plan.lanes // (FULL if bridged else EACH))
        for run in runs:
            samples.setdefault(run.sample, []).append(run)
        if bridged and len(runs) >= MANY and self.design.nbytes <= CACHE:  # X comes from memory for each round
            half, groups = min(most // 2, -(-len(runs) // 2)), [[]]
            for some in samples.values():
                if groups[-1] and len(groups[-1]) + len(some) > half:
                    groups.append([])
                groups[-1] += some
            if max(map(len, groups)) <= most:
                return [groups[first : first + 2] for first in range(0, len(groups), 2)]
        return [[group] for group in even_parts(runs, most)]

    def round(self, runs, half=0):
        """Bring in features, solve and verify; a generator of lists of parts that are to be done before it goes on."""
        for run in runs:
            run.sample.jobs = self.jobs
        yield from self.bring_in(runs)
        each = self.jobs // len(runs)
        yield [part for run in runs for part in run.solve_parts(each)]
        parallel_for(lambda k: runs[k].solve(each), len(runs), self.jobs if any(run.pending for run in runs) else 1)
        yield from self.verify(runs, half)

    def bring_in(self, runs):
        """Let the samples of these runs have the features that they want for their next alphas."""
        lanes, wanted, samples = max(1, min(EACH, self.plan.lanes), self.plan.lanes // len(runs)), {}, []
        at_once = max(self.jobs, LOOKED_AT // self.design.p)
        for first in range(0, len(runs), at_once):
            some = runs[first : first + at_once]
            yield [part for run in some for part in run.look_ahead(lanes)]
            for run in some:
                wanted.setdefault(run.sample, []).append((run.plan(self.plan.round_cost), run))
        for sample, wishes in wanted.items():
            if not any(run.exact for run in self.runs if run.sample is sample and not run.done):
                sample.gram = None
            new = wishes[0][0] if len(wishes) == 1 else np.unique(np.concatenate([new for new, _ in wishes]))
            if len(new):
                new = self.plan.rounded(sample, new, max(run.expected for _, run in wishes))
                samples.append((sample, new, max(run.expected_in_gram for _, run in wishes)))
        yield [part for sample, new, _ in samples for part in sample.look_at(new)]
        yield [part for sample, _, expected in samples for part in sample.take_in(expected)]
        for run in runs:
            run.extend()

    def verify(self, runs, half):
        """Products with X: gaps, missed features and gradients for the lanes of all runs."""
        R, squares = yield from self.residuals(runs, half)
        late = any(len(run.free) for run in runs)  # their certificates need the products with those features first
        full = None if late else self.full_lanes(runs)
        outcomes = yield from self.with_all_features(runs, R, full, half)
        self.passes += 1
        for some, columns in (yield from self.doubts(outcomes, R)):
            if columns is not None:
                yield from self.with_some(some, R, columns, half)
            yield [outcome.term_part() for outcome in some]
            yield [part for outcome in some for part in outcome.run.judge(outcome, squares)]

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

    def copies(self, runs, full, R, half):
        """Panels of copies of these lanes of R."""
        panel, lane = (
            np.concatenate([run.segments[k][some] for run, some in zip(runs, full, strict=True)]) for k in range(2)
        )
        P = self.panels(("copies", half), len(lane), self.design.n)
        P[:] = 0.0
        for k in range(len(P)):
            some = slice(k * P.shape[2], min((k + 1) * P.shape[2], len(lane)))
            P[k, :, : some.stop - some.start] = R[panel[some], :, lane[some]].T
        return P

    def with_all_features(self, runs, R, full, half):
        """What the products with X say of each run: of all its lanes, or of those whose numbers are in `full`."""
        p = self.design.p
        if full is None:
            C = self.room(("C", half), len(R), p, R.shape[2])
        else:  # in rows
            P = self.copies(runs, full, R, half)
            C = self.room(("C", half), P.shape[0] * P.shape[2], p, 1)
        outcomes, at = [], 0
        for k, run in enumerate(runs):
            some = list(range(len(run.lanes))) if full is None else full[k]
            outcomes.append(Outcome(run, self.design, R, C, at, some))
            at += len(some)
        if at > 0:
            yield self.design.correlate_parts(R if full is None else P, C, self.jobs)
            for outcome in outcomes:
                outcome.look_at_free()
            yield [part for outcome in outcomes for part in outcome.scans()]
            for outcome in outcomes:
                outcome.sum_up()
        return outcomes

    def doubts(self, outcomes, R):
        """Parts of the outcomes that there is room for at a time, with the features in doubt in each panel, or None."""
        between = [outcome for outcome in outcomes if len(outcome.between)]
        if not between:
            return [(outcomes, None)]
        yield [one.bridge(*self.spread(one.run.sample.centred)) for one in between]
        doubtful = np.zeros((len(R), self.design.p), bool)
        for outcome in between:
            doubtful[outcome.panels] |= outcome.doubtful()
        columns = [np.flatnonzero(some) for some in doubtful]
        most, parts, longest = self.plan.lanes * self.design.p // 2, [[]], 0
        for outcome in outcomes:
            longest = max([longest] + [len(some) for some in columns[outcome.panels]])
            first = (parts[-1] or [outcome])[0].panels.start
            if parts[-1] and (outcome.panels.stop - first) * R.shape[2] * longest > most:
                parts.append([])
                longest = max([0] + [len(some) for some in columns[outcome.panels]])
            parts[-1].append(outcome)
        return [(part, columns) for part in parts]

    def with_some(self, outcomes, R, columns, half):
        """Let the other lanes meet the features that may exceed their penalty: these columns, in each panel."""
        outcomes = [outcome for outcome in outcomes if len(outcome.between)]
        if not outcomes:
            return
        here = slice(outcomes[0].panels.start, outcomes[-1].panels.stop)
        columns, rows = columns[here], np.zeros((here.stop - here.start, self.design.p), np.int32)
        for row, some in zip(rows, columns, strict=True):
            row[some] = np.arange(len(some))
        C = self.room(("some", half), len(columns), max(1, max(map(len, columns))), R.shape[2])
        yield self.design.some_correlate_parts(columns, R[here], C)
        yield [part for one in outcomes for part in one.some_scans(columns, rows, C, here.start)]
        for outcome in outcomes:
            outcome.sum_up_some()

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

    def lay_out(self, runs, half):
        """Give the lanes of all runs a place in panels: `segments`, each lane's panel and its number there.

        Returns room for them, uninitialised; zeros (panels, width); the rows of Y that lanes start from; for each panel
        its (run, the numbers of its lanes, their places).
        """
        R = self.panels(("R", half), sum(len(run.lanes) for run in runs), self.design.n)
        width = R.shape[2]
        target = np.full((R.shape[0], width), -1, dtype=np.intp)
        at, members = 0, [[] for _ in range(R.shape[0])]
        for run in runs:
            stop, lanes = at + len(run.lanes), np.array(run.lanes, dtype=np.intp)
            run.segments = np.divmod(np.arange(at, stop), width)
            target.ravel()[at:stop] = run.target
            while at < stop:
                panel, first = divmod(at, width)
                some = min(stop - at, width - first)
                members[panel].append((run, lanes[len(lanes) - stop + at :][:some], range(first, first + some)))
                at += some
        return R, np.zeros(target.shape), target, members

    def residuals(self, runs, half=0):
        """R and the weighted squares (panels, width), for the lanes of all runs."""
        R, squares, target, members = self.lay_out(runs, half)
        parts = [spread(entries, self.design.p, R.shape[2]) for entries in members]
        yield [part for part, _, _ in parts]
        used = [(columns[: part.count], W[None, : part.count]) for part, columns, W in parts]
        yield from self.fill(R, squares, target, members, used)
        return R, squares

    def fill(self, R, squares, target, members, used):
        """The residuals of the solutions in the panels, given the features in use and their coefficients in each."""
        whole, others = [], []
        for k, entries in enumerate(members):
            same = all(run.sample is entries[0][0].sample for run, _, _ in entries)
            (whole if same and (self.design.n > LONG or not self.design.dense) else others).append(k)
        alone = len(whole) >= self.jobs  # each panel on a thread of its own, or all threads on one after the other

        def residuals(i):
            k, sample = whole[i], members[whole[i]][0][0].sample
            squares[k] = self.design.residuals(
                self.Y, target[k : k + 1], *used[k], sample.weights, sample.centred, sample.total, R[k : k + 1],
                1 if alone else self.jobs,
            )[0]  # fmt: skip

        parallel_for(residuals, len(whole), self.jobs if alone else 1)
        yield self.without_weights(R, target, used, others)
        yield [weigh(R[k], squares[k], members[k]) for k in others]

    def without_weights(self, R, target, used, some):
        """The parts of R <- Y[target] - X W in some panels."""
        if self.design.dense:
            return [
                part
                for k in some
                for part in self.design.residual_parts(self.Y, target[k : k + 1], *used[k], R[k : k + 1])
            ]

        def residuals(i):
            k = some[i]
            self.design.residuals(self.Y, target[k : k + 1], *used[k], None, False, 1.0, R[k : k + 1], 1)

        parallel_for(residuals, len(some), self.jobs)
        return []


def spread(entries, p, lanes):
    """(the part that fills in what follows, features in use, their coefficients (k, lanes)) for the members of a panel.

    There may be fewer features than there is room for; the part counts them.
    """
    features, values, ends, at = [], [], [], []
    for run, some, places in entries:
        if some[-1] - some[0] == len(some) - 1:  # side by side
            parts = [slice(run.stops[some[0]], run.stops[some[-1] + 1])]
        else:
            parts = [slice(run.stops[i], run.stops[i + 1]) for i in some]
        features += [run.used[part] for part in parts]
        values += [run.value[part] for part in parts]
        ends.append(run.stops[some + 1] - run.stops[some])
        at += places
    if not entries:
        features, values, ends = [np.empty(0, np.intp)], [np.empty(0)], [np.empty(0, np.intp)]
    features, values, stops = np.concatenate(features), np.concatenate(values), np.cumsum(np.concatenate(ends))
    columns, W = np.empty(len(features), np.intp), np.empty((len(features), lanes))
    return panels.Spread(features, values, stops, np.array(at, dtype=np.intp), p, columns, W), columns, W


def weigh(R, squares, entries):
    """The part that weights a panel of residuals, after their means have been taken off, and sums up their squares."""
    samples, starts = [], []
    for run, _, places in entries:
        if not samples or run.sample is not samples[-1]:
            samples.append(run.sample)
            starts.append(places.start)
    edges = np.array([*starts, entries[-1][2].stop if entries else 0], dtype=np.intp)
    weights = np.array([sample.row_weights() for sample in samples]).reshape(len(samples), len(R))
    centred = np.array([sample.centred for sample in samples], np.uint8)
    return panels.WeightParts(R, edges, weights, centred, np.zeros(len(squares)), squares)
