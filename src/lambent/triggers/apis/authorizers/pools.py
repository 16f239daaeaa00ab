"""User pools of Amazon Cognito as issuers of tokens: the platform's own, those of the local
emulator, and AWS's.

The issuer of a pool is an address of AWS, also if the pool is here. So a look at its keys is a look
at the platform and at the emulator first.
"""

import re

from lambent.triggers.apis.authorizers.issuers import Fetch
from lambent.triggers.user_pools.documents import Jwks, configuration

_ARN = re.compile(
    r"arn:aws[a-z-]*:cognito-idp:(?P<region>[a-z0-9-]{1,32}):[0-9]{12}:userpool/"
    r"(?P<pool>[\w-]{1,64}_[0-9a-zA-Z]{1,64})",
    re.ASCII,
)
_DOCUMENT = re.compile(
    r"(?P<issuer>https://cognito-idp\.[a-z0-9-]{1,32}\.amazonaws\.com/"
    r"(?P<pool>[\w-]{1,64}_[0-9a-zA-Z]{1,64}))/\.well-known/"
    r"(?P<name>jwks\.json|openid-configuration)",
    re.ASCII,
)
"""No bucket of S3 has a name with an underscore, so that no object can stand for the keys of a pool
where one server is both."""


def issuer_of_pool(arn: str) -> str:
    """The issuer of a user pool's tokens. Raises ValueError for what is no ARN of one."""
    found = _ARN.fullmatch(arn)
    if found is None:
        raise ValueError(f"{arn[:200]!r} is not the ARN of a user pool")
    return f"https://cognito-idp.{found['region']}.amazonaws.com/{found['pool']}"


def fetch_with_local_pools(fetch: Fetch, fetch_local: Fetch, local: str) -> Fetch:
    """`fetch`, except that the documents of user pools come from the server at `local`, which
    `fetch_local` may reach, if it has the pool."""

    async def fetch_either(url: str) -> bytes:
        found = _DOCUMENT.fullmatch(url)
        if found is None:
            return await fetch(url)
        try:
            keys = await fetch_local(f"{local}/{found['pool']}/.well-known/jwks.json")
        except OSError:
            return await fetch(url)
        if found["name"] == "jwks.json":
            return keys
        # Its own document says where it is itself, which is not where others may read.
        return _configuration(found["issuer"])

    return fetch_either


def fetch_with_own_pools(fetch: Fetch, jwks: Jwks) -> Fetch:
    """`fetch`, except that the documents of the platform's own user pools are made here."""

    async def fetch_either(url: str) -> bytes:
        found = _DOCUMENT.fullmatch(url)
        keys = None if found is None else await jwks(found["pool"])
        if found is None or keys is None:
            return await fetch(url)
        return keys if found["name"] == "jwks.json" else _configuration(found["issuer"])

    return fetch_either


def _configuration(issuer: str) -> bytes:
    return configuration(issuer, f"{issuer}/.well-known/jwks.json")
