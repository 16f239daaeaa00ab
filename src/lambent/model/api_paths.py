"""Where APIs of API Gateway are reached."""

import re

PATH_PREFIX = "/_lambent/api/"
"""Where an API is reached by path: its id follows, then the path with the stage."""
EXECUTE_API_PREFIX = "/_aws/execute-api/"
"""The same in the form of other emulators."""
USER_REQUEST = re.compile(r"/restapis/([a-z0-9]{1,32})/([^/]{1,128})/_user_request_(/.*)?", re.S)
"""An older form of theirs: the id, the stage and the path."""
HOSTS = re.compile(
    r"([a-z0-9]{1,32})\.execute-api\.([a-z0-9-]{1,32})\.[a-z0-9.-]{1,190}(?::\d{1,5})?"
)
"""The host names of APIs, in lower case and with the port."""
AWS_HOSTS = re.compile(
    r"([a-z0-9]{1,32})\.execute-api\.([a-z0-9-]{1,32})\.amazonaws\.com(?:\.cn)?(?::\d{1,5})?"
)
"""The host names that AWS's own APIs have: programs may spell them out."""
BODY_BYTES_MAX = 10_485_760
"""Bytes of the body of a request."""
HEADERS_BYTES_MAX = 10_240
"""Bytes of the request line and the headers together."""
