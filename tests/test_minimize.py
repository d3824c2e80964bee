"""Penalties on any smooth loss: stationarity by this file's own subgradient, and comparisons with other solvers."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy.optimize import Bounds, OptimizeResult, rosen, rosen_der
from scipy.optimize import minimize as scipy_minimize

from fastreg import fit_path, minimize, minimize_path
from fastreg.kernels.compact import descend
from fastreg.solve import quasi_newton

TOL = 1e-8


# --- losses ----------------------------------------------------------------------------------------------------------


def sigmoid(z):
    return 0.5 * (1.0 + np.tanh(0.5 * z))


def huber(z, y):
    far = np.abs(z - y)
    return np.where(far < 1, 0.5 * far**2, far - 0.5)


# name: (loss of the linear predictor z and the response y, its derivative by z)
CONVEX = {
    "squared": (lambda z, y: 0.5 * (z - y) ** 2, lambda z, y: z - y),
    "logistic": (lambda z, y: np.logaddexp(0, z) - (y > 0) * z, lambda z, y: sigmoid(z) - (y > 0)),
    "huber": (huber, lambda z, y: np.clip(z - y, -1, 1)),
    "log cosh": (lambda z, y: np.logaddexp(z - y, y - z), lambda z, y: np.tanh(z - y)),
    "pseudo-huber": (lambda z, y: np.hypot(1, z - y) - 1, lambda z, y: (z - y) / np.hypot(1, z - y)),
}
NOT_CONVEX = {
    "cauchy": (lambda z, y: 0.5 * np.log1p((z - y) ** 2), lambda z, y: (z - y) / (1 + (z - y) ** 2)),
    "welsch": (lambda z, y: -9 * np.exp(-((z - y) ** 2) / 18), lambda z, y: (z - y) * np.exp(-((z - y) ** 2) / 18)),
    "sigmoid": (lambda z, y: sigmoid(-np.sign(y) * z), lambda z, y: -np.sign(y) * sigmoid(z) * sigmoid(-z)),
}


def linear_problem(loss, seed, n, p, correlation):
    """The mean of a loss over rows X, as a function of coefficients."""
    rng = np.random.default_rng(seed)
    X = np.sqrt(1 - correlation) * rng.normal(size=(n, p)) + np.sqrt(correlation) * rng.normal(size=(n, 1))
    y = X[:, :5] @ (2 * rng.normal(size=5)) + rng.standard_t(2, size=n)
    level, slope = loss
    return lambda w: (np.mean(level(X @ w, y)), X.T @ slope(X @ w, y) / n)


def network(X, y, hidden):
    """Mean squared error of a 1-hidden-1 network with tanh units, as a function of [W1, b1, W2, b2]."""

    def fun(v):
        W1, b1, W2, b2 = np.split(v, [hidden, 2 * hidden, 3 * hidden])
        units = np.tanh(X * W1 + b1)
        residual = units @ W2 + b2 - y
        back = np.outer(2 * residual / len(y), W2) * (1 - units**2)
        ends = units.T @ (2 * residual / len(y)), [2 * residual.mean()]
        return np.mean(residual**2), np.concatenate([X[:, 0] @ back, back.sum(axis=0), *ends])

    return fun


def convex_problems():
    """20 of (function, start, l1, l2)."""
    shapes = [(100, 30, 0.0, 0.1), (60, 150, 0.3, 0.1), (200, 40, 0.6, 0.03), (120, 80, 0.5, 0.05)]
    for k, name in enumerate(CONVEX):
        for m, (n, p, correlation, l1) in enumerate(shapes):
            yield linear_problem(CONVEX[name], 10 * k + m, n, p, correlation), np.zeros(p), l1, 0.01 * (m == 2)


def other_problems():
    """10 that are not convex."""
    for k, name in enumerate(NOT_CONVEX):
        for m, (n, p, l1) in enumerate([(100, 20, 0.02), (150, 60, 0.03)]):
            yield linear_problem(NOT_CONVEX[name], 100 + 10 * k + m, n, p, 0.3), np.zeros(p), l1, 0.001 * m
    for p in (10, 30):
        yield lambda x: (rosen(x), rosen_der(x)), np.random.default_rng(p).normal(size=p), 0.1, 0.0
    for seed in range(2):
        rng = np.random.default_rng(seed)
        X = rng.uniform(-1, 1, size=(80, 1))
        fun = network(X, np.sin(np.pi * X[:, 0]) + 0.1 * rng.normal(size=80), 10)
        yield fun, rng.normal(size=31), 1e-3, 0.0


def subgradient(x, gradient, l1, l2, lower=-np.inf, upper=np.inf):
    """Minimum-norm subgradient, entry by entry: what a descent would gain to the right or to the left."""
    x, gradient, l1, l2, lower, upper = (
        a.ravel() for a in np.broadcast_arrays(x, gradient, l1, l2, lower, upper)
    )  # fmt: skip
    out = np.zeros(x.size)
    for j in range(x.size):
        smooth = gradient[j] + 2 * l2[j] * x[j]
        right = smooth + (l1[j] if x[j] >= 0 else -l1[j])
        left = smooth + (l1[j] if x[j] > 0 else -l1[j])
        if right < 0 and x[j] < upper[j]:
            out[j] = right
        elif left > 0 and x[j] > lower[j]:
            out[j] = left
    return out


def certified(result, fun, l1=0.0, l2=0.0, lower=-np.inf, upper=np.inf, tol=TOL):
    """The result is stationary, and all it says of itself is so."""
    loss, gradient = fun(result.x)
    assert np.all((lower <= result.x) & (result.x <= upper))
    assert_allclose(result.loss, loss, rtol=1e-14)
    assert_array_equal(result.jac, gradient)
    assert_allclose(result.fun, loss + np.sum(l1 * abs(result.x)) + np.sum(l2 * result.x**2), rtol=1e-13)
    size = abs(subgradient(result.x, gradient, l1, l2, lower, upper)).max()
    assert_allclose(result.stationarity, size, rtol=1e-9, atol=1e-15)
    assert size <= tol
    assert result.success and result.status == 0
    return result


def split(fun, x0, l1, l2):
    """SciPy's L-BFGS-B with x = u - v, u >= 0, v >= 0: (calls, objective)."""
    n = len(x0)

    def halves(z):
        x = z[:n] - z[n:]
        value, gradient = fun(x)
        gradient = gradient + 2 * l2 * x
        return value + l1 * z.sum() + l2 * x @ x, np.concatenate([l1 + gradient, l1 - gradient])

    start = np.concatenate([np.maximum(x0, 0), np.maximum(-x0, 0)])
    options = {"gtol": TOL, "ftol": 0.0, "maxiter": 20_000, "maxfun": 50_000}
    result = scipy_minimize(halves, start, jac=True, method="L-BFGS-B", bounds=[(0, None)] * (2 * n), options=options)
    return result.nfev, result.fun


