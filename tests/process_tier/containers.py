"""Containers as an ordinary engine creates them, from this host's own programs: no image is built.

The capabilities and the hidden paths are an engine's defaults. An engine's filter is an allow-list
of some 400 calls; the calls that it denies are listed here, as far as this project uses them.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from lambent.node.languages.preparing import default_cache

REPOSITORY = Path(__file__).parents[2]
RUNTIMES = "/var/cache/lambent/runtimes"
DEADLINE_S = 240
_CAPABILITIES = (
    *("CHOWN", "DAC_OVERRIDE", "FSETID", "FOWNER", "MKNOD", "NET_RAW", "SETGID", "SETUID"),
    *("SETFCAP", "SETPCAP", "NET_BIND_SERVICE", "SYS_CHROOT", "KILL", "AUDIT_WRITE"),
)
_ALL_CAPABILITIES = (
    *("CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID"),
    *("SETPCAP", "LINUX_IMMUTABLE", "NET_BIND_SERVICE", "NET_BROADCAST", "NET_ADMIN", "NET_RAW"),
    *("IPC_LOCK", "IPC_OWNER", "SYS_MODULE", "SYS_RAWIO", "SYS_CHROOT", "SYS_PTRACE", "SYS_PACCT"),
    *("SYS_ADMIN", "SYS_BOOT", "SYS_NICE", "SYS_RESOURCE", "SYS_TIME", "SYS_TTY_CONFIG", "MKNOD"),
    *("LEASE", "AUDIT_WRITE", "AUDIT_CONTROL", "SETFCAP", "MAC_OVERRIDE", "MAC_ADMIN", "SYSLOG"),
    *("WAKE_ALARM", "BLOCK_SUSPEND", "AUDIT_READ", "PERFMON", "BPF", "CHECKPOINT_RESTORE"),
)
_REFUSED = (
    *("mount", "umount2", "pivot_root", "unshare", "setns", "move_mount", "open_tree"),
    *("mount_setattr", "fsopen", "fsmount", "fsconfig", "fspick"),
    *("bpf", "perf_event_open", "fanotify_init", "lookup_dcookie", "quotactl", "userfaultfd"),
    *("add_key", "keyctl", "request_key", "open_by_handle_at"),
    *("io_uring_setup", "io_uring_enter", "io_uring_register"),
    *("kexec_load", "kexec_file_load", "init_module", "finit_module", "delete_module"),
    *("reboot", "swapon", "swapoff", "acct", "syslog", "vhangup"),
    *("sethostname", "setdomainname", "settimeofday", "clock_settime", "adjtimex"),
)
_LANDLOCK = ("landlock_create_ruleset", "landlock_add_rule", "landlock_restrict_self")
_NEW_NAMESPACES = 0x7E020000
_MASKED = (
    *("/proc/acpi", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/timer_list"),
    *("/proc/sched_debug", "/proc/scsi", "/sys/firmware"),
)
_READ_ONLY = ("/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger")
_SYSTEM = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")


Kind = Literal["ordinary", "without Landlock", "unconfined", "privileged"]
"""`unconfined`: no filter and nothing hidden, but only the capabilities of an ordinary
container."""


def run_in_container(script: str, kind: Kind) -> tuple[int, str]:
    """Run Python code as the root of a container; returns its exit code and output. Removes the
    container."""
    with _bundle(script, kind) as bundle:
        name = f"lambent-test-{uuid.uuid4().hex[:12]}"
        runc = ("runc", "--root", str(bundle / "state"))
        try:
            done = subprocess.run(
                [*runc, "run", "--bundle", str(bundle), name],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                timeout=DEADLINE_S,
                check=False,
            )
        finally:
            subprocess.run([*runc, "delete", "--force", name], capture_output=True, check=False)
        return done.returncode, done.stdout.decode(errors="replace")


@contextmanager
def _bundle(script: str, kind: Kind) -> Iterator[Path]:
    bundle = Path(tempfile.mkdtemp(prefix="lambent-test-", dir="/var/tmp"))
    try:
        bundle.chmod(0o755)
        root = bundle / "rootfs"
        for name in ("proc", "dev", "sys", "tmp", "root", "home", "run", "etc", "usr", "var"):
            (root / name).mkdir(parents=True)
        mounts = [_bind("/usr"), _bind("/etc")]
        for name in _SYSTEM:
            source = Path("/") / name
            if source.is_symlink():
                (root / name).symlink_to(source.readlink())
            elif source.is_dir():
                mounts.append(_bind(str(source)))
        for own in (REPOSITORY, Path(os.path.realpath(sys.base_prefix))):
            if not own.is_relative_to("/usr"):
                mounts.append(_bind(str(own)))
        (bundle / "script.py").write_text(script)
        mounts += [
            _bind(str(default_cache()), RUNTIMES, "rw"),
            _bind(str(bundle / "script.py"), "/run/script.py"),
        ]
        config = _config(mounts, kind)
        (bundle / "config.json").write_text(json.dumps(config))
        yield bundle
    finally:
        shutil.rmtree(bundle, ignore_errors=True)


def _config(binds: Sequence[dict[str, Any]], kind: Kind) -> dict[str, Any]:
    capabilities = [f"CAP_{name}" for name in _CAPABILITIES]
    if kind == "privileged":
        capabilities = _own_capabilities()
    sets = ("bounding", "effective", "permitted")
    access = "rw" if kind == "privileged" else "ro"
    mounts = [
        _mount("/proc", "proc", "proc"),
        _mount("/dev", "tmpfs", "tmpfs", "nosuid", "mode=755"),
        _mount("/dev/pts", "devpts", "devpts", "nosuid", "noexec", "newinstance", "ptmxmode=0666"),
        _mount("/dev/shm", "tmpfs", "shm", "nosuid", "nodev", "mode=1777"),
        _mount("/sys", "sysfs", "sysfs", "nosuid", "noexec", "nodev", access),
        _mount("/tmp", "tmpfs", "tmp", "nosuid", "nodev", "mode=1777"),
        _mount("/var", "tmpfs", "var", "nosuid", "nodev", "mode=755"),
    ]
    mounts.append(_mount("/sys/fs/cgroup", "cgroup", "cgroup", "nosuid", "nodev", access))
    namespaces = [{"type": kind} for kind in ("pid", "network", "ipc", "uts", "mount")]
    linux: dict[str, Any] = {"namespaces": namespaces}
    if kind == "privileged":
        linux["resources"] = {"devices": [{"allow": True, "access": "rwm"}]}
    elif kind != "unconfined":
        refused = _LANDLOCK if kind == "without Landlock" else ()
        linux |= {"maskedPaths": _MASKED, "readonlyPaths": _READ_ONLY, "seccomp": _filter(refused)}
    path = f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"
    return {
        "ociVersion": "1.0.2",
        "process": {
            "terminal": False,
            "user": {"uid": 0, "gid": 0},
            "args": [sys.executable, "/run/script.py"],
            "env": [f"PATH={path}", "HOME=/root", f"PYTHONPATH={REPOSITORY}", "LANG=C.UTF-8"],
            "cwd": "/run",
            "capabilities": dict.fromkeys(sets, capabilities),
        },
        "root": {"path": "rootfs", "readonly": False},
        "hostname": "container",
        "mounts": [*mounts, *binds],
        "linux": linux,
    }


def _filter(more: Sequence[str]) -> dict[str, Any]:
    cloning = {"index": 0, "value": _NEW_NAMESPACES, "valueTwo": 0, "op": "SCMP_CMP_MASKED_EQ"}
    refuse = {"action": "SCMP_ACT_ERRNO"}
    flags = (1 << bit for bit in range(32) if _NEW_NAMESPACES >> bit & 1)
    return {
        "defaultAction": "SCMP_ACT_ALLOW",
        "syscalls": [
            {**refuse, "names": [*_REFUSED, *more], "errnoRet": 1},
            {**refuse, "names": ["clone3"], "errnoRet": 38},
            *(
                {
                    **refuse,
                    "names": ["clone"],
                    "args": [{**cloning, "value": flag, "valueTwo": flag}],
                }
                for flag in flags
            ),
        ],
    }


def _own_capabilities() -> list[str]:
    """All that this process may pass on."""
    text = Path("/proc/self/status").read_text()
    found = re.search(r"^CapBnd:\s+(\w+)", text, re.MULTILINE)
    assert found is not None, text
    bits = int(found[1], 16)
    return [f"CAP_{name}" for number, name in enumerate(_ALL_CAPABILITIES) if bits >> number & 1]


def _bind(source: str, destination: str = "", access: str = "ro") -> dict[str, Any]:
    return {
        "destination": destination or source,
        "type": "bind",
        "source": source,
        "options": ["rbind", access],
    }


def _mount(destination: str, kind: str, source: str, *options: str) -> dict[str, Any]:
    return {"destination": destination, "type": kind, "source": source, "options": list(options)}
