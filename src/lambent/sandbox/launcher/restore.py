"""Restores the memory of a captured process into a new one (SnapStart).

Three processes take part. The *tracee* is a prewarmed process in a box. It has dropped all its
privileges and waits in a read of `WAIT_FD`, where the captured process waited too. A *child* of the
launcher traces it (ptrace) and does all the work. The *launcher's* loop meanwhile serves other
requests. A kernel timer kills a child that exceeds its deadline, and the tracee dies with it.

To the kernel the tracee stays the process it is: same user, namespaces, cgroups, seccomp filter and
descriptors 0 to 4. Only its memory, registers, signal actions, open files and umask become those of
the image. It makes all system calls for that itself, so every one of them passes its filter. The
steps are, in order:

1. Record the tracee's identity, and check that it is confined (`identity`).
2. Make single system calls with the `syscall` instruction on which it waits: map the *scratch*
   area, receive the descriptor of the image's pages over its control socket, and unregister its
   restartable sequences.
3. Write a small program to the scratch area: the machine code of `TracedProgram`, a table of system
   calls (the `Recipe`), and the paths they refer to. A recipe depends only on the image and on
   where the kernel has mapped its own pages, so it is built once for all children of a zygote.
4. Run the program without a stop in between. It unmaps everything except the scratch area and the
   kernel's own mappings, moves these to where the image expects them, and maps the image's memory.
   Pages that the process had changed come from the image's file, privately, so they are copied only
   when they are written to. All other pages come from the files they came from before. Then it sets
   signal actions, directory and umask, and opens files.
5. Write the thread's ID where the C library keeps it, register the image's restartable sequences,
   and unmap the scratch area. That call stops before its next instruction, which no longer exists.
6. Set registers so that the tracee repeats the read on which the captured process waited.
7. Compare its identity with the record. Only then release it.

No instruction of the image runs before step 7. If a step fails, the tracee is killed, and the
environment is initialized without the snapshot. The image itself was checked by `image_rules`
before.
"""

import array
import dataclasses
import os
import socket
import struct
from collections.abc import Iterable

from lambent.sandbox.launcher import identity
from lambent.sandbox.launcher import image_rules as rules
from lambent.sandbox.launcher.image import PAGE, WAIT_FD, Image, Mapping, Run
from lambent.sandbox.launcher.tracing import TracedProgram, Tracee, again, waits_in_read

_SCRATCH, _SCRATCH_BYTES = rules.SCRATCH, rules.SCRATCH_BYTES
_TABLE, _TEXTS, _MESSAGE = _SCRATCH + 0x1000, _SCRATCH + 0x60000, _SCRATCH + 0x800
_TABLE_BYTES, _TEXTS_BYTES = _TEXTS - _TABLE, _SCRATCH_BYTES - 0x60000
_INSTRUCTION = _SCRATCH + TracedProgram.SYSCALL_AT
_STACK_BYTES = 8 * 1024 * 1024
_PROT_ALL = 7
_MAP_PRIVATE, _MAP_FIXED, _MAP_ANONYMOUS, _MAP_NORESERVE = 0x02, 0x10, 0x20, 0x4000
_MREMAP_TO = 0x1 | 0x2
_FIXED = _MAP_PRIVATE | _MAP_FIXED
_ANONYMOUS = _FIXED | _MAP_ANONYMOUS
_NO_FD = -1
_IMAGE_FD = WAIT_FD + 1
"""Descriptor of the image's pages in the process while they are mapped: its lowest free number."""
_RSEQ_UNREGISTER = 1
_RSEQ_CRITICAL_SECTION = 8
"""Offset of the field in a restartable sequences area that names the sequence in progress."""
_SYS_OPEN, _SYS_CLOSE, _SYS_LSEEK, _SYS_MMAP, _SYS_MUNMAP = 2, 3, 8, 9, 11
_SYS_RT_SIGACTION, _SYS_MREMAP, _SYS_SOCKET, _SYS_RECVMSG = 13, 25, 41, 47
_SYS_CHDIR, _SYS_UMASK, _SYS_GETTID = 80, 95, 186
_SYS_SET_TID_ADDRESS, _SYS_DUP3, _SYS_RSEQ = 218, 292, 334
_AF_UNIX, _SOCK_STREAM = 1, 1
_DIRECTORY = "/var/task"


@dataclasses.dataclass(frozen=True, slots=True)
class Recipe:
    """The system calls that turn a process into an image, and the texts they refer to."""

    program: TracedProgram
    table: bytes
    texts: bytes


