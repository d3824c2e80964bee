"""The sums over rows that squared loss needs of X and Y: added up block by block, merged and taken apart."""

import numpy as np

from ..design import as_design
from ..design.packs import dense_gram, full_gram

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

    def add(self, X, Y, weights=None, jobs=1, sign=1.0, single=False):
        """Add the rows of a block: X (m, p) a checked matrix, Y (m, k) float64, weights (m,) or None; -1: take away.

        `single`: the products of the features of a dense X with each other in single precision.
        """
        if self.rows == 0 and sign > 0:
            self.settle_origin(X, Y, weights)
        parts = block_sums(X, Y, weights, self.origin_x, self.origin_y, jobs, single)
        self._accumulate(parts, sign, X.shape[0])

    def settle_origin(self, X, Y, weights):
        """Choose the origin: means of the first rows, or what it is if that is near them.

        For a sparse X zero, so that zeros stay zeros, but for nearly full columns far from it.
        """
        if hasattr(X, "format"):
            self.origin_x = far_means(X, weights)
        else:
            some = X[:256] - self.origin_x
            mean = some.mean(axis=0)
            if (np.abs(mean) > NEAR * some.std(axis=0)).any():
                self.origin_x = self.origin_x + mean
        present = slice(None) if weights is None else weights > 0
        some = Y[present]
        self.origin_y = some[:256].mean(axis=0) if len(some) else np.zeros(self.k)

    def _accumulate(self, parts, sign, rows):
        """Two-sums, all of them before any is kept: an error on the way leaves things as they were."""
        highs, lows = {}, {}
        for name in Sums.PARTS:
            high, part = self.high[name], sign * parts[name]
            highs[name] = total = high + part
            moved = total - high
            lows[name] = self.low[name] + ((high - (total - moved)) + (part - moved))
        self.high, self.low, self.rows = highs, lows, self.rows + int(sign) * rows

    def merge(self, other, sign=1.0):
        """Add the sums of `other`, over other rows; -1 takes them away.  The origin moves if the means leave it."""
        if self.rows == 0 and sign > 0:
            self.origin_x, self.origin_y = other.origin_x.copy(), other.origin_y.copy()
        elif sign > 0:
            self.stay_near(other)
        parts = other.about(self.origin_x, self.origin_y)
        self._accumulate(parts, sign, other.rows)

    def stay_near(self, other):
        """Move the origin to the means of these rows and those of `other` together where it is far from them."""
        weight = self.weight + other.weight
        for name in ("x", "y"):
            origin, theirs = getattr(self, f"origin_{name}"), getattr(other, f"origin_{name}")
            shift, sums = theirs - origin, getattr(other, name)
            squares, more = (np.diag(a) if name == "x" else a for a in (self.high[2 * name], other.high[2 * name]))
            off = (getattr(self, name) + sums + other.weight * shift) / weight
            spread = (squares + more + (2.0 * sums + other.weight * shift) * shift) / weight - off * off
            # a constant column is never nearer to its origin than rounding
            if ((off * off > NEAR * NEAR * np.maximum(spread, 0.0)) & (np.abs(off) > 1e-15 * np.abs(origin))).any():
                origins = {"x": self.origin_x, "y": self.origin_y, name: origin + off}
                self.high = self.about(origins["x"], origins["y"])
                self.low = {part: np.zeros_like(value) for part, value in self.high.items()}
                self.origin_x, self.origin_y = origins["x"], origins["y"]

    def about(self, origin_x, origin_y):
        """The sums about another origin."""
        dx, dy = self.origin_x - origin_x, self.origin_y - origin_y
        weight, x, y, xx = self.weight, self.x, self.y, self.xx
        if dx.any():
            half = np.outer(x + 0.5 * weight * dx, dx)
            xx += half
            xx += half.T
        return {
            "weight": weight,
            "x": x + weight * dx,
            "y": y + weight * dy,
            "xx": xx,
            "xy": self.xy + np.outer(x, dy) + np.outer(dx, y) + weight * np.outer(dx, dy),
            "yy": self.yy + 2.0 * y * dy + weight * dy * dy,
        }

    def copy(self):
        twin = Sums(self.p, self.k)
        twin.rows, twin.origin_x, twin.origin_y = self.rows, self.origin_x, self.origin_y
        twin.high = {name: np.copy(part) for name, part in self.high.items()}
        twin.low = {name: np.copy(part) for name, part in self.low.items()}
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


def block_sums(X, Y, weights, origin_x, origin_y, jobs, single=False):
    """The sums of one block about the given origins, by name."""
    m, p = X.shape
    k = Y.shape[1]
    off = Y - origin_y
    scaled = off if weights is None else off * weights[:, None]
    ones = np.ones(m) if weights is None else weights
    if hasattr(X, "format"):
        right = np.column_stack([scaled, ones])
        xx, products = full_gram(as_design(X), np.zeros(p), weights, jobs), X.T @ right
        far = np.flatnonzero(origin_x)
        if len(far):
            Z = X[:, far].toarray() - origin_x[far]
            scaled_Z = Z if weights is None else weights[:, None] * Z
            cross = X.T @ scaled_Z
            cross[far] = Z.T @ scaled_Z
            xx[:, far], xx[far] = cross, cross.T
            products[far] = Z.T @ right
    else:
        root = None if weights is None else np.sqrt(weights)
        right = np.column_stack([off, np.ones(m)])
        xx, products = dense_gram(as_design(X), origin_x, root=root, right=right, jobs=jobs, single=single)
    return {
        "weight": ones.sum(), "x": products[:, k], "y": scaled.sum(axis=0), "xx": xx, "xy": products[:, :k],
        "yy": (scaled * off).sum(axis=0),
    }  # fmt: skip


def far_means(X, weights):
    """(p,) means of the columns of a sparse X that are nearly full and far from zero; zeros for the others."""
    means = np.zeros(X.shape[1])
    design = as_design(X)
    full = np.flatnonzero(design.counts > 0.5 * X.shape[0])
    if len(full):
        total = float(X.shape[0]) if weights is None else weights.sum()
        mean, square, _ = design.moments(full, weights, total, True)
        far = mean * mean > NEAR * NEAR * square / total
        means[full[far]] = mean[far]
    return means
