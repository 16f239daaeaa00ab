"""Pages in a browser on the platform's machine, which reach loopback; the platform is relaxed."""

import http.client
import json
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.servers.processes import skip_without

from .apis.chromium import PROGRAM
from .conftest import ACCOUNT, Platform, deploy

FUNCTIONS = "/2015-03-31/functions"
MADE_UP = (
    f"AWS4-HMAC-SHA256 Credential={ACCOUNT}/20260101/us-east-1/lambda/aws4_request,"
    " SignedHeaders=host, Signature=0"
)
SIGNED = {"Authorization": MADE_UP, "X-Amz-Date": "20260101T000000Z"}
SCRIPT = """
(async () => {
  const api = "/2015-03-31/functions", headers = SIGNED;
  const status = (response) => response.status;
  const refused = () => "refused";
  const read = await fetch(api, {headers}).then(status, refused);
  const call = {method: "POST", headers, body: "{}"};
  const invoked = await fetch(api + "/paints/invocations", call).then(status, refused);
  document.body.textContent = `GET ${read}, POST ${invoked}.`;
})();
""".replace("SIGNED", json.dumps(SIGNED))
PAINTS = f"""
def handler(event, context):
    page = "<body><script>" + {SCRIPT!r} + "</script></body>"
    return {{"statusCode": 200, "headers": {{"Content-Type": "text/html"}}, "body": page}}
"""


def ask(
    platform: Platform, host: str, path: str = FUNCTIONS, method: str = "GET", **headers: str
) -> tuple[int, bytes]:
    """The response to a browser that was sent to this address."""
    connection = http.client.HTTPConnection("127.0.0.1", urlsplit(platform.endpoint).port or 80)
    try:
        connection.request(method, path, headers={"Host": host, **headers})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:5350",
        "127.0.0.1.evil.example",
        "localhost.evil.example",
        "evil-localhost",
        f"{'a' * 32}.lambda-url.us-east-1.evil.example",
        "169.254.169.254.nip.io",
        "[::1].evil.example",
        "user@localhost",
        "localhost/..",
        "127.0.0.1:99999999",
        "\u00e9",
    ],
)
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", FUNCTIONS),
        ("POST", f"{FUNCTIONS}/anything/invocations"),
        ("GET", "/_lambent/metrics"),
        ("GET", f"/_lambent/url/{'a' * 32}/"),
        ("POST", "/"),
    ],
)
def test_names_of_others_are_not_answered_to(
    platform: Platform, host: str, method: str, path: str
) -> None:
    """A page whose own name resolves to this host sees nothing, whatever headers it sends."""
    for headers in ({}, SIGNED):
        status, body = ask(platform, host, path, method, **headers)
        assert status == 403
        assert b"allowed_hosts" in body


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1", "127.0.0.1:80", "[::1]:5350", "10.1.2.3", "localhost", "LOCALHOST:80"),
        *("localhost.", "bucket.with.dots.localhost:5350", "127.0.0.1:5350"),
    ],
)
def test_addresses_and_localhost_are(platform: Platform, host: str) -> None:
    """No page can be at a name that cannot be registered."""
    assert ask(platform, host)[0] == 200


@pytest.mark.parametrize(
    "page",
    [
        {"Origin": "http://127.0.0.1:5350"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "same-origin"},
        {"Sec-Fetch-Site": "cross-site"},
    ],
)
def test_made_up_signatures_of_pages_are_worth_nothing(
    platform: Platform, page: dict[str, str]
) -> None:
    """A page of the same origin, as a function's may be, needs no permission for headers."""
    assert ask(platform, "127.0.0.1", **SIGNED)[0] == 200
    status, body = ask(platform, "127.0.0.1", **SIGNED, **page)
    assert status == 403
    assert b"Missing Authentication Token" in body


def test_names_of_ones_own(start_platform: Any, tmp_path: Path) -> None:
    """The domain of function URLs, and the names in the operator's settings."""
    running = start_platform(
        None,
        *("--set", "gateway.url_domain=functions.test"),
        *("--set", "gateway.allowed_hosts=lambent.internal"),
    )
    for host in ("lambent.internal:80", "queue.lambent.internal", "functions.test", "localhost"):
        assert ask(running, host)[0] == 200, host
    for host in ("internal", "notlambent.internal", "test"):
        assert ask(running, host)[0] == 403, host


def test_a_real_browser_at_a_name_of_others(platform: Platform, tmp_path: Path) -> None:
    """By a foreign name that resolves to this host, a browser shows a refusal."""
    url = f"{platform.endpoint}{FUNCTIONS}"
    assert "Functions" in shown(url, tmp_path)
    assert "allowed_hosts" in shown(url.replace("127.0.0.1", "evil.example"), tmp_path)


def test_a_real_browser_at_a_page_of_a_function(platform: Platform, tmp_path: Path) -> None:
    """A function's page at the API's address has an origin of its own, so the browser refuses to
    call the API for it."""
    client = platform.client("lambda")
    deploy(client, "paints", {"app.py": PAINTS})
    url = client.create_function_url_config(FunctionName="paints", AuthType="NONE")["FunctionUrl"]
    url_id = urlsplit(url).netloc.partition(".")[0]
    text = shown(f"{platform.endpoint}/_lambent/url/{url_id}/", tmp_path)
    assert "GET refused, POST refused." in text


def shown(url: str, directory: Path) -> str:
    """The document of a page, after its scripts."""
    skip_without(PROGRAM, "chromium")
    command = [
        PROGRAM,
        *("--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--dump-dom"),
        *("--virtual-time-budget=5000", "--host-resolver-rules=MAP evil.example 127.0.0.1"),
        f"--user-data-dir={directory / 'browser'}",
        url,
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=50, check=True)
    return done.stdout
