"""Layers: publish, read, delete, share; and which of them a function may use."""

from collections.abc import Mapping, Sequence
from typing import Any

from lambent.control import policies
from lambent.control.configuration import require_text
from lambent.control.packages import Packages
from lambent.control.paging import make_name_page, page_size, read_marker, read_name_marker
from lambent.control.storage import require_storage
from lambent.kit.clock import Clock
from lambent.model import limits
from lambent.model.arn import AccountId, Scope
from lambent.model.errors import ApiError, invalid_parameter, not_found
from lambent.model.function import FunctionKey
from lambent.model.layer import (
    LayerKey,
    LayerVersion,
    parse_layer_name,
    parse_layer_version,
    parse_layer_version_arn,
    require_layer_version_arn,
)
from lambent.model.policy import AccessRequest, Verdict, decide
from lambent.model.principal import root_of
from lambent.model.stack_documents import TOKEN_TAG
from lambent.model.times import iso_milliseconds
from lambent.store.store import Store, Transaction

Params = Mapping[str, Any]

_GET = "lambda:GetLayerVersion"
_MISSING = "The resource you requested does not exist."


class Layers:
    """Use cases of layers."""

    def __init__(
        self,
        store: Store,
        packages: Packages,
        clock: Clock,
        *,
        runtimes: Sequence[str],
        code_size_max: int,
    ) -> None:
        """`runtimes` are the identifiers of the service model."""
        self._store = store
        self._runtimes = runtimes
        self._packages = packages
        self._clock = clock
        self._code_size_max = code_size_max

    async def publish(self, scope: Scope, params: Params, token: str = "") -> LayerVersion:
        """PublishLayerVersion: always a new version, whatever its content. `token` is the
        caller's."""
        key = parse_layer_name(params["LayerName"], scope)
        self._check_runtimes("compatibleRuntimes", params.get("CompatibleRuntimes"))
        for member in ("Description", "LicenseInfo"):
            require_text(params.get(member) or "", member[0].lower() + member[1:])
        content = await self._packages.read(params["Content"], scope)
        runtimes, architectures = (
            tuple(params[name]) if name in params else None
            for name in ("CompatibleRuntimes", "CompatibleArchitectures")
        )

        def run(tx: Transaction, code_key: str) -> LayerVersion:
            tx.locks.scope(scope)
            require_storage(tx, scope, len(content.data), maximum=self._code_size_max)
            version = LayerVersion(
                key=key,
                number=tx.layers.take_version_number(key),
                code_key=code_key,
                code_size=len(content.data),
                unzipped_size=content.unzipped_size,
                created_ms=int(self._clock.now() * 1000),
                description=params.get("Description", ""),
                license_info=params.get("LicenseInfo"),
                runtimes=runtimes,
                architectures=architectures,
                token=token,
            )
            tx.layers.add(version)
            return version

        return await self._packages.deploy(content.data, run)

    async def get(self, scope: Scope, params: Params) -> LayerVersion:
        """GetLayerVersion."""
        key, number = _version_key(params, scope)
        return await self._store.read(lambda tx: _require_version(tx, key, number))

    async def get_by_arn(self, scope: Scope, params: Params) -> LayerVersion:
        """GetLayerVersionByArn; also of another account, if it is shared."""
        key, number = require_layer_version_arn(params["Arn"])
        return await self._store.read(lambda tx: _require_version(tx, key, number))

    async def list(self, scope: Scope, params: Params) -> Params:
        """ListLayers: by name, each with its newest version that matches the filters."""
        self._check_runtimes("compatibleRuntime", params.get("CompatibleRuntime"))
        after = read_name_marker(params.get("Marker"))

        def run(tx: Transaction) -> Sequence[LayerVersion]:
            newest: dict[str, LayerVersion] = {}
            for version in tx.layers.list_in(scope, after=after):
                if version.key.name not in newest and _matches(version, params):
                    newest[version.key.name] = version
            return list(newest.values())

        page = make_name_page(
            await self._store.read(run),
            page_size(params.get("MaxItems")),
            lambda version: version.key.name,
        )
        return page.members(
            "Layers",
            [
                {
                    "LayerName": version.key.name,
                    "LayerArn": version.key.arn,
                    "LatestMatchingVersion": listed(version),
                }
                for version in page.items
            ],
        )

    async def list_versions(self, scope: Scope, params: Params) -> Params:
        """ListLayerVersions that match the filters, the newest first."""
        self._check_runtimes("compatibleRuntime", params.get("CompatibleRuntime"))
        key = parse_layer_name(params["LayerName"], scope)
        _, below = read_marker(params.get("Marker"), ("", 1 << 62))
        size = page_size(params.get("MaxItems"))

        def run(tx: Transaction) -> Sequence[LayerVersion]:
            found = tx.layers.list_versions(key, below=below)
            return [version for version in found if _matches(version, params)]

        page = make_name_page(
            await self._store.read(run),
            size,
            lambda version: version.key.name,
            number=lambda version: version.number,
        )
        return page.members("LayerVersions", [listed(version) for version in page.items])

    async def delete(self, scope: Scope, params: Params) -> Params:
        """DeleteLayerVersion. Functions that use it keep it. Deleting a missing one is not an
        error."""
        key, number = _version_key(params, scope)

        def run(tx: Transaction) -> set[str]:
            tx.locks.account(key.account, key.region)
            version = tx.layers.get(key, number)
            if version is None:
                return set()
            tx.layers.delete(key, number)
            return {version.code_key}

        await self._packages.discard_unused(await self._store.transact(run))
        return {}

    async def add_permission(self, scope: Scope, params: Params) -> Params:
        """AddLayerVersionPermission."""
        key, number = _version_key(params, scope)
        organization = params.get("OrganizationId")
        added = policies.statement(
            params["StatementId"],
            principal=policies.principal(params["Principal"]),
            action=params["Action"],
            resource=f"{key.arn}:{number}",
            condition={"StringEquals": {"aws:PrincipalOrgID": organization}}
            if organization
            else {},
        )

        def run(tx: Transaction) -> policies.Policy:
            tx.locks.account(key.account, key.region)
            _require_shared_version(tx, key, number)
            current = tx.layers.policy(key, number)
            policies.require_revision(current, params.get("RevisionId"), operation="GetLayerPolicy")
            changed = policies.with_statement(current, added)
            tx.layers.set_policy(key, number, changed)
            return changed

        changed = await self._store.transact(run)
        return {"Statement": policies.to_json(added), "RevisionId": changed["RevisionId"]}

    async def remove_permission(self, scope: Scope, params: Params) -> Params:
        """RemoveLayerVersionPermission."""
        key, number = _version_key(params, scope)

        def run(tx: Transaction) -> None:
            tx.locks.account(key.account, key.region)
            _require_shared_version(tx, key, number)
            current = tx.layers.policy(key, number)
            changed = policies.without_statement(current, params["StatementId"])
            policies.require_revision(current, params.get("RevisionId"), operation="GetLayerPolicy")
            tx.layers.set_policy(key, number, changed)

        await self._store.transact(run)
        return {}

    async def get_policy(self, scope: Scope, params: Params) -> Params:
        """GetLayerVersionPolicy."""
        key, number = _version_key(params, scope)

        def run(tx: Transaction) -> Params:
            _require_shared_version(tx, key, number)
            policy = tx.layers.policy(key, number)
            if policy is None:
                raise not_found("No policy is associated with the given resource.")
            return policies.view(policy)

        return await self._store.read(run)

    def _check_runtimes(self, path: str, given: str | Sequence[str] | None) -> None:
        """Raises `ValidationException` for an identifier that is not a runtime."""
        named = [given] if isinstance(given, str) else given or ()
        if set(named) <= set(self._runtimes):
            return
        shown = given if isinstance(given, str) else f"[{', '.join(named)}]"
        raise ApiError(
            "ValidationException",
            f"1 validation error detected: Value '{shown}' at '{path}' failed to satisfy"
            f" constraint: Member must satisfy enum value set: [{', '.join(self._runtimes)}]",
        )


