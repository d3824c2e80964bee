"""Factorized forms of a ridge problem: by features, by rows, or X itself decomposed."""

from dataclasses import replace

import numpy as np
from scipy.linalg import LinAlgError, cho_factor, cho_solve, lapack
from scipy.linalg import eigh as generalized_eigh

from ..design import as_design
from ..design.blocks import aligned, parallel_for
from ..design.packs import dense_gram, full_gram
from ..kernels import factor, panels
from ..kernels.panels import source
from .decompositions import eigh, svd
from .ridge_data import correlate, dense, is_far, predict, residual_squares
from .sums import Sums

WELL = 1e-12  # least reciprocal condition at which refinement makes up for the squaring in a Gram matrix
LANES = 24  # of a panel
ROWS_AT_ONCE = 240  # rotated while they are in the cache
MOST_BLOCKS = 32  # of rows, for threads to share
MOST = 6_000  # rows or columns of a matrix that is factorized for a sparse X
UNREFINED = 1e-9  # the same where nothing refines
EXACT = 1e-14  # relative residual of the normal equations from which on nothing is gained
REFINEMENTS = 4
SMALL = 512  # rows of a matrix below which the threads of a BLAS cost more than they bring
LEAST_SINGLE = 200  # rows or columns of a matrix from which on single precision pays,
LONG = 16  # for so many times as many columns or rows,
LEAST_WORK = 1 << 28  # so many multiplications
LEAST_SAMPLED = 1e-5  # and this reciprocal condition on a sample,
NEIGHBOURS = 8  # of groups of so many rows or columns
WEAK = 1e-4  # reciprocal condition below which some directions hardly show in the gradient
EPS = np.finfo(float).eps
TINY = np.finfo(float).tiny


class TooLarge(ValueError):
    """A sparse X with too many rows and columns for a factorization."""


def check_size(X, most=np.inf):
    """Raise TooLarge for a sparse X with too many rows and columns for a factorization, or more than `most` entries."""
    n, p = X.shape
    if hasattr(X, "format") and (min(n, p) > MOST or n * p > most):
        raise TooLarge(f"X is sparse and has {n} rows and {p} columns: too many for a factorization")


def system_for(data, single=False):
    """The factorizable form of a problem: by features, by rows, or TooLarge.

    `single`: with a matrix in single precision, for `refine` to make up for.
    """
    n, p = data.X.shape
    check_size(data.X)
    if p > n and (data.factor is None or data.factor.ndim == 1):
        return ByRows(data, single)
    sums = Sums(p, data.Y.shape[1])
    sums.add(data.X, data.Y, data.weights, data.jobs, single=single)
    system = by_features(sums, data)
    system.single = single
    return system


def single_will_do(data, alphas):
    """Whether a matrix in single precision, which takes half of the time, leaves refinement little to do.

    For one solution, of data so long that passes over it cost less than is saved, and well-conditioned on a sample of
    their longer side.
    """
    X, short, long = data.X, min(data.X.shape), max(data.X.shape)
    if len(alphas) > 1 or hasattr(X, "format") or panels.simd_level == "avx512":  # which does as many doubles at a time
        return False
    if short < LEAST_SINGLE or long < LONG * short or long * short**2 < LEAST_WORK:
        return False
    step, wide = long // (2 * short), short < X.shape[1]
    if data.factor is not None and (wide or data.factor.ndim == 2 or not np.isfinite(data.factor).all()):
        return False
    if wide:
        data.means()
        part = replace(data, X=every_so_often(X.T, step).T, known_means=None)
    else:
        weights = None if data.weights is None else every_so_often(data.weights, step)
        part = replace(data, X=every_so_often(X, step), Y=every_so_often(data.Y, step), weights=weights)
    if data.far or not part.total > 0:
        return False
    cholesky = system_for(part, single=True).factorize(alphas[0] / step)
    return cholesky is not None and cholesky.reciprocal > LEAST_SAMPLED


def every_so_often(A, step):
    """About one in `step` rows of an array (n, ...): groups of neighbours, which may share cache lines."""
    count = len(A) // (NEIGHBOURS * step)
    groups = A[: count * NEIGHBOURS * step].reshape(count, NEIGHBOURS * step, *A.shape[1:])
    return groups[:, :NEIGHBOURS].reshape(-1, *A.shape[1:])


