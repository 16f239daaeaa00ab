"""The form of parameter mappings of WebSocket APIs.
https://docs.aws.amazon.com/apigateway/latest/developerguide/websocket-api-data-mapping.html
"""

import re

SOURCES = ("route.request", "method.request")
"""What names of a request's parts begin with: as the guide calls them, and as the API does."""
_NAME = r"[A-Za-z0-9._$-]{1,128}"
_PATH = r"body(?:[.\[].{0,256})?"
_COMMON = r"stageVariables\.[A-Za-z0-9_]{1,64}|context\.[A-Za-z0-9_.\-]{1,128}|'[^'\r\n]{0,2048}'"
_LISTS = "header|multivalueheader"
REQUEST_TARGET = re.compile(
    rf"integration\.request\.(?P<place>header|querystring|path)\.(?P<name>{_NAME})", re.ASCII
)
REQUEST_SOURCE = re.compile(
    rf"(?:route|method)\.request\.(?:(?:{_LISTS}|querystring|multivaluequerystring)\.{_NAME}"
    rf"|{_PATH})|{_COMMON}",
    re.ASCII,
)
RESPONSE_HEADER = re.compile(rf"(?:route|method)\.response\.header\.(?P<name>{_NAME})", re.ASCII)
RESPONSE_SOURCE = re.compile(
    rf"integration\.response\.(?:(?:{_LISTS})\.{_NAME}|{_PATH})|{_COMMON}", re.ASCII
)
RESPONSE_HEADERS = ("sec-websocket-protocol", "content-type")
"""Headers of the response to a client that connects which an integration may set."""
