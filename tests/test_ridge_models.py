"""Ridge, RidgeCV and their classifiers: scikit-learn's answers, to more digits, and what fastreg adds."""

import copy
import pickle
import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from scipy.linalg import LinAlgWarning
from sklearn import linear_model
from sklearn.base import clone
from sklearn.exceptions import DataConversionWarning, NotFittedError
from sklearn.metrics import accuracy_score, f1_score, make_scorer, roc_auc_score
from sklearn.model_selection import (
    GridSearchCV,
    KFold,
    StratifiedKFold,
)
from sklearn.utils.estimator_checks import parametrize_with_checks

import fastreg.models.ridge_fits
from fastreg import Ridge, RidgeClassifier, RidgeClassifierCV, RidgeCV
from fastreg.solve import systems

NO_ITERATIONS = {"check_non_transformer_estimators_n_iter": "n_iter_ is None, as scikit-learn's: nothing iterates"}


@parametrize_with_checks(
    [
        Ridge(),
        Ridge(alpha=0.01, standardize=True),
        Ridge(positive=True),
        RidgeCV(),
        RidgeCV(cv=3),
        RidgeCV(cv="gcv"),
        RidgeClassifier(),
        RidgeClassifierCV(),
        RidgeClassifierCV(cv=3, standardize=True),
        RidgeClassifierCV(cv="gcv"),
    ],
    expected_failed_checks=lambda model: NO_ITERATIONS if not getattr(model, "positive", True) else {},
)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
def test_scikit_learns_checks(estimator, check):
    check(estimator)


def make(shape=(60, 15), seed=3):
    rng = np.random.default_rng(seed)
    n, p = shape
    X = rng.normal(size=shape) + rng.normal(size=(n, 1)) + rng.uniform(-1, 1, p)
    Y = X[:, :4] @ rng.normal(size=(4, 3)) + rng.normal(size=(n, 3)) + 5.0
    return X, Y


@pytest.fixture
def data():
    X, Y = make()
    return X, Y[:, 0]


CONTAINERS = {"C": np.ascontiguousarray, "F": np.asfortranarray, "csc": sparse.csc_matrix, "csr": sparse.csr_array}


def design(X, kind):
    """X in some storage; half empty if that is sparse."""
    X = np.where(np.arange(X.size).reshape(X.shape) % 2, 0.0, X) if kind in ("csc", "csr") else X
    return CONTAINERS[kind](X), X


# --- one alpha -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(60, 15), (12, 30)])
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize("columns", [1, 3])
@pytest.mark.parametrize("kind", CONTAINERS)
def test_same_fit_as_scikit_learn(shape, fit_intercept, weighted, columns, kind):
    X, Y = make(shape)
    X, dense = design(X, kind)
    y = Y[:, 0] if columns == 1 else Y
    weights = np.linspace(0, 2, len(Y)) if weighted else None
    alpha = 0.7 if columns == 1 else np.array([0.7, 0.01, 20.0])
    ours = Ridge(alpha, fit_intercept=fit_intercept).fit(X, y, sample_weight=weights)
    theirs = linear_model.Ridge(alpha, fit_intercept=fit_intercept, solver="svd").fit(dense, y, sample_weight=weights)
    assert_allclose(ours.coef_, theirs.coef_, rtol=1e-9, atol=1e-11)
    assert_allclose(ours.intercept_, theirs.intercept_, rtol=1e-9, atol=1e-11)
    assert_allclose(ours.predict(X), theirs.predict(dense), rtol=1e-9)
    assert_allclose(ours.score(X, y), theirs.score(dense, y))
    assert type(ours.intercept_) is type(theirs.intercept_)
    assert np.max(ours.residual_) < 1e-13
    null = (np.atleast_2d(y.T) ** 2).sum(axis=1)
    assert (np.atleast_1d(ours.dual_gap_) <= 1e-20 * null).all()
    assert ours.n_iter_ is None
    assert ours.solver_ == "cholesky"


@pytest.mark.parametrize("model", [Ridge, RidgeCV, RidgeClassifier, RidgeClassifierCV])
def test_scikit_learns_parameters_are_there(model):
    ours, theirs = model().get_params(), getattr(linear_model, model.__name__)().get_params()
    assert set(theirs) <= set(ours)
    assert {key for key in theirs if ours[key] != theirs[key]} <= {"tol"}
    fitted = [
        one.fit(np.eye(6)[:, :3], [0, 1, 0, 1, 1, 0]) for one in (model(), getattr(linear_model, model.__name__)())
    ]
    for name in vars(fitted[1]):
        if name.endswith("_") and not name.startswith("_"):
            assert hasattr(fitted[0], name), name


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_shapes_and_types(dtype):
    X, Y = make()
    X = X.astype(dtype)
    for model, theirs in ((Ridge(), linear_model.Ridge()), (RidgeCV(), linear_model.RidgeCV())):
        for y in (Y[:, 0], Y[:, :1], Y, Y[:, 0].astype(dtype), Y[:, 0].tolist(), np.rint(Y[:, 0]).astype(int)):
            ours, expected = clone(model).fit(X, y), clone(theirs).fit(X, y)
            assert ours.coef_.shape == expected.coef_.shape
            assert ours.coef_.dtype == ours.intercept_.dtype == dtype
            assert np.shape(ours.intercept_) == np.shape(expected.intercept_)
            assert ours.predict(X).shape == expected.predict(X).shape
            assert ours.predict(X).dtype == dtype
            assert (
                np.shape(ours.dual_gap_) == np.shape(ours.residual_) == np.shape(ours.df_) == expected.coef_.shape[:-1]
            )
            assert ours.standard_errors().shape == ours.coef_.shape
    assert Ridge().fit(X, Y).sparse_coef_.shape == (3, 15)


