"""Cross-validation and paths for the command line: fit with a counter, say what came out."""

from __future__ import annotations

import csv
import math
import re
import sys
from contextlib import contextmanager, redirect_stderr
from dataclasses import dataclass, replace
from time import perf_counter
from types import SimpleNamespace
from typing import TYPE_CHECKING

import numpy as np

from fastreg.report.data import DataError
from fastreg.report.loss_search import scored_by, search_paths
from fastreg.report.losses import CLASS_LOSSES, check_classes, codes_of, label_text, null_deviances
from fastreg.report.progress import Progress
from fastreg.report.selection_plots import error_name
from fastreg.report.table import _wrap, format_table
from fastreg.result import RegularizationPath

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from typing import Any, TextIO

    from matplotlib.figure import Figure

    from fastreg._types import Floats, Rule, Splits
    from fastreg.report.data import Dataset
    from fastreg.report.loss_search import LossSearch

_LARGEST_COEFS = 15  # in the table
_SHOWN = 15  # alphas in the table
_DEVIANCES = (None, "deviance", "mse")  # None is that of the squared loss
_ERROR_NAMES = {None: "mean squared error", "deviance": "mean deviance", "mse": "mean squared error",
                "mae": "mean absolute error", "accuracy": "minus accuracy"}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Search:
    """A cross-validated fit.

    Attributes
    ----------
    data : Dataset
    model : ElasticNetCV or ChosenPath
        Fitted.
    splits : list of (train, test)
        Row numbers of the folds.
    seed : int
    null : float
        Deviance of the model without features, a mean over all rows.
    seconds : float
    """

    data: Dataset
    model: Any
    splits: Splits
    seed: int
    null: float
    seconds: float

    @property
    def rules(self) -> dict[str, Any]:
        """For "min" and "1se": l1_ratio, alpha, errors, features, share of the deviance, accuracy, edge of the grid?

        The share is None where the error is not the deviance, the accuracy where there are no classes.
        """
        model = self.model
        names = ("l1_ratio", "alpha", "mean_error", "standard_error", "n_features")
        ratios, alphas, mean, error, counts = (np.atleast_2d(model.cv_results_[name]) for name in names)
        r = int(mean.min(axis=1).argmin())
        held = np.array([len(test) for _, test in self.splits])
        errors = model.cv_results_["errors"].reshape(*mean.shape, -1)
        accuracies = model.cv_results_.get("accuracy")
        found = {}
        for rule, alpha in (("min", model.alpha_min_), ("1se", model.alpha_1se_)):
            i = int(np.flatnonzero(alphas[r] == alpha)[0])
            share = 1 - float(errors[r, i] @ held / (held.sum() * self.null))
            edge = alphas.shape[1] > 1 and i in (0, alphas.shape[1] - 1)
            found[rule] = SimpleNamespace(
                l1_ratio=float(ratios[r, i]), alpha=alpha, error=float(mean[r, i]),
                standard_error=float(error[r, i]), n_features=int(counts[r, i]),
                share=share if model.scoring in _DEVIANCES else None,
                accuracy=None if accuracies is None else float(accuracies[r, i]), edge=edge,
            )  # fmt: skip
        return found


@dataclass(frozen=True, slots=True)
class ChosenPath:
    """For a loss other than the squared one what `ElasticNetCV` has under the same names; `coef_` may be (p, K)."""

    coef_: Floats
    intercept_: float | Floats
    alpha_: float
    alpha_min_: float
    alpha_1se_: float
    cv_results_: dict[str, Any]
    scoring: str
    selection_rule: str
    standardize: bool


