"""Problems with several classes: softmax of K linear predictors, solved class by class.

With the other classes held fixed, the loss of a class is logistic, its offset minus the logarithm of the sum of the
other exponentials: each class is a `GlmRun` on working sets of its own (block coordinate descent; J. Friedman, T.
Hastie and R. Tibshirani, Journal of Statistical Software 33, 2010), and every few cycles the point that their
differences point at is tried (Anderson acceleration; Q. Bertrand and M. Massias, AISTATS 2021).  The dual point of a
solution is the K residuals together.
"""

import numpy as np
from scipy.sparse import csc_array

from ..design.blocks import aligned
from ..design.dense import Dense
from ..design.packs import full_gram
from ..kernels import certificate, losses
from ..kernels.newton import SAFE_SHARE
from . import joint
from .glm import SEPARATED, GlmRun
from .grids import grid, ladder
from .problem import MultinomialSolution, Task
from .run import GOAL, ROUNDING
from .working import Pool, Store

CYCLES = 2_000  # through the classes, for one alpha
SHARE = 0.1  # of its gap: how exact a class is solved in one turn
TURN = 3  # steps of a class in one turn
REPAIRS = 30  # of one alpha
STEPS = 100  # to the intercepts
LOOSE = 1e-1  # relative gap that is good enough on the way to an alpha
FAR = 0.7  # of the last alpha: below it features count that were far from leaving zero, and at first
STAGE = 1e-2  # such a relative gap is good enough, until these have been looked at
WINDOW = 20  # cycles that have to take a tenth off the gap: less is rounding
MEMORY = 5  # cycles that an extrapolation looks back
SLOW = 0.05  # of the gap so many cycles ago: classes pull at each other