# --- against other solvers -------------------------------------------------------------------------------------------


def test_stationary_in_half_of_the_calls_of_the_split_form():
    ratios = []
    for fun, x0, l1, l2 in [*convex_problems(), *other_problems()]:
        result = certified(minimize(fun, x0, l1=l1, l2=l2), fun, l1, l2)
        calls, value = split(fun, x0, l1, l2)
        assert result.fun <= value + 1e-12 * abs(value)
        ratios.append(result.nfev / calls)
    assert len(ratios) == 30
    assert np.median(ratios) <= 0.5, ratios


@pytest.mark.parametrize("loss", ["squared", "logistic"])
@pytest.mark.parametrize("l1_ratio", [1.0, 0.5])
def test_it_agrees_with_fit_path(loss, l1_ratio):
    rng = np.random.default_rng(3)
    n, p = 80, 120
    X = rng.normal(size=(n, p)) + 0.5 * rng.normal(size=(n, 1))
    z = X[:, :4] @ [2, -2, 1, -1] + rng.logistic(size=n)
    y = z if loss == "squared" else (z > 0).astype(float)
    level, slope = CONVEX[loss]
    response = y if loss == "squared" else y - 0.5

    def fun(v):  # the intercept comes last
        r = slope(X @ v[:p] + v[p], response) / n
        return np.mean(level(X @ v[:p] + v[p], response)), np.append(X.T @ r, r.sum())

    factors = np.append(np.ones(p), 0.0)
    path = fit_path(X, y, loss=loss, l1_ratio=l1_ratio, alphas=6, eps=0.05, tol=1e-13)
    penalties = {"l1": l1_ratio * factors, "l2": 0.5 * (1 - l1_ratio) * factors}
    ours = minimize_path(fun, np.zeros(p + 1), path.alphas, tol=1e-10, **penalties)
    assert ours.success.all()
    coefs = path.coefs.toarray()
    for k, alpha in enumerate(path.alphas):
        exact = np.append(coefs[:, k], path.intercepts[k])
        value = fun(exact)[0] + alpha * (penalties["l1"] @ abs(exact) + penalties["l2"] @ exact**2)
        assert_allclose(ours.fun[k], value, rtol=1e-9)
        if k:  # at alpha_max the first entry may be in or out by rounding
            assert_array_equal(ours.x[k, :p] != 0, coefs[:, k] != 0)
    own = minimize_path(fun, np.zeros(p + 1), 6, eps=0.05, tol=1e-11, **penalties)
    assert_allclose(own.alphas, path.alphas, rtol=1e-9)
    assert own.n_nonzero[0] == 1 and own.alpha_max == own.alphas[0]


