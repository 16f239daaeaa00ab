"""Signatures of requests that the platform makes itself, and that are not botocore's.

They are signed as botocore's are: with the credentials of this process, or with the account as the
access key id if there are none (see `clients.py`).
"""

from collections.abc import Mapping

from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest

from lambent.aws.clients import AwsClients
from lambent.model.arn import Scope


def signed(
    clients: AwsClients,
    service: str,
    scope: Scope,
    *,
    method: str,
    url: str,
    headers: Mapping[str, str],
    body: bytes,
) -> dict[str, str]:
    """The headers of a request to a custom endpoint, with its signature. `service` is a signing
    name, `url` is percent-encoded. Blocks: credentials may have to be read."""
    request = AWSRequest(method=method, url=url, headers=dict(headers), data=body)
    sign = S3SigV4Auth if service == "s3" else SigV4Auth
    sign(clients.credentials(scope.account), service, scope.region).add_auth(request)
    return dict(request.headers.items())
