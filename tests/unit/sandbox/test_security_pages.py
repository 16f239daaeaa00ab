"""What the documentation says about security is what is tested and what is enforced."""

import re
from pathlib import Path

import pytest

from lambent.sandbox.system_calls_reference import render
from tests.hostile.cases import cases_by_file

DOCS = Path(__file__).parents[3] / "docs"
UNIT = Path(__file__).parents[1]
ATTACK = re.compile(r"^\| [^|]+ \| [^|]+ \| `([\w/]+\.py)::(test_\w+)` \|$", re.MULTILINE)
ROW = re.compile(r"^\| `([\w-]+)` \| ([^|]+) \| ([^|]+) \| `(test_\w+\.py)` \|$", re.MULTILINE)


@pytest.mark.slow
def test_every_case_is_documented_and_every_documented_case_is_tested() -> None:
    """The table of hostile functions and the tests name the same cases in the same files."""
    _, _, section = (DOCS / "security.md").read_text().partition("## Hostile functions")
    rows = ROW.findall(section)
    assert len(rows) == section.count("\n| `")
    documented = {case: file for case, _, _, file in rows}
    assert len(documented) == len(rows), "a case is there twice"
    assert documented == cases_by_file()
    assert len(documented) >= 45


def test_every_documented_attack_on_apis_is_tested() -> None:
    """The table of hostile clients names tests that are there."""
    text = (DOCS / "security.md").read_text().partition("## Hostile clients of APIs")[2]
    section = text.partition("\n## ")[0]
    rows = ATTACK.findall(section)
    assert len(rows) == section.count("\n| ") - 1  # That of the heading.
    assert len(rows) >= 30
    for file, name in rows:
        assert f"def {name}(" in (UNIT / file).read_text(), (file, name)


def test_the_list_of_system_calls_is_current() -> None:
    """Run `make docs` after changing the filter."""
    assert (DOCS / "reference" / "system-calls.md").read_text() == render()


def test_what_must_never_be_allowed_is_not_in_the_list() -> None:
    """Calls whose attacks are tested by the answer of the kernel alone."""
    page = (DOCS / "reference" / "system-calls.md").read_text()
    for name in ("ptrace", "mount", "unshare", "setns", "bpf", "io_uring_setup", "io_setup"):
        assert f"| `{name}` |" not in page
