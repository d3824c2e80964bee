"""`ridge_path`: a path of ridge regressions that knows its certificates."""

import copy
import pickle

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse

from fastreg import Ridge, RidgeCV, fit_path, ridge_path

STORAGES = {"C": np.ascontiguousarray, "F": np.asfortranarray, "csc": sparse.csc_matrix, "csr": sparse.csr_array}
ALPHAS = [100.0, 3.0, 0.1, 1e-3]


def data(n=50, p=12, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p)) * rng.uniform(0.3, 3, p) + 2
    X[rng.random((n, p)) < 0.3] = 0
    return X, X[:, 0] - X[:, 1] + rng.normal(size=n), rng.integers(0, 3, n).astype(float)


@pytest.mark.parametrize("storage", STORAGES)
@pytest.mark.parametrize("shape", [(50, 12), (20, 45)])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("options", [{}, {"fit_intercept": False}, {"standardize": True}])
def test_every_solution_satisfies_the_normal_equations(storage, shape, weighted, options):
    X, y, s = data(*shape)
    s = s if weighted else np.ones(len(y))
    path = ridge_path(STORAGES[storage](X), y, ALPHAS, sample_weight=s if weighted else None, **options)
    mean = np.average(X, axis=0, weights=s)
    P = np.average((X - mean) ** 2, axis=0, weights=s) if "standardize" in options else np.ones(X.shape[1])
    for k, alpha in enumerate(ALPHAS):
        w = path.coefs[:, [k]].toarray().ravel()
        r = y - path.intercepts[k] - X @ w
        assert_allclose(X.T @ (s * r) - alpha * P * w, 0, atol=1e-9 * np.abs(X.T @ (s * y)).max())
        if options.get("fit_intercept", True):
            assert abs((s * r).sum()) < 1e-9 * np.abs(s * y).sum()
        total = (s * (y - np.average(y, weights=s) * options.get("fit_intercept", True)) ** 2).sum()
        assert path.deviance_ratio[k] == pytest.approx(1 - (s * r * r).sum() / total, abs=1e-10)
    assert path.relative_gaps.max() <= 1e-14
    assert path.n_nonzero.tolist() == [X.shape[1]] * 4


def test_is_the_elastic_net_without_its_lasso():
    X, y, _ = data()
    other = fit_path(X, y, l1_ratio=0.0, alphas=np.array(ALPHAS) / len(y))
    path = ridge_path(X, y, ALPHAS)
    assert_allclose(path.coefs.toarray(), other.coefs.toarray(), rtol=1e-6, atol=1e-9)
    assert_allclose(path.predict(X), other.predict(X), rtol=1e-6, atol=1e-8)


def test_integer_weights_are_rows_and_a_number_is_one_for_all():
    X, y, s = data()
    rows = np.repeat(np.arange(len(y)), s.astype(int))
    assert_allclose(
        ridge_path(X, y, ALPHAS, sample_weight=s).coefs.toarray(),
        ridge_path(X[rows], y[rows], ALPHAS).coefs.toarray(), rtol=1e-8, atol=1e-11,
    )  # fmt: skip
    assert_allclose(
        ridge_path(X, y, ALPHAS, sample_weight=2.0).coefs.toarray(),
        ridge_path(X, y, np.array(ALPHAS) / 2).coefs.toarray(), rtol=1e-8, atol=1e-11,
    )  # fmt: skip


def test_many_alphas_several_responses_and_zero():
    X, y, s = data()
    alphas = np.r_[np.geomspace(1e3, 1e-4, 60), 0.0]
    paths = ridge_path(X, np.column_stack([y, y**2]), alphas, sample_weight=s)
    for path, response in zip(paths, (y, y**2), strict=True):
        few = ridge_path(X, response, alphas[[0, 30, 60]], sample_weight=s)
        assert_allclose(path.coefs[:, [0, 30, 60]].toarray(), few.coefs.toarray(), rtol=1e-7, atol=1e-10)
        assert path.relative_gaps.max() <= 1e-12
    root = np.sqrt(s)[:, None]
    A = np.column_stack([X, np.ones(len(y))])
    assert_allclose(paths[0].coefs[:, [60]].toarray().ravel(), np.linalg.lstsq(root * A, root[:, 0] * y)[0][:-1])


