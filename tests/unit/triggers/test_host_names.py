"""Which names are the platform's own."""

from collections.abc import Callable, Iterator
from pathlib import Path

import anyio
import anyio.lowlevel
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.kit.tls.server_names import Subject
from lambent.model.arn import AccountId, Region
from lambent.model.document import Root
from lambent.store.settings import StoreSettings
from lambent.store.store import Store, Transaction, open_store
from lambent.triggers import host_names
from lambent.triggers.host_names import HostNames

pytestmark = pytest.mark.anyio
OWNER, STRANGER = AccountId("111111111111"), AccountId("222222222222")
REGION = Region("eu-west-1")
URL = "a" * 32


def root(service: str, id: str, account: AccountId = OWNER) -> Root:
    return Root(service, account, REGION, id)


class Certified:
    """What certificates may be needed for."""

    def __init__(self) -> None:
        self.names: frozenset[str] = frozenset()

    async def __call__(self, names: frozenset[str]) -> None:
        self.names = names


class Rig:
    """Names of a store that can be changed."""

    def __init__(self, store: Store, domain: str = "dev.test") -> None:
        self.store = store
        self.certified = Certified()
        self.names = HostNames(domain, Region("us-east-1"), store, self.certified)

    async def change(self, work: Callable[[Transaction], object]) -> None:
        """Commit, and let the names follow."""
        await self.store.transact(work)
        await self.settle()

    async def settle(self) -> None:
        """Until nothing is left to read."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self.names.follow_changes)
            with anyio.fail_after(10):
                while self.names.is_behind:
                    await anyio.lowlevel.checkpoint()
            tasks.cancel_scope.cancel()


@pytest.fixture
async def rig(tmp_path: Path) -> Iterator[Rig]:  # type: ignore[misc]
    async with open_store(StoreSettings(synchronous="OFF"), tmp_path) as store:
        made = Rig(store)
        await store.follow(made.names)
        await made.settle()
        yield made


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "certified"),
    [
        (f"{URL}.lambda-url.us-east-1.dev.test", "*.lambda-url.us-east-1.dev.test"),
        ("abc123.execute-api.eu-west-1.dev.test", "*.execute-api.eu-west-1.dev.test"),
        (
            "cloudformation-custom-resource-response-useast1.s3.dev.test",
            "cloudformation-custom-resource-response-useast1.s3.dev.test",
        ),
        (
            "cloudformation-custom-resource-response-useast1.s3.us-east-1.dev.test",
            "cloudformation-custom-resource-response-useast1.s3.us-east-1.dev.test",
        ),
        (
            "cloudformation-custom-resource-response-useast1.s3.amazonaws.com",
            "cloudformation-custom-resource-response-useast1.s3.amazonaws.com",
        ),
    ],
)
async def test_names_below_the_domain(name: str, certified: str, rig: Rig) -> None:
    """By their form, for everybody."""
    assert rig.names.is_ours(name, OWNER)
    assert rig.names.subject_of(name) == Subject((certified,))


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        "dev.test",
        "example.com",
        "",
        "lambda-url.us-east-1.dev.test",
        f"{URL}.lambda-url.us-east-1.dev.test.example.com",
        f"{URL}.lambda-url.us-east-1.devxtest",
        "a.b.execute-api.us-east-1.dev.test",
        "bucket.s3.dev.test",
        "s3.us-east-1.amazonaws.com",
        "cloudformation-custom-resource-response-euwest1.s3.amazonaws.com",
        "cloudformation-custom-resource-response-useast1.s3.eu-west-1.amazonaws.com",
        "x.cloudformation-custom-resource-response-useast1.s3.amazonaws.com",
        "cloudformation-custom-resource-response-useast1.s3.dev.test.example.com",
        "abc123.execute-api.eu-west-1.amazonaws.com",
        "execute-api.eu-west-1.amazonaws.com",
        f"{URL}.lambda-url.us-east-1.dev.test\n",
    ],
)
async def test_other_names(name: str, rig: Rig) -> None:
    """Are none of ours: they are resolved as ever, and get no certificate."""
    assert not rig.names.is_ours(name, OWNER)
    assert rig.names.subject_of(name) is None


@pytest.mark.slow
async def test_the_name_of_user_pools(rig: Rig) -> None:
    """For the account that has a pool in the Region, as long as it has one."""
    name = "cognito-idp.eu-west-1.amazonaws.com"
    pool = root("cognito-idp", "eu-west-1_a")
    assert not rig.names.is_ours(name, OWNER)
    await rig.store.transact(lambda tx: tx.documents.put(pool, "pool", "eu-west-1_a", {}))
    assert rig.names.is_ours(name, OWNER), "before anything else has run"
    await rig.settle()
    assert rig.names.is_ours(name, OWNER)
    assert not rig.names.is_ours(name, STRANGER)
    assert not rig.names.is_ours("cognito-idp.us-east-1.amazonaws.com", OWNER)
    assert rig.names.subject_of(name) == Subject((name,))
    assert rig.names.subject_of("cognito-idp.us-east-1.amazonaws.com") is None
    assert name in rig.certified.names
    await rig.change(lambda tx: tx.documents.delete_all(pool))
    assert not rig.names.is_ours(name, OWNER)
    assert name not in rig.certified.names
    assert rig.names.is_ours("cognito-idp.eu-west-1.dev.test", STRANGER)


@pytest.mark.slow
@pytest.mark.parametrize("service", ["apigateway", "apigatewayv2"])
async def test_names_of_aws_of_our_apis(service: str, rig: Rig) -> None:
    """From the moment that the API is there until it is deleted, in its Region only."""
    name = "abc123.execute-api.eu-west-1.amazonaws.com"
    api = root(service, "abc123")
    await rig.store.transact(lambda tx: tx.documents.put(api, "api", "abc123", {}))
    assert rig.names.is_ours(name, STRANGER), "before anything else has run"
    await rig.settle()
    assert rig.names.is_ours(name, STRANGER)
    assert not rig.names.is_ours("abc123.execute-api.us-east-1.amazonaws.com", OWNER)
    assert rig.names.subject_of(name) == Subject(("*.execute-api.eu-west-1.amazonaws.com",))
    assert "execute-api.eu-west-1.amazonaws.com" in rig.certified.names
    bucket = "cloudformation-custom-resource-response-euwest1.s3.eu-west-1.amazonaws.com"
    assert rig.names.is_ours(bucket, STRANGER)
    assert bucket in rig.certified.names
    await rig.change(lambda tx: tx.documents.put(api, "route", "r1", {}))
    assert rig.names.is_ours(name, STRANGER)
    await rig.change(lambda tx: tx.documents.delete_all(api))
    assert not rig.names.is_ours(name, STRANGER)
    assert not rig.names.is_ours(bucket, STRANGER)
    assert bucket not in rig.certified.names


async def test_custom_domain_names(rig: Rig) -> None:
    """They lead here for the account that has created them: no account can take another's names."""
    account = root("apigateway", "")

    def make(tx: Transaction) -> None:
        tx.documents.put(account, "domain_name", "api.example.com", {})
        tx.documents.put(account, "domain_name", "*.example.org", {})
        tx.documents.put(account, "domain_name", "not a name", {})

    await rig.change(make)
    names = rig.names
    for name, subject in (
        ("api.example.com", "api.example.com"),
        ("any.example.org", "*.example.org"),
    ):
        assert names.is_ours(name, OWNER)
        assert not names.is_ours(name, STRANGER)
        assert names.subject_of(name) == Subject((subject,))
    assert not names.is_ours("www.example.com", OWNER)
    assert not names.is_ours("a.b.example.org", OWNER)
    assert rig.certified.names == {
        "dev.test",
        "api.example.com",
        "example.org",
        "execute-api.us-east-1.amazonaws.com",
        "cloudformation-custom-resource-response-useast1.s3.amazonaws.com",
        "cloudformation-custom-resource-response-useast1.s3.us-east-1.amazonaws.com",
    }
    await rig.change(lambda tx: tx.documents.delete(account, "domain_name", "api.example.com"))
    assert not names.is_ours("api.example.com", OWNER)
    assert "api.example.com" not in rig.certified.names


