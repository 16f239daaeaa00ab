"""Workers that are forked after the collection of tests behave as those of xdist."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
PASSES = """
import os, random, tempfile, threading
import pytest

@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    yield tmp_path_factory.mktemp("shared")
    print("ended")

@pytest.mark.parametrize("number", range(3))
def test_it_has_what_a_worker_has(shared, number, worker_id, tmp_path, capfd):
    os.system("echo said")
    assert capfd.readouterr().out == "said\\n"
    assert os.environ["PYTEST_XDIST_WORKER"] == worker_id
    assert f"popen-{worker_id}" in str(tmp_path) and f"popen-{worker_id}" in str(shared)
    with open(os.environ["SEEN"], "a") as seen:
        print(os.getpid(), os.getppid(), random.random(), file=seen)
"""
FAILS = """
import os, warnings

def test_it_fails():
    print("words of the test")
    assert os.getpid() == 0

def test_it_kills_its_worker():
    os.kill(os.getpid(), 9)

def test_it_runs_in_another_worker():
    warnings.warn("a warning of a test")
"""


def _run(directory: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run pytest in a project of a user; its tests note who ran them in `seen`."""
    variables = {"SEEN": str(directory / "seen"), "PYTHONPATH": str(ROOT)}
    environment = {name: value for name, value in os.environ.items() if "PYTEST" not in name}
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "tests.workers", "-n", "2", *arguments],
        cwd=directory,
        env={**environment, **variables},
        capture_output=True,
        text=True,
        timeout=150,
    )


def test_workers_have_one_parent_and_report_as_others(tmp_path: Path) -> None:
    """Fixtures, captured output, failures, warnings, and a worker that is killed and replaced."""
    (tmp_path / "test_passes.py").write_text(PASSES)
    (tmp_path / "test_fails.py").write_text(FAILS)
    ended = _run(tmp_path, "--basetemp", str(tmp_path / "base"))
    assert "2 failed, 4 passed, 1 warning" in ended.stdout, ended.stdout + ended.stderr
    assert "words of the test" in ended.stdout
    assert "a warning of a test" in ended.stdout
    assert "crashed while running 'test_fails.py::test_it_kills_its_worker'" in ended.stdout
    assert ended.returncode == pytest.ExitCode.TESTS_FAILED
    pids, parents, numbers = zip(
        *(line.split() for line in (tmp_path / "seen").read_text().splitlines()), strict=True
    )
    assert len(set(parents)) == 1
    assert not {*pids} & {*parents}
    assert len(set(numbers)) == 3


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ([], pytest.ExitCode.TESTS_FAILED, "No module named 'nothing_at_all'"),
        (["missing.py"], pytest.ExitCode.INTERNAL_ERROR, "file or directory not found: missing.py"),
    ],
)
def test_what_cannot_be_collected_is_reported(
    tmp_path: Path, arguments: list[str], code: pytest.ExitCode, words: str
) -> None:
    """By each worker; the run ends."""
    (tmp_path / "test_imports.py").write_text("import nothing_at_all")
    ended = _run(tmp_path, *arguments)
    assert words in ended.stdout + ended.stderr
    assert ended.returncode == code, ended.stdout + ended.stderr
