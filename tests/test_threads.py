"""Threads, processes and signals around the engine: the same bits however it runs, and nothing left behind."""

import os
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from fastreg import Lasso, Problem, RidgeCV, fit_path, fit_paths
from fastreg.design import blocks
from fastreg.solve.threads import n_threads, one_blas_thread

LIMIT = 60  # seconds that a subprocess of these tests may take at most
CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


def data(n, p, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p)) + rng.normal(size=(n, 1))
    return X, X[:, :6] @ [2.0, -1.0, 1.0, 1.0, -2.0, 0.5] + rng.normal(size=n)


def problems(X, y):
    """Enough unlike problems to fill several panels, among them such as share weights or a response."""
    rng = np.random.default_rng(1)
    fold = np.where(np.arange(len(y)) % 3 == 0, 0.0, 1.0)
    return [
        Problem(y, alphas=30),
        Problem(y, alphas=20, l1_ratio=0.5),
        Problem(np.column_stack([y, -y, rng.normal(size=len(y))]), alphas=8, sample_weight=fold),
        Problem(y**2, alphas=8, standardize=True),
        Problem(y, alphas=8, sample_weight=rng.uniform(0.1, 2, len(y)), fit_intercept=False, positive=True),
    ]


def bits(paths):
    """All that a list of paths holds, as one string of bytes."""
    parts = []
    for path in paths:
        parts += [path.alphas, path.coefs.data, path.coefs.indices, path.coefs.indptr, path.intercepts]
        parts += [path.dual_gaps, path.deviance_ratio, path.n_iter, np.array([path.n_passes])]
    return b"".join(np.ascontiguousarray(part).tobytes() for part in parts)


SHAPES = [(4000, 90), (120, 2500), (300, 700)]


@pytest.mark.parametrize(("n", "p"), SHAPES)
@pytest.mark.parametrize("order", ["C", "F"])
def test_the_same_bits_for_any_number_of_threads_and_every_time(n, p, order):
    X, y = data(n, p)
    X = np.asarray(X, order=order)
    some = problems(X, y)
    first = bits(fit_paths(X, some, n_jobs=1))
    for jobs in (2, 1, 2, 3, -1):
        assert bits(fit_paths(X, some, n_jobs=jobs)) == first
    assert bits([fit_path(X, y, alphas=15, n_jobs=2)]) == bits([fit_path(X, y, alphas=15, n_jobs=1)])


@pytest.mark.parametrize("precompute", [True, False])
def test_the_same_bits_whichever_way_is_forced(precompute):
    X, y = data(500, 400)
    one, two = (bits(fit_paths(X, problems(X, y), n_jobs=jobs, precompute=precompute)) for jobs in (1, 2))
    assert one == two


def test_an_exception_ends_the_loops_within_the_blocks_of_other_threads():
    here, started, done = threading.current_thread(), threading.Event(), []

    def block(k):
        if threading.current_thread() is here:
            assert started.wait(30)
            raise ZeroDivisionError
        started.set()
        blocks.parallel_for(lambda i: (time.sleep(0.01), done.append(i)), 2_000, 1)

    with pytest.raises(ZeroDivisionError):
        blocks.parallel_for(block, 2, 2)
    assert len(done) < 1_000


def test_concurrent_fits_from_four_threads():
    sets = [data(400 + 100 * k, 600 - 100 * k, seed=k) for k in range(4)]
    expected = [bits(fit_paths(X, problems(X, y), n_jobs=1)) for X, y in sets]
    found, failures = {}, []
    start = threading.Barrier(4)

    def work(k):
        try:
            start.wait(LIMIT)
            for turn in range(2):
                found[k, turn] = bits(fit_paths(*[sets[k][0], problems(*sets[k])], n_jobs=2))
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LIMIT)
    assert not failures
    assert not any(thread.is_alive() for thread in threads)
    for (k, _), value in found.items():
        assert value == expected[k]
    assert len(found) == 8


def test_one_X_shared_by_concurrent_fits():
    X, y = data(300, 700)
    targets = [y, y**2, -y, np.abs(y)]
    expected = [bits([fit_path(X, target, alphas=10)]) for target in targets]
    found = [None] * 4

    def work(k):
        found[k] = bits([fit_path(X, targets[k], alphas=10)])

    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LIMIT)
    assert found == expected


def blas_threads():
    return sorted((pool["filepath"], pool["num_threads"]) for pool in threadpool_info())


