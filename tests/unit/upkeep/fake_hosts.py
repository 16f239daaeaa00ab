"""Hosts as trees of files, as `lambent doctor` reads them."""

import resource
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lambent.upkeep.doctor.host import HostFacts

V2 = "30 24 0:26 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n"
ROOT = "24 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n"
V1 = "".join(
    f"{number} 24 0:{number} / /sys/fs/cgroup/{name} rw,nosuid shared:9 - cgroup cgroup rw,{name}\n"
    for number, name in enumerate(("memory", "cpu", "pids", "freezer"), 40)
)
FULL = "cpuset cpu io memory pids"
COMMON = {
    "/etc/os-release": 'NAME="Debian"\nPRETTY_NAME="Debian GNU/Linux 13 (trixie)"\n',
    "/proc/1/comm": "systemd",
    "/proc/self/attr/current": "unconfined",
    "/proc/self/cgroup": "0::/system.slice/lambent.service\n",
    "/proc/self/mountinfo": ROOT + V2,
    "/proc/self/ns/user": "",
    "/proc/self/status": "CapEff:\t000001ffffffffff\nSeccomp:\t0\n",
    "/proc/self/uid_map": "0 0 4294967295",
    "/proc/sys/kernel/osrelease": "6.12.9-amd64",
    "/proc/sys/user/max_user_namespaces": "96000",
    "/run/systemd/system/x": "",
    "/sys/fs/cgroup/cgroup.controllers": FULL,
    "/sys/fs/cgroup/cgroup.subtree_control": FULL,
    "/sys/fs/cgroup/system.slice/lambent.service/cgroup.controllers": FULL,
}


def make_host(
    root: Path, files: Mapping[str, str | None] | None = None, uid: int = 0, **other: Any
) -> HostFacts:
    """A host with systemd and cgroup v2, changed by `files`; None takes one away."""
    for name, text in {**COMMON, **(files or {})}.items():
        if text is not None:
            path = root / name.lstrip("/")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    def run(command: Sequence[str]) -> str:
        return "systemd 257 (257.3-1)\n+PAM +AUDIT\n" if command[0] == "systemctl" else ""

    known: dict[str, Any] = {
        "machine": "x86_64",
        "environment": {"USER": "someone"},
        "run": run,
        "rlimit": lambda _: (1024, resource.RLIM_INFINITY),
        "interpreter": "/opt/lambent/bin/python3.12",
    }
    return HostFacts(root=root, uid=uid, **{**known, **other})
