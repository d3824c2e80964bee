"""
Choosing alpha by cross-validation
==================================

The alpha of the least error, or the simplest model that is about as good? 442 diabetes patients, nine measurements with
their squares and products, and the sex: 55 columns.
"""

# %%
# Ten folds, one batch
# --------------------
# A quarter of the patients is kept apart. Of the others :class:`fastreg.LassoCV` leaves out a tenth in turn and fits
# the whole path to the rest. All folds are solved together over one X.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_diabetes
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import PolynomialFeatures

from fastreg import Lasso, LassoCV

measured = load_diabetes(as_frame=True)
products = PolynomialFeatures(2, include_bias=False).set_output(transform="pandas")
X = products.fit_transform(measured.data.drop(columns="sex")).assign(sex=measured.data["sex"])
X_train, X_test, y_train, y_test = train_test_split(X, measured.target.to_numpy(), random_state=0)

search = LassoCV(cv=10, standardize=True).fit(X_train, y_train)
simple = LassoCV(cv=10, standardize=True, selection_rule="1se").fit(X_train, y_train)
search.plot()
plt.show()

# %%
# The line is the mean over the folds, the bars are one standard error to both sides. The curve is flat around its
# minimum. The rule of one standard error goes to the left, towards stronger penalties, as long as the mean stays below
# the upper end of the bar at the minimum.
#
# What the two rules select
# -------------------------

chosen = {"least error": search, "one standard error": simple}
for name, model in chosen.items():
    error = np.mean((model.predict(X_test) - y_test) ** 2)
    print(f"{name}: alpha {model.alpha_:.3f}, {np.count_nonzero(model.coef_)} features, held-out error {error:.0f}")
nothing = np.mean((y_train.mean() - y_test) ** 2)
print(f"the mean alone: held-out error {nothing:.0f}")

used = np.flatnonzero(search.coef_)
used = used[np.argsort(np.abs(search.coef_[used] * X_train.std().to_numpy()[used]))]
figure, ax = plt.subplots(figsize=(7, 6), layout="constrained")
for shift, (name, model) in zip((0.2, -0.2), chosen.items(), strict=True):
    size = (model.coef_ * X_train.std().to_numpy())[used]
    ax.barh(np.arange(len(used)) + shift, size, height=0.4, label=f"{name}, alpha {model.alpha_:.2g}")
ax.set_yticks(np.arange(len(used)), X.columns[used])
ax.axvline(0, color="0.2", linewidth=0.8)
ax.set(xlabel="coefficient x standard deviation of the column")
ax.legend(loc="lower right")
plt.show()

# %%
# Without and with the certificate
# --------------------------------
# Two curves of errors can only be compared if the fits behind them are right. Each of the fits in the search has a
# duality gap over all features:

gaps = search.cv_results_["relative_gaps"]
print(f"{gaps.size} fits, largest relative gap {gaps.max():.0e}")

# %%
# The test error along the path, for once, shows how much the choice matters. It may be looked at only because nothing
# is chosen by it.

alphas = search.alphas_
errors = [
    np.mean((Lasso(alpha=alpha, standardize=True).fit(X_train, y_train).predict(X_test) - y_test) ** 2)
    for alpha in alphas
]
figure, ax = plt.subplots(figsize=(7, 4), layout="constrained")
ax.semilogx(alphas, errors, label="held-out patients")
ax.semilogx(alphas, search.mse_path_.mean(axis=1), label="cross-validation")
for rule, alpha in {"least error": search.alpha_min_, "one standard error": search.alpha_1se_}.items():
    ax.axvline(alpha, color="0.5", linestyle="--" if rule == "least error" else ":", label=rule)
ax.invert_xaxis()
ax.set(xlabel="alpha", ylabel="mean squared error")
ax.legend()
plt.show()
