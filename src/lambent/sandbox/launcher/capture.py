"""Captures the image of a process (SnapStart).

The process waits in a read of `WAIT_FD` and is stopped by ptrace, so nothing in it changes. It has
one thread, no children, no shared memory, no connections and no files in `/tmp`: what cannot be
restored is a reason to refuse (`CannotCapture`).

What is stored is what only this process has:

- the *mappings* from `/proc/PID/maps`: addresses, protection and file names;
- the *pages* that differ from their file or are no longer untouched. `/proc/PID/pagemap` tells them
  apart. Neighboring pages form *runs*, small gaps between runs are filled, and the bytes go to a
  sealed file in memory. Pages that still equal their file are not stored, because the same file is
  mapped again;
- registers, signal mask and floating point state, through ptrace;
- signal actions and the address of the thread ID: only the process can ask the kernel for these, so
  it makes a few system calls before it continues to wait;
- open files and their positions; sockets only as numbers.

Time and memory are bounded, whatever the process has done to itself: at most `MAPPINGS_MAX`
mappings, `RUNS_MAX` runs and `bytes_max` bytes, copied a chunk at a time. Equal entries of the
pagemap are skipped in blocks, because a function can map far more memory than it uses.
"""

import fcntl
import os
import re
import stat
import struct
import sys
from collections.abc import Iterator, Sequence
from typing import BinaryIO, TextIO

from lambent.sandbox.launcher import image_rules as rules
from lambent.sandbox.launcher.image import (
    PAGE,
    SPECIAL,
    WAIT_FD,
    CannotCapture,
    Image,
    Mapping,
    OpenFile,
    Registers,
    Run,
)
from lambent.sandbox.launcher.tracing import Tracee, again, waits_in_read

_OWN_FDS = range(WAIT_FD + 1)
_SCRATCH_BELOW_STACK = 4096
_PAGEMAP_AT_ONCE = 1 << 16
_LOOKED_AT = 512
_COPIED_AT_ONCE = 1 << 20
_GAP_MAX = 16 * PAGE
_PRESENT, _SWAPPED, _OF_FILE = 1 << 63, 1 << 62, 1 << 61
_SYS_RT_SIGACTION, _SYS_PRCTL, _SYS_SIGALTSTACK = 13, 157, 131
_PR_GET_TID_ADDRESS = 40
_SS_DISABLE = 2
_SEALS = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SEAL
_MAPPING = re.compile(
    r"([0-9a-f]+)-([0-9a-f]+) ([r-])([w-])([x-])([sp]) ([0-9a-f]+) ([0-9a-f:]+) (\d+) *(.*)"
)


def capture(tracee: Tracee, memory: BinaryIO, *, bytes_max: int) -> Image:
    """Capture the image of a held process, which continues to wait afterwards. Its pages go to
    `memory`. Raises CannotCapture, OSError."""
    registers = waits_in_read(tracee, WAIT_FD)
    if registers is None:
        raise CannotCapture("the runtime did not reach the snapshot point")
    pid = tracee.pid
    if len(os.listdir(f"/proc/{pid}/task")) != 1:
        raise CannotCapture("it has left threads running")
    with os.scandir(f"/proc/{pid}/root/tmp") as left:
        if any(left):
            raise CannotCapture("it has left files in /tmp")
    files, dead_sockets = _open_files(pid)
    everything = _read_mappings(pid)
    specials = tuple(mapping for mapping in everything if mapping.name in SPECIAL)
    stack = next(
        (mapping for mapping in everything if mapping.start <= registers["rsp"] < mapping.end), None
    )
    if stack is None:
        raise CannotCapture("its stack is not where it should be")
    mappings = tuple(
        mapping
        for mapping in everything
        if mapping not in specials and mapping != stack and not rules.is_emulated(mapping)
    )
    # Before any of its memory is read.
    rules.check_memory(mappings, specials, stack)
    extended_state, signal_mask = tracee.extended_state(), tracee.signal_mask()
    sequences = tracee.restartable_sequences()
    runs, size = _copy_pages(tracee, [*mappings, stack], memory, bytes_max=bytes_max)
    fcntl.fcntl(memory, fcntl.F_ADD_SEALS, _SEALS)
    actions, tid_address = _ask(tracee, registers)
    tracee.set_registers(again(registers))
    return Image(
        size_bytes=size,
        registers=registers,
        extended_state=extended_state,
        signal_mask=signal_mask,
        mappings=mappings,
        specials=specials,
        stack=stack,
        runs=runs,
        actions=actions,
        tid_address=tid_address,
        sequences=sequences,
        files=files,
        dead_sockets=dead_sockets,
        umask=_umask(pid),
    )


def is_sealed(memory: BinaryIO) -> bool:
    """Whether the pages can no longer be changed."""
    return fcntl.fcntl(memory, fcntl.F_GET_SEALS) == _SEALS


def read_specials(pid: int) -> list[Mapping]:
    """Return the mappings that the kernel itself made in a process."""
    with _open_maps(pid) as lines:
        return [_mapping(line) for line in lines if line.rstrip("\n").endswith(SPECIAL)]


