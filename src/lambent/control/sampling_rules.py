"""Sampling rules of X-Ray: which requests instrumented programs trace.

SDKs read the rules, report what they have sampled, and get their share of each rule's reservoir.
Lambda and API Gateway do not use them, as in AWS for Lambda.
https://docs.aws.amazon.com/xray/latest/devguide/xray-console-sampling.html
"""

import datetime
from collections.abc import Mapping, Sequence
from typing import Any

from lambent.kit.clock import Clock
from lambent.model.arn import Scope
from lambent.model.document import Document, Root
from lambent.model.errors import ApiError
from lambent.store.store import Store, Transaction

Params = Mapping[str, Any]

_SERVICE, _KIND = "xray", "sampling-rule"
_RULES_MAX = 25
_DEFAULT = "Default"
_DEFAULTS: Mapping[str, Any] = {
    "RuleName": _DEFAULT,
    "ResourceARN": "*",
    "Priority": 10_000,
    "FixedRate": 0.05,
    "ReservoirSize": 1,
    "ServiceName": "*",
    "ServiceType": "*",
    "Host": "*",
    "HTTPMethod": "*",
    "URLPath": "*",
    "Version": 1,
    "Attributes": {},
}
_OF_DEFAULT = frozenset({"RuleName", "RuleARN", "FixedRate", "ReservoirSize"})
"""What can be changed of the default rule, and what names it."""
_INTERVAL_S = 10


