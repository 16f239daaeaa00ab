"""Files: a function only owns /tmp, and nothing in it leads to the host."""

import contextlib
import hashlib
import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hostile import host
from tests.hostile.cases import case
from tests.hostile.conftest import Function, StartFunction
from tests.platforms import Platform

SYSTEM = (
    "/",
    "/usr",
    "/usr/bin",
    "/usr/lib",
    "/etc",
    "/bin",
    "/home",
    "/var",
    "/opt",
    "/mnt",
    "/dev",
)
MASKED = ("kcore", "keys", "key-users", "timer_list", "cmdline", "sysrq-trigger")


@pytest.fixture(scope="module")
def attacker(start: StartFunction, mode: str) -> Function:
    """One function for all attacks whose calls succeed."""
    return start(mode, MemorySize=1024)


@pytest.fixture
def secret(tmp_path: Path) -> Iterator[Path]:
    """A file of the host, readable to every process that can see it."""
    path = Path(f"/tmp/lambent-secret-{os.getpid()}")
    path.write_text("the host's secret")
    path.chmod(0o666)
    yield path
    path.unlink()


def looks(paths: tuple[str, ...]) -> dict[str, object]:
    """Mode and owner of system directories, and the names in them that attacks use; other names
    come and go."""
    return {
        path: (
            os.stat(path).st_mode,
            os.stat(path).st_uid,
            [name for name in os.listdir(path) if "hostile" in name],
        )
        for path in paths
        if os.path.exists(path)
    }


def is_whole(path: str) -> bool:
    """Whether no attack on a file had an effect; other processes may change its content."""
    about = os.stat(path)
    content = Path(path).read_bytes()
    is_old = about.st_mtime == 0 or "user.hostile" in os.listxattr(path)
    return bool(content) and b"hostile" not in content and about.st_uid == 0 and not is_old


def digest(path: str) -> str:
    """A file's content, in short."""
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


@case("read-only-files")
def test_only_tmp_can_be_changed(attacker: Function, platform: Platform) -> None:
    """Code, runtime, layers and system are unchanged, byte by byte."""
    attacker.do("attempts.here")
    box = attacker.box()
    runtime = next(
        line.split(" ")[3]
        for line in next(iter(box.mounts())).splitlines()
        if line.split(" ")[4] == "/var/runtime"
    )
    directories = [platform.data_dir / "code", Path(runtime)]
    programs = ["/usr/bin/env", "/usr/bin/su"]
    before = [*map(host.tree, directories), looks(SYSTEM), *map(digest, programs)]
    assert all(before)
    assert attacker.do("files.change") == []
    after = [*map(host.tree, directories), looks(SYSTEM), *map(digest, programs)]
    assert after == before
    assert all(map(is_whole, ("/etc/passwd", "/etc/ld.so.cache")))


@case("program-overwrite")
def test_running_programs_cannot_be_overwritten(attacker: Function) -> None:
    """Neither the interpreter nor init's program, through `/proc/PID/exe`."""
    box = attacker.box()
    programs = {os.path.realpath(sys.executable), "/usr/bin/cat", "/usr/bin/env"}
    programs |= {host.link(f"/proc/{pid}/exe") for pid in box.pids()}
    before = {path: digest(path) for path in programs if os.path.isfile(path)}
    assert len(before) >= 3
    assert "done" not in attacker.do("files.overwrite_programs")
    assert {path: digest(path) for path in before} == before


@case("proc-sys-write")
def test_kernel_settings_cannot_be_written(attacker: Function) -> None:
    """core_pattern, modprobe and all others are unchanged. The one that every process may open
    belongs to the box's own namespace, and writing it takes a capability."""
    before = host.state()
    opened, written = attacker.do("files.write_settings")
    assert set(opened) <= {"/proc/sys/kernel/ns_last_pid"}
    assert "done" not in written
    assert host.state() == before


