"""The commands cv, predict and path."""

import csv
import json
import re
import sys

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.datasets import dump_svmlight_file, load_svmlight_file
from sklearn.model_selection import KFold
from sklearn.preprocessing import PolynomialFeatures

import fastreg
from fastreg.report import cli

N = 90


def run(capsys, *arguments):
    status = cli.main(list(map(str, arguments)))
    out, err = capsys.readouterr()
    return status, out, err


def works(capsys, *arguments):
    """stdout of a call that must succeed in silence."""
    status, out, err = run(capsys, *arguments)
    assert (status, err) == (0, "")
    return out


def fails(capsys, *arguments):
    """The one line on stderr of a call that must exit with 2."""
    status, out, err = run(capsys, *arguments)
    assert (status, out) == (2, "")
    assert err.startswith("fastreg: ")
    assert err.count("\n") == 1
    return err


def columns():
    rng = np.random.default_rng(3)
    X = rng.standard_normal((N, 5)) * [1, 10, 0.1, 1, 1]
    kind = [["red", "blue", "dark green"][i] for i in rng.integers(3, size=N)]
    y = X[:, 0] - 0.2 * X[:, 1] + 2.0 * (np.array(kind) == "red") + X[:, 0] * X[:, 3] + 0.5 * rng.standard_normal(N)
    return {"id": [f"r{i}" for i in range(N)], "a": X[:, 0], "kind": kind, "b b": X[:, 1], "c": X[:, 2], "d": X[:, 3],
            "e": X[:, 4], "y": y}  # fmt: skip


