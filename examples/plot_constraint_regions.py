"""
L1 against L2: constraint regions
=================================

Why does L1 set coefficients to zero, and L2 not? With two features the answer is a picture. A penalised fit is the
point where a contour of the loss touches a region of allowed coefficients: a diamond for L1, a disc for L2, something
in between for the elastic net.
"""

# %%
# Two features of 442 diabetes patients
# -------------------------------------
# The body-mass index and the average blood pressure predict how the disease progresses over a year. All three variables
# are centred and have unit variance, so that there is no intercept to think of.

import matplotlib.pyplot as plt
import numpy as np
from scipy.optimize import brentq
from sklearn.datasets import load_diabetes

from fastreg import fit_path

measured = load_diabetes(as_frame=True)
X = measured.data[["bmi", "bp"]].to_numpy()
X = (X - X.mean(axis=0)) / X.std(axis=0)
y = measured.target.to_numpy()
y = (y - y.mean()) / y.std()

PENALTIES = {"L1": 1.0, "elastic net, l1_ratio=0.1": 0.1, "L2": 0.0}


def fit(alpha, l1_ratio):
    """Coefficients of both features."""
    return fit_path(X, y, l1_ratio=l1_ratio, alphas=[alpha], fit_intercept=False).coefs.toarray()[:, 0]


def loss(w):
    """Half the mean squared error, on a grid of coefficients too."""
    return 0.5 * np.mean((y - np.tensordot(w, X.T, axes=(0, 0))) ** 2, axis=-1)


def penalty(w, l1_ratio):
    w = np.asarray(w)
    return l1_ratio * np.abs(w).sum(axis=0) + (1 - l1_ratio) / 2 * (w**2).sum(axis=0)


best = fit(0.0, 1.0)
print(f"least squares: bmi {best[0]:.3f}, bp {best[1]:.3f}, loss {loss(best):.4f}")

# %%
# The same loss, three penalties
# ------------------------------
# Each penalty gets the alpha at which its fit has given up the same amount of loss. Then all three solutions lie on the
# same contour, and differ only in where on it.

GIVEN_UP = 0.09
solutions = {}
for name, l1_ratio in PENALTIES.items():
    alpha = brentq(lambda a, r=l1_ratio: loss(fit(a, r)) - loss(best) - GIVEN_UP, 1e-3, 10.0)
    solutions[name] = fit(alpha, l1_ratio)
    print(f"{name:25s} alpha {alpha:.3f}: bmi {solutions[name][0]:.3f}, bp {solutions[name][1]:.3f}")

# %%
# The shaded region holds all coefficients with a penalty no larger than that of the solution. Ellipses are contours of
# the loss, with least squares at the centre. No point of the region lies inside the bold ellipse: the solution is where
# both meet.

grid = np.stack(np.meshgrid(np.linspace(-0.55, 0.8, 271), np.linspace(-0.55, 0.8, 271)))
surface = loss(grid.reshape(2, -1, 1)[..., 0]).reshape(grid.shape[1:])

figure, axes = plt.subplots(1, 3, figsize=(12, 4.4), sharey=True, layout="constrained")
for ax, (name, l1_ratio) in zip(axes, PENALTIES.items(), strict=True):
    w = solutions[name]
    ax.contourf(*grid, penalty(grid, l1_ratio), levels=[-1, penalty(w, l1_ratio)], colors=["C0"], alpha=0.25)
    ax.contour(*grid, penalty(grid, l1_ratio), levels=[penalty(w, l1_ratio)], colors="C0")
    steps = loss(best) + GIVEN_UP * np.array([0.1, 0.4, 1.0, 1.8, 3.0])
    ax.contour(*grid, surface, levels=steps, colors="0.45", linewidths=[0.8, 0.8, 2.0, 0.8, 0.8])
    ax.plot(*best, "k+", markersize=9)
    ax.annotate("least squares", best, xytext=(0, 6), textcoords="offset points", ha="center", fontsize=9)
    ax.plot(*w, "o", color="C3", markersize=7)
    ax.axhline(0, color="0.2", linewidth=0.7)
    ax.axvline(0, color="0.2", linewidth=0.7)
    ax.set(xlabel="coefficient of bmi", title=f"{name}: {w[0]:.2f} and {w[1]:.2f}", aspect="equal")
axes[0].set_ylabel("coefficient of bp")
plt.show()

# %%
# The diamond has corners, and corners lie on the axes. For a whole range of directions an ellipse that comes in meets
# the corner first: that is why the coefficient of ``bp`` is exactly zero, and not just small. The disc looks the same
# in all directions, and an ellipse touches it on an axis only by accident. The region of the elastic net has corners
# too, with round sides between them; here its solution is not in a corner yet.
#
# From least squares to zero
# --------------------------
# As alpha grows the region shrinks. All solutions start at least squares and end at zero. L1 goes straight, meets an
# axis, and goes on along it. L2 comes in on a curve, and reaches zero only in the limit.

figure, ax = plt.subplots(figsize=(5.6, 5), layout="constrained")
steps = loss(best) + GIVEN_UP * np.array([0.03, 0.15, 0.4, 0.8, 1.3, 1.9])
ax.contour(*grid, surface, levels=steps, colors="0.8", linewidths=0.8)
for k, (name, l1_ratio) in enumerate(PENALTIES.items()):
    alphas = np.r_[np.geomspace(1e3, 1e-3, 800), 0.0]
    trail = fit_path(X, y, l1_ratio=l1_ratio, alphas=alphas, fit_intercept=False).coefs.toarray()
    ax.plot(*trail, color=f"C{k}", linewidth=2, label=name)
    ax.plot(*solutions[name], "o", color=f"C{k}")
ax.plot(*best, "k+", markersize=9)
ax.axhline(0, color="0.2", linewidth=0.7)
ax.axvline(0, color="0.2", linewidth=0.7)
ax.set(xlabel="coefficient of bmi", ylabel="coefficient of bp", xlim=(-0.05, 0.6), ylim=(-0.05, 0.4))
ax.legend(loc="upper left")
plt.show()
