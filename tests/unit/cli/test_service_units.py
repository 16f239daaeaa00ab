"""The systemd units: systemd understands them, and they are in the wheel."""

import os
import re
import shutil
import subprocess
import tomllib
from fnmatch import fnmatch
from pathlib import Path

import pytest

from lambent.cli.output import CliError
from lambent.cli.service import SOCKET, SYSTEM, USER, unit
from lambent.settings import load_settings

ROOT = Path(__file__).parents[3]
ANALYZE = shutil.which("systemd-analyze")


@pytest.mark.parametrize("is_of_user", [False, True])
@pytest.mark.skipif(ANALYZE is None, reason="systemd-analyze is not installed")
def test_systemd_understands_it(tmp_path: Path, is_of_user: bool) -> None:
    """Without a word of complaint, the path of any program included."""
    program = tmp_path / "100% of $HOME/lambent"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    file = tmp_path / "lambent.service"
    file.write_text(unit(is_of_user=is_of_user, program=str(program)))
    done = subprocess.run(
        [str(ANALYZE), *(["--user"] if is_of_user else []), "verify", str(file)],
        capture_output=True,
        text=True,
        timeout=50,
        env={**os.environ, "XDG_RUNTIME_DIR": str(tmp_path)},
    )
    # Whatever it says of other units of this machine is not about ours.
    assert "lambent" not in done.stderr, done.stderr
    assert done.returncode == 0, done.stderr


@pytest.mark.skipif(ANALYZE is None, reason="systemd-analyze is not installed")
def test_systemd_understands_the_socket(tmp_path: Path) -> None:
    """With its service next to it; it listens where the settings say by default."""
    text = SOCKET.read_text()
    server = load_settings(environment={}).settings.server
    assert f"\nListenStream={server.host}:{server.port}\n" in text
    file = tmp_path / SOCKET.name
    file.write_text(text)
    (tmp_path / SYSTEM.name).write_text(unit(is_of_user=False, program="/bin/true"))
    done = subprocess.run(
        [str(ANALYZE), "verify", str(file)], capture_output=True, text=True, timeout=50
    )
    assert "lambent" not in done.stderr, done.stderr
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("is_of_user", [False, True])
def test_its_variables_are_settings(is_of_user: bool) -> None:
    """None is misspelled; requests in progress get less time than systemd's stop timeout."""
    text = unit(is_of_user=is_of_user)
    pairs = re.findall(r"^Environment=(LAMBENT_\w+)=(\S+)$", text, re.MULTILINE)
    settings = load_settings(environment=dict(pairs)).settings
    (deadline,) = re.findall(r"^TimeoutStopSec=(\d+)$", text, re.MULTILINE)
    # Pollers, extensions, the launcher and the emulator take up to 35 s after that.
    assert settings.gateway.shutdown_grace_s + 35 <= int(deadline)


def test_the_program_is_the_one_that_was_called() -> None:
    """Its path is in the unit, as one word."""
    assert "\nExecStart=/opt/lambent/bin/lambent up\n" in unit(
        is_of_user=False, program="/opt/lambent/bin/lambent"
    )
    assert '\nExecStart="/a b/lambent" up\n' in unit(is_of_user=True, program="/a b/lambent")


def test_a_path_that_systemd_refuses() -> None:
    """It is reported at once, rather than when the service starts."""
    with pytest.raises(CliError, match="quotes"):
        unit(is_of_user=False, program="/it's/lambent")


def test_they_are_in_the_wheel() -> None:
    """As files of the package."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    patterns = project["tool"]["setuptools"]["package-data"]["lambent"]
    for file in (SYSTEM, USER, SOCKET):
        inside = file.relative_to(ROOT / "src/lambent").as_posix()
        assert any(fnmatch(inside, pattern) for pattern in patterns)
