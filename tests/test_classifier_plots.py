"""Pictures, tables and frames of classifiers: regions of two features, a panel for each class, the search for C."""

import sys

import numpy as np
import pandas as pd
import polars as pl
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.neighbors import KNeighborsClassifier
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

from fastreg import (
    ElasticNetCV,
    LogisticRegression,
    LogisticRegressionCV,
    RidgeClassifier,
    SquaredHingeClassifier,
    fit_path,
    plot_decision_boundary,
)


@pytest.fixture(autouse=True)
def pyplot():
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("agg")
    from matplotlib import pyplot

    yield pyplot
    pyplot.close("all")


def data(classes=2, n=90, p=4):
    rng = np.random.default_rng(2)
    X = rng.standard_normal((n, p)) + [1, -1, 0, 2][:p]
    scores = np.column_stack([X[:, 0], -X[:, 1], np.full(n, 1.5)])[:, :classes]
    scores += 0.5 * rng.standard_normal((n, classes))
    return X, np.array(["red", "green", "blue"])[scores.argmax(axis=1)]


def boundary(ax):
    """The points of the lines between the regions."""
    from matplotlib.contour import QuadContourSet

    lines = [one for one in ax.collections if isinstance(one, QuadContourSet) and not one.filled]
    return np.vstack([path.vertices for one in lines for path in one.get_paths()])


def regions(ax, points):
    """Which of the filled regions, in the order of the classes, hold a point."""
    from matplotlib.contour import QuadContourSet

    filled = [one for one in ax.collections if isinstance(one, QuadContourSet) and one.filled]
    return np.array([[any(path.contains_point(x) for path in one.get_paths()) for one in filled] for x in points])


# Decision boundaries


@pytest.mark.parametrize("l1_ratio", [0.0, 1.0])
def test_the_boundary_of_two_classes(l1_ratio):
    X, y = data()
    model = LogisticRegression(C=0.1, l1_ratio=l1_ratio).fit(X, y)
    ax = plot_decision_boundary(model, X, y, features=(1, 0))
    line = boundary(ax)
    at = np.tile(X.mean(axis=0), (len(line), 1))  # the other features at their means
    at[:, 1], at[:, 0] = line.T
    assert_allclose(model.decision_function(at), 0, atol=1e-9)
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("x1", "x0")
    assert ax.get_xlim()[0] < X[:, 1].min() < X[:, 1].max() < ax.get_xlim()[1]


@pytest.mark.parametrize(
    "model",
    [
        LogisticRegression(C=10.0),
        SquaredHingeClassifier(),
        RidgeClassifier(),
        SVC(kernel="linear"),
        KNeighborsClassifier(),
        DecisionTreeClassifier(max_depth=3, random_state=0),
    ],
    ids=lambda model: type(model).__name__,
)
@pytest.mark.parametrize("classes", [2, 3])
def test_regions_are_the_predictions(model, classes):
    X, y = data(classes, p=2)
    model = model.fit(X, y)
    ax = plot_decision_boundary(model, X, y)
    rng = np.random.default_rng(0)
    points = rng.uniform(X.min(axis=0), X.max(axis=0), (60, 2))
    held = regions(ax, points)
    assert held.shape == (60, classes)
    known = model.classes_[held.argmax(axis=1)] == model.predict(points)
    assert (known & (held.sum(axis=1) == 1)).mean() > 0.93  # a step of the grid beside a boundary may be off


def test_the_points_and_the_legend():
    from matplotlib.collections import PathCollection

    X, y = data(3)
    model = LogisticRegression(C=0.05).fit(X, y)
    wrong = model.predict(X) != y
    ax = plot_decision_boundary(model, X, y)
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert labels == ["blue", "green", "red", f"predicted wrong: {wrong.sum()}"]
    points = [one.get_offsets() for one in ax.collections if isinstance(one, PathCollection)]
    for k, label in enumerate(model.classes_):
        assert_array_equal(np.vstack(points[2 * k : 2 * k + 2]), np.vstack(
            [X[(y == label) & ~wrong][:, :2], X[(y == label) & wrong][:, :2]]))  # fmt: skip
    sure = plot_decision_boundary(LogisticRegression(C=1e4).fit(X[:4], ["a", "a", "b", "b"]), X[:4], list("aabb"))
    assert [text.get_text() for text in sure.get_legend().get_texts()] == ["a", "b"]


