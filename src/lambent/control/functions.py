"""Functions: create, read, change, delete. Each use case is one transaction. Checking and storing a
package takes longer, and comes before it.

Requests contain the API's own members (checked against the service model); responses are
`FunctionVersion`s. Deployed versions are not prepared here: a version is written as Pending or
InProgress, and `activation` prepares it.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from lambent.control import configuration
from lambent.control.code_signing import CodeSigning, bind_code_signing, code_signing_of
from lambent.control.layers import attach_layers
from lambent.control.lookup import require_function, require_version
from lambent.control.packages import Packages
from lambent.control.paging import Page, make_page, page_size, read_marker
from lambent.control.signatures import CodeSignature
from lambent.control.states import pending, require_ready, require_revision, updating
from lambent.control.storage import require_storage
from lambent.control.tags import check_tags
from lambent.control.versions import publish, refuse_publish_to
from lambent.identity.execution_roles import ExecutionRoles
from lambent.kit.clock import Clock
from lambent.model.arn import Scope
from lambent.model.errors import conflict, invalid_parameter
from lambent.model.function import LATEST, AttachedLayer, FunctionKey, FunctionVersion
from lambent.model.names import (
    FunctionReference,
    parse_function_name,
    parse_unqualified,
)
from lambent.store.function_settings import Kind
from lambent.store.store import Store, Transaction

Params = Mapping[str, Any]


@dataclasses.dataclass(frozen=True, slots=True)
class FunctionDetails:
    """A function version, the reference it was requested by, and the function's settings."""

    reference: FunctionReference
    version: FunctionVersion
    tags: Mapping[str, str]
    reserved_concurrency: int | None


