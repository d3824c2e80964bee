from fastreg._types import Floats

NUMBERS: dict[str, int]

def evaluate(loss: int, parameter: float, y: Floats, s: Floats | None, z: Floats, r: Floats, h: Floats) -> float: ...
def level(
    loss: int, parameter: float, y: Floats, s: Floats | None, z: Floats, r: Floats, h: Floats
) -> tuple[float, float]: ...
def search(
    loss: int,
    parameter: float,
    y: Floats,
    s: Floats | None,
    z: Floats,
    line: Floats,
    total: float,
    w: Floats,
    d: Floats,
    l1: Floats,
    l2: Floats,
    value: float,
    slope: float,
    size: float,
    ahead: Floats,
    r: Floats,
    h: Floats,
) -> tuple[float, float, float, float]: ...
def divergence(
    loss: int, parameter: float, y: Floats, s: Floats | None, z: Floats, r: Floats, off: Floats | None, kappa: float
) -> float: ...
