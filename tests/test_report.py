from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import sparse

from fastreg import fit_path
from fastreg.report.compare import compare, reading, split
from fastreg.report.data import DataError, Dataset, expand, load_diabetes, read_csv
from fastreg.report.plots import plot_path, save_comparison, spread
from fastreg.report.progress import Progress
from fastreg.report.table import format_comparison, format_table


def problem(n=90, p=12, noise=1.0, seed=0, relevant=2):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p)) * rng.uniform(0.1, 10, p) + 3
    y = X[:, :relevant] @ np.linspace(1, 3, relevant) + noise * rng.standard_normal(n)
    return Dataset(X, y, np.array([f"f{j}" for j in range(p)]), "y", "made up")


@pytest.fixture(scope="module")
def comparison():
    return compare(problem(), folds=4)


# Data


def write(tmp_path, text, encoding="utf-8"):
    file = tmp_path / "data.csv"
    file.write_bytes(text.encode(encoding))
    return file


def test_read_numbers_and_text(tmp_path):
    data = read_csv(write(tmp_path, "a,b,colour,y\n1,2.5,red,3\n-1,1e3,blue,4\n\n0, 7 ,red,5\n"), "y")
    assert list(data.feature_names) == ["a", "b", "colour=blue", "colour=red"]
    assert_allclose(data.X, [[1, 2.5, 0, 1], [-1, 1000, 1, 0], [0, 7, 0, 1]])
    assert_allclose(data.y, [3, 4, 5])
    assert "'colour' (2)" in data.notes[0]


@pytest.mark.parametrize(
    "text",
    [
        "a;b;y\n1,5;2;3\n2,5;3;4\n",
        "a\tb\ty\n1.5\t2\t3\n2.5\t3\t4\n",
        "a|b|y\r\n1.5|2|3\r\n2.5|3|4\r\n",
        '\ufeff"a","b","y"\n"1.5","2","3"\n"2.5","3","4"',
    ],
)
def test_delimiters_quotes_and_byte_order_mark(tmp_path, text):
    data = read_csv(write(tmp_path, text), "y")
    assert list(data.feature_names) == ["a", "b"]
    assert_allclose(data.X, [[1.5, 2], [2.5, 3]])


def test_quoted_delimiter_and_line_break(tmp_path):
    text = 'kind,a,y\n"x, ""big""",1,2\n"two\nlines",2,3\nplain,3,4\n'
    data = read_csv(write(tmp_path, text), "y")
    assert list(data.feature_names) == ["kind=plain", "kind=two\nlines", 'kind=x, "big"', "a"]
    with pytest.raises(DataError, match="column 'a', line 5"):
        read_csv(write(tmp_path, text.replace("plain,3", "plain,")), "y")


def test_drop_leaves_out_whatever_is_inside(tmp_path):
    file = write(tmp_path, ",a,id,y\n0,1,,2\n1,2,x,3\n")
    assert list(read_csv(file, "y", ["column 1", "id"]).feature_names) == ["a"]


@pytest.mark.parametrize(
    "text, message",
    [
        ("a,y\n1,2\n,3\n", r"missing value in column 'a', line 3.*--drop a"),
        ("a,y\n1,2\nNA,3\n", r"missing value \('NA'\) in column 'a', line 3"),
        ("a,y\n1,2\n3,\n", r"missing value in column 'y', line 3: fill it in, remove the line$"),
        ("", r"the file is empty"),
        ("\n \n", r"the file is empty"),
        ("a,y\n", r"no rows"),
        ("a,y\n1,2\n1,2,3\n", r"line 3 has 3 fields, the header has 2"),
        ("a,y\n1,2\n1\n", r"line 3 has 1 fields"),
        ("a,a,y\n1,2,3\n", r"2 columns are called 'a'"),
        (",a,y\n1,2,3\n", r"column 1 has no name"),
        ("a,b\n1,2\n", r"--target: there is no column 'y'; the columns are 'a', 'b'"),
        (
            "a,y\n1,low\n2,3\n3,4\n",
            r"the target 'y' mixes numbers and text \(1 of 3 rows\): line 2 holds 'low': mend it$",
        ),
        ("a,y\n1,low\n2,low\n", r"target 'y' is 'low' in every row"),
        ("a,y\n1,2\n3,2\n", r"target 'y' is 2 in every row"),
        ("y\n1\n2\n", r"no column is left"),
        ("a,y\n1,2\n2,3\nthree,4\n", r"column 'a' mixes numbers and text \(1 of 3 rows\): line 4 holds 'three'"),
        ("a,y\n1,2\n1_000,3\n", r"line 3 holds '1_000'"),
        ("a,y\n1,2\ninf,3\n", r"'inf' in column 'a', line 3"),
        ("a,y\n1,2\n+nan,3\n", r"'\+nan' in column 'a', line 3"),
        ("name,y\n" + "".join(f"n{i},{i}\n" for i in range(12)), r"'name' has 12 different texts.*identifier"),
        ('a,y\n1,2\n"3,4\n', r"line 3: not CSV"),
    ],
)
def test_bad_files_say_where(tmp_path, text, message):
    with pytest.raises(DataError, match=message):
        read_csv(write(tmp_path, text), "y")


