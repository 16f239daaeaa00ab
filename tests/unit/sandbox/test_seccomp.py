"""What the system call filter answers, by running its program on every call number there is."""

import errno
import re
import struct
from pathlib import Path

import pytest

from lambent.sandbox.launcher import seccomp, syscalls

ALLOW, KILL, ERROR = 0x7FFF0000, 0x80000000, 0x00050000
ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
TABLES = {"x86_64": syscalls.X86_64, "aarch64": syscalls.AARCH64}
HEADERS = {
    "x86_64": Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h"),
    "aarch64": Path("/usr/include/asm-generic/unistd.h"),
}
SIGCHLD = 17

# Numbers that must never be allowed, by architecture: asm/unistd.h.
FORBIDDEN = {
    "x86_64": {
        "ptrace": 101, "pivot_root": 155, "adjtimex": 159, "chroot": 161, "acct": 163,
        "settimeofday": 164, "mount": 165, "umount2": 166, "swapon": 167, "reboot": 169,
        "sethostname": 170, "iopl": 172, "ioperm": 173, "init_module": 175,
        "delete_module": 176, "quotactl": 179, "lookup_dcookie": 212, "clock_settime": 227,
        "kexec_load": 246, "add_key": 248, "request_key": 249, "keyctl": 250,
        "migrate_pages": 256, "unshare": 272, "vmsplice": 278, "move_pages": 279,
        "perf_event_open": 298, "fanotify_init": 300, "name_to_handle_at": 303,
        "open_by_handle_at": 304, "clock_adjtime": 305, "setns": 308, "process_vm_readv": 310,
        "process_vm_writev": 311, "kcmp": 312, "finit_module": 313, "kexec_file_load": 320,
        "bpf": 321, "userfaultfd": 323, "modify_ldt": 154,
    },
    "aarch64": {
        "lookup_dcookie": 18, "umount2": 39, "mount": 40, "pivot_root": 41, "quotactl": 60,
        "vmsplice": 75, "chroot": 51, "acct": 89, "unshare": 97, "kexec_load": 104,
        "init_module": 105, "delete_module": 106, "clock_settime": 112, "ptrace": 117,
        "reboot": 142, "sethostname": 161, "settimeofday": 170, "adjtimex": 171,
        "add_key": 217, "request_key": 218, "keyctl": 219, "swapon": 224,
        "migrate_pages": 238, "move_pages": 239, "perf_event_open": 241,
        "fanotify_init": 262, "name_to_handle_at": 264, "open_by_handle_at": 265,
        "clock_adjtime": 266, "setns": 268, "process_vm_readv": 270,
        "process_vm_writev": 271, "kcmp": 272, "finit_module": 273, "bpf": 280,
        "userfaultfd": 282, "kexec_file_load": 294,
    },
}  # fmt: skip
FORBIDDEN_EVERYWHERE = {
    "io_uring_setup": 425, "io_uring_enter": 426, "io_uring_register": 427, "open_tree": 428,
    "move_mount": 429, "fsopen": 430, "fsconfig": 431, "fsmount": 432, "fspick": 433,
    "pidfd_getfd": 438, "process_madvise": 440, "mount_setattr": 442, "quotactl_fd": 443,
    "memfd_secret": 447, "set_mempolicy_home_node": 450, "statmount": 457, "listmount": 458,
}  # fmt: skip


def run_filter(program: bytes, number: int, architecture: int, *arguments: int) -> int:
    """The filter's answer to a call, as the kernel's classic BPF machine computes it."""
    data = struct.pack("=IIQ6Q", number, architecture, 0, *arguments, *(0,) * (6 - len(arguments)))
    instructions = list(struct.iter_unpack("=HBBI", program))
    accumulator, at = 0, 0
    while True:
        code, if_true, if_false, operand = instructions[at]
        at += 1
        match code:
            case 0x20:
                (accumulator,) = struct.unpack_from("=I", data, operand)
            case 0x15:
                at += if_true if accumulator == operand else if_false
            case 0x35:
                at += if_true if accumulator >= operand else if_false
            case 0x45:
                at += if_true if accumulator & operand else if_false
            case 0x06:
                return int(operand)
            case _:
                raise AssertionError(f"instruction {code:#x} is not one the filter uses")


