"""The pages of the console in a browser."""

from playwright.sync_api import Page, expect

from tests.platforms import Platform

from .conftest import open_page


def test_the_overview_shows_what_runs(page: Page, console_platform: Platform) -> None:
    open_page(page, console_platform)
    expect(page.get_by_role("heading", name="Overview")).to_be_visible()
    expect(page.locator(".tile", has_text="Functions").locator("dd")).to_contain_text("1")


def test_functions_are_listed_and_found(page: Page, console_platform: Platform) -> None:
    open_page(page, console_platform, "functions")
    expect(page.get_by_role("link", name="greeter")).to_be_visible()
    page.get_by_label("Search functions").fill("nothing like this")
    expect(page.get_by_text("No function matches.")).to_be_visible()


def test_the_host_page_says_what_the_platform_knows(page: Page, console_platform: Platform) -> None:
    open_page(page, console_platform, "host")
    expect(page.get_by_text("the launcher responds")).to_be_visible()
    expect(page.get_by_text("sudo lambent doctor")).to_be_visible()
