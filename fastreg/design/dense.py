"""A dense X behind the few operations that the engine needs; X is read where it lies, never copied or written."""

import threading

import numpy as np

from ..kernels import panels
from ..kernels.gram import GRAM_TILE, Gram, Moments, narrow_gram, whole_gram
from ..kernels.panels import source
from .blocks import OVERFLOW, aligned, do_all, parallel_for
from .packs import Halves

COLUMNS_PER_BLOCK = 480  # at least, or as many as make
BLOCK_WORK = 6e6  # multiplications
WIDE = 1.1  # time of a lane in a narrow panel, over that in a wide one
SOME_COLUMNS = 192  # of those that are picked out
ROWS_PER_BLOCK = 8_192
TILE_BYTES = 1 << 20  # of rows that stay in L2
GRAM_ROWS_PER_BLOCK = 480  # these rows of a result ...
GRAM_PANELS = 5  # ... and so many panels of columns meet in L2
FEW_COLUMNS = 16  # up to so many, or if they can be read where they are,
FEW_IN_PLACE = 240  # so many, panels of columns as they come, eight wide at the end;
WHOLE_WORK = 4e8  # or in place for so many multiplications: `Model` makes such matrices too, to the same bits
TALL = 16  # rows a column from which on they are packed once for the whole Gram matrix ...
FEW_PANELS = 43  # of columns: so many in pieces of rows side by side, more of them in groups of columns
SHORT_WORK = 1 << 23  # multiplications that are done before another thread is awake
MOST_PIECES = 16  # side by side ...
PIECE_WORK = 1 << 26  # ... of so many multiplications at least ...
PIECE_BYTES = 64 << 20  # ... and with results of so many bytes in all
TASK_WORK = 1 << 32  # multiplications of one call: an interrupt has to wait for it
LARGE_MEAN = 1e3  # standard deviations


