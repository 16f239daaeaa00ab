"""Plays of environments end with their test."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.unit.node.playbook import Play


@pytest.fixture
def playbook() -> Iterator[Callable[..., Play]]:
    """Makes a play, as `Play` does."""
    plays: list[Play] = []

    def open_play(**more: Any) -> Play:
        plays.append(Play(**more))
        return plays[-1]

    yield open_play
    for play in plays:
        play.end()
