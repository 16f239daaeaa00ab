"""All settings, composed from the rooms' slices and loaded once.

Every setting has one name, and each source spells it by a rule:

    invocation.concurrent_executions            the name, as in `--set NAME=VALUE`
    [invocation] concurrent_executions = 50     in lambent.toml
    LAMBENT_INVOCATION__CONCURRENT_EXECUTIONS   in the environment

Later sources override earlier ones: defaults, lambent.toml, environment, flags. An unknown name is
an error, so that a misspelled setting never goes unnoticed. A room receives only its own slice.
"""

import dataclasses
import difflib
import ipaddress
import math
import os
import tomllib
import types
import typing
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from lambent.asynchronous.settings import AsynchronousSettings
from lambent.aws.settings import AwsSettings
from lambent.console.settings import ConsoleSettings
from lambent.control.cognito.settings import CognitoSettings
from lambent.control.settings import ControlSettings
from lambent.gateway.settings import GatewaySettings
from lambent.identity.settings import IdentitySettings
from lambent.invocation.settings import InvocationSettings
from lambent.model.limits import TIMEOUT_S_MAX
from lambent.node.pools.settings import SchedulingSettings
from lambent.node.settings import WorkerSettings
from lambent.polling.settings import PollingSettings
from lambent.sandbox.egress_policy import EgressSettings
from lambent.sandbox.settings import SandboxSettings
from lambent.services.settings import ServicesSettings
from lambent.store.settings import StoreSettings
from lambent.telemetry.settings import TelemetrySettings
from lambent.triggers.edge.settings import EdgeSettings

ENVIRONMENT_PREFIX = "LAMBENT_"
CONFIG_FILE = "lambent.toml"
ROOT_CREDENTIALS = "root-credentials"
"""File in the data directory with the first key of a strict platform, in AWS's format."""
NOT_SETTINGS = frozenset({"LAMBENT_CONFIG", "LAMBENT_ENDPOINT"})
"""Variables with the prefix that are not settings; the command line reads them."""
_SECRET_SUFFIXES = ("password", "secret", "token", "headers")


class SettingsError(Exception):
    """A setting is invalid; the message names it, its source and the fix."""


