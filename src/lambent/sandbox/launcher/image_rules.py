"""Decides which images may be restored into a process.

A hostile process chose every number of an image: it can change its memory, its registers and what
`/proc` shows about it until the moment it is stopped. The launcher's code later maps this memory
and writes to it inside another process, so a number that looks harmless may be an attack:

- memory at the addresses of the *scratch* area, where the restore code runs, would replace that
  code;
- a thread ID, a restartable sequence or a signal action at the address of code would make the
  kernel or the launcher write into code, or redirect the restore code into the function's;
- segment registers and flags can put the processor into a mode that no ordinary program uses;
- millions of mappings or runs of pages would keep the restore busy, and offsets and sizes can
  overflow the arithmetic.

So the rules do not look for attacks. They describe what an ordinary 64-bit program looks like, and
reject everything else: where memory may be, in order and without overlap; which files it may come
from; which registers may have which values; where the kernel may write. `check` is a pure function
over the parsed image. It runs once per image, in the launcher, before anything is mapped.
`check_memory` also runs during the capture, before memory is copied.

The message of a rejection reaches the log of the publication (`SNAPSHOT_SKIPPED`); the version is
then initialized for each environment. Even an image that passes these rules gains no privilege: see
`restore`. `make fuzz-snapshots` tries both.
"""

import os
from collections.abc import Iterable, Sequence

from lambent.sandbox.launcher.image import (
    PAGE,
    REGISTERS,
    SPECIAL,
    WAIT_FD,
    CannotCapture,
    Image,
    Mapping,
    OpenFile,
    Run,
)

SCRATCH, SCRATCH_BYTES = 0x100000, 0x80000
"""The area that the restore code uses in a process that becomes an image: below everything that
programs use."""
LOWEST, HIGHEST = 0x10000, 0x7FFFFFFFF000
"""The part of the address space that processes may use."""
MAPPINGS_MAX = 4096
RUNS_MAX = 4096
FILES_MAX = 64
SIGNALS = [number for number in range(1, 65) if number not in (9, 19, 32, 33)]
"""Signals whose action a program may change; the C library uses 32 and 33."""

_COPIED_BYTES_MAX = 64 << 30
"""How much memory may be scanned for pages in use."""
_VSYSCALL = 0xFFFFFFFFFF600000
_SPECIAL_BYTES_MAX = 1 << 20
_OFFSET_MAX = 1 << 62
_FD_MAX = 1023
_PATH_MAX = 1024
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
_READ, _WRITE, _EXECUTE = 1, 2, 4
_SEGMENTS = {"cs": 0x33, "ss": 0x2B, "ds": 0, "es": 0, "fs": 0, "gs": 0}
"""Values in a 64-bit program."""
_EFLAGS = 0x1 | 0x2 | 0x4 | 0x10 | 0x40 | 0x80 | 0x200 | 0x400 | 0x800
"""The arithmetic flags, the direction flag, and the two that are always set."""
_XSTATE_BYTES = range(576, (16 << 10) + 1)
_SEQUENCES_BYTES = range(32, 513)
_SEQUENCES_ALIGNMENT = 32


def check(image: Image) -> None:
    """Check a whole image. Raises CannotCapture, which says what is wrong."""
    check_memory(image.mappings, image.specials, image.stack)
    _check_runs(image)
    _check_registers(image)
    _check_areas(image)
    _check_signals(image)
    _check_files(image)
    if not 0 <= image.umask <= 0o777:
        raise CannotCapture(f"its umask is {image.umask:#o}")


def check_memory(mappings: Sequence[Mapping], specials: Sequence[Mapping], stack: Mapping) -> None:
    """Check that memory can be laid out like that. Raises CannotCapture."""
    everything = sorted([*mappings, *specials, stack], key=lambda mapping: mapping.start)
    if len(everything) > MAPPINGS_MAX:
        raise CannotCapture("its memory has too many parts")
    end = LOWEST
    for mapping in everything:
        if mapping.start % PAGE or mapping.end % PAGE or mapping.start >= mapping.end:
            raise CannotCapture(f"its memory cannot be described at {mapping.start:#x}")
        if mapping.start < end or mapping.end > HIGHEST:
            raise CannotCapture(f"its memory is in an unusual place, {mapping.start:#x}")
        if mapping.start < SCRATCH + SCRATCH_BYTES and mapping.end > SCRATCH:
            raise CannotCapture(f"it uses memory that restoring needs, at {mapping.start:#x}")
        if not 0 <= mapping.protection <= _READ | _WRITE | _EXECUTE:
            raise CannotCapture(f"its memory cannot be described at {mapping.start:#x}")
        end = mapping.end
    for mapping in mappings:
        _check_mapping(mapping)
    if stack.is_file or stack.is_shared or stack.protection & 3 != _READ | _WRITE:
        raise CannotCapture("its stack is not where it should be")
    names = [special.name for special in specials]
    if len(set(names)) != len(names) or not set(names) <= set(SPECIAL):
        raise CannotCapture("it has moved what the kernel maps")
    if any(special.size > _SPECIAL_BYTES_MAX for special in specials):
        raise CannotCapture("it has moved what the kernel maps")
    if (
        sum(mapping.size for mapping in mappings if is_copied(mapping)) + stack.size
        > _COPIED_BYTES_MAX
    ):
        raise CannotCapture(f"it has mapped more than {_COPIED_BYTES_MAX >> 30} GiB of memory")


def is_copied(mapping: Mapping) -> bool:
    """Whether a mapping may contain pages of the process's own."""
    return mapping.protection != 0 or mapping.is_file


def is_emulated(mapping: Mapping) -> bool:
    """Whether it is the page that the kernel emulates in every process (vsyscall)."""
    return mapping.start == _VSYSCALL and mapping.name == "[vsyscall]"


