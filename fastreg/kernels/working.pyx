"""Products with single columns of a design, for vectors."""
from .columns cimport ColumnSet, accumulate, correlate


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
