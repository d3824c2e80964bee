"""The cost model: from the shape of the data and of the batch, how the batch is solved."""

import numpy as np

RATE = 3e10  # flops a second and thread, of the panel kernels
START = 1e-3  # seconds that a round costs beyond its flops
CACHE = 64 << 20  # bytes of an X that has to come from memory for every product:
BYTE = 1.4  # flops in the time of one of them
SHARED = 0.4  # time of a product that threads share
ENTRY = 100  # flops that storing an entry of the Gram matrix is worth
MOSTLY_RIDGE = 0.5  # an l1_ratio below which supports are expected to outgrow the rows of a wide X
LANES = 24
SOME = 0.1  # of the features are left in doubt between residuals that have met all of them
EACH = 8  # lanes for each of many problems: with fewer of them there are more rounds
FULL = 2  # lanes in whose room such a problem has its eight, where one of them meets all features and the others some
PANELS = 16 << 20  # bytes that panels may take (half as many for a large sparse X), or a sixth (a twelfth) of X


class Plan:
    """What the cost model says for one batch.

    Attributes
    ----------
    lanes : int
        Residuals that one product takes at most.
    at_once : int
        Problems that are solved together at most.
    """

    def __init__(self, design, tasks, precompute):
        self.design, self.precompute = design, precompute
        self.memory = max(design.nbytes // 4, 256 << 20)  # bytes of working memory
        n, p = design.n, design.p
        room = PANELS if design.dense or design.nbytes < CACHE else PANELS // 2
        most = max(8, max(design.nbytes // (6 if design.dense else 12), room) // (8 * (n + p)) // 8 * 8)
        wanted = 120 if design.pass_work <= 2_000_000 else LANES  # a small X: the fewer rounds the better
        self.lanes = min(most, max(wanted, EACH * len(tasks)))
        # what a problem keeps while it is solved: some vectors over the features, and the factor of its support
        state = 8 * (8 * p + 2 * n + min(n, p) ** 2)
        if len({id(task.weights) for task in tasks}) > 1:  # and a Gram matrix of its own
            state += 8 * min(p, 2 * n) ** 2
        self.at_once = max(2, int(self.memory // 2 // state))
        self.alphas = sum(np.size(task.alphas) if np.ndim(task.alphas) else task.alphas for task in tasks)

    def full_gram(self):
        """Whether the Gram matrix of all features is worth building before anything is known of the solution."""
        p = self.design.p
        if self.precompute != "auto":
            return bool(self.precompute)
        if 16 * p * p > self.memory // 2:
            return False
        gram, certificates = self.design.column_work * p * p, 2 * self.design.pass_work * self.alphas
        return gram <= max(START * RATE, certificates)

    def keeps_gram(self, task):
        """Whether a task works on a Gram matrix, not on residuals."""
        if self.precompute != "auto":
            return bool(self.precompute) or self.design.dense
        return task.l1_ratio >= MOSTLY_RIDGE or self.design.n >= self.design.p or self.full_gram()

    def round_cost(self, lanes, m, new, work, looks):
        """Flops, or what takes as long, of rounds that need `lanes` (b,) and bring `new` (b,) features to the m known.

        `work` (b,) is what products with these features cost, in those with an average one; `looks` how many each alpha
        takes, 0 where there is a Gram matrix.
        """
        width = 8 * np.ceil(lanes / 8)
        if self.design.bridges:  # eight lanes meet all features, the others some
            width = np.minimum(width, 8 + SOME * lanes)
        times = looks * lanes if looks else 2 * m + new
        entries = times * (work * self.design.column_work + new * ENTRY)
        flops = 2 * self.design.pass_work * width
        if self.design.dense and self.design.n >= self.design.p and self.design.nbytes > CACHE:
            flops = np.maximum(SHARED * flops, BYTE * self.design.nbytes)
        return START * RATE + flops + entries

    def rounded(self, sample, new, expected):
        """The features to bring in: `new`, or all that are left when these, or what comes after them, are most of them.

        `expected` is how many the sample will have at the end if they go on coming in as they do.
        """
        m, p = len(sample.features), self.design.p
        most = m + len(new) >= 0.8 * p or (0 < m and self.design.n >= p <= expected)
        if sample.gram is not None and most and 16 * p * p <= self.memory // 2:
            return (sample.place < 0).nonzero()[0]
        return new


def worth_threads(design, tasks):
    """Whether a product is long enough to be worth waking another thread."""
    return design.pass_work * max(1, tasks) > 200_000
