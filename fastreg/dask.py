"""Dask arrays and data frames, reduced to one `GramAccumulator` where their blocks lie."""

from __future__ import annotations

from functools import reduce
from typing import TYPE_CHECKING

import numpy as np

from fastreg.accumulator import GramAccumulator

if TYPE_CHECKING:
    from typing import Any


def accumulate(X: Any, y: Any, sample_weight: Any = None, *, split_every: int = 8) -> GramAccumulator:
    """Add up the rows of a Dask collection, each block on the worker that holds it.

    Every block of rows becomes a `GramAccumulator`; these are merged in a tree of fixed shape, so that the sums, and
    what is fitted from them, do not depend on which worker took which block, nor on a worker that was lost and whose
    blocks were computed again.

    Parameters
    ----------
    X : dask.array.Array of shape (n, p), or dask.dataframe.DataFrame
        Chunks of rows only: an array in several blocks of columns is refused, with the call that mends it.
    y : dask.array.Array of shape (n,) or (n, k), or dask.dataframe.Series or DataFrame
        In the blocks of X.
    sample_weight : dask.array.Array of shape (n,) or dask.dataframe.Series, default=None
    split_every : int, default=8
        Accumulators that are merged at a time.

    Returns
    -------
    GramAccumulator
        Its `ridge` and `fit_path` fit once, from p x p sums.

    Raises
    ------
    ImportError
        If Dask is not installed.
    TypeError, ValueError
        If an argument is no Dask collection, or if the blocks of rows do not agree.

    Examples
    --------
    >>> import dask.array as da                                                    # doctest: +SKIP
    >>> path = accumulate(X, y).fit_path(l1_ratio=0.5)                             # doctest: +SKIP
    """
    try:
        import dask
    except ImportError as error:
        raise ImportError('fastreg.dask needs Dask: pip install "fastreg-solvers[dask]"') from error
    if isinstance(split_every, bool) or not isinstance(split_every, (int, np.integer)) or split_every < 2:
        raise ValueError(f"split_every={split_every!r} must be an integer of at least 2.")
    collections = {"X": X, "y": y} if sample_weight is None else {"X": X, "y": y, "sample_weight": sample_weight}
    blocks = {name: _blocks(name, collection) for name, collection in collections.items()}
    for name, some in blocks.items():
        if len(some) != len(blocks["X"]):
            raise ValueError(
                f"{name} has {len(some)} blocks of rows and X has {len(blocks['X'])}: rechunk (or repartition) {name} "
                "to the blocks of X."
            )
    add, merge = dask.delayed(_add, pure=False), dask.delayed(_merge, pure=False)
    level = [add(*some) for some in zip(*blocks.values(), strict=True)]
    while len(level) > 1:
        level = [merge(level[i : i + split_every]) for i in range(0, len(level), split_every)]
    total = level[0].compute()
    if total is None:
        raise ValueError("X has no rows.")
    return total


def _blocks(name: str, collection: Any) -> list[Any]:
    """The blocks of rows of a Dask array, series or data frame, as delayed objects."""
    if not hasattr(collection, "__dask_graph__") or not hasattr(collection, "to_delayed"):
        raise TypeError(f"{name} must be a Dask array, series or data frame, not {type(collection).__name__}.")
    delayed = collection.to_delayed()
    if isinstance(delayed, np.ndarray):
        if delayed.ndim == 2:
            if delayed.shape[1] > 1:
                raise ValueError(
                    f"{name} is cut into {delayed.shape[1]} blocks of columns; rows alone may be cut: "
                    f"{name}.rechunk({{1: -1}})."
                )
            delayed = delayed[:, 0]
        known = getattr(collection, "chunks", None)
        if known is not None and delayed.ndim != 1:
            raise ValueError(f"{name} must have one or two dimensions, not {collection.ndim}.")
        delayed = delayed.tolist()
    return delayed


def _add(X: Any, y: Any, sample_weight: Any = None) -> GramAccumulator | None:
    if X.shape[0] == 0:
        return None  # an empty partition, as a filter leaves them
    return GramAccumulator().add(X, np.asarray(y), None if sample_weight is None else np.asarray(sample_weight))


def _merge(some: list[Any]) -> GramAccumulator | None:
    """A new accumulator: what a task is given may be asked for again."""
    some = [one for one in some if one is not None]
    return reduce(GramAccumulator.merge, some, GramAccumulator()) if some else None
