"""Members of CreateFunction and UpdateFunctionConfiguration: defaults, limits, words."""

import json
import os
from typing import Any

import pytest

from lambent.control import configuration
from lambent.model.errors import ApiError
from lambent.model.function import FunctionKey, FunctionVersion, SnapStart
from tests.unit.control.control_room import RUNTIMES

KEY = FunctionKey("111111111111", "us-east-1", "f")


def create(**members: Any) -> FunctionVersion:
    params = {"Role": "r", "Runtime": "python3.12", "Handler": "app.handler", **members}
    return configuration.create(KEY, params, runtimes=RUNTIMES)


def update(version: FunctionVersion, **members: Any) -> FunctionVersion:
    return configuration.update(version, members, runtimes=RUNTIMES)


def refusal(**members: Any) -> ApiError:
    with pytest.raises(ApiError) as caught:
        create(**members)
    return caught.value


def test_defaults() -> None:
    """A function's configuration without optional members."""
    plain = create()
    assert (plain.timeout_s, plain.memory_mb, plain.ephemeral_storage_mb) == (3, 128, 512)
    assert (plain.architecture, plain.description, plain.package_type) == ("x86_64", "", "Zip")
    assert (plain.logging.log_format, plain.logging.log_group) == ("Text", "/aws/lambda/f")
    assert plain.environment is None
    assert plain.other == {"TracingConfig": {"Mode": "PassThrough"}}
    assert plain.snap_start == SnapStart("None", "Off")
    assert (plain.layers, plain.dead_letter_target, plain.tenant_isolation) == ((), None, None)


def test_absent_members_stay_and_present_ones_replace() -> None:
    """An update changes what it names; maps and lists are replaced as a whole."""
    before = create(Timeout=10, MemorySize=256, Environment={"Variables": {"a1": "1", "b1": "2"}})
    after = update(before, Environment={"Variables": {"c1": "3"}}, MemorySize=512)
    assert (after.timeout_s, after.memory_mb) == (10, 512)
    assert after.environment == {"c1": "3"}
    assert update(after, Environment={"Variables": {}}).environment == {}


def test_members_that_are_only_stored() -> None:
    """VPC, dead letters, keys and file systems are echoed, and cleared by empty values."""
    queue = "arn:aws:sqs:us-east-1:111111111111:q"
    full = create(
        VpcConfig={"SubnetIds": ["subnet-1"], "SecurityGroupIds": ["sg-1"]},
        DeadLetterConfig={"TargetArn": queue},
        KMSKeyArn="arn:aws:kms:us-east-1:111111111111:key/k",
        FileSystemConfigs=[{"Arn": "a", "LocalMountPath": "/mnt/a"}],
        TracingConfig={"Mode": "Active"},
    )
    assert full.other["VpcConfig"]["SubnetIds"] == ["subnet-1"]
    assert full.dead_letter_target == queue
    assert full.other["TracingConfig"] == {"Mode": "Active"}
    cleared = update(
        full,
        VpcConfig={"SubnetIds": [], "SecurityGroupIds": []},
        DeadLetterConfig={"TargetArn": ""},
        KMSKeyArn="",
        FileSystemConfigs=[],
    )
    assert cleared.other["VpcConfig"]["SubnetIds"] == []
    assert cleared.other.keys() == {"VpcConfig", "TracingConfig"}
    assert cleared.snap_start == SnapStart()
    assert cleared.dead_letter_target is None
    assert "SQS queue" in refusal(DeadLetterConfig={"TargetArn": "arn:aws:s3:::b"}).message


def test_logging_levels_come_and_go_with_json() -> None:
    """JSON starts at INFO, keeps what is set, and text knows no levels."""
    as_json = create(LoggingConfig={"LogFormat": "JSON"})
    assert as_json.logging.application_log_level == "INFO"
    assert as_json.logging.system_log_level == "INFO"
    tuned = update(as_json, LoggingConfig={"SystemLogLevel": "WARN", "LogGroup": "/mine"})
    assert tuned.logging.log_format == "JSON"
    assert tuned.logging.application_log_level == "INFO"
    assert tuned.logging.system_log_level == "WARN"
    text = update(tuned, LoggingConfig={"LogFormat": "Text"})
    assert text.logging.application_log_level is text.logging.system_log_level is None
    assert text.logging.log_group == "/mine"
    error = refusal(LoggingConfig={"ApplicationLogLevel": "DEBUG"})
    assert error.code == "InvalidParameterValueException"


@pytest.mark.parametrize("member", ["Runtime", "Handler"])
def test_zip_functions_need_runtime_and_handler(member: str) -> None:
    """A package alone does not say how to run it."""
    assert refusal(**{member: None}).message == (
        "Runtime and Handler are mandatory parameters for functions created with deployment"
        " packages."
    )


def test_runtimes() -> None:
    """Unknown runtimes are refused in AWS's words, retired ones are welcome."""
    assert refusal(Runtime="cobol").message == (
        "Value cobol at 'runtime' failed to satisfy constraint: Member must satisfy enum value"
        f" set: [{', '.join(RUNTIMES)}] or be a valid ARN"
    )
    assert create(Runtime="python3.8").runtime == "python3.8"


def test_environment_limits() -> None:
    """4 KB as JSON, no reserved names, nothing a process cannot be given."""
    fits = {"key": "x" * (4096 - len('{"key":""}'))}
    assert create(Environment={"Variables": fits}).environment == fits
    too_much = {"key": fits["key"] + "x"}
    measured = json.dumps(too_much, separators=(",", ":"))
    assert refusal(Environment={"Variables": too_much}).message == (
        "Lambda was unable to configure your environment variables because the environment"
        " variables you have provided exceeded the 4KB limit."
        f" String measured: {measured}"
    )
    reserved = {"AWS_REGION": "x", "mine": "y", "_HANDLER": "z"}
    assert refusal(Environment={"Variables": reserved}).message == (
        "Lambda was unable to configure your environment variables because the environment"
        " variables you have provided contains reserved keys that are currently not supported for"
        " modification. Reserved keys used in this request: AWS_REGION, _HANDLER"
    )
    for hostile in ("a\0b", "\ud800"):
        error = refusal(Environment={"Variables": {"key": hostile}})
        assert error.code == "ValidationException"


def test_images_are_refused() -> None:
    """Container images are not supported, and the message says so."""
    assert "container images are not supported" in refusal(PackageType="Image").message
    assert "ImageConfig" in refusal(ImageConfig={}).message


def test_snap_start_is_refused_where_processes_cannot_be_captured(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With the reason and the cure. A version that has it already can still be changed."""
    has_it = create(SnapStart={"ApplyOn": "PublishedVersions"})
    uname = os.uname()
    monkeypatch.setattr(os, "uname", lambda: os.uname_result((*uname[:4], "aarch64")))
    refused = refusal(SnapStart={"ApplyOn": "PublishedVersions"})
    assert refused.code == "InvalidParameterValueException"
    assert "x86_64" in refused.message
    assert "arm64" in refused.message
    assert create(SnapStart={"ApplyOn": "None"}).snap_start == SnapStart("None", "Off")
    assert update(has_it, Description="moved").wants_snap_start
    assert not update(has_it, SnapStart={"ApplyOn": "None"}).wants_snap_start
