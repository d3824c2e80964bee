"""What a loss expects of y, and what the linear predictor of a model with that loss predicts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.special import log_softmax, xlogy

from fastreg import validation

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import NDArray

    from fastreg._types import Floats, Ints, Reals

BINARY = ("logistic", "squared_hinge")
LOSSES = ("squared", "logistic", "multinomial", "poisson", "squared_hinge", "huber")


def encode(
    loss: str, y: Any, n: int, weights: Floats | None = None, fit_intercept: bool = True
) -> tuple[Floats, NDArray[Any] | None]:
    """The responses as the engine wants them.

    Parameters
    ----------
    loss : str, one of LOSSES
    y : array-like of shape (n,), or (n, k) for losses of numbers
    n : int
    weights : ndarray of shape (n,), or None
        Rows without weight count as absent.
    fit_intercept : bool

    Returns
    -------
    rows : ndarray of shape (k, n), float64
        Zeros and ones for two classes, 0..K-1 for several.
    classes : ndarray of shape (K,), or None
        The labels that these numbers stand for, in ascending order.

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
        check_present(loss, codes, classes, weights)
        return codes.astype(np.float64).reshape(1, n), classes
    if loss == "multinomial":
        classes, codes = validation.as_labels(y, n)
        if len(classes) < 2:
            raise ValueError(f"loss='multinomial' needs labels y of two classes or more; all are {classes[0]!r}.")
        check_present(loss, codes, classes, weights)
        return codes.astype(np.float64).reshape(1, n), classes
    rows, _ = validation.as_responses(y, n)
    if loss == "poisson":
        if rows.min() < 0:
            raise ValueError("loss='poisson' needs counts or rates y >= 0; y has negative values.")
        for row in rows if fit_intercept else ():
            if not (row if weights is None else row * weights).any():
                raise ValueError(
                    "loss='poisson' needs some y > 0 in a row of positive weight: all are zero, and the best intercept "
                    "is -inf."
                )
    return rows, None


def check_present(loss: str, codes: Ints, classes: NDArray[Any], weights: Floats | None) -> None:
    """Refuse classes all of whose rows weigh nothing: they are absent, and the best intercept is infinite."""
    if weights is not None:
        sizes = np.bincount(codes, weights, len(classes))
        if not sizes.all():
            raise ValueError(
                f"loss={loss!r} needs positive sample_weight in each class; "
                f"{classes[sizes == 0].tolist()[0]!r} has none."
            )


def respond(loss: str, z: Any, classes: Any) -> Any:
    """Predictions from linear predictors z (..., K for "multinomial"): labels, expected counts, or z itself."""
    if loss == "multinomial":
        return classes[z.argmax(axis=-1)]
    if classes is not None:
        return classes[(z > 0).astype(np.intp)]
    return np.exp(z) if loss == "poisson" else z


def probabilities(loss: str, z: Reals) -> Floats:
    """(..., K) probabilities of the classes from linear predictors of "logistic" (...) or "multinomial" (..., K)."""
    if loss == "multinomial":
        e = np.exp(z - z.max(axis=-1, keepdims=True))
        return e / e.sum(axis=-1, keepdims=True)
    e = np.exp(-np.abs(z))
    high, low = 1.0 / (1.0 + e), e / (1.0 + e)
    return np.stack([np.where(z > 0, low, high), np.where(z > 0, high, low)], axis=-1)


def unit_deviances(loss: str, y: Floats, z: Floats, delta: Any) -> Floats:
    """Twice the loss of each row, less the least it can be.

    Parameters
    ----------
    loss : str
    y : ndarray of shape (m,)
        Numbers of classes for losses of classes.
    z : ndarray of shape (m,) or (m, L), for "multinomial" with a last axis of K
        Linear predictors.
    delta : float
        Of the Huber loss.

    Returns
    -------
    ndarray of shape (m,) or (m, L)
    """
    several = z.ndim > (2 if loss == "multinomial" else 1)
    y = y[:, None] if several else y
    if loss == "multinomial":
        codes = np.broadcast_to(y, z.shape[:-1]).astype(np.intp)[..., None]
        return -2.0 * np.take_along_axis(log_softmax(z, axis=-1), codes, axis=-1)[..., 0]
    if loss == "logistic":
        return 2.0 * np.logaddexp(0.0, np.where(y > 0, -z, z))
    if loss == "squared_hinge":
        return np.maximum(0.0, 1.0 - np.where(y > 0, z, -z)) ** 2
    if loss == "poisson":
        with np.errstate(over="ignore"):
            return 2.0 * (xlogy(y, y) - y - y * z + np.exp(z))
    r = np.abs(y - z)
    return np.where(r <= delta, r, delta) * (2.0 * r - np.minimum(r, delta)) if loss == "huber" else r**2
