"""The command line with other losses than the squared one."""

import csv
import json
from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import dump_svmlight_file
from sklearn.metrics import balanced_accuracy_score, log_loss, mean_absolute_error, mean_poisson_deviance
from sklearn.model_selection import KFold, StratifiedKFold

import fastreg
from fastreg import fit_path
from fastreg.report import cli
from fastreg.report.compare import compare, reading, split
from fastreg.report.data import DataError, Dataset
from fastreg.report.losses import label_text, null_deviances, unit_deviances, with_loss
from fastreg.report.table import format_comparison

N = 120
FOLDS = ("--folds", 4, "--alphas", 12)


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
    status, out, err = run(capsys, *arguments)
    assert (status, out) == (2, "")
    assert err.startswith("fastreg: ")
    assert err.count("\n") == 1
    return err


def numbers():
    rng = np.random.default_rng(5)
    return rng.standard_normal((N, 4)) * [1, 5, 0.2, 1], rng


def target(loss):
    """X and a y that suits the loss."""
    X, rng = numbers()
    z = X[:, 0] - 0.2 * X[:, 1]
    if loss == "multinomial":
        scores = np.column_stack([z, -z, np.zeros(N)]) + rng.gumbel(size=(N, 3))
        return X, np.array(["low", "high", "middle"])[scores.argmax(axis=1)]
    if loss == "poisson":
        return X, rng.poisson(np.exp(1 + 0.5 * z)).astype(float)
    if loss == "huber":
        return X, z + rng.standard_t(1.5, N)
    return X, np.array(["no", "yes"])[(z + rng.logistic(size=N) > 0).astype(int)]


