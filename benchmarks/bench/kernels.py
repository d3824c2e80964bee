"""Products of a dense X with a batch of residuals, next to numpy's product with one residual as the unit."""

import os
import time

import numpy as np

SHAPES = {"50000x1000": (50_000, 1_000), "200x20000": (200, 20_000), "1000x100000": (1_000, 100_000)}
ALWAYS_FITS = 64 << 20


def free_memory():
    """Bytes of memory that are free, 0 where the system does not say."""
    try:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):
        return 0


def make_matrix(shape, order, dtype):
    """A random matrix laid out in `order` without a copy on the way."""
    rng = np.random.default_rng(0)
    X = rng.random(shape if order == "C" else shape[::-1], dtype=dtype)
    X -= 0.5
    return X if order == "C" else X.T


def best_of(repeats, *functions):
    """Shortest time of each function in seconds, the functions taking turns so that all see the same machine."""
    best = [np.inf] * len(functions)
    for _ in range(repeats):
        for i, function in enumerate(functions):
            start = time.perf_counter()
            function()
            best[i] = min(best[i], time.perf_counter() - start)
    return best


class _Matrix:
    """A random X and, in its dtype, one residual r."""

    params = [list(SHAPES), ["C", "F"], ["float64", "float32"]]
    param_names = ["shape", "order", "dtype"]

    def setup(self, shape, order, dtype):
        n, p = SHAPES[shape]
        needed = n * p * np.dtype(dtype).itemsize
        if needed > ALWAYS_FITS and 1.2 * needed > free_memory():
            raise NotImplementedError("not enough free memory for this shape")
        self.X = make_matrix((n, p), order, dtype)
        self.r = np.random.default_rng(1).standard_normal(n).astype(dtype)


class Gemv(_Matrix):
    """The unit: numpy's X.T @ r."""

    def time_gemv(self, shape, order, dtype):
        self.X.T @ self.r


class Correlations(_Matrix):
    """`Dense.correlations`: X'R for k residuals in one pass, on one thread."""

    params = [*_Matrix.params, [8, 24]]
    param_names = [*_Matrix.param_names, "k"]

    def setup(self, shape, order, dtype, k):
        from fastreg.design import Dense

        super().setup(shape, order, dtype)
        self.R = np.random.default_rng(2).standard_normal((len(self.r), k))
        self.design = Dense(self.X)

    def time_correlations(self, shape, order, dtype, k):
        self.design.correlations(self.R, 1)

    def track_gemvs(self, shape, order, dtype, k):
        one, batch = best_of(7, lambda: self.X.T @ self.r, lambda: self.design.correlations(self.R, 1))
        return batch / one

    track_gemvs.unit = "GEMVs"
