"""Pure L2 penalties on a wide X, solved with as many features as it has rows: the same answers, certified by X."""

import numpy as np
import pytest
import scipy.sparse as sp

from fastreg import LogisticRegressionCV, fit_path
from fastreg.solve import reduced, tasks

ALPHAS = np.geomspace(1.0, 1e-3, 5)
LOSSES = ["logistic", "poisson", "squared_hinge", "huber", "multinomial"]


def data(loss, n=40, p=130, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p))
    z = X[:, :5].sum(axis=1) / 2
    y = {
        "logistic": (z + rng.standard_normal(n) > 0).astype(int), "poisson": rng.poisson(np.exp(np.minimum(z, 3.0))),
        "squared_hinge": (z + rng.standard_normal(n) > 0).astype(int), "huber": z + rng.standard_normal(n),
        "multinomial": np.digitize(z + rng.standard_normal(n), [-0.7, 0.7]),
    }  # fmt: skip
    return X, y[loss]


@pytest.fixture(autouse=True)
def whatever_the_size(monkeypatch):
    monkeypatch.setattr(reduced, "WORTH", 0)


@pytest.fixture
def both(monkeypatch):
    """Fit in the usual way, and with as many features as there are; asserts which is which."""

    def fit(X, y, **options):
        calls = []
        solve_reduced = reduced.solve_reduced
        monkeypatch.setattr(tasks, "solve_reduced", lambda *args: calls.append(1) or solve_reduced(*args))
        small = fit_path(X, y, l1_ratio=0.0, **options)
        assert calls == [1]
        monkeypatch.setattr(tasks, "reducible", lambda design, tasks: False)
        return small, fit_path(X, y, l1_ratio=0.0, **options)

    return fit


def dense(path):
    coefs = path.coefs if isinstance(path.coefs, list) else [path.coefs]
    return np.array([one.toarray() for one in coefs])


def agree(small, direct, least=1.0):
    """Certified, and no further from each other than the gaps allow; penalty factors are `least` or more."""
    assert max(small.relative_gaps.max(), direct.relative_gaps.max()) <= 1e-10
    distance = np.sqrt(((dense(small) - dense(direct)) ** 2).sum(axis=(0, 1)))
    gaps = sum(np.sqrt(path.dual_gaps + 1e-16 * path.null_objective) for path in (small, direct))
    assert (distance <= np.sqrt(2.0 / (ALPHAS * least)) * gaps + 1e-9).all()
    np.testing.assert_allclose(small.intercepts, direct.intercepts, atol=1e-4)
    np.testing.assert_allclose(small.deviance_ratio, direct.deviance_ratio, atol=1e-6)
    np.testing.assert_allclose(small.null_objective, direct.null_objective, rtol=1e-12)
    assert small.n_passes == (
        2 if len(dense(small)) == 1 else 2 * len(ALPHAS)
    )  # products with X, not with what is smaller


@pytest.mark.parametrize("intercept", [False, True])
@pytest.mark.parametrize("storage", ["C", "F", "float32", "csc", "csr"])
@pytest.mark.parametrize("loss", LOSSES)
def test_storages(both, loss, storage, intercept):
    X, y = data(loss)
    if storage in ("csc", "csr"):
        X[np.random.default_rng(1).random(X.shape) < 0.2] = 0.0
        X = sp.csc_array(X) if storage == "csc" else sp.csr_array(X)
    else:
        X = X.astype(np.float32) if storage == "float32" else np.asarray(X, order=storage)
    agree(*both(X, y, alphas=ALPHAS, loss=loss, fit_intercept=intercept))


@pytest.mark.parametrize("standardize", [False, True])
@pytest.mark.parametrize("loss", LOSSES)
def test_modifiers(both, loss, standardize):
    """Weights, some of them zero, factors, some of them infinite, and a constant column."""
    X, y = data(loss)
    rng = np.random.default_rng(2)
    X[:, 7] = 3.0
    X *= rng.uniform(0.5, 2.0, X.shape[1])
    weights = rng.integers(0, 3, len(y)).astype(float)
    factor = rng.uniform(0.5, 2.0, X.shape[1])
    factor[10:20] = np.inf
    options = {} if loss == "multinomial" else {"offset": 0.1 * rng.standard_normal(len(y))}
    small, direct = both(
        X, y, alphas=ALPHAS, loss=loss, sample_weight=weights, penalty_factor=factor, standardize=standardize, **options
    )
    agree(small, direct, 0.5 * (0.1 if standardize else 1.0))
    assert not dense(small)[:, 10:20].any()