def search(
    data: Dataset,
    *,
    l1_ratios: Sequence[float] = (1.0,),
    alphas: int = 100,
    folds: int = 10,
    seed: int = 0,
    rule: Rule = "min",
    standardize: bool = True,
    scoring: str | None = None,
) -> Search:
    """Choose alpha, and l1_ratio, by cross-validation with shuffled folds, and fit all rows.

    Parameters
    ----------
    data : Dataset
    l1_ratios : sequence of float
    alphas : int
        Length of the grid.
    folds, seed : int
    rule : {"min", "1se"}
    standardize : bool
    scoring : str or None
        None is the deviance, of the squared loss the mean squared error.

    Returns
    -------
    Search

    Raises
    ------
    DataError
        If there are too few rows, or the scoring does not suit the target.
    """
    from sklearn.model_selection import KFold, StratifiedKFold

    from fastreg.models import ElasticNetCV

    n = len(data.y)
    if n < folds:
        raise DataError(f"too few rows: --folds {folds} needs at least {folds}, there are {n}")
    if data.loss in CLASS_LOSSES:
        check_classes(data, np.arange(n), folds)
    _check_varies(data)
    kind = StratifiedKFold if data.loss in CLASS_LOSSES else KFold
    splits = list(kind(folds, shuffle=True, random_state=seed).split(data.X, data.y))
    start = perf_counter()
    with _counted((folds + 1) * len(l1_ratios) * alphas) as verbose:
        if data.loss == "squared":
            scoring = None if scoring == "deviance" else scoring
            model: Any = ElasticNetCV(
                l1_ratio=l1_ratios[0] if len(l1_ratios) == 1 else list(l1_ratios), alphas=alphas, cv=splits,
                standardize=standardize, selection_rule=rule, scoring=scoring, verbose=verbose,
            )  # fmt: skip
            with scored_by(scoring, "squared"):
                model.fit(data.X, data.y)
            null = data.y.var()
        else:
            scoring = "deviance" if scoring is None else scoring
            found = search_paths(
                data, l1_ratios, alphas, splits, scoring=scoring, standardize=standardize, verbose=verbose
            )
            model = _chosen(found, l1_ratios, rule, scoring, standardize)
            null = null_deviances(data.loss, data.y, found.paths[0], data.delta).mean()
    return Search(data, model, splits, seed, float(null), perf_counter() - start)


def _chosen(search: LossSearch, l1_ratios: Sequence[float], rule: str, scoring: str, standardize: bool) -> ChosenPath:
    """The solution that a rule takes from a `LossSearch`."""
    found = search.found
    (r, least), (_, one_se) = found.best(), found.within_one_se()
    i = least if rule == "min" else one_se
    coef, intercept = search.paths[r].coef_at(found.alphas[r, i])
    results = {
        "l1_ratio": np.repeat(np.array(l1_ratios)[:, None], found.alphas.shape[1], axis=1),
        "alpha": found.alphas,
        "mean_error": found.mean,
        "standard_error": found.standard_error,
        "n_features": np.array([path.n_nonzero for path in search.paths]),
        "errors": found.scores,
        "relative_gaps": found.relative_gaps,
    }
    if search.accuracies is not None:
        results["accuracy"] = search.accuracies
    alphas = found.alphas[r].tolist()
    return ChosenPath(coef, intercept, alphas[i], alphas[least], alphas[one_se], results, scoring, rule, standardize)


def format_search(found: Search) -> str:
    """The report of `fastreg cv`.

    Parameters
    ----------
    found : Search

    Returns
    -------
    str
    """
    data, model, rules = found.data, found.model, found.rules
    grid = np.atleast_2d(model.cv_results_["alpha"])
    ratios = np.atleast_2d(model.cv_results_["l1_ratio"])[:, 0]
    several = f", {len(ratios)} values of l1_ratio" if len(ratios) > 1 else ""
    lines = [
        *_head(data),
        f"{_kind(ratios, data.loss)}, {_many(grid.shape[1], 'alpha')}{several}, "
        f"{len(found.splits)}-fold cross-validation (seed {found.seed}){', columns standardized' * model.standardize}",
        None,
        _rules_table(rules, model.selection_rule, f"CV {_share_name(data.loss)}"),
        None,
        *_largest(data, model.coef_, model.intercept_),
        None,
        "min: the smallest error; 1se: the largest alpha within one standard error of it. CV error: "
        f"{error_name(model.scoring, _ERROR_NAMES)} of held-out rows +- its standard error.",
    ]  # fmt: skip
    if data.classes is not None:
        codes = data.y.astype(np.intp)
        counts = np.bincount(codes)
        lines.append(f"CV accuracy: share of held-out rows whose class is predicted; the most frequent class, "
                     f"{label_text(data.classes[counts.argmax()])}, has {counts.max() / len(codes):.3f}.")  # fmt: skip
    if any(one.edge for one in rules.values()):
        lines.append("! this alpha is at an end of its grid.")
    gap = model.cv_results_["relative_gaps"].max()
    lines.append(f"Largest duality gap of any fold, over the objective of its null model: {gap:.0e}. "
                 f"{found.seconds:.2f} seconds.")  # fmt: skip
    return _layout(lines)