def by_features(sums, data):
    """The system of a problem whose sums are known."""
    system = ByFeatures(sums, data.fit_intercept, data.factor, data)
    data.known_means = system.mean, system.level
    data.known_size = np.linalg.norm(system.cross, axis=0)
    if data.fit_intercept and not hasattr(data.X, "format"):
        data.far = is_far(system.mean[system.kept], np.diag(system.gram) / system.total)
    return system


class Cholesky:
    """The Cholesky factor of a symmetric matrix (m, m), which may be overwritten; LinAlgError if it has none."""

    def __init__(self, matrix):
        m = len(matrix)
        size = np.abs(matrix).sum(axis=0).max(initial=0.0)
        self.small = 0 < m <= SMALL
        if self.small:
            self.L = np.zeros((m, m), order="F")
            every = np.arange(m, dtype=np.int32)
            if not factor.factorize(np.ascontiguousarray(matrix), every, np.empty(8 * m), self.L.T):
                raise LinAlgError("the matrix is not positive definite")
        else:
            self.L = cho_factor(matrix, lower=True, overwrite_a=True, check_finite=False)[0]
        self.reciprocal = lapack.dpocon(self.L, size, uplo="L")[0] if m else 1.0  # of the condition number

    def solve(self, right):
        """For right-hand sides (m, k)."""
        if not self.small:
            return cho_solve((self.L, True), right, check_finite=False)
        rows = np.array(right.T, order="C")
        factor.solve(self.L.T, rows)
        return rows.T


class System:
    """What the ways to solve have in common.

    Each has `coefs(alpha, columns)`, `freedom(alpha)`, `leave_one_out(alphas)` and `residual_sums(alphas)`.
    """

    single = False  # whether its matrix is too coarse for anything but steps

    def intercepts(self, W, columns=slice(None)):
        """Of coefficients (p, k) for these responses."""
        return self.level[columns] - (self.mean[:, None] * W).sum(axis=0)

    def weak(self, alpha):
        """Whether solutions at this alpha may be off along directions that hardly show in the gradient."""
        return False

    def set_apart(self, data):
        """The features that are not penalised, and an orthonormal basis Q of their columns and the intercept's."""
        n, p = data.X.shape
        factor = np.ones(p) if data.factor is None else data.factor
        self.free = np.flatnonzero(factor == 0)
        with np.errstate(divide="ignore"):
            self.scale = np.where(factor > 0, 1.0 / np.sqrt(factor), 0.0)
        self.mean, self.level = data.means()
        root = data.root
        self.free_columns = root[:, None] * (dense(data.X[:, self.free]) - self.mean[self.free])
        basis = np.hstack([root[:, None]] * data.fit_intercept + [self.free_columns])
        self.Q = np.empty((n, 0))
        if basis.size:
            U, s, _ = svd(basis)
            self.Q = U[:, s > EPS * n * s.max(initial=0.0)]
        self.t = self.project(root[:, None] * (data.Y - self.level))

    def project(self, A):
        """What is left of A (n, k) beside the basis."""
        return A - self.Q @ (self.Q.T @ A)

    def told_by_basis(self):
        """(n,) whether a row alone determines what no penalty holds, so that no fit without it predicts it."""
        return (self.Q**2).sum(axis=1) > 1.0 - 1e-12

    def image(self, W):
        """Z W, for coefficients of penalised features."""
        return self.data.root[:, None] * (predict(self.data.X, W, self.data.jobs) - self.mean @ W)

    def with_free(self, F, U):
        """Influence (p, n) of all features, from coefficients F U' of the penalised ones; F itself if those are all."""
        if len(self.free) == 0:
            return F
        whole = F @ U.T
        inverse = np.linalg.pinv(self.free_columns, rcond=EPS * len(self.free_columns))
        whole[self.free] = inverse - (inverse @ self.image(F)) @ U.T
        return whole

    def complete(self, W, columns):
        """W with the coefficients of the features that are not penalised."""
        if len(self.free):
            data = self.data
            left = data.Y[:, columns] - self.level[columns] - predict(data.X, W, data.jobs) + self.mean @ W
            W[self.free] = np.linalg.lstsq(self.free_columns, data.root[:, None] * left, EPS * len(left))[0]
        return W


