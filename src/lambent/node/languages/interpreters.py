"""The interpreters of this host, of every language.

Every path where interpreters usually are is examined, and wrappers (shims) are skipped. Each
remaining program is asked once, in isolated mode and with a deadline, what it is. Of several with
the same version line (the minor version of Python and Ruby, the major version of Node and Java) the
best is kept.
"""

import os
import subprocess
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from lambent.node.languages.interpreter_facts import Answers
from lambent.node.languages.language import Interpreter, Language
from lambent.node.languages.registry import LANGUAGES
from lambent.node.languages.search import executables

_PROBES_MAX = 4
_SYSTEM = (Path("/usr/bin"), Path("/usr/local/bin"))


def find_interpreters(
    environment: Mapping[str, str] | None = None,
    *,
    home: Path | None = None,
    system: Iterable[Path] = _SYSTEM,
    answers: Path | None = None,
) -> tuple[Interpreter, ...]:
    """The best interpreter of each version line, sorted; those that do not answer are skipped.

    `environment` and `home` say where the operator's own installations are; by default they are
    this process's. `answers` is a file that caches the answers; without it each interpreter is
    asked.
    """
    known = Answers(answers)
    environment = os.environ if environment is None else environment
    home = Path(environment.get("HOME", "/")) if home is None else home
    system = tuple(system)
    with ThreadPoolExecutor(_PROBES_MAX) as threads:
        futures = [
            threads.submit(_ask, language, program, home, known)
            for language in LANGUAGES
            for program in dict.fromkeys(executables(language.places(environment, home, system)))
        ]
        found = [future.result() for future in futures]
    known.save()
    return best_of_each_line(interpreter for interpreter in found if interpreter is not None)


def best_of_each_line(found: Iterable[Interpreter]) -> tuple[Interpreter, ...]:
    """One interpreter of each language and version line, sorted: the distribution's own before
    those of version managers, then the newest; of equals the first."""
    best: dict[tuple[str, str], Interpreter] = {}
    for interpreter in found:
        key = interpreter.kind, interpreter.line
        if _rank(best.setdefault(key, interpreter)) < _rank(interpreter):
            best[key] = interpreter
    return tuple(sorted(best.values(), key=lambda found: (found.kind, found.version)))


def _rank(interpreter: Interpreter) -> tuple[bool, tuple[int, ...]]:
    """Distributions build with profile and link-time optimization, version managers mostly do not.
    That saves a third of a function's start time, and is worth more than the latest patch."""
    return interpreter.prefix.is_relative_to("/usr"), interpreter.version


def _ask(language: Language, program: Path, home: Path, known: Answers) -> Interpreter | None:
    """How a program describes itself; None if it is not a usable interpreter."""
    try:
        answer = known.of(program, partial(language.probe, program))
        implementation, numbers, executable, prefix = answer
        version = tuple(int(number) for number in numbers)
        path = Path(executable).resolve(strict=True)
    except (OSError, RuntimeError, subprocess.SubprocessError, ValueError, TypeError):
        return None
    if not language.is_plain(implementation) or version < language.oldest:
        return None
    root = path.parent.parent if prefix is None else Path(prefix).resolve()
    path = language.executable_in(root, version, path)
    if language.landmarks and not any((root / mark).exists() for mark in language.landmarks):
        return None
    if not path.is_relative_to(root) or home.resolve().is_relative_to(root):
        return None  # The whole prefix is shown to functions: it must not be a home directory.
    return language.interpreter(version, path, root)
