"""A sparse X behind the operations that the engine needs; X is read where it lies, never made dense or reordered."""

import functools
import threading
from itertools import pairwise

import numpy as np

from ..kernels import lines, panels
from ..kernels.by_rows import RowSet
from .blocks import OVERFLOW, aligned, parallel_for
from .packs import Halves

FULL = 0.5  # share of entries from which on means are taken off a column itself, not off its products
LINE_WORK = 2.0  # time of an entry and eight lanes in a panel, over that of a pair of entries in a row
COPY_WORK = 8.0  # time of copying an entry
TRANSPOSED = 1 << 19  # entries that are copied row by row at a time, or a sixteenth of those of X if that is more
PACKED = 0.28  # share of the entries of a matrix of rows that may be packed as columns,
FEW = 1 << 20  # or so many of them;
SWEPT = 0.12  # share that is packed at a time, where all would be more
ENTRY_WORK = 3.0  # an entry costs as much as so many of a dense matrix: its line of the panel has to be fetched


class Columns:
    """A sparse design stored by columns (CSC).

    Parameters
    ----------
    X : scipy.sparse CSC matrix or array of shape (n, p), float32 or float64
        Indices of either width, in any order; duplicates add up.  float32 entries are widened as they are read.
    """

    shift = None
    dense = False
    bridges = False
    in_place = True  # a column is read without a copy of it

    def __init__(self, X):
        self.X = X
        self.n, self.p = X.shape
        self.dtype = X.dtype
        self.nbytes = X.data.nbytes + X.indices.nbytes + X.indptr.nbytes
        self.starts, self.stops = X.indptr[:-1], X.indptr[1:]
        self.index, self.value = X.indices, X.data
        self.pass_work = ENTRY_WORK * len(X.data) + self.p
        self.column_work = max(8.0, ENTRY_WORK * len(X.data) / self.p)

    @functools.cached_property
    def counts(self):
        """(p,) entries of the columns."""
        return np.diff(self.X.indptr)

    def panel_width(self, lanes):
        """Lanes of a panel: a row of eight is a cache line."""
        return 8

    def correlate(self, R, out, jobs=1):
        """out <- X'R for panels R (panels, n, 8), out (panels, p, 8)."""
        count = int(min(max(1, self.p // 64), max(1, self.pass_work * R.shape[0] * 8 // 2_000_000, 8)))
        edges = np.searchsorted(self.stops, np.linspace(0, self.stops[-1], count + 1)[1:-1])
        edges = np.concatenate([[0], edges, [self.p]])

        def task(k):
            first, stop = int(edges[k]), int(edges[k + 1])
            if stop > first:
                lines.correlate_columns(self.starts, self.stops, self.index, self.value, first, stop, R, out)

        parallel_for(task, count, jobs)

    def correlate_parts(self, R, out, jobs=1):
        """Do that; nothing is left to be done."""
        self.correlate(R, out, jobs)
        return []

    def residuals(self, Y, target, columns, W, weights, centred, total, R, jobs=1):
        """R <- weights * (Y[target] - X[:, columns] W), less its weighted mean if `centred`.

        Returns the weighted sums of squares (panels, 8).  W is overwritten.
        """
        squares = np.empty(target.shape)
        subtract = self.subtraction(Y, target, columns, W, weights, R)

        def task(k):
            part, sums = R[k : k + 1], np.empty((1, 8))
            subtract(k, sums[0])
            shift = np.zeros((1, 8))
            if centred:  # twice: the first mean is off by rounding
                shift = sums / total
                panels.shift_rows(part, 0, self.n, shift, weights, sums)
                shift = sums / total
            panels.weight_rows(part, 0, self.n, shift, weights, squares[k : k + 1])

        parallel_for(task, len(R), jobs)
        return squares

    def subtraction(self, Y, target, columns, W, weights, R):
        """A function of k and `sums` (8,): R[k] <- Y[target[k]] - X[:, columns] W[k], `sums` those of its columns."""
        starts, stops, index, value = self.entries(columns)

        def subtract(k, sums):
            lines.residuals(starts, stops, index, value, Y, target[k], columns, W[k], weights, R[k], sums)

        return subtract

    def work_of(self, columns):
        """Entries of some columns, over those of an average one."""
        return self.counts[columns] * (self.p / max(1, len(self.X.data)))

    def entries(self, columns):
        """(starts, stops, index, value) in which the given columns can be found."""
        return self.starts, self.stops, self.index, self.value

    def give_to(self, active, columns):
        """Let a `ResidualSet` read these columns."""
        starts, stops, index, value = self.entries(columns)
        starts, stops = (ends[columns].astype(np.int64) for ends in (starts, stops))
        active.read_sparse(index, value, starts, stops, self.in_place)

    def gram_parts(self, gram, rows, k, means, weights, scale, jobs=1):
        """Put the last k of the features `rows`, `means` taken off, into their Gram matrix times `scale`.

        Rows and columns m - k..m - 1 are filled in, m being the number of `rows`.  Nothing is left to be done.
        """
        halves = Halves(gram, len(rows) - k, scale)
        self.gram_columns(rows, rows[len(rows) - k :], means, weights, halves.store, jobs)
        halves.close()
        return []

    def gram_columns(self, rows, new, means, weights, store, jobs=1):
        """Weighted inner products of the features `rows` with the features `new`, `means` of the rows taken off.

        `store(first, stop, start, part)` receives part (stop - first, k): rows first..stop-1, new[start:start+k].
        Only what lies on or below the diagonal block is computed: `new` are the last of `rows`.
        """
        starts, stops, index, value = self.entries(rows)
        total = float(self.n) if weights is None else float(weights.sum())
        parts = self.lines_of(rows, new, means.any())
        if parts is not None:
            for first, stop in parts:
                self.gram_by_rows(first, stop, rows, new, means, weights, total, store, jobs)
            return
        offset, groups = len(rows) - len(new), [np.arange(i, min(i + 8, len(new))) for i in range(0, len(new), 8)]
        free = []  # panels of zeros

        def task(k):
            group = groups[k]
            start, last = group[0], offset + group[-1] + 1
            some = new[start : start + len(group)]
            try:
                panel = free.pop()
            except IndexError:
                panel = aligned((self.n, 8))
                panel[:] = 0.0
            dense = bool((stops[some] - starts[some] > FULL * self.n).any()) and means.any()
            out = aligned((last, 8))
            lines.gram_columns(
                starts, stops, index, value, weights, total, rows[:last], some, means[offset + start : last],
                means[:last], dense, panel, out,
            )  # fmt: skip
            free.append(panel)
            store(0, last, start, out[:, : len(group)])

        parallel_for(task, len(groups), jobs)

    def gram_by_rows(self, first, stop, rows, new, means, weights, total, store, jobs):
        """As `gram_columns`, for the features rows[first:stop], from a copy of them row by row."""
        starts, stops, index, value = self.entries(rows)
        old, copied = len(rows) - len(new), rows[first:stop]
        size = int((stops[copied] - starts[copied]).sum())
        ends, places, values = np.empty(self.n, np.intp), np.empty(size, np.int32), np.empty(size)
        lines.transpose(starts, stops, index, value, copied, ends, places, values)
        begin, most = max(0, first - old), len(new) * len(copied) // 20_000 + 1  # others have these above the diagonal
        edges = np.linspace(begin, len(new), min(len(new), most) + 1).astype(np.intp)
        edges = np.unique([*edges, min(len(new), max(begin, stop - old))])  # none lies partly on the diagonal

        def task(k):
            start, last = edges[k], edges[k + 1]
            out = np.empty((last - start, len(copied)))
            lines.gram_lines(
                starts, stops, index, value, weights, total, ends, places, values, new[start:last],
                means[old + start : old + last], means[first:stop], out,
            )  # fmt: skip
            until = min(stop, old + last)
            store(first, until, start, out.T[: until - first])

        parallel_for(task, len(edges) - 1, jobs)

    def lines_of(self, rows, new, centred):
        """Parts (first, stop) of the columns `rows` to be copied row by row, for their products with `new`.

        None: panels are cheaper.
        """
        starts, stops, index, _ = self.entries(rows)
        counts = stops[rows] - starts[rows]
        size, entries = int(counts.sum()), int(counts[len(rows) - len(new) :].sum())
        panels = LINE_WORK * (len(new) / 8) * size
        if centred and (counts > FULL * self.n).any():  # their means have to be taken off before the products
            return None
        if entries * size / self.n + COPY_WORK * size > panels:
            return None
        lengths = np.zeros(self.n, np.intp)
        lines.count(starts, stops, index, rows, lengths)
        if (lengths.astype(float) ** 2).sum() * entries / max(1, size) >= panels:
            return None
        most = max(TRANSPOSED, len(self.X.data) // 16)
        edges = np.searchsorted(np.cumsum(counts), np.arange(most, size, most))
        return list(pairwise(np.unique([0, *edges, len(rows)]).tolist()))

    def moment_parts(self, columns, weights, total, centred, jobs=1):
        """(what `moments` returns, nothing that is left to be done)"""
        return self.moments(columns, weights, total, centred, jobs), []

    def take_off_large_means(self, jobs=1):
        """Nothing: a column with zeros in it spreads about as much as it is large."""

    def refuse_nonfinite(self, else_=OVERFLOW):
        """Raise the ValueError for an X whose products are not finite; `else_` says why, if its entries are."""
        if np.isfinite(self.X.data).all():
            raise ValueError(else_)
        raise ValueError("X contains NaN or infinity: drop or impute such entries before fitting")

    def moments(self, columns, weights, total, centred, jobs=1):
        """(mean, weighted sum of squares about it, weighted raw sum of squares) of some columns, each (k,)."""
        starts, stops, index, value = self.entries(columns)
        out = np.empty((3, len(columns)))
        count = max(1, min(4 * jobs, len(columns) // 256))
        parts = [slice(len(columns) * k // count, len(columns) * (k + 1) // count) for k in range(count)]

        def task(k):
            part = parts[k]
            lines.moments(
                starts, stops, index, value, weights, total, columns[part], centred, np.zeros(self.n),
                *(row[part] for row in out),
            )  # fmt: skip

        parallel_for(task, count, jobs)
        return out


class Rows(Columns):
    """A sparse design stored by rows (CSR).

    The columns that the solver asks for are packed out of it once; of the rest nothing is copied.  Where a problem on
    residuals has come to ask for many of them, they are thrown away, and such problems go by rows from there on.
    """

    in_place = False

    def __init__(self, X):
        super().__init__(X)
        self.indptr = X.indptr
        self.packed = np.zeros(self.p, dtype=np.uint8)
        self.starts = self.stops = None
        self.lock = threading.Lock()
        self.held, self.many = 0, False

    @functools.cached_property
    def counts(self):
        counts, index, some = np.zeros(self.p, self.indptr.dtype), self.X.indices, max(1 << 16, self.p)
        for start in range(0, len(index), some):  # `bincount` makes a copy of what it is given
            counts += np.bincount(index[start : start + some], minlength=self.p)
        return counts

    def correlate(self, R, out, jobs=1):
        parallel_for(
            lambda k: lines.correlate_rows(self.indptr, self.X.indices, self.X.data, R[k], out[k]), len(R), jobs
        )

    def moments(self, columns, weights, total, centred, jobs=1):
        most = max(256, self.p // 24)
        if len(columns) <= most and self.has_room_for(columns):
            return super().moments(columns, weights, total, centred, jobs)
        parts = [np.empty((3, 0))]
        for start in range(0, len(columns), most):  # packed for a moment, not all of X at once
            some, part = Rows(self.X), columns[start : start + most]
            some.counts = self.counts
            some.entries(part)
            parts.append(Columns.moments(some, part, weights, total, centred, jobs))
            del some
        return np.hstack(parts)

    def moment_parts(self, columns, weights, total, centred, jobs=1):
        if not self.has_room_for(columns):
            return self.moments(columns, weights, total, centred, jobs), []
        self.entries(columns)  # they are about to be used
        return super().moments(columns, weights, total, centred, jobs), []

    def subtraction(self, Y, target, columns, W, weights, R):
        if not self.many:
            return super().subtraction(Y, target, columns, W, weights, R)
        place, longest = np.full(self.p, -1, np.int32), int(np.diff(self.indptr).max(initial=1))
        place[columns] = np.arange(len(columns), dtype=np.int32)
        rows = RowSet(self.indptr, self.X.indices, self.X.data, self.p)

        def subtract(k, sums):
            room = np.empty(longest, np.int32), np.empty(longest)
            rows.residuals(Y, target[k], place, W[k], weights, *room, R[k], sums)

        return subtract

    def give_to(self, active, columns):
        if self.has_room_for(columns):
            super().give_to(active, columns)
            return
        if not self.many:
            self.many, self.held, self.packed[:] = True, 0, 0
            self.starts = self.stops = self.index = self.value = None
        rows = RowSet(self.indptr, self.X.indices, self.X.data, self.p)
        columns, counts = columns.astype(np.int32), self.counts[columns].astype(np.int64)
        active.read_rows(rows, columns, counts, int(SWEPT * len(self.X.data)))

    def has_room_for(self, columns):
        """Whether these columns can be packed too, by those who can do without."""
        new = columns[self.packed[columns] == 0]
        return not self.many and self.held + self.counts[new].sum() <= max(FEW, PACKED * len(self.X.data))

    def entries(self, columns):
        """As in `Columns`; packs those that have not been asked for before, one thread at a time."""
        with self.lock:
            self.pack(columns)
        return self.starts, self.stops, self.index, self.value

    def pack(self, columns):
        """Copy columns that are not there yet."""
        if self.starts is None:
            self.starts, self.stops = np.zeros((2, self.p), self.indptr.dtype)
            # room for all of X, of which the system hands out what is written to
            self.index, self.value = np.empty_like(self.X.indices), np.empty_like(self.X.data)
        new = columns[self.packed[columns] == 0]
        if len(new):
            self.packed[new] = 1
            ends = self.held + np.cumsum(self.counts[new])
            self.stops[new] = ends
            self.starts[new] = ends - self.counts[new]
            wanted, fill = np.zeros(self.p, np.uint8), self.starts.copy()
            wanted[new] = 1
            lines.pack_columns(self.indptr, self.X.indices, self.X.data, wanted, fill, self.index, self.value)
            self.held = int(ends[-1])
