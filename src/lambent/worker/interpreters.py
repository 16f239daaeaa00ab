"""The Pythons and Nodes of this host.

Every place where interpreters usually are is looked at, wrappers (shims) are left out, and what
is left is asked once, in isolated mode and with a deadline, who it is. A virtual environment
answers with the installation it was made from. Of several with the same version line (Python's
minor version, Node's major version) the newest is kept.
"""

import dataclasses
import json
import os
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal

Kind = Literal["python", "node"]

PYTHON_OLDEST = (3, 8)
NODE_OLDEST = (20,)
_DEADLINE_S = 10.0
_PROBES_MAX = 4
_SYSTEM = (Path("/usr/bin"), Path("/usr/local/bin"))
_PROBES: dict[Kind, list[str]] = {
    "python": [
        "-I",
        "-S",
        "-c",
        "import json, sys; print(json.dumps([sys.implementation.name + getattr(sys, 'abiflags',"
        " ''), list(sys.version_info[:3]), sys.executable, sys.base_prefix]))",
    ],
    "node": [
        "-p",
        "JSON.stringify(['node', process.versions.node.split('.').map(Number), process.execPath,"
        " null])",
    ],
}
_PLAIN = ("cpython", "node")
"""Implementations with the ABI that packages on PyPI are built for: not PyPy, not free-threaded."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Interpreter:
    """An installed language interpreter."""

    kind: Kind
    version: tuple[int, ...]
    """Major, minor, patch."""
    executable: Path
    """The program itself, no link and no wrapper."""
    prefix: Path
    """The directory that holds all of the installation, the executable included."""

    @property
    def line(self) -> str:
        """What runtime identifiers name: `3.12` of a Python, `20` of a Node."""
        return ".".join(str(part) for part in _line(self.kind, self.version))


def find_interpreters(
    environment: Mapping[str, str] | None = None,
    *,
    home: Path | None = None,
    system: Iterable[Path] = _SYSTEM,
) -> tuple[Interpreter, ...]:
    """The best interpreter of each version line, sorted; those that do not answer are skipped.

    `environment` and `home` say where the operator's own installations are; by default they are
    this process's.
    """
    environment = os.environ if environment is None else environment
    home = Path(environment.get("HOME", "/")) if home is None else home
    system = tuple(system)
    places: dict[Kind, Iterator[Path]] = {
        "python": _python_places(environment, home, system),
        "node": _node_places(environment, home, system),
    }
    with ThreadPoolExecutor(_PROBES_MAX) as threads:
        answers = [
            threads.submit(_ask, kind, program, home)
            for kind, paths in places.items()
            for program in dict.fromkeys(_programs(paths))
        ]
        found = [answer.result() for answer in answers]
    return best_of_each_line(one for one in found if one is not None)


def best_of_each_line(found: Iterable[Interpreter]) -> tuple[Interpreter, ...]:
    """One interpreter of each kind and version line, sorted: the distribution's own before those
    of version managers, then the newest; of equals the first."""
    best: dict[tuple[Kind, str], Interpreter] = {}
    for one in found:
        if _rank(best.setdefault((one.kind, one.line), one)) < _rank(one):
            best[one.kind, one.line] = one
    return tuple(sorted(best.values(), key=lambda one: (one.kind, one.version)))


def _rank(interpreter: Interpreter) -> tuple[bool, tuple[int, ...]]:
    """Distributions build with profile and link-time optimisation, version managers mostly do not:
    that is a third of the time a function takes to start, worth more than the last patch."""
    return interpreter.prefix.is_relative_to("/usr"), interpreter.version


def _python_places(
    environment: Mapping[str, str], home: Path, system: Iterable[Path]
) -> Iterator[Path]:
    pyenv = Path(environment.get("PYENV_ROOT") or home / ".pyenv")
    uv = Path(environment.get("UV_PYTHON_INSTALL_DIR") or home / ".local/share/uv/python")
    for directory in [*_path(environment), *system]:
        yield from _glob(directory, "python3")
        yield from _glob(directory, "python3.[0-9]")
        yield from _glob(directory, "python3.[0-9][0-9]")
    yield from _glob(pyenv, "versions/*/bin/python3")
    yield from _glob(uv, "*/bin/python3")


def _node_places(
    environment: Mapping[str, str], home: Path, system: Iterable[Path]
) -> Iterator[Path]:
    nvm = Path(environment.get("NVM_DIR") or home / ".nvm")
    n = Path(environment.get("N_PREFIX") or "/usr/local") / "n"
    for directory in [*_path(environment), *system]:
        yield from _glob(directory, "node")
        yield from _glob(directory, "nodejs")
    yield from _glob(nvm, "versions/node/*/bin/node")
    yield from _glob(n, "versions/node/*/bin/node")


def _path(environment: Mapping[str, str]) -> list[Path]:
    return [
        Path(entry)
        for entry in environment.get("PATH", "").split(os.pathsep)
        if os.path.isabs(entry)
    ]


def _glob(directory: Path, pattern: str) -> Iterator[Path]:
    try:
        yield from sorted(directory.glob(pattern))
    except OSError:
        return  # A directory that may not be read holds nothing for us.


def _programs(paths: Iterable[Path]) -> Iterator[Path]:
    """The real files behind the paths: executable and not a script, as shims are."""
    for path in paths:
        try:
            real = path.resolve(strict=True)
            if not os.access(real, os.X_OK) or not real.is_file():
                continue
            with real.open("rb") as file:
                is_script = file.read(2) == b"#!"
        except (OSError, RuntimeError):
            continue
        if not is_script:
            yield real


def _ask(kind: Kind, program: Path, home: Path) -> Interpreter | None:
    """Who a program says it is; None if it is not an interpreter that can be used."""
    try:
        done = subprocess.run(
            [program, *_PROBES[kind]],
            env={"PATH": os.defpath},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_DEADLINE_S,
            cwd="/",
        )
        implementation, numbers, executable, prefix = json.loads(done.stdout)
        version = tuple(int(number) for number in numbers)
        path = Path(executable).resolve(strict=True)
    except (OSError, RuntimeError, subprocess.SubprocessError, ValueError, TypeError):
        return None
    oldest = PYTHON_OLDEST if kind == "python" else NODE_OLDEST
    if implementation not in _PLAIN or version < oldest:
        return None
    if prefix is not None:
        named = Path(prefix).resolve() / "bin" / f"python{version[0]}.{version[1]}"
        path = named.resolve() if named.exists() else path
        root = Path(prefix).resolve()
    else:
        root = path.parent.parent
        if not (root / "include/node").is_dir() and not (root / "lib/node_modules").is_dir():
            return None  # A lone binary: the directory above it is not an installation.
    if not path.is_relative_to(root) or home.resolve().is_relative_to(root):
        return None  # The whole prefix will be shown to functions: never a home directory.
    return Interpreter(kind=kind, version=version, executable=path, prefix=root)


def _line(kind: Kind, version: tuple[int, ...]) -> tuple[int, ...]:
    return version[:2] if kind == "python" else version[:1]
