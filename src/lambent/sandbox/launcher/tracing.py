"""Holds a process of a box and makes system calls in it (ptrace, x86-64).

The process dropped its privileges long before. A system call that is made in it passes its seccomp
filter, as any other of its calls does. https://man7.org/linux/man-pages/man2/ptrace.2.html
"""

import ctypes
import os
import select
import signal
import struct
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from lambent.sandbox.launcher.image import REGISTERS, Registers

_PTRACE_CONT, _PTRACE_SINGLESTEP, _PTRACE_DETACH = 7, 9, 17
_PTRACE_GETREGS, _PTRACE_SETREGS = 12, 13
_PTRACE_GETREGSET, _PTRACE_SETREGSET = 0x4204, 0x4205
_PTRACE_SETOPTIONS, _PTRACE_SEIZE, _PTRACE_INTERRUPT = 0x4200, 0x4206, 0x4207
_PTRACE_GETSIGMASK, _PTRACE_SETSIGMASK = 0x420A, 0x420B
_PTRACE_GET_RSEQ_CONFIGURATION = 0x420F
_O_EXITKILL = 1 << 20
_NT_X86_XSTATE = 0x202
_XSTATE_BYTES_MAX = 16 * 1024
SYSCALL = b"\x0f\x05"
_WALL = 0x40000000
_DEADLINE_S = 2.0
_PAUSE_S = 50e-6
_SPIN_S = 50e-6
"""One call takes less time than a sleep; a longer one may need this processor."""

_FRAME = struct.Struct(f"={len(REGISTERS)}Q")
_ARGUMENTS = ("rdi", "rsi", "rdx", "r10", "r8", "r9")
_ERRNO_MAX = 4095

_libc = ctypes.CDLL(None, use_errno=True)
_libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
_libc.ptrace.restype = ctypes.c_long


class _Vector(ctypes.Structure):
    _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))


