"""Named least-squares problems with fixed seeds: each function returns (X, y), float64, X in C order or CSC."""

import numpy as np
from scipy import sparse


def _respond(X, rng, support):
    w = np.zeros(X.shape[1])
    w[rng.choice(X.shape[1], support, replace=False)] = rng.choice([-1.0, 1.0], support)
    signal = X @ w
    return X, signal + 0.5 * signal.std() * rng.standard_normal(X.shape[0])


def wide():
    """Many more features than samples, independent: 200 x 5000, 20 of them matter."""
    rng = np.random.default_rng(0)
    return _respond(rng.standard_normal((200, 5000)), rng, 20)


def tall():
    """Many more samples than features: 20000 x 200, 50 of them matter."""
    rng = np.random.default_rng(1)
    return _respond(rng.standard_normal((20000, 200)), rng, 50)


def square():
    """As many samples as features: 1000 x 1000, 100 of them matter."""
    rng = np.random.default_rng(2)
    return _respond(rng.standard_normal((1000, 1000)), rng, 100)


def correlated():
    """Wide, neighbouring features correlated at 0.95 (AR(1)): 300 x 2000, 30 of them matter."""
    rng = np.random.default_rng(3)
    X = rng.standard_normal((300, 2000))
    for j in range(1, X.shape[1]):
        X[:, j] = 0.95 * X[:, j - 1] + np.sqrt(1 - 0.95**2) * X[:, j]
    return _respond(X, rng, 30)


def text():
    """Sparse, columns as common as words are: 5000 x 20000, 200 of them matter."""
    rng = np.random.default_rng(4)
    share = 1.0 / np.arange(1, 20001) ** 0.9
    columns = rng.choice(20000, 5000 * 60, p=share / share.sum())
    rows = np.repeat(np.arange(5000), 60)
    X = sparse.csc_matrix((np.ones(len(rows)), (rows, columns)), shape=(5000, 20000))
    return _respond(X, rng, 200)


ALL = {make.__name__: make for make in (wide, tall, square, correlated, text)}
