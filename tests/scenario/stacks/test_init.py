"""`lambent init`: the commands of each README, run as printed, against a platform."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from lambent.cli.init import template_names
from tests.forking import commands
from tests.packages import INSTALLED
from tests.scenario.test_cli import run

from .tools import Platform

EXPECTED = {
    "python": ["Ran 1 test", '"greeting": "Hello you"', "greeting you"],
    "node": ["# pass 1", '"greeting":"Hello you"', "greeting you"],
    "typescript": ["# pass 1", '"greeting":"Hello you"', "greeting you"],
    "go": ['"greeting":"Hello you"'],
    "http-api": ["Ran 2 tests", '{"name": "Tom"}'],
    "http-api-node": ["# pass 2", '{"name":"Tom"}'],
    "queue-worker": ["Ran 2 tests", "worked on 1"],
    "cron": ["Ran 1 test", "cron(0 9 ? * MON-FRI *)", '{"made": "daily"}'],
}
"""What the commands print."""


def init(directory: Path, template: str) -> Path:
    """The directory that `lambent init` makes."""
    done = subprocess.run(
        [sys.executable, "-m", "lambent", "init", str(directory), "--template", template],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert (directory / ".gitignore").is_file()
    assert any(directory.rglob(".lambentignore")) or template == "go"
    return directory


def run_readme(directory: Path, platform: Platform) -> str:
    """Run the tested block of a README; returns what is printed."""
    (block,) = re.findall(r"```sh\n(.*?)```", (directory / "README.md").read_text(), re.DOTALL)
    # What npm would install is there already.
    script = block.replace("npm install\n", "")
    programs = f"{commands()}:{Path(sys.executable).parent}"
    done = subprocess.run(
        ["bash", "-c", f"set -euxo pipefail\n{script}"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=150,
        cwd=directory,
        env={
            **os.environ,
            "PATH": f"{programs}:{os.environ['PATH']}",
            "LAMBENT_ENDPOINT": platform.endpoint,
        },
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.mark.timeout(180)
@pytest.mark.parametrize("template", sorted(EXPECTED))
def test_the_commands_of_the_readme(platform: Platform, tmp_path: Path, template: str) -> None:
    """Test, deploy, invoke, delete. Without Go the build is refused, and says where Go is."""
    directory = init(tmp_path / f"init-{template}", template)
    if template == "typescript":
        (directory / "node_modules").symlink_to(INSTALLED / "esbuild" / "node_modules")
    if template == "go" and shutil.which("go") is None:
        deployed = run(platform, "deploy", str(directory))
        assert deployed.returncode == 2
        assert "go is not installed (see https://go.dev/doc/install)" in deployed.stderr
        return
    printed = run_readme(directory, platform)
    for text in EXPECTED[template]:
        assert text in printed


def test_every_template_is_run() -> None:
    assert template_names() == sorted(EXPECTED)


def test_what_is_there_stays(tmp_path: Path) -> None:
    """Nothing is overwritten; a template that does not exist is named with the nearest."""
    (tmp_path / "app.py").write_text("mine")
    command = [sys.executable, "-m", "lambent", "init", str(tmp_path), "--template"]
    done = subprocess.run([*command, "python"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert "app.py is there already" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["app.py"]
    done = subprocess.run([*command, "pyhton"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert "Did you mean python?" in done.stderr
