"""Work in parts that helper threads take: right, and the same bits whoever helps."""

import threading
import time
from concurrent.futures import Future

import numpy as np
import pytest
import scipy.sparse as sp

from fastreg import Problem, fit_path, fit_paths
from fastreg.design import blocks
from fastreg.design.blocks import team_of
from fastreg.kernels import losses, panels
from fastreg.kernels.columns import PARTS, ColumnSet
from fastreg.kernels.model import Model
from fastreg.kernels.newton import DONE, WANTS_MINIMUM, WANTS_MODEL, Newton
from fastreg.kernels.panels import source
from fastreg.kernels.parts import Team, do_all
from fastreg.kernels.residual import ResidualSet
from fastreg.solve import glm


def words(n, p, share, seed=0):
    """A sparse X (n, p), some of whose columns have many entries, and a response."""
    rng = np.random.default_rng(seed)
    X = sp.random(n, p, share, format="csc", random_state=rng, data_rvs=rng.standard_normal)
    return X, X[:, :20] @ rng.standard_normal(20) + 0.1 * rng.standard_normal(n)


def residual_set(X, y, weights=None, watch=None):
    total = len(y) if weights is None else weights.sum()
    solver, p = ResidualSet(y, weights, float(total), watch=watch), X.shape[1]
    mean, ones = np.asarray(X.mean(axis=0)).ravel(), np.ones(p)
    solver.extend(mean if sp.issparse(X) else np.zeros(p), ones, ones, ones, np.full(p, -np.inf), np.full(p, np.inf))
    if sp.issparse(X):
        solver.read_sparse(X.indices, X.data, X.indptr[:-1].astype(np.int64), X.indptr[1:].astype(np.int64), True)
    else:
        solver.read_packed(np.ascontiguousarray((X - mean).T))
    return solver


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("dense", [False, True])
def test_gradients_in_parts(dense, weighted):
    X, y = words(700, 900, 0.3)  # 190,000 entries: parts of sparse and of packed columns
    X = X.toarray() if dense else X
    rng = np.random.default_rng(1)
    s, w = rng.uniform(0.5, 2.0, 700), rng.standard_normal(900)
    solver = residual_set(X, y, s if weighted else None)
    s = s if weighted else np.ones(700)
    D = (X if dense else X.toarray()) - np.asarray(X.mean(axis=0)).ravel()
    r = s * (y - D @ w)
    expected = (D.T @ r if dense else (D + X.mean(axis=0)).T @ r) / s.sum()
    np.testing.assert_allclose(np.ravel(solver.gradients(w)), np.ravel(expected), atol=1e-12 * np.abs(expected).max())


@pytest.mark.parametrize("helpers", [1, 3])
@pytest.mark.parametrize("dense", [False, True])
def test_the_same_bits_whoever_helps(dense, helpers):
    X, y = words(700, 900, 0.3)
    solver = residual_set(X.toarray() if dense else X, y)
    W = np.random.default_rng(1).standard_normal((200, 900))
    alone = [solver.gradients(w).tobytes() for w in W]
    team = Team()
    threads = [threading.Thread(target=team.help) for _ in range(helpers)]
    for thread in threads:
        thread.start()
    solver.join(team)
    try:
        assert [solver.gradients(w).tobytes() for w in W] == alone
    finally:
        team.close()
        for thread in threads:
            thread.join()
    assert solver.gradients(W[0]).tobytes() == alone[0]  # a closed team helps no more, and is not waited for
    solver.join(None)
    assert solver.gradients(W[0]).tobytes() == alone[0]


def ends(team):
    """Whether whoever helps a team is let go."""
    thread = threading.Thread(target=team.help, daemon=True)
    thread.start()
    thread.join(5.0)
    return not thread.is_alive()


def test_helpers_go_when_the_block_ends():
    with team_of(1) as team:
        assert team is None
    with team_of(3) as team:
        pass
    assert ends(team)
    with pytest.raises(ZeroDivisionError), team_of(3) as team:
        raise ZeroDivisionError
    assert ends(team)


def test_helpers_go_where_no_more_of_them_can_be_had(monkeypatch):
    """As where an interrupt comes while a team is made."""
    helpers = []

    class Pool:
        def submit(self, help_out):
            if helpers:
                raise KeyboardInterrupt
            helpers.append(threading.Thread(target=help_out, daemon=True))
            helpers[0].start()
            return Future()

    monkeypatch.setattr(blocks, "_executor", Pool)
    with pytest.raises(KeyboardInterrupt), team_of(4):
        pass
    helpers[0].join(5.0)
    assert not helpers[0].is_alive()


