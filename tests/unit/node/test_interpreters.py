"""Finding interpreters: the real program behind each name, one of each version line."""

import json
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from lambent.node.languages.interpreters import best_of_each_line, find_interpreters
from lambent.node.languages.language import Interpreter
from tests.interpreters import an_interpreter

BASE = Path(sys.base_prefix).resolve()
LINE = f"{sys.version_info.major}.{sys.version_info.minor}"


def found_in(*path: Path, home: Path) -> tuple[Interpreter, ...]:
    """What is found with this PATH and nothing else."""
    environment = {"PATH": os.pathsep.join(str(entry) for entry in path)}
    return find_interpreters(environment, home=home, system=())


def test_a_virtual_environment_leads_to_what_it_was_made_from(tmp_path: Path) -> None:
    """Its packages are not a function's; the base installation is what is shown."""
    venv.create(tmp_path / "venv", with_pip=False, symlinks=True)
    (interpreter,) = found_in(tmp_path / "venv/bin", home=tmp_path)
    assert (interpreter.kind, interpreter.line, interpreter.prefix) == ("python", LINE, BASE)
    assert interpreter.version == sys.version_info[:3]
    assert interpreter.executable.is_relative_to(BASE)


def test_the_same_interpreter_under_many_names_is_one(tmp_path: Path) -> None:
    """Links are followed before a program is asked."""
    program = Path(sys.base_prefix, "bin", f"python{LINE}").resolve()
    for name in ("python3", f"python{LINE}", "python3.99"):
        (tmp_path / name).symlink_to(program)
    assert len(found_in(tmp_path, home=tmp_path / "home")) == 1


def test_shims_and_broken_programs_are_left_out(tmp_path: Path) -> None:
    """Scripts are never run; a program that does not identify itself is not an interpreter."""
    witness = tmp_path / "was-run"
    shim = tmp_path / "python3"
    shim.write_text(f'#!/bin/sh\ntouch {witness}\nexec {sys.executable} "$@"\n')
    shim.chmod(0o755)
    shutil.copy(shutil.which("true") or "/bin/true", tmp_path / "python3.12")
    (tmp_path / "python3.11").write_bytes(b"\x7fELF and then nothing")
    (tmp_path / "python3.11").chmod(0o755)
    (tmp_path / "python3.10").symlink_to(tmp_path / "nowhere")
    (tmp_path / "python3.9").mkdir()
    (tmp_path / "node").symlink_to("node")
    assert found_in(tmp_path, tmp_path / "missing", home=tmp_path) == ()
    assert not witness.exists()


def test_pyenv_and_uv_are_looked_at(tmp_path: Path) -> None:
    """Without being on PATH."""
    program = Path(sys.base_prefix, "bin", f"python{LINE}").resolve()
    for place in (".pyenv/versions/a/bin", ".local/share/uv/python/b/bin"):
        (tmp_path / place).mkdir(parents=True)
        (tmp_path / place / "python3").symlink_to(program)
    (interpreter,) = find_interpreters({}, home=tmp_path, system=())
    assert interpreter.line == LINE
    assert find_interpreters({"PYENV_ROOT": "/x"}, home=tmp_path / "x", system=()) == ()


def test_a_home_directory_is_never_a_prefix(tmp_path: Path) -> None:
    """All of the prefix is shown to functions, so an installation right in a home is refused."""
    program = Path(sys.base_prefix, "bin", f"python{LINE}").resolve()
    (tmp_path / "python3").symlink_to(program)
    assert found_in(tmp_path, home=BASE) == ()
    assert found_in(tmp_path, home=BASE / "deeper") == ()


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("node") is None, reason="needs Node.js: apt install nodejs")
def test_node_is_found(tmp_path: Path) -> None:
    """Its line is the major version; a copy outside an installation is refused."""
    real = Path(shutil.which("node") or "").resolve()
    nodes = [
        interpreter
        for interpreter in found_in(real.parent, home=tmp_path)
        if interpreter.kind == "node"
    ]
    assert [str(node.version[0]) for node in nodes] == [node.line for node in nodes]
    lone = tmp_path / "lone/bin"
    lone.mkdir(parents=True)
    os.link(real, lone / "node") if real.stat().st_dev == lone.stat().st_dev else shutil.copy(
        real, lone / "node"
    )
    assert found_in(lone, home=tmp_path / "home") == ()


@pytest.mark.skipif(shutil.which("java") is None, reason="needs Java: apt install openjdk-17-jdk")
def test_a_jvm_is_found(tmp_path: Path) -> None:
    """By JAVA_HOME, on PATH, and where SDKMAN keeps them; its line is the major version."""
    real = Path(shutil.which("java") or "").resolve()
    home = real.parents[1]
    sdkman = tmp_path / ".sdkman/candidates/java"
    sdkman.mkdir(parents=True)
    (sdkman / "current").symlink_to(home)
    ways = [{"JAVA_HOME": str(home)}, {"PATH": str(real.parent)}, {"HOME": str(tmp_path)}]
    for environment in ways:
        where = tmp_path if "HOME" in environment else tmp_path / "nobody"
        (interpreter,) = find_interpreters(environment, home=where, system=())
        assert (interpreter.kind, interpreter.executable, interpreter.prefix) == (
            "java",
            real,
            home,
        )
        assert interpreter.line == str(interpreter.version[0])
        assert interpreter.version[0] >= 8


