"""Volumes: the `/tmp` of an environment, private and of bounded size.

As root a volume is a separate file system in a sparse file, so that what a function writes counts
against the volume and not against its memory. The file has no name any more once it is mounted:
however the launcher ends, the kernel releases it. In other tiers it is a tmpfs.
"""

import contextlib
import dataclasses
import errno
import fcntl
import os
import shutil
import stat
import struct
import subprocess
import sys
from pathlib import Path

from lambent.sandbox.launcher import linux

_LOOP_CTL_GET_FREE, _LOOP_CONFIGURE, _LO_FLAGS_AUTOCLEAR = 0x4C82, 0x4C0A, 4
_LOOP_ATTEMPTS, _LOOP_MAJOR = 16, 7
_BLOCK_BYTES = 4096
_TEMPLATES_MAX = 32
_RESTRICTED = linux.MS_NOSUID | linux.MS_NODEV


@dataclasses.dataclass(frozen=True, slots=True)
class MountedVolume:
    """A mounted volume."""

    path: str


class Volumes:
    """Creates volumes in a directory of the launcher."""

    def __init__(self, directory: Path, *, may_use_disk: bool) -> None:
        self._directory = directory
        self._count = 0
        self._templates: dict[int, Path] = {}
        """Empty file systems by their size in MB, the one used longest ago first."""
        self._has_used_disk = False
        self._uses_disk = may_use_disk and shutil.which("mkfs.ext4", path=_PATH) is not None
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        for path in directory.iterdir():
            path.rmdir() if path.is_dir() else path.unlink()

    def is_ready(self, size_mb: int) -> bool:
        """Whether volumes of a size can be opened. If not, `make_template` comes first."""
        return not self._uses_disk or size_mb in self._templates

    def make_template(self, size_mb: int) -> bytes:
        """Create the file system that volumes of a size are copied from; work for `apart`.
        `note_template` follows. Raises OSError, SubprocessError."""
        self._make_template(self._template(size_mb), size_mb)
        return b""

    def note_template(self, size_mb: int, *, is_made: bool) -> None:
        """Record that there is a template now, or that creating it failed. Few sizes are kept."""
        if is_made:
            self._templates[size_mb] = self._template(size_mb)
        elif not self._has_used_disk:
            self._uses_disk = False
            _tell("no loop devices are available")
        while len(self._templates) > _TEMPLATES_MAX:
            self._templates.pop(next(iter(self._templates))).unlink(missing_ok=True)

    def open(self, size_mb: int) -> MountedVolume:
        """Create an empty volume, of a size that has a template. Raises OSError."""
        self._count += 1
        path = self._directory / str(self._count)
        path.mkdir()
        try:
            if self._uses_disk:
                try:
                    self._mount_disk(path, size_mb)
                    self._has_used_disk = True
                except (OSError, subprocess.SubprocessError) as error:
                    if self._has_used_disk:
                        raise OSError(f"cannot make a volume: {error}") from error
                    # There are no loop devices here, a container perhaps: do not try again.
                    self._uses_disk = False
                    _tell(error)
            if not self._uses_disk:
                options = f"mode=1777,size={size_mb}m"
                linux.mount("tmp", str(path), "tmpfs", _RESTRICTED, options)
        except OSError:
            path.rmdir()
            raise
        return MountedVolume(str(path))

    def close(self, volume: MountedVolume) -> None:
        """Delete a volume."""
        with contextlib.suppress(OSError):
            linux.unmount(volume.path)
            os.rmdir(volume.path)

    def _mount_disk(self, path: Path, size_mb: int) -> None:
        template = self._templates.pop(size_mb, None)
        if template is None:
            raise OSError(f"no volume of {size_mb} MB is ready")
        self._templates[size_mb] = template
        image = path.with_suffix(".img")
        try:
            _copy_sparse(template, image)
            loop = _attach(image)
        finally:
            image.unlink(missing_ok=True)
        try:
            linux.mount(loop[0], str(path), "ext4", _RESTRICTED, "nodiscard,noauto_da_alloc")
        finally:
            os.close(loop[1])

    def _template(self, size_mb: int) -> Path:
        return self._directory / f"template-{size_mb}"

    def _make_template(self, template: Path, size_mb: int) -> None:
        """Create an empty file system of the size, with a root directory that everyone may write
        to."""
        with template.open("wb") as file:
            file.truncate(size_mb * 1024 * 1024)
        features = "^has_journal,^resize_inode,uninit_bg"
        # Blocks like the loop device's: mkfs would use smaller ones for a small disk.
        command = ["mkfs.ext4", "-q", "-F", "-m", "0", "-b", str(_BLOCK_BYTES), "-O", features]
        _run([*command, str(template)])
        # A newer mkfs sets permissions, but none omits `lost+found`: functions would see it.
        self._open_to_everyone(template)

    def _open_to_everyone(self, template: Path) -> None:
        mount_point = template.with_suffix(".mount")
        mount_point.mkdir()
        device, fd = _attach(template)
        try:
            linux.mount(device, str(mount_point), "ext4", _RESTRICTED)
            try:
                with contextlib.suppress(OSError):
                    (mount_point / "lost+found").rmdir()
                mount_point.chmod(0o1777)
            finally:
                linux.unmount(str(mount_point))
        finally:
            os.close(fd)
            mount_point.rmdir()


