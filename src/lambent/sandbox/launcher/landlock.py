"""Landlock: a process gives up access to files, and signals to others, without any privilege.

Kernels since 5.13 may have it; each version of its interface (`abi`) supports more rights. Rights
that a kernel does not support are not requested, so that older kernels restrict less instead of
nothing. https://docs.kernel.org/userspace-api/landlock.html
"""

import ctypes
import os
import stat
import struct
from collections.abc import Iterable

_SYS_CREATE_RULESET, _SYS_ADD_RULE, _SYS_RESTRICT_SELF = 444, 445, 446
_VERSION, _PATH_BENEATH = 1, 1
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
_OF_ABI_1 = (1 << 13) - 1
_REFER, _TRUNCATE, _IOCTL_DEVICE = 1 << 13, 1 << 14, 1 << 15
_SINCE = {2: _REFER, 3: _TRUNCATE, 5: _IOCTL_DEVICE}
_READ = _EXECUTE | _READ_FILE | _READ_DIR
_OF_FILES = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL_DEVICE
_ABI_NETWORK, _ABI_SCOPES = 4, 6
_SCOPES = 0b11
"""Abstract UNIX sockets and signals stay within the domain."""

_libc = ctypes.CDLL(None, use_errno=True)


def abi() -> int:
    """Return the version of the kernel's Landlock; 0 if there is none, or it may not be used."""
    return max(int(_libc.syscall(_SYS_CREATE_RULESET, None, 0, _VERSION)), 0)


def describe(version: int) -> str:
    """Return what a version restricts, as text."""
    if version == 0:
        return "absent: this kernel has none, or the container forbids it"
    if version < _ABI_SCOPES:
        return f"version {version}: files, not signals (Linux 6.12)"
    return f"version {version}: files and signals"


def make_rules(readable: Iterable[str], writable: Iterable[str], *, scopes: bool = True) -> int:
    """Return a descriptor of rules: read and execute below the first paths, everything below the
    second, nothing else. Missing paths are left out. Raises OSError."""
    version = abi()
    handled = _OF_ABI_1
    for since, rights in _SINCE.items():
        if version >= since:
            handled |= rights
    attributes = struct.pack("=Q", handled)
    if version >= _ABI_NETWORK:
        attributes += struct.pack("=Q", 0)
    if version >= _ABI_SCOPES:
        attributes += struct.pack("=Q", _SCOPES if scopes else 0)
    rules = _call("make rules for files", _SYS_CREATE_RULESET, attributes, len(attributes), 0)
    os.set_inheritable(rules, False)
    try:
        for paths, rights in ((readable, _READ), (writable, handled)):
            for path in paths:
                _allow(rules, path, rights & handled)
    except BaseException:
        os.close(rules)
        raise
    return rules


def restrict_self(rules: int) -> None:
    """Confine this thread and its children to rules, permanently. Raises OSError."""
    _call("confine a process to its files", _SYS_RESTRICT_SELF, rules, 0)


def _allow(rules: int, path: str, rights: int) -> None:
    try:
        fd = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    try:
        if not stat.S_ISDIR(os.fstat(fd).st_mode):
            rights &= _OF_FILES
        rule = struct.pack("=Qi", rights, fd)
        _call(f"allow {path}", _SYS_ADD_RULE, rules, _PATH_BENEATH, rule, 0)
    finally:
        os.close(fd)


def _call(step: str, number: int, *arguments: int | bytes) -> int:
    result = int(_libc.syscall(number, *arguments))
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, f"cannot {step}: {os.strerror(code)}")
    return result