def attach_layers(
    tx: Transaction,
    key: FunctionKey,
    arns: Sequence[str],
    *,
    unzipped_size: int,
    include_deleted: bool = False,
) -> list[LayerVersion]:
    """The layer versions that a function requests; `unzipped_size` is the size of its own code.
    `include_deleted` also allows deleted versions, for a function that already has them.

    Raises `InvalidParameterValueException` if the function may not have them.
    """
    if len(arns) > limits.LAYERS_MAX:
        raise invalid_parameter(f"Cannot reference more than {limits.LAYERS_MAX} layers.")
    _check_distinct(arns)
    attached = []
    for arn in arns:
        version = _require_usable(tx, key, arn, include_deleted=include_deleted)
        unzipped_size += version.unzipped_size
        attached.append(version)
    if unzipped_size > limits.CODE_SIZE_UNZIPPED_MAX:
        raise invalid_parameter(
            "Function code combined with layers exceeds the maximum allowed size of"
            f" {limits.CODE_SIZE_UNZIPPED_MAX} bytes. The actual size is {unzipped_size} bytes."
        )
    return attached


def _check_distinct(arns: Sequence[str]) -> None:
    seen = dict[str, str]()
    for arn in arns:
        layer = arn.rpartition(":")[0]
        if layer in seen:
            raise invalid_parameter(
                "Two different versions of the same layer are not allowed to be referenced in the"
                f" same function. {seen[layer]} and {arn} are versions of the same layer."
            )
        seen[layer] = arn


