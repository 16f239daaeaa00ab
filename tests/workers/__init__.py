"""Workers of pytest-xdist (`-n`) that are forked from a process that has collected all tests.

By itself each worker imports and collects all tests, which takes as much CPU as minutes of tests.
xdist starts what a worker's `python` names: a small program (`join`) that asks the collector
(`collector`) for a fork with its streams. xdist then talks to the fork as to any worker.
"""

import json
import shlex
import shutil
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import execnet
import pytest

_HERE = Path(__file__).parent


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_setupnodes(config: pytest.Config, specs: list[execnet.XSpec]) -> None:
    """Start the collector, and make xdist ask it for workers; it ends when this process does."""
    directory = Path(tempfile.mkdtemp(prefix="lambent-workers-"))
    path = directory / "socket"
    arguments = json.dumps([str(argument) for argument in config.invocation_params.args])
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        listener.bind(str(path))
        listener.listen(64)
        number = listener.fileno()
        collector = subprocess.Popen(
            [sys.executable, "-P", str(_HERE / "collector.py"), str(number), arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            pass_fds=[number],
        )

    def end() -> None:
        assert collector.stdin is not None
        collector.stdin.close()
        collector.wait()
        shutil.rmtree(directory)

    config.add_cleanup(end)
    for spec in specs:
        if spec.popen and not spec.python:
            spec.python = shlex.join([sys.executable, "-IS", str(_HERE / "join.py"), str(path)])
