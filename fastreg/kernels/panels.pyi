import numpy as np
from numpy.typing import NDArray

from fastreg._types import Floats, Reals
from fastreg.kernels.parts import Part

simd_level: str

class Source: ...

def source(X: Reals, shift: Floats | None) -> Source: ...

class Correlate(Part):
    def __init__(self, source: Source, first: int, stop: int, R: Floats, out: Floats) -> None: ...

class CorrelateSome(Part):
    def __init__(self, source: Source, columns: NDArray[np.intp], R: Floats, out: Floats) -> None: ...

class Spread(Part):
    count: int
    def __init__(
        self,
        feature: NDArray[np.intp],
        value: Floats,
        stops: NDArray[np.intp],
        lane: NDArray[np.intp],
        p: int,
        columns: NDArray[np.intp],
        W: Floats,
    ) -> None: ...

class Residuals(Part):
    def __init__(
        self,
        source: Source,
        first: int,
        stop: int,
        Y: Floats,
        target: NDArray[np.intp],
        columns: NDArray[np.intp],
        W: Floats,
        weights: Floats | None,
        R: Floats,
        sums: Floats | None,
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

class WeightParts(Part):
    def __init__(
        self,
        R: Floats,
        edges: NDArray[np.intp],
        weights: Floats,
        centred: NDArray[np.uint8],
        sums: Floats,
        squares: Floats,
    ) -> None: ...

def weight_rows(R: Floats, first: int, stop: int, shift: Floats, weights: Floats | None, squares: Floats) -> None: ...
def rotated_sums(
    Z: Floats, centre: Floats, root: Floats | None, S: Floats, Q: Floats, linear: Floats, square: Floats
) -> None: ...
