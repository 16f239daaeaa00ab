"""Prints docs/reference/api-coverage.md: every operation of the models, whether it is offered, and
which of its members do nothing yet.

Written from the models, from what the operations modules offer and from the two tables below; tests
fail when the page is not current, when a member that should be refused is not, or when one that
should be stored cannot be read again.
"""

from collections.abc import Iterator, Mapping, Sequence

from lambent.gateway.operations import control_plane, iam, logs, sts
from lambent.gateway.protocol.models import load_model

STORED: Mapping[str, Sequence[str]] = {
    "CreateFunction": (
        "FileSystemConfigs",
        "KMSKeyArn",
        "TracingConfig",
        "VpcConfig",
    ),
    "CreateEventSourceMapping": ("KMSKeyArn", "LoggingConfig"),
    "UpdateEventSourceMapping": ("KMSKeyArn", "LoggingConfig"),
    "PutRuntimeManagementConfig": ("all",),
}
"""Members that are kept and shown, and have no effect yet."""

REFUSED: Mapping[str, Sequence[str]] = {
    "CreateFunction": (
        "AcceleratorConfig",
        "CapacityProviderConfig",
        "Code.ImageUri",
        "Code.S3ObjectStorageMode",
        "Code.SourceKMSKeyArn",
        "DurableConfig",
        "ImageConfig",
        "PublishTo",
        "RuntimeConfig",
    ),
    "UpdateFunctionCode": (
        "ImageUri",
        "PublishTo",
        "S3ObjectStorageMode",
        "SourceKMSKeyArn",
    ),
    "PublishVersion": ("PublishTo",),
    "Invoke": ("DurableExecutionName",),
    "PutFunctionScalingConfig": ("all",),
    "CreateEventSourceMapping": (
        "AmazonManagedKafkaEventSourceConfig.SchemaRegistryConfig",
        "DocumentDBEventSourceConfig",
        "SelfManagedKafkaEventSourceConfig.SchemaRegistryConfig",
    ),
}
"""Members that are answered with an error that says why."""

_OF_CREATION = ("UpdateFunctionConfiguration", "CreateFunction")

_INTRODUCTION = """\
# API coverage

Written by `make docs` from the code; do not edit.

Requests of every operation are routed, parsed and validated by AWS's own service model. An
operation that is not offered yet answers `InvalidParameterValueException` and says so. Of those
that are offered, members that are *stored only* are kept and shown and have no effect yet, members
that are *refused* are answered with an error; all others work.

CloudWatch Logs is the reading half only; IAM and STS are what decides about this platform: users
and roles with inline policies and tags, their keys and sessions. Permissions boundaries are
refused; so are, in strict mode, session policies, session tags, source identities and codes of
multi-factor authentication. [Permissions](permissions.md) says what each operation needs.
"""


def offered() -> dict[str, frozenset[str]]:
    """Names of the operations that are served, by service."""
    # The modules only close over what they are given; nothing is called here.
    nothing: object = None
    return {
        "lambda": frozenset({"Invoke", "InvokeAsync", "InvokeWithResponseStream"}).union(
            control_plane.operations(nothing, nothing, "")  # type: ignore[arg-type]
        ),
        "logs": frozenset(logs.operations(nothing)),  # type: ignore[arg-type]
        "sts": frozenset(sts.operations(nothing, nothing, is_strict=False)),  # type: ignore[arg-type]
        "iam": frozenset(iam.operations(nothing)),  # type: ignore[arg-type]
    }


def members_of(table: Mapping[str, Sequence[str]], operation: str) -> Sequence[str]:
    """What a table says of an operation. What is so when a function is created is so when it is
    changed, as far as it can be."""
    found = table.get(operation)
    if found is None and operation == _OF_CREATION[0]:
        known = load_model("lambda").operation_model(operation).input_shape.members
        found = [one for one in table[_OF_CREATION[1]] if one in known]
    return found or ()


def render() -> str:
    """The page."""
    return "\n".join([_INTRODUCTION, *_sections()])


def _sections() -> Iterator[str]:
    for service, served in offered().items():
        model = load_model(service)
        names = sorted(model.operation_names)
        yield f"## {model.metadata['serviceFullName']}: {len(served)} of {len(names)} operations\n"
        if service != "lambda":
            yield ", ".join(sorted(served)) + ".\n"
            continue
        yield "| operation | offered | stored only | refused |\n|---|---|---|---|"
        for name in names:
            stored, refused = (", ".join(members_of(one, name)) for one in (STORED, REFUSED))
            yield f"| {name} | {'yes' if name in served else 'not yet'} | {stored} | {refused} |"
        yield ""


if __name__ == "__main__":
    print(render(), end="")
