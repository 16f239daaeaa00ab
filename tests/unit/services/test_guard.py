"""What the emulator's process may not do, whatever it is talked into."""

import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest

import lambent.services

PROGRAM = Path(lambent.services.__file__).with_name("local_services_program.py")
START = """
import importlib.util, json, os, shutil, socket, subprocess, sys
from pathlib import Path
spec = importlib.util.spec_from_file_location("program", sys.argv[1])
program = importlib.util.module_from_spec(spec)
spec.loader.exec_module(program)
data, own, port = Path(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4])
sys.addaudithook(program.Guard(data, own, ("127.0.0.1", port)))
"""
pytestmark = pytest.mark.slow

REFUSED = [
    "open(data / 'state/lambent.db').read()",
    "os.open(data / 'state/lambent.db', os.O_RDONLY)",
    "open(own / '../lambent.db').read()",
    "open(own / 'link').read()",
    "open(data.parent / 'elsewhere').read()",
    "open('/proc/1/status').read()",
    "os.listdir(data / 'state')",
    "open(data / 'state/new', 'w')",
    "os.remove(data / 'state/lambent.db')",
    "os.rename(own / 'mine', data / 'state/mine')",
    "os.symlink(data / 'state/lambent.db', data / 'state/new')",
    "shutil.rmtree(data / 'state')",
    "open('/etc/lambent-was-here', 'w')",
    "os.mkdir('/var/lambent-was-here')",
    "subprocess.run(['true'])",
    "os.system('true')",
    "os.fork()",
    "os.execv('/bin/true', ['true'])",
    "os.posix_spawn('/bin/true', ['true'], {})",
    "socket.create_connection(('127.0.0.1', port + 1), 1)",
    "socket.create_connection(('127.0.0.2', port), 1)",
    "socket.socket(socket.AF_UNIX).connect('/run/docker.sock')",
]
ALLOWED = [
    "open(own / 'mine').read()",
    "open(own / 'new', 'w').close()",
    "os.rename(own / 'mine', own / 'yours')",
    "os.makedirs(own / 'a/b')",
    "open('/etc/passwd').read()",
    "open('/dev/null', 'w').close()",
    "json.loads('1')",
    "__import__('decimal')",
    "socket.create_connection(('127.0.0.1', port), 1).close()",
]


def attempt(statement: str, data: Path, port: int) -> str:
    """Run it under the guard; returns the error's name, empty if there was none."""
    script = f"""{START}
try:
    {statement}
except BaseException as error:
    print(type(error).__name__)
"""
    command = [sys.executable, "-I", "-B", "-c", script, str(PROGRAM)]
    done = subprocess.run(
        [*command, str(data), str(data / "state/services"), str(port)],
        capture_output=True,
        text=True,
        timeout=20,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A platform's data directory, by a name that leads there."""
    data, tmp_path = tmp_path / "data", tmp_path / "real"
    tmp_path.mkdir()
    data.symlink_to(tmp_path)
    (data.parent / "elsewhere").write_text("a home")
    own = tmp_path / "state/services"
    own.mkdir(parents=True)
    (tmp_path / "state/lambent.db").write_text("keys")
    (own / "mine").write_text(json.dumps("mine"))
    (own / "link").symlink_to("../lambent.db")
    return data


@pytest.mark.parametrize("statement", REFUSED)
def test_what_is_refused(statement: str, data: Path) -> None:
    """Files of the platform, programs, and connections to others."""
    with socket.create_server(("127.0.0.1", 0)) as platform:
        assert attempt(statement, data, platform.getsockname()[1]) == "PermissionError"
    assert (data / "state/lambent.db").read_text() == "keys"


@pytest.mark.parametrize("statement", ALLOWED)
def test_what_is_not(statement: str, data: Path) -> None:
    """Its own files, and the platform."""
    with socket.create_server(("127.0.0.1", 0)) as platform:
        assert attempt(statement, data, platform.getsockname()[1]) == ""
