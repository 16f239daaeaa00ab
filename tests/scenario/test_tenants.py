"""Functions that isolate tenants: who must be named, and that nothing is ever shared."""

import threading
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.platforms import deploy, invoke, wait_for

CODE = """
import os
seen = []
def handler(event, context):
    seen.append(context.tenant_id)
    with open("/tmp/seen", "a") as file:
        file.write(context.tenant_id + " ")
    return {"seen": seen, "file": open("/tmp/seen").read().split()}
"""


@pytest.fixture(scope="module")
def isolated(lambda_client: Any) -> str:
    """A function that isolates tenants."""
    deploy(
        lambda_client,
        "isolated",
        {"app.py": CODE},
        TenancyConfig={"TenantIsolationMode": "PER_TENANT"},
    )
    return "isolated"


def test_no_environment_serves_two(lambda_client: Any, isolated: str) -> None:
    """Not even under load: memory and /tmp only ever contain one tenant's data."""
    found: list[tuple[str, Any]] = []

    def call(tenant: str) -> None:
        for _ in range(8):
            found.append((tenant, invoke(lambda_client, isolated, TenantId=tenant)[0]))

    threads = [
        threading.Thread(target=call, args=(tenant,)) for tenant in ("a", "b", "team:c", "a") * 2
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 64
    for tenant, answer in found:
        assert set(answer["seen"]) == set(answer["file"]) == {tenant}


def test_who_must_be_named(lambda_client: Any, isolated: str) -> None:
    """A tenant exactly if the function isolates them; the setting is for good."""
    assert lambda_client.get_function_configuration(FunctionName=isolated)["TenancyConfig"] == {
        "TenantIsolationMode": "PER_TENANT"
    }
    with pytest.raises(ClientError, match=r"enabled with tenancy configuration\. Add"):
        invoke(lambda_client, isolated)
    deploy(lambda_client, "not-isolated", {"app.py": "def handler(e, c): return c.tenant_id"})
    assert invoke(lambda_client, "not-isolated")[0] is None
    with pytest.raises(ClientError, match="not enabled with tenancy configuration"):
        invoke(lambda_client, "not-isolated", TenantId="a")
    for bad in ("", "x" * 257, "tab\there", "semi;colon"):
        with pytest.raises((ClientError, ValueError)):
            invoke(lambda_client, isolated, TenantId=bad)


def test_what_does_not_go_together(lambda_client: Any, isolated: str) -> None:
    """URLs, mappings and provisioned concurrency do not support tenants."""
    with pytest.raises(ClientError, match="tenancy"):
        lambda_client.create_function_url_config(FunctionName=isolated, AuthType="NONE")
    with pytest.raises(ClientError, match="tenancy"):
        lambda_client.create_event_source_mapping(
            FunctionName=isolated, EventSourceArn="arn:aws:sqs:us-east-1:000000000000:q"
        )
    version = lambda_client.publish_version(FunctionName=isolated)["Version"]
    with pytest.raises(ClientError, match="tenancy"):
        lambda_client.put_provisioned_concurrency_config(
            FunctionName=isolated, Qualifier=version, ProvisionedConcurrentExecutions=1
        )


def test_events_keep_their_tenant(lambda_client: Any, isolated: str) -> None:
    """An asynchronous invocation is run as its tenant's."""
    answer = lambda_client.invoke(
        FunctionName=isolated, InvocationType="Event", TenantId="later", Payload=b"{}"
    )
    assert answer["StatusCode"] == 202

    def has_run() -> bool:
        return len(invoke(lambda_client, isolated, TenantId="later")[0]["seen"]) > 1

    wait_for(has_run, "the event")
