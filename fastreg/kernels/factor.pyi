from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastreg._types import Floats

def factorize(G: Floats, every: NDArray[np.int32], work: Floats, Lt: Floats) -> bool: ...
def solve(Lt: Floats, B: Floats) -> None: ...
def follow(G: Floats, ridge: Any, steps: Any, tiny: float) -> tuple[list[int], Floats, int]: ...
