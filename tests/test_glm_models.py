"""PoissonRegressor, HuberElasticNet, SquaredHingeClassifier: optimality, scikit-learn's answers, offsets."""

import pickle

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import optimize, sparse
from sklearn import linear_model
from sklearn.base import clone
from sklearn.exceptions import DataConversionWarning, NotFittedError
from sklearn.metrics import d2_tweedie_score
from sklearn.svm import LinearSVC
from sklearn.utils.estimator_checks import parametrize_with_checks

from fastreg import ElasticNet, HuberElasticNet, PoissonRegressor, SquaredHingeClassifier, fit_path

MODELS = [PoissonRegressor, HuberElasticNet, SquaredHingeClassifier]


@parametrize_with_checks(
    [
        PoissonRegressor(),
        PoissonRegressor(alpha=0.1, l1_ratio=0.5, standardize=True),
        HuberElasticNet(),
        HuberElasticNet(alpha=0.01, l1_ratio=0.0, delta=0.5),
        SquaredHingeClassifier(tol=1e-14),  # the checks compare decision values to seven digits
        SquaredHingeClassifier(l1_ratio=1.0, C=5.0),
    ]
)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
def test_scikit_learns_checks(estimator, check):
    check(estimator)


def data(seed=0, n=70, p=9):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p)) * rng.uniform(0.5, 2, p) + 0.5 * rng.normal(size=p)
    z = 0.5 * X[:, 0] - 0.7 * X[:, 1] + 0.3
    weights = rng.uniform(0.1, 2, n)
    weights[4] = 0.0
    heavy = z + 0.3 * rng.standard_t(1.5, n)
    return X, {"counts": rng.poisson(np.exp(z)), "heavy": heavy, "labels": (heavy > 0.2).astype(int)}, weights


def target_of(model):
    return {PoissonRegressor: "counts", HuberElasticNet: "heavy", SquaredHingeClassifier: "labels"}[type(model)]


def slope(model, y, z):
    """Derivative of the loss in the linear predictor."""
    if isinstance(model, PoissonRegressor):
        return np.exp(z) - y
    if isinstance(model, HuberElasticNet):
        return np.clip(z - y, -model.delta, model.delta)
    t = 2.0 * y - 1.0
    return -t * np.maximum(0.0, 1.0 - t * z)


def violation(model, X, y, s, alpha, offset=0.0, factor=1.0):
    """The largest violation of the optimality conditions of 1/S sum s loss + alpha penalty."""
    w, b = np.ravel(model.coef_), float(np.ravel(model.intercept_)[0])
    r = s * slope(model, y, offset + X @ w + b) / s.sum()
    g, l1 = X.T @ r + alpha * (1 - model.l1_ratio) * factor * w, alpha * model.l1_ratio * factor
    worst = np.where(w == 0, np.maximum(np.abs(g) - l1, 0.0), np.abs(g + np.sign(w) * l1))
    return max(worst.max(), abs(r.sum()) if model.fit_intercept else 0.0)


@pytest.mark.parametrize("kind", MODELS)
@pytest.mark.parametrize("l1_ratio", [0.0, 0.4, 1.0])
@pytest.mark.parametrize("strength", [0.5, 0.05])
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("shape", [(70, 9), (30, 50)])
def test_optimality(kind, l1_ratio, strength, fit_intercept, shape):
    X, targets, s = data(n=shape[0], p=shape[1])
    factor = np.ones(shape[1])
    factor[2], factor[3] = 0.3, 2.0
    options = {"l1_ratio": l1_ratio, "fit_intercept": fit_intercept, "penalty_factor": factor, "tol": 1e-13}
    if kind is SquaredHingeClassifier:
        model = kind(C=1 / (2 * strength * s.sum()), **options)
    else:
        model = kind(alpha=strength, **options)
    y = targets[target_of(model)]
    model.fit(X, y, sample_weight=s)
    assert violation(model, X, y, s, strength, factor=factor) < 2e-6
    assert violation(model, X, y, s, 1.3 * strength, factor=factor) > 1e-4 or not np.any(model.coef_)
    assert np.max(model.dual_gap_) <= 1e-12