def test_frames_sparse_matrices_and_axes(pyplot):
    X, y = data()
    names = ["a", "b", "c", "d"]
    own = pyplot.figure().subplots()
    plain = boundary(plot_decision_boundary(LogisticRegression().fit(X, y), X, y, features=(2, 0), ax=own))
    for frame in (pd.DataFrame(X, columns=names), pl.DataFrame(dict(zip(names, X.T, strict=True)))):
        ax = plot_decision_boundary(LogisticRegression().fit(frame, y), frame, y, features=("c", 0))
        assert (ax.get_xlabel(), ax.get_ylabel()) == ("c", "a")
        assert_allclose(boundary(ax), plain)
    S = sparse.csr_array(X)
    ax = plot_decision_boundary(LogisticRegression().fit(S, y), S, y, features=(2, 0))
    assert_allclose(boundary(ax), plain, atol=1e-6)
    assert plot_decision_boundary(LogisticRegression().fit(X, y), X, y, ax=own) is own
    # one region alone
    model = LogisticRegression().fit(X, y)
    model.intercept_ = model.intercept_ + 100
    ax = plot_decision_boundary(model, X, y)
    ax.figure.canvas.draw()
    assert regions(ax, X[:3, :2]).tolist() == [[True]] * 3


def test_many_features_are_drawn_in_little_memory():
    import tracemalloc

    rng = np.random.default_rng(0)
    X = rng.standard_normal((20, 50_000))
    y = X[:, 0] > 0
    model = LogisticRegression(l1_ratio=1.0).fit(X, y)
    model.coef_ = np.zeros((1, 50_000))
    model.coef_[0, [0, 1, 9]] = 1.0, 0.5, 0.1
    tracemalloc.start()
    ax = plot_decision_boundary(model, X, y)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 5 * X.nbytes
    line = boundary(ax)
    at = np.tile(X.mean(axis=0), (len(line), 1))
    at[:, :2] = line
    assert_allclose(model.decision_function(at), 0, atol=1e-9)


def test_what_cannot_be_drawn(monkeypatch):
    X, y = data()
    model = LogisticRegression().fit(X, y)
    frame = pd.DataFrame(X, columns=list("abcd"))
    for features, message in (
        ((0, 4), "numbers from 0 to 3 or names; 4 is none"),
        ((0, "e"), "'e' is none"),
        ((0, -1), "-1 is none"),
        ((0, True), "True is none"),
        ((0, 1.0), "1.0 is none"),
        ("a", r"features must be two different columns; they are 'a'"),
        ((0, 1, 2), "two different columns"),
        ((1, "b"), "two different columns"),
    ):
        with pytest.raises(ValueError, match=message):
            plot_decision_boundary(model, frame, y, features=features)
    with pytest.raises(ValueError, match="y must hold a label for each of the 90 rows of X"):
        plot_decision_boundary(model, X, y[:5])
    with pytest.raises(ValueError, match="X must be 2-d"):
        plot_decision_boundary(model, X[0], y)
    with pytest.raises(TypeError, match="model must be a fitted classifier"):
        plot_decision_boundary(LogisticRegression(), X, y)
    with pytest.raises(TypeError, match="model must be a fitted classifier"):
        plot_decision_boundary(fit_path(X, X[:, 0]), X, y)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match=r'pip install "fastreg-solvers\[plot\]"'):
        plot_decision_boundary(model, X, y)


# Paths of several classes


def test_a_panel_for_each_class(pyplot):
    X, y = data(3)
    frame = pd.DataFrame(X, columns=["a", "b", "c", "d"])
    path = fit_path(frame, y, loss="multinomial", alphas=15)
    axes = path.plot(n_labels=2)
    assert axes.shape == (3,)
    assert [ax.get_title() for ax in axes] == ["class blue", "class green", "class red"]
    assert len({ax.get_ylim() for ax in axes}) == 1
    colors = {}
    for ax, part in zip(axes, path.coefs, strict=True):
        coefs = part.toarray()
        named = [text.get_text() for text in ax.texts]
        order = [j for j in np.argsort(-np.abs(coefs[:, -1])) if coefs[j, -1] != 0][:2]
        assert sorted(named) == sorted("abcd"[j] for j in order)
        lines = {line.get_label(): line for line in ax.lines if line.get_label() in list("abcd")}
        for j in order:
            assert_array_equal(lines["abcd"[j]].get_ydata(), coefs[j])
            assert colors.setdefault(j, lines["abcd"[j]].get_color()) == lines["abcd"[j]].get_color()
        ax.figure.canvas.draw()
        (top,) = ax.child_axes
        counts = np.count_nonzero(coefs, axis=0)
        shown = [tick.get_text() for tick in top.get_xticklabels()]
        assert (shown[0], shown[-1]) == (str(counts[0]), str(counts[-1]))
    assert len(set(colors.values())) == len(colors)

    own = pyplot.figure().subplots(3)
    assert path.plot(ax=list(own)).tolist() == own.tolist()
    for wrong in (own[0], own[:2]):
        with pytest.raises(ValueError, match=r"ax must be a sequence of 3 axes, one for each class, or None; it holds"):
            path.plot(ax=wrong)
    with pytest.raises(ValueError, match="ax must be axes, or None; it holds 3"):
        fit_path(X, y == "red", loss="logistic").plot(ax=own)


