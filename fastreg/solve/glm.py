"""Problems whose loss is not quadratic: Newton's method on the working set, in the rounds of the other problems.

A step goes to the minimum of a quadratic model of the loss with the penalties as they are (prox-Newton; Lee, Sun &
Saunders 2014), found by the solvers of the squared loss; the true objective decides how far to go.  A model is kept,
and only the gradient renewed, while steps on it still gain enough.
"""

from dataclasses import dataclass

import numpy as np

from ..design.blocks import team_of
from ..kernels import losses, working
from ..kernels.columns import PARTS, ColumnSet
from .regime import MOSTLY_RIDGE
from .rounds import Batch, coefficients
from .run import GOAL, POLISHES, ROUNDING, Run
from .working import BENT, GramModel, Pool, ResidualModel, Store

FAR = 0.85  # of the penalty: a gradient below is looked at last
FRESH = 0.003  # what a step on a new model leaves of the gap
STEP = 4e6  # multiplications in the time of a step, its products aside,
ROW = 40  # and for each row
SHARED = 4e5  # multiplications of a product with all features, from which on threads share it
INNER = 0.01  # of the gap: how exact a working set is solved before other features are looked at
LARGE = 700  # features in a sparse model, from which on conjugate gradients beat a Gram matrix
RESIDUAL = 1e-12  # relative gap at alpha = 0
RIDGES = (1e-1, 1e-2, 1e-3, 1e-4, 1e-6)  # L2 penalties, in mean curvatures, on the way there
NULL = 1e-28  # relative gap of the null model: its gradient, of the size of the root, says what alpha_max is
NOISE = 1e-13  # of the loss: a change below is rounding
FLAT = 1e-100  # mean curvature below which there is none
PATIENCE = 1000  # steps for one alpha without an end in sight


@dataclass(slots=True)
class Dual:
    """What a solution's certificate is made of, for each row: linear predictor, slope with a minus, and curvature."""

    z: np.ndarray  # (n,)
    r: np.ndarray  # (n,) weighted
    h: np.ndarray  # (n,) weighted
    off: np.ndarray | None = None  # (n,) what a dual point has to give up for unpenalised features


