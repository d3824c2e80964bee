"""Threads, forks, read-only memory and Ctrl-C, for every public estimator and every public function that computes."""

import dataclasses
import os
import pickle
import queue
import signal
import subprocess
import sys
import threading
import time
import warnings
from functools import cache
from types import SimpleNamespace

import numpy as np
import pytest
from numpy.lib.stride_tricks import sliding_window_view
from scipy import sparse

import fastreg
from fastreg.design import blocks
from fastreg.loss import LOSSES
from fastreg.solve import systems

PATIENCE = 60  # seconds after which something that should end counts as hanging

# --- the calls: for each public name, {title: function of (X, sample)} ------------------------------------------------

# What computes nothing by itself: containers, a warning, a number, and a drawing, which belongs to the thread of its
# figure and asks a fitted classifier for its predictions.
PASSIVE = {"Problem", "RegularizationPath", "ConvergenceWarning", "__version__", "plot_decision_boundary"}


def model(name, target, features=None, **parameters):
    """A call that fits an estimator to some or all features."""

    def call(X, sample):
        y, weights = getattr(sample, target), sample.weights
        return getattr(fastreg, name)(**parameters).fit(X[:, :features], y, sample_weight=weights)

    return call


def path(target, alphas=6, **options):
    def call(X, sample):
        y, weights = getattr(sample, target), sample.weights
        return fastreg.fit_path(X, y, alphas=alphas, sample_weight=weights, n_jobs=2, **options)

    return call


def many_paths(X, sample):
    squared = [
        fastreg.Problem(sample.numbers, alphas=6, sample_weight=sample.weights),
        fastreg.Problem(np.column_stack([sample.numbers, sample.counts]), alphas=5, l1_ratio=0.5),
    ]
    others = [
        fastreg.Problem(sample.two, alphas=5, loss="logistic"),
        fastreg.Problem(sample.counts, alphas=5, loss="poisson", sample_weight=sample.weights),
    ]
    return fastreg.fit_paths(X, squared, n_jobs=2) + fastreg.fit_paths(X, others, n_jobs=2)


def student(X, sample):
    """A loss of one's own, the value and the gradient; it reads X and y and writes neither."""

    def value_and_slope(w):
        r = X @ w - sample.numbers
        return np.mean(sample.weights * np.log1p(r**2)), X.T @ (sample.weights * 2.0 * r / (1.0 + r**2)) / len(r)

    return value_and_slope


def accumulated(X, sample, part=slice(None)):
    return fastreg.GramAccumulator().add(X[part], sample.numbers[part], sample.weights[part])


def accumulate(X, sample):
    half = len(sample.numbers) // 2
    total, more = accumulated(X, sample, slice(half)), accumulated(X, sample, slice(half, None))
    total.merge(more).remove(X[:9], sample.numbers[:9], sample.weights[:9])
    moments = total.x_mean_, total.x_std_, total.y_mean_, total.y_std_
    return [moments, total.ridge([10.0, 1.0]), total.fit_path(alphas=6, n_jobs=2)]


def block_cv(X, sample):
    parts = [accumulated(X, sample, slice(k, None, 4)) for k in range(4)]
    return fastreg.cross_validate_blocks(parts, alphas=6, n_jobs=2)


