"""Names of the attacks: each is a row of the table in `docs/security.md`."""

import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).parent


def case(*names: str) -> pytest.MarkDecorator:
    """The attacks that a test, or one of its parameters, covers."""
    return pytest.mark.case(*names)


def params(*names: str) -> list[Any]:
    """One parameter for each attack, and its name."""
    return [pytest.param(name, marks=case(name), id=name) for name in names]


def cases_by_file() -> dict[str, str]:
    """All attacks with a test, each with the test's file."""
    found: dict[str, str] = {}
    for path in sorted(FOLDER.glob("test_*.py")):
        module = importlib.import_module(f"tests.hostile.{path.stem}")
        for name, test in vars(module).items():
            if name.startswith("test_"):
                for mark in getattr(test, "pytestmark", []):
                    for attack in _cases_of(mark):
                        assert found.setdefault(attack, path.name) == path.name
    return found


def _cases_of(mark: pytest.Mark) -> Iterator[str]:
    if mark.name == "case":
        yield from mark.args
    elif mark.name == "parametrize":
        for arg in mark.args[1]:
            for inner in getattr(arg, "marks", ()):
                yield from _cases_of(inner.mark if hasattr(inner, "mark") else inner)
