"""Every kernel against its slow twin: all layouts of X, odd shapes, all instruction sets of the machine."""

import os
import platform
import subprocess
import sys
from itertools import pairwise, product
from pathlib import Path

import numpy as np
import pytest
import reference
from numpy.testing import assert_allclose, assert_array_equal

from fastreg.design import Dense, dense
from fastreg.kernels import active as active_set
from fastreg.kernels import certificate, factor, panels
from fastreg.kernels.gram import GRAM_TILE, Gram, Moments, mirror, narrow_gram, whole_gram
from fastreg.kernels.panels import source

LAYOUTS = ["C", "F", "strided", "strided-F", "negative", "negative-F", "read-only"]
DTYPES = [np.float64, np.float32]
LANES = [8, 24]
ROWS = [1, 2, 127, 128, 129, 255, 256, 257, 513]
COLUMNS = list(range(1, 31))
UNTOUCHED = 7.25


def stored(X, layout):
    """The same matrix, lying differently in memory."""
    n, p = X.shape
    if layout == "C":
        return np.ascontiguousarray(X)
    if layout == "F":
        return np.asfortranarray(X)
    if layout.startswith("strided"):
        wide = np.full((2 * n, 3 * p), np.nan, dtype=X.dtype, order="F" if layout.endswith("F") else "C")
        wide[::2, ::3] = X
        return wide[::2, ::3]
    if layout.startswith("negative"):
        backwards = X[::-1, ::-1].copy(order="F" if layout.endswith("F") else "C")
        return backwards[::-1, ::-1]
    fixed = X.copy()
    fixed.setflags(write=False)
    return fixed


def bounds(sides):
    """Lower and upper bounds that allow the signs `sides`: bit 1 for positive, bit 2 for negative values."""
    return np.where(sides & 2, -np.inf, 0.0), np.where(sides & 1, np.inf, 0.0)


def shapes(seed):
    """Every number of rows with a few numbers of columns, which together are all of COLUMNS."""
    rng = np.random.default_rng(seed)
    order = rng.permutation(COLUMNS)
    for k, n in enumerate(ROWS):
        for p in order[k :: len(ROWS)]:
            yield n, int(p), rng


def close(found, expected, size):
    """Equal but for the rounding of sums whose terms add up to `size` in absolute value."""
    assert np.all(np.abs(found - expected) <= 1e-13 * size + 1e-300), np.max(np.abs(found - expected))


# --- products with panels --------------------------------------------------------------------------------------------


def correlate(X, first, stop, R, out):
    panels.Correlate(source(X, None), first, stop, R, out).do()


everywhere = pytest.mark.parametrize(("layout", "dtype", "lanes"), list(product(LAYOUTS, DTYPES, LANES)))


@everywhere
def test_correlate(layout, dtype, lanes):
    for n, p, rng in shapes(0):
        X = stored(rng.normal(size=(n, p)).astype(dtype), layout)
        for count in (1, 3, 6):
            R = rng.normal(size=(count, n, lanes))
            out = np.full((count, p, lanes), UNTOUCHED)
            first, stop = (0, p) if p < 4 else (1, p - 1)
            correlate(X, first, stop, R, out)
            expected = reference.correlate(X, R)
            size = reference.correlate(np.abs(X), np.abs(R))
            close(out[:, first:stop], expected[:, first:stop], size[:, first:stop])
            assert np.all(out[:, :first] == UNTOUCHED)
            assert np.all(out[:, stop:] == UNTOUCHED)
            apart = np.full((count * lanes, p, 1), UNTOUCHED)  # each lane in a row of its own
            correlate(X, first, stop, R, apart)
            assert_array_equal(apart.reshape(count, lanes, p).transpose(0, 2, 1), out)


@everywhere
def test_correlate_some(layout, dtype, lanes):
    for n, p, rng in shapes(0):
        X, R = stored(rng.normal(size=(n, p)).astype(dtype), layout), rng.normal(size=(n, lanes))
        columns = rng.permutation(p)[: int(rng.integers(0, p + 1))].astype(np.intp)
        out = np.full((len(columns), lanes), UNTOUCHED)
        panels.CorrelateSome(source(X, None), columns, R, out).do()
        close(out, X[:, columns].T.astype(float) @ R, np.abs(X[:, columns]).T.astype(float) @ np.abs(R))


@pytest.mark.parametrize("layout", ["C", "F"])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("lanes", LANES)
def test_correlate_more_columns_than_a_block_holds(layout, dtype, lanes):
    rng = np.random.default_rng(1)
    X = stored(rng.normal(size=(300, 533)).astype(dtype), layout)
    R = rng.normal(size=(2, 300, lanes))
    out = np.empty((2, 533, lanes))
    correlate(X, 0, 533, R, out)
    close(out, reference.correlate(X, R), reference.correlate(np.abs(X), np.abs(R)))
    again = np.empty_like(out)
    for first, stop in ((240, 533), (0, 240)):  # the blocks of other threads, in another order
        correlate(X, first, stop, R, again)
    assert_array_equal(again, out)
    apart = np.empty((2 * lanes, 533, 1))
    correlate(X, 0, 533, R, apart)
    assert_array_equal(apart.reshape(2, lanes, 533).transpose(0, 2, 1), out)


