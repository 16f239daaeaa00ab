"""Names, ARNs and documents of CloudFront.

CloudFront has no Regions: its documents are in `REGION`, whichever Region a request names. What
belongs to the account (policies, functions) is in the root without an id, a distribution and its
invalidations are in a root of their own.
"""

import re
import secrets
import string

from lambent.model.arn import AccountId, Arn, Region, Scope
from lambent.model.document import Root

SERVICE = "cloudfront"
REGION = Region("us-east-1")
DISTRIBUTION, INVALIDATION = "distribution", "invalidation"
CACHE_POLICY, ORIGIN_REQUEST_POLICY = "cache-policy", "origin-request-policy"
RESPONSE_HEADERS_POLICY = "response-headers-policy"
ACCESS_CONTROL, ACCESS_IDENTITY = "origin-access-control", "origin-access-identity"
FUNCTION = "function"
"""Kinds of documents, which are the types of resources in ARNs."""
PATH_PREFIX = "/_lambent/cloudfront/"
"""Where a distribution is reached by path: its id follows, then the path."""
HOSTS = re.compile(r"(d[a-z0-9]{13})\.cloudfront\.[a-z0-9.-]{1,190}(?::\d{1,5})?")
"""The host names of distributions, in lower case and with the port."""
ID = re.compile(r"E[A-Z0-9]{13}")
"""The id of a distribution."""
DEVELOPMENT, LIVE = "DEVELOPMENT", "LIVE"
"""Stages of a function."""
_LETTERS = string.ascii_uppercase + string.digits


def new_id(first: str) -> str:
    """A new id: of a distribution or an ETag with `E`, of an invalidation with `I`."""
    return first + "".join(secrets.choice(_LETTERS) for _ in range(13))


def account_root(account: AccountId) -> Root:
    """The root of what belongs to an account."""
    return Root(SERVICE, account, REGION, "")


def distribution_root(account: AccountId, id: str) -> Root:
    """The root of a distribution and its invalidations."""
    return Root(SERVICE, account, REGION, id)


def arn_of(account: AccountId, kind: str, id: str) -> str:
    """The ARN of a resource."""
    return f"arn:aws:cloudfront::{account}:{kind}/{id}"


def parse_cloudfront_arn(text: str) -> tuple[AccountId, str, str] | None:
    """Account, kind and id of a resource with an ARN; None if it is none of CloudFront's."""
    arn = Arn.try_parse(text)
    if arn is None or (arn.partition, arn.service, arn.region) != ("aws", SERVICE, ""):
        return None
    kind, _, id = arn.resource.partition("/")
    return (arn.account, kind, id) if id else None


def label_of(id: str) -> str:
    """The first label of a distribution's host name."""
    return f"d{id[1:].lower()}"


def id_of(label: str) -> str:
    """The distribution with such a label."""
    return f"E{label[1:].upper()}"


def domain_name(id: str, domain: str) -> str:
    """The host name of a distribution in the platform's domain."""
    return f"{label_of(id)}.cloudfront.{domain}"


def scope_of(account: AccountId) -> Scope:
    """Where functions at the edge live."""
    return Scope(account, REGION)