class Tracee:
    """A held process. Every method raises OSError if it is gone or does not obey."""

    def __init__(self, pid: int, pidfd: int) -> None:
        self.pid = pid
        self._pidfd = pidfd
        # Not select(), which supports no descriptors above 1,023: a launcher with many boxes has
        # those.
        self._ended = select.poll()
        self._ended.register(pidfd, select.POLLIN)
        self._memory_fd = -1
        """Its memory as a file: positions are addresses."""

    # -- memory and registers --------------------------------------------------------------

    def read(self, address: int, size: int) -> bytes:
        """Read bytes of its memory."""
        data = os.pread(self._memory_fd, size, address)
        if len(data) != size:
            raise OSError(f"cannot read {size} bytes of memory at {address:#x}")
        return data

    def write(self, address: int, data: bytes) -> None:
        """Write to its memory."""
        if os.pwrite(self._memory_fd, data, address) != len(data):
            raise OSError(f"cannot write {len(data)} bytes of memory at {address:#x}")

    def registers(self) -> Registers:
        """Return its general registers."""
        buffer = ctypes.create_string_buffer(_FRAME.size)
        self._ptrace(_PTRACE_GETREGS, 0, ctypes.addressof(buffer))
        return dict(zip(REGISTERS, _FRAME.unpack(buffer.raw), strict=True))

    def set_registers(self, registers: Registers) -> None:
        """Set its general registers."""
        values = [registers[name] & 0xFFFFFFFFFFFFFFFF for name in REGISTERS]
        buffer = ctypes.create_string_buffer(_FRAME.pack(*values), _FRAME.size)
        self._ptrace(_PTRACE_SETREGS, 0, ctypes.addressof(buffer))

    def extended_state(self) -> bytes:
        """Return its floating point and vector registers."""
        buffer = ctypes.create_string_buffer(_XSTATE_BYTES_MAX)
        vector = _Vector(ctypes.addressof(buffer), len(buffer))
        self._ptrace(_PTRACE_GETREGSET, _NT_X86_XSTATE, ctypes.addressof(vector))
        return buffer.raw[: vector.length]

    def set_extended_state(self, state: bytes) -> None:
        """Set its floating point and vector registers."""
        buffer = ctypes.create_string_buffer(state, len(state))
        vector = _Vector(ctypes.addressof(buffer), len(state))
        self._ptrace(_PTRACE_SETREGSET, _NT_X86_XSTATE, ctypes.addressof(vector))

    def signal_mask(self) -> bytes:
        """Return the signals it blocks: eight bytes."""
        buffer = ctypes.create_string_buffer(8)
        self._ptrace(_PTRACE_GETSIGMASK, 8, ctypes.addressof(buffer))
        return buffer.raw

    def set_signal_mask(self, mask: bytes) -> None:
        """Set the signals it blocks."""
        buffer = ctypes.create_string_buffer(mask, 8)
        self._ptrace(_PTRACE_SETSIGMASK, 8, ctypes.addressof(buffer))

    def restartable_sequences(self) -> tuple[int, int, int]:
        """Return address, size and signature of the area that the C library has registered; zeros
        if there is none."""
        buffer = ctypes.create_string_buffer(24)
        self._ptrace(_PTRACE_GET_RSEQ_CONFIGURATION, 24, ctypes.addressof(buffer))
        address, size, signature = struct.unpack("=QII8x", buffer.raw)
        return address, size, signature

    # -- going on --------------------------------------------------------------------------

    def call(self, instruction: int, number: int, *arguments: int) -> int:
        """Make a system call with the `syscall` instruction at an address; returns its result.

        Raises OSError with its error. The registers differ afterwards.
        """
        registers = self.registers()
        registers |= {"rip": instruction, "rax": number, "orig_rax": -1}
        for name, value in zip(_ARGUMENTS, arguments, strict=False):
            registers[name] = value
        self.set_registers(registers)
        self._ptrace(_PTRACE_SINGLESTEP, 0, 0)
        self.wait_stopped(signal.SIGTRAP)
        result = self.registers()["rax"]
        if result > 0xFFFFFFFFFFFFFFFF - _ERRNO_MAX:
            error = (1 << 64) - result
            raise OSError(error, f"system call {number}: {os.strerror(error)}")
        return result

    def go_on(self) -> None:
        """Let it run until it reaches a breakpoint."""
        self._ptrace(_PTRACE_CONT, 0, 0)
        self.wait_stopped(signal.SIGTRAP)

    def wait_stopped(self, wanted: int) -> None:
        """Wait until it has stopped for a reason."""
        began = time.monotonic()
        while True:
            result = os.waitid(os.P_PIDFD, self._pidfd, os.WSTOPPED | os.WNOHANG | _WALL)
            if result is not None:
                if result.si_status & 0xFF != wanted:
                    raise OSError(f"it got signal {result.si_status & 0xFF}")
                return
            spent = time.monotonic() - began
            if spent > _DEADLINE_S:
                raise OSError(f"it did not stop within {_DEADLINE_S:g} s")
            self._check_alive()
            if spent > _SPIN_S:
                signal.sigtimedwait([signal.SIGCHLD], _DEADLINE_S)

    def seize(self) -> None:
        """Stop it wherever it is. It is killed if this process ends before `release`."""
        self._ptrace(_PTRACE_SEIZE, 0, 0)
        # Until it has ended, its pid is not reused.
        self._check_alive()
        self._memory_fd = os.open(f"/proc/{self.pid}/mem", os.O_RDWR | os.O_CLOEXEC)
        self._ptrace(_PTRACE_INTERRUPT, 0, 0)
        self.wait_stopped(signal.SIGTRAP)
        self._ptrace(_PTRACE_SETOPTIONS, 0, _O_EXITKILL)

    def release(self) -> None:
        """Release it; it continues untraced."""
        self._ptrace(_PTRACE_DETACH, 0, 0)

    def close(self) -> None:
        """Close its memory."""
        if self._memory_fd >= 0:
            os.close(self._memory_fd)

    def _check_alive(self) -> None:
        if self._ended.poll(0):
            raise OSError("it has ended")

    def _ptrace(self, request: int, address: int, data: int) -> None:
        if _libc.ptrace(request, self.pid, address, data) < 0:
            error = ctypes.get_errno()
            raise OSError(error, f"ptrace request {request:#x}: {os.strerror(error)}")


