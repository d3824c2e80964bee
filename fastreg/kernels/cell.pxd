"""A sign cell: features with known Gram matrix, those in use with their signs, and the factor of their equations."""
from .factor cimport Factor

cdef enum:
    POSITIVE = 1           # sides: w_j > 0 allowed
    NEGATIVE = 2           # w_j < 0 allowed; 0: the feature stays at zero
    PINNED = -2


cdef struct Kink:          # where a coefficient meets zero (or, negative place, a bound) along a line
    double t
    int place


cdef inline int by_t(const void* left, const void* right) noexcept nogil:
    cdef double a = (<const Kink*>left).t, b = (<const Kink*>right).t
    return (a > b) - (a < b)


cdef inline void shuffle(int* V, int count, unsigned long long* seed) noexcept nogil:
    """V[:count] in random order, unless the seed is zero (xorshift64)."""
    cdef int k, other
    if seed[0] == 0:
        return
    for k in range(count - 1, 0, -1):
        seed[0] ^= seed[0] << 13
        seed[0] ^= seed[0] >> 7
        seed[0] ^= seed[0] << 17
        other = <int>(seed[0] % <unsigned long long>(k + 1))
        V[k], V[other] = V[other], V[k]


cdef class SignCell:
    cdef readonly Py_ssize_t m
    cdef public long carried    # sweeps and steps spent on the way to the next alpha
    cdef Py_ssize_t capacity, ldg
    cdef Py_ssize_t most        # features that the factor has room for at most
    cdef dict arrays
    cdef const double* G
    cdef double *w
    cdef double *g
    cdef double *q
    cdef double *f1
    cdef double *f2
    cdef double *x              # (a,) solution on A, in the order of A
    cdef double *d
    cdef double *sign
    cdef double *entry          # (m,) trial values of entrants, and G d in a Newton step
    cdef double *entry_g
    cdef double *base           # (m,) where q is the gradient
    cdef int *B                 # its nonzero features
    cdef Py_ssize_t based       # how many
    cdef double *best           # (m,) the best point met while guessing
    cdef int *A
    cdef double *lower
    cdef double *upper
    cdef int *P                 # features held at a bound that is not zero
    cdef Py_ssize_t pinned
    cdef int *where             # place of a feature in A; -1: at zero, PINNED: at another bound
    cdef int *V                 # entrants
    cdef int *leave
    cdef signed char *sides
    cdef Kink *kinks
    cdef Factor factor
    cdef double l1, l2, factor_l2
    cdef public double size     # of a gradient that matters, where no penalty says so
    cdef double noise           # rounding error of a gradient, per unit of its feature's norm
    cdef long changes           # how often A or a sign in it has changed
    cdef bint floored           # the factor holds raised pivots: it is a majorant, not H itself
    cdef unsigned long long seed    # 0: cyclic order

    cdef void take_in(self, Py_ssize_t count, const double* q, const double* f1, const double* f2, const double* lower,
                      const double* upper) noexcept nogil
    cdef void clear(self, unsigned long long seed) noexcept nogil
    cdef int append(self, int count, bint floor) noexcept nogil
    cdef void truncate(self, Py_ssize_t size) noexcept nogil
    cdef void drop(self, int count) noexcept nogil
    cdef int refactor(self, bint floor) noexcept nogil
    cdef void subtract_gram(self, const double* v, double* out) noexcept nogil
    cdef void gradient(self) noexcept nogil
    cdef double misfit(self) noexcept nogil
    cdef void solve_cell(self) noexcept nogil
    cdef int violators(self) noexcept nogil
    cdef int release(self) noexcept nogil
    cdef void pin(self, Py_ssize_t j, double bound) noexcept nogil
    cdef void list_pinned(self) noexcept nogil
    cdef double objective(self) noexcept nogil
    cdef void adopt_support(self) noexcept nogil
