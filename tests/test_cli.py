import os
import re
import signal
import subprocess
import sys

import numpy as np
import pytest

import fastreg
from fastreg.report import cli


def run(capsys, *arguments):
    status = cli.main(list(map(str, arguments)))
    out, err = capsys.readouterr()
    return status, out, err


def fails(capsys, *arguments):
    """The one line on stderr of a call that must exit with 2."""
    status, out, err = run(capsys, *arguments)
    assert status == 2
    assert out == ""
    assert err.startswith("fastreg: ")
    assert err.count("\n") == 1
    return err


@pytest.fixture
def table(tmp_path):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((80, 6)).round(3)
    y = (2 * X[:, 0] - X[:, 1] + 0.3 * rng.standard_normal(80)).round(3)
    lines = ["id,kind,a,b,c,d,e,f,y"]
    lines += [f"r{i},{'xyz'[i % 3]}," + ",".join(map(str, X[i])) + f",{y[i]}" for i in range(80)]
    file = tmp_path / "table.csv"
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return file


def test_without_arguments_compares_on_the_diabetes_data(capsys):
    status, out, err = run(capsys, "--folds", 3)
    assert status == 0
    assert err == ""
    assert "442 rows, 285 features" in out
    rows = [line.split("  ") for line in out.splitlines() if re.match(r"(none|L2|L1|L1 \+ L2) \(", line)]
    assert len(rows) == 4
    none, ridge, lasso, net = (float(next(cell for cell in row[1:] if cell)) for row in rows)
    assert max(ridge, lasso, net) < none  # 285 products on 332 rows: least squares cannot win


def test_compare_a_file(capsys, table):
    status, out, err = run(capsys, "compare", table, "--target", "y", "--drop", "id", "--folds", 4)
    assert status == 0
    assert err == ""
    assert "80 rows, 9 features" in out
    assert "'kind' (3)" in out
    assert "4-fold" in out
    assert "20 held out" in out


def test_options_before_and_after_the_command(capsys, table):
    rest = ("compare", table, "--target", "y", "--drop", "id")
    status, before, _ = run(capsys, "--seed", 5, "--folds", 3, *rest)
    assert status == 0
    assert "3-fold" in before
    assert "seed 5" in before
    _, after, _ = run(capsys, *rest, "--seed", 5, "--folds", 3, "--test-size", 0.5, "--degree", 2)
    assert "seed 5" in after
    assert "40 held out" in after
    assert "54 features" in after


def test_version_and_help(capsys):
    assert run(capsys, "--version") == (0, f"fastreg {fastreg.__version__}\n", "")
    status, out, _ = run(capsys, "--help")
    assert status == 0
    assert "compare" in out
    assert run(capsys, "compare", "--help")[0] == 0


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["--folds", "1"], "--folds must be at least 2, got 1"),
        (["--test-size", "1"], "--test-size must lie between 0 and 1"),
        (["--test-size", "nan"], "--test-size must lie between 0 and 1"),
        (["--seed", "-1"], "--seed must not be negative"),
        (["--degree", "0"], "--degree must be at least 1"),
        (["--folds", "ten"], "invalid int value"),
        (["compare", "x.csv"], "--target"),
        (["nonsense"], "nonsense"),
        (["--folds", "500"], "too few rows"),
    ],
)
def test_bad_options(capsys, arguments, message):
    assert message in fails(capsys, *arguments)


def test_bad_files(capsys, tmp_path, table):
    absent = tmp_path / "absent.csv"
    assert f"{absent}: No such file" in fails(capsys, "compare", absent, "--target", "y")
    fails(capsys, "compare", tmp_path, "--target", "y")
    assert "there is no column 'z'" in fails(capsys, "compare", table, "--target", "z")
    assert "'id' has 80 different texts" in fails(capsys, "compare", table, "--target", "y")
    assert "must be numeric" in fails(capsys, "compare", table, "--target", "kind")
    lines = table.read_text(encoding="utf-8").splitlines()
    table.write_text("\n".join([*lines[:7], re.sub(r",[^,]*$", ",", lines[7]), *lines[8:]]), encoding="utf-8")
    assert "missing value in column 'y', line 8" in fails(capsys, "compare", table, "--target", "y", "--drop", "id")
    table.write_bytes(bytes(range(128, 256)))
    assert "not UTF-8" in fails(capsys, "compare", table, "--target", "y")
    table.write_text("", encoding="utf-8")
    assert "empty" in fails(capsys, "compare", table, "--target", "y")


