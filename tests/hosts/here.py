"""This machine itself, with another Python: a separate virtual environment."""

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from tests.hosts.images import project_requirements
from tests.hosts.places import Place
from tests.hosts.steps import StepFailed, run, step


class Here(Place):
    """Runs commands on this machine; Lambent is installed for a Python version."""

    def __init__(self, version: str, directory: Path) -> None:
        super().__init__(directory)
        self.version = version

    @property
    def how(self) -> str:
        """See `Place`."""
        return "this machine"

    @property
    def python(self) -> str:
        """See `Place`."""
        return str(self.directory / "venv/bin/python")

    @property
    def checkout(self) -> str:
        """See `Place`."""
        return str(self.directory / "checkout")

    def start(self) -> None:
        """See `Place`."""
        interpreter = find_python(self.version)
        if interpreter is None:
            raise StepFailed(f"Python {self.version} is not installed on this machine")
        Path(self.checkout).mkdir(exist_ok=True)
        with step(f"a virtual environment of Python {self.version}"):
            venv = [interpreter, "-m", "venv", self.directory / "venv"]
            run(venv, log=self.log, deadline_s=300)
            pip = [self.python, "-m", "pip", "install", "--quiet", *project_requirements()]
            run(pip, log=self.log, deadline_s=1800)

    def stop(self) -> None:
        """See `Place`."""
        for name in ("venv", "checkout"):
            shutil.rmtree(self.directory / name, ignore_errors=True)

    def command_line(self, command: Sequence[str], user: str) -> list[str]:
        """See `Place`."""
        return list(command)


def find_python(version: str) -> Path | None:
    """An interpreter of this version: from PATH, or pyenv's. pyenv has shims for versions that are
    not selected, too; those do not run."""
    on_path = shutil.which(f"python{version}")
    programs = [Path(on_path)] if on_path else []
    programs += sorted(Path.home().glob(f".pyenv/versions/{version}.*/bin/python{version}"))
    for program in programs:
        if subprocess.run([program, "--version"], capture_output=True).returncode == 0:
            return program
    return None