@pytest.mark.parametrize("limit", [1, 2])
def test_the_thread_settings_of_blas_are_left_alone(limit):
    X, y = data(400, 800)
    fit_path(X, y, alphas=3)  # whatever it loads is loaded
    with threadpool_limits(limits=limit):
        before = blas_threads()
        for jobs in (1, 2):
            fit_paths(X, problems(X, y), n_jobs=jobs)
            assert blas_threads() == before
        fit_path(X[:, :20], y, alphas=[0.1, 0.0])
        assert blas_threads() == before
        RidgeCV(n_jobs=2).fit(X, y)
        with pytest.raises(ValueError, match="cannot be left out"):
            RidgeCV(penalty_factor=np.zeros(2)).fit(np.eye(3)[:, :2], [1.0, 2.0, 3.0])
        assert blas_threads() == before
        with pytest.raises(ValueError, match="NaN"):
            fit_path(np.where(X == X[5, 5], np.nan, X), y)
        assert blas_threads() == before


def test_one_block_at_a_time_keeps_blas_to_one_thread():
    def at_most():
        return max(pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas")

    inside, leave, ended = threading.Event(), threading.Event(), []

    def other(before):
        try:
            with one_blas_thread():
                inside.set()
                assert leave.wait(LIMIT)
                raise ZeroDivisionError
        except ZeroDivisionError:
            ended.append(blas_threads() == before)

    before = blas_threads()
    with one_blas_thread(False):
        assert blas_threads() == before
    thread = threading.Thread(target=other, args=[before])
    with one_blas_thread(), one_blas_thread():
        assert at_most() == 1
        thread.start()
        assert inside.wait(LIMIT)
    assert blas_threads() == before  # whoever else is inside may have more
    leave.set()
    thread.join()
    inside.clear()
    leave.clear()
    late = threading.Thread(target=other, args=[before])  # a thread that does not come first can own it too
    late.start()
    assert inside.wait(LIMIT)
    assert at_most() == 1
    with one_blas_thread():
        pass
    assert at_most() == 1
    leave.set()
    late.join()
    assert ended == [True, True]
    assert blas_threads() == before


# --- sharing out blocks ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("jobs", [1, 2, 5])
@pytest.mark.parametrize("count", [0, 1, 2, 3, 100])
def test_every_block_is_done_once(jobs, count):
    done = []
    blocks.parallel_for(done.append, count, jobs)
    assert sorted(done) == list(range(count))


@pytest.mark.parametrize("jobs", [1, 2, 4])
def test_the_failure_of_a_block_is_raised_once_no_block_runs_any_more(jobs):
    running, started = set(), []

    def task(k):
        started.append(k)
        running.add(k)
        try:
            time.sleep(0.002)
            if k == 3:
                raise ZeroDivisionError("three")
        finally:
            running.discard(k)

    with pytest.raises(ZeroDivisionError, match="three"):
        blocks.parallel_for(task, 200, jobs)
    assert not running
    assert len(started) < 50
    done = []
    blocks.parallel_for(done.append, 10, jobs)  # the pool is still of use
    assert sorted(done) == list(range(10))


def test_blocks_within_blocks_do_not_wait_for_each_other():
    total = []

    def outer(k):
        blocks.parallel_for(lambda i: total.append((k, i)), 8, 4)

    worker = threading.Thread(target=blocks.parallel_for, args=(outer, 8, 4), daemon=True)
    worker.start()
    worker.join(LIMIT)
    assert not worker.is_alive()
    assert sorted(total) == [(k, i) for k in range(8) for i in range(8)]


# --- processes -------------------------------------------------------------------------------------------------------

PRELUDE = """
import os, sys, time, warnings
import numpy as np
from fastreg import Lasso, fit_path
rng = np.random.default_rng(0)
X = rng.normal(size=(300, 900))
y = X[:, :5].sum(axis=1) + rng.normal(size=300)
"""


def run(code, *options, **environment):
    command = [sys.executable, *options, "-c", PRELUDE + code]
    return subprocess.run(command, capture_output=True, text=True, timeout=LIMIT, env={**os.environ, **environment})


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
def test_a_fork_after_the_pool_was_used_fits_in_the_child():
    code = """
warnings.simplefilter("ignore", DeprecationWarning)  # that there are threads is the point
expected = fit_path(X, y, alphas=10, n_jobs=2).coefs.toarray()
child = os.fork()
if child == 0:
    status = 1
    try:
        status = 0 if np.array_equal(fit_path(X, y, alphas=10, n_jobs=2).coefs.toarray(), expected) else 2
    finally:
        os._exit(status)
for _ in range(400):
    pid, status = os.waitpid(child, os.WNOHANG)
    if pid:
        break
    time.sleep(0.05)
else:
    os.kill(child, 9)
    sys.exit("the child hangs")
assert os.waitstatus_to_exitcode(status) == 0, status
assert np.array_equal(fit_path(X, y, alphas=10, n_jobs=2).coefs.toarray(), expected)
print("fine")
"""
    result = run(code)
    assert result.stdout.strip() == "fine", result.stderr


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
def test_a_fork_in_the_middle_of_a_fit_of_another_thread():
    code = """
import threading
warnings.simplefilter("ignore", DeprecationWarning)
expected = fit_path(X, y, alphas=10, n_jobs=2).coefs.toarray()
stop = threading.Event()
def work():
    while not stop.is_set():
        fit_path(X, y, alphas=10, n_jobs=2)
busy = threading.Thread(target=work)
busy.start()
for _ in range(4):
    time.sleep(0.02)
    child = os.fork()
    if child == 0:
        status = 1
        try:
            status = 0 if np.array_equal(fit_path(X, y, alphas=10, n_jobs=2).coefs.toarray(), expected) else 2
        finally:
            os._exit(status)
    for _ in range(200):
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            break
        time.sleep(0.05)
    else:
        os.kill(child, 9)
        stop.set()
        sys.exit("the child hangs")
    assert os.waitstatus_to_exitcode(status) == 0, status
stop.set()
busy.join()
print("fine")
"""
    result = run(code)
    assert result.stdout.strip() == "fine", result.stderr


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
def test_workers_that_multiprocessing_forks():
    code = """
import multiprocessing
warnings.simplefilter("ignore", DeprecationWarning)
def work(k):
    return fit_path(X, y + k, alphas=8, n_jobs=2).coefs.toarray()
expected = [work(k) for k in range(4)]
with multiprocessing.get_context("fork").Pool(2) as pool:
    found = pool.map_async(work, range(4)).get(timeout=30)
assert all(np.array_equal(a, b) for a, b in zip(expected, found))
print("fine")
"""
    result = run(code)
    assert result.stdout.strip() == "fine", result.stderr


INTERRUPTED = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)
n, p, many = {shape}
X = rng.normal(size=(n, p))
y = X @ rng.normal(size=p) + rng.normal(size=n)
Y = y[:, None] + rng.normal(size=(n, many)) * y.std()
model = Lasso(alpha={alpha}, tol=0.0, n_jobs={jobs})
print("ready", flush=True)
start = time.perf_counter()
try:
    model.fit(X, Y)
