"""Data for the command line: a CSV file or the diabetes data, as numbers with names."""

from __future__ import annotations

import csv
import math
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from numpy.typing import NDArray

    from fastreg._types import Floats, Loss

_MISSING = frozenset({"", "na", "n/a", "#n/a", "nan", "null", "?"})
_DELIMITERS = ",;\t|"
_LARGEST = 1e150  # squares must not overflow
_MOST_BYTES = 4 << 30


class DataError(ValueError):
    """Data that cannot be used; the message is one line that says where and what to do."""


@dataclass(frozen=True, slots=True)
class Dataset:
    """A problem of regression or classification with names.

    Attributes
    ----------
    X : ndarray of shape (n, p), float64
        Or a sparse matrix, of a file in svmlight format.
    y : ndarray of shape (n,), float64
        As read it may hold texts; `with_loss` turns labels into their numbers in `classes`.
    feature_names : ndarray of shape (p,), str
    target : str
        Name of the response.
    title : str
        Where the data come from, in a few words.
    notes : tuple of str
        What was done to the columns, one line each.
    columns : tuple of (str, tuple of str or None)
        The columns of the file in use, and their levels if they hold text; empty if the data are not from a table.
    degree : int
        Of the products that `expand` made of the columns.
    loss : str
        As in `fastreg.fit_path`.
    delta : float
        Of the Huber loss.
    classes : ndarray of shape (K,), str or float64, or None
        Labels in ascending order, for losses of classes.
    """

    X: Any
    y: Floats
    feature_names: NDArray[Any]
    target: str
    title: str
    notes: tuple[str, ...] = ()
    columns: tuple[Any, ...] = ()
    degree: int = 1
    loss: Loss = "squared"
    delta: float = 1.35
    classes: NDArray[Any] | Any = None

    @property
    def response(self) -> NDArray[Any]:
        """y as `fit_path` takes it: numbers, or labels."""
        return self.y if self.classes is None else self.classes[self.y.astype(np.intp)]


def load_diabetes() -> Dataset:
    """Scikit-learn's diabetes data in their original units.

    Returns
    -------
    Dataset
        442 patients, 10 measurements; the target is the progression of the disease one year later.

    References
    ----------
    B. Efron, T. Hastie, I. Johnstone and R. Tibshirani, "Least angle regression", Annals of Statistics 32 (2004).
    """
    from sklearn import datasets

    raw = datasets.load_diabetes(scaled=False)
    return Dataset(raw.data, raw.target, np.array(raw.feature_names), "disease progression", "diabetes (scikit-learn)")


def expand(data: Dataset, degree: int) -> Dataset:
    """Add all products of columns up to a degree, powers included.

    Powers of a 0/1 or otherwise two-valued column repeat it; they are kept, since a penalty copes with them and
    `lstsq` does too.

    Parameters
    ----------
    data : Dataset
    degree : int
        At least 1; 1 returns the data as they are.

    Returns
    -------
    Dataset

    Raises
    ------
    DataError
        If the result would take more than 4 GiB, or its values are too large for float64.
    """
    if degree == 1:
        return data
    from sklearn.preprocessing import PolynomialFeatures

    n, p = data.X.shape
    features = math.comb(p + degree, degree) - 1
    if 8 * n * features > _MOST_BYTES:
        raise DataError(f"products up to degree {degree} of {p} columns make {features} features, "
                        "more than fit in 4 GiB: lower --degree or --drop columns")  # fmt: skip
    products = PolynomialFeatures(degree, include_bias=False)
    with np.errstate(over="ignore"):
        X = products.fit_transform(data.X)
    names = products.get_feature_names_out(data.feature_names).astype(str)
    too_large = ~(np.abs(X).max(axis=0) < _LARGEST)
    if too_large.any():
        raise DataError(
            f"the product '{names[too_large.argmax()]}' is too large: rescale its columns or lower --degree"
        )
    note = f"{p} columns and their products up to degree {degree}: {features} features"
    return replace(data, X=X, feature_names=names, notes=(*data.notes, note), degree=degree)


