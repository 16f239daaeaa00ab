"""What a function can be configured with: reads the members of CreateFunction and
UpdateFunctionConfiguration into a `FunctionVersion`.

Both operations work the same way: a member that is present replaces the old value, an absent member
leaves it. CreateFunction starts from the defaults. Requests were already checked against the
service model; this module has the rules that the model does not contain.
"""

import dataclasses
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from lambent.kit import machine
from lambent.model import limits
from lambent.model.arn import Arn
from lambent.model.errors import ApiError, invalid_parameter
from lambent.model.function import FunctionKey, FunctionVersion, LoggingConfiguration, SnapStart
from lambent.model.runtimes import check_runtime

Params = Mapping[str, Any]

_NOT_OFFERED = {
    "CapacityProviderConfig": "capacity providers",
    "DurableConfig": "durable executions",
    "RuntimeConfig": "customer-managed runtimes",
    "AcceleratorConfig": "accelerators",
}
"""Members of features that change how a function runs: ignoring them would be wrong."""

_SNAP_START_RUNTIME = re.compile(r"(python3\.|java|dotnet)(\d+)")
_SNAP_START_SINCE = {"python3.": 12, "java": 11, "dotnet": 8}
_SNAP_START_STORAGE_MB_MAX = 512
_SNAP_START_MACHINE = "x86_64"
"""The only architecture on which processes can be captured."""

_DEFAULT_VPC: Params = {
    "SubnetIds": [],
    "SecurityGroupIds": [],
    "VpcId": "",
    "Ipv6AllowedForDualStack": False,
}
_DEFAULT_TRACING: Params = {"Mode": "PassThrough"}


def create(key: FunctionKey, params: Params, *, runtimes: Sequence[str]) -> FunctionVersion:
    """The `$LATEST` that a CreateFunction request describes; code, layers and state are not set.

    `runtimes` are the identifiers of the service model. Raises `ApiError`.
    """
    if params.get("PackageType", "Zip") != "Zip":
        raise invalid_parameter(
            "cannot create a function with packageType Image: functions packaged as container"
            " images are not supported here. Use packageType Zip."
        )
    if "ImageConfig" in params:
        raise invalid_parameter(
            "Please don't provide ImageConfig when creating a function with packageType Zip."
        )
    if not params.get("Runtime") or not params.get("Handler"):
        raise invalid_parameter(
            "Runtime and Handler are mandatory parameters for functions created with deployment"
            " packages."
        )
    plain = FunctionVersion(
        key=key,
        version="$LATEST",
        role=params["Role"],
        runtime=params["Runtime"],
        handler=params["Handler"],
        logging=LoggingConfiguration(log_group=f"/aws/lambda/{key.name}"),
        architecture=architecture(params, default=machine.architecture()),
        code_key="",
        code_size=0,
        configuration_id="",
        revision_id="",
        last_modified_ms=0,
        tenant_isolation=_tenant_isolation(params),
        other={"TracingConfig": _DEFAULT_TRACING},
    )
    return update(plain, params, runtimes=runtimes)


def update(version: FunctionVersion, params: Params, *, runtimes: Sequence[str]) -> FunctionVersion:
    """`version` with the members of the request applied. Raises `ApiError`."""
    fields: dict[str, Any] = {
        field: params[member] for member, field in _PLAIN.items() if params.get(member) is not None
    }
    for member in ("Handler", "Description"):
        require_text(params.get(member) or "", member.lower())
    if "Runtime" in params:
        check_runtime(params["Runtime"], runtimes)
    other = dict(version.other)
    for member, feature in _NOT_OFFERED.items():
        if member in params:
            raise invalid_parameter(f"Lambent does not offer {feature} yet: leave out {member}.")
    if "EphemeralStorage" in params:
        fields["ephemeral_storage_mb"] = params["EphemeralStorage"]["Size"]
    if "Environment" in params:
        fields["environment"] = _environment(params["Environment"])
    if "LoggingConfig" in params:
        fields["logging"] = _logging(version.logging, params["LoggingConfig"])
    if "VpcConfig" in params:
        other["VpcConfig"] = _DEFAULT_VPC | params["VpcConfig"]
    if "TracingConfig" in params:
        other["TracingConfig"] = _DEFAULT_TRACING | params["TracingConfig"]
    if "SnapStart" in params:
        fields["snap_start"] = _snap_start(params["SnapStart"])
    if "DeadLetterConfig" in params:
        fields["dead_letter_target"] = _dead_letter_target(params["DeadLetterConfig"])
    if "KMSKeyArn" in params:
        _replace(other, "KMSKeyArn", params["KMSKeyArn"])
    if "FileSystemConfigs" in params:
        _replace(other, "FileSystemConfigs", params["FileSystemConfigs"])
    changed = dataclasses.replace(version, other=other, **fields)
    if changed.wants_snap_start:
        _check_snap_start(changed)
    return changed


