"""Steers what leaves a network namespace: to one listener per family, and to one socket for UDP.

For each new connection, and for each datagram without a connected socket, the kernel asks a BPF
program of type `sk_lookup` which socket gets it. The program is assembled by hand below. It selects
a socket of its map for every TCP connection and IPv4 datagram whose destination is not in
127.0.0.0/8 or ::/32, or is one of the ports 80 and 443 of 127.0.0.0/8. Nothing is translated:
`getsockname()` of the accepted socket is the destination that the function used.

The program works as long as its link is open, or until its namespace ends. It needs Linux 5.9 and
CAP_BPF and CAP_NET_ADMIN (or CAP_SYS_ADMIN) in the initial user namespace. Only the standard
library is imported here: the launcher runs this as root.
"""

import ctypes
import errno
import functools
import os
import socket
import struct

_BPF_SYSCALL_NUMBERS = {"x86_64": 321, "aarch64": 280, "riscv64": 280, "s390x": 351, "ppc64le": 361}
_MAP_CREATE, _MAP_UPDATE_ELEM, _PROG_LOAD, _LINK_CREATE = 0, 2, 5, 28
_MAP_TYPE_SOCKMAP = 15
_PROG_TYPE_SK_LOOKUP = 30
_ATTACH_SK_LOOKUP = 36
_KEYS = 1 + max(socket.AF_INET, socket.AF_INET6, socket.IPPROTO_UDP)

_libc = ctypes.CDLL(None, use_errno=True)


def steer(
    ipv4: socket.socket,
    ipv6: socket.socket | None,
    datagrams: socket.socket | None,
    namespace_fd: int,
) -> int:
    """Steer what leaves a network namespace to two listeners and a datagram socket.

    They must have been created in that namespace. Packets without a socket are dropped. Returns the
    descriptor of the link, which the caller keeps open. Raises OSError when the kernel refuses.
    """
    sockmap = _bpf(_MAP_CREATE, struct.pack("=IIII", _MAP_TYPE_SOCKMAP, 4, 8, _KEYS))
    try:
        _put(sockmap, ipv4.family, ipv4)
        if ipv6 is not None:
            _put(sockmap, ipv6.family, ipv6)
        if datagrams is not None:
            _put(sockmap, socket.IPPROTO_UDP, datagrams)
        program = _load_program(sockmap)
    finally:
        os.close(sockmap)
    try:
        return _bpf(_LINK_CREATE, struct.pack("=IIII", program, namespace_fd, _ATTACH_SK_LOOKUP, 0))
    finally:
        os.close(program)


def _put(sockmap: int, place: int, receiver: socket.socket) -> None:
    key = ctypes.create_string_buffer(struct.pack("=I", place), 4)
    value = ctypes.create_string_buffer(struct.pack("=Q", receiver.fileno()), 8)
    addresses = (ctypes.addressof(key), ctypes.addressof(value))
    _bpf(_MAP_UPDATE_ELEM, struct.pack("=IIQQQ", sockmap, 0, *addresses, 0))


def _load_program(sockmap: int) -> int:
    before, after = _program()
    load_imm64 = 0x18
    code = before + _op(load_imm64, 1, 1, 0, sockmap) + _op(0, 0) + after  # two slots
    instructions = ctypes.create_string_buffer(code, len(code))
    license_name = ctypes.create_string_buffer(b"Apache-2.0")
    attributes = struct.pack(
        "=IIQQIIQII16sII",
        _PROG_TYPE_SK_LOOKUP,
        len(code) // 8,
        ctypes.addressof(instructions),
        ctypes.addressof(license_name),
        *(0, 0, 0),  # no verifier log
        *(0, 0),  # kernel version, flags
        b"lambent_egress",
        0,  # no device
        _ATTACH_SK_LOOKUP,
    )
    return _bpf(_PROG_LOAD, attributes)


@functools.cache
def _program() -> tuple[bytes, bytes]:
    """The instructions before and after the one that names the map.

    Offsets are those of `struct bpf_sk_lookup`. Listeners are stored by family, the datagram socket
    by protocol. A failure drops the connection; otherwise it would fall through to a listener of
    the function's own. In ::/32 only ::1 has a meaning, so one word identifies loopback.
    """
    ldx_word, ldx_byte, jne, jeq, jump, mov, mov_imm = 0x61, 0x71, 0x55, 0x15, 0x05, 0xBF, 0xB7
    stx_word, add_imm, call, leave = 0x63, 0x07, 0x85, 0x95
    map_lookup_elem, sk_assign, sk_release = 1, 124, 86
    passed, dropped = 1, 0
    before = b"".join(
        (
            _op(mov, 6, 1),  # r6 = context
            _op(ldx_word, 2, 6, 12),  # protocol
            _op(ldx_word, 3, 6, 8),  # family
            _op(jeq, 2, 0, 4, socket.IPPROTO_TCP),  # -> TCP
            _op(jne, 2, 0, 28, socket.IPPROTO_UDP),  # -> pass
            _op(jne, 3, 0, 27, socket.AF_INET),  # -> pass
            _op(stx_word, 10, 2, -4),  # the key of UDP
            _op(jump, 0, 0, 5),  # -> IPv4
            # TCP
            _op(stx_word, 10, 3, -4),  # the key of the family
            _op(jeq, 3, 0, 3, socket.AF_INET),  # -> IPv4
            _op(ldx_word, 2, 6, 44),  # first word of the destination
            _op(jeq, 2, 0, 21, 0),  # -> pass
            _op(jump, 0, 0, 5),  # -> give
            # IPv4
            _op(ldx_byte, 2, 6, 40),  # first byte of the destination
            _op(jne, 2, 0, 3, 127),  # -> give
            _op(ldx_word, 2, 6, 60),  # port of the destination
            _op(jeq, 2, 0, 1, 80),  # -> give
            _op(jne, 2, 0, 15, 443),  # -> pass
            # give
        )
    )
    after = b"".join(
        (
            _op(mov, 2, 10),
            _op(add_imm, 2, 0, 0, -4),
            _op(call, 0, 0, 0, map_lookup_elem),
            _op(jeq, 0, 0, 11, 0),  # socket is gone -> drop
            _op(mov, 7, 0),
            _op(mov, 1, 6),
            _op(mov, 2, 7),
            _op(mov_imm, 3, 0, 0, 0),
            _op(call, 0, 0, 0, sk_assign),
            _op(mov, 8, 0),
            _op(mov, 1, 7),
            _op(call, 0, 0, 0, sk_release),
            _op(jne, 8, 0, 2, 0),  # not assigned -> drop
            # pass
            _op(mov_imm, 0, 0, 0, passed) + _op(leave, 0),
            _op(mov_imm, 0, 0, 0, dropped) + _op(leave, 0),
        )
    )
    return before, after


def _op(code: int, destination: int, source: int = 0, offset: int = 0, immediate: int = 0) -> bytes:
    """One BPF instruction."""
    little = struct.pack("=H", 1) == b"\x01\x00"
    registers = source << 4 | destination if little else destination << 4 | source
    return struct.pack("=BBhi", code, registers, offset, immediate)


def _bpf(command: int, attributes: bytes) -> int:
    """bpf(2). Raises OSError."""
    number = _BPF_SYSCALL_NUMBERS.get(os.uname().machine)
    if number is None:
        raise OSError(errno.ENOSYS, "bpf: no system call number for this processor")
    buffer = ctypes.create_string_buffer(attributes, len(attributes))
    result = int(_libc.syscall(number, command, buffer, len(attributes)))
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, f"bpf: {os.strerror(code)}")
    return result
