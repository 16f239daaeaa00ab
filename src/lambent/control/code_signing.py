"""Code signing configurations: who may sign a function's packages, and what happens to other
packages.

A package whose signature does not match its content is always refused. A package that is not
signed, is signed by a profile that is not allowed, or has an expired signature, is refused only if
the configuration says `Enforce`.
https://docs.aws.amazon.com/lambda/latest/dg/configuration-codesigning.html
"""

import datetime
import logging
import secrets
import string
from collections.abc import Mapping, Sequence
from typing import Any

import anyio.to_thread
from cryptography import x509

from lambent.control.configuration import require_text
from lambent.control.lookup import require_function
from lambent.control.paging import make_name_page, page_size, read_name_marker
from lambent.control.signatures import CodeSignature, SignatureInvalid, read_signature
from lambent.control.tags import check_tags
from lambent.kit.clock import Clock
from lambent.model.arn import Scope
from lambent.model.errors import ApiError, conflict
from lambent.model.function import FunctionKey
from lambent.model.names import parse_unqualified
from lambent.model.resources import CodeSigningKey, parse_code_signing_arn
from lambent.model.times import iso_seconds
from lambent.store.function_settings import Kind, SettingRow
from lambent.store.store import Store, Transaction
from lambent.telemetry.metrics import Metrics

Params = Mapping[str, Any]

_log = logging.getLogger(__name__)
_LETTERS = string.ascii_lowercase + string.digits


