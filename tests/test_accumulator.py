"""Sums of row blocks against long doubles, and the models fitted from them against those fitted to the rows."""

import os
import pickle
import subprocess
import sys
from functools import reduce
from itertools import product
from operator import add

import numpy as np
import pytest
import reference
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse

from fastreg import GramAccumulator, cross_validate_blocks, fit_path

CLOSE = 1e-9


def make(n=300, p=12, k=None, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p)) * rng.uniform(0.1, 10, p) + 2 * rng.standard_normal((n, 1)) + rng.uniform(-9, 9, p)
    Y = X[:, : min(p, 4)] @ rng.uniform(-2, 2, (min(p, 4), k or 1)) + rng.standard_normal((n, k or 1)) + 7
    weights = rng.uniform(0, 3, n)
    weights[::6] = 0
    return X, Y if k else Y[:, 0], weights


def blockwise(X, y, weights=None, size=41, convert=lambda block: block):
    sums = GramAccumulator()
    for i in range(0, len(y), size):
        part = slice(i, i + size)
        sums.add(convert(X[part]), y[part], None if weights is None else weights[part])
    return sums


def same_sums(ours, theirs, rtol=1e-12):
    """Sums of rows agree, to a share of the sizes of their columns."""
    assert (ours.n_rows_, ours.n_features_in_, ours.n_targets_) == (
        theirs.n_rows_, theirs.n_features_in_, theirs.n_targets_,
    )  # fmt: skip
    for a, b in zip(ours._sums.centred(), theirs._sums.centred(), strict=True):
        scale = np.abs(b).max() or 1.0
        assert_allclose(a, b, rtol=0, atol=rtol * scale)


# --- sums ------------------------------------------------------------------------------------------------------------

STORAGES = {
    "C": np.ascontiguousarray,
    "F": np.asfortranarray,
    "strided": lambda X: np.repeat(X, 2, axis=1)[:, ::2],
    "csc": sparse.csc_array,
    "csr": sparse.csr_matrix,
}


