"""The multinomial loss, in every storage and with every modifier: certificates computed from X itself."""

import pickle
import warnings
from itertools import product

import numpy as np
import pytest
import reference
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from scipy.special import logsumexp
from sklearn.linear_model import LogisticRegression

from fastreg import ConvergenceWarning, Problem, fit_path, fit_paths

STORAGES = {
    "C": np.ascontiguousarray,
    "F": np.asfortranarray,
    "csc": sparse.csc_matrix,
    "csr": sparse.csr_array,
}
TOL = 1e-10  # the default
FINE = 1e-12  # so that probabilities of a well-conditioned problem agree in five digits
ROUNDING = 1e-13
every_storage = pytest.mark.parametrize("storage", STORAGES)
every_count = pytest.mark.parametrize("K", [2, 3, 6])


def response(Z, rng):
    """A class for each row, from linear predictors; all classes occur."""
    y = (Z + rng.gumbel(size=Z.shape)).argmax(axis=1)
    y[: Z.shape[1]] = np.arange(Z.shape[1])
    return y


def data(K=3, n=60, p=10, seed=0, correlation=0.3):
    rng = np.random.default_rng(seed)
    X = np.sqrt(1 - correlation) * rng.normal(size=(n, p)) + np.sqrt(correlation) * rng.normal(size=(n, 1))
    return X, response(X[:, :4] @ rng.normal(size=(min(p, 4), K)), rng)


def multinomial(X, y, **arguments):
    return fit_path(X, y, loss="multinomial", **arguments)


def coefs_of(path):
    """(p, K, L)"""
    return np.stack([part.toarray() for part in path.coefs], axis=1)


def point(path, k):
    return coefs_of(path)[:, :, k], path.intercepts[k]


def proved(X, y, path, tol=TOL, **modifiers):
    """Every solution is within `tol` by its own word and by the reference's certificate, and stationary as far as that
    makes it."""
    problem = reference.glm(X, np.unique(y, return_inverse=True)[1], "multinomial", **modifiers)
    assert np.all(path.dual_gaps >= 0)
    assert path.relative_gaps.max() <= tol
    null = path.null_objective
    for k, alpha in enumerate(path.alphas):
        w, b = point(path, k)
        assert np.all(np.isfinite(w))
        assert np.all(w >= problem.lower[:, None])
        assert np.all(w <= problem.upper[:, None])
        gap = problem.gap(w, b, alpha)
        assert gap <= (10 * tol + ROUNDING) * null, (alpha, gap / null)
        residual = problem.kkt_residual(w, b, alpha)
        assert residual <= 10 * np.sqrt(tol), (alpha, residual)


ENGINE = ("alphas", "eps", "dfmax", "max_iter", "n_jobs")


def fit(X, y, tol=TOL, **arguments):
    path = multinomial(X, y, tol=tol, **arguments)
    proved(X, y, path, tol, **{name: value for name, value in arguments.items() if name not in ENGINE})
    return path


# --- every combination -----------------------------------------------------------------------------------------------