def _require_usable(
    tx: Transaction, key: FunctionKey, arn: str, *, include_deleted: bool
) -> LayerVersion:
    parsed = parse_layer_version_arn(arn)
    if parsed is None:
        raise invalid_parameter(f"Layer version {arn} does not exist.")
    layer, number = parsed
    if layer.region != key.region:
        raise invalid_parameter(
            "Layers are not in the same region as the function. Layers are expected to be in"
            f" region {key.region}."
        )
    version = tx.layers.get(layer, number, include_deleted=include_deleted, keeps=True)
    if version is not None and include_deleted:
        return version
    if layer.account != key.account:
        _require_shared(tx, arn, layer, number, key.account)
    if version is None:
        raise invalid_parameter(f"Layer version {arn} does not exist.")
    return version


def _require_shared(
    tx: Transaction, arn: str, layer: LayerKey, number: int, account: AccountId
) -> None:
    """Raises `AccessDeniedException` unless the layer version's policy lets an account use it."""
    request = AccessRequest(principal=root_of(account), action=_GET, resource=arn)
    granted = policies.granted(tx.layers.policy(layer, number))
    verdict = decide(request, identity=(), resource=granted, owner=layer.account)
    if verdict is not Verdict.ALLOWED:
        raise ApiError(
            "AccessDeniedException",
            f"User: {request.principal.arn} is not authorized to perform: {_GET} on resource: {arn}"
            f" {verdict.value.format(action=_GET)}",
            status=403,
        )


def _version_key(params: Params, scope: Scope) -> tuple[LayerKey, int]:
    return parse_layer_version(params["LayerName"], params["VersionNumber"], scope)


def _require_version(tx: Transaction, key: LayerKey, number: int) -> LayerVersion:
    version = tx.layers.get(key, number)
    if version is None:
        raise not_found(_MISSING)
    return version


def _require_shared_version(tx: Transaction, key: LayerKey, number: int) -> LayerVersion:
    """As `_require_version`, with the error of operations on policies."""
    version = tx.layers.get(key, number)
    if version is None:
        raise not_found(f"Layer version {key.arn}:{number} does not exist.")
    return version


def _matches(version: LayerVersion, params: Params) -> bool:
    """Whether a version matches the filters of a list. A version that names no runtime or
    architecture matches no filter."""
    runtime, architecture = params.get("CompatibleRuntime"), params.get("CompatibleArchitecture")
    return (runtime is None or runtime in (version.runtimes or ())) and (
        architecture is None or architecture in (version.architectures or ())
    )


def listed(version: LayerVersion) -> dict[str, Any]:
    """`LayerVersionsListItem` of the API. The token is for stacks: no protocol has it."""
    members: dict[str, Any] = {
        "LayerVersionArn": version.arn,
        "Version": version.number,
        "Description": version.description,
        "CreatedDate": iso_milliseconds(version.created_ms),
        "CompatibleRuntimes": version.runtimes,
        "CompatibleArchitectures": version.architectures,
        "LicenseInfo": version.license_info,
        TOKEN_TAG: version.token or None,
    }
    return {name: value for name, value in members.items() if value is not None}
