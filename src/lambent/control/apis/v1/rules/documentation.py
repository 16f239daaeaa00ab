"""What parts of documentation may be. They are stored; nothing is made of them."""

import json
from collections.abc import Mapping
from typing import Any

from lambent.control.apis.errors import bad_request, conflict
from lambent.control.apis.kinds import Draft
from lambent.control.apis.v1.rules.models import DEPTH_MAX, depth_of
from lambent.model.document import Body

_PROPERTIES_BYTES_MAX = 64 * 1024
_LOCATION_LENGTH_MAX = 1024


def check_part(draft: Draft) -> Body:
    """The check of documentation parts: one for each location."""
    body = draft.body
    if not is_object(body.get("properties", "")):
        raise bad_request(
            "Documentation part properties must be a JSON object of at most"
            f" {_PROPERTIES_BYTES_MAX} bytes."
        )
    location: Mapping[str, Any] = body["location"]
    if any(len(str(value)) > _LOCATION_LENGTH_MAX for value in location.values()):
        raise bad_request("Invalid documentation part location specified.")
    for other in draft.tx.documents.list_of(draft.root, "documentation_part"):
        if other.id != draft.id and other.body["location"] == location:
            raise conflict(
                "Documentation part already exists for the specified location:"
                f" type '{location['type']}'"
            )
    return body


def is_object(text: str) -> bool:
    """Whether a text is a JSON object of a reasonable size."""
    if len(text.encode(errors="surrogatepass")) > _PROPERTIES_BYTES_MAX:
        return False
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return False
    return isinstance(found, dict) and depth_of(found) <= DEPTH_MAX
