"""Hooks and their documents."""

import dataclasses

import pytest

from lambent.kit.sealing import KEY_BYTES, Sealing
from lambent.model.arn import AccountId, Region, Scope
from lambent.model.document import Document
from lambent.model.hooks.hook import HOOK, Hook, Secret, new_hook_id, new_secret

HOOK_OF_TESTS = Hook(
    scope=Scope(AccountId("111111111111"), Region("eu-west-1")),
    name="door",
    id=new_hook_id(),
    kind="token",
    function="arn:aws:lambda:eu-west-1:111111111111:function:f",
    bus=None,
    is_synchronous=False,
    rate=100.0,
    options={"token_in": "query:key"},
    secrets=[Secret("the-secret-itself"), Secret("the-old-secret", ends=5.0)],
    created=1.0,
)


def test_a_document_does_not_show_secrets() -> None:
    """The platform's key opens it, for this hook only; no other key does."""
    sealing = Sealing(bytes(KEY_BYTES))
    body = HOOK_OF_TESTS.to_body(sealing)
    assert "secret-itself" not in f"{body} {HOOK_OF_TESTS}"
    document = Document(HOOK_OF_TESTS.root, HOOK, HOOK_OF_TESTS.id, body)
    assert Hook.of(document, sealing) == HOOK_OF_TESTS
    other_root = HOOK_OF_TESTS.root._replace(id="window")
    with pytest.raises(ValueError, match="decrypted"):
        Hook.of(document, Sealing(b"x" * KEY_BYTES))
    with pytest.raises(ValueError, match="decrypted"):
        Hook.of(dataclasses.replace(document, root=other_root), sealing)


def test_secrets_end() -> None:
    assert HOOK_OF_TESTS.secrets_at(4.0) == ["the-secret-itself", "the-old-secret"]
    assert HOOK_OF_TESTS.secrets_at(5.0) == ["the-secret-itself"]


def test_what_cannot_be_guessed() -> None:
    """Ids of 128 bits and secrets of 256."""
    assert len({new_hook_id() for _ in range(1000)}) == 1000
    assert len(new_hook_id()) == 32
    assert len({new_secret() for _ in range(1000)}) == 1000
    assert len(new_secret()) == 43