def test_float32_is_rounded_last(data):
    X, y = data
    X = (X + 50).astype(np.float32)
    for model in (Ridge(alpha=0.1), RidgeCV(), RidgeCV(cv="gcv"), RidgeCV(cv=4)):
        single, double = clone(model).fit(X, y), clone(model).fit(X.astype(np.float64), y)
        assert_allclose(single.coef_, double.coef_, rtol=2e-7)
        assert_allclose(single._fit.coefs, double._fit.coefs, rtol=1e-11)


# Longley's data and NIST's certified values of least squares, of coefficients and of their standard errors.
LONGLEY = """
60323 83.0 234289 2356 1590 107608 1947
61122 88.5 259426 2325 1456 108632 1948
60171 88.2 258054 3682 1616 109773 1949
61187 89.5 284599 3351 1650 110929 1950
63221 96.2 328975 2099 3099 112075 1951
63639 98.1 346999 1932 3594 113270 1952
64989 99.0 365385 1870 3547 115094 1953
63761 100.0 363112 3578 3350 116219 1954
66019 101.2 397469 2904 3048 117388 1955
67857 104.6 419180 2822 2857 118734 1956
68169 108.4 442769 2936 2798 120445 1957
66513 110.8 444546 4681 2637 121950 1958
68655 112.6 482704 3813 2552 123366 1959
69564 114.2 502601 3931 2514 125368 1960
69331 115.7 518173 4806 2572 127852 1961
70551 116.9 554894 4007 2827 130081 1962
"""
LONGLEY_INTERCEPT = -3482258.63459582
LONGLEY_COEFS = [
    15.0618722713733, -0.0358191792925910, -2.02022980381683, -1.03322686717359, -0.0511041056535807, 1829.15146461355
]  # fmt: skip
LONGLEY_ERRORS = [
    84.9149257747669, 0.0334910077722432, 0.488399681651699, 0.214274163161675, 0.226073200069370, 455.478499142212
]  # fmt: skip


def test_nist_longley():
    table = np.array([line.split() for line in LONGLEY.split("\n")[1:-1]], dtype=float)
    X, y = table[:, 1:], table[:, 0]
    for model in (Ridge(alpha=0), Ridge(alpha=0, solver="svd"), Ridge(alpha=0, n_jobs=1)):
        model.fit(X, y)
        assert_allclose(model.coef_, LONGLEY_COEFS, rtol=1e-10)
        assert_allclose(model.intercept_, LONGLEY_INTERCEPT, rtol=1e-10)
        assert_allclose(model.standard_errors(), LONGLEY_ERRORS, rtol=1e-10)
        assert_allclose(model.df_, 7)
        assert_allclose(((y - model.predict(X)) ** 2).sum(), 836424.055505915, rtol=1e-9)
    unpenalised = Ridge(alpha=1.0, penalty_factor=np.zeros(6)).fit(X, y)
    assert_allclose(unpenalised.coef_, LONGLEY_COEFS, rtol=1e-9)


@pytest.mark.parametrize("shape", [(40, 6), (12, 30)])
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize(
    "extra", [{}, {"penalty_factor": "mixed"}, {"standardize": True}, {"penalty_matrix": "smooth"}]
)
def test_standard_errors_and_degrees_of_freedom(shape, fit_intercept, extra):
    X, Y = make(shape)
    n, p = shape
    rng = np.random.default_rng(0)
    s = rng.uniform(0.5, 2, n) * (rng.random(n) > 0.1)
    P = np.ones(p)
    if "penalty_factor" in extra:
        P = np.where(np.arange(p) == 2, 0.0, rng.uniform(1, 2, p))
        extra = {"penalty_factor": P}
    if "standardize" in extra:
        P = np.average((X - np.average(X, axis=0, weights=s)) ** 2, axis=0, weights=s)
    P = np.diag(P)
    if "penalty_matrix" in extra:
        P = np.diff(np.eye(p), axis=0).T @ np.diff(np.eye(p), axis=0)
        extra = {"penalty_matrix": P}
    alphas = np.array([2.0, 0.5, 2.0])
    model = Ridge(alphas, fit_intercept=fit_intercept, **extra).fit(X, Y, sample_weight=s)
    Z = X - np.average(X, axis=0, weights=s) * fit_intercept
    gram = Z.T @ (s[:, None] * Z)
    for k, alpha in enumerate(alphas):
        inverse = np.linalg.inv(gram + alpha * P)
        assert_allclose(model.coef_[k], inverse @ (Z.T @ (s * Y[:, k])), rtol=1e-7, atol=1e-9)
        df = np.trace(inverse @ gram) + fit_intercept
        residual = Y[:, k] - model.predict(X)[:, k]
        sigma2 = (s * residual**2).sum() / (np.count_nonzero(s) - df)
        assert_allclose(model.df_[k], df, rtol=1e-9)
        expected = np.sqrt(sigma2 * np.diag(inverse @ gram @ inverse))
        assert_allclose(model.standard_errors()[k], expected, rtol=1e-7)


def test_standard_errors_need_rows(data):
    X, y = data
    model = Ridge(alpha=0).fit(X[:16], y[:16])
    with pytest.raises(ValueError, match="no degrees of freedom are left"):
        model.standard_errors()


def test_penalty_factors(data):
    X, y = data
    factor = np.linspace(0, 3, 15)
    factor[4] = np.inf
    model = Ridge(alpha=2.0, penalty_factor=factor).fit(X, y)
    assert model.coef_[4] == 0
    residual = y - model.predict(X)
    assert abs(residual.sum()) < 1e-11
    kept = np.isfinite(factor)
    assert_allclose((X.T @ residual)[kept], 2.0 * factor[kept] * model.coef_[kept], atol=1e-10)
    assert np.isnan(model.dual_gap_)
    assert model.standard_errors()[4] == 0


