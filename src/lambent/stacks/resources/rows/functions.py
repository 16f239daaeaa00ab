"""AWS Lambda: functions."""

import io
import zipfile
from typing import Any

from lambent.model.errors import ApiError
from lambent.stacks.resources.resource_type import Properties, Step
from lambent.stacks.resources.row_type import Name, Part, Retag, Row, Wait, only, op

_SOURCE_BYTES_MAX = 4 * 1024 * 1024
_TIME = (1980, 1, 1, 0, 0, 0)
"""Of every entry, so that the same source is the same package."""


def _source_package(text: Any, runtime: str) -> bytes:
    """The package of a source text. The modules that report results of custom resources need not be
    in it: every function here can import them. Raises `ApiError`."""
    if not isinstance(text, str) or len(text.encode()) > _SOURCE_BYTES_MAX:
        raise ApiError("ValidationError", "Code.ZipFile is a source text of at most 4 MB.")
    if runtime.startswith("python"):
        name = "index.py"
    elif runtime.startswith("nodejs"):
        name = "index.js"
    else:
        message = "ZipFile can only be used when Runtime is set to either of nodejs*, python*."
        raise ApiError("ValidationError", message)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as package:
        entry = zipfile.ZipInfo(name, _TIME)
        entry.external_attr = 0o644 << 16
        package.writestr(entry, text)
    return packed.getvalue()


def _prepare(properties: Properties, _step: Step) -> dict[str, Any]:
    """The source text becomes a package; what UpdateFunctionCode takes stands beside."""
    made = dict(properties)
    code = dict(properties.get("Code") or {})
    if "ZipFile" in code:
        code["ZipFile"] = _source_package(code["ZipFile"], str(properties.get("Runtime", "")))
    made["Code"] = code
    return made


FUNCTION = Row(
    name="AWS::Lambda::Function",
    service="lambda",
    named=Name("FunctionName", 64),
    create=op("CreateFunction"),
    physical="{FunctionName}",
    keys={"FunctionName": "{$id}"},
    read=only("GetFunction"),
    update=(
        op(
            "UpdateFunctionCode",
            ZipFile="{Code.ZipFile}",
            S3Bucket="{Code.S3Bucket}",
            S3Key="{Code.S3Key}",
            S3ObjectVersion="{Code.S3ObjectVersion}",
            ImageUri="{Code.ImageUri}",
            SourceKMSKeyArn="{Code.SourceKMSKeyArn}",
        ),
        op("UpdateFunctionConfiguration"),
    ),
    delete=only("DeleteFunction"),
    prepare=_prepare,
    attributes={"Arn": "{.Configuration.FunctionArn}"},
    tags="Tags",
    retag=Retag("TagResource", "UntagResource", {"Resource": "{@Arn}"}),
    wait=Wait(
        {
            "Configuration.State": ("Active", "Inactive"),
            "Configuration.LastUpdateStatus": ("Successful",),
        },
        failed=("Failed",),
        reason="Configuration.StateReason",
    ),
    parts=(
        Part(
            of=("ReservedConcurrentExecutions",),
            put=only(
                "PutFunctionConcurrency",
                ReservedConcurrentExecutions="{ReservedConcurrentExecutions}",
            ),
            remove=only("DeleteFunctionConcurrency"),
        ),
        Part(
            of=("CodeSigningConfigArn",),
            on_create=False,
            put=only("PutFunctionCodeSigningConfig", CodeSigningConfigArn="{CodeSigningConfigArn}"),
            remove=only("DeleteFunctionCodeSigningConfig"),
        ),
        Part(
            of=("RecursiveLoop",),
            put=only("PutFunctionRecursionConfig", RecursiveLoop="{RecursiveLoop}"),
            remove=only("PutFunctionRecursionConfig", RecursiveLoop="Terminate"),
        ),
        Part(
            of=("RuntimeManagementConfig",),
            put=only(
                "PutRuntimeManagementConfig",
                UpdateRuntimeOn="{RuntimeManagementConfig.UpdateRuntimeOn}",
                RuntimeVersionArn="{RuntimeManagementConfig.RuntimeVersionArn}",
            ),
            remove=only("PutRuntimeManagementConfig", UpdateRuntimeOn="Auto"),
        ),
    ),
    defaults={
        "Description": "",
        "DeadLetterConfig": {"TargetArn": ""},
        "Environment": {"Variables": {}},
        "EphemeralStorage": {"Size": 512},
        "FileSystemConfigs": [],
        "KmsKeyArn": "",
        "Layers": [],
        "MemorySize": 128,
        "SnapStart": {"ApplyOn": "None"},
        "Timeout": 3,
        "TracingConfig": {"Mode": "PassThrough"},
        "VpcConfig": {"SubnetIds": [], "SecurityGroupIds": []},
    },
    renamed={"KmsKeyArn": "KMSKeyArn"},
    note="`Code.ZipFile` is a source text, of Python and Node.js.",
)

ROWS = (FUNCTION,)
