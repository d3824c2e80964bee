"""The loss that suits a target, and how far linear predictors are from it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from fastreg.loss import BINARY, unit_deviances
from fastreg.report.data import DataError

if TYPE_CHECKING:
    from typing import Any

    from fastreg._types import Floats, Ints
    from fastreg.report.data import Dataset

CLASS_LOSSES = (*BINARY, "multinomial")
_SHOWN = 6  # classes in a line
_FEW = 10  # values that may be classes


def with_loss(data: Dataset, loss: Any = None, delta: float | None = None) -> Dataset:
    """Data as the loss wants them, with a line that says which loss it is and why.

    Parameters
    ----------
    data : Dataset
        As read.
    loss : str or None
        None chooses: "logistic" for two values, "multinomial" for more texts, "squared" for other numbers.
    delta : float or None
        Of the Huber loss; None is 1.35 robust standard deviations of y.

    Returns
    -------
    Dataset

    Raises
    ------
    DataError
        If the target does not suit the loss.
    """
    values, codes = np.unique(data.y, return_inverse=True)
    text, name = data.y.dtype.kind == "U", f"{data.title}: the target '{data.target}'"
    if text and len(values) > _FEW and 2 * len(values) > len(codes):
        raise DataError(f"{name} has {len(values)} different texts in {len(codes)} rows: an identifier? choose another "
                        "--target")  # fmt: skip
    given = loss is not None
    if not given:
        loss = "logistic" if len(values) == 2 else "multinomial" if text else "squared"
    if loss in CLASS_LOSSES:
        if loss in BINARY and len(values) != 2:
            raise DataError(f"{name} has {len(values)} values, --loss {loss} needs two classes: choose --loss "
                            "multinomial, or another target")  # fmt: skip
        if len(values) > _FEW and 2 * len(values) > len(codes):
            raise DataError(f"{name} has {len(values)} values in {len(codes)} rows, too many for classes: choose "
                            "--loss squared")  # fmt: skip
        shown = ", ".join(label_text(value) for value in values[:_SHOWN]) + ", ..." * (len(values) > _SHOWN)
        why = "" if given else " (--loss chooses another)"
        count = "two" if len(values) == 2 else str(len(values))
        note = f"loss: {loss}, for the {count} classes of '{data.target}', {shown}{why}"
        return replace(data, y=codes.astype(np.float64), loss=loss, classes=values, notes=(*data.notes, note))
    if text:
        raise DataError(f"{name} holds texts such as '{values[0]}', --loss {loss} needs numbers: choose --loss "
                        f"{'logistic' if len(values) == 2 else 'multinomial'}")  # fmt: skip
    if loss == "poisson" and values[0] < 0:
        raise DataError(f"{name} holds {values[0]:g}, --loss poisson needs counts of at least 0: choose another loss")
    notes = [f"loss: {loss}"] if given else []
    if loss == "huber":
        delta, notes = _delta(data, name, delta)
    elif not given and len(values) <= _FEW and (values == np.floor(values)).all():
        notes = [f"loss: squared, though the {len(values)} values of '{data.target}' might be classes (--loss "
                 "multinomial) or counts (--loss poisson)"]  # fmt: skip
    return replace(data, loss=loss, delta=1.35 if delta is None else delta, notes=(*data.notes, *notes))


def _delta(data: Dataset, name: str, delta: float | None) -> tuple[float, list[str]]:
    """Delta of the Huber loss, and the note that says so."""
    if delta is not None:
        return delta, [f"loss: huber, delta {delta:g}"]
    robust = 1.4826 * float(np.median(np.abs(data.y - np.median(data.y))))
    if robust == 0:
        raise DataError(f"{name} has the same value in most rows, which says nothing of its scale: pass --delta")
    return 1.35 * robust, [f"loss: huber, delta {1.35 * robust:.4g}, 1.35 robust standard deviations of "
                           f"'{data.target}' (--delta chooses another)"]  # fmt: skip


def check_classes(data: Dataset, rows: Ints, folds: int) -> None:
    """Every fold needs a row of each class, to fit and to be judged by.

    Parameters
    ----------
    data : Dataset
    rows : ndarray of int
        Those that are shared out to folds.
    folds : int

    Raises
    ------
    DataError
    """
    counts = np.bincount(data.y[rows].astype(np.intp), minlength=len(data.classes)).tolist()
    least = min(counts)
    if least < folds:
        label = label_text(data.classes[counts.index(least)])
        raise DataError(f"{data.title}: {least} row{'s' * (least != 1)} of class {label} in '{data.target}' "
                        f"to fit, --folds {folds} needs {folds} of each class: lower --folds, or remove the rows "
                        "of the class")  # fmt: skip


def label_text(label: Any) -> str:
    """A label as people write it: whole numbers without a point."""
    return str(label) if isinstance(label, str) else f"{label:.0f}" if label == np.floor(label) else repr(float(label))


def null_deviances(loss: str, y: Floats, path: Any, delta: float) -> Floats:
    """The unit deviances (m,) of the model without features that a path starts from."""
    level = np.asarray(path.null_intercept)
    return unit_deviances(loss, y, np.broadcast_to(level, (len(y), *level.shape)), delta)


def codes_of(loss: str, z: Floats) -> Ints:
    """Numbers of the classes that linear predictors speak for."""
    return z.argmax(axis=-1) if loss == "multinomial" else (z > 0).astype(np.intp)
