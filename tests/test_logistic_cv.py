"""LogisticRegressionCV: every fold is the LogisticRegression of its training rows, in scikit-learn's shapes."""

import pickle
import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn import config_context, linear_model
from sklearn.metrics import get_scorer, log_loss, make_scorer
from sklearn.model_selection import GroupKFold, KFold, LeaveOneOut, RepeatedStratifiedKFold, StratifiedKFold
from sklearn.utils.estimator_checks import parametrize_with_checks

from fastreg import LogisticRegression, LogisticRegressionCV, fit_path

CS = [0.003, 0.1, 3.0]


@parametrize_with_checks(
    [LogisticRegressionCV(Cs=4), LogisticRegressionCV(l1_ratios=(0.5,), Cs=[1.0, 10.0], scoring="deviance")]
)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
def test_scikit_learns_checks(estimator, check):
    check(estimator)


def data(seed=0, n=90, p=8):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p)) + rng.normal(size=p)
    y = (X[:, :3] @ [1.5, -1.0, 0.5] + rng.logistic(size=n) > 0).astype(int)
    weights = rng.uniform(0.1, 2, n)
    weights[5] = 0.0
    return X, y, weights


def minus_deviance(model, X, y, sample_weight=None):
    return -2 * log_loss(y, model.predict_proba(X), labels=model.classes_, sample_weight=sample_weight)


SCORERS = {"deviance": minus_deviance, None: get_scorer("accuracy")} | {
    name: get_scorer(name) for name in ("roc_auc", "neg_log_loss", "f1", "balanced_accuracy")
}


@pytest.mark.parametrize("scoring", SCORERS)
@pytest.mark.parametrize(("weighted", "class_weight"), [(False, None), (True, {0: 2.0})])
def test_every_fold_is_a_fit_of_its_own(scoring, weighted, class_weight):
    X, y, weights = data()
    weights = weights if weighted else None
    cv = RepeatedStratifiedKFold(n_splits=2, n_repeats=2, random_state=0)
    ratios, shared = (0.0, 0.5), {"standardize": True, "class_weight": class_weight}
    model = LogisticRegressionCV(
        Cs=CS, l1_ratios=ratios, cv=cv, scoring=scoring, use_legacy_attributes=False, **shared
    ).fit(X, y, sample_weight=weights)
    scores, coefs = np.empty((4, 2, 3)), np.empty((4, 2, 3, 1, 9))
    for k, (train, test) in enumerate(cv.split(X, y)):
        more = {} if weights is None else {"sample_weight": weights[test]}
        for r, ratio in enumerate(ratios):
            for i, C in enumerate(CS):
                fit = LogisticRegression(C=C, l1_ratio=ratio, **shared)
                fit.fit(X[train], y[train], None if weights is None else weights[train])
                scores[k, r, i] = SCORERS[scoring](fit, X[test], y[test], **more)
                coefs[k, r, i, 0] = [*fit.coef_[0], *fit.intercept_]
    assert_allclose(model.scores_, scores, atol=1e-5)
    assert_allclose(model.coefs_paths_, coefs, atol=2e-4)
    mean = scores.mean(axis=0)
    i, r = np.unravel_index(np.round(mean.T, 9).argmax(), mean.T.shape)
    assert (model.C_, model.l1_ratio_) == (CS[i], ratios[r])
    refit = LogisticRegression(C=CS[i], l1_ratio=ratios[r], **shared).fit(X, y, weights)
    assert_allclose(model.coef_, refit.coef_, atol=1e-4)
    assert_allclose(model.intercept_, refit.intercept_, atol=1e-4)
    assert model.score(X, y, weights) == pytest.approx(
        SCORERS[scoring](model, X, y, **({} if weights is None else {"sample_weight": weights}))
    )
    assert model.cv_results_["relative_gaps"].shape == (2, 3, 4)
    assert 0 <= model.cv_results_["relative_gaps"].max() <= 1e-10 * (1 + 1e-6)
    assert_allclose(model.cv_results_["errors"], -np.moveaxis(scores, 0, 2), atol=1e-5)


