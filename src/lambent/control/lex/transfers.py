"""Imports and exports: uploads that become bots, and bots that become files.

Files go through links that are signed, as S3's presigned ones are.
"""

import base64
import hashlib
import hmac
import re
from typing import Any

from lambent.control.lex.importing import Importer, Read
from lambent.control.lex.listing import page
from lambent.control.lex.locales import locales_of, require_version
from lambent.control.lex.naming import (
    EXPORT,
    IMPORT,
    Params,
    invalid,
    missing,
    new_id,
    require,
    root_of,
    times,
)
from lambent.kit.clock import Clock
from lambent.kit.computing import computed
from lambent.model.arn import AccountId, Region, Scope
from lambent.model.document import Document
from lambent.model.errors import ApiError
from lambent.model.lex.exported import ExportInvalid, read_export, write_export
from lambent.store.store import Store, Transaction

PATH_PREFIX = "/_lambent/lex/"
SECRET = "lex-links"
"""Name of the platform's secret that links are signed with."""
_LIFETIME_S = 900
_WAITING = "Waiting"
"""An import that was not started."""
_TRANSFERS_MAX = 100
_LINK = re.compile(
    r"(import|export)/([0-9]{12})/([a-z0-9-]{1,32})/([0-9A-Z]{10})/([0-9]{1,12})/([0-9a-f]{64})"
)


