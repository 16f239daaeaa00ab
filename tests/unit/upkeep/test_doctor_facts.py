"""What `lambent doctor` makes of hosts that are not this one."""

from collections.abc import Iterable
from pathlib import Path

import pytest

from lambent.upkeep.doctor import clock, disk
from lambent.upkeep.doctor.check import Check
from lambent.upkeep.doctor.control_groups import examine_control_groups, layout
from lambent.upkeep.doctor.limits import examine_limits
from lambent.upkeep.doctor.policies import examine_policies
from lambent.upkeep.doctor.privileges import examine_privileges
from lambent.upkeep.doctor.system import examine_system, kinds_of_machine
from lambent.upkeep.doctor.systemd import examine_systemd
from tests.unit.upkeep.fake_hosts import FULL, ROOT, V1, V2, make_host

LIMITS_ONLY_IN_V1 = {
    "/proc/self/mountinfo": ROOT + V1,
    "/proc/self/cgroup": "4:pids:/\n3:memory:/\n2:cpu:/\n1:freezer:/\n",
    **{f"/sys/fs/cgroup/{name}/tasks": "" for name in ("memory", "cpu", "pids", "freezer")},
}


def by_name(checks: Iterable[Check]) -> dict[str, Check]:
    return {check.name: check for check in checks}


@pytest.mark.parametrize(
    ("files", "environment", "kind"),
    [
        ({"/.dockerenv": ""}, {}, "Docker"),
        ({"/run/.containerenv": ""}, {}, "Podman"),
        ({"/proc/1/environ": "container=lxc\0TERM=linux\0"}, {}, "LXC"),
        ({"/run/systemd/container": "systemd-nspawn"}, {}, "systemd-nspawn"),
        ({}, {"KUBERNETES_SERVICE_HOST": "10.0.0.1"}, "Kubernetes"),
        ({"/proc/sys/kernel/osrelease": "5.15.167.4-microsoft-standard-WSL2"}, {}, "WSL2"),
        ({"/proc/sys/kernel/osrelease": "4.4.0-19041-Microsoft"}, {}, "WSL1"),
        ({"/sys/class/dmi/id/sys_vendor": "QEMU"}, {}, "virtual machine (QEMU)"),
        ({"/sys/class/dmi/id/sys_vendor": "Amazon EC2"}, {}, "virtual machine (Amazon EC2)"),
        ({"/proc/cpuinfo": "flags\t\t: fpu vme hypervisor sse\n"}, {}, "virtual machine"),
    ],
)
def test_kinds_of_machine(
    tmp_path: Path, files: dict[str, str], environment: dict[str, str], kind: str
) -> None:
    """Containers and virtual machines are recognized by their files."""
    host = make_host(tmp_path, files, environment=environment)
    assert kinds_of_machine(host) == [kind]


def test_wsl1_is_no_linux(tmp_path: Path) -> None:
    """And has a successor."""
    files = {"/proc/sys/kernel/osrelease": "4.4.0-19041-Microsoft"}
    check = by_name(examine_system(make_host(tmp_path, files)))["machine"]
    assert (check.state, check.fix) == ("broken", "in Windows: wsl --set-version NAME 2")


def test_a_chroot(tmp_path: Path) -> None:
    """Is recognized by the root of process 1, which is another directory."""
    host = make_host(tmp_path, {"/proc/1/root/etc/x": ""})
    assert kinds_of_machine(host) == ["chroot"]


def test_a_machine_of_its_own(tmp_path: Path) -> None:
    """Is named with distribution, kernel and processor."""
    checks = by_name(examine_system(make_host(tmp_path)))
    assert checks["machine"].found == "no container, no VM"
    assert checks["distribution"].found == "Debian GNU/Linux 13 (trixie)"
    assert (checks["kernel"].state, checks["kernel"].found) == ("ok", "6.12.9-amd64")


