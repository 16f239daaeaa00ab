"""`{{resolve:ssm:…}}` and others: which a value has, and the value with them replaced."""

import re
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from lambent.stacks.template.errors import TemplateError

_REFERENCE = re.compile(r"\{\{resolve:(ssm|ssm-secure|secretsmanager):([^{}]+)\}\}")


class DynamicReference(NamedTuple):
    """A parsed reference."""

    service: Literal["ssm", "secretsmanager"]
    name: str
    """Of the parameter, or name or ARN of the secret."""
    version: str | None = None
    """Number of the parameter's version, or id of the secret's."""
    stage: str | None = None
    """Of a secret; None for `AWSCURRENT`."""
    key: str | None = None
    """Of a secret that is a JSON object; None for the whole text."""
    is_secure: bool = False
    """Whether the parameter must be a SecureString."""


def dynamic_references(value: Any) -> frozenset[str]:
    """The references in an evaluated value, as they are written."""
    found: set[str] = set()
    _collect(value, found)
    return frozenset(found)


def parse_reference(written: str) -> DynamicReference:
    """What a reference asks for. Raises `TemplateError` if it is malformed."""
    match = _REFERENCE.fullmatch(written)
    if match is None:
        raise _malformed(written)
    service, rest = match.groups()
    if service != "secretsmanager":
        name, _, version = rest.partition(":")
        if (version and not version.isdecimal()) or not name or rest.endswith(":"):
            raise _malformed(written)
        return DynamicReference("ssm", name, version or None, is_secure=service == "ssm-secure")
    if rest.startswith("arn:"):
        parts = rest.split(":")
        name, others = ":".join(parts[:7]), parts[7:]
    else:
        name, *others = rest.split(":")
    string, key, stage, version = (*others, "", "", "", "")[:4]
    if not name or len(others) > 4 or string not in ("", "SecretString") or (stage and version):
        raise _malformed(written)
    return DynamicReference(
        "secretsmanager", name, version or None, stage=stage or None, key=key or None
    )


def substitute(value: Any, resolved: Mapping[str, str]) -> Any:
    """The value with its references replaced. Raises `TemplateError` if `resolved` lacks one."""
    if isinstance(value, dict):
        return {name: substitute(member, resolved) for name, member in value.items()}
    if isinstance(value, list):
        return [substitute(item, resolved) for item in value]
    if not isinstance(value, str):
        return value

    def replacement(match: re.Match[str]) -> str:
        if match.group() not in resolved:
            raise TemplateError(f"Could not resolve the dynamic reference {match.group()}.")
        return resolved[match.group()]

    return _REFERENCE.sub(replacement, value)


def _collect(value: Any, found: set[str]) -> None:
    if isinstance(value, dict):
        for member in value.values():
            _collect(member, found)
    elif isinstance(value, list):
        for item in value:
            _collect(item, found)
    elif isinstance(value, str):
        found.update(match.group() for match in _REFERENCE.finditer(value))


def _malformed(written: str) -> TemplateError:
    return TemplateError(f"Invalid dynamic reference {written}.")