@pytest.mark.parametrize("l1_ratios", [None, (0.0,), (0.0, 0.5)])
@pytest.mark.parametrize("legacy", [True, False])
@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_scikit_learns_shapes(l1_ratios, legacy, classes, fit_intercept):
    X, y, _ = data(1)
    y = np.array(["a", "b", "c"])[y + (classes == 3) * (X[:, 5] > 1)]
    options = {"Cs": [10.0, 0.1], "l1_ratios": l1_ratios, "fit_intercept": fit_intercept, "scoring": "neg_log_loss",
               "use_legacy_attributes": legacy, "cv": 3}  # fmt: skip
    ours = LogisticRegressionCV(**options).fit(X, y)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        solver = "saga" if l1_ratios == (0.0, 0.5) else "lbfgs"
        theirs = linear_model.LogisticRegressionCV(solver=solver, tol=1e-6, max_iter=20_000, **options).fit(X, y)
    for name in ("C_", "Cs_", "coef_", "intercept_", "classes_"):
        assert getattr(ours, name).__class__ is getattr(theirs, name).__class__
        assert np.shape(getattr(ours, name)) == np.shape(getattr(theirs, name))
    assert np.shape(ours.l1_ratio_) == np.shape(theirs.l1_ratio_)
    assert ours.n_iter_.shape == theirs.n_iter_.shape
    assert_array_equal(ours.C_, theirs.C_)
    assert_allclose(ours.coef_, theirs.coef_, atol=2e-3)
    for name, tolerance in (("scores_", 1e-4), ("coefs_paths_", 2e-2)):
        mine, other = getattr(ours, name), getattr(theirs, name)
        if legacy:
            assert list(mine) == list(other)
            mine, other = np.array(list(mine.values())), np.array(list(other.values()))
        assert mine.shape == other.shape
        assert_allclose(mine, other, atol=tolerance)


@pytest.mark.parametrize("l1_ratios", [None, (0.2, 1.0)])
def test_the_average_of_the_best_of_each_fold(l1_ratios):
    X, y, _ = data(2)
    model = LogisticRegressionCV(Cs=CS, l1_ratios=l1_ratios, cv=4, scoring="deviance", refit=False).fit(X, y)
    scores, coefs = model.scores_[1].reshape(4, -1), model.coefs_paths_[1].reshape(4, -1, 9)
    best = scores.argmax(axis=1)
    assert len(set(best)) > 1
    assert_allclose(model.coef_[0], coefs[np.arange(4), best, :8].mean(axis=0))
    assert_allclose(model.intercept_[0], coefs[np.arange(4), best, 8].mean())
    ratios = [0.0] if l1_ratios is None else l1_ratios
    assert_allclose(model.C_, np.repeat(CS, len(ratios))[best].mean())
    assert_allclose(model.l1_ratio_, np.tile(ratios, 3)[best].mean())
    assert not hasattr(model, "path_")


def test_the_rule_of_one_standard_error():
    X, y, _ = data(3)
    options = {"Cs": np.geomspace(0.03, 30, 25), "l1_ratios": (1.0,), "cv": 10, "scoring": "deviance"}
    model = LogisticRegressionCV(**options).fit(X, y)
    careful = LogisticRegressionCV(selection_rule="1se", **options).fit(X, y)
    errors = -model.scores_[1][:, :, 0]
    mean, error = errors.mean(axis=0), errors.std(axis=0, ddof=0) / 3.0
    i = mean.argmin()
    assert model.C_[0] == model.C_min_ == model.Cs_[i]
    assert careful.C_[0] == model.C_1se_ == model.Cs_[np.flatnonzero(mean <= mean[i] + error[i])[0]]
    assert careful.C_[0] < model.C_[0]
    assert_allclose(model.cv_results_["standard_error"][0], error, rtol=1e-6)
    assert_array_equal(model.cv_results_["n_features"][0], model.path_.n_nonzero)


