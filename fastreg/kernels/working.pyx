"""The working set of a loss that is not quadratic: products with its columns, steps on a model of it, its gap."""
from libc.math cimport INFINITY, fabs, sqrt

from .columns cimport ColumnSet, accumulate, combine, correlate
from .losses cimport Change, Rows, search


def dots(
    ColumnSet columns,
    const int[::1] some,            # in   (k,)  numbers of columns
    const double[::1] r,            # in   (n,)
    double[::1] out,                # out  (k,)
):
    """out[i] = column some[i] times r."""
    if some.shape[0] == 0:
        return
    with nogil:
        correlate(&columns.x, &some[0], <int>some.shape[0], &r[0], &out[0])


def add(
    ColumnSet columns,
    const int[::1] some,            # in   (k,)
    const double[::1] w,            # in   (k,)
    Py_ssize_t first,               # in   rows first..stop-1; all of them for sparse columns
    Py_ssize_t stop,
    double[::1] out,                # in/out (n,)
):
    """out += sum_i w[i] times column some[i]."""
    if some.shape[0] == 0:
        return
    with nogil:
        accumulate(&columns.x, &some[0], <int>some.shape[0], &w[0], first, stop, &out[0])


def advance(
    ColumnSet columns,
    const int[::1] some,            # in   (k,)  numbers of the model's columns
    int loss,                       # in   a value of losses.NUMBERS
    double parameter,               # in   of the loss, if it has one
    const double[::1] y,            # in   (n,)
    const double[::1] s,            # in   (n,) weights, or None: ones
    double total,                   # in   what sums over rows are divided by
    const double[::1] z,            # in   (n,)  linear predictor
    double[::1] line,               # out  (n,)  its change for a whole step
    double[::1] ahead,              # out  (n,)  linear predictor at the new point,
    double[::1] r,                  # out  (n,)  -s f' there
    double[::1] h,                  # out  (n,)  and s f''
    double[::1] w,                  # in/out (k,)
    const double[::1] target,       # in   (k,)  the minimum of the model,
    double shift,                   # in   and how far its intercept is
    const double[::1] f1,           # in   (k,)  penalty factors
    const double[::1] f2,           # in   (k,)
    double l1,
    double l2,
    const double[::1] g,            # in   (k,)  gradients of the loss, with a minus
    double level,                   # in   the intercept's
    double value,                   # in   the sum of s f
    int[::1] moving,                # out  (k,)  scratch
    double[:, ::1] room,            # out  (4, k)  scratch
    double[::1] new_g,              # out  (k,)  gradients at the new point
):
    """A step towards the minimum of a model, as far as the objective allows.

    Returns (share of it, 0 if none; sums of s f, r and h at the new point).
    """
    cdef Rows rows
    cdef Change change
    cdef Py_ssize_t j, k = w.shape[0]
    cdef int count = 0
    cdef double slope = -level * shift, size = value / total, t = 0.0
    if y.shape[0] == 0:
        return 0.0, value, 0.0, 0.0
    with nogil:
        for j in range(k):
            if w[j] != 0.0:
                size += l1 * f1[j] * fabs(w[j])
            if target[j] != w[j]:
                moving[count] = some[j]
                room[0, count], room[1, count], room[2, count], room[3, count] = w[j], target[j] - w[j], f1[j], f2[j]
                slope -= g[j] * (target[j] - w[j])
                count += 1
        if count > 0 or shift != 0.0:
            if count > 0:
                change.w, change.d, change.f1, change.f2 = &room[0, 0], &room[1, 0], &room[2, 0], &room[3, 0]
            change.count, change.l1, change.l2, change.total = count, l1, l2, total
            combine(&columns.x, &moving[0] if count else NULL, count, change.d if count else NULL, -shift, NULL,
                    &line[0])
            rows.loss, rows.parameter, rows.n = loss, parameter, y.shape[0]
            rows.y, rows.s, rows.z, rows.line = &y[0], NULL if s is None else &s[0], &z[0], &line[0]
            rows.ahead, rows.r, rows.h = &ahead[0], &r[0], &h[0]
            t = search(&rows, columns.x.team, &change, value, slope, size)
        if t != 0.0:
            for j in range(k):
                w[j] = target[j] if t == 1.0 else w[j] + t * (target[j] - w[j])
            if k > 0:
                correlate(&columns.x, &some[0], <int>k, &r[0], &new_g[0])
            for j in range(k):
                new_g[j] /= total
            value = rows.total[0]
    if t == 0.0:
        return 0.0, value, 0.0, 0.0
    return t, value, rows.sum_r[0], rows.sum_h[0]


def gap(
    const double[::1] g,            # in   (k,)  gradients of the loss, with a minus
    const double[::1] w,            # in   (k,)
    double l1,
    double l2,
    const double[::1] f1,           # in   (k,)  penalty factors; inf: excluded
    const double[::1] f2,           # in   (k,)
    const double[::1] lower,        # in   (k,)
    const double[::1] upper,        # in   (k,)
    const double[::1] norm,         # in   (k,)  curvatures
):
    """(kappa, duality gap): the dual point scaled by kappa is feasible, but for unpenalised features.

    What these lack enters by a bound that is of the right size, not proved.  The loss's part is not in it.
    """
    cdef Py_ssize_t j, m = g.shape[0]
    cdef double kappa = 1.0, gap = 0.0, off = 0.0, excess, bound, c, a, b
    with nogil:
        for j in range(m):
            if f1[j] == INFINITY:
                continue
            a, b = l1 * f1[j], l2 * f2[j]
            bound = upper[j] if g[j] > 0.0 else -lower[j]
            excess = fabs(g[j]) - a
            if excess <= 0.0:
                continue
            if a == 0.0 and b == 0.0:
                if norm[j] > 0.0 and w[j] != (upper[j] if g[j] > 0.0 else lower[j]):
                    off += excess * excess / norm[j]
            elif bound == 0.0:
                continue
            elif b > 0.0:
                c = min(excess / b, bound)
                gap += c * (excess - 0.5 * b * c)
            elif bound < INFINITY:
                gap += excess * bound
            elif fabs(g[j]) * kappa > a:
                kappa = a / fabs(g[j])
        for j in range(m):
            if w[j] != 0.0:
                a, b = l1 * f1[j], l2 * f2[j]
                if a > 0.0 or b > 0.0:
                    gap += a * fabs(w[j]) + 0.5 * b * w[j] * w[j] - kappa * g[j] * w[j]
                    gap += sqrt(off * norm[j]) * fabs(w[j])
    return kappa, gap + off


def stretch(const double[::1] r, const double[::1] h):
    """The sum of r^2 / h over rows with h > 0: twice a loss's part of a gap, over (1 - kappa)^2, to first order."""
    cdef Py_ssize_t i = 0, k, n = r.shape[0]
    cdef double strand[4]
    with nogil:
        for k in range(4):
            strand[k] = 0.0
        while i + 4 <= n:
            for k in range(4):
                strand[k] += r[i + k] * r[i + k] / h[i + k] if h[i + k] > 0.0 else 0.0
            i += 4
        while i < n:
            strand[0] += r[i] * r[i] / h[i] if h[i] > 0.0 else 0.0
            i += 1
    return (strand[0] + strand[1]) + (strand[2] + strand[3])
