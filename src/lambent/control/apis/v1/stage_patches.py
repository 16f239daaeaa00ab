"""What UpdateStage may change. Its table is AWS's least regular: paths of method settings contain
the path of a resource, and a canary's members are made when they are set."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from lambent.control.apis.errors import bad_request, unsupported
from lambent.control.apis.v1.changes import (
    entry,
    flag,
    number,
    read_number,
    read_whole,
    refused,
    removal,
    text,
)
from lambent.control.apis.v1.patches import Body, Change, Patch, PatchTable, Row
from lambent.model.errors import ApiError

METHOD_SETTING: Mapping[str, Any] = {
    "metricsEnabled": False,
    "dataTraceEnabled": False,
    "throttlingBurstLimit": 5000,
    "throttlingRateLimit": 10_000.0,
    "cachingEnabled": False,
    "cacheTtlInSeconds": 300,
    "cacheDataEncrypted": False,
    "requireAuthorizationForCacheControl": True,
    "unauthorizedCacheControlHeaderStrategy": "SUCCEED_WITH_RESPONSE_HEADER",
}
"""The settings of a method of which one was set."""
_SETTINGS = {
    "metrics/enabled": "metricsEnabled",
    "logging/dataTrace": "dataTraceEnabled",
    "logging/loglevel": "loggingLevel",
    "throttling/burstLimit": "throttlingBurstLimit",
    "throttling/rateLimit": "throttlingRateLimit",
    "caching/enabled": "cachingEnabled",
    "caching/ttlInSeconds": "cacheTtlInSeconds",
    "caching/dataEncrypted": "cacheDataEncrypted",
    "caching/requireAuthorizationForCacheControl": "requireAuthorizationForCacheControl",
    "caching/unauthorizedCacheControlHeaderStrategy": "unauthorizedCacheControlHeaderStrategy",
}
"""Members by the end of a path."""
_VERBS = ("GET", "PUT", "POST", "DELETE", "PATCH", "OPTIONS", "HEAD", "ANY", "*")
_STRATEGIES = (
    "FAIL_WITH_403",
    "SUCCEED_WITH_RESPONSE_HEADER",
    "SUCCEED_WITHOUT_RESPONSE_HEADER",
)
_LEVELS = ("OFF", "ERROR", "INFO")
_SETTING = re.compile(
    r"/(?P<resource>[^/]*)/(?P<verb>[A-Z*]+)/(?P<name>[a-z]+/[A-Za-z0-9]+)", re.ASCII
)
"""The path of a method setting: slashes of the resource's path are written `~1`."""
_METHOD = re.compile(r"/(?P<resource>[^/]*)/(?P<verb>[A-Z*]+)", re.ASCII)
_VARIABLE = re.compile(r"[A-Za-z0-9_]{1,64}", re.ASCII)
_VARIABLE_VALUE = re.compile(r"[A-Za-z0-9\-._~:/?#&=,]{0,512}", re.ASCII)
_COUNT_MAX = 2**31 - 1


def _allowed_paths() -> str:
    """AWS's list, with the commas that it leaves out."""
    fixed = "/deploymentId, /description, /cacheClusterEnabled, /cacheClusterSize,"
    fixed += " /clientCertificateId, /accessLogSettings, /accessLogSettings/destinationArn,"
    fixed += " /accessLogSettings/format"
    one = "/{resourcePath}/{httpMethod}"
    listed = [
        fixed,
        *(f"{one}/{name}" for name in ("metrics/enabled", "logging/dataTrace", "logging/loglevel")),
        f"{one}/throttling/burstLimit{one}/throttling/rateLimit{one}/caching/ttlInSeconds",
        f"{one}/caching/enabled",
        f"{one}/caching/dataEncrypted",
        f"{one}/caching/requireAuthorizationForCacheControl",
        f"{one}/caching/unauthorizedCacheControlHeaderStrategy",
        *(f"/*/*/{name}" for name in ("metrics/enabled", "logging/dataTrace", "logging/loglevel")),
        "/*/*/throttling/burstLimit /*/*/throttling/rateLimit /*/*/caching/ttlInSeconds",
        "/*/*/caching/enabled",
        "/*/*/caching/dataEncrypted",
        "/*/*/caching/requireAuthorizationForCacheControl",
        "/*/*/caching/unauthorizedCacheControlHeaderStrategy",
        "/variables/{variable_name}",
        "/tracingEnabled",
    ]
    return ", ".join(listed)


