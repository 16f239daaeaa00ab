"""Outages of a database or a disk: every caller gets an error, and the log gets one line.

A server restarts, a network fails, a backup tool holds a file's lock, a disk is full. All of these
are temporary and none is a bug: the caller gets 503, which clients retry.
"""

import errno
import logging
import re
import sqlite3

import psycopg
import sqlalchemy as sa

from lambent.kit.clock import Clock
from lambent.store.problems import StoreError, StoreHeld, StoreUnavailable

logger = logging.getLogger(__name__)

_QUIET_S = 10.0
"""Seconds without a refused change after which a database that still reads is considered
healthy."""
_BUSY = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
_REFUSES = frozenset(
    {
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_NOMEM,
    }
)
_LOST_STATES = ("08", "57P")
"""Classes of PostgreSQL errors that end the connection: it broke, or the server is stopping or
starting."""
_READ_ONLY_STATE = "25006"
"""Another server took over the address."""
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_OS_ERROR = re.compile(r"os error (\d+)")


class Outage:
    """The state of one database, directory or bucket."""

    def __init__(self, where: str, clock: Clock) -> None:
        self._where = where
        self._clock = clock
        self._since: float | None = None
        self._last = 0.0
        self._refused = 0
        self.is_away = False
        """Whether it does not respond at all, so that callers are refused without waiting."""
        self.losses = 0
        """How often it was found unavailable."""

    def note_failure(self, cause: BaseException, *, is_away: bool) -> StoreUnavailable:
        """Note a failure; returns the error to raise."""
        now = self._clock.monotonic()
        if self._since is None:
            self._since = now
            text = " ".join(str(cause).split())
            failure = "does not answer" if is_away else "takes no changes"
            logger.error(
                "%s %s: %s. Functions in memory go on; what needs it is refused until it is back",
                *(self._where, failure, text),
            )
        self._last = now
        self._refused += 1
        self.is_away = is_away
        self.losses += is_away
        return StoreUnavailable()

    def refuse(self) -> StoreUnavailable:
        """Returns the error to raise without trying."""
        self._refused += 1
        return StoreUnavailable()

    def note_success(self) -> bool:
        """Note a success; returns whether that ends an outage."""
        if self._since is None:
            return False
        now = self._clock.monotonic()
        if not self.is_away and now - self._last < _QUIET_S:
            return False
        logger.warning(
            "%s is back after %.0f s, in which %d requests were refused",
            *(self._where, now - self._since, self._refused),
        )
        self._since, self._refused, self.is_away = None, 0, False
        return True


def is_away(error: BaseException) -> bool | None:
    """Whether an error means that a database does not respond at all, rather than that it could not
    do this; None if it is not an outage."""
    if isinstance(error, StoreError):  # The new connection is not usable yet.
        return None if isinstance(error, StoreHeld) else True
    cause = getattr(error, "orig", None) or error
    if isinstance(cause, sqlite3.OperationalError):
        code = getattr(cause, "sqlite_errorcode", 0) & 0xFF
        return True if code in _BUSY else False if code in _REFUSES else None
    if not isinstance(cause, psycopg.Error):
        return None
    if isinstance(error, sa.exc.DBAPIError) and error.connection_invalidated:
        return True
    state = cause.sqlstate
    if isinstance(cause, psycopg.OperationalError | psycopg.InterfaceError):
        return state is None or state.startswith(_LOST_STATES)
    return True if state == _READ_ONLY_STATE else None


def is_read_only(error: sa.exc.DBAPIError) -> bool:
    """Whether an error means that the connection is read-only."""
    cause = error.orig
    if isinstance(cause, sqlite3.OperationalError):
        return getattr(cause, "sqlite_errorcode", 0) == sqlite3.SQLITE_READONLY
    return isinstance(cause, psycopg.Error) and cause.sqlstate == _READ_ONLY_STATE


def is_full(error: OSError) -> bool:
    """Whether a disk is full."""
    if error.errno is None and (match := _OS_ERROR.search(str(error))):
        return int(match[1]) in _FULL
    return error.errno in _FULL
