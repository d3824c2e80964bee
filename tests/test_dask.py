"""Dask collections on a real cluster of two processes; run with ``pytest -m dask``."""

import os
import time

import numpy as np
import pytest
from numpy.testing import assert_allclose

pytestmark = [pytest.mark.dask, pytest.mark.filterwarnings("default")]

dask = pytest.importorskip("dask")
distributed = pytest.importorskip("distributed")
da = pytest.importorskip("dask.array")
dd = pytest.importorskip("dask.dataframe")
pd = pytest.importorskip("pandas")


@pytest.fixture(scope="module")
def client():
    with (
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


def rows(n=4_000, p=12, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p)) * rng.uniform(0.1, 10, p) + rng.uniform(-100, 100, p)
    y = X[:, :3] @ [1.0, -0.5, 0.2] + rng.standard_normal(n)
    return X, y, rng.uniform(0, 2, n)


@pytest.mark.parametrize("weighted", [False, True])
def test_an_array_in_blocks_is_the_array(client, weighted):
    from fastreg import fit_path, ridge_path
    from fastreg.dask import accumulate

    X, y, s = rows()
    blocks = [da.from_array(a, chunks=700) for a in ((X, y, s) if weighted else (X, y))]
    blocks[0] = blocks[0].rechunk({1: -1})
    total = accumulate(*blocks, split_every=3)
    s = s if weighted else None
    whole = fit_path(X, y, alphas=20, sample_weight=s)
    path = total.fit_path(alphas=whole.alphas)
    assert_allclose(path.coefs.toarray(), whole.coefs.toarray(), rtol=1e-7, atol=1e-9)
    assert_allclose(path.intercepts, whole.intercepts, rtol=1e-9)
    ridge = total.ridge(alphas=[10.0, 0.1])
    assert_allclose(ridge.coefs.toarray(), ridge_path(X, y, [10.0, 0.1], sample_weight=s).coefs.toarray(), rtol=1e-9)


def test_a_data_frame_keeps_its_names_and_may_have_empty_partitions(client):
    from fastreg import fit_path
    from fastreg.dask import accumulate

    X, y, _ = rows(n=1_000, p=4)
    frame = pd.DataFrame(X, columns=list("abcd")).assign(y=y)
    parts = dd.from_pandas(frame, npartitions=5)
    kept = parts.map_partitions(lambda part: part[part.index < 500])
    total = accumulate(kept[list("abcd")], kept["y"])
    assert list(total.feature_names_in_) == list("abcd")
    whole = fit_path(X[:500], y[:500], alphas=10)
    assert_allclose(total.fit_path(alphas=whole.alphas).coefs.toarray(), whole.coefs.toarray(), rtol=1e-7, atol=1e-9)


def test_a_worker_that_is_killed_changes_nothing(client):
    from fastreg.dask import accumulate

    X, y, _ = rows(n=2_000)
    flag = f"fastreg-killed-{os.getpid()}-{time.monotonic_ns()}"

    def slow(block, flag=flag):
        import tempfile
        import time
        from pathlib import Path

        time.sleep(0.1)
        mark = Path(tempfile.gettempdir(), flag)
        if len(block) == 101 and not mark.exists():  # the worker that gets this block dies with it, once
            mark.touch()
            os.kill(os.getpid(), 9)
        return block

    chunks = ((500, 500, 101, 499, 400), (12,))
    here = da.from_array(X, chunks=chunks)
    expected = accumulate(here, da.from_array(y, chunks=chunks[:1]))
    fragile = here.map_blocks(slow, dtype=float)
    total = accumulate(fragile, da.from_array(y, chunks=chunks[:1]))
    assert total.n_rows_ == 2_000
    a, b = expected.ridge(alphas=[1.0]), total.ridge(alphas=[1.0])
    assert a.coefs.toarray().tolist() == b.coefs.toarray().tolist()


def test_bad_input_says_what_to_do():
    from fastreg.dask import accumulate

    X, y, _ = rows(n=40, p=4)
    with pytest.raises(TypeError, match="X must be a Dask"):
        accumulate(X, da.from_array(y))
    with pytest.raises(ValueError, match=r"rechunk\(\{1: -1\}\)"):
        accumulate(da.from_array(X, chunks=(10, 2)), da.from_array(y, chunks=10))
    with pytest.raises(ValueError, match="y has 2 blocks of rows and X has 4"):
        accumulate(da.from_array(X, chunks=(10, 4)), da.from_array(y, chunks=20))
    with pytest.raises(ValueError, match="split_every=1"):
        accumulate(da.from_array(X), da.from_array(y), split_every=1)
