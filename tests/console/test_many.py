"""A thousand functions: the list stays fluid. What is bounded is work, not time."""

import json
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from tests.platforms import Platform

from .conftest import open_page

MANY, OF_A_PAGE = 1000, 50


@pytest.fixture
def many(page: Page, console_platform: Platform) -> list[str]:
    """The pages of a list of so many functions, in place of the API's; returns the markers that
    were asked for."""
    function = console_platform.client("lambda").get_function_configuration(FunctionName="greeter")
    function.pop("ResponseMetadata")
    asked: list[str] = []

    def respond(route: Route) -> None:
        given = json.loads(route.request.post_data or "{}")
        assert given["MaxItems"] == OF_A_PAGE
        asked.append(given.get("Marker", ""))
        first = int(given.get("Marker", 0))
        functions: list[dict[str, Any]] = [
            {
                **function,
                "FunctionName": f"function-{number:04d}",
                "Description": "the last" if number == MANY - 1 else "",
            }
            for number in range(first, first + OF_A_PAGE)
        ]
        end = first + OF_A_PAGE
        document = {"Functions": functions, **({"NextMarker": str(end)} if end < MANY else {})}
        route.fulfill(json=document)

    page.route("**/api/lambda/ListFunctions", respond)
    return asked


def test_a_thousand_functions(page: Page, console_platform: Platform, many: list[str]) -> None:
    """Only rows in sight are in the document, so scrolling and searching cost the same with ten
    functions or thousands, and ask the platform nothing."""
    open_page(page, console_platform, "functions")
    expect(page.get_by_text("1,000 of 1,000 functions")).to_be_visible()
    expect(page.get_by_role("link", name="function-0000")).to_be_visible()
    assert len(many) == MANY // OF_A_PAGE
    assert page.locator("main tbody tr").count() < 80
    assert page.locator("main *").count() < 1500

    page.evaluate(
        """() => {
          window.rows = 0;
          new MutationObserver((changes) => {
            for (const change of changes) window.rows += change.addedNodes.length;
          }).observe(document.querySelector("tbody"), {childList: true});
        }"""
    )
    page.locator(".table.long").evaluate("box => { box.scrollTop = box.scrollHeight; }")
    expect(page.get_by_role("link", name="function-0999")).to_be_visible()
    assert page.evaluate("window.rows") < 80
    assert page.locator("main tbody tr").count() < 80

    page.get_by_label("Search functions").fill("the last")
    expect(page.get_by_text("1 of 1,000 functions")).to_be_visible()
    expect(page.get_by_role("link", name="function-0999")).to_be_visible()
    assert len(many) == MANY // OF_A_PAGE
