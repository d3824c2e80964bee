"""Lasso and ElasticNet: the same answers as scikit-learn's, in the same attributes, and what fastreg adds."""

import pickle
import threading
import warnings

import numpy as np
import pytest
import reference
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn import linear_model
from sklearn.exceptions import ConvergenceWarning, NotFittedError

import fastreg
import fastreg.path
from fastreg import ElasticNet, Lasso, fit_path

ATOL = 1e-5


@pytest.fixture
def data():
    rng = np.random.default_rng(3)
    X = rng.normal(size=(60, 15)) + rng.normal(size=(60, 1))
    y = X[:, :4] @ [1.0, -2.0, 0.5, 3.0] + rng.normal(size=60) + 5.0
    return X, y


MODELS = [(Lasso, {}), (ElasticNet, {"l1_ratio": 0.3}), (ElasticNet, {})]


@pytest.mark.parametrize(("model", "parameters"), MODELS)
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("positive", [True, False])
@pytest.mark.parametrize("weighted", [True, False])
def test_same_fit_as_scikit_learn(data, model, parameters, fit_intercept, positive, weighted):
    X, y = data
    parameters = {**parameters, "alpha": 0.2, "fit_intercept": fit_intercept, "positive": positive}
    weights = np.linspace(0, 2, 60) if weighted else None
    theirs = getattr(linear_model, model.__name__)(tol=1e-13, max_iter=100_000, **parameters)
    theirs.fit(X, y, sample_weight=weights)
    ours = model(**parameters).fit(X, y, sample_weight=weights)
    assert_allclose(ours.coef_, theirs.coef_, atol=ATOL)
    assert_allclose(ours.intercept_, theirs.intercept_, atol=ATOL)
    assert_allclose(ours.predict(X), theirs.predict(X), atol=10 * ATOL)
    assert_allclose(ours.score(X, y), theirs.score(X, y), atol=ATOL)


@pytest.mark.parametrize("model", [Lasso, ElasticNet])
def test_scikit_learns_parameters_are_there_in_its_order(model):
    ours = model().get_params()
    theirs = getattr(linear_model, model.__name__)().get_params()
    assert set(theirs) <= set(ours)
    assert {key for key in theirs if ours[key] != theirs[key]} == {"max_iter", "tol"}
    assert set(ours) - set(theirs) == {"standardize", "penalty_factor", "lower_bounds", "upper_bounds", "n_jobs"}


@pytest.mark.parametrize(("model", "parameters"), MODELS)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_attributes_of_one_response(data, model, parameters, dtype):
    X, y = data
    fitted = model(alpha=0.2, **parameters)
    assert fitted.fit(X.astype(dtype), y) is fitted
    assert fitted.coef_.shape == (15,)
    assert fitted.coef_.dtype == dtype
    assert np.ndim(fitted.intercept_) == 0
    assert isinstance(fitted.n_iter_, int)
    assert isinstance(fitted.dual_gap_, float)
    assert 0 <= fitted.dual_gap_ <= 1e-10 * reference.null_objective(X, y) * (1 + 1e-6)
    assert sparse.issparse(fitted.sparse_coef_)
    assert fitted.sparse_coef_.format == "csr"
    assert_array_equal(fitted.sparse_coef_.toarray(), fitted.coef_[None, :])
    assert fitted.n_features_in_ == 15
    assert not hasattr(fitted, "feature_names_in_")
    assert fitted.predict(X.astype(dtype)).dtype == dtype


def test_float32_is_rounded_last(data):
    X, y = data
    X = X.astype(np.float32) + np.float32(100)
    single = Lasso(alpha=0.1).fit(X, y)
    double = Lasso(alpha=0.1).fit(X.astype(np.float64), y)
    assert_allclose(single.coef_, double.coef_, atol=ATOL)
    assert_allclose(double.predict(X), double.predict(X.astype(np.float64)), rtol=1e-12)


@pytest.mark.parametrize(("model", "parameters"), MODELS)
def test_columns_of_y_are_fitted_one_by_one(data, model, parameters):
    X, y = data
    Y = np.column_stack([y, -2 * y, y**2])
    fitted = model(alpha=0.2, **parameters).fit(X, Y)
    assert fitted.coef_.shape == (3, 15)
    assert fitted.intercept_.shape == (3,)
    assert fitted.dual_gap_.shape == (3,)
    assert len(fitted.n_iter_) == 3
    assert fitted.sparse_coef_.shape == (3, 15)
    assert fitted.predict(X).shape == (60, 3)
    for k in range(3):
        alone = model(alpha=0.2, **parameters).fit(X, Y[:, k])
        assert_allclose(fitted.coef_[k], alone.coef_, atol=ATOL * np.abs(Y[:, k]).max())
        assert_allclose(fitted.predict(X)[:, k], alone.predict(X), atol=ATOL * np.abs(Y[:, k]).max())
    column = model(alpha=0.2, **parameters).fit(X, y[:, None])
    assert column.coef_.shape == (15,)
    assert column.intercept_.shape == (1,)
    assert column.predict(X).shape == (60,)


