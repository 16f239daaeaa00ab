"""How every page looks: accessible in light and dark, on a phone without scrolling sideways, still
while it loads, and as on the pictures of the documentation."""

import base64
import datetime
import json
import math
import os
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Route

from tests.platforms import Platform

from .conftest import PHONE, ROOT, WIDE, open_page, violations, watch

IMAGES = ROOT / "docs/images"
LOOKS = ROOT / "tests/console/js/looks.js"
WRITES = os.environ.get("CONSOLE_IMAGES") == "1"
"""Whether the pictures are written, not compared: `make console-images`."""
DIFFERENCE_MAX = 5.0
PICTURE_BYTES_MAX = 120_000
ROUTES = {
    "": ".uplot",
    "functions": "table",
    "functions/greeter": "textarea",
    "functions/greeter/code": "textarea",
    "functions/greeter/configuration": ".facts",
    "functions/greeter/triggers": ".empty, .picture",
    "functions/greeter/versions": "table",
    "functions/greeter/monitor": ".uplot",
    "environments": "table, .empty",
    "host": "table",
    "nothing": ".empty",
}
"""What a page has when it is complete."""
PICTURES = {
    "console-overview": ("", "light"),
    "console-function": ("functions/greeter", "dark"),
}


@pytest.fixture(params=["light", "dark"])
def context(browser: Browser, request: pytest.FixtureRequest) -> Iterator[BrowserContext]:
    """A browser of a user with this preference."""
    context = browser.new_context(
        viewport={**WIDE},
        color_scheme=request.param,
        reduced_motion="reduce",
        locale="en-US",
        timezone_id="UTC",
    )
    yield context
    context.close()


def show(page: Page, platform: Platform, route: str) -> None:
    """Open a page and wait until it is complete."""
    open_page(page, platform, route)
    page.wait_for_selector(f"main :is({ROUTES[route]})")
    page.wait_for_selector(".loading", state="detached")


def test_everyone_can_use_every_page(context: BrowserContext, console_platform: Platform) -> None:
    """Axe finds nothing: names, roles, contrast, order of headings."""
    console_platform.client("lambda").invoke(FunctionName="greeter")
    page = context.new_page()
    problems = watch(page)
    found = {}
    for route in ROUTES:
        show(page, console_platform, route)
        if violated := violations(page):
            found[route] = violated
    assert found == {}
    assert problems == []


def test_a_phone_scrolls_in_one_direction(browser: Browser, console_platform: Platform) -> None:
    with browser.new_context(viewport={**PHONE}, reduced_motion="reduce") as context:
        page = context.new_page()
        for route in ROUTES:
            show(page, console_platform, route)
            for part in ("document.documentElement", "document.querySelector('main')"):
                wide = page.evaluate(f"{part}.scrollWidth - {part}.clientWidth")
                assert wide <= 0, route
        assert violations(page) == []
        page.get_by_role("button", name="Menu").click()
        page.get_by_role("navigation", name="Pages").get_by_role("link", name="Functions").click()
        page.wait_for_selector("main table")
        assert not page.get_by_role("navigation", name="Pages").is_visible()


def test_pages_do_not_jump(browser: Browser, console_platform: Platform) -> None:
    """The sum of all layout shifts, as browsers count them, is what they call good: 0.1."""
    script = """
    window.shift = 0;
    new PerformanceObserver((list) => {
      for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.shift += entry.value;
    }).observe({type: "layout-shift", buffered: true});
    """
    with browser.new_context(viewport={**WIDE}) as context:
        page = context.new_page()
        page.add_init_script(script)
        for route in ("", "functions", "host", "functions/greeter/configuration"):
            show(page, console_platform, route)
            page.reload()
            page.wait_for_selector(f"main :is({ROUTES[route]})")
            assert page.evaluate("window.shift") < 0.1, route


def test_the_keyboard_is_enough(browser: Browser, console_platform: Platform) -> None:
    """From the address to a call, and the focus is always visible."""
    with browser.new_context(viewport={**WIDE}) as context:
        page = context.new_page()
        show(page, console_platform, "functions")
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.textContent") == "Skip to content"
        page.keyboard.press("Enter")
        assert page.evaluate("document.activeElement.tagName") == "H1"
        for _ in range(40):
            page.keyboard.press("Tab")
            if page.evaluate("document.activeElement.textContent") == "greeter":
                break
        outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert outline == "solid"
        page.keyboard.press("Enter")
        page.wait_for_selector("textarea")
        page.get_by_label("Event", exact=True).focus()
        page.keyboard.press("Control+Enter")
        page.wait_for_selector("text=Succeeded")


def test_the_theme_can_be_chosen(browser: Browser, console_platform: Platform) -> None:
    ground = "getComputedStyle(document.body).backgroundColor"
    with browser.new_context(viewport={**WIDE}, color_scheme="light") as context:
        page = context.new_page()
        show(page, console_platform, "functions")
        light = page.evaluate(ground)
        for _ in range(2):
            page.get_by_role("button", name="Theme").click()
        dark = page.evaluate(ground)
        assert dark != light
        page.reload()
        assert page.evaluate(ground) == dark


def respond_with_metrics(route: Route) -> None:
    """Two weeks of a shop that is busy by day, the same each time."""
    asked = json.loads(route.request.post_data or "{}")
    period = asked["MetricDataQueries"][0]["MetricStat"]["Period"]
    times = list(range(int(asked["StartTime"]), int(asked["EndTime"]), period))
    busy = [1 + math.sin(time / 700) / 3 + math.sin(time / 90) / 9 for time in times]
    shapes: dict[str, Callable[[float], float]] = {
        "invocations": lambda level: round(420 * level),
        "errors": lambda level: round(max(0.0, 9 * (level - 1.1))),
        "throttles": lambda level: 2 if level > 1.4 else 0,
        "p50": lambda level: 18 + 6 * level,
        "p99": lambda level: 70 + 60 * level,
        "concurrency": lambda level: round(8 * level),
    }
    results = [
        {"Id": name, "Timestamps": times, "Values": [shape(level) for level in busy]}
        for name, shape in shapes.items()
    ]
    route.fulfill(json={"MetricDataResults": results})


@pytest.mark.parametrize("name", PICTURES)
def test_pictures_show_what_is_there(
    browser: Browser, console_platform: Platform, name: str
) -> None:
    """With metrics of a busy day; all else is the platform's. Fonts and numbers may differ."""
    route, scheme = PICTURES[name]
    with browser.new_context(
        viewport={"width": 1240, "height": 780},
        color_scheme="dark" if scheme == "dark" else "light",
        locale="en-US",
        timezone_id="UTC",
        reduced_motion="reduce",
    ) as context:
        page = context.new_page()
        page.clock.set_fixed_time(datetime.datetime(2026, 3, 2, 14, 30, tzinfo=datetime.UTC))
        page.route("**/api/cloudwatch/GetMetricData", respond_with_metrics)
        show(page, console_platform, route)
        if route == "functions/greeter":
            page.get_by_label("Event", exact=True).fill('{\n  "name": "you"\n}')
            page.get_by_role("button", name="Invoke").click()
            page.wait_for_selector("text=Succeeded")
        taken = page.screenshot()
        if WRITES:
            (IMAGES / f"{name}.png").write_bytes(taken)
        kept = (IMAGES / f"{name}.png").read_bytes()
        assert len(kept) < PICTURE_BYTES_MAX
        images = [base64.b64encode(image).decode() for image in (taken, kept)]
        difference = context.new_page().evaluate(LOOKS.read_text(encoding="utf-8"), images)
        assert difference < DIFFERENCE_MAX, "run `make console-images` and look at docs/images"
