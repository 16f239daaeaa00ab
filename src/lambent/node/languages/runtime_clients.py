"""Prepares what runs beside a function: a runtime client and AWS's SDK, once per interpreter.

Each interpreter gets one directory in a cache, named by its version line and by a hash of what
is installed, so that new requirements make a new directory and running environments keep
theirs. A directory appears by rename, complete or not at all; a lock file per directory keeps
two preparers apart. It is shown to functions as `/var/runtime`, so everything is world-readable.

This needs the network and the operator's own pip and npm configuration, so it is done before
privileges are given up. What cannot be prepared makes its runtime unavailable, nothing more.
"""

import dataclasses
import hashlib
import json
import logging
import os
import re
import shutil
import uuid
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import lambent
from lambent.kit.installing import (
    InstallFailed,
    locked,
    make_directory,
    pip_install,
    run_step,
)
from lambent.kit.progress import Steps
from lambent.node.languages import java
from lambent.node.languages.interpreters import Interpreter, Kind

logger = logging.getLogger(__name__)

_PYTHON_REQUIREMENTS = {
    (3, 8): ("awslambdaric==2.2.1", "boto3>=1.37,<2"),
    (3, 9): ("awslambdaric==4.0.4", "boto3>=1.40,<2"),
    (3, 10): ("awslambdaric==4.2.2", "boto3>=1.44,<2"),
}
"""By the oldest Python they are for. 2.2.1 and 4.0.4 are the last clients with 3.8 and 3.9."""
_SDK_RANGE = "^3"
_NODE_CORE = (
    "client-cloudwatch-logs",
    "client-dynamodb",
    "client-eventbridge",
    "client-kinesis",
    "client-lambda",
    "client-s3",
    "client-secrets-manager",
    "client-sns",
    "client-sqs",
    "client-ssm",
    "client-sts",
    "lib-dynamodb",
)
"""What most functions use: it has to do when one of all the packages cannot be had."""
_UNUSED_OF_SDK = ("dist-es", "dist-types")
"""Folders of the SDK's packages that Node.js never reads: six parts in seven of their size."""
_RUBY_SDK = "aws-sdk"
_RUBY_SDK_DEADLINE_S = 300.0
_BOOTSTRAPS = Path(lambent.__file__).parent / "runtimes"
_FOLDERS: Mapping[Kind, str] = {
    "python": "python",
    "node": "nodejs",
    "java": "java",
    "ruby": "ruby",
}
_AT_ONCE = 2

_STEPS: Mapping[Kind, str] = {
    "python": "AWS's runtime client and SDK, with pip",
    "node": "AWS's SDK, with npm",
    "java": "the runtime client, with javac",
    "ruby": "AWS's SDK, with gem",
}
"""What takes long, for people."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PreparedRuntime:
    """An interpreter and what was prepared for it."""

    interpreter: Interpreter
    directory: Path | None
    """To be shown as `/var/runtime`; None if it could not be prepared."""
    failure: str | None = None
    """Why not, in one line."""


def prepare_runtimes(
    interpreters: Sequence[Interpreter], cache: Path, steps: Steps | None = None
) -> tuple[PreparedRuntime, ...]:
    """Prepare a directory in `cache` for each interpreter, two at a time; in the same order.

    What is there already costs next to nothing. Never raises for a runtime: see `failure`.
    """
    with ThreadPoolExecutor(_AT_ONCE) as threads:
        return tuple(threads.map(lambda one: _prepare(one, cache, steps), interpreters))


def default_cache(environment: Mapping[str, str] | None = None) -> Path:
    """Where runtimes are prepared unless the operator says otherwise."""
    environment = os.environ if environment is None else environment
    base = environment.get("XDG_CACHE_HOME") or Path(environment.get("HOME", "/")) / ".cache"
    return Path(base) / "lambent" / "runtimes"


def runtime_name(interpreter: Interpreter) -> str:
    """How an interpreter's directories begin, and what people are told of it."""
    return f"{_FOLDERS[interpreter.kind]}{interpreter.line}"


def outdated_runtimes(cache: Path) -> list[Path]:
    """Directories that this version of the platform does not use, whichever interpreters there
    are: what would be made for them today has another name."""
    found = []
    for path in sorted(cache.glob("*-*")):
        match = re.fullmatch(r"([a-z]+)([0-9]+(?:\.[0-9]+)?)-[0-9a-f]{12}", path.name)
        kind = next((kind for kind, name in _FOLDERS.items() if match and name == match[1]), None)
        if match is None or kind is None or path.is_symlink() or not path.is_dir():
            continue
        version = tuple(int(part) for part in (match[2] + ".0").split(".")[:2])
        if kind == "python" and version < min(_PYTHON_REQUIREMENTS):
            found.append(path)
            continue
        nothing = Path("/")
        like = Interpreter(kind=kind, version=version, executable=nothing, prefix=nothing)
        if path.name != f"{runtime_name(like)}-{_key(like)}":
            found.append(path)
    return found