def _read_mappings(pid: int) -> list[Mapping]:
    found: list[Mapping] = []
    with _open_maps(pid) as lines:
        for line in lines:
            if len(found) > rules.MAPPINGS_MAX:
                raise CannotCapture("its memory has too many parts")
            found.append(_mapping(line))
    return found


def _open_maps(pid: int) -> TextIO:
    return open(f"/proc/{pid}/maps", encoding="utf-8", errors="surrogateescape", newline="\n")


def _mapping(line: str) -> Mapping:
    match = _MAPPING.fullmatch(line.removesuffix("\n"))
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


def _open_files(pid: int) -> tuple[tuple[OpenFile, ...], tuple[int, ...]]:
    """Return the files to open again, and the numbers of sockets, which cannot be opened again."""
    files: list[OpenFile] = []
    sockets: list[int] = []
    numbers = [int(name) for name in os.listdir(f"/proc/{pid}/fd")]
    if len(numbers) > rules.FILES_MAX:
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
    tracee: Tracee, mappings: Sequence[Mapping], memory: BinaryIO, *, bytes_max: int
) -> tuple[dict[int, tuple[Run, ...]], int]:
    """Copy the pages that are the process's own."""
    runs: dict[int, tuple[Run, ...]] = {}
    at = count = 0
    for mapping in mappings:
        if not rules.is_copied(mapping):
            continue
        found: list[Run] = []
        for start, size in _merged(_pages(tracee.pid, mapping)):
            count += 1
            if count > rules.RUNS_MAX:
                raise CannotCapture("its memory has too many parts")
            if at + size > bytes_max:
                raise CannotCapture("it uses more memory than it may")
            _copy(tracee, memory, start, size, at)
            found.append(Run(start, size, at))
            at += size
        if found:
            runs[mapping.start] = tuple(found)
    return runs, at


def _copy(tracee: Tracee, memory: BinaryIO, start: int, size: int, at: int) -> None:
    """Copy a run of pages, a chunk at a time."""
    for done in range(0, size, _COPIED_AT_ONCE):
        chunk = tracee.read(start + done, min(_COPIED_AT_ONCE, size - done))
        if os.pwrite(memory.fileno(), chunk, at + done) != len(chunk):
            raise OSError("the host has no memory for its pages")


def _merged(pages: Iterator[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Fill small gaps: the filled pages read the same, and fewer runs are mapped faster."""
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
    """Yield start and size of the process's own pages in a mapping: neither untouched nor equal to
    a file."""
    begin: int | None = None
    for address, entry in _entries(pid, mapping):
        is_own = bool(entry & (_PRESENT | _SWAPPED)) and not entry & _OF_FILE
        if is_own and begin is None:
            begin = address
        elif not is_own and begin is not None:
            yield begin, address - begin
            begin = None
    if begin is not None:
        yield begin, mapping.end - begin


def _entries(pid: int, mapping: Mapping) -> Iterator[tuple[int, int]]:
    """Yield addresses with the kernel's entry for the page: for each page, but only for the first
    of a block of equal entries. A function can map far more than it uses."""
    with open(f"/proc/{pid}/pagemap", "rb", buffering=0) as pagemap:
        for first in range(mapping.start, mapping.end, PAGE * _PAGEMAP_AT_ONCE):
            count = min(_PAGEMAP_AT_ONCE, (mapping.end - first) // PAGE)
            pagemap.seek(first // PAGE * 8)
            entries = pagemap.read(count * 8)
            if len(entries) != count * 8:
                raise OSError("its memory cannot be described")
            for at in range(0, len(entries), _LOOKED_AT * 8):
                part = entries[at : at + _LOOKED_AT * 8]
                address = first + at // 8 * PAGE
                if part == part[:8] * (len(part) // 8):
                    yield address, int.from_bytes(part[:8], sys.byteorder)
                else:
                    for index, (entry,) in enumerate(struct.iter_unpack("=Q", part)):
                        yield address + index * PAGE, entry


def _ask(tracee: Tracee, registers: Registers) -> tuple[tuple[tuple[int, bytes], ...], int]:
    """Ask what only the process itself can tell: signal actions, and the address of its thread
    ID."""
    instruction = registers["rip"] - 2
    scratch = (registers["rsp"] - _SCRATCH_BELOW_STACK) & ~0xFFF
    tracee.call(instruction, _SYS_SIGALTSTACK, 0, scratch)
    if not struct.unpack_from("=Qi", tracee.read(scratch, 24))[1] & _SS_DISABLE:
        raise CannotCapture("it has a stack of its own for signals")
    actions = []
    for number in rules.SIGNALS:
        tracee.call(instruction, _SYS_RT_SIGACTION, number, 0, scratch, 8)
        action = tracee.read(scratch, 32)
        if action != bytes(32):
            actions.append((number, action))
    tracee.call(instruction, _SYS_PRCTL, _PR_GET_TID_ADDRESS, scratch)
    (tid_address,) = struct.unpack("=Q", tracee.read(scratch, 8))
    return tuple(actions), tid_address
