"""Clients of AWS services: how many are kept, and what callers can make of it."""

from pathlib import Path

import pytest

from lambent.aws.clients import CLIENTS_MAX, AwsClients
from lambent.aws.settings import AwsSettings, ServiceSettings
from lambent.model.errors import ApiError

OWN = ServiceSettings(endpoint_url="http://127.0.0.1:1")


@pytest.fixture
def clients() -> AwsClients:
    return AwsClients(AwsSettings(s3=OWN, sqs=OWN))


def rss_mb() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / (1 << 20)


@pytest.mark.slow
def test_those_used_last_are_kept(clients: AwsClients) -> None:
    """A client is made once; the one that was not used for longest goes first."""
    first = clients.get("sqs", "us-east-1")
    for number in range(CLIENTS_MAX - 1):
        clients.get("sqs", f"eu-west-{number % 10}", f"{number:012}")
    assert clients.get("sqs", "us-east-1") is first
    clients.get("sqs", "eu-west-1", "another")
    assert clients.known("sqs", "us-east-1", "lambent") is first
    assert clients.known("sqs", "eu-west-0", f"{0:012}") is None


@pytest.mark.slow
def test_regions_take_little_memory(clients: AwsClients) -> None:
    """However many callers name: what is known of services is there once."""
    clients.get("s3", "us-east-1")
    before = rss_mb()
    for number in range(200):
        clients.get("s3", f"ap-south-{number % 10}", f"{number:012}")
    assert rss_mb() - before < 60


@pytest.mark.parametrize(
    "region", ["", "nowhere", "us-east-1.evil.example", "us-east-1a", "a" * 99]
)
def test_regions_that_are_none(clients: AwsClients, region: str) -> None:
    """No client is made for them."""
    with pytest.raises(ApiError) as refused:
        clients.get("s3", region)
    assert refused.value.code == "InvalidParameterValueException"


@pytest.mark.slow
def test_accounts_have_keys_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """An emulator takes the key's id for the account; who has credentials keeps them elsewhere."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAOWN")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    local_services = ServiceSettings(endpoint_url="http://127.0.0.1:2")
    clients = AwsClients(
        AwsSettings(s3=local_services, sqs=OWN), local_services="http://127.0.0.1:2"
    )

    def key_of(service: str, account: str) -> str:
        client = clients.get(service, "us-east-1", account)
        return str(client._request_signer._credentials.access_key)

    assert [key_of("s3", "1" * 12), key_of("s3", "2" * 12)] == ["1" * 12, "2" * 12]
    assert key_of("sqs", "1" * 12) == key_of("sns", "1" * 12) == "AKIAOWN"
