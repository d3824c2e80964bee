"""What the commands do: check the options, work, and return the text to print."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Sequence

    from fastreg.report.data import Dataset


class UsageError(ValueError):
    """An option that cannot be used; the message is one line."""


def compare(arguments: Namespace) -> str:
    """Compare penalties on a file, or without one on the diabetes data.

    Parameters
    ----------
    arguments : argparse.Namespace
        As all commands take them.

    Returns
    -------
    str
        As all commands return it.
    """
    if arguments.plot is not None:
        _check_plot(arguments.plot)

    from fastreg.report import data
    from fastreg.report.losses import with_loss

    if arguments.command == "compare":
        _check_delta(arguments)
        problem = data.read_csv(arguments.file, arguments.target, arguments.drop)
        problem = with_loss(problem, arguments.loss, arguments.delta)
        degree = 1 if arguments.degree is None else arguments.degree
    else:
        problem = data.load_diabetes()
        degree = 3 if arguments.degree is None else arguments.degree
    problem = data.expand(problem, degree)

    from fastreg.report.compare import compare
    from fastreg.report.progress import Progress
    from fastreg.report.table import format_comparison

    progress = Progress(sys.stderr, "fastreg")
    try:
        comparison = compare(problem, test_size=arguments.test_size, folds=arguments.folds, seed=arguments.seed,
                             progress=progress)  # fmt: skip
    finally:
        progress.clear()
    text = format_comparison(comparison)
    if arguments.plot is not None:
        from fastreg.report.plots import save_comparison

        save_comparison(comparison, arguments.plot)
        text += f"\n\nCoefficient paths: {arguments.plot}"
    return text


def fit(arguments: Namespace) -> str:
    """Fit a file block by block."""
    _check_fit(arguments)

    from fastreg.report import stream
    from fastreg.report.progress import Progress

    progress = Progress(sys.stderr, "fastreg")
    try:
        fit = stream.fit_stream(
            arguments.stream, arguments.target, drop=arguments.drop,
            l1_ratio=1.0 if arguments.l1_ratio is None else arguments.l1_ratio,
            alphas=100 if arguments.alphas is None else arguments.alphas, ridge=arguments.ridge,
            standardize=arguments.standardize, block_rows=arguments.block_rows, progress=progress,
        )  # fmt: skip
    finally:
        progress.clear()
    text = stream.format_fit(fit)
    if arguments.out is not None:
        stream.write_coefs(fit, arguments.out)
        text += f"\nCoefficients: {arguments.out}"
    return text


def cv(arguments: Namespace) -> str:
    """Choose the penalty by cross-validation, and save the model."""
    _check_penalty(arguments.alphas, arguments.l1_ratio)
    _check_outputs(arguments)
    _check_scoring(arguments.scoring)
    data = _problem(arguments)

    from fastreg.report import fits

    found = fits.search(
        data, l1_ratios=list(dict.fromkeys(arguments.l1_ratio)), alphas=arguments.alphas, folds=arguments.folds,
        seed=arguments.seed, rule=arguments.rule, standardize=arguments.standardize, scoring=arguments.scoring,
    )  # fmt: skip
    text = f"{fits.format_search(found)}\n"
    if arguments.out is not None:
        from fastreg.report.model_file import as_linear_file, write_model

        model, chosen = found.model, found.rules[arguments.rule]
        write_model(
            as_linear_file(data, model.coef_, model.intercept_, model.alpha_, chosen.l1_ratio, arguments.standardize),
            arguments.out,
        )
        text += f"\nModel: {arguments.out}"
    if arguments.plot is not None:
        fits.save_search(found, arguments.plot)
        text += f"\nError against alpha: {arguments.plot}"
    return text.rstrip("\n")


def predict(arguments: Namespace) -> str:
    """Predict the rows of a file; the score goes to stderr."""
    if arguments.plot is not None:
        raise UsageError("--plot does not go with predict")
    if arguments.out is not None:
        _check_writable("--out", arguments.out)

    from fastreg.report.model_file import format_predictions, predict_file, read_model, score

    model = read_model(arguments.model)
    z, y = predict_file(model, arguments.file)
    text = format_predictions(model, z)
    if arguments.out is not None:
        with open(arguments.out, "w", encoding="utf-8") as out:
            out.write(f"{text}\n")
        text = f"{len(z)} prediction{'s' * (len(z) != 1)}: {arguments.out}"
    found = None if y is None else score(model, z, y)
    if found is not None:
        print(f"fastreg: {found}", file=sys.stderr)
    return text


def path(arguments: Namespace) -> str:
    """Fit a path and write its coefficients."""
    _check_penalty(arguments.alphas, [arguments.l1_ratio])
    _check_outputs(arguments)
    data = _problem(arguments)

    from fastreg.report import fits

    fitted = fits.fit(data, l1_ratio=arguments.l1_ratio, alphas=arguments.alphas, standardize=arguments.standardize)
    fits.write_path(fitted, arguments.out)
    text = f"{fits.format_path(fitted)}\n\nCoefficients: {arguments.out}"
    if arguments.plot is not None:
        fits.save_path(fitted, arguments.plot)
        text += f"\nCoefficient paths: {arguments.plot}"
    return text


def _problem(arguments: Namespace) -> Dataset:
    """The data that the arguments name, with features of different names."""
    from fastreg.report import inputs
    from fastreg.report.data import DataError, expand
    from fastreg.report.losses import with_loss

    _check_delta(arguments)
    file, degree = arguments.file, 1 if arguments.degree is None else arguments.degree
    if inputs.is_svmlight(file):
        if arguments.drop or degree > 1:
            raise UsageError(f"{file}: --drop and --degree do not go with a file in svmlight format")
        return with_loss(inputs.svmlight_problem(file, arguments.target), arguments.loss, arguments.delta)
    if arguments.target is None:
        raise UsageError(f"{file}: say which column to predict with --target COLUMN")
    data = inputs.read_table(file, arguments.target, arguments.drop)
    data = expand(with_loss(data, arguments.loss, arguments.delta), degree)
    seen = set()
    for name in data.feature_names.tolist():
        if name in seen:
            raise DataError(f"{file}: two features would be called '{name}', as columns, levels or products of them: "
                            "rename a column")  # fmt: skip
        seen.add(name)
    return data


def _check_outputs(arguments: Namespace) -> None:
    if arguments.plot is not None:
        _check_plot(arguments.plot)
    if arguments.out is not None:
        _check_writable("--out", arguments.out)


def _check_penalty(alphas: int, l1_ratios: Sequence[float]) -> None:
    for ratio in l1_ratios:
        if not 0 < ratio <= 1:
            raise UsageError(f"--l1-ratio must lie above 0 and not above 1, got {ratio:g}")
    if alphas < 1:
        raise UsageError(f"--alphas must be at least 1, got {alphas}")


def _check_delta(arguments: Namespace) -> None:
    delta = arguments.delta
    if delta is not None and arguments.loss != "huber":
        raise UsageError("--delta goes with --loss huber alone")
    if delta is not None and not 0 < delta < float("inf"):
        raise UsageError(f"--delta must be positive and finite, got {delta:g}")


def _check_scoring(scoring: str | None) -> None:
    from sklearn.metrics import get_scorer_names

    if scoring not in (None, "deviance", "mse", "mae", *get_scorer_names()):
        raise UsageError(f"--scoring {scoring} is unknown: take deviance, or a scorer of scikit-learn such as "
                         "accuracy, balanced_accuracy, roc_auc, f1, neg_log_loss, r2")  # fmt: skip


def _check_fit(arguments: Namespace) -> None:
    l1_ratio, alphas, ridge, rows = arguments.l1_ratio, arguments.alphas, arguments.ridge, arguments.block_rows
    if arguments.plot is not None:
        raise UsageError("--plot does not go with fit")
    if ridge is not None and (l1_ratio is not None or alphas is not None):
        raise UsageError("--ridge takes the place of --l1-ratio and --alphas: leave one or the others out")
    if ridge is not None and not 0 <= ridge < float("inf"):
        raise UsageError(f"--ridge must be finite and at least 0, got {ridge:g}")
    if l1_ratio is not None and not 0 < l1_ratio <= 1:
        raise UsageError(f"--l1-ratio must lie above 0 and not above 1 (for 0 there is --ridge), got {l1_ratio:g}")
    if alphas is not None and alphas < 1:
        raise UsageError(f"--alphas must be at least 1, got {alphas}")
    if rows is not None and rows < 1:
        raise UsageError(f"--block-rows must be at least 1, got {rows}")
    if arguments.out is not None:
        _check_writable("--out", arguments.out)


def _check_plot(path: str) -> None:
    """Refuse now what could not be written after the work."""
    from fastreg.report.plots import require_matplotlib

    require_matplotlib()
    from matplotlib.backend_bases import FigureCanvasBase

    ending = os.path.splitext(path)[1].lower().lstrip(".")
    known = FigureCanvasBase.get_supported_filetypes()
    if ending not in known:
        raise UsageError(f"--plot {path}: the name must end in one of .{', .'.join(sorted(known))}")
    _check_writable("--plot", path)


def _check_writable(option: str, path: str) -> None:
    folder = os.path.dirname(path) or "."
    if os.path.isdir(path) or not os.path.isdir(folder):
        raise UsageError(f"{option} {path}: {'a folder has this name' if os.path.isdir(path) else 'no such folder'}")
    if not os.access(path if os.path.exists(path) else folder, os.W_OK):
        raise UsageError(f"{option} {path}: permission denied")
