"""Forms (`application/x-www-form-urlencoded`), in which query requests come."""

from urllib.parse import parse_qs, unquote_plus

from lambent.kit.http.messages import Exchange
from lambent.model.errors import ApiError

_FIELD_BYTES_MAX = 256
_FORM_BYTES_MAX = 512 * 1024
"""A policy of IAM has up to 128 Ki characters, each of which may take three bytes."""
_FORM_FIELDS_MAX = 1000


def read_field(exchange: Exchange, name: str) -> str:
    """One field of a form, empty if it is not there, without reading the rest."""
    form = exchange.body or exchange.query.encode("latin-1")
    begin = f"{name}=".encode()
    at = 0 if form.startswith(begin) else form.find(b"&" + begin) + 1
    if at == 0 and not form.startswith(begin):
        return ""
    end = form.find(b"&", at)
    value = form[at + len(begin) : end if end >= 0 else len(form)]
    return unquote_plus(value[:_FIELD_BYTES_MAX].decode("latin-1"))


def read_form(exchange: Exchange) -> dict[str, list[str]]:
    """The fields of a form. Raises `RequestEntityTooLargeException` for one that is larger than
    any request may be."""
    text = exchange.body[: _FORM_BYTES_MAX + 1].decode("latin-1") or exchange.query
    try:
        if len(text) > _FORM_BYTES_MAX:
            raise ValueError
        return parse_qs(text, keep_blank_values=True, max_num_fields=_FORM_FIELDS_MAX)
    except ValueError:
        message = f"A form may have {_FORM_BYTES_MAX} bytes and {_FORM_FIELDS_MAX} fields."
        raise ApiError("RequestEntityTooLargeException", message, status=413) from None
