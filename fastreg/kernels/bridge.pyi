import numpy as np
from numpy.typing import NDArray

from fastreg._types import Floats

def chords(
    Q: Floats,
    left: NDArray[np.intp],
    right: NDArray[np.intp],
    between: NDArray[np.intp],
    reach: float,
    s: Floats,
    t: Floats,
    rest: Floats,
) -> None: ...
def doubtful(
    G: Floats,
    left: NDArray[np.intp],
    s: Floats,
    t: Floats,
    rest: Floats,
    limit: Floats,
    f1: Floats | None,
    norm: Floats,
    marks: NDArray[np.uint8],
) -> None: ...
