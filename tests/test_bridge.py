"""Lanes between others: what they are spared is never what they need."""

import numpy as np
import pytest
import reference
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from fastreg import Problem, fit_path, fit_paths
from fastreg.design.dense import Dense
from fastreg.kernels import screening
from fastreg.solve import rounds
from fastreg.solve.run import Run

TOL = 1e-10


# --- the bound -------------------------------------------------------------------------------------------------------


def bridged(a, b, r, Xa=(0.0,), Xb=(0.0,), limit=1.0, norm=(0.0,), reach=0.0, factor=None, total=2.0):
    """((s, t, rest), marks) of a lane r between an anchor a and a lane b that has met all features."""
    R, first, last = np.stack([r, b], axis=1)[None], np.zeros(2, np.intp), np.ones(1, np.intp)
    p, (Xa, Xb, norm) = len(Xa), (np.asarray(v, dtype=float) for v in (Xa, Xb, norm))
    residuals, left, chords = np.empty((3, len(a))), np.empty(2, np.intp), np.zeros((3, 2))
    marks = np.full(p, 7, np.uint8)
    screening.Bridge(
        R, first, np.arange(2), last, np.stack([np.full(p, np.nan), Xb])[:, :, None], last, a, Xa / total, total,
        reach, np.full(2, limit), factor, norm, residuals, left, chords, marks,
    ).do()  # fmt: skip
    assert left.tolist() == [0, -1]
    assert np.isin(marks, (0, 1)).all()
    np.testing.assert_array_equal(residuals, [a, r, b])
    return chords[:, 0], marks.astype(bool)


@settings(max_examples=200, deadline=None)
@given(
    n=st.integers(1, 30), p=st.integers(1, 700), seed=st.integers(0, 2**32 - 1),
    size=st.sampled_from([1e-150, 1e-9, 1.0, 1e9, 1e140]),
    likeness=st.sampled_from([0.0, 1e-12, 1e-3, 1.0]), centred=st.booleans(), mean=st.sampled_from([0.0, 10.0, 1e3]),
)  # fmt: skip
def test_no_feature_that_reaches_its_penalty_is_out_of_the_question(n, p, seed, size, likeness, centred, mean):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p)) + mean * rng.normal(size=p)
    a, e = rng.normal(size=(2, n))
    b, r = a + likeness * rng.normal(size=n), 0.3 * a + likeness * e
    a, b, r = (size * (v - v.mean() if centred else v) for v in (a, b, r))
    level = X.mean(axis=0) if centred else np.zeros(p)
    norm = np.linalg.norm(X - level, axis=0)
    varies = norm > 0
    reach = (np.abs(level[varies]) / norm[varies]).max(initial=0.0)
    factor = rng.choice([0.5, 1.0, 3.0, np.inf], p)
    true = np.abs(X.T @ r)
    limit = max(np.quantile(true, rng.uniform()), 1e-300)
    _, marks = bridged(a, b, r, X.T @ a, X.T @ b, limit, norm, reach, factor)
    assert marks[varies & (true >= 1.000001 * limit * factor)].all()
    assert not marks[np.isinf(factor)].any()


def test_most_features_are_out_of_the_question_near_a_plane():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(100, 2000))
    a, b = rng.normal(size=(2, 100))
    r = 0.4 * a + 0.6 * b + 1e-3 * rng.normal(size=100)
    limit = np.quantile(np.abs(X.T @ r), 0.99)
    (s, t, rest), marks = bridged(a, b, r, X.T @ a, X.T @ b, limit, np.linalg.norm(X, axis=0))
    assert_allclose([s, t], [0.4, 0.6], atol=0.01)
    assert_allclose(rest, np.linalg.norm(r - s * a - t * b), rtol=1e-6)
    assert 20 <= marks.sum() <= 40


@pytest.mark.parametrize("b", [1.0, -2.0, 0.0])
def test_parallel_residuals_are_one(b):
    a = np.arange(1.0, 6.0)
    (s, t, rest), _ = bridged(a, b * a, 3.0 * a)
    assert_allclose(s * a + t * b * a, 3.0 * a if b else 0.0 * a, atol=1e-12)
    assert rest <= 1e-9 if b else rest >= 3.0 * np.linalg.norm(a)


