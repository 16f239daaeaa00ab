"""Which certificates there are, and who trusts which of them."""

import datetime
from pathlib import Path

import pytest
from cryptography import x509

from lambent.kit.clock import ManualClock
from lambent.kit.tls.java_store import java_store
from lambent.kit.tls.server_names import Subject
from lambent.triggers.certificates import Certificates


def make(directory: Path, host: str = "127.0.0.1") -> Certificates:
    bundle = directory / "default.pem"
    bundle.write_bytes(b"default\n")
    now = datetime.datetime.now(datetime.UTC).timestamp()
    return Certificates(
        directory / "state",
        directory / "state-of-front",
        directory / "trust",
        ManualClock(now),
        instance="i",
        domain="Dev.Test",
        host=host,
        default_bundle=lambda: bundle,
    )


def permitted(pem: bytes) -> set[str]:
    """What a certificate may sign for."""
    constraints = x509.load_pem_x509_certificate(pem).extensions.get_extension_for_class(
        x509.NameConstraints
    )
    return {str(name.value) for name in constraints.value.permitted_subtrees or ()}


def test_each_authority_has_its_names(tmp_path: Path) -> None:
    """People trust the domain and this machine; what only boxes may trust is not for them."""
    certificates = make(tmp_path)
    certificates.renew()
    names = {"localhost", "dev.test", "127.0.0.0/8", "::1/128"}
    assert permitted((tmp_path / "trust/ca.pem").read_bytes()) == names
    assert "dev.test" in permitted((tmp_path / "trust/boxes.pem").read_bytes())
    assert "localhost" not in permitted((tmp_path / "trust/boxes.pem").read_bytes())
    bundle = (tmp_path / "trust/bundle.pem").read_bytes()
    assert bundle.endswith(certificates.of_boxes.pem)
    assert (tmp_path / "trust/bundle.jks").read_bytes() == java_store(bundle)


@pytest.mark.parametrize(
    ("host", "more"),
    [("0.0.0.0", set()), ("192.0.2.7", {"192.0.2.7/32"}), ("name.test", set())],
)
def test_the_address_of_the_front_door(tmp_path: Path, host: str, more: set[str]) -> None:
    """Has a certificate, if there is one."""
    certificates = make(tmp_path, host)
    certificates.renew()
    assert more <= permitted((tmp_path / "trust/ca.pem").read_bytes())
    assert len(certificates.of_this_machine.addresses) == 2 + len(more)


@pytest.mark.anyio
async def test_names_that_boxes_may_trust(tmp_path: Path) -> None:
    """Follow what is permitted; people's certificate does not change."""
    certificates = make(tmp_path)
    certificates.renew()
    before = certificates.of_front.pem
    await certificates.permit(frozenset({"dev.test", "api.example.com"}))
    assert "api.example.com" in permitted((tmp_path / "trust/boxes.pem").read_bytes())
    assert certificates.of_front.pem == before


def test_names_at_the_front_door(tmp_path: Path) -> None:
    """Those below the domain, and this machine's; AWS's names and custom domain names are for boxes
    only."""
    certificates = make(tmp_path)
    known = {
        "a.execute-api.r.dev.test": Subject(("*.execute-api.r.dev.test",)),
        "a.execute-api.r.amazonaws.com": Subject(("*.execute-api.r.amazonaws.com",)),
        "api.example.com": Subject(("api.example.com",)),
        "xdev.test": Subject(("xdev.test",)),
    }
    find = certificates.at_front(known.get)
    assert find("localhost") == find("dev.test") == certificates.of_this_machine
    assert {name for name in known if find(name) is not None} == {"a.execute-api.r.dev.test"}
    assert find("unknown.test") is None
