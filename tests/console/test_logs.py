"""The logs in a browser: lines of one function or of several, requests, and queries."""

import json
import re
import uuid

from playwright.sync_api import Locator, Page, expect

from tests.platforms import Platform, log_lines, wait_for

from .conftest import open_page
from .workshop import HOSTILE, shout

GROUP = "logs/%2Faws%2Flambda%2Fshouter"


def lines(page: Page) -> Locator:
    """The rows of log lines."""
    return page.get_by_role("listbox", name="Log lines").get_by_role("option")


def test_groups_lead_to_lines(page: Page, workshop: Platform) -> None:
    word = uuid.uuid4().hex
    shout(workshop, {"lines": [f"hello {word}"]})
    wait_for(lambda: f"hello {word}" in log_lines(workshop, "shouter"), "the line is in the log")
    open_page(page, workshop, "logs")
    page.get_by_label("Search log groups").fill("SHOUT")
    page.get_by_role("link", name="/aws/lambda/shouter").click()
    expect(page.get_by_role("heading", name="shouter")).to_be_visible()
    expect(lines(page).filter(has_text=f"hello {word}")).to_be_visible()


def test_lines_are_text(page: Page, workshop: Platform) -> None:
    """Markup, colors of terminals, characters that turn text around, and lines without an end."""
    marked = ["\x1b[31mred\x1b[0m \x1b]0;title\x07alert", "turn\u202earound", f"{HOSTILE} end"]
    shout(workshop, {"lines": marked, "huge": 200_000})
    open_page(page, workshop, GROUP)
    shown = lines(page)
    expect(shown.filter(has_text="red alert").last.locator(".said")).to_have_text("red alert")
    expect(shown.filter(has_text="turn\\u202earound").last).to_be_visible()
    expect(shown.filter(has_text="<img src=x onerror=").last).to_be_visible()
    shown.filter(has_text="xxxx").last.click()
    detail = page.get_by_role("region", name="Log line")
    expect(detail).to_contain_text("The first 64 kB of 200 kB")
    assert page.title() == "shouter · Lambent"
    assert page.locator("main img").count() == 0


def test_levels_and_fields(page: Page, workshop: Platform) -> None:
    """A line of JSON has a level and fields, and a field makes a filter pattern."""
    mark = uuid.uuid4().hex
    logged = [
        json.dumps({"level": "ERROR", "message": "broken", "order": {"id": 7}, "mark": mark}),
        json.dumps({"level": "INFO", "message": "fine", "order": {"id": 8}, "mark": mark}),
    ]
    shout(workshop, {"lines": logged})
    open_page(page, workshop, f"{GROUP}?filter=%22{mark}%22")
    error = lines(page).filter(has_text="broken")
    expect(error.locator(".level")).to_have_text("error")
    expect(lines(page)).to_have_count(2)
    error.click()
    page.get_by_role("row", name="order.id").hover()
    page.get_by_role("button", name="Only lines with $.mark").focus()
    page.get_by_role("button", name="Only lines with $.order.id").click()
    expect(page.get_by_label("Filter pattern")).to_have_value("{ $.order.id = 7 }")
    expect(lines(page).filter(has_text="broken")).to_be_visible()
    expect(lines(page).filter(has_text="fine")).to_have_count(0)


