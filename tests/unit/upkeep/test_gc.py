"""What `lambent gc` takes for garbage, and what it leaves alone."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lambent.instance.lock import hold, own_facts, write_facts
from lambent.kit.clock import ManualClock
from lambent.kit.installing import keep, left_over, locked, make_directory, remove_unused
from lambent.node.languages.preparing import _key, runtime_name
from lambent.services.installation import packages_directory
from lambent.settings import Settings, load_settings
from lambent.store.blobs import TRASH_S, key_of
from lambent.store.directory_blobs import DirectoryBlobs
from lambent.upkeep import UpkeepError, gc
from lambent.upkeep.gc import Item, collect
from tests.interpreters import an_interpreter

OLD = "0123456789ab"
KEEPER = """
import sys
from pathlib import Path
from lambent.kit.installing import keep
print(keep(Path(sys.argv[1])), flush=True)
sys.stdin.read()
"""


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Everything is below one directory; the real caches of this machine are not touched."""
    monkeypatch.setattr(gc, "_OF_SERVICE", tmp_path / "var")
    for name in ("runtimes", "services", "data"):
        (tmp_path / name).mkdir()
    flags = {
        "worker.runtimes_dir": ("test", str(tmp_path / "runtimes")),
        "services.packages_dir": ("test", str(tmp_path / "services")),
        "server.data_dir": ("test", str(tmp_path / "data")),
    }
    return load_settings(flags=flags, environment={}).settings