@pytest.mark.parametrize("storage", STORAGES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("mean", [0.0, 1e6])
@pytest.mark.parametrize("weighted", [False, True])
def test_sums_agree_with_long_doubles(storage, dtype, mean, weighted):
    rng = np.random.default_rng(1)
    X = rng.standard_normal((700, 5))
    X[:, 1] += 0.9 * X[:, 0]
    X = (X + mean * np.array([1, -1, 0, 1, 0])).astype(dtype)
    X[rng.random(X.shape) < np.array([0, 0, 0.8, 0, 0.5])] = 0
    Y = rng.standard_normal((700, 3)) + X[:, [0]] - mean + np.array([0, 1e6, 0])
    weights = rng.uniform(0, 2, 700) * (rng.random(700) < 0.8) if weighted else None
    sums = blockwise(X, Y, weights, 150, STORAGES[storage])

    s = np.ones(700, np.longdouble) if weights is None else weights.astype(np.longdouble)
    Z, T = X.astype(np.longdouble), Y.astype(np.longdouble)
    total, means, levels = s.sum(), s @ Z / s.sum(), s @ T / s.sum()
    Z, T = Z - means, T - levels
    gram, cross, squares = Z.T @ (s[:, None] * Z), Z.T @ (s[:, None] * T), s @ T**2
    size, size_y = np.sqrt(np.diag(gram)), np.sqrt(squares)
    assert sums.n_rows_ == 700 if weights is None else np.count_nonzero(weights)
    assert_allclose(sums.total_weight_, float(total), rtol=1e-15)
    assert_allclose(sums.x_mean_, means.astype(float), rtol=3e-16, atol=1e-14)
    assert_allclose(sums.y_mean_, levels.astype(float), rtol=3e-16, atol=1e-14)
    assert_allclose(sums.x_std_, (size / np.sqrt(total)).astype(float), rtol=1e-13)
    assert_allclose(sums.y_std_, (size_y / np.sqrt(total)).astype(float), rtol=1e-13)
    _, _, ours, ours_cross, ours_squares = sums._sums.centred()
    moments = sums._moments()
    error = np.abs(ours - gram) / np.outer(size, size)
    assert error.max() < 3e-14
    assert (np.abs(ours - gram) <= moments.rounding * np.outer(moments.size_x, moments.size_x)).all()
    assert (np.abs(ours_cross - cross) <= moments.rounding * np.outer(moments.size_x, moments.size_y)).all()
    assert (np.abs(ours_squares - squares) <= moments.rounding * moments.size_y**2).all()


def test_means_that_drift_from_block_to_block():
    rng = np.random.default_rng(2)
    X = rng.standard_normal((2000, 3)) + np.array([1e7, 0, 1e7])
    X[:1] = 0.0  # the first row says nothing of the others
    X[:, 1] += np.arange(2000) // 100 * 50.0
    y = X[:, 1] + 3
    sums = GramAccumulator().add(X[:1], y[:1])
    for i in range(1, 2000, 100):
        sums.add(X[i : i + 100], y[i : i + 100])
    Z = X.astype(np.longdouble)
    Z = Z - Z.mean(axis=0)
    gram = Z.T @ Z
    size = np.sqrt(np.diag(gram))
    assert (np.abs(sums._sums.centred()[2] - gram) / np.outer(size, size)).max() < 1e-14


def test_storages_may_change_from_block_to_block(tmp_path):
    import pandas as pd

    X, y, weights = make(k=2)
    X[np.random.default_rng(0).random(X.shape) < 0.5] = 0
    X[:, 3] = 5e5 + np.random.default_rng(1).standard_normal(len(X))  # full, and far from zero
    mapped = np.lib.format.open_memmap(tmp_path / "X.npy", mode="w+", dtype=np.float64, shape=X.shape)
    mapped[:] = X
    ways = [
        np.ascontiguousarray, sparse.csr_array, np.asfortranarray, sparse.csc_matrix, pd.DataFrame, np.ndarray.tolist,
        sparse.coo_array,
    ]  # fmt: skip
    sums = GramAccumulator()
    for i, way in enumerate(ways):
        part = slice(i * 40, (i + 1) * 40)
        sums.add(way(X[part]), y[part], weights[part])
    sums.add(mapped[280:], y[280:], weights[280:])
    whole = GramAccumulator().add(X, y, weights)
    same_sums(sums, whole, 1e-13)
    assert_allclose(sums.x_std_, whole.x_std_, rtol=1e-12)


def test_order_merging_and_removal():
    X, y, weights = make(k=2)
    X += 1e5
    parts = [slice(i, i + 60) for i in range(0, 300, 60)]
    blocks = [GramAccumulator().add(X[part], y[part], weights[part]) for part in parts]
    whole = GramAccumulator().add(X, y, weights)
    same_sums(blockwise(X[::-1], y[::-1], weights[::-1]), whole)
    same_sums(reduce(add, blocks), whole)
    tree = (blocks[4] + blocks[1]) + (blocks[0] + (blocks[3] + blocks[2]))
    same_sums(tree, whole)
    assert blocks[0].n_rows_ == 50  # `+` leaves its terms alone
    total = GramAccumulator()
    for block in blocks:
        total += block
    same_sums(total, whole)
    same_sums(GramAccumulator().merge(whole), whole, 0)
    twice = whole + whole
    assert twice.n_rows_ == 2 * whole.n_rows_
    assert_allclose(twice.x_std_, whole.x_std_, rtol=1e-13)

    total.remove(X[parts[1]], y[parts[1]], weights[parts[1]])
    total.remove(X[parts[3]], y[parts[3]], weights[parts[3]])
    same_sums(total, blocks[0] + blocks[2] + blocks[4])
    for part in (parts[0], parts[4]):
        total.remove(X[part], y[part], weights[part])
    same_sums(total, blocks[2])
    total.remove(X[parts[2]], y[parts[2]], weights[parts[2]])
    assert total.n_rows_ == 0
    same_sums(total.add(X, y, weights), whole, 1e-15)


def test_weights():
    X, y, weights = make()
    present = weights > 0
    holes = X.copy()
    holes[~present] = 1e200  # its square overflows
    same_sums(blockwise(holes, y, weights), GramAccumulator().add(X[present], y[present], weights[present]))
    doubled = GramAccumulator().add(X, y, 2.0).add(X[:50], y[:50], 1)
    same_sums(doubled, GramAccumulator().add(X, y, np.full(300, 2.0)).add(X[:50], y[:50]), 1e-15)
    nothing = GramAccumulator().add(X, y, np.zeros(300))
    assert nothing.n_rows_ == 0
    assert nothing.n_features_in_ == 12
    same_sums(nothing.merge(doubled), doubled, 1e-15)
    same_sums(doubled.add(X, y, np.zeros(300)), nothing, 1e-15)


def test_names():
    import pandas as pd

    X, y, _ = make(p=3)
    frame = pd.DataFrame(X, columns=["a", "b", "c"])
    sums = GramAccumulator().add(frame[:100], y[:100]).add(X[100:200], y[100:200]).add(frame[200:], y[200:])
    assert list(sums.feature_names_in_) == ["a", "b", "c"]
    assert list(sums.fit_path(alphas=3).to_frame().columns) == ["(intercept)", "a", "b", "c"]
    assert list((GramAccumulator() + sums).feature_names_in_) == ["a", "b", "c"]
    with pytest.raises(ValueError, match="column 0 is 'b', it was 'a'"):
        sums.add(frame[["b", "a", "c"]], y)
    with pytest.raises(ValueError, match="column 1 is 'x' in other and 'b' in this one"):
        sums.merge(GramAccumulator().add(frame.rename(columns={"b": "x"}), y))


def test_pickle_and_repr():
    X, y, weights = make(k=2)
    assert repr(GramAccumulator()) == "GramAccumulator(no rows)"
    sums = blockwise(X, y, weights)
    assert repr(sums) == "GramAccumulator(250 rows, 12 features, 2 targets)"
    twin = pickle.loads(pickle.dumps(sums))
    same_sums(twin, sums, 0)
    assert_array_equal(twin.fit_path(alphas=5)[1].coefs.toarray(), sums.fit_path(alphas=5)[1].coefs.toarray())
    same_sums(twin.add(X, y), sums.add(X, y), 0)


# --- refusals --------------------------------------------------------------------------------------------------------

GOOD, TARGET = np.arange(12.0).reshape(6, 2) ** 1.5, np.arange(6.0)


def with_value(array, index, value):
    array = array.copy()
    array[index] = value
    return array


@pytest.mark.parametrize(
    ("block", "error", "words"),
    [
        (
            (with_value(GOOD, (4, 1), np.nan), TARGET),
            ValueError,
            "X contains NaN or infinity, first at row 4, column 1",
        ),
        ((sparse.csr_array(with_value(GOOD, (4, 1), np.inf)), TARGET), ValueError, "first at row 4, column 1: inf"),
        ((with_value(GOOD, (4, 1), np.nan), TARGET, np.arange(6) < 4), ValueError, "X contains NaN"),
        ((GOOD, with_value(TARGET, 2, np.inf)), ValueError, "y contains NaN or infinity, first at position 2"),
        ((GOOD, TARGET[:5]), ValueError, "X has 6, y has 5"),
        ((GOOD[:, :1], TARGET), ValueError, "X has 1 features, but the blocks before it had 2"),
        ((GOOD, np.column_stack([TARGET, TARGET])), ValueError, r"y has 2 target\(s\), but the blocks before it had 1"),
        ((GOOD[0], TARGET[:1]), ValueError, r"X must be 2-d.*X.reshape\(1, -1\) for one row"),
        ((GOOD[:0], TARGET[:0]), ValueError, "X is empty"),
        ((GOOD.astype(str), TARGET), TypeError, "X has dtype <U"),
        ((GOOD * 1e200, TARGET), ValueError, "products overflow: scale X, or y, down"),
        ((GOOD, TARGET * 1e200), ValueError, "y are so large that their squares overflow"),
        ((GOOD, None), ValueError, "the target y is None"),
        ((GOOD, TARGET, np.ones(5)), ValueError, r"sample_weight must have shape \(6,\)"),
        ((GOOD, TARGET, -np.ones(6)), ValueError, "must not be negative; it is -1.0 at position 0. `remove`"),
        ((GOOD, TARGET, np.nan), ValueError, "sample_weight contains NaN"),
        ((GOOD, TARGET, np.full(6, 1e-200)), ValueError, "Multiply the weights of all blocks"),
    ],
)
def test_a_block_that_is_refused_changes_nothing(block, error, words):
    for sums in (GramAccumulator(), GramAccumulator().add(GOOD, TARGET)):
        if sums.n_rows_ == 0 and "before it" in words:
            continue
        before = pickle.dumps(sums)
        with pytest.raises(error, match=words):
            sums.add(*block)
        assert pickle.dumps(sums) == before
    with pytest.raises(error, match=words):
        sums.remove(*block)
    assert pickle.dumps(sums) == before


def test_rows_that_were_never_added_cannot_be_removed():
    X, y, weights = make()
    sums = GramAccumulator().add(X[:200], y[:200], weights[:200])
    before = pickle.dumps(sums)
    for block in [
        (10 * X[:50], y[:50]), (X[:50], y[:50] + 1e3), (X[:50], y[:50], 1e3), (10 * X[:200], y[:200], weights[:200])
    ]:  # fmt: skip
        with pytest.raises(ValueError, match="not rows that were added"):
            sums.remove(*block)
    with pytest.raises(ValueError, match="X has 300 rows.*only 166 to take away"):
        sums.remove(X, y)
    assert pickle.dumps(sums) == before
    with pytest.raises(ValueError, match="no rows were added yet"):
        GramAccumulator().remove(X, y)


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda s: s.ridge(1), TypeError, r"alphas must be a list of values here; it is 1.*pass \[value\]"),
        (lambda s: s.ridge(1.0), TypeError, r"pass \[value\]"),
        (lambda s: s.ridge([-1.0]), ValueError, "alphas must be >= 0"),
        (lambda s: s.ridge([1.0], fit_intercept=1), TypeError, "fit_intercept must be True or False"),
        (lambda s: s.ridge([1.0], penalty_factor=[1.0]), ValueError, r"penalty_factor must have shape \(2,\)"),
        (lambda s: s.fit_path(l1_ratio=0), ValueError, "pass the values of alphas"),
        (lambda s: s.fit_path(penalty_factor=[0, 0]), ValueError, "penalises no feature"),
        (lambda s: s.fit_path(lower_bounds=1.0), ValueError, "bounds must leave room for 0"),
        (lambda s: s.fit_path(eps=2), ValueError, "eps"),
        (lambda s: s.fit_path(n_jobs=0), ValueError, "n_jobs must not be 0"),
        (lambda s: GramAccumulator().fit_path(), ValueError, r"no rows were added yet.*call add\(X, y\) first"),
        (lambda s: GramAccumulator().ridge([1.0]), ValueError, "no rows were added yet"),
        (lambda s: GramAccumulator().x_mean_, ValueError, "no rows were added yet"),
        (lambda s: s.merge(3), TypeError, "other must be a GramAccumulator; it is a int"),
        (lambda s: s + 3, TypeError, "unsupported operand"),
        (
            lambda s: s.merge(GramAccumulator().add(GOOD[:, :1], TARGET)),
            ValueError,
            "other has 1 features and 1 target",
        ),
        (lambda s: cross_validate_blocks(s), TypeError, "blocks must be a list of GramAccumulator"),
        (lambda s: cross_validate_blocks([s]), ValueError, r"blocks holds 1 accumulator\(s\)"),
        (lambda s: cross_validate_blocks([s, 3]), TypeError, r"blocks\[1\] is a int"),
        (lambda s: cross_validate_blocks([s, GramAccumulator()]), ValueError, r"blocks\[1\] has no rows"),
        (
            lambda s: cross_validate_blocks([s, GramAccumulator().add(GOOD[:, :1], TARGET)]),
            ValueError,
            r"blocks\[1\] has 1 features and 1 target\(s\), blocks\[0\] has 2 and 1",
        ),
    ],
)
def test_bad_arguments(call, error, words):
    with pytest.raises(error, match=words):
        call(GramAccumulator().add(GOOD, TARGET))


