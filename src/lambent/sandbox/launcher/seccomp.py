"""The seccomp filter of everything that runs in a box: an allow-list of system calls.

The program is assembled here, once, as classic BPF: a binary search over ranges of call numbers, so
that a lookup takes about seven comparisons. A filter cannot see flags behind a pointer, so `clone3`
returns ENOSYS and the C library falls back to `clone`, whose flags it can see.
https://www.kernel.org/doc/html/latest/userspace-api/seccomp_filter.html
"""

import ctypes
import errno
import os
import socket
import struct

from lambent.sandbox.launcher import syscalls

_LOAD, _JUMP_EQUAL, _JUMP_AT_LEAST, _JUMP_ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NUMBER_AT, _ARCHITECTURE_AT, _ARGUMENT_AT = 0, 4, 16
_ALLOW, _ERROR, _KILL = 0x7FFF0000, 0x00050000, 0x80000000

_NEW_NAMESPACES = 0x7E020080
"""Every CLONE_NEW* flag, CLONE_NEWTIME included."""
_FAMILIES = (1, 2, 10, 16)
"""UNIX, IPv4, IPv6, netlink. Others, including AF_VSOCK and AF_ALG, are not confined by a network
namespace or reach deep into the kernel."""

_ARCHITECTURES = {
    "x86_64": (0xC000003E, syscalls.X86_64),
    "aarch64": (0xC00000B7, syscalls.AARCH64),
}

Instruction = tuple[int, int, int, int]
"""Code, jump if true, jump if false, operand."""


def assemble(machine: str) -> bytes:
    """Assemble the filter program for an architecture, as `struct sock_filter` entries."""
    architecture, table = _ARCHITECTURES[machine]
    program: list[Instruction] = [
        (_LOAD, 0, 0, _ARCHITECTURE_AT),
        (_JUMP_EQUAL, 1, 0, architecture),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, _NUMBER_AT),
        *_search(_segments(table)),
    ]
    return b"".join(struct.pack("=HBBI", *instruction) for instruction in program)


def describe(machine: str) -> dict[str, str]:
    """Describe what the filter does with each call that it does not simply refuse: empty if it is
    allowed, else the condition."""
    _, table = _ARCHITECTURES[machine]
    families = ", ".join(socket.AddressFamily(number).name for number in _FAMILIES)
    conditions = {
        "clone": f"with none of the flags {_NEW_NAMESPACES:#x} (every CLONE_NEW…), else EPERM",
        "clone3": "never: ENOSYS, so that the C library falls back to `clone`",
        "socket": f"for {families}, else EAFNOSUPPORT",
        "socketpair": f"for {families}, else EAFNOSUPPORT",
    }
    return {name: conditions.get(name, "") for name in table}


class Filter:
    """Return the assembled filter, in memory that does not move, for the kernel."""

    def __init__(self) -> None:
        self.code = assemble(os.uname().machine)
        self._code = ctypes.create_string_buffer(self.code, len(self.code))
        header = struct.pack("@HP", len(self.code) // 8, ctypes.addressof(self._code))
        self._header = ctypes.create_string_buffer(header, len(header))
        self.address = ctypes.addressof(self._header)


def _segments(table: dict[str, int]) -> list[tuple[int, list[Instruction]]]:
    """Return ranges of call numbers by their first number, each with the action."""
    special = {
        table["clone3"]: _fail(errno.ENOSYS),
        table["clone"]: _check_clone(),
        table["socket"]: _check_socket(),
        table["socketpair"]: _check_socket(),
    }
    allowed = set(table.values())
    beyond = max(allowed) + 1
    found: list[tuple[int, list[Instruction]]] = []
    for number in range(beyond):
        if number in special:
            action = special[number]
        else:
            action = _return(_ALLOW) if number in allowed else _fail(errno.EPERM)
        if not found or found[-1][1] != action:
            found.append((number, action))
    # Calls newer than the table: programs that probe for them fall back.
    found.append((beyond, _fail(errno.ENOSYS)))
    return found


def _search(segments: list[tuple[int, list[Instruction]]]) -> list[Instruction]:
    if len(segments) == 1:
        return segments[0][1]
    middle = len(segments) // 2
    below, above = _search(segments[:middle]), _search(segments[middle:])
    assert len(below) <= 255, "a jump of the filter is too long"
    return [(_JUMP_AT_LEAST, len(below), 0, segments[middle][0]), *below, *above]


def _check_clone() -> list[Instruction]:
    return [
        (_LOAD, 0, 0, _ARGUMENT_AT),
        (_JUMP_ANY_BIT, 0, 1, _NEW_NAMESPACES),
        *_fail(errno.EPERM),
        *_return(_ALLOW),
    ]


def _check_socket() -> list[Instruction]:
    checks: list[Instruction] = [
        (_JUMP_EQUAL, len(_FAMILIES) - number, 0, family) for number, family in enumerate(_FAMILIES)
    ]
    return [(_LOAD, 0, 0, _ARGUMENT_AT), *checks, *_fail(errno.EAFNOSUPPORT), *_return(_ALLOW)]


def _fail(code: int) -> list[Instruction]:
    return _return(_ERROR | code)


def _return(value: int) -> list[Instruction]:
    return [(_RETURN, 0, 0, value)]