def test_standardize(data):
    X, y = data
    X[:, 3] = 0.1
    scale = np.geomspace(0.01, 100, 15)
    for extra in ({}, {"sample_weight": np.linspace(0, 1, 60)}):
        scaled = Ridge(alpha=3.0, standardize=True).fit(X * scale, y, **extra)
        plain = Ridge(alpha=3.0, standardize=True).fit(X, y, **extra)
        assert_allclose(scaled.coef_ * scale, plain.coef_, rtol=1e-9, atol=1e-13)
        assert plain.coef_[3] == 0
    sd = X.std(axis=0)
    sd[3] = 1.0
    by_hand = Ridge(alpha=3.0).fit((X - X.mean(axis=0)) / sd, y)
    plain = Ridge(alpha=3.0, standardize=True).fit(X, y)
    assert_allclose(plain.coef_ * sd, by_hand.coef_, rtol=1e-9, atol=1e-13)


def test_a_penalty_matrix_smooths():
    """Indicators of 20 bins and second differences: neither X less its means nor P tells all coefficients."""
    rng = np.random.default_rng(0)
    x = rng.uniform(0, 1, 200)
    X = np.eye(20)[np.minimum((20 * x).astype(int), 19)]
    y = 3 * x + 0.3 * rng.normal(size=200)
    D = np.diff(np.eye(20), 2, axis=0)
    for design_ in (X, sparse.csr_matrix(X)):
        model = Ridge(alpha=1e6, penalty_matrix=D.T @ D)
        with pytest.warns(LinAlgWarning, match="rank 19 only"):
            model.fit(design_, y)
        fitted = model.predict(X)
        assert_allclose(np.diff(model.coef_, 2), 0, atol=1e-5)  # close to a straight line
        gradient = X.T @ (y - fitted) - 1e6 * D.T @ (D @ model.coef_)
        assert np.abs(gradient).max() < 1e-7
        assert_allclose(model.df_, 2, atol=1e-2)
        centred = X - X.mean(axis=0)
        inverse = np.linalg.pinv(centred.T @ centred + 1e6 * D.T @ D, rcond=1e-13)
        shifted = model.standard_errors()  # of differences it would be the same for any solution
        assert shifted.shape == (20,)
        sigma = np.sqrt(((y - fitted) ** 2).sum() / (200 - model.df_))
        covariance = inverse @ (centred.T @ centred) @ inverse
        assert_allclose(shifted, sigma * np.sqrt(np.diag(covariance)), rtol=1e-3)


@pytest.mark.parametrize("wide", [False, True])
def test_what_a_fit_in_single_precision_left(monkeypatch, wide):
    monkeypatch.setattr(systems.panels, "simd_level", "any that has as many floats as two doubles")
    rng = np.random.default_rng(50)
    X = rng.normal(size=(200, 7_000) if wide else (7_000, 200))
    y = X[:, 0] + rng.normal(size=len(X))
    model = Ridge(2.0).fit(X, y)
    assert model._fit.system.single
    assert model.solver_ == "cholesky"
    squares = np.linalg.svd(X - X.mean(axis=0), compute_uv=False) ** 2
    expected = 1.0 + (squares / (squares + 2.0)).sum()
    assert_allclose(model.df_, expected, rtol=1e-11)
    assert not model._fit.system.single
    if not wide:
        Z = X - X.mean(axis=0)
        inverse = np.linalg.inv(Z.T @ Z + 2.0 * np.eye(200))
        sigma = np.sqrt(((y - model.predict(X)) ** 2).sum() / (7_000 - expected))
        assert_allclose(model.standard_errors(), sigma * np.sqrt(np.diag(inverse @ Z.T @ Z @ inverse)), rtol=1e-10)
    model = Ridge(2.0).fit(X, y)
    large = Ridge(2.0 * 1e50).fit(1e25 * X, y)  # whose squares are no floats, some of them where no sample looks
    assert not large._fit.system.single
    assert_allclose(1e25 * large.coef_, model.coef_, rtol=0, atol=1e-12 * np.abs(model.coef_).max())
    small = Ridge(2.0 * 1e-48).fit(1e-24 * X, y)  # whose squares vanish
    assert not small._fit.system.single
    assert_allclose(1e-24 * small.coef_, model.coef_, rtol=0, atol=1e-12 * np.abs(model.coef_).max())
    spread = X.copy()
    spread[1, 1] = 1e20
    fit = Ridge(1e39).fit(spread, y)._fit
    assert not fit.system.single
    assert np.isfinite(fit.data.known_size).all()
    assert fit.residuals[0] < 1e-12
    X[3] *= 2.0
    with pytest.raises(ValueError, match="X was changed in place after the fit"):
        _ = model.df_