ALLOWED_PATHS = _allowed_paths()


def _canary(change: Change) -> Change:
    """A canary that is not there is made of the stage's own deployment, without traffic."""

    def wrapped(body: Body, patch: Patch, keys: tuple[str, ...]) -> None:
        canary: dict[str, Any] = body.setdefault("canarySettings", {})
        canary.setdefault("percentTraffic", 0.0)
        canary.setdefault("deploymentId", body["deploymentId"])
        canary.setdefault("useStageCache", False)
        change(body, patch, keys)

    return wrapped


def _deployment(body: Body, patch: Patch, keys: tuple[str, ...]) -> None:
    """`copy` from the canary promotes it."""
    if patch.op == "copy":
        _require_source(patch, "/canarySettings/deploymentId")
        body["deploymentId"] = (body.get("canarySettings") or {}).get(
            "deploymentId", body["deploymentId"]
        )
    elif patch.text:
        body["deploymentId"] = patch.text


def _variables(body: Body, patch: Patch, keys: tuple[str, ...]) -> None:
    """`copy` from the canary: the stage takes over its variables."""
    _require_source(patch, "/canarySettings/stageVariableOverrides")
    overrides = (body.get("canarySettings") or {}).get("stageVariableOverrides") or {}
    if overrides:
        body["variables"] = {**(body.get("variables") or {}), **overrides}


def _require_source(patch: Patch, source: str) -> None:
    if patch.source != source:
        raise bad_request(f"Invalid copy source: {patch.source}. Must be one of: [{source}]")


_ALL = ("add", "remove", "replace")
_TABLE = PatchTable(
    (
        Row("/deploymentId", _deployment, ("replace", "copy")),
        Row("/description", text("description")),
        Row("/documentationVersion", text("documentationVersion"), ("add", "remove", "replace")),
        Row("/variables", _variables, ("copy",)),
        Row(
            "/variables/{}", entry("variables", "Invalid stage variable specified", adds=True), _ALL
        ),
        Row("/tracingEnabled", flag("tracingEnabled")),
        Row("/cacheClusterEnabled", refused("cache clusters")),
        Row("/cacheClusterSize", refused("cache clusters")),
        Row("/clientCertificateId", refused("client certificates")),
        Row("/accessLogSettings", removal("accessLogSettings"), ("remove",)),
        Row("/accessLogSettings/destinationArn", text("accessLogSettings.destinationArn"), _ALL),
        Row("/accessLogSettings/format", text("accessLogSettings.format"), _ALL),
        Row("/webAclArn", refused("web ACLs"), _ALL),
        Row("/canarySettings", removal("canarySettings"), ("remove",)),
        Row("/canarySettings/deploymentId", _canary(text("canarySettings.deploymentId"))),
        Row(
            "/canarySettings/percentTraffic",
            _canary(number("canarySettings.percentTraffic", 0, 100, "Invalid percentTraffic.")),
        ),
        Row("/canarySettings/useStageCache", _canary(flag("canarySettings.useStageCache"))),
        Row(
            "/canarySettings/stageVariableOverrides/{}",
            _canary(
                entry("canarySettings.stageVariableOverrides", "Invalid stage variable", adds=True)
            ),
            _ALL,
        ),
    )
)


def apply_to_stage(body: Mapping[str, Any], patches: Sequence[Patch]) -> Body:
    """A stage after all operations. Raises `BadRequestException`."""
    changed: Body = dict(body)
    for patch in patches:
        if (found := _SETTING.fullmatch(patch.path)) and found["name"] in _SETTINGS:
            _apply_setting(changed, patch, found)
        elif patch.op == "remove" and (found := _METHOD.fullmatch(patch.path)):
            _remove_settings(changed, patch, found)
        elif not _is_in_table(patch):
            raise _unknown_path(patch)
        else:
            changed = _TABLE.apply(changed, [patch])
    return changed


