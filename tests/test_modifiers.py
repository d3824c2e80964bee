"""Every modifier of the objective in every storage: optimality conditions, checked from X itself."""

import warnings
from itertools import product

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse

from fastreg import ElasticNet, Lasso, Problem, fit_path, fit_paths

STORAGES = {
    "C": np.ascontiguousarray,
    "F": np.asfortranarray,
    "csc": sparse.csc_matrix,
    "csr": sparse.csr_array,
}
EDGE = 1e-9  # within this of a bound a coefficient is on it


def kkt_residual(
    X, y, w, intercept, alpha, *, l1_ratio=1.0, fit_intercept=True, standardize=False, sample_weight=None,
    penalty_factor=None, lower_bounds=-np.inf, upper_bounds=np.inf, offset=0.0,
):  # fmt: skip
    """How far w is from optimal: the largest distance of a partial derivative from the subdifferential of its penalty
    and bounds, over the largest derivative at zero; with an intercept, that of the intercept too."""
    X = np.asarray(X.toarray() if sparse.issparse(X) else X, dtype=np.float64)
    n, p = X.shape
    s = np.full(n, 1 / n) if sample_weight is None else sample_weight / np.sum(sample_weight)
    v = np.ones(p) if penalty_factor is None else penalty_factor
    lower, upper = np.broadcast_to(lower_bounds, p), np.broadcast_to(upper_bounds, p)
    assert np.all(lower <= w)
    assert np.all(w <= upper)
    mean = s @ X
    sd = np.sqrt(s @ (X - mean) ** 2)
    constant = sd <= 1e-13 * np.abs(X).max(axis=0)
    scale = np.where(constant, 1.0, sd) if standardize else np.ones(p)
    r = s * (y - offset - intercept - X @ w)
    gradient = X.T @ r - l1_ratio_complement(alpha, l1_ratio) * np.where(np.isinf(v), 0, v) * scale**2 * w
    if fit_intercept:
        gradient -= mean * r.sum()
    excluded = np.isinf(v) | (constant & (standardize or fit_intercept))
    assert np.all(w[excluded] == 0)
    l1 = alpha * l1_ratio * np.where(excluded, 0.0, v) * scale
    low, high = np.where(w > 0, l1, -l1), np.where(w < 0, -l1, l1)
    above, below = gradient - high, low - gradient
    above[w >= upper - EDGE] = 0
    below[w <= lower + EDGE] = 0
    worst = np.max(np.maximum(above, below)[~excluded], initial=0.0)
    size = np.abs(X.T @ (s * (y - offset))).max()
    return max(worst, abs(r.sum()) if fit_intercept else 0.0) / size


def l1_ratio_complement(alpha, l1_ratio):
    return alpha * (1 - l1_ratio)


def data(seed, dtype):
    """A design with zeros, a constant column and a shifted one; its response; modifiers of all kinds."""
    rng = np.random.default_rng(seed)
    n, p = (30, 18) if seed % 2 else (24, 45)
    X = rng.normal(size=(n, p)) * rng.uniform(0.3, 3, p) * (rng.random((n, p)) < 0.6)
    X[:, 3] = 2.0
    X[:, 5] += 4.0
    X = X.astype(dtype)
    y = X[:, :4] @ [1, -2, 1, 0] + rng.normal(size=n) + 1
    weights = rng.uniform(0.2, 2, n) * (rng.random(n) < 0.85)
    factors = rng.choice([0.3, 1, 2], p)
    factors[[0, 7]], factors[[2, 9]] = 0.0, np.inf
    lower, upper = -rng.choice([0, 0.05, 0.3, np.inf], p), rng.choice([0, 0.05, 0.3, np.inf], p)
    return X, y, weights, factors, lower, upper, rng.normal(size=n)


