"""The options of hooks: which values each may have, and what follows from them."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from lambent.model.arn import Arn
from lambent.model.hooks.kinds import KINDS
from lambent.model.hooks.signatures import ALGORITHMS, BODY, ENCODINGS, SCHEMES, Scheme, key_of

_HEADER = re.compile(r"[A-Za-z0-9-]{1,64}")
_PLACE = re.compile(r"bearer|header:[A-Za-z0-9-]{1,64}|query:[A-Za-z0-9_.-]{1,64}")
_SKILL = re.compile(r"amzn1\.ask\.skill\.[A-Za-z0-9-]{1,64}")
_TEXT = re.compile(r"[\x20-\x7e]{1,128}")
_PREFIX = re.compile(r"[\x20-\x7e]{0,64}")
_GENERIC = (
    *("header", "algorithm", "encoding", "prefix", "signed", "timestamp_header", "id_header"),
)
_TOPICS_MAX = 100
_TOLERANCE_S_MAX, _WINDOW_S_MAX = 3600, 86_400
SECRET_BYTES_MIN, SECRET_BYTES_MAX = 8, 512


def check_options(kind: str, options: Mapping[str, Any]) -> None:
    """Raises ValueError for options that a hook of this kind cannot have."""
    unknown = sorted(set(options).difference(KINDS[kind].options))
    if unknown:
        raise ValueError(f"a hook of the kind {kind} has no option {unknown[0]}")
    for name, value in options.items():
        if not _CHECKS[name](value):
            raise ValueError(f"{value!r:.200} is not valid for the option {name}")
    if kind == "hmac":
        _check_scheme(options)
    if kind == "sns" and not options.get("topics"):
        raise ValueError("a hook of the kind sns needs the ARNs of its topics")
    if kind == "alexa" and "skill" not in options:
        raise ValueError("a hook of the kind alexa needs the id of its skill")
    if options.get("source", "").startswith("aws."):
        raise ValueError("a source of events must not begin with aws.")


def check_secret(kind: str, options: Mapping[str, Any], secret: str) -> None:
    """Raises ValueError for a secret that a hook cannot have. No text has it."""
    if KINDS[kind].secret == "none":
        raise ValueError(f"a hook of the kind {kind} has no secret")
    if not SECRET_BYTES_MIN <= len(secret.encode()) <= SECRET_BYTES_MAX:
        raise ValueError(
            f"a secret has at least {SECRET_BYTES_MIN} bytes, and at most {SECRET_BYTES_MAX}"
        )
    if not secret.isascii() or not secret.isprintable() or secret != secret.strip():
        raise ValueError("a secret consists of printable characters of ASCII")
    if kind == "hmac" and len(key_of(scheme_of(options), secret)) < SECRET_BYTES_MIN:
        raise ValueError(f"the secret encodes fewer than {SECRET_BYTES_MIN} bytes")


def scheme_of(options: Mapping[str, Any]) -> Scheme:
    """The scheme that the options of a hook of the kind `hmac` name or describe."""
    name = options.get("scheme")
    if name is not None:
        return SCHEMES[name]
    given = {key: options[key] for key in _GENERIC if key in options}
    for key in ("header", "timestamp_header", "id_header"):
        if key in given:
            given[key] = given[key].lower()
    return Scheme(**given)


def _check_scheme(options: Mapping[str, Any]) -> None:
    generic = [name for name in _GENERIC if name in options]
    if "scheme" in options and generic:
        raise ValueError(f"the scheme {options['scheme']} says what {generic[0]} is")
    if "scheme" not in options and "header" not in options:
        raise ValueError("a hook of the kind hmac needs a scheme, or the header of the signature")
    scheme = scheme_of(options)
    for place, header in (("{timestamp}", "timestamp_header"), ("{id}", "id_header")):
        if (place in scheme.signed) != (header in options) and "scheme" not in options:
            raise ValueError(f"{place} in the signed text and {header} go together")
    if "replay_window_s" in options and (scheme.has_time or scheme.algorithm is None):
        raise ValueError("replay_window_s is for signatures without a time")
    if "tolerance_s" in options and not scheme.has_time:
        raise ValueError("tolerance_s is for signatures with a time")


def _is_list_of_topics(value: Any) -> bool:
    if not isinstance(value, Sequence) or isinstance(value, str) or len(value) > _TOPICS_MAX:
        return False
    found = [Arn.try_parse(text) if isinstance(text, str) else None for text in value]
    return all(arn is not None and arn.service == "sns" and arn.region for arn in found)


def _is_text(pattern: re.Pattern[str]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, str) and pattern.fullmatch(value) is not None


def _is_seconds(most: int) -> Callable[[Any], bool]:
    return lambda value: type(value) is int and 1 <= value <= most


def _is_in(values: Sequence[str]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, str) and value in values


def _is_signed_text(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= 256 and value.count(BODY) == 1


_CHECKS: Mapping[str, Callable[[Any], bool]] = {
    "topics": _is_list_of_topics,
    "scheme": _is_in([*SCHEMES]),
    "header": _is_text(_HEADER),
    "algorithm": _is_in([*ALGORITHMS]),
    "encoding": _is_in(ENCODINGS),
    "prefix": _is_text(_PREFIX),
    "signed": _is_signed_text,
    "timestamp_header": _is_text(_HEADER),
    "id_header": _is_text(_HEADER),
    "tolerance_s": _is_seconds(_TOLERANCE_S_MAX),
    "replay_window_s": _is_seconds(_WINDOW_S_MAX),
    "source": _is_text(_TEXT),
    "detail_type": _is_text(_TEXT),
    "token_in": _is_text(_PLACE),
    "multi_value_headers": lambda value: isinstance(value, bool),
    "skill": _is_text(_SKILL),
    "local": lambda value: isinstance(value, bool),
}
