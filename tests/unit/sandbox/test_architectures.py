"""Every system call made by number has the right number, on x86-64 and on arm64.

The numbers are read from the sources, so that a new one is checked as well.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import lambent
from lambent.sandbox.launcher import snapshots, syscalls

SOURCES = Path(lambent.__file__).parent
HEADERS = {
    "x86_64": Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h"),
    "aarch64": Path("/usr/include/asm-generic/unistd.h"),
}
OF_X86_ALONE = {"restore.py", "capture.py", "tracing.py"}
"""Snapshots of processes: refused elsewhere before anything of these runs."""
NAME = re.compile(r"_?(?:SYS|NR)_([A-Z0-9_]+)$")
BUILT_INTO_BOTH_SINCE_5_0 = 424
"""Numbers from here on are the same everywhere."""


@pytest.fixture(params=sorted(HEADERS))
def machine(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    if not HEADERS[name].exists():
        pytest.skip(f"needs {HEADERS[name]} of the package linux-libc-dev")
    return name


def header(machine: str) -> dict[str, int]:
    pattern = r"#define __NR(?:3264)?_(\w+)\s+(\d+)"
    found = re.findall(pattern, HEADERS[machine].read_text())
    return {name: int(number) for name, number in found}


def assignments(file: Path) -> Iterator[tuple[str, ast.expr]]:
    """Names and values of a module's constants, those of tuples one by one."""
    for node in ast.parse(file.read_text()).body:
        if not isinstance(node, ast.Assign):
            continue
        (target,) = node.targets
        if isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
            for name, value in zip(target.elts, node.value.elts, strict=True):
                assert isinstance(name, ast.Name)
                yield name.id, value
        elif isinstance(target, ast.Name):
            yield target.id, node.value


def numbers_of(file: Path, machine: str) -> Iterator[tuple[str, int]]:
    """The system calls a module makes by number on a machine."""
    for name, value in assignments(file):
        by_machine = value.value if isinstance(value, ast.Subscript) else value
        if isinstance(by_machine, ast.Dict):
            try:
                table = ast.literal_eval(by_machine)
            except ValueError:
                continue
            if machine not in table:
                continue
            mine = table[machine]
            if isinstance(mine, dict):
                yield from mine.items()
            elif isinstance(mine, int):
                yield called(name), mine
        elif (found := NAME.match(name)) and isinstance(value, ast.Constant):
            yield found[1].lower(), value.value


def called(name: str) -> str:
    """The system call that a table of one number is for."""
    found = NAME.match(name)
    return found[1].lower() if found else {"_BPF_SYSCALL_NUMBERS": "bpf"}[name]


@pytest.mark.slow
def test_numbers_in_the_sources(machine: str) -> None:
    """As the kernel's headers have them."""
    known, seen = header(machine), set()
    files = [*SOURCES.glob("sandbox/**/*.py"), *SOURCES.glob("runtimes/python/*.py")]
    for file in files:
        if file.name in {"syscalls.py", "seccomp.py"} or (
            machine != "x86_64" and file.name in OF_X86_ALONE
        ):
            continue
        for name, number in numbers_of(file, machine):
            seen.add(name)
            assert known.get(name, number) == number, (file, name)
            # A call that the header does not contain yet must at least have the same number on all
            # architectures.
            assert name in known or number >= BUILT_INTO_BOTH_SINCE_5_0, (file, name)
    assert seen >= {"clone3", "pivot_root", "mount_setattr", "setns", "capset", "bpf", "dup3"}


def test_both_tables_of_allowed_calls_say_the_same(machine: str) -> None:
    """A program that runs on one architecture finds the same calls on the other, if it has them."""
    other = {"x86_64": syscalls.AARCH64, "aarch64": syscalls.X86_64}[machine]
    mine = {"x86_64": syscalls.X86_64, "aarch64": syscalls.AARCH64}[machine]
    known = header(machine)
    renamed = {"newfstatat": "fstatat", "fstatat": "newfstatat"}
    lacking = {
        name
        for name in other.keys() - mine.keys()
        if name in known and renamed.get(name) not in mine
    }
    assert lacking == set()


def test_snapshots_are_refused_on_arm64(monkeypatch: pytest.MonkeyPatch) -> None:
    """Clearly, before a process is touched: registers and numbers there are x86-64's."""
    monkeypatch.setattr("os.uname", lambda: type("Name", (), {"machine": "aarch64"}))
    owner = snapshots.SnapshotFiles.__new__(snapshots.SnapshotFiles)
    with pytest.raises(OSError, match="x86-64 only"):
        owner.take(None, 1, bytes_max=1, on_taken=lambda *_: None)  # type: ignore[arg-type]
