"""Mail of user pools, through the SMTP server of the settings.

Messages are sent in the background, so that a request takes as long for an address that exists as
for one that does not. At most so many wait; each has a deadline.
"""

import email.message
import email.policy
import email.utils
import logging
import smtplib
import ssl
from urllib.parse import unquote, urlsplit

import anyio
import anyio.abc
import anyio.to_thread

from lambent.control.cognito.pool import Pool
from lambent.control.cognito.settings import CognitoSettings
from lambent.kit.tasks import start_task
from lambent.model.errors import ApiError

logger = logging.getLogger(__name__)

_WAITING_MAX = 200
_AT_ONCE = 4
_PORTS = {"smtp": 587, "smtps": 465}


class SmtpMail:
    """See the module. It is a `Mail`."""

    def __init__(self, settings: CognitoSettings, tasks: anyio.abc.TaskGroup) -> None:
        self._settings = settings
        self._tasks = tasks
        self._waiting = 0
        self._limiter: anyio.CapacityLimiter | None = None

    @property
    def is_configured(self) -> bool:
        """See `Mail`."""
        return bool(self._settings.smtp_url)

    def send(self, pool: Pool, address: str, subject: str, html: str) -> None:
        """See `Mail`."""
        if self._waiting >= _WAITING_MAX:
            raise ApiError("CodeDeliveryFailureException", "Too many messages wait to be sent.")
        settings = pool.body.get("EmailConfiguration") or {}
        message = message_of(
            settings.get("From") or self._settings.email_from,
            address,
            subject,
            html,
            reply_to=settings.get("ReplyToEmailAddress"),
        )
        self._waiting += 1

        async def run() -> None:
            try:
                await self._deliver(message)
            except (OSError, smtplib.SMTPException, TimeoutError) as error:
                kind = type(error).__name__
                logger.error("mail of the user pool %s is not sent: %s", pool.id, kind)
            finally:
                self._waiting -= 1

        start_task(self._tasks, None, run)

    async def _deliver(self, message: email.message.EmailMessage) -> None:
        if self._limiter is None:
            self._limiter = anyio.CapacityLimiter(_AT_ONCE)
        # The thread ends by its own deadline on each step; no task waits longer for it.
        with anyio.fail_after(2 * self._settings.smtp_deadline_s):
            await anyio.to_thread.run_sync(
                send_now,
                self._settings.smtp_url,
                message,
                self._settings.smtp_deadline_s,
                limiter=self._limiter,
                abandon_on_cancel=True,
            )


def message_of(
    sender: str, address: str, subject: str, html: str, *, reply_to: str | None = None
) -> email.message.EmailMessage:
    """A message. Raises `CodeDeliveryFailureException` for what no header can have."""
    message = email.message.EmailMessage(email.policy.SMTP)
    try:
        message["From"], message["To"], message["Subject"] = sender, address, subject
        if reply_to:
            message["Reply-To"] = reply_to
        message["Date"] = email.utils.localtime()
        message["Message-ID"] = email.utils.make_msgid(domain="lambent")
        message.set_content(html, subtype="html")
    except (ValueError, UnicodeError):
        raise ApiError("CodeDeliveryFailureException", "The message cannot be sent.") from None
    return message


def send_now(url: str, message: email.message.EmailMessage, timeout_s: float) -> None:
    """Send a message; blocks. Raises `OSError`, `smtplib.SMTPException`."""
    parts = urlsplit(url)
    host, port = parts.hostname or "localhost", parts.port or _PORTS.get(parts.scheme, 25)
    tls = ssl.create_default_context()
    server: smtplib.SMTP
    if parts.scheme == "smtps":
        server = smtplib.SMTP_SSL(host, port, timeout=timeout_s, context=tls)
    else:
        server = smtplib.SMTP(host, port, timeout=timeout_s)
    with server:
        if parts.scheme == "smtp":
            server.ehlo()
            if server.has_extn("starttls"):
                server.starttls(context=tls)
        if parts.username:
            server.login(unquote(parts.username), unquote(parts.password or ""))
        server.send_message(message)
