"""
Penalised weights of a small neural network
===========================================

A network with one hidden layer learns a sine from 80 noisy points. Many textbooks show what penalties on its weights do
by a fixed number of gradient steps. This example repeats that experiment to the last digit, minimises the same three
objectives with :func:`fastreg.minimize`, and asks what of the first picture is left.
"""

# %%
# The data and the network
# ------------------------
# Ten tanh units between one input and one linear output. All 31 variables are one vector: the weights and biases of the
# hidden units, then those of the output. Weights are penalised, biases are not.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.model_selection import train_test_split

from fastreg import minimize, minimize_path

np.random.seed(0)
X = np.random.uniform(-1, 1, (100, 1))
y = np.sin(np.pi * X) + 0.1 * np.random.randn(100, 1)
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.2, random_state=0)

HIDDEN = 10
PARTS = [HIDDEN, 2 * HIDDEN, 3 * HIDDEN]
is_weight = np.repeat([1.0, 0.0, 1.0, 0.0], [HIDDEN, HIDDEN, HIDDEN, 1])


def predict(v, X):
    W1, b1, W2, b2 = np.split(v, PARTS)
    return np.tanh(X * W1 + b1) @ W2 + b2


def mean_squared_error(v):
    """On the training data, with its gradient by backpropagation."""
    W1, b1, W2, b2 = np.split(v, PARTS)
    units = np.tanh(X_train * W1 + b1)
    residual = units @ W2 + b2 - y_train[:, 0]
    slope = 2 * residual / len(residual)
    back = np.outer(slope, W2) * (1 - units**2)
    return np.mean(residual**2), np.concatenate([X_train[:, 0] @ back, back.sum(0), units.T @ slope, [slope.sum()]])


def objective(v, l1, l2):
    return mean_squared_error(v)[0] + l1 * is_weight @ np.abs(v) + l2 * is_weight @ v**2


def report(v, l1, l2):
    W1, _, W2, _ = np.split(v, PARTS)
    return {
        "v": v,
        "objective": objective(v, l1, l2),
        "test error": np.mean((predict(v, X_test) - y_test[:, 0]) ** 2),
        "zeros": int(np.sum(v[is_weight > 0] == 0)),
        "units": int(np.sum((W1 != 0) & (W2 != 0))),
    }


def show(fits):
    print(f"{'':12s} objective  test error  zero weights  hidden units")
    for name, fit in fits.items():
        print(f"{name:12s} {fit['objective']:9.6f}  {fit['test error']:10.6f}  {fit['zeros']:12d}  {fit['units']:12d}")


# %%
# The textbook: 500 gradient steps
# --------------------------------
# Steps of length 0.01 along the gradient of the mean squared error on all 80 points, each fit from new standard normal
# weights. Where a weight is zero, sign(w) = 0 serves as the subgradient of \|w\|.

penalties = {"no penalty": (0.0, 0.0), "L1, 0.01": (0.01, 0.0), "L2, 0.01": (0.0, 0.01)}
starts, textbook = {}, {}
for name, (l1, l2) in penalties.items():
    W1, W2 = np.random.randn(HIDDEN), np.random.randn(HIDDEN)
    v = starts[name] = np.concatenate([W1, np.zeros(HIDDEN), W2, [0.0]])
    for _ in range(500):
        v = v - 0.01 * (mean_squared_error(v)[1] + is_weight * (l1 * np.sign(v) + 2 * l2 * v))
    textbook[name] = report(v, l1, l2)
show(textbook)

# %%
# Read as a comparison of penalties this says that both make the network worse, L1 most. It does not show that. The
# three runs start from three different points, and none is near a minimum after 500 steps: the table tells how far each
# has come, as much as what its penalty does. Nor has L1 set a single weight to zero: steps of fixed length along a
# subgradient jump to and fro across zero and never rest on it.
#
# The same objectives, minimised
# ------------------------------
# From the same starts. :func:`fastreg.minimize` ends where no direction leads down: the largest entry of the
# minimum-norm subgradient is below 1e-8. Without a penalty there is no such point within reach, since some weights grow
# ever larger to follow the noise; 2,000 iterations are shown.

