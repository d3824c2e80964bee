"""The Python in the README and in docs/ runs, block after block."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [page for page in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))) if page.exists()]

pytestmark = pytest.mark.skipif(not PAGES, reason="the pages stay in the source tree")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_python_of_a_page_runs(page, tmp_path, monkeypatch, capsys):
    pytest.importorskip("matplotlib").use("Agg")
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"^```python\n(.*?)^```", page.read_text(encoding="utf-8"), flags=re.M | re.S)
    assert blocks
    names = {}
    for block in blocks:
        exec(compile(block, f"{page.name}:{block.splitlines()[0]}", "exec"), names)  # noqa: S102
    for image in re.findall(r'savefig\("(\w+\.png)"', "".join(blocks)):
        assert (tmp_path / image).stat().st_size > 10_000