def write_csv(file, X, y, name="y"):
    with open(file, "w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out)
        writer.writerow([*"abcd"[: X.shape[1]], name])
        writer.writerows([*map(repr, row), label] for row, label in zip(X.tolist(), y.tolist(), strict=True))
    return file


def read_csv(text):
    header, *rows = csv.reader(text.splitlines())
    return header, rows


LOSSES = ("logistic", "multinomial", "poisson", "squared_hinge", "huber")


@pytest.fixture(params=LOSSES)
def case(request, tmp_path):
    X, y = target(request.param)
    return request.param, X, y, write_csv(tmp_path / "table.csv", X, y)


# The loss of a target


def data_of(y):
    y = np.asarray(y)
    return Dataset(np.ones((len(y), 1)), y if y.dtype.kind == "U" else y.astype(float), np.array(["a"]), "y", "made up")


@pytest.mark.parametrize(
    ("y", "loss", "note"),
    [
        (["n", "y", "n"], "logistic", "loss: logistic, for the two classes of 'y', n, y (--loss chooses another)"),
        ([0, 1, 1], "logistic", "loss: logistic, for the two classes of 'y', 0, 1 (--loss chooses another)"),
        ([-1.5, 2, 2], "logistic", "loss: logistic, for the two classes of 'y', -1.5, 2 (--loss chooses another)"),
        (list("abcab"), "multinomial", "loss: multinomial, for the 3 classes of 'y', a, b, c (--loss chooses another)"),
        (list("abcdefgh") * 2, "multinomial", "loss: multinomial, for the 8 classes of 'y', a, b, c, d, e, f, ... "
                                              "(--loss chooses another)"),  # fmt: skip
        ([1, 2, 3, 1], "squared", "loss: squared, though the 3 values of 'y' might be classes (--loss multinomial) or "
                                  "counts (--loss poisson)"),  # fmt: skip
        (np.linspace(0, 1, 30), "squared", None),
        (np.arange(30), "squared", None),
    ],
)  # fmt: skip
def test_the_loss_that_suits_the_target(y, loss, note):
    data = with_loss(data_of(y))
    assert data.loss == loss
    assert data.notes == (() if note is None else (note,))
    assert_array_equal(data.response, y)


def test_a_loss_that_is_asked_for():
    codes = with_loss(data_of([3, 1, 2, 1]), "multinomial")
    assert_array_equal(codes.y, [2, 0, 1, 0])
    assert_array_equal(codes.classes, [1, 2, 3])
    assert codes.notes == ("loss: multinomial, for the 3 classes of 'y', 1, 2, 3",)
    assert with_loss(data_of([0, 1, 1]), "squared").classes is None
    y = np.array([1.0, 2, 3, 4, 100])
    assert_allclose(with_loss(data_of(y), "huber").delta, 1.35 * 1.4826)
    assert with_loss(data_of(y), "huber", 2.5).notes == ("loss: huber, delta 2.5",)


@pytest.mark.parametrize(
    ("y", "loss", "message"),
    [
        (["a", "b"], "poisson", r"holds texts such as 'a', --loss poisson needs numbers: choose --loss logistic"),
        (["a", "b", "c"], "huber", r"choose --loss multinomial"),
        (["a", "b", "c"], "logistic", r"has 3 values, --loss logistic needs two classes: choose --loss multinomial"),
        (np.arange(5), "squared_hinge", r"has 5 values, --loss squared_hinge needs two classes"),
        (np.arange(50), "multinomial", r"has 50 values in 50 rows, too many for classes: choose --loss squared"),
        (list(map(str, range(50))), None, r"has 50 different texts in 50 rows: an identifier\?"),
        ([-1.0, 0, 3], "poisson", r"holds -1, --loss poisson needs counts of at least 0"),
        ([1.0, 1, 1, 5], "huber", r"pass --delta"),
    ],
)
def test_a_target_that_does_not_suit_the_loss(y, loss, message):
    with pytest.raises(DataError, match=message):
        with_loss(data_of(y), loss)


def test_label_text():
    assert [label_text(label) for label in (np.str_("a b"), 1.0, -2.0, 0.5)] == ["a b", "1", "-2", "0.5"]


@pytest.mark.parametrize("loss", LOSSES)
def test_unit_deviances_are_those_of_the_path(loss):
    X, y = target(loss)
    path = fit_path(X, y, loss=loss, delta=0.7, alphas=6)
    values, numbers = np.unique(y, return_inverse=True)
    y = y if loss in ("poisson", "huber") else numbers.astype(float)
    each = unit_deviances(loss, y, path.decision_function(X), 0.7)
    null = null_deviances(loss, y, path, 0.7)
    assert each.shape == (N, 6)
    assert (each >= -1e-12).all()
    assert_allclose(1 - each.mean(axis=0) / null.mean(), path.deviance_ratio, atol=1e-9)
    assert_allclose(unit_deviances(loss, y, path.decision_function(X, alpha=path.alphas[3]), 0.7), each[:, 3])
    if loss in ("logistic", "multinomial"):
        labels = path.predict_proba(X, alpha=path.alphas[5])
        assert_allclose(each[:, 5].mean(), 2 * log_loss(numbers, labels))
    if loss == "poisson":
        assert_allclose(each[:, 5].mean(), mean_poisson_deviance(y, path.predict(X, alpha=path.alphas[5])))


# cv and predict


def test_from_cv_to_predictions(capsys, case, tmp_path):
    loss, X, y, file = case
    saved, classes = tmp_path / "model.json", loss not in ("poisson", "huber")
    chosen = () if loss in ("logistic", "multinomial") else ("--loss", loss)
    more = ("--delta", 2.0) if loss == "huber" else ()
    out = works(capsys, "cv", file, "--target", "y", *FOLDS, *chosen, *more, "--out", saved)
    assert f"loss: {loss}" in " ".join(out.split())
    content = json.loads(saved.read_text(encoding="utf-8"))
    assert content["loss"] == loss
    assert content["classes"] == (np.unique(y).tolist() if classes else None)

    # every fold by itself
    path = fit_path(X, y, loss=loss, delta=2.0, standardize=True, alphas=12)
    _, codes = np.unique(y, return_inverse=True)
    given = codes.astype(float) if classes else y
    errors, right = np.zeros((4, 12)), np.zeros(12)
    splitter = (StratifiedKFold if classes else KFold)(4, shuffle=True, random_state=0)
    for k, (train, test) in enumerate(splitter.split(X, given)):
        fold = fit_path(X[train], y[train], loss=loss, delta=2.0, standardize=True, alphas=path.alphas)
        errors[k] = unit_deviances(loss, given[test], fold.decision_function(X[test]), 2.0).mean(axis=0)
        right += (fold.predict(X[test]) == y[test][:, None]).sum(axis=0)
    best = int(errors.mean(axis=0).argmin())
    assert_allclose(content["alpha"], path.alphas[best], rtol=1e-9)
    row = next(line for line in out.splitlines() if line.startswith("min (chosen)")).split()[2:]
    assert row[2] == f"{errors.mean(axis=0)[best]:.5g}"
    share = 1 - errors[:, best].mean() / null_deviances(loss, given, path, 2.0).mean()
    assert row[4] == f"{share:.3f}"
    if classes:
        assert row[5] == f"{right[best] / N:.3f}"
        assert "the most frequent class" in out

    status, text, err = run(capsys, "predict", saved, file)
    assert status == 0
    header, rows = read_csv(text)
    predicted = path.predict(X, alpha=path.alphas[best])
    labels = np.unique(y) if classes else []
    if classes:
        assert [row[0] for row in rows] == predicted.tolist()
        found = np.array([row[1:] for row in rows], dtype=float)
        accuracy = (predicted == y).mean()
        assert err.startswith(f"fastreg: accuracy {accuracy:.4f}, mean deviance ")
        assert err.endswith(f"on {N} rows with a class of the model\n")
    if loss == "squared_hinge":
        assert header == ["prediction", "decision"]
        assert_allclose(found[:, 0], path.decision_function(X, alpha=path.alphas[best]), atol=1e-9)
    elif classes:
        assert header == ["prediction", *(f"probability {label}" for label in labels)]
        assert_allclose(found, path.predict_proba(X, alpha=path.alphas[best]), atol=1e-9)
    else:
        assert header == ["prediction"]
        assert_allclose(np.array(rows, dtype=float)[:, 0], predicted, rtol=1e-9)
        assert ("mean deviance" if loss == "poisson" else "R^2") in err


def test_numbers_as_labels(capsys, tmp_path):
    X, y = target("logistic")
    y = np.where(y == "yes", 2.0, -1.0)
    file, saved, rows = tmp_path / "table.csv", tmp_path / "model.json", tmp_path / "rows.svm"
    works(capsys, "cv", write_csv(file, X, y), "--target", "y", *FOLDS, "--out", saved)
    assert json.loads(saved.read_text(encoding="utf-8"))["classes"] == [-1.0, 2.0]
    header, lines = read_csv(run(capsys, "predict", saved, file)[1])
    assert header == ["prediction", "probability -1", "probability 2"]
    assert {line[0] for line in lines} == {"-1", "2"}
    dump_svmlight_file(X, y, str(rows), zero_based=False)
    works(capsys, "cv", rows, *FOLDS, "--out", saved)
    status, sparse, err = run(capsys, "predict", saved, rows)
    assert [line[0] for line in read_csv(sparse)[1]] == [line[0] for line in lines]
    assert "accuracy 0." in err


def test_targets_that_the_model_does_not_know(capsys, tmp_path):
    X, y = target("multinomial")
    file, saved = tmp_path / "table.csv", tmp_path / "model.json"
    works(capsys, "cv", write_csv(file, X, y), "--target", "y", *FOLDS, "--out", saved)
    for changed in ("other", "", "3"):
        new = np.where(np.arange(N) < 100, y, changed)
        assert "on 100 rows with a class of the model" in run(capsys, "predict", saved, write_csv(file, X, new))[2]
    assert run(capsys, "predict", saved, write_csv(file, X, np.full(N, 1.5)))[2] == ""
    X, y = target("poisson")
    works(capsys, "cv", write_csv(file, X, y), "--target", "y", *FOLDS, "--loss", "poisson", "--out", saved)
    y[:10] = -1.0
    assert "on 110 rows" in run(capsys, "predict", saved, write_csv(file, X, y))[2]
    X[0, 0] = 1e6
    assert "the prediction of row 1 is too large" in fails(capsys, "predict", saved, write_csv(file, X, y))


@pytest.mark.parametrize(
    ("loss", "scoring", "judge"),
    [
        ("multinomial", "balanced_accuracy", lambda path, X, y: -balanced_accuracy_score(y, path.predict(X)[:, 0])),
        ("logistic", "neg_log_loss", lambda path, X, y: log_loss(y, path.predict_proba(X)[:, 0])),
        ("squared_hinge", "accuracy", lambda path, X, y: -(path.predict(X)[:, 0] == y).mean()),
        ("poisson", "neg_mean_absolute_error", lambda path, X, y: mean_absolute_error(y, path.predict(X)[:, 0])),
    ],
)
def test_scoring(capsys, tmp_path, loss, scoring, judge):
    X, y = target(loss)
    file, saved = write_csv(tmp_path / "table.csv", X, y), tmp_path / "model.json"
    options = ("--loss", loss, "--scoring", scoring, "--l1-ratio", 0.5, 1)
    out = works(capsys, "cv", file, "--target", "y", *FOLDS, *options, "--out", saved)
    content = json.loads(saved.read_text(encoding="utf-8"))
    splitter = (KFold if loss == "poisson" else StratifiedKFold)(4, shuffle=True, random_state=0)
    shared = {"loss": loss, "standardize": True, "alphas": [content["alpha"]], "l1_ratio": content["l1_ratio"]}
    errors = [judge(fit_path(X[train], y[train], **shared), X[test], y[test]) for train, test in splitter.split(X, y)]
    row = next(line for line in out.splitlines() if line.startswith("min (chosen)")).split()[2:]
    assert row[2] == f"{np.mean(errors):.5g}"
    assert "D^2" not in out


def test_scoring_of_the_squared_loss(capsys, tmp_path):
    X, y = target("huber")
    file, saved = write_csv(tmp_path / "table.csv", X, y), tmp_path / "model.json"
    out = works(capsys, "cv", file, "--target", "y", *FOLDS, "--scoring", "mae", "--out", saved)
    assert "CV error: mean absolute error of held-out rows" in " ".join(out.split())
    deviance = works(capsys, "cv", file, "--target", "y", *FOLDS, "--scoring", "deviance")
    assert "CV error: mean squared error of held-out rows" in " ".join(deviance.split())
    ours = fastreg.LassoCV(
        alphas=12, cv=KFold(4, shuffle=True, random_state=0), scoring="mae", standardize=True
    ).fit(X, y)  # fmt: skip
    assert json.loads(saved.read_text(encoding="utf-8"))["alpha"] == ours.alpha_


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--loss", "absolute"], "invalid choice: 'absolute'"),
        (["--delta", "2"], "--delta goes with --loss huber alone"),
        (["--loss", "huber", "--delta", "0"], "--delta must be positive and finite, got 0"),
        (["--loss", "poisson"], "--loss poisson needs numbers: choose --loss multinomial"),
        (["--loss", "logistic"], "has 3 values, --loss logistic needs two classes"),
    ],
)
@pytest.mark.parametrize("command", ["compare", "cv", "path"])
def test_bad_options(capsys, tmp_path, command, options, message):
    file = write_csv(tmp_path / "table.csv", *target("multinomial"))
    out = ["--out", tmp_path / "out.csv"] if command == "path" else []
    assert message in fails(capsys, command, file, "--target", "y", *out, *options)