class CodeSigning:
    """Use cases of code signing configurations."""

    def __init__(
        self, store: Store, clock: Clock, roots: Sequence[x509.Certificate], metrics: Metrics
    ) -> None:
        self._store = store
        self._clock = clock
        self._roots = roots
        self._metrics = metrics

    async def create(self, scope: Scope, params: Params) -> Params:
        """CreateCodeSigningConfig."""
        config_id = "csc-" + "".join(secrets.choice(_LETTERS) for _ in range(17))
        tags = params.get("Tags") or {}
        check_tags(tags)
        document = self._changed({"UntrustedArtifactOnDeployment": "Warn"}, params)

        def run(tx: Transaction) -> None:
            tx.code_signing.put(scope, config_id, document)
            tx.tags.replace(config_arn(scope, config_id), tags)

        await self._store.transact(run)
        return {"CodeSigningConfig": _view(scope, config_id, document)}

    async def get(self, scope: Scope, params: Params) -> Params:
        """GetCodeSigningConfig."""
        config_id = _parse(scope, params["CodeSigningConfigArn"])
        document = await self._store.read(lambda tx: _require(tx, scope, config_id))
        return {"CodeSigningConfig": _view(scope, config_id, document)}

    async def list(self, scope: Scope, params: Params) -> Params:
        """ListCodeSigningConfigs."""
        size = page_size(params.get("MaxItems"))
        after = read_name_marker(params.get("Marker"))
        found = await self._store.read(
            lambda tx: tx.code_signing.list_in(scope, after=after, limit=size + 1)
        )
        page = make_name_page(found, size, lambda item: item[0])
        return page.members("CodeSigningConfigs", [_view(scope, *item) for item in page.items])

    async def update(self, scope: Scope, params: Params) -> Params:
        """UpdateCodeSigningConfig: members that are absent stay as they were."""
        config_id = _parse(scope, params["CodeSigningConfigArn"])

        def run(tx: Transaction) -> Params:
            tx.locks.scope(scope)
            document = self._changed(_require(tx, scope, config_id), params)
            tx.code_signing.put(scope, config_id, document)
            return document

        return {"CodeSigningConfig": _view(scope, config_id, await self._store.transact(run))}

    async def delete(self, scope: Scope, params: Params) -> Params:
        """DeleteCodeSigningConfig, unless a function uses it."""
        arn = params["CodeSigningConfigArn"]
        config_id = _parse(scope, arn)

        def run(tx: Transaction) -> None:
            tx.locks.scope(scope)
            _require(tx, scope, config_id)
            if tx.settings.find(Kind.CODE_SIGNING, arn):
                raise conflict(
                    f"The code signing configuration {arn} cannot be deleted: it is used by one or"
                    " more functions."
                )
            tx.code_signing.delete(scope, config_id)
            tx.tags.replace(arn, {})

        await self._store.transact(run)
        return {}

    async def list_functions(self, scope: Scope, params: Params) -> Params:
        """ListFunctionsByCodeSigningConfig."""
        arn = params["CodeSigningConfigArn"]
        config_id = _parse(scope, arn)
        after = read_name_marker(params.get("Marker"))

        def run(tx: Transaction) -> Sequence[SettingRow]:
            _require(tx, scope, config_id)
            found = tx.settings.find(Kind.CODE_SIGNING, arn)
            return [entry for entry in found if entry.key.name > after]

        page = make_name_page(
            await self._store.read(run),
            page_size(params.get("MaxItems")),
            lambda setting: setting.key.name,
        )
        return page.members("FunctionArns", [setting.arn for setting in page.items])

    async def bind(self, scope: Scope, params: Params) -> Params:
        """PutFunctionCodeSigningConfig: applies from the next deployment on."""
        key = parse_unqualified(params["FunctionName"], scope)
        arn = params["CodeSigningConfigArn"]

        def run(tx: Transaction) -> None:
            tx.locks.scope(key.scope)
            tx.locks.function(key)
            _require_usable(tx, key.scope, arn)
            require_function(tx, key)
            _bind(tx, key, arn)

        await self._store.transact(run)
        return {"CodeSigningConfigArn": arn, "FunctionName": key.name}

    async def get_binding(self, scope: Scope, params: Params) -> Params:
        """GetFunctionCodeSigningConfig: no member if the function has none."""
        key = parse_unqualified(params["FunctionName"], scope)

        def run(tx: Transaction) -> Params:
            require_function(tx, key)
            found = tx.settings.get(Kind.CODE_SIGNING, key)
            return {**found, "FunctionName": key.name} if found else {}

        return await self._store.read(run)

    async def unbind(self, scope: Scope, params: Params) -> Params:
        """DeleteFunctionCodeSigningConfig."""
        key = parse_unqualified(params["FunctionName"], scope)

        def run(tx: Transaction) -> None:
            tx.locks.function(key)
            require_function(tx, key)
            tx.settings.delete(Kind.CODE_SIGNING, key)

        await self._store.transact(run)
        return {}

    async def check(self, scope: Scope, arn: str, data: bytes) -> CodeSignature | None:
        """Check a package that is about to be deployed under a configuration; returns its
        signature if it is trusted.

        Raises `CodeSigningConfigNotFoundException`, `InvalidCodeSignatureException` or
        `CodeVerificationFailedException`.
        """
        document = await self._store.read(lambda tx: _require_usable(tx, scope, arn))
        now = datetime.datetime.fromtimestamp(self._clock.now(), datetime.UTC)
        try:
            signature = await anyio.to_thread.run_sync(read_signature, data, self._roots, now)
        except SignatureInvalid as error:
            raise ApiError(
                "InvalidCodeSignatureException",
                f"The code signature failed the integrity check: {error}.",
            ) from error
        problem = _distrust(signature, document["SigningProfileVersionArns"], now)
        if problem is None:
            return signature
        if document["UntrustedArtifactOnDeployment"] == "Enforce":
            raise ApiError(
                "CodeVerificationFailedException",
                "The code signature failed one or more of the validation checks for signature"
                f" mismatch or expiry, and the code signing policy is set to ENFORCE: {problem}.",
            )
        _log.warning("deploying a package under %s that is not trusted: %s", arn, problem)
        return None

    def note_deployed(
        self, key: FunctionKey, config_arn: str | None, signature: CodeSignature | None
    ) -> None:
        """A package of a function was deployed, which `check` has trusted if there is a signature.
        Counts those under a configuration that are not trusted."""
        if config_arn and signature is None:
            self._metrics.add("SignatureValidationErrors", key)

    def _changed(self, document: Params, params: Params) -> Params:
        changed = {**document, "LastModified": iso_seconds(self._clock.now())}
        if "Description" in params:
            require_text(params["Description"], "description")
            changed["Description"] = params["Description"]
        if "AllowedPublishers" in params:
            changed["SigningProfileVersionArns"] = params["AllowedPublishers"][
                "SigningProfileVersionArns"
            ]
        changed.update(params.get("CodeSigningPolicies") or {})
        return changed


