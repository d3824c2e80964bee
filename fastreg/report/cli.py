"""The command line: ``fastreg`` and ``python -m fastreg``."""

from __future__ import annotations

import argparse
import os
import sys
import warnings
from typing import TYPE_CHECKING

from fastreg.report import commands
from fastreg.report.commands import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any, NoReturn

DESCRIPTION = """\
Compare no penalty, L2, L1 and the elastic net on rows that none of them has seen.

Without a command: on scikit-learn's diabetes data with all products of its columns up to degree three.
"""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(2, f"fastreg: {message} (see {self.prog} --help)\n")


def main(argv: Sequence[str] | None = None) -> int | str | None:
    """Run the command line.

    Parameters
    ----------
    argv : sequence of str or None
        Arguments without the name of the program; None takes those of the process.

    Returns
    -------
    int
        Exit status: 0, 2 for options or data that cannot be used (one line on stderr), 130 after Ctrl-C.
    """
    try:
        arguments = _parser().parse_args(argv)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", UserWarning)
            text = _run(arguments)
        _warn([w for w in caught if issubclass(w.category, UserWarning)])
        _print(text)
        return 0
    except SystemExit as stop:  # argparse: --help, --version, wrong options
        return stop.code
    except KeyboardInterrupt:
        print("fastreg: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # The reader is gone (`fastreg | head -1`); keep the interpreter from flushing into the pipe again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (UsageError, ImportError) as error:
        message = str(error)
    except OSError as error:
        message = f"{error.filename}: {error.strerror}" if error.filename else str(error)
    except ValueError as error:
        from fastreg.report.data import DataError

        if not isinstance(error, DataError):
            raise
        message = str(error)
    print(f"fastreg: {' '.join(message.split())}", file=sys.stderr)
    return 2


def _parser() -> argparse.ArgumentParser:
    from fastreg import __version__

    parser = _Parser(prog="fastreg", description=DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--version", action="version", version=f"fastreg {__version__}")
    _add_options(parser, {"plot": None, "test_size": 0.25, "folds": 10, "seed": 0, "degree": None})
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", title="commands")
    compare = commands.add_parser(
        "compare",
        help="the same for the columns of a CSV file",
        description="Predict one column of a CSV file (with a header; comma, semicolon, tab or bar) from the others. "
        "Text columns become one 0/1 feature per level. Missing values are an error that says where.",
    )
    compare.add_argument("file", metavar="FILE.csv")
    compare.add_argument("--target", required=True, metavar="COLUMN", help="the column to predict: numbers or labels")
    compare.add_argument("--drop", action="append", default=[], metavar="COLUMN", help="leave out; may be repeated")
    _add_loss(compare)
    fit = commands.add_parser(
        "fit",
        help="a path for a CSV or Parquet file larger than memory",
        description="Fit the lasso, the elastic net or ridge regression to a file that is read once, in blocks of "
        "rows. Columns must be numeric, without missing values.",
    )
    fit.add_argument("--stream", required=True, metavar="FILE", help="a CSV file with a header, or a Parquet file")
    fit.add_argument("--target", required=True, metavar="COLUMN", help="the numeric column to predict")
    fit.add_argument("--drop", action="append", default=[], metavar="COLUMN", help="leave out; may be repeated")
    fit.add_argument("--l1-ratio", type=float, metavar="R", help="1 is the lasso (default), less an elastic net")
    fit.add_argument("--alphas", type=int, metavar="N", help="length of the grid of penalties (default 100)")
    fit.add_argument("--ridge", type=float, metavar="ALPHA",
                     help="ridge regression instead: squared errors + ALPHA * squared coefficients")  # fmt: skip
    fit.add_argument("--standardize", action="store_true", help="penalise coefficients of columns in standard units")
    fit.add_argument("--out", metavar="FILE.csv", help="write intercept and coefficients, a line for each alpha")
    fit.add_argument("--block-rows", type=int, metavar="N", help="rows in memory at a time")
    # Suppressed defaults: what stands before the command keeps its value.
    _add_options(compare, dict.fromkeys(("plot", "test_size", "folds", "seed", "degree"), argparse.SUPPRESS))
    _add_cv(commands)
    _add_predict(commands)
    _add_path(commands)
    return parser


def _add_cv(commands: Any) -> None:
    parser = commands.add_parser(
        "cv",
        help="a lasso or elastic net by cross-validation, of numbers or labels, saved for `fastreg predict`",
        description="Choose the penalty of a lasso or an elastic net by cross-validation, fit all rows with it and "
        "save the model. A target of labels makes it a classifier. FILE is CSV, read as by compare, Parquet, or in "
        "svmlight format, which stays sparse.",
    )
    _add_data(parser)
    parser.add_argument("--rule", choices=("min", "1se"), default="min",
                        help="the alpha of the smallest error (default), or the largest within one standard "
                             "error of it")  # fmt: skip
    parser.add_argument("--l1-ratio", type=float, nargs="+", metavar="R", default=[1.0],
                        help="1 is the lasso (default), less an elastic net; of several the best is taken")  # fmt: skip
    parser.add_argument("--alphas", type=int, metavar="N", default=100, help="length of the grid (default 100)")
    parser.add_argument("--standardize", action=argparse.BooleanOptionalAction, default=True,
                        help="penalise coefficients of columns in standard units (default)")  # fmt: skip
    parser.add_argument("--scoring", metavar="NAME",
                        help="what to choose by: deviance (default; of numbers the mean squared error), or a scorer of "
                             "scikit-learn, such as accuracy or roc_auc")  # fmt: skip
    parser.add_argument("--out", metavar="MODEL.json", help="save the model")
    _add_options(parser, dict.fromkeys(("plot", "folds", "seed", "degree"), argparse.SUPPRESS))


def _add_predict(commands: Any) -> None:
    parser = commands.add_parser(
        "predict",
        help="predict the rows of a file with a saved model",
        description="Predict with a model that `fastreg cv --out` saved. Columns are found by their names; those that "
        "the model does not use may be missing. The model knows its loss: a classifier gives labels and the "
        "probability of each class. If the target is there too, R^2 and RMSE, or accuracy and deviance, go to stderr.",
    )
    parser.add_argument("model", metavar="MODEL.json")
    parser.add_argument("file", metavar="FILE", help="CSV, Parquet or svmlight, as for the fit")
    parser.add_argument("--out", metavar="FILE.csv", help="write the predictions there (default: stdout)")


def _add_path(commands: Any) -> None:
    parser = commands.add_parser(
        "path",
        help="coefficients along the whole path of a lasso or elastic net, as CSV",
        description="Fit a lasso or elastic net at every alpha of a grid and write the coefficients, for more than two "
        "classes a line for each of them.",
    )
    _add_data(parser)
    parser.add_argument("--out", required=True, metavar="FILE.csv",
                        help="write a line for each alpha, a column for each feature that enters")  # fmt: skip
    parser.add_argument("--l1-ratio", type=float, metavar="R", default=1.0,
                        help="1 is the lasso (default), less an elastic net")  # fmt: skip
    parser.add_argument("--alphas", type=int, metavar="N", default=100, help="length of the grid (default 100)")
    parser.add_argument("--standardize", action=argparse.BooleanOptionalAction, default=False,
                        help="penalise coefficients of columns in standard units")  # fmt: skip
    _add_options(parser, dict.fromkeys(("plot", "degree"), argparse.SUPPRESS))


def _add_data(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE", help="CSV, Parquet or svmlight")
    parser.add_argument("--target", metavar="COLUMN", help="the column to predict: numbers or labels; not needed for "
                                                             "svmlight")  # fmt: skip
    parser.add_argument("--drop", action="append", default=[], metavar="COLUMN", help="leave out; may be repeated")
    _add_loss(parser)


def _add_loss(parser: argparse.ArgumentParser) -> None:
    from fastreg.loss import LOSSES

    text = "by default logistic for a target of two values, multinomial for more texts, squared for other numbers"
    parser.add_argument("--loss", choices=LOSSES, help=text)
    text = "of the Huber loss, in units of the target (default: 1.35 robust standard deviations of it)"
    parser.add_argument("--delta", type=float, metavar="D", help=text)


def _add_options(parser: argparse.ArgumentParser, defaults: Mapping[str, Any]) -> None:
    """Those of the options that several commands share for which there is a default."""
    options = {
        "plot": (str, "FILE.png", "draw the result (needs Matplotlib)"),
        "test_size": (float, "FRACTION", "part of the rows to hold out (default 0.25)"),
        "folds": (int, "N", "of the cross-validation (default 10)"),
        "seed": (int, "N", "of shuffled folds, and of the split (default 0)"),
        "degree": (int, "N", "add products of columns up to this degree (default: 3 for the diabetes data, "
                             "1, none, for a file)"),
    }  # fmt: skip
    for name, default in defaults.items():
        kind, metavar, text = options[name]
        parser.add_argument(
            f"--{name.replace('_', '-')}", type=kind, metavar=metavar, default=default, help=text
        )  # fmt: skip


def _run(arguments: argparse.Namespace) -> str:
    """Do what the arguments say and return the text to print."""
    _check(arguments)
    return getattr(commands, arguments.command or "compare")(arguments)


def _check(arguments: argparse.Namespace) -> None:
    if not 0 < arguments.test_size < 1:
        raise UsageError(f"--test-size must lie between 0 and 1, got {arguments.test_size:g}")
    if arguments.folds < 2:
        raise UsageError(f"--folds must be at least 2, got {arguments.folds}")
    if arguments.seed < 0:
        raise UsageError(f"--seed must not be negative, got {arguments.seed}")
    if arguments.degree is not None and arguments.degree < 1:
        raise UsageError(f"--degree must be at least 1, got {arguments.degree}")


def _warn(caught: list[warnings.WarningMessage]) -> None:
    """One line for each kind of warning: the fits of the folds tend to repeat each other."""
    for category in dict.fromkeys(w.category for w in caught):
        messages = [" ".join(str(w.message).split()) for w in caught if w.category is category]
        more = f" (and {len(messages) - 1} more)" if len(messages) > 1 else ""
        print(f"fastreg: warning: {messages[0]}{more}", file=sys.stderr)


def _print(text: str) -> None:
    # A name from the data must not stop the report on a terminal that cannot show it.
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    print(text.encode(encoding, "backslashreplace").decode(encoding), flush=True)