@pytest.mark.slow
async def test_names_of_distributions(rig: Rig) -> None:
    """Those below the domain are known by their form, aliases lead here for their owner. A custom
    domain name stays when a distribution changes."""
    name = f"d{'a' * 13}.cloudfront.dev.test"
    assert rig.names.is_ours(name, STRANGER)
    assert rig.names.subject_of(name) == Subject(("*.cloudfront.dev.test",))
    assert not rig.names.is_ours(f"d{'a' * 13}.cloudfront.net", OWNER)
    id = f"E{'A' * 13}"
    site = root("cloudfront", id)
    config = {"Aliases": {"Quantity": 1, "Items": ["WWW.example.com"]}}
    await rig.change(
        lambda tx: tx.documents.put(root("apigateway", ""), "domain_name", "api.example.com", {})
    )
    await rig.change(lambda tx: tx.documents.put(site, "distribution", id, {"config": config}))
    assert rig.names.is_ours("www.example.com", OWNER)
    assert not rig.names.is_ours("www.example.com", STRANGER)
    assert rig.names.subject_of("www.example.com") == Subject(("www.example.com",))
    assert {"www.example.com", "api.example.com"} <= rig.certified.names
    await rig.change(lambda tx: tx.documents.delete_all(site))
    assert not rig.names.is_ours("www.example.com", OWNER)
    assert rig.names.is_ours("api.example.com", OWNER)


async def test_what_was_there_before(tmp_path: Path) -> None:
    """Is read at the start."""
    settings = StoreSettings(synchronous="OFF")
    async with open_store(settings, tmp_path) as store:
        api = root("apigatewayv2", "abc123")
        await store.transact(lambda tx: tx.documents.put(api, "api", "abc123", {}))
    async with open_store(settings, tmp_path) as store:
        rig = Rig(store)
        await store.follow(rig.names)
        await rig.settle()
        assert rig.names.is_ours("abc123.execute-api.eu-west-1.amazonaws.com", OWNER)


async def test_memory_is_bounded(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is too much does not lead here."""
    monkeypatch.setattr(host_names, "_DOMAINS_MAX", 2)
    monkeypatch.setattr(host_names, "_APIS_MAX", 2)
    account = root("apigateway", "")

    def make(tx: Transaction) -> None:
        for number in range(4):
            tx.documents.put(account, "domain_name", f"n{number}.example.com", {})
            tx.documents.put(root("apigateway", f"a{number}"), "api", f"a{number}", {})

    await rig.change(make)
    domains = [rig.names.is_ours(f"n{number}.example.com", OWNER) for number in range(4)]
    apis = [
        rig.names.is_ours(f"a{number}.execute-api.eu-west-1.amazonaws.com", OWNER)
        for number in range(4)
    ]
    assert sum(domains) == 2
    assert sum(apis) == 2


@given(st.text(max_size=300))
def test_no_name_breaks_it(name: str) -> None:
    """A name comes from the function's code; only the known forms are ours."""
    names = HostNames("dev.test", REGION, None, Certified())  # type: ignore[arg-type]
    assert not names.is_ours(name, OWNER) or name.endswith(("dev.test", ".amazonaws.com"))
