"""AIC, AICc, BIC and EBIC along a path."""

import pickle

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import sparse
from scipy.optimize import minimize
from scipy.special import comb

from fastreg import fit_path


def data(n=80, p=20, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p)) * rng.uniform(0.5, 3, p) + 1
    return X, X[:, :4] @ [1.0, -1.0, 0.5, 1.0] + 2 * rng.normal(size=n), rng.uniform(0.5, 2, n)


def test_values_are_what_the_definitions_say():
    X, y, _ = data()
    n, p = X.shape
    path = fit_path(X, y, alphas=30)
    rss = ((y[:, None] - path.predict(X)) ** 2).sum(axis=0)
    k, m = path.n_nonzero + 1, path.n_nonzero
    for name, price in {
        "aic": 2 * k,
        "aicc": 2 * k * n / (n - k - 1),
        "bic": np.log(n) * k,
        "ebic": np.log(n) * k + 2 * np.log(comb(p, m)),
    }.items():
        criterion = path.information_criterion(name, noise_variance=3.0)
        assert_allclose(criterion.values, rss / 3.0 + price, rtol=1e-9)
        assert path.select(name, 3.0) == path.alphas[np.argmin(rss / 3.0 + price)]
    assert path.select("ebic", 3.0, gamma=0.0) == path.select("bic", 3.0)


@pytest.mark.parametrize("storage", [np.asfortranarray, sparse.csr_array])
@pytest.mark.parametrize("standardize", [False, True])
def test_degrees_of_freedom_of_the_elastic_net(storage, standardize):
    X, y, s = data()
    path = fit_path(storage(X), y, l1_ratio=0.3, alphas=6, eps=0.05, sample_weight=s, standardize=standardize)
    freedom = path.information_criterion().degrees_of_freedom
    mean = np.average(X, axis=0, weights=s)
    sd = np.sqrt(np.average((X - mean) ** 2, axis=0, weights=s)) if standardize else np.ones(X.shape[1])
    for k, alpha in enumerate(path.alphas):
        used = path.coefs[:, [k]].toarray().ravel() != 0
        Z = (np.sqrt(s / s.sum())[:, None] * (X - mean))[:, used]
        H = Z @ np.linalg.solve(Z.T @ Z + 0.7 * alpha * np.diag(sd[used] ** 2), Z.T)
        assert freedom[k] == pytest.approx(1 + np.trace(H))


def test_the_noise_variance_is_the_organic_lassos():
    X, y, _ = data(n=60, p=6)
    path = fit_path(X, y, alphas=400, standardize=True)
    estimate = path.information_criterion().noise_variance
    Z = (X - X.mean(axis=0)) / X.std(axis=0)
    t, a = y - y.mean(), np.log(6) / 60

    def organic(w):  # of w = u - v with u, v >= 0
        return ((t - Z @ (w[:6] - w[6:])) ** 2).mean() + 2 * a * w.sum() ** 2

    least = minimize(organic, np.full(12, 0.1), bounds=[(0, None)] * 12, options={"ftol": 1e-14, "maxiter": 5000}).fun
    assert least <= estimate * (1 + 1e-9)
    assert estimate == pytest.approx(least, rel=2e-3)


def test_more_features_than_rows_and_units():
    X, y, _ = data(n=100, p=600)
    path = fit_path(X, y, standardize=True)
    criterion = path.information_criterion("ebic")
    assert 3 < criterion.noise_variance < 20  # 4 is the truth, the estimate is on the safe side
    chosen = path.coef_at(criterion.alpha)[0]
    assert 1 <= np.count_nonzero(chosen) <= 8
    assert set(np.flatnonzero(chosen)) & {0, 1, 2, 3}
    scaled = fit_path(X * np.geomspace(1e-3, 1e3, 600), 1e4 * y, standardize=True).information_criterion("ebic")
    assert scaled.noise_variance == pytest.approx(1e8 * criterion.noise_variance)
    assert scaled.alpha == pytest.approx(1e4 * criterion.alpha)


def test_duplicated_rows_with_halved_weights_count_twice():
    X, y, _ = data()
    one = fit_path(X, y, alphas=10).information_criterion("aic", 2.0)
    two = fit_path(np.vstack([X, X]), np.tile(y, 2), alphas=10).information_criterion("aic", 4.0)
    assert_allclose(two.values, one.values, rtol=1e-9)


def test_bad_arguments_are_named():
    X, y, _ = data()
    path = fit_path(X, y, alphas=5)
    for arguments, match in {
        ("cp",): "criterion='cp' must be one of 'aic'",
        ("bic", 0.0): "noise_variance=0.0 must be positive",
        ("bic", np.nan): "noise_variance",
        ("ebic", 1.0, 2.0): "gamma=2.0 must lie in",
    }.items():
        with pytest.raises(ValueError, match=match):
            path.select(*arguments)
    with pytest.raises(ValueError, match="no X at hand"):
        pickle.loads(pickle.dumps(path)).select()
