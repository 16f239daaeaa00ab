"""What functions and their authors write is shown as text, and pages of others get nothing, in a
real browser."""

import http.server
import json
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.platforms import PYTHON, ROLE, Platform, deploy, wait_active, zip_of

from .conftest import open_page

SCRIPTS = Path(__file__).parent / "js"
MARKUP = '<img src=x onerror="window.taken=1"><script>window.taken=1</script>'
THIEF = f"""
SCRIPT = {(SCRIPTS / "thief.js").read_text()!r}

def handler(event, context):
    kind, text = "text/html", "<!doctype html><body><script>" + SCRIPT + "</script>"
    if event.get("rawQueryString") == "worker":
        kind, text = "text/javascript", "addEventListener('fetch', () => {{}})"
    headers = {{"Content-Type": kind, "Service-Worker-Allowed": "/"}}
    return {{"statusCode": 200, "headers": headers, "body": text}}
"""
NOTHING = (
    "origin null; storage refused; cookie refused; api refused; page refused; worker refused;"
    " frame refused; window refused; done"
)
SHOUT = f"""
def handler(event, context):
    print({MARKUP!r})
    if event == "fail":
        raise ValueError({MARKUP!r})
    return {MARKUP!r}
"""


def path_of(platform: Platform, name: str) -> str:
    """The path of a function's URL at the console's address."""
    client = platform.client("lambda")
    url = client.create_function_url_config(FunctionName=name, AuthType="NONE")["FunctionUrl"]
    return f"/_lambent/url/{urlsplit(url).netloc.partition('.')[0]}/"


def test_markup_is_text_everywhere(page: Page, console_platform: Platform) -> None:
    name = f"shout-{uuid.uuid4().hex[:8]}"
    client = console_platform.client("lambda")
    client.create_function(
        FunctionName=name,
        Runtime=PYTHON,
        Role=ROLE,
        Handler="app.handler",
        Code={"ZipFile": zip_of({"app.py": SHOUT, f"{MARKUP}.txt": MARKUP})},
        Description=MARKUP,
        Environment={"Variables": {"TEXT": MARKUP}},
        Tags={"note": "a b"},
    )
    wait_active(client, name)
    client.publish_version(FunctionName=name, Description=MARKUP)
    client.create_alias(
        FunctionName=name, Name="live", FunctionVersion="1", Description=MARKUP[:256]
    )
    open_page(page, console_platform, f"functions/{name}")
    for event in ("{}", '"fail"'):
        page.get_by_label("Event", exact=True).fill(event)
        page.get_by_role("button", name="Invoke").click()
        expect(page.locator("pre").nth(1)).to_contain_text("<img src=x")
        expect(page.locator("pre").first).to_contain_text("<script>")
    for tab, text in (
        ("configuration", "<img src=x"),
        ("code", "<img src=x"),
        ("versions", "<img src=x"),
    ):
        page.goto(f"{console_platform.endpoint}/_lambent/console/#/functions/{name}/{tab}")
        expect(page.locator("main")).to_contain_text(text)
    page.goto(f"{console_platform.endpoint}/_lambent/console/#/functions")
    page.get_by_label("Search functions").fill("onerror")
    expect(page.get_by_role("link", name=name)).to_be_visible()
    page.goto(f"{console_platform.endpoint}/_lambent/console/#/functions/{MARKUP}")
    expect(page.get_by_role("alert")).to_be_visible()
    assert page.evaluate("window.taken") is None


def test_a_page_of_a_function_gets_nothing(
    context: BrowserContext, console_platform: Platform
) -> None:
    """Even at the console's own address: it has another origin, so it reads neither storage nor
    cookies, cannot use the API, and can neither frame, open nor replace the console."""
    name = f"thief-{uuid.uuid4().hex[:8]}"
    deploy(console_platform.client("lambda"), name, {"app.py": THIEF})
    path = path_of(console_platform, name)
    user = context.new_page()
    open_page(user, console_platform)
    user.evaluate("localStorage.setItem('lambent.token', '\"t\"')")
    page = context.new_page()
    page.goto(console_platform.endpoint + path)
    expect(page.locator("body")).to_contain_text("done")
    assert page.inner_text("body").strip() == NOTHING


@pytest.fixture
def elsewhere(console_platform: Platform) -> Iterator[str]:
    """A page of another origin on the same host, which is the same site."""
    base = json.dumps(f"{console_platform.endpoint}/_lambent/console/")
    script = (SCRIPTS / "elsewhere.js").read_text().replace("BASE", base)
    page = f"<!doctype html><body><script>{script}</script>"

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(page.encode())

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_page_of_another_origin_gets_nothing(context: BrowserContext, elsewhere: str) -> None:
    page = context.new_page()
    page.goto(elsewhere)
    expect(page.locator("body")).to_contain_text("done")
    text = page.inner_text("body")
    assert text.strip() == "refused refused refused refused refused image refused done"
    assert [frame.url for frame in page.frames[1:]] == ["chrome-error://chromewebdata/"]


def test_a_form_of_another_page_does_nothing(
    context: BrowserContext, console_platform: Platform
) -> None:
    """A form needs no preflight. Its request lacks the header."""
    page = context.new_page()
    page.set_content(
        f"<form method=post enctype=text/plain action='{console_platform.endpoint}/_lambent/console"
        '/api/lambda/DeleteFunction\'><input name=\'{"FunctionName":"greeter","x":"\' value=\'"}\'>'
        "<button>send</button></form>"
    )
    page.get_by_role("button").click()
    page.wait_for_load_state()
    assert json.loads(page.inner_text("body"))["code"] == "AccessDeniedException"
    console_platform.client("lambda").get_function(FunctionName="greeter")
