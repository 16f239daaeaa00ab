"""Links that custom resources report to. They look like S3's presigned links.

https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/crpg-ref-requests.html
"""

import datetime
import hashlib
import hmac
import json
from urllib.parse import parse_qsl, quote, unquote_to_bytes, urlencode

from lambent.kit.clock import Clock
from lambent.model.arn import Region
from lambent.model.custom_resource_hosts import host_of

SECRET = "custom-resource-responses"
"""Name of the platform's secret that links are signed with."""
LIFETIME_S = 7200
"""As in AWS, where no link is valid for longer than its signer's session."""
_ALGORITHM = "AWS4-HMAC-SHA256"
_DATE = "%Y%m%dT%H%M%SZ"
_FIELDS_MAX = 16


class LinkRefused(Exception):
    """A link is forged, changed or has expired. The text is for the client."""


class ResponseLinks:
    """Makes links, and reads them."""

    def __init__(self, secret: bytes, domain: str, clock: Clock) -> None:
        """`domain` is the platform's."""
        self._secret = secret
        self._domain = domain
        self._clock = clock

    def url(self, region: Region, key: str, *, lifetime_s: int = LIFETIME_S) -> str:
        """A link for one response. `key` is the name of the object: it says what the response
        belongs to, and is no secret."""
        now = datetime.datetime.fromtimestamp(self._clock.now(), datetime.UTC)
        date, expires = now.strftime(_DATE), str(lifetime_s)
        query = {
            "X-Amz-Algorithm": _ALGORITHM,
            "X-Amz-Date": date,
            "X-Amz-Expires": expires,
            "X-Amz-Signature": self._sign(date, expires, key),
        }
        return f"https://{host_of(region, self._domain)}/{quote(key, safe='')}?{urlencode(query)}"

    def read(self, path: str, query: str) -> str:
        """The key in a link, of which the path and the query are given as they were sent. A client
        may encode them in another way. Raises `LinkRefused`."""
        try:
            key = unquote_to_bytes(path.removeprefix("/")).decode()
            items = parse_qsl(query, keep_blank_values=True, max_num_fields=_FIELDS_MAX)
        except ValueError:
            raise LinkRefused("Access Denied") from None
        fields = dict(items)
        date, expires = fields.get("X-Amz-Date", ""), fields.get("X-Amz-Expires", "")
        given = fields.get("X-Amz-Signature", "").encode(errors="replace")
        wanted = self._sign(date, expires, key).encode()
        if len(fields) != len(items) or not hmac.compare_digest(given, wanted):
            raise LinkRefused("Access Denied")
        if self._clock.now() > _end_of(date, expires):
            raise LinkRefused("Request has expired")
        return key

    def _sign(self, date: str, expires: str, key: str) -> str:
        # JSON keeps the parts apart, whatever they contain.
        text = json.dumps([date, expires, key])
        return hmac.new(self._secret, text.encode(), hashlib.sha256).hexdigest()


def _end_of(date: str, expires: str) -> float:
    """Epoch seconds at which a link that was signed here expires."""
    made = datetime.datetime.strptime(date, _DATE).replace(tzinfo=datetime.UTC)
    return made.timestamp() + int(expires)