def test_correlate_ignores_what_out_held():
    X, R = np.ones((5, 3)), np.ones((1, 5, 8))
    out = np.full((1, 3, 8), np.nan)
    correlate(X, 0, 3, R, out)
    assert_array_equal(out, np.full((1, 3, 8), 5.0))


@everywhere
def test_residuals(layout, dtype, lanes):
    for n, p, rng in shapes(2):
        X = stored(rng.normal(size=(n, p)).astype(dtype), layout)
        Y = rng.normal(size=(4, n))
        columns = np.sort(rng.permutation(p)[: rng.integers(0, p + 1)]).astype(np.intp)
        for count, weights in product((1, 3), (None, rng.uniform(0, 2, n))):
            target = rng.integers(-1, 4, size=(count, lanes)).astype(np.intp)
            W = rng.normal(size=(count, len(columns), lanes))
            R, sums = np.full((count, n, lanes), UNTOUCHED), np.empty((count, lanes))
            expected, total = reference.residuals(X, Y, target, columns, W, weights)
            panels.Residuals(source(X, None), 0, n, Y, target, columns, W, weights, R, sums).do()
            close(R, expected, 50.0)
            close(sums, total, 100.0 * n)
            first, stop = n // 3, n - n // 4
            R[:] = UNTOUCHED
            panels.Residuals(source(X, None), first, stop, Y, target, columns, W, weights, R, None).do()
            close(R[:, first:stop], expected[:, first:stop], 50.0)
            assert np.all(R[:, :first] == UNTOUCHED)
            assert np.all(R[:, stop:] == UNTOUCHED)


@pytest.mark.parametrize("lanes", LANES)
@pytest.mark.parametrize("weighted", [False, True])
def test_shifts_and_weights_of_rows(lanes, weighted):
    rng = np.random.default_rng(3)
    n, first, stop = 40, 7, 33
    weights = rng.uniform(0, 2, n) if weighted else None
    s = np.ones(n) if weights is None else weights
    start, shift = rng.normal(size=(2, n, lanes)), rng.normal(size=(2, lanes))
    R, sums = start.copy(), np.empty((2, lanes))
    panels.shift_rows(R, first, stop, shift, weights, sums)
    expected = start.copy()
    expected[:, first:stop] -= shift[:, None]
    assert_array_equal(R, expected)
    assert_allclose(sums, np.einsum("i,kil->kl", s[first:stop], expected[:, first:stop]), atol=1e-13)
    R, squares = start.copy(), np.empty((2, lanes))
    panels.weight_rows(R, first, stop, shift, weights, squares)
    assert_allclose(squares, np.einsum("i,kil->kl", s[first:stop], expected[:, first:stop] ** 2), rtol=1e-13)
    expected[:, first:stop] *= s[first:stop, None]
    assert_allclose(R, expected, rtol=1e-15)


def test_residuals_of_a_design_are_centred_and_weighted():
    rng = np.random.default_rng(4)
    n, p = 700, 9
    X, Y = rng.normal(size=(n, p)) + 1e3, rng.normal(size=(2, n))
    columns, W = np.arange(p, dtype=np.intp), rng.normal(size=(1, p, 8))
    target = np.array([[0, 1, 0, 1, -1, -1, 0, 1]], dtype=np.intp)
    for weights in (None, rng.uniform(0, 2, n)):
        s = np.ones(n) if weights is None else weights
        R = np.empty((1, n, 8))
        squares = Dense(X).residuals(Y, target, columns, W, weights, True, s.sum(), R)
        raw, _ = reference.residuals(X - 1e3, Y, target, columns, W, None)
        expected = raw - np.average(raw, axis=1, weights=s)
        assert_allclose(squares, np.einsum("i,kil->kl", s, expected**2), rtol=1e-9)
        assert_allclose(R, expected * s[:, None], atol=1e-10)
        assert np.all(np.abs(R.sum(axis=1)) < 1e-10)


@pytest.mark.parametrize(("layout", "dtype"), list(product(LAYOUTS, DTYPES)))
def test_gradients(layout, dtype):
    for n, p, rng in shapes(20):
        X, W = stored(rng.normal(size=(n, p)).astype(dtype), layout), rng.normal(size=(p, 8))
        k, first = int(rng.integers(1, 9)), int(rng.integers(0, n))
        W[:, k:] = 0.0
        Y, level, s = rng.normal(size=(n, k)), rng.normal(size=k), rng.uniform(0, 2, n)
        for weights in (None, s):
            out, sums, work = np.full((p, 8), np.nan), np.empty(8), np.full((24, 8), np.nan)
            panels.gradients(X, first, n, W, Y, level, weights, work, out, sums)
            rows = X[first:].astype(float)
            R = (Y - level)[first:] - rows @ W[:, :k]
            R *= (np.ones(n) if weights is None else s)[first:, None]
            close(out[:, :k], rows.T @ R, np.abs(rows).T @ np.abs(R) + 100 * p)
            close(sums[:k], R.sum(axis=0), 100.0 * n * p)
            assert not out[:, k:].any()


