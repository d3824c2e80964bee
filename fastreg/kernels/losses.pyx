"""Smooth losses of the linear predictor z: value, first two derivatives, and what their conjugates say of a dual point.

A loss is two functions of a short run of rows, listed in `run_of` and `gap_of`:

    its value f(y, z), up to what makes the best z for a given y worth nothing, minus its slope, r = -f', and f'' ;
    the divergence f*(v) - f*(u) - z (v - u) >= 0 for the slope u = f'(z) and another slope v that f can have.

A sum of divergences is a duality gap's part that comes from the loss: terms none of which is negative, each computed so
that nothing cancels (Fenchel-Young).  For v = u it is zero.
"""
from libc.math cimport INFINITY, exp, fabs, log, log1p

from ._simd cimport simd
from .columns cimport MOST_PARTS
from .parts cimport TeamState, run_parts

cdef enum:
    POISSON = 1            # in NUMBERS
    RUN = 128              # rows at a time: their exponentials stay in L1
    PART_ROWS = 4096       # rows that are worth a part of their own
    MOST_STEPS = 200       # to the intercept
    HALVINGS = 40          # of a step

cdef double EXACT = 4e-16  # of the sum of |r|: a sum of r below is rounding
cdef double DECREASE = 1e-4  # of the decrease that the slope promises: enough
cdef double NOISE = 1e-9   # of the objective: a change below may be rounding
cdef double FLATTER = 0.8  # of the slope: it has fallen
cdef double EDGE = 1e-12   # a dual point that is outside by less is on the edge, but for rounding
cdef double RARE = 1e-200  # a probability below is known by its logarithm

ctypedef double (*Run)(Py_ssize_t n, double parameter, const double* y, const double* z, const double* s, double* r,
                       double* h) noexcept nogil
ctypedef double (*Gap)(Py_ssize_t n, double parameter, const double* y, const double* z, const double* u,
                       const double* v, const double* s) noexcept nogil


cdef double logistic(Py_ssize_t n, double parameter, const double* y, const double* z, const double* s, double* r,
                     double* h) noexcept nogil:
    """log(1 + e^z) - y z, for y in {0, 1}."""
    cdef double e[RUN]
    cdef double l[RUN]
    cdef double p, q, small, large
    cdef Py_ssize_t i
    for i in range(n):
        l[i] = -fabs(z[i])
    simd.exp(n, l, e)
    simd.log1p(n, e, l)
    for i in range(n):
        large = 1.0 / (1.0 + e[i])                           # the probabilities of |z|
        small = e[i] * large
        p = small if z[i] < 0.0 else large
        q = large if z[i] < 0.0 else small
        h[i] = large * small
        r[i] = y[i] * q - (1.0 - y[i]) * p
        l[i] += 0.5 * (fabs(z[i]) + z[i]) * (1.0 - y[i]) + 0.5 * (fabs(z[i]) - z[i]) * y[i]
    if s != NULL:
        for i in range(n):
            h[i] *= s[i]
            r[i] *= s[i]
            l[i] *= s[i]
    return sum_of(n, l)


cdef double sum_of(Py_ssize_t n, const double* x) noexcept nogil:
    """In eight strands, which do not wait for each other."""
    cdef double strand[8]
    cdef Py_ssize_t i = 0, k
    for k in range(8):
        strand[k] = 0.0
    while i + 8 <= n:
        for k in range(8):
            strand[k] += x[i + k]
        i += 8
    while i < n:
        strand[0] += x[i]
        i += 1
    return ((strand[0] + strand[1]) + (strand[2] + strand[3])) + ((strand[4] + strand[5]) + (strand[6] + strand[7]))


cdef inline double above(double a, double t) noexcept nogil:
    """a ((1 + t) log(1 + t) - t), which is a t^2 / 2 for a small t."""
    if a <= 0.0:
        return 0.0
    if t <= -1.0:
        return a
    if fabs(t) < 1e-4:
        return a * t * t * (0.5 - t / 6.0 + t * t / 12.0)
    return a * ((1.0 + t) * log1p(t) - t)


cdef double logistic_gap(Py_ssize_t n, double parameter, const double* y, const double* z, const double* u,
                         const double* v, const double* s) noexcept nogil:
    cdef double e[RUN]
    cdef double total = 0.0, p, q, new, rare
    cdef Py_ssize_t i
    for i in range(n):
        e[i] = -fabs(z[i])
    simd.exp(n, e, e)
    for i in range(n):
        p, q = 1.0 / (1.0 + e[i]), e[i] / (1.0 + e[i])
        if z[i] < 0.0:
            p, q = q, p
        new = v[i] + y[i]
        if new < -EDGE or new > 1.0 + EDGE:
            return INFINITY
        if e[i] < RARE:                          # the rarer outcome's probability may have vanished, its logarithm not
            rare = min(max(new if z[i] < 0.0 else -v[i] + (1.0 - y[i]), 0.0), 1.0)
            if rare > 0.0 and v[i] != u[i]:
                new = rare * (log(rare) + fabs(z[i])) + (1.0 - rare) * log1p(-rare) if rare < 1.0 else fabs(z[i])
                total += (1.0 if s == NULL else s[i]) * max(new, 0.0)
            continue
        total += (1.0 if s == NULL else s[i]) * (above(p, (v[i] - u[i]) / p) + above(q, (u[i] - v[i]) / q))
    return total


