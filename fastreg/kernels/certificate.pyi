import numpy as np
from numpy.typing import NDArray

from fastreg._types import Floats
from fastreg.kernels.parts import Part

class Scan(Part):
    def __init__(
        self,
        C: Floats,
        panel: NDArray[np.intp],
        lane: NDArray[np.intp],
        first: int,
        stop: int,
        columns: NDArray[np.intp] | None,
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

class Terms(Part):
    def __init__(
        self,
        C: Floats,
        D: Floats | None,
        rows: NDArray[np.int32] | None,
        full: NDArray[np.uint8],
        panel: NDArray[np.intp],
        lane: NDArray[np.intp],
        scale: float,
        feature: NDArray[np.intp],
        value: Floats,
        first: NDArray[np.intp],
        stop: NDArray[np.intp],
        l1: Floats,
        l2: Floats,
        f1: Floats | None,
        f2: Floats | None,
        lower: Floats | None,
        upper: Floats | None,
        norm: Floats | None,
        off: Floats,
        kappa: Floats,
        level: Floats | None,
        out: Floats,
        shift: Floats,
    ) -> None: ...
