"""What the products of one round say of one run."""

from itertools import groupby

import numpy as np

from ..kernels import bridge, certificate

SURE = 1.0 - 1e-12  # of the penalty: what a feature that is out of the question stays below


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
    C : ndarray of shape (panels, p, lanes)
        Products with X of the lanes that meet all features, in panels of their own.
    where : list of (panel, lane)
        Of those of this run.
    full : list of int
        Their numbers, among the run's lanes.
    """

    def __init__(self, run, design, R, C, where, full):
        self.run, self.design, self.R, self.C, self.full = run, design, R, C, full
        self.scale = 1.0 / run.sample.total
        self.where = dict(zip(full, where, strict=True))
        self.between = [n for n in range(len(run.lanes)) if n not in self.where]
        self.l1, self.l2 = run.l1[run.lanes], run.l2[run.lanes]
        self.off, self.largest, self.conjugate = np.zeros((3, len(run.lanes)))
        self.missed = np.zeros(design.p, dtype=np.uint8)
        self.copied = {}  # of lanes whose products are in `gradients`, their rows there
        self.parts = parts_of(where, full)
        blocks = len(design.blocks(C.shape[0] * C.shape[2])) if full else 1
        self.found = [np.zeros((2, blocks, len(some))) for _, _, some in self.parts]

    def look_at_free(self):
        """What is left of the unpenalised features in each lane's residual."""
        run = self.run
        if len(run.free):
            for n in self.full:
                c = self.gradient(n, run.free)
                self.off[n] = np.sqrt(run.projection(c, *run.solved[run.lanes[n]], n)[2])

    def scan(self, k, first, stop):
        """Take in block k of features."""
        run, several = self.run, len(self.parts) > 1
        limits = run.factor1, run.factor2, run.task.lower, run.task.upper, run.norm
        missed = np.zeros_like(self.missed) if several else self.missed
        for (panel, lane, some), found in zip(self.parts, self.found, strict=True):
            certificate.scan(
                self.C, panel, lane, first, stop, self.scale, self.l1[some], self.l2[some], *limits, self.off[some],
                run.sample.place, found[0, k], found[1, k], missed,
            )  # fmt: skip
            if several:
                self.missed[first:stop] |= missed[first:stop]

    def sum_up(self):
        """After all blocks."""
        for (_, _, some), found in zip(self.parts, self.found, strict=True):
            self.largest[some], self.conjugate[some] = found[0].max(axis=0), found[1].sum(axis=0)

    # ------------------------------------------------------------------ lanes between others

    def bridge(self, norm, reach):
        """Find the features that may exceed their penalty in such a lane, or are in use there: (p,) bools."""
        run = self.run
        self.residuals = np.empty((len(run.lanes) + 1, self.design.n))
        self.gradients = np.empty((len(self.full) + 1, len(norm)))
        self.residuals[0], self.gradients[0] = run.anchor, run.gradient / self.scale
        for n, (panel, lane) in enumerate(run.segments, 1):
            self.residuals[n] = self.R[panel, :, lane]
        for i, n in enumerate(self.full, 1):
            self.gradients[i] = self.column(n)
        self.copied = {n: i for i, n in enumerate(self.full, 1)}
        rows, between = np.array([0, *(n + 1 for n in self.full)]), np.array(self.between) + 1
        left = np.searchsorted(rows, between) - 1
        s, t, rest = np.empty((3, len(between)))
        bridge.chords(self.residuals, rows[left], rows[left + 1], between, reach, s, t, rest)
        self.chords = dict(zip(self.between, zip(left, s, t, strict=True), strict=True))
        marks = np.ones(len(norm), np.uint8)
        if np.isfinite(self.gradients).all():
            limit = SURE / self.scale * self.l1[self.between]
            bridge.doubtful(self.gradients, left, s, t, rest, limit, run.factor1, norm, marks)
        for n in self.between:
            marks[run.sample.features[run.solved[run.lanes[n]][0]]] = 1
        self.doubtful = marks.view(bool)

    def scan_some(self, columns, C):
        """Take in the products with these columns, for each panel of R; they are the first rows of C's panels."""
        run, self.columns, self.products = self.run, columns, C
        for panel, lane, some in parts_of(run.segments, range(len(run.lanes))):
            used = columns[panel]
            limits = (
                None if a is None else a[used]
                for a in (run.factor1, run.factor2, run.task.lower, run.task.upper, run.norm)
            )
            found, missed = np.zeros((2, len(some))), np.zeros(len(used), np.uint8)
            certificate.scan(
                C, panel, lane, 0, len(used), self.scale, self.l1[some], self.l2[some], *limits, self.off[some],
                run.sample.place[used], *found, missed,
            )  # fmt: skip
            self.missed[used] |= missed
            new = [k for k, n in enumerate(some) if n not in self.where]
            self.largest[some[new]], self.conjugate[some[new]] = found[:, new]
        self.largest[self.between] = np.maximum(self.largest[self.between], SURE * self.l1[self.between])  # the others'

    # ------------------------------------------------------------------ gradients

    def gradient(self, n, features):
        """That of lane n at features that it has met."""
        if n in self.where:
            panel, lane = self.where[n]
            return self.C[panel, features, lane] * self.scale
        panel, lane = self.run.segments[n]
        return self.products[panel, np.searchsorted(self.columns[panel], features), lane] * self.scale

    def column(self, n):
        """(p,) the products of lane n with all features."""
        if n in self.copied:
            return self.gradients[self.copied[n]]
        if n in self.where:
            panel, lane = self.where[n]
            return self.C[panel, :, lane]
        panel, lane = self.run.segments[n]
        return self.design.correlations(np.ascontiguousarray(self.R[panel, :, lane : lane + 1]))[:, 0]

    def last_known(self, n):
        """(residual, its gradient (p,)) of lane n, or of the nearest combination of others for which it is known."""
        if n in self.where:
            panel, lane = self.run.segments[n]
            return self.R[panel, :, lane].copy(), self.column(n) * self.scale
        i, s, t = self.chords[n]
        a, b = (0 if k == 0 else self.full[k - 1] + 1 for k in (i, i + 1))
        return (
            s * self.residuals[a] + t * self.residuals[b],
            (s * self.gradients[i] + t * self.gradients[i + 1]) * self.scale,
        )

    def about(self, n):
        """(p,) the gradient of lane n; where it is not known, that of the nearest combination of others."""
        if n in self.where:
            return self.column(n) * self.scale
        i, s, t = self.chords[n]
        gradient = s * self.gradients[i] + t * self.gradients[i + 1]
        panel, lane = self.run.segments[n]
        gradient[self.columns[panel]] = self.products[panel, : len(self.columns[panel]), lane]
        return gradient * self.scale


def parts_of(segments, numbers):
    """[(panel, its first lane, the numbers there)] of lanes that lie side by side."""
    placed = zip(segments, numbers, strict=True)
    return [
        (panel, lanes[0][0][1], np.array([n for _, n in lanes]))
        for panel, group in groupby(placed, key=lambda item: item[0][0])
        if (lanes := list(group))
    ]
