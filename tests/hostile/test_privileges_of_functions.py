"""The user of a function on the host, whatever it tries to become, and what it may use."""

import os
import re
import shutil
import stat
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hostile import host
from tests.hostile.cases import case
from tests.hostile.conftest import Function, StartFunction
from tests.hostile.host import Box
from tests.platforms import Platform

MEMORY_MB = 1024
ALL_CAPABILITIES = struct.pack("=5I", 0x02000001, 0xFFFFFFFF, 0, 0xFFFFFFFF, 0)


@pytest.fixture
def attacker(start: StartFunction, mode: str) -> Iterator[Function]:
    """A separate function for each attack."""
    function = start(mode, MemorySize=MEMORY_MB)
    yield function
    function.delete()


def assert_has_no_rights(box: Box) -> None:
    """Every process of a box: its one user, no group, no capability, no way to gain any, a
    filter."""
    # A process may end after it was listed.
    statuses = [status for pid in box.functions() if (status := host.status_of(pid))]
    assert statuses
    for status in statuses:
        assert set(status["Uid"].split()) == set(status["Gid"].split()) == {str(box.uid)}
        assert status["Groups"].strip() == ""
        assert {int(status[name], 16) for name in host.CAPABILITY_SETS} == {0}
        assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")


@case("capabilities")
def test_no_rights_from_the_start(attacker: Function) -> None:
    """Init, too, which runs no customer code, has no effective capability."""
    box = attacker.box()
    assert_has_no_rights(box)
    init = host.status_of(box.init)
    assert {int(init[name], 16) for name in ("CapEff", "CapPrm", "CapInh", "CapAmb")} == {0}
    assert init["NoNewPrivs"] == "1"


@case("become-root")
def test_no_process_gains_rights(attacker: Function) -> None:
    """Users, groups, capabilities, secure bits, no_new_privs and the filter are unchanged."""
    outcomes = attacker.do("privileges.become")
    assert "done" not in outcomes
    assert_has_no_rights(attacker.box())


@case("setuid-programs")
def test_the_hosts_set_user_id_programs(attacker: Function) -> None:
    """su, passwd, mount and similar programs run as the caller and leave nothing of another
    owner."""
    programs = [
        str(path)
        for pattern in ("bin/*", "sbin/*", "lib/*/*", "libexec/*")
        for path in Path("/usr").glob(pattern)
        if path.is_file() and not path.is_symlink() and path.stat().st_mode & 0o6000
    ]
    assert "/usr/bin/su" in programs
    attacker.do("privileges.run_set_uid", programs=programs)
    box = attacker.box()
    assert_has_no_rights(box)
    files = list(box.inside("/tmp").iterdir())
    assert box.inside("/tmp/said") in files
    assert {path.stat().st_uid for path in files if path.name != "lost+found"} == {box.uid}
    assert not box.inside("/tmp/by-root").exists()


@case("setuid-copy")
def test_a_set_user_id_copy(attacker: Function) -> None:
    """In /tmp; it cannot be given to root or get capabilities, and runs as the caller."""
    assert "done" not in attacker.do("privileges.make_set_uid")
    box = attacker.box()
    copy = box.inside("/tmp/sleep")
    assert copy.stat().st_uid == box.uid
    assert not {"security.capability", "trusted.x"} & set(os.listxattr(copy))
    assert len(box.functions()) == 2
    assert_has_no_rights(box)


@case("setuid-in-package", "file-capabilities")
def test_privileged_files_in_a_package(attacker: Function, platform: Platform) -> None:
    """Set-user-id root, and all capabilities, on files of /var/task: without effect. The host sets
    them there; a zip cannot."""
    digests = [path for path in (platform.data_dir / "code").iterdir() if path.is_dir()]
    (package,) = [path for path in digests if (path / "attempts.py").exists()]
    planted = {name: package / name for name in ("as-root", "with-capabilities")}
    try:
        for path in planted.values():
            shutil.copy("/usr/bin/sleep", path)
            path.chmod(0o755)
        planted["as-root"].chmod(0o6755)
        os.setxattr(planted["with-capabilities"], "security.capability", ALL_CAPABILITIES)
        assert planted["as-root"].stat().st_mode & stat.S_ISUID
        assert planted["as-root"].stat().st_uid == 0
        attacker.do("attempts.here")
        for name in planted:
            attacker.do("attempts.call_stay", program=f"/var/task/{name}")
        box = attacker.box()
        assert len(box.functions()) == 3
        assert_has_no_rights(box)
    finally:
        for path in planted.values():
            path.unlink(missing_ok=True)
    for line in next(iter(box.mounts())).splitlines():
        assert "nosuid" in line.split(" ")[5], line


