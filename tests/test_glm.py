"""Losses that are not quadratic, in every storage and with every modifier: certificates computed from X itself."""

import warnings
from itertools import product

import numpy as np
import pytest
import reference
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from scipy.optimize import root

from fastreg import ConvergenceWarning, Problem, fit_path, fit_paths
from fastreg.solve import glm

LOSSES = ["logistic", "poisson", "squared_hinge", "huber"]
BINARY = ["logistic", "squared_hinge"]
STORAGES = {
    "C": np.ascontiguousarray,
    "F": np.asfortranarray,
    "csc": sparse.csc_matrix,
    "csr": sparse.csr_array,
}
TOL = 1e-10  # the default
ROUNDING = 1e-13
every_loss = pytest.mark.parametrize("loss", LOSSES)
every_storage = pytest.mark.parametrize("storage", STORAGES)


def response(loss, z, rng):
    """Responses that a model with linear predictor z may have."""
    if loss in BINARY:
        return (z + rng.logistic(size=len(z)) > 0).astype(np.float64)
    if loss == "poisson":
        return rng.poisson(np.exp(np.clip(0.5 * z, -20, 4))).astype(np.float64)
    return z + rng.standard_t(2, size=len(z))


def data(loss, n=60, p=12, seed=0, correlation=0.3):
    rng = np.random.default_rng(seed)
    X = np.sqrt(1 - correlation) * rng.normal(size=(n, p)) + np.sqrt(correlation) * rng.normal(size=(n, 1))
    z = X[:, :5] @ np.array([1.5, -1.5, 1.0, -0.5, 0.5])[: min(p, 5)]
    return X, response(loss, z, rng)


def proved(X, y, path, tol=TOL, **arguments):
    """Every solution is within `tol` by its own word and by the reference's certificate, and stationary as far as that
    makes it; returns the coefficients (p, L)."""
    problem = reference.glm(X, y, **arguments)
    coefs = path.coefs.toarray()
    assert np.all(np.isfinite(coefs))
    assert np.all(coefs >= problem.lower[:, None])
    assert np.all(coefs <= problem.upper[:, None])
    assert np.all(path.dual_gaps >= 0)
    assert path.relative_gaps.max() <= tol
    null = path.null_objective
    for k, alpha in enumerate(path.alphas):
        point = coefs[:, k], path.intercepts[k], alpha
        gap = problem.gap(*point)
        assert gap <= (10 * tol + ROUNDING) * null, (alpha, gap / null)
        residual = problem.kkt_residual(*point)
        assert residual <= 10 * np.sqrt(tol), (alpha, residual)
    return coefs


def fit(X, y, tol=TOL, **arguments):
    path = fit_path(X, y, tol=tol, **arguments)
    modifiers = {name: value for name, value in arguments.items() if name not in ENGINE}
    proved(X, y, path, tol, **modifiers)
    return path


ENGINE = ("alphas", "eps", "dfmax", "max_iter", "coef_init", "n_jobs")


# --- every combination -----------------------------------------------------------------------------------------------


def modified(loss, seed, dtype):
    """A design with zeros, a constant column and a shifted one; its response; modifiers of all kinds."""
    rng = np.random.default_rng(seed)
    n, p = (50, 12) if seed % 2 else (36, 45)
    X = rng.normal(size=(n, p)) * rng.uniform(0.3, 2, p) * (rng.random((n, p)) < 0.6)
    X[:, 3] = 2.0
    X[:, 5] += 4.0
    X = X.astype(dtype)
    y = response(loss, X[:, :3].astype(np.float64) @ [1, -1, 0.5], rng)
    weights = rng.uniform(0.2, 2, n) * (rng.random(n) < 0.85)
    factors = rng.choice([0.3, 1, 2], p)
    factors[[0, 7]], factors[[2, 9]] = 0.0, np.inf
    lower, upper = -rng.choice([0, 0.05, 0.3, np.inf], p), rng.choice([0, 0.05, 0.3, np.inf], p)
    return X, y, weights, factors, lower, upper, 0.5 * rng.normal(size=n)


@every_loss
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@every_storage
def test_every_combination_is_optimal(storage, dtype, loss):
    switches = product([False, True], repeat=5)
    turn = list(STORAGES).index(storage)
    for seed, (weighted, intercept, standardize, factored, bounded) in enumerate(switches):
        X, y, weights, factors, lower, upper, offset = modified(loss, seed, dtype)
        modifiers = {
            "fit_intercept": intercept,
            "standardize": standardize,
            "l1_ratio": (1.0, 0.5, 0.1)[(seed + turn) % 3],
        }
        if weighted:
            modifiers |= {"sample_weight": weights, "offset": offset}
        if factored:
            modifiers["penalty_factor"] = factors
        if bounded:
            modifiers |= {"lower_bounds": lower, "upper_bounds": upper}
        path = fit_path(STORAGES[storage](X), y, loss=loss, alphas=5, **modifiers)
        proved(X, y, path, loss=loss, **modifiers)


@every_loss
def test_the_certificates_can_fail(loss):
    X, y = data(loss)
    path = fit_path(X, y, loss=loss, alphas=[0.02])
    problem = reference.glm(X, y, loss)
    w, b = point(path, 0)
    null = path.null_objective
    assert problem.gap(w, b, 0.02) <= TOL * null
    assert problem.kkt_residual(w, b, 0.02) < 1e-5
    other = w.copy()
    other[np.flatnonzero(w)[0]] *= 1.01
    for worse in ((w, b, 0.021), (w, b + 0.01, 0.02), (other, b, 0.02)):
        assert problem.gap(*worse) > 1e3 * TOL * null
        assert problem.kkt_residual(*worse) > 1e-4


def point(path, k):
    return path.coefs[:, [k]].toarray().ravel(), path.intercepts[k]


