"""deploy, invoke and logs against a client that records its requests."""

import base64
import hashlib
import io
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from lambent.cli.bucket import Bucket
from lambent.cli.deploy import deploy, source_of
from lambent.cli.function_file import FunctionFile
from lambent.cli.invoke import describe_failure, invoke, read_event
from lambent.cli.logs import follow_events, parse_since, read_events
from lambent.cli.output import CliError, UsageError
from lambent.cli.package import State, state_of
from lambent.cli.watch import Watched, watch


class FakeLambda:
    """A Lambda API with at most one function; a change takes effect after one read."""

    def __init__(self, **existing: Any) -> None:
        self.function: dict[str, Any] = existing
        self.calls: list[str] = []
        self.failure: dict[str, Any] = {}
        self._is_settling = False

    def get_function_configuration(self, FunctionName: str) -> dict[str, Any]:
        """The function; the first look after a change finds it in progress."""
        if not self.function:
            detail = {"Code": "ResourceNotFoundException", "Message": FunctionName}
            raise ClientError({"Error": detail}, "GetFunctionConfiguration")
        if self._is_settling:
            self._is_settling = False
            return {**self.function, "State": "Active", "LastUpdateStatus": "InProgress"}
        return {
            **self.function,
            "State": "Active",
            "LastUpdateStatus": "Successful",
            **self.failure,
        }

    def _change(self, call: str, package: bytes | None, **members: Any) -> None:
        self.calls.append(call)
        self._is_settling = True
        self.function.update(members)
        if package is not None:
            digest = hashlib.sha256(package).digest()
            self.function["CodeSha256"] = base64.b64encode(digest).decode()

    def create_function(self, Code: dict[str, bytes], **members: Any) -> None:
        """Create."""
        self._change("create", Code.get("ZipFile", b""), **members)

    def update_function_code(self, FunctionName: str, **code: bytes) -> None:
        """Update the code."""
        self._change("code", code.get("ZipFile", b""))

    def update_function_configuration(self, FunctionName: str, **members: Any) -> None:
        """Update the configuration."""
        self._change("configuration", None, **members)

    def invoke(self, FunctionName: str, Payload: bytes, **more: Any) -> dict[str, Any]:
        """Answers with the event; event `"fail"` is a function error."""
        answer: dict[str, Any] = {"StatusCode": 200, "Payload": io.BytesIO(Payload), **more}
        if Payload == b'"fail"':
            error = b'{"errorType": "ValueError", "errorMessage": "no"}'
            answer.update(FunctionError="Unhandled", Payload=io.BytesIO(error))
        if "LogType" in more:
            answer["LogResult"] = base64.b64encode(b"START\n").decode()
        return answer


class FakeLogs:
    """A log group: pages of events, one more page appearing at each look."""

    def __init__(self, *pages: list[tuple[str, int]]) -> None:
        self.pages = pages
        self.looks: list[dict[str, Any]] = []

    def filter_log_events(self, **asked: Any) -> dict[str, Any]:
        """Every event up to this look, two per page."""
        if "nextToken" not in asked:
            self.looks.append(asked)
        known = [event for page in self.pages[: len(self.looks)] for event in page]
        first = int(asked.get("nextToken", 0))
        events = [
            {"eventId": name, "timestamp": at, "message": name}
            for name, at in known[first : first + 2]
        ]
        more = {"nextToken": str(first + 2)} if first + 2 < len(known) else {}
        return {"events": events, **more}


WANTED = FunctionFile(name="hello", runtime="python3.12", handler="app.handler", memory=256)


def no_bucket() -> Any:
    """Small packages need none."""
    raise AssertionError("not for a small package")


class FakeS3:
    """Buckets, or none."""

    class exceptions:
        BucketAlreadyOwnedByYou = KeyError

    class meta:
        region_name = "eu-west-1"

    def __init__(self, *, is_there: bool) -> None:
        self.is_there = is_there
        self.objects: dict[str, bytes] = {}
        self.stored: list[str] = []

    def get_caller_identity(self) -> dict[str, str]:
        """Whose bucket it is."""
        return {"Account": "1"}

    def create_bucket(self, Bucket: str) -> None:
        """An existing bucket is not an error."""
        if not self.is_there:
            detail = {"Code": "AccessDenied", "Message": "not you"}
            raise ClientError({"Error": detail}, "CreateBucket")

    def head_object(self, Bucket: str, Key: str) -> None:
        """No object is ever there."""
        raise ClientError({"Error": {"Code": "404"}}, "HeadObject")

    def put_object(self, Bucket: str, Key: str, Body: bytes) -> None:
        """Keep an object."""
        self.objects[Key] = Body
        self.stored.append(f"{Bucket}/{Key}")

    def delete_object(self, Bucket: str, Key: str) -> None:
        """Forget one."""
        del self.objects[Key]


@pytest.fixture
def code(tmp_path: Path) -> Path:
    """A directory with a function."""
    (tmp_path / "app.py").write_text("def handler(event, context): return event\n")
    return tmp_path


def test_a_new_function_is_created(code: Path) -> None:
    """With a role, since the API wants one, and waited for."""
    client = FakeLambda()
    found = deploy(client, no_bucket, code, WANTED, lambda _: None)
    assert client.calls == ["create"]
    assert found["MemorySize"] == 256
    assert found["Role"].startswith("arn:aws:iam::")
    assert found["LastUpdateStatus"] == "Successful"


