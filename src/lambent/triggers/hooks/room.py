"""Puts hooks together: the kinds, and what they need."""

from pathlib import Path

import anyio.abc

from lambent.kit.clock import Clock
from lambent.model.peers import Peers
from lambent.triggers.hooks import alb, cloudevents, s3, tokens, webhooks
from lambent.triggers.hooks.alexa import AlexaRequests
from lambent.triggers.hooks.certificates import Fetch, SigningCertificates
from lambent.triggers.hooks.delivery import Delivery
from lambent.triggers.hooks.directory import HookDirectory
from lambent.triggers.hooks.front import HookFront
from lambent.triggers.hooks.sns import SnsMessages


def make_front(
    directory: HookDirectory,
    delivery: Delivery,
    clock: Clock,
    tasks: anyio.abc.TaskGroup,
    peers: Peers,
    *,
    fetch: Fetch,
    roots: Path,
) -> HookFront:
    """The way in. `fetch` reads certificates, and confirms subscriptions; `roots` is a file of the
    authorities that certificates have to lead to, in PEM."""
    certificates = SigningCertificates(fetch, roots, clock)
    kinds = {
        "s3": s3.receive,
        "sns": SnsMessages(certificates, fetch).receive,
        "cloudevents": cloudevents.receive,
        "hmac": webhooks.receive,
        "token": tokens.receive,
        "alb": alb.receive,
        "alexa": AlexaRequests(certificates).receive,
    }
    return HookFront(directory, kinds, delivery, clock, tasks, peers)