# --- models ----------------------------------------------------------------------------------------------------------


def agree(ours, theirs, atol=CLOSE):
    assert_allclose(ours.alphas, theirs.alphas, rtol=1e-11)
    assert_allclose(ours.alpha_max, theirs.alpha_max, rtol=1e-11)
    assert_allclose(ours.null_objective, theirs.null_objective, rtol=1e-11)
    assert_allclose(ours.null_intercept, theirs.null_intercept, rtol=1e-11, atol=atol)
    assert_allclose(ours.deviance_ratio, theirs.deviance_ratio, rtol=0, atol=1e-11)
    assert_allclose(ours.coefs.toarray(), theirs.coefs.toarray(), rtol=CLOSE, atol=atol)
    assert_allclose(ours.intercepts, theirs.intercepts, rtol=CLOSE, atol=atol)
    assert (ours.null_coef is None) == (theirs.null_coef is None)
    if ours.null_coef is not None:
        assert_allclose(ours.null_coef, theirs.null_coef, rtol=CLOSE, atol=atol)


FACTORS = np.ones(12)
FACTORS[[0, 7]], FACTORS[[2, 3]], FACTORS[5] = 0, np.inf, 3.0
MODIFIERS = {
    "plain": {},
    "factors": {"penalty_factor": FACTORS},
    "bounds": {"lower_bounds": -0.1, "upper_bounds": np.where(np.arange(12) % 2, 0.3, np.inf)},
    "positive": {"positive": True},
    "alphas": {"alphas": [0.0, 0.03, 2.0]},
    "alphas, factors": {"alphas": [0.0, 0.03, 2.0], "penalty_factor": FACTORS},
    "dfmax": {"dfmax": 3},
}


