"""Signing in to the console of a strict platform, in a browser."""

import contextlib
import http.client
import json
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.platforms import Platform

from .conftest import open_page, violations, watch
from .test_access import root_key


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """A strict platform."""
    running = Platform(tmp_path_factory.mktemp("strict") / "data", "--auth", "strict")
    yield running
    running.stop()


def lambent(strict: Platform, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command line, for the platform's data directory."""
    command = [sys.executable, "-m", "lambent", *arguments, "--data-dir", str(strict.data_dir)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


def test_a_user_signs_in_and_out(page: Page, strict: Platform) -> None:
    open_page(page, strict)
    assert violations(page) == []
    page.get_by_label("Access key ID").fill(root_key(strict)[0])
    page.get_by_label("Secret access key").fill("wrong")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_contain_text("UnrecognizedClientException")
    page.get_by_label("Secret access key").fill(root_key(strict)[1])
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Overview")).to_be_visible()
    cookies = {cookie["name"]: cookie for cookie in page.context.cookies()}
    (cookie,) = cookies.values()
    assert cookie["httpOnly"]
    assert cookie["sameSite"] == "Strict"
    assert page.evaluate("document.cookie") == ""

    page.reload()
    expect(page.get_by_role("heading", name="Overview")).to_be_visible()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()
    page.reload()
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()


def test_a_link_of_the_command_line_signs_in_once(page: Page, strict: Platform) -> None:
    url = json.loads(lambent(strict, "open", "--json").stdout)["url"]
    page.goto(url)
    expect(page.get_by_role("heading", name="Overview")).to_be_visible()
    assert "sign-in" not in page.url
    page.context.clear_cookies()
    page.goto("about:blank")
    page.goto(url)
    expect(page.get_by_role("alert")).to_contain_text("run lambent open again")


def test_a_session_that_ends_asks_again(page: Page, strict: Platform) -> None:
    page.goto(lambent(strict, "open", "--no-browser").stdout.strip())
    expect(page.get_by_role("heading", name="Overview")).to_be_visible()
    page.context.clear_cookies()
    # The page may have noticed by itself, and then has no links any more.
    page.evaluate("location.hash = '#/functions'")
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()


def test_there_is_no_address_of_what_does_not_run(strict: Platform, tmp_path: object) -> None:
    command = [sys.executable, "-m", "lambent", "open", "--data-dir", str(tmp_path)]
    found = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert found.returncode == 3
    assert "no platform runs" in found.stderr


def test_over_tls_the_cookie_is_secure(
    browser: Browser, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Served at an address that others reach, where it has to be enabled. Without TLS no one signs
    in there."""
    options = ("--auth", "strict", "--tls", "auto", "--tls-port", "0", "--host", "0.0.0.0")
    where = tmp_path_factory.mktemp("tls") / "data"
    running = Platform(where, *options, "--set", "console.enabled=true")
    try:
        found = re.search(r"serves TLS at https://\S+:(\d+)", running.output)
        assert found is not None
        key_id, secret = root_key(running)
        with browser.new_context(ignore_https_errors=True) as context:
            page = context.new_page()
            problems = watch(page)
            page.goto(f"https://127.0.0.1:{found[1]}/_lambent/console/")
            page.get_by_label("Access key ID").fill(key_id)
            page.get_by_label("Secret access key").fill(secret)
            page.get_by_role("button", name="Sign in").click()
            expect(page.get_by_role("heading", name="Overview")).to_be_visible()
            (cookie,) = context.cookies()
            assert cookie["secure"]
            assert problems == []
        address = _address_of_this_machine()
        with contextlib.closing(http.client.HTTPConnection(address, _port(running))) as plain:
            given = {"accessKeyId": key_id, "secretAccessKey": secret}
            headers = {"X-Lambent-Console": "none"}
            body = json.dumps(given)
            plain.request("POST", "/_lambent/console/session", body, headers)
            answer = plain.getresponse()
            assert answer.status == 403
            assert b"must not cross a network unencrypted" in answer.read()
    finally:
        running.stop()


def _port(platform: Platform) -> int:
    return urlsplit(platform.endpoint).port or 80


def _address_of_this_machine() -> str:
    """One that is not loopback; connecting a datagram socket sends nothing."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            pytest.skip("this machine has no address but loopback")
        return str(probe.getsockname()[0])
