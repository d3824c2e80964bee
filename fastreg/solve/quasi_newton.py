"""Proximal quasi-Newton method: a smooth function of which value and gradient are known, plus L1 and L2 penalties.

Each iteration minimises the penalised model

    g'(w - x) + 1/2 (w - x)'(B + 2 diag(l2))(w - x) + 2 (l2 x)'(w - x) + sum_j l1_j |w_j|,   lower <= w <= upper,

B the limited-memory BFGS matrix in its compact form (Byrd, Nocedal & Schnabel 1994), and searches the line to the
minimum (Lee, Sun & Saunders 2014; Scheinberg & Tang 2016).  The model is solved on a working set: the coordinates that
are not zero, and those that its gradient sets free.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.linalg import lapack, solve_triangular

from ..kernels.active import ActiveSet
from ..kernels.compact import descend

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from .._types import Floats

MEMORY = 60  # most pairs of steps and changes of the gradient,
LEAST = 10  # least,
ROOM = 2_000_000  # and in between as many as so many numbers make
DENSE = 300  # coordinates of a working set whose Hessian is formed
INDEPENDENT = 1e-3  # share of a step that must stand out of the span of the steps after it
CURVED = 1e-8  # least curvature along a step, relative to the largest, with which it is kept
SHRINK = 0.25  # of the model's scale, where the function curves downwards
SUFFICIENT = 1e-4  # share of the predicted decrease that a step must bring (Armijo)
NOISE = 1e-11  # of the objective: differences below may be rounding, and the slopes decide
INNER = 1e-3  # stationarity of a model's solution, relative to that of its start
BOTTOM = -1e30  # an objective below, relative to that of the start, has no minimum
TRIALS = 40  # points on a line
GUESSES = 500  # steps of the active set
SWEEPS = 3  # of coordinate descent between exact steps,
ROUNDS = 100  # so many times


@dataclass
class Outcome:
    """Where `run` ended, flat: the point, the loss and its gradient there, and how."""

    x: Floats
    loss: float
    gradient: Floats
    objective: float
    stationarity: float
    nit: int
    status: str  # "stationary", "limit", "rounding", "unbounded" or "stopped"


class Penalty:
    """sum_j l1_j |x_j| + l2_j x_j^2 on lower <= x <= upper; all arrays (n,).

    Where the bounds fix the sign of x_j its L1 penalty is linear: only `kink` is left of it to the solvers.
    """

    def __init__(self, l1: Floats, l2: Floats, lower: Floats, upper: Floats) -> None:
        self.l1, self.l2, self.lower, self.upper = l1, l2, lower, upper
        self.kink = np.where((lower < 0) & (upper > 0), l1, 0.0)
        self.linear = np.where(lower >= 0, l1, -l1) * (self.kink != l1)
        self.movable = lower < upper

    def value(self, x: Floats) -> float:
        return float(self.l1 @ np.abs(x) + self.l2 @ (x * x))

    def change(self, x: Floats, new: Floats) -> float:
        """value(new) - value(x), without the cancellation."""
        return float(self.l1 @ (np.abs(new) - np.abs(x)) + self.l2 @ ((new - x) * (new + x)))

    def slope(self, x: Floats, gradient: Floats) -> Floats:
        """Gradient of the differentiable part of the objective."""
        return gradient + self.linear + 2.0 * self.l2 * x

    def subgradient(self, x: Floats, slope: Floats, at: Any = slice(None)) -> Floats:
        """Minimum-norm subgradient, coordinates of which no bound lets the descent through being zero."""
        kink = self.kink[at]
        right, left = slope + np.where(x >= 0, kink, -kink), slope + np.where(x > 0, kink, -kink)
        out = np.where((right < 0) & (x < self.upper[at]), right, 0.0)
        return np.where((left > 0) & (x > self.lower[at]), left, out)


class CompactHessian:
    """B = theta I + U diag(s) U', from the last pairs of steps s and changes y of the gradient.

    Steps are kept at unit length, and as long as they are well independent of those after them: in exact arithmetic B
    does not depend on their lengths, and the later pairs know better.
    """

    def __init__(self, n):
        self.memory = max(1, min(MEMORY, n, max(LEAST, ROOM // n)))
        self.S, self.Y = np.zeros((self.memory, n)), np.zeros((self.memory, n))
        self.SS, self.SY = np.zeros((self.memory, self.memory)), np.zeros((self.memory, self.memory))
        self.theta = 1.0
        self.forget()

    def forget(self):
        self.held = []  # rows of S and Y, oldest first
        self.factor()

    def learn(self, s, y, free, full=True):
        """Take in a pair; `free` are the coordinates that can move, `full` whether the model's minimum was reached."""
        length = np.linalg.norm(s)
        s, y = s / length, y / length
        curvature, size = s @ y, np.linalg.norm(y[free])
        if not curvature > CURVED * size:
            self.theta *= SHRINK  # curved downwards: longer steps, until it is not
            return self.factor()
        # of the two usual choices |y|^2 / s'y is careful; their geometric mean, |y|, serves while full steps do
        self.theta = size if full else size**2 / curvature
        row = self.held.pop(0) if len(self.held) == self.memory else min(set(range(self.memory)) - set(self.held))
        self.held.append(row)
        self.S[row], self.Y[row] = s, y
        self.SS[row] = self.SS[:, row] = self.S @ s
        self.SY[row], self.SY[:, row] = self.Y @ s, self.S @ y
        while (old := self.dependent()) is not None:
            self.held.remove(old)
        self.factor()

    def dependent(self):
        """A step that is nearly in the span of those after it, if there is one."""
        back = self.held[::-1]
        factor, fault = lapack.dpotrf(self.SS[np.ix_(back, back)], lower=True)
        weak = np.diag(factor)[: fault - 1 if fault else None] < INDEPENDENT
        return back[int(weak.argmax())] if weak.any() else back[fault - 1] if fault else None

    def factor(self):
        """U' = C [S; Y], C the `coefficients`, from inner products alone.

        With L the part of S Y' below its diagonal D, scaled to Z = L (theta D)^-1/2, and S S' + Z Z' = J J', the
        compact form (Byrd, Nocedal & Schnabel 1994, section 3.2) is U' = [D^-1/2 Y; J^-1 (theta^1/2 S + Z D^-1/2 Y)]
        with s = [1; -1].
        """
        k, m, held = len(self.held), self.memory, np.array(self.held, dtype=int)
        products = self.SY[np.ix_(held, held)]
        root = np.sqrt(np.diag(products))
        Z = np.tril(products, -1) / (np.sqrt(self.theta) * root)
        J = np.linalg.cholesky(self.SS[np.ix_(held, held)] + Z @ Z.T)
        self.coefficients = np.zeros((2 * k, 2 * m))
        self.coefficients[np.arange(k), m + held] = 1.0 / root
        self.coefficients[k:, held] = np.sqrt(self.theta) * np.eye(k)
        self.coefficients[k:, m + held] = Z / root
        self.coefficients[k:] = solve_triangular(J, self.coefficients[k:], lower=True)
        self.signs, self.plus = np.repeat([1.0, -1.0], k), k

    def columns(self, at):
        """U'[:, at]."""
        m = self.memory
        return self.coefficients[:, :m] @ self.S[:, at] + self.coefficients[:, m:] @ self.Y[:, at]

    def times(self, d):
        """B d."""
        m = self.memory
        weights = self.signs * (self.coefficients[:, :m] @ (self.S @ d) + self.coefficients[:, m:] @ (self.Y @ d))
        weights = weights @ self.coefficients
        return self.theta * d + weights[:m] @ self.S + weights[m:] @ self.Y


