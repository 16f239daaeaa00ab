"""Tokens are accepted only with an RSA signature of their issuer, and as they are meant."""

import hashlib
import hmac
import json
from typing import Any

import anyio
import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from hypothesis import given
from hypothesis import strategies as st

from lambent.kit.clock import ManualClock
from lambent.triggers.apis.authorizers.issuers import Issuers
from lambent.triggers.apis.authorizers.keys import read_keys
from lambent.triggers.apis.authorizers.tokens import (
    TokenRefused,
    TokenRules,
    as_text,
    read_claims,
    read_head,
    scopes_of,
)

from .issuer import URL, Issuer, assemble, jwk, make_key

NOW = 1_700_000_000.0
RULES = TokenRules(URL, ["app", "other"])
CLAIMS = {"iss": URL, "aud": "app", "sub": "me", "exp": int(NOW) + 60}


def check(token: str) -> Any:
    """The claims of a token of the issuer."""
    issuer = Issuer()
    keys = read_keys(json.dumps({"keys": issuer.keys}).encode())
    head = read_head(token)
    return read_claims(token, head, keys[head.key_id], RULES, NOW)


@pytest.mark.parametrize(
    "claims",
    [
        {},
        {"aud": ["x", "other"]},
        {"aud": ..., "client_id": "app"},
        {"nbf": int(NOW)},
        {"iat": ...},
        {"exp": NOW + 0.5},
    ],
)
def test_good_tokens(claims: dict[str, Any]) -> None:
    """`client_id` counts only without `aud`."""
    assert check(Issuer().token(NOW, **claims))["sub"] == "me"


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        ({"iss": "https://other.test"}, "issuer"),
        ({"iss": [URL]}, "issuer"),
        ({"iss": f"{URL}/"}, "issuer"),
        ({"aud": "x"}, "audience"),
        ({"aud": "x", "client_id": "app"}, "audience"),
        ({"aud": [["app"]]}, "audience"),
        ({"aud": ...}, "audience"),
        ({"exp": int(NOW)}, "expired"),
        ({"exp": ...}, "expired"),
        ({"exp": True}, "expired"),
        ({"exp": float("nan")}, "expired"),
        ({"nbf": int(NOW) + 1}, "not valid yet"),
        ({"nbf": "x"}, "not valid yet"),
        ({"iat": int(NOW) + 1}, "future"),
    ],
)
def test_bad_claims(claims: dict[str, Any], reason: str) -> None:
    """The reason is said."""
    issuer = Issuer()
    exp = {"exp": claims["exp"]} if "exp" in claims else {}
    payload = {**CLAIMS, **claims, **exp}
    text = json.dumps({k: v for k, v in payload.items() if v is not ...}).encode()
    token = jwt.api_jws.encode(text, issuer.key, "RS256", headers={"kid": "k1"})
    with pytest.raises(TokenRefused, match=reason):
        check(token)


def _with_public_key_as_secret(algorithm: str) -> str:
    """The old attack: the public key as the secret of an HMAC."""
    public = make_key().public_key()
    secret = public.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    unsigned = assemble({"alg": algorithm, "kid": "k1"}, CLAIMS).rpartition(".")[0]
    signature = hmac.digest(secret, unsigned.encode(), hashlib.sha256)
    return assemble({"alg": algorithm, "kid": "k1"}, CLAIMS, signature)


ATTACKS = {
    "none": assemble({"alg": "none", "kid": "k1"}, CLAIMS),
    "None": assemble({"alg": "None", "kid": "k1"}, CLAIMS, b"x"),
    "hmac": _with_public_key_as_secret("HS256"),
    "hmac as rsa": _with_public_key_as_secret("RS256"),
    "list": assemble({"alg": ["RS256"], "kid": "k1"}, CLAIMS, b"x"),
    "no algorithm": assemble({"kid": "k1"}, CLAIMS, b"x"),
    "no signature": assemble({"alg": "RS256", "kid": "k1"}, CLAIMS),
    "signature of another": Issuer().token(NOW, key=make_key(2048, "other")),
    "own key": assemble({"alg": "RS256", "kid": "k1", "jwk": jwk(make_key(), "k1")}, CLAIMS, b"x"),
    "no key id": assemble({"alg": "RS256"}, CLAIMS, b"x"),
    "key id as list": assemble({"alg": "RS256", "kid": ["k1"]}, CLAIMS, b"x"),
    "critical": assemble(
        {"alg": "RS256", "kid": "k1", "crit": ["b64"], "b64": False}, CLAIMS, b"x"
    ),
    "huge": Issuer().token(NOW, blob="x" * 9000),
    "garbage": "a.b.c",
    "dots": "." * 8000,
    "empty": "",
    "deep": assemble({"alg": "RS256", "kid": "k1"}, {}, b"x")[:20] + "." + "W1tb" * 1900 + ".eA",
    "newlines": "a\nb.c.d",
}


