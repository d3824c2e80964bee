"""What the suites have in common."""

from abc import ABC, abstractmethod

import numpy as np


class Timed:
    """Samples of two processes, after a first call that loads what is loaded lazily."""

    rounds = 2
    repeat = (3, 8, 1.0)  # at least, at most, seconds in which to start another
    warmup_time = 0.01


class Fit(Timed, ABC):
    """Fits of paths: `setup` has to set `self.fit`, which returns a path or a list of those solved together."""

    number = 1

    @abstractmethod
    def setup(self, *parameters): ...

    def paths(self):
        found = self.fit()
        return found if isinstance(found, list) else [found]

    def time_fit(self, *parameters):
        self.fit()

    def peakmem_fit(self, *parameters):
        self.fit()

    def track_gap(self, *parameters):
        return float(max(np.max(path.relative_gaps) for path in self.paths()))

    def track_passes(self, *parameters):
        return self.paths()[0].n_passes

    def track_iterations(self, *parameters):
        return int(sum(np.sum(path.n_iter) for path in self.paths()))

    track_gap.unit = "largest duality gap over the objective of the null model"
    track_passes.unit = "passes over X"
    track_iterations.unit = "sweeps of coordinate descent and Newton steps"
