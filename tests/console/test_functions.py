"""The page of a function: every tab and action, in a browser."""

import json
import re
import uuid
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.platforms import Platform, deploy, wait_active, wait_for

from .conftest import GREETER, open_page


@pytest.fixture
def function(console_platform: Platform) -> str:
    """A function of the test's own."""
    name = f"own-{uuid.uuid4().hex[:8]}"
    deploy(
        console_platform.client("lambda"),
        name,
        {"app.py": GREETER, "tool.sh": "#!/bin/sh\n", "data.bin": b"\0\1\2"},
        Environment={"Variables": {"STAGE": "dev", "API_KEY": "sesame-1234"}},
    )
    return name


def lambdas(platform: Platform) -> Any:
    return platform.client("lambda")


def test_a_call_shows_response_log_and_durations(
    page: Page, console_platform: Platform, function: str
) -> None:
    open_page(page, console_platform, f"functions/{function}")
    page.get_by_label("Event", exact=True).fill('{"name": "you"}')
    page.get_by_role("button", name="Invoke").click()
    expect(page.get_by_text("Succeeded")).to_be_visible()
    expect(page.locator("pre").first).to_contain_text('"name": "you"')
    expect(page.locator("pre").nth(1)).to_contain_text('got {"name": "you"}')
    expect(page.locator(".phases")).to_contain_text("Init")
    expect(page.get_by_text("Request ID")).to_be_visible()

    page.get_by_label("Event", exact=True).fill('{"fail": true}')
    page.get_by_label("Event", exact=True).press("Control+Enter")
    expect(page.locator(".badge.bad")).to_have_text("Failed")
    expect(page.locator("pre").first).to_contain_text("told to fail")
    expect(page.locator(".phases")).not_to_contain_text("Init")

    page.get_by_label("Event", exact=True).fill("{nothing")
    page.get_by_role("button", name="Invoke").click()
    expect(page.get_by_role("alert")).to_contain_text("The event is not JSON")
    page.get_by_label("Event", exact=True).fill("{}")
    page.get_by_label("Version or alias").fill("nothing")
    page.get_by_role("button", name="Invoke").click()
    expect(page.get_by_role("alert")).to_contain_text("ResourceNotFoundException")
    page.get_by_label("Version or alias").fill("")
    page.get_by_role("button", name="Queue").click()
    page.get_by_role("button", name="Invoke").click()
    expect(page.get_by_text("Queued")).to_be_visible()


def test_a_call_leads_to_its_log_and_its_trace(
    page: Page, console_platform: Platform, function: str
) -> None:
    client = lambdas(console_platform)
    client.update_function_configuration(FunctionName=function, TracingConfig={"Mode": "Active"})
    wait_active(client, function)
    open_page(page, console_platform, f"functions/{function}")
    page.get_by_label("Event", exact=True).fill('{"found": "by its request"}')
    page.get_by_role("button", name="Invoke").click()
    trace = page.get_by_role("link", name="Trace", exact=True)
    expect(trace).to_have_attribute("href", re.compile(r"#/traces/1-[0-9a-f]{8}-[0-9a-f]{24}"))
    expect(page.locator("pre").nth(1)).to_contain_text("by its request")
    request_id = page.locator("dd code").last.inner_text()
    page.get_by_role("link", name="Logs of this request").click()
    expect(page.get_by_text(f"START RequestId: {request_id}")).to_be_visible()


def test_events_are_kept_by_the_browser(
    page: Page, console_platform: Platform, function: str
) -> None:
    open_page(page, console_platform, f"functions/{function}")
    page.get_by_label("Events", exact=True).select_option("sample:sqs")
    expect(page.get_by_label("Event", exact=True)).to_have_value(re.compile("aws:sqs"))
    page.get_by_role("button", name="Save").click()
    page.get_by_label("Name of the event").fill("a message")
    page.get_by_label("Name of the event").press("Enter")
    page.reload()
    page.get_by_label("Event", exact=True).fill("{}")
    page.get_by_label("Events", exact=True).select_option("saved:a message")
    expect(page.get_by_label("Event", exact=True)).to_have_value(re.compile("aws:sqs"))
    page.get_by_label("Events", exact=True).select_option("delete:a message")
    assert page.get_by_label("Events", exact=True).locator("optgroup").count() == 1


