"""LogisticRegression: optimality, scikit-learn's answers and attributes, labels and weights of every kind."""

import pickle
import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn import linear_model
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, DataConversionWarning, NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.utils.estimator_checks import parametrize_with_checks

import fastreg.path
from fastreg import LogisticRegression, fit_path

OURS = {"standardize", "penalty_factor", "lower_bounds", "upper_bounds"}


@parametrize_with_checks(
    [
        LogisticRegression(),
        LogisticRegression(l1_ratio=0.5, C=10.0, standardize=True),
        LogisticRegression(penalty="l1", solver="liblinear"),
    ]
)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
def test_scikit_learns_checks(estimator, check):
    check(estimator)


def data(seed=0, n=80, p=10, dtype=np.float64):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p)) * rng.uniform(0.5, 3, p) + rng.normal(size=p)
    X[rng.random((n, p)) < 0.2] = 0.0
    y = (X[:, :3] @ [1.0, -1.0, 0.5] + 0.8 + rng.logistic(size=n) > 0).astype(int)
    weights = rng.uniform(0.1, 2, n)
    weights[3] = 0.0
    return X.astype(dtype), y, weights


def violation(model, X, y, weights, C, l1_ratio, factor=None, scale=None, bounds=(-np.inf, np.inf)):
    """The largest violation of the optimality conditions of 1/S sum s loss + 1/(C S) penalty, labels y of 0 and 1."""
    X, w, b = X.astype(float), model.coef_[0].astype(float), float(model.intercept_[0])
    s = np.ones(len(y)) if weights is None else weights
    factor = np.ones(len(w)) if factor is None else factor
    scale = np.ones(len(w)) if scale is None else scale
    r = s * (1.0 / (1.0 + np.exp(-(X @ w + b))) - y) / s.sum()
    alpha = 1.0 / (C * s.sum())
    g = X.T @ r + alpha * (1 - l1_ratio) * factor * scale**2 * w
    l1 = alpha * l1_ratio * factor * scale
    worst = np.where(w == 0, np.maximum(np.abs(g) - l1, 0.0), np.abs(g + np.sign(w) * l1))
    low, high = bounds
    worst[(w == low) & (w < 0)] = np.maximum(-(g - l1)[(w == low) & (w < 0)], 0.0)
    worst[(w == high) & (w > 0)] = np.maximum((g + l1)[(w == high) & (w > 0)], 0.0)
    if low == 0:
        worst[w == 0] = np.maximum(-(g + l1)[w == 0], 0.0)
    return max(worst.max(), abs(r.sum()) if model.fit_intercept else 0.0)


@pytest.mark.parametrize("l1_ratio", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("C", [0.05, 1.0, 50.0])
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize("shape", [(80, 10), (40, 70)])
def test_optimality(l1_ratio, C, fit_intercept, weighted, shape):
    X, y, weights = data(n=shape[0], p=shape[1])
    weights = weights if weighted else None
    model = LogisticRegression(C=C, l1_ratio=l1_ratio, fit_intercept=fit_intercept, tol=1e-13)
    model.fit(X, y, sample_weight=weights)
    assert violation(model, X, y, weights, C, l1_ratio) < 1e-6
    assert violation(model, X, y, weights, 1.5 * C, l1_ratio) > 1e-5  # the oracle can tell
    assert model.dual_gap_ <= 1e-13
    assert (model.intercept_[0] != 0) == fit_intercept


@pytest.mark.parametrize("l1_ratio", [0.0, 0.5, 1.0])
def test_optimality_with_modifiers(l1_ratio):
    X, y, weights = data(1)
    factor = np.array([0, 1, 2, 0.5, 1] * 2, dtype=float)
    model = LogisticRegression(C=2.0, l1_ratio=l1_ratio, standardize=True, penalty_factor=factor, tol=1e-13)
    model.fit(X, y, sample_weight=weights)
    mean = np.average(X, axis=0, weights=weights)
    scale = np.sqrt(np.average((X - mean) ** 2, axis=0, weights=weights))
    assert violation(model, X, y, weights, 2.0, l1_ratio, factor, scale) < 1e-6
    assert violation(model, X, y, weights, 2.0, l1_ratio, factor) > 1e-5
    for bounds in ((0.0, np.inf), (-0.05, 0.1)):
        model = LogisticRegression(l1_ratio=l1_ratio, lower_bounds=bounds[0], upper_bounds=bounds[1], tol=1e-13)
        model.fit(X, y)
        assert (model.coef_ >= bounds[0]).all() and (model.coef_ <= bounds[1]).all()
        assert violation(model, X, y, None, 1.0, l1_ratio, bounds=bounds) < 1e-6


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("class_weight", [None, "balanced", {0: 3.0}])
@pytest.mark.parametrize("weighted", [True, False])
def test_same_fit_as_scikit_learn(fit_intercept, class_weight, weighted):
    X, y, weights = data(2)
    weights = weights if weighted else None
    options = {"C": 0.7, "fit_intercept": fit_intercept, "class_weight": class_weight}
    ours = LogisticRegression(tol=1e-14, **options).fit(X, y, sample_weight=weights)
    theirs = linear_model.LogisticRegression(solver="newton-cholesky", tol=1e-12, max_iter=1000, **options)
    theirs.fit(X, y, sample_weight=weights)
    assert_allclose(ours.coef_, theirs.coef_, atol=1e-6)
    assert_allclose(ours.intercept_, theirs.intercept_, atol=1e-6)
    assert_allclose(ours.decision_function(X), theirs.decision_function(X), atol=1e-5)
    assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), atol=1e-6)
    assert_allclose(ours.predict_log_proba(X), theirs.predict_log_proba(X), atol=1e-5)
    assert_array_equal(ours.predict(X), theirs.predict(X))
    assert ours.score(X, y, weights) == pytest.approx(theirs.score(X, y, weights))
    for name in ("coef_", "intercept_", "classes_", "n_iter_"):
        assert getattr(ours, name).shape == getattr(theirs, name).shape
        assert getattr(ours, name).dtype == getattr(theirs, name).dtype


