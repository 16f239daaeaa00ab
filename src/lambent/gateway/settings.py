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
    """The domain of function URLs' host names, `<id>.lambda-url.<region>.<domain>`. Default:
    `localhost`, which browsers and curl resolve to this machine without DNS."""
    allowed_hosts: tuple[str, ...] = ()
    """Host names that a platform in relaxed mode accepts with all names below them, in addition to
    addresses, `localhost` and `url_domain`. Default none: through a name, its owner can let a page
    in a local browser reach the platform. With `server.auth = "strict"` every name is accepted."""
    connections_max: int = 8192
    """Most open client connections; further ones get 503."""
    connections_per_box_max: int = 256
    """Most open connections of one environment to the platform's API; further ones get 503.
    Default 256, so that a few environments cannot take all of the platform's descriptors."""
    held_mb: int = 1024
    """Most MB of requests in progress and of responses that clients have not read, at the front
    door. The endpoints inside all environments together may hold as much again. Above it, the
    largest request that is still arriving gets 503. Default 1024."""
    request_deadline_s: float = 60.0
    """Seconds a request may take to arrive. The deadline starts again with every 64 KiB."""
    idle_deadline_s: float = 300.0
    """Seconds a connection may stay open without a request."""
    shutdown_grace_s: float = 900.0
    """Seconds that requests in progress get when the platform stops. Default: the longest timeout
    of a function."""

    @property
    def scope(self) -> Scope:
        """The account and region of a request that says neither."""
        return Scope(AccountId(self.account_id), Region(self.region))