def test_code_is_shown_and_deployed(page: Page, console_platform: Platform, function: str) -> None:
    """A file that is changed and one that is new; the others stay as they are, executable ones
    too."""
    open_page(page, console_platform, f"functions/{function}/code")
    editor = page.get_by_label("Content of app.py")
    expect(editor).to_have_value(GREETER.replace("\r", ""))
    page.get_by_role("button", name="data.bin").click()
    expect(page.get_by_text("This file is not text.")).to_be_visible()
    page.get_by_label("New file").fill("words.py")
    page.get_by_label("New file").press("Enter")
    page.get_by_label("Content of words.py").fill("HELLO = 'grüße'\n")
    page.get_by_role("button", name="app.py").click()
    source = (
        "import os, stat\nfrom words import HELLO\n\ndef handler(event, context):\n"
        "    mode = os.stat('tool.sh').st_mode\n"
        "    return [HELLO, bool(mode & stat.S_IXUSR), list(open('data.bin', 'rb').read())]\n"
    )
    editor.fill(source)
    page.get_by_role("button", name="Deploy").click()
    expect(page.get_by_role("button", name="Deploy")).to_be_disabled()
    expect(page.get_by_label("Content of app.py")).to_have_value(source)
    client = lambdas(console_platform)
    wait_active(client, function)
    answer = json.loads(client.invoke(FunctionName=function)["Payload"].read())
    assert answer == ["grüße", True, [0, 1, 2]]


def test_the_configuration_is_changed(
    page: Page, console_platform: Platform, function: str
) -> None:
    open_page(page, console_platform, f"functions/{function}/configuration")
    general = page.locator(".card", has=page.get_by_role("heading", name="General"))
    general.get_by_role("button", name="Edit").click()
    general.get_by_label("Memory (MB)").fill("320")
    general.get_by_label("Description").fill("changed <b>here</b>")
    general.get_by_role("button", name="Save").click()
    expect(general.get_by_text("320 MB")).to_be_visible()
    expect(general.get_by_text("changed <b>here</b>")).to_be_visible()
    assert (
        lambdas(console_platform).get_function(FunctionName=function)["Configuration"]["MemorySize"]
        == 320
    )

    general.get_by_role("button", name="Edit").click()
    general.get_by_label("Handler").fill("x" * 200)
    general.get_by_role("button", name="Save").click()
    expect(general.get_by_role("alert")).to_contain_text("ValidationException")


def test_values_of_variables_are_hidden_until_they_are_wanted(
    page: Page, console_platform: Platform, function: str
) -> None:
    open_page(page, console_platform, f"functions/{function}/configuration")
    card = page.locator(".card", has=page.get_by_role("heading", name="Environment variables"))
    expect(card.get_by_text("API_KEY")).to_be_visible()
    assert "sesame" not in page.content()
    card.get_by_role("button", name="Show values").click()
    expect(card.get_by_text("sesame-1234")).to_be_visible()
    card.get_by_role("button", name="Edit").click()
    card.get_by_label("Value 1").fill("another")
    card.get_by_role("button", name="Add variable").click()
    card.get_by_label("Name 3").fill("EXTRA")
    card.get_by_label("Value 3").fill("more")
    card.get_by_role("button", name="Save").click()
    expect(card.get_by_text("EXTRA")).to_be_visible()
    found = lambdas(console_platform).get_function_configuration(FunctionName=function)
    assert found["Environment"]["Variables"]["EXTRA"] == "more"


def test_concurrency_is_reserved(page: Page, console_platform: Platform, function: str) -> None:
    open_page(page, console_platform, f"functions/{function}/configuration")
    card = page.locator(".card", has=page.get_by_role("heading", name="Concurrency"))
    card.get_by_role("button", name="Edit").click()
    card.get_by_label("Reserved concurrency").fill("7")
    card.get_by_role("button", name="Save").click()
    expect(card.get_by_text("7", exact=True)).to_be_visible()
    card.get_by_role("button", name="Edit").click()
    card.get_by_label("Reserved concurrency").fill("")
    card.get_by_role("button", name="Save").click()
    expect(card.get_by_text("None")).to_be_visible()


