"""Published versions: immutable snapshots of `$LATEST`, numbered from 1, never renumbered.

A snapshot is only taken if something changed. Every published version stores the *fingerprint* of
the `$LATEST` it was made from; if `$LATEST` has not changed since, the last existing version is
returned instead.
"""

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from typing import Any

from lambent.control.configuration import require_text
from lambent.control.paging import Page, make_page, page_size, read_marker
from lambent.control.states import new_id, pending, require_ready, require_revision, revised
from lambent.control.storage import require_storage
from lambent.kit.clock import Clock
from lambent.model.arn import Scope
from lambent.model.errors import invalid_parameter, not_found
from lambent.model.function import FunctionVersion
from lambent.model.function_documents import to_document
from lambent.model.names import parse_unqualified
from lambent.store.store import Store, Transaction

_NOT_CONFIGURATION = {
    "configuration_id",
    "revision_id",
    "last_modified_ms",
    "state",
    "state_reason",
    "state_reason_code",
    "last_update_status",
    "last_update_status_reason",
    "last_update_status_reason_code",
}


class Versions:
    """Use cases of published versions."""

    def __init__(self, store: Store, clock: Clock, *, code_size_max: int) -> None:
        self._store = store
        self._clock = clock
        self._code_size_max = code_size_max

    async def publish(self, scope: Scope, params: Mapping[str, Any]) -> FunctionVersion:
        """PublishVersion: snapshot `$LATEST`, or return the last snapshot if nothing changed."""
        key = parse_unqualified(params["FunctionName"], scope)
        refuse_publish_to(params)
        description = params.get("Description")
        require_text(description or "", "description")

        def run(tx: Transaction) -> FunctionVersion:
            tx.locks.scope(key.scope)
            tx.locks.function(key)
            latest = tx.functions.get(key)
            if latest is None:
                raise not_found(f"Function not found: {key.arn}")
            require_ready(latest)
            require_revision(latest, params.get("RevisionId"))
            expected = params.get("CodeSha256")
            if expected and expected != latest.code_sha256:
                raise invalid_parameter(
                    f"CodeSHA256 ({expected}) is different from current CodeSHA256 in $LATEST"
                    f" ({latest.code_sha256}). Please try again with the CodeSHA256 in $LATEST."
                )
            return publish(
                tx,
                latest,
                now=self._clock.now(),
                description=description,
                code_size_max=self._code_size_max,
            )

        return await self._store.transact(run)

    async def list(self, scope: Scope, params: Mapping[str, Any]) -> Page:
        """ListVersionsByFunction: `$LATEST` first, then ascending."""
        key = parse_unqualified(params["FunctionName"], scope)
        size = page_size(params.get("MaxItems"))
        _, after = read_marker(params.get("Marker"), ("", -1))

        def run(tx: Transaction) -> Page:
            if tx.functions.get(key) is None:
                raise not_found(f"Function not found: {key.arn}")
            return make_page(tx.functions.list_versions(key, after=after, limit=size + 1), size)

        return await self._store.read(run)


def refuse_publish_to(params: Mapping[str, Any]) -> None:
    """Raises `InvalidParameterValueException` for `PublishTo`, which belongs to functions on
    capacity providers."""
    if "PublishTo" in params:
        raise invalid_parameter(
            "PublishTo is supported only for functions on Lambda Managed Instances, which Lambent"
            " does not offer yet."
        )


def publish(
    tx: Transaction,
    latest: FunctionVersion,
    *,
    now: float,
    code_size_max: int,
    description: str | None = None,
) -> FunctionVersion:
    """Publish `latest`, within a transaction; that gives `latest` a new revision id. The version is
    usable at once if `latest` is, else Pending. Returns the version that represents `latest`."""
    fingerprint = _fingerprint(latest)
    last = tx.functions.last_published(latest.key)
    if last is not None and last[1] == fingerprint:
        return last[0]
    require_storage(tx, latest.key.scope, latest.code_size, maximum=code_size_max)
    snapshot = dataclasses.replace(
        latest,
        version=str(tx.functions.take_version_number(latest.key)),
        description=latest.description if description is None else description,
    )
    if snapshot.snap_starts:
        optimized = dataclasses.replace(snapshot.snap_start, optimization_status="On")
        published = pending(dataclasses.replace(snapshot, snap_start=optimized), now=now)
    elif latest.state == "Active" and latest.last_update_status == "Successful":
        published = dataclasses.replace(
            snapshot,
            configuration_id=new_id(),
            revision_id=new_id(),
            last_modified_ms=int(now * 1000),
        )
    else:
        published = pending(snapshot, now=now)
    tx.functions.add(published, published_from=fingerprint)
    tx.functions.revise(revised(latest))
    return published


def _fingerprint(latest: FunctionVersion) -> str:
    """Equal for equal code and configuration, ignoring states and ids."""
    document = {
        name: value for name, value in to_document(latest).items() if name not in _NOT_CONFIGURATION
    }
    return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()