def test_plot(capsys, table, tmp_path):
    pytest.importorskip("matplotlib")
    picture = tmp_path / "paths.png"
    options = ("compare", table, "--target", "y", "--drop", "id", "--folds", 3)
    status, out, _ = run(capsys, *options, "--plot", picture)
    assert status == 0
    assert str(picture) in out
    assert picture.read_bytes().startswith(b"\x89PNG")


def no_work(*args, **kwargs):
    raise AssertionError("work began before the options were checked")


def test_plot_is_checked_before_the_work(capsys, tmp_path, monkeypatch):
    pytest.importorskip("matplotlib")
    monkeypatch.setattr("fastreg.report.data.load_diabetes", no_work)
    assert "must end in one of" in fails(capsys, "--plot", tmp_path / "paths.doc")
    assert "must end in one of" in fails(capsys, "--plot", tmp_path / "paths")
    assert "no such folder" in fails(capsys, "--plot", tmp_path / "absent" / "paths.png")
    (tmp_path / "folder.png").mkdir()
    assert "a folder has this name" in fails(capsys, "--plot", tmp_path / "folder.png")


def test_plot_without_matplotlib(capsys, tmp_path, monkeypatch):
    monkeypatch.setattr("fastreg.report.data.load_diabetes", no_work)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert 'pip install "fastreg-solvers[plot]"' in fails(capsys, "--plot", tmp_path / "paths.png")


def test_warnings_are_one_line_for_each_kind(capsys, monkeypatch):
    import warnings

    def noisy(arguments):
        for k in range(3):
            warnings.warn(f"gap {k}\nis large", UserWarning, stacklevel=1)
        return "done"

    monkeypatch.setattr(cli, "_run", noisy)
    assert run(capsys) == (0, "done\n", "fastreg: warning: gap 0 is large (and 2 more)\n")


def test_errors_of_the_program_are_not_hidden(monkeypatch):
    def broken(arguments):
        raise ValueError("a mistake in the code")

    monkeypatch.setattr(cli, "_run", broken)
    with pytest.raises(ValueError, match="a mistake in the code"):
        cli.main([])


def test_interrupt(capsys, monkeypatch):
    def interrupted(arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "_run", interrupted)
    assert run(capsys) == (130, "", "fastreg: interrupted\n")


def test_as_a_module(table):
    command = [sys.executable, "-m", "fastreg", "compare", str(table), "--target", "y", "--drop", "id", "--folds", "3"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert "Cross-validation favours" in done.stdout or "No penalty helps" in done.stdout
    absent = subprocess.run([*command[:4], "absent.csv", "--target", "y"], capture_output=True, text=True, timeout=120)
    assert absent.returncode == 2
    assert absent.stderr == "fastreg: absent.csv: No such file or directory\n"
    assert absent.stdout == ""


posix = pytest.mark.skipif(os.name != "posix", reason="pipes and signals of POSIX")


@posix
def test_closed_pipe(table):
    command = [sys.executable, "-m", "fastreg"]
    options = ["compare", str(table), "--target", "y", "--drop", "id", "--folds", "3"]
    with subprocess.Popen([*command, *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(timeout=120) == 0


@posix
def test_ctrl_c_while_working():
    code = """
import sys, time
from fastreg.report import cli, data

def wait():
    print("working", flush=True)
    time.sleep(60)

data.load_diabetes = wait
sys.exit(cli.main([]))
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout.readline().strip() == b"working"
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert out == b""
    assert err.split() == [b"fastreg:", b"interrupted"]
