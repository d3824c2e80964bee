"""Whole Gram matrices, of all columns of a design."""

import numpy as np


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


def dense_gram(design, means, level=None, root=None, right=None, jobs=1, single=False):
    """Gram matrix (p, p) of all columns of a dense design, and their products (p, k) with `right` (n, k), if given.

    `means` (p,) are taken off the columns, then `level` (n,) off the rows; these, and those of `right`, are multiplied
    with `root` (n,).  `single`: the matrix, not the products with `right`, in single precision.
    """
    p = design.p
    gram = np.empty((p, p))

    def store(_, stop, start, block):
        gram[:stop, start : start + block.shape[1]] = block
        gram[start : start + block.shape[1], :start] = block[:start].T

    every = np.arange(p, dtype=np.intp)
    return gram, design.whole_gram(every, means, store, level, root, right, jobs, single)
