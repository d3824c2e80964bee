"""Problems whose loss is not quadratic: Newton's method on the working set, in the rounds of the other problems."""

from dataclasses import dataclass

import numpy as np

from ..design.blocks import parallel_for, team_of, watch
from ..design.lines import COPY_WORK, ENTRY_WORK
from ..kernels import losses
from ..kernels.columns import PARTS, ColumnSet
from ..kernels.model import Model
from ..kernels.newton import DONE, ROW, WANTS_MINIMUM, WANTS_MODEL, WANTS_PLACE, Descents, Newton
from .regime import MOSTLY_RIDGE
from .rounds import Batch
from .run import GOAL, LOOKS, POLISHES, ROUNDING, Run
from .working import BENT, HIGH, TARGET, G, Pool, Residual, Store, W, grow_model

EVALUATED = 1 << 16  # entries of residuals of which threads share the evaluation
SHARED = 3e5  # multiplications of a product with all features, from which on threads share it
LARGE = 700  # features in a sparse model, from which on conjugate gradients beat a Gram matrix;
MANY = 500  # in a dense one with an L2 penalty alone, where rows are not many more
SMALL = 1e-6  # a residual, and what it is over: of a row where there is no curvature
RESIDUAL = 1e-12  # relative gap at alpha = 0
RIDGES = (1e-1, 1e-2, 1e-3, 1e-4, 1e-6)  # L2 penalties, in mean curvatures, on the way there
LITTLE = 1_000_000  # entries of an X where one step more costs next to nothing:
FINER = 1e-3  # share of the tolerance that it aims at, for predictions are only as exact as the root of a gap
NULL = 1e-28  # relative gap of the null model: its gradient, of the size of the root, says what alpha_max is
SEPARATED = 1e-15  # of the loss without features: with less left, unpenalised features separate the classes
FLAT = 1e-100  # mean curvature below which there is none
DENSE_LOOKS = 100  # products with a feature of a dense X for each alpha, as it is known from then on
PATIENCE = 1000  # steps for one alpha without an end in sight


@dataclass(slots=True)
class Dual:
    """What a solution's certificate is made of, for each row: linear predictor, slope with a minus, and curvature."""

    z: np.ndarray  # (n,)
    r: np.ndarray  # (n,) weighted
    h: np.ndarray  # (n,) weighted
    off: np.ndarray | None = None  # (n,) what a dual point has to give up for unpenalised features


def row(k):
    """A row of the state of a `GlmRun` that is at hand, (n,)."""
    return property(lambda run: run.newton.rows[3 * run.newton.here + k, : run.sample.design.n])


def feature(k):
    """What it knows of all features, (known,)."""
    return property(lambda run: run.newton.table[k, : run.newton.known])


