"""Cholesky factor L of H = G[A, A] + diag(ridge), updated as the list A of features grows and shrinks.

Appending a block of k <= 8 features costs one sweep over L for all of them; dropping one is a rank-one update of what
stands behind it (Golub & Van Loan, Matrix Computations, 4th ed., 6.5).  L is stored by columns, so every inner loop
runs over contiguous memory.
"""
from libc.math cimport sqrt
from libc.string cimport memcpy, memmove, memset

from ._simd cimport simd


cdef int factor_append(
    Factor* f,
    const double* G,          # in   Gram matrix, symmetric, leading dimension ldg
    Py_ssize_t ldg,
    const int* A,             # in   (f.size,)  features in the factor
    const int* new,           # in   (k,)  features to append, k <= BLOCK
    int k,
    const double* ridge,      # in   (k,)  what their diagonal entries get on top
    double tiny,              # in   a pivot below tiny * diagonal counts as zero ...
    bint floor,               # in   ... and is raised to it, or the feature is refused
    bint* kept,               # out  (k,)  whether the feature is in
) noexcept nogil:
    """Append features; returns how many pivots were at fault (raised or refused)."""
    cdef Py_ssize_t a = f.size, ld = f.ld, i, j, r, c
    cdef double* V = f.V
    cdef double* L = f.L
    cdef const double* col[4]
    cdef double S[BLOCK * BLOCK]
    cdef double pivot, diagonal, value
    cdef Py_ssize_t place[BLOCK]
    cdef Py_ssize_t size = a
    cdef int l, t, u, faults = 0
    memset(V, 0, a * BLOCK * sizeof(double))
    for l in range(k):
        for i in range(a):
            V[i * BLOCK + l] = G[new[l] * ldg + A[i]]
    j = 0
    while j < a:
        for r in range(j, min(j + 4, a)):
            for c in range(j, r):
                for l in range(BLOCK):
                    V[r * BLOCK + l] -= L[r + c * ld] * V[c * BLOCK + l]
            for l in range(BLOCK):
                V[r * BLOCK + l] /= L[r + r * ld]
        if j + 4 < a:
            for c in range(4):
                col[c] = L + (j + 4) + (j + c) * ld
            simd.panel4(a - j - 4, col, V + j * BLOCK, V + (j + 4) * BLOCK)
        j += 4
    memset(S, 0, sizeof(S))
    for i in range(a):
        for l in range(k):
            value = V[i * BLOCK + l]
            for t in range(BLOCK):
                S[l * BLOCK + t] -= value * V[i * BLOCK + t]
    for l in range(k):
        diagonal = G[new[l] * ldg + new[l]] + ridge[l]
        pivot = diagonal + S[l * BLOCK + l]
        for t in range(l):
            if not kept[t]:
                continue
            value = G[new[l] * ldg + new[t]] + S[l * BLOCK + t]
            for u in range(t):
                if kept[u]:
                    value -= L[size + place[u] * ld] * L[place[t] + place[u] * ld]
            value /= L[place[t] + place[t] * ld]
            L[size + place[t] * ld] = value
            pivot -= value * value
        kept[l] = True
        if not pivot > tiny * diagonal:
            faults += 1
            if not floor:
                kept[l] = False
                continue
            pivot = tiny * diagonal
        for i in range(a):
            L[size + i * ld] = V[i * BLOCK + l]
        L[size + size * ld] = sqrt(pivot)
        place[l] = size
        size += 1
    f.size = size
    return faults


cdef void factor_drop(Factor* f, Py_ssize_t k) noexcept nogil:
    """Take feature number k of the list out."""
    cdef Py_ssize_t a = f.size, ld = f.ld, j, below
    cdef double* L = f.L
    cdef double* v = f.V
    cdef double r, c, s
    for j in range(k):
        memmove(L + k + j * ld, L + k + 1 + j * ld, (a - k - 1) * sizeof(double))
    memcpy(v, L + k + 1 + k * ld, (a - k - 1) * sizeof(double))
    for j in range(k + 1, a):
        below = a - j - 1
        r = sqrt(L[j + j * ld] * L[j + j * ld] + v[0] * v[0])
        c, s = L[j + j * ld] / r, v[0] / r
        simd.rotate(below, c, s, L + j + 1 + j * ld, v + 1)
        L[j - 1 + (j - 1) * ld] = r
        memcpy(L + j + (j - 1) * ld, L + j + 1 + j * ld, below * sizeof(double))
        v += 1
    f.size = a - 1


