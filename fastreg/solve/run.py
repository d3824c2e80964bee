"""One problem on its way down the grid of alphas: what to solve next, and what the last round proved."""

import math
from itertools import pairwise

import numpy as np

from ..design.blocks import team_of, watch
from ..kernels import certificate
from ..kernels.active import ActiveSet, Solve
from ..kernels.residual import ResidualSet
from ..kernels.screening import Candidates
from .grids import grid, ladder
from .least_squares import bounded_sparse, least_squares
from .sample import Sample

LOOSE = 1e-2  # relative gap that is good enough for such a step
POLISHES = 6  # corrections of the gradient from X for one alpha
MOST_FEATURES = 200  # that one round brings in, or 4 n if that is more
GENEROUS = 1.0  # least `gamma` where a feature more costs nothing but a look now and then
GOAL = 0.5  # share of the tolerance that a solution on residuals aims at
ROUNDING = 1e-15  # a relative gap that can be reached
RUNAWAY = 1e3  # times the loss without features: more than that is no solution
LEAST_DENSITY = 1 / 3  # lanes that an alpha is expected to need at least
LOOKS = 10  # products with a feature for each alpha that is solved on residuals
PATIENCE = 100  # sweeps and steps on residuals for one alpha, before a Gram matrix takes over
LARGE = 350  # features in a support of a sparse X, from which on conjugate gradients beat a factor
GRAM_BYTES = 16 << 20  # of a Gram matrix that a sparse problem may keep, or a sixteenth of X if that is more
SPARE = 64  # more features than X has rows that a factor has room for
BUDGET = 4e9  # flops between two looks at the keyboard