cdef double poisson(Py_ssize_t n, double parameter, const double* y, const double* z, const double* s, double* r,
                    double* h) noexcept nogil:
    """e^z - y z, less its least value: half the deviance of counts y >= 0 with a mean of e^z."""
    cdef double mean[RUN]
    cdef double total = 0.0, weight
    cdef Py_ssize_t i
    simd.exp(n, z, mean)
    for i in range(n):
        weight = 1.0 if s == NULL else s[i]
        h[i] = weight * mean[i]
        r[i] = weight * (y[i] - mean[i])
        if y[i] == 0.0:
            total += weight * mean[i]
        elif fabs(mean[i] - y[i]) < 0.1 * y[i]:
            total += weight * y[i] * short_of((mean[i] - y[i]) / y[i])
        else:
            total += weight * (mean[i] - y[i] - y[i] * (z[i] - log(y[i])))
    return total


cdef inline double short_of(double t) noexcept nogil:
    """t - log(1 + t), which is t^2 / 2 for a small t."""
    if fabs(t) < 1e-3:
        return t * t * (0.5 - t * (1.0 / 3.0 - t * (0.25 - t * (0.2 - t / 6.0))))
    return t - log1p(t)


cdef double poisson_gap(Py_ssize_t n, double parameter, const double* y, const double* z, const double* u,
                        const double* v, const double* s) noexcept nogil:
    cdef Py_ssize_t i
    cdef double total = 0.0, mean
    for i in range(n):
        mean = u[i] + y[i]
        if v[i] + y[i] < -EDGE * (1.0 + y[i]):
            return INFINITY
        if mean > 0.0:
            total += (1.0 if s == NULL else s[i]) * above(mean, (v[i] - u[i]) / mean)
        elif v[i] > u[i]:
            return INFINITY
    return total


cdef double squared_hinge(Py_ssize_t n, double parameter, const double* y, const double* z, const double* s, double* r,
                          double* h) noexcept nogil:
    """max(0, 1 - t z)^2 / 2, with t = 2 y - 1 for y in {0, 1}."""
    cdef double total = 0.0, weight, t, margin
    cdef Py_ssize_t i
    for i in range(n):
        weight, t = 1.0 if s == NULL else s[i], 2.0 * y[i] - 1.0
        margin = max(1.0 - t * z[i], 0.0)
        r[i] = weight * t * margin
        h[i] = weight if margin > 0.0 else 0.0
        total += 0.5 * weight * margin * margin
    return total


cdef double squared_hinge_gap(Py_ssize_t n, double parameter, const double* y, const double* z, const double* u,
                              const double* v, const double* s) noexcept nogil:
    cdef Py_ssize_t i
    cdef double total = 0.0, t
    for i in range(n):
        t = 2.0 * y[i] - 1.0
        if v[i] * t > EDGE:
            return INFINITY
        total += (1.0 if s == NULL else s[i]) * (
            0.5 * (v[i] - u[i]) * (v[i] - u[i]) + (v[i] - u[i]) * t * min(1.0 - t * z[i], 0.0)
        )
    return total


cdef double huber(Py_ssize_t n, double parameter, const double* y, const double* z, const double* s, double* r,
                  double* h) noexcept nogil:
    """(y - z)^2 / 2, beyond |y - z| = d continued by straight lines; d is `parameter`."""
    cdef double total = 0.0, weight, left
    cdef Py_ssize_t i
    for i in range(n):
        weight, left = 1.0 if s == NULL else s[i], y[i] - z[i]
        if fabs(left) <= parameter:
            r[i], h[i] = weight * left, weight
            total += 0.5 * weight * left * left
        else:
            r[i], h[i] = weight * (parameter if left > 0.0 else -parameter), 0.0
            total += weight * parameter * (fabs(left) - 0.5 * parameter)
    return total


