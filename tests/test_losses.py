"""The kernels of the losses: against exact arithmetic, against differences, and at the ends of what a double holds."""

import mpmath
import numpy as np
import pytest
from mpmath import mp, mpf
from numpy.testing import assert_allclose, assert_array_equal
from test_kernels import LEVELS, machine_has, run_with

from fastreg.kernels import losses

LOSSES = list(losses.NUMBERS)
DELTA = 1.35
every_loss = pytest.mark.parametrize("loss", LOSSES)
mp.dps = 400  # enough for 1 - e^-700


def run(loss, y, z, s=None, delta=DELTA):
    """(sum of s f, r, h)."""
    y, z = np.asarray(y, dtype=np.float64), np.asarray(z, dtype=np.float64)
    r, h = np.full(len(z), np.nan), np.full(len(z), np.nan)
    return losses.evaluate(losses.NUMBERS[loss], delta, y, s, z, r, h), r, h


def values(loss, y, z, delta=DELTA):
    """f of each row."""
    return np.array([run(loss, y[i : i + 1], z[i : i + 1], delta=delta)[0] for i in range(len(z))])


def exact(loss, y, z, delta=DELTA):
    """(f, -f', f'') in exact arithmetic."""
    y, z, delta = mpf(float(y)), mpf(float(z)), mpf(delta)
    if loss == "logistic":
        p = 1 / (1 + mpmath.exp(-z))
        q = 1 / (1 + mpmath.exp(z))
        return mpmath.log(1 + mpmath.exp(z)) - y * z, (q if y == 1 else -p), p * q
    if loss == "poisson":
        e = mpmath.exp(z)
        return e - y - (y * (z - mpmath.log(y)) if y > 0 else 0), y - e, e
    if loss == "squared_hinge":
        t = 2 * y - 1
        margin = max(1 - t * z, mpf(0))
        return margin**2 / 2, t * margin, mpf(1 if margin > 0 else 0)
    left = y - z
    if abs(left) <= delta:
        return left**2 / 2, left, mpf(1)
    return delta * (abs(left) - delta / 2), delta * mpmath.sign(left), mpf(0)


def conjugate(loss, y, v):
    """f*(y, v) in exact arithmetic, inf outside of its domain."""
    y, delta = mpf(float(y)), mpf(DELTA)

    def x_log_x(x):
        return x * mpmath.log(x) if x > 0 else mpf(0)

    if loss == "logistic":
        return x_log_x(v + y) + x_log_x(1 - v - y) if 0 <= v + y <= 1 else mpmath.inf
    if loss == "poisson":
        return x_log_x(v + y) - v - x_log_x(y) if v + y >= 0 else mpmath.inf
    if loss == "squared_hinge":
        a = v * (2 * y - 1)
        return a + a * a / 2 if a <= 0 else mpmath.inf
    return v * v / 2 + v * y if abs(v) <= delta else mpmath.inf


def sample(loss, n, seed=0, spread=3.0):
    """(y, z) where the kinks of a loss lie within reach."""
    rng = np.random.default_rng(seed)
    z = spread * rng.normal(size=n)
    if loss in ("logistic", "squared_hinge"):
        return rng.integers(0, 2, n).astype(np.float64), z
    if loss == "poisson":
        return rng.choice([0.0, 0.25, 1.0, 3.0, 1e3], n), z
    return 2.0 * rng.normal(size=n), z


def ends(loss):
    """(y, z) over all sizes of z that the loss can take."""
    top = 700.0
    sizes = np.concatenate([[0.0], np.geomspace(1e-300, 1.0, 40), np.geomspace(1.0, top, 300)])
    z = np.concatenate([-sizes, sizes, [1.0, -1.0, np.nextafter(1, 2), np.nextafter(1, 0), DELTA, -DELTA]])
    if loss in ("logistic", "squared_hinge"):
        return np.repeat([0.0, 1.0], len(z)), np.tile(z, 2)
    if loss == "poisson":
        counts = [0.0, 1e-3, 1.0, 17.0, 1e6]
        return np.repeat(counts, len(z)), np.tile(z, len(counts))
    return np.repeat([0.0, 1.0, -1e3], len(z)), np.tile(z, 3)


# --- value and derivatives -------------------------------------------------------------------------------------------