@pytest.mark.parametrize("l1_ratio", [0.5, 1.0])
def test_same_sparse_fit_as_scikit_learn(l1_ratio):
    X, y, weights = data(3)
    X /= X.std(axis=0)
    ours = LogisticRegression(C=0.3, l1_ratio=l1_ratio).fit(X, y, sample_weight=weights)
    theirs = linear_model.LogisticRegression(C=0.3, l1_ratio=l1_ratio, solver="saga", tol=1e-10, max_iter=100_000)
    theirs.fit(X, y, sample_weight=weights)
    assert_allclose(ours.coef_, theirs.coef_, atol=1e-5)
    assert_allclose(ours.intercept_, theirs.intercept_, atol=1e-5)
    assert 0 < np.count_nonzero(ours.coef_) < 10
    assert_array_equal(ours.sparse_coef_.toarray(), ours.coef_)


def test_scikit_learns_parameters_are_there_with_its_defaults():
    ours, theirs = LogisticRegression().get_params(), linear_model.LogisticRegression().get_params()
    assert set(ours) - set(theirs) == OURS
    assert {key for key in theirs if ours[key] != theirs[key]} <= {"max_iter", "tol"}


@pytest.mark.parametrize("fit_intercept", [True, False])
def test_several_classes(fit_intercept):
    X, y, weights = data(9)
    y = y + (X[:, 4] > 1)
    options = {"C": 0.5, "fit_intercept": fit_intercept, "class_weight": "balanced"}
    ours = LogisticRegression(tol=1e-13, **options).fit(X, y, sample_weight=weights)
    theirs = linear_model.LogisticRegression(solver="newton-cholesky", tol=1e-10, max_iter=1000, **options)
    theirs.fit(X, y, sample_weight=weights)
    assert ours.coef_.shape == (3, 10)
    assert ours.intercept_.shape == theirs.intercept_.shape == (3,)
    assert_allclose(ours.coef_, theirs.coef_, atol=1e-5)
    assert_allclose(ours.decision_function(X), theirs.decision_function(X), atol=1e-4)
    assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), atol=1e-5)
    assert_allclose(ours.predict_log_proba(X), np.log(ours.predict_proba(X)), atol=1e-8)
    assert_array_equal(ours.predict(X), theirs.predict(X))
    named = LogisticRegression(tol=1e-13, **options).fit(X, np.array(list("abc"))[y], weights)
    assert_array_equal(named.predict(X), np.array(list("abc"))[ours.predict(X)])


