"""Authorizers and request validators, which differ in nothing but their rules."""

from collections.abc import Mapping

from lambent.control.apis.v1 import generic
from lambent.control.apis.v1.work import Function

READS: Mapping[str, Function] = {
    "GetAuthorizer": generic.get("authorizer"),
    "GetAuthorizers": generic.listing("authorizer"),
    "GetRequestValidator": generic.get("request_validator"),
    "GetRequestValidators": generic.listing("request_validator"),
}
WRITES: Mapping[str, Function] = {
    "CreateAuthorizer": generic.create("authorizer"),
    "UpdateAuthorizer": generic.patch("authorizer"),
    "DeleteAuthorizer": generic.delete("authorizer"),
    "CreateRequestValidator": generic.create("request_validator"),
    "UpdateRequestValidator": generic.patch("request_validator"),
    "DeleteRequestValidator": generic.delete("request_validator"),
}
