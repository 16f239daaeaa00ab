"""What a process is at one moment: its memory, registers and the little else that counts.

An image is plain data: `describe` and `parse` carry it from the process that takes it to the
launcher. Whatever is in it comes from a hostile process; `image_rules.check` says whether it may
be given to another.
"""

import dataclasses
import json
import os
from typing import Any, BinaryIO

PAGE = 4096
WAIT_FD = 4
"""What a process reads from that waits to be captured, and what it goes on to read from."""
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
    """A file that is open."""

    number: int
    path: str
    flags: int
    position: int


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """A captured process, without the pages themselves."""

    size_bytes: int
    """Of the pages."""
    registers: Registers
    extended_state: bytes
    signal_mask: bytes
    mappings: tuple[Mapping, ...]
    """By address; neither `specials` nor the stack."""
    specials: tuple[Mapping, ...]
    stack: Mapping
    runs: dict[int, tuple[Run, ...]]
    """The pages of each mapping, the stack's too, by its start."""
    actions: tuple[tuple[int, bytes], ...]
    """What signals do that do not what they do by default."""
    tid_address: int
    sequences: tuple[int, int, int]
    """Address, size and signature of the area for restartable sequences; zeros without one."""
    files: tuple[OpenFile, ...]
    dead_sockets: tuple[int, ...]
    umask: int

    def describe(self) -> bytes:
        """The same as JSON."""
        return json.dumps(dataclasses.asdict(self), default=bytes.hex).encode()


def parse(description: bytes) -> Image:
    """What `describe` has described. Raises ValueError, KeyError, TypeError."""
    try:
        fields: dict[str, Any] = json.loads(description)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    return Image(
        size_bytes=fields["size_bytes"],
        registers=fields["registers"],
        extended_state=bytes.fromhex(fields["extended_state"]),
        signal_mask=bytes.fromhex(fields["signal_mask"]),
        mappings=tuple(Mapping(**one) for one in fields["mappings"]),
        specials=tuple(Mapping(**one) for one in fields["specials"]),
        stack=Mapping(**fields["stack"]),
        runs={
            int(start): tuple(Run(**one) for one in runs) for start, runs in fields["runs"].items()
        },
        actions=tuple((number, bytes.fromhex(action)) for number, action in fields["actions"]),
        tid_address=fields["tid_address"],
        sequences=tuple(fields["sequences"]),
        files=tuple(OpenFile(**one) for one in fields["files"]),
        dead_sockets=tuple(fields["dead_sockets"]),
        umask=fields["umask"],
    )


def make_memory(name: str) -> BinaryIO:
    """A file in memory. As an object: a mere number might be another file's once it is closed."""
    fd = os.memfd_create(name, os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    return os.fdopen(fd, "r+b", buffering=0)