@pytest.mark.parametrize("kind", [PoissonRegressor, HuberElasticNet])
def test_offsets(kind):
    X, targets, s = data(1)
    offset = np.linspace(-1, 1, len(s))
    model = kind(alpha=0.1, l1_ratio=0.5, tol=1e-13)
    y = targets[target_of(model)]
    model.fit(X, y, sample_weight=s, offset=offset)
    assert violation(model, X, y, s, 0.1, offset) < 1e-6
    assert violation(model, X, y, s, 0.1) > 1e-3
    z = X @ model.coef_ + model.intercept_
    if kind is PoissonRegressor:
        assert_allclose(model.predict(X, offset=offset), np.exp(z + offset))
        rates = kind(alpha=0.1, l1_ratio=0.5, tol=1e-13)
        exposure = s + 0.1
        counts = kind(alpha=0.1 * exposure.mean(), l1_ratio=0.5, tol=1e-13).fit(X, y, offset=np.log(exposure))
        rates.fit(X, y / exposure, sample_weight=exposure)
        assert_allclose(rates.coef_, counts.coef_, atol=1e-5)
    else:
        assert_allclose(model.predict(X, offset=offset), z + offset)


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("weighted", [True, False])
def test_poisson_agrees_with_scikit_learn(fit_intercept, weighted):
    X, targets, s = data(2)
    s, y = s if weighted else None, targets["counts"]
    ours = PoissonRegressor(alpha=0.3, fit_intercept=fit_intercept, tol=1e-13).fit(X, y, sample_weight=s)
    theirs = linear_model.PoissonRegressor(
        alpha=0.3, fit_intercept=fit_intercept, solver="newton-cholesky", tol=1e-12, max_iter=1000
    ).fit(X, y, sample_weight=s)
    assert_allclose(ours.coef_, theirs.coef_, atol=1e-6)
    assert_allclose(ours.intercept_, theirs.intercept_, atol=1e-6)
    assert_allclose(ours.predict(X), theirs.predict(X), rtol=1e-5)
    assert ours.score(X, y, s) == pytest.approx(theirs.score(X, y, s), abs=1e-6)
    defaults = linear_model.PoissonRegressor().get_params()
    assert set(defaults) <= set(PoissonRegressor().get_params())
    assert {key for key in defaults if PoissonRegressor().get_params()[key] != defaults[key]} == {"max_iter", "tol"}


def test_the_poisson_score():
    X, targets, s = data(3)
    y = targets["counts"]
    model = PoissonRegressor(alpha=0.1).fit(X, y)
    assert model.score(X, y, s) == pytest.approx(d2_tweedie_score(y, model.predict(X), sample_weight=s, power=1))
    assert 0 < model.score(X, y) < 1
    offset = np.linspace(-1, 1, len(y))
    with_offset = PoissonRegressor(alpha=1e9).fit(X, y, offset=offset)
    assert with_offset.score(X, y, offset=offset) == pytest.approx(0.0, abs=1e-5)  # the best constant times exposures
    assert model.score(X, np.zeros(len(y))) == 0.0


def huber_objective(theta, X, y, s, alpha, l1_ratio, delta):
    """Of (b, w+, w-), with its gradient."""
    p = X.shape[1]
    w = theta[1 : p + 1] - theta[p + 1 :]
    r = y - theta[0] - X @ w
    small = np.abs(r) <= delta
    loss = np.where(small, 0.5 * r**2, delta * (np.abs(r) - 0.5 * delta))
    value = s @ loss / s.sum() + alpha * (l1_ratio * theta[1:].sum() + 0.5 * (1 - l1_ratio) * w @ w)
    d = s * np.clip(r, -delta, delta) / s.sum()
    g = -X.T @ d + alpha * (1 - l1_ratio) * w
    return value, np.concatenate([[-d.sum()], g + alpha * l1_ratio, -g + alpha * l1_ratio])


