"""An authority for a few names, and a server that has a certificate for each."""

import datetime
import ssl
import stat
from pathlib import Path

import pytest
from cryptography import x509

from lambent.kit.clock import ManualClock
from lambent.kit.tls import server_names
from lambent.kit.tls.authority import Authority, Permitted
from lambent.kit.tls.server_names import ServerNames, Subject

HERE = Permitted(names=frozenset({"example.test"}))
DAY_S = 86_400.0
UNRECOGNIZED_NAME, INTERNAL_ERROR = 112, 80


def moment() -> float:
    """Now, as the clients of these tests have no clock of their own."""
    return datetime.datetime.now(datetime.UTC).timestamp()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(moment())


@pytest.fixture
def authority(tmp_path: Path, clock: ManualClock) -> Authority:
    """For `example.test`."""
    made = Authority("Test", tmp_path, clock)
    made.certify(HERE)
    return made


def talk(
    server: ServerNames, authority: Authority, name: str | None, **limits: ssl.TLSVersion
) -> int | str:
    """The alert that the server ends a handshake with, or what the client says of its certificate:
    `trusted` or why not."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=authority.pem.decode())
    context.check_hostname = name is not None
    for limit, version in limits.items():
        setattr(context, limit, version)
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = context.wrap_bio(to_client, to_server, server_hostname=name)
    from_client, from_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    serving = server.context.wrap_bio(from_client, from_server, server_side=True)
    is_done = False
    while not is_done:
        try:
            client.do_handshake()
            is_done = True
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLCertVerificationError as error:
            return error.verify_message
        from_client.write(to_server.read())
        try:
            serving.do_handshake()
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError:
            alert = from_server.read()
            assert alert[:1] == b"\x15", alert
            return alert[-1]
        to_client.write(from_server.read())
    return "trusted"


def everything_below(name: str) -> Subject | None:
    return Subject((name,)) if name.endswith(".example.test") else None


def test_the_key_is_for_its_owner_only(tmp_path: Path, authority: Authority) -> None:
    """Other users of the machine cannot read it."""
    assert stat.S_IMODE((tmp_path / "test.key").stat().st_mode) == 0o600
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o700


def test_a_certificate_stays_until_it_must_change(tmp_path: Path, clock: ManualClock) -> None:
    """A new one has the key and the subject of the old one."""
    first = Authority("Test", tmp_path, clock)
    assert first.certify(HERE)
    old = x509.load_pem_x509_certificate(first.pem)
    again = Authority("Test", tmp_path, clock)
    assert again.certify(HERE)
    assert again.pem == first.pem
    assert not again.certify(HERE)
    assert again.certify(Permitted(names=frozenset({"example.test", "other.test"})))
    assert again.certify(HERE)
    clock.advance(9.5 * 365 * DAY_S)
    assert again.certify(HERE)
    new = x509.load_pem_x509_certificate(again.pem)
    assert new.not_valid_after_utc > old.not_valid_after_utc
    assert (new.subject, new.public_key()) == (old.subject, old.public_key())


def test_leaves_of_a_renewed_authority_are_trusted_by_the_old_certificate(
    tmp_path: Path, clock: ManualClock
) -> None:
    """So what is running goes on."""
    authority = Authority("Test", tmp_path, clock)
    authority.certify(HERE)

    class Old(Authority):
        pem = authority.pem  # type: ignore[assignment]

    old = Old("Test", tmp_path, clock)
    authority.certify(Permitted(names=frozenset({"example.test", "other.test"})))
    server = ServerNames(authority, lambda name: Subject((name,)), clock)
    assert talk(server, old, "a.example.test") == "trusted"
    assert talk(server, old, "a.other.test") == "permitted subtree violation"
    assert talk(server, authority, "a.other.test") == "trusted"


def test_a_key_of_another_kind_is_an_error(tmp_path: Path, clock: ManualClock) -> None:
    """It is not replaced: the operator has put it there."""
    (tmp_path / "test.key").write_text("nonsense")
    with pytest.raises(ValueError):  # noqa: PT011 (the text is OpenSSL's)
        Authority("Test", tmp_path, clock)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_names_are_served(
    version: ssl.TLSVersion, authority: Authority, clock: ManualClock
) -> None:
    """Each by its certificate, whatever the case of its letters."""
    server = ServerNames(authority, everything_below, clock)
    limits = {"minimum_version": version, "maximum_version": version}
    assert talk(server, authority, "a.example.test", **limits) == "trusted"
    assert talk(server, authority, "A.Example.test", **limits) == "trusted"
    assert talk(server, authority, "b.example.test", **limits) == "trusted"
    assert server.kept == 2


@pytest.mark.parametrize("name", ["example.com", "a.example.test.evil.com", None])
def test_foreign_names_are_refused(
    name: str | None, authority: Authority, clock: ManualClock
) -> None:
    """And clients without a name. Nothing is issued."""
    server = ServerNames(authority, everything_below, clock)
    assert talk(server, authority, name) == UNRECOGNIZED_NAME
    assert server.kept == 0


def test_what_is_issued_for_a_foreign_name_is_not_trusted(
    authority: Authority, clock: ManualClock
) -> None:
    """A mistake of the platform, or a thief of the key, gets nothing out of it."""
    server = ServerNames(
        authority, lambda name: Subject((name,)), clock, nameless=Subject((), ("127.0.0.1",))
    )
    assert talk(server, authority, "www.example.com") == "permitted subtree violation"
    assert talk(server, authority, None) == "excluded subtree violation"


def test_old_protocols_are_refused(authority: Authority, clock: ManualClock) -> None:
    """TLS 1.2 is the oldest."""
    assert ServerNames(authority, everything_below, clock).context.minimum_version is (
        ssl.TLSVersion.TLSv1_2
    )


def test_certificates_are_issued_only_so_fast(authority: Authority, clock: ManualClock) -> None:
    """Existing ones are still served."""
    server = ServerNames(authority, everything_below, clock)
    found = [talk(server, authority, f"n{number}.example.test") for number in range(40)]
    assert found == ["trusted"] * 32 + [INTERNAL_ERROR] * 8
    assert talk(server, authority, "n0.example.test") == "trusted"
    clock.advance(1)
    assert talk(server, authority, "n39.example.test") == "trusted"


def test_only_so_many_are_kept(
    authority: Authority, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those that were used last."""
    monkeypatch.setattr(server_names, "_KEPT_MAX", 3)
    server = ServerNames(authority, everything_below, clock)
    for name in "abcad":
        assert talk(server, authority, f"{name}.example.test") == "trusted"
    assert server.kept == 3


def test_a_certificate_is_replaced_before_it_expires(
    tmp_path: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After two of its three months."""
    authority = Authority("Test", tmp_path, clock)
    authority.certify(HERE)
    issued: list[str] = []
    issue = authority.issue

    def noted(names: tuple[str, ...], addresses: tuple[str, ...] = ()) -> object:
        issued.extend(names)
        return issue(names, addresses)

    monkeypatch.setattr(authority, "issue", noted)
    server = ServerNames(authority, everything_below, clock)
    for days, expected in ((0, 1), (59, 1), (2, 2)):
        clock.advance(days * DAY_S)
        talk(server, authority, "a.example.test")
        assert len(issued) == expected


def test_no_key_is_shown() -> None:
    """A leaf in a log line has none."""
    from lambent.kit.tls.authority import Leaf

    assert "SECRET" not in repr(Leaf(b"SECRET", datetime.datetime.now(datetime.UTC)))