# --- lists of parts --------------------------------------------------------------------------------------------------


def long_parts(count, n=2_000, p=600):
    """Parts of a millisecond or more, and what they write: R[k] = -p k."""
    X, R = np.ones((n, p)), np.full((count, n, 8), np.nan)
    columns, target = np.arange(p), np.full((1, 8), -1)
    some = (np.full((1, p, 8), float(k)) for k in range(count))
    parts = [
        panels.Residuals(source(X, None), 0, n, np.zeros((1, n)), target, columns, W, None, R[k : k + 1], None)
        for k, W in enumerate(some)
    ]
    return parts, R


def done(R):
    return [bool((one == -600.0 * k).all()) for k, one in enumerate(R)]


@pytest.mark.parametrize("jobs", [1, 2, 3])
def test_all_parts_are_done_however_long_they_take(jobs):
    parts, R = long_parts(150)
    looks = []
    with team_of(jobs) as team:
        do_all(parts, team, lambda: looks.append(sum(done(R))))
    assert all(done(R))
    assert looks[-1] == 150 and looks == sorted(looks)
    assert len(looks) > 1  # the caller looked around in between


def test_whoever_looks_around_may_stop_the_parts():
    parts, R = long_parts(150)

    def stop():
        raise KeyboardInterrupt

    with team_of(2) as team, pytest.raises(KeyboardInterrupt):
        do_all(parts, team, stop)
    assert 0 < sum(done(R)) < 150


def test_what_is_not_a_part_is_refused():
    parts, R = long_parts(2)
    with pytest.raises(TypeError):
        do_all([*parts, None], None, list)
    assert not any(done(R))
    do_all([], None, list)


@pytest.mark.parametrize("teams", [True, False])
def test_helpers_stand_by_for_the_thread_that_called_them(teams, monkeypatch):
    monkeypatch.setattr(blocks.kernel_parts, "HAS_TEAMS", teams)
    parts, R = long_parts(12)
    with blocks.helpers(2):
        blocks.do_all(parts[:4], 2)
        blocks.parallel_for(lambda k: blocks.do_all(parts[4 + 2 * k : 6 + 2 * k], 1), 2, 2)
        with blocks.helpers(2):
            blocks.do_all(parts[8:10], 2)
    blocks.do_all(parts[10:], 2)
    assert all(done(R))


def test_without_teams_loops_and_lists_are_still_shared_by_threads(monkeypatch):
    monkeypatch.setattr(blocks.kernel_parts, "HAS_TEAMS", False)
    parts, R = long_parts(8)
    both = threading.Barrier(2)
    with blocks.helpers(2):
        assert blocks._local.team is None  # nobody would take its parts
        blocks.parallel_for(lambda k: both.wait(10.0), 2, 2)  # neither ends unless the other has begun
        shared = []
        monkeypatch.setattr(blocks, "parallel_for", lambda task, count, jobs: shared.append((count, jobs)))
        blocks.do_all(parts, 2)
    assert shared == [(8, 2)]


def test_a_machine_without_teams_gives_the_same_bits(monkeypatch):
    rng = np.random.default_rng(3)
    X = rng.normal(size=(60, 900))
    y = X[:, :5].sum(axis=1) + rng.normal(size=60)
    problems = [Problem(y, sample_weight=s, alphas=20) for s in (None, rng.permutation(np.repeat([0.0, 1.0], 30)))]
    first = fit_paths(X, problems, n_jobs=2)
    monkeypatch.setattr(blocks.kernel_parts, "HAS_TEAMS", False)
    for one, other in zip(first, fit_paths(X, problems, n_jobs=2), strict=True):
        assert one.coefs.toarray().tobytes() == other.coefs.toarray().tobytes()


# --- in fits ---------------------------------------------------------------------------------------------------------


def test_a_model_that_grows_large_gives_its_gram_matrix_up(monkeypatch):
    monkeypatch.setattr(glm, "LARGE", 30)
    sizes = {False: [], True: []}  # of models with a Gram matrix, and without one
    solve = glm.GlmRun.solve

    def noting(run, jobs):
        solve(run, jobs)
        sizes[run.model.without_gram].append(run.model.size)

    monkeypatch.setattr(glm.GlmRun, "solve", noting)
    X, y = words(2_000, 600, 0.05)
    path = fit_path(X, (y > 0).astype(float), loss="logistic", alphas=30, eps=0.02)
    assert path.n_nonzero[-1] > 100 and path.relative_gaps.max() <= 1e-10
    assert 0 < max(sizes[False]) <= 30 < max(sizes[True])


