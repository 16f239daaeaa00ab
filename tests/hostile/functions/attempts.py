"""Attempts: what is tried, and its result."""

import ctypes
import errno
import os

libc = ctypes.CDLL(None, use_errno=True)
kept = []
"""Resources that attempts have acquired stay, for the host to see."""
AT = {"x86_64": 0, "aarch64": 1}[os.uname().machine]
NUMBERS = {
    "acct": (163, 89),
    "add_key": (248, 217),
    "adjtimex": (159, 171),
    "bpf": (321, 280),
    "chroot": (161, 51),
    "clock_settime": (227, 112),
    "clone": (56, 220),
    "clone3": (435, 435),
    "fanotify_init": (300, 262),
    "finit_module": (313, 273),
    "fsopen": (430, 430),
    "init_module": (175, 105),
    "io_setup": (206, 0),
    "io_uring_setup": (425, 425),
    "kcmp": (312, 272),
    "kexec_file_load": (320, 294),
    "kexec_load": (246, 104),
    "keyctl": (250, 219),
    "mount": (165, 40),
    "mount_setattr": (442, 442),
    "move_mount": (429, 429),
    "name_to_handle_at": (303, 264),
    "open_by_handle_at": (304, 265),
    "open_tree": (428, 428),
    "perf_event_open": (298, 241),
    "personality": (135, 92),
    "pidfd_getfd": (438, 438),
    "pidfd_open": (434, 434),
    "pivot_root": (155, 41),
    "process_madvise": (440, 440),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "ptrace": (101, 117),
    "quotactl": (179, 60),
    "reboot": (169, 142),
    "request_key": (249, 218),
    "rt_sigqueueinfo": (129, 138),
    "setdomainname": (171, 162),
    "sethostname": (170, 161),
    "setns": (308, 268),
    "settimeofday": (164, 170),
    "swapoff": (168, 225),
    "swapon": (167, 224),
    "syslog": (103, 116),
    "tgkill": (234, 131),
    "umount2": (166, 39),
    "unshare": (272, 97),
    "userfaultfd": (323, 282),
}


def attempt(act, *arguments):
    """`done`, or the name of the error."""
    try:
        kept.append(act(*arguments))
    except OSError as error:
        return errno.errorcode[error.errno]
    except ValueError:
        return "EPERM"  # As `resource` formats it.
    return "done"


def call(name, *arguments):
    """Make a system call directly: `done`, or the name of the error."""
    words = [
        argument if isinstance(argument, bytes) else ctypes.c_long(argument)
        for argument in arguments
    ]
    result = libc.syscall(NUMBERS[name][AT], *words)
    if result < 0:
        return errno.errorcode[ctypes.get_errno()]
    kept.append(result)
    return "done"


def buffer(content):
    """The address of bytes that stay in place."""
    held = ctypes.create_string_buffer(content, len(content) + 1)
    kept.append(held)
    return ctypes.addressof(held)


def forked(act):
    """Run it in a child that stays; returns its result and the child's pid."""
    reader, tells = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.write(tells, str(act()).encode())
            os.close(tells)
            while True:
                os.read(reader, 1)
        finally:
            os._exit(1)
    os.close(tells)
    said = os.read(reader, 1000).decode()
    kept.append(reader)
    return said, pid


def here():
    """Does nothing: the response identifies this box."""
    return os.getpid()


def echo(value):
    """What a good neighbor does."""
    return value


def call_stay(program):
    """A program that sleeps."""
    import subprocess

    kept.append(subprocess.Popen([program, "1000"]))


def large():
    """The largest allowed response."""
    return "x" * (6 * 1024 * 1024 - 1000)
