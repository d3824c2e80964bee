from fastreg._types import Ints, Reals

class RowSet:
    def __init__(self, indptr: Ints, index: Ints, value: Reals, p: int) -> None: ...
