"""The disk that data lies on, and the disks that `/tmp` of functions is made of."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from lambent.node.code.cache import disk_usage
from lambent.upkeep.doctor.check import Check
from lambent.upkeep.doctor.host import HostFacts, MountEntry

_REMOTE = frozenset({"nfs", "nfs4", "cifs", "smb3", "9p", "drvfs", "virtiofs", "vboxsf", "ceph"})
_FREE_MB_MIN = 1024
_SYSTEM_PATH = "/usr/sbin:/sbin:/usr/bin:/bin"


def examine_disk(host: HostFacts, data_dir: Path) -> Iterator[Check]:
    """Kind, options and space of the data directory's file system; loop devices."""
    there = nearest(data_dir)
    yield _file_system(host, there.resolve())
    yield _space(there)
    if host.is_root:
        yield _loop_devices(host)


def nearest(path: Path) -> Path:
    """A path, or the nearest directory above it that exists."""
    path = path.absolute()
    return next(directory for directory in (path, *path.parents) if directory.exists())


def mount_of(host: HostFacts, path: Path) -> MountEntry | None:
    """The mount a path lies on."""
    best: MountEntry | None = None
    for mount in host.mounts():
        is_longer = best is None or len(mount.point) >= len(best.point)
        if path.is_relative_to(mount.point) and is_longer:
            best = mount
    return best


def _file_system(host: HostFacts, there: Path) -> Check:
    mount = mount_of(host, there)
    if mount is None:
        return Check(name="file system", found=f"{there}: unknown")
    options = sorted({"ro", "noexec", "nosuid"} & mount.options)
    found = f"{mount.kind} at {mount.point}" + (f" ({', '.join(options)})" if options else "")
    if "ro" in mount.options:
        fix = f"sudo mount -o remount,rw {mount.point}, or another directory with --data-dir"
        return Check(name="file system", state="broken", found=found, fix=fix)
    if "noexec" in mount.options:
        fix = f"sudo mount -o remount,exec {mount.point}, or another directory with --data-dir"
        found += ": programs that functions bring cannot be executed"
        return Check(name="file system", state="missing", found=found, fix=fix)
    if mount.kind in _REMOTE:
        found += ": locks of the database are not to be relied on"
        fix = "a local disk for the data: --data-dir DIR"
        return Check(name="file system", state="missing", found=found, fix=fix)
    if mount.kind in ("tmpfs", "ramfs"):
        found += ": a restart loses it"
        fix = "a disk for what is to stay: --data-dir DIR"
        return Check(name="file system", state="missing", found=found, fix=fix)
    return Check(name="file system", found=found)


def _space(there: Path) -> Check:
    free_mb = shutil.disk_usage(there).free >> 20
    numbers = os.statvfs(there)
    found = f"{free_mb:,} MB free"
    if numbers.f_files and numbers.f_favail < 10_000:
        fix = "remove files, or another disk with --data-dir"
        found += f", {numbers.f_favail:,} inodes left"
        return Check(name="disk space", state="missing", found=found, fix=fix)
    if free_mb < _FREE_MB_MIN:
        fix = (
            "make room: every environment may write 512 MB and more to its /tmp, and a full disk"
            " loses logs, metrics and traces"
        )
        return Check(name="disk space", state="missing", found=found, fix=fix)
    return Check(name="disk space", found=found)


def _loop_devices(host: HostFacts) -> Check:
    lacks = []
    if not host.has("/dev/loop-control"):
        lacks.append("no /dev/loop-control")
    if not any(host.has(f"{directory}/mkfs.ext4") for directory in _SYSTEM_PATH.split(":")):
        lacks.append("no mkfs.ext4")
    if not lacks:
        return Check(name="loop devices", found="/dev/loop-control and mkfs.ext4")
    fixes = {
        "no /dev/loop-control": "sudo modprobe loop; in a container: --device /dev/loop-control,"
        " or --privileged",
        "no mkfs.ext4": "install it, such as: apt-get install e2fsprogs",
    }
    return Check(
        name="loop devices",
        state="missing",
        found=f"{', '.join(lacks)}: /tmp of functions takes memory",
        fix="; ".join(fixes[lack] for lack in lacks),
    )


def check_code_space(code: Path, mb_max: int) -> Check:
    """What unpacked packages take of the disk, and what they may."""
    used_mb = disk_usage(code) >> 20
    disk = next(path for path in (code, *code.parents) if path.exists())
    free_mb = shutil.disk_usage(disk).free >> 20
    found = f"{used_mb:,} MB of at most {mb_max:,} MB (worker.code_mb); {free_mb:,} MB are free"
    if used_mb + free_mb < mb_max:
        fix = "make room on the disk, or set worker.code_mb to what may be used"
        return Check(name="unpacked code", state="missing", found=found, fix=fix)
    return Check(name="unpacked code", state="ok", found=found)


def check_data_dir(data_dir: Path) -> Check:
    """Whether the data directory is there or can be made."""
    existing = next(path for path in (data_dir, *data_dir.parents) if path.exists())
    if existing.is_dir() and os.access(existing, os.W_OK | os.X_OK):
        found = str(data_dir) if existing == data_dir else f"{data_dir}, made at the first start"
        return Check(name="data directory", state="ok", found=found)
    return Check(
        name="data directory",
        state="broken",
        found=f"{existing} cannot be written",
        fix="name another with --data-dir or LAMBENT_SERVER__DATA_DIR",
    )