@every_loss
@pytest.mark.parametrize("l1_ratio", [1.0, 0.4])
@pytest.mark.parametrize("kind", ["plain", "bounds", "factors"])
def test_a_slow_solver_finds_nothing_better(loss, l1_ratio, kind):
    X, y, weights, factors, lower, upper, offset = modified(loss, 1, np.float64)
    modifiers = {
        "plain": {}, "bounds": {"lower_bounds": lower, "upper_bounds": upper, "offset": offset},
        "factors": {"penalty_factor": factors, "sample_weight": weights, "standardize": True},
    }[kind]  # fmt: skip
    path = fit_path(X, y, loss=loss, alphas=4, eps=0.05, l1_ratio=l1_ratio, **modifiers)
    problem = reference.glm(X, y, loss, l1_ratio=l1_ratio, **modifiers)
    *_, null = problem.null()
    assert_allclose(path.null_objective, null, rtol=1e-8)
    for k, alpha in enumerate(path.alphas):
        _, _, best = problem.fit(alpha)
        assert_allclose(problem.objective(*point(path, k), alpha), best, rtol=1e-7)
        assert problem.objective(*point(path, k), alpha) <= best + 1e-9 * null


@every_loss
@every_storage
@pytest.mark.parametrize(("n", "p"), [(60, 12), (30, 80), (1, 3), (4, 1)])
def test_shapes(storage, loss, n, p):
    X, y = data(loss, max(n, 2), p)
    y[:2] = 0, 1
    weights = None
    if n == 1 and loss in ("poisson", "huber"):
        X, y = X[:1], y[:1] + 1
    for l1_ratio in (1.0, 0.3):
        fit(STORAGES[storage](X), y, loss=loss, alphas=6, l1_ratio=l1_ratio, sample_weight=weights)


# --- the grid --------------------------------------------------------------------------------------------------------


@every_loss
@pytest.mark.parametrize(
    "kind", ["plain", "positive", "standardize", "origin", "weights", "offset", "ratio", "factors"]
)
def test_alpha_max_is_exact(loss, kind):
    X, y, weights, factors, *_, offset = modified(loss, 1, np.float64)
    modifiers = {
        "plain": {}, "positive": {"positive": True}, "standardize": {"standardize": True},
        "origin": {"fit_intercept": False}, "weights": {"sample_weight": weights}, "offset": {"offset": offset},
        "ratio": {"l1_ratio": 0.3}, "factors": {"penalty_factor": np.where(factors == 0, 1.0, factors)},
    }[kind]  # fmt: skip
    path = fit_path(X, y, loss=loss, alphas=3, **modifiers)
    problem = reference.glm(X, y, loss, **modifiers)
    _, b, _ = problem.null()
    for _ in range(4):  # Newton's method, as the slow solver's intercept has half the digits
        z = problem.offset + b
        curvature = problem.s @ reference.loss_curvature(loss, problem.y, z)
        b -= problem.slope(z).sum() / curvature if problem.fit_intercept else 0.0
    c = -problem.X.T @ problem.slope(problem.offset + b)
    wanted = np.where(c > 0, problem.upper, problem.lower) != 0
    top = np.max(np.abs(c[wanted]) / problem.l1[wanted])
    assert_allclose(path.alpha_max, top, rtol=1e-11)
    assert path.alphas[0] == path.alpha_max
    assert not path.coefs[:, [0]].toarray().any()
    alphas = path.alpha_max * np.array([2.0, 1.0, 1.0 - 1e-4])
    at = fit_path(X, y, loss=loss, alphas=alphas, **modifiers)
    assert at.n_nonzero.tolist() == [0, 0, 1]
    assert at.relative_gaps.max() <= TOL


@every_loss
def test_a_given_grid_gives_what_the_automatic_one_gives(loss):
    X, y = data(loss)
    path = fit_path(X, y, loss=loss, alphas=8, eps=0.01, tol=1e-13)
    assert_allclose(path.alphas, np.geomspace(path.alpha_max, 0.01 * path.alpha_max, 8), rtol=1e-12)
    given = fit_path(X, y, loss=loss, alphas=path.alphas[[5, 2, 7]], tol=1e-13)
    assert_allclose(given.coefs.toarray(), path.coefs[:, [2, 5, 7]].toarray(), atol=1e-6)
    assert_allclose(given.intercepts, path.intercepts[[2, 5, 7]], atol=1e-6)


@every_loss
def test_above_alpha_max_there_is_the_null_model(loss):
    X, y = data(loss)
    path = fit_path(X, y, loss=loss, alphas=[1e6])
    assert not path.coefs.toarray().any()
    assert path.intercepts[0] == path.null_intercept
    assert path.n_iter[0] == 0


@every_loss
def test_dfmax_ends_the_path(loss):
    X, y = data(loss)
    whole, short = fit_path(X, y, loss=loss), fit_path(X, y, loss=loss, dfmax=3)
    count = len(short.alphas)
    assert 1 < count < len(whole.alphas)
    assert short.n_nonzero.max() <= 3
    assert whole.n_nonzero[count] > 3
    assert_allclose(short.coefs.toarray(), whole.coefs[:, :count].toarray(), atol=1e-4)


# --- starts and effort -----------------------------------------------------------------------------------------------


@every_loss
@pytest.mark.parametrize(("n", "p"), [(60, 12), (30, 80)])
def test_any_start_leads_to_the_same_solution(loss, n, p):
    X, y = data(loss, n, p)
    cold = fit_path(X, y, loss=loss, alphas=[0.03])
    w, _ = point(cold, 0)
    problem = reference.glm(X, y, loss)
    best = problem.objective(*point(cold, 0), 0.03)
    for start in (w, -w, np.ones(p), 50 * np.random.default_rng(0).normal(size=p)):
        path = fit(X, y, loss=loss, alphas=[0.03], coef_init=start)
        assert_allclose(problem.objective(*point(path, 0), 0.03), best, rtol=1e-9)
        if start is w:
            assert path.n_iter[0] <= 1


