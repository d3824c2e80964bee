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
    words = ("compare", table, "--target", "kind", "--drop", "id", "--loss", "squared")
    assert "holds texts such as 'x', --loss squared needs numbers" in fails(capsys, *words)
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
import signal, sys, time
from fastreg.report import cli, data

signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job inherits that it is ignored

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


# fit --stream


@pytest.fixture
def numbers(tmp_path):
    """A CSV file of numbers, and what is in it."""
    rng = np.random.default_rng(1)
    X = rng.standard_normal((250, 5)) + 10
    y = 3 * X[:, 0] - X[:, 2] + rng.standard_normal(250)
    file = tmp_path / "numbers.csv"
    rows = [f"{','.join(map(repr, X[i].tolist()))},r{i},{y[i].item()!r}" for i in range(250)]
    file.write_text("\n".join(["a,b,c,d,e,id,y", *rows]) + "\n", encoding="utf-8")
    return file, X, y


STREAM = ("--target", "y", "--drop", "id")


def read_coefs(file):
    """(names, alphas, intercepts, coefficients (p, L))"""
    names = file.read_text(encoding="utf-8").splitlines()[0].split(",")[2:]
    values = np.loadtxt(file, delimiter=",", skiprows=1, ndmin=2)
    return names, values[:, 0], values[:, 1], values[:, 2:].T


def test_fit_a_stream(capsys, numbers, tmp_path):
    file, X, y = numbers
    out_file = tmp_path / "coefs.csv"
    status, out, err = run(capsys, "fit", "--stream", file, *STREAM, "--block-rows", 40, "--out", out_file)
    assert (status, err) == (0, "")
    assert "250 rows in 7 blocks, 5 features" in out
    assert "lasso, 100 alphas, 15 shown" in out
    assert str(out_file) in out
    names, alphas, intercepts, coefs = read_coefs(out_file)
    path = fastreg.fit_path(X, y)
    assert names == list("abcde")
    np.testing.assert_allclose(alphas, path.alphas, rtol=1e-11)
    np.testing.assert_allclose(coefs, path.coefs.toarray(), atol=1e-9)
    np.testing.assert_allclose(intercepts, path.intercepts, rtol=1e-9)
    last = out.splitlines()[-4].split()
    assert last[:3] == [f"{alphas[-1]:.4g}", "5", f"{path.deviance_ratio[-1]:.4f}"]

    options = ("--l1-ratio", 0.5, "--alphas", 3, "--standardize", "--out", out_file)
    status, out, _ = run(capsys, "fit", "--stream", file, *STREAM, *options)
    assert "elastic net with l1_ratio 0.5, columns standardized, 3 alphas\n" in out
    path = fastreg.fit_path(X, y, l1_ratio=0.5, alphas=3, standardize=True)
    np.testing.assert_allclose(read_coefs(out_file)[3], path.coefs.toarray(), atol=1e-9)

    status, out, _ = run(capsys, "fit", "--stream", file, *STREAM, "--ridge", 2.5, "--out", out_file)
    assert "ridge regression, 1 alpha\n" in out
    Z = X - X.mean(axis=0)
    coef = np.linalg.solve(Z.T @ Z + 2.5 * np.eye(5), Z.T @ y)
    np.testing.assert_allclose(read_coefs(out_file)[3][:, 0], coef, rtol=1e-10)


@pytest.mark.parametrize(
    ("text", "drop"),
    [
        ("a;b;y\n1,5;2;3\n2,5;3;5\n\n3,5;1;4\n", []),
        ("\n\nz\ta\tb\ty\n-\t1.5\t2\t3\n-\t2.5\t3\t5\n-\t3.5\t1\t4\n", ["z"]),
        ('\ufeff"a","b","y"\r\n"1.5","2","3"\r\n"2.5"," 3","5"\r\n3.5,1,4', []),
        ('a,"b ",y,"two\nlines"\n1.5,2,3,"x\n,y"\n2.5,3,5,z\n3.5,1,4,"1\n2\n3"\n', ["two\nlines"]),
        ("a,b,y\r1.5,2,3\r2.5,3,5\r3.5,1,4\r", []),
    ],
)
@pytest.mark.parametrize("size", [1, 2, 9])
def test_stream_of_odd_files(tmp_path, text, drop, size):
    from fastreg.report.stream import read_blocks

    file = tmp_path / "odd.csv"
    file.write_bytes(text.encode())
    blocks = list(read_blocks(str(file), "y", drop, size))
    assert blocks[0].names == ["a", "b"]
    np.testing.assert_array_equal(np.vstack([block.X for block in blocks]), [[1.5, 2], [2.5, 3], [3.5, 1]])
    np.testing.assert_array_equal(np.concatenate([block.y for block in blocks]), [3, 5, 4])
    assert max(len(block.y) for block in blocks) <= size


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--l1-ratio", "0"], "for 0 there is --ridge"),
        (["--l1-ratio", "nan"], "--l1-ratio must lie above 0"),
        (["--alphas", "0"], "--alphas must be at least 1, got 0"),
        (["--block-rows", "0"], "--block-rows must be at least 1"),
        (["--ridge", "-1"], "--ridge must be finite and at least 0"),
        (["--ridge", "1", "--alphas", "5"], "--ridge takes the place of --l1-ratio and --alphas"),
        (["--out", "absent/coefs.csv"], "--out absent/coefs.csv: no such folder"),
        (["--stream", "absent.csv"], "absent.csv: No such file"),
    ],
)
def test_bad_options_of_fit(capsys, numbers, arguments, message):
    assert message in fails(capsys, "fit", "--stream", numbers[0], *STREAM, *arguments)


