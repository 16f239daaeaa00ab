"""What an operator may choose about the API's front door."""

import dataclasses

from lambent.model.arn import AccountId, Region, Scope


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class GatewaySettings:
    """Settings of the `gateway` room."""

    account_id: str = "000000000000"
    """The account of callers whose access key id is not itself a 12-digit account number."""
    region: str = "us-east-1"
    """The region of unsigned requests; signed ones name theirs."""
    url_domain: str = "localhost"
    """What the host names of function URLs end in, behind `<id>.lambda-url.<region>.`. Default:
    `localhost`, which browsers and curl take for this machine without asking anybody."""
    allowed_hosts: tuple[str, ...] = ()
    """Host names, with all below them, that a platform in relaxed mode answers to, besides
    addresses, `localhost` and `url_domain`. Default none: who owns a name can make a page in a
    browser here speak to the platform by it. With `server.auth = "strict"` every name is
    answered to."""
    connections_max: int = 8192
    """Open client connections; more are turned away with 503."""
    connections_per_box_max: int = 256
    """Open connections of one environment to the platform's API; more are turned away with 503.
    Default 256, so that a few environments cannot take all of the platform's descriptors."""
    held_mb: int = 1024
    """Most MB of requests that are not answered yet, and of answers that clients have not taken,
    at the front door; the doors inside the environments together may hold as much again. Beyond it
    the largest request that is still arriving is answered with 503. Default 1024."""
    request_deadline_s: float = 60.0
    """Seconds a request may take to arrive, begun again with every further 64 KiB."""
    idle_deadline_s: float = 300.0
    """Seconds a connection may stay open without a request."""
    shutdown_grace_s: float = 900.0
    """Seconds that requests in progress get when the platform is told to stop; the longest
    timeout a function may have."""

    @property
    def scope(self) -> Scope:
        """The account and region of a request that says neither."""
        return Scope(AccountId(self.account_id), Region(self.region))