def test_the_gap_is_that_of_x():
    X, y = data("logistic")
    path = fit_path(X, y, l1_ratio=0.0, alphas=ALPHAS, loss="logistic", tol=1e-4)
    for k, alpha in enumerate(ALPHAS):
        w = path.coefs[:, [k]].toarray().ravel() if path.coefs.ndim == 2 else path.coefs[:, k]
        r = y - 1.0 / (1.0 + np.exp(-(X @ w + path.intercepts[k])))
        assert abs(r.sum()) <= 1e-12
        d = X.T @ r / len(y) - alpha * w
        np.testing.assert_allclose(path.dual_gaps[k], d @ d / (2.0 * alpha), rtol=1e-6, atol=1e-16)


def test_rows_that_depend_on_each_other(both):
    X, y = data("logistic")
    X, y = np.vstack([X, X[:10], np.zeros((2, X.shape[1]))]), np.concatenate([y, 1 - y[:10], [0, 1]])
    agree(*both(X, y, alphas=ALPHAS, loss="logistic"))


def test_means_far_from_zero():
    """Taken off: coefficients do not depend on them."""
    X, y = data("logistic")
    near = fit_path(X, y, l1_ratio=0.0, alphas=ALPHAS, loss="logistic")
    far = fit_path(X + 1e6, y, l1_ratio=0.0, alphas=ALPHAS, loss="logistic")
    assert far.relative_gaps.max() <= 1e-10
    assert abs(dense(far) - dense(near)).max() <= 1e-5 * abs(dense(near)).max()


def test_scales_over_many_decades():
    X, y = data("logistic")
    X = X @ np.diag(10.0 ** np.random.default_rng(3).uniform(0, 8, X.shape[1]))
    path = fit_path(X, y, l1_ratio=0.0, alphas=[1e2, 1e-2], loss="logistic")
    assert path.relative_gaps.max() <= 1e-10


@pytest.mark.parametrize("loss", ["logistic", "multinomial"])
def test_what_the_gap_on_x_refuses_is_solved_on_x(loss, monkeypatch):
    X, y = data(loss)
    coefs = reduced.Reduction.coefs
    monkeypatch.setattr(reduced.Reduction, "coefs", lambda *args: 1.001 * coefs(*args))
    path = fit_path(X, y, l1_ratio=0.0, alphas=ALPHAS, loss=loss)
    assert path.relative_gaps.max() <= 1e-10


@pytest.mark.parametrize("storage", [np.asarray, sp.csc_array])
def test_inner_products_that_overflow(storage):
    X, y = data("logistic")
    X[3, 7] = 1e160
    with np.errstate(over="ignore"), pytest.raises(ValueError, match="so large that their products overflow"):
        fit_path(storage(X), y, l1_ratio=0.0, alphas=[1.0], loss="logistic")


def test_a_row_or_two():
    for n in (1, 2):
        X, y = data("poisson")
        path = fit_path(X[:n], y[:n] + 1, l1_ratio=0.0, alphas=ALPHAS, loss="poisson")
        assert path.relative_gaps.max() <= 1e-10


@pytest.mark.parametrize(
    "change", [{"l1_ratio": 0.1}, {"lower": -1.0}, {"p": 60}, {"penalty_factor": 0.0}, {"worth": 1 << 16}]
)
def test_what_is_not_reduced(change, monkeypatch):
    """L1 penalties, bounds, unpenalised features, and an X that is not wide, or small."""
    monkeypatch.setattr(tasks, "solve_reduced", None)
    monkeypatch.setattr(reduced, "WORTH", change.get("worth", 0))
    X, y = data("logistic", p=change.get("p", 130))
    factor = np.ones(X.shape[1])
    factor[0] = change.get("penalty_factor", 1.0)
    bounds = {"lower_bounds": change["lower"]} if "lower" in change else {}
    path = fit_path(
        X, y, alphas=ALPHAS, loss="logistic", l1_ratio=change.get("l1_ratio", 0.0), penalty_factor=factor, **bounds
    )
    assert path.relative_gaps.max() <= 1e-10


def test_cross_validation(monkeypatch):
    """All folds share one smaller matrix; scores are those of a search that does not have it."""
    X, y = data("logistic", n=60, p=200)
    made = []
    monkeypatch.setattr(
        reduced, "Reduction", lambda *args, kind=reduced.Reduction: made.append(kind(*args)) or made[-1]
    )
    options = {"Cs": [1e-3, 1e-2, 1e-1], "cv": 5, "scoring": "neg_log_loss"}
    small = LogisticRegressionCV(**options).fit(X, y)
    assert len(made) == 1
    monkeypatch.setattr(tasks, "reducible", lambda design, tasks: False)
    direct = LogisticRegressionCV(**options).fit(X, y)
    assert len(made) == 1
    np.testing.assert_allclose(small.scores_[1], direct.scores_[1], atol=1e-6)
    np.testing.assert_allclose(small.coef_, direct.coef_, atol=1e-6 * abs(direct.coef_).max())