@every_loss
def test_value_and_derivatives_in_exact_arithmetic(loss):
    y, z = ends(loss)
    _, r, h = run(loss, y, z)
    f = values(loss, y, z)
    expected = [exact(loss, *pair) for pair in zip(y, z, strict=True)]
    F, R, H = (np.array([float(row[k]) for row in expected]) for k in range(3))
    # The size of the terms of which a value is the sum: what cancels between them is lost to any formula in doubles.
    terms = np.zeros(len(y))
    if loss == "poisson":
        terms = np.exp(z) + y * (1 + np.abs(z) + np.abs(np.log(np.maximum(y, 1e-300))))
    ulp = 2.3e-16
    many = 4 if loss == "logistic" else 3
    if loss == "logistic":
        assert_allclose(r, R, rtol=many * ulp)
        assert_allclose(h, H, rtol=2 * many * ulp)
        assert_allclose(f, F, rtol=many * ulp)
    elif loss == "poisson":
        assert_allclose(h, H, rtol=many * ulp)
        assert np.all(np.abs(r - R) <= many * ulp * (y + np.exp(z)))
        assert np.all(np.abs(f - F) <= many * ulp * terms)
    elif loss == "squared_hinge":
        size = 1 + np.abs(z)
        assert np.all(np.abs(r - R) <= ulp * size)
        assert np.all(np.abs(f - F) <= many * ulp * size**2)
        assert_array_equal(h, H)
    else:
        assert np.all(np.abs(r - R) <= ulp * (np.abs(y) + np.abs(z)))
        assert np.all(np.abs(f - F) <= many * ulp * (np.abs(y) + np.abs(z)) * (DELTA + np.abs(y - z)))
    assert np.all(f >= -many * ulp * terms)


@every_loss
def test_nothing_overflows_where_the_true_value_does_not(loss):
    y, z = ends(loss)
    total, r, h = run(loss, y, z)
    assert np.isfinite(total)
    assert np.all(np.isfinite(r))
    assert np.all(np.isfinite(h))
    assert np.all(h >= 0)
    if loss != "poisson":
        for far in (1e6, 1e100):
            total, r, h = run(loss, [0.0, 0.0, 1.0, 1.0], [-far, far, -far, far])
            assert np.isfinite(total)
            assert np.all(np.isfinite(r))
            if loss != "logistic":
                assert_array_equal(h == 0, [loss == "huber" or k in (0, 3) for k in range(4)])


@every_loss
def test_derivatives_are_limits_of_differences(loss):
    y, z = sample(loss, 200)
    if loss == "poisson":
        z /= 3
    step = 1e-5
    _, r, h = run(loss, y, z)
    size = 1 + np.abs(y) + np.exp(np.minimum(z, 30)) * (loss == "poisson")
    assert_allclose((values(loss, y, z - step) - values(loss, y, z + step)) / (2 * step), r, atol=1e-7 * size.max())
    kink = {"squared_hinge": (2 * y - 1) * z - 1, "huber": np.abs(y - z) - DELTA}.get(loss, np.ones(200))
    smooth = np.abs(kink) > 2 * step
    assert np.count_nonzero(smooth) > 150
    slope = (run(loss, y, z - step)[1] - run(loss, y, z + step)[1]) / (2 * step)
    assert_allclose(slope[smooth], h[smooth], rtol=1e-6, atol=1e-6)


@every_loss
@pytest.mark.parametrize("n", [1, 3, 127, 128, 129, 300])
def test_a_sum_is_the_sum_of_its_rows_with_weights(loss, n):
    y, z = sample(loss, n)
    s = np.random.default_rng(1).uniform(0.1, 2, n)
    s[::3] = 0.0
    total, r, h = run(loss, y, z)
    f = values(loss, y, z)
    assert_allclose(total, f.sum(), rtol=1e-13)
    weighted, sr, sh = run(loss, y, z, s)
    assert_allclose(weighted, s @ f, rtol=1e-13)
    assert_allclose(sr, s * r, rtol=1e-15)
    assert_allclose(sh, s * h, rtol=1e-15)
    y[::3] = 1.0  # what a row without weight holds is of no account
    z[::3] = 50.0
    assert_allclose(run(loss, y, z, s)[0], weighted, rtol=1e-13)
    assert not run(loss, y, z, s)[1][::3].any()


# --- the intercept ---------------------------------------------------------------------------------------------------