@pytest.mark.parametrize("name", ATTACKS)
def test_attacks(name: str) -> None:
    """None is accepted, none raises anything else."""
    with pytest.raises(TokenRefused):
        check(ATTACKS[name])


def test_payload_cannot_be_swapped() -> None:
    """The signature covers it."""
    head, _, signature = Issuer().token(NOW).split(".")
    other = assemble({}, {**CLAIMS, "sub": "admin"}).split(".")[1]
    with pytest.raises(TokenRefused, match="signature"):
        check(f"{head}.{other}.{signature}")


@given(st.text(max_size=300) | st.binary(max_size=300).map(lambda data: data.decode("latin-1")))
def test_any_text_is_refused(text: str) -> None:
    """And raises nothing else."""
    with pytest.raises(TokenRefused):
        check(text)


def test_keys_that_are_left_out() -> None:
    """Other kinds, other uses, without an id, private, too small, too large, broken."""
    small = rsa_jwk(1024)
    listed = [
        jwk(make_key(), "good"),
        jwk(make_key(), "use", use="enc"),
        {**jwk(make_key(), "x"), "kid": None},
        {**jwk(make_key(), "private"), "d": "AQAB"},
        {**jwk(make_key(), "kind"), "kty": "oct", "k": "c2VjcmV0"},
        {**jwk(make_key(), "curve"), "kty": "EC"},
        {**small, "kid": "small"},
        {**jwk(make_key(), "huge"), "n": "_" * 100_000},
        {**jwk(make_key(), "exponent"), "e": "_" * 1000},
        {**jwk(make_key(), "one"), "e": "AQ"},
        {**jwk(make_key(), "broken"), "n": "!!"},
        {**jwk(make_key(), "number"), "n": 5},
        "text",
        None,
    ]
    assert set(read_keys(json.dumps({"keys": listed}).encode())) == {"good"}
    for document in (b"", b"[]", b"{}", b'{"keys":{}}', b"[" * 100_000, b"\xff", b'"keys"'):
        with pytest.raises(ValueError, match=r"keys|JSON|value|codec"):
            read_keys(document)


def rsa_jwk(bits: int) -> dict[str, Any]:
    return jwk(make_key(bits), "x")


@pytest.mark.anyio
async def test_keys_are_kept_for_two_hours() -> None:
    """An unknown one is asked for at most once a minute, and an issuer that is away changes
    nothing."""
    clock, issuer = ManualClock(), Issuer()
    issuers = Issuers(issuer.fetch, clock)
    assert issuers.find_nowait(URL, "k1") is None
    async with anyio.create_task_group() as tasks:
        for _ in range(20):
            tasks.start_soon(issuers.find, URL, "k1")
    assert issuers.find_nowait(URL, "k1") is not None
    assert len(issuer.fetched) == 2
    for _ in range(20):
        assert await issuers.find(URL, "k2") is None
    assert len(issuer.fetched) == 2
    clock.advance(61)
    issuer.keys.append(jwk(issuer.key, "k2"))
    assert await issuers.find(URL, "k2") is not None
    assert len(issuer.fetched) == 4
    clock.advance(7200)
    assert issuers.find_nowait(URL, "k1") is None
    issuer.is_away = True
    assert await issuers.find(URL, "k1") is not None
    assert await issuers.find(URL, "k3") is None


def test_claims_as_text() -> None:
    """As events have them."""
    values = {"a": 1.0, "b": True, "c": ["x", 2], "d": None, "e": {"k": "v"}, "f": 1.5, "g": "t"}
    found = {name: as_text(value) for name, value in values.items()}
    assert found == {
        "a": "1",
        "b": "true",
        "c": "[x 2]",
        "d": "<nil>",
        "e": "map[k:v]",
        "f": "1.5",
        "g": "t",
    }
    assert scopes_of({"scope": "a b"}) == ["a", "b"]
    assert scopes_of({"scp": ["a", 1]}) == ["a"]
    assert scopes_of({"scope": 5}) == []