def write_csv(file, columns, delimiter=","):
    cells = [[v if isinstance(v, str) else repr(float(v)) for v in column] for column in columns.values()]
    with open(file, "w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out, delimiter=delimiter)
        writer.writerow(columns)
        writer.writerows(zip(*cells, strict=True))
    return file


def design(data):
    """X as the command line makes it."""
    kind = np.array(data["kind"])[:, None] == ["blue", "dark green", "red"]
    return np.column_stack([data["a"], kind, data["b b"], data["c"], data["d"], data["e"]]).astype(float)


def fitted(X, y, **options):
    cv = KFold(options.pop("folds", 10), shuffle=True, random_state=options.pop("seed", 0))
    return fastreg.ElasticNetCV(**{"l1_ratio": 1.0, "standardize": True, "cv": cv, **options}).fit(X, y)


def predictions(text):
    head, *lines = text.splitlines()
    assert head == "prediction"
    return np.array(list(map(float, lines)))


@pytest.fixture
def table(tmp_path):
    return write_csv(tmp_path / "table.csv", columns())


@pytest.fixture
def model(tmp_path, table, capsys):
    """A saved model in which all levels of `kind` count."""
    file = tmp_path / "model.json"
    works(capsys, "cv", table, *BASE, "--folds", 4, "--alphas", 30, "--out", file)
    return file


BASE = ("--target", "y", "--drop", "id")


@pytest.mark.parametrize("degree", [1, 2])
@pytest.mark.parametrize("rule", ["min", "1se"])
def test_from_cv_to_predictions(capsys, table, tmp_path, degree, rule):
    data, file = columns(), tmp_path / "model.json"
    options = ("--folds", 5, "--seed", 7, "--alphas", 40, "--degree", degree, "--rule", rule, "--l1-ratio", 0.5, 1)
    out = works(capsys, "cv", table, *BASE, *options, "--out", file)
    X = PolynomialFeatures(degree, include_bias=False).fit_transform(design(data))
    ours = fitted(X, data["y"], folds=5, seed=7, alphas=40, selection_rule=rule, l1_ratio=[0.5, 1.0])
    assert f"{N} rows, {X.shape[1]} features" in " ".join(out.split())  # the name of the file is long
    assert f"{rule} (chosen)" in out

    content = json.loads(file.read_text(encoding="utf-8"))
    assert (content["alpha"], content["l1_ratio"]) == (ours.alpha_, ours.l1_ratio_)
    assert content["intercept"] == ours.intercept_
    assert list(content["coefficients"].values()) == ours.coef_[ours.coef_ != 0].tolist()
    assert content["columns"][1] == {"name": "kind", "levels": ["blue", "dark green", "red"]}
    assert content["fastreg"] == fastreg.__version__
    if degree == 2:
        assert content["products"]["a d"] == ["a", "d"]

    status, out, err = run(capsys, "predict", file, table)
    assert status == 0
    expected = ours.predict(X)
    assert_allclose(predictions(out), expected, rtol=1e-12, atol=1e-12)
    rmse = np.sqrt(((data["y"] - expected) ** 2).mean())
    r2 = 1 - rmse**2 / data["y"].var()
    assert err == f"fastreg: R^2 {r2:.4f}, RMSE {rmse:.6g} on {N} rows with a value of the target\n"


def test_the_report_of_cv(capsys, table):
    data = columns()
    X, y = design(data), data["y"]
    out = works(capsys, "cv", table, *BASE, "--folds", 4, "--no-standardize", "--alphas", 20)
    ours = fitted(X, y, folds=4, alphas=20, standardize=False)
    assert "lasso, 20 alphas, 4-fold cross-validation (seed 0)\n" in out
    held = np.zeros(N)
    for train, test in ours.cv.split(X):
        path = fastreg.fit_path(X[train], y[train], alphas=ours.alphas_)
        held[test] = path.predict(X[test], alpha=ours.alpha_min_)
    r2 = 1 - ((y - held) ** 2).sum() / ((y - y.mean()) ** 2).sum()
    row = next(line for line in out.splitlines() if line.startswith("min (chosen)")).split()[2:]
    i = int(np.flatnonzero(ours.alphas_ == ours.alpha_min_)[0])
    found = ours.cv_results_
    assert row[:1] + [row[1].rstrip("!")] + row[2:] == [
        "1", f"{ours.alpha_min_:.4g}", f"{found['mean_error'][i]:.5g}", f"{found['standard_error'][i]:.2g}",
        f"{r2:.3f}", str(np.count_nonzero(ours.coef_)),
    ]  # fmt: skip
    assert row[1].endswith("!") == (i in (0, 19)) == ("end of its grid" in out)
    rows = [re.split(r"\s{2,}", line) for line in out.splitlines()]
    names = ["a", "kind=blue", "kind=dark green", "kind=red", "b b", "c", "d", "e"]
    effects = np.abs(ours.coef_ * X.std(axis=0))
    for j in np.flatnonzero(ours.coef_):
        assert [names[j], f"{ours.coef_[j]:.6g}"] == next(row[:2] for row in rows if row[0] == names[j])
    order = [row[0] for row in rows if row[0] in names]
    assert order == [names[j] for j in np.argsort(-effects) if effects[j]]
    assert f"null model: {found['relative_gaps'].max():.0e}." in out
    assert re.search(r"\d seconds\.$", out.strip())


def test_columns_in_another_order(capsys, table, model, tmp_path):
    data = columns()
    _, plain, _ = run(capsys, "predict", model, table)
    del data["id"], data["y"]
    changed = {"extra": ["?"] * N, **dict(reversed(data.items()))}
    other, target = write_csv(tmp_path / "other.csv", changed, ";"), tmp_path / "predictions.csv"
    out = works(capsys, "predict", model, other, "--out", target)  # no target, no score
    assert out == f"{N} predictions: {target}\n"
    assert target.read_text(encoding="utf-8") == plain


def test_a_column_without_a_coefficient_may_be_missing(capsys, model, table, tmp_path):
    content = json.loads(model.read_text(encoding="utf-8"))
    content["coefficients"] = {"a": 2.0, "kind=red": -1.0}
    model.write_text(json.dumps(content), encoding="utf-8")
    data = columns()
    small = write_csv(tmp_path / "small.csv", {"kind": data["kind"], "a": data["a"]})
    expected = content["intercept"] + 2 * data["a"] - (np.array(data["kind"]) == "red")
    assert_allclose(predictions(works(capsys, "predict", model, small)), expected, rtol=1e-14)
    content["coefficients"] = {}
    model.write_text(json.dumps(content), encoding="utf-8")
    assert_array_equal(predictions(works(capsys, "predict", model, small)), content["intercept"])


def test_a_target_with_holes(capsys, model, tmp_path):
    data = columns()
    data["y"] = [repr(v) if i < 10 else ["", "later", "1e200"][i % 3] for i, v in enumerate(data["y"].tolist())]
    status, out, err = run(capsys, "predict", model, write_csv(tmp_path / "holes.csv", data))
    assert (status, len(predictions(out))) == (0, N)
    assert err.endswith("on 10 rows with a value of the target\n")
    data["y"] = [""] * N
    works(capsys, "predict", model, write_csv(tmp_path / "holes.csv", data))
    data["y"] = ["3.0"] * N
    assert "no R^2 (all values are equal), RMSE" in run(
        capsys, "predict", model, write_csv(tmp_path / "equal.csv", data))[2]  # fmt: skip


@pytest.mark.parametrize("zero_based", [True, False])
def test_svmlight_stays_sparse(capsys, tmp_path, monkeypatch, zero_based):
    rng = np.random.default_rng(0)
    X = sparse.random_array((120, 300), density=0.05, random_state=rng, format="lil")
    X[0, [0, 299]] = 0.25  # so that the file shows all columns
    X = X.tocsr()
    y = X @ np.repeat([3.0, 0.0], [5, 295]) + 0.01 * rng.standard_normal(120)
    file, saved = tmp_path / "rows.txt", tmp_path / "model.json"
    dump_svmlight_file(X, y, str(file), zero_based=zero_based)
    X, y = load_svmlight_file(str(file))
    fit, seen = fastreg.ElasticNetCV.fit, []

    def watched(self, X, y):
        seen.append(X)
        return fit(self, X, y)

    def dense(*args, **kwargs):
        raise AssertionError("made dense")

    with monkeypatch.context() as patch:
        patch.setattr(fastreg.ElasticNetCV, "fit", watched)
        patch.setattr(type(X), "toarray", dense)
        patch.setattr(type(X), "todense", dense)
        out = works(capsys, "cv", file, "--folds", 3, "--alphas", 20, "--out", saved)
    assert sparse.issparse(seen[0])
    assert "predict 'label', 120 rows, 300 features" in " ".join(out.split())
    ours = fitted(X, y, folds=3, alphas=20)
    content = json.loads(saved.read_text(encoding="utf-8"))
    first = 0 if zero_based else 1
    assert content["coefficients"] == {str(j + first): ours.coef_[j] for j in np.flatnonzero(ours.coef_)}
    _, text, err = run(capsys, "predict", saved, file)
    assert_allclose(predictions(text), ours.predict(X), rtol=1e-12, atol=1e-12)
    assert "R^2 1.0000" in err

    # indices of a file with fewer of them mean the same
    file.write_text(f"0 {1 + first}:2 # a comment\n\n0 9999:1\n", encoding="utf-8")
    text = run(capsys, "predict", saved, file)[1]
    assert_allclose(predictions(text), [ours.intercept_ + 2 * ours.coef_[1], ours.intercept_], rtol=1e-12)


def test_parquet_is_as_csv(capsys, table, model, tmp_path):
    pa = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    data, file, saved = columns(), tmp_path / "table.data", tmp_path / "parquet.json"
    parquet.write_table(pa.table({**data, "kind": pa.array(data["kind"]).dictionary_encode()}), file)
    works(capsys, "cv", file, *BASE, "--folds", 4, "--alphas", 30, "--out", saved)
    assert saved.read_text(encoding="utf-8") == model.read_text(encoding="utf-8")
    assert run(capsys, "predict", model, file) == run(capsys, "predict", model, table)
    coefs = tmp_path / "coefs.csv"
    works(capsys, "path", file, *BASE, "--out", coefs)
    assert coefs.read_text(encoding="utf-8").startswith("alpha,intercept,n_features,r2,relative_gap,")

    def message(*command, **changed):
        parquet.write_table(pa.table({**data, **changed}), file)
        return fails(capsys, *command)

    cv = ("cv", file, *BASE)
    holes = [None if i == 7 else 1.5 * i for i in range(N)]
    assert "missing value in column 'a', row 8: fill it in, remove the row" in message(*cv, a=holes)
    assert "missing value (NaN) in column 'c', row 1" in message(*cv, c=np.where(np.arange(N) == 0, np.nan, 1.0))
    assert "missing value in column 'kind', row 3" in message(*cv, kind=[*data["kind"][:2], None, *data["kind"][3:]])
    assert "'inf' in column 'a', row 1, is not" in message(*cv, a=np.full(N, np.inf))
    assert "column 'a' is of type list<" in message(*cv, a=[[1.0]] * N)
    assert "column 'kind' holds numbers where the model knows texts" in message("predict", model, file, kind=data["a"])
    assert "the target 'y' is 'red' in every row" in message(*cv, y=["red"] * N)
    assert "there are no rows" in message(*cv, **{name: values[:0] for name, values in data.items()})
    file.write_bytes(b"PAR1 and nothing else")
    assert "not a Parquet file that can be read" in fails(capsys, *cv)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "pyarrow", None)
        assert 'pip install "fastreg-solvers[parquet]"' in fails(capsys, *cv)


