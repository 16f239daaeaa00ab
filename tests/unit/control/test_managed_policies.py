"""Managed policies: versions, attachments, and what they allow."""

import json
import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from lambent.control.identities import Identities
from lambent.control.identity_paging import iam_page
from lambent.control.managed_policies import ManagedPolicies
from lambent.control.policies import parse
from lambent.control.resources import Resources
from lambent.identity.authorizer import Access, Authorizer, Caller
from lambent.identity.aws_policies import aws_policies
from lambent.identity.keyring import open_keyring
from lambent.kit.clock import ManualClock
from lambent.model.arn import Scope
from lambent.model.errors import ApiError
from lambent.model.identity import session_principal
from lambent.store.settings import StoreSettings
from lambent.store.store import Store, open_store

pytestmark = pytest.mark.anyio
HERE = Scope("111111111111", "us-east-1")
ARN = f"arn:aws:iam::{HERE.account}:policy/teams/p"
ROLE = f"arn:aws:iam::{HERE.account}:role/r"
FUNCTION = f"arn:aws:lambda:us-east-1:{HERE.account}:function:f"
BASIC = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"
TRUST = '{"Statement": {"Effect": "Allow", "Principal": "*", "Action": "sts:AssumeRole"}}'


def document(action: str = "lambda:InvokeFunction") -> str:
    return json.dumps({"Statement": {"Effect": "Allow", "Action": action, "Resource": "*"}})


class Iam:
    """IAM on a store of its own, with the role `r` and the policy `p`."""

    def __init__(self, store: Store) -> None:
        clock = ManualClock()
        self.store = store
        self.clock = clock
        self.identities = Identities(store, clock)
        self.managed = ManagedPolicies(store, clock)

    async def call(self, name: str, **params: Any) -> Any:
        return await getattr(self.managed, name)(HERE, {"PolicyArn": ARN, **params})

    async def attach(self, arn: str = ARN) -> None:
        await self.managed.attach(HERE, {"RoleName": "r", "PolicyArn": arn}, "role")

    async def detach(self, arn: str = ARN) -> None:
        await self.managed.detach(HERE, {"RoleName": "r", "PolicyArn": arn}, "role")


@pytest.fixture
async def iam(tmp_path: Path) -> AsyncIterator[Iam]:
    async with open_store(StoreSettings(synchronous="OFF"), tmp_path) as store:
        found = Iam(store)
        trust = {"RoleName": "r", "AssumeRolePolicyDocument": TRUST}
        await found.identities.create(HERE, trust, "role")
        given = {"PolicyName": "p", "Path": "/teams/", "PolicyDocument": document()}
        await found.managed.create(HERE, given)
        yield found


async def code_of(work: Any) -> str:
    with pytest.raises(ApiError) as refused:
        await work
    return refused.value.code


async def test_versions(iam: Iam) -> None:
    """Up to five; numbers are not used again; the default version is in force."""
    for _ in range(4):
        await iam.call("create_version", PolicyDocument=document("lambda:Get*"))
    assert await code_of(iam.call("create_version", PolicyDocument=document())) == "LimitExceeded"
    await iam.call("delete_version", VersionId="v5")
    made = await iam.call("create_version", PolicyDocument=document(), SetAsDefault=True)
    assert made["PolicyVersion"]["VersionId"] == "v6"
    assert (await iam.call("get"))["Policy"]["DefaultVersionId"] == "v6"
    assert await code_of(iam.call("delete_version", VersionId="v6")) == "DeleteConflict"
    await iam.call("set_default_version", VersionId="v1")
    listed = (await iam.call("list_versions"))["Versions"]
    assert [each["VersionId"] for each in listed] == ["v6", "v4", "v3", "v2", "v1"]
    assert [each["IsDefaultVersion"] for each in listed] == [False] * 4 + [True]
    for version in ("v5", "v06", "6", "v-1"):
        assert await code_of(iam.call("get_version", VersionId=version)) == "NoSuchEntity"


async def test_refusals(iam: Iam) -> None:
    """In AWS's words: names are unique in any case, documents are valid and short."""
    taken = {"PolicyName": "P", "PolicyDocument": document()}
    assert await code_of(iam.managed.create(HERE, taken)) == "EntityAlreadyExists"
    for bad in ("{}", "[", TRUST, '{"Statement": []}'):
        given = {"PolicyName": "q", "PolicyDocument": bad}
        assert await code_of(iam.managed.create(HERE, given)) == "MalformedPolicyDocument"
    long = {"PolicyName": "q", "PolicyDocument": document("lambda:" + "x" * 6144)}
    assert await code_of(iam.managed.create(HERE, long)) == "LimitExceeded"
    for other in (
        f"arn:aws:iam::{HERE.account}:policy/p",  # Without the path.
        f"arn:aws:iam::{'2' * 12}:policy/teams/p",
        f"arn:aws-cn:iam::{HERE.account}:policy/teams/p",
        "nonsense",
    ):
        assert await code_of(iam.attach(other)) == "NoSuchEntity"
        assert await code_of(iam.call("get", PolicyArn=other)) == "NoSuchEntity"
    change = iam.call("create_version", PolicyArn=BASIC, PolicyDocument=document())
    assert await code_of(change) == "AccessDenied"