class Dense:
    """A dense design.

    Parameters
    ----------
    X : ndarray of shape (n, p), float32 or float64
        Any strides, read-only or memory-mapped too.  float32 entries are widened as they are read.

    Attributes
    ----------
    shift : ndarray of shape (p,) or None
        What `take_off_large_means` takes off the columns wherever they are read.
    """

    in_place = False  # columns on which residuals are solved are packed
    dense = True

    def __init__(self, X):
        self.X = X
        self.shift = None
        self.n, self.p = X.shape
        self.dtype = X.dtype
        self.nbytes = self.n * self.p * X.itemsize
        self.pass_work = float(self.n * self.p)  # multiplications of a product, for each lane
        self.column_work = float(self.n)  # and of an entry of the Gram matrix
        self.bridges = self.p >= self.n  # a product with all features is dear beside a look at residuals

    def work_of(self, columns):
        """Entries of some columns, over those of an average one."""
        return np.ones(len(columns))

    def panel_width(self, lanes):
        """Lanes of the panels that so many residuals are best put in."""
        return 24 if -(-lanes // 24) * 24 <= WIDE * (-(-lanes // 8) * 8) else 8

    @property
    def source(self):
        """X as kernels read it."""
        return source(self.X, self.shift)

    def correlate(self, R, out, jobs=1):
        """out <- X'R for panels R (panels, n, lanes), out (panels, p, lanes) or (panels * lanes, p, 1)."""
        do_all(self.correlate_parts(R, out), jobs)

    def correlate_parts(self, R, out, jobs=1):
        """The parts of that."""
        source, blocks = self.source, column_blocks(self.p, self.n, R.shape[0] * R.shape[2])
        return [panels.Correlate(source, first, stop, R, out) for first, stop in blocks]

    def some_correlate_parts(self, columns, R, out):
        """The parts of out[k] <- X[:, columns[k]]'R[k] for panels R (panels, n, lanes), out (panels, rows, lanes).

        The products are the first rows of `out`.
        """
        source, parts = self.source, []
        for k, some in enumerate(columns):
            for first in range(0, len(some), SOME_COLUMNS):
                stop = min(first + SOME_COLUMNS, len(some))
                parts.append(panels.CorrelateSome(source, some[first:stop], R[k], out[k, first:stop]))
        return parts

    def correlations(self, R, n_jobs=1):
        """X'R for a C-ordered float64 R of shape (n, k); returns (p, k)."""
        k = R.shape[1]
        packed = self.in_lanes(R)
        out = aligned((len(packed), self.p, packed.shape[2]))
        self.correlate(packed, out, n_jobs)
        return side_by_side(out, k)

    def in_lanes(self, R):
        """Panels (panels, n, lanes) of the columns of R (n, k), padded with zeros."""
        k = R.shape[1]
        lanes = self.panel_width(k)
        packed = aligned((-(-k // lanes), self.n, lanes))
        packed[:] = 0.0
        for i in range(len(packed)):
            part = R[:, i * lanes : (i + 1) * lanes]
            packed[i, :, : part.shape[1]] = part
        return packed

    def gradients(self, W, Y, level, weights, jobs=1):
        """X'R (p, k) and the sums (k,) of R = weights (Y - level - X W) for k <= 8 columns; X is read once."""
        p, k = W.shape
        lanes, (tile, bounds) = aligned((p, 8)), self.row_blocks()
        lanes[:], lanes[:, :k] = 0.0, W
        out, sums = aligned((len(bounds), p, 8)), np.empty((len(bounds), 8))

        def task(i):
            panels.gradients(self.X, *bounds[i], lanes, Y, level, weights, aligned((tile, 8)), out[i], sums[i])

        parallel_for(task, len(bounds), jobs)
        return out.sum(axis=0)[:, :k], sums.sum(axis=0)[:k]

    def row_blocks(self):
        """(rows of a tile that stays in the cache, bounds of up to 16 blocks of rows), for one pass over X."""
        tile, step = max(32, min(512, TILE_BYTES // (8 * self.p) // 8 * 8)), max(ROWS_PER_BLOCK, -(-self.n // 16))
        return tile, [(first, min(first + step, self.n)) for first in range(0, self.n, step)]

    def gradient(self, w, y, weights, jobs=1):
        """(X'r (p,), r (n,)) for r = weights (y - X w); X is read once."""
        tile, bounds = self.row_blocks()
        out, r = np.empty((len(bounds), self.p)), np.empty(self.n)
        parallel_for(lambda i: panels.gradient(self.X, *bounds[i], w, y, weights, tile, r, out[i]), len(bounds), jobs)
        return out.sum(axis=0), r

    def residuals(self, Y, target, columns, W, weights, centred, total, R, jobs=1):
        """R <- weights * (Y[target] - X[:, columns] W), less its weighted mean if `centred`.

        Returns the weighted sums of squares (panels, lanes).
        """
        bounds, parts = self.row_bounds(), []
        sums, source = np.empty((len(bounds), *target.shape)), self.source
        for k, (first, stop) in enumerate(bounds):
            parts.append(panels.Residuals(source, first, stop, Y, target, columns, W, weights, R, sums[k]))
        do_all(parts, jobs)
        shift = np.zeros(target.shape)
        if centred:  # twice: the first mean is off by the rounding of what the columns' own means cancel to
            shift = sums.sum(axis=0) / total
            parallel_for(lambda k: panels.shift_rows(R, *bounds[k], shift, weights, sums[k]), len(bounds), jobs)
            shift = sums.sum(axis=0) / total
        parallel_for(lambda k: panels.weight_rows(R, *bounds[k], shift, weights, sums[k]), len(bounds), jobs)
        return sums.sum(axis=0)

    def row_bounds(self):
        """[(first, stop)] of blocks of rows."""
        return [(first, min(first + ROWS_PER_BLOCK, self.n)) for first in range(0, self.n, ROWS_PER_BLOCK)]

    def residual_parts(self, Y, target, columns, W, R):
        """The parts that put R <- Y[target] - X[:, columns] W."""
        source = self.source
        return [
            panels.Residuals(source, first, stop, Y, target, columns, W, None, R, None)
            for first, stop in self.row_bounds()
        ]

    def gram_parts(self, gram, rows, k, means, weights, scale, jobs=1):
        """Parts that put the last k of the features `rows`, `means` taken off, into their Gram matrix times `scale`.

        They fill in its rows and columns m - k..m - 1, m being the number of `rows`.
        """
        in_place = self.X.dtype == np.float64 and self.X.strides[0] == 8 and self.shift is None
        few, m = FEW_IN_PLACE if in_place else FEW_COLUMNS, len(rows)
        if m == k > few and self.n >= TALL * k and (k * k * self.n > WHOLE_WORK or not in_place):
            halves = Halves(gram, 0, scale)
            self.whole_gram(rows, means, halves.store, root=None if weights is None else np.sqrt(weights), jobs=jobs)
            halves.close()
            return []
        source, start, parts = self.source, m - k, []
        if k * m * self.n < SHORT_WORK:
            jobs = 1
        while start < m:
            left = m - start
            lanes = 24 if left > 16 else 8
            stop = min(start + lanes * max(1, min(left // lanes, GRAM_PANELS)), m)
            blocks = -(-stop // GRAM_ROWS_PER_BLOCK)
            if jobs > 1 and k < 4 * lanes:
                blocks = max(blocks, min(4, stop // 32))
            step = -(-stop // max(1, blocks))
            for first in range(0, stop, step):
                parts.append(
                    Gram(source, weights, rows, means, first, min(first + step, stop), start, stop, lanes, scale, gram)
                )
            start = stop
        return parts

    def whole_gram(self, columns, means, store, level=None, root=None, right=None, jobs=1, single=False):
        """Inner products of columns with each other, and (m, k) with those of `right` (n, k), which are returned.

        `means` (m,) are taken off the columns, and `level` (n,) off the rows, which are multiplied with `root` (n,), as
        are those of `right`.  `store(0, stop, start, part)` receives part (stop, k): rows 0..stop-1 of the matrix in
        its columns start.., on and above the diagonal.  `single`: these in single precision, tile by tile.
        """
        size = len(columns)
        count = -(-size // 24)
        few = count <= FEW_PANELS
        width = count if few else max(4, count // 12)
        groups = [(start, min(start + width, count)) for start in range(0, count, width)]
        groups.reverse()  # the last have most to do
        k = 0 if right is None else right.shape[1]
        right = np.empty((self.n, 0)) if k == 0 else right if root is None else root[:, None] * right
        beside = np.ascontiguousarray(right.T) if single else self.in_lanes(right)
        kernel, number = (narrow_gram, np.float32) if single else (whole_gram, np.float64)

        def zeros(start, stop, pieces):
            """So many matrices and products; large arrays come in large pages, which are cleared faster."""
            lanes = () if single else beside.shape[2:]
            products = np.zeros((pieces, len(beside), 24 * (stop - start), *lanes))
            return np.zeros((pieces, stop - start, 24 * stop, 24)), products

        most = max(1, min(MOST_PIECES, PIECE_BYTES // (8 * 24**2 * width * count))) if few else 1
        pieces = max(1, min(most, self.n * size**2 // PIECE_WORK, self.n // (2 * size)))
        pieces = 1 << (pieces.bit_length() - 1)  # as many for each of two, four, eight threads
        sums = [zeros(*group, pieces) for group in groups]
        step = min(TASK_WORK // (24 * width * size), -(-self.n // pieces))
        step = max(1, -(-step // GRAM_TILE)) * GRAM_TILE
        rooms, source = threading.local(), self.source

        def add(group, piece, first):
            (start, stop), last = groups[group], min(first + step, self.n)
            if not hasattr(rooms, "tile"):  # one for each thread: fresh memory has to be cleared
                rooms.tile = aligned((count, GRAM_TILE, 12 if single else 24)).view(number)
            gram, products = sums[group]
            kernel(
                source, columns, means, level, root, beside, first, last, start, rooms.tile[:stop], gram[piece],
                products[piece],
            )  # fmt: skip

        for wave in range(0, self.n, pieces * step):
            firsts = range(wave, min(wave + pieces * step, self.n), step)
            tasks = [(group, k, first) for k, first in enumerate(firsts) for group in range(len(groups))]
            parallel_for(lambda i, tasks=tasks: add(*tasks[i]), len(tasks), jobs)
        if pieces > 1:  # in the order of their rows
            parallel_for(lambda k: add_up(*sums[0], k), count, jobs)
        products = np.empty((size, k))
        for (start, stop), (gram, part) in zip(groups, sums, strict=True):
            some = part[0].T if single else side_by_side(part[0], k)
            products[24 * start : 24 * stop] = some[: size - 24 * start]
            for i in range(start, stop):
                last = min(24 * (i + 1), size)
                store(0, last, 24 * i, gram[0, i - start, :last, : last - 24 * i])
        return products

    def columns(self, new, means, out):
        """out <- columns `new` of X as rows (k, n), less their means."""
        for k, j in enumerate(new):
            out[k] = self.X[:, j]
            out[k] -= means[k] if self.shift is None else means[k] + self.shift[j]

    def take_off_large_means(self, jobs=1):
        """Shift the columns whose mean is so many times their spread that products would lose their digits.

        Only for problems with an intercept, which takes the shift up.
        """
        top = np.asarray(self.X[:8], dtype=np.float64)
        with np.errstate(invalid="ignore", over="ignore"):
            # the spread of a few rows is at most four times their standard deviation, and cheaper
            suspects = np.flatnonzero(np.abs(top[0]) > 0.2 * LARGE_MEAN * (top.max(axis=0) - top.min(axis=0)))
            if len(suspects) == 0:
                return
            mean, square, _ = self.moments(suspects, None, float(self.n), True, jobs)
            large = (np.abs(mean) > LARGE_MEAN * np.sqrt(square / self.n)) & (square > 0) & np.isfinite(mean)
        if large.any():
            self.shift = np.zeros(self.p)
            self.shift[suspects[large]] = mean[large]

    def refuse_nonfinite(self, else_=OVERFLOW):
        """Raise the ValueError for an X whose products are not finite; `else_` says why, if its entries are."""
        for first in range(0, self.n, 1024):
            bad = ~np.isfinite(self.X[first : first + 1024])
            if bad.any():
                i, j = np.argwhere(bad)[0]
                raise ValueError(
                    f"X contains NaN or infinity, first in row {first + i}, column {j}: "
                    "drop or impute such entries before fitting"
                )
        raise ValueError(else_)

    def moments(self, columns, weights, total, centred, jobs=1):
        """(mean, weighted sum of squares about it, weighted raw sum of squares) of some columns, each (k,)."""
        out, parts = self.moment_parts(columns, weights, total, centred)
        do_all(parts, jobs)
        return out

    def moment_parts(self, columns, weights, total, centred, jobs=1):
        """(room for what `moments` returns, the parts that fill it in)"""
        out, source = np.empty((3, len(columns))), self.source
        step = max(8, min(512, 2_000_000 // max(1, self.n) // 8 * 8))
        return out, [
            Moments(
                source, weights, total, columns[first : first + step], centred, *out[:, first : first + step]
            )
            for first in range(0, len(columns), step)
        ]  # fmt: skip


def add_up(grams, products, k):
    """Add panel k of the other pieces to that of the first."""
    rows = slice(24 * k, 24 * (k + 1))
    for i in range(1, len(grams)):
        grams[0, k] += grams[i, k]
        products[0, :, rows] += products[i, :, rows]


def side_by_side(panels, k):
    """(m, k) the columns of panels (panels, m, lanes)."""
    if len(panels) == 1:
        return panels[0, :, :k]
    return panels.transpose(1, 0, 2).reshape(panels.shape[1], -1)[:, :k]


def column_blocks(p, n, lanes):
    """Bounds of blocks of features, each worth a call, eight or more if p allows; jobs do not matter."""
    most = max(COLUMNS_PER_BLOCK, int(BLOCK_WORK / (max(1, n) * lanes)))
    size = max(min(most, -(-p // 8)), min(most, 96))
    size = -(-size // 8) * 8
    return [(first, min(first + size, p)) for first in range(0, p, size)]
