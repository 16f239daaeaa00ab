"""Tags and policies of buses and rules."""

from collections.abc import Callable, Mapping
from typing import Any

from lambent.control import plain_tags
from lambent.control.events.buses import POLICY, require_bus
from lambent.control.events.naming import BUS, RULE, Named, parse_events_arn, validation
from lambent.control.events.rules import require_rule
from lambent.model.arn import Scope
from lambent.model.document import Body
from lambent.model.errors import ApiError
from lambent.model.policy import ResourcePolicy, statements_of
from lambent.store.store import Store, Transaction

Params = Mapping[str, Any]


class Tags:
    """Use cases of tags. All raise `ApiError`."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def list(self, scope: Scope, params: Params) -> Params:
        """ListTagsForResource."""
        named = _require(scope, params["ResourceARN"])
        body = await self._store.read(lambda tx: _body(tx, named))
        return {"Tags": plain_tags.to_list(body.get(plain_tags.TAGS, {}))}

    async def change(self, scope: Scope, params: Params) -> Params:
        """TagResource, UntagResource."""
        named = _require(scope, params["ResourceARN"])
        added = plain_tags.from_list(params.get("Tags"))

        def change(body: Body) -> Body:
            before = body.get(plain_tags.TAGS, {})
            removed = params.get("TagKeys") or ()
            tags = plain_tags.changed(before, added, removed, code="LimitExceededException")
            return {**body, plain_tags.TAGS: tags}

        await self._store.transact(lambda tx: _replace(tx, named, change))
        return {}


def policy_of(tx: Transaction, arn: str) -> ResourcePolicy | None:
    """Policy and tags of a bus or rule, as authorization reads them; None for other ARNs."""
    named = parse_events_arn(arn)
    if named is None:
        return None
    try:
        body = _body(tx, named)
    except ApiError:
        return ResourcePolicy()
    granted = statements_of([body[POLICY]]) if POLICY in body else ()
    return ResourcePolicy(granted, tags=body.get(plain_tags.TAGS, {}))


def _require(scope: Scope, arn: str) -> Named:
    named = parse_events_arn(arn)
    if named is None or named.bus.scope != scope:
        raise validation(f"{arn[:256]} is not the ARN of a rule or event bus of this account.")
    return named


def _body(tx: Transaction, named: Named) -> Body:
    if named.rule is None:
        return require_bus(tx, named.bus)
    return require_rule(tx, named.bus, named.rule).body


def _replace(tx: Transaction, named: Named, change: Callable[[Body], Body]) -> None:
    root = named.bus.root
    tx.locks.root(root)
    kind, id = (BUS, named.bus.name) if named.rule is None else (RULE, named.rule)
    tx.documents.put(root, kind, id, change(_body(tx, named)))
