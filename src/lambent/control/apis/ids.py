"""Ids of resources: lower-case letters and digits, as in AWS."""

import secrets
import string

from lambent.store.store import Transaction

API_ID_LENGTH = 10
API_KINDS = (("apigateway", "api"), ("apigatewayv2", "api"))
"""The documents that are APIs, by service."""

_LETTERS = string.ascii_lowercase + string.digits


def new_id(length: int) -> str:
    """A random id of so many characters. It is not checked whether it is free."""
    return "".join(secrets.choice(_LETTERS) for _ in range(length))


def new_api_id(tx: Transaction) -> str:
    """An id that no API of any account has, of either service: it is a part of host names."""
    while True:
        candidate = new_id(API_ID_LENGTH)
        if not any(tx.documents.find(service, kind, candidate) for service, kind in API_KINDS):
            return candidate
