"""LassoCV and ElasticNetCV: every fold is the fit on its training rows, whatever rows the folds take."""

import tracemalloc
import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn import config_context, linear_model
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import (
    GroupKFold,
    KFold,
    LeaveOneOut,
    RepeatedKFold,
    ShuffleSplit,
    TimeSeriesSplit,
)
from sklearn.utils.estimator_checks import parametrize_with_checks

from fastreg import ElasticNetCV, LassoCV, cross_validate_paths, fit_path
from fastreg.selection.cross_validation import predict_rows

STORAGES = {"C": np.ascontiguousarray, "F": np.asfortranarray, "csc": sparse.csc_matrix, "csr": sparse.csr_array}
SPLITTERS = [
    KFold(5),
    KFold(4, shuffle=True, random_state=0),
    RepeatedKFold(n_splits=3, n_repeats=2, random_state=0),
    ShuffleSplit(3, test_size=0.3, random_state=1),
    TimeSeriesSplit(3),
    GroupKFold(3),
]


@parametrize_with_checks([
    LassoCV(alphas=20),
    ElasticNetCV(l1_ratio=[0.3, 1.0], alphas=10, selection_rule="1se"),
    LassoCV(alphas=8, relax=[0.0, 1.0]),
])  # fmt: skip
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
def test_scikit_learns_checks(estimator, check):
    check(estimator)


def data(seed=0, n=60, p=12, dtype=np.float64):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p)) * rng.uniform(0.5, 3, p) + rng.normal(size=p) * 2
    X[rng.random((n, p)) < 0.3] = 0.0
    X = X.astype(dtype)
    y = X[:, :3] @ [2.0, -1.0, 0.5] + rng.normal(size=n)
    weights = rng.uniform(0.1, 2, n)
    weights[3] = 0.0
    return X, y, weights


def by_hand(X, y, weights, splits, alphas, gamma=1.0, **options):
    """(L, K) errors of held-out rows, and the gaps, one `fit_path` on the training rows after the other."""
    errors, gaps = np.empty((2, len(alphas), len(splits)))
    for k, (train, test) in enumerate(splits):
        w = None if weights is None else weights[train]
        path = fit_path(X[train], y[train], alphas=alphas, sample_weight=w, **options)
        path = path if gamma == 1.0 else path.relax(gamma)
        left = (y[test, None] - path.predict(X[test])) ** 2
        errors[:, k] = np.average(left, axis=0, weights=None if weights is None else weights[test])
        gaps[:, k] = path.relative_gaps
    return errors, gaps


@pytest.mark.parametrize("splitter", SPLITTERS, ids=lambda s: type(s).__name__)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("storage", STORAGES)
@pytest.mark.parametrize("shape", [(60, 12), (40, 90)])
def test_every_fold_is_a_fit_of_its_own(splitter, weighted, storage, shape):
    X, y, weights = data(n=shape[0], p=shape[1])
    weights = weights if weighted else None
    more = {"groups": np.arange(len(y)) % 7} if isinstance(splitter, GroupKFold) else {}
    model = LassoCV(cv=splitter, alphas=15, eps=0.03, standardize=True)
    model.fit(STORAGES[storage](X), y, sample_weight=weights, **more)
    splits = list(splitter.split(X, y, **more))
    errors, _ = by_hand(X, y, weights, splits, model.alphas_, standardize=True)
    assert_allclose(model.mse_path_, errors, rtol=1e-7, atol=1e-10 * errors.max())
    assert model.cv_results_["relative_gaps"].max() <= 1e-9
    whole = fit_path(X, y, alphas=model.alphas_, sample_weight=weights, standardize=True)
    assert_allclose(model.coef_, whole.coef_at(model.alpha_)[0], atol=1e-7)
    assert_allclose(model.predict(STORAGES[storage](X)), whole.predict(X, model.alpha_), atol=1e-6)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_leave_one_out_and_modifiers(dtype):
    X, y, weights = data(dtype=dtype, n=30)
    options = {"penalty_factor": np.array([0, 1, 2, np.inf] * 3), "lower_bounds": -0.5, "fit_intercept": False}
    model = ElasticNetCV(l1_ratio=0.4, cv=LeaveOneOut(), alphas=8, eps=0.05, **options).fit(X, y, sample_weight=weights)
    kept = [k for k in range(30) if k != 3]  # row 3 weighs nothing
    errors, _ = by_hand(X[kept], y[kept], weights[kept], list(LeaveOneOut().split(X[kept])), model.alphas_,
                        l1_ratio=0.4, **options)  # fmt: skip
    assert_allclose(model.mse_path_[:, kept], errors, rtol=1e-6, atol=1e-9)
    assert np.isnan(model.mse_path_[:, 3]).all()
    assert_allclose(model.cv_results_["mean_error"], errors.mean(axis=1), rtol=1e-6)