@pytest.mark.parametrize(
    ("release", "state", "names_the_call"),
    [
        ("5.10.0-33-amd64", "missing", True),
        ("5.13.0", "missing", False),
        ("5.15.0-1", "ok", False),
        ("6.1.0", "ok", False),
    ],
)
def test_old_kernels(tmp_path: Path, release: str, state: str, names_the_call: bool) -> None:
    """Before 5.12 no box can be built, and the call that is lacking is named. The tier `process`
    works there: whether functions run is what the trial finds."""
    host = make_host(tmp_path, {"/proc/sys/kernel/osrelease": release})
    check = by_name(examine_system(host))["kernel"]
    assert check.state == state
    assert ("mount_setattr" in check.found) == names_the_call
    assert bool(check.fix) == (state != "ok")


def test_other_processors(tmp_path: Path) -> None:
    """arm64 works but for SnapStart; others have no table of system calls."""
    arm = by_name(examine_system(make_host(tmp_path, machine="aarch64")))["processor"]
    assert arm.state == "ok"
    assert "SnapStart" in arm.found
    other = by_name(examine_system(make_host(tmp_path, machine="riscv64")))["processor"]
    assert other.state == "broken"


def test_systemd(tmp_path: Path) -> None:
    """Version and unit; an ordinary user's session, and whether it outlives the log-out."""
    checks = by_name(examine_systemd(make_host(tmp_path)))
    assert checks["systemd"].found == "version 257, process 1"
    assert checks["unit"].found == "lambent.service"
    user = make_host(tmp_path, uid=1000)
    session = by_name(examine_systemd(user))["session"]
    assert session.state == "missing"
    assert "loginctl enable-linger" in session.fix
    make_host(tmp_path, {"/run/user/1000/systemd/private": ""})
    assert "enable-linger" in by_name(examine_systemd(user))["session"].fix
    make_host(tmp_path, {"/var/lib/systemd/linger/someone": ""})
    assert by_name(examine_systemd(user))["session"].fix == ""


def test_no_systemd(tmp_path: Path) -> None:
    """A container's first process is named instead."""
    host = make_host(tmp_path / "a", {"/proc/1/comm": "tini", "/run/systemd/system/x": None})
    assert [check.found for check in examine_systemd(host)] == ["not process 1 (that is tini)"]


def test_cgroup_layouts(tmp_path: Path) -> None:
    """v1, v2, both, or none."""
    for number, (mounts, kind) in enumerate(
        {ROOT: "none", ROOT + V1: "v1", ROOT + V2: "v2", ROOT + V1 + V2: "hybrid"}.items()
    ):
        host = make_host(tmp_path / str(number), {"/proc/self/mountinfo": mounts})
        assert layout(host) == kind
    host = make_host(tmp_path / "x", {"/proc/self/mountinfo": ROOT})
    assert "mount -t cgroup2" in by_name(examine_control_groups(host))["cgroup layout"].fix


def test_root_on_cgroup_v2(tmp_path: Path) -> None:
    """What the root of the tree delegates, and what our own group has, and from whom."""
    checks = by_name(examine_control_groups(make_host(tmp_path)))
    assert checks["cgroup v2"].found == (
        f"at /sys/fs/cgroup: {FULL}; handed down: {FULL}, nsdelegate"
    )
    own = checks["own cgroup"]
    assert own.state == "ok"
    assert own.found.startswith("/sys/fs/cgroup/system.slice/lambent.service: controllers cpuset")
    assert "writable" in own.found


def test_a_user_to_whom_systemd_has_not_delegated_cpu(tmp_path: Path) -> None:
    """Is the default of many distributions; the cure is a drop-in of user@.service."""
    group = "/sys/fs/cgroup/user.slice/user-1000.slice/user@1000.service"
    files = {f"{group}/cgroup.controllers": "memory pids"}
    checks = by_name(examine_control_groups(make_host(tmp_path, files, uid=1000)))
    assert checks["delegation"].state == "missing"
    assert checks["delegation"].found == "user@1000.service: memory pids; lacks cpu"
    assert "user@.service.d" in checks["delegation"].fix
    assert "Delegate=cpu memory pids" in checks["delegation"].fix
    # Its own group does not matter: a scope is requested.
    assert checks["own cgroup"].state == "ok"
    host = make_host(tmp_path, {f"{group}/cgroup.controllers": FULL}, uid=1000)
    checks = by_name(examine_control_groups(host))
    assert checks["delegation"].state == "ok"