@pytest.mark.parametrize("kind", ["C", "csr"])
@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize("alpha", [0.5, 0.0])
def test_bounds(data, kind, weighted, alpha):
    X, y = data
    X, dense = design(X, kind)
    s = np.linspace(0.1, 2, 60) if weighted else np.ones(60)
    lower, upper = np.linspace(-2, 0, 15), 0.4
    model = Ridge(alpha, lower_bounds=lower, upper_bounds=upper).fit(X, y, sample_weight=s)
    assert (model.coef_ >= lower).all() and (model.coef_ <= upper).all()
    gradient = dense.T @ (s * (y - model.predict(X))) - alpha * model.coef_
    size = np.abs(dense.T @ (s * y)).max()
    inside = (model.coef_ > lower) & (model.coef_ < upper)
    assert np.abs(gradient[inside]).max() < 1e-6 * size
    assert (gradient[model.coef_ == lower] < 1e-6 * size).all()
    assert (gradient[model.coef_ == upper] > -1e-6 * size).all()
    assert model.residual_ < 1e-6
    assert model.solver_ == "coordinate_descent"
    assert model.n_iter_.shape == (1,)
    with pytest.raises(AttributeError, match="df_ needs a factorization"):
        _ = model.df_
    if alpha > 0:
        positive = Ridge(alpha, positive=True).fit(X, y, sample_weight=s)
        theirs = linear_model.Ridge(alpha, positive=True, tol=1e-12).fit(dense, y, sample_weight=s)
        assert_allclose(positive.coef_, theirs.coef_, atol=1e-5)
        loss = [(s * (y - m.predict(X)) ** 2).sum() + alpha * (m.coef_**2).sum() for m in (positive, theirs)]
        assert loss[0] <= loss[1] * (1 + 1e-9)
        assert positive.dual_gap_ <= 1e-9 * (s * (y - y.mean()) ** 2).sum()


def test_bounds_that_do_not_hold_change_nothing(data):
    X, y = data
    factor = np.linspace(0.5, 2, 15)
    for extra in ({}, {"standardize": True}, {"penalty_factor": factor}, {"fit_intercept": False}):
        bounded = Ridge(0.3, lower_bounds=-100, **extra).fit(X, y, sample_weight=np.linspace(1, 2, 60))
        free = Ridge(0.3, **extra).fit(X, y, sample_weight=np.linspace(1, 2, 60))
        assert_allclose(bounded.coef_, free.coef_, atol=1e-5)
        assert_allclose(bounded.intercept_, free.intercept_, atol=1e-4)


def test_sparse_beyond_a_factorization(monkeypatch):
    X, Y = make()
    X, dense = design(X, "csr")
    expected = Ridge([0.5, 1.0, 2.0]).fit(dense, Y)
    expected_cv = RidgeCV([0.5, 5.0, 0.05], cv=4, penalty_factor=np.linspace(1, 2, 15)).fit(
        dense, Y, np.linspace(0, 1, 60)
    )
    monkeypatch.setattr(systems, "MOST", 10)
    model = Ridge([0.5, 1.0, 2.0]).fit(X, Y)
    assert_allclose(model.coef_, expected.coef_, atol=1e-12)
    assert_allclose(model.intercept_, expected.intercept_, atol=1e-12)
    assert model.solver_ == "sparse_cg"
    assert (model.residual_ < 1e-13).all() and (model.dual_gap_ >= 0).all()
    unpenalised = Ridge(1.0, penalty_factor=np.arange(15.0)).fit(X, Y)
    assert unpenalised.solver_ == "coordinate_descent"
    assert (unpenalised.residual_ < 1e-5).all()
    with pytest.raises(AttributeError, match="standard_errors needs a factorization"):
        model.standard_errors()
    with pytest.raises(ValueError, match="solver='svd' needs"):
        Ridge(solver="svd").fit(X, Y)
    with pytest.raises(ValueError, match="penalty_matrix needs"):
        Ridge(penalty_matrix=np.eye(15)).fit(X, Y)
    with pytest.raises(ValueError, match="cv=5"):
        RidgeCV().fit(X, Y)
    model = RidgeCV([0.5, 5.0, 0.05], cv=4, penalty_factor=np.linspace(1, 2, 15)).fit(X, Y, np.linspace(0, 1, 60))
    assert model.alpha_ == expected_cv.alpha_
    assert_allclose(model.best_score_, expected_cv.best_score_, atol=1e-12)
    assert_allclose(model.coef_, expected_cv.coef_, atol=1e-12)


def test_least_squares_of_a_singular_X_warns_once(data):
    X, y = data
    X = np.column_stack([X, X[:, 0] - X[:, 1], np.ones(60)])
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model = Ridge(alpha=[0.0, 1.0]).fit(X, np.column_stack([y, y]))
    assert [w.category for w in caught] == [LinAlgWarning]
    assert caught[0].filename == __file__
    assert "17 columns" in str(caught[0].message) and "rank 15" in str(caught[0].message)
    expected = np.linalg.lstsq(X - X.mean(axis=0), y - y.mean(), rcond=1e-12)[0]
    assert_allclose(model.coef_[0], expected, atol=1e-10)
    Ridge(alpha=0).fit(X[:, :15], y)  # no warning
    Ridge(alpha=1e-3).fit(X, y)
    with pytest.warns(LinAlgWarning, match="penalise all features"):
        Ridge(alpha=1.0, penalty_factor=np.append(np.zeros(16), 1.0)).fit(X, y)
    wide, _ = make((10, 30))
    with pytest.warns(LinAlgWarning):
        assert_allclose(Ridge(alpha=0).fit(wide, y[:10]).predict(wide), y[:10])


def test_offset(data):
    X, y = data
    offset = np.linspace(-3, 3, 60)
    model = Ridge(alpha=0.2).fit(X, y, offset=offset)
    plain = Ridge(alpha=0.2).fit(X, y - offset)
    assert_array_equal(model.coef_, plain.coef_)
    assert_allclose(model.predict(X, offset=offset), plain.predict(X) + offset)