def test_path(capsys, table, tmp_path):
    data, file = columns(), tmp_path / "coefs.csv"
    options = ("--l1-ratio", 0.7, "--alphas", 12, "--standardize", "--out", file)
    out = works(capsys, "path", table, *BASE, *options)
    assert "elastic net with l1_ratio 0.7, 12 alphas, columns standardized" in out
    path = fastreg.fit_path(design(data), data["y"], l1_ratio=0.7, alphas=12, standardize=True)
    with open(file, encoding="utf-8", newline="") as text:
        header, *rows = csv.reader(text)
    entered = np.flatnonzero(path.coefs.toarray().any(axis=1))
    names = np.array(["a", "kind=blue", "kind=dark green", "kind=red", "b b", "c", "d", "e"])
    assert header == ["alpha", "intercept", "n_features", "r2", "relative_gap", *names[entered]]
    values = np.array(rows, dtype=float)
    assert_array_equal(values[:, 0], path.alphas)
    assert_array_equal(values[:, 1], path.intercepts)
    assert_array_equal(values[:, 2], path.n_nonzero)
    assert_array_equal(values[:, 3], path.deviance_ratio)
    assert_array_equal(values[:, 4], path.relative_gaps)
    assert_array_equal(values[:, 5:].T, path.coefs.toarray()[entered])