# --- the model of the Hessian and its solvers ------------------------------------------------------------------------


def bfgs(pairs, theta, n):
    """The BFGS matrix, update after update (Nocedal & Wright 2006, 6.19)."""
    B = theta * np.eye(n)
    for s, y in pairs:
        B = B - np.outer(B @ s, B @ s) / (s @ B @ s) + np.outer(y, y) / (s @ y)
    return B


def test_the_compact_form_is_the_bfgs_matrix():
    rng = np.random.default_rng(0)
    n = 12
    A = rng.normal(size=(n, n))
    A = A @ A.T + np.eye(n)
    hessian, pairs = quasi_newton.CompactHessian(n), []
    for k in range(9):
        s = rng.normal(size=n) * 10.0 ** rng.integers(-8, 8)
        pairs.append((s, A @ s))
        hessian.learn(s, A @ s, slice(None))
        B = bfgs(pairs, hessian.theta, n)
        U = hessian.columns(np.arange(n))
        assert_allclose((U.T * hessian.signs) @ U + hessian.theta * np.eye(n), B, rtol=1e-9, atol=1e-9)
        assert_allclose(hessian.times(s), B @ s, rtol=1e-9)
        assert len(hessian.held) == k + 1
    for close in (s, s + 1e-5 * np.linalg.norm(s) * rng.normal(size=n)):  # takes the place of the one before
        hessian.learn(close, A @ close, slice(None))
        assert len(hessian.held) == 9
    theta = hessian.theta
    hessian.learn(s, -A @ s, slice(None))  # no positive curvature: no pair, and longer steps
    assert len(hessian.held) == 9 and hessian.theta < theta


def model(seed, k=40, r=6):
    """(U, D, gradient, x, penalty) of a penalised quadratic with kinks, bounds of all kinds and unpenalised entries."""
    rng = np.random.default_rng(seed)
    U = rng.normal(size=(r, k))
    x = rng.normal(size=k) * (rng.random(k) < 0.5)
    lower = np.where(rng.random(k) < 0.3, np.minimum(x, rng.choice([-0.1, 0.0, 0.2], k)), -np.inf)
    upper = np.where(rng.random(k) < 0.3, np.maximum(x, rng.choice([-0.2, 0.0, 0.1], k)), np.inf)
    penalty = quasi_newton.Penalty(rng.choice([0.0, 0.5, 1.0], k), np.zeros(k), lower, upper)
    signs = np.r_[np.ones(r - 2), -np.ones(2)]
    D = 1.0 + rng.random(k) + 2 * np.linalg.norm(U[-2:], ord=2) ** 2
    return U, signs, D, penalty.slope(x, rng.choice([3, 30]) * rng.normal(size=k)), x, penalty