_PATH = "/usr/sbin:/sbin:/usr/bin:/bin"


def _tell(reason: object) -> None:
    print(f"launcher: /tmp of functions takes memory, not disk: {reason}", file=sys.stderr)


def _run(command: list[str]) -> None:
    subprocess.run(
        command,
        check=True,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=20,
        env={"PATH": _PATH},
    )


def _copy_sparse(source: Path, target: Path) -> None:
    """Copy a file's data and keep its holes."""
    with source.open("rb") as reader, target.open("xb") as writer:
        size = os.fstat(reader.fileno()).st_size
        writer.truncate(size)
        at = 0
        while at < size:
            try:
                at = os.lseek(reader.fileno(), at, os.SEEK_DATA)
            except OSError:
                return
            end = os.lseek(reader.fileno(), at, os.SEEK_HOLE)
            while at < end:
                at += os.pwrite(writer.fileno(), os.pread(reader.fileno(), end - at, at), at)


def _attach(image: Path) -> tuple[str, int]:
    """Attach a file to a loop device, which is released with its last user. Returns path and
    descriptor."""
    with image.open("r+b") as backing, open("/dev/loop-control", "rb") as control:
        for _ in range(_LOOP_ATTEMPTS):
            number = fcntl.ioctl(control, _LOOP_CTL_GET_FREE)
            device = f"/dev/loop{number}"
            fd = _open_loop(device, number)
            # struct loop_config: fd, block size, loop_info64 (flags at 52 of 232 bytes), reserve.
            info = bytearray(232)
            struct.pack_into("=I", info, 52, _LO_FLAGS_AUTOCLEAR)
            config = struct.pack("=II", backing.fileno(), _BLOCK_BYTES) + bytes(info) + bytes(64)
            try:
                fcntl.ioctl(fd, _LOOP_CONFIGURE, config)
            except OSError as error:
                os.close(fd)
                if error.errno in (errno.EINVAL, errno.ENOTTY):
                    raise OSError(f"LOOP_CONFIGURE needs Linux 5.8: {error.strerror}") from error
                # Another process was faster: take the next.
                continue
            return device, fd
    raise OSError("cannot find a free loop device")


def _open_loop(device: str, number: int) -> int:
    """Open a loop device. A container's /dev has those of its start; a newer one is made there."""
    try:
        return os.open(device, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        with contextlib.suppress(FileExistsError):
            os.mknod(device, 0o600 | stat.S_IFBLK, os.makedev(_LOOP_MAJOR, number))
        return os.open(device, os.O_RDWR | os.O_CLOEXEC)