def test_what_is_not_finite_is_in_doubt():
    a, b, r, one = np.eye(3)[0], np.eye(3)[1], np.array([0.5, 0.5, 0.0]), np.ones(3)
    _, marks = bridged(a, b, r, [np.nan, np.inf, 0.0], np.zeros(3), 1.0, one)
    assert marks.tolist() == [True, True, False]
    _, marks = bridged(a, b, np.array([np.nan, 0.0, 0.0]), np.zeros(3), np.zeros(3), 1.0, one)
    assert marks.all()
    _, marks = bridged(a, b, np.array([0.0, 0.0, 1.0]), np.zeros(3), np.zeros(3), 1.0, np.full(3, rounds.HUGE))
    assert marks.all()


def test_what_is_followed_after_a_round():
    rng = np.random.default_rng(4)
    X, total = rng.normal(size=(20, 6)), 20.0
    a, b, r = rng.normal(size=(3, 20))
    R, residuals, left = np.stack([r, b], axis=1)[None], np.empty((3, 20)), np.empty(2, np.intp)
    chords, marks = np.empty((3, 2)), np.empty(6, np.uint8)
    one, zero = np.ones(1, np.intp), np.zeros(2, np.intp)
    C = np.stack([np.zeros(6), X.T @ b])[:, :, None]
    between = screening.Bridge(
        R, zero, np.arange(2), one, C, one, a, X.T @ a / total, total, 0.0, np.ones(2), None, np.ones(6), residuals,
        left, chords, marks,
    )  # fmt: skip
    between.do()
    s, t, _ = chords[:, 0]
    met = np.array([1, 4])
    products, near = X[:, met].T @ R[0], X.T @ (s * a + t * b) / total
    for k, residual, gradient, before in (
        (0, s * a + t * b, near, X.T @ a / total),
        (1, b, X.T @ b / total, np.where(np.isin(np.arange(6), met), X.T @ r / total, near)),
    ):
        out = np.empty(20), np.empty(6), np.empty(6)
        screening.Follow(between, k, met, np.ascontiguousarray(products), 0.5, *out).do()
        for found, expected in zip(out, (residual, gradient, (before - gradient) / 0.5), strict=True):
            assert_allclose(found, expected, atol=1e-13)


# --- in the rounds ---------------------------------------------------------------------------------------------------


def data(loss, n=50, p=1200, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p)) + 0.5 * rng.normal(size=(n, 1)) + rng.normal(size=p)
    z = X[:, :5] @ np.array([1.5, -1.5, 1.0, -0.5, 0.5])
    z -= z.mean()
    if loss == "logistic":
        return X, (z + rng.logistic(size=n) > 0).astype(np.float64)
    if loss == "poisson":
        return X, rng.poisson(np.exp(np.clip(0.5 * z, -20, 3))).astype(np.float64)
    return X, z + 0.5 * rng.normal(size=n)


def certified(X, y, path, loss, **modifiers):
    """Gaps of all alphas by the reference, which knows nothing of lanes."""
    if loss == "squared":  # Huber's, as far as no residual gets
        loss, modifiers = "huber", {**modifiers, "delta": 1e9}
    problem = reference.glm(X, y, loss, **modifiers)
    coefs = path.coefs.toarray()
    for k, alpha in enumerate(path.alphas):
        gap = problem.gap(coefs[:, k], path.intercepts[k], alpha)
        assert gap <= (10 * TOL + 1e-13) * path.null_objective, (alpha, gap / path.null_objective)
    assert path.relative_gaps.max() <= TOL
    return coefs


@pytest.fixture
def spared(monkeypatch):
    """All rounds of wide problems have lanes between others; what these have met, as (features, of p)."""
    monkeypatch.setattr(rounds, "BRIDGED", 0.0)
    met, before = [], Dense.some_correlate_parts

    def watched(self, columns, *arguments):
        met.extend((len(some), self.p) for some in columns)
        return before(self, columns, *arguments)

    monkeypatch.setattr(Dense, "some_correlate_parts", watched)
    return met


CASES = [
    {}, {"l1_ratio": 0.7}, {"standardize": True}, {"positive": True}, {"fit_intercept": False},
    {"lower_bounds": -0.2, "upper_bounds": 0.4}, {"sample_weight": "some"},
    {"penalty_factor": "some", "l1_ratio": 0.9}, {"sample_weight": "some", "standardize": True, "l1_ratio": 0.8},
]  # fmt: skip


def with_arrays(modifiers, n, p):
    rng = np.random.default_rng(9)
    arrays = {
        "sample_weight": np.where(rng.uniform(size=n) < 0.2, 0.0, rng.uniform(0.5, 2.0, n)),
        "penalty_factor": np.where(rng.uniform(size=p) < 0.1, np.inf, rng.uniform(0.5, 2.0, p)),
    }
    return {name: arrays[name] if isinstance(value, str) else value for name, value in modifiers.items()}


