"""Which requests are the console's own."""

from types import SimpleNamespace
from typing import Any

import pytest

from lambent.console.origins import Origins, page_headers
from lambent.model.errors import ApiError


def request(host: str = "127.0.0.1:5262", *, is_secure: bool = False, **headers: str) -> Any:
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    return SimpleNamespace(headers={"host": host, **given}, is_secure=is_secure)


OURS = {"x_lambent_console": "t", "sec_fetch_site": "same-origin"}


@pytest.mark.parametrize(
    ("host", "relaxed", "strict"),
    [
        ("127.0.0.1:5262", True, True),
        ("127.0.0.1", True, True),
        ("localhost:5262", True, True),
        ("LOCALHOST", True, True),
        ("[::1]:5262", True, True),
        ("lambent.example:443", True, True),
        ("10.0.0.5:5262", False, True),
        ("[2001:db8::1]", False, True),
        ("evil.example", False, False),
        ("a.lambent.example", False, False),
        ("x.lambda-url.us-east-1.localhost:5262", False, False),
        ("127.0.0.1.evil.example", False, False),
        ("localhost.evil.example:5262", False, False),
        ("evil.example:5262@localhost", False, False),
        ("localhost:5262:1", False, False),
        ("", False, False),
    ],
)
def test_names_of_the_console(host: str, relaxed: bool, strict: bool) -> None:
    """Names of others, which may lead to this machine, are none; nor are those of functions."""
    for is_strict, expected in ((False, relaxed), (True, strict)):
        origins = Origins(["lambent.example"], is_strict=is_strict)
        assert origins.accepts(request(host)) is expected


def test_a_page_of_the_console_may_ask() -> None:
    origins = Origins((), is_strict=True)
    origins.check(request(**OURS))
    origins.check(request(**OURS, origin="http://127.0.0.1:5262"))
    origins.check(request(is_secure=True, **OURS, origin="https://127.0.0.1:5262"))


@pytest.mark.parametrize(
    "headers",
    [
        {"sec_fetch_site": "same-origin"},
        {**OURS, "sec_fetch_site": "cross-site"},
        {**OURS, "sec_fetch_site": "same-site"},
        {**OURS, "sec_fetch_site": "none"},
        {**OURS, "origin": "http://127.0.0.1:8000"},
        {**OURS, "origin": "https://127.0.0.1:5262"},
        {**OURS, "origin": "http://localhost:5262"},
        {**OURS, "origin": "null"},
        {**OURS, "origin": ""},
        {},
    ],
)
def test_no_other_page_may(headers: dict[str, str]) -> None:
    with pytest.raises(ApiError) as refused:
        Origins((), is_strict=True).check(request(**headers))
    assert refused.value.code == "AccessDeniedException"


def test_scripts_come_from_the_console_alone() -> None:
    """Not from functions, which have paths of the same origin."""
    policy = dict(page_headers(request(), "sha256-x"))["Content-Security-Policy"]
    assert "script-src http://127.0.0.1:5262/_lambent/console/ 'sha256-x';" in policy
    assert "frame-ancestors 'none'" in policy
    assert "'unsafe" not in policy
    policy = dict(page_headers(request("[::1]:5262"), "sha256-x"))["Content-Security-Policy"]
    assert "script-src 'self' 'sha256-x';" in policy
