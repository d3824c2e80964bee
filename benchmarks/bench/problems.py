"""Named problems with fixed seeds.  `SIZES` has one for each regime; `make` gives its X, C-ordered or CSC, and y."""

import functools

import numpy as np
from scipy import signal, sparse

# Rows, features, and how many features matter.
SIZES = {
    "wide": (200, 5_000, 20),
    "wide correlated": (300, 2_000, 30),
    "square": (800, 800, 80),
    "tall": (20_000, 200, 50),
    "curves": (120, 400, 5),
    "text": (5_000, 20_000, 200),
    "few texts": (1_500, 6_000, 60),
}


def gaussian(n, p, support, correlation=0.0, seed=0):
    """Normal features, neighbours correlated (AR(1)); signal to noise 4."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p))
    if correlation:
        X[:, 1:] *= np.sqrt(1 - correlation**2)
        X = signal.lfilter([1.0], [1.0, -correlation], X, axis=1)
    return _respond(X, support, rng)


def curves(n, p, support, seed=0):
    """Smooth spectra, sums of a few broad peaks with a little noise: neighbouring features are nearly the same."""
    rng = np.random.default_rng(seed)
    place, peaks = np.linspace(0, 1, p), rng.random((12, 1))
    shapes = np.exp(-(((place - peaks) / rng.uniform(0.05, 0.2, (12, 1))) ** 2))
    return _respond(rng.gamma(2.0, size=(n, 12)) @ shapes + 2e-3 * rng.standard_normal((n, p)), support, rng)


def words(n, p, support, seed=0, length=60):
    """Texts of `length` words as rows of unit length; as in a language few words are common, and these weigh less."""
    rng = np.random.default_rng(seed)
    share = np.cumsum(1.0 / np.arange(1, p + 1) ** 0.9)
    found = rng.permutation(p)[np.searchsorted(share, rng.random(n * length) * share[-1])]
    X = sparse.csc_matrix((np.ones(n * length), (np.repeat(np.arange(n), length), found)), shape=(n, p))
    X = X @ sparse.diags(np.log((n + 1) / (np.diff(X.indptr) + 1)))
    X = sparse.csc_matrix(sparse.diags(1 / np.maximum(sparse.linalg.norm(X, axis=1), 1e-9)) @ X)
    X.sort_indices()
    return _respond(X, support, rng)


def _respond(X, support, rng):
    w = np.zeros(X.shape[1])
    w[rng.choice(X.shape[1], support, replace=False)] = rng.standard_normal(support)
    y = X @ w
    return X, 1.0 + (y + 0.5 * y.std() * rng.standard_normal(len(y))) / max(y.std(), 1e-300)


MAKERS = {"curves": curves, "text": words, "few texts": words}
OPTIONS = {"wide correlated": {"correlation": 0.95}}


@functools.cache  # asv sets up anew for every sample
def make(name):
    """(X, y) of a problem of `SIZES`; not to be written to."""
    return MAKERS.get(name, gaussian)(*SIZES[name], **OPTIONS.get(name, {}))


def labels(y, k=2):
    """Classes 0..k-1 of about the same size."""
    return np.searchsorted(np.quantile(y, np.arange(1, k) / k), y)


def counts(y, seed=0):
    """Poisson counts whose logarithm of the mean follows y."""
    return np.random.default_rng(seed).poisson(np.exp(0.5 * (y - y.mean()))).astype(float)


def responses(X, k, support=10, seed=0):
    """(n, k): each column has a few features of its own."""
    rng = np.random.default_rng(seed)
    chosen = rng.integers(X.shape[1], size=(k, support))
    Y = np.stack([X[:, columns].sum(axis=1) for columns in chosen], axis=1)
    return Y + 0.5 * np.sqrt(support) * rng.standard_normal(Y.shape)
