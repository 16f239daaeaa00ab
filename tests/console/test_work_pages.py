"""Event sources, schedules, APIs, stacks, traces and nodes in a browser."""

import json
import re
import uuid
from itertools import pairwise
from typing import Any

import requests
from playwright.sync_api import Page, Route, expect

from tests.platforms import ACCOUNT, ROLE, Platform, deploy
from tests.servers.ministack import Ministack, aws_client

from .conftest import open_page
from .workshop import HOSTILE, SHOUTER, shout

SHOUTER_ARN = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:shouter"


def unique(name: str) -> str:
    return f"{name}-{uuid.uuid4().hex[:8]}"


# -- event sources -----------------------------------------------------------------------------


def test_event_sources_are_shown_and_switched(
    page: Page, workshop: Platform, ministack: Ministack
) -> None:
    """What a mapping has done, and whether it goes on."""
    name = unique("source")
    sqs, client = aws_client("sqs", ministack.endpoint), workshop.client("lambda")
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    client.create_event_source_mapping(
        FunctionName="listener",
        EventSourceArn=f"arn:aws:sqs:us-east-1:{ACCOUNT}:{name}",
        Enabled=False,
    )
    sqs.send_message(QueueUrl=url, MessageBody="a")

    open_page(page, workshop, "sources")
    row = page.get_by_role("row").filter(has_text=name)
    expect(row.get_by_text("Disabled")).to_be_visible()
    row.get_by_role("button", name="Enable").click()
    expect(row.get_by_text("OK", exact=True)).to_be_visible(timeout=60_000)
    row.get_by_role("button", name="Disable").click()
    expect(row.get_by_text(re.compile("Disabl(ing|ed)"))).to_be_visible()
    row.get_by_role("link", name=name).click()
    expect(page.get_by_role("heading", name=f"sqs {name}")).to_be_visible()
    expect(page.get_by_text("Batch Size")).to_be_visible()


def test_an_event_source_is_deleted(page: Page, workshop: Platform, ministack: Ministack) -> None:
    name = unique("source")
    aws_client("sqs", ministack.endpoint).create_queue(QueueName=name)
    client = workshop.client("lambda")
    uuid = client.create_event_source_mapping(
        FunctionName="listener",
        EventSourceArn=f"arn:aws:sqs:us-east-1:{ACCOUNT}:{name}",
        Enabled=False,
    )["UUID"]
    open_page(page, workshop, f"sources/{uuid}")
    page.get_by_role("button", name="Delete").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(page.get_by_role("heading", name="Event sources")).to_be_visible()
    expect(page.get_by_role("row").filter(has_text=name)).to_have_count(0)


# -- schedules and rules -----------------------------------------------------------------------


def test_schedules_have_next_times(page: Page, workshop: Platform) -> None:
    """Those that the platform knows; a disabled schedule has none."""
    name = unique("nightly")
    scheduler = workshop.client("scheduler")
    scheduler.create_schedule(
        Name=name,
        ScheduleExpression="cron(30 3 1 1 ? 2091)",
        ScheduleExpressionTimezone="Europe/Berlin",
        FlexibleTimeWindow={"Mode": "OFF"},
        Target={"Arn": SHOUTER_ARN, "RoleArn": ROLE, "Input": '{"a": 1}'},
        Description="at night",
    )
    open_page(page, workshop, "schedules")
    row = page.get_by_role("row").filter(has_text=name)
    expect(row.get_by_text("Jan 1, 2091, 2:30:00 AM")).to_be_visible()
    row.get_by_role("button", name="Disable").click()
    expect(row.get_by_text("Disabled")).to_be_visible()
    expect(row.get_by_text("2091, ")).to_have_count(0)
    found = scheduler.get_schedule(Name=name)
    assert (found["State"], found["Description"]) == ("DISABLED", "at night")
    assert found["Target"]["Input"] == '{"a": 1}'
    row.get_by_role("button", name="Enable").click()
    expect(row.get_by_text("Jan 1, 2091, 2:30:00 AM")).to_be_visible()


