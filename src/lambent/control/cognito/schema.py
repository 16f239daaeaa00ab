"""The attributes of users: the schema of a pool, and values that fit it.
https://docs.aws.amazon.com/cognito/latest/developerguide/user-pool-settings-attributes.html
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from lambent.control.cognito.errors import invalid, not_authorized

Attributes = Mapping[str, str]
Params = Mapping[str, Any]

EMAIL, PHONE = "email", "phone_number"
VERIFIED = {EMAIL: "email_verified", PHONE: "phone_number_verified"}
_STANDARD: Mapping[str, tuple[str, str, str]] = {
    **dict.fromkeys(
        (
            *("name", "given_name", "family_name", "middle_name", "nickname"),
            *("preferred_username", "profile", "picture", "website", EMAIL, "gender"),
            *("zoneinfo", "locale", PHONE, "address"),
        ),
        ("String", "0", "2048"),
    ),
    "birthdate": ("String", "10", "10"),
}
_CUSTOM_MAX = 50
_EMAIL = re.compile(
    r"[^\s@\x00-\x1f<>()\[\],;:\\\"]{1,64}@[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63}){1,8}"
)
_PHONE = re.compile(r"\+[0-9]{1,15}")
_NUMBER = re.compile(r"-?[0-9]{1,15}")


def standard_schema() -> list[dict[str, Any]]:
    """The attributes that every pool has."""
    return [
        _text("sub", "1", "2048", is_mutable=False, is_required=True),
        *(_text(name, low, high) for name, (_, low, high) in _STANDARD.items()),
        *(_plain(name, "Boolean") for name in VERIFIED.values()),
        {**_plain("updated_at", "Number"), "NumberAttributeConstraints": {"MinValue": "0"}},
    ]


def schema_of(asked: Sequence[Params]) -> list[dict[str, Any]]:
    """The schema of a new pool, given what the request says of attributes. Raises `ApiError`."""
    schema = {each["Name"]: each for each in standard_schema()}
    for each in asked:
        name = each["Name"]
        if name == "sub" or name not in schema:
            continue
        changed = {**schema[name], **_given(each)}
        if changed["AttributeDataType"] != schema[name]["AttributeDataType"]:
            raise invalid(
                "You can not change AttributeDataType or set developerOnlyAttribute for standard"
                f" schema attribute {name}"
            )
        schema[name] = changed
    custom = [each for each in asked if each["Name"] not in schema]
    return [*schema.values(), *custom_schema(schema, custom)]


def custom_schema(present: Iterable[str], added: Sequence[Params]) -> list[dict[str, Any]]:
    """Custom attributes to add to those that are present. Raises `ApiError`."""
    names = set(present)
    made = []
    for each in added:
        if each.get("Required"):
            raise invalid("Required custom attributes are not supported currently.")
        prefix = "dev:custom:" if each.get("DeveloperOnlyAttribute") else "custom:"
        name = each["Name"] if each["Name"].startswith(prefix) else prefix + each["Name"]
        if name in names:
            raise invalid(f"{name}: Existing attribute already has name {name}.")
        names.add(name)
        kind = each.get("AttributeDataType", "String")
        base = _text(name, None, None) if kind == "String" else _plain(name, kind)
        if kind == "Number":
            base["NumberAttributeConstraints"] = {}
        made.append({**base, **_given(each), "Name": name})
    if sum("custom:" in name for name in names) > _CUSTOM_MAX:
        raise invalid(f"A user pool has at most {_CUSTOM_MAX} custom attributes.")
    return made


def from_list(listed: Sequence[Params] | None) -> dict[str, str]:
    """Attributes from the form of the API."""
    return {each["Name"]: each.get("Value", "") for each in listed or ()}


def to_list(attributes: Attributes) -> list[dict[str, str]]:
    """Attributes in the form of the API."""
    return [{"Name": name, "Value": value} for name, value in attributes.items()]


def check_values(schema: Sequence[Params], values: Attributes) -> None:
    """Raise `InvalidParameterException` for attributes that do not fit the schema."""
    known = {each["Name"]: each for each in schema}
    for name, value in values.items():
        spec = known.get(name)
        if spec is None:
            raise invalid(
                "Attributes did not conform to the schema: Type for attribute"
                f" {{{name}}} could not be determined"
            )
        fault = _fault(name, spec, value)
        if fault:
            raise invalid(fault)


def check_required(schema: Sequence[Params], values: Attributes) -> None:
    """Raise `InvalidParameterException` if a required attribute is missing."""
    for name in required(schema):
        if not values.get(name):
            raise invalid(
                f"Attributes did not conform to the schema: {name}: The attribute {name} is"
                " required"
            )


def required(schema: Sequence[Params]) -> list[str]:
    """The names of the required attributes, but for `sub`."""
    return [each["Name"] for each in schema if each.get("Required") and each["Name"] != "sub"]


def check_mutable(schema: Sequence[Params], names: Iterable[str], present: Attributes) -> None:
    """Raise `InvalidParameterException` if an attribute has a value that never changes."""
    fixed = {each["Name"] for each in schema if each.get("Mutable") is False}
    for name in names:
        if name == "sub" or (name in fixed and name in present):
            raise invalid(f"user.{name}: Attribute cannot be updated.")


def check_writable(client: Params, values: Iterable[str]) -> None:
    """Raise `NotAuthorizedException` if a client may not set one of these attributes."""
    writable = client.get("WriteAttributes")
    for name in values:
        is_open = name in writable if writable is not None else not name.startswith("dev:")
        if name in VERIFIED.values() or not is_open:
            raise not_authorized("A client attempted to write unauthorized attribute")


def readable(client: Params | None, attributes: Attributes) -> dict[str, str]:
    """The attributes that a client may see; all without a client."""
    names = None if client is None else client.get("ReadAttributes")
    return {
        name: value
        for name, value in attributes.items()
        if names is None or name in names or name == "sub"
    }


def is_email(text: str) -> bool:
    """Whether it is an address that mail can be sent to."""
    return len(text) <= 254 and _EMAIL.fullmatch(text) is not None


def is_phone(text: str) -> bool:
    """Whether it is a number in the form of E.164."""
    return _PHONE.fullmatch(text) is not None


def _fault(name: str, spec: Params, value: str) -> str | None:
    kind = spec["AttributeDataType"]
    if name == EMAIL and value and not is_email(value):
        return "Invalid email address format."
    if name == PHONE and value and not is_phone(value):
        return "Invalid phone number format."
    if kind == "Boolean" and value not in ("true", "false"):
        return f"Attributes did not conform to the schema: {name}: Not a boolean"
    if kind == "Number":
        limits = spec.get("NumberAttributeConstraints") or {}
        if _NUMBER.fullmatch(value) is None:
            return f"Attributes did not conform to the schema: {name}: Not a number"
        low, high = limits.get("MinValue"), limits.get("MaxValue")
        if (low and int(value) < int(low)) or (high and int(value) > int(high)):
            return f"Attributes did not conform to the schema: {name}: Number out of range"
    if kind == "String" and (value or name not in (EMAIL, PHONE)):
        limits = spec.get("StringAttributeConstraints") or {}
        if len(value) < int(limits.get("MinLength") or 0):
            return (
                f"Attributes did not conform to the schema: {name}: String must be longer than"
                f" {limits['MinLength']} characters"
            )
        if len(value) > int(limits.get("MaxLength") or 2048):
            return (
                f"Attributes did not conform to the schema: {name}: String must be no longer than"
                f" {limits['MaxLength']} characters"
            )
    return None


def _given(asked: Params) -> dict[str, Any]:
    """What a request says of an attribute. Raises `InvalidParameterException`."""
    given = {name: value for name, value in asked.items() if name != "Name"}
    for group in ("NumberAttributeConstraints", "StringAttributeConstraints"):
        for name, value in (given.get(group) or {}).items():
            if not value.isascii() or not value.lstrip("-").isdigit() or len(value) > 18:
                raise invalid(f"{asked['Name']}: {name} must be a whole number.")
    return given


def _plain(name: str, kind: str) -> dict[str, Any]:
    return {
        "Name": name,
        "AttributeDataType": kind,
        "DeveloperOnlyAttribute": False,
        "Mutable": True,
        "Required": False,
    }


def _text(
    name: str,
    low: str | None,
    high: str | None,
    *,
    is_mutable: bool = True,
    is_required: bool = False,
) -> dict[str, Any]:
    limits = {"MinLength": low, "MaxLength": high}
    return {
        **_plain(name, "String"),
        "Mutable": is_mutable,
        "Required": is_required,
        "StringAttributeConstraints": {key: each for key, each in limits.items() if each},
    }