def test_agrees_with_scikit_learn():
    X, y, weights = data(1)
    mine = ElasticNetCV(l1_ratio=[0.1, 0.5, 1.0], alphas=12).fit(X, y, sample_weight=weights)
    theirs = linear_model.ElasticNetCV(l1_ratio=[0.1, 0.5, 1.0], alphas=12, tol=1e-12, max_iter=100_000)
    theirs.fit(X, y, sample_weight=weights)
    assert mine.alpha_ == pytest.approx(theirs.alpha_)
    assert mine.l1_ratio_ == theirs.l1_ratio_
    assert_allclose(mine.alphas_, theirs.alphas_)
    assert_allclose(mine.mse_path_, theirs.mse_path_, rtol=1e-5)
    assert_allclose(mine.coef_, theirs.coef_, atol=1e-6)
    lasso, other = LassoCV(alphas=[0.5, 0.1]).fit(X, y), linear_model.LassoCV(alphas=[0.1, 0.5], tol=1e-12).fit(X, y)
    assert_allclose(lasso.mse_path_, other.mse_path_, rtol=1e-6)
    assert lasso.alphas_.tolist() == other.alphas_.tolist() == [0.5, 0.1]
    assert not hasattr(lasso, "l1_ratio_")


def test_the_rule_of_one_standard_error():
    X, y, _ = data(2, p=30)
    model, careful = LassoCV(cv=10).fit(X, y), LassoCV(cv=10, selection_rule="1se").fit(X, y)
    mean = model.mse_path_.mean(axis=1)
    error = model.mse_path_.std(axis=1, ddof=1) / np.sqrt(10)
    i = mean.argmin()
    assert model.alpha_ == model.alpha_min_ == model.alphas_[i]
    assert model.alpha_1se_ == careful.alpha_ == model.alphas_[np.flatnonzero(mean <= mean[i] + error[i])[0]]
    assert careful.alpha_ > model.alpha_
    assert_allclose(model.cv_results_["mean_error"], mean)
    assert_allclose(model.cv_results_["standard_error"], error, rtol=1e-10)
    assert_array_equal(model.cv_results_["n_features"], model.path_.n_nonzero)
    assert model.dual_gap_ <= 1e-10 * model.path_.null_objective


def test_scoring():
    X, y, weights = data(3)
    mae = LassoCV(scoring="mae", alphas=10).fit(X, y)
    scorer = LassoCV(scoring="neg_mean_absolute_error", alphas=10).fit(X, y)
    assert_allclose(mae.mse_path_, scorer.mse_path_)
    assert mae.alpha_ == scorer.alpha_
    weighted = LassoCV(scoring="neg_mean_squared_error", alphas=10).fit(X, y, sample_weight=weights)
    assert_allclose(weighted.mse_path_, LassoCV(alphas=10).fit(X, y, sample_weight=weights).mse_path_)
    assert_allclose(LassoCV(scoring="r2", alphas=10).fit(X, y).mse_path_.min(axis=0) < 0, True)


def test_offsets_belong_to_the_predictions():
    X, y, _ = data(4)
    offset = np.linspace(-5, 5, len(y))
    with_offset, without = LassoCV(alphas=10).fit(X, y + offset, offset=offset), LassoCV(alphas=10).fit(X, y)
    assert_allclose(with_offset.mse_path_, without.mse_path_, rtol=1e-9)