def _check_mapping(mapping: Mapping) -> None:
    if mapping.is_shared and (not mapping.is_file or mapping.protection & _WRITE):
        raise CannotCapture("it shares memory")
    if mapping.is_file:
        _check_path(mapping.name)
        if mapping.offset % PAGE or not 0 <= mapping.offset <= _OFFSET_MAX:
            raise CannotCapture(f"its memory cannot be described at {mapping.start:#x}")


def _check_path(path: str) -> None:
    is_known = path.startswith(_FILE_ROOTS) and len(path) < _PATH_MAX
    is_plain = path.isprintable() and "\\" not in path and os.path.normpath(path) == path
    if not is_known or not is_plain or path.endswith(" (deleted)"):
        raise CannotCapture(f"it uses the file {path[:100]!r}")


def _check_runs(image: Image) -> None:
    mappings = {mapping.start: mapping for mapping in (*image.mappings, image.stack)}
    if sum(map(len, image.runs.values())) > RUNS_MAX:
        raise CannotCapture("its memory has too many parts")
    found: list[Run] = []
    for start, runs in image.runs.items():
        mapping = mappings.get(start)
        if mapping is None:
            raise CannotCapture(f"there are pages where no memory is, at {start:#x}")
        end = mapping.start
        for run in runs:
            if run.size <= 0 or run.start % PAGE or run.size % PAGE or run.at % PAGE:
                raise CannotCapture(f"its pages cannot be described at {run.start:#x}")
            if run.start < end or run.start + run.size > mapping.end:
                raise CannotCapture(f"there are pages where no memory is, at {run.start:#x}")
            end = run.start + run.size
            found.append(run)
    at = 0
    for run in sorted(found, key=lambda run: run.at):
        if run.at != at:
            raise CannotCapture("its pages are not those that were copied")
        at += run.size
    if at != image.size_bytes:
        raise CannotCapture("its pages are not those that were copied")


def _check_registers(image: Image) -> None:
    registers = image.registers
    if set(registers) != set(REGISTERS) or not all(
        0 <= value < 1 << 64 for value in registers.values()
    ):
        raise CannotCapture("its registers cannot be described")
    if registers["orig_rax"] != 0 or registers["rdi"] != WAIT_FD:
        raise CannotCapture("the runtime did not reach the snapshot point")
    for name, usual in _SEGMENTS.items():
        if registers[name] != usual:
            raise CannotCapture(f"its register {name} is {registers[name]:#x}")
    if registers["eflags"] & ~_EFLAGS:
        raise CannotCapture(f"its flags are {registers['eflags']:#x}")
    for name in ("fs_base", "gs_base"):
        if registers[name] >= HIGHEST:
            raise CannotCapture(f"its register {name} is {registers[name]:#x}")
    code = (*image.mappings, *image.specials)
    if not _is_within(registers["rip"] - 2, 4, code, _EXECUTE):
        raise CannotCapture(f"its code is not where it should be, {registers['rip']:#x}")
    if not image.stack.start <= registers["rsp"] < image.stack.end:
        raise CannotCapture("its stack is not where it should be")
    if len(image.extended_state) not in _XSTATE_BYTES or len(image.extended_state) % 8:
        raise CannotCapture("its registers cannot be described")


def _check_areas(image: Image) -> None:
    """Check addresses that the kernel or the launcher will write to: they must be the process's own
    data."""
    memory = [
        mapping
        for mapping in (*image.mappings, image.stack)
        if mapping.protection == _READ | _WRITE and not mapping.is_shared
    ]
    thread = image.tid_address
    if thread and (thread % 4 or not _is_within(thread, 4, memory, _WRITE)):
        raise CannotCapture(f"its thread's number is in an unusual place, {thread:#x}")
    address, size, signature = image.sequences
    if not address:
        return
    if (
        size not in _SEQUENCES_BYTES
        or address % _SEQUENCES_ALIGNMENT
        or not 0 <= signature < 1 << 32
        or not _is_within(address, size, memory, _WRITE)
    ):
        raise CannotCapture(f"its restartable sequences are in an unusual place, {address:#x}")


def _is_within(address: int, size: int, memory: Iterable[Mapping], protection: int) -> bool:
    return any(
        mapping.start <= address
        and address + size <= mapping.end
        and mapping.protection & protection
        for mapping in memory
    )


def _check_signals(image: Image) -> None:
    numbers = [number for number, _ in image.actions]
    if len(set(numbers)) != len(numbers) or not set(numbers) <= set(SIGNALS):
        raise CannotCapture("its signals cannot be described")
    if any(len(action) != 32 for _, action in image.actions) or len(image.signal_mask) != 8:
        raise CannotCapture("its signals cannot be described")


def _check_files(image: Image) -> None:
    numbers = [*(file.number for file in image.files), *image.dead_sockets]
    if len(numbers) > FILES_MAX:
        raise CannotCapture("it has too many files open")
    if len(set(numbers)) != len(numbers) or not all(
        WAIT_FD < number <= _FD_MAX for number in numbers
    ):
        raise CannotCapture("its open files cannot be described")
    for file in image.files:
        _check_open_file(file)


def _check_open_file(file: OpenFile) -> None:
    _check_path(file.path)
    access = file.flags & os.O_ACCMODE
    may_write = file.path.startswith("/dev/")
    if file.flags & ~(os.O_ACCMODE | os.O_CLOEXEC) or (access != os.O_RDONLY and not may_write):
        raise CannotCapture(f"it has {file.path[:100]!r} open")
    if not 0 <= file.position <= _OFFSET_MAX:
        raise CannotCapture(f"its place in {file.path[:100]!r} cannot be described")
