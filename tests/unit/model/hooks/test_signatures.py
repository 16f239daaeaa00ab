"""Signatures of webhooks, with the examples of the senders' documentation."""

import base64
import hashlib
import hmac

import pytest

from lambent.model.hooks.options import check_options, check_secret, scheme_of
from lambent.model.hooks.signatures import SCHEMES, SignatureInvalid, verify

GITHUB = (
    "It's a Secret to Everybody",
    b"Hello, World!",
    {
        "x-hub-signature-256": "sha256="
        "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    },
    0.0,
)
SLACK = (
    "8f742231b10e8888abcd99yyyzzz85a5",
    b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow"
    b"&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner"
    b"&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com"
    b"%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN"
    b"&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c",
    {
        "x-slack-request-timestamp": "1531420618",
        "x-slack-signature": "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503",
    },
    1531420618.0,
)
STANDARD = (
    "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    b'{"test": 2432232314}',
    {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    },
    1614265330.0,
)
RECORDED = {"github": GITHUB, "slack": SLACK, "standard": STANDARD}


@pytest.mark.parametrize("name", RECORDED)
def test_examples_of_the_documentation(name: str) -> None:
    """They verify; with another body, secret or time they do not."""
    secret, body, headers, now = RECORDED[name]
    scheme = SCHEMES[name]

    def check(secret: str, body: bytes, now: float) -> None:
        verify(scheme, [secret], headers, body, now=now, tolerance_s=300)

    check(secret, body, now)
    for wrong in (("whsec_AAAAAAAAAAAAAAAA", body, now), (secret, body + b" ", now)):
        with pytest.raises(SignatureInvalid):
            check(*wrong)
    if scheme.has_time:
        check(secret, body, now + 300)
        for later in (now + 301, now - 301):
            with pytest.raises(SignatureInvalid, match="too old"):
                check(secret, body, later)


def _stripe(secret: str, body: bytes, at: int) -> str:
    signed = hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256)
    return signed.hexdigest()


def test_several_signatures() -> None:
    """A sender that changes its secret signs twice; a hook that does has two secrets."""
    old, new, body = "whsec_the-old-one", "whsec_the-new-one", b"{}"
    header = f"t=1000,v1={_stripe(old, body, 1000)},v1={_stripe(new, body, 1000)},v0=00"
    keys = [
        verify(
            SCHEMES["stripe"],
            secrets,
            {"stripe-signature": header},
            body,
            now=1000,
            tolerance_s=300,
        ).key
        for secrets in ([old], [new], ["another-secret", new])
    ]
    assert keys[1] == keys[2] != keys[0]


@pytest.mark.parametrize(
    "header",
    [
        "",
        "t=1000",
        "v1=abc",
        "t=,v1=abc",
        "t=1e3,v1=abc",
        "t=-1000,v1=abc",
        "t=99999999999999999999,v1=abc",
        "t=1000,v0={right}",
        "t=1001,v1={right}",
        "t=1000," + "v1=aa," * 16 + "v1={right}",
        "t=1000,v1=\xff\u20ac",
    ],
)
def test_headers_that_are_tricks(header: str) -> None:
    """None of them verifies, and none is an error of ours."""
    right = _stripe("the-secret-itself", b"{}", 1000)
    with pytest.raises(SignatureInvalid):
        verify(
            SCHEMES["stripe"],
            ["the-secret-itself"],
            {"stripe-signature": header.replace("{right}", right)},
            b"{}",
            now=1000,
            tolerance_s=300,
        )


def test_a_copy_has_the_same_key_with_another_id_it_has_not() -> None:
    """The id of a message is signed; it stays the same when the sender retries."""
    secret, body, headers, now = STANDARD
    key = base64.b64decode(secret.removeprefix("whsec_"))

    def signed(id: str, at: int) -> dict[str, str]:
        text = f"{id}.{at}.".encode() + body
        digest = hmac.new(key, text, hashlib.sha256).digest()
        return {
            "webhook-id": id,
            "webhook-timestamp": str(at),
            "webhook-signature": f"v1,{base64.b64encode(digest).decode()}",
        }

    keys = [
        verify(SCHEMES["standard"], [secret], given, body, now=now, tolerance_s=300).key
        for given in (headers, signed(headers["webhook-id"], int(now) + 5), signed("b", int(now)))
    ]
    assert keys[0] == keys[1] != keys[2]


def test_a_scheme_of_your_own() -> None:
    """Options describe what no scheme has."""
    options = {
        "header": "X-Signature",
        "algorithm": "sha512",
        "encoding": "base64",
        "timestamp_header": "X-Time",
        "signed": "{timestamp}\n{body}",
    }
    check_options("hmac", options)
    signature = hmac.new(b"a secret", b"1000000000123\nhello", hashlib.sha512).digest()
    headers = {
        "x-signature": base64.b64encode(signature).decode(),
        "x-time": "1000000000123",
    }
    found = verify(
        scheme_of(options), ["a secret"], headers, b"hello", now=1_000_000_000, tolerance_s=1
    )
    assert found.signed_at == 1_000_000_000.123


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("s3", {"scheme": "github"}),
        ("sns", {}),
        ("sns", {"topics": []}),
        ("sns", {"topics": ["arn:aws:sqs:us-east-1:111111111111:q"]}),
        ("sns", {"topics": "arn:aws:sns:us-east-1:111111111111:t"}),
        ("hmac", {}),
        ("hmac", {"scheme": "github", "header": "X-Other"}),
        ("hmac", {"scheme": "none"}),
        ("hmac", {"header": "X-Signature\r\nX: y"}),
        ("hmac", {"header": "X-Signature", "signed": "{timestamp}"}),
        ("hmac", {"header": "X-Signature", "signed": "{timestamp}.{body}"}),
        ("hmac", {"header": "X-Signature", "timestamp_header": "X-Time"}),
        ("hmac", {"header": "X-Signature", "tolerance_s": 300}),
        ("hmac", {"scheme": "stripe", "replay_window_s": 300}),
        ("hmac", {"scheme": "gitlab", "replay_window_s": 300}),
        ("hmac", {"scheme": "stripe", "tolerance_s": 100_000}),
        ("hmac", {"scheme": "stripe", "tolerance_s": True}),
        ("hmac", {"scheme": "github", "source": "aws.s3"}),
        ("token", {"token_in": "cookie:a"}),
        ("alb", {"multi_value_headers": "yes"}),
        ("alexa", {}),
        ("alexa", {"skill": "amzn1.ask.skill.../x"}),
    ],
)
def test_options_that_are_refused(kind: str, options: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"[a-z]"):
        check_options(kind, options)


@pytest.mark.parametrize(
    ("kind", "options", "secret"),
    [
        ("token", {}, "short"),
        ("token", {}, "x" * 513),
        ("token", {}, "with\nnewline"),
        ("token", {}, " padded on one side"),
        ("token", {}, "no-ascii-\u20ac"),
        ("sns", {"topics": ["arn:aws:sns:us-east-1:111111111111:t"]}, "a-good-secret"),
        ("hmac", {"scheme": "standard"}, "whsec_!!!!!!!!!!!!"),
        ("hmac", {"scheme": "standard"}, "whsec_YQ=="),
    ],
)
def test_secrets_that_are_refused(kind: str, options: dict[str, object], secret: str) -> None:
    """Without the secret in the error."""
    with pytest.raises(ValueError, match=r"[a-z]") as refused:
        check_secret(kind, options, secret)
    assert secret not in str(refused.value)
