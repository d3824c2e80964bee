"""What the products of one round say of one run."""

import numpy as np

from ..kernels.certificate import Scan, Terms
from ..kernels.screening import Bridge, Follow

SURE = 1.0 - 1e-12  # of the penalty: what a feature that is out of the question stays below
SCANNED = 1 << 15  # features that one thread looks at in one go


class Outcome:
    """What the products with X say of a run's lanes.

    Some lanes have met all features.  The others, each between two of these (or after the run's anchor), have met those
    that may exceed their penalty or are in use.

    Parameters
    ----------
    run : Run
    design : Dense, Columns or Rows
    R : ndarray of shape (panels, n, lanes)
        The residuals of all lanes, at `run.segments`.
    C : ndarray of shape (panels, p, lanes) or (rows, p, 1)
        Products with X of the lanes that meet all features: in panels, or where not all do, in rows of their own.
    at : int
        The first of this run's lanes, or rows, there.
    full : list of int
        The numbers of its lanes that meet all features, among all of them.
    """

    def __init__(self, run, design, R, C, at, full):
        self.run, self.design, self.R, self.C = run, design, R, C
        self.full = np.array(full, dtype=np.intp)
        self.scale = 1.0 / run.sample.total
        self.where = np.divmod(np.arange(at, at + len(full)), C.shape[2])
        self.number = {n: i for i, n in enumerate(full)}
        self.between = np.delete(np.arange(len(run.lanes)), self.full)
        self.l1, self.l2 = run.l1[run.lanes], run.l2[run.lanes]
        self.off, self.more, self.largest, self.conjugate = np.zeros((4, len(run.lanes)))
        self.panels = slice(run.segments[0][0], run.segments[0][-1] + 1) if len(run.lanes) else slice(0, 0)
        self.missed = np.zeros(design.p, dtype=np.uint8)
        self.products, self.rows, self.first = None, None, 0
        self.limits = run.factor1, run.factor2, run.task.lower, run.task.upper, run.norm

    def look_at_free(self):
        """What is left of the unpenalised features in each lane's residual, and what bounds on them add to a gap."""
        run = self.run
        if len(run.free):
            for n in range(len(run.lanes)):
                c = self.gradient(n, run.free)
                self.more[n], squares, _ = run.free_part(c, *run.solved[run.lanes[n]], n)
                self.off[n] = np.sqrt(squares)

    def scans(self):
        """The parts that look at the products with all features."""
        full, some = self.full, range(0, self.design.p, SCANNED)
        self.found = np.zeros((2, len(some), len(full)))
        return [
            Scan(
                self.C, *self.where, first, min(first + SCANNED, self.design.p), None, self.scale, self.l1[full],
                self.l2[full], *self.limits, self.off[full], self.run.sample.place, *self.found[:, k], self.missed,
            )
            for k, first in enumerate(some)
        ]  # fmt: skip

    def sum_up(self):
        """After these."""
        self.largest[self.full] = self.found[0].max(axis=0)
        self.conjugate[self.full] = self.found[1].sum(axis=0) + self.more[self.full]

    # ------------------------------------------------------------------ lanes between others

    def bridge(self, norm, reach):
        """The part that finds the features which may exceed their penalty in such a lane, or are in use there."""
        run, k = self.run, len(self.run.lanes)
        self.marks = np.empty(len(norm), np.uint8)
        room = np.empty((k + 1, self.design.n)), np.empty(k, np.intp), np.empty((3, k)), self.marks
        limit = SURE / self.scale * self.l1
        self.bridged = Bridge(
            self.R, *run.segments, self.full, self.C, self.where[0], run.anchor, run.gradient, run.sample.total, reach,
            limit, run.factor1, norm, *room,
        )  # fmt: skip
        return self.bridged

    def doubtful(self):
        """(p,) bools: these features."""
        self.marks[self.run.used] = 1
        return self.marks.view(bool)

    def some_scans(self, columns, rows, C, first):
        """The parts that look at products with these columns, for panels of R from the `first`.

        They are the first rows of C's panels; `rows` (panels, p) are those of each column.
        """
        self.columns, self.rows, self.products, self.first, parts = columns, rows, C, first, []
        panels, lanes = (where[self.between] for where in self.run.segments)
        panels = panels - first
        found = self.largest[self.between], self.conjugate[self.between]
        self.found, self.missed_too = found, []
        for panel in np.unique(panels):
            missed = self.missed
            if parts:  # no two write to the same
                missed = np.zeros_like(missed)
                self.missed_too.append(missed)
            first, stop = np.searchsorted(panels, (panel, panel + 1))
            some, part = self.between[first:stop], slice(first, stop)
            parts.append(
                Scan(
                    C, panels[part], lanes[part], 0, len(columns[panel]), columns[panel], self.scale, self.l1[some],
                    self.l2[some], *self.limits, self.off[some], self.run.sample.place, found[0][part], found[1][part],
                    missed,
                )
            )  # fmt: skip
        return parts

    def sum_up_some(self):
        """After these."""
        self.largest[self.between] = np.maximum(self.found[0], SURE * self.l1[self.between])  # the others'
        self.conjugate[self.between] = self.found[1]
        for missed in self.missed_too:
            self.missed |= missed

    # ------------------------------------------------------------------ gaps

    def term_part(self):
        """The part that finds what coefficients add to the gaps, and take off the intercepts."""
        run, lanes = self.run, np.array(self.run.lanes, dtype=np.intp)
        self.kappa = np.divide(self.l1, self.largest, out=np.ones(len(lanes)), where=self.largest > self.l1)
        (panel, lane), full = (where.copy() for where in run.segments), np.zeros(len(lanes), np.uint8)
        panel -= self.first
        panel[self.full], lane[self.full] = self.where
        full[self.full] = 1
        self.terms, self.shift = np.empty((2, len(lanes)))
        return Terms(
            self.C, self.products, self.rows, full, panel, lane, self.scale, run.used, run.value, run.stops[lanes],
            run.stops[lanes + 1], self.l1, self.l2, *self.limits, self.off**2, self.kappa, run.shifts(), self.terms,
            self.shift,
        )  # fmt: skip

    # ------------------------------------------------------------------ gradients

    def gradient(self, n, features):
        """That of lane n at features that it has met."""
        if n in self.number:
            panel, lane = (where[self.number[n]] for where in self.where)
            return self.C[panel, features, lane] * self.scale
        panel, lane = (where[n] for where in self.run.segments)
        panel -= self.first
        return self.products[panel, self.rows[panel, features], lane] * self.scale

    def column(self, n):
        """(p,) the products of lane n with all features."""
        if n in self.number:
            panel, lane = (where[self.number[n]] for where in self.where)
            return self.C[panel, :, lane]
        return self.design.correlations(np.ascontiguousarray(self.residual(n)[:, None]))[:, 0]

    def residual(self, n):
        """(n,) that of lane n."""
        panel, lane = (where[n] for where in self.run.segments)
        return self.R[panel, :, lane]

    def follow(self, n, step):
        """Give the run the gradient of lane n, its residual, and the gradient's change for `step`, which alpha fell by.

        Where the gradient is not known, it is that of the nearest combination of others.  The change of late counts,
        from lane n - 1: that over a whole round leads astray.  Returns the parts that this takes.
        """
        run, p = self.run, self.design.p
        if len(self.between) == 0:
            before, run.gradient = run.gradient, self.column(n) * self.scale
            if n > 0:
                before = self.column(n - 1) * self.scale
            if step > 0:
                run.slope = (before - run.gradient) / step
            run.anchor = self.residual(n).copy()
            return []
        slope, columns, products = np.empty(p), None, self.products[0]
        run.anchor, run.gradient = np.empty(self.design.n), np.empty(p)
        if n > 0:
            panel = run.segments[0][n - 1] - self.first
            columns, products = self.columns[panel], self.products[panel]
        part = Follow(self.bridged, n, columns, products, step or 1.0, run.anchor, run.gradient, slope)
        if step > 0:
            run.slope = slope
        return [part]
