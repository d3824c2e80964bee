"""StabilitySelection: the counts are those of one path after the other, each on half of the rows."""

import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.base import clone
from sklearn.exceptions import DataConversionWarning, NotFittedError
from sklearn.feature_selection import SelectFromModel
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from fastreg import StabilitySelection, fit_path
from fastreg.models import stability
from fastreg.selection.stability import half_samples

STORAGES = {"C": np.ascontiguousarray, "F": np.asfortranarray, "csc": sparse.csc_matrix, "csr": sparse.csr_array}

# Rows are drawn, not weight, as where scikit-learn itself draws rows.
DRAWN = {
    f"check_sample_weight_equivalence_on_{kind}_data": "a row that comes twice is drawn twice as often"
    for kind in ("dense", "sparse")
}


@parametrize_with_checks(
    [
        StabilitySelection(alphas=10, n_pairs=10),
        StabilitySelection(alphas=10, n_pairs=5, complementary_pairs=False, l1_ratio=0.5, standardize=False),
    ],
    expected_failed_checks=lambda estimator: DRAWN,
)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
def test_scikit_learns_checks(estimator, check):
    check(estimator)


def data(seed=0, n=41, p=12, dtype=np.float64):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p)) * rng.uniform(0.5, 3, p) + rng.normal(size=p) * 2
    X[rng.random((n, p)) < 0.3] = 0.0
    X = X.astype(dtype)
    y = X[:, :3] @ [2.0, -1.0, 0.5] + 2 * rng.normal(size=n)
    weights = rng.uniform(0.1, 2, n)
    weights[[3, 17]] = 0.0
    return X, y, weights


def by_hand(X, y, weights, halves, alphas, q=None, **options):
    """Shares (p, L) and numbers of features (B,), from one `fit_path` on the rows of each half after the other."""
    shares, sizes = np.zeros((X.shape[1], len(alphas))), []
    factor = options.get("penalty_factor")
    for rows in halves:
        w = None if weights is None else weights[rows]
        path = fit_path(X[rows], y[rows], sample_weight=w, alphas=alphas, **options)
        chosen = path.coefs.toarray() != 0
        entered = np.logical_or.accumulate(chosen, axis=1)
        if factor is not None:
            entered[factor == 0] = False
        if q is not None and (over := entered.sum(axis=0) > q).any():
            stop = over.argmax()
            chosen[:, stop:] = (
                chosen[:, [stop - 1]] if stop else (factor == 0)[:, None] if factor is not None else False
            )
            entered = entered[:, :stop]
        shares += chosen / len(halves)
        sizes.append(entered.any(axis=1).sum())
    return shares, np.array(sizes)


@pytest.mark.parametrize("storage", STORAGES)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("complementary", [False, True])
@pytest.mark.parametrize("shape", [(41, 12), (30, 60)])
def test_probabilities_are_those_of_a_loop(storage, weighted, complementary, shape):
    X, y, weights = data(n=shape[0], p=shape[1])
    weights = weights if weighted else None
    model = StabilitySelection(alphas=8, n_pairs=4, complementary_pairs=complementary, random_state=5)
    model.fit(STORAGES[storage](X), y, sample_weight=weights)
    rows = np.arange(len(y)) if weights is None else np.flatnonzero(weights)
    halves = half_samples(rows, 4, complementary, np.random.default_rng(5))
    shares, sizes = by_hand(X, y, weights, halves, model.alphas_, standardize=True)
    assert_allclose(model.probabilities_, shares, atol=1e-12)
    assert_allclose(model.max_probabilities_, shares.max(axis=1))
    assert model.n_selected_mean_ == sizes.mean()
    assert model.probabilities_.dtype == np.float64
    whole = fit_path(X, y, sample_weight=weights, alphas=8, eps=0.05, standardize=True)
    assert_allclose(model.alphas_, whole.alphas)


@pytest.mark.parametrize("q", [None, 1, 3, 5])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_modifiers_and_the_most_features(q, dtype):
    X, y, weights = data(1, dtype=dtype)
    options = {"penalty_factor": np.array([0, 1, 2, np.inf] * 3), "l1_ratio": 0.7, "fit_intercept": False,
               "standardize": False}  # fmt: skip
    model = StabilitySelection(alphas=[0.5, 3.0, 0.1, 0.02], n_pairs=6, max_features=q, random_state=0, **options)
    model.fit(X, y, sample_weight=weights)
    halves = half_samples(np.flatnonzero(weights), 6, True, np.random.default_rng(0))
    shares, sizes = by_hand(X, y, weights, halves, model.alphas_, q, **options)
    assert_array_equal(model.alphas_, [3.0, 0.5, 0.1, 0.02])
    assert_allclose(model.probabilities_, shares, atol=1e-12)
    assert model.n_selected_mean_ == sizes.mean()
    assert q is None or sizes.max() <= q
    assert_array_equal(model.probabilities_[::4], 1.0)
    assert_array_equal(model.probabilities_[3::4], 0.0)
    assert_allclose(model.error_bound_, sizes.mean() ** 2 / (0.2 * 6))