@pytest.fixture
def kept(settings: Settings) -> "Iterator[Path]":
    """An outdated directory that a platform of another version uses."""
    directory = Path(settings.worker.runtimes_dir) / f"python3.12-{OLD}"
    directory.mkdir()
    with subprocess.Popen(
        [sys.executable, "-c", KEEPER, str(directory)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as keeper:
        assert keeper.stdout is not None
        assert keeper.stdout.readline() == b"True\n"
        yield directory
        keeper.kill()


def names(items: list[Item]) -> list[str]:
    """The last part of each place."""
    return [Path(item.place).name for item in items]


def test_caches(settings: Settings, kept: Path) -> None:
    """What another version of the platform would use goes, unless one does use it. What this one
    uses stays, and so does what is of no form that we make."""
    runtimes = Path(settings.worker.runtimes_dir)
    current = [
        f"{runtime_name(interpreter)}-{_key(interpreter)}"
        for interpreter in (
            an_interpreter(kind="python", version=(3, 12, 1), executable=kept, prefix=kept),
            an_interpreter(kind="node", version=(20, 1), executable=kept, prefix=kept),
            an_interpreter(kind="java", version=(17, 0), executable=kept, prefix=kept),
            an_interpreter(kind="ruby", version=(3, 1, 2), executable=kept, prefix=kept),
        )
    ]
    foreign = ["notes-2024", "python-0123456789ab", "cobol3-0123456789ab", "python3.12"]
    old = [f"java17-{OLD}", f"nodejs20-{OLD}", f"python2.7-{OLD}", f"ruby3.1-{OLD}"]
    for name in (*current, *foreign, *old):
        (runtimes / name).mkdir()
        (runtimes / name / "file").write_text("x" * 5000)
    (runtimes / f"java21-{OLD}").symlink_to(runtimes / current[0])
    packages = packages_directory(Path(settings.services.packages_dir))
    packages.mkdir()
    packages.with_name(f"ministack-{OLD}").mkdir()

    found = collect(settings, is_dry=True)
    assert sorted(names(found)) == sorted([*old, kept.name, f"ministack-{OLD}"])
    assert next(item for item in found if "java17" in item.place).bytes >= 4096
    assert (runtimes / old[0]).exists()

    removed = collect(settings, is_dry=False)
    assert sorted(names(removed)) == sorted([*old, f"ministack-{OLD}"])
    left = {path.name for path in runtimes.iterdir()}
    assert left == {*current, *foreign, kept.name, f"java21-{OLD}"}
    assert packages.exists()
    assert not packages.with_name(f"ministack-{OLD}").exists()


def test_what_a_killed_maker_left(settings: Settings) -> None:
    """It goes; what is being made at this moment stays."""
    cache = Path(settings.worker.runtimes_dir)
    for name in ("a-1", "b-2"):
        (cache / f".{name}.lock").touch()
        (cache / f".partial-{name}-{OLD}").mkdir()
    with locked(cache / ".a-1.lock"):
        assert names(collect(settings, is_dry=False)) == [f".partial-b-2-{OLD}"]
    assert [path.name for path in left_over(cache)] == [f".partial-a-1-{OLD}"]


def test_a_directory_that_goes_while_it_is_wanted(tmp_path: Path) -> None:
    """A late user gets an error, and creates it again."""
    directory = tmp_path / "one-1"
    make_directory(directory, lambda path: (path / "x").touch())
    assert remove_unused(directory)
    assert not keep(directory)
    make_directory(directory, lambda path: (path / "x").touch())
    assert keep(directory)
    assert not remove_unused(directory)
    assert list(tmp_path.iterdir()) == [directory]


def test_data_of_a_platform_that_does_not_run(settings: Settings) -> None:
    """Code whose package is gone, halves, old trash and leftovers of sandboxes go; packages, fresh
    trash and code that will be used stay."""
    data = settings.server.data_dir
    clock = ManualClock(1_000_000_000)
    blobs = DirectoryBlobs(data / "state/blobs", clock)
    used, gone, old = (key_of(text) for text in (b"used", b"gone", b"old"))
    blobs.put(used, b"used")
    blobs.put(old, b"old")
    blobs.discard(old)
    clock.advance(TRASH_S)
    for name in (used, f"{used}.python3.12", gone, f"{gone}.python3.12", "layers-1", ".partial-1"):
        (data / "code" / name).mkdir(parents=True)
    (data / "sandbox/volumes").mkdir(parents=True)
    (data / "sandbox/volumes/template-512").write_text("x")
    removed = collect(settings, is_dry=False)
    assert sorted(names(removed)) == sorted(
        [gone, f"{gone}.python3.12", "layers-1", ".partial-1", f"1000000000.{old}", "template-512"]
    )
    assert {path.name for path in (data / "code").iterdir()} == {used, f"{used}.python3.12"}
    assert blobs.exists(used)
    assert collect(settings, is_dry=False) == []


def test_a_platform_that_does_not_answer(settings: Settings) -> None:
    """What it uses is not touched."""
    data = settings.server.data_dir
    (data / "code/gone").mkdir(parents=True)
    lock = hold(data)
    assert lock is not None
    write_facts(lock, own_facts("1"))
    try:
        with pytest.raises(UpkeepError, match="cannot ask the platform"):
            collect(settings, is_dry=False)
    finally:
        os.close(lock)
    assert (data / "code/gone").exists()


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="needs files of another user")
def test_what_belongs_to_another_user(settings: Settings) -> None:
    """Stays, even if root could remove it."""
    directory = Path(settings.worker.runtimes_dir) / f"java17-{OLD}"
    directory.mkdir()
    os.chown(directory, 12345, 12345)
    assert collect(settings, is_dry=False) == []
    assert directory.exists()


def test_what_cannot_be_removed(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is reported, and the rest is still removed."""
    for name in (f"java17-{OLD}", f"java21-{OLD}"):
        (Path(settings.worker.runtimes_dir) / name).mkdir()

    def remove(directory: Path) -> bool:
        if "17" in directory.name:
            raise PermissionError(13, "Permission denied")
        return remove_unused(directory)

    monkeypatch.setattr(gc, "remove_unused", remove)
    bad, good = collect(settings, is_dry=False)
    assert "Permission denied" in bad.problem
    assert good.problem == ""
    assert not Path(good.place).exists()
