"""What a document may be: bounds on its size and depth, also of what macros return."""

import math
from typing import Any

from lambent.stacks.template.errors import TemplateError

Document = dict[str, Any]
"""A template as data: what JSON can say. Short forms of functions (`!Ref X`) are written out."""

DEPTH_MAX = 100
"""Levels of lists and maps. Templates of people have 30; each level costs Python a few frames."""
NODES_MAX = 100_000
"""Values of a document, with aliases written out. 500 large resources have 30,000."""
CHARACTERS_MAX = 2_000_000
"""Characters of all keys and texts, with aliases written out."""


def check_document(document: Any) -> Document:
    """The document, if it is an object within the bounds that has no `null`. Raises
    `TemplateError`."""
    if not isinstance(document, dict):
        raise TemplateError("Template format error: unsupported structure.")
    nodes = characters = 0
    waiting: list[tuple[Any, _Path]] = [(document, _Path(None, "", 0))]
    while waiting:
        value, path = waiting.pop()
        nodes += 1
        if isinstance(value, dict):
            for key, member in value.items():
                if not isinstance(key, str):
                    raise TemplateError(
                        f"Template format error: [{path}] every key must be a string."
                    )
                _check_text(key, path)
                characters += len(key)
                waiting.append((member, _Path(path, key, path.depth + 1)))
        elif isinstance(value, list):
            waiting += [
                (item, _Path(path, str(index), path.depth + 1)) for index, item in enumerate(value)
            ]
        else:
            _check_scalar(value, path)
            characters += len(value) if isinstance(value, str) else 1
        check_bounds(nodes + len(waiting), characters, path.depth)
    return document


def check_bounds(nodes: int, characters: int, depth: int) -> None:
    """Raises `TemplateError` if a document has more than that."""
    if depth > DEPTH_MAX:
        raise TemplateError(
            f"Template format error: The template is nested deeper than {DEPTH_MAX} levels."
        )
    if nodes > NODES_MAX:
        raise TemplateError(
            f"Template format error: The template has more than {NODES_MAX:,} values, counting"
            " aliases."
        )
    if characters > CHARACTERS_MAX:
        raise TemplateError(
            f"Template format error: The template has more than {CHARACTERS_MAX:,} characters,"
            " counting aliases."
        )


class _Path:
    """Where a value is. A chain, since few paths are ever written."""

    __slots__ = ("depth", "key", "outer")

    def __init__(self, outer: "_Path | None", key: str, depth: int) -> None:
        self.outer = outer
        self.key = key
        self.depth = depth

    def __str__(self) -> str:
        keys = []
        at: _Path | None = self
        while at is not None and at.outer is not None:
            keys.append(at.key)
            at = at.outer
        return "/" + "/".join(reversed(keys))


def _check_text(text: str, path: _Path) -> None:
    if text.isascii():
        return
    try:
        text.encode()
    except UnicodeEncodeError:
        raise TemplateError(
            f"Template format error: [{path}] A text has a character that is not Unicode."
        ) from None


def _check_scalar(value: Any, path: _Path) -> None:
    if value is None:
        raise TemplateError(f"[{path}] 'null' values are not allowed in templates")
    if isinstance(value, str):
        _check_text(value, path)
    elif not isinstance(value, int | float) or not math.isfinite(value):
        raise TemplateError(f"Template format error: [{path}] {value!r} is not a value of JSON.")
