"""What a browser lets a page of another origin do: use the operations that need no signature."""

from typing import Any

import pytest

from lambent.gateway.browsers import preflight, shown_to_pages
from tests.unit.identity.exchanges import FakeExchange

PAGE = {"origin": "https://shop.example"}
ASKS = {
    **PAGE,
    "access-control-request-method": "POST",
    "access-control-request-headers": "Content-Type, x-amz-target,x-amz-user-agent",
}
SIGN_UP = {
    **PAGE,
    "content-type": "application/x-amz-json-1.1",
    "x-amz-target": "AWSCognitoIdentityProviderService.SignUp",
}


def test_a_page_may_ask() -> None:
    found = preflight(FakeExchange(method="OPTIONS", headers=ASKS))
    assert found is not None
    assert (
        dict(found)["Access-Control-Allow-Headers"] == "content-type,x-amz-target,x-amz-user-agent"
    )
    assert "Access-Control-Allow-Credentials" not in dict(found)


@pytest.mark.parametrize(
    "change",
    [
        {"method": "POST"},
        {"path": "/2015-03-31/functions"},
        {"query": "a"},
        {"headers": {"access-control-request-method": "PUT"}},
        {"headers": {"access-control-request-headers": "content-type,x-amz-target,authorization"}},
        {"headers": {"access-control-request-headers": "content-type"}},
        {"headers": {"access-control-request-headers": "x-amz-target," + "a" * 5000}},
    ],
)
def test_what_it_may_not(change: dict[str, Any]) -> None:
    """Above all, send a signature."""
    headers = ASKS | change.pop("headers", {})
    options = {"method": "OPTIONS", "headers": headers} | change
    assert preflight(FakeExchange(**options)) is None


def test_what_it_may_read() -> None:
    """Responses of public operations, and no others."""
    found = shown_to_pages(FakeExchange(method="POST", headers=SIGN_UP))
    assert ("Access-Control-Allow-Origin", "*") in found
    for target in ("AWSCognitoIdentityProviderService.ListUsers", "AmazonSQS.SendMessage"):
        headers = SIGN_UP | {"x-amz-target": target}
        assert shown_to_pages(FakeExchange(method="POST", headers=headers)) == ()
    without = {name: value for name, value in SIGN_UP.items() if name != "origin"}
    assert shown_to_pages(FakeExchange(method="POST", headers=without)) == ()