@given(st.integers(0, 10_000))
@settings(max_examples=30, deadline=None)
def test_both_solvers_of_the_model_find_its_minimum(seed):
    U, signs, D, slope, x, penalty = model(seed)
    at = np.arange(len(x))
    H = (U.T * signs) @ U + np.diag(D)
    dense = quasi_newton.solve_dense(U, signs, D, slope, x, penalty, at)
    compact = quasi_newton.solve_compact(U, signs, 4, D, slope, x, penalty, at, 1e-10)
    for w in (dense, compact):
        assert np.all((penalty.lower <= w) & (w <= penalty.upper))
        ahead = slope - penalty.linear + H @ (w - x)
        assert abs(subgradient(w, ahead, penalty.l1, 0.0, penalty.lower, penalty.upper)).max() < 1e-9


def test_the_kernel_does_what_coordinate_descent_does():
    U, signs, D, slope, x, penalty = model(1)
    H = (U.T * signs) @ U + np.diag(D)
    w, products, expected = x.copy(), np.zeros(6), x.copy()
    arguments = U.T.copy(), 4, D, np.diag(H).copy(), slope, x, penalty.kink, penalty.lower, penalty.upper
    worst = descend(*arguments, 2, 0.0, w, products)
    for _ in range(2):
        moves = []
        for j in range(len(x)):
            z = expected[j] - (slope + H @ (expected - x))[j] / H[j, j]
            new = np.sign(z) * max(abs(z) - penalty.kink[j] / H[j, j], 0.0)
            new = np.clip(new, penalty.lower[j], penalty.upper[j])
            moves.append(abs(new - expected[j]) * H[j, j])
            expected[j] = new
    assert_allclose(w, expected, atol=1e-12)
    assert_allclose(products, signs * (U @ (w - x)), atol=1e-12)
    assert_allclose(worst, max(moves), rtol=1e-9)
    assert_array_equal(w == 0, expected == 0)


def test_the_model_is_solved_over_all_variables():
    """Those outside the first working set are found by the model's own gradient."""
    rng = np.random.default_rng(4)
    n = 60
    A = rng.normal(size=(n, n)) + 2 * rng.normal(size=n)
    A, x, free = A @ A.T / n + np.eye(n), np.zeros(n), np.full(n, np.inf)
    hessian, penalty = quasi_newton.CompactHessian(n), quasi_newton.Penalty(np.ones(n), np.zeros(n), -free, free)
    for s in rng.normal(size=(20, n)):
        hessian.learn(s, A @ s, slice(None))
    gradient = 0.3 + rng.normal(size=n)
    first = penalty.subgradient(x, gradient)
    new, at = quasi_newton.solve_model(hessian, x, gradient, first, penalty)
    left = subgradient(new, gradient + hessian.times(new), 1.0, 0.0)
    assert abs(left).max() <= 1e-3 * abs(first).max()
    assert len(at) > np.count_nonzero(first)


def test_a_model_that_fails_is_forgotten(monkeypatch):
    fun, whole, calls = linear_problem(CONVEX["logistic"], 4, 60, 20, 0.3), quasi_newton.search, []

    def search(*arguments):
        calls.append(arguments)
        return None if len(calls) == 5 else whole(*arguments)

    monkeypatch.setattr(quasi_newton, "search", search)
    certified(minimize(fun, np.zeros(20), l1=0.01), fun, 0.01)
    assert len(calls) > 5


@pytest.mark.parametrize("limit", [0, 300])
def test_many_variables(limit, monkeypatch):
    monkeypatch.setattr(quasi_newton, "DENSE", limit)
    monkeypatch.setattr(quasi_newton, "ROOM", 40_000)  # a memory of 20
    fun = linear_problem(CONVEX["logistic"], 5, 100, 2000, 0.2)
    certified(minimize(fun, np.zeros(2000), l1=0.01), fun, 0.01)