RIDGE_ALPHAS = np.logspace(2, -2, 5)
CALLS = {
    "fit_path": {
        "squared": path("numbers"),
        "elastic net, standardized": path("numbers", l1_ratio=0.5, standardize=True),
        "ridge": path("numbers", alphas=[1.0, 0.1], l1_ratio=0.0),
        "no Gram matrix": path("numbers", precompute=False),
        "bounded": path("numbers", positive=True),
        "logistic": path("two", loss="logistic"),
        "multinomial": path("three", alphas=[0.2, 0.1], loss="multinomial"),
        "poisson": path("counts", loss="poisson"),
        "squared_hinge": path("two", loss="squared_hinge"),
        "huber": path("numbers", loss="huber"),
    },
    "fit_paths": {"": many_paths},
    "lasso_path": {"": lambda X, sample: fastreg.lasso_path(X, sample.numbers, alphas=8, n_jobs=2)},
    "enet_path": {"": lambda X, sample: fastreg.enet_path(X, sample.numbers, alphas=8, n_jobs=2)},
    "ridge_path": {
        "": lambda X, sample: fastreg.ridge_path(
            X, sample.numbers, RIDGE_ALPHAS, sample_weight=sample.weights, n_jobs=2
        )
    },
    "minimize": {
        "": lambda X, sample: fastreg.minimize(student(X[:, :15], sample), np.zeros(15), l1=0.1, tol=1e-4),
    },
    "minimize_path": {
        "": lambda X, sample: fastreg.minimize_path(student(X[:, :15], sample), np.zeros(15), 3, eps=0.5, tol=1e-4),
    },
    "Lasso": {"": model("Lasso", "numbers", alpha=0.1, n_jobs=2)},
    "ElasticNet": {"": model("ElasticNet", "numbers", alpha=0.1, n_jobs=2)},
    "LassoCV": {
        "": model("LassoCV", "numbers", alphas=8, cv=3, n_jobs=2),
        "relaxed": model("LassoCV", "numbers", alphas=6, cv=3, relax=[0.0, 1.0], n_jobs=2),
    },
    "ElasticNetCV": {"": model("ElasticNetCV", "numbers", l1_ratio=[0.5, 0.9], alphas=6, cv=3, n_jobs=2)},
    "Ridge": {
        "": model("Ridge", "numbers", n_jobs=2),
        "least squares": model("Ridge", "numbers", features=30, alpha=0.0, n_jobs=2),
        "bounded": model("Ridge", "numbers", positive=True, n_jobs=2),
    },
    "RidgeCV": {
        "leave-one-out": model("RidgeCV", "numbers", n_jobs=2),
        "generalized": model("RidgeCV", "numbers", cv="gcv", n_jobs=2),
        "folds": model("RidgeCV", "numbers", cv=3, n_jobs=2),
    },
    "RidgeClassifier": {"": model("RidgeClassifier", "three", n_jobs=2)},
    "RidgeClassifierCV": {
        "leave-one-out": model("RidgeClassifierCV", "three", n_jobs=2),
        "folds": model("RidgeClassifierCV", "three", cv=3, n_jobs=2),
    },
    "LogisticRegression": {
        "two classes": model("LogisticRegression", "two", n_jobs=2),
        "three classes, l1": model("LogisticRegression", "three", features=20, l1_ratio=1.0, n_jobs=2),
    },
    "LogisticRegressionCV": {
        "two classes": model(
            "LogisticRegressionCV", "two", Cs=3, cv=3, l1_ratios=(1.0,), scoring="deviance",
            use_legacy_attributes=False, n_jobs=2,
        ),
        "three classes": model(
            "LogisticRegressionCV", "three", features=10, Cs=[0.1, 0.5], cv=2, l1_ratios=(1.0,), scoring="deviance",
            use_legacy_attributes=False, n_jobs=2,
        ),
    },
    "PoissonRegressor": {"": model("PoissonRegressor", "counts", alpha=0.1, l1_ratio=0.5, n_jobs=2)},
    "PoissonRegressorCV": {"": model("PoissonRegressorCV", "counts", alphas=6, cv=3, n_jobs=2)},
    "HuberElasticNet": {"": model("HuberElasticNet", "numbers", alpha=0.1, n_jobs=2)},
    "HuberElasticNetCV": {"": model("HuberElasticNetCV", "numbers", alphas=6, cv=3, n_jobs=2)},
    "SquaredHingeClassifier": {"": model("SquaredHingeClassifier", "three", l1_ratio=0.5, n_jobs=2)},
    "StabilitySelection": {"": model("StabilitySelection", "numbers", alphas=6, n_pairs=4, random_state=0, n_jobs=2)},
    "cross_validate_paths": {
        "": lambda X, sample: fastreg.cross_validate_paths(
            X, np.column_stack([sample.numbers, sample.counts]), cv=3, alphas=6, sample_weight=sample.weights, n_jobs=2
        )
    },
    "GramAccumulator": {"": accumulate},
    "cross_validate_blocks": {"": block_cv},
}  # fmt: skip
EVERY = [pytest.param(call, id=" ".join(filter(None, key))) for key, call in
         (((name, title), call) for name, some in CALLS.items() for title, call in some.items())]  # fmt: skip


