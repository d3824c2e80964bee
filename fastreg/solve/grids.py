"""Grids of alphas: the automatic one, and the steps that are put in where a grid is coarse."""

import numpy as np

STEP = 0.5  # alphas further apart than this get steps in between, solved but not reported


def grid(alpha_max, count, eps):
    """Geometric grid from alpha_max down to eps * alpha_max; from 1 where alpha_max is 0."""
    top = alpha_max if alpha_max > 0 else 1.0
    return top * np.geomspace(1.0, eps, count) if count > 1 else np.array([top])


def ladder(alpha_max, alphas, warm):
    """The alphas to solve, with steps where the grid is coarse, and which of `alphas` each one is (-1: a step)."""
    rungs, report, above = [], [], alpha_max
    for i, alpha in enumerate(alphas):
        if above > 0 and alpha > 0 and not (warm and i == 0):
            steps = int(np.ceil(np.log(alpha / above) / np.log(STEP) - 1e-9))
            rungs += list(above * (alpha / above) ** (np.arange(1, steps) / steps)) if steps > 1 else []
        rungs.append(alpha)
        report += [-1] * (len(rungs) - len(report) - 1) + [i]
        above = alpha
    return np.array(rungs), np.array(report, dtype=np.intp)
