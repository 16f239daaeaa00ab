"""Determines which isolation this host allows.

Nothing is assumed from names and versions: each requirement is tried, under a separate name, and
undone.
"""

import dataclasses
import os
import subprocess
import sys
from pathlib import Path

import lambent
from lambent.sandbox import scopes, users
from lambent.sandbox.launcher import cgroup_tree, landlock
from lambent.sandbox.ports import SandboxError

TIERS = ("root", "root-no-cgroups", "rootless", "process")
"""Strongest first."""

_TRY_NAMESPACES = (
    "import sys; sys.path.insert(0, sys.argv.pop(1)); "
    "from lambent.sandbox.launcher.probe import main; main()"
)
_OF_CONTAINERS = (
    "a container has to be started with --privileged, or with --cap-add SYS_ADMIN and with"
    " --security-opt seccomp=unconfined, apparmor=unconfined and systempaths=unconfined"
)

UNKNOWN_CALL = "Function not implemented"
"""In the text of an error: the kernel does not have a system call."""
NEWER_KERNEL = (
    "use Linux 5.15 or newer (docs/kernel-features.md says which call came with which version), or"
    " a container runtime whose seccomp profile knows the call"
)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One requirement of isolation, and whether it is met."""

    name: str
    is_there: bool
    found: str
    fix: str = ""
    """How to meet it; empty if it is met."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Isolation:
    """The isolation that this host allows."""

    tier: str
    """The strongest of `TIERS` that works here; `process` works everywhere."""
    findings: tuple[Finding, ...]


def detect() -> Isolation:
    """Examine this host, as the user who runs this process."""
    is_root = users.is_root() and users.has_capability(users.CAP_SYS_ADMIN)
    findings = [
        Finding(
            name="privileges",
            is_there=is_root,
            found="root" if is_root else f"user {os.geteuid()}",
            fix=""
            if is_root
            else "run as root (sudo lambent up) for cgroups, disks for /tmp and "
            "a user per environment",
        )
    ]
    refusal = _try_namespaces("root" if is_root else "rootless")
    findings.append(
        Finding(
            name="namespaces",
            is_there=refusal is None,
            found="available" if refusal is None else f"refused: {refusal}",
            fix="" if refusal is None else _namespace_hint(refusal),
        )
    )
    limits, finding = _find_limits()
    has_cgroups = {"memory", "pids"} <= {*limits}
    findings.append(finding)
    findings.append(_look_for_landlock())
    if refusal is not None:
        tier = "process"
    elif is_root:
        tier = "root" if has_cgroups else "root-no-cgroups"
    else:
        tier = "rootless"
    return Isolation(tier=tier, findings=tuple(findings))


def choose(wanted: str, isolation: Isolation) -> str:
    """Choose the tier on a host that was examined. `wanted` is `auto` or one of `TIERS`. Raises
    `SandboxError` if the host does not allow it."""
    if wanted != "auto" and wanted not in TIERS:
        raise SandboxError(f"cannot use isolation {wanted!r}: choose auto or one of {TIERS}")
    missing = "; ".join(
        f"{finding.name}: {finding.fix}" for finding in isolation.findings if finding.fix
    )
    if wanted == "auto":
        return isolation.tier
    # Root can use every tier; a user without root only the weakest ones.
    if TIERS.index(wanted) < TIERS.index(isolation.tier):
        raise SandboxError(f"cannot give isolation {wanted!r} here. {missing}")
    return wanted


def _try_namespaces(how: str) -> str | None:
    """Return why namespaces cannot be used as in the tier `how`, root or rootless; None if they
    can."""
    source = str(Path(lambent.__file__).parent.parent)
    command = [sys.executable, "-I", "-S", "-c", _TRY_NAMESPACES, source, how]
    done = subprocess.run(command, capture_output=True, timeout=20, text=True, check=False)
    return None if done.returncode == 0 else done.stdout.strip() or "the kernel says no"


def _look_for_landlock() -> Finding:
    version = landlock.abi()
    return Finding(
        name="landlock",
        is_there=version > 0,
        found=landlock.describe(version),
        fix=""
        if version > 0
        else "only the tier process needs it: Linux 5.13 or later, booted with lsm=landlock",
    )


def _namespace_hint(refusal: str) -> str:
    if UNKNOWN_CALL in refusal:
        return NEWER_KERNEL
    for path, wanted in (
        ("kernel/apparmor_restrict_unprivileged_userns", "0"),
        ("kernel/unprivileged_userns_clone", "1"),
    ):
        file = Path("/proc/sys") / path
        if os.geteuid() != 0 and file.exists() and file.read_text().strip() != wanted:
            return f"allow them (sysctl -w {path.replace('/', '.')}={wanted}) or run as root"
    return f"allow user namespaces on this host, or run as root; {_OF_CONTAINERS}"


def _find_limits() -> tuple[tuple[str, ...], Finding]:
    """Return what cgroups can limit here, and the text that describes it."""
    reason = "their controllers are not mounted and writable for this user"
    if scopes.are_needed():
        limits, reason = scopes.limits()
    else:
        limits = cgroup_tree.limits_here(f"lambent-probe-{os.getpid()}")
    lacking = ", ".join(name for name in cgroup_tree.LIMITS if name not in limits)
    there = ", ".join(limits) or "cannot be used"
    return limits, Finding(
        name="cgroups",
        is_there=not lacking,
        found=f"{there}; no {lacking}" if limits and lacking else there,
        fix=f"limits of {lacking} are weaker: {reason}; run as root where they are"
        if lacking
        else "",
    )