cdef double huber_gap(Py_ssize_t n, double parameter, const double* y, const double* z, const double* u,
                      const double* v, const double* s) noexcept nogil:
    cdef Py_ssize_t i
    cdef double total = 0.0, beyond
    for i in range(n):
        if fabs(v[i]) > parameter * (1.0 + EDGE):
            return INFINITY
        beyond = y[i] - z[i]
        beyond -= min(max(beyond, -parameter), parameter)
        total += (1.0 if s == NULL else s[i]) * (0.5 * (v[i] - u[i]) * (v[i] - u[i]) + (v[i] - u[i]) * beyond)
    return total


NUMBERS = {"logistic": 0, "poisson": 1, "squared_hinge": 2, "huber": 3}

cdef Run run_of[4]
cdef Gap gap_of[4]
run_of[0], run_of[1], run_of[2], run_of[3] = logistic, poisson, squared_hinge, huber
gap_of[0], gap_of[1], gap_of[2], gap_of[3] = logistic_gap, poisson_gap, squared_hinge_gap, huber_gap


cdef void part_of(void* context, int part) noexcept nogil:
    """A share of the rows: z + t line (unless line is NULL) to `ahead`, and the loss there."""
    cdef Rows* rows = <Rows*>context
    cdef Py_ssize_t first = part * rows.n // rows.parts // RUN * RUN, i, k, count
    cdef Py_ssize_t stop = (part + 1) * rows.n // rows.parts // RUN * RUN if part + 1 < rows.parts else rows.n
    cdef double total = 0.0
    i = first
    while i < stop:
        count = min(<Py_ssize_t>RUN, stop - i)
        if rows.line != NULL:
            for k in range(i, i + count):
                rows.ahead[k] = rows.z[k] + rows.t * rows.line[k]
        total += run_of[rows.loss](count, rows.parameter, rows.y + i, rows.ahead + i,
                                   NULL if rows.s == NULL else rows.s + i, rows.r + i, rows.h + i)
        i += RUN
    rows.total[part], rows.sum_r[part] = total, sum_of(stop - first, rows.r + first)
    rows.sum_h[part] = sum_of(stop - first, rows.h + first)


