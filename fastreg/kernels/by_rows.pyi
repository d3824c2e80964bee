from fastreg._types import Ints, Reals

class RowSet:
    def read(self, indptr: Ints, index: Ints, value: Reals, p: int) -> None: ...
