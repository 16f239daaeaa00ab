"""Giving the memory of a captured process to one that is new.

The new process is confined already and stays what it is to the kernel: user, namespaces, groups,
filter, descriptors 0 to 4. It waits in a read, as the captured one did. All of its memory is thrown
away, that of the image is mapped in its place, copied only where it is written to, and the process
goes on to read from its own descriptor where the captured one waited.
"""

import array
import dataclasses
import os
import socket
import struct
from collections.abc import Iterable

from lambent.sandbox.launcher.image import WAIT_FD, Image, Mapping, read_specials
from lambent.sandbox.launcher.tracing import Program, Tracee, again, waits_in_read

_SCRATCH = 0x100000
"""Where the work is done: below all that programs use."""
_SCRATCH_BYTES = 0x80000
_TABLE, _TEXTS, _MESSAGE = _SCRATCH + 0x1000, _SCRATCH + 0x60000, _SCRATCH + 0x800
_TABLE_BYTES, _TEXTS_BYTES = _TEXTS - _TABLE, _SCRATCH_BYTES - 0x60000
_LOWEST, _HIGHEST = 0x10000, 0x7FFFFFFFF000
_STACK_BYTES = 8 * 1024 * 1024
_PROT_ALL = 7
_MAP_PRIVATE, _MAP_FIXED, _MAP_ANONYMOUS, _MAP_NORESERVE = 0x02, 0x10, 0x20, 0x4000
_MREMAP_TO = 0x1 | 0x2
_FIXED = _MAP_PRIVATE | _MAP_FIXED
_ANONYMOUS = _FIXED | _MAP_ANONYMOUS
_NO_FD = -1
_IMAGE_FD = WAIT_FD + 1
"""What the image's pages are to the process while they are mapped: its lowest free number."""
_RSEQ_UNREGISTER = 1
_SYS_OPEN, _SYS_CLOSE, _SYS_LSEEK, _SYS_MMAP, _SYS_MUNMAP = 2, 3, 8, 9, 11
_SYS_RT_SIGACTION, _SYS_MREMAP, _SYS_SOCKET, _SYS_RECVMSG = 13, 25, 41, 47
_SYS_CHDIR, _SYS_UMASK, _SYS_GETTID = 80, 95, 186
_SYS_SET_TID_ADDRESS, _SYS_DUP3, _SYS_RSEQ = 218, 292, 334
_AF_UNIX, _SOCK_STREAM = 1, 1


class Snapshot:
    """An image with what it takes to give it away again and again."""

    def __init__(self, image: Image) -> None:
        self.image = image
        self._recipes: dict[tuple[Mapping, ...], _Recipe] = {}
        """By what the kernel has mapped where: the same for all children of one zygote."""

    def give_to(self, tracee: Tracee, control: socket.socket) -> None:
        """Make a held process go on as the image, once it is let go; `control` is the other end of
        what it reads from. Raises OSError."""
        image = self.image
        registers = waits_in_read(tracee, WAIT_FD)
        if registers is None:
            raise OSError("it does not wait for its assignment")
        recipe = self._recipe(tuple(read_specials(tracee.pid)))
        instruction = registers["rip"] - 2
        tracee.call(
            instruction, _SYS_MMAP, _SCRATCH, _SCRATCH_BYTES, _PROT_ALL, _ANONYMOUS, _NO_FD, 0
        )
        _hand_over(tracee, instruction, control, image.memory_fd)
        thread_id = tracee.call(instruction, _SYS_GETTID)
        address, size, signature = tracee.restartable_sequences()
        if address:
            tracee.call(instruction, _SYS_RSEQ, address, size, _RSEQ_UNREGISTER, signature)
        tracee.write(_SCRATCH, Program.CODE)
        tracee.write(_TABLE, recipe.table)
        tracee.write(_TEXTS, recipe.texts)
        recipe.program.run(tracee, _SCRATCH, _TABLE)
        for start, data in image.stack_pages:
            tracee.write(start, data)
        tracee.write(image.tid_address, struct.pack("=i", thread_id))
        tracee.set_registers(image.registers)
        tracee.call(image.registers["rip"] - 2, _SYS_MUNMAP, _SCRATCH, _SCRATCH_BYTES)
        tracee.set_extended_state(image.extended_state)
        tracee.set_signal_mask(image.signal_mask)
        tracee.set_registers(again(image.registers))

    def _recipe(self, specials: tuple[Mapping, ...]) -> "_Recipe":
        recipe = self._recipes.get(specials)
        if recipe is None:
            recipe = self._recipes[specials] = _make_recipe(self.image, specials)
        return recipe


@dataclasses.dataclass(frozen=True, slots=True)
class _Recipe:
    """The calls a process has to make, and the texts these refer to."""

    program: Program
    table: bytes
    texts: bytes


class _Texts:
    """Paths and the like that calls refer to."""

    def __init__(self) -> None:
        self.data = b""
        self._paths: dict[str, int] = {}

    def keep(self, data: bytes) -> int:
        """Where it will be."""
        self.data += bytes(-len(self.data) % 8)
        address = _TEXTS + len(self.data)
        self.data += data
        return address

    def path(self, text: str) -> int:
        """Where a path will be."""
        if text not in self._paths:
            self._paths[text] = self.keep(os.fsencode(text) + b"\0")
        return self._paths[text]