cdef double everywhere(Rows* rows, TeamState* team) noexcept nogil:
    """The sum of s f over all rows; those of r and h end in `sum_r[0]` and `sum_h[0]`."""
    cdef int k
    rows.parts = <int>min(<Py_ssize_t>MOST_PARTS, max(<Py_ssize_t>1, rows.n // PART_ROWS))
    run_parts(team, part_of, rows, rows.parts)
    for k in range(1, rows.parts):
        rows.total[0] += rows.total[k]
        rows.sum_r[0] += rows.sum_r[k]
        rows.sum_h[0] += rows.sum_h[k]
    return rows.total[0]


cdef double whole(int loss, double parameter, const double[::1] y, const double[::1] s, const double[::1] z,
                  double[::1] r, double[::1] h) noexcept nogil:
    cdef Rows rows
    if y.shape[0] == 0:
        return 0.0
    rows.loss, rows.parameter, rows.n, rows.line = loss, parameter, y.shape[0], NULL
    rows.y, rows.s, rows.ahead = &y[0], NULL if s is None else &s[0], <double*>&z[0]
    rows.r, rows.h = &r[0], &h[0]
    return everywhere(&rows, NULL)


def evaluate(
    int loss,                       # in   a value of NUMBERS
    double parameter,               # in   of the loss, if it has one
    const double[::1] y,            # in   (n,)
    const double[::1] s,            # in   (n,) weights, or None: ones
    const double[::1] z,            # in   (n,)
    double[::1] r,                  # out  (n,)  -s f'(z)
    double[::1] h,                  # out  (n,)  s f''(z)
):
    """The sum of s f(y, z)."""
    cdef double total
    with nogil:
        total = whole(loss, parameter, y, s, z, r, h)
    return total


cdef double mean_level(const double[::1] y, const double[::1] s, const double[::1] z) noexcept nogil:
    """What makes the expected counts e^z sum to those of y."""
    cdef Py_ssize_t i, n = y.shape[0]
    cdef double top = -INFINITY, counts = 0.0, means = 0.0, weight
    for i in range(n):
        if s is None or s[i] > 0.0:
            top = max(top, z[i])
    for i in range(n):
        weight = 1.0 if s is None else s[i]
        counts += weight * y[i]
        means += weight * exp(z[i] - top)
    return log(counts) - log(means) - top if counts > 0.0 and means > 0.0 else 0.0


def level(
    int loss,
    double parameter,
    const double[::1] y,
    const double[::1] s,
    double[::1] z,                  # in/out (n,)  a constant is added
    double[::1] r,                  # out  (n,)  -s f'(z)
    double[::1] h,                  # out  (n,)  s f''(z)
):
    """(constant that makes the sum of r zero, sum of s f there): Newton's method between bounds that close in."""
    cdef Py_ssize_t i, n = y.shape[0]
    cdef double low = -INFINITY, high = INFINITY, at = 0.0, to, step, ahead, curvature, size, value, stride = 1.0
    with nogil:
        if loss == POISSON:                      # the answer is known: it is where the steps start
            at = mean_level(y, s, z)
            for i in range(n):
                z[i] += at
        value = whole(loss, parameter, y, s, z, r, h)
        for _ in range(MOST_STEPS):
            ahead, curvature, size = sum_of(n, &r[0]), sum_of(n, &h[0]), 0.0
            for i in range(n):
                size += fabs(r[i])
            if fabs(ahead) <= EXACT * size:
                break
            if ahead > 0.0:
                low = at
            else:
                high = at
            step = ahead / curvature if curvature > 1e-12 * size else INFINITY
            if fabs(step) > stride:              # a step that long is not to be trusted
                step = stride if ahead > 0.0 else -stride
                stride *= 2.0
            to = at + step
            if not low < to < high:
                to = 0.5 * (low + high)
            if to == at or not low < to < high:
                break
            step, at = to - at, to
            for i in range(n):
                z[i] += step
            value = whole(loss, parameter, y, s, z, r, h)
    return at, value


cdef double search(Rows* rows, TeamState* team, const Change* change, double value, double slope,
                   double size) noexcept nogil:
    """The first t of 1, 1/2, 1/4 ... at which the objective has fallen enough, 0 if none; `rows` has what is there.

    `value` is the sum of s f at z, `slope` that of the loss along the line over the total; `size` is of the objective,
    what its rounding is measured by.  Where its changes drown in rounding, its slope has to have fallen (W. Hager and
    H. Zhang, SIAM Journal on Optimization 16, 2005).
    """
    cdef int k
    cdef double t = 1.0, fall, to, ahead_slope, a, b
    for k in range(change.count):
        to = change.w[k] + change.d[k]
        slope += change.l1 * change.f1[k] * (fabs(to) - fabs(change.w[k]))
        slope += 0.5 * change.l2 * change.f2[k] * change.d[k] * (to + change.w[k])
    for _ in range(HALVINGS):
        rows.t = t
        fall = (everywhere(rows, team) - value) / change.total
        for k in range(change.count):
            to = change.w[k] + t * change.d[k]
            fall += change.l1 * change.f1[k] * (fabs(to) - fabs(change.w[k]))
            fall += 0.5 * change.l2 * change.f2[k] * t * change.d[k] * (to + change.w[k])
        if fall <= DECREASE * t * slope:
            return t
        if fall <= NOISE * size:
            ahead_slope = -simd.dot(rows.n, rows.r, rows.line) / change.total
            for k in range(change.count):
                to, a, b = change.w[k] + t * change.d[k], change.l1 * change.f1[k], change.l2 * change.f2[k]
                ahead_slope += b * change.d[k] * to + a * change.d[k] * (
                    1.0 if to > 0.0 or (to == 0.0 and change.w[k] > 0.0) else -1.0
                )
            if ahead_slope <= -FLATTER * slope:
                return t
        t *= 0.5
    return 0.0


cdef double diverge(int loss, double parameter, Py_ssize_t n, const double* y, const double* s, const double* z,
                    const double* r, const double* off, double kappa) noexcept nogil:
    """As `divergence`; s and off may be NULL."""
    cdef double u[RUN]
    cdef double v[RUN]
    cdef Py_ssize_t i = 0, k, count
    cdef double total = 0.0
    while i < n:
        count = min(<Py_ssize_t>RUN, n - i)
        for k in range(count):
            u[k] = -r[i + k]
            if s != NULL:
                u[k] = u[k] / s[i + k] if s[i + k] > 0.0 else 0.0
            v[k] = kappa * (u[k] if off == NULL else u[k] + off[i + k])
            if s != NULL and s[i + k] == 0.0:
                u[k] = v[k] = -y[i + k] if loss == 0 else 0.0
        total += gap_of[loss](count, parameter, y + i, z + i, u, v, NULL if s == NULL else s + i)
        i += RUN
    return total


def divergence(
    int loss,
    double parameter,
    const double[::1] y,
    const double[::1] s,
    const double[::1] z,            # in   (n,)
    const double[::1] r,            # in   (n,)  -s f'(z)
    const double[::1] off,          # in   (n,)  taken off r / s, or None
    double kappa,                   # in   what the rest is scaled by
):
    """The sum of s (f*(v) - f*(u) - z (v - u)), u = -r / s, v = kappa (u + off); inf where f has no such slope."""
    cdef double total
    if y.shape[0] == 0:
        return 0.0
    with nogil:
        total = diverge(loss, parameter, y.shape[0], &y[0], NULL if s is None else &s[0], &z[0], &r[0],
                        NULL if off is None else &off[0], kappa)
    return total