def _prepare(interpreter: Interpreter, cache: Path, steps: Steps | None) -> PreparedRuntime:
    name = runtime_name(interpreter)
    failure = None
    try:
        directory = cache / f"{name}-{_key(interpreter)}"
        if steps is not None and not directory.exists():
            steps.begin(name, _STEPS[interpreter.kind])
        cache.mkdir(mode=0o755, parents=True, exist_ok=True)
        if not _is_current(interpreter, directory):
            with locked(cache / f".{directory.name}.lock"):
                if not directory.exists():
                    make_directory(directory, partial(_fill, interpreter))
                _copy_bootstrap(interpreter, directory)
        return PreparedRuntime(interpreter=interpreter, directory=directory)
    except (InstallFailed, OSError) as error:
        failure = str(error)
        return PreparedRuntime(interpreter=interpreter, directory=None, failure=failure)
    finally:
        if steps is not None:
            steps.end(name, failure)


def _key(interpreter: Interpreter) -> str:
    text = "\n".join([runtime_name(interpreter), os.uname().machine, *_requirements(interpreter)])
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _requirements(interpreter: Interpreter) -> tuple[str, ...]:
    if interpreter.kind == "node":
        names = (_BOOTSTRAPS / "nodejs_sdk.txt").read_text().split()
        return tuple(f"@aws-sdk/{name}@{_SDK_RANGE}" for name in names)
    if interpreter.kind == "java":
        return (java.fingerprint(_BOOTSTRAPS / "java"),)
    if interpreter.kind == "ruby":
        # Its own files belong together, so each version of them has a directory.
        return (
            _RUBY_SDK,
            *(
                hashlib.sha256(file.name.encode() + file.read_bytes()).hexdigest()
                for file in _bootstrap_files(interpreter)
            ),
        )
    oldest = max(version for version in _PYTHON_REQUIREMENTS if version <= interpreter.version)
    return _PYTHON_REQUIREMENTS[oldest]


def _fill(interpreter: Interpreter, target: Path) -> None:
    if interpreter.kind == "python":
        pip_install(interpreter.executable, interpreter.line, target, _requirements(interpreter))
    elif interpreter.kind == "node":
        _install_node(interpreter, target)
    elif interpreter.kind == "java":
        _compile_java(interpreter, target)
    elif interpreter.kind == "ruby":
        _install_gems(interpreter, target)


def _install_node(interpreter: Interpreter, target: Path) -> None:
    beside = interpreter.executable.parent
    npm = shutil.which("npm", path=f"{beside}{os.pathsep}{os.environ.get('PATH', os.defpath)}")
    if npm is None:
        raise InstallFailed("npm is not installed")
    options = ["--ignore-scripts", "--no-audit", "--no-fund", "--omit=dev", "--loglevel=error"]
    environment = {**os.environ, "PATH": f"{beside}{os.pathsep}{os.environ.get('PATH', '')}"}

    def install(requirements: Sequence[str]) -> None:
        packages = dict(requirement.rsplit("@", 1) for requirement in requirements)
        described = {"name": "lambent-runtime", "private": True, "dependencies": packages}
        (target / "package.json").write_text(json.dumps(described, indent=2))
        run_step("npm", [npm, "install", *options], cwd=target, environment=environment)

    try:
        install(_requirements(interpreter))
    except InstallFailed as error:
        logger.warning("%s has a part of the SDK only: %s", runtime_name(interpreter), error)
        install([f"@aws-sdk/{name}@{_SDK_RANGE}" for name in _NODE_CORE])
    for scope in ("@aws-sdk", "@smithy"):
        for package in (target / "node_modules" / scope).glob("*"):
            for folder in _UNUSED_OF_SDK:
                shutil.rmtree(package / folder, ignore_errors=True)


def _install_gems(interpreter: Interpreter, target: Path) -> None:
    """Ruby's SDK, where gems can be had. A function can bring it, so its absence is no failure."""
    beside = interpreter.executable.parent
    gem = shutil.which("gem", path=f"{beside}{os.pathsep}{os.environ.get('PATH', os.defpath)}")
    if gem is None:
        return
    options = ["--no-document", "--install-dir", str(target)]
    try:
        run_step("gem", [gem, "install", *options, _RUBY_SDK], deadline_s=_RUBY_SDK_DEADLINE_S)
    except InstallFailed as error:
        logger.warning("%s has no AWS SDK: %s", runtime_name(interpreter), error)


def _compile_java(interpreter: Interpreter, target: Path) -> None:
    compiler = java.find_compiler(interpreter)
    if compiler is None:
        raise InstallFailed(java.NO_COMPILER)
    classes = target / "classes"
    classes.mkdir()
    run_step("javac", [compiler, *java.compiler_arguments(_BOOTSTRAPS / "java", classes)])
    java.pack(classes, target / java.CLIENT)
    shutil.rmtree(classes)


def _bootstrap_files(interpreter: Interpreter) -> list[Path]:
    folder = _BOOTSTRAPS / _FOLDERS[interpreter.kind]
    return [file for file in sorted(folder.iterdir()) if file.is_file()]


def _is_current(interpreter: Interpreter, directory: Path) -> bool:
    return directory.exists() and all(
        _has(directory / file.name, file.read_bytes()) for file in _bootstrap_files(interpreter)
    )


def _has(path: Path, content: bytes) -> bool:
    return path.exists() and path.read_bytes() == content


def _copy_bootstrap(interpreter: Interpreter, directory: Path) -> None:
    """Put our own files beside the packages; each changes by rename, under running functions."""
    for file in _bootstrap_files(interpreter):
        content = file.read_bytes()
        if not _has(directory / file.name, content):
            partial = directory / f".{file.name}.{uuid.uuid4().hex}"
            partial.write_bytes(content)
            partial.chmod(0o644)
            partial.rename(directory / file.name)