def test_panels_stand_in_rows_of_three():
    X, _ = data()
    y = np.arange(90) % 5
    axes = fit_path(X, y, loss="multinomial", alphas=4).plot()
    assert len(axes[0].figure.axes) == 5
    assert len({round(ax.get_position().y0, 2) for ax in axes[:3]}) == 1
    assert axes[3].get_position().y0 < axes[0].get_position().y0


# LogisticRegressionCV


def searched(**options):
    X, y = data(2)
    options = {"Cs": [10.0, 0.01, 0.3, 1.0], "l1_ratios": (0.5, 1.0), "scoring": "deviance", "cv": 3, **options}
    return LogisticRegressionCV(**options).fit(X, y)


def curves(ax, count):
    return {line.get_label(): line for line in ax.lines if len(line.get_xdata()) == count}


def test_plot_of_the_search_for_C(pyplot):
    model = searched()
    own = pyplot.figure().subplots()
    assert model.plot(ax=own) is own
    assert (own.get_xlabel(), own.get_ylabel()) == ("C", "mean deviance of held-out rows")
    assert own.get_xlim() == (0.01, 10.0)  # the strongest penalty on the left
    for r, label in enumerate(("l1_ratio 0.5", "l1_ratio 1")):
        line = curves(own, 4)[label]
        assert_array_equal(line.get_xdata(), [0.01, 0.3, 1.0, 10.0])
        assert_array_equal(line.get_ydata(), model.cv_results_["mean_error"][r])
    marks = [line for line in own.lines if len(set(line.get_xdata())) == 1]
    assert [line.get_xdata()[0] for line in marks] == [model.C_min_, model.C_1se_]
    assert "smallest error: C " in marks[0].get_label()
    (top,) = own.child_axes
    assert top.get_xlabel() == f"features at l1_ratio {model.l1_ratio_[0]:g}"


@pytest.mark.parametrize(
    ("scoring", "words"),
    [
        (None, "minus accuracy"),
        ("neg_log_loss", "log loss"),
        ("roc_auc", "minus roc_auc"),
        ("deviance", "mean deviance"),
        (lambda model, X, y: float((model.predict(X) == y).mean()), "score with a minus"),
    ],
)
def test_the_error_is_called_by_its_scoring(scoring, words):
    model = searched(scoring=scoring, Cs=[np.inf, 1.0], l1_ratios=None)
    ax = model.plot()  # C = inf has no place on the axis
    assert ax.get_ylabel() == f"{words} of held-out rows"
    assert all(np.isfinite(line.get_xdata()).all() for line in ax.lines)
    with pytest.raises(ValueError, match="the model has no finite C to draw"):
        searched(Cs=[np.inf]).plot()


def test_of_equal_scores_the_table_marks_what_was_chosen():
    model = searched(scoring=lambda model, X, y: 1.0)
    assert (model.C_[0], model.l1_ratio_[0]) == (0.01, 0.5)
    head, *lines = model.summary().splitlines()
    assert [line for line in lines if "min" in line] == [lines[0]]
    model = searched(scoring=lambda model, X, y: float(np.abs(model.decision_function(X)).max() > 1), refit=False)
    assert sum("min" in line for line in model.summary().splitlines()[1:]) == 1
    model.plot()


def test_summary_and_frame():
    model = searched()
    found = model.cv_results_
    head, *lines = model.summary().splitlines()
    assert head.split() == ["l1_ratio", "C", "mean", "error", "std.", "error", "features", "rel.", "gap"]
    assert len(lines) == 8
    assert lines[5].split()[:3] == ["1", "0.3", f"{found['mean_error'][1, 1]:.6g}"]
    marked = [line for line in lines if "min" in line]
    assert len(marked) == 1
    assert marked[0].split()[:2] == [f"{model.l1_ratio_[0]:g}", f"{model.C_min_:g}"]
    frame = model.to_frame()
    assert frame.index.names == ["l1_ratio", "C"]
    assert list(frame.columns) == ["mean_error", "standard_error", "n_features", "relative_gap"]
    assert frame.loc[(1.0, 0.3), "mean_error"] == found["mean_error"][1, 1]
    assert frame.loc[(0.5, 10.0), "relative_gap"] == found["relative_gaps"][0, 3].max()
    single = searched(l1_ratios=None).to_frame()
    assert single.index.names == ["C"]
    from sklearn.exceptions import NotFittedError

    for name in ("plot", "summary", "to_frame"):
        with pytest.raises(NotFittedError):
            getattr(LogisticRegressionCV(), name)()


def test_searches_share_their_folds_and_routing():
    assert LogisticRegressionCV._splits is ElasticNetCV._splits
    assert LogisticRegressionCV.get_metadata_routing is ElasticNetCV.get_metadata_routing
