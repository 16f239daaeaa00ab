"""Policy variables: `${aws:username}` and its like, in resources and conditions.

A value stands for itself: a user named `*` matches nothing but that. Policies of the version of
2008 have no variables.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html
"""

import re
from collections.abc import Mapping, Sequence

from lambent.model.wildcards import literal

Context = Mapping[str, Sequence[str]]
"""Values of condition keys, by lower-case key."""

_VARIABLE = re.compile(r"\$\{(?:([*?$])|([^{}',]{1,256})(?:, ?'([^'}]{0,1024})')?)\}")


def expand(text: str, context: Context) -> list[str] | None:
    """The pattern with its variables filled in; None if the request has no value for one that has
    no default, or several: such a pattern matches nothing."""
    found: list[str] = []
    at = 0
    for match in _VARIABLE.finditer(text):
        found += text[at : match.start()]
        character, name, default = match.groups()
        values = context.get(name.lower(), ()) if name else (character,)
        value = values[0] if len(values) == 1 else default
        if value is None:
            return None
        found += literal(value)
        at = match.end()
    return found + list(text[at:])


def expand_resource(arn: str, context: Context) -> list[str] | None:
    """As `expand`, for a `Resource`: variables are known behind its fifth colon only."""
    head, separator, resource = _split(arn)
    expanded = expand(resource, context)
    return None if expanded is None else [*head, *separator, *expanded]


def _split(arn: str) -> tuple[str, str, str]:
    parts = arn.split(":", 5)
    return (":".join(parts[:5]), ":", parts[5]) if len(parts) == 6 else (arn, "", "")