def test_a_capped_path_keeps_what_it_had():
    X, y, _ = data(2, n=60, p=30)
    free, capped = (
        StabilitySelection(alphas=12, n_pairs=5, max_features=q, random_state=1).fit(X, y) for q in (None, 4)
    )
    assert capped.n_selected_mean_ <= 4 < free.n_selected_mean_
    assert_array_equal(capped.probabilities_[:, 0], free.probabilities_[:, 0])
    assert capped.probabilities_[:, -1].sum() > 2  # not emptied where the cap was met


def test_complementary_pairs_share_no_row():
    rows = np.array([2, 3, 5, 7, 11, 13, 17])
    halves = half_samples(rows, 30, True, np.random.default_rng(0))
    assert len(halves) == 60
    left_over = set()
    for first, second in zip(halves[::2], halves[1::2], strict=True):
        assert len(first) == len(second) == 3
        both = {*first.tolist(), *second.tolist()}
        assert len(both) == 6
        left_over |= set(rows.tolist()) - both
    assert left_over == set(rows.tolist())
    independent = half_samples(rows, 30, False, np.random.default_rng(0))
    assert len(independent) == 60
    assert all(len(set(half.tolist())) == 3 for half in independent)
    assert any(set(a.tolist()) & set(b.tolist()) for a, b in zip(independent[::2], independent[1::2], strict=True))


def test_the_halves_are_those_of_random_state():
    X, y, _ = data(3, n=200, p=40)
    model = StabilitySelection(alphas=10, n_pairs=5, random_state=7, n_jobs=1).fit(X, y)
    again = clone(model).set_params(n_jobs=2).fit(X, y)
    assert_array_equal(model.probabilities_, again.probabilities_)
    assert model.n_selected_mean_ == again.n_selected_mean_
    assert (clone(model).set_params(random_state=8).fit(X, y).probabilities_ != model.probabilities_).any()
    drawn = [
        clone(model).set_params(random_state=kind(3)).fit(X, y).probabilities_
        for kind in (np.random.RandomState, np.random.RandomState, np.random.default_rng, np.random.default_rng)
    ]
    assert_array_equal(drawn[0], drawn[1])
    assert_array_equal(drawn[2], drawn[3])


@pytest.mark.parametrize("q", [None, 4])
def test_columns_scale_and_sign_make_no_difference(q):
    X, y, _ = data(4)
    model = StabilitySelection(alphas=15, n_pairs=5, max_features=q, random_state=0)
    shares = clone(model).fit(X, y).probabilities_
    order = np.random.default_rng(0).permutation(X.shape[1])
    assert_array_equal(clone(model).fit(X[:, order], y).probabilities_, shares[order])
    assert_array_equal(clone(model).fit(X, 1e3 * y - 5).probabilities_, shares)
    assert_array_equal(clone(model).fit(X * np.geomspace(1e-3, 1e3, X.shape[1]), -y).probabilities_, shares)
    assert_array_equal(clone(model).fit(X, y, sample_weight=np.full(len(y), 3.0)).probabilities_, shares)


def test_rows_that_weigh_nothing_are_never_drawn():
    X, y, weights = data(5)
    model = StabilitySelection(alphas=10, n_pairs=10, random_state=0)
    kept = np.flatnonzero(weights)
    without = clone(model).fit(X[kept], y[kept], sample_weight=weights[kept])
    X[3], y[17] = 1e5, -1e5
    assert_array_equal(clone(model).fit(X, y, sample_weight=weights).probabilities_, without.probabilities_)


def test_signal_is_found_and_noise_is_not():
    rng = np.random.default_rng(6)
    X = rng.normal(size=(120, 300))
    y = X[:, 10:15].sum(axis=1) + rng.normal(size=120)
    model = StabilitySelection(alphas=20, n_pairs=15, max_features=10, threshold=0.8, random_state=0).fit(X, y)
    assert_array_equal(model.get_support(indices=True), np.arange(10, 15))
    assert model.error_bound_ == model.n_selected_mean_**2 / ((2 * 0.8 - 1) * 300)
    assert model.error_bound_ < 0.6
    noise = clone(model).fit(X, rng.normal(size=120))
    assert not noise.get_support().any()