def test_rules_are_switched(page: Page, workshop: Platform) -> None:
    events = workshop.client("events")
    bus, name = unique("bus"), unique("rule")
    events.create_event_bus(Name=bus)
    events.put_rule(Name=name, EventBusName=bus, EventPattern='{"source": ["shop"]}')
    events.put_targets(Rule=name, EventBusName=bus, Targets=[{"Id": "1", "Arn": SHOUTER_ARN}])
    hourly = unique("hourly")
    events.put_rule(Name=hourly, ScheduleExpression="rate(1 hour)")
    open_page(page, workshop, "schedules/rules")
    row = page.get_by_role("row").filter(has_text=f"{bus}/{name}")
    expect(row.get_by_role("cell", name="shouter")).to_be_visible()
    row.get_by_role("button", name="Disable").click()
    expect(row.get_by_text("Disabled")).to_be_visible()
    assert events.describe_rule(Name=name, EventBusName=bus)["State"] == "DISABLED"
    shown = page.get_by_role("row").filter(has_text=hourly).locator("time")
    expect(shown).to_have_text(re.compile(r"20\d\d, "))


def test_next_times_of_a_rate_go_on_from_its_ticks(workshop: Platform) -> None:
    """The page of the platform that the console reads."""
    name = unique("rate")
    arn = workshop.client("events").put_rule(Name=name, ScheduleExpression="rate(5 minutes)")
    answer = requests.get(f"{workshop.endpoint}/_lambent/schedules", timeout=20).json()
    times = {each["arn"]: each["next"] for each in answer["schedules"]}[arn["RuleArn"]]
    assert len(times) == 5
    assert [after - before for before, after in pairwise(times)] == [300] * 4
    assert requests.post(f"{workshop.endpoint}/_lambent/schedules", timeout=20).status_code == 405


def test_hooks_pools_and_distributions_are_listed(page: Page, workshop: Platform) -> None:
    pool = unique("pool")
    workshop.client("cognito-idp").create_user_pool(PoolName=pool)
    open_page(page, workshop, "schedules/pools")
    expect(page.get_by_role("cell", name=pool)).to_be_visible()
    page.get_by_role("link", name="Hooks").click()
    expect(page.get_by_text("There are no hooks yet.")).to_be_visible()
    page.get_by_role("link", name="Distributions").click()
    expect(page.get_by_text("There are no distributions yet.")).to_be_visible()


# -- APIs --------------------------------------------------------------------------------------


def test_an_http_api_is_tried(page: Page, workshop: Platform) -> None:
    """A request at the platform's path of the API reaches the function."""
    api = workshop.client("apigatewayv2")
    name = unique("pets")
    made = api.create_api(Name=name, ProtocolType="HTTP", Target=SHOUTER_ARN, Description=HOSTILE)
    (integration,) = api.get_integrations(ApiId=made["ApiId"])["Items"]
    target = f"integrations/{integration['IntegrationId']}"
    api.create_route(ApiId=made["ApiId"], RouteKey="POST /pets/{id}", Target=target)
    open_page(page, workshop, "apis")
    page.get_by_role("link", name=name).click()
    expect(page.get_by_role("row", name="POST /pets/{id}")).to_contain_text("shouter")
    page.get_by_role("link", name="Stages").click()
    expect(page.get_by_role("cell", name="$default")).to_be_visible()
    page.get_by_role("link", name="Routes").click()
    page.get_by_role("link", name="Try POST /pets/{id}").click()
    expect(page.get_by_label("Method")).to_have_value("POST")
    page.get_by_label("Path").fill("/pets/tom?kind=cat")
    page.get_by_label("Headers").fill("X-Mood good")
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_role("alert")).to_contain_text("Not a header: X-Mood good")
    page.get_by_label("Headers").fill("X-Mood: good\nContent-Type: application/json")
    page.get_by_label("Body").fill('{"a": 1}')
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_label("Body", exact=True).last).to_contain_text('"path": "/pets/tom"')
    expect(page.locator(".badge", has_text="200")).to_be_visible()
    api.delete_api(ApiId=made["ApiId"])