def _rules_table(rules: dict[str, Any], chosen: str, share: str) -> str:
    """What the rules choose, with those of share and accuracy that there are."""
    one = next(iter(rules.values()))
    more = [[share, *(_share(one.share) for one in rules.values())]] if one.share is not None else []
    if one.accuracy is not None:
        more.append(["CV accuracy", *(f"{one.accuracy:.3f}" for one in rules.values())])
    return format_table(
        ["rule", "l1_ratio", "alpha", "CV error", "+-", *(name for name, *_ in more), "features"],
        [
            [rule + " (chosen)" * (rule == chosen), f"{one.l1_ratio:g}", f"{one.alpha:.4g}{'!' * one.edge}",
             f"{one.error:.5g}", f"{one.standard_error:.2g}", *(cells[k] for cells in more), str(one.n_features)]
            for k, (rule, one) in enumerate(rules.items(), start=1)
        ],
    )  # fmt: skip


def _share_name(loss: str) -> str:
    return "R^2" if loss == "squared" else "D^2"


def _share(value: float) -> str:
    return f"{value:.3f}" if value > -100 else f"{value:.2g}"


def _largest(data: Dataset, coef: Floats, intercept: Any) -> list[str]:
    """Lines with the coefficients of most effect."""
    if not coef.any():
        return [f"No feature is in the model: it predicts {_prediction(data, intercept)} for every row."]
    several = coef.ndim == 2
    intercepts, columns = np.atleast_1d(intercept), coef if several else coef[:, None]
    used, k = np.nonzero(columns)
    effects = columns[used, k] * _deviations(data.X[:, used])
    order = np.argsort(-np.abs(effects), kind="stable")[:_LARGEST_COEFS]
    more = f" ({len(order)} of {len(used)} shown)" if len(order) < len(used) else ""

    def row(name: str, k: int, *numbers: str) -> list[str]:
        return [name, *([label_text(data.classes[k])] if several else []), *numbers]

    lines = [
        format_table(
            ["feature", *(["class"] if several else []), "coefficient", "per std. dev."],
            [
                row(str(data.feature_names[used[i]]), k[i], f"{columns[used[i], k[i]]:.6g}", f"{effects[i]:.4g}")
                for i in order
            ]
            + [row("(intercept)", i, f"{value:.6g}", "") for i, value in enumerate(intercepts)],
        ),
        f"per std. dev.: for a change of the feature by one standard deviation{more}.",
    ]
    if data.classes is not None and not several:
        lines.append(f"Positive coefficients speak for {label_text(data.classes[1])}.")
    return lines


def _prediction(data: Dataset, z: Any) -> str:
    """What a linear predictor stands for, in words."""
    if data.classes is not None:
        return label_text(data.classes[codes_of(data.loss, np.asarray(z))])
    return f"{np.exp(z) if data.loss == 'poisson' else z:.6g}"


def _deviations(X: Any) -> Floats:
    """Standard deviations of the columns of a dense or sparse X."""
    if not hasattr(X, "multiply"):
        return X.std(axis=0)
    mean = np.asarray(X.mean(axis=0)).ravel()
    square = np.asarray(X.multiply(X).mean(axis=0)).ravel()
    return np.sqrt(np.maximum(square - mean**2, 0))