@pytest.mark.parametrize("delta", [0.1, 1.35])
def test_huber_is_a_minimum(delta):
    X, targets, s = data(4)
    y, p = targets["heavy"], X.shape[1]
    model = HuberElasticNet(alpha=0.05, delta=delta, tol=1e-13).fit(X, y, sample_weight=s)
    arguments = (X, y, s, 0.05, 0.5, delta)
    bounds = [(None, None)] + [(0, None)] * (2 * p)
    found = optimize.minimize(
        huber_objective, np.zeros(2 * p + 1), arguments, "L-BFGS-B", jac=True, bounds=bounds,
        options={"ftol": 1e-15, "gtol": 1e-9, "maxiter": 10_000},
    )  # fmt: skip
    theta = np.concatenate([[model.intercept_], np.maximum(model.coef_, 0), np.maximum(-model.coef_, 0)])
    mine = huber_objective(theta, *arguments)[0]
    assert mine <= found.fun + 1e-12
    assert_allclose(model.coef_, found.x[1 : p + 1] - found.x[p + 1 :], atol=1e-4)


def test_huber_with_a_large_delta_is_the_elastic_net():
    X, targets, s = data(5)
    y = targets["heavy"]
    huber = HuberElasticNet(alpha=0.1, delta=1e4, tol=1e-13).fit(X, y, sample_weight=s)
    assert_allclose(huber.coef_, ElasticNet(alpha=0.1).fit(X, y, sample_weight=s).coef_, atol=1e-6)
    scaled = HuberElasticNet(alpha=1.0, delta=3.0, tol=1e-13).fit(X, 10 * y)
    plain = HuberElasticNet(alpha=0.1, delta=0.3, l1_ratio=0.5, tol=1e-13).fit(X, y)
    ridge, small = (HuberElasticNet(alpha=0.1, delta=d, l1_ratio=0.0, tol=1e-13) for d in (3.0, 0.3))
    assert_allclose(ridge.fit(X, 10 * y).coef_, 10 * small.fit(X, y).coef_, atol=1e-5)  # delta is in units of y
    lasso, other = (HuberElasticNet(alpha=a, delta=d, l1_ratio=1.0, tol=1e-13) for a, d in ((1.0, 3.0), (0.1, 0.3)))
    assert_allclose(lasso.fit(X, 10 * y).coef_, 10 * other.fit(X, y).coef_, atol=1e-5)
    assert np.abs(scaled.coef_ - 10 * plain.coef_).max() > 1e-3


def test_huber_of_several_responses():
    X, targets, s = data(6)
    Y = np.column_stack([targets["heavy"], X[:, 2] ** 2])
    both = HuberElasticNet(alpha=0.1, tol=1e-13).fit(X, Y, sample_weight=s)
    assert both.coef_.shape == (2, 9)
    assert both.intercept_.shape == both.dual_gap_.shape == (2,)
    for k in range(2):
        alone = HuberElasticNet(alpha=0.1, tol=1e-13).fit(X, Y[:, k], sample_weight=s)
        assert_allclose(both.coef_[k], alone.coef_, atol=1e-6)
        assert_allclose(both.predict(X)[:, k], alone.predict(X), atol=1e-5)


@pytest.mark.parametrize("class_weight", [None, "balanced", {0: 3.0, 1: 0.5}])
@pytest.mark.parametrize("penalty", ["l1", "l2"])
@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("weighted", [True, False])
def test_squared_hinge_agrees_with_linear_svc(class_weight, penalty, classes, weighted):
    X, targets, s = data(7)
    s = s if weighted else None
    y = targets["labels"] + (classes == 3) * (X[:, 3] > 1)
    ours = SquaredHingeClassifier(
        C=0.2, l1_ratio=1.0 * (penalty == "l1"), fit_intercept=False, class_weight=class_weight, tol=1e-13
    ).fit(X, y, sample_weight=s)
    theirs = LinearSVC(
        penalty, C=0.2, dual=False, fit_intercept=False, class_weight=class_weight, tol=1e-10, max_iter=100_000
    ).fit(X, y, sample_weight=s)
    assert ours.coef_.shape == theirs.coef_.shape
    assert_allclose(ours.coef_, theirs.coef_, atol=1e-5)
    assert_allclose(ours.decision_function(X), theirs.decision_function(X), atol=1e-4)
    assert_array_equal(ours.predict(X), theirs.predict(X))


