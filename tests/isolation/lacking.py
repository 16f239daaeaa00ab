"""Runs a program on a kernel that lacks some system calls: `lacking.py NAME=ERRNO… -- PROGRAM …`.

A seccomp filter returns the errors in place of the kernel. `ioctl:NUMBER=ERRNO` is one request of
`ioctl`.
"""

import ctypes
import errno
import os
import struct
import sys

from lambent.sandbox.launcher import syscalls

LOAD, JUMP_EQUAL, RETURN = 0x20, 0x15, 0x06
NUMBER_AT, SECOND_ARGUMENT_AT = 0, 24
ALLOW, ERROR = 0x7FFF0000, 0x00050000
SET_NO_NEW_PRIVS, SET_SECCOMP, FILTER = 38, 22, 2
_EVERYWHERE = {"mount_setattr": 442, "open_tree": 428, "move_mount": 429}
OTHERS = {
    "x86_64": {"bpf": 321, "mount": 165, "sethostname": 170, **_EVERYWHERE},
    "aarch64": {"bpf": 280, "mount": 40, "sethostname": 161, **_EVERYWHERE},
}[os.uname().machine]
"""Calls that functions may not make."""
ALL = {"x86_64": syscalls.X86_64, "aarch64": syscalls.AARCH64}[os.uname().machine] | OTHERS


def program(lacking: list[str]) -> bytes:
    """The filter."""
    code = []
    for text in lacking:
        call, _, error = text.partition("=")
        name, _, request = call.partition(":")
        answer = (RETURN, 0, 0, ERROR | getattr(errno, error))
        code.append((LOAD, 0, 0, NUMBER_AT))
        if request:
            code.append((JUMP_EQUAL, 0, 3, ALL[name]))
            code.append((LOAD, 0, 0, SECOND_ARGUMENT_AT))
            code.append((JUMP_EQUAL, 0, 1, int(request, 0)))
        else:
            code.append((JUMP_EQUAL, 0, 1, ALL[name]))
        code.append(answer)
    code.append((RETURN, 0, 0, ALLOW))
    return b"".join(struct.pack("=HBBI", *instruction) for instruction in code)


def main() -> None:
    at = sys.argv.index("--")
    code = program(sys.argv[1:at])
    buffer = ctypes.create_string_buffer(code, len(code))
    header = struct.pack("@HP", len(code) // 8, ctypes.addressof(buffer))
    given = ctypes.create_string_buffer(header)
    libc = ctypes.CDLL(None, use_errno=True)
    # A process without root may install a filter if it cannot gain privileges.
    if libc.prctl(SET_NO_NEW_PRIVS, 1, 0, 0, 0) or libc.prctl(SET_SECCOMP, FILTER, given, 0, 0):
        sys.exit(os.strerror(ctypes.get_errno()))
    os.execvp(sys.argv[at + 1], sys.argv[at + 1 :])


if __name__ == "__main__":
    main()
