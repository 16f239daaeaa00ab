"""Prints docs/reference/resource-types.md: the types of resources that stacks can have.

Written from the rows. A test fails when the page is not current.
"""

from collections.abc import Iterable, Iterator

from lambent.stacks.resources.facts import facts_of
from lambent.stacks.resources.registry import ROWS
from lambent.stacks.resources.row_type import Row
from lambent.stacks.resources.schema import replacing_paths, settable_of, unoffered

_INTRODUCTION = """\
# Types of resources

Written by `make docs` from the code; do not edit. [Stacks](../designs/0042-stacks.md) explains how
they are made.

A stack makes its resources through the APIs of their services. [API coverage](api-coverage.md) says
what those of the platform itself offer; an operation or a member that they do not offer makes a
resource fail, with the error of the API. Other services need an emulator (`lambent up --services`)
or a server that the settings name.

`AWS::CloudFormation::…` and `Custom::…` are types, too. A template with another type is refused
before anything is made. So is a property that is *not offered*. A change of a property under
*replaces* makes another resource and deletes the old one.
"""


def render() -> str:
    """The page."""
    return "\n".join([_INTRODUCTION, *_services()])


def _services() -> Iterator[str]:
    names: dict[str, list[str]] = {}
    for name in sorted(ROWS):
        names.setdefault("::".join(name.split("::")[:2]), []).append(name)
    for service, types in names.items():
        yield f"## {service}\n"
        yield "| type | attributes | replaces | not offered | notes |\n|---|---|---|---|---|"
        yield from (_line(ROWS[name]) for name in types)
        yield ""


def _line(row: Row) -> str:
    settable = settable_of(facts_of(row.name))
    replacing = {path for path in replacing_paths(row) if path.partition(".")[0] in settable}
    attributes = {*row.attributes, *row.created}
    cells = (attributes, replacing - unoffered(row), unoffered(row))
    return f"| {row.name} | {' | '.join(map(_listed, cells))} | {row.note} |"


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in sorted(names))


if __name__ == "__main__":
    print(render(), end="")