except KeyboardInterrupt:
    assert not hasattr(model, "coef_") and not hasattr(model, "n_features_in_"), vars(model)
    Lasso(alpha=1.0, n_jobs={jobs}).fit(X[:, :50], Y[:, 0])
    print("interrupted", flush=True)
    raise
print("finished after", time.perf_counter() - start)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGINT")
@pytest.mark.parametrize(
    ("shape", "alpha", "jobs"),
    [((300, 3000, 2000), 0.5, 2), ((2000, 2000, 60), 0.01, 1), ((2000, 2000, 60), 0.01, 2)],
    ids=["many small problems", "large problems", "large problems, two threads"],
)
def test_ctrl_c_ends_a_fit_within_seconds(shape, alpha, jobs):
    code = PRELUDE + INTERRUPTED.format(shape=shape, alpha=alpha, jobs=jobs)
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stdout.readline().strip() == "ready"
        time.sleep(0.7)
        process.send_signal(signal.SIGINT)
        sent = time.perf_counter()
        out, err = process.communicate(timeout=30)
        taken = time.perf_counter() - sent
    finally:
        process.kill()
        process.communicate()
    assert out.strip() == "interrupted", (out, err[-2000:])
    assert "KeyboardInterrupt" in err
    assert process.returncode in (1, 130, -signal.SIGINT)
    assert taken < 5.0


# --- how many threads ------------------------------------------------------------------------------------------------


@pytest.fixture
def no_wishes(monkeypatch):
    for name in ("FASTREG_NUM_THREADS", "OMP_NUM_THREADS", "LOKY_WORKER"):
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


