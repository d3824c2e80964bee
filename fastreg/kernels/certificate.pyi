import numpy as np
from numpy.typing import NDArray

from fastreg._types import Floats

def scan(
    C: Floats,
    panel: int,
    lane: int,
    first: int,
    stop: int,
    scale: float,
    l1: Floats,
    l2: Floats,
    f1: Floats | None,
    f2: Floats | None,
    lower: Floats | None,
    upper: Floats | None,
    norm: Floats | None,
    off: Floats,
    place: NDArray[np.int32],
    largest: Floats,
    conjugate: Floats,
    missed: NDArray[np.uint8],
) -> None: ...
def scale(l1: float, largest: float) -> float: ...
def squared_part(kappa: float, squares: float, off: float) -> float: ...
def gap(
    feature: NDArray[np.intp],
    w: Floats,
    c: Floats,
    l1: float,
    l2: float,
    f1: Floats | None,
    f2: Floats | None,
    loss: float,
    kappa: float,
    conjugate: float,
    off: float,
    norm: Floats | None,
) -> float: ...