@pytest.mark.parametrize("modifier", MODIFIERS)
@pytest.mark.parametrize(
    ("l1_ratio", "fit_intercept", "standardize", "weighted"), list(product([1.0, 0.4], *[[True, False]] * 3))
)
def test_paths_are_those_of_the_rows(modifier, l1_ratio, fit_intercept, standardize, weighted):
    X, y, weights = make()
    weights = weights if weighted else None
    options = {"l1_ratio": l1_ratio, "fit_intercept": fit_intercept, "standardize": standardize, "tol": 1e-13}
    options = {"alphas": 25, **options, **MODIFIERS[modifier]}
    agree(blockwise(X, y, weights).fit_path(**options), fit_path(X, y, sample_weight=weights, **options))


@pytest.mark.parametrize("standardize", [False, True])
def test_gaps_bound_the_distance_that_the_rows_tell(standardize):
    X, y, weights = make()
    X[:, 1] = X[:, 0] + 1e-3 * X[:, 1]
    for l1_ratio in (1.0, 0.3):
        path = blockwise(X, y, weights).fit_path(alphas=10, l1_ratio=l1_ratio, standardize=standardize)
        for i, alpha in enumerate(path.alphas):
            coef, intercept = path.coef_at(alpha)
            gap = reference.gap(
                X, y, coef, intercept, alpha, l1_ratio=l1_ratio, standardize=standardize, weights=weights
            )
            assert gap <= path.dual_gaps[i] + 1e-15 * path.null_objective
        assert path.relative_gaps.max() < 1e-10


