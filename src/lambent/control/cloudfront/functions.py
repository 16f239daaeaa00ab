"""Use cases of CloudFront functions: two stages, of which `LIVE` is what distributions run.

https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/cloudfront-functions.html
"""

import base64
import re
from collections.abc import Callable
from typing import Any

from lambent.control import plain_tags
from lambent.control.cloudfront.common import (
    Params,
    check_etag,
    invalid,
    items,
    moment,
    page,
    unsupported,
)
from lambent.control.cloudfront.policies import behaviors_of
from lambent.kit.clock import Clock
from lambent.model.arn import AccountId, Scope
from lambent.model.cloudfront.names import (
    DEVELOPMENT,
    DISTRIBUTION,
    FUNCTION,
    LIVE,
    SERVICE,
    account_root,
    arn_of,
    new_id,
    scope_of,
)
from lambent.model.document import Body, Document
from lambent.model.errors import ApiError
from lambent.store.store import Store, Transaction

CODE_BYTES_MAX = 10_240
_MAX = 100
_NAME = re.compile(r"[a-zA-Z0-9-_]{1,64}")


class Functions:
    """See the module. All use cases raise `ApiError`."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def create(self, scope: Scope, params: Params) -> Params:
        """CreateFunction."""
        name, root = params["Name"], account_root(scope.account)
        if _NAME.fullmatch(name) is None:
            raise invalid("The name of the function is not valid.")
        tags = plain_tags.from_list(items(params.get("Tags")))
        stage = self._stage(params)
        body = {"stages": {DEVELOPMENT: stage}, plain_tags.TAGS: plain_tags.changed({}, tags)}

        def run(tx: Transaction) -> Document:
            tx.locks.root(root)
            known = tx.documents.list_of(root, FUNCTION)
            if any(each.id == name for each in known):
                raise ApiError("FunctionAlreadyExists", f"The function {name} exists.")
            if len(known) >= _MAX:
                raise ApiError("TooManyFunctions", f"There can be at most {_MAX}.")
            return tx.documents.put(root, FUNCTION, name, body)

        made = await self._store.transact(run)
        return {
            "FunctionSummary": _summary(made, DEVELOPMENT),
            "Location": f"https://cloudfront.amazonaws.com/2020-05-31/function/{name}",
            "ETag": stage["etag"],
        }

    async def describe(self, scope: Scope, params: Params) -> Params:
        """DescribeFunction."""
        found, stage = await self._find(scope, params)
        etag = found.body["stages"][stage]["etag"]
        return {"FunctionSummary": _summary(found, stage), "ETag": etag}

    async def get(self, scope: Scope, params: Params) -> Params:
        """GetFunction: the code of a stage."""
        found, stage = await self._find(scope, params)
        body = found.body["stages"][stage]
        return {
            "FunctionCode": code_of(body),
            "ETag": body["etag"],
            "ContentType": "application/octet-stream",
        }

    async def update(self, scope: Scope, params: Params) -> Params:
        """UpdateFunction: of the stage `DEVELOPMENT`."""
        stage = self._stage(params)

        def change(stages: Body) -> Body:
            stage["created"] = stages[DEVELOPMENT]["created"]
            return {**stages, DEVELOPMENT: stage}

        made = await self._change(scope, params, change)
        return {"FunctionSummary": _summary(made, DEVELOPMENT), "ETag": stage["etag"]}

    async def publish(self, scope: Scope, params: Params) -> Params:
        """PublishFunction: what is in `DEVELOPMENT` becomes `LIVE`."""
        now = self._clock.now()

        def change(stages: Body) -> Body:
            live = {**stages[DEVELOPMENT], "etag": new_id("E"), "modified": now}
            live["created"] = (stages.get(LIVE) or live)["created"]
            return {**stages, LIVE: live}

        return {"FunctionSummary": _summary(await self._change(scope, params, change), LIVE)}

    async def delete(self, scope: Scope, params: Params) -> Params:
        """DeleteFunction: of one that no distribution uses."""
        root, name = account_root(scope.account), params["Name"]

        def run(tx: Transaction) -> None:
            tx.locks.root(root)
            found = require_function(tx, scope.account, name)
            check_etag(found.body["stages"][DEVELOPMENT], params.get("IfMatch"))
            arn = arn_of(scope.account, FUNCTION, name)
            for each in tx.documents.list_in(SERVICE, scope_of(scope.account), DISTRIBUTION):
                for behavior in behaviors_of(each.body["config"]):
                    used = items(behavior["FunctionAssociations"])
                    if any(association["FunctionARN"] == arn for association in used):
                        raise ApiError("FunctionInUse", f"{each.id} uses the function {name}.")
            tx.documents.delete(root, FUNCTION, name)

        await self._store.transact(run)
        return {}

    async def list(self, scope: Scope, params: Params) -> Params:
        """ListFunctions: of one stage, or of both."""
        root = account_root(scope.account)
        found = await self._store.read(lambda tx: tx.documents.list_of(root, FUNCTION))
        wanted = params.get("Stage")
        shown = [
            (f"{each.id}/{stage}", _summary(each, stage))
            for each in found
            for stage in (DEVELOPMENT, LIVE)
            if stage in each.body["stages"] and wanted in (None, stage)
        ]
        return {"FunctionList": page(shown, params, has_marker=False)}

    async def tested(self, scope: Scope, params: Params) -> tuple[Params, Body]:
        """The summary of a stage and the stage that TestFunction runs."""
        found, stage = await self._find(scope, params)
        body = found.body["stages"][stage]
        check_etag(body, params["IfMatch"])
        return _summary(found, stage), body

    def _stage(self, params: Params) -> dict[str, Any]:
        code, config, now = params["FunctionCode"], params["FunctionConfig"], self._clock.now()
        if not code or len(code) > CODE_BYTES_MAX:
            raise ApiError(
                "FunctionSizeLimitExceeded",
                f"The size of the function code must be 1 to {CODE_BYTES_MAX} bytes.",
            )
        try:
            code.decode()
        except UnicodeDecodeError as error:
            raise invalid("The code of a function is text in UTF-8.") from error
        if items(config.get("KeyValueStoreAssociations")):
            raise unsupported("key value stores (KeyValueStoreAssociations)")
        return {
            "config": {"Comment": config["Comment"], "Runtime": config["Runtime"]},
            "code": base64.b64encode(code).decode(),
            "etag": new_id("E"),
            "created": now,
            "modified": now,
        }

    async def _find(self, scope: Scope, params: Params) -> tuple[Document, str]:
        stage = params.get("Stage") or DEVELOPMENT
        found = await self._store.read(
            lambda tx: require_function(tx, scope.account, params["Name"])
        )
        if stage not in found.body["stages"]:
            raise _missing()
        return found, stage

    async def _change(
        self, scope: Scope, params: Params, change: Callable[[Body], Body]
    ) -> Document:
        root = account_root(scope.account)

        def run(tx: Transaction) -> Document:
            tx.locks.root(root)
            found = require_function(tx, scope.account, params["Name"])
            check_etag(found.body["stages"][DEVELOPMENT], params.get("IfMatch"))
            body = {**found.body, "stages": change(found.body["stages"])}
            return tx.documents.put(root, FUNCTION, found.id, body)

        return await self._store.transact(run)


def require_function(tx: Transaction, account: AccountId, name: str) -> Document:
    """A function of an account. Raises `NoSuchFunctionExists`."""
    found = None
    if _NAME.fullmatch(name):
        found = tx.documents.get(account_root(account), FUNCTION, name)
    if found is None:
        raise _missing()
    return found


def code_of(stage: Body) -> bytes:
    """The code of a stage."""
    return base64.b64decode(stage["code"])


def _missing() -> ApiError:
    return ApiError("NoSuchFunctionExists", "The specified function does not exist.")


def _summary(found: Document, stage: str) -> dict[str, Any]:
    """`FunctionSummary` of the API."""
    body = found.body["stages"][stage]
    return {
        "Name": found.id,
        "Status": "UNASSOCIATED" if LIVE in found.body["stages"] else "UNPUBLISHED",
        "FunctionConfig": body["config"],
        "FunctionMetadata": {
            "FunctionARN": arn_of(found.root.account, FUNCTION, found.id),
            "Stage": stage,
            "CreatedTime": moment(body["created"]),
            "LastModifiedTime": moment(body["modified"]),
        },
    }
