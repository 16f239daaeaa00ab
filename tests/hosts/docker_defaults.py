"""Docker's defaults for a container, as a configuration of runc.

Capabilities, system calls, masked and read-only paths, mounts and namespaces are those of Docker
Engine 25 and later. System calls that only 32-bit programs make are left out.
"""

from pathlib import Path
from typing import Any


def _capabilities(names: str) -> list[str]:
    return [f"CAP_{name}" for name in names.split()]


CAPABILITIES = _capabilities(
    """
    AUDIT_WRITE CHOWN DAC_OVERRIDE FOWNER FSETID KILL MKNOD NET_BIND_SERVICE NET_RAW SETFCAP SETGID
    SETPCAP SETUID SYS_CHROOT
    """
)
MASKED_PATHS = [
    "/proc/asound",
    "/proc/acpi",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/sys/firmware",
    "/sys/devices/virtual/powercap",
]
READ_ONLY_PATHS = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"]
SYSTEM_CALLS = Path(__file__).with_name("docker_system_calls.txt").read_text().split()
PERSONALITIES = (0x0, 0x8, 0x20000, 0x20008, 0xFFFFFFFF)
NEW_NAMESPACES = 0x7E020000
"""The flags of clone() that create a namespace."""
VSOCK = 40
ENOSYS = 38


def _allow(name: str, index: int, value: int, how: str, mask: int | None = None) -> dict[str, Any]:
    argument: dict[str, Any] = {"index": index, "value": value, "op": f"SCMP_CMP_{how}"}
    if mask is not None:
        argument["valueTwo"] = mask
    return {"names": [name], "action": "SCMP_ACT_ALLOW", "args": [argument]}


SECCOMP: dict[str, Any] = {
    "defaultAction": "SCMP_ACT_ERRNO",
    "defaultErrnoRet": 1,
    "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"],
    "syscalls": [
        {"names": SYSTEM_CALLS, "action": "SCMP_ACT_ALLOW"},
        _allow("socket", 0, VSOCK, "NE"),
        *(_allow("personality", 0, value, "EQ") for value in PERSONALITIES),
        _allow("clone", 0, NEW_NAMESPACES, "MASKED_EQ", 0),
        {"names": ["clone3"], "action": "SCMP_ACT_ERRNO", "errnoRet": ENOSYS},
    ],
}


def _mount(to: str, kind: str, *options: str) -> dict[str, Any]:
    return {"destination": to, "type": kind, "source": kind, "options": list(options)}


def mounts(cgroups: str) -> list[dict[str, Any]]:
    """Docker's mounts; `cgroups` is ro, or rw for a privileged container."""
    quiet = ("nosuid", "noexec", "nodev")
    terminals = ("newinstance", "ptmxmode=0666", "mode=0620", "gid=5")
    return [
        _mount("/proc", "proc", *quiet),
        _mount("/dev", "tmpfs", "nosuid", "strictatime", "mode=755", "size=65536k"),
        _mount("/dev/pts", "devpts", "nosuid", "noexec", *terminals),
        _mount("/sys", "sysfs", *quiet, cgroups),
        _mount("/sys/fs/cgroup", "cgroup", *quiet, cgroups, "relatime"),
        _mount("/dev/mqueue", "mqueue", *quiet),
        _mount("/dev/shm", "tmpfs", *quiet, "mode=1777", "size=67108864"),
    ]


ALL_CAPABILITIES = _capabilities(
    """
    CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE
    NET_BIND_SERVICE NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO
    SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME
    SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE MAC_ADMIN SYSLOG
    WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE
    """
)


def configuration(*, root: str, first: list[str], is_privileged: bool) -> dict[str, Any]:
    """A container as created by `docker run [--privileged]`, as an OCI runtime configuration.
    `first` is its process 1."""
    capabilities = ALL_CAPABILITIES if is_privileged else CAPABILITIES
    kinds = ("bounding", "effective", "permitted")
    device = {"allow": is_privileged, "access": "rwm"}
    linux: dict[str, Any] = {
        "namespaces": [{"type": kind} for kind in ("pid", "network", "ipc", "uts", "mount")],
        "resources": {"devices": [device]},
    }
    if not is_privileged:
        linux["seccomp"] = SECCOMP
        linux["maskedPaths"] = MASKED_PATHS
        linux["readonlyPaths"] = READ_ONLY_PATHS
    return {
        "ociVersion": "1.0.2",
        "process": {
            "terminal": False,
            "user": {"uid": 0, "gid": 0},
            "args": first,
            "env": [
                "PATH=/opt/lambent/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                "HOME=/root",
                "container=docker",
            ],
            "cwd": "/",
            "capabilities": {kind: capabilities for kind in kinds},
            "rlimits": [{"type": "RLIMIT_NOFILE", "hard": 20000, "soft": 20000}],
            "noNewPrivileges": False,
        },
        "root": {"path": root, "readonly": False},
        "hostname": "container",
        "mounts": mounts("rw" if is_privileged else "ro"),
        "linux": linux,
    }
