"""Designs: the only code that touches X, one class for each way in which it may be stored."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .dense import Dense
from .lines import Columns, Rows

if TYPE_CHECKING:
    from typing import Any

__all__ = ["Columns", "Dense", "Rows", "as_design"]


def as_design(X: Any) -> Any:
    """The design for a checked X: an ndarray, or a scipy.sparse matrix or array in CSC or CSR."""
    if not hasattr(X, "format"):
        return Dense(X)
    return Columns(X) if X.format == "csc" else Rows(X)
