"""fastreg beside its peers at equal measured accuracy: `python compare.py [CASE ...]`, in this folder or anywhere.

Every tool that is installed takes part, each in a process of its own.  Peers stop by tolerances of their own kinds, so
each climbs a ladder of them until the error that is measured here is at most 1e-6; at that tolerance it is timed, in
turns with the others.  fastreg runs at its defaults.  `benchmarks/README.md` says how to read the table.
"""

import argparse
import contextlib
import multiprocessing
import os
import platform
import signal
import statistics
import sys
import time
import warnings
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import peers
from bench import problems
from scipy import optimize, sparse
from scipy.special import expit, xlogy

TARGET = 1e-6  # of the objective of the null model
NEAR, FAR = 2.0, 5.0  # times the fastest peer: who takes longer is not timed again, or climbs no further
BEGIN, END = "<!-- benchmark table -->", "<!-- end of benchmark table -->"


@dataclass
class Case:
    """Minimise mean loss(y, [b +] Xw) + alpha |w|_1; for ridge |y - b - Xw|^2 + alpha |w|^2."""

    X: object
    y: np.ndarray
    alphas: np.ndarray
    loss: str = "squared"
    task: str = "path"  # or cv, ridge, loo
    intercept: bool = False


def path_case(problem, count, eps, loss="squared", task="path", dtype=None, order="F", intercept=None):
    """A grid of `count` alphas from the largest useful one.  Dense X and y are centred, in place of an intercept."""
    X, y = problem
    dense = not sparse.issparse(X)
    intercept = (task != "path" or loss == "poisson") if intercept is None else intercept
    if dense:
        X = np.asarray(X - X.mean(axis=0), dtype=dtype, order=order)
    if loss != "squared":
        y = (problems.labels if loss == "logistic" else problems.counts)(y).astype(float)
    elif dense or not intercept:
        y = y - y.mean()
    slope = y - (y.mean() if intercept or loss == "squared" else 0.5)
    return Case(X, y, np.abs(X.T @ slope).max() / len(y) * np.geomspace(1, eps, count), loss, task, intercept)


def ridge_case(problem, alphas):
    X, y = problem
    return Case(X, y, np.array(alphas), task="ridge" if len(alphas) == 1 else "loo", intercept=True)


def gaussian(n, p, support, correlation=0.5):
    return problems.gaussian(n, p, support, correlation)


CASES = {
    "wide": lambda: path_case(gaussian(200, 20_000, 30), 100, 1e-2),
    "wide, C order": lambda: path_case(gaussian(200, 20_000, 30), 100, 1e-2, order="C"),
    "wide, float32": lambda: path_case(gaussian(200, 20_000, 30), 100, 1e-2, dtype=np.float32),
    "wide, correlated": lambda: path_case(gaussian(200, 20_000, 30, 0.95), 100, 1e-2),
    "wide, large": lambda: path_case(gaussian(1_000, 50_000, 100), 50, 1e-2),
    "tall": lambda: path_case(gaussian(20_000, 1_000, 100), 100, 1e-3),
    "square": lambda: path_case(gaussian(2_000, 2_000, 50), 100, 1e-2),
    "curves": lambda: path_case(problems.curves(150, 700, 10), 100, 1e-2),
    "text": lambda: path_case(problems.words(20_000, 50_000, 300), 50, 1e-2, intercept=True),
    "text, no intercept": lambda: path_case(problems.words(20_000, 50_000, 300), 50, 1e-2),
    "logistic, wide": lambda: path_case(gaussian(500, 10_000, 30), 50, 3e-2, "logistic"),
    "logistic, tall": lambda: path_case(gaussian(20_000, 300, 30), 50, 1e-2, "logistic"),
    "logistic, text": lambda: path_case(problems.words(20_000, 50_000, 300), 50, 3e-2, "logistic"),
    "Poisson, wide": lambda: path_case(gaussian(300, 5_000, 20), 50, 1e-1, "poisson"),
    "ten folds, wide": lambda: path_case(gaussian(200, 20_000, 30), 100, 1e-2, task="cv"),
    "ten folds, tall": lambda: path_case(gaussian(20_000, 500, 50), 100, 1e-3, task="cv"),
    "ridge, wide": lambda: ridge_case(gaussian(300, 20_000, 30), [1.0]),
    "ridge, tall": lambda: ridge_case(gaussian(50_000, 300, 30), [1.0]),
    "leave one out, wide": lambda: ridge_case(gaussian(300, 20_000, 30), np.geomspace(1e-2, 1e4, 20)),
    "leave one out, tall": lambda: ridge_case(gaussian(20_000, 500, 30), np.geomspace(1e-2, 1e4, 20)),
}


def values(case, W, which):
    """Objectives at the columns of W (p, k), lower bounds of their minima, and the objective of the null model.

    In float64, from X, y and W alone.  The intercept is the best one; the bounds are dual objectives at the residuals,
    scaled until they are feasible.
    """
    X = case.X if case.X.dtype == np.float64 else case.X.astype(np.float64)
    W = W.toarray() if sparse.issparse(W) else np.asarray(W, dtype=np.float64)
    n, alphas, y = len(case.y), case.alphas[list(which)], case.y.astype(np.float64)
    return (_squared if case.loss == "squared" else _glm)(case, X, y, W, alphas, n)