cdef void factor_solve(Factor* f, double* x) noexcept nogil:
    """x <- H^-1 x."""
    cdef Py_ssize_t a = f.size, ld = f.ld, j, c, r, full = a - a % 4
    cdef double* L = f.L
    cdef const double* col[4]
    cdef double part[4]
    for j in range(0, full, 4):
        for r in range(j, j + 4):
            for c in range(j, r):
                x[r] -= L[r + c * ld] * x[c]
            x[r] /= L[r + r * ld]
        for c in range(4):
            part[c] = -x[j + c]
            col[c] = L + (j + 4) + (j + c) * ld
        simd.axpy4(a - j - 4, part, col, x + j + 4)
    for r in range(full, a):
        for c in range(full, r):
            x[r] -= L[r + c * ld] * x[c]
        x[r] /= L[r + r * ld]
    for r in range(a - 1, full - 1, -1):
        for c in range(r + 1, a):
            x[r] -= L[c + r * ld] * x[c]
        x[r] /= L[r + r * ld]
    for j in range(full - 4, -1, -4):
        for c in range(4):
            col[c] = L + (j + 4) + (j + c) * ld
        simd.dot4(a - j - 4, col, x + j + 4, part)
        for r in range(j + 3, j - 1, -1):
            x[r] -= part[r - j]
            for c in range(r + 1, j + 4):
                x[r] -= L[c + r * ld] * x[c]
            x[r] /= L[r + r * ld]


def factorize(
    const double[:, ::1] G,     # in   (m, m), symmetric
    const int[::1] every,       # in   (m,)  0, 1, ..., m - 1
    double[::1] work,           # work (8 m,)
    double[:, ::1] Lt,          # out  (m, m)  upper triangle: L', for G = L L'; zeros before
):
    """The Cholesky factor of a small matrix, without the threads of a BLAS; returns whether G is positive definite."""
    cdef Py_ssize_t m = G.shape[0], j = 0
    cdef Factor f = Factor(&Lt[0, 0], m, 0, &work[0])
    cdef double none[BLOCK]
    cdef bint kept[BLOCK]
    cdef int k, faults = 0
    with nogil:
        memset(none, 0, sizeof(none))
        while j < m and faults == 0:
            k = <int>min(<Py_ssize_t>BLOCK, m - j)
            faults = factor_append(&f, &G[0, 0], m, &every[0], &every[j], k, none, 0.0, False, kept)
            j += k
    return faults == 0


def solve(double[:, ::1] Lt, double[:, ::1] B):
    """Each row b of B (k, m) <- (L L')^-1 b."""
    cdef Factor f = Factor(&Lt[0, 0], Lt.shape[0], Lt.shape[0], NULL)
    cdef Py_ssize_t i
    with nogil:
        for i in range(B.shape[0]):
            factor_solve(&f, &B[i, 0])


def follow(const double[:, ::1] G, ridge, steps, double tiny):
    """Run a factor through `steps`, pairs ("append", [features]) or ("drop", place); for tests.

    Returns (features in the factor, L, faults): the whole kernel's contract in one call.
    """
    import numpy as np

    cdef Py_ssize_t m = G.shape[0]
    cdef double[::1] L = np.zeros(m * m), V = np.zeros(m * BLOCK), rho = np.zeros(BLOCK)
    cdef int[::1] A = np.zeros(m, np.int32), new = np.zeros(BLOCK, np.int32)
    cdef Factor f = Factor(&L[0], m, 0, &V[0])
    cdef bint kept[BLOCK]
    cdef int faults = 0, i
    members = []
    for verb, what in steps:
        if verb == "drop":
            factor_drop(&f, what)
            del members[what]
        else:
            for i, j in enumerate(what):
                new[i], rho[i] = j, ridge[j]
            faults += factor_append(&f, &G[0, 0], m, &A[0], &new[0], len(what), &rho[0], tiny, False, kept)
            members += [j for i, j in enumerate(what) if kept[i]]
        for i, j in enumerate(members):
            A[i] = j
    return members, np.tril(np.asarray(L).reshape(m, m).T)[: f.size, : f.size], faults
