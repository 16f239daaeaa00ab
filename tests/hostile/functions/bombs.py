"""Attempts to use up shared resources. Each continues until the timeout, or reports how far it
got."""

import contextlib
import ctypes
import errno
import mmap
import os
import signal
import socket
import sys
import threading
import time

from attempts import kept, libc


def fork_bomb():
    """Every process forks, forever."""
    while True:
        with contextlib.suppress(OSError):
            os.fork()


def thread_bomb():
    """As many threads as possible, all of them busy."""

    def spin():
        while True:
            pass

    while True:
        try:
            threading.Thread(target=spin, daemon=True).start()
        except RuntimeError:
            spin()


def descriptor_bomb():
    """As many descriptors as possible, in as many processes."""
    while True:
        with contextlib.suppress(OSError):
            os.fork()
            while True:
                kept.append(os.open("/dev/null", os.O_RDONLY))


def inode_bomb():
    """Empty files without end; returns how many there were."""
    count = 0
    try:
        while True:
            os.close(os.open(f"/tmp/{count:x}", os.O_CREAT))
            count += 1
    except OSError as error:
        return [count, errno.errorcode[error.errno]]


def disk_bomb():
    """Bytes without end; returns how many there were."""
    count = 0
    try:
        with open("/tmp/disk", "wb", buffering=0) as file:
            while True:
                count += file.write(bytes(1 << 22))
    except OSError as error:
        return [count >> 20, errno.errorcode[error.errno]]


def memory_bomb():
    """Memory without end."""
    while True:
        kept.append(b"x" * (1 << 24))


def forked_memory_bomb():
    """Memory in children, so that killing one does not help."""
    while True:
        with contextlib.suppress(OSError):
            if os.fork() == 0:
                memory_bomb()


def shared_memory_bomb():
    """Memory that belongs to no process: memfd, System V, shared mappings, and /dev/shm if there is
    one."""
    while True:
        fd = os.memfd_create("bomb")
        kept.append(fd)
        os.write(fd, bytes(1 << 23))
        mapped = mmap.mmap(-1, 1 << 23)
        mapped.write(bytes(1 << 23))
        kept.append(mapped)
        libc.shmat.restype = ctypes.c_void_p
        at = libc.shmat(libc.shmget(0, 1 << 23, 0o1600), None, 0)
        if at not in (None, ctypes.c_void_p(-1).value):
            ctypes.memset(at, 1, 1 << 23)
        with contextlib.suppress(OSError), open("/dev/shm/bomb", "ab") as file:
            file.write(bytes(1 << 23))


def buffer_bomb():
    """Memory of the kernel: full pipes and sockets, in many processes."""
    while True:
        with contextlib.suppress(OSError):
            os.fork()
            while True:
                reads, writes = os.pipe()
                kept.append(reads)
                os.set_blocking(writes, False)
                with contextlib.suppress(OSError):
                    os.write(writes, bytes(1 << 20))
                one, other = socket.socketpair()
                kept.extend((one, other))
                one.setblocking(False)
                one.send(bytes(1 << 20))


def spin():
    """All of the CPU, in many processes."""
    for _ in range(16):
        if os.fork() == 0:
            break
    while True:
        pass


def sync_bomb():
    """Sync all disks of the host, again and again, in many processes."""
    for number in range(8):
        if os.fork() == 0:
            with open(f"/tmp/sync-{number}", "wb", buffering=0) as file:
                while True:
                    file.write(bytes(1 << 16))
                    os.fsync(file.fileno())
                    os.sync()
    while True:
        time.sleep(1)  # noqa: TID251 - until the timeout


def flood():
    """Output without end, on both streams, with and without ends of lines."""
    line, blob = b"y" * 1023 + b"\n", b"z" * (1 << 20)
    while True:
        os.write(1, line * 64)
        os.write(2, blob)


def log_flood():
    """Framed log messages without end."""
    while True:
        print("flood " * 100)
        sys.stdout.flush()


def inotify_bomb():
    """All inotify instances; returns how many there were."""
    return until_refused(lambda: libc.inotify_init1(0))


def message_queue_bomb():
    """All message queues; returns how many there were."""
    names = iter(range(1 << 20))
    return until_refused(
        lambda: libc.mq_open(b"/%d" % next(names), os.O_CREAT | os.O_RDWR, 0o600, None)
    )


def signal_queue_bomb():
    """All queued signals; returns how many there were."""
    signal.pthread_sigmask(signal.SIG_BLOCK, range(35, 60))
    return until_refused(lambda: libc.sigqueue(os.getpid(), 40, ctypes.c_void_p(0)))


def aio_bomb():
    """All contexts of asynchronous I/O; returns how many there were."""
    number = {"x86_64": 206, "aarch64": 0}[os.uname().machine]
    return until_refused(lambda: libc.syscall(number, 1000, ctypes.byref(ctypes.c_ulong(0))))


def timer_bomb():
    """All timers; returns how many there were."""
    return until_refused(lambda: libc.timer_create(1, None, ctypes.byref(ctypes.c_void_p())))


def until_refused(act):
    count = 0
    while count < 200_000:
        if act() < 0:
            return [count, errno.errorcode[ctypes.get_errno()]]
        count += 1
    return [count, "none"]


def look_around():
    """One of each resource that another function may have used up."""
    signal.pthread_sigmask(signal.SIG_BLOCK, range(35, 60))
    return {
        "inotify": libc.inotify_init1(0) >= 0,
        "message-queue": libc.mq_open(b"/one", os.O_CREAT | os.O_RDWR, 0o600, None) >= 0,
        "signal-queue": libc.sigqueue(os.getpid(), 40, ctypes.c_void_p(0)) == 0,
        "timer": libc.timer_create(1, None, ctypes.byref(ctypes.c_void_p())) == 0,
    }