def test_versions_and_aliases(page: Page, console_platform: Platform, function: str) -> None:
    open_page(page, console_platform, f"functions/{function}/versions")
    expect(page.get_by_text("There are no aliases.")).to_be_visible()
    page.get_by_role("button", name="Publish version").click()
    versions = page.get_by_role("table", name="Versions")
    expect(versions.get_by_text("1", exact=True)).to_be_visible()
    client = lambdas(console_platform)
    wait_active(client, f"{function}:1")
    client.update_function_configuration(FunctionName=function, Description="two")
    wait_active(client, function)
    page.get_by_role("button", name="Publish version").click()
    expect(versions.get_by_text("2", exact=True)).to_be_visible()

    page.get_by_role("button", name="Create alias").click()
    page.get_by_label("Name", exact=True).fill("live")
    page.get_by_label("Version", exact=True).select_option("2")
    page.get_by_label("Second version").select_option("1")
    page.get_by_label("Its share (%)").fill("25")
    page.get_by_role("button", name="Save").click()
    aliases = page.get_by_role("table", name="Aliases")
    expect(aliases.get_by_text("2 · 75 %")).to_be_visible()
    found = client.get_alias(FunctionName=function, Name="live")
    assert found["RoutingConfig"]["AdditionalVersionWeights"] == {"1": 0.25}

    page.get_by_role("button", name="Edit live").click()
    page.get_by_label("Second version").select_option("")
    page.get_by_role("button", name="Save").click()
    expect(aliases.get_by_text("2 · 100 %")).to_be_visible()
    aliases.get_by_role("link", name="Invoke").click()
    expect(page.get_by_label("Version or alias")).to_have_value("live")
    page.go_back()
    page.get_by_role("button", name="Delete live").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(page.get_by_text("There are no aliases.")).to_be_visible()


def test_triggers_are_a_picture(page: Page, console_platform: Platform, function: str) -> None:
    client = lambdas(console_platform)
    open_page(page, console_platform, f"functions/{function}/triggers")
    expect(page.get_by_text("Nothing calls this function by itself.")).to_be_visible()
    client.create_function_url_config(FunctionName=function, AuthType="AWS_IAM")
    client.add_permission(
        FunctionName=function,
        StatementId="bucket",
        Action="lambda:InvokeFunction",
        Principal="s3.amazonaws.com",
        SourceArn="arn:aws:s3:::photos",
    )
    client.put_function_event_invoke_config(
        FunctionName=function,
        DestinationConfig={
            "OnFailure": {"Destination": "arn:aws:lambda:us-east-1:000000000000:function:greeter"}
        },
    )
    rules = console_platform.client("events")
    rules.put_rule(Name=f"rule-{function}", ScheduleExpression="rate(1 day)")
    arn = client.get_function(FunctionName=function)["Configuration"]["FunctionArn"]
    rules.put_targets(Rule=f"rule-{function}", Targets=[{"Id": "1", "Arn": arn}])
    page.reload()
    picture = page.locator(".picture")
    for text in ("Function URL", "Bucket", "photos", "Rule", f"rule-{function}", "On failure"):
        expect(picture.get_by_text(text, exact=True).first).to_be_visible()
    expect(page.get_by_role("table", name="Callers").get_by_role("link")).to_be_visible()


def test_metrics_of_a_function(page: Page, console_platform: Platform) -> None:
    client = lambdas(console_platform)
    client.invoke(FunctionName="greeter")
    open_page(page, console_platform, "functions/greeter/monitor")
    expect(page.locator(".uplot")).to_have_count(4)
    page.get_by_role("button", name="14 d").click()
    expect(page.get_by_role("button", name="14 d")).to_have_attribute("aria-pressed", "true")
    expect(page.get_by_role("img", name="Errors and throttles")).to_be_visible()


def test_a_function_is_deleted_after_a_question(
    page: Page, console_platform: Platform, function: str
) -> None:
    open_page(page, console_platform, f"functions/{function}")
    page.get_by_role("button", name="Delete").click()
    page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
    page.get_by_role("button", name="Delete").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(page.get_by_role("heading", name="Functions")).to_be_visible()
    names = [f["FunctionName"] for f in lambdas(console_platform).list_functions()["Functions"]]
    assert function not in names


def test_a_function_that_is_gone_is_an_error_of_aws(page: Page, console_platform: Platform) -> None:
    open_page(page, console_platform, "functions/nothing")
    expect(page.get_by_role("alert")).to_contain_text("ResourceNotFoundException")
    expect(page.get_by_role("alert")).to_contain_text("Function not found")


def test_environments_are_listed(page: Page, console_platform: Platform) -> None:
    lambdas(console_platform).invoke(FunctionName="greeter")
    open_page(page, console_platform, "environments")
    table = page.get_by_role("table", name="Environments")
    expect(table.get_by_role("link", name="greeter")).to_be_visible()
    wait_for(lambda: "frozen" in table.inner_text() or "idle" in table.inner_text(), "its state")
    page.get_by_label("Search environments").fill("nothing like this")
    expect(page.get_by_text("No environment matches.")).to_be_visible()
