"""RidgeCV: leave-one-out, generalized cross-validation and folds against refits and matrices written down."""

import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from scipy.linalg import hadamard
from sklearn import config_context, linear_model
from sklearn.base import clone
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.model_selection import GridSearchCV, GroupKFold, KFold, LeaveOneOut, RepeatedKFold, ShuffleSplit

from fastreg import Ridge, RidgeClassifierCV, RidgeCV
from fastreg.solve import systems

ALPHAS = (0.01, 0.5, 20.0)


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


# --- leave-one-out ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(30, 6), (12, 30)])
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize("kind", ["C", "F", "csr"])
@pytest.mark.parametrize("extra", [{}, {"gcv_mode": "svd"}, {"scoring": "neg_mean_absolute_error"}])
def test_leave_one_out_is_scikit_learns_and_exact(shape, fit_intercept, weighted, kind, extra):
    X, Y = make(shape)
    X, dense = design(X, kind)
    s = np.linspace(0.5, 3, len(Y)) if weighted else None
    model = RidgeCV(ALPHAS, fit_intercept=fit_intercept, store_cv_results=True, **extra)
    theirs = linear_model.RidgeCV(ALPHAS, fit_intercept=fit_intercept, store_cv_results=True, **extra)
    for y in (Y, Y[:, 0]):
        model.fit(X, y, sample_weight=s)
        theirs.fit(dense, y, sample_weight=s)
        assert_allclose(model.cv_results_, theirs.cv_results_, rtol=1e-7, atol=1e-9)
        assert_allclose(model.best_score_, theirs.best_score_, rtol=1e-9)
        assert model.alpha_ == theirs.alpha_
        assert_allclose(model.coef_, theirs.coef_, rtol=1e-7, atol=1e-9)
        assert_allclose(model.intercept_, theirs.intercept_, rtol=1e-7, atol=1e-9)
    assert model.cv_results_.shape == (len(Y), 3)
    left = np.empty((len(y), 3))
    for i in range(len(y)):
        others = np.delete(np.arange(len(y)), i)
        for j, alpha in enumerate(ALPHAS):
            refit = Ridge(alpha, fit_intercept=fit_intercept)
            refit.fit(dense[others], y[others], sample_weight=None if s is None else s[others])
            left[i, j] = refit.predict(dense[[i]])[0]
    if "scoring" in extra:
        assert_allclose(model.cv_results_, left, rtol=1e-10, atol=1e-10)
    else:
        squares = (y[:, None] - left) ** 2 * (1.0 if s is None else s[:, None])
        assert_allclose(model.cv_results_, squares, rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("shape", [(30, 6), (12, 30)])
def test_leave_one_out_of_absent_and_of_doubled_rows(shape):
    X, Y = make(shape)
    y, s = Y[:, 0], np.linspace(1, 2, len(Y))
    s[::4] = 0
    model = RidgeCV(ALPHAS, store_cv_results=True, scoring="r2").fit(X, y, sample_weight=s)
    part = RidgeCV(ALPHAS, store_cv_results=True, scoring="r2").fit(X[s > 0], y[s > 0], sample_weight=s[s > 0])
    assert_allclose(model.cv_results_[s > 0], part.cv_results_, rtol=1e-10)
    assert_allclose(model.best_score_, part.best_score_)
    every = np.array([Ridge(alpha).fit(X, y, sample_weight=s).predict(X[s == 0]) for alpha in ALPHAS])
    assert_allclose(model.cv_results_[s == 0].T, every, rtol=1e-9)


@pytest.mark.parametrize("extra", [{"standardize": True}, {"penalty_factor": "mixed"}])
@pytest.mark.parametrize("shape", [(30, 6), (12, 30)])
def test_leave_one_out_with_other_penalties(shape, extra):
    X, Y = make(shape)
    y, n = Y[:, 0], shape[0]
    if "penalty_factor" in extra:
        extra = {"penalty_factor": np.where(np.arange(shape[1]) == 1, 0.0, np.linspace(1, 3, shape[1]))}
        extra["penalty_factor"][0] = np.inf
        factor = extra["penalty_factor"]
    else:
        factor = X.var(axis=0)  # of all rows, also where one is left out: the penalty is part of the problem
    model = RidgeCV(ALPHAS, scoring="r2", store_cv_results=True, **extra).fit(X, y)
    for j, alpha in enumerate(ALPHAS):
        refits = [Ridge(alpha, penalty_factor=factor).fit(np.delete(X, i, 0), np.delete(y, i)) for i in range(n)]
        assert_allclose(model.cv_results_[:, j], [m.predict(X[[i]])[0] for i, m in enumerate(refits)], rtol=1e-9)
    assert_allclose(model.coef_, Ridge(model.alpha_, **extra).fit(X, y).coef_, rtol=1e-10, atol=1e-12)


def test_an_alpha_for_each_target():
    X, Y = make()
    Y = np.column_stack([Y[:, 0], 0.01 * Y[:, 1] + np.random.default_rng(0).normal(size=60)])
    alphas = np.logspace(-2, 4, 25)  # more than are factorized one by one
    for scoring in (None, "r2"):
        model = RidgeCV(alphas, alpha_per_target=True, scoring=scoring, store_cv_results=True).fit(X, Y)
        alone = [RidgeCV(alphas, scoring=scoring).fit(X, y) for y in Y.T]
        assert_array_equal(model.alpha_, [one.alpha_ for one in alone])
        assert model.alpha_[0] != model.alpha_[1]
        assert_allclose(model.best_score_, [one.best_score_ for one in alone])
        assert_allclose(model.coef_, [one.coef_ for one in alone], rtol=1e-8, atol=1e-12)
        assert model.cv_results_.shape == (60, 2, 25)
    assert isinstance(RidgeCV(alphas, alpha_per_target=True).fit(X, Y[:, 0]).alpha_, float)
    with pytest.raises(ValueError, match="cv!=None and alpha_per_target=True are incompatible"):
        RidgeCV(alpha_per_target=True, cv=3).fit(X, Y)


def test_a_row_that_cannot_be_left_out(data):
    X, y = data
    X = np.column_stack([X, np.zeros(60)])
    X[7, -1] = 1.0
    factor = np.append(np.ones(15), 0.0)
    with pytest.raises(ValueError, match="row 7 cannot be left out"):
        RidgeCV(penalty_factor=factor).fit(X, y)
    RidgeCV(penalty_factor=factor, cv=5).fit(X, y)
    RidgeCV().fit(X, y)
    with pytest.raises(ValueError, match="n_samples=1"):
        RidgeCV().fit(X, y, sample_weight=np.eye(60)[0])


def test_leave_one_out_close_to_saturation():
    """Leverages within rounding of one: their squares alone would lose all digits of the errors."""
    X, Y = make((20, 18))
    y = Y[:, 0]
    model = RidgeCV([1e-9, 1e-7], scoring="r2", store_cv_results=True).fit(X, y)
    for j, alpha in enumerate((1e-9, 1e-7)):
        left = [Ridge(alpha).fit(np.delete(X, i, 0), np.delete(y, i)).predict(X[[i]])[0] for i in range(20)]
        assert_allclose(model.cv_results_[:, j], left, rtol=1e-6)


def test_left_out_errors_of_a_badly_scaled_matrix():
    """Nothing refines left-out errors: where a Gram matrix tells half of their digits X itself is decomposed."""
    rng = np.random.default_rng(0)
    turn = np.linalg.qr(rng.standard_normal((3, 3)))[0]
    X, y = rng.standard_normal((12, 3)) * [1e5, 1.0, 1.0] @ turn, rng.standard_normal(12)
    model = RidgeCV([1e-8], store_cv_results=True, scoring="neg_mean_squared_error").fit(X, y)
    for i in range(12):
        rest = np.arange(12) != i
        mean, level = X[rest].mean(axis=0), y[rest].mean()
        rows = np.vstack([X[rest] - mean, 1e-4 * np.eye(3)])
        coef = np.linalg.lstsq(rows, np.append(y[rest] - level, np.zeros(3)), rcond=None)[0]
        one = level + (X[i] - mean) @ coef
        assert_allclose(model.cv_results_[i], one, rtol=1e-7)


# --- generalized cross-validation ------------------------------------------------------------------------------------


def hat_matrix(X, s, alpha, fit_intercept=True, factor=None):
    """The (n, n) matrix that maps the responses, times the roots of their weights, to their fit times these roots.

    That of least squares with sqrt(alpha v_j) w_j for rows more, by an orthogonal basis of its columns.
    """
    n, p = X.shape
    factor = np.ones(p) if factor is None else factor
    kept = np.isfinite(factor)
    rows = np.sqrt(s)[:, None] * np.column_stack([np.ones((n, int(fit_intercept))), X[:, kept]])
    penalty = np.diag(np.sqrt(alpha * factor[kept]))
    more = np.column_stack([np.zeros((len(penalty), int(fit_intercept))), penalty])
    Q = np.linalg.qr(np.vstack([rows, more]))[0][:n]
    return Q @ Q.T


def criterion(X, Y, alphas, s=None, fit_intercept=True, factor=None):
    """(k, L) criteria of generalized cross-validation, from each hat matrix."""
    s, X = np.ones(len(X)) if s is None else s, X.astype(float)
    values = []
    for alpha in alphas:
        H = hat_matrix(X, s, alpha, fit_intercept, factor)
        r = np.sqrt(s)[:, None] * Y.reshape(len(Y), -1)
        r = r - H @ r
        values.append((r**2).sum(axis=0) / s.sum() / (1 - np.trace(H) / np.count_nonzero(s)) ** 2)
    return np.array(values).T


@pytest.mark.parametrize("shape", [(30, 6), (12, 30)])
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize("kind", ["C", "F", "csc", "csr", "float32"])
@pytest.mark.parametrize("extra", [{}, {"gcv_mode": "svd"}, {"standardize": True}, {"penalty_factor": "mixed"}])
def test_generalized_cross_validation_is_that_of_the_hat_matrix(shape, fit_intercept, weighted, kind, extra):
    X, Y = make(shape)
    (n, p), Y = shape, Y * [1.0, 0.2, 5.0]
    X, dense = (X.astype(np.float32),) * 2 if kind == "float32" else design(X, kind)
    s = np.linspace(0.5, 3, n) * (np.arange(n) % 5 > 0) if weighted else None
    factor = None
    if "penalty_factor" in extra:
        factor = np.linspace(1, 3, p)
        factor[2], factor[4] = 0, np.inf
        extra = {"penalty_factor": factor}
    if "standardize" in extra:
        Z = dense.astype(float)
        factor = np.average((Z - np.average(Z, axis=0, weights=s)) ** 2, axis=0, weights=s)
        factor[factor == 0] = np.inf
    expected = criterion(dense, Y, ALPHAS, s, fit_intercept, factor)
    model = RidgeCV(ALPHAS, cv="gcv", fit_intercept=fit_intercept, store_cv_results=True, **extra)
    refit = Ridge(fit_intercept=fit_intercept, **{name: extra[name] for name in extra if name != "gcv_mode"})
    for k, options in (([0, 1, 2], {"alpha_per_target": True}), ([0, 1, 2], {}), (0, {})):
        model.set_params(**{"alpha_per_target": False, **options}).fit(X, Y[:, k], sample_weight=s)
        assert_allclose(model.cv_results_, expected[k], rtol=1e-8)
        curve = expected[k] if options else np.atleast_2d(expected[k]).mean(axis=0)
        best = curve.argmin(axis=-1)
        assert_array_equal(model.alpha_, np.array(ALPHAS)[best])
        assert np.shape(model.alpha_) == np.shape(model.best_score_) == ((3,) if options else ())
        assert_allclose(model.best_score_, -curve.min(axis=-1), rtol=1e-8)
        refit.set_params(alpha=model.alpha_).fit(X, Y[:, k], sample_weight=s)
        assert_allclose(model.coef_, refit.coef_, rtol=2e-6 if kind == "float32" else 1e-9, atol=1e-11)
        assert_allclose(model.df_, refit.df_, rtol=1e-9)


def test_generalized_cross_validation_takes_one_factorization(monkeypatch):
    calls = []
    for name in ("eigh", "svd", "cho_factor"):
        original = getattr(systems, name)

        def counted(matrix, *args, original=original, name=name, **options):
            calls.append((name, matrix.shape))
            return original(matrix, *args, **options)

        monkeypatch.setattr(systems, name, counted)
    for shape in ((60, 15), (15, 60)):
        X, Y = make(shape)
        calls.clear()
        RidgeCV(np.logspace(-3, 3, 40), cv="gcv", alpha_per_target=True).fit(X, Y)
        assert [call for call in calls if call[1] == (15, 15)] == [("eigh", (15, 15))]


@pytest.mark.parametrize("shape", [(30, 6), (12, 30)])
def test_what_a_weight_is_to_generalized_cross_validation(shape):
    X, Y = make(shape)
    n, y = shape[0], Y[:, 0]
    s = (np.arange(n) % 3).astype(float)
    model = RidgeCV(ALPHAS, cv="gcv", store_cv_results=True)
    weighted = clone(model).fit(X, y, sample_weight=s).cv_results_
    part = clone(model).fit(X[s > 0], y[s > 0], sample_weight=s[s > 0]).cv_results_
    assert_allclose(weighted, part, rtol=1e-10)  # weights of zero: rows that are not there
    scaled = clone(model).set_params(alphas=7.0 * np.array(ALPHAS)).fit(X, y, sample_weight=7.0 * s).cv_results_
    assert_allclose(weighted, scaled, rtol=1e-10)
    rows = np.repeat(np.arange(n), s.astype(int))
    repeated = clone(model).fit(X[rows], y[rows]).cv_results_
    df = np.array([Ridge(alpha).fit(X, y, sample_weight=s).df_ for alpha in ALPHAS])
    count, longer = np.count_nonzero(s), len(rows)
    assert_allclose(repeated * (1 - df / longer) ** 2, weighted * (1 - df / count) ** 2, rtol=1e-7)
    assert (repeated < 0.99 * weighted).all()


def test_rows_of_equal_leverage_make_generalized_cross_validation_leave_one_out():
    X = hadamard(16)[:, 1:7].astype(float)
    Y = X[:, :3] + np.random.default_rng(0).normal(size=(16, 3))
    left_out, generalized = (RidgeCV(ALPHAS, cv=cv, store_cv_results=True).fit(X, Y) for cv in (None, "gcv"))
    assert_allclose(generalized.cv_results_, left_out.cv_results_.mean(axis=0), rtol=1e-12)
    assert_allclose(generalized.best_score_, left_out.best_score_, rtol=1e-12)


def test_generalized_cross_validation_of_least_squares():
    X, Y = make((30, 6))
    y = Y[:, 0]
    model = RidgeCV([0.0, 1e5], cv="gcv").fit(X, y)
    left = np.linalg.lstsq(np.column_stack([np.ones(30), X]), y)[1][0]
    assert model.alpha_ == 0.0
    assert_allclose(model.best_score_, -(left / 30) / (1 - 7 / 30) ** 2, rtol=1e-12)
    constant = RidgeCV(cv="gcv", standardize=True).fit(np.full((30, 2), 0.1), y)
    assert_allclose(constant.best_score_, -y.var() / (1 - 1 / 30) ** 2, rtol=1e-12)


def test_generalized_cross_validation_needs_degrees_of_freedom(data, monkeypatch):
    X, y = data
    for rows in (slice(0, 15), slice(0, 16)):
        with pytest.raises(ValueError, match=r"alphas\[1\] == 0 leaves no degrees of freedom for the errors of the 1"):
            RidgeCV([1.0, 0.0], cv="gcv").fit(X[rows], y[rows])
    free = np.append(np.zeros(3), np.ones(12))
    for sample_weight, columns in ((np.arange(60) < 4, 15), (np.arange(60) < 4, 4)):
        with pytest.raises(ValueError, match=r"alphas\[0\] == 0.1 leaves no .* of the 4 rows .* penalise all"):
            model = RidgeCV(cv="gcv", penalty_factor=free[:columns])
            model.fit(X[:, :columns], y, sample_weight=sample_weight.astype(float))
    with pytest.raises(ValueError, match=r"cv='gcv'\) needs two rows .* n_samples=1"):
        RidgeCV(cv="gcv").fit(X, y, sample_weight=np.eye(60)[0])
    monkeypatch.setattr(systems, "MOST", 10)
    with pytest.raises(ValueError, match=r"too many .* \(cv='gcv'\) needs. Pass cv=5"):
        RidgeCV(cv="gcv").fit(sparse.csr_array(X), y)


def test_generalized_cross_validation_of_labels():
    X, Y = make()
    codes = np.digitize(Y[:, 0], np.quantile(Y[:, 0], [0.3, 0.7]))
    s = np.linspace(0.5, 2, 60)
    for y, columns in ((codes, 3), (codes > 0, 1), ((Y > Y.mean(axis=0)).astype(int), 3)):
        model = RidgeClassifierCV(ALPHAS, cv="gcv", store_cv_results=True).fit(X, y, sample_weight=s)
        coded = np.where(y[:, None] == np.arange(3), 1.0, -1.0) if y is codes else 2.0 * y.reshape(60, -1) - 1.0
        expected = criterion(X, coded, ALPHAS, s)
        assert model.cv_results_.shape == (columns, 3)
        assert_allclose(model.cv_results_, expected, rtol=1e-9)
        assert model.alpha_ == ALPHAS[expected.mean(axis=0).argmin()]
        assert_allclose(model.best_score_, -expected.mean(axis=0).min(), rtol=1e-9)


# --- folds -----------------------------------------------------------------------------------------------------------


SPLITS = {
    "5": 5,
    "shuffled": KFold(4, shuffle=True, random_state=0),
    "repeated": RepeatedKFold(n_splits=3, n_repeats=2, random_state=0),
    "sampled": ShuffleSplit(3, test_size=0.3, train_size=0.5, random_state=0),
    "small": ShuffleSplit(3, test_size=0.8, random_state=0),
    "given": [(np.arange(30), np.arange(30, 60)), (np.arange(30, 60) - 60, np.arange(60) < 30)],
}


@pytest.mark.parametrize("cv", SPLITS)
@pytest.mark.parametrize(("kind", "weighted"), [("C", True), ("F", False), ("csr", True)])
@pytest.mark.parametrize(
    "extra", [{}, {"standardize": True}, {"fit_intercept": False}, {"scoring": "neg_median_absolute_error"}]
)
def test_folds_are_those_of_a_grid_search(cv, kind, weighted, extra):
    X, Y = make()
    X, _ = design(X, kind)
    y = Y[:, 0] if "scoring" in extra else Y
    s = np.linspace(0, 2, 60) if weighted else None
    alphas, cv = [0.01, 3.0, 200.0, 3.0], SPLITS[cv]
    scoring, extra = extra.get("scoring"), {name: value for name, value in extra.items() if name != "scoring"}
    model = RidgeCV(alphas, cv=cv, scoring=scoring, **extra).fit(X, y, sample_weight=s)
    search = GridSearchCV(Ridge(**extra), {"alpha": alphas}, cv=cv, scoring=scoring).fit(X, y, sample_weight=s)
    assert model.alpha_ == search.best_params_["alpha"]
    assert_allclose(model.best_score_, search.best_score_, rtol=1e-10)
    assert_allclose(model.coef_, search.best_estimator_.coef_, rtol=1e-10, atol=1e-12)
    assert not hasattr(model, "cv_results_")


@pytest.mark.parametrize("shape", [(60, 15), (20, 40)])
@pytest.mark.parametrize("kind", ["C", "csc"])
def test_folds_agree_with_scikit_learns_own(shape, kind):
    X, Y = make(shape)
    X, dense = design(X, kind)
    for cv, extra in ((3, {}), (KFold(4), {"scoring": "neg_mean_squared_error"}), (3, {"fit_intercept": False})):
        for y in (Y, Y[:, 0]):
            model = RidgeCV(ALPHAS, cv=cv, **extra).fit(X, y)
            theirs = linear_model.RidgeCV(ALPHAS, cv=cv, **extra).fit(dense, y)
            assert model.alpha_ == theirs.alpha_
            assert_allclose(model.best_score_, theirs.best_score_, rtol=1e-8)
            assert_allclose(model.coef_, theirs.coef_, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("case", ["outlier", "rare", "copied", "zero"])
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_folds_whose_sums_lose_digits(case, fit_intercept):
    X, Y = make()
    X[:, 2] -= X[:, 2].mean()
    alphas = [1e-4, 1.0, 0.0]
    if case == "outlier":
        X[17, 2] = 1e9
    if case == "rare":
        X[:, 2] = 0.0
        X[[16, 17], 2] = 1e3, 2e3
    if case == "copied":
        X[:, 2], alphas = X[:, 1], [1e-13, 1.0]
    if case == "zero":
        X[:, 2], alphas = 0.0, [1.0]
    for extra in ({}, {"standardize": True}):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model = RidgeCV(alphas, cv=5, fit_intercept=fit_intercept, **extra).fit(X, Y)
            search = GridSearchCV(Ridge(fit_intercept=fit_intercept, **extra), {"alpha": alphas}, cv=5).fit(X, Y)
        assert model.alpha_ == search.best_params_["alpha"]
        assert_allclose(model.best_score_, search.best_score_, rtol=1e-6)


def test_many_alphas_in_folds():
    X, Y = make()
    alphas = np.logspace(-4, 4, 30)
    model = RidgeCV(alphas, cv=5).fit(X, Y)
    search = GridSearchCV(Ridge(), {"alpha": alphas}, cv=5).fit(X, Y)
    assert model.alpha_ == search.best_params_["alpha"]
    assert_allclose(model.best_score_, search.best_score_, rtol=1e-10)


def test_scorers_that_take_no_weights(data):
    X, y = data
    s = np.linspace(1, 2, 60)
    for cv in (None, 4):
        with pytest.warns(UserWarning, match="takes no sample_weight") as caught:
            model = RidgeCV(cv=cv, scoring="neg_max_error").fit(X, y, sample_weight=s)
        assert len(caught) == 1 and caught[0].filename == __file__
    with pytest.warns(UserWarning, match="does not support sample_weight"):
        search = GridSearchCV(Ridge(), {"alpha": [0.1, 1.0, 10.0]}, cv=4, scoring="neg_max_error")
        search.fit(X, y, sample_weight=s)
    assert_allclose(model.best_score_, search.best_score_)


def test_groups(data):
    X, y = data
    groups = np.arange(60) // 5
    model = RidgeCV(cv=GroupKFold(4)).fit(X, y, groups=groups)
    search = GridSearchCV(Ridge(), {"alpha": [0.1, 1.0, 10.0]}, cv=GroupKFold(4)).fit(X, y, groups=groups)
    assert_allclose(model.best_score_, search.best_score_)
    with config_context(enable_metadata_routing=True):
        routed = RidgeCV(cv=GroupKFold(4)).set_fit_request(groups=True, sample_weight=True)
        assert routed.get_metadata_routing().fit.requests == {"groups": True, "sample_weight": True}


def test_folds_of_one_row_have_no_r2(data):
    X, y = data
    with pytest.warns(UndefinedMetricWarning, match="the first, 5, was taken") as caught:
        model = RidgeCV([5.0, 0.1], cv=LeaveOneOut()).fit(X, y)
    assert len(caught) == 1 and caught[0].filename == __file__
    assert model.alpha_ == 5.0
    by_mse = RidgeCV([5.0, 0.1], cv=LeaveOneOut(), scoring="neg_mean_squared_error").fit(X, y)
    assert_allclose(by_mse.best_score_, RidgeCV([5.0, 0.1]).fit(X, y).best_score_)
