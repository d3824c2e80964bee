"""Gradients between two residuals whose products with X are known: what follows without another product.

A residual r lies near the plane of two others, r = s a + t b + e, and Cauchy-Schwarz bounds what is left:

    |x_j'r| <= |s x_j'a + t x_j'b| + |x_j - m_j| |e| + |m_j| |sum(e)|

Where that is less than the penalty, feature j is out of the question: a sphere test (L. El Ghaoui, V. Viallon and
T. Rabbani, "Safe feature elimination", Pacific Journal of Optimization 8, 2012) about the nearest point of a plane.
"""
from libc.math cimport fabs, sqrt
from libc.string cimport memset

from ._simd cimport simd

cdef enum:
    BLOCK = 256                 # features whose sign bits stay in L1 while all lanes pass

cdef double PARALLEL = 1e-8     # squared sine of the angle below which two residuals are one,
cdef double FAR = 8.0           # or else the third so much shorter than its parts
cdef double ROUNDING = 1e-11    # of the lengths: what dot products with them are off by


def chords(
    const double[:, ::1] Q,         # in   (m, n)  residuals
    const Py_ssize_t[::1] left,     # in   (k,)  rows of Q: a,
    const Py_ssize_t[::1] right,    # in   (k,)  b
    const Py_ssize_t[::1] between,  # in   (k,)  and r
    double reach,                   # in   largest |m_j| / |x_j - m_j|
    double[::1] s,                  # out  (k,)
    double[::1] t,                  # out  (k,)
    double[::1] rest,               # out  (k,)  |e| + reach |sum(e)|, and what rounding may add
):
    """How each residual follows from two others."""
    cdef Py_ssize_t k, i, n = Q.shape[1]
    cdef const double* a
    cdef const double* b
    cdef const double* r
    cdef double aa, ab, bb, ar, br, rr, det, d, total, squares
    with nogil:
        for k in range(between.shape[0]):
            a, b, r = &Q[left[k], 0], &Q[right[k], 0], &Q[between[k], 0]
            aa, ab, bb = simd.dot(n, a, a), simd.dot(n, a, b), simd.dot(n, b, b)
            ar, br, rr = simd.dot(n, a, r), simd.dot(n, b, r), simd.dot(n, r, r)
            det = aa * bb - ab * ab
            s[k] = t[k] = 0.0
            if det > PARALLEL * aa * bb:
                s[k], t[k] = (ar * bb - br * ab) / det, (br * aa - ar * ab) / det
            if not s[k] * s[k] * aa + t[k] * t[k] * bb <= FAR * FAR * rr or s[k] == t[k] == 0.0:
                s[k], t[k] = 0.0, br / bb if bb > 0.0 else 0.0
            total = squares = 0.0
            for i in range(n):
                d = r[i] - s[k] * a[i] - t[k] * b[i]
                total += d
                squares += d * d
            rest[k] = sqrt(squares) + reach * fabs(total)
            rest[k] += ROUNDING * (fabs(s[k]) * sqrt(aa) + fabs(t[k]) * sqrt(bb) + sqrt(rr))


def doubtful(
    const double[:, ::1] G,         # in   (m, p)  X'a and X'b, of neighbours
    const Py_ssize_t[::1] left,     # in   (k,)  rows of G: X'a; X'b is in the next
    const double[::1] s,            # in   (k,)  from `chords`
    const double[::1] t,            # in   (k,)
    const double[::1] rest,         # in   (k,)
    const double[::1] limit,        # in   (k,)  penalties
    const double[::1] f1,           # in   (p,) or None: ones; inf: excluded
    const double[::1] norm,         # in   (p,)  finite |x_j - m_j|
    unsigned char[::1] marks,       # out  (p,)  1: |x_j'r| may reach limit f1_j in some lane
):
    """Which features are not out of the question."""
    cdef Py_ssize_t first = 0, count, k, j, p = norm.shape[0]
    cdef double signs[BLOCK]
    with nogil:
        while first < p:
            count = min(<Py_ssize_t>BLOCK, p - first)
            memset(signs, 0, sizeof(signs))
            for k in range(left.shape[0]):
                simd.doubt(
                    count, s[k], &G[left[k], first], t[k], &G[left[k] + 1, first], rest[k], &norm[first], limit[k],
                    NULL if f1 is None else &f1[first], signs
                )
            for j in range(count):
                marks[first + j] = signs[j] < 0.0
            first += BLOCK
