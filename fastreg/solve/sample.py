"""The rows of a batch as one set of weights sees them: means, and the Gram matrix of the features met so far."""

import numpy as np

from ..design import as_design
from ..design.blocks import do_all
from ..design.packs import full_gram

SPOTS = 16  # columns on which a given Gram matrix is checked
ROUGHLY = 1e-5  # of the size of the columns: a difference that rounding in float32 explains
LEFT = 0.05  # share of a sum of squares that a difference has to leave: rounding grows by the reciprocal
MANY = 4  # samples whose standard deviations are found together,
BLOCK = 1 << 20  # with squares of so many entries at a time,
LEAST_LEFT = 0.01  # where such a share of them is left without the mean
ROUNDING = 1e-15  # a column whose entries differ from their mean by no more than this share is constant


class Sample:
    """What is known of the features met so far, shared by all problems that have the same weights.

    Features are numbered in the order in which `add` brought them in.  `mean` is that of the columns as the design
    reads them, `offset` what it takes off them besides, `norm` their centred sum of squares over the total weight.
    `gram[:m, :m]` is their Gram matrix, likewise; without one, `columns` are those of a dense design, centred.
    """

    def __init__(self, design, weights, centred, jobs, keeps_gram=True):
        self.design, self.weights, self.centred, self.jobs = design, weights, centred, jobs
        self.total = float(design.n) if weights is None else float(weights.sum())
        self.place = np.full(design.p, -1, dtype=np.int32)
        self.features = np.empty(0, dtype=np.intp)
        self.mean = np.empty(0)
        self.offset = np.empty(0)
        self.constant = np.empty(0, dtype=bool)
        self.norm = np.empty(0)
        self.gram = np.empty((0, 0)) if keeps_gram else None
        self.columns = np.empty((0, design.n))
        self.spread = None

    @property
    def complete(self):
        """Whether every feature is in the Gram matrix."""
        return len(self.features) == self.design.p

    def row_weights(self):
        """(n,)"""
        return np.ones(self.design.n) if self.weights is None else self.weights

    def standard_deviations(self):
        """(p,) weighted 1/S standard deviations about the mean; exactly zero for a constant column."""
        if self.spread is None:
            every = np.arange(self.design.p, dtype=np.intp)
            _, square, raw = self.design.moments(every, self.weights, self.total, True, self.jobs)
            with np.errstate(invalid="ignore"):
                square[is_constant(square, raw)] = 0.0
                self.spread = np.sqrt(square / self.total)
        beyond = np.flatnonzero(~np.isfinite(self.spread))
        if len(beyond):
            self.design.refuse_nonfinite(
                f"column {beyond[0]} of X holds values so large that their squares overflow: scale it down, or drop it"
            )
        return self.spread

    def add(self, new):
        """Bring in the features `new`, none of which is in yet."""
        do_all(self.look_at(new), self.jobs)
        do_all(self.take_in(), self.jobs)

    def look_at(self, new):
        """The first half of `add`: what is to be done before the second."""
        self.new = np.ascontiguousarray(new, dtype=np.intp)
        self.moments, parts = self.design.moment_parts(self.new, self.weights, self.total, self.centred, self.jobs)
        return parts

    def take_in(self, expected=0):
        """The second half: what is to be done before the features can be used; `expected` as in `gram_parts`."""
        new, (mean, square, raw) = self.new, self.moments
        m, k = len(self.features), len(new)
        self.features = np.concatenate([self.features, new])
        self.place[new] = np.arange(m, m + k, dtype=np.int32)
        self.mean = np.concatenate([self.mean, mean])
        shift = self.design.shift
        self.offset = np.concatenate([self.offset, np.zeros(k) if shift is None else shift[new]])
        self.constant = np.concatenate([self.constant, is_constant(square, raw)])
        self.norm = np.concatenate([self.norm, np.where(self.constant[m:], 0.0, square / self.total)])
        if self.gram is not None:
            return self.gram_parts(k, expected)
        self.pack(new, mean)
        return []

    def pack(self, new, mean):
        """Copy the last features, `new`, to `columns`, unless they can be read where they are."""
        if self.design.dense:
            m, k = len(self.features) - len(new), len(new)
            self.columns = with_room(self.columns, m, m + k)
            self.design.columns(new, mean, self.columns[m : m + k])

    def adopt(self, gram):
        """Take a given Gram matrix of all features, weighted, centred or not; raise a ValueError if it is another's.

        One in float32 is only checked.
        """
        design, every = self.design, np.arange(self.design.p, dtype=np.intp)
        if gram.shape != (design.p, design.p):
            raise ValueError(f"precompute, the Gram matrix, has shape {gram.shape}; X has {design.p} columns")
        mean, square, raw = design.moments(every, self.weights, self.total, self.centred, self.jobs)
        offset = np.zeros(design.p) if design.shift is None else design.shift
        known = Sample(design, self.weights, self.centred, self.jobs)
        some = np.unique(np.linspace(0, design.p - 1, min(design.p, SPOTS)).astype(np.intp))
        known.add(some)
        size = np.sqrt(np.outer(raw[some], raw[some])) / self.total
        given = gram[np.ix_(some, some)] / self.total
        level = mean + offset
        for taken in (np.zeros(design.p), level) if self.centred else (np.zeros(design.p),):
            if (np.abs(given - np.outer(taken[some], taken[some]) - known.gram) <= ROUGHLY * size).all():
                break
        else:
            raise ValueError(
                "precompute is not the Gram matrix of this X: it must be X'X, or X' diag(sample_weight) X, of the "
                "columns as they are or less their (weighted) means"
            )
        if gram.dtype == np.float32:  # its rounding would be that of the answers
            return
        self.gram = gram / self.total
        self.gram -= np.outer(taken, taken)
        self.features, self.place = every, np.arange(design.p, dtype=np.int32)
        self.mean, self.offset = mean, offset
        self.constant = is_constant(square, raw)
        self.norm = np.where(self.constant, 0.0, square / self.total)

    def take_from(self, whole, rows, weights):
        """Take over all features from a complete sample, in which `rows` weigh that much (k,) more than here.

        Returns False, and leaves this sample as it was, where a difference would lose too many digits.
        """
        if len(rows) == 0:
            for name in ("gram", "features", "place", "mean", "offset", "constant", "norm"):
                setattr(self, name, getattr(whole, name))
            return True
        design, every = self.design, whole.features
        part = as_design(design.X[rows])
        if design.shift is not None:
            part.shift = design.shift
        total = float(weights.sum())
        mean = part.moments(every, weights, total, True, self.jobs)[0] if self.centred else np.zeros(design.p)
        moved = total * (mean - whole.mean)
        gram = whole.gram * whole.total - full_gram(part, mean, weights, self.jobs, every)
        if self.centred:  # the rows differ in their mean too, here and there
            gram -= np.outer(moved, moved) * (1.0 / total + 1.0 / self.total)
        square = np.diag(gram)
        alive = ~whole.constant
        if (square[alive] < LEFT * whole.total * whole.norm[alive]).any():
            return False
        gram /= self.total
        self.gram, self.features, self.place = gram, every, whole.place
        self.mean, self.offset = whole.mean - moved / self.total, whole.offset
        self.constant, self.norm = whole.constant, np.where(alive, np.diag(gram), 0.0)
        return True

    def begin_gram(self):
        """Keep a Gram matrix from here on."""
        if self.gram is None:
            self.gram = np.empty((0, 0))
            do_all(self.gram_parts(len(self.features)), self.jobs)

    def gram_parts(self, k, expected=0):
        """The parts that bring the last k features into the Gram matrix, for which there is room now.

        Room is made for as many features as are `expected` in the end, but for half as many again as there are at most.
        """
        size = len(self.features)
        if size > len(self.gram):
            m, most = size - k, min(self.design.p, max(size, min(int(expected), 3 * size // 2)))
            gram = np.empty((most, most))
            gram[:m, :m] = self.gram[:m, :m]
            self.gram = gram
        return self.design.gram_parts(self.gram, self.features, k, self.mean, self.weights, 1.0 / self.total, self.jobs)


def is_constant(square, raw):
    """Whether columns are, by their sums of squares, centred and not; one whose squares overflow is not."""
    return (square <= ROUNDING**2 * raw) & (raw < np.inf)


def find_spreads(samples):
    """Have the standard deviations of samples {...: sample} of one design, from products with all weights at once.

    A square less that of the mean loses digits where the mean is large: such columns are looked at one by one.
    """
    samples = [sample for sample in samples.values() if sample.spread is None]
    if len(samples) < MANY or not samples[0].design.dense or samples[0].design.shift is not None:
        return
    design, jobs = samples[0].design, samples[0].jobs
    if design.n > BLOCK // 64:  # weights would be packed again for every few columns
        return
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):  # such columns are looked at one by one
        W = np.column_stack([sample.row_weights() / sample.total for sample in samples])
        mean, square, step = design.correlations(W, jobs), np.empty((design.p, len(samples))), max(8, BLOCK // design.n)
        for first in range(0, design.p, step):
            part = slice(first, first + step)
            square[part] = as_design(np.square(design.X[:, part], dtype=np.float64)).correlations(W, jobs)
        for sample, about, raw in zip(samples, mean.T, square.T, strict=True):
            variance = raw - about * about
            poor = np.flatnonzero(~(variance > LEAST_LEFT * raw))
            _, sums, raws = design.moments(poor, sample.weights, sample.total, True, jobs)
            variance[poor] = np.where(is_constant(sums, raws), 0.0, sums) / sample.total
            sample.spread = np.sqrt(variance)


def with_room(columns, m, wanted):
    """An array with the first m rows of `columns` and room for `wanted`: the same, if it has that."""
    if wanted <= len(columns):
        return columns
    grown = np.empty((max(wanted, 2 * len(columns)), columns.shape[1]))
    grown[:m] = columns[:m]
    return grown