def test_plots(capsys, table, tmp_path):
    pytest.importorskip("matplotlib")
    picture, coefs = tmp_path / "picture.png", tmp_path / "coefs.csv"
    calls = [
        ("cv", table, *BASE, "--folds", 3, "--alphas", 20, "--l1-ratio", 0.5, 1),
        ("path", table, *BASE, "--out", coefs),
        ("path", table, *BASE, "--out", coefs, "--standardize", "--degree", 2),
    ]
    for call in calls:
        assert str(picture) in works(capsys, *call, "--plot", picture)
        assert picture.read_bytes().startswith(b"\x89PNG")
        picture.unlink()
    assert "must end in one of" in fails(capsys, *calls[0], "--plot", tmp_path / "picture.doc")
    assert "--plot does not go with predict" in fails(capsys, "--plot", picture, "predict", "m.json", table)


def test_counter_on_a_terminal(table, monkeypatch):
    import io

    from fastreg.report import fits, inputs

    class Terminal(io.StringIO):
        def isatty(self):
            return True

    now, terminal = [0.0], Terminal()

    def later():
        now[0] += 5
        return now[0]

    monkeypatch.setattr("fastreg.report.progress.monotonic", later)
    monkeypatch.setattr(sys, "stderr", terminal)
    data = inputs.read_table(str(table), "y", ["id"])
    fits.search(data, folds=4, alphas=20)
    shown = terminal.getvalue()
    assert "\rfastreg: 100 of 100 fits" in shown
    assert "%" not in shown
    assert shown.endswith("\r")
    assert sys.stderr is terminal


