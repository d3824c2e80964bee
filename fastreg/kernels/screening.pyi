import numpy as np
from numpy.typing import NDArray

from fastreg._types import Floats
from fastreg.kernels.parts import Part

class Candidates(Part):
    count: int
    def __init__(
        self,
        gradient: Floats,
        slope: Floats,
        top: float,
        l1_ratio: float,
        gamma: float,
        factor: Floats | None,
        lower: Floats | None,
        upper: Floats | None,
        place: NDArray[np.int32],
        least: float,
        found: NDArray[np.intp],
        needed: Floats,
    ) -> None: ...

class Bridge(Part):
    def __init__(
        self,
        R: Floats,
        panel: NDArray[np.intp],
        lane: NDArray[np.intp],
        full: NDArray[np.intp],
        C: Floats,
        row: NDArray[np.intp],
        anchor: Floats,
        gradient: Floats,
        total: float,
        reach: float,
        limit: Floats,
        f1: Floats | None,
        norm: Floats,
        residuals: Floats,
        left: NDArray[np.intp],
        chords: Floats,
        marks: NDArray[np.uint8],
    ) -> None: ...

class Follow(Part):
    def __init__(
        self,
        bridge: Bridge,
        k: int,
        columns: NDArray[np.intp] | None,
        products: Floats,
        step: float,
        anchor: Floats,
        gradient: Floats,
        slope: Floats,
    ) -> None: ...
