"""Settings of user pools."""

import dataclasses


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CognitoSettings:
    """Mail of Cognito's user pools."""

    smtp_url: str = ""
    """Server that mail with codes goes through: `smtp://user:password@host:587`, which uses
    STARTTLS if the server offers it, or `smtps://host:465`. Default: empty, codes are only in the
    platform's log."""

    email_from: str = "no-reply@localhost"
    """Sender of mail, where a pool has no `EmailConfiguration.From`. Default:
    `no-reply@localhost`."""

    smtp_deadline_s: float = 20.0
    """Seconds for the delivery of one message. Default: 20."""
