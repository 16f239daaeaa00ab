"""Senders that others have written: CloudEvents' SDK, and what Slack, Stripe and Standard Webhooks
offer for signatures."""

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from tests.packages import INSTALLED
from tests.platforms import Platform, deploy

from .hooks import PRINTS, Hook, create, events_of

CLOUDEVENTS = """
import requests
from cloudevents.v1.http import CloudEvent, to_binary, to_structured

event = CloudEvent(
    {"source": "urn:shop", "type": "order", "subject": "Ünï", "sampled": "yes"}, {"total": 3}
)
for headers, body in (to_binary(event), to_structured(event)):
    requests.post(ADDRESS, headers={**headers, **AUTH}, data=body).raise_for_status()
from cloudevents.core.bindings.http import to_binary_event
from cloudevents.core.v1.event import CloudEvent
newer = CloudEvent(
    {"source": "urn:shop", "type": "order", "id": "3", "specversion": "1.0", "subject": "Ünï",
     "datacontenttype": "application/json"},
    {"total": 3},
)
message = to_binary_event(newer)
requests.post(ADDRESS, headers={**message.headers, **AUTH}, data=message.body).raise_for_status()
"""
SLACK = """
import json, time, requests
from slack_sdk.signature import SignatureVerifier

verifier = SignatureVerifier(SECRET)
for body in ({"type": "url_verification", "challenge": "abc"},
             {"type": "event_callback", "event": {"type": "app_mention"}}):
    text, now = json.dumps(body), str(int(time.time()))
    headers = {
        "X-Slack-Request-Timestamp": now,
        "X-Slack-Signature": verifier.generate_signature(timestamp=now, body=text),
        "Content-Type": "application/json",
    }
    answer = requests.post(ADDRESS, headers=headers, data=text)
    print(answer.status_code, answer.text)
"""
STANDARD = """
import datetime, requests
from standardwebhooks.webhooks import Webhook

now = datetime.datetime.now(datetime.timezone.utc)
for id in ("a", "b", "a"):
    headers = {
        "webhook-id": id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Webhook(SECRET).sign(msg_id=id, timestamp=now, data="{}"),
    }
    print(requests.post(ADDRESS, headers=headers, data="{}").json()["message"])
"""
STRIPE = """
import json, time, requests
from stripe import WebhookSignature

body = json.dumps({"type": "charge.failed", "object": "event"})
for age in (0, 3600):
    now = int(time.time()) - age
    signature = WebhookSignature._compute_signature(f"{now}.{body}", SECRET)
    header = {"Stripe-Signature": f"t={now},v1={signature}"}
    print(requests.post(ADDRESS, headers=header, data=body).status_code)
"""


@pytest.fixture(scope="module")
def prints(lambda_client: Any) -> str:
    """The name of a function that prints its events."""
    deploy(lambda_client, "hook-senders", {"app.py": PRINTS})
    return "hook-senders"


def run(hook: Hook, source: str) -> list[str]:
    """Run a program with the senders' packages; returns the lines that it prints."""
    known = (
        f"ADDRESS, SECRET = {hook.address!r}, {hook.secret!r}\n"
        f"AUTH = {{'Authorization': 'Bearer ' + SECRET}}\n"
    )
    directory = INSTALLED / "senders"
    assert directory.is_dir(), "run `make test`, it installs the packages"
    done = subprocess.run(
        [sys.executable, "-c", known + source],
        capture_output=True,
        text=True,
        timeout=60,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(directory)},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_cloudevents(platform: Platform, lambda_client: Any) -> None:
    """Its SDK in both modes, with both of its APIs: the function gets the same."""
    deploy(lambda_client, "hook-cloudevents", {"app.py": PRINTS})
    hook = create(platform, "cloudevents", "cloudevents", "--function", "hook-cloudevents")
    run(hook, CLOUDEVENTS)
    events = events_of(platform, "hook-cloudevents", 3)
    for event in events:
        assert event["data"] == {"total": 3}
        assert (event["source"], event["type"]) == ("urn:shop", "order")
        assert event["subject"] == "\u00dcn\u00ef"
    assert [event.get("sampled") for event in events].count("yes") == 2


def test_slack(platform: Platform, prints: str) -> None:
    """The address is verified, and events arrive."""
    hook = create(platform, "slack", "hmac", "--scheme", "slack", "--function", prints)
    assert run(hook, SLACK) == ["200 abc", '202 {"message":"Accepted"}']


def test_standard_webhooks(platform: Platform, prints: str) -> None:
    """With the secret that was made here; a message that comes twice counts once."""
    hook = create(platform, "standard", "hmac", "--scheme", "standard", "--function", prints)
    assert hook.secret.startswith("whsec_")
    assert run(hook, STANDARD) == ["Accepted", "Accepted", "Accepted before"]


def test_stripe(platform: Platform, prints: str) -> None:
    """With the secret that Stripe shows; an old signature is refused."""
    hook = create(
        platform,
        "stripe",
        "hmac",
        *("--scheme", "stripe", "--function", prints),
        LAMBENT_HOOK_SECRET="whsec_shown-by-stripe",
    )
    assert hook.secret == "whsec_shown-by-stripe"
    assert run(hook, STRIPE) == ["202", "401"]
    bodies = [
        json.loads(event["body"])
        for event in events_of(platform, prints)
        if not event["isBase64Encoded"]
    ]
    assert all("type" in body for body in bodies)
