"""A file larger than memory: read in blocks of rows, added up, fitted from the sums."""

from __future__ import annotations

import csv
import os
from dataclasses import dataclass
from itertools import chain, islice
from typing import TYPE_CHECKING

import numpy as np

from fastreg.accumulator import GramAccumulator
from fastreg.report.data import (
    _DELIMITERS,
    _LARGEST,
    _MISSING,
    DataError,
    _check_header,
    _number,
    _or_drop,
)
from fastreg.report.table import format_table
from fastreg.result import RegularizationPath

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import Any, Self

    from fastreg._types import Floats

_CELLS = 500_000  # of a block, unless its number of rows is given
_MOST_ROWS = 20_000
_MOST_BYTES = 4 << 30  # of the sums
_BUFFER = 1 << 20  # bytes that each column of a Parquet file is read ahead
_SHOWN = 15  # alphas in the table


@dataclass(frozen=True, slots=True)
class Block:
    """Some rows of a file.

    Attributes
    ----------
    names : list of str
        The p features.
    X : ndarray of shape (m, p), float64
    y : ndarray of shape (m,), float64
    done, total : int
        How much of the file is read, in `unit`s; `total` is 0 where that is not known.
    unit : str
    """

    names: list[str]
    X: Floats
    y: Floats
    done: int
    total: int
    unit: str


@dataclass(frozen=True, slots=True)
class StreamFit:
    """A path fitted to a file.

    Attributes
    ----------
    file, target, model : str
    names : list of str
        The p features.
    n_rows, n_blocks : int
    path : RegularizationPath
    """

    file: str
    target: str
    model: str
    names: list[str]
    n_rows: int
    n_blocks: int
    path: RegularizationPath


def fit_stream(
    file: str,
    target: str,
    *,
    drop: Sequence[str] = (),
    l1_ratio: float = 1.0,
    alphas: int = 100,
    ridge: float | None = None,
    standardize: bool = False,
    block_rows: int | None = None,
    progress: Callable[..., Any] | None = None,
) -> StreamFit:
    """Fit a path to a CSV or Parquet file that need not fit in memory.

    Parameters
    ----------
    file : str
    target : str
        The column to predict.
    drop : sequence of str
        Columns to leave out.
    l1_ratio, alphas : float, int
        As in `fit_path`.
    ridge : float or None
        In place of these, ridge regression at this alpha, on the scale of scikit-learn's Ridge.
    standardize : bool
    block_rows : int or None
        Rows in memory at a time; None: about half a million numbers.
    progress : callable(done, total, unit) or None
        Called after each block.

    Returns
    -------
    StreamFit

    Raises
    ------
    DataError
        For anything that is not a number; the message names line (or row) and column.
    ImportError
        For a Parquet file without pyarrow.
    OSError
        If the file cannot be read.
    """
    sums, n_blocks = GramAccumulator(), 0
    for block in read_blocks(file, target, drop, block_rows):
        sums.add(block.X, block.y)
        n_blocks += 1
        if progress is not None and block.total:
            progress(block.done, block.total, block.unit)
    if sums.y_std_[0] == 0:
        raise DataError(f"{file}: the target '{target}' is {sums.y_mean_[0]:g} in every row: nothing to predict")
    if ridge is not None:
        model, path = "ridge regression", sums.ridge([ridge], standardize=standardize)
    else:
        model = "lasso" if l1_ratio == 1 else f"elastic net with l1_ratio {l1_ratio:g}"
        path = sums.fit_path(l1_ratio=l1_ratio, alphas=alphas, standardize=standardize)
    model += ", columns standardized" if standardize else ""
    return StreamFit(str(file), target, model, block.names, sums.n_rows_, n_blocks, path)


def format_fit(fit: StreamFit) -> str:
    """The report of `fastreg fit`: what was fitted, and a table over some of the alphas.

    Parameters
    ----------
    fit : StreamFit

    Returns
    -------
    str
    """
    path, p = fit.path, len(fit.names)
    shown = np.unique(np.linspace(0, len(path.alphas) - 1, _SHOWN).round().astype(int))
    rows, blocks = f"{fit.n_rows} row{'s' * (fit.n_rows != 1)}", f"{fit.n_blocks} block{'s' * (fit.n_blocks != 1)}"
    lines = [
        f"{fit.file}: predict '{fit.target}', {rows} in {blocks}, {p} feature{'s' * (p != 1)}",
        f"{fit.model}, {len(path.alphas)} alpha{'s' * (len(path.alphas) != 1)}"
        + (f", {len(shown)} shown" if len(shown) < len(path.alphas) else ""),
        "",
        format_table(
            ["alpha", "nonzero", "R^2", "rel. gap"],
            [
                [
                    f"{path.alphas[i]:.4g}", str(path.n_nonzero[i]), f"{path.deviance_ratio[i]:.4f}",
                    f"{path.relative_gaps[i]:.0e}",
                ]
                for i in shown
            ],
        ),
        "",
        "rel. gap: duality gap over the objective of the null model, with a bound for the rounding of the sums.",
    ]  # fmt: skip
    return "\n".join(lines)


