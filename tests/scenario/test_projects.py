"""`lambent deploy` and `lambent dev` with a project: a function.toml with several functions."""

import contextlib
import json
import os
import pty
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import yaml

from tests.scenario.conftest import PYTHON, Platform, wait_for
from tests.scenario.test_cli import read_until, run

PROJECT = """
name = "pets"
[defaults]
timeout = 20
environment = { GREETING = "hello" }
[functions.web]
http = "GET /hello/{name}"
url = true
alias = "live"
layers = ["words"]
policies = ["AWSLambdaBasicExecutionRole"]
[functions.clock]
code = "timed"
schedule = { expression = "rate(1 minute)", input = { at = "the minute" } }
rule = { pattern = { source = ["pets"] } }
tags = { team = "a" }
[layers.words]
code = "words"
"""
WEB = """
import os, words
def handler(event, context):
    print("asked for", event.get("rawPath"))
    return {"statusCode": 200, "body": os.environ["GREETING"] + words.MARK}
"""
CLOCK = "def handler(event, context):\n    print('got', event)\n    return event\n"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A directory with two functions and a layer."""
    files = {
        "function.toml": PROJECT,
        "web/app.py": WEB,
        "timed/app.py": CLOCK,
        "words/python/words.py": "MARK = '!'\n",
        "web/.env": "SECRET=1",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def fetch(platform: Platform, url: str, path: str = "") -> str:
    """What a URL of the platform returns, whether or not its name resolves here."""
    host = urlsplit(url).netloc
    request = urllib.request.Request(f"{platform.endpoint}/{path}", headers={"Host": host})
    with urllib.request.urlopen(request, timeout=60) as answer:
        text: str = answer.read().decode()
        return text


@contextlib.contextmanager
def deleted(platform: Platform, stack: str) -> Iterator[None]:
    """The stack is deleted at the end."""
    try:
        yield
    finally:
        run(platform, "delete", stack, "--stack")


def test_from_deploy_to_delete(platform: Platform, project: Path) -> None:
    """Triggers, a layer, a URL, an alias, tags, and the addresses that work here."""
    printed = run(platform, "deploy", str(project), "--print-template")
    template = yaml.safe_load(printed.stdout)
    assert template["Transform"] == "AWS::Serverless-2016-10-31"
    assert set(template["Resources"]) == {"Web", "Clock", "WordsLayer"}
    with deleted(platform, "pets"):
        deployed = run(platform, "deploy", str(project))
        assert deployed.returncode == 0, deployed.stderr
        assert "left out" in deployed.stderr
        assert "web/.env" in deployed.stderr
        shown = json.loads(run(platform, "stacks", "pets", "--json").stdout)
        addresses = {each["resource"]: each["address"] for each in shown["Addresses"]}
        assert fetch(platform, addresses["ServerlessHttpApi"], "hello/tom") == "hello!"
        assert fetch(platform, addresses["WebUrl"]) == "hello!"
        client = platform.client("lambda")
        assert client.get_alias(FunctionName="pets-web", Name="live")["FunctionVersion"] == "1"
        tags = client.get_function(FunctionName="pets-clock")["Tags"]
        assert tags["team"] == "a"
        platform.client("events").put_events(
            Entries=[{"Source": "pets", "DetailType": "fed", "Detail": '{"name": "tom"}'}]
        )
        wait_for(
            lambda: '"name": "tom"' in run(platform, "logs", "pets-clock").stdout.replace("'", '"'),
            "the event of the rule",
        )
        schedules = json.loads(run(platform, "schedules", "--json").stdout)
        assert any(
            "rate(1 minute)" in str(each) and "pets-clock" in str(each) for each in schedules
        )
        again = run(platform, "deploy", str(project))
        assert "pets has no changes" in again.stderr
        (project / "function.toml").write_text(PROJECT.replace("hello", "good day", 1))
        changed = run(platform, "deploy", str(project / "function.toml"))
        assert changed.returncode == 0, changed.stderr
        assert fetch(platform, addresses["WebUrl"]) == "good day!"
    assert run(platform, "invoke", "pets-clock").returncode == 1


def test_what_cannot_work_is_refused(platform: Platform, project: Path) -> None:
    """Before anything is made or uploaded; exit code 2 for a mistake, 1 for a failure."""
    (project / "timed" / "app.py").write_text("def main(event, context): pass\n")
    said = 'code = "timed"\nruntime = "PYTHON"\nhandler = "app.handler"'.replace("PYTHON", PYTHON)
    toml = PROJECT.replace('"pets"', '"refused"')
    file = project / "function.toml"
    file.write_text(toml.replace('code = "timed"', said))
    deployed = run(platform, "deploy", str(project))
    assert deployed.returncode == 2
    assert "app.py defines no handler; it defines main" in deployed.stderr
    (project / "timed" / "app.py").write_text(CLOCK)
    file.write_text(
        toml.replace("[functions.web]", '[functions.web]\nruntime = "dotnet8"\nhandler = "a.b"')
    )
    deployed = run(platform, "deploy", str(project))
    assert "dotnet8 does not run on the platform's machine" in deployed.stderr
    file.write_text(toml.replace("memory", "memmory").replace("timeout", "timeoute"))
    deployed = run(platform, "deploy", str(project))
    assert deployed.returncode == 2
    assert "Did you mean timeout?" in deployed.stderr
    deployed = run(platform, "deploy", str(project), "--memory", "256")
    assert deployed.returncode == 2
    assert "cannot use --memory" in deployed.stderr
    file.write_text(toml.replace("rate(1 minute)", "rate(1 fortnight)"))
    with deleted(platform, "refused"):
        deployed = run(platform, "deploy", str(project))
        assert deployed.returncode == 1
        assert "refused ended as ROLLBACK_COMPLETE: Clock" in deployed.stderr
        assert "rate(1 fortnight)" in deployed.stderr


def test_dev_with_one_function(platform: Platform, tmp_path: Path) -> None:
    """Its function.toml is followed, too, also one that is written later."""
    directory = tmp_path / "dev-alone"
    directory.mkdir()
    (directory / "app.py").write_text(CLOCK)
    command = [sys.executable, "-m", "lambent", "dev", str(directory)]
    environment = {"PATH": os.environ["PATH"], "LAMBENT_ENDPOINT": platform.endpoint}
    with subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stderr is not None
        lines = iter(process.stderr.readline, "")
        try:
            assert any("watching dev-alone; Ctrl-C ends it" in line for line in lines)
            (directory / "function.toml").write_text("timeout = 17\n")
            assert any("watching dev-alone; Ctrl-C ends it" in line for line in lines)
        finally:
            process.send_signal(signal.SIGINT)
        assert any("`lambent delete dev-alone` deletes it" in line for line in lines)
        assert process.wait(20) == 0
    client = platform.client("lambda")
    assert client.get_function_configuration(FunctionName="dev-alone")["Timeout"] == 17


@pytest.mark.timeout(180)
def test_dev(platform: Platform, project: Path) -> None:
    """One command deploys, prints addresses and logs in colour, follows files and the project, and
    leaves the stack at Ctrl-C."""
    (project / "function.toml").write_text(PROJECT.replace('"pets"', '"devpets"'))
    leader, follower = pty.openpty()
    environment = {**os.environ, "LAMBENT_ENDPOINT": platform.endpoint, "TERM": "xterm"}
    environment.pop("NO_COLOR", None)
    with (
        deleted(platform, "devpets"),
        subprocess.Popen(
            [sys.executable, "-m", "lambent", "dev", str(project)],
            env={**environment, "COLUMNS": "200"},
            stdin=follower,
            stdout=follower,
            stderr=follower,
            start_new_session=True,
        ) as process,
    ):
        os.close(follower)
        deadline = time.monotonic() + 120
        try:
            printed = read_until(leader, "Ctrl-C ends it", deadline)
            assert "ServerlessHttpApi" in printed
            (project / "timed" / "app.py").write_text(CLOCK.replace("'got'", "'new', '\\x1b[2J'"))
            read_until(leader, "devpets-clock is updated", deadline)
            wait_for(
                lambda: run(platform, "invoke", "devpets-clock", "-d", '"tick"').returncode == 0,
                "the call",
            )
            printed = read_until(leader, "tick", deadline)
            assert re.search(r"\x1b\[\d+m ?devpets-clock", printed)
            assert "\x1b[2J" not in printed
            file = project / "function.toml"
            file.write_text(file.read_text().replace("hello", "good day", 1))
            printed = read_until(leader, "UPDATE_COMPLETE", deadline)
            read_until(leader, "Ctrl-C ends it", deadline)
            # A mistake is shown, and does not end the command.
            good = file.read_text()
            file.write_text(good.replace("timeout", "timeoute"))
            read_until(leader, "Did you mean timeout?", deadline)
            file.write_text(good)
            read_until(leader, "devpets has no changes", deadline)
            read_until(leader, "Ctrl-C ends it", deadline)
            process.send_signal(signal.SIGINT)
            assert "lambent delete devpets --stack" in read_until(leader, "deletes it", deadline)
            assert process.wait(20) == 0
        finally:
            process.kill()
            os.close(leader)
        assert json.loads(run(platform, "stacks", "devpets", "--json").stdout)["StackStatus"]