@dataclass(frozen=True, slots=True)
class FittedPath:
    """A path over all rows.

    Attributes
    ----------
    data : Dataset
    path : RegularizationPath
    l1_ratio : float
    standardize : bool
    seconds : float
    """

    data: Dataset
    path: RegularizationPath
    l1_ratio: float
    standardize: bool
    seconds: float


def fit(data: Dataset, *, l1_ratio: float = 1.0, alphas: int = 100, standardize: bool = False) -> FittedPath:
    """Fit a path to all rows.

    Parameters
    ----------
    data : Dataset
    l1_ratio : float
    alphas : int
    standardize : bool

    Returns
    -------
    FittedPath

    Raises
    ------
    DataError
        If no feature varies.
    """
    from fastreg.path import fit_path

    _check_varies(data)
    start = perf_counter()
    with _counted(alphas) as verbose:
        path = fit_path(
            data.X, data.response, loss=data.loss, delta=data.delta, l1_ratio=l1_ratio, alphas=alphas,
            standardize=standardize, verbose=verbose,
        )  # fmt: skip
    return FittedPath(data, path, l1_ratio, standardize, perf_counter() - start)


def format_path(fitted: FittedPath) -> str:
    """The report of `fastreg path`.

    Parameters
    ----------
    fitted : FittedPath

    Returns
    -------
    str
    """
    path = fitted.path
    shown = np.unique(np.linspace(0, len(path.alphas) - 1, _SHOWN).round().astype(int))
    few = f", {len(shown)} shown" if len(shown) < len(path.alphas) else ""
    return _layout([
        *_head(fitted.data),
        f"{_kind([fitted.l1_ratio], fitted.data.loss)}, {_many(len(path.alphas), 'alpha')}{few}"
        f"{', columns standardized' * fitted.standardize}",
        None,
        format_table(
            ["alpha", "features", _share_name(fitted.data.loss), "rel. gap"],
            [
                [f"{path.alphas[i]:.4g}", str(path.n_nonzero[i]), f"{path.deviance_ratio[i]:.4f}",
                 f"{path.relative_gaps[i]:.0e}"]
                for i in shown
            ],
        ),
        None,
        f"rel. gap: duality gap over the objective of the null model. {fitted.seconds:.2f} seconds.",
    ])  # fmt: skip


