"""What connections to brokers have in common: addresses, TLS, and why there is none."""

import dataclasses
import os
import ssl
from collections.abc import Mapping
from urllib.parse import urlsplit

import anyio.to_thread

from lambent.polling.credentials import CONFIG_NOT_VALID, NOT_AUTHENTICATED, SourceCredentials
from lambent.polling.ports import SourceError
from lambent.polling.role_client import unreachable


@dataclasses.dataclass(frozen=True, slots=True)
class Scheme:
    """What the scheme of a URL stands for."""

    port: int
    """The default port."""
    uses_tls: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Endpoint:
    """One address of a broker."""

    scheme: str
    host: str
    port: int
    uses_tls: bool

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


def parse_endpoint(url: str, schemes: Mapping[str, Scheme]) -> Endpoint | None:
    """An address such as `amqp://HOST:PORT`. None if the URL is of another protocol, or no URL."""
    try:
        parts = urlsplit(url.strip())
        scheme = schemes[parts.scheme]
        port = parts.port or scheme.port
    except (ValueError, KeyError):
        return None
    if not parts.hostname:
        return None
    return Endpoint(parts.scheme, parts.hostname, port, scheme.uses_tls)


def find_in_settings(
    arn: str, brokers: Mapping[str, str], schemes: Mapping[str, Scheme]
) -> list[Endpoint]:
    """The endpoints that the setting `polling.brokers` has for an ARN, at least one. Raises
    `SourceError`."""
    found = [parse_endpoint(url, schemes) for url in brokers.get(arn, "").split(";")]
    endpoints = [endpoint for endpoint in found if endpoint is not None]
    if len(endpoints) < len(found):
        wanted = " or ".join(f"{scheme}://" for scheme in schemes)
        raise config_not_valid(
            f"The setting polling.brokers has no address with {wanted} for {arn}"
        )
    return endpoints


class Unreachable(SourceError):
    """There is no connection to one endpoint of a broker. Another may be active."""

    def __init__(self, endpoint: Endpoint, error: Exception | str) -> None:
        detail = f"{endpoint}: {error or type(error).__name__}"
        super().__init__(unreachable("").result, detail=detail)


async def trust(access: SourceCredentials) -> ssl.SSLContext:
    """The TLS context for a broker. It trusts the system's authorities, or the one that the mapping
    names. Raises `SourceError` for a certificate or key that cannot be read."""
    return await anyio.to_thread.run_sync(_context, access)


def _context(access: SourceCredentials) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cadata=access.root_certificate or None)
        if access.certificate:
            _add_certificate(context, access)
    except (ssl.SSLError, ValueError) as error:
        # The text of the error may have parts of the secret.
        raise config_not_valid("A certificate or private key cannot be read") from error
    return context


def _add_certificate(context: ssl.SSLContext, access: SourceCredentials) -> None:
    """Give the context the client's certificate. Python reads it from a file only: this one is
    never on a disk."""
    descriptor = os.memfd_create("certificate")
    try:
        with open(descriptor, "w", encoding="utf-8", closefd=False) as file:
            file.write(f"{access.certificate}\n{access.private_key}\n")
        path = f"/proc/self/fd/{descriptor}"
        context.load_cert_chain(path, password=access.private_key_password or "")
    finally:
        os.close(descriptor)


def not_trusted(error: ssl.SSLError) -> SourceError:
    """The broker's certificate is not trusted, or the broker does not speak TLS."""
    detail = getattr(error, "verify_message", "") or error.reason or type(error).__name__
    return SourceError(
        "PROBLEM: Lambda failed to authenticate server", reason=NOT_AUTHENTICATED, detail=detail
    )


def not_authenticated() -> SourceError:
    """The broker refuses the credentials."""
    return SourceError("PROBLEM: Server failed to authenticate Lambda", reason=NOT_AUTHENTICATED)


def config_not_valid(problem: str) -> SourceError:
    """The mapping or the settings name what there is not."""
    return SourceError(f"PROBLEM: {problem}", reason=CONFIG_NOT_VALID)
