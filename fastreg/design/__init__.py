"""The only code that touches X: one class per storage, all with the same few operations."""

from .dense import Dense

__all__ = ["Dense"]