def test_optimality_in_terms_of_the_rows():
    X, y, weights = make()
    path = blockwise(X, y, weights).fit_path(alphas=20)
    s = weights / weights.sum()
    for i, alpha in enumerate(path.alphas):
        coef = path.coefs[:, [i]].toarray().ravel()
        residual = y - X @ coef - path.intercepts[i]
        gradient = X.T @ (s * residual)
        assert abs(s @ residual) < 1e-10
        assert np.abs(gradient).max() <= alpha + 1e-10
        assert_allclose(gradient[coef != 0], alpha * np.sign(coef[coef != 0]), rtol=0, atol=1e-10)


def test_large_means_cost_no_digits():
    rng = np.random.default_rng(3)
    X = rng.standard_normal((500, 6))
    y = X[:, 0] - X[:, 1] + rng.standard_normal(500)
    near, far = (blockwise(X + shift, y + shift).fit_path(alphas=20) for shift in (0.0, 2.0**20))
    assert_allclose(far.coefs.toarray(), near.coefs.toarray(), rtol=0, atol=1e-8)  # X + 2**20 has lost 20 bits
    agree(far, fit_path(X + 2.0**20, y + 2.0**20, alphas=20), atol=1e-7)
    assert_allclose(far.coefs.toarray(), fit_path(X + 2.0**20, y + 2.0**20, alphas=20).coefs.toarray(), atol=1e-10)