class Softmax:
    """One problem with K classes.

    Parameters
    ----------
    design : Dense, Columns or Rows
    task : Task
        Its y numbers the classes 0..K-1.
    jobs : int
    """

    def __init__(self, design, task, jobs):
        self.design, self.task, self.jobs = design, task, jobs
        self.pool = Pool(Store(design, jobs), task.weights, task.fit_intercept)
        self.total, self.K, self.n = self.pool.total, len(task.classes), design.n
        self.codes = task.y.astype(np.intp)
        # a Gram matrix serves for many turns
        self.runs = [GlmRun(self.one_against_others(k), self.pool, 0, many=self.design.p) for k in range(self.K)]
        self.Z = np.zeros((self.K, self.n))
        self.intercepts = np.zeros(self.K)
        self.passes, self.left, self.guard = 0, task.max_iter, SAFE_SHARE
        self.stiff = False  # whether conjugate gradients came to no end
        for run in self.runs:
            run.size = 1.0
        first = self.runs[0]
        self.factor1, self.factor2, self.free = first.factor1, first.factor2, first.free

    def one_against_others(self, k):
        task = self.task
        return Task(
            (self.codes == k).astype(np.float64), task.weights, task.fit_intercept, task.standardize, task.l1_ratio,
            task.alphas, task.eps, task.tol, task.max_iter, None, penalty_factor=task.penalty_factor, lower=task.lower,
            upper=task.upper, loss="logistic",
        )  # fmt: skip

    # ------------------------------------------------------------------ the model at hand

    def probabilities(self):
        """(P (K, n), log of the sum of exponentials (n,))."""
        top = self.Z.max(axis=0)
        P = np.exp(self.Z - top)
        total = P.sum(axis=0)
        P /= total
        return P, top + np.log(total)

    def loss(self, log_sum):
        each = np.maximum(log_sum - self.Z[self.codes, np.arange(self.n)], 0.0)
        return each.sum() if self.task.weights is None else (self.task.weights * each).sum()

    def residuals(self, P):
        R = -P
        others = P.copy()  # 1 - p without cancellation
        others[self.codes, np.arange(self.n)] = 0.0
        R[self.codes, np.arange(self.n)] = others.sum(axis=0)
        if self.task.weights is not None:
            R *= self.task.weights
        return R

    def level(self):
        """Move the intercepts until each class's residuals sum to zero; returns (P, log sums, residuals)."""
        for _ in range(STEPS):
            P, log_sum = self.probabilities()
            R = self.residuals(P)
            ahead = R.sum(axis=1)
            enough = 1e-15 * np.abs(R).sum(axis=1) + 1e-20 * self.total
            if not self.task.fit_intercept or (np.abs(ahead) <= enough).all():
                break
            sizes = P.sum(axis=1) if self.task.weights is None else (P * self.task.weights).sum(axis=1)
            H = np.diag(sizes) - full_gram(Dense(P.T), np.zeros(self.K), self.task.weights)
            step = np.linalg.lstsq(H, ahead, rcond=1e-13)[0]
            if np.abs(step).max() <= 1e-16 * (1.0 + np.abs(self.intercepts).max()):
                break
            step *= min(1.0, 2.0 / np.abs(step).max())
            self.intercepts += step
            self.Z += step[:, None]
        else:
            P, log_sum = self.probabilities()
            R = self.residuals(P)
        return P, log_sum, R

    def place(self, W):
        """Linear predictors from coefficients (features, values) of each class, from scratch."""
        self.Z[:] = self.intercepts[:, None]
        for z, (features, values) in zip(self.Z, W, strict=True):
            self.pool.store.add(features, values, z)

    def coefficients(self):
        out = []
        for run in self.runs:
            places = np.flatnonzero(run.w)
            out.append((self.pool.features[places], run.w[places]))
        return out

    # ------------------------------------------------------------------ descent

    def exponentiate(self):
        """Exponentials of all linear predictors, from scratch: a cycle changes one row of them after the other."""
        self.top = self.Z.max(axis=0)
        self.E = np.exp(self.Z - self.top)
        self.E_sum = self.E.sum(axis=0)

    def enter(self, k):
        """Let class k see what the others have become."""
        run, E = self.runs[k], self.E
        others = self.E_sum - E[k]
        cancelled = np.flatnonzero(others < 0.1 * self.E_sum)
        if len(cancelled):
            part = E[:, cancelled]
            part[k] = 0.0
            others[cancelled] = part.sum(axis=0)
        np.maximum(others, 1e-300, out=others)
        self.apart = np.log(others, out=others)
        self.apart += self.top
        np.subtract(self.Z[k], self.apart, out=run.z)
        run.newton.intercept = self.intercepts[k]
        _, run.newton.value = run.evaluate(run.z, run.r, run.h)
        run.newton.take_stock()

    def leave(self, k):
        run = self.runs[k]
        self.Z[k] = run.z + self.apart
        self.intercepts[k] = run.newton.intercept
        self.E_sum -= self.E[k]
        np.exp(np.minimum(self.Z[k] - self.top, 300.0), out=self.E[k])
        self.E_sum += self.E[k]

    def descend(self, l1, l2, goal, only=None):
        """Cycle through the classes until their gaps sum to less than `goal`; returns the number of steps.

        On `only` some features; or, None, on those that are not far from leaving zero at `gradient`.
        """
        steps = 0
        for k, run in enumerate(self.runs):
            run.near = only
            if only is None and l1 > 0.0:
                run.g[:] = self.gradient[self.pool.features, k]
                run.near = run.newton.near_to(l1)
        points, last, totals = [], np.inf, []
        products = np.zeros(self.K)
        for _ in range(CYCLES):
            (gaps, kappas), before = np.zeros((2, self.K)), steps
            self.exponentiate()
            for k, run in enumerate(self.runs):
                if self.left <= 0:
                    return steps
                self.enter(k)
                run.look(run.near)
                products[k] = (run.g * run.w).sum()
                run.newton.others = products.sum() - products[k]
                gap = run.gap(run.near, l1, l2)
                kappa = kappas[k] = run.newton.kappa
                gaps[k] = gap - (1.0 - kappa) * run.newton.others
                run.goal = max(SHARE * gap, 0.1 * goal / self.K)
                if gap > run.goal:
                    every = np.arange(run.known) if run.near is None else run.near
                    steps += self.take(run.descend(l1, l2, min(TURN, self.left), every))
                    self.leave(k)
            self.recentre(l1, l2)
            total = gaps.sum() + ((kappas - kappas.min()) * products).sum()  # one dual point for all of them
            points.append(self.point())
            if len(points) > MEMORY:
                joint.extrapolate(self, points, l1, l2)
                if total > SLOW * last:
                    joint.newton(self, l1, l2)
                    steps += self.take(1)
                points, last = [self.point()], total
            totals.append(total)
            if total <= goal or steps == before or min(totals) > 0.9 * min(totals[:-WINDOW] or [np.inf]):
                break
        return steps

    def table(self):
        """(places of the features that are unpenalised or used by some class, their coefficients (K, m))."""
        some = np.logical_or.reduce([run.w != 0.0 for run in self.runs])
        some[: len(self.free)] = True
        places = np.flatnonzero(some)
        return places, np.array([run.w[places] for run in self.runs])

    def point(self):
        """A `table`, intercepts and linear predictors as they are."""
        return *self.table(), self.intercepts.copy(), self.Z.copy()

    def objective(self, places, W, l1, l2):
        """At coefficients W (K, m) of the features at `places` whose linear predictors are Z."""
        f1, f2 = (np.minimum(factor[places], 1e300) for factor in (self.runs[0].f1, self.runs[0].f2))
        penalty = l1 * (np.abs(W) * f1).sum() + 0.5 * l2 * (W * W * f2).sum()
        return self.loss(self.probabilities()[1]) / self.total + penalty

    def take(self, steps):
        """Count steps against max_iter."""
        self.left -= steps
        return steps

    def recentre(self, l1, l2):
        """A constant added to a feature's coefficients in all classes changes no probability: take the cheapest."""
        if self.task.lower is not None:
            return
        places, W = self.table()
        penalised = l1 * np.minimum(self.runs[0].f1[places], 1e300) > 0.0
        often = (W != 0).sum(axis=0) > np.where(penalised, self.K // 2, 0)
        some, W = places[often], W[:, often]
        if len(some) == 0:
            return
        first, second = l1 * self.runs[0].f1[some], l2 * self.runs[0].f2[some]
        shift = np.where((first == 0.0) & (second == 0.0), W.mean(axis=0), cheapest_shift(W, first, second))
        moved = shift != 0.0
        if not moved.any():
            return
        W -= shift
        line = np.zeros(self.n)
        self.pool.store.add(self.pool.features[some[moved]], -shift[moved], line)
        self.Z += line
        self.top += line
        for run, w in zip(self.runs, W, strict=True):
            run.w[some] = w

    # ------------------------------------------------------------------ the path

    def product(self, R):
        """X'R / S, as (1, p, lanes) panels for `scan` and as (p, K)."""
        width = self.design.panel_width(self.K)
        count = -(-self.K // width)
        panels, C = aligned((count, self.n, width)), aligned((count, self.design.p, width))
        panels[:] = 0.0
        for k in range(self.K):
            panels[k // width, :, k % width] = R[k]
        self.design.correlate(panels, C, self.jobs)
        self.passes += 1
        return C, np.array([C[k // width, :, k % width] for k in range(self.K)]).T / self.total

    def begin(self):
        """The null model, and the grid."""
        task = self.task
        _, log_sum, R = self.level()
        self.constant = self.loss(log_sum) / self.total
        if len(self.free):
            self.pool.add(self.free)
            for run in self.runs:
                run.extend(look=False)
            self.descend(0.0, 0.0, ROUNDING * self.constant, np.arange(len(self.free)))
            self.place(self.coefficients())
            self.norm = np.sqrt(
                self.design.moments(
                    np.arange(self.design.p), task.weights, self.total, task.fit_intercept, self.jobs
                )[1] / self.total
            )  # fmt: skip
            _, log_sum, R = self.level()
        else:
            self.norm = None
        self.null = self.loss(log_sum) / self.total
        if self.null <= SEPARATED * self.constant:
            self.null = 0.0
        self.null_intercepts, self.null_coefs = self.intercepts.copy(), self.coefficients()
        _, self.gradient = self.product(R)
        if not np.isfinite(self.gradient).all():
            self.design.refuse_nonfinite()
        for run in self.runs:
            run.size = float(np.abs(self.gradient).max(initial=0.0))
        self.alpha_max = np.inf
        if task.l1_ratio > 0:
            self.alpha_max = max(self.runs[0].share_of_penalty(g) for g in self.gradient.T) / task.l1_ratio
        self.alphas = task.alphas
        if not isinstance(self.alphas, np.ndarray):
            eps = task.eps or (1e-3 if self.n >= self.design.p else 1e-2)
            self.alphas = grid(self.alpha_max, task.alphas, eps)

    def solve(self):
        """The path, as a MultinomialSolution."""
        self.begin()
        task, L = self.task, len(self.alphas)
        gaps, explained = np.zeros(L), np.full(L, 1.0 - self.null / self.constant)
        levels, n_iter, pieces = np.tile(self.null_intercepts, (L, 1)), np.zeros(L, np.int64), []
        empty = int(np.count_nonzero(self.alphas >= self.alpha_max * (1 - 1e-15))) if self.null > 0.0 else L
        pieces += [self.null_coefs] * empty
        rungs, report = self.alphas[empty:], np.arange(empty, L)
        if task.l1_ratio > 0:
            rungs, report = ladder(self.alpha_max, rungs, False)
            report = np.where(report >= 0, report + empty, -1)
        above, carried, self.left = self.alpha_max, 0, task.max_iter
        for alpha, at in zip(rungs, report, strict=True):
            steps, gap, log_sum = self.solve_one(alpha, above, max(task.tol, LOOSE) if at < 0 else task.tol)
            above, carried = alpha, carried + steps
            if at >= 0:
                gaps[at], n_iter[at], levels[at] = gap, carried, self.intercepts
                explained[at] = 1.0 - self.loss(log_sum) / self.total / self.constant
                pieces.append(self.coefficients())
                carried, self.left = 0, task.max_iter
                if task.dfmax is not None and at > 0 and self.in_use() > task.dfmax:
                    self.alphas = self.alphas[:at]
                    break
        L = len(self.alphas)
        return self.solution(pieces[:L], levels[:L], gaps[:L], explained[:L], n_iter[:L])

    def in_use(self):
        """Number of penalised features with a coefficient in some class."""
        return int((np.any([run.w != 0 for run in self.runs], axis=0) & (self.runs[0].f1 > 0)).sum())

    def solve_one(self, alpha, above, tol):
        """(steps, gap, log sums) of the solution at alpha, after that at `above`, to a relative gap of `tol`."""
        task = self.task
        l1, l2 = task.l1_ratio * alpha, (1.0 - task.l1_ratio) * alpha
        f1 = np.ones(self.design.p) if self.factor1 is None else self.factor1
        wanted = np.isfinite(f1)
        if l1 > 0.0 and np.isfinite(above):  # the strong rule
            with np.errstate(over="ignore"):
                least = (2.0 * l1 - task.l1_ratio * above) * np.minimum(f1, 1e300)
            wanted &= np.abs(self.gradient).max(axis=1) >= least
        steps, goal, far = 0, max(GOAL * tol, ROUNDING) * self.null, l1 > 0.0 and alpha < FAR * above
        for _ in range(REPAIRS):
            new = np.flatnonzero(wanted & (self.pool.place < 0))
            if len(new):
                self.pool.add(new)
                for run in self.runs:
                    run.extend(look=False)
            steps += self.descend(l1, l2, max(goal, STAGE * self.null) if far else goal)
            self.place(self.coefficients())
            P, log_sum, R = self.level()
            C, self.gradient = self.product(R)
            gap, missed = self.certify(C, P, R, l1, l2)
            if gap == np.inf:  # zero is a dual point too, worth nothing
                gap = self.objective(*self.table(), l1, l2)
            if l1 == l2 == 0.0:
                gap = min(gap, self.loss(log_sum) / self.total)
            if gap <= tol * self.null or self.left <= 0:
                break
            wanted, before, far = missed, far, False
            if not (before or missed.any() or self.overlooked(l1)):
                goal = max(0.1 * goal, ROUNDING * self.null)
                joint.newton(self, l1, l2)
                steps += self.take(1)
        return steps, gap, log_sum

    def overlooked(self, l1):
        """Whether a feature that was far from leaving zero in some class no longer is, at `gradient`."""
        for run, g in zip(self.runs, self.gradient[self.pool.features].T, strict=True):
            if run.near is not None:
                ahead = np.abs(g) > l1 * run.f1
                ahead[run.near] = False
                if ahead.any():
                    return True
        return False

    def certify(self, C, P, R, l1, l2):
        """(duality gap, which features screening had missed) of the solution at hand."""
        K, p, task = self.K, self.design.p, self.task
        largest, conjugate, missed = np.zeros(K), np.zeros(K), np.zeros(p, np.uint8)
        off, given_up, more, held = np.zeros(K), None, np.zeros(K), None
        if len(self.free):
            held, more = self.held()
            given_up, off = self.give_up(P, held)
            if held.any():
                more += off * (held * self.norm[self.free] * np.abs(self.free_weights())).sum(axis=1)
        certificate.Scan(
            C, *np.divmod(np.arange(K), C.shape[2]), 0, p, None, 1.0 / self.total, np.full(K, l1), np.full(K, l2),
            self.factor1, self.factor2, task.lower, task.upper, self.norm, off, self.pool.place, largest, conjugate,
            missed,
        ).do()  # fmt: skip
        if l1 == l2 == 0.0:  # no dual point: the squared gradient over the curvature
            return sum(run.gap(None, 0.0, 0.0) for run in self.looked_at()), missed.astype(bool)
        kappa = certificate.scale(l1, largest.max())
        total = self.divergence(P, R, given_up, kappa)
        conjugate += more
        for k, (features, values) in enumerate(self.coefficients()):
            c = self.gradient[features, k].copy()
            if given_up is not None:
                c[np.isin(features, self.free[~held[k]])] = 0.0
            total += certificate.gap(
                features, values, c, l1, l2, self.factor1, self.factor2, 0.0, kappa, conjugate[k], off[k] ** 2,
                self.norm,
            )  # fmt: skip
        return total, missed.astype(bool)

    def looked_at(self):
        self.exponentiate()
        for k, run in enumerate(self.runs):
            self.enter(k)
            run.look(None)
            yield run

    def free_weights(self):
        """(K, f) coefficients of the unpenalised features."""
        return np.array([run.w[self.pool.place[self.free]] for run in self.runs])

    def held(self):
        """((K, f) whether a bound holds an unpenalised feature, (K,) what these add to the penalties' conjugates)."""
        w, c = self.free_weights(), self.gradient[self.free].T
        if self.task.lower is None:
            return np.zeros(w.shape, bool), np.zeros(self.K)
        edge = np.where(c > 0, self.task.upper[self.free], self.task.lower[self.free])
        held = np.isfinite(edge) & (w == edge)
        return held, (np.abs(c) * np.abs(np.where(held, edge, 0.0))).sum(axis=1)

    def give_up(self, P, held):
        """(what residuals over weights lose (K, n), its size (K,)) to be orthogonal to unpenalised features."""
        F = np.zeros((len(self.free), self.n))
        for column, feature in zip(F, self.free, strict=True):
            self.pool.store.add(np.array([feature]), np.ones(1), column)
        if self.task.fit_intercept:
            F = np.vstack([np.ones(self.n), F])
        s = 1.0 if self.task.weights is None else self.task.weights
        right = (self.residuals(P) @ F.T).ravel()
        M = np.empty((self.K, len(F), self.K, len(F)))
        for k in range(self.K):
            for j in range(self.K):
                M[k, :, j, :] = (F * (s * P[k] * ((k == j) - P[j]))) @ F.T
        inside = np.hstack([np.ones((self.K, len(F) - held.shape[1]), bool), ~held]).ravel()
        b = np.zeros(len(right))
        M = M.reshape(len(right), -1)[np.ix_(inside, inside)]
        b[inside] = np.linalg.lstsq(M, right[inside], rcond=1e-13)[0]
        b = b.reshape(self.K, len(F)) @ F
        d = P * (b - (P * b).sum(axis=0))
        return d, np.sqrt((s * d * d).sum(axis=1) / self.total)

    def divergence(self, P, R, given_up, kappa):
        """The loss's part of the gap."""
        if kappa == 1.0 and given_up is None:
            return 0.0
        if given_up is None:  # the other classes of a row keep their proportions: it is that of one against them
            s, p, r = self.task.weights, P[self.codes, np.arange(self.n)], R[self.codes, np.arange(self.n)]
            left = r if s is None else np.divide(r, s, out=1.0 - p, where=s > 0)
            z = np.log(np.maximum(p, 1e-300)) - np.log(np.maximum(left, 1e-300))
            return losses.divergence(0, 0.0, np.ones(self.n), s, z, r, None, kappa) / self.total
        U = P.copy()
        U[self.codes, np.arange(self.n)] -= 1.0
        change = kappa * (U + given_up) - U
        T = np.divide(change, P, out=np.zeros_like(P), where=P > 0)
        if (T < -1.0 - 1e-9).any():
            return np.inf
        T = np.maximum(T, -1.0)
        with np.errstate(divide="ignore", invalid="ignore"):
            each = np.where(np.abs(T) < 1e-4, T * T * (0.5 - T / 6.0 + T * T / 12.0), (1.0 + T) * np.log1p(T) - T)
        each[T == -1.0] = 1.0
        rows = (P * each).sum(axis=0)
        return (rows.sum() if self.task.weights is None else (self.task.weights * rows).sum()) / self.total

    def solution(self, pieces, levels, gaps, explained, n_iter):
        p, L = self.design.p, len(self.alphas)
        shift = self.design.shift
        coefs = []
        for k in range(self.K):
            features = [piece[k][0] for piece in pieces]
            orders = [np.argsort(some) for some in features]
            indptr = np.concatenate([[0], np.cumsum([len(some) for some in features])])
            indices = np.concatenate([some[order] for some, order in zip(features, orders, strict=True)])
            values = np.concatenate([piece[k][1][order] for piece, order in zip(pieces, orders, strict=True)])
            coefs.append(csc_array((values, indices, indptr), shape=(p, L)))
        null = None
        null_level = self.null_intercepts
        if len(self.free):
            null = np.zeros((p, self.K))
            for k, (features, values) in enumerate(self.null_coefs):
                null[features, k] = values
        if shift is not None and self.task.fit_intercept:
            levels = levels - np.array([coef.T @ shift for coef in coefs]).T
            null_level = null_level if null is None else null_level - shift @ null
        if self.task.fit_intercept:  # a constant in all of them changes nothing
            levels = levels - levels.mean(axis=1, keepdims=True)
            null_level = null_level - null_level.mean()
        return MultinomialSolution(
            self.alphas, coefs, levels, gaps, float(self.alpha_max), float(self.null), null_level, null, explained,
            n_iter, self.passes,
        )  # fmt: skip


def cheapest_shift(W, l1, l2):
    """(m,) t that minimises sum_k l1 |W_kj - t_j| + l2 / 2 (W_kj - t_j)^2 for each column of W (K, m)."""
    K = len(W)
    W = np.sort(W, axis=0)
    ahead = np.cumsum(W, axis=0)
    # between the kth and the next of the sorted values the slope is l1 (2k - K) + l2 (K t - sum): find its zero
    below = np.arange(1, K)[:, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        t = np.where(l2 > 0, (ahead[-1] - l1 / l2 * (2 * below - K)) / K, 0.0)
    inside = (t >= W[:-1]) & (t <= W[1:]) & (l2 > 0)
    # else it is at one of the values: where the slope turns its sign
    at = np.arange(K)[:, None]
    left = l1 * (2 * at - K) + l2 * (K * W - ahead[-1])
    right = l1 * (2 * at + 2 - K) + l2 * (K * W - ahead[-1])
    kink = (left <= 0) & (right >= 0)
    found = np.where(inside.any(axis=0), t[inside.argmax(axis=0), np.arange(W.shape[1])], 0.0)
    values = W[kink.argmax(axis=0), np.arange(W.shape[1])]
    zero = kink & (W == 0.0)  # of several that are as good, zero
    values = np.where(zero.any(axis=0), 0.0, values)
    return np.where(kink.any(axis=0), values, found)
