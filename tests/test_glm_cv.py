"""PoissonRegressorCV and HuberElasticNetCV: every fold is a path of its own, judged by hand."""

import pickle
import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn import config_context
from sklearn.base import clone
from sklearn.exceptions import DataConversionWarning, NotFittedError
from sklearn.metrics import mean_absolute_error, mean_poisson_deviance, mean_squared_error
from sklearn.model_selection import GroupKFold, KFold, LeaveOneOut, RepeatedKFold, ShuffleSplit
from sklearn.utils.estimator_checks import parametrize_with_checks

from fastreg import (
    ElasticNetCV,
    HuberElasticNet,
    HuberElasticNetCV,
    LassoCV,
    PoissonRegressor,
    PoissonRegressorCV,
    Problem,
    cross_validate_paths,
    fit_path,
    fit_paths,
)

KINDS = {"poisson": PoissonRegressorCV, "huber": HuberElasticNetCV}
STORAGES = {"C": np.ascontiguousarray, "F": np.asfortranarray, "csc": sparse.csc_matrix, "csr": sparse.csr_array}


@parametrize_with_checks([
    PoissonRegressorCV(alphas=8),
    PoissonRegressorCV(l1_ratio=[0.0, 0.5], alphas=[1.0, 0.1], selection_rule="1se", scoring="mae"),
    HuberElasticNetCV(alphas=8),
    HuberElasticNetCV(delta=0.5, l1_ratio=[0.3, 1.0], alphas=5, standardize=True),
])  # fmt: skip
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
def test_scikit_learns_checks(estimator, check):
    check(estimator)


def data(seed=0, n=70, p=9):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p)) * rng.uniform(0.5, 2, p) + 0.5 * rng.normal(size=p)
    X[rng.random((n, p)) < 0.3] = 0.0
    z = 0.5 * X[:, 0] - 0.6 * X[:, 1] + 0.3
    weights = rng.uniform(0.1, 2, n)
    weights[4] = 0.0
    offset = rng.uniform(-1, 1, n)
    counts, heavy = rng.poisson(np.exp(z + offset)), z + offset + 0.4 * rng.standard_t(1.5, n)
    return X, {"poisson": counts, "huber": heavy}, weights, offset


def errors_of(loss, scoring, y, z, s, delta):
    """(L,) held-out errors from linear predictors (m, L), one alpha after the other."""
    found = []
    for column in z.T:
        prediction = np.exp(column) if loss == "poisson" else column
        if scoring == "mse":
            found.append(mean_squared_error(y, prediction, sample_weight=s))
        elif scoring == "mae":
            found.append(mean_absolute_error(y, prediction, sample_weight=s))
        elif loss == "poisson":
            found.append(mean_poisson_deviance(y, prediction, sample_weight=s))
        else:
            r = np.abs(y - column)
            loss_of_rows = np.where(r <= delta, r**2 / 2, delta * (r - delta / 2))
            found.append((1 if scoring is None else 2) * np.average(loss_of_rows, weights=s))
    return np.array(found)


def by_hand(loss, X, y, splits, alphas, weights=None, offset=None, scoring=None, delta=1.35, alone=False, **options):
    """(R, L, K) errors of held-out rows for R values of `l1_ratio`, by one batch, or each fold `alone` on its rows."""
    alphas, ratios = np.atleast_2d(alphas), np.atleast_1d(options.pop("l1_ratio", 0.5))
    base, level = np.ones(len(y)) if weights is None else weights, np.zeros(len(y)) if offset is None else offset
    options = {"loss": loss, "delta": delta, **options}
    grids = [{"l1_ratio": ratio, "alphas": alphas[r % len(alphas)]} for r, ratio in enumerate(ratios)]
    if alone:
        paths = [
            fit_path(X[train], y[train], sample_weight=base[train], offset=level[train], **grid, **options)
            for train, _ in splits
            for grid in grids
        ]
    else:
        absent = [None if weights is None else base]
        absent += [np.where(np.isin(np.arange(len(y)), train), base, 0.0) for train, _ in splits]
        problems = [Problem(y, sample_weight=s, offset=offset, **grid, **options) for s in absent for grid in grids]
        paths = fit_paths(X, problems)[len(grids) :]
    errors = np.empty((len(grids), alphas.shape[1], len(splits)))
    for at, path in enumerate(paths):
        k, r = divmod(at, len(grids))
        test = splits[k][1]
        z = path.decision_function(X[test], offset=level[test])
        errors[r, :, k] = errors_of(loss, scoring, y[test], z, base[test], delta)
    return errors


