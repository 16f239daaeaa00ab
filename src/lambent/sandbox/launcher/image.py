"""What a process is at one moment: its memory, registers and the little else that counts.

Taken of a process that waits in a read and whose init has left nothing that cannot be carried:
one thread, no children, no memory shared with others, no connections. All that is read of it is
hostile: it is checked, bounded, and only ever given back to processes that are confined as it was.
"""

import dataclasses
import fcntl
import os
import re
import stat
import struct
from collections.abc import Iterator

from lambent.sandbox.launcher.tracing import Registers, Tracee, again, waits_in_read

PAGE = 4096
WAIT_FD = 4
"""What a process reads from that waits to be captured, and what it goes on to read from."""
_OWN_FDS = range(WAIT_FD + 1)
_MAPPINGS_MAX = 4096
_FILES_MAX = 64
_PATH_MAX = 1024
_SCRATCH_BELOW_STACK = 4096
_SIGNALS = range(1, 65)
_PAGEMAP_AT_ONCE = 1 << 16
_GAP_MAX = 16 * PAGE
_PRESENT, _SWAPPED, _OF_FILE = 1 << 63, 1 << 62, 1 << 61
_SYS_RT_SIGACTION, _SYS_PRCTL, _SYS_SIGALTSTACK, _SYS_LSEEK = 13, 157, 131, 8
_PR_GET_TID_ADDRESS = 40
_SS_DISABLE = 2
_SPECIAL = ("[vdso]", "[vvar]", "[vvar_vclock]")
_MAPPING = re.compile(
    r"([0-9a-f]+)-([0-9a-f]+) ([r-])([w-])([x-])([sp]) ([0-9a-f]+) ([0-9a-f:]+) (\d+) *(.*)"
)
_FILE_ROOTS = (
    "/var/task/",
    "/opt/",
    "/var/runtime/",
    "/var/lang/",
    "/usr/",
    "/lib",
    "/etc/",
    "/dev/",
)


class CannotCapture(Exception):
    """The process has something that cannot be carried; the message says what."""


@dataclasses.dataclass(frozen=True, slots=True)
class Mapping:
    """A part of a process's memory."""

    start: int
    end: int
    protection: int
    """1 read, 2 write, 4 execute."""
    is_shared: bool
    offset: int
    inode: int
    name: str
    """A path, a name in brackets, or empty."""

    @property
    def size(self) -> int:
        return self.end - self.start

    @property
    def is_file(self) -> bool:
        return self.inode != 0


@dataclasses.dataclass(frozen=True, slots=True)
class Run:
    """Consecutive pages that are in the image."""

    start: int
    size: int
    at: int
    """Where in the image."""


@dataclasses.dataclass(frozen=True, slots=True)
class OpenFile:
    """A file that is open for reading."""

    number: int
    path: str
    flags: int
    position: int


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """A captured process."""

    memory_fd: int
    """The pages: a sealed file in memory."""
    size_bytes: int
    registers: Registers
    extended_state: bytes
    signal_mask: bytes
    mappings: tuple[Mapping, ...]
    specials: tuple[Mapping, ...]
    """What the kernel maps into every process."""
    stack: Mapping
    runs: dict[int, tuple[Run, ...]]
    """The pages of each mapping, by its start."""
    stack_pages: tuple[tuple[int, bytes], ...]
    actions: tuple[tuple[int, bytes], ...]
    """What signals do that do not what they do by default."""
    tid_address: int
    sequences: tuple[int, int, int]
    files: tuple[OpenFile, ...]
    dead_sockets: tuple[int, ...]
    umask: int

    def close(self) -> None:
        os.close(self.memory_fd)