def check_variables(variables: Mapping[str, Any]) -> None:
    """Raises `BadRequestException` for stage variables that AWS refuses."""
    if len(variables) > 100:
        raise bad_request("A stage must not have more than 100 variables.")
    for name, value in variables.items():
        if not _VARIABLE.fullmatch(name):
            raise bad_request(f"Invalid stage variable name: {name[:100]}")
        if not isinstance(value, str) or not _VARIABLE_VALUE.fullmatch(value):
            raise bad_request(
                f"Invalid stage variable value of {name}. Please use values with alphanumeric"
                " characters and the symbols -._~:/?#&=, of at most 512 characters."
            )


def _is_in_table(patch: Patch) -> bool:
    return any(row.match(patch.parts) is not None and patch.op in row.ops for row in _TABLE.rows)


def _unknown_path(patch: Patch) -> ApiError:
    if patch.op == "remove":
        return bad_request(
            f"Cannot remove method setting {patch.path[1:]} because there is no method setting for"
            " this method "
        )
    return bad_request(
        f"Invalid method setting path: {patch.path}. Must be one of: [{ALLOWED_PATHS}]"
    )


def _key(found: re.Match[str]) -> str:
    """The key in `methodSettings`: `*/*`, or the resource's path without its first slash as it is
    written in the patch, and the method."""
    if found["verb"] not in _VERBS:
        raise bad_request(f"Invalid method setting path: {found[0]}. {found['verb']} is no method.")
    return f"{found['resource'].removeprefix('~1')}/{found['verb']}"


def _remove_settings(body: Body, patch: Patch, found: re.Match[str]) -> None:
    settings = dict(body.get("methodSettings") or {})
    if settings.pop(_key(found), None) is None:
        raise _unknown_path(patch)
    body["methodSettings"] = settings


def _apply_setting(body: Body, patch: Patch, found: re.Match[str]) -> None:
    settings = dict(body.get("methodSettings") or {})
    key, name = _key(found), _SETTINGS[found["name"]]
    if patch.op == "remove":
        if name not in settings.get(key, {}):
            raise _unknown_path(patch)
        kept = dict(settings[key])
        del kept[name]
        if name in METHOD_SETTING:
            kept[name] = METHOD_SETTING[name]
        settings[key] = kept
    elif patch.op == "replace":
        settings[key] = {**METHOD_SETTING, **settings.get(key, {}), name: _read(name, patch)}
    else:
        raise _unknown_path(patch)
    body["methodSettings"] = settings


def _read(name: str, patch: Patch) -> Any:
    """The value of a setting. What has no effect here is refused."""
    if name == "throttlingBurstLimit":
        return _bounded(read_whole(patch.text), _COUNT_MAX, patch)
    if name == "throttlingRateLimit":
        return _bounded(read_number(patch.text), _COUNT_MAX, patch)
    if name == "cacheTtlInSeconds":
        return _bounded(read_whole(patch.text), 3600, patch)
    if name == "unauthorizedCacheControlHeaderStrategy":
        if patch.text not in _STRATEGIES:
            raise _invalid(patch)
        return patch.text
    if name == "loggingLevel":
        if patch.text.upper() not in _LEVELS:
            raise bad_request(
                f"Invalid logging level: {patch.text[:100]}. Must be one of: [{', '.join(_LEVELS)}]"
            )
        return patch.text.upper()
    if name in ("cachingEnabled", "cacheDataEncrypted") and patch.flag:
        raise unsupported("caches of responses")
    if name == "metricsEnabled" and patch.flag:
        raise unsupported("metrics of APIs")
    return patch.flag


def _bounded(value: float | None, maximum: int, patch: Patch) -> float:
    if value is None or not 0 <= value <= maximum:
        raise _invalid(patch)
    return value


def _invalid(patch: Patch) -> ApiError:
    return bad_request(f"Invalid value for {patch.path}: {patch.text[:100]}")
