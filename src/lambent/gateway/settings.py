"""Settings of the API."""

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
    """Domain of function URLs: their hosts are `<id>.lambda-url.<region>.<url_domain>`. Default:
    `localhost`, which browsers and curl resolve to this machine without DNS."""
    allowed_hosts: tuple[str, ...] = ()
    """Host names, with their subdomains, that a platform in relaxed mode accepts, in addition to
    addresses, `localhost` and `url_domain`. Default: none, because the owner of a name can make a
    web page in a browser here call the platform by it. With `server.auth = "strict"` every name
    is accepted."""
    connections_max: int = 8192
    """Maximum open client connections; more are rejected with 503."""
    connections_per_box_max: int = 256
    """Maximum open connections of one environment to the platform's API; more are rejected with
    503. Default: 256, so that a few environments cannot take all of the platform's descriptors."""
    held_mb: int = 1024
    """Maximum MB of requests without a response yet, and of responses that clients have not read;
    the API inside all environments together may hold as much again. Beyond it, the largest request
    that is still arriving is rejected with 503. Default: 1024."""
    request_deadline_s: float = 60.0
    """Timeout for a request to arrive, in seconds; it restarts with every 64 KiB."""
    idle_deadline_s: float = 300.0
    """Seconds that a connection may stay open without a request."""
    shutdown_lag_s: float = 0.0
    """Seconds that a platform which stops serves on while its health page responds with 503, so
    that load balancers stop sending requests before the port closes. Connections end with their
    next response meanwhile. Default: 0; behind a load balancer, a few times the interval of its
    health checks."""
    shutdown_grace_s: float = 900.0
    """Seconds that requests in progress have when the platform stops. Default: 900, the maximum
    timeout of a function."""

    @property
    def scope(self) -> Scope:
        """The account and region of a request that names neither."""
        return Scope(AccountId(self.account_id), Region(self.region))
