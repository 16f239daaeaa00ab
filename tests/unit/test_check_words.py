"""The check of words, `tools/check_words.py`, finds what it should and nothing else."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def check(path: Path) -> subprocess.CompletedProcess[str]:
    """Run the check on a file or directory."""
    command = [sys.executable, "tools/check_words.py", str(path)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("A page.\n\nIt waits for ever.\n", 3),
        ("Whoever calls", 1),
        ("one\nlets\ngo of it", 2),
        ("```sh\nwhoever\n```\nwhoever", 4),
        ("Nobody\nlistens.", 1),
        ("A batch\nis tried again.", 2),
        ("It gives that.", 1),
        ("Those behind\nan id", 1),
    ],
)
def test_words_of_a_page_are_found(tmp_path: Path, text: str, line: int) -> None:
    page = tmp_path / "page.md"
    page.write_text(text)
    found = check(page)
    assert found.returncode == 1
    assert found.stdout.startswith(f"{page}:{line}: ")


def test_quotations_are_exempt(tmp_path: Path) -> None:
    """Backticks, double quotes and code blocks, and released sections of the changelog."""
    (tmp_path / "page.md").write_text('`whoever`, "at last"\n```\nfor ever\n```\n')
    changes = "# Changelog\n## [Unreleased]\n{}\n## [1.0]\nwhoever\n"
    (tmp_path / "CHANGELOG.md").write_text(changes.format("fine"))
    assert check(tmp_path).returncode == 0, check(tmp_path).stdout
    (tmp_path / "CHANGELOG.md").write_text(changes.format("whoever"))
    assert check(tmp_path).stdout.count("\n") == 1


@pytest.mark.slow
@pytest.mark.parametrize(
    "code",
    [
        "x = 1  # whoever\n",
        'def f() -> None:\n    """It is told."""\n',
        'x: int\n"""Given back."""\n',
        "raise ValueError('the worker lets go of it')\n",
        "def f(tally: Tally) -> None: ...\n",
        "LEGAL = 1\n",
        "for one in range(3):\n    print(one)\n",
        "names = [key for key, one in pairs if one]\n",
        "order = sorted(names, key=lambda one: one.lower())\n",
    ],
)
def test_comments_docstrings_messages_and_names_are_found(tmp_path: Path, code: str) -> None:
    file = tmp_path / "src/lambent/module.py"
    file.parent.mkdir(parents=True)
    file.write_text(code)
    assert check(file).returncode == 1
    file.write_text('"""Quoted: "whoever"."""\nwhoever = {"whoever": 1}\none, other = 1, 2\n')
    assert check(file).returncode == 0, check(file).stdout


@pytest.mark.slow
@pytest.mark.parametrize("place", ["src/lambent", "tests/unit", "tests/scenario", "bench", "tools"])
def test_comments_and_loop_variables_are_checked_everywhere(tmp_path: Path, place: str) -> None:
    """Other texts only where users read them."""
    file = tmp_path / place / "module.py"
    file.parent.mkdir(parents=True)
    file.write_text("for one in ():  # nobody\n    x = 'for nobody'\n")
    found = check(tmp_path).stdout
    assert f"{file}:1: 'nobody'" in found
    assert f"{file}:1: 'one'" in found
    assert (f"{file}:2: 'nobody'" in found) == (place == "src/lambent")