def test_duplicated_rows_are_doubled_weights():
    X, y, weights = data(5)
    folds = np.arange(len(y)) % 4
    splits = [(np.flatnonzero(folds != k), np.flatnonzero(folds == k)) for k in range(4)]
    twice = [(np.concatenate([a, a + len(y)]), np.concatenate([b, b + len(y)])) for a, b in splits]
    one = LassoCV(cv=splits, alphas=10).fit(X, y, sample_weight=2 * weights)
    two = LassoCV(cv=twice, alphas=10).fit(np.vstack([X, X]), np.tile(y, 2), sample_weight=np.tile(weights, 2))
    assert_allclose(one.mse_path_, two.mse_path_, rtol=1e-8)


def test_a_column_that_is_constant_in_a_fold_alone():
    X, y, _ = data(6)
    X[:, 0] = 0.0
    X[:12, 0] = np.arange(12)  # constant without the first fold
    model = LassoCV(cv=KFold(5), alphas=10).fit(X, y)
    errors, _ = by_hand(X, y, None, list(KFold(5).split(X)), model.alphas_)
    assert_allclose(model.mse_path_, errors, rtol=1e-7)


def test_large_means_cost_no_digits():
    X, y, _ = data(7)
    far = LassoCV(alphas=10).fit(X + 1e6, y)
    assert_allclose(far.mse_path_, LassoCV(alphas=far.alphas_).fit(X, y).mse_path_, rtol=1e-6)


def test_groups_are_routed():
    X, y, _ = data(8)
    groups = np.arange(len(y)) % 6
    with config_context(enable_metadata_routing=True):
        model = LassoCV(cv=GroupKFold(3), alphas=5).fit(X, y, groups=groups)
    plain = LassoCV(cv=GroupKFold(3), alphas=5).fit(X, y, groups=groups)
    assert_array_equal(model.mse_path_, plain.mse_path_)


def test_any_number_of_threads_gives_the_same_bits():
    X, y, _ = data(9, n=200, p=40)
    one, two = (LassoCV(n_jobs=jobs, cv=10, relax=[1.0, 0.3]).fit(X, y) for jobs in (1, 2))
    assert_array_equal(one.mse_path_, two.mse_path_)
    assert_array_equal(one.coef_, two.coef_)


@pytest.mark.parametrize(
    ("parameters", "match"),
    [
        ({"selection_rule": "max"}, "selection_rule='max' must be one of 'min', '1se'"),
        ({"precompute": np.eye(12)}, "precompute must be 'auto', True or False"),
        ({"scoring": 3}, "scoring=3"),
        ({"cv": [(np.arange(50), np.arange(50, 70))]}, "test rows from 50 to 69"),
        ({"cv": [(np.arange(50), np.arange(50, 60))]}, "cv gives 1 fold"),
        ({"cv": [(np.arange(50), np.empty(0, int)), (np.arange(5), np.arange(5))]}, "non-empty"),
        ({"l1_ratio": []}, "l1_ratio must be a number or a sequence"),
        ({"l1_ratio": [0.5, 2.0]}, "l1_ratio"),
        ({"l1_ratio": [0.0, 1.0]}, "l1_ratio=0"),
        ({"relax": 1.5}, "relax=1.5 must lie in"),
        ({"relax": [0.5, -0.1]}, "relax=-0.1 must lie in"),
        ({"relax": []}, "relax must be a number or a sequence"),
        ({"relax": [[0.5]]}, "relax must be a number or a sequence"),
        ({"relax": None}, "relax must be a number"),
        ({"relax": True}, "relax must be a number"),
        ({"relax": "half"}, "relax must be a number"),
        ({"relax": [1.0, 0.5], "positive": True}, "relax=0.5 needs coefficients without bounds"),
        ({"relax": 0.0, "upper_bounds": 3.0}, "relax=0.0 needs coefficients without bounds"),
    ],
)
def test_bad_parameters_are_named(parameters, match):
    X, y, _ = data()
    with pytest.raises((ValueError, TypeError), match=match):
        ElasticNetCV(**parameters).fit(X, y)


def test_bad_data_is_named():
    X, y, weights = data()
    with pytest.raises(ValueError, match="y must be 1-d; it has 2 columns"):
        LassoCV().fit(X, np.column_stack([y, y]))
    X[3, 4] = np.nan
    with pytest.raises(ValueError, match="row 3, column 4"):
        LassoCV().fit(X, y)
    model = LassoCV()
    assert not hasattr(model, "coef_")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        LassoCV(alphas=5).fit(data()[0], y, sample_weight=weights)