class SamplingRules:
    """Use cases of sampling rules."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def create(self, scope: Scope, params: Params) -> Params:
        """CreateSamplingRule."""
        given = params["SamplingRule"]
        if params.get("Tags"):
            raise _invalid("Tags of sampling rules are not offered.")
        _check(given)
        name = given.get("RuleName")
        if not name or name == _DEFAULT:
            raise _invalid("RuleName is required, and must not be Default.")
        missing = {*_DEFAULTS} - {"RuleName", "Attributes"} - given.keys()
        if missing:
            raise _invalid(f"Missing in SamplingRule: {', '.join(sorted(missing))}")

        def run(tx: Transaction) -> Params:
            tx.locks.scope(scope)
            root = _root(scope)
            known = tx.documents.list_of(root, _KIND)
            if any(document.id == name for document in known):
                raise _invalid(f"A sampling rule named {name} exists already.")
            if len(known) >= _RULES_MAX:
                raise ApiError("RuleLimitExceededException", f"At most {_RULES_MAX} rules.")
            now = self._clock.now()
            body = {"rule": {"Attributes": {}, **given}, "created": now, "modified": now}
            return _record(scope, tx.documents.put(root, _KIND, name, body))

        return {"SamplingRuleRecord": await self._store.transact(run)}

    async def update(self, scope: Scope, params: Params) -> Params:
        """UpdateSamplingRule."""
        given = params["SamplingRuleUpdate"]
        _check(given)
        name = _name_of(scope, given)
        if name == _DEFAULT and not given.keys() <= _OF_DEFAULT:
            raise _invalid("Of the rule Default only FixedRate and ReservoirSize can be changed.")

        def run(tx: Transaction) -> Params:
            tx.locks.scope(scope)
            body = _find(tx, scope, name)
            rule = {**body["rule"], **given, "RuleName": name}
            rule.pop("RuleARN", None)
            changed = {**body, "rule": rule, "modified": self._clock.now()}
            return _record(scope, tx.documents.put(_root(scope), _KIND, name, changed))

        return {"SamplingRuleRecord": await self._store.transact(run)}

    async def delete(self, scope: Scope, params: Params) -> Params:
        """DeleteSamplingRule."""
        name = _name_of(scope, params)
        if name == _DEFAULT:
            raise _invalid("The rule Default cannot be deleted.")

        def run(tx: Transaction) -> Params:
            tx.locks.scope(scope)
            body = _find(tx, scope, name)
            tx.documents.delete(_root(scope), _KIND, name)
            return _record_of(scope, body)

        return {"SamplingRuleRecord": await self._store.transact(run)}

    async def list(self, scope: Scope, params: Params) -> Params:
        """GetSamplingRules: all of them, the default one last. There are no further pages."""
        return {"SamplingRuleRecords": [_record_of(scope, body) for body in await self._all(scope)]}

    async def targets(self, scope: Scope, params: Params) -> Params:
        """GetSamplingTargets: every client may use the whole reservoir of a rule. Counts that are
        reported are not kept."""
        bodies = {body["rule"]["RuleName"]: body for body in await self._all(scope)}
        until = _moment(self._clock.now() + _INTERVAL_S)
        targets, unknown = [], []
        for reported in params["SamplingStatisticsDocuments"]:
            name = reported["RuleName"]
            if (body := bodies.get(name)) is None:
                code, message = "InvalidRule", f"There is no sampling rule {name}."
                unknown.append({"RuleName": name, "ErrorCode": code, "Message": message})
                continue
            targets.append(
                {
                    "RuleName": name,
                    "FixedRate": body["rule"]["FixedRate"],
                    "ReservoirQuota": body["rule"]["ReservoirSize"],
                    "ReservoirQuotaTTL": until,
                    "Interval": _INTERVAL_S,
                }
            )
        modified = max(body["modified"] for body in bodies.values())
        return {
            "SamplingTargetDocuments": targets,
            "LastRuleModification": _moment(modified),
            "UnprocessedStatistics": unknown,
        }

    async def _all(self, scope: Scope) -> Sequence[Params]:
        documents = await self._store.read(lambda tx: tx.documents.list_of(_root(scope), _KIND))
        found = {document.id: document.body for document in documents}
        found.setdefault(_DEFAULT, _default())
        return sorted(found.values(), key=lambda body: (body["rule"]["Priority"], *_named(body)))


def _named(body: Params) -> tuple[str]:
    return (body["rule"]["RuleName"],)


def _default() -> Params:
    return {"rule": dict(_DEFAULTS), "created": 0.0, "modified": 0.0}


def _check(given: Params) -> None:
    if "SamplingRateBoost" in given:
        raise _invalid("SamplingRateBoost is not offered.")
    if given.get("ResourceARN", "*") != "*":
        raise _invalid("ResourceARN must be *: rules for single resources are not offered.")


def _find(tx: Transaction, scope: Scope, name: str) -> Params:
    document = tx.documents.get(_root(scope), _KIND, name)
    if document is not None:
        return document.body
    if name == _DEFAULT:
        return _default()
    raise _invalid(f"There is no sampling rule {name}.")


def _name_of(scope: Scope, given: Params) -> str:
    name, arn = given.get("RuleName"), given.get("RuleARN")
    if (name is None) == (arn is None):
        raise _invalid("Name the rule by either RuleName or RuleARN.")
    if arn is None:
        return str(name)
    prefix = rule_arn(scope, "")
    if not arn.startswith(prefix):
        raise _invalid(f"There is no sampling rule {arn}.")
    return str(arn.removeprefix(prefix))


def rule_arn(scope: Scope, name: str) -> str:
    """The ARN of a rule."""
    return f"arn:aws:xray:{scope.region}:{scope.account}:sampling-rule/{name}"


def _record(scope: Scope, document: Document) -> Params:
    return _record_of(scope, document.body)


def _record_of(scope: Scope, body: Params) -> Params:
    rule = body["rule"]
    return {
        "SamplingRule": {**rule, "RuleARN": rule_arn(scope, rule["RuleName"])},
        "CreatedAt": _moment(body["created"]),
        "ModifiedAt": _moment(body["modified"]),
    }


def _moment(epoch_s: float) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(epoch_s, datetime.UTC)


def _root(scope: Scope) -> Root:
    return Root(_SERVICE, scope.account, scope.region, "")


def _invalid(message: str) -> ApiError:
    return ApiError("InvalidRequestException", message)
