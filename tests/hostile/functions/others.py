"""Attacks on processes of others: by their pids on the host, and by those visible here."""

import ctypes
import errno
import os
import select
import signal
import socket
import struct

from attempts import attempt, buffer, call, forked, kept

PTRACE_ATTACH, PTRACE_SEIZE, PTRACE_TRACEME = 16, 0x4206, 0


def hold(secret):
    """A victim: a secret in memory, in a file, in sockets, in System V memory."""
    kept.append(secret * 3)
    with open("/tmp/secret", "w") as file:
        file.write(secret)
    for address in ("\0victim", "/tmp/victim"):
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(address)
        listener.listen()
        kept.append(listener)
    kept.append(socket.create_server(("0.0.0.0", 8765)))
    libc = ctypes.CDLL(None)
    libc.shmat.restype = ctypes.c_void_p
    at = libc.shmat(libc.shmget(0x4C414D42, 4096, 0o1000 | 0o666), None, 0)
    ctypes.memmove(at, secret.encode(), len(secret))
    return [os.environ.get("SECRET"), buffer(secret.encode())]


def reveal():
    """The victim's secret, read by itself."""
    return [line for line in kept if isinstance(line, str)][-1]


def read_proc(pids):
    """Everything that `/proc` could reveal about a process."""
    found = []
    for pid in pids:
        for name in ("environ", "maps", "mem", "cmdline", "stack", "auxv", "io"):
            found.append(read(f"/proc/{pid}/{name}"))
        for name in ("fd", "map_files", "root", "root/tmp", "cwd", "task"):
            try:
                found.append(os.listdir(f"/proc/{pid}/{name}"))
            except OSError as error:
                found.append(errno.errorcode[error.errno])
    return found


def read(path):
    try:
        with open(path, "rb") as file:
            return file.read(1 << 16).decode("latin-1")
    except OSError as error:
        return errno.errorcode[error.errno]


def read_memory(pids, address):
    """process_vm_readv, and `/proc/PID/mem` at the address of a secret."""
    found = []
    for pid in pids:
        target = ctypes.create_string_buffer(64)
        local = struct.pack("=QQ", ctypes.addressof(target), 64)
        remote = struct.pack("=QQ", address, 64)
        found.append(call("process_vm_readv", pid, buffer(local), 1, buffer(remote), 1, 0))
        found.append(target.raw.decode("latin-1"))
        try:
            fd = os.open(f"/proc/{pid}/mem", os.O_RDWR)
            found.append(os.pread(fd, 64, address).decode("latin-1"))
        except OSError as error:
            found.append(errno.errorcode[error.errno])
    return found


def write_memory(pids, address):
    """process_vm_writev, and `/proc/PID/mem`."""
    found = []
    for pid in pids:
        here = buffer(b"overwritten" * 4)
        local, remote = struct.pack("=QQ", here, 40), struct.pack("=QQ", address, 40)
        found.append(call("process_vm_writev", pid, buffer(local), 1, buffer(remote), 1, 0))
        try:
            fd = os.open(f"/proc/{pid}/mem", os.O_RDWR)
            found.append("done" if os.pwrite(fd, b"overwritten", address) else "")
        except OSError as error:
            found.append(errno.errorcode[error.errno])
    return found


def trace(pids):
    """Attach to others, to init, to a child; let a child be traced by us."""
    _, child = forked(lambda: "here")
    found = [
        call("ptrace", request, pid, 0, 0)
        for request in (PTRACE_ATTACH, PTRACE_SEIZE)
        for pid in (*pids, 1, child, os.getppid())
    ]
    return [*found, forked(lambda: call("ptrace", PTRACE_TRACEME, 0, 0, 0))[0]]


def take_descriptors(pids):
    """pidfd_getfd from init, from a child, from others."""
    _, child = forked(lambda: "here")
    found = []
    for pid in (1, child, *pids):
        try:
            fd = os.pidfd_open(pid)
        except OSError as error:
            found.append(errno.errorcode[error.errno])
            continue
        found += [call("pidfd_getfd", fd, number, 0) for number in range(8)]
        os.close(fd)
    return found


def signal_host(pids):
    """Every way to send a signal, to pids of the host."""
    found = []
    for pid in pids:
        found.append(attempt(os.kill, pid, signal.SIGKILL))
        found.append(attempt(os.killpg, pid, signal.SIGKILL))
        found.append(call("tgkill", pid, pid, signal.SIGKILL))
        found.append(call("rt_sigqueueinfo", pid, signal.SIGKILL, buffer(bytes(128))))
        found.append(attempt(os.pidfd_open, pid))
    return found


def signal_init():
    """Init and, through its number 0 here, the parent, which is outside."""
    found = [attempt(os.kill, 1, number) for number in range(1, 65) if number not in (32, 33)]
    fd = os.pidfd_open(1)
    found.append(attempt(signal.pidfd_send_signal, fd, signal.SIGKILL))
    os.close(fd)
    return found


def signal_parent():
    """Kill what the parent's number refers to, from a separate process group."""

    def kill():
        os.setsid()
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        return [attempt(os.kill, os.getppid(), 0), attempt(os.kill, 0, signal.SIGTERM)]

    _, child = forked(kill)
    return [os.getppid(), child]


def signal_everything():
    """kill(-1): everything that may be killed from here; then ourselves, whom it spares."""
    attempt(os.kill, -1, signal.SIGKILL)
    os.kill(os.getpid(), signal.SIGKILL)


def find_others():
    """Sockets and System V memory of others."""
    libc = ctypes.CDLL(None)
    found = [libc.shmget(0x4C414D42, 0, 0)]
    for address in ("\0victim", "/tmp/victim", "\0host-of-hostile"):
        found.append(attempt(socket.socket(socket.AF_UNIX).connect, address))
    for port in (8765, 9003):
        found.append(attempt(socket.create_connection, ("127.0.0.1", port), 2))
    found.append(read("/proc/net/unix") + read("/proc/sysvipc/shm") + read("/proc/net/tcp"))
    found.append(os.listdir("/tmp"))
    return found


def crash():
    """A child that dumps core; how it ended."""
    pid = os.fork()
    if pid == 0:
        import resource

        attempt(resource.setrlimit, resource.RLIMIT_CORE, (-1, -1))
        os.chdir("/tmp")
        os.kill(os.getpid(), signal.SIGSEGV)
    return os.waitpid(pid, 0)[1]


def wait_for_word():
    """Stay in the invocation until its timeout, so that the host can look."""
    select.select([], [], [])