def test_a_container_with_a_read_only_tree(tmp_path: Path) -> None:
    """As Docker's default: the fix is a flag when the container is started."""
    files = {
        "/.dockerenv": "",
        "/proc/1/comm": "bash",
        "/proc/self/cgroup": "0::/\n",
        "/proc/self/mountinfo": ROOT + V2.replace("rw,nosuid", "ro,nosuid"),
    }
    own = by_name(examine_control_groups(make_host(tmp_path, files)))["own cgroup"]
    assert own.state == "missing"
    assert "docker run --privileged --cgroupns=private" in own.fix


def test_cgroup_v1(tmp_path: Path) -> None:
    """Every controller, and whether it may be used."""
    checks = by_name(examine_control_groups(make_host(tmp_path, LIMITS_ONLY_IN_V1)))
    assert checks["cgroup layout"].found == "v1"
    assert checks["cgroup v1"].found == "v1: memory, cpu, pids, freezer writable"
    without = {**LIMITS_ONLY_IN_V1, "/proc/self/mountinfo": ROOT + V1.splitlines()[1]}
    check = by_name(examine_control_groups(make_host(tmp_path, without)))["cgroup v1"]
    assert check.state == "missing"
    assert "not mounted: memory, pids, freezer" in check.found


def test_a_kernel_started_without_the_memory_controller(tmp_path: Path) -> None:
    """As on a Raspberry Pi."""
    rows = "#subsys_name\thierarchy\tnum_cgroups\tenabled\nmemory\t0\t1\t0\ncpu\t0\t1\t1\n"
    checks = by_name(examine_control_groups(make_host(tmp_path, {"/proc/cgroups": rows})))
    assert "cgroup_enable=memory" in checks["cgroup controllers"].fix


def test_ubuntu_restricts_user_namespaces(tmp_path: Path) -> None:
    """Recognised, named and cured exactly: a profile for the interpreter, or the setting."""
    files = {"/proc/sys/kernel/apparmor_restrict_unprivileged_userns": "1\n"}
    check = by_name(examine_policies(make_host(tmp_path, files, uid=1000)))["user namespaces"]
    assert check.state == "missing"
    assert "AppArmor" in check.found
    for chunk in (
        "sudo tee /etc/apparmor.d/lambent",
        'profile lambent "/opt/lambent/bin/python3.12" flags=(unconfined) {',
        "\n  userns,\n",
        "sudo apparmor_parser -r /etc/apparmor.d/lambent",
        "sysctl -w kernel.apparmor_restrict_unprivileged_userns=0",
    ):
        assert chunk in check.fix
    # Root does not need it, and with the profile it works.
    assert by_name(examine_policies(make_host(tmp_path, files)))["user namespaces"].state == "ok"
    files["/proc/self/attr/current"] = "lambent (unconfined)"
    check = by_name(examine_policies(make_host(tmp_path, files, uid=1000)))["user namespaces"]
    assert check.state == "ok"


@pytest.mark.parametrize(
    ("name", "value", "uid", "check", "state", "fix"),
    [
        ("kernel.unprivileged_userns_clone", "0", 1000, "user namespaces", "missing", "=1"),
        ("user.max_user_namespaces", "0", 0, "namespaces", "broken", "max_user_namespaces=15000"),
        ("user.max_net_namespaces", "10", 0, "namespaces", "missing", "max_net_namespaces=15000"),
        ("kernel.yama.ptrace_scope", "3", 0, "Yama", "missing", "restart"),
        ("kernel.pid_max", "4096", 0, "kernel.pid_max", "missing", "kernel.pid_max=32768"),
        ("net.core.somaxconn", "128", 0, "net.core.somaxconn", "missing", "somaxconn=1024"),
        ("vm.overcommit_memory", "2", 0, "vm.overcommit_memory", "missing", "_memory=0"),
    ],
)
def test_settings_of_the_kernel(
    tmp_path: Path, name: str, value: str, uid: int, check: str, state: str, fix: str
) -> None:
    """Each that is in the way is named, with the command that changes it."""
    files: dict[str, str | None] = {"/proc/sys/" + name.replace(".", "/"): value}
    host = make_host(tmp_path, files, uid=uid)
    found = by_name([*examine_policies(host), *examine_limits(host)])[check]
    assert found.state == state
    assert fix in found.fix