@pytest.mark.parametrize("loss", ["squared", "logistic"])
@pytest.mark.parametrize("storage", ["csc", "csr", "dense"])
def test_fits_have_the_same_bits_for_any_number_of_threads(storage, loss, monkeypatch):
    monkeypatch.setattr(glm, "LARGE", 30)
    X, y = words(2_000, 600, 0.2)
    X = X.toarray() if storage == "dense" else X.asformat(storage)
    y = y if loss == "squared" else (y > 0).astype(float)
    options = {"precompute": False} if loss == "squared" else {}
    fits = [fit_path(X, y, loss=loss, alphas=8, eps=2e-3, n_jobs=jobs, **options) for jobs in (1, 2, 4)]
    assert fits[0].relative_gaps.max() <= 1e-10 and fits[0].n_nonzero[-1] > 30
    for fit in fits[1:]:
        assert fit.coefs.toarray().tobytes() == fits[0].coefs.toarray().tobytes()
        assert fit.dual_gaps.tobytes() == fits[0].dual_gaps.tobytes()


def state_of(X, y, s, loss, most):
    """A problem that knows all columns of X, with a Gram matrix for models of so many; factors other than one."""
    n, k = X.shape
    columns = ColumnSet(n, np.empty((PARTS - 1, n)))
    if sp.issparse(X):
        columns.read_sparse(X.indptr[:-1], X.indptr[1:], X.indices, X.data)
    else:
        columns.read_packed(np.ascontiguousarray(X.T))
    total, number = float(s.sum()), losses.NUMBERS[loss]
    model = Model(columns, n, total, most > 0, False, 0, k + 64, sp.issparse(X), 3.0, 8.0)
    state = Newton(model, number, 1.0, y, s, most, 100)
    f1, f2 = np.random.default_rng(2).uniform(0.5, 2.0, (2, k))
    state.extend(f1, f2, np.full(k, -np.inf), np.full(k, np.inf), np.ones(k), np.arange(k, dtype=np.int32))
    return state, f2


def stand_at(state, X, y, s, loss, w, level):
    """Go to a point."""
    z, r, h = rows_of(state)
    z[:] = np.asarray(X @ w).ravel() + level
    state.table[0, : len(w)] = w
    state.value = losses.evaluate(losses.NUMBERS[loss], 1.0, y, s, z, r, h)
    state.take_stock()
    state.look_at(None)


def rows_of(state):
    return state.rows[3 * state.here : 3 * state.here + 3]


@pytest.mark.parametrize("storage", ["dense", "csc", "csc, float32", "csc, 64 bits"])
def test_small_gram_matrices(storage):
    """Those that are made without the caller, at once and as they grow."""
    rng = np.random.default_rng(0)
    n, k = 300, 21
    X = sp.random(n, k, 0.3, format="csc", random_state=rng, dtype=np.float32 if "float32" in storage else np.float64)
    if "64" in storage:
        X.indices, X.indptr = X.indices.astype(np.int64), X.indptr.astype(np.int64)
    X = X.toarray() if storage == "dense" else X
    y, s = (rng.random(n) < 0.4).astype(float), rng.uniform(0.5, 2.0, n)
    state, _ = state_of(X, y, s, "logistic", k)
    model = state.model
    model.reserve_gram(k)
    stand_at(state, X, y, s, "logistic", np.zeros(k), 0.3)
    h = rows_of(state)[2].copy()  # of the model that then grows
    for only in (9, 12, k):
        state.begin(0.0, 0.1, 0.0, 1, np.arange(only, dtype=np.int32), True)
        assert state.go() == DONE and state.steps == 1
        at = model.features()[0]
        assert sorted(at) == list(range(only))
        A = X.toarray().astype(float) if sp.issparse(X) else X
        means = A.T @ h / h.sum()
        np.testing.assert_allclose(model.curvatures, h, rtol=1e-15)
        np.testing.assert_allclose(model.table[8, :only], means[at], atol=1e-14)
        expected = ((A - means).T * h @ (A - means) / s.sum())[np.ix_(at, at)]
        np.testing.assert_allclose(model.gram[:only, :only], expected, atol=1e-15)


