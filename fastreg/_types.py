"""Types that several signatures share. For type checkers alone: nothing imports this when fastreg runs."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal, Protocol, TypeAlias, TypedDict

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse
from scipy.optimize import Bounds

# Arrays that fastreg makes.
Floats: TypeAlias = NDArray[np.float64]
Reals: TypeAlias = NDArray[np.floating[Any]]  # float32 if X is, float64 otherwise
Ints: TypeAlias = NDArray[np.signedinteger[Any]]
Bools: TypeAlias = NDArray[np.bool_]
Names: TypeAlias = NDArray[np.object_] | None  # of the columns, if X has them
Splits: TypeAlias = list[tuple[Ints, Ints]]  # row numbers (train, test)
Error: TypeAlias = Callable[[Floats, Floats, Floats | None, Ints], Floats]  # of rows: y, predictions, weights, numbers


class Matrix(Protocol):
    """An X that has passed the checks: an ndarray, or sparse in CSC or CSR; float32 or float64."""

    @property
    def shape(self) -> tuple[int, int]: ...
    @property
    def size(self) -> int: ...
    @property
    def dtype(self) -> np.dtype[Any]: ...
    def __array__(self) -> NDArray[Any]: ...
    def __getitem__(self, key: Any, /) -> Any: ...
    def __matmul__(self, other: Any, /) -> Any: ...


# What users pass.
MatrixLike: TypeAlias = ArrayLike | sparse.sparray | sparse.spmatrix
OneResponse: TypeAlias = np.ndarray[tuple[int], np.dtype[Any]] | Sequence[float] | Sequence[str]
ManyResponses: TypeAlias = np.ndarray[tuple[int, int], np.dtype[Any]] | Sequence[Sequence[float]]
Loss: TypeAlias = Literal["squared", "logistic", "multinomial", "poisson", "squared_hinge", "huber"]
Precompute: TypeAlias = Literal["auto"] | bool | ArrayLike
Rule: TypeAlias = Literal["min", "1se"]
Selection: TypeAlias = Literal["cyclic", "random"]
Random: TypeAlias = int | np.random.RandomState | np.random.Generator | None
ClassWeight: TypeAlias = Literal["balanced"] | Mapping[Any, float] | None
Scoring: TypeAlias = str | Callable[..., float] | None  # a callable is a scorer of scikit-learn
Gradient: TypeAlias = bool | Callable[..., Any] | Literal["2-point"]
BoundPairs: TypeAlias = Bounds | Sequence[tuple[float | None, float | None]] | None


class Splitter(Protocol):
    """A cross-validation splitter of scikit-learn, or like one."""

    def split(self, X: Any, y: Any = ..., groups: Any = ...) -> Iterable[tuple[Any, Any]]: ...


Folds: TypeAlias = int | Splitter | Iterable[tuple[ArrayLike, ArrayLike]] | None


class PathOptions(TypedDict, total=False):
    """The keyword arguments of `fit_path`."""

    loss: Loss
    delta: float
    l1_ratio: float
    alphas: int | ArrayLike
    eps: float | None
    fit_intercept: bool
    standardize: bool
    positive: bool
    sample_weight: ArrayLike | None
    offset: ArrayLike | None
    penalty_factor: ArrayLike | None
    lower_bounds: ArrayLike | None
    upper_bounds: ArrayLike | None
    dfmax: int | None
    tol: float
    max_iter: int
    coef_init: ArrayLike | None
    precompute: Precompute
    n_jobs: int | None
    verbose: int


class RidgeOptions(TypedDict, total=False):
    """The keyword arguments of `ridge_path`."""

    fit_intercept: bool
    standardize: bool
    sample_weight: ArrayLike | None
    penalty_factor: ArrayLike | None
    n_jobs: int | None