@every_loss
def test_a_warm_path_takes_few_steps(loss):
    X, y = data(loss, 200, 30)
    path = fit_path(X, y, loss=loss, alphas=100)
    assert path.n_iter.mean() <= 8
    assert path.n_passes <= 30


@every_loss
def test_max_iter_is_obeyed_and_told(loss):
    X, y = data(loss, 30, 80)
    with pytest.warns(ConvergenceWarning, match="after 1 iterations the duality gap is"):
        path = fit_path(X, y, loss=loss, alphas=[1e-3], max_iter=1)
    assert path.n_iter.tolist() == [1]
    gap = reference.glm(X, y, loss).gap(*point(path, 0), 1e-3)
    assert 0 < path.dual_gaps[0] < np.inf
    exact = fit_path(X, y, loss=loss, alphas=[1e-3])
    problem = reference.glm(X, y, loss)
    excess = problem.objective(*point(path, 0), 1e-3) - problem.objective(*point(exact, 0), 1e-3)
    assert path.dual_gaps[0] >= excess - 1e-12
    assert gap >= excess - 1e-12


# --- what must not matter --------------------------------------------------------------------------------------------

FINE = 1e-13  # so that coefficients of a well-conditioned problem agree in six digits


def same(one, other, atol=1e-6):
    assert_allclose(one.alphas, other.alphas, rtol=1e-9)
    assert_allclose(one.coefs.toarray(), other.coefs.toarray(), atol=atol)
    assert_allclose(one.intercepts, other.intercepts, atol=atol)


seeds = st.integers(0, 2**31)
some_loss = st.sampled_from(LOSSES)
few = settings(max_examples=12, deadline=None, derandomize=True)


def small(loss, seed):
    return data(loss, 50, 7, seed)


@few
@given(some_loss, seeds, st.booleans())
def test_duplicated_rows_are_doubled_weights(loss, seed, standardize):
    X, y = small(loss, seed)
    times = np.random.default_rng(seed).integers(0, 3, len(y))
    times[[np.argmax(y), np.argmin(y)]] += 1
    arguments = {"loss": loss, "standardize": standardize, "alphas": 4, "eps": 0.02, "tol": FINE}
    same(
        fit_path(np.repeat(X, times, axis=0), np.repeat(y, times), **arguments),
        fit_path(X, y, sample_weight=times, **arguments),
    )


@few
@given(some_loss, seeds, st.sampled_from([1e-9, 0.3, 1e12]))
def test_the_scale_of_the_weights_does_not_matter(loss, seed, scale):
    X, y = small(loss, seed)
    weights = np.random.default_rng(seed).uniform(0.1, 1, len(y))
    arguments = {"loss": loss, "alphas": 4, "eps": 0.02, "tol": FINE}
    same(fit_path(X, y, sample_weight=weights, **arguments), fit_path(X, y, sample_weight=scale * weights, **arguments))


@few
@given(some_loss, seeds, st.booleans(), st.booleans())
def test_the_storage_does_not_matter(loss, seed, standardize, weighted):
    X, y = small(loss, seed)
    X[np.random.default_rng(seed).random(X.shape) < 0.4] = 0.0
    weights = np.random.default_rng(seed).uniform(0.1, 1, len(y)) if weighted else None
    arguments = {"loss": loss, "standardize": standardize, "sample_weight": weights}
    paths = [fit_path(store(X), y, alphas=4, eps=0.02, tol=FINE, **arguments) for store in STORAGES.values()]
    for path in paths[1:]:
        same(paths[0], path)
    single = np.float32(X)
    for store in STORAGES.values():
        same(
            fit_path(store(single), y, alphas=4, eps=0.02, tol=FINE, **arguments),
            fit_path(single.astype(np.float64), y, alphas=4, eps=0.02, tol=FINE, **arguments),
        )


@few
@given(some_loss, seeds)
def test_the_order_of_columns_and_rows_does_not_matter(loss, seed):
    X, y = small(loss, seed)
    rng = np.random.default_rng(seed)
    rows, columns = rng.permutation(len(y)), rng.permutation(X.shape[1])
    path = fit_path(X, y, loss=loss, alphas=4, eps=0.02, tol=FINE)
    other = fit_path(X[rows][:, columns], y[rows], loss=loss, alphas=4, eps=0.02, tol=FINE)
    assert_allclose(other.coefs.toarray(), path.coefs.toarray()[columns], atol=1e-6)
    assert_allclose(other.intercepts, path.intercepts, atol=1e-6)


@few
@given(st.sampled_from(["logistic", "squared_hinge", "huber"]), seeds)
def test_a_flipped_response_flips_the_signs(loss, seed):
    X, y = small(loss, seed)
    path = fit_path(X, y, loss=loss, alphas=4, eps=0.02, tol=FINE)
    other = fit_path(X, 1 - y if loss in BINARY else -y, loss=loss, alphas=4, eps=0.02, tol=FINE)
    assert_allclose(other.coefs.toarray(), -path.coefs.toarray(), atol=1e-6)
    assert_allclose(other.intercepts, -path.intercepts, atol=1e-6)


@few
@given(some_loss, seeds, st.floats(-30, 30))
def test_a_constant_offset_goes_into_the_intercept(loss, seed, shift):
    X, y = small(loss, seed)
    path = fit_path(X, y, loss=loss, alphas=4, eps=0.02, tol=FINE)
    other = fit_path(X, y, loss=loss, offset=np.full(len(y), shift), alphas=4, eps=0.02, tol=FINE)
    assert_allclose(other.coefs.toarray(), path.coefs.toarray(), atol=1e-6)
    assert_allclose(other.intercepts, path.intercepts - shift, atol=1e-6)


