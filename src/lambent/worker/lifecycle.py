"""The life of an execution environment, as a table.

`LEGAL` is the only truth about which state may follow which; the environment checks every
step against it, and the diagram in docs/environment-lifecycle.md is drawn from it.

- `CREATING`: it waits for its turn to have its box built.
- `INITIALIZING`: its box is built; extensions start, then the runtime, which loads the function.
- `IDLE`: runtime and extensions wait for an event; their processes may run for a short grace.
- `FROZEN`: idle, and every process is stopped.
- `BUSY`: an invocation is assigned.
- `STOPPING`: extensions are told that the end is near, and have a little time.
- `RESET`: nothing lives here (init failed, crash, time-out); `/tmp` is kept, and the next
  invocation begins with an init of its own.
- `GONE`: everything was given back.
"""

import enum


class State(enum.IntEnum):
    """Where in its life an environment is. Integers, because the warm path looks them up."""

    CREATING = enum.auto()
    INITIALIZING = enum.auto()
    IDLE = enum.auto()
    FROZEN = enum.auto()
    BUSY = enum.auto()
    STOPPING = enum.auto()
    RESET = enum.auto()
    GONE = enum.auto()


LEGAL: dict[State, frozenset[State]] = {
    State.CREATING: frozenset({State.INITIALIZING, State.GONE}),
    State.INITIALIZING: frozenset({State.IDLE, State.STOPPING, State.RESET, State.GONE}),
    State.IDLE: frozenset({State.FROZEN, State.BUSY, State.STOPPING, State.RESET, State.GONE}),
    State.FROZEN: frozenset({State.BUSY, State.STOPPING, State.RESET, State.GONE}),
    State.BUSY: frozenset({State.IDLE, State.STOPPING, State.RESET, State.GONE}),
    State.STOPPING: frozenset({State.RESET, State.GONE}),
    State.RESET: frozenset({State.BUSY, State.GONE}),
    State.GONE: frozenset(),
}


def mermaid() -> str:
    """The table as a Mermaid state diagram, for the documentation."""
    lines = ["stateDiagram-v2", f"    [*] --> {State.CREATING.name.lower()}"]
    for state in State:
        lines += [
            f"    {state.name.lower()} --> {following.name.lower()}"
            for following in State
            if following in LEGAL[state]
        ]
    lines.append(f"    {State.GONE.name.lower()} --> [*]")
    return "\n".join(lines)
