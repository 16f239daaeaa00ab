"""The captured state of a process: memory, registers, signal actions and open files.

An image is plain data. `describe` and `parse` carry it from the child that captures a process to
the launcher. Its content comes from a hostile process: `image_rules.check` decides whether it may
be restored.
"""

import dataclasses
import json
import os
from typing import Any, BinaryIO

PAGE = 4096
WAIT_FD = 4
"""Descriptor that a process reads from while it waits to be captured, and continues to read
from."""
SPECIAL = ("[vdso]", "[vvar]", "[vvar_vclock]")
"""What the kernel maps into every process."""
REGISTERS = (
    *("r15", "r14", "r13", "r12", "rbp", "rbx", "r11", "r10", "r9", "r8", "rax", "rcx", "rdx"),
    *("rsi", "rdi", "orig_rax", "rip", "cs", "eflags", "rsp", "ss", "fs_base", "gs_base"),
    *("ds", "es", "fs", "gs"),
)
"""The general registers, in the kernel's order."""
Registers = dict[str, int]


class CannotCapture(Exception):
    """The process has something that cannot be captured; the message names it."""


@dataclasses.dataclass(frozen=True, slots=True)
class Mapping:
    """A mapping of a process's memory."""

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
    """Consecutive pages that are stored in the image."""

    start: int
    size: int
    at: int
    """Offset in the image."""


@dataclasses.dataclass(frozen=True, slots=True)
class OpenFile:
    """An open file."""

    number: int
    path: str
    flags: int
    position: int


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """A captured process, without the pages themselves."""

    size_bytes: int
    """Size of the pages."""
    registers: Registers
    extended_state: bytes
    signal_mask: bytes
    mappings: tuple[Mapping, ...]
    """Sorted by address; without `specials` and the stack."""
    specials: tuple[Mapping, ...]
    stack: Mapping
    runs: dict[int, tuple[Run, ...]]
    """The pages of each mapping, including the stack, by the start of the mapping."""
    actions: tuple[tuple[int, bytes], ...]
    """Signals whose action is not the default, with their action."""
    tid_address: int
    sequences: tuple[int, int, int]
    """Address, size and signature of the restartable sequences area; zeros if there is none."""
    files: tuple[OpenFile, ...]
    dead_sockets: tuple[int, ...]
    umask: int

    def describe(self) -> bytes:
        """Return the image as JSON."""
        return json.dumps(dataclasses.asdict(self), default=bytes.hex).encode()


def parse(description: bytes) -> Image:
    """Parse the result of `describe`. Raises ValueError, KeyError, TypeError."""
    try:
        fields: dict[str, Any] = json.loads(description)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    return Image(
        size_bytes=fields["size_bytes"],
        registers=fields["registers"],
        extended_state=bytes.fromhex(fields["extended_state"]),
        signal_mask=bytes.fromhex(fields["signal_mask"]),
        mappings=tuple(Mapping(**mapping) for mapping in fields["mappings"]),
        specials=tuple(Mapping(**special) for special in fields["specials"]),
        stack=Mapping(**fields["stack"]),
        runs={
            int(start): tuple(Run(**run) for run in runs) for start, runs in fields["runs"].items()
        },
        actions=tuple((number, bytes.fromhex(action)) for number, action in fields["actions"]),
        tid_address=fields["tid_address"],
        sequences=tuple(fields["sequences"]),
        files=tuple(OpenFile(**file) for file in fields["files"]),
        dead_sockets=tuple(fields["dead_sockets"]),
        umask=fields["umask"],
    )


def make_memory(name: str) -> BinaryIO:
    """Create a file in memory. It is an object, because a bare number may belong to another file
    after it is closed."""
    fd = os.memfd_create(name, os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    return os.fdopen(fd, "r+b", buffering=0)