def test_several_targets():
    X, Y, weights = make(k=3)
    for options in ({"alphas": 15}, {"alphas": [0.0, 0.1], "fit_intercept": False}):
        paths = blockwise(X, Y, weights).fit_path(**options)
        assert len(paths) == 3
        for path, other in zip(paths, fit_path(X, Y, sample_weight=weights, **options), strict=True):
            agree(path, other)
    assert len(blockwise(X, Y, weights).ridge([1.0])) == 3
    assert blockwise(X, Y[:, :1]).add(X, Y[:, 0]).fit_path(alphas=2).coefs.shape == (12, 2)


def ridge_of_the_rows(X, y, alphas, fit_intercept, standardize, factor, s):
    """The normal equations, solved in X itself: singular values of the centred rows above roots of the penalties."""
    mean, level = (s @ X / s.sum(), s @ y / s.sum()) if fit_intercept else (np.zeros(X.shape[1]), 0.0)
    sd = np.sqrt(s @ (X - s @ X / s.sum()) ** 2 / s.sum())
    v = factor * sd**2 if standardize else factor
    kept = np.isfinite(v)
    coefs = np.zeros((X.shape[1], len(alphas)))
    for i, alpha in enumerate(alphas):
        A = np.vstack([np.sqrt(s)[:, None] * (X - mean)[:, kept], np.diag(np.sqrt(alpha * v[kept]))])
        b = np.concatenate([np.sqrt(s) * (y - level), np.zeros(kept.sum())])
        coefs[kept, i] = np.linalg.lstsq(A, b, rcond=None)[0]
    return coefs, level - mean @ coefs


@pytest.mark.parametrize("factors", [False, True])
@pytest.mark.parametrize(("fit_intercept", "standardize", "weighted"), list(product(*[[True, False]] * 3)))
def test_ridge_is_that_of_the_rows(fit_intercept, standardize, weighted, factors):
    X, y, weights = make()
    s, factor = weights if weighted else np.ones(300), FACTORS if factors else np.ones(12)
    sums = blockwise(X, y, weights if weighted else None)
    for alphas in (np.array([1e3, 1.0, 1e-4, 0.0]), np.geomspace(1e4, 1e-3, 30)):
        path = sums.ridge(
            alphas[::-1], fit_intercept=fit_intercept, standardize=standardize,
            penalty_factor=FACTORS if factors else None,
        )  # fmt: skip
        coefs, intercepts = ridge_of_the_rows(X, y, alphas, fit_intercept, standardize, factor, s)
        assert_array_equal(path.alphas, alphas)
        assert_allclose(path.coefs.toarray(), coefs, rtol=CLOSE, atol=CLOSE)
        assert_allclose(path.intercepts, intercepts, rtol=CLOSE, atol=CLOSE)
        fitted = y[:, None] - path.predict(X)
        centre = s @ y / s.sum() if fit_intercept else 0.0
        assert_allclose(path.deviance_ratio, 1 - s @ fitted**2 / (s @ (y - centre) ** 2), rtol=1e-10)
        assert ((path.relative_gaps >= 0) & (path.relative_gaps < 1e-10)).all()
        free = ridge_of_the_rows(X, y, [1e16], fit_intercept, standardize, factor, s)
        null = s @ (y - X @ free[0][:, 0] - free[1][0]) ** 2
        assert_allclose(path.null_objective, null, rtol=1e-8)
        assert_allclose(path.null_intercept, free[1][0], rtol=1e-6)


