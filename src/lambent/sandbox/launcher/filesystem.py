"""The file system of a box.

The base root is built once, in the launcher's own mount namespace: the host's programs and
libraries read-only, a few generated files in `/etc`, a minimal `/dev`. Each box's init works in a
copy of that namespace, adds what belongs to the box, and makes it its root.
"""

import os
import stat
import sys
from collections.abc import Mapping
from pathlib import Path

from lambent.sandbox.launcher import linux

INNER_ID = 993
INNER_NAME = "sbx_user1051"

_BASH = ("/usr/bin/bash", "/bin/bash")
_SYSTEM = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")
_FROM_ETC = (
    "alternatives",
    "ca-certificates",
    "ca-certificates.conf",
    "ld.so.cache",
    "ld.so.conf",
    "ld.so.conf.d",
    "localtime",
    "mime.types",
    "os-release",
    "timezone",
)
_JVM_CONFIGURATIONS = "java*"
"""Targets of links in `/etc` of distributions' JVMs; without them the JVMs do not start."""
_ETC = {
    "passwd": f"root:x:0:0:root:/root:/sbin/nologin\n{INNER_NAME}:x:{INNER_ID}:{INNER_ID}::"
    "/home/sbx_user1051:/sbin/nologin\n",
    "group": f"root:x:0:\n{INNER_NAME}:x:{INNER_ID}:\n",
    "hosts": "127.0.0.1 localhost sandbox.localdomain sandbox\n",
    "resolv.conf": "nameserver 127.0.0.1\noptions timeout:2 attempts:2\n",
    "nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\n",
}
_CERTIFICATES = Path("/etc/ssl/certs")
_BUNDLES = (
    "/etc/ssl/cert.pem",
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/ssl/certs/ca-bundle.crt",
    "/etc/pki/tls/cert.pem",
    "/etc/pki/tls/certs/ca-bundle.crt",
)
"""Where programs look for all certificates that they trust, in one file: those of AWS's Linux, and
of other distributions."""
_JAVA_STORES = ("/etc/ssl/certs/java/cacerts", "/etc/pki/java/cacerts")
"""Where distributions' JVMs look for them."""
TRUST = "/etc/ssl/lambent"
"""Where a box sees the platform's certificates: `bundle.pem`, all that it trusts, the same for JVMs
in `bundle.jks`, and `boxes.pem`, the platform's own."""
_HASH_OF_OURS = "534c8f3b.0"
"""The name under which OpenSSL looks for the platform's own: from a hash of its subject."""
_COPIED_BYTES_MAX = 256 * 1024
_DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
_LINKS_IN_DEV = {"fd": "/proc/self/fd", "stdin": "fd/0", "stdout": "fd/1", "stderr": "fd/2"}
_MASKED_IN_PROC = ("cmdline", "kcore", "keys", "key-users", "sysrq-trigger", "timer_list")
TARGETS = ("/var/task", "/opt", "/var/lang", "/var/runtime", "/var/node_modules", "/var/pycache")
_LIBRARIES = ("/var/task/lib", "/opt/lib")
"""Directories of LD_LIBRARY_PATH that come with a function. The dynamic linker of a prewarmed
runtime looks for them once and never again, so they exist from the start."""
_EMPTY = (*TARGETS, *_LIBRARIES, "/tmp", "/proc", "/mnt", "/home/sbx_user1051")
_RESTRICTED = linux.MOUNT_ATTR_RDONLY | linux.MOUNT_ATTR_NOSUID | linux.MOUNT_ATTR_NODEV


def make_base_root(root: Path, trust: Path | None) -> None:
    """Build the base root at `root`, an empty directory, in a separate mount namespace. `trust` has
    the certificates that boxes trust; None: those of the host."""
    linux.mount("lambent", str(root), "tmpfs", linux.MS_NOSUID, "mode=0755,size=16m")
    for name in ("usr", *_SYSTEM):
        _show_system(Path("/") / name, root / name)
    _show_shell(root)
    (root / "etc").mkdir()
    for name, text in _ETC.items():
        (root / "etc" / name).write_text(text)
    for name in _FROM_ETC:
        source = Path("/etc") / name
        if source.is_symlink():
            (root / "etc" / name).symlink_to(source.readlink())
        elif source.exists():
            _bind(source, root / "etc" / name)
    _show_certificates(root, trust)
    for source in sorted(Path("/etc").glob(_JVM_CONFIGURATIONS)):
        if source.is_dir() and not source.is_symlink():
            _bind(source, root / "etc" / source.name)
    for path in _EMPTY:
        (root / path[1:]).mkdir(parents=True, exist_ok=True)
    _make_devices(root / "dev")
    flags = linux.MS_REMOUNT | linux.MS_BIND | linux.MS_RDONLY | linux.MS_NOSUID
    linux.mount("", str(root), "", flags)


def open_source(roots: dict[str, int], source: str) -> int:
    """Return a detached, read-only copy of a directory below one of the roots.

    `roots` contains an O_PATH descriptor for each. Raises OSError if the directory is elsewhere or
    a symbolic link is on the way.
    """
    found = open_directory(roots, source)
    try:
        return linux.copy_mount(found, _RESTRICTED)
    finally:
        os.close(found)