@pytest.mark.parametrize("kind", ["C", "csc"])
@pytest.mark.parametrize("shape", [(60, 15), (12, 30)])
def test_weights_count_rows(kind, shape):
    X, Y = make(shape)
    X, dense = design(X, kind)
    n, y = shape[0], Y[:, 0]
    counts = np.arange(n) % 3
    model = Ridge(alpha=2.0).fit(X, y, sample_weight=counts)
    rows = np.repeat(np.arange(n), counts)
    again = Ridge(alpha=2.0).fit(CONTAINERS[kind](dense[rows]), y[rows])
    assert_allclose(model.coef_, again.coef_, rtol=1e-10, atol=1e-13)
    assert_allclose(Ridge(2.0).fit(X, y, 4.0).coef_, Ridge(0.5).fit(X, y).coef_, rtol=1e-10, atol=1e-13)
    assert_allclose(Ridge(2.0).fit(X, y, np.full(n, 4.0)).coef_, Ridge(0.5).fit(X, y).coef_, rtol=1e-10, atol=1e-13)
    huge = Ridge(2e60).fit(X, y, np.full(n, 1e60))
    assert_allclose(huge.coef_, Ridge(2.0).fit(X, y).coef_, rtol=1e-9, atol=1e-13)


@pytest.mark.parametrize("model", [Ridge(1.0), RidgeCV(), RidgeCV(cv="gcv"), RidgeCV(cv=3)])
def test_columns_far_from_zero(model):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(90, 6)), rng.normal(size=90)
    near = clone(model).fit(X, y)
    far = X + 1e6
    expected = clone(model).fit(far - 1e6, y)  # the X that was rounded
    for stored in (far, np.asfortranarray(far)):
        fitted = clone(model).fit(stored, y)
        assert_allclose(fitted.coef_, expected.coef_, atol=1e-9)
        assert_allclose(fitted.predict(far), expected.predict(far - 1e6), atol=1e-8)
        if isinstance(model, RidgeCV):
            assert_allclose(fitted.best_score_, expected.best_score_, rtol=1e-8)
    assert_allclose(near.coef_, expected.coef_, atol=1e-6)


# --- labels ----------------------------------------------------------------------------------------------------------


ALPHAS = (0.01, 0.5, 20.0)


def labels(kind, n=60):
    X, Y = make((n, 15))
    codes = np.digitize(Y[:, 0], np.quantile(Y[:, 0], [0.3, 0.7]))
    return X, {
        "two": (codes > 0).astype(int),
        "words": np.array(["no", "yes"])[(codes > 0).astype(int)],
        "three": np.array([5, -1, 3])[codes],
        "several": (Y > Y.mean(axis=0)).astype(int),
    }[kind]


@pytest.mark.parametrize("kind", ["two", "words", "three", "several"])
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("class_weight", [None, "balanced", "dict"])
@pytest.mark.parametrize("storage", ["C", "csr"])
def test_classifiers_are_scikit_learns(kind, fit_intercept, class_weight, storage):
    X, y = labels(kind)
    X, dense = design(X, storage)
    if class_weight is not None and kind == "several":
        pytest.skip("weights of classes are for one label")
    if class_weight == "dict":
        class_weight = {y[0]: 3.0}
    s = np.linspace(0.5, 2, 60)
    for name, extra in (
        ("RidgeClassifier", {"alpha": 2.0}),
        ("RidgeClassifierCV", {"alphas": ALPHAS}),
        ("RidgeClassifierCV", {"alphas": ALPHAS, "cv": 3}),
    ):
        parameters = {**extra, "fit_intercept": fit_intercept, "class_weight": class_weight}
        ours = globals()[name](**parameters).fit(X, y, sample_weight=s)
        theirs = getattr(linear_model, name)(**parameters).fit(dense, y, sample_weight=s)
        assert_array_equal(ours.classes_, theirs.classes_)
        assert ours.coef_.shape == theirs.coef_.shape
        assert np.shape(ours.intercept_) == np.shape(theirs.intercept_)
        assert_allclose(ours.coef_, theirs.coef_, rtol=1e-8, atol=1e-10)
        assert_allclose(ours.decision_function(X), theirs.decision_function(dense), rtol=1e-8, atol=1e-10)
        assert_array_equal(ours.predict(X), theirs.predict(dense))
        assert ours.predict(X).dtype == theirs.predict(dense).dtype
        assert_allclose(ours.score(X, y), theirs.score(dense, y))
        if "CV" in name:
            assert ours.alpha_ == theirs.alpha_
            assert_allclose(ours.best_score_, theirs.best_score_, rtol=1e-9)


@pytest.mark.parametrize("kind", ["two", "words", "three", "several"])
def test_scorers_see_the_labels(kind):
    n = 36
    X, y = labels(kind, n)
    X = X + 3 * np.random.default_rng(0).normal(size=X.shape)  # some labels cannot be told
    scorers = ["accuracy"]
    scorers += ["roc_auc"] if kind in ("two", "words") else []
    scorers += [make_scorer(f1_score, average="macro")] if kind != "words" else []  # takes 1 for the positive label
    for scoring in scorers:
        model = RidgeClassifierCV(ALPHAS, scoring=scoring, store_cv_results=True).fit(X, y)
        assert model.cv_results_.shape == (n, 1 if kind in ("two", "words") else 3, 3)
        scores = []
        for alpha in ALPHAS:
            refits = [RidgeClassifier(alpha).fit(np.delete(X, i, 0), np.delete(y, i, 0)) for i in range(n)]
            decision = np.array([one.decision_function(X[[i]])[0] for i, one in enumerate(refits)])
            if scoring == "roc_auc":
                scores.append(roc_auc_score(y, decision))
                continue
            predicted = np.array([one.predict(X[[i]])[0] for i, one in enumerate(refits)])
            scores.append(
                accuracy_score(y, predicted) if scoring == "accuracy" else f1_score(y, predicted, average="macro")
            )
        assert_allclose(model.best_score_, max(scores))
        assert model.alpha_ == ALPHAS[int(np.argmax(scores))]
        folds = RidgeClassifierCV(ALPHAS, scoring=scoring, cv=3).fit(X, y)
        cv = KFold(3) if kind == "several" else StratifiedKFold(3)
        search = GridSearchCV(RidgeClassifier(), {"alpha": ALPHAS}, scoring=scoring, cv=cv).fit(X, y)
        assert folds.alpha_ == search.best_params_["alpha"]
        assert_allclose(folds.best_score_, search.best_score_)


