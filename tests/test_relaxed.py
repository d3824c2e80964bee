"""The relaxed lasso: least squares on the supports of a path, and its blend with the path."""

import pickle

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse

from fastreg import fit_path
from fastreg.design import as_design
from fastreg.selection import refit as module
from fastreg.solve import Task


def data(n=60, p=15):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, p)) + 2
    X[rng.random((n, p)) < 0.4] = 0.0
    return X, X[:, :3] @ [1.0, -2.0, 1.0] + rng.normal(size=n), rng.uniform(0, 2, n)


@pytest.mark.parametrize("storage", [np.asfortranarray, sparse.csc_matrix, sparse.csr_array])
@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("shape", [(60, 15), (12, 40)])
def test_is_least_squares_on_every_support(storage, intercept, shape):
    X, y, s = data(*shape)
    path = fit_path(storage(X), y, alphas=25, eps=0.02, fit_intercept=intercept, sample_weight=s)
    free = path.relax()
    root = np.sqrt(s)
    for k in range(25):
        used = np.flatnonzero(path.coefs[:, [k]].toarray().ravel())
        A = np.column_stack([X[:, used], np.ones(len(y))]) if intercept else X[:, used]
        w = free.coefs[:, [k]].toarray().ravel()
        r = root * (y - free.intercepts[k] - X @ w)
        assert_allclose(A.T @ (root * r), 0, atol=1e-9 * np.abs(X.T @ (s * y)).max())
        assert set(np.flatnonzero(w)) <= set(used)
        level = np.average(y, weights=s) if intercept else 0.0
        assert free.deviance_ratio[k] == pytest.approx(1 - (r @ r) / (s @ (y - level) ** 2), abs=1e-9)
    assert (free.deviance_ratio >= path.deviance_ratio - 1e-12).all()
    half = path.relax(0.5)
    assert_allclose(half.coefs.toarray(), 0.5 * (free.coefs + path.coefs).toarray(), atol=1e-12)
    left = y[:, None] - half.intercepts - X @ half.coefs
    level = np.average(y, weights=s) if intercept else 0.0
    assert_allclose(half.deviance_ratio, 1 - s @ left**2 / (s @ (y - level) ** 2), atol=1e-12)
    assert_allclose(path.relax(1.0).coefs.toarray(), path.coefs.toarray())
    assert_array_equal(free.dual_gaps, path.dual_gaps)


def test_a_path_stays_as_it_was_and_bad_arguments_are_named():
    X, y, _ = data()
    path = fit_path(X, y, alphas=5)
    before = path.coefs.toarray()
    path.relax()
    assert_array_equal(path.coefs.toarray(), before)
    with pytest.raises(ValueError, match="gamma=1.5 must lie in"):
        path.relax(1.5)
    with pytest.raises(ValueError, match="no X at hand"):
        pickle.loads(pickle.dumps(path)).relax()
    with pytest.raises(ValueError, match="bounds cannot be relaxed"):
        fit_path(X, y, alphas=5, lower_bounds=0).relax()


def shortest(X, y, weights, intercept, used):
    """Least squares of minimum norm on some columns (k,), and its intercept, by `np.linalg.pinv`."""
    share = weights / weights.sum()
    mean, level = (share @ X, share @ y) if intercept else (np.zeros(X.shape[1]), 0.0)
    root = np.sqrt(share)
    w = np.linalg.pinv(root[:, None] * (X - mean)[:, used], rcond=1e-12) @ (root * (y - level))
    return w, level - mean[used] @ w


def assert_shortest(path, X, y, weights, intercept):
    free = path.relax()
    for k in range(len(path.alphas)):
        used = np.flatnonzero(path.coefs[:, [k]].toarray())
        w, b = shortest(X, y, weights, intercept, used)
        assert_allclose(free.coefs[:, [k]].toarray().ravel()[used], w, atol=1e-10 * max(1.0, np.abs(w).max(initial=0)))
        assert free.intercepts[k] == pytest.approx(b, abs=1e-9)