def test_bad_encoding_and_bad_drop(tmp_path):
    with pytest.raises(DataError, match="not UTF-8"):
        read_csv(write(tmp_path, "gr\u00f6\u00dfe,y\n1,2\n", "latin-1"), "y")
    file = write(tmp_path, "a,y\n1,2\n2,3\n")
    with pytest.raises(DataError, match="--drop: there is no column 'b'"):
        read_csv(file, "y", ["b"])
    with pytest.raises(DataError, match="both name 'y'"):
        read_csv(file, "y", ["y"])


def test_expand():
    data = expand(load_diabetes(), 3)
    assert data.X.shape == (442, 285)
    assert len(set(data.feature_names)) == 285
    small = problem(p=2)
    assert expand(small, 1) is small
    square = expand(small, 2)
    assert list(square.feature_names) == ["f0", "f1", "f0^2", "f0 f1", "f1^2"]
    assert_allclose(square.X[:, 3], small.X[:, 0] * small.X[:, 1])
    with pytest.raises(DataError, match="4 GiB"):
        expand(problem(p=100), 6)
    with pytest.raises(DataError, match="'f0\\^2' is too large"):
        expand(replace(small, X=small.X * [1e100, 1]), 2)


# Comparison


def test_split_is_seeded_and_complete():
    train, test = split(100, 0.25, 10, seed=3)
    assert len(test) == 25
    assert sorted([*train, *test]) == list(range(100))
    assert (split(100, 0.25, 10, seed=3)[1] == test).all()
    assert (split(100, 0.25, 10, seed=4)[1] != test).any()
    with pytest.raises(DataError, match="too few rows: 20 rows"):
        split(20, 0.25, 10, seed=0)
    with pytest.raises(DataError, match="too few rows"):
        split(100, 0.001, 10, seed=0)


def test_entries_are_what_they_say(comparison):
    data = comparison.data
    train, test = split(len(data.y), 0.25, 4, 0)
    assert (comparison.n_train, comparison.n_test) == (len(train), len(test))
    assert [entry.penalty.split()[0] for entry in comparison.entries] == ["none", "L2", "L1", "L1"]
    for entry in comparison.entries:
        residual = data.y[test] - data.X[test] @ entry.coef - entry.intercept
        assert_allclose(entry.test_error, np.sqrt((residual**2).mean()), rtol=1e-10)
        assert_allclose(entry.test_share, 1 - (residual**2).sum() / ((data.y[test] - data.y[test].mean()) ** 2).sum())
        assert_allclose(entry.test_errors, residual**2, rtol=1e-8, atol=1e-10)
        assert entry.accuracy is None
        assert 0 <= entry.certificate < 1e-9
        assert entry.seconds > 0
    plain = comparison.entries[0]
    A = np.column_stack([data.X[train], np.ones(len(train))])
    assert_allclose([*plain.coef, plain.intercept], np.linalg.lstsq(A, data.y[train])[0], rtol=1e-8)


def test_alpha_minimises_the_error_of_the_folds(comparison):
    data, lasso = comparison.data, comparison.entries[2]
    train, _ = split(len(data.y), 0.25, 4, 0)
    X, y = data.X[train], data.y[train]
    squares = 0
    for part in np.array_split(np.random.default_rng([0, 1]).permutation(len(y)), 4):
        rest = np.setdiff1d(np.arange(len(y)), part)
        path = fit_path(X[rest], y[rest], alphas=lasso.path.alphas, standardize=True)
        squares = squares + ((y[part, None] - X[part] @ path.coefs - path.intercepts) ** 2).sum(axis=0)
    assert_allclose(lasso.alpha, lasso.path.alphas[squares.argmin()])
    assert_allclose(lasso.cv_error, np.sqrt(squares.min() / len(y)), rtol=1e-6)


