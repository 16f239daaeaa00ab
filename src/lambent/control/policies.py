"""Resource-based policies as documents: adding and removing statements. `permissions` (functions)
and `layers` store them.

A stored policy is `{"Document": …, "RevisionId": …}`.
https://docs.aws.amazon.com/lambda/latest/dg/access-control-resource-based.html
"""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from lambent.control.states import new_id
from lambent.model.conditions import is_operator
from lambent.model.errors import ApiError, conflict, invalid_parameter, not_found
from lambent.model.hooks.hook import PRINCIPAL as HOOKS
from lambent.model.limits import POLICY_SIZE_MAX
from lambent.model.policy import Statement, statements_of

Policy = Mapping[str, Any]

Kind = Literal["resource", "identity", "trust"]
"""A resource's policy, the policy of a user or role, and a role's trust policy."""

_NEEDED: Mapping[Kind, Sequence[tuple[str, str]]] = {
    "resource": (("Principal", "NotPrincipal"), ("Action", "NotAction")),
    "identity": (("Action", "NotAction"), ("Resource", "NotResource")),
    "trust": (("Principal", "NotPrincipal"), ("Action", "NotAction")),
}
_ABSENT: Mapping[Kind, Sequence[str]] = {
    "resource": (),
    "identity": ("Principal", "NotPrincipal"),
    "trust": ("Resource", "NotResource"),
}
_VERSIONS = ("2012-10-17", "2008-10-17")
_ACCOUNT = re.compile(r"\d{12}")
_SERVICE = re.compile(
    r"[a-z0-9][a-z0-9.-]*\.amazonaws\.com(\.cn)?|[a-z0-9-]+\.amazon\.com"
    rf"|{re.escape(HOOKS)}"
)
_IAM = re.compile(
    r"arn:aws:(iam::\d{12}:(root|(user|role)/[\w+=,.@/-]+)"
    r"|sts::\d{12}:assumed-role/[\w+=,.@-]+/[\w+=,.@-]+)",
    re.ASCII,
)


def principal(text: str) -> str | Mapping[str, str]:
    """The `Principal` of a statement for the `Principal` of a request.

    Raises `InvalidParameterValueException`.
    """
    if text == "*":
        return "*"
    if _ACCOUNT.fullmatch(text):
        return {"AWS": f"arn:aws:iam::{text}:root"}
    if _IAM.fullmatch(text):
        return {"AWS": text}
    if _SERVICE.fullmatch(text):
        return {"Service": text}
    raise invalid_parameter(
        "The provided principal was invalid. Please check the principal and try again."
    )


def statement(
    sid: str,
    *,
    principal: str | Mapping[str, str],
    action: str,
    resource: str,
    condition: Mapping[str, Mapping[str, str]],
) -> Mapping[str, Any]:
    """An allowing statement, its members in AWS's order."""
    document: dict[str, Any] = {
        "Sid": sid,
        "Effect": "Allow",
        "Principal": principal,
        "Action": action,
        "Resource": resource,
    }
    present = {operator: keys for operator, keys in condition.items() if keys}
    if present:
        document["Condition"] = present
    return document


def statements(policy: Policy | None) -> Sequence[Mapping[str, Any]]:
    """The document of a stored policy as JSON; empty if there is none."""
    if policy is None:
        return []
    found: Sequence[Mapping[str, Any]] = policy["Document"]["Statement"]
    return found


def granted(policy: Policy | None) -> Sequence[Statement]:
    """The statements of a stored policy; none if there is no policy."""
    return [] if policy is None else statements_of([policy["Document"]])


def with_statement(policy: Policy | None, added: Mapping[str, Any]) -> Policy:
    """The policy with an added statement. Raises `ApiError` if its id is taken or the policy
    becomes too large."""
    present = statements(policy)
    if any(entry.get("Sid") == added["Sid"] for entry in present):
        raise conflict(
            f"The statement id ({added['Sid']}) provided already exists. Please provide a new"
            " statement id, or remove the existing statement."
        )
    before = policy["Document"] if policy else {"Version": "2012-10-17", "Id": "default"}
    return make({**before, "Statement": [*present, added]})


def without_statement(policy: Policy | None, sid: str) -> Policy | None:
    """The policy without a statement, None if none are left. Raises `ResourceNotFoundException`."""
    if policy is None:
        raise not_found("No policy is associated with the given resource.")
    rest = [entry for entry in statements(policy) if entry.get("Sid") != sid]
    if len(rest) == len(statements(policy)):
        raise not_found(f"Statement {sid} is not found in resource policy.")
    return make({**policy["Document"], "Statement": rest}) if rest else None


