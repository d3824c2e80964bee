from fastreg._types import Floats

NUMBERS: dict[str, int]

def evaluate(loss: int, parameter: float, y: Floats, s: Floats | None, z: Floats, r: Floats, h: Floats) -> float: ...
def level(
    loss: int, parameter: float, y: Floats, s: Floats | None, z: Floats, r: Floats, h: Floats
) -> tuple[float, float]: ...
def divergence(
    loss: int, parameter: float, y: Floats, s: Floats | None, z: Floats, r: Floats, off: Floats | None, kappa: float
) -> float: ...