def test_a_rest_api_is_tried(page: Page, workshop: Platform) -> None:
    """TestInvokeMethod, without a stage."""
    api, name = workshop.client("apigateway"), unique("orders")
    rest = api.create_rest_api(name=name)["id"]
    (root,) = api.get_resources(restApiId=rest)["items"]
    resource = api.create_resource(restApiId=rest, parentId=root["id"], pathPart="orders")["id"]
    method = {"restApiId": rest, "resourceId": resource, "httpMethod": "ANY"}
    api.put_method(**method, authorizationType="NONE")
    api.put_integration(**method, type="MOCK", requestTemplates={"application/json": "{}"})
    open_page(page, workshop, f"apis/rest/{rest}")
    expect(page.get_by_role("row", name="ANY /orders")).to_contain_text("MOCK")
    page.get_by_role("link", name="Stages").click()
    expect(page.get_by_text("This API has no stages yet.")).to_be_visible()
    page.get_by_role("link", name="Try it").click()
    page.get_by_label("Method").select_option("PUT")
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_role("heading", name="Response")).to_be_visible()
    page.get_by_text("Log", exact=True).click()
    expect(page.get_by_label("Log")).to_contain_text("HTTP Method: PUT, Resource Path: /orders")
    api.delete_rest_api(restApiId=rest)


def test_a_websocket_api_has_routes(page: Page, workshop: Platform) -> None:
    api = workshop.client("apigatewayv2")
    made = api.create_api(
        Name=unique("chat"),
        ProtocolType="WEBSOCKET",
        RouteSelectionExpression="$request.body.action",
    )
    api.create_route(ApiId=made["ApiId"], RouteKey="$connect")
    open_page(page, workshop, f"apis/websocket/{made['ApiId']}")
    expect(page.get_by_role("row", name="$connect")).to_be_visible()
    expect(page.get_by_role("link", name="Try it")).to_have_count(0)
    api.delete_api(ApiId=made["ApiId"])


# -- stacks ------------------------------------------------------------------------------------


def template(**properties: Any) -> str:
    name = unique("bus")
    return json.dumps(
        {
            "Description": HOSTILE,
            "Parameters": {"Stage": {"Type": "String", "Default": "dev"}},
            "Resources": {
                "Bus": {"Type": "AWS::Events::EventBus", "Properties": {"Name": name}},
                "Rule": {
                    "Type": "AWS::Events::Rule",
                    "Properties": {
                        "EventBusName": {"Ref": "Bus"},
                        "EventPattern": {"source": ["shop"]},
                        **properties,
                    },
                },
            },
            "Outputs": {"Name": {"Value": {"Ref": "Bus"}, "Description": "The bus"}},
        }
    )


def test_a_stack_from_its_resources_to_its_end(page: Page, workshop: Platform) -> None:
    """Resources as a picture, events, outputs, a change set that is executed, and deletion."""
    stacks, name = workshop.client("cloudformation"), unique("shop")
    body = template()
    stacks.create_stack(StackName=name, TemplateBody=body)
    stacks.get_waiter("stack_create_complete").wait(StackName=name, WaiterConfig={"Delay": 1})
    changed = json.loads(body)
    changed["Resources"]["Rule"]["Properties"]["Description"] = "changed"
    stacks.create_change_set(
        StackName=name, ChangeSetName="describe", TemplateBody=json.dumps(changed)
    )
    open_page(page, workshop, "stacks")
    page.get_by_role("link", name=name).click()
    expect(page.get_by_role("row", name="The bus")).to_be_visible()
    expect(page.get_by_role("row", name="Stage dev")).to_be_visible()
    assert page.locator("main img").count() == 0

    page.get_by_role("link", name="Resources").click()
    expect(page.get_by_role("group", name="2 resources, 1 dependencies")).to_be_visible()
    expect(page.get_by_role("row", name="AWS::Events::Rule")).to_contain_text("Bus")
    page.get_by_role("link", name="Template").click()
    expect(page.locator("pre")).to_contain_text('"source"')

    page.get_by_role("link", name="Change sets").click()
    page.get_by_role("button", name="describe", exact=True).click()
    expect(page.get_by_role("row", name="Modify Rule")).to_be_visible()
    page.get_by_role("button", name="Execute describe").click()
    page.get_by_role("dialog").get_by_role("button", name="Execute").click()
    expect(page.get_by_text("UPDATE_COMPLETE").first).to_be_visible(timeout=30_000)
    page.get_by_role("link", name="Events").click()
    expect(page.get_by_role("row").filter(has_text="UPDATE_COMPLETE").first).to_be_visible()

    page.get_by_role("button", name="Delete").click()
    page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
    assert stacks.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"] == "UPDATE_COMPLETE"
    page.get_by_role("button", name="Delete").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(page.get_by_text("The stack was deleted.")).to_be_visible(timeout=30_000)