STORAGES = [np.asfortranarray, sparse.csc_matrix, sparse.csr_array]


@pytest.fixture
def regular(monkeypatch):
    """Nothing is so singular that it has to be decomposed."""

    def decomposed(rows, support):
        raise AssertionError(f"{len(support)} features are decomposed")

    monkeypatch.setattr(module, "decomposed", decomposed)


@pytest.mark.parametrize("storage", STORAGES)
@pytest.mark.parametrize("intercept", [True, False])
def test_supports_larger_than_the_rows_have_minimum_norm(storage, intercept, regular):
    X, y, s = data(25, 70)
    s[3] = 0.0
    path = fit_path(storage(X), y, alphas=12, eps=0.02, l1_ratio=0.2, fit_intercept=intercept, sample_weight=s)
    assert path.n_nonzero.max() > 30
    assert (path.n_nonzero < 24).any()
    assert_shortest(path, X, y, s, intercept)


@pytest.mark.parametrize("storage", STORAGES)
@pytest.mark.parametrize("shape", [(60, 15), (12, 40)])
def test_singular_supports_have_minimum_norm(storage, shape):
    X, y, s = data(*shape)
    X[:, 4], X[:, 6] = X[:, 1], X[:, 0] + X[:, 2]
    X[5] = X[7]
    path = fit_path(storage(X), y, alphas=12, eps=0.02, l1_ratio=0.3, sample_weight=s)
    assert (path.coefs[[1, 4]].toarray().all(axis=0)).any()
    assert_shortest(path, X, y, s, True)


@pytest.mark.filterwarnings("error")
def test_a_row_of_zeros_in_a_large_support():
    X, y, s = data(12, 40)
    X[4] = 0.0
    path = fit_path(X, y, alphas=[1.0, 0.0], l1_ratio=0.5, fit_intercept=False, sample_weight=s)
    assert path.n_nonzero[1] == 40
    assert_shortest(path, X, y, s, False)


def test_a_path_that_drops_everything_or_has_one_row_left():
    X, y, _ = data()
    path = fit_path(X, np.zeros(60), alphas=[1.0, 0.1])
    assert (path.relax().deviance_ratio == 0).all()
    one = np.zeros(60)
    one[4] = 1.0
    free = fit_path(X, y, alphas=[1.0, 0.0], sample_weight=one).relax()
    assert_allclose(free.intercepts + X[4] @ free.coefs, y[4])


def refitted(X, y, supports, weights=None):
    """Coefficients of each support as `refit` finds them, and intercepts."""
    indptr = np.cumsum([0, *map(len, supports)])
    task = Task(y, weights, True, False, 1.0, 1, None, 0.0, 1, None)
    values, intercepts, _ = module.refit(as_design(X), task, indptr, np.concatenate(supports).astype(np.int32))
    return np.split(values, indptr[1:-1]), intercepts


@pytest.mark.parametrize("closeness", [1e-2, 1e-5, 1e-7, 1e-13])
def test_columns_that_are_nearly_dependent(closeness, request):
    if closeness > 1e-6:
        request.getfixturevalue("regular")
    X, _, _ = data(80, 8)
    X[:, 5] = X[:, 1] + X[:, 2] + closeness * X[:, 5]
    w = np.arange(8.0)
    (found,), (intercept,) = refitted(X, X @ w + 1.0, [np.arange(8)])
    assert_allclose(X @ found + intercept, X @ w + 1.0, rtol=1e-9)
    if closeness > 1e-8:
        assert_allclose(found, w, atol=1e-14 / closeness)


def test_columns_that_are_dependent_though_no_pivot_tells():
    rng = np.random.default_rng(0)
    c, k = 0.6, 30
    kahan = 0.8 ** np.arange(k)[:, None] * (np.eye(k) - c * np.triu(np.ones((k, k)), 1))  # W. Kahan, 1966
    Q = np.linalg.qr(np.column_stack([np.ones(90), rng.normal(size=(90, k))]))[0][:, 1:]
    X = Q @ kahan
    y = X @ np.ones(k)
    (found,), (intercept,) = refitted(X, y, [np.arange(k)])
    assert_allclose(X @ found + intercept, y, atol=1e-12)
    assert_allclose(found, 1.0, atol=1e-4)


