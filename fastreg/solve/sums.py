"""The sums over rows that squared loss needs of X and Y: added up block by block, merged and taken apart."""

import numpy as np

from ..design import as_design
from ..design.packs import packed_gram

NEAR = 3.0  # standard deviations: sums about zero lose no more than a digit to a mean of so many


class Sums:
    """Weighted sums of products of p features and k responses, about an origin near their means.

    With weights s_i and origins a, o, the sums are of s, s (x - a), s (y - o), s (x - a)(x - a)', s (x - a)(y - o)' and
    s (y - o)^2.  Each is kept as a float64 and what rounding took off it (Knuth's two-sum), so that a billion rows lose
    no more digits than one block.

    Parameters
    ----------
    p, k : int
        Numbers of features and of responses.

    References
    ----------
    T. F. Chan, G. H. Golub and R. J. LeVeque, "Algorithms for computing the sample variance", The American
    Statistician 37 (1983), for sums about an origin and their merging.
    """

    PARTS = ("weight", "x", "y", "xx", "xy", "yy")

    def __init__(self, p, k):
        self.p, self.k = p, k
        self.rows = 0
        self.origin_x, self.origin_y = np.zeros(p), np.zeros(k)
        shapes = {"weight": (), "x": (p,), "y": (k,), "xx": (p, p), "xy": (p, k), "yy": (k,)}
        self.high = {name: np.zeros(shape) for name, shape in shapes.items()}
        self.low = {name: np.zeros(shape) for name, shape in shapes.items()}

    def __getattr__(self, name):
        if name in Sums.PARTS:
            return self.high[name] + self.low[name]
        raise AttributeError(name)

    def add(self, X, Y, weights=None, jobs=1, sign=1.0):
        """Add the rows of a block: X (m, p) a checked matrix, Y (m, k) float64, weights (m,) or None; -1: take away."""
        if self.rows == 0 and sign > 0:
            self.settle_origin(X, Y, weights)
        parts = block_sums(X, Y, weights, self.origin_x, self.origin_y, jobs)
        for name in Sums.PARTS:
            self._accumulate(name, sign * parts[name])
        self.rows += int(sign) * X.shape[0]

    def settle_origin(self, X, Y, weights):
        """Choose the origin: the means of the first rows, rounded; zero for a sparse X, whose zeros must stay zeros."""
        if not hasattr(X, "format"):
            some = np.asarray(X[:256], dtype=np.float64)
            mean = some.mean(axis=0)
            if (np.abs(mean) > NEAR * some.std(axis=0)).any():
                self.origin_x = mean
        present = slice(None) if weights is None else weights > 0
        some = Y[present]
        self.origin_y = some[:256].mean(axis=0) if len(some) else np.zeros(self.k)

    def _accumulate(self, name, part):
        high = self.high[name]
        total = high + part
        moved = total - high
        self.low[name] = self.low[name] + ((high - (total - moved)) + (part - moved))
        self.high[name] = total

    def merge(self, other, sign=1.0):
        """Add the sums of `other`, over other rows; -1 takes them away.  The origin stays."""
        if self.rows == 0 and sign > 0:
            self.origin_x, self.origin_y = other.origin_x.copy(), other.origin_y.copy()
        parts = other.about(self.origin_x, self.origin_y)
        for name in Sums.PARTS:
            self._accumulate(name, sign * parts[name])
        self.rows += int(sign) * other.rows

    def about(self, origin_x, origin_y):
        """The sums about another origin."""
        dx, dy = self.origin_x - origin_x, self.origin_y - origin_y
        weight, x, y = self.weight, self.x, self.y
        return {
            "weight": weight,
            "x": x + weight * dx,
            "y": y + weight * dy,
            "xx": self.xx + np.outer(x, dx) + np.outer(dx, x) + weight * np.outer(dx, dx),
            "xy": self.xy + np.outer(x, dy) + np.outer(dx, y) + weight * np.outer(dx, dy),
            "yy": self.yy + 2.0 * y * dy + weight * dy * dy,
        }

    def copy(self):
        twin = Sums(self.p, self.k)
        twin.merge(self)
        return twin

    def centred(self, fit_intercept=True):
        """(mean of x (p,), mean of y (k,), Gram (p, p), cross products (p, k), squares (k,)), about the means.

        Without an intercept: about zero, and the means are zeros.
        """
        if not fit_intercept:
            parts = self.about(np.zeros(self.p), np.zeros(self.k))
            return np.zeros(self.p), np.zeros(self.k), parts["xx"], parts["xy"], parts["yy"]
        weight, x, y = self.weight, self.x, self.y
        dx, dy = x / weight, y / weight
        return (
            self.origin_x + dx, self.origin_y + dy, self.xx - np.outer(x, dx), self.xy - np.outer(x, dy),
            self.yy - y * dy,
        )  # fmt: skip


def block_sums(X, Y, weights, origin_x, origin_y, jobs):
    """The sums of one block about the given origins, by name."""
    m, p = X.shape
    k = Y.shape[1]
    off = Y - origin_y
    scaled = off if weights is None else off * weights[:, None]
    ones = np.ones(m) if weights is None else weights
    right = np.column_stack([scaled, ones])
    if hasattr(X, "format"):
        xx, products = whole_gram(as_design(X), weights, jobs), X.T @ right
        if origin_x.any():
            raise ValueError("sparse blocks need an origin of zero")
    elif X.dtype == np.float64 and X.flags.f_contiguous and not origin_x.any():  # nothing to pack
        design = as_design(X)
        xx, products = whole_gram(design, weights, jobs), design.correlations(right, jobs)
    else:

        def fill(buffer, first, stop):
            np.subtract(X[first:stop].T, origin_x[:, None], out=buffer)

        xx, products = packed_gram(fill, p, m, right, weights, jobs)
    return {
        "weight": ones.sum(), "x": products[:, k], "y": scaled.sum(axis=0), "xx": xx, "xy": products[:, :k],
        "yy": (scaled * off).sum(axis=0),
    }  # fmt: skip


def whole_gram(design, weights, jobs):
    """X'SX, of X as it lies."""
    p = design.p
    gram = np.empty((p, p))
    every = np.arange(p, dtype=np.intp)

    def store(first, stop, start, block):
        gram[first:stop, start : start + block.shape[1]] = block

    design.gram_columns(every, every, np.zeros(p), weights, store, jobs)
    upper = np.triu(gram)
    return upper + np.triu(upper, 1).T
