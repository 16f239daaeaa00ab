"""The commands as typed, as far as they go without a platform."""

import json
import re
import resource
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import lambent
from tests import forking

pytestmark = pytest.mark.slow


def run(*arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    """`lambent ARGUMENTS`."""
    return forking.run(
        [sys.executable, "-m", "lambent", *arguments],
        timeout=30,
        env={"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", **environment},
    )


@pytest.fixture
def free_port() -> Iterator[int]:
    """A port without a listener: bound, so that no other process takes it."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]


def test_help_names_every_command() -> None:
    """And quickly, because the command line loads only what it needs."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = run("--help")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    # Of the processor's time: how long it takes depends on what else the machine does.
    assert after.ru_utime - before.ru_utime < 3  # 0.3 s on an idle machine
    assert done.returncode == 0
    for command in ("up", "doctor", "deploy", "invoke", "logs", "functions", "delete", "config"):
        assert f" {command} " in done.stdout


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_of_a_shell(shell: str) -> None:
    """The script is printed; commands and templates are completed without a platform."""
    source = run(_LAMBENT_COMPLETE=f"source_{shell}")
    assert "_LAMBENT_COMPLETE=complete" in source.stdout
    assert complete(shell, "lambent invo") == ["invoke"]
    assert complete(shell, "lambent init --template http") == ["http-api", "http-api-node"]


def test_completion_without_a_platform(free_port: int) -> None:
    """Nothing is completed, nothing is printed, and the key press does not wait."""
    endpoint = f"http://127.0.0.1:{free_port}"
    assert complete("bash", "lambent invoke a", LAMBENT_ENDPOINT=endpoint) == []
    assert complete("bash", "lambent stacks a", LAMBENT_ENDPOINT="nonsense") == []


def complete(shell: str, line: str, **environment: str) -> list[str]:
    """What a shell offers at the end of a line."""
    words = line.split(" ")
    completed = {
        "bash": {"COMP_WORDS": line, "COMP_CWORD": str(len(words) - 1)},
        "zsh": {"_TYPER_COMPLETE_ARGS": line},
        "fish": {"_TYPER_COMPLETE_ARGS": line, "_TYPER_COMPLETE_FISH_ACTION": "get-args"},
    }
    done = run(_LAMBENT_COMPLETE=f"complete_{shell}", **completed[shell], **environment)
    assert done.stderr == ""
    offered = [word.strip('"') for word in re.findall(r"[\w-]+", done.stdout)]
    return [word for word in offered if word.startswith(words[-1])]


def test_nothing_heavy_is_loaded_for_help() -> None:
    """botocore, uvloop and the rooms wait until a command needs them."""
    code = "import sys, lambent.cli.app; print([m for m in sys.argv[1:] if m in sys.modules])"
    heavy = ["botocore", "uvloop", "sqlalchemy", "lambent.assembly.platform", "lambent.settings"]
    done = subprocess.run([sys.executable, "-c", code, *heavy], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr


@pytest.mark.parametrize("command", [["functions"], ["invoke", "hello"], ["logs", "hello"]])
def test_a_platform_that_is_not_there(free_port: int, command: list[str]) -> None:
    """One line that says how to start it, without colours in a pipe; nothing on stdout."""
    done = run(*command, LAMBENT_ENDPOINT=f"http://127.0.0.1:{free_port}")
    assert done.returncode == 1
    assert done.stdout == ""
    assert "lambent up" in done.stderr
    assert done.stderr.count("\n") == 1
    assert "\x1b" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["invoke"], "NAME"),
        (["invoke", "hello", "-d", "not json"], "not JSON"),
        (["invoke", "hello", "-d", "@/nonexistent"], "/nonexistent"),
        (["invoke", "hello", "--endpoint-url", "nowhere"], "nowhere"),
        (["logs", "hello", "--since", "yesterday"], "yesterday"),
        (["logs", "hello", "--follow", "--json"], "--follow"),
        (["deploy", "/nonexistent"], "/nonexistent"),
        (["up", "--port", "many"], "many"),
        (["up", "--set", "server.prot=1"], "server.port"),
        (["up", "--config", "/nonexistent.toml"], "/nonexistent.toml"),
        (["unknown"], "unknown"),
    ],
)
def test_misuse_is_exit_code_2(arguments: list[str], word: str) -> None:
    """With a message that names what was wrong, and no traceback."""
    done = run(*arguments)
    assert done.returncode == 2, done.stderr
    assert word in done.stderr
    assert "Traceback" not in done.stderr


def test_config_show(tmp_path: Path) -> None:
    """Every value with its source, as one JSON document."""
    config = tmp_path / "my.toml"
    config.write_text("[server]\nport = 1\n")
    done = run(
        *("config", "show", "--json", "--config", str(config), "--set", "server.host=::1"),
        LAMBENT_WORKER__INIT_LIMIT_S="2",
    )
    shown = json.loads(done.stdout)
    assert shown["server.port"] == {"value": 1, "source": str(config)}
    assert shown["server.host"] == {"value": "::1", "source": "--set"}
    assert shown["worker.init_limit_s"] == {"value": 2.0, "source": "LAMBENT_WORKER__INIT_LIMIT_S"}
    assert shown["store.url"] == {"value": "", "source": "default"}


def test_config_show_for_people() -> None:
    """One line per setting, whole when piped."""
    done = run("config", "show")
    lines = [line.split() for line in done.stdout.splitlines()]
    assert ["server.port", "5262", "default"] in lines


def test_the_version() -> None:
    """The package's."""
    assert run("--version").stdout.startswith("lambent ")
    assert lambent.__file__
