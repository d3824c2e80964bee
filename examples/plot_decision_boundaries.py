"""
L1 against L2: decision boundaries
==================================

Logistic regression separates 212 malignant from 357 benign tumours. What do L1 and L2 make of the line between them,
and of a curve?
"""

# %%
# Two measurements that say nearly the same
# -----------------------------------------
# The largest perimeter and the largest radius of a tumour's cells have a correlation of 0.99. ``C`` is the weight of
# the loss: a small one penalises strongly.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_breast_cancer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler

from fastreg import LogisticRegression, plot_decision_boundary

tumours = load_breast_cancer(as_frame=True)
X = StandardScaler().set_output(transform="pandas").fit_transform(tumours.data)
y = np.where(tumours.target == 0, "malignant", "benign")
PENALTIES = {"L1": 1.0, "L2": 0.0}

alike = X[["worst perimeter", "worst radius"]]
figure, axes = plt.subplots(2, 3, figsize=(13, 8), sharex=True, sharey=True, layout="constrained")
for row, (name, l1_ratio) in zip(axes, PENALTIES.items(), strict=True):
    for ax, C in zip(row, (0.01, 0.05, 5.0), strict=True):
        model = LogisticRegression(C=C, l1_ratio=l1_ratio).fit(alike, y)
        plot_decision_boundary(model, alike, y, ax=ax)
        ax.set_title(f"{name}, C={C}: {model.coef_[0, 0]:.2f} and {model.coef_[0, 1]:.2f}")
        ax.label_outer()
plt.show()

# %%
# The boundary is perpendicular to the vector of coefficients. Under a strong L1 penalty one of them is zero, and the
# boundary is parallel to an axis: one measurement is enough. L2 gives both about the same coefficient, and its boundary
# runs across. On the right, with hardly any penalty left, both come to the same line.
#
# A curve from many features
# --------------------------
# All products of two other measurements up to degree six are 27 features, standardized again. The boundary is where
# a polynomial of degree six is zero.

pair = X[["worst texture", "worst concave points"]]
figure, axes = plt.subplots(2, 3, figsize=(13, 8), sharex=True, sharey=True, layout="constrained")
for row, (name, l1_ratio) in zip(axes, PENALTIES.items(), strict=True):
    for ax, C in zip(row, (0.02, 0.5, 1000.0), strict=True):
        logistic = LogisticRegression(C=C, l1_ratio=l1_ratio)
        model = make_pipeline(PolynomialFeatures(6, include_bias=False), StandardScaler(), logistic).fit(pair, y)
        plot_decision_boundary(model, pair, y, ax=ax)
        ax.set_title(f"{name}, C={C}: {np.count_nonzero(logistic.coef_)} of {logistic.coef_.size} features")
        ax.label_outer()
plt.show()

# %%
# From left to right the boundary bends more and more, until it goes around single tumours. Under a strong L1 penalty
# few products remain, and the curve is that of a short formula. Under L2 all of them remain, each with a small share.
# Which C generalises is a question for held-out rows: see :class:`fastreg.LogisticRegressionCV`.