# --- shapes, strengths and bounds ------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(), (1,), (6,), (2, 3), (3, 1, 2)])
def test_any_shape(shape):
    rng = np.random.default_rng(0)
    centre = rng.normal(size=shape)

    def fun(x, shift):
        assert x.shape == shape
        return np.sum(np.cosh(x - centre - shift)), np.sinh(x - centre - shift)

    l1 = np.full(shape, 0.3)
    result = minimize(fun, np.zeros(shape), args=(0.1,), l1=l1, l2=0.2)
    assert result.x.shape == result.jac.shape == shape
    certified(result, lambda x: fun(x, 0.1), l1, 0.2)
    path = minimize_path(fun, np.zeros(shape), 4, args=0.1)
    assert path.x.shape == (4, *shape)
    assert_array_equal(path.x[0], np.zeros(shape))


@given(st.integers(0, 10_000))
@settings(max_examples=25, deadline=None)
def test_strengths_and_bounds_of_all_kinds(seed):
    rng = np.random.default_rng(seed)
    names = list(CONVEX)
    p = int(rng.integers(1, 25))
    fun = linear_problem(CONVEX[names[seed % len(names)]], seed, 50, max(p, 5), 0.3)
    p = max(p, 5)
    l1, l2 = rng.choice([0, 0.02, 0.3], p), rng.choice([0.001, 0.1], p)
    lower = rng.choice([-np.inf, -0.3, 0.0, 0.2], p)
    upper = np.maximum(lower, rng.choice([np.inf, 0.5, 0.2, 0.0], p))
    lower, upper = np.where(lower > upper, -np.inf, lower), upper
    result = minimize(fun, rng.normal(size=p), l1=l1, l2=l2, bounds=Bounds(lower, upper))
    certified(result, fun, l1, l2, lower, upper)
    pairs = [(None if low == -np.inf else low, high) for low, high in zip(lower, upper, strict=True)]
    again = minimize(fun, np.zeros(p), l1=l1, l2=l2, bounds=pairs)
    assert_allclose(again.fun, result.fun, rtol=1e-9)


def test_the_gradient_may_be_a_function_or_differences():
    fun = linear_problem(CONVEX["logistic"], 1, 60, 8, 0.2)
    counts, limit = {"fun": 0, "jac": 0}, np.inf

    def value(w):
        assert abs(w).max() <= limit
        counts["fun"] += 1
        return fun(w)[0]

    def jac(w):
        counts["jac"] += 1
        return fun(w)[1]

    result = certified(minimize(value, np.zeros(8), jac=jac, l1=0.05), fun, 0.05)
    assert (result.nfev, result.njev) == (counts["fun"], counts["jac"])
    counts["fun"] = 0
    limit = 0.4
    inside = Bounds(-limit, limit)
    exact = minimize(fun, np.zeros(8), l1=0.05, bounds=inside)
    rough = minimize(value, np.zeros(8), jac="2-point", l1=0.05, bounds=inside, tol=1e-5)
    assert rough.success and rough.nfev == counts["fun"]
    assert_allclose(rough.x, exact.x, atol=1e-4)
    assert_array_equal(rough.x == 0, exact.x == 0)


def test_a_reused_gradient_and_a_start_that_is_kept():
    buffer, x0 = np.empty(3), np.array([5.0, 1.0, -4.0])
    before = x0.copy()

    def fun(x):
        np.subtract(x, [1.0, 2.0, 3.0], out=buffer)
        value = 0.5 * buffer @ buffer
        x[:] = np.nan
        return value, buffer

    seen = []
    result = minimize(fun, x0, l1=1.0, callback=lambda state: seen.append((state.x.copy(), state.jac)))
    assert_allclose(result.x, [0, 1, 2], atol=1e-8)
    for x, jac in seen:
        assert_array_equal(jac, x - [1.0, 2.0, 3.0])
    assert result.nfev <= 5
    assert_array_equal(x0, before)


# --- how it ends -----------------------------------------------------------------------------------------------------


def test_where_the_function_curves_downwards_steps_grow():
    centre = np.linspace(50, 200, 10)

    def fun(x):
        return np.sum(np.log1p((x - centre) ** 2)), 2 * (x - centre) / (1 + (x - centre) ** 2)

    result = certified(minimize(fun, np.zeros(10), l1=1e-3), fun, 1e-3)
    assert result.nfev < 400
    assert_allclose(result.x, centre, rtol=1e-3)


