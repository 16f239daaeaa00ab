"""Errors of templates."""

from lambent.model.errors import ApiError

MESSAGE_CHARACTERS_MAX = 4_000
"""A message may quote a template, and ends there."""


class TemplateError(ApiError):
    """A template that cannot be used, in AWS's words: `Template format error: …`."""

    def __init__(self, message: str) -> None:
        super().__init__("ValidationError", message[:MESSAGE_CHARACTERS_MAX])


class TransformFailed(TemplateError):
    """A transform has failed. In AWS a change set that needs it exists, and has failed."""
