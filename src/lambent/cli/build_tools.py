"""Runs the tools that build packages: pip or uv, npm, esbuild, make, go."""

import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from lambent.cli.output import CliError, UsageError

Progress = Callable[[str], None]
_DEADLINE_S = 900
_REASON_MAX = 600


def tool(name: str, how: str, directory: Path) -> str:
    """The path of a program. Raises `UsageError`, which says how to get it."""
    found = shutil.which(name)
    if found is None:
        raise UsageError(f"cannot build {directory}: {name} is not installed ({how})")
    return found


def pip_install(runtime: str, target: Path, wanted: Sequence[str], directory: Path) -> None:
    """Install wheels for a runtime into a directory, by uv if it is there, else by pip. `wanted`
    are requirements or flags. Raises `CliError` if that fails."""
    version = runtime.removeprefix("python")
    # On another system, wheels for Linux on this machine's processor.
    machine = {"arm64": "aarch64"}.get(platform.machine(), platform.machine())
    is_linux = sys.platform == "linux"
    if (uv := shutil.which("uv")) is not None:
        command = [
            *(uv, "pip", "install", "--quiet", "--target", str(target)),
            *("--python-version", version, "--only-binary", ":all:"),
            *(() if is_linux else ("--python-platform", f"{machine}-manylinux_2_28")),
        ]
    else:
        command = [
            *(sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"),
            *("--target", str(target), "--upgrade", "--python-version", version),
            *("--implementation", "cp", "--only-binary", ":all:"),
            *(() if is_linux else ("--platform", f"manylinux_2_28_{machine}")),
            *(() if is_linux else ("--platform", f"manylinux2014_{machine}")),
        ]
    run([*command, *wanted], directory, os.environ)


def run(command: Sequence[str], directory: Path, environment: Mapping[str, str]) -> None:
    """Run a tool in a directory. Raises `CliError` with the end of its output if it fails,
    `UsageError` if it is not installed."""
    try:
        done = subprocess.run(
            command,
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