def test_the_threshold_can_be_changed_after_the_fit():
    X, y, _ = data(7)
    model = StabilitySelection(alphas=10, n_pairs=10, random_state=0).fit(X, y)
    bound = model.error_bound_
    for threshold in (0.55, 0.6, 0.9, 1.0):
        model.set_params(threshold=threshold)
        assert_array_equal(model.get_support(), model.max_probabilities_ >= threshold)
        assert_allclose(model.error_bound_, bound * 0.2 / (2 * threshold - 1))
    model.set_params(threshold=0.5)
    with pytest.raises(ValueError, match="threshold must lie above 0.5"):
        model.get_support()
    assert not hasattr(StabilitySelection(), "error_bound_")
    for call in (StabilitySelection().get_support, StabilitySelection().plot):
        with pytest.raises(NotFittedError):
            call()


def test_large_results_are_sparse(monkeypatch):
    X, y, _ = data(8)
    model = StabilitySelection(alphas=6, n_pairs=3, random_state=0)
    dense = clone(model).fit(X, y)
    monkeypatch.setattr(stability, "_DENSE", 70)
    large = clone(model).fit(X, y)
    assert isinstance(dense.probabilities_, np.ndarray)
    assert isinstance(large.probabilities_, sparse.csc_array)
    assert_array_equal(large.probabilities_.toarray(), dense.probabilities_)
    assert_array_equal(large.max_probabilities_, dense.max_probabilities_)
    assert large.max_probabilities_.shape == (12,)


def test_as_a_step_of_scikit_learn():
    pd = pytest.importorskip("pandas")
    X, y, _ = data(9, n=100)
    frame = pd.DataFrame(X, columns=[f"f{j}" for j in range(12)])
    selection = StabilitySelection(alphas=10, n_pairs=10, threshold=0.9, max_features=4, random_state=0)
    pipeline = make_pipeline(StandardScaler(), selection, LinearRegression()).fit(X, y)
    step, last = pipeline[1], pipeline[2]
    assert 2 <= len(last.coef_) == step.get_support().sum() < 12
    assert_allclose(pipeline.predict(X), LinearRegression().fit(step.transform(X), y).predict(step.transform(X)))
    model = clone(selection).fit(frame, y)
    used = model.get_support()
    assert_array_equal(model.feature_names_in_, frame.columns)
    assert_array_equal(model.get_feature_names_out(), frame.columns[used])
    assert_array_equal(model.transform(frame), X[:, used])
    assert_array_equal(model.set_output(transform="pandas").transform(frame).columns, frame.columns[used])
    same = SelectFromModel(clone(selection), importance_getter="max_probabilities_", threshold=0.9).fit(frame, y)
    assert_array_equal(same.get_support(), used)
    assert not hasattr(model.fit(X, y), "feature_names_in_")
    assert_array_equal(clone(selection).fit(X, y).transform(sparse.csc_matrix(X)).toarray(), X[:, used])


def test_nothing_to_select():
    X, y, _ = data(10)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        constant = StabilitySelection(alphas=5, n_pairs=3, random_state=0).fit(X, np.full(len(y), 2.0))
        one_row = np.zeros(len(y))
        one_row[0] = 1.0  # constant in one half of each pair
        single = StabilitySelection(alphas=5, n_pairs=3, random_state=0).fit(X, one_row)
        pair = StabilitySelection(alphas=5, n_pairs=3, random_state=0).fit(X[:2], y[:2])
    assert constant.max_probabilities_.max() == constant.n_selected_mean_ == constant.error_bound_ == 0
    assert single.max_probabilities_.max() <= 0.5
    assert pair.max_probabilities_.max() == 0
    X[:, 0] = 1.0
    assert StabilitySelection(alphas=5, n_pairs=3).fit(X, y).max_probabilities_[0] == 0


@pytest.mark.parametrize(
    ("parameters", "match"),
    [
        ({"threshold": 0.5}, "threshold must lie above 0.5.*it is 0.5"),
        ({"threshold": 1.1}, "threshold must lie above 0.5"),
        ({"threshold": "high"}, "threshold must be a number"),
        ({"n_pairs": 0}, "n_pairs must be at least 1; it is 0"),
        ({"n_pairs": 2.5}, "n_pairs must be an integer"),
        ({"max_features": 0}, "max_features must be at least 1"),
        ({"max_features": True}, "max_features must be an integer"),
        ({"complementary_pairs": 1}, "complementary_pairs must be True or False"),
        ({"l1_ratio": 0.0}, "l1_ratio=0 is ridge regression, which selects every feature"),
        ({"l1_ratio": 0.0, "alphas": [1.0]}, "l1_ratio=0"),
        ({"l1_ratio": 2}, "l1_ratio"),
        ({"alphas": [1.0, 0.0]}, "alphas must be > 0 here"),
        ({"alphas": 0}, "number of alphas must be at least 1"),
        ({"eps": 2}, "eps"),
        ({"penalty_factor": np.zeros(12)}, "penalises no feature"),
        ({"penalty_factor": [1, 2]}, "penalty_factor must have shape"),
        ({"random_state": "seed"}, "random_state must be an integer"),
        ({"random_state": -1}, "random_state must lie between"),
        ({"n_jobs": 0}, "n_jobs"),
        ({"tol": -1}, "tol"),
        ({"max_iter": 0}, "max_iter"),
        ({"standardize": "yes"}, "standardize must be True or False"),
    ],
)
def test_bad_parameters_are_named(parameters, match):
    X, y, _ = data()
    model = StabilitySelection(**parameters)
    with pytest.raises((ValueError, TypeError), match=match):
        model.fit(X, y)
    assert not hasattr(model, "probabilities_")


