"""How functions look in responses: from the platform's values to the API's members."""

import hashlib
from collections.abc import Mapping
from typing import Any

from lambent.control.account import AccountSettings
from lambent.model.function import FunctionVersion, LoggingConfiguration
from lambent.model.times import iso_milliseconds


def function_configuration(
    version: FunctionVersion, *, arn: str, is_listed: bool = False
) -> dict[str, Any]:
    """`FunctionConfiguration`, shown under `arn`; lists leave out states and runtime version."""
    shown: dict[str, Any] = {
        "FunctionName": version.key.name,
        "FunctionArn": arn,
        "Runtime": version.runtime,
        "Role": version.role,
        "Handler": version.handler,
        "CodeSize": version.code_size,
        "Description": version.description,
        "Timeout": version.timeout_s,
        "MemorySize": version.memory_mb,
        "LastModified": iso_milliseconds(version.last_modified_ms),
        "CodeSha256": version.code_sha256,
        "Version": version.version,
        "Environment": _environment(version.environment),
        "SnapStart": {
            "ApplyOn": version.snap_start.apply_on,
            "OptimizationStatus": version.snap_start.optimization_status,
        },
        "Layers": [{"Arn": layer.arn, "CodeSize": layer.code_size} for layer in version.layers]
        or None,
        "DeadLetterConfig": _member("TargetArn", version.dead_letter_target),
        "TenancyConfig": _member("TenantIsolationMode", version.tenant_isolation),
        **version.other,
        "RevisionId": version.revision_id,
        "PackageType": version.package_type,
        "Architectures": [version.architecture],
        "EphemeralStorage": {"Size": version.ephemeral_storage_mb},
        "LoggingConfig": _logging(version.logging),
    }
    if not is_listed:
        shown |= {
            "State": version.state,
            "StateReason": version.state_reason,
            "StateReasonCode": version.state_reason_code,
            "LastUpdateStatus": version.last_update_status,
            "LastUpdateStatusReason": version.last_update_status_reason,
            "LastUpdateStatusReasonCode": version.last_update_status_reason_code,
            "RuntimeVersionConfig": {"RuntimeVersionArn": _runtime_version_arn(version)},
        }
    return _without_none(shown)


def account_settings(account: AccountSettings) -> dict[str, Any]:
    """The output of GetAccountSettings."""
    return {
        "AccountLimit": {
            "TotalCodeSize": account.total_code_size_max,
            "CodeSizeUnzipped": account.code_size_unzipped_max,
            "CodeSizeZipped": account.code_size_zipped_max,
            "ConcurrentExecutions": account.concurrent_executions,
            "UnreservedConcurrentExecutions": account.unreserved_concurrent_executions,
        },
        "AccountUsage": {
            "TotalCodeSize": account.total_code_size,
            "FunctionCount": account.function_count,
        },
    }


def qualified_arn(version: FunctionVersion) -> str:
    """The ARN with the version, `$LATEST` too."""
    return f"{version.key.arn}:{version.version}"


def _without_none(members: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not None}


def _member(name: str, value: str | None) -> Mapping[str, str] | None:
    return None if value is None else {name: value}


def _environment(variables: Mapping[str, str] | None) -> Mapping[str, Any] | None:
    return None if variables is None else {"Variables": variables}


def _logging(logging: LoggingConfiguration) -> Mapping[str, Any]:
    return _without_none(
        {
            "LogFormat": logging.log_format,
            "ApplicationLogLevel": logging.application_log_level,
            "SystemLogLevel": logging.system_log_level,
            "LogGroup": logging.log_group,
        }
    )


def _runtime_version_arn(version: FunctionVersion) -> str:
    digest = hashlib.sha256(str(version.runtime).encode()).hexdigest()
    return f"arn:aws:lambda:{version.key.region}::runtime:{digest}"
