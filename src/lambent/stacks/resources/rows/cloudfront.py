"""Amazon CloudFront: distributions, functions, policies and access to origins.

Templates write lists where the API has objects with `Quantity` and `Items`, and some names in other
cases. An update and a deletion need the ETag of what is there, so hooks do them.
"""

from collections.abc import Mapping
from typing import Any

from lambent.stacks.resources.conversion import Shape, convert
from lambent.stacks.resources.facts import input_of
from lambent.stacks.resources.resource_type import Properties, Step
from lambent.stacks.resources.row_type import Call, Name, Part, Prepare, Row, Wait, only, op

_SERVICE = "cloudfront"
_ARN = "arn:aws:cloudfront::{$account}:distribution/{$id}"
_NAMES = {
    "IPV6Enabled": "IsIPV6Enabled",
    "Locations": "Items",
    "OriginCustomHeaders": "CustomHeaders",
}
"""Members that have other names in the API."""


def _quantified(value: Any, shape: Shape) -> Any:
    """A value of a template as the API has it: lists with their quantity, names in its case."""
    if not isinstance(shape, Mapping):
        if isinstance(shape, list) and isinstance(value, list):
            return [_quantified(item, shape[1]) for item in value]
        return value
    if isinstance(value, list) and "Items" in shape:
        made: dict[str, Any] = {"Quantity": len(value), "Items": _quantified(value, shape["Items"])}
        return {**made, "Enabled": bool(value)} if "Enabled" in shape else made
    if not isinstance(value, Mapping):
        return value
    names: dict[str, str] = {name.lower(): name for name in shape}
    made = {}
    for written, inner in value.items():
        name = str(written)
        if name.lower() not in names and name in _NAMES:
            name = _NAMES[name]
        name = names.get(name.lower(), name)
        made[name] = _quantified(inner, shape.get(name))
    if "Items" in made and "Quantity" in shape:
        made.setdefault("Quantity", len(made["Items"]))
    methods = made.pop("CachedMethods", None) if "AllowedMethods" in shape else None
    if methods is not None:
        cached = {"Quantity": len(methods), "Items": methods}
        made["AllowedMethods"] = {**made.get("AllowedMethods", cached), "CachedMethods": cached}
    return made


def _distribution(properties: Properties, step: Step) -> dict[str, Any]:
    """With the members that the API requires and templates may leave out."""
    shape = input_of(_SERVICE, "CreateDistribution")["DistributionConfig"]
    config = _quantified(properties["DistributionConfig"], shape)
    config = {"CallerReference": step.token, "Comment": "", **config}
    for origin in config.get("Origins", {}).get("Items", ()):
        if "S3OriginConfig" in origin:
            origin["S3OriginConfig"] = {"OriginAccessIdentity": "", **origin["S3OriginConfig"]}
        elif "CustomOriginConfig" in origin:
            ports = {"HTTPPort": 80, "HTTPSPort": 443}
            origin["CustomOriginConfig"] = {**ports, **origin["CustomOriginConfig"]}
    if "Logging" in config:
        logging = {"Enabled": True, "IncludeCookies": False, "Prefix": ""}
        config["Logging"] = {**logging, **config["Logging"]}
    return {**properties, "DistributionConfig": config}


def _configured(operation: str, property: str, **more: str) -> Prepare:
    """Rewrites the property that has the configuration. `more` are members with values of the
    step, by name."""

    def prepare(properties: Properties, step: Step) -> dict[str, Any]:
        shape = input_of(_SERVICE, operation)[property]
        config = _quantified(properties[property], shape)
        extra = {name: getattr(step, value) for name, value in more.items()}
        return {**properties, property: {**extra, **config}}

    return prepare


async def _tag(call: Call, id: str) -> str:
    return str((await call(_SERVICE, "GetDistributionConfig", {"Id": id}))["ETag"])


async def _change_distribution(call: Call, id: str, properties: Properties) -> None:
    shape = input_of(_SERVICE, "CreateDistribution")["DistributionConfig"]
    config = convert(properties["DistributionConfig"], shape, "DistributionConfig")
    wanted = {"Id": id, "IfMatch": await _tag(call, id), "DistributionConfig": config}
    await call(_SERVICE, "UpdateDistribution", wanted)


async def _delete_distribution(call: Call, id: str, _properties: Properties) -> None:
    """Only one that is disabled can be deleted."""
    found = await call(_SERVICE, "GetDistributionConfig", {"Id": id})
    config, tag = found["DistributionConfig"], found["ETag"]
    if config["Enabled"]:
        disabled = {"Id": id, "IfMatch": tag, "DistributionConfig": {**config, "Enabled": False}}
        tag = (await call(_SERVICE, "UpdateDistribution", disabled))["ETag"]
    await call(_SERVICE, "DeleteDistribution", {"Id": id, "IfMatch": tag})


