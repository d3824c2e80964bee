"""Whole Gram matrices: of any design as it lies, or of a dense X packed piece by piece, widened and shifted once."""

import numpy as np

from .blocks import aligned, parallel_for
from .dense import Dense

PACK_BYTES = 4 << 20  # of a piece: it stays in L3
LEAST = 512  # rows of a piece


def full_gram(design, means, weights=None, jobs=1, order=None):
    """Weighted Gram matrix (p, p) of all columns of a design, `means` (p,) taken off them; symmetric to the bit.

    For a sparse design `means` are zeros, or the columns' own under these weights.  The columns, and `means`, come in
    the given order.
    """
    every = np.arange(design.p, dtype=np.intp) if order is None else order
    gram = np.empty((len(every), len(every)))

    def store(first, stop, start, block):  # comes on and above the diagonal
        gram[first:stop, start : start + block.shape[1]] = block

    design.gram_columns(every, every, means, weights, store, jobs)
    upper = np.triu(gram)
    return upper + np.triu(upper, 1).T


def packed_gram(fill, size, length, right=None, weights=None, jobs=1):
    """Gram matrix of a matrix (length, size) that is produced piece by piece, and its products with `right`.

    Parameters
    ----------
    fill : callable(buffer, first, stop)
        Writes rows first..stop-1, transposed, to `buffer` of shape (size, stop - first).
    size, length : int
    right : ndarray of shape (length, k) or None
        What the matrix is multiplied with, for the second result; not weighted here.
    weights : ndarray of shape (length,) or None
        Of the rows, in the Gram matrix.
    jobs : int
        Threads. The sums are over pieces in their order, whatever their number.

    Returns
    -------
    gram : ndarray of shape (size, size)
    products : ndarray of shape (size, k) or None
    """
    step = max(LEAST, PACK_BYTES // (8 * size), size // 2)
    pieces = [(first, min(first + step, length)) for first in range(0, length, step)]
    gram = np.zeros((size, size))
    products = None if right is None else np.zeros((size, right.shape[1]))
    for wave in range(0, len(pieces), jobs):
        some = pieces[wave : wave + jobs]
        inner = max(1, jobs // len(some))
        results = [None] * len(some)

        def task(k, some=some, results=results, inner=inner):
            first, stop = some[k]
            buffer = aligned((size, stop - first))
            fill(buffer, first, stop)
            design = Dense(buffer.T)
            part = full_gram(design, np.zeros(size), None if weights is None else weights[first:stop], inner)
            cross = None if right is None else design.correlations(np.ascontiguousarray(right[first:stop]), inner)
            results[k] = part, cross

        parallel_for(task, len(some), jobs)
        for part, cross in results:
            gram += part
            if right is not None:
                products += cross
    return gram, products
