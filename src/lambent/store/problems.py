"""Errors of a database and of the blobs that belong to it."""

from lambent.kit.tasks import Reported
from lambent.model.errors import ApiError


class StoreError(Exception):
    """The store cannot be used. The message is a sentence for the operator: the error, its place,
    and how to fix it."""


class StoreHeld(StoreError):
    """Another platform uses the database."""


class StoreUnavailable(Reported, ApiError):
    """The database or its disk is unavailable: 503, which every AWS SDK retries. Nothing was
    acknowledged, but a change whose connection broke may still have been committed."""

    def __init__(self) -> None:
        super().__init__(
            "ServiceUnavailable",
            "The request has failed due to a temporary failure of the server.",
            status=503,
        )