def _squared(case, X, y, W, alphas, n):
    ridge = case.task in ("ridge", "loo")
    R = y[:, None] - X @ W
    if case.intercept:
        y, R = y - y.mean(), R - R.mean(axis=0)
    C, fit, squares = X.T @ R / n, y @ R / n, np.sum(R * R, axis=0) / n
    null = y @ y / (2 * n)
    if ridge:
        l2 = alphas / n
        return (
            squares / 2 + l2 / 2 * np.sum(W * W, axis=0),
            fit - squares / 2 - np.sum(C * C, axis=0) / (2 * l2),
            null,
        )
    kappa = np.minimum(fit / np.maximum(squares, 1e-300), alphas / np.maximum(np.abs(C).max(axis=0), 1e-300))
    return squares / 2 + alphas * np.abs(W).sum(axis=0), kappa * fit - kappa**2 * squares / 2, null


def _glm(case, X, y, W, alphas, n):
    logistic = case.loss == "logistic"
    Z = X @ W

    def mean_loss(Z, y):
        if logistic:
            return np.mean(np.logaddexp(0.0, Z) - y * Z, axis=0)
        return np.mean(np.exp(Z) - y * Z + xlogy(y, y) - y, axis=0)

    def level(z):
        if not case.intercept:
            return 0.0
        if not logistic:
            return np.log(y.sum() / np.exp(z).sum())
        reach = 40.0 + np.abs(z).max()
        return optimize.brentq(lambda b: np.sum(expit(z + b) - y), -reach, reach, xtol=1e-15, rtol=1e-15)

    Z = Z + [level(z) for z in Z.T]
    mean = expit(Z) if logistic else np.exp(Z)
    y = y[:, None]
    C = X.T @ (y - mean) / n
    kappa = np.minimum(1.0, alphas / np.maximum(np.abs(C).max(axis=0), 1e-300))
    U = (1 - kappa) * y + kappa * mean
    if logistic:
        dual = -np.mean(xlogy(U, U) + xlogy(1 - U, 1 - U), axis=0)
    else:
        dual = np.mean(U - xlogy(U, U) + xlogy(y, y) - y, axis=0)
    null = mean_loss(np.full(n, level(np.zeros(n))), y[:, 0])
    return mean_loss(Z, y) + alphas * np.abs(W).sum(axis=0), dual, null


def attempt(tool, case, tol):
    """(seconds, coefs, which), or a text."""
    try:
        start = time.perf_counter()
        coefs, which, *seconds = peers.solve(tool, case, tol)
        seconds = seconds[0] if seconds else time.perf_counter() - start
        return seconds, sparse.csc_array(coefs) if sparse.issparse(coefs) else np.asarray(coefs), list(which)
    except NotImplementedError:
        return "not offered"
    except Exception as error:  # a tool's failure is a result
        return f"{type(error).__name__}: {error}"[:150]


def serve(connection, tool, case):
    """A tool's process: an answer for each tolerance, while there is someone to ask."""
    warnings.simplefilter("ignore")
    sink = os.open(os.devnull, os.O_WRONLY)
    os.dup2(sink, 1), os.dup2(sink, 2)  # progress bars
    if hasattr(os, "setsid"):
        os.setsid()  # to be ended with all that it has started
    with contextlib.suppress(EOFError, OSError):
        while True:
            connection.send(attempt(tool, case, connection.recv()))


class Worker:
    """A tool's process, the case at hand, waiting for a tolerance."""

    def __init__(self, tool, case, limit):
        context = multiprocessing.get_context("spawn")  # tools must not share thread pools
        self.connection, theirs = context.Pipe()
        self.process = context.Process(target=serve, args=(theirs, tool, case), daemon=True)
        self.process.start()
        theirs.close()
        self.limit = limit

    def solve(self, tol):
        try:
            self.connection.send(tol)
            if self.connection.poll(self.limit):
                return self.connection.recv()
            return f"no answer in {self.limit:g} s"
        except (EOFError, OSError):
            return "its process ended"

    def close(self):
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except (AttributeError, ProcessLookupError):  # no such call, or not that far yet
            self.process.kill()
        self.process.join()


@dataclass
class Row:
    """What a tool has reached: seconds in all rounds at tolerance `tol`, its own duality gap, its error."""

    tol: float
    gap: float
    error: float
    seconds: list

    @property
    def median(self):
        return statistics.median(self.seconds)


def climb(case, worker, ladder, bound, enough):
    """The first rung of the ladder whose error is small enough, or a text; raises `bound`, in place.

    A tool that takes more than `enough` seconds climbs no further.
    """
    said, first = "", True
    for tol in ladder:
        answer = worker.solve(tol)
        if first and not isinstance(answer, str) and answer[0] < worker.limit / 4:
            answer, first = worker.solve(tol), False  # the first call may have compiled or loaded something
        if isinstance(answer, str):
            return answer
        seconds, coefs, which = answer
        primal, dual, null = values(case, coefs, which)
        bound[which] = np.maximum(bound[which], dual)
        gap, error = np.max((primal - dual) / null), np.max((primal - bound[which]) / null)
        said = f"error {error:.0e} after {seconds:.2f} s at tolerance {tol:.0e}"
        if error <= TARGET:
            return Row(tol, float(gap), float(error), [seconds])
        if seconds > min(enough, worker.limit / 4):
            break
    return said