def test_unusual_labels(data):
    X, y = data
    one = RidgeClassifier().fit(X, np.full(60, "a"))
    assert_array_equal(one.predict(X), np.full(60, "a"))
    with pytest.warns(DataConversionWarning, match="column-vector"):
        assert RidgeClassifier().fit(X, (y > 5)[:, None].astype(int)).predict(X).shape == (60,)
    with pytest.raises(ValueError, match="Unknown label type: continuous"):
        RidgeClassifier().fit(X, y)
    with pytest.raises(ValueError, match="y is None"):
        RidgeClassifier().fit(X, None)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        RidgeClassifierCV().fit(X, (y > 5)[:9])
    bounded = RidgeClassifier(positive=True, standardize=True).fit(X, y > 5)
    assert bounded.coef_.min() >= 0 and bounded.score(X, y > 5) > 0.6
    assert not hasattr(bounded, "_fit")


# --- conduct ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "model",
    [Ridge(), Ridge(alpha=0), Ridge(solver="svd"), Ridge(positive=True), RidgeCV(), RidgeCV(cv=3), RidgeCV(cv="gcv")],
)
@pytest.mark.parametrize("kind", ["C", "F", "csc", "csr"])
@pytest.mark.parametrize("shape", [(60, 15), (12, 30), (2000, 8), (40, 400)])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_nan_and_infinity_are_named(model, kind, shape, value):
    X, Y = make(shape)
    X, dense = design(X, kind)
    i, j = 9, 5
    dense = dense.copy()
    dense[i, j] = value
    with pytest.raises(ValueError, match=f"NaN or infinity, first at row {i}, column {j}: {value}"):
        clone(model).fit(CONTAINERS[kind](dense), Y[:, 0])
    if model.get_params().get("standardize") is False:
        with pytest.raises(ValueError, match=f"first at row {i}, column {j}"):
            clone(model).set_params(standardize=True, fit_intercept=False).fit(CONTAINERS[kind](dense), Y[:, 0])


def test_values_that_overflow(data):
    X, y = data
    for model in (Ridge(), RidgeCV(), RidgeCV(cv="gcv"), RidgeCV(cv=3)):
        for scale in (1e200, 1e300):
            with pytest.raises(ValueError, match="overflow"):
                model.fit(X * scale, y)
    with pytest.raises(ValueError, match="overflow"):
        RidgeCV(cv="gcv").fit(X, 1e100 * y, sample_weight=np.full(60, 1e200))


BAD = [
    ({"alpha": -1}, ValueError, "alpha must be finite and >= 0"),
    ({"alpha": [1.0, np.nan]}, ValueError, "alpha must be finite and >= 0; it holds nan"),
    ({"alpha": "1"}, TypeError, "alpha must be a number"),
    ({"alpha": None}, TypeError, "alpha must be a number"),
    ({"alpha": [1.0, 2.0]}, ValueError, "penalties do not correspond: 2 != 1"),
    ({"alpha": []}, ValueError, "alpha must be a number or have shape"),
    ({"fit_intercept": 1}, TypeError, "fit_intercept"),
    ({"copy_X": None}, TypeError, "copy_X"),
    ({"max_iter": 0}, ValueError, "max_iter"),
    ({"tol": -1.0}, ValueError, "tol"),
    ({"solver": "qr"}, ValueError, "solver must be one of 'auto', 'svd'"),
    ({"solver": "lbfgs"}, ValueError, "only when positive=True"),
    ({"solver": "svd", "positive": True}, ValueError, "does not support positive fitting"),
    ({"positive": "yes"}, TypeError, "positive"),
    ({"random_state": "x"}, TypeError, "random_state"),
    ({"standardize": 0}, TypeError, "standardize"),
    ({"penalty_factor": [1.0]}, ValueError, r"penalty_factor must have shape \(15,\)"),
    ({"penalty_factor": -np.ones(15)}, ValueError, "penalty_factor must not be negative"),
    ({"penalty_matrix": np.eye(3)}, ValueError, r"penalty_matrix must have shape \(15, 15\)"),
    ({"penalty_matrix": np.triu(np.ones((15, 15)))}, ValueError, "must be symmetric"),
    ({"penalty_matrix": -np.eye(15)}, ValueError, "must be positive semidefinite"),
    ({"penalty_matrix": np.full((15, 15), np.nan)}, ValueError, "penalty_matrix contains NaN"),
    ({"penalty_matrix": np.eye(15), "penalty_factor": np.ones(15)}, ValueError, "combined with penalty_factor"),
    ({"penalty_matrix": np.eye(15), "standardize": True}, ValueError, "combined with standardize"),
    ({"penalty_matrix": np.eye(15), "positive": True}, ValueError, "combined with positive"),
    ({"lower_bounds": 0.5}, ValueError, "room for 0"),
    ({"upper_bounds": np.zeros(3)}, ValueError, "upper_bounds"),
    ({"n_jobs": 0}, ValueError, "n_jobs"),
]
BAD_SEARCH = [
    ({"alphas": ()}, ValueError, "alphas is empty"),
    ({"alphas": None}, TypeError, "alphas must be a list"),
    ({"alphas": (1, -1, -100)}, ValueError, r"alphas\[1\] == -1, must be > 0.0"),
    ({"alphas": (0.0, 1.0)}, ValueError, r"alphas\[0\] == 0.0, must be > 0.0. Least squares"),
    ({"alphas": (-1.0, 1.0), "cv": 3}, ValueError, r"alphas\[0\] == -1.0, must be >= 0.0"),
    ({"alphas": (1, np.inf)}, ValueError, r"alphas\[1\] == inf, must be finite"),
    ({"alphas": (1, 1.0, "1")}, TypeError, r"alphas\[2\] must be an instance of float, not str"),
    ({"scoring": 3}, TypeError, "scoring must be None"),
    ({"scoring": "best"}, ValueError, "scoring"),
    ({"alphas": (-1.0, 1.0), "cv": "gcv"}, ValueError, r"alphas\[0\] == -1.0, must be >= 0.0"),
    ({"cv": "three"}, ValueError, "cv must be None, 'gcv', a number of folds, .*; it is 'three'"),
    ({"cv": "gcv", "scoring": "r2"}, ValueError, "scoring must be None with cv='gcv'.* pass cv=None"),
    ({"cv": "gcv", "scoring": 3}, TypeError, "scoring must be None"),
    ({"cv": 1}, ValueError, "n_splits=2 or more"),
    ({"cv": []}, ValueError, "cv yields no split"),
    ({"cv": [(np.arange(60), [])]}, ValueError, "without a test row|without a training or without a test row"),
    ({"store_cv_results": 1}, TypeError, "store_cv_results"),
    ({"store_cv_results": True, "cv": 3}, ValueError, "cv!=None and store_cv_results=True"),
    ({"fit_intercept": None}, TypeError, "fit_intercept"),
    ({"standardize": "a"}, TypeError, "standardize"),
    ({"penalty_factor": np.ones(3)}, ValueError, "penalty_factor must have shape"),
    ({"n_jobs": 1.5}, TypeError, "n_jobs"),
]


