"""Prepares what runs next to a function, a runtime client and AWS's SDK, once per interpreter.

Each interpreter gets one directory in a cache, named by its version line and by a hash of what
is installed, so that new requirements make a new directory and running environments keep
theirs. A directory appears by rename, complete or not at all; a lock file per directory keeps
two preparers apart. It is shown to functions as `/var/runtime`, so everything is world-readable.

This needs the network and the operator's own pip and npm configuration, so it is done before
the platform drops its privileges. What cannot be prepared makes its runtime unavailable, nothing
more.
"""

import hashlib
import os
import re
import uuid
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from lambent.kit.installing import InstallFailed, locked, make_directory
from lambent.kit.progress import Steps
from lambent.node.languages.language import Interpreter, Language, PreparedRuntime
from lambent.node.languages.registry import LANGUAGES, language_of

_AT_ONCE = 2


def prepare_runtimes(
    interpreters: Sequence[Interpreter], cache: Path, steps: Steps | None = None
) -> tuple[PreparedRuntime, ...]:
    """Prepare a directory in `cache` for each interpreter, two at a time; in the same order.

    Existing directories cost next to nothing. A runtime that fails does not raise: see `failure`.
    """
    with ThreadPoolExecutor(_AT_ONCE) as threads:
        return tuple(threads.map(partial(_prepare, cache=cache, steps=steps), interpreters))


def default_cache(environment: Mapping[str, str] | None = None) -> Path:
    """Where runtimes are prepared by default."""
    environment = os.environ if environment is None else environment
    base = environment.get("XDG_CACHE_HOME") or Path(environment.get("HOME", "/")) / ".cache"
    return Path(base) / "lambent" / "runtimes"


def runtime_name(interpreter: Interpreter) -> str:
    """The prefix of an interpreter's directories, which is also its name for people."""
    return f"{language_of(interpreter).folder}{interpreter.line}"


def outdated_runtimes(cache: Path) -> list[Path]:
    """Directories that this version of the platform does not use, with any interpreter: it would
    prepare them under other names."""
    found = []
    for path in sorted(cache.glob("*-*")):
        match = re.fullmatch(r"([a-z]+)([0-9]+(?:\.[0-9]+)?)-[0-9a-f]{12}", path.name)
        if match is None or path.is_symlink() or not path.is_dir():
            continue
        for language in LANGUAGES:
            if language.folder == match[1] and not _is_used(language, match[2], path.name):
                found.append(path)
    return found


def _is_used(language: Language, line: str, name: str) -> bool:
    version = tuple(int(part) for part in f"{line}.0".split(".")[:2])
    if not language.can_prepare(version):
        return False
    like = language.interpreter(version, Path("/"), Path("/"))
    return name == f"{runtime_name(like)}-{_key(like)}"


def _prepare(interpreter: Interpreter, cache: Path, steps: Steps | None) -> PreparedRuntime:
    name = runtime_name(interpreter)
    failure = None
    try:
        directory = cache / f"{name}-{_key(interpreter)}"
        if steps is not None and not directory.exists():
            steps.begin(name, language_of(interpreter).step)
        cache.mkdir(mode=0o755, parents=True, exist_ok=True)
        if not _is_current(interpreter, directory):
            with locked(cache / f".{directory.name}.lock"):
                if not directory.exists():
                    make_directory(
                        directory, partial(language_of(interpreter).prepare, interpreter)
                    )
                _copy_client(interpreter, directory)
        return PreparedRuntime(interpreter=interpreter, directory=directory)
    except (InstallFailed, OSError) as error:
        failure = str(error)
        return PreparedRuntime(interpreter=interpreter, directory=None, failure=failure)
    finally:
        if steps is not None:
            steps.end(name, failure)


def _key(interpreter: Interpreter) -> str:
    requirements = language_of(interpreter).requirements(interpreter)
    text = "\n".join([runtime_name(interpreter), os.uname().machine, *requirements])
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _is_current(interpreter: Interpreter, directory: Path) -> bool:
    return directory.exists() and all(
        _has(directory / place, file.read_bytes())
        for place, file in language_of(interpreter).client_files().items()
    )


def _has(path: Path, content: bytes) -> bool:
    return path.exists() and path.read_bytes() == content


def _copy_client(interpreter: Interpreter, directory: Path) -> None:
    """Add our own files to the packages; each is replaced by rename while functions run."""
    for place, file in language_of(interpreter).client_files().items():
        content, target = file.read_bytes(), directory / place
        if not _has(target, content):
            for parent in reversed(Path(place).parents[:-1]):
                (directory / parent).mkdir(exist_ok=True)
                (directory / parent).chmod(0o755)
            partial_file = target.with_name(f".{file.name}.{uuid.uuid4().hex}")
            partial_file.write_bytes(content)
            partial_file.chmod(0o644)
            partial_file.rename(target)