@pytest.mark.parametrize("model", [Lasso, ElasticNet])
def test_standardize_penalises_in_units_of_the_standard_deviation(data, model):
    X, y = data
    scale = np.geomspace(0.01, 100, 15)
    scaled = model(alpha=0.1, standardize=True).fit(X * scale, y)
    by_hand = model(alpha=0.1).fit((X - X.mean(0)) / X.std(0), y)
    assert_allclose(scaled.coef_ * scale * X.std(0), by_hand.coef_, atol=ATOL)


def test_the_path_method_is_the_models_own(data):
    X, y = data
    assert Lasso().path is fastreg.lasso_path
    assert ElasticNet().path is fastreg.enet_path
    alphas, coefs, _ = Lasso.path(X, y, alphas=[0.2])
    assert_allclose(coefs[:, 0], Lasso(alpha=0.2, fit_intercept=False).fit(X, y).coef_, atol=ATOL)


def test_a_model_is_a_point_of_the_path(data):
    X, y = data
    path = fit_path(X, y, alphas=[1.0, 0.3, 0.1], l1_ratio=0.5, standardize=True)
    model = ElasticNet(alpha=0.3, standardize=True).fit(X, y)
    assert_allclose(model.coef_, path.coef_at(0.3)[0], atol=ATOL)
    assert_allclose(model.intercept_, path.coef_at(0.3)[1], atol=ATOL)


@pytest.mark.parametrize("precompute", [True, False, "auto", np.True_])
@pytest.mark.parametrize("selection", ["cyclic", "random"])
def test_ways_that_change_nothing(data, precompute, selection):
    X, y = data
    expected = Lasso(alpha=0.2).fit(X, y)
    other = Lasso(alpha=0.2, precompute=precompute, selection=selection, random_state=0, copy_X=False, n_jobs=1)
    other.fit(X, y, check_input=False)
    assert_allclose(other.coef_, expected.coef_, atol=ATOL)


def test_X_and_y_are_never_written(data):
    X, y = data
    X, y = np.asfortranarray(X), np.column_stack([y, y])
    weights = np.ones(60)
    before = X.copy(), y.copy(), weights.copy()
    Lasso(copy_X=False).fit(X, y, sample_weight=weights)
    for now, then in zip((X, y, weights), before, strict=True):
        assert_array_equal(now, then)


def test_alpha_zero_is_least_squares(data):
    X, y = data
    ours = Lasso(alpha=0).fit(X, y)
    theirs = linear_model.LinearRegression().fit(X, y)
    assert_allclose(ours.coef_, theirs.coef_, rtol=1e-6)
    assert_allclose(ours.intercept_, theirs.intercept_, rtol=1e-6)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_warm_start(data, dtype):
    X, y = data
    X = X.astype(dtype)
    model = Lasso(alpha=0.05, warm_start=True).fit(X, y)
    cold = model.coef_.copy()
    model.fit(X, y)
    assert model.n_iter_ <= 1
    assert_allclose(model.coef_, cold, atol=ATOL)
    model.coef_ = np.ones(15)
    model.set_params(positive=True).fit(X, y)
    assert model.coef_.min() >= 0
    with pytest.raises(ValueError, match="warm_start=True: the previous coefficients have shape"):
        model.fit(X[:, :5], y)
    model.set_params(warm_start=False).fit(X[:, :5], y)
    assert model.coef_.shape == (5,)


@pytest.mark.parametrize(
    ("parameters", "error", "words"),
    [
        ({"alpha": -1}, ValueError, "alpha must be finite and >= 0"),
        ({"alpha": np.inf}, ValueError, "alpha must be finite"),
        ({"alpha": None}, TypeError, "alpha must be a number"),
        ({"alpha": [1.0]}, TypeError, "alpha must be a number"),
        ({"penalty_factor": [1.0]}, ValueError, r"penalty_factor must have shape \(15,\)"),
        ({"lower_bounds": 0.5}, ValueError, "room for 0"),
        ({"l1_ratio": -0.5}, ValueError, "l1_ratio"),
        ({"fit_intercept": "no"}, TypeError, "fit_intercept"),
        ({"precompute": "always"}, ValueError, "precompute must be True, False, 'auto' or a Gram"),
        ({"precompute": np.eye(15)}, ValueError, "precompute is not the Gram matrix of this X"),
        ({"max_iter": 0}, ValueError, "max_iter"),
        ({"copy_X": 1}, TypeError, "copy_X"),
        ({"tol": -1}, ValueError, "tol"),
        ({"warm_start": None}, TypeError, "warm_start"),
        ({"positive": 0}, TypeError, "positive"),
        ({"random_state": "x"}, TypeError, "random_state"),
        ({"selection": "steepest"}, ValueError, "selection"),
        ({"standardize": 1.0}, TypeError, "standardize"),
        ({"n_jobs": 0}, ValueError, "n_jobs"),
    ],
)
def test_parameters_are_checked_in_fit(data, parameters, error, words):
    model = ElasticNet(**parameters)
    with pytest.raises(error, match=words):
        model.fit(*data)
    assert not vars(model).keys() & {"coef_", "n_features_in_"}