@case("raise-limits")
def test_limits_cannot_be_raised(attacker: Function) -> None:
    """The hard limits that the host sees are no higher afterwards."""
    before = limits(attacker.box())
    attacker.do("privileges.raise_limits")
    after = limits(attacker.box())
    assert after.keys() == before.keys()
    for name, value in after.items():
        assert value <= before[name], name
    assert before["Max open files"] == before["Max processes"] == 1024


def limits(box: Box) -> dict[str, float]:
    """Hard limits of a function's process."""
    text = Path(f"/proc/{box.functions()[0]}/limits").read_text()
    found = re.findall(r"^(Max [a-z ]+?) {2,}\S+ +(\S+)", text, re.MULTILINE)
    return {name: float(value.replace("unlimited", "inf")) for name, value in found}


@case("real-time-priority", "oom-score")
def test_no_process_gets_a_higher_priority(attacker: Function) -> None:
    """Neither real-time nor a better priority, nor an exemption from the OOM killer."""
    attacker.do("privileges.schedule")
    box = attacker.box()
    for pid in box.pids():
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        assert int(fields[16]) >= 0, "nice"
        assert (fields[37], fields[38]) == ("0", "0"), "real-time priority and policy"
        assert int(Path(f"/proc/{pid}/oom_score_adj").read_text()) >= 0


@case("cgroup-hidden", "cgroup-escape")
def test_the_groups_are_out_of_reach(attacker: Function) -> None:
    """No control group file is visible, every process and thread is in the box's groups, the limits
    hold."""
    found, mounts = attacker.do("privileges.find_cgroups")
    assert (found, mounts) == ([], [])
    attacker.do("privileges.spread")
    box = attacker.box()
    pids = box.functions()
    assert len(pids) >= 8
    groups = {
        (at, path)
        for pid in pids
        for task in Path(f"/proc/{pid}/task").iterdir()
        for at, path in host.cgroups_of(int(task.name))
        if "lambent" in path
    }
    everyones = [at for at, _ in groups]
    assert len(everyones) == len(set(everyones)) >= 1
    assert not any(
        "lambent" not in path
        for pid in pids
        for at, path in host.cgroups_of(pid)
        if at in everyones
    )
    limit = [
        Path(at + path, name).read_text()
        for at, path in groups
        for name in ("memory.max", "memory.limit_in_bytes")
        if Path(at + path, name).exists()
    ]
    assert [int(value) for value in limit] == [MEMORY_MB << 20]


@case("leaked-descriptors")
def test_nothing_of_the_host_is_open(attacker: Function) -> None:
    """/dev/null, two pipes and sockets of the box's own network: no file, directory or socket of
    the host, no namespace, no control group."""
    descriptors = attacker.do("privileges.descriptors")
    box = attacker.box()
    (pid,) = box.functions()
    links = {fd: host.link(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")}
    assert set(descriptors) <= {*links, *map(str, range(3, 9))}
    assert links["0"] == "/dev/null"
    # The function's own ctypes opens libffi's library, which newer ones keep open.
    kinds = {link.partition(":")[0] for link in links.values() if "/libffi.so" not in link}
    assert kinds == {"/dev/null", "pipe", "socket"}
    assert len({link for link in links.values() if link.startswith("pipe")}) == 2
    tables = [Path(f"/proc/{pid}/net/{name}").read_text() for name in ("tcp", "unix")]
    own = set(" ".join(tables).split())
    for link in links.values():
        if link.startswith("socket"):
            assert link.strip("socket:[]") in own
    flags = {fd: Path(f"/proc/{pid}/fdinfo/{fd}").read_text() for fd in links}
    # It could only reopen a pipe that it alone writes to.
    assert all(re.search(r"flags:\s+0?\d*1$", flags[fd], re.MULTILINE) for fd in ("1", "2", "3"))
