"""Generated names of resources."""

from collections.abc import Mapping
from typing import Any

from lambent.stacks.resources.row_type import Name

_UNIQUE = 13
"""Characters at the end of a generated name that make it unique, with their hyphen."""


def shortened(generated: str, rule: Name, properties: Mapping[str, Any]) -> str:
    """A generated name that the type allows: its end, which is unique, stays."""
    suffix = rule.suffix(properties)
    if rule.is_alphanumeric:
        generated = generated.replace("-", "")
    maximum = rule.maximum - len(suffix)
    if len(generated) > maximum:
        start = generated[:-_UNIQUE][: maximum - _UNIQUE].rstrip("-")
        generated = start + generated[-_UNIQUE:]
    return (generated.lower() if rule.is_lower else generated) + suffix
