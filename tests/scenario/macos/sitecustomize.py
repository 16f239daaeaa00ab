"""Makes Python on Linux behave as on macOS, without Linux's interfaces."""

import ctypes
import fcntl
import os
import resource
import select
import signal
import socket
import sys
import types
from typing import Any

OF_LINUX = {
    os: ("CLONE_", "EFD_", "GRND_", "MFD_", "O_PATH", "O_TMPFILE", "P_PIDFD", "SCHED_RESET",
         "copy_file_range", "eventfd", "getrandom", "getxattr", "listxattr", "memfd_create",
         "pidfd_open", "pipe2", "posix_fadvise", "posix_fallocate", "removexattr", "sched_getaff",
         "sched_setaff", "sched_getparam", "sched_setparam", "sched_getsch", "sched_setsch",
         "setns", "setresgid", "setresuid", "getresgid", "getresuid", "setxattr", "splice",
         "unshare"),
    signal: ("pidfd_send_signal", "sigtimedwait", "sigwaitinfo", "SIGRTMIN", "SIGRTMAX",
             "SIGSTKFLT", "SIGPWR", "SIGPOLL", "SIGCLD"),
    select: ("epoll", "EPOLL"),
    socket: ("SOCK_CLOEXEC", "SOCK_NONBLOCK", "AF_NETLINK", "AF_PACKET", "AF_VSOCK", "AF_ALG",
             "AF_CAN", "SO_PEERCRED", "SO_MARK", "TCP_USER_TIMEOUT", "TCP_QUICKACK", "CAN_",
             "ALG_", "NETLINK_", "PACKET_", "VM_SOCKETS", "TIPC_"),
    fcntl: ("F_ADD_SEALS", "F_GET_SEALS", "F_SEAL", "F_NOTIFY", "DN_", "F_SETPIPE", "F_GETPIPE"),
    resource: ("prlimit", "RLIMIT_MSGQUEUE", "RLIMIT_NICE", "RLIMIT_RTPRIO", "RLIMIT_RTTIME",
               "RLIMIT_SIGPENDING"),
}  # fmt: skip
OF_LIBC = frozenset(
    {"unshare", "setns", "prctl", "mount", "umount2", "capset", "syscall", "ptrace", "adjtimex"}
)

for module, beginnings in OF_LINUX.items():
    for name in [name for name in vars(module) if name.startswith(beginnings)]:
        delattr(module, name)


class Libc(ctypes.CDLL):
    def __getattr__(self, name: str) -> Any:
        if name in OF_LIBC:
            raise AttributeError(f"dlsym(RTLD_DEFAULT, {name}): symbol not found")
        return super().__getattr__(name)


ctypes.CDLL = Libc  # type: ignore[misc]
# Of the system's settings, through which urllib and with it botocore look for proxies.
proxies: Any = types.ModuleType("_scproxy")
proxies._get_proxies = dict
proxies._get_proxy_settings = lambda: {"exclude_simple": True, "exceptions": ()}
sys.modules["_scproxy"] = proxies
sys.platform = "darwin"
