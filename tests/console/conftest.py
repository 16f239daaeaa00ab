"""A browser, and platforms whose console it uses."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tests.platforms import Platform, deploy
from tests.scenario.apis.chromium import PROGRAM

from .workshop import workshop

__all__ = ["workshop"]

ROOT = Path(__file__).parents[2]
AXE = ROOT / "build/test-packages/console/node_modules/axe-core/axe.min.js"
GREETER = """
import json, os, time

def handler(event, context):
    print("got", json.dumps(event))
    if isinstance(event, dict) and event.get("fail"):
        raise ValueError("told to fail")
    return {"hello": event, "stage": os.environ.get("STAGE")}
"""
WIDE, PHONE = {"width": 1280, "height": 860}, {"width": 360, "height": 740}


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Chromium without a window."""
    if not Path(PROGRAM).exists():
        pytest.skip("no chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=PROGRAM,
            args=["--no-sandbox", "--disable-dev-shm-usage", "--font-render-hinting=none"],
        )
        yield browser
        browser.close()


@pytest.fixture(scope="package")
def console_platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """A relaxed platform with a function, `greeter`."""
    running = Platform(tmp_path_factory.mktemp("console") / "data")
    client = running.client("lambda")
    deploy(
        client,
        "greeter",
        {"app.py": GREETER, "lib/words.py": "WORDS = ['hello']\n"},
        Description="Greets.",
        Environment={"Variables": {"STAGE": "dev", "API_KEY": "sesame-1234"}},
    )
    yield running
    running.stop()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """A browser that knows nothing yet. A page may fetch nothing from elsewhere."""
    context = browser.new_context(
        viewport={**WIDE}, locale="en-US", timezone_id="UTC", reduced_motion="reduce"
    )
    context.set_default_timeout(8_000)
    yield context
    context.close()


@pytest.fixture
def page(context: BrowserContext) -> Iterator[Page]:
    """A tab. What goes wrong in it fails the test."""
    page = context.new_page()
    problems = watch(page)
    yield page
    assert problems == []


def watch(page: Page) -> list[str]:
    """Collects errors of scripts and violations of the Content Security Policy."""
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(f"{error}"))
    page.on(
        "console",
        lambda said: (
            problems.append(said.text)
            if said.type == "error" and "Failed to load resource" not in said.text
            else None
        ),
    )
    return problems


def open_page(page: Page, platform: Platform, route: str = "") -> None:
    """Open a page of the console."""
    page.goto(f"{platform.endpoint}/_lambent/console/#/{route}")
    page.wait_for_selector("main h1")


def violations(page: Page) -> list[str]:
    """What axe finds."""
    if not page.evaluate("typeof axe !== 'undefined'"):
        # The page's policy forbids scripts of others; the debugger may add them.
        page.evaluate(AXE.read_text(encoding="utf-8"))
    found: Any = page.evaluate("axe.run({resultTypes: ['violations']})")
    return [
        f"{each['id']}: {json.dumps([node['html'][:200] for node in each['nodes']][:3])}"
        for each in found["violations"]
    ]
