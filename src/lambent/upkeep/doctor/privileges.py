"""What this process may do: capabilities, and the filter it is under."""

from collections.abc import Iterator

from lambent.upkeep.doctor.check import Check
from lambent.upkeep.doctor.host import HostFacts
from lambent.upkeep.doctor.system import container

CAPABILITIES = {
    "CHOWN": (0, "data for the platform's user"),
    "DAC_OVERRIDE": (1, "the data directory"),
    "KILL": (5, "ending functions"),
    "SETGID": (6, "a user for each environment"),
    "SETUID": (7, "a user for each environment"),
    "SETPCAP": (8, "giving up privileges"),
    "NET_ADMIN": (12, "networks of functions"),
    "NET_RAW": (13, "UDP of functions"),
    "SYS_CHROOT": (18, "joining namespaces"),
    "SYS_PTRACE": (19, "SnapStart"),
    "SYS_ADMIN": (21, "namespaces and mounts: without it this is no root"),
    "MKNOD": (27, "devices of functions"),
}
"""By name: number and what it is for."""


def examine_privileges(host: HostFacts) -> Iterator[Check]:
    """Capabilities of root, and the system call filter of the process that started us."""
    status = host.status()
    if host.is_root:
        yield _capabilities(host, int(status.get("CapEff", "0"), 16))
    else:
        yield Check(
            name="capabilities", state="missing", found=f"none, user {host.uid}",
            fix="run as root (sudo lambent up) for disks for /tmp, a user per environment and UDP",
        )  # fmt: skip
    if is_in_user_namespace(host):
        shown = ", ".join(" ".join(x.split()) for x in host.read("/proc/self/uid_map").split("\n"))
        yield Check(name="user namespace", found=f"not the host's own (uid_map: {shown})")
    modes = {"0": "none", "1": "strict", "2": "filtered"}
    mode = modes.get(status.get("Seccomp", "0"), "unknown")
    note = " (by the container's runtime or the service manager)" if mode == "filtered" else ""
    yield Check(name="seccomp", found=mode + note)


def is_in_user_namespace(host: HostFacts) -> bool:
    """Whether users are numbered differently here than on the host."""
    return host.read("/proc/self/uid_map").split() not in ([], ["0", "0", "4294967295"])


def _capabilities(host: HostFacts, effective: int) -> Check:
    lacking = {
        name: purpose
        for name, (number, purpose) in CAPABILITIES.items()
        if not effective >> number & 1
    }
    if not lacking:
        return Check(name="capabilities", found="root, with every capability that is needed")
    names = ", ".join(f"CAP_{name} ({purpose})" for name, purpose in lacking.items())
    return Check(
        name="capabilities",
        state="missing",
        found=f"root without {names}",
        fix=_fix(host, list(lacking)),
    )


def _fix(host: HostFacts, names: list[str]) -> str:
    kind = container(host)
    if kind in ("Docker", "Podman"):
        flags = " ".join(f"--cap-add {name}" for name in names)
        options = " ".join(
            f"--security-opt {name}=unconfined" for name in ("seccomp", "apparmor", "systempaths")
        )
        run = f"{kind.lower()} run"
        return f"{run} {flags} {options} IMAGE, or: {run} --privileged IMAGE"
    if kind == "Kubernetes":
        return f"securityContext: {{capabilities: {{add: [{', '.join(names)}]}}}}"
    return "CapabilityBoundingSet= of the unit must name them, or must not be set"
