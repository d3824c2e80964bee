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