def test_values_that_are_rounded_away():
    """Differences of the objective drown long before the slopes do."""
    fun = linear_problem(CONVEX["squared"], 7, 60, 20, 0.3)
    result = minimize(lambda w: (1e6 + fun(w)[0], fun(w)[1]), np.zeros(20), l1=0.05)
    assert result.success
    assert_allclose(result.x, minimize(fun, np.zeros(20), l1=0.05).x, atol=1e-6)


def test_steps_stop_short_of_nan():
    def fun(x):
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.sum(0.01 * x - np.log(x)), 0.01 - 1 / x

    result = certified(minimize(fun, np.full(3, 0.1), l1=0.5), fun, 0.5)
    assert_allclose(result.x, 1 / 0.51, rtol=1e-6)


def test_callback():
    fun, seen = linear_problem(CONVEX["squared"], 2, 60, 20, 0.3), []

    def callback(state):
        assert isinstance(state, OptimizeResult)
        seen.append(state)
        if len(seen) == 3:
            raise StopIteration

    result = minimize(fun, np.zeros(20), l1=0.05, callback=callback)
    assert not result.success and result.status == 99 and "StopIteration" in result.message
    assert [state.nit for state in seen] == [1, 2, 3] and result.nit == 3
    assert_array_equal(seen[-1].x, result.x)
    assert seen[0].fun > seen[1].fun > seen[2].fun == result.fun


def test_it_says_when_it_did_not_get_there():
    fun = linear_problem(CONVEX["squared"], 2, 60, 20, 0.3)
    short = minimize(fun, np.zeros(20), max_iter=2)
    assert not short.success and short.status == 1 and "max_iter" in short.message
    wrong = minimize(lambda w: (fun(w)[0], -fun(w)[1]), np.zeros(20))
    assert not wrong.success and wrong.status == 2 and "check jac" in wrong.message
    endless = minimize(lambda x: (x.sum(), np.ones(3)), np.zeros(3), l1=0.5)
    assert not endless.success and endless.status == 3
    certified(minimize(lambda x: (x.sum(), np.ones(3)), np.ones(3), l1=2.0), lambda x: (x.sum(), np.ones(3)), 2.0)


# --- bad input -------------------------------------------------------------------------------------------------------


def good(x):
    return x @ x / 2, x


def never(x):
    raise AssertionError("called before the arguments were checked")


BAD = {
    "fun must be a function": {"fun": 3},
    "x0 is empty": {"x0": []},
    "x0 must be finite": {"x0": [0.0, np.nan]},
    "x0 must hold real": {"x0": ["a", "b"]},
    "jac=": {"jac": "3-points"},
    "jac=False": {"jac": False},
    "l1 must be >= 0": {"l1": [1.0, -1.0]},
    "l2 must be >= 0": {"l2": -1e-9},
    "l1 must be finite": {"l1": np.inf},
    "l2 has shape": {"l2": [1.0, 1.0, 1.0]},
    "l1 must hold real": {"l1": "1"},
    "tol must be": {"tol": -1.0},
    "max_iter must be": {"max_iter": 0},
    "callback must be": {"callback": 3},
    "2 pairs": {"bounds": [(0, 1)]},
    "bounds must be a scipy.optimize.Bounds": {"bounds": [0, 1]},
    "must broadcast|that broadcast": {"bounds": Bounds([0, 0, 0], 1)},
    "bounds of entry 1": {"bounds": [(0, 1), (2, 1)]},
    "bounds of entry 0": {"bounds": [(np.nan, 1), (0, 1)]},
}


@pytest.mark.parametrize("message", BAD)
def test_bad_arguments_are_named_before_any_work(message):
    arguments = {"fun": never, "x0": [0.0, 0.0]} | BAD[message]
    with pytest.raises((ValueError, TypeError), match=message):
        minimize(arguments.pop("fun"), arguments.pop("x0"), **arguments)