def test_the_path_on_all_rows():
    X, y, weights = data(4)
    model = LogisticRegressionCV(Cs=CS, penalty="l1", class_weight="balanced").fit(X, y, sample_weight=weights)
    at = list(model.Cs_).index(model.C_[0])
    assert_array_equal(model.path_.coefs[:, [at]].toarray().T, model.coef_)
    assert model.dual_gap_ == model.path_.dual_gaps[at]
    assert model.path_.alphas == pytest.approx(1 / (np.array(CS) * weights.sum()))  # balanced weights sum alike
    counts = np.bincount(y, weights)
    s = weights * (weights.sum() / (2 * counts))[y]
    path = fit_path(X, y, loss="logistic", alphas=model.path_.alphas, sample_weight=s)
    assert_allclose(path.coefs.toarray(), model.path_.coefs.toarray(), atol=1e-5)


def test_the_order_of_the_candidates_changes_nothing_else():
    X, y, _ = data(5)
    rising, mixed = LogisticRegressionCV(Cs=CS).fit(X, y), LogisticRegressionCV(Cs=[3.0, 0.003, 0.1]).fit(X, y)
    assert_array_equal(mixed.Cs_, [3.0, 0.003, 0.1])
    assert_array_equal(mixed.scores_[1], rising.scores_[1][:, [2, 0, 1]])
    assert_array_equal(mixed.coefs_paths_[1], rising.coefs_paths_[1][:, [2, 0, 1]])
    assert_array_equal(mixed.n_iter_, rising.n_iter_[:, :, [2, 0, 1]])
    assert_array_equal(mixed.coef_, rising.coef_)


def test_no_penalty_is_a_candidate():
    X, y, _ = data(12)
    model = LogisticRegressionCV(Cs=[0.1, np.inf], scoring="deviance", cv=3).fit(X, y)
    train = next(StratifiedKFold(3).split(X, y))[0]
    fit = LogisticRegression(C=np.inf).fit(X[train], y[train])
    assert_allclose(model.coefs_paths_[1][0, 1], [*fit.coef_[0], *fit.intercept_], atol=1e-4)


def test_of_equal_scores_the_smallest_C_wins():
    X, y, _ = data(6)
    constant = LogisticRegressionCV(Cs=[1.0, 0.1, 10.0], scoring=lambda model, X, y: 0.5).fit(X, y)
    assert constant.C_[0] == 0.1


@pytest.mark.parametrize("storage", [sparse.csr_matrix, sparse.csc_array, np.asfortranarray])
def test_storages(storage):
    X, y, weights = data(7)
    X[np.abs(X) < 0.5] = 0.0
    dense = LogisticRegressionCV(Cs=CS, scoring="deviance").fit(X, y, sample_weight=weights)
    other = LogisticRegressionCV(Cs=CS, scoring="deviance").fit(storage(X), y, sample_weight=weights)
    assert_allclose(other.scores_[1], dense.scores_[1], atol=1e-5)
    assert_allclose(other.coef_, dense.coef_, atol=1e-4)


def test_float32_and_pickles():
    X, y, _ = data(8)
    model = LogisticRegressionCV(Cs=CS).fit(X.astype(np.float32), y)
    assert model.coef_.dtype == model.intercept_.dtype == np.float32
    again = pickle.loads(pickle.dumps(model))
    assert_array_equal(again.predict_proba(X), model.predict_proba(X))
    assert_array_equal(again.coefs_paths_[1], model.coefs_paths_[1])


def test_leave_one_out_has_folds_of_one_class():
    X, y, _ = data(9, n=25)
    for scoring, times in (("deviance", 2.0), ("neg_log_loss", 1.0)):
        model = LogisticRegressionCV(Cs=CS, cv=LeaveOneOut(), scoring=scoring).fit(X, y)
        fit = LogisticRegression(C=CS[1]).fit(X[1:], y[1:])
        assert model.scores_[1][0, 1] == pytest.approx(times * fit.predict_log_proba(X[:1])[0, y[0]], abs=1e-5)