async def test_what_is_attached_stays(iam: Iam) -> None:
    """Neither the policy nor the role can be deleted before it is detached."""
    await iam.attach()
    await iam.attach()
    assert (await iam.call("get"))["Policy"]["AttachmentCount"] == 1
    entities = await iam.call("list_entities")
    assert [role["RoleName"] for role in entities["PolicyRoles"]] == ["r"]
    assert await code_of(iam.call("delete")) == "DeleteConflict"
    assert await code_of(iam.identities.delete(HERE, {"RoleName": "r"}, "role")) == "DeleteConflict"
    await iam.detach()
    assert await code_of(iam.detach()) == "NoSuchEntity"
    await iam.call("create_version", PolicyDocument=document())
    assert await code_of(iam.call("delete")) == "DeleteConflict"
    await iam.call("delete_version", VersionId="v2")
    await iam.call("delete")
    assert await code_of(iam.call("get")) == "NoSuchEntity"
    await iam.identities.delete(HERE, {"RoleName": "r"}, "role")


async def test_ten_at_most(iam: Iam) -> None:
    """A role has ten attached policies; a policy of AWS that is not known is one, too."""
    for number in range(10):
        await iam.attach(f"arn:aws:iam::aws:policy/Made{number}")
    assert await code_of(iam.attach()) == "LimitExceeded"


async def test_policies_of_aws(iam: Iam, caplog: pytest.LogCaptureFixture) -> None:
    """Are listed and shown. Others can be attached, and the log says that they allow nothing."""
    shown = (await iam.call("get", PolicyArn=BASIC))["Policy"]
    version = await iam.call("get_version", PolicyArn=BASIC, VersionId=shown["DefaultVersionId"])
    assert "logs%3APutLogEvents" in version["PolicyVersion"]["Document"]
    listed = await iam.managed.list(HERE, {"Scope": "AWS", "MaxItems": 1000})
    assert BASIC in {policy["Arn"] for policy in listed["Policies"]}
    local = await iam.managed.list(HERE, {"Scope": "Local"})
    assert [policy["Arn"] for policy in local["Policies"]] == [ARN]
    with caplog.at_level(logging.WARNING):
        await iam.attach(BASIC)
        assert not caplog.messages
        await iam.attach("arn:aws:iam::aws:policy/AmazonRDSFullAccess")
    assert "AmazonRDSFullAccess is attached to the role r and allows nothing" in caplog.text


def test_documents_of_aws() -> None:
    """All are policies in the language that decides."""
    for policy in aws_policies().values():
        assert parse(json.dumps(policy.document), "identity")["Statement"]


async def test_what_is_attached_is_enforced(iam: Iam) -> None:
    """From the next decision on, also of decisions that are cached."""
    clock = iam.clock
    keyring = await open_keyring(iam.store, clock)
    authorizer = Authorizer(keyring, Resources(iam.store).policy, clock, home=HERE, is_strict=True)
    await iam.store.follow(authorizer)
    principal = session_principal(ROLE, "session", role_id="AROA")
    caller = Caller(principal=principal, scope=HERE, service=None, access_key_id=None)

    async def may(action: str) -> bool:
        try:
            await authorizer.check(caller, Access(action, FUNCTION, HERE.account))
        except ApiError:
            return False
        return True

    assert not await may("lambda:InvokeFunction")
    await iam.attach()
    assert await may("lambda:InvokeFunction")
    await iam.call("create_version", PolicyDocument=document("lambda:Get*"))
    assert await may("lambda:InvokeFunction")
    await iam.call("set_default_version", VersionId="v2")
    assert not await may("lambda:InvokeFunction")
    assert await may("lambda:GetFunction")
    await iam.detach()
    assert not await may("lambda:GetFunction")
    await iam.attach("arn:aws:iam::aws:policy/AmazonRDSFullAccess")
    assert not await may("lambda:GetFunction")
    await iam.attach("arn:aws:iam::aws:policy/AWSLambda_FullAccess")
    assert await may("lambda:GetFunction")


async def test_tags(iam: Iam) -> None:
    """Tags are part of the policy, and conditions see them."""
    await iam.call("tag", Tags=[{"Key": "team", "Value": "blue"}])
    assert (await iam.call("list_tags"))["Tags"] == [{"Key": "team", "Value": "blue"}]
    assert (await Resources(iam.store).policy(ARN)).tags == {"team": "blue"}
    await iam.call("tag", TagKeys=["team"])
    assert (await iam.call("list_tags"))["Tags"] == []


def test_pages() -> None:
    """Follow each other by marker; a marker of another origin is refused."""
    seen: list[str] = []
    params: dict[str, Any] = {"MaxItems": 2}
    while True:
        page, more = iam_page(["e", "a", "d", "b", "c"], params, str)
        seen += page
        if not more["IsTruncated"]:
            break
        params["Marker"] = more["Marker"]
    assert seen == ["a", "b", "c", "d", "e"]
    for marker in ("é", "!", "_w=="):
        with pytest.raises(ApiError, match="Invalid Marker"):
            iam_page(["a"], {"Marker": marker}, str)