class Functions:
    """Use cases of functions."""

    def __init__(
        self,
        store: Store,
        packages: Packages,
        clock: Clock,
        code_signing: CodeSigning,
        *,
        runtimes: Sequence[str],
        code_size_max: int,
        roles: ExecutionRoles,
    ) -> None:
        self._store = store
        self._packages = packages
        self._clock = clock
        self._code_signing = code_signing
        self._runtimes = runtimes
        self._code_size_max = code_size_max
        self._roles = roles

    async def create(self, scope: Scope, params: Params) -> FunctionVersion:
        """CreateFunction. With `Publish`, it returns version 1."""
        key = parse_unqualified(params["FunctionName"], scope)
        refuse_publish_to(params)
        tags = params.get("Tags") or {}
        check_tags(tags)
        # Built before the package is fetched: configuration errors come first, as in AWS.
        described = configuration.create(key, params, runtimes=self._runtimes)
        self._roles.require_assumable(params["Role"], key.account)
        await self._check_dead_letters(key, params)
        await self._store.transact(lambda tx: _require_creatable(tx, key, params))
        content = await self._packages.read(params["Code"], scope)
        signing = params.get("CodeSigningConfigArn")
        signature = await self._check_signature(scope, signing, content.data)

        def run(tx: Transaction, code_key: str) -> FunctionVersion:
            tx.locks.scope(key.scope)
            _require_absent(tx, key)
            require_storage(tx, key.scope, len(content.data), maximum=self._code_size_max)
            created = dataclasses.replace(described, code_key=code_key, code_size=len(content.data))
            created = _signed(created, signature, content.unzipped_size)
            latest = pending(_with_layers(tx, created, params), now=self._clock.now())
            tx.functions.create(latest)
            tx.tags.replace(key.arn, tags)
            if signing:
                bind_code_signing(tx, key, signing)
            return self._publish(tx, latest) if params.get("Publish") else latest

        created = await self._packages.deploy(content.data, run)
        self._code_signing.note_deployed(key, signing, signature)
        return created

    async def get(self, scope: Scope, params: Params) -> FunctionDetails:
        """GetFunction and GetFunctionConfiguration."""
        reference = parse_function_name(
            params["FunctionName"], scope, qualifier=params.get("Qualifier"), takes_long_names=True
        )

        def run(tx: Transaction) -> FunctionDetails:
            concurrency = tx.settings.get(Kind.CONCURRENCY, reference.key)
            return FunctionDetails(
                reference,
                require_version(tx, reference),
                tx.tags.get(reference.key.arn),
                concurrency["ReservedConcurrentExecutions"] if concurrency else None,
            )

        return await self._store.read(run)

    async def list(self, scope: Scope, params: Params) -> Page:
        """ListFunctions: every `$LATEST`, or with `FunctionVersion=ALL` every version."""
        size = page_size(params.get("MaxItems"))
        name, number = read_marker(params.get("Marker"), ("", 0))

        # Only functions replicated by CloudFront have a master elsewhere, and Lambent has none.
        is_elsewhere = params.get("MasterRegion", "ALL") not in ("ALL", scope.region)

        def run(tx: Transaction) -> Page:
            if is_elsewhere:
                return Page([], None)
            if params.get("FunctionVersion") == "ALL":
                found = tx.functions.list_all(scope, after=(name, number), limit=size + 1)
            else:
                found = tx.functions.list_latest(scope, after=name, limit=size + 1)
            return make_page(found, size)

        return await self._store.read(run)

    async def _check_dead_letters(self, key: FunctionKey, params: Params) -> None:
        """Refuse a dead-letter queue that the function's role may not send to."""
        target = (params.get("DeadLetterConfig") or {}).get("TargetArn")
        if not target or not self._roles.are_checked:
            return
        role = params.get("Role")
        if role is None:
            latest = await self._store.read(lambda tx: tx.functions.get(key))
            if latest is None:
                return
            role = latest.role
        await self._roles.require_delivery(key, role, target)

    async def update_configuration(self, scope: Scope, params: Params) -> FunctionVersion:
        """UpdateFunctionConfiguration."""
        key = parse_unqualified(params["FunctionName"], scope)
        if "Role" in params:
            self._roles.require_assumable(params["Role"], key.account)
        await self._check_dead_letters(key, params)

        def run(tx: Transaction) -> FunctionVersion:
            tx.locks.function(key)
            latest = _require_changeable(tx, key, params)
            if "ImageConfig" in params:
                raise invalid_parameter(
                    "Please don't provide ImageConfig when updating a function with packageType"
                    " Zip."
                )
            changed = configuration.update(latest, params, runtimes=self._runtimes)
            updated = updating(_with_layers(tx, changed, params), now=self._clock.now())
            tx.functions.update(updated, serving=tx.functions.serving(key))
            return updated

        return await self._store.transact(run)

    async def update_code(self, scope: Scope, params: Params) -> FunctionVersion:
        """UpdateFunctionCode. With `Publish`, it returns the published version; with `DryRun`, the
        version that the update would create."""
        key = parse_unqualified(params["FunctionName"], scope)
        await self._store.transact(lambda tx: _require_changeable(tx, key, params))
        refuse_publish_to(params)
        if params.get("ImageUri"):
            raise invalid_parameter(
                "Please don't provide ImageUri when updating a function with packageType Zip."
            )
        content = await self._packages.read(params, scope)
        signing = await self._store.transact(lambda tx: code_signing_of(tx, key))
        signature = await self._check_signature(scope, signing, content.data)
        maybe_unused = set[str]()

        def run(tx: Transaction, code_key: str) -> FunctionVersion:
            tx.locks.scope(key.scope)
            tx.locks.function(key)
            latest = _require_changeable(tx, key, params)
            if code_signing_of(tx, key) != signing:
                raise conflict(
                    "The code signing configuration of the function was changed meanwhile: try"
                    " again."
                )
            added = len(content.data) - latest.code_size
            require_storage(tx, key.scope, added, maximum=self._code_size_max)
            changed = dataclasses.replace(
                latest,
                code_key=code_key,
                code_size=len(content.data),
                architecture=configuration.architecture(params, default=latest.architecture),
            )
            changed = _signed(changed, signature, content.unzipped_size)
            layers = [layer.arn for layer in latest.layers]
            attach_layers(
                tx, key, layers, unzipped_size=content.unzipped_size, include_deleted=True
            )
            maybe_unused.update((code_key, latest.code_key))
            if params.get("DryRun"):
                return changed
            updated = updating(changed, now=self._clock.now())
            tx.functions.update(updated, serving=tx.functions.serving(key))
            return self._publish(tx, updated) if params.get("Publish") else updated

        answer = await self._packages.deploy(content.data, run)
        await self._packages.discard_unused(maybe_unused)
        if not params.get("DryRun"):
            self._code_signing.note_deployed(key, signing, signature)
        return answer

    async def delete(self, scope: Scope, params: Params) -> None:
        """DeleteFunction: one version, or the function with everything that belongs to it."""
        reference = parse_function_name(
            params["FunctionName"], scope, qualifier=params.get("Qualifier"), takes_long_names=True
        )
        key, qualifier = reference.key, reference.qualifier

        if qualifier == LATEST:
            raise invalid_parameter(
                "$LATEST version cannot be deleted without deleting the function."
            )

        def run(tx: Transaction) -> set[str]:
            tx.locks.function(key)
            require_function(tx, key)
            if qualifier is None:
                unused = tx.functions.code_keys_of(key)
                tx.functions.delete(key)
                tx.tags.replace(key.arn, {})
                return unused
            version = tx.functions.get(key, qualifier)
            if version is None:
                return set()
            names = [alias.name for alias in tx.aliases.pointing_to(key, qualifier)]
            if names:
                raise conflict(
                    f"Version {qualifier} cannot be deleted: the following aliases reference it:"
                    f" {', '.join(names)}"
                )
            tx.functions.delete_version(key, qualifier)
            tx.settings.delete_qualifier(key, qualifier)
            return {version.code_key}

        await self._packages.discard_unused(await self._store.transact(run))

    async def _check_signature(
        self, scope: Scope, config_arn: str | None, data: bytes
    ) -> CodeSignature | None:
        if not config_arn:
            return None
        return await self._code_signing.check(scope, config_arn, data)

    def _publish(self, tx: Transaction, latest: FunctionVersion) -> FunctionVersion:
        return publish(tx, latest, now=self._clock.now(), code_size_max=self._code_size_max)