def solve_dense(U, signs, D, slope, x, penalty, at):
    """The minimum of the model on a working set, by the active set; exact."""
    H = (U.T * signs) @ U
    H[np.diag_indices_from(H)] += D
    kink = penalty.kink[at]
    origin = np.where(kink > 0, 0.0, x)  # coordinates without a kink are counted from x: their bounds may exclude zero
    start, low, high = x - origin, penalty.lower[at] - origin, penalty.upper[at] - origin
    active = ActiveSet(0, len(x) + 64)
    active.size = np.abs(slope).max()
    active.extend(np.zeros(len(x)), kink, np.zeros(len(x)), low, high)
    target = np.empty(len(x))
    active.propose(H, -slope, np.zeros(len(x)), 0.0, start, 1.0, 1.0, 0.0, GUESSES, target)
    new = np.where(target == high, penalty.upper[at], x + (target - start))  # at a bound to the last bit
    return np.where(target == low, penalty.lower[at], new)


def solve_compact(U, signs, plus, D, slope, x, penalty, at, goal):
    """The same by coordinate descent on the compact form, and exact steps within the signed support."""
    kink, low, high = penalty.kink[at], penalty.lower[at], penalty.upper[at]
    rows = np.ascontiguousarray(U.T)
    curvature = D + (rows * rows) @ signs
    w, products = x.copy(), np.zeros(len(signs))

    def value(w):
        d = w - x
        v = U @ d
        return slope @ d + 0.5 * (D @ (d * d) + signs @ (v * v)) + kink @ (np.abs(w) - np.abs(x))

    for _ in range(ROUNDS):
        descend(rows, plus, D, curvature, slope, x, kink, low, high, SWEEPS, 0.0, w, products)
        d = w - x
        products = signs * (U @ d)
        gradient = slope + D * d + rows @ products
        violation = penalty.subgradient(w, gradient, at)
        if np.abs(violation).max() <= goal:
            break
        inside = np.flatnonzero(((w != 0) | (kink == 0)) & (low < w) & (w < high))
        if len(inside) == 0:
            continue
        # Woodbury: H^-1 = D^-1 - D^-1 U' (diag(s) + U D^-1 U')^-1 U D^-1
        part, scale = U[:, inside], D[inside]
        r = -violation[inside] / scale
        core = (part / scale) @ part.T
        core[np.diag_indices_from(core)] += signs
        step = r - (np.linalg.solve(core, part @ r) @ part) / scale
        new = w.copy()
        new[inside] = np.clip(w[inside] + step, low[inside], high[inside])
        new[(new * w < 0) & (kink > 0)] = 0.0
        if value(new) < value(w):
            w = new
            products = signs * (U @ (w - x))
    return w