@pytest.mark.parametrize("precompute", [True, False])
@pytest.mark.parametrize("l1_ratio", [1.0, 0.5, 0.0])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("storage", STORAGES)
def test_every_combination_is_optimal(storage, dtype, l1_ratio, precompute):
    switches = product([False, True], repeat=5)
    for seed, (weighted, intercept, standardize, factored, bounded) in enumerate(switches):
        X, y, weights, factors, lower, upper, offset = data(seed, dtype)
        modifiers = {"fit_intercept": intercept, "standardize": standardize, "l1_ratio": l1_ratio}
        if weighted:
            modifiers |= {"sample_weight": weights, "offset": offset}
        if factored:
            modifiers["penalty_factor"] = factors
        if bounded:
            modifiers |= {"lower_bounds": lower, "upper_bounds": upper}
        alphas = 8 if l1_ratio else np.geomspace(2, 0.02, 5)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            path = fit_path(STORAGES[storage](X), y, alphas=alphas, precompute=precompute, **modifiers)
        assert path.relative_gaps.max() <= 1e-10
        for i, alpha in enumerate(path.alphas):
            w = path.coefs[:, [i]].toarray().ravel()
            assert kkt_residual(X, y, w, path.intercepts[i], alpha, **modifiers) < 2e-5


def test_the_kkt_residual_can_fail():
    X, y, *_ = data(1, np.float64)
    path = fit_path(X, y, alphas=[0.1])
    w = path.coefs.toarray().ravel()
    assert kkt_residual(X, y, w, path.intercepts[0], 0.1) < 1e-9
    assert kkt_residual(X, y, w, path.intercepts[0], 0.11) > 1e-3
    assert kkt_residual(X, y, w, path.intercepts[0] + 0.01, 0.1) > 1e-3


def test_alpha_max_comes_after_the_unpenalised_features():
    X, y, _, factors, *_ = data(2, np.float64)
    path = fit_path(X, y, penalty_factor=factors)
    free = np.flatnonzero(factors == 0)
    Z = np.column_stack([np.ones(len(y)), X[:, free]])
    fit = np.linalg.lstsq(Z, y, rcond=None)[0]
    r = y - Z @ fit
    gradient = np.abs(X.T @ r) / len(y)
    penalised = (factors > 0) & np.isfinite(factors)
    assert_allclose(path.alpha_max, np.max(gradient[penalised] / factors[penalised]), rtol=1e-10)
    assert_allclose(path.null_objective, r @ r / (2 * len(y)), rtol=1e-10)
    coef, intercept = path.coef_at(2 * path.alpha_max)
    assert_allclose(coef[free], fit[1:], rtol=1e-8)
    assert_allclose(intercept, fit[0], rtol=1e-8)
    assert np.count_nonzero(coef) == len(free)
    first = path.coefs[:, [0]].toarray().ravel()
    assert_array_equal(np.flatnonzero(first), free)


def test_bounds_make_alpha_max_one_sided():
    X, y, *_ = data(0, np.float64)
    gradient = X.T @ (y - y.mean()) / len(y)
    assert_allclose(fit_path(X, y, lower_bounds=0.0, alphas=3).alpha_max, gradient.max(), rtol=1e-12)
    assert_allclose(fit_path(X, y, upper_bounds=0.0, alphas=3).alpha_max, -gradient.min(), rtol=1e-12)


def test_positive_is_a_lower_bound_of_zero():
    X, y, *_ = data(1, np.float64)
    one, other = fit_path(X, y, positive=True), fit_path(X, y, lower_bounds=0.0)
    assert_array_equal(one.coefs.toarray(), other.coefs.toarray())


def test_offset_is_taken_off_the_response_and_added_to_the_prediction():
    X, y, *_, offset = data(1, np.float64)
    path, plain = fit_path(X, y, offset=offset, alphas=20), fit_path(X, y - offset, alphas=20)
    assert_array_equal(path.coefs.toarray(), plain.coefs.toarray())
    assert_allclose(path.predict(X, offset=offset), plain.predict(X) + offset[:, None], rtol=1e-12)
    model = Lasso(alpha=0.1).fit(X, y, offset=offset)
    assert_allclose(model.predict(X, offset=offset), Lasso(alpha=0.1).fit(X, y - offset).predict(X) + offset, rtol=1e-9)


def test_adaptive_lasso_in_one_line():
    X, y, *_ = data(1, np.float64)
    pilot = fit_path(X, y, alphas=[0.05]).coefs.toarray().ravel()
    with np.errstate(divide="ignore"):
        path = fit_path(X, y, penalty_factor=1 / np.abs(pilot), alphas=30)
    assert set(np.unique(path.coefs.indices)) <= set(np.flatnonzero(pilot))
    assert path.relative_gaps.max() <= 1e-10