def test_every_public_name_is_in_the_tables():
    assert set(CALLS) | PASSIVE == set(fastreg.__all__)
    assert not set(CALLS) & PASSIVE
    assert set(CALLS) == {title.split(":")[0] for title in LONG}
    for table in (CALLS["fit_path"], {title.partition(": ")[2] for title in LONG}):
        assert set(LOSSES) <= set(table)


@cache
def sample(n=64, p=90):
    """A design, dense, and all that is asked of a response."""
    rng = np.random.default_rng(0)
    X = np.asfortranarray(rng.normal(size=(n, p)) + rng.normal(size=(n, 1)))
    X[rng.uniform(size=X.shape) < 0.5] = 0.0
    numbers = X[:, :4] @ [2.0, -1.0, 1.0, 1.5] + rng.normal(size=n)
    return X, SimpleNamespace(
        numbers=numbers,
        two=np.where(numbers > 0, 1.0, 0.0),
        three=np.searchsorted(np.quantile(numbers, [0.3, 0.6]), numbers),
        counts=rng.poisson(np.exp(0.2 * numbers)).astype(float),
        weights=rng.uniform(0.5, 2.0, n),
    )


STORAGES = {
    "F": np.array,
    "C": np.ascontiguousarray,
    "CSC": sparse.csc_array,
    "CSR": sparse.csr_array,
}


def stored(X, storage):
    """X as its own copy in a storage."""
    return X.copy(order="F") if storage == "F" else STORAGES[storage](X)


def arrays(X):
    return [X.data, X.indices, X.indptr] if sparse.issparse(X) else [X]


def bits(told):
    """All that a result holds, as bytes: of an estimator its public fitted attributes, of other objects the fields."""
    if isinstance(told, np.ndarray) and told.dtype != object:
        return repr((told.dtype.str, told.shape)).encode() + told.tobytes()
    if sparse.issparse(told):
        told = told.tocsc()
        return b"sparse" + b"".join(bits(part) for part in (told.data, told.indices, told.indptr))
    if hasattr(told, "get_params"):
        told = {name: value for name, value in vars(told).items() if name.endswith("_") and name[0] != "_"}
        assert told
    elif dataclasses.is_dataclass(told):
        told = {one.name: getattr(told, one.name) for one in dataclasses.fields(told) if one.name[0] != "_"}
    if isinstance(told, dict):
        return b"".join(f"{name}:".encode() + bits(value) for name, value in sorted(told.items(), key=repr))
    if isinstance(told, list | tuple | np.ndarray):
        return b"(" + b",".join(bits(one) for one in told) + b")"
    assert told is None or isinstance(told, int | float | str | bool | np.generic), type(told)
    return repr(told).encode()


@cache
def alone(call, storage):
    """The bits that a call gives when nothing else is going on, for X in memory that may be written."""
    X, y = sample()
    return bits(call(stored(X, storage), y))


def test_bits_tell_results_apart():
    X, y = sample()
    for call in (CALLS["Lasso"][""], many_paths, CALLS["minimize"][""], accumulate):
        other = SimpleNamespace(**vars(y))
        other.numbers = y.numbers.copy()
        other.numbers[0] *= 1.0 + 1e-12
        assert bits(call(X, y)) == bits(call(X, y))
        assert bits(call(X, y)) != bits(call(X, other))


