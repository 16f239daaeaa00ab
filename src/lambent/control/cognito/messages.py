"""Messages to users: with codes, and with temporary passwords.

A pool's CustomEmailSender and CustomSMSSender functions send in its place. Otherwise the texts are
the pool's, or those of its CustomMessage function, and mail goes through the SMTP server of the
settings; without one the code is in the platform's log, and nowhere else.
"""

import html
import logging
from collections.abc import Mapping
from typing import Any

from lambent.control.cognito.pool import Client, Params, Pool
from lambent.control.cognito.ports import Mail
from lambent.control.cognito.schema import EMAIL
from lambent.control.cognito.senders import Senders
from lambent.control.cognito.triggers import Triggers, metadata, unrecognizable
from lambent.control.cognito.users import event_attributes
from lambent.model.errors import ApiError
from lambent.store.pool_users import PoolUser

logger = logging.getLogger(__name__)

_CODE, _NAME, _LINK = "{####}", "{username}", "{##Click Here##}"
_LIMITS = {"emailMessage": 20_000, "emailSubject": 140, "smsMessage": 140}
INVITATION, AUTHENTICATION = "AdminCreateUser", "Authentication"
_SMS_TEXT = "SmsAuthenticationMessage"


class Messages:
    """See the module."""

    def __init__(self, triggers: Triggers, senders: Senders, mail: Mail) -> None:
        self._triggers = triggers
        self._senders = senders
        self._mail = mail

    def check(self, pool: Pool, attribute: str) -> None:
        """Raise `CodeDeliveryFailureException` if nothing reaches such an address."""
        if attribute == EMAIL or self._senders.has(pool, attribute):
            return
        if self._mail.is_configured:
            raise ApiError(
                "CodeDeliveryFailureException",
                "Lambent sends no text messages: a CustomSMSSender function of the pool does.",
            )

    async def pretend(self, pool: Pool) -> None:
        """What `send` asks others for, for a name that no user has."""
        await self._senders.pretend(pool)

    async def send(
        self,
        pool: Pool,
        user: PoolUser,
        source: str,
        attribute: str,
        address: str,
        code: str,
        *,
        client: Client | None = None,
        client_metadata: Mapping[str, str] | None = None,
    ) -> Params:
        """Send a code to an address; returns `CodeDeliveryDetails`. `source` is the part of the
        trigger's source after `CustomMessage_`. Raises `ApiError`."""
        self.check(pool, attribute)
        if self._senders.has(pool, attribute):
            await self._senders.send(pool, user, source, attribute, code, client, client_metadata)
            return details(attribute, address)
        text, subject = _texts(pool, source, attribute)
        invites = source == INVITATION
        answer = await self._triggers.ask(
            pool,
            "CustomMessage",
            source,
            user.document["username"],
            {
                "userAttributes": event_attributes(user),
                "codeParameter": _CODE,
                "linkParameter": _LINK,
                "usernameParameter": _NAME if invites else None,
                **metadata(client_metadata),
            },
            client=client,
        )
        custom = _checked(answer or {}, invites=invites)
        if attribute == EMAIL:
            text = custom.get("emailMessage") or text
            subject = custom.get("emailSubject") or subject
        else:
            text = custom.get("smsMessage") or text
        name = address if pool.names("UsernameAttributes") else user.document["username"]
        if self._mail.is_configured:
            filled = text.replace(_CODE, html.escape(code)).replace(_NAME, html.escape(name))
            self._mail.send(pool, address, subject.replace(_CODE, code), filled)
        else:
            what = "temporary password" if invites else "code"
            logger.warning(
                "user pool %s: no cognito.smtp_url is set, so the %s for %r is only here: %s",
                *(pool.id, what, name, code),
            )
        return details(attribute, address)


def details(attribute: str, address: str) -> Params:
    """`CodeDeliveryDetails`: where a code goes, without saying it."""
    if attribute == EMAIL:
        name, _, domain = address.partition("@")
        shown, medium = f"{name[:1]}***@{domain[:1]}***", "EMAIL"
    else:
        shown, medium = f"+*******{address[-4:]}", "SMS"
    return {"Destination": shown, "DeliveryMedium": medium, "AttributeName": attribute}


def _texts(pool: Pool, source: str, attribute: str) -> tuple[str, str]:
    """The pool's own text and subject."""
    if source == INVITATION:
        template = pool.body["AdminCreateUserConfig"].get("InviteMessageTemplate") or {}
        usual = f"Your username is {_NAME} and temporary password is {_CODE}."
        subject = template.get("EmailSubject") or "Your temporary password"
        name = "EmailMessage" if attribute == EMAIL else "SMSMessage"
        return template.get(name) or usual, subject
    if source == AUTHENTICATION:
        usual = f"Your authentication code is {_CODE}."
        by_mail, by_phone = (pool.body.get(name) or {} for name in ("email_factor", "sms_factor"))
        if attribute == EMAIL:
            return by_mail.get("Message") or usual, by_mail.get("Subject") or "Your code"
        return by_phone.get(_SMS_TEXT) or pool.body.get(_SMS_TEXT) or usual, ""
    template = pool.body["VerificationMessageTemplate"]
    usual = f"Your confirmation code is {_CODE}."
    subject = template.get("EmailSubject") or "Your verification code"
    name = "EmailMessage" if attribute == EMAIL else "SmsMessage"
    return template.get(name) or usual, subject


def _checked(answer: Mapping[str, Any], *, invites: bool) -> Mapping[str, str]:
    """The texts of a CustomMessage function. Raises `InvalidLambdaResponseException`."""
    found = {}
    for name, limit in _LIMITS.items():
        text = answer.get(name)
        if text is None:
            continue
        if not isinstance(text, str) or len(text) > limit:
            raise unrecognizable()
        if name != "emailSubject" and (_CODE not in text or (invites and _NAME not in text)):
            raise unrecognizable()
        if name == "emailSubject" and not text.isprintable():
            raise unrecognizable()
        found[name] = text
    return found