@few
@given(some_loss, seeds)
def test_an_offset_along_a_column_goes_into_its_coefficient(loss, seed):
    X, y = small(loss, seed)
    factor = np.ones(X.shape[1])
    factor[0] = 0.0
    arguments = {"loss": loss, "penalty_factor": factor, "alphas": 4, "eps": 0.02, "tol": FINE}
    path = fit_path(X, y, **arguments)
    other = fit_path(X, y, offset=0.7 * X[:, 0], **arguments)
    expected = path.coefs.toarray()
    expected[0] -= 0.7
    assert_allclose(other.coefs.toarray(), expected, atol=1e-6)


@few
@given(seeds, st.floats(0.01, 100))
def test_huber_scales_with_y(seed, scale):
    X, y = small("huber", seed)
    path = fit_path(X, y, loss="huber", delta=0.8, alphas=4, eps=0.02, tol=FINE)
    other = fit_path(X, scale * y, loss="huber", delta=0.8 * scale, alphas=4, eps=0.02, tol=FINE)
    assert_allclose(other.alphas, scale * path.alphas, rtol=1e-9)
    assert_allclose(other.coefs.toarray(), scale * path.coefs.toarray(), atol=1e-6 * scale)


@pytest.mark.parametrize(("n", "p"), [(60, 12), (30, 80)])
@pytest.mark.parametrize("modifiers", [{}, {"l1_ratio": 0.4, "standardize": True}])
def test_huber_with_a_huge_delta_is_the_squared_loss(n, p, modifiers):
    X, y = data("huber", n, p)
    path = fit_path(X, y, loss="huber", delta=1e4, alphas=10, eps=0.02, tol=FINE, **modifiers)
    same(path, fit_path(X, y, alphas=10, eps=0.02, tol=FINE, **modifiers))
    assert_allclose(path.null_objective, 0.5 * y.var(), rtol=1e-12)


@every_loss
@every_storage
@pytest.mark.parametrize("l1_ratio", [1.0, 0.3])
def test_the_same_bits_for_any_number_of_threads(storage, loss, l1_ratio):
    X, y = data(loss, 40, 90)
    X[np.abs(X) < 0.5] = 0.0
    X = STORAGES[storage](X)
    one, two = (fit_path(X, y, loss=loss, alphas=10, l1_ratio=l1_ratio, n_jobs=jobs) for jobs in (1, 2))
    assert_array_equal(one.coefs.toarray(), two.coefs.toarray())
    assert_array_equal(one.intercepts, two.intercepts)
    assert_array_equal(one.dual_gaps, two.dual_gaps)


@every_loss
@every_storage
def test_x_may_be_read_only_and_is_left_alone(storage, loss):
    X, y = data(loss)
    X = STORAGES[storage](X)
    arrays = [X] if isinstance(X, np.ndarray) else [X.data, X.indices, X.indptr]
    weights, offset = np.ones(len(y)), np.zeros(len(y))
    before = [array.copy() for array in (*arrays, y, weights, offset)]
    for array in (*arrays, y, weights, offset):
        array.flags.writeable = False
    fit_path(X, y, loss=loss, sample_weight=weights, offset=offset, alphas=5)
    for array, old in zip((*arrays, y, weights, offset), before, strict=True):
        assert_array_equal(array, old)


@every_loss
def test_problems_of_one_batch_do_not_mix(loss):
    X, y, weights, factors, lower, upper, offset = modified(loss, 1, np.float64)
    folds, common = np.arange(len(y)) % 4, {"loss": loss, "alphas": 12, "eps": 0.01, "tol": 1e-12}
    problems = [Problem(y, sample_weight=(folds != k).astype(float), **common) for k in range(4)]
    problems += [
        Problem(y, penalty_factor=factors, **common),
        Problem(y, lower_bounds=lower, upper_bounds=upper, **common),
        Problem(y, offset=offset, sample_weight=weights, **common),
        Problem(y, l1_ratio=0.2, **common), Problem(y, dfmax=4, **common),
        Problem(y, **(common | {"loss": "huber", "delta": 0.5})),
    ]  # fmt: skip
    together = fit_paths(X, problems)
    for k, (problem, path) in enumerate(zip(problems, together, strict=True)):
        assert path.relative_gaps.max() <= 1e-12
        same(path, fit_paths(X, [problem])[0], atol=1e-4)
        if k < 4:
            rest = folds != k
            same(path, fit_path(X[rest], y[rest], **common), atol=1e-4)


@pytest.mark.parametrize("tol", [1e-10, 1e-12])
def test_long_huber_paths_end_at_rounding(tol):
    X, y, *_ = modified("huber", 1, np.float64)
    path = fit(X, y, loss="huber", delta=0.5, tol=tol)
    assert path.n_iter.max() <= 50


# --- no penalty ------------------------------------------------------------------------------------------------------


def minimum(problem):
    """(coefficients, intercept) without a penalty: a zero of the slope, in full precision."""
    w, b, _ = problem.fit(0.0)
    columns = np.column_stack([problem.X, np.ones(len(problem.y))]) if problem.fit_intercept else problem.X

    def slope(at):
        return columns.T @ problem.slope(problem.offset + columns @ at)

    found = root(slope, np.append(w, b)[: columns.shape[1]], tol=1e-15).x
    assert np.abs(slope(found)).max() <= 1e-13 * np.abs(columns).max()
    return found[: len(w)], found[-1] if problem.fit_intercept else 0.0


@every_loss
@pytest.mark.parametrize("kind", ["plain", "origin", "weights", "standardize"])
def test_alpha_zero_is_the_minimum_of_the_loss(loss, kind):
    X, y = data(loss, 200, 6)
    rng = np.random.default_rng(0)
    modifiers = {
        "plain": {}, "origin": {"fit_intercept": False}, "standardize": {"standardize": True},
        "weights": {"sample_weight": rng.integers(0, 3, 200), "offset": 0.3 * rng.normal(size=200)},
    }[kind]  # fmt: skip
    problem = reference.glm(X, y, loss, **modifiers)
    w, b = minimum(problem)
    for store, alphas in product(STORAGES.values(), ([0.0], [0.1, 0.0])):
        path = fit_path(store(X), y, loss=loss, alphas=alphas, **modifiers)
        assert path.relative_gaps.max() <= TOL
        assert problem.gap(*point(path, -1), 0.0) <= 10 * TOL * path.null_objective
        assert_allclose(point(path, -1)[0], w, atol=1e-5)
        assert_allclose(path.intercepts[-1], b, atol=1e-5)
        assert path.n_iter[-1] <= 30


