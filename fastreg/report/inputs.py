"""Files of other kinds than CSV: Parquet tables, and svmlight, whose rows stay sparse."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

import numpy as np

from fastreg.report.data import _LARGEST, CsvTable, DataError, Dataset, encode
from fastreg.report.stream import _is_parquet, _missing, _unusable

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

_SVMLIGHT_ENDINGS = (".svmlight", ".libsvm", ".svm")
_NUMBER = r"[-+]?[\d.]+([eE][-+]?\d+)?"
_LABEL = re.compile(rf"\s*{_NUMBER}(\s+qid:\d+)?\s*(#.*)?", re.ASCII | re.DOTALL)
_SVMLIGHT_LINE = re.compile(rf"\s*{_NUMBER}(\s+qid:\d+)?(\s+\d+:{_NUMBER})+\s*(#.*)?", re.ASCII | re.DOTALL)
_LOOK = 1 << 16  # characters of a file that are looked at to tell what it is


def open_table(file: str) -> Any:
    """A CSV or Parquet file.

    Parameters
    ----------
    file : str

    Returns
    -------
    CsvTable or ParquetTable

    Raises
    ------
    DataError, ImportError, OSError
        If it cannot be read.
    """
    return ParquetTable(file) if _is_parquet(file) else CsvTable(file)


def read_table(file: str, target: str, drop: Sequence[str] = ()) -> Dataset:
    """`read_csv` for CSV and Parquet files.

    Parameters
    ----------
    file, target : str
    drop : sequence of str

    Returns
    -------
    Dataset

    Raises
    ------
    DataError, ImportError, OSError
        If it cannot be read or used; the message says where.
    """
    return encode(open_table(file), target, drop)


class ParquetTable:
    """The columns of a Parquet file by name; rows count from 1.

    Parameters
    ----------
    file : str

    Attributes
    ----------
    file
    header : list of str
    n_rows : int
    decimal_comma : bool
    """

    decimal_comma = False

    def __init__(self, file: str) -> None:
        try:
            import pyarrow as pa
            from pyarrow import parquet
        except ImportError as error:
            raise ImportError(
                f'{file}: reading Parquet files needs pyarrow: pip install "fastreg-solvers[parquet]"'
            ) from error
        self.file = file
        try:
            self._source = parquet.ParquetFile(file)
        except pa.ArrowException as error:
            raise _broken(file, error) from None
        self.header = list(self._source.schema_arrow.names)
        self.n_rows = self._source.metadata.num_rows
        if not self.n_rows:
            raise DataError(f"{file}: there are no rows")

    def place(self, i: int) -> str:
        """Row number i, as an error message calls it."""
        return f"row {i + 1}"

    def cells(self, name: str) -> Any:
        """A column: an ndarray of numbers, or the stripped cells of a text column, empty where there is none."""
        import pyarrow as pa

        try:
            column = self._source.read(columns=[name]).column(name)
            if pa.types.is_dictionary(column.type):
                column = column.cast(column.type.value_type)
        except pa.ArrowException as error:
            raise _broken(self.file, error) from None
        kind = column.type
        if pa.types.is_string(kind) or pa.types.is_large_string(kind):
            return [(cell or "").strip() for cell in column.to_pylist()]
        if not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)):
            raise DataError(f"{self.file}: column '{name}' is of type {kind}: encode it as numbers or text")
        if column.null_count:
            raise _missing(self.file, self.place(column.is_null().to_pylist().index(True)), name, name)
        values = column.to_numpy().astype(np.float64)
        bad = np.flatnonzero(~(np.abs(values) < _LARGEST))
        if bad.size:
            place, value = self.place(bad[0]), values[bad[0]]
            if np.isnan(value):
                raise _missing(self.file, place, name, name, " (NaN)")
            raise _unusable(self.file, place, name, name, f"{value:g}")
        return values


def _broken(file: str, error: Exception) -> DataError:
    return DataError(f"{file}: not a Parquet file that can be read: {error}")


def is_svmlight(file: str) -> bool:
    """Whether a file is in svmlight format: by its name, or by its first line with more than a number or a comment.

    Parameters
    ----------
    file : str

    Returns
    -------
    bool

    Raises
    ------
    OSError
        If the file cannot be read.
    """
    with open(file, encoding="utf-8", errors="replace") as text:
        stem = re.sub(r"\.(gz|bz2)$", "", os.fspath(file).lower())
        if stem.endswith(_SVMLIGHT_ENDINGS):
            return True
        while line := text.readline(_LOOK):
            if line.strip() and not line.startswith("#") and not _LABEL.fullmatch(line):
                # the start of a long line has to do, up to its last complete entry
                line = line if line.endswith("\n") or len(line) < _LOOK else line.rpartition(" ")[0]
                return _SVMLIGHT_LINE.fullmatch(line) is not None
    return False


def read_svmlight(file: str) -> Any:
    """The rows of a file in svmlight format.

    Parameters
    ----------
    file : str

    Returns
    -------
    X : scipy.sparse CSR matrix of shape (n, p)
        Column j holds the entries with index j, so that in most files the first is empty.
    y : ndarray of shape (n,)

    Raises
    ------
    DataError, OSError
        If the file cannot be read or holds something other than usable numbers.
    """
    from sklearn.datasets import load_svmlight_file

    try:
        X, y = load_svmlight_file(file, zero_based=True)
    except (ValueError, IndexError, OverflowError, EOFError) as error:
        raise DataError(f"{file}: not a file in svmlight format that can be read: {error}") from None
    if not X.shape[0]:
        raise DataError(f"{file}: there are no rows")
    if not (np.abs(y) < _LARGEST).all():
        raise DataError(f"{file}: row {np.argmin(np.abs(y) < _LARGEST) + 1}: the label is not a number of usable size")
    if not (np.abs(X.data) < _LARGEST).all():
        entry = np.argmin(np.abs(X.data) < _LARGEST)
        row = np.searchsorted(X.indptr, entry, side="right")
        raise DataError(f"{file}: row {row}: '{X.indices[entry]}:{X.data[entry]:g}' is not a number of usable size")
    return X, y


def svmlight_problem(file: str, target: str | None = None) -> Dataset:
    """A file in svmlight format as a regression problem; features are called by their indices in the file.

    Parameters
    ----------
    file : str
    target : str or None
        What to call the labels.

    Returns
    -------
    Dataset

    Raises
    ------
    DataError, OSError
        As in `read_svmlight`.
    """
    X, y = read_svmlight(file)
    target = "label" if target is None else target
    if (y == y[0]).all():
        raise DataError(f"{file}: the {target} is {y[0]:g} in every row: there is nothing to predict")
    first = 0
    if X.indices.size and X.indices.min() > 0:  # indices count from 1: no column for index 0
        first = 1
        X = type(X)((X.data, X.indices - 1, X.indptr), shape=(X.shape[0], X.shape[1] - 1))
    if not X.nnz:
        raise DataError(f"{file}: no row has an entry other than its label: there is nothing to predict from")
    return Dataset(X, y, np.arange(first, first + X.shape[1]).astype(str), target, str(file))
