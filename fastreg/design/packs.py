"""Gram matrices of columns of a design, from blocks of them."""

import numpy as np

from ..kernels.gram import mirror
from .blocks import do_all


class Halves:
    """Takes what comes of a symmetric matrix on and above the diagonal, times `scale`, and fills in both halves."""

    def __init__(self, gram, offset, scale):
        self.gram, self.offset, self.scale, self.diagonal = gram, offset, scale, set()

    def store(self, first, stop, start, part):
        """Take part (stop - first, k): rows first..stop-1 of columns start..start+k-1 after the offset."""
        part *= self.scale
        at, to = self.offset + start, self.offset + start + part.shape[1]
        self.gram[first:stop, at:to] = part
        above = min(stop, at)
        if above > first:
            self.gram[at:to, first:above] = part[: above - first].T
        if stop > at:  # the diagonal block has both halves, which differ by rounding
            self.diagonal.add((at, to))

    def close(self):
        """After all parts."""
        for at, to in self.diagonal:
            mirror(self.gram, at, to)


def full_gram(design, means, weights=None, jobs=1, order=None):
    """Weighted Gram matrix (p, p) of all columns of a design, `means` (p,) taken off them; symmetric to the bit.

    For a sparse design `means` are zeros, or the columns' own under these weights.  The columns, and `means`, come in
    the given order.
    """
    every = np.arange(design.p, dtype=np.intp) if order is None else order
    gram = np.empty((len(every), len(every)))
    do_all(design.gram_parts(gram, every, len(every), means, weights, 1.0, jobs), jobs)
    return gram


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
