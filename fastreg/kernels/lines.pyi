import numpy as np
from numpy.typing import NDArray

from fastreg._types import Floats, Ints, Reals

def correlate_columns(
    starts: Ints, stops: Ints, index: Ints, value: Reals, first: int, stop: int, R: Floats, out: Floats
) -> None: ...
def correlate_rows(indptr: Ints, index: Ints, value: Reals, R: Floats, out: Floats) -> None: ...
def residuals(
    starts: Ints,
    stops: Ints,
    index: Ints,
    value: Reals,
    Y: Floats,
    target: NDArray[np.intp],
    columns: NDArray[np.intp],
    W: Floats,
    weights: Floats | None,
    R: Floats,
    sums: Floats,
) -> None: ...
def gram_columns(
    starts: Ints,
    stops: Ints,
    index: Ints,
    value: Reals,
    weights: Floats | None,
    total: float,
    rows_of: NDArray[np.intp],
    new: NDArray[np.intp],
    means: Floats,
    row_means: Floats,
    dense: bool,
    panel: Floats,
    out: Floats,
) -> None: ...
def count(starts: Ints, stops: Ints, index: Ints, columns: NDArray[np.intp], counts: NDArray[np.intp]) -> None: ...
def transpose(
    starts: Ints,
    stops: Ints,
    index: Ints,
    value: Reals,
    columns: NDArray[np.intp],
    ends: NDArray[np.intp],
    places: NDArray[np.int32],
    values: Floats,
) -> None: ...
def gram_lines(
    starts: Ints,
    stops: Ints,
    index: Ints,
    value: Reals,
    weights: Floats | None,
    total: float,
    ends: NDArray[np.intp],
    places: NDArray[np.int32],
    values: Floats,
    new: NDArray[np.intp],
    means: Floats,
    row_means: Floats,
    out: Floats,
) -> None: ...
def moments(
    starts: Ints,
    stops: Ints,
    index: Ints,
    value: Reals,
    weights: Floats | None,
    total: float,
    columns: NDArray[np.intp],
    centred: bool,
    column: Floats,
    mean: Floats,
    square: Floats,
    raw: Floats,
) -> None: ...
def pack_columns(
    indptr: Ints, index: Ints, value: Reals, wanted: NDArray[np.uint8], ends: Ints, rows: Ints, values: Reals
) -> None: ...