def test_unpenalised_and_excluded_features():
    X, y, _ = data(20, 45)
    factor = np.ones(45)
    factor[:2], factor[7] = 0, np.inf
    path = ridge_path(X, y, [1e6, 1.0], penalty_factor=factor)
    first = path.coefs[:, [0]].toarray().ravel()
    A = np.column_stack([X[:, :2], np.ones(20)])
    assert_allclose(first[:2], np.linalg.lstsq(A, y)[0][:2], rtol=1e-3)
    assert (path.coefs.toarray()[7] == 0).all()


@pytest.mark.parametrize("storage", STORAGES)
@pytest.mark.parametrize("shape", [(50, 12), (20, 45)])
@pytest.mark.parametrize("options", [{}, {"fit_intercept": False}, {"standardize": True}, {"penalty_factor": 3.0}])
def test_degrees_of_freedom_and_generalized_cross_validation(storage, shape, options):
    X, y, s = data(*shape)
    if "penalty_factor" in options:
        options = {"penalty_factor": np.linspace(0, options["penalty_factor"], shape[1])}
    X, Y = STORAGES[storage](X), np.column_stack([y, y**2])
    alphas = np.geomspace(100, 0.1, 30)
    search = RidgeCV(alphas, cv="gcv", alpha_per_target=True, store_cv_results=True, **options).fit(X, Y, s)
    for some in (slice(None), slice(2, 30, 9)):  # one eigendecomposition, or a Cholesky factor for each alpha
        paths = ridge_path(X, Y, alphas[some], sample_weight=s, **options)
        for k, path in enumerate(paths):
            assert_allclose(path.gcv, search.cv_results_[k, some], rtol=1e-9)
            fits = [Ridge(alpha, **options).fit(X, Y[:, k], s) for alpha in alphas[some]]
            assert_allclose(path.df, [fit.df_ for fit in fits], rtol=1e-9)
    assert_array_equal(search.alpha_, [alphas[path.argmin()] for path in search.cv_results_])


def test_least_squares_that_saturate_have_no_generalized_cross_validation():
    X, y, _ = data(10, 12)
    path = ridge_path(X, y, [1.0, 0.0])
    assert_allclose(path.df[1], 10)
    assert np.isfinite(path.gcv[0]) and np.isnan(path.gcv[1])


def test_copies_do_not_carry_the_factorization():
    X, y, _ = data()
    path = ridge_path(X, y, ALPHAS)
    for again in (pickle.loads(pickle.dumps(path)), copy.deepcopy(path)):
        assert_allclose(again.predict(X), path.predict(X))
        for name in ("df", "gcv"):
            with pytest.raises(AttributeError, match=f"{name} needs the factorization .* fit again"):
                getattr(again, name)
    assert len(pickle.dumps(path)) < 3000
    path.gcv[:] = 0
    assert path.gcv.min() > 0


def test_it_draws_itself():
    pytest.importorskip("matplotlib").use("Agg")
    X, y, _ = data()
    assert ridge_path(X, y, ALPHAS).plot().get_xlabel()


def test_bad_arguments_are_named():
    X, y, _ = data()
    for options, match in (
        ({"alphas": 10}, "alphas must be the values"),
        ({"alphas": [1.0, -1.0]}, "alphas"),
        ({"alphas": [1.0], "penalty_factor": -np.ones(12)}, "penalty_factor"),
    ):
        with pytest.raises(ValueError, match=match):
            ridge_path(X, y, **options)
    with pytest.raises(ValueError, match="no X at hand|without its X"):
        ridge_path(X, y, [1.0]).certificate(1.0)
