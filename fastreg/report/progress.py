"""A counter on a terminal."""

from time import monotonic


class Progress:
    """Rewrites one line of `stream` as work is done; silent unless `stream` is a terminal and the work takes a second.

    Parameters
    ----------
    stream : text file
    label : str
    """

    def __init__(self, stream, label):
        self._stream, self._label = stream, label
        self._shown = stream.isatty()
        self._start = monotonic()
        self._width = 0

    def __call__(self, done, total, unit="fits"):
        """Report that `done` of `total` units are finished."""
        if self._shown and monotonic() - self._start > 1:
            self._write(f"{self._label}: {done} of {total} {unit}")

    def clear(self):
        """Leave the line empty for what follows."""
        if self._width:
            self._write("")
            self._stream.write("\r")
            self._stream.flush()

    def _write(self, text):
        self._stream.write("\r" + text.ljust(self._width))
        self._stream.flush()
        self._width = len(text)