def open_directory(roots: dict[str, int], source: str) -> int:
    """Return an O_PATH descriptor of such a directory."""
    for root, fd in roots.items():
        if source == root:
            return os.dup(fd)
        if source.startswith(root + "/"):
            found = linux.open_beneath(fd, source[len(root) + 1 :])
            if not stat.S_ISDIR(os.fstat(found).st_mode):
                os.close(found)
                raise NotADirectoryError(f"cannot mount {source}: it is not a directory")
            return found
    raise PermissionError(f"cannot mount {source}: it is below none of the allowed roots")


def open_volume(path: str) -> int:
    """Return a detached copy of a mounted volume, for `/tmp`."""
    fd = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        return linux.copy_mount(fd, linux.MOUNT_ATTR_NOSUID | linux.MOUNT_ATTR_NODEV)
    finally:
        os.close(fd)


def enter_root(root: str, mounts: Mapping[str, int], *, shows_processes: bool = False) -> None:
    """In namespaces of a box or a zygote: complete the root and move there.

    `mounts` are detached copies by their target. `shows_processes`: with the launcher's `/proc`,
    without which a rootless process may not mount its own over it.
    """
    for target, copy in mounts.items():
        linux.place_mount(copy, root + target)
    if shows_processes:
        restricted = linux.MS_NOSUID | linux.MS_NODEV | linux.MS_NOEXEC
        linux.mount("proc", f"{root}/proc", "proc", restricted)
    linux.change_root(root)


def masked_in_proc() -> list[str]:
    """The parts of this kernel's `/proc` that boxes do not see."""
    return [name for name in _MASKED_IN_PROC if os.path.exists(f"/proc/{name}")]


def _show_system(source: Path, target: Path) -> None:
    """Show a directory of the host's system, or the same symbolic link."""
    if source.is_symlink():
        target.symlink_to(source.readlink())
    elif source.is_dir():
        _bind(source, target)


def _show_shell(root: Path) -> None:
    """Make `sh` bash, as in AWS, if the host has bash: scripts rely on it. The mount covers `sh`
    itself, link or not: the target of a link may be more than a shell."""
    bash = next((path for path in map(Path, _BASH) if path.is_file()), None)
    if bash is None:
        return
    for sh in (root / "usr/bin/sh", root / "bin/sh"):
        if sh.exists() and not sh.samefile(bash):
            try:
                _place(bash, sh)
            except OSError as error:
                print(f"launcher: sh of functions is the host's: {error}", file=sys.stderr)


def _show_certificates(root: Path, trust: Path | None) -> None:
    """Show `/etc/ssl`, with the platform's bundle in place of the host's. It is a copy, mostly of
    links: a mount over one of the host's files would end when the host replaces that file, and
    each mount costs time in every box."""
    if trust is None:
        if _CERTIFICATES.parent.exists():
            _bind(_CERTIFICATES.parent, root / "etc/ssl")
        return
    (root / "etc/ssl").mkdir()
    target = root / str(_CERTIFICATES)[1:]
    target.mkdir()
    replaced = {_CERTIFICATES, *map(Path, _BUNDLES)}
    replaced.update(Path(store).parent for store in _JAVA_STORES)
    for directory in (_CERTIFICATES.parent, _CERTIFICATES):
        for source in sorted(directory.iterdir()) if directory.is_dir() else ():
            if source not in replaced:
                _copy_or_bind(source, root / str(source)[1:])
    _bind(trust, root / TRUST[1:])
    for bundle in (*_BUNDLES, *_JAVA_STORES):
        link = root / bundle[1:]
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(f"{TRUST}/bundle.{'jks' if bundle in _JAVA_STORES else 'pem'}")
    (target / _HASH_OF_OURS).symlink_to(f"{TRUST}/boxes.pem")


def _copy_or_bind(source: Path, target: Path) -> None:
    """Copy a link, a directory, or a small file that everybody may read; show larger ones."""
    if source.is_symlink():
        target.symlink_to(source.readlink())
        return
    status = source.stat()
    if not status.st_mode & stat.S_IROTH:
        return
    if stat.S_ISDIR(status.st_mode):
        target.mkdir()
        for inner in sorted(source.iterdir()):
            _copy_or_bind(inner, target / inner.name)
    elif stat.S_ISREG(status.st_mode) and status.st_size <= _COPIED_BYTES_MAX:
        target.write_bytes(source.read_bytes())
    elif stat.S_ISREG(status.st_mode):
        _bind(source, target)


def _bind(source: Path, target: Path) -> None:
    if source.is_dir():
        target.mkdir(parents=True, exist_ok=True)
    else:
        target.touch()
    _place(source, target)


def _place(source: Path, target: Path) -> None:
    fd = os.open(source, os.O_PATH | os.O_CLOEXEC)
    try:
        copy = linux.copy_mount(fd, _RESTRICTED)
    finally:
        os.close(fd)
    linux.place_mount(copy, str(target))
    os.close(copy)


def _make_devices(directory: Path) -> None:
    directory.mkdir()
    for name in _DEVICES:
        source, target = Path("/dev") / name, directory / name
        try:
            os.mknod(target, 0o666 | stat.S_IFCHR, source.stat().st_rdev)
            target.chmod(0o666)
        except PermissionError:
            # Rootless: no device can be created, but the host's can be shown.
            target.touch()
            linux.mount(str(source), str(target), "", linux.MS_BIND)
    for name, target_text in _LINKS_IN_DEV.items():
        (directory / name).symlink_to(target_text)
