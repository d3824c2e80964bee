import numpy as np
from numpy.typing import NDArray

from fastreg._types import Floats
from fastreg.kernels.active import ActiveSet
from fastreg.kernels.columns import ColumnSet

class Model:
    @property
    def active(self) -> ActiveSet: ...
    @property
    def size(self) -> int: ...
    @property
    def without_gram(self) -> bool: ...
    @property
    def table(self) -> Floats: ...
    @property
    def gram(self) -> Floats: ...
    @property
    def sum(self) -> float: ...
    @property
    def curvatures(self) -> Floats: ...
    def __init__(
        self,
        columns: ColumnSet,
        n: int,
        total: float,
        centred: bool,
        bent: bool,
        seed: int,
        most: int,
        size: float,
        sparse: bool,
        work: float,
        copy_work: float,
    ) -> None: ...
    def reserve(self, capacity: int) -> None: ...
    def reserve_gram(self, size: int) -> None: ...
    def features(self) -> tuple[NDArray[np.int32], NDArray[np.int32]]: ...
    def sum_up(self) -> None: ...
