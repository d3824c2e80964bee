"""What a loss expects of y, and what the linear predictor of a model with that loss predicts."""

import numpy as np

from fastreg import validation

BINARY = ("logistic", "squared_hinge")
LOSSES = ("squared", "logistic", "poisson", "squared_hinge", "huber")


def encode(loss, y, n):
    """The responses as the engine wants them.

    Parameters
    ----------
    loss : str, one of LOSSES
    y : array-like of shape (n,), or (n, k) for losses of numbers
    n : int

    Returns
    -------
    rows : ndarray of shape (k, n), float64
        Zeros and ones for two classes.
    classes : ndarray of shape (2,), or None
        The labels, in ascending order: the second is the one.

    Raises
    ------
    ValueError, TypeError
        If y does not fit the loss.
    """
    if loss in BINARY:
        classes, codes = validation.as_labels(y, n)
        if len(classes) != 2:
            raise ValueError(
                f"loss={loss!r} needs labels y of exactly two classes; y has {len(classes)}: {classes[:5].tolist()}"
                f"{', ...' if len(classes) > 5 else ''}."
            )
        return codes.astype(np.float64).reshape(1, n), classes
    rows, _ = validation.as_responses(y, n)
    if loss == "poisson":
        if rows.min() < 0:
            raise ValueError("loss='poisson' needs counts or rates y >= 0; y has negative values.")
        for row in rows:
            if not row.any():
                raise ValueError("loss='poisson' needs some y > 0; all are zero, and the best intercept is -inf.")
    return rows, None


def respond(loss, z, classes):
    """Predictions from linear predictors z: labels, expected counts, or z itself."""
    if classes is not None:
        return classes[(z > 0).astype(np.intp)]
    return np.exp(z) if loss == "poisson" else z


def probabilities(z):
    """(..., 2) probabilities of both classes from linear predictors of the logistic loss."""
    e = np.exp(-np.abs(z))
    high, low = 1.0 / (1.0 + e), e / (1.0 + e)
    return np.stack([np.where(z > 0, low, high), np.where(z > 0, high, low)], axis=-1)