def read_csv(path: Any, target: str, drop: Sequence[str] = ()) -> Dataset:
    """Read a CSV file with a header into numbers.

    The delimiter (comma, semicolon, tab or bar) is the one that splits the header most; with semicolons a decimal
    comma is understood. Columns that are mostly text are one-hot encoded with a column for each level: a penalty needs
    no reference level. Empty lines are skipped.

    Parameters
    ----------
    path : str or os.PathLike
    target : str
        Name of the column to predict: numbers, or mostly text, which are labels.
    drop : sequence of str
        Columns to leave out; what is in them does not matter.

    Returns
    -------
    Dataset

    Raises
    ------
    DataError
        For anything that would need a guess: the message names the column and the line of the file (the header is
        line 1).
    OSError
        If the file cannot be read.
    """
    return encode(CsvTable(path), target, drop)


class CsvTable:
    """The cells of a CSV file by the names of its columns.

    Parameters
    ----------
    file : str or os.PathLike

    Attributes
    ----------
    file
    header : list of str
    n_rows : int
    decimal_comma : bool
        Whether ``1,5`` is a number.
    """

    def __init__(self, file: Any) -> None:
        self.file = file
        self.header, self._lines, self._rows, delimiter = _records(file)
        self.n_rows = len(self._rows)
        self.decimal_comma = delimiter == ";"

    def place(self, i: int) -> str:
        """Row number i, as an error message calls it."""
        return f"line {self._lines[i]}"

    def cells(self, name: str) -> list[str]:
        """The stripped cells of a column."""
        j = self.header.index(name)
        return [row[j].strip() for row in self._rows]


def encode(table: Any, target: str, drop: Sequence[str] = ()) -> Dataset:
    """Turn the columns of a table into features.

    Parameters
    ----------
    table : CsvTable, or anything with its attributes and methods
        `cells` may return an ndarray, which holds usable numbers.
    target : str
    drop : sequence of str

    Returns
    -------
    Dataset

    Raises
    ------
    DataError
        As in `read_csv`.
    """
    path = table.file
    _check_header(path, table.header, target, drop)

    def column(name: str) -> tuple[Any, Floats | None]:
        """Cells, and the numbers in them or None."""
        cells = table.cells(name)
        if isinstance(cells, np.ndarray):
            return cells, cells
        _check_missing(table, name, target, cells)
        return cells, _numbers(table, name, target, cells)

    cells, y = column(target)
    y = np.array(cells) if y is None else y
    if (y == y[0]).all():
        only = repr(str(y[0])) if y.dtype.kind == "U" else f"{y[0]:g}"
        raise DataError(f"{path}: the target '{target}' is {only} in every row: there is nothing to predict")
    blocks: list[Floats]
    columns: list[tuple[str, Any]]
    blocks, names, columns = [], [], []
    for name in table.header:
        if name == target or name in drop:
            continue
        cells, values = column(name)
        if values is not None:
            blocks.append(values[:, None])
            names.append(name)
            columns.append((name, None))
            continue
        levels, codes = np.unique(np.array(cells), return_inverse=True)
        if len(levels) > 10 and 2 * len(levels) > len(cells):
            raise DataError(f"{path}: column '{name}' has {len(levels)} different texts in {len(cells)} rows: "
                            f"an identifier? leave it out with --drop {_quoted(name)}")  # fmt: skip
        blocks.append((codes[:, None] == np.arange(len(levels))).astype(np.float64))
        columns.append((name, tuple(levels.tolist())))
        names.extend(level_name(name, level) for level in columns[-1][1])
    if not blocks:
        raise DataError(f"{path}: no column is left to predict '{target}' from")
    notes: tuple[str, ...] = ()
    if texts := [f"'{name}' ({len(levels)})" for name, levels in columns if levels is not None]:
        notes = (f"text columns, one 0/1 feature per level, all levels kept: {', '.join(texts)}",)
    return Dataset(np.hstack(blocks), y, np.array(names), target, str(path), notes, tuple(columns))


def level_name(column: str, level: str) -> str:
    """The name of the 0/1 feature of one level of a text column."""
    return f"{column}={level}"


