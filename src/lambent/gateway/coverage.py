"""Prints docs/reference/api-coverage.md: every operation of the models, whether it is offered, and
which of its members do nothing yet.

Written from the models and from the services' definitions. Tests fail when the page is not current,
when a member that should be refused is not, or when one that should be stored cannot be read again.
"""

from collections.abc import Iterator, Mapping, Sequence

from lambent.gateway.definitions import AnyService
from lambent.gateway.models import load_model
from lambent.gateway.registry import SERVICES
from lambent.model.hooks.kinds import KINDS

_OF_CREATION = ("UpdateFunctionConfiguration", "CreateFunction")

_INTRODUCTION = """\
# API coverage

Written by `make docs` from the code; do not edit.

Requests of every operation are routed, parsed and validated by AWS's own service model. An
operation that is not offered yet returns an error that says so. Of those
that are offered, members that are *stored only* are stored and shown and have no effect yet.
Members that are *refused* cause an error. All others work.

[Permissions](permissions.md) says what each operation needs.
[Callers](../callers/README.md) lists the services that call functions.
"""


def offered() -> dict[str, frozenset[str]]:
    """Names of the operations that are served, by service."""
    return {service.name: service.offered for service in SERVICES}


def members_of(table: Mapping[str, Sequence[str]], operation: str) -> Sequence[str]:
    """What a table says of an operation of Lambda. UpdateFunctionConfiguration has what the table
    says of CreateFunction, as far as it has the members."""
    found = table.get(operation)
    if found is None and operation == _OF_CREATION[0]:
        known = load_model("lambda").operation_model(operation).input_shape.members
        found = [member for member in table[_OF_CREATION[1]] if member in known]
    return found or ()


def render() -> str:
    """The page."""
    sections = (line for each in SERVICES for line in _section(each))
    return "\n".join([_INTRODUCTION, *sections, *_hooks()])


def _hooks() -> Iterator[str]:
    yield f"## Hooks: {len(KINDS)} kinds\n"
    yield "No service of AWS: [hooks](../hooks.md) says what they do.\n"
    yield "| kind | secret | event bus | the caller waits | options | calls as |"
    yield "|---|---|---|---|---|---|"
    for name, kind in KINDS.items():
        bus = "yes" if kind.goes_to_bus else "no"
        options = ", ".join(sorted(kind.options))
        cells = (name, kind.secret, bus, kind.synchronous, options, kind.principal)
        yield f"| {' | '.join(cells)} |"
    yield ""


def _section(service: AnyService) -> Iterator[str]:
    served, coverage = service.offered, service.coverage
    names = sorted(service.model.operation_names)
    title = service.model.metadata["serviceFullName"]
    yield f"## {title}: {len(served)} of {len(names)} operations\n"
    if coverage.note:
        yield f"{coverage.note}\n"
    if not coverage.is_listed:
        yield ", ".join(sorted(served)) + ".\n"
        return
    yield "| operation | offered | stored only | refused |\n|---|---|---|---|"
    for name in names:
        stored = ", ".join(members_of(coverage.stored, name))
        refused = ", ".join(members_of(coverage.refused, name))
        yield f"| {name} | {'yes' if name in served else 'not yet'} | {stored} | {refused} |"
    yield ""


if __name__ == "__main__":
    print(render(), end="")
