"""Requests of viewers."""

from typing import Any

from lambent.triggers.edge.messages import EdgeRequest


def request(**members: Any) -> EdgeRequest:
    """A request."""
    return EdgeRequest(
        **{
            "id": "id",
            "method": "GET",
            "uri": "/a",
            "query": "",
            "headers": [],
            "body": b"",
            "client_ip": "192.0.2.7",
            "is_secure": False,
            **members,
        }
    )