def write_path(fitted: FittedPath, file: str) -> None:
    """Write a path as CSV: a line for each alpha, a column for each feature that enters, all digits.

    For the multinomial loss a line for each alpha and class.

    Parameters
    ----------
    fitted : FittedPath
    file : str

    Raises
    ------
    OSError
        If the file cannot be written.
    """
    path, data = fitted.path, fitted.data
    several = data.loss == "multinomial"
    labels = [[label_text(label)] for label in data.classes] if several else [[]]
    rows = [part.tocsr() for part in path.parts]
    used = np.flatnonzero(sum(np.diff(part.indptr) for part in rows))
    parts = [part[used].tocsc() for part in rows]
    intercepts = path.intercepts.reshape(len(path.alphas), -1)
    with open(file, "w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out)
        share: Any = _share_name(data.loss).replace("^", "").lower()
        writer.writerow(["alpha", *["class"] * several, "intercept", "n_features", share, "relative_gap",
                         *data.feature_names[used].tolist()])  # fmt: skip
        for i, count in enumerate(path.n_nonzero.tolist()):
            alpha, share, gap = (float(values[i]) for values in (path.alphas, path.deviance_ratio, path.relative_gaps))
            for label, level, part in zip(labels, intercepts[i].tolist(), parts, strict=True):
                coefs = part[:, [i]].toarray().ravel().tolist()
                writer.writerow([alpha, *label, level, count, share, gap, *coefs])


def save_search(found: Search, file: str) -> None:
    """Draw the error against alpha and save the picture.

    Parameters
    ----------
    found : Search
    file : str
        Its ending says the format.
    """
    from fastreg.report.selection_plots import plot_cv

    model = found.model
    results = {name: np.atleast_2d(values) for name, values in model.cv_results_.items()}
    figure, ax = _figure(found.data)
    plot_cv(
        SimpleNamespace(
            cv_results_=results, best=int(results["mean_error"].min(axis=1).argmin()), strength="alpha",
            chosen=(model.alpha_min_, model.alpha_1se_), error_name=error_name(model.scoring, _ERROR_NAMES),
        ),
        ax,
    )  # fmt: skip
    figure.savefig(file, dpi=150)


def save_path(fitted: FittedPath, file: str) -> None:
    """Draw the coefficients against alpha, per standard deviation if the columns were standardized, and save them.

    Parameters
    ----------
    fitted : FittedPath
    file : str
        Its ending says the format.
    """
    from fastreg.report.plots import plot_path

    data, path = fitted.data, fitted.path
    several = data.loss == "multinomial"
    figure, axes = _figure(data, len(data.classes) if several else 1)
    scale = _deviations(data.X) if fitted.standardize else None
    plot_path(replace(path, feature_names=data.feature_names), axes, scale=scale)
    if fitted.standardize:
        for ax in np.ravel(axes):
            ax.set_ylabel("coefficient per standard deviation")
    figure.savefig(file, dpi=150)


def _figure(data: Dataset, panels: int = 1) -> tuple[Figure, Any]:
    """A figure with a title, and its axes: an array of them for more than one panel."""
    from matplotlib.figure import Figure

    from fastreg.report.plots import panel_axes

    figure = Figure(layout="constrained")
    figure.suptitle(f"{data.title}: '{data.target}'")
    return figure, panel_axes(figure, panels)


def _check_varies(data: Dataset) -> None:
    if not hasattr(data.X, "multiply") and not (data.X.min(axis=0) < data.X.max(axis=0)).any():
        raise DataError("no feature varies: there is nothing to predict from")


def _head(data: Dataset) -> list[str]:
    n, p = data.X.shape
    return [f"{data.title}: predict '{data.target}', {_many(n, 'row')}, {_many(p, 'feature')}", *data.notes]


def _many(count: int, noun: str) -> str:
    return f"{count} {noun}{'s' * (count != 1)}"


def _kind(ratios: Any, loss: str) -> str:
    if loss != "squared":
        penalty = "L1" if list(ratios) == [1] else f"L1 + L2 (l1_ratio {', '.join(f'{r:g}' for r in ratios)})"
        return f"{loss} loss, {penalty} penalty"
    if len(ratios) > 1:
        return "elastic net"
    return "lasso" if ratios[0] == 1 else f"elastic net with l1_ratio {ratios[0]:g}"


def _layout(lines: Iterable[str | None]) -> str:
    """Long lines wrapped; None is an empty one."""
    return "\n".join("" if line is None else line if "\n" in line else _wrap(line) for line in lines)


@contextmanager
def _counted(total: int) -> Iterator[int]:
    """What to pass as `verbose`: on a terminal, what a fit then reports becomes a `Progress` of so many fits."""
    if not sys.stderr.isatty():
        yield 0
        return
    progress = Progress(sys.stderr, "fastreg")
    try:
        with redirect_stderr(_Reports(sys.stderr, progress, total)):
            yield 1
    finally:
        progress.clear()


class _Reports:
    """A stream that takes the percentages out of what passes through."""

    def __init__(self, stream: TextIO, progress: Any, total: int) -> None:
        self._stream, self._progress, self._total = stream, progress, total

    def write(self, text: str) -> int:
        percent = re.fullmatch(r"\rfastreg: (\d+)% solved\n?", text)
        if percent is None:
            return self._stream.write(text)
        self._progress(math.floor(int(percent[1]) * self._total / 100), self._total)
        return len(text)

    def flush(self) -> None:
        self._stream.flush()
