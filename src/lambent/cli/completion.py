"""Completion of the shell: names of functions, stacks and templates.

A key press must not wait, so the platform has half a second to answer. Whatever goes wrong, there
is nothing to complete, and nothing is printed.
"""

import os
from collections.abc import Callable, Iterable
from typing import Any

_DEADLINE_S = 0.5
_NAMES_MAX = 200


def complete_function(incomplete: str) -> list[str]:
    """Names of functions that begin so."""
    return _matching(incomplete, _functions)


def complete_stack(incomplete: str) -> list[str]:
    """Names of stacks that begin so."""
    return _matching(incomplete, _stacks)


def complete_deletable(incomplete: str) -> list[str]:
    """Names of functions and of stacks that begin so."""
    return sorted({*complete_function(incomplete), *complete_stack(incomplete)})


def complete_template(incomplete: str) -> list[str]:
    """Names of the templates of `lambent init` that begin so."""
    from lambent.cli.init import template_names

    return _matching(incomplete, template_names)


def _functions() -> Iterable[str]:
    found = _client("lambda").list_functions(MaxItems=_NAMES_MAX)["Functions"]
    return (function["FunctionName"] for function in found)


def _stacks() -> Iterable[str]:
    found = _client("cloudformation").describe_stacks()["Stacks"]
    return (stack["StackName"] for stack in found)


def _client(service: str) -> Any:
    from lambent.cli.client import DEFAULT_ENDPOINT, make_client

    endpoint = os.environ.get("LAMBENT_ENDPOINT") or DEFAULT_ENDPOINT
    return make_client(service, endpoint, timeout_s=_DEADLINE_S)


def _matching(incomplete: str, names: Callable[[], Iterable[str]]) -> list[str]:
    try:
        return sorted(name for name in names() if name.startswith(incomplete))[:_NAMES_MAX]
    except Exception:  # See the module.
        return []