class Run:
    """State of one problem."""

    def __init__(self, task, sample, target, response):
        self.task, self.sample, self.target = task, sample, target
        self.factor1, self.factor2 = penalty_factors(task, sample)
        self.free = np.empty(0, np.intp) if self.factor1 is None else np.flatnonzero(self.factor1 == 0)
        self.norm = None  # (p,) of the columns, needed where some are unpenalised
        seed = 0 if task.random_state is None else 2 * task.random_state + 1
        self.exact = sample.gram is not None  # else on residuals, to a goal
        self.seed = seed & 2**64 - 1
        self.response = response
        self.active = self.active_set() if self.exact else self.residual_set()
        self.may_turn = self.exact and not sample.design.dense  # to residuals, where supports grow large
        self.known = 0  # features that `active` has
        self.k = 0  # next alpha of the ladder
        self.missed = None  # features that the last round found missing
        self.gamma = 0.15  # how far gradients may stray from their prediction
        self.reach = 10  # alphas to look ahead at most
        self.polished = 0  # corrections made for the next alpha
        self.carried = 0  # iterations spent on the way to it
        self.density = 1.0  # lanes that an alpha needs
        self.again = []  # solutions that the last round did not accept: where to start
        self.support = 0  # features of the last solution
        self.expected = 0.0  # features that it will know at the end, as they come in now

    def active_set(self):
        design = self.sample.design
        return ActiveSet(self.seed, 2 * design.n + SPARE if self.task.l1_ratio == 1.0 else design.p + SPARE)

    def residual_set(self):
        return ResidualSet(self.response, self.task.weights, self.sample.total, self.seed, watch)

    def turn(self):
        """Work on residuals from here on, in place of a Gram matrix, or the other way round; from the last answer."""
        self.exact, self.may_turn, self.known, self.again = not self.exact, False, 0, []
        if self.exact:
            self.sample.begin_gram()
            self.active = self.active_set()
            self.active.size, self.base_gradient = self.size, self.zero_gradient
        else:
            self.active = self.residual_set()
            self.active.goal = max(GOAL * self.task.tol, ROUNDING) * self.null
        self.extend()
        features, values = self.pieces[-1] if self.pieces else (np.empty(0, np.intp), np.empty(0))
        self.place(self.sample.place[features], values, self.l2_at(self.k))

    # ------------------------------------------------------------------ set-up

    def begin(self, gradient, null_objective, level):
        """Take the gradient at zero (p,), over the total weight, and objective and level of the constant model."""
        self.base_gradient = self.zero_gradient = gradient
        self.constant_objective, self.level = null_objective, level
        self.size = float(np.abs(gradient).max(initial=0.0))
        self.null_model = np.empty(0, np.int32), np.empty(0)
        if self.exact:
            self.active.size = self.size
        self.know_free()
        if len(self.free) == 0:
            self.settle(gradient, null_objective)

    def know_free(self):
        """What certificates need where some features are unpenalised: their Gram matrix, the norms of all columns."""
        if len(self.free):
            sample = self.sample
            self.norm = np.sqrt(sample_squares(sample) / sample.total)
            known = Sample(sample.design, self.task.weights, self.task.fit_intercept, sample.jobs)
            known.add(self.free)
            self.free_gram = known.gram

    def fit_null(self):
        """Fit the unpenalised features alone."""
        self.extend()
        f1 = self.factor1[self.sample.features]
        size = self.sample.norm * np.sqrt(2.0 * self.constant_objective)  # no gradient is larger
        penalised = (f1 > 0) & np.isfinite(f1)
        keep_out = np.array([2.0 * np.max(size[penalised] / f1[penalised], initial=1.0)])
        index, value = np.empty(2 * self.known, np.int32), np.empty(2 * self.known)
        stops, counts, versions = np.zeros(2, np.intp), np.zeros(1, np.int64), np.zeros(1, np.int64)
        none, whole = np.zeros(1), np.zeros(1, np.uint8)
        if self.exact:
            self.active.solve(
                self.sample.gram,
                keep_out,
                none,
                whole,
                self.task.max_iter,
                BUDGET,
                index,
                value,
                stops,
                counts,
                versions,
            )
        else:
            self.active.goal = ROUNDING * self.constant_objective
            self.active.solve(keep_out, none, whole, self.task.max_iter, BUDGET, index, value, stops, counts)
        self.null_model = index[: stops[1]].copy(), value[: stops[1]].copy()

    def settle(self, gradient, null_objective):
        """Take gradient and objective of the null model; settle the grid."""
        task = self.task
        self.gradient = gradient
        self.slope = np.zeros_like(gradient)
        self.null = null_objective if null_objective > 1e-28 * self.constant_objective else 0.0
        self.aim(max(GOAL * task.tol, ROUNDING))
        self.alpha_max = np.inf
        if task.l1_ratio > 0:
            self.alpha_max = self.share_of_penalty(gradient) / task.l1_ratio
        self.alpha = self.alpha_max
        if isinstance(task.alphas, (int, np.integer)):
            eps = task.eps or (1e-3 if len(task.y) >= len(gradient) else 1e-2)
            self.alphas = grid(self.alpha_max, task.alphas, eps)
        else:
            self.alphas = np.asarray(task.alphas, dtype=np.float64)
        count = len(self.alphas)
        explained = 1.0 - null_objective / (self.constant_objective or 1.0)
        self.gaps, self.explained = np.zeros(count), np.full(count, explained if len(self.free) else 0.0)
        self.intercepts = np.full(count, self.level)
        self.n_iter = np.zeros(count, dtype=np.int64)
        self.empty = int(np.count_nonzero(self.alphas >= self.alpha_max * (1 - 1e-15))) if self.null > 0 else count
        places, values = self.null_model
        self.pieces = [(self.sample.features[places], values)] * self.empty
        self.intercepts[: self.empty] -= self.level_of(places, values)
        self.unpenalised = self.empty < count and self.alphas[-1] == 0.0
        # a start with more features than a solution can have is further from it than zero is
        warm = task.coef_init is not None
        warm = warm and (task.l1_ratio < 1.0 or np.count_nonzero(task.coef_init) <= self.sample.design.n)
        wanted = self.alphas[self.empty : count - self.unpenalised]
        self.ladder, self.report = wanted, np.arange(len(wanted))
        if task.l1_ratio > 0:
            self.ladder, self.report = ladder(self.alpha_max, wanted, warm)
        self.report[self.report >= 0] += self.empty
        self.warm = warm and self.ladder.size > 0
        self.stopped = None  # index of the alpha at which the path has too many features

    def aim(self, tol):
        """Set the gap, relative to the null objective, that solutions are to reach on the features at hand."""
        if not self.exact:
            self.active.goal = tol * self.null

    def share_of_penalty(self, gradient):
        """The largest l1 at which some penalised feature leaves zero."""
        size = np.abs(gradient) if self.task.lower is None else np.maximum(
            np.where(self.task.upper > 0, gradient, 0.0), np.where(self.task.lower < 0, -gradient, 0.0)
        )  # fmt: skip
        if self.factor1 is not None:
            size = np.divide(size, self.factor1, out=np.zeros_like(size), where=self.factor1 > 0)
        return size.max(initial=0.0)

    def level_of(self, places, values):
        """What a solution takes off the intercept."""
        if not self.sample.centred:
            return 0.0
        return ((self.sample.mean[places] + self.sample.offset[places]) * values).sum()

    @property
    def done(self):
        return self.k >= len(self.ladder) or self.stopped is not None

    # ------------------------------------------------------------------ before a round

    def look_ahead(self, lanes):
        """Before `plan`: the part that finds candidates for the next alphas, at most `lanes` of these; or none."""
        self.room = lanes
        self.most = max(1, min(int(lanes / max(self.density, LEAST_DENSITY)), len(self.ladder) - self.k))
        self.candidates = None
        if self.sample.complete or self.task.l1_ratio == 0.0:
            return []
        if self.may_turn and LARGE < self.support < self.sample.design.n // 4:
            self.turn()
        self.most = min(self.most, self.reach)
        cheap = not self.exact and self.sample.design.in_place
        gamma, p = max(GENEROUS, self.gamma) if cheap else self.gamma, len(self.sample.place)
        self.found, self.needed = np.empty(p, np.intp), np.empty(p)
        self.candidates = Candidates(
            self.gradient, self.slope, self.alpha, self.task.l1_ratio, gamma, self.factor1, self.task.lower,
            self.task.upper, self.sample.place, self.ladder[self.k + self.most - 1], self.found, self.needed,
        )  # fmt: skip
        return [self.candidates]

    def plan(self, cost):
        """Features to bring in (not yet in the sample) for the next alphas; sets `stop`.

        `cost` is `Plan.round_cost`; the features that it is told of are those that come in vain.
        """
        place, missed, most = self.sample.place, self.missed, self.most
        if self.candidates is None:
            self.stop = self.k + most
            return np.flatnonzero(place < 0)
        count = self.candidates.count
        found, needed = self.found[:count], self.needed[:count]
        self.candidates = self.found = self.needed = None
        first = np.searchsorted(-self.ladder[self.k : self.k + most], -needed)
        counts = np.cumsum(np.bincount(first, minlength=most))
        work = np.cumsum(np.bincount(first, self.sample.design.work_of(found), most))
        steps, looks = np.arange(1, most + 1), self.looks()
        wasted = min(1.0, max(0.15, 1.0 - self.support / max(1, self.known)))
        costs = cost(steps * self.density, self.known, wasted * counts, wasted * work, looks) / steps
        self.stop = self.k + int(np.argmin(costs)) + 1
        chosen = np.flatnonzero(needed >= self.ladder[self.stop - 1])
        self.expected = self.known + len(chosen) * (len(self.ladder) - self.k) / (self.stop - self.k)
        room = max(MOST_FEATURES, 4 * self.sample.design.n)
        if len(chosen) > room:
            chosen = chosen[np.argpartition(-needed[chosen], room)[:room]]
        want = found[chosen]
        if self.may_turn and self.known + len(want) > self.most_in_gram:
            self.turn()
        if missed is not None:
            self.missed = None
            want = np.union1d(missed[place[missed] < 0], want)
        if self.warm:
            start = np.flatnonzero(self.task.coef_init)
            want = np.union1d(start[place[start] < 0], want)
        return want

    @property
    def most_in_gram(self):
        """Features that a sparse problem may have in its Gram matrix."""
        return math.isqrt(max(GRAM_BYTES, self.sample.design.nbytes // 16) // 8)

    @property
    def expected_in_gram(self):
        """Features that it is going to have there: it turns to residuals before there are more than it may have."""
        return min(self.expected, self.most_in_gram) if self.may_turn else self.expected

    def looks(self):
        """Products with a feature that each alpha takes; 0: none, there is a Gram matrix."""
        return 0 if self.exact else LOOKS

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
        lower, upper = np.full(len(new), -np.inf), np.full(len(new), np.inf)
        if self.task.lower is not None:
            lower, upper = self.task.lower[new], self.task.upper[new]
        if self.exact:
            self.active.extend(self.base_gradient[new], f1, f2, np.where(dead, 0.0, lower), np.where(dead, 0.0, upper))
        else:
            self.extend_residual(np.where(dead, 0.0, self.sample.norm[at]), f1, f2, lower, upper)
        self.known = len(self.sample.features)

    def extend_residual(self, norm, f1, f2, lower, upper):
        sample, at = self.sample, slice(self.known, None)
        dense = len(sample.columns) > 0
        mean = np.zeros(len(norm)) if dense or not sample.centred else sample.mean[at]
        self.active.extend(mean, norm, f1, f2, lower, upper)
        if dense:
            self.active.read_packed(sample.columns)
        else:
            sample.design.give_to(self.active, sample.features)

    def place(self, places, values, l2):
        """Go to a solution."""
        if self.exact:
            self.active.place(self.sample.gram, places, values, l2)
        else:
            self.active.place(places, values)

    # ------------------------------------------------------------------ a round

    @property
    def pending(self):
        """Whether there is more to do for this round's solutions than the part below."""
        return not self.exact

    def solve_parts(self, jobs):
        """What solves the alphas k..stop-1 in one go, if that can be done without help by `jobs` threads."""
        task, alphas = self.task, self.ladder[self.k : self.stop]
        self.l1, self.l2 = task.l1_ratio * alphas, (1.0 - task.l1_ratio) * alphas
        self.between = (self.report[self.k : self.stop] < 0).astype(np.uint8)
        if self.warm:
            start = np.flatnonzero(task.coef_init)
            self.place(self.sample.place[start], task.coef_init[start], self.l2[0])
            self.warm = False
        most = max(1, min(self.known, self.sample.design.n + 1) if task.l1_ratio == 1.0 else self.known)
        room = len(alphas) * most + self.known
        self.index, self.value = np.empty(room, np.int32), np.empty(room)
        self.stops = np.zeros(len(alphas) + 1, np.intp)
        self.steps, self.version = np.zeros((2, len(alphas)), np.int64)
        self.active.carried = self.carried
        if not self.exact:
            return []
        self.solving = Solve(
            self.active, self.sample.gram, self.l1, self.l2, self.between, task.max_iter, BUDGET, self.index,
            self.value, self.stops, self.steps, self.version,
        )  # fmt: skip
        return [self.solving]

    def solve(self, jobs):
        """Have the solutions: on residuals, on up to `jobs` threads, or what the part above has found."""
        done = self.solving.done if self.exact else self.solve_on_residuals(jobs)
        self.solving = None  # it holds what a larger Gram matrix, or a residual, may come in place of
        l1, l2, filled = self.l1, self.l2, self.stops[done]
        self.hold(self.index[:filled].copy(), self.value[:filled].copy(), self.stops[: done + 1])
        self.lanes, self.inner = self.choose_lanes(self.version[:done], self.between)
        if len(self.lanes) > self.room:  # the rest has to wait
            done = min([self.lanes[self.room]] + [a + 1 for a, b in self.inner.values() if b == self.lanes[self.room]])
            del self.lanes[self.room :]
            self.inner = {i: ends for i, ends in self.inner.items() if ends[1] < done}
            self.place(*self.solved[done - 1], l2[done - 1])
        self.density = len(self.lanes) / done
        self.l1, self.l2 = l1[:done], l2[:done]
        self.stop = self.k + done

    def solve_on_residuals(self, jobs):
        """Solve the alphas k..stop-1 on the features at hand; returns how many were done."""
        l1, l2, between, stops, n_iter = self.l1, self.l2, self.between, self.stops, self.steps
        done, filled, self.version = 0, 0, np.arange(len(l1))
        most = min(self.task.max_iter, self.carried + PATIENCE)
        with team_of(jobs) as team:
            self.active.join(team)
            for places, values in self.again[: len(l1)]:
                self.active.place(places, values)
                part, ends = slice(done, done + 1), np.zeros(2, np.intp)
                self.active.solve(
                    l1[part], l2[part], between[part], most, BUDGET, self.index[filled:], self.value[filled:], ends,
                    n_iter[part],
                )  # fmt: skip
                filled += ends[1]
                done += 1
                stops[done] = filled
            if done < len(l1):
                more, ends = slice(done, None), np.zeros(len(l1) - done + 1, np.intp)
                count = self.active.solve(
                    l1[more], l2[more], between[more], most, BUDGET, self.index[filled:], self.value[filled:], ends,
                    n_iter[more],
                )  # fmt: skip
                stops[done : done + count + 1] = filled + ends[: count + 1]
                done += count
        self.again = []
        self.slow = n_iter.max(initial=0) >= PATIENCE
        return done

    def hold(self, index, value, stops):
        """Keep solutions: the places of nonzero coefficients, these, and where those of each solution begin and end."""
        self.index, self.value, self.stops = index, value, stops
        self.used = self.sample.features[index]
        self.solved = [(index[a:b], value[a:b]) for a, b in pairwise(stops)]

    def shifts(self):
        """What each of the coefficients held takes off the intercept, for a value of one; None: nothing."""
        return (self.sample.mean + self.sample.offset)[self.index] if self.sample.centred else None

    def choose_lanes(self, version, between):
        """Which of the solutions need a product with X, and {other: (before, after)} for those that do not.

        While the signed support stays, lasso solutions and their gradients are affine in alpha: those between two
        others are their mean, and a mean of feasible dual points is feasible.
        """
        lanes, inner, i = [], {}, 0
        while i < len(version):
            if between[i] and self.sample.complete:  # nothing is screened: a step on the way needs no proof
                i += 1
                continue
            last = i
            if self.task.l1_ratio == 1.0 and len(self.free) == 0:
                while last + 1 < len(version) and version[last + 1] == version[i]:
                    last += 1
            lanes.append(i)
            if last > i:
                lanes.append(last)
            inner.update((k, (i, last)) for k in range(i + 1, last))
            i = last + 1
        return lanes, inner

    def judge(self, outcome, squares):
        """Accept solutions up to the first whose gap is too large; plan the repair of that one.

        `squares` (panels, lanes) are the residuals'.  Returns the parts that are to be done before the next round.
        """
        sample, missed, parts = self.sample, np.flatnonzero(outcome.missed), []
        squares = squares[self.segments] / sample.total
        gaps = self.loss_parts(outcome.kappa, squares, outcome.off**2) + outcome.conjugate + outcome.terms
        asked, accepted, last = self.stop - self.k, 0, None
        lane_of = {i: n for n, i in enumerate(self.lanes)}
        while accepted < asked:
            i, n = accepted, lane_of.get(accepted)
            if n is None and i not in self.inner:
                self.carried += self.steps[i]
                accepted += 1
                continue
            features, values = self.used[self.stops[i] : self.stops[i + 1]], self.solved[i][1]
            if n is None:
                features, values, gap, rss, shift = self.between_gap(outcome, squares, i, lane_of)
            else:
                gap, rss, shift = max(gaps[n], 0.0), squares[n], outcome.shift[n]
            if gap == np.inf:  # zero is a dual point too, worth nothing
                gap = 0.5 * rss + self.penalty(features, values, self.l1[i], self.l2[i])
            at = self.report[self.k + i]
            bound = self.task.tol if at >= 0 else max(self.task.tol, LOOSE)
            spent = self.carried + self.steps[i] >= self.task.max_iter
            if gap > bound * self.null and (len(missed) or self.polished < POLISHES and not spent):
                break
            self.carried += self.steps[i]
            if at >= 0:
                self.accept(at, i, features, values, gap, rss, shift)
            last = n if n is not None else last
            accepted += 1
        if last is not None and not sample.complete:
            before = self.lanes[last - 1] if last > 0 else None
            higher = self.alpha if before is None else self.ladder[self.k + before]
            parts = outcome.follow(last, higher - self.ladder[self.k + self.lanes[last]])
        self.k += accepted
        if accepted:
            self.alpha = self.ladder[self.k - 1]
        if accepted < asked:
            self.reach = max(4, (accepted + asked) // 2)
            if len(missed):
                self.missed = missed
                self.again = [] if self.exact else [self.solved[i] for i in range(accepted, asked)]
                self.gamma = min(1.0, 1.3 * self.gamma)
                self.place(*self.solved[accepted], self.l2[accepted])
            else:
                near = self.inner.get(accepted, (accepted,))[-1]
                self.polish(outcome, lane_of[near], *self.solved[near])
        else:
            self.polished = 0
            self.gamma = max(0.1, 0.8 * self.gamma)
            self.reach = min(64, self.reach + self.reach // 2)
        self.solved = self.index = self.value = self.used = None
        return parts

    def penalty(self, features, values, l1, l2):
        """Of coefficients with these penalties."""
        f1, f2 = (1.0 if factor is None else factor[features] for factor in (self.factor1, self.factor2))
        return float((l1 * f1 * np.abs(values) + 0.5 * l2 * f2 * values**2).sum())

    def loss_parts(self, kappa, squares, off):
        """What the loss adds to the gaps of the lanes' solutions (k,), their dual points scaled by kappa (k,)."""
        return 0.5 * (1.0 - kappa) ** 2 * squares + 0.5 * kappa * (2.0 - kappa) * off

    def between_gap(self, outcome, squares, i, lane_of):
        """(features, coefficients, gap, r'r / S, shift) of solution i, between two with lanes and its signed support.

        It is their mean, and replaced by that.
        """
        first, last = self.inner[i]
        t = (self.l1[i] - self.l1[first]) / (self.l1[last] - self.l1[first])
        (places, v0), (_, v1), ends = self.solved[first], self.solved[last], [lane_of[first], lane_of[last]]
        features, step = self.sample.features[places], v1 - v0
        c0, c1 = (outcome.gradient(n, features) for n in ends)
        bend = (step * (self.sample.gram[np.ix_(places, places)] * step).sum(axis=1)).sum()

        def mean(a, b):
            return a + t * (b - a)

        rss = mean(*squares[ends]) - t * (1 - t) * bend
        values, top = mean(v0, v1), mean(*outcome.largest[ends])
        kappa = certificate.scale(self.l1[i], top)
        gap = certificate.gap(
            features, values, mean(c0, c1), self.l1[i], self.l2[i], self.factor1, self.factor2,
            certificate.squared_part(kappa, rss, 0.0), kappa, mean(*outcome.conjugate[ends]), 0.0, self.norm,
        )  # fmt: skip
        self.solved[i] = places, values
        return features, values, gap, rss, self.level_of(places, values)

    def projection(self, c, places, values, lane):
        """(features, held, d'd / S): unpenalised features that a dual point must be orthogonal to, and what that takes.

        `c` is the gradient of a lane at all unpenalised features.  Left out are those that a bound holds.
        """
        inside, held = self.unheld(c, places, values)
        G = self.free_gram[np.ix_(inside, inside)]
        h = np.linalg.lstsq(G, c[inside], rcond=1e-13)[0]
        return inside, held, max(float(h @ c[inside]), 0.0)

    def unheld(self, c, places, values):
        """(numbers among the unpenalised features of those that no bound holds, whether one holds each)."""
        task, w = self.task, np.zeros(len(self.free))
        order = {feature: k for k, feature in enumerate(self.free)}
        for feature, value in zip(self.sample.features[places], values, strict=True):
            if feature in order:
                w[order[feature]] = value
        held = np.zeros(len(w), bool)
        if task.lower is not None:
            edge = np.where(c > 0, task.upper[self.free], task.lower[self.free])
            held = np.isfinite(edge) & (w == edge)
        return np.flatnonzero(~held), held

    def free_part(self, c, places, values, lane):
        """(conjugate, d'd / S, projected): what unpenalised features add to a certificate; `c` is their gradient."""
        inside, held, off = self.projection(c, places, values, lane)
        more = 0.0
        if held.any():
            c, at = c[held], self.free[held]
            edge = np.where(c > 0, self.task.upper[at], -self.task.lower[at])
            more = float((np.abs(c) + np.sqrt(off) * self.norm[at]) @ edge)
        return more, off, self.free[inside]

    def accept(self, at, i, features, values, gap, rss, shift):
        """Put solution i down as the answer for alpha number `at`; returns whether it is.

        Where rounding has run away with it, the null model is a better one: its gap is at most its objective.
        """
        sound = rss <= RUNAWAY * 2.0 * self.constant_objective
        if not sound:
            (places, values), gap, rss = self.null_model, self.null, 2.0 * self.null
            features, shift = self.sample.features[places], self.level_of(places, values)
        self.support = len(features)
        if self.task.dfmax is not None and at > 0 and self.stopped is None:
            used = values != 0
            if len(self.free):
                used &= self.factor1[features] > 0
            if used.sum() > self.task.dfmax:
                self.stopped = at
        self.gaps[at], self.explained[at] = gap, 1.0 - rss / (2.0 * self.constant_objective)
        self.n_iter[at], self.carried = self.carried, 0
        self.pieces.append((features.astype(np.int32), values))
        self.intercepts[at] -= shift
        return sound

    # ------------------------------------------------------------------ gaps that rounding of the Gram matrix leaves

    def polish(self, outcome, n, places, values):
        """Iterative refinement: count from this solution and its gradient from X, not from zero and the Gram matrix."""
        self.polished += 1
        if not self.exact:
            if self.slow:
                self.turn()
                return
            self.active.goal = max(0.1 * self.active.goal, ROUNDING * self.null)
            self.place(places, values, self.l2_at(self.k))
            return
        m = self.known
        self.base_gradient = outcome.column(n) / self.sample.total
        self.active.rebase(self.base_gradient[self.sample.features[:m]], places, values)
        self.active.place(self.sample.gram, places, values, self.l2_at(self.k))

    def finish(self, y):
        """Where the grid ends at alpha = 0, the least-squares solution."""
        if self.stopped is not None:
            for name in ("alphas", "gaps", "explained", "intercepts", "n_iter", "pieces"):
                setattr(self, name, getattr(self, name)[: self.stopped])
            return
        if not self.unpenalised:
            return
        design, task = self.sample.design, self.task
        X = design.X
        if task.lower is not None and not design.dense:
            level = self.level if task.fit_intercept else 0.0
            w, self.intercepts[-1], residual = bounded_sparse(design, y, level, task, self.sample.jobs)
        else:
            w, self.intercepts[-1], residual = least_squares(X, y, task)
        used = np.flatnonzero(w)
        self.pieces.append((used, w[used]))
        self.gaps[-1], self.n_iter[-1] = residual**2 * self.null, 1
        r = y - X[:, used] @ w[used] - self.intercepts[-1]
        squares = r @ r if self.task.weights is None else (self.task.weights * r) @ r
        self.explained[-1] = 1.0 - squares / self.sample.total / (2.0 * self.constant_objective)

    def l2_at(self, k):
        return (1.0 - self.task.l1_ratio) * self.ladder[k]


def penalty_factors(task, sample):
    """(p,) factors of the L1 and of the L2 penalty on the columns as they are; None: ones."""
    factor = task.penalty_factor
    if not task.standardize:
        return None if factor is None else factor.copy(), factor
    spread = sample.standard_deviations()
    v = 1.0 if factor is None else factor
    with np.errstate(invalid="ignore"):  # a constant column is excluded, whatever its factor
        return np.where(spread > 0, v * spread, np.inf), np.where(spread > 0, v * spread**2, np.inf)


def sample_squares(sample):
    """(p,) centred sums of squares of all columns."""
    every = np.arange(sample.design.p, dtype=np.intp)
    return sample.design.moments(every, sample.weights, sample.total, sample.centred, sample.jobs)[1]