@case("kernel-memory", "sysrq-trigger", "sys-hidden", "devices-hidden")
def test_kernel_files_say_nothing(attacker: Function) -> None:
    """Masked, absent or empty; addresses of the kernel are zeros."""
    found = attacker.do("files.kernel_files")
    assert set(found.pop("kallsyms")) == {"0"}
    assert found.pop("/proc/self/pagemap") in ("", "EPERM"), "frames of the host's memory"
    assert set(found.values()) <= {"", "ENOENT", "EACCES", "EPERM", "EISDIR"}
    box = attacker.box()
    for name in MASKED:
        if os.path.exists(f"/proc/{name}"):
            masked = box.inside(f"/proc/{name}").stat().st_rdev
            assert masked == os.stat("/dev/null").st_rdev, name
    assert not box.inside("/sys").exists()
    devices = {path.name for path in box.inside("/dev").iterdir()}
    links = {"fd", "stdin", "stdout", "stderr"}
    assert devices == {"null", "zero", "full", "random", "urandom", "tty", *links}


@case("path-tricks")
def test_no_path_leads_to_the_host(attacker: Function, platform: Platform, secret: Path) -> None:
    """Links, `..` and roots and working directories in `/proc` end in the box."""
    targets = [
        secret,
        platform.data_dir,
        platform.data_dir / "state" / "lambent.db",
        "/root",
        "/etc/shadow",
    ]
    database = platform.data_dir / "state" / "lambent.db"
    before = digest(str(database))
    found = attacker.do("files.walk_out", targets=list(map(str, targets)))
    assert not any("host's secret" in str(value) or "root:" in str(value) for value in found)
    assert secret.read_text() == "the host's secret"
    assert digest(str(database)) == before
    roots = {os.stat(f"/proc/{pid}/root").st_dev for pid in attacker.box().pids()}
    assert os.stat("/").st_dev not in roots


@case("symlink-traps")
def test_files_in_tmp_mislead_no_program(
    start: StartFunction, platform: Platform, secret: Path
) -> None:
    """After a timeout, a new start on the same /tmp and a deletion, the targets are there."""
    function = start(Timeout=1)
    box = function.box()
    targets = [secret, platform.data_dir, platform.data_dir / "code"]
    code = host.tree(platform.data_dir / "code")
    payload, _ = function.try_to("files.lay_traps", targets=list(map(str, targets)))
    assert payload["errorType"] == "Sandbox.Timedout"
    box.wait_gone()
    again = function.box()
    assert again.inside("/tmp/trap-0").is_symlink()
    function.delete()
    again.wait_gone()
    assert secret.read_text() == "the host's secret"
    assert host.tree(platform.data_dir / "code") == code


@case("sockets-in-files")
def test_sockets_of_the_host_are_not_there(attacker: Function, platform: Platform) -> None:
    """Docker's, the system bus's and one that every process on the host may use."""
    path = f"/tmp/lambent-hostile-{os.getpid()}.socket"
    with contextlib.closing(socket.socket(socket.AF_UNIX)) as listener:
        listener.bind(path)
        try:
            os.chmod(path, 0o777)  # noqa: S103 - to everybody who sees it
            listener.listen()
            listener.setblocking(False)
            known = ["/run/docker.sock", "/var/run/docker.sock", "/run/dbus/system_bus_socket"]
            outcomes = attacker.do("files.connect_to", paths=[path, *known])
            assert set(outcomes) == {"ENOENT"}
            with pytest.raises(BlockingIOError):
                listener.accept()
        finally:
            os.unlink(path)


@case("change-devices")
def test_devices_stay_as_they_are(attacker: Function) -> None:
    """No other /dev/null changes, nor the kernel's pool of random bits."""
    before = host.state()["devices"]
    outcomes = attacker.do("files.change_devices")
    assert "done" not in outcomes
    assert host.state()["devices"] == before
    for name in ("null", "urandom"):
        assert attacker.box().inside(f"/dev/{name}").stat().st_mode & 0o777 == 0o666