def given(loss, **options):
    """Options of a model, with a delta that many residuals are beyond."""
    return {**options, **({"delta": 0.5} if loss == "huber" else {})}


@pytest.mark.parametrize("loss", KINDS)
@pytest.mark.parametrize(
    "splitter",
    [KFold(5), RepeatedKFold(n_splits=3, n_repeats=2, random_state=0), ShuffleSplit(3, random_state=1), GroupKFold(3)],
    ids=lambda s: type(s).__name__,
)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("shape", [(70, 9), (40, 60)])
def test_every_fold_is_a_fit_of_its_own(loss, splitter, weighted, shape):
    X, targets, weights, offset = data(n=shape[0], p=shape[1])
    y, modifiers = targets[loss], {"sample_weight": weights, "offset": offset} if weighted else {}
    more = {"groups": np.arange(len(y)) % 7} if isinstance(splitter, GroupKFold) else {}
    ratios, options = [0.4, 1.0], given(loss, standardize=True, tol=1e-14)
    model = KINDS[loss](l1_ratio=ratios, cv=splitter, alphas=10, eps=0.03, **options).fit(X, y, **modifiers, **more)
    splits = list(splitter.split(X, y, **more))
    assert model.mse_path_.shape == model.cv_results_["relative_gaps"].shape == (2, 10, len(splits))
    assert model.alphas_.shape == (2, 10)
    arrays = (weights, offset) if weighted else ()
    errors = by_hand(loss, X, y, splits, model.alphas_, *arrays, l1_ratio=ratios, **options)
    assert_allclose(model.mse_path_, errors, rtol=1e-10)
    alone = by_hand(loss, X, y, splits, model.alphas_, *arrays, alone=True, l1_ratio=ratios, **options)
    assert_allclose(model.mse_path_, alone, rtol=1e-6)
    means = errors.mean(axis=2)
    for r, ratio in enumerate(ratios):
        whole = fit_path(X, y, loss=loss, l1_ratio=ratio, alphas=10, eps=0.03, **options, **modifiers)
        assert_allclose(model.alphas_[r], whole.alphas, rtol=1e-12)
        assert_array_equal(model.cv_results_["n_features"][r], whole.n_nonzero)
    r, i = np.unravel_index(np.argmin(means), (2, 10))
    assert (model.l1_ratio_, model.alpha_) == (ratios[r], model.alphas_[r, i])
    assert_allclose(model.cv_results_["mean_error"], means, rtol=1e-10)
    assert model.cv_results_["relative_gaps"].max() <= 1e-13
    final = fit_path(X, y, loss=loss, l1_ratio=ratios[r], alphas=model.alphas_[r], **options, **modifiers)
    assert_allclose(model.coef_, final.coef_at(model.alpha_)[0], atol=1e-8)
    assert_allclose(model.intercept_, final.coef_at(model.alpha_)[1], atol=1e-8)
    assert_allclose(model.path_.coefs.toarray(), final.coefs.toarray(), atol=1e-8)
    assert model.dual_gap_ <= 1e-13 * final.null_objective
    assert (model.path_.loss, model.n_features_in_) == (loss, shape[1])


@pytest.mark.parametrize("loss", KINDS)
@pytest.mark.parametrize("scoring", ["deviance", "mse", "mae"])
def test_scoring_by_name(loss, scoring):
    X, targets, weights, offset = data(1)
    y, options = targets[loss], given(loss, tol=1e-14)
    model = KINDS[loss](scoring=scoring, alphas=8, eps=0.03, **options)
    model.fit(X, y, sample_weight=weights, offset=offset)
    splits = list(KFold(5).split(X))
    errors = by_hand(loss, X, y, splits, model.alphas_, weights, offset, scoring, l1_ratio=0.5, **options)
    assert_allclose(model.mse_path_, errors[0], rtol=1e-10)
    assert model.alpha_ == model.alphas_[errors[0].mean(axis=1).argmin()]