def _with_layers(tx: Transaction, version: FunctionVersion, params: Params) -> FunctionVersion:
    """`version` with the layers of a request, if the request has the member."""
    if "Layers" not in params:
        return version
    found = attach_layers(tx, version.key, params["Layers"], unzipped_size=version.unzipped_size)
    layers = tuple(AttachedLayer(layer.arn, layer.code_size, layer.code_key) for layer in found)
    return dataclasses.replace(version, layers=layers)


def _signed(
    version: FunctionVersion, signature: CodeSignature | None, unzipped_size: int
) -> FunctionVersion:
    """`version` with the size and the signature of a new package."""
    other = {name: value for name, value in version.other.items() if not name.startswith("Signing")}
    if signature is not None:
        other["SigningProfileVersionArn"] = signature.profile_version_arn
        other["SigningJobArn"] = signature.job_arn
    return dataclasses.replace(version, other=other, unzipped_size=unzipped_size)


def _require_creatable(tx: Transaction, key: FunctionKey, params: Params) -> None:
    """Refuse a request that fails whatever its package contains. AWS checks the layers first."""
    attach_layers(tx, key, params.get("Layers") or (), unzipped_size=0)
    _require_absent(tx, key)


def _require_absent(tx: Transaction, key: FunctionKey) -> None:
    if tx.functions.get(key) is not None:
        raise conflict(f"Function already exist: {key.name}")


def _require_changeable(tx: Transaction, key: FunctionKey, params: Params) -> FunctionVersion:
    """`$LATEST`, if a request with these parameters may change it now. Raises `ApiError`."""
    latest = require_function(tx, key)
    require_ready(latest)
    require_revision(latest, params.get("RevisionId"))
    return latest
