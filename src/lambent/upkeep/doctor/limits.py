"""How much of everything the kernel gives: processes, files, memory, connections."""

import resource
from collections.abc import Iterator

from lambent.upkeep.doctor.check import Check
from lambent.upkeep.doctor.host import HostFacts, sysctl_fix

_ENOUGH = (
    ("kernel.pid_max", 32_768, "processes at once, of the whole host"),
    ("kernel.threads-max", 16_384, "threads at once, of the whole host"),
    ("fs.file-max", 200_000, "open files, of the whole host"),
    ("fs.nr_open", 65_536, "open files of a process"),
    ("net.core.somaxconn", 1024, "connections that wait to be accepted"),
    ("vm.max_map_count", 65_530, "memory maps of a process"),
)
_FILES_MIN = 8192
"""An environment takes the platform some ten descriptors."""
_PROCESSES_MIN = 4096


def examine_limits(host: HostFacts) -> Iterator[Check]:
    """Settings of the kernel, and the limits of this process."""
    for name, enough, unit in _ENOUGH:
        text = host.sysctl(name)
        if not text.isdigit():
            continue
        if int(text) < enough:
            found = f"{int(text):,} {unit}; {enough:,} are better"
            fix = sysctl_fix(name, enough)
            yield Check(name=name, state="missing", found=found, fix=fix)
        else:
            yield Check(name=name, found=f"{int(text):,} {unit}")
    yield _overcommit(host)
    yield _resource(host, "open files", resource.RLIMIT_NOFILE, _FILES_MIN, "LimitNOFILE")
    if not host.is_root:
        yield _resource(host, "processes", resource.RLIMIT_NPROC, _PROCESSES_MIN, "LimitNPROC")
    yield _memory(host)


def _overcommit(host: HostFacts) -> Check:
    mode = host.sysctl("vm.overcommit_memory") or "0"
    found = f"{mode} ({ {'0': 'heuristic', '1': 'always', '2': 'strict'}.get(mode, 'unknown') })"
    if mode != "2":
        return Check(name="vm.overcommit_memory", found=found)
    return Check(
        name="vm.overcommit_memory",
        state="missing",
        found=f"{found}: what a function's runtime reserves counts as used",
        fix=sysctl_fix("vm.overcommit_memory", 0),
    )


def _resource(host: HostFacts, name: str, kind: int, enough: int, directive: str) -> Check:
    """A limit of this process: what it may raise its own to."""
    _, hard = host.rlimit(kind)
    if hard == resource.RLIM_INFINITY or hard >= enough:
        shown = "unlimited" if hard == resource.RLIM_INFINITY else f"at most {hard:,}"
        return Check(name=f"limit of {name}", found=shown)
    item = directive.removeprefix("Limit").lower()
    return Check(
        name=f"limit of {name}",
        state="missing",
        found=f"at most {hard:,}; {enough:,} are better",
        fix=f"{directive}=65536 in the unit, or: echo '* hard {item} 65536' | sudo tee"
        " /etc/security/limits.d/60-lambent.conf, and log in again",
    )


def _memory(host: HostFacts) -> Check:
    sizes = {}
    for line in host.read("/proc/meminfo").splitlines():
        name, _, value = line.partition(":")
        words = value.split()
        if words and words[0].isdigit():
            sizes[name] = int(words[0]) >> 10
    total, free, swap = (sizes.get(key, 0) for key in ("MemTotal", "MemAvailable", "SwapTotal"))
    return Check(name="memory", found=f"{total:,} MB, {free:,} MB free, {swap:,} MB of swap")