DISTRIBUTION = Row(
    name="AWS::CloudFront::Distribution",
    service=_SERVICE,
    create=op("CreateDistribution"),
    physical="{.Distribution.Id}",
    keys={"Id": "{$id}"},
    read=only("GetDistribution"),
    wait=Wait({"Distribution.Status": ("Deployed",)}),
    prepare=_distribution,
    after_update=_change_distribution,
    before_delete=_delete_distribution,
    uses=frozenset({"DistributionConfig"}),
    attributes={"Id": "{.Distribution.Id}", "DomainName": "{.Distribution.DomainName}"},
    parts=(Part(of=("Tags",), put=only("TagResource", Resource=_ARN, Tags={"Items": "{Tags}"})),),
    note="After a stop of the platform it may be made twice, if the service does not know"
    " `CallerReference`. Tags are added and changed, and never removed.",
)


async def _publish(call: Call, _arn: str, properties: Properties) -> None:
    """Have a function serve, if the template wants it at once."""
    if str(properties.get("AutoPublish")).lower() == "true":
        name = properties["Name"]
        found = await call(_SERVICE, "DescribeFunction", {"Name": name})
        await call(_SERVICE, "PublishFunction", {"Name": name, "IfMatch": found["ETag"]})


async def _change_function(call: Call, arn: str, properties: Properties) -> None:
    name = properties["Name"]
    found = await call(_SERVICE, "DescribeFunction", {"Name": name})
    shape = input_of(_SERVICE, "CreateFunction")
    wanted = {
        member: convert(properties[member], shape[member], member)
        for member in ("FunctionConfig", "FunctionCode")
    }
    await call(_SERVICE, "UpdateFunction", {"Name": name, "IfMatch": found["ETag"], **wanted})
    await _publish(call, arn, properties)


async def _delete_function(call: Call, arn: str, _properties: Properties) -> None:
    name = arn.rpartition("/")[2]
    found = await call(_SERVICE, "DescribeFunction", {"Name": name})
    await call(_SERVICE, "DeleteFunction", {"Name": name, "IfMatch": found["ETag"]})


FUNCTION = Row(
    name="AWS::CloudFront::Function",
    service=_SERVICE,
    named=Name("Name", 64),
    create=op("CreateFunction"),
    physical="arn:aws:cloudfront::{$account}:function/{Name}",
    keys={"Name": "{Name}"},
    read=only("DescribeFunction"),
    prepare=_configured("CreateFunction", "FunctionConfig"),
    after_update=_change_function,
    before_delete=_delete_function,
    after_create=_publish,
    uses=frozenset({"AutoPublish", "FunctionCode", "FunctionConfig"}),
    attributes={
        "FunctionARN": "{.FunctionSummary.FunctionMetadata.FunctionARN}",
        "FunctionMetadata.FunctionARN": "{.FunctionSummary.FunctionMetadata.FunctionARN}",
        "Stage": "{.FunctionSummary.FunctionMetadata.Stage}",
    },
)


def _policy(kind: str, of_step: Mapping[str, str] | None = None, **more: str) -> Row:
    """A type with one configuration, in `<kind>Config`, that is replaced as a whole."""
    property = f"{kind}Config"

    async def change(call: Call, id: str, properties: Properties) -> None:
        shape = input_of(_SERVICE, f"Create{kind}")[property]
        found = await call(_SERVICE, f"Get{kind}", {"Id": id})
        config = convert(properties[property], shape, property)
        wanted = {"Id": id, "IfMatch": found["ETag"], property: config}
        await call(_SERVICE, f"Update{kind}", wanted)

    async def delete(call: Call, id: str, _properties: Properties) -> None:
        found = await call(_SERVICE, f"Get{kind}", {"Id": id})
        await call(_SERVICE, f"Delete{kind}", {"Id": id, "IfMatch": found["ETag"]})

    return Row(
        name=f"AWS::CloudFront::{kind}",
        service=_SERVICE,
        create=op(f"Create{kind}"),
        physical=f"{{.{kind}.Id}}",
        keys={"Id": "{$id}"},
        read=only(f"Get{kind}"),
        prepare=_configured(f"Create{kind}", property, **(of_step or {})),
        after_update=change,
        before_delete=delete,
        uses=frozenset({property}),
        attributes={"Id": f"{{.{kind}.Id}}", **more},
        note="After a stop of the platform it may be made twice.",
    )


def _named_policy(kind: str) -> Row:
    return _policy(kind, LastModifiedTime=f"{{.{kind}.LastModifiedTime}}")


ROWS = (
    DISTRIBUTION,
    FUNCTION,
    _named_policy("CachePolicy"),
    _named_policy("OriginRequestPolicy"),
    _named_policy("ResponseHeadersPolicy"),
    _policy("OriginAccessControl"),
    _policy(
        "CloudFrontOriginAccessIdentity",
        {"CallerReference": "token"},
        S3CanonicalUserId="{.CloudFrontOriginAccessIdentity.S3CanonicalUserId}",
    ),
)
