"""The rules of WebSocket APIs that HTTP APIs do not have: expressions, templates, and what is not
served."""

from lambent.control.apis.errors import bad_request, unsupported
from lambent.kit.linear_regex import PatternError, compile_pattern
from lambent.model.document import Body
from lambent.model.function_uris import inner_arn
from lambent.model.selection_expressions import parse_selection

_BINARY = "ContentHandlingStrategy: messages are text"


def check_expression(body: Body, member: str) -> None:
    """Raise `BadRequestException` for a selection expression that is none."""
    try:
        parse_selection(body.get(member) or "")
    except ValueError as error:
        raise bad_request(f"Invalid {member} specified: {error}.") from None


def check_served(body: Body) -> None:
    """Raise `BadRequestException` for an integration that is not served."""
    kind = body["IntegrationType"]
    if kind in ("HTTP", "HTTP_PROXY"):
        raise unsupported(f"integrations of WebSocket APIs with HTTP servers ({kind})")
    if kind == "AWS" and not inner_arn(body.get("IntegrationUri") or "").startswith(
        "arn:aws:lambda:"
    ):
        raise unsupported("integrations of WebSocket APIs with other services than Lambda")
    if body.get("RequestParameters"):
        raise unsupported("RequestParameters of integrations of WebSocket APIs")
    # Messages are text already. Chalice converts them to text, which changes nothing.
    if body.get("ContentHandlingStrategy") not in (None, "CONVERT_TO_TEXT"):
        raise unsupported(_BINARY)
    check_expression(body, "TemplateSelectionExpression")


def check_response(body: Body) -> None:
    """Raise `BadRequestException` for a response of an integration that is not served."""
    key = body["IntegrationResponseKey"]
    if len(key) > 1 and key.startswith("/") and key.endswith("/"):
        try:
            compile_pattern(key[1:-1])
        except PatternError as error:
            raise bad_request(f"Invalid IntegrationResponseKey specified: {error}") from None
    if body.get("ResponseParameters"):
        raise unsupported("ResponseParameters of responses of integrations")
    if body.get("ContentHandlingStrategy"):
        raise unsupported(_BINARY)
    check_expression(body, "TemplateSelectionExpression")