def test_ridge_is_a_path_with_an_l1_ratio_of_zero():
    X, y, weights = make()
    sums = blockwise(X, y, weights)
    alphas = np.array([10.0, 0.1])
    path, ridge = sums.fit_path(l1_ratio=0, alphas=alphas), sums.ridge(alphas * weights.sum())
    assert_allclose(path.coefs.toarray(), ridge.coefs.toarray(), rtol=1e-10)
    assert_allclose(path.null_objective, ridge.null_objective / (2 * weights.sum()), rtol=1e-12)
    assert_allclose(ridge.coef_at(alphas[1] * weights.sum())[0], path.coef_at(alphas[1])[0], rtol=1e-10)


# --- where the Gram matrix is singular -------------------------------------------------------------------------------


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("standardize", [True, False])
def test_constant_and_duplicated_columns(fit_intercept, standardize):
    X, y, weights = make(p=6)
    X = np.column_stack([X, X[:, 0], np.full(300, 0.1), np.zeros(300), X[:, 1] + X[:, 2]])
    sums, options = blockwise(X, y, weights), {"fit_intercept": fit_intercept, "standardize": standardize}
    assert_array_equal(sums.x_std_[[7, 8]], 0)
    ours = sums.fit_path(alphas=20, **options)
    theirs = fit_path(X, y, sample_weight=weights, alphas=20, **options)
    assert_allclose(ours.deviance_ratio, theirs.deviance_ratio, atol=1e-10)
    assert_allclose(ours.alphas, theirs.alphas, rtol=1e-12)
    assert_allclose(ours.predict(X), theirs.predict(X), atol=1e-6)  # coefficients of equal columns are not unique
    unique = {"l1_ratio": 0.5, "alphas": [1.0, 0.1], **options}
    agree(sums.fit_path(**unique), fit_path(X, y, sample_weight=weights, **unique))
    least = {"alphas": [0.0], **options}
    agree(sums.fit_path(**least), fit_path(X, y, sample_weight=weights, **least), atol=1e-7)
    smallest = fit_path(X, y, sample_weight=weights, **least)
    ridge = sums.ridge([1.0, 1e-13, 0.0], **options)
    assert_allclose(ridge.coefs[:, 2].toarray().ravel(), smallest.coefs[:, 0].toarray().ravel(), atol=1e-7)
    assert_allclose(ridge.coefs[:, 1].toarray().ravel(), smallest.coefs[:, 0].toarray().ravel(), atol=1e-6)
    assert (ridge.relative_gaps < 1e-9).all()


@pytest.mark.parametrize("fit_intercept", [True, False])
def test_more_features_than_rows(fit_intercept):
    X, y, weights = make(n=40, p=90)
    sums = blockwise(X, y, weights, 15)
    options = {"fit_intercept": fit_intercept, "alphas": 20}
    agree(sums.fit_path(**options, eps=1e-2), fit_path(X, y, sample_weight=weights, **options), atol=1e-8)
    net = {"l1_ratio": 0.5, **options}
    agree(sums.fit_path(**net), fit_path(X, y, sample_weight=weights, **net), atol=1e-8)
    coefs, _ = ridge_of_the_rows(X, y, [1.0, 0.0], fit_intercept, False, np.ones(90), weights)
    assert_allclose(sums.ridge([1.0, 0.0], fit_intercept=fit_intercept).coefs.toarray(), coefs, atol=1e-7)


def test_columns_of_very_different_sizes():
    X, y, weights = make()
    scale = 10.0 ** np.linspace(-8, 8, 12)
    options = {"standardize": True, "alphas": 20}
    ours = blockwise(X * scale, y, weights).fit_path(**options)
    assert_allclose(
        ours.coefs.toarray() * scale[:, None], fit_path(X, y, sample_weight=weights, **options).coefs.toarray(),
        atol=1e-9,
    )  # fmt: skip
    ridge = blockwise(X * scale, y, weights).ridge([1.0, 0.0], standardize=True)
    expected = blockwise(X, y, weights).ridge([1.0, 0.0], standardize=True)
    assert_allclose(ridge.coefs.toarray() * scale[:, None], expected.coefs.toarray(), atol=1e-9)


