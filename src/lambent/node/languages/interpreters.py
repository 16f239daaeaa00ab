"""The Pythons, Nodes, JVMs and Rubies of this host.

Every place where interpreters usually are is looked at, wrappers (shims) are left out, and what
is left is asked once, in isolated mode and with a deadline, who it is. A virtual environment
answers with the installation it was made from. Of several with the same version line (the minor
version of Python and Ruby, the major version of Node and Java) the newest is kept.
"""

import dataclasses
import json
import os
import re
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, Literal

from lambent.node.languages.interpreter_facts import Answers
from lambent.node.languages.interpreter_search import (
    java_places,
    node_places,
    python_places,
    ruby_places,
)

Kind = Literal["python", "node", "java", "ruby"]

OLDEST: Mapping[Kind, tuple[int, ...]] = {
    "python": (3, 8),
    "node": (20,),
    "java": (8,),
    "ruby": (2, 7),
}
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
    "java": ["-XshowSettings:properties", "-version"],
    "ruby": [
        "--disable-gems",
        "-rrbconfig",
        "-e",
        "p [RUBY_ENGINE, RUBY_VERSION.split('.').map(&:to_i), RbConfig.ruby,"
        " RbConfig::CONFIG['prefix']]",
    ],
}
_PLAIN = ("cpython", "node", "java", "ruby")
"""Implementations with the ABI that packages are built for: not PyPy, not free-threaded, not
JRuby."""
_LANDMARKS: Mapping[str, tuple[str, ...]] = {
    "node": ("include/node", "lib/node_modules"),
    "java": ("lib/modules", "jre/lib/rt.jar", "lib/rt.jar"),
}
"""What an installation has beside `bin`, of languages that do not name their prefix."""


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
        """What runtime identifiers name: `3.12` of a Python or Ruby, `20` of a Node or JVM."""
        return ".".join(str(part) for part in _line(self.kind, self.version))


def find_interpreters(
    environment: Mapping[str, str] | None = None,
    *,
    home: Path | None = None,
    system: Iterable[Path] = _SYSTEM,
    answers: Path | None = None,
) -> tuple[Interpreter, ...]:
    """The best interpreter of each version line, sorted; those that do not answer are skipped.

    `environment` and `home` say where the operator's own installations are; by default they are
    this process's. `answers` is a file that remembers them; without it each is asked.
    """
    known = Answers(answers)
    environment = os.environ if environment is None else environment
    home = Path(environment.get("HOME", "/")) if home is None else home
    system = tuple(system)
    places: dict[Kind, Iterator[Path]] = {
        "python": python_places(environment, home, system),
        "node": node_places(environment, home, system),
        "java": java_places(environment, home, system),
        "ruby": ruby_places(environment, home, system),
    }
    with ThreadPoolExecutor(_PROBES_MAX) as threads:
        asked = [
            threads.submit(_ask, kind, program, home, known)
            for kind, paths in places.items()
            for program in dict.fromkeys(_programs(paths))
        ]
        found = [one.result() for one in asked]
    known.save()
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


def _answer(kind: Kind, program: Path) -> Any:
    """What a program says it is: implementation, version, executable and prefix."""
    done = subprocess.run(
        [program, *_PROBES[kind]],
        env={"PATH": os.defpath},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=_DEADLINE_S,
        cwd="/",
    )
    return _of_java(done.stderr.decode(), program) if kind == "java" else json.loads(done.stdout)


def _ask(kind: Kind, program: Path, home: Path, known: Answers) -> Interpreter | None:
    """Who a program says it is; None if it is not an interpreter that can be used."""
    try:
        answer = known.of(program, partial(_answer, kind, program))
        implementation, numbers, executable, prefix = answer
        version = tuple(int(number) for number in numbers)
        path = Path(executable).resolve(strict=True)
    except (OSError, RuntimeError, subprocess.SubprocessError, ValueError, TypeError):
        return None
    if implementation not in _PLAIN or version < OLDEST[kind]:
        return None
    root = path.parent.parent if prefix is None else Path(prefix).resolve()
    if kind == "python":
        named = root / "bin" / f"python{version[0]}.{version[1]}"
        path = named.resolve() if named.exists() else path
    landmarks = _LANDMARKS.get(kind)
    if landmarks and not any((root / landmark).exists() for landmark in landmarks):
        return None  # A lone binary: the directory above it is not an installation.
    if not path.is_relative_to(root) or home.resolve().is_relative_to(root):
        return None  # The whole prefix will be shown to functions: never a home directory.
    return Interpreter(kind=kind, version=version, executable=path, prefix=root)


def _of_java(settings: str, program: Path) -> list[Any]:
    """What a JVM's list of properties says, in the form of the other languages' answers."""
    found = re.search(r"^ *java\.version = (?:1\.)?(\d+(?:[._]\d+)*)", settings, re.MULTILINE)
    if found is None:
        raise ValueError("no JVM")
    return ["java", re.split(r"[._]", found[1]), str(program), None]


def _line(kind: Kind, version: tuple[int, ...]) -> tuple[int, ...]:
    return version[:2] if kind in ("python", "ruby") else version[:1]
