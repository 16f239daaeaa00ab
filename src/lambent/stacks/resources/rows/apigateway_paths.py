"""Paths of patch operations of API Gateway.
https://docs.aws.amazon.com/apigateway/latest/api/patch-operations.html
"""

from collections.abc import Mapping
from typing import Any

from lambent.stacks.resources.conversion import as_text
from lambent.stacks.resources.resource_type import Properties
from lambent.stacks.resources.row_type import Path

Paths = Mapping[str, Path]

_SETTINGS = {
    "MetricsEnabled": "metrics/enabled",
    "DataTraceEnabled": "logging/dataTrace",
    "LoggingLevel": "logging/loglevel",
    "ThrottlingBurstLimit": "throttling/burstLimit",
    "ThrottlingRateLimit": "throttling/rateLimit",
    "CachingEnabled": "caching/enabled",
    "CacheTtlInSeconds": "caching/ttlInSeconds",
    "CacheDataEncrypted": "caching/dataEncrypted",
}


def _lowered(name: str) -> str:
    return name[:1].lower() + name[1:]


def _escaped(part: str) -> str:
    return part.replace("~", "~0").replace("/", "~1")


def texts(properties: Properties, *names: str, **renamed: str) -> Paths:
    """Members that are replaced, by property."""
    members = {**{name: _lowered(name) for name in names}, **renamed}
    return {
        f"/{member}": Path(as_text(properties[name]))
        for name, member in members.items()
        if properties.get(name) is not None
    }


def entries(properties: Properties, name: str) -> Paths:
    """The entries of a map."""
    return {
        f"/{_lowered(name)}/{_escaped(key)}": Path(as_text(value), "entry")
        for key, value in (properties.get(name) or {}).items()
    }


def items(properties: Properties, name: str) -> Paths:
    """The items of a list; the path has the item."""
    member = name if name.isupper() else _lowered(name)
    return {
        f"/{member}/{_escaped(as_text(item))}": Path(as_text(item), "item")
        for item in properties.get(name) or ()
    }


def setting(value: Any, whole: str = "") -> Path:
    """A value that is replaced or removed, or removed with the whole."""
    return Path(as_text(value), "setting", whole)


def stage_paths(properties: Properties) -> Paths:
    """All that can be changed of a stage."""
    return {
        **texts(
            properties,
            *("CacheClusterEnabled", "CacheClusterSize", "DeploymentId", "Description"),
            *("DocumentationVersion", "TracingEnabled"),
        ),
        **entries(properties, "Variables"),
        **stage_details(properties),
    }


def stage_details(properties: Properties) -> Paths:
    """What CreateStage does not take."""
    logs = properties.get("AccessLogSetting") or {}
    found = {
        f"/accessLogSettings/{_lowered(name)}": setting(value)
        for name, value in logs.items()
        if name in ("DestinationArn", "Format")
    }
    for method in properties.get("MethodSettings") or ():
        path = str(method.get("ResourcePath", "/*"))
        place = path.removeprefix("/") if path == "/*" else _escaped(path)
        verb = method.get("HttpMethod", "*")
        found |= {
            f"/{place}/{verb}/{end}": setting(method[name])
            for name, end in _SETTINGS.items()
            if method.get(name) is not None
        }
    return {**found, **texts(properties, "ClientCertificateId")}


def usage_plan_paths(properties: Properties) -> Paths:
    """All that can be changed of a usage plan."""
    found: dict[str, Path] = {
        **texts(properties, "Description"),
        **texts(properties, UsagePlanName="name"),
    }
    for name in ("Quota", "Throttle"):
        found |= {
            f"/{_lowered(name)}/{_lowered(member)}": setting(value, f"/{_lowered(name)}")
            for member, value in (properties.get(name) or {}).items()
        }
    for stage in properties.get("ApiStages") or ():
        named = f"{stage.get('ApiId')}:{stage.get('Stage')}"
        found[f"/apiStages#{named}"] = Path(named, "item")
        for method, limits in (stage.get("Throttle") or {}).items():
            path, _, verb = method.rpartition("/")
            found |= {
                f"/apiStages/{named}/throttle/{_escaped(path)}/{verb}/{_lowered(name)}": setting(
                    value
                )
                for name, value in limits.items()
            }
    return found