def calm(A, B):
    """A B without the threads of a BLAS, which would spin beside the kernels that come next; for narrow B."""
    return np.einsum("ij,jk->ik", A, B)


def in_panels(A, rows=None):
    """The columns of A in panels (k, len(A), LANES), padded with zeros; `rows`: with so many rows, of full panels."""
    rows = len(A) if rows is None else -(-rows // LANES) * LANES
    count = -(-A.shape[1] // LANES)
    out = np.zeros((count, rows, LANES))
    for k in range(count):
        part = A[:, k * LANES : (k + 1) * LANES]
        out[k, : len(A), : part.shape[1]] = part
    return out


class ByFeatures(System):
    """The normal equations (X'SX + alpha P) w = X'Sy, everything about the means if there is an intercept."""

    def __init__(self, sums, fit_intercept, factor, data=None):
        self.data, self.fit_intercept = data, fit_intercept
        self.mean, self.level, gram, self.cross, _ = sums.centred(fit_intercept)
        self.total = sums.weight
        factor = np.ones(len(gram)) if factor is None else factor
        self.kept = np.flatnonzero(np.isfinite(factor)) if factor.ndim == 1 else np.arange(len(gram))
        self.gram = gram if len(self.kept) == len(gram) else gram[np.ix_(self.kept, self.kept)]
        self.penalty = factor if factor.ndim == 2 else factor[self.kept]
        self.spectrum = None
        self.factors = {}
        self.reciprocals = {}  # of the condition, by alpha

    def weak(self, alpha):
        return self.reciprocals.get(alpha, 0.0) < WEAK

    def diagonal(self):
        return self.penalty.ndim == 1

    def factorize(self, alpha):
        """Cholesky factor for one alpha, or None where the matrix is singular to working precision."""
        if alpha not in self.factors:
            matrix = self.gram + alpha * self.penalty if not self.diagonal() else self.gram.copy()
            if self.diagonal():
                matrix[np.diag_indices(len(matrix))] += alpha * self.penalty
            self.factors.clear()
            self.factors[alpha] = None
            try:
                cholesky = Cholesky(matrix)
                self.reciprocals[alpha] = cholesky.reciprocal
                if cholesky.reciprocal >= WELL:
                    self.factors[alpha] = cholesky
            except LinAlgError:
                pass
        return self.factors[alpha]

    def diagonalize(self):
        """(V, g, m) with V'GV = diag(g), V'PV = diag(m), for the Gram matrix G and the penalty P."""
        if self.spectrum is None:
            if self.diagonal() and (self.penalty > 0).all():
                scale = 1.0 / np.sqrt(self.penalty)
                values, vectors = eigh(self.gram * np.outer(scale, scale))
                self.spectrum = scale[:, None] * vectors, np.maximum(values, 0.0), np.ones(len(values))
            else:
                penalty = np.diag(self.penalty) if self.diagonal() else self.penalty
                share = np.trace(self.gram) / (np.trace(penalty) or 1.0) or 1.0
                m, V = generalized_eigh(penalty, self.gram + share * penalty, check_finite=False)
                m = np.clip(m, 0.0, 1.0 / share)
                self.spectrum = V, 1.0 - share * m, m
        return self.spectrum

    def well(self, alpha, least=WELL):
        """Whether the spectrum tells the solution at this alpha."""
        try:
            _, g, m = self.diagonalize()
        except LinAlgError:  # neither the Gram matrix nor the penalty tells some direction
            return False
        inverse = g + alpha * m
        self.reciprocals[alpha] = inverse.min(initial=np.inf) / max(inverse.max(initial=0.0), TINY)
        return self.reciprocals[alpha] > least

    def solve(self, alpha, right, many):
        """(p, k) solution of the equations for a right-hand side; None where X itself has to be decomposed."""
        right = right[self.kept]
        out = np.zeros((len(self.mean), right.shape[1]))
        if many and self.well(alpha):
            V, g, m = self.diagonalize()
            out[self.kept] = V @ ((V.T @ right) / (g + alpha * m)[:, None])
            return out
        cholesky = self.factorize(alpha)
        if cholesky is None:
            return None
        out[self.kept] = cholesky.solve(right)
        return out

    def coefs(self, alpha, columns=slice(None), many=False):
        return self.solve(alpha, self.cross[:, columns], many)

    def correction(self, alpha, gradient, many):
        return self.solve(alpha, gradient, many)

    def freedom(self, alpha):
        """Effective degrees of freedom, the intercept counted."""
        V, g, m = self.diagonalize()
        return float((g / (g + alpha * m)).sum()) + self.fit_intercept

    def influence(self, alpha):
        """(p, q) matrix F: coefficients from responses of variance 1 / s_i have the covariance F F'."""
        V, g, m = self.diagonalize()
        F = np.zeros((len(self.mean), len(g)))
        F[self.kept] = V * (np.sqrt(g) / (g + alpha * m))
        return F

    def leave_one_out(self, alphas):
        """(errors (L, n, k) of the responses, leverages (L, n)); None where X itself has to be decomposed."""
        if not all(self.well(alpha, UNREFINED) for alpha in alphas):
            return None
        data, (V, g, m) = self.data, self.diagonalize()
        (n, k), L = data.Y.shape, len(alphas)
        inverse = 1.0 / (g + np.multiply.outer(alphas, m))  # (L, q)
        solutions = inverse[:, :, None] * calm(V.T, self.cross[self.kept])
        S = in_panels(np.ascontiguousarray(solutions.transpose(1, 0, 2)).reshape(len(g), L * k), len(g))
        Q, root = in_panels(inverse.T, len(g)), data.root
        errors, leverages = np.empty((L, n, k)), np.empty((L, n))

        def take(part, linear, square):
            fitted = np.hstack(linear)[:, : L * k].reshape(-1, L, k)
            h = np.hstack(square)[:, :L]
            if data.fit_intercept:
                h += root[part, None] ** 2 / self.total
            r = (root[part, None] * (data.Y[part] - self.level))[:, None, :] - fitted
            leverages[:, part] = h.T
            errors[:, part] = (r / (1.0 - h)[:, :, None]).transpose(1, 0, 2)

        self.rotate_rows(S, Q, take)
        return unweighted(errors, root, self, data, lambda j: V @ solutions[j]), leverages

    def rotate_rows(self, S, Q, take):
        """Call take(rows, Z S, (Z * Z) Q) for blocks Z of the centred and weighted rows of X times V.

        S, Q and the products are in panels: (sets, rows of S or of the block, LANES).
        """
        data, V = self.data, self.diagonalize()[0]
        n, kept, mean = len(data.Y), self.kept, self.mean[self.kept]
        rotation, shift = in_panels(V), in_panels(calm(V.T, mean[:, None]).T)[:, 0]
        if data.far or not data.fit_intercept:
            shift = np.zeros(shift.shape)
        root = None if data.weights is None else data.root
        step = -(-n // (MOST_BLOCKS * ROWS_AT_ONCE)) * ROWS_AT_ONCE

        def task(i):
            room = aligned((len(rotation), ROWS_AT_ONCE, LANES))
            for first in range(i * step, min((i + 1) * step, n), ROWS_AT_ONCE):
                rows = slice(first, min(first + ROWS_AT_ONCE, n))
                X, Z = data.X[rows], room
                if len(kept) < len(self.mean):
                    X = X[:, kept]
                if hasattr(X, "format"):
                    Z = in_panels(X @ V)
                else:
                    across = (X - mean if data.far else X).T
                    if len(X) < ROWS_AT_ONCE:
                        Z = aligned((len(rotation), len(X), LANES))
                    panels.Correlate(source(across, None), 0, len(X), rotation, Z).do()
                products = [np.empty((len(A), Z.shape[1], LANES)) for A in (S, Q)]
                panels.rotated_sums(Z, shift, None if root is None else root[rows], S, Q, *products)
                take(rows, *products)

        parallel_for(task, -(-n // step), data.jobs)

    def residual_sums(self, alphas):
        """(weighted residual sums of squares (L, k), residual degrees of freedom (L,), those of rows that count).

        None where X itself has to be decomposed.
        """
        if not all(self.well(alpha, UNREFINED) for alpha in alphas):
            return None
        data, (V, g, m) = self.data, self.diagonalize()
        alphas, least = np.asarray(alphas), np.min(alphas)
        inverse = 1.0 / (g + np.multiply.outer(alphas, m))  # (L, q)
        solution = (V.T @ self.cross[self.kept]) / (g + least * m)[:, None]
        W = np.zeros(self.cross.shape)
        W[self.kept] = V @ solution
        # residuals at the least alpha are taken from X, and what larger ones add has no differences to lose digits in
        share = (alphas - least)[:, None] * m * inverse
        added = (share * (2.0 * least * m + share * g)) @ solution**2
        held = len(g) + self.fit_intercept
        return residual_squares(data, W) + added, data.counted - held + (alphas[:, None] * m * inverse).sum(axis=1)


class ByRows(System):
    """The dual (Saunders et al. 1998): (Z P^-1 Z' + alpha I) u = t beside what is not penalised, and w = P^-1 Z'u."""

    def __init__(self, data, single=False):
        self.data, self.single = data, single
        self.set_apart(data)
        self.factors = {}
        kernel = self.kernel(data.root)
        kernel = self.project(self.project(kernel).T)
        self.matrix = 0.5 * (kernel + kernel.T)
        self.spectrum = None
        if data.factor is None and data.known_size is None:
            data.known_size = np.sqrt((self.t * (self.matrix @ self.t)).sum(axis=0))

    def kernel(self, root):
        data, scale = self.data, self.scale
        apart = data.apart()
        if apart is not None:
            scale = scale.copy()
            scale[apart[0]] = 0.0
        design = as_design(data.X.T)
        if design.dense:  # means that are not far are left to the projection that follows
            level = self.mean if data.far or (self.single and data.fit_intercept) else None
            scale = None if data.factor is None else scale
            kernel = dense_gram(design, np.zeros(len(root)), level, scale, jobs=data.jobs, single=self.single)[0]
        else:
            kernel = full_gram(design, np.zeros(len(root)), scale**2, data.jobs)
        if data.weights is not None:
            kernel *= np.outer(root, root)
        if apart is not None:
            Z = root[:, None] * apart[1] * self.scale[apart[0]]
            kernel += Z @ Z.T
        return kernel

    def diagonalize(self):
        """Eigenvectors and eigenvalues, those of the basis that is not penalised left out."""
        if self.spectrum is None:
            size = 2.0 * np.abs(self.matrix).sum(axis=0).max(initial=0.0) or 1.0  # above all eigenvalues
            values, vectors = eigh(self.matrix + size * self.Q @ self.Q.T)
            inside = ((self.Q.T @ vectors) ** 2).sum(axis=0) < 0.5
            self.spectrum = vectors[:, inside], np.maximum(values[inside], 0.0)
        return self.spectrum

    def dual(self, alpha, t, many):
        if many:
            vectors, values = self.diagonalize()
            if values.min(initial=np.inf) + alpha <= WELL * (values.max(initial=0.0) + alpha):
                return None
            return vectors @ ((vectors.T @ t) / (values + alpha)[:, None])
        cholesky = self.factorize(alpha)
        return None if cholesky is None else self.project(cholesky.solve(t))  # rounding along the basis is over alpha

    def factorize(self, alpha):
        """As for `ByFeatures`."""
        if alpha not in self.factors:
            # along the basis, where solutions have nothing, as large as elsewhere
            matrix = self.matrix + np.trace(self.matrix) / len(self.matrix) * self.Q @ self.Q.T
            matrix[np.diag_indices(len(matrix))] += alpha
            self.factors = {alpha: None}
            try:
                cholesky = Cholesky(matrix)
                if cholesky.reciprocal >= WELL:
                    self.factors[alpha] = cholesky
            except LinAlgError:
                pass
        return self.factors[alpha]

    def reciprocal(self, alpha, many):
        """Of the condition number at this alpha; 0 where it has no factor."""
        if many:
            _, values = self.diagonalize()
            return (values.min(initial=np.inf) + alpha) / (values.max(initial=TINY) + alpha)
        cholesky = self.factorize(alpha)
        return 0.0 if cholesky is None else cholesky.reciprocal

    def refined(self, alpha, response, many=False):
        """(coefficients (p, 1), relative residual, gap) of one response, from looks at X that are one pass each.

        For dense X without penalty factors and a well-conditioned matrix; else None.  With the residual
        r = t - alpha u - Z Z'u, the gradient at Z'u is Z'r, the gap r'Z Z'r / alpha.
        """
        data = self.data
        if data.factor is not None or data.far or hasattr(data.X, "format") or self.reciprocal(alpha, many) < WEAK:
            return None
        across, origin = as_design(data.X.T), np.zeros(data.X.shape[1])
        t, size = self.t[:, [response]], data.known_size[response] or 1.0
        u, last, found = self.dual(alpha, t, many), np.inf, None
        for _ in range(REFINEMENTS + 1):
            fitted, w = across.gradient(data.root * u[:, 0], origin, None, data.jobs)  # both with the sign turned
            r = t - alpha * u + self.project((data.root * fitted)[:, None])
            square = (r * (self.matrix @ r)).sum()
            residual = np.sqrt(square) / size
            if not residual < last:
                break
            found = -w[:, None], residual, square / alpha
            if residual <= EXACT or residual > 0.1 * last:
                break
            u, last = u + self.dual(alpha, r, many), residual
        return found

    def primal(self, u, columns=slice(None)):
        """Coefficients of the penalised features for dual solutions (n, k), and of the others from what is left."""
        W = correlate(self.data, self.data.root[:, None] * u) * (self.scale**2)[:, None]
        return self.complete(W, columns)

    def coefs(self, alpha, columns=slice(None), many=False):
        u = self.dual(alpha, self.t[:, columns], many)
        return None if u is None else self.primal(u, columns)

    def correction(self, alpha, gradient, many):
        """(Z'Z + alpha P)^-1 times a gradient (p, k): free features eliminated, then the matrix inversion lemma."""
        root, D = self.data.root[:, None], (self.scale**2)[:, None]
        held = 0.0
        if len(self.free):
            inverse = np.linalg.pinv(self.free_columns, rcond=EPS * len(self.free_columns))
            held = inverse.T @ gradient[self.free]
            gradient = gradient - correlate(self.data, root * held)
        step = gradient * D
        u = self.dual(alpha, self.project(self.image(step)), many)
        if u is None:
            return None
        step = (step - correlate(self.data, root * u) * D) / alpha
        if len(self.free):
            step[self.free] = inverse @ (held - self.image(step))
        return step

    def freedom(self, alpha):
        _, values = self.diagonalize()
        return float((values / (values + alpha)).sum()) + self.Q.shape[1]

    def influence(self, alpha):
        """As for `ByFeatures`."""
        vectors, values = self.diagonalize()
        F = correlate(self.data, self.data.root[:, None] * vectors) * (self.scale**2)[:, None] / (values + alpha)
        return self.with_free(F, vectors)

    def well(self, least):
        """Whether the spectrum tells solutions at this alpha and above without refinement."""
        _, values = self.diagonalize()
        return values.min(initial=np.inf) + least > UNREFINED * (values.max(initial=0.0) + least)

    def leave_one_out(self, alphas):
        """As for `ByFeatures`; 1 - h is alpha times a diagonal here, so that nothing cancels where a fit saturates."""
        if not self.well(np.min(alphas)):
            return None
        vectors, values = self.diagonalize()
        inverse = 1.0 / (values + np.asarray(alphas)[:, None])
        diagonal = inverse @ (vectors * vectors).T  # (L, n)
        diagonal[:, self.told_by_basis()] = 0.0
        rotated = vectors.T @ self.t
        u = np.stack([vectors @ (rotated * one[:, None]) for one in inverse])
        with np.errstate(invalid="ignore", divide="ignore"):
            errors = u / diagonal[:, :, None]
        leverages = 1.0 - np.asarray(alphas)[:, None] * diagonal
        root = self.data.root
        return unweighted(errors, root, self, self.data, lambda j: self.primal(u[j])), leverages

    def residual_sums(self, alphas):
        """As for `ByFeatures`; nothing cancels where a fit saturates."""
        if not self.well(np.min(alphas)):
            return None
        vectors, values = self.diagonalize()
        alphas = np.asarray(alphas)[:, None]
        share = alphas / (values + alphas)
        absent = len(self.data.Y) - self.data.counted  # a row of weight zero is an eigenvalue of zero, the least
        return share**2 @ (vectors.T @ self.t) ** 2, share[:, absent:].sum(axis=1)


def unweighted(errors, root, system, data, coefs):
    """Errors (L, n, k) of the weighted rows, over the roots of the weights; rows of weight zero are predicted."""
    absent = root == 0
    errors /= np.where(absent, 1.0, root)[:, None]
    if absent.any():
        for j in range(len(errors)):
            W = coefs(j)
            if len(W) < data.X.shape[1]:
                whole = np.zeros((data.X.shape[1], W.shape[1]))
                whole[system.kept] = W
                W = whole
            fitted = predict(data.X[np.flatnonzero(absent)], W) + system.intercepts(W)
            errors[j, absent] = data.Y[absent] - fitted
    return errors


class Decomposed(System):
    """The singular value decomposition of X itself, scaled: for matrices whose Gram matrix has lost its digits."""

    def __init__(self, data):
        self.data = data
        n, p = data.X.shape
        if data.factor is not None and data.factor.ndim == 2:
            raise LinAlgError("the Gram matrix plus alpha times the penalty matrix is singular to working precision")
        self.set_apart(data)
        Z = np.array(dense(data.X), dtype=np.float64, order="F")
        Z -= self.mean
        Z *= data.root[:, None]
        Z *= self.scale
        for _ in range(2):  # twice: once leaves what rounding leaves
            Z -= self.Q @ (self.Q.T @ Z)
        U, s, Vt = svd(Z)
        rank = s > EPS * max(n, p) * s.max(initial=0.0)
        self.U, self.s, self.Vt = U[:, rank], s[rank], Vt[rank]

    def coefs(self, alpha, columns=slice(None), many=False):
        share = self.s / (self.s**2 + alpha) if alpha > 0 else 1.0 / self.s
        W = self.scale[:, None] * (self.Vt.T @ (share[:, None] * (self.U.T @ self.t[:, columns])))
        return self.complete(W, columns)

    def correction(self, alpha, gradient, many):
        return None

    def freedom(self, alpha):
        return float((self.s**2 / (self.s**2 + alpha)).sum()) + self.Q.shape[1]

    def influence(self, alpha):
        share = self.s / (self.s**2 + alpha) if alpha > 0 else 1.0 / self.s
        return self.with_free((self.scale[:, None] * self.Vt.T) * share, self.U)

    def leave_one_out(self, alphas):
        square, rest = self.U**2, np.maximum(1.0 - (self.U**2).sum(axis=1) - (self.Q**2).sum(axis=1), 0.0)
        rest[rest < 1e-12] = 0.0
        rotated = self.U.T @ self.t
        beyond = self.t - self.U @ rotated
        present = self.data.root > 0
        if self.U.shape[1] + self.Q.shape[1] >= np.count_nonzero(present):  # without errors at alpha = 0
            rest[present], beyond[present] = 0.0, 0.0
        square[self.told_by_basis()] = 0.0
        errors, leverages = [], []
        for alpha in alphas:
            share = alpha / (self.s**2 + alpha)
            left = square @ share + rest
            leverages.append(1.0 - left)
            with np.errstate(invalid="ignore", divide="ignore"):
                errors.append((self.U @ (share[:, None] * rotated) + beyond) / left[:, None])
        errors = unweighted(np.array(errors), self.data.root, self, self.data, lambda j: self.coefs(alphas[j]))
        return errors, np.array(leverages)

    def residual_sums(self, alphas):
        alphas = np.asarray(alphas)[:, None]
        share = alphas / (self.s**2 + alphas)
        rotated = self.U.T @ self.t
        room = self.data.counted - self.Q.shape[1]
        squares, freedom = share**2 @ rotated**2, share[:, : max(room, 0)].sum(axis=1)
        if room > len(self.s):
            squares += ((self.t - self.U @ rotated) ** 2).sum(axis=0)
            freedom += room - len(self.s)
        return squares, freedom
