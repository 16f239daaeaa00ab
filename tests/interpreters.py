"""The interpreters of this machine; some tests run once for each."""

import functools
from pathlib import Path

from lambent.node.languages.interpreters import find_interpreters
from lambent.node.languages.language import Interpreter
from lambent.node.languages.preparing import default_cache
from lambent.node.languages.registry import LANGUAGE_BY_NAME


@functools.cache
def installed() -> tuple[Interpreter, ...]:
    """The interpreters that the platform finds; asked only once."""
    return find_interpreters(answers=default_cache() / "interpreters.json")


def an_interpreter(
    *, kind: str, version: tuple[int, ...], executable: Path, prefix: Path
) -> Interpreter:
    """An interpreter that need not exist."""
    return LANGUAGE_BY_NAME[kind].interpreter(version, executable, prefix)