def capture(tracee: Tracee, *, bytes_max: int) -> Image:
    """Take the image of a held process, which waits on afterwards. Raises CannotCapture,
    OSError."""
    registers = waits_in_read(tracee, WAIT_FD)
    if registers is None:
        raise CannotCapture("it does not wait to be captured")
    pid = tracee.pid
    if len(os.listdir(f"/proc/{pid}/task")) != 1:
        raise CannotCapture("it has left threads running")
    if os.listdir(f"/proc/{pid}/root/tmp"):
        raise CannotCapture("it has left files in /tmp")
    files, dead_sockets = _open_files(pid)
    everything = _read_mappings(pid)
    specials = tuple(one for one in everything if one.name in _SPECIAL)
    stack = next((one for one in everything if one.start <= registers["rsp"] < one.end), None)
    if stack is None or stack.is_file:
        raise CannotCapture("its stack is not where it should be")
    mappings = tuple(
        one for one in everything if one not in specials and one != stack and one.start < 1 << 47
    )
    for one in mappings:
        _check(one)
    extended_state, signal_mask = tracee.extended_state(), tracee.signal_mask()
    sequences = tracee.restartable_sequences()
    memory_fd = os.memfd_create("snapshot", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        runs, size = _copy_pages(tracee, mappings, memory_fd, bytes_max=bytes_max)
        stack_pages = tuple(
            (start, tracee.read(start, size_)) for start, size_ in _pages(pid, stack)
        )
        actions, tid_address = _ask(tracee, registers)
        tracee.set_registers(again(registers))
        fcntl.fcntl(
            memory_fd,
            fcntl.F_ADD_SEALS,
            fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SEAL,
        )
    except BaseException:
        os.close(memory_fd)
        raise
    return Image(
        memory_fd=memory_fd,
        size_bytes=size,
        registers=registers,
        extended_state=extended_state,
        signal_mask=signal_mask,
        mappings=mappings,
        specials=specials,
        stack=stack,
        runs=runs,
        stack_pages=stack_pages,
        actions=actions,
        tid_address=tid_address,
        sequences=sequences,
        files=files,
        dead_sockets=dead_sockets,
        umask=_umask(pid),
    )


def read_specials(pid: int) -> list[Mapping]:
    """What the kernel has mapped into a process by itself."""
    return [_mapping(line) for line in _lines(pid) if line.endswith(_SPECIAL)]


def _read_mappings(pid: int) -> list[Mapping]:
    lines = _lines(pid)
    if len(lines) > _MAPPINGS_MAX:
        raise CannotCapture("its memory has too many parts")
    return [_mapping(line) for line in lines]


def _lines(pid: int) -> list[str]:
    with open(f"/proc/{pid}/maps", encoding="utf-8", errors="surrogateescape") as file:
        return file.read().split("\n")[:-1]


def _mapping(line: str) -> Mapping:
    match = _MAPPING.fullmatch(line)
    if match is None:
        raise CannotCapture("its memory cannot be described")
    read, write, execute = (match[at] != "-" for at in (3, 4, 5))
    return Mapping(
        start=int(match[1], 16),
        end=int(match[2], 16),
        protection=read | write << 1 | execute << 2,
        is_shared=match[6] == "s",
        offset=int(match[7], 16),
        inode=int(match[9]),
        name=match[10],
    )


def _check(mapping: Mapping) -> None:
    if mapping.is_shared and (not mapping.is_file or mapping.protection & 2):
        raise CannotCapture("it shares memory")
    if mapping.is_file:
        _check_path(mapping.name)


def _check_path(path: str) -> None:
    is_known = path.startswith(_FILE_ROOTS) and len(path) < _PATH_MAX
    if not is_known or "\\" in path or path.endswith(" (deleted)") or not path.isprintable():
        raise CannotCapture(f"it uses the file {path[:100]!r}")


def _open_files(pid: int) -> tuple[tuple[OpenFile, ...], tuple[int, ...]]:
    """Files to open again, and the numbers of sockets, which cannot be."""
    files: list[OpenFile] = []
    sockets: list[int] = []
    numbers = [int(name) for name in os.listdir(f"/proc/{pid}/fd")]
    if len(numbers) > _FILES_MAX:
        raise CannotCapture("it has too many files open")
    for number in numbers:
        if number in _OWN_FDS:
            continue
        target = os.readlink(f"/proc/{pid}/fd/{number}")
        kind = os.stat(f"/proc/{pid}/fd/{number}").st_mode
        with open(f"/proc/{pid}/fdinfo/{number}") as info:
            described = dict(line.split(":", 1) for line in info if ":" in line)
        flags, position = int(described["flags"], 8), int(described["pos"])
        if stat.S_ISSOCK(kind):
            sockets.append(number)
        elif stat.S_ISREG(kind) and flags & os.O_ACCMODE == os.O_RDONLY:
            _check_path(target)
            files.append(OpenFile(number, target, flags & os.O_CLOEXEC, position))
        elif stat.S_ISCHR(kind) and target.startswith("/dev/"):
            files.append(OpenFile(number, target, flags & (os.O_ACCMODE | os.O_CLOEXEC), 0))
        else:
            raise CannotCapture(f"it has {target[:100]!r} open")
    return tuple(files), tuple(sockets)


def _umask(pid: int) -> int:
    with open(f"/proc/{pid}/status") as status:
        for line in status:
            if line.startswith("Umask:"):
                return int(line.split()[1], 8)
    return 0o022


def _copy_pages(
    tracee: Tracee, mappings: tuple[Mapping, ...], memory_fd: int, *, bytes_max: int
) -> tuple[dict[int, tuple[Run, ...]], int]:
    """Copy the pages that are the process's own."""
    runs: dict[int, tuple[Run, ...]] = {}
    at = 0
    for mapping in mappings:
        if mapping.protection == 0 and not mapping.is_file:
            continue
        found: list[Run] = []
        for start, size in _merged(_pages(tracee.pid, mapping)):
            if at + size > bytes_max:
                raise CannotCapture("it uses more memory than it may")
            os.pwrite(memory_fd, tracee.read(start, size), at)
            found.append(Run(start, size, at))
            at += size
        if found:
            runs[mapping.start] = tuple(found)
    return runs, at


def _merged(pages: Iterator[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """The same with small gaps filled: they read as what is there, and fewer parts are mapped
    faster."""
    begin, end = 0, 0
    for start, size in pages:
        if end and start - end <= _GAP_MAX:
            end = start + size
            continue
        if end:
            yield begin, end - begin
        begin, end = start, start + size
    if end:
        yield begin, end - begin


def _pages(pid: int, mapping: Mapping) -> Iterator[tuple[int, int]]:
    """Start and size of what is the process's own in a mapping: neither untouched nor as it is in
    a file."""
    begin: int | None = None
    with open(f"/proc/{pid}/pagemap", "rb", buffering=0) as pagemap:
        for first in range(mapping.start, mapping.end, PAGE * _PAGEMAP_AT_ONCE):
            count = min(_PAGEMAP_AT_ONCE, (mapping.end - first) // PAGE)
            pagemap.seek(first // PAGE * 8)
            entries = struct.unpack(f"={count}Q", pagemap.read(count * 8))
            for index, entry in enumerate(entries):
                is_own = bool(entry & (_PRESENT | _SWAPPED)) and not entry & _OF_FILE
                address = first + index * PAGE
                if is_own and begin is None:
                    begin = address
                elif not is_own and begin is not None:
                    yield begin, address - begin
                    begin = None
    if begin is not None:
        yield begin, mapping.end - begin


def _ask(tracee: Tracee, registers: Registers) -> tuple[tuple[tuple[int, bytes], ...], int]:
    """What only the process itself can be asked: actions of signals, where its thread's id is."""
    instruction = registers["rip"] - 2
    scratch = (registers["rsp"] - _SCRATCH_BELOW_STACK) & ~0xFFF
    tracee.call(instruction, _SYS_SIGALTSTACK, 0, scratch)
    if not struct.unpack_from("=Qi", tracee.read(scratch, 24))[1] & _SS_DISABLE:
        raise CannotCapture("it has a stack of its own for signals")
    actions = []
    for number in _SIGNALS:
        if number in (9, 19, 32, 33):
            continue
        tracee.call(instruction, _SYS_RT_SIGACTION, number, 0, scratch, 8)
        action = tracee.read(scratch, 32)
        if action != bytes(32):
            actions.append((number, action))
    tracee.call(instruction, _SYS_PRCTL, _PR_GET_TID_ADDRESS, scratch)
    (tid_address,) = struct.unpack("=Q", tracee.read(scratch, 8))
    return tuple(actions), tid_address