def test_compare_is_reproducible_and_reports_progress(comparison):
    steps = []
    again = compare(problem(), folds=4, progress=lambda done, total: steps.append((done, total)))
    assert steps == [(k, 20) for k in range(1, 21)]
    for a, b in zip(again.entries, comparison.entries, strict=True):
        assert (a.coef == b.coef).all()
    assert compare(problem(), folds=4, seed=1).entries[2].test_error != comparison.entries[2].test_error


def test_wide_data():
    result = compare(problem(n=60, p=150), folds=4)
    plain, _, lasso, _ = result.entries
    assert plain.n_features == 150
    assert lasso.n_features < 100
    assert lasso.test_error < plain.test_error
    assert max(entry.certificate for entry in result.entries) < 1e-9


def test_nothing_to_learn_is_an_error():
    data = problem()
    y = np.zeros(len(data.y))
    y[split(len(y), 0.25, 10, 0)[1]] = 1
    with pytest.raises(DataError, match="constant in the training rows"):
        compare(replace(data, y=y))
    with pytest.raises(DataError, match="no feature varies"):
        compare(replace(data, X=np.ones_like(data.X)))


def with_errors(comparison, **changes):
    """The comparison with other errors, for the sentence; keys are positions e0..e3: (cv, test rmse, test errors)."""
    entries = list(comparison.entries)
    for key, (cv, rmse, errors) in changes.items():
        k = int(key[1])
        entries[k] = replace(entries[k], cv_error=cv, test_error=rmse, test_errors=np.asarray(errors), test_share=0.5)
    return replace(comparison, n_test=100, entries=tuple(entries))


def test_reading_follows_the_numbers(comparison):
    far, near = np.full(100, 2.0), np.full(100, 1.0)
    half = np.where(np.arange(100) < 52, 1.0, 3.0)

    helps = reading(with_errors(comparison, e0=(2, 2, far), e1=(1.5, 1.5, far), e2=(1, 1, near), e3=(1.1, 1, near)))
    assert "favours L1 (lasso): its error on the 100 held-out rows is 1 against 2 without a penalty (50% less" in helps
    assert "closer on 100 of them" in helps
    assert "L1 + L2 (elastic net) is within chance of it" in helps

    plain = reading(with_errors(comparison, e0=(1, 1, near), e1=(2, 2, far), e2=(1.5, 1.5, far), e3=(2, 2, far)))
    assert plain.startswith("No penalty helps here")
    assert "L1 (lasso), has 1.5" in plain

    worse = reading(with_errors(comparison, e0=(2, 1, near), e1=(1, 2, far), e2=(3, 3, far), e3=(3, 3, far)))
    assert "it is worse, 2 against 1" in worse

    unsettled = reading(with_errors(comparison, e0=(2, 2, far), e1=(3, 3, far), e2=(1, 1.9, half), e3=(3, 3, far)))
    assert "do not settle" in unsettled
    assert "closer on 52 of them" in unsettled
    for text in (helps, plain, worse, unsettled):
        assert text.endswith(".")
        assert text.isascii()


# Tables


def test_format_table():
    text = format_table(["name", "x"], [["a", "1.0"], ["long name", "10.0"]])
    assert text.splitlines() == ["name          x", "---------  ----", "a           1.0", "long name  10.0"]


def test_format_comparison(comparison):
    text = format_comparison(comparison)
    assert text.isascii()
    assert "made up: predict 'y', 90 rows, 12 features" in text
    assert reading(comparison).split(":")[0].split(",")[0] in text
    for entry in comparison.entries:
        (line,) = [line for line in text.splitlines() if line.startswith(entry.penalty + "  ")]
        assert f"{entry.test_error:.4g}" in line
        assert str(entry.n_features) in line.split()
    assert max(map(len, text.splitlines())) <= 110


# Plots


def test_spread():
    assert_allclose(spread(np.array([0.0, 50, 100]), 10, 100), [0, 50, 90 + 10])
    assert_allclose(spread(np.array([50.0, 50, 50]), 10, 100), [40, 50, 60])
    assert_allclose(spread(np.array([0.0, 0, 99]), 10, 100), [0, 10, 99])
    crowded = spread(np.zeros(5), 10, 20)
    assert_allclose(np.diff(crowded), 10)


@pytest.fixture
def pyplot():
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("agg")
    from matplotlib import pyplot

    yield pyplot
    pyplot.close("all")


