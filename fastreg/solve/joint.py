"""Steps of all classes of a softmax problem together: where they pull at each other, one by one is slow."""

import numpy as np
from scipy.linalg import LinAlgError, cho_factor, cho_solve

from ..design.blocks import parallel_for
from ..design.dense import Dense
from ..design.packs import full_gram
from ..kernels.newton import SAFE_SHARE, SHORT_STEP
from .run import ROUNDING

PRODUCTS = 500  # of a Newton step, at most,
FEW = 100  # and where there is room for the Hessian
DIRECT = 1_500  # coefficients of which the Hessian is formed, at most,
ENTRIES = 8_000_000  # and that many times the rows
LEAST = 1e-12  # of its diagonal, is added to it: what classes have in common has no curvature
CLOSE = 3e-2  # of the gradient: what a step leaves of it
SHARED = 4e6  # multiplications of a product, from which on threads share it
TRIES = 12  # of its length
FAR_OFF = 0.1  # probability of a row's class, below which it is far on the wrong side


def extrapolate(softmax, points, l1, l2):
    """Go to the combination of the last points whose differences cancel best, if it is better."""
    places = np.unique(np.concatenate([point[0] for point in points]))
    tables = np.zeros((len(points), softmax.K, len(places)))
    for table, (some, W, *_) in zip(tables, points, strict=True):
        table[:, np.searchsorted(places, some)] = W
    U = np.diff(tables, axis=0).reshape(len(points) - 1, -1)
    G = full_gram(Dense(U.T), np.zeros(len(U)))
    size = np.trace(G)
    if not size > 0.0:
        return
    c = np.linalg.solve(G + 1e-12 * size * np.eye(len(U)), np.ones(len(U)))
    c /= c.sum()
    levels, Z = (sum(a * point[part] for a, point in zip(c, points[1:], strict=True)) for part in (2, 3))
    line, last = np.tensordot(c, tables[1:], 1), tables[-1]
    low, high = softmax.runs[0].low[places], softmax.runs[0].high[places]
    W = np.where((last == 0.0) | (line * last < 0.0), 0.0, line)
    W = np.clip(np.where((last == low) | (last == high), last, W), low, high)
    now = softmax.objective(places, last, l1, l2)
    if (W != line).any():
        Z[:] = levels[:, None]
        for z, w in zip(Z, W, strict=True):
            used = np.flatnonzero(w)
            softmax.pool.store.add(softmax.pool.features[places[used]], w[used], z)
    before, softmax.Z = softmax.Z, Z
    if not softmax.objective(places, W, l1, l2) < now:
        softmax.Z = before
        return
    softmax.intercepts = levels
    for run, w in zip(softmax.runs, W, strict=True):
        run.w[places] = w


def newton(softmax, l1, l2):
    """A Newton step on the coefficients in use."""
    model = Model(softmax, l1, l2)
    places, W, used, w, size = model.places, model.W, model.used, model.w, model.size
    d = model.minimum()
    first, penalised = softmax.runs[0], l1 * model.f1 > 0.0
    low, high, features = first.low[places], first.high[places], softmax.pool.features[places]
    kept, level, now = softmax.Z, softmax.intercepts, softmax.objective(places, W, l1, l2)
    told = (model.slope * d).sum() > ROUNDING * now  # whether the objective can tell a step from rounding
    for t in 0.5 ** np.arange(TRIES):
        new = w + t * d[:size]
        new[(new * w <= 0.0) & penalised] = 0.0
        tried = W.copy()
        tried[used] = new
        np.clip(tried, low, high, out=tried)
        softmax.intercepts = level + t * model.intercepts(d)
        softmax.Z = np.empty_like(kept)
        softmax.place([(features[row != 0.0], row[row != 0.0]) for row in tried])
        if not told or softmax.objective(places, tried, l1, l2) < now:
            for run, row in zip(softmax.runs, tried, strict=True):
                run.w[places] = row
            guard = softmax.guard
            softmax.guard = max(SAFE_SHARE, 0.1 * guard) if t == 1.0 else 1.0 if t < SHORT_STEP else guard
            return
    softmax.Z, softmax.intercepts, softmax.guard = kept, level, 1.0