def test_one_class_against_the_others():
    X, targets, s = data(8)
    y = np.array(["a", "b", "c"])[targets["labels"] + (X[:, 3] > 1)]
    model = SquaredHingeClassifier(C=0.5, tol=1e-13).fit(X, y, sample_weight=s)
    assert model.intercept_.shape == model.dual_gap_.shape == model.n_iter_.shape == (3,)
    for k, label in enumerate("abc"):
        alone = SquaredHingeClassifier(C=0.5, tol=1e-13).fit(X, y == label, sample_weight=s)
        assert_allclose(model.coef_[k], alone.coef_[0], atol=1e-6)
        assert_allclose(model.intercept_[k], alone.intercept_[0], atol=1e-6)
    assert set(model.predict(X)) == {"a", "b", "c"}


def fitted(kind, X, targets, **options):
    model = kind(**options)
    return model.fit(X, targets[target_of(model)])


@pytest.mark.parametrize("kind", MODELS)
def test_weights_count_rows(kind):
    X, targets, _ = data(9)
    y = targets[target_of(kind())]
    strength = {"C": 0.1} if kind is SquaredHingeClassifier else {"alpha": 0.1}
    doubled = kind(tol=1e-13, **strength).fit(X, y, sample_weight=np.full(len(y), 2.0))
    twice = kind(tol=1e-13, **strength).fit(np.vstack([X, X]), np.tile(y, 2))
    assert_allclose(doubled.coef_, twice.coef_, atol=1e-6)


@pytest.mark.parametrize("kind", MODELS)
def test_storages_dtypes_and_pickles(kind):
    X, targets, _ = data(10)
    X[np.abs(X) < 0.3] = 0.0
    strength = {"C": 0.1} if kind is SquaredHingeClassifier else {"alpha": 0.1}
    expected = fitted(kind, X, targets, tol=1e-13, **strength)
    for storage in (np.asfortranarray, sparse.csr_matrix, sparse.csc_array):
        other = fitted(kind, storage(X), targets, tol=1e-13, **strength)
        assert_allclose(other.coef_, expected.coef_, atol=1e-6)
        assert_allclose(other.predict(storage(X)), expected.predict(X), atol=1e-5)
    single = fitted(kind, X.astype(np.float32), targets, **strength)
    assert single.coef_.dtype == single.intercept_.dtype == np.float32
    assert_allclose(single.coef_, expected.coef_, atol=1e-4)
    again = pickle.loads(pickle.dumps(single))
    assert_array_equal(again.predict(X), single.predict(X))
    with pytest.raises(NotFittedError):
        clone(single).predict(X)


@pytest.mark.parametrize("kind", MODELS)
def test_warm_start(kind):
    X, targets, _ = data(11)
    strength = {"C": 0.1} if kind is SquaredHingeClassifier else {"alpha": 0.1}
    model = fitted(kind, X, targets, warm_start=True, **strength)
    cold = np.copy(model.coef_)
    assert np.max(model.n_iter_) > 1
    model.fit(X, targets[target_of(model)])
    assert np.max(model.n_iter_) <= 1
    assert_allclose(model.coef_, cold, atol=1e-6)
    with pytest.raises(ValueError, match="warm_start=True: the previous coefficients have shape"):
        model.fit(X[:, :4], targets[target_of(model)])


@pytest.mark.parametrize("kind", MODELS)
def test_data_frames(kind):
    pd = pytest.importorskip("pandas")
    X, targets, _ = data(12)
    model = fitted(kind, pd.DataFrame(X, columns=list("abcdefghi")), targets)
    assert list(model.feature_names_in_) == list("abcdefghi")
    assert_array_equal(model.coef_, fitted(kind, X, targets).coef_)


