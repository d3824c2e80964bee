"""The command line: ``fastreg`` and ``python -m fastreg``."""

import argparse
import os
import sys
import warnings

DESCRIPTION = """\
Compare no penalty, L2, L1 and the elastic net on rows that none of them has seen.

Without a command: on scikit-learn's diabetes data with all products of its columns up to degree three.
"""


class UsageError(ValueError):
    """An option that cannot be used; the message is one line."""


class _Parser(argparse.ArgumentParser):
    def error(self, message):
        self.exit(2, f"fastreg: {message} (see {self.prog} --help)\n")


def main(argv=None):
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


def _parser():
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
    compare.add_argument("--target", required=True, metavar="COLUMN", help="the numeric column to predict")
    compare.add_argument("--drop", action="append", default=[], metavar="COLUMN", help="leave out; may be repeated")
    # Suppressed defaults: what stands before the command keeps its value.
    _add_options(compare, dict.fromkeys(("plot", "test_size", "folds", "seed", "degree"), argparse.SUPPRESS))
    return parser


def _add_options(parser, defaults):
    parser.add_argument("--plot", metavar="FILE.png", default=defaults["plot"],
                        help="draw the coefficient paths (needs Matplotlib)")  # fmt: skip
    parser.add_argument("--test-size", type=float, metavar="FRACTION", default=defaults["test_size"],
                        help="part of the rows to hold out (default 0.25)")  # fmt: skip
    parser.add_argument("--folds", type=int, metavar="N", default=defaults["folds"],
                        help="of the cross-validation (default 10)")  # fmt: skip
    parser.add_argument("--seed", type=int, metavar="N", default=defaults["seed"],
                        help="of the split and the folds (default 0)")  # fmt: skip
    parser.add_argument("--degree", type=int, metavar="N", default=defaults["degree"],
                        help="add products of columns up to this degree (default: 3 for the diabetes data, "
                             "1, none, for a file)")  # fmt: skip


def _run(arguments):
    """Do what the arguments say and return the text to print."""
    _check(arguments)
    if arguments.plot is not None:
        _check_plot(arguments.plot)

    from fastreg.report import data

    if arguments.command == "compare":
        problem = data.read_csv(arguments.file, arguments.target, arguments.drop)
        degree = 1 if arguments.degree is None else arguments.degree
    else:
        problem = data.load_diabetes()
        degree = 3 if arguments.degree is None else arguments.degree
    problem = data.expand(problem, degree)

    from fastreg.report.compare import compare
    from fastreg.report.progress import Progress
    from fastreg.report.table import format_comparison

    progress = Progress(sys.stderr, "fastreg")
    try:
        comparison = compare(problem, test_size=arguments.test_size, folds=arguments.folds, seed=arguments.seed,
                             progress=progress)  # fmt: skip
    finally:
        progress.clear()
    text = format_comparison(comparison)
    if arguments.plot is not None:
        from fastreg.report.plots import save_comparison

        save_comparison(comparison, arguments.plot)
        text += f"\n\nCoefficient paths: {arguments.plot}"
    return text


def _check(arguments):
    if not 0 < arguments.test_size < 1:
        raise UsageError(f"--test-size must lie between 0 and 1, got {arguments.test_size:g}")
    if arguments.folds < 2:
        raise UsageError(f"--folds must be at least 2, got {arguments.folds}")
    if arguments.seed < 0:
        raise UsageError(f"--seed must not be negative, got {arguments.seed}")
    if arguments.degree is not None and arguments.degree < 1:
        raise UsageError(f"--degree must be at least 1, got {arguments.degree}")


def _check_plot(path):
    """Refuse now what could not be written after the work."""
    from fastreg.report.plots import require_matplotlib

    require_matplotlib()
    from matplotlib.backend_bases import FigureCanvasBase

    ending = os.path.splitext(path)[1].lower().lstrip(".")
    known = FigureCanvasBase.get_supported_filetypes()
    if ending not in known:
        raise UsageError(f"--plot {path}: the name must end in one of .{', .'.join(sorted(known))}")
    folder = os.path.dirname(path) or "."
    if os.path.isdir(path) or not os.path.isdir(folder):
        raise UsageError(f"--plot {path}: {'a folder has this name' if os.path.isdir(path) else 'no such folder'}")
    if not os.access(path if os.path.exists(path) else folder, os.W_OK):
        raise UsageError(f"--plot {path}: permission denied")


def _warn(caught):
    """One line for each kind of warning: the fits of the folds tend to repeat each other."""
    for category in dict.fromkeys(w.category for w in caught):
        messages = [" ".join(str(w.message).split()) for w in caught if w.category is category]
        more = f" (and {len(messages) - 1} more)" if len(messages) > 1 else ""
        print(f"fastreg: warning: {messages[0]}{more}", file=sys.stderr)


def _print(text):
    # A name from the data must not stop the report on a terminal that cannot show it.
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    print(text.encode(encoding, "backslashreplace").decode(encoding), flush=True)