@contextmanager
def hold(pid: int, pidfd: int) -> Iterator[Tracee]:
    """Stop a process for the duration of the context. On success it continues with the registers it
    has then; on an exception it is killed. Raises OSError."""
    tracee = Tracee(pid, pidfd)
    # A blocked signal can be waited for.
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGCHLD])
    try:
        tracee.seize()
        yield tracee
        tracee.release()
    except BaseException:
        try:
            signal.pidfd_send_signal(pidfd, signal.SIGKILL)
        except ProcessLookupError:
            pass
        raise
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        tracee.close()


def is_reading(pid: int, descriptor: int) -> bool:
    """Whether a process waits in a read of a descriptor."""
    with open(f"/proc/{pid}/syscall") as file:
        words = file.read().split()
    return words[:1] == ["0"] and int(words[1], 16) == descriptor


def wait_until_reading(pid: int, descriptor: int) -> None:
    """Wait for a process that is about to read. Raises OSError if it does not start to read."""
    deadline = time.monotonic() + _DEADLINE_S
    while not is_reading(pid, descriptor):
        if time.monotonic() > deadline:
            raise OSError(f"it did not read within {_DEADLINE_S:g} s")
        time.sleep(_PAUSE_S)  # noqa: TID251 - the launcher has no clock but the kernel's


def waits_in_read(tracee: Tracee, descriptor: int) -> Registers | None:
    """Return the registers of a process that was stopped in a read of a descriptor; None if it is
    elsewhere."""
    registers = tracee.registers()
    if registers["orig_rax"] != 0 or registers["rdi"] != descriptor:
        return None
    if tracee.read(registers["rip"] - len(SYSCALL), len(SYSCALL)) != SYSCALL:
        return None
    return registers


def again(registers: Registers) -> Registers:
    """Return registers with which a process that was stopped in a system call repeats that call."""
    return {
        **registers,
        "rip": registers["rip"] - len(SYSCALL),
        "rax": registers["orig_rax"],
        "orig_rax": -1,
    }


class TracedProgram:
    """System calls that a tracee makes in a row, without a stop in between."""

    CODE = bytes.fromhex(
        # loop: the number, -1 is the end; six arguments; flags
        "488b034883f8ff744d488b7b08488b7310488b53184c8b53204c8b43284c8b4b304c8b6338"
        # 2: fifth argument, 4: first argument is the stored result
        "41f6c40274034d89f841f6c40474034c89ff"
        # the call; 1: store its result
        "0f05483d01f0ffff730f41f6c40174034989c74883c340ebb0"
        # an error: 8: ignored; otherwise, and at the end, a breakpoint
        "41f6c40875f4cc"
    )
    """For each entry of the table at rbx: make the call, stop at the first that fails. The stored
    result is in r15, the address of the entry at which it stopped is in rbx."""
    SYSCALL_AT = CODE.index(SYSCALL)
    """Offset of the `syscall` instruction in the code."""
    REMEMBERS, TAKES_FIFTH, TAKES_FIRST, MAY_FAIL = 1, 2, 4, 8
    _ENTRY = struct.Struct("=8Q")

    def __init__(self) -> None:
        self._entries: list[Sequence[int]] = []

    def add(self, number: int, *arguments: int, flags: int = 0) -> None:
        """Add a call."""
        padded = (*arguments, *(0,) * (6 - len(arguments)))
        self._entries.append(
            (number, *(argument & 0xFFFFFFFFFFFFFFFF for argument in padded), flags)
        )

    def table(self) -> bytes:
        """Return the calls as the code reads them."""
        entries = [*self._entries, (0xFFFFFFFFFFFFFFFF, *(0,) * 7)]
        return b"".join(self._ENTRY.pack(*entry) for entry in entries)

    def run(self, tracee: Tracee, code: int, table: int) -> None:
        """Run the calls; code and table are in the tracee's memory. Raises OSError for the first
        call that fails."""
        tracee.set_registers({**tracee.registers(), "rip": code, "rbx": table, "orig_rax": -1})
        tracee.go_on()
        registers = tracee.registers()
        at = (registers["rbx"] - table) // self._ENTRY.size
        if at != len(self._entries):
            error = ((1 << 64) - registers["rax"]) & 0xFFF
            call = self._entries[at] if 0 <= at < len(self._entries) else ()
            raise OSError(error, f"system call {call}: {os.strerror(error)}")