def test_a_large_package_goes_by_way_of_s3(code: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """To the bucket of stacks, and leaves nothing there; an error says what was refused."""
    monkeypatch.setattr("lambent.cli.deploy.DIRECT_BYTES_MAX", 10)
    client, s3 = FakeLambda(), FakeS3(is_there=True)
    deploy(client, lambda: nullcontext(Bucket(s3, s3)), code, WANTED, lambda _: None)
    (code / "more.py").write_text("x = 1\n")
    deploy(client, lambda: nullcontext(Bucket(s3, s3)), code, WANTED, lambda _: None)
    assert client.calls == ["create", "code"]
    assert (len(s3.stored), s3.objects) == (2, {})
    assert s3.stored[0].startswith("lambent-deploy-1-eu-west-1/hello-")
    refusing = FakeS3(is_there=False)
    bucket = Bucket(refusing, refusing)
    with pytest.raises(CliError, match=r"cannot upload hello-.* not you"):
        deploy(FakeLambda(), lambda: nullcontext(bucket), code, WANTED, lambda _: None)


def test_only_what_differs_is_updated(code: Path) -> None:
    """Nothing the second time; then the code, then the configuration, then both."""
    client = FakeLambda()
    deploy(client, no_bucket, code, WANTED, lambda _: None)
    deploy(client, no_bucket, code, WANTED, lambda _: None)
    assert client.calls == ["create"]
    (code / "more.py").write_text("x = 1\n")
    deploy(client, no_bucket, code, WANTED, lambda _: None)
    assert client.calls == ["create", "code"]
    deploy(client, no_bucket, code, FunctionFile(name="hello", timeout=9), lambda _: None)
    assert client.calls == ["create", "code", "configuration"]
    assert (client.function["MemorySize"], client.function["Timeout"]) == (256, 9)


@pytest.mark.parametrize(
    "failure",
    [
        {"State": "Failed", "StateReason": "no such program"},
        {"LastUpdateStatus": "Failed", "LastUpdateStatusReason": "no such program"},
    ],
)
def test_a_failed_deployment_says_why(code: Path, failure: dict[str, Any]) -> None:
    """In the platform's words."""
    client = FakeLambda()
    client.failure = failure
    with pytest.raises(CliError, match="no such program"):
        deploy(client, no_bucket, code, WANTED, lambda _: None)


def test_a_function_that_failed_can_be_deployed_again(code: Path) -> None:
    """What is broken now does not keep the repair away."""
    client = FakeLambda(FunctionName="hello", CodeSha256="old")
    client.failure = {"State": "Failed", "StateReason": "broken"}
    with pytest.raises(CliError, match="broken"):
        deploy(client, no_bucket, code, WANTED, lambda _: None)
    assert client.calls[0] == "code"


def test_what_is_saved_during_a_deployment(code: Path) -> None:
    """Is updated as soon as the files are watched; what is unchanged is not."""
    client, shown = FakeLambda(FunctionName="hello"), list[str]()
    source = source_of(code, WANTED)

    def watch_from(state: State) -> None:
        rounds = iter([False, True])
        watched = [Watched("hello", source, state)]
        watch(client, no_bucket, watched, shown.append, lambda: next(rounds))

    before = state_of(code)
    watch_from(before)
    assert client.calls == []
    (code / "more.py").write_text("x = 1\n")
    watch_from(before)
    assert client.calls == ["code"]
    assert shown[-1].startswith("hello is updated")


def test_invoke_returns_payload_error_and_log() -> None:
    """A function's error is described in one line; the log is decoded."""
    fine = invoke(FakeLambda(), "hello", b'{"a": 1}', is_tailed=True)
    assert (fine.decoded(), fine.log, fine.function_error) == ({"a": 1}, "START\n", None)
    failed = invoke(FakeLambda(), "hello", b'"fail"')
    assert failed.as_json()["FunctionError"] == "Unhandled"
    assert describe_failure("hello", failed) == "hello failed (Unhandled): ValueError: no"


def test_events_come_from_text_or_file(tmp_path: Path) -> None:
    """As JSON, checked before it is sent."""
    (tmp_path / "event.json").write_text('{"a": "ü"}')
    assert read_event("[1]") == b"[1]"
    assert read_event(f"@{tmp_path}/event.json") == '{"a": "ü"}'.encode()
    for wrong in ("{", "hello", f"@{tmp_path}/gone.json"):
        with pytest.raises(UsageError, match="cannot"):
            read_event(wrong)


def test_since() -> None:
    """A number and a unit."""
    assert [parse_since(text) for text in ("30s", "10m", "2h", "1d")] == [30, 600, 7200, 86400]
    for wrong in ("", "10", "m", "-1m", "1y", "10 minutes"):
        with pytest.raises(UsageError, match="--since"):
            parse_since(wrong)


def test_all_pages_of_a_log_are_read() -> None:
    """The filter pattern is passed on."""
    client = FakeLogs([("a", 1), ("b", 2), ("c", 3)])
    events = list(read_events(client, "/aws/lambda/hello", since_s=60, pattern="ERROR"))
    assert [event["eventId"] for event in events] == ["a", "b", "c"]
    assert client.looks[0]["filterPattern"] == "ERROR"
    assert client.looks[0]["logGroupName"] == "/aws/lambda/hello"


def test_following_shows_each_event_once() -> None:
    """Also those that appear later with an earlier time, as streams do."""
    client = FakeLogs([("a", 50_000), ("b", 50_001)], [("late", 49_999), ("c", 70_000)])
    following = follow_events(client, "/aws/lambda/hello", since_s=10**10, pattern="")
    assert [next(following)["eventId"] for _ in range(4)] == ["a", "b", "late", "c"]
