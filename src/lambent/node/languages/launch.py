"""How a function's runtime starts in a box, and what the box shows where."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path

from lambent.sandbox.ports import Mount

LOG_PIPE_VARIABLE = "_LAMBDA_TELEMETRY_LOG_FD"
TASK_ROOT = "/var/task"
RUNTIME_DIR = "/var/runtime"
TRUSTED_BUNDLE = "/etc/ssl/lambent/bundle.pem"
"""All certificates that a box trusts."""
OWN_CERTIFICATE = "/etc/ssl/lambent/boxes.pem"
"""That of the platform's own authority among them."""
LAYERS_ROOT = "/opt"
EXTENSIONS_DIR = f"{LAYERS_ROOT}/extensions"
LANGUAGE_DIR = Path("/var/lang")
_HOST_PROGRAMS = Path("/usr")
"""Every box shows the host's /usr; interpreters outside it are shown at `/var/lang`."""
OF_A_SHELL: Mapping[str, str] = {"PWD": TASK_ROOT, "SHLVL": "0"}
"""In AWS a script starts the runtimes of all languages but Java, and leaves these variables."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class LaunchSpec:
    """How to start one function's runtime in a box."""

    mounts: tuple[Mount, ...]
    """The function's own part."""
    argv: tuple[str, ...]
    runtime_mounts: tuple[Mount, ...] = ()
    """What all functions of the runtime see."""
    environment: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """Variables for this runtime; the function's own configuration overrides them."""
    log_pipe_variable: str | None = None
    waiting_argv: tuple[str, ...] = ()
    """The same runtime, started without a function to wait for one; empty if that is not
    possible."""
    compiler_argv: tuple[str, ...] = ()
    """The program that compiles the function's modules."""
    bytecode: Path | None = None
    """Where compiled modules are stored; None for runtimes that have none."""
    forks: bool = False
    """Whether `waiting_argv` starts a zygote."""
    extensions: tuple[str, ...] = ()
    """Names of the programs in `/opt/extensions`, which start before the runtime."""
    missing_entrypoint: bool = False
    """An OS-only function without an executable `bootstrap`: there is nothing to start."""


def is_in_box(prefix: Path) -> bool:
    """Whether boxes show every installation under its path on the host."""
    return prefix.is_relative_to(_HOST_PROGRAMS)


def shown_prefix(prefix: Path) -> Path:
    """The path of an installation in a box."""
    return prefix if is_in_box(prefix) else LANGUAGE_DIR


def shown_program(executable: Path, prefix: Path) -> str:
    """The path of an installation's program in a box."""
    return str(shown_prefix(prefix) / executable.relative_to(prefix))


def runtime_mounts(directory: Path, prefix: Path) -> tuple[Mount, ...]:
    """What was prepared for an interpreter, and the interpreter unless it is in /usr."""
    runtime = Mount(source=str(directory), target=RUNTIME_DIR)
    if is_in_box(prefix):
        return (runtime,)
    return (runtime, Mount(source=str(prefix), target=str(LANGUAGE_DIR)))
