"""Use cases of invalidations: what caches forget before its time.

An invalidation is in force when its response is sent: the edge reads it before it serves the next
request. So it is `InProgress` in the response of its creation, and `Completed` afterwards.
https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/Invalidation.html
"""

import re
from typing import Any

from lambent.control.cloudfront.common import Params, items, moment, page
from lambent.control.cloudfront.distributions import require_distribution
from lambent.control.cloudfront.policy_checks import check_quantity
from lambent.kit.clock import Clock
from lambent.model.arn import Scope
from lambent.model.cloudfront.names import INVALIDATION, new_id
from lambent.model.document import Document
from lambent.model.errors import ApiError
from lambent.store.store import Store, Transaction

_PATHS_MAX = 3000
_KEPT_MAX = 100
"""Of a distribution; older ones are forgotten."""
_PATH = re.compile(r"/[^\x00-\x20\x7f-\U0010ffff*]{0,4000}\*?")


class Invalidations:
    """See the module. All use cases raise `ApiError`."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def create(self, scope: Scope, params: Params) -> Params:
        """CreateInvalidation."""
        batch, now = params["InvalidationBatch"], self._clock.now()
        paths = items(batch["Paths"])
        check_quantity(batch["Paths"], "paths", _PATHS_MAX)
        for path in paths:
            if _PATH.fullmatch(path if path.startswith("/") else f"/{path}") is None:
                raise ApiError(
                    "InvalidArgument",
                    "Your request contains one or more invalid invalidation paths.",
                )

        def run(tx: Transaction) -> Document:
            root = require_distribution(tx, scope.account, params["DistributionId"]).root
            tx.locks.root(root)
            known = sorted(tx.documents.list_of(root, INVALIDATION), key=_created)
            for each in known:
                if each.body["batch"]["CallerReference"] == batch["CallerReference"]:
                    if each.body["batch"] == batch:
                        return each
                    raise ApiError(
                        "InvalidArgument", "The CallerReference belongs to another invalidation."
                    )
            for each in known[: len(known) - _KEPT_MAX + 1]:
                tx.documents.delete(root, INVALIDATION, each.id)
            # In the order of creation, whatever the clock says.
            created = max([now, *(_created(each) + 1e-3 for each in known[-1:])])
            body = {"batch": batch, "created": created}
            return tx.documents.put(root, INVALIDATION, new_id("I"), body)

        made = await self._store.transact(run)
        return {
            "Invalidation": _view(made, "InProgress"),
            "Location": "https://cloudfront.amazonaws.com/2020-05-31/distribution/"
            f"{made.root.id}/invalidation/{made.id}",
        }

    async def get(self, scope: Scope, params: Params) -> Params:
        """GetInvalidation."""

        def run(tx: Transaction) -> Document:
            root = require_distribution(tx, scope.account, params["DistributionId"]).root
            found = tx.documents.get(root, INVALIDATION, params["Id"][:64])
            if found is None:
                raise ApiError("NoSuchInvalidation", "The specified invalidation does not exist.")
            return found

        return {"Invalidation": _view(await self._store.read(run))}

    async def list(self, scope: Scope, params: Params) -> Params:
        """ListInvalidations, the newest first."""

        def run(tx: Transaction) -> list[Document]:
            root = require_distribution(tx, scope.account, params["DistributionId"]).root
            return tx.documents.list_of(root, INVALIDATION)

        found = sorted(await self._store.read(run), key=_created, reverse=True)
        shown = [
            (
                each.id,
                {"Id": each.id, "CreateTime": moment(_created(each)), "Status": "Completed"},
            )
            for each in found
        ]
        return {"InvalidationList": page(shown, params)}


def _created(invalidation: Document) -> float:
    return float(invalidation.body["created"])


def _view(found: Document, status: str = "Completed") -> dict[str, Any]:
    """`Invalidation` of the API."""
    return {
        "Id": found.id,
        "Status": status,
        "CreateTime": moment(_created(found)),
        "InvalidationBatch": found.body["batch"],
    }