@pytest.mark.parametrize("loss", KINDS)
def test_scorers_see_responses(loss):
    X, targets, weights, offset = data(2)
    y, options = targets[loss], given(loss, alphas=8)
    for name, scorer in (("mse", "neg_mean_squared_error"), ("mae", "neg_mean_absolute_error")):
        ours = KINDS[loss](scoring=name, **options).fit(X, y, sample_weight=weights, offset=offset)
        theirs = KINDS[loss](scoring=scorer, **options).fit(X, y, sample_weight=weights, offset=offset)
        assert_allclose(ours.mse_path_, theirs.mse_path_, rtol=1e-12)
        assert ours.alpha_ == theirs.alpha_
    seen = []

    def largest(model, rows, y):
        seen.append(model.predict(rows))
        return -float(np.abs(y - seen[-1]).max())

    KINDS[loss](scoring=largest, **options).fit(X, y)
    assert len(seen) == 8 * 5
    assert (min(prediction.min() for prediction in seen) > 0) == (loss == "poisson")
    if loss == "poisson":
        ours = PoissonRegressorCV(alphas=8).fit(X, y, sample_weight=weights)
        theirs = PoissonRegressorCV(alphas=8, scoring="neg_mean_poisson_deviance").fit(X, y, sample_weight=weights)
        assert_allclose(ours.mse_path_, theirs.mse_path_, rtol=1e-10)


def test_rates_with_exposures_are_counts_with_offsets():
    X, targets, weights, _ = data(3)
    exposure = weights + 0.1
    rates = PoissonRegressorCV(alphas=8, tol=1e-14).fit(X, targets["poisson"] / exposure, sample_weight=exposure)
    counts = PoissonRegressorCV(alphas=exposure.mean() * rates.alphas_, tol=1e-14)
    counts.fit(X, targets["poisson"], offset=np.log(exposure))
    at = exposure.mean() * rates.alpha_
    model = PoissonRegressor(alpha=at, l1_ratio=0.5, tol=1e-14)
    model.fit(X, targets["poisson"], offset=np.log(exposure))
    assert_allclose(rates.coef_, model.coef_, atol=1e-6)
    assert_allclose(counts.path_.coef_at(at)[0], model.coef_, atol=1e-6)
    assert_allclose(model.predict(X, np.log(exposure)), exposure * rates.predict(X), rtol=1e-5)


@pytest.mark.parametrize("loss", KINDS)
def test_predictions_and_scores_are_those_of_the_model_at_alpha(loss):
    X, targets, weights, offset = data(4)
    y = targets[loss]
    search = KINDS[loss](alphas=8, tol=1e-14).fit(X, y, sample_weight=weights, offset=offset)
    kind = {"poisson": PoissonRegressor, "huber": HuberElasticNet}[loss]
    model = kind(alpha=search.alpha_, l1_ratio=0.5, tol=1e-14).fit(X, y, sample_weight=weights, offset=offset)
    assert_allclose(search.predict(X, offset=offset), model.predict(X, offset=offset), rtol=1e-6)
    assert np.abs(search.predict(X) - search.predict(X, offset=offset)).max() > 0.1
    assert search.score(X, y, weights) == pytest.approx(model.score(X, y, weights), rel=1e-6)
    if loss == "poisson":
        assert search.score(X, y, weights, offset=offset) == pytest.approx(model.score(X, y, weights, offset), rel=1e-6)


def test_huber_with_a_large_delta_is_the_elastic_net():
    X, targets, weights, offset = data(5)
    y = targets["huber"]
    net = ElasticNetCV(alphas=10).fit(X, y, sample_weight=weights, offset=offset)
    huber = HuberElasticNetCV(delta=1e4, alphas=10, scoring="deviance", tol=1e-14)
    huber.fit(X, y, sample_weight=weights, offset=offset)
    assert_allclose(huber.mse_path_, net.mse_path_, rtol=1e-6)
    assert huber.alpha_ == pytest.approx(net.alpha_)
    assert set(net.get_params()) > set(huber.get_params()) - {"delta"}
    mine, other = huber.get_params(), net.get_params()
    assert not [name for name in set(mine) & set(other) - {"alphas", "scoring", "tol"} if mine[name] != other[name]]