# --- threads ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("storage", ["F", "CSC"])
@pytest.mark.parametrize("call", EVERY)
def test_four_threads_at_once_give_the_bits_of_one_alone(call, storage):
    X, y = sample()
    expected, X = alone(call, storage), stored(X, storage)
    found, start = queue.Queue(), threading.Barrier(4)

    def work():
        try:
            start.wait(PATIENCE)
            found.put(bits(call(X, y)))
        except BaseException as error:
            found.put(error)
            raise

    threads = [threading.Thread(target=work, daemon=True) for _ in range(4)]
    for thread in threads:
        thread.start()
    for _ in threads:
        assert found.get(timeout=PATIENCE) == expected


# --- forks ------------------------------------------------------------------------------------------------------------


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
def test_all_calls_in_a_forked_child_give_the_same_bits():
    X, y = sample()
    expected = {
        f"{name} {title} {storage}": alone(call, storage)
        for name, some in CALLS.items()
        for title, call in some.items()
        for storage in ("F", "CSC")
    }
    blocks.parallel_for(lambda _: time.sleep(0.01), 4, 2)
    assert blocks._pool is not None  # its threads do not come along
    reading, writing = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # that there are threads is the point
        child = os.fork()
    if child == 0:
        other = ["nothing was fitted"]
        try:
            os.close(reading)
            alone.cache_clear()
            other = [
                f"{name} {title} {storage}"
                for name, some in CALLS.items()
                for title, call in some.items()
                for storage in ("F", "CSC")
                if alone(call, storage) != expected[f"{name} {title} {storage}"]
            ]
            if blocks._pool is None:
                other.append("no call used the threads")
        except BaseException as error:
            other = [repr(error)]
        finally:
            os.write(writing, pickle.dumps(other)[:60_000])
            os._exit(0)
    os.close(writing)
    told, end = queue.Queue(), time.monotonic() + PATIENCE

    def read():
        with os.fdopen(reading, "rb") as stream:
            told.put(stream.read())

    threading.Thread(target=read, daemon=True).start()
    try:
        other = pickle.loads(told.get(timeout=end - time.monotonic()))
    except queue.Empty:
        pytest.fail("the child hangs")
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    assert other == []


# --- read-only memory -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("storage", STORAGES)
@pytest.mark.parametrize("call", EVERY)
def test_read_only_arrays_are_fitted_to_the_same_bits_and_not_written(call, storage):
    X, y = sample()
    X, y = stored(X, storage), SimpleNamespace(**{name: value.copy() for name, value in vars(y).items()})
    everything = [*arrays(X), *vars(y).values()]
    before = [array.tobytes() for array in everything]
    for array in everything:
        array.flags.writeable = False
    assert bits(call(X, y)) == alone(call, storage)
    assert [array.tobytes() for array in everything] == before
    assert not any(array.flags.writeable for array in everything)


@pytest.fixture(scope="module")
def mapped(tmp_path_factory):
    """X of `sample()` in a file, in Fortran order, mapped into memory to be read only."""
    name = tmp_path_factory.mktemp("mapped") / "X.npy"
    np.save(name, sample()[0])
    before = name.read_bytes()
    X = np.load(name, mmap_mode="r")
    assert X.flags.f_contiguous and not X.flags.writeable
    yield X
    del X
    assert name.read_bytes() == before


@pytest.mark.parametrize("call", EVERY)
def test_a_memory_mapped_X_is_fitted_to_the_same_bits(call, mapped):
    assert bits(call(mapped, sample()[1])) == alone(call, "F")


# --- Ctrl-C -----------------------------------------------------------------------------------------------------------
#
# A worker process prepares a call that would take many seconds, says so, and starts it; SIGINT is sent after a while.
# One worker serves many calls, since a KeyboardInterrupt leaves it as good as new: that is shown too.