def test_bad_data_is_named():
    X, y, weights = data()
    model = StabilitySelection(alphas=5, n_pairs=2, random_state=0)
    with pytest.raises(ValueError, match="y must be 1-d; it has 2 columns"):
        model.fit(X, np.column_stack([y, y]))
    with pytest.raises(ValueError, match=r"X has 1 sample\(s\) of positive weight; at least 2"):
        model.fit(X, y, sample_weight=np.arange(len(y)) == 4)
    with pytest.raises(ValueError, match="sample_weight must have shape"):
        model.fit(X, y, sample_weight=weights[1:])
    with pytest.raises(ValueError, match="y contains NaN"):
        model.fit(X, np.where(y > 0, y, np.nan))
    with pytest.warns(DataConversionWarning, match="column-vector y"):
        column = clone(model).fit(X, y[:, None])
    assert_array_equal(column.probabilities_, model.fit(X, y).probabilities_)
    X[3, 4] = np.nan
    with pytest.raises(ValueError, match="row 3, column 4"):
        model.fit(X, y)


# Pictures


@pytest.fixture
def pyplot():
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("agg")
    from matplotlib import pyplot

    yield pyplot
    pyplot.close("all")


@pytest.fixture(scope="module")
def fitted():
    X, y, _ = data(11, n=60, p=40)
    return StabilitySelection(alphas=15, n_pairs=10, max_features=8, random_state=0).fit(X, y)


def curves(ax):
    """Probability paths by what they look like: [named lines], [grey ones]."""
    lines = [line for line in ax.lines if len(line.get_xdata()) == 15]
    return lines, [segment for collection in ax.collections for segment in collection.get_segments()]


def test_plot_names_what_is_selected(pyplot, fitted):
    own = pyplot.figure().subplots()
    assert fitted.plot(ax=own) is own
    selected = fitted.get_support(indices=True)
    assert 3 <= len(selected) <= 8
    lines, rest = curves(own)
    assert sorted(text.get_text() for text in own.texts) == sorted(f"x{j}" for j in selected)
    assert len(lines) == len(selected)
    assert len({line.get_color() for line in lines}) == len(selected)
    assert len(lines) + len(rest) == np.count_nonzero(fitted.max_probabilities_)
    order = np.argsort(-fitted.max_probabilities_[selected], kind="stable")
    drawn = np.array([line.get_ydata().max() for line in lines])
    assert_allclose(drawn, fitted.max_probabilities_[selected[order]])
    assert_allclose(own.get_xlim(), fitted.alphas_[[0, -1]])
    assert own.get_xscale() == "log"
    (label,) = [text.get_text() for text in own.get_legend().get_texts()]
    assert label == f"threshold 0.6: {len(selected)} of 40 features selected"
    own.figure.canvas.draw()
    (top,) = own.child_axes
    shown = [int(tick.get_text()) for tick in top.get_xticklabels()]
    assert shown[-1] == round(fitted.probabilities_[:, -1].sum())


def test_plot_with_fewer_names_and_other_thresholds(pyplot, fitted, monkeypatch):
    ax = fitted.plot(n_labels=2)
    lines, rest = curves(ax)
    assert len(ax.texts) == len(lines) == 2
    assert len(rest) == np.count_nonzero(fitted.max_probabilities_) - 2
    assert f"selected, not named: {fitted.get_support().sum() - 2}" in [
        t.get_text() for t in ax.get_legend().get_texts()
    ]
    with pytest.raises(ValueError, match="n_labels"):
        fitted.plot(n_labels=-1)
    X, y, _ = data(11, n=60, p=40)
    monkeypatch.setattr(stability, "_DENSE", 1)
    one = StabilitySelection(alphas=[0.3], n_pairs=5, random_state=0).fit(X, y)
    ax = one.plot(n_labels=1)
    assert len(ax.texts) == 1
    ax.figure.canvas.draw()
    none = StabilitySelection(alphas=4, n_pairs=5, random_state=0).fit(X, np.ones(60))
    assert len(none.plot().texts) == 0
    none.plot().figure.canvas.draw()


def test_plot_without_matplotlib_says_what_to_install(fitted, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "matplotlib", None)
    with pytest.raises(ImportError, match=r'pip install "fastreg-solvers\[plot\]"'):
        fitted.plot()