def step(X, y, s, loss, w, aim, l2):
    """A step from the point w, with an intercept of 0.1, towards what `aim` makes of it and of the gradient there.

    Returns (state, coefficients, aim, rows (z, r, h), change of the objective).
    """
    k, total = len(w), s.sum()
    state, f2 = state_of(X, y, s, loss, 0)  # no Gram matrices
    model = state.model
    stand_at(state, X, y, s, loss, w, 0.1)
    before = state.value / total + 0.5 * l2 * f2 @ w**2
    state.begin(0.0, l2, 0.0, 1, None, True)
    assert state.go() == WANTS_MODEL and state.anew
    assert state.renew() and state.go() == WANTS_MINIMUM
    at = model.features()[0]
    target = aim(w, state.table[1, :k].copy())
    model.table[7, : model.size] = target[at]
    assert state.go() == DONE and state.steps == 1
    moved = state.table[0, :k].copy()
    change = state.value / total + 0.5 * l2 * f2 @ moved**2 - before
    return state, moved, target, rows_of(state), change


@pytest.mark.parametrize("loss", ["logistic", "poisson"])
@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("length", [0.1, 300.0])
def test_a_step(sparse, loss, length):
    """The point it ends at is on the line, what is known of it is right, and the objective falls."""
    rng = np.random.default_rng(0)
    n, k = 9_000, 30  # rows in two parts
    X = sp.random(n, k, 0.4, format="csc", random_state=rng)
    X = X if sparse else X.toarray()
    y = rng.poisson(1.5, n).astype(float) if loss == "poisson" else (rng.random(n) < 0.7).astype(float)
    s, w = rng.uniform(0.5, 2.0, n), np.where(np.arange(k) < 10, 0.3, 0.0)
    state, moved, target, (z, r, h), change = step(X, y, s, loss, w, lambda w, g: w + length * g, 0.01)
    t = (moved - w) @ (target - w) / ((target - w) @ (target - w))
    assert 0.0 < t <= 1.0 and (t < 1.0) == (length > 1.0)
    assert change < 0.0
    np.testing.assert_allclose(moved, w + t * (target - w), rtol=1e-13, atol=1e-13)
    np.testing.assert_allclose(z, np.asarray(X @ moved).ravel() + 0.1, atol=1e-11 * max(1.0, np.abs(z).max()))
    fresh = np.empty((2, n))
    value = losses.evaluate(losses.NUMBERS[loss], 1.0, y, s, z, *fresh)
    np.testing.assert_array_equal([r, h], fresh)
    np.testing.assert_allclose([state.value, state.sum_h], [value, h.sum()], rtol=1e-11)
    np.testing.assert_allclose(state.table[1, :k], np.asarray(X.T @ r).ravel() / s.sum(), atol=1e-13)


def test_no_step_where_there_is_nowhere_to_go():
    X, y, w = np.ones((50, 2)), np.repeat([0.0, 1.0], 25), np.array([0.5, 0.0])
    _, moved, _, _, change = step(X, y, np.ones(50), "logistic", w, lambda w, g: w, 0.1)
    np.testing.assert_array_equal(moved, w)
    assert change == 0.0


def test_what_watch_raises_ends_a_solution():
    X, y = words(700, 900, 0.3)
    solver = residual_set(X, y, watch=Calls())
    outputs = np.empty(1800, np.int32), np.empty(1800), np.zeros(2, np.intp), np.zeros(1, np.int64)
    small = np.full(1, 1e-12)
    with pytest.raises(ZeroDivisionError):
        solver.solve(small, small, np.zeros(1, np.uint8), 10_000_000, np.inf, *outputs)


class Calls:
    """Raises when it is called for the third time."""

    count = 0

    def __call__(self):
        self.count += 1
        if self.count == 3:
            raise ZeroDivisionError


def test_helpers_of_a_loop_that_has_ended_stop_in_the_middle():
    """In the thread of a block that nobody waits for `watch` raises, elsewhere it does not."""
    blocks.watch()
    entered, failed, seen = threading.Event(), threading.Event(), []

    def task(k):
        if threading.current_thread() is not threading.main_thread():
            entered.set()
            failed.wait(5.0)
            for _ in range(1_000):
                time.sleep(0.005)
                try:
                    blocks.watch()
                except blocks.Cancelled:
                    seen.append(k)
                    raise
        else:
            entered.wait(5.0)
            failed.set()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        blocks.parallel_for(task, 2, 2)
    assert len(seen) == 1