@pytest.mark.parametrize(
    ("fun", "options", "message"),
    [
        (lambda x: x @ x, {}, "must return a pair"),
        (good, {"jac": lambda x: x}, "pass jac=True"),
        (lambda x: (x @ x, np.append(x, 0)), {}, "the gradient that fun returns has shape"),
        (lambda x: x @ x, {"jac": lambda x: x[:, None]}, "what jac returns has shape"),
        (lambda x: (x, x), {}, "one real number"),
        (lambda x: (1j, x), {}, "one real number"),
        (lambda x: (np.nan, x), {}, "fun is nan at x0"),
        (lambda x: (np.inf, x), {}, "fun is inf at x0"),
        (lambda x: (0.0, x * np.nan), {}, "gradient is not finite at x0"),
    ],
)
def test_bad_functions_are_told_apart(fun, options, message):
    with pytest.raises((ValueError, TypeError), match=message):
        minimize(fun, np.ones(2), **options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"l1_grid": 0}, "l1_grid must be at least 1"),
        ({"l1_grid": []}, "l1_grid must be an integer"),
        ({"l1_grid": [1.0, -1.0]}, "l1_grid must be >= 0"),
        ({"l1_grid": [1.0, np.nan]}, "l1_grid must be finite"),
        ({"eps": 2.0}, "eps"),
        ({"l1": 0.0}, "needs l1 > 0 somewhere"),
        ({"l1": [1.0, 0.0], "l2": 1.0}, "needs l1 > 0 wherever l2 > 0"),
        ({"bounds": [(0, 1), (1, 2)]}, "keep penalised entry 1 from zero"),
    ],
)
def test_bad_grids(options, message):
    with pytest.raises((ValueError, TypeError), match=message):
        minimize_path(never, np.ones(2), **options)


def test_a_network_has_no_automatic_grid():
    X = np.linspace(-1, 1, 20)[:, None]
    fun = network(X, np.sin(3 * X[:, 0]), 4)
    weights = np.repeat([1.0, 0.0, 1.0, 0.0], [4, 4, 4, 1])
    with pytest.raises(ValueError, match="for a neural network that is no minimum"):
        minimize_path(fun, np.random.default_rng(0).normal(size=13) * weights, l1=weights)


# --- the textbook's network ------------------------------------------------------------------------------------------


def test_the_network_of_the_textbook():
    """500 gradient steps give its errors to the last digit; `minimize` gets lower, with zeros, from the same start."""
    split_data = pytest.importorskip("sklearn.model_selection").train_test_split
    stream, hidden = np.random.RandomState(0), 10
    X = stream.uniform(-1, 1, (100, 1))
    y = np.sin(np.pi * X) + 0.1 * stream.randn(100, 1)
    X, X_test, y, y_test = split_data(X, y, test_size=0.2, random_state=0)
    fun, test_error = (network(rows, response[:, 0], hidden) for rows, response in ((X, y), (X_test, y_test)))
    weights = np.repeat([1.0, 0.0, 1.0, 0.0], [hidden, hidden, hidden, 1])
    for l1, l2, error in [(0.0, 0.0, 0.040118), (0.01, 0.0, 0.105428), (0.0, 0.01, 0.093863)]:
        W1, W2 = stream.randn(hidden), stream.randn(hidden)
        start = np.concatenate([W1, np.zeros(hidden), W2, [0.0]])
        v = start
        for _ in range(500):
            v = v - 0.01 * (fun(v)[1] + weights * (l1 * np.sign(v) + 2 * l2 * v))
        assert f"{test_error(v)[0]:.6f}" == f"{error:.6f}"
        reached = fun(v)[0] + weights @ (l1 * abs(v) + l2 * v**2)
        result = minimize(fun, start, l1=l1 * weights, l2=l2 * weights, max_iter=1000)
        assert result.fun < 0.6 * reached and test_error(result.x)[0] < 0.6 * error
        if l1 or l2:
            certified(result, fun, l1 * weights, l2 * weights)
        if l1:
            assert np.count_nonzero(result.x * weights) <= 8 < np.count_nonzero(v * weights)
