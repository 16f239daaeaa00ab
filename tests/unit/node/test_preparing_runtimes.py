"""Preparing runtime directories, with an npm that is a script."""

import json
import os
import shutil
import stat
import subprocess
import threading
import zipfile
from pathlib import Path

import pytest

import lambent
from lambent.node.languages.language import Interpreter
from lambent.node.languages.preparing import default_cache, prepare_runtimes
from tests.interpreters import an_interpreter

INSTALLS = """#!/bin/sh
echo run >> "$(dirname "$0")/../runs"
umask 077
mkdir -p node_modules/package
echo text > node_modules/package/index.js
printf '#!/bin/sh\\n' > node_modules/package/tool
chmod 700 node_modules/package/tool
ln -s index.js node_modules/package/link.js
sleep 0.1
"""


def fake_node(root: Path, npm: str, major: int = 20) -> Interpreter:
    """A Node whose npm does what the script says."""
    (root / "bin").mkdir(parents=True)
    (root / "bin/npm").write_text(npm)
    (root / "bin/npm").chmod(0o755)
    return an_interpreter(
        kind="node", version=(major, 1, 2), executable=root / "bin/node", prefix=root
    )


def test_a_directory_is_made_once_for_all(tmp_path: Path) -> None:
    """Packages and our files are in it, readable by all whatever the umask; npm ran once."""
    node = fake_node(tmp_path / "node", INSTALLS)
    steps: list[tuple[str, ...]] = []

    class Told:
        """The progress messages."""

        def begin(self, name: str, step: str) -> None:
            steps.append((name, step))

        def end(self, name: str, failure: str | None = None) -> None:
            steps.append((name, failure or "ready"))

    (first,) = prepare_runtimes([node], tmp_path / "cache", Told())
    (second,) = prepare_runtimes([node], tmp_path / "cache")
    assert first == second
    assert first.failure is None
    directory = first.directory
    assert directory is not None
    assert directory.name.startswith("nodejs20-")
    assert (directory / "bootstrap.cjs").exists()
    assert steps == [("nodejs20", "AWS's SDK, with npm"), ("nodejs20", "ready")]
    assert (tmp_path / "node/runs").read_text() == "run\n"
    for path in (directory, *directory.rglob("*")):
        mode = stat.S_IMODE(path.stat().st_mode)
        assert mode == (0o755 if path.is_dir() or path.name == "tool" else 0o644), path


COMPILES = """#!/bin/sh
echo "$@" >> "$(dirname "$0")/../runs"
while [ "$1" != -d ]; do shift; done
mkdir -p "$2/lambent/runtime"
echo code > "$2/lambent/runtime/Main.class"
"""


def fake_java(root: Path) -> Interpreter:
    """A JVM, without its compiler."""
    (root / "bin").mkdir(parents=True)
    return an_interpreter(
        kind="java", version=(17, 0, 1), executable=root / "bin/java", prefix=root
    )


def test_javas_client_is_compiled_once(tmp_path: Path) -> None:
    """By the JVM's own compiler, into a jar that all may read."""
    java = fake_java(tmp_path / "java")
    (tmp_path / "java/bin/javac").write_text(COMPILES)
    (tmp_path / "java/bin/javac").chmod(0o755)
    (first,) = prepare_runtimes([java], tmp_path / "cache")
    (second,) = prepare_runtimes([java], tmp_path / "cache")
    assert first == second
    assert first.directory is not None, first.failure
    assert first.directory.name.startswith("java17-")
    assert [path.name for path in first.directory.iterdir()] == ["client.jar"]
    with zipfile.ZipFile(first.directory / "client.jar") as jar:
        assert jar.namelist() == ["lambent/runtime/Main.class"]
    assert stat.S_IMODE((first.directory / "client.jar").stat().st_mode) == 0o644
    (run,) = (tmp_path / "java/runs").read_text().splitlines()
    assert run.startswith("-nowarn ")
    assert "/runtimes/java/lambent/runtime/Main.java" in run


