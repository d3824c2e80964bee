"""Is a commit slower than its base?  `regressions.py BASE COMMIT`, in this folder, after `asv machine --yes`.

asv times both commits in turns, twice.  What is slower by FACTOR in both runs is a regression, and the exit status is
1; what is slower in one of them is noise.  The arguments after COMMIT go to asv: `--bench paths`, say.
"""

import json
import math
import subprocess
import sys
from pathlib import Path

FACTOR = 1.3
TIMED = ("seconds", "bytes")  # gaps, passes and counts have asserts of their own
HERE = Path(__file__).parent


def commit(name):
    return subprocess.check_output(["git", "rev-parse", f"{name}^{{commit}}"], cwd=HERE, text=True).strip()


def measure(base, new, folder, arguments):
    """Time both commits in turns; results go to `folder`."""
    settings = json.loads((HERE / "asv.conf.json").read_text())
    config = HERE / f"{folder.name}.conf.json"  # paths in it are relative to its folder
    config.write_text(json.dumps({**settings, "results_dir": str(folder)}))
    asv = [sys.executable, "-m", "asv"]
    options = ["--config", config.name, "--interleave-rounds", "--factor", str(FACTOR)]
    try:
        subprocess.run([*asv, "machine", "--yes", "--config", config.name], cwd=HERE, check=True)
        # Its exit status does not say whether something is slower or something is wrong: the results do.
        subprocess.run([*asv, "continuous", *options, base, new, *arguments], cwd=HERE, check=False)
    finally:
        config.unlink()


def values(folder, sha):
    """{benchmark and parameters: number} of a commit in asv's result files."""
    units = json.loads((folder / "benchmarks.json").read_text())
    found = {}
    for file in folder.glob(f"*/{sha[:8]}-*.json"):
        stored = json.loads(file.read_text())
        columns = stored["result_columns"]
        for name, row in stored["results"].items():
            if units.get(name, {}).get("unit") not in TIMED or not row:
                continue
            row = dict(zip(columns, row, strict=False))
            for k, value in enumerate(row["result"] or []):
                if isinstance(value, int | float) and math.isfinite(value):
                    found[name, k] = value
    return found


def slower(before, after, factor=FACTOR):
    """{benchmark: ratio} of what takes more than `factor` times as long."""
    ratios = {name: after[name] / before[name] for name in before.keys() & after.keys() if before[name] > 0}
    return {name: ratio for name, ratio in ratios.items() if ratio > factor}


def main(base, new, *arguments):
    base, new = commit(base), commit(new)
    if base == new:
        sys.exit("both names stand for the same commit")
    runs = []
    for turn in ("first", "second"):
        folder = HERE / "results" / f"{turn}-{base[:8]}-{new[:8]}"
        measure(base, new, folder, arguments)
        before, after = values(folder, base), values(folder, new)
        if not before.keys() & after.keys():
            sys.exit("no benchmark gave figures for both commits")
        lost = before.keys() - after.keys()
        if lost:
            sys.exit(f"no longer gives a figure: {', '.join(sorted({name for name, _ in lost}))}")
        runs.append(slower(before, after))
        if not runs[-1]:
            break
    again = runs[0].keys() & runs[-1].keys() if len(runs) == 2 else set()
    for name, k in sorted(again):
        print(f"slower twice, {runs[0][name, k]:.2f} and {runs[1][name, k]:.2f} times as long: {name}, parameters {k}")
    print(f"{len(again)} regressions")
    sys.exit(bool(again))


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
