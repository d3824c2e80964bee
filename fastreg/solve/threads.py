"""How many threads the engine may use, and how many a BLAS beside it."""

from __future__ import annotations

import contextlib
import functools
import os
import sys
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

_owner = threading.Lock()  # of the number of threads that BLAS has


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


@contextlib.contextmanager
def one_blas_thread(wanted: bool = True) -> Iterator[None]:
    """While the block runs, BLAS works on one thread: the others, once woken, keep cores busy that kernels want next.

    It is set for the whole process, by one block at a time, and set back by the same; those that come meanwhile, from
    other threads or inside it, leave it alone.
    """
    if not wanted or not _owner.acquire(blocking=False):
        yield
        return
    try:
        with _blas().limit(limits=1, user_api="blas"):
            yield
    finally:
        _owner.release()


@functools.lru_cache(1)
def _blas() -> Any:
    """The libraries that NumPy and SciPy have loaded; looking for them takes a millisecond."""
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()