@every_loss
@pytest.mark.parametrize("kind", ["bounds", "factors", "both"])
def test_alpha_zero_with_bounds_and_excluded_features(loss, kind):
    X, y, _, factors, lower, upper, _ = modified(loss, 1, np.float64)
    modifiers = {"penalty_factor": factors} if kind != "bounds" else {}
    modifiers |= {"lower_bounds": lower, "upper_bounds": upper} if kind != "factors" else {}
    problem = reference.glm(X, y, loss, **modifiers)
    *_, best = problem.fit(0.0)
    for store, alphas in product(STORAGES.values(), ([0.0], [0.1, 0.0])):
        path = fit_path(store(X), y, loss=loss, alphas=alphas, **modifiers)
        w, b = point(path, -1)
        assert np.all(w >= problem.lower)
        assert np.all(w <= problem.upper)
        assert problem.kkt_residual(w, b, 0.0) <= 1e-5
        assert problem.objective(w, b, 0.0) <= best + 10 * TOL * path.null_objective
        assert path.relative_gaps.max() <= TOL


@every_storage
@pytest.mark.parametrize(("n", "p"), [(40, 5), (25, 60)])
@pytest.mark.parametrize("alphas", [[0.0], [0.1, 0.0]])
def test_separable_classes_without_a_penalty_are_told(storage, n, p, alphas):
    X = np.random.default_rng(3).normal(size=(n, p))
    y = (X[:, 0] > X[:, 1]).astype(float)
    with pytest.warns(ConvergenceWarning, match="the classes are separable: at alpha=0"):
        path = fit_path(STORAGES[storage](X), y, loss="logistic", alphas=alphas)
    w, b = point(path, -1)
    assert np.all(np.isfinite(w))
    assert np.isfinite(b)
    assert_array_equal(path.predict(X, 0.0), y)
    assert path.deviance_ratio[-1] > 1 - 1e-9
    fit(X, y, loss="squared_hinge", alphas=[0.0])  # has a minimum all the same
    assert fit_path(X, y, loss="squared_hinge", alphas=alphas).deviance_ratio[-1] == pytest.approx(1)


@pytest.mark.parametrize("loss", ["logistic", "squared_hinge"])
@pytest.mark.parametrize("alphas", [4, [0.1, 0.01]])
def test_classes_that_unpenalised_features_separate_have_an_answer(loss, alphas):
    X, _ = data(loss)
    y = (X[:, 0] > 0).astype(float)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        path = fit_path(X, y, loss=loss, penalty_factor=np.r_[0.0, np.ones(11)], alphas=alphas)
    assert ["separable by unpenalised features" in str(one.message) for one in caught] == [True] * (loss == "logistic")
    assert 0 <= path.null_objective <= 1e-9
    assert np.all(path.dual_gaps >= 0)
    assert np.all(np.isfinite(path.coefs.toarray()))
    assert_array_equal(path.predict(X, path.alphas[-1]), y)


@every_storage
@pytest.mark.parametrize("alphas", [[0.0], [0.1, 0.0]])
def test_more_features_than_rows_without_a_penalty(storage, alphas):
    for seed in range(3):
        X = np.random.default_rng(seed).normal(size=(25, 60))
        z = X[:, 0] - X[:, 1]
        for loss, y in (("huber", z), ("squared_hinge", (z > 0).astype(float)), ("poisson", np.ceil(np.exp(z)))):
            path = fit_path(STORAGES[storage](X), y, loss=loss, alphas=alphas)
            assert_allclose(path.deviance_ratio[-1], 1, atol=1e-9)
            assert np.abs(point(path, -1)[0]).max() < 100


@pytest.mark.parametrize("alphas", [[0.0], [0.1, 0.0]])
def test_counts_of_zero_whose_rates_would_go_to_zero(alphas):
    """The minimum is at infinity: either the loss gets as close to it as the gap says, or there is a warning."""
    X, y = data("poisson", 25, 60)
    assert 0 < np.count_nonzero(y == 0) < 25
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        path = fit_path(X, y, loss="poisson", alphas=alphas)
    assert np.all(np.isfinite(point(path, -1)[0]))
    assert caught or 1 - path.deviance_ratio[-1] <= 100 * TOL  # at alpha = 0 the gap is an estimate


# --- inputs that break solvers ---------------------------------------------------------------------------------------


@every_loss
@pytest.mark.parametrize("standardize", [False, True])
@pytest.mark.parametrize("value", [0.0, 0.1, -1e8 / 3])
def test_constant_columns_stay_at_zero(loss, value, standardize):
    for n, p in ((60, 12), (30, 60)):
        X, y = data(loss, n, p)
        X[:, [1, 7]] = value
        path = fit(X, y, loss=loss, alphas=8, standardize=standardize)
        assert not path.coefs.toarray()[[1, 7]].any()
        assert not fit_path(sparse.csc_array(X), y, loss=loss, alphas=8, standardize=standardize).coefs[[1, 7]].nnz


@every_loss
@pytest.mark.parametrize("l1_ratio", [1.0, 0.5])
@pytest.mark.parametrize(("n", "p"), [(60, 8), (25, 40)])
def test_duplicate_and_negated_columns(loss, l1_ratio, n, p):
    X, y = data(loss, n, p)
    twice = np.hstack([X, -X[:, ::-1], X])
    path = fit(twice, y, loss=loss, alphas=10, l1_ratio=l1_ratio)
    if l1_ratio == 1.0:  # splitting a coefficient changes neither fit nor penalty
        once = fit_path(X, y, loss=loss, alphas=path.alphas)
        problem, copies = reference.glm(X, y, loss), reference.glm(twice, y, loss)
        for k, alpha in enumerate(path.alphas):
            best = problem.objective(*point(once, k), alpha)
            assert_allclose(copies.objective(*point(path, k), alpha), best, rtol=1e-8)


