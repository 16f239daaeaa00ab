"""Platforms in the tier `process`: as root, where each environment has a separate user, and as an
ordinary user. Their directories are accessible to every user, unlike those of other tests."""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lambent.node.languages.interpreters import find_interpreters
from lambent.node.languages.preparing import default_cache, prepare_runtimes
from tests.isolation.boxes import descendants
from tests.platforms import Platform, deploy, invoke

IS_ROOT = os.geteuid() == 0
NOBODY = 65_534
AS_NOBODY = (
    *("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"),
    *("--inh-caps=-all", "--bounding-set=-all"),
)
SHOW = 'mount --bind "$0" "$1" && shift && exec "$@"'


@pytest.fixture(scope="session")
def open_directory() -> Iterator[Path]:
    """A directory that every user may enter."""
    directory = Path(tempfile.mkdtemp(prefix="lambent-test-", dir="/var/tmp"))
    directory.chmod(0o755)
    yield directory
    shutil.rmtree(directory)


@pytest.fixture(scope="session")
def prepared() -> Path:
    """Where the runtimes of all tests are; possibly only their owner may enter it."""
    prepare_runtimes(find_interpreters(), default_cache())
    return default_cache()


@pytest.fixture(scope="session")
def start_in_tier(open_directory: Path, prepared: Path) -> Iterator[Callable[..., Platform]]:
    """Starts platforms in the tier; `is_root` says as which user. Each is stopped at the end."""
    started: list[Platform] = []
    runtimes = open_directory / "runtimes"
    runtimes.mkdir()

    def start(name: str, *arguments: str, is_root: bool = IS_ROOT, **more: Any) -> Platform:
        place = open_directory / name
        place.mkdir(exist_ok=True)
        prefix: tuple[str, ...] = ()
        settings = ["--set", "sandbox.isolation=process"]
        if IS_ROOT:
            # Mounted at an accessible path, for this platform only.
            prefix = ("unshare", "--mount", "sh", "-c", SHOW, str(prepared), str(runtimes))
            settings += ["--set", f"worker.runtimes_dir={runtimes}"]
            if not is_root:
                os.chown(place, NOBODY, NOBODY)
                prefix += AS_NOBODY
        running = Platform(
            place / "data",
            *settings,
            *arguments,
            prefix=prefix,
            environment={"HOME": str(place)} if IS_ROOT else None,
            **more,
        )
        started.append(running)
        return running

    yield start
    for running in started:
        if running.process.stdout is not None and not running.process.stdout.closed:
            assert running.stop() == 0, running.output


@pytest.fixture(scope="session")
def platforms() -> dict[str, Platform]:
    """The parameters of `platform`, which is created again in each module."""
    return {}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Modules choose the sorts of platforms they use: `users`, `one-user` or, by default, both."""
    if "platform" in metafunc.fixturenames:
        sorts = getattr(metafunc.module, "SORTS", ("users", "one-user"))
        possible = dict.fromkeys(sort if IS_ROOT else "one-user" for sort in sorts)
        metafunc.parametrize("platform", list(possible), indirect=True, scope="session")


@pytest.fixture(scope="session")
def platform(
    request: pytest.FixtureRequest,
    start_in_tier: Callable[..., Platform],
    platforms: dict[str, Platform],
) -> Platform:
    """One platform of each sort for all tests that do not stop it."""
    sort: str = request.param
    if sort not in platforms:
        platforms[sort] = start_in_tier(f"platform-{sort}", is_root=sort == "users")
    return platforms[sort]


@pytest.fixture(scope="session")
def lambda_client(platform: Platform) -> Any:
    """A boto3 Lambda client for the shared platform."""
    return platform.client("lambda")


@pytest.fixture(scope="session")
def separates_users(platform: Platform) -> bool:
    """Whether environments have separate users."""
    return "Each environment has a user of its own" in platform.output


@pytest.fixture(scope="session")
def run_code(lambda_client: Any) -> Callable[..., Any]:
    """Runs Python code in an environment; returns the value that its `handler` returns."""
    deployed: set[str] = set()

    def run(body: str, event: Any = None, *, function: str = "") -> Any:
        name = function or f"code-{len(deployed)}"
        if name not in deployed:
            deployed.add(name)
            deploy(lambda_client, name, {"app.py": body}, Timeout=30)
        payload, answer = invoke(lambda_client, name, event)
        assert "FunctionError" not in answer, payload
        return payload

    return run


def launcher_of(platform: Platform) -> int:
    """The launcher's pid."""
    for pid in descendants(platform.process.pid):
        if b"sandbox.launcher" in Path(f"/proc/{pid}/cmdline").read_bytes():
            return pid
    raise AssertionError("there is no launcher")