@pytest.mark.parametrize("loss", KINDS)
def test_the_rule_of_one_standard_error(loss):
    X, targets, _, _ = data(6, p=30)
    model, careful = (KINDS[loss](cv=7, selection_rule=rule).fit(X, targets[loss]) for rule in ("min", "1se"))
    mean = model.mse_path_.mean(axis=1)
    error = model.mse_path_.std(axis=1, ddof=1) / np.sqrt(7)
    i = mean.argmin()
    assert model.alpha_ == model.alpha_min_ == model.alphas_[i]
    assert model.alpha_1se_ == careful.alpha_ == model.alphas_[np.flatnonzero(mean <= mean[i] + error[i])[0]]
    assert careful.alpha_ > model.alpha_
    assert_allclose(careful.coef_, model.path_.coef_at(careful.alpha_)[0])
    assert_allclose(model.cv_results_["standard_error"], error, rtol=1e-10)


@pytest.mark.parametrize("loss", KINDS)
def test_modifiers(loss):
    X, targets, weights, offset = data(7)
    y = targets[loss]
    options = {"penalty_factor": np.array([0, 1, 2, np.inf, 1, 1, 1, 1, 1]), "lower_bounds": -0.3,
               "fit_intercept": False}  # fmt: skip
    model = KINDS[loss](l1_ratio=0.7, cv=4, alphas=8, eps=0.05, tol=1e-14, **options)
    model.fit(X, y, sample_weight=weights, offset=offset)
    splits = list(KFold(4).split(X))
    errors = by_hand(loss, X, y, splits, model.alphas_, weights, offset, l1_ratio=0.7, tol=1e-14, **options)
    assert_allclose(model.mse_path_, errors[0], rtol=1e-10)
    assert model.intercept_ == 0
    assert model.coef_[3] == 0
    assert model.coef_.min() >= -0.3


@pytest.mark.parametrize("loss", KINDS)
def test_values_of_alphas_down_to_ridge(loss):
    X, targets, _, _ = data(8)
    y, alphas = targets[loss], np.array([1.0, 0.3, 0.1, 0.03])
    model = KINDS[loss](l1_ratio=[0.0, 0.5], alphas=alphas[::-1], tol=1e-14).fit(X, y)
    assert_array_equal(model.alphas_, alphas)
    errors = by_hand(loss, X, y, list(KFold(5).split(X)), alphas, l1_ratio=[0.0, 0.5], tol=1e-14)
    assert_allclose(model.mse_path_, errors, rtol=1e-10)


@pytest.mark.parametrize("loss", KINDS)
@pytest.mark.parametrize("storage", STORAGES)
def test_storages_dtypes_pickles_and_clones(loss, storage):
    X, targets, weights, offset = data(9)
    y, modifiers = targets[loss], {"sample_weight": weights, "offset": offset}
    expected = KINDS[loss](alphas=8, tol=1e-14).fit(X, y, **modifiers)
    model = KINDS[loss](alphas=8, tol=1e-14).fit(STORAGES[storage](X), y, **modifiers)
    assert_allclose(model.mse_path_, expected.mse_path_, rtol=1e-8)
    assert_allclose(model.predict(STORAGES[storage](X)), expected.predict(X), rtol=1e-6)
    single = KINDS[loss](alphas=8).fit(STORAGES[storage](X.astype(np.float32)), y, **modifiers)
    assert single.coef_.dtype == np.float32
    assert_allclose(single.mse_path_, expected.mse_path_, rtol=1e-4)
    again = pickle.loads(pickle.dumps(model))
    assert_array_equal(again.predict(X), model.predict(X))
    twin = clone(model)
    assert twin.get_params() == model.get_params()
    with pytest.raises(NotFittedError):
        twin.predict(X)


@pytest.mark.parametrize("loss", KINDS)
def test_any_number_of_threads_gives_the_same_bits(loss):
    X, targets, _, _ = data(10, n=200, p=40)
    one, two = (KINDS[loss](n_jobs=jobs, alphas=20).fit(X, targets[loss]) for jobs in (1, 2))
    assert_array_equal(one.mse_path_, two.mse_path_)
    assert_array_equal(one.coef_, two.coef_)


