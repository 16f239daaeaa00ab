"""Mapping templates: what API Gateway's users write to change requests and responses.

Templates are written by users and their input comes from anyone. They reach nothing but the values
they are given, and what they may use is bounded; see docs/designs/0040-templates.md.
"""

from collections.abc import Mapping
from functools import lru_cache

from lambent.triggers.apis.vtl.budget import Budget, TemplateError
from lambent.triggers.apis.vtl.nodes import Block, Run, render_block
from lambent.triggers.apis.vtl.parser import parse_template
from lambent.triggers.apis.vtl.statements import BreakSignal, StopSignal
from lambent.triggers.apis.vtl.values import Value

_TEMPLATES_MAX = 512


class Template:
    """A parsed template."""

    __slots__ = ("_block",)

    def __init__(self, block: Block) -> None:
        self._block = block

    def render(self, variables: Mapping[str, Value], budget: Budget | None = None) -> str:
        """What the template writes. Maps and lists among the variables may be changed by it. Raises
        `TemplateError`."""
        run = Run(dict(variables), budget or Budget())
        try:
            render_block(self._block, run)
        except (StopSignal, BreakSignal):
            pass
        except RecursionError:
            raise TemplateError("The template is nested too deeply.") from None
        return "".join(run.output)


@lru_cache(maxsize=_TEMPLATES_MAX)
def compile_template(text: str) -> Template:
    """Raises `TemplateError` for a template that cannot be parsed."""
    try:
        return Template(parse_template(text))
    except RecursionError:
        raise TemplateError("The template is nested too deeply.") from None