@pytest.mark.parametrize(
    ("model", "parameters", "error", "words"),
    [(Ridge, *bad) for bad in BAD]
    + [(RidgeClassifier, *bad) for bad in [*BAD, ({"class_weight": "even"}, ValueError, "class_weight must be None")]]
    + [(RidgeClassifier, {"class_weight": {0: -1.0}}, ValueError, r"class_weight\[0\] must be finite and >= 0")]
    + [(RidgeCV, *bad) for bad in BAD_SEARCH]
    + [
        (RidgeCV, {"gcv_mode": "qr"}, ValueError, "gcv_mode"),
        (RidgeCV, {"alpha_per_target": 1}, TypeError, "alpha_per"),
    ]
    + [(RidgeClassifierCV, *bad) for bad in BAD_SEARCH],
)
def test_parameters_are_checked_in_fit(data, model, parameters, error, words):
    X, y = data
    y = (y > y.mean()).astype(int)
    model = model(**parameters)
    before = set(vars(model))
    with pytest.raises(error, match=words):
        model.fit(X, y)
    assert set(vars(model)) == before


@pytest.mark.parametrize("model", [Ridge(), RidgeCV()])
def test_arguments_are_checked(data, model):
    X, y = data
    for arguments, words in (
        ((X, y[:5]), "disagree on the number of rows"),
        ((X, None), "y is None"),
        ((X, np.full(60, np.nan)), "y contains NaN"),
        ((X, y, np.ones(5)), r"sample_weight must have shape \(60,\)"),
        ((X, y, -np.ones(60)), "sample_weight must not be negative"),
        ((X, y, np.zeros(60)), "all weights are zero"),
        ((X, y, 0.0), "a single weight must be positive"),
        ((X, y, np.ones((60, 1))), "must be 1D array or scalar"),
        ((X[0], y), "Reshape your data"),
    ):
        with pytest.raises(ValueError, match=words):
            clone(model).fit(*arguments)
    fitted = clone(model).fit(X, y)
    with pytest.raises(ValueError, match="X has 14 features"):
        fitted.predict(X[:, 1:])
    for name in ("df_", "standard_errors"):
        with pytest.raises(NotFittedError):
            result = getattr(clone(model), name)
            result()


def test_nothing_is_written(data):
    X, y = data
    X, Y, s = np.asfortranarray(X), np.column_stack([y, y]), np.linspace(0, 1, 60)
    for array in (X, Y, s):
        array.flags.writeable = False
    searches = RidgeCV(), RidgeCV(cv=3), RidgeCV(cv="gcv")
    for model in (Ridge(), Ridge(alpha=0), Ridge(standardize=True), Ridge(positive=True), *searches):
        model.fit(X, Y, sample_weight=s)
        for storage in (sparse.csc_matrix, sparse.csr_matrix):
            lines = storage(X)
            for part in (lines.data, lines.indices, lines.indptr):
                part.flags.writeable = False
            if model.get_params().get("alpha") != 0:
                model.fit(lines, Y, sample_weight=s)


def test_copies_carry_the_coefficients_and_not_the_data(data):
    X, y = data
    for model in (Ridge(0.5).fit(X, y), RidgeCV().fit(X, y), RidgeClassifier().fit(X, y > 5)):
        for again in (pickle.loads(pickle.dumps(model)), copy.deepcopy(model)):
            assert_array_equal(again.predict(X), model.predict(X))
            assert "_fit" not in vars(again)
            if isinstance(model, Ridge):
                assert not hasattr(again, "df_")
                with pytest.raises(AttributeError, match="fit again"):
                    again.standard_errors()
        fresh = clone(model)
        assert not hasattr(fresh, "coef_")
        assert fresh.get_params() == model.get_params()
        assert len(pickle.dumps(model)) < 4000