@pytest.mark.parametrize("loss", KINDS)
def test_groups_are_routed(loss):
    X, targets, _, _ = data(11)
    groups = np.arange(70) % 6
    with config_context(enable_metadata_routing=True):
        model = KINDS[loss](cv=GroupKFold(3), alphas=5).fit(X, targets[loss], groups=groups)
    plain = KINDS[loss](cv=GroupKFold(3), alphas=5).fit(X, targets[loss], groups=groups)
    assert_array_equal(model.mse_path_, plain.mse_path_)


def test_a_fold_without_weight_has_no_error():
    X, targets, weights, _ = data(12, n=30)
    model = PoissonRegressorCV(cv=LeaveOneOut(), alphas=5, eps=0.1).fit(X, targets["poisson"], sample_weight=weights)
    assert np.isnan(model.mse_path_[:, 4]).all()  # row 4 weighs nothing
    assert np.isfinite(np.delete(model.mse_path_, 4, axis=1)).all()
    assert np.isfinite(model.cv_results_["mean_error"]).all()


def test_expected_counts_that_overflow():
    X, targets, _, _ = data(13)
    X[0, 0] = 1e5  # held out, its expected count is beyond all numbers
    splits = [(np.arange(35, 70), np.arange(10)), (np.arange(35, 70), np.arange(10, 35))]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = PoissonRegressorCV(cv=splits, alphas=[100.0, 0.1]).fit(X, targets["poisson"])
    assert np.isinf(model.mse_path_).tolist() == [[False, False], [True, False]]
    assert model.alpha_ == model.alpha_1se_ == 100.0
    assert np.isnan(model.cv_results_["standard_error"]).tolist() == [False, True]
    assert "inf" in model.summary().splitlines()[2]
    assert PoissonRegressorCV(cv=splits, alphas=[0.1]).fit(X, targets["poisson"]).alpha_1se_ == 0.1


# Tables and pictures


@pytest.mark.parametrize("loss", KINDS)
def test_tables_and_pictures(loss):
    X, targets, _, _ = data(14)
    model = KINDS[loss](l1_ratio=[0.5, 1.0], alphas=6, eps=0.02).fit(X, targets[loss])
    head, *lines = model.summary().splitlines()
    assert head.split()[:2] == ["l1_ratio", "alpha"]
    assert len(lines) == 12
    (least,) = [line for line in lines if "min" in line]
    assert float(least.split()[0]) == model.l1_ratio_
    assert float(least.split()[1]) == pytest.approx(model.alpha_min_, rel=1e-5)
    pytest.importorskip("pandas")
    frame = model.to_frame()
    assert frame.index.names == ["l1_ratio", "alpha"]
    assert frame["mean_error"].idxmin() == (model.l1_ratio_, model.alpha_)
    assert "relax" not in model.cv_results_
    assert not hasattr(model, "relax_")
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("agg")
    for scoring, words in (
        (None, {"poisson": "mean deviance", "huber": "mean Huber loss"}[loss]),
        ("deviance", "mean deviance"),
        ("mae", "mean absolute error"),
        ("r2", "minus r2"),
    ):
        ax = KINDS[loss](alphas=6, scoring=scoring).fit(X, targets[loss]).plot()
        assert ax.get_ylabel() == f"{words} of held-out rows"
        matplotlib.pyplot.close(ax.figure)


# What is refused


@pytest.mark.parametrize(
    ("loss", "parameters", "match"),
    [
        ("poisson", {"selection_rule": "max"}, "selection_rule='max' must be one of 'min', '1se'"),
        ("poisson", {"scoring": 3}, "scoring=3 must be None"),
        ("poisson", {"cv": [(np.arange(50), np.arange(50, 60))]}, "cv gives 1 fold"),
        ("poisson", {"l1_ratio": []}, "l1_ratio must be a number or a sequence"),
        ("poisson", {"l1_ratio": [0.0, 1.0]}, "l1_ratio=0 is ridge regression"),
        ("poisson", {"tol": -1.0}, "tol"),
        ("poisson", {"alphas": 0}, "the number of alphas must be at least 1"),
        ("huber", {"delta": 0.0}, "delta=0.0 must be positive"),
        ("huber", {"lower_bounds": 1.0}, "room for 0"),
        ("huber", {"fit_intercept": 1}, "fit_intercept"),
        ("huber", {"verbose": -1}, "verbose"),
        ("huber", {"n_jobs": 0}, "n_jobs"),
    ],
    ids=str,
)
def test_bad_parameters_are_named(loss, parameters, match):
    X, targets, _, _ = data()
    model = KINDS[loss](**parameters)
    with pytest.raises((ValueError, TypeError), match=match):
        model.fit(X, targets[loss])
    assert not vars(model).keys() & {"coef_", "n_features_in_"}


