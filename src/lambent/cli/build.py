"""Builds the package of a function from its source: dependencies are installed beside the code.

The source directory stays as it is. What is built depends on the files that are there, as with
`sam build`: `requirements.txt` for Python, `package.json` for Node.js, a `Makefile` if the
template's metadata says so.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from lambent.cli.output import CliError, UsageError
from lambent.cli.package import copy_files

Progress = Callable[[str], None]
_DEADLINE_S = 900
_REASON_MAX = 600


def build(
    source: Path,
    target: Path,
    *,
    logical_id: str,
    runtime: str,
    metadata: Mapping[str, Any],
    progress: Progress,
) -> None:
    """Write the package of a function into the empty directory `target`. Raises `CliError` if a
    step fails, `UsageError` if a tool is missing."""
    if metadata.get("BuildMethod") == "makefile":
        progress(f"building {logical_id} with make")
        environment = {**os.environ, "ARTIFACTS_DIR": str(target)}
        _run(["make", f"build-{logical_id}"], source, environment)
        return
    copy_files(source, target)
    if runtime.startswith("python") and (source / "requirements.txt").is_file():
        progress(f"installing the requirements of {logical_id}")
        _run([*_pip(runtime, target), "-r", str(source / "requirements.txt")], source, os.environ)
    elif runtime.startswith("nodejs") and (source / "package.json").is_file():
        if not (source / "node_modules").is_dir():
            progress(f"installing the packages of {logical_id}")
            command = ["npm", "install", "--omit=dev", "--no-audit", "--no-fund"]
            _run(command, target, os.environ)
        if metadata.get("BuildMethod") == "esbuild":
            progress(f"bundling {logical_id}")
            _run(_esbuild(source, metadata), source, {**os.environ, "OUT": str(target)})


def _pip(runtime: str, target: Path) -> Sequence[str]:
    """The command that installs wheels for a runtime: uv if it is there, else pip."""
    version = runtime.removeprefix("python")
    if (uv := shutil.which("uv")) is not None:
        return [
            *(uv, "pip", "install", "--quiet", "--target", str(target)),
            *("--python-version", version, "--only-binary", ":all:"),
        ]
    return [
        *(sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"),
        *("--target", str(target), "--upgrade", "--python-version", version),
        *("--implementation", "cp", "--only-binary", ":all:"),
    ]


def _esbuild(source: Path, metadata: Mapping[str, Any]) -> Sequence[str]:
    """The command of `BuildMethod: esbuild`, with SAM's properties."""
    properties = metadata.get("BuildProperties") or {}
    own = source / "node_modules" / ".bin" / "esbuild"
    program = str(own) if own.exists() else shutil.which("esbuild")
    if program is None:
        raise UsageError(f"esbuild is not installed: run `npm install esbuild` in {source}")
    entries = properties.get("EntryPoints") or ["app.ts"]
    flags = [*entries, "--bundle", "--platform=node", "--outdir=$OUT"]
    for name in ("Minify", "Sourcemap"):
        if properties.get(name):
            flags.append(f"--{name.lower()}")
    flags.append(f"--target={properties.get('Target', 'es2020')}")
    flags.append(f"--format={properties.get('Format', 'cjs')}")
    flags += [f"--external:{name}" for name in properties.get("External") or ["@aws-sdk/*"]]
    return [program, *flags]


def _run(command: Sequence[str], directory: Path, environment: Mapping[str, str]) -> None:
    expanded = [part.replace("$OUT", environment.get("OUT", "")) for part in command]
    try:
        done = subprocess.run(
            expanded,
            cwd=directory,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_DEADLINE_S,
        )
    except FileNotFoundError as error:
        raise UsageError(f"cannot build in {directory}: {command[0]} is not installed") from error
    except subprocess.TimeoutExpired as error:
        raise CliError(f"{command[0]} did not end within {_DEADLINE_S} s") from error
    if done.returncode != 0:
        output = (done.stderr or done.stdout).strip()
        raise CliError(f"{command[0]} failed in {directory}: {output[-_REASON_MAX:]}")
