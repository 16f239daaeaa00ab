"""Text → document: JSON, or YAML with CloudFormation's tags."""

import json
from typing import Any

from lambent.kit import strict_json
from lambent.stacks.template.errors import TemplateError
from lambent.stacks.template.shape import Document, check_document
from lambent.stacks.template.yaml_reading import read_yaml

__all__ = ["Document", "read_template"]


TEXT_BYTES_MAX = 1_048_576
"""As in AWS."""


def read_template(text: str) -> Document:
    """The document that a template's text says. A text that starts with `{` is JSON, others are
    YAML. Raises `TemplateError` if it is neither, is too large or too deep, repeats a key or has a
    `null`. Takes up to a second for hostile texts of a megabyte."""
    if len(text) > TEXT_BYTES_MAX or len(text.encode(errors="replace")) > TEXT_BYTES_MAX:
        raise TemplateError(f"Template may not exceed {TEXT_BYTES_MAX} bytes in size.")
    return check_document(_read_json(text) if text.lstrip().startswith("{") else read_yaml(text))


def _read_json(text: str) -> Any:
    try:
        return strict_json.parse_loosely(text, _unique)
    except json.JSONDecodeError as error:
        raise TemplateError(
            "Template format error: JSON not well-formed."
            f" (line {error.lineno}, column {error.colno})"
        ) from None
    except ValueError as error:
        raise TemplateError(f"Template format error: JSON not well-formed. ({error})") from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise TemplateError(f"Template format error: Duplicate key found: {key}")
            seen.add(key)
    return made
