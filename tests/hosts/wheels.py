"""What is installed on a host: a wheel of this checkout, and its tests."""

import io
import subprocess
import tarfile
import tempfile
from pathlib import Path

from tests.hosts.places import Place
from tests.hosts.steps import ROOT, WORK, run

NEEDED = ("pyproject.toml", "tests", "docs")
INSTALL_DEADLINE_S = 600


def build_wheel() -> Path:
    """A wheel of the checkout, uncommitted changes included. It is built in a copy, because
    building writes to the source."""
    log = WORK / "wheel.log"
    listing = ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others"]
    names = run([*listing, "--exclude-standard"], log=log, deadline_s=60).decode().split("\0")
    with tempfile.TemporaryDirectory() as copy, tempfile.TemporaryDirectory() as out:
        for name in names:
            source = ROOT / name
            if name and source.is_file() and not name.startswith("tests/"):
                target = Path(copy) / name
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(source.read_bytes())
                target.chmod(source.stat().st_mode & 0o777)
        pip = ["python3", "-m", "pip", "wheel", "--quiet", "--no-deps", f"--wheel-dir={out}", copy]
        run(pip, log=log, deadline_s=600)
        (built,) = Path(out).glob("lambent-*.whl")
        kept = WORK / built.name
        kept.write_bytes(built.read_bytes())
    return kept


def install(place: Place, wheel: Path) -> None:
    """Copy the wheel and the tests to a running host. Raises StepFailed."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        archive.add(wheel, wheel.name)
        for name in NEEDED:
            archive.add(ROOT / name, name, filter=_clean)
    unpack = ["tar", "xzf", "-", "--no-same-owner", "-C", place.checkout]
    place.run(unpack, deadline_s=INSTALL_DEADLINE_S, stdin=packed.getvalue())
    pip = [place.python, "-m", "pip", "install", "--quiet", "--no-index"]
    pip += ["--no-deps", "--force-reinstall", "--root-user-action=ignore"]
    place.run([*pip, f"{place.checkout}/{wheel.name}"], deadline_s=INSTALL_DEADLINE_S)


def commit() -> str:
    """The last commit that changed the platform, with a plus if its files differ from it."""
    git = ["git", "-C", str(ROOT)]
    platform = ["--", "src", "pyproject.toml"]
    log = [*git, "log", "-1", "--format=%h", "--abbrev=10", *platform]
    last = subprocess.run(log, capture_output=True, text=True).stdout.strip()
    changed = [*git, "status", "--porcelain", *platform]
    is_changed = subprocess.run(changed, capture_output=True, text=True).stdout.strip()
    return f"{last}+" if is_changed else last


def _clean(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
    is_cache = "__pycache__" in entry.name or "node_modules" in entry.name
    return None if is_cache else entry
