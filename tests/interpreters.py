"""The interpreters of this machine, of which some tests are made one for each."""

import functools

from lambent.node.languages.interpreters import Interpreter, find_interpreters
from lambent.node.languages.runtime_clients import default_cache


@functools.cache
def installed() -> tuple[Interpreter, ...]:
    """Those the platform finds, asked as rarely as it asks."""
    return find_interpreters(answers=default_cache() / "interpreters.json")
