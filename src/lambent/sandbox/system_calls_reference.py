"""Prints docs/reference/system-calls.md: every system call that processes in a box may make.

It is written from the tables and conditions of the filter itself; a test fails when the page is not
current.
"""

from collections.abc import Iterator

from lambent.sandbox.launcher.seccomp import describe

_ARCHITECTURES = {"x86_64": "x86-64", "aarch64": "arm64"}
_INTRODUCTION = """\
# System calls

Written by `make docs` from the code; do not edit.

What runs in a box may make these system calls of the Linux kernel and no others. The filter is
installed before any code of a function runs and cannot be taken off again. A call that is not in
the list answers EPERM; one that is newer than the list ENOSYS, so that programs which try it fall
back. A process that makes calls by another architecture's convention (`int 0x80`) is killed.

That a call is allowed says that it may be made, not what it may do: functions have no capability,
one user and namespaces of their own. See [security](../security.md).
"""


def render() -> str:
    """Render the page."""
    return "\n".join([_INTRODUCTION, *_lines()])


def _lines() -> Iterator[str]:
    described = {machine: describe(machine) for machine in _ARCHITECTURES}
    names = sorted(set().union(*described.values()))
    yield f"| system call | {' | '.join(_ARCHITECTURES.values())} | condition |"
    yield "|---|---|---|---|"
    for name in names:
        conditions = [described[machine].get(name) for machine in _ARCHITECTURES]
        marks = " | ".join(map(_mark, conditions))
        yield f"| `{name}` | {marks} | {next(filter(None, conditions), '')} |"
    yield ""


def _mark(condition: str | None) -> str:
    if condition is None:
        return "–"
    return "no" if condition.startswith("never") else "yes"


if __name__ == "__main__":
    print(render(), end="")
