"""Decompositions by LAPACK that an interrupt does not have to wait for."""

import threading

import numpy as np

LONG = 1e9  # multiplications from which on a call is worth a thread


def eigh(A):
    """Eigenvalues and eigenvectors of a symmetric matrix (m, m), as `numpy.linalg.eigh`."""
    return apart(lambda: np.linalg.eigh(A), len(A) ** 3)


def svd(A):
    """U, s, V' of a matrix (n, p), as `numpy.linalg.svd` without the full bases."""
    return apart(lambda: np.linalg.svd(A, full_matrices=False), A.size * min(A.shape))


def apart(call, work):
    """What `call` returns or raises, in a thread of its own if it is long.

    The thread that asks waits in Python, where it sees an interrupt at once; LAPACK, which cannot be stopped, then
    ends by itself and its result is dropped.
    """
    if work < LONG:
        return call()
    done, result, errors = threading.Event(), [], []

    def run():
        try:
            result.append(call())
        except BaseException as error:
            errors.append(error)
        finally:
            done.set()

    threading.Thread(target=run, name="fastreg-lapack", daemon=True).start()
    while not done.wait(0.1):  # without a limit no signal would be seen on Windows
        pass
    if errors:
        raise errors[0]
    return result[0]