def contest(case, tools, rounds, limit):
    """{tool: Row or text}; fastreg comes first, so that its bound is there to measure the others by."""
    workers, rows, bound, best = {}, {}, np.full(len(case.alphas), -np.inf), np.inf
    try:
        for tool in tools:
            workers[tool] = Worker(tool, case, limit)
            rows[tool] = climb(case, workers[tool], peers.TOOLS[tool][2], bound, FAR * best)
            if isinstance(rows[tool], str):
                workers.pop(tool).close()
            elif tool != "fastreg":
                best = min(best, rows[tool].seconds[0])
        timed = [tool for tool in workers if tool == "fastreg" or rows[tool].seconds[0] <= NEAR * best]
        times = {tool: [] for tool in timed}
        for _ in range(rounds):
            for tool in timed:
                answer = workers[tool].solve(rows[tool].tol)
                times[tool].append(limit if isinstance(answer, str) else answer[0])
        for tool in timed:
            rows[tool] = replace(rows[tool], seconds=times[tool])
    finally:
        for worker in workers.values():
            worker.close()
    return rows


HEAD = [
    "| problem | rows x features | fastreg | its gap | fastest peer | its time | ratio |",
    "|---|---:|---:|---:|---|---:|---:|",
]


def line(name, case, rows):
    """A case's line of the table."""
    ours = rows["fastreg"]
    n, p = case.X.shape
    cells = [name, f"{n:,} x {p:,}"]
    cells += [ours, ""] if isinstance(ours, str) else [f"{ours.median:.3g} s", f"{max(ours.gap, 1e-17):.0e}"]
    others = {tool: row for tool, row in rows.items() if tool != "fastreg" and not isinstance(row, str)}
    if others:
        best = min(others, key=lambda tool: others[tool].median)
        ratio = "" if isinstance(ours, str) else f"{ours.median / others[best].median:.2f}"
        cells += [best, f"{others[best].median:.3g} s", ratio]
    else:
        cells += ["none", "", ""]
    return "| " + " | ".join(cells) + " |"


def processor():
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(text.split(":")[1].strip() for text in lines if text.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def machine(versions, rounds):
    """Where and with what the table was made."""
    told = ", ".join(f"{tool} {version}" for tool, version in versions.items())
    where = f"{os.cpu_count()} cores, {processor()}; Python {platform.python_version()}"
    return f"Medians of {rounds} rounds. {where}; {told}."


def put(text, table):
    """The text with the table between its two marks."""
    if text.count(BEGIN) != 1 or text.count(END) != 1 or text.index(END) < text.index(BEGIN):
        raise SystemExit(f"the file needs the lines {BEGIN} and {END}, once each")
    before, rest = text.split(BEGIN)
    return f"{before}{BEGIN}\n{table}\n{END}{rest.split(END)[1]}"


def main(words=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", nargs="*", metavar="CASE", help=f"default: all of {'; '.join(CASES)}")
    parser.add_argument("--tools", help=f"commas between them; default: those installed of {', '.join(peers.TOOLS)}")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--limit", type=float, default=60.0, help="seconds for one answer (default: 60)")
    parser.add_argument("--write", metavar="FILE", help=f"put the table between {BEGIN} and {END}")
    arguments = parser.parse_args(words)
    wanted = arguments.tools.split(",") if arguments.tools else list(peers.TOOLS)
    unknown = (set(arguments.cases) - set(CASES)) | (set(wanted) - set(peers.TOOLS))
    if unknown:
        parser.error(f"no such case or tool: {', '.join(sorted(unknown))}")
    if arguments.write:  # fail before the work
        put(Path(arguments.write).read_text(encoding="utf-8"), "")
    versions = {tool: peers.installed(tool) for tool in peers.TOOLS if tool == "fastreg" or tool in wanted}
    versions = {tool: version for tool, version in versions.items() if version is not None}
    lines = list(HEAD)
    for name in arguments.cases or CASES:
        case = CASES[name]()
        rows = contest(case, versions, arguments.rounds, arguments.limit)
        for tool, row in rows.items():
            told = row if isinstance(row, str) else f"{row.median:.3f} s, gap {row.gap:.0e}, error {row.error:.0e}"
            spread = "" if isinstance(row, str) else f", {min(row.seconds):.3f} to {max(row.seconds):.3f} s"
            print(f"{name}: {tool}: {told}{spread}", file=sys.stderr, flush=True)
        lines.append(line(name, case, rows))
    table = "\n".join([*lines, "", machine(versions, arguments.rounds)])
    print(table)
    if arguments.write:
        file = Path(arguments.write)
        file.write_text(put(file.read_text(encoding="utf-8"), table), encoding="utf-8")


if __name__ == "__main__":
    main()