def _hand_over(tracee: Tracee, instruction: int, control: socket.socket, memory_fd: int) -> None:
    """Have the process receive the image's pages as `_IMAGE_FD`."""
    rights = array.array("i", [memory_fd])
    control.sendmsg([b"i"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)])
    byte_at, vector_at, ancillary_at = _MESSAGE + 0x100, _MESSAGE + 0x110, _MESSAGE + 0x140
    tracee.write(vector_at, struct.pack("=QQ", byte_at, 1))
    message = struct.pack("=QIxxxxQQQQixxxx", 0, 0, vector_at, 1, ancillary_at, 24, 0)
    tracee.write(_MESSAGE, message)
    tracee.call(instruction, _SYS_RECVMSG, WAIT_FD, _MESSAGE, 0)
    received = struct.unpack("=Qiii", tracee.read(ancillary_at, 20))
    if received != (20, socket.SOL_SOCKET, socket.SCM_RIGHTS, _IMAGE_FD):
        raise OSError("the process did not receive the image")


def _make_recipe(image: Image, specials: tuple[Mapping, ...]) -> _Recipe:
    program, texts = Program(), _Texts()
    _empty(program, specials)
    _move_specials(program, image, {one.name: one for one in specials})
    _map_all(program, image, texts)
    start = image.stack.end - max(_STACK_BYTES, image.stack.size)
    flags = _ANONYMOUS | _MAP_NORESERVE
    protection = image.stack.protection
    program.add(_SYS_MMAP, start, image.stack.end - start, protection, flags, _NO_FD, 0)
    program.add(_SYS_CLOSE, _IMAGE_FD)
    for number, action in image.actions:
        program.add(_SYS_RT_SIGACTION, number, texts.keep(action), 0, 8)
    program.add(_SYS_SET_TID_ADDRESS, image.tid_address)
    address, size, signature = image.sequences
    if address:
        program.add(_SYS_RSEQ, address, size, 0, signature)
    program.add(_SYS_CHDIR, texts.path("/var/task"))
    program.add(_SYS_UMASK, image.umask)
    _open_files(program, image, texts)
    table = program.table()
    if len(table) > _TABLE_BYTES or len(texts.data) > _TEXTS_BYTES:
        raise OSError("the image has too many parts")
    return _Recipe(program, table, texts.data)


def _empty(program: Program, kept: Iterable[Mapping]) -> None:
    """Throw away all memory but what is kept and what the work is done in."""
    at = _LOWEST
    keeps = [(_SCRATCH, _SCRATCH + _SCRATCH_BYTES), *((one.start, one.end) for one in kept)]
    for start, end in sorted(keeps):
        if start >= _HIGHEST:
            break
        if start > at:
            program.add(_SYS_MUNMAP, at, start - at)
        at = end
    program.add(_SYS_MUNMAP, at, _HIGHEST - at)


def _move_specials(program: Program, image: Image, own: dict[str, Mapping]) -> None:
    """Have the kernel's own mappings where the image expects them."""
    taken = [(one.start, one.end) for one in own.values()]
    for wanted in image.specials:
        mine = own.get(wanted.name)
        if mine is None or mine.size != wanted.size:
            raise OSError(f"the kernel maps {wanted.name} differently")
        if mine.start == wanted.start:
            continue
        if any(start < wanted.end and wanted.start < end for start, end in taken):
            raise OSError(f"{wanted.name} is in the way")
        program.add(_SYS_MREMAP, mine.start, mine.size, mine.size, _MREMAP_TO, wanted.start)


def _map_all(program: Program, image: Image, texts: _Texts) -> None:
    opened = ""
    for mapping in image.mappings:
        start, size, protection = mapping.start, mapping.size, mapping.protection
        runs = image.runs.get(start, ())
        if len(runs) == 1 and runs[0].size == size:
            pass  # Nothing of what is beneath can be seen.
        elif mapping.is_file:
            if mapping.name != opened:
                if opened:
                    program.add(_SYS_CLOSE, 0, flags=Program.TAKES_FIRST)
                opened = mapping.name
                program.add(_SYS_OPEN, texts.path(opened), 0, flags=Program.REMEMBERS)
            where = (0, mapping.offset)
            flags = Program.TAKES_FIFTH
            program.add(_SYS_MMAP, start, size, protection, _FIXED, *where, flags=flags)
        else:
            flags = _ANONYMOUS | _MAP_NORESERVE
            program.add(_SYS_MMAP, start, size, protection, flags, _NO_FD, 0)
        for run in runs:
            program.add(_SYS_MMAP, run.start, run.size, protection, _FIXED, _IMAGE_FD, run.at)
    if opened:
        program.add(_SYS_CLOSE, 0, flags=Program.TAKES_FIRST)


def _open_files(program: Program, image: Image, texts: _Texts) -> None:
    """Have the same numbers open: files where they were, sockets that are connected to nobody."""
    files = {file.number: file for file in image.files}
    taken = set(range(WAIT_FD + 1))
    for number in sorted([*files, *image.dead_sockets]):
        file = files.get(number)
        if file is None:
            program.add(_SYS_SOCKET, _AF_UNIX, _SOCK_STREAM, 0, flags=Program.REMEMBERS)
        else:
            path, mode = texts.path(file.path), file.flags & (os.O_ACCMODE | os.O_CLOEXEC)
            program.add(_SYS_OPEN, path, mode, flags=Program.REMEMBERS)
            flags = Program.TAKES_FIRST | Program.MAY_FAIL
            program.add(_SYS_LSEEK, 0, file.position, os.SEEK_SET, flags=flags)
        # What is opened gets the lowest number that is free.
        if number != next(one for one in range(number + 1) if one not in taken):
            program.add(_SYS_DUP3, 0, number, os.O_CLOEXEC, flags=Program.TAKES_FIRST)
            program.add(_SYS_CLOSE, 0, flags=Program.TAKES_FIRST)
        taken.add(number)
