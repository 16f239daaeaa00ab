"""How the pages about work look: accessible in light and dark, on a phone without scrolling
sideways, and with nothing to show."""

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.platforms import ACCOUNT, ROLE, Platform
from tests.servers.ministack import Ministack, aws_client

from .conftest import PHONE, WIDE, open_page, violations, watch
from .test_work_pages import SHOUTER_ARN, template
from .workshop import shout

ROUTES = {
    "logs": "table",
    "logs/%2Faws%2Flambda%2Fshouter": ".line",
    "logs?view=tail": ".line",
    "logs?view=query": "textarea",
    "asynchronous": "table",
    "asynchronous/shouter": "table",
    "sources": "table",
    "schedules": "table",
    "schedules/hooks": ".empty",
    "apis": "table",
    "apis/http/{api}": "table",
    "apis/http/{api}/try": "form",
    "stacks": "table",
    "stacks/looks": ".facts",
    "stacks/looks/resources": "svg",
    "stacks/looks/events": "table",
    "traces": "table",
    "nodes": ".empty",
}
"""What a page has when it is complete."""
DETAILS = {
    "logs/%2Faws%2Flambda%2Fshouter": (".line:nth-child(3)", ".line-detail"),
    "logs?view=tail": ("summary", ".picker[open]"),
    "asynchronous/shouter": ("td button", "form"),
    "traces": ("td a", ".timeline"),
}
"""What opens more of a page, and what appears."""
CONTRAST = "axe.run({runOnly: ['color-contrast']})"


@pytest.fixture(scope="module")
def api(workshop: Platform, ministack: Ministack) -> str:
    """The id of an API; there is something of everything else, too."""
    aws_client("sqs", ministack.endpoint).create_queue(QueueName="looks")
    functions = workshop.client("lambda")
    functions.create_event_source_mapping(
        FunctionName="listener",
        EventSourceArn=f"arn:aws:sqs:us-east-1:{ACCOUNT}:looks",
        Enabled=False,
    )
    functions.update_function_configuration(
        FunctionName="shouter", TracingConfig={"Mode": "Active"}
    )
    functions.get_waiter("function_updated_v2").wait(FunctionName="shouter")
    for event in ({"lines": ['{"level": "WARN", "a": {"b": 1}}', "x" * 3000]}, {"fail": "no"}):
        shout(workshop, event)
    target = {"Arn": SHOUTER_ARN, "RoleArn": ROLE}
    workshop.client("scheduler").create_schedule(
        Name="looks",
        ScheduleExpression="rate(1 day)",
        FlexibleTimeWindow={"Mode": "OFF"},
        Target=target,
    )
    workshop.client("events").put_rule(Name="looks", EventPattern='{"source": ["x"]}')
    stacks = workshop.client("cloudformation")
    stacks.create_stack(StackName="looks", TemplateBody=template())
    stacks.get_waiter("stack_create_complete").wait(StackName="looks", WaiterConfig={"Delay": 1})
    api = workshop.client("apigatewayv2")
    return str(api.create_api(Name="looks", ProtocolType="HTTP", Target=SHOUTER_ARN)["ApiId"])


def show(page: Page, platform: Platform, route: str, api: str) -> None:
    """Open a page, wait until it is complete, and open more of it."""
    open_page(page, platform, route.format(api=api))
    page.wait_for_selector(f"main :is({ROUTES[route]})")
    page.wait_for_selector(".loading", state="detached")
    if route in DETAILS:
        click, appears = DETAILS[route]
        page.locator(f"main :is({click})").first.click()
        page.wait_for_selector(f"main {appears}")


def test_everyone_can_use_every_page(browser: Browser, workshop: Platform, api: str) -> None:
    """Axe finds nothing: names, roles, order of headings, contrast in light and dark. On a phone
    no page is wider than the screen."""
    found: dict[str, object] = {}
    options = {"color_scheme": "light", "reduced_motion": "reduce"}
    with browser.new_context(viewport={**WIDE}, **options) as context:  # type: ignore[arg-type]
        page = context.new_page()
        problems = watch(page)
        for route in ROUTES:
            page.set_viewport_size({**WIDE})
            page.emulate_media(color_scheme="light")
            show(page, workshop, route, api)
            if violated := violations(page):
                found[route] = violated
            page.emulate_media(color_scheme="dark")
            if violated := page.evaluate(CONTRAST)["violations"]:
                found[f"{route} in the dark"] = violated
            page.set_viewport_size({**PHONE})
            for part in ("document.documentElement", "document.querySelector('main')"):
                if (beyond := page.evaluate(f"{part}.scrollWidth - {part}.clientWidth")) > 0:
                    found[f"{route} on a phone"] = beyond
    assert found == {}
    assert problems == []


def test_a_region_without_anything_says_what_to_do(browser: Browser, workshop: Platform) -> None:
    """Every list that is empty names the next step."""
    with browser.new_context(viewport={**WIDE}) as context:
        page = context.new_page()
        open_page(page, workshop)
        with page.expect_navigation():
            page.get_by_label("Region").select_option("eu-north-1")
        page.wait_for_selector("main h1")
        for route in ("logs", "asynchronous", "sources", "schedules", "apis", "stacks", "traces"):
            open_page(page, workshop, route)
            expect(page.locator("main .empty pre"), route).to_be_visible()
