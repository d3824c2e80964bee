"""Models as JSON files: what a prediction needs, by the names of the columns."""

import json
import math
from dataclasses import dataclass
from itertools import chain, combinations_with_replacement

import numpy as np

from fastreg import __version__
from fastreg.report.data import _LARGEST, _MISSING, DataError, _number, _quoted, level_name
from fastreg.report.inputs import is_svmlight, open_table, read_svmlight
from fastreg.report.stream import _missing, _value

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
    intercept : float
    coefs : dict of str to float
        By feature, without zeros. Features of an svmlight file are called by their indices.
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
    columns: tuple
    degree: int
    intercept: float
    coefs: dict
    products: dict
    alpha: float
    l1_ratio: float
    standardize: bool
    version: str


def as_linear_file(data, coef, intercept, alpha, l1_ratio, standardize):
    """A fit to data as `LinearFile`.

    Parameters
    ----------
    data : Dataset
    coef : ndarray of shape (p,)
    intercept, alpha, l1_ratio : float
    standardize : bool

    Returns
    -------
    LinearFile
    """
    used = np.flatnonzero(coef).tolist()
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
        intercept=float(intercept),
        coefs=dict(zip(names, coef[used].tolist(), strict=True)),
        products=products,
        alpha=float(alpha),
        l1_ratio=float(l1_ratio),
        standardize=standardize,
        version=__version__,
    )


def _features(column, levels):
    return [column] if levels is None else [level_name(column, level) for level in levels]


def write_model(model, file):
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
        "intercept": model.intercept,
        "coefficients": model.coefs,
        "products": {name: list(factors) for name, factors in model.products.items()},
    }
    with open(file, "w", encoding="utf-8") as out:
        json.dump(content, out, indent=1, allow_nan=False)
        out.write("\n")


def read_model(file):
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


def _checked(content):
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
    return LinearFile(
        source=source,
        target=_text(content["target"]),
        columns=tuple(columns),
        degree=degree,
        intercept=_float(content["intercept"]),
        coefs={name: _float(value) for name, value in coefs.items()},
        products=products,
        alpha=_float(content["alpha"]),
        l1_ratio=_float(content["l1_ratio"]),
        standardize=bool(content["standardize"]),
        version=_text(content["fastreg"]),
    )


def _text(value):
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is not a text")
    return value


def _list(value):
    if not isinstance(value, list):
        raise TypeError(f"{value!r} is not a list")
    return value


def _float(value):
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise TypeError(f"{value!r} is not a number")
    return float(value)


def predict_file(model, file):
    """Predict the rows of a file.

    Of a table, the columns that the coefficients belong to are needed, in any order; others are not looked at.

    Parameters
    ----------
    model : LinearFile
    file : str
        CSV, Parquet or svmlight, as the model has it.

    Returns
    -------
    prediction : ndarray of shape (m,)
    y : ndarray of shape (m,) or None
        The target, if the file has it; NaN in rows without a number.

    Raises
    ------
    DataError
        If a column is missing, or holds something that the model does not know.
    ImportError, OSError
        If the file cannot be read.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        prediction, y = _predict(model, file)
    usable = np.isfinite(prediction)
    if not usable.all():
        raise DataError(f"{file}: the prediction of row {np.argmin(usable) + 1} is too large a number: are its units "
                        "those of the fit?")  # fmt: skip
    return prediction, y


def _predict(model, file):
    """`predict_file` without a look at the result."""
    if is_svmlight(file):
        if model.source != "svmlight":
            raise DataError(f"{file}: the model was fitted to a table: give a CSV or Parquet file with its columns")
        X, y = read_svmlight(file)
        coefs = {int(name): value for name, value in model.coefs.items()}
        used = [j for j in coefs if j < X.shape[1]]  # beyond are the zeros that no row of this file has to name
        return X[:, used] @ np.array([coefs[j] for j in used]) + model.intercept, y
    if model.source == "svmlight":
        raise DataError(f"{file}: the model was fitted to a file in svmlight format: give such a file")
    table = open_table(file)
    blocks = _blocks(model, table)
    prediction = np.zeros(table.n_rows)
    for name, value in model.coefs.items():
        term = np.full(table.n_rows, value)
        for factor in model.products.get(name, [name]):
            term *= blocks[factor]
        prediction += term
    return prediction + model.intercept, _target(model, table)


def _blocks(model, table):
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


def _as_numbers(table, name, cells):
    if isinstance(cells, np.ndarray):
        return cells
    places = map(table.place, range(table.n_rows))
    rows = zip(places, cells, strict=True)
    return np.array([_value(table.file, place, name, name, cell, table.decimal_comma) for place, cell in rows])


def _codes(table, name, cells, levels):
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


def _target(model, table):
    """The target in the table, or None; nothing depends on it, so what is not a number is passed over."""
    if table.header.count(model.target) != 1:
        return None
    try:
        cells = table.cells(model.target)
    except DataError:
        return None
    if isinstance(cells, np.ndarray):
        return cells
    values = [_number(cell, table.decimal_comma) for cell in cells]
    return np.array([value if value is not None and abs(value) < _LARGEST else math.nan for value in values])


def score(y, prediction):
    """R^2 and root mean squared error over the rows whose y is a number, in words.

    Parameters
    ----------
    y, prediction : ndarray of shape (m,)

    Returns
    -------
    str or None
        None if there is no such row.
    """
    known = ~np.isnan(y)
    y, prediction = y[known], prediction[known]
    if not len(y):
        return None
    squares, spread = ((y - prediction) ** 2).sum(), ((y - y.mean()) ** 2).sum()
    r2 = f"R^2 {1 - squares / spread:.4f}" if spread > 0 else "no R^2 (all values are equal)"
    rmse = math.sqrt(squares / len(y))
    return f"{r2}, RMSE {rmse:.6g} on {len(y)} row{'s' * (len(y) != 1)} with a value of the target"