def default_data_dir() -> Path:
    """`/var/lib/lambent` for root, else below `$XDG_DATA_HOME` or `~/.local/share`."""
    if os.geteuid() == 0:
        return Path("/var/lib/lambent")
    data_home = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(data_home) / "lambent"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ServerSettings:
    """Where the platform listens and where it stores its data."""

    host: str = "127.0.0.1"
    """Address to listen on. Default: loopback; any other needs `auth = "strict"`."""

    port: int = 5262
    """TCP port to listen on; 0 picks a free one. Default: 5262."""

    auth: str = "relaxed"
    """Which requests the platform accepts. `relaxed`: any key stands for the root of an account,
    for development on loopback. `strict`: every request must be signed with a key of this platform
    and be allowed by policies. Default: relaxed, so that any client works at once."""

    tls_cert: str = ""
    """PEM file with the certificate and its chain. Default: empty, plain HTTP."""

    tls_key: str = ""
    """PEM file with the certificate's private key."""

    tls: str = "off"
    """`auto`: serve TLS as well, on `tls_port`, with certificates of an authority that the platform
    makes itself; `lambent certificate` says where its certificate is. Default: off."""

    tls_port: int = 5263
    """TCP port of `tls = "auto"`; 0 picks a free one. Default: 5263. With 443, which needs root,
    URLs work without a port."""

    cells: str = "1"
    """How many processes serve the platform on this machine (docs/cells.md): a number, or `auto`,
    which means one for every two cores. Default: 1."""

    data_dir: Path = dataclasses.field(default_factory=default_data_dir)
    """Directory of the database, packages and logs; one platform uses it at a time. Default:
    `/var/lib/lambent` for root, else `$XDG_DATA_HOME/lambent` or `~/.local/share/lambent`."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All settings; one attribute per section."""

    server: ServerSettings = dataclasses.field(default_factory=ServerSettings)
    gateway: GatewaySettings = dataclasses.field(default_factory=GatewaySettings)
    identity: IdentitySettings = dataclasses.field(default_factory=IdentitySettings)
    control: ControlSettings = dataclasses.field(default_factory=ControlSettings)
    invocation: InvocationSettings = dataclasses.field(default_factory=InvocationSettings)
    asynchronous: AsynchronousSettings = dataclasses.field(default_factory=AsynchronousSettings)
    polling: PollingSettings = dataclasses.field(default_factory=PollingSettings)
    scheduling: SchedulingSettings = dataclasses.field(default_factory=SchedulingSettings)
    worker: WorkerSettings = dataclasses.field(default_factory=WorkerSettings)
    sandbox: SandboxSettings = dataclasses.field(default_factory=SandboxSettings)
    egress: EgressSettings = dataclasses.field(default_factory=EgressSettings)
    telemetry: TelemetrySettings = dataclasses.field(default_factory=TelemetrySettings)
    store: StoreSettings = dataclasses.field(default_factory=StoreSettings)
    aws: AwsSettings = dataclasses.field(default_factory=AwsSettings)
    services: ServicesSettings = dataclasses.field(default_factory=ServicesSettings)
    cognito: CognitoSettings = dataclasses.field(default_factory=CognitoSettings)
    edge: EdgeSettings = dataclasses.field(default_factory=EdgeSettings)
    console: ConsoleSettings = dataclasses.field(default_factory=ConsoleSettings)

    @property
    def has_console(self) -> bool:
        """Whether the platform serves the console."""
        wanted = self.console.enabled
        return _is_loopback(self.server.host) if wanted is None else wanted


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One setting, as its slice declares it."""

    name: str
    """Dotted, such as `aws.s3.endpoint_url`."""
    type: Any
    slice: type[Any]
    field: str

    @property
    def variable(self) -> str:
        """Its environment variable."""
        return ENVIRONMENT_PREFIX + self.name.replace(".", "__").upper()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class LoadedSettings:
    """Settings, and the source of each."""

    settings: Settings
    sources: Mapping[str, str]
    """Source by name of the setting: `default`, the file, the variable or the flag."""

    def shown(self) -> dict[str, Any]:
        """Values by name, in JSON types; secrets are masked."""
        return {name: _shown(name, _value(self.settings, name)) for name in self.sources}


def load_settings(
    *,
    config_file: Path | None = None,
    environment: Mapping[str, str] | None = None,
    flags: Mapping[str, tuple[str, str]] | None = None,
) -> LoadedSettings:
    """Read all sources.

    `config_file` must exist if given; otherwise `lambent.toml` in the working directory is read if
    it exists. `flags` maps a setting's name to the flag's spelling and text. Raises
    `SettingsError`.
    """
    known = {setting.name: setting for setting in all_settings()}
    values: dict[str, Any] = {}
    sources = dict.fromkeys(known, "default")
    environment = os.environ if environment is None else environment
    for name, source, raw in (
        *_from_file(config_file or _file_named_by(environment)),
        *_from_environment(environment, known),
        *((name, flag, text) for name, (flag, text) in (flags or {}).items()),
    ):
        if name not in known:
            raise SettingsError(_unknown(name, source, list(known)))
        values[name] = _parse(known[name], raw, source)
        sources[name] = source
    settings = _compose(Settings, values)
    if not 0 <= settings.server.port <= 65535:
        raise SettingsError(
            f"cannot use server.port = {settings.server.port} from {sources['server.port']}:"
            " a port is a number from 0 to 65535"
        )
    _check(settings)
    return LoadedSettings(settings=settings, sources=sources)


def _check(settings: Settings) -> None:
    """Raise `SettingsError` for settings that contradict each other."""
    server = settings.server
    if server.auth not in ("relaxed", "strict"):
        raise SettingsError(
            f"cannot use server.auth = {server.auth!r}: it must be relaxed or strict"
        )
    if server.auth == "relaxed" and not _is_loopback(server.host):
        raise SettingsError(
            f"cannot listen on {server.host} without authentication: everybody who reaches it could"
            " run code. Use --auth strict, or listen on 127.0.0.1"
        )
    if bool(server.tls_cert) != bool(server.tls_key):
        raise SettingsError("cannot use TLS with only one of --tls-cert and --tls-key")
    if server.tls not in ("off", "auto"):
        raise SettingsError(f"cannot use server.tls = {server.tls!r}: it must be off or auto")
    longest_s = settings.scheduling.environment_age_max_s + TIMEOUT_S_MAX
    if settings.identity.session_s < longest_s:
        raise SettingsError(
            f"cannot use identity.session_s = {settings.identity.session_s:g}: environments live"
            f" for up to {longest_s:g} s (scheduling.environment_age_max_s and the longest"
            " timeout), and their credentials must outlive them"
        )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def all_settings(section: type[Any] = Settings, prefix: str = "") -> Iterator[Setting]:
    """All settings, in the order of declaration."""
    hints = typing.get_type_hints(section)
    for field in dataclasses.fields(section):
        kind = hints[field.name]
        if dataclasses.is_dataclass(kind):
            yield from all_settings(typing.cast(type[Any], kind), f"{prefix}{field.name}.")
        else:
            yield Setting(name=prefix + field.name, type=kind, slice=section, field=field.name)


def _file_named_by(environment: Mapping[str, str]) -> Path | None:
    named = environment.get("LAMBENT_CONFIG")
    return Path(named) if named else None


def _from_file(named: Path | None) -> Iterator[tuple[str, str, Any]]:
    path = named or Path(CONFIG_FILE)
    if named is None and not path.exists():
        return
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise SettingsError(f"cannot read {path}: it is not UTF-8 text") from error
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"cannot read {path} as TOML: {error}") from error
    yield from _leaves(content, Settings, "", str(path))


def _leaves(
    table: Mapping[str, Any], section: type[Any], prefix: str, source: str
) -> Iterator[tuple[str, str, Any]]:
    """Settings of a TOML table and of the sections in it."""
    hints = typing.get_type_hints(section)
    for key, value in table.items():
        kind = hints.get(key)
        if kind is None or not dataclasses.is_dataclass(kind):
            yield prefix + key, source, value
        elif isinstance(value, dict):
            yield from _leaves(value, typing.cast(type[Any], kind), f"{prefix}{key}.", source)
        else:
            raise SettingsError(f"cannot use {prefix}{key} from {source}: it must be a table")


def _from_environment(
    environment: Mapping[str, str], known: Mapping[str, Setting]
) -> Iterator[tuple[str, str, str]]:
    by_variable = {setting.variable: setting.name for setting in known.values()}
    for variable, text in sorted(environment.items()):
        if not variable.startswith(ENVIRONMENT_PREFIX) or variable in NOT_SETTINGS:
            continue
        if variable not in by_variable:
            raise SettingsError(_unknown(variable, "the environment", list(by_variable)))
        yield by_variable[variable], variable, text


def _unknown(name: str, source: str, known: list[str]) -> str:
    # The last part is compared alone, too: users forget or confuse the section.
    last = {full.replace("__", ".").rpartition(".")[2]: full for full in known}
    close = difflib.get_close_matches(name, known, 3)
    close += [
        last[part]
        for part in difflib.get_close_matches(name.replace("__", ".").rpartition(".")[2], last, 2)
        if last[part] not in close
    ]
    hint = f" Did you mean {' or '.join(close)}?" if close else ""
    return f"cannot use {name} from {source}: there is no such setting.{hint}"


def _parse(setting: Setting, raw: Any, source: str) -> Any:
    """The value in the setting's type. Text is parsed; TOML types are only checked."""
    try:
        return _convert(setting.type, raw)
    except ValueError as error:
        shown = _shown(setting.name, raw)
        raise SettingsError(
            f"cannot use {setting.name} = {shown!r} from {source}: it must be {error}"
        ) from error