def config_arn(scope: Scope, config_id: str) -> str:
    """The ARN of a code signing configuration."""
    return CodeSigningKey(scope, config_id).arn


def bind_code_signing(tx: Transaction, key: FunctionKey, arn: str) -> None:
    """Apply a configuration to a function's packages. Raises
    `CodeSigningConfigNotFoundException`."""
    _require_usable(tx, key.scope, arn)
    _bind(tx, key, arn)


def _bind(tx: Transaction, key: FunctionKey, arn: str) -> None:
    tx.settings.put(Kind.CODE_SIGNING, key, {"CodeSigningConfigArn": arn}, reference=arn)


def code_signing_of(tx: Transaction, key: FunctionKey) -> str | None:
    """The ARN of the configuration that applies to a function's packages, if there is one."""
    document = tx.settings.get(Kind.CODE_SIGNING, key)
    return None if document is None else str(document["CodeSigningConfigArn"])


def _distrust(
    signature: CodeSignature | None, allowed: Sequence[str], now: datetime.datetime
) -> str | None:
    """Why a package is not trusted; None if it is."""
    if signature is None:
        return "the package is not signed"
    if signature.profile_version_arn not in allowed:
        return f"it was signed by {signature.profile_version_arn}, which is not allowed"
    if signature.expires <= now:
        return f"the signature expired at {signature.expires:%Y-%m-%dT%H:%M:%SZ}"
    return None


def _parse(scope: Scope, arn: str) -> str:
    """The id in the ARN of a configuration in this account and region."""
    key = parse_code_signing_arn(arn)
    if key is None or key.scope != scope:
        raise _no_config(arn)
    return key.id


def _require(tx: Transaction, scope: Scope, config_id: str) -> Params:
    document = tx.code_signing.get(scope, config_id)
    if document is None:
        raise _no_config(config_arn(scope, config_id))
    return document


def _no_config(arn: str) -> ApiError:
    """AWS leaves out the `Type` of this error."""
    return ApiError(
        "ResourceNotFoundException",
        f"The Lambda code signing configuration {arn} can not be found.",
        status=404,
        members={"Type": None},
    )


def _require_usable(tx: Transaction, scope: Scope, arn: str) -> Params:
    key = parse_code_signing_arn(arn)
    is_here = key is not None and key.scope == scope
    document = tx.code_signing.get(scope, key.id) if key and is_here else None
    if document is None:
        raise ApiError(
            "CodeSigningConfigNotFoundException",
            "The code signing configuration cannot be found. Check that the provided configuration"
            f" is not deleted: {arn}.",
            status=404,
            members={"Type": None},
        )
    return document


def _view(scope: Scope, config_id: str, document: Params) -> Params:
    return {
        "CodeSigningConfigId": config_id,
        "CodeSigningConfigArn": config_arn(scope, config_id),
        "Description": document.get("Description", ""),
        "AllowedPublishers": {"SigningProfileVersionArns": document["SigningProfileVersionArns"]},
        "CodeSigningPolicies": {
            "UntrustedArtifactOnDeployment": document["UntrustedArtifactOnDeployment"]
        },
        "LastModified": document["LastModified"],
    }
