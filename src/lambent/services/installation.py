"""Installs the emulator's packages in a separate directory, apart from the platform's.

This happens before privileges are dropped, with the operator's pip configuration. Packages that are
installed already are reused.
"""

import hashlib
import os
import sys
from pathlib import Path

from lambent.kit.installing import InstallFailed, locked, make_directory, pip_install

_REQUIREMENTS = Path(__file__).with_name("requirements.txt")
_LINE = f"{sys.version_info.major}.{sys.version_info.minor}"


def packages_directory(cache: Path) -> Path:
    """The directory of the packages; its name depends on versions and interpreter."""
    text = f"{_LINE}\n{os.uname().machine}\n{_REQUIREMENTS.read_text(encoding='utf-8')}"
    return cache / f"ministack-{hashlib.sha256(text.encode()).hexdigest()[:12]}"


def outdated_packages(cache: Path) -> list[Path]:
    """Directories that this version of the platform does not use."""
    current = packages_directory(cache)
    found = cache.glob("ministack-*")
    return sorted(
        directory
        for directory in found
        if directory != current and directory.is_dir() and not directory.is_symlink()
    )


def prepare_packages(cache: Path) -> Path:
    """The directory of the packages, installed if missing. Raises `InstallFailed`."""
    directory = packages_directory(cache)
    try:
        cache.mkdir(mode=0o755, parents=True, exist_ok=True)
        with locked(cache / f".{directory.name}.lock"):
            if not directory.exists():
                make_directory(directory, _fill)
    except OSError as error:
        raise InstallFailed(f"cannot use {cache}: {error.strerror}") from error
    return directory


def _fill(target: Path) -> None:
    # Every package is pinned, so there are no dependencies to resolve.
    pip_install(Path(sys.executable), _LINE, target, ["--no-deps", "-r", str(_REQUIREMENTS)])
