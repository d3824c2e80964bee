"""Plain text for people: a table and the lines around it."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from fastreg.report.compare import reading

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fastreg.report.compare import Comparison


def format_table(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Align columns: the first to the left, the others to the right.

    Parameters
    ----------
    headers : sequence of str
    rows : sequence of sequences of str
        As long as `headers`.

    Returns
    -------
    str
        Lines without trailing blanks.
    """
    widths = [max(map(len, column)) for column in zip(headers, *rows, strict=True)]
    lines = [headers, ["-" * width for width in widths], *rows]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if j else cell.ljust(width)
            for j, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )


def format_comparison(comparison: Comparison) -> str:
    """The report of `fastreg` and `fastreg compare`.

    Parameters
    ----------
    comparison : Comparison

    Returns
    -------
    str
        What was done, the table, its footnotes and the sentence that reads it; ASCII but for names in the data.
    """
    data, entries = comparison.data, comparison.entries
    p = data.X.shape[1]
    head = [f"{data.title}: predict '{data.target}', {data.X.shape[0]} rows, {p} feature{'s' * (p != 1)}"]
    head += data.notes
    head.append(
        f"{comparison.n_train} rows to fit and to choose alpha ({comparison.folds}-fold cross-validation), "
        f"{comparison.n_test} held out for the test (seed {comparison.seed}); columns standardized"
    )
    squared, classes = data.loss == "squared", data.classes is not None
    error, share = ("RMSE", "test R^2") if squared else ("deviance", "test D^2")
    table = format_table(
        ["penalty", f"test {error}", "accuracy" if classes else share, f"CV {error}", "features", "alpha", "rel. gap",
         "seconds"],
        [
            [
                entry.penalty,
                f"{entry.test_error:.4g}",
                f"{entry.accuracy:.3f}" if classes else (
                    f"{entry.test_share:.3f}" if entry.test_share > -100 else f"{entry.test_share:.2g}"),
                f"{entry.cv_error:.4g}",
                str(entry.n_features),
                f"{entry.alpha:.3g}{'!' if entry.edge else ''}",
                f"{entry.certificate:.0e}{'*' if squared and not entry.alpha else ''}",
                f"{entry.seconds:.2f}",
            ]
            for entry in entries
        ],
    )  # fmt: skip
    gradient = " (* norm of the gradient over its norm at zero)" if squared else ""
    notes = [
        f"rel. gap: duality gap over the objective of the null model{gradient}. seconds: cross-validation and fit."
    ]
    if not squared:
        right = f", accuracy {comparison.null_accuracy:.3f}" if classes else ""
        notes.append(f"Without features: test deviance {comparison.null_error:.4g}{right}.")
    if classes and entries[0].path.deviance_ratio[0] > 1 - 1e-6:
        notes.append("Without a penalty the training rows are separated without error: the best coefficients are "
                     "infinite, those here as far as rounding lets them.")  # fmt: skip
    if any(entry.edge for entry in entries):
        notes.append("! the chosen alpha is at an end of its grid.")
    paragraphs = [head, None, [table], None, notes, None, [reading(comparison)]]
    lines = []
    for paragraph in paragraphs:
        lines += [""] if paragraph is None else paragraph
    return "\n".join(line if line == table else _wrap(line) for line in lines)


def _wrap(line: str) -> str:
    return textwrap.fill(line, 110, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)