def _snap_start(params: Params) -> SnapStart:
    snap_start = SnapStart(params.get("ApplyOn", "None"))
    here = machine.architecture()
    if snap_start.apply_on != "None" and here != _SNAP_START_MACHINE:
        raise invalid_parameter(
            f"SnapStart needs a machine with {_SNAP_START_MACHINE}, and this one has {here}. Leave"
            " SnapStart out, or set ApplyOn to None: the function then initializes in each"
            " environment."
        )
    return snap_start


def _check_snap_start(version: FunctionVersion) -> None:
    runtime = version.runtime or ""
    found = _SNAP_START_RUNTIME.fullmatch(runtime)
    if found is None or int(found[2]) < _SNAP_START_SINCE[found[1]]:
        raise invalid_parameter(f"{runtime} is not supported for SnapStart enabled functions.")
    if version.ephemeral_storage_mb > _SNAP_START_STORAGE_MB_MAX:
        raise invalid_parameter(
            f"{version.ephemeral_storage_mb} MB of ephemeral storage is not supported for SnapStart"
            f" enabled functions: it may be {_SNAP_START_STORAGE_MB_MAX} MB at most."
        )
    if "FileSystemConfigs" in version.other:
        raise invalid_parameter("EFS is not supported for SnapStart enabled functions.")


_PLAIN: Mapping[str, str] = {
    "Role": "role",
    "Runtime": "runtime",
    "Handler": "handler",
    "Description": "description",
    "Timeout": "timeout_s",
    "MemorySize": "memory_mb",
}


def _tenant_isolation(params: Params) -> str | None:
    """The tenant isolation mode; only CreateFunction sets it."""
    if "TenancyConfig" not in params:
        return None
    if params.get("SnapStart", {}).get("ApplyOn", "None") != "None":
        raise invalid_parameter("SnapStart is not supported for functions with tenancy enabled.")
    mode: str = params["TenancyConfig"]["TenantIsolationMode"]
    return mode


def architecture(params: Params, *, default: str) -> str:
    """The only element of `Architectures`."""
    chosen: Sequence[str] = params.get("Architectures") or [default]
    return chosen[0]


def require_text(value: str, path: str) -> None:
    """Refuse what files, databases and environments cannot contain: NUL and lone surrogates."""
    if "\0" in value or any("\ud800" <= letter <= "\udfff" for letter in value):
        raise ApiError(
            "ValidationException",
            f"1 validation error detected: Value at '{path}' failed to satisfy constraint: Member"
            " must be text without NUL characters and lone surrogates",
        )


def _replace(other: dict[str, Any], member: str, value: Any) -> None:
    """Set a member, or remove it if its new value is empty."""
    if value:
        other[member] = value
    else:
        other.pop(member, None)


def _environment(environment: Params) -> Mapping[str, str] | None:
    variables: Mapping[str, str] | None = environment.get("Variables")
    if variables is None:
        return None
    for name, value in variables.items():
        require_text(name, "environment.variables")
        require_text(value, f"environment.variables.{name}")
    text = json.dumps(variables, separators=(",", ":"), ensure_ascii=False)
    refused = "Lambda was unable to configure your environment variables because the environment"
    if len(text.encode()) > limits.ENVIRONMENT_SIZE_MAX:
        raise invalid_parameter(
            f"{refused} variables you have provided exceeded the 4KB limit. String measured: {text}"
        )
    reserved = [name for name in variables if name in limits.RESERVED_ENVIRONMENT_KEYS]
    if reserved:
        raise invalid_parameter(
            f"{refused} variables you have provided contains reserved keys that are currently not"
            " supported for modification. Reserved keys used in this request:"
            f" {', '.join(reserved)}"
        )
    return dict(variables)


def _logging(current: LoggingConfiguration, changes: Params) -> LoggingConfiguration:
    """JSON logging starts with both levels at INFO; text logging has none."""
    log_format = changes.get("LogFormat", current.log_format)
    log_group = changes.get("LogGroup", current.log_group)
    levels = ("ApplicationLogLevel", "SystemLogLevel")
    if log_format == "Text":
        if any(level in changes for level in levels):
            raise invalid_parameter(
                "Log level cannot be set with Text log format. Set LogFormat to JSON to use"
                " ApplicationLogLevel and SystemLogLevel."
            )
        return LoggingConfiguration(log_format="Text", log_group=log_group)
    return LoggingConfiguration(
        log_format=log_format,
        log_group=log_group,
        application_log_level=changes.get(
            "ApplicationLogLevel", current.application_log_level or "INFO"
        ),
        system_log_level=changes.get("SystemLogLevel", current.system_log_level or "INFO"),
    )


def _dead_letter_target(dead_letter: Params) -> str | None:
    target: str = dead_letter.get("TargetArn", "")
    if not target:
        return None
    arn = Arn.try_parse(target)
    if arn is None or not arn.is_in_partition_of("") or arn.service not in ("sqs", "sns"):
        raise invalid_parameter(
            f"cannot use {target} in DeadLetterConfig: the target must be an SQS queue or an SNS"
            " topic."
        )
    return target