DELAY = 0.5  # seconds from the start of a call to the signal ...
LATE = 3.0  # ... and where it is meant for what comes after the Gram matrix,
LATELY = ("fit_path: ridge",)  # as in these
LIMIT = 1.0  # seconds from the signal to the exception
ROWS, COLUMNS = 3_000, 10_000


@cache
def large():
    """A large design with correlated columns and what `sample` has; `rows`: 60 responses, `labels`: 20 classes."""
    rng = np.random.default_rng(0)
    X = np.empty((ROWS, COLUMNS), order="F")
    common = rng.normal(size=(ROWS, 8))
    for j in range(0, COLUMNS, 500):
        X[:, j : j + 500] = rng.standard_normal((500, ROWS), dtype=np.float32).T
        X[:, j : j + 500] += common @ rng.normal(size=(8, 500))
    numbers = X[:, ::50] @ rng.normal(size=len(range(0, COLUMNS, 50)))
    numbers = numbers / numbers.std() + rng.normal(size=ROWS)
    return X, SimpleNamespace(
        numbers=numbers,
        two=np.where(numbers > 0, 1.0, 0.0),
        three=np.searchsorted(np.quantile(numbers, [0.3, 0.6]), numbers),
        labels=np.searchsorted(np.quantile(numbers, np.arange(1, 20) / 20), numbers),
        counts=rng.poisson(np.exp(0.5 * numbers)).astype(float),
        rows=numbers[:, None] + rng.normal(size=(ROWS, 60)),
        weights=np.ones(ROWS),
    )


def tall(n, p):
    """A design of n rows that takes the memory of n + p numbers: each row is the one before, moved by one."""
    rng = np.random.default_rng(0)
    return sliding_window_view(rng.normal(size=n + p - 1), p), rng.normal(size=n)


def long(call, **changes):
    """A call on the large design."""

    def prepare():
        X, y = large()
        y = SimpleNamespace(**{**vars(y), **{name: getattr(y, other) for name, other in changes.items()}})
        return lambda: call(X, y)

    return prepare


def long_path(target, **options):
    return long(path(target, **{"alphas": 100, **options}))


def long_model(name, target, **parameters):
    return long(model(name, target, **parameters))


def repeated(call):
    """A call that takes less than seconds, again and again, as a loop over the parts of a file has it."""

    def again(X, y):
        while True:
            call(X, y)

    return again


def long_minimize(function):
    def prepare():
        curvature, start = np.geomspace(1e-8, 1.0, 1_000_000), np.ones(1_000_000)

        def bowl(x):
            off = x - 2.0
            return 0.5 * np.dot(curvature, off * off), curvature * off

        return lambda: function(bowl, start, tol=0.0)

    return prepare


def tall_call(call, n=400_000, p=2_000):
    """A call on a design of very many rows, or of many enough that a decomposition takes long."""

    def prepare():
        X, y = tall(n, p)
        return lambda: call(X, y)

    return prepare


def prepared_sums(call, count, features, rows=ROWS):
    """A call on sums over so many parts of the large design."""

    def prepare():
        X, y = large()
        parts = [
            fastreg.GramAccumulator().add(X[k:rows:count, :features], y.numbers[k:rows:count]) for k in range(count)
        ]
        return lambda: call(parts)

    return prepare