class Transfers:
    """See the module. All use cases raise `ApiError`."""

    def __init__(self, store: Store, clock: Clock, secret: bytes, read: Read) -> None:
        self._store = store
        self._clock = clock
        self._secret = secret
        self._importer = Importer(store, clock, read)

    async def create_upload_url(self, scope: Scope, params: Params, endpoint: str) -> Params:
        """CreateUploadUrl."""
        id, now = new_id(), self._clock.now()

        def run(tx: Transaction) -> None:
            tx.locks.scope(scope)
            _make_room(tx, scope, IMPORT)
            body = {"_created": now, "_changed": now, "importStatus": _WAITING}
            tx.documents.put(root_of(scope, ""), IMPORT, id, body)

        await self._store.transact(run)
        return {"importId": id, "uploadUrl": self._link(scope, IMPORT, id, endpoint)}

    async def start_import(self, scope: Scope, params: Params) -> Params:
        """StartImport: read the file and make what is in it. A file that is none ends the import
        as `Failed`."""
        if params.get("filePassword"):
            raise invalid("filePassword is not offered: upload a file that is not encrypted.")
        id, now = params["importId"], self._clock.now()
        root = root_of(scope, "")
        found = await self._store.read(lambda tx: require(tx, root, IMPORT, id, "The import"))
        if "_data" not in found.body:
            raise invalid(f"Nothing was uploaded for the import {id}, or it was used already.")
        specification = params["resourceSpecification"]
        body = {
            **{"_created": found.body["_created"], "_changed": now},
            "resourceSpecification": specification,
            "mergeStrategy": params["mergeStrategy"],
        }
        data = base64.b64decode(found.body["_data"])
        try:
            exported = await computed(read_export, data)
            made = await self._importer.make(scope, params, exported)
            body |= {"importStatus": "Completed", **made}
        except ExportInvalid as error:
            body |= {"importStatus": "Failed", "failureReasons": [str(error)[:500]]}
        except ApiError as error:
            body |= {"importStatus": "Failed", "failureReasons": [str(error)[:500]]}
        await self._store.transact(lambda tx: tx.documents.put(root, IMPORT, id, body))
        names = ("resourceSpecification", "mergeStrategy", "importStatus")
        shown = {name: body[name] for name in names}
        return {"importId": id, **shown, "creationDateTime": times(body)["creationDateTime"]}

    async def describe_import(self, scope: Scope, params: Params) -> Params:
        """DescribeImport."""
        return _import_view(await self._transfer(scope, IMPORT, params["importId"]))

    async def list_imports(self, scope: Scope, params: Params) -> Params:
        """ListImports."""
        root = root_of(scope, "")
        found = await self._store.read(lambda tx: tx.documents.list_of(root, IMPORT))
        started = [_import_view(each) for each in found if "mergeStrategy" in each.body]
        for each in started:
            each.pop("resourceSpecification", None)
            each.pop("failureReasons", None)
        wanted = params.get("botId")
        items = [each for each in started if wanted in (None, each.get("importedResourceId"))]
        listed, more = page(params, items, lambda item: item["importId"])
        return {**_asked(params), "importSummaries": listed, **more}

    async def delete_import(self, scope: Scope, params: Params) -> Params:
        """DeleteImport: forget it. What it made stays."""
        await self._forget(scope, IMPORT, params["importId"])
        return {"importId": params["importId"], "importStatus": "Deleting"}

    async def create_export(self, scope: Scope, params: Params) -> Params:
        """CreateExport, of a bot."""
        specification = params["resourceSpecification"].get("botExportSpecification")
        if specification is None or params["fileFormat"] != "LexJson" or params.get("filePassword"):
            raise invalid("Only bots are exported, as LexJson and without a filePassword.")
        id, now = new_id(), self._clock.now()

        def run(tx: Transaction) -> Document:
            tx.locks.scope(scope)
            require_version(tx, scope, specification["botId"], specification["botVersion"])
            _make_room(tx, scope, EXPORT)
            names = ("resourceSpecification", "fileFormat")
            body = {
                **{name: params[name] for name in names},
                **{"exportStatus": "Completed", "_created": now, "_changed": now},
            }
            return tx.documents.put(root_of(scope, ""), EXPORT, id, body)

        view = _export_view(await self._store.transact(run))
        del view["lastUpdatedDateTime"]
        return view

    async def describe_export(self, scope: Scope, params: Params, endpoint: str) -> Params:
        """DescribeExport."""
        found = await self._transfer(scope, EXPORT, params["exportId"])
        link = self._link(scope, EXPORT, found.id, endpoint)
        return {**_export_view(found), "downloadUrl": link}

    async def list_exports(self, scope: Scope, params: Params) -> Params:
        """ListExports."""
        root = root_of(scope, "")
        found = await self._store.read(lambda tx: tx.documents.list_of(root, EXPORT))
        views = [_export_view(each) for each in found]
        wanted = params.get("botId")
        items = [
            each
            for each in views
            if wanted in (None, each["resourceSpecification"]["botExportSpecification"]["botId"])
        ]
        listed, more = page(params, items, lambda item: item["exportId"])
        return {**_asked(params), "exportSummaries": listed, **more}

    async def delete_export(self, scope: Scope, params: Params) -> Params:
        """DeleteExport."""
        await self._forget(scope, EXPORT, params["exportId"])
        return {"exportId": params["exportId"], "exportStatus": "Deleting"}

    async def upload(self, path: str, data: bytes) -> None:
        """Take the file of a link. Raises `ApiError`."""
        scope, id = self._read_link(path, IMPORT)

        def run(tx: Transaction) -> None:
            found = require(tx, root_of(scope, ""), IMPORT, id, "The import")
            if found.body["importStatus"] != _WAITING:
                raise invalid("The import was started already.")
            body = {**found.body, "_data": base64.b64encode(data).decode()}
            tx.documents.put(found.root, IMPORT, id, body)

        await self._store.transact(run)

    async def download(self, path: str) -> bytes:
        """The file of a link. Raises `ApiError`."""
        scope, id = self._read_link(path, EXPORT)
        found = await self._transfer(scope, EXPORT, id)
        which = found.body["resourceSpecification"]["botExportSpecification"]
        bot, version = which["botId"], which["botVersion"]

        def run(tx: Transaction) -> tuple[Params, dict[str, Params]]:
            body = {**require_version(tx, scope, bot, version).body}
            listed = locales_of(tx, scope, bot, version)
            return body, {each.id.partition("/")[2]: each.body for each in listed}

        body, locales = await self._store.read(run)
        return await computed(write_export, body, bot, version, locales)

    async def _transfer(self, scope: Scope, kind: str, id: str) -> Document:
        root = root_of(scope, "")
        return await self._store.read(lambda tx: require(tx, root, kind, id, f"The {kind}"))

    async def _forget(self, scope: Scope, kind: str, id: str) -> None:
        root = root_of(scope, "")

        def run(tx: Transaction) -> None:
            if not tx.documents.delete(root, kind, id):
                raise missing(f"The {kind}", id)

        await self._store.transact(run)

    def _link(self, scope: Scope, kind: str, id: str, endpoint: str) -> str:
        until = int(self._clock.now()) + _LIFETIME_S
        subject = f"{kind}/{scope.account}/{scope.region}/{id}/{until}"
        return f"{endpoint.rstrip('/')}{PATH_PREFIX}{subject}/{self._sign(subject)}"

    def _read_link(self, path: str, kind: str) -> tuple[Scope, str]:
        match = _LINK.fullmatch(path.removeprefix(PATH_PREFIX))
        if match is None or match[1] != kind:
            raise ApiError("AccessDenied", "The link is not valid.", status=403)
        subject, _, given = match[0].rpartition("/")
        is_signed = hmac.compare_digest(given, self._sign(subject))
        if not is_signed or int(match[5]) < self._clock.now():
            raise ApiError("AccessDenied", "The link is not valid or has expired.", status=403)
        return Scope(AccountId(match[2]), Region(match[3])), match[4]

    def _sign(self, subject: str) -> str:
        return hmac.new(self._secret, subject.encode(), hashlib.sha256).hexdigest()


def _make_room(tx: Transaction, scope: Scope, kind: str) -> None:
    """Forget the oldest imports or exports if there are too many."""
    root = root_of(scope, "")
    listed = sorted(tx.documents.list_of(root, kind), key=lambda each: each.body["_created"])
    for each in listed[: max(0, len(listed) - _TRANSFERS_MAX + 1)]:
        tx.documents.delete(root, kind, each.id)


def _asked(params: Params) -> dict[str, Any]:
    return {name: params[name] for name in ("botId", "botVersion", "localeId") if name in params}


def _import_view(found: Document) -> dict[str, Any]:
    names = (
        *("resourceSpecification", "importedResourceId", "importedResourceName", "mergeStrategy"),
        *("importStatus", "failureReasons"),
    )
    body = found.body
    shown = {name: body[name] for name in names if name in body}
    shown["importStatus"] = (
        "InProgress" if shown["importStatus"] == "Waiting" else shown["importStatus"]
    )
    return {"importId": found.id, **shown, **times(body)}


def _export_view(found: Document) -> dict[str, Any]:
    names = ("resourceSpecification", "fileFormat", "exportStatus")
    return {"exportId": found.id, **{name: found.body[name] for name in names}, **times(found.body)}
