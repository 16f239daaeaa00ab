"""Temporary credentials."""

import base64
import json

import pytest

from lambent.identity.session_tokens import SessionTokens
from lambent.kit.clock import ManualClock
from lambent.model.errors import ApiError
from lambent.model.identity import session_principal
from lambent.model.principal import root_of

ROLE = session_principal("arn:aws:iam::111111111111:role/path/r", "f", role_id="AROA")


def test_they_need_no_memory() -> None:
    """Another platform with the same key, later, knows whose they are."""
    issued = SessionTokens(b"key", ManualClock()).issue(ROLE, lifetime_s=60)
    found = SessionTokens(b"key", ManualClock()).read(issued.access_key_id, issued.session_token)
    assert found == (ROLE, issued.secret_access_key)
    assert issued.access_key_id.startswith("ASIA")
    assert len(issued.access_key_id) == 20


def test_they_expire() -> None:
    """With AWS's error."""
    clock = ManualClock()
    tokens = SessionTokens(b"key", clock)
    issued = tokens.issue(ROLE, lifetime_s=60)
    clock.advance(61)
    with pytest.raises(ApiError) as caught:
        tokens.read(issued.access_key_id, issued.session_token)
    assert caught.value.code == "ExpiredTokenException"


def test_they_cannot_be_made_up() -> None:
    """Not with another key, not changed, not for another key id, not from nothing."""
    tokens = SessionTokens(b"key", ManualClock())
    issued = tokens.issue(ROLE, lifetime_s=60)
    assert (
        SessionTokens(b"other", ManualClock()).read(issued.access_key_id, issued.session_token)
        is None
    )
    assert tokens.read("ASIAOTHER", issued.session_token) is None
    sealed = base64.b64decode(issued.session_token)
    document = json.loads(sealed[32:])
    document["p"]["account"] = "222222222222"
    forged = base64.b64encode(sealed[:32] + json.dumps(document).encode()).decode()
    for token in (forged, "", "x", "\u00e9", "A" * 100_000, issued.session_token[:-4]):
        assert tokens.read(issued.access_key_id, token) is None


def test_no_two_are_alike_and_none_is_shown() -> None:
    """Each environment has its own; printing them tells nothing."""
    tokens = SessionTokens(b"key", ManualClock())
    first, second = (tokens.issue(root_of("111111111111"), lifetime_s=60) for _ in range(2))
    assert first.secret_access_key != second.secret_access_key
    assert first.session_token != second.session_token
    assert first.secret_access_key not in repr(first)
    assert first.session_token not in repr(first)