# "name: what is done" of a public name to what prepares the call
LONG = {
    "fit_path: squared": long_path("rows"),
    "fit_path: logistic": long_path("two", loss="logistic", eps=1e-4),
    "fit_path: multinomial": long_path("three", loss="multinomial"),
    "fit_path: poisson": long_path("counts", loss="poisson", eps=1e-4),
    "fit_path: squared_hinge": long_path("two", loss="squared_hinge", eps=1e-4),
    "fit_path: huber": long_path("numbers", loss="huber", eps=1e-4),
    "fit_paths: all responses": long(lambda X, y: fastreg.fit_paths(X, [fastreg.Problem(y.rows, l1_ratio=0.5)])),
    "lasso_path: to a small alpha": long(
        lambda X, y: [fastreg.lasso_path(X, one, eps=1e-4) for one in y.rows.T]
    ),
    "enet_path: to a small alpha": long(lambda X, y: [fastreg.enet_path(X, one, eps=1e-4) for one in y.rows.T]),
    "minimize: a million variables": long_minimize(fastreg.minimize),
    "minimize_path: a million variables": long_minimize(fastreg.minimize_path),
    "Lasso: 60 responses": long_model("Lasso", "rows", alpha=0.02),
    "ElasticNet: 60 responses": long_model("ElasticNet", "rows", alpha=0.02),
    "LassoCV: 10 folds": long_model("LassoCV", "numbers", cv=10, eps=1e-4),
    "ElasticNetCV: 10 folds": long_model("ElasticNetCV", "numbers", cv=10, eps=1e-4),
    "LogisticRegression: 20 classes": long_model("LogisticRegression", "labels", l1_ratio=1.0),
    "LogisticRegressionCV: 5 folds": long_model("LogisticRegressionCV", "two", cv=5, l1_ratios=[1.0],
                                                scoring="deviance", use_legacy_attributes=False),
    "PoissonRegressor: ridge penalty": long_model("PoissonRegressor", "counts", alpha=1e-4),
    "PoissonRegressorCV: 5 folds": long_model("PoissonRegressorCV", "counts", cv=5),
    "HuberElasticNet: 60 responses": long_model("HuberElasticNet", "rows", alpha=0.02),
    "HuberElasticNetCV: 5 folds": long_model("HuberElasticNetCV", "numbers", cv=5),
    "SquaredHingeClassifier: 20 classes": long_model("SquaredHingeClassifier", "labels", C=0.1, l1_ratio=0.9),
    "StabilitySelection: 50 pairs": long_model("StabilitySelection", "numbers", eps=0.01),
    "cross_validate_paths: 60 responses": long(lambda X, y: fastreg.cross_validate_paths(X, y.rows, cv=5)),
    "RidgeCV: folds": long_model("RidgeCV", "numbers", features=1_500, cv=300),
    "RidgeClassifierCV: folds": long_model("RidgeClassifierCV", "two", features=1_500, cv=300),
    "GramAccumulator: parts": long(repeated(lambda X, y: accumulated(X[:600, :1_500], y, slice(600)))),
    "GramAccumulator: path": prepared_sums(lambda parts: parts[0].fit_path(alphas=1_000, eps=1e-5), 1, 2_000),
    "cross_validate_blocks: 10 blocks": prepared_sums(
        lambda parts: fastreg.cross_validate_blocks(parts, eps=1e-5), 10, 1_000
    ),
    "Ridge: tall": tall_call(lambda X, y: fastreg.Ridge().fit(X, y)),
    "GramAccumulator: tall": tall_call(lambda X, y: fastreg.GramAccumulator().add(X, y)),
    "RidgeClassifier: tall": tall_call(lambda X, y: fastreg.RidgeClassifier().fit(X, y > 0)),
    "ridge_path: wide": long(lambda X, y: fastreg.ridge_path(X, y.numbers, RIDGE_ALPHAS)),
    "RidgeCV: leave-one-out": tall_call(lambda X, y: fastreg.RidgeCV().fit(X, y), 4_000, 3_500),
    "RidgeClassifierCV: leave-one-out": tall_call(lambda X, y: fastreg.RidgeClassifierCV().fit(X, y > 0), 4_000, 3_500),
    "Ridge: least squares": tall_call(lambda X, y: fastreg.Ridge(alpha=0.0).fit(X, y), 4_000, 3_500),
    "fit_path: ridge": long_path("numbers", l1_ratio=0.0, alphas=[1.0, 0.1, 0.01]),
}  # fmt: skip


