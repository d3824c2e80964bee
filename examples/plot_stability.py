"""
Which features come back
========================

A lasso selects features, but would it select the same ones from other patients? Stability selection fits the path to
many halves of the rows and counts how often each feature comes back.
"""

# %%
# Real features among shuffled ones
# ---------------------------------
# Ten measurements of 442 diabetes patients, and 90 columns that are shuffled copies of them: these have the same
# values, but nothing to do with the response.

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.datasets import load_diabetes

from fastreg import LassoCV, StabilitySelection

measured = load_diabetes(as_frame=True)
rng = np.random.default_rng(0)
copies = {
    f"{name} shuffled {k}": rng.permutation(measured.data[name]) for k in range(1, 10) for name in measured.data.columns
}
X = pd.concat([measured.data, pd.DataFrame(copies)], axis=1)
y = measured.target.to_numpy()

# %%
# Cross-validation looks for the best prediction. It lets shuffled features in, since a few of them cost little:

search = LassoCV(cv=10, standardize=True).fit(X, y)
selected = X.columns[search.coef_ != 0]
print(f"LassoCV: {len(selected)} features, {sum('shuffled' in name for name in selected)} of them shuffled")

# %%
# A hundred halves, in pairs that complement each other, are one batch of problems over one X. ``max_features`` ends the
# path of each half after so many features; the fewer, the lower the bound on wrong ones.

stable = StabilitySelection(n_pairs=50, threshold=0.75, max_features=8, random_state=0).fit(X, y)
print(f"StabilitySelection: {', '.join(X.columns[stable.get_support()])}")
print(f"at most {stable.error_bound_:.2f} wrong ones expected")

stable.plot()
plt.show()

# %%
# Features above the threshold come back in at least three of four halves. The shuffled ones stay far below.

real = np.arange(X.shape[1]) < measured.data.shape[1]
figure, ax = plt.subplots(figsize=(8, 4), layout="constrained")
bins = np.linspace(0, 1, 26)
ax.hist([stable.max_probabilities_[real], stable.max_probabilities_[~real]], bins, label=["measured", "shuffled"])
ax.axvline(stable.threshold, color="0.3", linestyle="--", label="threshold")
ax.set(xlabel="largest share of the halves that select a feature", ylabel="features", yscale="symlog")
ax.legend()
plt.show()
