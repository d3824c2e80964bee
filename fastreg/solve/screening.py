"""Which features the next alphas may need: a guess, which a product with X checks later."""

import numpy as np


def needed_at(gradient, slope, top, l1_ratio, gamma, factor, lower, upper):
    """The largest alpha at which each feature may be active.

    The gradient is followed along its last slope; `gamma` is how much faster than that it may grow.  With a slope of
    zero and gamma 1 this is the strong rule (R. Tibshirani et al., "Strong rules for discarding predictors in
    lasso-type problems", JRSS B 74, 2012).

    Parameters
    ----------
    gradient, slope : ndarray of shape (p,)
        Minus the derivatives of the loss at the alpha `top`, and their change by alpha.
    top, l1_ratio, gamma : float
    factor, lower, upper : ndarray of shape (p,) or None
        Penalty factors and bounds.

    Returns
    -------
    ndarray of shape (p,)
        -1 for a feature that is never active.
    """
    slope = slope / l1_ratio
    ahead = gradient / l1_ratio
    if factor is not None:
        slope /= np.where(factor > 0, factor, 1.0)
        ahead /= np.where(factor > 0, factor, 1.0)
    ahead -= top * slope  # the gradient is ahead + alpha * slope
    needed = (ahead + gamma * top) / np.maximum(1.0 + gamma - slope, 1e-3)
    if lower is None or (lower < 0).any():
        if lower is not None:
            needed[upper == 0] = -1.0
        np.add(slope, 1.0 + gamma, out=slope)
        np.maximum(slope, 1e-3, out=slope)
        np.subtract(gamma * top, ahead, out=ahead)
        ahead /= slope
        if lower is not None:
            ahead[lower == 0] = -1.0
        np.maximum(needed, ahead, out=needed)
    if factor is not None:
        needed[np.isinf(factor)] = -1.0
    return needed
