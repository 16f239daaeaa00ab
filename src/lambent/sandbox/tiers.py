"""Which isolation this host gives.

Nothing is assumed from names and versions: each need is tried, under a name of our own, and
undone.
"""

import dataclasses
import os
import subprocess
import sys
from pathlib import Path

from lambent.sandbox import scopes
from lambent.sandbox.launcher import cgroup_tree
from lambent.sandbox.ports import SandboxError

TIERS = ("root", "root-no-cgroups", "rootless")
"""Strongest first."""

_CAP_SYS_ADMIN = 21
_TRY_USER_NAMESPACE = (
    "import ctypes, sys; sys.exit(ctypes.CDLL(None).unshare(0x10000000 | 0x20000) != 0)"
)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that isolation needs, and whether it is there."""

    name: str
    is_there: bool
    found: str
    fix: str = ""
    """What to do to have it; empty if it is there."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Isolation:
    """What this host gives."""

    tier: str | None
    """The strongest of `TIERS` that works here, or None."""
    findings: tuple[Finding, ...]


def detect() -> Isolation:
    """Look at this host, as the user who runs this."""
    is_root = os.geteuid() == 0 and _has_capability(_CAP_SYS_ADMIN)
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
    user_namespaces = is_root or _can_make_user_namespaces()
    findings.append(
        Finding(
            name="namespaces",
            is_there=user_namespaces,
            found="available" if user_namespaces else "refused by the kernel",
            fix="" if user_namespaces else _user_namespace_hint(),
        )
    )
    limits, finding = _find_limits()
    has_cgroups = {"memory", "pids"} <= {*limits}
    findings.append(finding)
    tier: str | None
    if is_root:
        tier = "root" if has_cgroups else "root-no-cgroups"
    else:
        tier = "rootless" if user_namespaces else None
    return Isolation(tier=tier, findings=tuple(findings))


def choose(wanted: str) -> str:
    """The tier to use. `wanted` is `auto` or one of `TIERS`; raises `SandboxError` if it is not
    to be had."""
    isolation = detect()
    if wanted != "auto" and wanted not in TIERS:
        raise SandboxError(f"cannot use isolation {wanted!r}: choose auto or one of {TIERS}")
    missing = "; ".join(f"{one.name}: {one.fix}" for one in isolation.findings if one.fix)
    if isolation.tier is None:
        raise SandboxError(f"cannot isolate functions on this host. {missing}")
    if wanted == "auto":
        return isolation.tier
    # Root can do all; a user without root only the weakest.
    if TIERS.index(wanted) < TIERS.index(isolation.tier):
        raise SandboxError(f"cannot give isolation {wanted!r} here. {missing}")
    return wanted


def _has_capability(number: int) -> bool:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("CapEff:"):
            return bool(int(line.split()[1], 16) >> number & 1)
    return False


def _can_make_user_namespaces() -> bool:
    command = [sys.executable, "-I", "-S", "-c", _TRY_USER_NAMESPACE]
    return subprocess.run(command, capture_output=True, timeout=20).returncode == 0


def _user_namespace_hint() -> str:
    for path, wanted in (
        ("kernel/apparmor_restrict_unprivileged_userns", "0"),
        ("kernel/unprivileged_userns_clone", "1"),
    ):
        file = Path("/proc/sys") / path
        if file.exists() and file.read_text().strip() != wanted:
            return f"allow them (sysctl -w {path.replace('/', '.')}={wanted}) or run as root"
    return "allow unprivileged user namespaces on this host, or run as root"


def _find_limits() -> tuple[tuple[str, ...], Finding]:
    """What control groups can limit here, and what to say of it."""
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
