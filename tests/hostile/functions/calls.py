"""System calls that would escape from the box, or reach deep into the kernel."""

import ctypes
import errno
import os
import socket
import struct
import time

from attempts import AT, NUMBERS, attempt, buffer, call, libc

NAMESPACES = {
    "mount": 0x00020000, "cgroup": 0x02000000, "uts": 0x04000000, "ipc": 0x08000000,
    "user": 0x10000000, "pid": 0x20000000, "net": 0x40000000, "time": 0x00000080,
}  # fmt: skip
SIGCHLD = 17
AT_FDCWD = -100


def everything():
    """All attempts by name; one that raised is reported with the exception."""
    outcomes = {}
    for name, act in ATTEMPTS.items():
        try:
            outcomes[name.replace("_", "-")] = act()
        except Exception as error:
            outcomes[name.replace("_", "-")] = repr(error)
    return outcomes


def unshare_user():
    return call("unshare", NAMESPACES["user"])


def unshare_mount():
    return worst(call("unshare", flag) for name, flag in NAMESPACES.items() if name != "user")


def unshare_user_and_mount():
    return call("unshare", NAMESPACES["user"] | NAMESPACES["mount"])


def clone_namespaces():
    return worst(clone(flag) for flag in NAMESPACES.values())


def clone(flag):
    words = [ctypes.c_long(word) for word in (NUMBERS["clone"][AT], flag | SIGCHLD, 0, 0, 0, 0)]
    result = libc.syscall(*words)
    if result == 0:
        while True:
            time.sleep(1000)  # noqa: TID251 - it stays, for the host to see
    return "done" if result > 0 else errno.errorcode[ctypes.get_errno()]


def clone3_namespaces():
    arguments = struct.pack("=11Q", NAMESPACES["user"], 0, 0, 0, SIGCHLD, 0, 0, 0, 0, 0, 0)
    return call("clone3", buffer(arguments), len(arguments))


def setns():
    outcomes = []
    for pid in ("1", "self"):
        for kind in ("mnt", "net", "user", "pid"):
            try:
                fd = os.open(f"/proc/{pid}/ns/{kind}", os.O_RDONLY)
            except PermissionError:
                continue
            outcomes.append(call("setns", fd, 0))
            os.close(fd)
    return worst(outcomes)


def setns_by_pidfd():
    fd = os.pidfd_open(1)
    outcome = call("setns", fd, NAMESPACES["mount"])
    os.close(fd)
    return outcome


def pivot_root():
    os.makedirs("/tmp/root/old", exist_ok=True)
    return call("pivot_root", b"/tmp/root", b"/tmp/root/old")


def chroot():
    os.makedirs("/tmp/root", exist_ok=True)
    return call("chroot", b"/tmp/root")


def mount_proc():
    return mount(b"proc", b"proc")


def mount_sysfs():
    return mount(b"sysfs", b"sysfs")


def mount_cgroup():
    """With a release_agent, this was once a way to run programs as the host's root."""
    return worst([mount(b"cgroup", b"cgroup"), mount(b"none", b"cgroup2")])


def mount_tmpfs():
    return mount(b"none", b"tmpfs")


def mount_disk():
    return mount(b"/dev/vda", b"ext4")


def mount(source, kind):
    os.makedirs("/tmp/mounted", exist_ok=True)
    return call("mount", source, b"/tmp/mounted", kind, 0, 0)


def mount_bind():
    os.makedirs("/tmp/mounted", exist_ok=True)
    return call("mount", b"/tmp/mounted", b"/var/task", b"none", 4096, 0)


def remount_writable():
    return worst(call("mount", b"", b"/" + on, b"", 4096 | 32, 0) for on in (b"", b"usr"))


def umount():
    return worst(call("umount2", on, 2) for on in (b"/proc/keys", b"/tmp", b"/var/task"))


def open_tree():
    return call("open_tree", AT_FDCWD, b"/", 1 | 0x8000)


def move_mount():
    return call("move_mount", AT_FDCWD, b"/tmp", AT_FDCWD, b"/opt", 0)


def fsopen():
    return call("fsopen", b"tmpfs", 0)


def mount_setattr():
    attributes = struct.pack("=4Q", 0, 1, 0, 0)
    return call("mount_setattr", AT_FDCWD, b"/usr", 0, buffer(attributes), len(attributes))


def mknod():
    devices = [(0o600 | 0o060000, 254, 0), (0o600 | 0o020000, 1, 1), (0o600 | 0o020000, 1, 3)]
    return worst(
        attempt(os.mknod, f"/tmp/device-{major}-{minor}", mode, os.makedev(major, minor))
        for mode, major, minor in devices
    )


