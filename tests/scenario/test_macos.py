"""The command line on a machine without Linux, against a platform elsewhere."""

import json
import os
import subprocess
import sys
import types
from pathlib import Path

import pytest

from lambent.cli.linux_only import require_linux
from lambent.cli.output import CliError
from tests.scenario.conftest import Platform

MACOS = Path(__file__).parent / "macos"
CODE = "def handler(event, context):\n    print('got', event)\n    return event\n"


def run_on_macos(
    *arguments: str, endpoint: str = "http://127.0.0.1:1"
) -> "subprocess.CompletedProcess[str]":
    """`lambent ARGUMENTS` in a Python without what only Linux has."""
    return subprocess.run(
        [sys.executable, "-m", "lambent", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(MACOS), "LAMBENT_ENDPOINT": endpoint},
    )


def test_macos_is_what_the_tests_make_it() -> None:
    """The emulator for macOS takes effect."""
    code = "import os, sys, ctypes; print(sys.platform, hasattr(os, 'pidfd_open'),"
    code += " hasattr(ctypes.CDLL(None), 'unshare'))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=60,
        env={"PYTHONPATH": str(MACOS)},
    )
    assert done.stdout == "darwin False False\n", done.stderr


def test_the_command_line_works_on_macos(platform: Platform, tmp_path: Path) -> None:
    """Deploy, invoke, logs and the rest of what speaks to a platform."""
    directory = tmp_path / "from-macos"
    directory.mkdir()
    (directory / "app.py").write_text(CODE)
    there = platform.endpoint
    done = run_on_macos("deploy", str(directory), "--json", endpoint=there)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["FunctionName"] == "from-macos"
    done = run_on_macos("invoke", "from-macos", "-d", '{"a": 1}', endpoint=there)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"a": 1}
    done = run_on_macos("logs", "from-macos", endpoint=there)
    assert "got {'a': 1}" in done.stdout
    for words in (
        ("functions",), ("queue",), ("mappings",), ("keys", "list"), ("config", "show"),
        ("--version",), ("--help",), ("delete", "from-macos"),
    ):  # fmt: skip
        done = run_on_macos(*words, endpoint=there)
        assert done.returncode == 0, (words, done.stderr)


@pytest.mark.parametrize(
    "words",
    [("up",), ("status",), ("down",), ("service",), ("doctor",), ("backup", "x"), ("restore", "x")],
    ids=lambda words: words[0],
)
def test_what_needs_linux_says_how_to_have_it(words: tuple[str, ...]) -> None:
    """In one sentence with the exact commands, and no traceback."""
    done = run_on_macos(*words)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith(f"lambent {words[0]} needs Linux: on macOS run it in a Linux")
    assert "limactl start --name lambent" in done.stderr
    assert "colima start" in done.stderr


def test_windows_has_wsl(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any other system gets a clear message."""
    monkeypatch.setattr(sys, "platform", "win32")
    with pytest.raises(CliError, match="needs Linux: on Windows run it in WSL2: `wsl --install"):
        require_linux("up")
    monkeypatch.setattr(sys, "platform", "freebsd14")
    with pytest.raises(CliError, match="needs Linux: run it on a Linux machine"):
        require_linux("up")


@pytest.mark.parametrize("machine", ["riscv64", "armv7l", "i686"])
def test_other_processors_are_refused_plainly(
    monkeypatch: pytest.MonkeyPatch, machine: str
) -> None:
    """Nothing is imported that has no numbers of system calls for them."""
    monkeypatch.setattr(os, "uname", lambda: types.SimpleNamespace(machine=machine))
    with pytest.raises(CliError, match=f"x86_64 or aarch64 in 64 bits; this is {machine}"):
        require_linux("up")


def test_a_32_bit_python_on_a_64_bit_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    """Has other numbers of system calls than its machine's name says."""
    monkeypatch.setattr(sys, "maxsize", 2**31 - 1)
    with pytest.raises(CliError, match="with a 32-bit Python"):
        require_linux("up")