@every_loss
@pytest.mark.parametrize("storage", ["C", "csc"])
@pytest.mark.parametrize("standardize", [False, True])
def test_columns_of_scales_over_eight_decades(storage, loss, standardize):
    X, y = data(loss)
    scale = np.geomspace(1e-4, 1e4, X.shape[1])
    path = fit(STORAGES[storage](X * scale), y, loss=loss, alphas=8, standardize=standardize)
    if standardize:
        plain = fit_path(X, y, loss=loss, alphas=8, standardize=True)
        assert_allclose(path.coefs.toarray() * scale[:, None], plain.coefs.toarray(), atol=1e-4)


@every_loss
@pytest.mark.parametrize("storage", ["C", "F", "csc"])
@pytest.mark.parametrize("standardize", [False, True])
@pytest.mark.parametrize("far", [100.0, 1000.0])
def test_columns_far_from_zero(storage, loss, standardize, far):
    for n, p in ((60, 12), (30, 60)):
        X, y = data(loss, n, p)
        shift = far * np.random.default_rng(0).choice([-1.0, 1.0, 2.0], p)
        # sparse columns are read as they are: their products round by as much as they are far
        tol = 10 * TOL if storage == "csc" and far > 100 else TOL
        path = fit_path(STORAGES[storage](X + shift), y, loss=loss, alphas=8, standardize=standardize, tol=tol)
        coefs = path.coefs.toarray()
        assert path.relative_gaps.max() <= tol
        problem = reference.glm(X, y, loss, standardize=standardize)
        for k, alpha in enumerate(path.alphas):
            w, b = coefs[:, k], path.intercepts[k] + shift @ coefs[:, k]
            assert problem.gap(w, b, alpha) <= (10 * TOL + 1e-15 * far**2) * path.null_objective


@every_loss
@every_storage
@pytest.mark.parametrize("l1_ratio", [1.0, 0.5])
def test_separable_data_down_to_small_alphas(storage, loss, l1_ratio):
    rng = np.random.default_rng(3)
    for n, p in ((40, 5), (25, 60)):
        X = rng.normal(size=(n, p))
        z = X[:, 0] - X[:, 1]
        y = {"poisson": 5.0 * (z > 0), "huber": z}.get(loss, (z > 0).astype(float))
        fit(STORAGES[storage](X), y, loss=loss, alphas=12, eps=1e-5, l1_ratio=l1_ratio)


@pytest.mark.parametrize("size", [30, 1000])
@pytest.mark.parametrize(("storage", "large"), [("F", 700), ("csr", 700), ("csr", 5)])
def test_rows_far_on_the_wrong_side(storage, large, size, monkeypatch):
    """They have a slope and no curvature, and the rarer class has no probability that can be represented."""
    monkeypatch.setattr(glm, "LARGE", large)  # features from which on a model has no Gram matrix
    for seed in range(2):
        rng = np.random.default_rng(seed)
        X = rng.poisson(0.3, (200, 40)).astype(float)
        w = rng.normal(size=40)
        y = (X @ w + rng.logistic(size=200) > 0).astype(float)
        X[:3] *= size
        y[:3] = X[:3] @ w < 0
        path = fit(STORAGES[storage](X), y, loss="logistic", alphas=[1e-3], coef_init=w)
        assert path.n_iter.max() <= 100


@every_loss
@pytest.mark.parametrize("weighted", [False, True])
def test_an_imbalance_of_a_thousand_to_one(loss, weighted):
    rng = np.random.default_rng(4)
    n = 2000
    X, y = rng.normal(size=(n, 10)), np.zeros(n)
    if loss == "huber":
        y += 1e-3 * rng.normal(size=n)
    y[:2] = 1.0
    weights = np.where(y > 0.5, 1e-2, 1.0) if weighted else None
    fit(X, y, loss=loss, alphas=12, sample_weight=weights)


@pytest.mark.parametrize("loss", BINARY)
@pytest.mark.parametrize("y", [np.zeros(20), np.ones(20), np.repeat("a", 20), np.arange(20) % 3])
def test_labels_of_other_than_two_classes_are_an_error(loss, y):
    with pytest.raises(ValueError, match="exactly two classes"):
        fit_path(np.random.default_rng(0).normal(size=(20, 3)), y, loss=loss)


@pytest.mark.parametrize("loss", BINARY)
def test_weights_that_leave_one_class_are_an_error(loss):
    X, y = data(loss)
    with pytest.raises(ValueError, match="class"):
        fit_path(X, y, loss=loss, sample_weight=(y == 1).astype(float))


def test_counts_that_cannot_be_are_an_error():
    X, y = data("poisson")
    with pytest.raises(ValueError, match="all are zero"):
        fit_path(X, np.zeros(len(y)), loss="poisson")
    with pytest.raises(ValueError, match="y >= 0"):
        fit_path(X, y - 1, loss="poisson")
    with pytest.raises(ValueError, match="zero"):
        fit_path(X, y, loss="poisson", sample_weight=(y == 0).astype(float))


@every_loss
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_nan_and_infinity_are_errors(loss, bad):
    X, y = data(loss)
    for place in ((0, 0), (17, 5)):
        for store in STORAGES.values():
            Z = X.copy()
            Z[place] = bad
            with pytest.raises(ValueError, match="X contains NaN or infinity"):
                fit_path(store(Z), y, loss=loss)
    y[3] = bad
    with pytest.raises(ValueError, match="y contains NaN or infinity"):
        fit_path(X, y, loss=loss)


