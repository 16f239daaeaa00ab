"""The life of an execution environment, as a table.

`TRANSITIONS` is the only truth about which state may follow which. The environment checks every
step against it, and the diagram in docs/environment-lifecycle.md is drawn from it.

- `CREATING`: it waits for its turn to have its box built.
- `INITIALIZING`: its box is built; extensions start, then the runtime, which loads the function.
- `IDLE`: runtime and extensions wait for an event; their processes may run for a short grace.
- `FROZEN`: idle, and every process is stopped.
- `BUSY`: an invocation is assigned.
- `STOPPING`: extensions are notified of the end and have a little time.
- `RESET`: no process is left (init failed, crash, timeout). `/tmp` is kept; the next invocation
  begins with an init of its own.
- `GONE`: everything has been given back.
"""

import enum


class EnvironmentState(enum.IntEnum):
    """Where in its life an environment is. Integers, because the warm path looks them up."""

    CREATING = enum.auto()
    INITIALIZING = enum.auto()
    IDLE = enum.auto()
    FROZEN = enum.auto()
    BUSY = enum.auto()
    STOPPING = enum.auto()
    RESET = enum.auto()
    GONE = enum.auto()


class IllegalTransition(Exception):
    """A step that is not in the table: the platform has a bug. It ends this environment only."""


_S = EnvironmentState
TRANSITIONS: dict[EnvironmentState, frozenset[EnvironmentState]] = {
    _S.CREATING: frozenset({_S.INITIALIZING, _S.GONE}),
    _S.INITIALIZING: frozenset({_S.IDLE, _S.STOPPING, _S.RESET, _S.GONE}),
    _S.IDLE: frozenset({_S.FROZEN, _S.BUSY, _S.STOPPING, _S.RESET, _S.GONE}),
    _S.FROZEN: frozenset({_S.BUSY, _S.STOPPING, _S.RESET, _S.GONE}),
    _S.BUSY: frozenset({_S.IDLE, _S.STOPPING, _S.RESET, _S.GONE}),
    _S.STOPPING: frozenset({_S.RESET, _S.GONE}),
    _S.RESET: frozenset({_S.BUSY, _S.GONE}),
    _S.GONE: frozenset(),
}


def mermaid() -> str:
    """The table as a Mermaid state diagram, for the documentation."""
    lines = ["stateDiagram-v2", f"    [*] --> {_S.CREATING.name.lower()}"]
    for state in _S:
        lines += [
            f"    {state.name.lower()} --> {following.name.lower()}"
            for following in _S
            if following in TRANSITIONS[state]
        ]
    lines.append(f"    {_S.GONE.name.lower()} --> [*]")
    return "\n".join(lines)