@pytest.mark.parametrize("standardize", [False, True])
def test_penalty_factors_are_column_scales(standardize):
    """Penalising v_j |w_j| is penalising |u_j| for the columns x_j / v_j."""
    X, y, *_ = data(2, np.float64)
    v = np.random.default_rng(0).uniform(0.5, 2, X.shape[1])
    path = fit_path(X, y, penalty_factor=v, standardize=standardize, alphas=20)
    factor = v if not standardize else v * X.std(axis=0)
    keep = factor > 1e-12
    scaled = fit_path(X[:, keep] / factor[keep], y, alphas=path.alphas)
    assert_allclose(path.coefs[keep].toarray() * factor[keep, None], scaled.coefs.toarray(), atol=1e-6)


def test_dfmax_ends_the_path():
    X, y, *_ = data(1, np.float64)
    whole, short = fit_path(X, y), fit_path(X, y, dfmax=5)
    assert short.n_nonzero.max() <= 5
    assert len(short.alphas) < len(whole.alphas)
    assert whole.n_nonzero[len(short.alphas)] > 5
    assert_allclose(short.coefs.toarray(), whole.coefs[:, : len(short.alphas)].toarray(), atol=1e-9)


def test_modifiers_of_one_batch_do_not_mix():
    X, y, weights, factors, lower, upper, offset = data(2, np.float64)
    problems = [
        Problem(y), Problem(y, penalty_factor=factors), Problem(y, lower_bounds=lower, upper_bounds=upper),
        Problem(y, offset=offset, sample_weight=weights), Problem(y, l1_ratio=0.2), Problem(y, dfmax=4),
    ]  # fmt: skip
    for problem, path in zip(problems, fit_paths(X, problems), strict=True):
        alone = fit_paths(X, [problem])[0]
        assert_array_equal(path.alphas, alone.alphas)
        assert_allclose(path.coefs.toarray(), alone.coefs.toarray(), atol=1e-6)


@pytest.mark.parametrize("storage", ["F", "csr"])
@pytest.mark.parametrize("size", [1e-4, 1.0, 1e6])
def test_a_null_model_knows_nothing_of_the_other_problems(storage, size):
    X, y, _, factors, *_ = data(2, np.float64)
    other = np.where(factors == 0, 1.0, np.where(np.isinf(factors), 0.0, factors))
    problems = [Problem(size * y, penalty_factor=v, alphas=12, eps=0.05) for v in (factors, other)]
    for problem, path in zip(problems, fit_paths(STORAGES[storage](X), problems), strict=True):
        (alone,) = fit_paths(STORAGES[storage](X), [problem])
        assert_allclose(path.alphas, alone.alphas, rtol=1e-10)
        assert_allclose(path.null_coef, alone.null_coef, atol=1e-8 * size)
        assert path.relative_gaps.max() <= 1e-10


def test_estimators_take_the_modifiers():
    X, y, weights, factors, lower, upper, _ = data(2, np.float64)
    modifiers = {"penalty_factor": factors, "lower_bounds": lower, "upper_bounds": upper}
    model = ElasticNet(alpha=0.1, l1_ratio=0.5, **modifiers).fit(X, y, sample_weight=weights)
    residual = kkt_residual(X, y, model.coef_, model.intercept_, 0.1, l1_ratio=0.5, sample_weight=weights, **modifiers)
    assert residual < 1e-5
    ridge = ElasticNet(alpha=0.1, l1_ratio=0).fit(X, y)
    centred = X - X.mean(axis=0)
    expected = np.linalg.solve(centred.T @ centred / len(y) + 0.1 * np.eye(X.shape[1]), centred.T @ y / len(y))
    assert_allclose(ridge.coef_, expected, atol=1e-6)