def write_coefs(fit: StreamFit, file: str) -> None:
    """Write intercept and coefficients as CSV, a line for each alpha and all their digits.

    Parameters
    ----------
    fit : StreamFit
    file : str

    Raises
    ------
    OSError
        If the file cannot be written.
    """
    path = fit.path
    with open(file, "w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(["alpha", "(intercept)", *fit.names])
        for i, (alpha, intercept) in enumerate(zip(path.alphas, path.intercepts, strict=True)):
            coefs = path.coefs[:, [i]].toarray().ravel()
            writer.writerow(np.concatenate([[alpha, intercept], coefs]).tolist())


def read_blocks(file: str, target: str, drop: Sequence[str] = (), block_rows: int | None = None) -> Iterator[Block]:
    """The rows of a CSV or Parquet file, block by block.

    CSV as in `read_csv`: a header, the delimiter that splits it most, a decimal comma with semicolons; but columns must
    be numeric: a level that turns up in the last block would need a column in all others.

    Parameters
    ----------
    file : str
    target : str
    drop : sequence of str
    block_rows : int or None

    Yields
    ------
    Block

    Raises
    ------
    DataError, ImportError, OSError
        As in `fit_stream`.
    """
    blocks = parquet_blocks if _is_parquet(file) else csv_blocks
    read = False
    for block in blocks(file, target, drop, block_rows):
        read = True
        yield block
    if not read:
        raise DataError(f"{file}: there are no rows" + (" after the header" if blocks is csv_blocks else ""))


def _is_parquet(file: str) -> bool:
    if not os.path.isfile(file):
        return False
    with open(file, "rb") as start:
        return start.read(4) == b"PAR1"


def _features(file: str, header: list[str], target: str, drop: Sequence[str]) -> tuple[list[str], list[int], int]:
    """Names and positions of the features, and the position of the target."""
    _check_header(file, header, target, drop)
    where = [j for j, name in enumerate(header) if name != target and name not in drop]
    if not where:
        raise DataError(f"{file}: no column is left to predict '{target}' from")
    if 8 * len(where) ** 2 > _MOST_BYTES:
        raise DataError(f"{file}: {len(where)} columns are too many for the sums of their products: use --drop")
    return [header[j] for j in where], where, header.index(target)


def _size(block_rows: int | None, columns: int) -> int:
    return block_rows or max(1, min(_MOST_ROWS, _CELLS // columns))


def csv_blocks(file: str, target: str, drop: Sequence[str] = (), block_rows: int | None = None) -> Iterator[Block]:
    """`read_blocks` for a CSV file."""
    try:
        with open(file, encoding="utf-8-sig", newline="") as text:
            source = _Counted(text)
            first = next((line for line in source if line.strip()), None)
            if first is None:
                raise DataError(f"{file}: the file is empty: a header and rows are needed")
            delimiter = max(_DELIMITERS, key=lambda d: len(next(csv.reader([first], delimiter=d))))
            header = [cell.strip() for cell in next(csv.reader(chain([first], source), delimiter=delimiter))]
            names, where, at = _features(file, header, target, drop)
            columns, size = [*where, at], _size(block_rows, len(header))
            total = os.fstat(text.fileno()).st_size >> 20 if text.seekable() else 0
            while lines := list(islice(source, size)):
                values = _at_once(lines, delimiter, columns, len(header))
                if values is None:
                    values = _row_by_row(file, source, lines, delimiter, header, columns, target)
                if len(values):
                    done = min(text.buffer.tell() >> 20, total) if total else 0  # type: ignore[attr-defined]  # a real file
                    yield Block(names, values[:, :-1], values[:, -1], done, total, "MB")
    except UnicodeDecodeError as error:
        raise DataError(f"{file}: not UTF-8 text ({error.reason}): save it as CSV in UTF-8") from None


class _Counted:
    """The lines of a file, and how many of them were read."""

    def __init__(self, lines: Any) -> None:
        self.lines, self.count = lines, 0

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> str:
        line = next(self.lines)
        self.count += 1
        return line


def _at_once(lines: Any, delimiter: str, columns: Any, width: int) -> Floats | None:
    """Values (m, columns) of lines that are plain numbers; None where something needs a closer look."""
    text = "".join(lines)
    if '"' in text or "_" in text or (delimiter == ";" and "," in text):
        return None
    if any(line.count(delimiter) != width - 1 for line in lines):
        return None
    try:
        values = np.loadtxt(lines, delimiter=delimiter, usecols=columns, comments=None, ndmin=2)
    except ValueError:
        return None
    usable = len(values) == len(lines) and np.abs(values).max() < _LARGEST  # False for NaN
    return values if usable else None


def _row_by_row(
    file: str, source: Any, lines: Any, delimiter: str, header: list[str], columns: Any, target: str
) -> Floats:
    """The same by the rules of `read_csv`; a quoted cell may reach into lines that `source` still has."""
    before = source.count - len(lines)
    reader = csv.reader(chain(lines, source), delimiter=delimiter, strict=True)
    values = []
    while reader.line_num < len(lines):
        line = before + reader.line_num + 1
        try:
            row = next(reader)
        except csv.Error as error:
            raise DataError(f"{file}: line {line}: not CSV: {error}") from None
        if not any(cell.strip() for cell in row) and len(row) <= 1:
            continue
        if len(row) != len(header):
            raise DataError(f"{file}: line {line} has {len(row)} fields, the header has {len(header)}")
        place = [(header[j], row[j].strip()) for j in columns]
        values.append([_value(file, f"line {line}", name, target, cell, delimiter == ";") for name, cell in place])
    return np.array(values, dtype=np.float64).reshape(-1, len(columns))


def _value(file: str, where: str, name: str, target: str, cell: str, decimal_comma: bool) -> float:
    if cell.lower() in _MISSING:
        shown = f" ('{cell}')" if cell else ""
        raise _missing(file, where, name, target, shown)
    value = _number(cell, decimal_comma)
    if value is None:
        raise DataError(f"{file}: column '{name}' must be numeric: {where} holds '{cell}': encode it as numbers"
                        f"{_or_drop(name, target)}")  # fmt: skip
    if not abs(value) < _LARGEST:
        raise _unusable(file, where, name, target, cell)
    return value


def _missing(file: str, where: str, name: str, target: str, shown: str = "") -> DataError:
    return DataError(f"{file}: missing value{shown} in column '{name}', {where}: fill it in, remove the "
                     f"{where.split()[0]}{_or_drop(name, target)}")  # fmt: skip


def _unusable(file: str, where: str, name: str, target: str, cell: str) -> DataError:
    return DataError(f"{file}: '{cell}' in column '{name}', {where}, is not a number of usable size: mend it"
                     f"{_or_drop(name, target)}")  # fmt: skip


def parquet_blocks(file: str, target: str, drop: Sequence[str] = (), block_rows: int | None = None) -> Iterator[Block]:
    """`read_blocks` for a Parquet file, of which the columns in use alone are read; its rows count from 1."""
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ImportError as error:
        raise ImportError(
            f'{file}: reading Parquet files needs pyarrow: pip install "fastreg-solvers[parquet]"'
        ) from error
    try:
        # without a buffer of its own size, the whole file would be read ahead
        with parquet.ParquetFile(file, pre_buffer=False, buffer_size=_BUFFER) as source:
            schema = source.schema_arrow
            names, where, at = _features(file, list(schema.names), target, drop)
            for j in [*where, at]:
                kind, name = schema.field(j).type, schema.names[j]
                if not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)):
                    raise DataError(f"{file}: column '{name}' must be numeric: it is of type {kind}: encode it as "
                                    f"numbers{_or_drop(name, target)}")  # fmt: skip
            columns, total, done = [*names, target], source.metadata.num_rows, 0
            for batch in source.iter_batches(_size(block_rows, len(columns)), columns=columns):
                values = np.empty((len(batch), len(columns)), order="F")
                for j, name in enumerate(columns):
                    column = batch.column(name)
                    if column.null_count:
                        row = done + 1 + column.is_null().to_pylist().index(True)
                        raise _missing(file, f"row {row}", name, target)
                    values[:, j] = column.to_numpy(zero_copy_only=False)
                usable = np.abs(values) < _LARGEST
                if not usable.all():
                    i, j = np.argwhere(~usable)[0]
                    if np.isnan(values[i, j]):
                        raise _missing(file, f"row {done + i + 1}", columns[j], target, " (NaN)")
                    raise _unusable(file, f"row {done + i + 1}", columns[j], target, f"{values[i, j]:g}")
                done += len(batch)
                if len(batch):
                    yield Block(names, values[:, :-1], values[:, -1], done, total, "rows")
    except pa.ArrowException as error:
        raise DataError(f"{file}: not a Parquet file that can be read: {error}") from None
