"""One problem on its way down the grid of alphas: what to solve next, and what the last round proved."""

import numpy as np

from ..kernels import certificate
from ..kernels.active import ActiveSet
from .least_squares import least_squares

STEP = 0.5  # alphas further apart than this get steps in between, solved but not reported
LOOSE = 1e-2  # relative gap that is good enough for such a step
POLISHES = 6  # corrections of the gradient from X for one alpha
BUDGET = 4e9  # flops between two looks at the keyboard


class Run:
    """State of one problem."""

    def __init__(self, task, sample, target, jobs):
        self.task, self.sample, self.target = task, sample, target
        self.factor1 = self.factor2 = None  # penalty factors (p,), None: ones
        if task.standardize:
            spread = sample.standard_deviations()
            self.factor1 = np.where(spread > 0, spread, np.inf)
            self.factor2 = np.where(spread > 0, spread**2, np.inf)
        seed = 0 if task.random_state is None else 2 * task.random_state + 1
        self.active = ActiveSet(seed & (2**64 - 1))
        self.known = 0  # features that `active` has
        self.pieces = []  # per reported alpha: (features, values)
        self.k = 0  # next alpha of the ladder
        self.missed = None
        self.gamma = 0.3
        self.reach = 10  # alphas to look ahead
        self.polished = 0
        self.carried = 0

    # ------------------------------------------------------------------ set-up

    def begin(self, gradient, null_objective, level):
        """Take the gradient at zero (p,), divided by the total weight, and the null model; settle the grid."""
        task = self.task
        self.gradient0 = self.gradient = gradient
        self.slope = np.zeros_like(gradient)
        self.null = null_objective
        size = gradient if self.factor1 is None else gradient / self.factor1
        top = size.max(initial=0.0) if task.positive else np.abs(size).max(initial=0.0)
        self.alpha_max = max(top, 0.0) / task.l1_ratio
        self.alpha = self.alpha_max
        if isinstance(task.alphas, (int, np.integer)):
            self.alphas = grid(self.alpha_max, task.alphas, task.eps or (1e-3 if len(task.y) >= len(gradient) else 1e-2))
        else:
            self.alphas = np.asarray(task.alphas, dtype=np.float64)
        count = len(self.alphas)
        self.gaps, self.explained, self.intercepts = np.zeros(count), np.zeros(count), np.full(count, level)
        self.n_iter = np.zeros(count, dtype=np.int64)
        self.empty = int(np.count_nonzero(self.alphas >= self.alpha_max * (1 - 1e-15))) if self.null > 0 else count
        self.pieces = [(np.empty(0, np.int32), np.empty(0))] * self.empty
        self.unpenalised = self.null > 0 and self.alphas[-1] == 0.0
        warm = task.coef_init is not None
        self.ladder, self.report = ladder(self.alpha_max, self.alphas[self.empty : count - self.unpenalised], warm)
        self.report[self.report >= 0] += self.empty
        self.warm = warm and self.ladder.size > 0

    @property
    def done(self):
        return self.k >= len(self.ladder)

    # ------------------------------------------------------------------ before a round

    def plan(self, lanes, room):
        """Features to bring in (not yet in the sample) for the next alphas, at most `lanes`; sets `stop`."""
        self.stop = min(len(self.ladder), self.k + max(1, lanes))
        if self.sample.complete:
            return np.empty(0, np.intp)
        place, missed = self.sample.place, self.missed
        if missed is not None:
            self.missed = None
            self.stop = min(self.stop, max(self.k + 1, self.planned))
            return missed[place[missed] < 0]
        if self.warm:
            start = np.flatnonzero(self.task.coef_init)
            self.stop = min(self.stop, self.k + self.reach)
            return np.union1d(start[place[start] < 0], self.wanted(self.stop, room))
        self.stop = min(self.stop, self.k + self.reach)
        while True:
            want = self.wanted(self.stop, room)
            if len(want) <= room or self.stop == self.k + 1:
                break
            self.stop = self.k + max(1, (self.stop - self.k) * 2 // 3)
        self.planned = self.stop
        return want

    def wanted(self, stop, room):
        """Features not yet in the sample that may be needed down to ladder[stop - 1]."""
        share = self.task.l1_ratio
        low = self.ladder[stop - 1]
        ahead = self.gradient + (low - self.alpha) * self.slope
        if not self.task.positive:
            np.abs(ahead, out=ahead)
        bound = share * (low - self.gamma * (self.alpha - low))
        if self.factor1 is not None:
            ahead /= self.factor1
        ahead[self.sample.place >= 0] = -1.0
        want = np.flatnonzero(ahead >= max(bound, 0.0))
        if len(want) > room and stop == self.k + 1:  # never more than there is room for: the strongest
            want = want[np.argpartition(-ahead[want], room)[:room]]
        return want

    def extend(self):
        """Let the active set know the features that came into the sample."""
        new = self.sample.features[self.known :]
        if len(new) == 0:
            return
        at = slice(self.known, None)
        f1 = np.ones(len(new)) if self.factor1 is None else self.factor1[new]
        f2 = np.ones(len(new)) if self.factor2 is None else self.factor2[new]
        dead = self.sample.constant[at] | ~np.isfinite(f1)
        if dead.any():
            f1, f2 = np.where(dead, 1.0, f1), np.where(dead, 1.0, f2)
            if self.factor1 is None:
                self.factor1 = np.ones(self.sample.design.p)
            self.factor1[new[dead]] = np.inf
        sides = np.where(dead, 0, 1 if self.task.positive else 3).astype(np.int8)
        self.active.extend(self.gradient0[new], f1, f2, sides)
        self.known = len(self.sample.features)

    # ------------------------------------------------------------------ a round

    def solve(self):
        """Solve the alphas k..stop-1 on the features at hand."""
        task, sample = self.task, self.sample
        alphas = self.ladder[self.k : self.stop]
        l1, l2 = task.l1_ratio * alphas, (1.0 - task.l1_ratio) * alphas
        if self.warm:
            start = np.flatnonzero(task.coef_init)
            places = sample.place[start]
            self.active.place(sample.gram, places, task.coef_init[start], l2[0])
            self.warm = False
        room = len(alphas) * max(1, min(self.known, sample.design.n + 1)) + self.known
        index, value = np.empty(room, np.int32), np.empty(room)
        stops, n_iter = np.zeros(len(alphas) + 1, np.intp), np.zeros(len(alphas), np.int64)
        between = (self.report[self.k : self.stop] < 0).astype(np.uint8)
        self.active.carried = self.carried
        done = self.active.solve(sample.gram, l1, l2, between, task.max_iter, BUDGET, index, value, stops, n_iter)
        self.stop = self.k + done
        self.l1, self.l2, self.steps = l1[:done], l2[:done], n_iter
        self.solved = [(index[stops[i] : stops[i + 1]], value[stops[i] : stops[i + 1]]) for i in range(done)]
        # steps of the ladder need no certificate where nothing is screened
        self.lanes = [i for i in range(done) if not sample.complete or self.report[self.k + i] >= 0]

    def judge(self, C, segments, squares, largest, conjugate, missed):
        """Accept solutions up to the first whose gap is too large; plan the repair of that one."""
        task, sample, scale = self.task, self.sample, 1.0 / self.sample.total
        accepted, last = self.stop - self.k, None
        for n, i in enumerate(self.lanes):
            panel, lane = segments[n]
            places, values = self.solved[i]
            gap = certificate.gap(
                C, panel, lane, scale, sample.features[places], values, self.l1[i], self.l2[i],
                self.factor1, self.factor2, squares[panel, lane], largest[n], conjugate[n],
            )  # fmt: skip
            at = self.report[self.k + i]
            bound = task.tol if at >= 0 else max(task.tol, LOOSE)
            if gap > bound * self.null and not self.give_up(missed, C[panel, :, lane], i, gap):
                accepted = i
                break
            last = n
            if at >= 0:
                self.gaps[at] = gap
                self.explained[at] = 1.0 - squares[panel, lane] * scale / (2.0 * self.null)
        if last is not None and not sample.complete:
            self.remember(C, segments, last)
        for i in range(accepted):
            at = self.report[self.k + i]
            self.carried += self.steps[i]
            if at >= 0:
                self.n_iter[at] = self.carried
                places, values = self.solved[i]
                self.pieces.append((sample.features[places], values))
                if sample.centred:
                    self.intercepts[at] -= sample.mean[places] @ values
                self.carried = 0
        asked, self.k = self.stop - self.k, self.k + accepted
        if accepted:
            self.alpha = self.ladder[self.k - 1]
        if accepted < asked:
            self.missed = missed
            self.gamma = min(1.0, 1.3 * self.gamma) if len(missed) else self.gamma
            self.reach = max(4, (accepted + asked) // 2)
            if len(missed) == 0:
                self.polish(C[segments[n][0], :, segments[n][1]], *self.solved[accepted])
            else:
                self.active.place(sample.gram, *self.solved[accepted], self.l2[accepted])
        else:
            self.polished = 0
            self.gamma = max(0.1, 0.8 * self.gamma)
            self.reach = min(64, self.reach + self.reach // 2)
        self.solved = None

    def remember(self, C, segments, last):
        """Keep the gradient at the last accepted lane, and its change by alpha."""
        scale = 1.0 / self.sample.total
        panel, lane = segments[last]
        now, alpha = C[panel, :, lane] * scale, self.ladder[self.k + self.lanes[last]]
        if last > 0:
            panel, lane = segments[last - 1]
            before, higher = C[panel, :, lane] * scale, self.ladder[self.k + self.lanes[last - 1]]
        else:
            before, higher = self.gradient, self.alpha
        if higher > alpha:
            np.subtract(before, now, out=before)
            before /= higher - alpha
            self.slope = before
        self.gradient = now

    # ------------------------------------------------------------------ gaps that rounding of the Gram matrix leaves

    def give_up(self, missed, column, i, gap):
        """Whether a gap above its bound has to be taken as it is."""
        return len(missed) == 0 and self.polished >= POLISHES

    def polish(self, column, places, values):
        """Iterative refinement: take the gradient from X where the Gram matrix is not accurate enough."""
        self.polished += 1
        m = self.known
        q = column[self.sample.features[:m]] / self.sample.total + self.sample.gram[:m, places] @ values
        self.active.set_gradient(q)
        self.active.place(self.sample.gram, places, values, self.l2_at(self.k))

    def finish(self, y):
        """Where the grid ends at alpha = 0, the least-squares solution."""
        if not self.unpenalised:
            return
        X = self.sample.design.X
        w, self.intercepts[-1], residual = least_squares(X, y, self.task)
        used = np.flatnonzero(w)
        self.pieces.append((used, w[used]))
        self.gaps[-1], self.n_iter[-1] = residual**2 * self.null, 1
        r = y - X[:, used] @ w[used] - self.intercepts[-1]
        squares = r @ r if self.task.weights is None else (self.task.weights * r) @ r
        self.explained[-1] = 1.0 - squares / self.sample.total / (2.0 * self.null)

    def l2_at(self, k):
        return (1.0 - self.task.l1_ratio) * self.ladder[k]


def grid(alpha_max, count, eps):
    """Geometric grid from alpha_max down to eps * alpha_max; all zeros would repeat, so a null problem gets 1 .. eps."""
    top = alpha_max if alpha_max > 0 else 1.0
    return top * np.geomspace(1.0, eps, count) if count > 1 else np.array([top])


def ladder(alpha_max, alphas, warm):
    """The alphas to solve, with steps where the grid is coarse, and which of `alphas` each one is (-1: a step)."""
    rungs, report, above = [], [], alpha_max
    for i, alpha in enumerate(alphas):
        if above > 0 and alpha > 0 and not (warm and i == 0):
            steps = int(np.ceil(np.log(alpha / above) / np.log(STEP) - 1e-9))
            rungs += list(above * (alpha / above) ** (np.arange(1, steps) / steps)) if steps > 1 else []
        rungs.append(alpha)
        report += [-1] * (len(rungs) - len(report) - 1) + [i]
        above = alpha
    return np.array(rungs), np.array(report, dtype=np.intp)