@pytest.fixture(params=sorted(ARCHITECTURES))
def machine(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


def test_every_call_of_the_table_and_no_other_is_allowed(machine: str) -> None:
    """The binary search finds the right answer for each number, at the ranges' ends too."""
    program, table = seccomp.assemble(machine), TABLES[machine]
    allowed = {
        number
        for number in range(1100)
        if run_filter(program, number, ARCHITECTURES[machine], 0) == ALLOW
    }
    judged_by_arguments = {table["clone3"], table["socket"], table["socketpair"]}
    assert allowed | judged_by_arguments == set(table.values())
    assert table["clone3"] not in allowed


def test_calls_that_reach_out_of_a_box_are_refused(machine: str) -> None:
    """Mounting, tracing, namespaces, keyrings, modules, bpf, io_uring and their like."""
    program = seccomp.assemble(machine)
    for name, number in {**FORBIDDEN[machine], **FORBIDDEN_EVERYWHERE}.items():
        answer = run_filter(program, number, ARCHITECTURES[machine], 0)
        refusals = {ERROR | errno.EPERM, ERROR | errno.ENOSYS}
        assert answer in refusals, name


def test_unknown_numbers_do_not_exist(machine: str) -> None:
    """Programs that probe for a newer call fall back, and x32's numbers are no way around."""
    program = seccomp.assemble(machine)
    for number in (
        max(TABLES[machine].values()) + 1,
        1000,
        0x40000000,
        0x40000000 + 101,
        2**32 - 1,
    ):
        answer = run_filter(program, number, ARCHITECTURES[machine], 0)
        assert answer == ERROR | errno.ENOSYS


def test_another_architecture_is_killed(machine: str) -> None:
    """A 32-bit call has other numbers: none of them may be read as one of ours."""
    program = seccomp.assemble(machine)
    for architecture in (0x40000003, 0x40000028, 0, *ARCHITECTURES.values()):
        if architecture != ARCHITECTURES[machine]:
            assert run_filter(program, TABLES[machine]["read"], architecture) == KILL


def test_a_clone_may_make_threads_and_processes_but_no_namespace(machine: str) -> None:
    """Flags decide; those of `clone3` cannot be seen, so it does not exist."""
    program, table, architecture = (
        seccomp.assemble(machine), TABLES[machine], ARCHITECTURES[machine],
    )  # fmt: skip
    thread = 0x3D0F00
    for flags in (SIGCHLD, thread, thread | SIGCHLD, 0x4111):
        assert run_filter(program, table["clone"], architecture, flags) == ALLOW
    for bit in (0x80, *(1 << position for position in (17, 25, 26, 27, 28, 29, 30))):
        refused = run_filter(program, table["clone"], architecture, SIGCHLD | bit)
        assert refused == ERROR | errno.EPERM
    assert run_filter(program, table["clone3"], architecture, 0) == ERROR | errno.ENOSYS


@pytest.mark.parametrize("call", ["socket", "socketpair"])
def test_sockets_are_of_families_a_network_namespace_confines(machine: str, call: str) -> None:
    """UNIX, IPv4, IPv6 and netlink; the hypervisor's AF_VSOCK and the kernel's AF_ALG are not."""
    program, number = seccomp.assemble(machine), TABLES[machine][call]
    answers = {
        family: run_filter(program, number, ARCHITECTURES[machine], family) for family in range(64)
    }
    assert {family for family, answer in answers.items() if answer == ALLOW} == {1, 2, 10, 16}
    # The kernel reads the family as 32 bits: the upper half cannot disguise it.
    hidden = run_filter(program, number, ARCHITECTURES[machine], (1 << 32) | 40)
    assert hidden == ERROR | errno.EAFNOSUPPORT


def test_the_kernels_headers_agree_with_the_numbers(machine: str) -> None:
    """A wrong number would allow an unintended call."""
    header = HEADERS[machine]
    if not header.exists():
        pytest.skip(f"needs {header} of the package linux-libc-dev")
    pattern = r"#define __NR(?:3264)?_(\w+)\s+(\d+)"
    known = {name: int(number) for name, number in re.findall(pattern, header.read_text())}
    table = TABLES[machine]
    assert len(set(table.values())) == len(table)
    both = table.keys() & known.keys()
    assert len(both) > 200
    assert {name: table[name] for name in both} == {name: known[name] for name in both}
    newer = set(table) - set(known)
    assert all(table[name] == 79 or table[name] > 450 for name in newer)


def test_the_filter_is_short(machine: str) -> None:
    """Its length is paid with every process start, its depth with every system call."""
    assert len(seccomp.assemble(machine)) // 8 < 256
