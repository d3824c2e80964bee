import numpy as np
from numpy.typing import NDArray

from fastreg._types import Floats
from fastreg.kernels.panels import Source
from fastreg.kernels.parts import Part

GRAM_TILE: int

class Gram(Part):
    def __init__(
        self,
        source: Source,
        weights: Floats | None,
        rows: NDArray[np.intp],
        means: Floats,
        first: int,
        stop: int,
        start: int,
        end: int,
        lanes: int,
        scale: float,
        gram: Floats,
    ) -> None: ...

def whole_gram(
    source: Source,
    columns: NDArray[np.intp],
    means: Floats,
    level: Floats | None,
    root: Floats | None,
    right: Floats,
    first: int,
    stop: int,
    start: int,
    work: Floats,
    out: Floats,
    products: Floats,
) -> None: ...
def narrow_gram(
    source: Source,
    columns: NDArray[np.intp],
    means: Floats,
    level: Floats | None,
    root: Floats | None,
    right: Floats,
    first: int,
    stop: int,
    start: int,
    work: NDArray[np.float32],
    out: Floats,
    products: Floats,
) -> None: ...
def mirror(gram: Floats, first: int, stop: int) -> None: ...

class Moments(Part):
    def __init__(
        self,
        source: Source,
        weights: Floats | None,
        total: float,
        columns: NDArray[np.intp],
        centred: bool,
        mean: Floats,
        square: Floats,
        raw: Floats,
    ) -> None: ...
