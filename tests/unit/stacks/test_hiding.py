"""Secrets are not shown: in events, in reasons, in documents."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.model.document import Root
from lambent.stacks.hiding import hide, secrets_of
from lambent.stacks.records import Deployment, Resource, State
from lambent.stacks.sealing import SealedDocuments
from lambent.store.store import Store, Transaction

from .engine.cloud import SCOPE, World


@pytest.mark.parametrize(
    ("text", "secrets", "shown"),
    [
        ('{"a":"a horse","b":"xlong horsex"}', {"long horse"}, '{"a":"a horse","b":"x****x"}'),
        ('{"Port":"99","Other":"1990 99"}', {"99"}, '{"Port":"****","Other":"1990 ****"}'),
        ('{"a":"two\\nlines\\"q"}', {'two\nlines"q'}, '{"a":"****"}'),
        ("'hunter22hunter' is not valid", {"hunter22", "hunter22hunter"}, "'****' is not valid"),
        ("nothing", {""}, "nothing"),
        ("a.c abc", {"a.c"}, "**** abc"),
    ],
)  # fmt: skip
def test_what_is_hidden(text: str, secrets: set[str], shown: str) -> None:
    assert hide(text, secrets) == shown


@given(st.text(min_size=8, max_size=30), st.text(max_size=10), st.text(max_size=10))
def test_a_long_secret_is_hidden_anywhere(secret: str, before: str, after: str) -> None:
    shown = hide(json.dumps({"P": before + secret + after}), {secret})
    assert secret in "****" or json.dumps(secret)[1:-1] not in shown


def test_what_is_a_secret() -> None:
    """Parameters with NoEcho, also as lists, and the attributes that types say."""
    deployment = Deployment(
        template="{}", parameters={"A": "x, y", "B": "seen"}, looked_up={}, hidden=["A", "C"]
    )
    state = State(
        type="T",
        name="n",
        token="t",
        attributes={"Key": {"deep": ["k", 7, True]}, "Arn": "arn"},
        hidden=["Key", "None"],
    )
    resource = Resource(logical_id="R", type="T", status="S", wish=state)
    assert secrets_of([deployment, None], [resource]) == {"x, y", "x", "y", "", "k", "7"}


@pytest.mark.anyio
async def test_a_failure_shows_no_secret(store: Store) -> None:
    """Neither an event nor the resource nor the stack, also when a service quotes it."""
    world = World(store)

    async def resolve(value: Any, _: Any) -> tuple[Any, frozenset[str]]:
        return {**value, "Fail": "create", "Key": "Broken"}, frozenset({"It is broken"})

    object.__setattr__(world.context, "resolve", resolve)
    stack = await world.create({"resources": {"A": {"properties": {"Key": "{{resolve}}"}}}})
    assert stack.status == "ROLLBACK_COMPLETE"
    reasons = await world.reasons()
    assert not any("It is broken" in reason for reason in reasons)
    assert any('"****."' in reason for reason in reasons)


@pytest.mark.anyio
async def test_a_sealed_member_is_readable_in_its_place_only(store: Store) -> None:
    """Others are not sealed, documents without a seal are read as they are, and a document that is
    put elsewhere is refused."""
    root = Root("sealed", *SCOPE, "")
    sealed: dict[str, tuple[str, ...] | None] = {"part": ("secret",), "whole": None}

    def run(tx: Transaction) -> None:
        rows = SealedDocuments(tx, sealed)
        rows.put(root, "part", "a", {"secret": {"x": [1]}, "open": "o"})
        rows.put(root, "part", "b", {"open": "o"})
        rows.put(root, "whole", "a", {"any": "thing"})
        rows.put(root, "other", "a", {"secret": "seen"})
        found = [rows.get(root, kind, "a") for kind in ("part", "whole", "other")]
        assert [document and document.body for document in found] == [
            {"secret": {"x": [1]}, "open": "o"},
            {"any": "thing"},
            {"secret": "seen"},
        ]
        assert [d.body for d in rows.list_of(root, "part")][1] == {"open": "o"}
        raw = tx.documents.get(root, "part", "a")
        assert raw is not None
        assert raw.body.keys() == {"open", "sealed"}
        assert tx.documents.get(root, "part", "b") == rows.get(root, "part", "b")
        tx.documents.put(root, "part", "c", raw.body)
        with pytest.raises(ValueError, match="cannot be read with the key of this database"):
            rows.get(root, "part", "c")

    await store.transact(run)
