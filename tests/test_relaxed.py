"""The relaxed lasso: least squares on the supports of a path, and its blend with the path."""

import pickle

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse

from fastreg import fit_path


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