@pytest.mark.parametrize("fit_intercept", [True, False])
def test_optimality_of_several_classes(fit_intercept):
    X, y, weights = data(10)
    y = y + (X[:, 4] > 1)
    model = LogisticRegression(l1_ratio=1.0, C=0.5, fit_intercept=fit_intercept, tol=1e-13).fit(X, y, weights)
    w, alpha = model.coef_.T, 1 / (0.5 * weights.sum())
    r = weights[:, None] * (model.predict_proba(X) - np.eye(3)[y]) / weights.sum()
    g = X.T @ r
    assert np.where(w == 0, np.abs(g) - alpha, np.abs(g + np.sign(w) * alpha)).max() < 1e-6
    assert not fit_intercept or np.abs(r.sum(axis=0)).max() < 1e-6
    assert 0 < np.count_nonzero(w) < w.size


def test_no_penalty():
    X, y, weights = data(11)
    theirs = linear_model.LogisticRegression(C=np.inf, solver="newton-cholesky", tol=1e-12, max_iter=1000)
    theirs.fit(X, y, sample_weight=weights)
    for options in ({"C": np.inf}, {"penalty": None}, {"C": np.inf, "l1_ratio": 1.0}):
        model = LogisticRegression(tol=1e-14, **options).fit(X, y, sample_weight=weights)
        assert_allclose(model.coef_, theirs.coef_, atol=1e-5)
        assert 0 <= model.dual_gap_ < 1e-9
    with pytest.warns(UserWarning, match="penalty=None leaves C=0.1 without effect"):
        LogisticRegression(None, C=0.1).fit(X, y)


def test_penalties_by_their_old_names():
    X, y, _ = data()
    for penalty, l1_ratio, other in (("l1", 1.0, 0.0), ("l2", 0.0, None), ("elasticnet", 0.4, 0.4)):
        old = LogisticRegression(penalty, C=0.5, l1_ratio=other).fit(X, y)
        assert_array_equal(old.coef_, LogisticRegression(C=0.5, l1_ratio=l1_ratio).fit(X, y).coef_)
    with pytest.warns(UserWarning, match="penalty='l2' leaves l1_ratio=0.5 without effect"):
        LogisticRegression("l2", l1_ratio=0.5).fit(X, y)


@pytest.mark.parametrize(
    "labels",
    [
        np.array(["no", "yes"]),
        np.array(["no", "yes"], dtype=object),
        np.array([False, True]),
        np.array([-3, 7], dtype=np.int8),
        np.array([1.0, 2.0], dtype=np.float32),
    ],
    ids=lambda labels: str(labels.dtype),
)
def test_labels_of_any_kind(labels):
    X, y, _ = data()
    expected = LogisticRegression().fit(X, y)
    for given in (labels[y], labels[y].tolist()):
        model = LogisticRegression().fit(X, given)
        assert_array_equal(model.coef_, expected.coef_)
        assert_array_equal(model.classes_, labels)
        assert_array_equal(model.predict(X), labels[expected.predict(X)])
        assert model.score(X, given) == expected.score(X, y)
    assert LogisticRegression().fit(X, labels[y]).predict(X).dtype == labels.dtype


def test_a_column_of_labels_is_flattened_with_a_warning():
    X, y, _ = data()
    with pytest.warns(DataConversionWarning):
        model = LogisticRegression().fit(X, y[:, None])
    assert_array_equal(model.coef_, LogisticRegression().fit(X, y).coef_)


def test_class_weights_are_sample_weights():
    X, y, weights = data(4)
    for given in (None, weights):
        s = np.ones(len(y)) if given is None else given
        counts = np.bincount(y, s)
        by_hand = LogisticRegression().fit(X, y, sample_weight=s * (s.sum() / (2 * counts))[y])
        balanced = LogisticRegression(class_weight="balanced").fit(X, y, sample_weight=given)
        assert_allclose(balanced.coef_, by_hand.coef_, atol=1e-8)
        named = LogisticRegression(class_weight={"a": 2.5}).fit(X, np.array(["a", "b"])[y], sample_weight=given)
        by_hand = LogisticRegression().fit(X, y, sample_weight=s * np.array([2.5, 1.0])[y])
        assert_allclose(named.coef_, by_hand.coef_, atol=1e-8)
    LogisticRegression(class_weight={0: 1.0, 1: 2.0, 2: 3.0}).fit(X, y)  # all labels are named, one is not in y