def open_by_handle():
    handle = struct.pack("=Ii", 8, 1) + struct.pack("=II", 2, 0)
    fd = os.open("/tmp", os.O_RDONLY)
    name = call("name_to_handle_at", AT_FDCWD, b"/usr", buffer(bytes(136)), buffer(bytes(8)), 0)
    opened = call("open_by_handle_at", fd, buffer(handle), os.O_RDONLY)
    os.close(fd)
    return worst([name, opened])


def io_uring():
    return call("io_uring_setup", 8, buffer(bytes(120)))


def bpf():
    attributes = struct.pack("=4I", 2, 4, 8, 1) + bytes(112)
    return call("bpf", 0, buffer(attributes), len(attributes))


def userfaultfd():
    return worst([call("userfaultfd", 0), call("userfaultfd", 1)])


def perf_event():
    attributes = struct.pack("=IIQ", 1, 112, 0) + bytes(96)
    return call("perf_event_open", buffer(attributes), -1, 0, -1, 0)


def fanotify():
    return call("fanotify_init", 0x200, 0)


def keyctl():
    """Join a session keyring, and read its contents."""
    return worst([call("keyctl", 1, b"hostile"), call("keyctl", 0, -4, 1), call("keyctl", 6, -4)])


def add_key():
    return call("add_key", b"user", b"hostile", b"payload", 7, -3)


def request_key():
    return call("request_key", b"user", b"hostile", b"", -3)


def kexec():
    return worst([call("kexec_load", 0, 0, 0, 0), call("kexec_file_load", -1, -1, 0, b"", 0)])


def reboot():
    """Only the switch for Ctrl-Alt-Del, in case it works."""
    return call("reboot", 0xFEE1DEAD, 672274793, 0, 0)


def set_time():
    """Three seconds ahead."""
    moment = int(time.time()) + 3
    pair = struct.pack("=qq", moment, 0)
    return worst([call("settimeofday", buffer(pair), 0), call("clock_settime", 0, buffer(pair))])


def adjtimex():
    return call("adjtimex", buffer(struct.pack("=Iq", 2, 100) + bytes(200)))


def host_name():
    return worst([call("sethostname", b"hostile", 7), call("setdomainname", b"hostile", 7)])


def swap():
    with open("/tmp/swap", "wb") as file:
        file.write(bytes(4096) * 10)
    return worst([call("swapon", b"/tmp/swap", 0), call("swapoff", b"/tmp/swap")])


def kernel_module():
    image = b"\x7fELF" + bytes(60)
    fd = os.open("/usr/bin/env", os.O_RDONLY)
    outcomes = [call("init_module", buffer(image), 64, b""), call("finit_module", fd, b"", 0)]
    os.close(fd)
    return worst(outcomes)


def accounting():
    open("/tmp/accounting", "w").close()
    return worst([call("acct", b"/tmp/accounting"), call("quotactl", 0x80000200, b"/", 0, 0)])


def kernel_log():
    return call("syslog", 3, buffer(bytes(1000)), 1000)


def personality():
    """Without address randomization an exploit is easier."""
    return call("personality", 0x0040000)


def kcmp():
    return worst([call("kcmp", 1, os.getpid(), 0, 0, 0), call("process_madvise", 1, 0, 0, 20, 0)])


def af_vsock():
    return attempt(socket.socket, 40, socket.SOCK_STREAM)


def af_alg():
    return attempt(socket.socket, 38, socket.SOCK_SEQPACKET)


def af_packet():
    return worst(attempt(socket.socket, 17, kind, 0x300) for kind in (2, 3))


def other_families():
    """Bluetooth, TIPC, XDP, RDS, CAN, AX.25 and other families that the kernel may support."""
    known = {1, 2, 10, 16, 40, 38, 17}
    return worst(
        attempt(socket.socket, family, kind)
        for family in range(46)
        for kind in (1, 2, 3, 5)
        if family not in known
    )


def raw_socket():
    return worst(attempt(socket.socket, family, 3, 1) for family in (2, 10))


def netlink_change():
    """A new interface, and loopback set down: what a network's owner could do."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as netlink:
        for kind, body in ((16, struct.pack("=BBHiII", 0, 0, 0, 1, 0, 1)), (17, bytes(16))):
            netlink.send(struct.pack("=IHHII", 16 + len(body), kind, 5, 1, 0) + body)
            (code,) = struct.unpack_from("=i", netlink.recv(4096), 16)
            if code == 0:
                return "done"
    return errno.errorcode[-code]


def aio():
    return call("io_setup", 1, buffer(bytes(8)))


def worst(outcomes):
    """`done` if any attempt was; else one of the errors."""
    found = list(outcomes)
    return "done" if "done" in found else found[-1] if found else "EPERM"


ATTEMPTS = {
    name: act
    for name, act in list(globals().items())
    if callable(act)
    and getattr(act, "__module__", "") == __name__
    and name not in ("everything", "clone", "mount", "worst")
}
