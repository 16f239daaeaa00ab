"""Asynchronous calls in a browser: queues, retries, and events that are sent again."""

import json
import uuid
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from tests.platforms import ACCOUNT, Platform, deploy, wait_for, zip_of
from tests.servers.ministack import Ministack, aws_client

from .conftest import open_page
from .workshop import HOSTILE, SHOUTER

ARN = f"arn:aws:sqs:us-east-1:{ACCOUNT}:"
PICKY = """
def handler(event, context):
    print("got", event)
    if event.get("n", 0) >= 0:
        raise ValueError(event.get("why", "no"))
"""


class Failing:
    """A function whose events end in a queue."""

    def __init__(self, platform: Platform, ministack: Ministack, *, is_dead_letter: bool) -> None:
        self.name = f"failing-{uuid.uuid4().hex[:8]}"
        self.platform, self.sqs = platform, aws_client("sqs", ministack.endpoint)
        self.queue = self.sqs.create_queue(QueueName=self.name)["QueueUrl"]
        self.client = platform.client("lambda")
        more = {"DeadLetterConfig": {"TargetArn": ARN + self.name}} if is_dead_letter else {}
        deploy(self.client, self.name, {"app.py": PICKY}, **more)
        destination = {"OnFailure": {"Destination": ARN + self.name}}
        self.client.put_function_event_invoke_config(
            FunctionName=self.name,
            MaximumRetryAttempts=0,
            **({} if is_dead_letter else {"DestinationConfig": destination}),
        )

    def send(self, *events: Any) -> None:
        """Call it, and wait until the events are in the queue."""
        before = self.waiting()
        for event in events:
            payload = event if isinstance(event, str) else json.dumps(event)
            self.client.invoke(FunctionName=self.name, InvocationType="Event", Payload=payload)
        wait_for(lambda: self.waiting() == before + len(events), "the events are in the queue")

    def repair(self) -> None:
        """From now on it takes everything."""
        package = zip_of({"app.py": SHOUTER})
        self.client.update_function_code(FunctionName=self.name, ZipFile=package)
        self.client.get_waiter("function_updated_v2").wait(FunctionName=self.name)

    def waiting(self) -> int:
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        found = self.sqs.get_queue_attributes(QueueUrl=self.queue, AttributeNames=names)
        return sum(int(value) for value in found["Attributes"].values())


@pytest.fixture
def failing(workshop: Platform, ministack: Ministack) -> Failing:
    return Failing(workshop, ministack, is_dead_letter=False)


def test_queues_are_shown_and_purged(page: Page, workshop: Platform) -> None:
    """An event whose second attempt is due later is deleted after a question."""
    client = workshop.client("lambda")
    deploy(client, "retried", {"app.py": PICKY})
    client.invoke(FunctionName="retried", InvocationType="Event", Payload=b"{}")
    open_page(page, workshop, "asynchronous")
    row = page.get_by_role("row", name="retried")
    expect(row.get_by_role("cell").nth(2)).to_have_text("1", timeout=30_000)
    row.get_by_role("link").click()
    expect(page.locator(".tile", has_text="Due later").locator("dd")).to_contain_text("1")
    page.get_by_role("button", name="Purge queue").click()
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator(".tile", has_text="Due later").locator("dd")).to_contain_text("1")
    page.get_by_role("button", name="Purge queue").click()
    page.get_by_role("dialog").get_by_role("button", name="Purge").click()
    expect(page.get_by_text("1 events were deleted.")).to_be_visible()
    expect(page.locator(".tile", has_text="Due later").locator("dd")).to_contain_text("0")


