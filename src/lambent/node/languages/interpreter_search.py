"""Where interpreters usually are: on PATH, in the system, and where version managers keep theirs.

Each function gives every path that may be an interpreter of its language; none is looked into.
"""

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path


def python_places(
    environment: Mapping[str, str], home: Path, system: Iterable[Path]
) -> Iterator[Path]:
    """Of pyenv and uv too."""
    pyenv = Path(environment.get("PYENV_ROOT") or home / ".pyenv")
    uv = Path(environment.get("UV_PYTHON_INSTALL_DIR") or home / ".local/share/uv/python")
    for directory in [*_path(environment), *system]:
        yield from _glob(directory, "python3")
        yield from _glob(directory, "python3.[0-9]")
        yield from _glob(directory, "python3.[0-9][0-9]")
    yield from _glob(pyenv, "versions/*/bin/python3")
    yield from _glob(uv, "*/bin/python3")


def node_places(
    environment: Mapping[str, str], home: Path, system: Iterable[Path]
) -> Iterator[Path]:
    """Of nvm and n too."""
    nvm = Path(environment.get("NVM_DIR") or home / ".nvm")
    n = Path(environment.get("N_PREFIX") or "/usr/local") / "n"
    for directory in [*_path(environment), *system]:
        yield from _glob(directory, "node")
        yield from _glob(directory, "nodejs")
    yield from _glob(nvm, "versions/node/*/bin/node")
    yield from _glob(n, "versions/node/*/bin/node")


def java_places(
    environment: Mapping[str, str], home: Path, system: Iterable[Path]
) -> Iterator[Path]:
    """That of JAVA_HOME first, all the distribution's, and SDKMAN's."""
    sdkman = Path(environment.get("SDKMAN_DIR") or home / ".sdkman")
    if os.path.isabs(java_home := environment.get("JAVA_HOME", "")):
        yield from _glob(Path(java_home), "bin/java")
    for directory in [*_path(environment), *system]:
        yield from _glob(directory, "java")
        yield from _glob(directory.parent, "lib/jvm/*/bin/java")
    yield from _glob(sdkman, "candidates/java/*/bin/java")


def ruby_places(
    environment: Mapping[str, str], home: Path, system: Iterable[Path]
) -> Iterator[Path]:
    """Of rbenv too."""
    rbenv = Path(environment.get("RBENV_ROOT") or home / ".rbenv")
    for directory in [*_path(environment), *system]:
        yield from _glob(directory, "ruby")
        yield from _glob(directory, "ruby[0-9].[0-9]")
    yield from _glob(rbenv, "versions/*/bin/ruby")


def _path(environment: Mapping[str, str]) -> list[Path]:
    return [
        Path(entry)
        for entry in environment.get("PATH", "").split(os.pathsep)
        if os.path.isabs(entry)
    ]


def _glob(directory: Path, pattern: str) -> Iterator[Path]:
    try:
        yield from sorted(directory.glob(pattern))
    except OSError:
        return  # A directory that may not be read holds nothing for us.