minimised, results = {}, {}
for name, (l1, l2) in penalties.items():
    result = minimize(
        mean_squared_error,
        starts[name],
        l1=l1 * is_weight,
        l2=l2 * is_weight,
        max_iter=2000,
    )
    results[name], minimised[name] = result, report(result.x, l1, l2)
    print(f"{name}: stationarity {result.stationarity:.0e} after {result.nfev} evaluations")
show(minimised)
for name in penalties:
    print(f"{name}: objective lower by {1 - minimised[name]['objective'] / textbook[name]['objective']:.0%}")

# %%
# Without a penalty the fit follows single points, with a spike to show for it in the picture below.
# With L1 most weights are exactly zero, and with them most hidden units. All three networks predict better than in the
# textbook's run: a good part of what looked like harm by the penalties was the harm of stopping.
#
# Every strength
# --------------
# What is left is that 0.01 is too strong. A path over strengths, in ascending order, each from the solution before (a
# network whose weights are all zero is a stationary point for every strength: in descending order the path would start
# there and never leave), shows where each penalty generalises best. Where hidden units are about to merge the curvature
# vanishes and the last digits come slowly; 1e-6 is enough for a picture.

grid = np.geomspace(1e-4, 1e-1, 16)
paths = {
    "L1": minimize_path(mean_squared_error, starts["L1, 0.01"], grid, l1=is_weight, tol=1e-6),
    "L2": minimize_path(mean_squared_error, starts["L2, 0.01"], grid, l1=0.0, l2=is_weight, tol=1e-6),
}
chosen = {}
for name, path in paths.items():
    fits = [report(v, *(alpha * np.array([name == "L1", name == "L2"]))) for alpha, v in zip(grid, path.x, strict=True)]
    errors = [fit["test error"] for fit in fits]
    best = int(np.argmin(errors))
    chosen[name] = {"alpha": grid[best], "errors": errors, **fits[best]}
    print(f"{name} is best at {grid[best]:.1e}: test error {errors[best]:.4f}, {fits[best]['units']} hidden units")
noise = np.mean((y_test - np.sin(np.pi * X_test)) ** 2)
print(f"error of the true curve on the test points: {noise:.4f}")

# %%
# At its best strength each penalty comes close to the error of the true curve, which no fit can be expected to beat; L1
# does so with a few hidden units. The strengths are compared on the test data themselves, 20 points: that is enough to
# see the shape of the curves, not to tell L1 from L2. For a choice of the strength keep validation data apart.

figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.2), constrained_layout=True)
line = np.linspace(-1, 1, 200)[:, None]
left.plot(X_train, y_train, ".", color="0.6", label="training data")
left.plot(X_test, y_test, "x", color="0.3", markersize=5, label="test data")
for (name, fit), color in zip(textbook.items(), ("C0", "C1", "C2"), strict=True):
    left.plot(line, predict(fit["v"], line), "--", color=color, linewidth=1, label=f"{name}: 500 steps")
    end = "minimised" if results[name].success else "2,000 iterations"
    left.plot(line, predict(minimised[name]["v"], line), color=color, label=f"{name}: {end}")
best = chosen["L1"]
left.plot(line, predict(best["v"], line), color="k", label=f"L1, {best['alpha']:.1g}: minimised")
left.set(xlabel="x", ylabel="y", title="Fits of a noisy sine")
left.legend(fontsize=8)
for (name, fit), color in zip(chosen.items(), ("C1", "C2"), strict=True):
    right.loglog(grid, fit["errors"], "o-", color=color, markersize=4, label=f"{name}: minimised")
for name, color in (("L1, 0.01", "C1"), ("L2, 0.01", "C2")):
    right.plot(0.01, textbook[name]["test error"], "*", color=color, markersize=11, label=f"{name}: 500 steps")
right.axhline(noise, color="0.5", linestyle=":", label="the true curve")
right.set(xlabel="strength", ylabel="mean squared error on the test data", title="Strength of the penalty")
right.set_ylim(bottom=0.8 * noise)
right.legend(fontsize=8)
plt.show()