def test_retries_and_destinations_are_edited(page: Page, workshop: Platform) -> None:
    client = workshop.client("lambda")
    open_page(page, workshop, "asynchronous/listener")
    page.get_by_role("table").get_by_role("button", name="Edit").click()
    page.get_by_label("Retries").fill("1")
    page.get_by_label("Maximum age (s)").fill("600")
    page.get_by_label("On failure").fill("nonsense")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("alert")).to_be_visible()
    page.get_by_label("On failure").fill(f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:shouter")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("cell", name="shouter")).to_be_visible()
    config = client.get_function_event_invoke_config(FunctionName="listener")
    assert (config["MaximumRetryAttempts"], config["MaximumEventAgeInSeconds"]) == (1, 600)
    page.get_by_role("button", name="Reset").click()
    page.get_by_role("dialog").get_by_role("button", name="Reset").click()
    expect(page.get_by_role("cell", name="shouter")).to_have_count(0)
    assert (
        client.list_function_event_invoke_configs(FunctionName="listener")[
            "FunctionEventInvokeConfigs"
        ]
        == []
    )


def test_failed_events_are_sent_again(page: Page, failing: Failing) -> None:
    """All are accepted, with numbers as they were, and the queue is empty."""
    number = '{"n": 12345678901234567890.10, "text": "\\u0041,}]"}'
    failing.send({"n": 1, "why": HOSTILE}, number)
    open_page(page, failing.platform, f"asynchronous/{failing.name}")
    page.get_by_role("button", name="Look at the first").click()
    expect(page.locator(".messages li")).to_have_count(2)
    expect(page.locator(".messages", has_text="<img src=x")).to_be_visible()
    assert page.locator("main img").count() == 0
    assert failing.waiting() == 2
    sent: list[str] = []
    page.on(
        "request",
        lambda request: (
            sent.append(request.post_data or "") if request.url.endswith("/invocations") else None
        ),
    )
    failing.repair()
    page.get_by_role("button", name="Send all again").click()
    page.get_by_role("dialog").get_by_role("button", name="Send").click()
    expect(page.get_by_text("2 sent again.")).to_be_visible()
    wait_for(lambda: failing.waiting() == 0, "the queue is empty")
    assert number in sent


def test_an_event_that_is_not_accepted_stays(page: Page, failing: Failing) -> None:
    """Nothing is deleted before the platform has accepted it."""
    failing.send({"n": 1}, {"n": 2})

    def refuse(route: Route) -> None:
        route.fulfill(status=503, json={"Type": "Service", "message": "The database is away."})

    page.route("**/invocations", refuse)
    open_page(page, failing.platform, f"asynchronous/{failing.name}")
    page.get_by_role("button", name="Send one again").click()
    expect(page.get_by_role("alert")).to_contain_text("The database is away.")
    assert failing.waiting() == 2
    page.unroute("**/invocations")
    failing.repair()
    page.get_by_role("button", name="Send one again").click()
    expect(page.get_by_text("1 sent again.")).to_be_visible()
    wait_for(lambda: failing.waiting() == 1, "one is left")


def test_dead_letters_are_sent_again(page: Page, workshop: Platform, ministack: Ministack) -> None:
    """They are the events themselves, even one that looks like the record of a destination."""
    failing = Failing(workshop, ministack, is_dead_letter=True)
    record = {"n": 1, "requestContext": {"functionArn": "x"}, "requestPayload": {"n": 2}}
    failing.send(record)
    open_page(page, workshop, f"asynchronous/{failing.name}")
    expect(page.get_by_role("heading", name=f"Dead letters in {failing.name}")).to_be_visible()
    sent: list[str] = []
    page.on(
        "request",
        lambda request: (
            sent.append(request.post_data or "") if request.url.endswith("/invocations") else None
        ),
    )
    failing.repair()
    page.get_by_role("button", name="Send all again").click()
    expect(page.get_by_role("dialog")).to_contain_text("do not name their function")
    page.get_by_role("dialog").get_by_role("button", name="Send").click()
    expect(page.get_by_text("1 sent again.")).to_be_visible()
    assert [json.loads(body) for body in sent] == [record]
    wait_for(lambda: failing.waiting() == 0, "the queue is empty")


def test_events_of_other_functions_stay(page: Page, failing: Failing, ministack: Ministack) -> None:
    """Functions may share a queue for failures."""
    other = Failing(failing.platform, ministack, is_dead_letter=False)
    destination = {"OnFailure": {"Destination": ARN + failing.name}}
    other.client.put_function_event_invoke_config(
        FunctionName=other.name, MaximumRetryAttempts=0, DestinationConfig=destination
    )
    other.client.invoke(FunctionName=other.name, InvocationType="Event", Payload=b"{}")
    wait_for(lambda: failing.waiting() == 1, "the event is in the queue")
    open_page(page, failing.platform, f"asynchronous/{failing.name}")
    page.get_by_role("button", name="Send all again").click()
    page.get_by_role("dialog").get_by_role("button", name="Send").click()
    expect(page.get_by_text("1 of other functions left in the queue")).to_be_visible()
    assert failing.waiting() == 1
