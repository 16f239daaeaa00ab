"""What one function leaves and another looks for."""

import ctypes
import os
import socket

from attempts import attempt, kept, libc

KEY = 0x52455349


def leave(mark):
    """Leave a mark wherever something could persist."""
    for directory in ("/tmp", "/dev/shm", "/var/tmp", "/dev/mqueue", "/run", "/home/sbx_user1051"):
        attempt(write, directory + "/residue", mark)
    os.environ["RESIDUE"] = mark
    attempt(socket.sethostname, "residue")
    listener = socket.socket(socket.AF_UNIX)
    attempt(listener.bind, "\0residue")
    kept.append(listener)
    libc.shmat.restype = ctypes.c_void_p
    at = libc.shmat(libc.shmget(KEY, 4096, 0o1666), None, 0)
    ctypes.memmove(at, mark.encode(), len(mark))
    libc.msgget(KEY, 0o1666)
    libc.semget(KEY, 1, 0o1666)
    libc.mq_open(b"/residue", os.O_CREAT | os.O_RDWR, 0o666, None)
    kept.append(os.memfd_create("residue"))
    attempt(os.sched_setaffinity, 0, {0})
    return os.uname().nodename


def write(path, text):
    with open(path, "w") as file:
        file.write(text)


def find():
    """All such marks that are here."""
    return {
        "tmp": [name for name in os.listdir("/tmp") if name != "lost+found"],
        "elsewhere": [
            path
            for path in ("/dev/shm", "/var/tmp/residue", "/dev/mqueue", "/run/residue")
            if os.path.lexists(path)
        ],
        "environment": sorted(set(os.environ) & {"RESIDUE"}),
        "unix": "residue" in open("/proc/net/unix").read(),
        "ipc": [
            libc.shmget(KEY, 0, 0),
            libc.msgget(KEY, 0),
            libc.semget(KEY, 0, 0),
            libc.mq_open(b"/residue", os.O_RDWR),
        ],
        "sysvipc": [
            len(open("/proc/sysvipc/" + name).readlines()) for name in ("shm", "msg", "sem")
        ],
        "processes": len([name for name in os.listdir("/proc") if name.isdigit()]),
    }


def free_blocks(wanted):
    """Whether unwritten space contains what another function wrote."""
    with open("/tmp/sparse", "wb") as file:
        os.posix_fallocate(file.fileno(), 0, 32 << 20)
    with open("/tmp/sparse", "rb") as file:
        found = wanted.encode() in file.read()
    os.unlink("/tmp/sparse")
    return found


def fill(mark):
    """The mark repeated over all of /tmp that matters."""
    with open("/tmp/filled", "wb") as file:
        file.write((mark * 64).encode() * ((16 << 20) // (64 * len(mark))))
        os.fsync(file.fileno())