@pytest.mark.parametrize("storage", STORAGES)
def test_least_squares_at_alpha_zero_with_bounds_and_exclusions(storage):
    X, y, weights, *_ = data(1, np.float64)
    X = np.delete(X, 3, axis=1)
    factors = np.ones(X.shape[1])
    factors[4] = np.inf
    for bounds in ({}, {"lower_bounds": -0.5, "upper_bounds": 0.4}):
        modifiers = {"sample_weight": weights, "penalty_factor": factors, **bounds}
        path = fit_path(STORAGES[storage](X), y, alphas=[0.1, 0.0], **modifiers)
        w = path.coefs[:, [1]].toarray().ravel()
        assert w[4] == 0
        assert kkt_residual(X, y, w, path.intercepts[1], 0.0, **modifiers) < 1e-6


# --- what a gap proves of the support --------------------------------------------------------------------------------


@pytest.mark.parametrize("storage", STORAGES)
@pytest.mark.parametrize("kind", ["plain", "elastic", "weighted", "standardized", "factors", "bounds"])
def test_a_support_certificate_is_true_and_decides_nearly_everything(storage, kind):
    for seed in (1, 2):
        X, y, weights, factors, lower, upper, _ = data(seed, np.float64)
        modifiers = {
            "plain": {}, "elastic": {"l1_ratio": 0.5}, "weighted": {"sample_weight": weights},
            "standardized": {"standardize": True}, "factors": {"penalty_factor": factors},
            "bounds": {"lower_bounds": lower, "upper_bounds": upper},
        }[kind]  # fmt: skip
        path = fit_path(STORAGES[storage](X), y, alphas=6, eps=0.05, **modifiers)
        for i in range(1, 6):
            proof = path.certificate(path.alphas[i])
            everything = np.concatenate([proof.zero, proof.nonzero, proof.undecided])
            assert_array_equal(np.sort(everything), np.arange(X.shape[1]))
            w = path.coefs[:, [i]].toarray().ravel()
            assert not w[proof.zero].any()
            assert w[proof.nonzero].all()
            assert_allclose(proof.gap, path.dual_gaps[i], atol=1e-10 * path.null_objective)
            if kind not in ("factors", "bounds"):
                assert len(proof.undecided) <= 1


def test_a_loose_solution_proves_only_what_the_exact_one_has():
    X, y, *_ = data(2, np.float64)
    exact, between = fit_path(X, y, alphas=40), fit_path(X, y, alphas=5)
    alpha = exact.alphas[20]
    w = exact.coefs[:, [20]].toarray().ravel()
    loose = between.certificate(alpha)  # a mean of two solutions, with a large gap
    assert loose.gap > 1e3 * exact.dual_gaps[20]
    assert not w[loose.zero].any()
    assert w[loose.nonzero].all()
    assert len(loose.undecided) > 0


def test_certificates_refuse_what_they_cannot_know():
    import pickle

    X, y, *_ = data(1, np.float64)
    path = fit_path(X, y, alphas=[1.0, 0.0])
    with pytest.raises(ValueError, match="alpha must be positive"):
        path.certificate(0.0)
    with pytest.raises(ValueError, match="no X at hand"):
        pickle.loads(pickle.dumps(path)).certificate(1.0)
    assert_array_equal(path.certificate(1e6).zero, np.arange(X.shape[1]))


# --- a given Gram matrix ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("storage", STORAGES)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("intercept", [False, True])
@pytest.mark.parametrize("centred", [False, True])
@pytest.mark.parametrize("precision", [np.float64, np.float32])
def test_a_given_gram_matrix(storage, weighted, intercept, centred, precision):
    X, y, weights, *_ = data(1, np.float64)
    s = weights if weighted else np.ones(len(y))
    arguments = {"fit_intercept": intercept, "sample_weight": s, "alphas": 20}
    Z = X - s @ X / s.sum() if centred else X
    gram = ((Z.T * s) @ Z).astype(precision)
    plain = fit_path(X, y, **arguments)
    if centred and not intercept:
        with pytest.raises(ValueError, match="not the Gram matrix of this X"):
            fit_path(STORAGES[storage](X), y, precompute=gram, **arguments)
        return
    before = gram.copy()
    path = fit_path(STORAGES[storage](X), y, precompute=gram, **arguments)
    assert_array_equal(gram, before)
    assert path.relative_gaps.max() <= 1e-10
    assert_allclose(path.coefs.toarray(), plain.coefs.toarray(), atol=1e-6)