def _convert(kind: Any, raw: Any) -> Any:
    """The value in a type. Raises `ValueError`, whose message says what is expected."""
    origin = typing.get_origin(kind)
    if origin in (types.UnionType, typing.Union):
        inner = next(part for part in typing.get_args(kind) if part is not type(None))
        return None if raw == "" else _convert(inner, raw)
    if origin is tuple:
        items = _split(raw) if isinstance(raw, str) else raw
        if not isinstance(items, list):
            raise ValueError("a list, or text with commas between the items")
        return tuple(_convert(typing.get_args(kind)[0], item) for item in items)
    if origin in (dict, Mapping):
        table = _pairs(raw) if isinstance(raw, str) else raw
        if not isinstance(table, dict):
            raise ValueError("a table, or text such as a=1,b=2")
        return {key: _convert(typing.get_args(kind)[1], value) for key, value in table.items()}
    return _SCALARS[kind](raw)


def _split(text: str) -> list[str]:
    return [item.strip() for item in text.split(",") if item.strip()]


def _pairs(text: str) -> dict[str, str]:
    pairs = [item.partition("=") for item in _split(text)]
    if not all(separator for _, separator, _ in pairs):
        raise ValueError("a table, or text such as a=1,b=2")
    return {key.strip(): value.strip() for key, _, value in pairs}