def make(document: Mapping[str, Any]) -> Policy:
    """A policy to store, with a new revision id. Raises `PolicyLengthExceededException`."""
    size = len(to_json(document).encode())
    if size > POLICY_SIZE_MAX:
        raise ApiError(
            "PolicyLengthExceededException",
            f"The final policy size ({size}) is bigger than the limit ({POLICY_SIZE_MAX}).",
        )
    return {"Document": document, "RevisionId": new_id()}


def parse(text: str, kind: Kind = "resource") -> dict[str, Any]:
    """A policy document that a user wrote, its statements as a list.

    Raises `InvalidParameterValueException`.
    """
    try:
        document = json.loads(text)
        json.dumps(document, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise invalid_parameter(f"The policy is not valid JSON: {str(error)[:200]}") from error
    problem = _problem(document, kind)
    if problem:
        raise invalid_parameter(f"The policy is not valid: {problem}")
    if isinstance(document["Statement"], dict):
        document["Statement"] = [document["Statement"]]
    return dict(document)


def to_json(document: Mapping[str, Any]) -> str:
    """The document in AWS's form: without spaces."""
    return json.dumps(document, separators=(",", ":"))


def view(policy: Policy) -> Mapping[str, str]:
    """The members of a response that shows a policy."""
    return {"Policy": to_json(policy["Document"]), "RevisionId": policy["RevisionId"]}


def require_revision(policy: Policy | None, revision_id: str | None, *, operation: str) -> None:
    """Raises `PreconditionFailedException` if the caller's revision id does not match the
    policy's."""
    if revision_id and (policy is None or policy["RevisionId"] != revision_id):
        raise ApiError(
            "PreconditionFailedException",
            "The Revision Id provided does not match the latest Revision Id. Call the"
            f" {operation} API to retrieve the latest Revision Id",
            status=412,
        )


def _problem(document: Any, kind: Kind) -> str | None:
    """The first error in a document; None if it is valid."""
    if not isinstance(document, dict):
        return "it must be a JSON object."
    if document.get("Version", _VERSIONS[0]) not in _VERSIONS:
        return f"Version must be one of {', '.join(_VERSIONS)}."
    found = document.get("Statement")
    listed = [found] if isinstance(found, dict) else found
    if not isinstance(listed, list) or not listed:
        return "Statement must be a non-empty list."
    sids = [entry.get("Sid") for entry in listed if isinstance(entry, dict) and "Sid" in entry]
    if len(set(map(str, sids))) != len(sids):
        return "every Sid must be there once."
    return next(filter(None, (_statement_problem(entry, kind) for entry in listed)), None)


def _statement_problem(entry: Any, kind: Kind) -> str | None:
    if not isinstance(entry, dict):
        return "every statement must be a JSON object."
    if entry.get("Effect") not in ("Allow", "Deny"):
        return "Effect must be Allow or Deny."
    for first, second in _NEEDED[kind]:
        if (first in entry) == (second in entry):
            return f"a statement needs either {first} or {second}."
    for name in _ABSENT[kind]:
        if name in entry:
            return f"a statement here has no {name}."
    for name in ("Action", "NotAction", "Resource", "NotResource"):
        if not _is_text(entry.get(name, "")):
            return f"{name} must be text or a list of texts."
    for name in ("Principal", "NotPrincipal"):
        principal = entry.get(name, "*")
        if isinstance(principal, dict):
            if not all(_is_text(value) for value in principal.values()):
                return f"the values in {name} must be texts or lists of texts."
        elif principal != "*":
            return f"{name} must be * or a JSON object."
    return _condition_problem(entry.get("Condition", {}))


def _condition_problem(condition: Any) -> str | None:
    if not isinstance(condition, dict):
        return "Condition must be a JSON object."
    for operator, keys in condition.items():
        if not is_operator(operator):
            return f"Condition knows no operator {operator}."
        if not isinstance(keys, dict):
            return "every operator in Condition must have a JSON object."
        for values in keys.values():
            for value in values if isinstance(values, list) else [values]:
                if not isinstance(value, str | int | float | bool):
                    return "the values of conditions must be texts, numbers or booleans."
    return None


def _is_text(value: Any) -> bool:
    return isinstance(value, str) or (
        isinstance(value, list) and all(isinstance(entry, str) for entry in value)
    )
