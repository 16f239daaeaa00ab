"""`lambent invoke`: one synchronous call."""

import base64
import dataclasses
import json
import sys
from pathlib import Path
from typing import Any

from lambent.cli.output import UsageError


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class InvokeResult:
    """The response."""

    status: int
    payload: bytes
    function_error: str | None
    log: str
    """The last 4 KB of the invocation's log, if requested."""
    version: str

    def as_json(self) -> dict[str, Any]:
        """With the names of the Invoke API; payload and log are decoded."""
        return {
            "StatusCode": self.status,
            "Payload": self.decoded(),
            "FunctionError": self.function_error,
            "LogResult": self.log,
            "ExecutedVersion": self.version,
        }

    def decoded(self) -> Any:
        """The payload as a JSON value, or as text if it is not JSON."""
        try:
            return json.loads(self.payload)
        except ValueError:
            return self.payload.decode(errors="replace")


def read_event(data: str) -> bytes:
    """The event of `--data`: JSON itself, `@FILE`, or `-` for stdin. Raises `UsageError`."""
    source = "--data"
    if data == "-":
        source, event = "stdin", sys.stdin.buffer.read()
    elif data.startswith("@"):
        source = data[1:]
        try:
            event = Path(source).read_bytes()
        except OSError as error:
            raise UsageError(f"cannot read {source}: {error.strerror}") from error
    else:
        event = data.encode(errors="surrogateescape")
    try:
        json.loads(event)
    except ValueError as error:
        hint = """ A string needs double quotes: -d '"text"'.""" if source == "--data" else ""
        raise UsageError(f"cannot send {source}: it is not JSON ({error}).{hint}") from error
    return event


def invoke(
    client: Any, name: str, event: bytes, *, qualifier: str | None = None, is_tailed: bool = False
) -> InvokeResult:
    """Call a function and wait for its response. Raises botocore's errors."""
    options = {"Qualifier": qualifier} if qualifier else {}
    if is_tailed:
        options["LogType"] = "Tail"
    answer = client.invoke(FunctionName=name, Payload=event, **options)
    return InvokeResult(
        status=answer["StatusCode"],
        payload=answer["Payload"].read(),
        function_error=answer.get("FunctionError"),
        log=base64.b64decode(answer.get("LogResult", "")).decode(errors="replace"),
        version=answer.get("ExecutedVersion", "$LATEST"),
    )


def describe_failure(name: str, answer: InvokeResult) -> str:
    """One line about a function's error."""
    body = answer.decoded()
    if isinstance(body, dict) and "errorMessage" in body:
        kind = body.get("errorType")
        description = f"{kind}: {body['errorMessage']}" if kind else str(body["errorMessage"])
        return f"{name} failed ({answer.function_error}): {description}"
    return f"{name} failed ({answer.function_error})"
