"""Models as JSON files: what a prediction needs, by the names of the columns."""

from __future__ import annotations

import csv
import io
import json
import math
from dataclasses import dataclass
from itertools import chain, combinations_with_replacement
from typing import TYPE_CHECKING

import numpy as np

from fastreg import __version__
from fastreg.loss import LOSSES, probabilities, respond, unit_deviances
from fastreg.report.data import _LARGEST, _MISSING, DataError, _number, _quoted, level_name
from fastreg.report.inputs import is_svmlight, open_table, read_svmlight
from fastreg.report.losses import CLASS_LOSSES, codes_of, label_text
from fastreg.report.stream import _missing, _value

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import NDArray

    from fastreg._types import Floats, Ints
    from fastreg.report.data import Dataset

FORMAT = "fastreg linear model"
VERSION = 1
_SHOWN = 8  # names in an error


@dataclass(frozen=True, slots=True)
class LinearFile:
    """A linear model with what it needs to know about the columns of a file.

    Attributes
    ----------
    source : {"table", "svmlight"}
        What kind of file the features come from.
    target : str
    columns : tuple of (str, tuple of str or None)
        Of a table: names of columns and, if they hold text, levels.
    degree : int
        Of the products of features, 1 for none.
    loss : str
    classes : ndarray of shape (K,), str or float64, or None
        Labels in ascending order, for losses of classes.
    intercepts : ndarray of shape (1,), or (K,) for the multinomial loss
    coefs : dict of str to ndarray of shape (1,) or (K,)
        By feature, without those that are zero. Features of an svmlight file are called by their indices.
    products : dict of str to tuple of str
        Factors of those features in `coefs` that are products.
    alpha, l1_ratio : float
    standardize : bool
        Whether the penalty was on coefficients in standard units; those here are of the columns as they are.
    version : str
        Of the program that wrote the file.
    """

    source: str
    target: str
    columns: tuple[Any, ...]
    degree: int
    loss: str
    classes: NDArray[Any] | Any
    intercepts: Floats
    coefs: dict[str, Floats]
    products: dict[Any, tuple[str, ...]]
    alpha: float
    l1_ratio: float
    standardize: bool
    version: str


def as_linear_file(
    data: Dataset, coef: Floats, intercept: Any, alpha: float, l1_ratio: float, standardize: bool
) -> LinearFile:
    """A fit to data as `LinearFile`.

    Parameters
    ----------
    data : Dataset
    coef : ndarray of shape (p,), or (p, K) for the multinomial loss
    intercept : float or ndarray of shape (K,)
    alpha, l1_ratio : float
    standardize : bool

    Returns
    -------
    LinearFile
    """
    columns = coef.reshape(len(coef), -1)
    used = np.flatnonzero(columns.any(axis=1)).tolist()
    names = data.feature_names[used].tolist()
    products = {}
    if data.degree > 1:
        base = list(chain.from_iterable(_features(*column) for column in data.columns))
        wanted = set(used)
        # `expand` puts them in this order
        terms = chain.from_iterable(combinations_with_replacement(base, d) for d in range(1, data.degree + 1))
        factors = {j: term for j, term in enumerate(terms) if j in wanted and len(term) > 1}
        products = {name: factors[j] for j, name in zip(used, names, strict=True) if j in factors}
    return LinearFile(
        source="table" if data.columns else "svmlight",
        target=data.target,
        columns=data.columns,
        degree=data.degree,
        loss=data.loss,
        classes=data.classes,
        intercepts=np.atleast_1d(intercept),
        coefs=dict(zip(names, columns[used], strict=True)),
        products=products,
        alpha=float(alpha),
        l1_ratio=float(l1_ratio),
        standardize=standardize,
        version=__version__,
    )


def _features(column: str, levels: Any) -> list[str]:
    return [column] if levels is None else [level_name(column, level) for level in levels]


