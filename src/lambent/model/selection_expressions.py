"""Selection expressions: `$request.body.action`, `${request.body.kind}-v2`, `\\$default`.

An expression is text with variables. Its value is a key: of a route, of a template, of a response.
https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-api-selection-expressions.html
"""

import dataclasses
import json
import re
from collections.abc import Mapping
from typing import Any

_CHARACTERS_MAX = 1024
_TOKEN = re.compile(
    r"""(?P<escaped>\\\$)
      | \$\{(?P<braced>[^{}$]*)\}
      | \$(?P<bare>[A-Za-z_][\w-]*(?:\.[\w-]+|\[\d{1,6}\])*)
      | (?P<text>[^$\\]+|\\(?!\$))
    """,
    re.VERBOSE | re.ASCII,
)
_NAME = re.compile(r"[A-Za-z_][\w-]*(?:\.[\w-]+|\[\d{1,6}\])*", re.ASCII)
_STEP = re.compile(r"[\w-]+", re.ASCII)

Path = tuple[str | int, ...]
"""`request.body.items[0]` as `("request", "body", "items", 0)`."""


@dataclasses.dataclass(frozen=True, slots=True)
class Selection:
    """An expression that was read: texts and variables, in their order."""

    parts: tuple[str | Path, ...]

    def evaluate(self, values: Mapping[str, Any]) -> str:
        """The key, with variables from `values` by their first name. A variable that is missing or
        null is empty. Nothing in a value is evaluated again."""
        return "".join(
            part if isinstance(part, str) else _text(_find(values, part)) for part in self.parts
        )


def parse_selection(expression: str) -> Selection:
    """Read an expression. Raises ValueError for one that is none."""
    if len(expression) > _CHARACTERS_MAX:
        raise ValueError(f"the expression is longer than {_CHARACTERS_MAX} characters")
    parts: list[str | Path] = []
    at = 0
    while at < len(expression):
        token = _TOKEN.match(expression, at)
        if token is None:
            raise ValueError(f"'{expression[at : at + 40]}' does not begin with a variable")
        at = token.end()
        name = token["braced"] if token["braced"] is not None else token["bare"]
        if name is None:
            parts.append("$" if token["escaped"] else token["text"])
        elif _NAME.fullmatch(name) is None:
            raise ValueError(f"'{name[:40]}' is no variable")
        else:
            steps = _STEP.findall(name)
            parts.append(tuple(_steps(name, steps)))
    return Selection(tuple(parts))


def _steps(name: str, steps: list[str]) -> list[str | int]:
    """The steps of a path; those in brackets are numbers."""
    found: list[str | int] = []
    at = 0
    for step in steps:
        start = name.index(step, at)
        at = start + len(step)
        found.append(int(step) if start and name[start - 1] == "[" else step)
    return found


def _find(values: Any, path: Path) -> Any:
    for step in path:
        if isinstance(step, str) and isinstance(values, Mapping):
            values = values.get(step)
        elif isinstance(step, int) and isinstance(values, list) and step < len(values):
            values = values[step]
        else:
            return None
    return values


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    try:
        return json.dumps(value, separators=(",", ":"))
    except RecursionError:
        return ""
