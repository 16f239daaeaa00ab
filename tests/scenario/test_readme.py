"""README's examples, run as printed."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.forking import commands
from tests.scenario.conftest import PYTHON, Platform

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.timeout(180)
def test_the_sixty_seconds(platform: Platform, tmp_path: Path) -> None:
    """Every block below "Sixty seconds", in order, in one shell."""
    section = README.partition("## Sixty seconds")[2].partition("\n## ")[0]
    blocks = re.findall(r"```(sh|python)\n(.*?)```", section, re.DOTALL)
    assert [language for language, _ in blocks] == ["sh", "sh", "sh", "python"]
    script = ["set -euxo pipefail"]
    for language, text in blocks:
        script.append(text if language == "sh" else f"python3 - <<'EXAMPLE'\n{text}EXAMPLE")
    script.append("lambent delete hello")
    programs = f"{commands()}:{Path(sys.executable).parent}"
    done = subprocess.run(
        ["bash", "-c", "\n".join(script)],
        capture_output=True,
        text=True,
        timeout=150,
        cwd=tmp_path,
        env={
            "PATH": f"{programs}:{os.environ['PATH']}",
            "HOME": str(tmp_path),
            "LAMBENT_ENDPOINT": platform.endpoint,
            "AWS_PAGER": "",
        },
    )
    assert done.returncode == 0, done.stdout + done.stderr
    for caller in ("you", "CLI", "boto3"):
        assert f'{{"hello": "{caller}"}}' in done.stdout
    assert "got {'name': 'you'}" in done.stdout
    assert '"hello"' in done.stdout


@pytest.mark.timeout(180)
@pytest.mark.parametrize(
    ("page", "seen"),
    [
        ("identity", ["AWS_SECRET_ACCESS_KEY=", '"ann"', '"SecretAccessKey"']),
        ("function-urls", ["hello you", "hello path"]),
        ("api-gateway", [".execute-api.us-east-1.localhost:", "$default", '"by-hand"']),
        (
            "http-apis",
            [
                '"route":"$default"',
                '"pet":"tom","route":"GET /pets/{id}","user":"anyone"',
                '"user":"ann"',
                '{"message":"Forbidden"}{"message":"Unauthorized"}',
                "GET /pets/{id} 200",
            ],
        ),
        (
            "cloudfront",
            ["Miss from cloudfront", "Hit from cloudfront", "shop /cart", '"InProgress"'],
        ),
        ("concurrency", ["READY", '"provisioned-concurrency"']),
        ("asynchronous", ['"later": 1', "lambent_async_events_received_total", '"purged": 1']),
        ("extensions", ['follower: {"eventType":"INVOKE"', '"followed"']),
        (
            "metrics",
            [*('"MetricName": "Orders"', '"Sum": 3.0', '"Sum": 5.0'), "orders is in ALARM"],
        ),
        ("traces", ["AWS::Lambda::Function", "greet", '"tea": "oolong"', '"HasFault": false']),
        (
            "logs",
            [
                "orders START",
                '"total": 140',
                "south   2",
                "REPORT\t3",
                '"eventNumber": 1',
                '"Slow"',
            ],
        ),
        ("websocket-apis", ['{"you said": "hello"}', "DISCONNECT"]),
        ("names-and-tls", ["/world"]),
        ("hooks", ["heard", '"name": "door"', '"deleted": true']),
        ("callers/object-stores", ["ObjectCreated:Put photos summer/a b.jpg"]),
        ("callers/sns", ["The address of the certificate is not one of SNS."]),
        ("callers/cloudevents", ["placed from shop", "by the bus: placed {'total': 4}"]),
        ("callers/webhooks", ["push refs/heads/main", '"payments"', "rang at /front"]),
        ("callers/load-balancers", ["GET /shoes/red {'size': '9'}"]),
        ("callers/alexa", ["The news of the day", "The news of sports"]),
        (
            "developing",
            ["Hello you", "ServerlessHttpApi", "/pets/1 in dev", "running by hand"],
        ),
        (
            "schedules-and-events",
            ["Scheduled Event", "MON-FRI", "nightly", "hourly", "a7", "order-paid"],
        ),
        (
            "cognito",
            [
                '{"message":"Unauthorized"}',
                '{"hello": "ann"}',
                "failed with error members only.",
                "MFA_SETUP",
            ],
        ),
        (
            "lex",
            [
                *("For which day?", "For how many?", "At most 8. How many?"),
                *("A table for 6 on 20", "Booked for 6.", "I only book tables."),
            ],
        ),
    ],
)
def test_examples_of_pages(platform: Platform, tmp_path: Path, page: str, seen: list[str]) -> None:
    """Every block marked as tested, in order, in one shell."""
    printed = run_page(page, platform, tmp_path)
    for text in seen:
        assert text in printed


@pytest.fixture(scope="module")
def with_services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """A platform that has other services."""
    running = Platform(tmp_path_factory.mktemp("services") / "data", "--services")
    yield running
    assert running.stop() == 0, running.output


@pytest.mark.timeout(180)
@pytest.mark.parametrize(
    ("page", "seen"),
    [
        (
            "services",
            ['{"resized": "cat.txt"}', "heard a message", "heard an-order", "requestPayload"],
        ),
        ("event-sources/sqs", ["message good", "message bad", "sqs:us-east-1:000000000000:work"]),
        (
            "event-sources/kinesis",
            ["click home one", "click home broken", "click home two", "stream/clicks"],
        ),
        ("event-sources/dynamodb-streams", ["change INSERT 1", "change REMOVE 1"]),
    ],
)
def test_examples_with_services(
    with_services: Platform, tmp_path: Path, page: str, seen: list[str]
) -> None:
    """The examples of pages on other services, on a platform with them."""
    printed = run_page(page, with_services, tmp_path)
    for text in seen:
        assert text in printed


@pytest.mark.timeout(180)
def test_examples_of_backups(platform: Platform, tmp_path: Path) -> None:
    """They read the data directory, and start a second platform from the restored backup."""
    printed = run_page(
        *("backup", platform, tmp_path),
        LAMBENT_SERVER__DATA_DIR=str(platform.data_dir),
        XDG_CACHE_HOME=os.environ.get("XDG_CACHE_HOME", str(Path.home() / ".cache")),
    )
    assert '"still here"' in printed
    assert '"packages":' in printed


@pytest.mark.timeout(180)
def test_examples_of_a_service(platform: Platform, tmp_path: Path) -> None:
    """A platform in the background, on a separate data directory and port. The README has the same
    examples."""
    section = README.partition("## Keep it running")[2].partition("```")[2].partition("```")[0]
    commands = [line.partition("#")[0].strip() for line in section.splitlines()[1:]]
    assert "\n".join(commands) in (ROOT / "docs/run-as-a-service.md").read_text(encoding="utf-8")
    printed = run_page(
        *("run-as-a-service", platform, tmp_path),
        LAMBENT_SERVER__DATA_DIR=str(tmp_path / "data"),
        LAMBENT_SERVER__PORT="0",
        XDG_CACHE_HOME=os.environ.get("XDG_CACHE_HOME", str(Path.home() / ".cache")),
    )
    assert "lambent is ready at http://127.0.0.1:" in printed
    assert str(tmp_path / "data/state/lambent.db") in printed


def run_page(
    page: str,
    platform: Platform,
    directory: Path,
    *,
    group: str = "",
    deadline_s: float = 150,
    **variables: str,
) -> str:
    """Run a page's examples, with further variables; returns their output. Blocks that are marked
    `tested: GROUP, …` run with their group."""
    text = (ROOT / "docs" / f"{page}.md").read_text(encoding="utf-8")
    marked = re.findall(r"<!-- tested(?:: ([\w, ]+))? -->\n```sh\n(.*?)```", text, re.DOTALL)
    blocks = [block for groups, block in marked if group in groups.split(", ")]
    assert blocks
    # Pages name a runtime that not every machine has.
    examples = "\n".join(blocks).replace("python3.12", PYTHON)
    programs = f"{commands()}:{Path(sys.executable).parent}"
    done = subprocess.run(
        ["bash", "-c", f"set -euo pipefail\n{examples}"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=deadline_s,
        cwd=directory,
        env={
            "PATH": f"{programs}:{os.environ['PATH']}",
            "HOME": str(directory),
            "LAMBENT_ENDPOINT": platform.endpoint,
            "AWS_ENDPOINT_URL": platform.endpoint,
            "AWS_ACCESS_KEY_ID": "000000000000",
            "AWS_SECRET_ACCESS_KEY": "any",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_PAGER": "",
            **variables,
        },
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_links_lead_somewhere() -> None:
    """Every file that a page links to exists."""
    missing = [
        f"{page.relative_to(ROOT)} -> {link}"
        for page in (*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"))
        for link in re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8"))
        if not (page.parent / link).exists()
    ]
    assert missing == []
