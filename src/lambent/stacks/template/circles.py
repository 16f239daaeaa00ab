"""Circles of dependencies."""

import graphlib
from collections.abc import Iterable, Mapping

from lambent.stacks.template.errors import TemplateError


def in_order(dependencies: Mapping[str, Iterable[str]], what: str = "resources") -> list[str]:
    """The names, each after those that it depends on. Raises `TemplateError` if names depend on
    each other in a circle."""
    try:
        return list(graphlib.TopologicalSorter(dependencies).static_order())
    except graphlib.CycleError as error:
        circle = ", ".join(sorted(set(error.args[1])))
        raise TemplateError(f"Circular dependency between {what}: [{circle}]") from None
