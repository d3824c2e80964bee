import numpy as np
import pytest
from numpy.testing import assert_allclose

from fastreg.solve import ridge
from fastreg.solve.ridge import ridge_path


def make(n, p, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p)) * rng.uniform(0.1, 10, p) + rng.uniform(-5, 5, p)
    return X, X[:, : min(p, 3)].sum(axis=1) + rng.standard_normal(n) + 7, rng


def reference(X, y, alpha, fit_intercept, standardize, s):
    """The normal equations written down, with the intercept as an unpenalised column."""
    s = s / s.sum()
    mean = s @ X
    penalty = np.diag(s @ (X - mean) ** 2 if standardize else np.ones(X.shape[1]))
    A = np.column_stack([X, np.ones(len(X))]) if fit_intercept else X
    P = np.zeros((A.shape[1], A.shape[1]))
    P[: X.shape[1], : X.shape[1]] = alpha * penalty
    solution = np.linalg.solve(A.T @ (s[:, None] * A) + P, A.T @ (s * y))
    return (solution[:-1], solution[-1]) if fit_intercept else (solution, 0.0)


@pytest.mark.parametrize("shape", [(60, 8), (12, 30)])
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("standardize", [True, False])
@pytest.mark.parametrize("weighted", [True, False])
def test_solves_the_normal_equations(shape, fit_intercept, standardize, weighted):
    X, y, rng = make(*shape)
    s = rng.uniform(0, 3, len(X)) if weighted else None
    alphas = [10.0, 0.3, 2.0, 1e-2]
    path = ridge_path(X, y, alphas, fit_intercept=fit_intercept, standardize=standardize, sample_weight=s)
    for k, alpha in enumerate(alphas):
        coef, intercept = reference(X, y, alpha, fit_intercept, standardize, np.ones(len(X)) if s is None else s)
        assert_allclose(path.coefs[:, k], coef, rtol=1e-7, atol=1e-10)
        assert_allclose(path.intercepts[k], intercept, rtol=1e-7, atol=1e-8)
    assert path.residuals.max() < 1e-11
    assert path.relative_gaps.max() < 1e-16


def test_agrees_with_scikit_learn():
    linear_model = pytest.importorskip("sklearn.linear_model")
    X, y, rng = make(50, 20)
    s = rng.uniform(0.5, 2, 50)
    path = ridge_path(X, y, [0.7], sample_weight=s)
    other = linear_model.Ridge(alpha=0.7 * s.sum(), solver="cholesky").fit(X, y, sample_weight=s)
    assert_allclose(path.coefs[:, 0], other.coef_, rtol=1e-8, atol=1e-11)
    assert_allclose(path.intercepts[0], other.intercept_, rtol=1e-8)


@pytest.mark.parametrize("shape", [(60, 8), (12, 30)])
def test_zero_weight_means_absent_and_scale_is_immaterial(shape):
    X, y, rng = make(*shape)
    s = rng.uniform(0.5, 2, len(X))
    s[::4] = 0
    keep = s > 0
    full = ridge_path(X, y, [1.0, 0.0], standardize=True, sample_weight=s)
    part = ridge_path(X[keep], y[keep], [1.0, 0.0], standardize=True, sample_weight=100 * s[keep])
    assert_allclose(full.coefs, part.coefs, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("shape", [(60, 8), (12, 30)])
def test_alpha_zero_is_least_squares_of_minimum_norm(shape):
    X, y, _ = make(*shape)
    X = np.column_stack([X, X[:, 0] + X[:, 1]])  # never of full rank
    path = ridge_path(X, y, [0.0, 1e-9])
    expected = np.linalg.pinv(X - X.mean(axis=0), rcond=1e-12) @ (y - y.mean())
    assert_allclose(path.coefs[:, 0], expected, rtol=1e-7, atol=1e-10)
    assert_allclose(path.coefs[:, 1], expected, rtol=1e-3, atol=1e-5)
    assert path.residuals[0] < 1e-11
    assert np.isnan(path.relative_gaps[0])


def test_alpha_below_rounding_takes_the_spectrum(monkeypatch):
    X, y, _ = make(40, 6)
    X = np.column_stack([X, X])
    called = []
    eigh = ridge.eigh
    monkeypatch.setattr(ridge, "eigh", lambda *a, **k: called.append(1) or eigh(*a, **k))
    path = ridge_path(X, y, [1e-20, 1e-30, 0.0])
    assert len(called) == 1
    assert_allclose(path.coefs[:, 0], path.coefs[:, 2], rtol=1e-6)
    assert_allclose(path.coefs[:6, 1], path.coefs[6:, 1], rtol=1e-6)


@pytest.mark.parametrize("shape", [(60, 8), (12, 30)])
def test_many_alphas_agree_with_few(shape):
    X, y, _ = make(*shape)
    alphas = np.geomspace(1e4, 1e-6, ridge._MOST_FACTORS + 1)
    many = ridge_path(X, y, alphas, standardize=True)
    assert_allclose(many.coefs[:, ::10], ridge_path(X, y, alphas[::10], standardize=True).coefs, rtol=1e-6, atol=1e-9)
    assert many.relative_gaps.max() < 1e-14


def test_failing_cholesky_falls_back(monkeypatch):
    X, y, _ = make(40, 6)
    expected = ridge_path(X, y, [1.0, 0.1])

    def fail(*args, **kwargs):
        raise ridge.LinAlgError

    monkeypatch.setattr(ridge, "cho_factor", fail)
    assert_allclose(ridge_path(X, y, [1.0, 0.1]).coefs, expected.coefs, rtol=1e-9)


@pytest.mark.parametrize("shape", [(60, 8), (12, 30)])
def test_blocks_do_not_matter(shape, monkeypatch):
    X, y, _ = make(*shape)
    whole = ridge_path(X, y, [1.0, 0.0], standardize=True)
    monkeypatch.setattr(ridge, "_BLOCK_BYTES", 8 * 70)
    assert_allclose(ridge_path(X, y, [1.0, 0.0], standardize=True).coefs, whole.coefs, rtol=1e-9, atol=1e-11)


def test_storage_is_immaterial_and_never_written():
    X, y, _ = make(30, 5)
    X = X.astype(np.float32)
    expected = ridge_path(X.astype(np.float64), y, [1.0, 0.0], standardize=True).coefs
    for stored in (X, np.asfortranarray(X), np.repeat(X, 2, axis=0)[::2]):
        stored.flags.writeable = False
        before = stored.copy()
        assert_allclose(ridge_path(stored, y, [1.0, 0.0], standardize=True).coefs, expected, rtol=1e-10)
        assert (stored == before).all()


def test_constant_column_and_constant_response():
    X, y, _ = make(30, 5)
    X[:, 2] = 0.1  # its mean is not exactly 0.1
    path = ridge_path(X, y, [1.0, 0.0], standardize=True)
    assert (path.coefs[2] == 0).all()
    flat = ridge_path(X, np.full(30, 4.0), [1.0, 0.0])
    assert_allclose(flat.coefs, 0, atol=1e-14)
    assert_allclose(flat.intercepts, 4.0)
    assert np.isfinite(flat.residuals).all()
