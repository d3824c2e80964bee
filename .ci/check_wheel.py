"""What a wheel holds: kernels for the stable ABI and no more than a user needs.  `check_wheel.py WHEEL...`"""

import re
import sys
import zipfile
from pathlib import Path

LIMIT = 2_000_000  # bytes
# The stable ABI of 3.11 and later; Pythons without the GIL, which it leaves out, have wheels of their own.
TAGS = re.compile(r"cp311-abi3-[\w.]+|(cp3\d+)-\1t-[\w.]+")
# Users import; nobody compiles against the kernels, so their sources stay in the sdist.
WANTED = re.compile(r"fastreg/([a-z_]+/)*(\w+\.pyi?|py\.typed|\w+(\.[\w-]+)?\.(so|pyd))|[\w.-]+\.dist-info/.+")
# Folders of the machine that built it.
PATHS = re.compile(rb"/(?:home|root|tmp|work|project|private|Users|opt)/[\w.+-]{2,}|[A-Z]:\\[\w .-]{3,}\\")


def faults(wheel):
    """Yield what is wrong."""
    tag = "-".join(wheel.stem.split("-")[-3:])
    if not TAGS.fullmatch(tag):
        yield f"the tag is {tag}"
    if wheel.stat().st_size >= LIMIT:
        yield f"{wheel.stat().st_size:,} bytes"
    with zipfile.ZipFile(wheel) as archive:
        names = [name for name in archive.namelist() if not name.endswith("/")]
        kernels = [name for name in names if name.endswith((".so", ".pyd"))]
        for name in names:
            if not WANTED.fullmatch(name):
                yield f"{name} does not belong there"
        for name in kernels:
            if "abi3" in tag and not re.search(r"\.abi3\.so$|/\w+\.pyd$", name):
                yield f"{name} is not for the stable ABI"
            for path in sorted(set(PATHS.findall(archive.read(name)))):
                yield f"{name} names {path.decode()}"
        built = {Path(name).name.split(".")[0] for name in kernels}
        here = {source.stem for source in (Path(__file__).parents[1] / "fastreg/kernels").glob("*.pyx")}
        if built != here or not built:
            yield f"it has the kernels {sorted(built)}, the sources are {sorted(here)}"
        for needed in ("fastreg/py.typed", "fastreg/__init__.pyi"):
            if needed not in names:
                yield f"{needed} is not there"
        if not any(re.search(r"\.dist-info/licenses/LICENSE$", name) for name in names):
            yield "LICENSE is not there"


def main(arguments):
    if not arguments:
        sys.exit(__doc__)
    failed = False
    for wheel in map(Path, arguments):
        found = list(faults(wheel))
        print(f"{wheel.name}: {wheel.stat().st_size:,} bytes,", "; ".join(found) or "as it should be")
        failed |= bool(found)
    sys.exit(failed)


if __name__ == "__main__":
    main(sys.argv[1:])