def test_models_are_points_of_paths():
    X, targets, s = data(13)
    path = fit_path(X, targets["counts"], loss="poisson", l1_ratio=0.5, alphas=[0.2, 0.1], sample_weight=s)
    model = PoissonRegressor(alpha=0.1, l1_ratio=0.5).fit(X, targets["counts"], sample_weight=s)
    assert_allclose(model.predict(X), path.predict(X, 0.1), rtol=1e-4)
    path = fit_path(X, targets["heavy"], loss="huber", delta=0.4, alphas=[0.2, 0.1], sample_weight=s)
    model = HuberElasticNet(alpha=0.1, delta=0.4, l1_ratio=1.0).fit(X, targets["heavy"], sample_weight=s)
    assert_allclose(model.predict(X), path.predict(X, 0.1), atol=1e-4)


@pytest.mark.parametrize(
    ("model", "error", "match"),
    [
        (PoissonRegressor(alpha=-1), ValueError, "alpha must be finite and >= 0"),
        (PoissonRegressor(solver="sag"), ValueError, "solver='sag' must be one of"),
        (PoissonRegressor(l1_ratio=2), ValueError, "l1_ratio"),
        (PoissonRegressor(warm_start=1), TypeError, "warm_start"),
        (PoissonRegressor(tol=-1.0), ValueError, "tol"),
        (HuberElasticNet(delta=0.0), ValueError, "delta=0.0 must be positive"),
        (HuberElasticNet(max_iter=0), ValueError, "max_iter"),
        (HuberElasticNet(lower_bounds=1.0), ValueError, "room for 0"),
        (HuberElasticNet(fit_intercept=1), TypeError, "fit_intercept"),
        (SquaredHingeClassifier(C=0), ValueError, "C=0.0 must be positive"),
        (SquaredHingeClassifier(class_weight="even"), ValueError, "class_weight must be None"),
        (SquaredHingeClassifier(n_jobs=0), ValueError, "n_jobs"),
        (SquaredHingeClassifier(verbose=-1), ValueError, "verbose"),
        (SquaredHingeClassifier(penalty_factor=[1.0]), ValueError, r"penalty_factor must have shape \(9,\)"),
    ],
    ids=str,
)
def test_bad_parameters_are_named(model, error, match):
    X, targets, _ = data()
    with pytest.raises(error, match=match):
        model.fit(X, targets[target_of(model)])
    assert not vars(model).keys() & {"coef_", "n_features_in_"}


def test_bad_data_are_named():
    X, targets, s = data()
    y = targets["counts"]
    with pytest.raises(ValueError, match="y must hold counts or rates >= 0; it is -1.0 at position 7"):
        PoissonRegressor().fit(X, np.where(np.arange(len(y)) == 7, -1, y))
    with pytest.raises(ValueError, match="y must hold counts"):
        PoissonRegressor().fit(X, y).score(X, y - 1)
    with pytest.raises(ValueError, match="all are zero"):
        PoissonRegressor().fit(X, 0 * y)
    with pytest.raises(ValueError, match="y must be 1-d; it has 2 columns"):
        PoissonRegressor().fit(X, np.column_stack([y, y]))
    with pytest.warns(DataConversionWarning):
        assert PoissonRegressor().fit(X, y[:, None]).coef_.shape == (9,)
    with pytest.raises(ValueError, match=r"offset must have shape \(70,\)"):
        PoissonRegressor().fit(X, y, offset=np.zeros(3))
    with pytest.raises(ValueError, match="y has one class only"):
        SquaredHingeClassifier().fit(X, np.zeros(70, int))
    with pytest.raises(ValueError, match="all rows of class .*0.* have a weight of zero"):
        SquaredHingeClassifier().fit(X, targets["labels"], sample_weight=1.0 * targets["labels"])
