import numpy as np
from numpy.typing import NDArray

from fastreg._types import Floats, Reals

GRAM_TILE: int
simd_level: str

def correlate_work(X: Reals, shift: Floats | None, panels: int) -> int: ...
def correlate(X: Reals, shift: Floats | None, first: int, stop: int, R: Floats, work: Floats, out: Floats) -> None: ...
def correlate_some(X: Reals, shift: Floats | None, columns: NDArray[np.intp], R: Floats, out: Floats) -> None: ...
def residuals(
    X: Reals,
    shift: Floats | None,
    first: int,
    stop: int,
    Y: Floats,
    target: NDArray[np.intp],
    columns: NDArray[np.intp],
    W: Floats,
    weights: Floats | None,
    R: Floats,
    sums: Floats,
) -> None: ...
def gradients(
    X: Reals,
    first: int,
    stop: int,
    W: Floats,
    Y: Floats,
    level: Floats,
    weights: Floats | None,
    R: Floats,
    out: Floats,
    sums: Floats,
) -> None: ...
def gradient(
    X: Reals,
    first: int,
    stop: int,
    w: Floats,
    y: Floats,
    weights: Floats | None,
    tile: int,
    r: Floats,
    out: Floats,
) -> None: ...
def shift_rows(R: Floats, first: int, stop: int, shift: Floats, weights: Floats | None, sums: Floats) -> None: ...
def weight_parts(
    R: Floats, edges: NDArray[np.intp], weights: Floats, centred: NDArray[np.uint8], sums: Floats, squares: Floats
) -> None: ...
def weight_rows(R: Floats, first: int, stop: int, shift: Floats, weights: Floats | None, squares: Floats) -> None: ...
def gram_columns(
    X: Reals,
    shift: Floats | None,
    weights: Floats | None,
    rows_of: NDArray[np.intp],
    new: NDArray[np.intp],
    means: Floats,
    row_means: Floats,
    wanted: NDArray[np.intp],
    work: Floats,
    out: Floats,
) -> None: ...
def gram_work(lanes: int, m: int) -> int: ...
def whole_gram(
    X: Reals,
    shift: Floats | None,
    columns: NDArray[np.intp],
    means: Floats,
    level: Floats | None,
    root: Floats | None,
    right: Floats,
    first: int,
    stop: int,
    start: int,
    work: Floats,
    single: NDArray[np.float32] | None,
    out: Floats,
    products: Floats,
) -> None: ...
def rotated_sums(
    Z: Floats, centre: Floats, root: Floats | None, S: Floats, Q: Floats, linear: Floats, square: Floats
) -> None: ...
def mirror(gram: Floats, first: int, stop: int) -> None: ...
def moments(
    X: Reals,
    shift: Floats | None,
    weights: Floats | None,
    total: float,
    columns: NDArray[np.intp],
    centred: bool,
    mean: Floats,
    square: Floats,
    raw: Floats,
) -> None: ...