def test_folds_that_cannot_be_fitted_or_judged_are_named():
    X, y, _ = data()
    n = len(y)
    first = np.zeros(n)
    first[: n // 5] = 1.0
    model = LassoCV(alphas=5)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(ValueError, match="fold 0 of cv no row to fit"):
            model.fit(X, y, sample_weight=first)
    splits = [(np.arange(n // 5), np.arange(n // 5, n)), (np.arange(1, n // 5), np.arange(n // 2, n))]
    with pytest.raises(ValueError, match="held-out rows all weigh zero"):
        LassoCV(alphas=5, cv=splits).fit(X, y, sample_weight=first)
    with warnings.catch_warnings(), pytest.raises(ValueError, match="scoring gives NaN for fold 0"):
        warnings.simplefilter("ignore")  # scikit-learn's, that R^2 needs two rows
        LassoCV(alphas=5, cv=n, scoring="r2").fit(X, y)


# The relaxed lasso


def least_squares_by_hand(X, y, weights, path, gamma):
    """Coefficients (p, L) and intercepts (L,) of a path blended with least squares, by `np.linalg.pinv`."""
    coefs, intercepts = path.coefs.toarray(), path.intercepts.copy()
    mean, level = weights @ X / weights.sum(), weights @ y / weights.sum()
    root = np.sqrt(weights)
    for i in range(len(intercepts)):
        used = np.flatnonzero(coefs[:, i])
        w = np.linalg.pinv(root[:, None] * (X - mean)[:, used], rcond=1e-12) @ (root * (y - level))
        intercepts[i] = gamma * intercepts[i] + (1 - gamma) * (level - mean[used] @ w)
        coefs[used, i] = gamma * coefs[used, i] + (1 - gamma) * w
    return coefs, intercepts


@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("storage", STORAGES)
@pytest.mark.parametrize("shape", [(60, 12), (40, 90)])
def test_every_fold_is_relaxed_on_its_own_rows(intercept, weighted, storage, shape):
    X, y, weights = data(12, n=shape[0], p=shape[1])
    weights = weights if weighted else None
    gammas, ratios, options = [0.0, 0.6], [0.4, 1.0], {"fit_intercept": intercept, "standardize": True}
    model = ElasticNetCV(l1_ratio=ratios, relax=gammas, cv=KFold(4), alphas=12, eps=0.03, **options)
    model.fit(STORAGES[storage](X), y, sample_weight=weights)
    assert model.mse_path_.shape == (2, 2, 12, 4)
    assert model.alphas_.shape == (2, 12)
    splits = list(KFold(4).split(X))
    for r, g in np.ndindex(2, 2):
        errors, _ = by_hand(X, y, weights, splits, model.alphas_[r], gammas[g], l1_ratio=ratios[r], **options)
        assert_allclose(model.mse_path_[r, g], errors, rtol=1e-10, atol=1e-10 * errors.min())

    found = model.cv_results_
    assert_allclose(found["mean_error"], model.mse_path_.mean(axis=-1))
    for name in ("l1_ratio", "relax", "alpha", "standard_error", "n_features"):
        assert found[name].shape == (2, 2, 12)
    r, g, i = np.unravel_index(found["mean_error"].argmin(), (2, 2, 12))
    assert (model.l1_ratio_, model.relax_, model.alpha_) == (ratios[r], gammas[g], model.alphas_[r, i])
    assert (found["l1_ratio"][r, g, i], found["relax"][r, g, i], found["alpha"][r, g, i]) == (
        model.l1_ratio_, model.relax_, model.alpha_
    )  # fmt: skip
    whole = fit_path(X, y, alphas=model.alphas_[r], sample_weight=weights, l1_ratio=model.l1_ratio_, **options)
    free = whole.relax(model.relax_)
    assert_allclose(model.coef_, free.coef_at(model.alpha_)[0], atol=1e-10)
    assert model.intercept_ == pytest.approx(free.coef_at(model.alpha_)[1], abs=1e-10)
    assert_allclose(model.path_.coefs.toarray(), free.coefs.toarray(), atol=1e-10)
    assert_allclose(model.path_.deviance_ratio, free.deviance_ratio, atol=1e-12)
    assert model.dual_gap_ <= 1e-10 * whole.null_objective


@pytest.mark.parametrize("shape", [(60, 12), (40, 90)])
def test_the_relaxed_errors_are_those_of_least_squares(shape):
    X, y, weights = data(13, n=shape[0], p=shape[1])
    model = ElasticNetCV(l1_ratio=0.5, relax=0.25, cv=KFold(3), alphas=10, eps=0.03).fit(X, y, sample_weight=weights)
    assert model.mse_path_.shape == (10, 3)
    assert model.relax_ == 0.25
    assert (model.cv_results_["relax"] == 0.25).all()
    for k, (train, test) in enumerate(KFold(3).split(X)):
        train = train[weights[train] > 0]
        path = fit_path(X[train], y[train], alphas=model.alphas_, l1_ratio=0.5, sample_weight=weights[train])
        coefs, intercepts = least_squares_by_hand(X[train], y[train], weights[train], path, 0.25)
        errors = np.average((y[test, None] - X[test] @ coefs - intercepts) ** 2, axis=0, weights=weights[test])
        assert_allclose(model.mse_path_[:, k], errors, rtol=1e-8)


def test_relax_is_chosen_with_alpha():
    X, y, _ = data(18, n=120, p=40)
    y = y + 2 * np.random.default_rng(18).normal(size=120)
    gammas = [1.0, 0.5, 0.0]
    model, careful = (LassoCV(relax=gammas, cv=10, selection_rule=rule).fit(X, y) for rule in ("min", "1se"))
    assert model.mse_path_.shape == (3, 100, 10)
    assert model.alphas_.shape == (100,)
    singles = [LassoCV(relax=gamma, cv=10, alphas=model.alphas_).fit(X, y) for gamma in gammas]
    for g, single in enumerate(singles):
        assert_array_equal(single.mse_path_, model.mse_path_[g])
    g = int(np.argmin([single.mse_path_.mean(axis=1).min() for single in singles]))
    assert model.relax_ == careful.relax_ == gammas[g] == 0.5
    assert model.alpha_ == model.alpha_min_ == singles[g].alpha_
    assert careful.alpha_ == model.alpha_1se_ == singles[g].alpha_1se_
    assert model.alpha_ < careful.alpha_ < singles[2].alpha_1se_
    assert_array_equal(model.coef_, singles[g].coef_)
    assert_array_equal(careful.coef_, singles[g].path_.coef_at(careful.alpha_)[0])


def test_relax_of_one_is_the_path():
    X, y, _ = data(15)
    plain = ElasticNetCV(alphas=10, lower_bounds=-1.0).fit(X, y)
    kept = ElasticNetCV(alphas=10, lower_bounds=-1.0, relax=[1.0]).fit(X, y)
    assert plain.relax_ == kept.relax_ == 1.0
    assert_array_equal(plain.mse_path_, kept.mse_path_)
    assert_array_equal(plain.coef_, kept.coef_)
    assert plain.path_.certificate(plain.alpha_).gap <= 1e-9 * plain.path_.null_objective


def test_relaxed_predictions_have_their_offset():
    X, y, _ = data(16)
    offset = np.linspace(-5, 5, len(y))
    shifted = LassoCV(alphas=10, relax=[0.0, 0.5]).fit(X, y + offset, offset=offset)
    plain = LassoCV(alphas=10, relax=[0.0, 0.5]).fit(X, y)
    assert_allclose(shifted.mse_path_, plain.mse_path_, rtol=1e-9)
    assert_allclose(shifted.coef_, plain.coef_, atol=1e-10)


def test_a_fold_without_weight_has_no_relaxed_error_either():
    X, y, weights = data(17, n=30)
    model = LassoCV(cv=LeaveOneOut(), alphas=8, eps=0.05, relax=[0.0, 1.0]).fit(X, y, sample_weight=weights)
    assert np.isnan(model.mse_path_[..., 3]).all()  # row 3 weighs nothing
    assert np.isfinite(np.delete(model.mse_path_, 3, axis=-1)).all()
    assert np.isfinite(model.cv_results_["mean_error"]).all()


# Tables and pictures


@pytest.fixture(scope="module")
def searched():
    X, y, _ = data(10, p=30)
    return LassoCV(alphas=12, eps=0.02).fit(X, y), ElasticNetCV(l1_ratio=[0.3, 0.8, 1.0], alphas=12, eps=0.02).fit(X, y)


def test_summary_has_a_line_for_each_alpha(searched):
    lasso, several = searched
    head, *lines = lasso.summary().splitlines()
    assert head.split("  ")[-1].strip() == "rel. gap"
    assert len(lines) == 12
    found = lasso.cv_results_
    for i, line in enumerate(lines):
        cells = [float(cell) for cell in line.split()[:5]]
        wanted = [found[name][i] for name in ("alpha", "mean_error", "standard_error", "n_features")]
        assert_allclose(cells, [*wanted, found["relative_gaps"][i].max()], rtol=5e-2 if i else 1)
    (least,) = [i for i, line in enumerate(lines) if "min" in line]
    (careful,) = [i for i, line in enumerate(lines) if "1se" in line]
    assert lasso.alphas_[least] == lasso.alpha_min_
    assert lasso.alphas_[careful] == lasso.alpha_1se_
    head, *lines = several.summary().splitlines()
    assert head.split()[0] == "l1_ratio"
    assert [line.split()[0] for line in lines] == ["0.3"] * 12 + ["0.8"] * 12 + ["1"] * 12
    (chosen,) = [line for line in lines if "min" in line]
    assert float(chosen.split()[0]) == several.l1_ratio_
    assert lasso.summary().isascii()
    with pytest.raises(NotFittedError):
        LassoCV().summary()


def test_to_frame_is_the_search(searched, monkeypatch):
    pytest.importorskip("pandas")
    lasso, several = searched
    frame = lasso.to_frame()
    assert list(frame.columns) == ["mean_error", "standard_error", "n_features", "relative_gap"]
    assert_array_equal(frame.index, lasso.alphas_)
    assert frame["mean_error"].idxmin() == lasso.alpha_
    assert_array_equal(frame["n_features"], lasso.cv_results_["n_features"])
    frame = several.to_frame()
    assert frame.index.names == ["l1_ratio", "alpha"]
    assert frame["mean_error"].idxmin() == (several.l1_ratio_, several.alpha_)
    for r, ratio in enumerate([0.3, 0.8, 1.0]):
        assert_array_equal(frame.loc[ratio].index, several.alphas_[r])
        assert_array_equal(frame.loc[ratio, "standard_error"], several.cv_results_["standard_error"][r])
        assert_array_equal(frame.loc[ratio, "relative_gap"], several.cv_results_["relative_gaps"][r].max(axis=1))
    monkeypatch.setitem(__import__("sys").modules, "pandas", None)
    with pytest.raises(ImportError, match="to_frame needs pandas; install it, or use the arrays of cv_results_"):
        lasso.to_frame()


def test_tables_of_several_relax():
    X, y, _ = data(10, p=30)
    lasso = LassoCV(alphas=6, eps=0.02, relax=[0.0, 1.0]).fit(X, y)
    net = ElasticNetCV(l1_ratio=[0.5, 1.0], alphas=6, eps=0.02, relax=[0.0, 1.0]).fit(X, y)
    head, *lines = lasso.summary().splitlines()
    assert head.split()[:2] == ["relax", "alpha"]
    assert [line.split()[0] for line in lines] == ["0"] * 6 + ["1"] * 6
    (chosen,) = [line for line in lines if "min" in line]
    assert float(chosen.split()[0]) == lasso.relax_
    head, *lines = net.summary().splitlines()
    assert head.split()[:3] == ["l1_ratio", "relax", "alpha"]
    assert [line.split()[:2] for line in lines[::6]] == [["0.5", "0"], ["0.5", "1"], ["1", "0"], ["1", "1"]]
    pytest.importorskip("pandas")
    frame = lasso.to_frame()
    assert frame.index.names == ["relax", "alpha"]
    assert frame["mean_error"].idxmin() == (lasso.relax_, lasso.alpha_)
    frame = net.to_frame()
    assert frame.index.names == ["l1_ratio", "relax", "alpha"]
    assert list(frame.columns) == ["mean_error", "standard_error", "n_features", "relative_gap"]
    assert frame["mean_error"].idxmin() == (net.l1_ratio_, net.relax_, net.alpha_)
    assert_array_equal(frame["mean_error"], net.cv_results_["mean_error"].ravel())


@pytest.fixture
def pyplot():
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("agg")
    from matplotlib import pyplot

    yield pyplot
    pyplot.close("all")


def paths(ax, length=12):
    """The curves, without the caps of the bars."""
    return [line for line in ax.lines if len(line.get_xdata()) == length and line.get_linestyle() != "None"]


def verticals(ax):
    return [line.get_xdata()[0] for line in ax.lines if len(line.get_xdata()) == 2]


def legend(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def test_plot_of_one_curve(pyplot, searched):
    lasso, _ = searched
    own = pyplot.figure().subplots()
    assert lasso.plot(ax=own) is own
    (curve,) = paths(own)
    assert_array_equal(curve.get_xdata(), lasso.alphas_)
    assert_array_equal(curve.get_ydata(), lasso.cv_results_["mean_error"])
    assert verticals(own) == [lasso.alpha_min_, lasso.alpha_1se_]
    (bars,) = [np.array(collection.get_segments()) for collection in own.collections]
    assert_allclose(bars[:, 1, 1] - bars[:, 0, 1], 2 * lasso.cv_results_["standard_error"])
    assert_allclose(own.get_xlim(), lasso.alphas_[[0, -1]])
    assert own.get_xscale() == "log"
    assert own.get_ylabel() == "mean squared error of held-out rows"
    first, second = legend(own)
    assert first.startswith(f"smallest error: alpha {lasso.alpha_min_:.3g}, {np.count_nonzero(lasso.coef_)} feature")
    assert second.startswith(f"one standard error rule: alpha {lasso.alpha_1se_:.3g}")
    own.figure.canvas.draw()
    (top,) = own.child_axes
    shown = [tick.get_text() for tick in top.get_xticklabels()]
    assert shown[-1] == str(lasso.cv_results_["n_features"][-1])


def test_plot_of_several_curves(pyplot, searched):
    _, several = searched
    ax = several.plot()
    curves = paths(ax)
    for curve, mean in zip(curves, several.cv_results_["mean_error"], strict=True):
        assert_array_equal(curve.get_ydata(), mean)
    assert len({curve.get_color() for curve in curves}) == 3
    widest = max(curves, key=lambda curve: curve.get_linewidth())
    assert widest.get_label() == f"l1_ratio {several.l1_ratio_:g}"
    assert legend(ax)[:3] == ["l1_ratio 0.3", "l1_ratio 0.8", "l1_ratio 1"]
    assert verticals(ax) == [several.alpha_min_, several.alpha_1se_]
    assert_allclose(ax.get_xlim(), [several.alphas_.max(), several.alphas_.min()])


def test_plot_at_the_chosen_relax(pyplot):
    X, y, _ = data(10, p=30)
    lasso = LassoCV(alphas=6, eps=0.02, relax=[0.0, 1.0]).fit(X, y)
    (curve,) = paths(lasso.plot(), 6)
    assert_array_equal(curve.get_ydata(), lasso.cv_results_["mean_error"][[0.0, 1.0].index(lasso.relax_)])
    net = ElasticNetCV(l1_ratio=[0.5, 1.0], alphas=6, eps=0.02, relax=[0.0, 1.0]).fit(X, y)
    ax = net.plot()
    for curve, mean in zip(paths(ax, 6), net.cv_results_["mean_error"], strict=True):
        assert_array_equal(curve.get_ydata(), mean[[0.0, 1.0].index(net.relax_)])
    assert verticals(ax) == [net.alpha_min_, net.alpha_1se_]


@pytest.mark.parametrize(
    ("scoring", "words"),
    [
        ("mae", "mean absolute error of held-out rows"),
        ("neg_median_absolute_error", "median absolute error of held-out rows"),
        ("r2", "minus r2 of held-out rows"),
        (lambda model, X, y: -float(np.abs(y - model.predict(X)).max()), "score with a minus of held-out rows"),
    ],
)
def test_plot_of_few_alphas(pyplot, scoring, words):
    X, y, _ = data(10)
    ax = LassoCV(alphas=[0.1, 0.0], scoring=scoring).fit(X, y).plot()  # alpha = 0 is not on the axis
    assert ax.get_ylabel() == words
    assert [line.get_marker() for line in paths(ax, 1)] == ["o"]
    ax.figure.canvas.draw()


def test_plot_refuses_what_it_cannot_draw(pyplot, searched, monkeypatch):
    X, y, _ = data(10)
    with pytest.raises(ValueError, match="no alpha > 0"):
        LassoCV(alphas=[0.0]).fit(X, y).plot()
    with pytest.raises(NotFittedError):
        LassoCV().plot()
    monkeypatch.setitem(__import__("sys").modules, "matplotlib", None)
    with pytest.raises(ImportError, match=r'pip install "fastreg-solvers\[plot\]"'):
        searched[0].plot()


def test_folds_that_are_alike_or_leave_nothing_out():
    X, y, _ = data()
    every = np.arange(len(y))
    splits = [(every, every[:5]), (every[10:], every[:10]), (every[10:], every[5:10])]
    model = LassoCV(cv=splits, alphas=8).fit(X, y)
    errors, _ = by_hand(X, y, None, splits, model.alphas_)
    assert_allclose(model.mse_path_, errors, rtol=1e-7)


@pytest.mark.parametrize("storage", STORAGES)
def test_many_responses_are_as_many_searches(storage):
    X, y, weights = data(10)
    rng = np.random.default_rng(1)
    Y, offset = np.column_stack([y, y**2 / 5, rng.normal(size=60)]), rng.normal(size=60)
    options = {"alphas": 12, "eps": 0.02, "standardize": True, "l1_ratio": 0.7}
    found = cross_validate_paths(STORAGES[storage](X), Y, cv=4, sample_weight=weights, offset=offset, **options)
    simple = cross_validate_paths(
        STORAGES[storage](X), Y, cv=4, sample_weight=weights, offset=offset, selection_rule="1se", **options
    )
    for k in range(3):
        one = ElasticNetCV(cv=KFold(4), **options).fit(X, Y[:, k], sample_weight=weights, offset=offset)
        assert_allclose(found.errors[k], one.mse_path_, rtol=1e-7, atol=1e-9)
        assert found.alpha[k] == pytest.approx(one.alpha_)
        assert simple.alpha[k] == pytest.approx(one.alpha_1se_)
        assert_allclose(found.coefs[:, [k]].toarray().ravel(), one.coef_, atol=1e-7)
        assert found.intercepts[k] == pytest.approx(one.intercept_, abs=1e-6)
    assert found.relative_gaps.max() <= 1e-9


def test_one_alpha_for_all_responses():
    X, y, _ = data(11)
    Y = np.column_stack([y, 100 * y, np.random.default_rng(2).normal(size=60)])
    found = cross_validate_paths(X, Y, alpha_per_response=False, alphas=15, eps=1e-4)
    assert (found.alpha == found.alpha[0]).all()
    assert (found.alphas == found.alphas[0]).all()
    mean = found.errors.mean(axis=2)
    assert found.alpha[0] == found.alphas[0][(mean / mean.min(axis=1, keepdims=True)).mean(axis=0).argmin()]
    with pytest.raises(ValueError, match="needs alpha_per_response=True"):
        cross_validate_paths(X, Y, alpha_per_response=False, selection_rule="1se")
    with pytest.raises(ValueError, match="scoring='r2' must be one of 'mse', 'mae'"):
        cross_validate_paths(X, Y, scoring="r2")


def test_held_out_rows_are_predicted_without_a_copy_of_their_other_columns():
    X, rows = np.random.default_rng(0).normal(size=(100, 20_000)), np.arange(0, 100, 2)
    path = fit_path(X, X[:, 3], alphas=[0.5])
    tracemalloc.start()
    found = predict_rows(X, rows, path, 1)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert_allclose(found, X[rows] @ path.coefs.toarray() + path.intercepts, atol=1e-12)
    assert peak < 0.1 * X[rows].nbytes