def write_model(model: LinearFile, file: str) -> None:
    """Write a model; numbers keep all their digits.

    Parameters
    ----------
    model : LinearFile
    file : str

    Raises
    ------
    OSError
        If the file cannot be written.
    """
    columns = [
        {"name": name} if levels is None else {"name": name, "levels": list(levels)} for name, levels in model.columns
    ]
    content = {
        "format": FORMAT,
        "version": VERSION,
        "fastreg": model.version,
        "source": model.source,
        "target": model.target,
        "columns": columns,
        "degree": model.degree,
        "alpha": model.alpha,
        "l1_ratio": model.l1_ratio,
        "standardize": model.standardize,
        "loss": model.loss,
        "classes": None if model.classes is None else model.classes.tolist(),
        "intercept": _plain(model.intercepts),
        "coefficients": {name: _plain(values) for name, values in model.coefs.items()},
        "products": {name: list(factors) for name, factors in model.products.items()},
    }
    with open(file, "w", encoding="utf-8") as out:
        json.dump(content, out, indent=1, allow_nan=False)
        out.write("\n")


def _plain(values: Any) -> Any:
    """A number, or a list of several."""
    return values.tolist() if len(values) > 1 else float(values[0])


def read_model(file: str) -> LinearFile:
    """Read what `write_model` wrote.

    Parameters
    ----------
    file : str

    Returns
    -------
    LinearFile

    Raises
    ------
    DataError
        If it is something else, or of a later version.
    OSError
        If it cannot be read.
    """
    advice = "give a model that `fastreg cv --out` wrote"
    try:
        with open(file, encoding="utf-8") as text:
            content = json.load(text)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{file}: not JSON ({error}): {advice}") from None
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise DataError(f"{file}: JSON, but not a model of fastreg: {advice}")
    if content.get("version") != VERSION:
        raise DataError(f"{file}: a model file of version {content.get('version')}, of which this fastreg "
                        f"({__version__}) knows {VERSION}: use the fastreg that wrote it, "
                        f"{content.get('fastreg')}")  # fmt: skip
    try:
        return _checked(content)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        reason = f"there is no {error}" if isinstance(error, KeyError) else error
        raise DataError(f"{file}: a damaged model file ({reason}): {advice}") from None


def _checked(content: Any) -> LinearFile:
    """The content of a file as a model; an error that `read_model` knows if it is not one."""
    columns = []
    for column in content["columns"]:
        levels = column.get("levels") if isinstance(column, dict) else None
        if levels is not None:
            levels = tuple(_text(level) for level in _list(levels))
        columns.append((_text(column["name"]), levels))
    source, coefs = content["source"], content["coefficients"]
    if source not in ("table", "svmlight"):
        raise ValueError(f"source {source!r}")
    if not isinstance(coefs, dict) or not isinstance(content["products"], dict):
        raise TypeError("coefficients and products must be objects")
    products = {name: tuple(_text(factor) for factor in _list(of)) for name, of in content["products"].items()}
    known = set(chain.from_iterable(_features(*column) for column in columns))
    for name in coefs:
        if source == "svmlight" and not (name.isascii() and name.isdigit()):
            raise ValueError(f"feature {name!r} is not an index")
        if source == "table" and not known.issuperset(products.get(name, [name])):
            raise ValueError(f"feature {name!r} belongs to no column")
    degree = content["degree"]
    if not isinstance(degree, int) or degree < 1:
        raise ValueError(f"degree {degree!r}")
    loss = content["loss"]
    if loss not in LOSSES:
        raise ValueError(f"loss {loss!r}")
    classes: Any = _labels(content["classes"]) if loss in CLASS_LOSSES else None
    count = len(classes) if loss == "multinomial" else 1
    return LinearFile(
        source=source,
        target=_text(content["target"]),
        columns=tuple(columns),
        degree=degree,
        loss=loss,
        classes=classes,
        intercepts=_floats(content["intercept"], count),
        coefs={name: _floats(value, count) for name, value in coefs.items()},
        products=products,
        alpha=_float(content["alpha"]),
        l1_ratio=_float(content["l1_ratio"]),
        standardize=bool(content["standardize"]),
        version=_text(content["fastreg"]),
    )


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is not a text")
    return value


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise TypeError(f"{value!r} is not a list")
    return value


def _labels(values: Any) -> NDArray[Any]:
    """Two classes or more, all texts or all numbers, in ascending order."""
    kind = _text if _list(values) and isinstance(values[0], str) else _float
    labels = np.array([kind(value) for value in values])
    if len(labels) < 2 or not (labels[:-1] < labels[1:]).all():
        raise ValueError(f"classes {values!r}")
    return labels


