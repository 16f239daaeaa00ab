"""The host names of the buckets that custom resources report to.

AWS has a bucket in each Region, `cloudformation-custom-resource-response-useast1`. It is named with
and without the Region: `<bucket>.s3.<domain>`, `<bucket>.s3.<region>.<domain>`.
"""

import re

from lambent.model.arn import Region

_BUCKET = "cloudformation-custom-resource-response-"
AWS_DOMAIN = "amazonaws.com"
PATTERN = rf"{_BUCKET}(?P<bucket>[a-z0-9]{{1,32}})\.s3(?:\.(?P<of>[a-z0-9-]{{1,32}}))?"
"""All but the domain."""
HOSTS = re.compile(rf"{PATTERN}\.[a-z0-9.-]{{1,190}}(?::\d{{1,5}})?")
"""The host names, in lower case and with the port."""
AWS_HOSTS = re.compile(rf"{PATTERN}\.amazonaws\.com(?::\d{{1,5}})?")
"""The same in AWS's own domain."""


def host_of(region: Region, domain: str) -> str:
    """The host name of a Region's bucket in a domain."""
    return f"{_BUCKET}{region.replace('-', '')}.s3.{region}.{domain}"


def hosts_of(region: Region, domain: str) -> tuple[str, str]:
    """Both host names of a Region's bucket in a domain."""
    return host_of(region, domain), f"{_BUCKET}{region.replace('-', '')}.s3.{domain}"
