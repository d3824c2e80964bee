"""The estimators as parts of scikit-learn: its own checks, pipelines, searches, routing."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn import config_context
from sklearn.base import clone
from sklearn.feature_selection import SelectFromModel
from sklearn.model_selection import GridSearchCV, cross_val_score, cross_validate
from sklearn.multioutput import MultiOutputRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from fastreg import ElasticNet, Lasso


@parametrize_with_checks([Lasso(), ElasticNet(), ElasticNet(alpha=0.01, standardize=True, positive=True)])
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
def test_scikit_learns_checks(estimator, check):
    check(estimator)


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 8))
    return X, X[:, 0] - 2 * X[:, 1] + 0.1 * rng.normal(size=60)


def test_clone_keeps_the_parameters_and_nothing_else(data):
    model = ElasticNet(alpha=0.3, l1_ratio=0.2, standardize=True, n_jobs=1).fit(*data)
    copy = clone(model)
    assert copy.get_params() == model.get_params()
    assert not hasattr(copy, "coef_")
    assert "l1_ratio" not in Lasso().get_params()
    assert repr(Lasso(alpha=2.0)) == "Lasso(alpha=2.0)"


def test_pipeline_and_grid_search(data):
    X, y = data
    pipeline = make_pipeline(StandardScaler(), Lasso())
    search = GridSearchCV(pipeline, {"lasso__alpha": np.logspace(-3, 0, 5), "lasso__positive": [False, True]}, cv=3)
    search.fit(X, y)
    assert search.best_params_["lasso__alpha"] < 0.1
    assert search.best_params_["lasso__positive"] is False
    assert search.score(X, y) > 0.95
    assert cross_val_score(ElasticNet(alpha=0.01), X, y, cv=3).min() > 0.95


def test_feature_selection_uses_the_coefficients(data):
    selector = SelectFromModel(Lasso(alpha=0.5)).fit(*data)
    assert list(np.flatnonzero(selector.get_support())) == [0, 1]


def test_multi_output_wrapper_agrees_with_2d_y(data):
    X, y = data
    Y = np.column_stack([y, y**2])
    wrapped = MultiOutputRegressor(Lasso(alpha=0.1)).fit(X, Y).predict(X)
    assert_allclose(Lasso(alpha=0.1).fit(X, Y).predict(X), wrapped, atol=1e-5)


def test_sample_weight_is_routed(data):
    X, y = data
    weights = np.linspace(0.1, 3, 60)
    with config_context(enable_metadata_routing=True):
        model = Lasso(alpha=0.1).set_fit_request(sample_weight=True).set_score_request(sample_weight=True)
        pipeline = make_pipeline(StandardScaler().set_fit_request(sample_weight=False), model)
        pipeline.fit(X, y, sample_weight=weights)
        expected = Lasso(alpha=0.1).fit(StandardScaler().fit_transform(X), y, sample_weight=weights)
        assert_allclose(pipeline[-1].coef_, expected.coef_, atol=1e-6)
        result = cross_validate(model, X, y, cv=3, params={"sample_weight": weights})
        assert result["test_score"].min() > 0.9
        assert "check_input" not in Lasso().get_metadata_routing().fit.requests
