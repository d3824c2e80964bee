import numpy as np
from numpy.typing import NDArray

from fastreg._types import Floats
from fastreg.kernels.cell import SignCell
from fastreg.kernels.parts import Part

class ActiveSet(SignCell):
    def solve(
        self,
        G: Floats,
        l1: Floats,
        l2: Floats,
        between: NDArray[np.uint8],
        max_iter: int,
        budget: float,
        index: NDArray[np.int32],
        value: Floats,
        stops: NDArray[np.intp],
        n_iter: NDArray[np.int64],
        version: NDArray[np.int64],
    ) -> int: ...
    def propose(
        self,
        G: Floats,
        g: Floats,
        means: Floats,
        ahead: float,
        w: Floats,
        scale: float,
        l1: float,
        l2: float,
        max_iter: int,
        target: Floats,
    ) -> None: ...

class Solve(Part):
    done: int
    def __init__(
        self,
        active: ActiveSet,
        G: Floats,
        l1: Floats,
        l2: Floats,
        between: NDArray[np.uint8],
        max_iter: int,
        budget: float,
        index: NDArray[np.int32],
        value: Floats,
        stops: NDArray[np.intp],
        n_iter: NDArray[np.int64],
        version: NDArray[np.int64],
    ) -> None: ...
