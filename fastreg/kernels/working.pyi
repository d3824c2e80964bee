import numpy as np
from numpy.typing import NDArray

from fastreg._types import Floats
from fastreg.kernels.columns import ColumnSet

def dots(columns: ColumnSet, some: NDArray[np.int32], r: Floats, out: Floats) -> None: ...
def add(columns: ColumnSet, some: NDArray[np.int32], w: Floats, first: int, stop: int, out: Floats) -> None: ...
def advance(
    columns: ColumnSet,
    some: NDArray[np.int32],
    loss: int,
    parameter: float,
    y: Floats,
    s: Floats | None,
    total: float,
    z: Floats,
    line: Floats,
    ahead: Floats,
    r: Floats,
    h: Floats,
    w: Floats,
    target: Floats,
    shift: float,
    f1: Floats,
    f2: Floats,
    l1: float,
    l2: float,
    g: Floats,
    level: float,
    value: float,
    moving: NDArray[np.int32],
    room: Floats,
    new_g: Floats,
) -> tuple[float, float, float, float]: ...
def gap(
    g: Floats, w: Floats, l1: float, l2: float, f1: Floats, f2: Floats, lower: Floats, upper: Floats, norm: Floats
) -> tuple[float, float]: ...
def stretch(r: Floats, h: Floats) -> float: ...
