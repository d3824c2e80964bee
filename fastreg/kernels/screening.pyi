import numpy as np
from numpy.typing import NDArray

from fastreg._types import Floats

def candidates(
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
) -> int: ...