class GlmRun(Run):
    """State of one problem with a loss of `fastreg.kernels.losses`."""

    def __init__(self, task, pool, target, many=MANY):
        self.many = many
        self.number = losses.NUMBERS[task.loss]
        self.total = pool.total
        self.team = None
        self.levels = []  # intercepts of the last round's solutions
        super().__init__(task, pool, target, None)
        self.newton = self.new_state()
        self.residual = Residual(self)

    def new_state(self):
        task, (n, p), dense = self.task, self.sample.design.X.shape, self.sample.design.dense
        bent, without_gram = task.loss in BENT, task.l1_ratio < MOSTLY_RIDGE and p > n
        without_gram |= task.l1_ratio == 0.0 and p > max(self.many, n // 2)
        self.columns = ColumnSet(n, None if dense else np.empty((PARTS - 1, n)))
        self.model = Model(
            self.columns, n, self.total, task.fit_intercept, bent, self.seed, p + 64, not dense,
            1.0 if dense else ENTRY_WORK, COPY_WORK,
        )  # fmt: skip
        most = (0 if without_gram else p) if dense else LARGE
        return Newton(self.model, self.number, task.parameter, task.y, task.weights, most, task.max_iter)

    z, r, h = row(0), row(1), row(2)  # linear predictor; slope with a minus and curvature of the loss, weighted
    w, g, f1, f2, low, high = (feature(k) for k in range(HIGH + 1))  # g: gradients of the loss, with a minus

    def residual_set(self):
        return None

    def looks(self):
        return DENSE_LOOKS if self.sample.design.dense else LOOKS

    def start(self):
        """(weighted residual, half the deviance, intercept) of the model without features."""
        self.from_offset()
        self.newton.intercept = 0.0
        self.settle_level()
        return self.r, self.newton.value, self.newton.intercept

    def from_offset(self):
        self.z[:] = 0.0 if self.task.offset is None else self.task.offset

    def settle_level(self):
        """Have the loss at z, after the intercept has moved to its best; nothing is known of gradients."""
        change, self.newton.value = self.evaluate(self.z, self.r, self.h, self.task.fit_intercept)
        self.newton.intercept += change
        self.newton.take_stock()

    def evaluate(self, z, r, h, level=False):
        """(change of the intercept, sum of the loss) at z; with `level`, z moves until r sums to zero."""
        task = self.task
        if level:
            return losses.level(self.number, task.parameter, task.y, task.weights, z, r, h)
        return 0.0, losses.evaluate(self.number, task.parameter, task.y, task.weights, z, r, h)

    def aim(self, tol):
        if self.sample.design.X.shape[0] * self.sample.design.p <= LITTLE:
            tol = max(FINER * tol, ROUNDING)
        self.goal = tol * self.null

    def choose_lanes(self, version, between):
        if self.sample.complete:
            return [i for i in range(len(version)) if not between[i]], {}
        return list(range(len(version))), {}

    # ------------------------------------------------------------------ the working set

    def extend(self, look=True):
        """Let the working set know the features that came into the sample, and have their gradients."""
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
        store = self.sample.store
        store.read(self.sample.features, self.columns)
        self.newton.extend(f1, f2, low, high, self.sample.norm[self.known :], store.numbers(new))
        self.known += k
        if look:
            self.look()

    def look(self, places=None):
        """Have the gradients of all known features, or of some."""
        self.newton.look_at(places if places is None else places.astype(np.int32))

    def place(self, places, values, l2=None):
        """Go to a solution."""
        self.newton.forget()
        self.w[:] = 0.0
        self.w[places] = values
        self.from_offset()
        self.sample.store.add(self.sample.features[places], np.asarray(values, dtype=np.float64), self.z)
        self.z[:] += self.newton.intercept
        self.settle_level()
        self.look()

    def fit_null(self):
        self.extend()
        self.goal = NULL * self.constant_objective
        self.descend(0.0, 0.0, self.task.max_iter, np.flatnonzero(self.f1 == 0))
        places = np.flatnonzero(self.w)
        self.null_model = places.astype(np.int32), self.w[places]
        self.levels = [self.newton.intercept]

    def settle(self, gradient, null_objective):
        if len(self.free):
            self.level = self.lane_levels[0]
        if self.task.loss == "logistic" and null_objective <= SEPARATED * self.constant_objective:
            null_objective = 0.0
        super().settle(gradient, null_objective)

    def level_of(self, places, values):
        shift = self.sample.design.shift
        if shift is None or not self.sample.centred:
            return 0.0
        return shift[self.sample.features[places]] @ values

    # ------------------------------------------------------------------ a round

    @property
    def pending(self):
        return self.descents.wish != DONE

    def solve_parts(self, jobs):
        task, alphas = self.task, self.ladder[self.k : self.stop]
        self.l1, self.l2 = task.l1_ratio * alphas, (1.0 - task.l1_ratio) * alphas
        between = (self.report[self.k : self.stop] < 0).astype(np.uint8)
        if self.warm:
            start = np.flatnonzero(task.coef_init)
            self.place(self.sample.place[start], task.coef_init[start])
            self.warm = False
        room, self.levels = len(alphas) * self.known, np.empty(len(alphas))
        self.index, self.value = np.empty(room, np.int32), np.empty(room)
        self.stops, self.steps = np.zeros(len(alphas) + 1, np.intp), np.zeros(len(alphas), np.int64)
        self.model.active.size = self.size
        self.descents = Descents(
            self.newton, alphas, self.l1, self.l2, between, self.goal, task.max_iter, self.carried, PATIENCE,
            len(self.again), self.index, self.value, self.stops, self.steps, self.levels,
        )  # fmt: skip
        self.between = between
        return [self.descents] if jobs <= 1 else []

    def solve(self, jobs):
        descents = self.descents
        if self.pending:
            work = self.sample.store.work(self.sample.features)
            with team_of(jobs if max(work, ROW * len(self.z)) > SHARED else 1) as self.team:
                self.columns.join(self.team)
                while descents.wish != DONE:
                    k = descents.done
                    if descents.wish == WANTS_PLACE:
                        self.place(*self.again[k])
                    self.fulfil(descents.wish, self.l1[k], self.l2[k])
                    descents.do()
            self.columns.join(None)
        self.again = []
        done, filled = len(self.l1), self.stops[-1]
        index, value = self.index[:filled].copy(), self.value[:filled].copy()
        self.hold(index, value, self.stops)
        self.lanes, self.inner = self.choose_lanes(self.steps, self.between)
        if len(self.lanes) > self.room:
            done = self.lanes[self.room]
            del self.lanes[self.room :]
            self.newton.intercept = self.levels[done - 1]
            self.place(*self.solved[done - 1])
            self.hold(index[: self.stops[done]], value[: self.stops[done]], self.stops[: done + 1])
        self.density = len(self.lanes) / done
        self.l1, self.l2 = self.l1[:done], self.l2[:done]
        self.stop = self.k + done

    def fulfil(self, wish, l1, l2):
        """Do what a descent with these penalties waits for."""
        watch()
        if wish == WANTS_MODEL:
            self.build()
        elif wish == WANTS_MINIMUM:
            self.residual.minimize(l1, l2)

    def shifts(self):
        shift = self.sample.design.shift
        return None if shift is None or not self.sample.centred else shift[self.used]

    def gap(self, places, l1, l2):
        """Duality gap on some features (None: all that are known), at the present gradients."""
        return self.newton.gap_at(places if places is None else places.astype(np.int32), l1, l2)

    def divergence(self, z, r, off, kappa):
        task = self.task
        return losses.divergence(self.number, task.parameter, task.y, task.weights, z, r, off, kappa)

    def descend(self, l1, l2, most, only=None):
        """Solve for one pair of penalties on the features at hand, or on `only` some; returns the number of steps."""
        newton = self.newton
        self.model.active.size = self.size
        only = None if only is None else only.astype(np.int32)
        newton.begin(l1, l2, self.goal, most, only, l1 == 0.0)
        while (wish := newton.go()) != DONE:
            self.fulfil(wish, l1, l2)
        return newton.steps

    def build(self):
        """Make the model that is wanted, or have the one at hand grow."""
        newton, model = self.newton, self.model
        count = len(newton.wanted)
        if not newton.renew():  # no curvature at all: that of the parabola above the loss that touches it here
            present = slice(None) if self.task.weights is None else self.task.weights > 0
            size = np.maximum(np.abs(self.task.y - self.z), SMALL)
            model.curvatures[present] = (np.maximum(np.abs(self.r), SMALL) / size)[present]
            model.sum_up()
        if model.without_gram:
            self.residual.renew()
        else:
            grow_model(self.sample, model, count)

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

    def loss_parts(self, kappa, squares, off):
        parts = np.zeros(len(kappa))
        for n, dual in enumerate(self.duals):
            if kappa[n] != 1.0 or dual.off is not None:
                parts[n] = self.divergence(dual.z, dual.r, dual.off, kappa[n]) / self.total
        return parts

    def accept(self, at, i, features, values, gap, rss, shift):
        if super().accept(at, i, features, values, gap, rss, shift):
            self.intercepts[at] = self.lane_levels[self.lanes.index(i)] - shift

    def polish(self, outcome, n, places, values):
        self.polished += 1
        self.goal = max(0.1 * self.goal, ROUNDING * self.null)
        self.place(places, values)
        self.newton.drop_model()

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
            self.newton.drop_model()
            self.goal = min(GOAL * self.task.tol, RESIDUAL) * self.null
            steps = 0
            if len(self.ladder) == 0 and self.task.loss in BENT:  # from far away: the ridge's solutions lead there
                scale = float(self.sample.norm.mean())
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
            self.intercepts[-1] = self.newton.intercept - self.level_of(places, values)
            self.gaps[-1], self.n_iter[-1] = max(self.gap(None, 0.0, 0.0), decrement), max(1, steps)
            self.explained[-1] = 1.0 - self.newton.value / self.total / self.constant_objective

    def decrement(self):
        """What a Newton step without penalties would take off the loss, but for higher orders."""
        newton, model = self.newton, self.model
        newton.drop_model(np.flatnonzero(np.isfinite(self.f1)).astype(np.int32))
        self.build()
        newton.open()
        if model.without_gram:
            self.residual.minimize(0.0, 0.0)
        target, w, g = (model.table[k, : model.size] for k in (TARGET, W, G))
        return min(0.5 * abs(float((g * (target - w)).sum())), newton.value / self.total)


class GlmBatch(Batch):
    """A batch of problems with losses that are not quadratic."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.store = Store(self.design, self.jobs)

    def new_sample(self, task):
        return Pool(self.store, task.weights, task.fit_intercept)

    def new_run(self, task, sample, target):
        return GlmRun(task, sample, target)

    def round(self, runs, half=0):
        self.store.jobs = self.jobs if len(runs) < self.jobs else 1  # threads share out runs, or what one of them does
        return super().round(runs, half)

    def start(self, run):
        r, value, level = run.start()
        return r, value / run.total, level

    def fill(self, R, squares, target, members, used):
        """Minus the linear predictors, without intercepts and offsets."""
        yield self.without_weights(R, np.full_like(target, -1), used, range(len(R)))

    def residuals(self, runs, half=0):
        R, squares = yield from super().residuals(runs, half)

        def evaluate(k):
            run = runs[k]
            run.duals, run.lane_levels = [], []
            for panel, lane, i in zip(*run.segments, run.lanes, strict=True):
                z, r, h = -R[panel, :, lane], np.empty(self.design.n), np.empty(self.design.n)
                z += run.levels[i]
                if run.task.offset is not None:
                    z += run.task.offset
                change, value = run.evaluate(z, r, h, run.task.fit_intercept)
                R[panel, :, lane], squares[panel, lane] = r, 2.0 * value
                run.duals.append(Dual(z, r, h))
                run.lane_levels.append(run.levels[i] + change)

        parallel_for(evaluate, len(runs), self.jobs if R.size > EVALUATED else 1)
        return R, squares