def test_rows_that_are_nearly_dependent(regular):
    X, y, s = data(15, 40)
    X[7] = X[2] + 1e-5 * X[7]
    y = X @ np.ones(40)
    (found,), _ = refitted(X, y, [np.arange(40)], s)
    assert_allclose(found, shortest(X, y, s, True, np.arange(40))[0], atol=1e-9)


def test_columns_of_very_different_scales(regular):
    X, _, _ = data(80, 9)
    scale = 10.0 ** np.arange(-8, 10, 2)
    (found,), _ = refitted(X * scale, X.sum(axis=1), [np.arange(9)])
    assert_allclose(found * scale, 1.0, rtol=1e-11)


def changing(p, steps, enter, leave):
    """Supports that features enter and leave."""
    rng, supports, now = np.random.default_rng(1), [], set()
    for _ in range(steps):
        now = (now | set(rng.choice(p, enter).tolist())) - set(rng.choice(p, leave).tolist())
        supports.append(np.array(sorted(now)))
    return supports


@pytest.mark.parametrize("far", [0.0, 1e6])
def test_blocks_of_factors_rows_and_solutions(monkeypatch, regular, far):
    X, y, s = data(90, 40)
    X += far
    supports = changing(40, 30, 4, 2)
    whole, _ = refitted(X, y, supports, s)
    for used, w in zip(supports, whole, strict=True):
        assert_allclose(w, shortest(X, y, s, True, used)[0], atol=1e-8 if far else 1e-12)
    for name, value in {"LONG": 6, "WIDTH": 4, "PANEL": 3, "HELD": 500, "BLOCK_BYTES": 4096}.items():
        monkeypatch.setattr(module, name, value)
    for one, other in zip(refitted(X, y, supports, s)[0], whole, strict=True):
        assert_allclose(one, other, atol=1e-12)


def test_large_supports_that_features_leave(regular):
    X, y, s = data(12, 80)
    supports = [used for used in changing(80, 25, 12, 9) if len(used) > 18]
    assert any(set(one) - set(two) for one, two in zip(supports[:-1], supports[1:], strict=True))
    for used, w in zip(supports, refitted(X, y, supports, s)[0], strict=True):
        assert_allclose(w, shortest(X, y, s, True, used)[0], atol=1e-11)


def test_a_singular_block_of_a_factor(monkeypatch):
    X, y, s = data(90, 20)
    X[:, 18] = X[:, 3]
    monkeypatch.setattr(module, "LONG", 2)
    supports = [np.arange(k) for k in (15, 17, 19, 20)] + [np.arange(4, 20)]
    for used, w in zip(supports, refitted(X, y, supports, s)[0], strict=True):
        assert_allclose(w, shortest(X, y, s, True, used)[0], atol=1e-11)


@pytest.mark.parametrize("storage", STORAGES[1:])
def test_a_sparse_matrix_stays_sparse(monkeypatch, storage):
    X, y, _ = data(200, 30)
    path = fit_path(storage(X), y, alphas=15)

    def dense(self):
        assert self.shape[1] == 0
        return np.empty(self.shape)

    monkeypatch.setattr(storage, "toarray", dense)
    free = path.relax()
    monkeypatch.undo()
    assert_shortest(path, X, y, np.ones(200), True)
    assert free.n_nonzero.max() == 30


def test_float32_is_read_in_float64():
    X, y, s = data()
    X = X.astype(np.float32)
    one, two = (fit_path(A, y, alphas=15, sample_weight=s).relax() for A in (X, X.astype(np.float64)))
    assert_allclose(one.coefs.toarray(), two.coefs.toarray(), atol=1e-12)
