"""A counter on a terminal."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import TextIO


class Progress:
    """Rewrites one line of `stream` as work is done; silent unless `stream` is a terminal and the work takes a second.

    Parameters
    ----------
    stream : text file
    label : str
    """

    def __init__(self, stream: TextIO, label: str) -> None:
        self._stream, self._label = stream, label
        self._shown = stream.isatty()
        self._start = monotonic()
        self._width = 0

    def __call__(self, done: float, total: float, unit: str = "fits") -> None:
        """Report that `done` of `total` units are finished."""
        if self._shown and monotonic() - self._start > 1:
            self._write(f"{self._label}: {done} of {total} {unit}")

    def clear(self) -> None:
        """Leave the line empty for what follows."""
        if self._width:
            self._write("")
            self._stream.write("\r")
            self._stream.flush()

    def _write(self, text: str) -> None:
        self._stream.write("\r" + text.ljust(self._width))
        self._stream.flush()
        self._width = len(text)