def level(loss, y, z, s=None, delta=DELTA):
    """(intercept, sum of s f, r, how far from zero rounding may leave the sum of r) after `level`."""
    y, start = np.asarray(y, dtype=np.float64), np.asarray(z, dtype=np.float64)
    z, r, h = start.copy(), np.empty(len(start)), np.empty(len(start))
    b, value = losses.level(losses.NUMBERS[loss], delta, y, s, z, r, h)
    assert_allclose(z, start + b, rtol=1e-14, atol=1e-14 * (np.abs(start).max() + abs(b)))
    there, r_there, h_there = run(loss, y, z, s, delta)
    assert there == value
    assert_array_equal(r_there, r)
    assert_array_equal(h_there, h)
    # The sum is rounded, and so is z, for all rows at once.
    slack = 1e-15 * np.sqrt(len(y)) * np.abs(r).sum() + 4e-16 * (1 + np.abs(z) + abs(b)) @ h
    return b, value, r, slack


@every_loss
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("n", [2, 50, 1000])
@pytest.mark.parametrize("spread", [0.0, 1.0, 20.0])
def test_the_residuals_sum_to_zero(loss, weighted, n, spread):
    y, z = sample(loss, n, spread=spread)
    y[:2] = 0.0, 1.0
    s = None
    if weighted:
        s = np.random.default_rng(1).uniform(0.1, 2, n)
        s[3::4] = 0.0
    b, value, r, slack = level(loss, y, z, s)
    assert abs(r.sum()) <= slack
    for other in (b - 1e-3, b + 1e-3):  # and so the value is the least
        assert run(loss, y, z + other, s)[0] >= value * (1 - 1e-14)


@every_loss
def test_any_start_finds_the_intercept(loss):
    y, z = sample(loss, 60, spread=1.0)
    b, value, *_ = level(loss, y, z)
    for start in (-600.0, -100.0, -5.0, 5.0, 100.0, 600.0):
        other, value_there, r, slack = level(loss, y, z + start)
        assert_allclose(other + start, b, atol=1e-11)
        assert_allclose(value_there, value, rtol=1e-11)
        assert abs(r.sum()) <= slack


@pytest.mark.parametrize("loss", ["logistic", "squared_hinge"])
@pytest.mark.parametrize("ones", [1, 2, 1998, 1999])
def test_an_imbalance_of_a_thousand_to_one(loss, ones):
    y = (np.arange(2000) < ones).astype(np.float64)
    b, _, r, slack = level(loss, y, np.zeros(2000))
    share = ones / 2000
    assert_allclose(b, np.log(share / (1 - share)) if loss == "logistic" else 2 * share - 1, rtol=1e-13)
    assert abs(r.sum()) <= slack
    s = np.where(y == 1, 1e-6, 1.0)
    b, _, r, slack = level(loss, y, np.zeros(2000), s)
    assert abs(r.sum()) <= slack
    share = 1e-6 * ones / (1e-6 * ones + 2000 - ones)
    assert_allclose(b, np.log(share / (1 - share)) if loss == "logistic" else 2 * share - 1, rtol=1e-9)


@every_loss
@pytest.mark.parametrize("size", [50.0, 300.0, 1e4])
def test_huge_offsets(loss, size):
    """A sum of steep sigmoids: its zero lies far from most of them."""
    rng = np.random.default_rng(2)
    z = size * rng.uniform(-1, 1, 40)
    y, _ = sample(loss, 40)
    y[:2] = 0.0, 1.0
    b, value, *_ = level(loss, y, z)
    assert np.isfinite(value)
    step = 1e-9 * size
    low, high = run(loss, y, z + b - step)[1].sum(), run(loss, y, z + b + step)[1].sum()
    assert low >= 0 >= high  # the sum changes its sign there


def test_huber_where_all_rows_are_outliers():
    y = np.repeat([-1e3, 1e3], [10, 10])
    b, value, r, _ = level("huber", y, np.zeros(20), delta=0.1)
    assert abs(r.sum()) <= 1e-12
    assert_allclose(value, 20 * 0.1 * (1e3 - 0.05), rtol=1e-12)
    assert -1e3 <= b <= 1e3
    y = np.repeat([-1e3, 1e3, 5e3], [10, 5, 6])  # the median is a count, and one row has to bend
    b, _, r, slack = level("huber", y, np.zeros(21), delta=0.1)
    assert_allclose(b, 1e3, atol=0.1)
    assert abs(r.sum()) <= slack
    for far in (1e8, -1e8):
        b, *_ = level("huber", np.full(5, far), np.zeros(5), delta=0.1)
        assert_allclose(b, far, rtol=1e-12)


