"""A Python with the runtime client loaded, from which functions' processes are forked.

Run as `python3.X -S zygote.py SOCKET PID_NAMESPACE`, both descriptors; the platform never imports
this file. It has privileges, sees only the base root, is single-threaded, holds no secret and never
runs a function's code. Only the launcher talks to it. A request is one message: the system calls
that take a new process into a box (see `sandbox/launcher/lockdown.py`) and the descriptors they
need. The reply contains the child's pid and a pidfd; the child belongs to the launcher, not to the
zygote.

The child makes the calls, is the box's unprivileged user from then on, and waits at CONTROL_FD for
its assignment: the environment variables of a function whose code is mounted at `/var/task` by
then.

Works on Python 3.8 and later.
"""

import bootstrap  # First: it looks at what is loaded.

import array
import ctypes
import gc
import json
import os
import socket
import struct
import sys

import assignment
import checkpoint

FIRST_FREE_FD = 16
MESSAGE_BYTES_MAX = 128 * 1024
DESCRIPTORS_MAX = 64

CLONE_PIDFD, CLONE_PARENT, CLONE_CHILD_CLEARTID, CLONE_CHILD_SETTID = (
    0x1000,
    0x8000,
    0x200000,
    0x1000000,
)
CLONE_INTO_CGROUP, CLONE_NEWPID = 0x200000000, 0x20000000
SYS_CLONE3 = 435
PR_GET_TID_ADDRESS = 40

libc = ctypes.CDLL(None, use_errno=True)
libc_with_gil = ctypes.PyDLL(None, use_errno=True)


class Filter:
    """Return the seccomp filter in the kernel's format."""

    def __init__(self, code):
        self._code = ctypes.create_string_buffer(code, len(code))
        header = struct.pack("@HP", len(code) // 8, ctypes.addressof(self._code))
        self._header = ctypes.create_string_buffer(header, len(header))
        self.address = ctypes.addressof(self._header)


def failure(step):
    error = ctypes.get_errno()
    return OSError(error, "cannot {}: {}".format(step, os.strerror(error)))


def perform(calls, descriptors, filter_address):
    """Make the calls of `lockdown.py`."""

    def word(argument):
        if isinstance(argument, str):
            # A separate copy: the kernel may write to it, and Python shares short bytes.
            return ctypes.create_string_buffer(argument.encode("latin-1"))
        if isinstance(argument, list):
            return ctypes.c_long(descriptors[argument[0]])
        return ctypes.c_long(filter_address if argument is None else argument)

    for step, *arguments in calls:
        if libc.syscall(*[word(argument) for argument in arguments]) < 0:
            raise failure(step)


def fork_sibling(cgroup_fd):
    """Fork a child of our parent; returns (pid, pidfd), (0, -1) in the child."""
    pidfd = ctypes.c_int(-1)
    flags = CLONE_PIDFD | CLONE_PARENT
    if cgroup_fd >= 0:
        flags |= CLONE_INTO_CGROUP
    # The C library caches its thread ID; the kernel writes the child's there.
    tid_address = ctypes.c_void_p()
    if (
        libc.prctl(PR_GET_TID_ADDRESS, ctypes.byref(tid_address), 0, 0, 0) == 0
        and tid_address.value
    ):
        flags |= CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID
    arguments = struct.pack(
        "=11Q",
        flags,
        ctypes.addressof(pidfd),
        tid_address.value or 0,
        0,
        0,
        *(0,) * 5,
        max(cgroup_fd, 0),
    )
    ctypes.pythonapi.PyOS_BeforeFork()
    pid = libc_with_gil.syscall(SYS_CLONE3, arguments, len(arguments))
    if pid == 0:
        ctypes.pythonapi.PyOS_AfterFork_Child()
        return 0, -1
    error = ctypes.get_errno()
    ctypes.pythonapi.PyOS_AfterFork_Parent()
    if pid < 0:
        raise OSError(error, "cannot fork: {}".format(os.strerror(error)))
    return pid, pidfd.value


def receive(end):
    """Return the next request with its descriptors; None when the launcher is gone."""
    space = socket.CMSG_SPACE(DESCRIPTORS_MAX * 4)
    data, ancillary, _, _ = end.recvmsg(MESSAGE_BYTES_MAX, space, socket.MSG_CMSG_CLOEXEC)
    if not data:
        return None
    descriptors = array.array("i")
    for _, _, content in ancillary:
        descriptors.frombytes(content)
    return json.loads(data), list(descriptors)


def fork_into(pid_namespace, cgroup_fd, own_pid_namespace):
    """Fork into a pid namespace: a child starts in the one that its parent has chosen."""
    if libc.setns(pid_namespace, CLONE_NEWPID) < 0:
        raise failure("choose a pid namespace")
    pid = -1
    try:
        pid, pidfd = fork_sibling(cgroup_fd)
    finally:
        if pid != 0 and libc.setns(own_pid_namespace, CLONE_NEWPID) < 0:
            raise failure("come back to the own pid namespace")
    return pid, pidfd


def serve(end, own_pid_namespace):
    """Fork until the launcher ends. Returns in each child: its request."""
    while True:
        received = receive(end)
        if received is None:
            sys.exit(0)
        request, descriptors = received
        cgroup = request["cgroup"]
        try:
            pid, pidfd = fork_into(
                descriptors[request["init"]],
                -1 if cgroup is None else descriptors[cgroup],
                own_pid_namespace,
            )
        except OSError as error:
            answer, sent = {"error": str(error)}, []
        else:
            if pid == 0:
                return request, descriptors
            answer, sent = {"pid": pid}, [pidfd]
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", sent))] if sent else []
        end.sendmsg([json.dumps(answer).encode()], rights)
        for descriptor in descriptors + sent:
            os.close(descriptor)


def main():
    """Load what every function needs, fork, become a function."""
    end = socket.socket(fileno=int(sys.argv[1]))
    own_pid_namespace = int(sys.argv[2])
    # The launcher's descriptors get numbers above those that a child uses.
    null = os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC)
    while null < FIRST_FREE_FD:
        null = os.dup(null)
    filter_ = Filter(receive(end)[0]["filter"].encode("latin-1"))
    standard_library = bootstrap.preload()
    gc.collect()
    gc.freeze()
    end.send(json.dumps({"ready": True}).encode())
    request, descriptors = serve(end, own_pid_namespace)
    end.detach()  # The number will belong to another descriptor.
    try:
        perform(request["calls"], descriptors, filter_.address)
    except OSError as error:
        os.write(
            assignment.CONTROL_FD, "!{}".format(error).encode()
        )  # It was the first to be moved.
        os._exit(127)
    if request["rehearses"]:
        bootstrap.warm_up()
    environment = assignment.wait()
    assignment.become(environment)
    if environment.get("AWS_LAMBDA_INITIALIZATION_TYPE") == "snap-start":
        checkpoint.reserve()
    bootstrap.serve(standard_library)


if __name__ == "__main__":
    main()