def test_threads_are_the_cores_of_this_process(no_wishes):
    assert n_threads(None) == CORES
    assert n_threads(-1) == CORES
    assert n_threads(1) == 1
    assert n_threads(7) == 7
    assert n_threads(-CORES) == 1
    assert n_threads(-1000) == 1


@pytest.mark.parametrize("name", ["FASTREG_NUM_THREADS", "OMP_NUM_THREADS"])
def test_environment_caps_the_threads(no_wishes, name):
    no_wishes.setenv(name, "1")
    assert n_threads(None) == 1
    no_wishes.setenv(name, " 1 ")
    assert n_threads(None) == 1
    no_wishes.setenv(name, "100000")
    assert n_threads(None) == CORES
    for nonsense in ("", "0", "-2", "many", "1.5"):
        no_wishes.setenv(name, nonsense)
        assert n_threads(None) == CORES
    no_wishes.setenv(name, "1")
    assert n_threads(2) == 2  # who asks for threads gets them
    assert n_threads(-1) == CORES


def test_the_own_variable_comes_first(no_wishes):
    no_wishes.setenv("OMP_NUM_THREADS", "1")
    no_wishes.setenv("FASTREG_NUM_THREADS", str(CORES))
    assert n_threads(None) == CORES
    no_wishes.setenv("FASTREG_NUM_THREADS", "1")
    no_wishes.setenv("OMP_NUM_THREADS", str(CORES))
    assert n_threads(None) == 1


def test_nested_levels_of_openmp(no_wishes):
    no_wishes.setenv("OMP_NUM_THREADS", "1,4")  # one number for each level of nesting
    assert n_threads(None) == 1


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="needs an affinity mask")
def test_the_affinity_mask_counts():
    code = """
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
from fastreg.solve.threads import n_threads
print(n_threads(None), n_threads(-1))
"""
    assert run(code, FASTREG_NUM_THREADS="", OMP_NUM_THREADS="").stdout.split() == ["1", "1"]


def test_a_worker_of_joblib_uses_one_thread():
    code = """
if __name__ == "__main__":
    warnings.simplefilter("ignore", DeprecationWarning)
    import joblib
    from fastreg.solve.threads import n_threads
    for backend in ("loky", "threading", "multiprocessing"):
        parallel = joblib.Parallel(n_jobs=2, backend=backend)
        print(backend, *parallel(joblib.delayed(n_threads)(None) for _ in range(3)))
    print("outside", n_threads(None))
"""
    result = run(code, FASTREG_NUM_THREADS="", OMP_NUM_THREADS="")
    assert result.returncode == 0, result.stderr
    lines = result.stdout.splitlines()
    assert lines == ["loky 1 1 1", "threading 1 1 1", "multiprocessing 1 1 1", f"outside {CORES}"]


def test_models_in_workers_of_joblib_fit_alike():
    code = """
if __name__ == "__main__":
    import joblib
    alphas = [0.5, 0.2, 0.1, 0.05]
    expected = [Lasso(alpha=alpha).fit(X, y).coef_ for alpha in alphas]
    for backend in ("loky", "threading"):
        parallel = joblib.Parallel(n_jobs=2, backend=backend)
        found = parallel(joblib.delayed(Lasso(alpha=alpha).fit)(X, y) for alpha in alphas)
        assert all(np.array_equal(a, b.coef_) for a, b in zip(expected, found))
    print("fine")
"""
    result = run(code)
    assert result.stdout.strip() == "fine", result.stderr
    assert result.stderr == ""


def test_a_fit_asks_for_no_more_threads_than_n_jobs(monkeypatch):
    X, y = data(300, 900)
    busiest, busy, lock = [0], set(), threading.Lock()
    real = blocks.parallel_for

    def watched(task, count, jobs):
        def noted(k):
            with lock:
                busy.add(threading.get_ident())
                busiest[0] = max(busiest[0], len(busy))
            try:
                task(k)
            finally:
                with lock:
                    busy.discard(threading.get_ident())

        real(noted, count, jobs)

    monkeypatch.setattr("fastreg.design.dense.parallel_for", watched)
    monkeypatch.setattr("fastreg.solve.rounds.parallel_for", watched)
    for jobs in (1, 2):
        busiest[0] = 0
        fit_paths(X, problems(X, y), n_jobs=jobs)
        assert 1 <= busiest[0] <= jobs
    Lasso(alpha=0.1, n_jobs=1).fit(X, y)