def solve_model(hessian, x, slope, subgradient, penalty):
    """(the minimum of the model over all coordinates, the working set that it took)."""
    goal = INNER * np.abs(subgradient).max()
    inside = ((x != 0) & penalty.movable) | (subgradient != 0)
    while True:
        at = np.flatnonzero(inside)
        U, D = hessian.columns(at), hessian.theta + 2.0 * penalty.l2[at]
        new = x.copy()
        if len(at) <= DENSE:
            new[at] = solve_dense(U, hessian.signs, D, slope[at], x[at], penalty, at)
        else:
            new[at] = solve_compact(
                U, hessian.signs, hessian.plus, D, slope[at], x[at], penalty, at, goal
            )  # fmt: skip
        np.clip(new, penalty.lower, penalty.upper, out=new)
        d = new - x
        ahead = slope + hessian.times(d) + 2.0 * penalty.l2 * d
        missed = (np.abs(penalty.subgradient(new, ahead)) > goal) & ~inside
        if not missed.any():
            return new, at
        inside |= missed


def search(objective, penalty, x, loss, gradient, target):
    """The first point from `target` back to x that lowers the objective enough.

    Where the difference of two values is rounding, the mean of the slopes at both ends stands for it.
    Returns (point, loss, gradient), or None.
    """
    step = target - x
    rise = gradient @ step + penalty.change(x, target)  # predicted, negative
    if not rise < 0.0:
        return None
    noise = NOISE * max(abs(loss), abs(loss + penalty.value(x)))
    t, point = 1.0, target
    for _ in range(TRIALS):
        new = objective.value(point)
        if np.isfinite(new):
            change = new - loss + penalty.change(x, point)
            enough = change <= SUFFICIENT * t * rise
            if enough or change <= noise:
                slopes = objective.gradient(point)
                if not np.isfinite(slopes).all():
                    change, enough = np.inf, False
                elif abs(change) <= noise:
                    mean = 0.5 * (slopes + gradient) @ (point - x) + penalty.change(x, point)
                    enough = mean <= SUFFICIENT * t * rise
                if enough:
                    return point, new, slopes
        else:
            change = np.inf
        if np.isfinite(change):
            t *= min(max(-0.5 * t * rise / (change - t * rise), 0.1), 0.5) if change > t * rise else 0.5
        else:
            t *= 0.1
        point = np.clip(x + t * step, penalty.lower, penalty.upper)
        if np.array_equal(point, x):
            return None
    return None


def run(
    objective: Any, x: Floats, penalty: Penalty, tol: float, max_iter: int, report: Callable[[Outcome], bool]
) -> Outcome:
    """Minimise from x, which lies within the bounds, until the largest entry of the subgradient is at most tol.

    Parameters
    ----------
    objective : object with methods value(x) and gradient(x), which remember the last point
    x : ndarray of shape (n,)
    penalty : Penalty
    tol : float
    max_iter : int
    report : callable
        Told of each new point, as an Outcome; returns whether to stop.

    Returns
    -------
    Outcome
    """
    hessian = CompactHessian(len(x))
    loss, gradient = objective.value(x), objective.gradient(x)
    bottom = BOTTOM * (1.0 + abs(loss + penalty.value(x)))
    nit, fresh = 0, True

    def outcome(status: str) -> Outcome:
        value = loss + penalty.value(x)
        return Outcome(x, loss, gradient, value, float(np.abs(subgradient).max()), nit, status)

    while True:
        slope = penalty.slope(x, gradient)
        subgradient = penalty.subgradient(x, slope)
        if nit == 0:
            hessian.theta = np.linalg.norm(subgradient)  # a step of unit length
        if nit and report(outcome("")):
            return outcome("stopped")
        if np.abs(subgradient).max() <= tol:
            return outcome("stationary")
        if loss + penalty.value(x) < bottom:
            return outcome("unbounded")
        if nit >= max_iter:
            return outcome("limit")
        target, at = solve_model(hessian, x, slope, subgradient, penalty)
        found = search(objective, penalty, x, loss, gradient, target)
        if found is None:
            if fresh:
                return outcome("rounding")
            hessian.forget()
            fresh = True
            continue
        new, new_loss, new_gradient = found
        fresh = False
        hessian.learn(new - x, new_gradient - gradient, at, new is target)
        x, loss, gradient = new, new_loss, new_gradient
        nit += 1
