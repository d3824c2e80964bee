"""A dense X behind the few operations that the engine needs; X is read where it lies, never copied or written."""

import numpy as np

from ..kernels import panels
from .blocks import parallel_for

COLUMNS_PER_BLOCK = 96
ROWS_PER_BLOCK = 8_192
GRAM_ROWS_PER_BLOCK = 384
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

    def __init__(self, X):
        self.X = X
        self.shift = None
        self.n, self.p = X.shape
        self.dtype = X.dtype
        self.nbytes = self.n * self.p * X.itemsize

    def correlate(self, R, out, jobs=1, then=None):
        """out <- X'R for panels R (panels, n, lanes), out (panels, p, lanes).

        `then(first, stop)` is called after each block of features, by the thread that has it in its cache.
        """
        blocks = column_blocks(self.p, self.n, R.shape[0] * R.shape[2])

        def task(k):
            first, stop = blocks[k]
            panels.correlate(self.X, self.shift, first, stop, R, out)
            if then is not None:
                then(k, first, stop)

        parallel_for(task, len(blocks), jobs)
        return len(blocks)

    def blocks(self, lanes):
        """The blocks of features that `correlate` will call `then` with."""
        return column_blocks(self.p, self.n, lanes)

    def correlations(self, R, n_jobs=1):
        """X'R for a C-ordered float64 R of shape (n, k); returns (p, k)."""
        k = R.shape[1]
        lanes = 8 if k <= 16 else 24
        count = -(-k // lanes)
        packed = np.zeros((count, self.n, lanes))
        for i in range(count):
            part = R[:, i * lanes : (i + 1) * lanes]
            packed[i, :, : part.shape[1]] = part
        out = np.empty((count, self.p, lanes))
        self.correlate(packed, out, n_jobs)
        return out[0, :, :k] if count == 1 else np.concatenate(out, axis=1)[:, :k]

    def residuals(self, Y, target, columns, W, weights, centred, total, R, jobs=1):
        """R <- weights * (Y[target] - X[:, columns] W), less its weighted mean if `centred`.

        Returns the weighted sums of squares (panels, lanes).
        """
        count = -(-self.n // ROWS_PER_BLOCK)
        bounds = [(k * ROWS_PER_BLOCK, min(self.n, (k + 1) * ROWS_PER_BLOCK)) for k in range(count)]
        sums = np.empty((count, *target.shape))
        parallel_for(
            lambda k: panels.residuals(
                self.X, self.shift, *bounds[k], Y, target, columns, W, weights, R, sums[k]
            ),
            count,
            jobs,
        )
        shift = np.zeros(target.shape)
        if centred:  # twice: the first mean is off by the rounding of what the columns' own means cancel to
            shift = sums.sum(axis=0) / total
            parallel_for(lambda k: panels.shift_rows(R, *bounds[k], shift, weights, sums[k]), count, jobs)
            shift = sums.sum(axis=0) / total
        parallel_for(lambda k: panels.weight_rows(R, *bounds[k], shift, weights, sums[k]), count, jobs)
        return sums.sum(axis=0)

    def gram_columns(self, rows, new, means, weights, store, jobs=1):
        """Weighted inner products of the features `rows` with the features `new`, `means` of the rows taken off.

        `store(first, stop, start, part)` receives part (stop - first, k): rows first..stop-1, new[start:start+k].
        Only what lies on or below the diagonal block is computed: `new` are the last of `rows`.
        """
        offset, start, tasks = len(rows) - len(new), 0, []
        while start < len(new):
            lanes = 24 if len(new) - start > 16 else 8
            last = offset + min(start + lanes, len(new))
            step = GRAM_ROWS_PER_BLOCK
            if len(new) > 8 * lanes:  # blocks enough: long ones pack the new columns less often
                step = max(step, min(4 * step, int(1e8 / self.n)))
            elif jobs > 1 and last <= 2 * step:
                step = max(32, -(-last // 2))
            tasks += [(start, lanes, first, min(first + step, last)) for first in range(0, last, step)]
            start += lanes

        def task(k):
            start, lanes, first, stop = tasks[k]
            some = new[start : start + lanes]
            work, out = np.empty((panels.TILE, lanes)), np.empty((stop - first, lanes))
            some_means = means[offset + start : offset + start + lanes]
            panels.gram_columns(
                self.X, self.shift, weights, rows[first:stop], some, some_means, means[first:stop], work, out
            )
            store(first, stop, start, out[:, : len(some)])

        parallel_for(task, len(tasks), jobs)

    def take_off_large_means(self, jobs=1):
        """Shift the columns whose mean is so many times their spread that products would lose their digits.

        Only for problems with an intercept, which takes the shift up.
        """
        top = np.asarray(self.X[:8], dtype=np.float64)
        with np.errstate(invalid="ignore", over="ignore"):
            suspects = np.flatnonzero(np.abs(top.mean(axis=0)) > LARGE_MEAN * top.std(axis=0))
            if len(suspects) == 0:
                return
            mean, square, _ = self.moments(suspects, None, float(self.n), True, jobs)
            large = (np.abs(mean) > LARGE_MEAN * np.sqrt(square / self.n)) & (square > 0) & np.isfinite(mean)
        if large.any():
            self.shift = np.zeros(self.p)
            self.shift[suspects[large]] = mean[large]

    def refuse_nonfinite(self):
        """Raise the ValueError for an X whose products are not finite."""
        for first in range(0, self.n, 1024):
            bad = ~np.isfinite(self.X[first : first + 1024])
            if bad.any():
                i, j = np.argwhere(bad)[0]
                raise ValueError(
                    f"X contains NaN or infinity, first in row {first + i}, column {j}: "
                    "drop or impute such entries before fitting"
                )
        raise ValueError("X or y holds values so large that their products overflow: scale X, or y, down")

    def moments(self, columns, weights, total, centred, jobs=1):
        """(mean, weighted sum of squares about it, weighted raw sum of squares) of some columns, each (k,)."""
        out = np.empty((3, len(columns)))
        step = max(8, min(512, 2_000_000 // max(1, self.n) // 8 * 8))

        def task(k):
            part = slice(k * step, (k + 1) * step)
            panels.moments(self.X, self.shift, weights, total, columns[part], centred, *(row[part] for row in out))

        parallel_for(task, -(-len(columns) // step), jobs)
        return out


def column_blocks(p, n, lanes):
    """Bounds of blocks of features, large enough to be worth a call, small enough to share out; jobs do not matter."""
    size = COLUMNS_PER_BLOCK * max(1, int(2e6 / (COLUMNS_PER_BLOCK * max(1, n) * lanes)))
    return [(first, min(first + size, p)) for first in range(0, p, size)]