def labels(ax):
    return [text.get_text() for text in ax.texts]


def test_plot_path_names_the_largest(pyplot):
    data = problem()
    path = fit_path(data.X, data.y, alphas=20)
    ax = plot_path(path, n_labels=3)
    last = np.abs(path.coefs.toarray()[:, -1])
    assert sorted(labels(ax)) == sorted(f"x{j}" for j in np.argsort(-last)[:3])
    assert ax.get_xscale() == "log"
    left, right = ax.get_xlim()
    assert_allclose([left, right], path.alphas[[0, -1]])
    ax.figure.canvas.draw()
    (top,) = ax.child_axes
    shown = [tick.get_text() for tick in top.get_xticklabels()]
    assert shown[0] == str(path.n_nonzero[0])
    assert shown[-1] == str(path.n_nonzero[-1])


def test_plot_path_labels_do_not_overlap(pyplot):
    from matplotlib.text import Text

    L, p = 10, 12
    path = SimpleNamespace(
        alphas=np.geomspace(1, 1e-2, L), coefs=np.outer(1 + 0.01 * np.arange(p), np.linspace(0, 1, L)),
        n_nonzero=np.full(L, p), feature_names=np.array([f"name {j}" for j in range(p)]),
    )  # fmt: skip
    ax = plot_path(path, n_labels=p)
    ax.figure.canvas.draw()
    boxes = [Text.get_window_extent(text) for text in ax.texts]  # of the words, without the line to them
    heights = np.sort([box.y0 + box.y1 for box in boxes]) / 2
    assert np.diff(heights).min() >= 8 * ax.figure.dpi / 72


def test_plot_path_uses_axes_names_and_scale(pyplot):
    coefs = sparse.csc_array(np.array([[0, 1.0, 2], [0, 0, 0], [0, 0, -5]]))
    path = SimpleNamespace(
        alphas=np.array([1.0, 0.1, 0]),
        coefs=coefs,
        n_nonzero=np.array([0, 1, 2]),
        feature_names=np.array(["a", "b", "c"]),
    )
    ax = pyplot.figure().subplots()
    assert plot_path(path, ax, scale=[10, 1, 1]) is ax
    assert labels(ax) == ["a"]  # alpha = 0 is not on the axis, and c is zero before it
    assert ax.get_ylim()[1] > 10
    with pytest.raises(ValueError, match="scale must have one entry"):
        plot_path(path, ax, scale=[1, 2])
    with pytest.raises(ValueError, match="n_labels"):
        plot_path(path, ax, n_labels=-1)
    path.alphas = np.zeros(3)
    with pytest.raises(ValueError, match="no alpha > 0"):
        plot_path(path, ax)


def test_plot_path_of_one_alpha_and_of_nothing(pyplot):
    path = SimpleNamespace(
        alphas=np.array([0.1]), coefs=np.array([[1.0], [0], [-2]]), n_nonzero=np.array([2]), feature_names=None
    )
    assert labels(plot_path(path)) == ["x2", "x0"]
    path.coefs = np.zeros((3, 1))
    ax = plot_path(path)
    assert labels(ax) == []
    ax.figure.canvas.draw()


def test_plot_without_matplotlib_says_what_to_install(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "matplotlib", None)
    with pytest.raises(ImportError, match=r'pip install "fastreg-solvers\[plot\]"'):
        plot_path(None)


def test_save_comparison(comparison, tmp_path):
    pytest.importorskip("matplotlib")
    save_comparison(comparison, tmp_path / "paths.png")
    assert (tmp_path / "paths.png").read_bytes().startswith(b"\x89PNG")


# Progress


class Terminal(list):
    def isatty(self):
        return True

    write = list.append

    def flush(self):
        pass


def test_progress_is_for_terminals_and_long_work(monkeypatch):
    now = [0.0]
    monkeypatch.setattr("fastreg.report.progress.monotonic", lambda: now[0])
    terminal = Terminal()
    progress = Progress(terminal, "work")
    progress(1, 10)
    assert terminal == []
    now[0] = 2.0
    progress(2, 10)
    assert "work: 2 of 10" in terminal[-1]
    progress.clear()
    assert terminal[-1] == "\r"

    quiet = Terminal()
    quiet.isatty = lambda: False
    progress = Progress(quiet, "work")
    now[0] = 9.0
    progress(2, 10)
    progress.clear()
    assert quiet == []