def test_a_stack_that_fails_says_why(page: Page, workshop: Platform) -> None:
    stacks, name = workshop.client("cloudformation"), unique("broken")
    stacks.create_stack(
        StackName=name, TemplateBody=template(EventPattern="no pattern"), OnFailure="DO_NOTHING"
    )
    open_page(page, workshop, f"stacks/{name}/events")
    expect(page.get_by_role("alert")).to_contain_text("Rule: CREATE_FAILED", timeout=30_000)
    stacks.delete_stack(StackName=name)


# -- traces ------------------------------------------------------------------------------------


def test_a_trace_is_a_timeline(page: Page, workshop: Platform) -> None:
    """From the list by a filter to the segments, and on to the log of the request."""
    name = unique("traced")
    deploy(workshop.client("lambda"), name, {"app.py": SHOUTER}, TracingConfig={"Mode": "Active"})
    shout(workshop, {"fail": HOSTILE}, name)
    open_page(page, workshop, "traces")
    row = page.get_by_role("row").filter(has_text=name)
    expect(row.get_by_text("fault")).to_be_visible()
    page.get_by_label("Filter expression").fill(f'service("{name}") AND ok')
    page.get_by_role("button", name="Filter", exact=True).click()
    expect(page.get_by_text("No trace matches.")).to_be_visible()
    page.get_by_label("Filter expression").fill(f'service("{name}") AND fault')
    page.get_by_label("Filter expression").press("Enter")
    row.get_by_role("link").click()
    spans = page.locator(".timeline .span")
    expect(spans.filter(has_text="Initialization")).to_be_visible()
    spans.filter(has_text="AWS::Lambda::Function").click()
    expect(page.locator(".message.bad", has_text="<img src=x")).to_be_visible()
    assert page.locator("main img").count() == 0
    page.locator(".facts a").first.click()
    expect(page.get_by_role("listbox", name="Log lines")).to_contain_text("REPORT RequestId")


def test_a_wrong_filter_is_an_error(page: Page, workshop: Platform) -> None:
    open_page(page, workshop, "traces?filter=service(")
    expect(page.get_by_role("alert")).to_contain_text("InvalidRequestException")
    open_page(page, workshop, f"traces/1-5759e988-{'0' * 24}")
    expect(page.get_by_text("There is no such trace.")).to_be_visible()


# -- nodes -------------------------------------------------------------------------------------


def test_a_node_is_drained_and_resumes(page: Page, workshop: Platform) -> None:
    """What the page shows of three nodes, and what it sends."""
    states = {1: "live", 2: "live", 3: "starting"}
    sent: list[str] = []

    def list_nodes(route: Route) -> None:
        fixed = {"pid": 7, "data_dir": "/", "since": "2026-01-01 00:00:00 UTC", "release": "1"}
        nodes = [
            {"node": n, "state": state, "url": f"http://n{n}", "host": HOSTILE, "this": n == 1}
            for n, state in states.items()
        ]
        route.fulfill(json={"nodes": [{**each, **fixed} for each in nodes]})

    def change_node(route: Route) -> None:
        sent.append(f"{route.request.method} {route.request.url.partition('/nodes/')[2]}")
        states[2] = "draining" if route.request.url.endswith("drain") else "live"
        route.fulfill(json={"node": 2, "state": states[2]})

    page.route("**/_lambent/nodes", list_nodes)
    page.route("**/_lambent/nodes/*/*", change_node)
    open_page(page, workshop, "nodes")
    row = page.get_by_role("row").filter(has_text="http://n2")
    row.get_by_role("button", name="Drain").click()
    page.get_by_role("dialog").get_by_role("button", name="Drain").click()
    expect(row.get_by_text("draining")).to_be_visible()
    row.get_by_role("button", name="Resume").click()
    expect(row.get_by_text("live")).to_be_visible()
    assert sent == ["POST 2/drain", "POST 2/resume"]
    assert page.locator("main img").count() == 0


def test_a_platform_alone_has_no_nodes(page: Page, workshop: Platform) -> None:
    open_page(page, workshop, "nodes")
    expect(page.get_by_text("This platform works alone.")).to_be_visible()
