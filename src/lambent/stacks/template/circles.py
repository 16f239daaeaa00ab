"""Circles of dependencies."""

import graphlib
from collections.abc import Iterable, Mapping

from lambent.stacks.template.errors import TemplateError


def check_circles(dependencies: Mapping[str, Iterable[str]], what: str = "resources") -> None:
    """Raises `TemplateError` if names depend on each other in a circle."""
    try:
        graphlib.TopologicalSorter(dependencies).prepare()
    except graphlib.CycleError as error:
        circle = ", ".join(sorted(set(error.args[1])))
        raise TemplateError(f"Circular dependency between {what}: [{circle}]") from None