def test_bad_scoring(capsys, tmp_path):
    X, y = target("multinomial")
    file = write_csv(tmp_path / "table.csv", X, y)
    cv = ("cv", file, "--target", "y", *FOLDS)
    assert "--scoring best is unknown: take deviance, or a scorer" in fails(capsys, *cv, "--scoring", "best")
    text = fails(capsys, *cv, "--scoring", "roc_auc")
    assert "--scoring roc_auc cannot judge the predictions of --loss multinomial: " in text
    assert "cannot judge the predictions of --loss multinomial" in fails(capsys, *cv, "--scoring", "mse")
    write_csv(file, *target("huber"))
    assert "cannot judge the predictions of --loss squared" in fails(capsys, *cv, "--scoring", "accuracy")
    one_row_each = ("--folds", N, "--alphas", 2, "--loss", "huber", "--scoring", "r2")
    assert "scoring gives NaN for fold 0" in fails(capsys, "cv", file, "--target", "y", *one_row_each)


def test_a_rare_class(capsys, tmp_path):
    X, y = target("logistic")
    y = np.where(np.arange(N) < 3, "rare", "common")
    file = write_csv(tmp_path / "table.csv", X, y)
    text = fails(capsys, "cv", file, "--target", "y", "--folds", 4)
    assert "3 rows of class rare in 'y' to fit, --folds 4 needs 4 of each class: lower --folds" in text
    assert "2 rows of class rare" in fails(capsys, "compare", file, "--target", "y", "--folds", 3)
    works(capsys, "cv", file, "--target", "y", "--folds", 3, "--alphas", 5)


