"""
L1 against L2: coefficient paths
================================

What does each penalty do to the coefficients as alpha goes from strong to weak? The same ten measurements of 442
diabetes patients, with L1, with the elastic net and with L2.
"""

# %%
# Three paths
# -----------
# Columns are standardized, so that a penalty treats all of them alike. :func:`fastreg.fit_path` computes the first two
# paths, :func:`fastreg.ridge_path` the third, whose alpha multiplies the sum of squares and not their mean: it is ``n``
# times as large.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_diabetes
from sklearn.preprocessing import StandardScaler

from fastreg import fit_path, ridge_path

measured = load_diabetes(as_frame=True)
X = StandardScaler().set_output(transform="pandas").fit_transform(measured.data)
y = measured.target.to_numpy()
n = len(y)

lasso = fit_path(X, y)
enet = fit_path(X, y, l1_ratio=0.5, eps=1e-5)
ridge = ridge_path(X, y, alphas=n * np.geomspace(1e3, 1e-3, 100))

figure, axes = plt.subplots(1, 3, figsize=(15, 5), layout="constrained")
for ax, (name, path) in zip(axes, {"L1": lasso, "elastic net": enet, "L2": ridge}.items(), strict=True):
    path.plot(ax=ax, n_labels=6)
    ax.set_title(name)
plt.show()

# %%
# Every panel runs from the strongest penalty on the left to nearly least squares on the right; the numbers on top count
# the features in use.
#
# - **L1** lets features in one by one, each with a kink in all the others. Between two kinks a path is straight in
#   alpha, and hence curved on this logarithmic axis. A feature may leave again.
# - **L2** has all ten features at every alpha. None is ever exactly zero.
# - **The elastic net** lets features in one by one too, but correlated ones come in closer together and stay close.
#
# ``s1`` and ``s2`` are two cholesterol values with a correlation of 0.9. On the far right, where hardly any penalty is
# left, they take large coefficients of opposite sign that nearly cancel. Every penalty prevents that, in its own way.
#
# The ends of a path
# ------------------
# On logarithmic axes the two ends are plain. To the left, L1 takes a coefficient to exactly zero at a finite alpha,
# while L2 lets it fall as 1/alpha and never makes it zero. To the right, all of them come to the same least squares.

feature = X.columns.get_loc("bp")
alphas = np.geomspace(1e4, 1e-4, 400)
ratios = {"L1": 1.0, "elastic net, l1_ratio=0.5": 0.5, "elastic net, l1_ratio=0.05": 0.05, "L2": 0.0}

figure, ax = plt.subplots(figsize=(8, 5), layout="constrained")
for name, l1_ratio in ratios.items():
    path = fit_path(X, y, l1_ratio=l1_ratio, alphas=alphas)
    size = np.abs(path.coefs.toarray()[feature])
    ax.loglog(path.alphas, np.maximum(size, 1e-9), label=name)
    if (size == 0).any():
        print(f"{name}: bp is exactly zero from alpha = {path.alphas[size == 0].min():.3g} on")
least_squares = fit_path(X, y, alphas=[0.0]).coefs.toarray()[feature, 0]
ax.axhline(least_squares, color="0.5", linestyle=":", label="least squares")
ax.invert_xaxis()
ax.set(xlabel="alpha", ylabel="coefficient of bp", ylim=(1e-3, 40))
ax.legend()
plt.show()

# %%
# How much each penalty explains
# ------------------------------
# On the rows of the fit, a weaker penalty always explains more. Four features of L1 come close to what all ten explain.
# For L2 the trace of the matrix that maps y to its fit counts the degrees of freedom that are in use, less one for the
# intercept.

for count in (2, 4, 6, 10):
    i = np.flatnonzero(lasso.n_nonzero <= count)[-1]
    print(f"L1, {lasso.n_nonzero[i]:2d} features: alpha {lasso.alphas[i]:6.3f}, R^2 {lasso.deviance_ratio[i]:.3f}")
for df in (2, 4, 6, 10):
    i = np.argmin(np.abs(ridge.df - 1 - df))
    print(f"L2, {df:2d} degrees of freedom: alpha {ridge.alphas[i] / n:6.3f} n, R^2 {ridge.deviance_ratio[i]:.3f}")
