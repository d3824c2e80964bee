import numpy as np
from numpy.typing import NDArray

from fastreg._types import Floats, Ints, Reals

class RowSet:
    def __init__(self, indptr: Ints, index: Ints, value: Reals, p: int) -> None: ...
    def residuals(
        self,
        Y: Floats,
        target: NDArray[np.intp],
        place: NDArray[np.int32],
        W: Floats,
        weights: Floats | None,
        places: NDArray[np.int32],
        values: Floats,
        R: Floats,
        sums: Floats,
    ) -> None: ...