@pytest.mark.parametrize("failure", [KeyboardInterrupt, MemoryError])
@pytest.mark.parametrize(
    "model", [Ridge(0.5), RidgeCV(), RidgeCV(cv="gcv"), RidgeCV(cv=3), RidgeClassifier(), RidgeClassifierCV(cv=3)]
)
def test_an_interrupted_fit_leaves_no_trace(data, monkeypatch, failure, model):
    X, y = data
    y = (y > 5).astype(int)

    def interrupted(*args, **options):
        raise failure

    fitted = clone(model).fit(X, y)
    state = dict(vars(fitted))
    monkeypatch.setattr(fastreg.models.ridge_fits, "fit_ridge", interrupted)
    fresh = clone(model)
    with pytest.raises(failure):
        fresh.fit(X, y)
    with pytest.raises(NotFittedError):
        fresh.predict(X)
    with pytest.raises(failure):
        fitted.fit(X[:, :3], y)
    assert vars(fitted) == state or all(vars(fitted)[name] is value for name, value in state.items())


def test_column_names(data):
    pd = pytest.importorskip("pandas")
    X, y = data
    frame = pd.DataFrame(X, columns=[f"gene {j}" for j in range(15)])
    for model in (Ridge(), RidgeCV(), RidgeClassifier(), RidgeClassifierCV()):
        target = pd.Series(y > 5) if "Classifier" in type(model).__name__ else pd.Series(y)
        model.fit(frame, target)
        assert list(model.feature_names_in_) == list(frame.columns)
        model.predict(frame)
        with pytest.raises(ValueError, match="feature names should match"):
            model.predict(frame.rename(columns={"gene 3": "gene X"}))
        model.fit(X, target)
        assert not hasattr(model, "feature_names_in_")
    frame.iloc[2, 1] = np.nan
    with pytest.raises(ValueError, match="column 1 .column 'gene 1'."):
        Ridge().fit(frame, y)


# --- rows in pieces --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [{}, {"fit_intercept": False}, {"standardize": True}, {"alpha": [0.1, 5.0]}])
def test_pieces_add_up(options):
    rng = np.random.default_rng(0)
    X, s = rng.normal(size=(90, 7)) + 100, rng.integers(0, 3, 90).astype(float)
    Y = X[:, :2] + rng.normal(size=(90, 2))
    whole, pieces = Ridge(**options).fit(X, Y, sample_weight=s), Ridge(**options).fit(X[:5], Y[:5])
    for part in np.array_split(np.arange(90), 4):
        pieces.partial_fit(X[part], Y[part], sample_weight=s[part])
    assert_allclose(pieces.coef_, whole.coef_, rtol=1e-9, atol=1e-11)
    assert_allclose(pieces.intercept_, whole.intercept_, rtol=1e-9, atol=1e-9)
    assert_allclose(pieces.predict(X), whole.predict(X), rtol=1e-9)
    with pytest.raises(AttributeError, match="fit again"):
        _ = pieces.df_
    assert_allclose(pieces.fit(X[:30], Y[:30]).coef_, Ridge(**options).fit(X[:30], Y[:30]).coef_)
    pieces.partial_fit(X[30:60], Y[30:60])
    assert_allclose(pieces.coef_, Ridge(**options).fit(X[30:60], Y[30:60]).coef_, rtol=1e-8, atol=1e-10)


def test_pieces_that_do_not_fit_are_refused():
    X, y = np.eye(6, 3), np.arange(6.0)
    model = Ridge().partial_fit(X, y)
    before = model.coef_
    for bad, match in (((np.eye(6, 4), y), "features"), ((np.full((6, 3), np.nan), y), "NaN"), ((X, y[:4]), "y")):
        with pytest.raises(ValueError, match=match):
            model.partial_fit(*bad)
    assert model.coef_ is before
    assert not hasattr(Ridge(lower_bounds=-1), "partial_fit")
    assert not hasattr(Ridge(positive=True), "partial_fit")


def test_two_rows_by_rows_know_their_freedom():
    """The only eigenvalue of two centred rows is no larger than the shift that sets the basis apart."""
    X = np.array([[1.0, 2.0, -1.0], [0.5, -1.0, 3.0]])
    model = Ridge(alpha=0.5).fit(X, [1.0, 2.0])
    size = np.sum((X - X.mean(axis=0)) ** 2)
    assert_allclose(model.df_, 1.0 + size / (size + 0.5), rtol=1e-12)
    search = RidgeCV([0.5], store_cv_results=True, scoring="neg_mean_squared_error").fit(X, [1.0, 2.0])
    assert_allclose(search.cv_results_[:, 0], [2.0, 1.0], rtol=1e-12)


@pytest.mark.parametrize("kind", [sparse.csr_matrix, sparse.csc_matrix, np.asarray])
@pytest.mark.parametrize("shape", [(8, 20), (20, 8)])
def test_far_and_constant_columns_cost_no_digits(kind, shape):
    """In a sparse X too, full columns far from zero, constant ones among them, cost no digits."""
    rng = np.random.default_rng(0)
    Z = np.round(rng.standard_normal(shape) * 1024) / 1024
    shift = np.where(np.arange(shape[1]) % 3, 0.0, 2.0**20)
    Z[:, 3] = 0.0
    y = rng.standard_normal(shape[0])
    expected = Ridge(alpha=0.01).fit(Z, y)
    model = Ridge(alpha=0.01).fit(kind(Z + shift), y)
    assert_allclose(model.coef_, expected.coef_, rtol=1e-9, atol=1e-11)
    assert_allclose(model.intercept_, expected.intercept_ - shift @ expected.coef_, rtol=1e-9)
    for cv in (None, "gcv"):
        errors = [RidgeCV([0.01], cv=cv, store_cv_results=True).fit(A, y).cv_results_ for A in (kind(Z + shift), Z)]
        assert_allclose(errors[0], errors[1], rtol=1e-7)