def test_weights_count_rows():
    X, y, weights = data(5)
    doubled = LogisticRegression(tol=1e-13).fit(X, y, sample_weight=np.full(len(y), 2.0))
    twice = LogisticRegression(tol=1e-13).fit(np.vstack([X, X]), np.tile(y, 2))
    assert_allclose(doubled.coef_, twice.coef_, atol=1e-7)
    assert np.abs(doubled.coef_ - LogisticRegression().fit(X, y).coef_).max() > 1e-3
    assert_array_equal(LogisticRegression(tol=1e-13).fit(X, y, sample_weight=2.0).coef_, doubled.coef_)
    kept = weights > 0
    absent = LogisticRegression(tol=1e-13).fit(X[kept], y[kept], sample_weight=weights[kept])
    assert_allclose(LogisticRegression(tol=1e-13).fit(X, y, sample_weight=weights).coef_, absent.coef_, atol=1e-7)
    heavy = LogisticRegression(C=1e-200, tol=1e-13).fit(X, y, sample_weight=1e200 * weights)
    assert_allclose(heavy.coef_, LogisticRegression(tol=1e-13).fit(X, y, sample_weight=weights).coef_, atol=1e-7)


@pytest.mark.parametrize("l1_ratio", [0.0, 1.0])
def test_storages_and_dtypes(l1_ratio):
    X, y, _ = data(6)
    expected = LogisticRegression(l1_ratio=l1_ratio, tol=1e-13).fit(X, y)
    for storage in (np.asfortranarray, sparse.csr_matrix, sparse.csc_array, sparse.coo_array):
        model = LogisticRegression(l1_ratio=l1_ratio, tol=1e-13).fit(storage(X), y)
        assert_allclose(model.coef_, expected.coef_, atol=1e-6)
        assert_allclose(model.predict_proba(storage(X)), expected.predict_proba(X), atol=1e-6)
    single = LogisticRegression(l1_ratio=l1_ratio).fit(X.astype(np.float32), y)
    assert single.coef_.dtype == single.intercept_.dtype == np.float32
    assert single.predict_proba(X.astype(np.float32)).dtype == np.float32
    assert_allclose(single.coef_, expected.coef_, atol=1e-4)


def test_data_frames():
    pd = pytest.importorskip("pandas")
    X, y, _ = data()
    frame = pd.DataFrame(X, columns=[f"x{j}" for j in range(10)])
    model = LogisticRegression().fit(frame, pd.Series(y).map({0: "no", 1: "yes"}).astype("category"))
    assert list(model.feature_names_in_) == list(frame.columns)
    assert_allclose(model.coef_, LogisticRegression().fit(X, y).coef_, atol=1e-8)
    with pytest.raises(ValueError, match="feature names should match"):
        model.predict(frame.rename(columns={"x3": "z3"}))


def test_a_model_is_a_point_of_the_path():
    X, y, weights = data(7)
    path = fit_path(X, y, loss="logistic", l1_ratio=0.5, alphas=[0.1, 0.02], sample_weight=weights)
    model = LogisticRegression(C=1 / (0.02 * weights.sum()), l1_ratio=0.5).fit(X, y, sample_weight=weights)
    assert_allclose(model.coef_[0], path.coef_at(0.02)[0], atol=1e-5)
    assert_allclose(model.predict_proba(X), path.predict_proba(X, 0.02), atol=1e-5)


def test_large_decision_values_keep_their_logarithms():
    X, y, _ = data()
    model = LogisticRegression().fit(X, y)
    far = model.predict_log_proba(X * 1e5)
    assert np.isfinite(far).all()
    assert far.min() < -1000
    assert_allclose(model.predict_proba(X).sum(axis=1), 1.0)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_warm_start(dtype):
    X, y, _ = data(8, dtype=dtype)
    model = LogisticRegression(l1_ratio=1.0, warm_start=True).fit(X, y)
    cold = model.coef_.copy()
    assert model.n_iter_[0] > 1
    model.fit(X, y)
    assert model.n_iter_[0] <= 1
    assert_allclose(model.coef_, cold, atol=1e-6)
    with pytest.raises(ValueError, match=r"warm_start=True: the previous coefficients have shape \(1, 10\)"):
        model.fit(X[:, :5], y)


def test_clone_pickle_search():
    X, y, _ = data()
    model = LogisticRegression(C=0.3, l1_ratio=0.5, class_weight="balanced").fit(X.astype(np.float32), y)
    again = pickle.loads(pickle.dumps(model))
    assert_array_equal(again.predict_proba(X), model.predict_proba(X))
    fresh = clone(model)
    assert fresh.get_params() == model.get_params()
    with pytest.raises(NotFittedError):
        fresh.predict_proba(X)
    search = GridSearchCV(LogisticRegression(), {"C": [0.01, 1.0], "l1_ratio": [0.0, 1.0]}, scoring="roc_auc", cv=3)
    assert search.fit(X, y).best_score_ > 0.7
    assert cross_val_score(LogisticRegression(), X, y, cv=3, scoring="neg_log_loss").min() > -1.0


