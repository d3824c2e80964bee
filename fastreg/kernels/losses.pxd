"""Losses at a new point along a line, in parts that a team takes."""

from .columns cimport MOST_PARTS, TeamState


ctypedef struct Rows:
    int loss                # a value of NUMBERS
    double parameter        # of the loss, if it has one
    Py_ssize_t n
    const double* y
    const double* s         # weights, or NULL: ones
    const double* z
    const double* line      # change of z for a whole step; NULL: `ahead` is given
    double t                # share of the step
    double* ahead           # (n,) out: z + t line
    double* r               # (n,) out: -s f' there
    double* h               # (n,) out: s f''
    int parts
    double[MOST_PARTS] total    # out: sums of s f, r and h, by parts, then the whole in the first place
    double[MOST_PARTS] sum_r
    double[MOST_PARTS] sum_h

ctypedef struct Change:     # of the coefficients, for a whole step
    int count
    const double* w
    const double* d
    const double* f1        # penalty factors
    const double* f2
    double l1
    double l2
    double total            # what sums over rows are divided by

cdef double everywhere(Rows* rows, TeamState* team) noexcept nogil
cdef double diverge(int loss, double parameter, Py_ssize_t n, const double* y, const double* s, const double* z,
                    const double* r, const double* off, double kappa) noexcept nogil
cdef double search(Rows* rows, TeamState* team, const Change* change, double value, double slope,
                   double size) noexcept nogil