OUT = ("--out", "coefs.csv")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["cv", "FILE"], "say which column to predict with --target COLUMN"),
        (["cv", "FILE", "--target", "z"], "there is no column 'z'"),
        (["cv", "FILE", "--target", "id"], "the target 'id' has 90 different texts in 90 rows: an identifier?"),
        (["cv", "FILE", "--target", "y"], "leave it out with --drop id"),
        (["cv", "FILE", *BASE, "--folds", "1"], "--folds must be at least 2"),
        (["cv", "FILE", *BASE, "--folds", "91"], "too few rows: --folds 91 needs at least 91, there are 90"),
        (["cv", "FILE", *BASE, "--alphas", "0"], "--alphas must be at least 1, got 0"),
        (["cv", "FILE", *BASE, "--l1-ratio", "1", "0"], "--l1-ratio must lie above 0 and not above 1, got 0"),
        (["cv", "FILE", *BASE, "--l1-ratio", "nan"], "--l1-ratio must lie above 0"),
        (["cv", "FILE", *BASE, "--rule", "best"], "invalid choice: 'best'"),
        (["cv", "FILE", *BASE, "--seed", "-1"], "--seed must not be negative"),
        (["cv", "FILE", *BASE, "--degree", "0"], "--degree must be at least 1"),
        (["cv", "FILE", *BASE, "--out", "absent/model.json"], "--out absent/model.json: no such folder"),
        (["cv", "absent.csv", *BASE], "absent.csv: No such file"),
        (["path", "FILE", *BASE], "--out"),
        (["path", "FILE", *BASE, *OUT, "--l1-ratio", "1.5"], "--l1-ratio must lie above 0 and not above 1, got 1.5"),
        (["path", "absent.csv", *BASE, *OUT], "absent.csv: No such file"),
        (["predict", "absent.json", "FILE"], "absent.json: No such file"),
        (["predict", "FILE", "FILE"], "not JSON"),
        (["predict", "FILE"], "the following arguments are required: FILE"),
    ],
)
def test_bad_options(capsys, table, arguments, message):
    assert message in fails(capsys, *[table if argument == "FILE" else argument for argument in arguments])


def test_bad_tables(capsys, tmp_path):
    file = tmp_path / "bad.csv"
    data = columns()

    def message(**changed):
        return fails(capsys, "cv", write_csv(file, {**data, **changed}), *BASE)

    assert "the target 'y' is 2 in every row" in message(y=[2.0] * N)
    assert "two features would be called 'kind=red'" in message(**{"kind=red": data["a"]})
    flat = {name: [1.0] * N for name in ("a", "b b", "c", "d", "e")}
    assert "no feature varies" in message(**flat, kind=["x"] * N)
    assert "mixes numbers and text" in message(a=["red", *map(repr, data["a"][1:].tolist())])


def test_bad_svmlight(capsys, tmp_path, model):
    file = tmp_path / "rows.svm"

    def message(text, *command):
        file.write_text(text, encoding="utf-8")
        return fails(capsys, *(command or ("cv", file)))

    assert "not a file in svmlight format that can be read" in message("1 a:2\n")
    assert "the label is 1 in every row" in message("1 1:2\n1 2:2\n")
    assert "no row has an entry" in message("1\n2\n")
    assert "there are no rows" in message("# nothing\n")
    assert "row 2: '3:1e+200' is not a number of usable size" in message("1 1:2\n2 2:1 3:1e200\n")
    assert "row 2: the label is not a number" in message("1 1:2\n1e200 2:1\n")
    assert "--drop and --degree do not go with" in message("1 1:2\n2 1:3\n", "cv", file, "--degree", 2)
    assert "the model was fitted to a table" in message("1 1:2\n", "predict", model, file)
    assert "No such file" in fails(capsys, "cv", tmp_path / "absent.svm")