# What is waited for before the clock of DELAY starts: the first call of this function with a large matrix.
INSIDE = {
    "RidgeCV: leave-one-out": (systems, "eigh"),
    "RidgeClassifierCV: leave-one-out": (systems, "eigh"),
    "Ridge: least squares": (systems, "svd"),
}


def announced(module, name):
    """Let a function say "started" when it starts on a large matrix for the first time."""
    function, once = getattr(module, name), threading.Lock()

    def told(A, *args, **options):
        if min(A.shape) > 1_000 and once.acquire(blocking=False):
            setattr(module, name, function)
            print("started", flush=True)
        return function(A, *args, **options)

    setattr(module, name, told)


def serve():
    """The worker: read a title, prepare, start, tell how it ended, until the input ends."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background inherits that it is ignored
    for name in CALLS:  # what is loaded when it is first used is loaded
        getattr(fastreg, name)
    for call in (CALLS["Lasso"][""], CALLS["Ridge"][""], CALLS["LogisticRegression"]["two classes"]):
        call(*sample())
    print("ready", flush=True)
    for line in sys.stdin:
        title, ended = line.strip(), "not started"
        try:
            call = (lambda: time.sleep(PATIENCE)) if title == "sleep" else LONG[title]()
            if title in INSIDE:
                announced(*INSIDE[title])
            else:
                print("started", flush=True)
            call()
            ended = "finished"
            time.sleep(DELAY)  # a signal that comes late interrupts nothing else
        except KeyboardInterrupt:
            ended = "interrupted" if ended == "not started" else ended
        except BaseException as error:
            ended = repr(error)
        print(ended, flush=True)


class Worker:
    """A process that runs `serve`, started when it is needed."""

    def __init__(self):
        self.process = None

    def start(self):
        code = f"import sys; sys.path.append({os.path.dirname(__file__)!r}); import test_robustness as t; t.serve()"
        self.process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.lines = queue.Queue()
        threading.Thread(target=self.read, args=(self.process.stdout, self.lines), daemon=True).start()
        assert self.lines.get(timeout=PATIENCE) == "ready"

    @staticmethod
    def read(stream, lines):
        for line in stream:
            lines.put(line.strip())
        lines.put("the worker has ended")

    def stop(self):
        if self.process is not None:
            self.process.kill()
            self.process.communicate()
            self.process = None

    def interrupt(self, title, patience):
        """(how a call ended, seconds from the signal to its end), infinitely many if it takes more than `patience`."""
        if self.process is None:
            self.start()
        self.process.stdin.write(title + "\n")
        self.process.stdin.flush()
        assert (told := self.lines.get(timeout=PATIENCE)) == "started", told
        time.sleep(LATE if title in LATELY else DELAY)
        sent = time.perf_counter()
        self.process.send_signal(signal.SIGINT)
        try:
            told = self.lines.get(timeout=patience)
        except queue.Empty:
            self.stop()
            return "held", np.inf
        return told, time.perf_counter() - sent


@pytest.fixture(scope="module")
def worker():
    one = Worker()
    yield one
    one.stop()


@pytest.fixture(scope="module")
def limit(worker):
    """LIMIT, unless this machine is so busy that not even a sleeping process reacts at once."""
    told, taken = worker.interrupt("sleep", PATIENCE)
    assert told == "interrupted"
    return max(LIMIT, 3.0 * taken)


@pytest.mark.interrupts
@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGINT")
@pytest.mark.parametrize("title", LONG)
def test_ctrl_c_ends_a_long_call_within_a_second(title, worker, limit):
    told, taken = worker.interrupt(title, limit)
    if told != "interrupted":
        worker.stop()
    assert told == "interrupted", f"{told}, {taken:.2f} s after the signal"