def restore(
    tracee: Tracee,
    image: Image,
    recipe: Recipe,
    *,
    memory_fd: int,
    control: socket.socket,
    user: int | None,
) -> None:
    """Make a held process continue as an image when it is released.

    `memory_fd` holds the image's pages. `control` is the other end of the socket that the process
    reads from. `user` is the host's UID of its user, if it has a separate one. Raises OSError; the
    process must then be killed.
    """
    registers = waits_in_read(tracee, WAIT_FD)
    if registers is None:
        raise OSError("it does not wait for its assignment")
    before = identity.read_identity(tracee.pid)
    identity.check_confined(before, user)
    identity.check_descriptors(tracee.pid, range(WAIT_FD + 1))
    instruction = registers["rip"] - 2
    tracee.call(instruction, _SYS_MMAP, _SCRATCH, _SCRATCH_BYTES, _PROT_ALL, _ANONYMOUS, _NO_FD, 0)
    _hand_over(tracee, instruction, control, memory_fd)
    thread_id = tracee.call(instruction, _SYS_GETTID)
    address, size, signature = tracee.restartable_sequences()
    if address:
        tracee.call(instruction, _SYS_RSEQ, address, size, _RSEQ_UNREGISTER, signature)
    tracee.write(_SCRATCH, TracedProgram.CODE)
    tracee.write(_TABLE, recipe.table)
    tracee.write(_TEXTS, recipe.texts)
    recipe.program.run(tracee, _SCRATCH, _TABLE)
    if image.tid_address:
        tracee.write(image.tid_address, struct.pack("=i", thread_id))
    _register_sequences(tracee, image)
    # Our last instruction: it stops before the next one, which no longer exists.
    tracee.call(_INSTRUCTION, _SYS_MUNMAP, _SCRATCH, _SCRATCH_BYTES)
    tracee.set_extended_state(image.extended_state)
    tracee.set_signal_mask(image.signal_mask)
    tracee.set_registers(again(image.registers))
    identity.check_unchanged(before, identity.read_identity(tracee.pid))
    identity.check_place(tracee.pid, _DIRECTORY)
    opened = [file.number for file in image.files]
    identity.check_descriptors(tracee.pid, [*range(WAIT_FD + 1), *opened, *image.dead_sockets])


def _register_sequences(tracee: Tracee, image: Image) -> None:
    """Register the image's area for restartable sequences with the kernel. It must name no sequence
    in progress: the kernel would redirect our own code into it."""
    address, size, signature = image.sequences
    if address:
        tracee.write(address + _RSEQ_CRITICAL_SECTION, bytes(8))
        tracee.call(_INSTRUCTION, _SYS_RSEQ, address, size, 0, signature)


class _Texts:
    """Paths and other data that system calls refer to."""

    def __init__(self) -> None:
        self.data = b""
        self._paths: dict[str, int] = {}

    def keep(self, data: bytes) -> int:
        """Add data; returns its address in the tracee."""
        self.data += bytes(-len(self.data) % 8)
        address = _TEXTS + len(self.data)
        self.data += data
        return address

    def path(self, text: str) -> int:
        """Add a path; returns its address in the tracee."""
        if text not in self._paths:
            self._paths[text] = self.keep(os.fsencode(text) + b"\0")
        return self._paths[text]


def _hand_over(tracee: Tracee, instruction: int, control: socket.socket, memory_fd: int) -> None:
    """Make the process receive the image's pages as `_IMAGE_FD`."""
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


def make_recipe(image: Image, specials: tuple[Mapping, ...]) -> Recipe:
    """Build the recipe for a process in which the kernel has mapped `specials`. Raises OSError."""
    program, texts = TracedProgram(), _Texts()
    _empty(program, specials)
    _move_specials(program, image, {special.name: special for special in specials})
    _map_all(program, image, texts)
    _map_stack(program, image)
    program.add(_SYS_CLOSE, _IMAGE_FD)
    for number, action in image.actions:
        program.add(_SYS_RT_SIGACTION, number, texts.keep(action), 0, 8)
    program.add(_SYS_SET_TID_ADDRESS, image.tid_address)
    program.add(_SYS_CHDIR, texts.path(_DIRECTORY))
    program.add(_SYS_UMASK, image.umask)
    _open_files(program, image, texts)
    table = program.table()
    if len(table) > _TABLE_BYTES or len(texts.data) > _TEXTS_BYTES:
        raise OSError("the image has too many parts")
    return Recipe(program, table, texts.data)


