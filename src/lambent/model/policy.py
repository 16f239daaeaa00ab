"""The policy language: may this principal do this to that?

A policy is a list of statements, each of which allows or denies actions on resources, to
principals if it is a resource's policy, under conditions. A denial always wins. Within an account
one permission is enough, the principal's own or the resource's; between accounts both are needed.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
"""

import dataclasses
import enum
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from lambent.model.conditions import conditions_hold
from lambent.model.principal import Principal
from lambent.model.variables import Context, expand_resource
from lambent.model.wildcards import matches, matches_arn

Statement = Mapping[str, Any]
"""As in the JSON document, and the document's `Version`."""

_WITH_VARIABLES = "2012-10-17"

_ACCOUNT = re.compile(r"(\d{12})|arn:aws:iam::(\d{12}):root", re.ASCII)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class AccessRequest:
    """An action that a principal requests."""

    principal: Principal
    action: str
    """`lambda:InvokeFunction`."""
    resource: str
    """An ARN, or `*` for actions that are about no resource."""
    also: Sequence[str] = ()
    """Further names of the same resource: a policy may use any of them."""
    is_unsure: bool = False
    """Whether it is not known which resource it is: a denial may be meant for it."""
    context: Context = dataclasses.field(default_factory=dict)
    """Values of condition keys, by lower-case key."""


class Verdict(enum.Enum):
    """What becomes of a request; the value completes the sentence of an error message."""

    ALLOWED = "allowed"
    NOT_IN_IDENTITY = "because no identity-based policy allows the {action} action"
    NOT_IN_RESOURCE = "because no resource-based policy allows the {action} action"
    DENIED_BY_IDENTITY = "with an explicit deny in an identity-based policy"
    DENIED_BY_RESOURCE = "with an explicit deny in a resource-based policy"


class ResourcePolicy(NamedTuple):
    """What is known about the resource of a request."""

    statements: Sequence[Statement] = ()
    """Of its policy."""
    trust: Sequence[Statement] = ()
    """Of a role: who may assume it."""
    tags: Mapping[str, str] = {}


def decide(
    request: AccessRequest,
    *,
    identity: Iterable[Statement],
    resource: Iterable[Statement],
    owner: str,
    needs_grant: bool = False,
) -> Verdict:
    """Whether the request is allowed.

    `identity` are the statements of the principal's own policies (an account's root needs none),
    `resource` those of the resource's policy, `owner` is the resource's account. With `needs_grant`
    the resource must allow it within an account, too: roles are assumed by whom they trust.
    """
    own = _effects([statement for statement in identity if _applies(statement, request)])
    granted = [
        (statement, reach)
        for statement in resource
        if (reach := _reach(statement, request.principal)) and _applies(statement, request)
    ]
    theirs = _effects([statement for statement, _ in granted])
    if "Deny" in own:
        return Verdict.DENIED_BY_IDENTITY
    if "Deny" in theirs:
        return Verdict.DENIED_BY_RESOURCE
    identity_allows = request.principal.kind == "root" or "Allow" in own
    if request.principal.account == owner:
        named = any(
            statement["Effect"] == "Allow" and reach == "named" for statement, reach in granted
        )
        if needs_grant and "Allow" not in theirs:
            return Verdict.NOT_IN_RESOURCE
        return Verdict.ALLOWED if identity_allows or named else Verdict.NOT_IN_IDENTITY
    if "Allow" not in theirs:
        return Verdict.NOT_IN_RESOURCE
    if identity_allows or request.principal.kind in ("service", "anonymous"):
        return Verdict.ALLOWED
    return Verdict.NOT_IN_IDENTITY


def statements_of(documents: Iterable[Mapping[str, Any]]) -> list[Statement]:
    """All statements of some policy documents, each with its document's version."""
    found: list[Statement] = []
    for document in documents:
        statements = document.get("Statement", [])
        version = document.get("Version")
        for statement in [statements] if isinstance(statements, Mapping) else statements:
            found.append({**statement, "Version": version})
    return found


def is_unconditional(statement: Statement) -> bool:
    """Whether a statement says the same of a principal, an action and a resource at any time."""
    resources = (
        *_listed(statement.get("Resource", "")),
        *_listed(statement.get("NotResource", "")),
    )
    return "Condition" not in statement and not any("${" in resource for resource in resources)


def _effects(statements: Sequence[Statement]) -> set[str]:
    return {statement["Effect"] for statement in statements}


def _applies(statement: Statement, request: AccessRequest) -> bool:
    """Whether action, resource and conditions fit."""
    if "NotAction" in statement:
        if _any_match(_listed(statement["NotAction"]), request.action):
            return False
    elif not _any_match(_listed(statement.get("Action", [])), request.action):
        return False
    expands = statement.get("Version") == _WITH_VARIABLES
    if request.is_unsure and statement["Effect"] == "Deny":
        pass
    elif request.is_unsure and "NotResource" in statement:
        return False
    elif "NotResource" in statement:
        if _names(_listed(statement["NotResource"]), request, expands=expands):
            return False
    elif not _names(_listed(statement.get("Resource", "*")), request, expands=expands):
        return False
    return conditions_hold(statement.get("Condition", {}), request.context, expands=expands)


def _names(patterns: Sequence[str], request: AccessRequest, *, expands: bool) -> bool:
    """Whether one of the patterns fits one of the resource's names."""
    names = (request.resource, *request.also)
    for text in patterns:
        pattern = expand_resource(text, request.context) if expands and "${" in text else text
        if pattern is not None and any(matches_arn(pattern, name) for name in names):
            return True
    return False


def _reach(statement: Statement, principal: Principal) -> str:
    """How a statement of a resource's policy concerns a principal: it is `named`, only its account
    is (`account`), or not at all (empty)."""
    if "NotPrincipal" in statement:
        return "" if _named(statement["NotPrincipal"], principal) else "named"
    return _named(statement.get("Principal", {}), principal)


def _named(element: Any, principal: Principal) -> str:
    if element == "*":
        return "named"
    if not isinstance(element, Mapping):
        return ""
    if principal.kind == "service":
        return "named" if principal.arn in _listed(element.get("Service", [])) else ""
    found = ""
    for name in _listed(element.get("AWS", [])):
        if name == "*" or name in (principal.arn, principal.role_arn):
            return "named"
        account = _ACCOUNT.fullmatch(name)
        if account and principal.account in account.groups():
            found = "named" if principal.kind == "root" else "account"
    return found


def _any_match(patterns: Sequence[str], action: str) -> bool:
    action = action.lower()
    return any(matches(pattern.lower(), action) for pattern in patterns)


def _listed(value: Any) -> Sequence[str]:
    return [value] if isinstance(value, str) else value
