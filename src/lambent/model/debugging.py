"""A function's version as one call runs it under a debugger."""

import dataclasses
import uuid

from lambent.model.function import AttachedLayer, FunctionVersion, SnapStart

SESSION_S_MAX = 3600
"""Seconds until a debugged call is ended: the function's timeout does not count."""
DEBUGGER_PORTS = {"python": 5678, "nodejs": 9229}
"""The ports at which debuggers listen inside a box, by the beginning of the runtime's name."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class DebuggedVersion(FunctionVersion):
    """Has a configuration of its own, so no other call gets its environment."""

    debug_port: int
    """The port of the host's loopback that leads to the debugger."""

    @property
    def debugger_port(self) -> int:
        """The port at which the debugger listens inside the box."""
        return next(
            port for name, port in DEBUGGER_PORTS.items() if str(self.runtime).startswith(name)
        )


def can_debug(version: FunctionVersion) -> bool:
    """Whether there is a debugger for the version's runtime."""
    return str(version.runtime).startswith(tuple(DEBUGGER_PORTS))


def debugged(
    version: FunctionVersion, debug_port: int, layers: tuple[AttachedLayer, ...]
) -> DebuggedVersion:
    """The version for one call. `layers` have the debugger, if the runtime does not."""
    fields = {
        field.name: getattr(version, field.name)
        for field in dataclasses.fields(version)
        if field.init
    }
    return DebuggedVersion(
        **{
            **fields,
            "configuration_id": f"debug-{uuid.uuid4()}",
            "timeout_s": SESSION_S_MAX,
            "snap_start": SnapStart(),
            "layers": (*version.layers, *layers),
        },
        debug_port=debug_port,
    )