@pytest.mark.slow
@pytest.mark.parametrize(
    ("settings", "version"),
    [
        ("    java.version = 17.0.15\n", (17, 0, 15)),
        ("    java.version = 1.8.0_392\n", (8, 0, 392)),
        ("    java.version = 26-ea\n", (26,)),
        ("    java.version = 7\n", None),
        ("Unrecognized option", None),
    ],
)
def test_versions_of_jvms(tmp_path: Path, settings: str, version: tuple[int, ...] | None) -> None:
    """Old JVMs count differently; a program with other output is not a JVM."""
    source = tmp_path / "java.c"
    text = settings.replace("\n", "\\n")
    source.write_text(f'#include <stdio.h>\nint main() {{ fputs("{text}", stderr); return 0; }}')
    (tmp_path / "jdk/bin").mkdir(parents=True)
    (tmp_path / "jdk/lib/modules").mkdir(parents=True)
    subprocess.run(["cc", "-o", tmp_path / "jdk/bin/java", source], check=True)
    found = found_in(tmp_path / "jdk/bin", home=tmp_path / "home")
    assert [interpreter.version for interpreter in found] == ([version] if version else [])


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("ruby") is None, reason="needs Ruby: apt install ruby")
def test_ruby_is_found(tmp_path: Path) -> None:
    """On PATH and where rbenv keeps them; its line is the minor version."""
    real = Path(shutil.which("ruby") or "").resolve()
    rbenv = tmp_path / ".rbenv/versions/x/bin"
    rbenv.mkdir(parents=True)
    (rbenv / "ruby").symlink_to(real)
    rubies = [
        interpreter
        for interpreter in found_in(real.parent, home=tmp_path / "home")
        if interpreter.kind == "ruby"
    ]
    assert real in [ruby.executable for ruby in rubies]
    (interpreter,) = find_interpreters({}, home=tmp_path, system=())
    assert interpreter.line == ".".join(str(part) for part in interpreter.version[:2])
    assert (interpreter.kind, interpreter.executable) == ("ruby", real)


def test_the_best_of_each_line_is_kept() -> None:
    """By number, not by text; of equals the first."""

    def make(version: tuple[int, ...], where: str) -> Interpreter:
        return an_interpreter(
            kind="python", version=version, executable=Path(where, "p"), prefix=Path(where)
        )

    kept = best_of_each_line(
        [
            make((3, 12, 9), "/a"),
            make((3, 12, 10), "/b"),
            make((3, 12, 10), "/c"),
            make((3, 9, 1), "/d"),
        ]
    )
    assert [str(interpreter.prefix) for interpreter in kept] == ["/d", "/b"]


def test_the_distributions_own_build_comes_first() -> None:
    """It is optimised, which counts for more than a newer patch."""
    system = an_interpreter(
        kind="python",
        version=(3, 11, 2),
        executable=Path("/usr/bin/python3.11"),
        prefix=Path("/usr"),
    )
    managed = an_interpreter(
        kind="python",
        version=(3, 11, 9),
        executable=Path("/opt/managed/bin/python3.11"),
        prefix=Path("/opt/managed"),
    )
    assert best_of_each_line([managed, system]) == (system,)
    assert best_of_each_line([system, managed]) == (system,)


def test_results_are_remembered(tmp_path: Path) -> None:
    """A program is not asked again until its file changes; a file of answers that cannot be read
    is as good as none."""
    witness = tmp_path / "asked"
    program = tmp_path / "base/bin/python3"
    program.parent.mkdir(parents=True)
    source = tmp_path / "python.c"
    answer = json.dumps(["cpython", [3, 12, 1], str(program), str(tmp_path / "base")])
    source.write_text(
        "#include <stdio.h>\nint main(void) {\n"
        f'fclose(fopen("{witness}", "a"));\n'
        f"puts({json.dumps(answer)}); return 0; }}\n"
    )
    answers = tmp_path / "cache/interpreters.json"

    def is_asked() -> bool:
        witness.unlink(missing_ok=True)
        environment = {"PATH": str(program.parent)}
        found = find_interpreters(environment, home=tmp_path / "home", system=(), answers=answers)
        assert [(interpreter.line, interpreter.executable) for interpreter in found] == [
            ("3.12", program)
        ]
        return witness.exists()

    subprocess.run(["cc", "-o", program, source], check=True)
    assert is_asked()
    assert not is_asked()
    program.touch()
    assert is_asked()
    assert not is_asked()
    for damage in ("{", "[]", "[" * 100_000, json.dumps({str(program): 7})):
        answers.write_text(damage)
        assert is_asked()
    assert [entry.name for entry in answers.parent.iterdir()] == ["interpreters.json"]
