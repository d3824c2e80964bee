"""
Certificates along a path
=========================

Every solution comes with a duality gap: how far its objective can lie above the minimum. How large are the gaps, and
what do they prove about single features? 442 diabetes patients, nine measurements with their products up to degree
three, and the sex: 220 features.
"""

# %%
# The gap at every alpha
# ----------------------
# scikit-learn's :func:`sklearn.linear_model.enet_path` reports gaps too, those at its default tolerance.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_diabetes
from sklearn.linear_model import enet_path
from sklearn.preprocessing import PolynomialFeatures, StandardScaler

from fastreg import fit_path

X, y = load_diabetes(return_X_y=True)
sex = X[:, 1]
X = PolynomialFeatures(3, include_bias=False).fit_transform(np.delete(X, 1, axis=1))
X = StandardScaler().fit_transform(np.column_stack([X, sex]))
y = (y - y.mean()) / y.std()

path = fit_path(X, y, alphas=60, eps=0.02)
_, _, theirs = enet_path(X, y, l1_ratio=1.0, alphas=path.alphas, max_iter=100_000)

figure, ax = plt.subplots(figsize=(8, 4.5), layout="constrained")
ax.loglog(path.alphas, np.maximum(theirs / path.null_objective, 1e-17), "s-", markersize=3, label="enet_path, tol=1e-4")
ax.loglog(path.alphas, np.maximum(path.relative_gaps, 1e-17), "o-", markersize=3, label="fit_path")
ax.axhline(1e-10, color="0.5", linestyle=":", label="fit_path, what is guaranteed")
ax.invert_xaxis()
ax.set(xlabel="alpha", ylabel="gap / objective of the null model")
ax.legend()
plt.show()

# %%
# A gap of 1e-15 is rounding. Nothing better can be said in double precision.
#
# What a gap proves about features
# --------------------------------
# :meth:`fastreg.RegularizationPath.certificate` turns a gap into statements about features, for every optimal solution:
# *proved zero*, *proved nonzero*, or *undecided*. A coarse path shows how much depends on the gap. It has every
# fourth alpha only, and is linear in between: exact on its grid, close elsewhere.

coarse = fit_path(X, y, alphas=path.alphas[::4])
alphas = path.alphas[(path.alphas <= coarse.alphas[0]) & (path.alphas >= coarse.alphas[-1])]
found = {name: [p.certificate(alpha) for alpha in alphas] for name, p in {"exact": path, "coarse": coarse}.items()}

figure, axes = plt.subplots(2, 2, figsize=(11, 7), sharex=True, layout="constrained", height_ratios=(2, 1))
for (top, bottom), (name, certificates) in zip(axes.T, found.items(), strict=True):
    counts = [[len(getattr(c, kind)) for c in certificates] for kind in ("nonzero", "undecided", "zero")]
    top.stackplot(alphas, counts, labels=["proved nonzero", "undecided", "proved zero"], colors=["C0", "C3", "0.85"])
    bottom.loglog(alphas, np.maximum([c.gap for c in certificates], 1e-17), color="0.3")
    bottom.set(xlabel="alpha", ylim=(1e-17, 1e-1), xticks=[0.5, 0.2, 0.1, 0.05, 0.02])
    bottom.minorticks_off()
    bottom.xaxis.set_major_formatter("{x:g}")
    top.set(title={"exact": "solutions of the path", "coarse": "between the alphas of a coarse path"}[name])
axes[0, 0].set(ylabel="features")
axes[1, 0].set(ylabel="duality gap")
axes[0, 0].legend(loc="upper left")
axes[0, 0].invert_xaxis()
plt.show()

# %%
# On the left, every feature is decided at nearly every alpha: whoever solves this problem will find the same support.
# On the right the gap goes up between the alphas of the grid, and with it the number of features that the solution
# cannot speak for. That is what "the solver has converged" is worth at a gap of that size.

for name, certificates in found.items():
    undecided = [len(c.undecided) for c in certificates]
    print(f"{name}: {np.mean(undecided):.1f} of {X.shape[1]} features undecided on average, {max(undecided)} at most")
