from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from fastreg._types import Floats, Ints, Reals
from fastreg.kernels.by_rows import RowSet
from fastreg.kernels.parts import Team

class ResidualSet:
    @property
    def m(self) -> int: ...
    carried: int
    goal: float
    def __init__(
        self,
        y: Floats | None,
        weights: Floats | None,
        total: float,
        seed: int = 0,
        watch: Callable[[], None] | None = None,
    ) -> None: ...
    def reserve(self, capacity: int) -> None: ...
    def extend(self, mean: Floats, norm: Floats, f1: Floats, f2: Floats, lower: Floats, upper: Floats) -> None: ...
    def read_sparse(
        self, index: Ints, value: Reals, starts: NDArray[np.int64], stops: NDArray[np.int64], scattered: bool
    ) -> None: ...
    def read_rows(self, rows: RowSet, number: NDArray[np.int32], counts: NDArray[np.int64], room: int) -> None: ...
    def read_packed(self, columns: Floats) -> None: ...
    def join(self, team: Team | None) -> None: ...
    def place(self, index: NDArray[np.int32], value: Floats) -> None: ...
    def arrive(self, w: Floats, t: Floats, offset: float, g: Floats) -> None: ...
    def solve(
        self,
        l1: Floats,
        l2: Floats,
        between: NDArray[np.uint8],
        max_iter: int,
        budget: float,
        index: NDArray[np.int32],
        value: Floats,
        stops: NDArray[np.intp],
        n_iter: NDArray[np.int64],
    ) -> int: ...
    def gradients(self, w: Floats) -> Floats: ...
