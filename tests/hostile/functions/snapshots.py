"""What a function does to its memory, registers and so on before it is captured.

Each attack runs while the function is initialized; `look` reports the result afterwards, in the
environment.
"""

import ctypes
import mmap
import os
import signal
import struct
import threading

from attempts import kept, libc

SCRATCH = 0x100000
PRIVATE, FIXED, ANONYMOUS, NORESERVE = 0x02, 0x10, 0x20, 0x4000
READ, WRITE, EXECUTE = 1, 2, 4
NO_HUGE_PAGES = 15
PERSONALITY, UNSHARE, ARCH_PRCTL, SET_TID_ADDRESS = 135, 272, 158, 218
UNAME26, NEW_USER = 0x0020000, 0x10000000
ARCH_SET_GS, ARCH_GET_FS = 0x1001, 0x1003
PROGRAM = bytes.fromhex(
    "488b034883f8ff744d488b7b08488b7310488b53184c8b53204c8b43284c8b4b304c8b6338"
    "41f6c40274034d89f841f6c40474034c89ff"
    "0f05483d01f0ffff730f41f6c40174034989c74883c340ebb0"
    "41f6c40875f4"
)
"""The launcher's own code without its end: see `launcher/tracing.py`."""

libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
libc.mremap.restype = ctypes.c_void_p
libc.mremap.argtypes = [ctypes.c_void_p, *[ctypes.c_size_t] * 2, ctypes.c_int, ctypes.c_void_p]


def map_at(address, size, protection, flags=FIXED):
    """Map memory at an address; returns the address."""
    where = libc.mmap(address, size, protection, PRIVATE | ANONYMOUS | flags, -1, 0)
    if where == ctypes.c_void_p(-1).value:
        raise OSError(ctypes.get_errno(), "mmap")
    return where


def calls():
    """Machine code that makes forbidden calls."""
    code = b""
    for number, argument in ((PERSONALITY, UNAME26), (UNSHARE, NEW_USER)):
        code += b"\xb8" + struct.pack("<I", number) + b"\xbf" + struct.pack("<I", argument)
        code += b"\x0f\x05"
    return code


def code_where_restoring_happens():
    """A page that replaces the launcher's code while it runs, and makes its own calls."""
    code = PROGRAM + calls() + b"\xcc"
    ctypes.memmove(map_at(SCRATCH, 4096, READ | WRITE | EXECUTE), code, len(code))


def table_where_restoring_happens():
    """The list of calls, after the code."""
    entry = struct.pack("=8Q", PERSONALITY, UNAME26, *(0,) * 6)
    ctypes.memmove(map_at(SCRATCH + 0x1000, 0x5F000, READ | WRITE), entry * 1000, 64_000)


def sequences_where_restoring_happens():
    """A restartable sequence that covers the launcher's code and aborts into calls."""
    offset = ctypes.c_ssize_t.in_dll(libc, "__rseq_offset").value
    thread = ctypes.c_ulong()
    libc.syscall(ARCH_PRCTL, ARCH_GET_FS, ctypes.byref(thread))
    page = map_at(None, 4096, READ | WRITE | EXECUTE, 0)
    code = struct.pack("<I", 0x53053053) + calls() + b"\xcc"
    ctypes.memmove(page + 64, code, len(code))
    section = struct.pack("=IIQQQ", 0, 0, SCRATCH, 0x80000, page + 68)
    ctypes.memmove(page, section, len(section))

    def aim():
        ctypes.memmove(thread.value + offset + 8, struct.pack("=Q", page), 8)

    before_snapshot(aim)


def thread_number_in_code():
    """Where the kernel and the launcher write the thread's ID: into code."""
    page = map_at(None, 4096, READ | WRITE | EXECUTE, 0)
    libc.syscall(SET_TID_ADDRESS, ctypes.c_void_p(page + 2))


def thread_number_in_reading_code():
    """Overwrite the call in which the process waits."""
    page = map_at(None, 4096, READ | WRITE | EXECUTE, 0)
    code = bytes.fromhex("4889f84889f74889d64889ca4d89c24d89c84c8b4c2408") + b"\x90\x0f\x05\xc3"
    ctypes.memmove(page, code, len(code))
    libc.syscall(SET_TID_ADDRESS, ctypes.c_void_p(page + 24))
    function = ctypes.CFUNCTYPE(ctypes.c_long, *[ctypes.c_long] * 4)(page)
    original = os.read

    def read(fd, size):
        if fd != 4:
            return original(fd, size)
        buffer = ctypes.create_string_buffer(size)
        count = function(0, fd, ctypes.addressof(buffer), size)
        return buffer.raw[: max(count, 0)]

    os.read = read