@pytest.mark.parametrize(
    ("parameters", "error", "words"),
    [
        ({"C": 0.0}, ValueError, r"C=0.0 must be positive"),
        ({"C": "1"}, TypeError, "C must be a number"),
        ({"C": 1e-320}, ValueError, "C is too small"),
        ({"penalty": "l3"}, ValueError, "penalty='l3' must be one of"),
        ({"penalty": "elasticnet", "l1_ratio": None}, ValueError, "l1_ratio must be specified"),
        ({"l1_ratio": 1.5}, ValueError, r"l1_ratio must lie in \[0, 1\]"),
        ({"solver": "newton"}, ValueError, "solver='newton' must be one of"),
        ({"dual": 1}, TypeError, "dual"),
        ({"intercept_scaling": 0}, ValueError, "intercept_scaling"),
        ({"random_state": "x"}, TypeError, "random_state"),
        ({"class_weight": "even"}, ValueError, "class_weight must be None, 'balanced' or a dict"),
        ({"class_weight": {0: -1.0}}, ValueError, r"class_weight\[0\] must be finite"),
        ({"class_weight": {2: 1.0}}, ValueError, r"classes, \[0, 1\], are not in class_weight"),
        ({"class_weight": {0: 0.0}}, ValueError, "all rows of class .*0.* have a weight of zero"),
        ({"fit_intercept": "no"}, TypeError, "fit_intercept"),
        ({"standardize": 1.0}, TypeError, "standardize"),
        ({"warm_start": None}, TypeError, "warm_start"),
        ({"tol": -1}, ValueError, "tol"),
        ({"max_iter": 0}, ValueError, "max_iter"),
        ({"verbose": -1}, ValueError, "verbose"),
        ({"n_jobs": 0}, ValueError, "n_jobs"),
        ({"penalty_factor": [1.0]}, ValueError, r"penalty_factor must have shape \(10,\)"),
        ({"lower_bounds": 0.5}, ValueError, "room for 0"),
    ],
)
def test_parameters_are_checked_in_fit(parameters, error, words):
    X, y, _ = data()
    model = LogisticRegression(**parameters)
    with pytest.raises(error, match=words):
        model.fit(X, y)
    assert not vars(model).keys() & {"coef_", "classes_", "n_features_in_"}


def test_bad_data_are_named():
    X, y, weights = data()
    with pytest.raises(ValueError, match="a fit requires y to be passed"):
        LogisticRegression().fit(X, None)
    with pytest.raises(ValueError, match=r"labels y must have shape|should be a 1d array"):
        LogisticRegression().fit(X, np.column_stack([y, 1 - y]))
    with pytest.raises(ValueError, match="y has one class only, .*1.*: a classifier needs samples of at least 2"):
        LogisticRegression().fit(X, np.ones(80, int))
    with pytest.raises(ValueError, match="all rows of class .*1.* have a weight of zero"):
        LogisticRegression().fit(X, y, sample_weight=1.0 * (y == 0))
    with pytest.raises(ValueError, match="Unknown label type"):
        LogisticRegression().fit(X, weights)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        LogisticRegression().fit(X, y[:-1])
    with pytest.raises(ValueError, match="y contains NaN"):
        LogisticRegression().fit(X, np.where(y == 0, np.nan, 1.0))
    with pytest.raises(ValueError, match="must not be negative"):
        LogisticRegression().fit(X, y, sample_weight=-weights)
    X[2, 3] = np.nan
    with pytest.raises(ValueError, match="row 2, column 3"):
        LogisticRegression().fit(X, y)


def test_one_warning_where_the_fit_does_not_converge():
    X, y, _ = data()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        LogisticRegression(l1_ratio=1.0, C=100.0, max_iter=1).fit(X, y)
    assert [w.category for w in caught] == [ConvergenceWarning]
    assert caught[0].filename == __file__


def test_an_interrupted_fit_leaves_no_trace(monkeypatch):
    X, y, _ = data()

    def interrupted(*args, **options):
        raise KeyboardInterrupt

    fitted = LogisticRegression().fit(X, y)
    state = {name: np.copy(value) for name, value in vars(fitted).items()}
    monkeypatch.setattr(fastreg.path, "solve_tasks", interrupted)
    with pytest.raises(KeyboardInterrupt):
        fitted.fit(X[:, :3], 1 - y)
    for name, value in vars(fitted).items():
        assert_array_equal(value, state[name])
