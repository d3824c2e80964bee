import numpy as np
from numpy.typing import NDArray

from fastreg._types import Floats
from fastreg.kernels.model import Model
from fastreg.kernels.parts import Part

DONE: int
WANTS_MODEL: int
WANTS_MINIMUM: int
WANTS_PLACE: int
ROW: float
SAFE_SHARE: float
SHORT_STEP: float

class Newton:
    intercept: float
    value: float
    ahead: float
    sum_h: float
    goal: float
    kappa: float
    others: float
    @property
    def model(self) -> Model: ...
    @property
    def inner_gap(self) -> float: ...
    @property
    def known(self) -> int: ...
    @property
    def anew(self) -> bool: ...
    @property
    def table(self) -> Floats: ...
    @property
    def rows(self) -> Floats: ...
    @property
    def here(self) -> int: ...
    @property
    def steps(self) -> int: ...
    @property
    def wanted(self) -> NDArray[np.int32]: ...
    def __init__(
        self,
        model: Model,
        loss: int,
        parameter: float,
        y: Floats,
        weights: Floats | None,
        most: int,
        max_iter: int,
    ) -> None: ...
    def reserve(self, capacity: int) -> None: ...
    def extend(
        self, f1: Floats, f2: Floats, low: Floats, high: Floats, norm: Floats, number: NDArray[np.int32]
    ) -> None: ...
    def look_at(self, places: NDArray[np.int32] | None) -> None: ...
    def take_stock(self) -> None: ...
    def gap_at(self, places: NDArray[np.int32] | None, l1: float, l2: float) -> float: ...
    def forget(self) -> None: ...
    def near_to(self, l1: float) -> NDArray[np.int32]: ...
    def begin(
        self, l1: float, l2: float, goal: float, most: int, only: NDArray[np.int32] | None, everything: bool
    ) -> None: ...
    def go(self) -> int: ...
    def drop_model(self, places: NDArray[np.int32] | None = None) -> None: ...
    def open(self) -> None: ...
    def renew(self) -> bool: ...

class Descents(Part):
    @property
    def carried(self) -> int: ...
    @property
    def done(self) -> int: ...
    @property
    def wish(self) -> int: ...
    def __init__(
        self,
        newton: Newton,
        alphas: Floats,
        l1: Floats,
        l2: Floats,
        between: NDArray[np.uint8],
        goal: float,
        max_iter: int,
        carried: int,
        patience: int,
        placed: int,
        index: NDArray[np.int32],
        value: Floats,
        stops: NDArray[np.intp],
        steps: NDArray[np.int64],
        levels: Floats,
    ) -> None: ...