def test_bad_data_are_named():
    X, targets, _, _ = data()
    y = targets["poisson"]
    with pytest.raises(ValueError, match="y must hold counts or rates >= 0; it is -1.0 at position 7"):
        PoissonRegressorCV().fit(X, np.where(np.arange(70) == 7, -1, y))
    with pytest.raises(ValueError, match="all are zero"):
        PoissonRegressorCV().fit(X, 0 * y)
    rare = np.zeros(70)
    rare[3] = 2.0
    with pytest.raises(ValueError, match="fold 0 of cv leaves no y > 0 to fit"):
        PoissonRegressorCV(alphas=3).fit(X, rare)
    assert np.isfinite(PoissonRegressorCV(alphas=[1.0, 0.5], fit_intercept=False).fit(X, rare).mse_path_).all()
    with pytest.raises(ValueError, match=r"offset must have shape \(70,\)"):
        HuberElasticNetCV().fit(X, y, offset=np.zeros(3))
    X[3, 4] = np.nan
    with pytest.raises(ValueError, match="row 3, column 4"):
        HuberElasticNetCV().fit(X, y)


@pytest.mark.parametrize("model", [PoissonRegressorCV(alphas=3), HuberElasticNetCV(alphas=3), LassoCV(alphas=3),
                                   PoissonRegressor()])  # fmt: skip
def test_a_single_response(model):
    X, targets, _, _ = data()
    y = targets["poisson"]
    with pytest.raises(ValueError, match="y must be 1-d; it has 2 columns"):
        model.fit(X, np.column_stack([y, y]))
    with pytest.warns(DataConversionWarning) as caught:
        model.fit(X, y[:, None])
        if isinstance(model, PoissonRegressor | PoissonRegressorCV):
            model.score(X, y[:, None])
    assert {one.filename for one in caught} == {__file__}
    assert model.coef_.shape == (9,)


# Many responses


@pytest.mark.parametrize("loss", KINDS)
@pytest.mark.parametrize("scoring", ["deviance", "mae"])
def test_many_responses_are_as_many_searches(loss, scoring):
    X, targets, weights, offset = data(15)
    y = targets[loss]
    Y, modifiers = np.column_stack([y, np.roll(y, 5), np.abs(y) + 1]), {"sample_weight": weights, "offset": offset}
    options = given(loss, alphas=8, eps=0.02, standardize=True, l1_ratio=0.7, tol=1e-14, scoring=scoring)
    found, simple = (
        cross_validate_paths(X, Y, loss=loss, cv=4, selection_rule=rule, **modifiers, **options)
        for rule in ("min", "1se")
    )
    for k in range(3):
        one = KINDS[loss](cv=KFold(4), **options).fit(X, Y[:, k], **modifiers)
        assert_allclose(found.errors[k], one.mse_path_, rtol=1e-8)
        assert found.alpha[k] == pytest.approx(one.alpha_)
        assert simple.alpha[k] == pytest.approx(one.alpha_1se_)
        assert_allclose(found.coefs[:, [k]].toarray().ravel(), one.coef_, atol=1e-7)
    shared = cross_validate_paths(X, Y, loss=loss, alpha_per_response=False, **given(loss, alphas=8, eps=0.02))
    mean = shared.errors.mean(axis=2)
    assert shared.alpha[0] == shared.alphas[0][(mean / mean.min(axis=1, keepdims=True)).mean(axis=0).argmin()]


def test_losses_of_labels_are_refused():
    X, targets, _, _ = data()
    with pytest.raises(ValueError, match="loss='logistic' must be one of 'squared', 'poisson', 'huber'"):
        cross_validate_paths(X, targets["poisson"], loss="logistic")
    Y = np.column_stack([targets["poisson"], np.zeros(70)])
    with pytest.raises(ValueError, match="all are zero"):
        cross_validate_paths(X, Y, loss="poisson")