@pytest.mark.parametrize("loss", ["logistic", "squared_hinge", "huber", "poisson"])
@pytest.mark.parametrize("delta", [0.0, -1.0, np.nan, np.inf, "1"])
def test_delta_is_checked_where_it_counts(loss, delta):
    X, y = data(loss)
    if loss != "huber":
        fit_path(X, y, loss=loss, delta=delta, alphas=2)
        return
    with pytest.raises((ValueError, TypeError), match="delta"):
        fit_path(X, y, loss=loss, delta=delta)


@pytest.mark.parametrize("loss", BINARY)
@pytest.mark.parametrize("labels", [("no", "yes"), (-1, 1), (False, True), (2.5, 7.0), (b"a", b"b")])
def test_labels_of_any_kind(loss, labels):
    X, y = data(loss)
    path, plain = fit_path(X, np.array(labels)[y.astype(int)], loss=loss, alphas=5), fit_path(X, y, loss=loss, alphas=5)
    assert_array_equal(path.coefs.toarray(), plain.coefs.toarray())
    assert_array_equal(path.classes, np.array(labels))
    predicted = path.predict(X)
    assert_array_equal(predicted == labels[1], path.decision_function(X) > 0)
    assert set(np.unique(predicted)) <= set(labels)
    words = np.array(labels, dtype=object)[y.astype(int)]
    assert_array_equal(fit_path(X, words, loss=loss, alphas=5).coefs.toarray(), plain.coefs.toarray())


@every_loss
@every_storage
@pytest.mark.parametrize("l1_ratio", [0.1, 0.0])
@pytest.mark.parametrize("intercept", [False, True])
def test_an_elastic_net_with_more_coefficients_than_rows(storage, loss, l1_ratio, intercept):
    X, y = data(loss, 25, 90)
    path = fit(
        STORAGES[storage](X), y, loss=loss, l1_ratio=l1_ratio, alphas=[1.0, 0.1, 0.01, 1e-3], fit_intercept=intercept
    )
    assert path.n_nonzero[-1] > 25
    if l1_ratio == 0:
        assert np.all(path.n_nonzero == 90)
        assert path.alpha_max == np.inf


# --- Poisson ---------------------------------------------------------------------------------------------------------


@every_storage
def test_exposures_are_offsets_or_weights_of_rates(storage):
    X, _ = data("poisson")
    rng = np.random.default_rng(5)
    exposure = rng.uniform(0.1, 20, len(X))
    y = rng.poisson(exposure * np.exp(0.5 * X[:, 0] - 1))
    arguments = {"loss": "poisson", "eps": 0.02, "tol": FINE}
    rates = fit_path(STORAGES[storage](X), y / exposure, sample_weight=exposure, alphas=6, **arguments)
    alphas = rates.alphas * exposure.sum() / len(y)  # the sums are the same, their weights are not
    counts = fit_path(STORAGES[storage](X), y, offset=np.log(exposure), alphas=alphas, **arguments)
    assert_allclose(counts.coefs.toarray(), rates.coefs.toarray(), atol=1e-6)
    assert_allclose(counts.intercepts, rates.intercepts, atol=1e-6)
    assert_allclose(counts.alpha_max * len(y), rates.alpha_max * exposure.sum(), rtol=1e-10)


@every_storage
@pytest.mark.parametrize("size", [1e-6, 1e6])
def test_counts_of_any_size(storage, size):
    X, _ = data("poisson")
    y = np.round(1e6 * np.exp(X[:, 0] - 0.5 * X[:, 1])) * (size / 1e6)
    path = fit(STORAGES[storage](X), y, loss="poisson", alphas=8)
    assert_allclose(path.predict(X).mean(axis=0), y.mean(), rtol=1e-9)


def test_one_enormous_count():
    X, y = data("poisson")
    y[7] = 1e6
    fit(X, y, loss="poisson", alphas=10)


@pytest.mark.parametrize("shift", [-500.0, -100.0, 100.0, 250.0, 500.0])
def test_offsets_far_from_zero_go_into_the_intercept(shift):
    X, y = data("poisson")
    path = fit_path(X, y, loss="poisson", alphas=4, eps=0.02, tol=FINE)
    other = fit_path(X, y, loss="poisson", offset=np.full(len(y), shift), alphas=4, eps=0.02, tol=FINE)
    assert_allclose(other.alpha_max, path.alpha_max, rtol=1e-9)
    assert_allclose(other.coefs.toarray(), path.coefs.toarray(), atol=1e-6)
    assert_allclose(other.intercepts, path.intercepts - shift, atol=1e-6)


# --- Huber -----------------------------------------------------------------------------------------------------------


@every_storage
@pytest.mark.parametrize(("n", "p", "delta"), [(4, 1, 0.1), (10, 2, 0.01), (110, 20, 0.02), (30, 50, 0.01)])
@pytest.mark.parametrize("intercept", [True, False])
def test_huber_where_nearly_every_row_is_an_outlier(storage, n, p, delta, intercept):
    for seed in range(3):
        rng = np.random.default_rng(seed)
        X = rng.normal(size=(n, p))
        y = X[:, 0] + rng.standard_t(2, size=n)
        fit(STORAGES[storage](X), y, loss="huber", delta=delta, alphas=4, eps=0.1, fit_intercept=intercept)


# --- anything --------------------------------------------------------------------------------------------------------