class GlmRun(Run):
    """State of one problem with a loss of `fastreg.kernels.losses`."""

    def __init__(self, task, pool, target):
        self.number = losses.NUMBERS[task.loss]
        self.total = pool.total
        n = pool.design.n
        self.z, self.r, self.h = np.empty((3, n))
        self.spare = tuple(np.empty((3, n)))
        self.line = np.empty(n)
        self.columns = ColumnSet(n, None if pool.design.dense else np.empty((PARTS - 1, n)))
        self.team = None
        self.numbers = np.empty(0, np.int32)  # of the known features in it
        self.w, self.g = np.empty(0), np.empty(0)
        self.current = np.empty(0, bool)  # whether a gradient is that at the present r
        self.f1 = self.f2 = self.low = self.high = self.curvature = np.empty(0)
        self.ahead = 0.0  # mean of r: what the intercept still has to move
        self.stretch = None  # what a gap's loss part is made of, computed when asked for
        self.model = None
        self.near = None  # features that are not far from leaving zero
        self.trail = []  # the last two solutions: (alpha, w, z, intercept)
        self.goal = self.inner_gap = 0.0
        self.kappa = 1.0  # of the last gap
        self.others = 0.0  # gradient times coefficients of what shares the dual point: kappa scales it too
        self.levels = []  # intercepts of the last round's solutions
        super().__init__(task, pool, target, None)

    def residual_set(self):
        return None

    def start(self):
        """(weighted residual, half the deviance, intercept) of the model without features."""
        self.z[:] = 0.0 if self.task.offset is None else self.task.offset
        self.intercept, self.value = self.evaluate(self.z, self.r, self.h, self.task.fit_intercept)
        self.sum_up()
        return self.r, self.value, self.intercept

    def evaluate(self, z, r, h, level=False):
        """(change of the intercept, sum of the loss) at z; with `level`, z moves until r sums to zero."""
        task = self.task
        if level:
            return losses.level(self.number, task.parameter, task.y, task.weights, z, r, h)
        return 0.0, losses.evaluate(self.number, task.parameter, task.y, task.weights, z, r, h)

    def aim(self, tol):
        self.goal = tol * self.null

    def choose_lanes(self, version, between):
        if self.sample.complete:
            return [i for i in range(len(version)) if not between[i]], {}
        return list(range(len(version))), {}

    # ------------------------------------------------------------------ the working set

    def extend(self):
        """Let the working set know the features that came into the sample."""
        new = self.sample.features[self.known :]
        if len(new) == 0:
            return
        k = len(new)
        f1 = np.ones(k) if self.factor1 is None else self.factor1[new]
        f2 = np.ones(k) if self.factor2 is None else self.factor2[new]
        low, high = np.full(k, -np.inf), np.full(k, np.inf)
        if self.task.lower is not None:
            low, high = self.task.lower[new], self.task.upper[new]
        dead = self.sample.constant[self.known :]
        low[dead] = high[dead] = 0.0
        self.f1, self.f2 = np.concatenate([self.f1, f1]), np.concatenate([self.f2, f2])
        self.low, self.high = np.concatenate([self.low, low]), np.concatenate([self.high, high])
        self.curvature = np.concatenate([self.curvature, self.sample.norm[self.known :]])
        self.w = np.concatenate([self.w, np.zeros(k)])
        self.g = np.concatenate([self.g, np.zeros(k)])
        self.current = np.concatenate([self.current, np.zeros(k, bool)])
        self.known += k
        self.sample.store.read(self.sample.features, self.columns)
        self.numbers = self.sample.store.numbers(self.sample.features)
        self.look()

    def look(self, places=None):
        """Have the gradients of all known features, or of some."""
        places = np.flatnonzero(~self.current) if places is None else places[~self.current[places]]
        if len(places):
            products = np.empty(len(places))
            working.dots(self.columns, self.numbers[places], self.r, products)
            self.g[places] = products / self.total
            self.current[places] = True

    def moved(self):
        """After z, r and h have been set anew: nothing is known of them."""
        self.stretch = None
        self.current[:] = False

    def sum_up(self):
        """As `moved`; takes the sums of r and h."""
        self.moved()
        self.sum_h = max(float(self.h.sum()), FLAT * self.total)
        self.ahead = float(self.r.sum()) / self.total if self.sample.centred else 0.0

    def place(self, places, values, l2=None):
        """Go to a solution."""
        self.trail = []
        self.w[:] = 0.0
        self.w[places] = values
        self.z[:] = 0.0 if self.task.offset is None else self.task.offset
        self.sample.store.add(self.sample.features[places], np.asarray(values, dtype=np.float64), self.z)
        self.z += self.intercept
        change, self.value = self.evaluate(self.z, self.r, self.h, self.task.fit_intercept)
        self.intercept += change
        self.sum_up()
        self.look()

    def fit_null(self):
        self.extend()
        self.goal = NULL * self.constant_objective
        self.descend(0.0, 0.0, self.task.max_iter, np.flatnonzero(self.f1 == 0))
        places = np.flatnonzero(self.w)
        self.null_model = places.astype(np.int32), self.w[places]
        self.levels = [self.intercept]

    def settle(self, gradient, null_objective):
        if len(self.free):
            self.level = self.lane_levels[0]
        super().settle(gradient, null_objective)

    def level_of(self, places, values):
        shift = self.sample.design.shift
        if shift is None or not self.sample.centred:
            return 0.0
        return shift[self.sample.features[places]] @ values

    # ------------------------------------------------------------------ a round

    def solve(self, jobs):
        work = self.sample.store.product_work(self.sample.features)
        with team_of(jobs if max(work, ROW * len(self.z)) > SHARED else 1) as self.team:
            self.columns.join(self.team)
            self.solve_all()

    def solve_all(self):
        task = self.task
        alphas = self.ladder[self.k : self.stop]
        l1, l2 = task.l1_ratio * alphas, (1.0 - task.l1_ratio) * alphas
        between = (self.report[self.k : self.stop] < 0).astype(np.uint8)
        if self.warm:
            start = np.flatnonzero(task.coef_init)
            self.place(self.sample.place[start], task.coef_init[start])
            self.warm = False
        solved, steps, self.levels, carried = [], np.zeros(len(alphas), np.int64), [], self.carried
        for i in range(len(alphas)):
            if i < len(self.again):
                self.place(*self.again[i])
            self.predict(alphas[i], l1[i], l2[i])
            steps[i] = self.descend(l1[i], l2[i], min(PATIENCE, max(0, task.max_iter - carried)))
            self.trail = [*self.trail[-1:], (alphas[i], self.w.copy(), self.z.copy(), self.intercept)]
            carried = carried + steps[i] if between[i] else 0
            places = np.flatnonzero(self.w)
            solved.append((places.astype(np.int32), self.w[places]))
            self.levels.append(self.intercept)
        self.again = []
        done = len(alphas)
        self.lanes, self.inner = self.choose_lanes(steps, between)
        if len(self.lanes) > self.room:
            done = self.lanes[self.room]
            del self.lanes[self.room :]
            self.intercept = self.levels[done - 1]
            self.place(*solved[done - 1])
        self.density = len(self.lanes) / done
        self.l1, self.l2, self.steps, self.solved = l1[:done], l2[:done], steps, solved[:done]
        self.stop = self.k + done

    def predict(self, alpha, l1, l2):
        """Follow the line through the last two solutions, signs kept, if that is better than to stay."""
        self.near = self.near_to(l1)
        if len(self.trail) < 2 or l1 == 0.0:
            return
        (first, w0, z0, b0), (last, _, z1, b1) = self.trail
        share = min(1.0, (last - alpha) / (first - last))
        w0, w1 = np.concatenate([w0, np.zeros(self.known - len(w0))]), self.w
        line = w1 + share * (w1 - w0)
        w = np.minimum(np.maximum(line, self.low), self.high)
        w[w * w1 <= 0.0] = 0.0
        z, moved = z1 + share * (z1 - z0), np.flatnonzero(w != line)
        working.add(self.columns, self.numbers[moved], (w - line)[moved], 0, len(z), z)
        _, value = self.evaluate(z, *self.spare[1:])
        rise = l1 * np.minimum(self.f1, 1e300) * (np.abs(w) - np.abs(w1))
        rise += 0.5 * l2 * np.minimum(self.f2, 1e300) * (w - w1) * (w + w1)
        if not (value - self.value) / self.total + rise.sum() < 0.0:
            return
        _, r, h = self.spare
        self.spare = self.z, self.r, self.h
        self.w, self.z, self.r, self.h, self.value = w, z, r, h, value
        self.intercept = b1 + share * (b1 - b0)
        self.sum_up()
        self.near = np.union1d(self.near, np.flatnonzero(w))
        self.look(self.near)

    def near_to(self, l1):
        """The features that are not far from leaving zero."""
        return np.flatnonzero((self.w != 0) | (np.abs(self.g) > FAR * l1 * np.minimum(self.f1, 1e300)))

    def gap(self, places, l1, l2):
        """Duality gap on some features (None: all that are known), at the present gradients."""
        parts = self.g, self.w, self.f1, self.f2, self.low, self.high, self.curvature
        return self.gap_of(*(parts if places is None else (part[places] for part in parts)), l1, l2)

    def gap_of(self, g, w, f1, f2, low, high, curvature, l1, l2):
        self.kappa, gap = working.gap(g, w, l1, l2, f1, f2, low, high, curvature)
        short = 1.0 - self.kappa
        if short > 0.0:
            gap += short * self.others
            if self.task.loss in BENT:  # what rows without curvature add is of first order
                gap += self.divergence(self.z, self.r, None, self.kappa) / self.total
            else:
                if self.stretch is None:
                    self.stretch = working.stretch(self.r, self.h) / self.total
                gap += 0.5 * short * short * self.stretch
        if self.ahead:
            gap += self.ahead * self.ahead * self.total / self.sum_h
        return gap if l1 > 0.0 or l2 > 0.0 else min(gap, self.value / self.total)

    def divergence(self, z, r, off, kappa):
        task = self.task
        return losses.divergence(self.number, task.parameter, task.y, task.weights, z, r, off, kappa)

    def descend(self, l1, l2, most, only=None):
        """Solve for one pair of penalties on the features at hand, or on `only` some; returns the number of steps."""
        steps, moved, everywhere = 0, True, True
        near = only
        if only is None and l1 > 0.0:
            near, everywhere = self.near, False
        gap = self.gap(near, l1, l2)
        while moved and steps < most and not (gap <= self.goal and everywhere):
            if gap > self.goal:
                self.choose_model(l1, only)
                before = gap
                spent, moved = self.solve_model(l1, l2, max(0.5 * self.goal, INNER * gap), most - steps)
                steps += spent
                self.look(near)
                gap = self.gap(near, l1, l2)
                everywhere = near is None or near is only
                moved = moved or gap < 0.5 * before
            else:  # what was far from leaving zero may no longer be
                self.look(None)
                gap, everywhere = self.gap(None, l1, l2), True
                near = None if gap > self.goal else near
        return steps

    def solve_model(self, l1, l2, goal, most):
        """Steps on models of the present working set until its gap is below `goal`; (how many, whether they moved)."""
        model, steps, moved, fresh, current = self.model, 0, True, False, False
        model.begin()
        self.inner_gap = self.gap_on(model, l1, l2)
        while self.inner_gap > goal and moved and steps < most:
            last = self.inner_gap
            before = model.w.copy(), model.g, self.value, self.intercept, self.sum_h, self.ahead, current
            moved = self.move(model, l1, l2)
            steps += 1
            if not moved:
                break
            current = True
            self.inner_gap = self.gap_on(model, l1, l2)
            stuck = self.inner_gap >= last and abs(self.value - before[2]) <= NOISE * abs(self.value)
            if stuck:  # nothing but rounding: back to the better point
                model.w, model.g, self.value, self.intercept, self.sum_h, self.ahead, current = before
                here = self.z, self.r, self.h
                (self.z, self.r, self.h), self.spare = self.spare, here
                self.stretch, self.inner_gap, moved = None, last, not fresh
            fresh = moved and (stuck or self.worn_out(self.inner_gap / last, self.goal / max(self.inner_gap, 1e-300)))
            if fresh:
                self.w[model.places], self.g[model.places] = model.w, model.g
                near = (model.w != 0) | (np.abs(model.g) > l1 * model.f1)
                self.model = model = self.new_model(model.places[near])
                model.begin()
        self.w[model.places], self.g[model.places] = model.w, model.g
        self.current[model.places] |= current
        return steps, moved

    def gap_on(self, model, l1, l2):
        return self.gap_of(model.g, model.w, model.f1, model.f2, model.low, model.high, model.curvature, l1, l2)

    def worn_out(self, gain, wanted):
        """Whether a new model pays: the last step left a share `gain` of the gap, and it is to shrink by `wanted`."""
        if wanted >= 1.0:
            return False
        product, anew = self.model.costs()
        step = STEP + ROW * len(self.z) + 3.0 * product
        left = np.log(1.0 / wanted)
        stay = left / np.log(1.0 / min(max(gain, 1e-6), 0.999))
        return stay * step > anew + step * max(1.0, left / np.log(1.0 / FRESH))

    def choose_model(self, l1, only):
        """Have a model of the features that are in use or want to be."""
        size = np.abs(self.g)
        with np.errstate(invalid="ignore"):
            penalty = l1 * self.f1
        wanted = (self.w != 0) | (size > penalty)
        allowed = np.isfinite(self.f1)
        if only is not None:
            allowed[np.setdiff1d(np.arange(self.known), only, assume_unique=True)] = False
        wanted &= allowed
        if self.model is not None:
            inside = np.zeros(self.known, bool)
            inside[self.model.places] = True
            new = np.flatnonzero(wanted & ~inside)
            if len(new) == 0:
                return
            known = len(self.model.places)
            fits = isinstance(self.model, self.kind_for(known + len(new)))
            if fits and 3 * known < 4 * (len(new) + np.count_nonzero(self.w)) + 64:
                self.model.extend(new)
                return
        self.model = self.new_model(np.flatnonzero(wanted))

    def kind_for(self, count):
        """The kind of model that suits so many features."""
        if self.sample.design.dense:
            residual = self.task.l1_ratio < MOSTLY_RIDGE and self.sample.design.p > self.sample.design.n
        else:
            residual = count > LARGE
        return ResidualModel if residual else GramModel

    def new_model(self, places):
        return self.kind_for(len(places))(self, places)

    def move(self, model, l1, l2):
        """A step on the model, as long as the objective allows; returns whether there was one."""
        target, shift = model.step(l1, l2)
        task, g, (z, r, h) = self.task, np.empty(len(target)), self.spare
        t, value, sum_r, sum_h = working.advance(
            self.columns, model.numbers, self.number, task.parameter, task.y, task.weights, self.total, self.z,
            self.line, z, r, h, model.w, target, shift, model.f1, model.f2, l1, l2, model.g, self.ahead, self.value,
            model.moving, model.room, g,
        )  # fmt: skip
        if t == 0.0:
            return False
        self.spare = self.z, self.r, self.h
        self.z, self.r, self.h, self.value, self.sum_h = z, r, h, value, max(sum_h, FLAT * self.total)
        self.moved()
        self.ahead = sum_r / self.total if self.sample.centred else 0.0
        model.g = g
        self.intercept += t * shift
        return True

    # ------------------------------------------------------------------ what a product with X says

    def projection(self, c, places, values, lane):
        """As for the squared loss, but measured by the curvatures: where these are small, so are the changes."""
        inside, held = self.unheld(c, places, values)
        dual = self.duals[lane]
        columns = np.zeros((len(inside), len(dual.z)))
        for column, feature in zip(columns, self.free[inside], strict=True):
            self.sample.store.add(np.array([feature]), np.ones(1), column)
            if self.sample.centred:
                column -= (dual.h * column).sum() / max(dual.h.sum(), FLAT)
        G = (columns * dual.h) @ columns.T / self.total
        dual.off = np.linalg.lstsq(G, c[inside], rcond=1e-13)[0] @ columns * dual.h
        squares = dual.off**2
        if self.task.weights is not None:
            present = self.task.weights > 0
            dual.off[present] /= self.task.weights[present]
            squares = self.task.weights * dual.off**2
        return inside, held, squares.sum() / self.total

    def loss_part(self, i, kappa, squares, off):
        dual = self.duals[self.lanes.index(i)]
        if kappa == 1.0 and dual.off is None:
            return 0.0
        return self.divergence(dual.z, dual.r, dual.off, kappa) / self.total

    def accept(self, at, i, gap, rss):
        super().accept(at, i, gap, rss)
        if at >= 0:
            self.intercepts[at] = self.lane_levels[self.lanes.index(i)] - self.level_of(*self.solved[i])

    def polish(self, column, places, values):
        self.polished += 1
        self.goal = max(0.1 * self.goal, ROUNDING * self.null)
        self.place(places, values)
        self.model = None

    def finish(self, y):
        """Where the grid ends at alpha = 0, the minimum of the loss alone.

        Its gap is an estimate: the squared gradient over the curvature, feature by feature, or what a Newton step
        promises; or the loss itself, which is the least where classes are separable.
        """
        if self.stopped is not None:
            super().finish(y)
        elif self.unpenalised:
            self.sample.add(np.flatnonzero(self.sample.place < 0))
            self.extend()
            self.model = None
            self.goal = min(GOAL * self.task.tol, RESIDUAL) * self.null
            steps = 0
            if len(self.ladder) == 0 and self.task.loss in BENT:  # from far away: the ridge's solutions lead there
                scale = float(self.curvature.mean())
                steps = sum(self.descend(0.0, scale * ridge, PATIENCE) for ridge in RIDGES)
            for _ in range(POLISHES):
                steps += self.descend(0.0, 0.0, self.task.max_iter)
                decrement = self.decrement()
                if decrement <= GOAL * self.task.tol * self.null:
                    break
                self.goal *= 0.01
            places = np.flatnonzero(self.w)
            values = self.w[places]
            self.place(places, values)
            self.pieces.append((self.sample.features[places], values))
            self.intercepts[-1] = self.intercept - self.level_of(places, values)
            self.gaps[-1], self.n_iter[-1] = max(self.gap(None, 0.0, 0.0), decrement), max(1, steps)
            self.explained[-1] = 1.0 - self.value / self.total / self.constant_objective

    def decrement(self):
        """What a Newton step without penalties would take off the loss, but for higher orders."""
        model = self.new_model(np.flatnonzero(np.isfinite(self.f1)))
        model.begin()
        target, _ = model.step(0.0, 0.0)
        return min(0.5 * abs(float((model.g * (target - model.w)).sum())), self.value / self.total)


