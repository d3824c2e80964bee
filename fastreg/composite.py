"""L1 and L2 penalties on any differentiable function: the arguments, the results, and the path."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Integral
from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import Bounds, OptimizeResult, approx_fprime

from fastreg import validation
from fastreg.solve.quasi_newton import Penalty, run

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from numpy.typing import ArrayLike, NDArray

    from fastreg._types import Bools, BoundPairs, Floats, Gradient, Ints
    from fastreg.solve.quasi_newton import Outcome

_ENDS = {
    "stationary": (0, "The largest entry of the minimum-norm subgradient is at most tol."),
    "limit": (1, "max_iter iterations were not enough: raise max_iter, or scale the variables alike."),
    "rounding": (
        2,
        "No step lowers the objective any further, by its rounded values: raise tol, or check jac against fun.",
    ),
    "unbounded": (3, "The objective falls without end: raise l1 or l2, set bounds, or check fun."),
    "stopped": (99, "callback raised StopIteration."),
}


def minimize(
    fun: Callable[..., Any],
    x0: ArrayLike,
    *,
    jac: Gradient = True,
    args: Any = (),
    l1: ArrayLike = 0.0,
    l2: ArrayLike = 0.0,
    bounds: BoundPairs = None,
    tol: float = 1e-8,
    max_iter: int = 10_000,
    callback: Callable[[OptimizeResult], Any] | None = None,
) -> OptimizeResult:
    """Minimise a differentiable function with L1 and L2 penalties on its variables.

    A stationary point, and for convex functions the minimum, of::

        fun(x) + sum_j l1_j |x_j| + sum_j l2_j x_j^2    subject to  lower_j <= x_j <= upper_j

    by a proximal quasi-Newton method (Lee, Sun & Saunders 2014; Scheinberg & Tang 2016) with a limited-memory BFGS
    model (Byrd, Nocedal & Schnabel 1994): entries that the penalty holds at zero are exactly zero.

    Parameters
    ----------
    fun : callable
        ``fun(x, *args)`` with x of x0's shape: the value and the gradient, of that shape too, if `jac` is True, and
        otherwise the value. Smooth, convex or not. Where it is NaN or infinite the step is shortened.
    x0 : array-like
        Start, of any shape; entries outside the bounds are moved to them. Where fun is not convex it decides in which
        stationary point the method ends.
    jac : True, callable or "2-point", default=True
        True: `fun` returns the gradient too. A callable: ``jac(x, *args)`` is the gradient. "2-point": forward
        differences, x0.size more calls of `fun` for each gradient, with an error of about 1e-8 in units of fun: raise
        `tol` with it.
    args : tuple, default=()
        More arguments of `fun` and `jac`.
    l1, l2 : float or array-like of x0's shape, default=0.0
        Strengths >= 0, zero for entries that are not to be penalised, such as intercepts. There is no 1/2 in the L2
        penalty.
    bounds : scipy.optimize.Bounds or sequence of (min, max) pairs, default=None
        A pair for each entry of x0, flattened, None or infinite where there is no bound.
    tol : float, default=1e-8
        The method ends when `stationarity`, in units of fun over units of x, is at most this.
    max_iter : int, default=10_000
        Limit on iterations.
    callback : callable, default=None
        Called after each iteration with an OptimizeResult that has `x`, `fun`, `loss`, `jac`, `stationarity` and `nit`.
        If it raises StopIteration the method ends there.

    Returns
    -------
    scipy.optimize.OptimizeResult
        - x : ndarray of x0's shape
        - fun : the objective, with the penalties; loss : without them
        - jac : gradient of the loss, of x0's shape
        - stationarity : largest entry, in absolute value, of the minimum-norm subgradient of the objective; an entry
          counts only as far as the bounds leave room for the descent
        - nit, nfev, njev : numbers of iterations and of calls of `fun` and `jac`
        - success : whether stationarity <= tol
        - status, message : how it ended; 0 is success

    Raises
    ------
    ValueError, TypeError
        If an argument is not as described above, if `fun` or its gradient is not finite at x0, if what they return does
        not have the right shape.

    Examples
    --------
    >>> import numpy as np
    >>> from fastreg import minimize
    >>> def fun(x):
    ...     return 0.5 * np.sum((x - [3.0, 0.5]) ** 2), x - [3.0, 0.5]
    >>> minimize(fun, np.zeros(2), l1=1.0).x.round(6)
    array([2., 0.])
    """
    problem = _Problem(fun, x0, jac, args, bounds)
    tol, max_iter = validation.as_tol(tol), validation.as_max_iter(max_iter)
    penalty = problem.penalty(_as_strengths(l1, "l1", problem.shape), _as_strengths(l2, "l2", problem.shape))
    if callback is not None and not callable(callback):
        raise TypeError(f"callback must be a function or None; it is {callback!r}.")
    problem.check_start(problem.start)
    outcome = run(problem, problem.start, penalty, tol, max_iter, problem.reporter(callback))
    return problem.result(outcome)


def minimize_path(
    fun: Callable[..., Any],
    x0: ArrayLike,
    l1_grid: int | ArrayLike = 20,
    *,
    l1: ArrayLike = 1.0,
    l2: ArrayLike = 0.0,
    eps: float = 1e-3,
    jac: Gradient = True,
    args: Any = (),
    bounds: BoundPairs = None,
    tol: float = 1e-8,
    max_iter: int = 10_000,
) -> MinimizePath:
    """`minimize` along a grid of strengths alpha, each solution being the start for the next.

    Minimises for each alpha::

        fun(x) + alpha sum_j ( l1_j |x_j| + l2_j x_j^2 )    subject to  lower_j <= x_j <= upper_j

    Parameters
    ----------
    fun, x0, jac, args, bounds, tol, max_iter
        As in `minimize`.
    l1_grid : int or array-like of shape (L,), default=20
        The strengths alpha, >= 0, in the order in which they are to be solved: ascending for neural networks, which
        cannot leave zero again. Or the length of a geometric grid from alpha_max down to ``eps * alpha_max``.
        alpha_max is the smallest strength at which all entries with l1_j > 0 are zero (a stationary point, if `fun` is
        not convex), computed by minimising over the others.
    l1, l2 : float or array-like of x0's shape, defaults=1.0 and 0.0
        Factors of the penalties; ``l1=0, l2=1`` is ridge regression.
    eps : float in (0, 1), default=1e-3
        Ratio of the ends of a geometric grid.

    Returns
    -------
    MinimizePath

    Raises
    ------
    ValueError, TypeError
        As in `minimize`; if an automatic grid is asked for where there is no alpha_max: no entry with l1_j > 0, one
        that is penalised by l2 alone, one whose bounds exclude zero, or a gradient of zero there.
    """
    problem = _Problem(fun, x0, jac, args, bounds)
    l1, l2 = _as_strengths(l1, "l1", problem.shape), _as_strengths(l2, "l2", problem.shape)
    tol, max_iter = validation.as_tol(tol), validation.as_max_iter(max_iter)
    values = _as_grid(l1_grid)
    ratio = validation.as_eps(eps)
    if isinstance(values, int):
        problem.check_has_alpha_max(l1, l2)
    x, alpha_max = problem.start, None
    problem.check_start(x)
    if isinstance(values, int):
        x, alpha_max = problem.alpha_max(l1, tol, max_iter)
        values = alpha_max * np.geomspace(1.0, 1e-3 if ratio is None else ratio, values)
    results = []
    for alpha in values:
        problem.calls = problem.gradients = 0
        outcome = run(problem, x, problem.penalty(alpha * l1, alpha * l2), tol, max_iter, lambda _: False)
        results.append(problem.result(outcome))
        x = outcome.x
    table = {
        name: np.array([result[name] for result in results])
        for name in ("x", "fun", "loss", "stationarity", "nit", "nfev", "success")
    }
    return MinimizePath(alphas=np.asarray(values), alpha_max=alpha_max, **table)


@dataclass(eq=False)
class MinimizePath:
    """Solutions along a grid of L strengths, from `minimize_path`.

    Attributes
    ----------
    alphas : ndarray of shape (L,)
    x : ndarray of shape (L, ...)
        Solutions, each of the shape of x0.
    fun, loss : ndarrays of shape (L,)
        The objective, and without the penalties.
    stationarity : ndarray of shape (L,)
        As in `minimize`.
    nit, nfev : ndarrays of shape (L,)
        Iterations, and calls of `fun`.
    success : ndarray of shape (L,), bool
    alpha_max : float, or None for given alphas
    n_nonzero : ndarray of shape (L,)
        Number of non-zero entries of x.
    """

    alphas: Floats
    x: Floats
    fun: Floats
    loss: Floats
    stationarity: Floats
    nit: Ints
    nfev: Ints
    success: Bools
    alpha_max: float | None

    @property
    def n_nonzero(self) -> Ints:
        return np.count_nonzero(self.x.reshape(len(self.alphas), -1), axis=1)


class _Problem:
    """The function, flat: `value` and `gradient` at one point share its evaluation, and count it once."""

    point: Floats | None
    level: float
    slope: Floats | None

    def __init__(self, fun: Callable[..., Any], x0: ArrayLike, jac: Any, args: Any, bounds: Any) -> None:
        if not callable(fun):
            raise TypeError(f"fun must be a function; it is {fun!r}.")
        if jac is not True and not callable(jac) and not (isinstance(jac, str) and jac == "2-point"):
            raise ValueError(
                f"jac={jac!r}: pass True if fun returns the value and the gradient, a function for the gradient, or "
                "'2-point' for finite differences."
            )
        x0 = _as_array(x0, "x0")
        if x0.size == 0:
            raise ValueError(f"x0 is empty, of shape {x0.shape}; pass at least one variable.")
        _check_finite(x0, "x0")
        self.fun, self.jac, self.shape = fun, jac, x0.shape
        self.args = args if isinstance(args, tuple) else (args,)
        self.lower, self.upper = _as_bounds(bounds, x0.shape)
        self.start = np.clip(x0.ravel(), self.lower, self.upper)
        self.calls = self.gradients = 0
        self.point = self.slope = None

    def penalty(self, l1: Floats, l2: Floats) -> Penalty:
        return Penalty(l1, l2, self.lower, self.upper)

    def value(self, x: Floats) -> float:
        """fun at x (n,); may be NaN or infinite."""
        if self.point is not None and np.array_equal(self.point, x):
            return self.level
        self.calls += 1
        told = self.fun(x.reshape(self.shape).copy(), *self.args)
        slope = None
        if self.jac is True:
            if not isinstance(told, tuple | list) or len(told) != 2:
                raise TypeError(
                    "fun must return a pair, its value and its gradient, with jac=True; for a function that returns "
                    f"the value alone pass its gradient as jac, or jac='2-point'. It returned a {type(told).__name__}."
                )
            self.gradients += 1
            told, slope = told
            slope = self.as_gradient(slope, "the gradient that fun returns")
        elif isinstance(told, tuple):
            raise TypeError("fun returned a tuple; if that is its value and its gradient, pass jac=True.")
        level = np.asarray(told)
        if level.size != 1 or level.dtype.kind not in "biuf":
            raise TypeError(f"fun must return one real number; it returned {told!r}.")
        self.point, self.level, self.slope = x.copy(), float(level.item()), slope
        return self.level

    def gradient(self, x: Floats) -> Floats:
        """Its gradient at x (n,)."""
        self.value(x)
        if self.slope is None:
            if callable(self.jac):
                self.gradients += 1
                told = self.jac(x.reshape(self.shape).copy(), *self.args)
                self.slope = self.as_gradient(told, "what jac returns")
            else:
                self.slope = self.differences(x)
        return self.slope

    def as_gradient(self, told: Any, what: str) -> Floats:
        slope = np.array(told, dtype=np.float64)
        if slope.shape != self.shape:
            raise ValueError(f"{what} has shape {slope.shape}; it must have that of x0, {self.shape}.")
        return slope.ravel()

    def differences(self, x: Floats) -> Floats:
        """Forward differences, backward where a bound is near."""
        step = np.sqrt(np.finfo(float).eps) * np.maximum(1.0, np.abs(x))
        step = np.where(x + step > self.upper, -step, step)

        def level(z: Floats) -> float:
            self.calls += 1
            return float(np.asarray(self.fun(z.reshape(self.shape), *self.args)).item())

        return approx_fprime(x, level, step)

    def check_start(self, x: Floats) -> None:
        value = self.value(x)
        if not np.isfinite(value):
            raise ValueError(f"fun is {value} at x0; pass a start at which it is finite.")
        gradient = self.gradient(x)
        if not np.isfinite(gradient).all():
            j = int(np.argmin(np.isfinite(gradient)))
            raise ValueError(
                f"the gradient is not finite at x0, first {gradient[j]} for entry {j}; pass another start, or check it."
            )

    def check_has_alpha_max(self, l1: Floats, l2: Floats) -> None:
        """All entries with l1 > 0 can be zero, and the others do not depend on alpha."""
        remedy = "pass the values of l1_grid"
        if not (l1 > 0).any():
            raise ValueError(f"l1_grid: an automatic grid needs l1 > 0 somewhere; {remedy}.")
        if ((l1 == 0) & (l2 > 0)).any():
            raise ValueError(f"l1_grid: an automatic grid needs l1 > 0 wherever l2 > 0; {remedy}.")
        away = np.flatnonzero((l1 > 0) & ((self.lower > 0) | (self.upper < 0)))
        if away.size:
            raise ValueError(f"l1_grid: the bounds keep penalised entry {away[0]} from zero; {remedy}.")

    def alpha_max(self, l1: Floats, tol: float, max_iter: int) -> tuple[Floats, float]:
        """The solution with all penalised entries at zero, and the smallest alpha at which it is one."""
        held = l1 > 0
        lower, upper = np.where(held, 0.0, self.lower), np.where(held, 0.0, self.upper)
        start, nothing = np.where(held, 0.0, self.start), np.zeros(len(l1))
        self.check_start(start)
        outcome = run(self, start, Penalty(nothing, nothing, lower, upper), tol, max_iter, lambda _: False)
        pull = np.where(self.upper > 0, -outcome.gradient, 0.0)
        pull = np.maximum(pull, np.where(self.lower < 0, outcome.gradient, 0.0))
        largest = float((pull[held] / l1[held]).max())
        if not largest > 0.0:
            raise ValueError(
                "l1_grid: with all penalised entries at zero the gradient is zero, so that every strength holds them "
                "there (for a neural network that is no minimum); pass the values of l1_grid."
            )
        return outcome.x, largest

    def reporter(self, callback: Callable[[OptimizeResult], Any] | None) -> Callable[[Outcome], bool]:
        def report(outcome: Outcome) -> bool:
            if callback is None:
                return False
            told = self.describe(outcome)
            try:
                callback(told)
            except StopIteration:
                return True
            return False

        return report

    def describe(self, outcome: Outcome) -> OptimizeResult:
        return OptimizeResult(
            x=outcome.x.reshape(self.shape).copy(),
            fun=outcome.objective,
            loss=outcome.loss,
            jac=outcome.gradient.reshape(self.shape).copy(),
            stationarity=outcome.stationarity,
            nit=outcome.nit,
        )

    def result(self, outcome: Outcome) -> OptimizeResult:
        status, message = _ENDS[outcome.status]
        told = self.describe(outcome)
        told.update(nfev=self.calls, njev=self.gradients, status=status, success=status == 0, message=message)
        return told


def _as_array(a: Any, name: str) -> NDArray[Any]:
    """float64 ndarray of any shape."""
    a = np.asarray(a)
    if a.dtype.kind not in "biuf":
        raise TypeError(f"{name} must hold real numbers; its dtype is {a.dtype}.")
    return a.astype(np.float64)


def _check_finite(a: NDArray[Any], name: str) -> None:
    if not np.isfinite(a).all():
        index = tuple(int(i) for i in np.argwhere(~np.isfinite(a))[0])
        raise ValueError(f"{name} must be finite; it is {a[index]} at {index}.")


def _as_strengths(value: Any, name: str, shape: tuple[int, ...]) -> Floats:
    """Strengths of a penalty, one for each variable, flat."""
    value = _as_array(value, name)
    if value.ndim and value.shape != shape:
        raise ValueError(f"{name} has shape {value.shape}; pass a number, or one for each entry of x0, {shape}.")
    _check_finite(value, name)
    if (value < 0).any():
        raise ValueError(f"{name} must be >= 0; the smallest is {value.min()}.")
    return np.broadcast_to(value, shape).ravel().astype(np.float64)


def _as_grid(l1_grid: Any) -> int | Floats:
    if isinstance(l1_grid, Integral) and not isinstance(l1_grid, bool | np.bool_):
        return validation.at_least_one(l1_grid, "l1_grid")
    if np.ndim(l1_grid) != 1 or np.size(l1_grid) == 0:
        raise ValueError("l1_grid must be an integer, the length of a grid, or a list of at least one value.")
    values = _as_array(l1_grid, "l1_grid")
    _check_finite(values, "l1_grid")
    if values.min() < 0:
        raise ValueError(f"l1_grid must be >= 0; the smallest is {values.min()}.")
    return values


def _as_bounds(bounds: Any, shape: tuple[int, ...]) -> tuple[Floats, Floats]:
    """(lower, upper), flat."""
    size = int(np.prod(shape))
    if bounds is None:
        return np.full(size, -np.inf), np.full(size, np.inf)
    if isinstance(bounds, Bounds):
        try:
            lower, upper = (np.broadcast_to(_as_array(side, "bounds"), shape) for side in (bounds.lb, bounds.ub))
        except ValueError as error:
            raise ValueError(f"bounds must have lb and ub that broadcast to the shape of x0, {shape}.") from error
    else:
        pairs = list(bounds)
        if len(pairs) != size or any(np.ndim(pair) != 1 or len(pair) != 2 for pair in pairs):
            raise ValueError(
                f"bounds must be a scipy.optimize.Bounds or {size} pairs (min, max), one for each entry of x0."
            )
        lower = _as_array([-np.inf if low is None else low for low, _ in pairs], "bounds")
        upper = _as_array([np.inf if high is None else high for _, high in pairs], "bounds")
    lower, upper = lower.ravel().copy(), upper.ravel().copy()
    wrong = np.flatnonzero(~(lower <= upper) | (lower == np.inf) | (upper == -np.inf))
    if wrong.size:
        j = wrong[0]
        raise ValueError(f"bounds of entry {j} are ({lower[j]}, {upper[j]}); the first must not exceed the second.")
    return lower, upper
