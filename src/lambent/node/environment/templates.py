"""Which functions start from a prewarmed template, and from which one.

A function is executed instead if it has a wrapper script, or variables that only have an effect
when a program is executed. `LAMBENT_START_MODE=exec` in its configuration does the same, for users
who want an unshared address space and hash seed, or AWS's runtime client unchanged.
"""

from lambent.model.debugging import DebuggedVersion
from lambent.model.function import FunctionVersion
from lambent.node.environment.variables import template_variables
from lambent.node.languages.launch import LaunchSpec
from lambent.sandbox.ports import Template

START_MODE_VARIABLE = "LAMBENT_START_MODE"
_AT_EXECUTION = ("LD_", "LC_", "LANG", "MALLOC_", "GLIBC_", "OPENSSL_", "PYTHON", "NODE_", "UV_")
"""Beginnings of variables that a program or its libraries read when they are loaded."""
_ANY_TIME = ("PYTHONPATH", "NODE_ENV", "NODE_PATH", "NODE_TLS_REJECT_UNAUTHORIZED")


def find_template(function: FunctionVersion, launch: LaunchSpec) -> Template | None:
    """The template of the function's environments; None if they have to be executed.

    Accounts do not share templates: the children of one zygote know each other's address space.
    """
    variables = function.environment or {}
    if isinstance(function, DebuggedVersion):
        return None  # Its debugger starts with it.
    if not launch.waiting_argv or variables.get(START_MODE_VARIABLE) == "exec":
        return None
    if any(name.startswith(_AT_EXECUTION) and name not in _ANY_TIME for name in variables):
        return None
    kind = f"{function.runtime}:{function.key.account}"
    return Template(
        name=kind if launch.forks else f"{kind}:{function.memory_mb}",
        argv=launch.waiting_argv,
        environment=template_variables(function, launch),
        mounts=launch.runtime_mounts,
        forks=launch.forks,
    )
