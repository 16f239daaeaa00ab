"""systemd: whether it runs this machine, and doctor."""

import re
from collections.abc import Iterator

from lambent.upkeep.doctor.check import Check
from lambent.upkeep.doctor.host import HostFacts


def is_running(host: HostFacts) -> bool:
    """Whether systemd is process 1, as `sd_booted` tells."""
    return host.has("/run/systemd/system") and host.read("/proc/1/comm") in ("systemd", "init", "")


def examine_systemd(host: HostFacts) -> Iterator[Check]:
    """Version, unit, user's session."""
    if not is_running(host):
        first = host.read("/proc/1/comm") or "unknown"
        yield Check(name="systemd", found=f"not process 1 (that is {first})")
        return
    first_line = host.run(["systemctl", "--version"]).partition("\n")[0]
    version = re.search(r"systemd (\d+)", first_line)
    yield Check(name="systemd", found=f"version {version[1] if version else 'unknown'}, process 1")
    yield Check(name="unit", found=unit(host) or "none")
    if not host.is_root:
        yield _session(host)


def unit(host: HostFacts) -> str:
    """The innermost unit this process is in."""
    groups = host.read("/proc/self/cgroup").splitlines()
    paths = [line.split(":", 2)[2] for line in groups if line.startswith(("0::", "1:name=systemd"))]
    for path in paths:
        units = [part for part in path.split("/") if part.endswith((".service", ".scope"))]
        if units:
            return units[-1]
    return ""


def _session(host: HostFacts) -> Check:
    if not host.has(f"/run/user/{host.uid}/systemd"):
        return Check(
            name="session", state="missing", found=f"no systemd for user {host.uid}",
            fix="log in with a session of your own (ssh, machinectl shell, not su), or:"
            " sudo loginctl enable-linger $USER",
        )  # fmt: skip
    user = host.environment.get("USER", "")
    lingers = bool(user) and host.has(f"/var/lib/systemd/linger/{user}")
    if not lingers:
        return Check(
            name="session", found=f"user@{host.uid}.service; what runs in it ends with the log-out",
            fix="to let the platform run on: sudo loginctl enable-linger $USER",
        )  # fmt: skip
    return Check(name="session", found=f"user@{host.uid}.service, lingering")
