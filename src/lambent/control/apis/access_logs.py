"""Where the access logs of stages may go: to log groups of the API's own account and region."""

import re

from lambent.control.apis.errors import bad_request, unsupported
from lambent.model.document import Root

FORMAT_LENGTH_MAX = 3072
_LOG_GROUP = re.compile(
    r"arn:aws:logs:(?P<region>[a-z0-9-]+):(?P<account>[0-9]{12}):log-group:"
    r"[.\-_/#A-Za-z0-9]{1,512}(?::\*)?",
    re.ASCII,
)


def check_access_logs(root: Root, destination: str, text: str) -> None:
    """Raises `BadRequestException` for a destination or a format that cannot be used. No API writes
    into the log groups of another account."""
    found = _LOG_GROUP.fullmatch(destination)
    if found is None:
        raise unsupported("destinations of access logs that are not log groups of CloudWatch Logs")
    if (found["account"], found["region"]) != (root.account, root.region):
        raise bad_request(
            "The log group of access logs must be in the account and the Region of the API."
        )
    if len(text) > FORMAT_LENGTH_MAX:
        raise bad_request(f"The format of access logs has at most {FORMAT_LENGTH_MAX} characters")