def test_bad_files_to_predict(capsys, tmp_path, model):
    file = tmp_path / "new.csv"
    data = columns()

    def message(**changed):
        return fails(capsys, "predict", model, write_csv(file, {**data, **changed}))

    def other(name, cell):
        return [cell, *(v if isinstance(v, str) else repr(float(v)) for v in data[name][1:])]

    text = message(kind=other("kind", "violet"))
    assert "column 'kind', line 2: the model does not know 'violet', only 'blue', 'dark green', 'red': mend" in text
    assert "missing value in column 'kind', line 2: fill it in, remove the line\n" in message(kind=other("kind", ""))
    assert "missing value ('NA') in column 'a', line 2:" in message(a=other("a", "NA"))
    assert "column 'a' must be numeric: line 2 holds 'red': encode it as numbers\n" in message(a=other("a", "red"))
    assert "'1e200' in column 'a', line 2, is not a number of usable size" in message(a=other("a", "1e200"))
    del data["a"], data["kind"]
    text = message()
    assert "the model needs columns 'a', 'kind', which the file does not have" in text
    assert "--drop a)" in text
    file.write_text("kind,a,a\nred,1,2\n", encoding="utf-8")
    content = json.loads(model.read_text(encoding="utf-8"))
    model.write_text(json.dumps({**content, "coefficients": {"a": 1.0}}), encoding="utf-8")
    assert "2 columns are called 'a'" in fails(capsys, "predict", model, file)
    products = {"coefficients": {"a^3": 1.0}, "products": {"a^3": ["a"] * 3}}
    model.write_text(json.dumps({**content, **products}), encoding="utf-8")
    file.write_text("a\n1\n-1e140\n", encoding="utf-8")
    assert "the prediction of row 2 is too large" in fails(capsys, "predict", model, file)
    model.write_text(json.dumps({**content, "source": "svmlight", "coefficients": {"3": 1.0}}), encoding="utf-8")
    assert "fitted to a file in svmlight format" in fails(capsys, "predict", model, file)
    assert "No such file" in fails(capsys, "predict", model, tmp_path / "absent.csv")


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"format": "another"}, "JSON, but not a model of fastreg: give a model that `fastreg cv --out` wrote"),
        ({"version": 2}, "a model file of version 2, of which this fastreg"),
        ({"coefficients": {"z": 1.0}}, "damaged model file (feature 'z' belongs to no column)"),
        ({"coefficients": [1.0]}, "damaged model file (coefficients"),
        ({"coefficients": {"a": "1"}}, "damaged model file ('1' is not a number)"),
        ({"coefficients": {"a": 10**400}}, "damaged model file"),
        ({"intercept": float("inf")}, "damaged model file (inf is not a number)"),
        ({"columns": None}, "damaged model file"),
        ({"columns": ["a"]}, "damaged model file"),
        ({"columns": [{"name": "a", "levels": [1]}]}, "damaged model file (1 is not a text)"),
        ({"columns": [{"name": "a", "levels": "xyz"}]}, "damaged model file ('xyz' is not a list)"),
        ({"products": {"a": "a"}}, "damaged model file ('a' is not a list)"),
        ({"degree": 0}, "damaged model file (degree 0)"),
        ({"source": "paper"}, "damaged model file (source 'paper')"),
        ({"source": "svmlight"}, "is not an index"),
        ({"target": 3}, "damaged model file (3 is not a text)"),
        ({"loss": "absolute"}, "damaged model file (loss 'absolute')"),
        ({"loss": "logistic"}, "damaged model file (None is not a list)"),
        ({"loss": "logistic", "classes": ["no"]}, "damaged model file (classes ['no'])"),
        ({"loss": "logistic", "classes": ["yes", "no"]}, "damaged model file (classes ['yes', 'no'])"),
        ({"loss": "logistic", "classes": ["no", 1]}, "damaged model file (1 is not a text)"),
        ({"loss": "logistic", "classes": [0, "no"]}, "damaged model file ('no' is not a number)"),
        ({"loss": "multinomial", "classes": [0, 1, 2]}, "damaged model file (0.5 is not a list)"),
        ({"loss": "multinomial", "classes": [0, 1, 2], "intercept": [1.0, 2.0]}, "(2 numbers in place of 3)"),
    ],
)
def test_bad_model_files(capsys, tmp_path, table, changed, message):
    content = {
        "format": "fastreg linear model", "version": 1, "fastreg": "0.1.0", "source": "table", "target": "y",
        "columns": [{"name": "a"}], "degree": 1, "alpha": 0.1, "l1_ratio": 1.0, "standardize": True, "loss": "squared",
        "classes": None, "intercept": 0.5, "coefficients": {"a": 1.5}, "products": {},
    }  # fmt: skip
    file = tmp_path / "model.json"
    file.write_text(json.dumps(content), encoding="utf-8")
    assert run(capsys, "predict", file, table)[0] == 0
    file.write_text(json.dumps({**content, **changed}), encoding="utf-8")
    assert message in fails(capsys, "predict", file, table)


@pytest.mark.parametrize("text", ["", "{", "[1, 2", "\xff\xfe", "[" * 100_000, "3", "null", "[]"])
def test_not_a_model_file(capsys, tmp_path, table, text):
    file = tmp_path / "model.json"
    file.write_bytes(text.encode("latin-1"))
    assert re.search("not JSON|not a model of fastreg", fails(capsys, "predict", file, table))
