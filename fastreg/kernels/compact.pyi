from fastreg._types import Floats

def descend(
    U: Floats,
    plus: int,
    D: Floats,
    curvature: Floats,
    g: Floats,
    x: Floats,
    l1: Floats,
    lower: Floats,
    upper: Floats,
    sweeps: int,
    goal: float,
    w: Floats,
    products: Floats,
) -> float: ...
