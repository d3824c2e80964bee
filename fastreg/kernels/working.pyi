import numpy as np
from numpy.typing import NDArray

from fastreg._types import Floats
from fastreg.kernels.columns import ColumnSet

def dots(columns: ColumnSet, some: NDArray[np.int32], r: Floats, out: Floats) -> None: ...
def add(columns: ColumnSet, some: NDArray[np.int32], w: Floats, first: int, stop: int, out: Floats) -> None: ...