def test_bad_streams(capsys, tmp_path, numbers):
    file, _, _ = numbers
    lines = file.read_text(encoding="utf-8").splitlines()

    def message(row, *options):
        """Of a file whose line 200 is this one."""
        file.write_text("\n".join([*lines[:199], row, *lines[200:]]), encoding="utf-8")
        return fails(capsys, "fit", "--stream", file, *STREAM, "--block-rows", 60, *options)

    text = message("1,2,red,4,5,i,6")
    assert "column 'c' must be numeric: line 200 holds 'red': encode it as numbers, or leave" in text
    assert "with --drop c\n" in text
    assert "column 'y' must be numeric: line 200 holds '1_0': encode it as numbers\n" in message("1,2,3,4,5,i,1_0")
    assert "missing value in column 'b', line 200: fill it in, remove the line, or" in message("1, ,3,4,5,i,6")
    assert "missing value ('NaN') in column 'y', line 200: fill it in, remove the line\n" in message("1,2,3,4,5,i,NaN")
    assert "'inf' in column 'a', line 200, is not a number of usable size" in message("inf,2,3,4,5,i,6")
    assert "'1e200' in column 'a', line 200, is not" in message("1e200,2,3,4,5,i,6")
    assert "line 200 has 6 fields, the header has 7" in message("1,2,3,4,5,i")
    assert "line 200: not CSV" in message('1,2,3,4,5,"i"x,6')
    assert "there is no column 'z'" in message(lines[199], "--drop", "z")
    file.write_bytes("\n".join(lines[:150]).encode() + b"\n\xff\n")
    assert "not UTF-8" in fails(capsys, "fit", "--stream", file, *STREAM)
    file.write_text(lines[0], encoding="utf-8")
    assert "there are no rows after the header" in fails(capsys, "fit", "--stream", file, *STREAM)
    file.write_text("", encoding="utf-8")
    assert "the file is empty" in fails(capsys, "fit", "--stream", file, *STREAM)
    file.write_text("a,y,id\n1,2,3\n4,2,5\n", encoding="utf-8")
    assert "the target 'y' is 2 in every row" in fails(capsys, "fit", "--stream", file, *STREAM)
    assert "no column is left" in fails(capsys, "fit", "--stream", file, *STREAM, "--drop", "a")
    assert "--plot does not go with fit" in fails(capsys, "--plot", "x.png", "fit", "--stream", file, *STREAM)


def test_stream_of_parquet(capsys, numbers, tmp_path):
    pa = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    from fastreg.report.stream import read_blocks

    _, X, y = numbers
    columns = {name: column for name, column in zip("abcde", X.T, strict=True)}
    columns.update(id=[str(i) for i in range(250)], y=y, flag=y > 25, count=np.arange(250, dtype=np.int32))
    file = tmp_path / "numbers.data"
    parquet.write_table(pa.table(columns), file, row_group_size=100)
    blocks = list(read_blocks(str(file), "y", ["id"], 70))
    assert blocks[0].names == [*"abcde", "flag", "count"]
    assert (blocks[-1].done, blocks[-1].total, blocks[-1].unit) == (250, 250, "rows")
    np.testing.assert_array_equal(
        np.vstack([block.X for block in blocks]), np.column_stack([X, y > 25, np.arange(250)])
    )
    np.testing.assert_array_equal(np.concatenate([block.y for block in blocks]), y)
    status, out, err = run(capsys, "fit", "--stream", file, *STREAM)
    assert (status, err) == (0, "")
    assert "250 rows in 1 block, 7 features" in out

    def message(**changed):
        parquet.write_table(pa.table({**columns, **changed}), file)
        return fails(capsys, "fit", "--stream", file, *STREAM, "--block-rows", 70)

    holes = [None if i == 130 else float(i) for i in range(250)]
    assert "column 'c' must be numeric: it is of type string: encode it as numbers, or" in message(c=columns["id"])
    assert "missing value in column 'c', row 131: fill it in, remove the row, or leave" in message(c=holes)
    assert "missing value (NaN) in column 'y', row 1:" in message(y=np.where(np.arange(250) == 0, np.nan, y))
    assert "'inf' in column 'a', row 250, is not a number" in message(a=np.where(np.arange(250) == 249, np.inf, y))
    assert "there are no rows" in message(**{name: column[:0] for name, column in columns.items()})
    file.write_bytes(b"PAR1 and nothing else")
    assert "not a Parquet file that can be read" in fails(capsys, "fit", "--stream", file, *STREAM)


def test_parquet_without_pyarrow(capsys, tmp_path, monkeypatch):
    file = tmp_path / "numbers.parquet"
    file.write_bytes(b"PAR1")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    assert 'pip install "fastreg-solvers[parquet]"' in fails(capsys, "fit", "--stream", file, *STREAM)


def test_progress_of_a_stream(numbers, monkeypatch):
    from fastreg.report.stream import csv_blocks, fit_stream

    file, _, _ = numbers
    monkeypatch.setattr("os.fstat", lambda descriptor: os.stat_result((0,) * 6 + (5 << 20, 0, 0, 0)))
    calls = []
    fit_stream(str(file), "y", drop=["id"], block_rows=100, progress=lambda *call: calls.append(call))
    assert [call[1:] for call in calls] == [(5, "MB")] * 3
    monkeypatch.undo()
    assert next(csv_blocks(str(file), "y", ["id"])).total == 0  # less than a megabyte