def _integer(raw: Any) -> int:
    expected = "a whole number, zero or more"
    if isinstance(raw, str):
        raw = int(raw) if raw.strip().isascii() and raw.strip().isdigit() else None
    if isinstance(raw, bool) or not isinstance(raw, int) or raw < 0:
        raise ValueError(expected)
    return raw


def _number(raw: Any) -> float:
    expected = "a number, zero or more"
    if isinstance(raw, bool) or not isinstance(raw, (str, int, float)):
        raise ValueError(expected)
    try:
        number = float(raw)
    except ValueError as error:
        raise ValueError(expected) from error
    if not math.isfinite(number) or number < 0:
        raise ValueError(expected)
    return number


def _boolean(raw: Any) -> bool:
    words = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
    if isinstance(raw, str):
        raw = words.get(raw.strip().lower())
    if not isinstance(raw, bool):
        raise ValueError("true or false")
    return raw


def _text(raw: Any) -> str:
    if not isinstance(raw, str):
        raise ValueError("text in quotes")
    return raw


def _path(raw: Any) -> Path:
    if not isinstance(raw, str) or not raw or "\0" in raw:
        raise ValueError("a path in quotes")
    return Path(raw).expanduser().absolute()


_SCALARS: Mapping[Any, Callable[[Any], Any]] = {
    int: _integer,
    float: _number,
    bool: _boolean,
    str: _text,
    Path: _path,
}


def _compose(section: type[Any], values: Mapping[str, Any], prefix: str = "") -> Any:
    hints = typing.get_type_hints(section)
    chosen = {}
    for field in dataclasses.fields(section):
        name = prefix + field.name
        if dataclasses.is_dataclass(hints[field.name]):
            chosen[field.name] = _compose(hints[field.name], values, name + ".")
        elif name in values:
            chosen[field.name] = values[name]
    return section(**chosen)


def _value(settings: Settings, name: str) -> Any:
    value: Any = settings
    for part in name.split("."):
        value = getattr(value, part)
    return value


def _shown(name: str, value: Any) -> Any:
    """The value in JSON types, without secrets."""
    if name.endswith(_SECRET_SUFFIXES) and value:
        return "***"
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, tuple):
        return list(value)
    if isinstance(value, str) and "://" in value:
        return _without_password(value)
    return value


def _without_password(url: str) -> str:
    try:
        parts = urlsplit(url)
    except ValueError:
        return "***"
    credentials, at, host = parts.netloc.rpartition("@")
    if not at:
        return url
    user = credentials.partition(":")[0]
    masked = f"{user}:***" if ":" in credentials else credentials
    return parts._replace(netloc=f"{masked}@{host}").geturl()
