"""The columns that a residual solver reads, sparse or packed, and products with them in parts that a team takes.

What the parts are depends on the columns alone, so that the bits do not depend on who helps.
"""
from libc.stdint cimport int32_t, int64_t
from libc.string cimport memset

from ._simd cimport simd, simd_init
from .columns cimport Columns, Team, TeamState


cdef extern from "team.h" nogil:
    ctypedef void (*Task "fr_task")(void* context, int part) noexcept nogil
    void run "fr_team_run"(TeamState* team, Task task, void* context, int parts)
    void help_out "fr_team_help"(TeamState* team)
    void set_open "fr_team_open"(TeamState* team, int open)

if simd_init() != 0:
    raise ImportError("FASTREG_SIMD must be baseline, avx2 or avx512, and this machine must have it")

cdef enum:
    PART = 15_000           # entries that are worth a part of their own ...
    SPREAD = 1              # ... and times n, since each part has sums of its own


cdef class Team:
    """A thread that solves, and those that help it with products; made open, each task is for one of them alone."""

    def __cinit__(self):
        memset(&self.state, 0, sizeof(TeamState))
        set_open(&self.state, True)

    def help(self):
        """Take parts of what is shared out, until the team is closed."""
        with nogil:
            help_out(&self.state)

    def close(self):
        """Let the helpers go."""
        set_open(&self.state, False)


# -------------------------------------------------------------------- one column

cdef double dot(const Columns* x, int j, const double* r) noexcept nogil:
    if x.packed != NULL:
        return simd.dot(x.n, x.packed + j * x.n, r)
    return simd.gather1(&x.near if x.copied[j] else &x.X, x.starts[j], x.stops[j], r)


cdef void axpy(const Columns* x, int j, double a, const double* s, double* r) noexcept nogil:
    """r += a s x_j; s NULL: ones."""
    cdef const double* column
    cdef Py_ssize_t i
    if x.packed == NULL:
        simd.scatter1(&x.near if x.copied[j] else &x.X, x.starts[j], x.stops[j], a, s, r)
    elif s == NULL:
        simd.axpy(x.n, a, x.packed + j * x.n, r)
    else:
        column = x.packed + j * x.n
        for i in range(x.n):
            r[i] += a * s[i] * column[i]


cdef void copy(Columns* x, int j) noexcept nogil:
    """Put the entries of a column next to those of the columns before it, if there is room."""
    cdef Py_ssize_t k, start = x.starts[j], count = x.stops[j] - start
    if x.copied[j] or x.used + count > x.room:
        return
    for k in range(count):
        x.near_index[x.used + k] = <int>(
            (<const int64_t*>x.X.index)[start + k] if x.X.wide else (<const int32_t*>x.X.index)[start + k]
        )
        x.near_value[x.used + k] = (
            (<const float*>x.X.value)[start + k] if x.X.single else (<const double*>x.X.value)[start + k]
        )
    x.copied[j], x.starts[j], x.stops[j] = True, x.used, x.used + count
    x.used += count


# -------------------------------------------------------------------- many of them, in parts

ctypedef struct Work:
    const Columns* x
    const int* F                    # the columns; NULL: 0..count-1
    const double* v                 # in: a residual or weights of the columns
    const double* s
    double* out
    double level
    int parts
    int edges[MOST_PARTS + 1]       # of F


cdef void share_out(Work* work, const Columns* x, const int* F, int count, Py_ssize_t least) noexcept nogil:
    """Cut the columns into parts of about as many entries, at least `least`."""
    cdef Py_ssize_t total = 0, held = 0
    cdef int k, j, part = 0
    work.x, work.F = x, F
    if x.packed != NULL:
        total = count * x.n
    else:
        for k in range(count):
            j = F[k] if F != NULL else k
            total += x.stops[j] - x.starts[j]
    work.parts = <int>min(<Py_ssize_t>MOST_PARTS, max(<Py_ssize_t>1, total // least))
    for k in range(count):
        j = F[k] if F != NULL else k
        while part < work.parts and held * work.parts >= part * total:
            work.edges[part] = k
            part += 1
        held += x.n if x.packed != NULL else x.stops[j] - x.starts[j]
    while part <= work.parts:
        work.edges[part] = count
        part += 1


cdef void correlate_part(void* context, int part) noexcept nogil:
    cdef Work* work = <Work*>context
    cdef int k
    for k in range(work.edges[part], work.edges[part + 1]):
        work.out[k] = dot(work.x, work.F[k] if work.F != NULL else k, work.v)


cdef void correlate(const Columns* x, const int* F, int count, const double* r, double* out) noexcept nogil:
    """out[k] = x_F[k]'r."""
    cdef Work work
    work.v, work.out = r, out
    share_out(&work, x, F, count, PART)
    run(x.team, correlate_part, &work, work.parts)


cdef void combine_part(void* context, int part) noexcept nogil:
    """A share of the columns, into sums of its own."""
    cdef Work* work = <Work*>context
    cdef double* out = work.out if part == 0 else work.x.sums + (part - 1) * work.x.n
    cdef int k
    memset(out, 0, work.x.n * sizeof(double))
    for k in range(work.edges[part], work.edges[part + 1]):
        if work.v[k] != 0.0:
            axpy(work.x, work.F[k] if work.F != NULL else k, work.v[k], NULL, out)


cdef void add_up_part(void* context, int part) noexcept nogil:
    """The sums of all parts, for a share of the rows."""
    cdef Work* work = <Work*>context
    cdef Py_ssize_t n = work.x.n, i, first = part * n // work.parts, stop = (part + 1) * n // work.parts
    cdef int k
    for k in range(work.parts - 1):
        simd.axpy(stop - first, 1.0, work.x.sums + k * n + first, work.out + first)
    if work.level != 0.0:
        for i in range(first, stop):
            work.out[i] -= work.level
    if work.s != NULL:
        for i in range(first, stop):
            work.out[i] *= work.s[i]


cdef void combine(const Columns* x, const int* F, int count, const double* v, double level, const double* s,
                  double* out) noexcept nogil:
    """out = s (sum_k v[k] x_F[k] - level); s NULL: ones."""
    cdef Work work
    work.v, work.s, work.level, work.out = v, s, level, out
    share_out(&work, x, F, count, max(<Py_ssize_t>PART, SPREAD * x.n))
    run(x.team, combine_part, &work, work.parts)
    run(x.team, add_up_part, &work, work.parts)