def test_limits_of_the_process(tmp_path: Path) -> None:
    """Too few descriptors: for a unit and for a log-in."""
    host = make_host(tmp_path, rlimit=lambda _: (256, 1024))
    check = by_name(examine_limits(host))["limit of open files"]
    assert check.state == "missing"
    assert "LimitNOFILE=65536" in check.fix


def test_root_with_few_capabilities(tmp_path: Path) -> None:
    """As Docker's default: each missing one is named with its purpose, and the flags."""
    files = {
        "/.dockerenv": "",
        "/proc/self/status": "CapEff:\t00000000a80425fb\nSeccomp:\t2\n",
    }
    checks = by_name(examine_privileges(make_host(tmp_path, files)))
    assert "CAP_SYS_ADMIN (namespaces and mounts" in checks["capabilities"].found
    assert "--cap-add SYS_ADMIN" in checks["capabilities"].fix
    assert checks["seccomp"].found.startswith("filtered")


def test_root_of_a_user_namespace(tmp_path: Path) -> None:
    """Is not the host's root, and is recognized."""
    host = make_host(tmp_path, {"/proc/self/uid_map": "0 1000 1"})
    assert "uid_map: 0 1000 1" in by_name(examine_privileges(host))["user namespace"].found


def test_file_systems(tmp_path: Path) -> None:
    """Read-only breaks; noexec, remote and lost ones are pointed out."""
    for kind, options, state in (
        ("ext4", "rw", "ok"), ("ext4", "rw,noexec", "missing"), ("ext4", "ro", "broken"),
        ("nfs4", "rw", "missing"), ("tmpfs", "rw", "missing"), ("drvfs", "rw", "missing"),
    ):  # fmt: skip
        line = f"24 1 8:1 / / {options} - {kind} /dev/sda1 rw\n"
        host = make_host(tmp_path / f"{kind}-{options}", {"/proc/self/mountinfo": line})
        check = by_name(disk.examine_disk(host, tmp_path))["file system"]
        assert check.state == state, (kind, options)
        assert bool(check.fix) == (state != "ok")


def test_no_loop_devices(tmp_path: Path) -> None:
    """Then `/tmp` of functions takes memory."""
    check = by_name(disk.examine_disk(make_host(tmp_path), tmp_path))["loop devices"]
    assert check.state == "missing"
    assert "modprobe loop" in check.fix
    assert "e2fsprogs" in check.fix


def test_clocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A slow source comes with a better one; a clock that no service keeps right is pointed out."""
    base = "/sys/devices/system/clocksource/clocksource0"
    files = {f"{base}/current_clocksource": "hpet", f"{base}/available_clocksource": "tsc hpet"}
    monkeypatch.setattr(clock, "kernel_status", lambda: 0x40)
    checks = by_name(clock.examine_clock(make_host(tmp_path, files)))
    assert checks["clock source"].state == "missing"
    assert "echo tsc" in checks["clock source"].fix
    assert "timedatectl" in checks["time"].fix
    monkeypatch.setattr(clock, "kernel_status", lambda: 0x2001)
    files = {f"{base}/current_clocksource": "kvm-clock", "/run/chrony/chronyd.pid": "1"}
    checks = by_name(clock.examine_clock(make_host(tmp_path, files)))
    assert checks["clock source"].found == "kvm-clock"
    assert checks["time"].found == "synchronised by chrony"