def _records(path: Any) -> tuple[Any, list[int], list[list[str]], str]:
    """Header, line numbers, rows and delimiter; every row as long as the header."""
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            first = next((line for line in file if line.strip()), None)
            if first is None:
                raise DataError(f"{path}: the file is empty: a header and rows are needed")
            delimiter = max(_DELIMITERS, key=lambda d: len(next(csv.reader([first], delimiter=d))))
            file.seek(0)
            reader = csv.reader(file, delimiter=delimiter, strict=True)
            header, lines, rows = None, [], []
            previous = 0
            for row in reader:
                line, previous = previous + 1, reader.line_num
                if not any(cell.strip() for cell in row) and len(row) <= 1:
                    continue
                if header is None:
                    header = [cell.strip() for cell in row]
                elif len(row) != len(header):
                    raise DataError(f"{path}: line {line} has {len(row)} fields, the header has {len(header)}")
                else:
                    lines.append(line)
                    rows.append(row)
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not UTF-8 text ({error.reason}): save it as CSV in UTF-8") from None
    except csv.Error as error:
        raise DataError(f"{path}: line {previous + 1}: not CSV: {error}") from None
    if not rows:
        raise DataError(f"{path}: there are no rows after the header")
    return header, lines, rows, delimiter


def _check_header(path: Any, header: list[str], target: str, drop: Sequence[str]) -> None:
    for j, name in enumerate(header):
        if not name:
            header[j] = name = f"column {j + 1}"
            if name not in drop:
                raise DataError(f"{path}: {name} has no name in the header: name it, "
                                f"or leave it out with --drop '{name}'")  # fmt: skip
    for name, count in Counter(header).items():
        if count > 1 and name not in drop:
            raise DataError(f"{path}: {count} columns are called '{name}': rename them or leave them out with "
                            f"--drop {_quoted(name)}")  # fmt: skip
    for option, name in [("--target", target), *(("--drop", name) for name in drop)]:
        if name not in header:
            shown = ", ".join(f"'{h}'" for h in header[:8]) + (", ..." if len(header) > 8 else "")
            raise DataError(f"{path}: {option}: there is no column '{name}'; the columns are {shown}")
    if target in drop:
        raise DataError(f"--target and --drop both name '{target}'")


def _check_missing(table: Any, name: str, target: str, cells: list[str]) -> None:
    for i, cell in enumerate(cells):
        if cell.lower() in _MISSING:
            shown, place = f" ('{cell}')" if cell else "", table.place(i)
            raise DataError(f"{table.file}: missing value{shown} in column '{name}', {place}: "
                            f"fill it in, remove the {place.split()[0]}{_or_drop(name, target)}")  # fmt: skip


def _numbers(table: Any, name: str, target: str, cells: list[str]) -> Floats | None:
    """The column as float64, or None if it holds text; a few stray texts among numbers are an error."""
    values = np.empty(len(cells))
    stray = None
    for i, cell in enumerate(cells):
        value = _number(cell, table.decimal_comma)
        if value is None:
            stray = i if stray is None else stray
            value = math.nan
        elif not abs(value) < _LARGEST:
            raise DataError(f"{table.file}: '{cell}' in column '{name}', {table.place(i)}, is not a number of usable "
                            f"size: mend it{_or_drop(name, target)}")  # fmt: skip
        values[i] = value
    if stray is None:
        return values
    texts, found = int(np.isnan(values).sum()), f"{table.place(stray)} holds '{cells[stray]}'"
    if 2 * texts <= len(cells):
        what = "the target" if name == target else "column"
        raise DataError(f"{table.file}: {what} '{name}' mixes numbers and text ({texts} of {len(cells)} rows): "
                        f"{found}: mend it{_or_drop(name, target)}")  # fmt: skip
    return None


def _number(cell: str, decimal_comma: bool) -> float | None:
    if decimal_comma and cell.count(",") == 1 and "." not in cell:
        cell = cell.replace(",", ".")
    if "_" in cell:  # float() reads 1_000, a file does not mean it
        return None
    try:
        return float(cell)
    except ValueError:
        return None


def _or_drop(name: str, target: str) -> str:
    return "" if name == target else f", or leave the column out with --drop {_quoted(name)}"


def _quoted(name: str) -> str:
    return f"'{name}'" if " " in name else name