def test_a_scorer_with_parameters_and_groups():
    X, y, _ = data(10)
    groups = np.arange(len(y)) % 6
    scorer = make_scorer(log_loss, response_method="predict_proba", greater_is_better=False, normalize=False)
    model = LogisticRegressionCV(Cs=CS, cv=GroupKFold(3), scoring=scorer).fit(X, y, groups=groups)
    with config_context(enable_metadata_routing=True):
        routed = LogisticRegressionCV(Cs=CS, cv=GroupKFold(3), scoring=scorer).fit(X, y, groups=groups)
    assert_array_equal(model.scores_[1], routed.scores_[1])
    plain = LogisticRegressionCV(Cs=CS, cv=GroupKFold(3), scoring="neg_log_loss").fit(X, y, groups=groups)
    assert_allclose(model.scores_[1], 30 * plain.scores_[1])


def test_any_number_of_threads_gives_the_same_bits():
    X, y, _ = data(11, n=300, p=40)
    one, two = (LogisticRegressionCV(l1_ratios=(1.0,), n_jobs=jobs).fit(X, y) for jobs in (1, 2))
    assert_array_equal(one.coefs_paths_[1], two.coefs_paths_[1])


@pytest.mark.parametrize(
    ("parameters", "error", "match"),
    [
        ({"Cs": 0}, ValueError, "Cs=0: the number of candidates must be at least 1"),
        ({"Cs": 0.5}, TypeError, "Cs must be the number of candidates"),
        ({"Cs": []}, ValueError, "Cs must be 1-d and not empty"),
        ({"Cs": [1.0, -1.0]}, ValueError, r"Cs\[1\]=-1.0 must be positive"),
        ({"Cs": [1.0, 1.0]}, ValueError, "Cs holds a value more than once"),
        ({"l1_ratios": 0.5}, ValueError, "l1_ratios must be a sequence"),
        ({"l1_ratios": [0.5, 2.0]}, ValueError, r"l1_ratio must lie in \[0, 1\]"),
        ({"penalty": None}, ValueError, "penalty=None must be one of"),
        ({"penalty": "elasticnet"}, ValueError, "l1_ratios must be specified"),
        ({"scoring": 3}, ValueError, "scoring=3"),
        ({"selection_rule": "max"}, ValueError, "selection_rule='max' must be one of 'min', '1se'"),
        ({"selection_rule": "1se", "refit": False}, ValueError, "selection_rule='1se' needs refit=True"),
        ({"refit": 1}, TypeError, "refit"),
        ({"use_legacy_attributes": "warn"}, TypeError, "use_legacy_attributes"),
        ({"cv": [(np.arange(50), np.arange(50, 90))]}, ValueError, "cv gives 1 fold"),
        ({"cv": [(np.arange(50), np.arange(50, 91))] * 2}, ValueError, "test rows from 50 to 90"),
        ({"class_weight": {0: 0.0}}, ValueError, "all rows of class"),
        ({"max_iter": 0}, ValueError, "max_iter"),
    ],
)
def test_bad_parameters_are_named(parameters, error, match):
    X, y, _ = data()
    model = LogisticRegressionCV(**parameters)
    with pytest.raises(error, match=match):
        model.fit(X, y)
    assert not vars(model).keys() & {"coef_", "classes_", "n_features_in_"}


def test_a_fold_without_a_class_is_named():
    X, y, _ = data()
    order = np.argsort(y)
    with pytest.raises(ValueError, match="cv leaves fold 0 no row of class .*0.* to fit"):
        LogisticRegressionCV(cv=KFold(2)).fit(X[order], y[order])
    LogisticRegressionCV(cv=StratifiedKFold(2), Cs=2).fit(X[order], y[order])
    weights = 1.0 * (np.arange(90) < 45) + (y == 0)
    with pytest.raises(ValueError, match="or none of positive weight"):
        LogisticRegressionCV(cv=KFold(2)).fit(X, y, sample_weight=weights)


def test_a_contradiction_is_warned_about():
    X, y, _ = data()
    with pytest.warns(UserWarning, match="penalty='l2' leaves l1_ratios without effect"):
        model = LogisticRegressionCV(penalty="l2", l1_ratios=(0.5, 1.0), Cs=2).fit(X, y)
    assert model.l1_ratio_[0] == 0.0