@pytest.mark.parametrize(("layout", "dtype"), list(product(LAYOUTS, DTYPES)))
@pytest.mark.parametrize("weighted", [False, True])
def test_gradient(layout, dtype, weighted):
    for n, p, rng in shapes(23):
        X, w = stored(rng.normal(size=(n, p)).astype(dtype), layout), rng.normal(size=p)
        first, y, weights = int(rng.integers(0, n)), rng.normal(size=n), rng.uniform(0, 2, n) if weighted else None
        r, out = np.full(n, np.nan), np.full(p, np.nan)
        panels.gradient(X, first, n, w, y, weights, 24, r, out)
        rows = X[first:].astype(float)
        expected = (y[first:] - rows @ w) * (1.0 if weights is None else weights[first:])
        assert np.isnan(r[:first]).all()
        close(r[first:], expected, 1.0 + np.abs(y[first:]) + np.abs(rows) @ np.abs(w))
        close(out, rows.T @ expected, 1.0 + np.abs(rows).T @ (1.0 + np.abs(expected) + np.abs(rows) @ np.abs(w)))


@pytest.mark.parametrize(("layout", "dtype"), list(product(LAYOUTS, DTYPES)))
@pytest.mark.parametrize("given", [(), ("level",), ("root", "right"), ("level", "root", "right", "shift")])
@pytest.mark.parametrize("single", [False, True])
def test_whole_gram(monkeypatch, layout, dtype, given, single):
    rng = np.random.default_rng(21)
    for n, p, m in ((1, 1, 1), (130, 30, 30), (300, 60, 49), (257, 24, 24)):
        X = stored((rng.normal(size=(n, p)) + 2.0).astype(dtype), layout)
        columns = np.sort(rng.choice(p, m, replace=False)).astype(np.intp)
        means, shift = rng.normal(size=m), rng.normal(size=p) if "shift" in given else None
        level, root = (rng.uniform(0, 2, n) if name in given else None for name in ("level", "root"))
        right = rng.normal(size=(n, 3 if n < 300 else 20)) if "right" in given else None
        Z = X[:, columns].astype(float) - means
        if shift is not None:
            Z -= shift[columns]
        if level is not None:
            Z -= level[:, None]
        if root is not None:
            Z *= root[:, None]
        count, first = -(-m // 24), n // 3
        start, beside = count // 2, rng.normal(size=(2, n, 1 if single else 8))
        out, products = np.ones((count - start, count * 24, 24)), np.ones((2, (count - start) * 24, beside.shape[2]))
        work = np.full((count, GRAM_TILE, 24), np.nan, dtype=np.float32 if single else np.float64)
        arguments = panels.source(X, shift), columns, means, level, root
        if single:
            narrow_gram(*arguments, beside[:, :, 0], first, n, start, work, out, products[:, :, 0])
        else:
            whole_gram(*arguments, beside, first, n, start, work, out, products)
        rounding = 1e8 if single else 1.0  # of a float, in those of a double, and somewhat more

        def agrees(found, A, B, times):
            close((found - A.T @ B) / times, 0.0 * found, 1.0 + np.abs(A).T @ np.abs(B))
            return np.abs(found - A.T @ B).max()

        left = Z[first:]
        for k in range(start, count):
            part = left[:, 24 * k : 24 * k + 24]
            found = (out[k - start] - 1.0)[: min(24 * (k + 1), m), : part.shape[1]]
            off = agrees(found, left[:, : len(found)], part, rounding)
            assert (n > 1 and off > 1e-9) == (single and n > 1)
            for i in range(2):
                few = slice(24 * (k - start), 24 * (k - start) + part.shape[1])
                agrees(products[i, few] - 1.0, part, beside[i, first:], 1.0)

        design, gram = Dense(X), np.zeros((m, m))
        design.shift = shift
        monkeypatch.setattr(dense, "FEW_PANELS", int(rng.integers(0, 2)) * 43)  # in groups of columns, or not
        monkeypatch.setattr(dense, "TASK_WORK", 1 << 10)
        monkeypatch.setattr(dense, "PIECE_WORK", 1 << 10)

        def store(first, stop, start, part, gram=gram):
            gram[first:stop, start : start + part.shape[1]] = part

        found = design.whole_gram(columns, means, store, level, root, right, single=single)
        agrees(np.triu(gram) + np.triu(gram, 1).T, Z, Z, rounding)
        if right is not None:
            agrees(found, Z, right if root is None else root[:, None] * right, 1.0)


@pytest.mark.parametrize("weighted", [False, True])
def test_rotated_sums(weighted):
    rng = np.random.default_rng(22)
    for m in (1, 5, 240):
        Z, centre = rng.normal(size=(3, m, 24)), rng.normal(size=(3, 24))
        S, Q = rng.normal(size=(2, 72, 24)), rng.normal(size=(1, 72, 24))
        root = rng.uniform(0, 2, m) if weighted else None
        flat = np.hstack(Z - centre[:, None]) * (root[:, None] if weighted else 1.0)
        linear, square = np.full((2, m, 24), np.nan), np.full((1, m, 24), np.nan)
        panels.rotated_sums(Z, centre, root, S, Q, linear, square)
        close(linear, flat @ S, 1.0 + np.abs(flat) @ np.abs(S))
        close(square, (flat * flat) @ Q, 1.0 + (flat * flat) @ np.abs(Q))


# --- Gram columns and moments ----------------------------------------------------------------------------------------


@everywhere
def test_gram(layout, dtype, lanes):
    for n, p, rng in shapes(5):
        X = stored((rng.normal(size=(n, p)) + 2.0).astype(dtype), layout)
        rows = rng.permutation(p).astype(np.intp)
        start = p - int(rng.integers(1, min(2 * lanes, p) + 1))
        edges = sorted({0, int(rng.integers(0, p)), p})
        for weights, centred in product((None, rng.uniform(0, 2, n)), (False, True)):
            s = np.ones(n) if weights is None else weights
            means = reference.moments(X, weights, rows, True)[0] if centred else np.zeros(p)
            gram = np.full((p + 1, p + 1), UNTOUCHED)
            for first, stop in pairwise(edges):
                Gram(source(X, None), weights, rows, means, first, stop, start, p, lanes, 0.5, gram).do()
            expected = 0.5 * reference.gram_columns(X, weights, rows, rows[start:], means, means[start:])
            close(gram[:p, start:p], expected, 40.0 * s.sum())
            assert_array_equal(gram[start:p, :p], gram[:p, start:p].T)
            assert np.all(gram[:start, :start] == UNTOUCHED)
            assert np.all(gram[p] == UNTOUCHED)
            assert np.all(gram[:, p] == UNTOUCHED)


def test_gram_columns_of_a_design_are_symmetric_to_the_bit():
    from fastreg.solve.sample import Sample

    rng = np.random.default_rng(6)
    X = rng.normal(size=(70, 61)) + 3.0
    for weights, centred in product((None, rng.uniform(0, 2, 70)), (False, True)):
        sample = Sample(Dense(X), weights, centred, 1)
        for some in (np.arange(40, 57), np.arange(0, 40), np.array([60, 57, 59, 58])):
            sample.add(some)
        G, order = sample.gram[:61, :61], sample.features
        s = np.ones(70) if weights is None else weights
        mean = np.average(X, axis=0, weights=s) if centred else np.zeros(61)
        assert_allclose(G, reference.gram_columns(X, s, order, order, mean[order], mean[order]) / s.sum(), atol=1e-12)
        assert_array_equal(G, G.T)
        assert sample.complete


@pytest.mark.parametrize(("layout", "dtype"), list(product(LAYOUTS, DTYPES)))
def test_moments(layout, dtype):
    for n, p, rng in shapes(7):
        X = stored((rng.normal(size=(n, p)) + rng.choice([0.0, 5.0])).astype(dtype), layout)
        columns = rng.permutation(p)[: int(rng.integers(1, p + 1))].astype(np.intp)
        for weights, centred in product((None, rng.uniform(0.1, 2, n)), (False, True)):
            total = float(n) if weights is None else float(weights.sum())
            out = np.empty((3, len(columns)))
            Moments(source(X, None), weights, total, columns, centred, *out).do()
            for found, expected in zip(out, reference.moments(X, weights, columns, centred), strict=True):
                close(found, expected, 100.0 * max(total, 1.0))


@pytest.mark.parametrize("value", [0.0, 0.1, -1e8, 1e8 / 3, 1e-300])
@pytest.mark.parametrize("dtype", DTYPES)
def test_moments_of_a_constant_column_have_a_square_of_exactly_zero(value, dtype):
    X = np.full((1000, 1), value, dtype=dtype)
    out = np.empty((3, 1))
    Moments(source(X, None), None, 1000.0, np.zeros(1, np.intp), True, *out).do()
    assert out[1, 0] == 0.0
    assert out[0, 0] == X[0, 0]


def test_moments_keep_the_digits_of_a_column_far_from_zero():
    X = 1e8 + np.arange(500.0)[:, None] * 2.0**-10
    out = np.empty((3, 1))
    Moments(source(X, None), None, 500.0, np.zeros(1, np.intp), True, *out).do()
    exact = np.arange(500.0) * 2.0**-10
    assert_allclose(out[0, 0], 1e8 + exact.mean(), rtol=1e-15)
    assert_allclose(out[1, 0], np.sum((exact - exact.mean()) ** 2), rtol=1e-12)


def test_mirror():
    G = np.random.default_rng(8).normal(size=(9, 9))
    expected = G.copy()
    expected[2:7, 2:7] = np.tril(G[2:7, 2:7]) + np.tril(G[2:7, 2:7], -1).T
    mirror(G, 2, 7)
    assert_array_equal(G, expected)


# --- the Cholesky factor ---------------------------------------------------------------------------------------------


def definite(m, rng, n=None):
    B = rng.normal(size=(n or m + 5, m))
    return B.T @ B / len(B)


def check_factor(G, ridge, steps, tiny=1e-13):
    members, L, faults = factor.follow(G, ridge, steps, tiny)
    H = (G + np.diag(ridge))[np.ix_(members, members)]
    assert_allclose(L @ L.T, H, atol=1e-11 * np.max(np.abs(H), initial=1.0))
    assert np.all(np.diag(L) > 0)
    assert not np.triu(L, 1).any()
    return members, L, faults


@pytest.mark.parametrize("m", [1, 2, 3, 4, 5, 7, 8, 9, 12, 15, 16, 17, 31, 33, 64, 70])
@pytest.mark.parametrize("block", [1, 3, 8])
def test_factor_grows_by_blocks(m, block):
    rng = np.random.default_rng(m)
    G, ridge, order = definite(m, rng), rng.uniform(0, 1, m), rng.permutation(m)
    steps = [("append", order[k : k + block].tolist()) for k in range(0, m, block)]
    members, L, faults = check_factor(G, ridge, steps)
    assert members == order.tolist()
    assert faults == 0
    H = (G + np.diag(ridge))[np.ix_(order, order)]
    assert_allclose(L, np.linalg.cholesky(H), rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("m", [1, 2, 5, 8, 9, 17, 40])
def test_factor_drops_any_place(m):
    rng = np.random.default_rng(m)
    G, ridge = definite(m, rng), np.full(m, 0.1)
    everything = [("append", list(range(k, min(k + 8, m)))) for k in range(0, m, 8)]
    for place in range(m):
        members, _, _ = check_factor(G, ridge, [*everything, ("drop", place)])
        assert members == [j for j in range(m) if j != place]


@pytest.mark.parametrize("seed", range(20))
def test_factor_follows_a_long_history(seed):
    rng = np.random.default_rng(seed)
    m = int(rng.integers(5, 45))
    G, ridge = definite(m, rng), rng.uniform(0, 0.5, m)
    inside, steps = [], []
    for _ in range(80):
        outside = [j for j in range(m) if j not in inside]
        if outside and (not inside or rng.random() < 0.4):
            some = rng.permutation(outside)[: int(rng.integers(1, 9))].tolist()
            steps.append(("append", some))
            inside += some
        else:
            place = int(rng.integers(len(inside)))
            steps.append(("drop", place))
            del inside[place]
    members, _, faults = check_factor(G, ridge, steps)
    assert members == inside
    assert faults == 0


@pytest.mark.parametrize("sign", [1.0, -1.0])
@pytest.mark.parametrize("together", [False, True])
def test_factor_refuses_copies(sign, together):
    rng = np.random.default_rng(0)
    B = rng.normal(size=(30, 12))
    B[:, 7] = sign * B[:, 2]
    B[:, 9] = B[:, 0] - 2 * B[:, 1] + B[:, 3]  # a combination of four
    B[:, 11] = 0.0
    G = B.T @ B / 30
    if together:
        steps = [("append", [0, 1, 2, 3, 7, 9, 11, 4]), ("append", [5, 6, 8, 10])]
    else:
        steps = [("append", [j]) for j in (0, 1, 2, 3, 7, 9, 11, 4, 5, 6, 8, 10)]
    members, _, faults = check_factor(G, np.zeros(12), steps)
    assert members == [0, 1, 2, 3, 4, 5, 6, 8, 10]
    assert faults == 3


def test_factor_takes_a_copy_once_its_original_has_left():
    rng = np.random.default_rng(1)
    B = rng.normal(size=(20, 6))
    B[:, 4] = B[:, 1]
    G = B.T @ B / 20
    steps = [("append", [0, 1, 2]), ("append", [4]), ("drop", 1), ("append", [4]), ("append", [1, 3])]
    members, _, faults = check_factor(G, np.zeros(6), steps)
    assert members == [0, 2, 4, 3]
    assert faults == 2


def test_factor_takes_copies_under_a_ridge():
    rng = np.random.default_rng(2)
    B = rng.normal(size=(20, 4))
    G = np.tile(B.T @ B / 20, (2, 2))
    members, _, faults = check_factor(G, np.full(8, 1e-3), [("append", list(range(8)))])
    assert members == list(range(8))
    assert faults == 0


def solve_with(L, b):
    x = np.array(b, ndmin=2)
    factor.solve(np.ascontiguousarray(L.T), x)
    return x[0]


@pytest.mark.parametrize("size", [*range(1, 20), 63, 200])
def test_small_matrices_are_factorized(size):
    rng = np.random.default_rng(size)
    H = definite(size, rng) + np.eye(size)
    Lt, every = np.zeros((size, size)), np.arange(size, dtype=np.int32)
    assert factor.factorize(H, every, np.empty(8 * size), Lt)
    assert_array_equal(Lt, np.triu(Lt))
    assert_allclose(Lt.T @ Lt, H, rtol=1e-13, atol=1e-13 * np.abs(H).max())
    H[size // 2, size // 2] = -1.0
    assert not factor.factorize(H, every, np.empty(8 * size), np.zeros((size, size)))


@pytest.mark.parametrize("size", range(1, 31))
def test_factor_solves(size):
    rng = np.random.default_rng(size)
    H, b = definite(size, rng) + np.eye(size), rng.normal(size=size)
    before = b.copy()
    assert_allclose(solve_with(np.linalg.cholesky(H), b), np.linalg.solve(H, b), rtol=1e-10, atol=1e-12)
    assert_array_equal(b, before)


# --- certificates ----------------------------------------------------------------------------------------------------


def certify(C, panel, lane, scale, W, l1, l2, f1, f2, positive, squares, place=None, blocks=((0, None),)):
    """What the engine does with `Scan`, `Terms` and `gap`: gaps (k,), missed (p,)."""
    p = C.shape[1]
    k = len(l1)
    place = np.zeros(p, np.int32) if place is None else place
    missed = np.zeros(p, np.uint8)
    largest, conjugate, off = np.zeros((3, k))
    box = (np.zeros(p), np.full(p, np.inf)) if positive else (None, None)
    where = np.full(k, panel), np.arange(lane, lane + k)
    for first, stop in blocks:
        part = np.empty((2, k))
        stop = p if stop is None else stop
        limits = f1, f2, *box, None
        certificate.Scan(C, *where, first, stop, None, scale, l1, l2, *limits, off, place, *part, missed).do()
        largest = np.maximum(largest, part[0])
        conjugate += part[1]
    gaps = []
    for i in range(k):
        used = np.flatnonzero(W[:, i])
        c = C[panel, used, lane + i] * scale
        kappa = certificate.scale(l1[i], largest[i])
        sums = certificate.squared_part(kappa, squares[i], 0.0), kappa, conjugate[i], 0.0, None
        gaps.append(certificate.gap(used, W[used, i], c, l1[i], l2[i], f1, f2, *sums))
    lanes, features = (a.copy() for a in np.nonzero(W.T))
    stops = np.searchsorted(lanes, np.arange(k + 1))
    kappa, (terms, shift) = np.minimum(1.0, l1 / np.maximum(largest, 1e-300)), np.empty((2, k))
    level = np.random.default_rng(0).normal(size=p)
    # half of the lanes have met the features in another order
    order, full = np.random.default_rng(0).permutation(p), (np.arange(k) % 2).astype(np.uint8)
    D, rows = C[:, order].copy(), np.tile(np.argsort(order).astype(np.int32), (len(C), 1))
    certificate.Terms(
        C, D, rows, full, *where, scale, features, W[features, lanes], stops[:-1], stops[1:], l1, l2, f1, f2, *box,
        None, off, kappa, level[features], terms, shift,
    ).do()  # fmt: skip
    loss = [certificate.squared_part(*one, 0.0) for one in zip(kappa, squares, strict=True)]
    assert_allclose(np.maximum(loss + conjugate + terms, 0.0), gaps, rtol=1e-12, atol=1e-15)
    assert_allclose(shift, level @ W, rtol=1e-12, atol=1e-15)
    return np.array(gaps), missed


@pytest.mark.parametrize("l1_ratio", [1.0, 0.5, 0.01])
@pytest.mark.parametrize("positive", [False, True])
@pytest.mark.parametrize("factors", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
def test_gap_is_primal_minus_dual_and_bounds_the_suboptimality(l1_ratio, positive, factors, weighted):
    rng = np.random.default_rng(9)
    n, p, k, panel, lane = 30, 11, 5, 1, 2
    X, s = rng.normal(size=(n, p)), rng.uniform(0.2, 2, n) if weighted else np.ones(n)
    y = X[:, 0] - X[:, 3] + rng.normal(size=n)
    scale = 1.0 / s.sum()
    f1 = rng.uniform(0.5, 2.0, p) if factors else np.ones(p)
    if factors:
        f1[4] = np.inf  # excluded
    G, q = (X * s[:, None]).T @ X * scale, X.T @ (s * y) * scale
    alphas = np.array([0.6, 0.3, 0.1, 0.03, 0.003])
    l1, l2 = l1_ratio * alphas, (1 - l1_ratio) * alphas
    finite, sides = np.where(np.isinf(f1), 0.0, f1), np.where(np.isinf(f1), 0, 1 if positive else 3)
    best = [reference.elastic_net_on_gram(G, q, a * finite, b * finite**2, sides) for a, b in zip(l1, l2, strict=True)]
    best = np.column_stack(best)

    def objective(w, i):
        penalty = l1[i] * finite @ np.abs(w) + 0.5 * l2[i] * finite**2 @ w**2
        return 0.5 * s @ (y - X @ w) ** 2 * scale + penalty

    for noise in (0.0, 1e-6, 1e-2, 1.0):
        W = best + noise * rng.normal(size=best.shape) * (rng.random(best.shape) < 0.5)
        W[np.isinf(f1)] = 0.0
        if positive:
            W = np.maximum(W, 0.0)
        R = y[:, None] - X @ W
        squares = s @ R**2 * scale
        C = rng.normal(size=(3, p, 8))
        C[panel, :, lane : lane + k] = X.T @ (R * s[:, None])
        arguments = (l1, l2, f1 if factors else None, f1**2 if factors else None, positive, squares)
        gaps, _ = certify(C, panel, lane, scale, W, *arguments)
        in_blocks, _ = certify(C, panel, lane, scale, W, *arguments, blocks=((0, 4), (4, 11)))
        assert_allclose(in_blocks, gaps, rtol=1e-12, atol=1e-15)
        for i in range(k):
            c = C[panel, :, lane + i] * scale
            direct = reference.primal_minus_dual(W[:, i], c, squares[i], l1[i], l2[i], f1, f1**2, positive)
            assert_allclose(gaps[i], direct, rtol=1e-9, atol=1e-13)
            assert gaps[i] >= 0.0
            assert gaps[i] >= objective(W[:, i], i) - objective(best[:, i], i) - 1e-14
            if noise == 0.0:
                assert gaps[i] < 1e-11


def test_scan_marks_what_screening_missed():
    C = np.zeros((1, 6, 8))
    C[0, :, 0] = [0.5, -1.5, 1.5, -1.5, 3.0, 0.1]
    C[0, :, 1] = [0.0, 0.0, 0.0, 0.0, 0.0, 2.5]
    place = np.array([-1, -1, 0, -1, -1, -1], dtype=np.int32)
    f1 = np.array([1.0, 1.0, 1.0, 2.0, np.inf, 1.0])
    one, none, where = np.ones(2), np.zeros(2), (np.zeros(2, np.intp), np.arange(2))
    rows, order = C[0, :, :2].T[:, :, None].copy(), np.array([4, 1, 5, 0, 2, 3])
    for positive, expected in ((False, [0, 1, 0, 0, 0, 1]), (True, [0, 0, 0, 0, 0, 1])):
        box = (np.zeros(6), np.full(6, np.inf)) if positive else (None, None)
        limits = 1.0, one, none, f1, None, *box, None, none, place
        for panels_, places, columns in (
            (C, where, None), (rows, where[::-1], None), (C[:, order].copy(), where, order),
        ):  # fmt: skip
            largest, conjugate, missed = np.empty(2), np.empty(2), np.zeros(6, np.uint8)
            certificate.Scan(panels_, *places, 0, 6, columns, *limits, largest, conjugate, missed).do()
            assert missed.tolist() == expected
            assert largest.tolist() == [1.5, 2.5]


@pytest.mark.parametrize("p", [1, 31, 32, 100, 1000])
@pytest.mark.parametrize("factors", [False, True])
def test_scan_of_a_row_finds_what_a_panel_holds(p, factors):
    rng = np.random.default_rng(p)
    f1 = rng.choice([0.5, 1.0, np.inf], p) if factors else None
    f = np.ones(p) if f1 is None else f1
    for limit in (0.5, 2.0, 10.0):
        c, place = rng.normal(size=p), rng.integers(-1, 1, p).astype(np.int32)
        largest, conjugate, missed, zero = np.empty(1), np.empty(1), np.zeros(p, np.uint8), np.zeros(1)
        certificate.Scan(
            c.reshape(1, p, 1), zero.astype(np.intp), zero.astype(np.intp), 0, p, None, 1.0, np.array([limit]), zero,
            f1, None, None, None, None, zero, place, largest, conjugate, missed,
        ).do()  # fmt: skip
        assert_array_equal(missed, (np.abs(c) > limit * f) & (place < 0))
        if (np.abs(c) / f).max() > limit:
            assert largest[0] == (np.abs(c) / f).max()
        else:
            assert largest[0] <= limit


# --- the active set --------------------------------------------------------------------------------------------------


def solve_active(active, G, l1, l2, max_iter=10_000):
    """Solutions (m, L) and iterations of one call."""
    m, count = active.m, len(l1)
    index, value = np.empty((count + 1) * m, np.int32), np.empty((count + 1) * m)
    stops, n_iter, version = np.zeros(count + 1, np.intp), np.zeros(count, np.int64), np.zeros(count, np.int64)
    between = np.zeros(count, np.uint8)
    done = active.solve(G, l1, l2, between, max_iter, 1e12, index, value, stops, n_iter, version)
    assert done == count
    W = np.zeros((m, count))
    for k in range(count):
        W[index[stops[k] : stops[k + 1]], k] = value[stops[k] : stops[k + 1]]
    return W, n_iter


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("ridge", [0.0, 0.3])
@pytest.mark.parametrize("kind", ["free", "positive", "negative", "mixed"])
def test_active_set_solves_the_elastic_net_on_a_gram_matrix(seed, ridge, kind):
    rng = np.random.default_rng(seed)
    m = int(rng.integers(1, 25))
    G, q = definite(m, rng, m + 20), rng.normal(size=m)
    f1, f2 = rng.uniform(0.5, 2, m), rng.uniform(0.5, 2, m)
    sides = {"free": 3, "positive": 1, "negative": 2}.get(kind)
    sides = np.full(m, sides, np.int8) if sides else rng.integers(0, 4, m).astype(np.int8)
    l1 = np.max(np.abs(q) / f1) * np.array([1.0, 0.7, 0.4, 0.1, 0.01, 0.001])
    l2 = ridge * l1
    for order in (0, 2 * seed + 1):
        active = active_set.ActiveSet(order)
        half = m // 2
        for part in (slice(0, half), slice(half, m)):  # features come in two lots
            active.extend(q[part], f1[part], f2[part], *bounds(sides[part]))
        W, n_iter = solve_active(active, G, l1, l2)
        assert not W[:, 0].any()
        assert np.all(n_iter >= 0)
        for k in range(len(l1)):
            expected = reference.elastic_net_on_gram(G, q, l1[k] * f1, l2[k] * f2, sides)
            assert_allclose(W[:, k], expected, atol=1e-9)


def test_active_set_starts_from_a_given_point():
    rng = np.random.default_rng(3)
    m = 15
    G, q, ones = definite(m, rng, 40), rng.normal(size=m), np.ones(m)
    l1, l2 = np.array([0.1]), np.zeros(1)
    expected = reference.elastic_net_on_gram(G, q, 0.1 * ones, 0 * ones, np.full(m, 3))
    for start in (expected, rng.normal(size=m), np.zeros(m)):
        active = active_set.ActiveSet()
        active.extend(q, ones, ones, *bounds(np.full(m, 3, np.int8)))
        used = np.flatnonzero(start).astype(np.int32)
        active.place(G, used, start[used], 0.0)
        W, n_iter = solve_active(active, G, l1, l2)
        assert_allclose(W[:, 0], expected, atol=1e-10)
        if start is expected:
            assert n_iter[0] <= 1


# --- instruction sets ------------------------------------------------------------------------------------------------

LEVELS = ["baseline", "avx2", "avx512"]
SCRIPT = """
import sys
import numpy as np
from fastreg import fit_path
from fastreg.design import Dense, dense
from fastreg.kernels import factor, panels
from fastreg.kernels.panels import source
from fastreg.solve.sample import Sample

rng = np.random.default_rng(0)
found = {}
for name, dtype, order in (("f64 F", "f8", "F"), ("f64 C", "f8", "C"), ("f32 F", "f4", "F"), ("f32 C", "f4", "C")):
    X = np.asarray(np.random.default_rng(1).normal(size=(397, 67)) + 0.5, dtype=dtype, order=order)
    for lanes in (8, 24):
        R = np.random.default_rng(2).normal(size=(2, 397, lanes))
        out = np.empty((2, 67, lanes))
        panels.Correlate(source(X, None), 0, 67, R, out).do()
        found[f"correlate {name} {lanes}"] = out
        columns, W = np.arange(0, 67, 3), np.random.default_rng(3).normal(size=(2, 23, lanes))
        Y, target = np.random.default_rng(4).normal(size=(2, 397)), np.arange(2 * lanes).reshape(2, lanes) % 3 - 1
        panels.Residuals(source(X, None), 0, 397, Y, target, columns, W, None, R, None).do()
        found[f"residuals {name} {lanes}"] = R
    sample = Sample(Dense(X), None, True, 1)
    sample.add(np.arange(67))
    found[f"gram {name}"] = sample.gram
G = np.random.default_rng(5).normal(size=(90, 45))
G = G.T @ G / 90
steps = [("append", list(range(k, k + 8))) for k in range(0, 40, 8)] + [("drop", 3), ("drop", 20), ("append", [44, 3])]
members, L, _ = factor.follow(G, np.full(45, 0.1), steps, 1e-13)
found["factor"] = L
found["solve"] = np.arange(len(L))[None] / 7
factor.solve(np.ascontiguousarray(L.T), found["solve"])
X = np.random.default_rng(6).normal(size=(60, 150))
y = X[:, :5] @ [3.0, -2, 1, 2, -1] + np.random.default_rng(7).normal(size=60)
for precompute in (True, False):
    path = fit_path(X, y, alphas=12, l1_ratio=0.9, precompute=precompute)
    found[f"path {precompute}"] = path.coefs.toarray()
    found[f"intercepts {precompute}"] = path.intercepts
np.savez(sys.argv[1], **found)
print(panels.simd_level)
"""


def run_with(level, code, *arguments):
    environment = {**os.environ, "FASTREG_SIMD": level}
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)], capture_output=True, text=True, env=environment
    )


def machine_has(level):
    """Whether the processor has this instruction set; None if that cannot be told here."""
    if level == "baseline":
        return True
    if platform.machine().lower() not in ("x86_64", "amd64", "i386", "i686"):
        return False
    if not Path("/proc/cpuinfo").exists():
        return None
    flags = next(line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("flags")).split()
    needed = {"avx2", "fma"} | ({"avx512f", "avx512vl", "avx512dq"} if level == "avx512" else set())
    return needed <= set(flags)


def test_every_instruction_set_of_the_machine_gives_the_same(tmp_path):
    results = {}
    for level in LEVELS:
        file = tmp_path / f"{level}.npz"
        run = run_with(level, SCRIPT, file)
        has = machine_has(level)
        if has is False or (has is None and run.returncode):
            assert run.returncode != 0
            assert "ImportError" in run.stderr
            continue
        assert run.returncode == 0, run.stderr
        assert run.stdout.strip() == level
        with np.load(file) as data:
            results[level] = dict(data)
    for level, found in results.items():
        for name, expected in results["baseline"].items():
            size = max(1.0, np.max(np.abs(expected)))
            assert_allclose(found[name], expected, rtol=0, atol=1e-12 * size, err_msg=f"{level}: {name}")


@pytest.mark.parametrize("module", ["panels", "factor", "active"])
@pytest.mark.parametrize("value", ["sse9", "AVX2", "1", " "])
def test_an_unknown_instruction_set_is_an_import_error(module, value):
    run = run_with(value, f"import fastreg.kernels.{module}")
    assert run.returncode == 1
    assert "ImportError: FASTREG_SIMD must be baseline, avx2 or avx512" in run.stderr


def test_an_empty_wish_means_the_best():
    best = run_with("", "from fastreg.kernels import panels; print(panels.simd_level)").stdout.strip()
    assert best in LEVELS
    for level in LEVELS:
        if machine_has(level) and LEVELS.index(level) > LEVELS.index(best):
            raise AssertionError(f"{level} is there, {best} was taken")
