"""TLS for a server with many names: a certificate for each is issued when it is first asked for.

Python's `ssl` knows one certificate for each context, and asks a callback which context serves the
name that a client names. The callback runs on the event loop, so what it may cost is limited: a
certificate takes about a millisecond, and only so many are issued per second.
"""

import dataclasses
import datetime
import logging
import os
import ssl
from collections import OrderedDict
from collections.abc import Callable

from lambent.kit.clock import Clock
from lambent.kit.tls.authority import Authority

logger = logging.getLogger(__name__)

_KEPT_MAX = 1024
_ISSUED_PER_S_MAX = 32
_RENEWED_BEFORE = datetime.timedelta(days=30)


@dataclasses.dataclass(frozen=True, slots=True)
class Subject:
    """What a certificate is issued for."""

    names: tuple[str, ...]
    """Host names; one may begin with `*.`."""
    addresses: tuple[str, ...] = ()


Find = Callable[[str], Subject | None]
"""The certificate that serves a host name in lower case; None refuses the name. Many names may
share a certificate."""


class ServerNames:
    """See the module."""

    def __init__(
        self, authority: Authority, find: Find, clock: Clock, *, nameless: Subject | None = None
    ) -> None:
        """`nameless` serves clients that name no host: those that connect to an address. Without it
        they are refused."""
        self._authority = authority
        self._find = find
        self._clock = clock
        self._nameless = nameless
        self._kept: OrderedDict[Subject, tuple[ssl.SSLContext, datetime.datetime]] = OrderedDict()
        """The one used last comes last."""
        self._second, self._issued = 0, 0
        self.context = _context()
        """What a server uses for its connections."""
        self.context.sni_callback = self._choose

    @property
    def kept(self) -> int:
        """Number of certificates in memory."""
        return len(self._kept)

    def _choose(
        self, connection: ssl.SSLSocket | ssl.SSLObject, name: str | None, _: ssl.SSLContext
    ) -> int | None:
        """Give a connection its certificate, or return the alert that ends it."""
        try:
            subject = self._find(name.lower()) if name is not None else self._nameless
            if subject is None:
                return ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME
            context = self._context_of(subject)
        except Exception:
            logger.exception("cannot issue a certificate")
            return ssl.ALERT_DESCRIPTION_INTERNAL_ERROR
        if context is None:
            return ssl.ALERT_DESCRIPTION_INTERNAL_ERROR
        connection.context = context
        return None

    def _context_of(self, subject: Subject) -> ssl.SSLContext | None:
        """None if too many certificates are issued at the moment."""
        now = self._clock.now()
        found = self._kept.get(subject)
        if found is not None and found[1].timestamp() - now > _RENEWED_BEFORE.total_seconds():
            self._kept.move_to_end(subject)
            return found[0]
        if int(now) != self._second:
            self._second, self._issued = int(now), 0
        if self._issued >= _ISSUED_PER_S_MAX:
            return None
        self._issued += 1
        leaf = self._authority.issue(subject.names, subject.addresses)
        context = _context()
        _load(context, leaf.pem)
        self._kept[subject] = context, leaf.expires
        self._kept.move_to_end(subject)
        if len(self._kept) > _KEPT_MAX:
            self._kept.popitem(last=False)
        return context


def _context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION
    context.set_alpn_protocols(["http/1.1"])
    return context


def _load(context: ssl.SSLContext, pem: bytes) -> None:
    """`ssl` reads keys from files only. This one is in memory, and has no name."""
    file = os.memfd_create("leaf", os.MFD_CLOEXEC)
    try:
        os.write(file, pem)
        context.load_cert_chain(f"/proc/self/fd/{file}")
    finally:
        os.close(file)
