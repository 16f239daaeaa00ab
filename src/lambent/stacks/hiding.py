"""Secrets in what is shown of stacks: AWS shows asterisks instead.

What is secret: values of parameters with NoEcho, attributes that a type of resource calls secret,
and values of dynamic references.
"""

import json
import re
from collections.abc import Iterable, Iterator, Set
from typing import Final

from lambent.stacks.records import Deployment, Resource
from lambent.stacks.template.parameters import HIDDEN

_SURE: Final = 8
"""Characters from which a secret is hidden wherever it stands; a shorter one only as a word."""


def secrets_of(deployments: Iterable[Deployment | None], resources: Iterable[Resource]) -> Set[str]:
    """The secrets that are stored of a stack."""
    found = {text for deployment in deployments for text in _of_deployment(deployment)}
    return found.union(*map(secrets_of_resource, resources))


def secrets_of_resource(resource: Resource) -> Set[str]:
    """The secret attributes of a resource."""
    states = (resource.current, resource.wish, resource.previous, *resource.leftovers)
    return {
        text
        for state in states
        if state is not None
        for name in state.hidden
        for text in _texts(state.attributes.get(name))
    }


def hide(text: str, secrets: Set[str]) -> str:
    """A text, or a document as JSON, with asterisks instead of secrets."""
    forms = {form for secret in secrets if secret for form in (secret, json.dumps(secret)[1:-1])}
    # The longest first: one secret may be a part of another.
    for form in sorted(forms, key=len, reverse=True):
        if form not in text:
            continue
        if len(form) >= _SURE:
            text = text.replace(form, HIDDEN)
        else:
            text = re.sub(rf"(?<![A-Za-z0-9]){re.escape(form)}(?![A-Za-z0-9])", HIDDEN, text)
    return text


def _of_deployment(deployment: Deployment | None) -> Iterator[str]:
    for name in deployment.hidden if deployment is not None else ():
        assert deployment is not None
        for text in (deployment.parameters.get(name, ""), deployment.looked_up.get(name, "")):
            yield text
            yield from (item.strip() for item in text.split(",")) if "," in text else ()


def _texts(value: object) -> Iterator[str]:
    """All texts in a value. Numbers are secrets, too; `true` and `false` are none."""
    if isinstance(value, dict):
        for member in value.values():
            yield from _texts(member)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
    elif isinstance(value, str | int | float) and not isinstance(value, bool):
        yield str(value)
