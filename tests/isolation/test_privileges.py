"""What the platform can still do after it has dropped root."""

import json
import os
import stat
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from lambent.sandbox.ports import SandboxError
from lambent.sandbox.privileges import hand_over

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root: changes the user"),
]

USER = 64_532

PROGRAM = """
import errno, json, os, signal, sys
from pathlib import Path
from lambent.sandbox.privileges import become_unprivileged, hand_over
def outcome(act):
    try:
        act()
    except OSError as error:
        return errno.errorcode[error.errno]
    return "done"
base = Path(sys.argv[1])
data = base / "data"
hand_over(data, {user}, {user})
{before}
become_unprivileged({user}, {user}, [{readable}], [data])
"""


def run_unprivileged(base: Path, code: str, *, before: str = "", readable: str = "") -> object:
    """The result of a process that has dropped root, with `base/data` as its only directory."""
    program = PROGRAM.format(user=USER, before=before, readable=readable) + textwrap.dedent(code)
    done = subprocess.run(
        [sys.executable, "-c", program, base],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
        cwd="/",
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """A directory that only root may search, with the data directory and a secret in it."""
    base = tmp_path / "private"
    (base / "data" / "blobs").mkdir(parents=True)
    (base / "data" / "blobs" / "old").write_text("old")
    (base / "secret").write_text("secret")
    base.chmod(0o700)
    return base


def test_lazy_imports_go_on(base: Path) -> None:
    """The interpreter stays usable, wherever it is installed, and so does this package."""
    found = run_unprivileged(
        base,
        """
        import sqlite3, decimal, ssl, encodings.idna, zoneinfo, ctypes, lzma
        import anyio, uvloop, httptools, lambent.kit.clock
        ssl.create_default_context()
        print(json.dumps([os.getresuid(), os.getresgid(), os.getgroups()]))
        """,
    )
    assert found == [[USER] * 3, [USER] * 3, []]


def test_only_the_data_directory_and_tmp_are_writable(base: Path) -> None:
    """It can write old and new files of the data directory, and nothing else on the host."""
    found = run_unprivileged(
        base,
        """
        import sqlite3
        database = sqlite3.connect(data / "lambent.db")
        database.execute("create table t (c)")
        database.commit()
        (data / "blobs" / "old").write_text("new")
        (data / "blobs" / "another").write_text("new")
        Path("/tmp/private").write_text("mine")
        Path("/dev/null").write_text("nothing")
        elsewhere = ["/var/tmp/x", "/dev/shm/x", "/x", "/root/x", sys.prefix + "/x", base / "x"]
        print(json.dumps([outcome(lambda: Path(each).write_text("x")) for each in elsewhere]))
        """,
    )
    assert set(found) <= {"EROFS", "EACCES", "ENOENT"}  # type: ignore[call-overload]
    assert (base / "data" / "blobs" / "old").read_text() == "new"
    assert (base / "data" / "blobs" / "another").stat().st_uid == USER
    assert not Path("/tmp/private").exists()


def test_what_only_root_may_read_is_gone(base: Path) -> None:
    """It cannot read the secret next to the data directory, nor root's own files."""
    found = run_unprivileged(
        base,
        """
        secrets = [base / "secret", Path("/etc/shadow"), Path("/root/.ssh"), Path("/root/.bashrc")]
        print(json.dumps([outcome(each.read_bytes) for each in secrets]))
        """,
    )
    assert set(found) <= {"EACCES", "ENOENT"}  # type: ignore[call-overload]
    assert "done" not in found  # type: ignore[operator]


def test_no_privilege_is_left_or_comes_back(base: Path) -> None:
    """No capability in any set, no way back to root, no mounts of other namespaces."""
    found = run_unprivileged(
        base,
        """
        lines = dict(line.split(":\\t") for line in open("/proc/self/status").read().splitlines())
        kept = {name: value for name, value in lines.items() if name.startswith("Cap")}
        print(json.dumps([
            sorted(set(kept.values())), lines["NoNewPrivs"],
            outcome(lambda: os.setuid(0)), outcome(lambda: os.chroot("/")),
        ]))
        """,
    )
    assert found == [["0" * 16], "1", "EPERM", "EPERM"]


def test_readable_paths_stay_in_place_and_read_only(base: Path) -> None:
    """A directory and a file below a closed directory are still there; their neighbors are not."""
    (base / "runtimes").mkdir()
    (base / "runtimes" / "client").write_text("client")
    (base / "lambent.toml").write_text("settings")
    found = run_unprivileged(
        base,
        """
        print(json.dumps([
            (base / "runtimes" / "client").read_text(), (base / "lambent.toml").read_text(),
            outcome(lambda: (base / "runtimes" / "client").write_text("x")),
            sorted(each.name for each in base.iterdir()),
        ]))
        """,
        readable="base / 'runtimes', base / 'lambent.toml'",
    )
    assert found[:2] == ["client", "settings"]  # type: ignore[index]
    assert found[2] in ("EROFS", "EACCES")  # type: ignore[index]
    assert found[3] == ["data", "lambent.toml", "runtimes"]  # type: ignore[index]


def test_a_symbolic_link_to_the_data_directory_works(base: Path, tmp_path: Path) -> None:
    """Both the given name and its target continue to work."""
    (tmp_path / "elsewhere").mkdir()
    (base / "data").rename(tmp_path / "elsewhere" / "data")
    (base / "data").symlink_to(tmp_path / "elsewhere" / "data")
    found = run_unprivileged(
        base,
        """
        (data / "one").write_text("1")
        (data.resolve() / "two").write_text("2")
        print(json.dumps(sorted(os.listdir(data))))
        """,
    )
    assert found == ["blobs", "one", "two"]
    assert sorted(os.listdir(tmp_path / "elsewhere" / "data")) == ["blobs", "one", "two"]


def test_the_parent_death_signal_stays(base: Path) -> None:
    """A process with a parent-death signal still ends with its parent."""
    found = run_unprivileged(
        base,
        """
        value = ctypes.c_int()
        ctypes.CDLL(None).prctl(2, ctypes.byref(value), 0, 0, 0)
        print(json.dumps(value.value))
        """,
        before="import ctypes; ctypes.CDLL(None).prctl(1, signal.SIGTERM, 0, 0, 0)",
    )
    assert found == 15


def test_more_than_one_thread_is_refused(base: Path) -> None:
    """Privileges belong to a thread: a second one would keep them."""
    before = "import threading; threading.Thread(target=signal.pause, daemon=True).start()"
    with pytest.raises(AssertionError, match="more than one thread"):
        run_unprivileged(base, "", before=before)


def test_a_user_that_is_not_root_only_gains_no_new_privileges(base: Path) -> None:
    """For an ordinary user nothing is mounted, and the user does not change."""
    found = run_unprivileged(
        base,
        """
        lines = dict(line.split(":\\t") for line in open("/proc/self/status").read().splitlines())
        is_home = os.readlink("/proc/self/ns/mnt") == mounts
        print(json.dumps([os.getuid(), lines["NoNewPrivs"], is_home]))
        """,
        before="mounts = os.readlink('/proc/self/ns/mnt'); os.setresuid(65534, 65534, 65534)\n"
        "import ctypes; ctypes.CDLL(None).prctl(4, 1, 0, 0, 0)",
    )
    assert found == [65534, "1", True]


def test_hand_over_changes_the_owner_of_what_root_owns(base: Path) -> None:
    """The directory and everything of root's in it change owners; links are not followed."""
    data = base / "data"
    (data / "link").symlink_to(base / "secret")
    hand_over(data, USER, USER)
    for path in (data, data / "blobs", data / "blobs" / "old", data / "link"):
        assert path.lstat().st_uid == USER
    assert (base / "secret").stat().st_uid == 0
    (data / "new").write_text("made by root later")
    hand_over(data, USER, USER)
    assert (data / "new").stat().st_uid == USER


def test_hand_over_refuses_what_is_not_the_platforms(base: Path) -> None:
    """The root, a home, another user's files and files with a second name stay unchanged."""
    for path in (Path("/"), Path("/root")):
        with pytest.raises(SandboxError, match="system directory or a home"):
            hand_over(path, USER, USER)
    foreign = base / "data" / "foreign"
    foreign.write_text("of somebody else")
    os.chown(foreign, 12_345, 12_345)
    with pytest.raises(SandboxError, match="belongs to user 12345"):
        hand_over(base / "data", USER, USER)
    foreign.unlink()
    (base / "data" / "secret").hardlink_to(base / "secret")
    with pytest.raises(SandboxError, match="another name"):
        hand_over(base / "data", USER, USER)
    assert stat.S_ISREG((base / "secret").stat().st_mode)
    assert (base / "secret").stat().st_uid == 0