@pytest.mark.parametrize("loss", ["squared", "logistic", "poisson"])
@pytest.mark.parametrize("modifiers", CASES, ids=lambda case: "-".join(case) or "plain")
@pytest.mark.parametrize("order", ["C", "F"])
def test_every_gap_holds_for_all_features(spared, loss, modifiers, order):
    X, y = data(loss)
    X = np.asarray(X, order=order)
    modifiers = with_arrays(modifiers, *X.shape)
    path = fit_path(X, y, loss=loss, alphas=60, eps=0.05, **modifiers)
    certified(X, y, path, loss, **modifiers)
    assert spared
    assert np.mean([some / p for some, p in spared]) < 0.5


@pytest.mark.parametrize("loss", ["squared", "logistic"])
def test_a_batch_is_each_of_its_problems(spared, loss):
    X, y = data(loss)
    folds = [np.where(np.arange(len(y)) % 5 == k, 0.0, 1.0) for k in range(5)]
    problems = [Problem(y, loss=loss, alphas=25, eps=0.05, sample_weight=fold) for fold in [*folds, None]]
    paths = fit_paths(X, problems)
    assert spared
    for path, weights in zip(paths, [*folds, None], strict=True):
        coefs = certified(X, y, path, loss, sample_weight=weights)
        alone = fit_path(X, y, loss=loss, alphas=25, eps=0.05, sample_weight=weights)
        assert_allclose(coefs, alone.coefs.toarray(), atol=1e-4 * np.abs(coefs).max())


def test_single_precision_agrees(spared):
    X, y = data("squared")
    X = X.astype(np.float32)
    path = fit_path(X, y, alphas=60, eps=0.05)
    certified(X, y, path, "squared")
    assert spared


@pytest.mark.parametrize("loss", ["squared", "logistic"])
def test_features_that_were_not_foreseen_are_found_between_lanes(spared, monkeypatch, loss):
    hidden, before = np.random.default_rng(3).uniform(size=1200) < 0.5, Run.look_ahead

    def blind(run, lanes):  # it takes the hidden features for known
        seen, run.sample.place = run.sample.place, np.where(hidden, 0, run.sample.place).astype(np.int32)
        parts = before(run, lanes)
        run.sample.place = seen
        return parts

    monkeypatch.setattr(Run, "look_ahead", blind)
    X, y = data(loss)
    path = fit_path(X, y, loss=loss, alphas=60, eps=0.05)
    coefs = certified(X, y, path, loss)
    assert hidden[np.flatnonzero(coefs.any(axis=1))].any()
    assert spared


@pytest.mark.parametrize("shared", [False, True])
def test_rounds_side_by_side(spared, monkeypatch, shared):
    """Problems with weights of their own, or some with the same: their rounds must not get in each other's way."""
    monkeypatch.setattr(rounds, "MANY", 2)
    pairs, before = [], rounds.interleave
    monkeypatch.setattr(rounds, "interleave", lambda works, jobs: pairs.append(len(works)) or before(works, jobs))
    X, y = data("squared", n=40, p=900)
    rng = np.random.default_rng(5)
    halves = [rng.permutation(np.repeat([0.0, 1.0], 20)) for _ in range(4 if shared else 12)]
    weights = halves * 3 if shared else halves
    problems = [
        Problem(y + 0.1 * k, sample_weight=s, alphas=25, eps=0.1, l1_ratio=[1.0, 0.8, 0.9][k % 3])
        for k, s in enumerate(weights)
    ]
    paths = fit_paths(X, problems, n_jobs=2)
    assert 2 in pairs and spared
    for k, (path, s) in enumerate(zip(paths, weights, strict=True)):
        l1_ratio = [1.0, 0.8, 0.9][k % 3]
        certified(X, y + 0.1 * k, path, "squared", sample_weight=s, l1_ratio=l1_ratio)
    for one, other in zip(paths, fit_paths(X, problems, n_jobs=1), strict=True):
        assert one.coefs.toarray().tobytes() == other.coefs.toarray().tobytes()


def test_means_that_dwarf_the_columns(spared):
    X, y = data("squared")
    X = X + 300.0 * np.random.default_rng(1).normal(size=X.shape[1])
    certified(X, y, fit_path(X, y, alphas=60, eps=0.05), "squared")
    assert spared
