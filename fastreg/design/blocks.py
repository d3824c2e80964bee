"""Blocks of work shared out among threads, and their memory; which thread takes which block never matters."""

from __future__ import annotations

import contextlib
import itertools
import math
import os
import threading
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np

from ..kernels import parts as kernel_parts
from ..kernels.parts import Team

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from typing import Any

    from .._types import Floats
    from ..kernels.parts import Part

OVERFLOW = "X or y holds values so large that their products overflow: scale X, or y, down"
MOST_IN_TEAM = 4  # threads that share one product: its parts are short

_lock = threading.Lock()
_local = threading.local()
_pool = None


def _forget_pool():
    global _pool, _lock
    _pool, _lock = None, threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_pool)  # threads do not survive a fork


def _executor():
    global _pool
    with _lock:
        if _pool is None:
            _pool = ThreadPoolExecutor(3 * (os.cpu_count() or 1), thread_name_prefix="fastreg")  # loops, and teams
        return _pool


class Cancelled(Exception):
    """In a thread whose work nobody waits for any more."""


def watch() -> None:
    """For what takes long within a block: raise where the block is not waited for, or an interrupt has come.

    An interrupt is seen by any function of the main thread, this one too.
    """
    above = getattr(_local, "stop", None)
    if above is not None and above.is_set():
        raise Cancelled


def parallel_for(task: Callable[[int], Any], count: int, jobs: int) -> None:
    """Call task(0), ..., task(count - 1), on up to `jobs` threads; this thread takes part.

    The first exception stops the handing out of blocks, those of loops within a block too, and is raised here once the
    running ones are done.
    """
    others = min(jobs, count) - 1
    above = getattr(_local, "stop", None)  # of the loop that this one is a block of, in a helper
    if others <= 0:
        for k in range(count):
            if above is not None and above.is_set():
                raise Cancelled
            task(k)
        return
    ticket, stop = itertools.count(), threading.Event()

    def work() -> None:
        try:
            while not stop.is_set():
                k = next(ticket)
                if k >= count:
                    return
                task(k)
        except BaseException:
            stop.set()
            raise

    def join_in() -> None:
        before, team = getattr(_local, "stop", None), getattr(_local, "team", None)
        _local.stop, _local.team = stop, None  # the team is at work on this loop
        try:
            work()
        finally:
            _local.stop, _local.team = before, team

    if getattr(_local, "team", None) is not None:
        calls = [kernel_parts.Call(join_in) for _ in range(others + 1)]
        kernel_parts.do_all([*calls], _local.team, watch, stop.set)
        raise_first(call.error for call in calls)
        return
    futures = [_executor().submit(join_in) for _ in range(others)]
    try:
        work()
    finally:
        try:
            errors = [future.exception() for future in futures if not future.cancel()]
        except BaseException:
            stop.set()
            raise
    raise_first(errors)


def raise_first(errors: Iterable[BaseException | None]) -> None:
    """Raise one of the errors, if there are any: rather one that is not but Cancelled."""
    for error in sorted(errors, key=lambda error: isinstance(error, Cancelled)):
        if error is not None:
            raise error


@contextlib.contextmanager
def team_of(jobs: int, most: int = MOST_IN_TEAM) -> Iterator[Team | None]:
    """While the block runs, up to `jobs` threads, this one included, do what kernels that join the team share out."""
    if jobs <= 1 or not kernel_parts.HAS_TEAMS:
        yield None
        return
    if jobs <= most and getattr(_local, "team", None) is not None:  # who stands by anyway
        yield _local.team
        return
    team, futures = Team(), []
    try:  # an interrupt may come before all are there
        for _ in range(min(jobs, most) - 1):
            futures.append(_executor().submit(team.help))
        yield team
    finally:
        team.close()
        for future in futures:
            future.cancel()


@contextlib.contextmanager
def helpers(jobs: int) -> Iterator[None]:
    """While the block runs, up to `jobs` threads stand by to take parts of what this one calls `do_all` with."""
    with team_of(jobs, os.cpu_count() or 1) as team:
        _local.team, before = team, getattr(_local, "team", None)
        try:
            yield
        finally:
            _local.team = before


def do_all(parts: Sequence[Part], jobs: int) -> None:
    """Do all parts, on up to `jobs` threads; Python's lock is left alone meanwhile."""
    if jobs <= 1 or len(parts) <= 1:
        kernel_parts.do_all(list(parts), None, watch)
    elif not kernel_parts.HAS_TEAMS:
        parallel_for(lambda k: parts[k].do(), len(parts), jobs)
    elif getattr(_local, "team", None) is not None:
        kernel_parts.do_all(list(parts), _local.team, watch)
    else:
        with helpers(jobs):
            kernel_parts.do_all(list(parts), _local.team, watch)


def complete(work: Iterator[Sequence[Part]], jobs: int) -> Any:
    """Do all parts that a generator comes up with; returns what it returns."""
    while True:
        try:
            parts = next(work)
        except StopIteration as end:
            return end.value
        do_all(parts, jobs)


def interleave(works: Iterable[Iterator[Sequence[Part]]], jobs: int) -> None:
    """Do as `complete` does, for several: while helpers do the parts of one, this thread goes on with the next."""
    team = getattr(_local, "team", None)
    if jobs <= 1 or team is None:
        for work in works:
            complete(work, jobs)
        return
    ready, at_work = deque(works), None  # (errand, whose parts it is) of the helpers
    try:
        while ready or at_work is not None:
            following = ready.popleft() if ready else None
            _local.team = team if at_work is None else None  # a team takes one errand at a time
            try:
                parts = None if following is None else next(following, None)
            finally:
                _local.team = team
            if at_work is not None:
                at_work[0].finish(watch)
                ready.append(at_work[1])
                at_work = None
            if following is not None and parts is not None:
                at_work = kernel_parts.Errand([*parts], team), following
                at_work[0].start()
    finally:
        if at_work is not None:
            at_work[0].drop()


def aligned(shape: int | tuple[int, ...]) -> Floats:
    """An uninitialised float64 array that starts on a cache line: wide loads across two lines take twice as long."""
    size = math.prod(shape) if isinstance(shape, tuple) else shape
    if size < 1024:  # not worth the trouble
        return np.empty(shape)
    raw = np.empty(size + 7)
    start = -raw.ctypes.data // 8 % 8
    return raw[start : start + size].reshape(shape)