def test_a_jre_alone_asks_for_a_jdk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing can compile the client then."""
    monkeypatch.setenv("PATH", str(tmp_path))
    (bad,) = prepare_runtimes([fake_java(tmp_path / "java")], tmp_path / "cache")
    assert bad.directory is None
    assert "install the JDK, such as apt install openjdk-17-jdk-headless" in (bad.failure or "")


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("javac") is None, reason="needs a JDK")
def test_javas_client_needs_nothing_newer_than_java_8(tmp_path: Path) -> None:
    """As functions of java8 may run on such a JVM."""
    sources = Path(lambent.__file__).parent / "runtimes/java"
    files = [str(path) for path in sources.rglob("*.java")]
    command = ["javac", "-Xlint:all,-options", "-Werror", "--release", "8", "-d", str(tmp_path)]
    done = subprocess.run([*command, *files], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_rubys_client_is_copied(tmp_path: Path) -> None:
    """It needs nothing else."""
    ruby = an_interpreter(
        kind="ruby", version=(3, 3, 1), executable=Path("/r/bin/ruby"), prefix=Path("/r")
    )
    (prepared,) = prepare_runtimes([ruby], tmp_path)
    assert prepared.directory is not None
    assert (prepared.directory / "bootstrap.rb").exists()


def test_two_preparers_do_not_meet(tmp_path: Path) -> None:
    """The second waits for the first and finds its work done."""
    node = fake_node(tmp_path / "node", INSTALLS)
    prepared = []
    threads = [
        threading.Thread(
            target=lambda: prepared.extend(prepare_runtimes([node], tmp_path / "cache"))
        )
        for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [runtime.failure for runtime in prepared] == [None] * 3
    assert (tmp_path / "node/runs").read_text() == "run\n"


def test_a_failure_is_reported_and_leaves_nothing(tmp_path: Path) -> None:
    """In one line, for that runtime alone; the next attempt starts afresh."""
    broken = fake_node(tmp_path / "broken", "#!/bin/sh\necho 'npm error no\nroute' >&2; exit 1\n")
    works = fake_node(tmp_path / "works", INSTALLS, major=22)
    bad, good = prepare_runtimes([broken, works], tmp_path / "cache")
    assert bad.directory is None
    assert bad.failure == "npm: npm error no"
    assert good.directory is not None
    left = {path.name for path in (tmp_path / "cache").iterdir() if path.is_dir()}
    assert left == {good.directory.name}
    (tmp_path / "broken/bin/npm").write_text(INSTALLS)
    (again,) = prepare_runtimes([broken], tmp_path / "cache")
    assert again.failure is None


def test_a_cache_that_cannot_be_made_is_a_failure(tmp_path: Path) -> None:
    """Not a crash."""
    (tmp_path / "file").write_text("")
    node = fake_node(tmp_path / "node", INSTALLS)
    (bad,) = prepare_runtimes([node], tmp_path / "file/cache")
    assert bad.directory is None
    assert "file" in (bad.failure or "")


def test_what_a_dead_preparer_left_is_swept(tmp_path: Path) -> None:
    """Only what is of the same directory."""
    node = fake_node(tmp_path / "node", INSTALLS)
    (first,) = prepare_runtimes([node], tmp_path / "cache")
    assert first.directory is not None
    directory = first.directory
    for path in sorted(directory.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()
    directory.rmdir()
    left = directory.with_name(f".partial-{directory.name}-dead")
    other = directory.with_name(".partial-other-dead")
    left.mkdir()
    other.mkdir()
    prepare_runtimes([node], tmp_path / "cache")
    assert not left.exists()
    assert other.exists()


def test_our_files_follow_the_installed_version(tmp_path: Path) -> None:
    """A changed bootstrap is put right without installing again."""
    node = fake_node(tmp_path / "node", INSTALLS)
    (first,) = prepare_runtimes([node], tmp_path / "cache")
    assert first.directory is not None
    bootstrap = first.directory / "bootstrap.cjs"
    content = bootstrap.read_bytes()
    bootstrap.write_bytes(b"of an older version")
    prepare_runtimes([node], tmp_path / "cache")
    assert bootstrap.read_bytes() == content
    assert (tmp_path / "node/runs").read_text() == "run\n"


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"HOME": "/home/me"}, "/home/me/.cache/lambent/runtimes"),
        ({"HOME": "/home/me", "XDG_CACHE_HOME": "/c"}, "/c/lambent/runtimes"),
    ],
)
def test_the_cache_is_the_operators(environment: dict[str, str], expected: str) -> None:
    """As the XDG rules say."""
    assert default_cache(environment) == Path(expected)
    assert os.fspath(default_cache()).endswith("lambent/runtimes")


def test_a_part_of_the_sdk_is_better_than_none(tmp_path: Path) -> None:
    """If one of the packages is not available, those that most functions use are installed."""
    script = INSTALLS + (
        'if grep -q client-sfn package.json; then echo "npm error 404" >&2; exit 1; fi\n'
        "cd node_modules && mkdir -p @aws-sdk/client-s3/dist-types @aws-sdk/client-s3/dist-es"
        " @aws-sdk/client-s3/dist-cjs\n"
    )
    (prepared,) = prepare_runtimes([fake_node(tmp_path / "node", script)], tmp_path / "cache")
    assert prepared.directory is not None, prepared.failure
    wanted = json.loads((prepared.directory / "package.json").read_text())["dependencies"]
    assert "@aws-sdk/client-s3" in wanted
    assert "@aws-sdk/client-sfn" not in wanted
    # What Node.js never reads is not kept.
    client = prepared.directory / "node_modules/@aws-sdk/client-s3"
    assert [path.name for path in client.iterdir()] == ["dist-cjs"]


def fake_ruby(root: Path, gem: str) -> Interpreter:
    """A Ruby whose `gem` does what the script says."""
    (root / "bin").mkdir(parents=True)
    (root / "bin/gem").write_text(gem)
    (root / "bin/gem").chmod(0o755)
    return an_interpreter(kind="ruby", version=(3, 3, 1), executable=root / "bin/ruby", prefix=root)


def test_rubys_sdk_is_installed_where_gems_are_available(tmp_path: Path) -> None:
    """Next to the client; without it Ruby functions still run."""
    installs = '#!/bin/sh\nmkdir -p "$4/gems/$5-3.3.0/lib" "$4/specifications"\n'
    (with_sdk,) = prepare_runtimes([fake_ruby(tmp_path / "a", installs)], tmp_path / "one")
    assert with_sdk.directory is not None, with_sdk.failure
    assert (with_sdk.directory / "gems/aws-sdk-3.3.0/lib").is_dir()
    fails = "#!/bin/sh\necho 'ERROR:  Could not find a valid gem' >&2; exit 2\n"
    (without,) = prepare_runtimes([fake_ruby(tmp_path / "b", fails)], tmp_path / "two")
    assert without.directory is not None
    assert (without.directory / "bootstrap.rb").exists()