class Model:
    """The quadratic model of the objective on the coefficients in use, class by class, and the intercepts."""

    def __init__(self, softmax, l1, l2):
        self.softmax, self.l2 = softmax, l2
        first, K, s = softmax.runs[0], softmax.K, softmax.task.weights
        self.places, self.W = softmax.table()
        W, low, high = self.W, first.low[self.places], first.high[self.places]
        self.used = ((W != 0.0) | (first.f1[self.places] == 0.0)) & (W > low) & (W < high)
        some = [self.places[row] for row in self.used]
        self.features = [softmax.pool.features[row] for row in some]
        self.ends = np.cumsum([0, *(len(row) for row in some)])
        self.size, self.w = self.ends[-1], W[self.used]
        self.f1, self.f2 = (np.concatenate([array[row] for row in some]) for array in (first.f1, first.f2))
        self.P = P = softmax.probabilities()[0]
        R = softmax.residuals(P)
        H = P * (1.0 - P) if s is None else s * P * (1.0 - P)
        self.work = sum(softmax.pool.store.work(some) for some in self.features)
        self.find_far_off(R)
        H[:, self.far] += self.more * self.ahead**2
        self.means, diagonal = [], []
        for k in range(K):
            part, numbers = softmax.pool.store.part(self.features[k])
            bend = float(H[k].sum()) or 1.0
            mean, square, _ = part.moments(numbers, H[k], bend, softmax.task.fit_intercept, softmax.jobs)
            self.means.append(mean)
            diagonal.append(square / softmax.total)
        self.slope = self.gather(R)
        self.slope[: self.size] -= l1 * self.f1 * np.sign(self.w) + l2 * self.f2 * self.w
        scale = np.concatenate([*diagonal, H.sum(axis=1) / softmax.total])
        scale[: self.size] += l2 * self.f2
        self.scale = np.where(scale > 0.0, scale, 1.0)

    def find_far_off(self, R):
        """Rows far on the wrong side, that have a slope and next to no curvature, so that a step would throw them far.

        `far` are these rows, `ahead` the derivatives (K, rows) of what their class is ahead of the others by, `more`
        the curvatures (rows,) along these that a model is to have besides: a share of those of a secant, as `Newton`
        has them.
        """
        softmax, P = self.softmax, self.P
        s, rows = softmax.task.weights, np.arange(softmax.n)
        r, p = R[softmax.codes, rows], P[softmax.codes, rows]
        far = np.flatnonzero(p < FAR_OFF if s is None else (p < FAR_OFF) & (s > 0.0))
        r, p, s = r[far], p[far], 1.0 if s is None else s[far]
        secant = softmax.guard * (r - 0.5 * s) / np.log(r / s / np.maximum(p, 1e-300))
        self.far, self.more = far, np.maximum(secant - p * r, 0.0)
        self.ahead = -P[:, far] * s / r
        self.ahead[softmax.codes[far], np.arange(len(far))] = 1.0

    def intercepts(self, v):
        """Changes of the intercepts: what `v` holds of them are those of centred columns."""
        if not self.softmax.task.fit_intercept:
            return np.zeros(self.softmax.K)
        parts = zip(self.means, self.ends, self.ends[1:], strict=False)
        return v[self.size :] - np.array([(mean * v[first:stop]).sum() for mean, first, stop in parts])

    def spread(self, v):
        """(K, n) changes of the linear predictors, for changes of the coefficients and intercepts."""
        lines = np.zeros_like(self.P) + self.intercepts(v)[:, None]
        add, ends = self.softmax.pool.store.add, self.ends
        self.each_class(lambda k: add(self.features[k], v[ends[k] : ends[k + 1]], lines[k]))
        return lines

    def gather(self, T):
        """The transpose of `spread`, over the total weight."""
        sums = T.sum(axis=1) * self.softmax.task.fit_intercept
        dots = self.softmax.pool.store.dots
        parts = [None] * len(T)

        def task(k):
            parts[k] = dots(self.features[k], T[k]) - self.means[k] * sums[k]

        self.each_class(task)
        return np.concatenate([*parts, sums]) / self.softmax.total

    def each_class(self, task):
        """Call task(k) for all classes, on several threads where that pays."""
        jobs = self.softmax.jobs if self.work > SHARED else 1
        parallel_for(task, self.softmax.K, jobs)

    def curve(self, v):
        """The model's Hessian times v."""
        lines, s = self.spread(v), self.softmax.task.weights
        T = self.P * lines
        T -= self.P * T.sum(axis=0)
        if s is not None:
            T *= s
        T[:, self.far] += self.ahead * (self.more * (self.ahead * lines[:, self.far]).sum(axis=0))
        out = self.gather(T)
        out[: self.size] += self.l2 * self.f2 * v[: self.size]
        return out

    def minimum(self):
        """The step to the minimum within the signs, or near it."""
        softmax, b, scale = self.softmax, self.slope.copy(), self.scale
        room = self.size <= DIRECT and self.size * softmax.n <= ENTRIES
        if room and softmax.stiff:
            H = self.hessian()
            H.ravel()[:: len(H) + 1] += LEAST * scale[: len(H)]
            try:
                d = np.zeros(len(b))
                d[: len(H)] = cho_solve(cho_factor(H, lower=True, overwrite_a=True), b[: len(H)])
                return d
            except LinAlgError:  # rounding
                pass
        d, z = np.zeros(len(b)), b / scale
        direction, rho, count = z.copy(), (b * z).sum(), 0
        enough = CLOSE**2 * rho
        while rho > enough and count < (FEW if room else PRODUCTS):
            h = self.curve(direction)
            bend = (direction * h).sum()
            count += 1
            if not bend > 0.0:
                break
            d += rho / bend * direction
            b -= rho / bend * h
            z = b / scale
            rho, before = (b * z).sum(), rho
            direction = z + rho / before * direction
        softmax.stiff |= rho > enough and count >= FEW
        return d

    def hessian(self):
        """Over the coefficients in use, then the intercepts if there are any."""
        softmax, size, K = self.softmax, self.size, self.softmax.K
        s = 1.0 if softmax.task.weights is None else softmax.task.weights
        owner = np.repeat(np.arange(K), np.diff(self.ends))
        count = size + K * softmax.task.fit_intercept
        lines = np.zeros((count, softmax.n))
        for line, feature in zip(lines, np.concatenate(self.features), strict=False):
            softmax.pool.store.add(np.array([feature]), np.ones(1), line)
        if softmax.task.fit_intercept:
            lines[:size] -= np.concatenate(self.means)[:, None]
            lines[size:], owner = 1.0, np.concatenate([owner, np.arange(K)])
        H = np.zeros((count, count))
        for k in range(K):
            some = np.flatnonzero(owner == k)
            H[np.ix_(some, some)] = (lines[some] * (s * self.P[k])) @ lines[some].T
        moved = lines[:, self.far] * self.ahead[owner]
        H += (moved * self.more) @ moved.T
        lines *= np.sqrt(s) * self.P[owner]
        H -= lines @ lines.T
        H /= softmax.total
        H.ravel()[: size * (count + 1) : count + 1] += self.l2 * self.f2
        return H
