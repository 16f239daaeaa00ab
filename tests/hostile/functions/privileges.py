"""Attempts to become another user, or to gain privileges."""

import ctypes
import glob
import os
import resource
import shutil
import struct
import subprocess

from attempts import attempt, call_stay, forked, kept, libc

PR_SET_SECCOMP, PR_CAPBSET_DROP, PR_SET_SECUREBITS, PR_SET_MM = 22, 24, 28, 35
PR_SET_NO_NEW_PRIVS, PR_CAP_AMBIENT, PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 38, 47, 1, 36


def become():
    """Every call that changes the user of a process."""
    header = struct.pack("=Ii", 0x20080522, 0)
    everything = struct.pack("=6I", *(0xFFFFFFFF,) * 6)
    return [
        *(attempt(os.setresuid, uid, uid, uid) for uid in (0, 1, 1000, 64999)),
        *(attempt(os.setresgid, gid, gid, gid) for gid in (0, 1, 1000, 64999)),
        attempt(os.setgroups, [0]),
        "done" if libc.capset(header, everything) == 0 else "EPERM",
        *(prctl(PR_CAP_AMBIENT, 2, number, 0, 0) for number in range(41)),
        prctl(PR_SET_SECUREBITS, 0xFF, 0, 0, 0),
        prctl(PR_SET_NO_NEW_PRIVS, 0, 0, 0, 0),
        prctl(PR_SET_SECCOMP, 0, 0, 0, 0),
        prctl(PR_SET_MM, 1, 0x400000, 0, 0),
    ]


def prctl(option, *arguments):
    words = [ctypes.c_long(word) for word in (option, *arguments)]
    return "done" if libc.prctl(*words) == 0 else "EPERM"


def run_set_uid(programs):
    """Start the host's set-user-id programs with work for root."""
    for program in programs:
        for arguments in (["-c", "touch /tmp/by-root"], ["root"]):
            with open("/tmp/said", "ab") as said:
                try:
                    child = subprocess.Popen(
                        [program, *arguments], stdin=subprocess.PIPE, stdout=said, stderr=said
                    )
                except OSError:
                    continue
                kept.append(child)


def make_set_uid():
    """Our own set-user-id copy, given to root if possible; it stays."""
    shutil.copy("/usr/bin/sleep", "/tmp/sleep")
    outcomes = [attempt(os.chown, "/tmp/sleep", 0, 0)]
    os.chmod("/tmp/sleep", 0o6755)  # noqa: S103 - that is the attack
    capabilities = struct.pack("=5I", 0x02000001, 0xFFFFFFFF, 0, 0xFFFFFFFF, 0)
    outcomes.append(attempt(os.setxattr, "/tmp/sleep", "security.capability", capabilities))
    outcomes.append(attempt(os.setxattr, "/tmp/sleep", "trusted.x", b"x"))
    call_stay("/tmp/sleep")
    return outcomes


def raise_limits():
    """Raise every limit: first our own, then init's."""
    outcomes = []
    for kind in range(16):
        for pid in (0, 1):
            for limit in ((-1, -1), (1 << 40, 1 << 40)):
                outcomes.append(attempt(resource.prlimit, pid, kind, limit))
    return outcomes


def schedule():
    """Get ahead of others: real-time priority, I/O priority, exemption from the OOM killer."""
    return [
        attempt(os.sched_setscheduler, 0, os.SCHED_FIFO, os.sched_param(99)),
        attempt(os.sched_setscheduler, 0, os.SCHED_RR, os.sched_param(1)),
        attempt(os.setpriority, os.PRIO_PROCESS, 0, -20),
        attempt(os.setpriority, os.PRIO_PROCESS, 1, 19),
        attempt(write, "/proc/self/oom_score_adj", "-1000"),
        attempt(write, "/proc/1/oom_score_adj", "1000"),
        attempt(write, "/proc/self/autogroup", "-20"),
        attempt(write, "/proc/self/coredump_filter", "0xff"),
        attempt(write, "/proc/self/timerslack_ns", "1"),
    ]


def write(path, text):
    with open(path, "w") as file:
        file.write(text)


def find_cgroups():
    """Anything that could be a control group's file, wherever it is mounted."""
    found = []
    for directory in ("/sys", "/sys/fs/cgroup", "/cgroup", "/dev/cgroup", "/mnt", "/run"):
        found += filter(os.path.lexists, glob.glob(directory + "/*"))
    with open("/proc/self/mountinfo") as mounts:
        return [found, [line for line in mounts if " cgroup" in line]]


def spread():
    """Children and threads of several kinds, which stay."""
    import threading

    for _ in range(3):
        forked(os.setsid)
        threading.Thread(target=forked(lambda: "here").__len__).start()
        reader, tells = os.pipe()
        threading.Thread(target=os.read, args=(reader, 1), daemon=True).start()
        kept.append(tells)
    call_stay("/usr/bin/sleep")


def descriptors():
    """The open descriptors, as this process sees them."""
    found = {}
    for name in os.listdir("/proc/self/fd"):
        try:
            found[name] = os.readlink("/proc/self/fd/" + name)
        except OSError:
            pass
    return found
