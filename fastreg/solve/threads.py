"""How many threads the engine may use."""

from __future__ import annotations

import os
import sys


def n_threads(n_jobs: int | None) -> int:
    """Threads for `n_jobs`: None means all cores of the affinity mask, capped by FASTREG_NUM_THREADS or else
    OMP_NUM_THREADS, and one inside a worker of joblib; -1 means all cores, -2 all but one, and so on."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if n_jobs is None:
        if inside_joblib_worker():
            return 1
        for name in ("FASTREG_NUM_THREADS", "OMP_NUM_THREADS"):
            wish = os.environ.get(name, "").split(",")[0].strip()  # OpenMP takes a number for each level of nesting
            if wish.isdigit() and int(wish) > 0:
                return min(cores, int(wish))
        return cores
    return n_jobs if n_jobs > 0 else max(1, cores + 1 + n_jobs)


def inside_joblib_worker() -> bool:
    """Whether the caller runs in a process or thread that joblib started."""
    if "joblib" not in sys.modules:
        return False
    from joblib.parallel import get_active_backend

    return (getattr(get_active_backend()[0], "nesting_level", 0) or 0) > 0
