"""Clients of a running platform: botocore, pointed at its endpoint.

Of the user's AWS configuration only `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` and the region's
variables are read: a profile made for AWS must not break a call to this machine. Without them the
client uses the root key that a strict platform keeps in its data directory.
"""

import configparser
import contextlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import botocore.exceptions
import botocore.session
from botocore.config import Config

from lambent.cli.output import CliError, UsageError, print_note
from lambent.settings import ROOT_CREDENTIALS, default_data_dir

DEFAULT_ENDPOINT = "http://127.0.0.1:5262"
_LOOPBACK = ("127.0.0.1", "::1", "localhost")
_READ_TIMEOUT_S = 930
"""Longer than the longest timeout a function may have."""


@contextmanager
def open_client(service: str, endpoint: str) -> Iterator[Any]:
    """A client of a service; errors of botocore become a `CliError`. A note names nodes whose part
    of what is shown is missing."""
    try:
        client = make_client(service, endpoint)
        client.meta.events.register("after-call", MissingNodes().note_response)
        yield client
    except botocore.exceptions.ClientError as error:
        raise CliError(_describe(error)) from error
    except botocore.exceptions.ParamValidationError as error:
        raise UsageError(" ".join(str(error).split())) from error
    except (
        botocore.exceptions.EndpointConnectionError,
        botocore.exceptions.ConnectTimeoutError,
    ) as error:
        raise CliError(
            f"cannot reach a platform at {endpoint}: start it with `lambent up`, or name another"
            " with --endpoint-url or LAMBENT_ENDPOINT"
        ) from error
    except (
        botocore.exceptions.ConnectionClosedError,
        botocore.exceptions.HTTPClientError,
    ) as error:
        raise CliError(f"the platform at {endpoint} did not answer: {error}") from error
    except botocore.exceptions.BotoCoreError as error:
        raise CliError(f"cannot understand the answer of {endpoint}: {error}") from error


class MissingNodes:
    """Prints which nodes have nothing in what is shown, each time when these are others."""

    def __init__(self) -> None:
        self._noted = ""

    def note_response(self, http_response: Any, **_: Any) -> None:
        """A response of the API."""
        self.note(http_response.headers.get("x-lambent-missing-nodes") or "")

    def note(self, named: str) -> None:
        """Nodes are missing, or none."""
        if named and named != self._noted:
            print_note(f"without what only these nodes have, which do not answer: {named}")
        self._noted = named


def is_missing(error: botocore.exceptions.ClientError) -> bool:
    """Whether the resource does not exist."""
    code: str = error.response["Error"]["Code"]
    return code == "ResourceNotFoundException"


def make_client(service: str, endpoint: str, *, timeout_s: float | None = None) -> Any:
    """A client of a service, whose errors are botocore's. With `timeout_s` it waits no longer for a
    connection or an answer. Raises `UsageError`."""
    parts = urlsplit(endpoint)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise UsageError(f"cannot use {endpoint!r} as an endpoint: try {DEFAULT_ENDPOINT}")
    nothing = (None, None, os.devnull, None)
    session = botocore.session.Session(
        session_vars={
            "profile": (None, None, None, None),
            "config_file": nothing,
            "credentials_file": nothing,
        }
    )
    key_id, secret = _credentials(is_local=parts.hostname in _LOOPBACK)
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or "us-east-1"
    try:
        return session.create_client(
            service,
            region_name=region,
            endpoint_url=endpoint,
            aws_access_key_id=key_id,
            aws_secret_access_key=secret,
            aws_session_token=os.environ.get("AWS_SESSION_TOKEN"),
            config=Config(
                retries={"total_max_attempts": 1},
                connect_timeout=timeout_s or 5,
                read_timeout=timeout_s or _READ_TIMEOUT_S,
                proxies={} if parts.hostname in _LOOPBACK else None,
                s3={"addressing_style": "path"},
                inject_host_prefix=False,
            ),
        )
    except ValueError as error:
        raise UsageError(f"cannot use {endpoint!r} as an endpoint: {error}") from error


def _credentials(*, is_local: bool) -> tuple[str, str]:
    """Key id and secret: from the environment, else the root key that the platform on this machine
    wrote for the user who started it, else ones that a relaxed platform accepts."""
    key_id, secret = (
        os.environ.get(name) for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
    )
    if key_id and secret:
        return key_id, secret
    if is_local:
        data = os.environ.get("LAMBENT_SERVER__DATA_DIR") or default_data_dir()
        parser = configparser.ConfigParser(interpolation=None)
        with contextlib.suppress(OSError, configparser.Error, KeyError):
            parser.read_string((Path(data) / ROOT_CREDENTIALS).read_text())
            found = parser["default"]
            return found["aws_access_key_id"], found["aws_secret_access_key"]
    return key_id or "000000000000", secret or "lambent"


def _describe(error: botocore.exceptions.ClientError) -> str:
    detail = error.response["Error"]
    message = detail.get("Message") or "no message"
    if is_missing(error) and "unction not found" in message:
        message += " (`lambent functions` lists what is there)"
    return f"{detail['Code']}: {message}"