def modified(K, seed, dtype=np.float64):
    """A design with zeros, a constant column and a shifted one; its response; modifiers of all kinds."""
    rng = np.random.default_rng(seed)
    n, p = (40, 10) if seed % 2 else (32, 24)
    X = rng.normal(size=(n, p)) * rng.uniform(0.3, 2, p) * (rng.random((n, p)) < 0.6)
    X[:, 3] = 2.0
    X[:, 5] += 4.0
    y = np.tile(response(X[: n // 2, :3] @ rng.normal(size=(3, K)), rng), 2)
    weights = rng.uniform(0.2, 2, n) * (rng.random(n) < 0.85)
    weights[:K] = weights[n // 2 : n // 2 + K] = 1.0
    factors = rng.choice([0.3, 1, 2], p)
    factors[[0, 7]], factors[[2, 9]] = 0.0, np.inf
    X[n // 2 :, [0, 7]] = -0.5 * X[: n // 2, [0, 7]]  # so that no class can be separated without a penalty
    X = X.astype(dtype)
    lower, upper = -rng.choice([0, 0.05, 0.3, np.inf], p), rng.choice([0, 0.05, 0.3, np.inf], p)
    return X, y, weights, factors, lower, upper


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@every_storage
def test_every_combination_is_optimal(storage, dtype):
    switches = product([False, True], repeat=5)
    turn = list(STORAGES).index(storage) + 4 * (dtype is np.float32)
    for seed, (weighted, intercept, standardize, factored, bounded) in enumerate(switches):
        X, y, weights, factors, lower, upper = modified((2, 3, 6)[(seed + turn) % 3], seed, dtype)
        modifiers = {"fit_intercept": intercept, "standardize": standardize}
        if weighted:
            modifiers["sample_weight"] = weights
        if factored:
            modifiers["penalty_factor"] = factors
        if bounded:
            modifiers |= {"lower_bounds": lower, "upper_bounds": upper}
        modifiers["l1_ratio"] = (1.0, 0.5, 0.0)[(seed + turn) // 3 % 3]
        fit(STORAGES[storage](X), y, alphas=[0.1, 0.01], **modifiers)


def test_the_certificates_can_fail():
    X, y = data()
    path = multinomial(X, y, alphas=[0.02])
    problem = reference.glm(X, y, "multinomial")
    w, b = point(path, 0)
    null = path.null_objective
    assert problem.gap(w, b, 0.02) <= TOL * null
    assert problem.kkt_residual(w, b, 0.02) < 1e-5
    other, moved = w.copy(), b.copy()
    other[tuple(np.argwhere(w)[0])] *= 1.01
    moved[1] += 0.01
    for worse in ((w, b, 0.021), (w, moved, 0.02), (other, b, 0.02)):
        assert problem.gap(*worse) > 1e3 * TOL * null
        assert problem.kkt_residual(*worse) > 1e-5


@pytest.mark.parametrize("l1_ratio", [1.0, 0.5, 0.0])
@pytest.mark.parametrize("kind", ["plain", "bounds", "factors"])
def test_a_slow_solver_finds_nothing_better(l1_ratio, kind):
    X, y, weights, factors, lower, upper = modified(3, 1)
    modifiers = {
        "plain": {}, "bounds": {"lower_bounds": lower, "upper_bounds": upper},
        "factors": {"penalty_factor": factors, "sample_weight": weights, "standardize": True},
    }[kind]  # fmt: skip
    path = multinomial(X, y, alphas=[0.03], l1_ratio=l1_ratio, **modifiers)
    problem = reference.glm(X, y, "multinomial", l1_ratio=l1_ratio, **modifiers)
    *_, null = problem.null()
    assert_allclose(path.null_objective, null, rtol=1e-8)
    *_, best = problem.fit(0.03)
    assert_allclose(problem.objective(*point(path, 0), 0.03), best, rtol=1e-7)
    assert problem.objective(*point(path, 0), 0.03) <= best + 1e-9 * null


@every_storage
@pytest.mark.parametrize(("n", "p", "K"), [(60, 12, 4), (30, 50, 3), (3, 5, 3), (6, 1, 5)])
def test_shapes(storage, n, p, K):
    X, y = data(K, n, p)
    fit(STORAGES[storage](X), y, alphas=3, eps=0.02)
    fit(STORAGES[storage](X), y, alphas=[1.0, 0.1, 0.01], l1_ratio=0.0)


def test_bounds_are_met_exactly():
    X, y = data(4)
    for l1_ratio in (1.0, 0.5):
        path = multinomial(X, y, lower_bounds=-0.3, upper_bounds=0.1, l1_ratio=l1_ratio, alphas=20)
        W = coefs_of(path)
        assert (W == 0.1).any()
        assert (W == -0.3).any()
        assert not ((W > 0.1 - 1e-9) & (W != 0.1)).any()
        assert not ((W < -0.3 + 1e-9) & (W != -0.3)).any()


@pytest.mark.parametrize("l1_ratio", [1.0, 0.5, 0.0])
def test_an_unpenalised_feature_on_its_bound(l1_ratio):
    X, y = data()
    factors = np.r_[0.0, np.ones(9)]
    path = fit(X, y, penalty_factor=factors, lower_bounds=-0.1, upper_bounds=0.1, l1_ratio=l1_ratio, alphas=[0.1, 0.01])
    assert (np.abs(coefs_of(path)[0]) == 0.1).any(axis=0).all()


# --- the grid --------------------------------------------------------------------------------------------------------


@every_count
@pytest.mark.parametrize("kind", ["plain", "positive", "standardize", "origin", "weights", "ratio", "factors"])
def test_alpha_max_is_exact(K, kind):
    X, y, weights, factors, *_ = modified(K, 1)
    modifiers = {
        "plain": {}, "positive": {"positive": True}, "standardize": {"standardize": True},
        "origin": {"fit_intercept": False}, "weights": {"sample_weight": weights}, "ratio": {"l1_ratio": 0.3},
        "factors": {"penalty_factor": np.where(factors == 0, 1.0, factors)},
    }[kind]  # fmt: skip
    path = multinomial(X, y, alphas=1, **modifiers)
    problem = reference.glm(X, y, "multinomial", **modifiers)
    share = problem.s @ problem.own
    b = np.log(share) - np.log(share).mean() if problem.fit_intercept else np.zeros(K)
    assert_allclose(path.null_intercept, b, atol=1e-12)
    c = -problem.X.T @ problem.slope(np.broadcast_to(b, problem.own.shape))
    wanted = np.where(c > 0, problem.upper[:, None], problem.lower[:, None]) != 0
    top = np.max((np.abs(c) / np.maximum(problem.l1, 1e-300)[:, None])[wanted])
    assert_allclose(path.alpha_max, top, rtol=1e-11)
    assert path.alphas[0] == path.alpha_max
    assert not coefs_of(path)[:, :, 0].any()
    at = multinomial(X, y, alphas=path.alpha_max * np.array([2.0, 1.0, 1.0 - 1e-4]), **modifiers)
    assert at.n_nonzero.tolist() == [0, 0, 1]
    assert at.relative_gaps.max() <= TOL


def test_alpha_max_with_unpenalised_features_is_where_the_others_enter():
    X, y, _, factors, *_ = modified(3, 1)
    path = multinomial(X, y, alphas=1, penalty_factor=factors)
    at = multinomial(X, y, alphas=path.alpha_max * np.array([2.0, 1.0, 1.0 - 1e-4]), penalty_factor=factors)
    assert at.n_nonzero.tolist() == [2, 2, 3]
    assert_allclose(at.coef_at(path.alpha_max * 3)[0], path.null_coef)
    w, b, _ = reference.glm(X, y, "multinomial", penalty_factor=factors).null()
    assert_allclose(centred(X @ path.null_coef + path.null_intercept), centred(X @ w + b), atol=1e-3)


def centred(Z):
    return Z - Z.mean(axis=-1, keepdims=True)


def test_a_given_grid_gives_what_the_automatic_one_gives():
    X, y = data()
    path = multinomial(X, y, alphas=8, eps=0.01, tol=FINE)
    assert_allclose(path.alphas, np.geomspace(path.alpha_max, 0.01 * path.alpha_max, 8), rtol=1e-12)
    given = multinomial(X, y, alphas=path.alphas[[5, 2, 7]], tol=FINE)
    assert_allclose(coefs_of(given), coefs_of(path)[:, :, [2, 5, 7]], atol=1e-5)
    assert_allclose(given.intercepts, path.intercepts[[2, 5, 7]], atol=1e-5)


def test_above_alpha_max_there_is_the_null_model():
    X, y = data()
    path = multinomial(X, y, alphas=[1e6])
    assert not coefs_of(path).any()
    assert_array_equal(path.intercepts[0], path.null_intercept)
    assert path.n_iter[0] == 0
    assert path.deviance_ratio[0] == 0


def test_dfmax_ends_the_path():
    X, y = data()
    whole, short = multinomial(X, y, alphas=20, eps=0.05), multinomial(X, y, alphas=20, eps=0.05, dfmax=3)
    count = len(short.alphas)
    assert 1 < count < len(whole.alphas)
    assert short.n_nonzero.max() <= 3
    assert whole.n_nonzero[count] > 3
    assert_allclose(coefs_of(short), coefs_of(whole)[:, :, :count], atol=1e-4)


def test_max_iter_is_obeyed_and_told():
    X, y = data(3, 30, 80)
    with pytest.warns(ConvergenceWarning, match="iterations the duality gap is"):
        path = multinomial(X, y, alphas=[1e-3], max_iter=5)
    assert path.n_iter[0] <= 5
    problem = reference.glm(X, y, "multinomial")
    best = problem.objective(*point(multinomial(X, y, alphas=[1e-3]), 0), 1e-3)
    excess = problem.objective(*point(path, 0), 1e-3) - best
    assert 0 < excess <= path.dual_gaps[0] < np.inf


@pytest.mark.parametrize("K", [2, 4])
def test_tight_tolerances_take_few_steps(K):
    """Where with an even number of classes a range of coefficients is as good."""
    for seed in range(4):
        X, y = data(K, 50, 7, seed)
        path = multinomial(X, y, alphas=4, eps=0.02, tol=1e-13)
        assert path.relative_gaps.max() <= 1e-13
        assert path.n_iter.max() <= 2000


# --- what must not matter --------------------------------------------------------------------------------------------

seeds = st.integers(0, 2**31)
counts = st.sampled_from([2, 3, 4])
few = settings(max_examples=4, deadline=None, derandomize=True)


def alike(one, other, X, atol=1e-5):
    """The same probabilities: with an even number of classes the lasso may choose between coefficients."""
    assert_allclose(one.alphas, other.alphas, rtol=1e-9)
    assert_allclose(one.predict_proba(X), other.predict_proba(X), atol=atol)


@few
@given(counts, seeds, st.booleans())
def test_duplicated_rows_are_doubled_weights(K, seed, standardize):
    X, y = data(K, 50, 7, seed)
    times = np.random.default_rng(seed).integers(0, 3, len(y))
    times[:K] += 1
    arguments = {"standardize": standardize, "alphas": 4, "eps": 0.02, "tol": FINE}
    repeated = multinomial(np.repeat(X, times, axis=0), np.repeat(y, times), **arguments)
    alike(repeated, multinomial(X, y, sample_weight=times, **arguments), X)


@few
@given(counts, seeds, st.sampled_from([1e-9, 0.3, 1e12]))
def test_the_scale_of_the_weights_does_not_matter(K, seed, scale):
    X, y = data(K, 50, 7, seed)
    weights = np.random.default_rng(seed).uniform(0.1, 1, len(y))
    arguments = {"alphas": 4, "eps": 0.02, "tol": FINE}
    one, other = (multinomial(X, y, sample_weight=some, **arguments) for some in (weights, scale * weights))
    alike(one, other, X)


@few
@given(counts, seeds, st.booleans(), st.sampled_from([1.0, 0.5]))
def test_the_storage_does_not_matter(K, seed, standardize, l1_ratio):
    X, y = data(K, 50, 7, seed)
    X[np.random.default_rng(seed).random(X.shape) < 0.4] = 0.0
    X = np.float32(X)
    arguments = {"standardize": standardize, "l1_ratio": l1_ratio, "alphas": 3, "eps": 0.02, "tol": FINE}
    path = multinomial(np.asfortranarray(X, np.float64), y, **arguments)
    for store in STORAGES.values():
        other = multinomial(store(X), y, **arguments)
        alike(path, other, X.astype(np.float64))
        if K == 3 or l1_ratio < 1:
            assert_allclose(coefs_of(other), coefs_of(path), atol=1e-4)


@few
@given(seeds, st.sampled_from([1.0, 0.5]))
def test_other_names_of_classes_permute_the_coefficients(seed, l1_ratio):
    X, y = data(3, 50, 7, seed)
    arguments = {"l1_ratio": l1_ratio, "alphas": 4, "eps": 0.02, "tol": FINE}
    path = multinomial(X, y, **arguments)
    new = np.random.default_rng(seed).permutation(3)
    other = multinomial(X, new[y], **arguments)
    assert_allclose(coefs_of(other)[:, new], coefs_of(path), atol=1e-4)
    assert_allclose(other.intercepts[:, new], path.intercepts, atol=1e-4)


@few
@given(counts, seeds)
def test_the_order_of_columns_and_rows_does_not_matter(K, seed):
    X, y = data(K, 50, 7, seed)
    rng = np.random.default_rng(seed)
    rows, columns = rng.permutation(len(y)), rng.permutation(X.shape[1])
    arguments = {"alphas": 4, "eps": 0.02, "tol": FINE}
    path = multinomial(X, y, **arguments)
    other = multinomial(X[rows][:, columns], y[rows], **arguments)
    assert_allclose(other.predict_proba(X[:, columns]), path.predict_proba(X), atol=1e-5)


@every_storage
@pytest.mark.parametrize("l1_ratio", [1.0, 0.3])
def test_the_same_bits_for_any_number_of_threads(storage, l1_ratio):
    X, y = data(3, 30, 50)
    X[np.abs(X) < 0.5] = 0.0
    X = STORAGES[storage](X)
    one, two = (multinomial(X, y, alphas=3, eps=0.02, l1_ratio=l1_ratio, n_jobs=jobs) for jobs in (1, 2))
    assert_array_equal(coefs_of(one), coefs_of(two))
    assert_array_equal(one.intercepts, two.intercepts)
    assert_array_equal(one.dual_gaps, two.dual_gaps)


@every_storage
def test_x_may_be_read_only_and_is_left_alone(storage):
    X, y = data()
    X = STORAGES[storage](X)
    arrays = [X] if isinstance(X, np.ndarray) else [X.data, X.indices, X.indptr]
    weights = np.ones(len(y))
    before = [array.copy() for array in (*arrays, y, weights)]
    for array in (*arrays, y, weights):
        array.flags.writeable = False
    multinomial(X, y, sample_weight=weights, alphas=5)
    for array, old in zip((*arrays, y, weights), before, strict=True):
        assert_array_equal(array, old)


@pytest.mark.parametrize("l1_ratio", [1.0, 0.5, 0.0])
@pytest.mark.parametrize("modifiers", [{}, {"standardize": True}, {"fit_intercept": False}])
def test_two_classes_are_the_logistic_loss(l1_ratio, modifiers):
    """Coefficients that differ by v cost least as v / 2 and -v / 2: l1 |v| + l2 v^2 / 4."""
    X, y = data(2, 80, 6)
    for alpha in (0.1, 0.02):
        l1, l2 = l1_ratio * alpha, 0.5 * (1 - l1_ratio) * alpha
        path = multinomial(X, y, alphas=[alpha], l1_ratio=l1_ratio, tol=FINE, **modifiers)
        logistic = fit_path(
            X, y, loss="logistic", alphas=[l1 + l2], l1_ratio=l1 / (l1 + l2), tol=FINE, **modifiers
        )  # fmt: skip
        assert_allclose(path.predict_proba(X), logistic.predict_proba(X), atol=1e-5)
        first, second = coefs_of(path)[:, 0], coefs_of(path)[:, 1]
        assert_allclose(second - first, logistic.coefs.toarray(), atol=1e-4)
        assert_allclose(path.null_objective, logistic.null_objective, rtol=1e-12)
        if l1_ratio < 1:
            assert_allclose(second, -first, atol=1e-4)


def test_problems_of_one_batch_do_not_mix():
    X, y, weights, factors, lower, upper = modified(3, 1)
    common = {"loss": "multinomial", "alphas": 5, "eps": 0.02, "tol": 1e-12}
    problems = [
        Problem(y, **common), Problem(y == 0, **common), Problem(y, sample_weight=weights, **common),
        Problem(y, lower_bounds=lower, upper_bounds=upper, **common), Problem(y, l1_ratio=0.2, **common),
    ]  # fmt: skip
    for problem, path in zip(problems, fit_paths(X, problems), strict=True):
        alike(path, fit_paths(X, [problem])[0], X, atol=1e-4)
    with pytest.raises(ValueError, match="need a batch of their own"):
        fit_paths(X, [problems[0], Problem(y == 0, loss="logistic")])


# --- no penalty ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("K", [2, 3, 5])
@pytest.mark.parametrize("modifiers", [{}, {"fit_intercept": False}, {"sample_weight": True, "standardize": True}])
def test_alpha_zero_is_the_minimum_of_the_loss(K, modifiers):
    X, y = data(K, 250, 5, seed=2)
    rng = np.random.default_rng(0)
    modifiers = modifiers | ({"sample_weight": rng.uniform(0, 2, len(y))} if "sample_weight" in modifiers else {})
    theirs = LogisticRegression(
        C=np.inf, solver="newton-cg", tol=1e-12, max_iter=1000, fit_intercept=modifiers.get("fit_intercept", True)
    ).fit(X, y, modifiers.get("sample_weight"))
    problem = reference.glm(X, y, "multinomial", **modifiers)
    grids = ([0.0], TOL, 1e-5), ([0.1, 0.0], TOL, 1e-5), ([0.1, 0.0], 1e-13, 1e-6)
    for store, (alphas, tol, atol) in product(STORAGES.values(), grids):
        path = multinomial(store(X), y, alphas=alphas, tol=tol, **modifiers)
        assert_allclose(path.predict_proba(X, 0.0), theirs.predict_proba(X), atol=atol)
        assert problem.kkt_residual(*point(path, -1), 0.0) <= atol
        assert problem.gap(*point(path, -1), 0.0) <= 10 * tol * path.null_objective
        assert path.relative_gaps[-1] <= tol


def test_what_no_penalty_decides_adds_up_to_zero():
    """A constant in the coefficients of all classes changes nothing where there is no penalty."""
    X, y = data(3, 250, 5, seed=2)
    for alphas in ([0.0], [0.1, 0.0]):
        assert_allclose(coefs_of(multinomial(X, y, alphas=alphas))[:, :, -1].sum(axis=1), 0, atol=1e-9)
    path = multinomial(X, y, alphas=[0.1, 0.01], penalty_factor=np.r_[0.0, np.ones(4)])
    assert_allclose(coefs_of(path)[0].sum(axis=0), 0, atol=1e-9)


def test_alpha_zero_with_bounds():
    X, y = data(3, 250, 5, seed=2)
    path = multinomial(X, y, alphas=[0.1, 0.0], lower_bounds=-0.2, upper_bounds=0.4)
    problem = reference.glm(X, y, "multinomial", lower_bounds=-0.2, upper_bounds=0.4)
    *_, best = problem.fit(0.0)
    assert problem.objective(*point(path, 1), 0.0) <= best + 1e-9 * path.null_objective
    assert problem.kkt_residual(*point(path, 1), 0.0) <= 1e-6


@pytest.mark.parametrize("kind", ["all", "one of them", "more features than rows"])
def test_separable_classes_without_a_penalty_have_an_answer(kind):
    X, y = data(3, *((20, 40) if kind == "more features than rows" else (60, 4)), seed=1)
    if kind == "all":
        y = X[:, :3].argmax(axis=1)
    elif kind == "one of them":
        y[X[:, 0] > 0.5] = 2
        y[(X[:, 0] <= 0.5) & (y == 2)] = 1
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        path = multinomial(X, y, alphas=[0.01, 0.0])
    assert path.relative_gaps[0] <= TOL
    w, b = point(path, 1)
    assert np.all(np.isfinite(w))
    assert np.all(np.isfinite(b))
    separate = y == 2 if kind == "one of them" else np.ones(len(y), bool)
    assert path.predict_proba(X, 0.0)[separate, y[separate]].min() > 0.999
    if kind != "one of them":
        assert path.deviance_ratio[1] > 1 - 1e-9
        (warning,) = caught
        assert warning.category is ConvergenceWarning
        assert "the classes are separable: at alpha=0" in str(warning.message)


@pytest.mark.parametrize(("K", "alphas"), [(2, 2), (3, [0.1, 0.01])])
def test_classes_that_unpenalised_features_separate_have_an_answer(K, alphas):
    X, _ = data(n=40)
    y = np.digitize(X[:, 0], [-0.5, 0.5][: K - 1])
    with pytest.warns(ConvergenceWarning, match="separable by unpenalised features"):
        path = multinomial(X, y, penalty_factor=np.r_[0.0, np.ones(9)], alphas=alphas)
    assert path.null_objective >= 0
    assert np.all(path.dual_gaps >= 0)
    assert np.all(np.isfinite(coefs_of(path)))
    assert_array_equal(path.predict(X, path.alphas[-1]), y)


@pytest.mark.parametrize("storage", ["F", "csr"])
@pytest.mark.parametrize("l1_ratio", [1.0, 0.5])
def test_separable_classes_down_to_small_alphas(storage, l1_ratio):
    for n, p in ((40, 5), (25, 40)):
        X, _ = data(3, n, p)
        path = fit(STORAGES[storage](X), X[:, :3].argmax(axis=1), alphas=5, eps=1e-4, l1_ratio=l1_ratio)
        assert path.deviance_ratio[-1] > 0.99


# --- inputs that break solvers ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("weighted", [False, True])
def test_rare_classes(weighted):
    rng = np.random.default_rng(4)
    X = rng.normal(size=(1000, 6))
    y = (X[:, 0] > 0).astype(int)
    y[rng.random(1000) < 0.2] = 0
    y[:3] = 2, 2, 3
    path = fit(X, y, alphas=5, sample_weight=np.where(y > 1, 1e-2, 1.0) if weighted else None)
    assert path.intercepts[0].argsort().tolist()[:2] == [3, 2]


@pytest.mark.parametrize("standardize", [False, True])
@pytest.mark.parametrize("value", [0.0, 0.1, -1e8 / 3])
def test_constant_columns_stay_at_zero(value, standardize):
    X, y = data(3, 30, 40)
    X[:, [1, 7]] = value
    for store in STORAGES.values():
        path = multinomial(store(X), y, alphas=3, eps=0.05, standardize=standardize)
        assert not coefs_of(path)[[1, 7]].any()
    proved(X, y, path, standardize=standardize)


@pytest.mark.parametrize("l1_ratio", [1.0, 0.5])
@pytest.mark.parametrize(("n", "p"), [(60, 8), (25, 20)])
def test_duplicate_and_negated_columns(l1_ratio, n, p):
    X, y = data(3, n, p)
    twice = np.hstack([X, -X[:, ::-1], X])
    path = fit(twice, y, alphas=4, l1_ratio=l1_ratio)
    if l1_ratio == 1.0:  # splitting a coefficient changes neither fit nor penalty
        once = multinomial(X, y, alphas=path.alphas)
        problem, copies = reference.glm(X, y, "multinomial"), reference.glm(twice, y, "multinomial")
        for k, alpha in enumerate(path.alphas):
            assert_allclose(copies.objective(*point(path, k), alpha), problem.objective(*point(once, k), alpha), 1e-8)


@pytest.mark.parametrize("storage", ["C", "csc"])
@pytest.mark.parametrize("standardize", [False, True])
def test_columns_of_scales_over_eight_decades(storage, standardize):
    X, y = data()
    scale = np.geomspace(1e-4, 1e4, X.shape[1])
    path = fit(STORAGES[storage](X * scale), y, alphas=5, standardize=standardize)
    if standardize:
        plain = multinomial(X, y, alphas=5, standardize=True)
        assert_allclose(coefs_of(path) * scale[:, None, None], coefs_of(plain), atol=1e-4)


@pytest.mark.parametrize("storage", ["C", "csc"])
@pytest.mark.parametrize("standardize", [False, True])
@pytest.mark.parametrize("far", [100.0, 1000.0])
def test_columns_far_from_zero(storage, standardize, far):
    for n, p in ((60, 8), (30, 40)):
        X, y = data(3, n, p)
        shift = far * np.random.default_rng(0).choice([-1.0, 1.0, 2.0], p)
        # sparse columns are read as they are: their products round by as much as they are far
        tol = 10 * TOL if storage == "csc" and far > 100 else TOL
        path = multinomial(STORAGES[storage](X + shift), y, alphas=3, eps=0.02, standardize=standardize, tol=tol)
        assert path.relative_gaps.max() <= tol
        assert path.n_iter.max() <= 10_000
        problem = reference.glm(X, y, "multinomial", standardize=standardize)
        for k, alpha in enumerate(path.alphas):
            w, b = point(path, k)
            gap = problem.gap(w, b + shift @ w, alpha)
            assert gap <= (10 * TOL + 1e-15 * far**2) * path.null_objective


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_nan_and_infinity_are_errors(bad):
    X, y = data()
    for store in STORAGES.values():
        Z = X.copy()
        Z[17, 5] = bad
        with pytest.raises(ValueError, match="X contains NaN or infinity"):
            multinomial(store(Z), y)
    with pytest.raises(ValueError, match="y contains NaN"):
        multinomial(X, np.where(y == 1, np.nan, y))


def test_bad_arguments_are_named():
    X, y = data()
    for arguments, match in (
        ({"offset": np.ones(len(y))}, "offset has no meaning for loss='multinomial'"),
        ({"sample_weight": (y != 1).astype(float)}, "positive sample_weight in each class; 1 has none"),
        ({"l1_ratio": 0.0}, "alphas"),
        ({"precompute": True}, "precompute is of use for loss='squared' alone"),
    ):
        with pytest.raises(ValueError, match=match):
            multinomial(X, y, **arguments)
    for one in (np.zeros(len(y)), np.repeat("a", len(y))):
        with pytest.raises(ValueError, match="two classes or more; all are"):
            multinomial(X, one)
    with pytest.raises(ValueError, match="y"):
        multinomial(X, np.eye(3)[y])


def anything(seed):
    """(X, y, arguments) of a random problem: its size, storage, columns, response and modifiers."""
    rng = np.random.default_rng(seed)
    n, p, storage, K = rng.integers(15, 70), rng.integers(1, 60), rng.choice(list(STORAGES)), rng.integers(2, 6)
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
    Z = ((X - X.mean(axis=0)) / np.maximum(X.std(axis=0), 1e-9))[:, :4]
    y = response(Z @ rng.normal(size=(min(p, 4), K)) * rng.choice([0, 0.5, 2]), rng)
    arguments = {
        "l1_ratio": float(rng.choice([1, 1, 0.9, 0.5, 0.05])),
        "fit_intercept": bool(rng.random() < 0.8), "standardize": bool(rng.random() < 0.4),
    }  # fmt: skip
    if rng.random() < 0.3:
        arguments["sample_weight"] = rng.uniform(0, 2, n) * (rng.random(n) < 0.9)
        arguments["sample_weight"][:K] = 1.0
    if rng.random() < 0.3:
        arguments["penalty_factor"] = rng.choice([0, 0.5, 1, 2, np.inf], p, p=[0.02, 0.3, 0.3, 0.3, 0.08])
        arguments["penalty_factor"][0] = 1.0
    if rng.random() < 0.3:
        arguments["lower_bounds"] = -rng.choice([0, 0.1, np.inf], p)
        arguments["upper_bounds"] = rng.choice([0, 0.1, np.inf], p)
    return STORAGES[storage](X), y, arguments | {"eps": float(rng.choice([1e-1, 1e-2, 1e-3]))}


SLOW = [54, 143, 151]  # nearly separated, and classes pull at each other: the default tolerance takes long


@pytest.mark.parametrize("seed", [*range(16), 20, 28, 95, *SLOW])
def test_anything(seed):
    X, y, arguments = anything(seed)
    path = fit(X, y, tol=100 * TOL if seed in SLOW else TOL, alphas=4, **arguments)
    assert path.n_iter.max() <= (10_000 if seed in SLOW else 5_000)


@pytest.mark.parametrize("storage", ["F", "csr"])
def test_counts_over_four_decades(storage):
    rng = np.random.default_rng(0)
    n, p, K = 300, 100, 4
    X = np.floor(rng.pareto(0.6, (n, p)) * (rng.random((n, p)) < 0.1)).clip(0, 2e4)
    Z = np.log1p(X) @ (rng.normal(size=(p, K)) * (rng.random((p, 1)) < 0.3))
    path = fit(STORAGES[storage](X), response(Z, rng), alphas=10, eps=1e-3)
    assert path.n_iter.max() <= 1000


# --- results ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "labels", [("b", "a", "c"), (10, -1, 3), (0.5, 2.0, -7.5), (b"x", b"y", b"z"), ("short", "a longer name", "")]
)
def test_labels_of_any_kind(labels):
    X, y = data()
    order = np.argsort(np.array(labels))
    plain = multinomial(X, np.argsort(order)[y], alphas=3, eps=0.1)
    for labelled in (np.array(labels)[y], np.array(labels, dtype=object)[y], [labels[k] for k in y]):
        path = multinomial(X, labelled, alphas=3, eps=0.1)
        assert_array_equal(path.classes, np.array(labels)[order])
        assert_array_equal(coefs_of(path), coefs_of(plain))
        assert_array_equal(path.predict(X), np.array(labels)[order][plain.predict(X)])


def test_results_have_an_axis_of_classes():
    X, y = data(4)
    labels = np.array(["a", "b", "c", "d"])
    path = multinomial(X, labels[y], alphas=6)
    p, K, L, m = X.shape[1], 4, 6, 7
    assert [part.shape for part in path.coefs] == [(p, L)] * K
    assert path.intercepts.shape == (L, K)
    assert_allclose(path.intercepts.sum(axis=1), 0, atol=1e-12)
    for array in (path.dual_gaps, path.deviance_ratio, path.n_iter, path.n_nonzero, path.relative_gaps):
        assert array.shape == (L,)
    W = coefs_of(path)
    assert_array_equal(path.n_nonzero, W.any(axis=1).sum(axis=0))
    w, b = path.coef_at(path.alphas[3])
    assert_array_equal(w, W[:, :, 3])
    assert_array_equal(b, path.intercepts[3])
    w, b = path.coef_at(0.25 * path.alphas[3] + 0.75 * path.alphas[4])
    assert_allclose(w, 0.25 * W[:, :, 3] + 0.75 * W[:, :, 4], atol=1e-14)
    assert_allclose(b, 0.25 * path.intercepts[3] + 0.75 * path.intercepts[4], atol=1e-14)
    w, b = path.coef_at(2 * path.alpha_max)
    assert_array_equal(w, np.zeros((p, K)))
    assert_array_equal(b, path.null_intercept)
    for store in STORAGES.values():
        Z = np.einsum("mp,pkl->mlk", X[:m], W) + path.intercepts
        assert_allclose(path.decision_function(store(X[:m])), Z, atol=1e-12)
        assert_allclose(path.decision_function(store(X[:m]), path.alphas[2]), Z[:, 2], atol=1e-12)
        P = np.exp(Z - logsumexp(Z, axis=-1, keepdims=True))
        assert_allclose(path.predict_proba(store(X[:m])), P, rtol=1e-12)
        assert_allclose(path.predict_proba(store(X[:m]), path.alphas[2]), P[:, 2], rtol=1e-12)
        assert_array_equal(path.predict(store(X[:m])), labels[Z.argmax(axis=-1)])
        assert_array_equal(path.predict(store(X[:m]), path.alphas[5]), labels[Z[:, 5].argmax(axis=-1)])
    assert_allclose(path.predict_proba(X).sum(axis=-1), 1, rtol=1e-14)
    frame = path.to_frame()
    assert frame.shape == (L, sum(1 + part[part.any(axis=1)].shape[0] for part in W.transpose(1, 0, 2)))
    assert_array_equal(frame["c"]["(intercept)"], path.intercepts[:, 2])
    j = np.flatnonzero(W[:, 1].any(axis=1))[0]
    assert_array_equal(frame["b"][j], W[j, 1])
    lines = path.summary().splitlines()
    assert len(lines) == L + 1
    assert int(lines[-1].split()[1]) == path.n_nonzero[-1]
    again = pickle.loads(pickle.dumps(path))
    assert_array_equal(again.predict(X), path.predict(X))
    assert repr(again) == repr(path)


def test_the_deviance_ratio_is_the_share_of_the_null_loss():
    X, y, weights, *_ = modified(3, 1)
    path = multinomial(X, y, sample_weight=weights, alphas=5)
    problem = reference.glm(X, y, "multinomial", sample_weight=weights)
    losses = [problem.objective(*point(path, k), 0.0) for k in range(5)]
    assert_allclose(path.null_objective, losses[0], rtol=1e-12)
    assert_allclose(path.deviance_ratio, 1 - np.array(losses) / losses[0], atol=1e-9)


def test_information_criteria():
    X, y = data(3, 150, 12)
    path = multinomial(X, y, alphas=12)
    problem = reference.glm(X, y, "multinomial")
    n = len(y)
    deviance = 2 * n * np.array([problem.objective(*point(path, k), 0.0) for k in range(12)])
    freedom = np.count_nonzero(coefs_of(path), axis=(0, 1)) + 2
    for name, price in {"aic": 2 * freedom, "bic": np.log(n) * freedom}.items():
        criterion = path.information_criterion(name)
        assert_array_equal(criterion.degrees_of_freedom, freedom)
        assert_allclose(criterion.values, deviance + price, rtol=1e-9)
        assert path.select(name) == path.alphas[(deviance + price).argmin()]
    assert 0 < np.count_nonzero(path.coef_at(path.select("bic"))[0].any(axis=1)) < 12
    doubled = multinomial(np.vstack([X, X]), np.tile(y, 2), alphas=12).information_criterion("aic")
    assert_allclose(doubled.values - 2 * freedom, 2 * deviance, rtol=1e-8)


def test_what_other_losses_have_is_refused():
    X, y = data()
    path = multinomial(X, y, alphas=4)
    for method in (lambda: path.certificate(path.alphas[2]), path.relax):
        with pytest.raises(ValueError, match="is for paths of loss='squared', not 'multinomial'"):
            method()
    with pytest.raises(ValueError, match="columns|features"):
        path.predict(X[:, :-1])
