"""Installs Lambent as a user does, and uses it: `make check-install`.

A wheel is built from a copy of the sources, so nothing is left in the checkout, and has to hold
every file of the package. Plain `pip install` puts it into an empty environment, as an ordinary
user and, if this is root, as root too. Each starts a platform, deploys a function, calls it, reads
its log and stops the platform. Nothing of it stays.
"""

import os
import pwd
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from lambent.node.languages.preparing import default_cache

ROOT = Path(__file__).parents[1]
ORDINARY = "nobody"
"""Exists everywhere, and owns nothing."""
READY_S = 300.0
"""The first start of a user fetches the runtime clients."""
STOP_S = 120.0
CONSOLE = "/_lambent/console"
FUNCTION = "def handler(event, context):\n    print('got', event)\n    return {'hello': event}\n"


class Person:
    """Who installs: a user with a home of its own in a temporary directory."""

    def __init__(self, name: str | None, home: Path) -> None:
        self.name = name or "root"
        self.home = home
        home.mkdir(mode=0o755)
        self._user: dict[str, object] = {}
        if name is not None and os.geteuid() == 0:
            account = pwd.getpwnam(name)
            self._user = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
            os.chown(home, account.pw_uid, account.pw_gid)
        self._environment = {
            "HOME": str(home),
            "PATH": f"{home}/env/bin:{os.environ['PATH']}",
            # Neither the platform nor a Python's runtime client needs a compiler.
            **dict.fromkeys(("CC", "CXX", "CARGO", "RUSTC"), "/bin/false"),
            "LANG": os.environ.get("LANG", "C.UTF-8"),
            # How this machine reaches its package index.
            **{
                name: value
                for name, value in os.environ.items()
                if name.startswith(("PIP_", "NPM_", "SSL_", "REQUESTS_"))
                or name.lower().endswith("_proxy")
            },
        }

    def take(self, directory: Path) -> None:
        """Make a directory below the home its own, and those above."""
        if self._user:
            for path in (directory, *directory.parents):
                if path.is_relative_to(self.home):
                    os.chown(path, int(str(self._user["user"])), int(str(self._user["group"])))

    def start(self, *command: str, **more: str) -> "subprocess.Popen[str]":
        """Start a program in the home directory."""
        return subprocess.Popen(
            command,
            cwd=self.home,
            env={**self._environment, **more},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            **self._user,  # type: ignore[call-overload]
        )

    def run(self, *command: str, **more: str) -> str:
        """What a program that has to succeed prints."""
        process = self.start(*command, **more)
        try:
            output, _ = process.communicate(timeout=READY_S)
        finally:
            process.kill()
        if process.returncode != 0:
            raise SystemExit(
                f"{self.name}: {' '.join(command)} ended with {process.returncode}:\n{output}"
            )
        return str(output)


def build(work: Path) -> Path:
    """The wheel, made from a copy of the sources; it has every file of the package."""
    sources = work / "sources"
    sources.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, sources)
    ignored = shutil.ignore_patterns("__pycache__", "*.egg-info")
    shutil.copytree(ROOT / "src", sources / "src", ignore=ignored)
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*command, "--no-deps", "-w", work, sources], check=True, timeout=READY_S)
    (wheel,) = work.glob("*.whl")
    wheel.chmod(0o644)
    with zipfile.ZipFile(wheel) as archive:
        packed = set(archive.namelist())
    package = sources / "src"
    missing = {
        str(path.relative_to(package))
        for path in (package / "lambent").rglob("*")
        if path.is_file()
    } - packed
    if missing:
        raise SystemExit(f"the wheel lacks {', '.join(sorted(missing))}: see package-data")
    return wheel


@contextmanager
def running(person: Person) -> Iterator[str]:
    """A platform of the person's; returns its endpoint. It has to stop by itself when it is
    told."""
    process = person.start("lambent", "up", "--port", "0", "--data-dir", str(person.home / "data"))
    output = ""
    try:
        assert process.stdout is not None
        for line in process.stdout:
            output += line
            if found := re.search(r"ready at (http://\S+)", line):
                yield found[1]
                break
        process.send_signal(signal.SIGTERM)
        output += process.communicate(timeout=STOP_S)[0]
    finally:
        process.kill()
    if "ready at" not in output or process.returncode != 0:
        raise SystemExit(f"{person.name}: lambent up ended with {process.returncode}:\n{output}")


def give_runtimes(person: Person) -> None:
    """Give what this machine has prepared for Node.js, Java, Ruby and other Pythons: fetching
    all of it takes minutes. What the first start fetches is one Python's."""
    prepared = default_cache()
    own = default_cache({"HOME": str(person.home)})
    version = f"python{sys.version_info.major}.{sys.version_info.minor}-"
    for directory in prepared.glob("*-*/") if prepared.is_dir() else ():
        if not directory.name.startswith((version, ".")):
            shutil.copytree(directory, own / directory.name, symlinks=True, copy_function=_link)
    person.take(own)


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError:
        shutil.copy2(source, target, follow_symlinks=False)


def check(person: Person, wheel: Path) -> None:
    """Install it and use it."""
    began = time.monotonic()
    base = str(getattr(sys, "_base_executable", sys.executable))
    person.run(base, "-m", "venv", "env")
    person.run("env/bin/python", "-m", "pip", "install", "-q", str(wheel))
    function = person.home / "hello"
    function.mkdir()
    (function / "app.py").write_text(FUNCTION)
    give_runtimes(person)
    installed_s = time.monotonic() - began
    with running(person) as endpoint:
        for command, expected in (
            (("deploy", "hello"), "hello"),
            (("invoke", "hello", "-d", '{"a": 1}'), '{"hello": {"a": 1}}'),
            (("logs", "hello"), "got {'a': 1}"),
            (("functions",), "hello"),
            (("open", "--no-browser", "--data-dir", str(person.home / "data")), CONSOLE),
        ):
            printed = person.run("lambent", *command, LAMBENT_ENDPOINT=endpoint)
            if expected not in printed:
                raise SystemExit(f"{person.name}: lambent {command[0]} printed {printed!r}")
        directly = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        directly.open(f"{endpoint}{CONSOLE}/static/app.js", timeout=60).close()
    whole_s = time.monotonic() - began
    print(f"{person.name}: installed in {installed_s:.0f} s, used in {whole_s - installed_s:.0f} s")


def main() -> None:
    """Check it for everyone this process can be."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("check-install was stopped"))
    work = Path(tempfile.mkdtemp(prefix="lambent-install-"))
    work.chmod(0o755)
    try:
        wheel = build(work)
        people = [Person(ORDINARY, work / "ordinary")]
        if os.geteuid() == 0:
            people.append(Person(None, work / "root"))
        with ThreadPoolExecutor() as threads:
            for done in [threads.submit(check, person, wheel) for person in people]:
                done.result()
    finally:
        shutil.rmtree(work)


if __name__ == "__main__":
    main()