def test_no_feature_in_the_model(capsys, tmp_path):
    for loss, said in (("logistic", "it predicts no for"), ("poisson", "it predicts 3 for")):
        X, _ = numbers()
        y = np.array(["no", "yes"])[np.arange(N) % 3 // 2] if loss == "logistic" else np.arange(N) % 5 + 1
        file = write_csv(tmp_path / "table.csv", X, y)
        assert said in works(capsys, "cv", file, "--target", "y", "--loss", loss, "--alphas", 1, "--folds", 3)


# path


def test_path(capsys, case, tmp_path):
    loss, X, y, file = case
    out, options = tmp_path / "coefs.csv", ("--loss", loss, "--alphas", 9, "--l1-ratio", 0.6)
    delta = ("--delta", 2) if loss == "huber" else ()
    text = works(capsys, "path", file, "--target", "y", *options, *delta, "--out", out)
    assert f"{loss} loss, L1 + L2 (l1_ratio 0.6) penalty, 9 alphas" in text
    path = fit_path(X, y, loss=loss, alphas=9, l1_ratio=0.6, delta=2.0)
    header, rows = read_csv(out.read_text(encoding="utf-8"))
    several = loss == "multinomial"
    assert header == ["alpha", *["class"] * several, "intercept", "n_features", "d2", "relative_gap", *"abcd"]
    if several:
        assert [row.pop(1) for row in rows] == ["high", "low", "middle"] * 9
    values = np.array(rows, dtype=float).reshape(9, len(path.parts), -1)
    assert_allclose(values[:, 0, 0], path.alphas, rtol=1e-12)
    assert_allclose(values[:, :, 1], path.intercepts.reshape(9, -1), atol=1e-9)
    assert_array_equal(values[:, 0, 2], path.n_nonzero)
    assert_allclose(values[:, 0, 3], path.deviance_ratio, atol=1e-12)
    for k, part in enumerate(path.parts):
        assert_allclose(values[:, k, 5:].T, part.toarray(), atol=1e-9)


def test_plots(capsys, case, tmp_path):
    pytest.importorskip("matplotlib")
    loss, _, _, file = case
    picture, coefs = tmp_path / "picture.png", tmp_path / "coefs.csv"
    shared = ("--target", "y", "--loss", loss, "--plot", picture)
    for call in (
        ("cv", file, *FOLDS, *shared),
        ("path", file, *shared, "--alphas", 8, "--out", coefs),
        ("path", file, *shared, "--alphas", 8, "--out", coefs, "--standardize"),
        ("compare", file, *shared, "--folds", 2),
    ):
        assert str(picture) in works(capsys, *call)
        assert picture.read_bytes().startswith(b"\x89PNG")
        picture.unlink()


# compare


@pytest.fixture(scope="module", params=LOSSES)
def comparison(request):
    X, y = target(request.param)
    return compare(with_loss(Dataset(X, y, np.array([*"abcd"]), "y", "made up"), request.param), folds=3)


def test_entries_are_what_they_say(comparison):
    data = comparison.data
    classes = data.classes is not None
    train, test = split(N, 0.25, 3, 0, data.y if classes else None)
    assert [entry.penalty for entry in comparison.entries] == [
        "none", "L2 (ridge)", "L1 (lasso)", "L1 + L2 (elastic net)"]  # fmt: skip
    assert comparison.entries[0].alpha == 0
    for entry, ratio in zip(comparison.entries, (1.0, 0.0, 1.0, 0.5), strict=True):
        fit = fit_path(data.X[train], data.response[train], loss=data.loss, delta=data.delta, standardize=True,
                       l1_ratio=ratio, alphas=[entry.alpha])  # fmt: skip
        assert_allclose(entry.coef, fit.coef_at(entry.alpha)[0], atol=1e-4)
        z = data.X[test] @ entry.coef + entry.intercept
        errors = unit_deviances(data.loss, data.y[test], z, data.delta)
        assert_allclose(entry.test_errors, errors, rtol=1e-9, atol=1e-12)
        assert_allclose(entry.test_error, errors.mean())
        null = null_deviances(data.loss, data.y[test], fit, data.delta).mean()
        assert_allclose(comparison.null_error, null, rtol=1e-6)
        assert_allclose(entry.test_share, 1 - errors.mean() / null, rtol=1e-6)
        assert 0 <= entry.certificate < 1e-9
        if classes:
            assert entry.accuracy == (fit.predict(data.X[test])[:, 0] == data.response[test]).mean()
    if classes:
        counts = np.bincount(data.y[train].astype(int))
        assert comparison.null_accuracy == (data.y[test] == counts.argmax()).mean()
        shares = np.bincount(data.y.astype(int)) / N
        assert_allclose(np.bincount(data.y[test].astype(int)) / len(test), shares, atol=1 / len(test))


def test_the_report_of_compare(comparison):
    text = format_comparison(comparison)
    assert text.isascii()
    assert f"Without features: test deviance {comparison.null_error:.4g}" in text
    for entry in comparison.entries:
        (line,) = [line for line in text.splitlines() if line.startswith(entry.penalty + "  ")]
        assert f"{entry.test_error:.4g}" in line
        if entry.accuracy is not None:
            assert f"{entry.accuracy:.3f}" in line
    assert max(map(len, text.splitlines())) <= 110
    assert "RMSE" not in text
    assert reading(comparison).endswith(".")


def test_separated_classes_are_said_to_be_so():
    X, _ = numbers()
    y = np.where(X[:, 0] > 0, "yes", "no")
    comparison = compare(with_loss(Dataset(X, y, np.array([*"abcd"]), "y", "made up")), folds=3)
    assert "separated without error" in " ".join(format_comparison(comparison).split())


def test_reading_tells_classifiers_apart_by_their_deviance():
    X, y = target("logistic")
    data = with_loss(Dataset(X, y, np.array([*"abcd"]), "y", "made up"))
    found = compare(data, folds=3)
    plain, ridge, *_ = found.entries
    # closer on most rows, and far off on a tenth of them
    sure = np.where(np.arange(100) % 10 == 0, 50.0, 0.0)
    plain = replace(plain, cv_error=5.0, test_error=5.0, test_errors=sure, accuracy=0.9)
    ridge = replace(ridge, cv_error=0.3, test_error=0.3, test_errors=np.full(100, 0.3), accuracy=0.95, test_share=0.5)
    text = reading(replace(found, n_test=100, entries=(plain, ridge)))
    assert text.startswith(
        "Cross-validation favours L2 (ridge): its deviance on the 100 held-out rows is 0.3 against 5"
    )
    assert "right on 95 of them against 90" in text
    same = replace(plain, cv_error=6.0)
    assert "do not settle" in reading(replace(found, n_test=100, entries=(same, plain)))