def test_a_wrong_pattern_is_an_error(page: Page, workshop: Platform) -> None:
    shout(workshop, {})
    open_page(page, workshop, GROUP)
    page.get_by_label("Filter pattern").fill("{ $.a = ")
    page.get_by_role("button", name="Filter", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("InvalidParameterException")


def test_new_lines_of_several_functions_appear(page: Page, workshop: Platform) -> None:
    """The live tail is a stream: nothing is asked for again."""
    word = uuid.uuid4().hex
    shout(workshop, {})
    shout(workshop, {}, "listener")
    open_page(page, workshop, "logs?view=tail")
    expect(page.get_by_role("status").filter(has_text="following")).to_be_visible()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    for name in ("shouter", "listener"):
        shout(workshop, {"lines": [f"{word} of {name}"]}, name)
    for name in ("shouter", "listener"):
        expect(lines(page).filter(has_text=f"{word} of {name}")).to_have_count(1)
    assert not [url for url in asked if "FilterLogEvents" in url]
    page.get_by_role("button", name="Live").click()
    expect(page.get_by_role("status").filter(has_text="following")).to_have_count(0)


def test_groups_of_the_tail_are_chosen(page: Page, workshop: Platform) -> None:
    shout(workshop, {"lines": ["by shouter"]})
    shout(workshop, {"lines": ["by listener"]}, "listener")
    groups = "%2Faws%2Flambda%2Fshouter,%2Faws%2Flambda%2Flistener"
    open_page(page, workshop, f"logs?view=tail&groups={groups}")
    expect(lines(page).filter(has_text="by shouter").first).to_be_visible()
    page.locator("summary", has_text="listener").click()
    page.get_by_label("shouter", exact=True).uncheck()
    expect(lines(page).filter(has_text="by listener").first).to_be_visible()
    expect(lines(page).filter(has_text="by shouter")).to_have_count(0)


def test_a_request_leads_to_all_it_did(page: Page, workshop: Platform) -> None:
    """From a line to the lines of all functions that name the request."""
    request = shout(workshop, {"lines": ["begins"]})["requestId"]
    shout(workshop, {"lines": [f"works for {request}"]}, "listener")
    open_page(page, workshop, f"{GROUP}?filter=%22{request}%22")
    lines(page).filter(has_text="START").click()
    page.get_by_role("region", name="Log line").get_by_role("link", name=request).click()
    expect(lines(page).filter(has_text=f"works for {request}")).to_be_visible()
    expect(lines(page).filter(has_text="REPORT RequestId")).to_be_visible()


def test_ten_megabytes_stay_fluid(page: Page, workshop: Platform) -> None:
    """Few rows are in the document, and the keyboard moves through all."""
    shout(workshop, {"many": 25_000, "width": 400})
    open_page(page, workshop, f"{GROUP}?filter=line")
    loaded = page.get_by_role("status").filter(has_text="lines, following")
    expect(loaded).to_contain_text(re.compile("2[5-9],[0-9]{3} lines"), timeout=60_000)
    assert lines(page).count() < 120
    page.get_by_role("listbox").focus()
    page.keyboard.press("Home")
    expect(page.locator(".line[aria-selected=true]")).to_have_attribute("aria-posinset", "1")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("PageDown")
    page.keyboard.press("End")
    expect(page.locator(".line[aria-selected=true]")).to_be_in_viewport()
    frames = page.evaluate(
        """async () => {
          const box = document.querySelector('.lines');
          const took = [];
          for (let n = 0; n < 20; n += 1) {
            const began = performance.now();
            box.scrollTop = (n * 7919 % 100) / 100 * box.scrollHeight;
            await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
            took.push(performance.now() - began);
          }
          return took.sort((a, b) => a - b)[10];
        }"""
    )
    assert frames < 250, frames  # The median; a list of so many elements takes seconds.
    used = page.evaluate("performance.memory.usedJSHeapSize")
    assert used < 300 << 20


def test_queries(page: Page, workshop: Platform) -> None:
    """Insights: rows, columns of the query, errors of the query, and requests as links."""
    word = uuid.uuid4().hex
    shout(workshop, {"lines": [f"query {word} {HOSTILE}"]})
    open_page(page, workshop, "logs?view=query")
    query = page.get_by_label("Query", exact=True)
    query.fill(f"fields @requestId, @message | filter @message like /{word}/ | limit 5")
    query.press("Control+Enter")
    expect(page.get_by_text("1 rows")).to_be_visible()
    expect(page.get_by_role("cell", name=word)).to_be_visible()
    assert page.locator("main img").count() == 0
    query.fill("stats count(*) as calls by bin(5m)")
    page.get_by_role("button", name="Run query").click()
    expect(page.get_by_role("columnheader", name="calls")).to_be_visible()
    with page.expect_download() as download:
        page.get_by_role("button", name="CSV").click()
    assert download.value.path().read_text().startswith('"bin(5m)","calls"')
    query.fill("fields @message | nonsense")
    page.get_by_role("button", name="Run query").click()
    expect(page.get_by_role("alert")).to_contain_text("MalformedQueryException")