def anything(seed):
    """(X, y, arguments) of a random problem: its size, storage, columns, response and modifiers."""
    rng = np.random.default_rng(seed)
    loss, n, p, storage = rng.choice(LOSSES), rng.integers(8, 120), rng.integers(1, 150), rng.choice(list(STORAGES))
    X = rng.normal(size=(n, p))
    kind = rng.choice(["plain", "copies", "far", "scaled", "correlated", "sparse", "binary"])
    if kind == "copies":
        X = X[:, rng.integers(0, p, p)] * rng.choice([-1, 1], p)
    elif kind == "far":
        X += 100 * rng.normal(size=p)
    elif kind == "scaled":
        X *= np.exp(3 * rng.normal(size=p))
    elif kind == "correlated":
        X = 0.1 * X + rng.normal(size=(n, 1))
    elif kind == "sparse":
        X *= rng.random(X.shape) < 0.15
    elif kind == "binary":
        X = (X > 0.5) * 1.0
    Z = X - X.mean(axis=0)
    z = (Z / np.maximum(Z.std(axis=0), 1e-9))[:, :4].sum(axis=1) * rng.choice([0, 0.5, 2])
    y = response(loss, z, rng)
    arguments = {
        "loss": str(loss), "l1_ratio": float(rng.choice([1, 1, 0.9, 0.5, 0.05])),
        "fit_intercept": bool(rng.random() < 0.8), "standardize": bool(rng.random() < 0.4),
    }  # fmt: skip
    if rng.random() < 0.3:
        arguments["sample_weight"] = rng.uniform(0, 2, n) * (rng.random(n) < 0.9)
    if rng.random() < 0.3:
        arguments["offset"] = rng.normal(size=n) * rng.choice([0.5, 3])
    if rng.random() < 0.3:
        factors = rng.choice([0, 0.5, 1, 2, np.inf], p, p=[0.02, 0.3, 0.3, 0.3, 0.08])
        if np.any((factors > 0) & np.isfinite(factors)):
            arguments["penalty_factor"] = factors
    if rng.random() < 0.3:
        arguments["lower_bounds"] = -rng.choice([0, 0.1, np.inf], p)
        arguments["upper_bounds"] = rng.choice([0, 0.1, np.inf], p)
    if loss == "huber":
        arguments["delta"] = float(rng.choice([0.1, 1.35, 5]))
    return STORAGES[storage](X), y, arguments | {"eps": float(rng.choice([1e-1, 1e-3, 1e-5]))}


HARD = [45, 51, 66, 179, 100_023, 100_024, 100_038, 100_063]  # each has broken the solver once


@pytest.mark.parametrize("seed", [*range(40), *HARD])
def test_anything(seed):
    X, y, arguments = anything(seed)
    present = y[arguments.get("sample_weight", np.ones(len(y))) > 0]
    if arguments["loss"] in BINARY and len(np.unique(present)) < 2 or not present.any():
        X, y, arguments = anything(seed + 1000)
    # saturated and at alphas down to 1e-5 of the largest, some are within rounding of the default
    path = fit_path(X, y, alphas=20, tol=10 * TOL, **arguments) if seed in HARD else fit(X, y, alphas=20, **arguments)
    assert path.relative_gaps.max() <= 10 * TOL
    assert path.n_iter.max() <= 200


@pytest.mark.parametrize("seed", [0, 4, 13, 16, 20, 51, 57, 118])
def test_a_tolerance_below_rounding_ends_at_rounding(seed):
    X, y, arguments = anything(seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        path = fit_path(X, y, alphas=20, tol=1e-14, **arguments)
    assert path.relative_gaps.max() <= 1e-9
    assert path.n_iter.max() <= 200


def test_rows_that_an_unpenalised_feature_separates_have_a_finite_gap():
    X, y, arguments = anything(2091)
    with pytest.warns(ConvergenceWarning):
        path = fit_path(X, y, alphas=6, max_iter=300, **arguments)
    problem = reference.glm(X, y, **{name: value for name, value in arguments.items() if name not in ENGINE})
    assert path.relative_gaps.max() <= 1.0 + 1e-9
    for k in range(6):
        assert problem.objective(*point(path, k), path.alphas[k]) <= path.null_objective * (1 + 1e-6)


@every_loss
def test_fitted_values_of_small_data_are_exact_by_default(loss):
    X, y = data(loss, n=100, p=30)
    path = fit_path(X, y, loss=loss, alphas=20, eps=0.01, standardize=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        exact = fit_path(X, y, loss=loss, alphas=20, eps=0.01, standardize=True, tol=1e-15)
    fitted = exact.decision_function(X)
    assert np.abs(path.decision_function(X) - fitted).max() <= 1e-6 * np.abs(fitted).max()


# --- predictions -----------------------------------------------------------------------------------------------------


def test_predictions_are_the_responses_of_the_linear_predictor():
    for loss in LOSSES:
        X, y = data(loss)
        offset = np.random.default_rng(0).normal(size=len(y))
        path = fit_path(X, y, loss=loss, offset=offset, alphas=5)
        z = X @ path.coefs.toarray() + path.intercepts + offset[:, None]
        assert_allclose(path.decision_function(X, offset=offset), z, rtol=1e-12)
        expected = {"poisson": np.exp(z), "huber": z}.get(loss, (z > 0).astype(float))
        assert_allclose(path.predict(X, offset=offset), expected, rtol=1e-12)
        if loss == "logistic":
            assert_allclose(path.predict_proba(X, offset=offset)[..., 1], 1 / (1 + np.exp(-z)), rtol=1e-12)
            assert_allclose(path.predict_proba(X).sum(axis=-1), 1, rtol=1e-15)
        else:
            with pytest.raises(ValueError, match="predict_proba needs a path of loss='logistic'"):
                path.predict_proba(X)


@every_loss
def test_the_deviance_ratio_is_the_share_of_the_null_loss(loss):
    X, y, weights, *_, offset = modified(loss, 1, np.float64)
    path = fit_path(X, y, loss=loss, sample_weight=weights, offset=offset, alphas=6)
    problem = reference.glm(X, y, loss, sample_weight=weights, offset=offset)
    losses = [problem.objective(*point(path, k), 0.0) for k in range(6)]
    assert_allclose(path.null_objective, losses[0], rtol=1e-12)
    assert_allclose(path.deviance_ratio, 1 - np.array(losses) / losses[0], atol=1e-9)
