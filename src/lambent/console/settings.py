"""Settings of the console."""

import dataclasses

PREFIX = "/_lambent/console"
PAGE = PREFIX + "/"
"""The path of the console."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ConsoleSettings:
    """Settings of the `console` room."""

    enabled: bool | None = None
    """Whether `/_lambent/console` serves the console. Default: empty, which means yes if
    `server.host` is a loopback address. Elsewhere it must be `true`; the platform is strict then,
    so users sign in."""
    allowed_hosts: tuple[str, ...] = ()
    """Host names by which the console is reached, in addition to addresses and `localhost`; names
    below them are not included. Default: none. A name must not also be that of an API or a
    distribution."""
    session_idle_s: float = 3600.0
    """Seconds without a request after which a user has to sign in again. Default: 3600."""
    session_s: float = 43_200.0
    """Seconds after which a user has to sign in again in any case. Default: 43200, half a day."""
    sessions_max: int = 1000
    """Maximum users that are signed in; the one that was idle longest is signed out for another.
    """
