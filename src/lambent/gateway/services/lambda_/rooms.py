"""What Lambda's operations need of the platform."""

import dataclasses

from lambent.control.room import Control
from lambent.gateway.code_links import CodeLinks


@dataclasses.dataclass(frozen=True, slots=True)
class LambdaRooms:
    """Functions and all that belongs to them."""

    control: Control
    links: CodeLinks
    """Makes links to packages."""
    url_domain: str
    """What the host names of function URLs end in."""