def test_nothing_to_predict():
    X, _, weights = make()
    for y in (np.full(300, 0.1), np.zeros(300)):
        sums = blockwise(X, y, weights)
        assert_array_equal(sums.y_std_, 0)
        path = sums.fit_path(alphas=5)
        assert path.coefs.nnz == 0
        assert path.alpha_max == path.null_objective == 0
        assert_array_equal(path.relative_gaps, 0)
        assert_allclose(path.intercepts, y[0])
        ridge = sums.ridge([1.0, 0.0])
        assert_allclose(ridge.coefs.toarray(), 0, atol=1e-15)
        assert_array_equal(ridge.deviance_ratio, 0)
    constant = GramAccumulator().add(np.ones((10, 2)), np.arange(10.0))
    assert constant.fit_path(alphas=3).coefs.count_nonzero() == 0
    assert constant.ridge([0.0]).coefs.count_nonzero() == 0
    one = GramAccumulator().add([[1.0, 2.0]], [3.0])
    assert one.fit_path(alphas=[0.1]).intercepts == [3.0]


# --- cross-validation ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"l1_ratio": 0.5, "standardize": True, "fit_intercept": False},
        {"penalty_factor": FACTORS, "positive": True, "alphas": [1.0, 0.01, 0.1]},
    ],
)
def test_cross_validation_is_that_of_the_rows(options):
    X, y, weights = make()
    folds = np.sort(np.random.default_rng(4).integers(0, 5, 300))
    blocks = [GramAccumulator().add(X[folds == f], y[folds == f], weights[folds == f]) for f in range(5)]
    options = {"alphas": 20, **options}
    result = cross_validate_blocks(blocks, **options)
    path = fit_path(X, y, sample_weight=weights, **options)
    agree(result.path, path)
    mse = np.empty((5, len(path.alphas)))
    for f in range(5):
        train, test = folds != f, folds == f
        fold = fit_path(X[train], y[train], sample_weight=weights[train], **{**options, "alphas": path.alphas})
        mse[f] = np.average((y[test, None] - fold.predict(X[test])) ** 2, axis=0, weights=weights[test])
    assert_allclose(result.mse, mse, rtol=CLOSE)
    assert_array_equal(result.alphas, result.path.alphas)
    assert_allclose(result.mean, mse.mean(axis=0), rtol=CLOSE)
    share = np.bincount(folds, weights) / weights.sum()
    variance = np.average((mse - np.average(mse, axis=0, weights=share)) ** 2, axis=0, weights=share)
    assert_allclose(result.standard_error, np.sqrt(variance / 4), rtol=1e-8)
    best = mse.mean(axis=0).argmin()
    assert result.alpha_min == result.alphas[best]
    allowed = result.mean[best] + result.standard_error[best]
    assert result.alpha_1se == result.alphas[result.mean <= allowed].max()
    assert blocks[0].n_rows_ == np.count_nonzero(weights[folds == 0])  # untouched


def test_cross_validation_of_several_targets():
    X, Y, weights = make(k=2)
    blocks = [GramAccumulator().add(X[i::3], Y[i::3], weights[i::3]) for i in range(3)]
    results = cross_validate_blocks(blocks, alphas=8)
    for k in range(2):
        single = [GramAccumulator().add(X[i::3], Y[i::3, k], weights[i::3]) for i in range(3)]
        assert_allclose(results[k].mse, cross_validate_blocks(single, alphas=8).mse, rtol=CLOSE)


# --- memory ----------------------------------------------------------------------------------------------------------


@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="reads the peak of memory from /proc")
def test_memory_is_that_of_a_block():
    code = """
import numpy as np
from fastreg import GramAccumulator
sums = GramAccumulator()
for seed in range(50):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((4_000, 50)) + 100.0
    sums.add(X, X[:, 0] - X[:, 1] + rng.standard_normal(4_000))
path = sums.fit_path(alphas=20)
peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(sums.n_rows_, int(peak.split()[1]) // 1024, path.relative_gaps.max() < 1e-10)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    rows, peak, accurate = done.stdout.split()
    assert rows == "200000"
    assert int(peak) < 200
    assert accurate == "True"