def test_sparse_X_fits_and_predicts_as_the_dense_one(data):
    X, y = data
    dense = ElasticNet(alpha=0.05).fit(X, y)
    for container in (sparse.csr_matrix, sparse.csc_array, sparse.coo_array):
        fitted = ElasticNet(alpha=0.05).fit(container(X), y)
        assert_allclose(fitted.coef_, dense.coef_, atol=1e-8)
        assert_allclose(fitted.predict(container(X)), dense.predict(X), atol=1e-8)


def test_predict_checks_its_input(data):
    X, y = data
    with pytest.raises(NotFittedError):
        Lasso().predict(X)
    model = Lasso().fit(X, y)
    with pytest.raises(ValueError, match="X has 14 features, but Lasso is expecting 15 features as input"):
        model.predict(X[:, 1:])
    with pytest.raises(ValueError, match="Reshape your data"):
        model.predict(X[0])
    X[3, 4] = np.inf
    with pytest.raises(ValueError, match="row 3, column 4"):
        model.predict(X)


def test_column_names(data):
    pd = pytest.importorskip("pandas")
    X, y = data
    names = [f"gene {j}" for j in range(15)]
    frame = pd.DataFrame(X, columns=names)
    model = Lasso(alpha=0.1).fit(frame, y)
    assert list(model.feature_names_in_) == names
    assert_allclose(model.predict(frame), X @ model.coef_ + model.intercept_)
    with pytest.warns(UserWarning, match="X does not have valid feature names"):
        model.predict(X)
    with pytest.raises(ValueError, match="feature names should match"):
        model.predict(frame.rename(columns={"gene 3": "gene X"}))
    model.fit(X, y)
    assert not hasattr(model, "feature_names_in_")
    with pytest.warns(UserWarning, match="X has feature names"):
        model.predict(frame)


def test_polars_frames(data):
    pl = pytest.importorskip("polars")
    X, y = data
    frame = pl.DataFrame(X, schema=[f"c{j}" for j in range(15)])
    model = Lasso(alpha=0.1).fit(frame, pl.Series(y))
    assert list(model.feature_names_in_) == frame.columns
    assert_allclose(model.predict(frame), X @ model.coef_ + model.intercept_)


def test_one_warning_for_a_fit_of_many_responses(data):
    X, y = data
    X = X + 20 * X[:, :1]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        Lasso(alpha=1e-3, max_iter=1).fit(X, np.column_stack([y, y**2, -y]))
    assert [w.category for w in caught] == [ConvergenceWarning]
    assert caught[0].filename == __file__
    assert fastreg.ConvergenceWarning is ConvergenceWarning


@pytest.mark.parametrize("failure", [KeyboardInterrupt, MemoryError])
def test_an_interrupted_fit_leaves_no_trace(data, monkeypatch, failure):
    X, y = data

    def interrupted(*args, **options):
        raise failure

    fitted = Lasso(alpha=0.1).fit(X, y)
    state = {name: np.copy(value) for name, value in vars(fitted).items()}
    fresh = Lasso(alpha=0.1)
    monkeypatch.setattr(fastreg.path, "solve_tasks", interrupted)
    with pytest.raises(failure):
        fresh.fit(X, y)
    with pytest.raises(NotFittedError):
        fresh.predict(X)
    with pytest.raises(failure):
        fitted.fit(X[:, :3], 2 * y)
    assert vars(fitted).keys() == state.keys()
    for name, value in vars(fitted).items():
        assert_array_equal(value, state[name])


def test_concurrent_fits_are_independent(data):
    X, y = data
    alphas = np.geomspace(1, 0.01, 8)
    expected = [Lasso(alpha=alpha).fit(X, y).coef_ for alpha in alphas]
    found = [None] * len(alphas)

    def work(i):
        found[i] = Lasso(alpha=alphas[i]).fit(X, y).coef_

    threads = [threading.Thread(target=work, args=(i,)) for i in range(len(alphas))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for a, b in zip(expected, found, strict=True):
        assert_array_equal(a, b)


def test_pickled_models_predict_alike(data):
    X, y = data
    for model in (Lasso(alpha=0.1), ElasticNet(alpha=0.1, standardize=True)):
        model.fit(X.astype(np.float32), y)
        again = pickle.loads(pickle.dumps(model))
        assert_array_equal(again.predict(X), model.predict(X))