def test_squared_hinge_where_all_margins_are_kept_stays_there():
    y, z = np.array([0.0, 0.0, 1.0, 1.0]), np.array([-3.0, -2.0, 2.0, 3.0])
    b, value, r, _ = level("squared_hinge", y, z)
    assert value == 0.0
    assert not r.any()
    assert abs(b) <= 1
    b, value, *_ = level("squared_hinge", y, z + 40.0)  # has to come back from far
    assert value <= 1e-25
    assert -41 <= b <= -39


@pytest.mark.parametrize("rate", [1e-200, 1e-6, 1.0, 1e6, 1e200])
def test_poisson_rates_of_any_size(rate):
    y = rate * np.array([0.0, 1.0, 2.0, 5.0])
    b, _, r, _ = level("poisson", y, np.zeros(4))
    assert_allclose(b, np.log(2 * rate), atol=1e-14 + 4e-16 * abs(np.log(2 * rate)))
    assert abs(r.sum()) <= 1e-13 * y.sum() * max(1, abs(b))


# --- divergences -----------------------------------------------------------------------------------------------------


def divergence(loss, y, z, off=None, kappa=1.0, s=None):
    _, r, _ = run(loss, y, z, s)
    return losses.divergence(losses.NUMBERS[loss], DELTA, y, s, z, r, off, kappa)


def exact_divergence(loss, y, z, off, kappa):
    """f*(v) - f*(u) - z (v - u) of one row, v = kappa (u + off) and u as it was rounded, as for v."""
    u = -exact(loss, y, z)[1]
    v = mpf(kappa) * (u + mpf(float(off)))
    if conjugate(loss, y, v) == mpmath.inf:
        return np.inf
    return float(conjugate(loss, y, v) - conjugate(loss, y, u) - mpf(float(z)) * (v - u))


@every_loss
@pytest.mark.parametrize("kappa", [1.0, 0.999999, 0.9, 0.5, 0.0])
@pytest.mark.parametrize("scale", [0.0, 1e-9, 1e-3, 0.3])
def test_a_divergence_is_what_the_conjugates_say(loss, kappa, scale):
    y, z = sample(loss, 80, spread=4.0)
    if loss == "poisson":
        z = np.log(np.maximum(y, 0.5)) + np.random.default_rng(3).normal(size=80)
    off = scale * np.random.default_rng(4).normal(size=80)
    _, r, h = run(loss, y, z)
    for i in range(80):
        row = slice(i, i + 1)
        found = divergence(loss, y[row], z[row], off[row], kappa)
        expected = exact_divergence(loss, y[i], z[i], off[i], kappa)
        assert found >= 0.0
        if np.isinf(expected):
            # by less than rounding outside of the domain is on its edge
            assert np.isinf(found) or min(abs(abs(kappa * (-r[i] + off[i])) - edge) for edge in (0, 1, DELTA)) < 1e-9
            continue
        change = abs(kappa * (off[i] - r[i]) + r[i])
        # u and v are known to an ulp of the slope, and the divergence has the slope |f*'(v) - z| by v
        slack = 1e-15 * (abs(r[i]) + abs(off[i]) + y[i] * (loss == "poisson")) * (1 + change / max(h[i], 1e-12))
        assert abs(found - expected) <= 1e-9 * expected + 10 * slack, (i, found, expected)


def test_a_divergence_where_a_probability_has_vanished():
    """kappa = 1/2 at y = 1 and z = -1000: u = -1, v = -1/2, and f* of these is 0 and -log 2."""
    z, y = np.array([-1000.0, 1000.0]), np.array([1.0, 0.0])
    for k, r in enumerate((1.0, -1.0)):
        found = losses.divergence(0, 0.0, y[[k]], None, z[[k]], np.array([r]), None, 0.5)
        assert_allclose(found, 500.0 - np.log(2.0), rtol=1e-15)
        assert losses.divergence(0, 0.0, 1.0 - y[[k]], None, z[[k]], np.zeros(1), None, 0.5) == 0.0


