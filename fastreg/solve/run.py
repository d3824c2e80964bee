"""One problem on its way down the grid of alphas: what to solve next, and what the last round proved."""

import numpy as np

from ..design.blocks import team_of, watch
from ..kernels import certificate, screening
from ..kernels.active import ActiveSet
from ..kernels.residual import ResidualSet
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
GRAM_BYTES = 16 << 20  # of a Gram matrix that a sparse problem may keep, or an eighth of X if that is more
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

    def plan(self, lanes, cost):
        """Features to bring in (not yet in the sample) for the next alphas, at most `lanes`; sets `stop`.

        `cost` is `Plan.round_cost`; the features that it is told of are those that come in vain.
        """
        self.room = lanes
        most = max(1, min(int(lanes / max(self.density, LEAST_DENSITY)), len(self.ladder) - self.k))
        place, missed = self.sample.place, self.missed
        if self.sample.complete:
            self.stop = self.k + most
            return np.empty(0, np.intp)
        if self.task.l1_ratio == 0.0:
            self.stop = self.k + most
            return np.flatnonzero(place < 0)
        if self.may_turn and LARGE < self.support < self.sample.design.n // 4:
            self.turn()
        most = min(most, self.reach)
        cheap = not self.exact and self.sample.design.in_place
        gamma = max(GENEROUS, self.gamma) if cheap else self.gamma
        found, needed = np.empty(len(place), np.intp), np.empty(len(place))
        count = screening.candidates(
            self.gradient, self.slope, self.alpha, self.task.l1_ratio, gamma, self.factor1, self.task.lower,
            self.task.upper, place, self.ladder[self.k + most - 1], found, needed,
        )  # fmt: skip
        found, needed = found[:count], needed[:count]
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
        if self.may_turn and 8 * (self.known + len(want)) ** 2 > max(GRAM_BYTES, self.sample.design.nbytes // 8):
            self.turn()
        if missed is not None:
            self.missed = None
            want = np.union1d(missed[place[missed] < 0], want)
        if self.warm:
            start = np.flatnonzero(self.task.coef_init)
            want = np.union1d(start[place[start] < 0], want)
        return want

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
            starts, stops, index, value = sample.design.entries(sample.features)
            starts, stops = (a[sample.features].astype(np.int64) for a in (starts, stops))
            self.active.read_sparse(index, value, starts, stops, sample.design.in_place)

    def place(self, places, values, l2):
        """Go to a solution."""
        if self.exact:
            self.active.place(self.sample.gram, places, values, l2)
        else:
            self.active.place(places, values)

    # ------------------------------------------------------------------ a round

    def solve(self, jobs):
        """Solve the alphas k..stop-1 on the features at hand, on up to `jobs` threads."""
        task, sample = self.task, self.sample
        alphas = self.ladder[self.k : self.stop]
        l1, l2 = task.l1_ratio * alphas, (1.0 - task.l1_ratio) * alphas
        if self.warm:
            start = np.flatnonzero(task.coef_init)
            places = sample.place[start]
            self.place(places, task.coef_init[start], l2[0])
            self.warm = False
        room = (
            len(alphas) * max(1, min(self.known, sample.design.n + 1) if task.l1_ratio == 1.0 else self.known)
            + self.known
        )
        index, value = np.empty(room, np.int32), np.empty(room)
        stops = np.zeros(len(alphas) + 1, np.intp)
        n_iter, version = np.zeros((2, len(alphas)), np.int64)
        between = (self.report[self.k : self.stop] < 0).astype(np.uint8)
        self.active.carried = self.carried
        if self.exact:
            done = self.active.solve(
                sample.gram, l1, l2, between, task.max_iter, BUDGET, index, value, stops, n_iter, version
            )
        else:
            version, done, filled = np.arange(len(alphas)), 0, 0
            most = min(task.max_iter, self.carried + PATIENCE)
            with team_of(jobs) as team:
                self.active.join(team)
                for places, values in self.again[: len(alphas)]:
                    self.active.place(places, values)
                    part, ends = slice(done, done + 1), np.zeros(2, np.intp)
                    self.active.solve(
                        l1[part], l2[part], between[part], most, BUDGET, index[filled:], value[filled:], ends,
                        n_iter[part],
                    )  # fmt: skip
                    filled += ends[1]
                    done += 1
                    stops[done] = filled
                if done < len(alphas):
                    more, ends = slice(done, None), np.zeros(len(alphas) - done + 1, np.intp)
                    count = self.active.solve(
                        l1[more], l2[more], between[more], most, BUDGET, index[filled:], value[filled:], ends,
                        n_iter[more],
                    )  # fmt: skip
                    stops[done : done + count + 1] = filled + ends[: count + 1]
                    done += count
            self.again = []
            self.slow = n_iter.max(initial=0) >= PATIENCE
        solved = [(index[stops[i] : stops[i + 1]], value[stops[i] : stops[i + 1]]) for i in range(done)]
        self.lanes, self.inner = self.choose_lanes(version[:done], between)
        if len(self.lanes) > self.room:  # the rest has to wait
            done = min([self.lanes[self.room]] + [a + 1 for a, b in self.inner.values() if b == self.lanes[self.room]])
            del self.lanes[self.room :]
            self.inner = {i: ends for i, ends in self.inner.items() if ends[1] < done}
            self.place(*solved[done - 1], l2[done - 1])
        self.density = len(self.lanes) / done
        self.l1, self.l2, self.steps, self.solved = l1[:done], l2[:done], n_iter, solved[:done]
        self.stop = self.k + done

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
        """Accept solutions up to the first whose gap is too large; plan the repair of that one."""
        sample, missed = self.sample, np.flatnonzero(outcome.missed)
        asked, accepted, last = self.stop - self.k, 0, None
        lane_of = {i: n for n, i in enumerate(self.lanes)}

        def proof(i):
            """Solution i with a lane: (places, values, gradient there, r'r / S, largest, conjugate, off)."""
            n, (places, values) = lane_of[i], self.solved[i]
            c = outcome.gradient(n, sample.features[places])
            more, off = 0.0, 0.0
            if len(self.free):
                more, off, projected = self.free_part(outcome.gradient(n, self.free), places, values, n)
                c[np.isin(sample.features[places], projected)] = 0.0
            rss = squares[self.segments[n]] / sample.total
            return places, values, c, rss, outcome.largest[n], outcome.conjugate[n] + more, off

        while accepted < asked:
            i = accepted
            if i not in lane_of and i not in self.inner:
                self.accept(-1, i, 0.0, 0.0)
                accepted += 1
                continue
            if i in self.inner:
                places, values, c, rss, top, h, off = self.mean_proof(i, *map(proof, self.inner[i]))
                self.solved[i] = places, values
            else:
                places, values, c, rss, top, h, off = proof(i)
            kappa = certificate.scale(self.l1[i], top)
            gap = certificate.gap(
                sample.features[places], values, c, self.l1[i], self.l2[i], self.factor1, self.factor2,
                self.loss_part(i, kappa, rss, off), kappa, h, off, self.norm,
            )  # fmt: skip
            if gap == np.inf:  # zero is a dual point too, worth nothing
                gap = 0.5 * rss + self.penalty(sample.features[places], values, self.l1[i], self.l2[i])
            at = self.report[self.k + i]
            bound = self.task.tol if at >= 0 else max(self.task.tol, LOOSE)
            spent = self.carried + self.steps[i] >= self.task.max_iter
            if gap > bound * self.null and (len(missed) or self.polished < POLISHES and not spent):
                break
            self.accept(at, i, gap, rss)
            last = lane_of.get(i, last)
            accepted += 1
        if last is not None and not sample.complete:
            self.remember(outcome, last)
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
        self.solved = None

    def penalty(self, features, values, l1, l2):
        """Of coefficients with these penalties."""
        f1, f2 = (1.0 if factor is None else factor[features] for factor in (self.factor1, self.factor2))
        return float((l1 * f1 * np.abs(values) + 0.5 * l2 * f2 * values**2).sum())

    def loss_part(self, i, kappa, squares, off):
        """What the loss adds to the gap of solution i, its dual point scaled by kappa."""
        return certificate.squared_part(kappa, squares, off)

    def mean_proof(self, i, before, after):
        """What `proof` says of a solution between two others with the same signed support."""
        places, v0, c0, rss0, top0, h0, _ = before
        _, v1, c1, rss1, top1, h1, _ = after
        first, last = self.inner[i]
        t = (self.l1[i] - self.l1[first]) / (self.l1[last] - self.l1[first])
        step = v1 - v0
        bend = (step * (self.sample.gram[np.ix_(places, places)] * step).sum(axis=1)).sum()
        rss = (1 - t) * rss0 + t * rss1 - t * (1 - t) * bend
        mean = [a + t * (b - a) for a, b in ((v0, v1), (c0, c1), (top0, top1), (h0, h1))]
        return places, mean[0], mean[1], rss, mean[2], mean[3], 0.0

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
        """(conjugate, off, projected): what the unpenalised features add to a certificate; `c` is their gradient."""
        inside, held, off = self.projection(c, places, values, lane)
        more = 0.0
        if held.any():
            c, at = c[held], self.free[held]
            edge = np.where(c > 0, self.task.upper[at], -self.task.lower[at])
            more = float((np.abs(c) + np.sqrt(off) * self.norm[at]) @ edge)
        return more, off, self.free[inside]

    def accept(self, at, i, gap, rss):
        """Put solution i down as the answer for alpha number `at` (negative: a step on the way); returns if it did.

        Where rounding has run away with it, the null model is a better one: its gap is at most its objective.
        """
        self.carried += self.steps[i]
        if at < 0:
            return True
        places, values = self.solved[i]
        sound = rss <= RUNAWAY * 2.0 * self.constant_objective
        if not sound:
            (places, values), gap, rss = self.null_model, self.null, 2.0 * self.null
        self.support = len(places)
        if self.task.dfmax is not None and at > 0 and self.stopped is None:
            used = values != 0
            if len(self.free):
                used &= self.factor1[self.sample.features[places]] > 0
            if used.sum() > self.task.dfmax:
                self.stopped = at
        self.gaps[at], self.explained[at] = gap, 1.0 - rss / (2.0 * self.constant_objective)
        self.n_iter[at], self.carried = self.carried, 0
        self.pieces.append((self.sample.features[places], values.copy()))  # not what a round had room for
        self.intercepts[at] -= self.level_of(places, values)
        return sound

    def remember(self, outcome, last):
        """Keep the gradient at the last accepted lane, its residual, and the gradient's change by alpha."""
        residual, now = outcome.last_known(last)
        alpha = self.ladder[self.k + self.lanes[last]]
        if last > 0:  # the change of late: that over a whole round leads astray
            before, higher = outcome.about(last - 1), self.ladder[self.k + self.lanes[last - 1]]
        else:
            before, higher = self.gradient, self.alpha
        if higher > alpha:
            self.slope = (before - now) / (higher - alpha)
        self.anchor, self.gradient = residual, now

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
