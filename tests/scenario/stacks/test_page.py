"""The examples of docs/stacks.md, run as printed: each tool's blocks in a shell of their own."""

import os
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.forking import commands
from tests.lengths import IS_LONG
from tests.packages import INSTALLED
from tests.scenario.test_readme import run_page

from .test_cdk import APP, PROGRAM
from .tools import PYTHON, Platform


def long(tool: str, *seen: str) -> Any:
    """A tool that takes half a minute or more. Each has a test of its own beside this one."""
    is_skipped = pytest.mark.skipif(not IS_LONG, reason="long: make test-long runs it")
    return pytest.param(tool, list(seen), marks=is_skipped)


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("tool", "seen"),
    [
        ("lambent", ["UPDATE_COMPLETE", "Modify", "ServerlessHttpApi"]),
        long("sam", "Successfully created/updated stack - shop", "hello you", "greeting you"),
        long("aws", "Successfully created/updated stack - shop"),
        long("osls", "/_lambent/api/", "hello from osls"),
        long("cdk", "CdkApp"),
    ],
)
def test_examples_of_a_tool(platform: Platform, tmp_path: Path, tool: str, seen: list[str]) -> None:
    """With the Python of these tests, and the tools that make-test-needs has installed."""
    page = tmp_path / "page"
    page.mkdir()
    if tool == "cdk":
        files = {"app.js": PROGRAM, "cdk.json": '{"app": "node app.js"}', "src/app.py": APP}
        for name, text in files.items():
            (page / name).parent.mkdir(exist_ok=True)
            (page / name).write_text(text.replace("PYTHON_VERSION", PYTHON))
    programs, own = tmp_path / "programs", str(Path(sys.executable).parent)
    programs.mkdir()
    modules = INSTALLED / ("cdk" if tool == "cdk" else "osls") / "node_modules"
    script(programs / "npx", f'program=$1; shift; exec "{modules}/.bin/$program" "$@"')
    script(
        programs / "sam",
        f'PYTHONPATH="{INSTALLED / "sam"}" exec "{sys.executable}" -m samcli "$@"',
    )
    printed = run_page(
        *("stacks", platform, page),
        group=tool,
        deadline_s=540,
        PATH=":".join([str(programs), str(commands()), own, os.environ["PATH"]]),
        NODE_PATH=str(modules),
        NODE_NO_WARNINGS="1",
        SAM_CLI_TELEMETRY="0",
        SAM_CLI_POLL_DELAY="0.2",
        CDK_DISABLE_CLI_TELEMETRY="1",
    )
    for text in seen:
        assert text in printed


def script(path: Path, text: str) -> None:
    """A program of the shell."""
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
