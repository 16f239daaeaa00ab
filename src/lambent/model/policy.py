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
from typing import Any

from lambent.model.conditions import Context, conditions_hold
from lambent.model.principal import Principal
from lambent.model.wildcards import matches, matches_arn

Statement = Mapping[str, Any]
"""As in the JSON document."""

_ACCOUNT = re.compile(r"(\d{12})|arn:aws:iam::(\d{12}):root", re.ASCII)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What somebody wants to do."""

    principal: Principal
    action: str
    """`lambda:InvokeFunction`."""
    resource: str
    """An ARN, or `*` for actions that are about no resource."""
    context: Context = dataclasses.field(default_factory=dict)
    """Values of condition keys, by lower-case key."""


class Verdict(enum.Enum):
    """What becomes of a request; the value completes the sentence of an error message."""

    ALLOWED = "allowed"
    NOT_IN_IDENTITY = "because no identity-based policy allows the {action} action"
    NOT_IN_RESOURCE = "because no resource-based policy allows the {action} action"
    DENIED_BY_IDENTITY = "with an explicit deny in an identity-based policy"
    DENIED_BY_RESOURCE = "with an explicit deny in a resource-based policy"


def decide(
    request: Request,
    *,
    identity: Iterable[Statement],
    resource: Iterable[Statement],
    owner: str,
) -> Verdict:
    """Whether the request is allowed.

    `identity` are the statements of the principal's own policies (an account's root needs none),
    `resource` those of the resource's policy, `owner` is the resource's account.
    """
    own = _effects([one for one in identity if _applies(one, request)])
    granted = [
        (one, reach)
        for one in resource
        if (reach := _reach(one, request.principal)) and _applies(one, request)
    ]
    theirs = _effects([one for one, _ in granted])
    if "Deny" in own:
        return Verdict.DENIED_BY_IDENTITY
    if "Deny" in theirs:
        return Verdict.DENIED_BY_RESOURCE
    identity_allows = request.principal.kind == "root" or "Allow" in own
    if request.principal.account == owner:
        named = any(one["Effect"] == "Allow" and reach == "named" for one, reach in granted)
        return Verdict.ALLOWED if identity_allows or named else Verdict.NOT_IN_IDENTITY
    if "Allow" not in theirs:
        return Verdict.NOT_IN_RESOURCE
    if identity_allows or request.principal.kind in ("service", "anonymous"):
        return Verdict.ALLOWED
    return Verdict.NOT_IN_IDENTITY


def statements_of(documents: Iterable[Mapping[str, Any]]) -> list[Statement]:
    """All statements of some policy documents."""
    found: list[Statement] = []
    for document in documents:
        statements = document.get("Statement", [])
        found += [statements] if isinstance(statements, Mapping) else statements
    return found


def trusts(trust: Mapping[str, Any], request: Request) -> bool:
    """Whether a role's trust policy lets the principal assume it."""
    relevant = [
        one
        for one in statements_of([trust])
        if _reach(one, request.principal)
        and _any_match(_listed(one.get("Action", [])), request.action)
        and conditions_hold(one.get("Condition", {}), request.context)
    ]
    effects = {one["Effect"] for one in relevant}
    return effects == {"Allow"}


def _effects(statements: Sequence[Statement]) -> set[str]:
    return {one["Effect"] for one in statements}


def _applies(statement: Statement, request: Request) -> bool:
    """Whether action, resource and conditions fit."""
    if "NotAction" in statement:
        if _any_match(_listed(statement["NotAction"]), request.action):
            return False
    elif not _any_match(_listed(statement.get("Action", [])), request.action):
        return False
    if "NotResource" in statement:
        if any(matches_arn(one, request.resource) for one in _listed(statement["NotResource"])):
            return False
    elif not any(
        matches_arn(one, request.resource) for one in _listed(statement.get("Resource", "*"))
    ):
        return False
    return conditions_hold(statement.get("Condition", {}), request.context)


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
    for one in _listed(element.get("AWS", [])):
        if one == "*" or one in (principal.arn, principal.role_arn):
            return "named"
        account = _ACCOUNT.fullmatch(one)
        if account and principal.account in account.groups():
            found = "named" if principal.kind == "root" else "account"
    return found


def _any_match(patterns: Sequence[str], action: str) -> bool:
    action = action.lower()
    return any(matches(pattern.lower(), action) for pattern in patterns)


def _listed(value: Any) -> Sequence[str]:
    return [value] if isinstance(value, str) else value