class GlmBatch(Batch):
    """A batch of problems with losses that are not quadratic."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.store = Store(self.design, self.jobs)

    def new_sample(self, task):
        return Pool(self.store, task.weights, task.fit_intercept)

    def new_run(self, task, sample, target):
        return GlmRun(task, sample, target)

    def round(self, runs):
        self.store.jobs = self.jobs if len(runs) < self.jobs else 1  # threads share out runs, or what one of them does
        super().round(runs)

    def start(self, run):
        r, value, level = run.start()
        return r, value / run.total, level

    def residuals(self, runs):
        R, C, squares, target, members = self.lay_out(runs)
        target[:] = -1
        for panel, entries in enumerate(members):
            used, W = coefficients(entries, R.shape[2])
            part = slice(panel, panel + 1)
            self.design.residuals(self.Y, target[part], used, W, None, False, 1.0, R[part], self.jobs)
        for run in runs:
            run.duals, run.lane_levels = [], []
            for (panel, lane), i in zip(run.segments, run.lanes, strict=True):
                z, r, h = -R[panel, :, lane], np.empty(self.design.n), np.empty(self.design.n)
                z += run.levels[i]
                if run.task.offset is not None:
                    z += run.task.offset
                change, value = run.evaluate(z, r, h, run.task.fit_intercept)
                R[panel, :, lane], squares[panel, lane] = r, 2.0 * value
                run.duals.append(Dual(z, r, h))
                run.lane_levels.append(run.levels[i] + change)
        return R, C, squares