def _empty(program: TracedProgram, kept: Iterable[Mapping]) -> None:
    """Unmap all memory except what is kept and the scratch area."""
    at = rules.LOWEST
    keeps = [
        (_SCRATCH, _SCRATCH + _SCRATCH_BYTES),
        *((mapping.start, mapping.end) for mapping in kept),
    ]
    for start, end in sorted(keeps):
        if start >= rules.HIGHEST:
            break
        if start > at:
            program.add(_SYS_MUNMAP, at, start - at)
        at = end
    program.add(_SYS_MUNMAP, at, rules.HIGHEST - at)


def _move_specials(program: TracedProgram, image: Image, own: dict[str, Mapping]) -> None:
    """Move the kernel's own mappings to where the image expects them."""
    if own.keys() != {special.name for special in image.specials}:
        raise OSError("it has moved what the kernel maps")
    taken = [(mapping.start, mapping.end) for mapping in own.values()]
    for wanted in image.specials:
        mine = own[wanted.name]
        if mine.size != wanted.size:
            raise OSError(f"the kernel maps {wanted.name} differently")
        if mine.start == wanted.start:
            continue
        if any(start < wanted.end and wanted.start < end for start, end in taken):
            raise OSError(f"{wanted.name} is in the way")
        program.add(_SYS_MREMAP, mine.start, mine.size, mine.size, _MREMAP_TO, wanted.start)


def _map_all(program: TracedProgram, image: Image, texts: _Texts) -> None:
    opened = ""
    for mapping in image.mappings:
        runs = image.runs.get(mapping.start, ())
        if len(runs) == 1 and runs[0].size == mapping.size:
            pass  # The runs cover the whole mapping.
        elif mapping.is_file:
            if mapping.name != opened:
                if opened:
                    program.add(_SYS_CLOSE, 0, flags=TracedProgram.TAKES_FIRST)
                opened = mapping.name
                program.add(_SYS_OPEN, texts.path(opened), 0, flags=TracedProgram.REMEMBERS)
            where = (mapping.start, mapping.size, mapping.protection, _FIXED, 0, mapping.offset)
            program.add(_SYS_MMAP, *where, flags=TracedProgram.TAKES_FIFTH)
        else:
            _map_nothing(program, mapping.start, mapping.end, mapping.protection)
        _map_runs(program, runs, mapping.protection)
    if opened:
        program.add(_SYS_CLOSE, 0, flags=TracedProgram.TAKES_FIRST)


def _map_stack(program: TracedProgram, image: Image) -> None:
    """Map the stack with room to grow, as far as there is any."""
    stack = image.stack
    others = (*image.mappings, *image.specials)
    below = [other.end for other in others if other.end <= stack.start]
    lowest = max([rules.LOWEST, _SCRATCH + _SCRATCH_BYTES, *below]) + PAGE
    start = min(stack.start, max(stack.end - _STACK_BYTES, lowest))
    _map_nothing(program, start, stack.end, stack.protection)
    _map_runs(program, image.runs.get(stack.start, ()), stack.protection)


def _map_nothing(program: TracedProgram, start: int, end: int, protection: int) -> None:
    """Map empty memory."""
    flags = _ANONYMOUS | _MAP_NORESERVE
    program.add(_SYS_MMAP, start, end - start, protection, flags, _NO_FD, 0)


def _map_runs(program: TracedProgram, runs: Iterable[Run], protection: int) -> None:
    for run in runs:
        program.add(_SYS_MMAP, run.start, run.size, protection, _FIXED, _IMAGE_FD, run.at)


def _open_files(program: TracedProgram, image: Image, texts: _Texts) -> None:
    """Open the same descriptor numbers: files at their position, sockets without a peer."""
    files = {file.number: file for file in image.files}
    taken = set(range(WAIT_FD + 1))
    for number in sorted([*files, *image.dead_sockets]):
        file = files.get(number)
        if file is None:
            program.add(_SYS_SOCKET, _AF_UNIX, _SOCK_STREAM, 0, flags=TracedProgram.REMEMBERS)
        else:
            path, mode = texts.path(file.path), file.flags & (os.O_ACCMODE | os.O_CLOEXEC)
            program.add(_SYS_OPEN, path, mode, flags=TracedProgram.REMEMBERS)
            flags = TracedProgram.TAKES_FIRST | TracedProgram.MAY_FAIL
            program.add(_SYS_LSEEK, 0, file.position, os.SEEK_SET, flags=flags)
        # A new descriptor gets the lowest free number.
        if number != next(fd for fd in range(number + 1) if fd not in taken):
            program.add(_SYS_DUP3, 0, number, os.O_CLOEXEC, flags=TracedProgram.TAKES_FIRST)
            program.add(_SYS_CLOSE, 0, flags=TracedProgram.TAKES_FIRST)
        taken.add(number)
