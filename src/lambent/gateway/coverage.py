"""Prints docs/reference/api-coverage.md: every operation of the models, and whether it is offered.

Written from the models and from what the operations modules offer, so that it cannot say more
than is true; a test fails when the page is not current.
"""

from collections.abc import Iterator

from lambent.gateway.operations import control_plane, iam, logs, sts
from lambent.gateway.protocol.models import load_model

_INTRODUCTION = """\
# API coverage

Written by `make docs` from the code; do not edit.

Requests of every operation are routed, parsed and validated by AWS's own service model. An
operation that is not offered yet answers `InvalidParameterValueException` and says so.

What offered operations do not do yet: container images (`ImageUri`), layers, aliases,
`InvocationType=Event`, tenant isolation and durable executions are refused. Tracing, VPC,
dead-letter, file system and SnapStart configurations are stored and shown, and have no effect.
CloudWatch Logs is the reading half only.
"""


def offered() -> dict[str, frozenset[str]]:
    """Names of the operations that are served, by service."""
    # The modules only close over what they are given; nothing is called here.
    nothing: object = None
    return {
        "lambda": frozenset({"Invoke"}).union(
            control_plane.operations(nothing, nothing, "")  # type: ignore[arg-type]
        ),
        "logs": frozenset(logs.operations(nothing)),  # type: ignore[arg-type]
        "sts": frozenset(sts.operations(nothing, nothing, is_strict=False)),  # type: ignore[arg-type]
        "iam": frozenset(iam.operations(nothing)),  # type: ignore[arg-type]
    }


def render() -> str:
    """The page."""
    return "\n".join([_INTRODUCTION, *_sections()])


def _sections() -> Iterator[str]:
    for service, served in offered().items():
        model = load_model(service)
        names = sorted(model.operation_names)
        yield f"## {model.metadata['serviceFullName']}: {len(served)} of {len(names)} operations\n"
        yield "| operation | offered |\n|---|---|"
        for name in names if service == "lambda" else sorted(served):
            yield f"| {name} | {'yes' if name in served else 'not yet'} |"
        yield ""


if __name__ == "__main__":
    print(render(), end="")
