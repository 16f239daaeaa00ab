"""`MOCK`: the request template itself says the status, as in `{"statusCode": 200}`. The preflight
of every framework is one."""

import json
import re

from lambent.triggers.apis.backends.exchange import Prepared
from lambent.triggers.apis.rest.call import RestCall
from lambent.triggers.apis.rest.gateway_responses import GatewayError
from lambent.triggers.apis.rest.integration_responses import IntegrationResult
from lambent.triggers.apis.rest.integrations.custom import Done

_STATUS = re.compile(rb"""["']?statusCode["']?\s{0,100}:\s{0,100}["']?(\d{3})(?!\d)""")
_BYTES_MAX = 64 * 1024
"""Of a template's result in which a status is looked for."""


class Mock:
    """See the module."""

    def begin(self, call: RestCall, prepared: Prepared, done: Done) -> None:
        """See `Backend`."""
        status = read_status(prepared.body)
        if status is None:
            raise GatewayError(
                "API_CONFIGURATION_ERROR", "Unable to parse statusCode. It should be an integer."
            )
        done(call, IntegrationResult(status, {}, b"", str(status)))


def read_status(body: bytes) -> int | None:
    """The status that the result of a request template names. AWS reads JSON loosely: keys without
    quotes and commas too many are accepted."""
    try:
        document = json.loads(body[:_BYTES_MAX])
        status = int(document["statusCode"])
    except (ValueError, RecursionError, TypeError, KeyError):
        found = _STATUS.search(body, 0, _BYTES_MAX)
        status = 0 if found is None else int(found.group(1))
    return status if 100 <= status <= 999 else None
