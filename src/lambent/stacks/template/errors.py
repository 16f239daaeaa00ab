"""Errors of templates."""

from lambent.model.errors import ApiError


class TemplateError(ApiError):
    """A template that cannot be used, in AWS's words: `Template format error: …`."""

    def __init__(self, message: str) -> None:
        super().__init__("ValidationError", message)
