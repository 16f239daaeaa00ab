"""Functions and their versions, as values.

A `FunctionVersion` is everything the platform knows of `$LATEST` or of one published
version: what the control plane stores, the API shows and a worker needs to run it.
"""

import base64
import dataclasses
from collections.abc import Mapping
from typing import Any, NamedTuple

from lambent.model.arn import AccountId, Region, Scope

LATEST = "$LATEST"


class FunctionKey(NamedTuple):
    """Identity of a function across its versions."""

    account: AccountId
    region: Region
    name: str

    @property
    def arn(self) -> str:
        """The unqualified function ARN."""
        return f"arn:aws:lambda:{self.region}:{self.account}:function:{self.name}"

    @property
    def scope(self) -> Scope:
        """Account and region."""
        return Scope(self.account, self.region)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class LoggingConfiguration:
    """Where and how an environment of the function logs (`LoggingConfig` of the API)."""

    log_format: str = "Text"
    log_group: str
    application_log_level: str | None = None
    system_log_level: str | None = None


PUBLISHED_VERSIONS = "PublishedVersions"


@dataclasses.dataclass(frozen=True, slots=True)
class SnapStart:
    """Whether versions start from a snapshot (`SnapStart` of the API)."""

    apply_on: str = "None"
    """`PublishedVersions` or `None`."""
    optimization_status: str = "Off"
    """`On` for a version that starts from a snapshot."""


@dataclasses.dataclass(frozen=True, slots=True)
class AttachedLayer:
    """A version of a layer that a function uses."""

    arn: str
    code_size: int
    """Bytes of the zipped package."""
    code_key: str
    """Hex SHA-256 of its package."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class FunctionVersion:
    """One version of one function, `$LATEST` included. Immutable: changes make a new value."""

    key: FunctionKey
    version: str
    """`$LATEST` or a decimal number."""
    role: str
    package_type: str = "Zip"
    runtime: str | None
    """A runtime identifier of the service model, for example `python3.12`."""
    handler: str | None
    description: str = ""
    timeout_s: int = 3
    memory_mb: int = 128
    ephemeral_storage_mb: int = 512
    architecture: str = "x86_64"
    environment: Mapping[str, str] | None = dataclasses.field(default=None, repr=False)
    """The user's variables; None when never configured (the API then omits the member)."""
    logging: LoggingConfiguration

    code_key: str
    """Hex SHA-256 of the deployment package: its name in blob store and code cache."""
    code_size: int
    """Bytes of the zipped package."""
    unzipped_size: int = 0
    """Bytes of all files in the package; 0 if it was deployed before this was noted."""
    layers: tuple[AttachedLayer, ...] = ()
    """In order: files of the later hide those of the earlier."""

    configuration_id: str
    """Changes with code and configuration: no environment is shared across two of them."""
    revision_id: str
    last_modified_ms: int
    """Epoch milliseconds."""
    state: str = "Active"
    state_reason: str | None = None
    state_reason_code: str | None = None
    last_update_status: str | None = None
    last_update_status_reason: str | None = None
    last_update_status_reason_code: str | None = None
    snap_start: SnapStart = SnapStart()
    tenant_isolation: str | None = None
    """`TenantIsolationMode` of the API; None if invocations name no tenant."""
    dead_letter_target: str | None = None
    """The ARN of the queue or topic that gets events the function could not process."""
    other: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    """Members in API form, by API name: `TracingConfig`, and those that the API stores and returns
    and that have no effect here (VpcConfig, KMSKeyArn, FileSystemConfigs, SigningJobArn, …)."""
    is_traced: bool = dataclasses.field(init=False, repr=False, compare=False)
    """Whether sampled calls are recorded: `TracingConfig` is `Active`. A field of its own, because
    every call asks."""

    def __post_init__(self) -> None:
        tracing = self.other.get("TracingConfig") or {}
        object.__setattr__(self, "is_traced", tracing.get("Mode") == "Active")

    @property
    def arn(self) -> str:
        """The ARN qualified by the version number; `$LATEST` is left unqualified."""
        return self.key.arn if self.version == LATEST else f"{self.key.arn}:{self.version}"

    @property
    def code_sha256(self) -> str:
        """`CodeSha256` of the API: the package's SHA-256 in base64."""
        return base64.b64encode(bytes.fromhex(self.code_key)).decode()

    @property
    def wants_snap_start(self) -> bool:
        """Whether its published versions start from a snapshot."""
        return self.snap_start.apply_on == PUBLISHED_VERSIONS

    @property
    def snap_starts(self) -> bool:
        """Whether this version starts from a snapshot that is taken when it is published."""
        return self.version != LATEST and self.wants_snap_start

    @property
    def isolates_tenants(self) -> bool:
        """Whether every invocation names a tenant, and no environment serves two."""
        return self.tenant_isolation is not None

    @property
    def layer_keys(self) -> tuple[str, ...]:
        """Packages of its layers, named as `code_key` is."""
        return tuple(layer.code_key for layer in self.layers)

    @property
    def is_settled(self) -> bool:
        """Whether nothing has to be prepared: neither creation nor an update is under way."""
        return self.state != "Pending" and self.last_update_status != "InProgress"