@every_loss
def test_a_divergence_adds_up_with_weights(loss):
    y, z = sample(loss, 300, spread=0.5)
    s = np.random.default_rng(5).uniform(0.1, 2, 300)
    s[::5] = 0.0
    kappa, off = 0.7, np.zeros(300)
    alone = np.array([divergence(loss, y[i : i + 1], z[i : i + 1], off[:1], kappa) for i in range(300)])
    assert np.all(alone >= 0)
    assert np.all(np.isfinite(alone))
    assert_allclose(divergence(loss, y, z, None, kappa), alone.sum(), rtol=1e-12)
    assert_allclose(divergence(loss, y, z, off, kappa), alone.sum(), rtol=1e-12)
    assert_allclose(divergence(loss, y, z, None, kappa, s), s @ alone, rtol=1e-12)
    off[::5] = 1e9  # of rows without weight
    assert_allclose(divergence(loss, y, z, off, kappa, s), s @ alone, rtol=1e-12)


@every_loss
def test_a_divergence_from_itself_is_zero(loss):
    y, z = ends(loss)
    assert divergence(loss, y, z) == 0.0
    assert divergence(loss, y, z, np.zeros(len(y))) == 0.0


@every_loss
def test_a_divergence_is_never_negative(loss):
    """Rounding included: it is part of a gap."""
    y, z = ends(loss)
    for kappa in (1 - 1e-16, 1 - 1e-12, 1 - 1e-6, 0.5, 0.0):
        for i in range(len(y)):
            found = divergence(loss, y[i : i + 1], z[i : i + 1], None, kappa)
            assert found >= 0.0, (y[i], z[i], kappa, found)


@pytest.mark.parametrize(
    ("loss", "y", "z", "off"),
    [
        ("logistic", 0.0, 0.0, 0.6), ("logistic", 0.0, 0.0, -0.6), ("logistic", 1.0, 0.0, 0.6),
        ("logistic", 1.0, 0.0, -0.6), ("poisson", 3.0, 1.0, -3.0), ("poisson", 0.0, -5.0, -0.1),
        ("squared_hinge", 1.0, 0.5, 0.6), ("squared_hinge", 0.0, -0.5, -0.6), ("squared_hinge", 1.0, 5.0, 1e-6),
        ("huber", 0.0, 1.0, 0.4), ("huber", 0.0, -1.0, -0.4), ("huber", 0.0, 50.0, 1e-6),
    ],
)  # fmt: skip
def test_slopes_that_a_loss_cannot_have_are_infinitely_far(loss, y, z, off):
    y, z, off = np.array([y]), np.array([z]), np.array([off])
    assert divergence(loss, y, z, off) == np.inf
    assert divergence(loss, np.repeat(y, 200), np.repeat(z, 200), np.append(np.zeros(199), off)) == np.inf
    assert np.isfinite(divergence(loss, y, z, -0.1 * off))


# --- instruction sets ------------------------------------------------------------------------------------------------

SCRIPT = """
import sys
import numpy as np
from fastreg.kernels import losses

found = {}
rng = np.random.default_rng(0)
for loss, number in losses.NUMBERS.items():
    for n in (1, 5, 131, 400):
        z = np.concatenate([rng.uniform(-700, 700, n // 2), rng.normal(size=n - n // 2)])
        y = np.floor(rng.uniform(0, 2, n)) if loss != "huber" else rng.normal(size=n)
        s, r, h = rng.uniform(0, 2, n), np.empty(n), np.empty(n)
        if loss == "poisson":
            z = np.clip(z, -700, 20)
        value = losses.evaluate(number, 1.35, y, s, z, r, h)
        distance = losses.divergence(number, 1.35, y, s, z, r, None, 0.75)
        found[f"{loss} {n}"] = np.concatenate([r, h, [value, distance]])
np.savez(sys.argv[1], **found)
"""


def test_every_instruction_set_of_the_machine_gives_the_same(tmp_path):
    results = []
    for name in LEVELS:
        if machine_has(name) is False:
            continue
        file = tmp_path / f"{name}.npz"
        done = run_with(name, SCRIPT, file)
        if done.returncode and machine_has(name) is None:
            continue
        assert done.returncode == 0, done.stderr
        with np.load(file) as data:
            results.append(dict(data))
    for found in results[1:]:
        for name, expected in results[0].items():
            assert_allclose(found[name], expected, rtol=2e-14, err_msg=name)