def _floats(values: Any, count: int) -> Floats:
    """So many numbers; a single one is not in a list."""
    values = [values] if count == 1 else _list(values)
    if len(values) != count:
        raise ValueError(f"{len(values)} numbers in place of {count}")
    return np.array([_float(value) for value in values])


def _float(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise TypeError(f"{value!r} is not a number")
    return float(value)


def predict_file(model: LinearFile, file: str) -> tuple[Floats, Floats | None]:
    """The linear predictors of the rows of a file.

    Of a table, the columns that the coefficients belong to are needed, in any order; others are not looked at.

    Parameters
    ----------
    model : LinearFile
    file : str
        CSV, Parquet or svmlight, as the model has it.

    Returns
    -------
    z : ndarray of shape (m,), or (m, K) for the multinomial loss
    y : ndarray of shape (m,) or None
        The target, if the file has it, for losses of classes their numbers; NaN in rows without a usable value.

    Raises
    ------
    DataError
        If a column is missing, or holds something that the model does not know.
    ImportError, OSError
        If the file cannot be read.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        z, y = _predict(model, file)
        usable = np.isfinite(respond(model.loss, z, None) if model.loss == "poisson" else z).reshape(len(z), -1)
        usable = usable.all(axis=1)
    if not usable.all():
        raise DataError(f"{file}: the prediction of row {np.argmin(usable) + 1} is too large a number: are its units "
                        "those of the fit?")  # fmt: skip
    return z, y


def format_predictions(model: LinearFile, z: Floats) -> str:
    """Predictions as CSV with a header: numbers, or labels with the probability of each class.

    For the squared hinge loss, which has no probabilities, labels with the decision value.

    Parameters
    ----------
    model : LinearFile
    z : ndarray of shape (m,) or (m, K)
        Linear predictors.

    Returns
    -------
    str
        Lines, the last one without an end.
    """
    if model.classes is None:
        return "\n".join(["prediction", *map(repr, respond(model.loss, z, None).tolist())])
    labels = np.array([label_text(label) for label in model.classes])
    if model.loss == "squared_hinge":
        names, columns = ["decision"], z[:, None]
    else:
        names, columns = [f"probability {label}" for label in labels], probabilities(model.loss, z)
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["prediction", *names])
    predicted = labels[codes_of(model.loss, z)].tolist()
    writer.writerows([label, *numbers] for label, numbers in zip(predicted, columns.tolist(), strict=True))
    return out.getvalue().rstrip("\n")


def _predict(model: LinearFile, file: str) -> tuple[Floats, Any]:
    """`predict_file` without a look at the result."""
    if is_svmlight(file):
        if model.source != "svmlight":
            raise DataError(f"{file}: the model was fitted to a table: give a CSV or Parquet file with its columns")
        X, y = read_svmlight(file)
        coefs = {int(name): value for name, value in model.coefs.items()}
        used = [j for j in coefs if j < X.shape[1]]  # beyond are the zeros that no row of this file has to name
        columns = np.array([coefs[j] for j in used]).reshape(len(used), len(model.intercepts))
        return _as_z(X[:, used] @ columns + model.intercepts), _usable(model, y)
    if model.source == "svmlight":
        raise DataError(f"{file}: the model was fitted to a file in svmlight format: give such a file")
    table = open_table(file)
    blocks = _blocks(model, table)
    z = np.zeros((table.n_rows, len(model.intercepts)))
    for name, values in model.coefs.items():
        term = np.tile(values, (table.n_rows, 1))
        for factor in model.products.get(name, [name]):
            term *= blocks[factor][:, None]
        z += term
    return _as_z(z + model.intercepts), _target(model, table)


def _as_z(columns: Floats) -> Floats:
    """(m,) of a single column."""
    return columns[:, 0] if columns.shape[1] == 1 else columns


def _blocks(model: LinearFile, table: Any) -> dict[str, Any]:
    """The features that the coefficients are made of, each as an array."""
    needed = set(chain.from_iterable(model.products.get(name, [name]) for name in model.coefs))
    columns = [column for column in model.columns if not needed.isdisjoint(_features(*column))]
    absent = [name for name, _ in columns if name not in table.header]
    if absent:
        names = ", ".join(f"'{name}'" for name in absent[:_SHOWN]) + (", ..." if len(absent) > _SHOWN else "")
        raise DataError(f"{table.file}: the model needs column{'s' * (len(absent) > 1)} {names}, which the file does "
                        f"not have: add or rename, or fit without (cv --drop {_quoted(absent[0])})")  # fmt: skip
    blocks = {}
    for name, levels in columns:
        if table.header.count(name) > 1:
            raise DataError(f"{table.file}: {table.header.count(name)} columns are called '{name}': rename them")
        cells = table.cells(name)
        if levels is None:
            blocks[name] = _as_numbers(table, name, cells)
            continue
        codes = _codes(table, name, cells, levels)
        blocks.update({level_name(name, level): (codes == k).astype(np.float64) for k, level in enumerate(levels)})
    return blocks


def _as_numbers(table: Any, name: str, cells: Any) -> Floats:
    if isinstance(cells, np.ndarray):
        return cells
    places = map(table.place, range(table.n_rows))
    rows = zip(places, cells, strict=True)
    return np.array([_value(table.file, place, name, name, cell, table.decimal_comma) for place, cell in rows])


def _codes(table: Any, name: str, cells: Any, levels: Any) -> Ints:
    """Numbers of the levels that the cells hold."""
    if isinstance(cells, np.ndarray):
        raise DataError(f"{table.file}: column '{name}' holds numbers where the model knows texts: '{levels[0]}', ...")
    number = {level: k for k, level in enumerate(levels)}
    for i, cell in enumerate(cells):
        if cell in number:
            continue
        if cell.lower() in _MISSING:
            raise _missing(table.file, table.place(i), name, name, f" ('{cell}')" if cell else "")
        known = ", ".join(f"'{level}'" for level in levels[:_SHOWN]) + (", ..." if len(levels) > _SHOWN else "")
        raise DataError(f"{table.file}: column '{name}', {table.place(i)}: the model does not know '{cell}', only "
                        f"{known}: mend or remove the row, or fit again with rows that have it")  # fmt: skip
    return np.array([number[cell] for cell in cells])


def _target(model: LinearFile, table: Any) -> Any:
    """The target in the table, or None; nothing depends on it, so what is not a usable value is passed over."""
    if table.header.count(model.target) != 1:
        return None
    try:
        cells = table.cells(model.target)
    except DataError:
        return None
    if model.classes is not None and model.classes.dtype.kind == "U":
        return None if isinstance(cells, np.ndarray) else _usable(model, np.array(cells))
    if isinstance(cells, np.ndarray):
        return _usable(model, cells)
    values = [_number(cell, table.decimal_comma) for cell in cells]
    values = [value if value is not None and abs(value) < _LARGEST else math.nan for value in values]
    return _usable(model, np.array(values))


def _usable(model: LinearFile, y: Any) -> Any:
    """y, or the numbers of its classes, NaN where the model cannot have predicted it."""
    if model.classes is not None:
        return np.where(np.isin(y, model.classes), np.searchsorted(model.classes, y), math.nan)
    return np.where(y < 0, math.nan, y) if model.loss == "poisson" else y


def score(model: LinearFile, z: Floats, y: Any) -> str | None:
    """How good predictions are over the rows with a usable y, in words.

    R^2 and root mean squared error of numbers, deviance of counts, accuracy and deviance of classes.

    Parameters
    ----------
    model : LinearFile
    z : ndarray of shape (m,) or (m, K)
        Linear predictors.
    y : ndarray of shape (m,)
        As of `predict_file`.

    Returns
    -------
    str or None
        None if there is no such row.
    """
    known = ~np.isnan(y)
    y, z = y[known], z[known]
    if not len(y):
        return None
    rows = f"on {len(y)} row{'s' * (len(y) != 1)}"
    if model.classes is not None or model.loss == "poisson":
        deviance = unit_deviances(model.loss, y, z, None).mean()
        right = f"accuracy {(codes_of(model.loss, z) == y).mean():.4f}, " if model.classes is not None else ""
        what = "a class of the model" if model.classes is not None else "a value of the target"
        return f"{right}mean deviance {deviance:.6g} {rows} with {what}"
    prediction = z
    squares, spread = ((y - prediction) ** 2).sum(), ((y - y.mean()) ** 2).sum()
    r2 = f"R^2 {1 - squares / spread:.4f}" if spread > 0 else "no R^2 (all values are equal)"
    rmse = math.sqrt(squares / len(y))
    return f"{r2}, RMSE {rmse:.6g} {rows} with a value of the target"