def registers():
    """A segment's base at the end of the address space."""
    libc.syscall(ARCH_PRCTL, ARCH_SET_GS, ctypes.c_void_p(0x7FFFFFFFEFF0))


def kernels_memory_moved():
    """The kernel's own mappings, moved to the scratch area."""
    with open("/proc/self/maps") as file:
        for line in file.read().split("\n"):
            if line.endswith("[vdso]"):
                start, end = (int(part, 16) for part in line.split()[0].split("-"))
    code = ctypes.string_at(start, end - start)
    libc.mremap(start, end - start, end - start, 3, SCRATCH)
    # The C library still calls it at its old address.
    ctypes.memmove(map_at(start, end - start, READ | WRITE | EXECUTE), code, len(code))


def memory_at_the_ends():
    """The lowest and the highest page that a process may have."""
    for address in (0x10000, 0x7FFFFFFFE000):
        map_at(address, 4096, READ | WRITE)


def sparse_memory():
    """Sixteen terabytes that do not exist."""
    for _ in range(16):
        map_at(None, 1 << 40, READ, NORESERVE)


def spread_memory():
    """Pages in use that are far apart, as many as possible."""
    size, step = 60 << 30, 12 << 20
    start = map_at(None, size, READ | WRITE, NORESERVE)
    libc.madvise(ctypes.c_void_p(start), ctypes.c_size_t(size), NO_HUGE_PAGES)
    for at in range(0, size, step):
        ctypes.memset(start + at, 1, 1)


def full_memory(size_mb=190):
    """As much as there is, in one chunk."""
    kept.append(mmap.mmap(-1, size_mb << 20, flags=mmap.MAP_PRIVATE))
    for at in range(0, len(kept[-1]), 4096):
        kept[-1][at] = 1


def slow_memory():
    """What takes long to capture: much memory, then pages far apart."""
    full_memory(400)
    spread_memory()


def many_mappings():
    """Tens of thousands."""
    start = map_at(None, 40_000 * 4096, READ, 0)
    for at in range(0, 40_000, 2):
        libc.mprotect(ctypes.c_void_p(start + at * 4096), 4096, READ | WRITE)


def many_descriptors():
    """As many as allowed."""
    try:
        while True:
            kept.append(os.open("/dev/null", os.O_RDONLY))
    except OSError:
        pass
    for _ in range(16):
        os.close(kept.pop())


def many_threads():
    """As many as allowed."""
    wait = threading.Event().wait
    try:
        while True:
            threading.Thread(target=wait, daemon=True).start()
    except RuntimeError:
        pass


def many_files():
    """Twenty thousand in /tmp."""
    for number in range(20_000):
        os.close(os.open(f"/tmp/{number}", os.O_CREAT | os.O_WRONLY))


def interruptions():
    """A signal each millisecond."""
    signal.signal(signal.SIGALRM, lambda *_: None)
    before_snapshot(lambda: signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001))


def child_with_the_same_memory():
    """A child that could change the captured memory, created by a signal while the process waits
    for the capture."""
    stack = map_at(None, 4096, READ | WRITE, 0) + 4096
    page = map_at(None, 4096, READ | WRITE | EXECUTE, 0)
    clone = bytes.fromhex("b838000000bf1101000048be") + struct.pack("<Q", stack)
    clone += bytes.fromhex("31d24531d24531c00f0585c07401c3")
    wait = bytes.fromhex("b8220000000f05ebf7")
    ctypes.memmove(page, clone + wait, len(clone + wait))
    libc.signal(signal.SIGALRM, ctypes.c_void_p(page))
    before_snapshot(lambda: signal.setitimer(signal.ITIMER_REAL, 0.001))


def before_snapshot(act):
    """Run something at the last moment."""
    from snapshot_restore_py import register_before_snapshot

    register_before_snapshot(act)


def look():
    """The user, and the kernel's name for it."""
    with open("/proc/self/status") as file:
        status = dict(line.rstrip("\n").split(":", 1) for line in file)
    return {
        "release": os.uname().release,
        "user": os.readlink("/proc/self/ns/user"),
        **{name: status[name].split() for name in ("Uid", "CapEff", "NoNewPrivs", "Seccomp")},
    }
